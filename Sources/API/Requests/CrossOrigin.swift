import HTTPTypes
import Kernel

/// Which pages of other origins may use the API from a browser (the Fetch standard's CORS protocol); none unless they are listed.
///
/// Credentials go in the `Authorization` field, so nothing is sent along without a script's doing, but for the cookie of a session,
/// which the two or three operations that use it take from pages that are listed by name, and from our own.
package struct CrossOrigin: Sendable, Equatable {
    private let origins: Set<String>
    private let isOpen: Bool

    /// Nobody but same-origin pages.
    package init() {
        origins = []
        isOpen = false
    }

    /// Reads origins separated by commas, or `*` for any.
    ///
    /// - Parameter list: such as `https://shop.example,http://localhost:5173`.
    /// - Throws: ``Invalid`` with the part that is none.
    package init(list: String) throws(Invalid) {
        var origins: Set<String> = []
        var isOpen = false
        for part in list.split(separator: ",") {
            let text = Text.trimmed(String(part)).lowercased()
            if text == "*" {
                isOpen = true
            } else {
                guard Self.isOrigin(text) else { throw Invalid(part: text) }
                origins.insert(text)
            }
        }
        self.origins = origins
        self.isOpen = isOpen
    }

    /// A part of a list that is no origin.
    package struct Invalid: Error {
        /// The part.
        package let part: String
    }

    /// Scheme, host and perhaps a port, as browsers send them: no path, no slash at the end.
    private static func isOrigin(_ text: String) -> Bool {
        for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
            let host = text.dropFirst(scheme.count)
            return !host.isEmpty
                && host.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                    case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                        true
                    default: false
                    }
                }
        }
        return false
    }

    /// Whether no page of another origin is let in, so that answers need not say on what they depend.
    var isClosed: Bool { !isOpen && origins.isEmpty }

    /// Whether a page may read answers.
    ///
    /// - Parameter origin: the value of `Origin`.
    /// - Returns: whether it is listed.
    func admits(_ origin: String) -> Bool { isOpen || origins.contains(origin) }

    /// Whether a page may use the cookie of a session: one of this host, or one that is listed by name.
    ///
    /// - Parameter page: what the browser says of the page that asks.
    /// - Returns: whether it may; not, if the browser says nothing.
    func mayUseCookies(_ page: BrowserPage) -> Bool {
        if let origin = page.origin, origins.contains(origin) { return true }
        // The browser's own word goes first: behind a proxy the host may be called otherwise here, and a page has no say in it.
        if let site = page.site { return site == "same-origin" }
        return page.isOfHost
    }

    /// Adds what a browser has to know about an answer.
    ///
    /// - Parameters:
    ///   - reply: the answer.
    ///   - origin: the value of `Origin`, if it was sent.
    func dress(_ reply: inout Reply, origin: String?) {
        guard !isClosed else { return }
        // Every answer, with the field or without: a cache must not give one page what was answered to another.
        reply.append(.vary, "Origin")
        guard let origin, self.admits(origin) else { return }
        reply.append(.accessControlAllowOrigin, origin)
        reply.append(.accessControlExposeHeaders, Self.exposed)
        // With the cookie of a session, if the page is of the same site, so that the browser sends it.
        if origins.contains(origin) { reply.append(.accessControlAllowCredentials, "true") }
    }

    /// The answer to the question a browser asks before a request that a form could not send.
    ///
    /// - Parameters:
    ///   - methods: what the path knows.
    ///   - origin: the value of `Origin`.
    /// - Returns: the answer, not yet dressed; nil if the page is not let in.
    func preflight(methods: [HTTPRequest.Method], origin: String) -> Reply? {
        guard admits(origin) else { return nil }
        var reply = Reply(.noContent)
        reply.append(.accessControlAllowMethods, methods.map(\.rawValue).sorted().joined(separator: ", "))
        reply.append(.accessControlAllowHeaders, Self.allowed)
        reply.append(.accessControlMaxAge, "600")
        return reply
    }

    /// What a script may send beyond what every page may.
    private static let allowed = [
        "Authorization", "Cache-Control", "Content-Digest", "Content-Type", "Idempotency-Key", "If-Match",
        "If-None-Match", "Last-Event-ID", "Stock-Consistency", "X-Request-Id", "traceparent",
    ].joined(separator: ", ")

    /// What a script may read beyond what every page may.
    private static let exposed = [
        "Cache-Status", "ETag", "Idempotency-Replayed", "Location", "RateLimit", "RateLimit-Policy", "Retry-After",
        "Link", "Stock-Consistency", "Stock-Event-Sequence", "X-Request-Id",
    ].joined(separator: ", ")
}

/// What a browser says of the page that has it send a request.
struct BrowserPage: Sendable, Equatable {
    /// The value of `Origin`.
    let origin: String?
    /// The value of `Sec-Fetch-Site`, which scripts can not set.
    let site: String?
    /// The host and port that the request names.
    let host: String?
    /// The refresh token in its cookie.
    let sessionToken: String?

    /// Whether the page came from the host that it asks; whether by TLS is not known behind a proxy.
    var isOfHost: Bool {
        guard let origin, let host, let scheme = origin.firstRange(of: "://") else { return false }
        return origin[scheme.upperBound...].lowercased() == host.lowercased()
    }
}

import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1
import Services

/// One request as it came, before any route has seen it.
///
/// A class, as every step of an answer carries it along: one reference instead of two dozen fields.
final class Exchange: Sendable {
    /// The method.
    let method: HTTPRequest.Method
    /// The target, as it was sent.
    let target: String
    /// The path of the target.
    let path: Substring
    /// The query, if there is one.
    let query: Substring?
    /// The header fields that we act on.
    let fields: RequestFields
    /// The name of the request.
    let requestID: String
    /// The body; empty where none was announced.
    let body: RequestBody
    /// When it was read.
    let began: ContinuousClock.Instant

    private let channel: (any Channel)?
    private let proxies: TrustedProxies
    /// The header block as Hummingbird read it; nil for what is answered at once, which asks for nothing in it but `fields`.
    private let head: HTTPRequest?

    /// Ends the connection, whatever is still to be written on it.
    var closeConnection: @Sendable () -> Void {
        { [channel] in channel?.close(promise: nil) }
    }

    private init(
        _ method: HTTPRequest.Method,
        _ target: String,
        _ fields: RequestFields,
        body: RequestBody,
        channel: (any Channel)?,
        proxies: TrustedProxies,
        head: HTTPRequest? = nil
    ) {
        began = ContinuousClock.now
        self.method = method
        self.target = target
        (path, query) = Self.split(target)
        self.fields = fields
        requestID = RequestID.of(fields.requestID)
        self.body = body
        self.channel = channel
        self.proxies = proxies
        self.head = head
    }

    /// A request as Hummingbird read it.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - channel: the connection it came by; nil in tests.
    ///   - proxies: whose word about a client's address is taken.
    convenience init(_ request: Request, channel: (any Channel)?, proxies: TrustedProxies) {
        self.init(
            request.method,
            request.head.path ?? "/",
            RequestFields(request.headers),
            body: request.body,
            channel: channel,
            proxies: proxies,
            head: request.head
        )
    }

    /// A request that is complete with its header block, and that everybody reads alike; nil for any other.
    ///
    /// Whatever asks for more than an answer - a body, another protocol, the end of the connection - and whatever Hummingbird
    /// would read as something else is left to it.
    ///
    /// - Parameters:
    ///   - head: the header block as the HTTP decoder read it.
    ///   - channel: the connection it came by.
    ///   - proxies: whose word about a client's address is taken.
    convenience init?(whole head: HTTPRequestHead, channel: any Channel, proxies: TrustedProxies) {
        let method: HTTPRequest.Method
        switch head.method {
        case .GET: method = .get
        case .HEAD: method = .head
        default: return nil
        }
        guard head.version == .http1_1, head.isKeepAlive, RequestFields.isASCII(head.uri, from: 0x21),
            let fields = RequestFields(plain: head.headers)
        else { return nil }
        self.init(
            method,
            head.uri,
            fields,
            body: RequestBody(buffer: ByteBuffer()),
            channel: channel,
            proxies: proxies
        )
    }

    /// A request that nobody sent.
    ///
    /// - Parameter target: what is asked for.
    convenience init(getting target: String) {
        self.init(
            .get,
            target,
            RequestFields(),
            body: RequestBody(buffer: ByteBuffer()),
            channel: nil,
            proxies: TrustedProxies()
        )
    }

    /// Where it comes from: its peer, or the client of a proxy that is trusted.
    ///
    /// To be asked only where that matters.
    var client: IPAddress? {
        channel?.remoteAddress.flatMap { IPAddress($0) }
            .map { self.proxies.client(behind: $0, forwarded: self.fields.forwardedFor) }
    }

    /// What the browser says of the page that asks; to be asked only where that matters.
    var page: BrowserPage {
        BrowserPage(
            origin: fields.origin,
            site: head?.headerFields[Self.fetchSite],
            host: head?.authority,
            sessionToken: SessionCookie.token(in: head?.headerFields[values: .cookie] ?? [])
        )
    }

    /// Where the page is from, in the browser's words (W3C Fetch Metadata).
    private static let fetchSite = HTTPField.Name("Sec-Fetch-Site") ?? .origin

    /// Path and query of a target.
    ///
    /// A fragment is for the client alone (RFC 3986, 3.5): one that is sent says nothing.
    static func split(_ target: String) -> (path: Substring, query: Substring?) {
        let said = Substring(target.utf8.prefix { $0 != UInt8(ascii: "#") })
        guard let mark = said.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (said, nil) }
        return (said[..<mark], said[said.utf8.index(after: mark)...])
    }
}

extension IPAddress? {
    /// What limits count a request by; those that come by a socket in the file system are one.
    var limited: String { self?.limited ?? "local" }
}

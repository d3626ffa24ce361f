import Crypto
import HTTPTypes
import Kernel
import Services

/// The fields that every answer carries, errors included.
///
/// The API serves data and a few pages that are complete, so a browser that is shown an answer may load nothing, frame nothing and
/// guess no type; of pages the one style that they have is allowed, by its digest.
enum SecurityHeaders {
    /// Name and value.
    static let plain: [(name: String, value: String)] = [
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
    ]

    /// What an answer lets a browser do.
    static func fields(of face: Reply.Face) -> [HTTPField] {
        switch face {
        case .data: ofData
        case .page: ofPages
        case .console: ofConsole
        }
    }

    /// What keeps answers out of the caches on their way, as all of them are somebody's own.
    static func keeping(_ kept: Reply.Keeping) -> HTTPField {
        switch kept {
        case .not: notStored
        case .asked: revalidated
        case .forGood: forGood
        }
    }

    private static let notStored = HTTPField(name: .cacheControl, value: "no-store")
    private static let revalidated = HTTPField(name: .cacheControl, value: "private, no-cache")
    private static let forGood = HTTPField(name: .cacheControl, value: "public, max-age=31536000, immutable")

    private static let ofData: [HTTPField] = made(of: plain)
    private static let ofPages = made(
        policy: "default-src 'none'; frame-ancestors 'none'; style-src \(digests)"
    )
    private static let ofConsole = made(policy: consolePolicy)

    /// What the console may do: run its own modules, and talk to where it came from.
    ///
    /// Texts reach the page as texts, and the browser sees to it that they can not come by another way.
    static let consolePolicy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ].joined(separator: "; ")

    private static func made(policy: String) -> [HTTPField] {
        made(of: plain.map { name, value in (name, name == "Content-Security-Policy" ? policy : value) })
    }

    private static func made(of fields: [(name: String, value: String)]) -> [HTTPField] {
        fields.compactMap { name, value in
            HTTPField.Name(name).map { HTTPField(name: $0, value: value) }
        }
    }

    /// The styles that pages have, by their digests.
    private static let digests = [ReceiptPage.style, ProblemPages.style].map { "'sha256-\(digest(of: $0))'" }
        .joined(separator: " ")

    /// The digest of a style, in the alphabet of Base64 (CSP3, 2.3.1).
    static func digest(of style: String) -> String {
        let digest = SHA256.hash(data: Array(style.utf8))
        let text = Base64URL.encode(Array(digest)).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        // Thirty-two bytes are ten groups of three, and two that want a sign of padding.
        return String(text) + "="
    }
}

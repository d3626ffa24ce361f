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

    /// The same as HTTP fields, made once; and what keeps answers out of every cache on their way, as all of them are
    /// somebody's own.
    static let fields: [HTTPField] = made(of: plain)

    /// Those of pages.
    static let ofPages: [HTTPField] = made(
        of: plain.map { name, value in
            (name, name == "Content-Security-Policy" ? "\(value); style-src 'sha256-\(styleDigest)'" : value)
        }
    )

    private static func made(of fields: [(name: String, value: String)]) -> [HTTPField] {
        [HTTPField(name: .cacheControl, value: "no-store")]
            + fields.compactMap { name, value in
                HTTPField.Name(name).map { HTTPField(name: $0, value: value) }
            }
    }

    /// The digest of the style of receipts, in the alphabet of Base64 (CSP3, 2.3.1).
    private static let styleDigest: String = {
        let digest = SHA256.hash(data: Array(ReceiptPage.style.utf8))
        let text = Base64URL.encode(Array(digest)).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        // Thirty-two bytes are ten groups of three, and two that want a sign of padding.
        return String(text) + "="
    }()
}

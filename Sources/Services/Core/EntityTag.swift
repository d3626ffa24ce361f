package import Kernel

/// The entity tags of one resource's representations.
package enum EntityTag {
    private static let suffix = "-gzip"

    /// The tag of the bytes compressed by gzip: `"3.17-gzip"` for `"3.17"`.
    ///
    /// Other bytes, so another tag (RFC 9110, 8.8.3.3).
    package static func compressed(_ etag: String) -> String {
        guard etag.hasSuffix("\"") else { return etag }
        return etag.dropLast() + Self.suffix + "\""
    }

    /// The tag of the same said as a table.
    package static func table(_ etag: String) -> String {
        guard etag.hasSuffix("\"") else { return etag }
        return etag.dropLast() + "-csv\""
    }

    /// What stands between the quotes, whichever representation it is of.
    static func value(_ tag: String) -> Substring {
        let value = tag.dropFirst().dropLast()
        return value.hasSuffix(Self.suffix) ? value.dropLast(Self.suffix.count) : value
    }
}

/// What `If-Match` demands of a row before it is changed.
///
/// An entity tag is `"<version>"` or `"<version>.<figures>"`; the figures (stock, balances) move without making an edit stale, so
/// only the version is compared.
package enum ExpectedVersion: Sendable, Equatable {
    /// `*`: the row exists.
    case any

    /// The row has one of these versions.
    case oneOf([Int64])

    /// Reads the value of an `If-Match` header.
    ///
    /// - Parameter header: One or more entity tags, or `*`.
    /// - Throws: 400 `invalid_request` if it is neither. Weak tags never match, as RFC 9110 says.
    package init(ifMatch header: String) throws(Problem) {
        let trimmed = Text.trimmed(header)
        if trimmed == "*" {
            self = .any
            return
        }
        var versions: [Int64] = []
        for part in trimmed.split(separator: ",", omittingEmptySubsequences: false) {
            let tag = Text.trimmed(String(part))
            if tag.hasPrefix("W/\"") { continue }
            guard tag.utf8.count >= 2, tag.hasPrefix("\""), tag.hasSuffix("\"") else {
                throw Problem(.invalidRequest, "If-Match must be * or an entity tag like \"3\", as ETag answered it.")
            }
            let version = EntityTag.value(tag).prefix { $0 != "." }
            // A tag that no row ever had is well-formed and matches nothing.
            if let number = Int64(version) { versions.append(number) }
        }
        self = .oneOf(versions)
    }

    /// The versions as a parameter: `nil` matches every one.
    var parameter: [Int64]? {
        switch self {
        case .any: nil
        case .oneOf(let versions): versions
        }
    }
}

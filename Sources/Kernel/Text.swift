/// What the shop does to text before it is stored.
///
/// NFC is not among it: the standard library normalises only internally, and the columns' unique indexes normalise by
/// themselves (`lower(normalize(x, NFC) ...)`), so the writing statements call `normalize(x, NFC)`.
package enum Text {
    /// Text without the white space around it.
    package static func trimmed(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }

    /// A text of a client's that is repeated to it, such as the name of a field nobody knows: its first 100 characters.
    ///
    /// What is repeated must not grow an answer, in which it may stand more than once, with the request.
    package static func excerpt(_ text: some StringProtocol) -> String {
        let scalars = text.unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: 100, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return String(text) }
        return String(String.UnicodeScalarView(scalars[..<end])) + "…"
    }

    /// Whether a scalar is a control character (categories Cc, Zl and Zp), which no line of text may hold.
    package static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    /// An e-mail address in lower case, or `nil` if it cannot be one.
    ///
    /// Only the shape is checked; whether somebody reads it, no rule can tell.
    package static func email(_ text: String) -> String? {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let local = parts.first, let domain = parts.last,
            !local.isEmpty, local.utf8.count <= 64, !domain.isEmpty, text.utf8.count <= 254,
            domain.first != ".", domain.last != ".", !domain.contains(".."),
            !text.unicodeScalars.contains(where: { $0.properties.isWhitespace || isControl($0) })
        else { return nil }
        return text.lowercased()
    }

    /// A slug: 2 to 63 of `a-z`, `0-9` and single hyphens inside, or `nil`.
    package static func slug(_ text: String) -> String? {
        let folded = text.lowercased()
        let bytes = Array(folded.utf8)
        let isValid = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard isValid, (2...63).contains(bytes.count), bytes.first != UInt8(ascii: "-"),
            bytes.last != UInt8(ascii: "-"), !folded.contains("--")
        else { return nil }
        return folded
    }
}

@_spi(_Unicode) import Swift

/// What the shop does to text before it is stored.
///
/// Columns are normalised by the writing statements (`normalize(x, NFC)`), as their unique indexes are.
package enum Text {
    /// Text without the white space around it.
    package static func trimmed(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }

    /// Text in Normalization Form C: what looks the same is the same bytes, however it was typed.
    package static func nfc(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var scalars = String.UnicodeScalarView()
        for scalar in text._nfc { scalars.append(scalar) }
        return String(scalars)
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

    /// A slug: 2 to 63 of `a-z`, `0-9` and single hyphens inside, not digits alone, or `nil`.
    ///
    /// Digits alone would read as a tenant's number.
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
            bytes.last != UInt8(ascii: "-"), !folded.contains("--"),
            !bytes.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return folded
    }
}

// The standard library normalises text for its comparisons and has no public function for it. Foundation has one, which this
// target does without.
@_spi(_Unicode) import Swift

/// What the shop does to text before it is stored or compared.
package enum Text {
    /// Text without the white space around it: every character of Unicode's White_Space, at every door.
    package static func trimmed(_ text: String) -> String {
        // Most texts have nothing to trim, which their first and last byte show.
        if let first = text.utf8.first, let last = text.utf8.last, (0x21...0x7E).contains(first),
            (0x21...0x7E).contains(last)
        {
            return text
        }
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }

    /// Text in Unicode's normal form C: letters and their accents composed, whatever keyboard they came from.
    package static func nfc(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 >= 0x80 }) else { return text }
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: text._nfc)
        return String(scalars)
    }

    /// Text as names and codes are compared: case does not count, accents do, every form of a letter is one.
    ///
    /// The same as `stock.folded` in SQL for every letter both know, which a test holds over all of Unicode. Whatever has to
    /// agree with the database asks the database; this is for comparing texts among themselves, before it is asked.
    package static func folded(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 >= 0x80 }) else { return text.lowercased() }
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            // Of the two small sigmas the one at the end of a word is only another shape.
            let lower = scalar == "ς" ? "σ" : scalar.properties.lowercaseMapping
            scalars.append(contentsOf: lower.unicodeScalars)
        }
        return nfc(String(scalars))
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

    /// The text of a file without the byte order mark that some editors put before it.
    package static func withoutByteOrderMark(_ text: String) -> String {
        text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// Text in which each run of Unicode's white space is one space, as `stock.code_text` in SQL makes it of codes; what breaks
    /// lines stays.
    package static func withSingleSpaces(_ text: String) -> String {
        var isBehindSpace = false
        let isFine = text.utf8.allSatisfy { byte in
            defer { isBehindSpace = byte == 0x20 }
            return (0x20...0x7E).contains(byte) && !(byte == 0x20 && isBehindSpace)
        }
        guard !isFine else { return text }
        return text.unicodeScalars.split { $0.properties.isWhitespace && !isControl($0) }
            .map { String($0) }.joined(separator: " ")
    }

    /// Whether a scalar formats what is around it and is not seen itself: zero-width spaces and joiners, soft hyphens, marks of
    /// direction, byte order marks (category Cf, as far as it is ignored where it means nothing).
    package static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value >= 0xAD && scalar.properties.generalCategory == .format
            && scalar.properties.isDefaultIgnorableCodePoint
    }

    /// Whether an invisible scalar is one that names need: joiners, in Persian, in Indic writing and within emoji; the marks by
    /// which Hebrew, Arabic and numbers keep their order; Mongolian's separator of vowels; the tags of flags.
    package static func isNeededInNames(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x200C...0x200F, 0x061C, 0x180E, 0xE0020...0xE007F: true
        default: false
        }
    }

    /// A scalar as standards write it, for what cannot be shown: `U+200B`.
    package static func codePoint(of scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// An e-mail address in lower case, or `nil` if it cannot be one.
    ///
    /// Only the shape is checked; whether somebody reads it, no rule can tell.
    package static func email(_ text: String) -> String? {
        let text = trimmed(text)
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let local = parts.first, let domain = parts.last,
            !local.isEmpty, local.utf8.count <= 64, !domain.isEmpty, text.utf8.count <= 254,
            domain.first != ".", domain.last != ".", !domain.contains(".."),
            !text.unicodeScalars.contains(where: { $0.properties.isWhitespace || isControl($0) })
        else { return nil }
        return folded(text)
    }

    /// A slug: 2 to 63 of `a-z`, `0-9` and single hyphens inside, not digits alone, or `nil`.
    ///
    /// Digits alone would read as a tenant's number.
    package static func slug(_ text: String) -> String? {
        let folded = trimmed(text).lowercased()
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

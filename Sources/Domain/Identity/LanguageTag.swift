import Kernel

/// The tags of languages, as `locale` holds them.
package enum LanguageTag {
    /// Whether a text has the shape of a language tag: language, script, region, variants, extensions, private use.
    ///
    /// RFC 5646, section 2.1, without the grandfathered tags. Whether there is such a language is not asked.
    package static func isWellFormed(_ text: String) -> Bool {
        guard text.utf8.count <= TextRule.locale.maximum else { return false }
        var rest = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false).map(Subtag.init)[...]
        func take(_ matches: (Subtag) -> Bool) -> Bool {
            guard let next = rest.first, matches(next) else { return false }
            rest.removeFirst()
            return true
        }
        guard take({ $0.isAlphabetic && (2...8).contains($0.count) }) else { return false }
        // Up to three extended languages, which nobody uses any more, have the shape of a region of letters but one more.
        for _ in 0..<3 { if !take({ $0.isAlphabetic && $0.count == 3 }) { break } }
        _ = take { $0.isAlphabetic && $0.count == 4 }
        _ = take { $0.isAlphabetic && $0.count == 2 || $0.isNumeric && $0.count == 3 }
        while take({ $0.isPlain && ((5...8).contains($0.count) || $0.count == 4 && $0.startsWithDigit) }) {}
        while take({ $0.isPlain && $0.count == 1 && !$0.isPrivateUse }) {
            guard take({ $0.isPlain && (2...8).contains($0.count) }) else { return false }
            while take({ $0.isPlain && (2...8).contains($0.count) }) {}
        }
        if take(\.isPrivateUse) {
            guard take({ $0.isPlain && (1...8).contains($0.count) }) else { return false }
            while take({ $0.isPlain && (1...8).contains($0.count) }) {}
        }
        return rest.isEmpty
    }

    private struct Subtag {
        let bytes: Substring.UTF8View.SubSequence

        init(_ bytes: Substring.UTF8View.SubSequence) { self.bytes = bytes }

        var count: Int { bytes.count }
        var isAlphabetic: Bool { bytes.allSatisfy(Self.isLetter) }
        var isNumeric: Bool { bytes.allSatisfy(Self.isDigit) }
        var isPlain: Bool { bytes.allSatisfy { Self.isLetter($0) || Self.isDigit($0) } }
        var startsWithDigit: Bool { bytes.first.map(Self.isDigit) == true }
        var isPrivateUse: Bool { bytes.count == 1 && (bytes.first ?? 0) | 0x20 == UInt8(ascii: "x") }

        private static func isLetter(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }

        private static func isDigit(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
    }
}

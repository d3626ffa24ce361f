/// The weight of a member of a list of preferences, in thousandths (RFC 9110, 12.4.2).
enum Weight {
    /// The weight where none is given.
    static let full = 1000

    /// Reads `q=` and a number from 0 to 1 with at most three decimals.
    ///
    /// - Parameter text: A parameter of a member, with or without blanks around it.
    /// - Returns: The weight; nil if it is something else.
    static func read(_ text: Substring.UTF8View) -> Int? {
        let text = trimmed(text)
        guard isWeight(text) else { return nil }
        let digits = text.dropFirst(2)
        guard (1...5).contains(digits.count), let whole = digits.first,
            whole == UInt8(ascii: "0") || whole == UInt8(ascii: "1")
        else { return nil }
        var weight = Int(whole - UInt8(ascii: "0")) * full
        guard digits.count == 1 || digits.dropFirst().first == UInt8(ascii: ".") else { return nil }
        var unit = full / 10
        for digit in digits.dropFirst(2) {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            weight += Int(digit - UInt8(ascii: "0")) * unit
            unit /= 10
        }
        return weight <= full ? weight : nil
    }

    /// Whether a parameter without blanks around it begins as a weight does.
    static func isWeight(_ text: Substring.UTF8View) -> Bool {
        guard let q = text.first else { return false }
        return q | 0x20 == UInt8(ascii: "q") && text.dropFirst().first == UInt8(ascii: "=")
    }

    /// A text without blanks and tabs at its ends.
    static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        var text = text
        while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
        while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return text
    }

    /// Whether a name is a lower-case one, whatever its case.
    static func equal(_ text: Substring.UTF8View, _ name: some Collection<UInt8>) -> Bool {
        text.count == name.count
            && zip(text, name).allSatisfy { byte, expected in
                byte == expected
                    || ((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == expected)
            }
    }
}

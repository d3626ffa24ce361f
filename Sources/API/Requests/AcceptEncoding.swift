/// Reads `Accept-Encoding` (RFC 9110, 12.5.3).
enum AcceptEncoding {
    /// Whether gzip is acceptable, and no less welcome than the plain bytes.
    ///
    /// A coding that is listed counts by its own weight, else by that of `*`. Malformed members count for nothing.
    ///
    /// - Parameter header: the value, several fields joined by commas.
    /// - Returns: whether to send gzip.
    static func prefersGzip(_ header: String) -> Bool {
        var gzip: Int?
        var identity: Int?
        var others: Int?
        for member in header.utf8.split(separator: UInt8(ascii: ",")) {
            let parts = member.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
            guard let name = parts.first.map(Self.trimmed), !name.isEmpty, parts.count <= 2 else { continue }
            guard let weight = parts.count == 2 ? Self.weight(parts[1]) : 1000 else { continue }
            if Self.equal(name, "gzip") || Self.equal(name, "x-gzip") {
                gzip = max(gzip ?? 0, weight)
            } else if Self.equal(name, "identity") {
                identity = weight
            } else if Self.equal(name, "*") {
                others = weight
            }
        }
        guard let weight = gzip ?? others, weight > 0 else { return false }
        // Plain bytes that nobody mentioned are acceptable, not preferred.
        return weight >= identity ?? 0
    }

    /// The weight in thousandths: `q=` and a number from 0 to 1 with at most three decimals.
    private static func weight(_ text: Substring.UTF8View) -> Int? {
        let text = Self.trimmed(text)
        guard let q = text.first, q | 0x20 == UInt8(ascii: "q"), text.dropFirst().first == UInt8(ascii: "=") else {
            return nil
        }
        let digits = text.dropFirst(2)
        guard (1...5).contains(digits.count), let whole = digits.first,
            whole == UInt8(ascii: "0") || whole == UInt8(ascii: "1")
        else { return nil }
        var weight = Int(whole - UInt8(ascii: "0")) * 1000
        guard digits.count == 1 || digits.dropFirst().first == UInt8(ascii: ".") else { return nil }
        var unit = 100
        for digit in digits.dropFirst(2) {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            weight += Int(digit - UInt8(ascii: "0")) * unit
            unit /= 10
        }
        return weight <= 1000 ? weight : nil
    }

    private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        var text = text
        while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
        while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return text
    }

    /// Whether a name is a lower-case one, whatever its case.
    private static func equal(_ text: Substring.UTF8View, _ name: StaticString) -> Bool {
        name.withUTF8Buffer { name in
            text.count == name.count
                && zip(text, name).allSatisfy { byte, expected in
                    byte == expected
                        || ((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == expected)
                }
        }
    }
}

/// Reads fixed fields of ASCII digits, as dates and times are made of.
struct ASCIIFields<Bytes: Collection<UInt8>> {
    private var rest: Bytes.SubSequence

    init(_ bytes: Bytes) { rest = bytes[...] }

    /// Whether everything was read.
    var isAtEnd: Bool { rest.isEmpty }

    /// The next byte, unread.
    var next: UInt8? { rest.first }

    /// Reads exactly so many digits.
    mutating func number(digits: Int) -> Int? {
        var value = 0
        for _ in 0..<digits {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// Reads one digit if there is one.
    mutating func digit() -> Int? {
        guard let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        rest.removeFirst()
        return Int(byte - UInt8(ascii: "0"))
    }

    /// Reads one of the given characters.
    mutating func skip(_ characters: Unicode.Scalar...) -> Bool {
        guard let byte = rest.first, characters.contains(Unicode.Scalar(byte)) else { return false }
        rest.removeFirst()
        return true
    }
}

/// Writes fixed fields of ASCII digits.
struct ASCIIText {
    private var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(32) }

    /// The text written so far.
    var string: String { String(decoding: bytes, as: UTF8.self) }

    /// Writes a number with leading zeros.
    mutating func append(_ number: Int, digits: Int) {
        let divisors = [1, 10, 100, 1000, 10_000, 100_000]
        for divisor in divisors.prefix(digits).reversed() {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number.magnitude / UInt(divisor) % 10))
        }
    }

    /// Writes a character.
    mutating func append(_ character: Unicode.Scalar) {
        bytes.append(UInt8(truncatingIfNeeded: character.value))
    }
}

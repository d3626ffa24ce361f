/// The binary form of `numeric`, to and from fixed point.
///
/// Four Int16 (digit count, weight, sign, display scale), then digits to the base 10,000, the first worth
/// 10,000^weight (numeric_send in PostgreSQL's source). Amounts of ours are Int64 at a fixed scale; the way between
/// goes through 128 bits, and nothing is ever rounded: what does not fit throws.
enum NumericFormat {
    private static let negative: UInt16 = 0x4000
    /// The most decimals a fixed-point Int64 may have here.
    static let maximalScale = 18

    /// Appends a fixed-point number.
    ///
    /// - Parameters:
    ///   - value: The number times 10^scale.
    ///   - scale: Its decimals, 0 to 18.
    ///   - bytes: Where to.
    /// - Throws: ``PostgresError`` of code `encoding` for another scale.
    static func encode(_ value: Int64, scale: Int, into bytes: inout [UInt8]) throws(PostgresError) {
        guard (0...maximalScale).contains(scale) else {
            throw PostgresError(.encoding, "a numeric has a scale outside 0 to 18")
        }
        let fractionGroups = (scale + 3) / 4
        let shift = powerOfTen(4 * fractionGroups - scale)
        // At most 19 digits and 3 zeros: six groups.
        var groups = InlineArray<6, UInt16>(repeating: 0)
        var count = 0
        let (narrow, overflow) = value.magnitude.multipliedReportingOverflow(by: UInt64(shift))
        if overflow {
            var rest = UInt128(value.magnitude) * UInt128(shift)
            while rest > 0 {
                groups[count] = UInt16(truncatingIfNeeded: rest % 10_000)
                rest /= 10_000
                count += 1
            }
        } else {
            var rest = narrow
            while rest > 0 {
                groups[count] = UInt16(truncatingIfNeeded: rest % 10_000)
                rest /= 10_000
                count += 1
            }
        }
        var lowest = 0
        while lowest < count, groups[lowest] == 0 { lowest += 1 }
        bytes.appendBigEndian(UInt16(truncatingIfNeeded: count - lowest))
        bytes.appendBigEndian(Int16(truncatingIfNeeded: count == 0 ? 0 : count - 1 - fractionGroups))
        bytes.appendBigEndian(value < 0 ? negative : 0)
        bytes.appendBigEndian(UInt16(truncatingIfNeeded: scale))
        var index = count - 1
        while index >= lowest {
            bytes.appendBigEndian(groups[index])
            index -= 1
        }
    }

    /// Reads a number as fixed point.
    ///
    /// - Parameters:
    ///   - bytes: The binary form.
    ///   - scale: The decimals wanted, 0 to 18.
    /// - Returns: The number times 10^scale.
    /// - Throws: ``PostgresError`` of code `decoding` for NaN, the infinities, a number too large and one with more
    ///   decimals than wanted.
    static func decode(_ bytes: RawSpan, scale: Int) throws(PostgresError) -> Int64 {
        guard (0...maximalScale).contains(scale) else {
            throw PostgresError(.decoding, "a numeric is read at a scale outside 0 to 18", outcome: .failed)
        }
        let count = Int(try bytes.bigEndian(at: 0, as: UInt16.self))
        let weight = Int(try bytes.bigEndian(at: 2, as: Int16.self))
        let sign: UInt16 = try bytes.bigEndian(at: 4)
        guard sign == 0 || sign == negative else {
            throw PostgresError(.decoding, "a numeric is not a finite number", outcome: .failed)
        }
        try bytes.expect(count: 8 + 2 * count)
        var total: Int128 = 0
        for index in 0..<count {
            let digit = Int128(try bytes.bigEndian(at: 8 + 2 * index, as: UInt16.self))
            guard digit < 10_000 else {
                throw PostgresError(.decoding, "a numeric has a digit above 9999", outcome: .failed)
            }
            if digit == 0 { continue }
            let exponent = 4 * (weight - index) + scale
            if exponent >= 0 {
                // The first digit is at least 1, so beyond 10^19 no Int64 is left.
                guard exponent <= 19 else { throw tooLarge }
                total += digit * Int128(powerOfTen(exponent))
            } else {
                guard exponent > -4, digit % Int128(powerOfTen(-exponent)) == 0 else {
                    throw PostgresError(.decoding, "a numeric has more decimals than its type", outcome: .failed)
                }
                total += digit / Int128(powerOfTen(-exponent))
            }
        }
        guard let value = Int64(exactly: sign == negative ? -total : total) else { throw tooLarge }
        return value
    }

    private static var tooLarge: PostgresError {
        PostgresError(.decoding, "a numeric is too large for its type", outcome: .failed)
    }

    /// 10 to the power of 0 to 19, of which 19 fits in UInt64 alone.
    private static func powerOfTen(_ exponent: Int) -> UInt64 {
        var result: UInt64 = 1
        for _ in 0..<exponent { result *= 10 }
        return result
    }
}

/// The one rule by which the shop rounds: half away from zero, as PostgreSQL's `round(numeric)`.
package enum Rounding {
    /// The quotient rounded half away from zero.
    package static func divide(_ numerator: Int128, by denominator: Int128) -> Int128 {
        guard denominator > 0 else { return 0 }
        let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: denominator)
        // Compared as `remainder >= denominator - remainder`, so that doubling cannot overflow.
        let distance = Int128(remainder.magnitude)
        guard distance >= denominator - distance else { return quotient }
        return numerator < 0 ? quotient - 1 : quotient + 1
    }

    /// Ten to a power from 0 to 18, cut to that range.
    package static func power(_ exponent: Int) -> Int64 {
        var result: Int64 = 1
        for _ in 0..<min(max(exponent, 0), 18) { result *= 10 }
        return result
    }

    /// Ten to a power from 0 to 18 in 128 bits.
    package static func widePower(_ exponent: Int) -> Int128 { Int128(power(exponent)) }
}

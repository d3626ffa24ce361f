/// Decimal text to fixed-point integers and back, byte by byte and without loss.
package enum DecimalText {
    /// Reads `-?digits(.digits)?`, where a zero in front stands alone.
    ///
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - scale: The decimals the result counts.
    ///   - maximumDecimals: The decimals allowed in the text.
    ///   - largest: The largest magnitude allowed, in units of the result.
    /// - Returns: The value times `10^scale`.
    /// - Throws: ``NumberError``; nothing is ever rounded.
    package static func parse(
        _ bytes: some Collection<UInt8>,
        scale: Int,
        maximumDecimals: Int,
        largest: Int64
    ) throws(NumberError) -> Int64 {
        let minus = UInt8(ascii: "-")
        let point = UInt8(ascii: ".")
        var isNegative = false
        var magnitude: Int64 = 0
        var integerDigits = 0
        var decimals = 0
        var isBehindPoint = false
        var isFirst = true
        var overflowed = false
        var isPadded = false
        for byte in bytes {
            defer { isFirst = false }
            switch byte {
            case minus where isFirst:
                isNegative = true
            case point where !isBehindPoint && integerDigits > 0:
                isBehindPoint = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if isBehindPoint {
                    decimals += 1
                } else {
                    isPadded = isPadded || integerDigits > 0 && magnitude == 0 && !overflowed
                    integerDigits += 1
                }
                guard !isBehindPoint || decimals <= scale else { continue }
                let (tens, first) = magnitude.multipliedReportingOverflow(by: 10)
                let (next, second) = tens.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
                overflowed = overflowed || first || second
                magnitude = overflowed ? 0 : next
            default:
                throw .malformed
            }
        }
        if isFirst { throw .empty }
        guard !isPadded else { throw .leadingZero }
        guard integerDigits > 0, !isBehindPoint || decimals > 0 else { throw .malformed }
        let allowed = min(maximumDecimals, scale)
        guard decimals <= allowed else { throw .tooManyDecimals(allowed: allowed) }
        let (raw, last) = magnitude.multipliedReportingOverflow(by: Rounding.power(scale - decimals))
        guard !overflowed, !last, raw <= largest else { throw .outOfRange }
        return isNegative ? -raw : raw
    }

    /// Writes the shortest exact text with at least the decimals asked for.
    package static func format(_ rawValue: Int64, scale: Int, minimumDecimals: Int) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(24)
        var rest = rawValue.magnitude
        var written = 0
        var isCutting = true
        while rest > 0 || written <= scale {
            let digit = UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            let decimal = scale - written
            if decimal > 0 {
                // Behind the point, from the right: zeros are dropped until the first other digit or the minimum.
                if digit != 0 || decimal <= minimumDecimals { isCutting = false }
                if !isCutting { digits.append(UInt8(ascii: "0") + digit) }
                if decimal == 1, !isCutting { digits.append(UInt8(ascii: ".")) }
            } else {
                digits.append(UInt8(ascii: "0") + digit)
            }
            written += 1
        }
        if rawValue < 0 { digits.append(UInt8(ascii: "-")) }
        return String(decoding: digits.reversed(), as: UTF8.self)
    }
}

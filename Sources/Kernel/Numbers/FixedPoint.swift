/// A decimal number held as an `Int64` count of its smallest unit, `10^-scale`.
///
/// Every figure of the shop is one of these: no `Double` stands between a parser and a column (docs/numbers.md). The range is
/// that of the column, `numeric(18, scale)` unless a type says otherwise, so a value that exists here can be stored.
package protocol FixedPoint: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number of decimals the raw value counts.
    static var scale: Int { get }

    /// The largest magnitude the column can hold, in raw units.
    static var largestRawValue: Int64 { get }

    /// The value times `10^scale`.
    var rawValue: Int64 { get }

    /// Wraps a raw value known to be within the column's range.
    init(rawValue: Int64)
}

extension FixedPoint {
    /// The largest magnitude of a `numeric(18, n)` column, in raw units: eighteen nines.
    package static var largestRawValue: Int64 { 999_999_999_999_999_999 }

    /// Nothing of it.
    package static var zero: Self { Self(rawValue: 0) }

    /// Whether the value is below zero.
    package var isNegative: Bool { rawValue < 0 }

    /// Whether the value is zero.
    package var isZero: Bool { rawValue == 0 }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// Wraps a raw value, checking that the column can hold it.
    ///
    /// - Parameter rawValue: The value times `10^scale`, from arithmetic that may have left the range.
    /// - Throws: ``NumberError/outOfRange`` if it does not fit.
    package init(checking rawValue: Int128) throws(NumberError) {
        guard rawValue.magnitude <= UInt128(Self.largestRawValue), let narrow = Int64(exactly: rawValue) else {
            throw .outOfRange
        }
        self.init(rawValue: narrow)
    }

    /// Reads decimal text exactly: an optional minus, digits, and at most one point between digits.
    ///
    /// - Parameters:
    ///   - text: ASCII digits; no exponent form, no plus, no white space, no thousands separators, no zeros in front.
    ///   - maximumDecimals: How many decimals the context allows, at most ``scale``; further ones are refused even if zero.
    /// - Throws: ``NumberError`` saying what is wrong.
    package init(_ text: some StringProtocol, maximumDecimals: Int = Self.scale) throws(NumberError) {
        self.init(
            rawValue: try DecimalText.parse(
                text.utf8,
                scale: Self.scale,
                maximumDecimals: maximumDecimals,
                largest: Self.largestRawValue
            )
        )
    }

    /// Reads decimal text from UTF-8 bytes.
    ///
    /// - Parameters:
    ///   - bytes: As for the reading of a string.
    ///   - maximumDecimals: How many decimals the context allows, at most ``scale``.
    /// - Throws: ``NumberError`` saying what is wrong.
    package init(utf8 bytes: some Collection<UInt8>, maximumDecimals: Int = Self.scale) throws(NumberError) {
        self.init(
            rawValue: try DecimalText.parse(
                bytes,
                scale: Self.scale,
                maximumDecimals: maximumDecimals,
                largest: Self.largestRawValue
            )
        )
    }

    /// The sum, if the column can hold it.
    ///
    /// Throws ``NumberError/outOfRange``.
    package func adding(_ other: Self) throws(NumberError) -> Self {
        try Self(checking: Int128(rawValue) + Int128(other.rawValue))
    }

    /// The difference, if the column can hold it.
    ///
    /// Throws ``NumberError/outOfRange``.
    package func subtracting(_ other: Self) throws(NumberError) -> Self {
        try Self(checking: Int128(rawValue) - Int128(other.rawValue))
    }

    /// The value with its sign changed.
    package var negated: Self { Self(rawValue: -rawValue) }

    /// Whether no digit stands behind the given decimal.
    package func fits(decimals: Int) -> Bool {
        guard decimals < Self.scale else { return true }
        return rawValue % Rounding.power(Self.scale - max(decimals, 0)) == 0
    }

    /// The value rounded half away from zero to fewer decimals, kept at its scale.
    ///
    /// Throws ``NumberError/outOfRange`` if rounding up leaves the column's range.
    package func rounded(to decimals: Int) throws(NumberError) -> Self {
        guard decimals < Self.scale else { return self }
        let unit = Int128(Rounding.power(Self.scale - max(decimals, 0)))
        return try Self(checking: Rounding.divide(Int128(rawValue), by: unit) * unit)
    }

    /// The decimal text with exactly so many decimals, cutting none that is not zero.
    package func text(minimumDecimals: Int = 0) -> String {
        DecimalText.format(rawValue, scale: Self.scale, minimumDecimals: minimumDecimals)
    }

    /// The shortest exact decimal text.
    package var description: String { text() }
}

/// Why a number was refused.
package enum NumberError: Error, Sendable, Hashable {
    /// No text at all.
    case empty
    /// Not digits with at most one point; `1e3`, `+1`, `1,5`, `.5` and `5.` are of this kind.
    case malformed
    /// A zero before other digits, as in `010.00`: an amount that somebody may have meant otherwise.
    case leadingZero
    /// More decimals than the context allows, which is carried.
    case tooManyDecimals(allowed: Int)
    /// More than the column holds.
    case outOfRange
}

extension NumberError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "is empty"
        case .malformed: "is not a decimal number like \"12.50\""
        case .leadingZero: "begins with a zero before other digits; write \"10.00\", not \"010.00\""
        case .tooManyDecimals(let allowed): "has more than \(allowed) decimals"
        case .outOfRange: "is too large"
        }
    }
}

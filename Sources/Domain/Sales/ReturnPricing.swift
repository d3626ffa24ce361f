package import Kernel

/// What a returned part of a sold line is worth.
package enum ReturnPricing {
    /// `round(line.total * returned so far / quantity, e)` less earlier returns, so that the parts sum to the whole.
    ///
    /// - Parameters:
    ///   - total: What the line cost.
    ///   - sold: The line's quantity, above zero.
    ///   - returnedBefore: What earlier returns took back.
    ///   - amountBefore: What earlier returns were worth.
    ///   - returned: What this one takes back.
    ///   - exponent: The currency's decimals.
    /// - Returns: What this return is worth.
    /// - Throws: ``NumberError/outOfRange`` if more comes back than was sold.
    package static func amount(
        total: Money,
        sold: Quantity,
        returnedBefore: Quantity,
        amountBefore: Money,
        returned: Quantity,
        exponent: Int
    ) throws(NumberError) -> Money {
        let soFar = try returnedBefore.adding(returned)
        guard sold.rawValue > 0, soFar <= sold else { throw .outOfRange }
        let unit = Int128(Money.smallestUnit(exponent: exponent).rawValue)
        let whole = Rounding.divide(
            Int128(total.rawValue) * Int128(soFar.rawValue),
            by: Int128(sold.rawValue) * unit
        )
        return try Money(checking: whole * unit - Int128(amountBefore.rawValue))
    }
}

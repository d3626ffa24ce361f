/// An amount in the tenant's currency, `numeric(18,4)`, kept at the currency's exponent.
package struct Money: FixedPoint {
    package static let scale = 4
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// The smallest amount with so many decimals, such as 0.01.
    package static func smallestUnit(exponent: Int) -> Money {
        Money(rawValue: Rounding.power(scale - exponent))
    }

    /// The text with exactly the currency's decimals, as every body shows an amount.
    package func text(in currency: Currency) -> String {
        text(minimumDecimals: currency.exponent)
    }
}

/// A unit price or cost, `numeric(18,6)`, never below zero.
package struct Price: FixedPoint {
    package static let scale = 6
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// The text with at least the currency's decimals and at most six.
    package func text(in currency: Currency) -> String {
        text(minimumDecimals: currency.exponent)
    }

    /// The price of a quantity, rounded to the currency: the `gross` of a line (docs/numbers.md).
    ///
    /// Throws ``NumberError/outOfRange`` if the amount does not fit a column.
    package func times(_ quantity: Quantity, exponent: Int) throws(NumberError) -> Money {
        // Scale 6 times scale 6 is 12; the amount counts `exponent` decimals and is kept at four.
        let product = Int128(rawValue) * Int128(quantity.rawValue)
        let rounded = Rounding.divide(product, by: Rounding.widePower(12 - exponent))
        return try Money(checking: rounded * Rounding.widePower(Money.scale - exponent))
    }
}

/// How much of a product, `numeric(18,6)`, in its unit of measure.
package struct Quantity: FixedPoint {
    package static let scale = 6
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A tax rate in percent, `numeric(7,4)`: "21" is twenty-one percent.
package struct TaxRate: FixedPoint {
    package static let scale = 4
    package static let largestRawValue: Int64 = 9_999_999
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// The tax contained in an amount that includes it: `net - round(net / (1 + rate/100), e)`.
    ///
    /// Throws ``NumberError/outOfRange``.
    package func included(in amount: Money, exponent: Int) throws(NumberError) -> Money {
        let hundredPercent: Int128 = 1_000_000
        let unit = Rounding.widePower(Money.scale - exponent)
        let without = Rounding.divide(
            Int128(amount.rawValue) * hundredPercent,
            by: (hundredPercent + Int128(rawValue)) * unit
        )
        return try Money(checking: Int128(amount.rawValue) - without * unit)
    }

    /// The tax to add to an amount without it: `round(net * rate/100, e)`.
    ///
    /// Throws ``NumberError/outOfRange``.
    package func added(to amount: Money, exponent: Int) throws(NumberError) -> Money {
        let unit = Rounding.widePower(Money.scale - exponent)
        let tax = Rounding.divide(Int128(amount.rawValue) * Int128(rawValue), by: 1_000_000 * unit)
        return try Money(checking: tax * unit)
    }
}

/// A share in percent with two decimals, `numeric(5,2)`, from 0 to 100.
package struct Percent: FixedPoint {
    package static let scale = 2
    package static let largestRawValue: Int64 = 10_000
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// The share of an amount, both in raw units of ``Money``, rounded to the currency.
    ///
    /// - Parameters:
    ///   - amount: The whole.
    ///   - exponent: The decimals of the currency.
    /// - Returns: The share.
    package func share(of amount: Int128, exponent: Int) -> Int128 {
        let unit = Rounding.widePower(Money.scale - exponent)
        return Rounding.divide(amount * Int128(rawValue), by: 10_000 * unit) * unit
    }
}

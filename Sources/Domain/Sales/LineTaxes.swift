package import Kernel

/// How a tax follows from a line.
package enum TaxKind: String, Sendable, CaseIterable {
    /// A share of an amount.
    case percent
    /// An amount for each unit of the quantity, as on what is sold by the bottle or the litre.
    case amountPerUnit = "amount_per_unit"
}

/// One tax of a line.
package struct LineTax: Sendable, Equatable {
    /// What it is called.
    package let name: String

    /// How it follows from the line.
    package let kind: TaxKind

    /// Percent, or an amount for one unit; never below zero.
    package let rate: Price

    /// Whether its base contains the taxes before it.
    package let isCompound: Bool

    /// Makes a tax.
    package init(name: String, kind: TaxKind = .percent, rate: Price, isCompound: Bool = false) {
        self.name = name
        self.kind = kind
        self.rate = rate
        self.isCompound = isCompound
    }
}

/// What one tax comes to on a line.
package struct LineTaxPart: Sendable, Equatable {
    /// The tax.
    package let tax: LineTax

    /// What the rate was applied to.
    package let base: Base

    /// What it comes to.
    package let amount: Money

    /// What a rate is applied to.
    package enum Base: Sendable, Equatable {
        /// An amount, of which a percentage is a share.
        case amount(Money)
        /// A quantity, each unit of which bears an amount.
        case quantity(Quantity)
    }
}

/// The taxes of a line in their order: all of them contained in its price, or all added to it.
///
/// Each tax is `a * X + b` of what the line comes to without taxes, `X`: of a percentage `a` is the rate, of an amount per unit `b`
/// is the rate times the quantity, and a compound one takes its share of the `a` and `b` before it. Taxes that are contained leave
/// `X = (net - sum of b) / (1 + sum of a)`. Factors have twelve decimals, which is exact for a tax on a tax. All else is integers;
/// `stock.line_taxes` computes the same in the database, and a test holds the two against each other.
package struct LineTaxes: Sendable, Equatable {
    /// The taxes.
    package let taxes: [LineTax]

    /// Whether prices contain them; nil as the tenant's prices do.
    package let isIncluded: Bool?

    /// Makes the taxes of a line.
    package init(_ taxes: [LineTax], isIncluded: Bool?) {
        self.taxes = taxes
        self.isIncluded = isIncluded
    }

    /// Computes the taxes.
    ///
    /// - Parameters:
    ///   - net: What the line comes to after its discounts, a whole number of the currency's smallest units, not negative.
    ///   - quantity: How much is sold, not negative.
    ///   - exponent: The decimals of the currency.
    ///   - isIncluded: Whether `net` contains the taxes.
    /// - Returns: A part for each tax, which add up to the line's tax exactly: whole smallest units by largest remainder, ties by
    ///   position.
    /// - Throws: ``NumberError/outOfRange`` if a figure fits no column, or is so large that it cannot be computed exactly.
    package func parts(
        of net: Money,
        quantity: Quantity,
        exponent: Int,
        isIncluded: Bool
    ) throws(NumberError) -> [LineTaxPart] {
        let one = Rounding.widePower(12)
        let smallest = Rounding.widePower(12 - exponent)
        let unit = Rounding.widePower(Money.scale - exponent)
        let amount = Int128(net.rawValue) * Rounding.widePower(12 - Money.scale)
        let factors = try factors(quantity)
        let (shares, added) = (one + factors.sum.share, factors.sum.added)
        // The parts over one denominator, the sum of taxes and what remains without them, in smallest units.
        var numerators: [Int128] = []
        let denominator: Int128
        let (whole, rest): (Int128, Int128)
        if !isIncluded {
            denominator = try one.times(smallest)
            for factor in factors.all {
                numerators.append(try factor.share.times(amount).plus(factor.added.times(one)))
            }
            var sum: Int128 = 0
            for numerator in numerators { sum = try sum.plus(numerator) }
            (whole, rest) = (Rounding.divide(sum, by: denominator), Int128(net.rawValue) / unit)
        } else if added > amount {
            // Amounts per unit that alone are more than the line comes to share it.
            denominator = try added.times(smallest)
            for factor in factors.all { numerators.append(try factor.added.times(amount)) }
            (whole, rest) = (Int128(net.rawValue) / unit, 0)
        } else {
            denominator = try shares.times(smallest)
            for factor in factors.all {
                numerators.append(try factor.share.times(amount - added).plus(factor.added.times(shares)))
            }
            let without = Rounding.divide(try (amount - added).times(one), by: denominator)
            (whole, rest) = (Int128(net.rawValue) / unit - without, without)
        }
        var units: [Int128] = []
        var remainders: [(position: Int, remainder: Int128)] = []
        var left = whole
        for (position, numerator) in numerators.enumerated() {
            let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: denominator)
            units.append(quotient)
            remainders.append((position, remainder))
            left -= quotient
        }
        remainders.sort { ($1.remainder, $0.position) < ($0.remainder, $1.position) }
        for (position, _) in remainders {
            guard left > 0 else { break }
            units[position] += 1
            left -= 1
        }
        var parts: [LineTaxPart] = []
        parts.reserveCapacity(taxes.count)
        var before: Int128 = 0
        for (tax, share) in zip(taxes, units) {
            let base: LineTaxPart.Base =
                switch tax.kind {
                case .percent: .amount(try Money(checking: (tax.isCompound ? rest + before : rest).times(unit)))
                case .amountPerUnit: .quantity(quantity)
                }
            parts.append(LineTaxPart(tax: tax, base: base, amount: try Money(checking: share.times(unit))))
            before += share
        }
        return parts
    }

    /// What a tax is of a line, with twelve decimals: a share of what it comes to without taxes, and what is added to that.
    private struct Factor {
        var share: Int128
        var added: Int128
    }

    private func factors(_ quantity: Quantity) throws(NumberError) -> (all: [Factor], sum: Factor) {
        let one = Rounding.widePower(12)
        // A rate has six decimals of a percent.
        let hundred = Rounding.widePower(8)
        var all: [Factor] = []
        var sum = Factor(share: 0, added: 0)
        for tax in taxes {
            let rate = Int128(tax.rate.rawValue)
            let factor =
                switch tax.kind {
                case .percent where tax.isCompound:
                    Factor(
                        share: Rounding.divide(try rate.times(one.plus(sum.share)), by: hundred),
                        added: Rounding.divide(try rate.times(sum.added), by: hundred)
                    )
                case .percent: Factor(share: Rounding.divide(try rate.times(one), by: hundred), added: 0)
                case .amountPerUnit: Factor(share: 0, added: try rate.times(Int128(quantity.rawValue)))
                }
            all.append(factor)
            sum = Factor(share: try sum.share.plus(factor.share), added: try sum.added.plus(factor.added))
        }
        return (all, sum)
    }
}

extension Int128 {
    /// The product, if it can be held.
    fileprivate func times(_ other: Int128) throws(NumberError) -> Int128 {
        let (product, overflows) = multipliedReportingOverflow(by: other)
        guard !overflows else { throw .outOfRange }
        return product
    }

    /// The sum, if it can be held.
    fileprivate func plus(_ other: Int128) throws(NumberError) -> Int128 {
        let (sum, overflows) = addingReportingOverflow(other)
        guard !overflows else { throw .outOfRange }
        return sum
    }
}

package import Kernel

/// How a tenant's prices turn into amounts.
package struct PricingRules: Sendable, Equatable {
    /// The decimals of the currency, 0 to 4.
    package var exponent: Int

    /// Whether prices contain the tax.
    package var pricesIncludeTax: Bool

    /// Makes the rules.
    package init(exponent: Int, pricesIncludeTax: Bool) {
        self.exponent = exponent
        self.pricesIncludeTax = pricesIncludeTax
    }
}

/// A line before its amounts are known.
package struct LineToPrice: Sendable, Equatable {
    /// How much is sold, above zero.
    package var quantity: Quantity

    /// The price of one unit.
    package var unitPrice: Price

    /// How it was asked for, if not by the unit; what has a price makes the line's amount.
    package var packed: PackedLine?

    /// The line's own discount, an amount.
    package var discount: Money

    /// The tax of the product, in percent.
    package var taxRate: TaxRate

    /// The taxes of the product, if they are others than ``taxRate`` alone.
    package var taxes: LineTaxes?

    /// The decimals of the product's unit of measure.
    package var unitDecimals: Int

    /// Makes a line.
    package init(
        quantity: Quantity,
        unitPrice: Price,
        packed: PackedLine? = nil,
        discount: Money = .zero,
        taxRate: TaxRate = .zero,
        taxes: LineTaxes? = nil,
        unitDecimals: Int = 6
    ) {
        self.quantity = quantity
        self.unitPrice = unitPrice
        self.packed = packed
        self.discount = discount
        self.taxRate = taxRate
        self.taxes = taxes
        self.unitDecimals = unitDecimals
    }
}

/// A line with its amounts (docs/numbers.md).
package struct PricedLine: Sendable, Equatable {
    /// `round(quantity * unit_price, e)`, of packagings and what one of them costs where they have a price.
    package let gross: Money

    /// The line's own discount.
    package let discount: Money

    /// The line's share of the document's discount.
    package let documentDiscount: Money

    /// The tax contained in or added to what remains.
    package let tax: Money

    /// What the line costs, tax included.
    package let total: Money

    /// What each tax comes to; nil where the line has one rate alone, whose base is ``total`` less ``tax``.
    package let taxes: [LineTaxPart]?
}

/// A sale with its amounts: every figure is the sum of its lines.
package struct PricedSale: Sendable, Equatable {
    /// The lines, in their order.
    package let lines: [PricedLine]

    /// The sum of gross amounts.
    package let subtotal: Money

    /// The sum of both kinds of discount.
    package let discount: Money

    /// The sum of taxes.
    package let tax: Money

    /// The sum of totals.
    package let total: Money

    /// Prices a sale.
    ///
    /// - Parameters:
    ///   - lines: The lines, in their order.
    ///   - documentDiscount: A discount on the whole, spread over the lines.
    ///   - rules: The tenant's.
    /// - Throws: 422 `quantity_precision` if only quantities have too many decimals, else 422 `validation_failed` with every
    ///   fault: discounts above what they reduce, amounts beyond the exponent, figures no column holds.
    package init(lines: [LineToPrice], documentDiscount: Money = .zero, rules: PricingRules) throws(Problem) {
        var errors: [FieldError] = []
        var imprecise: [FieldError] = []
        var gross: [Money] = []
        var remaining: [Money] = []
        for (index, line) in lines.enumerated() {
            let pointer = "/lines/\(index)"
            if line.quantity.rawValue <= 0 {
                errors.append(FieldError("\(pointer)/quantity", .outOfRange, "Must be greater than 0."))
            } else if !line.quantity.fits(decimals: line.unitDecimals) {
                imprecise.append(
                    FieldError(
                        "\(pointer)/quantity",
                        .quantityPrecision,
                        "Must have at most \(line.unitDecimals) decimals, as the product's unit has."
                    )
                )
            }
            if line.unitPrice.isNegative {
                errors.append(FieldError("\(pointer)/unit_price", .outOfRange, "Must be 0 or more."))
            }
            let amount: Money
            do throws(NumberError) {
                if let packed = line.packed, let price = packed.price {
                    amount = try price.times(packed.quantity, exponent: rules.exponent)
                } else {
                    amount = try line.unitPrice.times(line.quantity, exponent: rules.exponent)
                }
            } catch {
                errors.append(.outOfRange("\(pointer)/quantity", "Quantity times price"))
                amount = .zero
            }
            if line.discount.isNegative {
                errors.append(FieldError("\(pointer)/discount", .outOfRange, "Must be 0 or more."))
            } else if !line.discount.fits(decimals: rules.exponent) {
                errors.append(.tooManyDecimals("\(pointer)/discount", rules.exponent))
            } else if line.discount > amount {
                let told = amount.text(minimumDecimals: rules.exponent)
                errors.append(
                    FieldError("\(pointer)/discount", .outOfRange, "Must be at most the line's amount of \(told).")
                )
            }
            gross.append(amount)
            remaining.append(Money(rawValue: max(amount.rawValue - max(line.discount.rawValue, 0), 0)))
        }
        if documentDiscount.isNegative {
            errors.append(FieldError("/discount", .outOfRange, "Must be 0 or more."))
        } else if !documentDiscount.fits(decimals: rules.exponent) {
            errors.append(.tooManyDecimals("/discount", rules.exponent))
        }
        guard errors.isEmpty else {
            throw Problem(.validationFailed, "Some lines are not valid.", errors: errors + imprecise)
        }
        guard imprecise.isEmpty else {
            throw Problem(.quantityPrecision, "Some quantities have more decimals than their units.", errors: imprecise)
        }
        let shares = try DiscountSpread.shares(of: documentDiscount, over: remaining, exponent: rules.exponent)
        do throws(NumberError) {
            var priced: [PricedLine] = []
            priced.reserveCapacity(lines.count)
            var sums = (subtotal: Money.zero, discount: Money.zero, tax: Money.zero, total: Money.zero)
            for (index, line) in lines.enumerated() {
                let net = try remaining[index].subtracting(shares[index])
                let tax: Money
                let total: Money
                var parts: [LineTaxPart]?
                if let taxes = line.taxes {
                    let isIncluded = taxes.isIncluded ?? rules.pricesIncludeTax
                    let computed = try taxes.parts(
                        of: net,
                        quantity: line.quantity,
                        exponent: rules.exponent,
                        isIncluded: isIncluded
                    )
                    var sum = Money.zero
                    for part in computed { sum = try sum.adding(part.amount) }
                    tax = sum
                    total = isIncluded ? net : try net.adding(tax)
                    parts = computed
                } else if rules.pricesIncludeTax {
                    tax = try line.taxRate.included(in: net, exponent: rules.exponent)
                    total = net
                } else {
                    tax = try line.taxRate.added(to: net, exponent: rules.exponent)
                    total = try net.adding(tax)
                }
                sums.subtotal = try sums.subtotal.adding(gross[index])
                sums.discount = try sums.discount.adding(line.discount).adding(shares[index])
                sums.tax = try sums.tax.adding(tax)
                sums.total = try sums.total.adding(total)
                priced.append(
                    PricedLine(
                        gross: gross[index],
                        discount: line.discount,
                        documentDiscount: shares[index],
                        tax: tax,
                        total: total,
                        taxes: parts
                    )
                )
            }
            self.lines = priced
            subtotal = sums.subtotal
            discount = sums.discount
            tax = sums.tax
            total = sums.total
        } catch {
            throw Problem(
                .validationFailed,
                "The sale is larger than any sale can be.",
                errors: [.outOfRange("/lines", "The sum of the lines")]
            )
        }
    }
}

/// Spreads a document's discount over its lines.
package enum DiscountSpread {
    /// Shares in proportion to what each line has left: largest remainder in the smallest unit, ties by position.
    ///
    /// The shares sum to the discount exactly and none exceeds what its line has left.
    ///
    /// - Parameters:
    ///   - discount: An amount at the exponent, not negative.
    ///   - remaining: What each line has left, not negative.
    ///   - exponent: The currency's decimals.
    /// - Returns: One share per line.
    /// - Throws: 422 `validation_failed` at `/discount` if it exceeds the sum of what is left.
    package static func shares(
        of discount: Money,
        over remaining: [Money],
        exponent: Int
    ) throws(Problem) -> [Money] {
        guard discount.rawValue > 0 else { return Array(repeating: .zero, count: remaining.count) }
        let sum = remaining.reduce(Int128(0)) { $0 + Int128($1.rawValue) }
        guard Int128(discount.rawValue) <= sum else {
            throw Problem(
                .validationFailed,
                "The discount is larger than what it reduces.",
                errors: [FieldError("/discount", .outOfRange, "Must be at most what the lines leave.")]
            )
        }
        let unit = Int128(Money.smallestUnit(exponent: exponent).rawValue)
        // Whole smallest units first; their sum falls short by fewer units than there are lines.
        var units: [Int128] = []
        var remainders: [(position: Int, remainder: Int128)] = []
        var left = Int128(discount.rawValue) / unit
        for (position, amount) in remaining.enumerated() {
            let (quotient, remainder) = (Int128(discount.rawValue) * Int128(amount.rawValue))
                .quotientAndRemainder(dividingBy: sum * unit)
            units.append(quotient)
            left -= quotient
            remainders.append((position, remainder))
        }
        remainders.sort { ($1.remainder, $0.position) < ($0.remainder, $1.position) }
        for (position, _) in remainders {
            guard left > 0 else { break }
            // A line with nothing beyond its share cannot take more than it has left.
            guard (units[position] + 1) * unit <= Int128(remaining[position].rawValue) else { continue }
            units[position] += 1
            left -= 1
        }
        return units.map { Money(rawValue: Int64($0 * unit)) }
    }
}

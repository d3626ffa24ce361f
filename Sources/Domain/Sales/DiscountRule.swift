package import Kernel

/// How far below the list price a sale may be sold.
///
/// Held against amounts, not against the fields of a request: whether a line became cheaper by its price or by a discount
/// is the same to the shop. What a line is above its list price makes up for nothing.
///
/// Each line is held against its own list price, where the share is rounded as amounts are; and all lines are held together, so
/// that many lines cannot add up what rounding gives to one: half a cent off ten cents is a cent, which of a thousand such lines is
/// twice the limit. What rounding gives is borne up to a hundredth of the list prices, as tills round their shares by the line.
package struct DiscountRule: Sendable, Equatable {
    /// Percent off the list price.
    package var limit: Percent

    /// The decimals of the currency, 0 to 4.
    package var exponent: Int

    /// Makes a rule.
    ///
    /// - Parameters:
    ///   - limit: Percent off the list price.
    ///   - exponent: The decimals of the currency.
    package init(limit: Percent, exponent: Int) {
        self.limit = limit
        self.exponent = exponent
    }

    /// A line as it stands in the catalogue.
    package struct ListedLine: Sendable, Equatable {
        package var price: Price
        package var quantity: Quantity

        /// Makes a line.
        ///
        /// - Parameters:
        ///   - price: The product's own price.
        ///   - quantity: How much is sold.
        package init(price: Price, quantity: Quantity) {
            self.price = price
            self.quantity = quantity
        }
    }

    /// What goes further below the list price than the limit allows.
    ///
    /// - Parameters:
    ///   - sale: The sale as it was priced.
    ///   - documentDiscount: The discount on the whole.
    ///   - listed: The same lines at their list prices.
    /// - Returns: One error per line; one for all together, if no line by itself is too cheap; none if the sale may be sold.
    package func faults(in sale: PricedSale, documentDiscount: Money, listed: [ListedLine]) -> [FieldError] {
        var errors: [FieldError] = []
        // Raw units of Money.
        var listTotal: Int128 = 0
        var reduction = Int128(documentDiscount.rawValue)
        var givenByRounding: Int128 = 0
        // What lines are worth of which neither is anything, their amounts by the list nor what is paid.
        var vanished: Int128 = 0
        for (index, (line, list)) in zip(sale.lines, listed).enumerated() {
            let amount = self.amount(of: Self.worth(of: list))
            let paid = Int128(line.gross.rawValue) - Int128(line.discount.rawValue)
            if amount == 0, paid == 0 { vanished += Self.worth(of: list) }
            let below = amount - paid
            let share = limit.share(of: amount, exponent: self.exponent)
            listTotal += amount
            reduction += max(below, 0)
            givenByRounding += max(min(below, share) - limit.share(of: amount, exponent: Money.scale), 0)
            guard below > share else { continue }
            let field = line.discount.isZero ? "unit_price" : "discount"
            errors.append(
                FieldError(
                    "/lines/\(index)/\(field)",
                    .discountLimit,
                    "At most \(limit) % off the list price of \(list.price.text(minimumDecimals: self.exponent)).",
                    extra: [
                        ("limit", "\"\(limit)\""),
                        ("list_price", "\"\(list.price.text(minimumDecimals: self.exponent))\""),
                    ]
                )
            )
        }
        // Nothing is paid for them, and together they may be worth any amount.
        let unpaid = self.amount(of: vanished)
        listTotal += unpaid
        reduction += unpaid
        let allowed =
            limit.share(of: listTotal, exponent: self.exponent) + min(givenByRounding, listTotal / 100)
        if errors.isEmpty, reduction > allowed {
            errors.append(
                FieldError(
                    documentDiscount.isZero ? "/lines" : "/discount",
                    .discountLimit,
                    "At most \(limit) % off the list prices of all lines together.",
                    extra: [("limit", "\"\(limit)\"")]
                )
            )
        }
        return errors
    }

    /// What a line is worth at its list price, in 10^-12 of the currency; wide, as it may be more than a sale can hold.
    private static func worth(of line: ListedLine) -> Int128 {
        Int128(line.price.rawValue) * Int128(line.quantity.rawValue)
    }

    /// A worth as an amount of the currency, in raw units of ``Money``.
    private func amount(of worth: Int128) -> Int128 {
        Rounding.divide(worth, by: Rounding.widePower(12 - exponent))
            * Rounding.widePower(Money.scale - exponent)
    }
}

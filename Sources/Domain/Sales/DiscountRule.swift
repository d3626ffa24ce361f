package import Kernel

/// How far below the list price a sale may be sold.
///
/// Held against amounts, not against the fields of a request: whether a line became cheaper by its price or by a discount
/// is the same to the shop. What a line is above its list price makes up for nothing.
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
    /// - Returns: One error per line, and one for the discount on the whole; none if the sale may be sold.
    package func faults(in sale: PricedSale, documentDiscount: Money, listed: [ListedLine]) -> [FieldError] {
        var errors: [FieldError] = []
        var listTotal: Int128 = 0
        var reduction = Int128(documentDiscount.rawValue)
        for (index, (line, list)) in zip(sale.lines, listed).enumerated() {
            let amount = self.gross(of: list)
            let below = amount - (Int128(line.gross.rawValue) - Int128(line.discount.rawValue))
            listTotal += amount
            reduction += max(below, 0)
            guard below > self.limit.share(of: amount, exponent: self.exponent) else { continue }
            let field = line.discount.isZero ? "unit_price" : "discount"
            errors.append(
                FieldError(
                    "/lines/\(index)/\(field)",
                    "discount_limit",
                    "At most \(self.limit) % off the list price of \(list.price.text(minimumDecimals: self.exponent)).",
                    extra: [
                        ("limit", "\"\(self.limit)\""),
                        ("list_price", "\"\(list.price.text(minimumDecimals: self.exponent))\""),
                    ]
                )
            )
        }
        let allowed = self.limit.share(of: listTotal, exponent: self.exponent)
        if errors.isEmpty, !documentDiscount.isZero, reduction > allowed {
            errors.append(
                FieldError(
                    "/discount",
                    "discount_limit",
                    "At most \(self.limit) % off the list prices of all lines together.",
                    extra: [("limit", "\"\(self.limit)\"")]
                )
            )
        }
        return errors
    }

    /// The amount of a line at its list price, in raw units of ``Money``; wide, as it may be more than a sale can hold.
    private func gross(of line: ListedLine) -> Int128 {
        let product = Int128(line.price.rawValue) * Int128(line.quantity.rawValue)
        return Rounding.divide(product, by: Rounding.widePower(12 - self.exponent))
            * Rounding.widePower(Money.scale - self.exponent)
    }
}

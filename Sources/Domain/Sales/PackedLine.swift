package import Kernel

/// How a line of a document was asked for, where not by the product's unit: so many of a packaging, or of a label that says what it
/// costs.
///
/// With a price the line comes to `quantity × price`, exactly: a thousand boxes of 100.00 are 100,000.00, whatever a piece of
/// them is rounded to.
package struct PackedLine: Sendable, Hashable {
    /// What the packaging is called; nil for what is none.
    package let name: String?

    /// How many of it.
    package let quantity: Quantity

    /// What one of it costs; what its units cost if nil.
    package let price: Price?

    /// Makes it.
    package init(name: String?, quantity: Quantity, price: Price?) {
        self.name = name
        self.quantity = quantity
        self.price = price
    }
}

/// A product as a packaging or a code names it: what one of that is, in the product's unit and in money.
package struct PackedGoods: Sendable, Hashable {
    /// What the packaging is called; nil for the product itself.
    package var packaging: String?
    /// How many of the product's unit are in one.
    package var factor: Quantity
    /// What one is listed at; what its units cost if nil.
    package var listPrice: Price?

    /// A packaging, or the product itself.
    ///
    /// - Parameters:
    ///   - packaging: What it is called; nil for the product itself.
    ///   - factor: How many of the product's unit are in one.
    ///   - listPrice: What one is listed at; what its units cost if nil.
    package init(packaging: String? = nil, factor: Quantity, listPrice: Price? = nil) {
        self.packaging = packaging
        self.factor = factor
        self.listPrice = listPrice
    }

    /// What a label says, which may be how much there is, what that costs, or both.
    ///
    /// Where it says the price alone, there is as much as that buys; of what is sold by whole pieces it is one.
    ///
    /// - Parameters:
    ///   - quantity: How much there is.
    ///   - amount: What that costs.
    ///   - unitPrice: What one unit is listed at.
    ///   - decimals: How many decimals a quantity may have.
    /// - Throws: `out_of_range`, if nothing can be had for the price.
    package init(
        quantity: Quantity?,
        amount: Money?,
        unitPrice: Price,
        decimals: Int
    ) throws(ReadingFault) {
        packaging = nil
        do throws(NumberError) {
            let one = try Quantity("1")
            listPrice = try amount.map { (amount) throws(NumberError) in
                try Price(checking: Int128(amount.rawValue) * Rounding.widePower(Price.scale - Money.scale))
            }
            switch (quantity, listPrice) {
            case (let quantity?, _): factor = quantity
            case (nil, nil): factor = one
            case (nil, .some) where decimals == 0: factor = one
            case (nil, let listPrice?):
                guard !unitPrice.isZero else { throw NumberError.outOfRange }
                let units = Rounding.divide(
                    Int128(listPrice.rawValue) * Rounding.widePower(decimals),
                    by: Int128(unitPrice.rawValue)
                )
                factor = try Quantity(checking: units * Rounding.widePower(Quantity.scale - decimals))
            }
            guard !factor.isZero else { throw NumberError.outOfRange }
        } catch {
            throw ReadingFault(.outOfRange, "The price in the code is none that the product could have.")
        }
    }

    /// How many of the product's unit so many of it are.
    ///
    /// - Parameter count: How many.
    /// - Returns: The quantity.
    /// - Throws: `quantity_precision` if that is more decimals than any quantity has, `out_of_range` if it is more than there can be.
    package func units(of count: Quantity) throws(ReadingFault) -> Quantity {
        let one = Rounding.widePower(Quantity.scale)
        let (units, rest) = (Int128(count.rawValue) * Int128(factor.rawValue)).quotientAndRemainder(dividingBy: one)
        guard rest == 0 else {
            throw ReadingFault(
                .quantityPrecision,
                "Must be a quantity of the product, \(factor.text()) of which are in one."
            )
        }
        do throws(NumberError) {
            return try Quantity(checking: units)
        } catch {
            throw ReadingFault(.outOfRange, "Must be a quantity that can be counted.")
        }
    }

    /// What one unit costs, if so many of it cost so much each.
    ///
    /// - Parameter price: What one of it costs.
    /// - Returns: The price of a unit, with six decimals.
    /// - Throws: `out_of_range`, if it is more than a price can be.
    package func unitPrice(at price: Price) throws(ReadingFault) -> Price {
        do throws(NumberError) {
            return try Price(
                checking: Rounding.divide(
                    Int128(price.rawValue) * Rounding.widePower(Quantity.scale),
                    by: Int128(factor.rawValue)
                )
            )
        } catch {
            throw ReadingFault(.outOfRange, "A unit of it would cost more than can be counted.")
        }
    }
}

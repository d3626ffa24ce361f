package import Domain
package import Kernel

/// A product as a request names it.
package enum ProductReference: Sendable, Hashable {
    /// By its id.
    case id(ProductID)
    /// By its SKU, whose case does not count.
    case sku(String)
    /// By one of its packagings.
    case packaging(PackagingID)
    /// By a code, as it was scanned or typed.
    case code(ProductCode)
    /// By a packaging or a code that was found to be this.
    indirect case found(NamedGoods)
}

/// How a line that was put away was asked for, where not by the product's unit.
package struct KeptPacking: Sendable, Equatable {
    /// How many of what, at which price.
    package let packed: PackedLine

    /// What the packaging of that name costs now; nil if there is none any more, or it costs what its units do.
    package let listPrice: Price?

    /// What one of it cost when it was put away and what it costs now, if they differ.
    ///
    /// A packaging without a price of its own, as one that is not there any more, costs what its units do. A label keeps the price
    /// that it says.
    ///
    /// - Parameters:
    ///   - quantity: How much the line is in units.
    ///   - seenPrice: What a unit cost when it was put away.
    ///   - unitPrice: What a unit costs now.
    /// - Returns: Both prices; nil if they are the same.
    func changedPrice(
        _ quantity: Quantity,
        from seenPrice: Price,
        to unitPrice: Price
    ) -> (seen: Price, now: Price)? {
        guard packed.name != nil || packed.price == nil else { return nil }
        guard packed.price != nil || listPrice != nil else {
            return seenPrice == unitPrice ? nil : (seenPrice, unitPrice)
        }
        func whole(at price: Price) -> Price {
            let (units, count) = (Int128(quantity.rawValue), Int128(packed.quantity.rawValue))
            // One that no price can hold differs from all that are.
            return Price(rawValue: Int64(clamping: Rounding.divide(Int128(price.rawValue) * units, by: count)))
        }
        let (seen, now) = (packed.price ?? whole(at: seenPrice), listPrice ?? whole(at: unitPrice))
        return seen == now ? nil : (seen, now)
    }

    /// The line as it is listed.
    ///
    /// - Parameters:
    ///   - quantity: How much it is in units.
    ///   - isOverridden: Whether its price was somebody's own; else the one at which it was put away is its list price.
    ///   - unitPrice: What a unit is listed at.
    /// - Returns: What the limits of discounts are measured by.
    func listed(_ quantity: Quantity, isOverridden: Bool, at unitPrice: Price) -> DiscountRule.ListedLine {
        if let price = isOverridden ? listPrice : packed.price {
            return DiscountRule.ListedLine(price: price, quantity: packed.quantity)
        }
        return DiscountRule.ListedLine(price: unitPrice, quantity: quantity)
    }
}

/// A sale to confirm or to put away as a draft, as `POST /v1/sales` says it.
package struct SaleRequest: Sendable, Equatable {
    /// One line of the cart.
    package struct Line: Sendable, Equatable {
        /// What is sold.
        package var product: ProductReference

        /// How much, in the product's unit or of what else is named; greater than 0.
        package var quantity: Quantity

        /// The price of one of that; its own if nil.
        package var unitPrice: Price?

        /// An amount off the line.
        package var discount: Money

        /// The price of a unit at which the line was put away; nil for one that was not.
        package var seenPrice: Price?

        /// How it was asked for when it was put away, if not by the product's unit.
        package var kept: KeptPacking?

        /// Makes a line.
        ///
        /// - Parameters:
        ///   - product: What is sold.
        ///   - quantity: How much, in the product's unit.
        ///   - unitPrice: The price of one unit; the product's own if nil.
        ///   - discount: An amount off the line.
        ///   - seenPrice: The price of a unit at which the line was put away.
        ///   - kept: How it was asked for when it was put away, if not by the product's unit.
        package init(
            product: ProductReference,
            quantity: Quantity,
            unitPrice: Price? = nil,
            discount: Money = .zero,
            seenPrice: Price? = nil,
            kept: KeptPacking? = nil
        ) {
            self.product = product
            self.quantity = quantity
            self.unitPrice = unitPrice
            self.discount = discount
            self.seenPrice = seenPrice
            self.kept = kept
        }

        /// The list price at which it was put away and the one of now, if they differ.
        func changedPrice(of product: SellableProduct) -> (seen: Price, now: Price)? {
            guard let seenPrice, unitPrice == nil else { return nil }
            if let kept { return kept.changedPrice(quantity, from: seenPrice, to: product.price) }
            return seenPrice == product.price ? nil : (seenPrice, product.price)
        }
    }

    /// Where it was sold; the tenant's default register if nil.
    package var registerID: RegisterID?

    /// Who bought; nil is a walk-in, who owes nothing.
    package var customerID: CustomerID?

    /// When, by the shop's clock; now if nil.
    package var occurredAt: Timestamp?

    /// A remark.
    package var note: String?

    /// An amount off the whole, spread over the lines.
    package var discount: Money

    /// The cart; at least one line, at most 1,000.
    package var lines: [Line]

    /// What is paid at once; nothing of a draft.
    ///
    /// What they leave stays due, which needs a customer.
    package var payments: [Tender]

    /// What becomes of it.
    package var purpose: Purpose

    /// What somebody with a higher limit gave for it, as they got it.
    package var approval: String?

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - registerID: Where it was sold; the default register if nil.
    ///   - customerID: Who bought; nil is a walk-in.
    ///   - occurredAt: When; now if nil.
    ///   - note: A remark.
    ///   - discount: An amount off the whole.
    ///   - lines: The cart.
    ///   - payments: What is paid at once.
    ///   - purpose: What becomes of it.
    package init(
        registerID: RegisterID? = nil,
        customerID: CustomerID? = nil,
        occurredAt: Timestamp? = nil,
        note: String? = nil,
        discount: Money = .zero,
        lines: [Line],
        payments: [Tender] = [],
        purpose: Purpose = .sale
    ) {
        self.registerID = registerID
        self.customerID = customerID
        self.occurredAt = occurredAt
        self.note = note
        self.discount = discount
        self.lines = lines
        self.payments = payments
        self.purpose = purpose
    }
}

extension SaleRequest {
    /// What becomes of a cart, and so what is asked of it.
    package enum Purpose: Sendable, Equatable {
        /// It is sold now.
        case sale
        /// It is put away: nobody is promised anything, and nothing is asked that its confirmation asks.
        case draft
        /// It is offered by a quote: a price is promised, so nobody goes further below the list price than they may sell.
        case offer
        /// It is sold as a quote has promised: what was agreed upon is asked of nobody again.
        case agreed
        /// It was sold already: what it would have been refused for is kept beside it.
        case fact(SaleFact)

        /// What there is to say of a sale that has happened already; nil for any other.
        package var fact: SaleFact? { if case .fact(let fact) = self { fact } else { nil } }

        /// Whether lines keep the list prices that they were put away or offered with, whatever the tenant says of drafts.
        var keepsPrices: Bool {
            switch self {
            case .draft, .offer, .agreed: true
            case .sale, .fact: false
            }
        }

        /// Whether it is asked how far below the list price the caller may sell.
        var asksForLimit: Bool {
            switch self {
            case .sale, .offer, .fact: true
            case .draft, .agreed: false
            }
        }
    }
}

/// A sale that has happened while its till was away: under the till's own id, at the time that it took place.
package struct SaleFact: Sendable, Equatable {
    /// The id that the till gave it.
    package var id: SaleID

    /// When it took place.
    package var happenedAt: Timestamp

    /// Makes it.
    ///
    /// - Parameters:
    ///   - id: The id that the till gave it.
    ///   - happenedAt: When it took place.
    package init(id: SaleID, happenedAt: Timestamp) {
        self.id = id
        self.happenedAt = happenedAt
    }
}

/// How a list of sales is ordered.
package enum SaleSort: String, SortOrder {
    case newest = "-occurred_at"
    case total
    case totalDescending = "-total"
}

/// What `GET /v1/sales` may be narrowed to, newest first.
package struct SaleFilter: Sendable, Equatable {
    /// The states a sale can be in.
    package enum Status: String, Sendable, CaseIterable {
        case confirmed
        case cancelled
        /// Put away, and not sold yet.
        case draft
        /// A draft that was given up.
        case discarded
    }

    /// In this state only; what took place, confirmed or cancelled, if nil.
    package var status: Status?

    /// Drafts of this user only.
    package var userID: UserID?

    /// Of this customer only.
    package var customerID: CustomerID?

    /// Of this register only.
    package var registerID: RegisterID?

    /// With this number only; each register counts by itself, from 1.
    package var number: Int64?

    /// Of these business days only.
    package var days = DayRange.all

    /// The order; by total only of ``longestSorted`` days at most.
    package var sort = SaleSort.newest

    /// How many business days of sales are sorted at most: no index has their order, so all of them are read.
    package static let longestSorted = 31

    /// Makes a filter that lets everything pass.
    package init() {}
}

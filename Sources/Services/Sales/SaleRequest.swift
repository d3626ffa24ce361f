package import Domain
package import Kernel

/// A product as a request names it.
package enum ProductReference: Sendable, Hashable {
    /// By its id.
    case id(ProductID)
    /// By its SKU, whose case does not count.
    case sku(String)
}

/// A sale to confirm or to put away as a draft, as `POST /v1/sales` says it.
package struct SaleRequest: Sendable, Equatable {
    /// One line of the cart.
    package struct Line: Sendable, Equatable {
        /// What is sold.
        package var product: ProductReference

        /// How much, in the product's unit; greater than 0.
        package var quantity: Quantity

        /// The price of one unit; the product's own if nil.
        package var unitPrice: Price?

        /// An amount off the line.
        package var discount: Money

        /// The price at which the line was put away; nil for one that was not.
        package var seenPrice: Price?

        /// Makes a line.
        ///
        /// - Parameters:
        ///   - product: What is sold.
        ///   - quantity: How much, in the product's unit.
        ///   - unitPrice: The price of one unit; the product's own if nil.
        ///   - discount: An amount off the line.
        ///   - seenPrice: The price at which the line was put away.
        package init(
            product: ProductReference,
            quantity: Quantity,
            unitPrice: Price? = nil,
            discount: Money = .zero,
            seenPrice: Price? = nil
        ) {
            self.product = product
            self.quantity = quantity
            self.unitPrice = unitPrice
            self.discount = discount
            self.seenPrice = seenPrice
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

    /// Whether it is put away and not sold yet.
    package var isDraft: Bool

    /// What somebody with a higher limit gave for it, as they got it.
    package var approval: String?

    /// Whether it is of a quote, which keeps its prices.
    package var quoting: Quoting?

    /// What a quote has to do with a cart.
    package enum Quoting: Sendable {
        /// It is being written: nobody goes further below the list price than they may sell.
        case offered
        /// It is being sold: what was agreed upon is asked of nobody again.
        case agreed
    }

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
    ///   - isDraft: Whether it is put away and not sold yet.
    package init(
        registerID: RegisterID? = nil,
        customerID: CustomerID? = nil,
        occurredAt: Timestamp? = nil,
        note: String? = nil,
        discount: Money = .zero,
        lines: [Line],
        payments: [Tender] = [],
        isDraft: Bool = false
    ) {
        self.registerID = registerID
        self.customerID = customerID
        self.occurredAt = occurredAt
        self.note = note
        self.discount = discount
        self.lines = lines
        self.payments = payments
        self.isDraft = isDraft
    }
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

    /// Makes a filter that lets everything pass.
    package init() {}
}

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

/// A sale to confirm, as `POST /v1/sales` says it.
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

        /// Makes a line.
        ///
        /// - Parameters:
        ///   - product: What is sold.
        ///   - quantity: How much, in the product's unit.
        ///   - unitPrice: The price of one unit; the product's own if nil.
        ///   - discount: An amount off the line.
        package init(
            product: ProductReference,
            quantity: Quantity,
            unitPrice: Price? = nil,
            discount: Money = .zero
        ) {
            self.product = product
            self.quantity = quantity
            self.unitPrice = unitPrice
            self.discount = discount
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

    /// What is paid at once.
    ///
    /// What they leave stays due, which needs a customer.
    package var payments: [Tender]

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
    package init(
        registerID: RegisterID? = nil,
        customerID: CustomerID? = nil,
        occurredAt: Timestamp? = nil,
        note: String? = nil,
        discount: Money = .zero,
        lines: [Line],
        payments: [Tender] = []
    ) {
        self.registerID = registerID
        self.customerID = customerID
        self.occurredAt = occurredAt
        self.note = note
        self.discount = discount
        self.lines = lines
        self.payments = payments
    }
}

/// What `GET /v1/sales` may be narrowed to, newest first.
package struct SaleFilter: Sendable, Equatable {
    /// The states a sale can be in: drafts are not made yet.
    package enum Status: String, Sendable, CaseIterable {
        case confirmed
        case cancelled
    }

    /// In this state only.
    package var status: Status?

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

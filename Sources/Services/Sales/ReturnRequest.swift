package import Domain
package import Kernel

/// Money that is given back.
package struct Refund: Sendable, Equatable {
    /// How.
    package var method: PaymentMethodCode

    /// How much, above zero.
    package var amount: Money

    /// Makes a refund.
    package init(method: PaymentMethodCode, amount: Money) {
        self.method = method
        self.amount = amount
    }
}

/// What a sale sold and somebody brings back, as `POST /v1/sales/{id}/returns` says it.
///
/// What it is worth follows from the sale.
package struct ReturnRequest: Sendable, Equatable {
    /// One line.
    package struct Line: Sendable, Equatable {
        /// Which line of the sale; each is named once.
        package var saleLineID: SaleLineID

        /// How much of it; above zero, and no more than was sold and has not been returned.
        package var quantity: Quantity

        /// Whether it can be sold again; else it is lost, and moves nothing.
        package var restocks: Bool

        /// Makes a line.
        package init(saleLineID: SaleLineID, quantity: Quantity, restocks: Bool = true) {
            self.saleLineID = saleLineID
            self.quantity = quantity
            self.restocks = restocks
        }
    }

    /// Where it is brought back, and the goods lie afterwards; the sale's register if nil.
    package var registerID: RegisterID?

    /// When, by the shop's clock; now if nil.
    package var occurredAt: Timestamp?

    /// A remark.
    package var note: String?

    /// What comes back; at least one line, at most 1,000.
    package var lines: [Line]

    /// What is given back: exactly what was paid more than is left of the sale.
    package var payments: [Refund]

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - registerID: Where; the sale's register if nil.
    ///   - occurredAt: When; now if nil.
    ///   - note: A remark.
    ///   - lines: What comes back.
    ///   - payments: What is given back.
    package init(
        registerID: RegisterID? = nil,
        occurredAt: Timestamp? = nil,
        note: String? = nil,
        lines: [Line],
        payments: [Refund] = []
    ) {
        self.registerID = registerID
        self.occurredAt = occurredAt
        self.note = note
        self.lines = lines
        self.payments = payments
    }
}

/// What somebody brings back of which no sale is known, as `POST /v1/returns` says it.
package struct UnsoldReturnRequest: Sendable, Equatable {
    /// One line.
    package struct Line: Sendable, Equatable {
        /// What comes back.
        package var product: ProductReference

        /// How much, in the product's unit or of what else is named; above zero.
        package var quantity: Quantity

        /// What is given back for one of that, with whatever taxes are in it.
        package var unitPrice: Price

        /// How it was asked for, if not by the product's unit; found out with the product.
        var packed: PackedLine?

        /// Whether it can be sold again; else it is lost, and moves nothing.
        package var restocks: Bool

        /// Makes a line.
        package init(product: ProductReference, quantity: Quantity, unitPrice: Price, restocks: Bool = true) {
            self.product = product
            self.quantity = quantity
            self.unitPrice = unitPrice
            self.restocks = restocks
        }
    }

    /// Where it is brought back, and the goods lie afterwards; the default register if nil.
    package var registerID: RegisterID?

    /// Who brings it back; nil is a walk-in.
    package var customerID: CustomerID?

    /// When, by the shop's clock; now if nil.
    package var occurredAt: Timestamp?

    /// A remark.
    package var note: String?

    /// What comes back; at least one line, at most 1,000.
    package var lines: [Line]

    /// What is given back: all that the lines come to.
    package var payments: [Refund]

    /// What somebody with a higher limit gave for it, as they got it.
    package var approval: String?

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - registerID: Where; the default register if nil.
    ///   - customerID: Who brings it back; nil is a walk-in.
    ///   - occurredAt: When; now if nil.
    ///   - note: A remark.
    ///   - lines: What comes back.
    ///   - payments: What is given back.
    package init(
        registerID: RegisterID? = nil,
        customerID: CustomerID? = nil,
        occurredAt: Timestamp? = nil,
        note: String? = nil,
        lines: [Line],
        payments: [Refund]
    ) {
        self.registerID = registerID
        self.customerID = customerID
        self.occurredAt = occurredAt
        self.note = note
        self.lines = lines
        self.payments = payments
    }
}

/// What `GET /v1/returns` may be narrowed to, newest first.
package struct ReturnFilter: Sendable, Equatable {
    /// Of this sale only.
    package var saleID: SaleID?

    /// Of this customer only.
    package var customerID: CustomerID?

    /// Of these business days only.
    package var days = DayRange.all

    /// Makes a filter that lets everything pass.
    package init() {}
}

import Domain
package import Kernel

/// What a client says of a purchase while it is a draft.
package struct PurchaseFields: Sendable, Equatable {
    /// One product that is bought.
    package struct Line: Sendable, Equatable {
        /// What is bought.
        package var product: ProductReference

        /// How much, in the product's unit; greater than 0.
        package var quantity: Quantity

        /// What one unit costs, without what comes on top.
        package var unitCost: Price

        /// How it was asked for, where not by the product's unit.
        var packed: PackedLine?

        /// Makes a line.
        ///
        /// - Parameters:
        ///   - product: What is bought.
        ///   - quantity: How much, in the product's unit.
        ///   - unitCost: What one unit costs.
        package init(product: ProductReference, quantity: Quantity, unitCost: Price) {
            self.product = product
            self.quantity = quantity
            self.unitCost = unitCost
        }
    }

    /// What comes on top of the goods, as freight; spread over the lines by what they come to.
    package struct Cost: Sendable, Equatable {
        /// What it is for.
        package var name: String

        /// How much, greater than 0.
        package var amount: Money

        /// Makes a cost.
        ///
        /// - Parameters:
        ///   - name: What it is for.
        ///   - amount: How much.
        package init(name: String, amount: Money) {
            self.name = name
            self.amount = amount
        }
    }

    /// From whom; an active supplier.
    package var supplierID: Change<ID<Supplier>> = .keep
    /// Where the goods come to; of a new purchase the only open location if it is kept.
    package var locationID: Change<LocationID> = .keep
    /// What the supplier calls it; theirs is unique unless cancelled.
    package var reference: Change<String?> = .keep
    /// The day by which it is to be paid.
    package var dueOn: Change<BusinessDay?> = .keep
    /// A remark.
    package var note: Change<String?> = .keep
    /// What is bought, 1 to 1,000.
    package var lines: Change<[Line]> = .keep
    /// What comes on top, up to 50.
    package var costs: Change<[Cost]> = .keep

    /// Keeps everything.
    package init() {}
}

/// A draft to make, as `POST /v1/purchases` says it.
package struct PurchaseRequest: Sendable, Equatable {
    /// What it says; everything is set.
    package var fields: PurchaseFields

    /// When, by the shop's clock; now if nil.
    package var occurredAt: Timestamp?

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - fields: What the draft says.
    ///   - occurredAt: When; now if nil.
    package init(fields: PurchaseFields, occurredAt: Timestamp? = nil) {
        self.fields = fields
        self.occurredAt = occurredAt
    }
}

/// Goods that came, as `POST /v1/purchases/{id}/receive` says it.
package struct ReceiptRequest: Sendable, Equatable {
    /// What came of one line.
    package struct Line: Sendable, Equatable {
        /// Which one.
        package var lineID: PurchaseLineID

        /// How much, greater than 0 and at most what is open.
        package var quantity: Quantity

        /// Makes a line.
        ///
        /// - Parameters:
        ///   - lineID: Which one.
        ///   - quantity: How much.
        package init(lineID: PurchaseLineID, quantity: Quantity) {
            self.lineID = lineID
            self.quantity = quantity
        }
    }

    /// What came, each line once; all that is open if there are none.
    package var lines: [Line]

    /// What the movements say of it, as the number of a delivery note.
    package var note: String?

    /// When, by the shop's clock; now if nil.
    package var occurredAt: Timestamp?

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - lines: What came; all that is open if there are none.
    ///   - note: What the movements say of it.
    ///   - occurredAt: When; now if nil.
    package init(lines: [Line] = [], note: String? = nil, occurredAt: Timestamp? = nil) {
        self.lines = lines
        self.note = note
        self.occurredAt = occurredAt
    }
}

/// How a list of purchases is ordered; one that says no day is due last.
package enum PurchaseSort: String, SortOrder {
    case newest = "-occurred_at"
    case total
    case totalDescending = "-total"
    case dueOn = "due_on"
    case dueOnDescending = "-due_on"
}

/// What `GET /v1/purchases` may be narrowed to, newest first.
package struct PurchaseFilter: Sendable, Equatable {
    /// The states a purchase can be in.
    package enum Status: String, Sendable, CaseIterable {
        case draft
        case ordered
        case partiallyReceived = "partially_received"
        case received
        case cancelled
    }

    /// In this state only.
    package var status: Status?

    /// Of this supplier only.
    package var supplierID: ID<Supplier>?

    /// What should have been paid before the tenant's today only.
    package var isOverdue = false

    /// Of these business days only.
    package var days = DayRange.all

    /// The order.
    package var sort = PurchaseSort.newest

    /// Makes a filter that lets everything pass.
    package init() {}
}

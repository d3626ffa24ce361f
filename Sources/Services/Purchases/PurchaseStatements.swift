import Domain
import Kernel
import Postgres

/// A purchase with its lines and costs.
struct Purchase: Resource {
    static let name = "purchases.purchase"
    static let collection = "/v1/purchases"
    static let sql: SQL = """
        SELECT stock.purchase_body(p.tenant_id, p.id), '"' || p.version || '"'
        FROM stock.purchase p
        WHERE p.tenant_id = stock.current_tenant() AND p.id = $1
        """

    let id: PurchaseID

    init(_ id: PurchaseID) { self.id = id }
}

/// Makes a draft, which ``ComposePurchase`` gives its lines.
struct CreatePurchase: Statement {
    static let name = "purchases.create"
    static let sql: SQL = "SELECT stock.purchase_create($1, $2, $3, $4, $5, $6, $7, $8)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .uuid, .text, .date, .text, .uuid, .timestamptz]

    let id: PurchaseID
    let request: PurchaseRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(request.fields.supplierID.newValue)
        try parameters.append(request.fields.locationID.newValue)
        try parameters.append(request.fields.reference.newValue ?? nil)
        try parameters.append(request.fields.dueOn.newValue ?? nil)
        try parameters.append(request.fields.note.newValue ?? nil)
        try parameters.append(userID)
        try parameters.append(request.occurredAt)
    }
}

/// Holds a draft of an expected version and changes what is set of it, but for its lines.
struct ChangePurchase: Statement {
    static let name = "purchases.change"
    static let sql: SQL = "SELECT stock.purchase_change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .int8Array, .bool, .uuid, .bool, .uuid, .bool, .text, .bool, .date, .bool, .text, .uuid,
    ]

    let id: PurchaseID
    let expected: ExpectedVersion
    let fields: PurchaseFields
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(expected.parameter)
        try parameters.append(fields.supplierID.isSet)
        try parameters.append(fields.supplierID.newValue)
        try parameters.append(fields.locationID.isSet)
        try parameters.append(fields.locationID.newValue)
        try parameters.append(fields.reference.isSet)
        try parameters.append(fields.reference.newValue ?? nil)
        try parameters.append(fields.dueOn.isSet)
        try parameters.append(fields.dueOn.newValue ?? nil)
        try parameters.append(fields.note.isSet)
        try parameters.append(fields.note.newValue ?? nil)
        try parameters.append(userID)
    }
}

/// Gives a draft its lines and costs, where they are set, and spreads the costs.
struct ComposePurchase: Statement {
    static let name = "purchases.compose"
    static let sql: SQL = "SELECT stock.purchase_compose($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .uuidArray, .uuidArray, .textArray, .numericArray, .numericArray, .textArray, .numericArray, .textArray,
        .numericArray, .numericArray,
    ]

    let id: PurchaseID
    /// One for each line, if lines are set.
    let lineIDs: [PurchaseLineID]
    let fields: PurchaseFields

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        if let lines = fields.lines.newValue {
            try parameters.append(lineIDs)
            try parameters.append(lines.map(\.product.productID))
            try parameters.append(lines.map(\.product.skuText))
            try parameters.append(lines.map(\.quantity))
            try parameters.append(lines.map(\.unitCost))
        } else {
            for _ in 0..<5 { try parameters.appendNull() }
        }
        if let costs = fields.costs.newValue {
            try parameters.append(costs.map(\.name))
            try parameters.append(costs.map(\.amount))
        } else {
            for _ in 0..<2 { try parameters.appendNull() }
        }
        if let lines = fields.lines.newValue {
            try parameters.append(lines.map(\.packed?.name))
            try parameters.append(lines.map(\.packed?.quantity))
            try parameters.append(lines.map(\.packed?.price))
        } else {
            for _ in 0..<3 { try parameters.appendNull() }
        }
    }
}

/// Orders a draft, and gives it another note if there is one.
struct OrderPurchase: Statement {
    static let name = "purchases.order"
    static let sql: SQL = "SELECT stock.purchase_order($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .text, .uuid]

    let id: PurchaseID
    let note: String?
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(note)
        try parameters.append(userID)
    }
}

/// Takes goods in.
struct ReceivePurchase: Statement {
    static let name = "purchases.receive"
    static let sql: SQL = "SELECT stock.purchase_receive($1, $2, $3, $4, $5, $6)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuidArray, .numericArray, .text, .uuid, .timestamptz]

    let id: PurchaseID
    let request: ReceiptRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        if request.lines.isEmpty {
            try parameters.appendNull()
            try parameters.appendNull()
        } else {
            try parameters.append(request.lines.map(\.lineID))
            try parameters.append(request.lines.map(\.quantity))
        }
        try parameters.append(request.note)
        try parameters.append(userID)
        try parameters.append(request.occurredAt)
    }
}

/// Undoes a purchase: what came goes back.
struct CancelPurchase: Statement {
    static let name = "purchases.cancel"
    static let sql: SQL = "SELECT stock.purchase_cancel($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .text, .uuid]

    let id: PurchaseID
    let reason: String?
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(reason)
        try parameters.append(userID)
    }
}

/// A page of purchases, newest first.
struct ListPurchases: Statement {
    static let name = "purchases.list"
    static let sql: SQL = .page(
        "stock.purchase_page($1, $2, $3, $4, $5, $6, $7, $8 + 1)",
        along: .moment("occurred_at"),
        limit: "$8",
        each: "stock.purchase_summary(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [.text, .uuid, .date, .date, .date, .timestamptz, .uuid, .int4]

    typealias Row = PageRow

    let filter: PurchaseFilter
    /// The tenant's today, where what is overdue is asked for.
    let today: BusinessDay?
    let after: (occurredAt: Timestamp, id: PurchaseID)?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.status)
        try parameters.append(filter.supplierID)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(today)
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// A page of purchases by what they came to or are due on, as `stock.purchases_in_order` finds them.
struct ListPurchasesInOrder: Statement {
    static let name = "purchases.list_in_order"
    static let sql: SQL = .page(
        "stock.purchases_in_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10 + 1)",
        along: .text("sort_key"),
        limit: "$10",
        each: "stock.purchase_summary(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [
        .text, .bool, .text, .uuid, .date, .date, .date, .text, .uuid, .int4,
    ]

    typealias Row = PageRow

    let filter: PurchaseFilter
    /// The tenant's today, where what is overdue is asked for.
    let today: BusinessDay?
    let after: NamePlace?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.sort)
        try parameters.append(filter.status)
        try parameters.append(filter.supplierID)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(today)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

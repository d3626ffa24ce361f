package import Domain
package import Kernel
import Postgres

/// What of a sale is changed, as `PATCH /v1/sales/{id}` says it: all of a draft, of any other the remark.
package struct SalePatch: Sendable, Equatable {
    /// Where it will be sold.
    package var registerID: Change<RegisterID> = .keep
    /// Who buys; nil is a walk-in.
    package var customerID: Change<CustomerID?> = .keep
    /// A remark.
    package var note: Change<String?> = .keep
    /// An amount off the whole.
    package var discount: Change<Money> = .keep
    /// All lines, at the prices of now.
    package var lines: Change<[SaleRequest.Line]> = .keep

    /// Makes a patch that changes nothing.
    package init() {}

    /// Whether it changes what only a draft lets change.
    var changesCart: Bool { registerID.isSet || customerID.isSet || discount.isSet || lines.isSet }
}

/// What makes a sale of a draft or a quote, as `POST /v1/sales/{id}/confirm` says it.
package struct SaleConfirmation: Sendable, Equatable {
    /// Where it is sold; where the draft or quote says if nil.
    package var registerID: RegisterID?
    /// Who buys; whom it names if nil.
    package var customerID: CustomerID?
    /// When, by the shop's clock; now if nil.
    package var occurredAt: Timestamp?
    /// What is paid at once; what it leaves stays due, which needs a customer.
    package var payments: [Tender]
    /// What somebody with a higher limit gave for it, as they got it.
    package var approval: String?

    /// Makes a confirmation.
    ///
    /// - Parameters:
    ///   - registerID: Where it is sold; where the draft or quote says if nil.
    ///   - customerID: Who buys; whom it names if nil.
    ///   - occurredAt: When; now if nil.
    ///   - payments: What is paid at once.
    package init(
        registerID: RegisterID? = nil,
        customerID: CustomerID? = nil,
        occurredAt: Timestamp? = nil,
        payments: [Tender] = []
    ) {
        self.registerID = registerID
        self.customerID = customerID
        self.occurredAt = occurredAt
        self.payments = payments
    }
}

/// A sale that was put away, as it was read: a cart with the list prices that it was made at.
struct SaleDraft: Sendable, Equatable {
    let id: SaleID
    /// Compared in the unit that writes it.
    let version: Int64
    let cart: SaleRequest

    /// The cart as a patch leaves it.
    func changed(by patch: SalePatch) -> SaleRequest {
        var cart = self.cart
        cart.apply(patch)
        return cart
    }

    /// The sale that it becomes.
    func sold(_ confirmation: SaleConfirmation) -> SaleRequest {
        var cart = self.cart.confirmed(by: confirmation)
        cart.purpose = .sale
        return cart
    }
}

extension SaleRequest {
    /// Takes over what a patch names.
    mutating func apply(_ patch: SalePatch) {
        registerID = patch.registerID.newValue ?? registerID
        if case .set(let customerID) = patch.customerID { self.customerID = customerID }
        if case .set(let note) = patch.note { self.note = note }
        discount = patch.discount.newValue ?? discount
        lines = patch.lines.newValue ?? lines
    }

    /// The cart with what its confirmation says.
    func confirmed(by confirmation: SaleConfirmation) -> SaleRequest {
        var cart = self
        cart.registerID = confirmation.registerID ?? registerID
        cart.customerID = confirmation.customerID ?? customerID
        cart.occurredAt = confirmation.occurredAt
        cart.payments = confirmation.payments
        return cart
    }

    /// The cart that rows hold, of which there is one at least.
    init(_ rows: [ReadDraft.Row]) {
        self.init(
            registerID: rows.first?.registerID,
            customerID: rows.first?.customerID,
            note: rows.first?.note,
            // Shares sum to the discount, which a column holds.
            discount: Money(rawValue: rows.reduce(0) { $0 &+ $1.share.rawValue }),
            lines: rows.map(\.line)
        )
    }
}

/// A draft computed from what its products were: everything its unit writes.
struct DraftPlan: Sendable {
    let id: SaleID
    /// The version of the one that is made again; nil for a new one.
    let version: Int64?
    let request: SaleRequest
    let userID: UserID?
    let cart: PricedCart
    let lineIDs: [SaleLineID]

    /// Computes a draft.
    ///
    /// - Parameters:
    ///   - request: What is put away.
    ///   - snapshot: The products of its lines.
    ///   - caller: Who puts it away.
    ///   - draft: The one that is made again, if it is not new.
    /// - Throws: The refusals that need no look at running figures, all lines of a kind at once.
    init(
        _ request: SaleRequest,
        from snapshot: SellingSnapshot,
        by caller: Caller,
        draft: SaleDraft? = nil
    ) throws(Problem) {
        cart = try PricedCart(request, from: snapshot, by: caller)
        id = draft?.id ?? .make()
        version = draft?.version
        self.request = request
        userID = caller.user
        lineIDs = cart.lines.map { _ in .make() }
    }
}

// MARK: - Statements

/// Reads a sale to change or sell it: a row for each of its lines, in order; none if there is no such sale.
struct ReadDraft: Statement {
    static let name = "sales.read_draft"
    static let sql: SQL = """
        SELECT s.status, s.version, s.register_id, s.customer_id, s.note, l.document_discount, l.product_id, l.quantity,
               l.unit_price, l.price_source = 'override', l.discount, l.packaging, l.packed_quantity, l.packed_price, k.price
        FROM stock.sale s
        CROSS JOIN LATERAL (SELECT o.* FROM stock.sale_line o
                            WHERE o.tenant_id = stock.current_tenant() AND o.sale_id = s.id OFFSET 0) l
        LEFT JOIN LATERAL (SELECT o.price FROM stock.packaging o
                           WHERE o.tenant_id = stock.current_tenant() AND o.product_id = l.product_id
                             AND o.name = l.packaging
                             -- One of another factor is another one: that of the line is gone.
                             AND o.factor * l.packed_quantity = l.quantity OFFSET 0) k ON true
        WHERE s.tenant_id = stock.current_tenant() AND s.id = $1
        ORDER BY l.position
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    let id: SaleID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }

    struct Row: DecodableRow {
        let status: String
        let version: Int64
        let registerID: RegisterID
        let customerID: CustomerID?
        let note: String?
        /// The line's share of the discount on the whole.
        let share: Money
        let line: SaleRequest.Line

        init(from row: inout RowReader) throws(PostgresError) {
            status = try row.next()
            version = try row.next()
            registerID = try row.next()
            customerID = try row.next()
            note = try row.next()
            share = try row.next(Money.self)
            let (product, quantity) = (try row.next(ProductID.self), try row.next(Quantity.self))
            let (price, isOverridden) = (try row.next(Price.self), try row.next(Bool.self))
            let discount = try row.next(Money.self)
            let packaging: String? = try row.next()
            let packedQuantity: Quantity? = try row.next()
            let (packedPrice, listPrice) = (try row.next(Price?.self), try row.next(Price?.self))
            line = SaleRequest.Line(
                product: .id(product),
                quantity: quantity,
                unitPrice: isOverridden ? price : nil,
                discount: discount,
                seenPrice: price,
                kept: packedQuantity.map { quantity in
                    KeptPacking(
                        packed: PackedLine(name: packaging, quantity: quantity, price: packedPrice),
                        listPrice: listPrice
                    )
                }
            )
        }

        /// Refuses another version than the client has read, and a document that is in none of these states.
        func check(_ expected: ExpectedVersion, _ states: [String], noun: String) throws(WriteFailure) {
            if case .oneOf(let versions) = expected, !versions.contains(version) {
                throw .problem(Problem(.versionMismatch, "The \(noun) was changed meanwhile. Read it again."))
            }
            guard states.contains(status) else {
                let detail = "The \(noun) is \(status)."
                throw .problem(Problem(.invalidState, detail, errors: [FieldError("/status", .invalidState, detail)]))
            }
        }
    }
}

/// Makes a draft, or makes one again.
struct DraftSale: Statement {
    static let name = "sales.draft"
    static let sql: SQL = """
        SELECT stock.sale_draft($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                                $21, $22, $23, $24)
        """
    static let parameterTypes: [PostgresType] =
        [.int8, .uuid, .uuid, .uuid, .uuid, .text, .numeric, .numeric, .numeric, .numeric]
        + Parameters.cartTypes + [.int8Array, .int8]

    let plan: DraftPlan
    let expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(plan.cart.rules.version)
        try parameters.append(plan.id)
        try parameters.append(plan.request.registerID)
        try parameters.append(plan.request.customerID)
        try parameters.append(plan.userID)
        try parameters.append(plan.request.note)
        try parameters.append(plan.cart.priced.subtotal)
        try parameters.append(plan.cart.priced.discount)
        try parameters.append(plan.cart.priced.tax)
        try parameters.append(plan.cart.priced.total)
        try parameters.append(plan.cart, plan.lineIDs)
        try parameters.append(expected.parameter)
        try parameters.append(plan.version)
    }
}

/// Gives a draft up.
struct DiscardSale: Statement {
    static let name = "sales.discard"
    static let sql: SQL = "SELECT stock.sale_discard($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    let id: SaleID
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(userID)
    }
}

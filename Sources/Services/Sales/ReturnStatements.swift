import Domain
import Kernel
import Postgres

/// The ids of the rows that a return writes.
struct ReturnIDs: Sendable {
    let id: SaleReturnID
    let lines: [SaleReturnLineID]
    /// One for each line; of those of one product the first is used.
    let movements: [MovementID]
    let payments: [PaymentID]
    let ledger: [LedgerEntryID]
    let roundingLedger: LedgerEntryID

    /// Makes them.
    ///
    /// - Parameters:
    ///   - lines: How many lines there are.
    ///   - payments: How many payments.
    init(lines: Int, payments: Int) {
        id = .make()
        self.lines = (0..<lines).map { _ in .make() }
        movements = (0..<lines).map { _ in .make() }
        self.payments = (0..<payments).map { _ in .make() }
        ledger = (0..<payments).map { _ in .make() }
        roundingLedger = .make()
    }
}

extension Parameters {
    /// What is given back: ids of payments and of their rows in the ledger, methods, amounts, the row of what is rounded.
    fileprivate mutating func append(_ refunds: [Refund], _ ids: ReturnIDs) throws(PostgresError) {
        try append(ids.payments)
        try append(ids.ledger)
        try append(refunds.map(\.method.rawValue))
        try append(refunds.map(\.amount))
        try append(ids.roundingLedger)
    }

    /// The types of the same.
    fileprivate static let refundTypes: [PostgresType] = [.uuidArray, .uuidArray, .textArray, .numericArray, .uuid]
}

/// Takes back what a sale sold, priced by the sale.
struct ReturnOfSale: Statement {
    static let name = "sales.return"
    static let sql: SQL = """
        SELECT stock.return_of_sale($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        """
    static let parameterTypes: [PostgresType] =
        [
            .uuid, .uuid, .uuid, .uuid, .text, .timestamptz, .uuidArray, .uuidArray, .numericArray, .boolArray,
            .uuidArray,
        ] + Parameters.refundTypes

    let ids: ReturnIDs
    let saleID: SaleID
    let request: ReturnRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(ids.id)
        try parameters.append(saleID)
        try parameters.append(request.registerID)
        try parameters.append(userID)
        try parameters.append(request.note)
        try parameters.append(request.occurredAt)
        try parameters.append(ids.lines)
        try parameters.append(request.lines.map(\.saleLineID))
        try parameters.append(request.lines.map(\.quantity))
        try parameters.append(request.lines.map(\.restocks))
        try parameters.append(ids.movements)
        try parameters.append(request.payments, ids)
    }
}

/// Takes back what no sale is known of, at the prices of the request.
struct ReturnUnsold: Statement {
    static let name = "sales.return_unsold"
    static let sql: SQL = """
        SELECT stock.return_unsold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                                   $21)
        """
    static let parameterTypes: [PostgresType] =
        [
            .uuid, .uuid, .uuid, .uuid, .text, .timestamptz, .uuidArray, .uuidArray, .textArray, .numericArray,
            .numericArray,
            .boolArray, .uuidArray,
        ] + Parameters.refundTypes + Parameters.packedTypes

    let ids: ReturnIDs
    let request: UnsoldReturnRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(ids.id)
        try parameters.append(request.registerID)
        try parameters.append(request.customerID)
        try parameters.append(userID)
        try parameters.append(request.note)
        try parameters.append(request.occurredAt)
        try parameters.append(ids.lines)
        try parameters.append(request.lines.map(\.product.productID))
        try parameters.append(request.lines.map(\.product.skuText))
        try parameters.append(request.lines.map(\.quantity))
        try parameters.append(request.lines.map(\.unitPrice))
        try parameters.append(request.lines.map(\.restocks))
        try parameters.append(ids.movements)
        try parameters.append(request.payments, ids)
        try parameters.append(packed: request.lines.map(\.packed))
    }
}

/// Refuses a return without its sale that its unit has just written, if that is more than the caller may take and was approved of.
struct KeepReturnWithin: Statement {
    static let name = "sales.return_within"
    static let sql: SQL = "SELECT stock.return_within($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .text]

    let id: SaleReturnID
    let role: Role?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(role?.rawValue)
    }
}

extension Caller {
    /// Whether the caller gives money back without a sale as they see fit; for all others the tenant's limits are asked.
    ///
    /// An owner, and a key by ``Scope/salesDiscount``, as it sells at any price.
    var returnsWithoutLimit: Bool { role == .owner || role == nil && may(.salesDiscount) }
}

/// A return with its lines and payments.
///
/// It never changes, so its tag says no more than that.
struct SaleReturn: Resource {
    static let name = "sales.return_document"
    static let collection = "/v1/returns"
    static let sql: SQL = """
        SELECT stock.return_body(r.tenant_id, r.id), '"1"'
        FROM stock.sale_return r
        WHERE r.tenant_id = stock.current_tenant() AND r.id = $1
        """

    let id: SaleReturnID

    init(_ id: SaleReturnID) { self.id = id }
}

/// A page of returns, newest first.
struct ListReturns: Statement {
    static let name = "sales.list_returns"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.id, p.occurred_at, p.place FROM stock.return_page($1, $2, $3, $4, $5, $6, $7 + 1) WITH ORDINALITY
                AS p (id, occurred_at, place)
        )
        SELECT string_agg(stock.return_summary(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $7),
               CASE WHEN count(*) > $7 THEN (
                   SELECT ARRAY[stock.rfc3339(l.occurred_at), l.id::text] FROM placed l WHERE l.place = $7) END,
               \(.seen)
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .date, .date, .timestamptz, .uuid, .int4]

    typealias Row = PageRow

    let filter: ReturnFilter
    let after: (occurredAt: Timestamp, id: SaleReturnID)?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.saleID)
        try parameters.append(filter.customerID)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

import Domain
import Kernel
import Postgres

/// Registers money for what is due: documents, account, payment, allocations, ledger.
struct RegisterPayment: Statement {
    static let name = "payments.register"
    static let sql: SQL = "SELECT stock.payment_register($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .uuid, .text, .numeric, .numeric, .uuid, .uuid, .uuid, .timestamptz, .numeric, .uuid, .uuid,
    ]

    let id: PaymentID
    let ledgerID: LedgerEntryID
    /// That of the tip, if there is one.
    let tipLedgerID: LedgerEntryID
    let request: PaymentRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ledgerID)
        try parameters.append(request.tender.method)
        try parameters.append(request.tender.amount)
        try parameters.append(request.tender.tendered)
        try parameters.append(request.saleID)
        try parameters.append(request.customerID)
        try parameters.append(userID)
        try parameters.append(request.occurredAt)
        try parameters.append(request.tender.tip)
        try parameters.append(tipLedgerID)
        try parameters.append(request.registerID)
    }
}

/// Reverses a payment: what it paid is due again, and the ledger has as much less.
struct ReversePayment: Statement {
    static let name = "payments.reverse"
    static let sql: SQL = "SELECT stock.payment_reverse($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .text, .uuid]

    let id: PaymentID
    let reason: String
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(reason)
        try parameters.append(userID)
    }
}

/// Pays what is owed for purchases: purchases, payment, allocations, ledger.
struct PayPurchases: Statement {
    static let name = "payments.pay"
    static let sql: SQL = "SELECT stock.purchase_pay($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .uuid, .text, .numeric, .uuid, .uuid, .uuid, .timestamptz, .uuid,
    ]

    let id: PaymentID
    let ledgerID: LedgerEntryID
    let request: PaymentRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ledgerID)
        try parameters.append(request.tender.method)
        try parameters.append(request.tender.amount)
        try parameters.append(request.purchaseID)
        try parameters.append(request.supplierID)
        try parameters.append(userID)
        try parameters.append(request.occurredAt)
        try parameters.append(request.registerID)
    }
}

/// A payment with what it was allocated to.
struct Payment: Resource {
    static let name = "payments.payment"
    static let collection = "/v1/payments"
    static let sql: SQL = """
        SELECT stock.payment_body(p.tenant_id, p.id), '"' || p.version || '"'
        FROM stock.payment p
        WHERE p.tenant_id = stock.current_tenant() AND p.id = $1
        """

    let id: PaymentID

    init(_ id: PaymentID) { self.id = id }
}

/// A page of payments, newest first.
struct ListPayments: Statement {
    static let name = "payments.list"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.id, p.occurred_at, p.place FROM stock.payment_page($1, $2, $3, $4, $5, $6, $7, $8, $9 + 1, $10)
                WITH ORDINALITY AS p (id, occurred_at, place)
        )
        SELECT string_agg(stock.payment_body(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $9),
               CASE WHEN count(*) > $9 THEN (
                   SELECT ARRAY[stock.rfc3339(l.occurred_at), l.id::text] FROM placed l WHERE l.place = $9) END,
               \(.seen)
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [
        .text, .text, .uuid, .uuid, .date, .date, .timestamptz, .uuid, .int4, .uuid,
    ]

    typealias Row = PageRow

    let filter: PaymentFilter
    let after: (occurredAt: Timestamp, id: PaymentID)?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.direction)
        try parameters.append(filter.method)
        try parameters.append(filter.customerID)
        try parameters.append(filter.saleID)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(filter.purchaseID)
    }
}

/// The decimals of the tenant's currency.
struct ReadExponent: Statement {
    static let name = "payments.read_exponent"
    static let sql: SQL = "SELECT t.currency_exponent FROM stock.tenant t WHERE t.id = stock.current_tenant()"

    typealias Row = SingleColumn<Int16>
}

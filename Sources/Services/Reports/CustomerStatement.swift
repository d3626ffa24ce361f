import Kernel
import Postgres

/// Where a page of a statement ends: behind which document, and with which balance the next one begins.
struct StatementPlace: Sendable {
    let occurredAt: Timestamp
    /// The document's place among those of the same moment: a sale is told before what was paid for it.
    let rank: Int32
    let id: EntityID
    let balance: Money

    /// How many values make one.
    static let count = 4

    /// Reads the values of a signed cursor, which holds what a page of ours ended with.
    init?(_ values: [String]) {
        guard values.count == Self.count, let occurredAt = Timestamp(values[0]), let rank = Int32(values[1]),
            let id = EntityID(values[2]), let balance = try? Money(values[3])
        else { return nil }
        self.occurredAt = occurredAt
        self.rank = rank
        self.id = id
        self.balance = balance
    }
}

/// A page of what changed a customer's balance, as `stock.statement_page` finds it.
struct ReadCustomerStatement: Statement {
    static let name = "reports.customer_statement"
    static let sql: SQL = """
        WITH head AS (
            SELECT c.id, t.currency, t.currency_exponent AS exponent,
                   coalesce($5, CASE WHEN $2 IS NULL THEN 0 ELSE stock.balance_before(c.id, $2) END) AS opening,
                   CASE WHEN $3 IS NULL THEN a.balance ELSE stock.balance_before(c.id, $3 + 1) END AS closing
            FROM stock.customer c
            JOIN stock.customer_account a ON a.tenant_id = c.tenant_id AND a.customer_id = c.id
            JOIN stock.tenant t ON t.id = c.tenant_id
            WHERE c.tenant_id = stock.current_tenant() AND c.id = $1
        ), placed AS (
            SELECT p.*, h.exponent, h.opening + sum(p.change) OVER (ORDER BY p.place) AS balance
            FROM head h, LATERAL stock.statement_page(h.id, $2, $3, $6, $7, $8, $4 + 1) WITH ORDINALITY
                AS p (occurred_at, rank, id, type, number, sale_id, method, business_day, change, place)
        )
        SELECT (SELECT row_to_json(r)::text FROM (
                    SELECT h.id AS customer_id, $2 AS "from", $3 AS "to", h.currency,
                           stock.money_text(h.opening, h.exponent) AS opening,
                           stock.money_text(h.closing, h.exponent) AS closing) r),
               (SELECT string_agg((SELECT row_to_json(r)::text FROM (
                           SELECT p.type, p.id, p.number, p.sale_id, p.method, stock.rfc3339(p.occurred_at) AS occurred_at,
                                  p.business_day, stock.money_text(p.change, p.exponent) AS change,
                                  stock.money_text(p.balance, p.exponent) AS balance) r), ',' ORDER BY p.place)
                       FILTER (WHERE p.place <= $4) FROM placed p),
               (SELECT ARRAY[stock.rfc3339(p.occurred_at), p.rank::text, p.id::text, p.balance::text] FROM placed p
                WHERE p.place = $4 AND EXISTS (SELECT FROM placed o WHERE o.place > $4)),
               \(.seen)
        FROM head h
        """
    static let parameterTypes: [PostgresType] = [.uuid, .date, .date, .int4, .numeric, .timestamptz, .int4, .uuid]
    typealias Row = HeadedPageRow

    var customer: CustomerID
    var days: DayRange
    var limit: Int
    var after: StatementPlace?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(customer)
        try parameters.append(days.from)
        try parameters.append(days.to)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(after?.balance)
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.rank)
        try parameters.append(after.map { PostgresUUID(high: $0.id.high, low: $0.id.low) })
    }
}

/// How old what a customer owes is.
struct ReadCustomerAgeing: Statement {
    static let name = "reports.customer_ageing"
    static let sql: SQL = """
        SELECT stock.customer_ageing_body(stock.current_tenant(), $1, $2), NULL::text, pg_current_snapshot()
        """
    static let parameterTypes: [PostgresType] = [.uuid, .date]
    typealias Row = BodyRow

    var customer: CustomerID
    var day: BusinessDay

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(customer)
        try parameters.append(day)
    }
}

import Domain
import Kernel
import Postgres

/// Registers money for what is due: documents, account, payment, allocations, ledger.
struct RegisterPayment: Statement {
    static let name = "payments.register"
    static let sql: StaticString = "SELECT stock.payment_register($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .uuid, .text, .numeric, .numeric, .uuid, .uuid, .uuid, .timestamptz,
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
        try parameters.append(request.tender.tendered)
        try parameters.append(request.saleID)
        try parameters.append(request.customerID)
        try parameters.append(userID)
        try parameters.append(request.occurredAt)
    }
}

/// The answer to a new payment, kept beside its key.
struct AnswerPayment: Statement {
    static let name = "payments.answer"
    static let sql: StaticString = """
        SELECT 201, stock.idempotency_finish(
                   $1, $2, $3, 201, json_build_object('etag', '"1"', 'location', '/v1/payments/' || $4)::text,
                   stock.payment_body(stock.current_tenant(), $4), $4),
               '"1"', '/v1/payments/' || $4
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea, .uuid]

    typealias Row = AnswerRow

    let key: IdempotencyKey?
    let id: PaymentID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(key)
        try parameters.append(id)
    }
}

/// One payment's body.
struct ReadPayment: Statement {
    static let name = "payments.read"
    static let sql: StaticString = """
        SELECT stock.payment_body(stock.current_tenant(), $1),
               (SELECT '"' || p.version || '"' FROM stock.payment p
                WHERE p.tenant_id = stock.current_tenant() AND p.id = $1),
               pg_current_snapshot()
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    typealias Row = BodyRow

    let id: PaymentID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// A page of payments, newest first.
struct ListPayments: Statement {
    static let name = "payments.list"
    // A business day is at most a day away from the moment's date in UTC: the bounds let the index end the search.
    static let sql: StaticString = """
        WITH page AS (
            SELECT p.id, p.occurred_at FROM stock.payment p
            WHERE p.tenant_id = stock.current_tenant()
              AND ($1::text IS NULL OR p.direction = $1) AND ($2::text IS NULL OR p.method = $2)
              AND ($3::date IS NULL OR p.business_day >= $3) AND ($4::date IS NULL OR p.business_day <= $4)
              AND p.occurred_at >= coalesce(($3 - 1)::timestamptz, '-infinity')
              AND p.occurred_at < coalesce(($4 + 2)::timestamptz, 'infinity')
              AND (p.occurred_at, p.id)
                  < (coalesce($5, 'infinity'), coalesce($6, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
            ORDER BY p.occurred_at DESC, p.id DESC LIMIT $7 + 1
        ), placed AS (
            SELECT p.id, p.occurred_at, row_number() OVER (ORDER BY p.occurred_at DESC, p.id DESC) AS place FROM page p
        )
        SELECT string_agg(stock.payment_body(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $7),
               CASE WHEN count(*) > $7 THEN (
                   SELECT ARRAY[stock.rfc3339(l.occurred_at), l.id::text] FROM placed l WHERE l.place = $7) END,
               pg_current_snapshot()
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .date, .date, .timestamptz, .uuid, .int4]

    typealias Row = PageRow

    let filter: PaymentFilter
    let after: (occurredAt: Timestamp, id: PaymentID)?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.direction)
        try parameters.append(filter.method)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// A page of the payments of one customer or one sale, newest first: few rows, found by their own indexes.
struct ListDocumentPayments: Statement {
    static let name = "payments.list_of_document"
    static let sql: StaticString = """
        WITH named AS (
            SELECT p.* FROM stock.payment p
            WHERE p.tenant_id = stock.current_tenant() AND p.customer_id = $8 AND $9::uuid IS NULL
            UNION ALL
            SELECT p.* FROM stock.payment p
            WHERE p.tenant_id = stock.current_tenant() AND p.id IN (
                SELECT a.payment_id FROM stock.payment_allocation a
                WHERE a.tenant_id = stock.current_tenant() AND a.sale_id = $9)
              AND ($8::uuid IS NULL OR p.customer_id = $8)
        ), page AS (
            SELECT p.id, p.occurred_at FROM named p
            WHERE ($1::text IS NULL OR p.direction = $1) AND ($2::text IS NULL OR p.method = $2)
              AND ($3::date IS NULL OR p.business_day >= $3) AND ($4::date IS NULL OR p.business_day <= $4)
              AND (p.occurred_at, p.id)
                  < (coalesce($5, 'infinity'), coalesce($6, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
            ORDER BY p.occurred_at DESC, p.id DESC LIMIT $7 + 1
        ), placed AS (
            SELECT p.id, p.occurred_at, row_number() OVER (ORDER BY p.occurred_at DESC, p.id DESC) AS place FROM page p
        )
        SELECT string_agg(stock.payment_body(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $7),
               CASE WHEN count(*) > $7 THEN (
                   SELECT ARRAY[stock.rfc3339(l.occurred_at), l.id::text] FROM placed l WHERE l.place = $7) END,
               pg_current_snapshot()
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [
        .text, .text, .date, .date, .timestamptz, .uuid, .int4, .uuid, .uuid,
    ]

    typealias Row = PageRow

    let list: ListPayments

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try list.bind(&parameters)
        try parameters.append(list.filter.customerID)
        try parameters.append(list.filter.saleID)
    }
}

/// The decimals of the tenant's currency.
struct ReadExponent: Statement {
    static let name = "payments.read_exponent"
    static let sql: StaticString = "SELECT t.currency_exponent FROM stock.tenant t WHERE t.id = stock.current_tenant()"

    typealias Row = SingleColumn<Int16>
}

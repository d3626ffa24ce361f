import Kernel
import Postgres

// A customer's entity tag is "<version>.<account version>": the body shows what they owe.

struct ReadCustomer: Statement {
    static let name = "customers.one"
    static let sql: StaticString = """
        SELECT stock.customer_body(stock.current_tenant(), $1),
               (SELECT '"' || c.version || '.' || a.version || '"'
                FROM stock.customer c
                JOIN stock.customer_account a ON a.tenant_id = c.tenant_id AND a.customer_id = c.id
                WHERE c.tenant_id = stock.current_tenant() AND c.id = $1),
               pg_current_snapshot()
        """
    static let parameterTypes: [PostgresType] = [.uuid]
    typealias Row = BodyRow

    var id: CustomerID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// Customers by name, as `stock.customer_page` finds them.
struct ListCustomers: Statement {
    static let name = "customers.list"
    static let sql: StaticString = """
        WITH placed AS (
            SELECT p.id, p.name_key, p.place
            FROM stock.customer_page($1, $2, $3, $4 + 1, $5, $6) WITH ORDINALITY AS p (id, name_key, place)
        )
        SELECT string_agg(stock.customer_body(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $4),
               CASE WHEN count(*) > $4 THEN (
                   SELECT ARRAY[l.name_key, l.id::text] FROM placed l WHERE l.place = $4) END,
               pg_current_snapshot()
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [.text, .bool, .bool, .int4, .text, .uuid]
    typealias Row = PageRow

    var filter: CustomerFilter
    var limit: Int
    var after: NamePlace?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.q?.text)
        try parameters.append(filter.active)
        try parameters.append(filter.hasBalance)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(after)
    }
}

/// Refuses a customer who is not there or has another version, and locks the row.
struct GuardCustomer: Statement {
    static let name = "customers.guard"
    static let sql: StaticString = """
        SELECT CASE
                   WHEN c.id IS NULL THEN stock.refuse('not_found', 'There is no such customer.')
                   WHEN NOT (c.version = ANY (coalesce($2, ARRAY[c.version])))
                       THEN stock.refuse('version_mismatch', 'The customer was changed meanwhile. Read it again.')
               END
        FROM (SELECT 1) one
        LEFT JOIN (SELECT * FROM stock.customer
                   WHERE tenant_id = stock.current_tenant() AND id = $1 FOR NO KEY UPDATE) c ON true
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int8Array]

    var id: CustomerID
    var expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(expected.parameter)
    }
}

/// Refuses a limit with more decimals than the currency has.
struct GuardCreditLimit: Statement {
    static let name = "customers.guard_limit"
    static let sql: StaticString = """
        SELECT stock.refuse('validation_failed', 'The credit limit has too many decimals.', json_build_array(
                   json_build_object('pointer', '/credit_limit', 'code', 'too_many_decimals',
                                     'detail', format('Must have at most %s decimals, as the currency has.',
                                                      t.currency_exponent))))
        FROM stock.tenant t
        WHERE t.id = stock.current_tenant() AND min_scale($1) > t.currency_exponent
        """
    static let parameterTypes: [PostgresType] = [.numeric]

    var limit: Money

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(limit) }
}

struct InsertCustomer: Statement {
    static let name = "customers.insert"
    static let sql: StaticString = """
        INSERT INTO stock.customer (tenant_id, id, name, tax_id, phone, email, credit_limit, active, external_id)
        VALUES (stock.current_tenant(), $1, normalize($2, NFC), normalize($3, NFC), normalize($4, NFC), $5, $6, $7, $8)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .text, .text, .text, .numeric, .bool, .text]

    var id: CustomerID
    var draft: CustomerDraft

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(draft.name)
        try parameters.append(draft.taxID)
        try parameters.append(draft.phone)
        try parameters.append(draft.email)
        try parameters.append(draft.creditLimit)
        try parameters.append(draft.active)
        try parameters.append(draft.externalID)
    }
}

struct UpdateCustomer: Statement {
    static let name = "customers.update"
    static let sql: StaticString = """
        UPDATE stock.customer c
        SET name = coalesce(normalize($2, NFC), c.name),
            tax_id = CASE WHEN $3 THEN normalize($4, NFC) ELSE c.tax_id END,
            phone = CASE WHEN $5 THEN normalize($6, NFC) ELSE c.phone END,
            email = CASE WHEN $7 THEN $8 ELSE c.email END,
            credit_limit = CASE WHEN $9 THEN $10 ELSE c.credit_limit END,
            active = coalesce($11, c.active),
            external_id = CASE WHEN $12 THEN $13 ELSE c.external_id END,
            version = c.version + 1,
            updated_at = now()
        WHERE c.tenant_id = stock.current_tenant() AND c.id = $1
        """
    static let parameterTypes: [PostgresType] = [
        .uuid, .text, .bool, .text, .bool, .text, .bool, .text, .bool, .numeric, .bool, .bool, .text,
    ]

    var id: CustomerID
    var patch: CustomerPatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(patch.name.newValue)
        try parameters.append(patch.taxID.isSet)
        try parameters.append(patch.taxID.newValue ?? nil)
        try parameters.append(patch.phone.isSet)
        try parameters.append(patch.phone.newValue ?? nil)
        try parameters.append(patch.email.isSet)
        try parameters.append(patch.email.newValue ?? nil)
        try parameters.append(patch.creditLimit.isSet)
        try parameters.append(patch.creditLimit.newValue ?? nil)
        try parameters.append(patch.active.newValue)
        try parameters.append(patch.externalID.isSet)
        try parameters.append(patch.externalID.newValue ?? nil)
    }
}

struct DeleteCustomer: Statement {
    static let name = "customers.delete"
    static let sql: StaticString = """
        DELETE FROM stock.customer WHERE tenant_id = stock.current_tenant() AND id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var id: CustomerID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// The customer as it is now, kept beside the key if there is one.
struct AnswerCustomer: Statement {
    static let name = "customers.answer"
    static let sql: StaticString = """
        SELECT $5::integer,
               stock.idempotency_finish($1, $2, $3, $5,
                   json_build_object('etag', a.etag, 'location', a.location)::text, a.body, $4),
               a.etag, a.location
        FROM (
            SELECT stock.customer_body(c.tenant_id, c.id) AS body,
                   '"' || c.version || '.' || m.version || '"' AS etag,
                   CASE WHEN $5 = 201 THEN '/v1/customers/' || c.id END AS location
            FROM stock.customer c
            JOIN stock.customer_account m ON m.tenant_id = c.tenant_id AND m.customer_id = c.id
            WHERE c.tenant_id = stock.current_tenant() AND c.id = $4
        ) a
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea, .uuid, .int4]
    typealias Row = AnswerRow

    var id: CustomerID
    var status: Int32
    var key: IdempotencyKey?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(key)
        try parameters.append(id)
        try parameters.append(status)
    }
}

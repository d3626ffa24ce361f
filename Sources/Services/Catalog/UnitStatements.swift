import Kernel
import Postgres

struct ReadUnit: Statement {
    static let name = "catalog.unit"
    static let sql: StaticString = """
        SELECT b.body, '"' || (b.body::json ->> 'version') || '"', pg_current_snapshot()
        FROM (SELECT stock.unit_body(stock.current_tenant(), $1) AS body) b
        """
    static let parameterTypes: [PostgresType] = [.uuid]
    typealias Row = BodyRow

    var id: UnitID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

struct ListUnits: Statement {
    static let name = "catalog.units"
    static let sql: StaticString = """
        WITH page AS MATERIALIZED (
            SELECT u.tenant_id, u.id, u.name_key, row_number() OVER (ORDER BY u.name_key, u.id) AS place
            FROM stock.unit u
            WHERE u.tenant_id = stock.current_tenant()
              AND ($2::text IS NULL OR (u.name_key, u.id) > ($2, $3))
            ORDER BY u.name_key, u.id
            LIMIT $1 + 1
        )
        SELECT (SELECT string_agg(stock.unit_body(p.tenant_id, p.id), ',' ORDER BY p.place)
                FROM page p WHERE p.place <= $1),
               (SELECT ARRAY[p.name_key, p.id::text] FROM page p
                WHERE p.place = $1 AND EXISTS (SELECT FROM page m WHERE m.place > $1)),
               pg_current_snapshot()
        """
    static let parameterTypes: [PostgresType] = [.int8, .text, .uuid]
    typealias Row = PageRow

    var limit: Int
    var after: NamePlace?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int64(limit))
        try parameters.append(after)
    }
}

struct InsertUnit: Statement {
    static let name = "catalog.unit_insert"
    static let sql: StaticString = """
        INSERT INTO stock.unit (tenant_id, id, name, symbol, decimals, external_id)
        VALUES (stock.current_tenant(), $1, normalize($2, NFC), normalize($3, NFC), $4, $5)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .text, .int2, .text]

    var id: UnitID
    var draft: UnitDraft

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(draft.name)
        try parameters.append(draft.symbol)
        try parameters.append(Int16(truncatingIfNeeded: draft.decimals))
        try parameters.append(draft.externalID)
    }
}

/// Refuses what is not there, has another version, or would have fewer decimals than quantities already recorded.
struct GuardUnit: Statement {
    static let name = "catalog.unit_guard"
    static let sql: StaticString = """
        SELECT CASE
                   WHEN u.id IS NULL THEN stock.refuse('not_found', 'There is no such unit.')
                   WHEN NOT (u.version = ANY (coalesce($2, ARRAY[u.version])))
                       THEN stock.refuse('version_mismatch', 'The unit was changed meanwhile. Read it again.')
                   WHEN $3 < u.decimals AND (
                       EXISTS (SELECT FROM stock.product p
                               JOIN stock.stock_movement m ON m.tenant_id = p.tenant_id AND m.product_id = p.id
                               WHERE p.tenant_id = u.tenant_id AND p.unit_id = u.id AND min_scale(m.quantity) > $3)
                    OR EXISTS (SELECT FROM stock.product p
                               JOIN stock.sale_line l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
                               WHERE p.tenant_id = u.tenant_id AND p.unit_id = u.id AND min_scale(l.quantity) > $3)
                    OR EXISTS (SELECT FROM stock.product p
                               JOIN stock.sale_return_line r ON r.tenant_id = p.tenant_id AND r.product_id = p.id
                               WHERE p.tenant_id = u.tenant_id AND p.unit_id = u.id AND min_scale(r.quantity) > $3)
                    OR EXISTS (SELECT FROM stock.product p
                               WHERE p.tenant_id = u.tenant_id AND p.unit_id = u.id AND min_scale(p.min_stock) > $3))
                       THEN stock.refuse_field('invalid_state', '/decimals', 'Quantities with more decimals are recorded.')
               END
        FROM (SELECT 1) one
        LEFT JOIN (SELECT * FROM stock.unit
                   WHERE tenant_id = stock.current_tenant() AND id = $1 FOR NO KEY UPDATE) u ON true
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int8Array, .int4]

    var id: UnitID
    var decimals: Int?
    var expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(expected.parameter)
        try parameters.append(decimals.map { Int32(truncatingIfNeeded: $0) })
    }
}

struct UpdateUnit: Statement {
    static let name = "catalog.unit_update"
    static let sql: StaticString = """
        UPDATE stock.unit u
        SET name = coalesce(normalize($2, NFC), u.name),
            symbol = coalesce(normalize($3, NFC), u.symbol),
            decimals = coalesce($4, u.decimals),
            external_id = CASE WHEN $5 THEN $6 ELSE u.external_id END,
            version = u.version + 1,
            updated_at = now()
        WHERE u.tenant_id = stock.current_tenant() AND u.id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .text, .int2, .bool, .text]

    var id: UnitID
    var patch: UnitPatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(patch.name.newValue)
        try parameters.append(patch.symbol.newValue)
        try parameters.append(patch.decimals.newValue.map { Int16(truncatingIfNeeded: $0) })
        try parameters.append(patch.externalID.isSet)
        try parameters.append(patch.externalID.newValue ?? nil)
    }
}

struct DeleteUnit: Statement {
    static let name = "catalog.unit_delete"
    static let sql: StaticString = """
        DELETE FROM stock.unit WHERE tenant_id = stock.current_tenant() AND id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var id: UnitID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// The unit as it is now, kept beside the key if there is one.
struct AnswerUnit: Statement {
    static let name = "catalog.unit_answer"
    static let sql: StaticString = """
        SELECT $5::integer,
               stock.idempotency_finish($1, $2, $3, $5,
                   json_build_object('etag', a.etag, 'location', a.location)::text, a.body, $4),
               a.etag, a.location
        FROM (
            SELECT b.body, '"' || (b.body::json ->> 'version') || '"' AS etag,
                   CASE WHEN $5 = 201 THEN '/v1/units/' || $4 END AS location
            FROM (SELECT stock.unit_body(stock.current_tenant(), $4) AS body) b
        ) a
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea, .uuid, .int4]
    typealias Row = AnswerRow

    var id: UnitID
    var status: Int32
    var key: IdempotencyKey?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(key)
        try parameters.append(id)
        try parameters.append(status)
    }
}

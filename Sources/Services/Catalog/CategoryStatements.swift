import Kernel
import Postgres

// A category's entity tag holds its count of products, because its body does.

struct ReadCategory: Statement {
    static let name = "catalog.category"
    static let sql: StaticString = """
        SELECT b.body, '"' || (b.body::json ->> 'version') || '.' || (b.body::json ->> 'product_count') || '"',
               pg_current_snapshot()
        FROM (SELECT stock.category_body(stock.current_tenant(), $1) AS body) b
        """
    static let parameterTypes: [PostgresType] = [.uuid]
    typealias Row = BodyRow

    var id: CategoryID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

struct ListCategories: Statement {
    static let name = "catalog.categories"
    static let sql: StaticString = """
        WITH page AS MATERIALIZED (
            SELECT c.tenant_id, c.id, c.name_key, row_number() OVER (ORDER BY c.name_key, c.id) AS place
            FROM stock.category c
            WHERE c.tenant_id = stock.current_tenant()
              AND ($2::text IS NULL OR (c.name_key, c.id) > ($2, $3))
            ORDER BY c.name_key, c.id
            LIMIT $1 + 1
        )
        SELECT (SELECT string_agg(stock.category_body(p.tenant_id, p.id), ',' ORDER BY p.place)
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

struct InsertCategory: Statement {
    static let name = "catalog.category_insert"
    static let sql: StaticString = """
        INSERT INTO stock.category (tenant_id, id, name, parent_id, active, external_id)
        VALUES (stock.current_tenant(), $1, normalize($2, NFC), $3, $4, $5)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .uuid, .bool, .text]

    var id: CategoryID
    var draft: CategoryDraft

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(draft.name)
        try parameters.append(draft.parentID)
        try parameters.append(draft.active)
        try parameters.append(draft.externalID)
    }
}

/// Refuses what is not there, has another version, or would lie within itself.
struct GuardCategory: Statement {
    static let name = "catalog.category_guard"
    static let sql: StaticString = """
        WITH RECURSIVE above AS (
            SELECT c.id, c.parent_id
            FROM stock.category c
            WHERE c.tenant_id = stock.current_tenant() AND c.id = $3
            UNION
            SELECT c.id, c.parent_id
            FROM above a
            JOIN stock.category c ON c.tenant_id = stock.current_tenant() AND c.id = a.parent_id
        )
        SELECT CASE
                   WHEN c.id IS NULL THEN stock.refuse('not_found', 'There is no such category.')
                   WHEN NOT (c.version = ANY (coalesce($2, ARRAY[c.version])))
                       THEN stock.refuse('version_mismatch', 'The category was changed meanwhile. Read it again.')
                   WHEN $1 IN (SELECT a.id FROM above a)
                       THEN stock.refuse_field('validation_failed', '/parent_id', 'A category can not lie within itself.')
               END
        FROM (SELECT 1) one
        LEFT JOIN (SELECT * FROM stock.category
                   WHERE tenant_id = stock.current_tenant() AND id = $1 FOR NO KEY UPDATE) c ON true
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int8Array, .uuid]

    var id: CategoryID
    var parent: CategoryID?
    var expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(expected.parameter)
        try parameters.append(parent)
    }
}

struct UpdateCategory: Statement {
    static let name = "catalog.category_update"
    static let sql: StaticString = """
        UPDATE stock.category c
        SET name = coalesce(normalize($2, NFC), c.name),
            parent_id = CASE WHEN $3 THEN $4 ELSE c.parent_id END,
            active = coalesce($5, c.active),
            external_id = CASE WHEN $6 THEN $7 ELSE c.external_id END,
            version = c.version + 1,
            updated_at = now()
        WHERE c.tenant_id = stock.current_tenant() AND c.id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .bool, .uuid, .bool, .bool, .text]

    var id: CategoryID
    var patch: CategoryPatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(patch.name.newValue)
        try parameters.append(patch.parentID.isSet)
        try parameters.append(patch.parentID.newValue ?? nil)
        try parameters.append(patch.active.newValue)
        try parameters.append(patch.externalID.isSet)
        try parameters.append(patch.externalID.newValue ?? nil)
    }
}

struct DeleteCategory: Statement {
    static let name = "catalog.category_delete"
    static let sql: StaticString = """
        DELETE FROM stock.category WHERE tenant_id = stock.current_tenant() AND id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var id: CategoryID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// The category as it is now, kept beside the key if there is one.
struct AnswerCategory: Statement {
    static let name = "catalog.category_answer"
    static let sql: StaticString = """
        SELECT $5::integer,
               stock.idempotency_finish($1, $2, $3, $5,
                   json_build_object('etag', a.etag, 'location', a.location)::text, a.body, $4),
               a.etag, a.location
        FROM (
            SELECT b.body,
                   '"' || (b.body::json ->> 'version') || '.' || (b.body::json ->> 'product_count') || '"' AS etag,
                   CASE WHEN $5 = 201 THEN '/v1/categories/' || $4 END AS location
            FROM (SELECT stock.category_body(stock.current_tenant(), $4) AS body) b
        ) a
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea, .uuid, .int4]
    typealias Row = AnswerRow

    var id: CategoryID
    var status: Int32
    var key: IdempotencyKey?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(key)
        try parameters.append(id)
        try parameters.append(status)
    }
}

/// The answer to every deletion.
struct AnswerDeleted: Statement {
    static let name = "catalog.deleted"
    static let sql: StaticString = "SELECT 204, NULL::text, NULL::text, NULL::text"
    typealias Row = AnswerRow
}

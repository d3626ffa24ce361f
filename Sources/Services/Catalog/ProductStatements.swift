import Domain
import Kernel
import Postgres

// A product's entity tag is "<version>.<stock version>": its body shows what is on hand.

struct ReadProduct: Statement {
    static let name = "catalog.product"
    static let sql: StaticString = """
        SELECT stock.product_body(stock.current_tenant(), $1),
               (SELECT '"' || p.version || '.' || l.stock_version || '"'
                FROM stock.product p
                JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
                WHERE p.tenant_id = stock.current_tenant() AND p.id = $1),
               pg_current_snapshot()
        """
    static let parameterTypes: [PostgresType] = [.uuid]
    typealias Row = BodyRow

    var id: ProductID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

struct LookUpProducts: Statement {
    static let name = "catalog.lookup"
    static let sql: StaticString = """
        WITH asked AS MATERIALIZED (SELECT stock.search_text($1) AS code)
        SELECT stock.list_body(
                   (SELECT string_agg(stock.product_body(p.tenant_id, p.id), ',' ORDER BY p.status, p.name_key, p.id)
                    FROM stock.product p
                    WHERE p.tenant_id = stock.current_tenant()
                      AND p.id IN (SELECT s.id FROM stock.product s
                                   WHERE s.tenant_id = stock.current_tenant()
                                     AND s.sku_search = (SELECT a.code FROM asked a)
                                   UNION
                                   SELECT b.product_id FROM stock.product_barcode b
                                   WHERE b.tenant_id = stock.current_tenant()
                                     AND b.search_text = (SELECT a.code FROM asked a))),
                   NULL),
               NULL::text, pg_current_snapshot()
        """
    static let parameterTypes: [PostgresType] = [.text]
    typealias Row = BodyRow

    var code: ProductCode

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(code.text) }
}

extension Parameters {
    /// Binds the filters of a list of products: `text, text, uuid, text, text`.
    fileprivate mutating func append(_ filter: ProductFilter) throws(PostgresError) {
        try append(filter.q?.text)
        try append(filter.barcode?.text)
        try append(filter.categoryID)
        try append(filter.stock)
        try append(filter.status)
    }
}

/// Products by name, as `stock.product_page` finds them.
struct ListProductsByName: Statement {
    static let name = "catalog.products_by_name"
    static let sql: StaticString = """
        WITH placed AS (
            SELECT p.id, p.name_key, p.place
            FROM stock.product_page($1, $2, $3, $4, $5, $6 + 1, $7, $8) WITH ORDINALITY AS p (id, name_key, place)
        )
        SELECT string_agg(stock.product_body(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $6),
               CASE WHEN count(*) > $6 THEN (
                   SELECT ARRAY[l.name_key, l.id::text] FROM placed l WHERE l.place = $6) END,
               pg_current_snapshot()
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .uuid, .text, .text, .int4, .text, .uuid]
    typealias Row = PageRow

    var filter: ProductFilter
    var limit: Int
    var after: NamePlace?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(after)
    }
}

// In every other order all that may be it are read and sorted: without words all of the tenant's products. A word that is not in the
// product's own text may be in one of its barcodes; they are found by their product, and coalesce keeps the index by which codes
// are looked up from being taken for that.

/// Products in every other order: the sort text is made so that it orders as the value does.
struct ListProducts: Statement {
    static let name = "catalog.products"
    static let sql: StaticString = """
        WITH asked AS MATERIALIZED (
            SELECT string_to_array(stock.search_text($1), ' ') AS words, stock.search_text($2) AS barcode
        ), found AS (
            SELECT p.* FROM stock.product p WHERE p.tenant_id = stock.current_tenant() AND $1::text IS NULL
            UNION ALL
            SELECT p.*
            FROM asked a,
                 unnest(stock.product_candidates(a.words, '', '00000000-0000-0000-0000-000000000000')) AS c (id),
                 LATERAL (SELECT o.* FROM stock.product o
                          WHERE o.tenant_id = stock.current_tenant() AND o.id = c.id OFFSET 0) p
            WHERE $1::text IS NOT NULL
        ), sorted AS (
            SELECT p.tenant_id, p.id,
                   CASE $9
                       WHEN 'sku' THEN coalesce(p.sku_key, '')
                       WHEN 'price' THEN to_char(p.price, 'FM000000000000.000000')
                       WHEN 'created_at' THEN to_char(p.created_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
                       WHEN 'on_hand' THEN to_char(l.on_hand + 1000000000000, 'FM0000000000000.000000')
                       ELSE p.name_key
                   END COLLATE "C" AS sort_key
            FROM found p
            JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
            WHERE ($1::text IS NULL OR NOT EXISTS (
                      SELECT FROM unnest((SELECT a.words FROM asked a)) AS w (word)
                      WHERE strpos(p.search_text, w.word) = 0
                        AND NOT EXISTS (SELECT FROM stock.product_barcode b
                                        WHERE b.tenant_id = p.tenant_id AND b.product_id = p.id
                                          AND strpos(coalesce(b.search_text, ''), w.word) > 0)))
              AND ($2::text IS NULL OR EXISTS (SELECT FROM stock.product_barcode b
                                               WHERE b.tenant_id = p.tenant_id AND b.product_id = p.id
                                                 AND b.search_text = (SELECT a.barcode FROM asked a)))
              AND ($3::uuid IS NULL OR p.category_id = $3)
              AND ($4::text IS NULL OR $4 = CASE WHEN NOT p.tracks_stock THEN 'ok' WHEN l.on_hand <= 0 THEN 'out'
                                                 WHEN l.on_hand <= p.min_stock THEN 'low' ELSE 'ok' END)
              AND ($5::text IS NULL OR p.status = $5)
        ), page AS MATERIALIZED (
            SELECT s.tenant_id, s.id, s.sort_key,
                   row_number() OVER (ORDER BY CASE WHEN NOT $10 THEN s.sort_key END,
                                               CASE WHEN $10 THEN s.sort_key END DESC, s.id) AS place
            FROM sorted s
            WHERE $7::text IS NULL
               OR CASE WHEN $10 THEN s.sort_key < $7 COLLATE "C" ELSE s.sort_key > $7 COLLATE "C" END
               OR s.sort_key = $7 AND s.id > $8
            ORDER BY place
            LIMIT $6 + 1
        )
        SELECT (SELECT string_agg(stock.product_body(p.tenant_id, p.id), ',' ORDER BY p.place)
                FROM page p WHERE p.place <= $6),
               (SELECT ARRAY[p.sort_key, p.id::text] FROM page p
                WHERE p.place = $6 AND EXISTS (SELECT FROM page m WHERE m.place > $6)),
               pg_current_snapshot()
        """
    static let parameterTypes: [PostgresType] = [
        .text, .text, .uuid, .text, .text, .int8, .text, .uuid, .text, .bool,
    ]
    typealias Row = PageRow

    var filter: ProductFilter
    var limit: Int
    var after: NamePlace?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter)
        try parameters.append(Int64(limit))
        try parameters.append(after)
        let sort = filter.sort.rawValue
        let isDescending = sort.hasPrefix("-")
        try parameters.append(isDescending ? String(sort.dropFirst()) : sort)
        try parameters.append(isDescending)
    }
}

/// Refuses a new product whose figures do not fit its unit, or that has no unit to be sold by.
struct GuardNewProduct: Statement {
    static let name = "catalog.product_guard_new"
    static let sql: StaticString = """
        SELECT CASE
                   WHEN u.id IS NULL
                       THEN stock.refuse_field('validation_failed', '/unit_id', 'There is no such unit.')
                   WHEN $3 IS NOT NULL AND NOT EXISTS (SELECT FROM stock.category c
                                                       WHERE c.tenant_id = stock.current_tenant() AND c.id = $3)
                       THEN stock.refuse_field('validation_failed', '/category_id', 'There is no such category.')
                   WHEN min_scale($2) > u.decimals
                       THEN stock.refuse_field('quantity_precision', '/min_stock',
                                               format('The unit allows %s decimals.', u.decimals))
               END
        FROM (SELECT 1) one
        LEFT JOIN (SELECT n.id, n.decimals FROM stock.unit n
                   WHERE n.tenant_id = stock.current_tenant() AND ($1 IS NULL OR n.id = $1)
                   ORDER BY n.created_at, n.id
                   LIMIT 1) u ON true
        """
    static let parameterTypes: [PostgresType] = [.uuid, .numeric, .uuid]

    var draft: ProductDraft

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(draft.unitID)
        try parameters.append(draft.minStock)
        try parameters.append(draft.categoryID)
    }
}

struct InsertProduct: Statement {
    static let name = "catalog.product_insert"
    static let sql: StaticString = """
        INSERT INTO stock.product (tenant_id, id, sku, name, category_id, unit_id, price, tax_rate, tracks_stock,
                                   oversell, min_stock, status, external_id)
        SELECT stock.current_tenant(), $1, normalize($2, NFC), normalize($3, NFC), $4,
               coalesce($5, (SELECT u.id FROM stock.unit u
                             WHERE u.tenant_id = stock.current_tenant()
                             ORDER BY u.created_at, u.id
                             LIMIT 1)),
               $6, $7, $8, $9, $10, $11, $12
        """
    static let parameterTypes: [PostgresType] = [
        .uuid, .text, .text, .uuid, .uuid, .numeric, .numeric, .bool, .text, .numeric, .text, .text,
    ]

    var id: ProductID
    var draft: ProductDraft

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(draft.sku)
        try parameters.append(draft.name)
        try parameters.append(draft.categoryID)
        try parameters.append(draft.unitID)
        try parameters.append(draft.price)
        try parameters.append(draft.taxRate)
        try parameters.append(draft.tracksStock)
        try parameters.append(draft.oversell)
        try parameters.append(draft.minStock)
        try parameters.append(draft.status)
        try parameters.append(draft.externalID)
    }
}

/// Refuses a product that is not there or has another version, and locks it.
struct GuardProduct: Statement {
    static let name = "catalog.product_guard"
    static let sql: StaticString = """
        SELECT CASE
                   WHEN p.id IS NULL THEN stock.refuse('not_found', 'There is no such product.')
                   WHEN NOT (p.version = ANY (coalesce($2, ARRAY[p.version])))
                       THEN stock.refuse('version_mismatch', 'The product was changed meanwhile. Read it again.')
               END
        FROM (SELECT 1) one
        LEFT JOIN (SELECT * FROM stock.product
                   WHERE tenant_id = stock.current_tenant() AND id = $1 FOR NO KEY UPDATE) p ON true
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int8Array]

    var id: ProductID
    var expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(expected.parameter)
    }
}

/// Refuses changes of what a document has fixed, and figures that do not fit the unit.
struct GuardProductFields: Statement {
    static let name = "catalog.product_guard_fields"
    static let sql: StaticString = """
        SELECT CASE
                   WHEN $2 <> p.unit_id AND stock.product_is_named(p.id)
                       THEN stock.refuse_field('invalid_state', '/unit_id', 'A document names the product: its unit is fixed.')
                   WHEN $3 <> p.tracks_stock AND stock.product_is_named(p.id)
                       THEN stock.refuse_field('invalid_state', '/tracks_stock',
                                               'A document names the product: whether it tracks stock is fixed.')
                   WHEN u.id IS NULL
                       THEN stock.refuse_field('validation_failed', '/unit_id', 'There is no such unit.')
                   WHEN $5 IS NOT NULL AND NOT EXISTS (SELECT FROM stock.category c
                                                       WHERE c.tenant_id = stock.current_tenant() AND c.id = $5)
                       THEN stock.refuse_field('validation_failed', '/category_id', 'There is no such category.')
                   WHEN min_scale(coalesce($4, p.min_stock)) > u.decimals
                       THEN stock.refuse_field('quantity_precision', '/min_stock',
                                               format('The unit allows %s decimals.', u.decimals))
               END
        FROM stock.product p
        LEFT JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = coalesce($2, p.unit_id)
        WHERE p.tenant_id = stock.current_tenant() AND p.id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .bool, .numeric, .uuid]

    var id: ProductID
    var patch: ProductPatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(patch.unitID.newValue)
        try parameters.append(patch.tracksStock.newValue)
        try parameters.append(patch.minStock.newValue)
        try parameters.append(patch.categoryID.newValue ?? nil)
    }
}

struct UpdateProduct: Statement {
    static let name = "catalog.product_update"
    static let sql: StaticString = """
        UPDATE stock.product p
        SET sku = CASE WHEN $2 THEN normalize($3, NFC) ELSE p.sku END,
            name = coalesce(normalize($4, NFC), p.name),
            category_id = CASE WHEN $5 THEN $6 ELSE p.category_id END,
            unit_id = coalesce($7, p.unit_id),
            price = coalesce($8, p.price),
            tax_rate = coalesce($9, p.tax_rate),
            tracks_stock = coalesce($10, p.tracks_stock),
            oversell = coalesce($11, p.oversell),
            min_stock = coalesce($12, p.min_stock),
            status = coalesce($13, p.status),
            external_id = CASE WHEN $14 THEN $15 ELSE p.external_id END,
            version = p.version + 1,
            updated_at = now()
        WHERE p.tenant_id = stock.current_tenant() AND p.id = $1
        """
    static let parameterTypes: [PostgresType] = [
        .uuid, .bool, .text, .text, .bool, .uuid, .uuid, .numeric, .numeric, .bool, .text, .numeric, .text, .bool,
        .text,
    ]

    var id: ProductID
    var patch: ProductPatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(patch.sku.isSet)
        try parameters.append(patch.sku.newValue ?? nil)
        try parameters.append(patch.name.newValue)
        try parameters.append(patch.categoryID.isSet)
        try parameters.append(patch.categoryID.newValue ?? nil)
        try parameters.append(patch.unitID.newValue)
        try parameters.append(patch.price.newValue)
        try parameters.append(patch.taxRate.newValue)
        try parameters.append(patch.tracksStock.newValue)
        try parameters.append(patch.oversell.newValue)
        try parameters.append(patch.minStock.newValue)
        try parameters.append(patch.status.newValue)
        try parameters.append(patch.externalID.isSet)
        try parameters.append(patch.externalID.newValue ?? nil)
    }
}

/// Makes a product's barcodes exactly these.
struct ReplaceBarcodes: Statement {
    static let name = "catalog.barcodes"
    static let sql: StaticString = """
        WITH wanted AS (
            SELECT DISTINCT normalize(w.code, NFC) AS code FROM unnest($2) AS w (code)
        ), gone AS (
            DELETE FROM stock.product_barcode b
            WHERE b.tenant_id = stock.current_tenant() AND b.product_id = $1
              AND b.code NOT IN (SELECT w.code FROM wanted w)
        )
        INSERT INTO stock.product_barcode (tenant_id, product_id, code)
        SELECT stock.current_tenant(), $1, w.code
        FROM wanted w
        ON CONFLICT DO NOTHING
        """
    static let parameterTypes: [PostgresType] = [.uuid, .textArray]

    var id: ProductID
    var codes: [String]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(codes)
    }
}

struct DeleteProduct: Statement {
    static let name = "catalog.product_delete"
    static let sql: StaticString = """
        DELETE FROM stock.product WHERE tenant_id = stock.current_tenant() AND id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var id: ProductID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// The product as it is now, kept beside the key if there is one.
struct AnswerProduct: Statement {
    static let name = "catalog.product_answer"
    static let sql: StaticString = """
        SELECT $5::integer,
               stock.idempotency_finish($1, $2, $3, $5,
                   json_build_object('etag', a.etag, 'location', a.location)::text, a.body, $4),
               a.etag, a.location
        FROM (
            SELECT stock.product_body(p.tenant_id, p.id) AS body,
                   '"' || p.version || '.' || l.stock_version || '"' AS etag,
                   CASE WHEN $5 = 201 THEN '/v1/products/' || p.id END AS location
            FROM stock.product p
            JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
            WHERE p.tenant_id = stock.current_tenant() AND p.id = $4
        ) a
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea, .uuid, .int4]
    typealias Row = AnswerRow

    var id: ProductID
    var status: Int32
    var key: IdempotencyKey?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(key)
        try parameters.append(id)
        try parameters.append(status)
    }
}

import Domain
import Kernel
import Postgres

/// A batch of products by columns, as its statements take it.
struct ProductBatch: Sendable {
    /// The ids of those that turn out to be new.
    let ids: [ProductID]
    let upserts: [ProductUpsert]
    /// Barcodes of all rows, flat, beside the row they belong to; rows that keep theirs are not among them.
    let barcodeRows: [Int32]
    let barcodes: [String]

    init(_ upserts: [ProductUpsert], ids: [ProductID]) {
        self.upserts = upserts
        self.ids = ids
        var rows: [Int32] = []
        var codes: [String] = []
        for (index, upsert) in upserts.enumerated() {
            for code in upsert.barcodes ?? [] {
                rows.append(Int32(truncatingIfNeeded: index + 1))
                codes.append(code)
            }
        }
        barcodeRows = rows
        barcodes = codes
    }
}

extension Parameters {
    /// Binds what finds the rows: `uuid[] new ids, text[] skus, text[] external ids`.
    fileprivate mutating func appendKeys(_ batch: ProductBatch) throws(PostgresError) {
        try append(batch.ids)
        try append(batch.upserts.map(\.sku))
        try append(batch.upserts.map(\.externalID))
    }

    /// Binds the fields: `text[], uuid[], uuid[], numeric[], numeric[], bool[], text[], numeric[], text[]`.
    fileprivate mutating func appendFields(_ batch: ProductBatch) throws(PostgresError) {
        try append(batch.upserts.map(\.name))
        try append(batch.upserts.map(\.categoryID))
        try append(batch.upserts.map(\.unitID))
        try append(batch.upserts.map(\.price))
        try append(batch.upserts.map(\.taxRate))
        try append(batch.upserts.map(\.tracksStock))
        try append(batch.upserts.map { $0.oversell?.rawValue })
        try append(batch.upserts.map(\.minStock))
        try append(batch.upserts.map { $0.status?.rawValue })
    }
}

/// Refuses the batch with every row that cannot be applied.
struct GuardBatch: Statement {
    static let name = "catalog.batch_guard"
    static let sql: StaticString = """
        WITH wanted AS (
            SELECT w.sku, w.external_id, w.name, w.category_id, w.unit_id, w.price, w.tracks_stock, w.min_stock,
                   w.n - 1 AS place
            FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
                WITH ORDINALITY AS w (sku, external_id, name, category_id, unit_id, price, tracks_stock, min_stock, n)
        ), found AS (
            SELECT w.*, p.id AS product_id, p.unit_id AS old_unit, p.tracks_stock AS old_tracks
            FROM wanted w
            LEFT JOIN LATERAL (
                SELECT p.id, p.unit_id, p.tracks_stock
                FROM stock.product p
                WHERE p.tenant_id = stock.current_tenant()
                  AND (p.external_id = w.external_id OR p.sku_key = stock.folded(w.sku))
                ORDER BY (p.external_id = w.external_id) DESC NULLS LAST
                LIMIT 1
            ) p ON true
        ), checked AS (
            SELECT f.place, v.field, v.code, v.sentence
            FROM found f
            LEFT JOIN stock.unit u ON u.tenant_id = stock.current_tenant() AND u.id = coalesce(f.unit_id, f.old_unit,
                (SELECT n.id FROM stock.unit n WHERE n.tenant_id = stock.current_tenant()
                 ORDER BY n.created_at, n.id LIMIT 1)),
            LATERAL (VALUES
                (f.product_id IS NULL AND f.name IS NULL, '/name', 'required', 'A new product needs a name.'),
                (f.product_id IS NULL AND f.price IS NULL, '/price', 'required', 'A new product needs a price.'),
                (u.id IS NULL, '/unit_id', 'not_found', 'There is no such unit.'),
                (f.category_id IS NOT NULL AND NOT EXISTS (
                     SELECT FROM stock.category c WHERE c.tenant_id = stock.current_tenant() AND c.id = f.category_id),
                 '/category_id', 'not_found', 'There is no such category.'),
                (min_scale(f.min_stock) > u.decimals, '/min_stock', 'quantity_precision',
                 format('The unit allows %s decimals.', u.decimals)),
                (EXISTS (SELECT FROM found o
                         WHERE o.place < f.place
                           AND (o.external_id = f.external_id OR stock.folded(o.sku) = stock.folded(f.sku)
                                OR o.product_id = f.product_id)),
                 '', 'duplicate', 'The product is named twice.'),
                ((f.unit_id <> f.old_unit OR f.tracks_stock <> f.old_tracks)
                 AND (EXISTS (SELECT FROM stock.stock_movement m
                              WHERE m.tenant_id = stock.current_tenant() AND m.product_id = f.product_id)
                      OR EXISTS (SELECT FROM stock.sale_line l
                                 WHERE l.tenant_id = stock.current_tenant() AND l.product_id = f.product_id)),
                 '/unit_id', 'invalid_state', 'A document names the product: its unit and tracking are fixed.')
            ) AS v (holds, field, code, sentence)
            WHERE v.holds
        )
        SELECT stock.refuse('validation_failed', 'Some products can not be applied.',
                            json_agg(json_build_object('pointer', '/products/' || c.place || c.field, 'code', c.code,
                                                       'detail', c.sentence) ORDER BY c.place))
        FROM checked c
        HAVING count(*) > 0
        """
    static let parameterTypes: [PostgresType] = [
        .textArray, .textArray, .textArray, .uuidArray, .uuidArray, .numericArray, .boolArray, .numericArray,
    ]

    var batch: ProductBatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(batch.upserts.map(\.sku))
        try parameters.append(batch.upserts.map(\.externalID))
        try parameters.append(batch.upserts.map(\.name))
        try parameters.append(batch.upserts.map(\.categoryID))
        try parameters.append(batch.upserts.map(\.unitID))
        try parameters.append(batch.upserts.map(\.price))
        try parameters.append(batch.upserts.map(\.tracksStock))
        try parameters.append(batch.upserts.map(\.minStock))
    }
}

/// Inserts those that match no row.
struct InsertBatch: Statement {
    static let name = "catalog.batch_insert"
    static let sql: StaticString = """
        INSERT INTO stock.product (tenant_id, id, sku, external_id, name, category_id, unit_id, price, tax_rate,
                                   tracks_stock, oversell, min_stock, status)
        SELECT stock.current_tenant(), w.id, normalize(w.sku, NFC), w.external_id, normalize(w.name, NFC), w.category_id,
               coalesce(w.unit_id, (SELECT u.id FROM stock.unit u
                                    WHERE u.tenant_id = stock.current_tenant()
                                    ORDER BY u.created_at, u.id
                                    LIMIT 1)),
               w.price, coalesce(w.tax_rate, 0), coalesce(w.tracks_stock, true), coalesce(w.oversell, 'inherit'),
               coalesce(w.min_stock, 0), coalesce(w.status, 'active')
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            AS w (id, sku, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock, oversell, min_stock,
                  status)
        WHERE NOT EXISTS (SELECT FROM stock.product p
                          WHERE p.tenant_id = stock.current_tenant()
                            AND (p.external_id = w.external_id OR p.sku_key = stock.folded(w.sku)))
        """
    static let parameterTypes = BatchColumns.all

    var batch: ProductBatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.appendKeys(batch)
        try parameters.appendFields(batch)
    }
}

/// Updates those that match a row which differs: an unchanged row writes nothing.
struct UpdateBatch: Statement {
    static let name = "catalog.batch_update"
    static let sql: StaticString = """
        UPDATE stock.product p
        SET sku = n.sku, external_id = n.external_id, name = n.name, category_id = n.category_id, unit_id = n.unit_id,
            price = n.price, tax_rate = n.tax_rate, tracks_stock = n.tracks_stock, oversell = n.oversell,
            min_stock = n.min_stock, status = n.status, version = p.version + 1, updated_at = now()
        FROM (
            SELECT o.id, coalesce(normalize(w.sku, NFC), o.sku) AS sku,
                   coalesce(w.external_id, o.external_id) AS external_id,
                   coalesce(normalize(w.name, NFC), o.name) AS name,
                   coalesce(w.category_id, o.category_id) AS category_id, coalesce(w.unit_id, o.unit_id) AS unit_id,
                   coalesce(w.price, o.price) AS price, coalesce(w.tax_rate, o.tax_rate) AS tax_rate,
                   coalesce(w.tracks_stock, o.tracks_stock) AS tracks_stock,
                   coalesce(w.oversell, o.oversell) AS oversell, coalesce(w.min_stock, o.min_stock) AS min_stock,
                   coalesce(w.status, o.status) AS status
            FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                AS w (id, sku, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock, oversell,
                      min_stock, status)
            JOIN LATERAL (
                SELECT o.*
                FROM stock.product o
                WHERE o.tenant_id = stock.current_tenant()
                  AND (o.external_id = w.external_id OR o.sku_key = stock.folded(w.sku))
                ORDER BY (o.external_id = w.external_id) DESC NULLS LAST
                LIMIT 1
            ) o ON o.id <> w.id
        ) n
        WHERE p.tenant_id = stock.current_tenant() AND p.id = n.id
          AND (p.sku, p.external_id, p.name, p.category_id, p.unit_id, p.price, p.tax_rate, p.tracks_stock, p.oversell,
               p.min_stock, p.status)
              IS DISTINCT FROM
              (n.sku, n.external_id, n.name, n.category_id, n.unit_id, n.price, n.tax_rate, n.tracks_stock, n.oversell,
               n.min_stock, n.status)
        """
    static let parameterTypes = BatchColumns.all

    var batch: ProductBatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.appendKeys(batch)
        try parameters.appendFields(batch)
    }
}

/// Makes the barcodes of the rows that name them exactly these.
struct BatchBarcodes: Statement {
    static let name = "catalog.batch_barcodes"
    static let sql: StaticString = """
        WITH wanted AS (
            SELECT o.id, w.place
            FROM unnest($1, $2, $4) WITH ORDINALITY AS w (sku, external_id, replaces, place)
            JOIN LATERAL (
                SELECT o.id
                FROM stock.product o
                WHERE o.tenant_id = stock.current_tenant()
                  AND (o.external_id = w.external_id OR o.sku_key = stock.folded(w.sku))
                ORDER BY (o.external_id = w.external_id) DESC NULLS LAST
                LIMIT 1
            ) o ON true
            WHERE w.replaces
        ), codes AS (
            SELECT DISTINCT w.id, normalize(c.code, NFC) AS code
            FROM unnest($3, $5) AS c (place, code)
            JOIN wanted w ON w.place = c.place
        ), gone AS (
            DELETE FROM stock.product_barcode b
            USING wanted w
            WHERE b.tenant_id = stock.current_tenant() AND b.product_id = w.id
              AND NOT EXISTS (SELECT FROM codes c WHERE c.id = w.id AND c.code = b.code)
        )
        INSERT INTO stock.product_barcode (tenant_id, product_id, code)
        SELECT stock.current_tenant(), c.id, c.code
        FROM codes c
        WHERE NOT EXISTS (SELECT FROM stock.product_barcode b
                          WHERE b.tenant_id = stock.current_tenant() AND b.product_id = c.id AND b.code = c.code)
        """
    static let parameterTypes: [PostgresType] = [.textArray, .textArray, .int4Array, .boolArray, .textArray]

    var batch: ProductBatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(batch.upserts.map(\.sku))
        try parameters.append(batch.upserts.map(\.externalID))
        try parameters.append(batch.barcodeRows)
        try parameters.append(batch.upserts.map { $0.barcodes != nil })
        try parameters.append(batch.barcodes)
    }
}

/// Gives a new version to products of which only the barcodes will change, as their bodies do.
struct TouchBatch: Statement {
    static let name = "catalog.batch_touch"
    static let sql: StaticString = """
        WITH wanted AS (
            SELECT o.id, w.place
            FROM unnest($1, $2, $4) WITH ORDINALITY AS w (sku, external_id, replaces, place)
            JOIN LATERAL (
                SELECT o.id
                FROM stock.product o
                WHERE o.tenant_id = stock.current_tenant()
                  AND (o.external_id = w.external_id OR o.sku_key = stock.folded(w.sku))
                ORDER BY (o.external_id = w.external_id) DESC NULLS LAST
                LIMIT 1
            ) o ON true
            WHERE w.replaces
        )
        UPDATE stock.product p
        SET version = p.version + 1, updated_at = now()
        FROM wanted w
        WHERE p.tenant_id = stock.current_tenant() AND p.id = w.id AND p.updated_at <> now()
          AND (SELECT array_agg(b.code ORDER BY b.code) FROM stock.product_barcode b
               WHERE b.tenant_id = p.tenant_id AND b.product_id = p.id)
              IS DISTINCT FROM
              (SELECT array_agg(DISTINCT normalize(c.code, NFC)) FROM unnest($3, $5) AS c (place, code)
               WHERE c.place = w.place)
        """
    static let parameterTypes: [PostgresType] = [.textArray, .textArray, .int4Array, .boolArray, .textArray]

    var batch: ProductBatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(batch.upserts.map(\.sku))
        try parameters.append(batch.upserts.map(\.externalID))
        try parameters.append(batch.barcodeRows)
        try parameters.append(batch.upserts.map { $0.barcodes != nil })
        try parameters.append(batch.barcodes)
    }
}

/// What became of every row, in the order of the request.
struct AnswerBatch: Statement {
    static let name = "catalog.batch_answer"
    static let sql: StaticString = """
        SELECT 200,
               stock.idempotency_finish($1, $2, $3, 200, NULL, b.body, NULL),
               NULL::text, NULL::text
        FROM (
            SELECT stock.list_body(string_agg((SELECT row_to_json(r)::text FROM (
                       SELECT o.id, o.sku, o.external_id,
                              CASE WHEN o.id = w.id THEN 'created' WHEN o.updated_at = now() THEN 'updated'
                                   ELSE 'unchanged' END AS outcome,
                              o.version
                   ) r), ',' ORDER BY w.place), NULL) AS body
            FROM unnest($4, $5, $6) WITH ORDINALITY AS w (id, sku, external_id, place)
            JOIN LATERAL (
                SELECT o.*
                FROM stock.product o
                WHERE o.tenant_id = stock.current_tenant()
                  AND (o.external_id = w.external_id OR o.sku_key = stock.folded(w.sku))
                ORDER BY (o.external_id = w.external_id) DESC NULLS LAST
                LIMIT 1
            ) o ON true
        ) b
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea, .uuidArray, .textArray, .textArray]
    typealias Row = AnswerRow

    var batch: ProductBatch
    var key: IdempotencyKey?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(key)
        try parameters.appendKeys(batch)
    }
}

/// The columns of a batch, in the order its statements take them.
private enum BatchColumns {
    static let all: [PostgresType] = [
        .uuidArray, .textArray, .textArray, .textArray, .uuidArray, .uuidArray, .numericArray, .numericArray,
        .boolArray,
        .textArray, .numericArray, .textArray,
    ]
}

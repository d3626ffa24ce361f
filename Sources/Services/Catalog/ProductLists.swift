import Domain
import Kernel
import Postgres

/// Every product with a SKU or barcode, never silently the first, and what the code stands for.
struct LookUpProducts: Statement {
    static let name = "catalog.lookup"
    static let sql: SQL = """
        SELECT stock.scanned_page($1, $2, $3, $4, $5, $6, $7), NULL::text, pg_current_snapshot()
        """
    static let parameterTypes: [PostgresType] = [.text, .textArray, .numeric, .numeric, .text, .date, .text]
    typealias Row = BodyRow

    let code: ScannedCode

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(code.text)
        try parameters.append(code.others)
        try parameters.append(code.quantity)
        try parameters.append(code.amount)
        try parameters.append(code.lot)
        try parameters.append(code.expiresOn)
        try parameters.append(code.fault?.detail)
    }
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
    static let sql: SQL = """
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
    static let sql: SQL = """
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

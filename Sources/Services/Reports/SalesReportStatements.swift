import Domain
import Kernel
import Postgres

/// The products that sold most.
struct ReadTopProducts: Statement {
    static let name = "reports.top_products"
    static let sql: SQL = """
        SELECT row_to_json(r)::text, NULL::text, pg_current_snapshot()
        FROM (
            SELECT $1 AS "from", $2 AS "to", $3 AS by, t.currency,
                   (SELECT coalesce(json_agg((SELECT row_to_json(f) FROM (
                               SELECT p.id AS product_id, p.sku, p.name, e.*
                               FROM stock.earned(s.quantity, s.returned, s.revenue, s.cost, t.currency_exponent) e
                           ) f) ORDER BY s.place), '[]')
                    FROM (SELECT o.*, row_number() OVER () AS place
                          FROM (SELECT s.* FROM stock.product_sums($1, $2) s
                                ORDER BY CASE $3 WHEN 'quantity' THEN s.quantity WHEN 'revenue' THEN s.revenue
                                                 ELSE s.revenue - s.cost END DESC, s.product_id
                                LIMIT $4) o) s,
                    LATERAL (SELECT o.id, o.sku, o.name FROM stock.product o
                             WHERE o.tenant_id = t.id AND o.id = s.product_id OFFSET 0) p) AS data
            FROM stock.tenant t
            WHERE t.id = stock.current_tenant()
        ) r
        """
    static let parameterTypes: [PostgresType] = [.date, .date, .text, .int4]
    typealias Row = BodyRow

    var range: BalanceRange
    var rank: TopRank
    var limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(range.from)
        try parameters.append(range.to)
        try parameters.append(rank.rawValue)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// What was left of what came in, by category, the largest first, below the sum of all.
struct ReadCategoryMargins: Statement {
    static let name = "reports.category_margins"
    static let sql: SQL = """
        WITH sums AS MATERIALIZED (
            SELECT s.* FROM stock.category_sums($1, $2) s
        )
        SELECT row_to_json(r)::text, NULL::text, pg_current_snapshot()
        FROM (
            SELECT $1 AS "from", $2 AS "to", t.currency, a.revenue, a.cost, a.margin, a.margin_percent,
                   (SELECT coalesce(json_agg((SELECT row_to_json(f) FROM (
                               SELECT s.category_id, c.name, e.revenue, e.cost, e.margin, e.margin_percent
                               FROM stock.earned(s.quantity, s.returned, s.revenue, s.cost, t.currency_exponent) e
                           ) f) ORDER BY s.revenue - s.cost DESC, s.category_id), '[]')
                    FROM sums s
                    LEFT JOIN LATERAL (SELECT o.name FROM stock.category o
                                       WHERE o.tenant_id = t.id AND o.id = s.category_id OFFSET 0) c ON true) AS data
            FROM stock.tenant t,
                 (SELECT coalesce(sum(s.revenue), 0) AS revenue, coalesce(sum(s.cost), 0) AS cost FROM sums s) x,
            LATERAL stock.earned(0, 0, x.revenue, x.cost, t.currency_exponent) a
            WHERE t.id = stock.current_tenant()
        ) r
        """
    static let parameterTypes: [PostgresType] = [.date, .date]
    typealias Row = BodyRow

    var range: BalanceRange

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(range.from)
        try parameters.append(range.to)
    }
}

/// What was sold by tax, and what of it was undone.
struct ReadTaxes: Statement {
    static let name = "reports.taxes"
    static let sql: SQL = """
        WITH sums AS MATERIALIZED (
            SELECT s.* FROM stock.tax_report($1, $2) s
        )
        SELECT row_to_json(r)::text, NULL::text, pg_current_snapshot()
        FROM (
            SELECT $1 AS "from", $2 AS "to", t.currency,
                   stock.money_text((SELECT coalesce(sum(s.amount - s.deducted_amount), 0) FROM sums s),
                                    t.currency_exponent) AS payable,
                   (SELECT coalesce(json_agg((SELECT row_to_json(f) FROM (
                               SELECT s.name, s.kind, stock.quantity_text(s.rate) AS rate,
                                      CASE s.kind WHEN 'percent' THEN stock.money_text(s.base, t.currency_exponent)
                                                  ELSE stock.quantity_text(s.base) END AS base,
                                      stock.money_text(s.amount, t.currency_exponent) AS amount,
                                      CASE s.kind WHEN 'percent' THEN stock.money_text(s.deducted_base, t.currency_exponent)
                                                  ELSE stock.quantity_text(s.deducted_base) END AS deducted_base,
                                      stock.money_text(s.deducted_amount, t.currency_exponent) AS deducted_amount,
                                      stock.money_text(s.amount - s.deducted_amount, t.currency_exponent) AS payable
                           ) f) ORDER BY s.kind DESC, s.rate DESC, s.name), '[]')
                    FROM sums s) AS data
            FROM stock.tenant t
            WHERE t.id = stock.current_tenant()
        ) r
        """
    static let parameterTypes: [PostgresType] = [.date, .date]
    typealias Row = BodyRow

    var range: BalanceRange

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(range.from)
        try parameters.append(range.to)
    }
}

/// What stock was worth at the end of a day.
struct ReadStockValue: Statement {
    static let name = "reports.stock_value"
    static let sql: SQL = """
        SELECT row_to_json(r)::text, NULL::text, pg_current_snapshot()
        FROM (
            SELECT $1 AS date, t.currency, v.since,
                   CASE WHEN v.since <= $1 THEN stock.money_text(v.value, t.currency_exponent) END AS value
            FROM stock.tenant t,
                 (SELECT min(d.business_day) AS since, sum(d.change) FILTER (WHERE d.business_day <= $1) AS value
                  FROM stock.stock_value_day d WHERE d.tenant_id = stock.current_tenant()) v
            WHERE t.id = stock.current_tenant()
        ) r
        """
    static let parameterTypes: [PostgresType] = [.date]
    typealias Row = BodyRow

    var day: BusinessDay

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(day) }
}

/// A page of what is on hand of products that were not sold for long, as `stock.unsold_page` finds it: by id, and perhaps shorter than
/// asked for while more follows.
struct ReadDeadStock: Statement {
    static let name = "reports.dead_stock"
    static let sql: SQL = """
        WITH walk AS MATERIALIZED (
            SELECT stock.unsold_walk($3) AS behind
        ), placed AS MATERIALIZED (
            SELECT s.* FROM walk w, LATERAL stock.unsold_page($1, $3, w.behind, $2 + 1) WITH ORDINALITY
                AS s (product_id, on_hand, cost, last_sold_on, place)
        )
        SELECT (SELECT row_to_json(r)::text FROM (SELECT $1 AS sold_before, t.currency) r),
               (SELECT string_agg((SELECT row_to_json(f)::text FROM (
                           SELECT p.id AS product_id, p.sku, p.name, stock.quantity_text(s.on_hand) AS on_hand,
                                  stock.price_text(s.cost, t.currency_exponent) AS cost,
                                  stock.money_text(s.on_hand * s.cost, t.currency_exponent) AS value, s.last_sold_on
                       ) f), ',' ORDER BY s.place) FILTER (WHERE s.place <= $2)
                FROM placed s,
                LATERAL (SELECT o.id, o.sku, o.name FROM stock.product o
                         WHERE o.tenant_id = t.id AND o.id = s.product_id OFFSET 0) p),
               CASE WHEN (SELECT count(*) FROM placed s) > $2
                    THEN (SELECT ARRAY['', s.product_id::text] FROM placed s WHERE s.place = $2)
                    ELSE (SELECT ARRAY['', w.behind::text] FROM walk w WHERE w.behind IS NOT NULL) END,
               \(.seen)
        FROM stock.tenant t WHERE t.id = stock.current_tenant()
        """
    static let parameterTypes: [PostgresType] = [.date, .int4, .uuid]
    typealias Row = HeadedPageRow

    var before: BusinessDay
    var limit: Int
    var after: EntityID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(before)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(after.map { PostgresUUID(high: $0.high, low: $0.low) })
    }
}

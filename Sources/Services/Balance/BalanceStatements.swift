import Domain
import Kernel
import Postgres

/// Income, expense and net of every period of a range, days without entries included.
struct ReadSeries: Statement {
    static let name = "balance.series"
    static let sql: SQL = """
        WITH sums AS (
            SELECT date_trunc($5, b.business_day::timestamp) AS start, sum(b.income) AS income,
                   sum(b.expense) AS expense
            FROM stock.day_sums($8, $7, $2, $3) b
            WHERE $4 = 'all' OR b.method = $4
            GROUP BY 1
        ), periods AS (
            SELECT g.start, to_char(g.start, $6) AS period
            FROM generate_series(date_trunc($5, $2::timestamp), $3::timestamp, ('1 ' || $5)::interval) AS g (start)
        )
        SELECT row_to_json(r)::text, NULL::text, pg_current_snapshot()
        FROM (
            SELECT $1 AS view, $4 AS method, $7 AS location_id, $8 AS register_id, $2 AS "from", $3 AS "to", t.timezone,
                   t.currency,
                   (SELECT json_agg((SELECT row_to_json(f) FROM (
                               SELECT p.period,
                                      stock.money_text(coalesce(s.income, 0), t.currency_exponent) AS income,
                                      stock.money_text(coalesce(s.expense, 0), t.currency_exponent) AS expense,
                                      stock.money_text(coalesce(s.income, 0) - coalesce(s.expense, 0),
                                                       t.currency_exponent) AS net
                           ) f) ORDER BY p.start)
                    FROM periods p
                    LEFT JOIN sums s ON s.start = p.start) AS data
            FROM stock.tenant t
            WHERE t.id = stock.current_tenant()
        ) r
        """
    static let parameterTypes: [PostgresType] = [.text, .date, .date, .text, .text, .text, .uuid, .uuid]
    typealias Row = BodyRow

    var view: BalanceView
    var range: BalanceRange
    var method: BalanceMethod
    var place: BalancePlace

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(view)
        try parameters.append(range.from)
        try parameters.append(range.to)
        try parameters.append(method.text)
        try parameters.append(view.field)
        try parameters.append(view.format)
        try parameters.append(place.locationID)
        try parameters.append(place.registerID)
    }
}

extension BalanceView {
    /// The field of `date_trunc`; PostgreSQL's weeks begin on Monday, as ISO's do.
    fileprivate var field: String {
        switch self {
        case .daily: "day"
        case .weekly: "week"
        case .monthly: "month"
        case .yearly: "year"
        }
    }

    /// The pattern of `to_char` that names a period.
    fileprivate var format: String {
        switch self {
        case .daily: "YYYY-MM-DD"
        case .weekly: "IYYY-\"W\"IW"
        case .monthly: "YYYY-MM"
        case .yearly: "YYYY"
        }
    }
}

/// The sums of a range, in all and by method, active methods without entries included, in the order of their positions.
struct ReadSummary: Statement {
    static let name = "balance.summary"
    static let sql: SQL = """
        WITH sums AS (
            SELECT b.method, sum(b.income) AS income, sum(b.expense) AS expense
            FROM stock.day_sums($4, $3, $1, $2) b
            GROUP BY b.method
        )
        SELECT row_to_json(r)::text, NULL::text, pg_current_snapshot()
        FROM (
            SELECT $3 AS location_id, $4 AS register_id, $1 AS "from", $2 AS "to", t.timezone, t.currency,
                   stock.money_text(a.income, t.currency_exponent) AS income,
                   stock.money_text(a.expense, t.currency_exponent) AS expense,
                   stock.money_text(a.income - a.expense, t.currency_exponent) AS net,
                   (SELECT coalesce(json_agg((SELECT row_to_json(f) FROM (
                               SELECT m.code AS method,
                                      stock.money_text(coalesce(s.income, 0), t.currency_exponent) AS income,
                                      stock.money_text(coalesce(s.expense, 0), t.currency_exponent) AS expense,
                                      stock.money_text(coalesce(s.income, 0) - coalesce(s.expense, 0),
                                                       t.currency_exponent) AS net
                           ) f) ORDER BY m.position, m.code), '[]')
                    FROM stock.payment_method m LEFT JOIN sums s ON s.method = m.code
                    WHERE m.tenant_id = t.id AND (m.active OR s.method IS NOT NULL)) AS methods
            FROM stock.tenant t,
                 (SELECT coalesce(sum(s.income), 0) AS income, coalesce(sum(s.expense), 0) AS expense FROM sums s) a
            WHERE t.id = stock.current_tenant()
        ) r
        """
    static let parameterTypes: [PostgresType] = [.date, .date, .uuid, .uuid]
    typealias Row = BodyRow

    var range: BalanceRange
    var place: BalancePlace

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(range.from)
        try parameters.append(range.to)
        try parameters.append(place.locationID)
        try parameters.append(place.registerID)
    }
}

/// One day at a glance: what was sold and what came in, beside the day before and that of the week before; what runs out and what is
/// owed are as they are now.
struct ReadDashboard: Statement {
    static let name = "balance.dashboard"
    static let sql: SQL = """
        WITH sums AS (
            SELECT b.method, sum(b.income) AS income, sum(b.expense) AS expense
            FROM stock.balance_day b
            WHERE b.tenant_id = stock.current_tenant() AND b.business_day = $1
            GROUP BY b.method
        ), sales AS MATERIALIZED (
            SELECT s.business_day, extract(hour FROM s.occurred_at AT TIME ZONE t.timezone)::integer AS hour, count(*) AS count,
                   sum(s.total) AS total
            FROM stock.tenant t, (
                -- A business day is at most a day away from the moment's date in UTC.
                SELECT o.business_day, o.occurred_at, o.total FROM stock.sale o
                WHERE o.tenant_id = stock.current_tenant() AND o.business_day IN ($1, $1 - 1) AND o.status = 'confirmed'
                  AND o.occurred_at >= ($1 - 2)::timestamptz AND o.occurred_at < ($1 + 2)::timestamptz
                UNION ALL
                SELECT o.business_day, o.occurred_at, o.total FROM stock.sale o
                WHERE o.tenant_id = stock.current_tenant() AND o.business_day = $1 - 7 AND o.status = 'confirmed'
                  AND o.occurred_at >= ($1 - 8)::timestamptz AND o.occurred_at < ($1 - 5)::timestamptz) s
            WHERE t.id = stock.current_tenant()
            GROUP BY 1, 2
        ), sold AS (
            SELECT coalesce(sum(s.count), 0) AS count, coalesce(sum(s.total), 0) AS total FROM sales s WHERE s.business_day = $1
        ), owed AS (
            -- What customers owe is a total; a sale of nobody is hardly ever due.
            SELECT coalesce((SELECT sum(r.due) FROM stock.receivable r WHERE r.tenant_id = stock.current_tenant()), 0)
                   + coalesce((SELECT sum(s.due) FROM stock.sale s
                               WHERE s.tenant_id = stock.current_tenant() AND s.customer_id IS NULL AND s.due > 0), 0)
                   AS due
        ), levels AS (
            SELECT (SELECT count(*) FROM stock.stock_level l
                    WHERE l.tenant_id = stock.current_tenant() AND l.alert = 'out' AND NOT l.archived) AS out_of_stock,
                   (SELECT count(*) FROM stock.stock_level l
                    WHERE l.tenant_id = stock.current_tenant() AND l.alert = 'low' AND NOT l.archived) AS low_stock
        )
        SELECT row_to_json(r)::text, NULL::text, pg_current_snapshot()
        FROM (
            SELECT $1 AS date, t.timezone, t.currency,
                   sold.count AS sales_count,
                   stock.money_text(sold.total, t.currency_exponent) AS sales_total,
                   stock.money_text(a.income, t.currency_exponent) AS income,
                   stock.money_text(a.expense, t.currency_exponent) AS expense,
                   stock.money_text(a.income - a.expense, t.currency_exponent) AS net,
                   (SELECT coalesce(json_agg((SELECT row_to_json(f) FROM (
                               SELECT m.code AS method,
                                      stock.money_text(coalesce(s.income, 0), t.currency_exponent) AS income,
                                      stock.money_text(coalesce(s.expense, 0), t.currency_exponent) AS expense,
                                      stock.money_text(coalesce(s.income, 0) - coalesce(s.expense, 0),
                                                       t.currency_exponent) AS net
                           ) f) ORDER BY m.position, m.code), '[]')
                    FROM stock.payment_method m LEFT JOIN sums s ON s.method = m.code
                    WHERE m.tenant_id = t.id AND (m.active OR s.method IS NOT NULL)) AS methods,
                   stock.money_text(owed.due, t.currency_exponent) AS receivables,
                   levels.out_of_stock, levels.low_stock,
                   (SELECT json_agg((SELECT row_to_json(f) FROM (
                               SELECT h.hour, coalesce(s.count, 0) AS sales_count,
                                      stock.money_text(coalesce(s.total, 0), t.currency_exponent) AS sales_total
                           ) f) ORDER BY h.hour)
                    FROM generate_series(0, 23) AS h (hour)
                    LEFT JOIN sales s ON s.business_day = $1 AND s.hour = h.hour) AS hours,
                   (SELECT json_object_agg(o.name, (SELECT row_to_json(f) FROM (
                               SELECT o.day AS date, coalesce(s.count, 0) AS sales_count,
                                      stock.money_text(coalesce(s.total, 0), t.currency_exponent) AS sales_total,
                                      stock.money_text(coalesce(m.income, 0), t.currency_exponent) AS income,
                                      stock.money_text(coalesce(m.expense, 0), t.currency_exponent) AS expense,
                                      stock.money_text(coalesce(m.income, 0) - coalesce(m.expense, 0),
                                                       t.currency_exponent) AS net
                           ) f) ORDER BY o.place)
                    FROM (VALUES (1, 'day_before', $1 - 1), (2, 'week_before', $1 - 7)) AS o (place, name, day)
                    LEFT JOIN LATERAL (SELECT sum(x.count) AS count, sum(x.total) AS total FROM sales x
                                       WHERE x.business_day = o.day) s ON true
                    LEFT JOIN LATERAL (SELECT sum(b.income) AS income, sum(b.expense) AS expense FROM stock.balance_day b
                                       WHERE b.tenant_id = t.id AND b.business_day = o.day) m ON true) AS compared
            FROM stock.tenant t, sold, owed, levels,
                 (SELECT coalesce(sum(s.income), 0) AS income, coalesce(sum(s.expense), 0) AS expense FROM sums s) a
            WHERE t.id = stock.current_tenant()
        ) r
        """
    static let parameterTypes: [PostgresType] = [.date]
    typealias Row = BodyRow

    var day: BusinessDay

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(day) }
}

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
            FROM stock.balance_day b
            WHERE b.tenant_id = stock.current_tenant()
              AND b.business_day BETWEEN $2 AND $3
              AND ($4 = 'all' OR b.method = $4)
            GROUP BY 1
        ), periods AS (
            SELECT g.start, to_char(g.start, $6) AS period
            FROM generate_series(date_trunc($5, $2::timestamp), $3::timestamp, ('1 ' || $5)::interval) AS g (start)
        )
        SELECT row_to_json(r)::text, NULL::text, pg_current_snapshot()
        FROM (
            SELECT $1 AS view, $4 AS method, $2 AS "from", $3 AS "to", t.timezone, t.currency,
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
    static let parameterTypes: [PostgresType] = [.text, .date, .date, .text, .text, .text]
    typealias Row = BodyRow

    var view: BalanceView
    var range: BalanceRange
    var method: BalanceMethod

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(view)
        try parameters.append(range.from)
        try parameters.append(range.to)
        try parameters.append(method.text)
        try parameters.append(view.field)
        try parameters.append(view.format)
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
            FROM stock.balance_day b
            WHERE b.tenant_id = stock.current_tenant() AND b.business_day BETWEEN $1 AND $2
            GROUP BY b.method
        )
        SELECT row_to_json(r)::text, NULL::text, pg_current_snapshot()
        FROM (
            SELECT $1 AS "from", $2 AS "to", t.timezone, t.currency,
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
    static let parameterTypes: [PostgresType] = [.date, .date]
    typealias Row = BodyRow

    var range: BalanceRange

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(range.from)
        try parameters.append(range.to)
    }
}

/// One local day at a glance: what was sold, what came in, what runs out, what is owed.
struct ReadDashboard: Statement {
    static let name = "balance.dashboard"
    static let sql: SQL = """
        WITH sums AS (
            SELECT b.method, sum(b.income) AS income, sum(b.expense) AS expense
            FROM stock.balance_day b
            WHERE b.tenant_id = stock.current_tenant() AND b.business_day = $1
            GROUP BY b.method
        ), sold AS (
            SELECT count(*) AS count, coalesce(sum(s.total), 0) AS total
            FROM stock.sale s
            WHERE s.tenant_id = stock.current_tenant() AND s.business_day = $1 AND s.status = 'confirmed'
              -- A business day is at most a day away from the moment's date in UTC.
              AND s.occurred_at >= ($1 - 1)::timestamptz AND s.occurred_at < ($1 + 2)::timestamptz
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
                   levels.out_of_stock, levels.low_stock
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

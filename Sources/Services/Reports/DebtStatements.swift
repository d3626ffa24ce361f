import Kernel
import Postgres

/// A page of the customers who owe something, by name, with what all of them owe.
struct ReadReceivables: Statement {
    static let name = "reports.receivables"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.id, p.name_key, p.place
            FROM stock.customer_page(NULL, NULL, true, $2 + 1, $3, $4) WITH ORDINALITY AS p (id, name_key, place)
        )
        SELECT (SELECT row_to_json(r)::text FROM (
                    SELECT $1 AS date, t.currency, a.*,
                           stock.money_text((SELECT sum(d.due) FROM unnest(stock.customer_ages(NULL, $1)) AS d (due)),
                                            t.currency_exponent) AS without_customer
                    FROM LATERAL stock.ages(stock.receivable_ages($1), t.currency_exponent) a) r),
               (SELECT string_agg((SELECT row_to_json(r)::text FROM (
                           SELECT c.id AS customer_id, c.name, a.*
                           FROM stock.customer c,
                                LATERAL stock.ages(stock.customer_ages(c.id, $1), t.currency_exponent) a
                           WHERE c.tenant_id = t.id AND c.id = p.id) r), ',' ORDER BY p.place)
                       FILTER (WHERE p.place <= $2) FROM placed p),
               (SELECT ARRAY[l.name_key, l.id::text] FROM placed l
                WHERE l.place = $2 AND EXISTS (SELECT FROM placed o WHERE o.place > $2)),
               \(.seen)
        FROM stock.tenant t WHERE t.id = stock.current_tenant()
        """
    static let parameterTypes: [PostgresType] = [.date, .int4, .text, .uuid]
    typealias Row = HeadedPageRow

    var day: BusinessDay
    var limit: Int
    var after: NamePlace?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(day)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(after)
    }
}

/// A page of the suppliers who are owed something, by name, with what is owed to all of them.
struct ReadPayables: Statement {
    static let name = "reports.payables"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.id, p.name_key, p.place
            FROM stock.payable_page($2 + 1, $3, $4) WITH ORDINALITY AS p (id, name_key, place)
        )
        SELECT (SELECT row_to_json(r)::text FROM (
                    SELECT $1 AS date, t.currency, a.*
                    FROM LATERAL stock.ages(stock.supplier_ages(NULL, $1), t.currency_exponent) a) r),
               (SELECT string_agg((SELECT row_to_json(r)::text FROM (
                           SELECT s.id AS supplier_id, s.name, a.*
                           FROM stock.supplier s,
                                LATERAL stock.ages(stock.supplier_ages(s.id, $1), t.currency_exponent) a
                           WHERE s.tenant_id = t.id AND s.id = p.id) r), ',' ORDER BY p.place)
                       FILTER (WHERE p.place <= $2) FROM placed p),
               (SELECT ARRAY[l.name_key, l.id::text] FROM placed l
                WHERE l.place = $2 AND EXISTS (SELECT FROM placed o WHERE o.place > $2)),
               \(.seen)
        FROM stock.tenant t WHERE t.id = stock.current_tenant()
        """
    static let parameterTypes: [PostgresType] = [.date, .int4, .text, .uuid]
    typealias Row = HeadedPageRow

    var day: BusinessDay
    var limit: Int
    var after: NamePlace?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(day)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(after)
    }
}

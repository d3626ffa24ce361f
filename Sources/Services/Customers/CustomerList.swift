package import Kernel
import Postgres

/// What a list of customers asks for, ordered by name.
package struct CustomerFilter: Sendable, Equatable {
    /// Words, each of them part of the name, tax number, telephone number or e-mail address; neither case nor accents count.
    package var q: SearchText?
    /// Active ones or the others; `nil` shows all.
    package var active: Bool?
    /// Those who owe something, or those who do not; `nil` shows all.
    package var hasBalance: Bool?

    /// Makes a filter.
    package init(q: SearchText? = nil, active: Bool? = nil, hasBalance: Bool? = nil) {
        self.q = q
        self.active = active
        self.hasBalance = hasBalance
    }
}

/// Customers by name, as `stock.customer_page` finds them.
struct ListCustomers: Statement {
    static let name = "customers.list"
    static let sql: SQL = """
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

package import Kernel
import Postgres

/// How a list of customers is ordered.
package enum CustomerSort: String, SortOrder {
    case name
    case balance
    case balanceDescending = "-balance"
}

/// What a list of customers asks for.
package struct CustomerFilter: Sendable, Equatable {
    /// Words, each of them part of the name, tax number, telephone number or e-mail address; neither case nor accents count.
    package var q: SearchText?
    /// Active ones or the others; `nil` shows all.
    package var active: Bool?
    /// Those who owe something, or those who do not; `nil` shows all.
    package var hasBalance: Bool?
    /// The order.
    package var sort: CustomerSort

    /// Makes a filter.
    package init(q: SearchText? = nil, active: Bool? = nil, hasBalance: Bool? = nil, sort: CustomerSort = .name) {
        self.q = q
        self.active = active
        self.hasBalance = hasBalance
        self.sort = sort
    }
}

/// Customers in whatever order, as `stock.customer_page` finds them.
struct ListCustomers: Statement {
    static let name = "customers.list"
    static let sql: SQL = .page(
        "stock.customer_page($1, $2, $3, $4 + 1, $5, $6, $7, $8)",
        along: .text("sort_key"),
        limit: "$4",
        each: "stock.customer_body(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [.text, .bool, .bool, .int4, .text, .uuid, .text, .bool]
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
        try parameters.append(filter.sort)
    }
}

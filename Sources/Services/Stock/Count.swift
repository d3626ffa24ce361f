package import Kernel
import Postgres

/// What `POST /v1/stock/counts` opens.
package struct CountRequest: Sendable, Equatable {
    /// Where is counted; the only open location if nil.
    package var locationID: LocationID?

    /// What is counted, and by whom.
    package var note: String?

    /// Makes a request.
    package init(locationID: LocationID? = nil, note: String? = nil) {
        self.locationID = locationID
        self.note = note
    }
}

/// What was counted of a product.
package struct CountedProduct: Sendable, Equatable {
    /// Which product.
    package var product: ProductReference

    /// How much there is.
    package var counted: Quantity

    /// Makes a line.
    package init(product: ProductReference, counted: Quantity) {
        self.product = product
        self.counted = counted
    }
}

/// What `GET /v1/stock/counts` may be narrowed to, the last opened first.
package struct CountFilter: Sendable, Equatable {
    /// The states of a count.
    package enum Status: String, Sendable, CaseIterable {
        /// Lines may be entered.
        case open
        /// Its differences were moved.
        case closed
        /// It moved nothing.
        case cancelled
    }

    /// In this state only.
    package var status: Status?

    /// At this location only.
    package var locationID: LocationID?

    /// Makes a filter that lets everything pass.
    package init() {}
}

/// A count of what is at a location.
struct StockCount: Resource {
    static let name = "stock.count"
    static let collection = "/v1/stock/counts"
    static let sql: SQL = """
        SELECT stock.stock_count_body(c.tenant_id, c.id), '"' || c.version || '"'
        FROM stock.stock_count c
        WHERE c.tenant_id = stock.current_tenant() AND c.id = $1
        """

    let id: StockCountID

    init(_ id: StockCountID) { self.id = id }
}

/// Lines of a count, as they were entered together.
struct EnteredLines: Document {
    static let name = "stock.count_lines"
    static let sql: SQL = """
        SELECT '{"data":['
                   || string_agg(stock.stock_count_line_body(stock.current_tenant(), $1, p.id), ',' ORDER BY p.place) || ']}',
               NULL::text
        FROM unnest(stock.product_ids($2, $3)) WITH ORDINALITY AS p (id, place)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuidArray, .textArray]

    let count: StockCountID
    let lines: [CountedProduct]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(count)
        try parameters.append(lines.map(\.product.productID))
        try parameters.append(lines.map(\.product.skuText))
    }
}

/// Opens a count.
struct OpenCount: Statement {
    static let name = "stock.count_open"
    static let sql: SQL = "SELECT stock.count_open($1, $2, $3, $4)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .text, .uuid]

    let id: StockCountID
    let request: CountRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(request.locationID)
        try parameters.append(request.note)
        try parameters.append(userID)
    }
}

/// Enters lines of a count.
struct EnterCountLines: Statement {
    static let name = "stock.count_enter"
    static let sql: SQL = "SELECT stock.count_enter($1, $2, $3, $4, $5)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuidArray, .textArray, .numericArray, .uuid]

    let count: StockCountID
    let lines: [CountedProduct]
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(count)
        try parameters.append(lines.map(\.product.productID))
        try parameters.append(lines.map(\.product.skuText))
        try parameters.append(lines.map(\.counted))
        try parameters.append(userID)
    }
}

/// Moves the differences of a count, and ends it.
struct CloseCount: Statement {
    static let name = "stock.count_close"
    static let sql: SQL = "SELECT stock.count_close($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    let id: StockCountID
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(userID)
    }
}

/// Ends a count that moves nothing.
struct CancelCount: Statement {
    static let name = "stock.count_cancel"
    static let sql: SQL = "SELECT stock.count_cancel($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    let id: StockCountID
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(userID)
    }
}

/// A page of counts, the last opened first.
struct ListCounts: Statement {
    static let name = "stock.list_counts"
    static let sql: SQL = .page(
        "stock.count_page($1, $2, $3, $4 + 1)",
        along: .moment("created_at"),
        limit: "$4",
        each: "stock.stock_count_body(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [.text, .uuid, .uuid, .int4]
    typealias Row = PageRow

    let filter: CountFilter
    let after: StockCountID?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.status)
        try parameters.append(filter.locationID)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// A page of a count's lines, by product; no row if there is no such count.
struct ListCountLines: Statement {
    static let name = "stock.list_count_lines"
    static let sql: SQL = .page(
        "stock.count_line_page($1, $2, $3, $4 + 1)",
        along: .moment("counted_at"),
        limit: "$4",
        each: "stock.stock_count_line_body(stock.current_tenant(), $1, p.id)",
        of: "SELECT FROM stock.stock_count c WHERE c.tenant_id = stock.current_tenant() AND c.id = $1"
    )
    static let parameterTypes: [PostgresType] = [.uuid, .bool, .uuid, .int4]
    typealias Row = PageRow

    let count: StockCountID
    let differs: Bool?
    let after: ProductID?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(count)
        try parameters.append(differs)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

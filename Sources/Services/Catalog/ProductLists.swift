import Domain
import Kernel
import Postgres

/// Every product with a SKU or barcode, never silently the first, and what the code stands for.
struct LookUpProducts: Statement {
    static let name = "catalog.lookup"
    static let sql: SQL = """
        SELECT stock.scanned_page($1, $2, $3, $4, $5, $6, $7), \(.seen)
        """
    static let parameterTypes: [PostgresType] = [.text, .textArray, .numeric, .numeric, .text, .date, .text]
    typealias Row = ListRow

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

/// Products in whatever order, as `stock.product_page` finds them.
struct ListProducts: Statement {
    static let name = "catalog.products"
    static let sql: SQL = .page(
        "stock.product_page($1, $2, $3, $4, $5, $6 + 1, $7, $8, $9, $10)",
        along: .text("sort_key"),
        limit: "$6",
        each: "stock.product_body(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [
        .text, .text, .uuid, .text, .text, .int4, .text, .uuid, .text, .bool,
    ]
    typealias Row = PageRow

    var filter: ProductFilter
    var limit: Int
    var after: NamePlace?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(after)
        try parameters.append(filter.sort)
    }
}

import Kernel
import Postgres

/// What of a product has changed.
package enum PriceKind: String, Sendable, Hashable, CaseIterable {
    /// What it, or one of its packagings, is sold for.
    case price
    /// What one is worth on average.
    case cost
}

/// A page of what a product's prices and costs were, the last change first; no row if there is no such product.
struct ListPriceHistory: Statement {
    static let name = "catalog.price_history"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.id, p.changed_at, p.body, p.place FROM stock.price_page($1, $2, $3, $4 + 1) WITH ORDINALITY
                AS p (id, changed_at, body, place)
        )
        SELECT string_agg(p.body, ',' ORDER BY p.place) FILTER (WHERE p.place <= $4),
               CASE WHEN count(*) > $4 THEN (
                   SELECT ARRAY[stock.rfc3339(l.changed_at), l.id::text] FROM placed l WHERE l.place = $4) END,
               \(.seen)
        FROM placed p
        HAVING EXISTS (SELECT FROM stock.product o WHERE o.tenant_id = stock.current_tenant() AND o.id = $1)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .uuid, .int4]
    typealias Row = PageRow

    let product: ProductID
    let kind: PriceKind?
    let after: EntityID?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(product)
        try parameters.append(kind)
        try parameters.append(after.map { PostgresUUID(high: $0.high, low: $0.low) })
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

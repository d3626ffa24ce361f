import Cache
import Domain
package import Kernel
import Postgres

/// Drafts of what runs short, as `POST /v1/purchases/reorder` says it.
package struct ReorderRequest: Sendable, Equatable {
    /// From this supplier only; from all if nil.
    package var supplierID: ID<Supplier>?

    /// Where the goods come to; the only open location if nil.
    package var locationID: LocationID?

    /// A remark on each draft.
    package var note: String?

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - supplierID: From this supplier only.
    ///   - locationID: Where the goods come to.
    ///   - note: A remark on each draft.
    package init(supplierID: ID<Supplier>? = nil, locationID: LocationID? = nil, note: String? = nil) {
        self.supplierID = supplierID
        self.locationID = locationID
        self.note = note
    }
}

/// A page of what runs short, by name, as `stock.reorder_page` finds it.
struct ListReorder: Statement {
    static let name = "purchases.reorder_list"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.* FROM stock.reorder_page($1, $4 + 1, $2, $3) WITH ORDINALITY
                AS p (id, name_key, on_hand, min_stock, on_order, supplier_id, unit_cost, place)
        )
        SELECT string_agg(stock.reorder_body(p.id, p.on_hand, p.min_stock, p.on_order, p.supplier_id, p.unit_cost), ','
                          ORDER BY p.place) FILTER (WHERE p.place <= $4),
               CASE WHEN count(*) > $4 THEN (
                   SELECT ARRAY[l.name_key, l.id::text] FROM placed l WHERE l.place = $4) END,
               \(.seen)
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .uuid, .int4]

    typealias Row = PageRow

    let supplierID: ID<Supplier>?
    let after: NamePlace?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(supplierID)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// Makes a draft for each supplier of what runs short.
struct Reorder: Statement {
    static let name = "purchases.reorder"
    static let sql: SQL = "SELECT stock.purchase_reorder($1, $2, $3, $4)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .text, .uuid]

    let request: ReorderRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(request.supplierID)
        try parameters.append(request.locationID)
        try parameters.append(request.note)
        try parameters.append(userID)
    }
}

/// The drafts that ``Reorder`` has made in the running transaction, which a setting of it names.
struct ReorderedPurchases: Document {
    static let name = "purchases.reordered"
    static let sql: SQL = """
        SELECT '{"data":[' || coalesce(string_agg(stock.purchase_summary(stock.current_tenant(), n.id), ',' ORDER BY n.place), '')
               || ']}', NULL::text
        FROM unnest(string_to_array(nullif(current_setting('stock.reordered', true), ''), ',')::uuid[]) WITH ORDINALITY
            AS n (id, place)
        """
}

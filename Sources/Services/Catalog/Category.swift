package import Cache
package import Kernel
package import Postgres

/// The columns of a category that a client writes.
package struct CategoryFields: Sendable, Equatable {
    /// What it is called; unique without regard to case.
    package var name: Change<String> = .keep
    /// The category it lies in.
    package var parentID: Change<CategoryID?> = .keep
    /// Whether it is offered.
    package var active: Change<Bool> = .keep
    /// The id another system knows it by.
    package var externalID: Change<String?> = .keep

    /// Keeps every column.
    package init() {}

    /// Sets every column.
    package init(name: String, parentID: CategoryID? = nil, active: Bool = true, externalID: String? = nil) {
        self.name = .set(name)
        self.parentID = .set(parentID)
        self.active = .set(active)
        self.externalID = .set(externalID)
    }
}

/// A category: where products are listed.
///
/// Its entity tag holds its count of products, because its body does.
package struct Category: ListedByName {
    package static let name = "catalog.category"
    package static let collection = "/v1/categories"
    package static let module = Module.categories
    package static let table: SQL = "stock.category"
    package static let noun: SQL = "category"
    package static let body: SQL = "stock.category_body"
    package static let columns: [Column<CategoryFields>] = [
        .text("name", \.name), .id("parent_id", \.parentID), .flag("active", \.active),
        .plain("external_id", \.externalID),
    ]
    package static let sql: SQL = """
        SELECT b.body, '"' || (b.body::json ->> 'version') || '.' || (b.body::json ->> 'product_count') || '"'
        FROM (SELECT stock.category_body(stock.current_tenant(), $1) AS body OFFSET 0) b
        WHERE b.body IS NOT NULL
        """
    package static let others: [any Statement.Type] = [GuardCycle.self]

    package let id: CategoryID

    package init(_ id: CategoryID) { self.id = id }

    package func check(_ fields: CategoryFields, isNew: Bool, in unit: inout UnitOfWork) throws(PostgresError) {
        if !isNew, let parent = fields.parentID.newValue ?? nil { try unit.add(GuardCycle(id: id, parent: parent)) }
    }
}

/// Refuses a category that would lie within itself.
struct GuardCycle: Statement {
    static let name = "catalog.category_cycle"
    static let sql: SQL = "SELECT stock.check_category_parent($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    let id: CategoryID
    let parent: CategoryID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(parent)
    }
}

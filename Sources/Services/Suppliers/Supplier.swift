package import Cache
package import Kernel
package import Postgres

/// The columns of a supplier that a client writes.
package struct SupplierFields: Sendable, Equatable {
    /// Who they are.
    package var name: Change<String> = .keep
    /// By which the tax office knows them.
    package var taxID: Change<String?> = .keep
    /// Whom to ask for.
    package var contact: Change<String?> = .keep
    /// A telephone number, as it was written.
    package var phone: Change<String?> = .keep
    /// An e-mail address, folded.
    package var email: Change<String?> = .keep
    /// Whether the shop still buys from them.
    package var active: Change<Bool> = .keep
    /// The id another system knows them by.
    package var externalID: Change<String?> = .keep

    /// Keeps every column.
    package init() {}
}

/// Somebody the shop buys from, and what it owes them.
///
/// The entity tag is `"<version>.<what is owed>"`: the body shows both.
package struct Supplier: ListedByName {
    package static let name = "suppliers.supplier"
    package static let collection = "/v1/suppliers"
    package static let module = Module.suppliers
    package static let table: SQL = "stock.supplier"
    package static let noun: SQL = "supplier"
    package static let body: SQL = "stock.supplier_body"
    package static let columns: [Column<SupplierFields>] = [
        .text("name", \.name), .text("tax_id", \.taxID), .text("contact", \.contact), .text("phone", \.phone),
        .plain("email", \.email), .flag("active", \.active), .plain("external_id", \.externalID),
    ]
    package static let sql: SQL = """
        SELECT stock.supplier_body(s.tenant_id, s.id),
               '"' || s.version || '.' || trim_scale(stock.supplier_payable(s.tenant_id, s.id)) || '"'
        FROM stock.supplier s
        WHERE s.tenant_id = stock.current_tenant() AND s.id = $1
        """

    package let id: ID<Supplier>

    package init(_ id: ID<Supplier>) { self.id = id }
}

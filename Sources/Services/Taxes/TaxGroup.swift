package import Cache
package import Kernel
package import Postgres

/// The columns of a group of taxes that a client writes, and its taxes.
package struct TaxGroupFields: Sendable, Equatable {
    /// What it is called.
    package var name: Change<String> = .keep
    /// Its taxes, 1 to 10 in the order they are computed in; a new group that names none has the tax of 0 %.
    package var taxes: Change<[ID<Tax>]> = .keep

    /// Keeps every column.
    package init() {}
}

/// A group of taxes: what a product bears.
///
/// When its taxes change, the versions of its products do, which sales compare.
package struct TaxGroup: ListedByName {
    package static let name = "taxes.tax_group"
    package static let collection = "/v1/tax-groups"
    package static let module = Module.settings
    package static let table: SQL = "stock.tax_group"
    package static let noun: SQL = "tax group"
    package static let body: SQL = "stock.tax_group_body"
    package static let columns: [Column<TaxGroupFields>] = [.text("name", \.name)]
    package static let others: [any Statement.Type] = [ComposeTaxGroup.self]

    package let id: ID<TaxGroup>

    package init(_ id: ID<TaxGroup>) { self.id = id }

    package func complete(_ fields: TaxGroupFields, in unit: inout UnitOfWork) throws(PostgresError) {
        try unit.add(ComposeTaxGroup(id: id, taxes: fields.taxes.newValue))
    }
}

/// Makes a group's taxes exactly these, or keeps those it has.
struct ComposeTaxGroup: Statement {
    static let name = "taxes.compose"
    static let sql: SQL = "SELECT stock.tax_group_compose($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuidArray]

    let id: ID<TaxGroup>
    let taxes: [ID<Tax>]?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        if let taxes { try parameters.append(taxes) } else { try parameters.appendNull() }
    }
}

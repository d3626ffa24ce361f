package import Cache
package import Kernel
package import Postgres

/// The columns of a unit of measure that a client writes.
package struct UnitFields: Sendable, Equatable {
    /// What it is called; unique without regard to case.
    package var name: Change<String> = .keep
    /// How it is written behind a quantity, 1 to 20 characters.
    package var symbol: Change<String> = .keep
    /// The decimals its quantities may have, 0 to 6.
    package var decimals: Change<Int> = .keep
    /// The id another system knows it by.
    package var externalID: Change<String?> = .keep

    /// Keeps every column.
    package init() {}

    /// Sets every column.
    package init(name: String, symbol: String, decimals: Int = 0, externalID: String? = nil) {
        self.name = .set(name)
        self.symbol = .set(symbol)
        self.decimals = .set(decimals)
        self.externalID = .set(externalID)
    }
}

/// A unit of measure: what products are sold by.
package struct Unit: ListedByName {
    package static let name = "catalog.unit"
    package static let collection = "/v1/units"
    package static let module = Module.units
    package static let table: SQL = "stock.unit"
    package static let noun: SQL = "unit"
    package static let body: SQL = "stock.unit_body"
    package static let columns: [Column<UnitFields>] = [
        .text("name", \.name), .text("symbol", \.symbol), .small("decimals", \.decimals),
        .plain("external_id", \.externalID),
    ]
    package static let others: [any Statement.Type] = [GuardDecimals.self]

    package let id: UnitID

    package init(_ id: UnitID) { self.id = id }

    package func check(_ fields: UnitFields, isNew: Bool, in unit: inout UnitOfWork) throws(PostgresError) {
        if !isNew, let decimals = fields.decimals.newValue { try unit.add(GuardDecimals(id: id, decimals: decimals)) }
    }
}

/// Refuses fewer decimals than quantities already recorded have.
struct GuardDecimals: Statement {
    static let name = "catalog.unit_decimals"
    static let sql: SQL = "SELECT stock.check_unit_decimals($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .int4]

    let id: UnitID
    let decimals: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(Int32(clamping: decimals))
    }
}

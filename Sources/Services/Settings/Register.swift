package import Cache
package import Kernel
package import Postgres

/// The columns of a register that a client writes.
package struct RegisterFields: Sendable, Equatable {
    /// What it is called; unique without regard to case.
    package var name: Change<String> = .keep
    /// Where it stands: what it sells is taken from there.
    package var locationID: Change<LocationID> = .keep
    /// Whether cash is taken only while a session is open.
    package var requiresSession: Change<Bool> = .keep
    /// Whether it sells.
    package var active: Change<Bool> = .keep

    /// Keeps every column.
    package init() {}
}

/// A till, or whatever else numbers documents.
///
/// That the default one stays is held by `stock.register_kept`.
package struct Register: ListedByName {
    package static let name = "cash.register"
    package static let collection = "/v1/registers"
    package static let module = Module.settings
    package static let table: SQL = "stock.register"
    package static let noun: SQL = "register"
    package static let body: SQL = "stock.register_body"
    package static let columns: [Column<RegisterFields>] = [
        .text("name", \.name), .id("location_id", \.locationID).or("stock.only_location()"),
        .flag("requires_session", \.requiresSession), .flag("active", \.active),
    ]
    package static let others: [any Statement.Type] = [GuardPlace.self]

    package let id: RegisterID

    package init(_ id: RegisterID) { self.id = id }

    package func check(_ fields: RegisterFields, isNew: Bool, in unit: inout UnitOfWork) throws(PostgresError) {
        if isNew || fields.locationID.isSet { try unit.add(GuardPlace(location: fields.locationID.newValue)) }
    }
}

/// Refuses a place for a register that is none, or closed; and none, where there are several.
struct GuardPlace: Statement {
    static let name = "cash.register.place"
    static let sql: SQL = """
        SELECT CASE WHEN p.id IS NULL
                    THEN stock.refuse_field('required', '/location_id', 'Say at which location.')
                    WHEN NOT EXISTS (SELECT FROM stock.location l
                                     WHERE l.tenant_id = stock.current_tenant() AND l.id = p.id AND l.active
                                       AND l.kind <> 'transit' FOR SHARE)
                    THEN stock.refuse_field('not_found', '/location_id', 'There is no such active location.') END
        FROM (SELECT coalesce($1, stock.only_location()) AS id OFFSET 0) p
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var location: LocationID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(location) }
}

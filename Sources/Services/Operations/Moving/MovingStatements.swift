import Kernel
import Postgres

/// What the head of a tenant's file says: of the tenant, and of the schema that its rows are of.
struct DescribeTenant: Statement {
    static let name = "moving.tenant"
    static let sql: SQL =
        "SELECT t.slug, t.name, stock.rfc3339(now()) FROM stock.tenant t WHERE t.id = stock.current_tenant()"

    struct Row: DecodableRow {
        let slug: String
        let name: String
        let time: String

        init(from row: inout RowReader) throws(PostgresError) {
            slug = try row.next()
            name = try row.next()
            time = try row.next()
        }
    }
}

/// The number of the last migration; 0 before any.
struct SchemaVersion: Statement {
    static let name = "moving.schema"
    static let sql: SQL = "SELECT coalesce(max(m.version), 0) FROM stock.schema_migration m"

    typealias Row = SingleColumn<Int32>
}

/// Shows the rows of a table that move as `pg_temp.outgoing`, and says which columns.
struct MoveOut: Statement {
    static let name = "moving.out"
    static let sql: SQL = "SELECT stock.move_out($1)"
    static let parameterTypes: [PostgresType] = [.text]
    typealias Row = SingleColumn<[String]>

    var table: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(table) }
}

/// Makes `pg_temp.incoming` for the rows of a table, and says which columns.
struct MoveIn: Statement {
    static let name = "moving.in"
    static let sql: SQL = "SELECT stock.move_in($1)"
    static let parameterTypes: [PostgresType] = [.text]
    typealias Row = SingleColumn<[String]>

    var table: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(table) }
}

/// Makes a tenant of the row that came in, under a slug and a name, and says its number.
struct TenantMovedIn: Statement {
    static let name = "moving.tenant_in"
    static let sql: SQL = "SELECT stock.tenant_moved_in($1, normalize($2, NFC))"
    static let parameterTypes: [PostgresType] = [.text, .text]
    typealias Row = SingleColumn<TenantID>

    var slug: String
    var tenantName: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(slug)
        try parameters.append(tenantName)
    }
}

/// Notes who the people that came in are here, and says how many.
struct PeopleMovedIn: Statement {
    static let name = "moving.people_in"
    static let sql: SQL = "SELECT stock.people_moved_in()"
    typealias Row = SingleColumn<Int64>
}

/// Makes accounts of the people who have none.
struct AccountsMovedIn: Statement {
    static let name = "moving.accounts_in"
    static let sql: SQL = "SELECT a.made, a.known FROM stock.accounts_moved_in() a"

    struct Row: DecodableRow {
        let made: Int64
        let known: Int64

        init(from row: inout RowReader) throws(PostgresError) {
            made = try row.next()
            known = try row.next()
        }
    }
}

/// Puts what came in into its table, and says how many rows.
struct MovedIn: Statement {
    static let name = "moving.rows_in"
    static let sql: SQL = "SELECT stock.moved_in($1)"
    static let parameterTypes: [PostgresType] = [.text]
    typealias Row = SingleColumn<Int64>

    var table: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(table) }
}

extension Lease {
    /// The one row of a statement within the transaction of a move.
    func moving<S: Statement>(_ statement: S, tenant: TenantID?) async throws(PostgresError) -> S.Row {
        var unit = UnitOfWork(tenant: tenant?.rawValue, access: .write)
        let slot = try unit.add(statement)
        return try await perform(unit).one(slot)
    }
}

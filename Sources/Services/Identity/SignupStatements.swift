import Kernel
import NIOCore
import Postgres

struct FindTenant: Statement {
    static let name = "identity.tenant"
    static let sql: SQL = "SELECT t.id FROM stock.tenant t WHERE t.slug = $1 OR t.id = $2"
    static let parameterTypes: [PostgresType] = [.text, .int8]

    var reference: TenantReference

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        switch reference {
        case .slug(let slug):
            try parameters.append(slug)
            try parameters.append(TenantID?.none)
        case .id(let id):
            try parameters.append(String?.none)
            try parameters.append(id)
        }
    }

    struct Row: DecodableRow {
        let tenant: TenantID

        init(from row: inout RowReader) throws(PostgresError) { tenant = try row.next() }
    }
}

struct ListTenants: Statement {
    static let name = "identity.tenants"
    static let sql: SQL = "SELECT stock.tenant_body(t.id) FROM stock.tenant t ORDER BY t.id"

    struct Row: DecodableRow {
        let body: ByteBuffer

        init(from row: inout RowReader) throws(PostgresError) { body = try row.nextBody() ?? ByteBuffer() }
    }
}

/// Refuses what no tenant can be made of, as ``CreateTenant`` does: a slug that is taken, a zone that is none.
struct CheckTenant: Statement {
    static let name = "identity.tenant_check"
    static let sql: SQL = "SELECT stock.tenant_check($1, $2)"
    static let parameterTypes: [PostgresType] = [.text, .text]

    var slug: String
    var timezone: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(slug)
        try parameters.append(timezone)
    }
}

/// Makes a tenant with its register; the rest of the unit is within it.
struct CreateTenant: Statement {
    static let name = "identity.tenant_create"
    static let sql: SQL = "SELECT stock.tenant_create($1, normalize($2, NFC), $3, $4, $5, $6)"
    static let parameterTypes: [PostgresType] = [.text, .text, .text, .int2, .text, .uuid]

    var request: SignupRequest
    var register: RegisterID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(request.slug)
        try parameters.append(request.tenantName)
        try parameters.append(request.currency.code)
        try parameters.append(Int16(truncatingIfNeeded: request.currency.exponent))
        try parameters.append(request.timezone)
        try parameters.append(register)
    }
}

/// The units every shop begins with; the first made is the default of new products.
struct InsertDefaultUnits: Statement {
    static let name = "identity.default_units"
    static let sql: SQL = """
        INSERT INTO stock.unit (tenant_id, id, name, symbol, decimals, created_at)
        VALUES (stock.current_tenant(), $1, 'Piece', 'pc', 0, now()),
               (stock.current_tenant(), $2, 'Kilogram', 'kg', 3, now() + interval '1 microsecond')
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    var piece: UnitID
    var kilogram: UnitID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(piece)
        try parameters.append(kilogram)
    }
}

/// The tenant the unit is within by now.
struct CurrentTenant: Statement {
    static let name = "identity.current_tenant"
    static let sql: SQL = "SELECT stock.current_tenant()"

    struct Row: DecodableRow {
        let found: TenantID?

        init(from row: inout RowReader) throws(PostgresError) { found = try row.next(TenantID?.self) }

        /// The tenant; zero is nobody's number.
        var tenant: TenantID { found ?? TenantID(rawValue: 0) }
    }
}

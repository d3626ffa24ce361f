import Kernel
import Postgres

/// A person, as logging in needs them.
struct UserRow: DecodableRow {
    let id: UserID
    let email: String
    let name: String
    let passwordHash: String
    let isActive: Bool
    let tenants: [TenantID]
    /// Which of the account's passwords the hash is of.
    let passwordVersion: Int64
    let hasLoggedIn: Bool

    init(from row: inout RowReader) throws(PostgresError) {
        id = try row.next()
        email = try row.next()
        name = try row.next()
        passwordHash = try row.next()
        isActive = try row.next()
        tenants = try row.next([Int64].self).map { TenantID(rawValue: $0) }
        passwordVersion = try row.next()
        hasLoggedIn = try row.next()
    }
}

struct FindUserByEmail: Statement {
    static let name = "identity.user_by_email"
    static let sql: SQL = """
        SELECT u.id, u.email, u.name, u.password_hash, u.status = 'active', u.tenant_ids, u.password_version,
               u.logged_in_at IS NOT NULL
        FROM stock.app_user u
        WHERE u.email_key = stock.folded($1)
        """
    static let parameterTypes: [PostgresType] = [.text]
    typealias Row = UserRow

    var email: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(email) }
}

struct FindUser: Statement {
    static let name = "identity.user"
    static let sql: SQL = """
        SELECT u.id, u.email, u.name, u.password_hash, u.status = 'active', u.tenant_ids, u.password_version,
               u.logged_in_at IS NOT NULL
        FROM stock.app_user u
        WHERE u.id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid]
    typealias Row = UserRow

    var id: UserID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

struct InsertUser: Statement {
    static let name = "identity.user_insert"
    static let sql: SQL = """
        INSERT INTO stock.app_user (id, email, password_hash, name)
        VALUES ($1, $2, $3, normalize($4, NFC))
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .text, .text]

    var id: UserID
    var email: String
    var passwordHash: String
    var name: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(email)
        try parameters.append(passwordHash)
        try parameters.append(name)
    }
}

/// Holds a person's row until the unit ends, shared: as long as it is held, nobody ends the person's sessions.
///
/// Refuses a person who was disabled, or whose password was replaced since it was shown.
struct HoldUser: Statement {
    static let name = "identity.user_hold"
    static let sql: SQL = """
        WITH held AS MATERIALIZED (
            SELECT u.status, u.password_version FROM stock.app_user u WHERE u.id = $1 FOR SHARE
        )
        SELECT stock.refuse('unauthenticated', 'The account was changed meanwhile. Log in again.')
        WHERE NOT EXISTS (SELECT FROM held h
                          WHERE h.status = 'active' AND h.password_version = coalesce($2, h.password_version))
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int8]

    var user: UserID
    var passwordVersion: Int64?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(user)
        try parameters.append(passwordVersion)
    }
}

/// As ``HoldUser``, for the person of a refresh token.
struct HoldUserOfSession: Statement {
    static let name = "identity.user_of_session_hold"
    static let sql: SQL = """
        SELECT u.id FROM stock.app_user u
        WHERE u.id = (SELECT s.user_id FROM stock.session s WHERE s.refresh_hash = $1)
        FOR SHARE
        """
    static let parameterTypes: [PostgresType] = [.bytea]

    var hash: [UInt8]

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(hash) }
}

/// Remembers that a person came in for the first time.
struct MarkLogin: Statement {
    static let name = "identity.login_mark"
    static let sql: SQL = """
        UPDATE stock.app_user SET logged_in_at = now() WHERE id = $1 AND logged_in_at IS NULL
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var user: UserID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(user) }
}

/// Replaces a hash by a stronger one of the same password, unless that was replaced meanwhile.
struct RehashPassword: Statement {
    static let name = "identity.rehash"
    static let sql: SQL = """
        UPDATE stock.app_user SET password_hash = $2, updated_at = now() WHERE id = $1 AND password_version = $3
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .int8]

    var user: UserID
    var hash: String
    var passwordVersion: Int64

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(user)
        try parameters.append(hash)
        try parameters.append(passwordVersion)
    }
}

struct ReadMe: Statement {
    static let name = "identity.me"
    static let sql: SQL = """
        SELECT (SELECT row_to_json(p)::text
                FROM (SELECT u.id, u.email, u.name FROM stock.app_user u WHERE u.id = $1) p),
               stock.tenant_body(stock.current_tenant()), pg_current_snapshot()
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var user: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(user) }

    struct Row: DecodableRow {
        let user: [UInt8]?
        let tenant: [UInt8]
        let snapshot: PGSnapshot

        init(from row: inout RowReader) throws(PostgresError) {
            user = try row.next([UInt8]?.self)
            tenant = try row.nextBytes()
            snapshot = try row.next()
        }
    }
}

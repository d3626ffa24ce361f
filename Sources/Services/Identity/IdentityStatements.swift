import Crypto
import Kernel
import NIOCore
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

/// A person's active membership of the current tenant.
struct FindMembership: Statement {
    static let name = "identity.membership"
    static let sql: SQL = """
        SELECT t.id, t.slug, t.name, m.role, t.status = 'active'
        FROM stock.membership m
        JOIN stock.tenant t ON t.id = m.tenant_id
        WHERE m.tenant_id = stock.current_tenant() AND m.user_id = $1 AND m.active
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var user: UserID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(user) }

    struct Row: DecodableRow {
        let summary: TenantSummary
        let isTenantActive: Bool

        init(from row: inout RowReader) throws(PostgresError) {
            summary = TenantSummary(
                id: try row.next(),
                slug: try row.next(),
                name: try row.next(),
                role: try row.nextCase()
            )
            isTenantActive = try row.next()
        }
    }
}

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

struct InsertMembership: Statement {
    static let name = "identity.membership_insert"
    static let sql: SQL = """
        INSERT INTO stock.membership (tenant_id, user_id, role)
        VALUES (stock.current_tenant(), $1, $2)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text]

    var user: UserID
    var role: Role

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(user)
        try parameters.append(role)
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

/// A session of the current tenant: 14 days without use, 30 in all.
///
/// Refuses whose membership has ended.
struct InsertSession: Statement {
    static let name = "identity.session_insert"
    static let sql: SQL = """
        WITH made AS (
            INSERT INTO stock.session (id, user_id, tenant_id, family, refresh_hash, expires_at, family_expires_at)
            SELECT $1, $2, m.tenant_id, $3, $4, now() + interval '14 days', now() + interval '30 days'
            FROM stock.membership m
            WHERE m.tenant_id = stock.current_tenant() AND m.user_id = $2 AND m.active
            RETURNING 1
        )
        SELECT stock.refuse('forbidden', 'You are not a member of this tenant.')
        WHERE NOT EXISTS (SELECT FROM made)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .uuid, .bytea]

    var session: NewSession
    var user: UserID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(session.id)
        try parameters.append(user)
        try parameters.append(session.family)
        try parameters.append(session.hash)
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

/// Replaces a refresh token by its successor, answers the same successor again, or ends the family.
struct RotateSession: Statement {
    static let name = "identity.session_rotate"
    static let sql: SQL = """
        WITH found AS (
            SELECT s.id, s.user_id, s.tenant_id, s.family, s.family_expires_at, s.successor_id,
                   CASE WHEN s.revoked_at IS NOT NULL OR least(s.expires_at, s.family_expires_at) <= now() THEN 'ended'
                        WHEN s.rotated_at IS NULL THEN 'rotated'
                        WHEN s.rotated_at > now() - interval '10 seconds' THEN 'again'
                        ELSE 'reused'
                   END AS outcome
            FROM stock.session s
            WHERE s.refresh_hash = $1
            FOR UPDATE
        ), made AS (
            INSERT INTO stock.session (id, user_id, tenant_id, family, refresh_hash, expires_at, family_expires_at)
            SELECT $2, f.user_id, f.tenant_id, f.family, $3, least(now() + interval '14 days', f.family_expires_at),
                   f.family_expires_at
            FROM found f
            WHERE f.outcome = 'rotated'
        ), marked AS (
            UPDATE stock.session s
            SET rotated_at = now(), successor_id = $2
            FROM found f
            WHERE s.id = f.id AND f.outcome = 'rotated'
        ), ended AS (
            UPDATE stock.session s
            SET revoked_at = now()
            FROM found f
            WHERE s.family = f.family AND s.revoked_at IS NULL AND f.outcome = 'reused'
        )
        SELECT f.outcome, f.user_id, f.tenant_id,
               CASE WHEN f.outcome = 'rotated' THEN $2 ELSE f.successor_id END
        FROM found f
        """
    static let parameterTypes: [PostgresType] = [.bytea, .uuid, .bytea]

    var hash: [UInt8]
    var successor: SessionID
    var successorHash: [UInt8]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(hash)
        try parameters.append(successor)
        try parameters.append(successorHash)
    }

    enum Outcome: String, CaseIterable, Sendable {
        case rotated, again, reused, ended

        var isValid: Bool { self == .rotated || self == .again }
    }

    struct Row: DecodableRow {
        let outcome: Outcome
        let user: UserID
        let tenant: TenantID
        let session: SessionID?

        init(from row: inout RowReader) throws(PostgresError) {
            outcome = try row.nextCase()
            user = try row.next()
            tenant = try row.next()
            session = try row.next(SessionID?.self)
        }
    }
}

struct RevokeFamily: Statement {
    static let name = "identity.family_revoke"
    static let sql: SQL = """
        UPDATE stock.session s
        SET revoked_at = now()
        WHERE s.family = (SELECT o.family FROM stock.session o WHERE o.id = $1 AND o.user_id = $2)
          AND s.revoked_at IS NULL
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    var session: SessionID
    var user: UserID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(session)
        try parameters.append(user)
    }
}

struct RevokeAllSessions: Statement {
    static let name = "identity.sessions_revoke"
    static let sql: SQL = """
        UPDATE stock.session s SET revoked_at = now() WHERE s.user_id = $1 AND s.revoked_at IS NULL
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var user: UserID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(user) }
}

/// Whether a session of the current tenant stands, with what its caller may do.
struct CheckSession: Statement {
    static let name = "identity.session_check"
    static let sql: SQL = """
        SELECT c.user_id, c.email, c.role, c.location_ids, c.expires_at, c.is_active, pg_current_snapshot()
        FROM (SELECT 1) one
        LEFT JOIN (
            SELECT s.user_id, u.email, m.role, m.location_ids, least(s.expires_at, s.family_expires_at) AS expires_at,
                   t.status = 'active' AS is_active
            -- By its own key: a person may have thousands.
            FROM (SELECT * FROM stock.session
                  WHERE id = $1 AND tenant_id = stock.current_tenant() AND revoked_at IS NULL OFFSET 0) s
            JOIN stock.app_user u ON u.id = s.user_id AND u.status = 'active'
            JOIN stock.tenant t ON t.id = s.tenant_id
            JOIN stock.membership m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id AND m.active
        ) c ON true
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var session: SessionID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(session) }

    struct Row: DecodableRow {
        let entry: SessionEntry?
        let snapshot: PGSnapshot

        init(from row: inout RowReader) throws(PostgresError) {
            let user = try row.next(UserID?.self)
            let email = try row.next(String?.self)
            let role = try row.next(String?.self).flatMap { Role(rawValue: $0) }
            let locations = try row.next([LocationID]?.self)
            let expiresAt = try row.next(Timestamp?.self)
            let isActive = try row.next(Bool?.self)
            snapshot = try row.next()
            if let user, let email, let role, let expiresAt, let isActive {
                entry = SessionEntry(
                    user: user,
                    email: email,
                    role: role,
                    locations: locations ?? [],
                    expiresAt: expiresAt,
                    isTenantActive: isActive
                )
            } else {
                entry = nil
            }
        }
    }
}

/// Whether an API key of the current tenant stands, with what it may do.
struct CheckKey: Statement {
    static let name = "identity.key_check"
    static let sql: SQL = """
        SELECT k.name, k.scopes, k.expires_at, k.secret_hash, t.status = 'active',
               k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 hour', pg_current_snapshot()
        FROM (SELECT 1) one
        LEFT JOIN (SELECT * FROM stock.api_key
                   WHERE tenant_id = stock.current_tenant() AND id = $1 AND revoked_at IS NULL) k ON true
        LEFT JOIN stock.tenant t ON t.id = k.tenant_id
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var id: APIKeyID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }

    /// A key with its stored hash; lives for the moment of the fill.
    struct StoredKey: Sendable {
        let name: String
        let scopes: Set<Scope>
        let expiresAt: Timestamp?
        let hash: [UInt8]
        let isTenantActive: Bool
        let isUseUnnoted: Bool

        /// What may be kept in memory.
        func entry(processKey: SymmetricKey) -> KeyEntry {
            KeyEntry(
                name: name,
                scopes: scopes,
                expiresAt: expiresAt,
                isTenantActive: isTenantActive,
                isUseUnnoted: isUseUnnoted,
                tag: Array(HMAC<SHA256>.authenticationCode(for: hash, using: processKey))
            )
        }
    }

    struct Row: DecodableRow {
        let key: StoredKey?
        let snapshot: PGSnapshot

        init(from row: inout RowReader) throws(PostgresError) {
            let name = try row.next(String?.self)
            let scopes = try row.next([String]?.self)
            let expiresAt = try row.next(Timestamp?.self)
            let hash = try row.next([UInt8]?.self)
            let isActive = try row.next(Bool?.self)
            let isUnnoted = try row.next(Bool?.self)
            snapshot = try row.next()
            if let name, let scopes, let hash, let isActive {
                key = StoredKey(
                    name: name,
                    scopes: Set(scopes.compactMap { Scope(rawValue: $0) }),
                    expiresAt: expiresAt,
                    hash: hash,
                    isTenantActive: isActive,
                    isUseUnnoted: isUnnoted ?? false
                )
            } else {
                key = nil
            }
        }
    }
}

struct TouchKey: Statement {
    static let name = "identity.key_touch"
    static let sql: SQL = """
        UPDATE stock.api_key k
        SET last_used_at = now()
        WHERE k.tenant_id = stock.current_tenant() AND k.id = $1
          AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 hour')
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var id: APIKeyID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
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

struct ListMembers: Statement {
    static let name = "identity.members"
    static let sql: SQL = """
        SELECT stock.list_body(
                   (SELECT string_agg(stock.member_body(m.tenant_id, m.user_id), ',' ORDER BY u.email_key)
                    FROM stock.membership m
                    JOIN stock.app_user u ON u.id = m.user_id
                    WHERE m.tenant_id = stock.current_tenant()),
                   NULL),
               NULL::text, pg_current_snapshot()
        """
    typealias Row = BodyRow
}

/// What everybody is called who is or was a member of the current tenant, and nothing else of them.
struct ListColleagues: Statement {
    static let name = "identity.colleagues"
    static let sql: SQL = """
        SELECT stock.list_body(
                   (SELECT string_agg(row_to_json(c)::text, ',' ORDER BY stock.folded(c.name), c.id)
                    FROM (SELECT u.id, NULLIF(u.name, '') AS name
                          FROM stock.membership m
                          JOIN stock.app_user u ON u.id = m.user_id
                          WHERE m.tenant_id = stock.current_tenant()) c),
                   NULL),
               NULL::text, pg_current_snapshot()
        """
    typealias Row = BodyRow
}

/// A member of the current tenant.
struct Member: Resource {
    static let name = "identity.member"
    static let collection = "/v1/users"
    static let sql: SQL = """
        SELECT stock.member_body(m.tenant_id, m.user_id), '"' || m.version || '.' || u.version || '"'
        FROM stock.membership m
        JOIN stock.app_user u ON u.id = m.user_id
        WHERE m.tenant_id = stock.current_tenant() AND m.user_id = $1
        """

    let id: UserID

    init(_ id: UserID) { self.id = id }
}

/// Locks the owners and the member, in one order, and refuses who is not there or has another version.
struct GuardMember: Statement {
    static let name = "identity.member_guard"
    static let sql: SQL = """
        WITH locked AS MATERIALIZED (
            SELECT m.user_id, m.version
            FROM stock.membership m
            WHERE m.tenant_id = stock.current_tenant() AND (m.user_id = $1 OR m.role = 'owner')
            ORDER BY m.user_id
            FOR UPDATE
        )
        SELECT CASE
                   WHEN m.user_id IS NULL THEN stock.refuse('not_found', 'There is no such member.')
                   WHEN NOT (m.version = ANY (coalesce($2, ARRAY[m.version])))
                       THEN stock.refuse('version_mismatch', 'The member was changed meanwhile. Read it again.')
               END
        FROM (SELECT 1) one
        LEFT JOIN locked m ON m.user_id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int8Array]

    var user: UserID
    var expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(user)
        try parameters.append(expected.parameter)
    }
}

struct UpdateMember: Statement {
    static let name = "identity.member_update"
    static let sql: SQL = """
        UPDATE stock.membership m
        SET role = coalesce($2, m.role), active = coalesce($3, m.active), location_ids = coalesce($4, m.location_ids),
            version = m.version + 1, updated_at = now()
        WHERE m.tenant_id = stock.current_tenant() AND m.user_id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .bool, .uuidArray]

    var user: UserID
    var patch: MemberPatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(user)
        try parameters.append(patch.role.newValue)
        try parameters.append(patch.active.newValue)
        try parameters.append(patch.locations.newValue)
    }
}

/// Refuses locations at which nobody can work.
struct CheckMemberLocations: Statement {
    static let name = "identity.member_places"
    static let sql: SQL = "SELECT stock.member_places($1)"
    static let parameterTypes: [PostgresType] = [.uuidArray]

    var locations: [LocationID]

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(locations) }
}

/// Refuses a tenant without an active owner.
struct GuardOwner: Statement {
    static let name = "identity.owner_guard"
    static let sql: SQL = """
        SELECT stock.refuse('invalid_state', 'The tenant would have no active owner left.')
        WHERE NOT EXISTS (SELECT FROM stock.membership m
                          JOIN stock.app_user u ON u.id = m.user_id AND u.status = 'active'
                          WHERE m.tenant_id = stock.current_tenant() AND m.role = 'owner' AND m.active)
        """
}

struct ListKeys: Statement {
    static let name = "identity.keys"
    static let sql: SQL = """
        SELECT stock.list_body(
                   (SELECT string_agg(stock.api_key_body(k.tenant_id, k.id), ',' ORDER BY k.created_at DESC, k.id)
                    FROM stock.api_key k
                    WHERE k.tenant_id = stock.current_tenant()),
                   NULL),
               NULL::text, pg_current_snapshot()
        """
    typealias Row = BodyRow
}

struct InsertKey: Statement {
    static let name = "identity.key_insert"
    static let sql: SQL = """
        INSERT INTO stock.api_key (tenant_id, id, name, secret_hash, scopes, created_by, expires_at)
        VALUES (stock.current_tenant(), $1, normalize($2, NFC), $3, $4, $5, $6)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .bytea, .textArray, .uuid, .timestamptz]

    var key: APIKeyText
    var draft: APIKeyDraft
    var user: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(key.id)
        try parameters.append(draft.name)
        try parameters.append(key.hash)
        try parameters.append(draft.scopes.map(\.rawValue).sorted())
        try parameters.append(user)
        try parameters.append(draft.expiresAt)
    }
}

/// Ends a key; refuses one that is not there.
struct RevokeKey: Statement {
    static let name = "identity.key_revoke"
    static let sql: SQL = """
        WITH ended AS (
            UPDATE stock.api_key k
            SET revoked_at = coalesce(k.revoked_at, now()), version = k.version + 1, updated_at = now()
            WHERE k.tenant_id = stock.current_tenant() AND k.id = $1
            RETURNING 1
        )
        SELECT stock.refuse('not_found', 'There is no such API key.')
        WHERE NOT EXISTS (SELECT FROM ended)
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var id: APIKeyID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// An API key, without its secret.
struct APIKey: Resource {
    static let name = "identity.key"
    static let collection = "/v1/api-keys"
    static let sql: SQL = """
        SELECT stock.api_key_body(k.tenant_id, k.id), '"' || k.version || '"'
        FROM stock.api_key k
        WHERE k.tenant_id = stock.current_tenant() AND k.id = $1
        """

    let id: APIKeyID

    init(_ id: APIKeyID) { self.id = id }
}

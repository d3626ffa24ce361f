import Crypto
import Kernel
import Postgres

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

struct ListKeys: Statement {
    static let name = "identity.keys"
    static let sql: SQL = """
        SELECT stock.list_body(
                   (SELECT string_agg(stock.api_key_body(k.tenant_id, k.id), ',' ORDER BY k.created_at DESC, k.id)
                    FROM stock.api_key k
                    WHERE k.tenant_id = stock.current_tenant()),
                   NULL),
               \(.seen)
        """
    typealias Row = ListRow
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

import Kernel
import Postgres

/// Gives an account another password, if it still has the one that was looked at; an open reset ends.
struct SetPassword: Statement {
    static let name = "identity.password_set"
    static let sql: SQL = """
        WITH changed AS (
            UPDATE stock.app_user u
            SET password_hash = $2, password_version = u.password_version + 1, reset_hash = NULL, reset_expires_at = NULL,
                version = u.version + 1, updated_at = now()
            WHERE u.id = $1 AND u.password_version = $3
            RETURNING 1
        )
        SELECT stock.refuse('invalid_state', 'The password was changed meanwhile.')
        WHERE NOT EXISTS (SELECT FROM changed)
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

/// Ends the person's sessions but for the family of one.
struct RevokeOtherSessions: Statement {
    static let name = "identity.other_sessions_revoke"
    static let sql: SQL = """
        UPDATE stock.session s
        SET revoked_at = now()
        WHERE s.user_id = $1 AND s.revoked_at IS NULL
          AND s.family IS DISTINCT FROM (SELECT o.family FROM stock.session o WHERE o.id = $2 AND o.user_id = $1)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    var user: UserID
    var session: SessionID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(user)
        try parameters.append(session)
    }
}

/// Opens a reset for a day, in the place of an earlier one.
struct SetReset: Statement {
    static let name = "identity.reset_set"
    static let sql: SQL = """
        UPDATE stock.app_user
        SET reset_hash = $2, reset_expires_at = now() + interval '1 day', updated_at = now()
        WHERE id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid, .bytea]

    var user: UserID
    var hash: [UInt8]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(user)
        try parameters.append(hash)
    }
}

/// The person of an open reset.
struct FindReset: Statement {
    static let name = "identity.reset_find"
    static let sql: SQL = """
        SELECT u.id, u.email, u.name, u.password_hash, u.status = 'active', u.tenant_ids, u.password_version,
               u.logged_in_at IS NOT NULL
        FROM stock.app_user u
        WHERE u.reset_hash = $1 AND u.reset_expires_at > now()
        """
    static let parameterTypes: [PostgresType] = [.bytea]
    typealias Row = UserRow

    var hash: [UInt8]

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(hash) }
}

/// Takes an open reset for good; whoever comes second finds none.
struct TakeReset: Statement {
    static let name = "identity.reset_take"
    static let sql: SQL = """
        WITH taken AS (
            UPDATE stock.app_user u SET reset_hash = NULL, reset_expires_at = NULL
            WHERE u.id = $1 AND u.reset_hash = $2 AND u.reset_expires_at > now() AND u.status = 'active'
            RETURNING 1
        )
        SELECT stock.refuse('unauthenticated', 'The reset is not valid any more: it was used or replaced, or has expired.')
        WHERE NOT EXISTS (SELECT FROM taken)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .bytea]

    var user: UserID
    var hash: [UInt8]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(user)
        try parameters.append(hash)
    }
}

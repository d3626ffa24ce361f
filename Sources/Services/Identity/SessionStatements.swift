import Kernel
import Postgres

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
            if let user, let email, let role, let locations, let expiresAt, let isActive {
                entry = SessionEntry(
                    user: user,
                    email: email,
                    role: role,
                    workplaces: Workplaces(named: locations),
                    expiresAt: expiresAt,
                    isTenantActive: isActive
                )
            } else {
                entry = nil
            }
        }
    }
}

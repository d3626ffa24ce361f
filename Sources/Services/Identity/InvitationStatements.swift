import Kernel
import NIOCore
import Postgres

struct ListInvitations: Statement {
    static let name = "identity.invitations"
    static let sql: SQL = """
        SELECT stock.list_body(
                   (SELECT string_agg(stock.invitation_body(i.tenant_id, i.id), ',' ORDER BY i.created_at DESC, i.id)
                    FROM stock.invitation i
                    WHERE i.tenant_id = stock.current_tenant()),
                   NULL),
               \(.seen)
        """
    typealias Row = ListRow
}

/// An invitation, without its token.
struct Invitation: Resource {
    static let name = "identity.invitation"
    static let collection = "/v1/invitations"
    static let sql: SQL = """
        SELECT stock.invitation_body(i.tenant_id, i.id), '"' || i.version || '"'
        FROM stock.invitation i
        WHERE i.tenant_id = stock.current_tenant() AND i.id = $1
        """

    let id: InvitationID

    init(_ id: InvitationID) { self.id = id }
}

/// An open invitation of the current tenant, for whoever shows its token.
struct FindInvitation: Statement {
    static let name = "identity.invitation_find"
    static let sql: SQL = """
        SELECT i.email, i.role, i.token_hash, t.status = 'active'
        FROM stock.invitation i
        JOIN stock.tenant t ON t.id = i.tenant_id
        WHERE i.tenant_id = stock.current_tenant() AND i.id = $1 AND i.expires_at > now()
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var id: InvitationID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }

    struct Row: DecodableRow {
        let email: String
        let role: Role
        let hash: [UInt8]
        let isTenantActive: Bool

        init(from row: inout RowReader) throws(PostgresError) {
            email = try row.next()
            role = try row.nextCase()
            hash = try row.nextBytes()
            isTenantActive = try row.next()
        }
    }
}

/// Refuses an invitation of a member, and a second one while the first is open; clears an expired one away.
struct GuardInvitation: Statement {
    static let name = "identity.invitation_guard"
    static let sql: SQL = """
        WITH expired AS (
            DELETE FROM stock.invitation i
            WHERE i.tenant_id = stock.current_tenant() AND i.email_key = stock.folded($1) AND i.expires_at <= now()
        )
        SELECT CASE
                   WHEN EXISTS (SELECT FROM stock.app_user u
                                JOIN stock.membership m ON m.tenant_id = stock.current_tenant() AND m.user_id = u.id
                                WHERE u.email_key = stock.folded($1))
                       THEN stock.refuse_field('duplicate', '/email', 'There is a member with this address already.')
                   WHEN EXISTS (SELECT FROM stock.invitation i
                                WHERE i.tenant_id = stock.current_tenant() AND i.email_key = stock.folded($1)
                                  AND i.expires_at > now())
                       THEN stock.refuse_field('duplicate', '/email',
                                               'This address is invited already. Renew or revoke that invitation.')
               END
        """
    static let parameterTypes: [PostgresType] = [.text]

    var email: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(email) }
}

/// An invitation of the current tenant, open for a week.
struct InsertInvitation: Statement {
    static let name = "identity.invitation_insert"
    static let sql: SQL = """
        INSERT INTO stock.invitation (tenant_id, id, email, role, token_hash, invited_by, expires_at)
        VALUES (stock.current_tenant(), $1, $2, $3, $4, $5, now() + interval '7 days')
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .text, .bytea, .uuid]

    var token: InvitationToken
    var draft: InvitationDraft
    var user: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(token.id)
        try parameters.append(draft.email)
        try parameters.append(draft.role.rawValue)
        try parameters.append(token.hash)
        try parameters.append(user)
    }
}

/// Gives an invitation another token and another week; refuses one that is not there.
struct RenewInvitation: Statement {
    static let name = "identity.invitation_renew"
    static let sql: SQL = """
        WITH renewed AS (
            UPDATE stock.invitation i
            SET token_hash = $2, expires_at = now() + interval '7 days', version = i.version + 1, updated_at = now()
            WHERE i.tenant_id = stock.current_tenant() AND i.id = $1
            RETURNING 1
        )
        SELECT stock.refuse('not_found', 'There is no such invitation.')
        WHERE NOT EXISTS (SELECT FROM renewed)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .bytea]

    var token: InvitationToken

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(token.id)
        try parameters.append(token.hash)
    }
}

/// Ends an invitation; refuses one that is not there.
struct RevokeInvitation: Statement {
    static let name = "identity.invitation_revoke"
    static let sql: SQL = """
        WITH ended AS (
            DELETE FROM stock.invitation i WHERE i.tenant_id = stock.current_tenant() AND i.id = $1 RETURNING 1
        )
        SELECT stock.refuse('not_found', 'There is no such invitation.')
        WHERE NOT EXISTS (SELECT FROM ended)
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    var id: InvitationID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// Takes an open invitation for good; whoever comes second finds none.
struct TakeInvitation: Statement {
    static let name = "identity.invitation_take"
    static let sql: SQL = """
        WITH taken AS (
            DELETE FROM stock.invitation i
            WHERE i.tenant_id = stock.current_tenant() AND i.id = $1 AND i.token_hash = $2 AND i.expires_at > now()
              AND ($3::uuid IS NULL OR i.email_key = (SELECT u.email_key FROM stock.app_user u WHERE u.id = $3))
            RETURNING 1
        )
        SELECT CASE
                   WHEN $3::uuid IS NULL THEN stock.refuse(
                       'unauthenticated',
                       'The invitation is not valid any more: it was used or taken back, or has expired.')
                   ELSE stock.refuse(
                       'forbidden',
                       'The invitation is not valid for you: it was used or taken back, has expired, or is not yours.')
               END
        WHERE NOT EXISTS (SELECT FROM taken)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .bytea, .uuid]

    var invitation: ShownInvitation
    /// Whose address it must be for; `nil` where a password of that address was shown.
    var user: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(invitation.id)
        try parameters.append(invitation.hash)
        try parameters.append(user)
    }
}

import Kernel
import Postgres

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

struct ListMembers: Statement {
    static let name = "identity.members"
    static let sql: SQL = """
        SELECT stock.list_body(
                   (SELECT string_agg(stock.member_body(m.tenant_id, m.user_id), ',' ORDER BY u.email_key)
                    FROM stock.membership m
                    JOIN stock.app_user u ON u.id = m.user_id
                    WHERE m.tenant_id = stock.current_tenant()),
                   NULL),
               \(.seen)
        """
    typealias Row = ListRow
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
               \(.seen)
        """
    typealias Row = ListRow
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

import Domain
import Kernel
import Postgres

/// Who does something, as the audit names them.
struct AuditActor: Sendable {
    enum Kind: String, Sendable {
        case user
        case apiKey = "api_key"
        /// The command line.
        case administrator = "operator"
        /// Whoever it was that tried to get in.
        case anybody
    }

    let kind: Kind
    let id: EntityID?
    let name: String?
    let origin: Origin

    private init(_ kind: Kind, id: EntityID?, name: String?, origin: Origin) {
        self.kind = kind
        self.id = id
        self.name = name
        self.origin = origin
    }

    /// The caller of a request; without a member or key it is the command line.
    init(_ context: CallContext) {
        let caller = context.caller
        if let user = caller.user {
            self.init(.user, id: user.entity, name: caller.name, origin: context.origin)
        } else if let key = caller.apiKey {
            self.init(.apiKey, id: key.entity, name: caller.name, origin: context.origin)
        } else {
            self.init(.administrator, id: nil, name: caller.name, origin: context.origin)
        }
    }

    /// A person who has just shown who they are.
    init(user: UserID, email: String, origin: Origin) {
        self.init(.user, id: user.entity, name: email, origin: origin)
    }

    /// The command line, before there is a tenant.
    static func administrator(_ origin: Origin) -> AuditActor {
        AuditActor(.administrator, id: nil, name: "operator", origin: origin)
    }

    /// Whoever it was.
    static func anybody(_ origin: Origin) -> AuditActor { AuditActor(.anybody, id: nil, name: nil, origin: origin) }

    fileprivate var json: String {
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.member("type", kind.rawValue)
            writer.member("id", id?.description)
            writer.member("name", name)
            writer.member("request_id", origin.requestID)
            writer.member("address", origin.address)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// Says who acts in a unit: what triggers and notes of the audit write down.
///
/// The first statement of every unit that they watch.
struct Act: Statement {
    static let name = "identity.act"
    static let sql: SQL = "SELECT set_config('stock.actor', $1, true)"
    static let parameterTypes: [PostgresType] = [.text]

    var actor: AuditActor

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(actor.json) }
}

/// What an entry of the audit tells beside who did what.
struct AuditDetails: Sendable {
    /// A JSON object.
    let json: String

    /// The members, in order.
    init(_ members: KeyValuePairs<String, String> = [:]) {
        var writer = JSONWriter(capacity: 64)
        writer.object { writer in
            for (name, value) in members { writer.member(name, value) }
        }
        json = String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// Notes an action in the current tenant.
struct Note: Statement {
    static let name = "identity.note"
    static let sql: SQL = """
        SELECT stock.audit(stock.current_tenant(), $1, $2, $3, $4::json)
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .uuid, .text]

    private let action: AuditAction
    private let subject: (type: String, id: EntityID)?
    private let details: AuditDetails

    init(_ action: AuditAction, user: UserID, _ details: AuditDetails = AuditDetails()) {
        self.action = action
        subject = ("user", user.entity)
        self.details = details
    }

    init(_ action: AuditAction, invitation: InvitationID, _ details: AuditDetails = AuditDetails()) {
        self.action = action
        subject = ("invitation", invitation.entity)
        self.details = details
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(action.rawValue)
        try parameters.append(subject?.type)
        try parameters.append(subject.map { ID<Entity>($0.id) })
        try parameters.append(details.json)
    }
}

/// Notes in each tenant of a person what happened to the account.
struct NotePerson: Statement {
    static let name = "identity.note_person"
    static let sql: SQL = "SELECT stock.audit_person($1, $2, $3::json)"
    static let parameterTypes: [PostgresType] = [.uuid, .text, .text]

    var user: UserID
    var action: AuditAction
    var details = AuditDetails()

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(user)
        try parameters.append(action.rawValue)
        try parameters.append(details.json)
    }
}

/// A page of the audit, the newest first.
///
/// Four ways in, of which one is taken: each filter has the index that serves it, and what the others cost is nothing.
struct ListAudit: Statement {
    static let name = "identity.audit"
    static let sql: SQL = """
        WITH bounds AS MATERIALIZED (
            SELECT coalesce($3::date::timestamp AT TIME ZONE t.timezone, '-infinity') AS first,
                   coalesce(($4::date + 1)::timestamp AT TIME ZONE t.timezone, 'infinity') AS last
            FROM stock.tenant t WHERE t.id = stock.current_tenant()
        ), page AS (
            \(way("$8::uuid IS NULL AND $1::uuid IS NULL AND $2::text IS NULL"))
            UNION ALL
            \(way("$8::uuid IS NULL AND $1::uuid IS NOT NULL AND a.actor_id = $1 AND ($2::text IS NULL OR a.action = $2)"))
            UNION ALL
            \(way("$8::uuid IS NULL AND $1::uuid IS NULL AND $2::text IS NOT NULL AND a.action = $2"))
            UNION ALL
            \(way("""
                $8::uuid IS NOT NULL AND a.subject_id = $8 AND ($1::uuid IS NULL OR a.actor_id = $1)
                AND ($2::text IS NULL OR a.action = $2)
                """))
        ), placed AS (
            SELECT p.id, p.at, row_number() OVER (ORDER BY p.at DESC, p.id DESC) AS place FROM page p
        )
        SELECT string_agg(stock.audit_body(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $7),
               CASE WHEN count(*) > $7 THEN (
                   SELECT ARRAY[stock.rfc3339(l.at), l.id::text] FROM placed l WHERE l.place = $7) END,
               \(.seen)
        FROM placed p
        """

    /// The entries of a page that are found along one index.
    private static func way(_ condition: SQL) -> SQL {
        """
        (SELECT a.id, a.at FROM stock.audit_log a
         WHERE \(condition) AND a.tenant_id = stock.current_tenant()
           AND a.at >= (SELECT b.first FROM bounds b) AND a.at < (SELECT b.last FROM bounds b)
           AND a.at <= CASE WHEN $5::timestamptz IS NULL THEN 'infinity' ELSE $5 END
           AND (a.at, a.id) < (CASE WHEN $5::timestamptz IS NULL THEN 'infinity' ELSE $5 END,
                              CASE WHEN $6::uuid IS NULL THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff' ELSE $6 END)
         ORDER BY a.at DESC, a.id DESC LIMIT $7 + 1)
        """
    }

    static let parameterTypes: [PostgresType] = [.uuid, .text, .date, .date, .timestamptz, .uuid, .int4, .uuid]

    typealias Row = PageRow

    let filter: AuditFilter
    let after: (at: Timestamp, id: AuditEntryID)?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.actor.map { ID<Entity>($0) })
        try parameters.append(filter.action?.rawValue)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after?.at)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(filter.subject.map { ID<Entity>($0) })
    }
}

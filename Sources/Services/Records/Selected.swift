import Cache
package import Kernel
import Postgres

/// What a list is asked for instead of a part of all that it has: for programs that keep what they have read.
package enum Selected: Sendable, Equatable {
    /// What has one of these ids.
    case ids([EntityID])
    /// What was changed at that time or later, the earliest change first.
    case changed(since: Timestamp)
}

/// What has some ids, in their order.
struct ReadByID: Statement {
    static let name = "records.by_id"
    static let sql: SQL = """
        SELECT stock.bodies_by_id($1::regclass, $2::regproc, $3), NULL::text[], \(.seen)
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .uuidArray]
    typealias Row = PageRow

    /// The table, and the function that makes a body.
    let kind: (table: SQL, body: SQL)
    let ids: [EntityID]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(kind.table.text)
        try parameters.append(kind.body.text)
        try parameters.append(ids.map { ID<Any>($0) })
    }
}

/// A page of the records that were changed since a time.
struct ListChanged: Statement {
    static let name = "records.changed"
    static let sql: SQL = """
        SELECT c.data, c.next, \(.seen)
        FROM stock.records_changed($1::regclass, $2::regproc, $3, $4, $5, $6) c
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .int4, .timestamptz, .timestamptz, .uuid]
    typealias Row = PageRow

    /// The table, and the function that makes a body.
    let kind: (table: SQL, body: SQL)
    let limit: Int
    let since: Timestamp
    let after: (at: Timestamp, id: EntityID)?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(kind.table.text)
        try parameters.append(kind.body.text)
        try parameters.append(Int32(clamping: limit))
        try parameters.append(since)
        try parameters.append(after?.at)
        try parameters.append(after.map { ID<Any>($0.id) })
    }
}

extension Records {
    /// What is selected of the list.
    ///
    /// - Parameters:
    ///   - selected: By which ids, or since when.
    ///   - page: How many of what was changed, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ selected: Selected, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        switch selected {
        case .ids(let ids):
            return caller.read(ids, of: (R.table, R.body), R.module)
        case .changed(let since):
            let query = KeyBuilder("changed").adding(R.nounText).adding(since.description)
            let page = try PagePosition(query, page, cursors: cursors, tenant: caller.tenant, module: R.module)
            let after: (occurredAt: Timestamp, id: ID<R.Kind>)? = page.afterMoment()
            return page.read(
                ListChanged(
                    kind: (R.table, R.body),
                    limit: page.limit,
                    since: since,
                    after: after.map { ($0.occurredAt, $0.id.entity) }
                )
            )
        }
    }
}

extension Caller {
    /// The read of what has some ids.
    ///
    /// - Parameters:
    ///   - ids: Which, in any order.
    ///   - kind: Of which table, and by which function.
    ///   - module: What retires the answer.
    ///   - names: Which names members show.
    /// - Returns: The read.
    func read(
        _ ids: [EntityID],
        of kind: (table: SQL, body: SQL),
        _ module: Module,
        showing names: [Named] = []
    ) -> CachedRead {
        let ids = Set(ids).sorted { $0.description < $1.description }
        let query = KeyBuilder("ids").adding(kind.table.text).adding(ids.map(\.description).joined(separator: "."))
        let statement = ReadByID(kind: kind, ids: ids)
        guard !names.isEmpty else {
            let key = query.key(tenant: tenant.rawValue, module: module)
            return CachedRead(key: key, fill: .page(statement, next: { @Sendable _ in "" }))
        }
        let key = query.showing(names, of: module).key(tenant: tenant.rawValue, module: .views)
        return CachedRead(key: key, fill: .page(NamedPage(page: statement, names: names), next: { @Sendable _ in "" }))
    }
}

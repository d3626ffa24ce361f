import Domain
import Kernel
import Postgres

/// Opens a session at a register.
struct OpenCashSession: Statement {
    static let name = "cash.open"
    static let sql: SQL = "SELECT stock.session_open($1, $2, $3, $4, $5)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .numeric, .text, .uuid]

    let id: CashSessionID
    let registerID: RegisterID
    let opening: CashSessionOpening
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(registerID)
        try parameters.append(opening.float)
        try parameters.append(opening.note)
        try parameters.append(userID)
    }
}

/// Records cash that went into a drawer or out of it.
struct RecordCashEntry: Statement {
    static let name = "cash.record"
    static let sql: SQL = "SELECT stock.session_entry($1, $2, $3, $4, $5, $6, $7, $8)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .uuid, .text, .numeric, .text, .text, .uuid]

    let id: ID<Entity.CashEntry>
    let ledgerID: LedgerEntryID
    let sessionID: CashSessionID
    let request: CashEntryRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ledgerID)
        try parameters.append(sessionID)
        try parameters.append(request.kind.rawValue)
        try parameters.append(request.amount)
        try parameters.append(request.category)
        try parameters.append(request.note)
        try parameters.append(userID)
    }
}

/// Ends a session.
struct CloseCashSession: Statement {
    static let name = "cash.close"
    static let sql: SQL = "SELECT stock.session_close($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .uuid, .numeric, .numericArray, .int8Array, .textArray, .numericArray, .text, .uuid,
    ]

    let id: CashSessionID
    let ledgerID: LedgerEntryID
    let count: CashCount
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ledgerID)
        try parameters.append(count.counted)
        try parameters.append(count.pieces.map(\.value))
        try parameters.append(count.pieces.map { Int64($0.count) })
        try parameters.append(count.tenders.map(\.method.rawValue))
        try parameters.append(count.tenders.map(\.counted))
        try parameters.append(count.note)
        try parameters.append(userID)
    }
}

/// A page of sessions, the last opened first.
struct ListCashSessions: Statement {
    static let name = "cash.sessions"
    static let sql: SQL = .page(
        "stock.session_page($1, $2, $3, $4, $5, $6, $7 + 1)",
        along: .moment("opened_at"),
        limit: "$7",
        each: "stock.cash_session_summary(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [.uuid, .text, .date, .date, .timestamptz, .uuid, .int4]

    typealias Row = PageRow

    let filter: CashSessionFilter
    let after: (occurredAt: Timestamp, id: CashSessionID)?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.registerID)
        try parameters.append(filter.status?.rawValue)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

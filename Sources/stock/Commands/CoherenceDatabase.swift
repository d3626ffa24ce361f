import Foundation
import Laboratory
import Postgres
import Services

/// The log and the outbox, asked by the service's own client.
struct PostgresCoherence: CoherenceDatabase {
    let postgres: PostgresClient

    private var deadline: ContinuousClock.Instant { .now + .seconds(2) }

    func logRows(after sequence: Int64?) async throws -> [CheckedLogRow] {
        try await postgres.query(ReadLog(after: sequence), tenant: nil, deadline: deadline).map(\.row)
    }

    func isLogged(_ row: CheckedLogRow) async throws -> Bool {
        let found = try await postgres.query(ReadLog(after: row.sequence - 1), tenant: nil, deadline: deadline)
        return found.first.map { $0.row.sequence == row.sequence && $0.row.xids == row.xids } ?? false
    }

    func outboxRows() async throws -> Int {
        Int(try await postgres.query(CountOutbox(), tenant: nil, deadline: deadline).first?.count ?? 0)
    }
}

/// Rows of the log after a number, or the newest.
private struct ReadLog: Statement {
    static let name = "coherence.log"
    static let sql: SQL = """
        SELECT l.seq, coalesce(l.tenant_id, 0), coalesce(l.module, ''), l.xids
          FROM stock.cache_log l
         WHERE l.lane = 0
           AND l.seq > coalesce($1, (SELECT max(m.seq) - 1 FROM stock.cache_log m WHERE m.lane = 0))
         ORDER BY l.seq
         LIMIT 5000
        """
    static let parameterTypes: [PostgresType] = [.int8]

    var after: Int64?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(after)
    }

    struct Row: DecodableRow {
        let row: CheckedLogRow

        init(from row: inout RowReader) throws(PostgresError) {
            let sequence: Int64 = try row.next()
            let tenant: Int64 = try row.next()
            let module: String = try row.next()
            let xids: [XID8]? = try row.next()
            self.row = CheckedLogRow(
                sequence: sequence,
                tenant: tenant,
                module: module,
                xids: (xids ?? []).map(\.rawValue)
            )
        }
    }
}

/// How many rows wait to be logged.
private struct CountOutbox: Statement {
    static let name = "coherence.outbox"
    static let sql: SQL = "SELECT count(*) FROM stock.cache_outbox"
    static let parameterTypes: [PostgresType] = []

    func bind(_ parameters: inout Parameters) throws(PostgresError) {}

    struct Row: DecodableRow {
        let count: Int64

        init(from row: inout RowReader) throws(PostgresError) {
            count = try row.next()
        }
    }
}

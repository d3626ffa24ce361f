import Coherence
import Laboratory
import Postgres

/// The log and the outbox, asked by the service's own client.
struct PostgresCoherence: CoherenceDatabase {
    let postgres: PostgresClient

    private var deadline: ContinuousClock.Instant { .now + .seconds(2) }

    func logRows(after sequence: Int64?) async throws -> [CheckedLogRow] {
        try await postgres.query(ReadLog(after: sequence), tenant: nil, deadline: deadline).map(CheckedLogRow.init)
    }

    func isLogged(_ row: CheckedLogRow) async throws -> Bool {
        let found = try await postgres.query(ReadLog(after: row.sequence - 1), tenant: nil, deadline: deadline)
        return found.first.map { $0.sequence == row.sequence && $0.xids == row.xids } ?? false
    }

    func outboxRows() async throws -> Int {
        Int(try await postgres.query(CountOutbox(), tenant: nil, deadline: deadline).first?.count ?? 0)
    }
}

extension CheckedLogRow {
    fileprivate init(_ row: ReadLog.Row) {
        self.init(sequence: row.sequence, tenant: row.tenant, module: row.module, xids: row.xids)
    }
}

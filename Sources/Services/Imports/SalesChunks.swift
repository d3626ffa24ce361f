import Domain
import Postgres

/// The chunks of an import, written one behind the other.
///
/// A chunk is one transaction: sales as drafts with their lines and payments first, which waits for nobody, then levels,
/// numbers and the commit, which must follow the file's order. With a second session the first half of the next chunk is written
/// while the second half of this one is; what is committed, and in which order, stays the same.
struct SalesChunks {
    let chunks: [PlanSales.Row]
    let job: PostgresUUID
    let method: PaymentMethodCode
    let aborts: Bool
    /// Whether sales of what is not there are refused.
    let asksStock: Bool

    /// Writes them in one session.
    ///
    /// - Parameters:
    ///   - session: has the staged tables.
    ///   - onCommit: told the rows of each chunk.
    /// - Throws: ``ImportFailure`` or `PostgresError`; chunks told of stay.
    func write(in session: ImportSession, onCommit: (Int) -> Void) async throws {
        for (place, chunk) in chunks.enumerated() {
            try await Self.refreshPlans(session, before: place)
            let statement = apply(chunk, isDrafted: false)
            onCommit(try await session.retried { Int(try await session.one(statement).value) })
        }
    }

    /// Writes them in two sessions, even chunks in the one and odd chunks in the other.
    ///
    /// - Parameters:
    ///   - sessions: the one with the staged tables and the one with the odd chunks.
    ///   - onCommit: told the rows of each chunk.
    /// - Throws: ``ImportFailure`` or `PostgresError`; chunks told of stay.
    func write(in sessions: (even: ImportSession, odd: ImportSession), onCommit: (Int) -> Void) async throws {
        try await withThrowingTaskGroup(of: Int.self) { group in
            var drafted: Set<Int> = []
            func draft(_ place: Int) {
                let chunk = chunks[place]
                let session = chunk.number % 2 == 0 ? sessions.even : sessions.odd
                let turn = chunks[..<place].count { $0.number % 2 == chunk.number % 2 }
                group.addTask {
                    try await Self.refreshPlans(session, before: turn)
                    try await Self.begin(session)
                    try await session.perform(DraftSales(chunk: chunk, method: method))
                    return place
                }
            }
            for parity in 0...1 {
                if let first = chunks.firstIndex(where: { $0.number % 2 == parity }) { draft(first) }
            }
            for (place, chunk) in chunks.enumerated() {
                while !drafted.contains(place), let done = try await group.next() { drafted.insert(done) }
                let session = chunk.number % 2 == 0 ? sessions.even : sessions.odd
                var isDrafted = true
                onCommit(
                    try await session.retried {
                        if !isDrafted {
                            try? await session.lease.rollback()
                            try await Self.begin(session)
                        }
                        // A try that failed took its drafts with it.
                        defer { isDrafted = false }
                        let rows = Int(try await session.one(apply(chunk, isDrafted: isDrafted)).value)
                        try await session.lease.commit()
                        return rows
                    }
                )
                if let next = chunks[(place + 1)...].firstIndex(where: { $0.number % 2 == chunk.number % 2 }) {
                    draft(next)
                }
            }
        }
    }

    private func apply(_ chunk: PlanSales.Row, isDrafted: Bool) -> ApplySales {
        ApplySales(
            chunk: chunk,
            method: method,
            job: job,
            aborts: aborts,
            isDrafted: isDrafted,
            asksStock: asksStock
        )
    }

    private static func begin(_ session: ImportSession) async throws {
        try await session.lease.begin(tenant: session.tenant)
    }

    /// Plans made while tables were empty read them from end to end once they are not.
    private static func refreshPlans(_ session: ImportSession, before place: Int) async throws {
        if place > 0, place <= 64, place & (place - 1) == 0 { try await session.perform(DiscardPlans()) }
    }
}

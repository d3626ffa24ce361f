import Postgres

extension PostgresClient {
    /// Lends a second connection to an import.
    ///
    /// - Parameters:
    ///   - session: the one that it has.
    ///   - work: what is done by the two, or by the one if no other is free.
    /// - Throws: what `work` throws.
    func withAssistant(of session: ImportSession, _ work: (ImportSession?) async throws -> Void) async throws {
        var isAssisted = false
        do {
            try await withLease(deadline: session.lease.deadline) { lease in
                isAssisted = true
                try await work(ImportSession(lease: lease, tenant: session.tenant))
            }
        } catch let error as PostgresError where !isAssisted && error.code == .overloaded {
            try await work(nil)
        }
    }
}

/// A connection an import works on, and the tenant it works for.
struct ImportSession: Sendable {
    let lease: Lease
    let tenant: Int64

    func perform<S: Statement>(_ statement: S) async throws {
        _ = try await all(statement)
    }

    func one<S: Statement>(_ statement: S) async throws -> S.Row {
        let rows = try await all(statement)
        guard let row = rows.first else { throw ImportFailure.conflict("\(S.name) gave no row") }
        return row
    }

    /// Runs one statement as a unit of its own, or as a part of the transaction that is open.
    func all<S: Statement>(_ statement: S) async throws -> [S.Row] {
        do {
            var unit = UnitOfWork(tenant: tenant, access: .write)
            let slot = try unit.add(statement)
            return try await lease.perform(unit).rows(slot)
        } catch {
            throw Self.failure(error)
        }
    }

    /// Runs a unit of an import again where that helps: another session was in its way.
    ///
    /// A deadlock and what somebody else made meanwhile are tried ten times; a lock is waited for as long as the lease lasts,
    /// since whoever holds it gets on. The waiting is the server's, up to its lock_timeout each time.
    ///
    /// - Parameter body: the unit; nothing of a try that failed stays.
    /// - Returns: what it returned.
    /// - Throws: what it throws in the end.
    func retried<Value>(_ body: () async throws -> Value) async throws -> Value {
        var conflicts = 0
        while true {
            do {
                return try await body()
            } catch let error as PostgresError
                where error.sqlState?.isTransient == true && conflicts < 10
                || error.sqlState == .lockNotAvailable && ContinuousClock.now < lease.deadline
            {
                if error.sqlState != .lockNotAvailable { conflicts += 1 }
            }
        }
    }

    /// A refusal raised in SQL is told in its own words.
    static func failure(_ error: any Error) -> any Error {
        guard let error = error as? PostgresError, error.sqlState == "ST001" else { return error }
        return ImportFailure.conflict(error.serverHint ?? error.serverMessage ?? "the database refuses")
    }
}

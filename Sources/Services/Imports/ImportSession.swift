import Postgres

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

    /// A refusal raised in SQL is told in its own words.
    static func failure(_ error: any Error) -> any Error {
        guard let error = error as? PostgresError, error.sqlState == "ST001" else { return error }
        return ImportFailure.conflict(error.serverHint ?? error.serverMessage ?? "the database refuses")
    }
}

import Postgres

extension Lease {
    /// The rows of one reading statement that belongs to no tenant.
    func rows<S: Statement>(of statement: S) async throws(PostgresError) -> [S.Row] {
        var unit = UnitOfWork(tenant: nil, access: .read)
        let slot = try unit.add(statement)
        return try await perform(unit).rows(slot)
    }

    /// The one row of such a statement.
    func row<S: Statement>(of statement: S) async throws(PostgresError) -> S.Row {
        var unit = UnitOfWork(tenant: nil, access: .read)
        let slot = try unit.add(statement)
        return try await perform(unit).one(slot)
    }
}

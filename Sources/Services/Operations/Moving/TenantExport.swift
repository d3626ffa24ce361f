package import Kernel
package import Postgres

/// Writes a tenant out as a whole, for another deployment: all of one moment, and in as much memory as a portion takes.
package struct TenantExport: Sendable {
    /// What was written.
    package struct Summary: Sendable {
        package let tables: Int
        package let rows: Int
        /// The number of the last event that the rows reflect: what has happened since is told by the events behind it.
        package let lastEvent: Int64
    }

    private let postgres: PostgresClient

    /// Makes an export.
    ///
    /// - Parameter postgres: Connects as stock_app.
    package init(postgres: PostgresClient) { self.postgres = postgres }

    /// How values are written and read, whatever the session's own settings are.
    static let forms: StaticString = """
        SET LOCAL datestyle = 'ISO, YMD';
        SET LOCAL timezone = 'UTC'
        """

    /// Exports.
    ///
    /// - Parameters:
    ///   - tenant: The tenant.
    ///   - deadline: When to give up.
    ///   - write: Takes what was written; more is read when it returns.
    /// - Returns: What was written.
    /// - Throws: `PostgresError`, what `write` throws.
    package func run(
        _ tenant: TenantID,
        deadline: ContinuousClock.Instant,
        _ write: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> Summary {
        try await postgres.withLease(deadline: deadline) { lease in
            // Not read only: what shows a table's rows is a temporary view.
            try await lease.transaction(tenant: tenant.rawValue, isolation: .repeatableRead) {
                try await lease.execute(script: Self.forms.description)
                return try await Self.write(tenant, lease, write)
            }
        }
    }

    private static func write(
        _ tenant: TenantID,
        _ lease: Lease,
        _ write: ([UInt8]) async throws -> Void
    ) async throws -> Summary {
        let about = try await lease.moving(DescribeTenant(), tenant: tenant)
        let head = TenantFile.Head(
            schema: try await lease.moving(SchemaVersion(), tenant: tenant).value,
            slug: about.slug,
            name: about.name,
            time: about.time,
            lastEvent: try await lastEvent(tenant, lease)
        )
        var file = TenantFileWriter()
        try await write(file.begin(head))
        for table in TenantTables.moved {
            let columns = try await lease.moving(MoveOut(table: table), tenant: tenant).value
            try await write(file.begin(table, columns))
            let rows = try await lease.copyOut("COPY (TABLE pg_temp.outgoing) TO STDOUT") { portion in
                file.take(portion)
                try await write(portion)
            }
            try await write(file.end(rows: rows))
        }
        try await write(file.finish())
        return Summary(tables: file.tables, rows: file.rows, lastEvent: head.lastEvent)
    }

    private static func lastEvent(_ tenant: TenantID, _ lease: Lease) async throws -> Int64 {
        var unit = UnitOfWork(tenant: tenant.rawValue, access: .read)
        let slot = try unit.add(LastEvent())
        return try await lease.perform(unit).one(slot).number
    }
}

package import Postgres

/// Decides whether a database may be served from at all, before anybody is: the role has no power over the walls between
/// tenants, and the schema is the one this program was written for.
package struct Admittance: Sendable {
    /// Why not; one line that says what to do.
    package enum Refusal: Error, Sendable, Equatable, CustomStringConvertible {
        /// What the role is or may become.
        case role(String)
        /// What is missing of the schema.
        case schema(String)

        package var description: String {
            switch self {
            case .role(let text), .schema(let text): text
            }
        }
    }

    private let postgres: PostgresClient
    private let folder: MigrationFolder?

    /// Makes a judge.
    ///
    /// - Parameters:
    ///   - postgres: Connects as the service will.
    ///   - folder: What has to be applied; nil asks only whether there is a schema.
    package init(postgres: PostgresClient, folder: MigrationFolder?) {
        self.postgres = postgres
        self.folder = folder
    }

    /// Looks at role and schema.
    ///
    /// - Parameter deadline: When to give up.
    /// - Returns: What to tell the operator although it may be served; empty as a rule.
    /// - Throws: ``Refusal``; ``PostgresError`` if the database could not be asked, which says nothing about it.
    package func examine(deadline: ContinuousClock.Instant) async throws -> [Finding] {
        try await postgres.withLease(deadline: deadline) { lease in
            let faults = try await lease.rows(of: RolePowers()).map(\.value)
            guard faults.isEmpty else { throw Refusal.role(faults.joined(separator: ", ")) }
            try await judgeSchema(lease)
            let version = try await lease.rows(of: ServerVersion()).first?.value ?? Doctor.oldestServer
            guard version < Doctor.oldestServer else { return [] }
            return [
                Finding(
                    "server version",
                    .warning,
                    "PostgreSQL \(version / 10_000).\(version % 10_000) lacks fixes that row-level security needs; 15.20 has them"
                )
            ]
        }
    }

    /// Looks at the schema alone, for an operator's command, which may be run as any role.
    ///
    /// - Parameter deadline: When to give up.
    /// - Throws: ``Refusal``; ``PostgresError`` if the database could not be asked.
    package func examineSchema(deadline: ContinuousClock.Instant) async throws {
        try await postgres.withLease(deadline: deadline) { lease in try await judgeSchema(lease) }
    }

    private func judgeSchema(_ lease: Lease) async throws {
        guard try await lease.row(of: HasMigrationTable()).value else {
            throw Refusal.schema("holds no schema of ours. Run: stock migrate up")
        }
        let applied = try await applied(lease)
        let statuses = folder.map { Migrator.compare($0, with: applied) } ?? []
        let pending = statuses.filter { $0.state == .pending }.map(\.fileName)
        guard let first = pending.first else { return }
        let others = pending.count == 1 ? "" : " and \(pending.count - 1) more"
        throw Refusal.schema("lacks the migration \(first)\(others), which this program needs. Run: stock migrate up")
    }

    private func applied(_ lease: Lease) async throws -> [AppliedMigrations.Row] {
        do {
            return try await lease.rows(of: AppliedMigrations())
        } catch {
            guard error.sqlState == .insufficientPrivilege else { throw error }
            throw Refusal.role("it may not read the schema stock; the service connects as stock_app")
        }
    }
}

/// What the connecting role is, owns or may become that would open the walls between tenants.
///
/// Checks T1 and T2 of the tenancy audit, for whatever role it is. One row for each, nothing for a role as it should be.
struct RolePowers: Statement {
    static let name = "operations.role_powers"
    static let sql: SQL = """
        WITH me AS (SELECT * FROM pg_roles WHERE rolname = session_user),
        power (oid, name, rank, kind) AS (
            SELECT r.oid, r.rolname, v.rank, v.kind
            FROM pg_roles r, LATERAL (VALUES
                (1, 'a superuser', r.rolsuper), (2, 'a role with BYPASSRLS', r.rolbypassrls),
                (3, 'the owner of the schema or its tables',
                 r.oid IN (SELECT nspowner FROM pg_namespace WHERE nspname = 'stock'
                           UNION ALL
                           SELECT c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE n.nspname = 'stock')),
                (4, 'the owner of the database',
                 r.oid IN (SELECT datdba FROM pg_database WHERE datname = current_database())),
                (5, 'a role with CREATEROLE', r.rolcreaterole), (6, 'a role with CREATEDB', r.rolcreatedb),
                (7, 'a role with REPLICATION', r.rolreplication),
                (8, 'a role above row-level security',
                 r.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files',
                               'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend'))
                ) AS v (rank, kind, has)
            WHERE v.has
        )
        -- The worst of each role says enough.
        SELECT (SELECT CASE WHEN p.oid = me.oid THEN me.rolname || ' is ' || p.kind
                            ELSE me.rolname || ' may become ' || p.name || ', ' || p.kind END
                FROM power p WHERE p.oid = r.oid ORDER BY p.rank LIMIT 1)
        FROM me JOIN pg_roles r ON r.oid = me.oid OR (NOT me.rolsuper AND pg_has_role(me.oid, r.oid, 'MEMBER'))
        WHERE r.oid IN (SELECT p.oid FROM power p)
        ORDER BY r.oid <> me.oid, r.rolname
        LIMIT 3
        """

    typealias Row = SingleColumn<String>
}

/// The server's version as a number: 150020 for 15.20.
struct ServerVersion: Statement {
    static let name = "operations.server_version"
    static let sql: SQL = "SELECT current_setting('server_version_num')::integer"

    typealias Row = SingleColumn<Int32>
}

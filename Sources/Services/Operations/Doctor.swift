import Kernel
package import Postgres

/// One thing `stock doctor` looked at.
package struct Finding: Sendable, Equatable {
    /// How it stands.
    package enum Level: String, Sendable {
        case ok
        /// It works, and should be mended.
        case warning
        /// Something promised does not hold.
        case failure
    }

    /// What was looked at: `row-level security`.
    package let check: String

    /// How it stands.
    package let level: Level

    /// What was found, and what to do about it.
    package let detail: String

    /// Makes a finding.
    ///
    /// - Parameters:
    ///   - check: What was looked at.
    ///   - level: How it stands.
    ///   - detail: What was found, and what to do about it.
    package init(_ check: String, _ level: Level, _ detail: String) {
        self.check = check
        self.level = level
        self.detail = detail
    }
}

/// Examines the database the way the service sees it: as stock_app.
package struct Doctor: Sendable {
    private let postgres: PostgresClient
    private let folder: MigrationFolder?

    /// The oldest server with the fixes that row-level security needs: 15.20.
    package static let oldestServer: Int32 = 150_020

    /// Makes a doctor.
    ///
    /// - Parameters:
    ///   - postgres: Connects as stock_app.
    ///   - folder: What should be applied, and the tenancy audit; nil skips both.
    package init(postgres: PostgresClient, folder: MigrationFolder?) {
        self.postgres = postgres
        self.folder = folder
    }

    /// Looks at everything.
    ///
    /// - Parameter deadline: When to give up.
    /// - Returns: One finding per check or fault; without a failure the database is well.
    /// - Throws: ``OperationsError`` if the database can not be asked.
    package func examine(deadline: ContinuousClock.Instant) async throws(OperationsError) -> [Finding] {
        do {
            return try await postgres.withLease(deadline: deadline) { lease in
                var findings = try await server(lease)
                guard try await lease.row(of: HasMigrationTable()).value else {
                    findings.append(
                        Finding("migrations", .failure, "The schema is not there. Run: stock migrate up")
                    )
                    return findings
                }
                findings += try await migrations(lease)
                findings += try await tenancy(lease)
                findings += try await triggers(lease)
                findings += try await outbox(lease)
                return findings
            }
        } catch {
            throw OperationsError(error)
        }
    }

    /// What there is to say of a server's version: nothing of one that is new enough.
    ///
    /// - Parameters:
    ///   - number: As the server numbers it, 150020 for 15.20.
    ///   - version: As people write it.
    /// - Returns: A failure named `server version`, or `nil`.
    package static func age(number: Int32, version: String) -> Finding? {
        guard number < oldestServer else { return nil }
        return Finding(
            "server version",
            .failure,
            "PostgreSQL \(version) lacks security fixes that row-level security needs. Update to 15.20 or newer."
        )
    }

    private func server(_ lease: Lease) async throws(PostgresError) -> [Finding] {
        let server = try await lease.row(of: DescribeServer())
        var findings = [Finding("connection", .ok, "connected as \(server.role) to \(server.version)")]
        if let finding = Self.age(number: server.number, version: server.version) { findings.append(finding) }
        if server.role != "stock_app" {
            findings.append(
                Finding("role", .warning, "The service should connect as stock_app; DATABASE_URL says \(server.role).")
            )
        }
        for power in try await lease.rows(of: RolePowers()).map(\.value) {
            findings.append(
                Finding("role", .failure, "\(power): the walls between tenants do not hold. Connect as stock_app.")
            )
        }
        for (name, value) in [
            ("statement_timeout", server.statementTimeout), ("lock_timeout", server.lockTimeout),
            ("idle_in_transaction_session_timeout", server.idleTimeout),
        ] where value == "0" {
            findings.append(
                Finding("role settings", .warning, "\(name) is not set for \(server.role). Run sql/roles.sql again.")
            )
        }
        return findings
    }

    private func migrations(_ lease: Lease) async throws(PostgresError) -> [Finding] {
        guard let folder else { return [] }
        let applied = try await lease.rows(of: AppliedMigrations())
        let faults = Migrator.compare(folder, with: applied).compactMap { status -> Finding? in
            switch status.state {
            case .applied: nil
            case .pending: Finding("migrations", .failure, "\(status.fileName) is pending. Run: stock migrate up")
            case .changed: Finding("migrations", .failure, "\(status.fileName) was applied and has changed since.")
            case .unknown: Finding("migrations", .warning, "\(status.fileName) was applied by a newer version.")
            }
        }
        return faults.isEmpty ? [Finding("migrations", .ok, "\(applied.count) applied, none pending")] : faults
    }

    private func tenancy(_ lease: Lease) async throws -> [Finding] {
        guard let folder else { return [] }
        let faults = try await lease.transaction(tenant: nil) {
            // The audit is a file; through a table of this transaction its rows can be read by a statement of ours.
            try await lease.execute(
                script: "CREATE TEMPORARY TABLE tenancy_finding ON COMMIT DROP AS \(folder.tenancyAudit)"
            )
            return try await lease.rows(of: ReadTenancyFindings()).map(\.value)
        }
        return faults.isEmpty
            ? [Finding("tenancy", .ok, "the audit of roles, policies, keys and grants finds nothing")]
            : faults.map { Finding("tenancy", .failure, $0) }
    }

    private func triggers(_ lease: Lease) async throws(PostgresError) -> [Finding] {
        let faults = try await lease.rows(of: Invariant25()).map(\.value)
        return faults.isEmpty
            ? [Finding("triggers", .ok, "every table retires what is cached from it")]
            : faults.map {
                Finding("triggers", .failure, "\($0). After mending it run: SELECT stock.cache_rotate()")
            }
    }

    private func outbox(_ lease: Lease) async throws(PostgresError) -> [Finding] {
        // Asked first: what an instance that comes in between has drained already is not held against it.
        let isFollowed = try await lease.row(of: InstanceFollows()).value
        let outbox = try await lease.row(of: DescribeOutbox())
        let text = "\(outbox.rows) rows, the oldest \(outbox.oldest) s; the log's head is \(outbox.head)"
        guard isFollowed else {
            return [
                Finding("outbox", outbox.rows == 0 ? .ok : .warning, "\(text). No instance runs that would relay them.")
            ]
        }
        if outbox.oldest > 60 {
            return [Finding("outbox", .failure, "\(text). Instances run and none relays: look at their logs.")]
        }
        return [Finding("outbox", outbox.oldest > 1 ? .warning : .ok, text)]
    }
}

/// Who is connected to what.
struct DescribeServer: Statement {
    static let name = "doctor.server"
    static let sql: SQL = """
        SELECT current_user::text, current_setting('server_version'), current_setting('server_version_num')::integer,
               r.statement, r.locks, r.idle
        FROM (SELECT coalesce(max(split_part(s.line, '=', 2)) FILTER (WHERE s.line LIKE 'statement_timeout=%'), '0')
                         AS statement,
                     coalesce(max(split_part(s.line, '=', 2)) FILTER (WHERE s.line LIKE 'lock_timeout=%'), '0') AS locks,
                     coalesce(max(split_part(s.line, '=', 2))
                         FILTER (WHERE s.line LIKE 'idle_in_transaction_session_timeout=%'), '0') AS idle
              FROM pg_db_role_setting d
              JOIN pg_roles r ON r.oid = d.setrole AND r.rolname = current_user,
              unnest(d.setconfig) AS s (line)) r
        """

    struct Row: DecodableRow {
        let role: String
        let version: String
        let number: Int32
        let statementTimeout: String
        let lockTimeout: String
        let idleTimeout: String

        init(from row: inout RowReader) throws(PostgresError) {
            role = try row.next()
            version = try row.next()
            number = try row.next()
            statementTimeout = try row.next()
            lockTimeout = try row.next()
            idleTimeout = try row.next()
        }
    }
}

/// What the tenancy audit left in its temporary table.
struct ReadTenancyFindings: Statement {
    static let name = "doctor.tenancy"
    static let sql: SQL = """
        SELECT f."check" || ' ' || f.object || ': ' || f.problem FROM pg_temp.tenancy_finding f
        """

    typealias Row = SingleColumn<String>
}

/// How far the relay is behind.
struct DescribeOutbox: Statement {
    static let name = "doctor.outbox"
    static let sql: SQL = """
        SELECT count(o.id), coalesce(floor(extract(epoch FROM now() - min(o.touched_at)))::bigint, 0),
               (SELECT l.head_seq FROM stock.cache_lane l WHERE l.lane = 0)
        FROM stock.cache_outbox o
        """

    struct Row: DecodableRow {
        let rows: Int64
        let oldest: Int64
        let head: Int64

        init(from row: inout RowReader) throws(PostgresError) {
            rows = try row.next()
            oldest = try row.next()
            head = try row.next()
        }
    }
}

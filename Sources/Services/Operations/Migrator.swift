package import Kernel
package import Postgres

/// Where a migration stands.
package enum MigrationState: Sendable, Equatable {
    /// Applied as the file is.
    case applied(at: Timestamp)

    /// Not applied yet.
    case pending

    /// Applied from a file that has changed since.
    case changed

    /// Applied by a newer version of the program: no such file.
    case unknown
}

/// A migration and where it stands.
package struct MigrationStatus: Sendable, Equatable {
    /// The file's name.
    package let fileName: String

    /// Its number.
    package let version: Int32

    /// Where it stands.
    package let state: MigrationState
}

/// Applies the files of `sql/`: one at a time, each in a transaction, under an advisory lock.
///
/// It needs a connection that may become stock_owner. One that may create roles is asked to make them too.
package struct Migrator: Sendable {
    private let postgres: PostgresClient
    private let folder: MigrationFolder
    private let applicationPassword: String?
    private let patience: Patience

    /// How long it waits for locks.
    package struct Patience: Sendable {
        /// `lock_timeout` of a migration, in milliseconds: waiting longer would queue every request behind it.
        package var lockTimeout: Int = 2000

        /// How often a migration that met a lock is tried.
        package var tries: Int = 10

        /// How long it stands back between them.
        package var pause: Duration = .seconds(1)

        /// Patience as for production.
        package init() {}
    }

    /// Makes a migrator.
    ///
    /// - Parameters:
    ///   - postgres: Connects as the migrating role.
    ///   - folder: What to apply.
    ///   - applicationPassword: What stock_app shall log in with; nil leaves it alone.
    ///   - patience: How long it waits for locks.
    package init(
        postgres: PostgresClient,
        folder: MigrationFolder,
        applicationPassword: String? = nil,
        patience: Patience = Patience()
    ) {
        self.postgres = postgres
        self.folder = folder
        self.applicationPassword = applicationPassword
        self.patience = patience
    }

    /// Where each migration stands, those of the folder first.
    ///
    /// - Parameter deadline: When to give up.
    /// - Returns: The migrations by number, then those only the database knows.
    /// - Throws: ``OperationsError``.
    package func status(deadline: ContinuousClock.Instant) async throws(OperationsError) -> [MigrationStatus] {
        try await leased(deadline) { lease in
            Self.compare(folder, with: try await Self.applied(lease))
        }
    }

    /// What ``up(deadline:report:)`` would do, in words, one line each; empty if nothing.
    ///
    /// - Parameter deadline: When to give up.
    /// - Returns: One line per step.
    /// - Throws: ``OperationsError``.
    package func plan(deadline: ContinuousClock.Instant) async throws(OperationsError) -> [String] {
        try await leased(deadline) { lease in
            var lines: [String] = []
            let access = try await Self.access(lease)
            if !access.isPrepared {
                lines.append(
                    access.mayCreateRoles
                        ? "make roles and schema"
                        : access.mayCreateSchema ? "make the schema" : Self.advice(folder)
                )
            }
            for status in Self.compare(folder, with: try await Self.applied(lease)) {
                switch status.state {
                case .applied: continue
                case .pending: lines.append("apply \(status.fileName)")
                case .changed: lines.append("refuse \(status.fileName): it was applied and has changed since")
                case .unknown: lines.append("leave \(status.fileName): applied by another version, no such file here")
                }
            }
            return lines
        }
    }

    /// Applies what is pending.
    ///
    /// - Parameters:
    ///   - deadline: When to give up.
    ///   - report: Told each thing done, as it is done.
    /// - Returns: What was applied.
    /// - Throws: ``OperationsError``; what was applied before stays.
    @discardableResult
    package func up(
        deadline: ContinuousClock.Instant,
        report: @Sendable (String) -> Void = { _ in }
    ) async throws(OperationsError) -> [Migration] {
        try await leased(deadline) { lease in
            try await lock(lease)
            do {
                let done = try await apply(lease, report)
                try await Self.unlock(lease)
                return done
            } catch {
                // The lock also ends with the connection, which a failure here would close.
                try? await Self.unlock(lease)
                throw error
            }
        }
    }

    private func apply(_ lease: Lease, _ report: @Sendable (String) -> Void) async throws -> [Migration] {
        let access = try await Self.access(lease)
        if access.mayCreateRoles {
            try await makeRoles(lease)
            if !access.isPrepared { report("made roles and schema") }
        } else if access.mayCreateSchema, !access.isPrepared {
            try await lease.execute(script: Self.schemaScript)
            report("made the schema")
        } else if !access.isPrepared {
            throw OperationsError.roles(Self.advice(folder))
        }
        let applied = try await Self.applied(lease)
        for status in Self.compare(folder, with: applied) where status.state == .changed {
            throw OperationsError.changed(
                "\(status.fileName) was applied and has changed since. Put the old text back and add a new file."
            )
        }
        let versions = Set(applied.map(\.version))
        let pending = folder.migrations.filter { !versions.contains($0.version) }
        for migration in pending {
            try await apply(migration, isLast: migration.version == pending.last?.version, lease)
            report("applied \(migration.fileName)")
        }
        return pending
    }

    /// Waits until all who write have ended, and lets nobody begin before the migration has ended.
    ///
    /// Whoever writes by HTTP looks for its key first, so that they wait here with nothing held. Otherwise a migration takes tables in
    /// another order than sales do.
    private static let gate = """
        DO $$ BEGIN
            IF to_regclass('stock.idempotency_record') IS NOT NULL THEN
                LOCK TABLE stock.idempotency_record IN ACCESS EXCLUSIVE MODE;
            END IF;
        END $$;
        """

    /// Makes all that is cached cold, however many tenants there are.
    ///
    /// Bodies are made by functions, and replacing one retires nothing: what is cached was made by the former. Last before the commit,
    /// as relays wait for it.
    private static let rotation = """
        DO $$ BEGIN
            IF to_regprocedure('stock.cache_rotate()') IS NOT NULL THEN
                PERFORM stock.cache_rotate();
            END IF;
        END $$;
        """

    /// Makes the roles, again while somebody else does: they belong to the whole cluster, and no lock does.
    private func makeRoles(_ lease: Lease) async throws {
        // "tuple concurrently updated" is an internal error; two who make what is not there yet meet in the other two.
        let meetings: Set<SQLState> = [.internalError, .uniqueViolation, .duplicateObject]
        for attempt in 1... {
            do {
                try await lease.execute(script: folder.roles)
                if let applicationPassword {
                    try await lease.execute(script: try Self.passwordScript(applicationPassword))
                }
                return
            } catch let error as PostgresError
                where error.sqlState.map(meetings.contains) == true && attempt < patience.tries
            {
                try await Task.sleep(for: patience.pause)
            }
        }
    }

    /// One migration, tried again while somebody else holds a lock it needs.
    private func apply(_ migration: Migration, isLast: Bool, _ lease: Lease) async throws {
        for attempt in 1... {
            do {
                return try await lease.transaction(tenant: nil) {
                    try await lease.execute(
                        script: """
                            SET LOCAL ROLE stock_owner;
                            SET LOCAL lock_timeout = \(patience.lockTimeout);
                            \(Self.gate)
                            \(migration.sql)
                            ;
                            INSERT INTO stock.schema_migration (version, name, checksum)
                            VALUES (\(migration.version), '\(migration.name)', '\(migration.checksum)');
                            \(isLast ? Self.rotation : "")
                            """
                    )
                }
            } catch let error as PostgresError
                where (error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected)
                && attempt < patience.tries
            {
                try await Task.sleep(for: patience.pause)
            } catch let error as PostgresError {
                let cause = error.serverMessage.map { ": \($0)" } ?? "."
                throw OperationsError.failed("\(migration.fileName) failed, nothing of it was kept\(cause)")
            }
        }
    }

    // MARK: What is there

    /// Compares a folder with what was applied.
    static func compare(_ folder: MigrationFolder, with applied: [AppliedMigrations.Row]) -> [MigrationStatus] {
        let byVersion = Dictionary(applied.map { ($0.version, $0) }) { first, _ in first }
        var statuses = folder.migrations.map { migration in
            let state: MigrationState =
                switch byVersion[migration.version] {
                case nil: .pending
                case let row? where row.checksum == migration.checksum: .applied(at: row.appliedAt)
                case _?: .changed
                }
            return MigrationStatus(fileName: migration.fileName, version: migration.version, state: state)
        }
        let known = Set(folder.migrations.map(\.version))
        for row in applied where !known.contains(row.version) {
            statuses.append(
                MigrationStatus(fileName: "\(row.version)_\(row.name)", version: row.version, state: .unknown)
            )
        }
        return statuses
    }

    private static func applied(_ lease: Lease) async throws(PostgresError) -> [AppliedMigrations.Row] {
        guard try await lease.row(of: HasMigrationTable()).value else { return [] }
        return try await lease.rows(of: AppliedMigrations())
    }

    private static func access(_ lease: Lease) async throws(PostgresError) -> MigratorAccess.Row {
        try await lease.row(of: MigratorAccess())
    }

    /// The part of roles.sql that needs no right to make roles.
    private static let schemaScript = """
        CREATE SCHEMA stock AUTHORIZATION stock_owner;
        GRANT USAGE ON SCHEMA stock TO stock_app
        """

    private static func advice(_ folder: MigrationFolder) -> String {
        """
        The roles stock_owner and stock_app or the schema stock are missing, and this role may not create roles. As one \
        that may, run: psql -X -v ON_ERROR_STOP=1 -f \(folder.path)/roles.sql, then \
        ALTER ROLE stock_app PASSWORD '...', and GRANT stock_owner to the migrating role.
        """
    }

    private static func passwordScript(_ password: String) throws(OperationsError) -> String {
        guard !password.utf8.contains(0) else { throw .failed("The password of DATABASE_URL holds a NUL character.") }
        let quoted = password.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
        return "SET standard_conforming_strings = on; ALTER ROLE stock_app PASSWORD '\(quoted)'"
    }

    // MARK: The lock

    private func lock(_ lease: Lease) async throws {
        for attempt in 1... {
            if try await lease.row(of: TryMigrationLock()).value { return }
            guard attempt < patience.tries else {
                throw OperationsError.locked("Another migration is running. Wait for it, then try again.")
            }
            try await Task.sleep(for: patience.pause)
        }
    }

    private static func unlock(_ lease: Lease) async throws(PostgresError) {
        _ = try await lease.row(of: ReleaseMigrationLock())
    }

    private func leased<Value>(
        _ deadline: ContinuousClock.Instant,
        _ body: (Lease) async throws -> Value
    ) async throws(OperationsError) -> Value {
        do {
            return try await postgres.withLease(deadline: deadline, body)
        } catch {
            throw OperationsError(error)
        }
    }
}

extension OperationsError {
    /// What to tell an operator about a failure: here the server's own words help, and nobody else reads them.
    init(_ error: any Error) {
        switch error {
        case let error as OperationsError: self = error
        case let error as PostgresError where error.sqlState == nil:
            self = .failed("The database of DATABASE_URL or DATABASE_OWNER_URL can not be used: \(error.message).")
        case let error as PostgresError: self = .failed(error.serverMessage.map { "\(error): \($0)" } ?? "\(error)")
        default: self = .failed("\(error)")
        }
    }
}

/// Whether anything was ever applied.
struct HasMigrationTable: Statement {
    static let name = "operations.has_migration_table"
    static let sql: SQL = "SELECT to_regclass('stock.schema_migration') IS NOT NULL"

    typealias Row = SingleColumn<Bool>
}

/// What was applied.
struct AppliedMigrations: Statement {
    static let name = "operations.applied"
    static let sql: SQL = """
        SELECT m.version, m.name, m.checksum, m.applied_at FROM stock.schema_migration m ORDER BY m.version
        """

    struct Row: DecodableRow {
        let version: Int32
        let name: String
        let checksum: String
        let appliedAt: Timestamp

        init(from row: inout RowReader) throws(PostgresError) {
            version = try row.next()
            name = try row.next()
            checksum = try row.next()
            appliedAt = try row.next()
        }
    }
}

/// What the migrating role may do and what is there.
struct MigratorAccess: Statement {
    static let name = "operations.access"
    static let sql: SQL = """
        SELECT (SELECT r.rolsuper OR r.rolcreaterole FROM pg_roles r WHERE r.rolname = current_user),
               EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'stock_app')
               AND EXISTS (SELECT FROM pg_roles r
                           WHERE r.rolname = 'stock_owner' AND pg_has_role(current_user, r.oid, 'MEMBER'))
               AND EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'stock'),
               EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'stock_app')
               AND EXISTS (SELECT FROM pg_roles r
                           WHERE r.rolname = 'stock_owner' AND pg_has_role(current_user, r.oid, 'MEMBER'))
               AND has_database_privilege(current_database(), 'CREATE')
        """

    struct Row: DecodableRow {
        let mayCreateRoles: Bool
        let isPrepared: Bool
        let mayCreateSchema: Bool

        init(from row: inout RowReader) throws(PostgresError) {
            mayCreateRoles = try row.next()
            isPrepared = try row.next()
            mayCreateSchema = try row.next()
        }
    }
}

/// Takes the lock that keeps migrations apart; it belongs to the connection.
struct TryMigrationLock: Statement {
    static let name = "operations.try_lock"
    static let sql: SQL = "SELECT pg_try_advisory_lock(hashtextextended('stock migrate', 0))"

    typealias Row = SingleColumn<Bool>
}

/// Gives the lock back.
struct ReleaseMigrationLock: Statement {
    static let name = "operations.unlock"
    static let sql: SQL = "SELECT pg_advisory_unlock(hashtextextended('stock migrate', 0))"

    typealias Row = SingleColumn<Bool>
}

package import Kernel
package import Postgres

/// Takes a tenant over that another deployment has written out: as a new tenant with all it had, or not at all.
///
/// It is one transaction of the owner's role, as triggers take rows for what they are only there (`stock.is_restoring`). Row-level security
/// holds for it as for everybody, and whose rows they become is no part of the file. Nothing of the file is run: tables and columns are the
/// program's and the catalogue's, and values are read by the server as their types.
package struct TenantImport: Sendable {
    /// What is chosen beside the file.
    package struct Options: Sendable {
        /// Its slug here; nil is the one it had.
        package var slug: String?
        /// Its name here; nil is the one it had.
        package var name: String?
        /// Whether nothing is to be kept.
        package var isDryRun: Bool

        /// Chooses.
        package init(slug: String? = nil, name: String? = nil, isDryRun: Bool = false) {
            self.slug = slug
            self.name = name
            self.isDryRun = isDryRun
        }
    }

    /// What came in.
    package struct Summary: Sendable {
        /// Its number here.
        package fileprivate(set) var tenant: TenantID
        package fileprivate(set) var slug: String
        package fileprivate(set) var name: String
        package fileprivate(set) var tables = 0
        package fileprivate(set) var rows = 0
        /// Members who had no account here, and have one that no password opens yet.
        package fileprivate(set) var accountsMade = 0
        /// Members who had an account here, which is theirs as it was.
        package fileprivate(set) var accountsKnown = 0
        /// The number of the last event that it reflects.
        package fileprivate(set) var lastEvent: Int64
    }

    /// Why nothing came in.
    package enum Failure: Error, Sendable, Equatable {
        /// The file cannot be taken for what it says it is.
        case file(TenantFileFault)
        /// The rows are of another schema than the tables.
        case schema(file: Int32, database: Int32)
        /// A table does not take what the file has for it: a value that is none of its type, a row that breaks a rule of it.
        case table(String, SQLState)
        /// A refusal in its own words, as of a slug that is taken.
        case refused(String)
        /// What came in does not hold together.
        case violations([Violation])
        /// The connecting role may not become the owner of the schema.
        case role
    }

    /// What the transaction is set to, beside the forms of values.
    ///
    /// What is deferred elsewhere is checked at once, so that a million references do not wait for the end in memory. Plans are those of
    /// the service's role: rows are found by their keys, in tables of which nothing is known yet.
    private static let settings: StaticString = """
        SET LOCAL ROLE stock_owner;
        SET LOCAL stock.restoring = 'on';
        SET LOCAL lock_timeout = '30s';
        SET LOCAL enable_seqscan = off;
        SET LOCAL jit = off;
        SET CONSTRAINTS ALL IMMEDIATE
        """

    private let postgres: PostgresClient

    /// Makes an import.
    ///
    /// - Parameter postgres: Connects as a role that may become the owner of the schema.
    package init(postgres: PostgresClient) { self.postgres = postgres }

    /// Imports a file, and checks every invariant of what it has become.
    ///
    /// - Parameters:
    ///   - source: The file's bytes, decompressed.
    ///   - options: What is chosen beside it.
    ///   - deadline: When to give up.
    ///   - onProgress: Told how far it is.
    /// - Returns: What came in, or would have.
    /// - Throws: ``Failure``; `PostgresError` if the database was lost, what `source` throws. Nothing is kept then.
    package func run<Source: AsyncSequence>(
        _ source: Source,
        options: Options,
        deadline: ContinuousClock.Instant,
        onProgress: @escaping (ImportProgress) -> Void
    ) async throws -> Summary where Source.Element == [UInt8] {
        do {
            return try await postgres.withLease(deadline: deadline) { lease in
                try await lease.transaction(tenant: nil) {
                    try await Self.prepare(lease)
                    let arrival = TenantArrival(TenantFileReader(source), lease, onProgress)
                    let summary = try await arrival.take(options)
                    onProgress(.checking(rows: summary.rows))
                    let violations = try await Verification.violations(of: summary.tenant, in: lease)
                    guard violations.isEmpty else { throw Failure.violations(violations) }
                    if options.isDryRun { throw DryRun(summary: summary) }
                    return summary
                }
            }
        } catch let dryRun as DryRun {
            return dryRun.summary
        } catch let fault as TenantFileFault {
            throw Failure.file(fault)
        }
    }

    /// The end of a transaction of which nothing is kept.
    private struct DryRun: Error {
        let summary: Summary
    }

    private static func prepare(_ lease: Lease) async throws {
        do throws(PostgresError) {
            try await lease.execute(script: TenantExport.forms.description)
            try await lease.execute(script: settings.description)
        } catch {
            if error.sqlState == .insufficientPrivilege { throw Failure.role }
            throw error
        }
    }
}

/// One file as it comes in, on one connection.
private struct TenantArrival<Source: AsyncSequence> where Source.Element == [UInt8] {
    private let reader: TenantFileReader<Source>
    private let lease: Lease
    private let onProgress: (ImportProgress) -> Void

    init(_ reader: TenantFileReader<Source>, _ lease: Lease, _ onProgress: @escaping (ImportProgress) -> Void) {
        self.reader = reader
        self.lease = lease
        self.onProgress = onProgress
    }

    /// Takes all of it.
    func take(_ options: TenantImport.Options) async throws -> TenantImport.Summary {
        let head = try TenantFile.Head(try await reader.line())
        let schema = try await lease.moving(SchemaVersion(), tenant: nil).value
        guard head.schema == schema else { throw TenantImport.Failure.schema(file: head.schema, database: schema) }
        // The first table is the tenant's own; nobody has this number.
        var summary = TenantImport.Summary(
            tenant: TenantID(rawValue: 0),
            slug: options.slug ?? head.slug,
            name: options.name ?? head.name,
            lastEvent: head.lastEvent
        )
        for table in TenantTables.moved {
            do {
                try await take(table, &summary)
            } catch let error as PostgresError {
                throw Self.failure(error, of: table)
            }
        }
        let digest = reader.digest
        guard try await reader.line() == TenantFile.ending(tables: summary.tables, rows: summary.rows, digest) else {
            throw TenantFileFault("it is damaged: its checksum is another one")
        }
        guard try await reader.isAtEnd() else { throw TenantFileFault("there is something behind its end") }
        return summary
    }

    private func take(_ table: String, _ summary: inout TenantImport.Summary) async throws {
        let tenant = table == "tenant" ? nil : summary.tenant
        let columns = try await lease.moving(MoveIn(table: table), tenant: tenant).value
        guard try await reader.line() == TenantFile.opening(table, columns) else {
            throw TenantFileFault("what should be the rows of \(table) is something else, or has other columns")
        }
        let rows = try await copy(before: summary.rows)
        guard try await reader.line() == TenantFile.closing(rows: rows, reader.rowsDigest) else {
            throw TenantFileFault("the rows of \(table) are damaged: their checksum is another one")
        }
        switch table {
        case "tenant":
            guard rows == 1 else { throw TenantFileFault("it is of \(rows) tenants, not of one") }
            let statement = TenantMovedIn(slug: summary.slug, tenantName: summary.name)
            summary.tenant = try await lease.moving(statement, tenant: nil).value
        case "app_user":
            _ = try await lease.moving(PeopleMovedIn(), tenant: tenant)
        case "membership":
            let accounts = try await lease.moving(AccountsMovedIn(), tenant: tenant)
            summary.accountsMade = Int(accounts.made)
            summary.accountsKnown = Int(accounts.known)
            _ = try await lease.moving(MovedIn(table: table), tenant: tenant)
        default:
            _ = try await lease.moving(MovedIn(table: table), tenant: tenant)
        }
        summary.tables += 1
        summary.rows += rows
    }

    /// Brings the rows of a table to the server, and says how many.
    private func copy(before: Int) async throws -> Int {
        reader.beginRows()
        let rows = TenantRows(reader: reader) { onProgress(.writing(rows: before + $0, of: nil)) }
        do throws(PostgresError) {
            return try await lease.copyIn("COPY pg_temp.incoming FROM STDIN", from: rows)
        } catch {
            throw reader.failure ?? error
        }
    }

    /// What an answer of the server means: the file's fault, as a rule.
    private static func failure(_ error: PostgresError, of table: String) -> any Error {
        guard let state = error.sqlState else { return error }
        if state == "ST001" { return TenantImport.Failure.refused(error.serverHint ?? "the database refuses \(table)") }
        // Data exceptions, broken rules and what is too large: their texts may quote rows, and are not told.
        guard ["22", "23", "54"].contains(state.category) else { return error }
        return TenantImport.Failure.table(error.table ?? table, state)
    }
}

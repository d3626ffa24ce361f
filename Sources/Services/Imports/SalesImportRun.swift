import Domain
import Kernel
import Postgres

/// One run of a sales import on one connection.
struct SalesImportRun {
    let lease: Lease
    let options: SalesImport.Options
    let onReject: (RowRejection) throws -> Void
    let onProgress: (SalesImport.Progress) -> Void

    private var tenant: Int64 { options.tenant.rawValue }

    func run<Source: AsyncSequence>(
        _ source: Source
    ) async throws -> SalesImport.Report where Source.Element == [UInt8] {
        let identity = ImportIdentity(tenant: options.tenant)
        var report = SalesImport.Report()
        let stager = SaleStager(
            source: source,
            mapping: options.mapping,
            identity: identity,
            onReject: { rejection in
                report.rejected[rejection.code, default: 0] += 1
                try onReject(rejection)
            },
            onProgress: { onProgress(.reading(rows: $0)) }
        )
        try await stage(stager)
        report.rows = stager.rows
        report.rowsByKind = stager.rowsByKind
        let fileHash = stager.fileHash
        let job = identity.job(kind: ImportMapping.Kind.sales.rawValue, fileHash: fileHash)
        report.job = ImportID(job)
        if let resumed = options.resumes, resumed.entity != job {
            throw ImportFailure.notResumable("import \(resumed) is not of this file; its import is \(job)")
        }

        onProgress(.checking(rows: report.rows))
        let unit = options.createsProducts ? try await unitOfNewProducts() : nil
        let check = try await one(CheckSales(unitDecimals: unit?.decimals))
        report.unchanged = Int(check.unchanged)
        if options.onError == .abort, report.rejectedRows + Int(check.rejected) > 0 {
            try await tellRejections(&report)
            throw ImportFailure.refused(rows: report.rejectedRows)
        }
        if let unit, !options.isDryRun {
            report.createdProducts = Int(try await one(CreateImportedProducts(unit: unit.id)).value)
        }
        let chunks = try await all(PlanSales(chunkRows: Int32(clamping: options.chunkRows)))
        if options.onError == .abort, let refused = try await firstRejection() {
            try await tellRejections(&report)
            throw ImportFailure.refused(rows: max(report.rejectedRows, refused))
        }

        let planned = chunks.reduce(0) { $0 + Int($1.rows) }
        if options.isDryRun {
            report.applied = planned
            try await tellRejections(&report)
            return report
        }
        if !chunks.isEmpty {
            try await perform(
                BeginImport(
                    job: PostgresUUID(high: job.high, low: job.low),
                    kind: .sales,
                    onError: options.onError,
                    fileName: options.fileName,
                    fileHash: fileHash,
                    options: Array(
                        #"{"payment_method":"\#(options.method.rawValue)","create_products":\#(options.createsProducts)}"#
                            .utf8
                    )
                )
            )
        }
        for (index, chunk) in chunks.enumerated() {
            // Plans made while tables were empty read them from end to end once they are not.
            if index > 0, index <= 64, index & (index - 1) == 0 { try await perform(DiscardPlans()) }
            report.applied += try await apply(chunk, job: PostgresUUID(high: job.high, low: job.low))
            onProgress(.writing(rows: report.applied, of: planned))
        }
        try await tellRejections(&report)
        try await perform(
            FinishImport(
                job: PostgresUUID(high: job.high, low: job.low),
                rows: Int64(report.rows),
                rejected: Int64(report.rejectedRows)
            )
        )
        return report
    }

    /// Leaves the connection without a trace of the import.
    func close() async throws {
        try await perform(CloseImport())
    }

    // MARK: Steps

    private func stage<Source>(_ stager: SaleStager<Source>) async throws {
        do {
            try await lease.transaction(tenant: tenant) {
                try await perform(OpenImport())
                try await lease.copyIn(
                    """
                    COPY pg_temp.import_line (document, sku, line, quantity, unit_price, id, movement_id)
                    FROM STDIN (FORMAT binary)
                    """,
                    from: StagedLines(stager: stager)
                )
                try await lease.copyIn(
                    """
                    COPY pg_temp.import_document (ordinal, is_return, external_id, wall_clock, instant, id, payment_id,
                                                  ledger_id)
                    FROM STDIN (FORMAT binary)
                    """,
                    from: stager.documents()
                )
                try await lease.copyIn(
                    "COPY pg_temp.import_sku (ordinal, sku, line, price, name, name_line, product_id) FROM STDIN (FORMAT binary)",
                    from: stager.skus()
                )
            }
        } catch {
            // COPY only knows that its producer failed; the producer knows why.
            if let fault = stager.failure as? ImportMapping.Fault { throw ImportFailure.mapping(fault) }
            throw stager.failure ?? Self.failure(error)
        }
    }

    private func unitOfNewProducts() async throws -> (id: PostgresUUID, decimals: Int32) {
        if let unit = try await all(FirstUnit()).first { return (unit.id, unit.decimals) }
        let made = UUIDv7.make()
        let id = PostgresUUID(high: made.high, low: made.low)
        if !options.isDryRun { try await perform(CreateFirstUnit(id: id)) }
        return (id, 0)
    }

    /// Applies a chunk, again if it met a deadlock or waited too long for a lock.
    private func apply(_ chunk: PlanSales.Row, job: PostgresUUID) async throws -> Int {
        var attempt = 1
        while true {
            do {
                let statement = ApplySales(
                    chunk: chunk,
                    method: options.method,
                    job: job,
                    aborts: options.onError == .abort
                )
                return Int(try await one(statement).value)
            } catch let error as PostgresError
                where attempt < 10 && (error.sqlState?.isTransient == true || error.sqlState == .lockNotAvailable)
            {
                attempt += 1
            }
        }
    }

    private func firstRejection() async throws -> Int? {
        let rows = try await all(ImportRejections(afterLine: -1))
        return rows.isEmpty ? nil : rows.count
    }

    private func tellRejections(_ report: inout SalesImport.Report) async throws {
        var line: Int32 = -1
        while true {
            let rows = try await all(ImportRejections(afterLine: line))
            for row in rows {
                let code = RowRejection.Code(rawValue: row.code) ?? .valueInvalid
                report.rejected[code, default: 0] += 1
                try onReject(RowRejection(line: Int(row.line), code: code, reason: row.reason))
                line = row.line
            }
            if rows.isEmpty { return }
        }
    }

    // MARK: One statement

    private func perform<S: Statement>(_ statement: S) async throws {
        _ = try await all(statement)
    }

    private func one<S: Statement>(_ statement: S) async throws -> S.Row {
        let rows = try await all(statement)
        guard let row = rows.first else { throw ImportFailure.conflict("\(S.name) gave no row") }
        return row
    }

    private func all<S: Statement>(_ statement: S) async throws -> [S.Row] {
        do {
            var unit = UnitOfWork(tenant: tenant, access: .write)
            let slot = try unit.add(statement)
            return try await lease.perform(unit).rows(slot)
        } catch {
            throw Self.failure(error)
        }
    }

    /// A refusal raised in SQL is told in its own words.
    private static func failure(_ error: any Error) -> any Error {
        guard let error = error as? PostgresError, error.sqlState == "ST001" else { return error }
        return ImportFailure.conflict(error.serverHint ?? error.serverMessage ?? "the database refuses")
    }
}

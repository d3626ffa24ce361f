import Domain
import Kernel
import Postgres

/// One run of a sales import on one connection.
struct SalesImportRun {
    /// What is done with a second connection, if one is free.
    typealias Assistance = (ImportSession?) async throws -> Void

    let session: ImportSession
    let options: SalesImport.Options
    let onReject: (RowRejection) throws -> Void
    let onProgress: (ImportProgress) -> Void
    /// Lends a second connection for the time of a closure.
    let withAssistant: (Assistance) async throws -> Void

    /// Fewer chunks are written sooner than copied.
    private static let chunksWorthAssistance = 8

    /// Imports the file.
    ///
    /// - Parameters:
    ///   - source: its bytes.
    ///   - figures: kept up to date, so that a run that fails has told what it did.
    /// - Throws: ``ImportFailure``, `PostgresError`, or what `source` or `onReject` throws.
    func run<Source: AsyncSequence>(
        _ source: Source,
        _ figures: SalesImport.Figures
    ) async throws where Source.Element == [UInt8] {
        let identity = try await ImportIdentity(of: session)
        let stager = SaleStager(
            source: source,
            mapping: options.mapping,
            identity: identity,
            onReject: { rejection in
                figures.report.rejected[rejection.code, default: 0] += 1
                try onReject(rejection)
                try TooManyRejections.check(figures.report.rejectedRows, most: options.maxErrors)
            },
            onProgress: { onProgress(.reading(rows: $0)) }
        )
        try await stage(stager)
        figures.report.rows = stager.rows
        figures.report.blankRows = stager.blankRows
        figures.report.unusedColumns = stager.unusedColumns
        figures.report.rowsByKind = stager.rowsByKind
        let fileHash = stager.fileHash
        let job = identity.job(kind: ImportMapping.Kind.sales.rawValue, fileHash: fileHash)
        figures.report.job = ImportID(job)
        if let resumed = options.resumes, resumed.entity != job {
            throw ImportFailure.notResumable("import \(resumed) is not of this file; its import is \(job)")
        }

        onProgress(.checking(rows: figures.report.rows))
        // A dry run is the run up to the first chunk, and nothing of it stays.
        if options.isDryRun { try await session.lease.begin(tenant: session.tenant) }
        let unit = options.createsProducts ? try await unitOfNewProducts() : nil
        let check = try await session.one(CheckSales(unitDecimals: unit?.decimals))
        figures.report.unchanged = Int(check.unchanged)
        let unpayable = try await session.one(CheckImportedParties(method: options.method)).value
        if options.onError == .abort, figures.report.rejectedRows + Int(check.rejected + unpayable) > 0 {
            try await tellRejections(figures)
            throw ImportFailure.refused(rows: figures.report.rejectedRows)
        }
        if let most = options.maxErrors, figures.report.rejectedRows + Int(check.rejected + unpayable) >= most {
            // Before anything is written.
            try await tellRejections(figures)
        }
        if let unit {
            figures.report.createdProducts = Int(try await session.one(CreateImportedProducts(unit: unit.id)).value)
        }
        let asksStock = !options.allowsOverselling
        let chunks = try await session.all(
            PlanSales(chunkRows: Int32(clamping: options.chunkRows), asksStock: asksStock)
        )
        if options.onError == .abort, let refused = try await firstRejection() {
            try await tellRejections(figures)
            throw ImportFailure.refused(rows: max(figures.report.rejectedRows, refused))
        }

        let planned = chunks.reduce(0) { $0 + Int($1.rows) }
        if options.isDryRun {
            figures.report.applied = planned
            try await tellRejections(figures)
            try await session.lease.rollback()
            return
        }
        if !chunks.isEmpty {
            try await session.perform(
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
        let writer = SalesChunks(
            chunks: chunks,
            job: PostgresUUID(high: job.high, low: job.low),
            method: options.method,
            aborts: options.onError == .abort,
            asksStock: asksStock
        )
        try await write(writer) { rows in
            figures.report.applied += rows
            onProgress(.writing(rows: figures.report.applied, of: planned))
        }
        try await tellRejections(figures)
        try await session.perform(
            FinishImport(
                job: PostgresUUID(high: job.high, low: job.low),
                rows: Int64(figures.report.rows),
                rejected: Int64(figures.report.rejectedRows)
            )
        )
    }

    /// Leaves the connection without a trace of the import.
    func close() async throws {
        try await session.perform(CloseImport())
    }

    // MARK: Steps

    private func stage<Source>(_ stager: SaleStager<Source>) async throws {
        do {
            try await session.lease.transaction(tenant: session.tenant) {
                try await session.perform(OpenImport())
                try await session.lease.copyIn(
                    """
                    COPY pg_temp.import_line (document, sku, line, quantity, unit_price, id, movement_id, position, discount,
                                              tax_rate)
                    FROM STDIN (FORMAT binary)
                    """,
                    from: StagedLines(stager: stager)
                )
                try await session.lease.copyIn(
                    """
                    COPY pg_temp.import_document (ordinal, is_return, external_id, wall_clock, instant, id, payment_id,
                                                  ledger_id, method, is_rejected, customer, register, location)
                    FROM STDIN (FORMAT binary)
                    """,
                    from: stager.documents()
                )
                try await session.lease.copyIn(
                    "COPY pg_temp.import_tender (document, method, amount, payment_id, ledger_id) FROM STDIN (FORMAT binary)",
                    from: stager.tenders()
                )
                try await session.lease.copyIn(
                    "COPY pg_temp.import_sku (ordinal, sku, line, price, name, name_line, product_id) FROM STDIN (FORMAT binary)",
                    from: stager.skus()
                )
            }
        } catch {
            // COPY only knows that its producer failed; the producer knows why.
            if let fault = stager.failure as? ImportMapping.Fault { throw ImportFailure.mapping(fault) }
            throw stager.failure ?? ImportSession.failure(error)
        }
    }

    private func unitOfNewProducts() async throws -> (id: PostgresUUID, decimals: Int32) {
        if let unit = try await session.all(FirstUnit()).first { return (unit.id, unit.decimals) }
        let made = UUIDv7.make()
        let id = PostgresUUID(high: made.high, low: made.low)
        try await session.perform(CreateFirstUnit(id: id))
        return (id, 0)
    }

    /// Writes the chunks, by two sessions if there is enough to do and no sale may be refused on the way.
    private func write(_ writer: SalesChunks, onCommit: (Int) -> Void) async throws {
        guard options.isAssisted, let last = writer.chunks.last, writer.chunks.count >= Self.chunksWorthAssistance
        else {
            return try await writer.write(in: session, onCommit: onCommit)
        }
        if writer.asksStock, try await session.one(SellsBoundedProducts(first: 0, last: last.last)).value {
            return try await writer.write(in: session, onCommit: onCommit)
        }
        try await withAssistant { assistant in
            guard let assistant else { return try await writer.write(in: session, onCommit: onCommit) }
            try await SalesImportCopy(from: session, to: assistant).run()
            try await writer.write(in: (even: session, odd: assistant), onCommit: onCommit)
        }
    }

    private func firstRejection() async throws -> Int? {
        let rows = try await session.all(ImportRejections(afterLine: -1))
        return rows.isEmpty ? nil : rows.count
    }

    private func tellRejections(_ figures: SalesImport.Figures) async throws {
        var line: Int32 = -1
        while true {
            let rows = try await session.all(ImportRejections(afterLine: line))
            for row in rows {
                let code = RowRejection.Code(rawValue: row.code) ?? .valueInvalid
                figures.report.rejected[code, default: 0] += 1
                // It was counted as readable when it was read.
                figures.report.rowsByKind[row.kind, default: 0] -= 1
                try onReject(RowRejection(line: Int(row.line), code: code, reason: row.reason))
                line = row.line
            }
            try TooManyRejections.check(figures.report.rejectedRows, most: options.maxErrors)
            if rows.isEmpty { return }
        }
    }
}

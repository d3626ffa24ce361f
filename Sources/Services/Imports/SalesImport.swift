package import Domain
package import Kernel
package import Postgres

/// What an import does about rows it can not take over.
package enum ImportErrorPolicy: String, Sendable, CaseIterable {
    /// Leaves them out.
    case skip
    /// Leaves everything out if there is one.
    case abort
}

/// What an import stopped for.
///
/// What it had committed until then stays, and the same command goes on behind it.
package enum ImportFailure: Error, Sendable {
    /// The file's header does not fit the mapping.
    case mapping(ImportMapping.Fault)
    /// Rows were refused under ``ImportErrorPolicy/abort``; nothing was applied.
    case refused(rows: Int)
    /// The database refuses: another import is running, the default register is missing.
    case conflict(String)
    /// `--resume` named another file's import, or none.
    case notResumable(String)
}

/// So many rows were refused that the import ended.
///
/// It is the cause of an ``ImportInterruption``: what was written until then stays, and the same command goes on behind it.
package struct TooManyRejections: Error, Equatable {
    /// How many.
    package let rows: Int

    /// Ends an import of which too many rows were refused.
    ///
    /// - Parameters:
    ///   - rows: how many were.
    ///   - most: with how many it ends; nil: with none.
    /// - Throws: ``TooManyRejections``.
    static func check(_ rows: Int, most: Int?) throws(TooManyRejections) {
        if let most, rows >= most { throw TooManyRejections(rows: rows) }
    }
}

/// Takes a file of sales over into the tenant's books.
///
/// The file is streamed, staged by COPY into temporary tables and held against the tenant's data as a whole; then whole
/// sales and returns go in, in the order of their first rows, in chunks of one transaction each. What is there already is
/// compared and left alone, so the same command may be repeated at any time: after a kill it goes on where it was.
package struct SalesImport: Sendable {
    /// How a file is to be imported.
    package struct Options: Sendable {
        /// The tenant that takes the sales over.
        package var tenant: TenantID
        package var mapping: ImportMapping
        /// Whether SKUs that no product has become products.
        package var createsProducts: Bool
        /// The tender of every sale, and of what is refunded, where the file does not name it.
        package var method: PaymentMethodCode
        /// Whether sales of what is not there are recorded: history has happened, whatever is on hand now.
        package var allowsOverselling: Bool
        package var onError: ImportErrorPolicy
        /// Checks everything and writes nothing.
        package var isDryRun: Bool
        /// An import that must be the one gone on with.
        package var resumes: ImportID?
        /// For the record of the import.
        package var fileName: String
        /// Rows of a chunk: a larger one is faster by its round trip and keeps live sales waiting for longer.
        package var chunkRows: Int
        /// Whether a second connection helps where there is much to write.
        package var isAssisted: Bool
        /// How many rows may be refused before the import ends early; nil: all of them.
        package var maxErrors: Int?

        package init(
            tenant: TenantID,
            mapping: ImportMapping,
            createsProducts: Bool = false,
            method: PaymentMethodCode = .cash,
            allowsOverselling: Bool = true,
            onError: ImportErrorPolicy = .skip,
            isDryRun: Bool = false,
            resumes: ImportID? = nil,
            fileName: String = "",
            chunkRows: Int = 5_000,
            isAssisted: Bool = true
        ) {
            self.tenant = tenant
            self.mapping = mapping
            self.createsProducts = createsProducts
            self.method = method
            self.allowsOverselling = allowsOverselling
            self.onError = onError
            self.isDryRun = isDryRun
            self.resumes = resumes
            self.fileName = fileName
            self.chunkRows = chunkRows
            self.isAssisted = isAssisted
        }
    }

    /// What came of an import.
    package struct Report: Sendable {
        package var job: ImportID?
        /// Rows of the file, without its header.
        package var rows = 0
        /// Rows without any content, which are no rows.
        package var blankRows = 0
        /// The names of the columns that nothing was read from.
        package var unusedColumns: [String] = []
        /// What the rows are that were not refused.
        package var rowsByKind: [SaleRow.Kind: Int] = [:]
        /// Rows written by this run; those that would be, if it was dry.
        package var applied = 0
        /// Rows that were there already.
        package var unchanged = 0
        package var rejected: [RowRejection.Code: Int] = [:]
        package var sales = 0
        package var returns = 0
        package var createdProducts = 0
        package var duration: Duration = .zero

        /// Rows refused, all codes together.
        package var rejectedRows: Int { rejected.values.reduce(0, +) }
    }

    private let postgres: PostgresClient
    private let timeLimit: Duration

    /// - Parameters:
    ///   - postgres: where to.
    ///   - timeLimit: for the whole import.
    package init(postgres: PostgresClient, timeLimit: Duration = .seconds(6 * 3_600)) {
        self.postgres = postgres
        self.timeLimit = timeLimit
    }

    /// Imports a file.
    ///
    /// - Parameters:
    ///   - source: its bytes, decompressed.
    ///   - options: how.
    ///   - onReject: called with every row that is refused: by the file's own faults first, in order, then by the tenant's
    ///     data, in order.
    ///   - onProgress: called now and then.
    /// - Returns: the figures.
    /// - Throws: ``ImportFailure`` if nothing was written; ``ImportInterruption`` with the figures until then and what ended it.
    package func run<Source: AsyncSequence>(
        _ source: Source,
        options: Options,
        onReject: @escaping (RowRejection) throws -> Void,
        onProgress: @escaping (ImportProgress) -> Void
    ) async throws -> Report where Source.Element == [UInt8] {
        let clock = ContinuousClock()
        let start = clock.now
        let postgres = postgres
        // What is known of the import when it ends before its time.
        let figures = Figures()
        do {
            try await postgres.withLease(deadline: start + timeLimit) { lease in
                let session = ImportSession(lease: lease, tenant: options.tenant.rawValue)
                let run = SalesImportRun(
                    session: session,
                    options: options,
                    onReject: onReject,
                    onProgress: onProgress,
                    withAssistant: { try await postgres.withAssistant(of: session, $0) }
                )
                do {
                    try await run.run(source, figures)
                    try await run.close()
                } catch {
                    try? await run.close()
                    throw error
                }
            }
        } catch let failure as ImportFailure where figures.report.applied == 0 {
            throw failure
        } catch {
            // Also of what failed behind its first chunks, which stay.
            figures.report.duration = clock.now - start
            throw ImportInterruption(report: figures.report, cause: error)
        }
        figures.report.duration = clock.now - start
        return figures.report
    }

    /// The figures of a run, of which whoever runs it has the last word.
    final class Figures {
        var report = Report()
    }
}

/// How far an import is.
package enum ImportProgress: Sendable {
    /// Rows read from the file so far.
    case reading(rows: Int)
    /// The staged file is held against the tenant's data.
    case checking(rows: Int)
    /// Rows committed; `of`: those that go in, if that is known.
    case writing(rows: Int, of: Int?)
}

/// An import that ended before its time.
///
/// What it had committed stays, and the same command goes on behind it.
package struct ImportInterruption<Report: Sendable>: Error {
    /// The figures until then.
    package let report: Report
    /// What ended it.
    package let cause: any Error
}

package import Domain
package import Kernel
package import Postgres

/// Takes a file of records over: each row is found by what it is called by, and makes a record if there is none.
///
/// Batches of rows go in as a whole, an unchanged row writes nothing, and so the same file again changes nothing. Under ``ImportErrorPolicy/abort`` and in a dry run the whole file is one transaction: all of it
/// or nothing, and the dry run is the run, rolled back.
package struct RecordsImport: Sendable {
    /// What the rows of a file are.
    package enum Kind: String, Sendable, CaseIterable {
        case products
        case categories
        case units
        case customers
        case suppliers
        case stock
        case prices
        case expenses
        case payments
        case purchases

        /// What such a file holds.
        package var shape: ImportShape {
            switch self {
            case .products: .products
            case .categories: .categories
            case .units: .units
            case .customers: .customers
            case .suppliers: .suppliers
            case .stock: .stock
            case .prices: .prices
            case .expenses: .expenses
            case .payments: .payments
            case .purchases: .purchases
            }
        }
    }

    /// How a file is to be imported.
    package struct Options: Sendable {
        package var kind: Kind
        /// The tenant that takes the records over.
        package var tenant: TenantID
        package var mapping: ImportMapping
        package var onError: ImportErrorPolicy
        /// Does everything and keeps nothing of it.
        package var isDryRun: Bool
        /// Refuses what is there already; of products what is there is changed.
        package var insertsOnly = false
        /// Archives products that the file says are.
        package var readsStatus = false
        /// How many rows may be refused before the import ends early; nil: all of them.
        package var maxErrors: Int?
        /// Writes by two connections where batches need not follow each other.
        package var isAssisted = true

        package init(
            kind: Kind = .products,
            tenant: TenantID,
            mapping: ImportMapping,
            onError: ImportErrorPolicy = .skip,
            isDryRun: Bool = false
        ) {
            self.kind = kind
            self.tenant = tenant
            self.mapping = mapping
            self.onError = onError
            self.isDryRun = isDryRun
        }
    }

    /// What came of an import.
    package struct Report: Sendable {
        /// Rows of the file, without its header.
        package var rows = 0
        /// Rows without any content, which are no rows.
        package var blankRows = 0
        /// The names of the columns that nothing was read from.
        package var unusedColumns: [String] = []
        package var created = 0
        package var updated = 0
        package var unchanged = 0
        package var rejected: [RowRejection.Code: Int] = [:]
        package var duration: Duration = .zero

        /// None of it was kept.
        mutating func forgetWritten() {
            created = 0
            updated = 0
            unchanged = 0
        }

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
    ///   - onReject: called with every row that is refused, batch by batch.
    ///   - onProgress: called now and then.
    /// - Returns: the figures.
    /// - Throws: ``ImportFailure``; ``ImportInterruption`` with the figures until then and what ended it.
    package func run<Source: AsyncSequence>(
        _ source: Source,
        options: Options,
        onReject: @escaping (RowRejection) throws -> Void,
        onProgress: @escaping (ImportProgress) -> Void
    ) async throws -> Report where Source.Element == [UInt8] {
        let clock = ContinuousClock()
        let start = clock.now
        let figures = Figures()
        do {
            try await postgres.withLease(deadline: start + timeLimit) { lease in
                let session = ImportSession(lease: lease, tenant: options.tenant.rawValue)
                func run<Rows: ImportedRows>(_ rows: Rows, _ assistant: ImportSession? = nil) async throws {
                    let run = RecordsImportRun(
                        rows,
                        session: session,
                        assistant: assistant,
                        options: options,
                        figures: figures,
                        onReject: onReject,
                        onProgress: onProgress
                    )
                    try await run.run(source)
                }
                switch options.kind {
                case .products where options.isAssisted && options.onError == .skip && !options.isDryRun:
                    try await postgres.withAssistant(of: session) { try await run(ProductRows(options), $0) }
                case .products: try await run(ProductRows(options))
                case .categories: try await run(RecordRows(records: .categories, options))
                case .units: try await run(RecordRows(records: .units, options))
                case .customers: try await run(RecordRows(records: .customers, options))
                case .suppliers: try await run(RecordRows(records: .suppliers, options))
                case .stock: try await run(RecordRows(stock: options))
                case .prices: try await run(RecordRows(prices: options))
                case .expenses:
                    try await run(RecordRows(expenses: options, identity: ImportIdentity(of: session)))
                case .payments:
                    try await run(RecordRows(payments: options, identity: ImportIdentity(of: session)))
                case .purchases: try await run(RecordRows(purchases: options))
                }
            }
        } catch let failure as ImportFailure {
            throw failure
        } catch {
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

package import Domain
package import Kernel
package import Postgres

/// Takes a file of products over: rows match a product by `external_id`, else by SKU, and make one if none does.
///
/// Batches of a thousand rows go the way of `POST /v1/products/batch`, so an unchanged row writes nothing and the same
/// file again changes nothing. Under ``ImportErrorPolicy/abort`` and in a dry run the whole file is one transaction: all of it
/// or nothing, and the dry run is the run, rolled back.
package struct ProductsImport: Sendable {
    /// How a file is to be imported.
    package struct Options: Sendable {
        /// The tenant that takes the products over.
        package var tenant: TenantID
        package var mapping: ImportMapping
        package var onError: ImportErrorPolicy
        /// Does everything and keeps nothing of it.
        package var isDryRun: Bool

        package init(
            tenant: TenantID,
            mapping: ImportMapping,
            onError: ImportErrorPolicy = .skip,
            isDryRun: Bool = false
        ) {
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
                let run = ProductsImportRun(
                    session: ImportSession(lease: lease, tenant: options.tenant.rawValue),
                    options: options,
                    figures: figures,
                    onReject: onReject,
                    onProgress: onProgress
                )
                try await run.run(source)
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

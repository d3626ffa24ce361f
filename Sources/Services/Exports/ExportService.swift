package import Kernel
package import Logging
package import Postgres

/// Writes what a tenant has out, as one state of it and in as much memory as one page takes.
///
/// All rows are of one snapshot, read page by page along an index. The next page is asked for when the last was taken, so that a reader
/// who is slow is waited for, and no longer than a snapshot may last: an old one keeps the server from cleaning up.
package struct ExportService: Sendable {
    /// How long an export over HTTP may hold its snapshot; one that takes longer is cut off and goes on with a new one.
    package static let longestSnapshot: Duration = .seconds(300)

    /// Rows of a page, some 300 KB.
    private static let pageRows: Int32 = 2_000

    private let postgres: PostgresClient
    private let turns: ExportTurns
    private let logger: Logger

    /// - Parameters:
    ///   - postgres: where from.
    ///   - logger: told why a stream was cut off.
    package init(postgres: PostgresClient, logger: Logger = Logger(label: "stock.exports")) {
        self.postgres = postgres
        self.logger = logger
        turns = ExportTurns(connections: postgres.lentConnections)
    }

    /// Opens an export that is read portion by portion, and begins with the first.
    ///
    /// - Parameters:
    ///   - request: what, and how it is written.
    ///   - tenant: whose rows.
    /// - Returns: the export, which holds its turn for as long as it is held.
    /// - Throws: 429 `rate_limited`, 503 `overloaded`.
    package func stream(_ request: ExportRequest, of tenant: TenantID) throws(Problem) -> ExportStream {
        ExportStream(try turns.take(tenant)) { opened, give in
            do {
                try await run(request, of: tenant, deadline: .now + Self.longestSnapshot, opened: opened, give)
            } catch {
                if !(error is CancellationError) {
                    let about: Logger.Metadata = [
                        "kind": "\(request.kind.rawValue)", "tenant": "\(tenant.rawValue)", "error": "\(error)",
                    ]
                    logger.notice("export cut off", metadata: about)
                }
                throw error
            }
        }
    }

    /// Exports.
    ///
    /// - Parameters:
    ///   - request: what, and how it is written.
    ///   - tenant: whose rows.
    ///   - deadline: when it is given up.
    ///   - opened: told the number of the last event that the rows reflect, before there are any: whoever follows the events behind
    ///     it misses nothing.
    ///   - give: takes what was written, whole rows of some hundred kilobytes; the next are read when it returns.
    /// - Returns: the number of rows.
    /// - Throws: ``ExportFailure``, `PostgresError`, what `give` throws.
    @discardableResult
    package func run(
        _ request: ExportRequest,
        of tenant: TenantID,
        deadline: ContinuousClock.Instant,
        opened: (Int64) -> Void = { _ in },
        _ give: ([UInt8]) async throws -> Void
    ) async throws -> Int {
        try await postgres.withLease(deadline: deadline) { lease in
            let reading = ExportReading(lease: lease, tenant: tenant.rawValue)
            return try await lease.transaction(tenant: tenant.rawValue, isolation: .repeatableReadReadOnly) {
                opened(try await reading.lastEvent())
                return try await reading.run(request.kind.page, request, rows: Self.pageRows, give)
            }
        }
    }
}

/// Why an export ended before its end.
package enum ExportFailure: Error, Sendable {
    /// Nobody took what was written for so long that the server gave the snapshot up.
    case notTaken
}

/// One export on one connection.
private struct ExportReading {
    let lease: Lease
    let tenant: Int64

    /// How long the server waits for the next page; what a lease sets for its transactions.
    private static let patience: Duration = .seconds(30)

    /// The number of the last event of the snapshot: events are numbered behind their commit, so that what all of them tell of is seen.
    func lastEvent() async throws -> Int64 {
        var unit = UnitOfWork(tenant: tenant, access: .read)
        let slot = try unit.add(LastEvent())
        return try await lease.perform(unit).one(slot).number
    }

    func run<Page: ExportPage>(
        _ page: Page.Type,
        _ request: ExportRequest,
        rows limit: Int32,
        _ give: ([UInt8]) async throws -> Void
    ) async throws -> Int {
        var writer = ExportWriter(request, Page.columns)
        var place = request.after ?? .start(Page.order)
        var count = 0
        var waited: Duration = .zero
        while true {
            let rows = try await next(Page(limit: limit, after: place), waited)
            for row in rows { writer.write(row) }
            count += rows.count
            let began = ContinuousClock.now
            let portion = writer.drain()
            if !portion.isEmpty { try await give(portion) }
            waited = ContinuousClock.now - began
            guard rows.count == Int(limit), let last = rows.last else { return count }
            guard let next = ExportPlace(String(decoding: last.place, as: UTF8.self), Page.order) else {
                throw PostgresError(.decoding, "\(Page.name) gave a row without a place", outcome: .failed)
            }
            place = next
        }
    }

    private func next<Page: ExportPage>(_ page: Page, _ waited: Duration) async throws -> [ExportRow] {
        var unit = UnitOfWork(tenant: tenant, access: .read)
        let slot = try unit.add(page)
        do throws(PostgresError) {
            return try await lease.perform(unit).rows(slot)
        } catch {
            if waited >= Self.patience { throw ExportFailure.notTaken }
            throw error
        }
    }
}

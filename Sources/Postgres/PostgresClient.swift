package import IOLoop
package import Logging

/// The way to PostgreSQL: lanes of libpq connections on one I/O loop.
package final class PostgresClient: Sendable {
    private let configuration: PostgresConfiguration

    /// Makes a client; it connects once ``run()`` is called.
    ///
    /// - Parameters:
    ///   - configuration: Where and how to connect.
    ///   - loop: The thread its connections live on.
    ///   - statements: What every connection prepares as it comes up; others are prepared when first used.
    ///   - logger: Where connections report that they come and go.
    package init(
        configuration: PostgresConfiguration,
        loop: IOLoop,
        statements: [any Statement.Type],
        logger: Logger
    ) {
        self.configuration = configuration
    }

    /// Keeps the connections until the task is cancelled, then lets units under way finish and closes.
    package func run() async {}

    /// Runs a unit of work.
    ///
    /// - Parameters:
    ///   - unit: The statements.
    ///   - lane: The connections it may use.
    ///   - deadline: When the caller gives up: for waiting and running together.
    /// - Returns: The answers, once the server has said that they are committed.
    /// - Throws: ``PostgresError``.
    package func perform(
        _ unit: UnitOfWork,
        on lane: Lane,
        deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> UnitResult {
        throw PostgresError(.closed, "the client is not running")
    }

    /// Runs one reading statement as a unit of its own.
    ///
    /// - Parameters:
    ///   - statement: The statement.
    ///   - tenant: The tenant whose rows it sees.
    ///   - lane: The connections it may use.
    ///   - deadline: When the caller gives up.
    /// - Returns: The rows.
    /// - Throws: ``PostgresError``.
    package func query<S: Statement>(
        _ statement: S,
        tenant: Int64?,
        on lane: Lane = .shared,
        deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> [S.Row] {
        var unit = UnitOfWork(tenant: tenant, access: .read)
        let slot = try unit.add(statement)
        return try await perform(unit, on: lane, deadline: deadline).rows(slot)
    }

    /// Runs one reading statement on the listener's connection, past every queue.
    ///
    /// - Parameters:
    ///   - statement: The statement.
    ///   - deadline: When the caller gives up.
    /// - Returns: The rows.
    /// - Throws: ``PostgresError``.
    package func probe<S: Statement>(
        _ statement: S,
        deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> [S.Row] {
        try await query(statement, tenant: nil, on: .listener, deadline: deadline)
    }

    /// Leases a connection of the exclusive lane.
    ///
    /// - Parameters:
    ///   - deadline: The default deadline of what runs on it.
    ///   - body: Uses the lease; inside it never wait for another connection.
    /// - Returns: What `body` returned.
    /// - Throws: What `body` throws, or ``PostgresError`` if no connection could be had.
    package func withLease<Value>(
        deadline: ContinuousClock.Instant,
        _ body: (Lease) async throws -> Value
    ) async throws -> Value {
        throw PostgresError(.closed, "the client is not running")
    }

    /// Listens to a channel until the stream is dropped.
    ///
    /// - Parameter channel: Its name.
    /// - Returns: `resync` after each (re)connect, then notifications.
    package func listen(channel: String) -> AsyncStream<ListenEvent> {
        AsyncStream { $0.finish() }
    }

    /// Whether both lanes have a connection; never waits.
    package var isAvailable: Bool { false }

    /// The server's version, 150020 for 15.20, once connected.
    package var serverVersion: Int? { nil }
}

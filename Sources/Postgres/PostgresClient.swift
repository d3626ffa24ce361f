package import IOLoop
package import Logging
import Synchronization

/// The way to PostgreSQL: lanes of libpq connections on one I/O loop.
///
/// A unit costs two hops: onto the loop, where it is sent in one `sendto`, and back to its caller, whose one
/// continuation is resumed when the server has answered the unit's Sync.
package final class PostgresClient: Sendable {
    private let configuration: PostgresConfiguration
    private let loop: IOLoop
    private let pool: PostgresPool
    private let lastSubscription = Atomic<UInt64>(0)

    /// Makes a client; it connects once ``run()`` is called.
    ///
    /// - Parameters:
    ///   - configuration: Where and how to connect.
    ///   - loop: The thread its connections live on; started by its owner, stopped after ``run()`` has returned.
    ///   - statements: What every connection prepares as it comes up; others are prepared when first used.
    ///   - logger: Where connections report that they come and go.
    package init(
        configuration: PostgresConfiguration,
        loop: IOLoop,
        statements: [any Statement.Type],
        logger: Logger
    ) {
        self.configuration = configuration
        self.loop = loop
        pool = PostgresPool(
            settings: PostgresConnection.Settings(configuration: configuration, statements: statements),
            loop: loop,
            logger: logger
        )
    }

    /// Keeps the connections until the task is cancelled, then lets units under way finish and closes.
    package func run() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                onPool { $0.start { continuation.resume() } }
            }
        } onCancel: {
            onPool { $0.shutDown() }
        }
    }

    private func onPool(_ body: @escaping @Sendable (isolated PostgresPool) -> Void) {
        let pool = pool
        loop.execute { pool.assumeIsolated(body) }
    }

    // MARK: Units

    /// Runs a unit of work.
    ///
    /// A read whose connection is lost is repeated, as is a unit that certainly left no effect; at most twice.
    ///
    /// - Parameters:
    ///   - unit: The statements.
    ///   - lane: The connections it may use.
    ///   - deadline: When the caller gives up: for waiting and running together.
    /// - Returns: The answers, once the server has said that they are committed.
    /// - Throws: ``PostgresError``. A write whose outcome is `unknown` may have been committed. Cancelling the task
    ///   ends the wait for a read, never that for a write that was sent.
    package func perform(
        _ unit: UnitOfWork,
        on lane: Lane,
        deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> UnitResult {
        guard !unit.isEmpty else { return UnitResult(results: [], unit: unit) }
        let request = UnitRequest(unit: unit, lane: lane, deadline: deadline)
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                request.onFinish { continuation.resume(returning: $0) }
                onPool { if request.begin() { $0.submit(.unit(request)) } }
            }
        } onCancel: {
            onPool { $0.cancel(request) }
        }
        request.received()
        return try answer.get()
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

    // MARK: Leases

    /// Leases a connection of the exclusive lane.
    ///
    /// - Parameters:
    ///   - deadline: When what runs on it gives up, waiting for the connection included.
    ///   - body: Uses the lease; inside it never wait for another connection.
    /// - Returns: What `body` returned.
    /// - Throws: What `body` throws, or ``PostgresError`` if no connection could be had.
    package func withLease<Value>(
        deadline: ContinuousClock.Instant,
        _ body: (Lease) async throws -> Value
    ) async throws -> Value {
        let request = LeaseRequest(deadline: deadline)
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                request.onFinish { continuation.resume(returning: $0) }
                onPool { if request.begin() { $0.submit(.lease(request)) } }
            }
        } onCancel: {
            onPool { $0.cancel(request) }
        }
        let connection = try answer.get()
        defer { onPool { $0.endLease(connection) } }
        return try await body(Lease(connection: connection, deadline: deadline))
    }

    // MARK: Listening

    /// Listens to a channel until the stream is dropped.
    ///
    /// - Parameter channel: Its name.
    /// - Returns: `resync` after each (re)connect, then notifications.
    package func listen(channel: String) -> AsyncStream<ListenEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ListenEvent.self,
            bufferingPolicy: .bufferingNewest(Subscription.capacity)
        )
        let id = lastSubscription.add(1, ordering: .relaxed).newValue
        continuation.onTermination = { [pool, loop] _ in
            loop.execute { pool.assumeIsolated { $0.unsubscribe(id) } }
        }
        onPool { $0.subscribe(channel, continuation, id: id) }
        return stream
    }

    // MARK: Health

    /// Whether both lanes have a connection; never waits.
    package var isAvailable: Bool {
        let status = pool.status.current
        return status.shared > 0 && status.exclusive > 0
    }

    /// How many connections are leased at most at once.
    package var lentConnections: Int { configuration.exclusiveConnections }

    /// The server's version, 150020 for 15.20, once connected.
    package var serverVersion: Int? { pool.status.current.serverVersion }

    /// Whether the database answers, and since when it does not; never waits.
    package var availability: Availability { pool.status.current.availability }

    /// Connections, work under way and waiting, at this moment.
    ///
    /// - Returns: The numbers.
    package func statistics() async -> PoolStatistics {
        await pool.statistics()
    }
}

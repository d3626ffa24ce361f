import IOLoop

/// A connection of the exclusive lane, lent for the time of a closure.
///
/// One thing at a time runs on it. It goes back to the pool only idle, outside a transaction, and without a cancel
/// that may still be on its way; else it is closed.
package struct Lease: Sendable {
    private let connection: PostgresConnection
    /// When what runs on it gives up.
    package let deadline: ContinuousClock.Instant

    init(connection: PostgresConnection, deadline: ContinuousClock.Instant) {
        self.connection = connection
        self.deadline = deadline
    }

    /// How much of other transactions a transaction sees.
    package enum Isolation: Sendable {
        case readCommitted
        case repeatableRead
        case repeatableReadReadOnly
        case serializable

        fileprivate var sql: String {
            switch self {
            case .readCommitted: "READ COMMITTED"
            case .repeatableRead: "REPEATABLE READ"
            case .repeatableReadReadOnly: "REPEATABLE READ READ ONLY"
            case .serializable: "SERIALIZABLE"
            }
        }
    }

    // MARK: Scripts and units

    /// Runs a script of several commands, as the simple protocol does: one transaction unless it says otherwise.
    ///
    /// The session may be changed by it, so the connection is closed after the lease.
    ///
    /// - Parameter script: Static SQL; never text made from input.
    /// - Throws: ``PostgresError``; its `position` counts characters of the script from 1.
    package func execute(script: String) async throws(PostgresError) {
        // A migration may take as long as the lease may.
        try await run("SET statement_timeout = \(millisecondsLeft)", isForeign: true)
        try await run(script, isForeign: true)
    }

    /// Runs a unit of work on this connection.
    ///
    /// Inside a transaction it becomes part of it, and must name the transaction's tenant.
    ///
    /// - Parameter unit: The statements.
    /// - Returns: The answers.
    /// - Throws: ``PostgresError``.
    package func perform(_ unit: UnitOfWork) async throws(PostgresError) -> UnitResult {
        guard !unit.isEmpty else { return UnitResult(results: [], unit: unit) }
        let request = UnitRequest(unit: unit, lane: .exclusive, deadline: deadline, isLeased: true)
        let connection = connection
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                request.onFinish { continuation.resume(returning: $0) }
                connection.loop.execute { connection.assumeIsolated { $0.send(request) } }
            }
        } onCancel: {
            connection.loop.execute {
                if request.cancel() { connection.assumeIsolated { $0.cancel(request) } }
            }
        }
        request.received()
        return try answer.get()
    }

    // MARK: Transactions

    /// Opens a transaction; its tenant and the time left count until its end.
    ///
    /// - Parameters:
    ///   - tenant: The tenant whose rows it sees.
    ///   - isolation: How much of other transactions it sees.
    /// - Throws: ``PostgresError``.
    package func begin(tenant: Int64?, isolation: Isolation = .readCommitted) async throws(PostgresError) {
        // Numbers and words of ours alone; a COPY in it may stall for longer than an ordinary transaction.
        try await run(
            """
            BEGIN ISOLATION LEVEL \(isolation.sql);
            SELECT set_config('stock.tenant_id', '\(tenant.map { String($0) } ?? "")', true),
                   set_config('statement_timeout', '\(millisecondsLeft)', true),
                   set_config('idle_in_transaction_session_timeout', '30000', true)
            """
        )
    }

    /// Commits.
    ///
    /// - Throws: ``PostgresError``; outcome `failed` if a statement of the transaction had failed, so that the server
    ///   rolled back; `unknown` if the connection was lost before the answer.
    package func commit() async throws(PostgresError) {
        do throws(PostgresError) {
            let tag = try await run("COMMIT", isCancellable: false)
            guard tag == "COMMIT" else {
                throw PostgresError(
                    sqlState: "25P02",
                    serverMessage: "the transaction was rolled back because a statement in it had failed"
                )
            }
        } catch {
            throw error.sqlState == nil && error.outcome != .notRun ? error.with(outcome: .unknown) : error
        }
    }

    /// Rolls back.
    ///
    /// - Throws: ``PostgresError`` if the connection is lost, which rolls back as well.
    package func rollback() async throws(PostgresError) {
        try await run("ROLLBACK", isCancellable: false)
    }

    /// Runs a closure in a transaction: committed when it returns, rolled back when it throws.
    ///
    /// - Parameters:
    ///   - tenant: The tenant whose rows it sees.
    ///   - isolation: How much of other transactions it sees.
    ///   - body: The work, on this lease.
    /// - Returns: What `body` returned.
    /// - Throws: What `body` throws, or ``PostgresError``.
    package func transaction<Value>(
        tenant: Int64?,
        isolation: Isolation = .readCommitted,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await begin(tenant: tenant, isolation: isolation)
        let value: Value
        do {
            value = try await body()
        } catch {
            // A connection on which this fails is closed, and the server rolls back by itself.
            try? await rollback()
            // Before COMMIT was sent nothing can have been kept, however its statements ended.
            if let error = error as? PostgresError, error.outcome == .unknown { throw error.with(outcome: .failed) }
            throw error
        }
        try await commit()
        return value
    }

    /// Runs a closure as a part of the transaction that is open: taken back by itself when it throws, with the locks it took, so that
    /// it can be tried again.
    ///
    /// - Parameter body: The work, on this lease.
    /// - Returns: What `body` returned.
    /// - Throws: What `body` throws, or ``PostgresError``.
    package func nested<Value>(_ body: () async throws -> Value) async throws -> Value {
        try await run("SAVEPOINT part")
        let value: Value
        do {
            value = try await body()
        } catch {
            _ = try? await run("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part", isCancellable: false)
            throw error
        }
        try await run("RELEASE SAVEPOINT part", isCancellable: false)
        return value
    }

    // MARK: COPY

    /// Streams bytes into `COPY ... FROM STDIN`.
    ///
    /// - Parameters:
    ///   - sql: The COPY command; it takes no parameters.
    ///   - chunks: The data in the command's format, cut anywhere. It is read no faster than the server takes it.
    /// - Returns: The number of rows.
    /// - Throws: ``PostgresError``; `copyAborted` if the sequence threw, after which nothing was copied.
    @discardableResult
    package func copyIn<Chunks: AsyncSequence>(
        _ sql: StaticString,
        from chunks: Chunks
    ) async throws(PostgresError) -> Int where Chunks.Element == [UInt8] {
        try checkCancellation()
        let connection = connection
        let deadline = deadline
        let result = await withTaskCancellationHandler {
            switch await connection.startCopy(sql.description, isIn: true, deadline: deadline) {
            case .failure(let error): return PostgresConnection.PlainResult.failure(error)
            case .success: break
            }
            do {
                for try await chunk in chunks {
                    if await connection.putCopy(chunk) != nil { return await connection.endCopy(nil) }
                }
                return await connection.endCopy(Task.isCancelled ? "cancelled" : nil)
            } catch {
                _ = await connection.endCopy("the producer failed")
                return .failure(PostgresError(.copyAborted, "the producer of the COPY failed", outcome: .failed))
            }
        } onCancel: {
            cancel()
        }
        if case .ended(_, let rows) = try result.get() { return rows }
        return 0
    }

    /// Streams the bytes of `COPY ... TO STDOUT`.
    ///
    /// - Parameters:
    ///   - sql: The COPY command; it takes no parameters, filters go through the transaction's settings.
    ///   - consume: Takes chunks of whole rows; the server is read no faster than this returns.
    /// - Returns: The number of rows.
    /// - Throws: ``PostgresError``, or what `consume` throws.
    @discardableResult
    package func copyOut(_ sql: StaticString, _ consume: ([UInt8]) async throws -> Void) async throws -> Int {
        try checkCancellation()
        let connection = connection
        let deadline = deadline
        return try await withTaskCancellationHandler {
            _ = try await connection.startCopy(sql.description, isIn: false, deadline: deadline).get()
            do {
                while let chunk = await connection.nextCopyChunk() { try await consume(chunk) }
            } catch {
                // Nobody takes the rest: the server is told, and the connection goes with the lease.
                await connection.cancelPlain()
                throw error
            }
            if case .ended(_, let rows) = try await connection.copyEnd().get() { return rows }
            return 0
        } onCancel: {
            cancel()
        }
    }

    // MARK: One command

    private var millisecondsLeft: Int64 {
        min(max(ContinuousClock.now.duration(to: deadline).milliseconds, 1), Int64(Int32.max))
    }

    private func checkCancellation() throws(PostgresError) {
        if Task.isCancelled { throw UnitRequest.cancelled }
    }

    private func cancel() {
        let connection = connection
        connection.loop.execute { connection.assumeIsolated { $0.cancelPlain() } }
    }

    @discardableResult
    private func run(
        _ text: String,
        isForeign: Bool = false,
        isCancellable: Bool = true
    ) async throws(PostgresError) -> String {
        if isCancellable { try checkCancellation() }
        let connection = connection
        let deadline = deadline
        let result = await withTaskCancellationHandler {
            await connection.runScript(text, deadline: deadline, isForeign: isForeign)
        } onCancel: {
            if isCancellable { cancel() }
        }
        if case .ended(let tag, _) = try result.get() { return tag }
        return ""
    }
}

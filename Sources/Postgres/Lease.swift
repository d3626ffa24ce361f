/// A connection of the exclusive lane, lent for the time of a closure.
package struct Lease: Sendable {
    /// When what runs on it gives up, unless told otherwise.
    package let deadline: ContinuousClock.Instant

    /// Runs a script of several commands, as the simple protocol does: one transaction unless it says otherwise.
    ///
    /// - Parameter script: Static SQL; never text made from input.
    /// - Throws: ``PostgresError``; its `position` counts characters of the script from 1.
    package func execute(script: String) async throws(PostgresError) {
        throw PostgresError(.closed, "the client is not running")
    }

    /// Runs a unit of work on this connection; inside a transaction it becomes part of it.
    ///
    /// - Parameter unit: The statements.
    /// - Returns: The answers.
    /// - Throws: ``PostgresError``.
    package func perform(_ unit: UnitOfWork) async throws(PostgresError) -> UnitResult {
        throw PostgresError(.closed, "the client is not running")
    }

    /// How much of other transactions a transaction sees.
    package enum Isolation: Sendable {
        case readCommitted
        case repeatableRead
        case repeatableReadReadOnly
        case serializable
    }

    /// Opens a transaction.
    ///
    /// - Parameters:
    ///   - tenant: The tenant whose rows it sees.
    ///   - isolation: How much of other transactions it sees.
    /// - Throws: ``PostgresError``.
    package func begin(tenant: Int64?, isolation: Isolation = .readCommitted) async throws(PostgresError) {
        throw PostgresError(.closed, "the client is not running")
    }

    /// Commits.
    ///
    /// - Throws: ``PostgresError``; outcome `unknown` if the connection was lost before the answer.
    package func commit() async throws(PostgresError) {
        throw PostgresError(.closed, "the client is not running")
    }

    /// Rolls back.
    ///
    /// - Throws: ``PostgresError`` if the connection is lost, which rolls back as well.
    package func rollback() async throws(PostgresError) {
        throw PostgresError(.closed, "the client is not running")
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
        throw PostgresError(.closed, "the client is not running")
    }

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
        throw PostgresError(.closed, "the client is not running")
    }

    /// Streams the bytes of `COPY ... TO STDOUT`.
    ///
    /// - Parameters:
    ///   - sql: The COPY command; it takes no parameters, filters go through the transaction's settings.
    ///   - consume: Takes chunks of whole rows; the server is read no faster than this returns.
    /// - Throws: ``PostgresError``, or what `consume` throws.
    package func copyOut(_ sql: StaticString, _ consume: ([UInt8]) async throws -> Void) async throws {
        throw PostgresError(.closed, "the client is not running")
    }
}

package import Kernel
import Postgres
import Synchronization

/// An export that is taken portion by portion: the next rows are read when the last were taken.
///
/// Whoever drops it ends it, and gives its turn and its connection back.
package final class ExportStream: Sendable {
    package typealias Writing =
        @Sendable (_ opened: (Int64) -> Void, _ give: ([UInt8]) async throws -> Void) async throws -> Void

    private struct State {
        var writing: Task<Void, Never>?
        /// The number of the last event that its rows reflect.
        var lastEvent: Int64 = 0
        /// A portion that came with the opening, and was not taken yet.
        var first: [UInt8]?
    }

    private let turn: ExportTurn
    private let write: Writing
    private let handoff = Handoff()
    private let state = Mutex(State())

    /// - Parameters:
    ///   - turn: held while the rows are read.
    ///   - write: reads the rows; it begins when the stream is opened.
    init(_ turn: ExportTurn, _ write: @escaping Writing) {
        self.turn = turn
        self.write = write
    }

    deinit {
        handoff.abandon()
        state.withLock { $0.writing?.cancel() }
    }

    /// Begins it, and waits for its first rows, so that what keeps it from beginning is told before anything is answered.
    ///
    /// - Returns: the number of the last event that its rows reflect.
    /// - Throws: what kept the database from answering.
    package func open() async throws(Problem) -> Int64 {
        begin()
        do {
            let first = try await handoff.makeAsyncIterator().next(isolation: nil)
            return state.withLock { state in
                state.first = first
                return state.lastEvent
            }
        } catch let error as PostgresError {
            throw error.problem
        } catch {
            throw Problem(.overloaded, "The export was given up.", retryAfter: 1)
        }
    }

    /// The next portion; nil behind the last.
    ///
    /// - Returns: whole rows.
    /// - Throws: ``ExportFailure``, `PostgresError`.
    package func next() async throws -> [UInt8]? {
        if let first = state.withLock({ $0.first.take() }) { return first }
        return try await handoff.makeAsyncIterator().next(isolation: nil)
    }

    private func begin() {
        state.withLock { state in
            guard state.writing == nil else { return }
            // Nothing in it may hold the stream, whose end is its own.
            state.writing = Task { [turn, write, handoff, weak self] in
                let result: Result<Void, any Error>
                do {
                    try await write(
                        { number in self?.state.withLock { $0.lastEvent = number } },
                        { portion in guard await handoff.give(portion) else { throw CancellationError() } }
                    )
                    result = .success(())
                } catch {
                    result = .failure(error)
                }
                // Before the end is told: who has all of it may ask for the next one at once.
                turn.end()
                handoff.finish(result)
            }
        }
    }
}

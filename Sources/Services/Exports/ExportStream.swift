import Synchronization

/// An export that is taken portion by portion: the next rows are read when the last were taken.
///
/// Whoever drops it ends it, and gives its turn and its connection back.
package final class ExportStream: Sendable {
    package typealias Writing = @Sendable (_ give: ([UInt8]) async throws -> Void) async throws -> Void

    private let turn: ExportTurn
    private let write: Writing
    private let handoff = Handoff()
    private let writing = Mutex<Task<Void, Never>?>(nil)

    /// - Parameters:
    ///   - turn: held while the rows are read.
    ///   - write: reads the rows; it begins with the first portion that is asked for.
    init(_ turn: ExportTurn, _ write: @escaping Writing) {
        self.turn = turn
        self.write = write
    }

    deinit {
        handoff.abandon()
        writing.withLock { $0?.cancel() }
    }

    /// The next portion; nil behind the last.
    ///
    /// - Returns: whole rows.
    /// - Throws: ``ExportFailure``, `PostgresError`.
    package func next() async throws -> [UInt8]? {
        begin()
        return try await handoff.makeAsyncIterator().next(isolation: nil)
    }

    private func begin() {
        writing.withLock { writing in
            guard writing == nil else { return }
            // Nothing in it may hold the stream, whose end is its own.
            writing = Task { [turn, write, handoff] in
                let result: Result<Void, any Error>
                do {
                    try await write { portion in
                        guard await handoff.give(portion) else { throw CancellationError() }
                    }
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

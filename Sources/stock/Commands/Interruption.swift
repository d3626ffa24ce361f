import Glibc
import Synchronization
import UnixSignals

/// A signal that ends a command: its work is cancelled, so that no query of it is left behind in the server.
struct Interruption: Error {
    let signal: UnixSignal

    /// The program's work, which a signal cancels.
    private static let work = Mutex<Task<Void, Never>?>(nil)
    private static let caught = Mutex<UnixSignal?>(nil)

    /// How long the work may take to notice.
    ///
    /// What still runs in the server then ends as the process does.
    private static let patience = Duration.milliseconds(1_500)

    /// Runs the program.
    static func watch(_ program: @escaping @Sendable () async -> Void) async {
        let task = Task { await program() }
        work.withLock { $0 = task }
        await task.value
    }

    /// Runs a part of the program that signals end; outside of it they do what they always do.
    ///
    /// - Parameters:
    ///   - signals: Those that end it.
    ///   - body: The part.
    /// - Returns: What `body` returned.
    /// - Throws: `Interruption` after a signal, whatever became of the body; else what `body` throws.
    static func ending<Value>(
        on signals: [UnixSignal],
        _ body: () async throws -> Value
    ) async throws -> Value {
        let arrivals = await UnixSignalsSequence(trapping: signals)
        let watcher = Task {
            for await signal in arrivals {
                caught.withLock { $0 = signal }
                work.withLock { $0 }?.cancel()
                // The next one ends the process at once, and so does work that does not notice.
                for signal in signals { Glibc.signal(signal.number, SIG_DFL) }
                try? await Task.sleep(for: patience)
                raise(signal.number)
            }
        }
        defer {
            watcher.cancel()
            for signal in signals { Glibc.signal(signal.number, SIG_DFL) }
        }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        if let signal = caught.withLock({ $0 }) { throw Interruption(signal: signal) }
        return try result.get()
    }
}

extension UnixSignal {
    /// Its number, as C knows it.
    var number: Int32 { self == .sigterm ? SIGTERM : SIGINT }
}

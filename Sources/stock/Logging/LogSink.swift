import Foundation
import Synchronization

/// Where log lines go: a buffer before standard error.
///
/// A line costs a lock and a copy. What is at least a warning is written at once; the rest when the buffer is full, when
/// `flush` is called now and then by a service, and at the end. Without that service every line is written at once.
final class LogSink: Sendable {
    static let standardError = LogSink()

    private struct State {
        var buffer: [UInt8] = []
        var isBuffered = false
    }

    private let state = Mutex(State())

    func write(_ line: [UInt8], isUrgent: Bool) {
        state.withLock { state in
            state.buffer.append(contentsOf: line)
            if isUrgent || !state.isBuffered || state.buffer.count > 1 << 14 { Self.flush(&state) }
        }
    }

    func flush() {
        state.withLock { Self.flush(&$0) }
    }

    /// Collects lines until the task is cancelled, and writes them ten times a second.
    func run() async {
        state.withLock { $0.isBuffered = true }
        // A pause that is meant: the interval of the buffer.
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(100))
            flush()
        }
        state.withLock { state in
            state.isBuffered = false
            Self.flush(&state)
        }
    }

    private static func flush(_ state: inout State) {
        guard !state.buffer.isEmpty else { return }
        // A log nobody takes is no reason to stop.
        try? FileHandle.standardError.write(contentsOf: Data(state.buffer))
        state.buffer.removeAll(keepingCapacity: true)
    }
}

import Glibc
import Synchronization

/// The lines a child process has printed so far, standard output and standard error together.
package final class OutputLog: Sendable {
    private struct Waiter {
        let matches: @Sendable (String) -> Bool
        let latch: Latch<String?>
    }

    private struct State {
        var lines: [String] = []
        var unfinished: [UInt8] = []
        var isClosed = false
        var waiters: [Waiter] = []
    }

    private let state = Mutex(State())

    init() {}

    /// All complete lines, oldest first.
    package var lines: [String] { state.withLock { $0.lines } }

    /// The whole text.
    package var text: String { lines.joined(separator: "\n") }

    /// Whether the process has closed its output.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// The number of complete lines so far: a place to start a later search from.
    package var count: Int { state.withLock { $0.lines.count } }

    /// Waits for the first line after `start` that satisfies the predicate.
    ///
    /// - Throws: ``TimeLimitExceeded`` after the limit, ``OutputEnded`` when the process closed its output without such a line.
    package func firstLine(
        from start: Int = 0,
        within limit: Duration = .seconds(30),
        _ expectation: String,
        where matches: @escaping @Sendable (String) -> Bool
    ) async throws -> String {
        let latch = Latch<String?>()
        state.withLock { state in
            if let line = state.lines.dropFirst(start).first(where: matches) {
                latch.set(line)
            } else if state.isClosed {
                latch.set(nil)
            } else {
                state.waiters.append(Waiter(matches: matches, latch: latch))
            }
        }
        guard let line = try await withTimeLimit(limit, expectation, { try await latch.wait() }) else {
            throw OutputEnded(expectation: expectation, output: text)
        }
        return line
    }

    /// Reads a pipe to its end, and closes it; blocks the calling thread.
    func read(from descriptor: CInt) {
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
            while true {
                let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                if count > 0 {
                    append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                } else if count == 0 || errno != EINTR {
                    break
                }
            }
        }
        Glibc.close(descriptor)
        close()
    }

    private func append(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            for byte in bytes {
                if byte == UInt8(ascii: "\n") {
                    Self.finishLine(&state)
                } else {
                    state.unfinished.append(byte)
                }
            }
        }
    }

    private func close() {
        state.withLock { state in
            if !state.unfinished.isEmpty { Self.finishLine(&state) }
            state.isClosed = true
            for waiter in state.waiters { waiter.latch.set(nil) }
            state.waiters = []
        }
    }

    private static func finishLine(_ state: inout State) {
        let line = String(decoding: state.unfinished, as: UTF8.self)
        state.unfinished.removeAll(keepingCapacity: true)
        state.lines.append(line)
        state.waiters.removeAll { waiter in
            guard waiter.matches(line) else { return false }
            waiter.latch.set(line)
            return true
        }
    }
}

/// A process ended before it printed what a test waited for.
package struct OutputEnded: Error, CustomStringConvertible {
    /// The sentence given by the caller.
    package let expectation: String
    /// Everything the process printed.
    package let output: String
    /// The expectation and the output.
    package var description: String { "the process closed its output before: \(expectation)\n\(output)" }
}

import Synchronization

/// Hands portions from one task to another, one at a time: the giver waits until the taker has taken.
package final class Handoff: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    private struct State {
        var portion: [UInt8]?
        var end: Result<Void, any Error>?
        var isAbandoned = false
        var giver: CheckedContinuation<Void, Never>?
        var taker: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    /// Gives a portion.
    ///
    /// - Parameter portion: the next bytes.
    /// - Returns: false if nobody takes any more.
    package func give(_ portion: [UInt8]) async -> Bool {
        while true {
            let (isDone, taker, isAbandoned) = state.withLock { state in
                if state.isAbandoned { return (true, nil as CheckedContinuation<Void, Never>?, true) }
                guard state.portion == nil else { return (false, nil, false) }
                state.portion = portion
                defer { state.taker = nil }
                return (true, state.taker, false)
            }
            taker?.resume()
            if isDone { return !isAbandoned }
            await withCheckedContinuation { continuation in
                let isFree = state.withLock { state in
                    if state.portion == nil || state.isAbandoned { return true }
                    state.giver = continuation
                    return false
                }
                if isFree { continuation.resume() }
            }
        }
    }

    /// Ends the sequence, well or with an error.
    ///
    /// - Parameter result: what the taker meets behind the last portion.
    package func finish(_ result: Result<Void, any Error>) {
        let taker = state.withLock { state in
            state.end = result
            defer { state.taker = nil }
            return state.taker
        }
        taker?.resume()
    }

    /// Takes no more.
    package func abandon() {
        let giver = state.withLock { state in
            state.isAbandoned = true
            defer { state.giver = nil }
            return state.giver
        }
        giver?.resume()
    }

    package struct Iterator: AsyncIteratorProtocol {
        let handoff: Handoff

        package func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? { try await handoff.take() }
    }

    package func makeAsyncIterator() -> Iterator { Iterator(handoff: self) }

    private func take() async throws -> [UInt8]? {
        while true {
            let (portion, end, giver) = state.withLock { state in
                guard let portion = state.portion else {
                    return (nil as [UInt8]?, state.end, nil as CheckedContinuation<Void, Never>?)
                }
                state.portion = nil
                defer { state.giver = nil }
                return (portion, nil, state.giver)
            }
            giver?.resume()
            if let portion { return portion }
            if let end {
                try end.get()
                return nil
            }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.portion != nil || state.end != nil { return true }
                    state.taker = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }
}

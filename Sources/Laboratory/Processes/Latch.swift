import Synchronization

/// A value that is set once and awaited by any number of tasks.
///
/// Waiting ends early, with `CancellationError`, when the waiting task is cancelled; that is what lets ``withTimeLimit(_:_:_:)`` bound it.
package final class Latch<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiters: [Int: CheckedContinuation<Value, any Error>] = [:]
        var nextWaiter = 0
    }

    private let state = Mutex(State())

    /// Makes a latch that is not set yet.
    package init() {}

    /// The value, once it is set.
    package var value: Value? { state.withLock { $0.value } }

    /// Sets the value and wakes whoever waits; a second call changes nothing.
    package func set(_ value: Value) {
        let waiters: [CheckedContinuation<Value, any Error>] = state.withLock { state in
            guard state.value == nil else { return [] }
            state.value = value
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// Waits for the value.
    ///
    /// - Throws: `CancellationError` when the task is cancelled first.
    package func wait() async throws -> Value {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let value: Value? = state.withLock { state in
                    if let value = state.value { return value }
                    state.waiters[number] = continuation
                    return nil
                }
                if let value {
                    continuation.resume(returning: value)
                } else if Task.isCancelled {
                    cancel(number)
                }
            }
        } onCancel: {
            cancel(number)
        }
    }

    private func cancel(_ number: Int) {
        state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(throwing: CancellationError())
    }
}

private import Synchronization

/// A value that arrives once, for one task that may begin to wait before or after.
///
/// Its states close the race between cancellation, arrival and suspension: whoever comes first decides the value, the
/// others find it decided. The waiting task is resumed exactly once.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        /// Neither value nor waiter.
        case initial
        case waiting(CheckedContinuation<Value, Never>)
        /// Decided before the task began to wait.
        case decided(Value)
        /// Decided and taken.
        case taken
    }

    private let state = Mutex(State.initial)

    /// Whether the value is still open; a hint, as it may be decided at any moment.
    var isOpen: Bool {
        state.withLock { state in
            switch state {
            case .initial, .waiting: true
            case .decided, .taken: false
            }
        }
    }

    /// Decides the value, unless it has been.
    ///
    /// - Parameter value: The value.
    /// - Returns: Whether it was still open.
    @discardableResult
    func decide(_ value: Value) -> Bool {
        let (continuation, wasOpen) = state.withLock { state -> (CheckedContinuation<Value, Never>?, Bool) in
            switch state {
            case .initial:
                state = .decided(value)
                return (nil, true)
            case .waiting(let continuation):
                state = .taken
                return (continuation, true)
            case .decided, .taken:
                return (nil, false)
            }
        }
        continuation?.resume(returning: value)
        return wasOpen
    }

    /// Waits for the value; once.
    ///
    /// - Parameter cancelled: The value if the waiting task is cancelled before.
    /// - Returns: The value that was decided first.
    func value(ifCancelled cancelled: Value) async -> Value {
        await withTaskCancellationHandler {
            await value()
        } onCancel: {
            decide(cancelled)
        }
    }

    /// Waits for the value, once and whether or not the task is cancelled.
    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state -> Value? in
                switch state {
                case .initial:
                    state = .waiting(continuation)
                    return nil
                case .decided(let value):
                    state = .taken
                    return value
                case .waiting, .taken:
                    preconditionFailure("a value is awaited once")
                }
            }
            if let value {
                continuation.resume(returning: value)
            }
        }
    }
}

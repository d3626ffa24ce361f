private import DequeModule
private import Synchronization

/// The bounded queue between a subscriber's connection and its one consumer.
final class EventQueue: Sendable {
    private struct State {
        var events = Deque<RedisSubscriber.Event>()
        var consumer: CheckedContinuation<RedisSubscriber.Event?, Never>?
        var isFinished = false
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Appends an event.
    ///
    /// - Parameter event: The event.
    /// - Returns: False if the queue is full: the consumer is too slow, and the event is not kept.
    func append(_ event: RedisSubscriber.Event) -> Bool {
        let (consumer, fits) = state.withLock { state -> (CheckedContinuation<RedisSubscriber.Event?, Never>?, Bool) in
            if let consumer = state.consumer {
                state.consumer = nil
                return (consumer, true)
            }
            guard !state.isFinished, state.events.count < capacity else { return (nil, false) }
            state.events.append(event)
            return (nil, true)
        }
        consumer?.resume(returning: event)
        return fits
    }

    /// Appends ``RedisSubscriber/Event/lost``, which always fits: what a full queue holds is worth nothing after a gap.
    func appendLost() {
        let consumer = state.withLock { state in
            guard let consumer = state.consumer else {
                if state.events.count >= capacity {
                    state.events.removeAll(keepingCapacity: true)
                }
                if !state.isFinished {
                    state.events.append(.lost)
                }
                return nil as CheckedContinuation<RedisSubscriber.Event?, Never>?
            }
            state.consumer = nil
            return consumer
        }
        consumer?.resume(returning: .lost)
    }

    /// Ends the events after those that wait.
    func finish() {
        let consumer = state.withLock { state in
            state.isFinished = true
            defer { state.consumer = nil }
            return state.consumer
        }
        consumer?.resume(returning: nil)
    }

    /// The next event; nil at the end, or when the consumer's task is cancelled.
    func next() async -> RedisSubscriber.Event? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Nil inside means the end; nil outside that there is nothing yet.
                let ready = state.withLock { state -> RedisSubscriber.Event?? in
                    if let event = state.events.popFirst() { return .some(event) }
                    if state.isFinished || Task.isCancelled { return .some(nil) }
                    precondition(state.consumer == nil, "a channel has one consumer")
                    state.consumer = continuation
                    return nil
                }
                if let ready {
                    continuation.resume(returning: ready)
                }
            }
        } onCancel: {
            let consumer = state.withLock { state in
                defer { state.consumer = nil }
                return state.consumer
            }
            consumer?.resume(returning: nil)
        }
    }
}

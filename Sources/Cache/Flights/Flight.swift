import Synchronization

/// One computation of an answer, and everybody who waits for it.
///
/// Each waits only until its own deadline, and leaves without harm to the others: the flight has a task of its own.
final class Flight: Sendable {
    typealias Landing = Result<CachedAnswer, any Error>
    /// Woken without an error when it has landed.
    private typealias Waiter = (
        deadline: ContinuousClock.Instant, continuation: UnsafeContinuation<(any Error)?, Never>
    )

    private struct State {
        var landing: Landing?
        var waiters: [UInt64: Waiter] = [:]
        var next: UInt64 = 0
        /// Those whose tasks were cancelled before they lay down.
        var cancelled: Set<UInt64> = []
    }

    /// When the fill of this flight is to end: its leader's deadline.
    let deadline: ContinuousClock.Instant
    private let alarm = Alarm()
    private let state = Mutex(State())

    init(deadline: ContinuousClock.Instant) {
        self.deadline = deadline
    }

    /// The answer, when it is there.
    ///
    /// - Throws: what the fill threw, ``CacheOverload/late`` after the deadline, or `CancellationError`.
    func landing(until deadline: ContinuousClock.Instant) async throws -> CachedAnswer {
        let ticket = state.withLock { state in
            state.next += 1
            return state.next
        }
        let refusal = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<(any Error)?, Never>) in
                let (waits, isCancelled) = self.state.withLock { state in
                    let isCancelled = state.cancelled.remove(ticket) != nil
                    let waits = !isCancelled && state.landing == nil
                    if waits { state.waiters[ticket] = (deadline, continuation) }
                    return (waits, isCancelled)
                }
                if waits {
                    self.alarm.set(deadline) { self.expire() }
                } else {
                    continuation.resume(returning: isCancelled ? CancellationError() : nil)
                }
            }
        } onCancel: {
            self.cancel(ticket)
        }
        if let refusal { throw refusal }
        // Under the lock that it was left under: a continuation orders what it carries, but where its task need not lie down no
        // sanitizer sees it.
        guard let landing = state.withLock({ $0.landing }) else { throw CacheOverload.late }
        return try landing.get()
    }

    /// Gives the answer to everybody who waits; only the first landing counts.
    func land(_ landing: Landing) {
        let waiters = state.withLock { state in
            guard state.landing == nil else { return [UInt64: Waiter]() }
            state.landing = landing
            defer { state.waiters = [:] }
            return state.waiters
        }
        alarm.stop()
        for (_, waiter) in waiters { waiter.continuation.resume(returning: nil) }
    }

    /// The number of those who wait.
    var waiting: Int { state.withLock { $0.waiters.count } }

    private func cancel(_ ticket: UInt64) {
        let waiter: Waiter? = state.withLock { state in
            if let waiter = state.waiters.removeValue(forKey: ticket) { return waiter }
            if state.landing == nil { state.cancelled.insert(ticket) }
            return nil
        }
        waiter?.continuation.resume(returning: CancellationError())
    }

    private func expire() {
        let now = ContinuousClock.now
        let (late, next) = state.withLock { state in
            let late = state.waiters.filter { $0.value.deadline <= now }
            for ticket in late.keys { state.waiters[ticket] = nil }
            return (late.values.map(\.continuation), state.waiters.values.map(\.deadline).min())
        }
        for continuation in late { continuation.resume(returning: CacheOverload.late) }
        if let next { alarm.set(next) { self.expire() } }
    }
}

import Synchronization

/// Wakes one waiting task; a ring while nobody waits is kept, further ones are the same ring.
package final class Doorbell: Sendable {
    private struct State {
        var hasRung = false
        var waiter: UnsafeContinuation<Bool, Never>?
        /// Tells the present wait from earlier ones whose timer comes late.
        var round: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Makes a bell that has not rung.
    package init() {}

    /// Wakes the waiting task, or the next one that waits.
    package func ring() {
        let waiter = state.withLock { state in
            guard let waiter = state.waiter else {
                state.hasRung = true
                return UnsafeContinuation<Bool, Never>?.none
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: true)
    }

    /// Waits for a ring, at most for a duration, and less if the task is cancelled; says whether it rang.
    package func wait(atMost duration: Duration?) async -> Bool {
        if state.withLock({ state in
            defer { state.hasRung = false }
            return state.hasRung
        }) {
            return true
        }
        guard let duration else { return await waitForRing(nil) }
        guard duration > .zero else { return false }
        return await waitForRing(duration)
    }

    private func waitForRing(_ duration: Duration?) async -> Bool {
        let round = state.withLock { state in
            state.round += 1
            return state.round
        }
        let timer = duration.map { duration in
            Task {
                try? await Task.sleep(for: duration)
                if !Task.isCancelled { self.giveUp(round) }
            }
        }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
                let result: Bool? = self.state.withLock { state in
                    if state.hasRung {
                        state.hasRung = false
                        return true
                    }
                    // The timer or the cancellation may have come before the task lay down.
                    if state.round != round || Task.isCancelled { return false }
                    state.waiter = continuation
                    return nil
                }
                if let result { continuation.resume(returning: result) }
            }
        } onCancel: {
            self.giveUp(round)
        }
    }

    private func giveUp(_ round: UInt64) {
        let waiter = state.withLock { state in
            guard state.round == round else { return UnsafeContinuation<Bool, Never>?.none }
            state.round += 1
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: false)
    }
}

import Synchronization

/// Calls at the earliest of the times it was set to, with one task for any number of them.
final class Alarm: Sendable {
    private struct State {
        var due: ContinuousClock.Instant?
        var task: Task<Void, Never>?
        /// Tells a call that was overtaken from the one that counts.
        var round: UInt64 = 0
    }

    private let state = Mutex(State())

    init() {}

    /// Sets it to a time, unless it rings earlier anyway.
    ///
    /// The task belongs to the alarm and ends when it rings, is set to an earlier time, or is stopped. When it rings, it is
    /// not set any longer.
    func set(_ due: ContinuousClock.Instant, _ ring: @Sendable @escaping () -> Void) {
        let overtaken: Task<Void, Never>? = state.withLock { state in
            if let present = state.due, present <= due { return nil }
            let overtaken = state.task
            state.round += 1
            state.due = due
            let round = state.round
            state.task = Task {
                try? await Task.sleep(until: due, clock: .continuous)
                if self.rings(round) { ring() }
            }
            return overtaken
        }
        overtaken?.cancel()
    }

    /// Forgets the time.
    func stop() {
        let task = state.withLock { state in
            state.round += 1
            state.due = nil
            defer { state.task = nil }
            return state.task
        }
        task?.cancel()
    }

    private func rings(_ round: UInt64) -> Bool {
        state.withLock { state in
            guard state.round == round, !Task.isCancelled else { return false }
            state.due = nil
            state.task = nil
            return true
        }
    }
}

import Postgres

/// The attempts a unit is worth after its first, each with a wait before it that is drawn at random: those who met do not meet again.
struct Retries {
    private var steps: ArraySlice<Range<Int>>

    /// After a serialisation failure or a deadlock: three more attempts, as a conflict that outlasts half a second is no chance meeting.
    static var conflict: Retries { Retries(steps: [5..<20, 20..<100, 100..<500]) }

    /// While a twin with the same key is at work, or its outcome is being found out.
    static var inProgress: Retries { Retries(steps: [10..<20, 20..<40, 40..<80, 80..<160, 160..<320]) }

    private init(steps: [Range<Int>]) { self.steps = steps[...] }

    /// The next wait, `nil` when it is enough.
    mutating func next() -> Duration? {
        steps.popFirst().map { .milliseconds(Int.random(in: $0)) }
    }

    /// Waits, unless the deadline comes first or the task is cancelled.
    static func sleep(_ duration: Duration, until deadline: ContinuousClock.Instant) async -> Bool {
        guard ContinuousClock.now + duration < deadline else { return false }
        do {
            try await Task.sleep(for: duration, clock: .continuous)
            return true
        } catch {
            return false
        }
    }
}

/// Which failures of a unit are worth another attempt, and after how long.
struct Repetitions {
    private var conflicts = Retries.conflict
    private var mayRepeatLost = true
    private let repeatsLost: Bool

    /// - Parameter repeatsLost: Whether doing it twice is harmless, so that it is repeated even if it may have been done.
    init(repeatsLost: Bool) { self.repeatsLost = repeatsLost }

    /// The wait before the next attempt; `nil` when the failure is the unit's answer.
    mutating func wait(after error: PostgresError) -> Duration? {
        if error.sqlState == .serializationFailure || error.sqlState == .deadlockDetected,
            let wait = conflicts.next()
        {
            return wait
        }
        guard error.code == .connectionLost, error.outcome != .unknown || repeatsLost, mayRepeatLost else { return nil }
        mayRepeatLost = false
        return .milliseconds(20)
    }
}

/// Whether the database answers, and since when it does not: counted from the failure, not from the last success, so that
/// nobody need have asked meanwhile.
package struct Availability: Sendable, Equatable {
    /// What is known.
    package enum State: Sendable, Equatable {
        /// It has not answered since the client was made.
        case neverReached
        /// Both lanes have a connection.
        case available
        /// It answered once, and a lane has been without a connection since the instant.
        case failing(since: ContinuousClock.Instant)
    }

    /// What is known now.
    package private(set) var state = State.neverReached

    /// Notes how it is.
    ///
    /// - Parameters:
    ///   - isAvailable: Whether both lanes have a connection.
    ///   - now: The present.
    /// - Returns: For how long it had failed, if it answers again.
    mutating func update(isAvailable: Bool, now: ContinuousClock.Instant) -> Duration? {
        switch (state, isAvailable) {
        case (.failing(let since), true):
            state = .available
            return since.duration(to: now)
        case (.neverReached, true):
            state = .available
        case (.available, false):
            state = .failing(since: now)
        case (.available, true), (.neverReached, false), (.failing, false):
            break
        }
        return nil
    }
}

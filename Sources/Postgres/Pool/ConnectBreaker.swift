/// Stops attempts to connect for a while after repeated failures, so that callers learn at once that the database is
/// down and a server that comes up is not run over.
struct ConnectBreaker {
    private enum State {
        case closed
        /// No attempt before the instant.
        case open(until: ContinuousClock.Instant)
        /// One attempt is under way.
        case probing
    }

    private let settings: PostgresConfiguration.BreakerSettings
    private var state = State.closed
    private var failures: [ContinuousClock.Instant] = []

    init(_ settings: PostgresConfiguration.BreakerSettings) {
        self.settings = settings
    }

    /// Whether callers without a connection should fail at once.
    var isOpen: Bool {
        if case .closed = state { false } else { true }
    }

    /// When the next attempt may be made, if that is limited by time.
    var opensAttemptAt: ContinuousClock.Instant? {
        if case .open(let until) = state { until } else { nil }
    }

    /// Asks for an attempt; a yes after a pause is the one probe.
    ///
    /// - Parameter now: The present.
    /// - Returns: Whether to connect.
    mutating func allowsAttempt(now: ContinuousClock.Instant) -> Bool {
        switch state {
        case .closed: return true
        case .open(let until):
            guard now >= until else { return false }
            state = .probing
            return true
        case .probing: return false
        }
    }

    /// Notes that an attempt succeeded.
    mutating func recordSuccess() {
        state = .closed
        failures.removeAll()
    }

    /// Notes that an attempt failed.
    ///
    /// - Parameter now: The present.
    /// - Returns: Whether the breaker is open now.
    mutating func recordFailure(now: ContinuousClock.Instant) -> Bool {
        switch state {
        case .probing:
            state = .open(until: now.advanced(by: settings.openFor))
        case .open: break
        case .closed:
            let window = settings.window
            failures.removeAll { $0.duration(to: now) > window }
            failures.append(now)
            if failures.count >= settings.failures {
                state = .open(until: now.advanced(by: settings.openFor))
                failures.removeAll()
            }
        }
        return isOpen
    }
}

/// Decides when a failing server is left alone: a pure state machine, told the time.
///
/// Closed, it counts failures within a window. Too many open it; after a pause one command may try. Its success closes
/// the breaker, its failure opens it for twice as long.
package struct CircuitBreaker: Sendable {
    /// The numbers of a breaker.
    package struct Limits: Sendable, Hashable {
        /// So many failures within the window open it.
        package var failures = 5
        /// How long a failure is remembered.
        package var window = Duration.seconds(10)
        /// How long it stays open at first; doubled by each probe that fails.
        package var initialPause = Duration.seconds(1)
        /// How long it stays open at most.
        package var maximumPause = Duration.seconds(10)

        package init() {}
    }

    package typealias Instant = ContinuousClock.Instant

    private enum State {
        /// All may pass. Goes to `open` with the last allowed failure.
        case closed(failures: [Instant])
        /// Nobody may pass before the instant. Goes to `probing` with the first who asks after it.
        case open(until: Instant, pause: Duration)
        /// One command is under way. Goes to `closed` or `open`; if nothing is heard of it for as long as the first pause,
        /// another may try.
        case probing(since: Instant, pause: Duration)
    }

    private let limits: Limits
    private var state = State.closed(failures: [])

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Whether it is closed, so that nobody need ask.
    package var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Whether a command would be let through; changes nothing.
    package func wouldPermit(at now: Instant) -> Bool {
        switch state {
        case .closed: true
        case .open(let until, _): now >= until
        case .probing(let since, _): now >= since.advanced(by: limits.initialPause)
        }
    }

    /// Asks for a command to be let through; if the breaker was open, that command is the probe.
    package mutating func permits(at now: Instant) -> Bool {
        guard wouldPermit(at: now) else { return false }
        switch state {
        case .closed: break
        case .open(_, let pause), .probing(_, let pause): state = .probing(since: now, pause: pause)
        }
        return true
    }

    /// A command was answered.
    package mutating func succeeded() {
        switch state {
        // What was sent before the breaker opened says nothing about the server now.
        case .closed, .open: break
        case .probing: state = .closed(failures: [])
        }
    }

    /// A command failed in a way that speaks against the server.
    package mutating func failed(at now: Instant) {
        switch state {
        case .closed(var failures):
            failures.removeAll { $0.advanced(by: limits.window) <= now }
            failures.append(now)
            state =
                failures.count >= limits.failures
                ? .open(until: now.advanced(by: limits.initialPause), pause: limits.initialPause)
                : .closed(failures: failures)
        case .open: break
        case .probing(_, let pause):
            let longer = min(pause * 2, limits.maximumPause)
            state = .open(until: now.advanced(by: longer), pause: longer)
        }
    }
}

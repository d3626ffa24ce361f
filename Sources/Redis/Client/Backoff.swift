/// The waits between attempts to connect: doubling, limited, and drawn at random so that instances do not move in step.
struct Backoff {
    private let initial: Duration
    private let maximum: Duration
    private var current: Duration

    init(initial: Duration, maximum: Duration) {
        self.initial = initial
        self.maximum = maximum
        current = initial
    }

    /// The next wait: between half of the current step and all of it.
    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let step = current
        current = min(current * 2, maximum)
        return step * Double.random(in: 0.5...1, using: &generator)
    }

    /// Begins anew, after a connection that lasted.
    mutating func reset() {
        current = initial
    }
}

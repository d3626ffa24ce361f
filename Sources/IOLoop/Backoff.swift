/// How long a connection that failed waits before it is made again: the step doubles with each failure up to a limit, and the wait is
/// drawn from its upper half, so that instances do not move in step.
package struct Backoff: Sendable, Hashable {
    /// The first step.
    package var first: Duration
    /// The longest step.
    package var longest: Duration

    /// Makes one.
    ///
    /// - Parameters:
    ///   - first: The first step.
    ///   - longest: The longest step.
    package init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// The wait after a failure.
    ///
    /// - Parameters:
    ///   - failures: Failures in a row before it.
    ///   - random: Drawn from 0 to 1.
    /// - Returns: Between half of the step and all of it.
    package func wait(after failures: Int, random: Double) -> Duration {
        min(first * Double(1 << min(failures, 16)), longest) * (0.5 + random / 2)
    }
}

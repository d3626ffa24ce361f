/// What a test waited for and did not get in time.
package struct TimeLimitExceeded: Error, CustomStringConvertible {
    /// The sentence given by the caller.
    package let expectation: String
    /// How long it was waited for.
    package let limit: Duration

    /// - Parameters:
    ///   - expectation: What was waited for.
    ///   - limit: For how long.
    package init(expectation: String, limit: Duration) {
        self.expectation = expectation
        self.limit = limit
    }

    /// One line for the test's report.
    package var description: String { "not within \(limit): \(expectation)" }
}

/// Runs `body` and cancels it after `limit`; the body must answer to cancellation.
///
/// - Throws: ``TimeLimitExceeded`` when the limit passes first, else what the body throws.
package func withTimeLimit<Value: Sendable>(
    _ limit: Duration,
    _ expectation: String,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw TimeLimitExceeded(expectation: expectation, limit: limit)
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw CancellationError() }
        return value
    }
}

/// Asks again and again until `condition` holds: for states of other processes, which cannot call back.
///
/// This is the one place where tests look at the clock: a condition that holds ends the wait at once, and one that never holds fails with its sentence.
///
/// - Throws: ``TimeLimitExceeded`` when it does not hold within the limit.
package func eventually(
    within limit: Duration = .seconds(10),
    every pause: Duration = .milliseconds(5),
    _ expectation: String,
    _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now + limit
    while try await !condition() {
        guard clock.now < end else { throw TimeLimitExceeded(expectation: expectation, limit: limit) }
        try await clock.sleep(for: pause)
    }
}

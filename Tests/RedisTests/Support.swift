import IOLoop
import Logging
import TestSupport
import Testing

@testable import Redis

/// A logger that keeps its words to itself.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// The configuration of a test: patient, as the machine may be busy, and quick to reconnect.
func configuration(_ url: String) throws -> RedisConfiguration {
    var configuration = try RedisConfiguration(url: url)
    configuration.connectTimeout = .seconds(5)
    configuration.commandTimeout = .seconds(5)
    configuration.pingInterval = .seconds(5)
    configuration.subscriberSilence = .seconds(5)
    configuration.backoff.longest = .milliseconds(40)
    return configuration
}

/// Runs a body with a loop of its own.
func withLoop<Result: Sendable>(_ body: (IOLoop) async throws -> Result) async rethrows -> Result {
    let loop = IOLoop(name: "test-io")
    loop.start()
    defer { loop.stop() }
    return try await body(loop)
}

/// Runs a body with a client that is connected.
func withClient(
    _ configuration: RedisConfiguration,
    scripts: [RedisScript] = [],
    awaitingConnection: Bool = true,
    logger: Logger = quiet,
    _ body: @escaping @Sendable (RedisClient) async throws -> Void
) async throws {
    try await withTimeLimit(.seconds(60), "the test ends") {
        try await withLoop { loop in
            let client = RedisClient(configuration: configuration, loop: loop, scripts: scripts, logger: logger)
            try await withThrowingTaskGroup { group in
                group.addTask { await client.run() }
                if awaitingConnection {
                    try await client.connected()
                }
                try await body(client)
                group.cancelAll()
            }
        }
    }
}

/// Runs a body with a subscriber and its events.
func withSubscriber(
    _ configuration: RedisConfiguration,
    channel: String = "bus",
    _ body: @escaping @Sendable (RedisSubscriber) async throws -> Void
) async throws {
    try await withTimeLimit(.seconds(60), "the test ends") {
        try await withLoop { loop in
            let subscriber = RedisSubscriber(
                configuration: configuration,
                loop: loop,
                channel: channel,
                logger: quiet
            )
            try await withThrowingTaskGroup { group in
                group.addTask { await subscriber.run() }
                try await body(subscriber)
                group.cancelAll()
            }
        }
    }
}

extension RedisClient {
    /// Waits for a connection, one later than an epoch.
    @discardableResult
    func connected(after epoch: UInt64 = 0) async throws -> UInt64 {
        for await event in connectionEvents() {
            if case .connected(_, let current) = event, current > epoch {
                return current
            }
        }
        throw CancellationError()
    }

    /// The reply to a command; untyped throws, as the macros of Testing do not take typed ones.
    ///
    /// Where the configuration is impatient, as another command must fail, this one is given a time-out of its own.
    func reply(to command: RedisCommand, timeout: Duration? = nil) async throws -> RedisReply {
        try await send(command, timeout: timeout)
    }

    /// What a script returns.
    func result(
        of script: RedisScript,
        keys: [RedisArgument],
        arguments: [RedisArgument] = []
    ) async throws -> RedisReply {
        try await evaluate(script, keys: keys, arguments: arguments)
    }

    /// The error that a command ends with.
    func failure(
        of command: RedisCommand,
        deadline: ContinuousClock.Instant? = nil,
        timeout: Duration? = nil
    ) async -> RedisError? {
        do throws(RedisError) {
            _ = try await send(command, deadline: deadline, timeout: timeout)
            return nil
        } catch {
            return error
        }
    }
}

/// Expects two values to be the same.
///
/// A function, as the macro does not accept a throwing expression within a closure that is converted to a throwing type.
func same<Value: Equatable>(_ value: Value, _ expected: Value, at place: SourceLocation = #_sourceLocation) {
    #expect(value == expected, sourceLocation: place)
}

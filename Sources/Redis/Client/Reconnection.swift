internal import IOLoop
internal import Logging

/// Keeps one connection alive until its task is cancelled: find, connect, live, wait, again with a new connection.
struct Reconnection {
    /// A connection that lived so long starts the backoff anew.
    private static let proven = Duration.seconds(1)

    typealias Session =
        (RedisConfiguration.Address, any Route) async throws(RedisError) -> RedisError

    let configuration: RedisConfiguration
    let loop: IOLoop
    let logger: Logger
    /// What the log calls the connection.
    let role: String

    /// Runs sessions one after the other.
    ///
    /// - Parameter session: Attaches a connection to the route, connects to the address, lives as long as the connection
    ///   and returns why it ended; throws if there never was one.
    func keep(_ session: Session) async {
        switch configuration.location {
        case .server(let address):
            await keep(session, along: DirectRoute(to: address))
        case .sentinels(let sentinels):
            let route = SentinelRoute(
                to: sentinels,
                configuration: configuration,
                loop: loop,
                logger: logger,
                role: role
            )
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await route.watch() }
                await keep(session, along: route)
                group.cancelAll()
            }
        }
    }

    private func keep(_ session: Session, along route: some Route) async {
        var failures = 0
        var reported: Set<RedisError.Code> = []
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do throws(RedisError) {
                let reason = try await session(try await route.next(), route)
                reported = []
                if !Task.isCancelled {
                    logger.warning("Redis connection ended", metadata: metadata(reason))
                }
                if ContinuousClock.now - start >= Self.proven {
                    failures = 0
                }
            } catch {
                route.missed()
                // Once per outage and cause: attempts are many.
                if !Task.isCancelled, reported.insert(error.code).inserted {
                    logger.warning("Redis cannot be reached", metadata: metadata(error))
                }
            }
            guard !Task.isCancelled else { return }
            do {
                try await Task.sleep(for: configuration.backoff.wait(after: failures, random: .random(in: 0...1)))
            } catch {
                return
            }
            failures += 1
        }
    }

    private func metadata(_ error: RedisError) -> Logger.Metadata {
        ["redis": "\(configuration)", "connection": "\(role)", "code": "\(error.code)", "reason": "\(error.message)"]
    }
}

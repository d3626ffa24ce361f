internal import Logging

/// Keeps one connection alive until its task is cancelled: resolve, connect, live, wait, again with a new connection.
struct Reconnection {
    /// A connection that lived so long starts the backoff anew.
    private static let proven = Duration.seconds(1)

    let configuration: RedisConfiguration
    let logger: Logger
    /// What the log calls the connection.
    let role: String

    /// Runs sessions one after the other.
    ///
    /// - Parameter session: Connects to the address, lives as long as the connection and returns why it ended; throws if
    ///   there never was one.
    func keep(_ session: (RedisConfiguration.Address) async throws(RedisError) -> RedisError) async {
        var backoff = Backoff(initial: configuration.initialBackoff, maximum: configuration.maximumBackoff)
        var generator = SystemRandomNumberGenerator()
        var attempt = 0
        var reported: RedisError?
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do throws(RedisError) {
                let addresses = try await AddressResolver.resolve(configuration.address)
                // One address a time: the next attempt takes the next.
                let reason = try await session(addresses[attempt % addresses.count])
                reported = nil
                if !Task.isCancelled {
                    logger.warning("Redis connection ended", metadata: metadata(reason))
                }
                if ContinuousClock.now - start >= Self.proven {
                    backoff.reset()
                }
            } catch {
                attempt += 1
                // Once per outage and cause: attempts are many.
                if !Task.isCancelled, reported?.code != error.code {
                    logger.warning("Redis cannot be reached", metadata: metadata(error))
                    reported = error
                }
            }
            guard !Task.isCancelled else { return }
            do {
                try await Task.sleep(for: backoff.next(using: &generator))
            } catch {
                return
            }
        }
    }

    private func metadata(_ error: RedisError) -> Logger.Metadata {
        ["redis": "\(configuration)", "connection": "\(role)", "code": "\(error.code)", "reason": "\(error.message)"]
    }
}

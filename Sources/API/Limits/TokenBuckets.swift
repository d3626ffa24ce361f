import Synchronization

/// How fast something may happen: a steady rate, and how much at once after a rest.
package struct Rate: Sendable, Equatable {
    /// Steady rate.
    package let perSecond: Double
    /// How many may happen at once after a rest.
    package let burst: Int

    /// A rate per second.
    ///
    /// - Parameters:
    ///   - perSecond: above zero.
    ///   - burst: at least one.
    package init(perSecond: Double, burst: Int) {
        self.perSecond = max(perSecond, 0.000_1)
        self.burst = max(burst, 1)
    }

    /// A rate per minute, all of which may happen at once.
    ///
    /// - Parameter count: at least one.
    /// - Returns: the rate.
    package static func perMinute(_ count: Int) -> Rate {
        Rate(perSecond: Double(max(count, 1)) / 60, burst: max(count, 1))
    }
}

/// One token bucket for each key, in memory, bounded in number.
///
/// The generic cell rate algorithm: a bucket is one number, the time at which it will be full again, so it needs no
/// refilling and a full bucket is as good as none. Sharded, so that two cores seldom meet at one lock.
package final class TokenBuckets<Key: Hashable & Sendable>: Sendable {
    /// What the bucket says.
    package enum Verdict: Sendable, Equatable {
        /// One token was taken, or could be.
        case allowed
        /// None is left; so many seconds until the next.
        case refused(retryAfter: Int)
    }

    /// Full-again times in nanoseconds of the clock that the caller uses.
    private struct Buckets {
        var fullAt: [Key: Int64] = [:]
        /// When to look again for full ones; looking costs as much as there are.
        var sweepAt = Int64.min
    }

    private final class Shard: Sendable {
        let buckets = Mutex(Buckets())
    }

    /// The rate of each bucket.
    package let rate: Rate
    private let interval: Int64
    private let tolerance: Int64
    private let shards: [Shard]
    private let capacityPerShard: Int

    /// Makes full buckets.
    ///
    /// - Parameters:
    ///   - rate: of each.
    ///   - capacity: how many keys are remembered at most. When more are in use the full ones go first; should all be
    ///     in use, new keys share the fate of being refused rather than being let through unseen.
    package init(rate: Rate, capacity: Int = 65_536) {
        self.rate = rate
        interval = Int64(1_000_000_000 / rate.perSecond)
        tolerance = Int64(rate.burst - 1) * interval
        shards = (0..<16).map { _ in Shard() }
        capacityPerShard = max(1, capacity / 16)
    }

    /// Takes a token if there is one, and with it what else the work costs.
    ///
    /// Dear work needs one token to begin and leaves a debt for the rest, so that it needs no rest of its own before it.
    ///
    /// - Parameters:
    ///   - key: whose bucket.
    ///   - cost: how many tokens it costs.
    ///   - now: monotonic nanoseconds.
    /// - Returns: whether one was there.
    package func take(_ key: Key, cost: Int = 1, now: Int64) -> Verdict {
        shard(of: key).buckets.withLock { buckets in
            let fullAt = buckets.fullAt[key] ?? now
            let verdict = self.verdict(fullAt: fullAt, now: now)
            guard case .allowed = verdict else { return verdict }
            if buckets.fullAt.count >= self.capacityPerShard, buckets.fullAt[key] == nil {
                if now >= buckets.sweepAt {
                    buckets.fullAt = buckets.fullAt.filter { $0.value > now }
                    buckets.sweepAt = now + 1_000_000_000
                }
                guard buckets.fullAt.count < self.capacityPerShard else { return .refused(retryAfter: 1) }
            }
            buckets.fullAt[key] = max(fullAt, now) + self.price(cost)
            return .allowed
        }
    }

    /// Takes tokens whether they are there or not, for work whose cost turned out later.
    ///
    /// - Parameters:
    ///   - key: whose bucket.
    ///   - cost: how many tokens.
    ///   - now: monotonic nanoseconds.
    package func charge(_ key: Key, cost: Int, now: Int64) {
        shard(of: key).buckets.withLock { buckets in
            guard let fullAt = buckets.fullAt[key] else { return }
            buckets.fullAt[key] = max(fullAt, now) + self.price(cost)
        }
    }

    /// Gives back what was taken for work that turned out to cost nothing.
    ///
    /// - Parameters:
    ///   - key: whose bucket.
    ///   - cost: how many tokens.
    package func giveBack(_ key: Key, cost: Int = 1) {
        shard(of: key).buckets.withLock { buckets in
            guard let fullAt = buckets.fullAt[key] else { return }
            buckets.fullAt[key] = fullAt - self.price(cost)
        }
    }

    private func price(_ cost: Int) -> Int64 { Int64(max(1, min(cost, 1_000_000))) * interval }

    private func verdict(fullAt: Int64, now: Int64) -> Verdict {
        let excess = fullAt - now - tolerance
        guard excess > 0 else { return .allowed }
        return .refused(retryAfter: Int((excess + 999_999_999) / 1_000_000_000))
    }

    private func shard(of key: Key) -> Shard {
        shards[key.hashValue & 15]
    }
}

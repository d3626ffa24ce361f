import Synchronization

/// What the cache holds and did for one tenant, by module.
package struct CacheStatistics: Sendable {
    /// The numbers of one module.
    package struct ModuleStatistics: Sendable, Equatable {
        /// The module.
        package let module: Module
        /// Reads answered from memory.
        package let l1Hits: UInt64
        /// Reads answered from Redis.
        package let l2Hits: UInt64
        /// Reads answered by the database.
        package let misses: UInt64
        /// Reads that asked for the database.
        package let bypasses: UInt64
        /// Old answers given as the database could not be asked.
        package let stale: UInt64
        /// Answers passed over as they missed what the reader must see.
        package let tokenMisses: UInt64
        /// Answers in memory.
        package let entries: Int
        /// Their bytes, overhead included.
        package let bytes: Int
        /// Answers pushed out of memory.
        package let evictions: UInt64
        /// Answers not kept, as the scope was retired while they were computed, or too large.
        package let refusedStores: UInt64
        /// How often the module was retired.
        package let version: UInt64

        /// The reads that could have been answered by a cache.
        private var reads: UInt64 { l1Hits + l2Hits + misses }
        /// The part of them answered from memory, 0 to 1; nil without reads.
        package var l1HitRate: Double? { reads == 0 ? nil : Double(l1Hits) / Double(reads) }
        /// The part of those not answered from memory that Redis answered, 0 to 1; nil without any.
        package var l2HitRate: Double? {
            let asked = l2Hits + misses
            return asked == 0 ? nil : Double(l2Hits) / Double(asked)
        }
    }

    /// The tenant.
    package let tenant: Int64
    /// The modules anything is known of.
    package let modules: [ModuleStatistics]
    /// Whether this instance may serve from its caches now.
    package let isUsable: Bool
    /// Whether Redis answers.
    package let isSecondLevelAvailable: Bool
    /// How many rows of the log this instance has not applied yet.
    package let lag: Int64
    /// How often there was doubt about being up to date.
    package let holes: UInt64

    /// Answers in memory.
    package var entries: Int { modules.reduce(0) { $0 + $1.entries } }
    /// Their bytes, overhead included.
    package var bytes: Int { modules.reduce(0) { $0 + $1.bytes } }
}

/// Parts of the cache that may be missing for a while.
package enum CachePart: String, Sendable, CaseIterable {
    /// The command connection to Redis.
    case redis
    /// The subscription to the bus.
    case bus
    /// The connection that follows the log.
    case postgres
}

/// Which parts are there; nil for one that is not configured.
package struct CacheCondition: Sendable, Equatable {
    /// The command connection to Redis.
    package var redis: Bool?
    /// The subscription to the bus.
    package var bus: Bool?
    /// The connection that follows the log.
    package var postgres: Bool?
}

/// The state of the cache in this instance, for `/health/cache`.
package struct CacheHealth: Sendable {
    /// Whether answers are cached at all.
    package let isEnabled: Bool
    /// Whether this instance may serve from its caches now.
    package let isUsable: Bool
    /// The last log row applied here.
    package let applied: Int64?
    /// The last log row known to exist.
    package let head: Int64
    /// The namespace.
    package let ns: String?
    /// Whether a bump is known or feared to be missing.
    package let hasHole: Bool
    /// How long ago everything acknowledged was applied here for certain.
    package let freshAge: Duration?
    /// Full drains counted at the last probe.
    package let drains: Int64
    /// Which parts are there.
    package let condition: CacheCondition
    /// Bytes in memory, overhead included.
    package let l1Bytes: Int
    /// Keys in memory.
    package let l1Entries: Int
    /// What is not as it should be: `disabled`, `unusable`, `redis_unavailable`, `bus_unavailable`, `postgres_unavailable`.
    package let reasons: [String]

    /// `ok` or `degraded`.
    package var status: String { reasons.isEmpty ? "ok" : "degraded" }
    /// How many log rows this instance is behind.
    package var lag: Int64 { max(0, head - (applied ?? head)) }
}

extension TenantCache {
    /// What the cache holds and did for one tenant.
    package func stats(tenant: Int64) -> CacheStatistics {
        let modules = Module.allCases.compactMap { module -> CacheStatistics.ModuleStatistics? in
            guard let scope = self.scopes.existing(tenant, module) else { return nil }
            let counters = scope.counters
            return CacheStatistics.ModuleStatistics(
                module: module,
                l1Hits: counters.l1Hits.load(ordering: .relaxed),
                l2Hits: counters.l2Hits.load(ordering: .relaxed),
                misses: counters.misses.load(ordering: .relaxed),
                bypasses: counters.bypasses.load(ordering: .relaxed),
                stale: counters.stale.load(ordering: .relaxed),
                tokenMisses: counters.tokenMisses.load(ordering: .relaxed),
                entries: counters.entries.load(ordering: .relaxed),
                bytes: counters.bytes.load(ordering: .relaxed),
                evictions: counters.evictions.load(ordering: .relaxed),
                refusedStores: counters.refusedStores.load(ordering: .relaxed),
                version: scope.version.load(ordering: .relaxed)
            )
        }
        let health = self.health()
        return CacheStatistics(
            tenant: tenant,
            modules: modules,
            isUsable: health.isUsable,
            isSecondLevelAvailable: secondLevel?.isAvailable ?? false,
            lag: health.lag,
            holes: self.holes.load(ordering: .relaxed)
        )
    }

    /// The state of the cache in this instance.
    package func health() -> CacheHealth {
        let state = lane.state
        let now = clock.now
        let isUsable = self.isUsable
        let condition = self.condition.withLock { $0 }
        var reasons: [String] = []
        if !settings.isEnabled {
            reasons.append("disabled")
        } else if !isUsable {
            reasons.append("unusable")
        }
        if condition.redis == false { reasons.append("redis_unavailable") }
        if condition.bus == false { reasons.append("bus_unavailable") }
        if condition.postgres == false { reasons.append("postgres_unavailable") }
        return CacheHealth(
            isEnabled: settings.isEnabled,
            isUsable: isUsable,
            applied: state.applied?.sequence,
            head: state.head,
            ns: state.ns,
            hasHole: state.hasHole,
            freshAge: state.freshAsOf.map { .nanoseconds(max(0, now - $0)) },
            drains: state.drains,
            condition: condition,
            l1Bytes: l1.bytes,
            l1Entries: l1.count,
            reasons: reasons
        )
    }

    /// Notes whether a part is there; says whether that is news.
    @discardableResult
    package func note(_ part: CachePart, isAvailable: Bool) -> Bool {
        condition.withLock { condition in
            let before: Bool?
            switch part {
            case .redis:
                before = condition.redis
                condition.redis = isAvailable
            case .bus:
                before = condition.bus
                condition.bus = isAvailable
            case .postgres:
                before = condition.postgres
                condition.postgres = isAvailable
            }
            return before != isAvailable
        }
    }

    /// Counts a doubt.
    package func countHole(_ doubt: LaneStateMachine.Doubt) {
        holes.wrappingAdd(1, ordering: .relaxed)
        metrics.hole(doubt)
    }

    /// Carries what the scopes counted over to the metrics; called about once a second.
    package func reportMetrics() {
        let freshAsOf = lane.state.freshAsOf
        metrics.report(
            scopes.totals(),
            l1Bytes: l1.bytes,
            freshAgeNanoseconds: freshAsOf.map { max(0, self.clock.now - $0) }
        )
    }
}

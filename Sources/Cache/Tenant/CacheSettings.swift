/// What can be chosen about the cache; the defaults are the ones to ship, tests change them.
package struct CacheSettings: Sendable {
    /// Whether answers are cached at all; off means that every read asks the database.
    package var isEnabled = true
    /// The first part of every key in Redis.
    package var keyPrefix = "stock"
    /// The bound of L1, in bytes, overhead included.
    package var l1Bytes = 64 * 1024 * 1024
    /// The number of L1 shards, rounded up to a power of two; nil means four per core.
    package var l1Shards: Int?

    /// How long an answer lives where no other time is given.
    package var defaultTTL = Duration.seconds(60)
    /// Times to live of single modules.
    package var moduleTTL: [Module: Duration] = [
        .products: .seconds(60), .categories: .seconds(300), .units: .seconds(3600), .balance: .seconds(60),
        .dashboard: .seconds(300), .reports: .seconds(600),
    ]
    /// How long "no such thing" lives.
    package var negativeTTL = Duration.seconds(15)

    /// For how long after the last proof of being up to date the instance may serve from its caches.
    package var lease = Duration.seconds(1)
    /// How often the log is followed in PostgreSQL.
    package var probeInterval = Duration.milliseconds(100)
    /// How long a probe may take before it is given up.
    package var probeDeadline = Duration.milliseconds(800)
    /// How often the active relay drains without being nudged.
    package var idleDrainInterval = Duration.milliseconds(50)
    /// How long the others wait without seeing drains before they begin to drain.
    package var standbyInterval = Duration.milliseconds(200)
    /// The least time between two nudged drains, and before a drain that met another relay is repeated.
    package var nudgeInterval = Duration.milliseconds(5)
    /// How many outbox rows, each of a transaction and a tenant, one drain moves at most.
    package var drainLimit = 500
    /// How many log rows are read at once.
    package var followLimit = 1000
    /// How far behind the log an instance may be before it drops L1 and jumps to the head.
    package var catchUpLimit: Int64 = 10_000
    /// How often Redis is declared up to date, and a beat is sent on the bus.
    package var beatInterval = Duration.milliseconds(250)
    /// How long such a declaration holds.
    package var aliveTTL = Duration.seconds(3)
    /// Silence on the bus after which it is connected anew.
    package var busSilence = Duration.seconds(1)
    /// What the writer's own bump of Redis may take.
    package var bumpBudget = Duration.milliseconds(20)
    /// What one command to Redis may take.
    package var redisBudget = Duration.milliseconds(50)
    /// Values larger than this are not stored in Redis, in bytes.
    package var valueLimit = 256 * 1024
    /// How many transaction ids a scope's ring in Redis remembers.
    package var ringSize = 64
    /// How long they are remembered.
    package var ringTTL = Duration.seconds(120)
    /// How many fills of one tenant run at once; the rest waits.
    package var tenantFills = 4
    /// How many fills run at once in this instance.
    package var instanceFills = 64
    /// How many fills may wait in this instance before more are refused.
    package var waitingFills = 1024

    /// How long a fill may keep others from filling the same key, across instances.
    package var fillLease = Duration.seconds(5)
    /// How long a fill waits for another instance's.
    package var fillWait = Duration.seconds(1)
    /// How often it looks meanwhile; the exact time is random.
    package var pollInterval = Duration.milliseconds(20)...Duration.milliseconds(50)
    /// For how long an instance's fills are taken for alive after it last said so.
    package var fillerTTL = Duration.milliseconds(1500)
    /// How often it says so.
    package var fillerBeatInterval = Duration.milliseconds(500)
    /// How often a scope's retired values are swept from Redis at most.
    package var sweepInterval = Duration.seconds(2)
    /// How many value keys the index of a scope in Redis holds at most.
    package var indexSize = 4096
    /// How old an answer of a RELAXED module may be that is given when the database cannot be asked.
    package var staleLimit = Duration.seconds(60)
    /// Bodies longer than this are kept compressed as well, in bytes.
    package var compressionThreshold = 4096

    /// Guards that a test build leaves out, to show that their absence is noticed.
    package var defects = Defects()

    /// The settings to ship.
    package init() {}

    /// The time to live of a module's answers, before jitter.
    package func ttl(of module: Module) -> Duration {
        moduleTTL[module] ?? defaultTTL
    }

    /// The longest time to live of any module.
    package var longestTTL: Duration {
        moduleTTL.values.reduce(defaultTTL) { max($0, $1) }
    }

    /// Refuses settings under which the protocol would not hold.
    ///
    /// - Throws: ``CacheSettingsError`` naming what is wrong.
    package func validate() throws(CacheSettingsError) {
        // A lease is renewed by two drains seen by two probes: with fewer than five probes in it, one lost probe ends it.
        guard lease >= probeInterval * 5 else {
            throw CacheSettingsError(message: "the cache lease must be at least five probe intervals")
        }
        guard l1Bytes > 0 else {
            throw CacheSettingsError(message: "CACHE_L1_BYTES must be positive")
        }
        guard !keyPrefix.isEmpty, keyPrefix.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw CacheSettingsError(message: "CACHE_KEY_PREFIX must be printable ASCII without spaces")
        }
        for ttl in moduleTTL.values.map({ $0 }) + [defaultTTL, negativeTTL] where ttl <= .zero {
            throw CacheSettingsError(message: "a cache time to live must be positive")
        }
    }
}

/// Settings under which the cache would not be right.
package struct CacheSettingsError: Error, Sendable, CustomStringConvertible {
    /// What is wrong, in a sentence.
    package let message: String

    package var description: String { message }
}

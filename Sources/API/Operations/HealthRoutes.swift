import Cache
import HTTPTypes
import Kernel
import NIOCore

/// What the composition root knows of the processes beside this one.
package struct ProcessState: Sendable {
    /// Whether the database answered when it was last asked.
    package var isDatabaseAvailable: Bool
    /// For how long it has not, in seconds.
    package var databaseSilence: Double
    /// The database's version, as it says it.
    package var databaseVersion: String?
    /// Whether Redis answers; `nil` when none is configured.
    package var isRedisAvailable: Bool?

    /// States what is known.
    ///
    /// - Parameters:
    ///   - isDatabaseAvailable: whether the database answered when it was last asked.
    ///   - databaseSilence: for how long it has not, in seconds.
    ///   - databaseVersion: its version.
    ///   - isRedisAvailable: whether Redis answers; `nil` when none is configured.
    package init(
        isDatabaseAvailable: Bool,
        databaseSilence: Double = 0,
        databaseVersion: String? = nil,
        isRedisAvailable: Bool? = nil
    ) {
        self.isDatabaseAvailable = isDatabaseAvailable
        self.databaseSilence = databaseSilence
        self.databaseVersion = databaseVersion
        self.isRedisAvailable = isRedisAvailable
    }
}

/// What this process is.
package struct Build: Sendable {
    /// The program's version.
    package var version: String
    /// The commit it was built from, if known.
    package var commit: String?
    /// The name of this instance.
    package var instance: String

    /// Names a build.
    ///
    /// - Parameters:
    ///   - version: the program's version.
    ///   - commit: the commit it was built from.
    ///   - instance: the name of this instance.
    package init(version: String, commit: String? = nil, instance: String) {
        self.version = version
        self.commit = commit
        self.instance = instance
    }
}

/// How the instance is, for balancers, operators and people.
struct HealthRoutes: Sendable {
    let lifecycle: Lifecycle
    let build: Build
    let state: @Sendable () -> ProcessState
    let cache: TenantCache
    let start = ContinuousClock.now

    /// Without the database an instance still takes requests for so long: a fast 503 beats an empty balancer.
    private static let toleratedSilence = 10.0

    var routes: [Route] {
        [
            Route(
                .get,
                "/health",
                "health",
                "How the instance is",
                area: "operations",
                access: .open,
                answer: .reference("Health")
            ) { _ in
                self.summary()
            },
            Route(
                .get,
                "/health/live",
                "healthLive",
                "Whether the process lives",
                area: "operations",
                access: .open,
                answer: .reference("Status")
            ) { _ in
                .json { $0.object { $0.member("status", "ok") } }
            },
            Route(
                .get,
                "/health/ready",
                "healthReady",
                "Whether to send requests here",
                area: "operations",
                access: .open,
                answer: .reference("Status"),
                problems: [.draining]
            ) { _ in
                try self.ready()
            },
            Route(
                .get,
                "/health/cache",
                "healthCache",
                "Whether the caches serve; always 200",
                area: "operations",
                access: .open,
                answer: .reference("CacheHealth")
            ) { _ in
                self.cacheHealth()
            },
            Route(
                .get,
                "/health/detailed",
                "healthDetailed",
                "All that the instance knows of itself",
                area: "operations",
                access: .roles(.owner, scope: .admin),
                answer: .reference("DetailedHealth")
            ) { _ in
                self.detailed()
            },
            Route(
                .get,
                "/version",
                "version",
                "What runs here",
                area: "operations",
                access: .open,
                answer: .reference("Version")
            ) { _ in
                .json { writer in
                    writer.object { writer in
                        writer.member("name", "stock")
                        writer.member("version", self.build.version)
                        writer.member("commit", self.build.commit)
                        writer.member("instance", self.build.instance)
                    }
                }
            },
        ]
    }

    private func summary() -> Reply {
        let state = self.state()
        let cache = self.cache.health()
        let isGood = state.isDatabaseAvailable && !self.lifecycle.isDraining
        return .json { writer in
            writer.object { writer in
                writer.member("status", isGood && cache.reasons.isEmpty ? "ok" : "degraded")
                writer.member("draining", self.lifecycle.isDraining)
                writer.member("database", state.isDatabaseAvailable ? "ok" : "unavailable")
                writer.member("cache", cache.status)
            }
        }
    }

    private func ready() throws(Problem) -> Reply {
        guard !self.lifecycle.isDraining else {
            throw Problem(.draining, "The instance is shutting down.", retryAfter: 5)
        }
        guard !self.lifecycle.isWarmingUp else {
            throw Problem(.overloaded, "The instance is starting: its caches are being filled.", retryAfter: 1)
        }
        let state = self.state()
        guard state.isDatabaseAvailable || state.databaseSilence < Self.toleratedSilence else {
            throw Problem(.databaseUnavailable, "The database has not answered for too long.", retryAfter: 5)
        }
        return .json { $0.object { $0.member("status", "ok") } }
    }

    private func cacheHealth() -> Reply {
        let health = self.cache.health()
        return .json { writer in
            writer.object { writer in self.write(health, to: &writer) }
        }
    }

    private func write(_ health: CacheHealth, to writer: inout JSONWriter) {
        writer.member("status", health.status)
        writer.name("reasons")
        writer.array { writer in
            for reason in health.reasons { writer.string(reason) }
        }
        writer.member("enabled", health.isEnabled)
        writer.member("usable", health.isUsable)
        writer.member("lag", Int(health.lag))
        writer.name("redis")
        if let redis = health.condition.redis {
            writer.string(redis ? "ok" : "unavailable")
        } else {
            writer.string("none")
        }
        writer.name("bus")
        if let bus = health.condition.bus { writer.string(bus ? "ok" : "unavailable") } else { writer.string("none") }
        writer.member("l1_entries", health.l1Entries)
        writer.member("l1_bytes", health.l1Bytes)
    }

    private func detailed() -> Reply {
        let state = self.state()
        let health = self.cache.health()
        return .json { writer in
            writer.object { writer in
                writer.member("status", state.isDatabaseAvailable && health.reasons.isEmpty ? "ok" : "degraded")
                writer.member("instance", self.build.instance)
                writer.member("version", self.build.version)
                writer.member("uptime_seconds", Int((ContinuousClock.now - self.start).components.seconds))
                writer.member("draining", self.lifecycle.isDraining)
                writer.name("database")
                writer.object { writer in
                    writer.member("status", state.isDatabaseAvailable ? "ok" : "unavailable")
                    writer.member("version", state.databaseVersion)
                }
                writer.name("redis")
                writer.object { writer in
                    writer.member("status", state.isRedisAvailable.map { $0 ? "ok" : "unavailable" } ?? "none")
                }
                writer.name("cache")
                writer.object { writer in
                    self.write(health, to: &writer)
                    writer.member("applied", health.applied.map { Int($0) })
                    writer.member("head", Int(health.head))
                    writer.member("hole", health.hasHole)
                    writer.member("drains", Int(health.drains))
                    writer.member("fresh_age_ms", health.freshAge.map { Int($0 / .milliseconds(1)) })
                }
            }
        }
    }
}

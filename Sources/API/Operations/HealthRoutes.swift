package import Cache
import HTTPTypes
import Kernel
import NIOCore

/// How the database stands, as far as this process knows.
package enum DatabaseState: Sendable, Equatable {
    /// It has not answered since the process began.
    case neverReached
    /// It answers.
    case available
    /// It did once, and has failed for so many seconds.
    case failing(seconds: Double)
}

/// What the composition root knows of the processes beside this one.
package struct ProcessState: Sendable {
    /// How the database stands.
    package var database: DatabaseState
    /// The database's version, as it says it.
    package var databaseVersion: String?
    /// Whether Redis answers; `nil` when none is configured.
    package var isRedisAvailable: Bool?

    /// States what is known.
    ///
    /// - Parameters:
    ///   - database: how the database stands.
    ///   - databaseVersion: its version.
    ///   - isRedisAvailable: whether Redis answers; `nil` when none is configured.
    package init(database: DatabaseState, databaseVersion: String? = nil, isRedisAvailable: Bool? = nil) {
        self.database = database
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
package struct HealthRoutes: Sendable {
    let lifecycle: Lifecycle
    private let build: Build
    private let state: @Sendable () -> ProcessState
    private let cache: TenantCache
    private let start = ContinuousClock.now

    /// Puts together what is known.
    ///
    /// - Parameters:
    ///   - lifecycle: whether the instance starts or drains.
    ///   - build: what this process is.
    ///   - state: asked about the processes beside this one; must not block.
    ///   - cache: asked how it is.
    package init(
        lifecycle: Lifecycle,
        build: Build,
        state: @escaping @Sendable () -> ProcessState,
        cache: TenantCache
    ) {
        self.lifecycle = lifecycle
        self.build = build
        self.state = state
        self.cache = cache
    }

    /// Without the database an instance still takes requests for so long: a fast 503 beats an empty balancer.
    private static let toleratedFailure = 10.0

    /// What balancers and clients may know.
    var routes: [Route] {
        [
            Route(
                .get,
                "/health",
                "health",
                "How the instance is",
                area: "operations",
                access: .open,
                gives: Route.Output(answer: .reference("Health"))
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
                gives: Route.Output(answer: .reference("Acknowledgement"))
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
                gives: Route.Output(answer: .reference("Acknowledgement"), problems: [.draining])
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
                gives: Route.Output(answer: .reference("CacheHealth"))
            ) { _ in
                self.cacheHealth()
            },
            Route(
                .get,
                "/version",
                "version",
                "What runs here",
                area: "operations",
                access: .open,
                gives: Route.Output(answer: .reference("Version"))
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

    /// What operators alone may know; served where no client comes.
    var detailedRoute: Route {
        Route(
            .get,
            "/health/detailed",
            "healthDetailed",
            "All that the instance knows of itself",
            area: "operations",
            access: .open,
            gives: Route.Output(answer: Schemas.detailedHealth)
        ) { _ in
            self.detailed()
        }
    }

    private func summary() -> Reply {
        let state = self.state()
        let cache = self.cache.health()
        let isAvailable = state.database == .available
        let isGood = isAvailable && !lifecycle.isDraining
        return .json { writer in
            writer.object { writer in
                writer.member("status", isGood && cache.reasons.isEmpty ? "ok" : "degraded")
                writer.member("draining", self.lifecycle.isDraining)
                writer.member("database", isAvailable ? "ok" : "unavailable")
                writer.member("cache", cache.status)
            }
        }
    }

    private func ready() throws(Problem) -> Reply {
        if let problem = notReady { throw problem }
        return .json { $0.object { $0.member("status", "ok") } }
    }

    /// Why no requests should be sent here; nil if they should.
    private var notReady: Problem? {
        guard !lifecycle.isDraining else {
            return Problem(.draining, "The instance is shutting down.", retryAfter: 5)
        }
        guard lifecycle.isAdmitted else {
            return Problem(
                .databaseUnavailable,
                "The instance is starting: it has not seen its database yet.",
                retryAfter: 1
            )
        }
        guard !lifecycle.isWarmingUp else {
            return Problem(.overloaded, "The instance is starting: its caches are being filled.", retryAfter: 1)
        }
        switch state().database {
        case .available: return nil
        case .failing(let seconds) where seconds < Self.toleratedFailure: return nil
        case .failing:
            return Problem(.databaseUnavailable, "The database has not answered for too long.", retryAfter: 5)
        case .neverReached:
            return Problem(.databaseUnavailable, "The database has not answered yet.", retryAfter: 1)
        }
    }

    /// Readiness, build and what the cache stands on, as metrics.
    package func samples() -> [MetricSample] {
        let cache = self.cache.health()
        return [
            MetricSample("stock_ready", holds: notReady == nil),
            MetricSample("stock_cache_usable", holds: cache.isUsable),
            MetricSample("stock_cache_log_lag_rows", Double(cache.lag)),
            MetricSample(
                "stock_build_info",
                1,
                labels: [
                    ("version", build.version), ("commit", build.commit ?? ""),
                    ("instance", build.instance),
                ]
            ),
        ]
    }

    private func cacheHealth() -> Reply {
        let health = cache.health()
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
        let isAvailable = state.database == .available
        let health = cache.health()
        return .json { writer in
            writer.object { writer in
                writer.member("status", isAvailable && health.reasons.isEmpty ? "ok" : "degraded")
                writer.member("instance", self.build.instance)
                writer.member("version", self.build.version)
                writer.member("commit", self.build.commit)
                writer.member("ready", self.notReady == nil)
                writer.member("uptime_seconds", Int((ContinuousClock.now - self.start).components.seconds))
                writer.member("draining", self.lifecycle.isDraining)
                writer.name("database")
                writer.object { writer in
                    writer.member("status", isAvailable ? "ok" : "unavailable")
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

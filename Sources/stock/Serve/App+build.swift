import API
import Cache
import Coherence
import Foundation
import IOLoop
import Logging
import Metrics
import NIOCore
import NIOPosix
import Postgres
import Redis
import ServiceLifecycle
import Services

extension App {
    /// What a process is made of.
    struct Parts {
        let loop: IOLoop
        /// In the order of their start; they stop in the opposite one.
        let services: [any Service]
    }

    /// Puts a process together; nothing is connected or bound yet.
    static func build(_ choices: ServeChoices, logger: Logger) async throws -> Parts {
        // First: what measures looks for the registry when it is made.
        let metrics = MetricsRegistry()
        metrics.install()
        metrics.observe(ProcessMetrics().samples)
        let loop = IOLoop()
        let postgres = PostgresClient(
            configuration: choices.database,
            loop: loop,
            statements: CacheStatements.all + API.statements,
            logger: logger.labelled("stock.postgres")
        )
        let redis = choices.redis.map {
            RedisClient(
                configuration: $0,
                loop: loop,
                scripts: CacheScript.all + [RedisBusyPaths.script],
                logger: logger.labelled("stock.redis")
            )
        }
        let subscriber = choices.redis.map {
            RedisSubscriber(
                configuration: $0,
                loop: loop,
                channel: CoherenceService.busChannel(settings: choices.cache, database: $0.database),
                logger: logger.labelled("stock.redis")
            )
        }
        let cache = TenantCache(
            settings: choices.cache,
            secondLevel: redis.map { RedisSecondLevel(client: $0, settings: choices.cache) },
            // Unlike its name, this process never lived before: what it holds ends with it.
            instance: processName(choices.instance)
        )
        var settings = APISettings(
            signingKeys: choices.signingKeys,
            build: Build(version: Release.version, commit: choices.commit, instance: choices.instance)
        )
        settings.rates = choices.rates
        settings.limits.connections = connections(choices.httpConnections, logger: logger)
        settings.limits.connectionsPerAddress = choices.httpConnectionsPerAddress
        settings.limits.drainDelay = choices.drainDelay
        settings.proxies = choices.proxies
        settings.crossOrigin = choices.crossOrigin
        settings.hasConsole = choices.hasConsole
        settings.metrics = metrics
        settings.loggedHits = choices.logHits
        let lifecycle = Lifecycle()
        lifecycle.beginExamination()
        let health = HealthRoutes(
            lifecycle: lifecycle,
            build: settings.build,
            state: {
                ProcessState(
                    database: DatabaseState(postgres.availability, now: ContinuousClock.now),
                    databaseVersion: postgres.serverVersion.map { "\($0 / 10_000).\($0 % 10_000)" },
                    isRedisAvailable: redis?.isAvailable
                )
            },
            cache: cache
        )
        metrics.observe(health.samples)
        if let redis { metrics.observe { Self.samples(of: redis) } }

        let look = FirstLook(
            database: choices.database,
            lifecycle: lifecycle,
            logger: logger,
            onBegin: {
                logger.info(
                    "starting",
                    metadata: [
                        "role": "\(choices.role)", "version": "\(Release.version)",
                        "commit": "\(choices.commit ?? "unknown")",
                    ]
                )
            }
        )
        var services: [any Service] = [Background { await LogSink.standardError.run() }]
        if let (host, port) = choices.operations {
            services.append(
                Listener(
                    variable: .operationsListen,
                    host: host,
                    port: port,
                    api: try await API.operations(
                        settings: settings,
                        health: health,
                        logger: logger.labelled("stock.operations")
                    ),
                    logger: logger
                )
            )
        }
        services.append(look)
        services.append(Afterwards(look: look, service: Background { await postgres.run() }))
        services.append(Afterwards(look: look, service: PoolGauges(postgres: postgres)))
        if let redis { services.append(Background { await redis.run() }) }
        let coherence = CoherenceService(
            cache: cache,
            postgres: postgres,
            redis: redis,
            subscriber: subscriber,
            relays: choices.role != .web,
            eventRetention: choices.eventRetention,
            logger: logger.labelled("stock.coherence")
        )
        services.append(Afterwards(look: look, service: coherence))
        let importBell = Doorbell()
        if choices.role != .web {
            let worker = ImportWorker(postgres: postgres, bell: importBell, logger: logger.labelled("stock.imports"))
            services.append(Afterwards(look: look, service: Imports(worker: worker)))
        }
        if choices.role != .web {
            let sender = HTTPWebhookSender(rule: choices.shop.webhookRule)
            let worker = WebhookWorker(
                postgres: postgres,
                sender: sender,
                secrets: choices.shop.webhookSecrets,
                retention: choices.eventRetention,
                logger: logger.labelled("stock.webhooks")
            )
            worker.follow(cache)
            metrics.observe { WebhookMetrics.samples(of: worker.statistics) }
            services.append(Afterwards(look: look, service: Webhooks(worker: worker, sender: sender)))
        }
        if choices.role != .worker {
            var chosen = choices.shop
            // Streams are kept for as long as their clients want: the others have room, too.
            chosen.waiting.total = min(chosen.waiting.total, settings.limits.connections * 3 / 4)
            let shop = Shop(
                postgres: postgres,
                cache: cache,
                settings: chosen,
                importBell: importBell,
                logger: logger.labelled("stock.services")
            )
            metrics.observe { Self.samples(of: shop.identity.hasher.load) }
            services.append(LateNotesWriter(identity: shop.identity))
            services.append(Background { await shop.events.hub.run() })
            let api = try await API.make(
                shop: shop,
                settings: settings,
                health: health,
                logger: logger.labelled("stock.api")
            )
            if choices.warmsUp, let redis {
                services.append(
                    WarmUp(
                        api: api,
                        cache: cache,
                        store: RedisBusyPaths(client: redis, prefix: choices.cache.keyPrefix),
                        isActive: { await shop.tenants.isActive($0, deadline: $1) },
                        logger: logger.labelled("stock.warmup")
                    )
                )
            }
            let listener = Listener(
                variable: .listen,
                host: choices.host,
                port: choices.port,
                api: api,
                logger: logger
            )
            services.append(Afterwards(look: look, service: listener))
        }
        return Parts(loop: loop, services: services)
    }

    /// The instance's name made unique for this run, of characters that mean nothing in a key of Redis.
    private static func processName(_ instance: String) -> String {
        let plain = instance.unicodeScalars.prefix(48).map { scalar -> Character in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", ".", "-", "_": Character(scalar)
            default: "-"
            }
        }
        return "\(String(plain))-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    }

    /// As many connections as were asked for, if each can have a descriptor.
    private static func connections(_ wanted: Int, logger: Logger) -> Int {
        let possible = max(1, DescriptorLimit.raise() - DescriptorLimit.reserve - ServerLimits().spareConnections)
        guard possible < wanted else { return wanted }
        logger.warning(
            "the limit of open descriptors allows fewer connections than asked for",
            metadata: [Variable.httpConnections.name: "\(wanted)", "possible": "\(possible)"]
        )
        return possible
    }

    /// How busy hashing passwords is, as metrics.
    private static func samples(of load: PasswordHasher.Load) -> [MetricSample] {
        [
            MetricSample("stock_password_hashes_running", Double(load.running)),
            MetricSample("stock_password_hashes_waiting", Double(load.waiting)),
            MetricSample("stock_password_hashes_refused_total", count: load.refused),
        ]
    }

    /// How Redis is, as metrics.
    private static func samples(of redis: RedisClient) -> [MetricSample] {
        [
            MetricSample("stock_redis_connected", holds: redis.isConnected),
            MetricSample("stock_redis_breaker_open", holds: redis.isBreakerOpen),
        ]
    }
}

/// An address that is served on; what keeps it from being bound is the fault of the variable that names it.
private struct Listener: Service {
    let variable: Variable
    let host: String
    let port: Int
    let api: API
    let logger: Logger

    func run() async throws {
        let (host, logger) = (host, logger)
        let name = variable.name
        let server = HTTPServer(
            api: api,
            host: host,
            port: port,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger.labelled("stock.http"),
            onListening: { port in
                logger.notice("listening", metadata: ["address": "\(host):\(port)", "as": "\(name)"])
                LogSink.standardError.flush()
            }
        )
        do {
            try await server.run()
        } catch let error as IOError {
            let reason = String(cString: strerror(error.errnoCode))
            throw CommandFailure(.failed, "\(name) \(host):\(port) cannot be served on: \(reason)")
        }
    }
}

/// A client's `run()` as a service: cancelled when its turn to stop has come, and ahead of requests, which wait for it.
private struct Background: Service {
    private let body: @Sendable () async -> Void

    init(_ body: @escaping @Sendable () async -> Void) {
        self.body = body
    }

    func run() async {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { $0.addTask(priority: .high) { await body() } }
        }
    }
}

/// Imports that were asked for over HTTP, behind everything that somebody waits for; what runs when its turn to stop has come is given back.
private struct Imports: Service {
    let worker: ImportWorker

    func run() async {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { $0.addTask(priority: .low) { await worker.run() } }
        }
    }
}

/// Events that are sent to tenants' servers; what is under way when its turn to stop has come is sent again by whoever goes on.
private struct Webhooks: Service {
    let worker: WebhookWorker
    let sender: HTTPWebhookSender

    func run() async {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { $0.addTask(priority: .low) { await worker.run() } }
        }
        await sender.stop()
    }
}

/// Writes what the audit notes after the answer; what is left when the process is told to stop is written before it ends.
private struct LateNotesWriter: Service {
    let identity: IdentityService

    func run() async {
        await withGracefulShutdownHandler {
            await identity.writeLateNotes()
        } onGracefulShutdown: {
            identity.endLateNotes()
        }
    }
}

/// Looks once a second at how the pool is, and at how fast the thread that owns it answers.
private struct PoolGauges: Service {
    let postgres: PostgresClient
    private let lag = Gauge(label: "stock_io_loop_lag_seconds")
    private let available = Gauge(label: "stock_postgres_available")
    private let breakerOpen = Gauge(label: "stock_postgres_breaker_open")
    private let lanes = ["shared", "exclusive", "listener"].map { LaneGauges($0) }

    init(postgres: PostgresClient) {
        self.postgres = postgres
    }

    func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let asked = ContinuousClock.now
                let statistics = await postgres.statistics()
                lag.record((ContinuousClock.now - asked) / .seconds(1))
                available.record(postgres.isAvailable ? 1 : 0)
                breakerOpen.record(statistics.isBreakerOpen ? 1 : 0)
                for (gauges, counts) in zip(lanes, [statistics.shared, statistics.exclusive, statistics.listener]) {
                    gauges.record(counts)
                }
                // A pause that is meant: the interval of the look.
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private struct LaneGauges {
        let connections: Gauge
        let inFlight: Gauge
        let waiting: Gauge

        init(_ lane: String) {
            func gauge(_ name: String) -> Gauge { Gauge(label: name, dimensions: [("lane", lane)]) }
            connections = gauge("stock_postgres_connections")
            inFlight = gauge("stock_postgres_in_flight")
            waiting = gauge("stock_postgres_waiting")
        }

        func record(_ counts: PoolStatistics.Counts) {
            connections.record(counts.ready)
            inFlight.record(counts.inFlight)
            waiting.record(counts.waiting)
        }
    }
}

extension DatabaseState {
    fileprivate init(_ availability: Availability, now: ContinuousClock.Instant) {
        switch availability.state {
        case .neverReached: self = .neverReached
        case .available: self = .available
        case .failing(let since): self = .failing(seconds: since.duration(to: now) / .seconds(1))
        }
    }
}

extension Logger {
    /// A logger of another name with the same metadata and level.
    fileprivate func labelled(_ label: String) -> Logger {
        var other = Logger(label: label)
        other[metadataKey: "instance"] = self[metadataKey: "instance"]
        other.logLevel = logLevel
        return other
    }
}

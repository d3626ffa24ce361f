import API
import Cache
import Events
import IOLoop
import Kernel
import Logging
import NIOCore
import NIOPosix
import Postgres
import Redis
import ServiceLifecycle
import Services
import Synchronization

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
        let loop = IOLoop()
        let postgres = PostgresClient(
            configuration: choices.database,
            loop: loop,
            statements: CacheStatements.all + Shop.statements,
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
        var services: [any Service] = [
            Background { await LogSink.standardError.run() },
            Background { await postgres.run() },
            Admittance(postgres: postgres, logger: logger),
        ]
        if let redis { services.append(Background { await redis.run() }) }
        services.append(
            CoherenceService(
                cache: cache,
                postgres: postgres,
                redis: redis,
                subscriber: subscriber,
                relays: choices.role != .web,
                logger: logger.labelled("stock.coherence")
            )
        )
        if choices.role != .worker {
            services += try await serving(
                choices,
                postgres: postgres,
                redis: redis,
                cache: cache,
                metrics: metrics,
                logger: logger
            )
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

    /// What answers HTTP, and what fills its memory before it says that it is ready.
    private static func serving(
        _ choices: ServeChoices,
        postgres: PostgresClient,
        redis: RedisClient?,
        cache: TenantCache,
        metrics: MetricsRegistry,
        logger: Logger
    ) async throws -> [any Service] {
        let shop = Shop(
            postgres: postgres,
            cache: cache,
            settings: choices.shop,
            logger: logger.labelled("stock.services")
        )
        var settings = APISettings(
            signingKeys: choices.signingKeys,
            build: Build(version: Release.version, instance: choices.instance)
        )
        settings.rates = choices.rates
        settings.limits.connections = connections(choices.httpConnections, logger: logger)
        settings.limits.connectionsPerAddress = choices.httpConnectionsPerAddress
        settings.proxies = choices.proxies
        settings.crossOrigin = choices.crossOrigin
        settings.metrics = metrics
        let watch = DatabaseWatch()
        let api = try await API.make(
            shop: shop,
            settings: settings,
            logger: logger.labelled("stock.api"),
            state: {
                ProcessState(
                    isDatabaseAvailable: postgres.isAvailable,
                    databaseSilence: watch.silence(isAvailable: postgres.isAvailable),
                    databaseVersion: postgres.serverVersion.map { "\($0 / 10_000).\($0 % 10_000)" },
                    isRedisAvailable: redis?.isAvailable
                )
            }
        )
        var services: [any Service] = [LateNotesWriter(identity: shop.identity)]
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
        let host = choices.host
        let server = HTTPServer(
            api: api,
            host: host,
            port: choices.port,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger.labelled("stock.http"),
            onListening: { port in
                logger.notice("listening", metadata: ["address": "\(host):\(port)"])
                LogSink.standardError.flush()
            }
        )
        services.append(server)
        return services
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

/// Looks once at what the database says of itself, as soon as it answers.
///
/// A superuser is refused: row-level security does not hold for one, and with it the walls between tenants.
private struct Admittance: Service {
    let postgres: PostgresClient
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled, postgres.isSuperuser == nil { try? await Task.sleep(for: .milliseconds(50)) }
        }
        if postgres.isSuperuser == true {
            throw ConfigurationError(.databaseURL, "names a superuser, who sees every tenant's rows")
        }
        if let version = postgres.serverVersion, version < Int(Doctor.oldestServer) {
            logger.warning(
                "the database server lacks fixes that row-level security needs",
                metadata: ["version": "\(version / 10_000).\(version % 10_000)", "needed": "15.20"]
            )
        }
        // A service that ends would end the group.
        try? await gracefulShutdown()
    }
}

/// Remembers when the database last answered.
private final class DatabaseWatch: Sendable {
    private let lastAvailable = Mutex(ContinuousClock.now)

    /// For how long it has not, in seconds.
    func silence(isAvailable: Bool) -> Double {
        let now = ContinuousClock.now
        return lastAvailable.withLock { last in
            if isAvailable { last = now }
            let parts = last.duration(to: now).components
            return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
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

import Foundation
import NIOCore
import NIOPosix

/// A deployment of its own on loopback: PostgreSQL, Redis and instances of `stock serve`, with a link that can fail on every way between them.
///
/// Everything is in a temporary folder and nothing outlives the process, however that ends.
package actor Laboratory {
    /// The instances, in order.
    package nonisolated let instances: [LabInstance]
    /// The links of each instance, in order; none when it was started without proxies.
    package nonisolated let links: [InstanceLinks]
    /// The database server.
    package nonisolated let postgres: PostgresServer
    /// The migrated database; its URLs lead there directly, past every proxy.
    package nonisolated let database: TestDatabase
    /// The number that all chances here follow from.
    package nonisolated let seed: UInt64
    /// The Redis server that is the primary now.
    package private(set) var redis: RedisServer

    private let environment: [String: String]
    private let executable: String
    private nonisolated let loops: MultiThreadedEventLoopGroup
    private var historyListener: (@Sendable (HistoryReplaced) async -> Void)?

    private init(
        _ parts: (
            instances: [LabInstance], links: [InstanceLinks], postgres: PostgresServer, database: TestDatabase,
            redis: RedisServer
        ),
        seed: UInt64,
        environment: [String: String],
        executable: String,
        loops: MultiThreadedEventLoopGroup
    ) {
        self.instances = parts.instances
        self.links = parts.links
        self.postgres = parts.postgres
        self.database = parts.database
        self.redis = parts.redis
        self.seed = seed
        self.environment = environment
        self.executable = executable
        self.loops = loops
    }

    /// Starts the stores, migrates, and starts the instances.
    ///
    /// - Parameters:
    ///   - count: how many instances.
    ///   - seed: where all chances come from.
    ///   - settings: further configuration of every instance.
    ///   - executable: the program `stock`.
    ///   - isProxied: whether a proxy stands on every way from an instance to a store.
    /// - Returns: the laboratory, every instance ready.
    /// - Throws: ``MissingPrograms`` when PostgreSQL or Redis is not installed; else what kept it from starting, with the output of
    ///   the process concerned.
    package static func start(
        instances count: Int,
        seed: UInt64,
        settings: [String: String] = [:],
        executable: String = StockCommand.itself,
        proxied isProxied: Bool = true
    ) async throws -> Laboratory {
        try MissingPrograms.check()
        async let startingRedis = RedisServer.start(arguments: RedisServer.quickReplication)
        let postgres = try await PostgresServer.start(settings: [
            "max_connections": "100",
            "shared_buffers": "32MB",
            "autovacuum_naptime": "1s",
            // A small data folder is copied and restored in no time.
            "max_wal_size": "64MB",
            "min_wal_size": "32MB",
        ])
        let database = try await postgres.bareDatabase(named: "stock")
        let redis = try await startingRedis

        var environment = [
            "DATABASE_URL": database.appURL,
            "DATABASE_OWNER_URL": database.superuserURL,
            "AUTH_SECRET": "laboratory-only-0123456789abcdef0123",
            "LOG_LEVEL": "warning",
            "RATE_LIMIT_TENANT": "0", "RATE_LIMIT_KEY": "0", "RATE_LIMIT_LOGIN": "0",
        ]
        environment.merge(settings) { $1 }
        let migration = try await StockCommand.run(["migrate", "up"], environment: environment, executable: executable)
        guard migration.status == .exited(0) else {
            throw CommandFailed(
                command: ["stock", "migrate", "up"],
                status: migration.status,
                output: migration.output + migration.errors
            )
        }
        // What faults write in long transactions is beside the service's database: snapshots are the same for all.
        try await postgres.psql("CREATE TABLE laboratory_held (n bigint)", database: "postgres")

        let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var links: [InstanceLinks] = []
        var instances: [LabInstance] = []
        for index in 0..<count {
            var own = environment
            let port = try FreePort.lasting()
            own["STOCK_INSTANCE"] = "i\(index)"
            own["STOCK_LISTEN"] = "127.0.0.1:\(port)"
            own["REDIS_URL"] = redis.url
            if isProxied {
                let made = try await InstanceLinks.start(
                    index: index,
                    seed: seed,
                    postgres: postgres,
                    redis: redis,
                    on: loops.next()
                )
                own["DATABASE_URL"] = made.databaseURL(database.name)
                own["REDIS_URL"] = made.redisURL
                links.append(made)
            }
            instances.append(LabInstance(index: index, port: port, executable: executable, environment: own))
        }
        let laboratory = Laboratory(
            (instances, links, postgres, database, redis),
            seed: seed,
            environment: environment,
            executable: executable,
            loops: loops
        )
        do {
            for instance in instances { try instance.start([:]) }
            for instance in instances { try await instance.becomeReady(within: .seconds(60)) }
        } catch {
            let logs = instances.map(\.log).joined(separator: "\n")
            await laboratory.stop()
            throw OutputEnded(expectation: "the instances are ready (\(error))", output: logs)
        }
        return laboratory
    }

    /// Ends everything in good order and gives the folders back.
    package func stop() async {
        for instance in instances { try? await instance.kill() }
        for link in links { await link.stop() }
        await redis.remove()
        await postgres.remove()
        try? await loops.shutdownGracefully()
    }

    // MARK: Use

    /// Makes a tenant, and a key that may do everything in its name.
    package func tenant(_ slug: String) async throws -> LabTenant {
        let made = try await command(
            "tenant",
            "create",
            "--name",
            slug,
            "--slug",
            slug,
            "--currency",
            "EUR",
            "--timezone",
            "UTC",
            "--owner-email",
            "owner@\(slug).example",
            "--owner-password",
            "correct horse battery",
            "--json"
        )
        let scopes = """
            catalog:read,catalog:write,stock:read,stock:write,sales:read,sales:write,payments:write,customers:read,\
            customers:write,reports:read,admin
            """
        let key = try await command(
            "key",
            "create",
            "--tenant",
            slug,
            "--name",
            "laboratory",
            "--scopes",
            scopes,
            "--json"
        )
        guard let id = JSON(parsing: Array(made.utf8))["id"].int,
            let secret = JSON(parsing: Array(key.utf8))["secret"].string
        else {
            throw CommandFailed(command: ["stock", "tenant", "create"], status: .exited(0), output: made + key)
        }
        return LabTenant(slug: slug, id: id, key: secret)
    }

    /// Runs a `stock` command on the database and returns what it printed.
    ///
    /// - Throws: ``CommandFailed`` unless it exits with 0.
    @discardableResult
    package nonisolated func command(_ arguments: String...) async throws -> String {
        let result = try await StockCommand.run(arguments, environment: environment, executable: executable)
        guard result.status == .exited(0) else {
            throw CommandFailed(
                command: ["stock"] + arguments,
                status: result.status,
                output: result.output + result.errors
            )
        }
        return result.output
    }

    /// Calls back whenever a fault has replaced the database by an earlier state of itself.
    ///
    /// The call comes while PostgreSQL is down, and it is started when the call has returned.
    package func onHistoryReplaced(_ listener: @escaping @Sendable (HistoryReplaced) async -> Void) {
        historyListener = listener
    }

    // MARK: Instances

    /// Starts an instance that does not run; returns at once.
    package nonisolated func start(_ instance: LabInstance, environment: [String: String] = [:]) throws {
        try instance.start(environment)
    }

    /// Ends an instance by SIGKILL.
    package nonisolated func kill(_ instance: LabInstance) async throws {
        try await instance.kill()
    }

    /// Stops an instance by SIGSTOP: its connections stay open, and nothing answers.
    package nonisolated func pause(_ instance: LabInstance) {
        instance.pause()
    }

    /// Continues an instance.
    package nonisolated func resume(_ instance: LabInstance) {
        instance.resume()
    }

    /// Kills an instance and starts it again at the same address, with further configuration, as `STOCK_FAILPOINT`.
    package nonisolated func restart(_ instance: LabInstance, environment: [String: String] = [:]) async throws {
        try await instance.kill()
        try instance.start(environment)
    }

    /// Brings everything up that may be down: the end of every run of faults.
    package func repair() async throws {
        for link in links { await link.pass() }
        await postgres.resume()
        try await postgres.startIfStopped()
        await redis.resume()
        try await redis.start(keepingData: true)
        for instance in instances {
            instance.resume()
            try await instance.becomeReady(within: .seconds(30))
        }
    }

    // MARK: Stores

    /// A link to something else, on the event loop of the others.
    nonisolated func makeLink(_ name: String) -> LinkProxy {
        LinkProxy(name: name, seed: seed, eventLoop: loops.next())
    }

    /// From now on `server` is the Redis server of this laboratory; the one before is ended.
    func replaceRedis(by server: RedisServer) async {
        let old = redis
        redis = server
        await old.remove()
    }

    /// Tells whoever listens that history was replaced.
    func historyReplaced(_ change: HistoryReplaced) async {
        await historyListener?(change)
    }
}

/// The database was replaced by an earlier state of itself.
package struct HistoryReplaced: Sendable {
    /// When that state was taken, PostgreSQL being down: writes acknowledged later, and before ``restored``, are lost.
    package let snapshotTaken: ContinuousClock.Instant
    /// When it was put back; PostgreSQL is started after this.
    package let restored: ContinuousClock.Instant
}

/// A laboratory needs programs that are not installed.
package struct MissingPrograms: Error, CustomStringConvertible {
    /// The programs that were not found.
    package let names: [String]
    /// What to install.
    package var description: String {
        "not found: \(names.joined(separator: ", ")). A laboratory runs its own PostgreSQL and Redis; "
            + "install their servers and clients (Debian: apt install postgresql redis-server redis-tools)"
    }

    /// Looks for every program needed.
    ///
    /// - Throws: ``MissingPrograms`` when one is missing.
    package static func check() throws(MissingPrograms) {
        let programs = ["initdb", "postgres", "psql"].map(PostgresBinaries.path(of:)) + ["redis-server", "redis-cli"]
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        let missing = programs.filter { program in
            let places = program.contains("/") ? [program] : folders.map { "\($0)/\(program)" }
            return !places.contains { access($0, X_OK) == 0 }
        }
        guard missing.isEmpty else { throw MissingPrograms(names: missing) }
    }
}

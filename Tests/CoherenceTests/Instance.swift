import Cache
import Coherence
import IOLoop
import Logging
import NIOCore
import Postgres
import Redis
import Synchronization
import TestSupport
import Testing

/// One instance of the service's coherent cache, without the shop around it: several live in one test process.
final class Instance: Sendable {
    let cache: TenantCache
    let postgres: PostgresClient
    let redis: RedisClient?
    private let loop: IOLoop
    private let tasks: Mutex<[Task<Void, Never>]> = Mutex([])

    init(
        database: TestDatabase,
        redis server: RedisServer?,
        settings: CacheSettings = CacheSettings(),
        redisPatience: Duration? = nil,
        hearsTheBus: Bool = true
    ) throws {
        var logger = Logger(label: "instance")
        logger.logLevel = .critical
        let loop = IOLoop()
        loop.start()
        let postgres = PostgresClient(
            configuration: try PostgresConfiguration(url: database.appURL),
            loop: loop,
            statements: CacheStatements.all + [ReadCategory.self, RenameCategory.self, ReadToken.self],
            logger: logger
        )
        var redis: RedisClient?
        var subscriber: RedisSubscriber?
        if let server {
            let production = try RedisConfiguration(url: server.url)
            let configuration = redisPatience.map { production.patient(for: $0) } ?? production
            redis = RedisClient(configuration: configuration, loop: loop, scripts: CacheScript.all, logger: logger)
            let channel = CoherenceService.busChannel(settings: settings, database: configuration.database)
            subscriber = RedisSubscriber(
                configuration: configuration,
                loop: loop,
                channel: hearsTheBus ? channel : channel + ":nobody",
                logger: logger
            )
        }
        let cache = TenantCache(
            settings: settings,
            secondLevel: redis.map { RedisSecondLevel(client: $0, settings: settings) }
        )
        let service = CoherenceService(
            cache: cache,
            postgres: postgres,
            redis: redis,
            subscriber: subscriber,
            logger: logger
        )
        self.loop = loop
        self.postgres = postgres
        self.redis = redis
        self.cache = cache
        let client = redis
        self.tasks.withLock { tasks in
            tasks.append(Task { await service.run() })
            if let client { tasks.append(Task { await client.run() }) }
            tasks.append(Task { await postgres.run() })
        }
    }

    /// Ends the instance: the coherence service first, then its connections.
    func stop() async {
        for task in self.tasks.withLock({ $0 }) {
            task.cancel()
            await task.value
        }
        self.loop.stop()
    }

    /// Waits until the instance may serve from its caches.
    func becomeUsable(within limit: Duration = .seconds(10)) async throws {
        try await eventually(within: limit, "the cache is in use") { self.cache.isUsable }
    }

    static func key(_ tenant: Int64, _ id: String) -> CacheKey {
        KeyBuilder("id").adding(id).key(tenant: tenant, module: .categories)
    }

    /// Reads a category's name through the cache.
    func read(_ tenant: Int64, _ id: String) async throws -> CachedAnswer {
        let postgres = self.postgres
        return try await self.cache.read(Self.key(tenant, id), deadline: .now + .seconds(5)) {
            let rows = try await postgres.query(ReadCategory(id: id), tenant: tenant, deadline: .now + .seconds(5))
            guard let row = rows.first else { throw PostgresError(.decoding, "no such category") }
            return Filled(
                content: .body(ByteBuffer(string: row.name), etag: nil),
                snapshot: Snapshot(xmin: row.snapshot.xmin, xmax: row.snapshot.xmax, xip: row.snapshot.xip)
            )
        }
    }

    func name(_ tenant: Int64, _ id: String) async throws -> String {
        String(buffer: try #require(try await self.read(tenant, id).body))
    }

    /// Renames a category; says when it was committed, on the cache's clock, and by which transaction.
    func timedRename(_ tenant: Int64, _ id: String, to name: String) async throws -> (xid: UInt64, time: Int64) {
        var unit = UnitOfWork(tenant: tenant, access: .write)
        try unit.add(RenameCategory(id: id, newName: name))
        let token = try unit.add(ReadToken())
        let row = try await self.postgres.perform(unit, on: .exclusive, deadline: .now + .seconds(5)).one(token)
        let time = self.cache.clock.now
        self.cache.committed(tenant: tenant, modules: row.modules.compactMap { Module(rawValue: $0) }, xid: row.xid)
        return (row.xid, time)
    }

    /// Renames a category; `publishes` is false for a process that dies right after COMMIT.
    func rename(_ tenant: Int64, _ id: String, to name: String, publishes: Bool = true) async throws {
        var unit = UnitOfWork(tenant: tenant, access: .write)
        try unit.add(RenameCategory(id: id, newName: name))
        let token = try unit.add(ReadToken())
        let row = try await self.postgres.perform(unit, on: .exclusive, deadline: .now + .seconds(5)).one(token)
        guard publishes else { return }
        self.cache.committed(tenant: tenant, modules: row.modules.compactMap { Module(rawValue: $0) }, xid: row.xid)
    }
}

extension RedisConfiguration {
    /// The same server, which may take so long for each answer: for tests that need all of them on a busy machine.
    func patient(for patience: Duration) -> RedisConfiguration {
        var configuration = self
        configuration.connectTimeout = patience
        configuration.commandTimeout = patience
        configuration.subscriberSilence = patience
        return configuration
    }
}

struct ReadCategory: Statement {
    static let name = "test.read_category"
    static let sql: SQL = """
        SELECT c.name, pg_current_snapshot()
          FROM (VALUES (1)) AS one
          LEFT JOIN stock.category c ON c.id = $1::uuid
        """
    static let parameterTypes: [PostgresType] = [.text]

    var id: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(self.id)
    }

    struct Row: DecodableRow {
        let name: String
        let snapshot: PGSnapshot

        init(from row: inout RowReader) throws(PostgresError) {
            self.name = try row.next()
            self.snapshot = try row.next()
        }
    }
}

struct RenameCategory: Statement {
    static let name = "test.rename_category"
    static let sql: SQL = """
        UPDATE stock.category
           SET name = $2
         WHERE id = $1::uuid
        """
    static let parameterTypes: [PostgresType] = [.text, .text]

    var id: String
    var newName: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(self.id)
        try parameters.append(self.newName)
    }
}

struct ReadToken: Statement {
    static let name = "test.token"
    static let sql: SQL = """
        SELECT t.xid, t.modules
          FROM stock.cache_token() AS t
        """

    struct Row: DecodableRow {
        let xid: UInt64
        let modules: [String]

        init(from row: inout RowReader) throws(PostgresError) {
            self.xid = try row.next(XID8.self).rawValue
            self.modules = try row.next()
        }
    }
}

/// A tenant with one category.
struct Scene: Sendable {
    let database: TestDatabase
    let tenant: Int64
    let category = "00000000-0000-7000-8000-000000000001"

    init(_ server: PostgresServer, _ name: String) async throws {
        self.database = try await server.database(named: name)
        let id = try await self.database.psql(
            "INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone) "
                + "VALUES ('shop', 'Shop', 'EUR', 2, 'Europe/Berlin') RETURNING id"
        )
        self.tenant = try #require(Int64(id.filter { $0.isNumber }))
        try await self.database.psql(
            "INSERT INTO stock.category (tenant_id, id, name) VALUES (\(self.tenant), '\(self.category)', 'zero')"
        )
    }

    /// One more tenant, with a category of the same id.
    func another(_ slug: String) async throws -> Int64 {
        let id = try await self.database.psql(
            "INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone) "
                + "VALUES ('\(slug)', 'Shop', 'EUR', 2, 'Europe/Berlin') RETURNING id"
        )
        let tenant = try #require(Int64(id.filter { $0.isNumber }))
        try await self.database.psql(
            "INSERT INTO stock.category (tenant_id, id, name) VALUES (\(tenant), '\(self.category)', 'zero')"
        )
        return tenant
    }

    /// An update by somebody who has never heard of the cache.
    func update(name: String) async throws {
        try await self.database.psql("UPDATE stock.category SET name = '\(name)' WHERE tenant_id = \(self.tenant)")
    }
}

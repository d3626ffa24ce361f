import Cache
import TestSupport
import Testing

/// Data sets that went back in time: the rows of "What happens when" in which Redis or PostgreSQL forgets.
@Suite(.serialized) struct RecoveryTests {
    private struct Pair {
        let scene: Scene
        let one: Instance
        let two: Instance

        var both: [Instance] { [self.one, self.two] }

        /// Both serve this name, from memory in the end.
        func warm(_ name: String) async throws {
            for instance in self.both {
                try await eventually("\(name) is in memory") {
                    _ = try? await instance.read(self.scene.tenant, self.scene.category)
                    return instance.cache.hit(Instance.key(self.scene.tenant, self.scene.category)) != nil
                }
                #expect(try await instance.name(self.scene.tenant, self.scene.category) == name)
            }
        }

        /// Nobody serves anything but this name from a lease after now on.
        func serveOnly(_ name: String, within limit: Duration = .seconds(1)) async throws {
            for instance in self.both {
                try await eventually(within: limit, "\(name) is read") {
                    (try? await instance.name(self.scene.tenant, self.scene.category)) == name
                }
            }
            for _ in 0..<200 {
                for instance in self.both {
                    #expect(try await instance.name(self.scene.tenant, self.scene.category) == name)
                }
            }
        }

        func isDeclared(_ redis: RedisServer) async throws {
            try await eventually(within: .seconds(15), "Redis is declared up to date") {
                guard let ns = self.one.cache.health().ns else { return false }
                let alive = try await redis.command("GET", "stock:lane:0:alive")
                let info = try await redis.command("INFO", "server")
                let run = info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("run_id:") }?.dropFirst(7)
                    .prefix(40)
                return alive.contains(ns) && run.map { alive.contains($0) } == true
            }
        }
    }

    private func withPair(
        _ name: String = #function,
        postgres server: PostgresServer? = nil,
        redis: RedisServer,
        _ body: (Pair) async throws -> Void
    ) async throws {
        let shared: PostgresServer
        if let server { shared = server } else { shared = try await PostgresServer.shared() }
        let scene = try await Scene(shared, name)
        let one = try Instance(database: scene.database, redis: redis)
        let two = try Instance(database: scene.database, redis: redis)
        do {
            try await one.becomeUsable()
            try await two.becomeUsable()
            try await body(Pair(scene: scene, one: one, two: two))
        } catch {
            await one.stop()
            await two.stop()
            throw error
        }
        await one.stop()
        await two.stop()
    }

    @Test("an old dump of Redis is replayed before it is believed")
    func oldDump() async throws {
        let redis = try await RedisServer.start()
        try await self.withPair(redis: redis) { pair in
            try await pair.warm("zero")
            try await redis.save()
            for round in 1...20 {
                try await pair.one.rename(pair.scene.tenant, pair.scene.category, to: "after \(round)")
            }
            try await pair.warm("after 20")
            let ns = pair.one.cache.health().ns
            try await redis.kill()
            try await redis.start(keepingData: true)
            try await pair.serveOnly("after 20")
            try await pair.isDeclared(redis)
            try await pair.serveOnly("after 20")
            // The log reaches back to the dump, so nothing had to go cold.
            #expect(pair.one.cache.health().ns == ns)
        }
        try await redis.stop()
    }

    @Test("keys that Redis evicted cost time, never truth", arguments: ["wm", "alive", "_g", "_r", "_x", "value"])
    func evicted(_ key: String) async throws {
        let redis = try await RedisServer.start()
        try await self.withPair("evicted_\(key)", redis: redis) { pair in
            let scope = "stock:tenant:\(pair.scene.tenant):categories:"
            let name =
                switch key {
                case "wm", "alive": "stock:lane:0:" + key
                case "value": scope + Instance.key(pair.scene.tenant, pair.scene.category).key
                default: scope + key
                }
            var current = "zero"
            for round in 1...10 {
                try await pair.warm(current)
                current = "round \(round)"
                try await redis.command("DEL", name)
                try await pair.one.rename(pair.scene.tenant, pair.scene.category, to: current)
                try await redis.command("DEL", name)
                try await pair.serveOnly(current)
            }
            try await pair.isDeclared(redis)
        }
        try await redis.stop()
    }

    @Test("a Redis that lost everything and takes no writes leaves memory in use and the namespace as it is")
    func unwritable() async throws {
        let redis = try await RedisServer.start(arguments: ["--maxmemory-policy", "noeviction"])
        try await self.withPair(redis: redis) { pair in
            func lane() async throws -> (ns: Substring, drains: Int) {
                let row = try await pair.scene.database.psql("SELECT ns, drains FROM stock.cache_lane")
                let parts = row.split(separator: "|")
                return (try #require(parts.first), try #require(parts.last.flatMap { Int($0) }))
            }
            try await pair.warm("zero")
            try await redis.command("CONFIG", "SET", "maxmemory", "1")
            try await redis.command("FLUSHALL")
            let before = try await lane()
            try await eventually(within: .seconds(120), "the relays have had time to look at Redis again and again") {
                try await lane().drains >= before.drains + 60
            }
            #expect(try await lane().ns == before.ns)
            try await pair.warm("zero")
            // With room again it is begun anew.
            try await redis.command("CONFIG", "SET", "maxmemory", "0")
            try await pair.isDeclared(redis)
            #expect(try await lane().ns != before.ns)
        }
        try await redis.stop()
    }

    @Test("Redis out of memory is like no Redis, and comes back when there is room")
    func outOfMemory() async throws {
        let redis = try await RedisServer.start(arguments: ["--maxmemory-policy", "noeviction"])
        try await self.withPair(redis: redis) { pair in
            try await pair.warm("zero")
            try await redis.command("CONFIG", "SET", "maxmemory", "1")
            for round in 1...10 {
                try await pair.one.rename(pair.scene.tenant, pair.scene.category, to: "full \(round)")
                try await pair.serveOnly("full \(round)", within: .milliseconds(1500))
            }
            try await redis.command("CONFIG", "SET", "maxmemory", "0")
            try await pair.isDeclared(redis)
            try await pair.one.rename(pair.scene.tenant, pair.scene.category, to: "room")
            try await pair.serveOnly("room")
        }
        try await redis.stop()
    }

    @Test("a data directory of PostgreSQL put back makes everything cold, though the cluster is the same")
    func restoredDataDirectory() async throws {
        let server = try await PostgresServer.start()
        let redis = try await RedisServer.start()
        try await self.withPair(postgres: server, redis: redis) { pair in
            try await pair.warm("zero")
            try await server.stop()
            try await server.copyData()
            try await server.startIfStopped()
            for round in 1...5 {
                try await pair.scene.update(name: "lost \(round)")
            }
            for instance in pair.both { try await instance.becomeUsable(within: .seconds(10)) }
            try await pair.serveOnly("lost 5")
            try await pair.warm("lost 5")
            let ns = pair.one.cache.health().ns
            try await server.stop()
            // The lease the instances held has to end: what they serve until then nobody could know to be gone.
            try await eventually(within: .seconds(3), "the leases have ended") {
                !pair.one.cache.isUsable && !pair.two.cache.isUsable
            }
            try await server.restoreData()
            try await server.startIfStopped()
            try await pair.serveOnly("zero", within: .seconds(10))
            try await eventually(within: .seconds(10), "both are on a new namespace") {
                let now = pair.one.cache.health().ns
                return now != ns && now == pair.two.cache.health().ns
            }
            for instance in pair.both { try await instance.becomeUsable(within: .seconds(10)) }
            try await pair.warm("zero")
        }
        try await redis.stop()
        try await server.stop()
    }
}

import IOLoop
import Logging
import Redis
import TestSupport
import Testing

@testable import Cache

/// The scripts, one by one, on a real Redis.
@Suite(.serialized) struct ScriptTests {
    private static let ns = String(repeating: "a", count: 32)
    private static let key = CacheKey(tenant: 1, module: .products, key: "id:1")
    private static let generation = "stock:tenant:1:products:_g"
    private static let ring = "stock:tenant:1:products:_r"
    private static let index = "stock:tenant:1:products:_x"
    private static let lease = "stock:tenant:1:products:_l:id:1"
    private static let me = FillOwner(instance: "one", nonce: "1")
    private static let other = FillOwner(instance: "two", nonce: "9")

    private struct Scene: Sendable {
        let server: RedisServer
        let client: RedisClient
        let level: RedisSecondLevel

        /// A value under a generation, as an envelope begins.
        func value(_ generation: [UInt8], _ body: String) -> [UInt8] {
            Array("S1".utf8) + Array(ScriptTests.ns.utf8) + generation + Array(body.utf8)
        }

        func run(_ script: RedisScript, _ keys: [String], _ arguments: [String]) async throws -> RedisReply {
            try await self.client.evaluate(
                script,
                keys: keys.map { .text($0) },
                arguments: arguments.map { .text($0) }
            )
        }

        func lease(_ owner: FillOwner, renews: Bool = false) async throws -> LeaseAnswer {
            try #require(await self.level.lease(ScriptTests.key, ns: ScriptTests.ns, owner: owner, renews: renews))
        }

        func store(_ generation: [UInt8], _ body: String, _ owner: FillOwner?) async -> Bool? {
            await self.level.store(
                ScriptTests.key,
                value: self.value(generation, body),
                generation: generation,
                owner: owner,
                lifetime: .seconds(30)
            )
        }

        func bump(_ xid: UInt64) async {
            await self.level.bump([CommittedWrite(tenant: 1, modules: [.products], xid: xid)], ns: ScriptTests.ns)
        }

        func get(_ key: String) async throws -> String? {
            try await self.client.send(["GET", .text(key)]).text
        }

        func number(_ command: RedisArgument...) async throws -> Int64 {
            try #require(try await self.client.send(RedisCommand(command)).integer)
        }
    }

    private func withRedis(
        arguments: [String] = [],
        settings: CacheSettings = CacheSettings(),
        _ body: (Scene) async throws -> Void
    ) async throws {
        let server = try await RedisServer.start(arguments: arguments)
        var logger = Logger(label: "scripts")
        logger.logLevel = .critical
        let loop = IOLoop()
        loop.start()
        let client = RedisClient(
            configuration: try RedisConfiguration(url: server.url).patient(for: .seconds(20)),
            loop: loop,
            scripts: CacheScript.all,
            logger: logger
        )
        let running = Task { await client.run() }
        try await eventually("Redis is connected") { client.isAvailable }
        var settings = settings
        settings.redisBudget = .seconds(20)
        settings.bumpBudget = .seconds(20)
        let level = RedisSecondLevel(client: client, settings: settings)
        do {
            try await body(Scene(server: server, client: client, level: level))
        } catch {
            running.cancel()
            await running.value
            loop.stop()
            throw error
        }
        running.cancel()
        await running.value
        loop.stop()
        try await server.stop()
    }

    // MARK: - LEASE, STORE, STEAL, RELEASE

    @Test("one fills, others are told to wait, and the value ends the lease")
    func leases() async throws {
        try await self.withRedis { scene in
            guard case .fill(let generation) = try await scene.lease(Self.me) else {
                Issue.record("the first does not fill")
                return
            }
            let held = generation + Array(" one/1".utf8)
            #expect(try await scene.lease(Self.other) == .wait(generation: generation, lease: held))
            let left = try await scene.number("PTTL", .text(Self.lease))
            #expect((4000...5000).contains(left))
            #expect(await scene.store(generation, "body", Self.me) == true)
            #expect(try await scene.get(Self.lease) == nil)
            #expect(
                try await scene.lease(Self.other)
                    == .hit(generation: generation, value: scene.value(generation, "body"))
            )
        }
    }

    @Test("a refresh passes over the value that is there")
    func renews() async throws {
        try await self.withRedis { scene in
            guard case .fill(let generation) = try await scene.lease(Self.me) else { return }
            #expect(await scene.store(generation, "body", Self.me) == true)
            #expect(try await scene.lease(Self.me, renews: true) == .fill(generation: generation))
        }
    }

    @Test("a lease of a retired generation is none")
    func retiredLease() async throws {
        try await self.withRedis { scene in
            guard case .fill(let before) = try await scene.lease(Self.me) else { return }
            await scene.bump(7)
            guard case .fill(let after) = try await scene.lease(Self.other) else {
                Issue.record("the second waits for a fill that cannot be stored")
                return
            }
            #expect(before != after)
            // The first one's store is refused, and does not free what the second holds.
            #expect(await scene.store(before, "old", Self.me) == false)
            #expect(try await scene.get(Self.lease)?.hasSuffix(" two/9") == true)
            #expect(await scene.store(after, "new", Self.other) == true)
        }
    }

    @Test("a refused store frees its own lease")
    func refusedStore() async throws {
        try await self.withRedis { scene in
            guard case .fill(let generation) = try await scene.lease(Self.me) else { return }
            await scene.bump(7)
            #expect(await scene.store(generation, "old", Self.me) == false)
            #expect(try await scene.get(Self.lease) == nil)
            #expect(try await scene.number("EXISTS", "stock:tenant:1:products:id:1") == 0)
        }
    }

    @Test("an evicted generation refuses what was captured before")
    func evictedGeneration() async throws {
        try await self.withRedis { scene in
            guard case .fill(let generation) = try await scene.lease(Self.me) else { return }
            _ = try await scene.client.send(["DEL", .text(Self.generation)])
            #expect(await scene.store(generation, "old", Self.me) == false)
            guard case .fill(let fresh) = try await scene.lease(Self.me) else { return }
            #expect(fresh != generation)
        }
    }

    @Test("only the lease that was seen is stolen, and only one's own is released")
    func steals() async throws {
        try await self.withRedis { scene in
            guard case .fill(let generation) = try await scene.lease(Self.me),
                case .wait(_, let seen) = try await scene.lease(Self.other)
            else { return }
            await scene.level.release(Self.key, generation: generation, owner: Self.other)
            #expect(try await scene.get(Self.lease) != nil)
            #expect(await scene.level.steal(Self.key, seen: seen, generation: generation, owner: Self.other) == true)
            #expect(try await scene.number("PTTL", "stock:lane:0:i:two") > 1000)
            #expect(await scene.level.steal(Self.key, seen: seen, generation: generation, owner: Self.me) == false)
            await scene.level.release(Self.key, generation: generation, owner: Self.other)
            #expect(try await scene.get(Self.lease) == nil)
        }
    }

    @Test("a waiter sees in one round trip whether the filler is alive and the value there")
    func polls() async throws {
        try await self.withRedis { scene in
            guard case .fill(let generation) = try await scene.lease(Self.me),
                case .wait(_, let seen) = try await scene.lease(Self.other)
            else { return }
            // Who takes a lease is alive, whether or not it has said so before.
            #expect(try #require(await scene.level.poll(Self.key, lease: seen)).isOwnerAlive)
            _ = try await scene.client.send(["DEL", "stock:lane:0:i:one"])
            let dead = try #require(await scene.level.poll(Self.key, lease: seen))
            #expect(!dead.isOwnerAlive && dead.lease == seen && dead.answer.value == nil)
            await scene.level.beat(instance: "one")
            #expect(try await scene.number("PTTL", "stock:lane:0:i:one") > 1000)
            #expect(try #require(await scene.level.poll(Self.key, lease: seen)).isOwnerAlive)
            #expect(await scene.store(generation, "body", Self.me) == true)
            let done = try #require(await scene.level.poll(Self.key, lease: seen))
            #expect(done.lease == nil && done.answer.value == scene.value(generation, "body"))
            #expect(done.answer.generation == generation)
            let left = try #require(await scene.level.timeToLive(Self.key))
            #expect(left > .seconds(20) && left <= .seconds(30))
        }
    }

    // MARK: - Bumps

    @Test("a transaction bumps once in a data set, and again when the ring has lost it")
    func ring() async throws {
        try await self.withRedis { scene in
            await scene.bump(7)
            let first = try await scene.get(Self.generation)
            await scene.bump(7)
            #expect(try await scene.get(Self.generation) == first)
            await scene.bump(8)
            #expect(try await scene.get(Self.generation) != first)
            let second = try await scene.get(Self.generation)
            _ = try await scene.client.send(["DEL", .text(Self.ring)])
            await scene.bump(7)
            #expect(try await scene.get(Self.generation) != second)
        }
    }

    @Test("ring and index keep their bounds")
    func bounds() async throws {
        var settings = CacheSettings()
        settings.indexSize = 50
        try await self.withRedis(settings: settings) { scene in
            for xid in 1...200 as ClosedRange<UInt64> { await scene.bump(xid) }
            #expect(try await scene.number("ZCARD", .text(Self.ring)) == 64)
            #expect(try await scene.number("PTTL", .text(Self.ring)) > 100_000)
            let generation = Array(try #require(try await scene.get(Self.generation)).utf8)
            for number in 1...200 {
                let key = CacheKey(tenant: 1, module: .products, key: "id:\(number)")
                let isStored = await scene.level.store(
                    key,
                    value: scene.value(generation, "x"),
                    generation: generation,
                    owner: nil,
                    lifetime: .seconds(number)
                )
                #expect(isStored == true)
            }
            #expect(try await scene.number("ZCARD", .text(Self.index)) == 50)
            // What expires first is what the index lets go.
            #expect(try await scene.client.send(["ZSCORE", .text(Self.index), "id:150"]).text == nil)
            #expect(try await scene.client.send(["ZSCORE", .text(Self.index), "id:151"]).text != nil)
            #expect(try await scene.number("PTTL", .text(Self.index)) > 1_000_000)
        }
    }

    @Test("rows are applied in order, once, and only to the data set they belong to")
    func applies() async throws {
        try await self.withRedis { scene in
            let script = CacheScript(defects: Defects())
            func apply(_ ns: String, _ first: Int, _ last: Int) async throws -> String? {
                try await scene.run(
                    script.apply,
                    ["wm", Self.generation, Self.ring],
                    [
                        ns, "\(first)", "\(last)", "5", "1000000", "120000", "64", "bus", "A", "\(last)",
                        Generation.fresh(), "1", "\(last)",
                    ]
                ).text
            }
            #expect(try await apply(Self.ns, 1, 1) == "NS")
            #expect(try await scene.run(script.reset, ["alive", "wm"], ["\(Self.ns) 0 5"]).text == "OK")
            #expect(try await apply(String(repeating: "b", count: 32), 1, 1) == "NS")
            #expect(try await apply(Self.ns, 2, 2) == "GAP")
            #expect(try await apply(Self.ns, 1, 2) == "OK")
            let generation = try await scene.get(Self.generation)
            #expect(generation != nil)
            #expect(try await apply(Self.ns, 1, 2) == "OLD")
            #expect(try await scene.get(Self.generation) == generation)
            #expect(try await scene.get("wm") == "\(Self.ns) 2 5")
        }
    }

    @Test("a server is declared up to date only exactly at the head")
    func declares() async throws {
        try await self.withRedis { scene in
            let script = CacheScript(defects: Defects())
            func declare(
                _ ns: String,
                _ head: Int,
                _ tag: Int,
                drains: Int = 1,
                run: String = "r"
            ) async throws -> String? {
                try await scene.run(
                    script.declareAlive,
                    ["wm", "alive"],
                    [ns, "\(head)", "\(tag)", run, "\(drains)", "3000", "bus", "B"]
                ).text
            }
            #expect(try await declare(Self.ns, 3, -5) == "NS")
            _ = try await scene.run(script.reset, ["alive", "wm"], ["\(Self.ns) 3 -5"])
            #expect(try await declare(String(repeating: "b", count: 32), 3, -5) == "NS")
            #expect(try await declare(Self.ns, 4, -5) == "GAP")
            #expect(try await declare(Self.ns, 3, 5) == "GAP")
            #expect(try await declare(Self.ns, 3, -5, drains: 8) == "OK")
            #expect(try await declare(Self.ns, 3, -5, drains: 7) == "OLD")
            #expect(try await declare(Self.ns, 3, -5, drains: 7, run: "s") == "OK")
            #expect(try await scene.get("alive") == "\(Self.ns) s 7")
        }
    }

    // MARK: - Out of memory

    @Test("out of memory each script fails as a whole, and a store frees its lease all the same")
    func outOfMemory() async throws {
        try await self.withRedis(arguments: ["--maxmemory", "5mb", "--maxmemory-policy", "noeviction"]) { scene in
            let script = CacheScript(defects: Defects())
            _ = try await scene.run(script.reset, ["alive", "stock:lane:0:wm"], ["\(Self.ns) 0 5"])
            guard case .fill(let generation) = try await scene.lease(Self.me) else { return }
            let chunk = String(repeating: "x", count: 100_000)
            var isFull = false
            for number in 0..<100 where !isFull {
                let reply = try? await scene.client.send(["SET", .text("ballast:\(number)"), .text(chunk)])
                isFull = reply == nil
            }
            #expect(isFull)
            let before = try await scene.client.send(["DBSIZE"]).integer
            await scene.bump(7)
            #expect(try await scene.get(Self.generation).map { Array($0.utf8) } == generation)
            await #expect(throws: RedisError.self) {
                try await scene.run(
                    script.apply,
                    ["stock:lane:0:wm", Self.generation, Self.ring],
                    [
                        Self.ns, "1", "1", "5", "1000000", "120000", "64", "bus", "A", "1", Generation.fresh(), "1",
                        "7",
                    ]
                )
            }
            #expect(try await scene.get("stock:lane:0:wm") == "\(Self.ns) 0 5")
            #expect(try await scene.get(Self.generation).map { Array($0.utf8) } == generation)
            await #expect(throws: RedisError.self) {
                try await scene.run(
                    script.declareAlive,
                    ["stock:lane:0:wm", "alive"],
                    [Self.ns, "0", "5", "r", "1", "3000", "bus", "B"]
                )
            }
            #expect(await scene.level.lease(Self.key, ns: Self.ns, owner: Self.other, renews: false) != nil)
            #expect(await scene.store(generation, "body", Self.me) == nil)
            #expect(try await scene.get(Self.lease) == nil)
            #expect(await scene.level.lease(Self.key, ns: Self.ns, owner: Self.other, renews: false) == nil)
            // All there is gone: the lease that was freed.
            #expect(try await scene.client.send(["DBSIZE"]).integer == before.map { $0 - 1 })
        }
    }

    // MARK: - Guards left out

    @Test("without its guard each script does what the guard is there to keep it from")
    func defects() async throws {
        try await self.withRedis { scene in
            var settings = CacheSettings()
            settings.redisBudget = .seconds(20)
            settings.bumpBudget = .seconds(20)
            func level(_ defect: Defect) -> RedisSecondLevel {
                settings.defects = Defects([defect])
                return RedisSecondLevel(client: scene.client, settings: settings)
            }
            // A slow reader's value comes back under the new generation.
            guard case .fill(let captured) = try await scene.lease(Self.me) else { return }
            await scene.bump(7)
            let isStored = await level(.blindStore).store(
                Self.key,
                value: scene.value(captured, "old"),
                generation: captured,
                owner: nil,
                lifetime: .seconds(9)
            )
            #expect(isStored == true)
            guard case .hit = try await scene.lease(Self.other) else {
                Issue.record("the old value is not served")
                return
            }
            // A generation comes twice.
            func bump(_ defect: Defect, _ xid: UInt64) async throws -> String? {
                await level(defect).bump([CommittedWrite(tenant: 1, modules: [.products], xid: xid)], ns: Self.ns)
                return try await scene.get(Self.generation)
            }
            let first = try await bump(.reuseGeneration, 21)
            #expect(try await bump(.reuseGeneration, 22) != first)
            #expect(try await bump(.reuseGeneration, 21) == first)
            _ = try await scene.client.send(["DEL", .text(Self.generation)])
            let one = try await bump(.counterGeneration, 31)
            #expect(one == String(repeating: "0", count: 31) + "1")
            #expect(try await bump(.counterGeneration, 32)?.hasSuffix("02") == true)
            _ = try await scene.client.send(["DEL", .text(Self.generation)])
            guard
                case .fill(let again) = await level(.counterGeneration).lease(
                    Self.key,
                    ns: Self.ns,
                    owner: Self.me,
                    renews: true
                )
            else {
                Issue.record("no lease")
                return
            }
            #expect(String(decoding: again, as: UTF8.self) == one)
            let keys = RedisKeys(prefix: "stock", database: 0, defects: Defects([.collidingKeys]))
            #expect(keys.value(Self.key) == keys.value(CacheKey(tenant: 1, module: .products, key: "list")))
        }
    }

    @Test("every guard of a script stands where it is left out from", arguments: Defect.allCases)
    func variants(_ defect: Defect) {
        let normal = CacheScript.all
        let variant = CacheScript(defects: Defects([defect])).all
        for (before, after) in zip(normal, variant) {
            #expect((before.source == after.source) == (before.name == after.name))
        }
        let touched = zip(normal, variant).filter { $0.0.source != $0.1.source }.map { $0.0.name }
        let expected: [Defect: [String]] = [
            .blindStore: ["store"], .reuseGeneration: ["bumpScopes", "apply"],
            .counterGeneration: ["bumpScopes", "apply", "lease"], .watermarkInMemory: ["apply", "declareAlive"],
            .noNamespace: ["apply", "declareAlive", "lease"], .noTag: ["declareAlive"],
        ]
        #expect(touched == expected[defect] ?? [])
    }
}

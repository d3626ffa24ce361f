import Logging
import Redis
import TestSupport
import Testing

@testable import Cache
@testable import Coherence

@Suite struct SweepScheduleTests {
    private static let scope = SweepSchedule.Name(tenant: 1, module: "products")

    @Test("a scope is swept at once, and then once in an interval however often it is bumped")
    func once() {
        var schedule = SweepSchedule(interval: 100)
        schedule.bumped(Self.scope, at: 0)
        #expect(schedule.take(at: 0) == [Self.scope])
        for now in 1...50 as ClosedRange<Int64> { schedule.bumped(Self.scope, at: now) }
        #expect(schedule.take(at: 99).isEmpty)
        #expect(schedule.nextDue == 100)
        #expect(schedule.take(at: 100) == [Self.scope])
        #expect(schedule.nextDue == nil)
        // Quiet scopes are forgotten.
        #expect(schedule.take(at: 200).isEmpty)
        schedule.bumped(Self.scope, at: 201)
        #expect(schedule.take(at: 201) == [Self.scope])
    }
}

@Suite struct StateLogTests {
    private static let second: Int64 = 1_000_000_000

    @Test("at most one line of a state in a second; the last one held back follows, with the number of the others")
    func limits() {
        let clock = ManualClock()
        var log = StateLog()
        let down = StateLog.Line(.warning, "cache part unavailable")
        let isUp = StateLog.Line(.info, "cache part available")
        #expect(log.changed("redis", down, at: clock.now) == down)
        #expect(log.changed("bus", down, at: clock.now) == down)
        for _ in 0..<5 {
            clock.advance(by: .milliseconds(50))
            #expect(log.changed("redis", isUp, at: clock.now) == nil)
            #expect(log.changed("redis", down, at: clock.now) == nil)
        }
        #expect(log.changed("redis", isUp, at: clock.now) == nil)
        #expect(log.due(at: clock.now).isEmpty)
        clock.advance(by: .seconds(1))
        #expect(log.due(at: clock.now) == [StateLog.Line(.info, "cache part available", ["suppressed": "10"])])
        #expect(log.due(at: clock.now).isEmpty)
        #expect(log.changed("redis", down, at: clock.now) == nil)
        clock.advance(by: .seconds(2))
        #expect(log.due(at: clock.now) == [down])
        clock.advance(by: .seconds(2))
        #expect(log.changed("redis", isUp, at: clock.now) == isUp)
    }
}

/// Retired values leave Redis soon, on a real one.
@Suite(.serialized) struct SweepTests {
    @Test("3,000 values of a scope are gone within seconds of a write, and what is not retired stays")
    func swept() async throws {
        let redis = try await RedisServer.start()
        let scene = try await Scene(try await PostgresServer.shared(), #function)
        var settings = CacheSettings()
        settings.redisBudget = .seconds(20)
        let instance = try Instance(
            database: scene.database,
            redis: redis,
            settings: settings,
            redisPatience: .seconds(20)
        )
        try await instance.becomeUsable()
        let client = try #require(instance.redis)
        let level = RedisSecondLevel(client: client, settings: settings)
        try await eventually("Redis can be used") { client.isAvailable }
        func fill(_ module: Module, _ count: Int) async throws {
            let probe = CacheKey(tenant: scene.tenant, module: module, key: "probe")
            let ns = try #require(instance.cache.health().ns)
            let owner = FillOwner(instance: "test", nonce: "1")
            guard case .fill(let generation) = await level.lease(probe, ns: ns, owner: owner, renews: true) else {
                Issue.record("no generation")
                return
            }
            await level.release(probe, generation: generation, owner: owner)
            let value = Array("S1".utf8) + Array(ns.utf8) + generation + Array(repeating: 0, count: 1000)
            for number in 0..<count {
                let key = CacheKey(tenant: scene.tenant, module: module, key: "id:\(number)")
                let isStored = await level.store(
                    key,
                    value: value,
                    generation: generation,
                    owner: nil,
                    lifetime: .seconds(300)
                )
                try #require(isStored == true)
            }
        }
        try await fill(.categories, 3000)
        try await fill(.units, 250)
        func size() async throws -> Int64 {
            try #require(try await client.send(["DBSIZE"]).integer)
        }
        #expect(try await size() > 3250)
        try await instance.rename(scene.tenant, scene.category, to: "retired")
        try await eventually(within: .seconds(10), "the retired values are gone") { try await size() < 300 }
        #expect(try await size() >= 250)
        let index = "stock:tenant:\(scene.tenant):categories:_x"
        #expect(try await client.send(["ZCARD", .text(index)]).integer == 0)
        let kept = "stock:tenant:\(scene.tenant):units:_x"
        #expect(try await client.send(["ZCARD", .text(kept)]).integer == 250)
        await instance.stop()
        try await redis.stop()
    }
}

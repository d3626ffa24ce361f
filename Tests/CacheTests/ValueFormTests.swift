import NIOCore
import Synchronization
import Testing

@testable import Cache

/// The forms a body takes on its way: plain, compressed, in Redis, explained.
@Suite struct ValueFormTests {
    private static let key = CacheKey(tenant: 1, module: .products, key: "list")
    private static let ns = String(repeating: "a", count: 32)

    private let clock = ManualClock()
    private let redis = FakeRedis()

    private func cache(_ change: (inout CacheSettings) -> Void = { _ in }) -> TenantCache {
        self.redis.state.with {
            $0.watermark = "\(Self.ns) 0 7"
            $0.alive = "\(Self.ns) run1 4"
        }
        var settings = CacheSettings()
        change(&settings)
        let cache = TenantCache(settings: settings, secondLevel: self.redis, clock: .manual(self.clock))
        cache.becomeUsable(clock: self.clock)
        return cache
    }

    private func read(_ cache: TenantCache, _ text: String) async throws -> CachedAnswer {
        try await cache.read(Self.key, deadline: soon) {
            Filled(content: body(text), snapshot: snapshot(below: 50))
        }
    }

    private static let long = String(repeating: "{\"name\":\"coffee\"},", count: 1000)

    @Test("long bodies are compressed once; every level gives the same bytes and tag")
    func compressed() async throws {
        let one = self.cache()
        let first = try await self.read(one, Self.long)
        await eventually { self.redis.state.with { $0.stores } == 1 }
        let stored = self.redis.state.with { $0.values.values.first?.count ?? 0 }
        #expect(stored < 1000, "Redis has the compressed form alone")
        let second = try await self.read(self.cache(), "other")
        #expect(second.status == .l2Hit)
        for answer in [first, second, try #require(one.hit(Self.key))] {
            #expect(answer.text == Self.long && answer.etag == first.etag)
            #expect(answer.compressed == first.compressed)
            let compressed = try #require(answer.compressed)
            #expect(Gzip.inflate(compressed, length: Self.long.utf8.count) == ByteBuffer(string: Self.long))
        }
        let bytes = try #require(one.l1.stale(Self.key)).bytes
        #expect(bytes > Self.long.utf8.count + (first.compressed?.readableBytes ?? 0), "both are accounted for")
    }

    @Test("short bodies are not")
    func short() async throws {
        let answer = try await self.read(self.cache(), "{}")
        #expect(answer.compressed == nil)
    }

    @Test("a compressed body in Redis that cannot be read is a miss")
    func unreadable() async throws {
        let one = self.cache()
        _ = try await self.read(one, Self.long)
        await eventually { self.redis.state.with { $0.stores } == 1 }
        self.redis.state.with { state in
            for (name, bytes) in state.values {
                guard var value = Envelope(decoding: bytes) else { continue }
                value.inflatedLength = 5
                state.values[name] = value.encoded()
            }
        }
        let answer = try await self.read(self.cache(), "fresh")
        #expect(answer.text == "fresh" && answer.status == .missStored)
    }

    @Test("what is above the limit after compression stays out of Redis, and its lease is freed")
    func tooLarge() async throws {
        let one = self.cache { $0.valueLimit = 50 }
        _ = try await self.read(one, Self.long)
        await eventually { self.redis.state.with { $0.releases } == 1 }
        #expect(self.redis.state.with { $0.values.isEmpty && $0.leases.isEmpty })
        #expect(one.hit(Self.key) != nil)
    }

    // MARK: - Explanations

    @Test("an explanation says where an answer would come from, and changes nothing")
    func explain() async throws {
        let one = self.cache()
        var explanation = await one.explain(Self.key)
        #expect(explanation.wouldServe == .database && explanation.because == ["l1_absent", "l2_absent"])
        _ = try await self.read(one, "x")
        await eventually { self.redis.state.with { $0.stores } == 1 }
        explanation = await one.explain(Self.key)
        #expect(explanation.wouldServe == .l1 && explanation.because.isEmpty && explanation.l2.isTrusted)
        #expect(explanation.l1.isPresent && explanation.l1.snapshot == snapshot(below: 50))
        #expect(explanation.l2.isPresent && explanation.l2.doesGenerationMatch)
        #expect(explanation.lane.isUsable && explanation.lane.applied == 0 && explanation.lane.watermark == 0)
        let two = self.cache()
        explanation = await two.explain(Self.key)
        #expect(explanation.wouldServe == .l2 && explanation.because == ["l1_absent"] && explanation.l2.isTrusted)
        #expect(two.hit(Self.key) == nil, "nothing was kept")
        one.committed(tenant: 1, modules: [.products], xid: 60)
        explanation = await one.explain(Self.key)
        #expect(explanation.wouldServe == .database)
        #expect(explanation.because == ["l1_retired", "l2_misses_own_writes"])
        #expect(explanation.scope.own == [60])
        #expect(explanation.scope.recent.map(\.via) == [.own] && explanation.scope.recent.first?.xids == [60])
        self.clock.advance(by: .seconds(3))
        explanation = await one.explain(Self.key)
        #expect(explanation.because.first == "unusable_lease" && !explanation.lane.isUsable)
        #expect(explanation.because.last == "l2_untrusted_unusable")
    }

    @Test("the last 32 bumps are remembered, newest last")
    func recent() {
        let scope = Scope(tenant: 1, module: .products)
        for sequence in 1...40 as ClosedRange<Int64> { scope.bump(via: .follow, sequence: sequence, at: sequence) }
        #expect(scope.recentBumps.compactMap(\.sequence) == Array(9...40))
        #expect(scope.version.load(ordering: .relaxed) == 40)
    }

    @Test("statistics know rates, lag and holes")
    func statistics() async throws {
        let one = self.cache()
        _ = try await self.read(one, "x")
        for _ in 0..<3 { _ = one.hit(Self.key) }
        one.countHole(.gap)
        let statistics = one.stats(tenant: 1)
        #expect(statistics.isUsable && statistics.lag == 0 && statistics.holes == 1 && statistics.entries == 1)
        #expect(statistics.modules.first?.l1HitRate == 0.75 && statistics.modules.first?.l2HitRate == 0)
        #expect(statistics.bytes > 0 && statistics.isSecondLevelAvailable)
    }
}

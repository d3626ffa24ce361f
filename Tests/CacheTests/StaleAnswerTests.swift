import NIOCore
import Testing

@testable import Cache

@Suite struct StaleAnswerTests {
    private struct Broken: Error {}

    private struct Refusal: CacheFinalError {
        let isFinal = true
    }

    private static let ns = String(repeating: "a", count: 32)
    private static let relaxed = CacheKey(tenant: 1, module: .categories, key: "list")
    private static let strict = CacheKey(tenant: 1, module: .products, key: "list")

    private let clock = ManualClock()

    private func cache(_ change: (inout CacheSettings) -> Void = { _ in }) -> TenantCache {
        var settings = CacheSettings()
        change(&settings)
        let cache = TenantCache(settings: settings, clock: .manual(self.clock))
        cache.becomeUsable(clock: self.clock)
        return cache
    }

    private func fill(_ cache: TenantCache, _ key: CacheKey, below xid: UInt64 = 50) async throws {
        _ = try await cache.read(key, deadline: soon) {
            Filled(content: body("old"), snapshot: snapshot(below: xid))
        }
    }

    private func failingRead(
        _ cache: TenantCache,
        _ key: CacheKey,
        token: ConsistencyToken? = nil,
        error: any Error = Broken()
    ) async throws -> CachedAnswer {
        try await cache.read(key, token: token, deadline: soon) { throw error }
    }

    /// Another instance wrote; the log says so.
    private func retire(_ cache: TenantCache) {
        for module in ["categories", "products"] {
            cache.lane.received(.hint(ns: Self.ns, scopes: [.init(tenant: 1, module: module, xids: [])]))
        }
    }

    @Test("a RELAXED answer stands in for a failing database, and says so; a STRICT one does not")
    func relaxed() async throws {
        let cache = self.cache()
        try await self.fill(cache, Self.relaxed)
        try await self.fill(cache, Self.strict)
        self.retire(cache)
        self.clock.advance(by: .milliseconds(1500))
        let answer = try await self.failingRead(cache, Self.relaxed)
        #expect(answer.text == "old" && answer.status == .stale(ttl: -2))
        #expect(answer.status.headerValue == "stock-l1; hit; ttl=-2; detail=stale")
        await #expect(throws: Broken.self) { _ = try await self.failingRead(cache, Self.strict) }
        #expect(cache.stats(tenant: 1).modules.map(\.stale).reduce(0, +) == 1)
    }

    @Test("the lease over and the database unreachable: RELAXED answers only, though nothing was retired")
    func unreachable() async throws {
        let cache = self.cache()
        try await self.fill(cache, Self.relaxed)
        try await self.fill(cache, Self.strict)
        self.clock.advance(by: .seconds(30))
        #expect(cache.hit(Self.relaxed) == nil)
        #expect(try await self.failingRead(cache, Self.relaxed).status == .stale(ttl: -30))
        await #expect(throws: Broken.self) { _ = try await self.failingRead(cache, Self.strict) }
    }

    @Test("not for longer than the limit")
    func tooOld() async throws {
        let cache = self.cache()
        try await self.fill(cache, Self.relaxed)
        self.clock.advance(by: .seconds(60))
        #expect(try await self.failingRead(cache, Self.relaxed).status == .stale(ttl: -60))
        self.clock.advance(by: .milliseconds(1))
        await #expect(throws: Broken.self) { _ = try await self.failingRead(cache, Self.relaxed) }
    }

    @Test("not for an answer that is one, for who asks past the cache, or for who left")
    func answers() async throws {
        let cache = self.cache()
        try await self.fill(cache, Self.relaxed)
        self.retire(cache)
        await #expect(throws: Refusal.self) { _ = try await self.failingRead(cache, Self.relaxed, error: Refusal()) }
        await #expect(throws: Broken.self) {
            _ = try await cache.read(Self.relaxed, bypass: true, deadline: soon) { throw Broken() }
        }
        await #expect(throws: CancellationError.self) {
            _ = try await self.failingRead(cache, Self.relaxed, error: CancellationError())
        }
    }

    @Test("never past what the client or this instance wrote, though the log has shown it")
    func writes() async throws {
        let cache = self.cache()
        try await self.fill(cache, Self.relaxed)
        var token = ConsistencyToken(tenant: 1, namespace: Namespace.word(Self.ns))
        token.add(write: 49, modules: [.categories])
        self.retire(cache)
        #expect(try await self.failingRead(cache, Self.relaxed, token: token).text == "old")
        token.add(write: 60, modules: [.categories])
        await #expect(throws: Broken.self) { _ = try await self.failingRead(cache, Self.relaxed, token: token) }
        cache.committed(tenant: 1, modules: [.categories], xid: 70)
        cache.lane.received(
            .applied(
                ns: Self.ns,
                first: 1,
                last: 1,
                tag: 3,
                scopes: [.init(tenant: 1, module: "categories", xids: [70])]
            )
        )
        await #expect(throws: Broken.self) { _ = try await self.failingRead(cache, Self.relaxed) }
    }

    @Test("when the bulkhead refuses, and when the reader's time is over")
    func refused() async throws {
        let cache = self.cache {
            $0.instanceFills = 1
            $0.waitingFills = 0
        }
        try await self.fill(cache, Self.relaxed)
        self.retire(cache)
        let gate = Gate()
        let other = Task {
            try await cache.read(Self.strict, deadline: soon) {
                await gate.pass()
                return Filled(content: body("x"), snapshot: snapshot(below: 50))
            }
        }
        await gate.arrival(of: 1)
        #expect(try await self.failingRead(cache, Self.relaxed).text == "old")
        await gate.open()
        _ = try await other.value
        let slow = Gate()
        let deadline = ContinuousClock.now.advanced(by: .milliseconds(20))
        let answer = try await cache.read(Self.relaxed, deadline: deadline) {
            await slow.pass()
            throw Broken()
        }
        #expect(answer.text == "old")
        await slow.open()
    }

    @Test("an answer under another history is not given out")
    func otherHistory() async throws {
        let cache = self.cache()
        try await self.fill(cache, Self.relaxed)
        cache.becomeUsable(clock: self.clock, ns: String(repeating: "b", count: 32))
        await #expect(throws: Broken.self) { _ = try await self.failingRead(cache, Self.relaxed) }
    }
}

@Suite struct RefreshTests {
    private static let key = CacheKey(tenant: 1, module: .products, key: "id:1")

    private let clock = ManualClock()

    private func usable(_ cache: TenantCache) { cache.becomeUsable(clock: self.clock) }

    @Test("a hit in the last tenth of a life starts one fill in the background, and is answered at once")
    func refreshes() async throws {
        let cache = TenantCache(settings: CacheSettings(), clock: .manual(self.clock))
        self.usable(cache)
        let fills = Mutexed(0)
        let gate = Gate()
        let fill: @Sendable () async throws -> Filled = {
            let number = fills.with { fills in
                fills += 1
                return fills
            }
            if number > 1 { await gate.pass() }
            return Filled(content: body("\(number)"), snapshot: snapshot(below: 50))
        }
        _ = try await cache.read(Self.key, deadline: soon, fill: fill)
        let stored = try #require(cache.l1.stale(Self.key))
        self.clock.advance(by: .nanoseconds(stored.refreshAt - self.clock.now - 200_000_000))
        self.usable(cache)
        #expect(cache.hit(Self.key)?.wantsRefresh == true)
        for _ in 0..<10 {
            #expect(try await cache.read(Self.key, deadline: soon, fill: fill).status == .l1Hit)
        }
        await gate.arrival(of: 1)
        await gate.open()
        await eventually { cache.hit(Self.key)?.text == "2" }
        #expect(fills.with { $0 } == 2)
        #expect(cache.hit(Self.key)?.wantsRefresh == false)
    }

    @Test("no sooner, and never for what is not there or lives for a few leases")
    func never() async throws {
        let cache = TenantCache(settings: CacheSettings(), clock: .manual(self.clock))
        self.usable(cache)
        _ = try await cache.read(Self.key, deadline: soon) {
            Filled(content: body("x"), snapshot: snapshot(below: 50))
        }
        #expect(cache.hit(Self.key)?.wantsRefresh == false)
        cache.refresh(Self.key, deadline: soon) {
            Issue.record("refreshed too soon")
            throw CancellationError()
        }
        for (key, content, lifetime) in [
            ("absent", CacheContent.absent, nil), ("short", body("x"), .seconds(9)),
        ] as [(String, CacheContent, Duration?)] {
            let key = CacheKey(tenant: 1, module: .products, key: key)
            _ = try await cache.read(key, deadline: soon) {
                Filled(content: content, snapshot: snapshot(below: 50), lifetime: lifetime)
            }
            #expect(cache.l1.stale(key)?.refreshAt == .max)
        }
    }
}

import NIOCore
import Testing

@testable import Cache

/// Several instances over one Redis, and readers that come and go.
@Suite struct SharedFillTests {
    private static let key = CacheKey(tenant: 1, module: .products, key: "id:1")
    private static let ns = String(repeating: "a", count: 32)

    private let clock = ManualClock()
    private let redis = FakeRedis()

    private func cache(_ instance: String = "one", _ change: (inout CacheSettings) -> Void = { _ in }) -> TenantCache {
        self.redis.state.with {
            $0.watermark = "\(Self.ns) 0 7"
            $0.alive = "\(Self.ns) run1 4"
        }
        var settings = CacheSettings()
        settings.pollInterval = .milliseconds(1)...(.milliseconds(2))
        change(&settings)
        let cache = TenantCache(
            settings: settings,
            secondLevel: self.redis,
            instance: instance,
            clock: .manual(self.clock)
        )
        cache.becomeUsable(clock: self.clock)
        return cache
    }

    private func read(
        _ cache: TenantCache,
        _ text: String,
        below xid: UInt64 = 50,
        token: ConsistencyToken? = nil,
        until deadline: ContinuousClock.Instant = soon,
        gate: Gate? = nil
    ) async throws -> CachedAnswer {
        try await cache.read(Self.key, token: token, deadline: deadline) {
            await gate?.pass()
            return Filled(content: body(text), snapshot: snapshot(below: xid))
        }
    }

    @Test("instances wait for the one that fills, and take its value from Redis")
    func oneFill() async throws {
        let gate = Gate()
        let one = self.cache("one")
        let two = self.cache("two")
        let first = Task { try await self.read(one, "one", gate: gate) }
        await gate.arrival(of: 1)
        let second = Task { try await self.read(two, "two") }
        await eventually { self.redis.state.with { $0.polls } > 2 }
        await gate.open()
        #expect(try await first.value.text == "one")
        let answer = try await second.value
        #expect(answer.text == "one" && answer.status == .l2Hit)
        #expect(self.redis.state.with { $0.leases.isEmpty })
        #expect(self.redis.state.with { $0.stores } == 1)
    }

    @Test("the lease of an instance that is gone is taken over")
    func steal() async throws {
        let gate = Gate()
        let one = self.cache("one")
        let two = self.cache("two")
        let first = Task { try await self.read(one, "one", gate: gate) }
        await gate.arrival(of: 1)
        self.redis.state.with { _ = $0.gone.insert("one") }
        let answer = try await self.read(two, "two")
        #expect(answer.text == "two")
        #expect(self.redis.state.with { $0.steals } == 1)
        await gate.open()
        #expect(try await first.value.text == "one")
    }

    @Test("who waited a second fills without a lease")
    func waitsNoLonger() async throws {
        let gate = Gate()
        let one = self.cache("one")
        let two = self.cache("two")
        let first = Task { try await self.read(one, "one", gate: gate) }
        await gate.arrival(of: 1)
        let clock = self.clock
        self.redis.state.with { $0.onPoll = { clock.advance(by: .milliseconds(300)) } }
        // The lease on serving ends meanwhile, as nobody probes: the wait ends with a fill either way.
        #expect(try await self.read(two, "two").text == "two")
        await gate.open()
        _ = try await first.value
    }

    @Test("a failed fill gives its lease back at once")
    func released() async throws {
        struct Broken: Error {}
        let one = self.cache("one")
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        self.redis.state.with { $0.onRelease = { continuation.yield() } }
        await #expect(throws: Broken.self) {
            _ = try await one.read(Self.key, deadline: soon) { throw Broken() }
        }
        for await _ in stream { break }
        #expect(self.redis.state.with { $0.leases.isEmpty && $0.releases == 1 })
    }

    @Test("that there is no such thing stays in memory, for 15 s, and creating it ends that at once")
    func negative() async throws {
        let one = self.cache("one")
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        self.redis.state.with { $0.onRelease = { continuation.yield() } }
        _ = try await one.read(Self.key, deadline: soon) {
            Filled(content: .absent, snapshot: snapshot(below: 50))
        }
        for await _ in stream { break }
        #expect(self.redis.state.with { $0.values.isEmpty && $0.leases.isEmpty })
        #expect(one.hit(Self.key)?.isAbsent == true)
        one.committed(tenant: 1, modules: [.products], xid: 60)
        #expect(one.hit(Self.key) == nil)
        #expect(try await self.read(one, "created", below: 61).text == "created")
        let other = CacheKey(tenant: 1, module: .products, key: "id:2")
        _ = try await one.read(other, deadline: soon) {
            Filled(content: .absent, snapshot: snapshot(below: 70))
        }
        #expect(one.l1.lookup(other, now: self.clock.now + 13_000_000_000) != nil)
        #expect(one.l1.lookup(other, now: self.clock.now + 15_000_000_000) == nil)
    }

    // MARK: - Readers

    @Test("a joiner waits until its own deadline, and the flight goes on")
    func ownDeadline() async throws {
        let gate = Gate()
        let one = self.cache()
        let first = Task { try await self.read(one, "one", gate: gate) }
        await gate.arrival(of: 1)
        await #expect(throws: CacheOverload.late) {
            _ = try await self.read(one, "two", until: .now.advanced(by: .milliseconds(5)))
        }
        await gate.open()
        #expect(try await first.value.text == "one")
    }

    @Test("a cancelled reader leaves, whether it leads or joins, and the others get their answer")
    func cancelled() async throws {
        let gate = Gate()
        let one = self.cache()
        let leader = Task { try await self.read(one, "one", gate: gate) }
        await gate.arrival(of: 1)
        let joiners = (0..<4).map { _ in Task { try await self.read(one, "two") } }
        joiners[0].cancel()
        leader.cancel()
        await #expect(throws: CancellationError.self) { _ = try await leader.value }
        await #expect(throws: CancellationError.self) { _ = try await joiners[0].value }
        await gate.open()
        for joiner in joiners.dropFirst() { #expect(try await joiner.value.text != nil) }
        #expect(one.hit(Self.key)?.text == "one")
    }

    @Test("a joiner with more time than the leader fills itself when the leader's time is over")
    func moreTime() async throws {
        let gate = Gate()
        let one = self.cache()
        let deadline = ContinuousClock.now.advanced(by: .milliseconds(100))
        let hasBegun = Mutexed(false)
        let leader = Task {
            try await one.read(Self.key, deadline: deadline) {
                hasBegun.with { $0 = true }
                await gate.pass()
                throw CacheOverload.late
            }
        }
        // On a busy machine the leader's time may be over before its fill begins; then there is nothing to join.
        await eventually { hasBegun.with { $0 } || ContinuousClock.now >= deadline }
        let joiner = Task { try await self.read(one, "two") }
        await #expect(throws: CacheOverload.late) { _ = try await leader.value }
        await gate.open()
        #expect(try await joiner.value.text == "two")
    }

    // MARK: - Tokens

    @Test("no level answers a client from before what it wrote")
    func tokens() async throws {
        let one = self.cache("one")
        let two = self.cache("two")
        _ = try await self.read(one, "old", below: 50)
        await eventually { self.redis.state.with { $0.stores } == 1 }
        var token = ConsistencyToken(tenant: 1, namespace: Namespace.word(Self.ns))
        token.add(write: 60, modules: [.products])
        #expect(one.hit(Self.key) != nil && one.hit(Self.key, token: token) == nil)
        #expect(try await self.read(one, "new", below: 61, token: token).text == "new")
        #expect(one.hit(Self.key, token: token)?.text == "new")
        await eventually { self.redis.state.with { $0.stores } == 2 }
        self.redis.state.with { _ = $0.fresh("1:products") }
        _ = try await self.read(two, "older", below: 55)
        #expect(try await self.read(two, "newer", below: 62, token: token).text == "newer")
        #expect(one.stats(tenant: 1).modules.first?.tokenMisses ?? 0 > 0)
    }

    @Test("a flight that does not see what a joiner wrote is not its answer")
    func joinedToken() async throws {
        let gate = Gate()
        let one = self.cache()
        let first = Task { try await self.read(one, "old", gate: gate) }
        await gate.arrival(of: 1)
        var token = ConsistencyToken(tenant: 1, namespace: Namespace.word(Self.ns))
        token.add(write: 60, modules: [.products])
        let second = Task { [token] in try await self.read(one, "new", below: 61, token: token) }
        await gate.open()
        #expect(try await second.value.text == "new")
        #expect(try await first.value.text == "old")
    }

    @Test("a token of another namespace is answered by the database, which keeps nothing")
    func foreignToken() async throws {
        let one = self.cache()
        _ = try await self.read(one, "old")
        var token = ConsistencyToken(tenant: 1, namespace: 99)
        token.add(write: 3, modules: [.sales])
        #expect(one.hit(Self.key, token: token) == nil)
        let answer = try await self.read(one, "fresh", token: token)
        #expect(answer.text == "fresh" && answer.status == .bypass)
        #expect(one.hit(Self.key)?.text == "old")
        let next = one.token(token, read: answer)
        let read = try #require(ConsistencyToken(parsing: next, tenant: 1))
        #expect(!read.isForeign(to: Self.ns))
        #expect(!read.isSatisfied(by: snapshot(below: 49), module: .sales))
    }

    @Test("guards left out are seen through")
    func defects() async throws {
        var token = ConsistencyToken(tenant: 1, namespace: Namespace.word(Self.ns))
        token.add(write: 60, modules: [.products])
        let blind = self.cache("blind") { $0.defects = Defects([.noTokenCheck]) }
        _ = try await self.read(blind, "old")
        #expect(blind.hit(Self.key, token: token)?.text == "old")
        let endless = self.cache("endless") { $0.defects = Defects([.noLease]) }
        _ = try await self.read(endless, "old")
        self.clock.advance(by: .seconds(5))
        #expect(endless.hit(Self.key) != nil)
        let late = self.cache("late") { $0.defects = Defects([.noScopeCapture]) }
        let key = CacheKey(tenant: 1, module: .products, key: "id:9")
        _ = try await late.read(key, deadline: soon) {
            late.lane.received(
                .hint(ns: Self.ns, scopes: [.init(tenant: 1, module: "products", xids: [])])
            )
            return Filled(content: body("old"), snapshot: snapshot(below: 50))
        }
        #expect(late.hit(key)?.text == "old")
    }
}

import NIOCore
import Testing

@testable import Cache

@Suite struct TenantCacheTests {
    private static let key = CacheKey(tenant: 1, module: .products, key: "id:1")
    private static let ns = String(repeating: "a", count: 32)

    private let clock = ManualClock()
    private let redis = FakeRedis()

    private func cache(_ change: (inout CacheSettings) -> Void = { _ in }) -> TenantCache {
        var settings = CacheSettings()
        change(&settings)
        return TenantCache(settings: settings, clock: .manual(self.clock))
    }

    private func sharedCache() -> TenantCache {
        self.redis.state.with {
            $0.watermark = "\(Self.ns) 0 7"
            $0.alive = "\(Self.ns) run1 4"
        }
        return TenantCache(settings: CacheSettings(), secondLevel: self.redis, clock: .manual(self.clock))
    }

    private func read(
        _ cache: TenantCache,
        _ text: String,
        below xid: UInt64 = 50,
        bypass: Bool = false
    ) async throws
        -> CachedAnswer
    {
        try await cache.read(Self.key, bypass: bypass, deadline: soon) {
            Filled(content: body(text), snapshot: snapshot(below: xid))
        }
    }

    @Test("the second read is a hit with the same bytes and tag")
    func hit() async throws {
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        let first = try await self.read(cache, "one")
        let second = try await self.read(cache, "two")
        #expect(first.status == .missStored)
        #expect(second.status == .l1Hit)
        #expect(second.text == "one" && second.etag == first.etag && !first.etag.isEmpty)
        #expect(cache.hit(Self.key) != nil)
        #expect(cache.stats(tenant: 1).modules.first?.l1Hits == 2)
    }

    @Test("a cache that nobody keeps up to date serves nothing from memory")
    func notUsable() async throws {
        let cache = self.cache()
        _ = try await self.read(cache, "one")
        let second = try await self.read(cache, "two")
        #expect(second.text == "two")
        #expect(cache.hit(Self.key) == nil)
        #expect(cache.health().reasons == ["unusable"])
    }

    @Test("a stopped process wakes with its lease over, and serves again after probes")
    func stopped() async throws {
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        _ = try await self.read(cache, "one")
        self.clock.advance(by: .seconds(5))
        #expect(cache.hit(Self.key) == nil)
        let start = cache.lane.probeBegins(at: self.clock.now)
        let row = LogRow(sequence: 0, tag: 7, tenant: nil, module: "", xids: [])
        cache.lane.probeEnded(start, FollowAnswer(ns: Self.ns, head: 0, drains: 90, rows: [row], xmin: 10))
        #expect(cache.hit(Self.key) == nil, "the drains may all have ended before the probe")
        self.clock.advance(by: .milliseconds(100))
        let again = cache.lane.probeBegins(at: self.clock.now)
        cache.lane.probeEnded(again, FollowAnswer(ns: Self.ns, head: 0, drains: 92, rows: [row], xmin: 10))
        #expect(cache.hit(Self.key) != nil)
    }

    @Test("a write retires the scope at once, and no other")
    func committed() async throws {
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        _ = try await self.read(cache, "one")
        let other = CacheKey(tenant: 2, module: .products, key: "id:1")
        _ = try await cache.read(other, deadline: soon) {
            Filled(content: body("other"), snapshot: snapshot(below: 50))
        }
        cache.committed(tenant: 1, modules: [.products], xid: 60)
        #expect(cache.hit(Self.key) == nil)
        #expect(cache.hit(other) != nil)
        let again = try await self.read(cache, "two", below: 61)
        #expect(again.text == "two")
        #expect(cache.commits.takeAll() == [CommittedWrite(tenant: 1, modules: [.products], xid: 60)])
    }

    @Test("an answer read while its scope was retired is given to its reader and not kept")
    func retiredMeanwhile() async throws {
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        let answer = try await cache.read(Self.key, deadline: soon) {
            cache.committed(tenant: 1, modules: [.products], xid: 60)
            return Filled(content: body("old"), snapshot: snapshot(below: 50))
        }
        #expect(answer.status == .miss && answer.text == "old")
        #expect(cache.hit(Self.key) == nil)
        #expect(cache.stats(tenant: 1).modules.first?.refusedStores == 1)
    }

    @Test("readers of one version share a fill, a reader after a write does not join")
    func flights() async throws {
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        let gate = Gate()
        let fills = Mutexed(0)
        let readers = (0..<16).map { _ in
            Task {
                try await cache.read(Self.key, deadline: soon) {
                    fills.with { $0 += 1 }
                    await gate.pass()
                    return Filled(content: body("old"), snapshot: snapshot(below: 50))
                }
            }
        }
        await gate.arrival(of: 1)
        cache.committed(tenant: 1, modules: [.products], xid: 60)
        let late = try await cache.read(Self.key, deadline: soon) {
            Filled(content: body("new"), snapshot: snapshot(below: 61))
        }
        #expect(late.text == "new")
        await gate.open()
        var texts: Set<String> = []
        for reader in readers { texts.insert(try await reader.value.text ?? "") }
        #expect(texts.isSubset(of: ["old", "new"]))
        #expect(fills.with { $0 } <= 2)
        #expect(cache.hit(Self.key)?.text == "new")
    }

    @Test("a reader that comes just as a flight lands finds its answer, and computes nothing")
    func landing() async throws {
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        let fills = Mutexed(0)
        for number in 0..<5_000 {
            let key = CacheKey(tenant: 1, module: .products, key: "id:\(number)")
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        _ = try await cache.read(key, deadline: soon) {
                            fills.with { $0 += 1 }
                            return Filled(content: body("one"), snapshot: snapshot(below: 50))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(fills.with { $0 } == 5_000)
    }

    @Test("a flight that began a lease ago is not joined")
    func oldFlight() async throws {
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        let gate = Gate()
        let first = Task {
            try await cache.read(Self.key, deadline: soon) {
                await gate.pass()
                return Filled(content: body("old"), snapshot: snapshot(below: 50))
            }
        }
        await gate.arrival(of: 1)
        self.clock.advance(by: .seconds(1))
        let second = try await self.read(cache, "new")
        #expect(second.text == "new")
        await gate.open()
        _ = try await first.value
    }

    @Test("an error reaches every reader of the flight and is not kept")
    func errors() async throws {
        struct Broken: Error {}
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        await #expect(throws: Broken.self) {
            _ = try await cache.read(Self.key, deadline: soon) { throw Broken() }
        }
        #expect(try await self.read(cache, "one").text == "one")
    }

    @Test("no such thing is kept shortly, and a write retires it")
    func absent() async throws {
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        let answer = try await cache.read(Self.key, deadline: soon) {
            Filled(content: .absent, snapshot: snapshot(below: 50))
        }
        #expect(answer.isAbsent && answer.etag.isEmpty)
        #expect(cache.hit(Self.key)?.isAbsent == true)
        cache.committed(tenant: 1, modules: [.products], xid: 60)
        #expect(cache.hit(Self.key) == nil)
    }

    @Test("asking past the cache and switching it off read the database and keep nothing")
    func bypass() async throws {
        let cache = self.cache()
        cache.becomeUsable(clock: self.clock)
        #expect(try await self.read(cache, "one", bypass: true).status == .bypass)
        #expect(cache.hit(Self.key) == nil)
        let off = self.cache { $0.isEnabled = false }
        off.becomeUsable(clock: self.clock)
        #expect(try await self.read(off, "one").status == .bypass)
        #expect(try await self.read(off, "two").text == "two")
    }

    @Test("a value computed by one instance is a hit in Redis for the other")
    func shared() async throws {
        let one = self.sharedCache()
        let two = self.sharedCache()
        one.becomeUsable(clock: self.clock)
        two.becomeUsable(clock: self.clock)
        let first = try await self.readAndStore(one, "one")
        let second = try await self.read(two, "two")
        #expect(second.status == .l2Hit)
        #expect(second.text == "one" && second.etag == first.etag)
        #expect(two.hit(Self.key)?.text == "one")
    }

    /// Reads and waits until Redis has been given the value or has refused it.
    private func readAndStore(_ cache: TenantCache, _ text: String) async throws -> CachedAnswer {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        self.redis.state.with { $0.onStore = { continuation.yield() } }
        let answer = try await self.read(cache, text)
        for await _ in stream { break }
        self.redis.state.with { $0.onStore = nil }
        return answer
    }

    @Test("a value filled before a bump is refused by Redis")
    func refused() async throws {
        let cache = self.sharedCache()
        cache.becomeUsable(clock: self.clock)
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        self.redis.state.with { $0.onStore = { continuation.yield() } }
        let redis = self.redis
        _ = try await cache.read(Self.key, deadline: soon) {
            redis.bump(1, .products)
            return Filled(content: body("old"), snapshot: snapshot(below: 50))
        }
        for await _ in stream { break }
        #expect(self.redis.state.with { $0.refusals } == 1)
        #expect(self.redis.state.with { $0.values.isEmpty })
    }

    @Test("a Redis that is behind, empty, or another server is not believed")
    func untrusted() async throws {
        let one = self.sharedCache()
        one.becomeUsable(clock: self.clock)
        _ = try await self.readAndStore(one, "one")
        let faults: [@Sendable (inout FakeRedis.State) -> Void] = [
            { $0.watermark = nil }, { $0.watermark = "\(Self.ns) -1 7" }, { $0.alive = nil }, { $0.runID = "run2" },
            { $0.watermark = String(repeating: "b", count: 32) + " 0 7" }, { $0.isAvailable = false },
        ]
        for fault in faults {
            let before = self.redis.state.with { $0 }
            self.redis.state.with { fault(&$0) }
            let two = TenantCache(settings: CacheSettings(), secondLevel: self.redis, clock: .manual(self.clock))
            two.becomeUsable(clock: self.clock)
            let answer = try await self.read(two, "two")
            #expect(answer.text == "two")
            self.redis.state.with { $0 = before }
        }
    }

    @Test("a value of an older generation, of another key, or garbled is a miss")
    func mismatched() async throws {
        let one = self.sharedCache()
        one.becomeUsable(clock: self.clock)
        _ = try await self.readAndStore(one, "one")
        let faults: [@Sendable (inout FakeRedis.State) -> Void] = [
            { _ = $0.fresh("1:products") },
            { $0.values["1:products:id:2"] = $0.values["1:products:id:1"] },
            { $0.values["1:products:id:1"]?.removeLast() },
        ]
        for (index, fault) in faults.enumerated() {
            let before = self.redis.state.with { $0 }
            self.redis.state.with { fault(&$0) }
            let two = TenantCache(settings: CacheSettings(), secondLevel: self.redis, clock: .manual(self.clock))
            two.becomeUsable(clock: self.clock)
            let key = index == 1 ? CacheKey(tenant: 1, module: .products, key: "id:2") : Self.key
            let answer = try await two.read(key, deadline: soon) {
                Filled(content: body("two"), snapshot: snapshot(below: 50))
            }
            #expect(answer.text == "two", "fault \(index)")
            self.redis.state.with { $0 = before }
        }
    }

    @Test("the writer does not take from Redis a value that misses its write")
    func ownWrites() async throws {
        let one = self.sharedCache()
        let two = self.sharedCache()
        one.becomeUsable(clock: self.clock)
        two.becomeUsable(clock: self.clock)
        _ = try await self.readAndStore(one, "old")
        // Committed on the second instance; its bump of Redis was lost.
        two.committed(tenant: 1, modules: [.products], xid: 60)
        let answer = try await self.read(two, "new", below: 61)
        #expect(answer.text == "new")
        // Once the log has shown the write, the watermark answers for it.
        two.lane.received(
            .applied(
                ns: Self.ns,
                first: 1,
                last: 1,
                tag: 3,
                scopes: [.init(tenant: 1, module: "products", xids: [60])]
            )
        )
        #expect(try await self.read(two, "newer", below: 61).text == "newer", "Redis is behind the log")
    }

    @Test("a bump between look-up and fill keeps the value out of memory")
    func bumpedAfterLook() async throws {
        let one = self.sharedCache()
        let two = self.sharedCache()
        one.becomeUsable(clock: self.clock)
        two.becomeUsable(clock: self.clock)
        _ = try await self.readAndStore(one, "old")
        let lane = two.lane
        self.redis.state.with { state in
            state.afterLook = {
                lane.received(
                    .applied(
                        ns: Self.ns,
                        first: 1,
                        last: 1,
                        tag: 3,
                        scopes: [.init(tenant: 1, module: "products", xids: [60])]
                    )
                )
            }
        }
        let answer = try await self.read(two, "new", below: 61)
        #expect(answer.text == "new", "the answer came from a Redis that has not had the bump")
    }

    @Test("identity stays in memory")
    func identity() async throws {
        let cache = self.sharedCache()
        cache.becomeUsable(clock: self.clock)
        let key = CacheKey(tenant: 1, module: .identity, key: "id:1")
        _ = try await cache.read(key, deadline: soon) {
            Filled(content: body("x"), snapshot: snapshot(below: 50))
        }
        #expect(cache.hit(key) != nil)
        #expect(self.redis.state.with { $0.looks } == 0)
    }

    @Test("many tasks read and write at once, and memory stays in its bounds")
    func concurrency() async throws {
        let cache = self.cache { $0.l1Bytes = 256 * 1024 }
        cache.becomeUsable(clock: self.clock)
        let revisions = (0..<4).map { _ in Mutexed(UInt64(100)) }
        await withTaskGroup { group in
            for task in 0..<8 {
                group.addTask {
                    var generator = Seeded(UInt64(task))
                    for _ in 0..<2000 {
                        let tenant = Int.random(in: 0..<4, using: &generator)
                        let revision = revisions[tenant]
                        if Int.random(in: 0..<20, using: &generator) == 0 {
                            let xid = revision.with { revision in
                                revision += 1
                                return revision
                            }
                            cache.committed(tenant: Int64(tenant), modules: [.products], xid: xid)
                            continue
                        }
                        let number = Int.random(in: 0..<200, using: &generator)
                        let key = CacheKey(tenant: Int64(tenant), module: .products, key: "id:\(number)")
                        _ = try? await cache.read(key, deadline: soon) {
                            let seen = revision.with { $0 }
                            return Filled(
                                content: .body(ByteBuffer(repeating: 1, count: number * 10), etag: nil),
                                snapshot: snapshot(below: seen + 1)
                            )
                        }
                    }
                }
            }
        }
        #expect(cache.health().l1Bytes <= 256 * 1024)
        #expect(cache.health().l1Bytes > 0)
    }

    @Test("settings under which the protocol does not hold are refused")
    func settings() {
        #expect(throws: Never.self) { try CacheSettings().validate() }
        var short = CacheSettings()
        short.lease = .milliseconds(400)
        #expect(throws: CacheSettingsError.self) { try short.validate() }
    }
}

@Suite struct DoorbellTests {
    @Test("a ring before the wait is kept")
    func early() async {
        let bell = Doorbell()
        bell.ring()
        bell.ring()
        #expect(await bell.wait(atMost: nil))
        #expect(await bell.wait(atMost: .milliseconds(1)) == false)
    }

    @Test("a ring wakes the waiting task")
    func wakes() async {
        let bell = Doorbell()
        let waiting = Task { await bell.wait(atMost: .seconds(30)) }
        bell.ring()
        #expect(await waiting.value)
    }

    @Test("cancellation ends the wait")
    func cancelled() async {
        let bell = Doorbell()
        let waiting = Task { await bell.wait(atMost: nil) }
        waiting.cancel()
        #expect(await waiting.value == false)
    }
}

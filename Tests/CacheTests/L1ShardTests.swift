import NIOCore
import Synchronization
import Testing

@testable import Cache

@Suite struct L1ShardTests {
    private static func answer(_ scope: Scope, bytes: Int = 100, expiresAt: Int64 = .max) -> StoredAnswer {
        StoredAnswer(
            content: .body(ByteBuffer(repeating: 0, count: bytes), etag: nil),
            etag: "\"x\"",
            snapshot: snapshot(below: 1),
            scope: scope,
            version: scope.version.load(ordering: .relaxed),
            expiresAt: expiresAt
        )
    }

    private static func key(_ number: Int, tenant: Int64 = 1) -> CacheKey {
        CacheKey(tenant: tenant, module: .products, key: "id:\(number)")
    }

    private static func isHit(_ shard: inout L1Shard, _ number: Int, at now: Int64 = 0) -> Bool {
        shard.lookup(Self.key(number), now: now) != nil
    }

    @Test("an answer is found until its scope is bumped")
    func versions() {
        let scope = Scope(tenant: 1, module: .products)
        var shard = L1Shard(capacity: 100_000)
        let isKept = shard.insert(Self.key(1), Self.answer(scope))
        #expect(isKept)
        let isHit1 = Self.isHit(&shard, 1)
        #expect(isHit1)
        scope.bump()
        let isHit2 = Self.isHit(&shard, 1)
        #expect(!isHit2)
        #expect(scope.counters.entries.load(ordering: .relaxed) == 0)
    }

    @Test("an answer dies at its expiry")
    func expiry() {
        let scope = Scope(tenant: 1, module: .products)
        var shard = L1Shard(capacity: 100_000)
        _ = shard.insert(Self.key(1), Self.answer(scope, expiresAt: 100))
        let isHit3 = Self.isHit(&shard, 1, at: 99)
        #expect(isHit3)
        let isHit4 = Self.isHit(&shard, 1, at: 100)
        #expect(!isHit4)
    }

    @Test("bytes stay within the capacity through a million random operations")
    func bounds() {
        var random = SystemRandomNumberGenerator()
        let seed = random.next()
        var generator = Seeded(seed)
        let scopes = (0..<4).map { Scope(tenant: Int64($0), module: .products) }
        var shard = L1Shard(capacity: 200_000)
        for _ in 0..<200_000 {
            let tenant = Int.random(in: 0..<4, using: &generator)
            let key = Self.key(Int.random(in: 0..<3000, using: &generator), tenant: Int64(tenant))
            switch Int.random(in: 0..<20, using: &generator) {
            case 0: scopes[tenant].bump()
            case 1: shard.remove(key)
            case 2..<10: _ = shard.lookup(key, now: 0)
            default:
                let bytes = Int.random(in: 0..<2000, using: &generator)
                _ = shard.insert(key, Self.answer(scopes[tenant], bytes: bytes))
            }
            if shard.bytes > 200_000 || shard.bytes < 0 {
                Issue.record("\(shard.bytes) bytes with seed \(seed)")
                return
            }
        }
        shard.removeAll()
        #expect(shard.bytes == 0 && shard.count == 0)
        for scope in scopes {
            #expect(scope.counters.entries.load(ordering: .relaxed) == 0)
            #expect(scope.counters.bytes.load(ordering: .relaxed) == 0)
        }
    }

    @Test("a scan leaves in place what is used")
    func scan() {
        let scope = Scope(tenant: 1, module: .products)
        var shard = L1Shard(capacity: 100_000)
        let used = (0..<50).map { Self.key($0) }
        for key in used { _ = shard.insert(key, Self.answer(scope)) }
        for key in used { _ = shard.lookup(key, now: 0) }
        for number in 1000..<20_000 {
            _ = shard.insert(Self.key(number), Self.answer(scope))
            if number % 100 == 0 { for key in used { _ = shard.lookup(key, now: 0) } }
        }
        var left = 0
        for key in used where shard.lookup(key, now: 0) != nil { left += 1 }
        #expect(left == used.count)
    }

    @Test("what returns soon after leaving goes to the main queue")
    func ghosts() {
        let scope = Scope(tenant: 1, module: .products)
        var shard = L1Shard(capacity: 20_000)
        _ = shard.insert(Self.key(0), Self.answer(scope))
        // Pushed out of the small queue without ever having been asked for.
        for number in 1..<60 { _ = shard.insert(Self.key(number), Self.answer(scope)) }
        let isHit5 = Self.isHit(&shard, 0)
        #expect(!isHit5)
        _ = shard.insert(Self.key(0), Self.answer(scope))
        // A scan as long as the whole shard passes through the small queue and leaves the main one alone.
        for number in 60..<80 { _ = shard.insert(Self.key(number), Self.answer(scope)) }
        let isHit6 = Self.isHit(&shard, 0)
        #expect(isHit6)
    }

    @Test("a flooding tenant evicts its own")
    func fairness() {
        let quiet = Scope(tenant: 1, module: .products)
        let loud = Scope(tenant: 2, module: .products)
        var shard = L1Shard(capacity: 100_000)
        for number in 0..<40 { _ = shard.insert(Self.key(number, tenant: 1), Self.answer(quiet)) }
        for number in 0..<10_000 { _ = shard.insert(Self.key(number, tenant: 2), Self.answer(loud)) }
        var left = 0
        for number in 0..<40 where shard.lookup(Self.key(number, tenant: 1), now: 0) != nil { left += 1 }
        #expect(left >= 36)
    }

    @Test("what is larger than a quarter of the shard is not kept, and replaces nothing")
    func large() {
        let scope = Scope(tenant: 1, module: .products)
        var shard = L1Shard(capacity: 10_000)
        _ = shard.insert(Self.key(1), Self.answer(scope))
        let isKept = shard.insert(Self.key(1), Self.answer(scope, bytes: 5000))
        #expect(!isKept)
        let isHit7 = Self.isHit(&shard, 1)
        #expect(!isHit7)
    }
}

/// A generator with a given seed.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        self.state = seed
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

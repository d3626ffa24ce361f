import NIOCore
import Testing

@testable import Cache

/// A snapshot that saw everything below a transaction id.
func snapshot(below xid: UInt64) -> Snapshot {
    Snapshot(xmin: xid, xmax: xid, xip: [])
}

extension TenantCache {
    /// Feeds the lane probes as a database with a ticking relay would answer them, until the cache may be used.
    func becomeUsable(clock: ManualClock, head: Int64 = 0, ns: String = String(repeating: "a", count: 32)) {
        for drains in [0, 2, 4] as [Int64] {
            let start = self.lane.probeBegins(at: clock.now)
            self.lane.probeEnded(
                start,
                FollowAnswer(
                    ns: ns,
                    head: head,
                    drains: drains,
                    rows: [LogRow(sequence: head, tag: 7, tenant: nil, module: "", xids: [])],
                    xmin: 10
                )
            )
            clock.advance(by: .milliseconds(100))
        }
    }
}

/// A body of a text.
func body(_ text: String) -> CacheContent {
    .body(ByteBuffer(string: text), etag: nil)
}

extension CachedAnswer {
    /// The body as text.
    var text: String? { self.body.map { String(buffer: $0) } }
}

/// Far enough away for everything a test does.
var soon: ContinuousClock.Instant { .now.advanced(by: .seconds(300)) }

/// Redis without Redis: the same scripts' meaning over a dictionary, with faults on demand.
final class FakeRedis: SecondLevel {
    struct State {
        var isAvailable = true
        var watermark: String?
        var alive: String?
        var generations: [String: [UInt8]] = [:]
        var values: [String: [UInt8]] = [:]
        var runID: String? = "run1"
        var looks = 0
        var stores = 0
        var refusals = 0
        var counter = 0
        var afterLook: (@Sendable () -> Void)?
        var onStore: (@Sendable () -> Void)?
    }

    let state: Mutexed<State> = Mutexed(State())

    var isAvailable: Bool { self.state.with { $0.isAvailable } }

    private func scope(_ tenant: Int64, _ module: Module) -> String { "\(tenant):\(module.rawValue)" }
    private func name(_ key: CacheKey) -> String { "\(self.scope(key.tenant, key.module)):\(key.key)" }

    func look(_ key: CacheKey) async -> SecondLevelAnswer? {
        let (answer, after) = self.state.with { state in
            state.looks += 1
            return (
                SecondLevelAnswer(
                    watermark: state.watermark.map { Array($0.utf8) },
                    alive: state.alive.map { Array($0.utf8) },
                    generation: state.generations[self.scope(key.tenant, key.module)],
                    value: state.values[self.name(key)],
                    runID: state.runID
                ), state.afterLook
            )
        }
        after?()
        return answer
    }

    func lease(_ key: CacheKey, ns: String, owner: FillOwner, renews: Bool) async -> LeaseAnswer? {
        self.state.with { state in
            let scope = self.scope(key.tenant, key.module)
            let generation = state.generations[scope] ?? state.fresh(scope)
            return .fill(generation: generation)
        }
    }

    func poll(_ key: CacheKey, lease: [UInt8]) async -> PollAnswer? { nil }
    func steal(_ key: CacheKey, seen: [UInt8], generation: [UInt8], owner: FillOwner) async -> Bool? { nil }
    func release(_ key: CacheKey, generation: [UInt8], owner: FillOwner) async {}
    func timeToLive(_ key: CacheKey) async -> Duration? { nil }
    func beat(instance: String) async {}

    func store(
        _ key: CacheKey,
        value: [UInt8],
        generation: [UInt8],
        owner: FillOwner?,
        lifetime: Duration
    ) async -> Bool? {
        let (isStored, hook) = self.state.with { state in
            guard state.generations[self.scope(key.tenant, key.module)] == generation else {
                state.refusals += 1
                return (false, state.onStore)
            }
            state.values[self.name(key)] = value
            state.stores += 1
            return (true, state.onStore)
        }
        hook?()
        return isStored
    }

    func unlink(_ key: CacheKey) async {
        self.state.with { $0.values[self.name(key)] = nil }
    }

    func bump(_ writes: [CommittedWrite], ns: String) async {
        for write in writes { for module in write.modules { self.bump(write.tenant, module) } }
    }

    func bump(_ tenant: Int64, _ module: Module) {
        self.state.with { _ = $0.fresh(self.scope(tenant, module)) }
    }
}

extension FakeRedis.State {
    mutating func fresh(_ scope: String) -> [UInt8] {
        self.counter += 1
        let digits = String(self.counter)
        let generation = Array((String(repeating: "0", count: 32 - digits.count) + digits).utf8)
        self.generations[scope] = generation
        return generation
    }
}

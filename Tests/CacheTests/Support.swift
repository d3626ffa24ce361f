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

/// Waits until a condition holds; gives up after a time that no healthy machine takes.
func eventually(_ condition: () async -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async {
    let end = ContinuousClock.now.advanced(by: .seconds(30))
    while await !condition() {
        guard ContinuousClock.now < end else {
            Issue.record("it did not come to pass", sourceLocation: sourceLocation)
            return
        }
        await Task.yield()
    }
}

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
        var leases: [String: [UInt8]] = [:]
        /// Instances whose liveness key is gone.
        var gone: Set<String> = []
        var answersLeases = true
        var polls = 0
        var steals = 0
        var releases = 0
        var onPoll: (@Sendable () -> Void)?
        var onRelease: (@Sendable () -> Void)?
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
            guard state.answersLeases else { return nil }
            let scope = self.scope(key.tenant, key.module)
            let name = self.name(key)
            let generation = state.generations[scope] ?? state.fresh(scope)
            if !renews, let value = state.values[name].flatMap({ Envelope(decoding: $0) }),
                value.generation == generation, value.ns.elementsEqual(ns.utf8), let bytes = state.values[name]
            {
                return .hit(generation: generation, value: bytes)
            }
            if let lease = state.leases[name], lease.starts(with: generation) {
                return .wait(generation: generation, lease: lease)
            }
            state.leases[name] = generation + Array(" \(owner.text)".utf8)
            return .fill(generation: generation)
        }
    }

    func poll(_ key: CacheKey, lease: [UInt8]) async -> PollAnswer? {
        let hook = self.state.with { $0.onPoll }
        hook?()
        guard let answer = await self.look(key) else { return nil }
        return self.state.with { state in
            state.polls += 1
            let owner = lease.dropFirst(33).split(separator: UInt8(ascii: "/")).first ?? []
            return PollAnswer(
                answer: answer,
                lease: state.leases[self.name(key)],
                isOwnerAlive: !state.gone.contains(String(decoding: owner, as: UTF8.self))
            )
        }
    }

    func steal(_ key: CacheKey, seen: [UInt8], generation: [UInt8], owner: FillOwner) async -> Bool? {
        self.state.with { state in
            guard state.leases[self.name(key)] == seen else { return false }
            state.leases[self.name(key)] = generation + Array(" \(owner.text)".utf8)
            state.steals += 1
            return true
        }
    }

    func release(_ key: CacheKey, generation: [UInt8], owner: FillOwner) async {
        let hook = self.state.with { state in
            let mine = generation + Array(" \(owner.text)".utf8)
            if state.leases[self.name(key)] == mine { state.leases[self.name(key)] = nil }
            state.releases += 1
            return state.onRelease
        }
        hook?()
    }

    func timeToLive(_ key: CacheKey) async -> Duration? {
        self.state.with { $0.values[self.name(key)] == nil ? nil : .seconds(9) }
    }

    func beat(instance: String) async {}

    func store(
        _ key: CacheKey,
        value: [UInt8],
        generation: [UInt8],
        owner: FillOwner?,
        lifetime: Duration
    ) async -> Bool? {
        let (isStored, hook) = self.state.with { state in
            if let owner, state.leases[self.name(key)] == generation + Array(" \(owner.text)".utf8) {
                state.leases[self.name(key)] = nil
            }
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

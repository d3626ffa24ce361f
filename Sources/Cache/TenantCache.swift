import Crypto
import NIOCore
import Synchronization

/// The cache of all tenants: memory first, then Redis, then the database.
///
/// Right through crashes, lost messages and restarts of Redis, because an answer counts only under the scope version (L1)
/// or generation (L2) captured *before* its snapshot, and because an instance that cannot show that it follows the log
/// serves nothing from its caches. Who follows the log and drives ``lane`` is the coherence service; without one this cache
/// never becomes usable, and every read asks the database.
package final class TenantCache: Sendable {
    /// What was chosen.
    package let settings: CacheSettings
    /// The name of this process run, unique.
    package let instance: String
    /// What this instance knows about the log.
    package let lane: CoherenceLane
    /// Committed writes of this instance, for the coherence service.
    package let commits: CommitQueue
    /// The clock of leases and expiry.
    package let clock: CacheClock

    let scopes: ScopeTable
    let l1: L1
    let metrics: CacheMetrics
    let condition = Mutex(CacheCondition())
    private let secondLevel: (any SecondLevel)?
    private let flights: Mutex<FlightTable>
    private let bulkhead: Bulkhead

    /// Makes a cache; `secondLevel` is Redis, nil runs on memory alone.
    package init(
        settings: CacheSettings = CacheSettings(),
        secondLevel: (any SecondLevel)? = nil,
        instance: String = "i-" + Generation.fresh(),
        clock: CacheClock = .system
    ) {
        let scopes = ScopeTable()
        self.settings = settings
        self.instance = instance
        self.scopes = scopes
        self.lane = CoherenceLane(settings: settings, scopes: scopes)
        self.commits = CommitQueue()
        self.clock = clock
        self.secondLevel = secondLevel
        self.l1 = L1(bytes: settings.l1Bytes, shards: settings.l1Shards ?? Processors.count * 4)
        self.flights = Mutex(FlightTable(lease: settings.lease))
        self.metrics = CacheMetrics()
        self.bulkhead = Bulkhead(
            perTenant: settings.tenantFills,
            total: settings.instanceFills,
            waiting: settings.waitingFills
        )
    }

    /// Whether this instance may serve from its caches at this moment.
    package var isUsable: Bool {
        self.settings.isEnabled && self.clock.now < self.lane.usableUntil
    }

    // MARK: - Reading

    /// The answer in this instance's memory, if there is one that may be served now.
    ///
    /// Synchronous and without a hop. The lease is looked at here, at the moment of serving: a process that was stopped
    /// wakes up with its lease over.
    package func hit(_ key: CacheKey, token: ConsistencyToken? = nil) -> CachedAnswer? {
        let now = self.clock.now
        guard now < self.lane.usableUntil, self.settings.isEnabled,
            let stored = self.l1.lookup(key, now: now)
        else { return nil }
        if let token, !token.isSatisfied(by: stored.snapshot, module: key.module) { return nil }
        stored.scope.counters.l1Hits.wrappingAdd(1, ordering: .relaxed)
        return CachedAnswer(stored, .l1Hit)
    }

    /// The answer from memory, Redis, or `fill`.
    ///
    /// `fill` runs one statement that also returns `pg_current_snapshot()`, outside any transaction that has written. It
    /// runs at most once for all readers of the key at one scope version, in a task of its own: a reader that goes away
    /// takes nothing from the others.
    ///
    /// - Parameters:
    ///   - key: what is read.
    ///   - bypass: asks the database and keeps nothing, for `Cache-Control: no-cache`.
    ///   - deadline: when the caller gives up; `fill` is to keep it, too, and is not begun after it.
    ///   - fill: computes the answer.
    /// - Returns: the answer, and where it came from.
    /// - Throws: what `fill` throws, and ``CacheOverload`` if too many fills wait already.
    package func read(
        _ key: CacheKey,
        token: ConsistencyToken? = nil,
        bypass: Bool = false,
        deadline: ContinuousClock.Instant,
        fill: @Sendable @escaping () async throws -> Filled
    ) async throws -> CachedAnswer {
        if bypass || !self.settings.isEnabled {
            let scope = self.scopes.scope(key.tenant, key.module)
            scope.counters.bypasses.wrappingAdd(1, ordering: .relaxed)
            let version = scope.version.load(ordering: .acquiring)
            return CachedAnswer(self.answer(try await fill(), key, scope, version), .bypass)
        }
        if let answer = self.hit(key, token: token) { return answer }
        let scope = self.scopes.scope(key.tenant, key.module)
        for attempt in 0..<3 {
            if attempt > 0, let answer = self.hit(key, token: token) { return answer }
            // Before anything is read: what is read from here on counts only while this version stands.
            let version = scope.version.load(ordering: .sequentiallyConsistent)
            let (flight, leads) = self.flights.withLock { $0.join(key, version: version, now: self.clock.now) }
            if leads {
                self.start(flight, key, scope, version, deadline, fill)
                return try await flight.landing()
            }
            let answer = try await flight.landing()
            // The flight began before this reader came. A write of this instance in between would have changed the
            // version, yet the answer may come from Redis: look for the writes themselves.
            if scope.isVisible(in: answer.stored.snapshot, settled: self.lane.settled),
                token?.isSatisfied(by: answer.stored.snapshot, module: key.module) ?? true
            {
                return answer
            }
        }
        let version = scope.version.load(ordering: .sequentiallyConsistent)
        scope.counters.misses.wrappingAdd(1, ordering: .relaxed)
        return CachedAnswer(self.answer(try await fill(), key, scope, version), .miss)
    }

    private func start(
        _ flight: Flight,
        _ key: CacheKey,
        _ scope: Scope,
        _ version: UInt64,
        _ deadline: ContinuousClock.Instant,
        _ fill: @Sendable @escaping () async throws -> Filled
    ) {
        // The task belongs to the flight, which is in the table until it lands, and ends by the deadline of its fill.
        Task {
            var store: PendingStore?
            let landing: Flight.Landing
            do {
                landing = .success(try await self.fly(key, scope, version, deadline, fill, &store))
            } catch {
                if error is CacheOverload { self.metrics.bulkheadRefused() }
                landing = .failure(error)
            }
            self.flights.withLock { $0.end(flight, key, version: version) }
            flight.land(landing)
            // Nobody waits for Redis to keep the value.
            if let store { await self.keep(store, key, scope) }
        }
    }

    /// What is to be put into Redis once the readers have their answer.
    private struct PendingStore {
        let generation: [UInt8]
        let ns: String
        let answer: StoredAnswer
    }

    private func fly(
        _ key: CacheKey,
        _ scope: Scope,
        _ version: UInt64,
        _ deadline: ContinuousClock.Instant,
        _ fill: @Sendable () async throws -> Filled,
        _ store: inout PendingStore?
    ) async throws -> CachedAnswer {
        var captured: (generation: [UInt8], ns: String)?
        if let secondLevel, key.module.isShared, self.isUsable, secondLevel.isAvailable,
            let found = await secondLevel.look(key)
        {
            switch self.judge(found, key, scope, version) {
            case .hit(let answer):
                scope.counters.l2Hits.wrappingAdd(1, ordering: .relaxed)
                self.insert(key, answer)
                return CachedAnswer(answer, .l2Hit)
            case .trusted(let ns):
                // The generation is captured before the snapshot. Captured after it, a bump in between would go unnoticed
                // and the old value would be stored under the new generation.
                if let generation = found.generation {
                    captured = (generation, ns)
                } else if let generation = 
                    await self.captured(key, ns)
                {
                    captured = (generation, ns)
                }
            case .untrusted(let cause):
                self.metrics.untrusted(cause)
            }
        }
        scope.counters.misses.wrappingAdd(1, ordering: .relaxed)
        let filled = try await self.bulkhead.run(for: key.tenant) {
            // It may have waited for others; nobody waits for its answer any longer.
            guard ContinuousClock.now < deadline else { throw CacheOverload() }
            let began = self.clock.now
            let filled = try await fill()
            self.metrics.filled(key.module, nanoseconds: self.clock.now - began)
            return filled
        }
        Failpoint.reach("mid_fill")
        let answer = self.answer(filled, key, scope, version)
        let isKept = self.insert(key, answer)
        if let captured, case .body = answer.content {
            store = PendingStore(generation: captured.generation, ns: captured.ns, answer: answer)
        }
        return CachedAnswer(answer, isKept ? .missStored : .miss)
    }

    private func captured(_ key: CacheKey, _ ns: String) async -> [UInt8]? {
        let owner = FillOwner(instance: self.instance, nonce: Generation.fresh())
        switch await self.secondLevel?.lease(key, ns: ns, owner: owner, renews: false) {
        case .hit(let generation, _), .wait(let generation, _), .fill(let generation): return generation
        case nil: return nil
        }
    }

    private enum Judgement {
        case hit(StoredAnswer)
        case trusted(ns: String)
        case untrusted(Trust.Cause)
    }

    private func judge(
        _ found: SecondLevelAnswer,
        _ key: CacheKey,
        _ scope: Scope,
        _ version: UInt64
    ) -> Judgement {
        self.lane.judge { ns, applied in
            // Asked again, as the process may have been stopped while the reply lay in the socket.
            guard self.isUsable else { return .untrusted(.unusable) }
            switch Trust.judge(found, ns: ns, applied: applied) {
            case .untrusted(let cause):
                return .untrusted(cause)
            case .trusted:
                guard let ns else { return .untrusted(.unknown) }
                guard let value = found.value, let generation = found.generation else { return .trusted(ns: ns) }
                guard let envelope = Envelope(decoding: value) else {
                    self.metrics.headerMismatch()
                    return .trusted(ns: ns)
                }
                guard envelope.ns.elementsEqual(ns.utf8), envelope.generation == generation else {
                    return .trusted(ns: ns)
                }
                guard envelope.keyHash == Envelope.keyHash(key) else {
                    // Never expected: somebody's key builder collides, or somebody else writes into this Redis.
                    self.metrics.headerMismatch()
                    return .trusted(ns: ns)
                }
                guard scope.isVisible(in: envelope.snapshot, settled: self.lane.settled) else {
                    return .trusted(ns: ns)
                }
                let left = min(
                    (envelope.expiresAt - CacheClock.wallMicroseconds).multipliedReportingOverflow(by: 1000)
                        .partialValue,
                    self.settings.ttl(of: key.module).nanoseconds
                )
                guard left > 0 else { return .trusted(ns: ns) }
                return .hit(
                    StoredAnswer(
                        content: .body(envelope.body, etag: envelope.etag),
                        etag: envelope.etag,
                        snapshot: envelope.snapshot,
                        scope: scope,
                        version: version,
                        expiresAt: self.clock.now + left
                    )
                )
            }
        }
    }

    /// Wraps what a fill returned.
    private func answer(_ filled: Filled, _ key: CacheKey, _ scope: Scope, _ version: UInt64) -> StoredAnswer {
        let etag: String
        var ttl = self.settings.ttl(of: key.module)
        switch filled.content {
        case .body(let buffer, let given):
            etag = given ?? Self.etag(of: buffer)
        case .value:
            etag = ""
        case .absent:
            etag = ""
            ttl = min(ttl, self.settings.negativeTTL)
        }
        // Up to a tenth less, so that what was filled together does not expire together.
        var lifetime = ttl.nanoseconds
        lifetime -= Int64.random(in: 0...(lifetime / 10))
        if let limit = filled.lifetime { lifetime = min(lifetime, limit.nanoseconds) }
        return StoredAnswer(
            content: filled.content,
            etag: etag,
            snapshot: filled.snapshot,
            scope: scope,
            version: version,
            expiresAt: self.clock.now.addingReportingOverflow(lifetime).partialValue
        )
    }

    /// Keeps an answer in L1 if its scope was not retired since the version was captured.
    @discardableResult
    private func insert(_ key: CacheKey, _ answer: StoredAnswer) -> Bool {
        // Only saves the space: an entry of a retired version would never be served.
        guard answer.scope.version.load(ordering: .sequentiallyConsistent) == answer.version,
            answer.scope.isVisible(in: answer.snapshot, settled: self.lane.settled),
            answer.expiresAt > self.clock.now,
            self.l1.insert(key, answer)
        else {
            answer.scope.counters.refusedStores.wrappingAdd(1, ordering: .relaxed)
            return false
        }
        return true
    }

    private func keep(_ store: PendingStore, _ key: CacheKey, _ scope: Scope) async {
        guard let secondLevel, case .body(let body, _) = store.answer.content,
            body.readableBytes <= self.settings.valueLimit
        else { return }
        let left = store.answer.expiresAt - self.clock.now
        guard left > 1_000_000 else { return }
        let filledAt = CacheClock.wallMicroseconds
        let envelope = Envelope(
            ns: Array(store.ns.utf8),
            generation: store.generation,
            keyHash: Envelope.keyHash(key),
            snapshot: store.answer.snapshot,
            filledAt: filledAt,
            expiresAt: filledAt + left / 1000,
            etag: store.answer.etag,
            body: body
        )
        let isStored = await secondLevel.store(
            key,
            value: envelope.encoded(),
            generation: store.generation,
            owner: nil,
            lifetime: .nanoseconds(left)
        )
        if isStored == false {
            scope.counters.refusedStores.wrappingAdd(1, ordering: .relaxed)
            self.metrics.storeRefused()
        }
    }

    private static func etag(of body: ByteBuffer) -> String {
        var hash = SHA256()
        body.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        return "\"" + Hex.encode(hash.finalize().prefix(16)) + "\""
    }

    // MARK: - Writing

    /// Retires what this instance has of the scopes a transaction has written.
    ///
    /// To be called after COMMIT and before the answer, with no suspension point in between: from then on this instance
    /// reads what it wrote. The rest, Redis and the other instances, only becomes faster by it; if the process dies before,
    /// the outbox row in the database decides.
    package func committed(tenant: Int64, modules: [Module], xid: UInt64) {
        Failpoint.reach("after_commit")
        let settled = self.lane.settled
        for module in modules {
            self.scopes.scope(tenant, module).wrote(xid, settled: settled)
        }
        self.commits.push(CommittedWrite(tenant: tenant, modules: modules, xid: xid))
    }

    /// Gives back what is kept under one key, in both levels; the caller has retired the scope if it had to.
    package func unlink(_ key: CacheKey) async {
        self.l1.remove(key)
        if let secondLevel, secondLevel.isAvailable { await secondLevel.unlink(key) }
    }

    /// Sends the fast bumps of committed writes to Redis; best effort, within ``CacheSettings/bumpBudget``.
    package func bumpSecondLevel(_ writes: [CommittedWrite]) async {
        guard let secondLevel, secondLevel.isAvailable, let ns = self.lane.state.ns else { return }
        await secondLevel.bump(writes, ns: ns)
    }
}

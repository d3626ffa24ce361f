import Crypto
import Kernel
import NIOCore
import Synchronization

/// What was true before an answer was read: it counts only as long as this is.
struct FlightStart: Sendable {
    let key: CacheKey
    let scope: Scope
    /// The scope's version.
    let version: UInt64
    /// The namespace adopted.
    let namespace: UInt64
    /// The time on the cache's clock.
    let time: Int64
    /// What the first reader has written and seen.
    let token: ConsistencyToken?
}

extension TenantCache {
    /// Computes an answer anew while the present one is still good, unless somebody does already.
    ///
    /// Returns at once. To be called by whoever got an answer that ``CachedAnswer/wantsRefresh``.
    ///
    /// - Parameters:
    ///   - key: what is read.
    ///   - deadline: when `fill` is to end; nobody waits for it.
    ///   - fill: computes the answer.
    package func refresh(
        _ key: CacheKey,
        deadline: ContinuousClock.Instant,
        fill: @escaping CacheFill
    ) {
        let now = clock.now
        // At most once in a while, so that an ailing database is not asked by every hit.
        guard let stored = l1.stale(key), now >= stored.refreshAt,
            stored.claimRefresh(at: now, interval: settings.lease.nanoseconds)
        else { return }
        let start = self.start(key, stored.scope, nil)
        let (flight, leads) = flights.withLock {
            $0.join(key, version: start.version, now: now, deadline: deadline, renews: true)
        }
        if leads { fly(flight, start, deadline, renews: true, fill) }
    }

    /// Captures what an answer depends on, before anything of it is read.
    func start(_ key: CacheKey, _ scope: Scope, _ token: ConsistencyToken?) -> FlightStart {
        FlightStart(
            key: key,
            scope: scope,
            version: scope.version.load(ordering: .sequentiallyConsistent),
            namespace: Namespace.word(lane.ns),
            time: clock.now,
            token: token
        )
    }

    /// Runs a flight.
    ///
    /// The task belongs to the flight, which is in the table until it lands, and ends by the deadline of its fill. It goes ahead of requests:
    /// all who wait, on other instances too, would otherwise wait for whatever came after them.
    func fly(
        _ flight: Flight,
        _ start: FlightStart,
        _ deadline: ContinuousClock.Instant,
        renews: Bool = false,
        _ fill: @escaping CacheFill
    ) {
        Task(priority: renews ? nil : .high) {
            var machine = FlightStateMachine(
                key: start.key,
                settings: self.settings,
                renews: renews,
                seed: UInt64.random(in: 0...UInt64.max)
            )
            let owner = FillOwner(instance: self.instance, nonce: Generation.fresh())
            var rest: FlightStateMachine.Step
            var answer: StoredAnswer?
            let landing: Flight.Landing
            do {
                let value = await self.approach(&machine, start, owner)
                if let value, let answer = self.serve(value, start) {
                    landing = .success(answer)
                    rest = .done
                } else if value != nil || machine.asksDatabase {
                    if let value { machine.rejected(value) }
                    let filled = self.answer(try await self.ask(start.key, deadline, fill), start)
                    start.scope.counters.misses.wrappingAdd(1, ordering: .relaxed)
                    Failpoint.reach("mid_fill")
                    landing = .success(CachedAnswer(filled, self.insert(filled, start.key) ? .missStored : .miss))
                    answer = filled
                    rest = machine.filled(isStorable: self.storable(filled) != nil)
                } else {
                    // Somebody else computes it anew.
                    landing = .failure(CancellationError())
                    rest = .done
                }
            } catch {
                landing = .failure(error)
                rest = machine.failed()
            }
            self.land(flight, start, landing, renews: renews)
            self.count(machine.notes, start)
            // Nobody waits for Redis to keep the value.
            await self.finish(&machine, &rest, start, owner, answer)
        }
    }

    /// Ends a flight: who comes from now on finds what it left in memory.
    func land(_ flight: Flight, _ start: FlightStart, _ landing: Flight.Landing, renews: Bool = false) {
        flights.withLock { $0.end(flight, start.key, version: start.version, renews: renews) }
        flight.land(landing)
    }

    // MARK: - Before the database

    /// Goes the machine's way as far as Redis; returns the value found there.
    private func approach(
        _ machine: inout FlightStateMachine,
        _ start: FlightStart,
        _ owner: FillOwner
    ) async -> Envelope? {
        guard let secondLevel = self.secondLevel else {
            _ = machine.begin(canAsk: false)
            return nil
        }
        let key = start.key
        var step = machine.begin(canAsk: isUsable && secondLevel.isAvailable)
        while true {
            switch step {
            case .look:
                let found = await secondLevel.look(key)
                step = judge(start, found?.watermark) { machine.looked(found, $0) }
            case .lease(let ns):
                let answer = await secondLevel.lease(key, ns: ns, owner: owner, renews: machine.renews)
                step = machine.leased(answer, at: clock.now)
            case .poll(let lease, let pause):
                // The pause is what waiting for another process is; nothing in this one could end it earlier.
                try? await Task.sleep(for: pause)
                let answer = await secondLevel.poll(key, lease: lease)
                step = judge(start, answer?.answer.watermark) { machine.polled(answer, at: self.clock.now, $0) }
            case .steal(let seen, let generation):
                let isStolen = await secondLevel.steal(key, seen: seen, generation: generation, owner: owner)
                step = machine.stolen(isStolen, at: clock.now)
            case .serve(let value):
                return value
            case .fill, .recapture, .store, .release, .done:
                return nil
            }
        }
    }

    /// Judges a reply, with the watermark in it, at one moment of this instance's knowledge.
    func judge(
        _ start: FlightStart,
        _ watermark: [UInt8]?,
        _ body: (FlightStateMachine.Knowledge) -> FlightStateMachine.Step
    ) -> FlightStateMachine.Step {
        lane.judge(watermark) { ns, applied, isRecognised in
            body(
                FlightStateMachine.Knowledge(
                    ns: ns,
                    applied: applied,
                    isRecognised: isRecognised,
                    isUsable: self.isUsable,
                    wallTime: CacheClock.wallMicroseconds,
                    isVisible: { self.isVisible($0, start.scope, start.token) }
                )
            )
        }
    }

    /// Keeps a value of Redis in memory, and answers with it; nil if its body cannot be read.
    private func serve(_ value: Envelope, _ start: FlightStart) -> CachedAnswer? {
        var body = value.body
        var compressed: ByteBuffer?
        if let length = value.inflatedLength {
            guard let inflated = Gzip.inflate(value.body, length: length) else { return nil }
            compressed = value.body
            body = inflated
        }
        let wallTime = CacheClock.wallMicroseconds
        let now = clock.now
        let limit = settings.ttl(of: start.key.module).nanoseconds
        // The times are another machine's: they may shorten a life, and never prolong it.
        let left = min(Self.nanoseconds(value.left(at: wallTime)), limit)
        let age = max(0, Self.nanoseconds(wallTime.subtractingReportingOverflow(value.filledAt).partialValue))
        let answer = StoredAnswer(
            content: .body(body, etag: value.etag),
            compressed: compressed,
            etag: value.etag,
            snapshot: value.snapshot,
            eventSequence: value.eventSequence,
            namespace: start.namespace,
            scope: start.scope,
            version: start.version,
            filledAt: now.subtractingReportingOverflow(age).partialValue,
            expiresAt: now + left,
            refreshAt: refreshTime(expiresAt: now + left, lifetime: Self.nanoseconds(value.lifetime))
        )
        start.scope.counters.l2Hits.wrappingAdd(1, ordering: .relaxed)
        insert(answer, start.key)
        return CachedAnswer(answer, .l2Hit)
    }

    private static func nanoseconds(_ microseconds: Int64) -> Int64 {
        let (product, overflow) = microseconds.multipliedReportingOverflow(by: 1000)
        return overflow ? (microseconds < 0 ? .min : .max) : product
    }

    /// When the last tenth of a life begins; never for lives so short that a lease would be a large part of it.
    private func refreshTime(expiresAt: Int64, lifetime: Int64) -> Int64 {
        guard lifetime / 10 >= settings.lease.nanoseconds else { return .max }
        return expiresAt - lifetime / 10
    }

    // MARK: - The database

    /// Asks the database when there is room for it.
    func ask(
        _ key: CacheKey,
        _ deadline: ContinuousClock.Instant,
        _ fill: @Sendable () async throws -> Filled
    ) async throws -> Filled {
        try await bulkhead.run(for: key.tenant, until: deadline) {
            // It may have waited for others; nobody waits for its answer any longer.
            guard ContinuousClock.now < deadline else { throw CacheOverload.late }
            let began = self.clock.now
            let filled = try await fill()
            self.metrics.filled(key.module, nanoseconds: self.clock.now - began)
            return filled
        }
    }

    /// Wraps what a fill returned.
    func answer(_ filled: Filled, _ start: FlightStart) -> StoredAnswer {
        var etag = ""
        var compressed: ByteBuffer?
        var ttl = settings.ttl(of: start.key.module)
        switch filled.content {
        case .body(let buffer, let given):
            etag = given ?? Self.etag(of: buffer)
            if buffer.readableBytes > settings.compressionThreshold { compressed = Gzip.deflate(buffer) }
        case .value:
            break
        case .absent:
            ttl = min(ttl, settings.negativeTTL)
        }
        // Up to a tenth less, so that what was filled together does not expire together.
        var lifetime = ttl.nanoseconds
        lifetime -= Int64.random(in: 0...(lifetime / 10))
        if let limit = filled.lifetime { lifetime = min(lifetime, limit.nanoseconds) }
        let expiresAt = clock.now.addingReportingOverflow(lifetime).partialValue
        var refreshAt = refreshTime(expiresAt: expiresAt, lifetime: lifetime)
        // Ids at random must not keep themselves alive.
        if case .absent = filled.content { refreshAt = .max }
        return StoredAnswer(
            content: filled.content,
            compressed: compressed,
            etag: etag,
            snapshot: filled.snapshot,
            eventSequence: filled.eventSequence,
            namespace: start.namespace,
            scope: start.scope,
            version: settings.defects.contains(.noScopeCapture)
                ? start.scope.version.load(ordering: .sequentiallyConsistent) : start.version,
            filledAt: start.time,
            expiresAt: expiresAt,
            refreshAt: refreshAt
        )
    }

    private static func etag(of body: ByteBuffer) -> String {
        var hash = SHA256()
        body.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        return "\"" + Hexadecimal.text(hash.finalize().prefix(16)) + "\""
    }

    // MARK: - After the answer

    /// Keeps an answer in L1 if its scope was not retired since the version was captured.
    @discardableResult
    private func insert(_ answer: StoredAnswer, _ key: CacheKey) -> Bool {
        // Only saves the space: an entry of a retired version would never be served.
        guard answer.scope.version.load(ordering: .sequentiallyConsistent) == answer.version,
            isVisible(answer.snapshot, answer.scope, nil),
            answer.expiresAt > clock.now,
            l1.insert(key, answer)
        else {
            answer.scope.counters.refusedStores.wrappingAdd(1, ordering: .relaxed)
            return false
        }
        return true
    }

    /// What Redis may have of an answer, and as which bytes.
    private func storable(_ answer: StoredAnswer) -> ByteBuffer? {
        guard case .body(let body, _) = answer.content else { return nil }
        let stored = answer.compressed ?? body
        guard stored.readableBytes <= settings.valueLimit,
            answer.expiresAt - clock.now > 1_000_000
        else { return nil }
        return stored
    }

    private func finish(
        _ machine: inout FlightStateMachine,
        _ step: inout FlightStateMachine.Step,
        _ start: FlightStart,
        _ owner: FillOwner,
        _ answer: StoredAnswer?
    ) async {
        guard let secondLevel = self.secondLevel else { return }
        if case .recapture = step {
            step = machine.recaptured(await secondLevel.look(start.key)?.generation)
        }
        switch step {
        case .store(let captured):
            guard let answer else { return }
            await keep(answer, start, captured, owner, secondLevel)
        case .release(let captured):
            await secondLevel.release(start.key, generation: captured.generation, owner: owner)
        default:
            return
        }
    }

    private func keep(
        _ answer: StoredAnswer,
        _ start: FlightStart,
        _ captured: FlightStateMachine.Captured,
        _ owner: FillOwner,
        _ secondLevel: any SecondLevel
    ) async {
        guard case .body(let body, _) = answer.content, let stored = storable(answer) else { return }
        let left = answer.expiresAt - clock.now
        let filledAt = CacheClock.wallMicroseconds
        let envelope = Envelope(
            ns: Array(captured.ns.utf8),
            generation: captured.generation,
            keyHash: Envelope.keyHash(start.key),
            snapshot: answer.snapshot,
            eventSequence: answer.eventSequence,
            filledAt: filledAt,
            expiresAt: filledAt + left / 1000,
            etag: answer.etag,
            body: stored,
            inflatedLength: answer.compressed == nil ? nil : body.readableBytes
        )
        let isStored = await secondLevel.store(
            start.key,
            value: envelope.encoded(),
            generation: captured.generation,
            owner: captured.holdsLease ? owner : nil,
            lifetime: .nanoseconds(left)
        )
        if isStored == false {
            start.scope.counters.refusedStores.wrappingAdd(1, ordering: .relaxed)
            metrics.storeRefused()
        }
    }

    private func count(_ notes: FlightStateMachine.Notes, _ start: FlightStart) {
        if let cause = notes.untrusted { metrics.untrusted(cause) }
        for _ in 0..<notes.mismatches { metrics.headerMismatch() }
        if notes.missesWrites { start.scope.counters.tokenMisses.wrappingAdd(1, ordering: .relaxed) }
        if let from = notes.waitedFrom { metrics.waited(nanoseconds: (notes.waitedUntil ?? from) - from) }
        if notes.hasStolen { metrics.leaseStolen() }
    }
}

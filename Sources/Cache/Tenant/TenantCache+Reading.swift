import Synchronization

extension TenantCache {
    /// The answer in this instance's memory, if there is one that may be served now.
    ///
    /// Synchronous and without a hop.
    ///
    /// - Parameters:
    ///   - key: what is read.
    ///   - token: what the client has written and seen; nil asks for nothing.
    /// - Returns: the answer, or nil: ask ``read(_:token:bypass:deadline:fill:)``.
    package func hit(_ key: CacheKey, token: ConsistencyToken? = nil) -> CachedAnswer? {
        let now = clock.now
        guard isUsable(at: now), settings.isEnabled,
            let stored = l1.lookup(key, now: now)
        else { return nil }
        if let token, !self.satisfies(stored, token) {
            stored.scope.counters.tokenMisses.wrappingAdd(1, ordering: .relaxed)
            return nil
        }
        stored.scope.counters.l1Hits.wrappingAdd(1, ordering: .relaxed)
        return CachedAnswer(stored, .l1Hit, wantsRefresh: now >= stored.refreshAt)
    }

    /// The answer in this instance's memory, computed anew behind the reader's back if it ends soon.
    ///
    /// - Parameters:
    ///   - key: what is read.
    ///   - token: what the client has written and seen.
    ///   - deadline: when a computation begun here is to end; nobody waits for it.
    ///   - fill: makes what computes the answer; asked only where that is needed.
    /// - Returns: the answer, or nil: ask ``read(_:token:bypass:deadline:fill:)``.
    package func hit(
        _ key: CacheKey,
        token: ConsistencyToken?,
        deadline: ContinuousClock.Instant,
        fill: () -> CacheFill
    ) -> CachedAnswer? {
        guard let answer = self.hit(key, token: token) else { return nil }
        if answer.wantsRefresh { refresh(key, deadline: deadline, fill: fill()) }
        return answer
    }

    private func satisfies(_ stored: StoredAnswer, _ token: ConsistencyToken) -> Bool {
        let defects = settings.defects
        // A live entry is of the namespace in force, as a rotation retires all of the old one.
        if token.isForeign(to: stored.namespace, defects) { return false }
        return defects.contains(.noTokenCheck)
            || token.isSatisfied(by: stored.snapshot, module: stored.scope.module)
    }

    /// The answer from memory, Redis, or `fill`.
    ///
    /// `fill` runs one statement that also returns `pg_current_snapshot()`, outside any transaction that has written. It
    /// runs at most once for all readers of the key at one scope version, in a task of its own: a reader that goes away
    /// takes nothing from the others.
    ///
    /// - Parameters:
    ///   - key: what is read.
    ///   - token: what the client has written and seen; one of another namespace asks the database and keeps nothing.
    ///   - bypass: asks the database and keeps nothing, for `Cache-Control: no-cache`.
    ///   - deadline: when the caller gives up; `fill` is to keep it, too, and is not begun after it.
    ///   - fill: computes the answer.
    /// - Returns: the answer, and where it came from.
    /// - Throws: what `fill` throws, `CancellationError`, and ``CacheOverload`` if too many fills wait already or the
    ///   deadline comes first.
    package func read(
        _ key: CacheKey,
        token: ConsistencyToken? = nil,
        bypass: Bool = false,
        deadline: ContinuousClock.Instant,
        fill: @escaping CacheFill
    ) async throws -> CachedAnswer {
        do {
            if bypass || !settings.isEnabled || isForeign(token) {
                return try await readPast(key, deadline, fill)
            }
            if let answer = hit(key, token: token, deadline: deadline, fill: { fill }) { return answer }
            return try await readThrough(key, token, deadline, fill)
        } catch {
            if error is CacheOverload { metrics.bulkheadRefused() }
            // A reader that asked for the database gets it or nothing.
            guard !bypass, !Self.isFinal(error), let old = stale(key, token) else { throw error }
            return old
        }
    }

    private func isForeign(_ token: ConsistencyToken?) -> Bool {
        guard let token else { return false }
        let namespace = Namespace.word(lane.ns)
        return token.isForeign(to: namespace, settings.defects)
    }

    private static func isFinal(_ error: any Error) -> Bool {
        if error is CancellationError { return true }
        return (error as? any CacheFinalError)?.isFinal ?? false
    }

    /// The answer of the database, for this reader alone.
    private func readPast(
        _ key: CacheKey,
        _ deadline: ContinuousClock.Instant,
        _ fill: @escaping CacheFill
    ) async throws -> CachedAnswer {
        let scope = scopes.scope(key.tenant, key.module)
        scope.counters.bypasses.wrappingAdd(1, ordering: .relaxed)
        let start = self.start(key, scope, nil)
        return CachedAnswer(answer(try await ask(key, deadline, fill), start), .bypass)
    }

    private func readThrough(
        _ key: CacheKey,
        _ token: ConsistencyToken?,
        _ deadline: ContinuousClock.Instant,
        _ fill: @escaping CacheFill
    ) async throws -> CachedAnswer {
        let scope = scopes.scope(key.tenant, key.module)
        for attempt in 0..<3 {
            if attempt > 0, let answer = hit(key, token: token) { return answer }
            // Before anything is read: what is read from here on counts only while this version stands.
            let start = self.start(key, scope, token)
            let (flight, leads) = flights.withLock {
                $0.join(key, version: start.version, now: start.time, deadline: deadline)
            }
            if leads {
                // Between the look into memory and the table of flights one may have landed, and left its answer there.
                if let answer = hit(key, token: token) {
                    land(flight, start, .success(answer))
                    return answer
                }
                fly(flight, start, deadline, fill)
                return try await flight.landing(until: deadline)
            }
            let answer: CachedAnswer
            do {
                answer = try await flight.landing(until: deadline)
            } catch {
                // It may have failed for want of its leader's time; this reader has more.
                let now = ContinuousClock.now
                guard !Self.isFinal(error), flight.deadline <= now, now < deadline else { throw error }
                continue
            }
            // The flight began before this reader came. A write of this instance in between would have changed the
            // version, yet the answer may come from Redis: look for the writes themselves.
            if settings.defects.contains(.joinAnyFlight) { return answer }
            if isVisible(answer.stored.snapshot, scope, token) { return answer }
            scope.counters.tokenMisses.wrappingAdd(1, ordering: .relaxed)
        }
        scope.counters.misses.wrappingAdd(1, ordering: .relaxed)
        let start = self.start(key, scope, token)
        return CachedAnswer(self.answer(try await ask(key, deadline, fill), start), .miss)
    }

    // MARK: - Old answers

    /// An answer of a RELAXED module that is no longer valid, for when the database cannot be asked.
    ///
    /// Whatever the lease says: it is marked as what it is. Never one from before what the client wrote or saw, or from
    /// before a write of this instance, or from another history.
    func stale(_ key: CacheKey, _ token: ConsistencyToken?) -> CachedAnswer? {
        guard key.module.isRelaxed, settings.isEnabled else { return nil }
        let now = clock.now
        let namespace = Namespace.word(lane.ns)
        guard let stored = l1.stale(key), stored.namespace == namespace else { return nil }
        let age = now - stored.filledAt
        guard age <= settings.staleLimit.nanoseconds, stored.scope.isOfThisHistory(stored.version),
            stored.scope.sawAllWrites(stored.snapshot)
        else {
            return nil
        }
        if case .absent = stored.content { return nil }
        if let token, !self.satisfies(stored, token) { return nil }
        stored.scope.counters.stale.wrappingAdd(1, ordering: .relaxed)
        return CachedAnswer(stored, .stale(ttl: -max(1, Int((age + 999_999_999) / 1_000_000_000))))
    }
}

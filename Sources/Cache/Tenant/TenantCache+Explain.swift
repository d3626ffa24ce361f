import Synchronization

extension TenantCache {
    /// Why a key would be answered from where it would be; neither fills nor refreshes, and counts nothing.
    package func explain(_ key: CacheKey) async -> CacheExplanation {
        var explanation = CacheExplanation(
            wouldServe: .database,
            because: [],
            l1: .init(),
            l2: .init(),
            scope: .init(),
            lane: .init()
        )
        // Redis first: what this instance knows by then is younger than what Redis said.
        let found = await explainSecondLevel(key, &explanation)
        explainLane(&explanation)
        explainScope(key, &explanation)
        let isInMemory = explainFirstLevel(key, &explanation)
        // Also where memory answers: whether Redis is trusted is a question of its own.
        let isInRedis = explainJudgement(key, found, &explanation)
        if isInMemory {
            explanation.wouldServe = .l1
            explanation.because = []
        } else if isInRedis {
            explanation.wouldServe = .l2
        }
        return explanation
    }

    private func explainLane(_ explanation: inout CacheExplanation) {
        let state = lane.state
        explanation.lane.isUsable = isUsable
        explanation.lane.freshAge = state.freshAsOf.map { .nanoseconds(max(0, self.clock.now - $0)) }
        explanation.lane.applied = state.applied?.sequence
        explanation.lane.head = state.head
        explanation.lane.hasHole = state.hasHole
        explanation.lane.ns = state.ns
        if !settings.isEnabled {
            explanation.because.append("disabled")
        } else if !explanation.lane.isUsable {
            explanation.because.append(
                state.applied == nil ? "unusable_start" : "unusable_\(state.hasHole ? "hole" : "lease")"
            )
        }
    }

    private func explainScope(_ key: CacheKey, _ explanation: inout CacheExplanation) {
        guard let scope = scopes.existing(key.tenant, key.module) else { return }
        let now = clock.now
        explanation.scope.version = scope.version.load(ordering: .relaxed)
        explanation.scope.own = scope.ownWrites
        explanation.scope.recent = scope.recentBumps.map { bump in
            CacheExplanation.Bump(
                sequence: bump.sequence,
                xids: bump.xids,
                via: bump.source,
                age: .nanoseconds(max(0, now - bump.time))
            )
        }
    }

    /// Whether memory would answer.
    private func explainFirstLevel(_ key: CacheKey, _ explanation: inout CacheExplanation) -> Bool {
        guard let stored = l1.stale(key) else {
            explanation.because.append("l1_absent")
            return false
        }
        let now = clock.now
        explanation.l1.isPresent = true
        explanation.l1.age = .nanoseconds(max(0, now - stored.filledAt))
        explanation.l1.bytes = stored.bytes
        explanation.l1.etag = stored.etag
        explanation.l1.snapshot = stored.snapshot
        guard stored.version == stored.scope.version.load(ordering: .acquiring) else {
            explanation.because.append("l1_retired")
            return false
        }
        guard now < stored.expiresAt else {
            explanation.because.append("l1_expired")
            return false
        }
        return isUsable
    }

    private func explainSecondLevel(_ key: CacheKey, _ explanation: inout CacheExplanation) async -> SecondLevelAnswer?
    {
        guard let secondLevel, secondLevel.isAvailable, key.module.isShared else { return nil }
        let found = await secondLevel.look(key)
        guard let found else { return nil }
        explanation.scope.generation = found.generation.map { String(decoding: $0, as: UTF8.self) }
        explanation.lane.watermark = found.watermark.flatMap { Watermark(parsing: $0) }?.sequence
        explanation.l2.isPresent = found.value != nil
        if let value = found.value {
            explanation.l2.timeToLive = await secondLevel.timeToLive(key)
            explanation.l2.doesGenerationMatch = Envelope(decoding: value)?.generation == found.generation
        }
        return found
    }

    /// Whether Redis would answer: the very judgement of a read.
    private func explainJudgement(
        _ key: CacheKey,
        _ found: SecondLevelAnswer?,
        _ explanation: inout CacheExplanation
    ) -> Bool {
        guard let found else {
            explanation.because.append(key.module.isShared ? "l2_unavailable" : "l2_never")
            return false
        }
        var machine = FlightStateMachine(key: key, settings: self.settings, seed: 1)
        _ = machine.begin(canAsk: true)
        let scope = scopes.scope(key.tenant, key.module)
        let step = judge(start(key, scope, nil), found.watermark) { machine.looked(found, $0) }
        explanation.l2.isTrusted = machine.notes.untrusted == nil
        if case .serve = step { return true }
        if let cause = machine.notes.untrusted {
            explanation.because.append("l2_untrusted_\(cause.rawValue)")
        } else if found.value == nil {
            explanation.because.append("l2_absent")
        } else if machine.notes.missesWrites {
            explanation.because.append("l2_misses_own_writes")
        } else if machine.notes.mismatches > 0 {
            explanation.because.append("l2_mismatch")
        } else {
            explanation.because.append(explanation.l2.doesGenerationMatch ? "l2_expired_or_namespace" : "l2_retired")
        }
        return false
    }
}

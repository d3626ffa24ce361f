package import Cache

/// What a relay does next: a pure machine, the owner talks to PostgreSQL and Redis.
///
/// Every process relays. The lane's row lock fences drains; the scripts meet a second relay with OLD or GAP; every step may be
/// repeated. So the machine has no leader to elect: who drained last goes on ticking, the others watch the count of drains.
///
/// The owner asks for the ``Step`` to take, takes it, and reports how it ended; one step at a time.
package struct RelayStateMachine: Sendable {
    /// What to do.
    package enum Step: Sendable, Equatable {
        /// Nothing until a time or a ring.
        case wait(until: Int64)
        /// Read the database's identity and the newest log row.
        case checkIdentity
        /// Store the identity and rotate, in one transaction.
        case adoptIdentity(String)
        /// Move outbox rows to the log; notify listeners if Redis does not carry the news.
        case drain(notifies: Bool)
        /// Read the watermark of this Redis.
        case readWatermark
        /// Read log rows from this one on; nil reads the newest only.
        case follow(from: Int64?)
        /// Apply log rows to Redis.
        case apply(RelayBatch)
        /// Declare this Redis up to date.
        case declareAlive(RelayDeclaration)
        /// Write something to this Redis: the lane is not to be rotated for one that will not take the new namespace.
        case testWriting
        /// Give the lane a new namespace, and commit it at once.
        case rotate(RotationCause)
        /// Begin this Redis anew under the namespace just created.
        case reset(Watermark)
        /// Delete old log rows.
        case prune
    }

    /// Why everything cached has to go cold.
    package enum RotationCause: String, Sendable, CaseIterable {
        /// Redis has no watermark: it is empty, was flushed, or evicted it.
        case watermarkMissing = "wm_missing"
        /// The watermark is of another namespace.
        case namespace
        /// The watermark is not part of this log: Redis or PostgreSQL was restored.
        case history
        /// The log no longer reaches back to the watermark.
        case truncated
    }

    /// The answer of an applying script.
    package enum ScriptAnswer: String, Sendable {
        /// Done.
        case done = "OK"
        /// Rows before these are missing.
        case gap = "GAP"
        /// Another relay has done it.
        case old = "OLD"
        /// No watermark, or of another namespace.
        case namespace = "NS"
    }

    private enum RedisStage: Sendable, Equatable {
        /// Not configured, or not reachable.
        case down
        /// Reachable; where it stands is to be read.
        case unknown
        /// It stands at a watermark; rows may be missing.
        case behind(Watermark)
        /// Rows to be applied.
        case applying(Watermark, RelayBatch, drains: Int64, isLast: Bool)
        /// Up to date as far as known.
        case synced(Watermark)
        /// Up to date and to be declared so.
        case declaring(Watermark, RelayDeclaration)
        /// The lane has to be rotated, if Redis takes writes.
        case testing(RotationCause)
        /// The lane has to be rotated.
        case rotating(RotationCause)
        /// The lane was rotated to this namespace; the newest row is to be read.
        case rotated(String)
        /// To be begun anew.
        case resetting(Watermark)
    }

    private let nudgeInterval: Int64
    private let idleInterval: Int64
    private let standbyInterval: Int64
    private let beatInterval: Int64
    private let pruneInterval: Int64 = 60_000_000_000

    // PostgreSQL
    private var isVerified = false
    private var adopting: String?
    private var retryAt: Int64 = .min
    private var failures = 0
    private var prunesAt: Int64

    // Draining
    /// Whether this relay ticks; the others watch.
    package private(set) var isActive = false
    private var nudgedAt: Int64?
    private var lastDrainAt: Int64
    private var repeatsAtOnce = false
    private var skips = 0
    private var seenDrains: Int64?
    private var ownDrains: Int64 = 0
    private var foreignDrainAt: Int64
    private var random: SplitMix64

    // Redis
    private var stage = RedisStage.down
    private var runID: String?
    private var redisRetryAt: Int64 = .min
    private var suspicion: RotationCause?
    private var declaresAt: Int64 = .min
    private var hasDrainedSinceDeclaring = false
    private var prefersRedis = false
    /// Where Redis stands is compared with a database that is new to this relay before anything is drained there.
    private var comparesFirst = false
    private var condemned: (ns: String, since: Int64)?
    private let defects: Defects
    /// Where Redis stands as this relay remembers it: only for the test build that believes it (`wm_in_memory`).
    private var remembered: Watermark?

    /// Makes a relay that knows nothing yet.
    ///
    /// - Parameters:
    ///   - settings: the intervals.
    ///   - now: the time, on the cache's clock.
    ///   - seed: decides who of several active relays gives way.
    package init(settings: CacheSettings, now: Int64, seed: UInt64) {
        nudgeInterval = settings.nudgeInterval.nanoseconds
        idleInterval = settings.idleDrainInterval.nanoseconds
        standbyInterval = settings.standbyInterval.nanoseconds
        beatInterval = settings.beatInterval.nanoseconds
        lastDrainAt = now
        foreignDrainAt = now
        prunesAt = now + pruneInterval
        random = SplitMix64(state: seed)
        defects = settings.defects
    }

    // MARK: - What happens outside

    /// Somebody committed.
    package mutating func nudged(at now: Int64) {
        if nudgedAt == nil {
            nudgedAt = now
            skips = 0
        }
    }

    /// A probe has seen the count of drains.
    package mutating func observed(drains: Int64, at now: Int64) {
        defer {
            seenDrains = drains
            ownDrains = 0
        }
        guard let before = seenDrains, drains >= before else { return }
        let foreign = drains - before - ownDrains
        guard foreign > 0 else { return }
        foreignDrainAt = now
        // Two that tick do no harm but double the work; each gives way with probability one half, until one is left.
        if isActive, foreign >= 2, random.next() & 1 == 0 { isActive = false }
    }

    /// The log of this namespace is not the one that was followed: whatever was cached under it is to go.
    ///
    /// Several relays hear of it; the active one acts first, and the others find another namespace by then.
    package mutating func historyReplaced(ns: String, at now: Int64) {
        guard condemned?.ns != ns else { return }
        let hesitation = isActive ? 0 : standbyInterval / 2
        let jitter = Int64(random.next() % UInt64(max(1, idleInterval)))
        condemned = (ns, now + hesitation + jitter)
    }

    /// A probe has seen the namespace of the lane.
    package mutating func observed(ns: String) {
        if let condemned, condemned.ns != ns { self.condemned = nil }
    }

    /// Somebody applied rows to Redis: from here on this relay need not bring them there.
    ///
    /// Only saves work. The scripts compare with what really is there.
    package mutating func heard(_ watermark: Watermark) {
        guard case .synced(let known) = stage, known.ns == watermark.ns, known.sequence < watermark.sequence else {
            return
        }
        stage = .synced(watermark)
    }

    /// From where on a drain is to read the log along with moving rows; nil if Redis is not to be told of them next.
    package var drainsFrom: Int64? {
        switch stage {
        case .synced(let watermark), .behind(let watermark): watermark.sequence
        default: nil
        }
    }

    /// A connection to PostgreSQL was made anew: it may be another server.
    package mutating func postgresConnected() {
        isVerified = false
        retryAt = .min
    }

    /// A connection to Redis was made; `runID` is nil if it may not be asked for.
    package mutating func redisConnected(runID: String?) {
        stage = .unknown
        self.runID = runID
        suspicion = nil
        redisRetryAt = .min
    }

    /// The connection to Redis is gone.
    package mutating func redisDisconnected() {
        stage = .down
    }

    // MARK: - The next step

    /// What to do now.
    package mutating func next(at now: Int64) -> Step {
        guard now >= retryAt else { return .wait(until: retryAt) }
        guard isVerified else {
            if let identity = adopting { return .adoptIdentity(identity) }
            return .checkIdentity
        }
        if let condemned, now >= condemned.since { return .rotate(.history) }
        let drainAt = drainDue
        let redis = redisStep(at: now)
        if now >= drainAt, redis == nil || !(prefersRedis || comparesFirst) {
            prefersRedis = true
            // Redis carries the news only if this relay brings them there.
            return .drain(notifies: stage == .down)
        }
        prefersRedis = false
        if let redis { return redis }
        if now >= prunesAt, isActive {
            return .prune
        }
        var until = min(drainAt, self.condemned?.since ?? drainAt)
        if stage != .down {
            if now < redisRetryAt { until = min(until, redisRetryAt) }
            if case .synced = stage, hasDrainedSinceDeclaring { until = min(until, declaresAt) }
        }
        return .wait(until: until)
    }

    private var drainDue: Int64 {
        if repeatsAtOnce { return lastDrainAt }
        let tick =
            isActive
            ? lastDrainAt + idleInterval
            : max(foreignDrainAt, lastDrainAt) + standbyInterval
        guard let nudgedAt else { return tick }
        return min(tick, max(nudgedAt, lastDrainAt + nudgeInterval))
    }

    private func redisStep(at now: Int64) -> Step? {
        guard now >= redisRetryAt else { return nil }
        switch stage {
        case .down:
            return nil
        case .unknown:
            return .readWatermark
        case .behind(let watermark):
            return .follow(from: watermark.sequence)
        case .applying(_, let batch, _, _):
            return .apply(batch)
        case .declaring(_, let declaration):
            return .declareAlive(declaration)
        case .synced(let watermark):
            guard hasDrainedSinceDeclaring, now >= declaresAt else { return nil }
            return .follow(from: watermark.sequence)
        case .testing:
            return .testWriting
        case .rotating(let cause):
            return .rotate(cause)
        case .rotated:
            return .follow(from: nil)
        case .resetting(let watermark):
            return .reset(watermark)
        }
    }

    // MARK: - How steps ended

    /// The identity was read, with the one stored in the lane.
    package mutating func checkedIdentity(actual: String, stored: String?) {
        succeeded()
        guard actual == stored || (stored != nil && defects.contains(.noTag)) else {
            adopting = actual
            return
        }
        isVerified = true
        // Where Redis stands is to be compared with this log anew.
        if stage != .down {
            stage = .unknown
            comparesFirst = true
        }
    }

    /// The identity was stored and the lane rotated to a namespace.
    package mutating func adoptedIdentity(ns: String) {
        succeeded()
        adopting = nil
        isVerified = true
        if stage != .down { stage = .rotated(ns) }
    }

    /// A drain ended; nil if another relay held the lane.
    ///
    /// - Parameters:
    ///   - result: log rows written, and whether the drain stopped at its limit.
    ///   - answer: the log from ``drainsFrom`` on, if it was read along.
    ///   - now: the time.
    package mutating func drained(
        _ result: (moved: Int64, isFull: Bool)?,
        answer: FollowAnswer? = nil,
        at now: Int64
    ) {
        succeeded()
        guard let result else {
            // The other relay may have begun before the write that nudged committed, so: again, three times, then leave it to
            // the ticks.
            repeatsAtOnce = false
            lastDrainAt = now
            if nudgedAt != nil {
                skips += 1
                nudgedAt = skips >= 3 ? nil : now
            }
            return
        }
        if drainDueWasTick(now) { isActive = true }
        lastDrainAt = now
        nudgedAt = nil
        skips = 0
        repeatsAtOnce = result.isFull
        if !result.isFull {
            ownDrains += 1
            hasDrainedSinceDeclaring = true
        }
        if result.moved > 0, case .synced(let watermark) = stage { stage = .behind(watermark) }
        // The next step would read just this.
        if let answer, case .behind(let watermark) = stage, answer.rows.first?.sequence == watermark.sequence {
            followed(answer, at: now)
        }
    }

    private func drainDueWasTick(_ now: Int64) -> Bool {
        !isActive && now >= max(foreignDrainAt, lastDrainAt) + standbyInterval
    }

    /// The watermark was read; nil if there is none.
    package mutating func readWatermark(_ watermark: Watermark?, at now: Int64) {
        guard stage == .unknown else { return }
        let watermark = defects.contains(.watermarkInMemory) ? remembered ?? watermark : watermark
        guard let watermark else { return suspect(.watermarkMissing, at: now) }
        if defects.contains(.aliveBeforeReplay) {
            let drains = seenDrains ?? 0
            stage = .declaring(
                watermark,
                RelayDeclaration(watermark: watermark, runID: self.runID, drains: drains)
            )
        } else {
            stage = .behind(watermark)
        }
    }

    /// Log rows were read.
    package mutating func followed(_ answer: FollowAnswer, at now: Int64) {
        succeeded()
        comparesFirst = false
        switch stage {
        case .rotated(let ns):
            guard answer.ns == ns || defects.contains(.reuseNamespaceOnReset), let newest = answer.rows.last,
                newest.sequence == answer.head
            else {
                // Rotated again by another relay, which will reset Redis, too.
                stage = .unknown
                return
            }
            stage = .resetting(Watermark(ns: answer.ns, sequence: newest.sequence, tag: newest.tag))
        case .behind(let watermark), .synced(let watermark):
            guard answer.ns == watermark.ns || defects.contains(.noNamespace) else {
                return suspect(.namespace, at: now)
            }
            guard watermark.sequence <= answer.head else { return suspect(.history, at: now) }
            guard let first = answer.rows.first, first.sequence == watermark.sequence else {
                return suspect(.truncated, at: now)
            }
            guard first.tag == watermark.tag || defects.contains(.noTag) else {
                return suspect(.history, at: now)
            }
            suspicion = nil
            guard let batch = RelayBatch(ns: answer.ns, rows: answer.rows.dropFirst()) else {
                arrived(watermark, drains: answer.drains, at: now)
                return
            }
            stage = .applying(watermark, batch, drains: answer.drains, isLast: batch.last == answer.head)
        default:
            break
        }
    }

    /// Rows were applied, or not.
    package mutating func applied(_ answer: ScriptAnswer, at now: Int64) {
        guard case .applying(_, let batch, let drains, let isLast) = stage else { return }
        switch answer {
        case .done:
            let watermark = Watermark(ns: batch.ns, sequence: batch.last, tag: batch.tag)
            remembered = watermark
            if isLast {
                arrived(watermark, drains: drains, at: now)
            } else {
                stage = .behind(watermark)
            }
        case .gap, .old:
            // Redis stands elsewhere than thought: read where.
            stage = .unknown
        case .namespace:
            suspect(.namespace, at: now)
        }
    }

    /// The data set is at the head: declare it if that is due.
    private mutating func arrived(_ watermark: Watermark, drains: Int64, at now: Int64) {
        guard now >= declaresAt else {
            stage = .synced(watermark)
            return
        }
        stage = .declaring(watermark, RelayDeclaration(watermark: watermark, runID: self.runID, drains: drains))
    }

    /// The declaration was made, or not.
    package mutating func declaredAlive(_ answer: ScriptAnswer, at now: Int64) {
        guard case .declaring(let watermark, _) = stage else { return }
        switch answer {
        case .done, .old:
            stage = defects.contains(.aliveBeforeReplay) ? .behind(watermark) : .synced(watermark)
            declaresAt = now + beatInterval
            hasDrainedSinceDeclaring = false
        case .gap:
            stage = .unknown
        case .namespace:
            suspect(.namespace, at: now)
        }
    }

    /// Redis has taken a write.
    package mutating func tookWrite() {
        guard case .testing(let cause) = stage else { return }
        stage = .rotating(cause)
    }

    /// The lane was rotated.
    package mutating func rotated(ns: String) {
        succeeded()
        if condemned != nil {
            condemned = nil
            if stage != .down { stage = .rotated(ns) }
            return
        }
        guard case .rotating = stage else { return }
        stage = .rotated(ns)
    }

    /// Redis was begun anew.
    package mutating func reset() {
        guard case .resetting(let watermark) = stage else { return }
        remembered = watermark
        stage = .behind(watermark)
        declaresAt = .min
        hasDrainedSinceDeclaring = true
    }

    /// Old rows were deleted; `isMore` if the limit was reached.
    package mutating func pruned(isMore: Bool, at now: Int64) {
        succeeded()
        prunesAt = now + (isMore ? idleInterval : pruneInterval)
    }

    /// A step on PostgreSQL failed.
    package mutating func postgresFailed(at now: Int64) {
        failures = min(failures + 1, 6)
        isVerified = false
        adopting = nil
        retryAt = now + idleInterval << Int64(failures - 1)
    }

    /// A step on Redis failed; if the connection is gone, that is told separately.
    package mutating func redisFailed(at now: Int64) {
        guard stage != .down else { return }
        switch stage {
        case .testing, .rotating, .rotated, .resetting:
            // The new namespace was possibly never seen by Redis; what is there is compared again.
            suspicion = nil
        default:
            break
        }
        stage = .unknown
        redisRetryAt = now + idleInterval
    }

    private mutating func succeeded() {
        failures = 0
    }

    /// Redis does not fit the log.
    ///
    /// Looked at twice, as another relay may be repairing it already. A Redis that takes no writes (out of memory, a replica) could
    /// not be begun anew: every relay would rotate again and again, and memory, which needs no Redis, would stay cold with it.
    private mutating func suspect(_ cause: RotationCause, at now: Int64) {
        guard suspicion == nil else {
            suspicion = nil
            stage = defects.contains(.reuseNamespaceOnReset) ? .rotated("") : .testing(cause)
            return
        }
        suspicion = cause
        remembered = nil
        stage = .unknown
        let hesitation = isActive ? idleInterval / 10 : standbyInterval / 2
        let jitter = Int64(random.next() % UInt64(max(1, idleInterval / 2)))
        redisRetryAt = now + hesitation + jitter
    }
}

/// Log rows to be applied to Redis, coalesced by scope.
package struct RelayBatch: Sendable, Equatable {
    /// One scope.
    package struct Item: Sendable, Equatable {
        /// The last row of the scope.
        package var sequence: Int64
        /// The tenant.
        package var tenant: Int64
        /// The module's name.
        package var module: String
        /// The transactions of all its rows.
        package var xids: [UInt64]

        /// The item as messages name it.
        package var named: BusMessage.Item {
            BusMessage.Item(tenant: self.tenant, module: self.module, xids: self.xids)
        }
    }

    private struct Name: Hashable {
        let tenant: Int64
        let module: String
    }

    /// The namespace.
    package let ns: String
    /// The first row.
    package let first: Int64
    /// The last row.
    package let last: Int64
    /// The tag of the last row.
    package let tag: Int32
    /// The scopes.
    package let items: [Item]

    /// Coalesces rows; nil if there are none.
    package init?(ns: String, rows: some Sequence<LogRow>) {
        var items: [Item] = []
        var places: [Name: Int] = [:]
        var first: Int64?
        var last: LogRow?
        for row in rows {
            first = first ?? row.sequence
            last = row
            guard let tenant = row.tenant, !row.module.isEmpty else { continue }
            let name = Name(tenant: tenant, module: row.module)
            if let place = places[name] {
                items[place].sequence = row.sequence
                items[place].xids += row.xids
            } else {
                places[name] = items.count
                items.append(Item(sequence: row.sequence, tenant: tenant, module: row.module, xids: row.xids))
            }
        }
        guard let first, let last else { return nil }
        self.ns = ns
        self.first = first
        self.last = last.sequence
        tag = last.tag
        self.items = items
    }

    /// The message that tells the instances.
    package var message: BusMessage { self.message(sentAt: nil) }

    /// The message that tells the instances, with the time of sending, in microseconds since 1970.
    package func message(sentAt: Int64?) -> BusMessage {
        .applied(
            ns: self.ns,
            first: self.first,
            last: self.last,
            tag: self.tag,
            scopes: items.map { $0.named },
            sentAt: sentAt
        )
    }
}

/// That a server was brought up to date.
package struct RelayDeclaration: Sendable, Equatable {
    /// Where it stands.
    package let watermark: Watermark
    /// The server's run id; nil if it may not be asked for.
    package let runID: String?
    /// The drains counted when that was the head.
    package let drains: Int64
}

/// A small generator with a given seed, so that a run can be repeated.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Makes a generator from a seed.
    package init(state: UInt64) {
        self.state = state
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

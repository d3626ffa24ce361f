package import Cache
package import Logging
package import Postgres
package import Redis
import ServiceLifecycle
import Synchronization

/// Keeps a ``TenantCache`` right: follows the log, relays the outbox, listens to the bus.
///
/// One for each process that serves. It drives three machines: the lane's (follower, lease, bus), the relay's, and the
/// readers' own judgement of Redis; all I/O of the protocol is here. Without Redis the same follower runs alone, nudged by
/// notifications of PostgreSQL.
package final class CoherenceService: Service {
    /// The channel of PostgreSQL's notifications.
    private static let notifications = "stock_cache"

    /// The pause between two rounds of deleting old events.
    private static let pruneInterval = Duration.seconds(60)

    /// The pause between two rounds of sweeping reservations: for so long a level may show as reserved what is not any more.
    private static let reservationInterval = Duration.seconds(5)

    private let cache: TenantCache
    private let settings: CacheSettings
    private let clock: CacheClock
    private let postgres: PostgresClient
    private let redis: RedisClient?
    private let subscriber: RedisSubscriber?
    private let lane: RedisLane?
    private let relays: Bool
    private let eventRetention: Duration
    private let logger: Logger
    private let relay: Mutex<RelayStateMachine>
    private let relayBell = Doorbell()
    private let probeBell = Doorbell()
    private let sweepBell = Doorbell()
    private let sweeps: Mutex<SweepSchedule>
    private let usability = Mutex(Usability())
    private let stateLog = Mutex(StateLog())
    private let wasActive = Mutex(false)
    /// The rows this relay drained last and has not applied yet.
    private let drained = Mutex<DrainedRows?>(nil)
    private let metrics = CoherenceMetrics()

    /// The channel a ``RedisSubscriber`` for this service has to subscribe to.
    package static func busChannel(settings: CacheSettings, database: Int) -> String {
        RedisKeys(prefix: settings.keyPrefix, database: database).channel
    }

    /// Makes a service; ``run()`` starts it.
    ///
    /// - Parameters:
    ///   - cache: the cache to keep right.
    ///   - postgres: the database; its own service keeps it connected.
    ///   - redis: Redis, if there is one; its own service keeps it connected.
    ///   - subscriber: the subscription to ``busChannel(settings:database:)``; this service runs it.
    ///   - relays: whether this process may drain the outbox; every deployment needs one that does, or no cache is usable.
    ///   - eventRetention: how long a numbered event is kept.
    ///   - logger: hears of changes of state.
    package init(
        cache: TenantCache,
        postgres: PostgresClient,
        redis: RedisClient? = nil,
        subscriber: RedisSubscriber? = nil,
        relays: Bool = true,
        eventRetention: Duration = .seconds(30 * 86_400),
        logger: Logger
    ) {
        self.cache = cache
        self.settings = cache.settings
        clock = cache.clock
        self.postgres = postgres
        self.redis = redis
        self.subscriber = subscriber
        lane = redis.map { RedisLane(client: $0, settings: cache.settings) }
        self.relays = relays
        self.eventRetention = eventRetention
        self.logger = logger
        relay = Mutex(
            RelayStateMachine(settings: cache.settings, now: cache.clock.now, seed: UInt64.random(in: 0...UInt64.max))
        )
        sweeps = Mutex(SweepSchedule(interval: cache.settings.sweepInterval.nanoseconds))
        if redis != nil { cache.note(.redis, isAvailable: false) }
        if subscriber != nil { cache.note(.bus, isAvailable: false) }
        cache.note(.postgres, isAvailable: false)
    }

    /// Runs until the task is cancelled or the process shuts down gracefully.
    package func run() async {
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                /// Goes ahead of requests: a probe behind ten thousand of them in the executor's queue would let the lease lapse, and every
                /// one of them would then ask the database.
                func addUrgent(_ task: sending @escaping @isolated(any) () async -> Void) {
                    group.addTask(priority: .high, operation: task)
                }
                addUrgent { await self.follow() }
                addUrgent { await self.listen() }
                if self.relays { addUrgent { await self.work() } }
                addUrgent { await self.publish() }
                group.addTask { await self.report() }
                if self.relays {
                    group.addTask {
                        await self.walk(every: Self.pruneInterval) {
                            PruneEvents(after: $0, retention: self.eventRetention)
                        }
                    }
                    group.addTask { await self.walk(every: Self.reservationInterval) { SweepReservations(after: $0) } }
                }
                if let redis = self.redis {
                    addUrgent { await self.watch(redis) }
                    addUrgent { await self.showLife() }
                }
                if let lane = self.lane, self.relays { group.addTask { await self.sweep(lane) } }
                if let subscriber = self.subscriber {
                    addUrgent { await subscriber.run() }
                    addUrgent { await self.receive(subscriber) }
                }
            }
        }
    }

    /// Says that something was committed: the relay drains soon.
    package func nudge() {
        relay.withLock { $0.nudged(at: self.clock.now) }
        relayBell.ring()
    }

    // MARK: - Following the log

    private func follow() async {
        while !Task.isCancelled {
            await probe()
            _ = await probeBell.wait(atMost: settings.probeInterval)
        }
    }

    private func probe() async {
        // The clock is read before the statement is sent: what is acknowledged after this moment is not claimed.
        let start = cache.lane.probeBegins(at: clock.now)
        let statement = FollowLog(from: start.from?.sequence, limit: settings.followLimit + 1)
        do {
            let rows = try await postgres.probe(
                statement,
                deadline: .now.advanced(by: settings.probeDeadline)
            )
            guard let answer = FollowLog.answer(rows) else { return }
            relay.withLock { relay in
                relay.observed(drains: answer.drains, at: self.clock.now)
                relay.observed(ns: answer.ns)
            }
            // A lease that lapsed while the answer took its time is to be seen, although this answer may renew it.
            noteUsable()
            heed(cache.lane.probeEnded(start, answer))
            note(.postgres, isAvailable: true)
        } catch {
            // Nothing to do: the lease runs out by itself, and the next probe comes.
            if !Task.isCancelled { note(.postgres, isAvailable: false) }
        }
        noteUsable()
        noteActive()
    }

    private func heed(_ effects: LaneStateMachine.Effects) {
        if effects.probesNow { probeBell.ring() }
        if let doubt = effects.doubt { cache.countHole(doubt) }
        if let ns = effects.condemned {
            relay.withLock { $0.historyReplaced(ns: ns, at: self.clock.now) }
            relayBell.ring()
        }
    }

    private func listen() async {
        while !Task.isCancelled {
            for await event in postgres.listen(channel: Self.notifications) {
                if case .resync = event {
                    // Perhaps another server: its identity is compared before the next drain.
                    relay.withLock { $0.postgresConnected() }
                    relayBell.ring()
                }
                probeBell.ring()
            }
            // The stream ends with the client.
            _ = await Doorbell().wait(atMost: settings.probeInterval)
        }
    }

    // MARK: - The bus

    /// One ordered task, never one per message: messages are numbered, and order is half of the protocol.
    private func receive(_ subscriber: RedisSubscriber) async {
        for await event in subscriber.events {
            switch event {
            case .subscribed:
                // What was published before is lost; messages from now on wait in the queue until the log was asked.
                heed(cache.lane.doubt(.bus))
                await probe()
                note(.bus, isAvailable: true)
            case .message(let bytes):
                let message = BusMessage(parsing: bytes)
                heed(cache.lane.received(message))
                if case .applied(let ns, _, let last, let tag, _, let sentAt) = message {
                    relay.withLock { $0.heard(Watermark(ns: ns, sequence: last, tag: tag)) }
                    if let sentAt { metrics.heeded(sentAt: sentAt, now: CacheClock.wallMicroseconds) }
                }
            case .lost:
                heed(cache.lane.doubt(.bus))
                if !Task.isCancelled { note(.bus, isAvailable: false) }
            }
        }
    }

    private func watch(_ redis: RedisClient) async {
        for await event in redis.connectionEvents() {
            switch event {
            case .connected(let runID, _):
                relay.withLock { $0.redisConnected(runID: runID) }
                note(.redis, isAvailable: true)
            case .disconnected:
                relay.withLock { $0.redisDisconnected() }
                if !Task.isCancelled { note(.redis, isAvailable: false) }
            }
            relayBell.ring()
        }
    }

    /// The writer's fast path: nudges the relay and bumps Redis.
    ///
    /// Only saves time.
    private func publish() async {
        let commits = cache.commits
        while !Task.isCancelled {
            _ = await commits.doorbell.wait(atMost: nil)
            let writes = commits.takeAll()
            guard !writes.isEmpty else { continue }
            Failpoint.reach("before_publish")
            nudge()
            await cache.bumpSecondLevel(writes)
        }
    }

    // MARK: - The relay

    /// The relay's loop: asks the machine, acts, reports.
    ///
    /// Its statements run on the listener's connection, as the probes do: if they queued behind the shop's units, an overload
    /// would end the lease, every read would go to the database, and the overload would feed itself. None of them waits for a
    /// lock longer than another relay's drain takes.
    private func work() async {
        while !Task.isCancelled {
            let now = clock.now
            let step = relay.withLock { $0.next(at: now) }
            do {
                try await take(step, now)
            } catch let error as RedisError {
                _ = error
                relay.withLock { $0.redisFailed(at: self.clock.now) }
            } catch {
                relay.withLock { $0.postgresFailed(at: self.clock.now) }
            }
        }
    }

    private func take(_ step: RelayStateMachine.Step, _ now: Int64) async throws {
        switch step {
        case .wait(let until):
            _ = await relayBell.wait(atMost: .nanoseconds(max(0, until - now)))
        case .checkIdentity:
            var unit = UnitOfWork(tenant: nil, access: .read)
            let identity = try unit.add(ReadIdentity())
            let newest = try unit.add(FollowLog(from: nil, limit: 1))
            let result = try await postgres.perform(unit, on: .listener, deadline: self.deadline)
            let actual = try result.one(identity).value
            let stored = try result.first(newest)?.identity
            relay.withLock { $0.checkedIdentity(actual: actual, stored: stored) }
        case .adoptIdentity(let identity):
            var unit = UnitOfWork(tenant: nil, access: .write)
            try unit.add(StoreIdentity(identity: identity))
            let rotated = try unit.add(RotateLane())
            let result = try await postgres.perform(unit, on: .listener, deadline: self.deadline)
            let ns = try result.one(rotated).value
            noteRotation("identity")
            relay.withLock { $0.adoptedIdentity(ns: ns) }
        case .drain(let notifies):
            let rows = try await self.drain(notifies: notifies)
            Failpoint.reach("after_drain")
            let now = clock.now
            let first = rows.first
            let answer = FollowLog.answer(rows.map { $0.log })
            if let first, let answer, first.moved > 0, let oldest = first.oldest {
                drained.withLock { $0 = DrainedRows(last: answer.head, oldest: oldest * 1000, at: now) }
            }
            relay.withLock { $0.drained(first.map { ($0.moved, $0.isFull) }, answer: answer, at: now) }
            noteActive()
            // Without Redis nothing else tells this instance that the log has grown.
            if notifies, let first, first.moved > 0 { probeBell.ring() }
        case .rotate(let cause):
            var unit = UnitOfWork(tenant: nil, access: .write)
            let slot = try unit.add(RotateLane())
            let ns = try await postgres.perform(unit, on: .listener, deadline: self.deadline).one(slot).value
            noteRotation(cause.rawValue)
            relay.withLock { $0.rotated(ns: ns) }
            probeBell.ring()
        case .follow(let from):
            let rows = try await postgres.query(
                FollowLog(from: from, limit: settings.followLimit + 1),
                tenant: nil,
                on: .listener,
                deadline: self.deadline
            )
            guard let answer = FollowLog.answer(rows) else { return }
            relay.withLock { $0.followed(answer, at: self.clock.now) }
        case .prune:
            var unit = UnitOfWork(tenant: nil, access: .write)
            let slot = try unit.add(PruneLog())
            let count = try await postgres.perform(unit, on: .exclusive, deadline: self.deadline).one(slot).value
            relay.withLock { $0.pruned(isMore: count >= PruneLog.limit, at: self.clock.now) }
        case .readWatermark:
            guard let lane else { return }
            let watermark = try await lane.watermark()
            relay.withLock { $0.readWatermark(watermark, at: self.clock.now) }
        case .apply(let batch):
            guard let lane else { return }
            if let delay = Failpoint.delay("apply") { _ = await Doorbell().wait(atMost: delay) }
            let answer = try await lane.apply(batch)
            Failpoint.reach("after_apply")
            let now = clock.now
            relay.withLock { $0.applied(answer, at: now) }
            if answer == .done { applied(batch, at: now) }
        case .declareAlive(let declaration):
            guard let lane else { return }
            let answer = try await lane.declareAlive(declaration)
            relay.withLock { $0.declaredAlive(answer, at: self.clock.now) }
        case .testWriting:
            guard let lane else { return }
            try await lane.testWriting()
            relay.withLock { $0.tookWrite() }
        case .reset(let watermark):
            guard let lane else { return }
            try await lane.reset(watermark)
            relay.withLock { $0.reset() }
        }
    }

    private func drain(notifies: Bool) async throws(PostgresError) -> [DrainOutbox.Row] {
        let drain = DrainOutbox(
            limit: settings.drainLimit,
            notifies: notifies,
            from: relay.withLock { $0.drainsFrom },
            followLimit: settings.followLimit + 1
        )
        #if COHERENCE_CONTROLS
        if settings.defects.contains(.noOutbox) { return try await perform(DropOutbox()) }
        if let delay = Failpoint.delay("drain") {
            return try await perform(DrainOutboxSlowly(drain: drain, delay: delay))
        }
        #endif
        return try await perform(drain)
    }

    /// Runs one writing statement on the listener's connection, as a unit of its own.
    private func perform<S: Statement>(_ statement: S) async throws(PostgresError) -> [S.Row] {
        var unit = UnitOfWork(tenant: nil, access: .write)
        let slot = try unit.add(statement)
        return try await postgres.perform(unit, on: .listener, deadline: self.deadline).rows(slot)
    }

    /// Rows are applied: the scopes have values to be swept, and a drain has arrived.
    private func applied(_ batch: RelayBatch, at now: Int64) {
        let rows = drained.withLock { drained in
            guard let rows = drained, rows.last <= batch.last else { return DrainedRows?.none }
            drained = nil
            return rows
        }
        if let rows { metrics.applied(nanoseconds: rows.oldest + now - rows.at) }
        sweeps.withLock { sweeps in
            for item in batch.items {
                sweeps.bumped(SweepSchedule.Name(tenant: item.tenant, module: item.module), at: now)
            }
        }
        sweepBell.ring()
    }

    private var deadline: ContinuousClock.Instant { .now.advanced(by: .seconds(5)) }

    // MARK: - Beside the protocol

    /// Frees the memory of retired values; nothing depends on it, and nothing waits for it.
    private func sweep(_ lane: RedisLane) async {
        while !Task.isCancelled {
            let (names, due) = sweeps.withLock { ($0.take(at: self.clock.now), $0.nextDue) }
            for name in names where !Task.isCancelled {
                // What fails is left to expire.
                try? await lane.sweep(tenant: name.tenant, module: name.module)
            }
            guard names.isEmpty else { continue }
            _ = await sweepBell.wait(atMost: due.map { .nanoseconds(max(1_000_000, $0 - self.clock.now)) })
        }
    }

    /// Says that this instance's fills are alive, so that others need not wait for those of one that is not.
    private func showLife() async {
        while !Task.isCancelled {
            await cache.showLife()
            _ = await Doorbell().wait(atMost: settings.fillerBeatInterval)
        }
    }

    /// Does what is due for every tenant, some of them at a step; once through all, then a pause.
    ///
    /// The relay at work does it: two would only do the same.
    ///
    /// - Parameters:
    ///   - pause: Between two rounds.
    ///   - step: What is done to tenants after one; its row names the next one to begin after, none at the end.
    private func walk<Step: Statement>(
        every pause: Duration,
        _ step: @Sendable (_ after: Int64) -> Step
    ) async where Step.Row == SingleColumn<Int64?> {
        var after: Int64?
        while !Task.isCancelled {
            _ = await Doorbell().wait(atMost: after == nil ? pause : settings.idleDrainInterval)
            guard !Task.isCancelled, relay.withLock({ $0.isActive }) else { continue }
            var unit = UnitOfWork(tenant: nil, access: .write)
            // What fails is tried again after the pause.
            guard let slot = try? unit.add(step(after ?? 0)),
                let result = try? await postgres.perform(unit, on: .exclusive, deadline: self.deadline)
            else {
                after = nil
                continue
            }
            after = try? result.one(slot).value
        }
    }

    // MARK: - Telling people

    private func report() async {
        var (second, isWaiting) = (0, false)
        while !Task.isCancelled {
            _ = await Doorbell().wait(atMost: .seconds(1))
            second = (second + 1) % 10
            cache.reportMetrics()
            noteUsable()
            for line in stateLog.withLock({ $0.due(at: self.clock.now) }) { write(line) }
            // All look, so that somebody does where nobody relays; most of them more rarely, until there is something to see.
            if isWaiting || second == 0 || relay.withLock({ $0.isActive }) {
                isWaiting = await measureOutbox() ?? isWaiting
            }
        }
    }

    /// Whether anything waits in the outbox; nil if that cannot be asked.
    private func measureOutbox() async -> Bool? {
        let deadline = ContinuousClock.now.advanced(by: settings.probeDeadline)
        guard let row = try? await postgres.probe(CountOutbox(), deadline: deadline).first else { return nil }
        metrics.outbox(rows: row.count, oldest: row.oldest)
        return row.count > 0
    }

    private var unusableCause: UnusableCause {
        let state = cache.lane.state
        if state.condemned != nil { return .history }
        if state.applied == nil { return .start }
        return state.hasHole ? .hole : .lease
    }

    private func note(_ part: CachePart, isAvailable: Bool) {
        guard cache.note(part, isAvailable: isAvailable) else { return }
        noteChange(
            part.rawValue,
            isAvailable
                ? StateLog.Line(.info, "cache part available", ["part": part.rawValue])
                : StateLog.Line(.warning, "cache part unavailable", ["part": part.rawValue])
        )
    }

    private func noteActive() {
        let isActive = relay.withLock { $0.isActive }
        let isNews = wasActive.withLock { was in
            defer { was = isActive }
            return was != isActive
        }
        guard isNews else { return }
        noteChange("relay", StateLog.Line(.info, isActive ? "cache relay active" : "cache relay standing by"))
    }

    private func noteRotation(_ cause: String) {
        metrics.rotated(cause)
        noteChange("rotation", StateLog.Line(.notice, "cache rotated", ["cause": cause]))
    }

    private func noteUsable() {
        guard settings.isEnabled, !Task.isCancelled else { return }
        let now = clock.now
        let isUsable = cache.isUsable
        let cause = isUsable ? nil : unusableCause
        let (before, passed, lasted) = usability.withLock { $0.observed(cause, at: now) }
        if let before { metrics.unusable(before, nanoseconds: passed) }
        guard let lasted else { return }
        let seconds = String(Double(lasted / 1_000_000) / 1000)
        if let cause {
            noteChange(
                "lease",
                StateLog.Line(.warning, "cache not in use", ["cause": cause.rawValue, "was_in_use_seconds": seconds])
            )
        } else {
            noteChange(
                "lease",
                StateLog.Line(
                    .info,
                    "cache in use",
                    ["cause": before?.rawValue ?? "start", "was_not_in_use_seconds": seconds]
                )
            )
        }
    }

    private func noteChange(_ state: String, _ line: StateLog.Line) {
        if let line = stateLog.withLock({ $0.changed(state, line, at: self.clock.now) }) { write(line) }
    }

    private func write(_ line: StateLog.Line) {
        logger.log(
            level: line.level,
            "\(line.message)",
            metadata: Logger.Metadata(uniqueKeysWithValues: line.metadata.map { ($0, .string($1)) })
        )
    }
}

/// What one drain moved and nobody applied yet.
private struct DrainedRows {
    /// The last row of the log.
    let last: Int64
    /// The age of the oldest when the drain had ended, in nanoseconds.
    let oldest: Int64
    /// When that was.
    let at: Int64
}

/// Since when the caches are in use or not.
private struct Usability {
    private var cause: UnusableCause? = .start
    private var since: Int64?
    private var accounted: Int64?

    /// Takes in whether they are, and why not.
    ///
    /// - Returns: the cause until now with the time to be accounted to it, and how long that state lasted if it has ended.
    mutating func observed(_ cause: UnusableCause?, at now: Int64) -> (UnusableCause?, Int64, lasted: Int64?) {
        let before = self.cause
        let passed = now - (accounted ?? now)
        let began = since ?? now
        accounted = now
        since = began
        self.cause = cause
        guard (before == nil) != (cause == nil) else { return (before, passed, nil) }
        since = now
        return (before, passed, now - began)
    }
}

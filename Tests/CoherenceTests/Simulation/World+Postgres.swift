import Coherence

@testable import Cache

/// The follower and the relay of an instance, at PostgreSQL.
extension World {
    // MARK: - Connection

    func connectPostgres(_ instance: SimulatedInstance, _ incarnation: Int32) {
        guard instance.incarnation == incarnation, instance.isRunning else { return }
        if self.isHeld(instance, .connectPostgres, instance.number, incarnation) { return }
        guard self.database.isUp, self.now >= instance.postgresCutUntil else {
            self.queue.add(self.now + 50 * Self.ms, .connectPostgres, instance.number, incarnation)
            return
        }
        guard instance.postgresEpoch != self.database.epoch else { return }
        instance.postgresEpoch = self.database.epoch
        self.note("instance \(instance.number) connects to PostgreSQL")
        instance.relay.postgresConnected()
        self.wakeRelay(instance)
        self.probe(instance)
    }

    /// Whether a statement of an instance reaches the server.
    private func reaches(_ instance: SimulatedInstance, _ epoch: Int32) -> Bool {
        self.database.isUp && self.database.epoch == epoch && self.now >= instance.postgresCutUntil
    }

    /// When the answer to what runs now arrives.
    func replyTime(_ instance: SimulatedInstance) -> Int64 {
        max(self.now + self.latency(), instance.postgresCutUntil)
    }

    // MARK: - Follower

    func probeTick(_ instance: SimulatedInstance, _ incarnation: Int32) {
        guard instance.incarnation == incarnation, instance.isRunning else { return }
        if self.isHeld(instance, .probeTick, instance.number, incarnation) { return }
        self.queue.add(
            self.now + self.settings.probeInterval.nanoseconds,
            .probeTick,
            instance.number,
            incarnation
        )
        self.probe(instance)
    }

    func probe(_ instance: SimulatedInstance) {
        guard !instance.isProbing else {
            instance.probesAgain = true
            return
        }
        instance.isProbing = true
        instance.probesAgain = false
        instance.probe = SimulatedProbe(
            start: instance.lane.probeBegins(at: self.now),
            epoch: instance.postgresEpoch,
            deadline: self.now + self.settings.probeDeadline.nanoseconds
        )
        instance.probeTicket += 1
        self.queue.add(self.now + self.latency(), .probe, instance.number, instance.probeTicket)
    }

    func continueProbe(_ instance: SimulatedInstance, _ ticket: Int32) {
        guard ticket == instance.probeTicket, let probe = instance.probe else { return }
        guard probe.isAnswered else {
            instance.probe?.isAnswered = true
            if self.reaches(instance, probe.epoch) {
                instance.probe?.answer = self.database.follow(
                    from: probe.start.from?.sequence,
                    limit: self.settings.followLimit + 1
                )
                self.queue.add(self.replyTime(instance), .probe, instance.number, ticket)
            } else {
                // Refused at once, or given up in the end.
                let isRefused = !self.database.isUp || self.database.epoch != probe.epoch
                self.queue.add(
                    isRefused ? self.now + self.latency() : probe.deadline,
                    .probe,
                    instance.number,
                    ticket
                )
            }
            return
        }
        if self.isHeld(instance, .probe, instance.number, ticket) { return }
        instance.isProbing = false
        instance.probe = nil
        // After a stop the answer and the end of its time are both there: either may be seen first.
        if let answer = probe.answer, self.now <= probe.deadline || self.percent(50) {
            instance.relay.observed(drains: answer.drains, at: self.now)
            instance.relay.observed(ns: answer.ns)
            self.note("instance \(instance.number) probed: head \(answer.head), drains \(answer.drains)")
            self.heed(instance, instance.lane.probeEnded(probe.start, answer), "probe")
        }
        if instance.probesAgain { self.probe(instance) }
        if instance.bus.isWaitingForProbe {
            instance.bus.isWaitingForProbe = false
            if !instance.bus.isDelivering { self.deliverNext(instance) }
        }
    }

    /// Does what the lane's machine decided, as the product's `CoherenceLane` does, in one step.
    func heed(_ instance: SimulatedInstance, _ effects: LaneStateMachine.Effects, _ source: StaticString) {
        if effects.forgetsWrites {
            for scope in 0..<Shop.scopes {
                instance.historyBegins[scope] = instance.versions[scope] + 1
                instance.own[scope] = OwnWrites()
            }
        }
        if effects.dropsAll {
            for scope in 0..<Shop.scopes { instance.versions[scope] += 1 }
        }
        for bump in effects.bumps {
            let scope = Shop.scope(bump.tenant, bump.module)
            instance.versions[scope] += 1
            if bump.isLogged, !bump.xids.isEmpty { instance.own[scope].remove(bump.xids) }
        }
        if self.traces, effects != LaneStateMachine.Effects() {
            let bumps = effects.bumps.map { "\(Shop.scope($0.tenant, $0.module)):\($0.xids)" }
            self.note(
                "instance \(instance.number) by \(source): applied \(instance.lane.applied?.sequence ?? -1), "
                    + "drops \(effects.dropsAll), bumps \(bumps), doubt \(effects.doubt?.rawValue ?? "-")"
            )
        }
        if effects.probesNow { self.probe(instance) }
        if let ns = effects.condemned {
            instance.relay.historyReplaced(ns: ns, at: self.now)
            self.wakeRelay(instance)
        }
    }

    func isUsable(_ instance: SimulatedInstance) -> Bool {
        self.now < instance.lane.usableUntil
    }

    // MARK: - Relay

    /// Asks the relay for its next step, unless it is at one.
    func pump(_ instance: SimulatedInstance) {
        guard instance.relayStep == nil, instance.isRunning else { return }
        let step = instance.relay.next(at: self.now)
        instance.relayTicket += 1
        if case .wait(let until) = step {
            self.queue.add(max(self.now, until), .relay, instance.number, instance.relayTicket)
            return
        }
        instance.relayStep = RelayStep(
            step: step,
            epoch: instance.postgresEpoch,
            drainsFrom: instance.relay.drainsFrom
        )
        switch step {
        case .readWatermark, .apply, .declareAlive, .testWriting, .reset:
            instance.relayStep?.epoch = instance.serverEpoch
        default: break
        }
        self.queue.add(self.now + self.latency(), .relay, instance.number, instance.relayTicket)
    }

    /// Interrupts the relay's waiting.
    func wakeRelay(_ instance: SimulatedInstance) {
        if instance.relayStep == nil { self.pump(instance) }
    }

    func continueRelay(_ instance: SimulatedInstance, _ ticket: Int32) {
        guard ticket == instance.relayTicket else { return }
        guard let step = instance.relayStep else {
            if self.isHeld(instance, .relay, instance.number, ticket) { return }
            self.pump(instance)
            return
        }
        switch step.phase {
        case .sent:
            self.perform(step, instance, ticket)
        case .draining(let rows, let isFull):
            self.commitDrain(step, rows, isFull, instance, ticket)
        case .answered:
            if self.isHeld(instance, .relay, instance.number, ticket) { return }
            instance.relayStep = nil
            self.report(step, instance)
            self.pump(instance)
        }
    }

    private func answer(_ instance: SimulatedInstance, _ reply: RelayStep.Reply, at time: Int64? = nil) {
        instance.relayStep?.reply = reply
        instance.relayStep?.phase = .answered
        self.queue.add(time ?? self.replyTime(instance), .relay, instance.number, instance.relayTicket)
    }

    private func perform(_ step: RelayStep, _ instance: SimulatedInstance, _ ticket: Int32) {
        switch step.step {
        case .wait:
            break
        case .readWatermark, .apply, .declareAlive, .testWriting, .reset:
            self.performAtRedis(step, instance)
        default:
            guard self.reaches(instance, step.epoch) else {
                self.answer(instance, .postgresFailed)
                return
            }
            self.performAtPostgres(step, instance, ticket)
        }
    }

    private func performAtPostgres(_ step: RelayStep, _ instance: SimulatedInstance, _ ticket: Int32) {
        switch step.step {
        case .checkIdentity:
            self.answer(
                instance,
                .identity(actual: self.database.state.identity, stored: self.database.state.storedIdentity)
            )
        case .adoptIdentity(let identity):
            self.database.state.storedIdentity = identity
            let ns = self.database.rotate(to: self.freshNamespace())
            self.note("instance \(instance.number) adopts identity \(identity), rotates to \(ns.prefix(6))")
            self.answer(instance, .namespace(ns))
        case .rotate(let cause):
            let ns = self.database.rotate(to: self.freshNamespace())
            self.note("instance \(instance.number) rotates to \(ns.prefix(6)): \(cause.rawValue)")
            self.answer(instance, .namespace(ns))
        case .drain:
            guard self.database.locker == nil else {
                self.answer(instance, .skipped)
                return
            }
            self.database.locker = instance.number
            let limit = self.percent(5) ? 2 : self.settings.drainLimit
            let rows = min(limit, self.database.state.outbox.count)
            instance.relayStep?.phase = .draining(rows: rows, isFull: rows >= limit)
            let isStuck = self.isBusy && self.permille(self.profile.stuckDrains)
            let duration = isStuck ? self.between(200, self.profile.longestDrain) * Self.ms : self.latency()
            self.queue.add(self.now + duration, .relay, instance.number, ticket)
        case .prune:
            self.database.prune(before: self.now - self.profile.logAge * Self.ms)
            self.answer(instance, .pruned)
        case .follow(let from):
            self.answer(
                instance,
                .followed(self.database.follow(from: from, limit: self.settings.followLimit + 1))
            )
        default:
            break
        }
    }

    /// A drain takes its snapshot when it has the lock and shows its rows when it commits; in between others commit.
    private func commitDrain(
        _ step: RelayStep,
        _ rows: Int,
        _ isFull: Bool,
        _ instance: SimulatedInstance,
        _ ticket: Int32
    ) {
        guard self.database.isUp, self.database.epoch == step.epoch else {
            self.answer(instance, .postgresFailed)
            return
        }
        self.database.locker = nil
        let moved = self.database.drain(rows, isFull: isFull, logs: !self.off.noOutbox, now: self.now) {
            Int32(truncatingIfNeeded: self.random.next() >> 40)
        }
        if rows > 0 {
            self.note("instance \(instance.number) drained \(rows) rows, head \(self.database.state.head)")
        }
        let from = moved > 0 ? step.drainsFrom : nil
        let log = from.map { self.database.follow(from: $0, limit: self.settings.followLimit + 1) }
        self.answer(instance, .drained(moved: moved, isFull: isFull, log: log))
    }

    private func performAtRedis(_ step: RelayStep, _ instance: SimulatedInstance) {
        guard let server = self.reachableServer(instance, step.epoch) else {
            self.answer(instance, .redisFailed, at: self.redisReplyTime(instance))
            return
        }
        var reply = RelayStep.Reply.redisFailed
        switch step.step {
        case .readWatermark:
            reply = .watermark(server.data.watermark)
        case .apply(let batch):
            if let answer = self.scriptApply(server, batch, by: instance) {
                self.note("instance \(instance.number) APPLY \(batch.first)...\(batch.last): \(answer)")
                reply = .script(answer)
            }
        case .declareAlive(let declaration):
            if let answer = self.scriptAlive(server, declaration) { reply = .script(answer) }
        case .testWriting:
            if !server.isFull { reply = .tookWrite }
        case .reset(let watermark):
            if self.scriptReset(server, watermark) != nil {
                self.note("instance \(instance.number) RESET to \(watermark.sequence)")
                reply = .reset
            }
        default:
            break
        }
        self.answer(instance, reply, at: self.redisReplyTime(instance))
    }

    private func report(_ step: RelayStep, _ instance: SimulatedInstance) {
        let now = self.now
        // An answer that was on its way when the server ended is lost.
        switch step.reply {
        case .watermark, .script, .tookWrite, .reset:
            if instance.server == nil || instance.serverEpoch != step.epoch {
                instance.relay.redisFailed(at: now)
                return
            }
        default:
            if !self.database.isUp || self.database.epoch != step.epoch {
                if case .redisFailed = step.reply { break }
                instance.relay.postgresFailed(at: now)
                return
            }
        }
        switch step.reply {
        case .none: break
        case .postgresFailed: instance.relay.postgresFailed(at: now)
        case .redisFailed: instance.relay.redisFailed(at: now)
        case .identity(let actual, let stored): instance.relay.checkedIdentity(actual: actual, stored: stored)
        case .namespace(let ns):
            if case .adoptIdentity = step.step {
                instance.relay.adoptedIdentity(ns: ns)
            } else {
                instance.relay.rotated(ns: ns)
                self.probe(instance)
            }
        case .skipped: instance.relay.drained(nil, at: now)
        case .drained(let moved, let isFull, let log):
            instance.relay.drained((moved, isFull), answer: log, at: now)
            if moved > 0, case .drain(notifies: true) = step.step {
                for other in self.instances where other.isRunning { self.probe(other) }
            }
        case .followed(let answer): instance.relay.followed(answer, at: now)
        case .watermark(let watermark): instance.relay.readWatermark(watermark, at: now)
        case .script(let answer):
            if case .apply = step.step {
                instance.relay.applied(answer, at: now)
            } else {
                instance.relay.declaredAlive(answer, at: now)
            }
        case .tookWrite: instance.relay.tookWrite()
        case .reset: instance.relay.reset()
        case .pruned: instance.relay.pruned(isMore: false, at: now)
        }
    }
}

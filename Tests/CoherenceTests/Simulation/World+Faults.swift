import Coherence

@testable import Cache

/// What goes wrong.
extension World {
    func planFault() {
        let pause = self.between(self.profile.faultInterval.lowerBound, self.profile.faultInterval.upperBound)
        self.queue.add(self.now + pause * Self.ms, .fault, 0, 0)
    }

    func strike() {
        guard self.isBusy else { return }
        self.planFault()
        // Old states to come back to.
        if self.percent(30) { self.save = self.primary.data }
        if self.database.isUp, self.percent(30) { self.database.saved = self.database.state }
        let fault = self.profile.faults[self.below(self.profile.faults.count)]
        self.note("fault: \(fault)")
        self.tally.faults += 1
        if self.profile.hasRedis, self.strikeRedis(fault) { return }
        self.strikeOthers(fault)
    }

    private func strikeRedis(_ fault: Fault) -> Bool {
        switch fault {
        case .flushAll:
            self.primary.data = DataSet()
        case .restartRedisEmpty:
            self.stopRedis(then: DataSet())
        case .restartRedisOld:
            self.stopRedis(then: self.save ?? DataSet())
        case .redisDown:
            self.stopRedis(then: self.primary.data, within: 200...4000)
        case .evictGeneration:
            self.primary.data.generations[self.below(Shop.scopes)] = nil
        case .evictWatermark:
            self.primary.data.set(nil)
        case .evictAlive:
            self.primary.data.alive = nil
        case .evictValue:
            self.primary.data.values[self.below(Shop.keys)] = nil
        case .evictRing:
            self.primary.data.rings[self.below(Shop.scopes)] = []
        case .evictLease:
            self.primary.data.leases[self.below(Shop.keys)] = nil
        case .redisFull:
            self.primary.isFull.toggle()
        case .promoteReplica, .twoPrimaries:
            self.promote(leavingOld: fault == .twoPrimaries)
        default:
            return false
        }
        return true
    }

    private func strikeOthers(_ fault: Fault) {
        let instance = self.instances[self.below(self.instances.count)]
        switch fault {
        case .stop:
            guard instance.isRunning else { return }
            instance.stoppedUntil = self.now + self.between(50, 4000) * Self.ms
        case .kill:
            guard instance.isRunning else { return }
            self.kill(instance)
            self.queue.add(self.now + self.between(50, 2000) * Self.ms, .start, instance.number, 0)
        case .crashPostgres:
            self.crashPostgres(fault)
        case .restorePostgres, .promotePostgres:
            guard self.database.isUp else { return }
            // What comes back is old, or only just behind.
            if self.database.saved == nil || self.percent(50) { self.database.saved = self.database.state }
            let index = fault == .restorePostgres ? 1 : 2
            self.queue.add(self.now + self.between(20, 800) * Self.ms, .postgresUp, index, 0)
        case .reconnectBus:
            if self.profile.hasRedis { self.loseBus(instance) }
        case .delayBus:
            instance.bus.delayedUntil = self.now + self.between(200, 5000) * Self.ms
        case .muteBus:
            // Everything on its way is lost, and so is what comes next.
            instance.bus.mutedUntil = self.now + self.between(100, 3000) * Self.ms
        case .cutPostgres:
            instance.postgresCutUntil = self.now + self.between(100, 4000) * Self.ms
        case .cutRedis:
            instance.redisCutUntil = self.now + self.between(20, 3000) * Self.ms
            self.leaveRedis(instance, within: 1000)
        default:
            break
        }
    }

    // MARK: - Redis

    /// Ends the server; it comes back with what it had saved.
    private func stopRedis(then data: DataSet, within pause: ClosedRange<Int64> = 5...1500) {
        guard self.primary.isUp else { return }
        self.primary.stop()
        self.restarting = data
        for instance in self.instances where instance.target === self.primary { self.leaveRedis(instance, within: 20) }
        self.queue.add(self.now + self.between(pause.lowerBound, pause.upperBound) * Self.ms, .redisUp, 0, 0)
    }

    func startRedis(_ index: Int) {
        if index == 1 { return self.finishPromotion() }
        self.runs += 1
        self.primary.start(with: self.restarting, runID: "run\(self.runs)")
        self.note("Redis is up as run\(self.runs)")
    }

    /// A replica, some way behind, becomes the primary; the old one is gone, or goes on for those who have not heard.
    private func promote(leavingOld: Bool) {
        guard self.primary.isUp, self.replica == nil else { return }
        self.replica = self.primary.data
        self.leavesOld = leavingOld
        self.queue.add(self.now + self.between(1, 400) * Self.ms, .redisUp, 1, 0)
    }

    private func finishPromotion() {
        guard let data = self.replica else { return }
        self.replica = nil
        guard self.primary.isUp else { return }
        let old = self.primary
        self.runs += 1
        self.primary = SimulatedRedis(runID: "run\(self.runs)")
        self.primary.data = data
        self.note("replica promoted as run\(self.runs), old one stays \(self.leavesOld)")
        if !self.leavesOld { old.stop() }
        for instance in self.instances {
            instance.target = self.primary
            self.leaveRedis(instance, within: self.leavesOld ? 4000 : 20)
        }
    }

    // MARK: - PostgreSQL

    private func crashPostgres(_ fault: Fault) {
        guard self.database.isUp else { return }
        let state = self.database.state
        self.database.crash(drains: self.between(state.safeDrains, state.drains))
        switch fault {
        case .restorePostgres where self.isNoticeable(self.database.saved ?? state):
            if self.database.restore(identity: nil) { self.restored() }
        case .promotePostgres:
            self.timelines += 1
            if self.database.restore(identity: "cluster/\(self.timelines)") { self.restored() }
        default:
            break
        }
        self.database.isUp = false
        if fault != .crashPostgres, self.percent(40) { self.sleepThroughRestore() }
        // To bring back an old data directory, or to promote a replica, takes longer than a lease.
        let least: Int64 = fault == .crashPostgres ? 1 : 1100
        self.queue.add(self.now + self.between(least, least + 1500) * Self.ms, .postgresUp, 0, 0)
    }

    /// Whether it shows that the database went back to a state.
    ///
    /// A copy since which no row of the log was written, or none that Redis has heard of, is an open corner of the protocol: nothing
    /// that is looked at tells it from the present. See docs/decisions/0011-replaced-history.md.
    private func isNoticeable(_ copy: SimulatedDatabase.State) -> Bool {
        guard copy.head < self.database.state.head else { return false }
        guard self.profile.hasRedis, let watermark = self.primary.data.watermark else { return true }
        return watermark.ns != self.database.state.ns || watermark.sequence > copy.head
    }

    /// All processes but one sleep until the new history has grown, and the one knows nothing of the old.
    ///
    /// Nobody then sees that the log ends before what he has applied: only its tags show that it is another.
    private func sleepThroughRestore() {
        let awake = self.instances[self.below(self.instances.count)]
        for instance in self.instances where instance !== awake && instance.isRunning {
            instance.stoppedUntil = self.now + self.between(1500, 7000) * Self.ms
        }
        guard awake.isRunning else { return }
        self.kill(awake)
        self.queue.add(self.now + self.between(50, 2000) * Self.ms, .start, awake.number, 0)
    }

    private func restored() {
        let contents = self.database.state.contents
        self.note("history left for one that ends at \(contents), head \(self.database.state.head)")
        self.checker.restored(to: contents)
        for client in self.clients { client.forget(keepingToken: true) }
        for instance in self.instances {
            for scope in 0..<Shop.scopes {
                instance.acknowledged[scope] = min(instance.acknowledged[scope], contents[scope])
            }
        }
    }

    func startPostgres(_ index: Int) {
        if index > 0 { return self.crashPostgres(index == 1 ? .restorePostgres : .promotePostgres) }
        self.database.isUp = true
        self.note("PostgreSQL is up")
        for instance in self.instances where instance.isRunning {
            self.queue.add(self.now + self.latency(), .connectPostgres, instance.number, instance.incarnation)
        }
    }
}

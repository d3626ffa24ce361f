import Coherence

@testable import Cache

/// The connections of an instance to Redis: commands, and the bus.
extension World {
    // MARK: - Commands

    /// The server a command of an instance runs on; nil if it does not get there.
    func reachableServer(_ instance: SimulatedInstance, _ epoch: Int32) -> SimulatedRedis? {
        guard let server = instance.server, server.isUp, server.epoch == epoch, instance.serverEpoch == epoch,
            self.now >= instance.redisCutUntil
        else { return nil }
        return server
    }

    /// When the answer to what runs now arrives, or the failure is noticed.
    func redisReplyTime(_ instance: SimulatedInstance) -> Int64 {
        let time = self.now + self.latency()
        return self.now < instance.redisCutUntil ? self.now + self.settings.redisBudget.nanoseconds : time
    }

    func connectRedis(_ instance: SimulatedInstance, _ ticket: Int32) {
        guard ticket == instance.redisTicket, instance.isRunning, instance.server == nil else { return }
        if self.isHeld(instance, .connectRedis, instance.number, ticket) { return }
        guard instance.target.isUp, self.now >= instance.redisCutUntil else {
            self.queue.add(self.now + self.between(20, 200) * Self.ms, .connectRedis, instance.number, ticket)
            return
        }
        instance.server = instance.target
        instance.serverEpoch = instance.target.epoch
        self.note("instance \(instance.number) connects to Redis \(instance.target.runID)")
        instance.relay.redisConnected(runID: instance.target.runID)
        self.wakeRelay(instance)
    }

    func loseRedis(_ instance: SimulatedInstance, _ ticket: Int32) {
        guard ticket == instance.redisTicket, instance.isRunning else { return }
        if self.isHeld(instance, .loseRedis, instance.number, ticket) { return }
        if instance.server != nil {
            instance.server = nil
            self.note("instance \(instance.number) loses Redis")
            instance.relay.redisDisconnected()
            self.wakeRelay(instance)
        }
        instance.redisTicket += 1
        self.queue.add(self.now + self.between(1, 100) * Self.ms, .connectRedis, instance.number, instance.redisTicket)
        self.loseBus(instance)
    }

    /// Tells an instance, some time later, that its server is gone or another one is to be used.
    func leaveRedis(_ instance: SimulatedInstance, within longest: Int64) {
        guard instance.isRunning, self.profile.hasRedis else { return }
        self.queue.add(self.now + self.between(0, longest) * Self.ms, .loseRedis, instance.number, instance.redisTicket)
    }

    func showLife(_ instance: SimulatedInstance, _ incarnation: Int32) {
        guard instance.incarnation == incarnation, instance.isRunning else { return }
        if self.isHeld(instance, .liveness, instance.number, incarnation) { return }
        self.queue.add(
            self.now + self.settings.fillerBeatInterval.nanoseconds,
            .liveness,
            instance.number,
            incarnation
        )
        guard let server = self.reachableServer(instance, instance.serverEpoch), !server.isFull else { return }
        server.data.liveness[instance.number] = self.now + self.settings.fillerTTL.nanoseconds
        server.data.livenessOf[instance.number] = incarnation
    }

    // MARK: - Bus

    func subscribe(_ instance: SimulatedInstance, _ ticket: Int32) {
        guard ticket == instance.bus.ticket, instance.isRunning, !instance.bus.isConnected else { return }
        if self.isHeld(instance, .subscribe, instance.number, ticket) { return }
        guard instance.target.isUp, self.now >= instance.redisCutUntil else {
            self.queue.add(self.now + self.between(20, 200) * Self.ms, .subscribe, instance.number, ticket)
            return
        }
        instance.bus.server = instance.target
        instance.bus.isConnected = true
        instance.bus.heardAt = self.now
        self.queue.add(self.now + 500 * Self.ms, .silence, instance.number, ticket)
        // What was published before is lost; what comes from now on waits until the log was asked.
        self.heed(instance, instance.lane.doubt(.bus), "subscribe")
        instance.bus.isWaitingForProbe = true
        self.probe(instance)
    }

    func loseBus(_ instance: SimulatedInstance) {
        guard instance.isRunning else { return }
        instance.bus.isConnected = false
        instance.bus.isDelivering = false
        instance.bus.isWaitingForProbe = false
        instance.bus.ticket += 1
        // Sometimes what the old connection still had arrives after the new one was made.
        if self.percent(70) {
            instance.bus.queue.removeAll(keepingCapacity: true)
            instance.bus.next = 0
            instance.bus.clear = self.now
        }
        self.heed(instance, instance.lane.doubt(.bus), "bus lost")
        self.queue.add(self.now + self.latency(), .subscribe, instance.number, instance.bus.ticket)
    }

    func watchSilence(_ instance: SimulatedInstance, _ ticket: Int32) {
        guard ticket == instance.bus.ticket, instance.isRunning, instance.bus.isConnected else { return }
        if self.isHeld(instance, .silence, instance.number, ticket) { return }
        if self.now - instance.bus.heardAt > self.settings.busSilence.nanoseconds, !instance.bus.isWaitingForProbe {
            self.note("instance \(instance.number) finds the bus silent")
            self.loseBus(instance)
            return
        }
        self.queue.add(self.now + 500 * Self.ms, .silence, instance.number, ticket)
    }

    /// Plans the delivery of the next message.
    func deliverNext(_ instance: SimulatedInstance) {
        guard instance.bus.next < instance.bus.queue.count, !instance.bus.isWaitingForProbe, instance.bus.isConnected
        else {
            instance.bus.isDelivering = false
            if instance.bus.next == instance.bus.queue.count {
                instance.bus.queue.removeAll(keepingCapacity: true)
                instance.bus.next = 0
            }
            return
        }
        instance.bus.isDelivering = true
        let arrival = max(self.now, instance.bus.queue[instance.bus.next].arrival)
        self.queue.add(arrival, .deliver, instance.number, instance.bus.ticket)
    }

    func deliver(_ instance: SimulatedInstance, _ ticket: Int32) {
        guard ticket == instance.bus.ticket, instance.isRunning, instance.bus.next < instance.bus.queue.count
        else { return }
        if self.isHeld(instance, .deliver, instance.number, ticket) { return }
        let message = instance.bus.queue[instance.bus.next].message
        instance.bus.next += 1
        instance.bus.heardAt = self.now
        self.heed(instance, instance.lane.received(message, at: self.now), "bus")
        if case .applied(let ns, _, let last, let tag, _, _) = message {
            instance.relay.heard(Watermark(ns: ns, sequence: last, tag: tag))
        }
        // The doubt may have led to a new connection.
        if ticket == instance.bus.ticket { self.deliverNext(instance) }
    }
}

import Coherence
import NIOCore

@testable import Cache

/// A flight under way: one miss, and everybody who waits for it.
///
/// The product's machine decides; this does what the product's `TenantCache` does around it.
final class SimulatedFlight {
    enum Phase {
        /// A command is on its way to Redis, or the statement to PostgreSQL.
        case sent
        /// The answer is on its way back.
        case answered
    }

    struct Waiter {
        let client: SimulatedClient
        let ticket: Int32
        let leads: Bool
    }

    let number: Int
    var ticket: Int32 = 0
    var phase = Phase.sent
    var machine: FlightStateMachine
    var step = FlightStateMachine.Step.done
    var flight: Flight
    var instance: SimulatedInstance
    var key = 0
    var version: UInt64 = 0
    var namespace: UInt64 = 0
    var beganAt: Int64 = 0
    var waiting: [Waiter] = []
    var leader: SimulatedClient?
    var owner = FillOwner(instance: "", nonce: "")
    var serverEpoch: Int32 = 0
    var postgresEpoch: Int32 = 0
    // Answers on their way.
    var found: SecondLevelAnswer?
    var leaseAnswer: LeaseAnswer?
    var pollAnswer: PollAnswer?
    var hasStolen: Bool?
    var value: SimulatedValue?

    init(_ number: Int, _ instance: SimulatedInstance, _ flight: Flight, _ settings: CacheSettings) {
        self.number = number
        self.instance = instance
        self.flight = flight
        self.machine = FlightStateMachine(key: Shop.cacheKeys[0], settings: settings, seed: 0)
    }
}

extension World {
    /// Begins a flight, as the table told the client to lead it.
    func takeOff(_ flight: Flight, _ client: SimulatedClient, _ instance: SimulatedInstance) throws {
        let active: SimulatedFlight
        if let idle = self.idleFlights.popLast() {
            active = idle
        } else {
            active = SimulatedFlight(self.flights.count, instance, flight, self.settings)
            self.flights.append(active)
        }
        active.flight = flight
        active.instance = instance
        active.key = client.key
        active.version = instance.versions[Shop.scope(ofKey: client.key)]
        active.namespace = Namespace.word(instance.lane.ns)
        active.beganAt = self.now
        active.leader = client
        active.waiting.append(SimulatedFlight.Waiter(client: client, ticket: client.ticket, leads: true))
        active.value = nil
        active.machine = FlightStateMachine(
            key: Shop.cacheKeys[client.key],
            settings: self.settings,
            seed: self.random.next()
        )
        self.nonces += 1
        active.owner = FillOwner(instance: instance.name, nonce: String(self.nonces))
        active.serverEpoch = instance.serverEpoch
        instance.active.append(active)
        let canAsk = self.isUsable(instance) && instance.server != nil
        try self.follow(active, active.machine.begin(canAsk: canAsk), instance)
    }

    /// Puts a flight that is over, or whose process died, aside.
    func recycle(_ active: SimulatedFlight) {
        active.ticket += 1
        active.waiting.removeAll(keepingCapacity: true)
        active.leader = nil
        self.idleFlights.append(active)
    }

    /// Does the next step.
    private func follow(
        _ active: SimulatedFlight,
        _ step: FlightStateMachine.Step,
        _ instance: SimulatedInstance
    ) throws {
        active.step = step
        active.phase = .sent
        active.ticket += 1
        var time = self.now + self.latency()
        switch step {
        case .serve(let value):
            try self.serve(active, value, instance)
            return
        case .done:
            self.recycle(active)
            return
        case .poll(_, let pause):
            time += pause.nanoseconds
        case .fill:
            self.tally.fills += 1
            active.postgresEpoch = instance.postgresEpoch
        case .store, .recapture, .release:
            guard instance.server != nil, instance.serverEpoch == active.serverEpoch else {
                self.recycle(active)
                return
            }
        case .look, .lease, .steal:
            break
        }
        self.queue.add(time, .flight, active.number, active.ticket)
    }

    func continueFlight(_ active: SimulatedFlight, _ ticket: Int32) throws {
        guard ticket == active.ticket else { return }
        switch active.phase {
        case .sent:
            self.perform(active)
        case .answered:
            let instance = active.instance
            if self.isHeld(instance, .flight, active.number, ticket) { return }
            try self.report(active, instance)
        }
    }

    /// A command or statement arrives where it was sent.
    private func perform(_ active: SimulatedFlight) {
        let instance = active.instance
        let server = self.reachableServer(instance, active.serverEpoch)
        var time = self.redisReplyTime(instance)
        switch active.step {
        case .look, .recapture:
            active.found = server.map { self.scriptLook($0, active.key) }
        case .lease(let ns):
            active.leaseAnswer = server.flatMap { self.scriptLease($0, active, ns) }
        case .poll(let lease, _):
            active.pollAnswer = server.map { self.scriptPoll($0, active.key, lease) }
        case .steal(let seen, let generation):
            active.hasStolen = server.flatMap { self.scriptSteal($0, active, seen, generation) }
        case .fill:
            if self.database.isUp, self.database.epoch == active.postgresEpoch, self.now >= instance.postgresCutUntil {
                active.value = self.database.read(active.key)
            }
            time = self.fillReplyTime(instance)
        case .store(let captured):
            if let server { self.scriptStore(server, active, captured) }
            self.recycle(active)
            return
        case .release(let captured):
            if let server { self.scriptRelease(server, active, captured) }
            self.recycle(active)
            return
        case .serve, .done:
            return
        }
        active.phase = .answered
        active.ticket += 1
        self.queue.add(time, .flight, active.number, active.ticket)
    }

    /// An answer arrives at the process: the machine says what to do next.
    private func report(_ active: SimulatedFlight, _ instance: SimulatedInstance) throws {
        // An answer that was on its way when the connection broke is lost.
        let isConnected = instance.server != nil && instance.serverEpoch == active.serverEpoch
        let step: FlightStateMachine.Step
        switch active.step {
        case .look:
            step = active.machine.looked(
                isConnected ? active.found : nil,
                self.knowledge(active, instance, isConnected ? active.found?.watermark : nil)
            )
            if active.machine.notes.untrusted != nil { self.tally.distrusted += 1 }
        case .lease:
            step = active.machine.leased(isConnected ? active.leaseAnswer : nil, at: self.now)
        case .poll:
            step = active.machine.polled(
                isConnected ? active.pollAnswer : nil,
                at: self.now,
                self.knowledge(active, instance, isConnected ? active.pollAnswer?.answer.watermark : nil)
            )
        case .steal:
            step = active.machine.stolen(isConnected ? active.hasStolen : nil, at: self.now)
            if active.machine.notes.hasStolen { self.tally.stolen += 1 }
        case .recapture:
            step = active.machine.recaptured(isConnected ? active.found?.generation : nil)
        case .fill:
            try self.filled(active, instance)
            return
        case .serve, .store, .release, .done:
            return
        }
        try self.follow(active, step, instance)
    }

    private func knowledge(
        _ active: SimulatedFlight,
        _ instance: SimulatedInstance,
        _ watermark: [UInt8]?
    ) -> FlightStateMachine.Knowledge {
        FlightStateMachine.Knowledge(
            ns: instance.lane.ns,
            applied: instance.lane.applied?.sequence,
            isRecognised: instance.lane.recognises(watermark.flatMap { Watermark(parsing: $0) }),
            isUsable: self.isUsable(instance),
            wallTime: self.now / 1000,
            isVisible: { snapshot in
                self.isVisible(instance, active.key, snapshot)
                    && active.leader.map { self.isSatisfied($0, active.key, by: snapshot) } ?? true
            }
        )
    }

    // MARK: - Answers

    private func serve(_ active: SimulatedFlight, _ value: Envelope, _ instance: SimulatedInstance) throws {
        self.tally.l2Hits += 1
        var body = value.body
        let found = SimulatedValue(
            branch: body.readInteger() ?? 0,
            content: body.readInteger() ?? 0,
            key: body.readInteger() ?? 0,
            snapshot: value.snapshot
        )
        try self.checkSecondLevel(found, instance, active.key)
        self.insert(active, found, active.version, filledAt: value.filledAt * 1000, instance)
        self.end(active, instance)
        try self.land(active, found, .redis, instance)
        self.recycle(active)
    }

    private func filled(_ active: SimulatedFlight, _ instance: SimulatedInstance) throws {
        guard let value = active.value, self.database.isUp, self.database.epoch == active.postgresEpoch else {
            self.end(active, instance)
            let waiting = active.waiting
            active.waiting.removeAll(keepingCapacity: true)
            for waiter in waiting where waiter.client.ticket == waiter.ticket {
                try self.giveStale(waiter.client, instance)
            }
            try self.follow(active, active.machine.failed(), instance)
            return
        }
        let scope = Shop.scope(ofKey: active.key)
        let version = self.off.noScopeCapture ? instance.versions[scope] : active.version
        self.insert(active, value, version, filledAt: active.beganAt, instance)
        let step = active.machine.filled(isStorable: true)
        self.end(active, instance)
        try self.land(active, value, .database, instance)
        try self.follow(active, step, instance)
    }

    private func insert(
        _ active: SimulatedFlight,
        _ value: SimulatedValue,
        _ version: UInt64,
        filledAt: Int64,
        _ instance: SimulatedInstance
    ) {
        guard instance.versions[Shop.scope(ofKey: active.key)] == version,
            self.isVisible(instance, active.key, value.snapshot)
        else {
            self.tally.refusedStores += 1
            return
        }
        instance.entries[active.key] = SimulatedInstance.Entry(
            version: version,
            value: value,
            namespace: active.namespace,
            filledAt: filledAt
        )
    }

    private func end(_ active: SimulatedFlight, _ instance: SimulatedInstance) {
        instance.flights.end(active.flight, Shop.cacheKeys[active.key], version: active.version)
        if let place = instance.active.firstIndex(where: { $0 === active }) { instance.active.remove(at: place) }
    }

    /// Gives the answer to everybody who waits; who has joined looks at it again.
    private func land(
        _ active: SimulatedFlight,
        _ value: SimulatedValue,
        _ source: AnswerSource,
        _ instance: SimulatedInstance
    ) throws {
        let waiting = active.waiting
        active.waiting.removeAll(keepingCapacity: true)
        for waiter in waiting where waiter.client.ticket == waiter.ticket {
            if waiter.leads {
                try self.give(value, source, waiter.client, instance)
            } else {
                try self.landed(value, waiter.client, instance)
            }
        }
        active.leader = nil
    }

    // MARK: - Scripts of fills

    private func leaseText(_ generation: [UInt8], _ active: SimulatedFlight) -> [UInt8] {
        generation + Array(" \(active.owner.text)".utf8)
    }

    private func scriptLease(_ server: SimulatedRedis, _ active: SimulatedFlight, _ ns: String) -> LeaseAnswer? {
        guard !server.isFull else { return nil }
        let scope = Shop.scope(ofKey: active.key)
        let place = self.place(active.key)
        let generation = server.data.generations[scope] ?? self.freshGeneration()
        server.data.generations[scope] = generation
        if let bytes = server.data.values[place], bytes.count > 66,
            self.off.noNamespace || bytes[2..<34].elementsEqual(ns.utf8), bytes[34..<66].elementsEqual(generation)
        {
            return .hit(generation: generation, value: bytes)
        }
        if let lease = server.data.leases[place], self.now < lease.until, lease.generation == generation {
            return .wait(generation: generation, lease: lease.text)
        }
        self.keepLease(server, place, generation, active)
        return .fill(generation: generation)
    }

    private func keepLease(_ server: SimulatedRedis, _ place: Int, _ generation: [UInt8], _ active: SimulatedFlight) {
        server.data.leases[place] = DataSet.Lease(
            generation: generation,
            text: self.leaseText(generation, active),
            until: self.now + self.settings.fillLease.nanoseconds,
            instance: active.instance.number,
            incarnation: active.instance.incarnation
        )
        server.data.liveness[active.instance.number] = self.now + self.settings.fillerTTL.nanoseconds
        server.data.livenessOf[active.instance.number] = active.instance.incarnation
        if self.profile.faults.isEmpty { self.checker.leased(key: active.key, generation: generation) }
    }

    private func scriptPoll(_ server: SimulatedRedis, _ key: Int, _ seen: [UInt8]) -> PollAnswer {
        let lease = server.data.leases[self.place(key)].flatMap { self.now < $0.until ? $0 : nil }
        let isAlive =
            lease.map {
                server.data.livenessOf[$0.instance] == $0.incarnation && self.now < server.data.liveness[$0.instance]
            } ?? false
        return PollAnswer(answer: self.scriptLook(server, key), lease: lease?.text, isOwnerAlive: isAlive)
    }

    private func scriptSteal(
        _ server: SimulatedRedis,
        _ active: SimulatedFlight,
        _ seen: [UInt8],
        _ generation: [UInt8]
    ) -> Bool? {
        guard !server.isFull else { return nil }
        let place = self.place(active.key)
        guard let lease = server.data.leases[place], self.now < lease.until, lease.text == seen else { return false }
        self.keepLease(server, place, generation, active)
        return true
    }

    private func scriptRelease(
        _ server: SimulatedRedis,
        _ active: SimulatedFlight,
        _ captured: FlightStateMachine.Captured
    ) {
        let place = self.place(active.key)
        guard let lease = server.data.leases[place], lease.text == self.leaseText(captured.generation, active) else {
            return
        }
        server.data.leases[place] = nil
    }

    private func scriptStore(
        _ server: SimulatedRedis,
        _ active: SimulatedFlight,
        _ captured: FlightStateMachine.Captured
    ) {
        guard !server.isFull, let value = active.value else { return }
        if captured.holdsLease { self.scriptRelease(server, active, captured) }
        var generation = captured.generation
        let present = server.data.generations[Shop.scope(ofKey: active.key)]
        if self.off.blindStore {
            guard let present else { return }
            generation = present
        } else if present != generation {
            self.tally.refusedStores += 1
            return
        }
        self.note("key \(active.key) is stored by instance \(active.instance.number): \(value.content)")
        var body = ByteBuffer()
        body.writeInteger(value.branch)
        body.writeInteger(value.content)
        body.writeInteger(value.key)
        let envelope = Envelope(
            ns: Array(captured.ns.utf8),
            generation: generation,
            keyHash: Envelope.keyHash(Shop.cacheKeys[active.key]),
            snapshot: value.snapshot,
            filledAt: self.now / 1000,
            expiresAt: self.now / 1000 + 60_000_000,
            etag: "",
            body: body
        )
        server.data.values[self.place(active.key)] = envelope.encoded()
    }
}

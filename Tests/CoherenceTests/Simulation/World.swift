import Coherence

@testable import Cache

/// What must never be seen was seen.
struct Violation: Error, CustomStringConvertible {
    let description: String
}

/// The defects, looked up once.
struct GuardsOff {
    let blindStore: Bool
    let lateCapture: Bool
    let noScopeCapture: Bool
    let joinAnyFlight: Bool
    let reuseGeneration: Bool
    let counterGeneration: Bool
    let noOutbox: Bool
    let watermarkInMemory: Bool
    let ringInMemory: Bool
    let noTokenCheck: Bool
    let noOwnWrites: Bool
    let noNamespace: Bool
    let noTag: Bool
    let collidingKeys: Bool

    init(_ defects: Defects) {
        self.blindStore = defects.contains(.blindStore)
        self.lateCapture = defects.contains(.lateCapture)
        self.noScopeCapture = defects.contains(.noScopeCapture)
        self.joinAnyFlight = defects.contains(.joinAnyFlight)
        self.reuseGeneration = defects.contains(.reuseGeneration)
        self.counterGeneration = defects.contains(.counterGeneration)
        self.noOutbox = defects.contains(.noOutbox)
        self.watermarkInMemory = defects.contains(.watermarkInMemory)
        self.ringInMemory = defects.contains(.ringInMemory)
        self.noTokenCheck = defects.contains(.noTokenCheck)
        self.noOwnWrites = defects.contains(.noOwnWrites)
        self.noNamespace = defects.contains(.noNamespace)
        self.noTag = defects.contains(.noTag)
        self.collidingKeys = defects.contains(.collidingKeys)
    }
}

/// Numbers of a run, to see that it did something.
struct Tally {
    var l1Hits = 0
    var l2Hits = 0
    var joined = 0
    var fills = 0
    var distrusted = 0
    var refusedStores = 0
    var stolen = 0
    var writes = 0
    var tokenReads = 0
    var faults = 0
    var unanswered = 0
    var bypassed = 0
    var stale = 0
}

/// A whole deployment in one thread and in virtual time: PostgreSQL, Redis, the bus, processes, clients, and what goes wrong.
///
/// The machines are the real ones; servers, network and clients are simulated, with every statement, script and message taking
/// its own time, so that their order is any order. A run is a function of its seed: the same seed, profile and settings
/// repeat it step by step.
final class World {
    static let ms: Int64 = 1_000_000
    /// Of flights; nothing in here waits on the machine's clock.
    static let deadline = ContinuousClock.now

    let settings: CacheSettings
    let off: GuardsOff
    let profile: Profile
    let lease: Int64
    var random: SplitMix64
    var now: Int64 = 0
    let queue = EventQueue()
    private(set) var steps = 0
    var tally = Tally()
    var checker = Checker()

    let database: SimulatedDatabase
    var namespaces: UInt64 = 0
    var primary: SimulatedRedis
    var runs = 0
    /// An old save of Redis.
    var save: DataSet?
    /// What Redis comes back with.
    var restarting = DataSet()
    /// What the replica had that is about to be promoted.
    var replica: DataSet?
    var leavesOld = false
    var timelines = 1
    var nonces = 0
    var instances: [SimulatedInstance] = []
    var clients: [SimulatedClient] = []
    var flights: [SimulatedFlight] = []
    var idleFlights: [SimulatedFlight] = []
    var transactions: [SimulatedTransaction] = []
    var idleTransactions: [Int] = []
    var bumps: [BumpOperation] = []
    var idleBumps: [Int] = []
    /// Whether faults and writes go on; not in the end, when all has to calm down.
    var isBusy = true

    /// Whether ``note(_:)`` keeps anything: only when a violation is run again to be explained.
    let traces: Bool
    private(set) var notes: [String] = []

    init(seed: UInt64, profile: Profile, defects: Defects = Defects(), traces: Bool = false) {
        var settings = CacheSettings()
        settings.defects = defects
        self.settings = settings
        self.off = GuardsOff(defects)
        self.profile = profile
        self.lease = settings.lease.nanoseconds
        self.traces = traces
        self.random = SplitMix64(state: seed)
        self.database = SimulatedDatabase(ns: Texts.namespace(0), tag: 1)
        self.primary = SimulatedRedis(runID: "run0")
        for number in 0..<3 {
            self.instances.append(SimulatedInstance(number, settings, target: self.primary))
        }
        for number in 0..<10 {
            let tenant = Int64(1 + number % Shop.tenants)
            let hasToken = self.percent(profile.tokens)
            // Some stay with one instance, others roam.
            let home = number % 3 == 0 && !hasToken ? number / 3 % 3 : nil
            self.clients.append(SimulatedClient(number, tenant: tenant, home: home, hasToken: hasToken))
        }
    }

    // MARK: - Chance

    /// Whether something of so many percent happens.
    func percent(_ percent: UInt64) -> Bool {
        percent > 0 && self.random.next() % 100 < percent
    }

    func permille(_ permille: UInt64) -> Bool {
        permille > 0 && self.random.next() % 1000 < permille
    }

    func between(_ low: Int64, _ high: Int64) -> Int64 {
        low + Int64(self.random.next() % UInt64(high - low + 1))
    }

    func below(_ limit: Int) -> Int {
        Int(self.random.next() % UInt64(limit))
    }

    /// The time a message or statement takes: mostly short, sometimes long.
    func latency() -> Int64 {
        let draw = self.random.next()
        if self.isBusy, draw % 1000 < self.profile.slow { return self.between(50, self.profile.slowest) * Self.ms }
        return 50_000 + Int64((draw >> 32) % 2_950_000)
    }

    func freshNamespace() -> String {
        self.namespaces += 1
        return Texts.namespace(self.namespaces)
    }

    // MARK: - Running

    func note(_ text: @autoclosure () -> String) {
        guard self.traces else { return }
        self.notes.append("\(Double(self.now / 1000) / 1000) ms: \(text())")
        if self.notes.count > 100_000 { self.notes.removeFirst(50_000) }
    }

    /// Runs so many steps, then lets the world calm down and asks whether everybody caught up.
    func run(steps limit: Int) throws {
        for instance in self.instances { self.boot(instance) }
        for client in self.clients { self.pause(client) }
        self.queue.add(self.between(1, 50) * Self.ms, .rawWriter, 0, 0)
        if !self.profile.faults.isEmpty { self.planFault() }
        while self.steps < limit, let step = self.queue.pop() {
            self.now = step.time
            self.steps += 1
            try self.take(step)
        }
        self.isBusy = false
        // Whatever a fault began ends within eight seconds, but a lack of memory, which ends now; from then on there are five.
        self.primary.isFull = false
        let end = self.now + 13_000 * Self.ms
        while let step = self.queue.pop(), step.time < end {
            self.now = step.time
            self.steps += 1
            try self.take(step)
        }
        try self.checkEnd()
    }

    private func take(_ step: PendingStep) throws {
        let index = Int(step.index)
        switch step.kind {
        case .start: self.boot(self.instances[index])
        case .probeTick: self.probeTick(self.instances[index], step.ticket)
        case .probe: self.continueProbe(self.instances[index], step.ticket)
        case .relay: self.continueRelay(self.instances[index], step.ticket)
        case .connectPostgres: self.connectPostgres(self.instances[index], step.ticket)
        case .connectRedis: self.connectRedis(self.instances[index], step.ticket)
        case .loseRedis: self.loseRedis(self.instances[index], step.ticket)
        case .liveness: self.showLife(self.instances[index], step.ticket)
        case .subscribe: self.subscribe(self.instances[index], step.ticket)
        case .deliver: self.deliver(self.instances[index], step.ticket)
        case .silence: self.watchSilence(self.instances[index], step.ticket)
        case .client: try self.continueClient(self.clients[index], step.ticket)
        case .flight: try self.continueFlight(self.flights[index], step.ticket)
        case .transaction: self.continueTransaction(index)
        case .bump: self.finishBump(index)
        case .rawWriter: self.writeRaw()
        case .fault: self.strike()
        case .redisUp: self.startRedis(index)
        case .postgresUp: self.startPostgres(index)
        }
    }

    /// Puts a step of an instance off while its process is stopped.
    func isHeld(_ instance: SimulatedInstance, _ kind: StepKind, _ index: Int, _ ticket: Int32) -> Bool {
        guard self.now < instance.stoppedUntil else { return false }
        self.queue.add(instance.stoppedUntil, kind, index, ticket)
        return true
    }

    // MARK: - Processes

    /// Starts a process.
    func boot(_ instance: SimulatedInstance) {
        instance.isRunning = true
        self.note("instance \(instance.number) starts")
        self.queue.add(self.now + self.latency(), .connectPostgres, instance.number, instance.incarnation)
        self.queue.add(self.now + self.latency(), .probeTick, instance.number, instance.incarnation)
        self.pump(instance)
        guard self.profile.hasRedis else { return }
        instance.target = self.primary
        self.queue.add(self.now + self.latency(), .connectRedis, instance.number, instance.redisTicket)
        self.queue.add(self.now + self.latency(), .subscribe, instance.number, instance.bus.ticket)
        self.queue.add(self.now + self.latency(), .liveness, instance.number, instance.incarnation)
    }

    /// Ends a process: what it had in memory is gone, its clients get an error.
    func kill(_ instance: SimulatedInstance) {
        self.note("instance \(instance.number) dies")
        instance.isRunning = false
        for flight in instance.active { self.recycle(flight) }
        if self.database.locker == instance.number {
            // Its drain is undone, or was complete before the connection broke.
            self.database.locker = nil
            if case .draining(let rows, let isFull) = instance.relayStep?.phase, self.percent(50) {
                _ = self.database.drain(rows, isFull: isFull, logs: !self.off.noOutbox, now: self.now) {
                    Int32(truncatingIfNeeded: self.random.next() >> 40)
                }
            }
        }
        instance.restart(self.settings, now: self.now, seed: self.random.next())
        for client in self.clients where client.instance === instance { self.fail(client) }
    }
}

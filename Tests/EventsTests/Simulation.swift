import Testing

@testable import Cache
@testable import Events

/// A whole world in one thread: PostgreSQL, Redis, the bus, three instances, and virtual time.
///
/// The machines are the real ones; servers, network and readers are drawn here, with every statement, script and message
/// taking its own time, so that their order is any order. A run is repeated by its seed.
final class Simulation {
    /// A guard that can be left out, to show that the checker sees what it is for.
    enum Control: String, CaseIterable {
        /// Nothing is left out.
        case none
        /// The version is captured after the value was read.
        case lateVersion
        /// Redis stores without comparing generations.
        case blindStore
        /// Redis is believed without looking at its watermark.
        case noTrust
        /// The writer does not look for its own writes in what Redis returns.
        case noOwnWrites
        /// A served answer does not ask whether the instance is up to date.
        case noLease
    }

    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    private static let ms: Int64 = 1_000_000
    private static let lease: Int64 = 1000 * 1_000_000

    // MARK: PostgreSQL

    /// What a reader gets: the writes it saw, as a prefix in commit order and as a snapshot.
    private struct Value {
        let commits: Int
        let snapshot: Snapshot
    }

    private struct Database {
        var nextXID: UInt64 = 100
        var running: Set<UInt64> = []
        var commits = 0
        var outbox: [UInt64] = []
        var log = [LogRow(sequence: 0, tag: 1, tenant: nil, module: "", xids: [])]
        var ns = "ns0"
        var nsCounter = 0
        var drains: Int64 = 0
        /// The count that survives a crash: idle drains do not wait for their commit to be safe.
        var safeDrains: Int64 = 0
        var isLocked = false
        /// Counts crashes; what began before one has failed.
        var epoch = 0

        var head: Int64 { Int64(self.log.count - 1) }

        var snapshot: Snapshot {
            let xmin = self.running.min() ?? self.nextXID
            return Snapshot(xmin: xmin, xmax: self.nextXID, xip: self.running.sorted())
        }

        mutating func rotate() -> String {
            self.nsCounter += 1
            self.ns = "ns\(self.nsCounter)"
            return self.ns
        }

        func follow(from: Int64?, limit: Int) -> FollowAnswer {
            let first = Int(from ?? self.head)
            let rows = first < self.log.count ? Array(self.log[first..<min(self.log.count, first + limit)]) : []
            return FollowAnswer(ns: self.ns, head: self.head, drains: self.drains, rows: rows, xmin: self.snapshot.xmin)
        }
    }

    // MARK: Redis

    private struct DataSet {
        var watermark: Watermark?
        var alive: (ns: String, runID: String, drains: Int64, until: Int64)?
        var generation: Int?
        var ring: Set<String> = []
        var value: (ns: String, generation: Int, value: Value)?
    }

    private struct Redis {
        var data = DataSet()
        var runID = "run0"
        var starts = 0
        var isUp = true
        /// Counts restarts; commands sent before one are lost.
        var epoch = 0
    }

    // MARK: Instances

    private final class Instance {
        let number: Int
        var lane: LaneStateMachine
        var relay: RelayStateMachine
        var isRelayBusy = false
        var relayWakes = 0
        var isProbing = false
        var version: UInt64 = 0
        var own = OwnWrites()
        var entry: (version: UInt64, value: Value)?
        var stoppedUntil: Int64 = 0
        /// The highest commit this instance has acknowledged to its own client.
        var ownCommits = 0
        var busClear: Int64 = 0

        init(_ number: Int, _ settings: CacheSettings) {
            self.number = number
            self.lane = LaneStateMachine(settings: settings)
            self.relay = RelayStateMachine(settings: settings, now: 0, seed: UInt64(number) + 77)
        }
    }

    private struct Event {
        let time: Int64
        let order: Int
        let action: () throws -> Void
    }

    private let settings = CacheSettings()
    private let control: Control
    private var random: SplitMix64
    private var now: Int64 = 0
    private var heap: [Event] = []
    private var order = 0
    private var database = Database()
    private var redis = Redis()
    private var history: [DataSet] = []
    private var instances: [Instance] = []
    /// When each commit was acknowledged to its client.
    private var acknowledged: [(time: Int64, commits: Int)] = []
    private var writesAllowed = true
    private(set) var steps = 0
    private(set) var l1Hits = 0
    private(set) var l2Hits = 0
    private(set) var fills = 0
    private(set) var refusals = 0
    private(set) var rotations = 0

    init(seed: UInt64, control: Control = .none) {
        self.control = control
        self.random = SplitMix64(state: seed)
        for number in 0..<3 { self.instances.append(Instance(number, self.settings)) }
    }

    // MARK: - Running

    /// Runs so many events, then lets the world calm down and asks whether everybody caught up.
    func run(steps limit: Int) throws {
        for instance in self.instances {
            instance.relay.redisConnected(runID: self.redis.runID)
            self.pump(instance)
            self.probeLoop(instance)
            self.readLoop(instance)
            self.writeLoop(instance)
        }
        self.faultLoop()
        while self.steps < limit, let event = self.pop() {
            self.now = event.time
            self.steps += 1
            try event.action()
        }
        self.writesAllowed = false
        let calm = self.now + 12_000 * Self.ms
        while let event = self.pop(), event.time < calm {
            self.now = event.time
            self.steps += 1
            try event.action()
        }
        guard self.database.outbox.isEmpty else { throw Violation(description: "the outbox is not empty in the end") }
        for instance in self.instances {
            guard instance.lane.applied?.sequence == self.database.head else {
                throw Violation(description: "instance \(instance.number) is not at the head in the end")
            }
            guard self.isUsable(instance) else {
                throw Violation(description: "instance \(instance.number) is not in use in the end")
            }
        }
        guard self.redis.data.watermark?.sequence == self.database.head else {
            throw Violation(description: "Redis is not at the head in the end")
        }
    }

    private func chance(_ percent: Double) -> Bool {
        Double(self.random.next() >> 11) / Double(UInt64(1) << 53) * 100 < percent
    }

    private func between(_ low: Int64, _ high: Int64) -> Int64 {
        low + Int64(self.random.next() % UInt64(high - low + 1))
    }

    /// The time a message or statement takes: mostly short, sometimes long.
    private func latency() -> Int64 {
        if self.chance(1) { return self.between(50, 700) * Self.ms }
        return self.between(50, 3000) * 1000
    }

    private func schedule(in delay: Int64, _ action: @escaping () throws -> Void) {
        self.order += 1
        self.heap.append(Event(time: self.now + delay, order: self.order, action: action))
        var child = self.heap.count - 1
        while child > 0, self.isBefore(child, (child - 1) / 2) {
            self.heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (self.heap[left].time, self.heap[left].order) < (self.heap[right].time, self.heap[right].order)
    }

    private func pop() -> Event? {
        guard let first = self.heap.first, let last = self.heap.popLast() else { return nil }
        guard !self.heap.isEmpty else { return first }
        self.heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < self.heap.count && self.isBefore(child, least) {
                least = child
            }
            if least == parent { return first }
            self.heap.swapAt(parent, least)
            parent = least
        }
    }

    /// Runs something in an instance, when it is not stopped.
    private func inside(_ instance: Instance, after delay: Int64, _ action: @escaping () throws -> Void) {
        self.schedule(in: delay) {
            if self.now < instance.stoppedUntil {
                self.inside(instance, after: instance.stoppedUntil - self.now, action)
            } else {
                try action()
            }
        }
    }

    /// A statement: sent, run at some time, answered at some later time; nil if the server crashed in between.
    private func ask<Answer>(
        _ instance: Instance,
        _ statement: @escaping () -> Answer,
        _ then: @escaping (Answer?) throws -> Void
    ) {
        let epoch = self.database.epoch
        self.schedule(in: self.latency()) {
            let answer = self.database.epoch == epoch ? statement() : nil
            self.inside(instance, after: self.latency()) {
                try then(self.database.epoch == epoch ? answer : nil)
            }
        }
    }

    /// A command: nil if Redis is down or went down in between; it may have run all the same.
    private func command<Answer>(
        _ instance: Instance,
        _ command: @escaping () -> Answer,
        _ then: @escaping (Answer?) throws -> Void
    ) {
        let epoch = self.redis.epoch
        self.schedule(in: self.latency()) {
            let answer = self.redis.isUp && self.redis.epoch == epoch ? command() : nil
            self.inside(instance, after: self.latency()) { try then(self.redis.epoch == epoch ? answer : nil) }
        }
    }

    // MARK: - Instances at work

    private func isUsable(_ instance: Instance) -> Bool {
        self.now < instance.lane.usableUntil
    }

    private func heed(_ instance: Instance, _ effects: LaneStateMachine.Effects) {
        if effects.forgetsWrites { instance.own = OwnWrites() }
        if effects.dropsAll { instance.version += 1 }
        for bump in effects.bumps {
            instance.version += 1
            instance.own.remove(bump.xids)
        }
        if effects.probesNow { self.probe(instance) }
    }

    private func probeLoop(_ instance: Instance) {
        self.inside(instance, after: 100 * Self.ms) {
            self.probe(instance)
            self.probeLoop(instance)
        }
    }

    private func probe(_ instance: Instance) {
        guard !instance.isProbing else { return }
        instance.isProbing = true
        let start = instance.lane.probeBegins(at: self.now)
        self.ask(instance) {
            self.database.follow(from: start.from?.sequence, limit: 1001)
        } _: { answer in
            instance.isProbing = false
            guard let answer else { return }
            instance.relay.observed(drains: answer.drains, at: self.now)
            self.heed(instance, instance.lane.probeEnded(start, answer))
        }
    }

    private func publish(_ message: BusMessage) {
        for instance in self.instances {
            if self.chance(5) { continue }
            let arrival = max(instance.busClear, self.now + self.latency())
            instance.busClear = arrival
            self.inside(instance, after: arrival - self.now) {
                self.heed(instance, instance.lane.received(message))
            }
        }
    }

    private func pump(_ instance: Instance) {
        guard !instance.isRelayBusy else { return }
        let step = instance.relay.next(at: self.now)
        if case .wait(let until) = step {
            instance.relayWakes += 1
            let wake = instance.relayWakes
            self.inside(instance, after: max(0, until - self.now)) {
                if wake == instance.relayWakes { self.pump(instance) }
            }
            return
        }
        instance.isRelayBusy = true
        func failed() {
            instance.relay.postgresFailed(at: self.now)
            done()
        }
        func redisFailed() {
            instance.relay.redisFailed(at: self.now)
            done()
        }
        func done() {
            instance.isRelayBusy = false
            self.pump(instance)
        }
        switch step {
        case .wait:
            break
        case .checkIdentity:
            self.ask(instance) {
                true
            } _: { answer in
                guard answer != nil else { return failed() }
                instance.relay.checkedIdentity(actual: "c", stored: "c")
                done()
            }
        case .adoptIdentity:
            self.ask(instance) {
                self.database.rotate()
            } _: { ns in
                guard let ns else { return failed() }
                instance.relay.adoptedIdentity(ns: ns)
                done()
            }
        case .drain:
            self.drain(instance) { result in
                switch result {
                case .failed: return failed()
                case .skipped: instance.relay.drained(nil, at: self.now)
                case .moved(let rows, let isFull): instance.relay.drained((rows, isFull), at: self.now)
                }
                done()
            }
        case .prune:
            instance.relay.pruned(isMore: false, at: self.now)
            done()
        case .follow(let from):
            self.ask(instance) {
                self.database.follow(from: from, limit: 1001)
            } _: { answer in
                guard let answer else { return failed() }
                instance.relay.followed(answer, at: self.now)
                done()
            }
        case .rotate:
            self.ask(instance) {
                self.database.rotate()
            } _: { ns in
                guard let ns else { return failed() }
                self.rotations += 1
                instance.relay.rotated(ns: ns)
                done()
            }
        case .readWatermark:
            self.command(instance) {
                self.redis.data.watermark
            } _: { watermark in
                guard let watermark else { return redisFailed() }
                instance.relay.readWatermark(watermark, at: self.now)
                done()
            }
        case .apply(let batch):
            self.command(instance) {
                self.apply(batch)
            } _: { answer in
                guard let answer else { return redisFailed() }
                instance.relay.applied(answer, at: self.now)
                done()
            }
        case .declareAlive(let declaration):
            self.command(instance) {
                self.declareAlive(declaration)
            } _: { answer in
                guard let answer else { return redisFailed() }
                instance.relay.declaredAlive(answer, at: self.now)
                done()
            }
        case .reset(let watermark):
            self.command(instance) {
                self.redis.data.alive = nil
                self.redis.data.watermark = watermark
            } _: { answer in
                guard answer != nil else { return redisFailed() }
                instance.relay.reset()
                done()
            }
        }
    }

    private enum Drained {
        case failed
        case skipped
        case moved(Int64, isFull: Bool)
    }

    /// A drain takes its snapshot when it begins and shows its rows when it commits; in between others commit.
    private func drain(_ instance: Instance, _ then: @escaping (Drained) -> Void) {
        let epoch = self.database.epoch
        let limit = self.chance(5) ? 2 : 1000
        self.schedule(in: self.latency()) {
            guard self.database.epoch == epoch else {
                self.inside(instance, after: self.latency()) { then(.failed) }
                return
            }
            guard !self.database.isLocked else {
                self.inside(instance, after: self.latency()) { then(.skipped) }
                return
            }
            self.database.isLocked = true
            let rows = Array(self.database.outbox.prefix(limit))
            self.schedule(in: self.latency()) {
                guard self.database.epoch == epoch else {
                    self.inside(instance, after: self.latency()) { then(.failed) }
                    return
                }
                self.database.isLocked = false
                self.database.outbox.removeFirst(rows.count)
                if !rows.isEmpty {
                    let row = LogRow(
                        sequence: self.database.head + 1,
                        tag: Int32(truncatingIfNeeded: self.random.next() >> 40),
                        tenant: 1,
                        module: "stock",
                        xids: rows
                    )
                    self.database.log.append(row)
                }
                let isFull = rows.count >= limit
                if !isFull { self.database.drains += 1 }
                if !rows.isEmpty { self.database.safeDrains = self.database.drains }
                self.inside(instance, after: self.latency()) {
                    guard self.database.epoch == epoch else { return then(.failed) }
                    then(.moved(rows.isEmpty ? 0 : 1, isFull: isFull))
                }
            }
        }
    }

    // MARK: - Scripts

    private func bump(_ ns: String, _ xids: [UInt64]) {
        var isUnseen = xids.isEmpty
        for xid in xids where self.redis.data.ring.insert("\(ns):\(xid)").inserted { isUnseen = true }
        if isUnseen { self.redis.data.generation = Int(truncatingIfNeeded: self.random.next()) }
    }

    private func apply(_ batch: RelayBatch) -> RelayStateMachine.ScriptAnswer {
        guard let watermark = self.redis.data.watermark, watermark.ns == batch.ns else { return .namespace }
        if batch.first > watermark.sequence + 1 { return .gap }
        if batch.last <= watermark.sequence { return .old }
        for item in batch.items where item.sequence > watermark.sequence { self.bump(batch.ns, item.xids) }
        self.redis.data.watermark = Watermark(ns: batch.ns, sequence: batch.last, tag: batch.tag)
        self.publish(batch.message)
        return .done
    }

    private func declareAlive(_ declaration: RelayDeclaration) -> RelayStateMachine.ScriptAnswer {
        guard let watermark = self.redis.data.watermark, watermark.ns == declaration.watermark.ns else {
            return .namespace
        }
        guard watermark == declaration.watermark else { return .gap }
        let runID = declaration.runID ?? "-"
        if let alive = self.redis.data.alive, alive.ns == watermark.ns, alive.runID == runID,
            alive.drains > declaration.drains, self.now < alive.until
        {
            return .old
        }
        self.redis.data.alive = (watermark.ns, runID, declaration.drains, self.now + 3000 * Self.ms)
        self.publish(.beat(ns: watermark.ns, head: watermark.sequence))
        return .done
    }

    // MARK: - Readers

    private func readLoop(_ instance: Instance) {
        self.inside(instance, after: self.between(1, 20_000) * 1000) {
            try self.read(instance)
            self.readLoop(instance)
        }
    }

    private func serve(_ value: Value, _ instance: Instance, _ source: String, asked: Int64, ownCommits: Int) throws {
        let required = self.acknowledged.last { $0.time <= asked - Self.lease }?.commits ?? 0
        if value.commits < required {
            throw Violation(
                description: "\(source) of instance \(instance.number) at \(self.now / Self.ms) ms has "
                    + "\(value.commits) of \(required) writes acknowledged a lease ago"
            )
        }
        if value.commits < ownCommits {
            throw Violation(
                description: "\(source) of instance \(instance.number) at \(self.now / Self.ms) ms misses its own write"
            )
        }
    }

    private func read(_ instance: Instance) throws {
        let asked = self.now
        let ownCommits = instance.ownCommits
        if self.control == .noLease || self.isUsable(instance), let entry = instance.entry,
            entry.version == instance.version
        {
            self.l1Hits += 1
            try self.serve(entry.value, instance, "L1", asked: asked, ownCommits: ownCommits)
            return
        }
        let version = instance.version
        guard self.isUsable(instance), self.redis.isUp else {
            self.fill(instance, version, captured: nil)
            return
        }
        let runID = self.redis.runID
        self.command(instance) {
            (self.redis.data, self.now)
        } _: { answer in
            guard let (data, time) = answer else {
                self.fill(instance, version, captured: nil)
                return
            }
            guard self.isTrusted(data, at: time, runID: runID, instance), let ns = instance.lane.ns else {
                self.refusals += 1
                self.fill(instance, version, captured: nil)
                return
            }
            if let found = data.value, found.ns == ns, found.generation == data.generation,
                self.control == .noOwnWrites || instance.own.areVisible(in: found.value.snapshot)
            {
                self.l2Hits += 1
                try self.serve(found.value, instance, "L2", asked: asked, ownCommits: ownCommits)
                self.insert(instance, version, found.value)
                return
            }
            if let generation = data.generation {
                self.fill(instance, version, captured: (generation, ns))
                return
            }
            self.command(instance) {
                if self.redis.data.generation == nil { self.bump(ns, []) }
                return self.redis.data.generation
            } _: { generation in
                self.fill(instance, version, captured: (generation ?? nil).map { ($0, ns) })
            }
        }
    }

    private func isTrusted(_ data: DataSet, at time: Int64, runID: String, _ instance: Instance) -> Bool {
        if self.control == .noTrust { return true }
        let alive = data.alive.flatMap { time < $0.until ? "\($0.ns) \($0.runID) \($0.drains)" : nil }
        let answer = SecondLevelAnswer(
            watermark: data.watermark.map { Array($0.text.utf8) },
            alive: alive.map { Array($0.utf8) },
            generation: nil,
            value: nil,
            runID: runID
        )
        return Trust.judge(answer, ns: instance.lane.ns, applied: instance.lane.applied?.sequence) == .trusted
    }

    private func insert(_ instance: Instance, _ version: UInt64, _ value: Value) {
        let captured = self.control == .lateVersion ? instance.version : version
        guard instance.version == captured else { return }
        guard self.control == .noOwnWrites || instance.own.areVisible(in: value.snapshot) else { return }
        instance.entry = (captured, value)
    }

    private func fill(_ instance: Instance, _ version: UInt64, captured: (generation: Int, ns: String)?) {
        self.fills += 1
        self.ask(instance) {
            Value(commits: self.database.commits, snapshot: self.database.snapshot)
        } _: { value in
            guard let value else { return }
            self.insert(instance, version, value)
            guard let captured else { return }
            self.command(instance) {
                guard self.control == .blindStore || self.redis.data.generation == captured.generation else { return }
                let generation =
                    self.control == .blindStore
                    ? self.redis.data.generation ?? captured.generation : captured.generation
                self.redis.data.value = (captured.ns, generation, value)
            } _: { _ in
            }
        }
    }

    // MARK: - Writers

    private func writeLoop(_ instance: Instance) {
        self.inside(instance, after: self.between(1, 300) * Self.ms) {
            if self.writesAllowed { self.write(instance) }
            self.writeLoop(instance)
        }
    }

    private func write(_ instance: Instance) {
        let epoch = self.database.epoch
        let xid = self.database.nextXID
        self.database.nextXID += 1
        self.database.running.insert(xid)
        let duration = self.chance(3) ? self.between(100, 2500) * Self.ms : self.latency()
        self.schedule(in: duration) {
            // A crash has rolled it back.
            guard self.database.epoch == epoch, self.database.running.remove(xid) != nil else { return }
            self.database.commits += 1
            self.database.outbox.append(xid)
            let commits = self.database.commits
            if self.chance(20) {
                // By raw SQL: acknowledged at once, and no instance knows of it.
                self.acknowledge(commits)
                return
            }
            self.inside(instance, after: self.latency()) {
                // The process may have died before it could publish; its client then never got an answer.
                if self.chance(10) { return }
                instance.own.append(xid, settled: instance.lane.settledXmin)
                instance.version += 1
                instance.ownCommits = max(instance.ownCommits, commits)
                self.acknowledge(commits)
                instance.relay.nudged(at: self.now)
                self.pump(instance)
                guard let ns = instance.lane.ns else { return }
                if self.chance(20) { return }
                self.command(instance) {
                    self.bump(ns, [xid])
                    self.publish(.hint(ns: ns, scopes: [.init(tenant: 1, module: "stock", xids: [])]))
                } _: { _ in
                }
            }
        }
    }

    private func acknowledge(_ commits: Int) {
        // A later answer never asks for less than an earlier one.
        let highest = max(commits, self.acknowledged.last?.commits ?? 0)
        self.acknowledged.append((self.now, highest))
        if self.acknowledged.count > 4000 { self.acknowledged.removeFirst(2000) }
    }

    // MARK: - Faults

    private func faultLoop() {
        self.schedule(in: self.between(200, 3000) * Self.ms) {
            if self.writesAllowed { self.fault() }
            self.faultLoop()
        }
    }

    private func fault() {
        switch self.random.next() % 7 {
        case 0:
            self.redis.data = DataSet()
        case 1:
            // Restarted, empty or from an older save.
            self.restartRedis(with: self.history.isEmpty || self.chance(50) ? DataSet() : self.history[0])
        case 2:
            let instance = self.instances[Int(self.random.next() % 3)]
            instance.stoppedUntil = self.now + self.between(100, 4000) * Self.ms
        case 3:
            // PostgreSQL crashes and recovers.
            self.database.epoch += 1
            self.database.running.removeAll()
            self.database.isLocked = false
            self.database.drains = self.between(self.database.safeDrains, self.database.drains)
            for instance in self.instances {
                self.inside(instance, after: self.latency()) {
                    instance.relay.postgresConnected()
                    self.pump(instance)
                }
            }
        case 4:
            self.redis.data.generation = nil
        case 5:
            // The bus is connected anew.
            let instance = self.instances[Int(self.random.next() % 3)]
            self.heed(instance, instance.lane.doubt(.bus))
        default:
            break
        }
        if self.chance(30) { self.history = [self.redis.data] }
    }

    private func restartRedis(with data: DataSet) {
        self.redis.isUp = false
        self.redis.epoch += 1
        for instance in self.instances {
            self.inside(instance, after: self.latency()) {
                instance.relay.redisDisconnected()
                self.pump(instance)
            }
        }
        self.schedule(in: self.between(10, 1500) * Self.ms) {
            self.redis.starts += 1
            self.redis.runID = "run\(self.redis.starts)"
            self.redis.data = data
            self.redis.isUp = true
            let runID = self.redis.runID
            for instance in self.instances {
                self.inside(instance, after: 5 * Self.ms + self.latency()) {
                    guard self.redis.isUp, self.redis.runID == runID else { return }
                    instance.relay.redisConnected(runID: runID)
                    self.pump(instance)
                }
            }
        }
    }
}

@Suite struct SimulationTests {
    @Test("no schedule of faults makes an instance serve what it must not", arguments: 0..<6)
    func seeds(_ index: Int) throws {
        var generator = SystemRandomNumberGenerator()
        let seed = generator.next()
        let simulation = Simulation(seed: seed)
        do {
            try simulation.run(steps: 150_000)
        } catch {
            Issue.record("seed \(seed): \(error)")
        }
        print(
            "seed \(seed): \(simulation.l1Hits) L1 hits, \(simulation.l2Hits) L2 hits, \(simulation.fills) fills, "
                + "\(simulation.refusals) distrusted, \(simulation.rotations) rotations"
        )
        #expect(simulation.l1Hits > 1000)
        #expect(simulation.l2Hits > 10)
    }

    @Test("with a guard left out the same check goes red", arguments: Simulation.Control.allCases)
    func controls(_ control: Simulation.Control) {
        var found = 0
        for seed in 0..<12 as Range<UInt64> {
            let simulation = Simulation(seed: seed, control: control)
            do { try simulation.run(steps: 60_000) } catch { found += 1 }
            if found > 0, control != .none { return }
        }
        #expect((found > 0) == (control != .none), "\(control.rawValue): \(found) violations")
    }
}

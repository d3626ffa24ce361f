import Cache
import Coherence

/// Texts of the protocol, made once.
enum Texts {
    /// 32 hex digits of a number.
    static func hex(_ number: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: UInt8(ascii: "0"), count: 32)
        bytes.withUnsafeMutableBufferPointer { bytes in
            var rest = number
            var place = 31
            while rest != 0 {
                let digit = UInt8(truncatingIfNeeded: rest & 15)
                bytes[place] = digit < 10 ? 48 + digit : 87 + digit
                rest >>= 4
                place -= 1
            }
        }
        return bytes
    }

    /// A namespace; its first eight bytes are what tokens keep of it.
    static func namespace(_ number: UInt64) -> String {
        let digits = Self.hex(number &* 0x9E37_79B9_7F4A_7C15)
        return String(decoding: digits[16...] + digits[..<16], as: UTF8.self)
    }
}

/// Everything one server keeps; a plain value, so a save is a copy.
struct DataSet {
    struct Seen: Equatable {
        let ns: String
        let xid: UInt64
    }

    struct Lease {
        var generation: [UInt8]
        var text: [UInt8]
        var until: Int64
        /// Whose it is.
        var instance: Int
        var incarnation: Int32
    }

    struct Alive {
        var ns: String
        var runID: String
        var drains: Int64
        var until: Int64
        var text: [UInt8]
    }

    private(set) var watermark: Watermark?
    private(set) var watermarkText: [UInt8]?
    var alive: Alive?
    var generations = [[UInt8]?](repeating: nil, count: Shop.scopes)
    var rings = [[Seen]](repeating: [], count: Shop.scopes)
    var values = [[UInt8]?](repeating: nil, count: Shop.keys)
    var leases = [Lease?](repeating: nil, count: Shop.keys)
    /// Until when each instance shows that it lives, and which run of it.
    var liveness = [Int64](repeating: 0, count: 3)
    var livenessOf = [Int32](repeating: -1, count: 3)

    mutating func set(_ watermark: Watermark?) {
        self.watermark = watermark
        self.watermarkText = watermark.map { Array($0.text.utf8) }
    }
}

/// A server.
final class SimulatedRedis {
    var data = DataSet()
    private(set) var runID: String
    private(set) var isUp = true
    /// Counts ends; commands sent before one are lost.
    private(set) var epoch: Int32 = 0
    /// Out of memory: scripts that write fail as a whole.
    var isFull = false

    init(runID: String) {
        self.runID = runID
    }

    func stop() {
        self.isUp = false
        self.epoch += 1
    }

    func start(with data: DataSet, runID: String) {
        self.data = data
        self.runID = runID
        self.isUp = true
        self.isFull = false
    }
}

/// A waiting message of the bus.
struct Delivery {
    var arrival: Int64
    var message: BusMessage?
}

// MARK: - Scripts

extension World {
    /// The common part of BUMP and APPLY.
    private func bump(
        _ server: SimulatedRedis,
        _ scope: Int,
        _ ns: String,
        _ xids: [UInt64]
    ) {
        var isUnseen = xids.isEmpty
        for xid in xids {
            let seen = DataSet.Seen(ns: ns, xid: xid)
            if !server.data.rings[scope].contains(seen) {
                isUnseen = true
                server.data.rings[scope].append(seen)
            }
        }
        if server.data.rings[scope].count > self.settings.ringSize {
            // The lowest ids go first, as the set is ordered by them.
            server.data.rings[scope].sort { $0.xid < $1.xid }
            server.data.rings[scope].removeFirst(server.data.rings[scope].count - self.settings.ringSize)
        }
        // Derived from the write a bump would be the same however often it is done, so it is done again.
        guard isUnseen || self.off.reuseGeneration else { return }
        if self.off.counterGeneration {
            let last = server.data.generations[scope].flatMap { UInt64(String(decoding: $0, as: UTF8.self), radix: 16) }
            server.data.generations[scope] = Texts.hex((last ?? 0) + 1)
        } else if self.off.reuseGeneration, let xid = xids.first {
            server.data.generations[scope] = Texts.hex(xid)
        } else {
            server.data.generations[scope] = self.freshGeneration()
        }
    }

    func freshGeneration() -> [UInt8] {
        self.off.counterGeneration ? Texts.hex(1) : Texts.hex(self.random.next() | 1 << 63)
    }

    /// The writer's fast path.
    func scriptBump(_ server: SimulatedRedis, _ operation: BumpOperation, by instance: SimulatedInstance) {
        guard !server.isFull else { return }
        var items: [BusMessage.Item] = []
        for scope in 0..<Shop.scopes where operation.scopes & (1 << UInt8(scope)) != 0 {
            self.bump(server, scope, operation.ns, [operation.xid])
            items.append(
                BusMessage.Item(tenant: Shop.tenant(scope), module: Shop.name(scope), xids: [operation.xid])
            )
        }
        self.remember(instance, operation.ns, [operation.xid])
        self.publish(.hint(ns: operation.ns, scopes: items), on: server)
    }

    /// What the defect keeps in the process: the transactions it has bumped for.
    private func remember(_ instance: SimulatedInstance, _ ns: String, _ xids: [UInt64]) {
        guard self.off.ringInMemory else { return }
        for xid in xids { instance.memory.ring.append(DataSet.Seen(ns: ns, xid: xid)) }
        if instance.memory.ring.count > 512 { instance.memory.ring.removeFirst(256) }
    }

    private func remembers(_ instance: SimulatedInstance, _ ns: String, _ xids: [UInt64]) -> Bool {
        xids.allSatisfy { instance.memory.ring.contains(DataSet.Seen(ns: ns, xid: $0)) }
    }

    /// APPLY; nil if the server has no memory.
    func scriptApply(
        _ server: SimulatedRedis,
        _ batch: RelayBatch,
        by instance: SimulatedInstance
    ) -> RelayStateMachine.ScriptAnswer? {
        guard !server.isFull else { return nil }
        var sequence = batch.first - 1
        if !self.off.watermarkInMemory {
            guard let watermark = server.data.watermark, self.off.noNamespace || watermark.ns == batch.ns else {
                return .namespace
            }
            if batch.first > watermark.sequence + 1 { return .gap }
            if batch.last <= watermark.sequence { return .old }
            sequence = watermark.sequence
        }
        for item in batch.items where item.sequence > sequence {
            if self.off.ringInMemory, self.remembers(instance, batch.ns, item.xids) { continue }
            self.bump(server, Shop.scope(item.tenant, item.module), batch.ns, item.xids)
            self.remember(instance, batch.ns, item.xids)
        }
        server.data.set(Watermark(ns: batch.ns, sequence: batch.last, tag: batch.tag))
        self.publish(batch.message, on: server)
        return .done
    }

    /// ALIVE; nil if the server has no memory.
    func scriptAlive(
        _ server: SimulatedRedis,
        _ declaration: RelayDeclaration
    ) -> RelayStateMachine.ScriptAnswer? {
        guard !server.isFull else { return nil }
        let wanted = declaration.watermark
        let runID = declaration.runID ?? "-"
        if !self.off.watermarkInMemory {
            guard let watermark = server.data.watermark, self.off.noNamespace || watermark.ns == wanted.ns else {
                return .namespace
            }
            let isSame = watermark.sequence == wanted.sequence && (self.off.noTag || watermark.tag == wanted.tag)
            guard isSame else { return .gap }
        }
        if let alive = server.data.alive, alive.ns == wanted.ns, alive.runID == runID,
            alive.drains > declaration.drains, self.now < alive.until
        {
            return .old
        }
        server.data.alive = DataSet.Alive(
            ns: wanted.ns,
            runID: runID,
            drains: declaration.drains,
            until: self.now + self.settings.aliveTTL.nanoseconds,
            text: Array("\(wanted.ns) \(runID) \(declaration.drains)".utf8)
        )
        self.publish(.beat(ns: wanted.ns, head: wanted.sequence), on: server)
        return .done
    }

    /// RESET; nil if the server has no memory.
    func scriptReset(_ server: SimulatedRedis, _ watermark: Watermark) -> Bool? {
        guard !server.isFull else { return nil }
        server.data.alive = nil
        server.data.set(watermark)
        return true
    }

    /// The MGET of a reader.
    func scriptLook(_ server: SimulatedRedis, _ key: Int) -> SecondLevelAnswer {
        let alive = server.data.alive.flatMap { self.now < $0.until ? $0.text : nil }
        return SecondLevelAnswer(
            watermark: server.data.watermarkText,
            alive: alive,
            generation: server.data.generations[Shop.scope(ofKey: key)],
            value: server.data.values[self.place(key)],
            runID: server.runID
        )
    }

    /// The place of a key's value; with a colliding key builder two keys have one.
    func place(_ key: Int) -> Int {
        self.off.collidingKeys ? key - key % Shop.keysPerScope : key
    }

    // MARK: - Bus

    func publish(_ message: BusMessage, on server: SimulatedRedis) {
        for instance in self.instances where instance.bus.isConnected && instance.bus.server === server {
            if self.percent(self.profile.busLoss) || self.now < instance.bus.mutedUntil { continue }
            self.enqueue(message, for: instance)
            // Doubled, by a proxy that sent it again.
            if self.percent(self.profile.busLoss / 5) { self.enqueue(message, for: instance) }
        }
    }

    private func enqueue(_ message: BusMessage, for instance: SimulatedInstance) {
        let arrival = max(instance.bus.clear, instance.bus.delayedUntil, self.now + self.latency())
        instance.bus.clear = arrival
        let isGarbled = self.profile.busLoss > 0 && self.permille(1)
        instance.bus.queue.append(Delivery(arrival: arrival, message: isGarbled ? nil : message))
        if !instance.bus.isDelivering { self.deliverNext(instance) }
    }
}

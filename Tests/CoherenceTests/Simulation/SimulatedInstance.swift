import Coherence

@testable import Cache

/// One process: the real machines, and what lies around them.
final class SimulatedInstance {
    /// An entry of L1.
    struct Entry {
        let version: UInt64
        let value: SimulatedValue
        let namespace: UInt64
        let filledAt: Int64
    }

    /// The subscription.
    struct Bus {
        var server: SimulatedRedis?
        var isConnected = false
        /// Messages wait until the probe that follows SUBSCRIBE has ended.
        var isWaitingForProbe = false
        var isDelivering = false
        var queue: [Delivery] = []
        var next = 0
        /// When the last message in the queue arrives: the connection keeps the order.
        var clear: Int64 = 0
        var delayedUntil: Int64 = 0
        var mutedUntil: Int64 = 0
        var heardAt: Int64 = 0
        var ticket: Int32 = 0
    }

    /// What a defective process keeps in its own memory.
    struct Memory {
        var ring: [DataSet.Seen] = []
    }

    let number: Int
    /// Counts runs of the process.
    private(set) var incarnation: Int32 = 0
    var isRunning = true
    var stoppedUntil: Int64 = 0
    var lane: LaneStateMachine
    var relay: RelayStateMachine
    var versions = [UInt64](repeating: 0, count: Shop.scopes)
    /// The first version of each scope that is of the history in force.
    var historyBegins = [UInt64](repeating: 0, count: Shop.scopes)
    var own = [OwnWrites](repeating: OwnWrites(), count: Shop.scopes)
    var entries = [Entry?](repeating: nil, count: Shop.keys)
    var flights: FlightTable
    var composer: TokenComposer
    /// The name of this run of the process.
    private(set) var name: String
    /// The flights under way, as the table knows them.
    var active: [SimulatedFlight] = []
    var memory = Memory()
    /// For the checker: the last commit of each scope this process has acknowledged.
    var acknowledged = [Int32](repeating: 0, count: Shop.scopes)

    // PostgreSQL
    var postgresEpoch: Int32 = -1
    var postgresCutUntil: Int64 = 0
    var isProbing = false
    var probesAgain = false
    var probe: SimulatedProbe?
    var probeTicket: Int32 = 0
    var relayStep: RelayStep?
    var relayTicket: Int32 = 0

    // Redis
    /// The server this process is told to use.
    var target: SimulatedRedis
    var server: SimulatedRedis?
    var serverEpoch: Int32 = -1
    var redisCutUntil: Int64 = 0
    var redisTicket: Int32 = 0
    var bus = Bus()

    init(_ number: Int, _ settings: CacheSettings, target: SimulatedRedis) {
        self.number = number
        self.lane = LaneStateMachine(settings: settings)
        self.relay = RelayStateMachine(settings: settings, now: 0, seed: UInt64(number) + 77)
        self.flights = FlightTable(settings: settings)
        self.composer = TokenComposer(settings: settings)
        self.name = "i\(number).0"
        self.target = target
    }

    /// Begins again with nothing.
    func restart(_ settings: CacheSettings, now: Int64, seed: UInt64) {
        self.incarnation += 1
        self.stoppedUntil = 0
        self.lane = LaneStateMachine(settings: settings)
        self.relay = RelayStateMachine(settings: settings, now: now, seed: seed)
        for scope in 0..<Shop.scopes {
            self.versions[scope] = 0
            self.historyBegins[scope] = 0
            self.own[scope] = OwnWrites()
            self.acknowledged[scope] = 0
        }
        for key in 0..<Shop.keys { self.entries[key] = nil }
        self.flights = FlightTable(settings: settings)
        self.composer = TokenComposer(settings: settings)
        self.name = "i\(self.number).\(self.incarnation)"
        self.active.removeAll()
        self.memory = Memory()
        self.postgresEpoch = -1
        self.isProbing = false
        self.probesAgain = false
        self.probe = nil
        self.probeTicket += 1
        self.relayStep = nil
        self.relayTicket += 1
        self.server = nil
        self.redisTicket += 1
        let ticket = self.bus.ticket + 1
        self.bus = Bus()
        self.bus.ticket = ticket
    }

    /// Whether commands reach a server.
    var hasRedis: Bool { self.server != nil }
}

/// A probe under way.
struct SimulatedProbe {
    var start: LaneStateMachine.ProbeStart
    var epoch: Int32
    var deadline: Int64
    var answer: FollowAnswer?
    var isAnswered = false
}

/// A step of a relay under way.
struct RelayStep {
    enum Reply {
        case none
        case postgresFailed
        case redisFailed
        case identity(actual: String, stored: String)
        case namespace(String)
        case skipped
        case drained(moved: Int64, isFull: Bool, log: FollowAnswer?)
        case followed(FollowAnswer)
        case watermark(Watermark?)
        case script(RelayStateMachine.ScriptAnswer)
        case tookWrite
        case reset
        case pruned
    }

    enum Phase {
        case sent
        case draining(rows: Int, isFull: Bool)
        case answered
    }

    var step: RelayStateMachine.Step
    var phase = Phase.sent
    var epoch: Int32
    /// From where on a drain reads the log along.
    var drainsFrom: Int64?
    var reply = Reply.none
}

/// The writer's bump of Redis, on its way.
struct BumpOperation {
    var instance: Int
    var server: SimulatedRedis?
    var epoch: Int32 = 0
    var ns = ""
    var scopes: UInt8 = 0
    var xid: UInt64 = 0
}

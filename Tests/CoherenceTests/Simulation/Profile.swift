/// What may go wrong.
enum Fault: CaseIterable {
    case flushAll
    case restartRedisEmpty
    case restartRedisOld
    case evictGeneration
    case evictWatermark
    case evictAlive
    case evictValue
    case evictRing
    case evictLease
    case promoteReplica
    case twoPrimaries
    case redisFull
    case redisDown
    case stop
    case kill
    case crashPostgres
    case restorePostgres
    case promotePostgres
    case reconnectBus
    case delayBus
    case muteBus
    case cutPostgres
    case cutRedis
}

/// A kind of world: what goes wrong in it and how often.
struct Profile {
    var name: String
    /// The faults drawn from; a fault listed twice comes twice as often.
    var faults: [Fault]
    /// Between faults, milliseconds.
    var faultInterval: ClosedRange<Int64> = 200...3000
    /// Of a hundred committed writes, how many are published by their instance.
    var fastPath: UInt64 = 80
    /// Of a hundred messages of the bus, how many are lost for an instance.
    var busLoss: UInt64 = 5
    /// Of a thousand statements, commands and messages, how many take long.
    var slow: UInt64 = 10
    /// How long that is at most, milliseconds.
    var slowest: Int64 = 700
    /// Of a hundred fills, how many take long.
    var slowFills: UInt64 = 3
    /// How long that is at most, milliseconds.
    var slowestFill: Int64 = 2500
    /// Of a hundred transactions, how many stay open for long.
    var longTransactions: UInt64 = 5
    /// How long that is at most, milliseconds.
    var longestTransaction: Int64 = 2500
    /// Of a hundred transactions, how many are made past the instances.
    var rawWrites: UInt64 = 15
    /// Of a thousand drains, how many are stuck with the lane locked.
    var stuckDrains: UInt64 = 2
    /// How long the longest is, milliseconds.
    var longestDrain: Int64 = 1500
    /// The longest pause of a client, milliseconds.
    var longestPause: Int64 = 60
    /// Of a hundred things a client does, how many are writes.
    var writes: UInt64 = 12
    /// How long rows stay in the log, milliseconds.
    var logAge: Int64 = 3_600_000
    /// Whether there is a Redis.
    var hasRedis = true
    /// Of a hundred clients, how many carry tokens.
    var tokens: UInt64 = 40
    /// Whether nobody waits for long, as nothing but dead processes could make them.
    var isPrompt = false

    /// Everything goes wrong.
    static let everything = Profile(name: "everything", faults: Fault.allCases)
    /// Nothing goes wrong: every message arrives, soon.
    static let calm = Profile(
        name: "calm",
        faults: [],
        fastPath: 100,
        busLoss: 0,
        slow: 0,
        slowFills: 0,
        longTransactions: 0,
        rawWrites: 0,
        stuckDrains: 0
    )
    /// Nothing goes wrong but that processes die.
    static let killings = Profile(
        name: "killings",
        faults: [.kill],
        faultInterval: 300...2000,
        busLoss: 0,
        slow: 0,
        slowFills: 0,
        longTransactions: 0,
        stuckDrains: 0,
        isPrompt: true
    )
    /// Fills and statements are slow, servers live.
    static let slow = Profile(
        name: "slow",
        faults: [.evictGeneration, .evictValue, .stop],
        slow: 30,
        slowFills: 40,
        slowestFill: 900,
        longestPause: 30,
        writes: 15
    )
    /// Redis loses what it had, in every way it can.
    static let redisLosses = Profile(
        name: "redis losses",
        faults: [
            .restartRedisOld, .restartRedisOld, .promoteReplica, .promoteReplica, .twoPrimaries, .evictWatermark,
            .evictGeneration, .flushAll, .restartRedisEmpty,
        ],
        faultInterval: 300...2500,
        fastPath: 60,
        rawWrites: 30
    )
    /// Messages are lost and late, links are cut, processes stopped.
    static let links = Profile(
        name: "links",
        faults: [.stop, .cutPostgres, .cutPostgres, .cutRedis, .delayBus, .delayBus, .muteBus, .reconnectBus],
        fastPath: 50,
        busLoss: 25,
        rawWrites: 40,
        stuckDrains: 10
    )
    /// Transactions stay open for long, and no writer publishes.
    static let longTransactions = Profile(
        name: "long transactions",
        faults: [.stop, .evictGeneration],
        fastPath: 0,
        slowFills: 0,
        longTransactions: 40,
        longestTransaction: 3000,
        rawWrites: 0,
        longestPause: 20,
        writes: 25,
        tokens: 80
    )
    /// The database is restored from an old data directory, and fails over.
    static let restores = Profile(
        name: "restores",
        faults: [
            .restorePostgres, .restorePostgres, .promotePostgres, .crashPostgres, .restartRedisOld, .evictWatermark,
        ],
        faultInterval: 500...4000,
        fastPath: 50,
        rawWrites: 30
    )
    /// The log is short, so that a Redis that was away does not find its place in it.
    static let shortLog = Profile(
        name: "short log",
        faults: [.restartRedisOld, .evictWatermark, .evictWatermark, .promoteReplica, .redisDown],
        faultInterval: 300...2500,
        fastPath: 40,
        rawWrites: 30,
        logAge: 3000
    )
    /// There is no Redis.
    static let noRedis = Profile(
        name: "no Redis",
        faults: [.stop, .kill, .crashPostgres, .cutPostgres],
        stuckDrains: 10,
        hasRedis: false
    )

    /// The database is restored, and no Redis is there to show it.
    static let restoresAlone = Profile(
        name: "restores alone",
        faults: [.restorePostgres, .restorePostgres, .promotePostgres, .stop],
        faultInterval: 500...4000,
        rawWrites: 15,
        // Few writes, so that they do not cover up for those that were missed.
        writes: 2,
        hasRedis: false,
        tokens: 20
    )

    /// Many messages are lost, nobody hints, and few writes cover up for it.
    static let lossyBus = Profile(
        name: "lossy bus",
        faults: [.cutPostgres],
        fastPath: 0,
        busLoss: 45,
        stuckDrains: 0,
        writes: 1,
        tokens: 0
    )

    /// Drains hold the lane for longer than a lease, one after the other, and nothing else brings news.
    static let stuckRelays = Profile(
        name: "stuck relays",
        faults: [.stop],
        fastPath: 0,
        stuckDrains: 300,
        longestDrain: 2500,
        writes: 5,
        hasRedis: false
    )

    static let all: [Profile] = [
        .everything, .calm, .killings, .slow, .redisLosses, .links, .longTransactions, .restores, .restoresAlone,
        .shortLog, .noRedis, .lossyBus, .stuckRelays,
    ]
}

import Cache
import Testing

@testable import Coherence

@Suite struct RelayStateMachineTests {
    private static let ms: Int64 = 1_000_000

    private static func machine() -> RelayStateMachine {
        var machine = RelayStateMachine(settings: CacheSettings(), now: 0, seed: 1)
        machine.checkedIdentity(actual: "c/1", stored: "c/1")
        return machine
    }

    private static func row(_ sequence: Int64, module: String = "stock", xids: [UInt64] = []) -> LogRow {
        LogRow(sequence: sequence, tag: Int32(sequence), tenant: 1, module: module, xids: xids)
    }

    private static func answer(_ rows: ClosedRange<Int64>, ns: String = "n", drains: Int64 = 9) -> FollowAnswer {
        FollowAnswer(ns: ns, head: rows.upperBound, drains: drains, rows: rows.map { Self.row($0) }, xmin: 1)
    }

    /// A machine whose Redis stands at row 5 and was declared up to date at 200 ms.
    private static func synced() -> RelayStateMachine {
        var machine = Self.machine()
        machine.redisConnected(runID: "r")
        #expect(machine.next(at: 200 * ms) == .drain(notifies: false))
        machine.drained((moved: 0, isFull: false), at: 200 * ms)
        #expect(machine.next(at: 200 * ms) == .readWatermark)
        machine.readWatermark(Watermark(ns: "n", sequence: 5, tag: 5), at: 200 * ms)
        #expect(machine.next(at: 200 * ms) == .follow(from: 5))
        machine.followed(Self.answer(5...5), at: 200 * ms)
        let declaration = RelayDeclaration(
            watermark: Watermark(ns: "n", sequence: 5, tag: 5),
            runID: "r",
            drains: 9
        )
        #expect(machine.next(at: 200 * ms) == .declareAlive(declaration))
        machine.declaredAlive(.done, at: 200 * ms)
        return machine
    }

    @Test("nothing is drained before the database is known to be the same")
    func identity() {
        var machine = RelayStateMachine(settings: CacheSettings(), now: 0, seed: 1)
        machine.nudged(at: 0)
        #expect(machine.next(at: 0) == .checkIdentity)
        machine.checkedIdentity(actual: "c/2", stored: "c/1")
        #expect(machine.next(at: 0) == .adoptIdentity("c/2"))
        machine.adoptedIdentity(ns: "m")
        #expect(machine.next(at: 5 * Self.ms) == .drain(notifies: true))
    }

    @Test("it ticks only when nobody drained for a while, and then goes on ticking")
    func standby() {
        var machine = Self.machine()
        #expect(machine.next(at: 0) == .wait(until: 200 * Self.ms))
        machine.observed(drains: 5, at: 100 * Self.ms)
        machine.observed(drains: 8, at: 150 * Self.ms)
        #expect(machine.next(at: 200 * Self.ms) == .wait(until: 350 * Self.ms))
        #expect(machine.next(at: 350 * Self.ms) == .drain(notifies: true))
        machine.drained((moved: 0, isFull: false), at: 350 * Self.ms)
        #expect(machine.isActive)
        #expect(machine.next(at: 351 * Self.ms) == .wait(until: 400 * Self.ms))
    }

    @Test("its own drains do not look like another relay's")
    func ownDrains() {
        var machine = Self.machine()
        _ = machine.next(at: 200 * Self.ms)
        machine.drained((moved: 0, isFull: false), at: 200 * Self.ms)
        machine.observed(drains: 10, at: 200 * Self.ms)
        for step in 1...50 as ClosedRange<Int64> {
            machine.drained((moved: 0, isFull: false), at: (200 + 50 * step) * Self.ms)
            machine.observed(drains: 10 + step, at: (200 + 50 * step) * Self.ms)
            #expect(machine.isActive)
        }
    }

    @Test("of several that tick one is left")
    func givesWay() {
        var drains: Int64 = 0
        var machines = (1...4).map { RelayStateMachine(settings: CacheSettings(), now: 0, seed: UInt64($0)) }
        for index in machines.indices { machines[index].checkedIdentity(actual: "c", stored: "c") }
        for tick in 1...400 as ClosedRange<Int64> {
            let now = tick * 10 * Self.ms
            for index in machines.indices {
                if tick % 10 == 0 { machines[index].observed(drains: drains, at: now) }
                if case .drain = machines[index].next(at: now) {
                    drains += 1
                    machines[index].drained((moved: 0, isFull: false), at: now)
                }
            }
        }
        #expect(machines.filter { $0.isActive }.count == 1)
    }

    @Test("nudges are taken at most every 5 ms")
    func nudges() {
        var machine = Self.machine()
        machine.nudged(at: 10 * Self.ms)
        #expect(machine.next(at: 10 * Self.ms) == .drain(notifies: true))
        machine.drained((moved: 1, isFull: false), at: 11 * Self.ms)
        machine.nudged(at: 12 * Self.ms)
        #expect(machine.next(at: 12 * Self.ms) == .wait(until: 16 * Self.ms))
        #expect(machine.next(at: 16 * Self.ms) == .drain(notifies: true))
    }

    @Test("a drain that met another relay is repeated three times")
    func skipped() {
        var machine = Self.machine()
        machine.nudged(at: 0)
        var now: Int64 = 5 * Self.ms
        for _ in 0..<3 {
            #expect(machine.next(at: now) == .drain(notifies: true))
            machine.drained(nil, at: now)
            now += 5 * Self.ms
        }
        guard case .wait = machine.next(at: now) else {
            Issue.record("it goes on")
            return
        }
    }

    @Test("a full drain is repeated at once")
    func full() {
        var machine = Self.machine()
        machine.nudged(at: 0)
        machine.drained((moved: 7, isFull: true), at: 6 * Self.ms)
        #expect(machine.next(at: 6 * Self.ms) == .drain(notifies: true))
    }

    @Test("what was drained is applied, and declared when that is due")
    func applies() {
        var machine = Self.synced()
        machine.nudged(at: 210 * Self.ms)
        #expect(machine.next(at: 210 * Self.ms) == .drain(notifies: false))
        machine.drained((moved: 2, isFull: false), at: 211 * Self.ms)
        #expect(machine.next(at: 211 * Self.ms) == .follow(from: 5))
        machine.followed(Self.answer(5...7), at: 212 * Self.ms)
        guard case .apply(let batch) = machine.next(at: 212 * Self.ms) else {
            Issue.record("nothing is applied")
            return
        }
        #expect(batch.first == 6 && batch.last == 7 && batch.tag == 7 && batch.items.count == 1)
        machine.applied(.done, at: 213 * Self.ms)
        guard case .wait = machine.next(at: 213 * Self.ms) else {
            Issue.record("declared too early")
            return
        }
    }

    @Test("another relay's work is noticed by reading where Redis stands", arguments: ["GAP", "OLD"])
    func elsewhere(_ text: String) throws {
        let answer = try #require(RelayStateMachine.ScriptAnswer(rawValue: text))
        var machine = Self.synced()
        machine.drained((moved: 2, isFull: false), at: 211 * Self.ms)
        machine.followed(Self.answer(5...7), at: 212 * Self.ms)
        machine.applied(answer, at: 213 * Self.ms)
        #expect(machine.next(at: 213 * Self.ms) == .readWatermark)
    }

    @Test("a missing watermark is looked at twice, then everything goes cold under a namespace just created")
    func rotates() {
        var machine = Self.machine()
        machine.redisConnected(runID: "r")
        var now: Int64 = 0
        machine.readWatermark(nil, at: now)
        now = 150 * Self.ms
        #expect(machine.next(at: now) == .readWatermark)
        machine.readWatermark(nil, at: now)
        #expect(machine.next(at: now) == .testWriting)
        machine.tookWrite()
        #expect(machine.next(at: now) == .rotate(.watermarkMissing))
        machine.rotated(ns: "m")
        #expect(machine.next(at: now) == .follow(from: nil))
        machine.followed(Self.answer(8...8, ns: "m"), at: now)
        #expect(machine.next(at: now) == .reset(Watermark(ns: "m", sequence: 8, tag: 8)))
        machine.reset()
        #expect(machine.next(at: now) == .follow(from: 8))
    }

    @Test("for a Redis that takes no writes the lane is not rotated, as often as it is looked at")
    func unwritable() {
        var machine = Self.machine()
        machine.redisConnected(runID: "r")
        var tests = 0
        for round in 0..<1_000 as Range<Int64> {
            let now = round * 20 * Self.ms
            switch machine.next(at: now) {
            case .readWatermark: machine.readWatermark(nil, at: now)
            case .drain: machine.drained((moved: 0, isFull: false), at: now)
            case .prune: machine.pruned(isMore: false, at: now)
            case .wait: break
            case .testWriting:
                tests += 1
                machine.redisFailed(at: now)
            case let other:
                Issue.record("\(other)")
                return
            }
        }
        #expect(tests > 10)
    }

    @Test("a lane rotated again meanwhile is not reset under the older namespace")
    func rotatedTwice() {
        var machine = Self.machine()
        machine.redisConnected(runID: "r")
        machine.readWatermark(nil, at: 0)
        machine.readWatermark(nil, at: 0)
        machine.tookWrite()
        machine.rotated(ns: "m")
        machine.followed(Self.answer(8...8, ns: "other"), at: 0)
        #expect(machine.next(at: 0 + 150 * Self.ms) == .readWatermark)
    }

    @Test(
        "a watermark that is not part of the log is looked at again, then rotated away",
        arguments: [
            (Watermark(ns: "n", sequence: 5, tag: 99), 5...7), (Watermark(ns: "n", sequence: 9, tag: 9), 7...7),
            (Watermark(ns: "x", sequence: 5, tag: 5), 5...7), (Watermark(ns: "n", sequence: 2, tag: 2), 5...7),
        ] as [(Watermark, ClosedRange<Int64>)]
    )
    func foreign(_ watermark: Watermark, _ rows: ClosedRange<Int64>) {
        var machine = Self.machine()
        machine.redisConnected(runID: "r")
        for round in 0..<2 as Range<Int64> {
            machine.readWatermark(watermark, at: round)
            machine.followed(Self.answer(rows), at: round)
        }
        #expect(machine.next(at: 150 * Self.ms) == .testWriting)
        machine.tookWrite()
        guard case .rotate = machine.next(at: 150 * Self.ms) else {
            Issue.record("not rotated")
            return
        }
    }

    @Test("a failing database is asked again after growing pauses, and its identity first")
    func failures() {
        var machine = Self.machine()
        machine.nudged(at: 0)
        machine.postgresFailed(at: 0)
        #expect(machine.next(at: 0) == .wait(until: 50 * Self.ms))
        #expect(machine.next(at: 50 * Self.ms) == .checkIdentity)
        machine.postgresFailed(at: 50 * Self.ms)
        #expect(machine.next(at: 50 * Self.ms) == .wait(until: 150 * Self.ms))
    }

    @Test("rows of one scope become one item that stands at the last of them")
    func coalesces() throws {
        let rows = [
            Self.row(1, xids: [5]), Self.row(2, module: "sales", xids: [6]), Self.row(3, xids: [7, 8]),
            LogRow(sequence: 4, tag: 4, tenant: nil, module: "", xids: []),
        ]
        let batch = try #require(RelayBatch(ns: "n", rows: rows))
        #expect(batch.first == 1 && batch.last == 4 && batch.tag == 4)
        #expect(batch.items.map { $0.sequence } == [3, 2])
        #expect(batch.items.map { $0.xids } == [[5, 7, 8], [6]])
    }
}

import NIOCore
import Testing

@testable import Cache

@Suite struct FlightStateMachineTests {
    private static let key = CacheKey(tenant: 1, module: .products, key: "id:1")
    private static let ns = String(repeating: "a", count: 32)
    fileprivate static let generation = Array(String(repeating: "b", count: 32).utf8)
    private static let lease = Self.generation + Array(" other/1".utf8)
    private static let millisecond: Int64 = 1_000_000

    fileprivate static func machine(
        renews: Bool = false,
        _ change: (inout CacheSettings) -> Void = { _ in }
    )
        -> FlightStateMachine
    {
        var settings = CacheSettings()
        change(&settings)
        return FlightStateMachine(key: Self.key, settings: settings, renews: renews, seed: 7)
    }

    fileprivate static func value(
        ns: String = FlightStateMachineTests.ns,
        generation: [UInt8] = FlightStateMachineTests.generation,
        key: CacheKey = FlightStateMachineTests.key,
        expiresAt: Int64 = 1000,
        xmax: UInt64 = 50
    ) -> [UInt8] {
        Envelope(
            ns: Array(ns.utf8),
            generation: generation,
            keyHash: Envelope.keyHash(key),
            snapshot: snapshot(below: xmax),
            filledAt: 0,
            expiresAt: expiresAt,
            etag: "\"e\"",
            body: ByteBuffer(string: "{}")
        ).encoded()
    }

    fileprivate static func answer(_ value: [UInt8]? = nil, watermark: Int64 = 5) -> SecondLevelAnswer {
        SecondLevelAnswer(
            watermark: Array("\(Self.ns) \(watermark) 1".utf8),
            alive: Array("\(Self.ns) run1 9".utf8),
            generation: Self.generation,
            value: value,
            runID: "run1"
        )
    }

    fileprivate static func knowledge(
        sees xid: UInt64? = nil,
        isUsable: Bool = true,
        wall: Int64 = 100
    )
        -> FlightStateMachine.Knowledge
    {
        FlightStateMachine.Knowledge(
            ns: Self.ns,
            applied: 5,
            isRecognised: true,
            isUsable: isUsable,
            wallTime: wall
        ) { snapshot in
            xid.map { snapshot.sees($0) } ?? true
        }
    }

    /// A machine that waits for another's fill since time 0.
    fileprivate static func waiting() -> FlightStateMachine {
        var machine = Self.machine()
        _ = machine.begin(canAsk: true)
        _ = machine.looked(Self.answer(), Self.knowledge())
        _ = machine.leased(.wait(generation: Self.generation, lease: Self.lease), at: 0)
        return machine
    }

    @Test("without Redis, and for what must not leave the process, the database is asked")
    func direct() {
        var machine = Self.machine()
        #expect(machine.begin(canAsk: false).name == "fill")
        #expect(machine.filled(isStorable: true).name == "done")
        let key = CacheKey(tenant: 1, module: .identity, key: "id:1")
        machine = FlightStateMachine(key: key, settings: CacheSettings(), seed: 1)
        #expect(machine.begin(canAsk: true).name == "fill")
    }

    @Test("a value is served only if everything about it is right")
    func judged() {
        let good = Self.value()
        let other = CacheKey(tenant: 2, module: .products, key: "id:1")
        let cases: [(SecondLevelAnswer?, FlightStateMachine.Knowledge, String)] = [
            (Self.answer(good), Self.knowledge(), "serve"),
            (nil, Self.knowledge(), "fill"),
            (Self.answer(good, watermark: 4), Self.knowledge(), "fill"),
            (Self.answer(good), Self.knowledge(isUsable: false), "fill"),
            (Self.answer(good), Self.knowledge(sees: 49), "serve"),
            (Self.answer(good), Self.knowledge(sees: 50), "fill"),
            (Self.answer(good), Self.knowledge(wall: 1000), "lease"),
            (Self.answer(), Self.knowledge(), "lease"),
            (Self.answer(Self.value(ns: String(repeating: "c", count: 32))), Self.knowledge(), "lease"),
            (
                Self.answer(Self.value(generation: Array(String(repeating: "c", count: 32).utf8))), Self.knowledge(),
                "lease"
            ),
            (Self.answer(Self.value(key: other)), Self.knowledge(), "lease"),
            (Self.answer(Array(good.dropLast())), Self.knowledge(), "lease"),
        ]
        for (index, (answer, knowledge, step)) in cases.enumerated() {
            var machine = Self.machine()
            #expect(machine.begin(canAsk: true).name == "look")
            #expect(machine.looked(answer, knowledge).name == step, "case \(index)")
        }
    }

    @Test("a guard left out lets the wrong value through, and that one only")
    func defects() {
        let other = CacheKey(tenant: 2, module: .products, key: "id:1")
        let cases: [(Defect, [UInt8])] = [
            (.noNamespace, Self.value(ns: String(repeating: "c", count: 32))), (.noKeyHash, Self.value(key: other)),
        ]
        for (defect, value) in cases {
            var machine = Self.machine { $0.defects = Defects([defect]) }
            _ = machine.begin(canAsk: true)
            #expect(machine.looked(Self.answer(value), Self.knowledge()).name == "serve")
        }
        var machine = Self.machine { $0.defects = Defects([.lateCapture]) }
        _ = machine.begin(canAsk: true)
        _ = machine.looked(Self.answer(), Self.knowledge())
        _ = machine.leased(.fill(generation: Self.generation), at: 0)
        #expect(machine.filled(isStorable: true).name == "recapture")
        guard case .store(let captured) = machine.recaptured([1]) else {
            Issue.record("nothing is stored")
            return
        }
        #expect(captured.generation == [1])
    }

    @Test("who gets the lease fills, stores under what it captured, or gives the lease back")
    func fills() {
        var machine = Self.machine()
        _ = machine.begin(canAsk: true)
        _ = machine.looked(Self.answer(), Self.knowledge())
        #expect(machine.leased(.fill(generation: [9]), at: 0).name == "fill")
        let captured = FlightStateMachine.Captured(generation: [9], ns: Self.ns, holdsLease: true)
        var (unstorable, unanswered) = (machine, machine)
        guard case .store(captured) = machine.filled(isStorable: true),
            case .release(captured) = unstorable.filled(isStorable: false),
            case .release(captured) = unanswered.failed()
        else {
            Issue.record("the lease is kept")
            return
        }
    }

    @Test("a reader whose token failed fills without a lease, and still stores")
    func tokenFailed() {
        var machine = Self.machine()
        _ = machine.begin(canAsk: true)
        #expect(machine.looked(Self.answer(Self.value()), Self.knowledge(sees: 99)).name == "fill")
        #expect(machine.notes.missesWrites)
        var unanswered = machine
        guard case .store(let captured) = machine.filled(isStorable: true) else {
            Issue.record("nothing is stored")
            return
        }
        #expect(captured.generation == Self.generation && !captured.holdsLease)
        #expect(unanswered.failed().name == "done")
    }

    @Test("who waits looks every 20 to 50 ms, for at most a second")
    func waits() {
        var machine = Self.machine()
        _ = machine.begin(canAsk: true)
        _ = machine.looked(Self.answer(), Self.knowledge())
        var now: Int64 = 0
        var step = machine.leased(.wait(generation: Self.generation, lease: Self.lease), at: now)
        var polls = 0
        while case .poll(_, let pause) = step {
            polls += 1
            #expect(pause >= .milliseconds(20) && pause <= .milliseconds(50))
            now += pause.nanoseconds
            let answer = PollAnswer(answer: Self.answer(), lease: Self.lease, isOwnerAlive: true)
            step = machine.polled(answer, at: now, Self.knowledge())
        }
        #expect(step.name == "fill")
        #expect(polls > 19 && polls < 51)
        #expect(now >= 1000 * Self.millisecond && now < 1051 * Self.millisecond)
        #expect(machine.notes.waitedUntil == now)
        guard case .store(let captured) = machine.filled(isStorable: true) else {
            Issue.record("nothing is stored")
            return
        }
        #expect(!captured.holdsLease)
    }

    @Test("what ends a wait")
    func waitEnds() {
        let gone = PollAnswer(answer: Self.answer(), lease: Self.lease, isOwnerAlive: false)
        var answer = gone
        answer.lease = nil
        let free = answer
        answer.lease = Self.generation + Array(" third/1".utf8)
        let another = answer
        answer.answer.generation = Array(String(repeating: "c", count: 32).utf8)
        let bumped = answer
        let cases: [(PollAnswer?, String)] = [
            (PollAnswer(answer: Self.answer(Self.value()), lease: nil, isOwnerAlive: true), "serve"),
            (PollAnswer(answer: Self.answer(watermark: 4), lease: Self.lease, isOwnerAlive: true), "fill"),
            (nil, "fill"), (gone, "steal"), (free, "lease"), (another, "lease"), (bumped, "lease"),
        ]
        for (index, (poll, step)) in cases.enumerated() {
            var machine = Self.waiting()
            #expect(machine.polled(poll, at: 30 * Self.millisecond, Self.knowledge()).name == step, "case \(index)")
        }
    }

    @Test("a lease taken over is as good as one's own; who was slower asks again")
    func steals() {
        let gone = PollAnswer(answer: Self.answer(), lease: Self.lease, isOwnerAlive: false)
        var machine = Self.waiting()
        _ = machine.polled(gone, at: 30 * Self.millisecond, Self.knowledge())
        var (slower, unanswered) = (machine, machine)
        #expect(machine.stolen(true, at: 31 * Self.millisecond).name == "fill")
        #expect(machine.notes.hasStolen && machine.failed().name == "release")
        #expect(slower.stolen(false, at: 31 * Self.millisecond).name == "lease")
        #expect(unanswered.stolen(nil, at: 31 * Self.millisecond).name == "fill")
    }

    @Test("a value that appeared is looked at together with the watermark, a few times at most")
    func appeared() {
        var machine = Self.machine()
        var step = machine.begin(canAsk: true)
        var looks = 0
        while case .look = step {
            looks += 1
            _ = machine.looked(Self.answer(), Self.knowledge())
            step = machine.leased(.hit(generation: Self.generation, value: Self.value()), at: 0)
        }
        #expect(looks == 3 && step.name == "fill")
    }

    @Test("what a server that is no longer trusted said about the generation is forgotten")
    func forgotten() {
        var machine = Self.machine()
        _ = machine.begin(canAsk: true)
        _ = machine.looked(Self.answer(), Self.knowledge())
        #expect(machine.leased(.hit(generation: Self.generation, value: Self.value()), at: 0).name == "look")
        #expect(machine.looked(Self.answer(watermark: 4), Self.knowledge()).name == "fill")
        #expect(machine.filled(isStorable: true).name == "done")
    }

    @Test("a value that cannot be read leads to the database, whose answer takes its place")
    func unreadable() {
        var machine = Self.machine()
        _ = machine.begin(canAsk: true)
        guard case .serve(let value) = machine.looked(Self.answer(Self.value()), Self.knowledge()) else {
            Issue.record("the value is not served")
            return
        }
        #expect(!machine.asksDatabase)
        machine.rejected(value)
        #expect(machine.asksDatabase && machine.notes.mismatches == 1)
        #expect(machine.filled(isStorable: true).name == "store")
    }

    @Test("an answer to what was not asked stops, with a sentence", arguments: Misfed.allCases)
    func illegal(misfed: Misfed) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [misfed] in
            misfed.happen()
        }
        let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains("a flight was told that \(misfed.rawValue)"))
    }

    /// What no owner does.
    enum Misfed: String, CaseIterable, Codable {
        case twice = "it begins while Redis is looked into"
        case lookUnasked = "a look-up ended while nothing was asked"
        case leaseForLook = "a lease was answered while Redis is looked into"
        case pollForLease = "a poll ended while a lease is asked for"
        case stolenForPoll = "a lease was taken over or not while another's fill is waited for"
        case unread = "a value cannot be read while the database is asked"
        case filledEarly = "the database has answered while a lease is asked for"
        case filledTwice = "the database has answered while the way is over"
        case failedAfterAll = "the database has not answered while the way is over"
        case recapturedUnasked = "the generation was read again while the database is asked"

        func happen() {
            var machine = FlightStateMachineTests.machine()
            if self == .lookUnasked { _ = machine.looked(nil, FlightStateMachineTests.knowledge()) }
            _ = machine.begin(canAsk: true)
            if self == .twice { _ = machine.begin(canAsk: true) }
            if self == .leaseForLook { _ = machine.leased(nil, at: 0) }
            _ = machine.looked(FlightStateMachineTests.answer(), FlightStateMachineTests.knowledge())
            if self == .pollForLease { _ = machine.polled(nil, at: 0, FlightStateMachineTests.knowledge()) }
            if self == .filledEarly { _ = machine.filled(isStorable: true) }
            if self == .stolenForPoll {
                machine = FlightStateMachineTests.waiting()
                _ = machine.stolen(true, at: 0)
            }
            _ = machine.leased(.fill(generation: FlightStateMachineTests.generation), at: 0)
            if self == .recapturedUnasked { _ = machine.recaptured(nil) }
            if self == .unread, let value = Envelope(decoding: FlightStateMachineTests.value()) {
                machine.rejected(value)
            }
            _ = machine.filled(isStorable: true)
            if self == .filledTwice { _ = machine.filled(isStorable: true) }
            if self == .failedAfterAll { _ = machine.failed() }
        }
    }

    @Test("a renewal passes over a value about to end, takes a younger one, and gives way to others")
    func renews() {
        var machine = Self.machine(renews: true)
        _ = machine.begin(canAsk: true)
        var other = machine
        #expect(machine.looked(Self.answer(Self.value()), Self.knowledge(wall: 950)).name == "lease")
        #expect(machine.leased(.wait(generation: Self.generation, lease: Self.lease), at: 0).name == "done")
        #expect(!machine.asksDatabase)
        #expect(other.looked(Self.answer(Self.value()), Self.knowledge(wall: 800)).name == "serve")
    }

    @Test("whatever Redis answers, the way ends within its bounds")
    func random() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = Seeded(seed)
        for _ in 0..<3000 {
            var machine = FlightStateMachine(key: Self.key, settings: CacheSettings(), seed: generator.next())
            var step = machine.begin(canAsk: true)
            var now: Int64 = 0
            var turns = 0
            while true {
                turns += 1
                if turns > 300 {
                    Issue.record("seed \(seed): no end")
                    return
                }
                let answers = [
                    Self.answer(), Self.answer(), Self.answer(Self.value(expiresAt: 50)),
                    Self.answer(Self.value(), watermark: 3), Self.answer(Self.value(xmax: 10)),
                ]
                let answer =
                    Int.random(in: 0..<12, using: &generator) == 0 ? nil : answers.randomElement(using: &generator)
                let knowledge = Self.knowledge(sees: 20)
                now += Int64.random(in: 0..<5, using: &generator) * Self.millisecond
                switch step {
                case .look:
                    step = machine.looked(answer, knowledge)
                case .lease:
                    let options: [LeaseAnswer?] = [
                        nil, .hit(generation: Self.generation, value: []), .fill(generation: Self.generation),
                        .wait(generation: Self.generation, lease: Self.lease),
                        .wait(generation: Self.generation, lease: [1]),
                    ]
                    step = machine.leased(options.randomElement(using: &generator) ?? nil, at: now)
                case .poll(_, let pause):
                    now += pause.nanoseconds
                    let poll = answer.map {
                        PollAnswer(
                            answer: $0,
                            lease: [Self.lease, nil, [1]].randomElement(using: &generator) ?? nil,
                            isOwnerAlive: Bool.random(using: &generator)
                        )
                    }
                    step = machine.polled(poll, at: now, knowledge)
                case .steal:
                    step = machine.stolen([true, false, nil].randomElement(using: &generator) ?? nil, at: now)
                default:
                    break
                }
                if ["fill", "serve", "done"].contains(step.name) { break }
            }
            #expect(now < 1300 * Self.millisecond)
        }
    }
}

extension FlightStateMachine.Step {
    /// The name alone.
    var name: String {
        switch self {
        case .look: "look"
        case .lease: "lease"
        case .poll: "poll"
        case .steal: "steal"
        case .serve: "serve"
        case .fill: "fill"
        case .recapture: "recapture"
        case .store: "store"
        case .release: "release"
        case .done: "done"
        }
    }
}

import Testing

@testable import Cache

@Suite struct LaneStateMachineTests {
    private static let ns = "n1"

    private static func row(
        _ sequence: Int64,
        _ module: String = "products",
        xids: [UInt64] = [],
        tag: Int32? = nil
    )
        -> LogRow
    {
        LogRow(sequence: sequence, tag: tag ?? Int32(sequence) * 3, tenant: 1, module: module, xids: xids)
    }

    private static func answer(
        _ rows: ClosedRange<Int64>,
        drains: Int64,
        ns: String = LaneStateMachineTests.ns,
        head: Int64? = nil,
        xmin: UInt64 = 1
    ) -> FollowAnswer {
        FollowAnswer(
            ns: ns,
            head: head ?? rows.upperBound,
            drains: drains,
            rows: rows.map { Self.row($0) },
            xmin: xmin
        )
    }

    /// A machine that has adopted row 5 at time 0 with 10 drains.
    private static func adopted() -> LaneStateMachine {
        var machine = LaneStateMachine(settings: CacheSettings())
        let start = machine.probeBegins(at: 0)
        let effects = machine.probeEnded(start, Self.answer(5...5, drains: 10))
        #expect(effects.dropsAll)
        return machine
    }

    private static let millisecond: Int64 = 1_000_000

    @Test("one probe is not enough to serve")
    func oneProbe() {
        let machine = Self.adopted()
        #expect(machine.applied == LogPosition(sequence: 5, tag: 15))
        #expect(!machine.hasHole)
        #expect(machine.usableUntil == .min)
    }

    @Test("two more drains prolong the lease from the time of the earlier probe")
    func twoDrains() {
        var machine = Self.adopted()
        var start = machine.probeBegins(at: 100 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(5...5, drains: 11))
        #expect(machine.usableUntil == .min, "one drain may have begun before the earlier probe")
        start = machine.probeBegins(at: 200 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(5...5, drains: 12))
        #expect(machine.usableUntil == 1000 * Self.millisecond)
        start = machine.probeBegins(at: 300 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(5...5, drains: 14))
        #expect(machine.usableUntil == 1200 * Self.millisecond)
    }

    @Test("frequent probes without drains do not push out the one that proves something")
    func frequentProbes() {
        var machine = Self.adopted()
        for step in 1...50 {
            let start = machine.probeBegins(at: Int64(step) * Self.millisecond)
            _ = machine.probeEnded(start, Self.answer(5...5, drains: 11))
        }
        let start = machine.probeBegins(at: 60 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(5...5, drains: 13))
        #expect(machine.freshAsOf == 50 * Self.millisecond)
    }

    @Test("drains that went back make earlier probes worthless")
    func drainsWentBack() {
        var machine = Self.adopted()
        var start = machine.probeBegins(at: 100 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(5...5, drains: 8))
        start = machine.probeBegins(at: 200 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(5...5, drains: 9))
        #expect(machine.freshAsOf == nil)
        start = machine.probeBegins(at: 300 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(5...5, drains: 10))
        #expect(machine.freshAsOf == 100 * Self.millisecond)
    }

    @Test("a probe bumps the rows it brings, in order, once")
    func rows() {
        var machine = Self.adopted()
        let start = machine.probeBegins(at: 1)
        // Row 6 comes by the bus while the probe is under way.
        let early = machine.received(
            .applied(ns: Self.ns, first: 6, last: 6, tag: 18, scopes: [.init(tenant: 1, module: "products", xids: [6])])
        )
        #expect(early.bumps.count == 1)
        let effects = machine.probeEnded(start, Self.answer(5...8, drains: 11))
        #expect(effects.bumps.count == 2)
        #expect(machine.applied == LogPosition(sequence: 8, tag: 24))
    }

    @Test("another tag at the known row means another history: everything goes, own writes too")
    func otherTag() {
        var machine = Self.adopted()
        let start = machine.probeBegins(at: 1)
        var answer = Self.answer(5...6, drains: 11)
        answer.rows[0] = Self.row(5, tag: 999)
        let effects = machine.probeEnded(start, answer)
        #expect(effects.dropsAll && effects.forgetsWrites && effects.probesNow)
        #expect(machine.applied == nil && machine.hasHole)
        #expect(machine.usableUntil == .min)
    }

    @Test("a known row that is gone means bumps may be missing: everything goes, own writes stay")
    func truncated() {
        var machine = Self.adopted()
        let start = machine.probeBegins(at: 1)
        let effects = machine.probeEnded(start, Self.answer(9...12, drains: 11))
        #expect(effects.dropsAll && !effects.forgetsWrites && effects.probesNow)
    }

    @Test("a log that ends before the known row was rolled back")
    func rolledBack() {
        var machine = Self.adopted()
        let start = machine.probeBegins(at: 1)
        let answer = FollowAnswer(ns: Self.ns, head: 3, drains: 11, rows: [], xmin: 1)
        let effects = machine.probeEnded(start, answer)
        #expect(effects.dropsAll && effects.forgetsWrites)
    }

    @Test("a Redis that is ahead is recognised only where it and the log have met, row by row and tag by tag")
    func recognition() {
        func watermark(_ sequence: Int64, tag: Int32? = nil, ns: String = Self.ns) -> Watermark {
            Watermark(ns: ns, sequence: sequence, tag: tag ?? Int32(sequence) * 3)
        }
        var machine = Self.adopted()
        /// Asks the machine, outside the macro, which cannot ask what changes.
        func recognises(_ watermark: Watermark?) -> Bool { machine.recognises(watermark) }
        // Ahead: of this history, or of one that was lost when the database was restored.
        #expect(!recognises(watermark(7)))
        #expect(!recognises(watermark(4)))
        #expect(!recognises(nil))
        // The restored database has come as far, with rows of its own.
        var start = machine.probeBegins(at: 100 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(5...7, drains: 12))
        #expect(!recognises(watermark(7, tag: 99)))
        #expect(!recognises(watermark(7, ns: "other")))
        #expect(recognises(watermark(7)))
        // They go on together from here.
        #expect(recognises(watermark(9)))
        start = machine.probeBegins(at: 200 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(7...8, drains: 14))
        #expect(recognises(watermark(9)))
        // Another history, or another namespace, is to be met anew.
        start = machine.probeBegins(at: 300 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(8...8, drains: 16, ns: "n2"))
        #expect(!recognises(watermark(9, ns: "n2")))
        #expect(recognises(watermark(8, ns: "n2")))
        start = machine.probeBegins(at: 400 * Self.millisecond)
        _ = machine.probeEnded(start, Self.answer(3...3, drains: 3, ns: "n2"))
        #expect(!recognises(watermark(8, ns: "n2")))
    }

    @Test("another namespace drops everything and goes on with the log")
    func otherNamespace() {
        var machine = Self.adopted()
        let start = machine.probeBegins(at: 1)
        let effects = machine.probeEnded(start, Self.answer(5...6, drains: 12, ns: "n2"))
        #expect(effects.dropsAll && !effects.forgetsWrites)
        #expect(machine.ns == "n2")
        #expect(machine.applied?.sequence == 6)
        #expect(machine.freshAsOf == nil)
    }

    @Test("further behind than the limit it jumps to the head")
    func farBehind() {
        var machine = Self.adopted()
        let start = machine.probeBegins(at: 1)
        let effects = machine.probeEnded(start, Self.answer(5...1005, drains: 11, head: 20_000))
        #expect(effects.dropsAll && effects.probesNow)
        let again = machine.probeBegins(at: 2)
        #expect(again.from == nil)
        _ = machine.probeEnded(again, Self.answer(20_000...20_000, drains: 12))
        #expect(machine.applied?.sequence == 20_000)
    }

    @Test("a cut off answer is continued at once and proves nothing")
    func cutOff() {
        var machine = Self.adopted()
        let start = machine.probeBegins(at: 1)
        let effects = machine.probeEnded(start, Self.answer(5...1005, drains: 20, head: 1500))
        #expect(effects.probesNow)
        #expect(machine.freshAsOf == nil)
    }

    @Test(
        "messages of the bus",
        arguments: [
            // first, last, bumped, doubt
            (6, 6, true, nil), (4, 7, true, nil), (5, 5, false, nil), (1, 4, false, nil), (7, 8, false, .gap),
        ] as [(Int64, Int64, Bool, LaneStateMachine.Doubt?)]
    )
    func applied(_ first: Int64, _ last: Int64, _ isBumped: Bool, _ doubt: LaneStateMachine.Doubt?) {
        var machine = Self.adopted()
        let effects = machine.received(
            .applied(
                ns: Self.ns,
                first: first,
                last: last,
                tag: 1,
                scopes: [.init(tenant: 1, module: "stock", xids: [3])]
            )
        )
        #expect(effects.bumps.isEmpty == !isBumped)
        #expect(effects.doubt == doubt)
        #expect(machine.hasHole == (doubt != nil))
        #expect(machine.applied?.sequence == (isBumped ? last : 5))
    }

    @Test("a beat that knows a later row, another namespace, or an unreadable message raises a doubt")
    func doubts() {
        let cases: [(BusMessage?, LaneStateMachine.Doubt?)] = [
            (.beat(ns: Self.ns, head: 5), nil), (.beat(ns: Self.ns, head: 4), nil),
            (.beat(ns: Self.ns, head: 6), .behind), (.beat(ns: "n2", head: 5), .namespace),
            (.applied(ns: "n2", first: 6, last: 6, tag: 1, scopes: []), .namespace), (nil, .parse),
        ]
        for (message, doubt) in cases {
            var machine = Self.adopted()
            let effects = machine.received(message)
            #expect(effects.doubt == doubt)
            #expect(effects.probesNow == (doubt != nil))
        }
    }

    @Test("a beat never renews the lease")
    func beatRenewsNothing() {
        var machine = Self.adopted()
        _ = machine.received(.beat(ns: Self.ns, head: 5))
        #expect(machine.freshAsOf == nil)
    }

    @Test("a hint bumps and moves nothing")
    func hint() {
        var machine = Self.adopted()
        let effects = machine.received(.hint(ns: Self.ns, scopes: [.init(tenant: 1, module: "stock", xids: [9])]))
        #expect(effects.bumps == [.init(tenant: 1, module: "stock", xids: [9], source: .hint, sequence: nil)])
        #expect(machine.applied?.sequence == 5)
    }

    @Test("a probe that began before a doubt does not end it")
    func lateProbe() {
        var machine = Self.adopted()
        let start = machine.probeBegins(at: 1)
        _ = machine.received(.beat(ns: Self.ns, head: 6))
        let effects = machine.probeEnded(start, Self.answer(5...5, drains: 12))
        #expect(machine.hasHole)
        #expect(effects.probesNow)
        let again = machine.probeBegins(at: 2)
        _ = machine.probeEnded(again, Self.answer(5...6, drains: 12))
        #expect(!machine.hasHole)
    }
}

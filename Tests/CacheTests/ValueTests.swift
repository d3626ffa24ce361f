import NIOCore
import Testing

@testable import Cache

@Suite struct SnapshotTests {
    @Test(
        "a transaction is seen unless it is above, running, or not known to be over",
        arguments: [
            (9, true), (10, false), (11, true), (14, false), (15, true), (20, false), (21, false),
        ] as [(UInt64, Bool)]
    )
    func visibility(_ xid: UInt64, _ isSeen: Bool) {
        #expect(Snapshot(xmin: 10, xmax: 20, xip: [10, 14]).sees(xid) == isSeen)
    }

    @Test("with running transactions unknown only what is below all of them is seen")
    func unknown() {
        let snapshot = Snapshot(xmin: 10, xmax: 20, xip: nil)
        #expect(snapshot.sees(9) && !snapshot.sees(10) && !snapshot.sees(15))
    }

    @Test("own writes: all of them have to be seen, not the highest only")
    func ownWrites() {
        var own = OwnWrites()
        own.append(100, settled: 0)
        own.append(105, settled: 0)
        #expect(!own.areVisible(in: Snapshot(xmin: 100, xmax: 106, xip: [100])))
        #expect(own.areVisible(in: Snapshot(xmin: 106, xmax: 106, xip: [])))
        own.remove([100])
        #expect(own.areVisible(in: Snapshot(xmin: 100, xmax: 106, xip: [100])))
    }

    @Test("more own writes than the limit become a barrier, which the lease takes away")
    func barrier() {
        var own = OwnWrites()
        for xid in 1...65 as ClosedRange<UInt64> { own.append(xid, settled: 0) }
        #expect(!own.areVisible(in: Snapshot(xmin: 65, xmax: 70, xip: [])))
        #expect(own.areVisible(in: Snapshot(xmin: 66, xmax: 70, xip: [])))
        own.prune(settled: 66)
        #expect(own.isEmpty)
    }
}

@Suite struct KeyBuilderTests {
    @Test("parts are told apart whatever they contain")
    func parts() {
        var one = KeyBuilder("list")
        one.add("a:b")
        one.add("c")
        var two = KeyBuilder("list")
        two.add("a")
        two.add("b:c")
        #expect(one.text == "list:a%3ab:c")
        #expect(one.text != two.text)
        var missing = KeyBuilder("list")
        missing.add(String?.none)
        #expect(missing.text != KeyBuilder("list").adding("").text)
        #expect(missing.text != KeyBuilder("list").adding("*").text)
    }

    @Test("long keys become a hash of all their parts")
    func long() {
        let long = String(repeating: "ü", count: 60)
        let key = KeyBuilder("list").adding(long).text
        #expect(key.utf8.count <= 120)
        #expect(key != KeyBuilder("list").adding(long + "a").text)
    }

    @Test("no key begins like the protocol's own")
    func underscore() {
        #expect(KeyBuilder("_g").text == "-g")
    }
}

@Suite struct EnvelopeTests {
    private static func envelope(xip: [UInt64]? = [3, 5], event: Int64? = 811) -> Envelope {
        Envelope(
            ns: Array(repeating: UInt8(ascii: "a"), count: 32),
            generation: Array(repeating: UInt8(ascii: "b"), count: 32),
            keyHash: Envelope.keyHash(CacheKey(tenant: 1, module: .units, key: "id:1")),
            snapshot: Snapshot(xmin: 3, xmax: 9, xip: xip),
            eventSequence: event,
            filledAt: 17,
            expiresAt: 19,
            etag: "\"e\"",
            body: ByteBuffer(string: "{}")
        )
    }

    @Test("what is written is read", arguments: [[3, 5], [], nil] as [[UInt64]?])
    func roundTrip(_ xip: [UInt64]?) throws {
        let envelope = Self.envelope(xip: xip)
        let read = try #require(Envelope(decoding: envelope.encoded()))
        #expect(read.snapshot == envelope.snapshot)
        #expect(read.etag == "\"e\"" && read.body == ByteBuffer(string: "{}"))
        #expect(read.ns == envelope.ns && read.generation == envelope.generation && read.keyHash == envelope.keyHash)
    }

    @Test("the event that an answer names is read as it was written", arguments: [nil, 0, 811, .max] as [Int64?])
    func event(_ sequence: Int64?) throws {
        let read = try #require(Envelope(decoding: Self.envelope(event: sequence).encoded()))
        #expect(read.eventSequence == sequence)
    }

    @Test("too many running transactions are stored as unknown")
    func manyRunning() throws {
        let read = try #require(Envelope(decoding: Self.envelope(xip: Array(3...30)).encoded()))
        #expect(read.snapshot.xip == nil)
    }

    @Test("a value cut off or longer anywhere is none")
    func truncated() {
        let bytes = Self.envelope().encoded()
        for length in 0..<bytes.count { #expect(Envelope(decoding: Array(bytes[..<length])) == nil) }
        #expect(Envelope(decoding: bytes + [0]) == nil)
    }

    @Test("random bytes are no value and no harm")
    func fuzz() {
        var generator = Seeded(7)
        let bytes = Self.envelope().encoded()
        for _ in 0..<20_000 {
            var copy = bytes
            for _ in 0..<3 { copy[Int.random(in: 0..<copy.count, using: &generator)] = UInt8.random(in: 0...255) }
            _ = Envelope(decoding: copy)
        }
    }
}

@Suite struct BusMessageTests {
    @Test("what is written is read")
    func roundTrip() {
        let messages: [BusMessage] = [
            .beat(ns: "ab", head: 12), .hint(ns: "ab", scopes: [.init(tenant: 1, module: "stock", xids: [])]),
            .applied(
                ns: "ab",
                first: 3,
                last: 5,
                tag: -4,
                scopes: [
                    .init(tenant: 1, module: "stock", xids: [7, 8]), .init(tenant: 22, module: "sales", xids: [9]),
                ]
            ), .applied(ns: "ab", first: 3, last: 3, tag: 0, scopes: []),
        ]
        for message in messages { #expect(BusMessage(parsing: Array(message.text.utf8)) == message) }
    }

    @Test(
        "anything else is no message",
        arguments: [
            "", "A", "B", "B ab", "B ab x", "B ab 1 2", "H ab", "H ab 1", "H ab .x", "H ab 1.", "H ab 1.x:",
            "H ab 1.x:a", "A ab 1 2 3", "A ab 3 2 1 1.x", "A ab a 2 3 1.x", "X ab 1", "A ab 1 2 3 1.x;", "HH ab 1.x",
        ]
    )
    func garbage(_ text: String) {
        #expect(BusMessage(parsing: Array(text.utf8)) == nil)
    }
}

@Suite struct TrustTests {
    private static func answer(_ watermark: String?, _ alive: String?, runID: String? = "r1") -> SecondLevelAnswer {
        SecondLevelAnswer(
            watermark: watermark.map { Array($0.utf8) },
            alive: alive.map { Array($0.utf8) },
            generation: nil,
            value: nil,
            runID: runID
        )
    }

    @Test(
        "trust asks namespace, watermark and run id",
        arguments: [
            ("n 5 1", "n r1 9", .trusted), ("n 6 1", "n r1 9", .trusted),
            ("n 4 1", "n r1 9", .untrusted(.watermarkBehind)), (nil, "n r1 9", .untrusted(.watermarkMissing)),
            ("x", "n r1 9", .untrusted(.watermarkMissing)), ("m 5 1", "n r1 9", .untrusted(.watermarkNamespace)),
            ("n 5 1", nil, .untrusted(.aliveMissing)), ("n 5 1", "m r1 9", .untrusted(.aliveNamespace)),
            ("n 5 1", "n r2 9", .untrusted(.runID)), ("n 5 1", "n r1", .untrusted(.aliveMissing)),
        ] as [(String?, String?, Trust)]
    )
    func judgement(_ watermark: String?, _ alive: String?, _ trust: Trust) {
        #expect(Trust.judge(Self.answer(watermark, alive), ns: "n", applied: 5, isRecognised: true) == trust)
    }

    @Test("a data set that nothing shows to be of this history is not trusted, however far it is")
    func unrecognised() {
        for watermark in ["n 5 1", "n 6 1"] {
            let trust = Trust.judge(Self.answer(watermark, "n r1 9"), ns: "n", applied: 5, isRecognised: false)
            #expect(trust == .untrusted(.watermarkHistory))
        }
    }

    @Test("an instance without a position trusts nothing")
    func unknown() {
        let trust = Trust.judge(Self.answer("n 5 1", "n r1 9"), ns: nil, applied: nil, isRecognised: false)
        #expect(trust == .untrusted(.unknown))
    }

    @Test("where the run id is hidden the watermark alone decides")
    func hidden() {
        #expect(Trust.judge(Self.answer("n 5 1", nil, runID: nil), ns: "n", applied: 5, isRecognised: true) == .trusted)
    }
}

import Laboratory
import Testing

/// Histories written by hand: each rule once broken and once kept, by as little as possible.
@Suite("Coherence oracle")
struct CoherenceOracleTests {
    /// A product and a series at revision 10 and 0 on three instances.
    static let declarations: [HistoryEvent] = [
        .instance(0, name: "i0"), .instance(1, name: "i1"), .instance(2, name: "i2"),
        .subject(0, .product, revision: 10, name: "p"),
        .subject(1, .category, revision: 5, name: "c"),
        .subject(2, .series, revision: 0, name: "s"),
    ]

    /// One write of the product on instance 0: begun at 1 s, acknowledged at 2 s.
    static func written(isDirect: Bool = true, session: Int = 0, subject: Int = 0) -> [HistoryEvent] {
        [
            .begun(time: 1_000_000, subject: subject),
            .acknowledged(time: 2_000_000, subject: subject, instance: 0, isDirect: isDirect, session: session),
        ]
    }

    static func read(
        at start: Int64,
        on instance: Int = 1,
        session: Int = 0,
        source: AnswerSource = .l1,
        subject: Int = 0,
        _ revision: Int64
    ) -> HistoryEvent {
        .read(
            ReadEvent(
                start: start,
                end: start + 500,
                instance: instance,
                session: session,
                renewsToken: session != 0,
                source: source
            ),
            [Sighting(subject: subject, revision: revision)]
        )
    }

    /// The rules the last event of a history breaks; the earlier ones break none.
    static func rules(_ events: [HistoryEvent]) -> [Incoherence.Rule] {
        var oracle = CoherenceOracle()
        var last: [Incoherence] = []
        for event in declarations + events {
            #expect(last.isEmpty, "before the last event: \(last)")
            last = oracle.take(event)
        }
        return last.map(\.rule)
    }

    @Test("a write counts against reads that begin a lease after its acknowledgement, and not before")
    func lease() {
        #expect(Self.rules(Self.written() + [Self.read(at: 2_999_999, 10)]).isEmpty)
        #expect(Self.rules(Self.written() + [Self.read(at: 3_000_000, 10)]) == [.lease])
        #expect(Self.rules(Self.written() + [Self.read(at: 3_000_000, 11)]).isEmpty)
    }

    @Test("a write that was not acknowledged may show or not")
    func unacknowledged() {
        let begun = [HistoryEvent.begun(time: 1_000_000, subject: 0)]
        #expect(Self.rules(begun + [Self.read(at: 9_000_000, 10)]).isEmpty)
        #expect(Self.rules(begun + [Self.read(at: 1_000_001, 11)]).isEmpty)
    }

    @Test("nothing is seen that nobody wrote")
    func future() {
        #expect(Self.rules([Self.read(at: 500_000, 11)]) == [.future])
        #expect(Self.rules(Self.written() + [Self.read(at: 9_000_000, 12)]) == [.future])
    }

    @Test("the writing instance shows its write at once, another one need not")
    func own() {
        #expect(Self.rules(Self.written() + [Self.read(at: 2_000_001, on: 0, 10)]) == [.own])
        #expect(Self.rules(Self.written() + [Self.read(at: 2_000_001, on: 0, 11)]).isEmpty)
        #expect(Self.rules(Self.written() + [Self.read(at: 2_000_001, on: 1, 10)]).isEmpty)
        #expect(Self.rules(Self.written() + [Self.read(at: 1_999_999, on: 0, 10)]).isEmpty, "it began before")
    }

    @Test("an instance that only heard that a write had been done need not show it at once")
    func found() {
        #expect(Self.rules(Self.written(isDirect: false) + [Self.read(at: 2_000_001, on: 0, 10)]).isEmpty)
    }

    @Test("a token shows its write at once on any instance, and only to its session")
    func token() {
        let written = Self.written(session: 4)
        #expect(Self.rules(written + [Self.read(at: 2_000_001, on: 2, session: 4, 10)]) == [.token])
        #expect(Self.rules(written + [Self.read(at: 2_000_001, on: 2, session: 4, 11)]).isEmpty)
        #expect(Self.rules(written + [Self.read(at: 2_000_001, on: 2, session: 5, 10)]).isEmpty)
        #expect(Self.rules(written + [Self.read(at: 2_000_001, on: 2, 10)]).isEmpty)
    }

    @Test("a session never goes backwards, until it begins anew")
    func monotonic() {
        let begun: [HistoryEvent] = [.begun(time: 1_000_000, subject: 0)]
        let seen = begun + [Self.read(at: 1_100_000, on: 1, session: 4, 11)]
        #expect(Self.rules(seen + [Self.read(at: 1_200_000, on: 2, session: 4, 10)]) == [.monotonic])
        #expect(Self.rules(seen + [Self.read(at: 1_200_000, on: 2, session: 4, 11)]).isEmpty)
        #expect(Self.rules(seen + [Self.read(at: 1_200_000, on: 2, 10)]).isEmpty)
        #expect(Self.rules(seen + [.sessionBegins(4), Self.read(at: 1_200_000, on: 2, session: 4, 10)]).isEmpty)
    }

    @Test("an answer without a new token binds the session to nothing")
    func withoutToken() {
        var read = ReadEvent(start: 1_100_000, end: 1_100_100, instance: 1, session: 4)
        read.renewsToken = false
        let seen: [HistoryEvent] = [
            .begun(time: 1_000_000, subject: 0), .read(read, [Sighting(subject: 0, revision: 11)]),
        ]
        #expect(Self.rules(seen + [Self.read(at: 1_200_000, on: 2, session: 4, 10)]).isEmpty)
    }

    @Test("sales add up: those a lease ago, the instance's own and the token's are all required, each once")
    func series() {
        func sale(_ time: Int64, on instance: Int, session: Int = 0) -> [HistoryEvent] {
            [
                .begun(time: time - 1, subject: 2),
                .acknowledged(time: time, subject: 2, instance: instance, isDirect: true, session: session),
            ]
        }
        let sales = sale(1_000_000, on: 2) + sale(2_500_000, on: 0) + sale(2_600_000, on: 1, session: 4)
        func at(_ instance: Int, _ session: Int, _ revision: Int64) -> [Incoherence.Rule] {
            Self.rules(sales + [Self.read(at: 2_700_000, on: instance, session: session, subject: 2, revision)])
        }
        #expect(at(2, 0, 1).isEmpty)
        #expect(at(2, 0, 0) == [.lease])
        #expect(at(0, 0, 1) == [.own])
        #expect(at(0, 0, 2).isEmpty)
        #expect(at(0, 4, 2) == [.token])
        #expect(at(0, 4, 3).isEmpty)
        #expect(at(1, 4, 1) == [.own], "its own sale and the token's are the same")
        #expect(at(1, 4, 2).isEmpty)
    }

    @Test("marked stale is allowed in relaxed modules, for a minute, and never past own writes or the token")
    func stale() {
        let written = Self.written(session: 4, subject: 1)
        func at(_ time: Int64, on instance: Int = 1, session: Int = 0) -> [Incoherence.Rule] {
            Self.rules(
                written + [Self.read(at: time, on: instance, session: session, source: .stale, subject: 1, 5)]
            )
        }
        #expect(at(61_999_999).isEmpty)
        #expect(at(62_000_000) == [.lease])
        #expect(at(2_000_001, on: 0) == [.own])
        #expect(at(2_000_001, session: 4) == [.token])
        #expect(Self.rules([Self.read(at: 1_000_000, source: .stale, 10)]) == [.stale])
    }

    @Test("equal entity tags of a path mean equal bytes")
    func etags() {
        func read(path: Int, etag: UInt64, body: UInt64, at start: Int64 = 1_000) -> HistoryEvent {
            var read = ReadEvent(start: start, end: start + 1_000, instance: 0)
            read.path = path
            read.etag = etag
            read.body = body
            return .read(read, [Sighting(subject: 0, revision: 10)])
        }
        let first = read(path: 1, etag: 7, body: 70)
        #expect(Self.rules([first, read(path: 1, etag: 7, body: 71)]) == [.etag])
        #expect(Self.rules([first, read(path: 1, etag: 7, body: 70)]).isEmpty)
        #expect(Self.rules([first, read(path: 1, etag: 8, body: 71)]).isEmpty)
        #expect(Self.rules([first, read(path: 2, etag: 7, body: 71)]).isEmpty)
        // What was cached of a history that was lost may be served for a while; the new one gives its tags to something else.
        func replaced(_ time: Int64) -> HistoryEvent { .replaced(time: time, subject: 0, revision: 10) }
        let other = read(path: 1, etag: 7, body: 71, at: 3_000)
        #expect(Self.rules([replaced(1_500), first, other]).isEmpty)
        #expect(Self.rules([replaced(500), first, other]) == [.etag])
    }

    @Test("a body of something else is a violation whatever it shows")
    func foreign() {
        var read = ReadEvent(start: 1_000, end: 2_000, instance: 0)
        read.isWanted = false
        #expect(Self.rules([.read(read, [])]) == [.foreign])
    }

    @Test("after the database was replaced by an older one, what was lost must not show, and is not required")
    func replaced() {
        let replaced = Self.written() + [.replaced(time: 5_000_000, subject: 0, revision: 10)]
        #expect(Self.rules(replaced + [Self.read(at: 5_000_001, 10)]).isEmpty)
        #expect(Self.rules(replaced + [Self.read(at: 5_000_001, 11)]) == [.future])
        #expect(Self.rules(replaced + [Self.read(at: 4_999_999, 11)]).isEmpty, "it began before")
    }

    @Test("an acknowledgement noted before another but reported after it is required no earlier than that one")
    func order() {
        let late: [HistoryEvent] = [
            .begun(time: 1, subject: 2), .begun(time: 2, subject: 2),
            .acknowledged(time: 2_000_100, subject: 2, instance: 0, isDirect: true, session: 0),
            .acknowledged(time: 2_000_000, subject: 2, instance: 1, isDirect: true, session: 0),
        ]
        #expect(Self.rules(late + [Self.read(at: 3_000_050, on: 2, subject: 2, 1)]).isEmpty)
        #expect(Self.rules(late + [Self.read(at: 3_000_100, on: 2, subject: 2, 1)]) == [.lease])
    }

    @Test("many writes later the oldest are forgotten, and their revisions are not")
    func bounded() {
        var oracle = CoherenceOracle()
        for event in Self.declarations { _ = oracle.take(event) }
        for number in 1...20_000 {
            let time = Int64(number) * 1_000
            _ = oracle.take(.begun(time: time - 1, subject: 0))
            _ = oracle.take(.acknowledged(time: time, subject: 0, instance: 0, isDirect: true, session: 0))
        }
        // Acknowledged by 19 s: 19,000 writes.
        #expect(oracle.take(Self.read(at: 20_000_000, on: 1, 19_009)).map(\.rule) == [.lease])
        #expect(oracle.take(Self.read(at: 20_000_000, on: 1, 19_010)).isEmpty)
        #expect(oracle.acknowledged(0) == 20_010)
    }

    @Test("the lag of another instance is the time to its first fresh answer")
    func lag() {
        var oracle = CoherenceOracle()
        for event in Self.declarations + Self.written() { _ = oracle.take(event) }
        for (time, revision) in [(2_001_000, 10), (2_004_000, 11), (2_900_000, 11)] as [(Int64, Int64)] {
            #expect(oracle.take(Self.read(at: time, on: 1, revision)).isEmpty)
        }
        #expect(oracle.lags.count == 1)
        #expect(oracle.lags.maximum == 4_500)
    }

    @Test("a history written line by line is read back as it was")
    func format() throws {
        var read = ReadEvent(start: 5_000, end: 5_400, instance: 1, session: 12)
        read.renewsToken = true
        read.source = .miss
        read.path = 3
        read.etag = .max
        read.body = 0x31C0
        var foreign = read
        foreign.isWanted = false
        foreign.body = 0
        let events: [HistoryEvent] =
            Self.declarations + Self.written(isDirect: false, session: 3) + [
                .read(read, [Sighting(subject: 0, revision: 8), Sighting(subject: 2, revision: -1)]),
                .read(foreign, []), .sessionBegins(12), .replaced(time: .max, subject: 2, revision: 3),
                .note(time: 77, "kill i0 now"),
            ]
        var bytes: [UInt8] = []
        for event in events { HistoryFormat.append(event, to: &bytes) }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == events.count)
        #expect(try lines.compactMap { try HistoryFormat.event($0) } == events)
        #expect(try HistoryFormat.event(Substring(HistoryFormat.header)) == nil)
        for line in ["x 1 2", "r 1 2 3", "b one 2", "k 1 horse 2 name", "r 1 2 3 0 - 1 3 zz 1 0=1", "w 1 2 3 q 0"] {
            #expect(throws: HistoryError.self) { try HistoryFormat.event(Substring(line)) }
        }
    }

    @Test("percentiles are right to a twentieth")
    func percentiles() {
        var lags = LagHistogram()
        #expect(lags.percentile(0.5) == 0)
        for time in 1...1_000 { lags.add(Int64(time) * 100) }
        for (share, expected) in [(0.5, 50_000.0), (0.99, 99_000), (1, 100_000)] {
            #expect(abs(Double(lags.percentile(share)) - expected) <= expected * 0.05)
        }
        #expect(lags.maximum == 100_000)
    }
}

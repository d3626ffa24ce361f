import Testing

@testable import Redis

@Suite("The choice of a primary among what sentinels say")
struct SentinelStateMachineTests {
    private typealias Step = SentinelStateMachine.Step

    private func machine(_ count: Int = 3) throws -> SentinelStateMachine {
        let addresses = (0..<count).map { RedisConfiguration.Address.tcp(host: "s\($0)", port: 26_379) }
        return SentinelStateMachine(try RedisSentinels(addresses: addresses, name: "mymaster"))
    }

    private func address(_ host: String) -> RedisConfiguration.Address {
        .tcp(host: host, port: 6_379)
    }

    private func primary(_ host: String, _ epoch: UInt64? = nil) -> SentinelStateMachine.Primary {
        SentinelStateMachine.Primary(address: address(host), epoch: epoch)
    }

    private let lost = SentinelStateMachine.Reply.failed(RedisError(.connectionFailed, "refused"))

    /// Asks until there is an outcome.
    ///
    /// - Returns: Who was asked, in order, and the step that was not a question.
    private func run(
        _ machine: inout SentinelStateMachine,
        _ replies: [Int: SentinelStateMachine.Reply]
    ) -> (asked: [Int], end: Step) {
        var asked: [Int] = []
        var step = machine.begin()
        while case .ask(let sentinel) = step {
            asked.append(sentinel)
            step = machine.replied(replies[sentinel] ?? lost)
        }
        return (asked, step)
    }

    @Test("the first that answers is believed, and asked first the next time")
    func order() throws {
        var machine = try machine()
        let first = run(&machine, [1: .primary(primary("a")), 2: .primary(primary("b"))])
        #expect(first.asked == [0, 1])
        #expect(first.end == .connect(address("a")))
        let second = run(&machine, [0: .primary(primary("c")), 1: .primary(primary("a"))])
        #expect(second.asked == [1])
    }

    @Test("a sentinel whose answer led nowhere is asked last the next time")
    func missed() throws {
        var machine = try machine()
        let replies = (0..<3).reduce(into: [:]) { $0[$1] = SentinelStateMachine.Reply.primary(primary("h\($1)")) }
        for expected in [0, 1, 2, 0] {
            let attempt = run(&machine, replies)
            #expect(attempt.asked == [expected])
            machine.missed()
        }
    }

    @Test(
        "without an answer that helps, the error says what is wrong",
        arguments: [
            ([], RedisError.Code.connectionFailed, "no sentinel answers: refused"),
            ([0], .unknownPrimary, "1 of 3 sentinels do not know a primary named mymaster"),
            ([0, 1, 2], .unknownPrimary, "3 of 3 sentinels do not know"),
        ] as [([Int], RedisError.Code, String)]
    )
    func givesUp(ignorant: [Int], code: RedisError.Code, words: String) throws {
        var machine = try machine()
        let replies = ignorant.reduce(into: [:]) { $0[$1] = SentinelStateMachine.Reply.unknown }
        let attempt = run(&machine, replies)
        #expect(attempt.asked == [0, 1, 2])
        guard case .giveUp(let error) = attempt.end else {
            Issue.record("\(attempt.end)")
            return
        }
        #expect(error.code == code)
        #expect(error.message.contains(words))
    }

    @Test("a sentinel that does not know the name is passed over")
    func unknownThenKnown() throws {
        var machine = try machine()
        let attempt = run(&machine, [0: .unknown, 2: .primary(primary("a"))])
        #expect(attempt.asked == [0, 1, 2])
        #expect(attempt.end == .connect(address("a")))
    }

    @Test("an answer older than what was heard is passed over, whoever gives it")
    func stale() throws {
        var machine = try machine()
        _ = run(&machine, [0: .primary(primary("new", 7))])
        let attempt = run(&machine, [0: .primary(primary("old", 6)), 2: .primary(primary("new", 7))])
        #expect(attempt.asked == [0, 1, 2])
        #expect(attempt.end == .connect(address("new")))
    }

    @Test(
        "old answers alone count if a majority of all sentinels gives them",
        arguments: [([0], false), ([0, 1], true), ([0, 1, 2], true)] as [([Int], Bool)]
    )
    func rebuilt(answering: [Int], isBelieved: Bool) throws {
        var machine = try machine()
        _ = run(&machine, [0: .primary(primary("former", 9))])
        let replies = answering.reduce(into: [:]) {
            $0[$1] = SentinelStateMachine.Reply.primary(primary("h\($1)", UInt64($1)))
        }
        let end = run(&machine, replies).end
        if isBelieved {
            #expect(end == .connect(address("h\(answering.count - 1)")))
            // From now on their numbers are the ones that count.
            let next = run(&machine, [2: .primary(primary("h2", 2)), 0: .primary(primary("h0", 2))]).end
            #expect(next != .connect(address("former")))
        } else {
            guard case .giveUp(let error) = end else {
                Issue.record("\(end)")
                return
            }
            #expect(error.code == .connectionFailed)
        }
    }

    @Test("a switch to another server ends the connection, once; one to the same server does not")
    func announced() throws {
        var machine = try machine()
        _ = run(&machine, [0: .primary(primary("a", 1))])
        #expect(machine.announced(primary("a"), by: 1) == false)
        #expect(machine.isLeaving == false)
        let leaves = machine.announced(primary("b"), by: 2)
        #expect(leaves)
        #expect(machine.isLeaving)
        let leavesAgain = machine.announced(primary("b"), by: 1)
        #expect(!leavesAgain)
        // Whoever has just seen the switch is asked before those who may not have.
        let attempt = run(&machine, [0: .primary(primary("a", 1)), 1: .primary(primary("b", 2))])
        #expect(attempt.asked == [1])
        #expect(!machine.isLeaving)
    }

    @Test("a sentinel heard again that knows only an older decision changes nothing")
    func oldNews() throws {
        var machine = try machine()
        _ = run(&machine, [0: .primary(primary("b", 2))])
        let leaves = machine.announced(primary("a", 1), by: 2)
        #expect(!leaves)
        let attempt = run(&machine, [0: .primary(primary("b", 2))])
        #expect(attempt.asked == [0])
    }

    @Test("a switch announced while sentinels are asked makes the answer under way void")
    func overtaken() throws {
        var machine = try machine()
        var step = machine.begin()
        #expect(step == .ask(0))
        let leaves = machine.announced(primary("b"), by: 2)
        #expect(!leaves)
        step = machine.replied(.primary(primary("a", 1)))
        #expect(step == .ask(2))
        step = machine.replied(.primary(primary("b", 2)))
        #expect(step == .connect(address("b")))
    }

    @Test("the same decision heard again while sentinels are asked does not begin anew")
    func notNews() throws {
        var machine = try machine()
        _ = run(&machine, [0: .primary(primary("a", 1))])
        var step = machine.begin()
        _ = machine.announced(primary("a", 1), by: 2)
        step = machine.replied(.primary(primary("a", 1)))
        #expect(step == .connect(address("a")))
    }

    @Test("an announcement with nothing under way decides whom to ask first")
    func restingAnnouncement() throws {
        var machine = try machine()
        _ = run(&machine, [:])
        _ = machine.announced(primary("a", 1), by: 2)
        let attempt = run(&machine, [2: .primary(primary("a", 1))])
        #expect(attempt.asked == [2])
    }

    @Test("20,000 random inquiries: each ends, and never goes back to an older decision without a majority")
    func random() throws {
        var generator = SystemRandomNumberGenerator()
        var machine = try machine()
        var newest: UInt64 = 0
        var votes = 0
        for _ in 0..<20_000 {
            var step = machine.begin()
            votes = 0
            var questions = 0
            while case .ask = step {
                questions += 1
                if questions > 50 {
                    Issue.record("it asks for ever")
                    return
                }
                let epoch = UInt64.random(in: newest &- min(newest, 2)...newest + 1, using: &generator)
                if Int.random(in: 0..<10, using: &generator) == 0 {
                    newest = max(newest, epoch)
                    _ = machine.announced(primary("e\(epoch)", epoch), by: Int.random(in: 0..<3, using: &generator))
                }
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: step = machine.replied(lost)
                case 1: step = machine.replied(.unknown)
                default:
                    if epoch < newest { votes += 1 }
                    step = machine.replied(.primary(primary("e\(epoch)", epoch)))
                }
                if case .connect(.tcp(let host, _)) = step {
                    let named = UInt64(host.dropFirst()) ?? 0
                    #expect(named >= newest || votes >= 2, "\(named) after \(newest)")
                    newest = named
                }
            }
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: machine.missed()
            case 1:
                _ = machine.announced(primary("e\(newest)", newest), by: 1)
            default: break
            }
        }
    }
}

@Suite("What sentinels say")
struct SentinelValueTests {
    @Test(
        "a list of sentinels is read",
        arguments: [
            ("a:1", ["a:1"]), ("a", ["a:26379"]), ("a:1,b:2 , c", ["a:1", "b:2", "c:26379"]),
            ("[::1]:5,127.0.0.1:6", ["[::1]:5", "127.0.0.1:6"]), ("[::1]", ["[::1]:26379"]),
        ]
    )
    func list(text: String, addresses: [String]) throws {
        let sentinels = try RedisSentinels(list: text, name: "mymaster")
        #expect(sentinels.addresses.map { "\($0)" } == addresses)
    }

    @Test(
        "a wrong list is refused",
        arguments: [
            "", ",", "a,", "a:0", "a:65536", "a:x", "a:+1", ":1", "[::1", "[::1]5", "redis://a:1", "pw@a:1", "a b:1",
            "a:1:2", "[]:1",
        ]
    )
    func wrongList(text: String) {
        let error = #expect(throws: RedisError.self) { try RedisSentinels(list: text, name: "mymaster") }
        #expect(error?.code == .invalidConfiguration)
    }

    @Test("a wrong name is refused", arguments: ["", "my master", "my\nmaster", "maître"])
    func wrongName(name: String) {
        #expect(throws: RedisError.self) { try RedisSentinels(list: "a:1", name: name) }
    }

    @Test("neither password is in the description")
    func description() throws {
        let sentinels = try RedisSentinels(list: "a:1,b:2", name: "shop", password: "topsecret")
        let configuration = RedisConfiguration(sentinels: sentinels, database: 3, password: "topsecret")
        #expect("\(configuration)" == "sentinel://a:1,b:2/shop/3")
    }

    @Test("a message of a switch gives the new address, of our primary only")
    func message() {
        func read(_ text: String) -> RedisConfiguration.Address? {
            SentinelReplies.newPrimary(in: Array(text.utf8), of: "shop")
        }
        #expect(read("shop 10.0.0.1 6379 10.0.0.2 6380") == .tcp(host: "10.0.0.2", port: 6_380))
        for other in [
            "other 10.0.0.1 6379 10.0.0.2 6380", "shop 10.0.0.1 6379 10.0.0.2", "", "shop a 1 b x", "shop a 1 b 0",
        ] {
            #expect(read(other) == nil)
        }
        #expect(SentinelReplies.newPrimary(in: [255], of: "shop") == nil)
    }

    @Test("addresses and numbers of decisions are read from replies")
    func replies() {
        func bulk(_ texts: String...) -> RedisReply { .array(texts.map { .bulk(Array($0.utf8)) }) }
        #expect(SentinelReplies.address(in: bulk("::1", "6379")) == .tcp(host: "::1", port: 6_379))
        for wrong in [bulk("::1"), bulk("", "1"), bulk("a", "-1"), .null, .integer(1), .array([.null, .null])] {
            #expect(SentinelReplies.address(in: wrong) == nil)
        }
        #expect(SentinelReplies.configurationEpoch(in: bulk("name", "shop", "config-epoch", "12")) == 12)
        for wrong in [bulk("config-epoch"), bulk("name", "config-epoch"), bulk("config-epoch", "x"), .null] {
            #expect(SentinelReplies.configurationEpoch(in: wrong) == nil)
        }
    }

    @Test("only a master's answer to ROLE lets a connection in")
    func role() {
        #expect(RedisReply.array([.bulk(Array("master".utf8)), .integer(0), .array([])]).refusalOfRole == nil)
        for other in [RedisReply.array([.bulk(Array("slave".utf8))]), .array([]), .null, .bulk(Array("master".utf8))] {
            #expect(other.refusalOfRole?.code == .notPrimary)
        }
    }
}

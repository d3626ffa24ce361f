import Testing

@testable import Postgres

@Suite
struct PoolStateMachineTests {
    private static let start = ContinuousClock.now

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant {
        Self.start.advanced(by: .milliseconds(milliseconds))
    }

    private func makePool(_ configure: (inout PostgresConfiguration) -> Void = { _ in }) throws -> PoolStateMachine {
        var configuration = try PostgresConfiguration(url: "postgres:///shop")
        configuration.sharedConnections = 2
        configuration.exclusiveConnections = 2
        configure(&configuration)
        return PoolStateMachine(configuration: configuration, now: Self.start, random: { 0.5 })
    }

    private let claim = PoolClaim(tenant: 1, kind: .light)
    private let refusal = PostgresError(.connectFailed, "the password was refused")

    /// What actions amount to, in words.
    private func words(_ actions: [PoolStateMachine.Action]) -> [String] {
        actions.map {
            switch $0 {
            case .connect(let id, let lane): "connect \(id) \(lane)"
            case .send(_, let id): "send \(id)"
            case .fail(_, let error): "fail \(error.code)"
            case .close(let id): "close \(id)"
            case .stopped: "stopped"
            }
        }
    }

    private func word(_ action: PoolStateMachine.Action?) -> String {
        action.map { words([$0])[0] } ?? "wait"
    }

    private func unit(_ lane: Lane, deadline: Int = 5_000) -> PoolRequest {
        .unit(UnitRequest(unit: UnitOfWork(tenant: 1, access: .read), lane: lane, deadline: at(deadline)))
    }

    private func running(_ configure: (inout PostgresConfiguration) -> Void = { _ in }) throws -> PoolStateMachine {
        var pool = try makePool(configure)
        _ = pool.start(now: at(0))
        for id in 0..<5 { _ = pool.connected(id, now: at(0)) }
        return pool
    }

    @Test("it connects every slot as it starts")
    func start() throws {
        var pool = try makePool()
        #expect(
            words(pool.start(now: at(0))) == [
                "connect 0 shared", "connect 1 shared", "connect 2 exclusive", "connect 3 exclusive",
                "connect 4 listener",
            ]
        )
    }

    @Test("shared connections take work evenly up to their limit, then units wait in order")
    func sharedLane() throws {
        var pool = try running { $0.unitsPerSharedConnection = 2 }
        let words = (0..<5).map { _ in word(pool.submit(unit(.shared), now: at(0))) }
        #expect(words == ["send 0", "send 1", "send 0", "send 1", "wait"])
        #expect(pool.waiting(.shared) == 1)
        #expect(self.words(pool.released(1, claim, isUsable: true, now: at(1))) == ["send 1"])
    }

    @Test("the exclusive connection used last is used next")
    func exclusiveLane() throws {
        var pool = try running()
        #expect(word(pool.submit(unit(.exclusive), now: at(0))) == "send 3")
        #expect(word(pool.submit(unit(.exclusive), now: at(0))) == "send 2")
        #expect(word(pool.submit(unit(.exclusive), now: at(0))) == "wait")
        #expect(words(pool.released(2, claim, isUsable: true, now: at(1))) == ["send 2"])
        #expect(words(pool.released(2, claim, isUsable: true, now: at(2))) == [])
        #expect(word(pool.submit(unit(.exclusive), now: at(3))) == "send 2")
    }

    @Test("a queue is bounded, and waiting in it too")
    func overload() throws {
        var pool = try running {
            $0.exclusiveConnections = 1
            $0.maximalWaiters = 2
        }
        #expect(word(pool.submit(unit(.exclusive), now: at(0))) == "send 2")
        #expect(word(pool.submit(unit(.exclusive), now: at(0))) == "wait")
        #expect(word(pool.submit(unit(.exclusive, deadline: 100), now: at(0))) == "wait")
        #expect(word(pool.submit(unit(.exclusive), now: at(0))) == "fail overloaded")
        #expect(pool.nextTick == at(100))
        #expect(words(pool.tick(now: at(100))) == ["fail deadlineExceeded"])
        #expect(words(pool.tick(now: at(250))) == ["fail overloaded"])
    }

    @Test("what is too late is not sent, though a connection is free")
    func late() throws {
        var pool = try running()
        #expect(word(pool.submit(unit(.exclusive, deadline: 100), now: at(100))) == "fail deadlineExceeded")
        #expect(word(pool.submit(unit(.exclusive, deadline: 100), now: at(99))).hasPrefix("send"))
    }

    @Test("a withdrawn waiter is not served")
    func withdrawal() throws {
        var pool = try running { $0.exclusiveConnections = 1 }
        _ = pool.submit(unit(.exclusive), now: at(0))
        let waiting = unit(.exclusive)
        #expect(word(pool.submit(waiting, now: at(0))) == "wait")
        #expect(pool.withdraw(waiting) == true)
        #expect(pool.withdraw(waiting) == false)
        #expect(words(pool.released(2, claim, isUsable: true, now: at(1))) == [])
    }

    @Test("repeated failures to connect open the breaker: waiters fail, one probe at a time")
    func breaker() throws {
        var pool = try makePool()
        _ = pool.start(now: at(0))
        #expect(word(pool.submit(unit(.shared), now: at(0))) == "wait")
        for id in 0..<4 { #expect(words(pool.closed(id, failure: refusal, now: at(1))) == []) }
        #expect(words(pool.closed(4, failure: refusal, now: at(1))) == ["fail databaseUnavailable"])
        #expect(word(pool.submit(unit(.shared), now: at(2))) == "fail databaseUnavailable")
        #expect(words(pool.tick(now: at(500))) == [])
        #expect(pool.nextTick == at(1_001))
        #expect(words(pool.tick(now: at(1_001))) == ["connect 5 shared"])
        #expect(words(pool.tick(now: at(1_002))) == [])
        #expect(words(pool.closed(5, failure: refusal, now: at(1_003))) == [])
        #expect(words(pool.tick(now: at(2_003))).count == 1)
        #expect(pool.breaker.isOpen)
        #expect(words(pool.connected(10, now: at(2_004))).count == 4)
        #expect(!pool.breaker.isOpen)
        #expect(words(pool.tick(now: at(2_100))) == [])
    }

    @Test("who finds no connection is told why the last attempt failed, until one goes well")
    func cause() throws {
        func message(_ action: PoolStateMachine.Action?) -> String? {
            if case .fail(_, let error)? = action { error.message } else { nil }
        }
        var pool = try makePool()
        _ = pool.start(now: at(0))
        _ = pool.submit(unit(.shared), now: at(0))
        for id in 0..<4 { _ = pool.closed(id, failure: refusal, now: at(1)) }
        #expect(message(pool.closed(4, failure: refusal, now: at(1)).first) == "the password was refused")
        #expect(message(pool.submit(unit(.exclusive), now: at(2))) == "the password was refused")
        _ = pool.tick(now: at(1_001))
        _ = pool.connected(5, now: at(1_002))
        for number in 0..<5 { _ = pool.closed(5 + number, failure: nil, now: at(1_003)) }
        _ = pool.submit(unit(.shared, deadline: 60_000), now: at(1_004))
        let late = pool.tick(now: at(6_004)).compactMap { message($0) }
        #expect(late == ["there is no connection to the database"])
    }

    @Test("an event of a connection that is gone is ignored")
    func staleEvents() throws {
        var pool = try running()
        _ = pool.closed(0, failure: nil, now: at(1))
        #expect(words(pool.closed(0, failure: refusal, now: at(2))) == [])
        #expect(words(pool.released(0, claim, isUsable: true, now: at(2))) == [])
        #expect(words(pool.connected(0, now: at(2))) == ["close 0"])
    }

    @Test("an old connection is replaced once it is empty")
    func age() throws {
        var pool = try running { $0.maximalAge = .seconds(1) }
        #expect(word(pool.submit(unit(.exclusive), now: at(900))) == "send 3")
        #expect(words(pool.tick(now: at(1_000))) == ["close 0", "close 1", "close 2", "close 4"])
        #expect(words(pool.released(3, claim, isUsable: true, now: at(1_100))) == ["close 3"])
    }

    @Test("a repeated unit goes to the head of the queue")
    func repeated() throws {
        var pool = try running { $0.exclusiveConnections = 1 }
        _ = pool.submit(unit(.exclusive), now: at(0))
        _ = pool.submit(unit(.exclusive), now: at(0))
        let again = unit(.exclusive)
        #expect(word(pool.submit(again, now: at(0), isRepeat: true)) == "wait")
        guard case .send(let request, _) = pool.released(2, claim, isUsable: true, now: at(1)).first else {
            Issue.record("nothing was sent")
            return
        }
        #expect(request.identity == again.identity)
    }

    @Test("shutting down fails what waits, closes what is idle, and waits for the rest")
    func shutDown() throws {
        var pool = try running { $0.exclusiveConnections = 1 }
        _ = pool.submit(unit(.exclusive), now: at(0))
        _ = pool.submit(unit(.exclusive), now: at(0))
        #expect(words(pool.shutDown(now: at(1))) == ["fail closed", "close 0", "close 1", "close 3"])
        for id in [0, 1, 3] { #expect(words(pool.closed(id, failure: nil, now: at(2))) == []) }
        #expect(word(pool.submit(unit(.shared), now: at(2))) == "fail closed")
        #expect(words(pool.released(2, claim, isUsable: true, now: at(3))) == ["close 2"])
        #expect(words(pool.closed(2, failure: nil, now: at(3))) == ["stopped"])
    }

    @Test("a shutdown does not wait for ever")
    func drainTimeout() throws {
        var pool = try running { $0.exclusiveConnections = 1 }
        _ = pool.submit(unit(.exclusive), now: at(0))
        _ = pool.shutDown(now: at(1))
        for id in [0, 1, 3] { _ = pool.closed(id, failure: nil, now: at(2)) }
        #expect(pool.nextTick == at(20_001))
        #expect(words(pool.tick(now: at(20_001))) == ["close 2"])
    }
}

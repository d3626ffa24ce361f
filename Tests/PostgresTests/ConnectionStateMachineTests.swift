import Testing

@testable import Postgres

@Suite
struct ConnectionStateMachineTests {
    private typealias Machine = ConnectionStateMachine

    private static let start = ContinuousClock.now
    private static let deadline = start.advanced(by: .seconds(5))
    private static let refusal = PostgresError(sqlState: "23505", serverMessage: "secret")
    private static let fatal = PostgresError(sqlState: "57P01", serverMessage: "bye", severity: "FATAL")
    private static let lost = PostgresError(.connectionLost, "lost", outcome: .unknown)

    private func request(
        _ access: UnitOfWork.Access = .read,
        deadline: ContinuousClock.Instant = deadline
    ) -> UnitRequest {
        let request = UnitRequest(unit: UnitOfWork(tenant: 1, access: access), lane: .shared, deadline: deadline)
        #expect(request.begin())
        return request
    }

    private func flight(_ request: UnitRequest, statements: Int = 2) -> Machine.Flight {
        Machine.Flight(.unit(request), commandCount: statements, deadline: request.deadline)
    }

    /// Feeds answers and names what came of each.
    private func feed(_ machine: inout Machine, _ answers: [Machine.Answer]) -> [String] {
        var actions: [String] = []
        for answer in answers {
            switch machine.received(answer) {
            case .none: actions.append("-")
            case .close: actions.append("close")
            case .finished(let flight):
                switch flight.answer {
                case .success: actions.append("committed")
                case .failure(let error): actions.append("failed \(error.sqlState?.description ?? "")")
                }
            }
        }
        return actions
    }

    private func connected() -> Machine {
        var machine = Machine()
        machine.connected()
        return machine
    }

    @Test("only the Sync says that a unit is committed")
    func success() {
        var machine = connected()
        machine.sent(flight(request()))
        #expect(
            feed(&machine, [.success(nil), .end, .success(nil), .end, .sync]) == ["-", "-", "-", "-", "committed"]
        )
        #expect(machine.isEmpty == true)
    }

    @Test("an error at the Sync fails a unit whose statements all succeeded")
    func deferredConstraint() {
        var machine = connected()
        machine.sent(flight(request(.write)))
        let answers: [Machine.Answer] = [
            .success(nil), .end, .success(nil), .end, .failure(Self.refusal), .end, .sync,
        ]
        #expect(feed(&machine, answers).last == "failed 23505")
    }

    @Test("the first error fails the unit, the aborted statements belong to it, the next unit is clean")
    func abort() {
        var machine = connected()
        machine.sent(flight(request(), statements: 3))
        machine.sent(flight(request(), statements: 1))
        let answers: [Machine.Answer] = [
            .failure(Self.refusal), .end, .aborted, .end, .aborted, .end, .sync, .success(nil), .end, .sync,
        ]
        let actions = feed(&machine, answers).filter { $0 != "-" }
        #expect(actions == ["failed 23505", "committed"])
    }

    @Test(
        "answers out of step close the connection",
        arguments: [
            ["sync"], ["success", "success"], ["aborted"], ["success", "end", "success", "end", "success"],
            ["unexpected"], ["success", "sync"],
        ]
    )
    func outOfStep(names: [String]) {
        var machine = connected()
        machine.sent(flight(request()))
        let answers: [Machine.Answer] = names.map {
            switch $0 {
            case "success": .success(nil)
            case "end": .end
            case "sync": .sync
            case "aborted": .aborted
            default: .unexpected
            }
        }
        #expect(feed(&machine, answers).last == "close")
    }

    @Test("an answer without a unit closes the connection, a NULL does not")
    func strayAnswers() {
        var machine = connected()
        #expect(feed(&machine, [.end, .success(nil)]) == ["-", "close"])
    }

    @Test("random units of random outcomes each end once, in order")
    func randomSequences() {
        for _ in 0..<300 {
            var machine = connected()
            var expected: [String] = []
            var answers: [Machine.Answer] = []
            for _ in 0..<Int.random(in: 1...16) {
                let count = Int.random(in: 1...5)
                machine.sent(flight(request(), statements: count))
                let failing = Bool.random() ? Int.random(in: 0...count) : nil
                for index in 0..<count {
                    if let failing, index > failing {
                        answers.append(.aborted)
                    } else {
                        answers.append(index == failing ? .failure(Self.refusal) : .success(nil))
                    }
                    answers.append(.end)
                }
                if failing == count { answers += [.failure(Self.refusal), .end] }
                answers.append(.sync)
                expected.append(failing == nil ? "committed" : "failed 23505")
            }
            #expect(feed(&machine, answers).filter { $0 != "-" } == expected)
            #expect(machine.isEmpty == true)
        }
    }

    @Test("a connection lost under units leaves reads failed and writes unknown")
    func lossUnderUnits() {
        var machine = connected()
        machine.sent(flight(request(.read)))
        machine.sent(flight(request(.write)))
        let outcomes = machine.close(Self.lost, now: Self.start).map(\.error.outcome)
        #expect(outcomes == [.failed, .unknown])
        #expect(machine.state == .closed)
    }

    @Test("a FATAL before the commit fails the first unit, and those behind it never ran")
    func fatalBeforeCommit() {
        var machine = connected()
        machine.sent(flight(request(.write)))
        machine.sent(flight(request(.write)))
        _ = feed(&machine, [.success(nil), .end, .failure(Self.fatal)])
        #expect(machine.close(Self.lost, now: Self.start).map(\.error.outcome) == [.failed, .notRun])
    }

    @Test("a FATAL at the commit leaves a write unknown")
    func fatalAtCommit() {
        var machine = connected()
        machine.sent(flight(request(.write), statements: 1))
        _ = feed(&machine, [.success(nil), .end, .failure(Self.fatal)])
        #expect(machine.close(Self.lost, now: Self.start).map(\.error.outcome) == [.unknown])
    }

    @Test("past its deadline a read is let go and a write cancelled, past its grace anything closes the connection")
    func deadlines() {
        var machine = connected()
        let read = request(.read)
        machine.sent(flight(read))
        machine.sent(flight(request(.write)))
        let early = machine.expire(now: Self.start, grace: .seconds(1))
        #expect(early.detached.isEmpty)
        #expect(early.next == Self.deadline)
        let due = machine.expire(now: Self.deadline, grace: .seconds(1))
        #expect(due.detached.count == 1)
        #expect(due.detached.first === read)
        #expect(!due.mustClose)
        #expect(!due.mustCancel, "the server gives up a single statement by itself")
        #expect(due.next == Self.deadline.advanced(by: .milliseconds(125)))
        let overdue = machine.expire(now: Self.deadline.advanced(by: .milliseconds(125)), grace: .seconds(1))
        #expect(overdue.mustCancel)
        #expect(overdue.next == Self.deadline.advanced(by: .seconds(1)))
        let again = machine.expire(now: Self.deadline.advanced(by: .milliseconds(126)), grace: .seconds(1))
        #expect(!again.mustCancel, "once is enough")
        let late = machine.expire(now: Self.deadline.advanced(by: .seconds(1)), grace: .seconds(1))
        #expect(late.mustClose)
        let casualties = machine.close(Self.lost, now: Self.deadline.advanced(by: .seconds(1)))
        #expect(casualties.map(\.error.code) == [.deadlineExceeded])
        #expect(casualties.map(\.error.outcome) == [.unknown])
    }

    @Test("cancelling detaches a read and leaves a write alone")
    func cancellation() {
        var machine = connected()
        let read = request(.read)
        let write = request(.write)
        machine.sent(flight(read))
        machine.sent(flight(write))
        #expect(machine.cancel(read) == .detached)
        #expect(machine.cancel(write) == .ignored)
        #expect(machine.close(Self.lost, now: Self.start).count == 1)
    }

    @Test("an error that replaces the connection retires it", arguments: ["26000", "57P01", "25006", "08006", "53300"])
    func retirement(code: String) {
        var machine = connected()
        machine.sent(flight(request(), statements: 1))
        _ = feed(&machine, [.failure(PostgresError(sqlState: SQLState(code), serverMessage: "")), .end, .sync])
        #expect(machine.isRetiring == true)
    }

    @Test("plain mode is entered and left only when nothing is under way")
    func modes() {
        var machine = Machine()
        #expect(machine.becomePlain() == false)
        machine.connected()
        machine.sent(flight(request(), statements: 1))
        #expect(machine.becomePlain() == false)
        _ = feed(&machine, [.success(nil), .end, .sync])
        #expect(machine.becomePlain() == true)
        machine.beginPlain()
        #expect(machine.becomePlain() == false)
        #expect(machine.becomePipeline() == false)
        machine.endPlain()
        #expect(machine.becomePipeline() == true)
    }

    @Test("a closed connection takes no mode")
    func closed() {
        var machine = connected()
        _ = machine.close(Self.lost, now: Self.start)
        #expect(machine.becomePlain() == false)
        #expect(machine.becomePipeline() == false)
    }

    @Test("what no server can cause stops, with a sentence", arguments: Misfed.allCases)
    func illegal(misfed: Misfed) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [misfed] in
            misfed.happen()
        }
        let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains("a connection that is \(misfed.rawValue)"))
    }

    /// What no owner does.
    enum Misfed: String, CaseIterable, Codable {
        case connectedTwice = "pipeline was told that it has come up"
        case unitBeforeConnected = "connecting was told that a unit was sent"
        case unitInScript = "busy was told that a unit was sent"
        case unitAfterEnd = "closed was told that a unit was sent"
        case scriptInPipeline = "pipeline was told that a script begins"
        case scriptTwice = "busy was told that a script begins"
        case endWithoutScript = "plain was told that a script has ended"
        case answerInScript = "busy was told that a unit was answered"
        case answerAfterEnd = "closed was told that a unit was answered"
        case endTwice = "closed was told that it ends"

        func happen() {
            let tests = ConnectionStateMachineTests()
            let flight = tests.flight(tests.request())
            var machine = Machine()
            if self == .unitBeforeConnected { machine.sent(flight) }
            machine.connected()
            if self == .connectedTwice { machine.connected() }
            if self == .scriptInPipeline { machine.beginPlain() }
            _ = machine.becomePlain()
            if self == .endWithoutScript { machine.endPlain() }
            machine.beginPlain()
            if self == .scriptTwice { machine.beginPlain() }
            if self == .unitInScript { machine.sent(flight) }
            if self == .answerInScript { _ = machine.received(.sync) }
            _ = machine.close(ConnectionStateMachineTests.lost, now: ConnectionStateMachineTests.start)
            if self == .unitAfterEnd { machine.sent(flight) }
            if self == .answerAfterEnd { _ = machine.received(.end) }
            if self == .endTwice {
                _ = machine.close(ConnectionStateMachineTests.lost, now: ConnectionStateMachineTests.start)
            }
        }
    }

    @Test("a request cancelled before the loop saw it ends as cancelled, once")
    func triState() {
        let request = UnitRequest(
            unit: UnitOfWork(tenant: 1, access: .read),
            lane: .shared,
            deadline: Self.deadline
        )
        var answers: [UnitRequest.Answer] = []
        request.onFinish { answers.append($0) }
        #expect(!request.cancel())
        #expect(!request.begin())
        request.finish(.failure(Self.lost))
        #expect(answers.count == 1)
        guard case .failure(let error) = answers.first else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .cancelled)
    }
}

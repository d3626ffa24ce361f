import NIOCore
import Testing

@testable import API

@Suite("ConnectionDeadlines")
struct ConnectionDeadlinesTests {
    private let limits = ServerLimits()

    private func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000) + .milliseconds(milliseconds)
    }

    private func machine() -> ConnectionDeadlines {
        ConnectionDeadlines(limits: self.limits, now: self.at(0))
    }

    /// A connection whose first request was answered at once.
    private func served() -> ConnectionDeadlines {
        var machine = self.machine()
        machine.headParsed(now: self.at(0))
        machine.endParsed(now: self.at(0))
        machine.answered(now: self.at(0))
        return machine
    }

    private func reason(
        _ machine: inout ConnectionDeadlines,
        _ milliseconds: Int64,
        pending: Int = 0
    ) -> ConnectionDeadlines
        .Reason?
    {
        if case .close(let reason) = machine.verdict(now: self.at(milliseconds), pendingBytes: pending) {
            return reason
        }
        return nil
    }

    @Test("a connection that never asks anything ends after ten seconds")
    func silence() {
        var machine = self.machine()
        #expect(self.reason(&machine, 9_999) == nil)
        #expect(self.reason(&machine, 10_000) == .headerDeadline)
    }

    @Test("a connection that asks nothing more ends after the keep-alive time")
    func keepAlive() {
        var machine = self.served()
        #expect(self.reason(&machine, 74_999) == nil)
        #expect(self.reason(&machine, 75_000) == .keepAlive)
    }

    @Test("a header block has ten seconds from its first byte, however it trickles")
    func header() {
        var machine = self.served()
        machine.bytesArrived(now: self.at(1000))
        for second in 2..<11 { machine.bytesArrived(now: self.at(Int64(second) * 1000)) }
        #expect(self.reason(&machine, 10_999) == nil)
        #expect(self.reason(&machine, 11_000) == .headerDeadline)
    }

    @Test("a body may not fall silent")
    func bodyIdle() {
        var machine = self.machine()
        machine.headParsed(now: self.at(0))
        machine.bodyArrived(bytes: 1_000_000, now: self.at(4000))
        #expect(self.reason(&machine, 13_999) == nil)
        #expect(self.reason(&machine, 14_000) == .bodyIdle)
    }

    @Test("a body that never falls silent still ends")
    func bodyTotal() {
        var machine = self.machine()
        machine.headParsed(now: self.at(0))
        for second in 0..<30 { machine.bodyArrived(bytes: 10_000, now: self.at(Int64(second) * 1000)) }
        #expect(self.reason(&machine, 29_999) == nil)
        #expect(self.reason(&machine, 30_000) == .bodyTotal)
    }

    @Test("a body slower than a kilobyte a second ends once the grace is over")
    func bodyRate() {
        var machine = self.machine()
        machine.headParsed(now: self.at(0))
        machine.bodyArrived(bytes: 100, now: self.at(4900))
        #expect(self.reason(&machine, 4999) == nil)
        #expect(self.reason(&machine, 5000) == .bodyRate)
    }

    @Test("a request being answered has no deadline of the connection's")
    func answering() {
        var machine = self.machine()
        machine.bytesArrived(now: self.at(0))
        machine.headParsed(now: self.at(1))
        machine.endParsed(now: self.at(1))
        #expect(self.reason(&machine, 200_000) == nil)
        machine.answered(now: self.at(200_000))
        #expect(self.reason(&machine, 274_999) == nil)
        #expect(self.reason(&machine, 275_000) == .keepAlive)
    }

    @Test("an answer nobody takes ends the connection, one that is taken slowly does not until its total is over")
    func writing() {
        var machine = self.served()
        #expect(self.reason(&machine, 0, pending: 5000) == nil)
        #expect(self.reason(&machine, 9999, pending: 5000) == nil)
        #expect(self.reason(&machine, 10_000, pending: 5000) == .writeIdle)

        var slow = self.served()
        for second in 0..<60 {
            #expect(self.reason(&slow, Int64(second) * 1000, pending: 100_000 - second) == nil)
        }
        #expect(self.reason(&slow, 60_000, pending: 1) == .writeTotal)
    }

    @Test("the timer never sleeps past a deadline")
    func ticks() {
        var machine = self.machine()
        machine.bytesArrived(now: self.at(0))
        guard case .askAgain(let first) = machine.verdict(now: self.at(9000), pendingBytes: 0) else {
            Issue.record("closed too early")
            return
        }
        #expect(first == self.at(10_000))
    }
}

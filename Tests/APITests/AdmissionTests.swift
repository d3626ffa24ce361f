import Kernel
import Synchronization
import TestSupport
import Testing

@testable import API

/// How many are at work, at most, and done.
private final class Counts: Sendable {
    private let state = Mutex((now: 0, most: 0, done: 0))

    var most: Int { self.state.withLock { $0.most } }
    var done: Int { self.state.withLock { $0.done } }

    func enter() {
        self.state.withLock { state in
            state.now += 1
            state.most = max(state.most, state.now)
        }
    }

    func leave() {
        self.state.withLock { state in
            state.now -= 1
            state.done += 1
        }
    }
}

/// Who came, in order.
private final class Order: Sendable {
    private let tenants = Mutex<[Int64]>([])

    var all: [Int64] { self.tenants.withLock { $0 } }

    func add(_ tenant: Int64) { self.tenants.withLock { $0.append(tenant) } }
}

@Suite("Admission")
struct AdmissionTests {
    private let tenant = TenantID(rawValue: 1)

    @Test("no more than its share of a tenant's requests work at once, and all of them get their turn")
    func share() async throws {
        let admission = Admission(total: 100, perTenant: 4, queueLength: 100)
        let counts = Counts()
        let tenant = self.tenant
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await admission.run(tenant: tenant, deadline: .now + .seconds(10)) {
                        counts.enter()
                        await Task.yield()
                        counts.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(counts.done == 50)
        #expect(counts.most <= 4)
        #expect(admission.working == 0)
    }

    @Test("a full queue is 429, a full server 503")
    func full() async throws {
        let admission = Admission(total: 2, perTenant: 1, queueLength: 0)
        let gate = Latch<Void>()
        let entered = Latch<Void>()
        let first = Task {
            try await admission.run(tenant: self.tenant, deadline: .now + .seconds(10)) {
                entered.set(())
                try await gate.wait()
            }
        }
        try await entered.wait()
        await #expect(
            throws: Problem(.rateLimited, "Too many requests of this tenant are being worked on.", retryAfter: 1)
        ) {
            try await admission.run(tenant: self.tenant, deadline: .now + .seconds(10)) {}
        }
        let refusal = try await admission.run(tenant: TenantID(rawValue: 2), deadline: .now + .seconds(10)) {
            await #expect(throws: Problem.self) {
                try await admission.run(tenant: TenantID(rawValue: 3), deadline: .now + .seconds(10)) {}
            }
        }
        #expect(refusal?.code == .overloaded)
        gate.set(())
        try await first.value
        #expect(admission.working == 0)
    }

    @Test("in a full server tenants wait their turns, however many of one wait")
    func turns() async throws {
        let admission = Admission(total: 1, perTenant: 4, queueLength: 8)
        let gate = Latch<Void>()
        let entered = Latch<Void>()
        let order = Order()
        let first = Task {
            try await admission.run(tenant: TenantID(rawValue: 9), deadline: .now + .seconds(10)) {
                entered.set(())
                try await gate.wait()
            }
        }
        try await entered.wait()
        var tasks: [Task<Void, any Error>] = []
        for tenant in [1, 1, 2, 3] as [Int64] {
            let before = admission.waiting
            tasks.append(
                Task {
                    try await admission.run(tenant: TenantID(rawValue: tenant), deadline: .now + .seconds(10)) {
                        order.add(tenant)
                    }
                }
            )
            try await eventually("it waits") { admission.waiting == before + 1 }
        }
        gate.set(())
        try await first.value
        for task in tasks { try await task.value }
        #expect(order.all == [1, 2, 3, 1])
    }

    @Test("thousands of streams that come back at once wait for their turn, and few ask at a time")
    func streams() async throws {
        let line = RateLimits(RateLimitSettings()).streams
        let counts = Counts()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<5000 {
                group.addTask {
                    try await line.run(tenant: TenantID(rawValue: Int64(number % 50)), deadline: .now + .seconds(600)) {
                        counts.enter()
                        await Task.yield()
                        counts.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(counts.done == 5000)
        #expect(counts.most <= 16)
    }

    @Test("who waited past the deadline, or has gone, is not started and passes the turn on", arguments: [true, false])
    func tooLate(hasGone: Bool) async throws {
        let admission = Admission(total: 10, perTenant: 1, queueLength: 10)
        let gate = Latch<Void>()
        let entered = Latch<Void>()
        let first = Task {
            try await admission.run(tenant: self.tenant, deadline: .now + .seconds(10)) {
                entered.set(())
                try await gate.wait()
            }
        }
        try await entered.wait()
        let late = Task {
            let deadline: ContinuousClock.Instant = hasGone ? .now + .seconds(600) : .now
            try await admission.run(tenant: self.tenant, deadline: deadline) { () -> Void in
                Issue.record("was started")
            }
        }
        try await eventually("it waits") { admission.waiting == 1 }
        if hasGone { late.cancel() }
        gate.set(())
        try await first.value
        await #expect(throws: Problem.self) { try await late.value }
        try await admission.run(tenant: self.tenant, deadline: .now + .seconds(10)) {}
        #expect(admission.working == 0)
    }
}

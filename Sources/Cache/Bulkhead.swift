import DequeModule
import Synchronization

/// Bounds how many fills run at once, of one tenant and in all, so that the misses of one cannot take all connections.
///
/// What comes above waits, its tenant's in order and the tenants in turn: one with a thousand waiting delays another by one
/// fill, not by a thousand. Who waits is refused when too many do, and gives up at its deadline.
final class Bulkhead: Sendable {
    private typealias Admission = UnsafeContinuation<Result<Void, any Error>, Never>

    /// Mutated under the bulkhead's lock only.
    private final class Waiter {
        let deadline: ContinuousClock.Instant
        /// Taken when the wait ends; a waiter without stays in its line until that is swept.
        var admission: Admission?

        init(_ admission: Admission, _ deadline: ContinuousClock.Instant) {
            self.admission = admission
            self.deadline = deadline
        }
    }

    private struct Line {
        var running = 0
        var waiters = Deque<Waiter>()
        /// How many of them still wait.
        var waiting = 0
        /// Whether the tenant stands in the round.
        var isInRound = false

        /// Takes out the first who still waits.
        mutating func popFirst() -> Admission? {
            while let waiter = self.waiters.popFirst() {
                guard let admission = waiter.admission else { continue }
                waiter.admission = nil
                self.waiting -= 1
                return admission
            }
            return nil
        }
    }

    private struct State {
        var running = 0
        var waiting = 0
        var lines: [Int64: Line] = [:]
        /// The tenants that have somebody waiting and room for it, next one first.
        var round = Deque<Int64>()
    }

    private let perTenant: Int
    private let total: Int
    private let waitingInAll: Int
    private let waitingPerTenant: Int
    private let alarm = Alarm()
    private let state = Mutex(State())

    init(perTenant: Int, total: Int, waiting: Int) {
        self.perTenant = max(1, perTenant)
        self.total = max(1, total)
        self.waitingInAll = waiting
        // One tenant must not fill the queue so that others are refused.
        self.waitingPerTenant = max(1, waiting / 4)
    }

    /// Runs a fill when there is room for it.
    ///
    /// - Throws: ``CacheOverload``, `CancellationError`, or what `body` throws.
    func run<Value: Sendable>(
        for tenant: Int64,
        until deadline: ContinuousClock.Instant,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await self.enter(tenant, deadline)
        defer { self.leave(tenant) }
        return try await body()
    }

    /// The number of those who wait.
    var waiting: Int { self.state.withLock { $0.waiting } }

    private func enter(_ tenant: Int64, _ deadline: ContinuousClock.Instant) async throws {
        guard ContinuousClock.now < deadline else { throw CacheOverload.late }
        let isAdmitted = try self.state.withLock { state throws(CacheOverload) in
            try self.admit(tenant, &state)
        }
        if isAdmitted { return }
        // Found again by identity when the task is cancelled.
        let ticket = Ticket()
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { (admission: Admission) in
                self.lineUp(tenant, deadline, admission, ticket)
            }
        } onCancel: {
            self.cancel(tenant, ticket)
        }
        try result.get()
    }

    /// Lets a fill in if there is room; throws if there is no room to wait either.
    private func admit(_ tenant: Int64, _ state: inout State) throws(CacheOverload) -> Bool {
        let line = state.lines[tenant] ?? Line()
        if state.running < self.total, line.running < self.perTenant, line.waiting == 0 {
            state.running += 1
            state.lines[tenant, default: Line()].running += 1
            return true
        }
        guard state.waiting < self.waitingInAll, line.waiting < self.waitingPerTenant else { throw .refused }
        return false
    }

    /// What connects a waiter with the cancellation of its task; both may come first.
    private final class Ticket: Sendable {
        struct State {
            var isCancelled = false
            var position: ObjectIdentifier?
        }

        let state = Mutex(State())
    }

    private func lineUp(
        _ tenant: Int64,
        _ deadline: ContinuousClock.Instant,
        _ admission: Admission,
        _ ticket: Ticket
    ) {
        let result: Result<Void, any Error>? = self.state.withLock { state in
            do throws(CacheOverload) {
                // Room may have come since, or gone; asking again under the lock leaves no gap.
                if try self.admit(tenant, &state) { return .success(()) }
            } catch {
                return .failure(error)
            }
            let waiter = Waiter(admission, deadline)
            let isCancelled = ticket.state.withLock { ticket in
                ticket.position = ObjectIdentifier(waiter)
                return ticket.isCancelled
            }
            if isCancelled { return .failure(CancellationError()) }
            state.waiting += 1
            state.lines[tenant, default: Line()].waiters.append(waiter)
            state.lines[tenant]?.waiting += 1
            self.joinRound(tenant, &state)
            return nil
        }
        if let result {
            admission.resume(returning: result)
        } else {
            self.alarm.set(deadline) { self.expire() }
        }
    }

    /// Puts a tenant at the end of the round if it has somebody to let in and room for it.
    private func joinRound(_ tenant: Int64, _ state: inout State) {
        guard let line = state.lines[tenant] else { return }
        if line.waiting > 0, line.running < self.perTenant, !line.isInRound {
            state.lines[tenant]?.isInRound = true
            state.round.append(tenant)
        }
    }

    private func leave(_ tenant: Int64) {
        let admissions: [Admission] = self.state.withLock { state in
            state.running -= 1
            state.lines[tenant]?.running -= 1
            self.joinRound(tenant, &state)
            var admissions: [Admission] = []
            while state.running < self.total, let next = state.round.popFirst() {
                state.lines[next]?.isInRound = false
                guard let admission = state.lines[next]?.popFirst() else { continue }
                state.waiting -= 1
                state.running += 1
                state.lines[next]?.running += 1
                admissions.append(admission)
                self.joinRound(next, &state)
            }
            if let line = state.lines[tenant], line.running == 0, line.waiting == 0, !line.isInRound {
                state.lines[tenant] = nil
            }
            return admissions
        }
        for admission in admissions { admission.resume(returning: .success(())) }
    }

    // MARK: - Giving up

    private func cancel(_ tenant: Int64, _ ticket: Ticket) {
        let position = ticket.state.withLock { ticket in
            ticket.isCancelled = true
            return ticket.position
        }
        guard let position else { return }
        let admission: Admission? = self.state.withLock { state in
            guard let waiter = state.lines[tenant]?.waiters.first(where: { ObjectIdentifier($0) == position })
            else { return nil }
            defer { Self.sweep(tenant, &state) }
            return Self.giveUp(waiter, tenant, &state)
        }
        admission?.resume(returning: .failure(CancellationError()))
    }

    private func expire() {
        let now = ContinuousClock.now
        let (late, next): ([Admission], ContinuousClock.Instant?) = self.state.withLock { state in
            var late: [Admission] = []
            var next: ContinuousClock.Instant?
            for (tenant, line) in state.lines where line.waiting > 0 {
                for waiter in line.waiters where waiter.admission != nil {
                    if waiter.deadline > now {
                        next = min(next ?? waiter.deadline, waiter.deadline)
                    } else if let admission = Self.giveUp(waiter, tenant, &state) {
                        late.append(admission)
                    }
                }
                Self.sweep(tenant, &state)
            }
            return (late, next)
        }
        for admission in late { admission.resume(returning: .failure(CacheOverload.late)) }
        if let next { self.alarm.set(next) { self.expire() } }
    }

    private static func giveUp(_ waiter: Waiter, _ tenant: Int64, _ state: inout State) -> Admission? {
        guard let admission = waiter.admission else { return nil }
        waiter.admission = nil
        state.waiting -= 1
        state.lines[tenant]?.waiting -= 1
        return admission
    }

    /// Takes those who gave up out of a line once they are the larger part of it.
    private static func sweep(_ tenant: Int64, _ state: inout State) {
        guard let line = state.lines[tenant], line.waiters.count > 2 * line.waiting else { return }
        state.lines[tenant]?.waiters.removeAll { $0.admission == nil }
        if line.running == 0, line.waiting == 0, !line.isInRound { state.lines[tenant] = nil }
    }
}

import Fairness
import Synchronization

/// Bounds how many fills run at once, of one tenant and in all, so that the misses of one cannot take all connections.
///
/// What comes above waits, its tenant's in order and the tenants in turn: one with a thousand waiting delays another by one
/// fill, not by a thousand. Who waits is refused when too many do, and gives up at its deadline.
final class Bulkhead: Sendable {
    private typealias Admission = UnsafeContinuation<Result<Void, any Error>, Never>

    /// Somebody who waits.
    private final class Waiter: Sendable {
        let deadline: ContinuousClock.Instant
        /// Resumed by whoever takes the waiter out of the queue, so once.
        let admission: Admission

        init(_ admission: Admission, _ deadline: ContinuousClock.Instant) {
            self.admission = admission
            self.deadline = deadline
        }
    }

    private struct State {
        var running = 0
        var queue = FairQueue<Int64, Waiter>()
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
        waitingInAll = waiting
        // One tenant must not fill the queue so that others are refused.
        waitingPerTenant = max(1, waiting / 4)
    }

    /// Runs a fill when there is room for it.
    ///
    /// - Throws: ``CacheOverload``, `CancellationError`, or what `body` throws.
    func run<Value: Sendable>(
        for tenant: Int64,
        until deadline: ContinuousClock.Instant,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await enter(tenant, deadline)
        defer { leave(tenant) }
        return try await body()
    }

    /// The number of those who wait.
    var waiting: Int { state.withLock { $0.queue.count } }

    private func enter(_ tenant: Int64, _ deadline: ContinuousClock.Instant) async throws {
        guard ContinuousClock.now < deadline else { throw CacheOverload.late }
        let isAdmitted = try state.withLock { state throws(CacheOverload) in
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
        if state.running < total, state.queue.working(of: tenant) < perTenant {
            state.running += 1
            state.queue.begin(tenant, cost: 1)
            return true
        }
        guard state.queue.count < waitingInAll, state.queue.count(of: tenant) < waitingPerTenant else {
            throw .refused
        }
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
        let result: Result<Void, any Error>? = state.withLock { state in
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
            state.queue.append(waiter, of: tenant)
            return nil
        }
        if let result {
            admission.resume(returning: result)
        } else {
            alarm.set(deadline) { self.expire() }
        }
    }

    private func leave(_ tenant: Int64) {
        let admitted: [Waiter] = state.withLock { state in
            state.running -= 1
            state.queue.end(tenant)
            var admitted: [Waiter] = []
            while state.running < self.total, let next = state.queue.next(limit: self.perTenant),
                let waiter = state.queue.begin(next)
            {
                state.running += 1
                admitted.append(waiter)
            }
            return admitted
        }
        for waiter in admitted { waiter.admission.resume(returning: .success(())) }
    }

    // MARK: - Giving up

    private func cancel(_ tenant: Int64, _ ticket: Ticket) {
        let position = ticket.state.withLock { ticket in
            ticket.isCancelled = true
            return ticket.position
        }
        guard let position else { return }
        let gone = state.withLock { $0.queue.removeAll(of: tenant) { ObjectIdentifier($0) == position } }
        for waiter in gone { waiter.admission.resume(returning: .failure(CancellationError())) }
    }

    private func expire() {
        let now = ContinuousClock.now
        let (late, next): ([Waiter], ContinuousClock.Instant?) = state.withLock { state in
            let late = state.queue.removeAll { $0.deadline <= now }
            var next: ContinuousClock.Instant?
            state.queue.forEach { next = min(next ?? $0.deadline, $0.deadline) }
            return (late, next)
        }
        for waiter in late { waiter.admission.resume(returning: .failure(CacheOverload.late)) }
        if let next { alarm.set(next) { self.expire() } }
    }
}

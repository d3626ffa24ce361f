import Fairness
package import Kernel
import Synchronization

/// How many requests work at once, in all and for each tenant.
///
/// Only requests that leave memory pass through here: an answer from L1 costs less than asking. What comes above either bound
/// waits for its turn, the tenants in turn, so that a noisy one fills its own line and delays another by one request. Both lines
/// and the queue as a whole are bounded: beyond them a request is refused at once, as it would only be answered too late.
package final class Admission: Sendable {
    private typealias Waiter = CheckedContinuation<Void, Never>

    private struct State {
        var working = 0
        var queue = FairQueue<Int64, Waiter>()
    }

    private enum Entry {
        case admitted
        case queued
        case refused(Problem)
    }

    private let total: Int
    private let perTenant: Int
    private let queueLength: Int
    private let wholeQueue: Int
    private let state = Mutex(State())

    /// Sets the bounds.
    ///
    /// - Parameters:
    ///   - total: requests that work at once, over all tenants.
    ///   - perTenant: of which one tenant may have this many.
    ///   - queueLength: how many of a tenant's requests may wait.
    ///   - wholeQueue: how many of all tenants' may wait; four times as many as work at once if nothing is said.
    package init(total: Int, perTenant: Int, queueLength: Int, wholeQueue: Int? = nil) {
        self.total = max(1, total)
        self.perTenant = max(1, perTenant)
        self.queueLength = max(0, queueLength)
        self.wholeQueue = wholeQueue ?? 4 * self.total
    }

    /// Requests that work now.
    package var working: Int { state.withLock { $0.working } }

    /// Requests that wait for their turn.
    package var waiting: Int { state.withLock { $0.queue.count } }

    /// Runs a request when its turn comes.
    ///
    /// - Parameters:
    ///   - tenant: whose request it is.
    ///   - deadline: after which it is no longer worth starting.
    ///   - body: the work.
    /// - Returns: what it gives.
    /// - Throws: `overloaded` or `rate_limited` when there is no room, and what `body` throws.
    package func run<Value>(
        tenant: TenantID,
        deadline: ContinuousClock.Instant,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await enter(tenant: tenant.rawValue, deadline: deadline)
        defer { leave(tenant: tenant.rawValue) }
        return try await body()
    }

    private func enter(tenant: Int64, deadline: ContinuousClock.Instant) async throws {
        switch state.withLock({ self.admit(tenant, &$0) }) {
        case .admitted: return
        case .refused(let problem): throw problem
        case .queued: break
        }
        // Who waits is woken by who leaves, and each of those leaves by its own deadline, as bodies are awaited before: no timer is
        // needed here.
        await withCheckedContinuation { (waiter: Waiter) in
            let isAdmitted = self.state.withLock { state in
                // Room may have come since.
                if case .admitted = self.admit(tenant, &state) { return true }
                state.queue.append(waiter, of: tenant)
                return false
            }
            if isAdmitted { waiter.resume() }
        }
        // Who has gone meanwhile wants nothing any more.
        guard ContinuousClock.now < deadline, !Task.isCancelled else {
            leave(tenant: tenant)
            throw Problem(.overloaded, "The request waited too long for its turn.", retryAfter: 1)
        }
    }

    private func admit(_ tenant: Int64, _ state: inout State) -> Entry {
        if state.working < total, state.queue.working(of: tenant) < perTenant {
            state.working += 1
            state.queue.begin(tenant, cost: 1)
            return .admitted
        }
        if state.queue.count(of: tenant) < queueLength, state.queue.count < wholeQueue { return .queued }
        let isTenants = state.queue.working(of: tenant) >= perTenant
        return .refused(
            isTenants
                ? Problem(.rateLimited, "Too many requests of this tenant are being worked on.", retryAfter: 1)
                : Problem(.overloaded, "The server is working at its limit.", retryAfter: 1)
        )
    }

    private func leave(tenant: Int64) {
        let admitted: [Waiter] = state.withLock { state in
            state.working -= 1
            state.queue.end(tenant)
            var admitted: [Waiter] = []
            while state.working < self.total, let next = state.queue.next(limit: self.perTenant),
                let waiter = state.queue.begin(next)
            {
                state.working += 1
                admitted.append(waiter)
            }
            return admitted
        }
        for waiter in admitted { waiter.resume() }
    }

}

package import Kernel
import Synchronization

/// How many requests work at once, in all and for each tenant.
///
/// Only requests that leave memory pass through here: an answer from L1 costs less than asking. A tenant beyond its share
/// waits in a bounded queue of its own, so that a noisy one fills its queue and not the server; beyond the server's own
/// bound a request is refused at once, because a queue there would only make every answer late.
package final class Admission: Sendable {
    private struct Tenant {
        var working = 0
        /// In the order of coming; short, so taking the first out of an array is cheap.
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private struct State {
        var working = 0
        var tenants: [Int64: Tenant] = [:]
    }

    private enum Entry {
        case admitted
        case queued
        case refused(Problem)
    }

    private let total: Int
    private let perTenant: Int
    private let queueLength: Int
    private let state = Mutex(State())

    /// Sets the bounds.
    ///
    /// - Parameters:
    ///   - total: requests that work at once, over all tenants.
    ///   - perTenant: of which one tenant may have this many.
    ///   - queueLength: how many of a tenant's requests may wait.
    package init(total: Int, perTenant: Int, queueLength: Int) {
        self.total = max(1, total)
        self.perTenant = max(1, perTenant)
        self.queueLength = max(0, queueLength)
    }

    /// Requests that work now.
    package var working: Int { self.state.withLock { $0.working } }

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
        try await self.enter(tenant: tenant.rawValue, deadline: deadline)
        defer { self.leave(tenant: tenant.rawValue) }
        return try await body()
    }

    private func enter(tenant: Int64, deadline: ContinuousClock.Instant) async throws {
        let entry: Entry = self.state.withLock { state in
            guard state.working < self.total else {
                return .refused(Problem(.overloaded, "The server is working at its limit.", retryAfter: 1))
            }
            if state.tenants[tenant, default: Tenant()].working < self.perTenant {
                state.working += 1
                state.tenants[tenant, default: Tenant()].working += 1
                return .admitted
            }
            guard state.tenants[tenant, default: Tenant()].waiting.count < self.queueLength else {
                return .refused(
                    Problem(.rateLimited, "Too many requests of this tenant are being worked on.", retryAfter: 1)
                )
            }
            return .queued
        }
        switch entry {
        case .refused(let problem): throw problem
        case .admitted: break
        case .queued: await self.wait(tenant: tenant)
        }
        guard ContinuousClock.now < deadline else {
            self.leave(tenant: tenant)
            throw Problem(.overloaded, "The request waited too long for its turn.", retryAfter: 1)
        }
    }

    /// Waits for a place of the tenant's, which is then taken.
    private func wait(tenant: Int64) async {
        // Who waits is woken by who leaves, and each of those leaves by its own deadline, so no timer is needed here.
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isFree = self.state.withLock { state in
                if state.tenants[tenant, default: Tenant()].working < self.perTenant {
                    state.working += 1
                    state.tenants[tenant, default: Tenant()].working += 1
                    return true
                }
                state.tenants[tenant, default: Tenant()].waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave(tenant: Int64) {
        let next: CheckedContinuation<Void, Never>? = self.state.withLock { state in
            // The place passes to the first who waits; the counts stay as they are.
            if state.tenants[tenant]?.waiting.isEmpty == false {
                return state.tenants[tenant]?.waiting.removeFirst()
            }
            state.working -= 1
            state.tenants[tenant]?.working -= 1
            if state.tenants[tenant]?.working == 0 { state.tenants[tenant] = nil }
            return nil
        }
        next?.resume()
    }
}

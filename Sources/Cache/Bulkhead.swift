import DequeModule
import Synchronization

/// Too many answers are being computed already.
package struct CacheOverload: Error, Sendable, CustomStringConvertible {
    package var description: String { "too many cache fills are waiting" }
}

/// Bounds how many fills run at once, of one tenant and in all, so that the misses of one cannot take all connections.
///
/// What comes above waits in order, and is refused when the queue is full. A waiter's time is bounded by the deadlines of
/// the fills before it.
final class Bulkhead: Sendable {
    private struct Waiter {
        let tenant: Int64
        let continuation: UnsafeContinuation<Void, Never>
    }

    private struct State {
        var running = 0
        var tenants: [Int64: Int] = [:]
        var waiters = Deque<Waiter>()

        mutating func admit(_ tenant: Int64) {
            self.running += 1
            self.tenants[tenant, default: 0] += 1
        }

        mutating func leave(_ tenant: Int64) {
            self.running -= 1
            let left = self.tenants[tenant, default: 1] - 1
            self.tenants[tenant] = left > 0 ? left : nil
        }
    }

    private let perTenant: Int
    private let total: Int
    private let waiting: Int
    private let state = Mutex(State())

    init(perTenant: Int, total: Int, waiting: Int) {
        self.perTenant = max(1, perTenant)
        self.total = max(1, total)
        self.waiting = waiting
    }

    /// Runs a fill when there is room for it.
    func run<Value: Sendable>(
        for tenant: Int64,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await self.enter(tenant)
        defer { self.leave(tenant) }
        return try await body()
    }

    private func enter(_ tenant: Int64) async throws {
        let isAdmitted = try self.state.withLock { state throws(CacheOverload) in
            if self.hasRoom(state, tenant) {
                state.admit(tenant)
                return true
            }
            if state.waiters.count >= self.waiting { throw CacheOverload() }
            return false
        }
        if isAdmitted { return }
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let isAdmitted = self.state.withLock { state in
                // Room may have come since; asking again under the lock leaves no gap.
                if self.hasRoom(state, tenant) {
                    state.admit(tenant)
                    return true
                }
                state.waiters.append(Waiter(tenant: tenant, continuation: continuation))
                return false
            }
            if isAdmitted { continuation.resume() }
        }
    }

    private func hasRoom(_ state: borrowing State, _ tenant: Int64) -> Bool {
        state.running < self.total && state.tenants[tenant, default: 0] < self.perTenant
    }

    private func leave(_ tenant: Int64) {
        let next: UnsafeContinuation<Void, Never>? = self.state.withLock { state in
            state.leave(tenant)
            guard let index = state.waiters.firstIndex(where: { self.hasRoom(state, $0.tenant) }) else { return nil }
            let waiter = state.waiters.remove(at: index)
            state.admit(waiter.tenant)
            return waiter.continuation
        }
        next?.resume()
    }
}

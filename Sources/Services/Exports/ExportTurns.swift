import Kernel
import Synchronization

/// How many exports run at once, in all and of one tenant.
///
/// An export holds a connection for as long as it takes, and tills need theirs: a third of those that are lent may be with exports. What
/// comes above is refused at once, as nobody can tell how long it would wait.
final class ExportTurns: Sendable {
    private let places: Int
    private let running = Mutex<Set<Int64>>([])

    /// - Parameter connections: how many are lent at once.
    init(connections: Int) {
        places = connections > 1 ? max(1, connections / 3) : 0
    }

    /// Takes a turn.
    ///
    /// - Parameter tenant: whose export it is; one of each runs.
    /// - Returns: the turn, which ends with its last reference.
    /// - Throws: 429 `rate_limited` if one of the tenant's runs, 503 `overloaded` if there is no place.
    func take(_ tenant: TenantID) throws(Problem) -> ExportTurn {
        let refusal = running.withLock { running -> Problem? in
            if running.contains(tenant.rawValue) {
                return Problem(.rateLimited, "An export of this tenant is running; it goes one by one.", retryAfter: 10)
            }
            guard running.count < places else {
                return Problem(.overloaded, "Too many exports are running.", retryAfter: 30)
            }
            running.insert(tenant.rawValue)
            return nil
        }
        if let refusal { throw refusal }
        return ExportTurn(of: self, tenant.rawValue)
    }

    fileprivate func end(_ tenant: Int64) {
        _ = running.withLock { $0.remove(tenant) }
    }
}

/// The turn of one export; it ends with its last reference, if not before.
package final class ExportTurn: Sendable {
    private let turns: ExportTurns
    private let tenant: Int64
    private let hasEnded = Mutex(false)

    fileprivate init(of turns: ExportTurns, _ tenant: Int64) {
        self.turns = turns
        self.tenant = tenant
    }

    deinit { end() }

    /// Ends it.
    func end() {
        let isFirst = hasEnded.withLock { hasEnded in
            defer { hasEnded = true }
            return !hasEnded
        }
        if isFirst { turns.end(tenant) }
    }
}

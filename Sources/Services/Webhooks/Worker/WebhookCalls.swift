import Cache
import Synchronization

/// The tenants whose endpoints a worker has to look after: who is known to have any, and of whom something was heard.
///
/// It hears what the log says. A row of a tenant that has endpoints may stand for events; a row under `webhooks` says that a tenant has
/// some from now on. So a tenant without any costs a look into a set.
final class WebhookCalls: LogListener {
    private struct State {
        var known: Set<Int64> = []
        /// In the order in which they were heard of.
        var heard: [Int64] = []
        var isWaiting: Set<Int64> = []
        /// Whether it is not known who has endpoints.
        var isLost = true
    }

    /// Rings when there may be something to do.
    let bell = Doorbell()

    private let state = Mutex(State())

    func retired(_ bumps: [LaneStateMachine.Bump]) {
        let isHeard: Bool = state.withLock { state in
            var isHeard = false
            // A hint comes before the number, and is followed by the row.
            for bump in bumps where bump.sequence != nil {
                if bump.module == "webhooks" { state.known.insert(bump.tenant) }
                guard state.known.contains(bump.tenant), state.isWaiting.insert(bump.tenant).inserted else { continue }
                state.heard.append(bump.tenant)
                isHeard = true
            }
            return isHeard
        }
        if isHeard { bell.ring() }
    }

    func lostPlace() {
        state.withLock { $0.isLost = true }
        bell.ring()
    }

    /// Whether it has to be read anew who has endpoints; from here on it counts as read.
    func takeLost() -> Bool {
        state.withLock { state in
            defer { state.isLost = false }
            return state.isLost
        }
    }

    /// Says that it could not be read.
    func giveBackLost() { state.withLock { $0.isLost = true } }

    /// Has a tenant looked after, which has endpoints.
    func call(_ tenant: Int64) {
        state.withLock { state in
            state.known.insert(tenant)
            if state.isWaiting.insert(tenant).inserted { state.heard.append(tenant) }
        }
        bell.ring()
    }

    /// Heeds the events of a tenant from now on, or does not, as it has endpoints or none.
    func heed(_ tenant: Int64, _ hasEndpoints: Bool) {
        state.withLock { state in
            if hasEndpoints {
                state.known.insert(tenant)
            } else if !state.isWaiting.contains(tenant) {
                // Of one that was heard of meanwhile it is found out anew.
                state.known.remove(tenant)
            }
        }
    }

    /// The next tenant of whom something was heard, but for some.
    func next(butFor busy: Set<Int64>) -> Int64? {
        state.withLock { state in
            guard let place = state.heard.firstIndex(where: { !busy.contains($0) }) else { return nil }
            let tenant = state.heard.remove(at: place)
            state.isWaiting.remove(tenant)
            return tenant
        }
    }
}

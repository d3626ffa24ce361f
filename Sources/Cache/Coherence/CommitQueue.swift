import DequeModule
import Synchronization

/// A write of this instance that has been committed.
package struct CommittedWrite: Sendable, Equatable {
    /// The tenant.
    package let tenant: Int64
    /// The modules it retires.
    package let modules: [Module]
    /// The transaction.
    package let xid: UInt64

    /// Makes a write.
    package init(tenant: Int64, modules: [Module], xid: UInt64) {
        self.tenant = tenant
        self.modules = modules
        self.xid = xid
    }
}

/// Committed writes on their way to Redis and the relay.
///
/// Bounded, oldest first out: losing one costs time, the outbox row decides.
package final class CommitQueue: Sendable {
    private static let limit = 1024

    private let writes = Mutex(Deque<CommittedWrite>())
    /// Rings when there is something to take.
    package let doorbell = Doorbell()

    init() {}

    func push(_ write: CommittedWrite) {
        writes.withLock { writes in
            if writes.count >= Self.limit { writes.removeFirst() }
            writes.append(write)
        }
        doorbell.ring()
    }

    /// Takes everything that waits.
    package func takeAll() -> [CommittedWrite] {
        writes.withLock { writes in
            defer { writes.removeAll(keepingCapacity: true) }
            return Array(writes)
        }
    }
}

#if COHERENCE_CONTROLS
package import Redis
import Synchronization

/// The transactions a process has bumped for, remembered by the process: the mistake of ``Defect/ringInMemory``.
///
/// Shared by everything that uses one client, as a whole process does.
package final class RingInMemory: Sendable {
    private static let rings = Mutex<[ObjectIdentifier: RingInMemory]>([:])

    private let seen = Mutex<Set<String>>([])

    /// The memory of the process that has this client.
    package static func of(_ client: RedisClient) -> RingInMemory {
        Self.rings.withLock { rings in
            if let ring = rings[ObjectIdentifier(client)] { return ring }
            let ring = RingInMemory()
            rings[ObjectIdentifier(client)] = ring
            return ring
        }
    }

    private static func names(_ item: BusMessage.Item, _ ns: String) -> [String] {
        item.xids.map { "\(ns):\(item.tenant).\(item.module):\($0)" }
    }

    /// Remembers that a scope was bumped for transactions.
    package func insert(_ item: BusMessage.Item, ns: String) {
        seen.withLock { $0.formUnion(Self.names(item, ns)) }
    }

    /// Whether it was bumped for all of them.
    package func contains(_ item: BusMessage.Item, ns: String) -> Bool {
        !item.xids.isEmpty && seen.withLock { $0.isSuperset(of: Self.names(item, ns)) }
    }
}
#endif

package import Kernel
import Synchronization

/// Which cached GETs are asked for most: a sketch of bounded size, fed with a sample of the requests.
///
/// Space-Saving (Metwally, Agrawal, El Abbadi: Efficient computation of frequent and top-k elements in data streams, 2005): a
/// new path takes the place and the count of the least counted one, so whatever is frequent stays, in memory that never grows.
package final class BusyPaths: Sendable {
    /// A path and how often it was seen, at most.
    package struct Count: Sendable, Equatable {
        /// The path.
        package let path: BusyPath
        /// How often.
        package let count: UInt64

        /// States a count.
        package init(path: BusyPath, count: UInt64) {
            self.path = path
            self.count = count
        }
    }

    private let capacity: Int
    private let counts = Mutex<[BusyPath: UInt64]>([:])

    /// Makes an empty sketch.
    ///
    /// - Parameter capacity: how many paths it holds.
    package init(capacity: Int = 256) {
        self.capacity = max(1, capacity)
    }

    /// Counts a request; does nothing when another one is being counted at this moment, as nobody waits for a statistic.
    package func note(_ tenant: TenantID, _ target: String) {
        guard let path = BusyPath(tenant: tenant, target: target) else { return }
        _ = counts.withLockIfAvailable { counts in
            if counts[path] == nil, counts.count >= self.capacity, let least = counts.min(by: { $0.value < $1.value }) {
                counts[least.key] = nil
                counts[path] = least.value
            }
            counts[path, default: 0] += 1
        }
    }

    /// Takes all counts, most frequent first, and begins anew.
    package func takeAll() -> [Count] {
        let taken = counts.withLock { counts in
            defer { counts.removeAll(keepingCapacity: true) }
            return counts
        }
        return taken.map { Count(path: $0.key, count: $0.value) }.sorted { $0.count > $1.count }
    }
}

import Synchronization

/// The memory of the instance: shards of answers, each behind its own lock.
///
/// A look-up takes one lock for the time of one dictionary access; there is no actor, so there is no hop.
final class L1: Sendable {
    /// A class around the mutex, as an array cannot hold one.
    private final class Cell: Sendable {
        let shard: Mutex<L1Shard>

        init(capacity: Int, staleLimit: Duration) {
            shard = Mutex(L1Shard(capacity: capacity, staleLimit: staleLimit))
        }
    }

    private let cells: [Cell]
    private let shift: UInt64

    /// Makes a cache of at most so many bytes in at least so many shards, a power of two.
    ///
    /// Retired answers of RELAXED modules are kept up to `staleLimit`.
    init(bytes: Int, shards: Int, staleLimit: Duration) {
        var count = 1
        while count < shards, count < 4096 { count *= 2 }
        cells = (0..<count).map { _ in Cell(capacity: max(1, bytes / count), staleLimit: staleLimit) }
        shift = UInt64(64 - count.trailingZeroBitCount)
    }

    private func cell(_ key: CacheKey) -> Cell {
        // The high bits choose the shard, the dictionary uses the low ones. A shift by 64 gives 0: one shard.
        cells[Int(truncatingIfNeeded: UInt64(UInt(bitPattern: key.hash)) >> shift)]
    }

    /// A live answer, if there is one.
    func lookup(_ key: CacheKey, now: Int64) -> StoredAnswer? {
        cell(key).shard.withLock { $0.lookup(key, now: now) }
    }

    /// What there is of a key, alive or not, without taking it for used.
    func stale(_ key: CacheKey) -> StoredAnswer? {
        cell(key).shard.withLock { $0.stale(key) }
    }

    /// Keeps an answer; false if it is too large.
    func insert(_ key: CacheKey, _ answer: StoredAnswer) -> Bool {
        cell(key).shard.withLock { $0.insert(key, answer) }
    }

    /// Forgets the answer of a key.
    func remove(_ key: CacheKey) {
        cell(key).shard.withLock { $0.remove(key) }
    }

    /// Forgets everything.
    func removeAll() {
        for cell in cells { cell.shard.withLock { $0.removeAll() } }
    }

    /// The bytes in use, overhead included.
    var bytes: Int {
        cells.reduce(0) { $0 + $1.shard.withLock { $0.bytes } }
    }

    /// The number of keys held.
    var count: Int {
        cells.reduce(0) { $0 + $1.shard.withLock { $0.count } }
    }
}

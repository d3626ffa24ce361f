import Synchronization

/// A (tenant, module) of this instance: its version, and the writes of this instance not yet seen in the log.
///
/// An answer counts only while the version is the one captured *before* the answer was read. Retiring everything of a scope
/// is therefore one addition, whatever it holds.
final class Scope: Sendable {
    let tenant: Int64
    let module: Module
    /// Counts the bumps.
    let version = Atomic<UInt64>(0)
    let counters = ScopeCounters()
    /// The first version of the present history.
    private let historyBegins = Atomic<UInt64>(0)
    private let own = Mutex(OwnWrites())
    private let recent = Mutex(RecentBumps())

    init(tenant: Int64, module: Module) {
        self.tenant = tenant
        self.module = module
    }

    /// Retires everything cached for this scope.
    func bump() {
        version.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    /// Retires everything cached for this scope, and remembers why for those who ask.
    func bump(via source: BumpSource, sequence: Int64? = nil, xids: [UInt64] = [], at time: Int64) {
        self.bump()
        recent.withLock { $0.append(RecentBumps.Bump(sequence: sequence, xids: xids, source: source, time: time)) }
    }

    /// Records a committed write of this instance, then retires the scope.
    ///
    /// In this order: a reader that captured the new version must find the id, or it could take a value from Redis that
    /// misses the write, and the writer would not read what it wrote.
    func wrote(_ xid: UInt64, settled: UInt64, at time: Int64 = 0) {
        own.withLock { $0.append(xid, settled: settled) }
        bump(via: .own, xids: [xid], at: time)
    }

    /// Forgets writes that have appeared in the log: from here on the watermark answers for them.
    func logged(_ xids: [UInt64]) {
        own.withLock { $0.remove(xids) }
    }

    /// Forgets all writes: the history they were part of was replaced.
    ///
    /// To be followed by a bump. What was read before it is of the old history, whose transaction ids are given out again:
    /// its snapshots say nothing about later writes.
    func forgetWrites() {
        historyBegins.store(
            version.load(ordering: .sequentiallyConsistent) + 1,
            ordering: .sequentiallyConsistent
        )
        own.withLock { $0 = OwnWrites() }
    }

    /// Whether a snapshot saw every write of this instance that the log has not shown yet.
    func isVisible(in snapshot: Snapshot, settled: UInt64) -> Bool {
        own.withLock { own in
            if own.isEmpty { return true }
            own.prune(settled: settled)
            return own.areVisible(in: snapshot)
        }
    }

    /// Whether what was read under a version is of the history in force.
    func isOfThisHistory(_ version: UInt64) -> Bool {
        version >= historyBegins.load(ordering: .sequentiallyConsistent)
    }

    /// Whether a snapshot saw every write of this instance, those long in the log included.
    ///
    /// An answer that is no longer valid must not take back what was shown; the log says nothing about such answers.
    func sawAllWrites(_ snapshot: Snapshot) -> Bool {
        own.withLock { $0.highest < snapshot.xmin && $0.areVisible(in: snapshot) }
    }

    /// Whether there are writes to be remembered.
    var hasOwnWrites: Bool {
        own.withLock { !$0.isEmpty }
    }

    /// The writes not yet seen in the log.
    var ownWrites: [UInt64] { own.withLock { $0.list } }

    /// The last bumps, newest last.
    var recentBumps: [RecentBumps.Bump] { recent.withLock { $0.list } }
}

/// Counters of a scope; relaxed, as they inform people and decide nothing.
final class ScopeCounters: Sendable {
    let l1Hits = Atomic<UInt64>(0)
    let l2Hits = Atomic<UInt64>(0)
    let misses = Atomic<UInt64>(0)
    let bypasses = Atomic<UInt64>(0)
    let stale = Atomic<UInt64>(0)
    let tokenMisses = Atomic<UInt64>(0)
    let evictions = Atomic<UInt64>(0)
    let refusedStores = Atomic<UInt64>(0)
    let entries = Atomic<Int>(0)
    let bytes = Atomic<Int>(0)
}

/// The last bumps of a scope, for people.
struct RecentBumps: Sendable {
    struct Bump: Sendable, Equatable {
        let sequence: Int64?
        let xids: [UInt64]
        let source: BumpSource
        /// On the cache's clock.
        let time: Int64
    }

    static let limit = 32

    private var ring: [Bump] = []
    private var next = 0

    mutating func append(_ bump: Bump) {
        guard ring.count == Self.limit else {
            ring.append(bump)
            return
        }
        ring[next] = bump
        next = (next + 1) % Self.limit
    }

    /// Oldest first.
    var list: [Bump] { Array(ring[next...] + ring[..<next]) }
}

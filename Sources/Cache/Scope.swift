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
    private let own = Mutex(OwnWrites())

    init(tenant: Int64, module: Module) {
        self.tenant = tenant
        self.module = module
    }

    /// Retires everything cached for this scope.
    func bump() {
        self.version.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    /// Retires everything cached for this scope, and remembers why.
    func bump(via source: BumpSource, sequence: Int64? = nil, xids: [UInt64] = [], at time: Int64 = 0) {
        self.bump()
    }

    /// Records a committed write of this instance, then retires the scope.
    ///
    /// In this order: a reader that captured the new version must find the id, or it could take a value from Redis that
    /// misses the write, and the writer would not read what it wrote.
    func wrote(_ xid: UInt64, settled: UInt64) {
        self.own.withLock { $0.append(xid, settled: settled) }
        self.bump()
    }

    /// Forgets writes that have appeared in the log: from here on the watermark answers for them.
    func logged(_ xids: [UInt64]) {
        self.own.withLock { $0.remove(xids) }
    }

    /// Forgets all writes: the history they were part of was replaced.
    func forgetWrites() {
        self.own.withLock { $0 = OwnWrites() }
    }

    /// Whether a snapshot saw every write of this instance that the log has not shown yet.
    func isVisible(in snapshot: Snapshot, settled: UInt64) -> Bool {
        self.own.withLock { own in
            if own.isEmpty { return true }
            own.prune(settled: settled)
            return own.areVisible(in: snapshot)
        }
    }

    /// Whether there are writes to be remembered.
    var hasOwnWrites: Bool {
        self.own.withLock { !$0.isEmpty }
    }
}

/// Counters of a scope; relaxed, as they inform people and decide nothing.
final class ScopeCounters: Sendable {
    let l1Hits = Atomic<UInt64>(0)
    let l2Hits = Atomic<UInt64>(0)
    let misses = Atomic<UInt64>(0)
    let bypasses = Atomic<UInt64>(0)
    let evictions = Atomic<UInt64>(0)
    let refusedStores = Atomic<UInt64>(0)
    let entries = Atomic<Int>(0)
    let bytes = Atomic<Int>(0)
}

/// The transaction ids of this instance's writes to one scope that the log has not shown yet.
///
/// At most 64 are kept one by one; more become a barrier above the highest of them. Never only the highest id: a snapshot
/// may see 105 and not 100.
struct OwnWrites: Sendable {
    static let limit = 64

    private var xids: [UInt64] = []
    private var barrier: UInt64?

    var isEmpty: Bool { self.xids.isEmpty && self.barrier == nil }

    /// Adds an id.
    ///
    /// `settled` is a transaction id below which everything that committed has been applied from the log: such ids need no
    /// remembering.
    mutating func append(_ xid: UInt64, settled: UInt64) {
        self.prune(settled: settled)
        guard self.xids.count >= Self.limit else {
            self.xids.append(xid)
            return
        }
        self.barrier = self.xids.reduce(max(xid, self.barrier ?? 0)) { max($0, $1) }
        self.xids.removeAll(keepingCapacity: true)
    }

    mutating func remove(_ logged: [UInt64]) {
        guard !self.xids.isEmpty else { return }
        self.xids.removeAll { logged.contains($0) }
    }

    /// Whether a snapshot saw all of them.
    func areVisible(in snapshot: Snapshot) -> Bool {
        if let barrier, snapshot.xmin <= barrier { return false }
        return self.xids.allSatisfy { snapshot.sees($0) }
    }

    /// Forgets what needs no remembering.
    mutating func prune(settled: UInt64) {
        if let barrier, barrier < settled { self.barrier = nil }
        if self.xids.contains(where: { $0 < settled }) { self.xids.removeAll { $0 < settled } }
    }
}

/// The transaction ids of this instance's writes to one scope that the log has not shown yet.
///
/// At most 64 are kept one by one; more become a barrier above the highest of them. Never only the highest id: a snapshot
/// may see 105 and not 100.
struct OwnWrites: Sendable {
    static let limit = 64

    private var xids: [UInt64] = []
    private var barrier: UInt64?
    /// The highest id there ever was; not forgotten when the log has shown it.
    private(set) var highest: UInt64 = 0

    var isEmpty: Bool { xids.isEmpty && barrier == nil }

    /// Those kept one by one, and the barrier.
    var list: [UInt64] { xids + [barrier].compactMap { $0 } }

    /// Adds an id.
    ///
    /// `settled` is a transaction id below which everything that committed has been applied from the log: such ids need no
    /// remembering.
    mutating func append(_ xid: UInt64, settled: UInt64) {
        highest = max(highest, xid)
        prune(settled: settled)
        guard xids.count >= Self.limit else {
            xids.append(xid)
            return
        }
        barrier = xids.reduce(max(xid, barrier ?? 0)) { max($0, $1) }
        xids.removeAll(keepingCapacity: true)
    }

    mutating func remove(_ logged: [UInt64]) {
        guard !xids.isEmpty else { return }
        xids.removeAll { logged.contains($0) }
    }

    /// Whether a snapshot saw all of them.
    func areVisible(in snapshot: Snapshot) -> Bool {
        if let barrier, snapshot.xmin <= barrier { return false }
        return xids.allSatisfy { snapshot.sees($0) }
    }

    /// Forgets what needs no remembering.
    mutating func prune(settled: UInt64) {
        if let barrier, barrier < settled { self.barrier = nil }
        if xids.contains(where: { $0 < settled }) { xids.removeAll { $0 < settled } }
    }
}

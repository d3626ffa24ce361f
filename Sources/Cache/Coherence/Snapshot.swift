/// What a PostgreSQL snapshot saw: the result of `pg_current_snapshot()`.
package struct Snapshot: Sendable, Equatable {
    /// The oldest transaction still running: every id below it is visible or rolled back.
    package let xmin: UInt64
    /// The first id not yet given out: it and everything above it is invisible.
    package let xmax: UInt64
    /// The ids in between that were running; nil if unknown (too many to keep, or taken on a standby).
    package let xip: [UInt64]?

    /// Makes a snapshot from the parts of a `pg_snapshot`.
    package init(xmin: UInt64, xmax: UInt64, xip: [UInt64]?) {
        self.xmin = xmin
        self.xmax = xmax
        self.xip = xip
    }

    /// Whether the effects of a committed transaction are in what this snapshot saw.
    ///
    /// Not known counts as no: the caller then asks the database, which is always right.
    package func sees(_ xid: UInt64) -> Bool {
        if xid < xmin { return true }
        if xid >= xmax { return false }
        guard let xip else { return false }
        return !xip.contains(xid)
    }
}

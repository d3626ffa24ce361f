/// Which connections a unit of work may use.
package enum Lane: Sendable, Hashable, CaseIterable {
    /// Pipelined connections for short reads. Never for what takes row locks: it would stall all behind it.
    case shared
    /// A connection for itself, for the time of the unit: row locks, heavy reads.
    case exclusive
    /// The connection that listens, for probes that must not queue behind anything.
    case listener
}

/// A guard of the protocol that a test build can be told to leave out.
///
/// Each is a mistake somebody could make. With any of them the checker and the simulator must find a wrong answer, or they
/// prove nothing (negative controls).
package enum Defect: String, CaseIterable, Sendable {
    /// STORE does not compare generations: a slow reader brings a retired value back.
    case blindStore = "blind_store"
    /// The generation is captured after the snapshot was taken.
    case lateCapture = "late_capture"
    /// L1 keeps an answer under the scope version found after the fill.
    case noScopeCapture = "no_scope_capture"
    /// A reader joins any flight of its key, of whatever version and age.
    case joinAnyFlight = "join_any_flight"
    /// The fresh generation is derived from the write, so that it may come twice.
    case reuseGeneration = "reuse_generation"
    /// The generation is a counter, which begins again when it was evicted.
    case counterGeneration = "counter_generation"
    /// A message of the bus that begins after the next row is applied all the same.
    case noGapCheck = "no_gap_check"
    /// A probe moves the position without retiring the scopes of its rows.
    case followWithoutBump = "follow_without_bump"
    /// Outbox rows are deleted without being logged: only the writer's fast path retires.
    case noOutbox = "no_outbox"
    /// The caches serve however long ago the log was last followed.
    case noLease = "no_lease"
    /// A beat of the bus renews the lease.
    case beatRenewsLease = "beat_renews_lease"
    /// One drain renews the lease, where two are needed.
    case oneDrain = "one_drain"
    /// Whatever Redis returns is believed.
    case noAliveAndNoWatermark = "no_alive_and_no_wm"
    /// A server is declared up to date before the log was replayed to it, and believed for that alone.
    case aliveBeforeReplay = "alive_before_replay"
    /// The watermark is remembered by the relay and not by the data set.
    case watermarkInMemory = "wm_in_memory"
    /// Which transactions were bumped is remembered by the process and not by the data set.
    case ringInMemory = "ring_in_memory"
    /// Consistency tokens are not looked at.
    case noTokenCheck = "no_token_check"
    /// A token keeps the highest id only.
    case maximalIDToken = "max_id_token"
    /// An instance does not remember its own writes.
    case noOwnWrites = "no_own_writes"
    /// Namespaces are not compared, and a rotation drops nothing.
    case noNamespace = "no_ns"
    /// Tags of log rows are not compared, nor is the database's identity.
    case noTag = "no_tag"
    /// Redis is begun anew under the namespace that was in use.
    case reuseNamespaceOnReset = "reuse_ns_on_reset"
    /// The hash in a value is not compared with that of the key asked for.
    case noKeyHash = "no_key_hash"
    /// The names of values collide; harmless as long as the hash is compared.
    case collidingKeys = "colliding_keys"
}

/// The guards left out; none, and at no cost, unless the program was built with `COHERENCE_CONTROLS`.
package struct Defects: Sendable, Equatable {
    #if COHERENCE_CONTROLS
    private let defects: Set<Defect>

    /// Leaves out these guards.
    package init(_ defects: Set<Defect> = []) {
        self.defects = defects
    }

    /// Reads a list of names separated by commas, as STOCK_GUARDS_OFF gives it; nil if a name is unknown.
    package init?(parsing list: String) {
        var defects: Set<Defect> = []
        for name in list.split(separator: ",") {
            guard let defect = Defect(rawValue: String(name)) else { return nil }
            defects.insert(defect)
        }
        self.defects = defects
    }

    /// Whether this guard is left out.
    package func contains(_ defect: Defect) -> Bool {
        defects.contains(defect)
    }
    #else
    /// Leaves out nothing.
    package init() {}

    /// Whether this guard is left out: never.
    @inline(__always)
    package func contains(_ defect: Defect) -> Bool { false }
    #endif
}

import Metrics

/// What is measured of a pool as it happens, made once; how it is at a moment tell ``PoolStatistics``.
struct PoolMetrics {
    private let sharedWait = Metrics.Timer(label: "stock_postgres_wait_seconds", dimensions: [("lane", "shared")])
    private let exclusiveWait = Metrics.Timer(
        label: "stock_postgres_wait_seconds",
        dimensions: [("lane", "exclusive")]
    )
    private let refused: [PostgresError.Code: Metrics.Counter]

    init() {
        let codes: [(PostgresError.Code, String)] = [
            (.overloaded, "overloaded"), (.databaseUnavailable, "unavailable"), (.deadlineExceeded, "deadline"),
            (.closed, "closed"),
        ]
        refused = Dictionary(
            uniqueKeysWithValues: codes.map { code, reason in
                (code, Metrics.Counter(label: "stock_postgres_refused_total", dimensions: [("reason", reason)]))
            }
        )
    }

    /// A request has a connection.
    func served(_ lane: Lane, waited: Duration) {
        let nanoseconds = waited.components.seconds * 1_000_000_000 + waited.components.attoseconds / 1_000_000_000
        switch lane {
        case .shared: sharedWait.recordNanoseconds(nanoseconds)
        case .exclusive: exclusiveWait.recordNanoseconds(nanoseconds)
        // What probes and heartbeats wait shows in the cache's lag.
        case .listener: break
        }
    }

    /// A request got none.
    func refused(_ error: PostgresError) {
        refused[error.code]?.increment()
    }
}

import Cache
import Metrics

/// The metrics of the service, made once.
final class CoherenceMetrics: Sendable {
    private let rotations: [String: Counter]
    private let unusableSeconds: [String: FloatingPointCounter]
    private let outboxRows = Gauge(label: "stock_cache_outbox_rows")
    private let outboxOldest = Gauge(label: "stock_cache_outbox_oldest_seconds")
    private let commitToApply = Timer(label: "stock_cache_commit_to_apply_seconds")
    private let applyToL1 = Timer(label: "stock_cache_apply_to_l1_seconds")

    init() {
        rotations = Dictionary(
            uniqueKeysWithValues: (["identity"] + RelayStateMachine.RotationCause.allCases.map { $0.rawValue }).map {
                ($0, Counter(label: "stock_cache_rotations_total", dimensions: [("cause", $0)]))
            }
        )
        unusableSeconds = Dictionary(
            uniqueKeysWithValues: UnusableCause.allCases.map {
                let dimensions = [("cause", $0.rawValue)]
                return (
                    $0.rawValue,
                    FloatingPointCounter(label: "stock_cache_unusable_seconds_total", dimensions: dimensions)
                )
            }
        )
        outbox(rows: 0, oldest: nil)
    }

    func rotated(_ cause: String) {
        rotations[cause]?.increment()
    }

    func unusable(_ cause: UnusableCause, nanoseconds: Int64) {
        guard nanoseconds > 0 else { return }
        unusableSeconds[cause.rawValue]?.increment(by: Double(nanoseconds) / 1e9)
    }

    /// What waits in the outbox; the age in microseconds.
    func outbox(rows: Int64, oldest: Int64?) {
        outboxRows.record(rows)
        outboxOldest.record(Double(max(0, oldest ?? 0)) / 1e6)
    }

    /// From the trigger that wrote the oldest outbox row of a drain to the end of its APPLY.
    ///
    /// The way to the drain by PostgreSQL's clock, the rest by this process': neither is compared with the other.
    func applied(nanoseconds: Int64) {
        commitToApply.recordNanoseconds(max(0, nanoseconds))
    }

    /// From the sending of APPLY by a relay to its message being heeded here.
    ///
    /// By the wall clocks of both: says something on the same machine or with synchronised clocks, and informs only.
    func heeded(sentAt: Int64, now: Int64) {
        let microseconds = max(0, now.subtractingReportingOverflow(sentAt).partialValue)
        applyToL1.recordNanoseconds(microseconds.multipliedReportingOverflow(by: 1000).partialValue)
    }
}

/// Why the caches are not in use.
enum UnusableCause: String, CaseIterable {
    /// No position was adopted yet.
    case start
    /// A bump is known or feared to be missing.
    case hole
    /// The history of the log was replaced, and the lane was not rotated yet.
    case history
    /// Nothing proves that the log was followed of late.
    case lease
}

import Metrics
import Synchronization

/// The counters of the cache, made once.
///
/// Requests are counted by the scopes themselves, as a hit must cost next to nothing, and carried over by
/// ``TenantCache/reportMetrics()``.
package final class CacheMetrics: Sendable {
    private struct Requests: Sendable {
        let l1Hits: Counter
        let l2Hits: Counter
        let misses: Counter
        let bypasses: Counter
    }

    private let requests: [Requests]
    private let fills: [Timer]
    private let untrustedCounters: [Trust.Cause: Counter]
    private let holes: [LaneStateMachine.Doubt: Counter]
    private let refused = Counter(label: "stock_cache_store_refused_total")
    private let overloads = Counter(label: "stock_cache_bulkhead_refused_total")
    private let mismatches = Counter(label: "stock_cache_header_mismatch_total")
    private let stolen = Counter(label: "stock_cache_lease_stolen_total")
    private let stale = Counter(label: "stock_cache_stale_served_total")
    private let tokenMisses = Counter(label: "stock_cache_token_miss_total")
    private let waits = Timer(label: "stock_cache_lease_wait_seconds")
    private let evictions = Counter(label: "stock_cache_l1_evictions_total")
    private let l1Bytes = Gauge(label: "stock_cache_l1_bytes")
    private let freshAge = Gauge(label: "stock_cache_fresh_age_seconds")
    private let reported = Mutex(ModuleTotals())

    init() {
        func counter(_ level: String, _ module: Module, _ result: String) -> Counter {
            Counter(
                label: "stock_cache_requests_total",
                dimensions: [("level", level), ("module", module.rawValue), ("result", result)]
            )
        }
        requests = Module.allCases.map { module in
            Requests(
                l1Hits: counter("l1", module, "hit"),
                l2Hits: counter("l2", module, "hit"),
                misses: counter("l1", module, "miss"),
                bypasses: counter("l1", module, "bypass")
            )
        }
        fills = Module.allCases.map { module in
            Timer(label: "stock_cache_fill_seconds", dimensions: [("module", module.rawValue)])
        }
        untrustedCounters = Dictionary(
            uniqueKeysWithValues: Trust.Cause.allCases.map { cause in
                (cause, Counter(label: "stock_cache_l2_untrusted_total", dimensions: [("cause", cause.rawValue)]))
            }
        )
        holes = Dictionary(
            uniqueKeysWithValues: LaneStateMachine.Doubt.allCases.map { doubt in
                (doubt, Counter(label: "stock_cache_hole_total", dimensions: [("cause", doubt.rawValue)]))
            }
        )
    }

    func filled(_ module: Module, nanoseconds: Int64) {
        fills[module.index].recordNanoseconds(nanoseconds)
    }

    func untrusted(_ cause: Trust.Cause) {
        untrustedCounters[cause]?.increment()
    }

    func storeRefused() {
        refused.increment()
    }

    func bulkheadRefused() {
        overloads.increment()
    }

    func headerMismatch() {
        mismatches.increment()
    }

    func waited(nanoseconds: Int64) {
        waits.recordNanoseconds(nanoseconds)
    }

    func leaseStolen() {
        stolen.increment()
    }

    func hole(_ doubt: LaneStateMachine.Doubt) {
        holes[doubt]?.increment()
    }

    func report(_ totals: ModuleTotals, l1Bytes: Int, freshAgeNanoseconds: Int64?) {
        let before = reported.withLock { reported in
            defer { reported.advance(to: totals) }
            return reported
        }
        var evicted: UInt64 = 0
        var stale: UInt64 = 0
        var tokenMisses: UInt64 = 0
        for module in Module.allCases {
            let old = before[module]
            let new = totals[module]
            let requests = self.requests[module.index]
            Self.carry(requests.l1Hits, old.l1Hits, new.l1Hits)
            Self.carry(requests.l2Hits, old.l2Hits, new.l2Hits)
            Self.carry(requests.misses, old.misses, new.misses)
            Self.carry(requests.bypasses, old.bypasses, new.bypasses)
            evicted += new.evictions - min(new.evictions, old.evictions)
            stale += new.stale - min(new.stale, old.stale)
            tokenMisses += new.tokenMisses - min(new.tokenMisses, old.tokenMisses)
        }
        if evicted > 0 { evictions.increment(by: Int64(clamping: evicted)) }
        if stale > 0 { self.stale.increment(by: Int64(clamping: stale)) }
        if tokenMisses > 0 { self.tokenMisses.increment(by: Int64(clamping: tokenMisses)) }
        self.l1Bytes.record(l1Bytes)
        if let freshAgeNanoseconds { freshAge.record(Double(freshAgeNanoseconds) / 1e9) }
    }

    private static func carry(_ counter: Counter, _ old: UInt64, _ new: UInt64) {
        if new > old { counter.increment(by: Int64(clamping: new - old)) }
    }
}

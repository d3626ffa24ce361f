import HTTPTypes
import Synchronization

/// What is measured of HTTP, made once: a request costs one lock, its route's own, and three additions.
///
/// The number of series is bounded, whatever is asked for: the first ``answeredRoutes`` that answer 2xx are told apart, and of
/// the other classes, which anybody can provoke on any route, the first ``refusingRoutes``; the rest is of route `other`.
final class HTTPMetrics: Sendable {
    /// The upper bounds in seconds: an answer from memory or Redis, from PostgreSQL, a slow one.
    ///
    /// Each is a series of every route, of which a shop's backend has many.
    static let bounds = [0.005, 0.05, 0.5]
    /// How many routes are timed each by itself when they answer 2xx: more than a shop uses, fewer than there are.
    static let answeredRoutes = 200
    /// How many histograms of one route there may be of the other classes.
    static let refusingRoutes = 8

    private let routes: [Route]
    private let unmatched = RouteMeasures()
    private let others = RouteMeasures()
    private let answeredLeft = Atomic<Int>(HTTPMetrics.answeredRoutes)
    private let refusingLeft = Atomic<Int>(HTTPMetrics.refusingRoutes)
    private let working = Atomic<Int>(0)
    private let atOnce = CounterSeries()
    private let statuses = (100..<600).map { _ in CounterSeries() }
    private let tenantWaits = HistogramSeries(bounds: HTTPMetrics.bounds)

    /// Begins to measure.
    ///
    /// - Parameter routes: the table; each route keeps its own measures.
    init(_ routes: [Route]) {
        self.routes = routes
    }

    /// A request has come.
    func began() {
        working.wrappingAdd(1, ordering: .relaxed)
    }

    /// A request has its answer.
    ///
    /// - Parameters:
    ///   - route: what served it; nil if there is no such route.
    ///   - status: of the answer.
    ///   - time: from its head to its answer.
    func answered(_ route: Route?, status: Int, time: Duration) {
        working.wrappingSubtract(1, ordering: .relaxed)
        statuses[min(max(status, 100), 599) - 100].increment(by: 1)
        let (seconds, attoseconds) = time.components
        let value = Double(seconds) + Double(attoseconds) / 1e18
        let statusClass = status / 100
        guard let route else {
            unmatched.record(value, statusClass) { true }
            return
        }
        let isKept = route.measures.record(value, statusClass) {
            statusClass == 2 ? Self.take(self.answeredLeft) : Self.take(self.refusingLeft)
        }
        if !isKept { others.record(value, statusClass) { true } }
    }

    /// Takes one of those that are left.
    private static func take(_ left: borrowing Atomic<Int>) -> Bool {
        let isTaken = left.wrappingSubtract(1, ordering: .relaxed).newValue >= 0
        if !isTaken { left.wrappingAdd(1, ordering: .relaxed) }
        return isTaken
    }

    /// A request is answered on its event loop.
    func answeredAtOnce() {
        atOnce.increment(by: 1)
    }

    /// How many were.
    var countAtOnce: Int64 { atOnce.value }

    /// A request of a tenant with its share of places in use has waited for one.
    func waitedForTurn(_ time: Duration) {
        tenantWaits.record(time / .seconds(1))
    }

    /// All that was measured.
    func samples() -> [MetricSample] {
        var samples = [
            MetricSample(
                "stock_http_requests_in_flight",
                .integer(Int64(working.load(ordering: .relaxed)))
            ),
            MetricSample("stock_http_answered_at_once_total", count: atOnce.value),
            MetricSample("stock_http_tenant_wait_seconds", .histogram(tenantWaits.counts)),
        ]
        for (index, counter) in statuses.enumerated() where counter.value > 0 {
            samples.append(
                MetricSample("stock_http_requests_total", count: counter.value, labels: [("status", "\(index + 100)")])
            )
        }
        func add(_ measures: RouteMeasures, method: String, path: String) {
            for (statusClass, counts) in measures.counts {
                samples.append(
                    MetricSample(
                        "stock_http_request_seconds",
                        .histogram(counts),
                        labels: [("method", method), ("route", path), ("status", "\(statusClass)xx")]
                    )
                )
            }
        }
        for route in routes { add(route.measures, method: route.method.rawValue, path: route.path) }
        add(unmatched, method: "any", path: "unmatched")
        add(others, method: "any", path: "other")
        return samples
    }
}

/// How often a route was answered and how long that took, by the class of the status.
final class RouteMeasures: Sendable {
    private let classes = Mutex([HistogramSeries.Counts?](repeating: nil, count: 6))

    /// Counts an answer.
    ///
    /// - Parameters:
    ///   - seconds: how long it took.
    ///   - statusClass: the first digit of its status.
    ///   - mayBegin: asked before the first of a class is counted.
    /// - Returns: whether it was counted.
    @discardableResult
    func record(_ seconds: Double, _ statusClass: Int, mayBegin: () -> Bool) -> Bool {
        let index = min(max(statusClass, 1), 5)
        return classes.withLock { classes in
            if classes[index] == nil {
                guard mayBegin() else { return false }
                classes[index] = HistogramSeries.Counts(bounds: HTTPMetrics.bounds)
            }
            classes[index]?.record(seconds)
            return true
        }
    }

    /// The counts of each class that was met.
    var counts: [(statusClass: Int, counts: HistogramSeries.Counts)] {
        classes.withLock { $0 }.enumerated().compactMap { index, counts in counts.map { (index, $0) } }
    }
}

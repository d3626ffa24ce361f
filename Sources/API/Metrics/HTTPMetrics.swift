import Metrics

/// The counters of the HTTP surface, made once.
struct HTTPMetrics: Sendable {
    private let classes: [Metrics.Counter]

    init() {
        self.classes = (1...5).map { first in
            Metrics.Counter(label: "stock_http_requests_total", dimensions: [("status", "\(first)xx")])
        }
    }

    /// Counts an answer.
    func answered(_ status: Int) {
        self.classes[min(max(status / 100, 1), 5) - 1].increment()
    }
}

package import Services

/// What was sent to endpoints and came of it, as metrics.
package enum WebhookMetrics {
    /// The samples of a worker.
    package static func samples(of statistics: WebhookWorker.Statistics) -> [MetricSample] {
        let tries = "stock_webhook_deliveries_total"
        return [
            MetricSample("stock_webhook_endpoints_served", Double(statistics.serving)),
            MetricSample(tries, count: statistics.delivered, labels: [("result", "delivered")]),
            MetricSample(tries, count: statistics.failed, labels: [("result", "failed")]),
            MetricSample("stock_webhook_set_aside_total", count: statistics.setAside),
            MetricSample("stock_webhook_disabled_total", count: statistics.disabled),
        ]
    }
}

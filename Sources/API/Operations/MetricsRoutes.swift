import HTTPTypes
import Kernel
import NIOCore

/// The metrics of this process, for whoever collects them.
///
/// Without a credential, as collectors have none, and so only where no client comes; there is no tenant in any label.
struct MetricsRoutes: Sendable {
    let metrics: MetricsRegistry

    var routes: [Route] {
        let metrics = self.metrics
        return [
            Route(
                .get,
                "/metrics",
                "metrics",
                "The metrics of this process, in the text format of Prometheus 0.0.4",
                area: "operations",
                access: .open,
                gives: Route.Output(answer: .text, type: .metrics)
            ) { call in
                try call.noQuery()
                return Reply(.ok, body: ByteBuffer(bytes: metrics.text()), type: .metrics)
            }
        ]
    }
}

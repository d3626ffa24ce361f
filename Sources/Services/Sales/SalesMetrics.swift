import Kernel
import Metrics
import Synchronization

/// What this instance sold, for who runs it: by currency and never by tenant, of which there may be any number.
final class SalesMetrics: Sendable {
    /// How many currencies are told apart; later ones are of currency `other`.
    private static let maximumCurrencies = 16

    private struct Series {
        let sales: Counter
        let amount: FloatingPointCounter

        init(_ currency: String, _ factory: any MetricsFactory) {
            let labels = [("currency", currency)]
            sales = Counter(label: "stock_sales_total", dimensions: labels, factory: factory)
            amount = FloatingPointCounter(label: "stock_sales_amount_total", dimensions: labels, factory: factory)
        }
    }

    private let series = Mutex<[String: Series]>([:])
    private let others: Series
    // That of whoever made the service: currencies are met when requests come.
    private let factory: any MetricsFactory

    init() {
        factory = MetricsSystem.factory
        others = Series("other", factory)
    }

    /// A sale was confirmed.
    ///
    /// - Parameters:
    ///   - total: What it came to.
    ///   - currency: The code of its currency.
    func sold(_ total: Money, in currency: String) {
        let found = series.withLock { series in
            if let known = series[currency] { return known }
            guard series.count < Self.maximumCurrencies else { return others }
            let new = Series(currency, factory)
            series[currency] = new
            return new
        }
        found.sales.increment()
        // A sum to look at, and none to add up books by: those are in the balance.
        found.amount.increment(by: Double(total.rawValue) / 10_000)
    }
}

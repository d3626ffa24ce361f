import Domain
import HTTPTypes
import Kernel
import Services

/// What came in and went out.
struct BalanceRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            .read(
                "/v1/balance/series",
                "readBalanceSeries",
                "Income and expense by period, empty periods included",
                area: "balance",
                access: .scope(.reportsRead),
                answer: .reference("BalanceSeries"),
                query: { SeriesQuery.read(&$0) },
                reading: { (series, caller) throws(Problem) in try shop.balance.series(series, caller) }
            ),
            .read(
                "/v1/balance/summary",
                "readBalanceSummary",
                "Income and expense of a range, by method",
                area: "balance",
                access: .scope(.reportsRead),
                answer: .reference("BalanceSummary"),
                query: { $0.days() },
                reading: { (days, caller) throws(Problem) in try shop.balance.summary(days, caller) }
            ),
            .read(
                "/v1/dashboard",
                "readDashboard",
                "Today at a glance",
                area: "balance",
                access: .scope(.reportsRead),
                answer: .reference("Dashboard")
            ) { _, caller in shop.balance.dashboard(caller) },
        ]
    }
}

extension BalanceMethod {
    /// Reads whose money counts: `all`, or the code of a method.
    fileprivate static func read(_ query: inout Query) -> BalanceMethod {
        let description = "The code of the method whose money counts, or all, as if left out."
        return query.paymentMethod("method", description, or: "all").map { .one($0) } ?? .all
    }
}

extension SeriesQuery {
    /// Reads what `GET /v1/balance/series` asks for.
    static func read(_ query: inout Query) -> SeriesQuery {
        SeriesQuery(
            view: query.choice("view", "How finely the range is divided; daily if left out.") ?? .daily,
            days: query.days(),
            method: .read(&query)
        )
    }
}

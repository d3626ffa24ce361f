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
            ).tabular,
            .read(
                "/v1/balance/summary",
                "readBalanceSummary",
                "Income and expense of a range, by method",
                area: "balance",
                access: .scope(.reportsRead),
                answer: .reference("BalanceSummary"),
                query: { (days: $0.days(), place: BalancePlace.read(&$0)) },
                reading: { (asked, caller) throws(Problem) in
                    try shop.balance.summary(asked.days, at: asked.place, caller)
                }
            ).tabular,
            .read(
                "/v1/dashboard",
                "readDashboard",
                "A day at a glance, beside the day before and that of the week before",
                area: "balance",
                access: .scope(.reportsRead),
                answer: .reference("Dashboard"),
                query: { $0.day("date", "The business day; today if left out.") },
                reading: { day, caller in shop.balance.dashboard(of: day, caller) }
            ),
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

extension BalancePlace {
    /// Reads where the money was taken or given.
    static func read(_ query: inout Query) -> BalancePlace {
        BalancePlace(
            locationID: query.id("location_id", "What was taken and given at registers of this location only."),
            registerID: query.id("register_id", "What was taken and given at this register only.")
        )
    }
}

extension SeriesQuery {
    /// Reads what `GET /v1/balance/series` asks for.
    static func read(_ query: inout Query) -> SeriesQuery {
        SeriesQuery(
            view: query.choice("view", "How finely the range is divided; daily if left out.") ?? .daily,
            days: query.days(),
            method: .read(&query),
            place: .read(&query)
        )
    }
}

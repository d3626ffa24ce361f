import Domain
import HTTPTypes
import Kernel
import Services

/// What came in and went out.
struct BalanceRoutes {
    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/balance/series",
                "readBalanceSeries",
                "Income and expense by period, empty periods included",
                area: "balance",
                access: .scope(.reportsRead),
                parameters: [
                    .choice("view", BalanceView.self, "How finely the range is divided; daily if left out."),
                    .choice("method", BalanceMethod.self, "Whose money counts; all if left out."),
                ] + Route.Parameter.days,
                answer: .reference("BalanceSeries")
            ) { call, caller in
                let series = try call.query { (query) throws(Problem) in SeriesQuery.read(&query) }
                return try shop.balance.series(series, caller)
            },
            Route.read(
                "/v1/balance/summary",
                "readBalanceSummary",
                "Income and expense of a range, by method",
                area: "balance",
                access: .scope(.reportsRead),
                parameters: Route.Parameter.days,
                answer: .reference("BalanceSummary")
            ) { call, caller in
                let days = try call.query { (query) throws(Problem) in query.days() }
                return try shop.balance.summary(days, caller)
            },
            Route.read(
                "/v1/dashboard",
                "readDashboard",
                "Today at a glance",
                area: "balance",
                access: .scope(.reportsRead),
                answer: .reference("Dashboard")
            ) { call, caller in
                try call.noQuery()
                return shop.balance.dashboard(caller)
            },
        ]
    }
}

extension SeriesQuery {
    /// Reads what `GET /v1/balance/series` asks for.
    static func read(_ query: inout Query) -> SeriesQuery {
        SeriesQuery(
            view: query.choice("view") ?? .daily,
            days: query.days(),
            method: query.choice("method") ?? .all
        )
    }
}

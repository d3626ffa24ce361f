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
            Route(
                .get,
                "/v1/balance/series",
                "readBalanceSeries",
                "Income and expense by period, empty periods included",
                area: "balance",
                access: .scope(.reportsRead),
                isCached: true,
                parameters: [
                    .choice("view", BalanceView.self, "How finely the range is divided; daily if left out."),
                    .choice("method", BalanceMethod.self, "Whose money counts; all if left out."),
                ] + Route.Parameter.days,
                answer: .reference("BalanceSeries")
            ) { call in
                let series = try call.query { (query) throws(Problem) in SeriesQuery.read(&query) }
                return try call.reply(await shop.balance.series(series, call.context()))
            },
            Route(
                .get,
                "/v1/balance/summary",
                "readBalanceSummary",
                "Income and expense of a range, by method",
                area: "balance",
                access: .scope(.reportsRead),
                isCached: true,
                parameters: Route.Parameter.days,
                answer: .reference("BalanceSummary")
            ) { call in
                let days = try call.query { (query) throws(Problem) in query.days() }
                return try call.reply(await shop.balance.summary(days, call.context()))
            },
            Route(
                .get,
                "/v1/dashboard",
                "readDashboard",
                "Today at a glance",
                area: "balance",
                access: .scope(.reportsRead),
                isCached: true,
                answer: .reference("Dashboard")
            ) { call in
                try call.noQuery()
                return try call.reply(await shop.balance.dashboard(call.context()))
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

import Kernel
import Services

/// What is told about many documents at once.
struct ReportsRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let reports = shop.reports
        let routes: [Route] = [
            .headed(
                "/v1/reports/receivables",
                "readReceivables",
                "Which customers owe how much for how long, by name",
                area: "reports",
                access: .scope(.reportsRead),
                answer: ReportSchemas.receivables,
                query: { _ in },
                reading: { (_, page, caller) throws(Problem) in try reports.receivables(page, caller) }
            ),
            .headed(
                "/v1/reports/payables",
                "readPayables",
                "Which suppliers are owed how much for how long, by name",
                area: "reports",
                access: .scope(.reportsRead),
                answer: ReportSchemas.payables,
                query: { _ in },
                reading: { (_, page, caller) throws(Problem) in try reports.payables(page, caller) }
            ),
            .read(
                "/v1/reports/top-products",
                "readTopProducts",
                "What sold most between two days",
                area: "reports",
                access: .scope(.reportsRead),
                answer: ReportSchemas.topProducts,
                query: { TopQuery.read(&$0) },
                reading: { (query, caller) throws(Problem) in try reports.topProducts(query, caller) }
            ),
            .read(
                "/v1/reports/margins",
                "readMargins",
                "What was left of what came in, by category, the largest first",
                area: "reports",
                access: .scope(.reportsRead),
                answer: ReportSchemas.margins,
                query: { $0.days() },
                reading: { (days, caller) throws(Problem) in try reports.margins(days, caller) }
            ),
            .read(
                "/v1/reports/taxes",
                "readTaxReport",
                "What was sold by tax, and what of it was cancelled or came back",
                area: "reports",
                access: .scope(.reportsRead),
                answer: ReportSchemas.taxes,
                query: { $0.days() },
                reading: { (days, caller) throws(Problem) in try reports.taxes(days, caller) }
            ),
            .read(
                "/v1/reports/stock-value",
                "readStockValue",
                "What the goods on hand and in transit were worth at the end of a day",
                area: "reports",
                access: .scope(.reportsRead),
                answer: ReportSchemas.stockValue,
                query: { $0.day("date", "The day; today if left out.") },
                reading: { day, caller in reports.stockValue(on: day, caller) }
            ),
            .headed(
                "/v1/reports/dead-stock",
                "listDeadStock",
                "What there is of products that were not sold for long",
                area: "reports",
                access: .scope(.reportsRead),
                answer: ReportSchemas.deadStock,
                query: { $0.integer("days", 1...3660, "For how many days they were not sold; 90 if left out.") ?? 90 },
                reading: { (days, page, caller) throws(Problem) in try reports.deadStock(days: days, page, caller) }
            ),
        ]
        return routes.map(\.tabular)
    }
}

extension TopQuery {
    /// Reads what `GET /v1/reports/top-products` asks for.
    static func read(_ query: inout Query) -> TopQuery {
        TopQuery(
            days: query.days(),
            rank: query.choice("by", "By what they are ranked; revenue if left out.") ?? .revenue,
            limit: query.integer("limit", 1...200, "How many; 50 if left out.") ?? 50
        )
    }
}

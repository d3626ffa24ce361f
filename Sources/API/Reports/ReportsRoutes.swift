import Kernel
import Services

/// What is told about many documents at once.
struct ReportsRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let reports = shop.reports
        return [
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
        ]
    }
}

import Cache
package import Kernel
import Postgres

extension ReportsService {
    /// `GET /v1/reports/receivables`: which customers owe how much for how long today, by name.
    ///
    /// - Parameters:
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func receivables(_ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        try debts("receivables", page, caller) { ReadReceivables(day: $0, limit: $1, after: $2) }
    }

    /// `GET /v1/reports/payables`: which suppliers are owed how much for how long today, by name.
    ///
    /// - Parameters:
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func payables(_ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        try debts("payables", page, caller) { ReadPayables(day: $0, limit: $1, after: $2) }
    }

    /// A page by name of what is as old as it is today: the day is in its key, and in its cursors.
    private func debts<Asked: Statement<HeadedPageRow>>(
        _ kind: StaticString,
        _ page: Page,
        _ caller: Caller,
        _ statement: @escaping @Sendable (BusinessDay, Int, NamePlace?) -> Asked
    ) throws(Problem) -> CachedRead {
        let cursors = self.cursors
        return .dated(tenants.settings(of: caller.tenant)) { (today) throws(Problem) in
            var builder = KeyBuilder(kind)
            builder.add(today.description)
            let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .reports)
            return page.read(statement(today, page.limit, page.afterText()))
        }
    }
}

import Cache
import Domain
package import Kernel
import Postgres

extension ReportsService {
    /// `GET /v1/reports/top-products`: what sold most between two days.
    ///
    /// - Parameters:
    ///   - query: The days, by what they are ranked, and how many.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    /// - Throws: 422 `validation_failed` for a range that is reversed.
    package func topProducts(_ query: TopQuery, _ caller: Caller) throws(Problem) -> CachedRead {
        try ranged(query.days, or: 7, "top-products", caller) { builder in
            builder.add(query.rank.rawValue)
            builder.add(query.limit)
        } statement: {
            ReadTopProducts(range: $0, rank: query.rank, limit: query.limit)
        }
    }

    /// `GET /v1/reports/margins`: what was left of what came in, by the category that products have now, the largest first.
    ///
    /// - Parameters:
    ///   - days: The business days; seven up to today if left out.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    /// - Throws: 422 `validation_failed` for a range that is reversed.
    package func margins(_ days: DayRange, _ caller: Caller) throws(Problem) -> CachedRead {
        try ranged(days, or: 7, "margins", caller) { _ in
        } statement: {
            ReadCategoryMargins(range: $0)
        }
    }

    /// `GET /v1/reports/taxes`: what was sold by tax, and what of it was cancelled or came back, each on its own day.
    ///
    /// - Parameters:
    ///   - days: The business days; thirty up to today if left out.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    /// - Throws: 422 `validation_failed` for a range that is reversed.
    package func taxes(_ days: DayRange, _ caller: Caller) throws(Problem) -> CachedRead {
        try ranged(days, or: 30, "taxes", caller) { _ in
        } statement: {
            ReadTaxes(range: $0)
        }
    }

    /// `GET /v1/reports/stock-value`: what the goods on hand and in transit were worth at the end of a day, at what they cost.
    ///
    /// - Parameters:
    ///   - day: The day; today if nil.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    package func stockValue(on day: BusinessDay?, _ caller: Caller) -> CachedRead {
        @Sendable func read(_ day: BusinessDay) -> CachedRead {
            CachedRead(
                key: caller.key(.reports, "stock-value") { $0.add(day.description) },
                fill: .body(ReadStockValue(day: day))
            )
        }
        guard let day else { return .dated(tenants.settings(of: caller.tenant)) { read($0) } }
        return read(day)
    }

    /// `GET /v1/reports/dead-stock`: what there is of products that were not sold for some days, by id.
    ///
    /// - Parameters:
    ///   - days: For how many days.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func deadStock(days: Int, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        let cursors = self.cursors
        return .dated(tenants.settings(of: caller.tenant)) { (today) throws(Problem) in
            let before = today.adding(days: 1 - days) ?? today
            var builder = KeyBuilder("dead-stock")
            builder.add(before.description)
            let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .reports)
            return page.read(ReadDeadStock(before: before, limit: page.limit, after: page.afterText()?.id))
        }
    }

    /// A report over days, which are in its key; of which as many up to the last one count as are said, if the first is left out.
    private func ranged<Asked: Statement<BodyRow>>(
        _ days: DayRange,
        or count: Int,
        _ kind: StaticString,
        _ caller: Caller,
        key: @escaping @Sendable (inout KeyBuilder) -> Void,
        statement: @escaping @Sendable (BalanceRange) -> Asked
    ) throws(Problem) -> CachedRead {
        let read: @Sendable (BusinessDay) throws(Problem) -> CachedRead = { (last) throws(Problem) in
            let range = try BalanceRange(from: days.from ?? last.adding(days: 1 - count) ?? last, to: last)
            return CachedRead(
                key: caller.key(.reports, kind) { builder in
                    builder.add(range.from.description)
                    builder.add(range.to.description)
                    key(&builder)
                },
                fill: .body(statement(range))
            )
        }
        if let last = days.to { return try read(last) }
        return .dated(tenants.settings(of: caller.tenant), read: read)
    }
}

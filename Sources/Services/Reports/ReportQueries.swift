package import Kernel

/// By what products are ranked.
package enum TopRank: String, Sendable, CaseIterable {
    /// By how many were sold, less those that came back.
    case quantity
    /// By what came in for them without taxes.
    case revenue
    /// By what was left of that.
    case margin
}

/// What `GET /v1/reports/top-products` asks for.
package struct TopQuery: Sendable, Equatable {
    /// The business days; seven up to today if left out.
    package var days: DayRange
    /// By what they are ranked.
    package var rank: TopRank
    /// How many.
    package var limit: Int

    /// Makes a query.
    package init(days: DayRange = .all, rank: TopRank = .revenue, limit: Int = 50) {
        self.days = days
        self.rank = rank
        self.limit = min(max(limit, 1), 200)
    }
}

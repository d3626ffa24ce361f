import Cache
import Domain
package import Kernel
import Postgres

/// What came in and went out: series, summary and dashboard, from the ledger's totals by day.
package struct BalanceService: Sendable {
    private let tenants: TenantService

    init(tenants: TenantService) { self.tenants = tenants }

    static let statements: [any Statement.Type] = [ReadSeries.self, ReadSummary.self, ReadDashboard.self]

    /// `GET /v1/balance/series`: every period of the range, empty ones included.
    ///
    /// - Parameters:
    ///   - query: View, range and method; a missing day is counted back from the tenant's today.
    ///   - caller: Who asks.
    /// - Returns: The read of the series.
    /// - Throws: 422 `validation_failed` for a range that is reversed or too long.
    package func series(_ query: SeriesQuery, _ caller: Caller) throws(Problem) -> CachedRead {
        try read(query.days, view: query.view, caller) { range in
            CachedRead(
                key: caller.key(.balance, "series") { builder in
                    builder.add(query.view.rawValue)
                    builder.add(range.from.description)
                    builder.add(range.to.description)
                    builder.add(query.method.text)
                    query.place.add(to: &builder)
                },
                fill: .body(
                    ReadSeries(view: query.view, range: range, method: query.method, place: query.place)
                )
            )
        }
    }

    /// `GET /v1/balance/summary`: the sums of a range, in all and by method.
    ///
    /// - Parameters:
    ///   - days: The range; a missing day is counted back from the tenant's today, thirty days in all.
    ///   - place: Where the money was taken or given.
    ///   - caller: Who asks.
    /// - Returns: The read of the sums.
    /// - Throws: 422 `validation_failed` for a range that is reversed or too long.
    package func summary(
        _ days: DayRange,
        at place: BalancePlace = .anywhere,
        _ caller: Caller
    ) throws(Problem) -> CachedRead {
        try read(days, view: nil, caller) { range in
            CachedRead(
                key: caller.key(.balance, "summary") { builder in
                    builder.add(range.from.description)
                    builder.add(range.to.description)
                    place.add(to: &builder)
                },
                fill: .body(ReadSummary(range: range, place: place))
            )
        }
    }

    /// `GET /v1/dashboard`.
    ///
    /// A day beside the one before it and that of the week before. The day is in the key, so that midnight needs no invalidation.
    ///
    /// - Parameters:
    ///   - day: The day; the tenant's local day if nil.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    package func dashboard(of day: BusinessDay? = nil, _ caller: Caller) -> CachedRead {
        @Sendable func read(_ day: BusinessDay) -> CachedRead {
            CachedRead(
                key: caller.key(.dashboard, "day") { $0.add(day.description) },
                fill: .body(ReadDashboard(day: day))
            )
        }
        guard let day else { return .dated(tenants.settings(of: caller.tenant)) { today in read(today) } }
        return read(day)
    }

    /// A read about days: known at once where both are named, else once the tenant's today is.
    private func read(
        _ days: DayRange,
        view: BalanceView?,
        _ caller: Caller,
        of range: @escaping @Sendable (BalanceRange) -> CachedRead
    ) throws(Problem) -> CachedRead {
        if let last = days.to { return range(try Self.range(days.from, to: last, view: view)) }
        return .dated(tenants.settings(of: caller.tenant)) { (today) throws(Problem) in
            range(try Self.range(days.from, to: today, view: view))
        }
    }

    /// The days a report is about: a missing first one is counted back from the last.
    ///
    /// No view is one period, whatever its length.
    private static func range(
        _ first: BusinessDay?,
        to last: BusinessDay,
        view: BalanceView?
    ) throws(Problem) -> BalanceRange {
        let counted =
            switch view {
            case .daily, nil: last.adding(days: -29)
            case .weekly: last.startOfWeek.adding(days: -11 * 7)
            case .monthly: last.startOfMonth.adding(days: -330)?.startOfMonth
            case .yearly: last.startOfYear.adding(days: -4 * 365)?.startOfYear
            }
        return try BalanceRange(from: first ?? counted ?? last, to: last, view: view)
    }
}

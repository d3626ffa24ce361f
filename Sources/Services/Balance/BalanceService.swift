package import Cache
import Domain
package import Kernel
import Postgres

/// What came in and went out: series, summary and dashboard, from the ledger's totals by day.
package struct BalanceService: Sendable {
    private let store: Store
    private let tenants: TenantService

    init(store: Store, tenants: TenantService) {
        self.store = store
        self.tenants = tenants
    }

    static let statements: [any Statement.Type] = [ReadSeries.self, ReadSummary.self, ReadDashboard.self]

    /// `GET /v1/balance/series`: every period of the range, empty ones included.
    ///
    /// With both days given and the series in memory, nothing suspends.
    ///
    /// - Parameters:
    ///   - query: View, range and method; a missing day is counted back from the tenant's today.
    ///   - context: Who asks.
    /// - Returns: The series.
    /// - Throws: 422 `validation_failed` for a range that is reversed or too long.
    package func series(_ query: SeriesQuery, _ context: CallContext) async throws(Problem) -> CachedAnswer {
        let range = try await range(query.days, view: query.view, context)
        return try await store.answer(
            Self.series(view: query.view, range: range, method: query.method, tenant: context.tenant),
            context
        )
    }

    static func series(view: BalanceView, range: BalanceRange, method: BalanceMethod, tenant: TenantID) -> CachedRead {
        var builder = KeyBuilder("series")
        builder.add(view.rawValue)
        builder.add(range.from.description)
        builder.add(range.to.description)
        builder.add(method.rawValue)
        return CachedRead(
            key: builder.key(tenant: tenant.rawValue, module: .balance),
            fill: .body(ReadSeries(view: view, range: range, method: method))
        )
    }

    /// `GET /v1/balance/summary`: the sums of a range, in all and by method.
    ///
    /// - Parameters:
    ///   - days: The range; a missing day is counted back from the tenant's today, thirty days in all.
    ///   - context: Who asks.
    /// - Returns: The sums.
    /// - Throws: 422 `validation_failed` for a range that is reversed or too long.
    package func summary(_ days: DayRange, _ context: CallContext) async throws(Problem) -> CachedAnswer {
        let range = try await range(days, view: nil, context)
        return try await store.answer(Self.summary(range, tenant: context.tenant), context)
    }

    static func summary(_ range: BalanceRange, tenant: TenantID) -> CachedRead {
        var builder = KeyBuilder("summary")
        builder.add(range.from.description)
        builder.add(range.to.description)
        return CachedRead(
            key: builder.key(tenant: tenant.rawValue, module: .balance),
            fill: .body(ReadSummary(range: range))
        )
    }

    /// `GET /v1/dashboard`.
    ///
    /// The tenant's local day. The day is in the key, so that midnight needs no invalidation.
    package func dashboard(_ context: CallContext) async throws(Problem) -> CachedAnswer {
        let today = try await tenants.today(context)
        let key = KeyBuilder("day").adding(today.description)
            .key(tenant: context.tenant.rawValue, module: .dashboard)
        return try await store.read(key, context, fill: ReadDashboard(day: today))
    }

    /// The days a report is about: what is missing is counted back from today.
    ///
    /// No view is one period, whatever its length.
    private func range(
        _ days: DayRange,
        view: BalanceView?,
        _ context: CallContext
    ) async throws(Problem) -> BalanceRange {
        let last: BusinessDay
        if let to = days.to {
            last = to
        } else {
            last = try await tenants.today(context)
        }
        let first =
            days.from
            ?? {
                switch view {
                case .daily, nil: last.adding(days: -29)
                case .weekly: last.startOfWeek.adding(days: -11 * 7)
                case .monthly: last.startOfMonth.adding(days: -330)?.startOfMonth
                case .yearly: last.startOfYear.adding(days: -4 * 365)?.startOfYear
                }
            }() ?? last
        return try BalanceRange(from: first, to: last, view: view)
    }
}

package import Domain
package import Kernel

/// What a series asks for; days left out are counted back from the tenant's today.
package struct SeriesQuery: Sendable, Equatable {
    /// How finely the range is divided.
    package var view: BalanceView
    /// The first and the last day.
    package var days: DayRange
    /// Whose money counts.
    package var method: BalanceMethod

    /// Makes a query.
    package init(
        view: BalanceView,
        days: DayRange = .all,
        method: BalanceMethod = .all
    ) {
        self.view = view
        self.days = days
        self.method = method
    }
}

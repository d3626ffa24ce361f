package import Domain
package import Kernel

/// What a series asks for; days left out are counted back from the tenant's today.
package struct SeriesQuery: Sendable, Equatable {
    /// How finely the range is divided.
    package var view: BalanceView
    /// The first day.
    package var from: BusinessDay?
    /// The last day.
    package var to: BusinessDay?
    /// Whose money counts.
    package var method: BalanceMethod

    /// Makes a query.
    package init(
        view: BalanceView,
        from: BusinessDay? = nil,
        to: BusinessDay? = nil,
        method: BalanceMethod = .all
    ) {
        self.view = view
        self.from = from
        self.to = to
        self.method = method
    }
}

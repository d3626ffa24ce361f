import Cache
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
    /// Where it was taken or given.
    package var place: BalancePlace

    /// Makes a query.
    package init(
        view: BalanceView,
        days: DayRange = .all,
        method: BalanceMethod = .all,
        place: BalancePlace = .anywhere
    ) {
        self.view = view
        self.days = days
        self.method = method
        self.place = place
    }
}

/// Where money was taken or given that counts.
///
/// A register counts with where it stood: one that was carried elsewhere has taken what it took before at its former location.
package struct BalancePlace: Sendable, Equatable {
    /// At this location only.
    package var locationID: LocationID?
    /// At this register only.
    package var registerID: RegisterID?

    /// Everywhere, and what no register took or gave.
    package static let anywhere = BalancePlace()

    /// Makes a place.
    package init(locationID: LocationID? = nil, registerID: RegisterID? = nil) {
        self.locationID = locationID
        self.registerID = registerID
    }

    /// Adds the place to a key; anywhere adds nothing.
    func add(to builder: inout KeyBuilder) {
        guard self != .anywhere else { return }
        builder.add(locationID?.description)
        builder.add(registerID?.description)
    }
}

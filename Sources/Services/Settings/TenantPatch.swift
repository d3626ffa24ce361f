package import Kernel

/// The settings of a tenant a client wants changed.
package struct TenantPatch: Sendable, Equatable {
    package var name: Change<String> = .keep
    package var timezone: Change<String> = .keep
    package var locale: Change<String> = .keep
    /// Fixed by the first document.
    package var currency: Change<Currency> = .keep
    /// Fixed by the first document.
    package var pricesIncludeTax: Change<Bool> = .keep
    package var oversell: Change<TenantOversell> = .keep
    package var onPriceChange: Change<OnPriceChange> = .keep
    package var returnsWithoutSale: Change<ReturnsWithoutSale> = .keep
    /// Before today.
    package var closedUntil: Change<BusinessDay?> = .keep

    /// Makes a patch that changes nothing.
    package init() {}
}

/// Whether products that inherit it may be sold without stock.
package enum TenantOversell: String, Sendable, Hashable, CaseIterable {
    case deny
    case allow
}

/// What happens to a draft whose list prices changed.
package enum OnPriceChange: String, Sendable, Hashable, CaseIterable {
    case refuse
    case keep
}

/// Whether goods may come back at the till without their sale.
package enum ReturnsWithoutSale: String, Sendable, Hashable, CaseIterable {
    case deny
    case allow
}

package import Kernel

/// The kinds of movement a person may enter; the others come from documents.
package enum EnteredMovement: String, Sendable, Hashable, CaseIterable {
    case opening
    case adjustment
    case loss

    /// The signed quantity that moves the level.
    ///
    /// A loss always takes away, however its quantity was signed; an opening adds; an adjustment does as it says.
    ///
    /// - Parameter quantity: As entered.
    /// - Returns: The quantity to add to the level, or `nil` if this kind cannot have it: zero, or an opening below zero.
    package func signed(_ quantity: Quantity) -> Quantity? {
        guard !quantity.isZero else { return nil }
        return switch self {
        case .adjustment: quantity
        case .opening: quantity.isNegative ? nil : quantity
        case .loss: quantity.isNegative ? quantity : quantity.negated
        }
    }
}

/// Whether a product, or a tenant, may sell what it does not have.
package enum OversellRule: String, Sendable, Hashable, CaseIterable {
    case inherit
    case deny
    case allow
}

/// Whether a product can be sold.
package enum ProductStatus: String, Sendable, Hashable, CaseIterable {
    case active
    case archived
}

/// A filter of products by what is on hand: out is nothing left, low up to the minimum, ok above it or untracked.
package enum StockFilter: String, Sendable, Hashable, CaseIterable {
    case out
    case low
    case ok
}

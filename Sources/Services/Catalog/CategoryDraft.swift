package import Kernel

/// A category as a client describes it.
package struct CategoryDraft: Sendable, Equatable {
    /// What it is called; unique without regard to case.
    package var name: String
    /// The category it lies in.
    package var parentID: CategoryID?
    /// Whether it is offered.
    package var active: Bool
    /// The id another system knows it by.
    package var externalID: String?

    /// Makes a draft.
    package init(name: String, parentID: CategoryID? = nil, active: Bool = true, externalID: String? = nil) {
        self.name = name
        self.parentID = parentID
        self.active = active
        self.externalID = externalID
    }
}

/// The fields of a category a client wants changed.
package struct CategoryPatch: Sendable, Equatable {
    package var name: Change<String> = .keep
    package var parentID: Change<CategoryID?> = .keep
    package var active: Change<Bool> = .keep
    package var externalID: Change<String?> = .keep

    /// Makes a patch that changes nothing.
    package init() {}
}

/// A unit of measure as a client describes it.
package struct UnitDraft: Sendable, Equatable {
    /// What it is called; unique without regard to case.
    package var name: String
    /// How it is written behind a quantity, 1 to 20 characters.
    package var symbol: String
    /// The decimals its quantities may have, 0 to 6.
    package var decimals: Int
    /// The id another system knows it by.
    package var externalID: String?

    /// Makes a draft.
    package init(name: String, symbol: String, decimals: Int = 0, externalID: String? = nil) {
        self.name = name
        self.symbol = symbol
        self.decimals = decimals
        self.externalID = externalID
    }
}

/// The fields of a unit a client wants changed.
package struct UnitPatch: Sendable, Equatable {
    package var name: Change<String> = .keep
    package var symbol: Change<String> = .keep
    package var decimals: Change<Int> = .keep
    package var externalID: Change<String?> = .keep

    /// Makes a patch that changes nothing.
    package init() {}
}

package import Kernel

/// A customer as a client describes one.
package struct CustomerDraft: Sendable, Equatable {
    /// What they are called.
    package var name: String
    /// Their tax number.
    package var taxID: String?
    /// Their telephone number, as written.
    package var phone: String?
    /// Their e-mail address.
    package var email: String?
    /// How much they may owe; `nil` for no limit.
    package var creditLimit: Money?
    /// Whether they are offered at the till.
    package var active: Bool
    /// The id another system knows them by.
    package var externalID: String?

    /// Makes a draft.
    package init(
        name: String,
        taxID: String? = nil,
        phone: String? = nil,
        email: String? = nil,
        creditLimit: Money? = nil,
        active: Bool = true,
        externalID: String? = nil
    ) {
        self.name = name
        self.taxID = taxID
        self.phone = phone
        self.email = email
        self.creditLimit = creditLimit
        self.active = active
        self.externalID = externalID
    }
}

/// The fields of a customer a client wants changed.
package struct CustomerPatch: Sendable, Equatable {
    package var name: Change<String> = .keep
    package var taxID: Change<String?> = .keep
    package var phone: Change<String?> = .keep
    package var email: Change<String?> = .keep
    package var creditLimit: Change<Money?> = .keep
    package var active: Change<Bool> = .keep
    package var externalID: Change<String?> = .keep

    /// Makes a patch that changes nothing.
    package init() {}
}

/// What a list of customers asks for, ordered by name.
package struct CustomerFilter: Sendable, Equatable {
    /// Words, each of them part of the name, tax number, telephone number or e-mail address; neither case nor accents count.
    package var q: SearchText?
    /// Active ones or the others; `nil` shows all.
    package var active: Bool?
    /// Those who owe something, or those who do not; `nil` shows all.
    package var hasBalance: Bool?

    /// Makes a filter.
    package init(q: SearchText? = nil, active: Bool? = nil, hasBalance: Bool? = nil) {
        self.q = q
        self.active = active
        self.hasBalance = hasBalance
    }
}

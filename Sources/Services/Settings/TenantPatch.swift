package import Kernel

/// The settings of a tenant a client wants changed.
package struct TenantPatch: Sendable, Equatable {
    /// What the shop is called.
    package var name: Change<String> = .keep
    /// An IANA name; PostgreSQL decides whether there is such a zone.
    package var timezone: Change<String> = .keep
    /// A tag of a language, as `es-UY`.
    package var locale: Change<String> = .keep
    /// Where it is, as it is printed.
    package var address: Change<String?> = .keep
    /// Its number with the tax office.
    package var taxID: Change<String?> = .keep
    /// Where it is called.
    package var phone: Change<String?> = .keep
    /// What receipts end with.
    package var receiptFooter: Change<String?> = .keep
    /// The picture of its letterhead: an https URL, or a name of its own for it.
    package var logo: Change<String?> = .keep
    /// Fixed by the first document.
    package var currency: Change<Currency> = .keep
    /// Fixed by the first document.
    package var pricesIncludeTax: Change<Bool> = .keep
    /// What products do that say nothing of their own.
    package var oversell: Change<TenantOversell> = .keep
    /// How far below the list price a manager may sell; nil is without limit.
    package var managerDiscountLimit: Change<Percent?> = .keep
    /// The same for a cashier.
    package var cashierDiscountLimit: Change<Percent?> = .keep
    /// How far past a customer's credit limit a manager may approve of; nil is without limit.
    package var managerCreditLimit: Change<Percent?> = .keep
    /// How much a manager may give back in one return without its sale; nil is without limit, zero takes nothing back.
    package var managerReturnLimit: Change<Money?> = .keep
    /// The same for a cashier.
    package var cashierReturnLimit: Change<Money?> = .keep
    /// What cash is a multiple of; zero is none.
    package var cashRounding: Change<Money> = .keep
    /// Whether goods are taken back of which no sale is known.
    package var returnsWithoutSale: Change<TenantReturns> = .keep
    /// What becomes of a draft whose list prices have changed.
    package var onPriceChange: Change<TenantPriceChange> = .keep
    /// How long a draft holds its goods back from when it was written, in minutes; nil is not at all.
    package var draftReservationMinutes: Change<Int?> = .keep
    /// How long a quote does from when it was accepted, in days and at most as long as it is valid; nil is not at all.
    package var quoteReservationDays: Change<Int?> = .keep
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

/// Whether goods are taken back of which no sale is known.
package enum TenantReturns: String, Sendable, Hashable, CaseIterable {
    case deny
    case allow
}

/// What becomes of a draft whose list prices have changed, when it is confirmed.
package enum TenantPriceChange: String, Sendable, Hashable, CaseIterable {
    /// It is refused, with the prices then and now.
    case refuse
    /// It is sold at the prices that it was made with.
    case keep
}

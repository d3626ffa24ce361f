package import Cache
package import Domain
package import Kernel
package import Postgres

/// The columns of a tax that a client writes.
package struct TaxFields: Sendable, Equatable {
    /// What it is called on documents; several may be called alike, as a rate follows another.
    package var name: Change<String> = .keep
    /// Whether it is a share or an amount for each unit.
    package var kind: Change<TaxKind> = .keep
    /// Percent with at most 4 decimals, or an amount for one unit with at most 6.
    package var rate: Change<Price> = .keep
    /// Whether prices contain it; nil as the tenant's prices do.
    package var included: Change<Bool?> = .keep
    /// Whether its base contains the taxes before it in a group.
    package var compound: Change<Bool> = .keep
    /// Whether groups may still take it up.
    package var active: Change<Bool> = .keep

    /// Keeps every column.
    package init() {}
}

/// A tax.
///
/// Once a group has named it only its name and whether it is active change, as documents may have used it; the table itself holds
/// that.
package struct Tax: ListedByName {
    package static let name = "taxes.tax"
    package static let collection = "/v1/taxes"
    package static let module = Module.settings
    package static let table: SQL = "stock.tax"
    package static let noun: SQL = "tax"
    package static let body: SQL = "stock.tax_body"
    package static let columns: [Column<TaxFields>] = [
        .text("name", \.name), .choice("kind", \.kind), .decimal("rate", \.rate), .flag("included", \.included),
        .flag("compound", \.compound), .flag("active", \.active),
    ]

    package let id: ID<Tax>

    package init(_ id: ID<Tax>) { self.id = id }
}

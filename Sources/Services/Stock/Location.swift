package import Cache
package import Kernel
package import Postgres

/// The columns of a location that a client writes.
package struct LocationFields: Sendable, Equatable {
    /// What a location is.
    package enum Kind: String, Sendable, CaseIterable {
        case branch
        case warehouse
        /// What was sent and has not arrived: one in each shop, from the start, and no other.
        case transit
    }

    /// What it is called; unique without regard to case.
    package var name: Change<String> = .keep
    /// A short name, as it stands on labels; unique without regard to case.
    package var code: Change<String?> = .keep
    /// Whether it sells, stores, or is the way between.
    package var kind: Change<Kind> = .keep
    /// Where it is, as it is printed.
    package var address: Change<String?> = .keep
    /// The IANA zone that its days are counted in; the shop's, if there is none.
    package var timezone: Change<String?> = .keep
    /// Whether it is open: goods go and come.
    package var active: Change<Bool> = .keep
    /// The id another system knows it by.
    package var externalID: Change<String?> = .keep

    /// Keeps every column.
    package init() {}
}

/// A place where goods are.
///
/// That one stays open, and that of what is in transit there is one, is held by `stock.location_kept`.
package struct Location: ListedByName {
    package static let name = "stock.location"
    package static let collection = "/v1/locations"
    package static let module = Module.settings
    package static let table: SQL = "stock.location"
    package static let noun: SQL = "location"
    package static let body: SQL = "stock.location_body"
    package static let columns: [Column<LocationFields>] = [
        .text("name", \.name), .plain("code", \.code), .choice("kind", \.kind), .text("address", \.address),
        .plain("timezone", \.timezone), .flag("active", \.active), .plain("external_id", \.externalID),
    ]

    package let id: LocationID

    package init(_ id: LocationID) { self.id = id }
}

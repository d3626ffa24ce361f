import Postgres

/// What a list may be ordered by: the name of a field, with a minus sign in front where the order is reversed.
///
/// The first case is the order of a list that is asked for without one.
package protocol SortOrder: RawRepresentable<String>, CaseIterable, Sendable, Hashable {}

extension SortOrder {
    /// Whether what is last in the order of the field comes first.
    var isDescending: Bool { rawValue.hasPrefix("-") }

    /// The field.
    var field: String { isDescending ? String(rawValue.dropFirst()) : rawValue }
}

extension Parameters {
    /// Binds an order as `text, bool`: by which field, and whether it is reversed.
    mutating func append(_ sort: some SortOrder) throws(PostgresError) {
        try append(sort.field)
        try append(sort.isDescending)
    }
}

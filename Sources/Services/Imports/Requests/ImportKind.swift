package import Domain

/// What the rows of a file that is imported are: everything that the command takes over, by the same names.
package enum ImportKind: RawRepresentable, CaseIterable, Sendable, Hashable {
    /// Records of a kind, each by itself.
    case records(RecordsImport.Kind)
    /// Sales and returns, as documents.
    case sales

    package static let allCases: [ImportKind] = RecordsImport.Kind.allCases.map { .records($0) } + [.sales]

    package init?(rawValue: String) {
        guard let kind = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = kind
    }

    package var rawValue: String {
        switch self {
        case .records(let kind): kind.rawValue
        case .sales: "sales"
        }
    }

    /// What such a file holds.
    package var shape: ImportShape {
        switch self {
        case .records(let kind): kind.shape
        case .sales: .sales
        }
    }

    /// Rows that a file may have, where something is kept of each of them while it is imported; nil where nothing is.
    ///
    /// Of categories all is, as one may lie in another that comes later; of a row of sales its document, and of purchases those of which
    /// a row was refused.
    var mostRows: Int? {
        switch self {
        case .records(.categories): 100_000
        case .records(.purchases): 2_000_000
        case .records: nil
        case .sales: 2_000_000
        }
    }
}

/// What a row does that names something that is there.
package enum ImportMode: String, CaseIterable, Sendable {
    /// It is rejected.
    case insert
    /// It changes it.
    case upsert
}

/// What an import does about sales of what is not on hand, where the product's rule forbids them.
package enum Overselling: String, CaseIterable, Sendable {
    /// They are recorded: history has happened.
    case allow
    /// They are rejected.
    case deny
}

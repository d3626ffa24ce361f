/// A column of an export, called as the field that an import reads from it.
package struct ExportColumn: Sendable, Equatable {
    /// What its values are, and so how they are written.
    package enum Kind: Sendable {
        /// A text of people, which may begin like a formula.
        case text
        /// What never does: an amount, a quantity, a time, a code of ours.
        case plain
        /// A whole number.
        case whole
        /// `true` or `false`.
        case flag
        /// Codes: a JSON array of texts, or several in a cell.
        case codes
    }

    package let name: String
    package let kind: Kind

    static func text(_ name: String) -> ExportColumn { ExportColumn(name: name, kind: .text) }
    static func plain(_ name: String) -> ExportColumn { ExportColumn(name: name, kind: .plain) }
    static func whole(_ name: String) -> ExportColumn { ExportColumn(name: name, kind: .whole) }
    static func flag(_ name: String) -> ExportColumn { ExportColumn(name: name, kind: .flag) }
    static func codes(_ name: String) -> ExportColumn { ExportColumn(name: name, kind: .codes) }
}

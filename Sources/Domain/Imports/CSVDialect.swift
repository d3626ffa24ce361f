/// How the bytes of a CSV file are split into records and fields (RFC 4180).
package struct CSVDialect: Sendable, Equatable {
    /// The byte between two fields.
    package enum Delimiter: UInt8, Sendable, CaseIterable {
        case comma = 0x2C
        case semicolon = 0x3B
        case tab = 0x09

        /// As messages and mappings name it.
        package var name: String {
            switch self {
            case .comma: "','"
            case .semicolon: "';'"
            case .tab: "tab"
            }
        }
    }

    package var delimiter: Delimiter

    package init(delimiter: Delimiter = .comma) {
        self.delimiter = delimiter
    }
}

/// The sizes beyond which a file's record is not kept in memory.
///
/// They bound what a hostile or damaged file can cost. A field may be of any length as long as nobody asks for it: of a
/// longer one the beginning is kept, and whoever reads it is told.
package struct CSVLimits: Sendable, Equatable {
    /// Bytes kept of one record; also how far a quoted field with line breaks in it is followed before its quote is taken for
    /// one that nobody closes.
    package var recordBytes: Int
    /// Bytes kept of one field, after the removal of quotes.
    package var fieldBytes: Int
    package var columns: Int

    package init(recordBytes: Int = 4 * 1024 * 1024, fieldBytes: Int = 64 * 1024, columns: Int = 4_096) {
        self.recordBytes = recordBytes
        self.fieldBytes = fieldBytes
        self.columns = columns
    }

    /// For writing records out again: fields are kept whole.
    package static let whole = CSVLimits(recordBytes: 64 * 1024 * 1024, fieldBytes: 64 * 1024 * 1024)

    /// The same where others need the memory as well: a record is kept as far as it is read.
    package static let asRead = CSVLimits(fieldBytes: CSVLimits().recordBytes)
}

/// How the bytes of a CSV file are split into records and fields (RFC 4180).
package struct CSVDialect: Sendable, Equatable {
    /// The byte between two fields.
    package enum Delimiter: UInt8, Sendable, CaseIterable {
        case comma = 0x2C
        case semicolon = 0x3B
        case tab = 0x09
    }

    package var delimiter: Delimiter

    package init(delimiter: Delimiter = .comma) {
        self.delimiter = delimiter
    }
}

/// The sizes beyond which a record is refused instead of kept in memory.
///
/// They bound what a hostile or damaged file can cost: a line without end is skipped, not collected.
package struct CSVLimits: Sendable, Equatable {
    /// Bytes of one record, its line breaks inside quotes included.
    package var recordBytes: Int
    /// Bytes of one field, after the removal of quotes.
    package var fieldBytes: Int
    package var columns: Int

    package init(recordBytes: Int = 64 * 1024, fieldBytes: Int = 8 * 1024, columns: Int = 64) {
        self.recordBytes = recordBytes
        self.fieldBytes = fieldBytes
        self.columns = columns
    }
}

/// One record of a file: its fields as bytes, without the quotes of CSV.
package struct FileRecord: Sendable {
    /// Why a record could not be read.
    ///
    /// Its fields are incomplete then.
    package enum Fault: Sendable, Equatable {
        case recordTooLong
        case tooManyColumns
        case textAfterQuote(column: Int)
        case unterminatedQuote(column: Int)
        /// Of a file with an object to a line: why it is none, for people.
        case noJSON(String)
    }

    /// The number of the line the record begins at; the first line of a file is 1.
    package internal(set) var line = 1
    /// The number of the line it ends at: a later one if a quoted field holds line breaks, or a quote is not closed.
    package internal(set) var lastLine = 1
    package internal(set) var fault: Fault?
    /// The byte between its fields.
    package internal(set) var delimiter: UInt8 = CSVDialect.Delimiter.comma.rawValue

    var bytes: [UInt8] = []
    /// Where each field ends in `bytes`.
    var ends: [Int] = []
    /// The columns of which only the beginning was kept.
    var cutColumns: [Int] = []
    /// The line as it stands in the file: of CSV that of its first record, of JSON each.
    var source: [UInt8] = []

    /// The number of fields.
    package var count: Int { ends.count }

    /// The bytes of a field.
    ///
    /// - Parameter column: 0 ..< `count`.
    package subscript(column: Int) -> ArraySlice<UInt8> {
        bytes[(column == 0 ? 0 : ends[column - 1])..<ends[column]]
    }

    /// The lines it stands on, for reasons; empty if it is one.
    var span: String { lastLine > line ? " (lines \(line) to \(lastLine))" : "" }

    mutating func clear(line: Int) {
        self.line = line
        lastLine = line
        fault = nil
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        cutColumns.removeAll(keepingCapacity: true)
        source = []
    }
}

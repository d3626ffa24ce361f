/// One record of a CSV file: its fields as bytes, without the quotes.
package struct CSVRecord: Sendable {
    /// Why a record could not be read as CSV.
    ///
    /// Its fields are incomplete then.
    package enum Fault: Sendable, Equatable {
        case recordTooLong
        case fieldTooLong(column: Int)
        case tooManyColumns
        case textAfterQuote(column: Int)
        case unterminatedQuote
    }

    /// The number of the line the record begins at; the first line of a file is 1.
    package internal(set) var line = 1
    package internal(set) var fault: Fault?

    var bytes: [UInt8] = []
    /// Where each field ends in `bytes`.
    var ends: [Int] = []

    /// The number of fields.
    package var count: Int { ends.count }

    /// The bytes of a field.
    ///
    /// - Parameter column: 0 ..< `count`.
    package subscript(column: Int) -> ArraySlice<UInt8> {
        bytes[(column == 0 ? 0 : ends[column - 1])..<ends[column]]
    }

    /// Whether the record holds nothing, as the empty lines files often end with.
    var isBlank: Bool { ends.count == 1 && bytes.isEmpty && fault == nil }

    mutating func clear(line: Int) {
        self.line = line
        fault = nil
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }
}

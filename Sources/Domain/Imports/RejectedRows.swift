/// Writes `FILE.rejected.csv`: the rows of a file that were not taken over, as they stand in it, with their line, code and
/// reason behind their own columns.
///
/// It has the file's own header, delimiter and encoding, so that it is imported with the same mapping once it is corrected:
/// the three columns are skipped then.
package struct RejectedRows: Sendable {
    private let encoding: TextEncoding
    private var ownWidth: Int?
    /// Whether the file itself is one of rejected rows.
    private var isOfRejected = false
    private var writer = CSVWriter()

    /// For a file in this encoding.
    package init(encoding: TextEncoding) {
        self.encoding = encoding
    }

    /// Writes the header.
    ///
    /// - Parameter record: the file's.
    package mutating func header(_ record: borrowing CSVRecord) {
        var width = record.count
        // A file of rejected rows that is rejected again has these columns already.
        if width > 3, (0..<3).allSatisfy({ isReason(record[width - 3 + $0], $0) }) {
            width -= 3
            isOfRejected = true
        }
        ownWidth = width
        writer = CSVWriter(delimiter: record.delimiter)
        row(record, ImportHeader.reasonColumns)
    }

    /// Writes a row.
    ///
    /// - Parameters:
    ///   - record: the row.
    ///   - rejection: why it was not taken over.
    package mutating func row(_ record: borrowing CSVRecord, _ rejection: RowRejection) {
        row(record, [String(rejection.line), rejection.code.rawValue, rejection.reason])
    }

    /// Takes what was written so far, in UTF-8 or the file's own 8-bit encoding.
    package mutating func drain() -> [UInt8] {
        writer.drain()
    }

    private func isReason(_ field: ArraySlice<UInt8>, _ place: Int) -> Bool {
        encoding.decode(field).map { $0 == Array(ImportHeader.reasonColumns[place].utf8) } ?? false
    }

    private mutating func row(_ record: borrowing CSVRecord, _ more: [String]) {
        let width = ownWidth ?? record.count
        // A row with too many fields keeps them: what is too much only its author knows.
        let count = isOfRejected && record.count == width + 3 ? width : record.count
        for column in 0..<max(width, count) { writer.field(column < count ? record[column] : []) }
        for text in more { writer.field(encoding.encode(text)) }
        writer.endRecord()
    }
}

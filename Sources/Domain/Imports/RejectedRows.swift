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
    private(set) var bytes: [UInt8] = []

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
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    private func isReason(_ field: ArraySlice<UInt8>, _ place: Int) -> Bool {
        encoding.decode(field).map { $0 == Array(ImportHeader.reasonColumns[place].utf8) } ?? false
    }

    private mutating func row(_ record: borrowing CSVRecord, _ more: [String]) {
        let width = ownWidth ?? record.count
        // A row with too many fields keeps them: what is too much only its author knows.
        let count = isOfRejected && record.count == width + 3 ? width : record.count
        for column in 0..<max(width, count) {
            if column > 0 { bytes.append(record.delimiter) }
            if column < count { field(record[column], record.delimiter) }
        }
        for text in more {
            bytes.append(record.delimiter)
            field(encoding.encode(text)[...], record.delimiter)
        }
        bytes.append(contentsOf: [0x0D, 0x0A])
    }

    private mutating func field(_ field: ArraySlice<UInt8>, _ delimiter: UInt8) {
        guard field.contains(where: { $0 == delimiter || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else {
            bytes.append(contentsOf: field)
            return
        }
        bytes.append(0x22)
        for byte in field {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }
}

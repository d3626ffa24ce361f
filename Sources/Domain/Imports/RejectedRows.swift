import Kernel

/// Writes `FILE.rejected.csv`: the rows of a file that were not taken over, as they stand in it, with their line, code and
/// reason behind their own columns.
///
/// It has the file's own header, delimiter and encoding, so that it is imported with the same mapping once it is corrected:
/// the three columns are skipped then. Of a file with an object to a line each object has them as its last members; a line that is none
/// stands in one as `text`.
package struct RejectedRows: Sendable {
    private let format: FileFormat
    private let encoding: TextEncoding
    private var ownWidth: Int?
    /// Whether the file itself is one of rejected rows.
    private var isOfRejected = false
    private var writer = CSVWriter()
    private var lines: [UInt8] = []

    /// For a file that is written so.
    package init(_ mapping: ImportMapping) {
        format = mapping.format
        encoding = mapping.encoding
    }

    /// Writes the header.
    ///
    /// - Parameter record: the file's.
    package mutating func header(_ record: borrowing FileRecord) {
        guard format == .csv else { return }
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
    package mutating func row(_ record: borrowing FileRecord, _ rejection: RowRejection) {
        guard format == .csv else { return object(record, rejection) }
        row(record, [String(rejection.line), rejection.code.rawValue, rejection.reason])
    }

    /// Takes what was written so far, in UTF-8 or the file's own 8-bit encoding.
    package mutating func drain() -> [UInt8] {
        guard format == .ndjson else { return writer.drain() }
        defer { lines.removeAll(keepingCapacity: true) }
        return lines
    }

    private mutating func object(_ record: borrowing FileRecord, _ rejection: RowRejection) {
        var writer = JSONWriter()
        writer.object { writer in
            if case .object(let object)? = try? JSONValue.parse(record.source) {
                for member in object.withoutReason.members {
                    writer.name(member.name)
                    writer.value(member.value)
                }
            } else {
                writer.member("text", String(decoding: record.source, as: UTF8.self))
            }
            writer.member("line", rejection.line)
            writer.member("code", rejection.code.rawValue)
            writer.member("reason", rejection.reason)
        }
        lines += writer.bytes
        lines.append(UInt8(ascii: "\n"))
    }

    private func isReason(_ field: ArraySlice<UInt8>, _ place: Int) -> Bool {
        encoding.decode(field).map { $0 == Array(ImportHeader.reasonColumns[place].utf8) } ?? false
    }

    private mutating func row(_ record: borrowing FileRecord, _ more: [String]) {
        let width = ownWidth ?? record.count
        // A row with too many fields keeps them: what is too much only its author knows.
        let count = isOfRejected && record.count == width + 3 ? width : record.count
        for column in 0..<max(width, count) { writer.field(column < count ? record[column] : []) }
        for text in more { writer.field(encoding.encode(text)) }
        writer.endRecord()
    }
}

import Kernel

/// Writes `FILE.KIND.rejected.csv`: the rows of a file that were not taken over, as they stand in it, with their line, code and
/// reason behind their own columns.
///
/// It has the file's own header, delimiter and encoding, so that it is imported with the same mapping once it is corrected:
/// the three columns are skipped then. What a file says of its delimiter by a first line `sep=;` is said here, too. Of a file with an
/// object to a line each object has them as its last members; a line that is none stands in one as `text`.
package struct RejectedRows: Sendable {
    private let format: FileFormat
    private let encoding: TextEncoding
    private let mapping: ImportMapping
    private var ownWidth: Int?
    /// Whether the file itself is one of rejected rows.
    private var isOfRejected = false
    /// What reads a file in which a row may have the time of an earlier one of its document; nil for every other file.
    private var sales: SaleRowReader?
    /// The fields, by their columns, that tell the times of documents of which a row was taken over.
    private var times: [[UInt8]: [Int: [UInt8]]] = [:]
    private var writer = CSVWriter()
    /// What is written as it is: objects, or what stands before the header.
    private var lines: [UInt8] = []

    /// For a file that is written so.
    package init(_ mapping: ImportMapping) {
        format = mapping.format
        encoding = mapping.encoding
        self.mapping = mapping
    }

    /// Whether a file is one of rejected rows, of whatever import: its header, or its first object, ends as theirs do.
    ///
    /// - Parameter head: its first bytes.
    /// - Returns: Whether it is.
    package static func areIn(fileBeginning head: [UInt8]) -> Bool {
        var text = head
        // They are written with a byte order mark whichever UTF-16 it is.
        if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) {
            var transcoder = UTF16Transcoder(encoding: .utf16)
            guard let decoded = try? transcoder.decode(head) else { return false }
            text = decoded
        }
        if text.first == UInt8(ascii: "{") {
            let line = Array(text.prefix { $0 != UInt8(ascii: "\n") })
            guard case .object(let object)? = try? JSONValue.parse(line) else { return false }
            return object.members.suffix(ImportHeader.reasonColumns.count).map(\.name) == ImportHeader.reasonColumns
        }
        // A spreadsheet may have saved them with another delimiter.
        return CSVDialect.Delimiter.allCases.contains { hasReasons(text, CSVDialect(delimiter: $0)) }
    }

    /// The header of a file, which is all that is asked for.
    private struct Header: Error {
        let hasReasons: Bool
    }

    private static func hasReasons(_ text: [UInt8], _ dialect: CSVDialect) -> Bool {
        var parser = CSVParser(dialect: dialect, limits: .whole)
        func take(_ record: borrowing FileRecord) throws(Header) {
            throw Header(hasReasons: endsInReasons(record))
        }
        do throws(Header) {
            try parser.consume(text, take)
            try parser.finish(take)
        } catch {
            return error.hasReasons
        }
        return false
    }

    /// Whether the last fields of a header are those that rejected rows have behind their own; their names are ASCII in every encoding.
    private static func endsInReasons(_ header: borrowing FileRecord) -> Bool {
        let width = header.count - ImportHeader.reasonColumns.count
        guard width > 0 else { return false }
        for (place, name) in ImportHeader.reasonColumns.enumerated() {
            guard header[width + place].trimmingSpaces().elementsEqual(name.utf8) else { return false }
        }
        return true
    }

    /// Writes the header.
    ///
    /// - Parameter record: the file's.
    package mutating func header(_ record: borrowing FileRecord) {
        guard format == .csv else { return }
        var width = record.count
        // A file of rejected rows that is rejected again has these columns already.
        if Self.endsInReasons(record) {
            width -= ImportHeader.reasonColumns.count
            isOfRejected = true
        }
        ownWidth = width
        writer = CSVWriter(delimiter: record.delimiter)
        // The same mapping is to read them.
        if record.delimiter != mapping.dialect.delimiter.rawValue {
            lines += Array("sep=".utf8) + [record.delimiter, 0x0D, 0x0A]
        }
        row(record, ImportHeader.reasonColumns)
        // Files of other kinds have no such header.
        if mapping.inheritsTime { sales = try? SaleRowReader(mapping: mapping, header: record) }
    }

    /// Notes a row that was taken over: one of its document that was not may have its time from it.
    ///
    /// - Parameter record: the row.
    package mutating func pass(_ record: borrowing FileRecord) {
        guard let sales, let name = sales.document(of: record), times[name] == nil else { return }
        let time = sales.timeFields(of: record)
        if !Self.areBlank(time) { times[name] = time }
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
        guard !lines.isEmpty else { return writer.drain() }
        defer { lines.removeAll(keepingCapacity: true) }
        return lines + writer.drain()
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

    private static func areBlank(_ fields: [Int: [UInt8]]) -> Bool {
        fields.values.allSatisfy { $0[...].trimmingSpaces().isEmpty }
    }

    /// The time that a row without one had from one that was taken over, and that its file alone would not tell; else empty.
    private func inheritedTime(of record: borrowing FileRecord) -> [Int: [UInt8]] {
        guard let sales, !times.isEmpty else { return [:] }
        let own = sales.timeFields(of: record)
        guard !own.isEmpty, Self.areBlank(own), let name = sales.document(of: record) else { return [:] }
        return times[name] ?? [:]
    }

    private mutating func row(_ record: borrowing FileRecord, _ more: [String]) {
        let width = ownWidth ?? record.count
        // A row with too many fields keeps them: what is too much only its author knows.
        let count = isOfRejected && record.count == width + 3 ? width : record.count
        let time = inheritedTime(of: record)
        for column in 0..<max(width, count) {
            if let field = time[column] {
                writer.field(field)
            } else {
                writer.field(column < count ? record[column] : [])
            }
        }
        for text in more { writer.field(encoding.encode(text)) }
        writer.endRecord()
    }
}

import Kernel

/// The header of a file: which column is which field's, and which nothing was asked of.
package struct ImportHeader: Sendable {
    /// The names of the columns that `FILE.KIND.rejected.csv` has behind the file's own.
    package static let reasonColumns = ["line", "code", "reason"]

    /// How many names are kept of columns and members that nothing is read from: they are told with each import.
    static let namesKept = 1_000

    /// Fields of a record, header and rows alike.
    package let width: Int
    /// How many of them are the file's own: a file of rejected rows ends in ``reasonColumns``, which are skipped.
    package let ownWidth: Int

    private let mapping: ImportMapping
    private let names: [String]
    /// The columns of each name, and of each name without case.
    private var exact: [String: [Int]] = [:]
    private var folded: [String: [Int]] = [:]
    private var used: Set<Int> = []
    private let hint: String

    /// The header of a file.
    ///
    /// - Parameters:
    ///   - record: the file's first record.
    ///   - mapping: what the columns are called.
    ///   - limits: those of the parser, for reasons.
    /// - Throws: `ImportMapping.Fault` if it cannot be read.
    package init(
        _ record: borrowing FileRecord,
        mapping: ImportMapping,
        limits: CSVLimits = CSVLimits()
    ) throws(ImportMapping.Fault) {
        if let kind = Self.foreignKind(record.source) {
            throw ImportMapping.Fault("this is \(kind); save it as CSV")
        }
        self.mapping = mapping
        width = record.count
        hint = Self.hint(record)
        if let fault = record.fault {
            let reason = RowRejection(record, fault: fault, limits: limits).reason
            throw ImportMapping.Fault("the header: \(reason)\(hint)")
        }
        var names: [String] = []
        for index in 0..<record.count {
            guard let bytes = mapping.encoding.decode(record[index]) else {
                let mark = Array(record[index].prefix(2))
                let isUTF16 = index == 0 && (mark == [0xFF, 0xFE] || mark == [0xFE, 0xFF])
                throw ImportMapping.Fault(
                    isUTF16
                        ? "the file begins as UTF-16 does; \"encoding\": \"utf-16\" in the mapping reads it"
                        : "field \(index + 1) of the header is no \(mapping.encoding.rawValue) text"
                )
            }
            names.append(Text.trimmed(String(decoding: bytes, as: UTF8.self)))
        }
        self.names = names
        let isOfRejected = names.count > 3 && Array(names.suffix(3)) == Self.reasonColumns
        ownWidth = isOfRejected ? names.count - 3 : names.count
        for (index, name) in names.prefix(ownWidth).enumerated() {
            exact[name, default: []].append(index)
            folded[Text.folded(name), default: []].append(index)
        }
    }

    /// Where a field stands; a field the mapping does not name is looked for under its own name.
    ///
    /// Column names are compared without white space around them: exactly first, without case second.
    ///
    /// - Returns: the index of the column, or nil if the field is optional and not there, or not to be read.
    /// - Throws: `ImportMapping.Fault` if the column is missing, or there twice.
    package mutating func column(of field: String, isRequired: Bool) throws(ImportMapping.Fault) -> Int? {
        if mapping.unreadFields.contains(field) {
            guard isRequired else { return nil }
            throw ImportMapping.Fault("columns: \(field) must be read")
        }
        let name = mapping.columns[field] ?? field
        let matches = exact[name] ?? folded[Text.folded(name)] ?? []
        if let match = matches.first, matches.count == 1 {
            used.insert(match)
            return match
        }
        if matches.isEmpty {
            if !isRequired, mapping.columns[field] == nil { return nil }
            throw missing("no column '\(name)' for \(field)")
        }
        throw ImportMapping.Fault("the header has the column '\(name)' for \(field) \(matches.count) times")
    }

    /// Says that the header lacks something, how it was read, and how it might have been.
    package func missing(_ what: String) -> ImportMapping.Fault {
        let shown = names.prefix(20).map { "'\($0)'" }.joined(separator: ", ")
        let rest = names.count > 20 ? " and \(names.count - 20) more" : ""
        return ImportMapping.Fault("the header has \(what); it was read as \(shown)\(rest)\(hint)")
    }

    /// The names of the columns that no field was read from: the beginnings of long ones, and not of more than ``namesKept``.
    package var unusedColumns: [String] {
        names.prefix(ownWidth).enumerated().filter { !used.contains($0.offset) && !$0.element.isEmpty }
            .prefix(Self.namesKept).map { Text.excerpt($0.element) }
    }

    /// What a file is that is no text, by its first bytes; nil for what may be CSV.
    private static func foreignKind(_ bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return "a zip or spreadsheet file (.zip, .xlsx, .ods)" }
        // The container of Excel's format before 2007.
        if bytes.starts(with: [0xD0, 0xCF, 0x11, 0xE0]) { return "a spreadsheet file (.xls)" }
        return nil
    }

    /// Another delimiter that would make more columns of the file's first line, or that it holds objects; empty if there is none.
    private static func hint(_ record: borrowing FileRecord) -> String {
        if record.source.first == UInt8(ascii: "{") {
            return "; a JSON object to a line is read by --format ndjson"
        }
        let columns = record.count
        let fitting = CSVDialect.Delimiter.allCases.map { delimiter in
            (delimiter: delimiter, columns: record.source.count { $0 == delimiter.rawValue } + 1)
        }.filter { $0.delimiter.rawValue != record.delimiter && $0.columns > max(1, columns) }
        guard let best = fitting.max(by: { $0.columns < $1.columns }) else { return "" }
        return "; with \(best.delimiter.name) as delimiter it would have \(best.columns) columns"
    }
}

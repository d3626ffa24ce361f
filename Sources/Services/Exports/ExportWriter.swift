import Domain
import Kernel

/// Writes the rows of an export.
struct ExportWriter {
    /// What the place of a row is called.
    private static let cursor = "cursor"

    private let columns: [ExportColumn]
    private let format: FileFormat
    private let showsCursor: Bool
    private var csv = CSVWriter()
    private var lines: [UInt8] = []

    /// Begins an export; one that goes on has no header.
    init(_ request: ExportRequest, _ columns: [ExportColumn]) {
        self.columns = columns
        format = request.format
        showsCursor = request.showsCursor
        guard format == .csv, request.after == nil else { return }
        if request.hasByteOrderMark { csv.byteOrderMark() }
        for name in columns.map(\.name) + (showsCursor ? [Self.cursor] : []) { csv.field(name.utf8) }
        csv.endRecord()
    }

    /// Writes a row.
    mutating func write(_ row: ExportRow) {
        switch format {
        case .csv: writeCSV(row)
        case .ndjson: writeObject(row)
        }
    }

    /// Takes what was written so far.
    mutating func drain() -> [UInt8] {
        guard format == .ndjson else { return csv.drain() }
        defer { lines.removeAll(keepingCapacity: true) }
        return lines
    }

    private mutating func writeCSV(_ row: ExportRow) {
        for (index, column) in columns.enumerated() {
            let cell = row[index] ?? []
            switch column.kind {
            case .plain, .whole, .flag:
                csv.field(cell)
            case .text where FormulaGuard.isNeeded(cell):
                csv.field(FormulaGuard.guarded(cell))
            case .text:
                csv.field(cell)
            case .codes:
                csv.field(BarcodeCell.text(of: Self.codes(cell)).utf8)
            }
        }
        if showsCursor { csv.field(row.place) }
        csv.endRecord()
    }

    private mutating func writeObject(_ row: ExportRow) {
        var writer = JSONWriter()
        writer.object { writer in
            for (index, column) in columns.enumerated() {
                writer.name(column.name)
                let cell = row[index]
                switch column.kind {
                case .codes: writer.raw(cell ?? ArraySlice("[]".utf8))
                case .flag, .whole: writer.raw(cell ?? ArraySlice("null".utf8))
                case .text, .plain:
                    if let cell { writer.string(String(decoding: cell, as: UTF8.self)) } else { writer.null() }
                }
            }
            if showsCursor { writer.member(Self.cursor, String(decoding: row.place, as: UTF8.self)) }
        }
        lines += writer.bytes
        lines.append(0x0A)
    }

    private static func codes(_ json: ArraySlice<UInt8>) -> [String] {
        guard case .array(let members)? = try? JSONValue.parse(Array(json)) else { return [] }
        return members.compactMap { if case .string(let text) = $0 { text } else { nil } }
    }
}

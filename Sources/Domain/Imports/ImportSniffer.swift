import Kernel

/// Proposes a mapping for a file from its beginning, and says what of it is a guess.
///
/// An import itself never guesses: what is found here is for somebody to look at, and to keep as a mapping.
package struct ImportSniffer: Sendable {
    /// What was found.
    package struct Proposal: Sendable {
        package var mapping = ImportMapping()
        /// The mapping as a file holds it.
        package var json: [UInt8] = []
        /// What somebody has to look at: guesses that may be wrong, and fields for which nothing was found.
        package var remarks: [String] = []
    }

    /// How many bytes of a file are looked at.
    package static let sampleBytes = 1 << 18

    private let shape: ImportShape

    /// A sniffer for files of a kind.
    package init(_ shape: ImportShape) { self.shape = shape }

    /// Looks at the beginning of a file.
    ///
    /// - Parameters:
    ///   - sample: its first bytes, decompressed.
    ///   - isWhole: whether they are all there are.
    /// - Returns: the proposal.
    /// - Throws: `ImportMapping.Fault` if there is nothing to be read in it.
    package func propose(_ sample: [UInt8], isWhole: Bool) throws(ImportMapping.Fault) -> Proposal {
        var proposal = Proposal()
        proposal.mapping.encoding = Self.encoding(sample, isWhole: isWhole)
        if proposal.mapping.encoding == .windows1252 {
            proposal.remarks.append("the text is no UTF-8 and was taken for cp1252: look at letters with accents")
        }
        var transcoder = UTF16Transcoder(encoding: proposal.mapping.encoding)
        var text = try transcoder.decode(sample) + transcoder.finish()
        if !isWhole, let end = text.lastIndex(of: UInt8(ascii: "\n")) ?? text.lastIndex(of: UInt8(ascii: "\r")) {
            text.removeSubrange(end...)
        }
        let first = text.drop { $0 == 0x20 || (0x09...0x0D).contains($0) || [0xEF, 0xBB, 0xBF].contains($0) }.first
        guard first != nil else { throw .emptyFile(proposal.mapping) }
        if first == UInt8(ascii: "{") {
            proposal.mapping.format = .ndjson
        } else {
            proposal.mapping.dialect.delimiter = Self.delimiter(text)
        }
        let table = Table(text, proposal.mapping)
        let columns = columns(table, &proposal)
        Self.readNumbers(columns, table, &proposal)
        let pattern = Self.readTimes(columns, table, &proposal)
        proposal.json = Self.json(proposal.mapping, pattern: pattern)
        return proposal
    }

    // MARK: Bytes

    private static func encoding(_ sample: [UInt8], isWhole: Bool) -> TextEncoding {
        if sample.starts(with: [0xFF, 0xFE]) || sample.starts(with: [0xFE, 0xFF]) { return .utf16 }
        let head = sample.prefix(400)
        // Of what is mostly Latin each second byte is zero.
        let evenZeros = stride(from: 0, to: head.count, by: 2).count { head[$0] == 0 }
        let oddZeros = stride(from: 1, to: head.count, by: 2).count { head[$0] == 0 }
        if oddZeros > head.count / 4, evenZeros == 0 { return .utf16LittleEndian }
        if evenZeros > head.count / 4, oddZeros == 0 { return .utf16BigEndian }
        // A letter may be cut where the sample ends.
        for cut in 0...(isWhole ? 0 : min(3, sample.count)) where isUTF8(sample.dropLast(cut)) { return .utf8 }
        return .windows1252
    }

    private static func isUTF8(_ bytes: ArraySlice<UInt8>) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    /// The delimiter by which most rows have as many fields as the header, and the header most.
    private static func delimiter(_ text: [UInt8]) -> CSVDialect.Delimiter {
        var best = (delimiter: CSVDialect.Delimiter.comma, score: 0.0)
        for delimiter in CSVDialect.Delimiter.allCases {
            var mapping = ImportMapping()
            mapping.dialect.delimiter = delimiter
            let table = Table(text, mapping)
            guard table.names.count > 1 else { continue }
            let fitting = table.rows.count { $0.count == table.names.count }
            let share = table.rows.isEmpty ? 1 : Double(fitting) / Double(table.rows.count)
            if Double(table.names.count) * share > best.score {
                best = (delimiter, Double(table.names.count) * share)
            }
        }
        return best.delimiter
    }

    /// The beginning of a file as names and values.
    private struct Table {
        var names: [String] = []
        var rows: [[String]] = []

        init(_ text: [UInt8], _ mapping: ImportMapping) {
            guard mapping.format == .csv else {
                readObjects(text)
                return
            }
            var parser = CSVParser(dialect: mapping.dialect)
            var records: [[String]] = []
            func take(_ record: borrowing FileRecord) {
                guard records.count <= 1_000, record.fault == nil else { return }
                var row: [String] = []
                for column in 0..<record.count {
                    let bytes = mapping.encoding.decode(record[column]) ?? []
                    row.append(Text.trimmed(String(decoding: bytes, as: UTF8.self)))
                }
                records.append(row)
            }
            parser.consume(text, take)
            parser.finish(take)
            names = records.first ?? []
            rows = Array(records.dropFirst())
        }

        private mutating func readObjects(_ text: [UInt8]) {
            for line in text.split(separator: UInt8(ascii: "\n")).prefix(1_000) {
                guard line.count <= NDJSONParser.lineBytes,
                    case .object(let object)? = try? JSONValue.parse(Array(line))
                else { continue }
                for member in object.members where !names.contains(member.name) && names.count < 1_000 {
                    names.append(member.name)
                }
                rows.append(
                    names.map { name in
                        switch object[name] {
                        case .string(let text): text
                        case .number(let literal): literal
                        default: ""
                        }
                    }
                )
            }
        }

        /// What stands in a column, where anything does.
        func values(_ column: Int) -> [String] {
            rows.compactMap { $0.indices.contains(column) && !$0[column].isEmpty ? $0[column] : nil }
        }
    }

    // MARK: Columns

    /// The column of each field: the one that is called so, else the one that is called as others call it.
    private func columns(_ table: Table, _ proposal: inout Proposal) -> [String: Int] {
        let names = table.names.map(Self.plain)
        var found: [String: Int] = [:]
        var taken: Set<Int> = []
        func take(_ field: String, _ column: Int?) {
            guard let column, found[field] == nil, taken.insert(column).inserted else { return }
            found[field] = column
            if table.names[column] != field { proposal.mapping.columns[field] = table.names[column] }
        }
        for field in shape.fields { take(field, names.firstIndex(of: Self.plain(field))) }
        for field in shape.fields {
            for name in Self.otherNames[field] ?? [] {
                take(field, names.indices.first { names[$0] == name && !taken.contains($0) })
            }
        }
        for field in shape.required where found[field] == nil {
            proposal.remarks.append("nothing was found for \(field): name its column under \"columns\"")
        }
        let unread = table.names.indices.filter { !taken.contains($0) }.map { table.names[$0] }.filter { !$0.isEmpty }
        if !unread.isEmpty {
            proposal.remarks.append("not read: \(unread.prefix(20).joined(separator: ", "))")
        }
        return found
    }

    /// A name without case and without what stands between its words.
    private static func plain(_ name: String) -> String {
        Text.folded(name).filter { $0.isLetter || $0.isNumber }
    }

    // MARK: Numbers and times

    private static let numberFields: Set<String> = [
        "quantity", "unit_price", "price", "tax_rate", "min_stock", "on_hand", "cost", "credit_limit", "decimals",
        "amount", "paid", "discount", "unit_cost",
    ]

    private static func readNumbers(_ columns: [String: Int], _ table: Table, _ proposal: inout Proposal) {
        guard proposal.mapping.format == .csv else { return }
        let values = columns.filter { numberFields.contains($0.key) }.values.flatMap { table.values($0) }
        let signs = values.compactMap { value in
            value.unicodeScalars.first { $0.properties.generalCategory == .currencySymbol }
        }
        if let sign = signs.first { proposal.mapping.numbers.currency = String(sign) }
        func read(_ decimal: NumberFormat.DecimalSeparator) -> Int {
            let format = NumberFormat(decimal: decimal, currency: proposal.mapping.numbers.currency)
            return values.count { (try? format.parse(Array($0.utf8)[...])) != nil }
        }
        let (point, comma) = (read(.point), read(.comma))
        if comma > point { proposal.mapping.numbers.decimal = .comma }
        if comma == point, let example = values.first(where: { $0.contains(".") || $0.contains(",") }) {
            proposal.remarks.append(
                "numbers like \(example) may have a decimal point or a decimal comma; a point was taken"
            )
        }
        let bad = values.count - max(point, comma)
        if bad > 0 { proposal.remarks.append("\(bad) of \(values.count) numbers can not be read") }
    }

    /// The patterns that are tried, days before months where both may be meant.
    private static let patterns: [String] = {
        var patterns = ["iso"]
        for day in [
            "dd/MM/yyyy", "MM/dd/yyyy", "dd.MM.yyyy", "dd-MM-yyyy", "MM-dd-yyyy", "yyyy/MM/dd", "yyyy.MM.dd",
            "d/M/yyyy",
            "M/d/yyyy", "d.M.yyyy", "d/M/yy", "M/d/yy", "dd.MM.yy", "d MMM yyyy", "MMM d, yyyy", "dd-MMM-yyyy",
            "yyyyMMdd",
        ] {
            let clocks = [
                "", " HH:mm", " HH:mm:ss", " H:mm", " H:mm:ss", " h:mm a", " hh:mm a", " h:mm:ss a", ", HH:mm",
            ]
            patterns += clocks.map { day + $0 }
        }
        return patterns
    }()

    /// The pattern of the times; nil for ISO 8601.
    private static func readTimes(
        _ columns: [String: Int],
        _ table: Table,
        _ proposal: inout Proposal
    ) -> String? {
        guard let column = columns["occurred_at"] else { return nil }
        let clock = columns["time_of_day"]
        let values = table.rows.compactMap { row -> String? in
            guard row.indices.contains(column), !row[column].isEmpty else { return nil }
            guard let clock, row.indices.contains(clock), !row[clock].isEmpty else { return row[column] }
            return "\(row[column]) \(row[clock])"
        }
        guard !values.isEmpty else { return nil }
        let fits = patterns.compactMap { pattern -> (pattern: String, format: TimeFormat, count: Int)? in
            guard let format = TimeFormat(pattern: pattern) else { return nil }
            let count = values.count { format.parse(Array($0.utf8)[...]) != nil }
            return count > 0 ? (pattern, format, count) : nil
        }
        guard let most = fits.map(\.count).max(), let best = fits.first(where: { $0.count == most }) else {
            proposal.remarks.append("times like \(values[0]) are of no format that is known: say it as \"time_format\"")
            return nil
        }
        proposal.mapping.times = best.format
        if most < values.count {
            proposal.remarks.append("\(values.count - most) of \(values.count) times can not be read")
        }
        let bytes = Array(values[0].utf8)[...]
        if let other = fits.first(where: {
            $0.count == most && $0.format.parse(bytes) != best.format.parse(bytes)
        }) {
            proposal.remarks.append("times fit \(best.pattern) and \(other.pattern): look whether the days are right")
        }
        return best.pattern == "iso" ? nil : best.pattern
    }

    // MARK: Writing

    private static func json(_ mapping: ImportMapping, pattern: String?) -> [UInt8] {
        var lines: [(name: String, value: [UInt8])] = []
        func add(_ name: String, _ text: String) {
            var writer = JSONWriter()
            writer.string(text)
            lines.append((name, writer.bytes))
        }
        if mapping.format == .ndjson { add("format", mapping.format.rawValue) }
        switch mapping.dialect.delimiter {
        case .comma: break
        case .semicolon: add("delimiter", ";")
        case .tab: add("delimiter", "tab")
        }
        if mapping.encoding != .utf8 { add("encoding", mapping.encoding.rawValue) }
        if mapping.numbers.decimal == .comma { add("decimal", ",") }
        if !mapping.numbers.currency.isEmpty { add("currency", mapping.numbers.currency) }
        if let pattern { add("time_format", pattern) }
        if !mapping.columns.isEmpty {
            var writer = JSONWriter()
            writer.object { writer in
                for (field, column) in mapping.columns.sorted(by: { $0.key < $1.key }) { writer.member(field, column) }
            }
            lines.append(("columns", writer.bytes))
        }
        let members = lines.map { "    \"\($0.name)\": \(String(decoding: $0.value, as: UTF8.self))" }
        return Array("{\n\(members.joined(separator: ",\n"))\n}\n".utf8)
    }
}

package import Kernel

/// How a file's columns become the fields of an import, and how its text, numbers and times are written.
///
/// Column names are compared with the header without white space around them: exactly first, without case second.
package struct ImportMapping: Sendable, Equatable {
    /// What is wrong with a mapping, or with a file's header under it.
    package struct Fault: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String

        package init(_ description: String) {
            self.description = description
        }
    }

    /// The kinds of files that can be imported.
    package enum Kind: String, Sendable, CaseIterable {
        case sales
        case products
    }

    package var format = FileFormat.csv
    package var dialect: CSVDialect
    package var encoding: TextEncoding
    package var numbers: NumberFormat
    package var times: TimeFormat
    /// Column names by field name.
    package var columns: [String: String]
    /// Optional fields that are not to be read, whatever columns there are.
    package var unreadFields: Set<String> = []
    /// Whether a line without a time of its own has that of an earlier line of its document.
    package var inheritsTime = false

    package init(
        dialect: CSVDialect = CSVDialect(),
        encoding: TextEncoding = .utf8,
        numbers: NumberFormat = NumberFormat(),
        times: TimeFormat = .iso,
        columns: [String: String] = [:]
    ) {
        self.dialect = dialect
        self.encoding = encoding
        self.numbers = numbers
        self.times = times
        self.columns = columns
    }

    /// Reads a mapping: one JSON object with the options of a file and, under `columns`, its column names by field.
    ///
    /// - Parameter json: The object.
    /// - Throws: `Fault` naming what it does not accept.
    package init(_ json: JSONValue) throws(Fault) {
        guard case .object(let object) = json else { throw Fault("a mapping is a JSON object") }
        self.init()
        for (name, value) in object.members {
            guard name != "columns" else {
                try takeColumns(value)
                continue
            }
            // The name first: what a member that there is not may hold is no help.
            let accepted = try Self.accepted(of: name)
            guard case .string(let text) = value else { throw Fault("\(name) is no text; accepted: \(accepted)") }
            try set(name, to: text)
        }
    }

    private mutating func takeColumns(_ json: JSONValue) throws(Fault) {
        guard case .object(let columns) = json else { throw Fault("columns is no object of column names by field") }
        for (field, column) in columns.members {
            switch column {
            case .string(let column): self.columns[field] = column
            case .null: unreadFields.insert(field)
            default: throw Fault("columns: \(field) is no name of a column, nor null for none")
            }
        }
    }

    /// The options a mapping may hold beside `columns`, each with what it accepts.
    package static let options = [
        "format": "csv, or ndjson for a JSON object to a line",
        "delimiter": "',', ';' or tab",
        "encoding": "\(TextEncoding.allCases.map(\.rawValue).joined(separator: ", "))",
        "decimal": "'.' or ','",
        "currency": "a currency sign of at most 8 characters, as '$' or 'kr'",
        "time_format": "iso, or a pattern of \(TimeFormat.letters)",
        "time_zone": "tenant",
        "empty_time": "reject, or inherit for that of an earlier line of the same sale",
    ]

    /// What an option accepts.
    ///
    /// - Parameter option: Its name.
    /// - Returns: A line for people.
    /// - Throws: `Fault` naming all there are, if it is none.
    package static func accepted(of option: String) throws(Fault) -> String {
        if let accepted = options[option] { return accepted }
        let known = (options.keys + ["columns"]).sorted().joined(separator: ", ")
        throw Fault("'\(option)' is no member of a mapping; there are \(known)")
    }

    /// Sets one option of a mapping from its text.
    ///
    /// - Throws: `Fault` naming the option and what it accepts.
    package mutating func set(_ option: String, to value: String) throws(Fault) {
        let fault = Fault("\(option) is '\(value)'; accepted: \(try Self.accepted(of: option))")
        switch option {
        case "format":
            guard let format = FileFormat(rawValue: value) else { throw fault }
            self.format = format
        case "delimiter":
            let name = value == "tab" || value == "\\t" ? "\t" : value
            guard name.utf8.count == 1, let byte = name.utf8.first, let delimiter = CSVDialect.Delimiter(rawValue: byte)
            else { throw fault }
            dialect.delimiter = delimiter
        case "encoding":
            guard let encoding = TextEncoding(name: value) else { throw fault }
            self.encoding = encoding
        case "decimal":
            guard value.utf8.count == 1, let byte = value.utf8.first,
                let decimal = NumberFormat.DecimalSeparator(rawValue: byte)
            else { throw fault }
            numbers.decimal = decimal
        case "currency":
            guard value.count <= 8, !value.contains(where: { $0.isNumber || $0.isNewline || "+-.,()".contains($0) })
            else {
                throw fault
            }
            numbers.currency = value
        case "empty_time":
            guard ["reject", "inherit"].contains(value) else { throw fault }
            inheritsTime = value == "inherit"
        case "time_format":
            guard let format = TimeFormat(pattern: value) else { throw fault }
            times = format
        default:
            // Times without an offset are the tenant's wall clock; the option only says so.
            guard ["tenant", "local"].contains(value) else { throw fault }
        }
    }

    /// Checks the names of the fields against those of an import, and what is said of the file against its format.
    ///
    /// - Throws: `Fault` naming the first field that does not exist, or what JSON is not written in.
    package func validate(fields: [String]) throws(Fault) {
        // A number without quotes has its decimal point, whatever texts have.
        if format == .ndjson, encoding != .utf8 || numbers.decimal != .point || dialect != CSVDialect() {
            throw Fault("JSON is utf-8 with decimal points: a mapping of ndjson has no encoding, decimal or delimiter")
        }
        if let unknown = unreadFields.union(columns.keys).sorted().first(where: { !fields.contains($0) }) {
            throw Fault("columns: '\(unknown)' is no field of this import; there are \(fields.joined(separator: ", "))")
        }
    }
}

extension ImportMapping.Fault {
    /// A file without a record that tells what it holds.
    package static func emptyFile(_ mapping: ImportMapping) -> Self {
        Self(mapping.format == .csv ? "the file is empty; a header is needed" : "the file is empty")
    }
}

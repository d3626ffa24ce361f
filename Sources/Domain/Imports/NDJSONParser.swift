import Kernel

/// A streaming parser of files with a JSON object to a line: bytes in any portions go in, records come out as those of a table with a
/// header have them.
///
/// The header it hands out first has the columns that are asked for, whatever members the objects have: a member that a line lacks, or that
/// is null, is an empty field. It keeps one line in memory and no more. A line it cannot read is handed out with its `fault`.
package struct NDJSONParser: Sendable {
    /// Bytes kept of a line, at most: an object takes tens of times as many in memory.
    package static let lineBytes = 1 << 20

    private static let lineFeed: UInt8 = 0x0A

    /// Lines without any content, which are no records.
    package private(set) var blankRecords = 0
    /// The names of the members that no column has, in the order they were met: the beginnings of long ones, and not of more than
    /// ``ImportHeader/namesKept``.
    package private(set) var unreadNames: [String] = []

    private let columns: [String]
    private let lists: Set<Int>
    private let exact: [String: Int]
    private let folded: [String: Int]
    private let limits: CSVLimits
    private let lineBytes: Int

    private var record = FileRecord()
    private var line: [UInt8] = []
    /// Whether more of the line came than is kept.
    private var isCut = false
    private var hasHeader = false
    private var number = 1
    private var unread: Set<String> = []

    /// A parser of files with these members.
    ///
    /// - Parameters:
    ///   - columns: the names of the members that are asked for, in any case.
    ///   - lists: those of them that may hold an array.
    ///   - limits: what is kept of a line and of a member.
    package init(columns: [String], lists: Set<String> = [], limits: CSVLimits = CSVLimits()) {
        var names: [String] = []
        var exact: [String: Int] = [:]
        var folded: [String: Int] = [:]
        for name in columns where exact[name] == nil {
            exact[name] = names.count
            folded[Text.folded(name)] = folded[Text.folded(name)] ?? names.count
            names.append(name)
        }
        self.columns = names
        self.lists = Set(lists.compactMap { exact[$0] })
        self.exact = exact
        self.folded = folded
        self.limits = limits
        lineBytes = min(limits.recordBytes, Self.lineBytes)
    }

    /// Parses one portion of the file.
    ///
    /// - Parameters:
    ///   - chunk: the next bytes; a line may span any number of portions.
    ///   - body: called with each record as it ends, with the header first.
    /// - Throws: what `body` throws; the parser must not be used afterwards.
    package mutating func consume<Failure: Error>(
        _ chunk: [UInt8],
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        var rest = chunk[...]
        while let end = rest.firstIndex(of: Self.lineFeed) {
            keep(rest[..<end])
            try endLine(body)
            rest = rest[(end + 1)...]
        }
        keep(rest)
    }

    /// Ends the file: the last line may lack its line break.
    ///
    /// - Parameter body: called with the last record, if there is one.
    /// - Throws: what `body` throws.
    package mutating func finish<Failure: Error>(
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        if !line.isEmpty { try endLine(body) }
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        let kept = bytes.prefix(lineBytes - line.count)
        if kept.count < bytes.count { isCut = true }
        line.append(contentsOf: kept)
    }

    private mutating func endLine<Failure: Error>(
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        defer {
            line.removeAll(keepingCapacity: true)
            isCut = false
            number += 1
        }
        guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else {
            if !line.isEmpty { blankRecords += 1 }
            return
        }
        if !hasHeader {
            hasHeader = true
            record.clear(line: number)
            for name in columns { append(name.utf8) }
            // By which a file is told that is no text at all.
            record.source = Array(line.prefix(8))
            try body(record)
        }
        record.clear(line: number)
        record.source = line
        if isCut {
            record.fault = .noJSON("the line is longer than \(lineBytes) bytes")
        } else {
            do throws(JSONError) {
                read(try JSONValue.parse(line))
            } catch {
                record.fault = .noJSON("\(error)")
            }
        }
        try body(record)
    }

    /// Makes the fields of the record out of an object.
    private mutating func read(_ value: JSONValue) {
        guard case .object(let object) = value else {
            record.fault = .noJSON("the line holds \(value.kind) and no object")
            return
        }
        let members = object.withoutReason.members
        var values = [JSONValue?](repeating: nil, count: columns.count)
        for member in members { if let column = exact[member.name] { values[column] = member.value } }
        for member in members where exact[member.name] == nil {
            guard let column = folded[Text.folded(member.name)], values[column] == nil else {
                noteUnread(member.name)
                continue
            }
            values[column] = member.value
        }
        for (column, value) in values.enumerated() {
            switch value {
            case nil, .null: append([])
            case .string(let text): append(Self.written(text))
            case .number(let literal): append(literal.utf8)
            case .bool(let flag): append((flag ? "true" : "false").utf8)
            case .array(let list) where lists.contains(column):
                // An empty one says nothing, as an empty cell.
                append(list.isEmpty ? [] : JSONValue.array(list).canonicalBytes)
            case .array, .object:
                record.fault = .noJSON("\(columns[column]) is \(value?.kind ?? "")")
                return
            }
        }
    }

    /// Notes the name of a member that nobody asked for.
    private mutating func noteUnread(_ name: String) {
        guard unread.count < ImportHeader.namesKept else { return }
        // Each may be as long as a line, and stays as long as the file is read.
        let name = Text.excerpt(name)
        if unread.insert(name).inserted { unreadNames.append(name) }
    }

    /// A text as a cell has it: what a cell would lose of it, an apostrophe before what looks like a formula, stands twice.
    private static func written(_ text: String) -> [UInt8] {
        text.utf8.first == UInt8(ascii: "'") ? FormulaGuard.guarded(text.utf8) : Array(text.utf8)
    }

    private mutating func append(_ field: some Collection<UInt8>) {
        if field.count > limits.fieldBytes { record.cutColumns.append(record.ends.count) }
        record.bytes.append(contentsOf: field.prefix(limits.fieldBytes))
        record.ends.append(record.bytes.count)
    }
}

extension JSONObject {
    /// The object of a line without the members that a file of rejected rows has behind its own.
    var withoutReason: JSONObject {
        let own = members.dropLast(ImportHeader.reasonColumns.count)
        guard members.suffix(ImportHeader.reasonColumns.count).map(\.name) == ImportHeader.reasonColumns else {
            return self
        }
        var object = JSONObject()
        for member in own { _ = object.append(member.name, member.value) }
        return object
    }
}

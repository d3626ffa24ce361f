/// A streaming parser of RFC 4180: bytes in any portions go in, whole records come out.
///
/// It keeps one record in memory and no more. Beyond the RFC it accepts a byte order mark, a first line `sep=;`, LF and CR as
/// well as CRLF, and a quote inside an unquoted field as a letter. A record it cannot read is handed out with its `fault`, and
/// parsing goes on behind the next line break.
package struct CSVParser: Sendable {
    private enum State {
        /// Nothing of the next field was read yet.
        case fieldStart
        /// Inside a field without quotes.
        case unquoted
        /// Inside quotes, where delimiters and line breaks are text.
        case quoted
        /// Behind a quote inside quotes: the end of the field, or the first of two that mean one.
        case quoteInQuoted
        /// Behind a carriage return outside quotes.
        case carriageReturn
        /// Behind a fault, up to the next line break.
        case skipping
    }

    /// How the file ends its lines, as its first line shows.
    private enum LineBreak {
        case unknown
        /// LF, or CRLF; a CR alone is text.
        case lineFeed
        case carriageReturn
    }

    private enum Byte {
        static let quote: UInt8 = 0x22
        static let lineFeed: UInt8 = 0x0A
        static let carriageReturn: UInt8 = 0x0D
        static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        static let separatorLine = Array("sep=".utf8)
    }

    /// How much of the file is looked at before anything is parsed, if its first line is longer.
    private static let headBytes = 4_096

    /// Records without any content that were left out: empty lines and rows of delimiters only.
    package private(set) var blankRecords = 0

    private var delimiter: UInt8
    private let limits: CSVLimits
    private var state = State.fieldStart
    private var lineBreak = LineBreak.unknown
    private var record = FileRecord()
    private var fieldStart = 0
    /// Bytes of the file the current record took so far.
    private var consumed = 0
    private var line = 1
    /// Whether a field of the record was quoted: a row without content is no record, an empty pair of quotes is.
    private var hasQuotes = false
    /// Whether the record has anything but delimiters and blanks.
    private var hasContent = false
    /// The beginning of the file as long as it is not known how it begins.
    private var head: [UInt8]? = []

    package init(dialect: CSVDialect = CSVDialect(), limits: CSVLimits = CSVLimits()) {
        delimiter = dialect.delimiter.rawValue
        self.limits = limits
        record.delimiter = delimiter
    }

    /// Parses one portion of the file.
    ///
    /// - Parameters:
    ///   - chunk: the next bytes; a record may span any number of portions.
    ///   - body: called with each record as it ends; blank ones are left out.
    /// - Throws: what `body` throws; the parser must not be used afterwards.
    package mutating func consume<Failure: Error>(
        _ chunk: [UInt8],
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        guard var head else { return try parse(chunk[...], body) }
        head.append(contentsOf: chunk)
        // A carriage return tells what it is with the byte behind it.
        guard head.count >= Self.headBytes || head.dropLast().contains(where: Self.isLineBreak) else {
            self.head = head
            return
        }
        try begin(head, body)
    }

    /// Ends the file: the last record may lack its line break.
    ///
    /// - Parameter body: called with the last record, if there is one.
    /// - Throws: what `body` throws.
    package mutating func finish<Failure: Error>(
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        if let head { try begin(head, body) }
        switch state {
        case .fieldStart where record.count == 0:
            return
        case .quoted:
            fail(.unterminatedQuote(column: record.count))
        case .fieldStart, .unquoted, .quoteInQuoted, .carriageReturn:
            endField()
        case .skipping:
            break
        }
        try endRecord(body)
    }

    private static func isLineBreak(_ byte: UInt8) -> Bool { byte == Byte.lineFeed || byte == Byte.carriageReturn }

    /// Parses the beginning of the file: what is before the header is taken off.
    private mutating func begin<Failure: Error>(
        _ head: [UInt8],
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        self.head = nil
        var rest = head[...]
        if rest.starts(with: Byte.byteOrderMark) { rest = rest.dropFirst(Byte.byteOrderMark.count) }
        let first = rest.prefix { !Self.isLineBreak($0) }
        if first.count == Byte.separatorLine.count + 1, first.starts(with: Byte.separatorLine),
            let named = first.last.flatMap({ CSVDialect.Delimiter(rawValue: $0) })
        {
            delimiter = named.rawValue
            rest = rest.dropFirst(first.count)
            if rest.first == Byte.carriageReturn { rest = rest.dropFirst() }
            if rest.first == Byte.lineFeed { rest = rest.dropFirst() }
            line += 1
            record.clear(line: line)
            record.delimiter = delimiter
        }
        record.source = Array(rest.prefix { !Self.isLineBreak($0) })
        try parse(rest, body)
    }

    private mutating func parse<Failure: Error>(
        _ chunk: ArraySlice<UInt8>,
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        var index = chunk.startIndex
        while index < chunk.endIndex {
            switch state {
            case .fieldStart:
                if chunk[index] == Byte.quote {
                    state = .quoted
                    hasQuotes = true
                    consumed += 1
                    index += 1
                } else {
                    state = .unquoted
                }

            case .unquoted:
                var end = index
                while end < chunk.endIndex {
                    let byte = chunk[end]
                    if byte == delimiter || byte == Byte.lineFeed || byte == Byte.carriageReturn { break }
                    end += 1
                }
                append(chunk[index..<end])
                index = end
                guard index < chunk.endIndex, state == .unquoted else { continue }
                try endUnquoted(chunk[index], body)
                index += 1

            case .quoted:
                var end = index
                var isLost = false
                while end < chunk.endIndex, chunk[end] != Byte.quote {
                    if chunk[end] == Byte.lineFeed || chunk[end] == Byte.carriageReturn && lineBreak == .carriageReturn
                    {
                        // Left at a line break, so that the next record is read again.
                        isLost = consumed + end - index > limits.recordBytes
                        if isLost { break }
                        line += 1
                    }
                    end += 1
                }
                append(chunk[index..<end])
                index = end
                guard index < chunk.endIndex, state == .quoted else { continue }
                if isLost {
                    fail(.unterminatedQuote(column: record.count))
                } else {
                    state = .quoteInQuoted
                    consumed += 1
                    index += 1
                }

            case .quoteInQuoted:
                let byte = chunk[index]
                if byte == Byte.quote {
                    state = .quoted
                    append(chunk[index...index])
                } else if byte == delimiter || Self.isLineBreak(byte) {
                    try endUnquoted(byte, body)
                } else {
                    fail(.textAfterQuote(column: record.count))
                    continue
                }
                index += 1

            case .carriageReturn:
                if chunk[index] == Byte.lineFeed {
                    try endUnquoted(Byte.lineFeed, body)
                    index += 1
                } else if lineBreak == .lineFeed {
                    state = .unquoted
                    append([Byte.carriageReturn])
                } else {
                    lineBreak = .carriageReturn
                    endField()
                    try endRecord(body)
                }

            case .skipping:
                while index < chunk.endIndex, chunk[index] != Byte.lineFeed,
                    chunk[index] != Byte.carriageReturn || lineBreak == .lineFeed
                {
                    index += 1
                }
                guard index < chunk.endIndex else { continue }
                if chunk[index] == Byte.carriageReturn {
                    state = .carriageReturn
                } else {
                    lineBreak = .lineFeed
                    try endRecord(body)
                }
                index += 1
            }
        }
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        consumed += bytes.count
        if !hasContent { hasContent = bytes.contains { $0 != 0x20 && $0 != 0x09 } }
        let kept = bytes.prefix(max(0, limits.fieldBytes - (record.bytes.count - fieldStart)))
        if kept.count < bytes.count, record.cutColumns.last != record.count { record.cutColumns.append(record.count) }
        if kept.count > limits.recordBytes - record.bytes.count {
            fail(.recordTooLong)
        } else {
            record.bytes.append(contentsOf: kept)
        }
    }

    private mutating func endUnquoted<Failure: Error>(
        _ byte: UInt8,
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        consumed += 1
        if byte == delimiter {
            endField()
            state = .fieldStart
        } else if byte == Byte.lineFeed {
            if lineBreak == .unknown { lineBreak = .lineFeed }
            endField()
            try endRecord(body)
        } else {
            state = .carriageReturn
        }
    }

    private mutating func endField() {
        if record.ends.count < limits.columns {
            record.ends.append(record.bytes.count)
            fieldStart = record.bytes.count
        } else if record.fault == nil {
            record.fault = .tooManyColumns
        }
    }

    private mutating func endRecord<Failure: Error>(
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        record.lastLine = line
        line += 1
        if hasQuotes || hasContent || record.fault != nil {
            try body(record)
        } else {
            blankRecords += 1
        }
        record.clear(line: line)
        state = .fieldStart
        fieldStart = 0
        consumed = 0
        hasQuotes = false
        hasContent = false
    }

    private mutating func fail(_ fault: FileRecord.Fault) {
        if record.fault == nil { record.fault = fault }
        state = .skipping
    }
}

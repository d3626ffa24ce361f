/// A streaming parser of RFC 4180: bytes in any portions go in, whole records come out.
///
/// It keeps one record in memory and no more. Beyond the RFC it accepts a byte order mark, LF as well as CRLF,
/// and a quote inside an unquoted field as a letter. A record it cannot read is handed out with its `fault`, and
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

    private enum Byte {
        static let quote: UInt8 = 0x22
        static let lineFeed: UInt8 = 0x0A
        static let carriageReturn: UInt8 = 0x0D
        static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    }

    private let delimiter: UInt8
    private let limits: CSVLimits
    private var state = State.fieldStart
    private var record = CSVRecord()
    private var fieldStart = 0
    /// Bytes of the file the current record took so far.
    private var consumed = 0
    private var line = 1
    /// Whether a field of the record was quoted: an empty line is no record, an empty pair of quotes is.
    private var hasQuotes = false
    /// How many bytes of a byte order mark were matched; nil once the beginning of the file is behind.
    private var markMatched: Int? = 0

    package init(dialect: CSVDialect = CSVDialect(), limits: CSVLimits = CSVLimits()) {
        self.delimiter = dialect.delimiter.rawValue
        self.limits = limits
    }

    /// Parses one portion of the file.
    ///
    /// - Parameters:
    ///   - chunk: the next bytes; a record may span any number of portions.
    ///   - body: called with each record as it ends; blank lines are left out.
    /// - Throws: what `body` throws; the parser must not be used afterwards.
    package mutating func consume<Failure: Error>(
        _ chunk: [UInt8],
        _ body: (borrowing CSVRecord) throws(Failure) -> Void
    ) throws(Failure) {
        var index = skipByteOrderMark(chunk)
        while index < chunk.count {
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
                while end < chunk.count {
                    let byte = chunk[end]
                    if byte == delimiter || byte == Byte.lineFeed || byte == Byte.carriageReturn { break }
                    end += 1
                }
                append(chunk, index..<end)
                index = end
                guard index < chunk.count, state == .unquoted else { continue }
                try endUnquoted(chunk[index], body)
                index += 1

            case .quoted:
                var end = index
                while end < chunk.count, chunk[end] != Byte.quote {
                    if chunk[end] == Byte.lineFeed { line += 1 }
                    // Left at a line break, so that a fault ends the record there and nowhere else.
                    if consumed + end - index > limits.recordBytes { break }
                    end += 1
                }
                append(chunk, index..<end)
                index = end
                guard index < chunk.count, state == .quoted else { continue }
                if chunk[index] == Byte.quote {
                    state = .quoteInQuoted
                    consumed += 1
                    index += 1
                }

            case .quoteInQuoted:
                let byte = chunk[index]
                if byte == Byte.quote {
                    state = .quoted
                    append(chunk, index..<index + 1)
                } else if byte == delimiter || byte == Byte.lineFeed || byte == Byte.carriageReturn {
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
                } else {
                    state = .unquoted
                    append([Byte.carriageReturn], 0..<1)
                }

            case .skipping:
                while index < chunk.count, chunk[index] != Byte.lineFeed { index += 1 }
                guard index < chunk.count else { continue }
                index += 1
                try endRecord(body)
            }
        }
    }

    /// Ends the file: the last record may lack its line break.
    ///
    /// - Parameter body: called with the last record, if there is one.
    /// - Throws: what `body` throws.
    package mutating func finish<Failure: Error>(
        _ body: (borrowing CSVRecord) throws(Failure) -> Void
    ) throws(Failure) {
        if let matched = markMatched, matched > 0, matched < Byte.byteOrderMark.count {
            markMatched = nil
            append(Byte.byteOrderMark, 0..<matched)
            state = .unquoted
        }
        switch state {
        case .fieldStart where record.count == 0:
            return
        case .quoted:
            fail(.unterminatedQuote)
        case .fieldStart, .unquoted, .quoteInQuoted, .carriageReturn:
            endField()
        case .skipping:
            break
        }
        try endRecord(body)
    }

    private mutating func skipByteOrderMark(_ chunk: [UInt8]) -> Int {
        guard var matched = markMatched else { return 0 }
        var index = 0
        while index < chunk.count, matched < Byte.byteOrderMark.count {
            guard chunk[index] == Byte.byteOrderMark[matched] else {
                // These bytes were text after all: in cp1252 a file may well begin with one of them.
                markMatched = nil
                if matched > 0 {
                    state = .unquoted
                    append(Byte.byteOrderMark, 0..<matched)
                }
                return index
            }
            matched += 1
            index += 1
        }
        markMatched = matched == Byte.byteOrderMark.count ? nil : matched
        return index
    }

    private mutating func append(_ chunk: [UInt8], _ range: Range<Int>) {
        // Which limit was passed first must not depend on the portions the file came in.
        let recordRoom = limits.recordBytes - consumed
        let fieldRoom = limits.fieldBytes - (record.bytes.count - fieldStart)
        consumed += range.count
        if range.count > fieldRoom, fieldRoom < recordRoom, record.fault == nil {
            record.fault = .fieldTooLong(column: record.count)
        }
        if range.count > recordRoom {
            fail(.recordTooLong)
        } else if range.count <= fieldRoom {
            record.bytes.append(contentsOf: chunk[range])
        }
    }

    private mutating func endUnquoted<Failure: Error>(
        _ byte: UInt8,
        _ body: (borrowing CSVRecord) throws(Failure) -> Void
    ) throws(Failure) {
        consumed += 1
        if byte == delimiter {
            endField()
            state = .fieldStart
        } else if byte == Byte.lineFeed {
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
        _ body: (borrowing CSVRecord) throws(Failure) -> Void
    ) throws(Failure) {
        line += 1
        if hasQuotes || !record.isBlank { try body(record) }
        record.clear(line: line)
        state = .fieldStart
        fieldStart = 0
        consumed = 0
        hasQuotes = false
    }

    private mutating func fail(_ fault: CSVRecord.Fault) {
        if record.fault == nil { record.fault = fault }
        state = .skipping
    }
}

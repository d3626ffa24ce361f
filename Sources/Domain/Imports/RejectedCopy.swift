/// Reads a file once more and copies the rows that were not taken over, as ``RejectedRows`` writes them.
///
/// Nothing of the file has to be kept while it is imported, and no more than a portion of it while it is copied, and the times of its
/// documents where rows may have them from each other.
package final class RejectedCopy {
    private var rows: RejectedRows
    private var transcoder: UTF16Transcoder
    private var parser: ImportParser
    private var hasHeader = false

    /// Where a row goes: the line it begins at, nil for the header, and its bytes, in UTF-8 or the file's own 8-bit encoding.
    package typealias Writer = (_ line: Int?, _ bytes: [UInt8]) throws -> Void

    /// - Parameters:
    ///   - mapping: how the file was read.
    ///   - fields: those that were read.
    ///   - limits: what is kept of a row.
    package init(_ mapping: ImportMapping, fields: [String], limits: CSVLimits = .whole) {
        rows = RejectedRows(mapping)
        transcoder = UTF16Transcoder(encoding: mapping.encoding)
        parser = ImportParser(mapping, fields: fields, limits: limits)
    }

    /// Reads a portion.
    ///
    /// - Parameters:
    ///   - chunk: the next bytes, cut anywhere.
    ///   - rejection: why the row of a line was not taken over; nil if it was.
    ///   - write: takes the header and each row that was not.
    /// - Throws: `ImportMapping.Fault` if the file has no byte order; what `write` throws.
    package func read(
        _ chunk: [UInt8],
        _ rejection: (Int) -> RowRejection?,
        _ write: Writer
    ) throws {
        try parser.consume(transcoder.decode(chunk)) { try take($0, rejection, write) }
    }

    /// Ends the file: its last row may lack its line break.
    ///
    /// As ``read(_:_:_:)``.
    package func finish(_ rejection: (Int) -> RowRejection?, _ write: Writer) throws {
        try parser.consume(transcoder.finish()) { try take($0, rejection, write) }
        try parser.finish { try take($0, rejection, write) }
    }

    private func take(
        _ record: borrowing FileRecord,
        _ rejection: (Int) -> RowRejection?,
        _ write: Writer
    ) throws {
        var line: Int?
        if !hasHeader {
            hasHeader = true
            rows.header(record)
        } else if let rejection = rejection(record.line) {
            line = record.line
            rows.row(record, rejection)
        } else {
            rows.pass(record)
        }
        let bytes = rows.drain()
        if !bytes.isEmpty { try write(line, bytes) }
    }

    /// What was copied as the file itself is written.
    ///
    /// - Parameters:
    ///   - bytes: the header or rows.
    ///   - encoding: the file's.
    ///   - isFirst: whether they are its first, before which a byte order mark stands.
    /// - Returns: the bytes of the file.
    package static func encoded(_ bytes: [UInt8], as encoding: TextEncoding, isFirst: Bool) -> [UInt8] {
        guard encoding.isTranscoded else { return bytes }
        let encoded = UTF16Transcoder.encode(bytes, as: encoding)
        return isFirst ? encoded : Array(encoded.dropFirst(2))
    }
}

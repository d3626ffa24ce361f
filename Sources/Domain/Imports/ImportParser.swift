/// Splits a file into records as its mapping says it is written.
package struct ImportParser: Sendable {
    // One of the two.
    private var csv: CSVParser?
    private var ndjson: NDJSONParser?

    /// A parser for a file.
    ///
    /// - Parameters:
    ///   - mapping: how it is written, and what its columns or members are called.
    ///   - fields: those that are to be read, by which members of objects are found.
    ///   - limits: what is kept of a record.
    package init(_ mapping: ImportMapping, fields: [String], limits: CSVLimits = CSVLimits()) {
        switch mapping.format {
        case .csv:
            csv = CSVParser(dialect: mapping.dialect, limits: limits)
        case .ndjson:
            let read = fields.filter { !mapping.unreadFields.contains($0) }
            let lists = ProductRowReader.listFields.map { mapping.columns[$0] ?? $0 }
            ndjson = NDJSONParser(columns: read.map { mapping.columns[$0] ?? $0 }, lists: Set(lists), limits: limits)
        }
    }

    /// Rows without any content that were left out.
    package var blankRecords: Int { csv?.blankRecords ?? ndjson?.blankRecords ?? 0 }

    /// The names of the members that nothing was read from; of CSV the header tells.
    package var unreadNames: [String] { ndjson?.unreadNames ?? [] }

    /// Parses one portion of the file.
    ///
    /// - Parameters:
    ///   - chunk: the next bytes; a record may span any number of portions.
    ///   - body: called with each record as it ends, of which the first is the header.
    /// - Throws: what `body` throws; the parser must not be used afterwards.
    package mutating func consume<Failure: Error>(
        _ chunk: [UInt8],
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        try csv?.consume(chunk, body)
        try ndjson?.consume(chunk, body)
    }

    /// Ends the file: the last record may lack its line break.
    ///
    /// - Parameter body: called with the last record, if there is one.
    /// - Throws: what `body` throws.
    package mutating func finish<Failure: Error>(
        _ body: (borrowing FileRecord) throws(Failure) -> Void
    ) throws(Failure) {
        try csv?.finish(body)
        try ndjson?.finish(body)
    }
}

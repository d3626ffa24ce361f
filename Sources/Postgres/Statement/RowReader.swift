/// A view of one row of an answer, read column by column.
///
/// It cannot be copied and is lent only for the time of a row's initializer, so no pointer into the answer escapes.
package struct RowReader: ~Copyable {
    private let result: PGResult
    private let row: Int
    private var column = 0

    init(result: PGResult, row: Int) {
        self.result = result
        self.row = row
    }

    /// Whether every column was read.
    package var isAtEnd: Bool { column >= result.columnCount }

    /// Reads the next column.
    ///
    /// - Parameter type: What it is read as; an optional for a column that may be NULL.
    /// - Returns: The value.
    /// - Throws: ``PostgresError`` of code `decoding` if the column is of another type, NULL or missing.
    package mutating func next<T: PostgresDecodable>(_ type: T.Type = T.self) throws(PostgresError) -> T {
        let index = try advance()
        let column = result.type(ofColumn: index)
        guard T.canDecode(column) else { throw mismatch(index, column) }
        if result.isNull(row: row, column: index) { return try T.decodingNull() }
        return try result.withValue(row: row, column: index) { (bytes) throws(PostgresError) -> T in
            try T(decoding: bytes, as: column)
        }
    }

    /// Reads the next column, a `numeric`, as fixed point.
    ///
    /// - Parameter scale: The decimals wanted.
    /// - Returns: The number times 10^scale.
    /// - Throws: ``PostgresError`` of code `decoding` if it is NULL, not finite, too large, or has more decimals.
    package mutating func nextNumeric(scale: Int) throws(PostgresError) -> Int64 {
        guard let value = try nextNumericIfPresent(scale: scale) else {
            throw PostgresError(.decoding, "column \(column) is NULL, which its row type rules out", outcome: .failed)
        }
        return value
    }

    /// Reads the next column, a `numeric` that may be NULL, as fixed point.
    ///
    /// - Parameter scale: The decimals wanted.
    /// - Returns: The number times 10^scale, nil for NULL.
    /// - Throws: ``PostgresError`` of code `decoding` if it is not finite, too large, or has more decimals.
    package mutating func nextNumericIfPresent(scale: Int) throws(PostgresError) -> Int64? {
        let index = try advance()
        let column = result.type(ofColumn: index)
        guard column == .numeric else { throw mismatch(index, column) }
        if result.isNull(row: row, column: index) { return nil }
        return try result.withValue(row: row, column: index) { (bytes) throws(PostgresError) -> Int64 in
            try NumericFormat.decode(bytes, scale: scale)
        }
    }

    /// Reads the next column, a `numeric[]`, as fixed point.
    ///
    /// - Parameter scale: The decimals wanted.
    /// - Returns: The numbers times 10^scale, nil for NULL.
    /// - Throws: ``PostgresError`` of code `decoding`.
    package mutating func nextNumericArray(scale: Int) throws(PostgresError) -> [Int64?] {
        let index = try advance()
        let column = result.type(ofColumn: index)
        guard column == .numericArray else { throw mismatch(index, column) }
        if result.isNull(row: row, column: index) { return try [Int64?].decodingNull() }
        return try result.withValue(row: row, column: index) { (bytes) throws(PostgresError) -> [Int64?] in
            var header = try ArrayFormat.Header(bytes)
            var values: [Int64?] = []
            values.reserveCapacity(header.count)
            for _ in 0..<header.count {
                if let range = try header.next(bytes) {
                    values.append(try NumericFormat.decode(bytes.extracting(range), scale: scale))
                } else {
                    values.append(nil)
                }
            }
            return values
        }
    }

    /// Reads the next column, a text, json or bytea, as its bytes.
    ///
    /// - Returns: A copy of the bytes.
    /// - Throws: ``PostgresError`` of code `decoding` if it is NULL or of another type.
    package mutating func nextBytes() throws(PostgresError) -> [UInt8] {
        try next([UInt8].self)
    }

    /// Lends the bytes of the next column, a text, json or bytea: the one copy is the caller's.
    ///
    /// - Parameter body: Takes the bytes, nil for NULL. They are gone after it.
    /// - Returns: What `body` returned.
    /// - Throws: ``PostgresError`` of code `decoding` if the column is of another type.
    package mutating func withBytes<Value>(_ body: (RawSpan?) -> Value) throws(PostgresError) -> Value {
        let index = try advance()
        let column = result.type(ofColumn: index)
        guard [UInt8].canDecode(column) else { throw mismatch(index, column) }
        if result.isNull(row: row, column: index) { return body(nil) }
        return try result.withValue(row: row, column: index) { (bytes) throws(PostgresError) -> Value in
            guard column == .jsonb else { return body(bytes) }
            return body(bytes.extracting(min(1, bytes.byteCount)..<bytes.byteCount))
        }
    }

    private mutating func advance() throws(PostgresError) -> Int {
        guard column < result.columnCount else {
            throw PostgresError(
                .decoding,
                "the row has \(result.columnCount) columns, its row type more",
                outcome: .failed
            )
        }
        defer { column += 1 }
        return column
    }

    private func mismatch(_ index: Int, _ type: PostgresType) -> PostgresError {
        PostgresError(
            .decoding,
            "column \(index + 1) is of \(type), which its row type does not read",
            outcome: .failed
        )
    }
}

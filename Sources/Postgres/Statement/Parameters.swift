/// The parameters of a unit's statements, encoded one after another into one arena.
///
/// libpq copies values while it sends, so the arena is the only allocation. Each value is checked against the type
/// its statement declares: a wrong binary form would be garbage at the server.
package struct Parameters: Sendable {
    /// Where a value is in the arena.
    struct Place: Sendable {
        let offset: Int32
        /// Bytes; -1 is SQL NULL.
        let length: Int32
    }

    /// The bytes of all values.
    ///
    /// The first is a filler: a pointer to no bytes must not be nil, as nil is SQL NULL.
    private(set) var arena: [UInt8] = [0]
    private(set) var places: [Place] = []
    private var expected: [PostgresType] = []
    private var first = 0

    init() {}

    /// Begins the parameters of the next statement.
    ///
    /// - Parameter types: The types it declares.
    mutating func begin(_ types: [PostgresType]) {
        expected = types
        first = places.count
    }

    /// Ends the parameters of a statement.
    ///
    /// - Parameter name: The statement, for the error.
    /// - Throws: ``PostgresError`` of code `encoding` if values are missing.
    func end(_ name: String) throws(PostgresError) {
        guard places.count - first == expected.count else {
            throw PostgresError(
                .encoding,
                "\(places.count - first) parameters bound, \(expected.count) declared",
                statement: name
            )
        }
    }

    /// Takes back what a statement had bound.
    ///
    /// - Parameters:
    ///   - placeCount: The number of values to keep.
    ///   - byteCount: The number of bytes to keep.
    mutating func rollBack(placeCount: Int, byteCount: Int) {
        places.removeSubrange(placeCount...)
        arena.removeSubrange(byteCount...)
    }

    /// Binds the next parameter.
    ///
    /// - Parameter value: The value; an optional without one is SQL NULL.
    /// - Throws: ``PostgresError`` of code `encoding` if the declared type differs or the value has no binary form.
    package mutating func append<T: PostgresEncodable>(_ value: T) throws(PostgresError) {
        let type = try nextType()
        guard type == .unspecified || T.canEncode(as: type) else {
            throw PostgresError(.encoding, "parameter \(places.count - first + 1) is declared as \(type)")
        }
        let start = arena.count
        if value.isPostgresNull {
            places.append(Place(offset: 0, length: -1))
        } else {
            try value.encode(into: &arena, as: type)
            try close(start)
        }
    }

    /// Binds a fixed-point number to a `numeric`.
    ///
    /// - Parameters:
    ///   - value: The number times 10^scale, nil for SQL NULL.
    ///   - scale: Its decimals.
    /// - Throws: ``PostgresError`` of code `encoding`.
    package mutating func appendNumeric(_ value: Int64?, scale: Int) throws(PostgresError) {
        try expect(.numeric)
        let start = arena.count
        guard let value else {
            places.append(Place(offset: 0, length: -1))
            return
        }
        try NumericFormat.encode(value, scale: scale, into: &arena)
        try close(start)
    }

    /// Binds fixed-point numbers to a `numeric[]`.
    ///
    /// - Parameters:
    ///   - values: The numbers times 10^scale, nil for SQL NULL.
    ///   - scale: Their decimals.
    /// - Throws: ``PostgresError`` of code `encoding`.
    package mutating func appendNumericArray(_ values: [Int64?], scale: Int) throws(PostgresError) {
        try expect(.numericArray)
        let start = arena.count
        try ArrayFormat.encode(count: values.count, element: .numeric, into: &arena) {
            (index, bytes) throws(PostgresError) -> Bool in
            guard let value = values[index] else { return false }
            try NumericFormat.encode(value, scale: scale, into: &bytes)
            return true
        }
        try close(start)
    }

    /// Binds a JSON text to a `json`, a `jsonb` or a text.
    ///
    /// - Parameter text: UTF-8; nil for SQL NULL.
    /// - Throws: ``PostgresError`` of code `encoding`.
    package mutating func appendJSON(_ text: [UInt8]?) throws(PostgresError) {
        try append(text)
    }

    /// Binds JSON texts to a `json[]` or a `jsonb[]`.
    ///
    /// - Parameter texts: UTF-8; nil for SQL NULL.
    /// - Throws: ``PostgresError`` of code `encoding`.
    package mutating func appendJSONArray(_ texts: [[UInt8]?]) throws(PostgresError) {
        let type = try nextType()
        guard type == .jsonArray || type == .jsonbArray else {
            throw PostgresError(.encoding, "parameter \(places.count - first + 1) is declared as \(type)")
        }
        let start = arena.count
        let element: PostgresType = type == .jsonArray ? .json : .jsonb
        try ArrayFormat.encode(count: texts.count, element: element, into: &arena) {
            (index, bytes) throws(PostgresError) -> Bool in
            guard let text = texts[index] else { return false }
            try text.encode(into: &bytes, as: element)
            return true
        }
        try close(start)
    }

    /// Binds byte strings to a `bytea[]`.
    ///
    /// - Parameter values: The byte strings; nil for SQL NULL.
    /// - Throws: ``PostgresError`` of code `encoding`.
    package mutating func appendByteaArray(_ values: [[UInt8]?]) throws(PostgresError) {
        try expect(.byteaArray)
        let start = arena.count
        try ArrayFormat.encode(count: values.count, element: .bytea, into: &arena) {
            (index, bytes) throws(PostgresError) -> Bool in
            guard let value = values[index] else { return false }
            bytes.append(contentsOf: value)
            return true
        }
        try close(start)
    }

    /// Binds SQL NULL.
    ///
    /// - Throws: ``PostgresError`` of code `encoding` if the statement declares no further parameter.
    package mutating func appendNull() throws(PostgresError) {
        _ = try nextType()
        places.append(Place(offset: 0, length: -1))
    }

    private func nextType() throws(PostgresError) -> PostgresType {
        let index = places.count - first
        guard index < expected.count else {
            throw PostgresError(.encoding, "more parameters bound than the \(expected.count) declared")
        }
        return expected[index]
    }

    private func expect(_ wanted: PostgresType) throws(PostgresError) {
        let type = try nextType()
        guard type == wanted || type == .unspecified else {
            throw PostgresError(.encoding, "parameter \(places.count - first + 1) is declared as \(type)")
        }
    }

    private mutating func close(_ start: Int) throws(PostgresError) {
        guard let offset = Int32(exactly: start), let length = Int32(exactly: arena.count - start) else {
            throw PostgresError(.encoding, "the parameters of a unit exceed 2 GiB")
        }
        places.append(Place(offset: offset, length: length))
    }
}

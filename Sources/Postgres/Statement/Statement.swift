/// One SQL statement: its text, its parameters and its row.
///
/// The set of statements is closed: a connection prepares them once and never evicts one. ``SQL`` is made of what stands in the
/// program, so no value can ever become part of it.
package protocol Statement<Row>: Sendable {
    /// What a row of the answer is read as.
    associatedtype Row: DecodableRow = NoRow

    /// The name it is prepared under, unique in the program: `sales.confirm`. At most 63 bytes.
    static var name: String { get }

    /// The text; parameters are `$1`, `$2`, columns are listed, never `*`.
    static var sql: SQL { get }

    /// The types of the parameters in order.
    ///
    /// Read for every unit, so a stored property wherever the type is no generic one.
    static var parameterTypes: [PostgresType] { get }

    /// Binds the parameters in order.
    ///
    /// - Parameter parameters: Where to.
    /// - Throws: ``PostgresError`` of code `encoding`.
    func bind(_ parameters: inout Parameters) throws(PostgresError)
}

extension Statement {
    package static var parameterTypes: [PostgresType] { [] }

    package func bind(_ parameters: inout Parameters) throws(PostgresError) {}
}

/// A row of an answer, read by position.
package protocol DecodableRow: Sendable {
    /// Reads the columns in order.
    ///
    /// - Parameter row: A view of the row, gone after the call.
    /// - Throws: ``PostgresError`` of code `decoding`.
    init(from row: inout RowReader) throws(PostgresError)
}

/// The row of a statement whose answer has no columns or whose columns do not matter.
package struct NoRow: DecodableRow {
    package init(from row: inout RowReader) throws(PostgresError) {}
}

/// A row of one column.
package struct SingleColumn<Value: PostgresDecodable>: DecodableRow {
    /// The column.
    package let value: Value

    package init(from row: inout RowReader) throws(PostgresError) {
        value = try row.next()
    }
}

import CLibPQ

/// An answer of the server as libpq holds it.
///
/// `@unchecked Sendable` because a PGresult is read-only once made and may then be read from any thread (manual,
/// "Behavior in Threaded Programs"); its one owner frees it in `deinit`.
@safe final class PGResult: @unchecked Sendable {
    private let handle: OpaquePointer

    /// Takes over an answer.
    ///
    /// - Parameter handle: What PQgetResult returned; freed by this object from now on.
    init(taking handle: OpaquePointer) {
        unsafe self.handle = handle
    }

    deinit {
        unsafe PQclear(handle)
    }

    /// What the answer is: rows, a command's end, an error, a synchronisation point.
    var status: ExecStatusType { unsafe PQresultStatus(handle) }

    /// The number of rows.
    var rowCount: Int { Int(unsafe PQntuples(handle)) }

    /// The number of columns.
    var columnCount: Int { Int(unsafe PQnfields(handle)) }

    /// The number in the command tag: rows inserted, updated, deleted or returned.
    var affectedRows: Int {
        guard let text = unsafe PQcmdTuples(handle) else { return 0 }
        return Int(unsafe String(cString: text)) ?? 0
    }

    /// The command tag: `COMMIT`, `INSERT 0 1`.
    var commandTag: String {
        guard let text = unsafe PQcmdStatus(handle) else { return "" }
        return unsafe String(cString: text)
    }

    /// The type of a column.
    ///
    /// - Parameter column: Its place from 0; libpq answers 0 beyond the end.
    /// - Returns: The type.
    func type(ofColumn column: Int) -> PostgresType {
        PostgresType(oid: unsafe PQftype(handle, CInt(truncatingIfNeeded: column)))
    }

    /// Whether a value is NULL.
    ///
    /// - Parameters:
    ///   - row: The row from 0.
    ///   - column: The column from 0.
    /// - Returns: Whether it is NULL.
    func isNull(row: Int, column: Int) -> Bool {
        unsafe PQgetisnull(handle, CInt(truncatingIfNeeded: row), CInt(truncatingIfNeeded: column)) != 0
    }

    /// Lends the bytes of a value.
    ///
    /// - Parameters:
    ///   - row: The row from 0.
    ///   - column: The column from 0.
    ///   - body: Takes the bytes, which are gone after it.
    /// - Returns: What `body` returned.
    /// - Throws: What `body` throws, or ``PostgresError`` of code `decoding` beyond the end.
    func withValue<Value>(
        row: Int,
        column: Int,
        _ body: (RawSpan) throws(PostgresError) -> Value
    ) throws(PostgresError) -> Value {
        let row = CInt(truncatingIfNeeded: row)
        let column = CInt(truncatingIfNeeded: column)
        guard let start = unsafe PQgetvalue(handle, row, column) else {
            throw PostgresError(.decoding, "there is no such value", outcome: .failed)
        }
        // Safe because libpq keeps the bytes until PQclear, and `self` outlives the call.
        defer { extendLifetime(self) }
        let buffer = unsafe UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(handle, row, column)))
        return try unsafe body(buffer.bytes)
    }

    /// A field of an error.
    ///
    /// - Parameter code: `PG_DIAG_SQLSTATE` and its like.
    /// - Returns: Its text, nil if the answer has none.
    private func field(_ code: Unicode.Scalar) -> String? {
        guard let text = unsafe PQresultErrorField(handle, CInt(code.value)) else { return nil }
        return unsafe String(cString: text)
    }

    /// The error this answer is, nil for one that libpq made up because the connection broke.
    var error: PostgresError? {
        guard let sqlState = field("C") else { return nil }
        return PostgresError(
            sqlState: SQLState(sqlState),
            serverMessage: field("M") ?? "",
            serverDetail: field("D"),
            serverHint: field("H"),
            constraint: field("n"),
            table: field("t"),
            position: field("P").flatMap { Int($0) },
            severity: field("V") ?? field("S"),
            routine: field("R")
        )
    }
}

/// The answers of a committed unit of work.
///
/// The rows are decoded where they are asked for, in the caller's task: the I/O thread only receives them.
package struct UnitResult: Sendable {
    private let results: [PGResult]
    private let unit: UnitOfWork

    init(results: [PGResult], unit: UnitOfWork) {
        self.results = results
        self.unit = unit
    }

    /// All rows of a statement.
    ///
    /// - Parameter slot: What adding the statement returned.
    /// - Returns: The rows in the order of the answer.
    /// - Throws: ``PostgresError`` of code `decoding`.
    package func rows<Row>(_ slot: Slot<Row>) throws(PostgresError) -> [Row] {
        let result = try answer(slot)
        var rows: [Row] = []
        rows.reserveCapacity(result.rowCount)
        for index in 0..<result.rowCount { rows.append(try decode(slot, result, index)) }
        return rows
    }

    /// The first row of a statement.
    ///
    /// - Parameter slot: What adding the statement returned.
    /// - Returns: The row, nil if there is none; further rows do not matter.
    /// - Throws: ``PostgresError`` of code `decoding`.
    package func first<Row>(_ slot: Slot<Row>) throws(PostgresError) -> Row? {
        let result = try answer(slot)
        return result.rowCount == 0 ? nil : try decode(slot, result, 0)
    }

    /// The one row of a statement.
    ///
    /// - Parameter slot: What adding the statement returned.
    /// - Returns: The row.
    /// - Throws: ``PostgresError`` of code `decoding`, or `unexpectedRowCount` for none or more than one.
    package func one<Row>(_ slot: Slot<Row>) throws(PostgresError) -> Row {
        let result = try answer(slot)
        guard result.rowCount == 1 else {
            let error = PostgresError(
                .unexpectedRowCount,
                "\(result.rowCount) rows where there must be one",
                outcome: .failed
            )
            throw named(error, slot)
        }
        return try decode(slot, result, 0)
    }

    /// The number of rows a statement inserted, updated, deleted or returned.
    ///
    /// - Parameter slot: What adding the statement returned.
    /// - Returns: The number; 0 for a slot of another unit.
    package func affectedRows<Row>(_ slot: Slot<Row>) -> Int {
        results.indices.contains(slot.index) ? results[slot.index].affectedRows : 0
    }

    private func answer<Row>(_ slot: Slot<Row>) throws(PostgresError) -> PGResult {
        guard results.indices.contains(slot.index) else {
            throw PostgresError(.decoding, "the slot belongs to another unit", outcome: .failed)
        }
        return results[slot.index]
    }

    private func decode<Row>(_ slot: Slot<Row>, _ result: PGResult, _ index: Int) throws(PostgresError) -> Row {
        var reader = RowReader(result: result, row: index)
        do {
            return try Row(from: &reader)
        } catch {
            throw named(error, slot)
        }
    }

    private func named<Row>(_ error: PostgresError, _ slot: Slot<Row>) -> PostgresError {
        guard let name = unit.name(at: slot.index) else { return error }
        return error.with(statement: name)
    }
}

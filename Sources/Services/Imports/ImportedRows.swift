import Domain
import Postgres

/// What the rows of a file are: how one is read, and how a batch of them goes in.
protocol ImportedRows {
    /// A row that was understood.
    associatedtype Row: Sendable

    /// What one is called.
    var noun: String { get }

    /// How many go in at once.
    var batchRows: Int { get }

    /// Reads what rows are held against while they are read.
    mutating func prepare(_ session: ImportSession) async throws

    /// Takes the header.
    ///
    /// - Parameter header: the file's first record.
    /// - Returns: the names of the columns that nothing is read from.
    /// - Throws: `ImportMapping.Fault` if it lacks a column, or the mapping names a field that does not exist.
    mutating func open(_ header: borrowing FileRecord) throws(ImportMapping.Fault) -> [String]

    /// Reads one record.
    ///
    /// - Parameter record: a record behind the header.
    /// - Returns: the row.
    /// - Throws: `RowRejection` with everything that is wrong with it.
    mutating func read(_ record: borrowing FileRecord) throws(RowRejection) -> Row

    /// The line of the file that a row begins at.
    func line(of row: Row) -> Int

    /// What a later row must not name again.
    func keys(of row: Row) -> [String]

    /// Told of a record that ``read(_:)`` refused.
    mutating func note(refused record: borrowing FileRecord)

    /// The rows that go in next, which leave nothing behind that belongs to them.
    ///
    /// - Parameters:
    ///   - rows: those that wait.
    ///   - isLast: whether none comes behind these.
    /// - Returns: the first of them, none if more has to be read before.
    func batch(of rows: ArraySlice<Row>, isLast: Bool) -> ArraySlice<Row>

    /// Makes what the rows of a batch tell of, and nothing of it if one of them tells of what is there already; nil where batches
    /// have to follow each other. Answers what became of each row, nil if nothing was made.
    var makingNew: MakingNew<Row>? { get }

    /// Applies a batch, as a transaction of its own or as a part of the one that is open.
    ///
    /// - Parameters:
    ///   - rows: the batch.
    ///   - session: where.
    /// - Returns: what became of each row.
    /// - Throws: ``ImportFailure``, `PostgresError`.
    func apply(_ rows: ArraySlice<Row>, in session: ImportSession) async throws -> [ImportedRow]
}

/// How a batch goes in that may go in beside others.
typealias MakingNew<Row> = @Sendable (_ rows: ArraySlice<Row>, _ session: ImportSession) async throws -> [ImportedRow]?

extension ImportedRows {
    var makingNew: MakingNew<Row>? { nil }

    mutating func note(refused record: borrowing FileRecord) {}

    func batch(of rows: ArraySlice<Row>, isLast: Bool) -> ArraySlice<Row> { rows.prefix(batchRows) }
}

/// What became of a row of a batch.
struct ImportedRow: DecodableRow {
    /// The row's place in the batch, counted from 0.
    let place: Int32
    /// `created`, `updated`, `unchanged` or `refused`.
    let outcome: String
    /// Why it was refused: a JSON array of errors, as a batch's problem has them.
    let errors: String?

    init(place: Int32, outcome: String, errors: String?) {
        self.place = place
        self.outcome = outcome
        self.errors = errors
    }

    init(from row: inout RowReader) throws(PostgresError) {
        place = try row.next()
        outcome = try row.next()
        errors = try row.next()
    }
}

import Domain
import Kernel
import Postgres

/// What a file says is on the shelves: of each product, found by `external_id`, else by `sku`, at a location.
///
/// Each level is brought to what its row says, so that the same file again moves nothing.
struct StockRows: ImportedRows {
    let noun = "product there"
    let batchRows = 1_000

    private let options: RecordsImport.Options
    private var reader: RecordRowReader?

    init(_ options: RecordsImport.Options) { self.options = options }

    mutating func prepare(_ session: ImportSession) async throws {}

    mutating func open(_ header: borrowing FileRecord) throws(ImportMapping.Fault) -> [String] {
        let reader = try RecordRowReader(
            RecordField.ofStock,
            foundBy: ("sku", "external_id"),
            mapping: options.mapping,
            header: header
        )
        self.reader = reader
        return reader.unusedColumns
    }

    func read(_ record: borrowing FileRecord) throws(RowRejection) -> RecordRow {
        guard let row = try reader?.read(record) else {
            throw RowRejection(line: record.line, code: .valueInvalid, reason: "there is no header")
        }
        return row
    }

    func line(of row: RecordRow) -> Int { row.line }

    func keys(of row: RecordRow) -> [String] {
        let place = Text.folded(row.texts["location"] ?? "")
        if let id = row.texts["external_id"] { return ["id \(id) \(place)"] }
        return row.texts["sku"].map { ["sku \(Text.folded($0)) \(place)"] } ?? []
    }

    func apply(_ rows: ArraySlice<RecordRow>, in session: ImportSession) async throws -> [ImportedRow] {
        try await session.all(ImportLevels(rows: rows.map(\.json)))
    }
}

/// Brings the levels of a batch to what its rows say, and leaves out those that can not be.
private struct ImportLevels: Statement {
    static let name = "imports.levels"
    static let sql: SQL = """
        SELECT r.place, r.outcome, r.errors::text FROM stock.import_levels($1, $2) r ORDER BY r.place
        """
    static let parameterTypes: [PostgresType] = [.uuidArray, .jsonArray]
    typealias Row = ImportedRow

    let rows: [[UInt8]]
    private let ids: [MovementID]

    init(rows: [[UInt8]]) {
        self.rows = rows
        ids = rows.map { _ in MovementID.make() }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(ids)
        try parameters.appendJSONArray(rows)
    }
}

import Domain
import Kernel
import Postgres

/// Records of a file that have nothing below them: categories, units, customers, suppliers.
///
/// They are found by `external_id`, else by their name, and written by `stock.import_records`, which knows the rules of each kind.
struct RecordRows: ImportedRows {
    let noun: String
    /// A category may lie in one that comes behind it, so that all of them go in at once.
    var batchRows: Int { noun == "category" ? .max : 1_000 }

    private let fields: [RecordField]
    private let options: RecordsImport.Options
    private var reader: RecordRowReader?

    init(_ noun: String, _ fields: [RecordField], _ options: RecordsImport.Options) {
        self.noun = noun
        self.fields = fields
        self.options = options
    }

    mutating func prepare(_ session: ImportSession) async throws {}

    mutating func open(_ header: borrowing FileRecord) throws(ImportMapping.Fault) -> [String] {
        let reader = try RecordRowReader(fields, mapping: options.mapping, header: header)
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
        if let id = row.texts["external_id"] { return ["id " + id] }
        return row.texts["name"].map { ["name " + Text.folded($0)] } ?? []
    }

    func apply(_ rows: ArraySlice<RecordRow>, in session: ImportSession) async throws -> [ImportedRow] {
        try await session.all(ImportRecords(kind: noun, rows: rows.map(\.json), insertsOnly: options.insertsOnly))
    }
}

/// Makes and changes the records of a batch, and leaves out those that can not be applied.
struct ImportRecords: Statement {
    static let name = "imports.records"
    static let sql: SQL = """
        SELECT r.place, r.outcome, r.errors::text FROM stock.import_records($1, $2, $3, $4) r ORDER BY r.place
        """
    static let parameterTypes: [PostgresType] = [.text, .uuidArray, .jsonArray, .bool]
    typealias Row = ImportedRow

    let kind: String
    let rows: [[UInt8]]
    let insertsOnly: Bool
    /// The ids of those that turn out to be new, in the order of the file.
    private let ids: [ID<RecordRow>]

    init(kind: String, rows: [[UInt8]], insertsOnly: Bool) {
        self.kind = kind
        self.rows = rows
        self.insertsOnly = insertsOnly
        ids = rows.map { _ in ID.make() }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(kind)
        try parameters.append(ids)
        try parameters.appendJSONArray(rows)
        try parameters.append(insertsOnly)
    }
}

import Domain
import Kernel
import Postgres

/// Rows of a file that are told in one piece: categories, units, customers, suppliers, and what is on hand of products.
///
/// They are found by `external_id`, else by the name or the SKU that they have, and written by a function of the database, which knows the
/// rules of each kind.
struct RecordRows: ImportedRows {
    /// Writes a batch, as a transaction of its own or as a part of the one that is open.
    typealias Writer = (_ rows: [[UInt8]], _ session: ImportSession) async throws -> [ImportedRow]

    let noun: String
    let batchRows: Int

    private let fields: [RecordField]
    private let identity: (first: String, second: String)
    private let mapping: ImportMapping
    private let write: Writer
    private var reader: RecordRowReader?

    /// Records of a kind, found by their name where they have no `external_id`.
    init(_ kind: String, _ fields: [RecordField], _ options: RecordsImport.Options) {
        noun = kind
        // A category may lie in one that comes behind it, so that all of them go in at once.
        batchRows = kind == "category" ? .max : 1_000
        self.fields = fields
        identity = ("name", "external_id")
        mapping = options.mapping
        write = { try await $1.all(ImportRecords(kind: kind, rows: $0, insertsOnly: options.insertsOnly)) }
    }

    /// What is on hand of products at locations: each level is brought to what its row says, so that the same file again moves nothing.
    init(stock options: RecordsImport.Options) {
        noun = "product there"
        batchRows = 1_000
        fields = RecordField.ofStock
        identity = ("sku", "external_id")
        mapping = options.mapping
        write = { try await $1.all(ImportLevels(rows: $0)) }
    }

    mutating func prepare(_ session: ImportSession) async throws {}

    mutating func open(_ header: borrowing FileRecord) throws(ImportMapping.Fault) -> [String] {
        let reader = try RecordRowReader(fields, foundBy: identity, mapping: mapping, header: header)
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
        // The same product may be at several.
        let place = Text.folded(row.texts["location"] ?? "")
        if let id = row.texts["external_id"] { return ["id \(id) \(place)"] }
        return row.texts[identity.first].map { ["\(identity.first) \(Text.folded($0)) \(place)"] } ?? []
    }

    func apply(_ rows: ArraySlice<RecordRow>, in session: ImportSession) async throws -> [ImportedRow] {
        try await write(rows.map(\.json), session)
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

/// Brings the levels of a batch to what its rows say, and leaves out those that can not be.
struct ImportLevels: Statement {
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

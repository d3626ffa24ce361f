import Domain
import Kernel
import Postgres

/// Rows of a file that are told in one piece: categories, units, customers, suppliers, what is on hand of products, what they are sold
/// for, and what was spent.
///
/// Each kind is written by a function of the database, which knows its rules and takes a batch of rows at once.
struct RecordRows: ImportedRows {
    /// Writes a batch, as a transaction of its own or as a part of the one that is open.
    typealias Writer = (_ rows: ArraySlice<RecordRow>, _ session: ImportSession) async throws -> [ImportedRow]

    let batchRows: Int

    private let shape: RecordShape
    private let mapping: ImportMapping
    private let write: Writer
    private var reader: RecordRowReader?

    private init(
        _ shape: RecordShape,
        _ options: RecordsImport.Options,
        batchRows: Int = 1_000,
        write: @escaping Writer
    ) {
        self.shape = shape
        self.batchRows = batchRows
        self.write = write
        mapping = options.mapping
    }

    /// Records of a kind, found by `external_id`, else by their name.
    init(records shape: RecordShape, _ options: RecordsImport.Options) {
        let kind = shape.noun
        // A category may lie in one that comes behind it, so that all of them go in at once.
        self.init(shape, options, batchRows: kind == "category" ? .max : 1_000) { rows, session in
            try await session.all(
                ImportRecords(kind: kind, rows: rows.map(\.json), insertsOnly: options.insertsOnly)
            )
        }
    }

    /// What is on hand of products at locations: each level is brought to what its row says, so that the same file again moves nothing.
    init(stock options: RecordsImport.Options) {
        self.init(.stock, options) { rows, session in
            try await session.all(
                ImportLevels(ids: rows.map { _ in ID.make() }, rows: rows.map(\.json))
            )
        }
    }

    /// What products and their packagings are sold for, of those that there are.
    init(prices options: RecordsImport.Options) {
        self.init(.prices, options) { rows, session in try await session.all(ImportPrices(rows: rows.map(\.json))) }
    }

    /// What was spent: each row is one expense, whose id follows from what the file calls it.
    init(expenses options: RecordsImport.Options) {
        let identity = ImportIdentity(tenant: options.tenant)
        self.init(.expenses, options) { rows, session in
            try await session.all(
                ImportExpenses(
                    ids: rows.map { ID(identity.entry("expense", named: $0.texts["external_id"] ?? "")) },
                    rows: rows.map(\.json)
                )
            )
        }
    }

    var noun: String { shape.noun }

    mutating func prepare(_ session: ImportSession) async throws {}

    mutating func open(_ header: borrowing FileRecord) throws(ImportMapping.Fault) -> [String] {
        let reader = try RecordRowReader(shape, mapping: mapping, header: header)
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
        // The same product may be at several locations, and have several packagings.
        let place = shape.within.flatMap { row.texts[$0] }.map(Text.folded) ?? ""
        if let id = row.texts["external_id"] { return ["id \(id) \(place)"] }
        return row.texts[shape.identity.first].map { ["\(shape.identity.first) \(Text.folded($0)) \(place)"] } ?? []
    }

    func apply(_ rows: ArraySlice<RecordRow>, in session: ImportSession) async throws -> [ImportedRow] {
        try await write(rows, session)
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

/// Writes the rows of a batch, each with an id for what it makes, and leaves out those that can not be written.
protocol ImportBatch: Statement where Row == ImportedRow {
    var ids: [ID<RecordRow>] { get }
    var rows: [[UInt8]] { get }
}

extension ImportBatch {
    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(ids)
        try parameters.appendJSONArray(rows)
    }
}

/// Brings the levels of a batch to what its rows say, by a movement each.
struct ImportLevels: ImportBatch, Statement {
    static let name = "imports.levels"
    static let sql: SQL = """
        SELECT r.place, r.outcome, r.errors::text FROM stock.import_levels($1, $2) r ORDER BY r.place
        """
    static let parameterTypes: [PostgresType] = [.uuidArray, .jsonArray]
    typealias Row = ImportedRow

    let ids: [ID<RecordRow>]
    let rows: [[UInt8]]
}

/// Records the expenses of a batch, with their rows of the ledger.
struct ImportExpenses: ImportBatch, Statement {
    static let name = "imports.expenses"
    static let sql: SQL = """
        SELECT r.place, r.outcome, r.errors::text FROM stock.import_expenses($1, $2) r ORDER BY r.place
        """
    static let parameterTypes: [PostgresType] = [.uuidArray, .jsonArray]
    typealias Row = ImportedRow

    let ids: [ID<RecordRow>]
    let rows: [[UInt8]]
}

/// Gives the products and packagings of a batch the prices that their rows say.
struct ImportPrices: Statement {
    static let name = "imports.prices"
    static let sql: SQL = "SELECT r.place, r.outcome, r.errors::text FROM stock.import_prices($1) r ORDER BY r.place"
    static let parameterTypes: [PostgresType] = [.jsonArray]
    typealias Row = ImportedRow

    let rows: [[UInt8]]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.appendJSONArray(rows)
    }
}

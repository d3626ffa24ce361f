import Domain
import Kernel
import Postgres

/// Rows of a file that are told in one piece: categories, units, customers, suppliers, what is on hand of products, what they are sold
/// for, what was spent, and what came in for sales.
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
    /// The documents of which a row could not be read.
    private var torn: Set<[String]> = []
    /// The document that was read last, and how many rows of it were.
    private var last: (document: [String], rows: Int) = ([], 0)

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
    init(expenses options: RecordsImport.Options, identity: ImportIdentity) {
        self.init(.expenses, options) { rows, session in
            try await session.all(
                ImportExpenses(
                    ids: rows.map { ID(identity.entry("expense", named: $0.texts["external_id"] ?? "")) },
                    rows: rows.map(\.json)
                )
            )
        }
    }

    /// What came in for sales: each row is one payment, whose id follows from what the file calls it.
    init(payments options: RecordsImport.Options, identity: ImportIdentity) {
        self.init(.payments, options) { rows, session in
            try await session.all(
                ImportPayments(
                    ids: rows.map { ID(identity.entry("payment", named: $0.texts["external_id"] ?? "")) },
                    rows: rows.map(\.json)
                )
            )
        }
    }

    /// What was bought: rows of a purchase stand together, and go in together.
    init(purchases options: RecordsImport.Options) {
        self.init(.purchases, options) { rows, session in
            try await session.all(ImportPurchases(ids: rows.map { _ in ID.make() }, rows: rows.map(\.json)))
        }
    }

    var noun: String { shape.noun }

    mutating func prepare(_ session: ImportSession) async throws {}

    mutating func open(_ header: borrowing FileRecord) throws(ImportMapping.Fault) -> [String] {
        let reader = try RecordRowReader(shape, mapping: mapping, header: header)
        self.reader = reader
        return reader.unusedColumns
    }

    mutating func read(_ record: borrowing FileRecord) throws(RowRejection) -> RecordRow {
        guard let row = try reader?.read(record) else {
            throw RowRejection(line: record.line, code: .valueInvalid, reason: "there is no header")
        }
        if !shape.document.isEmpty {
            let document = document(of: row)
            last = (document, document == last.document ? last.rows + 1 : 1)
            // Its rows are kept until they are all there.
            guard last.rows <= DocumentLimits.lines else {
                let reason = "its \(shape.noun) has more than \(DocumentLimits.lines) lines"
                throw RowRejection(line: row.line, code: .valueInvalid, reason: reason)
            }
        }
        return row
    }

    func line(of row: RecordRow) -> Int { row.line }

    mutating func note(refused record: borrowing FileRecord) {
        if let document = reader?.document(of: record) { torn.insert(document) }
    }

    func batch(of rows: ArraySlice<RecordRow>, isLast: Bool) -> ArraySlice<RecordRow> {
        var batch = rows.prefix(batchRows)
        guard !shape.document.isEmpty, let last = batch.last else { return batch }
        let document = document(of: last)
        let end = rows[batch.endIndex...].firstIndex { self.document(of: $0) != document }
        batch = rows[..<(end ?? rows.endIndex)]
        // What is read last may go on.
        if end == nil, !isLast {
            while let row = batch.last, self.document(of: row) == document { batch.removeLast() }
        }
        return batch
    }

    private func document(of row: RecordRow) -> [String] { shape.document.map { row.texts[$0] ?? "" } }

    func keys(of row: RecordRow) -> [String] {
        // A document may have several lines of a product.
        if !shape.document.isEmpty { return [] }
        // The same product may be at several locations, and have several packagings.
        let place = shape.within.flatMap { row.texts[$0] }.map(Text.folded) ?? ""
        if let id = row.texts["external_id"] { return ["id \(id) \(place)"] }
        return row.texts[shape.identity.first].map { ["\(shape.identity.first) \(Text.folded($0)) \(place)"] } ?? []
    }

    func apply(_ rows: ArraySlice<RecordRow>, in session: ImportSession) async throws -> [ImportedRow] {
        guard !torn.isEmpty else { return try await write(rows, session) }
        var places: [Int32] = []
        var sound: [RecordRow] = []
        var outcomes: [ImportedRow] = []
        for (place, row) in zip(Int32(0)..., rows) {
            if torn.contains(document(of: row)) {
                outcomes.append(ImportedRow(place: place, outcome: "refused", errors: Self.tornError))
            } else {
                places.append(place)
                sound.append(row)
            }
        }
        if sound.isEmpty { return outcomes }
        for row in try await write(sound[...], session) where places.indices.contains(Int(row.place)) {
            outcomes.append(
                ImportedRow(place: places[Int(row.place)], outcome: row.outcome, errors: row.errors)
            )
        }
        return outcomes.sorted { $0.place < $1.place }
    }

    private static let tornError =
        #"[{"pointer":"","code":"document_rejected","detail":"Another row of its document was rejected."}]"#
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

/// Takes the payments of a batch, each for a sale or for what a customer owes.
struct ImportPayments: ImportBatch, Statement {
    static let name = "imports.payments"
    static let sql: SQL = """
        SELECT r.place, r.outcome, r.errors::text FROM stock.import_payments($1, $2) r ORDER BY r.place
        """
    static let parameterTypes: [PostgresType] = [.uuidArray, .jsonArray]
    typealias Row = ImportedRow

    let ids: [ID<RecordRow>]
    let rows: [[UInt8]]
}

/// Records the purchases of a batch, with what came.
struct ImportPurchases: ImportBatch, Statement {
    static let name = "imports.purchases"
    static let sql: SQL = """
        SELECT r.place, r.outcome, r.errors::text FROM stock.import_purchases($1, $2) r ORDER BY r.place
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

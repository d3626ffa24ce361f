import Domain
import Kernel
import Postgres

/// Makes the temporary tables of an import, and sure that no other import of the tenant runs.
struct OpenImport: Statement {
    static let name = "imports.open"
    static let sql: SQL = "SELECT stock.import_open()"
}

/// Drops the temporary tables of an import.
struct CloseImport: Statement {
    static let name = "imports.close"
    static let sql: SQL = "SELECT stock.import_close()"
}

/// The unit that products made by an import get: the tenant's first.
struct FirstUnit: Statement {
    static let name = "imports.first_unit"
    static let sql: SQL = """
        SELECT u.id, u.decimals::integer
        FROM stock.unit u
        WHERE u.tenant_id = stock.current_tenant()
        ORDER BY u.created_at, u.id
        LIMIT 1
        """

    struct Row: DecodableRow {
        let id: PostgresUUID
        let decimals: Int32

        init(from row: inout RowReader) throws(PostgresError) {
            id = try row.next()
            decimals = try row.next()
        }
    }
}

/// Makes the unit of a tenant that has none.
struct CreateFirstUnit: Statement {
    static let name = "imports.create_first_unit"
    static let sql: SQL = """
        INSERT INTO stock.unit (tenant_id, id, name, symbol, decimals)
        VALUES (stock.current_tenant(), $1, 'Piece', 'pc', 0)
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    let id: PostgresUUID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
    }
}

/// Holds the staged file against the tenant's data.
struct CheckSales: Statement {
    static let name = "imports.check_sales"
    static let sql: SQL = "SELECT c.unchanged, c.rejected FROM stock.import_sales_check($1) c"
    static let parameterTypes: [PostgresType] = [.int4]

    /// The decimals of the unit that missing products get; nil if none are made.
    let unitDecimals: Int32?

    struct Row: DecodableRow {
        let unchanged: Int64
        let rejected: Int64

        init(from row: inout RowReader) throws(PostgresError) {
            unchanged = try row.next()
            rejected = try row.next()
        }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(unitDecimals)
    }
}

/// Refuses rows that are paid by no active method of the tenant, or name a customer, a till or a place that there is not, after
/// everything else was held against its data.
struct CheckImportedParties: Statement {
    static let name = "imports.check_parties"
    static let sql: SQL = "SELECT stock.import_check_methods($1) + stock.import_check_parties()"
    static let parameterTypes: [PostgresType] = [.text]
    typealias Row = SingleColumn<Int64>

    /// That of documents of which the file names none.
    let method: PaymentMethodCode

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(method.rawValue)
    }
}

/// Makes the products the file names and the tenant lacks.
struct CreateImportedProducts: Statement {
    static let name = "imports.create_products"
    static let sql: SQL = "SELECT stock.import_create_products($1)"
    static let parameterTypes: [PostgresType] = [.uuid]
    typealias Row = SingleColumn<Int64>

    let unit: PostgresUUID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(unit)
    }
}

/// Cuts what goes in into chunks of whole documents.
struct PlanSales: Statement {
    static let name = "imports.plan_sales"
    static let sql: SQL = """
        SELECT p.chunk, p.first_document, p.last_document, p.documents, p.rows FROM stock.import_cut($1, $2) p
        """
    static let parameterTypes: [PostgresType] = [.int4, .bool]

    let chunkRows: Int32
    /// Whether sales of what is not there are refused.
    let asksStock: Bool

    /// A chunk.
    struct Row: DecodableRow {
        /// Its number in the file, counted from 0; chunks of which nothing goes in are left out.
        let number: Int32
        let first: Int32
        let last: Int32
        let documents: Int64
        let rows: Int64

        init(from row: inout RowReader) throws(PostgresError) {
            number = try row.next()
            first = try row.next()
            last = try row.next()
            documents = try row.next()
            rows = try row.next()
        }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(chunkRows)
        try parameters.append(asksStock)
    }
}

/// Notes that a file is being imported.
struct BeginImport: Statement {
    static let name = "imports.begin"
    static let sql: SQL = "SELECT stock.import_begin($1, $2, $3, $4, $5, $6)"
    static let parameterTypes: [PostgresType] = [.uuid, .text, .text, .text, .bytea, .json]

    let job: PostgresUUID
    let kind: ImportMapping.Kind
    let onError: ImportErrorPolicy
    let fileName: String
    let fileHash: [UInt8]
    /// JSON text.
    let options: [UInt8]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(job)
        try parameters.append(kind.rawValue)
        try parameters.append(onError.rawValue)
        try parameters.append(fileName)
        try parameters.append(fileHash)
        try parameters.appendJSON(options)
    }
}

/// Writes what of a chunk must follow the order of the file: levels and movements, numbers, returns.
struct ApplySales: Statement {
    static let name = "imports.apply_sales"
    static let sql: SQL = "SELECT stock.import_apply($1, $2, $3, $4, $5, $6, $7)"
    static let parameterTypes: [PostgresType] = [.int4, .int4, .text, .uuid, .bool, .bool, .bool]
    typealias Row = SingleColumn<Int64>

    let chunk: PlanSales.Row
    let method: PaymentMethodCode
    let job: PostgresUUID
    let aborts: Bool
    /// Whether ``DraftSales`` ran in the same transaction.
    let isDrafted: Bool
    /// Whether sales of what is not there are refused.
    let asksStock: Bool

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(chunk.first)
        try parameters.append(chunk.last)
        try parameters.append(method.rawValue)
        try parameters.append(job)
        try parameters.append(aborts)
        try parameters.append(isDrafted)
        try parameters.append(asksStock)
    }
}

/// Writes the part of a chunk that waits for nothing: its sales as drafts, with their lines and payments.
struct DraftSales: Statement {
    static let name = "imports.draft_sales"
    static let sql: SQL = "SELECT stock.import_draft($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.int4, .int4, .text]

    let chunk: PlanSales.Row
    let method: PaymentMethodCode

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(chunk.first)
        try parameters.append(chunk.last)
        try parameters.append(method.rawValue)
    }
}

/// Whether the file sells products that must not be oversold.
struct SellsBoundedProducts: Statement {
    static let name = "imports.is_bounded"
    static let sql: SQL = "SELECT stock.import_sells_bounded($1, $2)"
    static let parameterTypes: [PostgresType] = [.int4, .int4]
    typealias Row = SingleColumn<Bool>

    let first: Int32
    let last: Int32

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(first)
        try parameters.append(last)
    }
}

/// Makes the tables of a session that writes every other chunk.
struct OpenAssist: Statement {
    static let name = "imports.assist"
    static let sql: SQL = "SELECT stock.import_second_open()"
}

/// Indexes them, once they are filled.
struct FinishAssist: Statement {
    static let name = "imports.assist_copied"
    static let sql: SQL = "SELECT stock.import_second_copied()"
}

/// Forgets the plans of the session, which were made when its tables were smaller.
struct DiscardPlans: Statement {
    static let name = "imports.discard_plans"
    static let sql: SQL = "DISCARD PLANS"
}

/// The rows refused against the tenant's data, in the order of the file.
struct ImportRejections: Statement {
    static let name = "imports.rejections"
    static let sql: SQL = """
        SELECT r.line, r.code, r.reason, r.kind::integer
        FROM pg_temp.import_reject r
        WHERE r.line > $1
        ORDER BY r.line
        LIMIT 50000
        """
    static let parameterTypes: [PostgresType] = [.int4]

    let afterLine: Int32

    struct Row: DecodableRow {
        let line: Int32
        let code: String
        let reason: String
        let kind: SaleRow.Kind

        init(from row: inout RowReader) throws(PostgresError) {
            line = try row.next()
            code = try row.next()
            reason = try row.next()
            kind = SaleRow.Kind(rawValue: UInt8(clamping: try row.next(Int32.self))) ?? .sale
        }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(afterLine)
    }
}

/// Ends a file's import with its figures.
struct FinishImport: Statement {
    static let name = "imports.finish"
    static let sql: SQL = "SELECT stock.import_finish($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .int8, .int8]

    let job: PostgresUUID
    let rows: Int64
    let rejected: Int64

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(job)
        try parameters.append(rows)
        try parameters.append(rejected)
    }
}

import Domain
import Kernel
import Postgres

/// How long an import is its worker's without a word of it, in seconds: whoever is silent for longer is taken for dead.
let importLeaseSeconds: Int32 = 30

/// Takes the next import of any tenant.
struct ClaimImport: Statement {
    static let name = "imports.claim"
    static let sql: SQL = """
        SELECT c.tenant_id, c.id, c.kind, coalesce(c.name, ''), c.options::text
        FROM stock.import_claim($1, $2 * interval '1 second', $3) c
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int4, .int4]

    let worker: EntityID
    /// How many workers may die with it before it is set aside.
    let deaths: Int32

    /// An import that is this worker's now.
    struct Row: DecodableRow {
        let tenant: TenantID
        let id: ImportRequestID
        let kind: String
        let name: String
        let options: String

        init(from row: inout RowReader) throws(PostgresError) {
            tenant = TenantID(rawValue: try row.next())
            id = try row.next()
            kind = try row.next()
            name = try row.next()
            options = try row.next()
        }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(ID<Entity>(worker))
        try parameters.append(importLeaseSeconds)
        try parameters.append(deaths)
    }
}

/// Says how far an import is, and that its worker lives.
struct BeatImport: Statement {
    static let name = "imports.beat"
    static let sql: SQL = "SELECT stock.import_beat($1, $2 * interval '1 second', $3, $4, $5, $6, $7, $8)"
    static let parameterTypes: [PostgresType] = [.uuid, .int4, .uuid, .text, .int8, .int8, .int8, .int8]
    typealias Row = SingleColumn<String>

    let worker: EntityID
    let id: ImportRequestID
    let progress: ImportLedger.Progress

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(ID<Entity>(worker))
        try parameters.append(importLeaseSeconds)
        try parameters.append(id)
        try parameters.append(progress.phase)
        try parameters.append(Int64(progress.bytesRead))
        try parameters.append(Int64(progress.rows))
        try parameters.append(Int64(progress.rowsWritten))
        try parameters.append(progress.rowsToWrite.map { Int64($0) })
    }
}

/// Keeps rows that were rejected.
struct KeepRejections: Statement {
    static let name = "imports.reject"
    static let sql: SQL = "SELECT stock.import_reject($1, $2, $3, $4)"
    static let parameterTypes: [PostgresType] = [.uuid, .int4Array, .textArray, .textArray]

    let id: ImportRequestID
    let rejections: ArraySlice<RowRejection>

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(rejections.map { Int32(clamping: $0.line) })
        try parameters.append(rejections.map(\.code.rawValue))
        try parameters.append(rejections.map(\.reason))
    }
}

/// The rows of some lines that were rejected, in order.
struct RejectionsOfLines: Statement {
    static let name = "imports.rejections_of_lines"
    static let sql: SQL = """
        SELECT j.line, j.code, j.reason FROM stock.import_rejection j
        WHERE j.tenant_id = stock.current_tenant() AND j.request_id = $1 AND j.line > $2 AND j.line <= $3
        ORDER BY j.line
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int4, .int4]

    let id: ImportRequestID
    let after: Int32
    let last: Int32

    struct Row: DecodableRow {
        let rejection: RowRejection

        init(from row: inout RowReader) throws(PostgresError) {
            let line: Int32 = try row.next()
            rejection = RowRejection(line: Int(line), code: try row.nextCase(), reason: try row.next())
        }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(after)
        try parameters.append(last)
    }
}

/// Keeps rejected rows as they stand in the file.
struct KeepRecords: Statement {
    static let name = "imports.record"
    static let sql: SQL = "SELECT stock.import_record($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .int4Array, .byteaArray]

    let id: ImportRequestID
    let records: [(line: Int, bytes: [UInt8])]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(records.map { Int32(clamping: $0.line) })
        try parameters.appendByteaArray(records.map(\.bytes))
    }
}

/// A slice of a part of a file; no row if there is no such part.
struct ReadImportPart: Statement {
    static let name = "imports.read_part"
    static let sql: SQL = """
        SELECT substring(p.content FROM $3 FOR $4) FROM stock.import_part p
        WHERE p.tenant_id = stock.current_tenant() AND p.request_id = $1 AND p.number = $2
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int4, .int4, .int4]

    let id: ImportRequestID
    let number: Int32
    /// Bytes before the slice.
    let offset: Int32
    let count: Int32

    struct Row: DecodableRow {
        let bytes: [UInt8]

        init(from row: inout RowReader) throws(PostgresError) { bytes = try row.nextBytes() }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(number)
        try parameters.append(offset + 1)
        try parameters.append(count)
    }
}

/// Ends an import, or gives it back.
struct EndImport: Statement {
    static let name = "imports.end"
    static let sql: SQL = "SELECT stock.import_end($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .uuid, .text, .text, .int8, .int8, .int8, .int8, .int8, .int8, .json, .bytea,
    ]
    typealias Row = SingleColumn<Bool>

    let worker: EntityID
    let id: ImportRequestID
    let end: ImportEnd

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        let figures = end.figures
        try parameters.append(ID<Entity>(worker))
        try parameters.append(id)
        try parameters.append(end.status)
        try parameters.append(end.error)
        for count in [
            figures.rows, figures.blankRows, figures.created, figures.updated, figures.unchanged, figures.rejected,
        ] {
            try parameters.append(Int64(count))
        }
        var names = JSONWriter()
        names.array { writer in
            for name in figures.unusedColumns { writer.string(name) }
        }
        try parameters.appendJSON(names.bytes)
        try parameters.append(end.rejectedHead)
    }
}

/// Gives back an import that the database has interrupted, to be tried again after a pause; it fails if that leads nowhere.
struct GiveBackImport: Statement {
    static let name = "imports.give_back"
    static let sql: SQL = "SELECT stock.import_give_back($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .uuid, .text, .int8, .int4, .int8, .int8, .int8, .int8, .int8, .int8,
    ]
    typealias Row = SingleColumn<Bool>

    let worker: EntityID
    let id: ImportRequestID
    let hindrance: ImportHindrance
    /// How often in a row it may be interrupted without coming further.
    let tries: Int32

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        let figures = hindrance.figures
        try parameters.append(ID<Entity>(worker))
        try parameters.append(id)
        try parameters.append(hindrance.reason)
        try parameters.append(Int64(hindrance.reached))
        try parameters.append(tries)
        for count in [
            figures.rows, figures.blankRows, figures.created, figures.updated, figures.unchanged, figures.rejected,
        ] {
            try parameters.append(Int64(count))
        }
    }
}

/// Removes what nobody goes on with, of a hundred tenants; the last of them, or null behind all of them.
struct SweepImports: Statement {
    static let name = "imports.sweep"
    static let sql: SQL = "SELECT stock.import_sweep($1)"
    static let parameterTypes: [PostgresType] = [.int8]
    typealias Row = SingleColumn<Int64?>

    /// Behind which tenant.
    let after: Int64

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(after) }
}

import Domain
import Kernel
import Postgres

/// Refuses what is of places to a member who works at some alone: a file names them row by row, and whoever reads it is not that member.
struct RefuseImportElsewhere: Statement {
    static let name = "imports.refuse_elsewhere"
    static let sql: SQL = "SELECT stock.import_refuse_elsewhere($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .text]

    let id: ImportRequestID
    /// What it is of; nil for one that is there.
    let kind: ImportKind?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(kind?.rawValue)
    }
}

/// Makes an import whose file is to come.
struct AskForImport: Statement {
    static let name = "imports.ask"
    static let sql: SQL = "SELECT stock.import_ask($1, $2, $3, $4, $5)"
    static let parameterTypes: [PostgresType] = [.uuid, .text, .text, .json, .int4]

    let id: ImportRequestID
    let request: ImportRequest
    /// How many of a tenant may be on their way.
    let most: Int32

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(request.kind.rawValue)
        try parameters.append(request.name)
        try parameters.appendJSON(request.options.json)
        try parameters.append(most)
    }
}

/// Takes a part of a file.
struct ReceiveImportPart: Statement {
    static let name = "imports.receive"
    static let sql: SQL = "SELECT stock.import_receive($1, $2, $3, $4)"
    static let parameterTypes: [PostgresType] = [.uuid, .int4, .bytea, .bytea]

    let id: ImportRequestID
    let number: Int32
    let content: [UInt8]
    let digest: [UInt8]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(number)
        try parameters.append(content)
        try parameters.append(digest)
    }
}

/// Queues an import whose file is here.
struct StartImport: Statement {
    static let name = "imports.start"
    static let sql: SQL = "SELECT stock.import_start($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .int4, .int8]

    let id: ImportRequestID
    let file: SentFile

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(Int32(clamping: file.parts))
        try parameters.append(Int64(file.bytes))
    }
}

/// Queues an import again.
struct ResumeImport: Statement {
    static let name = "imports.resume"
    static let sql: SQL = "SELECT stock.import_resume($1)"
    static let parameterTypes: [PostgresType] = [.uuid]

    let id: ImportRequestID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// Ends an import.
struct CancelImport: Statement {
    static let name = "imports.cancel"
    static let sql: SQL = "SELECT stock.import_cancel($1)"
    static let parameterTypes: [PostgresType] = [.uuid]

    let id: ImportRequestID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// A page of imports, the last asked for first.
struct ListImports: Statement {
    static let name = "imports.list"
    static let sql: SQL = .page(
        "stock.import_request_page($1, $2, $3 + 1)",
        along: .moment("created_at"),
        limit: "$3",
        each: "stock.import_request_body(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [.timestamptz, .uuid, .int4]

    typealias Row = PageRow

    let after: (occurredAt: Timestamp, id: ImportRequestID)?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// A page of the rows that an import rejected, in the order of the file; no row if there is no such import.
struct ListImportRejections: Statement {
    static let name = "imports.list_rejections"
    static let sql: SQL = """
        WITH placed AS (
            SELECT j.line, j.code, j.reason, row_number() OVER (ORDER BY j.line) AS place
            FROM (SELECT j.line, j.code, j.reason FROM stock.import_rejection j
                  WHERE j.tenant_id = stock.current_tenant() AND j.request_id = $1 AND j.line > $2
                  ORDER BY j.line LIMIT $3 + 1) j
        )
        SELECT string_agg((SELECT row_to_json(b)::text FROM (SELECT p.line, p.code, p.reason) b), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $3),
               CASE WHEN count(*) > $3 THEN (SELECT ARRAY[l.line::text] FROM placed l WHERE l.place = $3) END,
               \(.seen)
        FROM placed p
        HAVING EXISTS (SELECT FROM stock.import_request r WHERE r.tenant_id = stock.current_tenant() AND r.id = $1)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int4, .int4]

    typealias Row = PageRow

    let id: ImportRequestID
    /// The line of the last row before; -1 before the first.
    let after: Int32
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// What the file of rejected rows of an import begins with.
struct ReadRejectedHead: Statement {
    static let name = "imports.rejected_head"
    static let sql: SQL = """
        SELECT r.kind, r.options::text, r.status, coalesce(r.rejected_head, ''),
               r.rejected_head IS NOT NULL OR r.status IN ('completed', 'completed_with_errors')
        FROM stock.import_request r WHERE r.tenant_id = stock.current_tenant() AND r.id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    let id: ImportRequestID

    struct Row: DecodableRow {
        let kind: String
        let options: String
        let status: String
        let head: [UInt8]
        /// Whether its rejected rows were kept; true if it went through and none was rejected.
        let isKept: Bool

        init(from row: inout RowReader) throws(PostgresError) {
            kind = try row.next()
            options = try row.next()
            status = try row.next()
            head = try row.nextBytes()
            isKept = try row.next()
        }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// The next rejected rows as they stand in the file: some 256 KiB, but one at least.
struct ReadRejectedRecords: Statement {
    static let name = "imports.rejected_records"
    static let sql: SQL = """
        SELECT n.line, coalesce(n.record, '')
        FROM (SELECT j.line, j.record, sum(octet_length(j.record)) OVER (ORDER BY j.line) - octet_length(j.record) AS before
              FROM (SELECT j.line, j.record FROM stock.import_rejection j
                    WHERE j.tenant_id = stock.current_tenant() AND j.request_id = $1 AND j.line > $2
                    ORDER BY j.line LIMIT 500) j) n
        WHERE coalesce(n.before, 0) < 262144
        ORDER BY n.line
        """
    static let parameterTypes: [PostgresType] = [.uuid, .int4]

    let id: ImportRequestID
    let after: Int32

    struct Row: DecodableRow {
        let line: Int32
        let record: [UInt8]

        init(from row: inout RowReader) throws(PostgresError) {
            line = try row.next()
            record = try row.nextBytes()
        }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(after)
    }
}

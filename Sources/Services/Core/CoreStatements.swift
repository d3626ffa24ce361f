import Cache
import Kernel
import NIOCore
import Postgres

/// Takes an idempotency key, first in its unit's lock order.
struct TakeKey: Statement {
    static let name = "core.take_key"
    static let sql: StaticString = "SELECT stock.idempotency_begin($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea]

    var key: IdempotencyKey

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(key) }
}

/// The transaction's id and the modules it retires; the last statement of every writing unit.
struct CacheToken: Statement {
    static let name = "core.cache_token"
    static let sql: StaticString = "SELECT xid, modules FROM stock.cache_token()"

    struct Row: DecodableRow {
        let xid: UInt64
        let modules: [Module]

        init(from row: inout RowReader) throws(PostgresError) {
            xid = try row.next(XID8.self).rawValue
            modules = try row.next([String].self).compactMap { Module(rawValue: $0) }
        }
    }
}

/// The stored answer of a key.
struct FindRecord: Statement {
    static let name = "core.find_record"
    static let sql: StaticString = """
        SELECT r.request_hash, r.status, r.body, r.headers::json ->> 'etag', r.headers::json ->> 'location'
        FROM stock.idempotency_record r
        WHERE r.tenant_id = stock.current_tenant() AND r.route = $1 AND r.key = $2 AND r.expires_at > now()
        """
    static let parameterTypes: [PostgresType] = [.text, .text]

    var key: IdempotencyKey

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(key.route)
        try parameters.append(key.key)
    }

    struct Row: DecodableRow {
        let hash: [UInt8]
        let answer: Answer

        init(from row: inout RowReader) throws(PostgresError) {
            hash = try row.nextBytes()
            let status = try row.next(Int32.self)
            let body = try row.nextBody() ?? ByteBuffer()
            let etag = try row.next(String?.self)
            let location = try row.next(String?.self)
            answer = Answer(status: Int(status), body: body, location: location, etag: etag, replayed: true)
        }
    }
}

/// Keeps a refusal beside its key.
struct RecordRefusal: Statement {
    static let name = "core.record_refusal"
    static let sql: StaticString = """
        SELECT $4::integer, stock.idempotency_finish($1, $2, $3, $4, NULL, $5, NULL), NULL::text, NULL::text
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea, .int4, .text]

    typealias Row = AnswerRow

    var key: IdempotencyKey
    var refusal: Answer

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(key)
        try parameters.append(Int32(truncatingIfNeeded: refusal.status))
        try parameters.append(Array(refusal.body.readableBytesView))
    }
}

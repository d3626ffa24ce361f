import Cache
import Kernel
import NIOCore
import Postgres

/// Takes an idempotency key, first in its unit's lock order.
struct TakeKey: Statement {
    static let name = "core.take_key"
    static let sql: SQL = "SELECT stock.idempotency_begin($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea]

    var key: IdempotencyKey

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(key) }
}

/// The transaction's id and the modules it retires; the last statement of every writing unit.
struct CacheToken: Statement {
    static let name = "core.cache_token"
    static let sql: SQL = "SELECT xid, modules FROM stock.cache_token()"

    struct Row: DecodableRow {
        let xid: UInt64
        let modules: [Module]

        init(from row: inout RowReader) throws(PostgresError) {
            xid = try row.next(XID8.self).rawValue
            modules = try row.next([String].self).compactMap { Module(rawValue: $0) }
        }
    }
}

/// What is visible now.
struct SeenNow: Statement {
    static let name = "core.seen_now"
    static let sql: SQL = "SELECT pg_current_snapshot()"

    struct Row: DecodableRow {
        let snapshot: Snapshot

        init(from row: inout RowReader) throws(PostgresError) {
            snapshot = Snapshot(try row.next(PGSnapshot.self))
        }
    }
}

/// The stored answer of a key, and the transaction that stored it together with its effect.
struct FindRecord: Statement {
    static let name = "core.find_record"
    static let sql: SQL = """
        SELECT r.request_hash, r.status, r.body, r.headers::json ->> 'etag', r.headers::json ->> 'location',
               r.xmin::text::bigint, pg_current_snapshot()
        FROM (
            SELECT *, xmin FROM stock.idempotency_record
            WHERE tenant_id = stock.current_tenant() AND route = $1 AND key = $2
            -- By its key, not by its expiry: kept apart, as an index could serve either.
            OFFSET 0
        ) r
        WHERE r.expires_at > now()
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
        /// Whoever sees this transaction sees what the first request did.
        let xid: UInt64
        /// What the lookup saw, the record included.
        let snapshot: Snapshot

        init(from row: inout RowReader) throws(PostgresError) {
            hash = try row.nextBytes()
            let status = try row.next(Int32.self)
            let body = try row.nextBody() ?? ByteBuffer()
            let etag = try row.next(String?.self)
            let location = try row.next(String?.self)
            answer = Answer(status: Int(status), body: body, location: location, etag: etag, replayed: true)
            let xmin = UInt64(truncatingIfNeeded: try row.next(Int64.self))
            snapshot = Snapshot(try row.next(PGSnapshot.self))
            xid = Self.widened(xmin, by: snapshot)
        }
    }
}

extension FindRecord.Row {
    /// The 64-bit id of a row's `xmin`, of which only the lower half is kept.
    ///
    /// It is the youngest one below the end of the snapshot that saw the row: records live for two days, and before two thousand
    /// million more transactions PostgreSQL wants the table vacuumed. A row frozen since then was written so long ago that every
    /// snapshot sees it.
    static func widened(_ xmin: UInt64, by snapshot: Snapshot) -> UInt64 {
        let low = xmin & 0xFFFF_FFFF
        let candidate = (snapshot.xmax & ~0xFFFF_FFFF) | low
        guard candidate >= snapshot.xmax else { return candidate }
        return candidate >= 1 << 32 ? candidate - (1 << 32) : low
    }
}

/// Keeps a refusal beside its key.
struct RecordRefusal: Statement {
    static let name = "core.record_refusal"
    static let sql: SQL = """
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

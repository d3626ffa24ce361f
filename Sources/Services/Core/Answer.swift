import Kernel
package import NIOCore
package import Postgres

/// The answer to a command, as it goes out and as it is kept beside its idempotency key.
package struct Answer: Sendable, Equatable {
    /// The HTTP status.
    package var status: Int

    /// The body's bytes; empty for 204.
    package var body: ByteBuffer

    /// Where the new resource is found.
    package var location: String?

    /// The entity tag of the resource, quoted.
    package var etag: String?

    /// Whether this is the stored answer of an earlier request with the same key.
    package var replayed: Bool

    /// The value of `Stock-Consistency`: what came with the request, and this write; never stored.
    package var consistency: String?

    /// Makes an answer.
    package init(
        status: Int,
        body: ByteBuffer,
        location: String? = nil,
        etag: String? = nil,
        replayed: Bool = false,
        consistency: String? = nil
    ) {
        self.status = status
        self.body = body
        self.location = location
        self.etag = etag
        self.replayed = replayed
        self.consistency = consistency
    }
}

/// The key by which a repeated request is recognised.
package struct IdempotencyKey: Sendable, Equatable {
    /// The route's template.
    ///
    /// `POST /v1/sales/{id}/cancel`. A key belongs to its tenant and route.
    package var route: String

    /// What the client sent, 1 to 255 visible ASCII characters.
    package var key: String

    /// SHA-256 of the canonical body and of what of the path matters.
    package var requestHash: [UInt8]

    /// Makes a key.
    package init(route: String, key: String, requestHash: [UInt8]) {
        self.route = route
        self.key = key
        self.requestHash = requestHash
    }
}

/// The row that ends a writing unit: `status int4, body text or json, etag text, location text`.
///
/// Its statement passes the body through `stock.idempotency_finish`, so that answer and record are one (``Conclude``).
package struct AnswerRow: DecodableRow {
    /// The answer.
    package let answer: Answer

    package init(from row: inout RowReader) throws(PostgresError) {
        let status = try row.next(Int32.self)
        let body = try row.nextBody() ?? ByteBuffer()
        let etag = try row.next(String?.self)
        let location = try row.next(String?.self)
        answer = Answer(status: Int(status), body: body, location: location, etag: etag)
    }
}

/// A statement whose answer is a body to cache: `body text, etag text, snapshot pg_snapshot`, always one row.
///
/// A body of NULL says that there is no such thing; an etag of NULL lets the cache derive one from the bytes.
package struct BodyRow: DecodableRow {
    /// The body.
    package let body: ByteBuffer?

    /// The entity tag, quoted.
    package let etag: String?

    /// What the statement saw.
    package let snapshot: PGSnapshot

    package init(from row: inout RowReader) throws(PostgresError) {
        body = try row.nextBody()
        etag = try row.next(String?.self)
        snapshot = try row.next()
    }
}

/// A statement whose answer is a page: `data text, next text[]` and ``SQL/seen``, always one row.
///
/// `data` are the members' JSON texts joined by commas; `next` are the sort values of the last one, if more follow.
package struct PageRow: DecodableRow {
    /// The members, joined by commas; empty for none.
    package let data: ByteBuffer

    /// Where the next page begins.
    package let next: [String]?

    /// What the statement saw.
    package let snapshot: PGSnapshot

    /// The last numbered event that it saw; 0 before the first.
    package let eventSequence: Int64

    package init(from row: inout RowReader) throws(PostgresError) {
        data = try row.nextBody() ?? ByteBuffer()
        next = try row.next([String]?.self)
        snapshot = try row.next()
        eventSequence = try row.next()
    }
}

/// A statement whose answer is a list without pages: `body text` and ``SQL/seen``, always one row.
package struct ListRow: DecodableRow {
    /// The body.
    package let body: ByteBuffer

    /// What the statement saw.
    package let snapshot: PGSnapshot

    /// The last numbered event that it saw; 0 before the first.
    package let eventSequence: Int64

    package init(from row: inout RowReader) throws(PostgresError) {
        body = try row.nextBody() ?? ByteBuffer()
        snapshot = try row.next()
        eventSequence = try row.next()
    }
}

/// A statement whose answer is a page below figures of its own: `head text`, then as ``PageRow``.
///
/// `head` is the JSON text of an object with at least one member; no row says that there is nothing that it is about.
package struct HeadedPageRow: DecodableRow {
    /// The figures.
    package let head: ByteBuffer

    /// The page.
    package var page: PageRow

    package init(from row: inout RowReader) throws(PostgresError) {
        head = try row.nextBody() ?? ByteBuffer()
        page = try PageRow(from: &row)
    }
}

extension RowReader {
    /// Reads the next column, a text or json, into a buffer of its own; the one copy there is.
    package mutating func nextBody() throws(PostgresError) -> ByteBuffer? {
        try withBytes { (bytes) -> ByteBuffer? in
            guard let bytes else { return nil }
            return bytes.withUnsafeBytes { ByteBuffer(bytes: $0) }
        }
    }
}

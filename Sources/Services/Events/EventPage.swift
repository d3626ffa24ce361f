package import NIOCore
import Postgres

/// A numbered event, as clients read it.
package struct Event: Sendable {
    /// Its number: dense for each tenant, in the order of commits.
    package let sequence: Int64
    /// What happened: `sale.confirmed`.
    package let type: String
    /// The event as JSON.
    package let body: ByteBuffer
}

/// Some events in a row, and where a tenant's events begin and end.
package struct EventPage: Sendable {
    /// In the order of their numbers, without a hole.
    package let events: [Event]
    /// The number of the oldest event there is, or the first there will be.
    package let first: Int64
    /// The newest number given; 0 before any.
    package let head: Int64
    /// Everything up to here was looked at.
    package let last: Int64
}

/// The events numbered after one.
struct ReadEvents: Statement {
    static let name = "events.page"
    static let sql: SQL = """
        SELECT p.first, p.head, p.seq, p.type, p.body
          FROM stock.event_page($1, $2) AS p
        """
    static let parameterTypes: [PostgresType] = [.int8, .int4]

    /// nil for those from the oldest on.
    var after: Int64?
    var limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(after)
        try parameters.append(Int32(clamping: limit))
    }

    struct Row: DecodableRow {
        let first: Int64
        let head: Int64
        let event: Event?

        init(from row: inout RowReader) throws(PostgresError) {
            first = try row.next()
            head = try row.next()
            let sequence: Int64? = try row.next()
            let type: String? = try row.next()
            let body: String? = try row.next()
            if let sequence, let type, let body {
                event = Event(sequence: sequence, type: type, body: ByteBuffer(string: body))
            } else {
                event = nil
            }
        }
    }
}

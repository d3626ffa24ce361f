import Cache
import Domain
package import Kernel
package import Postgres

extension SalesService {
    /// Does what a request asks for: confirms a sale, writes one down that has happened already, or puts it away.
    ///
    /// One that has happened is not refused for stock, price, credit, a drawer that is closed or a day that is: what it would have been
    /// refused for is kept beside it, for a manager to settle. What could not have been sold at all is refused as ever.
    ///
    /// - Parameters:
    ///   - request: What is sold, or was, and when.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the sale.
    /// - Throws: 403 `forbidden` for who may not; 409 `duplicate` for an id that is taken; what refuses a sale or a draft.
    package func take(
        _ request: SaleRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        if request.purpose == .draft { return try await draft(request, context, key: key) }
        if request.purpose.fact != nil, !context.caller.may(.salesOffline) {
            throw Problem(.forbidden, "Writing down what has happened takes the scope sales:offline.")
        }
        return try await confirm(request, context, key: key)
    }

    /// A page of what sales would have been refused for, the last first.
    ///
    /// - Parameters:
    ///   - status: Open, or settled.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page, which is never kept.
    /// - Throws: 400 `cursor_mismatch`.
    package func exceptions(
        _ status: SaleException.Status,
        _ page: Page,
        _ caller: Caller
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("exceptions")
        builder.add(status.rawValue)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .sales)
        let after: (occurredAt: Timestamp, id: ID<SaleException>)? = page.afterMoment()
        return page.read(ListSaleExceptions(status: status, after: after?.id, limit: page.limit))
    }

    /// Settles an exception: somebody has looked at it, and says what was done.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - note: What was done.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the exception.
    /// - Throws: 404; 409 `invalid_state` if it is settled.
    package func settle(
        _ id: ID<SaleException>,
        note: String,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<SaleException> in
            try unit.add(SettleException(id: id, note: note, userID: context.caller.user))
            return .changed(SaleException(id))
        }
    }

    /// Every statement of what has happened.
    static let factStatements: [any Statement.Type] = [
        BeginFact.self, EndFact.self, ListSaleExceptions.self, SettleException.self,
        Conclude<SaleException>.self,
    ]
}

/// Something that a sale would have been refused for, had it not happened already.
package struct SaleException: Resource {
    /// Whether somebody has looked at it.
    package enum Status: String, Sendable, CaseIterable {
        case open
        case settled
    }

    package static let name = "sales.exception"
    package static let collection = "/v1/exceptions"
    package static let sql: SQL = """
        SELECT stock.sale_exception_body(e.tenant_id, e.id), NULL::text
        FROM stock.sale_exception e
        WHERE e.tenant_id = stock.current_tenant() AND e.id = $1
        """

    package let id: ID<SaleException>

    package init(_ id: ID<SaleException>) { self.id = id }
}

/// Begins a unit that writes what has happened.
struct BeginFact: Statement {
    static let name = "sales.fact_begin"
    static let sql: SQL = "SELECT stock.fact_begin()"
    static let parameterTypes: [PostgresType] = []

    func bind(_ parameters: inout Parameters) throws(PostgresError) {}
}

/// Says of a sale that it has happened, and what it would have been refused for.
struct EndFact: Statement {
    static let name = "sales.fact_end"
    static let sql: SQL = "SELECT stock.fact_end($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .timestamptz, .text]

    let id: SaleID
    let happenedAt: Timestamp
    let exceptions: [FieldError]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(happenedAt)
        var writer = JSONWriter()
        writer.array { writer in
            for exception in exceptions {
                writer.object { writer in
                    writer.member("pointer", exception.pointer)
                    writer.member("code", exception.code.rawValue)
                    writer.member("detail", exception.detail)
                }
            }
        }
        try parameters.append(String(decoding: writer.bytes, as: UTF8.self))
    }
}

/// A page of exceptions, the last first.
struct ListSaleExceptions: Statement {
    static let name = "sales.list_exceptions"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.id, p.recorded_at, p.place FROM stock.sale_exception_page($1, $2, $3 + 1) WITH ORDINALITY
                AS p (id, recorded_at, place)
        )
        SELECT string_agg(stock.sale_exception_body(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $3),
               CASE WHEN count(*) > $3 THEN (
                   SELECT ARRAY[stock.rfc3339(l.recorded_at), l.id::text] FROM placed l WHERE l.place = $3) END,
               \(.seen)
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [.text, .uuid, .int4]
    typealias Row = PageRow

    let status: SaleException.Status
    let after: ID<SaleException>?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(status)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// Settles an exception.
struct SettleException: Statement {
    static let name = "sales.settle_exception"
    static let sql: SQL = "SELECT stock.sale_exception_settle($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .text, .uuid]

    let id: ID<SaleException>
    let note: String
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(note)
        try parameters.append(userID)
    }
}

import Domain
import Kernel
import Postgres

/// Reads a quote to change or sell it: a row for each of its lines, in order; none if there is no such quote.
struct ReadQuote: Statement {
    static let name = "quotes.read"
    static let sql: SQL = """
        SELECT q.valid_until,
               (SELECT a.discount_limit FROM stock.approval a
                WHERE a.tenant_id = stock.current_tenant() AND a.id = q.approval_id),
               q.status, q.version, q.register_id, q.customer_id, q.note, l.document_discount, l.product_id,
               l.quantity, l.unit_price, l.price_source = 'override', l.discount, l.packaging, l.packed_quantity,
               l.packed_price, k.price
        FROM stock.quote q
        CROSS JOIN LATERAL (SELECT o.* FROM stock.quote_line o
                            WHERE o.tenant_id = stock.current_tenant() AND o.quote_id = q.id OFFSET 0) l
        LEFT JOIN LATERAL (SELECT o.price FROM stock.packaging o
                           WHERE o.tenant_id = stock.current_tenant() AND o.product_id = l.product_id
                             AND o.name = l.packaging AND o.factor * l.packed_quantity = l.quantity OFFSET 0) k ON true
        WHERE q.tenant_id = stock.current_tenant() AND q.id = $1
        ORDER BY l.position
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    let id: QuoteID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }

    struct Row: DecodableRow {
        let validUntil: BusinessDay?
        /// How far below the list price somebody has approved of it.
        let approved: Percent?
        let cart: ReadDraft.Row

        init(from row: inout RowReader) throws(PostgresError) {
            validUntil = try row.next()
            approved = try row.next(Percent?.self)
            cart = try ReadDraft.Row(from: &row)
        }
    }
}

/// Makes a quote, or makes one again.
struct DraftQuote: Statement {
    static let name = "quotes.draft"
    static let sql: SQL = """
        SELECT stock.quote_draft($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                                 $21, $22, $23, $24, $25)
        """
    static let parameterTypes: [PostgresType] =
        [.int8, .uuid, .uuid, .uuid, .uuid, .text, .numeric, .numeric, .numeric, .numeric]
        + Parameters.cartTypes + [.int8Array, .int8, .date]

    let id: QuoteID
    /// The version of the one that is made again; nil for a new one.
    let version: Int64?
    let request: QuoteRequest
    let cart: PricedCart
    let lineIDs: [QuoteLineID]
    let userID: UserID?
    let expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(cart.rules.version)
        try parameters.append(id)
        try parameters.append(request.cart.registerID)
        try parameters.append(request.cart.customerID)
        try parameters.append(userID)
        try parameters.append(request.cart.note)
        try parameters.append(cart.priced.subtotal)
        try parameters.append(cart.priced.discount)
        try parameters.append(cart.priced.tax)
        try parameters.append(cart.priced.total)
        try parameters.append(cart, lineIDs)
        try parameters.append(expected.parameter)
        try parameters.append(version)
        try parameters.append(request.validUntil)
    }
}

/// Says of lines of a quote that were just written how they were asked for, where not by the product's unit.
struct PackQuoteLines: Statement {
    static let name = "quotes.pack_lines"
    static let sql: SQL = "SELECT stock.quote_lines_packed($1, $2, $3, $4, $5)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuidArray, .textArray, .numericArray, .numericArray]

    let id: QuoteID
    let lines: [PackedRow<Entity.QuoteLine>]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(lines)
    }
}

extension UnitOfWork {
    /// Makes a quote, or makes one again, by what somebody gave for it if they did.
    mutating func put(_ quote: DraftQuote, _ approval: OpenApproval?) throws(PostgresError) {
        try take(approval, for: .quote(quote.id), quote.userID)
        try add(quote)
        let lines = quote.cart.packed(quote.lineIDs)
        if !lines.isEmpty { try add(PackQuoteLines(id: quote.id, lines: lines)) }
    }
}

/// Sends a draft.
struct SendQuote: Statement {
    static let name = "quotes.send"
    static let sql: SQL = "SELECT stock.quote_send($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    let id: QuoteID
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(userID)
    }
}

/// Notes that the customer takes it.
struct AcceptQuote: Statement {
    static let name = "quotes.accept"
    static let sql: SQL = "SELECT stock.quote_accept($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    let id: QuoteID
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(userID)
    }
}

/// Notes that nothing comes of it.
struct CancelQuote: Statement {
    static let name = "quotes.cancel"
    static let sql: SQL = "SELECT stock.quote_cancel($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    let id: QuoteID
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(userID)
    }
}

/// A page of quotes, newest first.
struct ListQuotes: Statement {
    static let name = "quotes.list"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.id, p.occurred_at, p.place FROM stock.quote_page($1, $2, $3, $4, $5, $6, $7 + 1) WITH ORDINALITY
                AS p (id, occurred_at, place)
        )
        SELECT string_agg(stock.quote_summary(stock.current_tenant(), p.id, $8), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $7),
               CASE WHEN count(*) > $7 THEN (
                   SELECT ARRAY[stock.rfc3339(l.occurred_at), l.id::text] FROM placed l WHERE l.place = $7) END,
               \(.seen)
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [.text, .uuid, .date, .date, .timestamptz, .uuid, .int4, .date]

    typealias Row = PageRow

    let filter: QuoteFilter
    let after: (occurredAt: Timestamp, id: QuoteID)?
    let limit: Int
    /// The day on which they may have expired.
    let today: BusinessDay

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.status)
        try parameters.append(filter.customerID)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(today)
    }
}

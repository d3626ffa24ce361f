import Cache
import Domain
import Kernel
import Postgres

/// Confirms a sale: compares what it was computed from, takes the goods, writes documents and money, numbers it last.
struct ConfirmSale: Statement {
    static let name = "sales.confirm"
    static let sql: SQL = """
        SELECT stock.sale_confirm(
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
            $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41)
        """
    static let parameterTypes: [PostgresType] =
        [
            .int8, .uuid, .uuid, .uuid, .uuid, .text, .timestamptz, .numeric, .numeric, .numeric, .numeric, .numeric,
            .uuidArray, .numericArray, .uuidArray,
        ] + Parameters.cartTypes + [
            .uuidArray, .uuidArray, .textArray, .numericArray, .numericArray,
            .textArray, .numericArray, .uuidArray, .numeric, .int4, .uuid, .int8, .uuid, .int8,
        ]

    let plan: SalePlan

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(plan.cart.rules.version)
        try parameters.append(plan.id)
        try parameters.append(plan.registerID)
        try parameters.append(plan.customerID)
        try parameters.append(plan.userID)
        try parameters.append(plan.note)
        try parameters.append(plan.occurredAt)
        try parameters.append(plan.cart.priced.subtotal)
        try parameters.append(plan.cart.priced.discount)
        try parameters.append(plan.cart.priced.tax)
        try parameters.append(plan.cart.priced.total)
        try parameters.append(plan.settlement.paid)
        try parameters.append(plan.moved.map(\.productID))
        try parameters.append(plan.moved.map(\.quantity))
        try parameters.append(plan.moved.map(\.movementID))
        try parameters.append(plan.cart, plan.lineIDs)
        try parameters.append(plan.paymentIDs)
        try parameters.append(plan.ledgerIDs)
        try parameters.append(plan.tenders.map(\.method.rawValue))
        try parameters.append(plan.tenders.map(\.amount))
        try parameters.append(plan.tenders.map(\.tendered))
        try parameters.append(plan.cart.kinds.map(\.rawValue))
        try parameters.append(plan.tips)
        try parameters.append(plan.tipLedgerIDs)
        try parameters.append(plan.settlement.rounding)
        try parameters.append(plan.settlement.rounded.map { Int32(clamping: $0 + 1) })
        try parameters.append(plan.roundingLedgerID)
        try parameters.append(plan.draftVersion)
        try parameters.append(plan.quote?.id)
        try parameters.append(plan.quote?.version)
    }
}

/// Says of lines that a unit has just written how they were asked for, where not by the product's unit.
struct PackSaleLines: Statement {
    static let name = "sales.pack_lines"
    static let sql: SQL = "SELECT stock.sale_lines_packed($1, $2, $3, $4)"
    static let parameterTypes: [PostgresType] = [.uuidArray, .textArray, .numericArray, .numericArray]

    let lines: [PackedRow<Entity.SaleLine>]

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(lines) }
}

/// A line that was asked for otherwise than by the product's unit.
typealias PackedRow<Line> = (id: ID<Line>, packed: PackedLine)

extension PricedCart {
    /// Its lines that were asked for otherwise than by their units.
    func packed<Line>(_ ids: [ID<Line>]) -> [PackedRow<Line>] {
        zip(ids, lines).compactMap { id, line in line.packed.map { (id, $0) } }
    }
}

extension UnitOfWork {
    /// Says how lines of a sale that were just written were asked for; nothing, if all by their units.
    mutating func pack(_ cart: PricedCart, _ ids: [SaleLineID]) throws(PostgresError) {
        let lines = cart.packed(ids)
        if !lines.isEmpty { try add(PackSaleLines(lines: lines)) }
    }

    /// Confirms a sale, by what somebody gave for it if they did.
    mutating func sell(_ plan: SalePlan) throws(PostgresError) {
        try take(plan.approval, for: .sale(plan.id), plan.userID)
        try add(ConfirmSale(plan: plan))
        try pack(plan.cart, plan.lineIDs)
    }
}

extension Parameters {
    /// The lines of a cart: ids, products with what they were when the cart was priced, and figures.
    mutating func append<Line>(_ cart: PricedCart, _ ids: [ID<Line>]) throws(PostgresError) {
        try append(ids)
        try append(cart.lines.map(\.product.id))
        try append(cart.lines.map(\.product.version))
        try append(cart.lines.map(\.product.unitDecimals))
        try append(cart.lines.map(\.quantity))
        try append(cart.lines.map(\.unitPrice))
        try append(cart.lines.map(\.isOverridden))
        try append(cart.priced.lines.map(\.discount))
        try append(cart.priced.lines.map(\.documentDiscount))
        try append(cart.priced.lines.map(\.tax))
        try append(cart.priced.lines.map(\.total))
        try append(cart.taxParts)
    }

    /// Lines with how they were asked for.
    mutating func append<Line>(_ lines: [PackedRow<Line>]) throws(PostgresError) {
        try append(lines.map(\.id))
        try append(lines.map(\.packed.name))
        try append(lines.map(\.packed.quantity))
        try append(lines.map(\.packed.price))
    }

    /// How each line was asked for; NULL for those by their units.
    mutating func append(packed lines: [PackedLine?]) throws(PostgresError) {
        try append(lines.map { $0?.name })
        try append(lines.map { $0?.quantity })
        try append(lines.map { $0?.price })
    }

    /// The types of the same.
    static let packedTypes: [PostgresType] = [.textArray, .numericArray, .numericArray]

    /// The types of a cart's lines.
    static let cartTypes: [PostgresType] = [
        .uuidArray, .uuidArray, .int8Array, .int2Array, .numericArray, .numericArray, .boolArray, .numericArray,
        .numericArray, .numericArray, .numericArray, .textArray,
    ]
}

/// Shows what a cart comes to, with what there is too little of; writes nothing.
struct ShowCart: Statement {
    static let name = "sales.price"
    static let sql: SQL = """
        SELECT stock.cart_body($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                               $21)
        -- Refused is whom a sale would be refused for.
        WHERE $22 IS NULL OR stock.customer_buys($22) IS NOT NULL
        """
    static let parameterTypes: [PostgresType] =
        [
            .uuid, .uuidArray, .numericArray, .numericArray, .boolArray, .numericArray, .numericArray, .numericArray,
            .textArray,
            .numeric, .numeric, .numeric, .numeric, .numeric, .numeric, .numeric, .numeric, .numeric,
        ] + Parameters.packedTypes + [.uuid]

    typealias Row = SingleColumn<String>

    let registerID: RegisterID?
    let customerID: CustomerID?
    let cart: PricedCart
    /// What is paid at once, as far as it is said.
    let settlement: Settlement
    /// What is due, if it is paid in cash.
    let cashDue: Money

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(registerID)
        try parameters.append(cart.lines.map(\.product.id))
        try parameters.append(cart.lines.map(\.quantity))
        try parameters.append(cart.lines.map(\.unitPrice))
        try parameters.append(cart.lines.map(\.isOverridden))
        try parameters.append(
            cart.priced.lines.map { Money(rawValue: $0.discount.rawValue + $0.documentDiscount.rawValue) }
        )
        try parameters.append(cart.priced.lines.map(\.tax))
        try parameters.append(cart.priced.lines.map(\.total))
        try parameters.append(cart.taxParts)
        try parameters.append(cart.priced.subtotal)
        try parameters.append(cart.priced.discount)
        try parameters.append(cart.priced.tax)
        try parameters.append(cart.priced.total)
        try parameters.append(settlement.rounding)
        try parameters.append(settlement.paid)
        try parameters.append(settlement.due)
        try parameters.append(cashDue)
        try parameters.append(settlement.change)
        try parameters.append(packed: cart.lines.map(\.packed))
        try parameters.append(customerID)
    }
}

/// Writes the remark on a sale.
struct AnnotateSale: Statement {
    static let name = "sales.annotate"
    static let sql: SQL = "SELECT stock.sale_annotate($1, $2, $3, $4, $5)"
    static let parameterTypes: [PostgresType] = [.uuid, .int8Array, .bool, .text, .uuid]

    let id: SaleID
    let expected: ExpectedVersion
    let note: Change<String?>
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(expected.parameter)
        try parameters.append(note.isSet)
        try parameters.append(note.newValue ?? nil)
        try parameters.append(userID)
    }
}

/// Refuses a member who works at some places alone to cancel a sale that was paid elsewhere.
struct RefuseUndoingElsewhere: Statement {
    static let name = "sales.refuse_undoing_elsewhere"
    static let sql: SQL = "SELECT stock.refuse_undoing_elsewhere($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuidArray, .uuid]

    let locations: [LocationID]
    let id: SaleID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(locations)
        try parameters.append(id)
    }
}

/// Cancels a sale: its goods go back, its payments are reversed, nothing of it is due.
struct CancelSale: Statement {
    static let name = "sales.cancel"
    static let sql: SQL = "SELECT stock.sale_cancel($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .text, .uuid]

    let id: SaleID
    let reason: String
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(reason)
        try parameters.append(userID)
    }
}

/// A sale with its lines and payments.
struct Sale: Resource {
    static let name = "sales.sale"
    static let collection = "/v1/sales"
    static let sql: SQL = """
        SELECT stock.sale_body(s.tenant_id, s.id), '"' || s.version || '"'
        FROM stock.sale s
        WHERE s.tenant_id = stock.current_tenant() AND s.id = $1
        """

    let id: SaleID

    init(_ id: SaleID) { self.id = id }
}

/// Reads a sale, and whether it is a draft.
struct ReadSale: Statement {
    static let name = "sales.sale.read"
    static let sql: SQL = """
        SELECT d.body, d.etag, pg_current_snapshot(), coalesce(d.is_draft, false)
        FROM (SELECT 1) one
        LEFT JOIN (SELECT stock.sale_body(s.tenant_id, s.id), '"' || s.version || '"', s.status = 'draft'
                   FROM stock.sale s
                   WHERE s.tenant_id = stock.current_tenant() AND s.id = $1) d (body, etag, is_draft) ON true
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    let id: SaleID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }

    struct Row: DecodableRow {
        let document: BodyRow
        let isDraft: Bool

        init(from row: inout RowReader) throws(PostgresError) {
            document = try BodyRow(from: &row)
            isDraft = try row.next()
        }
    }
}

/// A sale as it is read; one that is a draft is kept by no cache, as it changes with every article.
struct SaleFill: Fill {
    let statement: ReadSale

    func filled(_ row: inout ReadSale.Row) -> Filled {
        let filled = Filled(row.document)
        guard row.isDraft else { return filled }
        return Filled(content: filled.content, snapshot: filled.snapshot, lifetime: .zero)
    }
}

/// A page of sales, newest first.
struct ListSales: Statement {
    static let name = "sales.list"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.id, p.occurred_at, p.place FROM stock.sale_page($1, $2, $3, $4, $5, $6, $7, $8 + 1, $9) WITH ORDINALITY
                AS p (id, occurred_at, place)
        )
        SELECT string_agg(stock.sale_summary(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $8),
               CASE WHEN count(*) > $8 THEN (
                   SELECT ARRAY[stock.rfc3339(l.occurred_at), l.id::text] FROM placed l WHERE l.place = $8) END,
               \(.seen)
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [.text, .uuid, .uuid, .date, .date, .timestamptz, .uuid, .int4, .uuid]

    typealias Row = PageRow

    let filter: SaleFilter
    let after: (occurredAt: Timestamp, id: SaleID)?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.status)
        try parameters.append(filter.registerID)
        try parameters.append(filter.customerID)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(filter.userID)
    }
}

/// A page of the sales of some days by what they came to, as `stock.sales_by_total` finds them.
struct ListSalesByTotal: Statement {
    static let name = "sales.list_by_total"
    static let sql: SQL = .page(
        "stock.sales_by_total($1, $2, $3, $4, $5, $6, $7::numeric, $8, $9 + 1, $10)",
        along: .text("total"),
        limit: "$9",
        each: "stock.sale_summary(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [
        .bool, .text, .uuid, .uuid, .date, .date, .text, .uuid, .int4, .uuid,
    ]

    typealias Row = PageRow

    let filter: SaleFilter
    let after: NamePlace?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.sort.isDescending)
        try parameters.append(filter.status)
        try parameters.append(filter.registerID)
        try parameters.append(filter.customerID)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(filter.userID)
    }
}

/// A page of the sales with a number, newest first: at most one of each register, found by its register's own index.
struct ListNumberedSales: Statement {
    static let name = "sales.list_of_number"
    static let sql: SQL = """
        WITH numbered AS MATERIALIZED (
            SELECT n.*
            FROM stock.register r
            CROSS JOIN LATERAL (
                SELECT s.id, s.occurred_at, s.business_day, s.status, s.customer_id
                FROM stock.sale s
                WHERE s.tenant_id = stock.current_tenant() AND s.register_id = r.id AND s.number = $10
                OFFSET 0) n
            WHERE r.tenant_id = stock.current_tenant() AND ($2::uuid IS NULL OR r.id = $2)
        ), page AS (
            SELECT s.id, s.occurred_at
            FROM numbered s
            WHERE ($3::uuid IS NULL OR s.customer_id = $3) AND ($1::text IS NULL OR s.status = $1)
              AND ($4::date IS NULL OR s.business_day >= $4) AND ($5::date IS NULL OR s.business_day <= $5)
              AND (s.occurred_at, s.id)
                  < (coalesce($6, 'infinity'), coalesce($7, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
            ORDER BY s.occurred_at DESC, s.id DESC LIMIT $8 + 1
        ), placed AS (
            SELECT p.id, p.occurred_at, row_number() OVER (ORDER BY p.occurred_at DESC, p.id DESC) AS place FROM page p
        )
        SELECT string_agg(stock.sale_summary(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $8),
               CASE WHEN count(*) > $8 THEN (
                   SELECT ARRAY[stock.rfc3339(l.occurred_at), l.id::text] FROM placed l WHERE l.place = $8) END,
               \(.seen)
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [
        .text, .uuid, .uuid, .date, .date, .timestamptz, .uuid, .int4, .uuid, .int8,
    ]

    typealias Row = PageRow

    let list: ListSales
    let number: Int64

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try list.bind(&parameters)
        try parameters.append(number)
    }
}

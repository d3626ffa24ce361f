import Postgres

/// The last event that is numbered, or 0.
struct LastEvent: Statement {
    static let name = "exports.last_event"
    static let sql: SQL = "SELECT \(.lastEvent)"

    struct Row: DecodableRow {
        let number: Int64

        init(from row: inout RowReader) throws(PostgresError) { number = try row.next() }
    }
}

/// Products, in the order in which they were made.
///
/// One without a SKU and an external id has its own id as that, so that an import finds it again.
struct ExportProducts: Statement, ExportPage {
    static let columns: [ExportColumn] = [
        .text("sku"), .text("external_id"), .text("name"), .plain("price"), .plain("tax_rate"), .text("tax_group"),
        .text("unit"), .text("category"), .plain("min_stock"), .flag("tracks_stock"), .plain("oversell"),
        .codes("barcodes"), .plain("status"),
    ]
    static let order: [ExportPlace.Part] = [.id]
    static let name = "exports.products"
    static let sql: SQL = """
        SELECT p.sku, coalesce(p.external_id, CASE WHEN p.sku IS NULL THEN p.id::text END), p.name,
               stock.price_text(p.price, t.currency_exponent), stock.quantity_text(p.tax_rate), g.name, u.name, c.name,
               stock.quantity_text(p.min_stock), p.tracks_stock::text, p.oversell, b.codes, p.status, p.id::text
        FROM stock.tenant t
        CROSS JOIN LATERAL (
            SELECT o.id, o.sku, o.external_id, o.name, o.price, o.tax_rate, o.tax_group_id, o.unit_id, o.category_id,
                   o.min_stock, o.tracks_stock, o.oversell, o.status
            FROM stock.product o
            WHERE o.tenant_id = stock.current_tenant() AND o.id > $2
            ORDER BY o.id LIMIT $1
        ) p
        LEFT JOIN LATERAL (
            SELECT o.name FROM stock.tax_group o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = p.tax_group_id OFFSET 0) g ON true
        LEFT JOIN LATERAL (
            SELECT o.name FROM stock.unit o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = p.unit_id OFFSET 0) u ON true
        LEFT JOIN LATERAL (
            SELECT o.name FROM stock.category o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = p.category_id OFFSET 0) c ON true
        LEFT JOIN LATERAL (
            SELECT json_agg(o.code ORDER BY o.code)::text AS codes FROM stock.product_barcode o
            WHERE o.tenant_id = stock.current_tenant() AND o.product_id = p.id AND o.packaging_id IS NULL OFFSET 0) b ON true
        WHERE t.id = stock.current_tenant()
        ORDER BY p.id
        """
    static let parameterTypes: [PostgresType] = [.int4, .uuid]

    let limit: Int32
    let after: ExportPlace
}

/// Categories, in the order in which they were made.
struct ExportCategories: Statement, ExportPage {
    static let columns: [ExportColumn] = [.text("name"), .text("external_id"), .text("parent"), .flag("active")]
    static let order: [ExportPlace.Part] = [.id]
    static let name = "exports.categories"
    static let sql: SQL = """
        SELECT c.name, c.external_id, p.name, c.active::text, c.id::text
        FROM (
            SELECT o.id, o.name, o.external_id, o.parent_id, o.active FROM stock.category o
            WHERE o.tenant_id = stock.current_tenant() AND o.id > $2
            ORDER BY o.id LIMIT $1
        ) c
        LEFT JOIN LATERAL (
            SELECT o.name FROM stock.category o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = c.parent_id OFFSET 0) p ON true
        ORDER BY c.id
        """
    static let parameterTypes: [PostgresType] = [.int4, .uuid]

    let limit: Int32
    let after: ExportPlace
}

/// Units of measure, in the order in which they were made.
struct ExportUnits: Statement, ExportPage {
    static let columns: [ExportColumn] = [.text("name"), .text("external_id"), .text("symbol"), .whole("decimals")]
    static let order: [ExportPlace.Part] = [.id]
    static let name = "exports.units"
    static let sql: SQL = """
        SELECT u.name, u.external_id, u.symbol, u.decimals::text, u.id::text
        FROM stock.unit u
        WHERE u.tenant_id = stock.current_tenant() AND u.id > $2
        ORDER BY u.id LIMIT $1
        """
    static let parameterTypes: [PostgresType] = [.int4, .uuid]

    let limit: Int32
    let after: ExportPlace
}

/// Customers, in the order in which they were made.
///
/// Names of people are no key: who has no external id has their own id as that, so that an import finds them again.
struct ExportCustomers: Statement, ExportPage {
    static let columns: [ExportColumn] = [
        .text("name"), .text("external_id"), .text("tax_id"), .text("phone"), .text("email"), .plain("credit_limit"),
        .flag("active"),
    ]
    static let order: [ExportPlace.Part] = [.id]
    static let name = "exports.customers"
    static let sql: SQL = """
        SELECT c.name, coalesce(c.external_id, c.id::text), c.tax_id, c.phone, c.email,
               stock.money_text(c.credit_limit, t.currency_exponent), c.active::text, c.id::text
        FROM stock.tenant t
        CROSS JOIN LATERAL (
            SELECT o.id, o.name, o.external_id, o.tax_id, o.phone, o.email, o.credit_limit, o.active
            FROM stock.customer o
            WHERE o.tenant_id = stock.current_tenant() AND o.id > $2
            ORDER BY o.id LIMIT $1
        ) c
        WHERE t.id = stock.current_tenant()
        ORDER BY c.id
        """
    static let parameterTypes: [PostgresType] = [.int4, .uuid]

    let limit: Int32
    let after: ExportPlace
}

/// Suppliers, in the order in which they were made; as ``ExportCustomers``.
struct ExportSuppliers: Statement, ExportPage {
    static let columns: [ExportColumn] = [
        .text("name"), .text("external_id"), .text("tax_id"), .text("contact"), .text("phone"), .text("email"),
        .flag("active"),
    ]
    static let order: [ExportPlace.Part] = [.id]
    static let name = "exports.suppliers"
    static let sql: SQL = """
        SELECT s.name, coalesce(s.external_id, s.id::text), s.tax_id, s.contact, s.phone, s.email, s.active::text, s.id::text
        FROM stock.supplier s
        WHERE s.tenant_id = stock.current_tenant() AND s.id > $2
        ORDER BY s.id LIMIT $1
        """
    static let parameterTypes: [PostgresType] = [.int4, .uuid]

    let limit: Int32
    let after: ExportPlace
}

/// What is where: each product at each location that ever had it, and what is between two locations as long as it is.
struct ExportStock: Statement, ExportPage {
    static let columns: [ExportColumn] = [
        .text("sku"), .text("external_id"), .text("name"), .text("location"), .plain("on_hand"), .plain("min_stock"),
        .plain("cost"),
    ]
    static let order: [ExportPlace.Part] = [.id, .id]
    static let name = "exports.stock"
    static let sql: SQL = """
        SELECT p.sku, coalesce(p.external_id, CASE WHEN p.sku IS NULL THEN l.product_id::text END), p.name, n.name,
               stock.quantity_text(l.on_hand), stock.quantity_text(l.low_at),
               stock.price_text(v.cost, t.currency_exponent), l.product_id || '/' || l.location_id
        FROM stock.tenant t
        CROSS JOIN LATERAL (
            SELECT o.product_id, o.location_id, o.on_hand, o.low_at FROM stock.location_level o
            WHERE o.tenant_id = stock.current_tenant() AND (o.product_id, o.location_id) > ($2, $3)
              AND (o.on_hand <> 0 OR o.location_id <> (SELECT stock.transit_location()))
            ORDER BY o.product_id, o.location_id LIMIT $1
        ) l
        LEFT JOIN LATERAL (
            SELECT o.sku, o.external_id, o.name FROM stock.product o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = l.product_id OFFSET 0) p ON true
        LEFT JOIN LATERAL (
            SELECT o.name FROM stock.location o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = l.location_id OFFSET 0) n ON true
        LEFT JOIN LATERAL (
            SELECT o.cost FROM stock.stock_level o
            WHERE o.tenant_id = stock.current_tenant() AND o.product_id = l.product_id OFFSET 0) v ON true
        WHERE t.id = stock.current_tenant()
        ORDER BY l.product_id, l.location_id
        """
    static let parameterTypes: [PostgresType] = [.int4, .uuid, .uuid]

    let limit: Int32
    let after: ExportPlace
}

/// Lines of sales, and of returns with a quantity below zero, by time.
///
/// The first columns are those that an import of sales reads, the price being what was paid for a piece. A document that no other
/// system has named is called by its id: its number is one of its register, and of its sales or returns.
struct ExportSales: Statement, ExportPage {
    static let columns: [ExportColumn] = [
        .text("sale"), .text("sku"), .text("name"), .plain("quantity"), .plain("unit_price"), .plain("occurred_at"),
        .plain("payment_method"), .text("register"), .whole("number"), .text("customer"), .plain("discount"),
        .plain("tax"), .plain("total"),
    ]
    static let order: [ExportPlace.Part] = [.time, .whole, .long, .id, .whole]
    static let name = "exports.sales"
    static let sql: SQL = """
        SELECT coalesce(l.external_id, l.id::text), l.sku, l.name,
               CASE l.kind WHEN 1 THEN '-' ELSE '' END || stock.quantity_text(l.quantity),
               stock.price_text(l.unit_price, t.currency_exponent), stock.rfc3339(l.occurred_at), m.method, r.name, l.number::text,
               (SELECT o.name FROM stock.customer_named(l.customer_id) AS o (name)),
               stock.money_text(l.discount, t.currency_exponent), stock.money_text(l.tax, t.currency_exponent),
               stock.money_text(l.total, t.currency_exponent),
               concat_ws('/', stock.rfc3339(l.occurred_at), l.kind, l.number, l.id, l.position)
        FROM stock.tenant t
        CROSS JOIN LATERAL stock.export_lines($1, $2, $3, $4, $5, $6) WITH ORDINALITY AS l (
            occurred_at, kind, number, id, external_id, register_id, customer_id, position, sku, name, quantity, unit_price,
            discount, tax, total, place)
        LEFT JOIN LATERAL (
            SELECT o.name FROM stock.register o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = l.register_id OFFSET 0) r ON true
        -- How most of it was paid.
        LEFT JOIN LATERAL (
            SELECT f.method FROM (
                SELECT p.method, a.amount, p.id
                FROM stock.payment_allocation a
                JOIN LATERAL (
                    SELECT o.id, o.method, o.status FROM stock.payment o
                    WHERE o.tenant_id = stock.current_tenant() AND o.id = a.payment_id OFFSET 0) p ON p.status = 'confirmed'
                WHERE l.kind = 0 AND a.tenant_id = stock.current_tenant() AND a.sale_id = l.id
                UNION ALL
                SELECT o.method, o.amount, o.id FROM stock.payment o
                WHERE l.kind = 1 AND o.tenant_id = stock.current_tenant() AND o.return_id = l.id AND o.status = 'confirmed'
            ) f
            ORDER BY f.amount DESC, f.id LIMIT 1) m ON true
        WHERE t.id = stock.current_tenant()
        ORDER BY l.place
        """
    static let parameterTypes: [PostgresType] = [.int4, .timestamptz, .int4, .int8, .uuid, .int4]

    let limit: Int32
    let after: ExportPlace
}

/// Lines of purchases, drafts and what was cancelled among them, by time.
struct ExportPurchases: Statement, ExportPage {
    static let columns: [ExportColumn] = [
        .plain("id"), .whole("number"), .plain("status"), .text("supplier"), .text("reference"), .text("location"),
        .plain("occurred_at"), .plain("due_on"), .text("sku"), .text("name"), .plain("quantity"),
        .plain("received_quantity"), .plain("unit_cost"), .plain("total"), .plain("purchase_total"),
        .plain("purchase_due"), .text("note"),
    ]
    static let order: [ExportPlace.Part] = [.time, .id, .whole]
    static let name = "exports.purchases"
    static let sql: SQL = """
        SELECT d.id::text, d.number::text, d.status, (SELECT o.name FROM stock.supplier_named(d.supplier_id) AS o (name)),
               d.reference, n.name, stock.rfc3339(d.occurred_at), d.due_on::text, l.sku, l.name,
               stock.quantity_text(l.quantity), stock.quantity_text(l.received_quantity),
               CASE WHEN l.id IS NOT NULL THEN stock.price_text(l.unit_cost, t.currency_exponent) END,
               stock.money_text(l.total, t.currency_exponent), stock.money_text(d.total, t.currency_exponent),
               stock.money_text(d.due, t.currency_exponent), d.note,
               concat_ws('/', stock.rfc3339(d.occurred_at), d.id, coalesce(l.position, 0))
        FROM stock.tenant t
        CROSS JOIN LATERAL (
            SELECT o.id, o.number, o.status, o.supplier_id, o.reference, o.location_id, o.occurred_at, o.due_on, o.total,
                   o.due, o.note
            FROM stock.purchase o
            WHERE o.tenant_id = stock.current_tenant() AND o.occurred_at >= $2 AND (o.occurred_at, o.id) >= ($2, $3)
            ORDER BY o.occurred_at, o.id LIMIT $1 + 1
        ) d
        LEFT JOIN LATERAL (
            SELECT o.id, o.position, o.sku, o.name, o.quantity, o.received_quantity, o.unit_cost, o.total
            FROM stock.purchase_line o
            WHERE o.tenant_id = stock.current_tenant() AND o.purchase_id = d.id OFFSET 0) l ON true
        LEFT JOIN LATERAL (
            SELECT o.name FROM stock.location o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = d.location_id OFFSET 0) n ON true
        WHERE t.id = stock.current_tenant()
          -- A draft may have no lines yet, and is told all the same.
          AND (d.occurred_at, d.id, coalesce(l.position, 0)) > ($2, $3, $4)
        ORDER BY d.occurred_at, d.id, l.position
        LIMIT $1
        """
    static let parameterTypes: [PostgresType] = [.int4, .timestamptz, .uuid, .int4]

    let limit: Int32
    let after: ExportPlace
}

/// Payments in and out, by time; those that paid several documents name them all.
///
/// An import finds a payment by its id, and its sale by what ``ExportSales`` calls it: `sale` is the one that it was taken for, and empty
/// where it was taken for what a customer owed.
struct ExportPayments: Statement, ExportPage {
    static let columns: [ExportColumn] = [
        .plain("external_id"), .plain("occurred_at"), .plain("direction"), .plain("method"), .plain("amount"),
        .plain("tip"), .plain("tendered"), .plain("change"), .plain("status"), .text("customer"), .text("sale"),
        .text("sales"), .text("purchases"),
    ]
    static let order: [ExportPlace.Part] = [.time, .id]
    static let name = "exports.payments"
    static let sql: SQL = """
        SELECT p.id::text, stock.rfc3339(p.occurred_at), p.direction, p.method, stock.money_text(p.amount, t.currency_exponent),
               stock.money_text(p.tip, t.currency_exponent), stock.money_text(p.tendered, t.currency_exponent),
               stock.money_text(p.change, t.currency_exponent), p.status,
               (SELECT o.name FROM stock.customer_named(p.customer_id) AS o (name)), b.name, coalesce(s.names, r.name),
               u.numbers,
               concat_ws('/', stock.rfc3339(p.occurred_at), p.id)
        FROM stock.tenant t
        CROSS JOIN LATERAL (
            SELECT o.id, o.occurred_at, o.direction, o.method, o.amount, o.tip, o.tendered, o.change, o.status,
                   o.customer_id, o.sale_id, o.return_id
            FROM stock.payment o
            WHERE o.tenant_id = stock.current_tenant() AND o.occurred_at >= $2 AND (o.occurred_at, o.id) > ($2, $3)
            ORDER BY o.occurred_at, o.id LIMIT $1
        ) p
        LEFT JOIN LATERAL (
            SELECT coalesce(o.external_id, o.id::text) AS name FROM stock.sale o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = p.sale_id AND p.direction = 'in' OFFSET 0) b ON true
        LEFT JOIN LATERAL (
            SELECT string_agg(n.name, ', ' ORDER BY a.position) AS names
            FROM stock.payment_allocation a
            CROSS JOIN LATERAL (
                SELECT coalesce(o.external_id, o.number::text) AS name FROM stock.sale o
                WHERE o.tenant_id = stock.current_tenant() AND o.id = a.sale_id OFFSET 0) n
            WHERE a.tenant_id = stock.current_tenant() AND a.payment_id = p.id) s ON true
        LEFT JOIN LATERAL (
            SELECT coalesce(o.external_id, o.number::text) AS name FROM stock.sale_return o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = p.return_id OFFSET 0) r ON true
        LEFT JOIN LATERAL (
            SELECT string_agg(n.number::text, ', ' ORDER BY a.position) AS numbers
            FROM stock.purchase_allocation a
            CROSS JOIN LATERAL (
                SELECT o.number FROM stock.purchase o
                WHERE o.tenant_id = stock.current_tenant() AND o.id = a.purchase_id OFFSET 0) n
            WHERE a.tenant_id = stock.current_tenant() AND a.payment_id = p.id) u ON true
        WHERE t.id = stock.current_tenant()
        ORDER BY p.occurred_at, p.id
        """
    static let parameterTypes: [PostgresType] = [.int4, .timestamptz, .uuid]

    let limit: Int32
    let after: ExportPlace
}

/// Expenses, by time; an import finds them by their ids.
struct ExportExpenses: Statement, ExportPage {
    static let columns: [ExportColumn] = [
        .plain("external_id"), .plain("occurred_at"), .text("category"), .plain("amount"), .plain("method"),
        .text("supplier"), .text("register"), .text("note"), .plain("status"), .text("reversal_reason"),
    ]
    static let order: [ExportPlace.Part] = [.time, .id]
    static let name = "exports.expenses"
    static let sql: SQL = """
        SELECT e.id::text, stock.rfc3339(e.occurred_at), e.category, stock.money_text(e.amount, t.currency_exponent), e.method,
               (SELECT o.name FROM stock.supplier_named(e.supplier_id) AS o (name)), r.name, e.note, e.status,
               e.reversal_reason, concat_ws('/', stock.rfc3339(e.occurred_at), e.id)
        FROM stock.tenant t
        CROSS JOIN LATERAL (
            SELECT o.id, o.occurred_at, o.category, o.amount, o.method, o.supplier_id, o.register_id, o.note, o.status,
                   o.reversal_reason
            FROM stock.money_entry o
            WHERE o.tenant_id = stock.current_tenant() AND o.source = 'expense' AND o.occurred_at >= $2
              AND (o.occurred_at, o.id) > ($2, $3)
            ORDER BY o.occurred_at, o.id LIMIT $1
        ) e
        LEFT JOIN LATERAL (
            SELECT o.name FROM stock.register o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = e.register_id OFFSET 0) r ON true
        WHERE t.id = stock.current_tenant()
        ORDER BY e.occurred_at, e.id
        """
    static let parameterTypes: [PostgresType] = [.int4, .timestamptz, .uuid]

    let limit: Int32
    let after: ExportPlace
}

import Postgres

/// The invariants, each one query; a row is a violation.
///
/// I15 is tested where the series is made, as
/// it compares one query with another.
enum Invariants {
    /// Those of a tenant's rows.
    static let ofTenant: [any Invariant.Type] = [
        Invariant01.self, Invariant02.self, Invariant03.self, Invariant04.self, Invariant05.self, Invariant06.self,
        Invariant07.self, Invariant08.self, Invariant09.self, Invariant10.self, Invariant11.self, Invariant12.self,
        Invariant13.self, Invariant14.self, Invariant16.self, Invariant17.self, Invariant18.self, Invariant19.self,
        Invariant20.self, Invariant21.self,
        Invariant22.self,
        Invariant23Events.self, Invariant24.self, Invariant26.self, Invariant27.self, Invariant28.self,
        Invariant30.self, Invariant32.self, Invariant33.self, Invariant34.self, Invariant35.self,
        Invariant36.self, Invariant37.self, Invariant38.self,
    ]

    /// Those of what belongs to no tenant.
    static let global: [any Invariant.Type] = [
        Invariant23Log.self, Invariant25.self,
    ]

    /// Those that hold while an instance follows the log.
    static let whileFollowed: [any Invariant.Type] = [
        Invariant23Outbox.self
    ]
}

/// Each product has one level; on hand is the sum over its places, what is in transit stands apart, and at each place on hand is
/// the sum of the movements there.
struct Invariant01: Invariant {
    static let number = "I1"
    static let name = "verify.i1"
    static let sql: SQL = """
        SELECT format('product %s: on hand %s, in transit %s; its places have %s and %s', p.id, l.on_hand, l.in_transit,
                      coalesce(n.on_hand, 0), coalesce(n.in_transit, 0))
        FROM stock.product p
        LEFT JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
        LEFT JOIN (SELECT n.product_id, sum(n.on_hand) FILTER (WHERE n.location_id <> stock.transit_location()) AS on_hand,
                          sum(n.on_hand) FILTER (WHERE n.location_id = stock.transit_location()) AS in_transit
                   FROM stock.location_level n WHERE n.tenant_id = stock.current_tenant()
                   GROUP BY n.product_id) n ON n.product_id = p.id
        WHERE p.tenant_id = stock.current_tenant()
          AND (l.on_hand, l.in_transit) IS DISTINCT FROM (coalesce(n.on_hand, 0), coalesce(n.in_transit, 0))
        UNION ALL
        SELECT format('product %s at location %s: on hand %s, movements add up to %s', coalesce(n.product_id, m.product_id),
                      coalesce(n.location_id, m.location_id), n.on_hand, m.quantity)
        FROM (SELECT * FROM stock.location_level WHERE tenant_id = stock.current_tenant()) n
        FULL JOIN (SELECT m.product_id, m.location_id, sum(m.quantity) AS quantity FROM stock.stock_movement m
                   WHERE m.tenant_id = stock.current_tenant() GROUP BY m.product_id, m.location_id) m
            ON m.product_id = n.product_id AND m.location_id = n.location_id
        WHERE n.on_hand IS DISTINCT FROM coalesce(m.quantity, 0)
        """

    typealias Row = SingleColumn<String>
}

/// Movements of a product are numbered densely, each continues the one before at its place, the last equals the place's level.
struct Invariant02: Invariant {
    static let number = "I2"
    static let name = "verify.i2"
    static let sql: SQL = """
        WITH chain AS MATERIALIZED (
            SELECT m.*
            FROM (SELECT m.product_id, m.location_id, m.seq, m.quantity, m.on_hand_after, row_number() OVER w AS number,
                         lead(m.seq) OVER w IS NULL AS is_last, coalesce(lag(m.on_hand_after) OVER p, 0) AS before,
                         lead(m.seq) OVER p IS NULL AS is_last_there
                  FROM stock.stock_movement m WHERE m.tenant_id = stock.current_tenant()
                  WINDOW w AS (PARTITION BY m.product_id ORDER BY m.seq),
                         p AS (PARTITION BY m.product_id, m.location_id ORDER BY m.seq)) m
            WHERE m.is_last OR m.is_last_there OR m.seq <> m.number OR m.on_hand_after <> m.before + m.quantity
        )
        SELECT format('product %s, movement %s: on hand after it is %s, not %s', m.product_id, m.seq, m.on_hand_after,
                      m.before + m.quantity)
        FROM chain m
        WHERE m.seq <> m.number OR m.on_hand_after <> m.before + m.quantity
        UNION ALL
        SELECT format('product %s: its level counts %s movements, its last is %s', l.product_id, l.stock_version, m.seq)
        FROM stock.stock_level l
        LEFT JOIN chain m ON m.product_id = l.product_id AND m.is_last
        WHERE l.tenant_id = stock.current_tenant() AND l.stock_version <> coalesce(m.seq, 0)
        UNION ALL
        SELECT format('product %s at location %s: on hand %s after movement %s, its last there is %s with %s', n.product_id,
                      n.location_id, n.on_hand, n.last_seq, m.seq, m.on_hand_after)
        FROM stock.location_level n
        LEFT JOIN chain m ON m.product_id = n.product_id AND m.location_id = n.location_id AND m.is_last_there
        WHERE n.tenant_id = stock.current_tenant()
          AND (n.last_seq <> coalesce(m.seq, 0) OR n.on_hand <> coalesce(m.on_hand_after, 0))
        """

    typealias Row = SingleColumn<String>
}

/// At a place the floor is least(0, on hand) where overselling is denied and in transit, absent where allowed; what is untracked
/// has none on hand.
///
/// Where low begins, the name and whether it is archived are the product's.
struct Invariant03: Invariant {
    static let number = "I3"
    static let name = "verify.i3"
    static let sql: SQL = """
        SELECT format('product %s: bounded %s, low at %s, on hand %s', p.id, l.bounded, l.low_at, l.on_hand)
        FROM stock.product p
        JOIN stock.tenant t ON t.id = p.tenant_id
        JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
        WHERE p.tenant_id = stock.current_tenant()
          AND ((l.low_at, l.name_key, l.archived, l.bounded) IS DISTINCT FROM
               (CASE WHEN p.tracks_stock THEN p.min_stock END, p.name_key, p.status = 'archived',
                p.tracks_stock AND (p.oversell = 'deny' OR p.oversell = 'inherit' AND t.oversell = 'deny'))
               OR NOT p.tracks_stock AND (l.on_hand <> 0 OR l.in_transit <> 0))
        UNION ALL
        SELECT format('product %s at location %s: floor %s at %s on hand', n.product_id, n.location_id, n.floor, n.on_hand)
        FROM stock.location_level n
        JOIN stock.stock_level l ON l.tenant_id = n.tenant_id AND l.product_id = n.product_id
        WHERE n.tenant_id = stock.current_tenant()
          AND ((n.name_key, n.archived) IS DISTINCT FROM (l.name_key, l.archived)
               OR n.floor IS DISTINCT FROM CASE WHEN l.bounded OR n.location_id = stock.transit_location()
                                                THEN least(0, n.on_hand) END)
        """

    typealias Row = SingleColumn<String>
}

/// A line's discount is within its gross amount; tax and total are as computed from it, and so is each of several taxes.
struct Invariant04: Invariant {
    static let number = "I4"
    static let name = "verify.i4"
    static let sql: SQL = """
        SELECT format('sale %s, line %s: discount %s, tax %s, total %s of %s x %s', l.sale_id, l.position,
                      l.discount + l.document_discount, l.tax, l.total, l.quantity, l.unit_price)
        FROM (SELECT l.*, t.prices_include_tax, t.currency_exponent::integer AS exponent,
                     stock.line_gross(l.quantity, l.unit_price, l.packed_quantity, l.packed_price, t.currency_exponent)
                     - l.discount - l.document_discount AS net
              FROM stock.sale_line l JOIN stock.tenant t ON t.id = l.tenant_id
              WHERE l.tenant_id = stock.current_tenant()) l
        WHERE l.net < 0
           OR l.total <> l.net + CASE WHEN coalesce((l.taxes -> 0 ->> 'included')::boolean, l.prices_include_tax) THEN 0
                                      ELSE l.tax END
           OR CASE WHEN l.taxes IS NOT NULL
                   THEN l.taxes <> stock.line_taxes(l.taxes, greatest(l.net, 0), l.quantity, l.exponent)
                        OR l.tax <> stock.line_tax(l.taxes)
                   ELSE l.tax <> CASE
                       WHEN l.tax_rate = 0 THEN 0
                       -- Thirty decimals keep the quotient from being rounded twice.
                       WHEN l.prices_include_tax
                       THEN l.net - round(l.net::numeric(60, 30) / (1 + l.tax_rate / 100), l.exponent)
                       ELSE round(l.net * l.tax_rate / 100, l.exponent) END END
        """

    typealias Row = SingleColumn<String>
}

/// A sale's subtotal, discount, tax and total are the sums of its lines.
struct Invariant05: Invariant {
    static let number = "I5"
    static let name = "verify.i5"
    static let sql: SQL = """
        SELECT format('sale %s: total %s, its lines add up to %s', s.id, s.total, l.total)
        FROM stock.sale s
        LEFT JOIN (SELECT l.sale_id, sum(l.total) AS total, sum(l.tax) AS tax, sum(l.discount + l.document_discount) AS discount,
                          sum(stock.line_gross(l.quantity, l.unit_price, l.packed_quantity, l.packed_price,
                                               t.currency_exponent)) AS subtotal
                   FROM stock.sale_line l JOIN stock.tenant t ON t.id = l.tenant_id
                   WHERE l.tenant_id = stock.current_tenant() GROUP BY l.sale_id) l ON l.sale_id = s.id
        WHERE s.tenant_id = stock.current_tenant()
          AND (s.total, s.tax, s.discount, s.subtotal) IS DISTINCT FROM
              (coalesce(l.total, 0), coalesce(l.tax, 0), coalesce(l.discount, 0), coalesce(l.subtotal, 0))
        """

    typealias Row = SingleColumn<String>
}

/// What is paid and refunded is what confirmed payments allocate; due follows, and is 0 unless confirmed.
///
/// What was rounded is of the confirmed payments, less of refunds, one that rounds to nothing among them; if a payment was made with
/// the sale.
struct Invariant06: Invariant {
    static let number = "I6"
    static let name = "verify.i6"
    static let sql: SQL = """
        SELECT format('sale %s: paid %s, refunded %s, due %s; allocated %s in, %s out', s.id, s.paid, s.refunded, s.due,
                      coalesce(a.paid, 0), coalesce(a.refunded, 0))
        FROM stock.sale s
        LEFT JOIN (SELECT a.sale_id, sum(a.amount) FILTER (WHERE p.direction = 'in') AS paid,
                          sum(a.amount) FILTER (WHERE p.direction = 'out') AS refunded
                   FROM stock.payment_allocation a
                   JOIN stock.payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id AND p.status = 'confirmed'
                   WHERE a.tenant_id = stock.current_tenant() GROUP BY a.sale_id) a ON a.sale_id = s.id
        WHERE s.tenant_id = stock.current_tenant()
          AND (s.paid <> coalesce(a.paid, 0) OR s.refunded <> coalesce(a.refunded, 0) OR s.due < 0
               OR s.due <> CASE WHEN s.status = 'confirmed'
                               THEN s.total + s.rounding - s.returned_total - s.paid + s.refunded ELSE 0 END)
        UNION ALL
        SELECT format('sale %s was rounded by %s, its payments by %s', s.id, s.rounding, p.rounding)
        FROM stock.sale s
        JOIN (SELECT p.sale_id, coalesce(sum(CASE p.direction WHEN 'in' THEN p.rounding ELSE -p.rounding END)
                                             FILTER (WHERE p.status = 'confirmed'), 0) AS rounding
              FROM stock.payment p
              WHERE p.tenant_id = stock.current_tenant() GROUP BY p.sale_id HAVING bool_or(p.direction = 'in')) p
            ON p.sale_id = s.id
        LEFT JOIN (SELECT r.sale_id, sum(r.rounding) AS rounding FROM stock.sale_return r
                   WHERE r.tenant_id = stock.current_tenant() AND r.rounding = -r.refund GROUP BY r.sale_id) r
            ON r.sale_id = s.id
        WHERE s.tenant_id = stock.current_tenant() AND s.rounding <> p.rounding - coalesce(r.rounding, 0)
        UNION ALL
        SELECT format('payment %s of %s allocates %s', p.id, p.amount, a.amount)
        FROM stock.payment p
        JOIN (SELECT a.payment_id, sum(a.amount) AS amount
              FROM (SELECT s.payment_id, s.amount FROM stock.payment_allocation s
                    WHERE s.tenant_id = stock.current_tenant()
                    UNION ALL
                    SELECT u.payment_id, u.amount FROM stock.purchase_allocation u
                    WHERE u.tenant_id = stock.current_tenant()) a
              GROUP BY a.payment_id) a ON a.payment_id = p.id
        WHERE p.tenant_id = stock.current_tenant() AND a.amount <> p.amount
        UNION ALL
        SELECT format('payment %s pays nothing', p.id)
        FROM stock.payment p
        WHERE p.tenant_id = stock.current_tenant() AND p.return_id IS NULL
          AND NOT EXISTS (SELECT FROM stock.payment_allocation a
                          WHERE a.tenant_id = stock.current_tenant() AND a.payment_id = p.id)
          AND NOT EXISTS (SELECT FROM stock.purchase_allocation a
                          WHERE a.tenant_id = stock.current_tenant() AND a.payment_id = p.id)
        """

    typealias Row = SingleColumn<String>
}

/// Returned quantities and totals are the sums of the returns, amounts what the quantities come to of the lines; the payments of a
/// return are what it gives back.
struct Invariant07: Invariant {
    static let number = "I7"
    static let name = "verify.i7"
    static let sql: SQL = """
        SELECT format('sale %s, line %s: returned %s, returns add up to %s', l.sale_id, l.position, l.returned_quantity,
                      coalesce(r.quantity, 0))
        FROM stock.sale_line l
        LEFT JOIN (SELECT r.sale_line_id, sum(r.quantity) AS quantity FROM stock.sale_return_line r
                   WHERE r.tenant_id = stock.current_tenant() AND r.sale_line_id IS NOT NULL
                   GROUP BY r.sale_line_id) r ON r.sale_line_id = l.id
        WHERE l.tenant_id = stock.current_tenant()
          AND (l.returned_quantity <> coalesce(r.quantity, 0) OR l.returned_quantity > l.quantity)
        UNION ALL
        SELECT format('sale %s: returned %s, its returns add up to %s', s.id, s.returned_total, coalesce(r.total, 0))
        FROM stock.sale s
        LEFT JOIN (SELECT r.sale_id, sum(r.total) AS total FROM stock.sale_return r
                   WHERE r.tenant_id = stock.current_tenant() AND r.sale_id IS NOT NULL GROUP BY r.sale_id) r ON r.sale_id = s.id
        WHERE s.tenant_id = stock.current_tenant() AND s.returned_total <> coalesce(r.total, 0)
        UNION ALL
        SELECT format('return %s: total %s, its lines add up to %s', r.id, r.total, coalesce(l.amount, 0))
        FROM stock.sale_return r
        LEFT JOIN (SELECT l.return_id, sum(l.amount) AS amount FROM stock.sale_return_line l
                   WHERE l.tenant_id = stock.current_tenant() GROUP BY l.return_id) l ON l.return_id = r.id
        WHERE r.tenant_id = stock.current_tenant() AND r.total <> coalesce(l.amount, 0)
        UNION ALL
        SELECT format('return %s, line %s: %s for %s at %s', l.return_id, l.position, l.amount, l.packed_quantity, l.packed_price)
        FROM stock.sale_return_line l JOIN stock.tenant t ON t.id = l.tenant_id
        WHERE l.tenant_id = stock.current_tenant() AND l.packed_quantity IS NOT NULL
          AND l.amount <> stock.line_gross(l.quantity, l.unit_price, l.packed_quantity, l.packed_price, t.currency_exponent)
        UNION ALL
        SELECT format('sale %s, line %s of %s: %s of %s was returned for %s', l.sale_id, l.position, l.total, l.returned_quantity,
                      l.quantity, r.amount)
        FROM stock.sale_line l
        JOIN stock.tenant t ON t.id = l.tenant_id
        JOIN (SELECT r.sale_line_id, sum(r.amount) AS amount FROM stock.sale_return_line r
              WHERE r.tenant_id = stock.current_tenant() AND r.sale_line_id IS NOT NULL
              GROUP BY r.sale_line_id) r ON r.sale_line_id = l.id
        WHERE l.tenant_id = stock.current_tenant()
          AND r.amount <> stock.returned_amount(l.total, l.quantity, l.returned_quantity, t.currency_exponent)
        UNION ALL
        SELECT format('return %s gives back %s, its payments are %s', r.id, r.refund + r.rounding, coalesce(p.amount, 0))
        FROM stock.sale_return r
        LEFT JOIN (SELECT p.return_id, sum(p.amount) AS amount FROM stock.payment p
                   WHERE p.tenant_id = stock.current_tenant() AND p.return_id IS NOT NULL GROUP BY p.return_id) p
            ON p.return_id = r.id
        WHERE r.tenant_id = stock.current_tenant() AND r.refund + r.rounding <> coalesce(p.amount, 0)
        """

    typealias Row = SingleColumn<String>
}

/// A purchase comes to what its lines and costs do, of which every line bears a share; what is paid is what confirmed payments
/// allocate; due follows, and is 0 unless it is ordered.
///
/// No more of a line came than was ordered, all of what was received and nothing of what was not ordered; what is open is still to
/// come.
struct Invariant08: Invariant {
    static let number = "I8"
    static let name = "verify.i8"
    static let sql: SQL = """
        SELECT format('purchase %s: goods %s, costs %s, total %s; its lines come to %s with %s of the costs, its costs to %s', p.id,
                      p.goods, p.costs, p.total, coalesce(l.goods, 0), coalesce(l.shares, 0), coalesce(c.amount, 0))
        FROM stock.purchase p
        LEFT JOIN (SELECT l.purchase_id, sum(stock.line_gross(l.quantity, l.unit_cost, l.packed_quantity, l.packed_cost,
                                                                  t.currency_exponent)) AS goods,
                          sum(l.total) AS totals, sum(l.cost_share) AS shares
                   FROM stock.purchase_line l JOIN stock.tenant t ON t.id = l.tenant_id
                   WHERE l.tenant_id = stock.current_tenant() GROUP BY l.purchase_id) l ON l.purchase_id = p.id
        LEFT JOIN (SELECT c.purchase_id, sum(c.amount) AS amount FROM stock.purchase_cost c
                   WHERE c.tenant_id = stock.current_tenant() GROUP BY c.purchase_id) c ON c.purchase_id = p.id
        WHERE p.tenant_id = stock.current_tenant()
          AND (l.purchase_id IS NULL OR p.total <> p.goods + p.costs OR p.goods <> l.goods OR p.goods <> l.totals
               OR p.costs <> l.shares OR p.costs <> coalesce(c.amount, 0))
        UNION ALL
        SELECT format('purchase %s: paid %s, due %s of %s; allocated %s', p.id, p.paid, p.due, p.total, coalesce(a.paid, 0))
        FROM stock.purchase p
        LEFT JOIN (SELECT a.purchase_id, sum(a.amount) AS paid
                   FROM stock.purchase_allocation a
                   JOIN stock.payment f ON f.tenant_id = a.tenant_id AND f.id = a.payment_id AND f.status = 'confirmed'
                   WHERE a.tenant_id = stock.current_tenant() GROUP BY a.purchase_id) a ON a.purchase_id = p.id
        WHERE p.tenant_id = stock.current_tenant()
          AND (p.paid <> coalesce(a.paid, 0) OR p.paid > p.total
               OR p.due <> CASE WHEN p.status IN ('draft', 'cancelled') THEN 0 ELSE p.total - p.paid END)
        UNION ALL
        SELECT format('%s purchase %s, line %s: received %s and open %s of %s', p.status, p.id, l.position, l.received_quantity,
                      l.open_quantity, l.quantity)
        FROM stock.purchase_line l
        JOIN stock.purchase p ON p.tenant_id = l.tenant_id AND p.id = l.purchase_id
        WHERE l.tenant_id = stock.current_tenant()
          AND (l.received_quantity > l.quantity
               OR l.open_quantity <> CASE p.status WHEN 'cancelled' THEN 0 ELSE l.quantity - l.received_quantity END
               OR p.status IN ('draft', 'ordered') AND l.received_quantity <> 0
               OR p.status = 'received' AND l.received_quantity <> l.quantity)
        """

    typealias Row = SingleColumn<String>
}

/// A confirmed sale has a line, a number and a day; a draft has no number, movement or payment.
struct Invariant09: Invariant {
    static let number = "I9"
    static let name = "verify.i9"
    static let sql: SQL = """
        SELECT format('sale %s has no line', s.id)
        FROM stock.sale s
        WHERE s.tenant_id = stock.current_tenant() AND s.status = 'confirmed'
          AND NOT EXISTS (SELECT FROM stock.sale_line l WHERE l.tenant_id = stock.current_tenant() AND l.sale_id = s.id)
        UNION ALL
        SELECT format('%s sale %s has number %s, a session, payments or movements', s.status, s.id, s.number)
        FROM stock.sale s
        WHERE s.tenant_id = stock.current_tenant() AND s.status IN ('draft', 'discarded')
          AND (s.number IS NOT NULL OR s.cash_session_id IS NOT NULL
               OR EXISTS (SELECT FROM stock.payment_allocation a
                          WHERE a.tenant_id = stock.current_tenant() AND a.sale_id = s.id)
               OR EXISTS (SELECT FROM stock.stock_movement m
                          WHERE m.tenant_id = stock.current_tenant() AND m.ref_id = s.id))
        """

    typealias Row = SingleColumn<String>
}

/// The movements of a sale are what it sold, those of a return what it put back, those of a purchase what came of it unless it is
/// cancelled, per tracked product.
struct Invariant10: Invariant {
    static let number = "I10"
    static let name = "verify.i10"
    static let sql: SQL = """
        SELECT format('%s %s, product %s: moved %s, should have moved %s', max(d.ref_type), d.ref_id, d.product_id,
                      coalesce(sum(d.quantity) FILTER (WHERE d.is_moved), 0),
                      coalesce(-sum(d.quantity) FILTER (WHERE NOT d.is_moved), 0))
        FROM (
            SELECT m.ref_type, m.ref_id, m.product_id, m.quantity, true AS is_moved
            FROM stock.stock_movement m
            WHERE m.tenant_id = stock.current_tenant() AND m.ref_type IN ('sale', 'return', 'purchase')
            UNION ALL
            SELECT 'sale', l.sale_id, l.product_id, l.quantity, false
            FROM stock.sale_line l
            JOIN stock.sale s ON s.tenant_id = l.tenant_id AND s.id = l.sale_id AND s.status = 'confirmed'
            JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id AND p.tracks_stock
            WHERE l.tenant_id = stock.current_tenant()
            UNION ALL
            SELECT 'return', l.return_id, l.product_id, -l.quantity, false
            FROM stock.sale_return_line l
            JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id AND p.tracks_stock
            WHERE l.tenant_id = stock.current_tenant() AND l.restock
            UNION ALL
            SELECT 'purchase', l.purchase_id, l.product_id, -l.received_quantity, false
            FROM stock.purchase_line l
            JOIN stock.purchase b ON b.tenant_id = l.tenant_id AND b.id = l.purchase_id AND b.status <> 'cancelled'
            JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id AND p.tracks_stock
            WHERE l.tenant_id = stock.current_tenant()
        ) d
        GROUP BY d.ref_id, d.product_id HAVING sum(d.quantity) <> 0
        """

    typealias Row = SingleColumn<String>
}

/// The movements of what was cancelled add up to 0 per product and place, its ledger rows per method; what sale is cancelled says
/// why, and nothing else does.
struct Invariant11: Invariant {
    static let number = "I11"
    static let name = "verify.i11"
    static let sql: SQL = """
        SELECT format('cancelled sale %s: %s by %s is left in the ledger', s.id, sum(e.amount), e.method)
        FROM stock.sale s
        JOIN stock.payment_allocation a ON a.tenant_id = s.tenant_id AND a.sale_id = s.id
        JOIN stock.ledger_entry e ON e.tenant_id = s.tenant_id AND e.source_id = a.payment_id
            AND e.source_type IN ('payment', 'tip', 'rounding')
        WHERE s.tenant_id = stock.current_tenant() AND s.status = 'cancelled'
        GROUP BY s.id, e.method HAVING sum(e.amount) <> 0
        UNION ALL
        SELECT format('cancelled sale %s, product %s: %s is left at location %s', s.id, m.product_id, sum(m.quantity),
                      m.location_id)
        FROM stock.sale s
        JOIN stock.stock_movement m ON m.tenant_id = s.tenant_id AND m.ref_id = s.id
        WHERE s.tenant_id = stock.current_tenant() AND s.status = 'cancelled'
        GROUP BY s.id, m.product_id, m.location_id HAVING sum(m.quantity) <> 0
        UNION ALL
        SELECT format('sale %s is %s, with%s a cancellation', s.id, s.status, CASE WHEN c.sale_id IS NULL THEN 'out' END)
        FROM stock.sale s
        LEFT JOIN stock.sale_cancellation c ON c.tenant_id = s.tenant_id AND c.sale_id = s.id
        WHERE s.tenant_id = stock.current_tenant() AND (s.status = 'cancelled') <> (c.sale_id IS NOT NULL)
        UNION ALL
        SELECT format('cancelled purchase %s: %s by %s is left in the ledger', p.id, sum(e.amount), e.method)
        FROM stock.purchase p
        JOIN stock.purchase_allocation a ON a.tenant_id = p.tenant_id AND a.purchase_id = p.id
        JOIN stock.ledger_entry e ON e.tenant_id = p.tenant_id AND e.source_id = a.payment_id AND e.source_type = 'payment'
        WHERE p.tenant_id = stock.current_tenant() AND p.status = 'cancelled'
        GROUP BY p.id, e.method HAVING sum(e.amount) <> 0
        UNION ALL
        SELECT format('cancelled purchase %s, product %s: %s of it is left', p.id, m.product_id, sum(m.quantity))
        FROM stock.purchase p
        JOIN stock.stock_movement m ON m.tenant_id = p.tenant_id AND m.ref_id = p.id
        WHERE p.tenant_id = stock.current_tenant() AND p.status = 'cancelled'
        GROUP BY p.id, m.product_id HAVING sum(m.quantity) <> 0
        """

    typealias Row = SingleColumn<String>
}

/// A payment has one ledger row of equal direction, method and day for what it pays, and one for its tip and its rounding, if any.
///
/// Together they are what it brought in. An expense and an entry by hand have one of equal direction, amount, method, category and
/// day. Every ledger row has its source; what was tendered was cash.
struct Invariant12: Invariant {
    static let number = "I12"
    static let name = "verify.i12"
    static let sql: SQL = """
        SELECT format('payment %s of %s by %s on %s: ledger row %s', p.id, p.amount, p.method, p.business_day,
                      coalesce(format('%s %s by %s on %s', e.direction, e.amount, e.method, e.business_day), 'missing'))
        FROM stock.payment p
        LEFT JOIN stock.ledger_entry e
            ON e.tenant_id = p.tenant_id AND e.source_type = 'payment' AND e.source_id = p.id AND e.reverses_id IS NULL
        WHERE p.tenant_id = stock.current_tenant()
          AND (e.direction, e.amount, e.method, e.business_day) IS DISTINCT FROM
              (CASE p.direction WHEN 'in' THEN 'income' ELSE 'expense' END, p.amount - p.rounding, p.method,
               p.business_day)
        UNION ALL
        SELECT format('payment %s of %s by %s on %s: ledger row of its %s is %s, should be %s', p.id, p.amount, p.method,
                      p.business_day, v.source, coalesce(e.amount, 0), v.amount)
        FROM stock.payment p
        CROSS JOIN LATERAL (VALUES ('tip', p.tip), ('rounding', p.rounding)) AS v (source, amount)
        LEFT JOIN stock.ledger_entry e
            ON e.tenant_id = p.tenant_id AND e.source_type = v.source AND e.source_id = p.id AND e.reverses_id IS NULL
        WHERE p.tenant_id = stock.current_tenant() AND (v.amount <> 0 OR e.id IS NOT NULL)
          AND (e.direction, e.amount, e.method, e.category, e.business_day) IS DISTINCT FROM
              (CASE p.direction WHEN 'in' THEN 'income' ELSE 'expense' END, v.amount, p.method, v.source, p.business_day)
        UNION ALL
        SELECT format('payment %s by %s was tendered', p.id, p.method)
        FROM stock.payment p
        LEFT JOIN stock.payment_method m ON m.tenant_id = p.tenant_id AND m.code = p.method
        WHERE p.tenant_id = stock.current_tenant() AND p.tendered IS NOT NULL AND m.kind IS DISTINCT FROM 'cash'
        UNION ALL
        SELECT format('%s %s of %s by %s on %s: ledger row %s', m.source, m.id, m.amount, m.method, m.business_day,
                      coalesce(format('%s %s by %s on %s', e.direction, e.amount, e.method, e.business_day), 'missing'))
        FROM stock.money_entry m
        LEFT JOIN stock.ledger_entry e
            ON e.tenant_id = m.tenant_id AND e.source_type = m.source AND e.source_id = m.id AND e.reverses_id IS NULL
        WHERE m.tenant_id = stock.current_tenant()
          AND (e.direction, e.amount, e.method, e.category, e.business_day) IS DISTINCT FROM
              (m.direction, m.amount, m.method, m.category, m.business_day)
        UNION ALL
        SELECT format('ledger row %s names %s %s, which is not there', e.id, e.source_type, e.source_id)
        FROM stock.ledger_entry e
        LEFT JOIN stock.payment p ON p.tenant_id = e.tenant_id AND p.id = e.source_id
        LEFT JOIN stock.cash_entry c
            ON c.tenant_id = e.tenant_id AND c.id = e.source_id AND c.kind <> 'drop' AND c.amount = e.amount
        LEFT JOIN stock.cash_session s
            ON s.tenant_id = e.tenant_id AND s.id = e.source_id AND abs(s.difference) = e.amount
        LEFT JOIN stock.money_entry m ON m.tenant_id = e.tenant_id AND m.id = e.source_id AND m.source = e.source_type
        WHERE e.tenant_id = stock.current_tenant()
          AND CASE WHEN e.source_type IN ('payment', 'tip', 'rounding') THEN p.id WHEN e.source_type = 'cash_entry' THEN c.id
                   WHEN e.source_type = 'cash_session' THEN s.id ELSE m.id END IS NULL
        """

    typealias Row = SingleColumn<String>
}

/// What is reversed has one reversal of each of its rows: minus the original, by the same method.
///
/// A reversed payment says why, and no other does.
struct Invariant13: Invariant {
    static let number = "I13"
    static let name = "verify.i13"
    static let sql: SQL = """
        SELECT format('ledger row %s reverses %s with %s', e.id, o.id, e.amount)
        FROM stock.ledger_entry e
        JOIN stock.ledger_entry o ON o.tenant_id = e.tenant_id AND o.id = e.reverses_id
        WHERE e.tenant_id = stock.current_tenant()
          AND (e.amount, e.direction, e.method, e.category) IS DISTINCT FROM (-o.amount, o.direction, o.method, o.category)
        UNION ALL
        SELECT format('payment %s is %s, and its ledger row %s has %s reversals', p.id, p.status, o.id, count(e.id))
        FROM stock.payment p
        JOIN stock.ledger_entry o
            ON o.tenant_id = p.tenant_id AND o.source_id = p.id AND o.source_type IN ('payment', 'tip', 'rounding')
                AND o.reverses_id IS NULL
        LEFT JOIN stock.ledger_entry e ON e.tenant_id = p.tenant_id AND e.reverses_id = o.id
        WHERE p.tenant_id = stock.current_tenant()
        GROUP BY p.id, p.status, o.id HAVING count(e.id) <> CASE p.status WHEN 'reversed' THEN 1 ELSE 0 END
        UNION ALL
        SELECT format('payment %s is %s, with%s a reversal', p.id, p.status, CASE WHEN r.payment_id IS NULL THEN 'out' END)
        FROM stock.payment p
        LEFT JOIN stock.payment_reversal r ON r.tenant_id = p.tenant_id AND r.payment_id = p.id
        WHERE p.tenant_id = stock.current_tenant() AND (p.status = 'reversed') <> (r.payment_id IS NOT NULL)
        UNION ALL
        SELECT format('%s %s is %s and has %s reversals', m.source, m.id, m.status, count(e.id))
        FROM stock.money_entry m
        LEFT JOIN stock.ledger_entry e
            ON e.tenant_id = m.tenant_id AND e.source_type = m.source AND e.source_id = m.id AND e.reverses_id IS NOT NULL
        WHERE m.tenant_id = stock.current_tenant()
        GROUP BY m.source, m.id, m.status HAVING count(e.id) <> CASE m.status WHEN 'reversed' THEN 1 ELSE 0 END
        """

    typealias Row = SingleColumn<String>
}

/// The totals of a day and method, over all slots, are the sums of its ledger rows.
struct Invariant14: Invariant {
    static let number = "I14"
    static let name = "verify.i14"
    static let sql: SQL = """
        SELECT format('%s by %s: totals are %s in and %s out, the ledger adds up to %s and %s', d.business_day, d.method,
                      coalesce(b.income, 0), coalesce(b.expense, 0), coalesce(l.income, 0), coalesce(l.expense, 0))
        FROM (SELECT b.business_day, b.method, sum(b.income) AS income, sum(b.expense) AS expense FROM stock.balance_day b
              WHERE b.tenant_id = stock.current_tenant() GROUP BY b.business_day, b.method) b
        FULL JOIN (SELECT e.business_day, e.method, sum(e.amount) FILTER (WHERE e.direction = 'income') AS income,
                          sum(e.amount) FILTER (WHERE e.direction = 'expense') AS expense
                   FROM stock.ledger_entry e
                   WHERE e.tenant_id = stock.current_tenant() GROUP BY e.business_day, e.method) l
            ON l.business_day = b.business_day AND l.method = b.method,
        LATERAL (SELECT coalesce(b.business_day, l.business_day) AS business_day, coalesce(b.method, l.method) AS method) d
        WHERE (coalesce(b.income, 0), coalesce(b.expense, 0)) <> (coalesce(l.income, 0), coalesce(l.expense, 0))
        UNION ALL
        SELECT format('%s by %s at register %s, location %s: totals are %s in and %s out, the ledger adds up to %s and %s',
                      d.business_day, d.method, d.register_id, d.location_id, coalesce(b.income, 0), coalesce(b.expense, 0),
                      coalesce(l.income, 0), coalesce(l.expense, 0))
        FROM (SELECT b.register_id, b.location_id, b.business_day, b.method, sum(b.income) AS income,
                     sum(b.expense) AS expense FROM stock.register_day b
              WHERE b.tenant_id = stock.current_tenant() GROUP BY 1, 2, 3, 4) b
        FULL JOIN (SELECT e.register_id, e.location_id, e.business_day, e.method,
                          sum(e.amount) FILTER (WHERE e.direction = 'income') AS income,
                          sum(e.amount) FILTER (WHERE e.direction = 'expense') AS expense
                   FROM stock.ledger_entry e
                   WHERE e.tenant_id = stock.current_tenant() AND e.register_id IS NOT NULL GROUP BY 1, 2, 3, 4) l
            ON l.register_id = b.register_id AND l.location_id = b.location_id AND l.business_day = b.business_day
           AND l.method = b.method,
        LATERAL (SELECT coalesce(b.register_id, l.register_id) AS register_id,
                        coalesce(b.location_id, l.location_id) AS location_id,
                        coalesce(b.business_day, l.business_day) AS business_day, coalesce(b.method, l.method) AS method) d
        WHERE (coalesce(b.income, 0), coalesce(b.expense, 0)) <> (coalesce(l.income, 0), coalesce(l.expense, 0))
        """

    typealias Row = SingleColumn<String>
}

/// A business day fits its moment, in the zone of the place where it is known to have happened, else in one of the shop's.
///
/// What was imported before files named places is of the shop's day, and what is in transit is at no place.
struct Invariant16: Invariant {
    static let number = "I16"
    static let name = "verify.i16"
    static let sql: SQL = """
        SELECT format('%s %s: %s is not on %s', d.kind, d.id, d.occurred_at, d.business_day)
        FROM stock.tenant t
        CROSS JOIN LATERAL (
            SELECT max(l.timezone_since) AS since FROM stock.location l
            WHERE l.tenant_id = t.id AND l.timezone_since > l.created_at) z
        CROSS JOIN LATERAL (
            SELECT 'sale' AS kind, s.id, s.occurred_at, s.recorded_at, s.business_day,
                   CASE WHEN s.external_id IS NULL AND s.recorded_at >= g.updated_at THEN g.location_id END AS place
            FROM stock.sale s
            LEFT JOIN stock.register g ON g.tenant_id = s.tenant_id AND g.id = s.register_id
            WHERE s.tenant_id = t.id
            UNION ALL
            SELECT 'return', r.id, r.occurred_at, r.recorded_at, r.business_day,
                   CASE WHEN r.external_id IS NULL AND r.recorded_at >= g.updated_at THEN g.location_id END
            FROM stock.sale_return r
            LEFT JOIN stock.register g ON g.tenant_id = r.tenant_id AND g.id = r.register_id
            WHERE r.tenant_id = t.id
            UNION ALL
            SELECT 'movement', m.id, m.occurred_at, m.recorded_at, m.business_day,
                   CASE WHEN m.kind IN ('opening', 'adjustment', 'loss', 'count', 'purchase') THEN m.location_id END
            FROM stock.stock_movement m WHERE m.tenant_id = t.id
            UNION ALL
            SELECT 'payment', p.id, p.occurred_at, p.recorded_at, p.business_day, NULL FROM stock.payment p
            WHERE p.tenant_id = t.id
            UNION ALL
            SELECT 'purchase', b.id, b.occurred_at, b.recorded_at, b.business_day, NULL FROM stock.purchase b
            WHERE b.tenant_id = t.id
            UNION ALL
            SELECT m.source, m.id, m.occurred_at, m.recorded_at, m.business_day, NULL FROM stock.money_entry m
            WHERE m.tenant_id = t.id
            UNION ALL
            SELECT 'ledger row', e.id, e.occurred_at, e.recorded_at, e.business_day, NULL FROM stock.ledger_entry e
            WHERE e.tenant_id = t.id
        ) d
        LEFT JOIN stock.location l ON l.tenant_id = t.id AND l.id = d.place AND l.kind <> 'transit'
        WHERE t.id = stock.current_tenant() AND d.recorded_at >= greatest(t.timezone_since, z.since)
          AND CASE WHEN l.id IS NOT NULL
                   THEN d.business_day <> (d.occurred_at AT TIME ZONE coalesce(l.timezone, t.timezone))::date
                   ELSE d.business_day <> (d.occurred_at AT TIME ZONE t.timezone)::date
                        AND NOT EXISTS (
                            SELECT FROM stock.location o
                            WHERE o.tenant_id = t.id AND d.business_day = (d.occurred_at AT TIME ZONE o.timezone)::date)
              END
        """

    typealias Row = SingleColumn<String>
}

/// A customer's balance is what their confirmed sales have due; what is owed in all is the sum of the balances.
struct Invariant17: Invariant {
    static let number = "I17"
    static let name = "verify.i17"
    static let sql: SQL = """
        SELECT format('customer %s: balance %s, due %s', c.id, a.balance, coalesce(s.due, 0))
        FROM stock.customer c
        LEFT JOIN stock.customer_account a ON a.tenant_id = c.tenant_id AND a.customer_id = c.id
        LEFT JOIN (SELECT s.customer_id, sum(s.due) AS due FROM stock.sale s
                   WHERE s.tenant_id = stock.current_tenant() AND s.status = 'confirmed' GROUP BY s.customer_id) s
            ON s.customer_id = c.id
        WHERE c.tenant_id = stock.current_tenant() AND a.balance IS DISTINCT FROM coalesce(s.due, 0)
        UNION ALL
        SELECT format('customers owe %s in all, their balances add up to %s', r.due, a.balance)
        FROM (SELECT coalesce(sum(r.due), 0) AS due FROM stock.receivable r WHERE r.tenant_id = stock.current_tenant()) r,
             (SELECT coalesce(sum(a.balance), 0) AS balance FROM stock.customer_account a
              WHERE a.tenant_id = stock.current_tenant()) a
        WHERE r.due <> a.balance
        """

    typealias Row = SingleColumn<String>
}

/// The totals of a customer and month, over all slots, are the sums of what their documents changed; all of a customer's are their
/// balance.
struct Invariant30: Invariant {
    static let number = "I30"
    static let name = "verify.i30"
    static let sql: SQL = """
        SELECT format('customer %s in %s: totals come to %s, documents to %s', d.customer_id, d.month, coalesce(m.change, 0),
                      coalesce(c.change, 0))
        FROM (SELECT m.customer_id, m.month, sum(m.change) AS change FROM stock.customer_month m
              WHERE m.tenant_id = stock.current_tenant() GROUP BY m.customer_id, m.month) m
        FULL JOIN (SELECT c.customer_id, date_trunc('month', c.business_day::timestamp)::date AS month, sum(c.change) AS change
                   FROM stock.customer_change c WHERE c.tenant_id = stock.current_tenant() GROUP BY 1, 2) c
            ON c.customer_id = m.customer_id AND c.month = m.month,
        LATERAL (SELECT coalesce(m.customer_id, c.customer_id) AS customer_id, coalesce(m.month, c.month) AS month) d
        WHERE coalesce(m.change, 0) <> coalesce(c.change, 0)
        UNION ALL
        SELECT format('customer %s: balance %s, documents come to %s', a.customer_id, a.balance, coalesce(c.change, 0))
        FROM stock.customer_account a
        LEFT JOIN (SELECT c.customer_id, sum(c.change) AS change FROM stock.customer_change c
                   WHERE c.tenant_id = stock.current_tenant() GROUP BY c.customer_id) c ON c.customer_id = a.customer_id
        WHERE a.tenant_id = stock.current_tenant() AND a.balance <> coalesce(c.change, 0)
        """

    typealias Row = SingleColumn<String>
}

/// What was sold of a product on a day that is added up, and of a tax, is what documents say, over all slots.
struct Invariant34: Invariant {
    static let number = "I34"
    static let name = "verify.i34"
    static let sql: SQL = """
        SELECT format('product %s on %s: %s sold, %s returned, revenue %s, cost %s; documents say %s, %s, %s, %s', k.product_id,
                      k.day, coalesce(d.sold, 0), coalesce(d.returned, 0), coalesce(d.revenue, 0), coalesce(d.cost, 0),
                      coalesce(c.sold, 0), coalesce(c.returned, 0), coalesce(c.revenue, 0), coalesce(c.cost, 0))
        FROM (SELECT d.business_day AS day, d.product AS product_id, sum(d.sold) AS sold, sum(d.returned) AS returned,
                     sum(d.revenue) AS revenue, sum(d.cost) AS cost
              FROM stock.product_day d WHERE d.tenant_id = stock.current_tenant() GROUP BY 1, 2) d
        FULL JOIN (SELECT c.day, c.product_id, sum(c.sold) AS sold, sum(c.returned) AS returned, sum(c.revenue) AS revenue,
                          sum(c.cost) AS cost
                   FROM stock.product_change c
                   WHERE c.tenant_id = stock.current_tenant() AND c.day < (SELECT stock.sums_open_from(stock.current_tenant())) GROUP BY 1, 2) c
            ON c.day = d.day AND c.product_id = d.product_id,
        LATERAL (SELECT coalesce(d.day, c.day) AS day, coalesce(d.product_id, c.product_id) AS product_id) k
        WHERE (coalesce(d.sold, 0), coalesce(d.returned, 0), coalesce(d.revenue, 0), coalesce(d.cost, 0))
              <> (coalesce(c.sold, 0), coalesce(c.returned, 0), coalesce(c.revenue, 0), coalesce(c.cost, 0))
        UNION ALL
        SELECT format('%s on %s: %s of %s, %s of %s deducted; documents say %s of %s, %s of %s', k.name, k.day,
                      coalesce(d.amount, 0), coalesce(d.base, 0), coalesce(d.deducted_amount, 0), coalesce(d.deducted_base, 0),
                      coalesce(c.amount, 0), coalesce(c.base, 0), coalesce(c.deducted_amount, 0), coalesce(c.deducted_base, 0))
        FROM (SELECT d.business_day AS day, d.name, d.kind, d.rate, sum(d.base) AS base, sum(d.amount) AS amount,
                     sum(d.deducted_base) AS deducted_base, sum(d.deducted_amount) AS deducted_amount
              FROM stock.tax_day d WHERE d.tenant_id = stock.current_tenant() GROUP BY 1, 2, 3, 4) d
        FULL JOIN (SELECT c.day, c.name, c.kind, c.rate, sum(c.base) AS base, sum(c.amount) AS amount,
                          sum(c.deducted_base) AS deducted_base, sum(c.deducted_amount) AS deducted_amount
                   FROM stock.tax_change c
                   WHERE c.tenant_id = stock.current_tenant() AND c.day < (SELECT stock.sums_open_from(stock.current_tenant()))
                   GROUP BY 1, 2, 3, 4) c
            ON c.day = d.day AND c.name = d.name AND c.kind = d.kind AND c.rate = d.rate,
        LATERAL (SELECT coalesce(d.day, c.day) AS day, coalesce(d.name, c.name) AS name) k
        WHERE (coalesce(d.base, 0), coalesce(d.amount, 0), coalesce(d.deducted_base, 0), coalesce(d.deducted_amount, 0))
              <> (coalesce(c.base, 0), coalesce(c.amount, 0), coalesce(c.deducted_base, 0), coalesce(c.deducted_amount, 0))
        UNION ALL
        SELECT format('return line %s: its taxes come to %s, not %s', l.id, stock.line_tax(l.taxes), l.tax)
        FROM stock.sale_return_line l
        WHERE l.tenant_id = stock.current_tenant() AND l.taxes IS NOT NULL AND stock.line_tax(l.taxes) <> l.tax
        UNION ALL
        SELECT format('sale line %s came back whole with a tax of %s, not %s', l.id, b.tax, l.tax)
        FROM stock.sale_line l
        JOIN (SELECT r.sale_line_id, sum(r.tax) AS tax FROM stock.sale_return_line r
              WHERE r.tenant_id = stock.current_tenant() AND r.sale_line_id IS NOT NULL GROUP BY r.sale_line_id) b
            ON b.sale_line_id = l.id
        WHERE l.tenant_id = stock.current_tenant() AND l.returned_quantity = l.quantity AND b.tax <> l.tax
        """

    typealias Row = SingleColumn<String>
}

/// What stock is worth by its changes is what levels say.
struct Invariant35: Invariant {
    static let number = "I35"
    static let name = "verify.i35"
    static let sql: SQL = """
        SELECT format('changes of the worth of stock come to %s, levels to %s', v.change, l.value)
        FROM (SELECT coalesce(sum(v.change), 0) AS change FROM stock.stock_value_day v
              WHERE v.tenant_id = stock.current_tenant()) v,
             (SELECT coalesce(sum((l.on_hand + l.in_transit) * l.cost), 0) AS value FROM stock.stock_level l
              WHERE l.tenant_id = stock.current_tenant()) l
        WHERE v.change <> l.value
        """

    typealias Row = SingleColumn<String>
}

/// Numbers of a register and kind run from 1 to the counter.
struct Invariant18: Invariant {
    static let number = "I18"
    static let name = "verify.i18"
    static let sql: SQL = """
        SELECT format('register %s, %s: %s numbers from %s to %s, the counter stands at %s', d.register_id, d.kind, d.count,
                      d.first, d.last, c.last_number)
        FROM (SELECT s.register_id, 'sale' AS kind, count(*) AS count, min(s.number) AS first, max(s.number) AS last
              FROM stock.sale s WHERE s.tenant_id = stock.current_tenant() AND s.number IS NOT NULL GROUP BY s.register_id
              UNION ALL
              SELECT r.register_id, 'return', count(*), min(r.number), max(r.number)
              FROM stock.sale_return r WHERE r.tenant_id = stock.current_tenant() GROUP BY r.register_id
              UNION ALL
              SELECT q.register_id, 'quote', count(*), min(q.number), max(q.number)
              FROM stock.quote q WHERE q.tenant_id = stock.current_tenant() AND q.number IS NOT NULL GROUP BY q.register_id
              UNION ALL
              SELECT r.register_id, 'cash_session', count(*), min(r.number), max(r.number)
              FROM stock.cash_session r WHERE r.tenant_id = stock.current_tenant() GROUP BY r.register_id
              UNION ALL
              SELECT r.register_id, 'transfer', count(*), min(r.number), max(r.number)
              FROM stock.transfer r WHERE r.tenant_id = stock.current_tenant() AND r.number IS NOT NULL
              GROUP BY r.register_id
              UNION ALL
              SELECT p.register_id, 'purchase', count(*), min(p.number), max(p.number)
              FROM stock.purchase p
              WHERE p.tenant_id = stock.current_tenant() AND p.register_id IS NOT NULL GROUP BY p.register_id) d
        LEFT JOIN stock.document_counter c
            ON c.tenant_id = stock.current_tenant() AND c.register_id = d.register_id AND c.kind = d.kind
        WHERE d.first <> 1 OR d.last <> d.count OR c.last_number IS DISTINCT FROM d.count
        UNION ALL
        SELECT format('register %s, %s: the counter stands at %s without a number', c.register_id, c.kind, c.last_number)
        FROM stock.document_counter c
        WHERE c.tenant_id = stock.current_tenant() AND c.last_number > 0
          AND NOT EXISTS (SELECT FROM stock.sale s
                          WHERE s.tenant_id = stock.current_tenant() AND s.register_id = c.register_id
                            AND c.kind = 'sale' AND s.number IS NOT NULL)
          AND NOT EXISTS (SELECT FROM stock.sale_return r
                          WHERE r.tenant_id = stock.current_tenant() AND r.register_id = c.register_id AND c.kind = 'return')
          AND NOT EXISTS (SELECT FROM stock.quote q
                          WHERE q.tenant_id = stock.current_tenant() AND q.register_id = c.register_id
                            AND c.kind = 'quote' AND q.number IS NOT NULL)
          AND NOT EXISTS (SELECT FROM stock.cash_session r
                          WHERE r.tenant_id = stock.current_tenant() AND r.register_id = c.register_id
                            AND c.kind = 'cash_session')
          AND NOT EXISTS (SELECT FROM stock.transfer r
                          WHERE r.tenant_id = stock.current_tenant() AND r.register_id = c.register_id
                            AND c.kind = 'transfer')
          AND NOT EXISTS (SELECT FROM stock.purchase p
                          WHERE p.tenant_id = stock.current_tenant() AND p.register_id = c.register_id
                            AND c.kind = 'purchase')
        """

    typealias Row = SingleColumn<String>
}

/// A document is the resource of one idempotency record at most; a stored 201's document exists.
struct Invariant19: Invariant {
    static let number = "I19"
    static let name = "verify.i19"
    static let sql: SQL = """
        SELECT format('%s is the resource of %s idempotency records', r.resource_id, count(*))
        FROM stock.idempotency_record r
        WHERE r.tenant_id = stock.current_tenant() AND r.resource_id IS NOT NULL AND r.status = 201
        GROUP BY r.resource_id HAVING count(*) > 1
        UNION ALL
        SELECT format('idempotency record %s of %s: its document %s does not exist', r.key, r.route, r.resource_id)
        FROM stock.idempotency_record r
        LEFT JOIN stock.sale s ON s.tenant_id = r.tenant_id AND s.id = r.resource_id
        LEFT JOIN stock.payment p ON p.tenant_id = r.tenant_id AND p.id = r.resource_id
        LEFT JOIN stock.transfer f ON f.tenant_id = r.tenant_id AND f.id = r.resource_id
        LEFT JOIN stock.stock_count c ON c.tenant_id = r.tenant_id AND c.id = r.resource_id
        LEFT JOIN stock.sale_return b ON b.tenant_id = r.tenant_id AND b.id = r.resource_id
        LEFT JOIN stock.cash_session h ON h.tenant_id = r.tenant_id AND h.id = r.resource_id
        LEFT JOIN stock.purchase u ON u.tenant_id = r.tenant_id AND u.id = r.resource_id
        WHERE r.tenant_id = stock.current_tenant() AND r.status = 201
          AND CASE r.route WHEN 'POST /v1/sales' THEN s.id WHEN 'POST /v1/payments' THEN p.id WHEN 'POST /v1/returns' THEN b.id
                           WHEN 'POST /v1/sales/{id}/returns' THEN b.id WHEN 'POST /v1/transfers' THEN f.id
                           WHEN 'POST /v1/stock/counts' THEN c.id WHEN 'POST /v1/registers/{id}/sessions' THEN h.id
                           WHEN 'POST /v1/purchases' THEN u.id
                           ELSE '00000000-0000-0000-0000-000000000000' END IS NULL
        """

    typealias Row = SingleColumn<String>
}

/// Amounts are at the currency's exponent, quantities at the unit's decimals.
struct Invariant21: Invariant {
    static let number = "I21"
    static let name = "verify.i21"
    static let sql: SQL = """
        SELECT format('sale %s: an amount has more decimals than the currency', s.id)
        FROM stock.sale s JOIN stock.tenant t ON t.id = s.tenant_id
        WHERE s.tenant_id = stock.current_tenant()
          AND greatest(min_scale(s.subtotal), min_scale(s.discount), min_scale(s.tax), min_scale(s.total), min_scale(s.paid),
                       min_scale(s.refunded), min_scale(s.returned_total), min_scale(s.due), min_scale(s.rounding))
              > t.currency_exponent
        UNION ALL
        SELECT format('sale %s, line %s: an amount or quantity has too many decimals', l.sale_id, l.position)
        FROM stock.sale_line l
        JOIN stock.tenant t ON t.id = l.tenant_id
        JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
        JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = p.unit_id
        WHERE l.tenant_id = stock.current_tenant()
          AND (greatest(min_scale(l.discount), min_scale(l.document_discount), min_scale(l.tax), min_scale(l.total))
                   > t.currency_exponent
               OR min_scale(l.quantity) > u.decimals)
        UNION ALL
        SELECT format('return %s: an amount has more decimals than the currency', r.id)
        FROM stock.sale_return r JOIN stock.tenant t ON t.id = r.tenant_id
        WHERE r.tenant_id = stock.current_tenant()
          AND greatest(min_scale(r.total), min_scale(r.refund), min_scale(r.rounding)) > t.currency_exponent
        UNION ALL
        SELECT format('return %s, line %s: its amount or quantity has too many decimals', l.return_id, l.position)
        FROM stock.sale_return_line l
        JOIN stock.tenant t ON t.id = l.tenant_id
        JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
        JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = p.unit_id
        WHERE l.tenant_id = stock.current_tenant()
          AND (min_scale(l.amount) > t.currency_exponent OR min_scale(l.quantity) > u.decimals)
        UNION ALL
        SELECT format('payment %s: %s has more decimals than the currency', p.id, p.amount)
        FROM stock.payment p JOIN stock.tenant t ON t.id = p.tenant_id
        WHERE p.tenant_id = stock.current_tenant()
          AND greatest(min_scale(p.amount), min_scale(p.tendered), min_scale(p.change), min_scale(p.tip), min_scale(p.rounding))
              > t.currency_exponent
        UNION ALL
        SELECT format('purchase %s: an amount has more decimals than the currency', p.id)
        FROM stock.purchase p JOIN stock.tenant t ON t.id = p.tenant_id
        WHERE p.tenant_id = stock.current_tenant()
          AND greatest(min_scale(p.goods), min_scale(p.costs), min_scale(p.paid), min_scale(p.due)) > t.currency_exponent
        UNION ALL
        SELECT format('purchase %s, line %s: an amount or quantity has too many decimals', l.purchase_id, l.position)
        FROM stock.purchase_line l
        JOIN stock.tenant t ON t.id = l.tenant_id
        JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
        JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = p.unit_id
        WHERE l.tenant_id = stock.current_tenant()
          AND (greatest(min_scale(l.total), min_scale(l.cost_share)) > t.currency_exponent
               OR greatest(min_scale(l.quantity), min_scale(l.received_quantity)) > u.decimals)
        UNION ALL
        SELECT format('ledger row %s: %s has more decimals than the currency', e.id, e.amount)
        FROM stock.ledger_entry e JOIN stock.tenant t ON t.id = e.tenant_id
        WHERE e.tenant_id = stock.current_tenant() AND min_scale(e.amount) > t.currency_exponent
        UNION ALL
        SELECT format('movement %s: %s has more decimals than the unit', m.id, m.quantity)
        FROM stock.stock_movement m
        JOIN stock.product p ON p.tenant_id = m.tenant_id AND p.id = m.product_id
        JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = p.unit_id
        WHERE m.tenant_id = stock.current_tenant() AND min_scale(m.quantity) > u.decimals
        UNION ALL
        SELECT format('%s %s, product %s: a quantity has more decimals than the unit', l.kind, l.id, l.product_id)
        FROM (SELECT 'transfer' AS kind, l.transfer_id AS id, l.product_id,
                     greatest(min_scale(l.quantity), min_scale(l.received), min_scale(l.lost)) AS decimals
              FROM stock.transfer_line l WHERE l.tenant_id = stock.current_tenant()
              UNION ALL
              SELECT 'count', l.count_id, l.product_id, min_scale(l.counted)
              FROM stock.stock_count_line l WHERE l.tenant_id = stock.current_tenant()) l
        JOIN stock.product p ON p.tenant_id = stock.current_tenant() AND p.id = l.product_id
        JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = p.unit_id
        WHERE l.decimals > u.decimals
        """

    typealias Row = SingleColumn<String>
}

/// An active tenant has an active owner; categories have no cycle; a product's rate is that of its group; where goods are and where
/// registers sell is open.
struct Invariant22: Invariant {
    static let number = "I22"
    static let name = "verify.i22"
    static let sql: SQL = """
        SELECT format('tenant %s has no active owner', t.slug)
        FROM stock.tenant t
        WHERE t.id = stock.current_tenant() AND t.status = 'active'
          AND NOT EXISTS (SELECT FROM stock.membership m JOIN stock.app_user u ON u.id = m.user_id
                          WHERE m.tenant_id = t.id AND m.role = 'owner' AND m.active AND u.status = 'active')
        UNION ALL
        SELECT format('category %s is below itself', c.id)
        FROM (
            WITH RECURSIVE above AS (
                SELECT c.id, c.parent_id FROM stock.category c
                WHERE c.tenant_id = stock.current_tenant() AND c.parent_id IS NOT NULL
                UNION
                SELECT a.id, c.parent_id FROM above a
                JOIN stock.category c ON c.tenant_id = stock.current_tenant() AND c.id = a.parent_id
                WHERE c.parent_id IS NOT NULL
            )
            SELECT a.id FROM above a WHERE a.parent_id = a.id
        ) c
        UNION ALL
        SELECT format('product %s: its rate is %s, that of its tax group %s', p.id, p.tax_rate, g.rate)
        FROM stock.product p
        LEFT JOIN (SELECT o.id, stock.tax_group_rate(o.tenant_id, o.id) AS rate FROM stock.tax_group o
                   WHERE o.tenant_id = stock.current_tenant() OFFSET 0) g ON g.id = p.tax_group_id
        WHERE p.tenant_id = stock.current_tenant() AND (g.id IS NULL OR p.tax_rate IS DISTINCT FROM g.rate)
        UNION ALL
        SELECT format('location %s is closed, and there are goods or a register', l.id)
        FROM stock.location l
        WHERE l.tenant_id = stock.current_tenant() AND NOT l.active
          AND (EXISTS (SELECT FROM stock.location_level n
                       WHERE n.tenant_id = l.tenant_id AND n.location_id = l.id AND n.on_hand <> 0)
               OR EXISTS (SELECT FROM stock.register g
                          WHERE g.tenant_id = l.tenant_id AND g.location_id = l.id AND g.active))
        """

    typealias Row = SingleColumn<String>
}

/// The tenant's numbered events have no hole, and what has no number is about to get one.
struct Invariant23Events: Invariant {
    static let number = "I23"
    static let name = "verify.i23_events"
    static let sql: SQL = """
        SELECT format('%s events are numbered from %s to %s', count(*), min(e.seq), max(e.seq))
        FROM stock.domain_event e
        WHERE e.tenant_id = stock.current_tenant() AND e.seq IS NOT NULL
        HAVING max(e.seq) - min(e.seq) + 1 <> count(*)
        UNION ALL
        SELECT format('event %s, %s, has no number, and no row of the outbox will give it one', e.id, e.type)
        FROM stock.domain_event e
        WHERE e.tenant_id = stock.current_tenant() AND e.seq IS NULL AND e.recorded_at < now() - interval '60 seconds'
          AND NOT EXISTS (SELECT FROM stock.cache_outbox o WHERE o.tenant_id = e.tenant_id)
        """

    typealias Row = SingleColumn<String>
}

/// A finished import accounts for every row.
struct Invariant24: Invariant {
    static let number = "I24"
    static let name = "verify.i24"
    static let sql: SQL = """
        SELECT format('import %s: %s rows, %s applied, %s unchanged, %s rejected', j.id, j.rows, j.rows_applied,
                      j.rows_unchanged, j.rows_rejected)
        FROM stock.import_job j
        WHERE j.tenant_id = stock.current_tenant() AND j.status IN ('completed', 'completed_with_errors')
          AND j.rows <> j.rows_applied + j.rows_unchanged + j.rows_rejected
        """

    typealias Row = SingleColumn<String>
}

/// What a closed session should have held is what its rows come to; a register's open session is the one it names.
struct Invariant20: Invariant {
    static let number = "I20"
    static let name = "verify.i20"
    static let sql: SQL = """
        SELECT format('cash session %s should have held %s, its rows come to %s', s.id, s.expected, e.expected)
        FROM stock.cash_session s CROSS JOIN LATERAL (SELECT stock.session_expected(s.id) AS expected) e
        WHERE s.tenant_id = stock.current_tenant() AND s.status = 'closed' AND s.expected <> e.expected
        UNION ALL
        SELECT format('register %s names the session %s, open is %s', coalesce(g.id, s.register_id), g.session_id, s.id)
        FROM (SELECT * FROM stock.register g WHERE g.tenant_id = stock.current_tenant() AND g.session_id IS NOT NULL) g
        FULL JOIN (SELECT * FROM stock.cash_session s
                   WHERE s.tenant_id = stock.current_tenant() AND s.status = 'open') s
            ON s.register_id = g.id
        WHERE g.session_id IS DISTINCT FROM s.id
        """

    typealias Row = SingleColumn<String>
}

/// The outbox holds nothing old while an instance follows the log.
///
/// Without an instance its rows wait for the first one, and nobody serves what they would retire.
struct Invariant23Outbox: Invariant {
    static let number = "I23"
    static let name = "verify.i23_outbox"
    static let sql: SQL = """
        SELECT format('outbox row %s of tenant %s, of %s, is %s old', o.id, o.tenant_id, o.modules, now() - o.touched_at)
        FROM stock.cache_outbox o
        WHERE o.touched_at < now() - interval '60 seconds'
        """

    typealias Row = SingleColumn<String>
}

/// The log has no hole.
struct Invariant23Log: Invariant {
    static let number = "I23"
    static let name = "verify.i23_log"
    static let sql: SQL = """
        SELECT format('lane %s: the log holds %s rows from %s to %s, its head is %s', l.lane, g.count, g.first, g.last,
                      l.head_seq)
        FROM stock.cache_lane l
        LEFT JOIN (SELECT g.lane, count(*) AS count, min(g.seq) AS first, max(g.seq) AS last
                   FROM stock.cache_log g GROUP BY g.lane) g ON g.lane = l.lane
        WHERE g.last IS DISTINCT FROM l.head_seq OR g.count <> g.last - g.first + 1
        """

    typealias Row = SingleColumn<String>
}

/// Tenant tables have forced row-level security, tenant_id first in the key, and their triggers always on.
struct Invariant25: Invariant {
    static let number = "I25"
    static let name = "verify.i25"
    static let sql: SQL = """
        SELECT format('%s: %s', c.oid::regclass, v.problem)
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'stock'
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary,
        LATERAL (VALUES
            (NOT (c.relrowsecurity AND c.relforcerowsecurity), 'row-level security is not forced'),
            (i.indkey[0] IS DISTINCT FROM a.attnum, 'its primary key does not begin with tenant_id')
        ) AS v (holds, problem)
        WHERE c.relkind IN ('r', 'p') AND c.relname NOT IN ('session', 'cache_log', 'cache_outbox') AND v.holds
        UNION ALL
        SELECT format('stock.%s: trigger %s is missing or not always on', w.name, e.name)
        FROM (SELECT c.relname AS name, c.oid
              FROM pg_class c
              JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'stock'
              WHERE c.relkind IN ('r', 'p')
                AND (c.relname IN ('tenant', 'app_user')
                     OR EXISTS (SELECT FROM pg_attribute a
                                WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
                AND c.relname NOT IN (SELECT v.relation FROM stock.cache_never v)) AS w
        CROSS JOIN (VALUES ('cache_insert'), ('cache_update'), ('cache_delete'), ('cache_truncate')) AS e (name)
        WHERE NOT EXISTS (SELECT FROM pg_trigger g
                          WHERE g.tgrelid = w.oid AND g.tgname = e.name AND g.tgenabled = 'A')
        """

    typealias Row = SingleColumn<String>
}

/// What products and customers are found by holds all their words, and their place in lists by name.
struct Invariant26: Invariant {
    static let number = "I26"
    static let name = "verify.i26"
    static let sql: SQL = """
        SELECT format('product %s is not found by its words or name', p.id)
        FROM stock.product p
        LEFT JOIN stock.product_search s ON s.tenant_id = p.tenant_id AND s.product_id = p.id
        WHERE p.tenant_id = stock.current_tenant()
          AND (s.name_key IS DISTINCT FROM p.name_key OR NOT s.pairs @> stock.search_pairs(p.tenant_id, p.search_text))
        UNION ALL
        SELECT format('product %s is not found by its barcode %s', b.product_id, b.code)
        FROM stock.product_barcode b
        JOIN stock.product_search s ON s.tenant_id = b.tenant_id AND s.product_id = b.product_id
        WHERE b.tenant_id = stock.current_tenant() AND NOT s.pairs @> stock.search_pairs(b.tenant_id, b.search_text)
        UNION ALL
        SELECT format('customer %s is not found by their words or name', c.id)
        FROM stock.customer c
        LEFT JOIN stock.customer_search s ON s.tenant_id = c.tenant_id AND s.customer_id = c.id
        WHERE c.tenant_id = stock.current_tenant()
          AND (s.name_key IS DISTINCT FROM c.name_key OR NOT s.pairs @> stock.search_pairs(c.tenant_id, c.search_text))
        """

    typealias Row = SingleColumn<String>
}

/// What is in transit of a product is what transfers have sent and nobody has received or lost; the movements of a transfer are what
/// its lines say.
struct Invariant27: Invariant {
    static let number = "I27"
    static let name = "verify.i27"
    static let sql: SQL = """
        WITH line AS MATERIALIZED (
            SELECT t.id, t.from_location_id, t.to_location_id, l.product_id, l.quantity, l.received, l.lost
            FROM stock.transfer t
            JOIN stock.transfer_line l ON l.tenant_id = t.tenant_id AND l.transfer_id = t.id
            WHERE t.tenant_id = stock.current_tenant() AND t.status NOT IN ('draft', 'cancelled')
        )
        SELECT format('product %s: %s in transit, transfers carry %s', coalesce(n.product_id, l.product_id),
                      coalesce(n.on_hand, 0), coalesce(l.rest, 0))
        FROM (SELECT n.product_id, n.on_hand FROM stock.location_level n
              WHERE n.tenant_id = stock.current_tenant() AND n.location_id = stock.transit_location()) n
        FULL JOIN (SELECT l.product_id, sum(l.quantity - l.received - l.lost) AS rest FROM line l GROUP BY l.product_id) l
            ON l.product_id = n.product_id
        WHERE coalesce(n.on_hand, 0) <> coalesce(l.rest, 0)
        UNION ALL
        SELECT format('transfer %s, product %s at location %s: %s by movements, %s by its lines', coalesce(m.id, w.id),
                      coalesce(m.product_id, w.product_id), coalesce(m.location_id, w.location_id),
                      coalesce(m.quantity, 0), coalesce(w.quantity, 0))
        FROM (SELECT m.ref_id AS id, m.product_id, m.location_id, sum(m.quantity) AS quantity FROM stock.stock_movement m
              WHERE m.tenant_id = stock.current_tenant() AND m.ref_type = 'transfer'
              GROUP BY m.ref_id, m.product_id, m.location_id) m
        FULL JOIN (
            SELECT l.id, l.product_id, v.location_id, sum(v.quantity) AS quantity
            FROM line l, LATERAL (VALUES (l.from_location_id, -l.quantity),
                                         (stock.transit_location(), l.quantity - l.received - l.lost),
                                         (l.to_location_id, l.received)) AS v (location_id, quantity)
            GROUP BY l.id, l.product_id, v.location_id) w
            ON w.id = m.id AND w.product_id = m.product_id AND w.location_id = m.location_id
        WHERE coalesce(m.quantity, 0) <> coalesce(w.quantity, 0)
        """

    typealias Row = SingleColumn<String>
}

/// A closed count has moved what its lines differ by, any other nothing; the lines of an open count hold its place.
struct Invariant28: Invariant {
    static let number = "I28"
    static let name = "verify.i28"
    static let sql: SQL = """
        SELECT format('count %s, product %s: %s by movements, %s by its line', coalesce(m.id, l.count_id),
                      coalesce(m.product_id, l.product_id), coalesce(m.quantity, 0), coalesce(l.difference, 0))
        FROM (SELECT m.ref_id AS id, m.product_id, m.location_id, sum(m.quantity) AS quantity FROM stock.stock_movement m
              WHERE m.tenant_id = stock.current_tenant() AND m.ref_type = 'count'
              GROUP BY m.ref_id, m.product_id, m.location_id) m
        FULL JOIN (SELECT l.count_id, l.product_id, c.location_id, l.difference
                   FROM stock.stock_count_line l
                   JOIN stock.stock_count c ON c.tenant_id = l.tenant_id AND c.id = l.count_id AND c.status = 'closed'
                   WHERE l.tenant_id = stock.current_tenant()) l
            ON l.count_id = m.id AND l.product_id = m.product_id AND l.location_id = m.location_id
        WHERE coalesce(m.quantity, 0) <> coalesce(l.difference, 0)
        UNION ALL
        SELECT format('count %s is %s, its line of product %s is held at %s', c.id, c.status, l.product_id, l.open_at)
        FROM stock.stock_count_line l
        JOIN stock.stock_count c ON c.tenant_id = l.tenant_id AND c.id = l.count_id
        WHERE l.tenant_id = stock.current_tenant()
          AND l.open_at IS DISTINCT FROM CASE WHEN c.status = 'open' THEN c.location_id END
        """

    typealias Row = SingleColumn<String>
}

/// An approval that was used is of the sale, return or quote that it says, which says so; a quote names the one that it took last.
struct Invariant33: Invariant {
    static let number = "I33"
    static let name = "verify.i33"
    static let sql: SQL = """
        SELECT format('sale %s names approval %s, which was used for sale %s', s.id, s.approval_id, a.sale_id)
        FROM (SELECT * FROM stock.sale WHERE tenant_id = stock.current_tenant() AND approval_id IS NOT NULL) s
        FULL JOIN (SELECT * FROM stock.approval WHERE tenant_id = stock.current_tenant() AND sale_id IS NOT NULL) a
            ON a.id = s.approval_id AND a.sale_id = s.id
        WHERE s.id IS NULL OR a.id IS NULL
        UNION ALL
        SELECT format('return %s names approval %s, which was used for return %s', r.id, r.approval_id, a.return_id)
        FROM (SELECT * FROM stock.sale_return WHERE tenant_id = stock.current_tenant() AND approval_id IS NOT NULL) r
        FULL JOIN (SELECT * FROM stock.approval WHERE tenant_id = stock.current_tenant() AND return_id IS NOT NULL) a
            ON a.id = r.approval_id AND a.return_id = r.id
        WHERE r.id IS NULL OR a.id IS NULL
        UNION ALL
        SELECT format('quote %s names approval %s, which was used for quote %s', q.id, q.approval_id, a.quote_id)
        FROM stock.quote q
        LEFT JOIN stock.approval a ON a.tenant_id = q.tenant_id AND a.id = q.approval_id
        WHERE q.tenant_id = stock.current_tenant() AND q.approval_id IS NOT NULL AND a.quote_id IS DISTINCT FROM q.id
        UNION ALL
        SELECT format('approval %s was used for quote %s, which names none', a.id, a.quote_id)
        FROM stock.approval a
        LEFT JOIN stock.quote q ON q.tenant_id = a.tenant_id AND q.id = a.quote_id
        WHERE a.tenant_id = stock.current_tenant() AND a.quote_id IS NOT NULL AND q.approval_id IS NULL
        """

    typealias Row = SingleColumn<String>
}

/// A quote is the sum of its lines; the sale that it became, confirmed or cancelled since, names it, and no other sale does.
struct Invariant32: Invariant {
    static let number = "I32"
    static let name = "verify.i32"
    static let sql: SQL = """
        SELECT format('quote %s: subtotal, discount, tax, total %s %s %s %s, its lines have %s %s %s %s', q.id, q.subtotal, q.discount,
                      q.tax, q.total, l.subtotal, l.discount, l.tax, l.total)
        FROM stock.quote q
        JOIN stock.tenant t ON t.id = q.tenant_id
        LEFT JOIN (SELECT l.quote_id, sum(stock.line_gross(l.quantity, l.unit_price, l.packed_quantity, l.packed_price,
                                                          t.currency_exponent)) AS subtotal,
                          sum(l.discount + l.document_discount) AS discount, sum(l.tax) AS tax, sum(l.total) AS total
                   FROM stock.quote_line l JOIN stock.tenant t ON t.id = l.tenant_id
                   WHERE l.tenant_id = stock.current_tenant() GROUP BY l.quote_id) l ON l.quote_id = q.id
        WHERE q.tenant_id = stock.current_tenant()
          AND (q.subtotal, q.discount, q.tax, q.total) IS DISTINCT FROM (l.subtotal, l.discount, l.tax, l.total)
        UNION ALL
        SELECT format('sale %s names quote %s, which became sale %s', s.id, s.quote_id, q.sale_id)
        FROM (SELECT * FROM stock.sale WHERE tenant_id = stock.current_tenant() AND quote_id IS NOT NULL) s
        FULL JOIN (SELECT * FROM stock.quote WHERE tenant_id = stock.current_tenant() AND sale_id IS NOT NULL) q
            ON q.id = s.quote_id AND q.sale_id = s.id
        WHERE s.id IS NULL OR q.id IS NULL
        """

    typealias Row = SingleColumn<String>
}

/// What is reserved of a level is the sum of reservations there, and of a product the sum over its places.
struct Invariant36: Invariant {
    static let number = "I36"
    static let name = "verify.i36"
    static let sql: SQL = """
        SELECT format('product %s at location %s: %s reserved, by reservations %s', coalesce(n.product_id, r.product_id),
                      coalesce(n.location_id, r.location_id), coalesce(n.reserved, 0), coalesce(r.quantity, 0))
        FROM (SELECT n.product_id, n.location_id, n.reserved FROM stock.location_level n
              WHERE n.tenant_id = stock.current_tenant() AND n.reserved <> 0) n
        FULL JOIN (SELECT r.product_id, r.location_id, sum(r.quantity) AS quantity FROM stock.reservation r
                   WHERE r.tenant_id = stock.current_tenant() GROUP BY r.product_id, r.location_id) r
            ON r.product_id = n.product_id AND r.location_id = n.location_id
        WHERE n.reserved IS DISTINCT FROM r.quantity
        UNION ALL
        SELECT format('product %s: %s reserved, at its places %s', coalesce(l.product_id, n.product_id),
                      coalesce(l.reserved, 0), coalesce(n.reserved, 0))
        FROM (SELECT l.product_id, l.reserved FROM stock.stock_level l
              WHERE l.tenant_id = stock.current_tenant() AND l.reserved <> 0) l
        FULL JOIN (SELECT n.product_id, sum(n.reserved) AS reserved FROM stock.location_level n
                   WHERE n.tenant_id = stock.current_tenant() AND n.reserved <> 0 GROUP BY n.product_id) n
            ON n.product_id = l.product_id
        WHERE l.reserved IS DISTINCT FROM n.reserved
        """

    typealias Row = SingleColumn<String>
}

/// A reservation is of a draft or an accepted quote that was not sold, of what its lines have of the product, until when it says;
/// until then it has one of each product whose stock is tracked.
struct Invariant37: Invariant {
    static let number = "I37"
    static let name = "verify.i37"
    static let sql: SQL = """
        SELECT format('%s %s, product %s: %s reserved until %s, it has %s until %s', coalesce(r.kind, d.kind),
                      coalesce(r.document_id, d.id), coalesce(r.product_id, d.product_id), r.quantity, r.expires_at, d.quantity,
                      d.reserved_until)
        FROM (SELECT * FROM stock.reservation WHERE tenant_id = stock.current_tenant()) r
        FULL JOIN (
            SELECT 'sale' AS kind, s.id, s.reserved_until, l.product_id, sum(l.quantity) AS quantity
            FROM stock.sale s
            JOIN stock.sale_line l ON l.tenant_id = s.tenant_id AND l.sale_id = s.id
            JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id AND p.tracks_stock
            WHERE s.tenant_id = stock.current_tenant() AND s.status = 'draft' AND s.reserved_until IS NOT NULL
            GROUP BY s.id, s.reserved_until, l.product_id
            UNION ALL
            SELECT 'quote', q.id, q.reserved_until, l.product_id, sum(l.quantity)
            FROM stock.quote q
            JOIN stock.quote_line l ON l.tenant_id = q.tenant_id AND l.quote_id = q.id
            JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id AND p.tracks_stock
            WHERE q.tenant_id = stock.current_tenant() AND q.status = 'accepted' AND q.sale_id IS NULL
              AND q.reserved_until IS NOT NULL
            GROUP BY q.id, q.reserved_until, l.product_id) d
            ON d.kind = r.kind AND d.id = r.document_id AND d.product_id = r.product_id
        WHERE d.id IS NULL OR r.document_id IS NULL AND d.reserved_until > now()
           OR r.quantity <> d.quantity OR r.expires_at <> d.reserved_until
        UNION ALL
        SELECT format('sale %s is %s and reserves until %s', s.id, s.status, s.reserved_until)
        FROM stock.sale s
        WHERE s.tenant_id = stock.current_tenant() AND s.status <> 'draft' AND s.reserved_until IS NOT NULL
        """

    typealias Row = SingleColumn<String>
}

/// The active products of a category are as many as are counted, over all slots.
struct Invariant38: Invariant {
    static let number = "I38"
    static let name = "verify.i38"
    static let sql: SQL = """
        SELECT format('category %s: %s active products are counted, there are %s', coalesce(n.category_id, p.category_id),
                      coalesce(n.active, 0), coalesce(p.active, 0))
        FROM (SELECT n.category_id, sum(n.active) AS active FROM stock.category_count n
              WHERE n.tenant_id = stock.current_tenant() GROUP BY n.category_id) n
        FULL JOIN (SELECT p.category_id, count(*) AS active FROM stock.product p
                   WHERE p.tenant_id = stock.current_tenant() AND p.category_id IS NOT NULL AND p.status = 'active'
                   GROUP BY p.category_id) p
            ON p.category_id = n.category_id
        WHERE coalesce(n.active, 0) <> coalesce(p.active, 0)
        """

    typealias Row = SingleColumn<String>
}

-- Exports are read by pages along an index, so that a reader who is slow holds neither memory nor more of the server than a
-- snapshot, and one that was cut off goes on behind its last row.

-- The next lines of sales and returns, in the order of their documents: by time, sales before returns, by number. From
-- (p_at, p_kind, p_number, p_id, p_position) on; kind 0 is a sale, 1 a return. What was never confirmed, was discarded or cancelled, is no sale.
--
-- As many documents are looked at as lines are wanted, each of which has one; their lines are read until there are enough.
CREATE FUNCTION stock.export_lines(
    p_count integer, p_at timestamptz, p_kind integer, p_number bigint, p_id uuid, p_position integer
) RETURNS TABLE (
    occurred_at timestamptz, kind integer, number bigint, id uuid, external_id text, register_id uuid, customer_id uuid,
    "position" integer, sku text, name text, quantity numeric, unit_price numeric, discount numeric, tax numeric, total numeric
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
-- Documents lie by their time already: what has the same time is sorted, and never all of them.
SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_exponent integer;
    v_includes boolean;
BEGIN
    SELECT t.currency_exponent, t.prices_include_tax INTO STRICT v_exponent, v_includes FROM stock.tenant t WHERE t.id = v_tenant;
    RETURN QUERY
    SELECT d.occurred_at, d.kind, d.number, d.id, d.external_id, d.register_id, d.customer_id, l.position, l.sku, l.name,
           l.quantity,
           -- What was paid for a piece, so that a line without a discount comes to the same.
           CASE WHEN l.charged = l.listed THEN l.unit_price ELSE round(l.charged / l.quantity, 6) END,
           l.discount, l.tax, l.total
    FROM (
        SELECT f.occurred_at, f.kind, f.number, f.id, f.external_id, f.register_id, f.customer_id FROM (
            (SELECT s.occurred_at, 0 AS kind, s.number, s.id, s.external_id, s.register_id, s.customer_id
             FROM stock.sale s
             WHERE s.tenant_id = v_tenant AND s.occurred_at >= p_at AND s.status = 'confirmed'
               AND (s.occurred_at, 0, s.number, s.id) >= (p_at, p_kind, p_number, p_id)
             ORDER BY s.occurred_at, s.number, s.id LIMIT p_count + 1)
            UNION ALL
            (SELECT r.occurred_at, 1, r.number, r.id, r.external_id, r.register_id, r.customer_id
             FROM stock.sale_return r
             WHERE r.tenant_id = v_tenant AND r.occurred_at >= p_at
               AND (r.occurred_at, 1, r.number, r.id) >= (p_at, p_kind, p_number, p_id)
             ORDER BY r.occurred_at, r.number, r.id LIMIT p_count + 1)
        ) f
        ORDER BY f.occurred_at, f.kind, f.number, f.id LIMIT p_count + 1
    ) d
    CROSS JOIN LATERAL (
        SELECT o.position, o.sku, o.name, o.quantity, o.unit_price, o.discount + o.document_discount AS discount, o.tax, o.total,
               round(o.quantity * o.unit_price, v_exponent) AS listed,
               stock.line_gross(o.quantity, o.unit_price, o.packed_quantity, o.packed_price, v_exponent)
                   - o.discount - o.document_discount AS charged
        FROM stock.sale_line o
        WHERE d.kind = 0 AND o.tenant_id = v_tenant AND o.sale_id = d.id
        UNION ALL
        SELECT o.position, o.sku, o.name, o.quantity, o.unit_price, 0, 0, o.amount,
               round(o.quantity * o.unit_price, v_exponent),
               CASE WHEN v_includes THEN o.amount ELSE round(o.quantity * o.unit_price, v_exponent) END
        FROM stock.sale_return_line o
        WHERE d.kind = 1 AND o.tenant_id = v_tenant AND o.return_id = d.id
        OFFSET 0
    ) l
    WHERE (d.occurred_at, d.kind, d.number, d.id, l.position) > (p_at, p_kind, p_number, p_id, p_position)
    ORDER BY d.occurred_at, d.kind, d.number, d.id, l.position
    LIMIT p_count;
END
$$;

-- What runs short of one supplier.

-- A page of what runs short, by name. Of a supplier who delivers little of it, what they have delivered is looked through instead.
CREATE OR REPLACE FUNCTION stock.reorder_page(p_supplier uuid, p_count integer, p_after text, p_after_id uuid)
RETURNS TABLE (product_id uuid, name_key text, on_hand numeric, min_stock numeric, on_order numeric, supplier_id uuid, unit_cost numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_key     text := coalesce(p_after, '');
    v_id      uuid := coalesce(p_after_id, '00000000-0000-0000-0000-000000000000');
    v_left    integer := p_count;
    v_size    integer := coalesce(p_count, 500);
    v_walked  bigint := 0;
    v_portion uuid[];
    -- What the supplier has delivered of what is out or low, where it is little.
    v_few     uuid[];
    v_found   integer;
BEGIN
    LOOP
        IF v_few IS NULL AND p_supplier IS NOT NULL AND coalesce(v_walked * v_left > 500 * (p_count - v_left), true) THEN
            v_few := ARRAY(
                SELECT l.product_id
                FROM (SELECT DISTINCT i.product_id
                      FROM (SELECT o.id FROM stock.purchase o
                            WHERE o.tenant_id = v_tenant AND o.supplier_id = p_supplier AND o.occurred_at IS NOT NULL
                              AND o.status <> 'cancelled' OFFSET 0) p,
                      LATERAL (SELECT o.product_id FROM stock.purchase_line o
                               WHERE o.tenant_id = v_tenant AND o.purchase_id = p.id OFFSET 0) i) d,
                LATERAL (SELECT s.product_id, s.name_key FROM stock.stock_level s
                         WHERE s.tenant_id = v_tenant AND s.product_id = d.product_id AND s.alert IN ('out', 'low')
                           AND NOT s.archived OFFSET 0) l
                WHERE (l.name_key, l.product_id) > (v_key, v_id)
                ORDER BY l.name_key, l.product_id);
        END IF;
        IF v_few IS NOT NULL THEN
            v_portion := v_few[:v_size];
            v_few := v_few[v_size + 1:];
        ELSE
            -- Two indexes in one order: what is out and what is low.
            v_portion := ARRAY(
                SELECT x.product_id FROM (
                    (SELECT l.product_id, l.name_key FROM stock.stock_level l
                     WHERE l.tenant_id = v_tenant AND l.alert = 'out' AND (l.name_key, l.product_id) > (v_key, v_id)
                       AND NOT l.archived
                     ORDER BY l.name_key, l.product_id LIMIT v_size)
                    UNION ALL
                    (SELECT l.product_id, l.name_key FROM stock.stock_level l
                     WHERE l.tenant_id = v_tenant AND l.alert = 'low' AND (l.name_key, l.product_id) > (v_key, v_id)
                       AND NOT l.archived
                     ORDER BY l.name_key, l.product_id LIMIT v_size)) x
                ORDER BY x.name_key, x.product_id LIMIT v_size);
        END IF;
        RETURN QUERY
        SELECT n.id, l.name_key, l.on_hand, l.low_at, o.quantity, b.supplier_id, b.unit_cost
        FROM unnest(v_portion) WITH ORDINALITY AS n (id, place)
        CROSS JOIN LATERAL (
            SELECT s.name_key, s.on_hand, s.low_at FROM stock.stock_level s
            WHERE s.tenant_id = v_tenant AND s.product_id = n.id OFFSET 0) l
        CROSS JOIN LATERAL (SELECT stock.on_order(n.id) AS quantity OFFSET 0) o
        LEFT JOIN LATERAL (
            SELECT p.supplier_id, i.unit_cost
            FROM stock.purchase_line i
            JOIN stock.purchase p ON p.tenant_id = v_tenant AND p.id = i.purchase_id AND p.status <> 'cancelled'
            WHERE i.tenant_id = v_tenant AND i.product_id = n.id
            ORDER BY i.id DESC LIMIT 1
        ) b ON true
        WHERE l.on_hand + o.quantity < l.low_at AND (p_supplier IS NULL OR b.supplier_id = p_supplier)
        ORDER BY n.place LIMIT v_left;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        v_left := v_left - v_found;
        EXIT WHEN v_left = 0 OR cardinality(v_portion) < v_size;
        SELECT l.name_key, l.product_id INTO v_key, v_id FROM stock.stock_level l
        WHERE l.tenant_id = v_tenant AND l.product_id = v_portion[v_size];
        v_walked := v_walked + v_size;
        v_size := least(4 * v_size, 500);
    END LOOP;
END
$$;

-- What runs short and from whom it was bought last, and the drafts that order it.

-- What of a product was ordered, or is about to be, and has not come.
CREATE FUNCTION stock.on_order(p_product uuid) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(l.open_quantity), 0) FROM stock.purchase_line l
            WHERE l.tenant_id = stock.current_tenant() AND l.product_id = p_product AND l.open_quantity > 0);
END
$$;

-- Products that are below what is to be in stock, what is on order counted in, by name: up to p_count (all if NULL) after
-- (p_after, p_after_id); of one supplier, or of all. supplier_id and unit_cost: of the last purchase that was not cancelled; NULL if
-- there was none.
CREATE FUNCTION stock.reorder_page(p_supplier uuid, p_count integer, p_after text, p_after_id uuid)
RETURNS TABLE (product_id uuid, name_key text, on_hand numeric, min_stock numeric, on_order numeric, supplier_id uuid,
               unit_cost numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_key     text := coalesce(p_after, '');
    v_id      uuid := coalesce(p_after_id, '00000000-0000-0000-0000-000000000000');
    v_left    integer := p_count;
    v_size    integer := coalesce(p_count, 500);
    v_portion uuid[];
    v_found   integer;
BEGIN
    LOOP
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
        v_size := least(4 * v_size, 500);
    END LOOP;
END
$$;

-- Makes a draft for each supplier of what runs short, of at most a thousand lines, at what it cost last. The setting `stock.reordered` of
-- the transaction names them, so that they can be shown by their keys. What nobody sold to the shop is left out. Two of a shop who ask at once take turns: the second finds on order what the first has drafted.
CREATE FUNCTION stock.purchase_reorder(p_supplier uuid, p_location uuid, p_note text, p_user uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_location uuid;
    v_row      record;
    v_id       uuid;
    v_made     uuid[] := '{}';
BEGIN
    IF p_supplier IS NOT NULL THEN
        PERFORM stock.refuse_supplier(p_supplier);
    END IF;
    v_location := stock.open_location(p_location, '/location_id');
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.purchase_reorder', v_tenant));
    FOR v_row IN
        SELECT r.supplier_id, (array_agg(r.product_id ORDER BY r.name_key, r.product_id))[:1000] AS products,
               (array_agg(r.min_stock - r.on_hand - r.on_order ORDER BY r.name_key, r.product_id))[:1000] AS quantities,
               (array_agg(r.unit_cost ORDER BY r.name_key, r.product_id))[:1000] AS costs
        FROM stock.reorder_page(p_supplier, NULL, NULL, NULL) r
        JOIN stock.supplier s ON s.tenant_id = v_tenant AND s.id = r.supplier_id AND s.active
        GROUP BY r.supplier_id ORDER BY r.supplier_id
    LOOP
        v_id := stock.new_id();
        PERFORM stock.purchase_create(v_id, v_row.supplier_id, v_location, NULL, NULL, p_note, p_user, NULL);
        PERFORM stock.purchase_compose(
            v_id, ARRAY(SELECT stock.new_id() FROM unnest(v_row.products)), v_row.products,
            array_fill(NULL::text, ARRAY[cardinality(v_row.products)]), v_row.quantities, v_row.costs, NULL, NULL);
        v_made := v_made || v_id;
    END LOOP;
    PERFORM set_config('stock.reordered', array_to_string(v_made, ','), true);
END
$$;

CREATE FUNCTION stock.reorder_body(
    p_product uuid, p_on_hand numeric, p_min_stock numeric, p_on_order numeric, p_supplier uuid, p_unit_cost numeric
) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT row_to_json(r)::text FROM (
            SELECT p.id AS product_id, p.sku, p.name, p_supplier AS supplier_id,
                   stock.quantity_text(p_on_hand) AS on_hand, stock.quantity_text(p_min_stock) AS min_stock,
                   stock.quantity_text(p_on_order) AS on_order,
                   stock.quantity_text(p_min_stock - p_on_hand - p_on_order) AS quantity,
                   stock.price_text(p_unit_cost, t.currency_exponent) AS unit_cost
            FROM stock.product p JOIN stock.tenant t ON t.id = p.tenant_id
            WHERE p.tenant_id = stock.current_tenant() AND p.id = p_product) r);
END
$$;

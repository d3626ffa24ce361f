-- Products that are out or low, in other orders than that of their names: by what is on hand and by name downwards along indexes of what is
-- out or low alone; in other orders along the index of all, of which those that are neither are passed by there. They were walked one by
-- one, or all sorted for each page. docs/decisions/0059-what-a-million-sales-still-cost.md tells what was measured.

-- Partial, so that what is neither is not in it: a sale enters it only of what is out or low.
CREATE INDEX stock_level_alert_on_hand_idx ON stock.stock_level (tenant_id, alert, on_hand_key, product_id) INCLUDE (archived)
    WHERE alert IS NOT NULL;

-- As before, and tells along what those of one p_stock are read.
DROP FUNCTION stock.product_order(text);
CREATE FUNCTION stock.product_order(
    p_sort text, p_stock text, OUT relation text, OUT id text, OUT active text, OUT stock text, OUT key text, OUT place text
)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_of_level boolean := p_sort = 'on_hand' OR p_sort = 'name' AND coalesce(p_stock IN ('out', 'low'), false);
BEGIN
    relation := CASE WHEN v_of_level THEN 'stock.stock_level' ELSE 'stock.product' END;
    id := CASE WHEN v_of_level THEN 'p.product_id' ELSE 'p.id' END;
    active := CASE WHEN v_of_level THEN 'NOT p.archived' ELSE 'p.status = ''active''' END;
    stock := CASE WHEN v_of_level AND p_stock IN ('out', 'low') THEN format('p.alert = %L', p_stock)
                  WHEN v_of_level AND p_stock = 'ok' THEN 'p.alert IS NULL'
                  ELSE 'true' END;
    key := CASE p_sort WHEN 'name' THEN 'p.name_key' WHEN 'sku' THEN 'CASE WHEN p.sku_key IS NULL THEN '''' ELSE p.sku_key END'
                       WHEN 'price' THEN 'p.price_key' WHEN 'created_at' THEN 'p.created_at' WHEN 'updated_at' THEN 'p.updated_at'
                       WHEN 'on_hand' THEN 'p.on_hand_key' END;
    place := CASE WHEN p_sort IN ('name', 'sku') THEN '$2' WHEN p_sort = 'price' THEN '$2::bigint'
                  WHEN p_sort = 'on_hand' THEN '($2::numeric * 1000000)::bigint' ELSE '$2::timestamptz' END;
END
$$;
CALL stock.amend('products_sorted', 'stock.product_order(p_sort)', 'stock.product_order(p_sort, NULL)');

-- The next products of an order, behind a place in it: those of p_stock where the order tells them, and of p_among alone if that is given.
DROP FUNCTION stock.products_along(text, boolean, boolean, integer, text, uuid);
CREATE FUNCTION stock.products_along(
    p_sort text, p_descending boolean, p_active boolean, p_stock text, p_among uuid[], p_count integer, p_after text, p_after_id uuid
) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    v_order record := stock.product_order(p_sort, p_stock);
    v_ids   uuid[];
BEGIN
    EXECUTE format(
        'SELECT array_agg(x.id) FROM (
             SELECT %2$s AS id FROM %1$s p
             WHERE p.tenant_id = $1 AND %4$s IS NOT NULL AND ($2 IS NULL OR (%4$s, %2$s) %6$s (%5$s, $3)) AND (NOT $4 OR %3$s)
               AND %8$s AND ($6 IS NULL OR %2$s = ANY ($6))
             ORDER BY %4$s %7$s, %2$s %7$s LIMIT $5) x',
        v_order.relation, v_order.id, v_order.active, v_order.key, v_order.place, CASE WHEN p_descending THEN '<' ELSE '>' END,
        CASE WHEN p_descending THEN 'DESC' ELSE 'ASC' END, v_order.stock)
    INTO v_ids USING stock.current_tenant(), p_after, p_after_id, p_active, p_count, p_among;
    RETURN coalesce(v_ids, '{}');
END
$$;

CALL stock.amend('product_page', 'stock.products_along(p_sort, p_descending, coalesce(p_status = ''active'', false), v_size, v_key, v_id)',
    'stock.products_along(p_sort, p_descending, coalesce(p_status = ''active'', false), p_stock, v_among, v_size, v_key,
                                              v_id)');
CALL stock.amend('product_page', '    v_found   integer;
', '    -- Those that are out or low, where no order tells them.
    v_among   uuid[];
    v_found   integer;
');
CALL stock.amend('product_page', '    LOOP
        IF v_few IS NULL AND', $$    IF p_sort NOT IN ('name', 'on_hand') AND v_few IS NULL AND p_stock IN ('out', 'low') THEN
        v_among := stock.products_of('{}', NULL, p_stock, NULL);
        IF cardinality(v_among) <= 500 THEN
            v_few := stock.products_sorted(p_sort, p_descending, v_among, v_key, v_id);
        END IF;
    END IF;
    LOOP
        IF v_few IS NULL AND$$);

-- What is neither is told apart in the index, too.
DROP INDEX stock.stock_level_on_hand_idx;
CREATE INDEX stock_level_on_hand_idx ON stock.stock_level (tenant_id, on_hand_key, product_id) INCLUDE (archived, alert)
    WHERE on_hand_key IS NOT NULL;

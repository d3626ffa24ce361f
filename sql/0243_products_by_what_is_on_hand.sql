-- Products by what is on hand along an index, as by everything else (0232). Each line of a sale moves in it, so that its level is not
-- changed in place any more. docs/decisions/0058-lists-in-exact-order.md tells what that costs.

-- A number in the order of what is on hand, as for prices (0232).
ALTER TABLE stock.stock_level ADD COLUMN on_hand_key bigint GENERATED ALWAYS AS ((on_hand * 1000000)::bigint) STORED;
CREATE INDEX stock_level_on_hand_idx ON stock.stock_level (tenant_id, on_hand_key, product_id) INCLUDE (archived)
    WHERE on_hand_key IS NOT NULL;

-- What orders products: the table p that has it, the expression that an index has, and that of a cursor's text. A cursor has what is on
-- hand as it is shown.
DROP FUNCTION stock.product_order(text);
CREATE FUNCTION stock.product_order(p_sort text, OUT relation text, OUT id text, OUT active text, OUT key text, OUT place text)
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    relation := CASE p_sort WHEN 'on_hand' THEN 'stock.stock_level' ELSE 'stock.product' END;
    id := CASE p_sort WHEN 'on_hand' THEN 'p.product_id' ELSE 'p.id' END;
    active := CASE p_sort WHEN 'on_hand' THEN 'NOT p.archived' ELSE 'p.status = ''active''' END;
    key := CASE p_sort WHEN 'name' THEN 'p.name_key' WHEN 'sku' THEN 'CASE WHEN p.sku_key IS NULL THEN '''' ELSE p.sku_key END'
                       WHEN 'price' THEN 'p.price_key' WHEN 'created_at' THEN 'p.created_at' WHEN 'updated_at' THEN 'p.updated_at'
                       WHEN 'on_hand' THEN 'p.on_hand_key' END;
    place := CASE WHEN p_sort IN ('name', 'sku') THEN '$2' WHEN p_sort = 'price' THEN '$2::bigint'
                  WHEN p_sort = 'on_hand' THEN '($2::numeric * 1000000)::bigint' ELSE '$2::timestamptz' END;
END
$$;

-- The next products in an order behind a place, without heed of what is asked for: active ones, or all.
CREATE OR REPLACE FUNCTION stock.products_along(
    p_sort text, p_descending boolean, p_active boolean, p_count integer, p_after text, p_after_id uuid
) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    v_order record := stock.product_order(p_sort);
    v_ids   uuid[];
BEGIN
    EXECUTE format(
        'SELECT array_agg(x.id) FROM (
             SELECT %2$s AS id FROM %1$s p
             WHERE p.tenant_id = $1 AND %4$s IS NOT NULL AND ($2 IS NULL OR (%4$s, %2$s) %6$s (%5$s, $3)) AND (NOT $4 OR %3$s)
             ORDER BY %4$s %7$s, %2$s %7$s LIMIT $5) x',
        v_order.relation, v_order.id, v_order.active, v_order.key, v_order.place, CASE WHEN p_descending THEN '<' ELSE '>' END,
        CASE WHEN p_descending THEN 'DESC' ELSE 'ASC' END)
    INTO v_ids USING stock.current_tenant(), p_after, p_after_id, p_active, p_count;
    RETURN coalesce(v_ids, '{}');
END
$$;

-- Those of few products that stand behind a place, in their order.
CREATE OR REPLACE FUNCTION stock.products_sorted(p_sort text, p_descending boolean, p_ids uuid[], p_after text, p_after_id uuid)
RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_order record := stock.product_order(p_sort);
    v_ids   uuid[];
BEGIN
    EXECUTE format(
        'SELECT array_agg(x.id ORDER BY x.key %6$s, x.id %6$s) FROM (
             SELECT w.id, %3$s AS key FROM unnest($4) AS w (id), LATERAL (
                 SELECT p.* FROM %1$s p WHERE p.tenant_id = $1 AND %2$s = w.id OFFSET 0) p) x
         WHERE $2 IS NULL OR (x.key, x.id) %5$s (%4$s, $3)',
        v_order.relation, v_order.id, v_order.key, v_order.place, CASE WHEN p_descending THEN '<' ELSE '>' END,
        CASE WHEN p_descending THEN 'DESC' ELSE 'ASC' END)
    INTO v_ids USING stock.current_tenant(), p_after, p_after_id, p_ids;
    RETURN coalesce(v_ids, '{}');
END
$$;

-- A page of products, by name unless p_sort says otherwise, as before (0232), without an exception for what is on hand.
CREATE OR REPLACE FUNCTION stock.product_page(
    p_q text, p_barcode text, p_category uuid, p_stock text, p_status text, p_count integer, p_after text, p_after_id uuid,
    p_sort text DEFAULT 'name', p_descending boolean DEFAULT false
) RETURNS TABLE (id uuid, sort_key text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_words   text[] := array_remove(string_to_array(stock.search_text(p_q), ' '), '');
    v_by_name boolean := p_sort = 'name' AND NOT p_descending;
    v_key     text := CASE WHEN v_by_name THEN coalesce(p_after, '') ELSE p_after END;
    v_id      uuid := coalesce(p_after_id, '00000000-0000-0000-0000-000000000000');
    v_left    integer := p_count;
    v_size    integer := p_count;
    v_walked  bigint := 0;
    v_portion uuid[];
    -- Those that may be it, where they are known.
    v_few     uuid[];
    v_found   integer;
BEGIN
    IF p_barcode IS NOT NULL THEN
        v_few := ARRAY(
            SELECT p.id
            FROM (SELECT DISTINCT b.product_id FROM stock.product_barcode b
                  WHERE b.tenant_id = v_tenant AND b.search_text = stock.search_text(p_barcode)) b,
                 LATERAL (SELECT o.id, o.name_key FROM stock.product o
                          WHERE o.tenant_id = v_tenant AND o.id = b.product_id OFFSET 0) p
            WHERE NOT v_by_name OR (p.name_key, p.id) > (v_key, v_id)
            ORDER BY p.name_key, p.id);
    END IF;
    IF NOT v_by_name AND v_few IS NOT NULL THEN
        v_few := stock.products_sorted(p_sort, p_descending, v_few, v_key, v_id);
    END IF;
    LOOP
        IF v_few IS NULL AND v_walked > (CASE WHEN v_left = p_count THEN 200 ELSE 500 END) THEN
            IF v_by_name AND v_words <> '{}' THEN
                v_few := coalesce(stock.product_candidates(stock.telling_words(v_words, v_portion[:50]), v_key, v_id), '{}');
            -- While as many were taken as promise the rest among the next 2,000, sorting would cost more.
            ELSIF NOT v_by_name AND v_walked * v_left > 2000 * (p_count - v_left) THEN
                v_few := stock.products_of(stock.telling_words(v_words, v_portion[:50]), p_category, p_stock, p_status);
                IF v_few IS NOT NULL THEN
                    v_few := stock.products_sorted(p_sort, p_descending, v_few, v_key, v_id);
                END IF;
            END IF;
        END IF;
        IF v_few IS NOT NULL THEN
            v_portion := v_few[:v_size];
            v_few := v_few[v_size + 1:];
        ELSIF NOT v_by_name THEN
            v_portion := stock.products_along(p_sort, p_descending, coalesce(p_status = 'active', false), v_size, v_key, v_id);
        ELSIF p_stock IN ('out', 'low') THEN
            v_portion := ARRAY(
                SELECT l.product_id FROM stock.stock_level l
                WHERE l.tenant_id = v_tenant AND l.alert = p_stock AND (l.name_key, l.product_id) > (v_key, v_id)
                  AND (p_status IS NULL OR l.archived = (p_status = 'archived'))
                ORDER BY l.name_key, l.product_id LIMIT v_size);
        ELSIF p_category IS NOT NULL THEN
            v_portion := ARRAY(
                SELECT p.id FROM stock.product p
                WHERE p.tenant_id = v_tenant AND p.category_id = p_category AND (p.name_key, p.id) > (v_key, v_id)
                  AND (p_status IS NULL OR p.status = p_status)
                ORDER BY p.name_key, p.id LIMIT v_size);
        ELSIF p_status = 'archived' THEN
            v_portion := ARRAY(
                SELECT p.id FROM stock.product p
                WHERE p.tenant_id = v_tenant AND p.status = 'archived' AND (p.name_key, p.id) > (v_key, v_id)
                ORDER BY p.name_key, p.id LIMIT v_size);
        ELSE
            v_portion := ARRAY(
                SELECT p.id FROM stock.product p
                WHERE p.tenant_id = v_tenant AND p.name_key >= v_key AND (p.name_key, p.id) > (v_key, v_id)
                  AND (p_status IS NULL OR p.status = p_status)
                ORDER BY p.name_key, p.id LIMIT v_size);
        END IF;
        RETURN QUERY
        SELECT p.id, p.sort_key
        FROM unnest(v_portion) WITH ORDINALITY AS w (id, place), LATERAL (
            SELECT o.id, stock.product_place(p_sort, o, CASE WHEN p_sort = 'on_hand' THEN (
                       SELECT l.on_hand FROM stock.stock_level l WHERE l.tenant_id = v_tenant AND l.product_id = w.id) END) AS sort_key
            FROM stock.product o
            WHERE o.tenant_id = v_tenant AND o.id = w.id
              AND (p_status IS NULL OR o.status = p_status) AND (p_category IS NULL OR o.category_id = p_category)
              AND (v_words IS NULL OR NOT EXISTS (
                      SELECT FROM unnest(v_words) AS q (word)
                      WHERE strpos(o.search_text, q.word) = 0
                        AND NOT EXISTS (SELECT FROM stock.product_barcode b
                                        WHERE b.tenant_id = v_tenant AND b.product_id = w.id
                                          AND strpos(coalesce(b.search_text, ''), q.word) > 0)))
              AND (p_stock IS NULL OR p_stock = (
                      SELECT CASE WHEN NOT o.tracks_stock THEN 'ok' WHEN l.on_hand <= 0 THEN 'out'
                                  WHEN l.on_hand <= o.min_stock THEN 'low' ELSE 'ok' END
                      FROM stock.stock_level l WHERE l.tenant_id = v_tenant AND l.product_id = w.id))
            OFFSET 0
        ) p
        ORDER BY w.place LIMIT v_left;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        v_left := v_left - v_found;
        EXIT WHEN v_left = 0 OR cardinality(v_portion) < v_size;
        v_walked := v_walked + v_size;
        SELECT o.id, stock.product_place(p_sort, o, (
                   SELECT l.on_hand FROM stock.stock_level l WHERE l.tenant_id = v_tenant AND l.product_id = o.id))
        INTO v_id, v_key
        FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = v_portion[v_size];
        v_size := least(4 * v_size, 500);
    END LOOP;
END
$$;

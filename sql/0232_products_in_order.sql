-- Lists of products in every order along an index, a page at a time. None of these indexes is on a sale's way: what a sale changes
-- of a product is its level.

-- Comparisons of numeric are not leakproof, nor is COALESCE: behind row-level security an index is not entered by either, and a page
-- would be looked for from the first one on. So prices have a whole number in their order, and what has no SKU is told by CASE.
ALTER TABLE stock.product ADD COLUMN price_key bigint GENERATED ALWAYS AS ((price * 1000000)::bigint) STORED;
CREATE INDEX product_sku_idx ON stock.product (tenant_id, (CASE WHEN sku_key IS NULL THEN '' ELSE sku_key END), id)
    WHERE CASE WHEN sku_key IS NULL THEN '' ELSE sku_key END IS NOT NULL;
CREATE INDEX product_price_idx ON stock.product (tenant_id, price_key, id) INCLUDE (status) WHERE price_key IS NOT NULL;
CREATE INDEX product_created_idx ON stock.product (tenant_id, created_at, id) INCLUDE (status) WHERE created_at IS NOT NULL;

-- What orders products p, or their levels l: the expression that an index has, and its type. What is on hand has no index, which
-- every line of every sale would have to move: it is sorted.
CREATE FUNCTION stock.product_order(p_sort text, OUT key text, OUT type text)
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    key := CASE p_sort WHEN 'name' THEN 'p.name_key' WHEN 'sku' THEN 'CASE WHEN p.sku_key IS NULL THEN '''' ELSE p.sku_key END'
                       WHEN 'price' THEN 'p.price_key' WHEN 'created_at' THEN 'p.created_at' WHEN 'updated_at' THEN 'p.updated_at'
                       WHEN 'on_hand' THEN 'l.on_hand' END;
    type := CASE WHEN p_sort IN ('name', 'sku') THEN 'text' WHEN p_sort = 'price' THEN 'bigint' WHEN p_sort = 'on_hand' THEN 'numeric'
                 ELSE 'timestamptz' END;
END
$$;

-- The place that a product has in an order, as cursors hold it.
CREATE FUNCTION stock.product_place(p_sort text, p_product stock.product, p_on_hand numeric) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE p_sort WHEN 'name' THEN p_product.name_key WHEN 'sku' THEN coalesce(p_product.sku_key, '')
                   WHEN 'price' THEN p_product.price_key::text WHEN 'created_at' THEN stock.rfc3339(p_product.created_at)
                   WHEN 'updated_at' THEN stock.rfc3339(p_product.updated_at) WHEN 'on_hand' THEN p_on_hand::text END;

-- The next products in an order behind a place, without heed of what is asked for: active ones, or all.
CREATE FUNCTION stock.products_along(
    p_sort text, p_descending boolean, p_active boolean, p_count integer, p_after text, p_after_id uuid
) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    v_order record := stock.product_order(p_sort);
    v_rows  text := CASE WHEN p_sort <> 'on_hand'
        THEN 'SELECT p.id FROM stock.product p
              WHERE p.tenant_id = $1 AND %1$s IS NOT NULL AND ($2 IS NULL OR (%1$s, p.id) %3$s ($2::%2$s, $3))
                AND (NOT $4 OR p.status = ''active'')
              ORDER BY %1$s %4$s, p.id %4$s LIMIT $5'
        -- Read by id, so that of what is alike the first comes first: a sort of few lets the rest pass.
        ELSE 'SELECT l.product_id AS id
              FROM (SELECT o.product_id, o.on_hand FROM stock.stock_level o
                    WHERE o.tenant_id = $1 AND (NOT $4 OR NOT o.archived) ORDER BY o.product_id %4$s OFFSET 0) l
              WHERE $2 IS NULL OR (%1$s, l.product_id) %3$s ($2::%2$s, $3)
              ORDER BY %1$s %4$s, l.product_id %4$s LIMIT $5' END;
    v_ids   uuid[];
BEGIN
    EXECUTE format('SELECT array_agg(x.id) FROM (' || v_rows || ') x', v_order.key, v_order.type,
                   CASE WHEN p_descending THEN '<' ELSE '>' END, CASE WHEN p_descending THEN 'DESC' ELSE 'ASC' END)
    INTO v_ids USING stock.current_tenant(), p_after, p_after_id, p_active, p_count;
    RETURN coalesce(v_ids, '{}');
END
$$;

-- Those of few products that stand behind a place, in their order.
CREATE FUNCTION stock.products_sorted(p_sort text, p_descending boolean, p_ids uuid[], p_after text, p_after_id uuid) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_order record := stock.product_order(p_sort);
    v_ids   uuid[];
BEGIN
    EXECUTE format(
        'SELECT array_agg(x.id ORDER BY x.key %3$s, x.id %3$s) FROM (
             SELECT w.id, %1$s AS key FROM unnest($4) AS w (id), LATERAL (
                 SELECT o.* FROM %4$s o WHERE o.tenant_id = $1 AND o.%5$s = w.id OFFSET 0) %6$s) x
         WHERE $2 IS NULL OR (x.key, x.id) %7$s ($2::%2$s, $3)',
        v_order.key, v_order.type, CASE WHEN p_descending THEN 'DESC' ELSE 'ASC' END,
        CASE WHEN p_sort = 'on_hand' THEN 'stock.stock_level' ELSE 'stock.product' END,
        CASE WHEN p_sort = 'on_hand' THEN 'product_id' ELSE 'id' END, CASE WHEN p_sort = 'on_hand' THEN 'l' ELSE 'p' END,
        CASE WHEN p_descending THEN '<' ELSE '>' END)
    INTO v_ids USING stock.current_tenant(), p_after, p_after_id, p_ids;
    RETURN coalesce(v_ids, '{}');
END
$$;

-- Of the words of a search those that most of some products do not have: the others narrow it by little, and are what finding by pairs of
-- letters takes longest for. All of them, where most have each.
CREATE FUNCTION stock.telling_words(p_words text[], p_products uuid[]) RETURNS text[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN coalesce((
        SELECT array_agg(w.word) FROM unnest(p_words) AS w (word)
        WHERE 2 * (SELECT count(*) FROM unnest(p_products) AS i (id), LATERAL (
                       SELECT strpos(o.search_text, w.word) AS place FROM stock.product o
                       WHERE o.tenant_id = stock.current_tenant() AND o.id = i.id OFFSET 0) p
                   WHERE p.place > 0) < cardinality(p_products)), p_words);
END
$$;

-- What may be asked for, where it is known along another index than that of the order; NULL where it is not.
CREATE FUNCTION stock.products_of(p_words text[], p_category uuid, p_stock text, p_status text) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN CASE
        WHEN p_words <> '{}'
        THEN coalesce(stock.product_candidates(p_words, '', '00000000-0000-0000-0000-000000000000'), '{}')
        WHEN p_category IS NOT NULL
        THEN ARRAY(SELECT p.id FROM stock.product p WHERE p.tenant_id = v_tenant AND p.category_id = p_category
                   AND (p_status IS NULL OR p.status = p_status))
        WHEN p_stock IN ('out', 'low')
        THEN ARRAY(SELECT l.product_id FROM stock.stock_level l WHERE l.tenant_id = v_tenant AND l.alert = p_stock)
        WHEN p_status = 'archived'
        THEN ARRAY(SELECT p.id FROM stock.product p
                   WHERE p.tenant_id = v_tenant AND p.status = 'archived' AND p.name_key IS NOT NULL) END;
END
$$;

-- A page of products, by name unless p_sort says otherwise. Along the index of the order those are looked at that it has next, and those
-- taken that are asked for; where that leads to few, all that may be asked for are sorted instead.
DROP FUNCTION stock.product_page(text, text, uuid, text, text, integer, text, uuid);
CREATE FUNCTION stock.product_page(
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
    v_size    integer := CASE WHEN p_sort = 'on_hand' THEN greatest(p_count, 500) ELSE p_count END;
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
    ELSIF p_sort = 'on_hand' AND coalesce(cardinality(v_words), 0) = 0 THEN
        -- Each portion of this order is sorted anew: it is walked only where so many may be it that the first will do.
        v_few := stock.products_of(v_words, p_category, p_stock, p_status);
        IF cardinality(v_few) > 10000 THEN
            v_few := NULL;
        END IF;
    END IF;
    IF NOT v_by_name AND v_few IS NOT NULL THEN
        v_few := stock.products_sorted(p_sort, p_descending, v_few, v_key, v_id);
    END IF;
    LOOP
        IF v_few IS NULL AND v_walked > (CASE WHEN p_sort = 'on_hand' THEN 0 WHEN v_left = p_count THEN 200 ELSE 500 END) THEN
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

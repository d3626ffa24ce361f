-- Low stock place by place: what a place has of its own to say from where on it is low there. Where it says nothing the product's sum
-- decides, as before.

-- Sets from where on a product is low at a place; NULL: where its sum is.
CREATE FUNCTION stock.place_low_at(p_product uuid, p_location uuid, p_low_at numeric) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_level  record;
BEGIN
    -- The sum before its places, as whoever moves goods.
    SELECT l.bounded, l.name_key, l.archived, p.tracks_stock, u.decimals INTO v_level
    FROM stock.stock_level l
    JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
    JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = p.unit_id
    WHERE l.tenant_id = v_tenant AND l.product_id = p_product FOR NO KEY UPDATE OF l;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such product.');
    ELSIF NOT v_level.tracks_stock THEN
        PERFORM stock.refuse_field('invalid_state', '/min_stock', 'The product does not track stock.');
    ELSIF min_scale(p_low_at) > v_level.decimals THEN
        PERFORM stock.refuse_field('quantity_precision', '/min_stock', format('The unit allows %s decimals.', v_level.decimals));
    END IF;
    PERFORM stock.open_location(p_location, '/location_id');
    INSERT INTO stock.location_level AS n (tenant_id, product_id, location_id, floor, name_key, archived, low_at)
    VALUES (v_tenant, p_product, p_location, CASE WHEN v_level.bounded THEN 0 END, v_level.name_key, v_level.archived,
            p_low_at)
    ON CONFLICT (tenant_id, product_id, location_id) DO UPDATE SET low_at = excluded.low_at;
END
$$;

-- Whether a product is out, low or ok at a place, by the alerts of the place and of the sum.
CREATE FUNCTION stock.place_alert(p_alert text, p_low_at numeric, p_of_sum text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_alert IS NOT NULL THEN p_alert WHEN p_low_at IS NULL AND p_of_sum = 'low' THEN 'low' ELSE 'ok' END;

-- What is at one place: what is low there is said there, or by the sum.
CREATE OR REPLACE FUNCTION stock.location_level_body(p_tenant bigint, p_product uuid, p_location uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id AS product_id, p.sku, p.name, p.category_id, p.unit_id, p.tracks_stock, p.status, n.location_id,
               stock.quantity_text(n.on_hand) AS on_hand, NULL::text AS in_transit,
               stock.quantity_text(n.low_at) AS min_stock, stock.place_alert(n.alert, n.low_at, l.alert) AS stock,
               stock.price_text(l.cost, t.currency_exponent) AS cost, stock.rfc3339(n.updated_at) AS updated_at
        FROM stock.location_level n
        JOIN stock.stock_level l ON l.tenant_id = n.tenant_id AND l.product_id = n.product_id
        JOIN stock.product p ON p.tenant_id = n.tenant_id AND p.id = n.product_id
        JOIN stock.tenant t ON t.id = n.tenant_id
        WHERE n.tenant_id = p_tenant AND n.product_id = p_product AND n.location_id = p_location
    ) r;
    RETURN v_body;
END
$$;

-- Where a product is, place by place, the way between them last; NULL if there is no such product.
CREATE OR REPLACE FUNCTION stock.product_places_body(p_tenant bigint, p_product uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT l.product_id, stock.quantity_text(l.on_hand) AS on_hand, stock.quantity_text(l.in_transit) AS in_transit,
               coalesce((
                   SELECT json_agg(json_build_object(
                              'location_id', n.location_id, 'name', g.name, 'kind', g.kind,
                              'on_hand', stock.quantity_text(n.on_hand), 'min_stock', stock.quantity_text(n.low_at),
                              'stock', stock.place_alert(n.alert, n.low_at, l.alert), 'updated_at', stock.rfc3339(n.updated_at))
                              ORDER BY g.kind = 'transit', g.name_key)
                   FROM stock.location_level n
                   JOIN stock.location g ON g.tenant_id = n.tenant_id AND g.id = n.location_id
                   WHERE n.tenant_id = l.tenant_id AND n.product_id = l.product_id), '[]') AS locations
        FROM stock.stock_level l WHERE l.tenant_id = p_tenant AND l.product_id = p_product
    ) r;
    RETURN v_body;
END
$$;

-- What has been at a place, by name: up to p_count after (p_after, p_after_id), in portions that grow, as what is asked for
-- besides may be rare.
CREATE OR REPLACE FUNCTION stock.location_page(p_location uuid, p_q text, p_category uuid, p_stock text, p_count integer, p_after text,
                                    p_after_id uuid)
RETURNS TABLE (id uuid, name_key text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_words   text[] := array_remove(string_to_array(stock.search_text(p_q), ' '), '');
    v_key     text := coalesce(p_after, '');
    v_id      uuid := coalesce(p_after_id, '00000000-0000-0000-0000-000000000000');
    v_left    integer := p_count;
    v_size    integer := p_count;
    v_portion uuid[];
    v_found   integer;
BEGIN
    LOOP
        IF p_stock = 'out' THEN
            v_portion := ARRAY(
                SELECT n.product_id FROM stock.location_level n
                WHERE n.tenant_id = v_tenant AND n.location_id = p_location AND n.alert = 'out'
                  AND (n.name_key, n.product_id) > (v_key, v_id) AND NOT n.archived
                ORDER BY n.name_key, n.product_id LIMIT v_size);
        ELSIF p_stock = 'low' THEN
            -- Low here, and low in all where the place has nothing of its own to say; each along its index.
            v_portion := ARRAY(
                SELECT w.product_id
                FROM ((SELECT n.name_key, n.product_id FROM stock.location_level n
                       WHERE n.tenant_id = v_tenant AND n.location_id = p_location AND n.alert = 'low'
                         AND (n.name_key, n.product_id) > (v_key, v_id) AND NOT n.archived
                       ORDER BY n.name_key, n.product_id LIMIT v_size)
                      UNION ALL
                      (SELECT l.name_key, l.product_id
                       FROM stock.stock_level l, LATERAL (
                           SELECT FROM stock.location_level n
                           WHERE n.tenant_id = v_tenant AND n.product_id = l.product_id AND n.location_id = p_location
                             AND n.alert IS NULL AND n.low_at IS NULL OFFSET 0) n
                       WHERE l.tenant_id = v_tenant AND l.alert = 'low'
                         AND (l.name_key, l.product_id) > (v_key, v_id) AND NOT l.archived
                       ORDER BY l.name_key, l.product_id LIMIT v_size)) w
                ORDER BY w.name_key, w.product_id LIMIT v_size);
        ELSE
            v_portion := ARRAY(
                SELECT n.product_id FROM stock.location_level n
                WHERE n.tenant_id = v_tenant AND n.location_id = p_location
                  AND (n.name_key, n.product_id) > (v_key, v_id) AND NOT n.archived
                ORDER BY n.name_key, n.product_id LIMIT v_size);
        END IF;
        RETURN QUERY
        SELECT p.id, p.name_key
        FROM unnest(v_portion) WITH ORDINALITY AS w (id, place), LATERAL (
            SELECT o.id, o.name_key FROM stock.product o
            WHERE o.tenant_id = v_tenant AND o.id = w.id AND (p_category IS NULL OR o.category_id = p_category)
              AND (v_words IS NULL OR NOT EXISTS (
                      SELECT FROM unnest(v_words) AS q (word)
                      WHERE strpos(o.search_text, q.word) = 0
                        AND NOT EXISTS (SELECT FROM stock.product_barcode b
                                        WHERE b.tenant_id = v_tenant AND b.product_id = w.id
                                          AND strpos(coalesce(b.search_text, ''), q.word) > 0)))
              AND (p_stock IS DISTINCT FROM 'ok' OR NOT EXISTS (
                      SELECT FROM stock.location_level n
                      JOIN stock.stock_level l ON l.tenant_id = n.tenant_id AND l.product_id = n.product_id
                      WHERE n.tenant_id = v_tenant AND n.product_id = w.id AND n.location_id = p_location
                        AND stock.place_alert(n.alert, n.low_at, l.alert) <> 'ok'))
            OFFSET 0
        ) p
        ORDER BY w.place LIMIT v_left;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        v_left := v_left - v_found;
        EXIT WHEN v_left = 0 OR cardinality(v_portion) < v_size;
        SELECT p.name_key, p.id INTO v_key, v_id FROM stock.product p
        WHERE p.tenant_id = v_tenant AND p.id = v_portion[v_size];
        v_size := least(4 * v_size, 500);
    END LOOP;
END
$$;

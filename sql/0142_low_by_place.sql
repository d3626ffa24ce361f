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

-- Tells that a product has fallen to where it is low: at a place, and in all of them. Before, after, from where on it is low; of the
-- place and of the sum.
CREATE FUNCTION stock.tell_low(p_moves stock.move[], p_product uuid, p_location uuid, p_before numeric, p_after numeric,
                               p_low_at numeric, p_sum_before numeric, p_sum_after numeric, p_sum_low_at numeric)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    SELECT stock.current_tenant(), 'stock.low', p_product,
           json_build_object('location_id', v.location_id, 'on_hand', stock.quantity_text(v.after),
                             'min_stock', stock.quantity_text(v.low_at)),
           p_moves[1].user_id, p_moves[1].occurred_at
    FROM (VALUES (p_location, p_before, p_after, p_low_at), (NULL, p_sum_before, p_sum_after, p_sum_low_at))
        AS v (location_id, before, after, low_at)
    WHERE v.before > v.low_at AND v.after <= v.low_at;
END
$$;

-- Moves goods: the only function that changes what is on hand and writes movements. Levels are moved in the order of their
-- products, the sum before its places, as every command locks them; moves of one product are numbered place by place in the
-- order they are given in. Gives the products and places that were moved, with what a piece costs now. One that is missing
-- would have fallen below its floor (if p_heeds_floors: not of history, which has happened) or out of what its column
-- holds: nothing of it was written, and `refuse_moves` says why. What is bought moves the average cost, of all places and what is
-- between them, once for all moves of a product at a place, whatever their order. What falls to
-- where it is low, at a place or in all, is told once (`stock.low`).
CREATE OR REPLACE FUNCTION stock.move_stock(p_moves stock.move[], p_heeds_floors boolean DEFAULT true)
RETURNS TABLE (product_id uuid, location_id uuid, cost numeric)
LANGUAGE plpgsql
-- Moves and levels are joined in memory, and there may be thousands.
SET enable_hashjoin = on AS $$
#variable_conflict use_column
DECLARE
    v_tenant    bigint := stock.current_tenant();
    v_transit   uuid := stock.transit_location();
    v_sum       record;
    v_level     record;
    v_before    numeric;
    v_cost      numeric;
    v_products  uuid[];
    v_locations uuid[];
    v_costs     numeric[];
    v_on_hand   numeric[];
    v_versions  bigint[];
    v_low_at    numeric;
    v_after     numeric;
BEGIN
    FOR v_sum IN
        SELECT m.product_id, m.location_id, sum(m.quantity) AS quantity, count(*) AS moves,
               sum(m.quantity) FILTER (WHERE m.quantity > 0 AND m.cost IS NOT NULL) AS bought,
               sum(m.quantity * m.cost) FILTER (WHERE m.quantity > 0) AS spent
        FROM unnest(p_moves) m GROUP BY m.product_id, m.location_id ORDER BY m.product_id, m.location_id
    LOOP
        SELECT l.on_hand, l.in_transit, l.cost, l.stock_version, l.bounded, l.low_at, l.name_key, l.archived
        INTO v_level
        FROM stock.stock_level l WHERE l.tenant_id = v_tenant AND l.product_id = v_sum.product_id FOR NO KEY UPDATE;
        CONTINUE WHEN NOT FOUND OR abs(v_level.on_hand + v_sum.quantity) >= 1000000000000;
        LOOP
            UPDATE stock.location_level l
            SET on_hand = l.on_hand + v_sum.quantity,
                floor = CASE WHEN l.floor IS NOT NULL THEN least(0, l.on_hand + v_sum.quantity) END,
                last_seq = v_level.stock_version + v_sum.moves, updated_at = now()
            WHERE l.tenant_id = v_tenant AND l.product_id = v_sum.product_id AND l.location_id = v_sum.location_id
              AND (NOT p_heeds_floors OR l.floor IS NULL OR v_sum.quantity > 0
                   OR l.on_hand + v_sum.quantity >= l.floor)
              AND abs(l.on_hand + v_sum.quantity) < 1000000000000
            RETURNING l.on_hand - v_sum.quantity, l.low_at INTO v_before, v_low_at;
            EXIT WHEN FOUND;
            -- The first that comes here, or is looked for.
            INSERT INTO stock.location_level (tenant_id, product_id, location_id, floor, name_key, archived)
            VALUES (v_tenant, v_sum.product_id, v_sum.location_id,
                    CASE WHEN v_level.bounded OR v_sum.location_id = v_transit THEN 0 END, v_level.name_key,
                    v_level.archived)
            ON CONFLICT (tenant_id, product_id, location_id) DO NOTHING;
            EXIT WHEN NOT FOUND;
        END LOOP;
        CONTINUE WHEN NOT FOUND;
        UPDATE stock.stock_level l
        SET on_hand = l.on_hand + CASE WHEN v_sum.location_id <> v_transit THEN v_sum.quantity ELSE 0 END,
            in_transit = l.in_transit + CASE WHEN v_sum.location_id = v_transit THEN v_sum.quantity ELSE 0 END,
            -- The average of what was there and what was bought; what comes otherwise is worth the same.
            cost = CASE WHEN v_sum.bought IS NULL THEN l.cost
                        WHEN l.on_hand + l.in_transit > 0
                        THEN round(((l.on_hand + l.in_transit) * l.cost + v_sum.spent)
                                   / (l.on_hand + l.in_transit + v_sum.bought), 6)
                        ELSE round(v_sum.spent / v_sum.bought, 6) END,
            stock_version = l.stock_version + v_sum.moves, updated_at = now()
        WHERE l.tenant_id = v_tenant AND l.product_id = v_sum.product_id
        RETURNING l.cost, l.on_hand INTO v_cost, v_after;
        IF v_sum.quantity < 0 AND (v_before > v_low_at AND v_before + v_sum.quantity <= v_low_at
                                   OR v_level.on_hand > v_level.low_at AND v_after <= v_level.low_at) THEN
            PERFORM stock.tell_low(p_moves, v_sum.product_id, v_sum.location_id, v_before, v_before + v_sum.quantity, v_low_at,
                                   v_level.on_hand, v_after, v_level.low_at);
        END IF;
        v_products := v_products || v_sum.product_id;
        v_locations := v_locations || v_sum.location_id;
        v_costs := v_costs || v_cost;
        v_on_hand := v_on_hand || v_before;
        v_versions := v_versions || v_level.stock_version;
    END LOOP;
    -- Behind the levels, which whoever closes a place holds. Repeated, the caller finds it closed.
    PERFORM FROM stock.location l WHERE l.tenant_id = v_tenant AND l.id = ANY (v_locations) AND NOT l.active LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'A location was closed meanwhile.';
    END IF;
    INSERT INTO stock.stock_movement (tenant_id, id, product_id, location_id, seq, kind, quantity, on_hand_after, unit_cost,
                                      reason, ref_type, ref_id, user_id, occurred_at, business_day)
    SELECT v_tenant, m.id, m.product_id, m.location_id, l.version + count(*) OVER w, m.kind, m.quantity,
           l.on_hand + sum(m.quantity) OVER w, CASE WHEN m.quantity > 0 THEN coalesce(m.cost, l.cost) ELSE l.cost END,
           m.reason, m.ref_type, m.ref_id, m.user_id, m.occurred_at, m.business_day
    FROM unnest(p_moves) WITH ORDINALITY AS m (id, product_id, kind, quantity, cost, reason, ref_type, ref_id, user_id,
                                               occurred_at, business_day, location_id, ordinal)
    JOIN unnest(v_products, v_locations, v_costs, v_on_hand, v_versions)
        AS l (product_id, location_id, cost, on_hand, version)
        ON l.product_id = m.product_id AND l.location_id = m.location_id
    WINDOW w AS (PARTITION BY m.product_id, m.location_id ORDER BY m.ordinal);
    RETURN QUERY SELECT l.product_id, l.location_id, l.cost
    FROM unnest(v_products, v_locations, v_costs) AS l (product_id, location_id, cost);
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

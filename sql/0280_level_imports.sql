-- Files of what is on the shelves: a row names a product and a place, and how much is there.

-- Brings each level to what its row says, by one movement of what is missing or too much: an opening where nothing has moved before, an
-- adjustment otherwise. A level that is so already is left alone. p_ids: those of the movements. A row that can not be applied is answered
-- with its errors, and the others go in.
CREATE FUNCTION stock.import_levels(p_ids uuid[], p_rows json[])
RETURNS TABLE (place integer, outcome text, errors json)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant    bigint := stock.current_tenant();
    v_only      uuid := stock.only_location();
    v_zone      text;
    v_closed    date;
    v_products  uuid[];
    v_locations uuid[];
    v_errors    json[];
    v_moves     stock.move[];
    v_moved     text[];
    v_changed   uuid[];
BEGIN
    SELECT t.timezone, t.closed_until INTO v_zone, v_closed FROM stock.tenant t WHERE t.id = v_tenant;
    SELECT array_agg(p.id ORDER BY w.place), array_agg(CASE WHEN w.location IS NULL THEN v_only ELSE g.id END ORDER BY w.place)
    INTO v_products, v_locations
    FROM (SELECT r.place, r.named ->> 'external_id' AS external_id,
                 CASE WHEN r.named ->> 'external_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                      THEN (r.named ->> 'external_id')::uuid END AS id,
                 stock.folded(r.named ->> 'sku') AS sku_key, r.named ->> 'location' AS location,
                 stock.folded(r.named ->> 'location') AS location_key
          FROM unnest(p_rows) WITH ORDINALITY AS r (named, place) OFFSET 0) w
    LEFT JOIN LATERAL (
        SELECT a.id FROM (
            SELECT b.id, 1 AS rank FROM stock.product b WHERE b.tenant_id = v_tenant AND b.external_id = w.external_id
            UNION ALL
            SELECT b.id, 2 FROM stock.product b WHERE b.tenant_id = v_tenant AND b.id = w.id
            UNION ALL
            SELECT b.id, 3 FROM stock.product b WHERE b.tenant_id = v_tenant AND b.sku_key = w.sku_key
        ) a ORDER BY a.rank LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT b.id FROM stock.location b
        WHERE b.tenant_id = v_tenant AND b.name_key = w.location_key AND b.active AND b.kind <> 'transit'
    ) g ON true;

    -- Nobody sells of them between the question what is there and the answer.
    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = v_tenant AND l.product_id = ANY (v_products)
    ORDER BY l.product_id FOR NO KEY UPDATE;

    SELECT array_agg(e.errors ORDER BY w.place),
           array_agg(ROW(p_ids[w.place], w.product_id, CASE WHEN w.last_seq > 0 THEN 'adjustment' ELSE 'opening' END, w.difference,
                         CASE WHEN w.difference > 0 THEN w.cost END, 'import', NULL, NULL, NULL, now(), w.business_day,
                         w.location_id)::stock.move ORDER BY w.place)
    INTO v_errors, v_moves
    FROM (SELECT n.place, n.product_id, n.location_id, n.names_location, n.cost, n.on_hand, coalesce(l.last_seq, 0) AS last_seq,
                 n.on_hand - coalesce(l.on_hand, 0) AS difference, p.tracks_stock, u.decimals,
                 -- What happens at a place is of the day that it is there.
                 (now() AT TIME ZONE coalesce(g.timezone, v_zone))::date AS business_day,
                 row_number() OVER (PARTITION BY n.product_id, n.location_id ORDER BY n.place) AS copy
          FROM (SELECT r.place, r.product_id, r.location_id, r.named ->> 'location' IS NOT NULL AS names_location,
                       (r.named ->> 'on_hand')::numeric AS on_hand, (r.named ->> 'cost')::numeric AS cost
                FROM unnest(p_rows, v_products, v_locations) WITH ORDINALITY AS r (named, product_id, location_id, place) OFFSET 0) n
          LEFT JOIN stock.product p ON p.tenant_id = v_tenant AND p.id = n.product_id
          LEFT JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = p.unit_id
          LEFT JOIN stock.location g ON g.tenant_id = v_tenant AND g.id = n.location_id
          LEFT JOIN stock.location_level l
              ON l.tenant_id = v_tenant AND l.product_id = n.product_id AND l.location_id = n.location_id) w,
    LATERAL (
        SELECT json_agg(json_build_object('pointer', v.field, 'code', v.code, 'detail', v.sentence)) AS errors
        FROM (VALUES
            (w.product_id IS NULL, '/sku', 'not_found', 'There is no such product.'),
            (NOT w.tracks_stock, '/sku', 'invalid_state', 'The product does not track stock.'),
            (w.location_id IS NULL AND NOT w.names_location, '/location', 'required', 'Say at which location.'),
            (w.location_id IS NULL AND w.names_location, '/location', 'not_found',
             'There is no such active location.'),
            (w.difference <> 0 AND stock.moment_refusal(now(), w.business_day, v_closed) IS NOT NULL, '', 'period_closed',
             format('The books are closed up to %s.', v_closed)),
            (w.copy > 1 AND w.product_id IS NOT NULL AND w.location_id IS NOT NULL, '', 'duplicate',
             'An earlier row names this product there.'),
            (w.on_hand IS NULL, '/on_hand', 'required', 'Must not be blank.'),
            (min_scale(w.on_hand) > w.decimals, '/on_hand', 'quantity_precision', format('The unit allows %s decimals.', w.decimals)),
            (abs(w.difference) >= 1000000000000, '/on_hand', 'validation_failed',
             'What is there already differs from it by 1000000000000 or more.')
        ) AS v (holds, field, code, sentence)
        WHERE v.holds
    ) e;

    SELECT coalesce(array_agg(m.product_id || '/' || m.location_id), '{}'), array_agg(DISTINCT m.product_id)
    INTO v_moved, v_changed
    FROM stock.move_stock(ARRAY(
        SELECT ROW(n.id, n.product_id, n.kind, n.quantity, n.cost, n.reason, n.ref_type, n.ref_id, n.user_id, n.occurred_at,
                   n.business_day, n.location_id)::stock.move
        FROM unnest(v_moves, v_errors) WITH ORDINALITY
            AS n (id, product_id, kind, quantity, cost, reason, ref_type, ref_id, user_id, occurred_at, business_day, location_id, errors, place)
        WHERE n.errors IS NULL AND n.quantity <> 0 ORDER BY n.place
    ), p_heeds_reservations => false) m;
    IF v_changed IS NOT NULL THEN
        INSERT INTO stock.domain_event (tenant_id, type, payload, user_id, occurred_at)
        VALUES (v_tenant, 'stock.adjusted', json_build_object('products', v_changed), NULL, now());
    END IF;

    RETURN QUERY
    SELECT (w.place - 1)::integer,
           CASE WHEN f.errors IS NOT NULL THEN 'refused' WHEN w.quantity = 0 THEN 'unchanged'
                WHEN w.kind = 'opening' THEN 'created' ELSE 'updated' END,
           f.errors
    FROM unnest(v_moves, v_errors) WITH ORDINALITY
        AS w (id, product_id, kind, quantity, cost, reason, ref_type, ref_id, user_id, occurred_at, business_day, location_id, errors, place),
    LATERAL (
        SELECT coalesce(w.errors, CASE
            WHEN w.quantity <> 0 AND NOT w.product_id || '/' || w.location_id = ANY (v_moved) THEN json_build_array(json_build_object(
                'pointer', '/on_hand', 'code', 'insufficient_stock',
                'detail', 'Must not be below zero, as the product may not be oversold.')) END) AS errors
    ) f;
END
$$;

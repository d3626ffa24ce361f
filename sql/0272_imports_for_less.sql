-- What a chunk of an import does, done for less. docs/decisions/0061-what-an-import-costs.md has what was measured.

-- To look for what the taxes of a row were before takes longer than to compute them.
ALTER FUNCTION stock.import_rows(integer, integer, boolean) SET enable_memoize = off;

-- Sales that have no taxes of their own are of few rates, and named by them once for each instead of once a line.
CALL stock.amend('total_sales', $$        FROM sold s, LATERAL stock.taxes_of(s.tax_rate, s.net, s.tax, s.taxes) x
$$, $$        FROM (SELECT l.day, l.tax_rate, sum(l.net) AS net, sum(l.tax) AS tax, NULL::jsonb AS taxes
              FROM sold l WHERE l.taxes IS NULL GROUP BY l.day, l.tax_rate
              UNION ALL
              SELECT l.day, l.tax_rate, l.net, l.tax, l.taxes FROM sold l WHERE l.taxes IS NOT NULL) s,
             LATERAL stock.taxes_of(s.tax_rate, s.net, s.tax, s.taxes) x
$$);

-- A level at a place is locked while it is read. One that is not there is written once, with what the moves come to: who
-- makes one holds the product's, which is held here.
CALL stock.amend('move_stock', $$    v_low_total numeric[];
$$, $$    v_low_total numeric[];
    v_names     text[];
    v_archived  boolean[];
$$);
CALL stock.amend('move_stock', $$        INSERT INTO stock.location_level (tenant_id, product_id, location_id, floor, name_key, archived)
        SELECT v_tenant, a.product_id, a.location_id, CASE WHEN l.bounded OR a.location_id = v_transit THEN 0 END, l.name_key,
               l.archived
        FROM unnest(v_asked, v_places) AS a (product_id, location_id)
        CROSS JOIN LATERAL (SELECT o.* FROM stock.stock_level o
                            WHERE o.tenant_id = v_tenant AND o.product_id = a.product_id OFFSET 0) l
        LEFT JOIN LATERAL (SELECT o.product_id FROM stock.location_level o
                           WHERE o.tenant_id = v_tenant AND o.product_id = a.product_id AND o.location_id = a.location_id
                           OFFSET 0) n ON true
        WHERE n.product_id IS NULL;
        PERFORM FROM unnest(v_asked, v_places) AS a (product_id, location_id), LATERAL (
            SELECT FROM stock.location_level o
            WHERE o.tenant_id = v_tenant AND o.product_id = a.product_id AND o.location_id = a.location_id
            FOR NO KEY UPDATE) n;
        SELECT array_agg(a.product_id), array_agg(a.location_id), array_agg(n.on_hand + a.quantity),$$,
$$        SELECT array_agg(a.product_id), array_agg(a.location_id), array_agg(f.on_hand + a.quantity),$$);
CALL stock.amend('move_stock', $$               array_agg(CASE WHEN n.floor IS NOT NULL THEN least(0, n.on_hand + a.quantity) END),
$$, $$               array_agg(CASE WHEN f.floor IS NOT NULL THEN least(0, f.on_hand + a.quantity) END),
$$);
CALL stock.amend('move_stock', $$array_agg(n.low_at), array_agg(l.low_at), array_agg(a.quantity)
        INTO v_products, v_locations, v_on_hand, v_seqs, v_costs, v_floors, v_totals, v_transits, v_low_there, v_low_total,
             v_sums
        FROM unnest(v_asked, v_places, v_sums, v_counts, v_bought, v_spent)
            AS a (product_id, location_id, quantity, moves, bought, spent),
        LATERAL (SELECT o.* FROM stock.stock_level o
                 WHERE o.tenant_id = v_tenant AND o.product_id = a.product_id OFFSET 0) l,
        LATERAL (SELECT o.* FROM stock.location_level o
                 WHERE o.tenant_id = v_tenant AND o.product_id = a.product_id AND o.location_id = a.location_id OFFSET 0) n
        WHERE stock.can_move(l.on_hand, NULL, a.quantity, false)
          AND stock.can_move(n.on_hand, n.floor + CASE WHEN p_heeds_reservations AND n.reserved > 0
                                                     THEN stock.reserved_now(n.product_id, n.location_id) ELSE 0 END,
$$, $$array_agg(n.low_at), array_agg(l.low_at), array_agg(a.quantity), array_agg(l.name_key), array_agg(l.archived)
        INTO v_products, v_locations, v_on_hand, v_seqs, v_costs, v_floors, v_totals, v_transits, v_low_there, v_low_total,
             v_sums, v_names, v_archived
        FROM unnest(v_asked, v_places, v_sums, v_counts, v_bought, v_spent)
            AS a (product_id, location_id, quantity, moves, bought, spent)
        CROSS JOIN LATERAL (SELECT o.* FROM stock.stock_level o
                            WHERE o.tenant_id = v_tenant AND o.product_id = a.product_id OFFSET 0) l
        LEFT JOIN LATERAL (SELECT o.* FROM stock.location_level o
                           WHERE o.tenant_id = v_tenant AND o.product_id = a.product_id AND o.location_id = a.location_id
                           FOR NO KEY UPDATE) n ON true
        CROSS JOIN LATERAL (
            SELECT coalesce(n.on_hand, 0) AS on_hand,
                   CASE WHEN n.product_id IS NOT NULL THEN n.floor
                        WHEN l.bounded OR a.location_id = v_transit THEN 0 END AS floor) f
        WHERE stock.can_move(l.on_hand, NULL, a.quantity, false)
          AND stock.can_move(f.on_hand, f.floor + CASE WHEN p_heeds_reservations AND n.reserved > 0
                                                     THEN stock.reserved_now(n.product_id, n.location_id) ELSE 0 END,
$$);
CALL stock.amend('move_stock', $$        INSERT INTO stock.location_level AS l (tenant_id, product_id, location_id, on_hand, floor, last_seq, name_key)
        SELECT v_tenant, m.product_id, m.location_id, m.on_hand, m.floor, m.seq, ''
        FROM unnest(v_products, v_locations, v_on_hand, v_floors, v_seqs) AS m (product_id, location_id, on_hand, floor, seq)
$$, $$        INSERT INTO stock.location_level AS l (tenant_id, product_id, location_id, on_hand, floor, last_seq, name_key,
                                                archived)
        SELECT v_tenant, m.product_id, m.location_id, m.on_hand, m.floor, m.seq, m.name_key, m.archived
        FROM unnest(v_products, v_locations, v_on_hand, v_floors, v_seqs, v_names, v_archived)
            AS m (product_id, location_id, on_hand, floor, seq, name_key, archived)
$$);
-- What there is not enough of is told by its level, so it has one.
CALL stock.amend('move_stock', $$        IF p_heeds_floors THEN
            PERFORM stock.tell_low(p_moves[1].user_id, p_moves[1].occurred_at, v_products,$$, $$        IF cardinality(v_asked) > coalesce(cardinality(v_products), 0) THEN
            PERFORM stock.level_begun(a.product_id, a.location_id)
            FROM unnest(v_asked, v_places) AS a (product_id, location_id);
        END IF;
        IF p_heeds_floors THEN
            PERFORM stock.tell_low(p_moves[1].user_id, p_moves[1].occurred_at, v_products,$$);

-- Goods of many products are moved in sets: an import moves some 1,500 at once, and two updates and their triggers for each
-- took half of its time. A sale of a few lines goes on as it was, which is faster there. What holds for a move has one home for
-- both.
-- docs/decisions/0044-moves-in-sets.md tells what was measured.

-- Whether a level can take a move: it does not fall below its floor, where that is heeded, and its column holds it.
CREATE FUNCTION stock.can_move(p_on_hand numeric, p_floor numeric, p_quantity numeric, p_heeds_floors boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (NOT p_heeds_floors OR p_floor IS NULL OR p_quantity > 0 OR p_on_hand + p_quantity >= p_floor)
   AND abs(p_on_hand + p_quantity) < 1000000000000;

-- What a piece costs after a move: the average of what was there and what was bought; what comes otherwise is worth the same.
-- What was bought and goes back (p_bought < 0) takes its cost out of the average again, if something that is worth something is
-- left.
CREATE FUNCTION stock.moved_cost(p_on_hand numeric, p_cost numeric, p_bought numeric, p_spent numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN coalesce(p_bought, 0) = 0 THEN p_cost
    WHEN p_bought < 0 THEN
        CASE WHEN p_on_hand + p_bought > 0 AND p_on_hand * p_cost + p_spent >= 0
             THEN round((p_on_hand * p_cost + p_spent) / (p_on_hand + p_bought), 6) ELSE p_cost END
    WHEN p_on_hand > 0 THEN round((p_on_hand * p_cost + p_spent) / (p_on_hand + p_bought), 6)
    ELSE round(p_spent / p_bought, 6)
END;

-- What moves of each product at each place come to, in the order in which levels are locked.
CREATE FUNCTION stock.moved_sums(p_moves stock.move[])
RETURNS TABLE (product_id uuid, location_id uuid, quantity numeric, moves bigint, bought numeric, spent numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT m.product_id, m.location_id, sum(m.quantity), count(*),
           sum(m.quantity) FILTER (WHERE m.cost IS NOT NULL AND (m.quantity > 0 OR m.kind = 'purchase_reversal')),
           sum(m.quantity * m.cost)
               FILTER (WHERE m.cost IS NOT NULL AND (m.quantity > 0 OR m.kind = 'purchase_reversal'))
    FROM unnest(p_moves) m GROUP BY m.product_id, m.location_id ORDER BY m.product_id, m.location_id;
END;

-- Tells of products that have fallen to where they are low: at a place, or in all of them together, of which what is in
-- transit is no part. The arrays: what moved, what is there and in all of them since, and from where on that is low.
CREATE FUNCTION stock.tell_low(
    p_user uuid, p_occurred_at timestamptz, p_products uuid[], p_locations uuid[], p_quantities numeric[], p_there numeric[],
    p_low_there numeric[], p_totals numeric[], p_low_totals numeric[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    SELECT stock.current_tenant(), 'stock.low', m.product_id,
           json_build_object('location_id', v.location_id, 'on_hand', stock.quantity_text(v.on_hand),
                             'min_stock', stock.quantity_text(v.low_at)), p_user, p_occurred_at
    FROM unnest(p_products, p_locations, p_quantities, p_there, p_low_there, p_totals, p_low_totals)
             AS m (product_id, location_id, quantity, there, low_there, total, low_total),
         LATERAL (VALUES (m.location_id, m.there, m.low_there), (NULL, m.total, m.low_total))
             AS v (location_id, on_hand, low_at)
    WHERE v.on_hand <= v.low_at AND v.on_hand - m.quantity > v.low_at AND m.location_id <> stock.transit_location();
END
$$;

-- Moves goods: the only function that changes what is on hand and writes movements. Levels are moved in the order of their
-- products, the sum before its places, as every command locks them; moves of one product are numbered place by place in the
-- order they are given in. Gives the products and places that were moved, with what a piece costs now. One that is missing
-- would have fallen below its floor (if p_heeds_floors: not of history, which has happened) or out of what its column
-- holds: nothing of it was written, and `refuse_moves` says why. What is bought moves the average cost, of all places and what
-- is between them, once for all moves of a product at a place, whatever their order. What falls to where it is low is told once
-- (`stock.low`), but for history.
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
    v_there     record;
    v_total     record;
    v_asked     uuid[];
    v_places    uuid[];
    v_sums      numeric[];
    v_counts    bigint[];
    v_bought    numeric[];
    v_spent     numeric[];
    v_products  uuid[];
    v_locations uuid[];
    v_costs     numeric[];
    v_on_hand   numeric[];
    v_seqs      bigint[];
    v_floors    numeric[];
    v_totals    numeric[];
    v_transits  numeric[];
    v_low_there numeric[];
    v_low_total numeric[];
BEGIN
    -- A product at two places is numbered there one after the other, which sets are not.
    IF cardinality(p_moves) > 20
        AND NOT EXISTS (SELECT FROM stock.moved_sums(p_moves) s GROUP BY s.product_id HAVING count(*) > 1) THEN
        SELECT array_agg(s.product_id), array_agg(s.location_id), array_agg(s.quantity), array_agg(s.moves),
               array_agg(s.bought), array_agg(s.spent)
        INTO v_asked, v_places, v_sums, v_counts, v_bought, v_spent
        FROM stock.moved_sums(p_moves) s;
        -- Rows are found one by one by their keys, and written by them: joined, all levels of the tenant may be compared with
        -- each product.
        PERFORM FROM unnest(v_asked) AS a (id), LATERAL (
            SELECT FROM stock.stock_level o WHERE o.tenant_id = v_tenant AND o.product_id = a.id FOR NO KEY UPDATE) l;
        INSERT INTO stock.location_level (tenant_id, product_id, location_id, floor, name_key, archived)
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
        SELECT array_agg(a.product_id), array_agg(a.location_id), array_agg(n.on_hand + a.quantity),
               array_agg(l.stock_version + a.moves),
               array_agg(stock.moved_cost(l.on_hand + l.in_transit, l.cost, a.bought, a.spent)),
               array_agg(CASE WHEN n.floor IS NOT NULL THEN least(0, n.on_hand + a.quantity) END),
               array_agg(l.on_hand + CASE WHEN a.location_id <> v_transit THEN a.quantity ELSE 0 END),
               array_agg(l.in_transit + CASE WHEN a.location_id = v_transit THEN a.quantity ELSE 0 END),
               array_agg(n.low_at), array_agg(l.low_at), array_agg(a.quantity)
        INTO v_products, v_locations, v_on_hand, v_seqs, v_costs, v_floors, v_totals, v_transits, v_low_there, v_low_total,
             v_sums
        FROM unnest(v_asked, v_places, v_sums, v_counts, v_bought, v_spent)
            AS a (product_id, location_id, quantity, moves, bought, spent),
        LATERAL (SELECT o.* FROM stock.stock_level o
                 WHERE o.tenant_id = v_tenant AND o.product_id = a.product_id OFFSET 0) l,
        LATERAL (SELECT o.* FROM stock.location_level o
                 WHERE o.tenant_id = v_tenant AND o.product_id = a.product_id AND o.location_id = a.location_id OFFSET 0) n
        WHERE stock.can_move(l.on_hand, NULL, a.quantity, false)
          AND stock.can_move(n.on_hand, n.floor, a.quantity, p_heeds_floors);
        INSERT INTO stock.location_level AS l (tenant_id, product_id, location_id, on_hand, floor, last_seq, name_key)
        SELECT v_tenant, m.product_id, m.location_id, m.on_hand, m.floor, m.seq, ''
        FROM unnest(v_products, v_locations, v_on_hand, v_floors, v_seqs) AS m (product_id, location_id, on_hand, floor, seq)
        ON CONFLICT (tenant_id, product_id, location_id) DO UPDATE
        SET on_hand = excluded.on_hand, floor = excluded.floor, last_seq = excluded.last_seq, updated_at = now();
        INSERT INTO stock.stock_level AS l (tenant_id, product_id, on_hand, in_transit, cost, stock_version, name_key)
        SELECT v_tenant, m.product_id, m.on_hand, m.in_transit, m.cost, m.version, ''
        FROM unnest(v_products, v_totals, v_transits, v_costs, v_seqs) AS m (product_id, on_hand, in_transit, cost, version)
        ON CONFLICT (tenant_id, product_id) DO UPDATE
        SET on_hand = excluded.on_hand, in_transit = excluded.in_transit, cost = excluded.cost,
            stock_version = excluded.stock_version, updated_at = now();
        IF p_heeds_floors THEN
            PERFORM stock.tell_low(p_moves[1].user_id, p_moves[1].occurred_at, v_products, v_locations, v_sums, v_on_hand,
                                   v_low_there, v_totals, v_low_total);
        END IF;
    ELSE
        FOR v_sum IN
            SELECT * FROM stock.moved_sums(p_moves)
        LOOP
            SELECT l.on_hand, l.in_transit, l.cost, l.stock_version, l.bounded, l.low_at, l.name_key, l.archived
            INTO v_level
            FROM stock.stock_level l WHERE l.tenant_id = v_tenant AND l.product_id = v_sum.product_id FOR NO KEY UPDATE;
            CONTINUE WHEN NOT FOUND OR NOT stock.can_move(v_level.on_hand, NULL, v_sum.quantity, false);
            LOOP
                UPDATE stock.location_level l
                SET on_hand = l.on_hand + v_sum.quantity,
                    floor = CASE WHEN l.floor IS NOT NULL THEN least(0, l.on_hand + v_sum.quantity) END,
                    last_seq = v_level.stock_version + v_sum.moves, updated_at = now()
                WHERE l.tenant_id = v_tenant AND l.product_id = v_sum.product_id AND l.location_id = v_sum.location_id
                  AND stock.can_move(l.on_hand, l.floor, v_sum.quantity, p_heeds_floors)
                RETURNING l.on_hand, l.low_at INTO v_there;
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
                cost = stock.moved_cost(l.on_hand + l.in_transit, l.cost, v_sum.bought, v_sum.spent),
                stock_version = l.stock_version + v_sum.moves, updated_at = now()
            WHERE l.tenant_id = v_tenant AND l.product_id = v_sum.product_id
            RETURNING l.cost, l.on_hand, l.low_at INTO v_total;
            IF v_sum.quantity < 0 AND (v_there.on_hand <= v_there.low_at OR v_total.on_hand <= v_total.low_at)
                AND p_heeds_floors THEN
                PERFORM stock.tell_low(p_moves[1].user_id, p_moves[1].occurred_at, ARRAY[v_sum.product_id],
                                       ARRAY[v_sum.location_id], ARRAY[v_sum.quantity], ARRAY[v_there.on_hand],
                                       ARRAY[v_there.low_at], ARRAY[v_total.on_hand], ARRAY[v_total.low_at]);
            END IF;
            v_products := v_products || v_sum.product_id;
            v_locations := v_locations || v_sum.location_id;
            v_costs := v_costs || v_total.cost;
            v_on_hand := v_on_hand || v_there.on_hand;
            v_seqs := v_seqs || v_level.stock_version + v_sum.moves;
        END LOOP;
    END IF;
    -- Behind the levels, which whoever closes a place holds. Repeated, the caller finds it closed.
    PERFORM FROM stock.location l WHERE l.tenant_id = v_tenant AND l.id = ANY (v_locations) AND NOT l.active LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'A location was closed meanwhile.';
    END IF;
    -- From where each ended, its last move first.
    INSERT INTO stock.stock_movement (tenant_id, id, product_id, location_id, seq, kind, quantity, on_hand_after, unit_cost,
                                      reason, ref_type, ref_id, user_id, occurred_at, business_day)
    SELECT v_tenant, m.id, m.product_id, m.location_id, l.seq - count(*) OVER w + 1, m.kind, m.quantity,
           l.on_hand - sum(m.quantity) OVER w + m.quantity,
           CASE WHEN m.quantity > 0 OR m.kind = 'purchase_reversal' THEN coalesce(m.cost, l.cost) ELSE l.cost END,
           m.reason, m.ref_type, m.ref_id, m.user_id, m.occurred_at, m.business_day
    FROM unnest(p_moves) WITH ORDINALITY AS m (id, product_id, kind, quantity, cost, reason, ref_type, ref_id, user_id,
                                               occurred_at, business_day, location_id, ordinal)
    JOIN unnest(v_products, v_locations, v_costs, v_on_hand, v_seqs)
        AS l (product_id, location_id, cost, on_hand, seq)
        ON l.product_id = m.product_id AND l.location_id = m.location_id
    WINDOW w AS (PARTITION BY m.product_id, m.location_id ORDER BY m.ordinal DESC);
    RETURN QUERY SELECT l.product_id, l.location_id, l.cost
    FROM unnest(v_products, v_locations, v_costs) AS l (product_id, location_id, cost);
END
$$;

-- Reservations: goods that a draft, or a quote that was accepted, holds back at its place for a time, where the tenant wants it.
-- What is available is what is on hand less what is reserved.
-- docs/decisions/0056-reservations.md tells what was chosen.

-- For how long; NULL, as at first: not at all.
ALTER TABLE stock.tenant
    ADD COLUMN draft_reservation_minutes integer CHECK (draft_reservation_minutes BETWEEN 1 AND 10080),
    ADD COLUMN quote_reservation_days integer CHECK (quote_reservation_days BETWEEN 1 AND 365);

-- Until when the document's goods are, or were, held back; NULL: none are.
ALTER TABLE stock.sale ADD COLUMN reserved_until timestamptz;
ALTER TABLE stock.quote ADD COLUMN reserved_until timestamptz;

-- What reservations of the place, or of all places, come to; those that have lapsed are in it until they are swept.
ALTER TABLE stock.location_level ADD COLUMN reserved numeric(18,6) NOT NULL DEFAULT 0;
ALTER TABLE stock.stock_level ADD COLUMN reserved numeric(18,6) NOT NULL DEFAULT 0;

-- Who writes or deletes one holds the product's level, and the document before it.
CREATE TABLE stock.reservation (
    -- As of all documents, no key to the tenant.
    tenant_id    bigint NOT NULL,
    document_id  uuid NOT NULL,
    -- What the document is: a sale that is a draft, or a quote.
    kind         text NOT NULL CHECK (kind IN ('sale', 'quote')),
    product_id   uuid NOT NULL,
    location_id  uuid NOT NULL,
    quantity     numeric(18,6) NOT NULL CHECK (quantity > 0),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, document_id, product_id),
    -- While a document holds it back its lines name the product, which keeps it from being deleted.
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, product_id, location_id)
        REFERENCES stock.location_level (tenant_id, product_id, location_id) ON DELETE CASCADE
);
ALTER TABLE stock.reservation ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX reservation_level_idx ON stock.reservation (tenant_id, product_id, location_id) WHERE product_id IS NOT NULL;
CREATE INDEX reservation_expires_idx ON stock.reservation (tenant_id, expires_at) WHERE expires_at IS NOT NULL;
CALL stock.secure_table('stock.reservation', 'SELECT, INSERT, DELETE');

CREATE OR REPLACE VIEW stock.cache_never WITH (security_invoker = true) AS
SELECT v.relation, v.reason FROM (VALUES
    ('cache_outbox', 'the cache''s own'),
    ('cache_log', 'the cache''s own'),
    ('audit_log', 'read from the database by its owner alone'),
    ('document_counter', 'read where a number is taken'),
    ('idempotency_record', 'read where a key is taken'),
    ('domain_event', 'a stream, read by its place'),
    ('import_job', 'read by the import'),
    ('import_row', 'read by the import'),
    ('cash_session', 'read from the database by whoever stands before the drawer'),
    ('cash_entry', 'a part of its session'),
    ('register_day', 'sums of the ledger, which retires what is made of them'),
    ('product_day', 'sums of lines of sales and returns, which retire what is made of them'),
    ('tax_day', 'sums of lines of sales and returns, which retire what is made of them'),
    ('stock_value_day', 'sums of levels, which retire what is made of them'),
    ('sums_state', 'tells which sums to read, and changes none of them'),
    ('reservation', 'shown by levels, which are changed with it')
) AS v (relation, reason);

-- What of a level is held back now: what is past its time does not count, whether it was swept or not. Said to cost little, or
-- can_move would not be put inline where this stands in it, which each sale would pay for.
CREATE FUNCTION stock.reserved_now(p_product uuid, p_location uuid) RETURNS numeric
LANGUAGE plpgsql STABLE COST 1
SET enable_seqscan = off AS $$
BEGIN
    RETURN (SELECT coalesce(sum(r.quantity), 0) FROM stock.reservation r
            WHERE r.tenant_id = stock.current_tenant() AND r.product_id = p_product AND r.location_id = p_location
              AND r.expires_at > now());
END
$$;

-- Begins the level of a product at a place where it has none, and says whether it had not. Whoever asks holds the product's.
CREATE FUNCTION stock.level_begun(p_product uuid, p_location uuid) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO stock.location_level (tenant_id, product_id, location_id, floor, name_key, archived)
    SELECT l.tenant_id, l.product_id, p_location, CASE WHEN l.bounded OR p_location = stock.transit_location() THEN 0 END,
           l.name_key, l.archived
    FROM stock.stock_level l WHERE l.tenant_id = stock.current_tenant() AND l.product_id = p_product
    ON CONFLICT (tenant_id, product_id, location_id) DO NOTHING;
    RETURN FOUND;
END
$$;

-- Goods that leave ---------------------------------------------------------------------------------------------------

-- What is sold, carried away or sent back leaves what is reserved. What was counted, lost or put right is so, whatever somebody
-- was promised: it heeds floors alone.
CALL stock.amend('move_stock', E')\n RETURNS TABLE(product_id', E', p_heeds_reservations boolean DEFAULT true)\n RETURNS TABLE(product_id');
DROP FUNCTION stock.move_stock(stock.move[], boolean);
CALL stock.amend('move_stock', 'stock.can_move(n.on_hand, n.floor, a.quantity, p_heeds_floors)',
    $$stock.can_move(n.on_hand, n.floor + CASE WHEN p_heeds_reservations AND n.reserved > 0
                                                     THEN stock.reserved_now(n.product_id, n.location_id) ELSE 0 END,
                               a.quantity, p_heeds_floors)$$);
CALL stock.amend('move_stock', 'stock.can_move(l.on_hand, l.floor, v_sum.quantity, p_heeds_floors)',
    $$stock.can_move(l.on_hand, l.floor + CASE WHEN p_heeds_reservations AND l.reserved > 0
                                                       THEN stock.reserved_now(l.product_id, l.location_id) ELSE 0 END,
                                 v_sum.quantity, p_heeds_floors)$$);
CALL stock.amend('move_stock', $$                INSERT INTO stock.location_level (tenant_id, product_id, location_id, floor, name_key, archived)
                VALUES (v_tenant, v_sum.product_id, v_sum.location_id,
                        CASE WHEN v_level.bounded OR v_sum.location_id = v_transit THEN 0 END, v_level.name_key,
                        v_level.archived)
                ON CONFLICT (tenant_id, product_id, location_id) DO NOTHING;
                EXIT WHEN NOT FOUND;$$,
    '                EXIT WHEN NOT stock.level_begun(v_sum.product_id, v_sum.location_id);');
CALL stock.amend('move_stock', $$l.on_hand, l.in_transit, l.cost, l.stock_version, l.bounded, l.low_at, l.name_key, l.archived
            INTO$$, $$l.on_hand, l.stock_version
            INTO$$);

-- The lines that a level has not enough for, with what is asked for of it in all. Behind a move of the same unit, or under locks
-- of the levels.
DROP FUNCTION stock.stock_shortages(text, integer[], uuid[], uuid[], numeric[]);
CREATE FUNCTION stock.stock_shortages(
    p_path text, p_positions integer[], p_products uuid[], p_locations uuid[], p_quantities numeric[],
    p_heeds_reservations boolean
) RETURNS json
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(stock.shortage(p_path || w.place || '/quantity', w.product_id, w.wanted, l.on_hand, r.reserved)
                    ORDER BY w.place)
    INTO v_errors
    FROM (SELECT x.place, x.product_id, x.location_id,
                 sum(x.quantity) OVER (PARTITION BY x.product_id, x.location_id) AS wanted
          FROM unnest(p_positions, p_products, p_locations, p_quantities)
              AS x (place, product_id, location_id, quantity)) w
    JOIN stock.location_level l
        ON l.tenant_id = stock.current_tenant() AND l.product_id = w.product_id AND l.location_id = w.location_id,
    LATERAL (SELECT CASE WHEN p_heeds_reservations AND l.reserved > 0
                         THEN stock.reserved_now(l.product_id, l.location_id) ELSE 0 END AS reserved) r
    WHERE l.on_hand - w.wanted < l.floor + r.reserved
      -- A level that this unit has moved already could be served: it is no shortage.
      AND NOT EXISTS (SELECT FROM stock.stock_movement m
                      WHERE m.tenant_id = l.tenant_id AND m.product_id = l.product_id AND m.seq = l.last_seq
                        AND m.xmin = pg_current_xact_id()::xid);
    RETURN coalesce(v_errors, '[]');
END
$$;

-- One line that there is not enough for.
CREATE FUNCTION stock.shortage(p_pointer text, p_product uuid, p_wanted numeric, p_on_hand numeric, p_reserved numeric)
RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_available text := stock.quantity_text(greatest(0, p_on_hand - p_reserved));
BEGIN
    RETURN json_build_object(
        'pointer', p_pointer, 'code', 'insufficient_stock',
        'detail', format('%s asked for, %s available.', stock.quantity_text(p_wanted), v_available),
        'product_id', p_product, 'requested', stock.quantity_text(p_wanted), 'available', v_available,
        'on_hand', stock.quantity_text(p_on_hand), 'reserved', stock.quantity_text(p_reserved));
END
$$;

-- Refuses moves that a level can not take, by line; p_heeds_reservations as it was moved by.
DROP FUNCTION stock.refuse_moves(text, integer[], uuid[], uuid[], numeric[]);
CREATE FUNCTION stock.refuse_moves(
    p_path text, p_positions integer[], p_products uuid[], p_locations uuid[], p_quantities numeric[],
    p_heeds_reservations boolean DEFAULT true
) RETURNS void
LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_positions integer[];
    v_products  uuid[];
    v_locations uuid[];
    v_wanted    numeric[];
    v_errors    json;
BEGIN
    -- Nobody changes them while they are told.
    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = stock.current_tenant() AND l.product_id = ANY (p_products)
    ORDER BY l.product_id FOR NO KEY UPDATE;
    PERFORM stock.refuse_overflow(p_path, p_positions, p_products, p_locations, p_quantities);
    SELECT array_agg(w.place), array_agg(w.product_id), array_agg(w.location_id), array_agg(-w.quantity)
    INTO v_positions, v_products, v_locations, v_wanted
    FROM unnest(p_positions, p_products, p_locations, p_quantities) AS w (place, product_id, location_id, quantity)
    WHERE w.quantity < 0;
    v_errors := stock.stock_shortages(p_path, v_positions, v_products, v_locations, v_wanted, p_heeds_reservations);
    IF json_array_length(v_errors) = 0 THEN
        -- Somebody has put back what was missing, between two statements.
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'levels_changed';
    END IF;
    PERFORM stock.refuse('insufficient_stock', 'There is not enough stock.', v_errors);
END
$$;

-- What was put right, lost or counted.
CALL stock.amend('stock_record', $$AS w (id, product_id, location_id, kind, quantity, cost, reason)));$$,
    $$AS w (id, product_id, location_id, kind, quantity, cost, reason)), p_heeds_reservations => false);$$);
CALL stock.amend('stock_record', 'v_products, v_locations, p_quantities);
    END IF;
    INSERT', 'v_products, v_locations, p_quantities, false);
    END IF;
    INSERT');
CALL stock.amend('count_close', 'AS w (id, product_id, difference)));',
    'AS w (id, product_id, difference)), p_heeds_reservations => false);');
CALL stock.amend('count_close', 'array_fill(v_location, ARRAY[cardinality(v_products)]), v_differences);',
    'array_fill(v_location, ARRAY[cardinality(v_products)]), v_differences, false);');

-- What a cart that is only priced would be refused for.
CREATE OR REPLACE FUNCTION stock.cart_shortages(p_location uuid, p_products uuid[], p_quantities numeric[]) RETURNS json
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(stock.shortage('/lines/' || w.n - 1 || '/quantity', w.product_id, w.wanted, h.on_hand, h.reserved)
                    ORDER BY w.n)
    INTO v_errors
    FROM (SELECT x.n, x.product_id, sum(x.quantity) OVER (PARTITION BY x.product_id) AS wanted
          FROM unnest(p_products, p_quantities) WITH ORDINALITY AS x (product_id, quantity, n)) w,
    LATERAL (SELECT o.bounded FROM stock.stock_level o
             WHERE o.tenant_id = stock.current_tenant() AND o.product_id = w.product_id OFFSET 0) l
    LEFT JOIN LATERAL (SELECT o.on_hand, o.floor, o.reserved FROM stock.location_level o
                       WHERE o.tenant_id = stock.current_tenant() AND o.product_id = w.product_id
                         AND o.location_id = p_location OFFSET 0) n ON true,
    LATERAL (SELECT coalesce(n.on_hand, 0) AS on_hand,
                    CASE WHEN n.reserved > 0 THEN stock.reserved_now(w.product_id, p_location) ELSE 0 END AS reserved) h
    WHERE l.bounded AND h.on_hand - w.wanted < coalesce(n.floor, 0) + h.reserved;
    RETURN coalesce(v_errors, '[]');
END
$$;

-- A fact that took what was promised to others is somebody's to look at, as one that took more than there was.
CALL stock.amend('fact_end', $$'detail', format('Of %s there is %s left.', coalesce(p.sku, p.name), stock.quantity_text(m.on_hand_after)))$$,
    $$'detail', format('Of %s there is %s left.', coalesce(p.sku, p.name), stock.quantity_text(m.on_hand_after))
                         || CASE WHEN r.reserved > 0
                                 THEN format(' %s is reserved.', stock.quantity_text(r.reserved)) ELSE '' END)$$);
CALL stock.amend('fact_end', $$ AND l.bounded AND m.on_hand_after < 0;$$, $$ AND l.bounded AND m.on_hand_after < r.reserved;$$);
CALL stock.amend('fact_end', $$    LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = m.product_id OFFSET 0) p
$$, $$    LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = m.product_id OFFSET 0) p,
    LATERAL (SELECT CASE WHEN o.reserved > 0 THEN stock.reserved_now(o.product_id, o.location_id) ELSE 0 END AS reserved
             FROM stock.location_level o
             WHERE o.tenant_id = v_tenant AND o.product_id = m.product_id AND o.location_id = m.location_id OFFSET 0) r
$$);

-- Reserving -----------------------------------------------------------------------------------------------------------

-- Lets go of what documents hold back until p_until or earlier, and tells which did, with the products. Whoever asks holds the
-- documents, or they are past their time.
CREATE FUNCTION stock.unreserve(p_documents uuid[], p_until timestamptz DEFAULT 'infinity')
RETURNS TABLE (document_id uuid, kind text, products uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_products uuid[];
    v_gone     stock.reservation[];
    v_goods    record;
BEGIN
    v_products := ARRAY(SELECT r.product_id FROM stock.reservation r
                        WHERE r.tenant_id = v_tenant AND r.document_id = ANY (p_documents));
    IF cardinality(v_products) = 0 THEN
        RETURN;
    END IF;
    -- In the order of whoever moves goods; behind them nobody writes or deletes a reservation of these products.
    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = v_tenant AND l.product_id = ANY (v_products)
    ORDER BY l.product_id FOR NO KEY UPDATE;
    WITH gone AS (
        DELETE FROM stock.reservation r
        WHERE r.tenant_id = v_tenant AND r.document_id = ANY (p_documents) AND r.expires_at <= p_until
        RETURNING r
    )
    SELECT array_agg(g.r) INTO v_gone FROM gone g;
    FOR v_goods IN
        SELECT g.product_id, g.location_id, sum(g.quantity) AS quantity FROM unnest(v_gone) g
        GROUP BY g.product_id, g.location_id ORDER BY g.product_id, g.location_id
    LOOP
        UPDATE stock.location_level l SET reserved = l.reserved - v_goods.quantity, updated_at = now()
        WHERE l.tenant_id = v_tenant AND l.product_id = v_goods.product_id AND l.location_id = v_goods.location_id;
        UPDATE stock.stock_level l SET reserved = l.reserved - v_goods.quantity, updated_at = now()
        WHERE l.tenant_id = v_tenant AND l.product_id = v_goods.product_id;
    END LOOP;
    RETURN QUERY SELECT g.document_id, min(g.kind), array_agg(g.product_id ORDER BY g.product_id)
    FROM unnest(v_gone) g GROUP BY g.document_id;
END
$$;

-- Has a document hold back these goods at a place until a time, in place of what it held back, and says until when it does: NULL
-- if p_until is, or if no stock of them is tracked. Whoever asks holds the document. More than is available is refused by line,
-- as a sale is.
CREATE FUNCTION stock.reserve(
    p_document uuid, p_kind text, p_location uuid, p_products uuid[], p_quantities numeric[], p_until timestamptz
) RETURNS timestamptz
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_tracked uuid[];
    v_asked   numeric[];
BEGIN
    IF p_until IS NOT NULL THEN
        SELECT array_agg(g.product_id ORDER BY g.product_id), array_agg(g.quantity ORDER BY g.product_id)
        INTO v_tracked, v_asked
        FROM (SELECT w.product_id, sum(w.quantity) AS quantity FROM unnest(p_products, p_quantities) AS w (product_id, quantity)
              GROUP BY w.product_id) g,
        LATERAL (SELECT FROM stock.product o
                 WHERE o.tenant_id = v_tenant AND o.id = g.product_id AND o.tracks_stock OFFSET 0) p;
    END IF;
    IF v_tracked IS NULL THEN
        PERFORM stock.unreserve(ARRAY[p_document]);
        RETURN NULL;
    END IF;
    -- At once and in their order, what is let go of with what is taken.
    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = v_tenant
      AND l.product_id = ANY (v_tracked || ARRAY(SELECT r.product_id FROM stock.reservation r
                                                 WHERE r.tenant_id = v_tenant AND r.document_id = p_document))
    ORDER BY l.product_id FOR NO KEY UPDATE;
    PERFORM stock.unreserve(ARRAY[p_document]);
    FOR v_n IN 1 .. cardinality(v_tracked) LOOP
        LOOP
            UPDATE stock.location_level l SET reserved = l.reserved + v_asked[v_n], updated_at = now()
            WHERE l.tenant_id = v_tenant AND l.product_id = v_tracked[v_n] AND l.location_id = p_location
              AND stock.can_move(l.on_hand, l.floor + CASE WHEN l.reserved > 0
                                                           THEN stock.reserved_now(l.product_id, l.location_id) ELSE 0 END,
                                 -v_asked[v_n], true);
            EXIT WHEN FOUND OR NOT stock.level_begun(v_tracked[v_n], p_location);
        END LOOP;
        IF NOT FOUND THEN
            PERFORM stock.refuse_moves('/lines/', ARRAY(SELECT generate_series(0, cardinality(p_products) - 1)), p_products,
                                       array_fill(p_location, ARRAY[cardinality(p_products)]),
                                       ARRAY(SELECT -q.quantity FROM unnest(p_quantities) WITH ORDINALITY AS q (quantity, n)
                                             ORDER BY q.n));
        END IF;
        UPDATE stock.stock_level l SET reserved = l.reserved + v_asked[v_n], updated_at = now()
        WHERE l.tenant_id = v_tenant AND l.product_id = v_tracked[v_n];
    END LOOP;
    -- Behind the levels, so that what was asked of them did not count what is asked for.
    INSERT INTO stock.reservation (tenant_id, document_id, kind, product_id, location_id, quantity, expires_at)
    SELECT v_tenant, p_document, p_kind, w.product_id, p_location, w.quantity, p_until
    FROM unnest(v_tracked, v_asked) AS w (product_id, quantity);
    RETURN p_until;
END
$$;

-- Has a draft hold back its goods anew, from now on.
CREATE FUNCTION stock.reserve_draft(p_sale uuid, p_location uuid, p_products uuid[], p_quantities numeric[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_until  timestamptz;
BEGIN
    v_until := stock.reserve(p_sale, 'sale', p_location, p_products, p_quantities, (
        SELECT now() + make_interval(mins => t.draft_reservation_minutes) FROM stock.tenant t WHERE t.id = v_tenant));
    UPDATE stock.sale s SET reserved_until = v_until
    WHERE s.tenant_id = v_tenant AND s.id = p_sale AND s.reserved_until IS DISTINCT FROM v_until;
END
$$;
CALL stock.amend('sale_draft', 'p_document_discounts, p_taxes, p_totals, p_parts, p_draft IS NOT NULL);',
    'p_document_discounts, p_taxes, p_totals, p_parts, p_draft IS NOT NULL);
    PERFORM stock.reserve_draft(p_sale, v_register.location_id, p_products, p_quantities);');
CALL stock.amend('sale_discard', $$    UPDATE stock.sale s SET status = 'discarded', version$$,
    $$    PERFORM stock.unreserve(ARRAY[p_sale]);
    UPDATE stock.sale s SET status = 'discarded', reserved_until = NULL, version$$);

-- The customer takes it, while it holds: from now on its goods are held back, though not past its last day.
CREATE OR REPLACE FUNCTION stock.quote_accept(p_quote uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_quote      stock.quote := stock.quote_held(p_quote, NULL, NULL, '{sent}', true);
    v_products   uuid[];
    v_quantities numeric[];
    v_until      timestamptz;
BEGIN
    SELECT array_agg(l.product_id ORDER BY l.position), array_agg(l.quantity ORDER BY l.position)
    INTO v_products, v_quantities
    FROM stock.quote_line l WHERE l.tenant_id = v_quote.tenant_id AND l.quote_id = p_quote;
    v_until := stock.reserve(p_quote, 'quote', stock.place_of('quote', p_quote), v_products, v_quantities, (
        SELECT least(now() + make_interval(days => t.quote_reservation_days),
                     (v_quote.valid_until + 1)::timestamp AT TIME ZONE t.timezone)
        FROM stock.tenant t WHERE t.id = v_quote.tenant_id AND t.quote_reservation_days IS NOT NULL));
    UPDATE stock.quote q
    SET status = 'accepted', reserved_until = v_until, version = q.version + 1, updated_at = now()
    WHERE q.tenant_id = v_quote.tenant_id AND q.id = p_quote;
    PERFORM stock.quote_told('quote.accepted', p_quote, json_build_object('number', v_quote.number), p_user, now());
END
$$;
CALL stock.amend('quote_cancel', $$    UPDATE stock.quote q SET status = 'cancelled', version$$,
    $$    PERFORM stock.unreserve(ARRAY[p_quote]);
    UPDATE stock.quote q SET status = 'cancelled', reserved_until = NULL, version$$);

-- What is sold is no more held back; where levels are taken, which comes behind the customer's account.
CALL stock.amend('sale_confirm', $$    IF cardinality(p_moved) > 0 THEN
        SELECT count(*)$$, $$    IF cardinality(p_moved) > 0 THEN
        IF p_draft IS NOT NULL OR p_quote IS NOT NULL THEN
            PERFORM stock.unreserve(ARRAY[coalesce(p_quote, p_sale)]);
        END IF;
        SELECT count(*)$$);
CALL stock.amend('sale_confirm', 'approval_id = stock.current_approval(),',
    'approval_id = stock.current_approval(), reserved_until = NULL,');
CALL stock.amend('sale_confirm', $$SET status = 'accepted', sale_id = p_sale, version$$,
    $$SET status = 'accepted', sale_id = p_sale, reserved_until = NULL, version$$);

-- Sweeps what is past its time, so that levels show it as available, and tells of the documents. A step: of a hundred tenants at
-- most, those after p_after, and p_limit reservations. next_after: where the next step begins, NULL at the end; a tenant that has
-- more is met again.
CREATE FUNCTION stock.sweep_reservations(p_after bigint, p_limit integer, OUT next_after bigint, OUT swept integer)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_tenant    bigint;
    v_last      bigint := p_after;
    v_seen      integer := 0;
    v_documents uuid[];
BEGIN
    swept := 0;
    FOR v_tenant IN SELECT t.id FROM stock.tenant t WHERE t.id > p_after ORDER BY t.id LIMIT 100 LOOP
        PERFORM set_config('stock.tenant_id', v_tenant::text, true);
        v_documents := ARRAY(SELECT r.document_id FROM stock.reservation r
                             WHERE r.tenant_id = v_tenant AND r.expires_at <= now()
                             ORDER BY r.expires_at LIMIT p_limit - swept);
        IF cardinality(v_documents) > 0 THEN
            INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, occurred_at)
            SELECT v_tenant, CASE u.kind WHEN 'sale' THEN 'sale.reservation_expired' ELSE 'quote.reservation_expired' END,
                   u.document_id, json_build_object('products', u.products), now()
            FROM stock.unreserve(v_documents, now()) u;
        END IF;
        swept := swept + cardinality(v_documents);
        v_seen := v_seen + 1;
        IF swept >= p_limit THEN
            next_after := v_last;
            EXIT;
        END IF;
        v_last := v_tenant;
        IF v_seen = 100 THEN
            next_after := v_tenant;
        END IF;
    END LOOP;
    PERFORM set_config('stock.tenant_id', '', true);
END
$$;

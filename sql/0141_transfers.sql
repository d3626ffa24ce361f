-- Transfers: goods that are sent from one place to another, are in transit meanwhile, and come in parts; what does not arrive is
-- lost on the way, with a reason. They are worth the same all the time: no move says what they cost.

-- Movements of a transfer have a kind of their own.
CREATE OR REPLACE FUNCTION stock.stock_movement_is_sound(p_kind text, p_quantity numeric, p_unit_cost numeric) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN p_kind IN ('sale', 'sale_reversal', 'return', 'purchase', 'purchase_reversal', 'adjustment', 'loss', 'opening',
                      'count', 'transfer') AND p_quantity <> 0 AND p_unit_cost >= 0;
END
$$;

-- What is numbered: these, and what will be.
ALTER TABLE stock.document_counter
    DROP CONSTRAINT document_counter_kind_check,
    ADD CONSTRAINT document_counter_kind_check CHECK (kind IN ('sale', 'return', 'purchase', 'transfer'));

CREATE TABLE stock.transfer (
    tenant_id         bigint NOT NULL REFERENCES stock.tenant (id),
    id                uuid NOT NULL,
    -- The shop's default register counts transfers: they are nobody's till's. Given as it is sent.
    register_id       uuid,
    number            bigint,
    from_location_id  uuid NOT NULL,
    to_location_id    uuid NOT NULL,
    status            text NOT NULL DEFAULT 'draft'
                      CHECK (status IN ('draft', 'sent', 'partially_received', 'received', 'cancelled')),
    note              text CHECK (length(note) BETWEEN 0 AND 2000),
    user_id           uuid,
    sent_at           timestamptz,
    -- When the last of it came.
    received_at       timestamptz,
    version           bigint NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, from_location_id) REFERENCES stock.location (tenant_id, id),
    FOREIGN KEY (tenant_id, to_location_id) REFERENCES stock.location (tenant_id, id),
    FOREIGN KEY (tenant_id, register_id) REFERENCES stock.register (tenant_id, id),
    CONSTRAINT transfer_places CHECK (from_location_id <> to_location_id),
    CONSTRAINT transfer_number CHECK ((number IS NOT NULL) = (status NOT IN ('draft', 'cancelled'))
                                      AND (register_id IS NULL) = (number IS NULL)
                                      AND (sent_at IS NULL) = (number IS NULL)),
    CONSTRAINT transfer_end CHECK ((received_at IS NOT NULL) = (status = 'received'))
);
ALTER TABLE stock.transfer ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX transfer_from_location_idx ON stock.transfer (tenant_id, from_location_id, id)
    WHERE from_location_id IS NOT NULL;
CREATE INDEX transfer_to_location_idx ON stock.transfer (tenant_id, to_location_id, id) WHERE to_location_id IS NOT NULL;
CREATE INDEX transfer_status_idx ON stock.transfer (tenant_id, status, id) WHERE status <> 'received';
CREATE UNIQUE INDEX transfer_register_idx ON stock.transfer (tenant_id, register_id, number) WHERE register_id IS NOT NULL;
CALL stock.secure_table('stock.transfer', 'SELECT, INSERT, UPDATE');
CALL stock.watch_table('stock.transfer', 'cache_touch', 'stock');

-- Lines in the order of their ids. SKU, name and unit are the product's as it was put on the transfer.
CREATE TABLE stock.transfer_line (
    tenant_id    bigint NOT NULL,
    transfer_id  uuid NOT NULL,
    id           uuid NOT NULL,
    product_id   uuid NOT NULL,
    sku          text,
    name         text NOT NULL,
    unit         text NOT NULL,
    quantity     numeric(18,6) NOT NULL CHECK (quantity > 0),
    received     numeric(18,6) NOT NULL DEFAULT 0 CHECK (received >= 0),
    lost         numeric(18,6) NOT NULL DEFAULT 0 CHECK (lost >= 0),
    PRIMARY KEY (tenant_id, transfer_id, id),
    FOREIGN KEY (tenant_id, transfer_id) REFERENCES stock.transfer (tenant_id, id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id),
    CONSTRAINT transfer_line_rest CHECK (received + lost <= quantity)
);
ALTER TABLE stock.transfer_line ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX transfer_line_product_idx ON stock.transfer_line (tenant_id, product_id) WHERE product_id IS NOT NULL;
CALL stock.secure_table('stock.transfer_line', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.transfer_line', 'cache_touch', 'stock');

-- Commands --------------------------------------------------------------------------------------------------------------

-- A transfer that is in one of these states, held.
CREATE FUNCTION stock.transfer_held(p_transfer uuid, p_states text[]) RETURNS stock.transfer
LANGUAGE plpgsql AS $$
DECLARE
    v_transfer stock.transfer;
BEGIN
    SELECT * INTO v_transfer FROM stock.transfer t
    WHERE t.tenant_id = stock.current_tenant() AND t.id = p_transfer FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such transfer.');
    ELSIF NOT (v_transfer.status = ANY (p_states)) THEN
        PERFORM stock.refuse_field('invalid_state', '/status', format('The transfer is %s.', replace(v_transfer.status, '_', ' ')));
    END IF;
    RETURN v_transfer;
END
$$;

-- Holds the two places of a transfer, and refuses what is no way between two open ones. Where one goes is the only other open
-- place, if it is not said.
CREATE FUNCTION stock.transfer_places(p_from uuid, p_to uuid, OUT from_location uuid, OUT to_location uuid)
LANGUAGE plpgsql AS $$
DECLARE
    v_others uuid[];
BEGIN
    from_location := stock.open_location(p_from, '/from_location_id');
    to_location := p_to;
    IF to_location IS NULL THEN
        v_others := ARRAY(SELECT l.id FROM stock.location l
                          WHERE l.tenant_id = stock.current_tenant() AND l.active AND l.kind <> 'transit'
                            AND l.id <> from_location LIMIT 2);
        IF cardinality(v_others) = 1 THEN
            to_location := v_others[1];
        ELSE
            PERFORM stock.refuse('validation_failed', 'Say to which location.',
                                 json_build_array(json_build_object('pointer', '/to_location_id', 'code', 'required',
                                                                    'detail', 'Say to which location.')));
        END IF;
    ELSIF to_location = from_location THEN
        PERFORM stock.refuse_field('validation_failed', '/to_location_id', 'The goods are there.');
    END IF;
    PERFORM stock.open_location(to_location, '/to_location_id');
END
$$;

-- What a transfer is to carry, in place of what it had.
CREATE FUNCTION stock.transfer_carry(p_transfer uuid, p_from uuid, p_lines uuid[], p_named uuid[], p_skus text[],
                                     p_quantities numeric[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_products uuid[];
BEGIN
    v_products := stock.goods_named('/lines/', '/quantity', p_named, p_skus, p_quantities,
                                    array_fill(p_from, ARRAY[cardinality(p_lines)]), 'The transfer is not valid.');
    DELETE FROM stock.transfer_line l WHERE l.tenant_id = v_tenant AND l.transfer_id = p_transfer;
    INSERT INTO stock.transfer_line (tenant_id, transfer_id, id, product_id, sku, name, unit, quantity)
    SELECT v_tenant, p_transfer, w.id, p.id, p.sku, p.name, u.symbol, w.quantity
    FROM unnest(p_lines, v_products, p_quantities) AS w (id, product_id, quantity),
    LATERAL (SELECT o.id, o.sku, o.name, o.unit_id FROM stock.product o
             WHERE o.tenant_id = v_tenant AND o.id = w.product_id OFFSET 0) p,
    LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u;
END
$$;

CREATE FUNCTION stock.transfer_draft(p_transfer uuid, p_from uuid, p_to uuid, p_note text, p_user uuid, p_lines uuid[],
                                     p_named uuid[], p_skus text[], p_quantities numeric[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_places record := stock.transfer_places(p_from, p_to);
BEGIN
    INSERT INTO stock.transfer (tenant_id, id, from_location_id, to_location_id, note, user_id)
    VALUES (stock.current_tenant(), p_transfer, v_places.from_location, v_places.to_location, p_note, p_user);
    PERFORM stock.transfer_carry(p_transfer, v_places.from_location, p_lines, p_named, p_skus, p_quantities);
END
$$;

-- Changes a draft of one of these versions (NULL: of any). p_from, p_to, p_lines NULL: as before.
CREATE FUNCTION stock.transfer_change(p_transfer uuid, p_versions bigint[], p_from uuid, p_to uuid, p_sets_note boolean,
                                      p_note text, p_lines uuid[], p_named uuid[], p_skus text[], p_quantities numeric[])
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_transfer stock.transfer := stock.transfer_held(p_transfer, '{draft,sent,partially_received,received,cancelled}');
    v_places   record;
BEGIN
    IF NOT (v_transfer.version = ANY (p_versions)) THEN
        PERFORM stock.refuse('version_mismatch', 'The transfer was changed meanwhile. Read it again.');
    END IF;
    v_transfer := stock.transfer_held(p_transfer, '{draft}');
    v_places := stock.transfer_places(coalesce(p_from, v_transfer.from_location_id),
                                      coalesce(p_to, v_transfer.to_location_id));
    UPDATE stock.transfer t
    SET from_location_id = v_places.from_location, to_location_id = v_places.to_location,
        note = CASE WHEN p_sets_note THEN p_note ELSE t.note END, version = t.version + 1, updated_at = now()
    WHERE t.tenant_id = v_transfer.tenant_id AND t.id = p_transfer;
    IF p_lines IS NOT NULL THEN
        PERFORM stock.transfer_carry(p_transfer, v_places.from_location, p_lines, p_named, p_skus, p_quantities);
    END IF;
END
$$;

-- The goods leave, into what is in transit.
CREATE FUNCTION stock.transfer_send(p_transfer uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant     bigint := stock.current_tenant();
    v_transfer   stock.transfer := stock.transfer_held(p_transfer, '{draft}');
    v_moment     record;
    v_products   uuid[];
    v_coming     numeric[];
    v_leaving    numeric[];
    v_from       uuid[];
    v_transit    uuid[];
    v_moved      bigint;
    v_register   uuid;
    v_number     bigint;
BEGIN
    PERFORM stock.transfer_places(v_transfer.from_location_id, v_transfer.to_location_id);
    v_moment := stock.moment(NULL);
    PERFORM stock.cache_touch_modules(v_tenant, '{stock,products,dashboard,reports}');
    SELECT array_agg(l.product_id ORDER BY l.id), array_agg(l.quantity ORDER BY l.id),
           array_agg(-l.quantity ORDER BY l.id), array_agg(v_transfer.from_location_id), array_agg(stock.transit_location())
    INTO v_products, v_coming, v_leaving, v_from, v_transit
    FROM stock.transfer_line l WHERE l.tenant_id = v_tenant AND l.transfer_id = p_transfer;
    SELECT count(*) INTO v_moved FROM stock.move_stock(ARRAY(
        SELECT ROW(w.id, w.product_id, 'transfer', w.quantity, NULL, NULL, 'transfer', p_transfer, p_user,
                   v_moment.occurred_at, v_moment.business_day, w.location_id)::stock.move
        FROM unnest(stock.new_ids(2 * cardinality(v_products)), v_products || v_products, v_leaving || v_coming,
                    v_from || v_transit) AS w (id, product_id, quantity, location_id)));
    IF v_moved < 2 * cardinality(v_products) THEN
        PERFORM stock.refuse_moves('/lines/', ARRAY(SELECT generate_series(0, cardinality(v_products) - 1)), v_products,
                                   v_from, v_leaving);
    END IF;
    SELECT g.id INTO v_register FROM stock.register g WHERE g.tenant_id = v_tenant AND g.is_default;
    v_number := stock.document_number(v_register, 'transfer');
    UPDATE stock.transfer t
    SET status = 'sent', register_id = v_register, number = v_number, sent_at = v_moment.occurred_at,
        version = t.version + 1, updated_at = now()
    WHERE t.tenant_id = v_tenant AND t.id = p_transfer;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'transfer.sent', p_transfer, json_build_object('number', v_number), p_user, v_moment.occurred_at);
END
$$;

-- Some of what is in transit comes, or is lost; without lines all that is left comes.
CREATE FUNCTION stock.transfer_receive(p_transfer uuid, p_lines uuid[], p_received numeric[], p_lost numeric[],
                                       p_reasons text[], p_user uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_transfer stock.transfer := stock.transfer_held(p_transfer, '{sent,partially_received}');
    v_moment   record;
    v_errors   json;
    v_lines    uuid[] := p_lines;
    v_received numeric[] := p_received;
    v_lost     numeric[] := p_lost;
    v_reasons  text[] := p_reasons;
    v_moves    stock.move[];
    v_moved    bigint;
    v_is_done  boolean;
BEGIN
    v_moment := stock.moment(NULL);
    PERFORM stock.open_location(v_transfer.to_location_id, '/to_location_id');
    IF cardinality(p_lines) = 0 THEN
        SELECT array_agg(l.id ORDER BY l.id), array_agg(l.quantity - l.received - l.lost ORDER BY l.id),
               array_agg(0 ORDER BY l.id), array_agg(NULL::text)
        INTO v_lines, v_received, v_lost, v_reasons
        FROM stock.transfer_line l
        WHERE l.tenant_id = v_tenant AND l.transfer_id = p_transfer AND l.received + l.lost < l.quantity;
    END IF;

    SELECT json_agg(json_build_object('pointer', '/lines/' || e.place - 1 || e.field, 'code', e.code, 'detail', e.sentence)
                    ORDER BY e.place)
    INTO v_errors
    FROM (
        SELECT w.place, v.field, v.code, v.sentence
        FROM (SELECT n.*, row_number() OVER (PARTITION BY n.id ORDER BY n.place) AS copy
              FROM unnest(v_lines, v_received, v_lost, v_reasons) WITH ORDINALITY
                  AS n (id, received, lost, reason, place)) w
        LEFT JOIN LATERAL (
            SELECT o.product_id, o.quantity - o.received - o.lost AS rest FROM stock.transfer_line o
            WHERE o.tenant_id = v_tenant AND o.transfer_id = p_transfer AND o.id = w.id OFFSET 0) l ON true
        LEFT JOIN LATERAL (
            SELECT o.unit_id FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = l.product_id OFFSET 0) p ON true
        LEFT JOIN LATERAL (
            SELECT o.decimals FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u ON true,
        LATERAL (VALUES
            (l.product_id IS NULL, '/line_id', 'validation_failed', 'There is no such line.'),
            (w.copy > 1, '/line_id', 'validation_failed', 'The line is named twice.'),
            (w.received + w.lost = 0, '/quantity', 'out_of_range', 'Nothing comes and nothing is lost.'),
            (w.received + w.lost > l.rest, '/quantity', 'out_of_range',
             format('%s asked for, %s in transit.', stock.quantity_text(w.received + w.lost), stock.quantity_text(l.rest))),
            (min_scale(w.received) > u.decimals, '/quantity', 'quantity_precision',
             format('The unit allows %s decimals.', u.decimals)),
            (min_scale(w.lost) > u.decimals, '/lost', 'quantity_precision',
             format('The unit allows %s decimals.', u.decimals)),
            (w.lost > 0 AND w.reason IS NULL, '/reason', 'required', 'Say why it is lost.')
        ) AS v (holds, field, code, sentence)
        WHERE v.holds
    ) e;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'This can not be received.', v_errors);
    END IF;

    PERFORM stock.cache_touch_modules(v_tenant, '{stock,products,dashboard,reports}');
    SELECT array_agg(ROW(NULL, l.product_id, s.kind, s.quantity, NULL, s.reason, 'transfer', p_transfer, p_user,
                         v_moment.occurred_at, v_moment.business_day, s.location_id)::stock.move ORDER BY s.step, w.place)
    INTO v_moves
    FROM unnest(v_lines, v_received, v_lost, v_reasons) WITH ORDINALITY AS w (id, received, lost, reason, place),
    LATERAL (SELECT o.product_id FROM stock.transfer_line o
             WHERE o.tenant_id = v_tenant AND o.transfer_id = p_transfer AND o.id = w.id OFFSET 0) l,
    LATERAL (VALUES (1, 'transfer', -w.received, stock.transit_location(), NULL),
                    (2, 'loss', -w.lost, stock.transit_location(), w.reason),
                    (3, 'transfer', w.received, v_transfer.to_location_id, NULL))
        AS s (step, kind, quantity, location_id, reason)
    WHERE s.quantity <> 0;
    SELECT count(*) INTO v_moved FROM stock.move_stock(ARRAY(
        SELECT ROW(i.id, m.product_id, m.kind, m.quantity, m.cost, m.reason, m.ref_type, m.ref_id, m.user_id,
                   m.occurred_at, m.business_day, m.location_id)::stock.move
        FROM unnest(stock.new_ids(cardinality(v_moves))) WITH ORDINALITY AS i (id, place)
        JOIN unnest(v_moves) WITH ORDINALITY
            AS m (id, product_id, kind, quantity, cost, reason, ref_type, ref_id, user_id, occurred_at, business_day,
                  location_id, place) USING (place)
        ORDER BY i.place));
    IF v_moved < (SELECT count(DISTINCT (m.product_id, m.location_id)) FROM unnest(v_moves) m) THEN
        PERFORM stock.refuse_moves('/lines/', array_agg(0), array_agg(m.product_id), array_agg(m.location_id),
                                   array_agg(m.quantity)) FROM unnest(v_moves) m;
    END IF;
    UPDATE stock.transfer_line l SET received = l.received + w.received, lost = l.lost + w.lost
    FROM unnest(v_lines, v_received, v_lost) AS w (id, received, lost)
    WHERE l.tenant_id = v_tenant AND l.transfer_id = p_transfer AND l.id = w.id;
    v_is_done := NOT EXISTS (SELECT FROM stock.transfer_line l
                             WHERE l.tenant_id = v_tenant AND l.transfer_id = p_transfer
                               AND l.received + l.lost < l.quantity);
    UPDATE stock.transfer t
    SET status = CASE WHEN v_is_done THEN 'received' ELSE 'partially_received' END,
        received_at = CASE WHEN v_is_done THEN v_moment.occurred_at END, version = t.version + 1, updated_at = now()
    WHERE t.tenant_id = v_tenant AND t.id = p_transfer;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'transfer.received', p_transfer,
            json_build_object('number', v_transfer.number, 'complete', v_is_done), p_user, v_moment.occurred_at);
END
$$;

CREATE FUNCTION stock.transfer_cancel(p_transfer uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_transfer stock.transfer := stock.transfer_held(p_transfer, '{draft}');
BEGIN
    UPDATE stock.transfer t SET status = 'cancelled', version = t.version + 1, updated_at = now()
    WHERE t.tenant_id = v_transfer.tenant_id AND t.id = p_transfer;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, user_id)
    VALUES (v_transfer.tenant_id, 'transfer.cancelled', p_transfer, p_user);
END
$$;

-- Showing ---------------------------------------------------------------------------------------------------------------

-- A transfer without its lines, as lists show it.
CREATE FUNCTION stock.transfer_summary(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT t.id, t.number, t.from_location_id, t.to_location_id, t.status, t.note, t.user_id,
               stock.rfc3339(t.sent_at) AS sent_at, stock.rfc3339(t.received_at) AS received_at, t.version,
               stock.rfc3339(t.created_at) AS created_at, stock.rfc3339(t.updated_at) AS updated_at
        FROM stock.transfer t WHERE t.tenant_id = p_tenant AND t.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.transfer_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
BEGIN
    RETURN rtrim(stock.transfer_summary(p_tenant, p_id), '}') || ',"lines":' || (
        SELECT coalesce(json_agg(json_build_object(
                   'id', l.id, 'product_id', l.product_id, 'sku', l.sku, 'name', l.name, 'unit', l.unit,
                   'quantity', stock.quantity_text(l.quantity), 'received', stock.quantity_text(l.received),
                   'lost', stock.quantity_text(l.lost)) ORDER BY l.id), '[]')::text
        FROM stock.transfer_line l WHERE l.tenant_id = p_tenant AND l.transfer_id = p_id) || '}';
END
$$;

-- Transfers, the last made first, those before p_before; at a place are those that leave it or come there.
CREATE FUNCTION stock.transfer_page(p_status text, p_location uuid, p_before uuid, p_count integer)
RETURNS TABLE (id uuid, created_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_before uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
BEGIN
    IF p_status <> 'received' THEN
        RETURN QUERY
        SELECT t.id, t.created_at FROM stock.transfer t
        WHERE t.tenant_id = v_tenant AND t.status = p_status AND t.status <> 'received' AND t.id < v_before
          AND (p_location IS NULL OR p_location IN (t.from_location_id, t.to_location_id))
        ORDER BY t.id DESC LIMIT p_count;
    ELSIF p_location IS NOT NULL THEN
        RETURN QUERY
        SELECT w.id, w.created_at
        FROM ((SELECT t.id, t.created_at FROM stock.transfer t
               WHERE t.tenant_id = v_tenant AND t.from_location_id = p_location AND t.id < v_before
                 AND (p_status IS NULL OR t.status = p_status)
               ORDER BY t.id DESC LIMIT p_count)
              UNION ALL
              (SELECT t.id, t.created_at FROM stock.transfer t
               WHERE t.tenant_id = v_tenant AND t.to_location_id = p_location AND t.id < v_before
                 AND (p_status IS NULL OR t.status = p_status)
               ORDER BY t.id DESC LIMIT p_count)) w
        ORDER BY w.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT t.id, t.created_at FROM stock.transfer t
        WHERE t.tenant_id = v_tenant AND t.id < v_before AND (p_status IS NULL OR t.status = p_status)
        ORDER BY t.id DESC LIMIT p_count;
    END IF;
END
$$;

-- Places and products that are named ----------------------------------------------------------------------------------------

-- A shop has one open place at least, and what goods are between places has one, which stays. A place where goods are, a till
-- stands, a count is open, or which a transfer names that has not ended, is not closed.
CREATE OR REPLACE FUNCTION stock.location_kept() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_errors json;
BEGIN
    IF TG_OP = 'INSERT' OR OLD.kind = 'transit' THEN
        IF TG_OP = 'DELETE' THEN
            PERFORM stock.refuse('in_use', 'What is in transit has one location, which stays.', '[]');
        ELSIF (NEW.kind = 'transit') <> (NEW.id = stock.transit_location()) OR NEW.kind = 'transit' AND NOT NEW.active THEN
            PERFORM stock.refuse_field('validation_failed', CASE WHEN NEW.active THEN '/kind' ELSE '/active' END,
                                       'What is in transit has one location, which stays.');
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.kind = 'transit' THEN
        PERFORM stock.refuse_field('validation_failed', '/kind', 'What is in transit has one location, which stays.');
    END IF;
    IF OLD.active AND (TG_OP = 'DELETE' OR NOT NEW.active) THEN
        -- One after the other: two must not close the last two.
        PERFORM FROM stock.tenant t WHERE t.id = OLD.tenant_id FOR NO KEY UPDATE;
        -- Whoever moves goods there holds the level, or the place if they are the first; who comes later sees that it is closed.
        PERFORM FROM stock.location l WHERE l.tenant_id = OLD.tenant_id AND l.id = OLD.id FOR UPDATE;
        PERFORM FROM stock.location_level n
        WHERE n.tenant_id = OLD.tenant_id AND n.location_id = OLD.id ORDER BY n.product_id FOR NO KEY UPDATE;
        SELECT json_agg(json_build_object('pointer', '/active', 'code', 'in_use', 'detail', w.sentence, w.name, w.id)
                        ORDER BY w.id)
        INTO v_errors
        FROM (SELECT 'count_id' AS name, c.id, format('The count %s is open there.', c.id) AS sentence
              FROM stock.stock_count c
              WHERE c.tenant_id = OLD.tenant_id AND c.status = 'open' AND c.status <> 'closed' AND c.location_id = OLD.id
              UNION ALL
              SELECT 'transfer_id', t.id, format('The transfer %s is %s.', coalesce(t.number::text, t.id::text),
                                                 replace(t.status, '_', ' '))
              FROM stock.transfer t
              WHERE t.tenant_id = OLD.tenant_id AND t.status IN ('draft', 'sent', 'partially_received')
                AND t.status <> 'received' AND OLD.id IN (t.from_location_id, t.to_location_id)
              UNION ALL
              SELECT 'purchase_id', p.id, format('The purchase %s is %s.', coalesce(p.number::text, p.id::text),
                                                 replace(p.status, '_', ' '))
              FROM stock.purchase p
              WHERE p.tenant_id = OLD.tenant_id AND p.location_id = OLD.id
                AND p.status IN ('draft', 'ordered', 'partially_received')) w;
        IF NOT EXISTS (SELECT FROM stock.location l
                       WHERE l.tenant_id = OLD.tenant_id AND l.id <> OLD.id AND l.active AND l.kind <> 'transit') THEN
            PERFORM stock.refuse('in_use', 'It is the only open location.', '[]');
        ELSIF EXISTS (SELECT FROM stock.register g
                      WHERE g.tenant_id = OLD.tenant_id AND g.location_id = OLD.id AND g.active) THEN
            PERFORM stock.refuse('in_use', 'A register stands there; move or retire it first.', '[]');
        ELSIF v_errors IS NOT NULL THEN
            PERFORM stock.refuse('in_use', 'Counts, transfers or purchases name it; end them first.', v_errors);
        ELSIF EXISTS (SELECT FROM stock.location_level n
                      WHERE n.tenant_id = OLD.tenant_id AND n.location_id = OLD.id AND n.on_hand <> 0) THEN
            PERFORM stock.refuse('in_use', 'There are goods; move or adjust them first.', '[]');
        END IF;
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;

-- Whether a document or a movement names the product, which fixes its unit and whether its stock is counted.
CREATE OR REPLACE FUNCTION stock.product_is_named(p_product uuid) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN EXISTS (SELECT FROM stock.stock_movement m WHERE m.tenant_id = v_tenant AND m.product_id = p_product)
        OR EXISTS (SELECT FROM stock.sale_line l WHERE l.tenant_id = v_tenant AND l.product_id = p_product)
        OR EXISTS (SELECT FROM stock.sale_return_line r WHERE r.tenant_id = v_tenant AND r.product_id = p_product)
        OR EXISTS (SELECT FROM stock.purchase_line b WHERE b.tenant_id = v_tenant AND b.product_id = p_product)
        OR EXISTS (SELECT FROM stock.stock_count_line c WHERE c.tenant_id = v_tenant AND c.product_id = p_product)
        OR EXISTS (SELECT FROM stock.transfer_line t WHERE t.tenant_id = v_tenant AND t.product_id = p_product);
END
$$;

-- Whether a quantity of a product that is sold by a unit has more decimals than these. A test holds the tables that are
-- asked here against the keys that name a product.
CREATE OR REPLACE FUNCTION stock.has_finer_quantity(p_unit uuid, p_decimals integer) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN EXISTS (
        SELECT FROM stock.product p
        WHERE p.tenant_id = v_tenant AND p.unit_id = p_unit
          AND (min_scale(p.min_stock) > p_decimals
               OR EXISTS (SELECT FROM stock.location_level n
                          WHERE n.tenant_id = v_tenant AND n.product_id = p.id AND min_scale(n.low_at) > p_decimals)
               OR EXISTS (SELECT FROM stock.stock_movement m
                          WHERE m.tenant_id = v_tenant AND m.product_id = p.id AND min_scale(m.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.sale_line l
                          WHERE l.tenant_id = v_tenant AND l.product_id = p.id AND min_scale(l.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.sale_return_line r
                          WHERE r.tenant_id = v_tenant AND r.product_id = p.id AND min_scale(r.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.purchase_line b
                          WHERE b.tenant_id = v_tenant AND b.product_id = p.id AND min_scale(b.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.stock_count_line c
                          WHERE c.tenant_id = v_tenant AND c.product_id = p.id AND min_scale(c.counted) > p_decimals)
               OR EXISTS (SELECT FROM stock.transfer_line t
                          WHERE t.tenant_id = v_tenant AND t.product_id = p.id
                            AND greatest(min_scale(t.quantity), min_scale(t.received), min_scale(t.lost)) > p_decimals)));
END
$$;

-- Counts: what is found at a place, product by product, is held against what should be there at that moment; closing a count
-- moves the differences. So whatever is sold between a line and the close stays right.

-- Goods that rows of a request name ------------------------------------------------------------------------------------

-- The products that rows name, as `product_ids` finds them; refuses every row whose goods can not be moved or counted where it
-- says, with pointers below p_path; p_field is the row's quantity.
CREATE FUNCTION stock.goods_named(p_path text, p_field text, p_named uuid[], p_skus text[], p_quantities numeric[],
                                  p_locations uuid[], p_sentence text) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_products uuid[] := stock.product_ids(p_named, p_skus);
    v_errors   json;
BEGIN
    SELECT json_agg(json_build_object('pointer', p_path || e.place || e.field, 'code', e.code, 'detail', e.sentence)
                    ORDER BY e.place)
    INTO v_errors
    FROM (
        SELECT w.place - 1 AS place, v.field, v.code, v.sentence
        FROM (SELECT n.*, row_number() OVER (PARTITION BY n.id, n.location_id ORDER BY n.place) AS copy
              FROM unnest(v_products, p_named, p_quantities, p_locations) WITH ORDINALITY
                  AS n (id, named, quantity, location_id, place)) w
        LEFT JOIN stock.product p ON p.tenant_id = v_tenant AND p.id = w.id
        LEFT JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = p.unit_id
        LEFT JOIN stock.location g ON g.tenant_id = v_tenant AND g.id = w.location_id AND g.active AND g.kind <> 'transit',
        LATERAL (VALUES
            (w.id IS NULL, CASE WHEN w.named IS NULL THEN '/sku' ELSE '/product_id' END, 'validation_failed',
             'There is no such product.'),
            (NOT p.tracks_stock, '/product_id', 'validation_failed', 'The product does not track stock.'),
            (w.copy > 1 AND w.id IS NOT NULL, '/product_id', 'validation_failed', 'The product is named twice.'),
            (w.location_id IS NULL, '/location_id', 'required', 'Say at which location.'),
            (w.location_id IS NOT NULL AND g.id IS NULL, '/location_id', 'validation_failed',
             'There is no such active location.'),
            (min_scale(w.quantity) > u.decimals, p_field, 'quantity_precision',
             format('The unit allows %s decimals.', u.decimals))
        ) AS v (holds, field, code, sentence)
        WHERE v.holds
    ) e;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse(
            CASE WHEN EXISTS (SELECT FROM json_array_elements(v_errors) AS x (e) WHERE x.e ->> 'code' <> 'quantity_precision')
                 THEN 'validation_failed' ELSE 'quantity_precision' END,
            p_sentence, v_errors);
    END IF;
    RETURN v_products;
END
$$;

-- Openings, adjustments and losses, one element per row of the request; a row names its product by id or by SKU, and its place
-- if there are several. Every refused row is named.
CREATE OR REPLACE FUNCTION stock.stock_record(
    p_movements uuid[], p_products uuid[], p_skus text[], p_kinds text[], p_quantities numeric[], p_reasons text[],
    p_costs numeric[], p_expected numeric[], p_user uuid, p_occurred_at timestamptz, p_locations uuid[]
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_moment record;
    v_products uuid[];
    v_locations uuid[];
    v_only uuid := stock.only_location();
    v_errors json;
    v_moved bigint;
BEGIN
    v_moment := stock.moment(p_occurred_at);
    v_locations := ARRAY(SELECT coalesce(n.location, v_only) FROM unnest(p_locations) WITH ORDINALITY AS n (location, place)
                         ORDER BY n.place);
    v_products := stock.goods_named('/movements/', '/quantity', p_products, p_skus, p_quantities, v_locations,
                                    'The movements can not be recorded.');

    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = v_tenant AND l.product_id = ANY (v_products)
    ORDER BY l.product_id FOR NO KEY UPDATE;

    SELECT json_agg(json_build_object(
               'pointer', '/movements/' || w.place - 1 || '/expect_on_hand', 'code', 'stock_changed',
               'detail', format('On hand is %s.', stock.quantity_text(coalesce(l.on_hand, 0))), 'product_id', w.id,
               'expected', stock.quantity_text(w.expected), 'on_hand', stock.quantity_text(coalesce(l.on_hand, 0))) ORDER BY w.place)
    INTO v_errors
    FROM unnest(v_products, v_locations, p_expected) WITH ORDINALITY AS w (id, location_id, expected, place)
    LEFT JOIN stock.location_level l
        ON l.tenant_id = v_tenant AND l.product_id = w.id AND l.location_id = w.location_id
    WHERE coalesce(l.on_hand, 0) <> w.expected;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('stock_changed', 'The stock on hand is not what was expected.', v_errors);
    END IF;

    SELECT json_agg(json_build_object(
               'pointer', '/movements/' || w.place - 1 || '/type', 'code', 'invalid_state',
               'detail', 'An opening must be the product''s first movement there.', 'product_id', w.id) ORDER BY w.place)
    INTO v_errors
    FROM unnest(v_products, v_locations, p_kinds) WITH ORDINALITY AS w (id, location_id, kind, place)
    JOIN stock.location_level l ON l.tenant_id = v_tenant AND l.product_id = w.id AND l.location_id = w.location_id
    WHERE w.kind = 'opening' AND l.last_seq > 0;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('invalid_state', 'An opening must be the product''s first movement there.', v_errors);
    END IF;

    SELECT count(*) INTO v_moved FROM stock.move_stock(ARRAY(
        SELECT ROW(w.id, w.product_id, w.kind, w.quantity, w.cost, w.reason, NULL, NULL, p_user, v_moment.occurred_at,
                   v_moment.business_day, w.location_id)::stock.move
        FROM unnest(p_movements, v_products, v_locations, p_kinds, p_quantities, p_costs, p_reasons)
            AS w (id, product_id, location_id, kind, quantity, cost, reason)));
    IF v_moved < cardinality(v_products) THEN
        PERFORM stock.refuse_moves('/movements/', ARRAY(SELECT generate_series(0, cardinality(v_products) - 1)),
                                   v_products, v_locations, p_quantities);
    END IF;
    INSERT INTO stock.domain_event (tenant_id, type, payload, user_id, occurred_at)
    VALUES (v_tenant, 'stock.adjusted', json_build_object('products', v_products), p_user, v_moment.occurred_at);
END
$$;

-- Counts ----------------------------------------------------------------------------------------------------------------

CREATE TABLE stock.stock_count (
    tenant_id    bigint NOT NULL REFERENCES stock.tenant (id),
    id           uuid NOT NULL,
    location_id  uuid NOT NULL,
    status       text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed', 'cancelled')),
    note         text CHECK (length(note) BETWEEN 0 AND 2000),
    user_id      uuid,
    -- When it was closed or cancelled, and by whom.
    ended_at     timestamptz,
    ended_by     uuid,
    version      bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, location_id) REFERENCES stock.location (tenant_id, id),
    CONSTRAINT stock_count_end CHECK ((ended_at IS NULL) = (status = 'open'))
);
ALTER TABLE stock.stock_count ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX stock_count_location_idx ON stock.stock_count (tenant_id, location_id, id) WHERE location_id IS NOT NULL;
CREATE INDEX stock_count_status_idx ON stock.stock_count (tenant_id, status, id) WHERE status <> 'closed';
CALL stock.secure_table('stock.stock_count', 'SELECT, INSERT, UPDATE');
CALL stock.watch_table('stock.stock_count', 'cache_touch', 'stock');

CREATE TABLE stock.stock_count_line (
    tenant_id     bigint NOT NULL,
    count_id      uuid NOT NULL,
    product_id    uuid NOT NULL,
    -- The count's place while it is open, NULL after: of a product one count at a time is open at a place.
    open_at       uuid,
    counted       numeric(18,6) NOT NULL CHECK (counted >= 0),
    -- What should have been there as it was counted.
    on_hand_seen  numeric(18,6) NOT NULL,
    difference    numeric(18,6) GENERATED ALWAYS AS (counted - on_hand_seen) STORED,
    user_id       uuid,
    counted_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, count_id, product_id),
    FOREIGN KEY (tenant_id, count_id) REFERENCES stock.stock_count (tenant_id, id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id)
);
ALTER TABLE stock.stock_count_line ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE UNIQUE INDEX stock_count_line_open_idx ON stock.stock_count_line (tenant_id, open_at, product_id)
    WHERE open_at IS NOT NULL;
CREATE INDEX stock_count_line_product_idx ON stock.stock_count_line (tenant_id, product_id) WHERE product_id IS NOT NULL;
CREATE INDEX stock_count_line_difference_idx ON stock.stock_count_line (tenant_id, count_id, product_id)
    WHERE difference <> 0;
CALL stock.secure_table('stock.stock_count_line', 'SELECT, INSERT, UPDATE');
CALL stock.watch_table('stock.stock_count_line', 'cache_touch', 'stock');

CREATE FUNCTION stock.count_open(p_count uuid, p_location uuid, p_note text, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.stock_count (tenant_id, id, location_id, note, user_id)
    VALUES (stock.current_tenant(), p_count, stock.open_location(p_location, '/location_id'), p_note, p_user);
END
$$;

-- The place of a count that is open, held: for whoever enters lines beside others, for whoever ends it alone.
CREATE FUNCTION stock.count_held(p_count uuid, p_ends boolean) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_count record;
BEGIN
    IF p_ends THEN
        SELECT c.location_id, c.status INTO v_count FROM stock.stock_count c
        WHERE c.tenant_id = stock.current_tenant() AND c.id = p_count FOR NO KEY UPDATE;
    ELSE
        SELECT c.location_id, c.status INTO v_count FROM stock.stock_count c
        WHERE c.tenant_id = stock.current_tenant() AND c.id = p_count FOR SHARE;
    END IF;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such count.');
    ELSIF v_count.status <> 'open' THEN
        PERFORM stock.refuse_field('invalid_state', '/status', format('The count is %s.', v_count.status));
    END IF;
    RETURN v_count.location_id;
END
$$;

-- Enters what was counted of each product; of one that was counted before, the last count is the one that holds.
CREATE FUNCTION stock.count_enter(p_count uuid, p_named uuid[], p_skus text[], p_counted numeric[], p_user uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_location uuid := stock.count_held(p_count, false);
    v_products uuid[];
    v_errors   json;
BEGIN
    v_products := stock.goods_named('/lines/', '/counted', p_named, p_skus, p_counted,
                                    array_fill(v_location, ARRAY[cardinality(p_named)]), 'The lines can not be entered.');
    SELECT json_agg(json_build_object(
               'pointer', '/lines/' || w.place - 1 || '/product_id', 'code', 'duplicate',
               'detail', format('It is being counted there by the count %s.', o.count_id), 'product_id', w.id,
               'count_id', o.count_id) ORDER BY w.place)
    INTO v_errors
    FROM unnest(v_products) WITH ORDINALITY AS w (id, place), LATERAL (
        SELECT l.count_id FROM stock.stock_count_line l
        WHERE l.tenant_id = v_tenant AND l.open_at = v_location AND l.product_id = w.id AND l.open_at IS NOT NULL
        OFFSET 0) o
    WHERE o.count_id <> p_count;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('duplicate', 'Another open count has these products there.', v_errors);
    END IF;
    INSERT INTO stock.stock_count_line AS c (tenant_id, count_id, product_id, open_at, counted, on_hand_seen, user_id)
    SELECT v_tenant, p_count, w.id, v_location, w.counted, coalesce(n.on_hand, 0), p_user
    FROM unnest(v_products, p_counted) AS w (id, counted)
    LEFT JOIN LATERAL (
        SELECT o.on_hand FROM stock.location_level o
        WHERE o.tenant_id = v_tenant AND o.product_id = w.id AND o.location_id = v_location OFFSET 0) n ON true
    ORDER BY w.id
    ON CONFLICT (tenant_id, count_id, product_id) DO UPDATE
    SET counted = excluded.counted, on_hand_seen = excluded.on_hand_seen, user_id = excluded.user_id, counted_at = now();
EXCEPTION WHEN unique_violation THEN
    -- Another count took one of them since it was looked for. Repeated, that is told.
    RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'Another count was first.';
END
$$;

-- Ends a count: its products may be counted anew.
CREATE FUNCTION stock.count_end(p_count uuid, p_status text, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock.stock_count_line l SET open_at = NULL
    WHERE l.tenant_id = stock.current_tenant() AND l.count_id = p_count;
    UPDATE stock.stock_count c
    SET status = p_status, ended_at = now(), ended_by = p_user, version = c.version + 1, updated_at = now()
    WHERE c.tenant_id = stock.current_tenant() AND c.id = p_count;
END
$$;

-- Moves what each line found more or less than should have been there. What has been sold since and would leave less than
-- nothing is refused: it is to be counted again.
CREATE FUNCTION stock.count_close(p_count uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant      bigint := stock.current_tenant();
    v_moment      record;
    v_location    uuid := stock.count_held(p_count, true);
    v_products    uuid[];
    v_differences numeric[];
    v_moved       bigint;
BEGIN
    v_moment := stock.moment(NULL);
    SELECT coalesce(array_agg(l.product_id ORDER BY l.product_id), '{}'),
           coalesce(array_agg(l.difference ORDER BY l.product_id), '{}')
    INTO v_products, v_differences
    FROM stock.stock_count_line l WHERE l.tenant_id = v_tenant AND l.count_id = p_count AND l.difference <> 0;
    IF cardinality(v_products) > 0 THEN
        PERFORM stock.cache_touch_modules(v_tenant, '{stock,products,dashboard,reports}');
        SELECT count(*) INTO v_moved FROM stock.move_stock(ARRAY(
            SELECT ROW(w.id, w.product_id, 'count', w.difference, NULL, NULL, 'count', p_count, p_user,
                       v_moment.occurred_at, v_moment.business_day, v_location)::stock.move
            FROM unnest(stock.new_ids(cardinality(v_products)), v_products, v_differences)
                AS w (id, product_id, difference)));
        IF v_moved < cardinality(v_products) THEN
            PERFORM stock.refuse_moves('/lines/', ARRAY(SELECT generate_series(0, cardinality(v_products) - 1)), v_products,
                                       array_fill(v_location, ARRAY[cardinality(v_products)]), v_differences);
        END IF;
    END IF;
    PERFORM stock.count_end(p_count, 'closed', p_user);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'stock.counted', p_count,
            json_build_object('location_id', v_location, 'differences', cardinality(v_products)), p_user,
            v_moment.occurred_at);
END
$$;

CREATE FUNCTION stock.count_cancel(p_count uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.count_held(p_count, true);
    PERFORM stock.count_end(p_count, 'cancelled', p_user);
END
$$;

CREATE FUNCTION stock.stock_count_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT c.id, c.location_id, c.status, c.note, c.user_id, stock.rfc3339(c.ended_at) AS ended_at, c.ended_by,
               c.version, stock.rfc3339(c.created_at) AS created_at, stock.rfc3339(c.updated_at) AS updated_at
        FROM stock.stock_count c WHERE c.tenant_id = p_tenant AND c.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.stock_count_line_body(p_tenant bigint, p_count uuid, p_product uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT l.product_id, p.sku, p.name, stock.quantity_text(l.counted) AS counted,
               stock.quantity_text(l.on_hand_seen) AS on_hand_seen, stock.quantity_text(l.difference) AS difference,
               l.user_id, stock.rfc3339(l.counted_at) AS counted_at
        FROM stock.stock_count_line l
        JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
        WHERE l.tenant_id = p_tenant AND l.count_id = p_count AND l.product_id = p_product
    ) r;
    RETURN v_body;
END
$$;

-- Counts, the last opened first, those before p_before.
CREATE FUNCTION stock.count_page(p_status text, p_location uuid, p_before uuid, p_count integer)
RETURNS TABLE (id uuid, created_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_before uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
BEGIN
    IF p_status <> 'closed' THEN
        RETURN QUERY
        SELECT c.id, c.created_at FROM stock.stock_count c
        WHERE c.tenant_id = v_tenant AND c.status = p_status AND c.status <> 'closed' AND c.id < v_before
          AND (p_location IS NULL OR c.location_id = p_location)
        ORDER BY c.id DESC LIMIT p_count;
    ELSIF p_location IS NOT NULL THEN
        RETURN QUERY
        SELECT c.id, c.created_at FROM stock.stock_count c
        WHERE c.tenant_id = v_tenant AND c.location_id = p_location AND c.id < v_before
          AND (p_status IS NULL OR c.status = p_status)
        ORDER BY c.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT c.id, c.created_at FROM stock.stock_count c
        WHERE c.tenant_id = v_tenant AND c.id < v_before AND (p_status IS NULL OR c.status = p_status)
        ORDER BY c.id DESC LIMIT p_count;
    END IF;
END
$$;

-- A count's lines by product, those after p_after; those alone that found something else than should have been there.
CREATE FUNCTION stock.count_line_page(p_count_id uuid, p_differs boolean, p_after uuid, p_count integer)
RETURNS TABLE (product_id uuid, counted_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_after  uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
BEGIN
    IF p_differs THEN
        RETURN QUERY
        SELECT l.product_id, l.counted_at FROM stock.stock_count_line l
        WHERE l.tenant_id = v_tenant AND l.count_id = p_count_id AND l.product_id > v_after AND l.difference <> 0
        ORDER BY l.product_id LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT l.product_id, l.counted_at FROM stock.stock_count_line l
        WHERE l.tenant_id = v_tenant AND l.count_id = p_count_id AND l.product_id > v_after
          AND (p_differs IS NULL OR l.difference = 0)
        ORDER BY l.product_id LIMIT p_count;
    END IF;
END
$$;

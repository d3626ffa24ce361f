-- Where goods are: branches and warehouses, and the way between them. A product's level stays one row, which now is the sum
-- over the places where it can be sold from, with what it costs; beside it lies a row for each place it has been at.
-- docs/decisions/0035-locations.md tells why.

-- Places --------------------------------------------------------------------------------------------------------------

-- Two of them every tenant has from the start, under the same ids, so that no row written before there were places had
-- to be written again.
CREATE FUNCTION stock.main_location() RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '00000000-0000-7000-8000-000000000001'::uuid;

-- What was sent and has not arrived. Only transfers move goods there and from there.
CREATE FUNCTION stock.transit_location() RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '00000000-0000-7000-8000-000000000002'::uuid;

CREATE TABLE stock.location (
    tenant_id    bigint NOT NULL REFERENCES stock.tenant (id),
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key     text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    code         text CHECK (length(code) BETWEEN 1 AND 50),
    kind         text NOT NULL DEFAULT 'branch' CHECK (kind IN ('branch', 'warehouse', 'transit')),
    address      text CHECK (length(address) BETWEEN 1 AND 500),
    active       boolean NOT NULL DEFAULT true,
    external_id  text CHECK (length(external_id) BETWEEN 1 AND 200),
    version      bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT location_transit CHECK ((kind = 'transit') = (id = '00000000-0000-7000-8000-000000000002'))
);
ALTER TABLE stock.location ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX location_name_idx ON stock.location (tenant_id, name_key, id);
CREATE UNIQUE INDEX location_name_key_idx ON stock.location (tenant_id, name_key) WHERE name_key IS NOT NULL;
CREATE UNIQUE INDEX location_code_idx ON stock.location (tenant_id, stock.folded(code)) WHERE code IS NOT NULL;
CREATE UNIQUE INDEX location_external_id_idx ON stock.location (tenant_id, external_id) WHERE external_id IS NOT NULL;

-- The places that every tenant has, whoever made the tenant.
CREATE FUNCTION stock.tenant_located() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_asked text := current_setting('stock.tenant_id', true);
BEGIN
    PERFORM set_config('stock.tenant_id', NEW.id::text, true);
    INSERT INTO stock.location (tenant_id, id, name, kind)
    VALUES (NEW.id, stock.main_location(), 'Main', 'branch'), (NEW.id, stock.transit_location(), 'In transit', 'transit');
    PERFORM set_config('stock.tenant_id', coalesce(v_asked, ''), true);
    RETURN NULL;
END
$$;
INSERT INTO stock.location (tenant_id, id, name, kind)
SELECT t.id, l.id, l.name, l.kind
FROM stock.tenant t, (VALUES (stock.main_location(), 'Main', 'branch'),
                             (stock.transit_location(), 'In transit', 'transit')) AS l (id, name, kind);
CREATE TRIGGER located AFTER INSERT ON stock.tenant FOR EACH ROW EXECUTE FUNCTION stock.tenant_located();
ALTER TABLE stock.tenant ENABLE ALWAYS TRIGGER located;
CALL stock.secure_table('stock.location', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.location', 'cache_touch', 'settings', 'stock');

CREATE FUNCTION stock.location_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT l.id, l.name, l.code, l.kind, l.address, l.active, l.external_id, l.version,
               stock.rfc3339(l.created_at) AS created_at, stock.rfc3339(l.updated_at) AS updated_at
        FROM stock.location l WHERE l.tenant_id = p_tenant AND l.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- The place that is meant where none is said: the only one that is open.
CREATE FUNCTION stock.only_location() RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_open uuid[];
BEGIN
    v_open := ARRAY(SELECT l.id FROM stock.location l
                    WHERE l.tenant_id = stock.current_tenant() AND l.active AND l.kind <> 'transit' LIMIT 2);
    RETURN CASE WHEN cardinality(v_open) = 1 THEN v_open[1] END;
END
$$;

-- A till stands in a place, and sells what is there.
ALTER TABLE stock.register
    ADD COLUMN location_id uuid NOT NULL DEFAULT '00000000-0000-7000-8000-000000000001',
    ADD FOREIGN KEY (tenant_id, location_id) REFERENCES stock.location (tenant_id, id);
CREATE INDEX register_location_idx ON stock.register (tenant_id, location_id) WHERE location_id IS NOT NULL;

-- A shop has one open place at least, and what goods are between places has one, which stays. A place where goods are or a till
-- stands is not closed.
CREATE FUNCTION stock.location_kept() RETURNS trigger
LANGUAGE plpgsql AS $$
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
        IF NOT EXISTS (SELECT FROM stock.location l
                       WHERE l.tenant_id = OLD.tenant_id AND l.id <> OLD.id AND l.active AND l.kind <> 'transit') THEN
            PERFORM stock.refuse('in_use', 'It is the only open location.', '[]');
        ELSIF EXISTS (SELECT FROM stock.register g
                      WHERE g.tenant_id = OLD.tenant_id AND g.location_id = OLD.id AND g.active) THEN
            PERFORM stock.refuse('in_use', 'A register stands there; move or retire it first.', '[]');
        ELSIF EXISTS (SELECT FROM stock.location_level n
                      WHERE n.tenant_id = OLD.tenant_id AND n.location_id = OLD.id AND n.on_hand <> 0) THEN
            PERFORM stock.refuse('in_use', 'There are goods; move or adjust them first.', '[]');
        END IF;
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER kept BEFORE INSERT OR UPDATE OR DELETE ON stock.location
    FOR EACH ROW EXECUTE FUNCTION stock.location_kept();

-- Documents that name no register are the default one's, so that one stays. A register that sells stands in an open place.
CREATE FUNCTION stock.register_kept() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.is_default THEN
            PERFORM stock.refuse('in_use', 'It is the register of documents that name none.', '[]');
        END IF;
        RETURN OLD;
    ELSIF (OLD.is_default OR NEW.is_default) AND NOT NEW.active THEN
        PERFORM stock.refuse_field('invalid_state', '/active', 'It is the register of documents that name none.');
    ELSIF NEW.active AND (TG_OP = 'INSERT' OR NOT OLD.active OR NEW.location_id <> OLD.location_id) THEN
        -- Whoever closes the place is waited for, and waits for this.
        PERFORM FROM stock.location l
        WHERE l.tenant_id = NEW.tenant_id AND l.id = NEW.location_id AND l.active AND l.kind <> 'transit' FOR SHARE;
        IF NOT FOUND THEN
            PERFORM stock.refuse_field('invalid_state', '/active', 'The location of the register is closed.');
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER kept BEFORE INSERT OR UPDATE OR DELETE ON stock.register
    FOR EACH ROW EXECUTE FUNCTION stock.register_kept();
CREATE INDEX register_name_idx ON stock.register (tenant_id, name_key, id);

-- Levels --------------------------------------------------------------------------------------------------------------

-- The sum over places heeds no floor: a place may have none left, or less than none, while others have.
ALTER TABLE stock.stock_level
    ADD COLUMN in_transit numeric(18,6) NOT NULL DEFAULT 0,
    ADD COLUMN bounded boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT stock_level_floor;

-- What is on hand of a product at one place. A row comes with the first goods; what is not here was never there.
CREATE TABLE stock.location_level (
    tenant_id      bigint NOT NULL,
    product_id     uuid NOT NULL,
    location_id    uuid NOT NULL,
    on_hand        numeric(18,6) NOT NULL DEFAULT 0,
    -- Where overselling is denied: on hand never falls below. What is below zero already can only climb.
    floor          numeric(18,6),
    -- The number of its last movement.
    last_seq       bigint NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    -- From where on it is low here; NULL: the product's sum alone is looked at.
    low_at         numeric(18,6),
    -- The product's, so that a page of one place is read along an index.
    name_key       text NOT NULL,
    archived       boolean NOT NULL DEFAULT false,
    alert          text GENERATED ALWAYS AS (
                       CASE WHEN on_hand <= 0 THEN 'out' WHEN on_hand <= low_at THEN 'low' END) STORED,
    PRIMARY KEY (tenant_id, product_id, location_id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, location_id) REFERENCES stock.location (tenant_id, id),
    CONSTRAINT location_level_floor CHECK (on_hand >= floor)
) WITH (fillfactor = 70);
ALTER TABLE stock.location_level ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX location_level_location_idx ON stock.location_level (tenant_id, location_id, name_key, product_id)
    INCLUDE (archived) WHERE location_id IS NOT NULL;
CREATE INDEX location_level_alert_idx ON stock.location_level (tenant_id, location_id, alert, name_key, product_id)
    INCLUDE (archived) WHERE alert IS NOT NULL;
ALTER TABLE stock.stock_level NO FORCE ROW LEVEL SECURITY;
INSERT INTO stock.location_level (tenant_id, product_id, location_id, on_hand, floor, last_seq, updated_at, name_key,
                                  archived)
SELECT l.tenant_id, l.product_id, stock.main_location(), l.on_hand, l.floor, l.stock_version, l.updated_at, l.name_key,
       l.archived
FROM stock.stock_level l WHERE l.stock_version > 0;
UPDATE stock.stock_level SET bounded = true WHERE floor IS NOT NULL;
ALTER TABLE stock.stock_level FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.stock_level DROP COLUMN floor;
CALL stock.secure_table('stock.location_level', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.location_level', 'cache_touch', 'stock');

-- Movements say where, and what is on hand there after them; they are numbered by product, over all places. No key of their own
-- holds the place: whoever writes one holds the place's level, which has the key.
ALTER TABLE stock.stock_movement
    ADD COLUMN location_id uuid NOT NULL DEFAULT '00000000-0000-7000-8000-000000000001';
CREATE INDEX stock_movement_location_idx ON stock.stock_movement (tenant_id, location_id, id)
    WHERE location_id <> '00000000-0000-7000-8000-000000000001';

-- What follows from the product: whether it may be oversold, where low begins, its name and whether it is archived. On the sum
-- first and then on the places, as all who write levels do: who holds a product's sum holds its places. What the tenant says of
-- overselling is held meanwhile: neither overlooks the other, and the statement behind sees what is said now.
CREATE OR REPLACE FUNCTION stock.product_levelled() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM stock.tenant t WHERE t.id IN (SELECT c.tenant_id FROM changed c) ORDER BY t.id FOR SHARE;
    INSERT INTO stock.stock_level (tenant_id, product_id, bounded, low_at, name_key, archived)
    SELECT c.tenant_id, c.id, c.tracks_stock AND (c.oversell = 'deny' OR c.oversell = 'inherit' AND t.oversell = 'deny'),
           CASE WHEN c.tracks_stock THEN c.min_stock END, c.name_key, c.status = 'archived'
    FROM changed c JOIN stock.tenant t ON t.id = c.tenant_id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION stock.product_floored() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenants  bigint[];
    v_products uuid[];
BEGIN
    PERFORM FROM stock.tenant t WHERE t.id IN (
        SELECT c.tenant_id
        FROM (SELECT n.tenant_id, n.id, n.oversell, n.tracks_stock, n.min_stock, n.status, n.name_key FROM changed n
              EXCEPT
              SELECT o.tenant_id, o.id, o.oversell, o.tracks_stock, o.min_stock, o.status, o.name_key FROM replaced o) c)
    ORDER BY t.id FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    WITH levelled AS (
        INSERT INTO stock.stock_level AS l (tenant_id, product_id, bounded, low_at, name_key, archived)
        SELECT c.tenant_id, c.id,
               c.tracks_stock AND (c.oversell = 'deny' OR c.oversell = 'inherit' AND t.oversell = 'deny'),
               CASE WHEN c.tracks_stock THEN c.min_stock END, c.name_key, c.status = 'archived'
        FROM (SELECT n.tenant_id, n.id, n.oversell, n.tracks_stock, n.min_stock, n.status, n.name_key FROM changed n
              EXCEPT
              SELECT o.tenant_id, o.id, o.oversell, o.tracks_stock, o.min_stock, o.status, o.name_key FROM replaced o) c
        JOIN stock.tenant t ON t.id = c.tenant_id
        ORDER BY c.id
        ON CONFLICT (tenant_id, product_id) DO UPDATE
        SET bounded = excluded.bounded, low_at = excluded.low_at, name_key = excluded.name_key,
            archived = excluded.archived,
            updated_at = CASE WHEN excluded.bounded = l.bounded THEN l.updated_at ELSE now() END
        RETURNING l.tenant_id, l.product_id
    )
    SELECT array_agg(d.tenant_id), array_agg(d.product_id) INTO v_tenants, v_products FROM levelled d;
    PERFORM stock.places_follow(v_tenants, v_products);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION stock.tenant_floored() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_tenants  bigint[];
    v_products uuid[];
BEGIN
    WITH levelled AS (
        UPDATE stock.stock_level l
        SET bounded = p.tracks_stock AND NEW.oversell = 'deny', updated_at = now()
        FROM stock.product p
        WHERE p.tenant_id = NEW.id AND p.oversell = 'inherit' AND l.tenant_id = p.tenant_id AND l.product_id = p.id
        RETURNING l.tenant_id, l.product_id
    )
    SELECT array_agg(d.tenant_id), array_agg(d.product_id) INTO v_tenants, v_products FROM levelled d;
    PERFORM stock.places_follow(v_tenants, v_products);
    RETURN NULL;
END
$$;

-- Brings the places of products in line with their sums, which the caller holds.
CREATE FUNCTION stock.places_follow(p_tenants bigint[], p_products uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    UPDATE stock.location_level n
    SET floor = CASE WHEN l.bounded OR n.location_id = stock.transit_location() THEN least(0, n.on_hand) END,
        name_key = l.name_key, archived = l.archived
    FROM unnest(p_tenants, p_products) AS c (tenant_id, product_id), LATERAL (
        SELECT s.tenant_id, s.product_id, s.bounded, s.name_key, s.archived FROM stock.stock_level s
        WHERE s.tenant_id = c.tenant_id AND s.product_id = c.product_id OFFSET 0) l
    WHERE n.tenant_id = l.tenant_id AND n.product_id = l.product_id
      AND ((n.floor IS NOT NULL) <> (l.bounded OR n.location_id = stock.transit_location())
           OR (n.name_key, n.archived) IS DISTINCT FROM (l.name_key, l.archived));
END
$$;

-- Goods ---------------------------------------------------------------------------------------------------------------

ALTER TYPE stock.move ADD ATTRIBUTE location_id uuid;

-- Moves goods: the only function that changes what is on hand and writes movements. Levels are moved in the order of their
-- products, the sum before its places, as every command locks them; moves of one product are numbered place by place in the
-- order they are given in. Gives the products and places that were moved, with what a piece costs now. One that is missing
-- would have fallen below its floor (if p_heeds_floors: not of history, which has happened) or out of what its column
-- holds: nothing of it was written, and `refuse_moves` says why. What is bought moves the average cost, of all places and what is
-- between them, once for all moves of a product at a place, whatever their order.
DROP FUNCTION stock.move_stock(stock.move[], boolean);
CREATE FUNCTION stock.move_stock(p_moves stock.move[], p_heeds_floors boolean DEFAULT true)
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
BEGIN
    FOR v_sum IN
        SELECT m.product_id, m.location_id, sum(m.quantity) AS quantity, count(*) AS moves,
               sum(m.quantity) FILTER (WHERE m.quantity > 0 AND m.cost IS NOT NULL) AS bought,
               sum(m.quantity * m.cost) FILTER (WHERE m.quantity > 0) AS spent
        FROM unnest(p_moves) m GROUP BY m.product_id, m.location_id ORDER BY m.product_id, m.location_id
    LOOP
        SELECT l.on_hand, l.in_transit, l.cost, l.stock_version, l.bounded, l.name_key, l.archived INTO v_level
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
            RETURNING l.on_hand - v_sum.quantity INTO v_before;
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
        RETURNING l.cost INTO v_cost;
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

-- Refuses moves that `move_stock` did not make, with the places in the request that ask for them: positions, products,
-- locations and quantities as they are added, one element for each.
DROP FUNCTION stock.refuse_moves(text, integer[], uuid[], numeric[]);
CREATE FUNCTION stock.refuse_moves(p_path text, p_positions integer[], p_products uuid[], p_locations uuid[],
                                   p_quantities numeric[]) RETURNS void
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
    v_errors := stock.stock_shortages(p_path, v_positions, v_products, v_locations, v_wanted);
    IF json_array_length(v_errors) = 0 THEN
        -- Somebody has put back what was missing, between two statements.
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'levels_changed';
    END IF;
    PERFORM stock.refuse('insufficient_stock', 'There is not enough stock.', v_errors);
END
$$;

-- Refuses what would leave more on hand than can be counted, at a place or in all.
DROP FUNCTION stock.refuse_overflow(text, integer[], uuid[], numeric[]);
CREATE FUNCTION stock.refuse_overflow(p_path text, p_positions integer[], p_products uuid[], p_locations uuid[],
                                      p_quantities numeric[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(json_build_object(
               'pointer', p_path || w.place || '/quantity', 'code', 'out_of_range',
               'detail', format('On hand must stay between -999999999999.999999 and 999999999999.999999; it is %s, and %s '
                                'would be added.', stock.quantity_text(h.on_hand), stock.quantity_text(w.added)),
               'product_id', w.product_id) ORDER BY w.place)
    INTO v_errors
    FROM (SELECT x.place, x.product_id, x.location_id,
                 sum(x.quantity) OVER (PARTITION BY x.product_id, x.location_id) AS added
          FROM unnest(p_positions, p_products, p_locations, p_quantities)
              AS x (place, product_id, location_id, quantity)) w
    JOIN stock.stock_level l ON l.tenant_id = stock.current_tenant() AND l.product_id = w.product_id
    LEFT JOIN stock.location_level n
        ON n.tenant_id = l.tenant_id AND n.product_id = l.product_id AND n.location_id = w.location_id,
    LATERAL (SELECT CASE WHEN abs(l.on_hand + w.added) >= 1000000000000 THEN l.on_hand
                         ELSE coalesce(n.on_hand, 0) END AS on_hand) h
    WHERE abs(h.on_hand + w.added) >= 1000000000000 AND (n.floor IS NULL OR w.added > 0)
      AND NOT EXISTS (SELECT FROM stock.stock_movement m
                      WHERE m.tenant_id = n.tenant_id AND m.product_id = n.product_id AND m.seq = n.last_seq
                        AND m.xmin = pg_current_xact_id()::xid);
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'There would be more on hand than can be counted.', v_errors);
    END IF;
END
$$;

-- What is missing of what is wanted, for each line that wants it.
DROP FUNCTION stock.stock_shortages(text, integer[], uuid[], numeric[]);
CREATE FUNCTION stock.stock_shortages(p_path text, p_positions integer[], p_products uuid[], p_locations uuid[],
                                      p_quantities numeric[]) RETURNS json
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(json_build_object(
               'pointer', p_path || w.place || '/quantity', 'code', 'insufficient_stock',
               'detail', format('%s asked for, %s available.', stock.quantity_text(w.wanted),
                                stock.quantity_text(h.available)),
               'product_id', w.product_id, 'requested', stock.quantity_text(w.wanted),
               'available', stock.quantity_text(h.available)) ORDER BY w.place)
    INTO v_errors
    FROM (SELECT x.place, x.product_id, x.location_id,
                 sum(x.quantity) OVER (PARTITION BY x.product_id, x.location_id) AS wanted
          FROM unnest(p_positions, p_products, p_locations, p_quantities)
              AS x (place, product_id, location_id, quantity)) w
    JOIN stock.location_level l
        ON l.tenant_id = stock.current_tenant() AND l.product_id = w.product_id AND l.location_id = w.location_id,
    LATERAL (SELECT greatest(0, l.on_hand) AS available) h
    WHERE l.floor IS NOT NULL AND l.on_hand - w.wanted < l.floor
      -- A level that this unit has moved already could be served: it is no shortage.
      AND NOT EXISTS (SELECT FROM stock.stock_movement m
                      WHERE m.tenant_id = l.tenant_id AND m.product_id = l.product_id AND m.seq = l.last_seq
                        AND m.xmin = pg_current_xact_id()::xid);
    RETURN coalesce(v_errors, '[]');
END
$$;

-- Openings, adjustments and losses, one element per row of the request; a row names its product by id or by SKU, and its place
-- if there are several. Every refused row is named.

CREATE FUNCTION stock.stock_record(
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
    -- Keys are made before the rows are looked up: row-level security lets no function that could tell of a row, as those
    -- of text could, be asked in an index.
    SELECT array_agg(p.id ORDER BY w.place) INTO v_products
    FROM (SELECT n.id, stock.folded(n.sku) AS key, n.place
          FROM unnest(p_products, p_skus) WITH ORDINALITY AS n (id, sku, place) OFFSET 0) w
    LEFT JOIN LATERAL (
        SELECT a.id FROM stock.product a WHERE a.tenant_id = v_tenant AND a.id = w.id
        UNION ALL
        SELECT a.id FROM stock.product a
        WHERE w.id IS NULL AND a.tenant_id = v_tenant AND a.sku_key = w.key
    ) p ON true;

    SELECT json_agg(json_build_object('pointer', '/movements/' || e.place || e.field, 'code', e.code,
                                      'detail', e.sentence) ORDER BY e.place)
    INTO v_errors
    FROM (
        SELECT w.place - 1 AS place, v.field, v.code, v.sentence
        FROM (SELECT n.*, row_number() OVER (PARTITION BY n.id, n.location_id ORDER BY n.place) AS copy
              FROM unnest(v_products, p_products, p_kinds, p_quantities, v_locations, p_locations) WITH ORDINALITY
                  AS n (id, named, kind, quantity, location_id, asked, place)) w
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
            (min_scale(w.quantity) > u.decimals, '/quantity', 'quantity_precision',
             format('The unit allows %s decimals.', u.decimals))
        ) AS v (holds, field, code, sentence)
        WHERE v.holds
    ) e;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse(
            CASE WHEN EXISTS (SELECT FROM json_array_elements(v_errors) AS x (e) WHERE x.e ->> 'code' <> 'quantity_precision')
                 THEN 'validation_failed' ELSE 'quantity_precision' END,
            'The movements can not be recorded.', v_errors);
    END IF;

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

-- As the binary before asks: where the shop is.
CREATE OR REPLACE FUNCTION stock.stock_record(
    p_movements uuid[], p_products uuid[], p_skus text[], p_kinds text[], p_quantities numeric[], p_reasons text[],
    p_costs numeric[], p_expected numeric[], p_user uuid, p_occurred_at timestamptz
) RETURNS void
LANGUAGE sql
RETURN stock.stock_record(p_movements, p_products, p_skus, p_kinds, p_quantities, p_reasons, p_costs, p_expected, p_user,
                          p_occurred_at, array_fill(NULL::uuid, ARRAY[cardinality(p_movements)]));

-- Importing -----------------------------------------------------------------------------------------------------------

-- Where what a file sells was: where the register stands that it is sold at.
CREATE FUNCTION stock.import_location() RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT r.location_id FROM stock.register r WHERE r.tenant_id = stock.current_tenant() AND r.is_default);
END
$$;

-- Whether the documents sell products that must not be oversold.
CREATE OR REPLACE FUNCTION stock.import_sells_bounded(p_first integer, p_last integer) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = on AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM stock.import_rows(p_first, p_last, false) r
        JOIN stock.stock_level l ON l.tenant_id = stock.current_tenant() AND l.product_id = r.product_id AND l.bounded
        WHERE r.tracks_stock);
END
$$;

-- Takes those sales of a chunk back that would sell below the floor of a product where the register stands, one by one in the
-- order of the file, so that a refused sale leaves its goods to the ones behind it. Gives how many were refused.
CREATE OR REPLACE FUNCTION stock.import_hold_back(p_first integer, p_last integer) RETURNS bigint
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on AS $$
DECLARE
    v_document integer;
    v_short text;
    v_refused bigint := 0;
    v_location uuid := stock.import_location();
BEGIN
    IF NOT stock.import_sells_bounded(p_first, p_last) THEN
        RETURN 0;
    END IF;
    CREATE TEMPORARY TABLE import_asked ON COMMIT DROP AS
    SELECT r.document, r.line, r.is_return, r.product_id, r.sku, r.quantity, r.unit_price, r.tracks_stock
    FROM stock.import_rows(p_first, p_last, NULL) r;
    CREATE INDEX ON pg_temp.import_asked (document);
    CREATE TEMPORARY TABLE import_left ON COMMIT DROP AS
    SELECT l.product_id, coalesce(n.on_hand, 0) AS on_hand, coalesce(n.floor, 0) AS floor
    FROM stock.stock_level l
    LEFT JOIN LATERAL (
        SELECT o.on_hand, o.floor FROM stock.location_level o
        WHERE o.tenant_id = l.tenant_id AND o.product_id = l.product_id AND o.location_id = v_location OFFSET 0
    ) n ON true
    WHERE l.tenant_id = stock.current_tenant() AND l.bounded AND l.product_id IN (
        SELECT a.product_id FROM pg_temp.import_asked a WHERE a.tracks_stock);
    CREATE UNIQUE INDEX ON pg_temp.import_left (product_id);
    FOR v_document IN
        SELECT DISTINCT a.document FROM pg_temp.import_asked a JOIN pg_temp.import_left f ON f.product_id = a.product_id
        ORDER BY 1
    LOOP
        SELECT string_agg(format('%s: %s requested, %s available', quote_literal(s.sku), trim_scale(s.quantity),
                                 trim_scale(greatest(0, f.on_hand))), '; ' ORDER BY s.sku)
        INTO v_short
        FROM (SELECT a.product_id, min(a.sku) AS sku, sum(a.quantity) AS quantity FROM pg_temp.import_asked a
              WHERE a.document = v_document AND NOT a.is_return GROUP BY a.product_id) s
        JOIN pg_temp.import_left f ON f.product_id = s.product_id
        WHERE f.on_hand - s.quantity < f.floor;
        IF v_short IS NOT NULL THEN
            INSERT INTO pg_temp.import_reject (line, code, reason, kind)
            SELECT a.line, 'insufficient_stock', v_short || '; --oversell allow records it all the same',
                   CASE WHEN a.is_return THEN 2 WHEN a.unit_price = 0 THEN 1 ELSE 0 END
            FROM pg_temp.import_asked a WHERE a.document = v_document;
            DELETE FROM pg_temp.import_going g WHERE g.document = v_document;
            v_refused := v_refused + 1;
        ELSE
            UPDATE pg_temp.import_left f
            SET on_hand = f.on_hand + s.quantity, floor = least(0, f.on_hand + s.quantity)
            FROM (SELECT a.product_id, sum(CASE WHEN a.is_return THEN a.quantity ELSE -a.quantity END) AS quantity
                  FROM pg_temp.import_asked a WHERE a.document = v_document GROUP BY a.product_id) s
            WHERE f.product_id = s.product_id;
        END IF;
    END LOOP;
    DROP TABLE pg_temp.import_left, pg_temp.import_asked;
    RETURN v_refused;
END
$$;

-- Moves what the chunk's documents move, in their order; what may not be sold was held back. Gives whether a product has
-- another cost than its lines.
CREATE OR REPLACE FUNCTION stock.import_move() RETURNS boolean
LANGUAGE plpgsql
SET enable_hashjoin = on SET enable_mergejoin = off SET enable_nestloop = off SET work_mem = '64MB'
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_location uuid := stock.import_location();
    v_moves    stock.move[];
    v_products bigint;
    v_moved    bigint;
    v_recosted boolean;
BEGIN
    SELECT array_agg(ROW(s.id, s.product_id, s.kind, s.quantity, NULL, NULL, s.kind, s.document_id, NULL, s.occurred_at,
                         s.business_day, v_location)::stock.move ORDER BY s.document)
    INTO v_moves
    FROM pg_temp.import_step s;
    SELECT count(*), count(m.product_id), coalesce(bool_or(m.cost <> s.cost), false)
    INTO v_products, v_moved, v_recosted
    FROM (SELECT DISTINCT t.product_id, t.cost FROM pg_temp.import_step t) s
    LEFT JOIN stock.move_stock(v_moves, false) m ON m.product_id = s.product_id;
    IF v_moved < v_products THEN
        RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range',
            MESSAGE = 'there would be more on hand than can be counted';
    END IF;
    RETURN v_recosted;
END
$$;

-- What only binaries before the last one called.
DROP FUNCTION stock.import_assist, stock.import_assist_copied, stock.import_is_bounded, stock.import_refuse_oversold,
    stock.import_sales_apply, stock.import_sales_draft, stock.import_sales_plan, stock.import_take_numbers,
    stock.moment_fault;

-- Showing -------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION stock.register_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT g.id, g.name, g.is_default, g.requires_session, g.active, g.location_id, g.version,
               stock.rfc3339(g.created_at) AS created_at, stock.rfc3339(g.updated_at) AS updated_at
        FROM stock.register g WHERE g.tenant_id = p_tenant AND g.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE OR REPLACE FUNCTION stock.movement_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT m.id, m.product_id, m.location_id, m.seq, m.kind AS type, stock.quantity_text(m.quantity) AS quantity,
               stock.quantity_text(m.on_hand_after) AS on_hand_after, m.reason,
               stock.price_text(m.unit_cost, t.currency_exponent) AS unit_cost, m.ref_type, m.ref_id, m.user_id,
               stock.rfc3339(m.occurred_at) AS occurred_at, stock.rfc3339(m.recorded_at) AS recorded_at, m.business_day
        FROM stock.stock_movement m JOIN stock.tenant t ON t.id = m.tenant_id
        WHERE m.tenant_id = p_tenant AND m.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE OR REPLACE FUNCTION stock.stock_level_body(p_tenant bigint, p_product uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id AS product_id, p.sku, p.name, p.category_id, p.unit_id, p.tracks_stock, p.status,
               NULL::uuid AS location_id, stock.quantity_text(l.on_hand) AS on_hand,
               stock.quantity_text(l.in_transit) AS in_transit, stock.quantity_text(p.min_stock) AS min_stock,
               CASE WHEN NOT p.tracks_stock THEN 'ok' WHEN l.on_hand <= 0 THEN 'out'
                    WHEN l.on_hand <= p.min_stock THEN 'low' ELSE 'ok' END AS stock,
               stock.price_text(l.cost, t.currency_exponent) AS cost,
               stock.rfc3339(l.updated_at) AS updated_at
        FROM stock.stock_level l
        JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
        JOIN stock.tenant t ON t.id = l.tenant_id
        WHERE l.tenant_id = p_tenant AND l.product_id = p_product
    ) r;
    RETURN v_body;
END
$$;

-- The same at one place: what is low there is said there.
CREATE FUNCTION stock.location_level_body(p_tenant bigint, p_product uuid, p_location uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id AS product_id, p.sku, p.name, p.category_id, p.unit_id, p.tracks_stock, p.status, n.location_id,
               stock.quantity_text(n.on_hand) AS on_hand, NULL::text AS in_transit,
               stock.quantity_text(n.low_at) AS min_stock, coalesce(n.alert, 'ok') AS stock,
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

-- What has been at a place, by name: up to p_count after (p_after, p_after_id), in portions that grow, as what is asked for
-- besides may be rare.
CREATE FUNCTION stock.location_page(p_location uuid, p_q text, p_category uuid, p_stock text, p_count integer, p_after text,
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
        IF p_stock IN ('out', 'low') THEN
            v_portion := ARRAY(
                SELECT n.product_id FROM stock.location_level n
                WHERE n.tenant_id = v_tenant AND n.location_id = p_location AND n.alert = p_stock
                  AND (n.name_key, n.product_id) > (v_key, v_id) AND NOT n.archived
                ORDER BY n.name_key, n.product_id LIMIT v_size);
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
                      WHERE n.tenant_id = v_tenant AND n.product_id = w.id AND n.location_id = p_location
                        AND n.alert IS NOT NULL))
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

-- Where a product is, place by place, the way between them last; NULL if there is no such product.
CREATE FUNCTION stock.product_places_body(p_tenant bigint, p_product uuid) RETURNS text
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
                              'stock', coalesce(n.alert, 'ok'), 'updated_at', stock.rfc3339(n.updated_at))
                              ORDER BY g.kind = 'transit', g.name_key)
                   FROM stock.location_level n
                   JOIN stock.location g ON g.tenant_id = n.tenant_id AND g.id = n.location_id
                   WHERE n.tenant_id = l.tenant_id AND n.product_id = l.product_id), '[]') AS locations
        FROM stock.stock_level l WHERE l.tenant_id = p_tenant AND l.product_id = p_product
    ) r;
    RETURN v_body;
END
$$;

-- What moved, the last recorded first; at one place, or at all.
DROP FUNCTION stock.movement_page(uuid, text, date, date, uuid, integer);

CREATE FUNCTION stock.movement_page(
    p_product uuid, p_kind text, p_from date, p_to date, p_before uuid, p_count integer, p_location uuid DEFAULT NULL
) RETURNS TABLE (id uuid, recorded_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_before uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    -- The least id of the day before the day before, which is the first in any zone: milliseconds lead in a UUIDv7.
    v_first  uuid := coalesce(
        (lpad(to_hex(greatest(0, extract(epoch FROM (p_from - 2)::timestamptz) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid,
        '00000000-0000-0000-0000-000000000000');
    v_seq    bigint;
BEGIN
    IF p_product IS NOT NULL THEN
        SELECT m.seq INTO v_seq FROM stock.stock_movement m WHERE m.tenant_id = v_tenant AND m.id = p_before;
        RETURN QUERY
        SELECT m.id, m.recorded_at FROM stock.stock_movement m
        WHERE m.tenant_id = v_tenant AND m.product_id = p_product AND m.seq < coalesce(v_seq, 9223372036854775807)
          AND (p_kind IS NULL OR m.kind = p_kind)
          AND (p_location IS NULL OR m.location_id = p_location)
          AND (p_from IS NULL OR m.business_day >= p_from) AND (p_to IS NULL OR m.business_day <= p_to)
        ORDER BY m.seq DESC LIMIT p_count;
    ELSIF p_location <> stock.main_location() THEN
        RETURN QUERY
        SELECT m.id, m.recorded_at FROM stock.stock_movement m
        WHERE m.tenant_id = v_tenant AND m.location_id = p_location AND m.location_id <> stock.main_location()
          AND m.id < v_before AND m.id >= v_first AND (p_kind IS NULL OR m.kind = p_kind)
          AND (p_from IS NULL OR m.business_day >= p_from) AND (p_to IS NULL OR m.business_day <= p_to)
        ORDER BY m.id DESC LIMIT p_count;
    ELSIF p_kind <> 'sale' THEN
        RETURN QUERY
        SELECT m.id, m.recorded_at FROM stock.stock_movement m
        WHERE m.tenant_id = v_tenant AND m.kind = p_kind AND m.kind <> 'sale' AND m.id < v_before AND m.id >= v_first
          AND (p_location IS NULL OR m.location_id = p_location)
          AND (p_from IS NULL OR m.business_day >= p_from) AND (p_to IS NULL OR m.business_day <= p_to)
        ORDER BY m.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT m.id, m.recorded_at FROM stock.stock_movement m
        WHERE m.tenant_id = v_tenant AND m.id < v_before AND m.id >= v_first AND (p_kind IS NULL OR m.kind = p_kind)
          AND (p_location IS NULL OR m.location_id = p_location)
          AND (p_from IS NULL OR m.business_day >= p_from) AND (p_to IS NULL OR m.business_day <= p_to)
        ORDER BY m.id DESC LIMIT p_count;
    END IF;
END
$$;

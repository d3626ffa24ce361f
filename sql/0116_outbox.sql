-- What a transaction retires is one row of the outbox: a sale wrote seven, each with two entries of indexes, and the relay
-- deleted them again. The setting that remembers what was retired says it to the token, too, so that nothing looks rows up by
-- their transaction any more.

-- Owned by functions alone: what the release before writes and drains goes through them as well.
ALTER TABLE stock.cache_outbox ADD COLUMN modules text[];
UPDATE stock.cache_outbox SET modules = ARRAY[module];
ALTER TABLE stock.cache_outbox ALTER COLUMN modules SET NOT NULL;

-- Retires modules of a tenant, unless it remembers that it has, and remembers them: those of the tenant it was asked for
-- last, and whether there were others.
CREATE OR REPLACE FUNCTION stock.cache_touch_modules(p_tenant bigint, p_modules text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_mark   text := coalesce(current_setting('stock.touched', true), '');
    v_mine   text := 'xid:' || pg_current_xact_id();
    v_tenant text := ' tenant:' || p_tenant || ' ';
BEGIN
    IF stock.cache_has_touched(p_tenant, p_modules) THEN
        RETURN;
    END IF;
    INSERT INTO stock.cache_outbox (tenant_id, modules) VALUES (p_tenant, p_modules);
    PERFORM set_config(
        'stock.touched',
        CASE WHEN NOT starts_with(v_mark, v_mine || ' ') THEN v_mine || v_tenant
             WHEN strpos(v_mark, v_tenant) = 0 THEN v_mine || v_tenant || 'others: '
             ELSE v_mark || ' ' END || array_to_string(p_modules, ' '),
        true);
END
$$;

-- The unit's own transaction id and the modules it retired; the last statement of a writing unit.
CREATE OR REPLACE FUNCTION stock.cache_token(OUT xid xid8, OUT modules text[])
LANGUAGE plpgsql AS $$
DECLARE
    v_mark text[] := string_to_array(current_setting('stock.touched', true), ' ');
BEGIN
    xid := pg_current_xact_id();
    IF v_mark[1] IS DISTINCT FROM 'xid:' || xid THEN
        modules := '{}';
    ELSIF 'others:' = ANY (v_mark) THEN
        -- What was retired of one tenant was forgotten over the other. No unit of the service gets here.
        modules := ARRAY(SELECT DISTINCT m.module FROM stock.cache_outbox o, unnest(o.modules) AS m (module)
                         WHERE o.xid = cache_token.xid ORDER BY m.module);
    ELSE
        modules := ARRAY(SELECT DISTINCT m.module FROM unnest(v_mark[3:]) AS m (module) ORDER BY m.module);
    END IF;
END
$$;

-- Retires one module of the current tenant; NULL: all of them.
CREATE OR REPLACE FUNCTION stock.cache_touch_scope(p_module text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.cache_touch_modules(
        stock.current_tenant(),
        ARRAY(SELECT m.module FROM unnest(stock.cache_modules()) AS m (module) WHERE p_module IS NULL OR m.module = p_module));
END
$$;

-- The register of tenants feeds everything of that tenant.
CREATE OR REPLACE FUNCTION stock.cache_touch_tenant() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.cache_touch_modules(t.id, stock.cache_modules()) FROM (SELECT DISTINCT c.id FROM changed c) t;
    RETURN NULL;
END
$$;

-- A person is seen in each tenant of theirs.
CREATE OR REPLACE FUNCTION stock.cache_touch_user() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.cache_touch_modules(t.id, '{identity}')
    FROM (SELECT DISTINCT n.id FROM changed c, unnest(c.tenant_ids) AS n (id)) t;
    RETURN NULL;
END
$$;

-- A category's body counts its active products: it is retired when one comes, goes, moves or changes status.
CREATE OR REPLACE FUNCTION stock.cache_touch_product() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        PERFORM stock.cache_touch_modules(t.tenant_id, array_remove(TG_ARGV::text[], 'categories'))
        FROM (SELECT DISTINCT c.tenant_id FROM changed c) t;
        IF 'categories' = ANY (TG_ARGV::text[]) THEN
            PERFORM stock.cache_touch_modules(t.tenant_id, '{categories}')
            FROM (SELECT DISTINCT d.tenant_id
                  FROM (SELECT c.tenant_id, c.id, c.category_id, c.status FROM changed c
                        EXCEPT SELECT r.tenant_id, r.id, r.category_id, r.status FROM replaced r) d) t;
        END IF;
    ELSE
        PERFORM stock.cache_touch_modules(t.tenant_id, TG_ARGV) FROM (SELECT DISTINCT c.tenant_id FROM changed c) t;
    END IF;
    RETURN NULL;
END
$$;

-- Moves committed outbox rows to the log, numbered without a hole, and if there were any, gives the log from p_from_seq on as
-- stock.cache_follow gives it, NULL: without rows. No row at all: another relay holds the lane. moved: log rows written.
-- is_full: p_limit rows of the outbox were moved, drain again. oldest: the age of the oldest of them, in microseconds by this
-- server's clock.
CREATE OR REPLACE FUNCTION stock.cache_drain_follow(
    p_lane smallint, p_limit integer, p_notify boolean, p_from_seq bigint, p_follow integer
) RETURNS TABLE (
    moved bigint, is_full boolean, oldest bigint, ns uuid, database_identity text, head bigint, drains bigint,
    seq bigint, tag integer, tenant_id bigint, module text, xids xid8[], snapshot pg_snapshot
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_lane    stock.cache_lane;
    v_rows    bigint;
    v_moved   bigint;
    v_touched timestamptz;
    v_age     bigint;
BEGIN
    SELECT * INTO v_lane FROM stock.cache_lane l WHERE l.lane = p_lane FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- A statement of its own, so its snapshot is younger than the lock: what an earlier drain moved is gone from it.
    WITH taken AS (
        DELETE FROM stock.cache_outbox o
        WHERE o.id = ANY (ARRAY(
            SELECT c.id FROM stock.cache_outbox c WHERE c.lane = p_lane ORDER BY c.id LIMIT p_limit))
        RETURNING o.id, o.xid, o.tenant_id, o.modules, o.touched_at
    ), scope AS (
        -- A transaction may have retired a module twice, over two tenants.
        SELECT t.tenant_id, m.module, array_agg(DISTINCT t.xid) AS xids,
               row_number() OVER (ORDER BY min(t.id), m.module) AS place
        FROM taken t, unnest(t.modules) AS m (module) GROUP BY t.tenant_id, m.module
    ), logged AS (
        INSERT INTO stock.cache_log (lane, seq, tag, tenant_id, module, xids)
        SELECT p_lane, v_lane.head_seq + s.place, floor(random() * 2147483647)::integer, s.tenant_id, s.module, s.xids
        FROM scope s
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM logged), (SELECT min(t.touched_at) FROM taken t)
    INTO v_rows, v_moved, v_touched;
    UPDATE stock.cache_lane l
    SET head_seq = l.head_seq + v_moved, drains = l.drains + CASE WHEN v_rows >= p_limit THEN 0 ELSE 1 END
    WHERE l.lane = p_lane
    RETURNING * INTO v_lane;
    IF v_moved = 0 THEN
        -- Nothing would be lost with this commit but a count, which readers take as a crash and start over.
        PERFORM set_config('synchronous_commit', 'off', true);
    ELSIF p_notify THEN
        PERFORM pg_notify('stock_cache', p_lane::text);
    END IF;
    v_age := extract(epoch FROM clock_timestamp() - v_touched) * 1000000;
    IF v_moved > 0 AND p_from_seq IS NOT NULL THEN
        RETURN QUERY
        SELECT v_moved, v_rows >= p_limit, v_age, f.*
        FROM stock.cache_follow(p_lane, p_from_seq, p_follow) f;
    ELSE
        RETURN QUERY
        SELECT v_moved, v_rows >= p_limit, v_age, v_lane.ns,
               v_lane.database_identity, v_lane.head_seq, v_lane.drains, NULL::bigint, NULL::integer, NULL::bigint,
               NULL::text, NULL::xid8[], pg_current_snapshot();
    END IF;
END
$$;

-- The drain before it, which no instance calls any more.
DROP FUNCTION stock.cache_drain(smallint, integer, boolean);

-- The release before verifies its outbox by this name, which goes with the next one.
ALTER TABLE stock.cache_outbox DROP CONSTRAINT cache_outbox_xid_tenant_id_module_key, ALTER COLUMN module DROP NOT NULL;

-- What keeps cached reads right: the outbox that triggers write, the dense log that one relay at a time makes of it,
-- and the functions both are used through. These tables hold tenant ids and module names, no business data, and stand
-- outside the tenant policies.

CREATE TABLE stock.schema_migration (
    version     integer PRIMARY KEY,
    name        text NOT NULL,
    checksum    text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON stock.schema_migration TO stock_app;

CREATE TABLE stock.cache_lane (
    lane               smallint PRIMARY KEY,
    ns                 uuid NOT NULL,
    database_identity  text,
    head_seq           bigint NOT NULL,
    drains             bigint NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE stock.cache_outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane       smallint NOT NULL DEFAULT 0,
    xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    tenant_id  bigint NOT NULL,
    module     text NOT NULL,
    touched_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (xid, tenant_id, module)
) WITH (
    autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_insert_threshold = 100000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 100000
);

CREATE TABLE stock.cache_log (
    lane       smallint NOT NULL,
    seq        bigint NOT NULL,
    tag        integer NOT NULL,
    tenant_id  bigint NOT NULL,
    module     text NOT NULL,
    xids       xid8[] NOT NULL,
    logged_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, seq)
);

GRANT SELECT, INSERT, DELETE ON stock.cache_outbox, stock.cache_log TO stock_app;
GRANT SELECT, UPDATE ON stock.cache_lane TO stock_app;

INSERT INTO stock.cache_lane (lane, ns, head_seq, drains) VALUES (0, gen_random_uuid(), 0, 0);
-- Row 0 gives the first follower a position with a tag; its scope (no tenant, no module) retires nothing.
INSERT INTO stock.cache_log (lane, seq, tag, tenant_id, module, xids)
VALUES (0, 0, floor(random() * 2147483647)::integer, 0, '', '{}');

CREATE FUNCTION stock.cache_modules() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['products', 'categories', 'units', 'stock', 'balance', 'sales', 'payments', 'purchases', 'customers',
             'suppliers', 'quotes', 'dashboard', 'reports', 'settings', 'identity'];

COMMENT ON FUNCTION stock.cache_modules() IS 'Every module that has a scope per tenant.';

-- The tenant of the running unit, NULL outside of one. Exactly the expression of the policies.
CREATE FUNCTION stock.current_tenant() RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN NULLIF(current_setting('stock.tenant_id', true), '')::bigint;

-- Statement trigger: one outbox row per (tenant, module) of the changed rows. TG_ARGV: the modules.
CREATE FUNCTION stock.cache_touch() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT t.tenant_id, m.module
    FROM (SELECT DISTINCT c.tenant_id FROM changed c) t, unnest(TG_ARGV) AS m (module)
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    RETURN NULL;
END
$$;

-- A new namespace: everything cached anywhere is cold. Holds the lane's row lock until the commit.
CREATE FUNCTION stock.cache_rotate() RETURNS uuid
LANGUAGE sql
BEGIN ATOMIC
    UPDATE stock.cache_lane SET ns = gen_random_uuid() WHERE lane = 0 RETURNING ns;
END;

CREATE FUNCTION stock.cache_truncated() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.cache_rotate();
    RETURN NULL;
END
$$;

-- The unit's own transaction id and the modules it retired; the last statement of a writing unit.
CREATE FUNCTION stock.cache_token(OUT xid xid8, OUT modules text[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    xid := pg_current_xact_id();
    modules := ARRAY(SELECT DISTINCT o.module FROM stock.cache_outbox o WHERE o.xid = cache_token.xid ORDER BY o.module);
END
$$;

-- Retires one module of the current tenant; NULL: all of them.
CREATE FUNCTION stock.cache_touch_scope(p_module text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT stock.current_tenant(), m.module
    FROM unnest(stock.cache_modules()) AS m (module)
    WHERE p_module IS NULL OR m.module = p_module
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
END;

-- Moves committed outbox rows to the log, numbered without a hole. All NULL: another relay holds the lane.
-- moved: log rows written, so that they are head - moved + 1 .. head. is_full: the limit was reached, drain again.
CREATE FUNCTION stock.cache_drain(
    p_lane smallint, p_limit integer, p_notify boolean,
    OUT ns uuid, OUT head bigint, OUT moved bigint, OUT is_full boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    v_rows bigint;
BEGIN
    SELECT l.ns, l.head_seq INTO ns, head FROM stock.cache_lane l WHERE l.lane = p_lane FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- A statement of its own, so its snapshot is younger than the lock: what an earlier drain moved is gone from it.
    WITH taken AS (
        DELETE FROM stock.cache_outbox o
        WHERE o.id = ANY (ARRAY(
            SELECT c.id FROM stock.cache_outbox c WHERE c.lane = p_lane ORDER BY c.id LIMIT p_limit))
        RETURNING o.id, o.xid, o.tenant_id, o.module
    ), scope AS (
        SELECT t.tenant_id, t.module, array_agg(t.xid ORDER BY t.id) AS xids,
               row_number() OVER (ORDER BY min(t.id)) AS place
        FROM taken t GROUP BY t.tenant_id, t.module
    ), logged AS (
        INSERT INTO stock.cache_log (lane, seq, tag, tenant_id, module, xids)
        SELECT p_lane, head + s.place, floor(random() * 2147483647)::integer, s.tenant_id, s.module, s.xids
        FROM scope s
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM logged) INTO v_rows, moved;
    is_full := v_rows >= p_limit;
    head := head + moved;
    UPDATE stock.cache_lane l
    SET head_seq = head, drains = l.drains + CASE WHEN is_full THEN 0 ELSE 1 END
    WHERE l.lane = p_lane;
    IF moved = 0 THEN
        -- Nothing would be lost with this commit but a count, which readers take as a crash and start over.
        PERFORM set_config('synchronous_commit', 'off', true);
    ELSIF p_notify THEN
        PERFORM pg_notify('stock_cache', p_lane::text);
    END IF;
END
$$;

-- The lane and its log from a position on (NULL: the newest row), with the snapshot both were read in.
CREATE FUNCTION stock.cache_follow(p_lane smallint, p_from_seq bigint, p_limit integer)
RETURNS TABLE (
    ns uuid, database_identity text, head bigint, drains bigint,
    seq bigint, tag integer, tenant_id bigint, module text, xids xid8[], snapshot pg_snapshot
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.ns, l.database_identity, l.head_seq, l.drains,
           g.seq, g.tag, g.tenant_id, g.module, g.xids, pg_current_snapshot()
    FROM stock.cache_lane l
    LEFT JOIN stock.cache_log g ON g.lane = l.lane AND g.seq >= coalesce(
        p_from_seq, (SELECT n.seq FROM stock.cache_log n WHERE n.lane = p_lane ORDER BY n.seq DESC LIMIT 1))
    WHERE l.lane = p_lane
    ORDER BY g.seq
    LIMIT p_limit;
END;

-- Deletes log rows older than an hour, never the newest. At most p_limit, so that a relay can do it between drains.
CREATE FUNCTION stock.cache_prune(p_lane smallint, p_keep interval, p_limit integer) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
    WITH old AS (
        SELECT g.seq FROM stock.cache_log g
        WHERE g.lane = p_lane AND g.logged_at < now() - p_keep
          AND g.seq < (SELECT l.head_seq FROM stock.cache_lane l WHERE l.lane = p_lane)
        ORDER BY g.seq LIMIT p_limit
    ), gone AS (
        DELETE FROM stock.cache_log g USING old WHERE g.lane = p_lane AND g.seq = old.seq RETURNING 1
    )
    SELECT count(*) FROM gone;
END;

-- Which cluster, on which timeline: differs after a restore or a promotion.
CREATE FUNCTION stock.cache_identity() RETURNS text
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT system_identifier::text || '/' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)
    FROM pg_control_system();
END;

-- What later migrations make tables with -----------------------------------------------------------------------------

-- Forces row-level security with the one accepted policy and grants stock_app what the table's use needs.
CREATE PROCEDURE stock.secure_table(p_table regclass, p_grants text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', p_table);
    EXECUTE format($f$CREATE POLICY tenant ON %s USING (
        tenant_id = NULLIF(current_setting('stock.tenant_id', true), '')::bigint)$f$, p_table);
    EXECUTE format('GRANT %s ON %s TO stock_app', p_grants, p_table);
END
$$;

-- Adds the statement triggers by which changes of the table retire what was cached from it. `ENABLE ALWAYS`: also under
-- session_replication_role = replica, as a restore sets it. p_function: cache_touch, or one that reads the rows closer.
CREATE PROCEDURE stock.watch_table(p_table regclass, p_function text, VARIADIC p_modules text[] DEFAULT '{}')
LANGUAGE plpgsql AS $$
DECLARE
    v_arguments text := (SELECT coalesce(string_agg(quote_literal(m), ', '), '') FROM unnest(p_modules) AS m);
    v_event text[];
BEGIN
    FOREACH v_event SLICE 1 IN ARRAY ARRAY[
        ['insert', 'NEW TABLE AS changed'],
        ['update', CASE WHEN p_function = 'cache_touch' THEN '' ELSE 'OLD TABLE AS replaced ' END
                   || 'NEW TABLE AS changed'],
        ['delete', 'OLD TABLE AS changed']
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER cache_%s AFTER %s ON %s REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION stock.%I(%s)',
            v_event[1], upper(v_event[1]), p_table, v_event[2], p_function, v_arguments);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER cache_%s', p_table, v_event[1]);
    END LOOP;
    EXECUTE format(
        'CREATE TRIGGER cache_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION stock.cache_truncated()',
        p_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER cache_truncate', p_table);
END
$$;

REVOKE ALL ON PROCEDURE stock.secure_table(regclass, text), stock.watch_table(regclass, text, text[]) FROM PUBLIC;

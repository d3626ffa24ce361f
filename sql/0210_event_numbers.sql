-- Events are numbered densely per tenant after their commit, in the drain that makes the log: what is numbered and what says
-- that it is are one transaction, so no crash comes between. docs/decisions/0051-numbered-events.md tells why it is so.

-- Which transaction wrote an event. Those of before count as written by this one.
ALTER TABLE stock.domain_event ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();

-- What is not numbered yet: what open units wrote, and what committed since the last drain.
CREATE INDEX domain_event_unnumbered_idx ON stock.domain_event (tenant_id, id) WHERE seq IS NULL;

-- Nothing numbered events before: they come in the order of their writing.
ALTER TABLE stock.domain_event NO FORCE ROW LEVEL SECURITY;
UPDATE stock.domain_event e
SET seq = n.seq
FROM (SELECT o.tenant_id, o.id, row_number() OVER (PARTITION BY o.tenant_id ORDER BY o.id) AS seq FROM stock.domain_event o) n
WHERE e.tenant_id = n.tenant_id AND e.id = n.id AND e.seq IS NULL;
ALTER TABLE stock.domain_event FORCE ROW LEVEL SECURITY;

-- An event whose transaction has retired nothing of its tenant leaves a row of the outbox of its own, so that the drain comes
-- by, and a row of the log says so. `events` is no module: nothing is cached under it. The condition is in the function, as one
-- of the trigger's would be prepared anew by every statement.
CREATE FUNCTION stock.event_written() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq IS NULL
       AND starts_with(current_setting('stock.touched', true),
                       'xid:' || pg_current_xact_id() || ' tenant:' || NEW.tenant_id || ' ') IS NOT TRUE THEN
        INSERT INTO stock.cache_outbox (tenant_id, modules) VALUES (NEW.tenant_id, '{events}');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER written AFTER INSERT ON stock.domain_event FOR EACH ROW EXECUTE FUNCTION stock.event_written();
ALTER TABLE stock.domain_event ENABLE ALWAYS TRIGGER written;

-- Numbers what a tenant's committed transactions wrote, p_limit events at most, and says how many. Only while the lane is
-- held, and in a statement that began after it was: so no other has given a number since.
--
-- Transactions come by the last event that each wrote: of two that waited for one another that is the order of their commits.
CREATE FUNCTION stock.number_events(p_tenant bigint, p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_ids   bigint[];
    v_head  bigint;
    v_count integer;
BEGIN
    SELECT array_agg(n.id ORDER BY n.place, n.id),
           coalesce((SELECT e.seq FROM stock.domain_event e
                     WHERE e.tenant_id = p_tenant AND e.seq IS NOT NULL ORDER BY e.seq DESC LIMIT 1), 0)
    INTO v_ids, v_head
    FROM (SELECT e.id, max(e.id) OVER (PARTITION BY e.xid) AS place
          FROM stock.domain_event e WHERE e.tenant_id = p_tenant AND e.seq IS NULL) n;
    v_count := least(coalesce(cardinality(v_ids), 0), p_limit);
    FOR v_place IN 1 .. v_count LOOP
        UPDATE stock.domain_event e SET seq = v_head + v_place WHERE e.tenant_id = p_tenant AND e.id = v_ids[v_place];
    END LOOP;
    RETURN v_count;
END
$$;

-- As before, and numbers the events of the tenants whose rows it moves: at most p_limit of each, the rest is next.
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
    v_tenants bigint[];
    v_tenant  bigint;
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
    SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM logged), (SELECT min(t.touched_at) FROM taken t),
           ARRAY(SELECT DISTINCT t.tenant_id FROM taken t)
    INTO v_rows, v_moved, v_touched, v_tenants;
    IF v_rows > 0 THEN
        -- The statements in the loop are younger than this one: whatever a row moved here stands for is seen by them.
        FOREACH v_tenant IN ARRAY v_tenants LOOP
            PERFORM set_config('stock.tenant_id', v_tenant::text, true);
            IF stock.number_events(v_tenant, p_limit) >= p_limit THEN
                INSERT INTO stock.cache_outbox (lane, tenant_id, modules) VALUES (p_lane, v_tenant, '{events}');
            END IF;
        END LOOP;
        PERFORM set_config('stock.tenant_id', '', true);
    END IF;
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

-- Deletes numbered events that are older than p_keep, the oldest first and never a tenant's newest, which says what the next
-- number is. A step: of a hundred tenants at most, those after p_after, and p_limit events. next_after: where the next step
-- begins, NULL at the end; a tenant that has more is met again.
CREATE FUNCTION stock.prune_events(
    p_after bigint, p_keep interval, p_limit integer, OUT next_after bigint, OUT pruned bigint
)
LANGUAGE plpgsql
SET enable_sort = off SET enable_bitmapscan = off AS $$
DECLARE
    v_tenant bigint;
    v_last   bigint := p_after;
    v_seen   integer := 0;
    v_gone   bigint;
    v_until  bigint;
BEGIN
    pruned := 0;
    FOR v_tenant IN SELECT t.id FROM stock.tenant t WHERE t.id > p_after ORDER BY t.id LIMIT 100 LOOP
        PERFORM set_config('stock.tenant_id', v_tenant::text, true);
        -- The first that stays: one that is young, or the first there is no room for, or the newest.
        v_until := coalesce(
            (SELECT o.seq
             FROM (SELECT e.seq, e.recorded_at, row_number() OVER (ORDER BY e.seq) AS place FROM stock.domain_event e
                   WHERE e.tenant_id = v_tenant AND e.seq IS NOT NULL ORDER BY e.seq LIMIT p_limit - pruned + 1) o
             WHERE o.recorded_at >= now() - p_keep OR o.place > p_limit - pruned
             ORDER BY o.seq LIMIT 1),
            (SELECT e.seq FROM stock.domain_event e
             WHERE e.tenant_id = v_tenant AND e.seq IS NOT NULL ORDER BY e.seq DESC LIMIT 1));
        DELETE FROM stock.domain_event e WHERE e.tenant_id = v_tenant AND e.seq < v_until;
        GET DIAGNOSTICS v_gone = ROW_COUNT;
        pruned := pruned + v_gone;
        v_seen := v_seen + 1;
        IF pruned >= p_limit THEN
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

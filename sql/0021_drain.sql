-- The drain answers what a relay needs next. It used to ask for the rows it had just moved by another round trip, which
-- every peer waited for.

-- When the row was written, not when its transaction began: what people are told of is the way from commit to cache.
ALTER TABLE stock.cache_outbox ALTER COLUMN touched_at SET DEFAULT clock_timestamp();

-- stock.cache_drain, and if rows were moved, the log from p_from_seq on as stock.cache_follow gives it, NULL: without rows.
-- No row at all: another relay holds the lane. moved: log rows written. is_full: the limit was reached, drain again.
-- oldest: the age of the oldest outbox row moved, in microseconds by this server's clock.
CREATE FUNCTION stock.cache_drain_follow(
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
        RETURNING o.id, o.xid, o.tenant_id, o.module, o.touched_at
    ), scope AS (
        SELECT t.tenant_id, t.module, array_agg(t.xid ORDER BY t.id) AS xids,
               row_number() OVER (ORDER BY min(t.id)) AS place
        FROM taken t GROUP BY t.tenant_id, t.module
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

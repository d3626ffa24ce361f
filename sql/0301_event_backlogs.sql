-- Events that have waited, as before, but more of them at once the more there are. Who numbers looks at all that wait, as the last event of
-- a transaction may be anywhere among them: a batch at a time, each batch of a million cost half a second and more, nearly all of it looking.
CREATE OR REPLACE FUNCTION stock.number_events(p_tenant bigint, p_limit integer) RETURNS integer
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
    v_count := coalesce(cardinality(v_ids), 0);
    -- To look at all that wait costs about as much as to write a tenth of them; and no more than a statement has time for.
    v_count := least(v_count, greatest(p_limit, least(v_count / 10, 20000)));
    FOR v_place IN 1 .. v_count LOOP
        UPDATE stock.domain_event e SET seq = v_head + v_place WHERE e.tenant_id = p_tenant AND e.id = v_ids[v_place];
    END LOOP;
    RETURN v_count;
END
$$;

-- And no more than some 20,000 in one step of the relay, of however many tenants: the others are next.
CALL stock.amend('cache_drain_follow', $$
    v_tenant  bigint;$$, $$
    v_tenant  bigint;
    v_count   integer;
    v_left    integer := 20000;$$);
CALL stock.amend('cache_drain_follow', $$
            IF stock.number_events(v_tenant, p_limit) >= p_limit THEN$$, $$
            v_count := CASE WHEN v_left > 0 THEN stock.number_events(v_tenant, p_limit) ELSE p_limit END;
            v_left := v_left - v_count;
            IF v_count >= p_limit THEN$$);

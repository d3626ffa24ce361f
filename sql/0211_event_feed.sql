-- What a consumer reads of a tenant's events: along their numbers, with where they begin and end.

-- The events numbered after p_after, p_count at most, from the oldest there is if p_after is NULL. first: the number that the
-- oldest has, or will have; head: the newest number given, 0 before any. Where there is no event in between one row says these
-- two.
CREATE FUNCTION stock.event_page(p_after bigint, p_count integer)
RETURNS TABLE (first bigint, head bigint, seq bigint, type text, body text)
LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_head   bigint := coalesce((SELECT e.seq FROM stock.domain_event e
                                 WHERE e.tenant_id = v_tenant AND e.seq IS NOT NULL ORDER BY e.seq DESC LIMIT 1), 0);
    v_first  bigint := coalesce((SELECT e.seq FROM stock.domain_event e
                                 WHERE e.tenant_id = v_tenant AND e.seq IS NOT NULL ORDER BY e.seq LIMIT 1), 1);
BEGIN
    RETURN QUERY
    SELECT v_first, v_head, e.seq, e.type,
           (SELECT row_to_json(r)::text FROM (
               SELECT e.seq, e.type, e.entity_id, stock.rfc3339(e.occurred_at) AS occurred_at,
                      stock.rfc3339(e.recorded_at) AS recorded_at, e.user_id AS actor, coalesce(e.payload, '{}') AS data) r)
    FROM stock.domain_event e
    WHERE e.tenant_id = v_tenant AND e.seq > coalesce(p_after, v_first - 1)
    ORDER BY e.seq LIMIT p_count;
    IF NOT FOUND THEN
        RETURN QUERY SELECT v_first, v_head, NULL::bigint, NULL::text, NULL::text;
    END IF;
END
$$;

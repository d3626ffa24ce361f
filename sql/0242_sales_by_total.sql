-- Sales of some days by what they came to, along an index of each day. docs/decisions/0058-lists-in-exact-order.md tells what it costs.

-- A number in the order of totals, as for prices (0232).
ALTER TABLE stock.sale ADD COLUMN total_key bigint GENERATED ALWAYS AS ((total * 10000)::bigint) STORED;
-- Sales of today are put in at its end, which is in memory: an index of totals alone would be entered all over.
CREATE INDEX sale_total_idx ON stock.sale (tenant_id, business_day, total_key, id) WHERE total_key IS NOT NULL;

-- A page of the sales of some business days, 31 at most, by what they came to. Those of a customer, and those that are in another state
-- than confirmed, are few, as a rule: they are read and sorted. Of others each day is read in its order, by a branch of its own of one
-- statement that merges them, and no further than the page needs. The branches are alike but for their day, so they are written here.
DO $do$
DECLARE
    v_page text := (
        SELECT string_agg(format($day$
            (SELECT s.id, s.total, s.total_key FROM stock.sale s
             WHERE p_from + %1$s <= p_to AND s.tenant_id = v_tenant AND s.business_day = p_from + %1$s AND s.total_key IS NOT NULL
               AND (s.total_key, s.id) {beyond} (v_key, v_id) AND s.status = ANY (v_states)
               AND (p_user IS NULL OR s.user_id = p_user) AND (p_register IS NULL OR s.register_id = p_register)
             ORDER BY s.total_key {order}, s.id {order} LIMIT p_count)$day$, n),
            ' UNION ALL' ORDER BY n)
        FROM generate_series(0, 30) n);
BEGIN
    v_page := format($page$
        RETURN QUERY
        SELECT s.id, s.total::text FROM (%s
        ) s ORDER BY s.total_key {order}, s.id {order} LIMIT p_count;$page$, v_page);
    EXECUTE format($create$
CREATE OR REPLACE FUNCTION stock.sales_by_total(
    p_descending boolean, p_status text, p_register uuid, p_customer uuid, p_from date, p_to date, p_after numeric, p_after_id uuid,
    p_count integer, p_user uuid
) RETURNS TABLE (id uuid, total text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $function$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_first  timestamptz := (p_from - 1)::timestamptz;
    v_last   timestamptz := (p_to + 2)::timestamptz;
    v_states text[] := CASE WHEN p_status IS NULL THEN '{confirmed,cancelled}' ELSE ARRAY[p_status] END;
    -- No total has more than 18 digits.
    v_key    bigint := coalesce(p_after * 10000, CASE WHEN p_descending THEN 2e18 ELSE -2e18 END);
    v_id     uuid := coalesce(p_after_id, '00000000-0000-0000-0000-000000000000');
    v_few    uuid[];
BEGIN
    IF p_customer IS NOT NULL THEN
        v_few := ARRAY(
            SELECT s.id FROM stock.sale s
            WHERE s.tenant_id = v_tenant AND s.customer_id = p_customer AND s.occurred_at >= v_first AND s.occurred_at < v_last
              AND s.status = ANY (v_states));
    ELSIF p_status <> 'confirmed' THEN
        v_few := ARRAY(
            SELECT s.id FROM stock.sale s
            WHERE s.tenant_id = v_tenant AND s.status = p_status AND s.status <> 'confirmed'
              AND s.occurred_at >= v_first AND s.occurred_at < v_last);
    END IF;
    IF v_few IS NOT NULL THEN
        RETURN QUERY
        SELECT s.id, s.total::text
        FROM unnest(v_few) AS w (id), LATERAL (
            SELECT o.id, o.total, o.total_key, o.user_id, o.register_id, o.business_day FROM stock.sale o
            WHERE o.tenant_id = v_tenant AND o.id = w.id OFFSET 0) s
        WHERE s.business_day BETWEEN p_from AND p_to
          AND CASE WHEN p_descending THEN (s.total_key, s.id) < (v_key, v_id) ELSE (s.total_key, s.id) > (v_key, v_id) END
          AND (p_user IS NULL OR s.user_id = p_user) AND (p_register IS NULL OR s.register_id = p_register)
        ORDER BY CASE WHEN p_descending THEN -s.total_key ELSE s.total_key END,
                 CASE WHEN p_descending THEN s.id END DESC, s.id LIMIT p_count;
    ELSIF p_descending THEN%s
    ELSE%s
    END IF;
END
$function$$create$,
        replace(replace(v_page, '{order}', 'DESC'), '{beyond}', '<'), replace(replace(v_page, '{order}', 'ASC'), '{beyond}', '>'));
END
$do$;

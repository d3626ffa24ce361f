-- Lists of sales by state, by register, by total and of days of the past.

-- States that are rare: no sale that is confirmed as it is made is ever in one of these. The first takes the place of sale_draft_idx, the
-- second that of sale_cancelled_idx, by which a customer's statement finds what was cancelled.
CREATE INDEX sale_state_idx ON stock.sale (tenant_id, status, occurred_at, id) WHERE status <> 'confirmed';
CREATE INDEX sale_customer_state_idx ON stock.sale (tenant_id, customer_id, status, occurred_at, id)
    WHERE status <> 'confirmed' AND customer_id IS NOT NULL;
DROP INDEX stock.sale_draft_idx;
DROP INDEX stock.sale_cancelled_idx;

CREATE OR REPLACE FUNCTION stock.sale_page(
    p_status text, p_register uuid, p_customer uuid, p_from date, p_to date, p_before timestamptz, p_before_id uuid,
    p_count integer, p_user uuid DEFAULT NULL
) RETURNS TABLE (id uuid, occurred_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    -- A business day is at most a day away from the moment's date in UTC.
    v_first  timestamptz := coalesce((p_from - 1)::timestamptz, '-infinity');
    v_last   timestamptz := least((p_to + 2)::timestamptz, p_before, 'infinity');
    -- What a page begins behind: an index is entered there, and not at whatever else bounds it.
    v_before timestamptz := v_last;
    v_id     uuid := CASE WHEN p_before = v_last THEN p_before_id ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff' END;
    v_states text[] := CASE WHEN p_status IS NULL THEN '{confirmed,cancelled}' ELSE ARRAY[p_status] END;
    v_floor  timestamptz;
    v_found  integer;
BEGIN
    IF p_status <> 'confirmed' AND p_customer IS NULL THEN
        RETURN QUERY
        SELECT s.id, s.occurred_at FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.status = p_status AND s.status <> 'confirmed'
          AND s.occurred_at BETWEEN v_first AND v_last AND (s.occurred_at, s.id) < (v_before, v_id)
          AND (p_user IS NULL OR s.user_id = p_user) AND (p_register IS NULL OR s.register_id = p_register)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count;
    ELSIF p_status <> 'confirmed' THEN
        RETURN QUERY
        SELECT s.id, s.occurred_at FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.customer_id = p_customer AND s.status = p_status AND s.status <> 'confirmed'
          AND s.occurred_at BETWEEN v_first AND v_last AND (s.occurred_at, s.id) < (v_before, v_id)
          AND (p_user IS NULL OR s.user_id = p_user) AND (p_register IS NULL OR s.register_id = p_register)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count;
    ELSIF p_customer IS NOT NULL THEN
        RETURN QUERY
        SELECT s.id, s.occurred_at FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.customer_id = p_customer AND s.occurred_at BETWEEN v_first AND v_last
          AND (s.occurred_at, s.id) < (v_before, v_id)
          AND s.status = ANY (v_states) AND (p_register IS NULL OR s.register_id = p_register)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count;
    ELSE
        -- Registers have no order of their own, which every sale would have to be put into: that of all sales is walked, up to here.
        IF p_register IS NOT NULL AND p_from IS NULL THEN
            SELECT s.occurred_at INTO v_floor FROM stock.sale s
            WHERE s.tenant_id = v_tenant AND s.occurred_at <= v_last AND (s.occurred_at, s.id) < (v_before, v_id)
            ORDER BY s.occurred_at DESC, s.id DESC OFFSET 2000 LIMIT 1;
            v_first := coalesce(v_floor, v_first);
        END IF;
        RETURN QUERY
        SELECT s.id, s.occurred_at FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.occurred_at BETWEEN v_first AND v_last
          AND (s.occurred_at, s.id) < (v_before, v_id)
          AND s.status = ANY (v_states) AND (p_register IS NULL OR s.register_id = p_register)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        -- One that has sold little for long is read whole instead, by its numbers.
        IF v_floor IS NOT NULL AND v_found < p_count THEN
            RETURN QUERY
            SELECT s.id, s.occurred_at
            FROM (SELECT o.id, o.occurred_at, o.status, o.business_day FROM stock.sale o
                  WHERE o.tenant_id = v_tenant AND o.register_id = p_register AND o.number IS NOT NULL OFFSET 0) s
            WHERE s.occurred_at < v_floor AND s.status = ANY (v_states) AND (p_to IS NULL OR s.business_day <= p_to)
            ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count - v_found;
        END IF;
    END IF;
END
$$;

-- A page of the sales of some business days by what they came to: those days are read whole, and sorted. No index has that order, as
-- every sale would have to be put into it.
CREATE FUNCTION stock.sales_by_total(
    p_descending boolean, p_status text, p_register uuid, p_customer uuid, p_from date, p_to date, p_after numeric, p_after_id uuid,
    p_count integer, p_user uuid
) RETURNS TABLE (id uuid, total text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_sign   integer := CASE WHEN p_descending THEN -1 ELSE 1 END;
    v_states text[] := CASE WHEN p_status IS NULL THEN '{confirmed,cancelled}' ELSE ARRAY[p_status] END;
BEGIN
    RETURN QUERY
    SELECT s.id, s.total::text
    FROM (SELECT o.* FROM stock.sale o
          WHERE o.tenant_id = v_tenant AND o.occurred_at >= (p_from - 1)::timestamptz AND o.occurred_at < (p_to + 2)::timestamptz
            AND o.business_day BETWEEN p_from AND p_to AND o.status = ANY (v_states)
            AND (p_user IS NULL OR o.user_id = p_user) AND (p_register IS NULL OR o.register_id = p_register)
            AND (p_customer IS NULL OR o.customer_id = p_customer) OFFSET 0) s
    WHERE p_after IS NULL OR (s.total * v_sign, s.id) > (p_after * v_sign, p_after_id)
    ORDER BY s.total * v_sign, s.id LIMIT p_count;
END
$$;

-- A page of documents of days of the past began behind what is behind all days: its index was entered at its end, and all that was
-- newer walked through.
DO $$
DECLARE
    v_function text;
BEGIN
    FOREACH v_function IN ARRAY '{payment_page,purchase_page,return_page,entry_page,quote_page,session_page}'::text[] LOOP
        CALL stock.amend(v_function, $was$    v_before timestamptz := coalesce(p_before, 'infinity');
    v_id     uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');$was$, $is$    v_before timestamptz := v_last;
    v_id     uuid := CASE WHEN p_before = v_last THEN p_before_id ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff' END;$is$);
    END LOOP;
END
$$;

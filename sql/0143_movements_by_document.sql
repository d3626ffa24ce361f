-- Movements by what they belong to and by why they were made.

-- Those that people enter say why; what documents move does not, and stays out of it.
CREATE INDEX stock_movement_reason_idx ON stock.stock_movement (tenant_id, reason, id) WHERE reason IS NOT NULL;

-- What moved, the last recorded first: of a product, a document, for a reason, at a place, of a kind, or all of it.
CREATE FUNCTION stock.movement_page(
    p_product uuid, p_kind text, p_from date, p_to date, p_before uuid, p_count integer, p_location uuid, p_ref uuid,
    p_reason text
) RETURNS TABLE (id uuid, recorded_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS $$
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
    IF p_ref IS NOT NULL THEN
        -- Found by the document and sorted then: in the order of the list all that ever moved would be looked through.
        RETURN QUERY
        WITH found AS MATERIALIZED (
            SELECT o.id, o.recorded_at FROM stock.stock_movement o
            WHERE o.tenant_id = v_tenant AND o.ref_id = p_ref AND o.ref_id IS NOT NULL
              AND (p_product IS NULL OR o.product_id = p_product) AND (p_kind IS NULL OR o.kind = p_kind)
              AND (p_location IS NULL OR o.location_id = p_location) AND (p_reason IS NULL OR o.reason = p_reason)
              AND (p_from IS NULL OR o.business_day >= p_from) AND (p_to IS NULL OR o.business_day <= p_to))
        SELECT m.id, m.recorded_at FROM found m WHERE m.id < v_before ORDER BY m.id DESC LIMIT p_count;
    ELSIF p_product IS NOT NULL THEN
        SELECT m.seq INTO v_seq FROM stock.stock_movement m WHERE m.tenant_id = v_tenant AND m.id = p_before;
        RETURN QUERY
        SELECT m.id, m.recorded_at FROM stock.stock_movement m
        WHERE m.tenant_id = v_tenant AND m.product_id = p_product AND m.seq < coalesce(v_seq, 9223372036854775807)
          AND (p_kind IS NULL OR m.kind = p_kind) AND (p_reason IS NULL OR m.reason = p_reason)
          AND (p_location IS NULL OR m.location_id = p_location)
          AND (p_from IS NULL OR m.business_day >= p_from) AND (p_to IS NULL OR m.business_day <= p_to)
        ORDER BY m.seq DESC LIMIT p_count;
    ELSIF p_reason IS NOT NULL THEN
        RETURN QUERY
        SELECT m.id, m.recorded_at FROM stock.stock_movement m
        WHERE m.tenant_id = v_tenant AND m.reason = p_reason AND m.reason IS NOT NULL AND m.id < v_before AND m.id >= v_first
          AND (p_kind IS NULL OR m.kind = p_kind) AND (p_location IS NULL OR m.location_id = p_location)
          AND (p_from IS NULL OR m.business_day >= p_from) AND (p_to IS NULL OR m.business_day <= p_to)
        ORDER BY m.id DESC LIMIT p_count;
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

-- As the binary before asks: of all documents, whatever the reason.
DROP FUNCTION stock.movement_page(uuid, text, date, date, uuid, integer, uuid);
CREATE FUNCTION stock.movement_page(
    p_product uuid, p_kind text, p_from date, p_to date, p_before uuid, p_count integer, p_location uuid
) RETURNS TABLE (id uuid, recorded_at timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT * FROM stock.movement_page(p_product, p_kind, p_from, p_to, p_before, p_count, p_location, NULL, NULL);
END
$$;

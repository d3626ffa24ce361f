-- Who holds goods back: the reservations that hold, by document, and by product where that is asked for.

CREATE INDEX reservation_product_idx ON stock.reservation (tenant_id, product_id, document_id) WHERE product_id IS NOT NULL;

CREATE FUNCTION stock.reservation_page(p_product uuid, p_location uuid, p_after uuid, p_after_product uuid, p_count integer)
RETURNS TABLE (document_id uuid, product_id uuid)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_after   uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
    v_product uuid := coalesce(p_after_product, '00000000-0000-0000-0000-000000000000');
BEGIN
    IF p_product IS NOT NULL THEN
        RETURN QUERY SELECT r.document_id, r.product_id FROM stock.reservation r
        WHERE r.tenant_id = v_tenant AND r.product_id = p_product AND r.document_id > v_after AND r.expires_at > now()
          AND (p_location IS NULL OR r.location_id = p_location)
        ORDER BY r.document_id LIMIT p_count;
    ELSE
        RETURN QUERY SELECT r.document_id, r.product_id FROM stock.reservation r
        WHERE r.tenant_id = v_tenant AND (r.document_id, r.product_id) > (v_after, v_product) AND r.expires_at > now()
          AND (p_location IS NULL OR r.location_id = p_location)
        ORDER BY r.document_id, r.product_id LIMIT p_count;
    END IF;
END
$$;

CREATE FUNCTION stock.reservation_body(p_tenant bigint, p_document uuid, p_product uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(b)::text INTO v_body FROM (
        SELECT r.kind, r.document_id, r.product_id, r.location_id, stock.quantity_text(r.quantity) AS quantity,
               stock.rfc3339(r.expires_at) AS reserved_until
        FROM stock.reservation r WHERE r.tenant_id = p_tenant AND r.document_id = p_document AND r.product_id = p_product
    ) b;
    RETURN v_body;
END
$$;

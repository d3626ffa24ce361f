-- A remark on a sale is all of it that can be written again, in any of its states.
CREATE FUNCTION stock.sale_annotate(p_sale uuid, p_versions bigint[], p_writes boolean, p_note text, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_version bigint;
BEGIN
    SELECT s.version INTO v_version FROM stock.sale s WHERE s.tenant_id = v_tenant AND s.id = p_sale FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such sale.');
    ELSIF NOT (v_version = ANY (coalesce(p_versions, ARRAY[v_version]))) THEN
        PERFORM stock.refuse('version_mismatch', 'The sale was changed meanwhile. Read it again.');
    END IF;
    UPDATE stock.sale s
    SET note = CASE WHEN p_writes THEN p_note ELSE s.note END, version = s.version + 1, updated_at = now()
    WHERE s.tenant_id = v_tenant AND s.id = p_sale;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.updated', p_sale, '{}', p_user, now());
END
$$;

-- What files bring is of the place that a row names, as what a till sends is.

-- A member who works at some places has no file of what is of places read: it names them row by row, and whoever reads it is not that
-- member. p_kind: what it is of; NULL for an import that is there.
CREATE FUNCTION stock.import_refuse_elsewhere(p_id uuid, p_kind text) RETURNS void
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_kind text := coalesce(p_kind, (SELECT r.kind FROM stock.import_request r
                                     WHERE r.tenant_id = stock.current_tenant() AND r.id = p_id));
BEGIN
    IF v_kind IN ('sales', 'stock', 'purchases', 'payments', 'expenses') THEN
        PERFORM stock.refuse('forbidden', 'A file names locations row by row; only who works at all of them may have it imported.');
    END IF;
END
$$;

-- The zone of the place at which a row happened: where the register stands that it names, else the location, else where the default register
-- stands. A name of nothing is refused elsewhere.
CREATE FUNCTION stock.import_zone(p_register text, p_location text) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_location uuid;
BEGIN
    IF p_register IS NOT NULL THEN
        v_location := (SELECT r.location_id FROM stock.register r
                       WHERE r.tenant_id = v_tenant AND r.active AND r.name_key = stock.folded(p_register));
    ELSIF p_location IS NOT NULL THEN
        v_location := (SELECT l.id FROM stock.location l
                       WHERE l.tenant_id = v_tenant AND l.active AND l.name_key = stock.folded(p_location));
    ELSE
        v_location := stock.import_location();
    END IF;
    RETURN coalesce((SELECT l.timezone FROM stock.location l WHERE l.tenant_id = v_tenant AND l.id = v_location),
                    (SELECT t.timezone FROM stock.tenant t WHERE t.id = v_tenant));
END
$$;

-- The zones of places are looked up for each document, where the shop has any.
CALL stock.amend('import_sales_check', $$
    v_tenant stock.tenant;
BEGIN$$, $$
    v_tenant   stock.tenant;
    v_is_zoned boolean := EXISTS (SELECT FROM stock.location l
                                  WHERE l.tenant_id = stock.current_tenant() AND l.timezone IS NOT NULL);
BEGIN$$);
CALL stock.amend('import_sales_check', $$m.occurred_at, (m.occurred_at AT TIME ZONE v_tenant.timezone)::date AS business_day$$, $$m.occurred_at,
                 (m.occurred_at AT TIME ZONE CASE WHEN v_is_zoned THEN stock.import_zone(f.register, f.location)
                                                  ELSE v_tenant.timezone END)::date AS business_day$$);
CALL stock.amend('import_apply', $$(g.business_day <> (g.occurred_at AT TIME ZONE v_zone)::date OR$$, $$(g.business_day <> (g.occurred_at AT TIME ZONE coalesce(
                   (SELECT l.timezone FROM stock.location l WHERE l.tenant_id = v_tenant AND l.id = g.location_id), v_zone))::date OR$$);

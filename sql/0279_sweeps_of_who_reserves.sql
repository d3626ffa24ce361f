-- The sweep of reservations asks the tenants that have ever wanted any, along an index of those, and no others: of 100,000 tenants that
-- want none it is one look. docs/decisions/0060-who-reserves-is-known.md tells why it is the tenant that is known and not its reservations.

-- Whether drafts or quotes of it have ever held goods back; it stays so, as what was promised outlives the setting.
ALTER TABLE stock.tenant ADD COLUMN has_reserved boolean NOT NULL DEFAULT false;
CREATE INDEX tenant_has_reserved_idx ON stock.tenant (id) WHERE has_reserved;

CREATE FUNCTION stock.tenant_reserves() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.has_reserved := true;
    RETURN NEW;
END
$$;
CREATE TRIGGER reserves BEFORE INSERT OR UPDATE ON stock.tenant FOR EACH ROW
    WHEN (NEW.draft_reservation_minutes IS NOT NULL OR NEW.quote_reservation_days IS NOT NULL)
    EXECUTE FUNCTION stock.tenant_reserves();
ALTER TABLE stock.tenant ENABLE ALWAYS TRIGGER reserves;

-- Those that do, and those that did until now: their reservations are seen as each of them alone.
DO $$
DECLARE
    v_tenant bigint;
BEGIN
    FOR v_tenant IN SELECT t.id FROM stock.tenant t ORDER BY t.id LOOP
        PERFORM set_config('stock.tenant_id', v_tenant::text, true);
        UPDATE stock.tenant t SET has_reserved = true
        WHERE t.id = v_tenant
          AND (t.draft_reservation_minutes IS NOT NULL OR t.quote_reservation_days IS NOT NULL
               OR EXISTS (SELECT FROM stock.reservation r WHERE r.tenant_id = v_tenant));
    END LOOP;
    PERFORM set_config('stock.tenant_id', '', true);
END
$$;

CALL stock.amend('sweep_reservations', 'FROM stock.tenant t WHERE t.id > p_after ORDER BY t.id LIMIT 100',
    'FROM stock.tenant t WHERE t.has_reserved AND t.id > p_after ORDER BY t.id LIMIT 100');

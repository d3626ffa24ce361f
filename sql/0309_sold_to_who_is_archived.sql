-- A sale that has happened is of its customer, who may have been archived before the till came back: that is written down beside it, like
-- whatever else it would be refused for. Refused, the debt was written nowhere.
CREATE OR REPLACE FUNCTION stock.customer_buys(p_customer uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_active boolean := (SELECT c.active FROM stock.customer c
                         WHERE c.tenant_id = stock.current_tenant() AND c.id = p_customer);
BEGIN
    IF v_active THEN
        RETURN;
    ELSIF v_active IS NOT NULL AND stock.is_fact() THEN
        PERFORM set_config('stock.noted', (current_setting('stock.noted')::jsonb || jsonb_build_array(jsonb_build_object(
            'pointer', '/customer_id', 'code', 'not_found', 'detail', 'The customer was archived.')))::text, true);
    ELSE
        PERFORM stock.refuse_field('not_found', '/customer_id', 'There is no such active customer.');
    END IF;
END
$$;

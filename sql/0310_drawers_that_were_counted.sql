-- A sale that has happened is of no session which began after its drawer was counted. Its cash was counted with the session that was open
-- then, as too much; taken into the next one, it was missing there, and two sessions were wrong. Somebody is told: what was too much was it.
DROP FUNCTION stock.till(uuid, boolean);
CREATE FUNCTION stock.till(
    p_register uuid, p_takes_cash boolean, p_at timestamptz DEFAULT NULL, OUT id uuid, OUT location_id uuid
)
LANGUAGE plpgsql AS $$
DECLARE
    v_register record := stock.register_named(p_register);
    v_counted  timestamptz;
BEGIN
    IF p_at IS NOT NULL AND stock.is_fact() THEN
        SELECT s.closed_at INTO v_counted FROM stock.cash_session s
        WHERE s.tenant_id = stock.current_tenant() AND s.register_id = v_register.id AND s.status = 'closed'
        ORDER BY s.opened_at DESC, s.id DESC LIMIT 1;
    END IF;
    IF v_counted > p_at THEN
        PERFORM set_config('stock.cash_session', '', true);
        IF p_takes_cash THEN
            PERFORM stock.refuse('session_closed', 'Its drawer was counted since.', json_build_array(json_build_object(
                'pointer', '/register_id', 'code', 'session_closed',
                'detail', format('The drawer was counted since, on %s; what was found too much there may be this sale.',
                                 stock.rfc3339(v_counted)),
                'register_id', v_register.id)));
        END IF;
    ELSIF v_register.session_id IS NOT NULL THEN
        PERFORM stock.enter_session(v_register.session_id);
    ELSIF v_register.requires_session AND p_takes_cash THEN
        PERFORM stock.refuse_without_session(v_register.id, '/register_id');
    ELSIF stock.current_session() IS NOT NULL THEN
        PERFORM set_config('stock.cash_session', '', true);
    END IF;
    id := v_register.id;
    location_id := v_register.location_id;
    PERFORM stock.stand_at(id, location_id);
END
$$;
CALL stock.amend('sale_confirm', $$v_register := stock.till(p_register, 'cash' = ANY (p_kinds));$$, $$v_register := stock.till(p_register, 'cash' = ANY (p_kinds), p_occurred_at);$$);

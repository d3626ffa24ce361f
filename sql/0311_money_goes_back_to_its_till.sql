-- What was paid is undone where it was paid: at the register that its row of the ledger names, whether or not a session was open there, and at
-- none if no till took it. It went out of the register of its sale else, so that a debt paid at another till without sessions was missing at
-- the one that had sold.
CREATE OR REPLACE FUNCTION stock.open_drawer_of(p_payment uuid, p_method text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_register uuid := (
        SELECT e.register_id FROM stock.ledger_entry e
        WHERE e.tenant_id = v_tenant AND e.source_type = 'payment' AND e.source_id = p_payment AND e.reverses_id IS NULL);
BEGIN
    IF stock.has_cash(ARRAY[p_method])
       AND EXISTS (SELECT FROM stock.register g
                   WHERE g.tenant_id = v_tenant AND g.id = v_register AND g.active AND g.requires_session
                     AND g.session_id IS NULL) THEN
        PERFORM stock.refuse_without_session(v_register, '');
    ELSIF EXISTS (SELECT FROM stock.register g WHERE g.tenant_id = v_tenant AND g.id = v_register AND g.active) THEN
        PERFORM stock.till(v_register, stock.has_cash(ARRAY[p_method]));
    ELSE
        PERFORM set_config('stock.cash_session', '', true);
        PERFORM stock.stand_at(NULL, NULL);
    END IF;
END
$$;

-- So whoever works where that till stands may undo it; of a till that was retired, where it stood.
CALL stock.amend('place_of', $$            (SELECT r.location_id
             FROM (SELECT e.cash_session_id FROM stock.ledger_entry e
                   WHERE e.tenant_id = v_tenant AND e.source_type = 'payment' AND e.source_id = p_id AND e.reverses_id IS NULL
                   OFFSET 0) e
             JOIN stock.cash_session s ON s.tenant_id = v_tenant AND s.id = e.cash_session_id
             JOIN stock.register r ON r.tenant_id = v_tenant AND r.id = s.register_id),
$$, $$            (SELECT CASE WHEN r.active THEN r.location_id ELSE e.location_id END
             FROM (SELECT e.register_id, e.location_id FROM stock.ledger_entry e
                   WHERE e.tenant_id = v_tenant AND e.source_type = 'payment' AND e.source_id = p_id AND e.reverses_id IS NULL
                   OFFSET 0) e
             JOIN stock.register r ON r.tenant_id = v_tenant AND r.id = e.register_id),
$$);
CALL stock.amend('place_of', '-- Of no session and no sale: taken at the default register.',
                 '-- Of no register and no sale: it is as what is taken at the default one.');

-- Refuses a member who works at p_places alone to cancel a sale that was paid elsewhere: its money would go out of tills there.
CREATE FUNCTION stock.refuse_undoing_elsewhere(p_places uuid[], p_sale uuid) RETURNS void
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_payments uuid[] := ARRAY(
        SELECT p.id
        FROM (SELECT a.payment_id FROM stock.payment_allocation a
              WHERE a.tenant_id = v_tenant AND a.sale_id = p_sale OFFSET 0) a,
        LATERAL (SELECT o.id FROM stock.payment o
                 WHERE o.tenant_id = v_tenant AND o.id = a.payment_id AND o.status = 'confirmed' OFFSET 0) p);
BEGIN
    PERFORM stock.refuse_elsewhere(p_places, 'payment', v_payments, array_fill(''::text, ARRAY[cardinality(v_payments)]));
END
$$;

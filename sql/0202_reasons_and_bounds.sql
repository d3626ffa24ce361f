-- What is refused says why and where; what is taken can be ended.

-- Why a purchase was cancelled --------------------------------------------------------------------------------------------

CREATE TABLE stock.purchase_cancellation (
    tenant_id     bigint NOT NULL,
    purchase_id   uuid NOT NULL,
    reason        text CHECK (length(reason) BETWEEN 1 AND 500),
    user_id       uuid,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    business_day  date NOT NULL,
    PRIMARY KEY (tenant_id, purchase_id),
    FOREIGN KEY (tenant_id, purchase_id) REFERENCES stock.purchase (tenant_id, id)
);
ALTER TABLE stock.purchase_cancellation ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.purchase_cancellation', 'SELECT, INSERT');
CALL stock.watch_table('stock.purchase_cancellation', 'cache_touch', 'purchases');

CALL stock.amend('purchase_cancel', $$    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'purchase.cancelled', p_purchase, json_build_object('number', v_purchase.number), p_user,
$$, $$    INSERT INTO stock.purchase_cancellation (tenant_id, purchase_id, reason, user_id, occurred_at, business_day)
    VALUES (v_tenant, p_purchase, p_reason, p_user, v_moment.occurred_at, v_moment.business_day);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'purchase.cancelled', p_purchase,
            json_build_object('number', v_purchase.number, 'reason', p_reason), p_user,
$$);
CALL stock.amend('purchase_body', $$        SELECT (SELECT coalesce(json_agg(row_to_json(b) ORDER BY b.position), '[]') FROM ($$,
    $$        SELECT (SELECT row_to_json(c) FROM (
                    SELECT n.reason, n.user_id, stock.rfc3339(n.occurred_at) AS occurred_at, n.business_day
                    FROM stock.purchase_cancellation n
                    WHERE n.tenant_id = p_tenant AND n.purchase_id = p_id) c) AS cancellation,
               (SELECT coalesce(json_agg(row_to_json(b) ORDER BY b.position), '[]') FROM ($$);

-- Drawers that are closed ------------------------------------------------------------------------------------------------------

-- Refuses cash at a register that has no session and wants one. p_pointer: what names it, empty if the body does not.
CREATE FUNCTION stock.refuse_without_session(p_register uuid, p_pointer text) RETURNS void
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_sentence text;
BEGIN
    SELECT format('The register %s has no open cash session.', g.name) INTO v_sentence
    FROM stock.register g WHERE g.tenant_id = stock.current_tenant() AND g.id = p_register;
    PERFORM stock.refuse('session_closed', v_sentence, json_build_array(json_build_object(
        'pointer', p_pointer, 'code', 'session_closed', 'detail', v_sentence, 'register_id', p_register)));
END
$$;

CALL stock.amend('till', $$        PERFORM stock.refuse_field('session_closed', '/register_id', 'The register has no open cash session.');
$$, $$        PERFORM stock.refuse_without_session(v_register.id, '/register_id');
$$);
-- Whoever cancels or reverses names no register: it is the one where the money was taken.
CALL stock.amend('open_drawer_of', $$    IF EXISTS (SELECT FROM stock.register g WHERE g.tenant_id = v_tenant AND g.id = v_register AND g.active) THEN
$$, $$    IF stock.has_cash(ARRAY[p_method])
       AND EXISTS (SELECT FROM stock.register g
                   WHERE g.tenant_id = v_tenant AND g.id = v_register AND g.active AND g.requires_session
                     AND g.session_id IS NULL) THEN
        PERFORM stock.refuse_without_session(v_register, '');
    ELSIF EXISTS (SELECT FROM stock.register g WHERE g.tenant_id = v_tenant AND g.id = v_register AND g.active) THEN
$$);
CALL stock.amend('entry_reverse', $$    IF EXISTS (SELECT FROM stock.register g WHERE g.tenant_id = v_tenant AND g.id = v_entry.register_id AND g.active) THEN
$$, $$    IF stock.has_cash(ARRAY[v_entry.method])
       AND EXISTS (SELECT FROM stock.register g
                   WHERE g.tenant_id = v_tenant AND g.id = v_entry.register_id AND g.active AND g.requires_session
                     AND g.session_id IS NULL) THEN
        PERFORM stock.refuse_without_session(v_entry.register_id, '');
    ELSIF EXISTS (SELECT FROM stock.register g WHERE g.tenant_id = v_tenant AND g.id = v_entry.register_id AND g.active) THEN
$$);

-- Places where members work ----------------------------------------------------------------------------------------------------

-- A place where a member works is not deleted: without it, who works there alone would work everywhere.
CREATE FUNCTION stock.location_worked_at() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_errors json;
BEGIN
    PERFORM FROM stock.location l WHERE l.tenant_id = OLD.tenant_id AND l.id = OLD.id FOR UPDATE;
    SELECT json_agg(json_build_object('pointer', '', 'code', 'in_use', 'detail', format('The member %s works there.', m.user_id),
                                      'user_id', m.user_id) ORDER BY m.user_id)
    INTO v_errors
    FROM stock.membership m WHERE m.tenant_id = OLD.tenant_id AND OLD.id = ANY (m.location_ids);
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('in_use', 'Members work there; have them work elsewhere first, or close it.', v_errors);
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER worked_at BEFORE DELETE ON stock.location
    FOR EACH ROW EXECUTE FUNCTION stock.location_worked_at();

-- Refuses places that nobody can work at, and holds those that are there.
CREATE OR REPLACE FUNCTION stock.member_places(p_places uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
DECLARE
    v_errors json;
BEGIN
    PERFORM FROM stock.location l
    WHERE l.tenant_id = stock.current_tenant() AND l.id = ANY (p_places) ORDER BY l.id FOR KEY SHARE;
    SELECT json_agg(json_build_object('pointer', '/location_ids/' || w.n - 1, 'code', 'not_found',
                                      'detail', 'There is no such location.') ORDER BY w.n)
    INTO v_errors
    FROM unnest(p_places) WITH ORDINALITY AS w (id, n)
    WHERE NOT EXISTS (SELECT FROM stock.location l
                      WHERE l.tenant_id = stock.current_tenant() AND l.id = w.id AND l.kind <> 'transit');
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'The member is not valid.', v_errors);
    END IF;
END
$$;

-- Sums that are too large ------------------------------------------------------------------------------------------------------

-- A purchase whose sums can be kept, and whose goods can be received at what a piece of them costs.
CREATE FUNCTION stock.refuse_sums(p_purchase uuid, p_has_lines boolean, p_goods numeric, p_costs numeric, p_shares numeric[])
RETURNS void
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(json_build_object('pointer', e.pointer, 'code', 'out_of_range', 'detail', e.sentence) ORDER BY e.place)
    INTO v_errors
    FROM (SELECT 0 AS place, v.pointer, v.sentence
          FROM (VALUES (p_goods >= 100000000000000, '/lines', 'The lines come to too much.'),
                       (p_goods < 100000000000000 AND p_goods + p_costs >= 100000000000000, '/costs',
                        'With its costs the purchase comes to too much.')) AS v (holds, pointer, sentence)
          WHERE v.holds
          UNION ALL
          SELECT l.position, CASE WHEN p_has_lines THEN format('/lines/%s/quantity', l.position - 1) ELSE '/costs' END,
                 'With its share of the costs a piece comes to too much.'
          FROM stock.purchase_line l
          WHERE l.tenant_id = stock.current_tenant() AND l.purchase_id = p_purchase
            AND l.unit_cost + p_shares[l.position] / l.quantity >= 1000000000000) e;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'The purchase comes to too much.', v_errors);
    END IF;
END
$$;
CALL stock.amend('purchase_compose', $$    UPDATE stock.purchase_line l SET cost_share = v_shares[l.position]
$$, $$    PERFORM stock.refuse_sums(p_purchase, p_lines IS NOT NULL, v_goods, v_costs, v_shares);
    UPDATE stock.purchase_line l SET cost_share = v_shares[l.position]
$$);

-- What should be in a drawer is a sum of as much as was ever paid there: it can be more than what is paid at once, and is never why
-- a session stays open. What is missing or too much goes to the ledger, which holds an amount.
ALTER TABLE stock.cash_session ALTER COLUMN expected TYPE numeric, ALTER COLUMN difference TYPE numeric;
CALL stock.amend('session_close', $$    v_expected := stock.session_expected(p_session);
$$, $$    v_expected := stock.session_expected(p_session);
    IF abs(v_counted - v_expected) >= 100000000000000 THEN
        PERFORM stock.refuse_field('out_of_range', CASE WHEN p_counted IS NULL THEN '/counts' ELSE '/counted' END,
                                   format('%s should be there, from which it is further than can be booked; drop some first.',
                                          stock.money_text(v_expected, v_exponent)));
    END IF;
$$);

-- Counts ---------------------------------------------------------------------------------------------------------------------------

-- Closing a count is one unit, which holds the levels of what it moves: 10,000 of them for about a second. A count is not larger.
CALL stock.amend('count_enter', $$    INSERT INTO stock.stock_count_line AS c (tenant_id, count_id, $$, $$    SELECT json_agg(json_build_object(
               'pointer', '/lines/' || w.place - 1 || '/counted', 'code', 'out_of_range',
               'detail', format('It is further from the %s that should be there than can be moved.',
                                stock.quantity_text(n.on_hand))) ORDER BY w.place)
    INTO v_errors
    FROM unnest(v_products, p_counted) WITH ORDINALITY AS w (id, counted, place), LATERAL (
        SELECT o.on_hand FROM stock.location_level o
        WHERE o.tenant_id = v_tenant AND o.product_id = w.id AND o.location_id = v_location OFFSET 0) n
    WHERE w.counted - n.on_hand >= 1000000000000;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'The lines can not be entered.', v_errors);
    END IF;
    INSERT INTO stock.stock_count_line AS c (tenant_id, count_id, $$);
CALL stock.amend('count_enter', $$ user_id = excluded.user_id, counted_at = now();
$$, $$ user_id = excluded.user_id, counted_at = now();
    IF (SELECT count(*) FROM (SELECT FROM stock.stock_count_line l
                              WHERE l.tenant_id = v_tenant AND l.count_id = p_count LIMIT 10001) l) > 10000 THEN
        PERFORM stock.refuse_field('too_many', '/lines',
                                   'A count has at most 10000 products. Close it, and enter these in another one.');
    END IF;
$$);

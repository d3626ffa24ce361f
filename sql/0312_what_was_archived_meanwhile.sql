-- What a till that was away has sold by, at or to may have been archived meanwhile: a payment method, the register itself, a customer. None of it
-- takes back what was sold, so each is written down beside the sale; refused, the money and the goods were written nowhere.

-- Writes down what the unit would have been refused for, if it did not write what has happened. p_errors: as those of a refusal.
CREATE FUNCTION stock.note(p_errors json) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('stock.noted', (current_setting('stock.noted')::jsonb || p_errors::jsonb)::text, true);
END
$$;

CALL stock.amend('refuse', $$        PERFORM set_config('stock.noted', (current_setting('stock.noted')::jsonb || p_errors::jsonb)::text, true);
$$, $$        PERFORM stock.note(p_errors);
$$);

CALL stock.amend('customer_buys', $$        PERFORM set_config('stock.noted', (current_setting('stock.noted')::jsonb || jsonb_build_array(jsonb_build_object(
            'pointer', '/customer_id', 'code', 'not_found', 'detail', 'The customer was archived.')))::text, true);
$$, $$        PERFORM stock.note(json_build_array(json_build_object(
            'pointer', '/customer_id', 'code', 'not_found', 'detail', 'The customer was archived.')));
$$);

-- The register that is named, else the default one. What has happened may be of one that was retired, as long as its place is open: at one
-- that is closed there are no goods that could have left.
CREATE OR REPLACE FUNCTION stock.register_named(
    p_register uuid, OUT id uuid, OUT location_id uuid, OUT session_id uuid, OUT requires_session boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    v_active boolean;
BEGIN
    SELECT g.id, g.location_id, g.session_id, g.requires_session, g.active
    INTO id, location_id, session_id, requires_session, v_active
    FROM stock.register g
    WHERE g.tenant_id = stock.current_tenant() AND (g.active OR stock.is_fact())
      AND (g.id = p_register OR p_register IS NULL AND g.is_default);
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('not_found', '/register_id', 'There is no such register.');
    ELSIF NOT v_active THEN
        PERFORM FROM stock.location l
        WHERE l.tenant_id = stock.current_tenant() AND l.id = location_id AND l.active FOR SHARE;
        IF NOT FOUND THEN
            PERFORM stock.refuse_field('invalid_state', '/register_id',
                                       'The register was retired and its location closed. Open the location to write this down.');
        END IF;
        PERFORM stock.note(json_build_array(json_build_object(
            'pointer', '/register_id', 'code', 'not_found', 'detail', 'The register was retired.')));
    END IF;
END
$$;

-- The kind of an archived method is fixed by what it took, as that of any other.
CALL stock.amend('post_money', $$m.code = p.method AND m.active OFFSET 0
$$, $$m.code = p.method AND (m.active OR stock.is_fact()) OFFSET 0
$$);
CALL stock.amend('post_money', $$        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'methods_changed';
    END IF;
$$, $$        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'methods_changed';
    END IF;
    IF stock.is_fact() THEN
        PERFORM stock.note(e.errors)
        FROM (SELECT json_agg(json_build_object('pointer', format('/payments/%s/method', p.place - 1), 'code', 'not_found',
                                                'detail', format('The payment method %s was archived.', m.name)) ORDER BY p.place) AS errors
              FROM unnest(p_postings) WITH ORDINALITY AS p (
                  payment_id, ledger_id, direction, category, method, amount, tendered, sale_id, return_id, customer_id, user_id,
                  occurred_at, business_day, place)
              JOIN stock.payment_method m ON m.tenant_id = v_tenant AND m.code = p.method AND NOT m.active) e
        WHERE e.errors IS NOT NULL;
    END IF;
$$);

-- How much a role may give back for what no sale is known of, approvals of that and of quotes, and both on the documents.
-- docs/decisions/0057-where-limits-are-asked-for.md tells what was chosen.

-- What a role may give back in one return without its sale; NULL is without limit, at 0 nothing is taken back.
ALTER TABLE stock.tenant
    ADD COLUMN manager_return_limit numeric(18,4) CHECK (manager_return_limit >= 0),
    ADD COLUMN cashier_return_limit numeric(18,4) DEFAULT 0 CHECK (cashier_return_limit >= 0);
CALL stock.amend('tenant_body', $$stock.quantity_text(t.manager_credit_limit) AS manager_credit_limit,
$$, $$stock.quantity_text(t.manager_credit_limit) AS manager_credit_limit,
               stock.money_text(t.manager_return_limit, t.currency_exponent) AS manager_return_limit,
               stock.money_text(t.cashier_return_limit, t.currency_exponent) AS cashier_return_limit,
$$);

-- Approvals -----------------------------------------------------------------------------------------------------------

-- Used by a sale, a return or a quote; one of them.
ALTER TABLE stock.approval
    ADD COLUMN return_limit numeric(18,4) CHECK (return_limit > 0),
    ADD COLUMN return_id uuid,
    ADD COLUMN quote_id uuid,
    DROP CONSTRAINT approval_of,
    DROP CONSTRAINT approval_used,
    ADD CONSTRAINT approval_of CHECK (num_nonnulls(discount_limit, credit_limit, return_limit) > 0) NOT VALID,
    ADD CONSTRAINT approval_used
        CHECK (num_nonnulls(sale_id, return_id, quote_id) = CASE WHEN used_at IS NULL THEN 0 ELSE 1 END) NOT VALID;
DROP INDEX stock.approval_open_idx;
CREATE INDEX approval_open_idx ON stock.approval (tenant_id, expires_at)
    WHERE sale_id IS NULL AND return_id IS NULL AND quote_id IS NULL;
-- A quote shows what was approved of as a sale and a return do.
DO $$
DECLARE
    v_trigger text;
BEGIN
    FOREACH v_trigger IN ARRAY '{cache_insert,cache_update,cache_delete,cache_truncate}'::text[] LOOP
        EXECUTE format('DROP TRIGGER %I ON stock.approval', v_trigger);
    END LOOP;
END
$$;
CALL stock.watch_table('stock.approval', 'cache_touch', 'sales', 'quotes');

-- Without keys, as that of a sale. I33 holds them against the approvals.
ALTER TABLE stock.sale_return ADD COLUMN approval_id uuid;
ALTER TABLE stock.sale_return ALTER COLUMN approval_id SET DEFAULT stock.current_approval();
ALTER TABLE stock.quote ADD COLUMN approval_id uuid;
ALTER TABLE stock.quote ALTER COLUMN approval_id SET DEFAULT stock.current_approval();

-- Approves of something, as far as the role of who does may itself; two that nobody used are cleared away. The program before
-- approves of no returns.
DROP FUNCTION stock.approval_give(uuid, bytea, uuid, text, numeric, numeric, text);
CREATE FUNCTION stock.approval_give(
    p_approval uuid, p_hash bytea, p_user uuid, p_role text, p_discount_limit numeric, p_credit_limit numeric, p_note text,
    p_return_limit numeric DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_exponent integer;
    v_errors   json;
    v_old      uuid;
BEGIN
    SELECT t.currency_exponent,
           (SELECT json_agg(json_build_object(
                       'pointer', v.pointer, 'code', 'forbidden', 'detail', format('You may approve of at most %s.', v.said),
                       'limit', v.most))
            FROM (VALUES ('/discount_limit', t.manager_discount_limit, p_discount_limit,
                          stock.quantity_text(t.manager_discount_limit), stock.quantity_text(t.manager_discount_limit) || ' %'),
                         ('/credit_limit', t.manager_credit_limit, p_credit_limit,
                          stock.quantity_text(t.manager_credit_limit), stock.quantity_text(t.manager_credit_limit) || ' %'),
                         ('/return_limit', t.manager_return_limit, p_return_limit,
                          stock.money_text(t.manager_return_limit, t.currency_exponent),
                          stock.money_text(t.manager_return_limit, t.currency_exponent))
                 ) AS v (pointer, own, asked, most, said)
            WHERE p_role <> 'owner' AND v.asked > v.own)
    INTO v_exponent, v_errors
    FROM stock.tenant t WHERE t.id = v_tenant;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('forbidden', 'This is for somebody with a higher limit.', v_errors);
    END IF;
    IF min_scale(p_return_limit) > v_exponent THEN
        PERFORM stock.refuse_field('too_many_decimals', '/return_limit',
                                   format('Must have at most %s decimals, as the currency has.', v_exponent));
    END IF;
    FOR v_old IN
        SELECT o.id FROM stock.approval o
        WHERE o.tenant_id = v_tenant AND o.sale_id IS NULL AND o.return_id IS NULL AND o.quote_id IS NULL
          AND o.expires_at < now()
        ORDER BY o.expires_at LIMIT 2 FOR UPDATE SKIP LOCKED
    LOOP
        DELETE FROM stock.approval a WHERE a.tenant_id = v_tenant AND a.id = v_old;
    END LOOP;
    INSERT INTO stock.approval (tenant_id, id, secret_hash, user_id, discount_limit, credit_limit, return_limit, note, expires_at)
    VALUES (v_tenant, p_approval, p_hash, p_user, p_discount_limit, p_credit_limit, p_return_limit, p_note,
            now() + interval '5 minutes');
END
$$;

-- Uses it for a document, which the unit writes after this: a sale, as the program before has them all, a return or a quote.
DROP FUNCTION stock.approval_take(uuid, bytea, uuid, uuid);
CREATE FUNCTION stock.approval_take(
    p_approval uuid, p_hash bytea, p_document uuid, p_user uuid, p_kind text DEFAULT 'sale'
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock.approval a
    SET used_at = now(), used_by = p_user, sale_id = CASE p_kind WHEN 'sale' THEN p_document END,
        return_id = CASE p_kind WHEN 'return' THEN p_document END, quote_id = CASE p_kind WHEN 'quote' THEN p_document END
    WHERE a.tenant_id = stock.current_tenant() AND a.id = p_approval AND a.secret_hash = p_hash AND a.used_at IS NULL
      AND a.expires_at > now();
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('not_found', '/approval', 'The approval was used, has expired, or is none.');
    END IF;
    PERFORM set_config('stock.approval', p_approval::text, true);
END
$$;

CREATE OR REPLACE FUNCTION stock.approval_json(p_tenant bigint, p_id uuid) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('user_id', a.user_id, 'discount_limit', stock.quantity_text(a.discount_limit),
                                     'credit_limit', stock.quantity_text(a.credit_limit),
                                     'return_limit', stock.money_text(a.return_limit, t.currency_exponent), 'note', a.note,
                                     'approved_at', stock.rfc3339(a.created_at))
            FROM stock.approval a JOIN stock.tenant t ON t.id = a.tenant_id
            WHERE a.tenant_id = p_tenant AND a.id = p_id);
END
$$;
CALL stock.amend('approval_body', $$stock.quantity_text(a.credit_limit) AS credit_limit, a.note,$$,
    $$stock.quantity_text(a.credit_limit) AS credit_limit,
               (SELECT stock.money_text(a.return_limit, t.currency_exponent) FROM stock.tenant t
                WHERE t.id = a.tenant_id) AS return_limit, a.note,$$);

-- Returns -------------------------------------------------------------------------------------------------------------

-- Refuses a return without its sale that the unit has just written, if it gives back more than the role of who takes it may (a key
-- has none, and gives nothing back), and more than somebody has approved of.
CREATE FUNCTION stock.return_within(p_return uuid, p_role text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_exponent integer;
    v_limit    numeric;
    v_total    numeric;
BEGIN
    SELECT t.currency_exponent,
           CASE p_role WHEN 'manager' THEN t.manager_return_limit WHEN 'cashier' THEN t.cashier_return_limit ELSE 0 END
    INTO v_exponent, v_limit
    FROM stock.tenant t WHERE t.id = v_tenant;
    IF v_limit IS NULL THEN
        RETURN;
    END IF;
    SELECT r.total, greatest(v_limit, (SELECT a.return_limit FROM stock.approval a
                                       WHERE a.tenant_id = v_tenant AND a.id = r.approval_id))
    INTO v_total, v_limit
    FROM stock.sale_return r WHERE r.tenant_id = v_tenant AND r.id = p_return;
    -- Goods at no price are goods, too: who may give nothing back takes none.
    IF v_total > v_limit OR v_limit = 0 THEN
        PERFORM stock.refuse('return_limit', 'More comes back without its sale than you may take.',
            json_build_array(json_build_object(
                'pointer', '/lines', 'code', 'return_limit',
                'detail', format('At most %s may be given back without a sale.', stock.money_text(v_limit, v_exponent)),
                'amount', stock.money_text(v_total, v_exponent), 'limit', stock.money_text(v_limit, v_exponent))));
    END IF;
END
$$;

CALL stock.amend('return_body', $$',"lines":' || v_lines$$,
    $$',"approval":'
        || coalesce((SELECT stock.approval_json(r.tenant_id, r.approval_id)::text FROM stock.sale_return r
                     WHERE r.tenant_id = p_tenant AND r.id = p_id AND r.approval_id IS NOT NULL), 'null')
        || ',"lines":' || v_lines$$);

-- Quotes --------------------------------------------------------------------------------------------------------------

-- What a quote was approved of holds for it until another approval takes its place.
CALL stock.amend('quote_draft', $$note = p_note, valid_until = p_valid_until,$$,
    $$note = p_note, valid_until = p_valid_until,
            approval_id = coalesce(stock.current_approval(), q.approval_id),$$);
CALL stock.amend('quote_body', $$',"lines":' || v_lines$$,
    $$',"approval":'
        || coalesce((SELECT stock.approval_json(q.tenant_id, q.approval_id)::text FROM stock.quote q
                     WHERE q.tenant_id = p_tenant AND q.id = p_id AND q.approval_id IS NOT NULL), 'null')
        || ',"lines":' || v_lines$$);

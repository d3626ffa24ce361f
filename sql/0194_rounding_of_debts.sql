-- What a sale is still due is paid in cash as a sale is: in the coins there are. A debt of 10.02 at steps of 0.05 was paid with 10.00, and
-- two cents of it were owed for ever.

-- Money for what is due: of one sale, or of a customer's sales, the oldest first. Never capped: more than is due is refused.
-- p_register: where it is taken; cash is taken at the default one if none is named. Cash that comes to what is due of the sale it
-- names, rounded to the shop's coins, pays all of it.
CREATE OR REPLACE FUNCTION stock.payment_register(
    p_payment uuid, p_ledger uuid, p_method text, p_amount numeric, p_tendered numeric, p_sale uuid, p_customer uuid,
    p_user uuid, p_occurred_at timestamptz, p_tip numeric, p_tip_ledger uuid,
    p_register uuid DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_customer uuid := p_customer;
    v_status   text;
    v_due      numeric;
    v_exponent smallint;
    v_shares   stock.share[];
    v_kind     text;
    v_sales    uuid[];
    v_dues     numeric[];
    -- What the payment is more than what it pays, or less.
    v_rounding numeric := 0;
    v_paid     numeric;
BEGIN
    v_moment := stock.moment(p_occurred_at);
    v_kind := stock.payment_kind(p_method, '/method');
    IF p_tendered IS NOT NULL AND v_kind <> 'cash' THEN
        PERFORM stock.refuse('validation_failed', 'The payment is not valid.', json_build_array(
            json_build_object('pointer', '/tendered', 'code', 'not_allowed', 'detail', 'Only cash is tendered.')));
    END IF;
    IF p_register IS NOT NULL OR v_kind = 'cash' THEN
        PERFORM stock.till(p_register, v_kind = 'cash');
    END IF;
    IF p_sale IS NOT NULL THEN
        SELECT s.customer_id, s.status, s.due INTO v_customer, v_status, v_due FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.id = p_sale FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            PERFORM stock.refuse_field('validation_failed', '/sale_id', 'There is no such sale.');
        ELSIF p_customer IS NOT NULL AND p_customer IS DISTINCT FROM v_customer THEN
            PERFORM stock.refuse_field('validation_failed', '/customer_id', 'The sale is not of this customer.');
        ELSIF v_status <> 'confirmed' THEN
            PERFORM stock.refuse_field('invalid_state', '/sale_id', format('The sale is %s.', v_status));
        END IF;
    ELSE
        IF NOT EXISTS (SELECT FROM stock.customer c WHERE c.tenant_id = v_tenant AND c.id = p_customer) THEN
            PERFORM stock.refuse_field('validation_failed', '/customer_id', 'There is no such customer.');
        END IF;
        SELECT coalesce(sum(d.due), 0), array_agg(d.id), array_agg(d.due) INTO v_due, v_sales, v_dues FROM (
            SELECT s.id, s.due FROM stock.sale s
            WHERE s.tenant_id = v_tenant AND s.customer_id = p_customer AND s.due > 0
            ORDER BY s.occurred_at, s.id FOR NO KEY UPDATE) d;
    END IF;
    IF p_sale IS NOT NULL AND v_kind = 'cash' THEN
        v_rounding := coalesce(
            (SELECT p_amount - v_due FROM stock.tenant t
             WHERE t.id = v_tenant AND t.cash_rounding > 0 AND v_due > 0
               AND p_amount = t.cash_rounding * round(v_due / t.cash_rounding)), 0);
    END IF;
    v_paid := p_amount - v_rounding;
    IF v_paid > v_due THEN
        SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;
        PERFORM stock.refuse('payment_exceeds_due', 'The amount is more than what is due.', json_build_array(
            json_build_object('pointer', '/amount', 'code', 'payment_exceeds_due',
                              'detail', 'The amount is more than what is due.',
                              'amount', stock.money_text(p_amount, v_exponent),
                              'due', stock.money_text(v_due, v_exponent))));
    END IF;
    -- The oldest first.
    WITH owed AS (
        SELECT o.id, o.due, o.place, sum(o.due) OVER (ORDER BY o.place ROWS UNBOUNDED PRECEDING) - o.due AS before
        FROM unnest(coalesce(v_sales, ARRAY[p_sale]), coalesce(v_dues, ARRAY[v_due])) WITH ORDINALITY AS o (id, due, place)
    ), share AS (
        SELECT o.id, o.place, least(o.due, v_paid - o.before) AS amount FROM owed o WHERE o.before < v_paid
    ), settled AS (
        UPDATE stock.sale s
        SET paid = s.paid + h.amount + v_rounding, rounding = s.rounding + v_rounding, due = s.due - h.amount,
            version = s.version + 1, updated_at = now()
        FROM share h WHERE s.tenant_id = v_tenant AND s.id = h.id
    )
    SELECT array_agg(ROW(p_payment, h.place, h.id, h.amount + v_rounding)::stock.share) INTO v_shares FROM share h;
    IF v_customer IS NOT NULL THEN
        UPDATE stock.customer_account a
        SET balance = a.balance - v_paid, version = a.version + 1, updated_at = now()
        WHERE a.tenant_id = v_tenant AND a.customer_id = v_customer;
    END IF;
    PERFORM stock.post_money(
        ARRAY[ROW(p_payment, p_ledger, 'in', 'payment', p_method, p_amount, p_tendered, p_sale, NULL, v_customer, p_user,
                  v_moment.occurred_at, v_moment.business_day)::stock.posting],
        v_shares, ARRAY[v_kind], ARRAY[ROW(p_tip, p_tip_ledger, v_rounding, stock.new_id())::stock.tender]);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'payment.received', p_payment,
            json_build_object('amount', p_amount::text, 'method', p_method), p_user, v_moment.occurred_at);
END
$$;

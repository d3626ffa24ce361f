-- Nothing is dated before what it is of: goods do not come before they were ordered, money is not paid, given back or reversed
-- before the document that it is of.

-- Has a function that is there say p_is in place of p_was, which it says once: for a change of a line or two in a text that
-- other changes go on in. docs/decisions/0050-one-fault-one-code.md.
CREATE PROCEDURE stock.amend(p_function text, p_was text, p_is text)
LANGUAGE plpgsql AS $$
DECLARE
    v_texts text[] := ARRAY(
        SELECT t.text
        FROM (SELECT pg_get_functiondef(p.oid) AS text FROM pg_proc p
              WHERE p.pronamespace = 'stock'::regnamespace AND p.proname = p_function) t
        WHERE length(t.text) - length(replace(t.text, p_was, '')) = length(p_was));
BEGIN
    IF cardinality(v_texts) <> 1 THEN
        RAISE EXCEPTION 'No function % of its own says once: %', p_function, p_was;
    END IF;
    EXECUTE replace(v_texts[1], p_was, p_is);
END
$$;

-- When something is done to a document of p_earliest, as `moment` has it: at that moment at the earliest, which is meant where none is
-- said, as the clock of a till may be ahead of ours.
CREATE FUNCTION stock.moment_after(p_occurred_at timestamptz, p_earliest timestamptz, OUT occurred_at timestamptz,
                                   OUT business_day date)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_moment record;
BEGIN
    IF p_occurred_at < p_earliest THEN
        PERFORM stock.refuse_field('out_of_range', '/occurred_at',
                                   format('It is of a document of %s, and not dated before.', stock.rfc3339(p_earliest)));
    END IF;
    v_moment := stock.moment(coalesce(p_occurred_at, greatest(now(), p_earliest)));
    occurred_at := v_moment.occurred_at;
    business_day := v_moment.business_day;
END
$$;

-- Sales: returned, cancelled.
CALL stock.amend('return_of_sale', $$    v_kinds := stock.payment_kinds(p_methods);
$$, $$    v_moment := stock.moment_after(p_occurred_at, v_sale.occurred_at);
    v_kinds := stock.payment_kinds(p_methods);
$$);
CALL stock.amend('sale_cancel', $$    SELECT array_agg(p.id), array_agg(p.method), $$,
    $$    v_moment := stock.moment_after(NULL, v_sale.occurred_at);
    SELECT array_agg(p.id), array_agg(p.method), $$);

-- Money: taken and paid, the last of the documents that it pays is what it is not before; reversed.
CALL stock.amend('payment_register', $$    IF v_customer IS NOT NULL THEN
        UPDATE stock.customer_account a$$, $$    v_moment := stock.moment_after(p_occurred_at, (
        SELECT max(s.occurred_at) FROM unnest(v_shares) h, LATERAL (
            SELECT o.occurred_at FROM stock.sale o WHERE o.tenant_id = v_tenant AND o.id = h.sale_id OFFSET 0) s));
    IF v_customer IS NOT NULL THEN
        UPDATE stock.customer_account a$$);
CALL stock.amend('purchase_pay', $$    PERFORM stock.post_money($$, $$    v_moment := stock.moment_after(p_occurred_at, (
        SELECT max(p.occurred_at)
        FROM (SELECT o.id, sum(o.due) OVER (ORDER BY o.n ROWS UNBOUNDED PRECEDING) - o.due AS before
              FROM unnest(v_owed, v_dues) WITH ORDINALITY AS o (id, due, n)) w,
        LATERAL (SELECT o.occurred_at FROM stock.purchase o
                 WHERE o.tenant_id = v_tenant AND o.id = w.id AND w.before < p_amount OFFSET 0) p));
    PERFORM stock.post_money($$);
CALL stock.amend('payment_reverse', $$    PERFORM stock.open_drawer_of(p_payment, v_payment.method);
$$, $$    v_moment := stock.moment_after(NULL, v_payment.occurred_at);
    PERFORM stock.open_drawer_of(p_payment, v_payment.method);
$$);
CALL stock.amend('entry_reverse', $$    -- Back into the drawer that it came from, $$,
    $$    v_moment := stock.moment_after(NULL, v_entry.occurred_at);
    -- Back into the drawer that it came from, $$);

-- Purchases: received, cancelled.
CALL stock.amend('purchase_receive', $$    v_moment := stock.moment(p_occurred_at);
    v_purchase := stock.purchase_hold(p_purchase, '{ordered,partially_received}');
$$, $$    v_purchase := stock.purchase_hold(p_purchase, '{ordered,partially_received}');
    v_moment := stock.moment_after(p_occurred_at, v_purchase.occurred_at);
$$);
CALL stock.amend('purchase_cancel', $$    v_moment := stock.moment(NULL);
    v_purchase := stock.purchase_hold(p_purchase, '{draft,ordered,partially_received,received}');
$$, $$    v_purchase := stock.purchase_hold(p_purchase, '{draft,ordered,partially_received,received}');
    v_moment := stock.moment_after(NULL, v_purchase.occurred_at);
$$);

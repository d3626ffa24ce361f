-- Returns of which no sale is known, where the tenant allows them: what is given back is what the request says, all at once.

-- As stock.return_of_sale, at the request's own prices; a line names its product by id or by SKU.
CREATE FUNCTION stock.return_unsold(
    p_return uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text, p_occurred_at timestamptz,
    p_lines uuid[], p_products uuid[], p_skus text[], p_quantities numeric[], p_prices numeric[], p_restock boolean[],
    p_movements uuid[], p_payments uuid[], p_ledger uuid[], p_methods text[], p_amounts numeric[], p_rounding_ledger uuid
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_rules  record;
    v_moment record;
    v_kinds  text[];
    v_till   record;
    v_lines  stock.return_line[];
    v_errors json;
    v_return stock.sale_return;
    v_refund record;
BEGIN
    SELECT t.returns_without_sale = 'allow' AS allowed, t.currency_exponent::integer AS exponent INTO v_rules
    FROM stock.tenant t WHERE t.id = v_tenant;
    IF NOT v_rules.allowed THEN
        PERFORM stock.refuse('invalid_state', 'The shop takes nothing back without its sale.');
    END IF;
    v_moment := stock.moment(p_occurred_at);
    v_kinds := stock.payment_kinds(p_methods);
    v_till := stock.till(p_register, 'cash' = ANY (v_kinds));
    IF p_customer IS NOT NULL
       AND NOT EXISTS (SELECT FROM stock.customer c WHERE c.tenant_id = v_tenant AND c.id = p_customer AND c.active) THEN
        PERFORM stock.refuse_field('validation_failed', '/customer_id', 'There is no such active customer.');
    END IF;
    SELECT array_agg(ROW(w.id, NULL, p.id, p.sku, p.name, p.symbol, w.quantity, w.price,
                         round(w.quantity * w.price, v_rules.exponent), NULL, w.restock, w.movement_id)::stock.return_line
                     ORDER BY w.n),
           json_agg(v.error ORDER BY w.n) FILTER (WHERE v.error IS NOT NULL)
    INTO v_lines, v_errors
    FROM unnest(p_lines, stock.product_ids(p_products, p_skus), p_products, p_quantities, p_prices, p_restock, p_movements)
             WITH ORDINALITY AS w (id, found, product_id, quantity, price, restock, movement_id, n)
    LEFT JOIN LATERAL (
        SELECT o.id, o.sku, o.name, u.symbol, u.decimals
        FROM (SELECT a.id, a.sku, a.name, a.unit_id FROM stock.product a
              WHERE a.tenant_id = v_tenant AND a.id = w.found OFFSET 0) o,
        LATERAL (SELECT a.symbol, a.decimals FROM stock.unit a
                 WHERE a.tenant_id = v_tenant AND a.id = o.unit_id OFFSET 0) u
    ) p ON true,
    LATERAL (SELECT CASE
        WHEN p.id IS NULL THEN json_build_object(
            'pointer', format('/lines/%s/%s', w.n - 1, CASE WHEN w.product_id IS NULL THEN 'sku' ELSE 'product_id' END),
            'code', 'not_found', 'detail', 'There is no such product.')
        WHEN min_scale(w.quantity) > p.decimals THEN json_build_object(
            'pointer', format('/lines/%s/quantity', w.n - 1), 'code', 'quantity_precision',
            'detail', format('The unit allows %s decimals.', p.decimals)) END) AS v (error);
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse(
            (SELECT CASE WHEN bool_or(e ->> 'code' = 'not_found') THEN 'validation_failed' ELSE 'quantity_precision' END
             FROM json_array_elements(v_errors) AS x (e)),
            'Some lines can not be returned.', v_errors);
    END IF;

    v_return.id := p_return;
    v_return.register_id := v_till.id;
    v_return.customer_id := p_customer;
    v_return.user_id := p_user;
    v_return.note := p_note;
    v_return.occurred_at := v_moment.occurred_at;
    v_return.business_day := v_moment.business_day;
    SELECT sum(l.amount) INTO v_return.total FROM unnest(v_lines) l;
    v_return.refund := v_return.total;
    v_refund := stock.refund_check(v_return.total, v_return.total, p_amounts, v_kinds);
    v_return.rounding := v_refund.paid - v_return.refund;
    PERFORM stock.return_write(v_return, v_till.location_id, v_lines, p_payments, p_ledger, p_methods, v_kinds, p_amounts,
                               v_refund.rounded, p_rounding_ledger);
END
$$;

CREATE OR REPLACE FUNCTION stock.tenant_body(p_tenant bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT t.id, t.slug, t.name, t.status, t.currency, t.timezone, t.locale, t.prices_include_tax, t.oversell,
               stock.quantity_text(t.manager_discount_limit) AS manager_discount_limit,
               stock.quantity_text(t.cashier_discount_limit) AS cashier_discount_limit,
               stock.money_text(t.cash_rounding, t.currency_exponent) AS cash_rounding, t.returns_without_sale,
               t.closed_until, t.version,
               stock.rfc3339(t.created_at) AS created_at, stock.rfc3339(t.updated_at) AS updated_at
        FROM stock.tenant t WHERE t.id = p_tenant
    ) r;
    RETURN v_body;
END
$$;

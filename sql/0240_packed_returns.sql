-- Lines of returns without a sale that name their product by a packaging or a code, as those of sales (0173), and the lines of a
-- cart that is priced, which say so as well.

ALTER TABLE stock.sale_return_line
    ADD COLUMN packaging text, ADD COLUMN packed_quantity numeric(18,6), ADD COLUMN packed_price numeric(18,6);
ALTER TABLE stock.sale_return_line ADD CONSTRAINT sale_return_line_packed CHECK (
    packed_quantity IS NULL AND packaging IS NULL AND packed_price IS NULL
    OR packed_quantity > 0 AND (packed_price IS NULL OR packed_price >= 0)) NOT VALID;
GRANT UPDATE (packaging, packed_quantity, packed_price) ON stock.sale_return_line TO stock_app;

-- How a line was asked for, as documents show it; NULL by the product's unit.
CREATE FUNCTION stock.packed_json(p_packaging text, p_quantity numeric, p_price numeric, p_exponent integer) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN p_quantity IS NOT NULL
            THEN json_build_object('name', p_packaging, 'quantity', stock.quantity_text(p_quantity),
                                   'price', stock.price_text(p_price, p_exponent)) END;

CALL stock.amend('sale_body', $$CASE WHEN l.packed_quantity IS NOT NULL
                                THEN json_build_object('name', l.packaging,
                                                       'quantity', stock.quantity_text(l.packed_quantity),
                                                       'price', stock.price_text(l.packed_price, t.currency_exponent))
                           END AS packaging$$,
    $$stock.packed_json(l.packaging, l.packed_quantity, l.packed_price, t.currency_exponent) AS packaging$$);
CALL stock.amend('purchase_body', $$CASE WHEN l.packed_quantity IS NOT NULL
                                THEN json_build_object('name', l.packaging,
                                                       'quantity', stock.quantity_text(l.packed_quantity),
                                                       'price', stock.price_text(l.packed_cost, t.currency_exponent))
                           END AS packaging$$,
    $$stock.packed_json(l.packaging, l.packed_quantity, l.packed_cost, t.currency_exponent) AS packaging$$);
CALL stock.amend('quote_body', $$CASE WHEN l.packed_quantity IS NOT NULL
                         THEN json_build_object('name', l.packaging,
                                                'quantity', stock.quantity_text(l.packed_quantity),
                                                'price', stock.price_text(l.packed_price, v_exponent))
                    END AS packaging$$,
    $$stock.packed_json(l.packaging, l.packed_quantity, l.packed_price, v_exponent) AS packaging$$);

-- As it was, with lines as they were asked for: NULL of all, or of one, is by the product's unit, as the program before has them.
DROP FUNCTION stock.return_unsold(
    uuid, uuid, uuid, uuid, text, timestamptz, uuid[], uuid[], text[], numeric[], numeric[], boolean[], uuid[], uuid[],
    uuid[], text[], numeric[], uuid);
CREATE FUNCTION stock.return_unsold(
    p_return uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text, p_occurred_at timestamptz,
    p_lines uuid[], p_products uuid[], p_skus text[], p_quantities numeric[], p_prices numeric[], p_restock boolean[],
    p_movements uuid[], p_payments uuid[], p_ledger uuid[], p_methods text[], p_amounts numeric[], p_rounding_ledger uuid,
    p_packagings text[] DEFAULT NULL, p_packed_quantities numeric[] DEFAULT NULL, p_packed_prices numeric[] DEFAULT NULL
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
        PERFORM stock.refuse_field('not_found', '/customer_id', 'There is no such active customer.');
    END IF;
    SELECT array_agg(ROW(w.id, NULL, p.id, p.sku, p.name, p.symbol, w.quantity, w.price,
                         stock.line_gross(w.quantity, w.price, p_packed_quantities[w.n], p_packed_prices[w.n], v_rules.exponent),
                         NULL, w.restock, w.movement_id)::stock.return_line
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
    -- Few have any of that: one by one, by their keys.
    FOR v_n IN 1 .. coalesce(cardinality(p_packed_quantities), 0) LOOP
        IF p_packed_quantities[v_n] IS NOT NULL THEN
            UPDATE stock.sale_return_line l
            SET packaging = p_packagings[v_n], packed_quantity = p_packed_quantities[v_n], packed_price = p_packed_prices[v_n]
            WHERE l.tenant_id = v_tenant AND l.id = p_lines[v_n];
        END IF;
    END LOOP;
END
$$;

CALL stock.amend('return_body', $$               l.restock
$$, $$               l.restock,
               stock.packed_json(l.packaging, l.packed_quantity, l.packed_price, v_exponent) AS packaging
$$);

-- A priced cart, as it was, and how its lines were asked for.
DROP FUNCTION stock.cart_body(
    uuid, uuid[], numeric[], numeric[], boolean[], numeric[], numeric[], numeric[], text[], numeric, numeric, numeric, numeric,
    numeric, numeric, numeric, numeric, numeric);
CREATE FUNCTION stock.cart_body(
    p_register uuid, p_products uuid[], p_quantities numeric[], p_prices numeric[], p_overridden boolean[],
    p_discounts numeric[], p_taxes numeric[], p_totals numeric[], p_parts text[], p_subtotal numeric, p_discount numeric,
    p_tax numeric, p_total numeric, p_rounding numeric, p_paid numeric, p_due numeric, p_cash_due numeric, p_change numeric,
    p_packagings text[] DEFAULT NULL, p_packed_quantities numeric[] DEFAULT NULL, p_packed_prices numeric[] DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_exponent integer;
    v_included boolean;
    v_till     record;
    v_lines    json;
    v_taxed    stock.taxed[];
    v_body     text;
BEGIN
    SELECT t.currency_exponent, t.prices_include_tax INTO v_exponent, v_included FROM stock.tenant t WHERE t.id = v_tenant;
    v_till := stock.register_named(p_register);
    SELECT json_agg(row_to_json(r) ORDER BY w.i),
           array_agg(ROW(w.i, p.tax_rate, p_parts[w.i]::jsonb, p_taxes[w.i], p_totals[w.i])::stock.taxed)
    INTO v_lines, v_taxed
    FROM generate_subscripts(p_products, 1) AS w (i),
    LATERAL (SELECT o.id, o.sku, o.name, o.unit_id, o.tax_rate FROM stock.product o
             WHERE o.tenant_id = v_tenant AND o.id = p_products[w.i] OFFSET 0) p,
    LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u,
    LATERAL (SELECT w.i AS position, p.id AS product_id, p.sku, p.name, u.symbol AS unit,
                    stock.quantity_text(p_quantities[w.i]) AS quantity,
                    stock.price_text(p_prices[w.i], v_exponent) AS unit_price,
                    CASE WHEN p_overridden[w.i] THEN 'override' ELSE 'list' END AS price_source,
                    stock.money_text(p_discounts[w.i], v_exponent) AS discount, stock.quantity_text(p.tax_rate) AS tax_rate,
                    stock.money_text(p_taxes[w.i], v_exponent) AS tax,
                    CASE WHEN p_parts[w.i] IS NULL
                         THEN stock.rate_taxes(p.tax_rate, v_included, p_totals[w.i] - p_taxes[w.i], p_taxes[w.i], v_exponent)
                         ELSE p_parts[w.i]::json END AS taxes,
                    stock.money_text(p_totals[w.i], v_exponent) AS total,
                    stock.packed_json(p_packagings[w.i], p_packed_quantities[w.i], p_packed_prices[w.i], v_exponent)
                        AS packaging) r;
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT v_till.id AS register_id, v_lines AS lines, stock.money_text(p_subtotal, v_exponent) AS subtotal,
               stock.money_text(p_discount, v_exponent) AS discount, stock.money_text(p_tax, v_exponent) AS tax,
               stock.money_text(p_total, v_exponent) AS total, stock.tax_sums(v_taxed, v_exponent) AS tax_breakdown,
               stock.money_text(p_rounding, v_exponent) AS rounding, stock.money_text(p_paid, v_exponent) AS paid,
               stock.money_text(p_due, v_exponent) AS due, stock.money_text(p_cash_due, v_exponent) AS cash_due,
               stock.money_text(p_change, v_exponent) AS change,
               stock.cart_shortages(v_till.location_id, p_products, p_quantities) AS warnings
    ) r;
    RETURN v_body;
END
$$;

-- A sale as all of its parts are now: from where its register stands, its lines with their taxes, its tenders with tips and
-- rounding.

-- A confirmed sale: what it rests on is still as the caller read it, what stays due goes on the customer's account, the
-- goods leave, documents and money are written, and the number is taken last. The arrays: what leaves of each product
-- whose stock is tracked; the lines, with their taxes as JSON where a rate does not say it all; the tenders, of which
-- p_rounded is the place of the one that was rounded, with no tips if there are none.
CREATE FUNCTION stock.sale_confirm(
    p_tenant_version bigint, p_sale uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text,
    p_occurred_at timestamptz, p_subtotal numeric, p_discount numeric, p_tax numeric, p_total numeric, p_paid numeric,
    p_moved uuid[], p_sold numeric[], p_movements uuid[],
    p_lines uuid[], p_products uuid[], p_versions bigint[], p_decimals smallint[],
    p_quantities numeric[], p_prices numeric[], p_overridden boolean[], p_discounts numeric[],
    p_document_discounts numeric[], p_taxes numeric[], p_totals numeric[], p_parts text[],
    p_payments uuid[], p_ledger uuid[], p_methods text[], p_amounts numeric[], p_tendered numeric[],
    p_kinds text[], p_tips numeric[], p_tip_ledger uuid[], p_rounding numeric, p_rounded integer, p_rounding_ledger uuid
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_register record;
    v_moved    bigint;
    v_places   integer[];
    v_products uuid[];
    v_added    numeric[];
    v_number   bigint;
    v_tenders  stock.tender[];
BEGIN
    -- OFFSET 0, here and below: rows are found one by one by their keys. Joined, all of the tenant's products may be
    -- compared with each line.
    PERFORM FROM generate_subscripts(p_products, 1) AS w (i)
    LEFT JOIN LATERAL (
        SELECT o.version, o.unit_id FROM stock.product o
        WHERE o.tenant_id = v_tenant AND o.id = p_products[w.i] OFFSET 0
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT o.decimals FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0
    ) u ON true
    WHERE p.version IS DISTINCT FROM p_versions[w.i] OR u.decimals IS DISTINCT FROM p_decimals[w.i] LIMIT 1;
    IF FOUND OR (SELECT t.version FROM stock.tenant t WHERE t.id = v_tenant) IS DISTINCT FROM p_tenant_version THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'products_changed';
    END IF;
    v_moment := stock.moment(p_occurred_at);
    SELECT g.id, g.requires_session, g.location_id INTO v_register FROM stock.register g
    WHERE g.tenant_id = v_tenant AND g.active AND (g.id = p_register OR p_register IS NULL AND g.is_default);
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('validation_failed', '/register_id', 'There is no such register.');
    ELSIF v_register.requires_session AND 'cash' = ANY (p_kinds) THEN
        PERFORM stock.refuse_field('session_closed', '/register_id', 'The register has no open cash session.');
    END IF;
    IF p_customer IS NOT NULL THEN
        PERFORM FROM stock.customer c WHERE c.tenant_id = v_tenant AND c.id = p_customer AND c.active;
        IF NOT FOUND THEN
            PERFORM stock.refuse_field('validation_failed', '/customer_id', 'There is no such active customer.');
        ELSIF p_total + p_rounding > p_paid THEN
            PERFORM stock.customer_charge(p_customer, p_total + p_rounding - p_paid);
        END IF;
    END IF;

    -- At once what the triggers would come to one by one.
    PERFORM stock.cache_touch_modules(
        v_tenant,
        '{sales,dashboard,reports}'::text[]
        || CASE WHEN cardinality(p_moved) > 0 THEN '{stock,products}'::text[] END
        || CASE WHEN cardinality(p_payments) > 0 THEN '{payments,balance}'::text[] END
        || CASE WHEN p_customer IS NOT NULL THEN '{customers}'::text[] END);
    IF cardinality(p_moved) > 0 THEN
        SELECT count(*) INTO v_moved FROM stock.move_stock(ARRAY(
            SELECT ROW(p_movements[m.i], p_moved[m.i], 'sale', -p_sold[m.i], NULL, NULL, 'sale', p_sale, p_user,
                       v_moment.occurred_at, v_moment.business_day, v_register.location_id)::stock.move
            FROM generate_subscripts(p_moved, 1) AS m (i)));
        IF v_moved < cardinality(p_moved) THEN
            SELECT array_agg(w.i - 1), array_agg(p_products[w.i]), array_agg(-p_quantities[w.i])
            INTO v_places, v_products, v_added
            FROM generate_subscripts(p_products, 1) AS w (i) WHERE p_products[w.i] = ANY (p_moved);
            PERFORM stock.refuse_moves('/lines/', v_places, v_products,
                                       array_fill(v_register.location_id, ARRAY[cardinality(v_products)]), v_added);
        END IF;
    END IF;

    -- Names, units and tax rates are the products' own, whose versions were compared above; the cost is the level's.
    INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price,
                                 price_source, discount, document_discount, tax_rate, tax, total, unit_cost, taxes)
    SELECT v_tenant, p_lines[w.i], p_sale, w.i, p.id, p.sku, p.name, u.symbol, p_quantities[w.i], p_prices[w.i],
           CASE WHEN p_overridden[w.i] THEN 'override' ELSE 'list' END, p_discounts[w.i], p_document_discounts[w.i],
           p.tax_rate, p_taxes[w.i], p_totals[w.i], l.cost, p_parts[w.i]::jsonb
    FROM generate_subscripts(p_lines, 1) AS w (i),
    LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = p_products[w.i] OFFSET 0) p,
    LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u,
    LATERAL (SELECT o.cost FROM stock.stock_level o WHERE o.tenant_id = v_tenant AND o.product_id = p.id OFFSET 0) l;
    IF cardinality(p_payments) > 0 THEN
        IF cardinality(p_tips) > 0 OR p_rounded IS NOT NULL THEN
            v_tenders := ARRAY(
                SELECT ROW(p_tips[m.i], p_tip_ledger[m.i], CASE m.i WHEN p_rounded THEN p_rounding END,
                           p_rounding_ledger)::stock.tender
                FROM generate_subscripts(p_payments, 1) AS m (i));
        END IF;
        PERFORM stock.post_money(ARRAY(
            SELECT ROW(p_payments[m.i], p_ledger[m.i], 'in', 'sale', p_methods[m.i], p_amounts[m.i], p_tendered[m.i],
                       p_sale, NULL, p_customer, p_user, v_moment.occurred_at,
                       v_moment.business_day)::stock.posting
            FROM generate_subscripts(p_payments, 1) AS m (i)),
            NULL, p_kinds, v_tenders);
    END IF;

    v_number := stock.document_number(v_register.id, 'sale');
    INSERT INTO stock.sale (tenant_id, id, register_id, number, status, customer_id, user_id, note, occurred_at,
                            business_day, subtotal, discount, tax, total, rounding, paid, due)
    VALUES (v_tenant, p_sale, v_register.id, v_number, 'confirmed', p_customer, p_user, p_note, v_moment.occurred_at,
            v_moment.business_day, p_subtotal, p_discount, p_tax, p_total, p_rounding, p_paid, p_total + p_rounding - p_paid);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.confirmed', p_sale, json_build_object('number', v_number, 'total', p_total::text), p_user,
            v_moment.occurred_at);
END
$$;

-- As the binary before calls it: it computes a line by one rate, so it must not sell a product by others; it knows no tips and
-- does not round.
CREATE OR REPLACE FUNCTION stock.sale_confirm(
    p_tenant_version bigint, p_sale uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text,
    p_occurred_at timestamptz, p_subtotal numeric, p_discount numeric, p_tax numeric, p_total numeric, p_paid numeric,
    p_moved uuid[], p_sold numeric[], p_movements uuid[],
    p_lines uuid[], p_products uuid[], p_versions bigint[], p_decimals smallint[],
    p_quantities numeric[], p_prices numeric[], p_overridden boolean[], p_discounts numeric[],
    p_document_discounts numeric[], p_taxes numeric[], p_totals numeric[],
    p_payments uuid[], p_ledger uuid[], p_methods text[], p_amounts numeric[], p_tendered numeric[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM unnest(p_products) AS w (id), LATERAL (
            SELECT o.tax_group_id FROM stock.product o
            WHERE o.tenant_id = stock.current_tenant() AND o.id = w.id OFFSET 0) p
        WHERE stock.group_taxes(stock.current_tenant(), p.tax_group_id, NULL) IS NOT NULL
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'products_changed';
    END IF;
    PERFORM stock.sale_confirm(
        p_tenant_version, p_sale, p_register, p_customer, p_user, p_note, p_occurred_at, p_subtotal, p_discount, p_tax,
        p_total, p_paid, p_moved, p_sold, p_movements, p_lines, p_products, p_versions, p_decimals, p_quantities,
        p_prices, p_overridden, p_discounts, p_document_discounts, p_taxes, p_totals, '{}', p_payments, p_ledger,
        p_methods, p_amounts, p_tendered,
        ARRAY(SELECT stock.payment_kind(p_methods[m.i], '/payments/' || m.i - 1 || '/method')
              FROM generate_subscripts(p_methods, 1) AS m (i) ORDER BY m.i),
        '{}', '{}', 0, NULL, NULL);
END
$$;

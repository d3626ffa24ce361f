-- What a cart would come to, before anybody buys it.

-- A line as its taxes are summed up by; place: where it stands among the others.
CREATE TYPE stock.taxed AS (place integer, tax_rate numeric, taxes jsonb, tax numeric, total numeric);

-- The sums of the taxes of lines by name, kind and rate, in the order in which they come up.
CREATE FUNCTION stock.tax_sums(p_lines stock.taxed[], p_exponent integer) RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_sums json;
BEGIN
    SELECT json_agg(json_build_object(
               'name', b.name, 'kind', b.kind, 'rate', stock.quantity_text(b.rate),
               'base', CASE b.kind WHEN 'percent' THEN stock.money_text(b.base, p_exponent)
                                   ELSE stock.quantity_text(b.base) END,
               'amount', stock.money_text(b.amount, p_exponent)) ORDER BY b.place)
    INTO v_sums
    FROM (
        SELECT p.name, p.kind, p.rate, sum(p.base) AS base, sum(p.amount) AS amount, min(p.place) AS place
        FROM (
            SELECT stock.standard_tax_name(l.tax_rate) AS name, 'percent' AS kind, l.tax_rate AS rate,
                   l.total - l.tax AS base, l.tax AS amount, l.place * 16 AS place
            FROM unnest(p_lines) l WHERE l.taxes IS NULL
            UNION ALL
            SELECT e.tax ->> 'name', e.tax ->> 'kind', (e.tax ->> 'rate')::numeric, (e.tax ->> 'base')::numeric,
                   (e.tax ->> 'amount')::numeric, l.place * 16 + e.n
            FROM unnest(p_lines) l, jsonb_array_elements(l.taxes) WITH ORDINALITY AS e (tax, n)
            WHERE l.taxes IS NOT NULL) p
        GROUP BY p.name, p.kind, p.rate) b;
    RETURN v_sums;
END
$$;

-- The taxes of any sale.
CREATE OR REPLACE FUNCTION stock.tax_breakdown(p_tenant bigint, p_sale uuid, p_exponent integer) RETURNS json
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN stock.tax_sums(
        ARRAY(SELECT ROW(l.position, l.tax_rate, l.taxes, l.tax, l.total)::stock.taxed
              FROM stock.sale_line l WHERE l.tenant_id = p_tenant AND l.sale_id = p_sale), p_exponent);
END
$$;

-- What there is too little of for lines that want it at a place, as far as that would be refused. Nobody is kept from taking it
-- first: confirming asks again.
CREATE FUNCTION stock.cart_shortages(p_location uuid, p_products uuid[], p_quantities numeric[]) RETURNS json
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(json_build_object(
               'pointer', '/lines/' || w.n - 1 || '/quantity', 'code', 'insufficient_stock',
               'detail', format('%s asked for, %s available.', stock.quantity_text(w.wanted),
                                stock.quantity_text(h.available)),
               'product_id', w.product_id, 'requested', stock.quantity_text(w.wanted),
               'available', stock.quantity_text(h.available)) ORDER BY w.n)
    INTO v_errors
    FROM (SELECT x.n, x.product_id, sum(x.quantity) OVER (PARTITION BY x.product_id) AS wanted
          FROM unnest(p_products, p_quantities) WITH ORDINALITY AS x (product_id, quantity, n)) w,
    LATERAL (SELECT o.bounded FROM stock.stock_level o
             WHERE o.tenant_id = stock.current_tenant() AND o.product_id = w.product_id OFFSET 0) l
    LEFT JOIN LATERAL (SELECT o.on_hand, o.floor FROM stock.location_level o
                       WHERE o.tenant_id = stock.current_tenant() AND o.product_id = w.product_id
                         AND o.location_id = p_location OFFSET 0) n ON true,
    LATERAL (SELECT greatest(0, coalesce(n.on_hand, 0)) AS available) h
    WHERE l.bounded AND coalesce(n.on_hand, 0) - w.wanted < coalesce(n.floor, 0);
    RETURN coalesce(v_errors, '[]');
END
$$;

-- A cart that has been computed, as a sale of it would be told, with what would be refused for want of stock. Writes nothing. The
-- arrays are those of stock.sale_confirm; p_discounts: a line's own with its share of the document's.
CREATE FUNCTION stock.cart_body(
    p_register uuid, p_products uuid[], p_quantities numeric[], p_prices numeric[], p_overridden boolean[],
    p_discounts numeric[], p_taxes numeric[], p_totals numeric[], p_parts text[], p_subtotal numeric, p_discount numeric,
    p_tax numeric, p_total numeric, p_rounding numeric, p_paid numeric, p_due numeric, p_cash_due numeric, p_change numeric
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
                    stock.money_text(p_totals[w.i], v_exponent) AS total) r;
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

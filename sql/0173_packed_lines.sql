-- Lines of documents that name their product by a packaging or a code: they are kept in the product's unit, with how they were
-- asked for beside it, and come to exactly so many times what one of that costs.

-- What a line comes to: so many units, or so many packagings at a price of their own.
CREATE FUNCTION stock.line_gross(
    p_quantity numeric, p_unit_price numeric, p_packed_quantity numeric, p_packed_price numeric, p_exponent integer
) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(CASE WHEN p_packed_price IS NULL THEN p_quantity * p_unit_price ELSE p_packed_quantity * p_packed_price END,
             p_exponent);

-- packaging is NULL for what is none, as a label that says its price; packed_price where the units make the price.
ALTER TABLE stock.sale_line
    ADD COLUMN packaging text, ADD COLUMN packed_quantity numeric(18,6), ADD COLUMN packed_price numeric(18,6);
ALTER TABLE stock.sale_line ADD CONSTRAINT sale_line_packed CHECK (
    packed_quantity IS NULL AND packaging IS NULL AND packed_price IS NULL
    OR packed_quantity > 0 AND (packed_price IS NULL OR packed_price >= 0)) NOT VALID;
ALTER TABLE stock.purchase_line
    ADD COLUMN packaging text, ADD COLUMN packed_quantity numeric(18,6), ADD COLUMN packed_cost numeric(18,6);
ALTER TABLE stock.purchase_line ADD CONSTRAINT purchase_line_packed CHECK (
    packed_quantity IS NULL AND packaging IS NULL AND packed_cost IS NULL
    OR packed_quantity > 0 AND (packed_cost IS NULL OR packed_cost >= 0)) NOT VALID;

-- Says of lines that the unit has just written how they were asked for. Few have any of that: one by one, by their keys.
CREATE FUNCTION stock.sale_lines_packed(p_lines uuid[], p_packagings text[], p_quantities numeric[], p_prices numeric[])
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(p_lines) LOOP
        UPDATE stock.sale_line l
        SET packaging = p_packagings[i], packed_quantity = p_quantities[i], packed_price = p_prices[i]
        WHERE l.tenant_id = stock.current_tenant() AND l.id = p_lines[i];
    END LOOP;
END
$$;

-- The body of a sale shows it with each line. It is otherwise as it was made last, whatever that is by now.
DO $$
DECLARE
    v_body   text := pg_get_functiondef('stock.sale_body(bigint, uuid)'::regprocedure);
    v_member text := 'stock.quantity_text(l.returned_quantity) AS returned_quantity';
    v_packed text := $sql$,
                           CASE WHEN l.packed_quantity IS NOT NULL
                                THEN json_build_object('name', l.packaging,
                                                       'quantity', stock.quantity_text(l.packed_quantity),
                                                       'price', stock.price_text(l.packed_price, t.currency_exponent))
                           END AS packaging$sql$;
BEGIN
    IF length(v_body) - length(replace(v_body, v_member, '')) <> length(v_member) THEN
        RAISE EXCEPTION 'stock.sale_body has no place for how a line was asked for';
    END IF;
    EXECUTE replace(v_body, v_member, v_member || v_packed);
END
$$;

-- Gives a draft, which the caller holds, its lines and costs, one element for each; NULL keeps those it has. Names, SKUs and
-- units are copied. Every refused line is named. Costs are spread by what the lines come to, or by their quantities if they
-- come to nothing.
-- A line that was asked for by packagings says how many, what they are called and what one costs.
CREATE FUNCTION stock.purchase_compose(
    p_purchase uuid, p_lines uuid[], p_products uuid[], p_skus text[], p_quantities numeric[], p_unit_costs numeric[],
    p_names text[], p_amounts numeric[], p_packagings text[], p_packed_quantities numeric[], p_packed_costs numeric[]
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_exponent integer;
    v_products uuid[];
    v_errors   json;
    v_goods    numeric;
    v_costs    numeric;
    v_shares   numeric[];
BEGIN
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;
    v_products := stock.product_ids(p_products, p_skus);
    SELECT json_agg(json_build_object('pointer', e.pointer, 'code', e.code, 'detail', e.sentence) ORDER BY e.part, e.place)
    INTO v_errors
    FROM (
        SELECT 1 AS part, w.place, '/lines/' || w.place - 1 || v.field AS pointer, v.code, v.sentence
        FROM unnest(v_products, p_products, p_quantities, p_unit_costs, p_packed_quantities, p_packed_costs) WITH ORDINALITY
                 AS w (id, named, quantity, unit_cost, packed_quantity, packed_cost, place)
        LEFT JOIN LATERAL (
            SELECT o.status, u.decimals
            FROM stock.product o
            JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = o.unit_id
            WHERE o.tenant_id = v_tenant AND o.id = w.id OFFSET 0
        ) p ON true,
        LATERAL (VALUES
            (w.id IS NULL, CASE WHEN w.named IS NULL THEN '/sku' ELSE '/product_id' END, 'not_found',
             'There is no such product.'),
            (p.status = 'archived', CASE WHEN w.named IS NULL THEN '/sku' ELSE '/product_id' END, 'product_inactive',
             'The product is archived.'),
            (min_scale(w.quantity) > p.decimals, '/quantity', 'quantity_precision',
             format('The unit allows %s decimals.', p.decimals)),
            (stock.line_gross(w.quantity, w.unit_cost, w.packed_quantity, w.packed_cost, v_exponent) >= 100000000000000,
             '/unit_cost', 'out_of_range', 'The line comes to too much.')
        ) AS v (holds, field, code, sentence)
        WHERE v.holds
        UNION ALL
        SELECT 2, w.place, '/costs/' || w.place - 1 || '/amount', 'too_many_decimals',
               format('Must have at most %s decimals, as the currency has.', v_exponent)
        FROM unnest(p_amounts) WITH ORDINALITY AS w (amount, place) WHERE min_scale(w.amount) > v_exponent
    ) e;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse(
            CASE WHEN EXISTS (SELECT FROM json_array_elements(v_errors) AS x (e) WHERE x.e ->> 'code' <> 'quantity_precision')
                 THEN 'validation_failed' ELSE 'quantity_precision' END,
            'The purchase is not valid.', v_errors);
    END IF;

    IF p_lines IS NOT NULL THEN
        DELETE FROM stock.purchase_line l WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase;
        INSERT INTO stock.purchase_line (tenant_id, id, purchase_id, position, product_id, sku, name, unit, quantity,
                                         open_quantity, unit_cost, total, packaging, packed_quantity, packed_cost)
        SELECT v_tenant, w.id, p_purchase, w.place, w.product_id, p.sku, p.name, p.symbol, w.quantity, w.quantity,
               w.unit_cost, stock.line_gross(w.quantity, w.unit_cost, w.packed_quantity, w.packed_cost, v_exponent),
               w.packaging, w.packed_quantity, w.packed_cost
        FROM unnest(p_lines, v_products, p_quantities, p_unit_costs, p_packagings, p_packed_quantities, p_packed_costs)
                 WITH ORDINALITY
                 AS w (id, product_id, quantity, unit_cost, packaging, packed_quantity, packed_cost, place),
        LATERAL (
            SELECT o.sku, o.name, u.symbol
            FROM stock.product o
            JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = o.unit_id
            WHERE o.tenant_id = v_tenant AND o.id = w.product_id OFFSET 0
        ) p;
    END IF;
    IF p_names IS NOT NULL THEN
        DELETE FROM stock.purchase_cost c WHERE c.tenant_id = v_tenant AND c.purchase_id = p_purchase;
        INSERT INTO stock.purchase_cost (tenant_id, purchase_id, position, name, amount)
        SELECT v_tenant, p_purchase, w.place, w.name, w.amount
        FROM unnest(p_names, p_amounts) WITH ORDINALITY AS w (name, amount, place);
    END IF;

    SELECT coalesce(sum(c.amount), 0) INTO v_costs FROM stock.purchase_cost c
    WHERE c.tenant_id = v_tenant AND c.purchase_id = p_purchase;
    SELECT coalesce(sum(l.total), 0),
           stock.spread(v_costs, CASE WHEN sum(l.total) > 0 THEN array_agg(l.total ORDER BY l.position)
                                      ELSE array_agg(l.quantity ORDER BY l.position) END, v_exponent)
    INTO v_goods, v_shares
    FROM stock.purchase_line l WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase;
    UPDATE stock.purchase_line l SET cost_share = v_shares[l.position]
    WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase AND l.cost_share <> v_shares[l.position];
    UPDATE stock.purchase p SET goods = v_goods, costs = v_costs, total = v_goods + v_costs
    WHERE p.tenant_id = v_tenant AND p.id = p_purchase;
END
$$;

-- As the binary before calls it, and whoever orders what runs short.
CREATE OR REPLACE FUNCTION stock.purchase_compose(
    p_purchase uuid, p_lines uuid[], p_products uuid[], p_skus text[], p_quantities numeric[], p_unit_costs numeric[],
    p_names text[], p_amounts numeric[]
) RETURNS void
LANGUAGE sql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    SELECT stock.purchase_compose(p_purchase, p_lines, p_products, p_skus, p_quantities, p_unit_costs, p_names, p_amounts,
                                  NULL, NULL, NULL)
$$;

CREATE OR REPLACE FUNCTION stock.purchase_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_rest text;
BEGIN
    SELECT row_to_json(r)::text INTO v_rest FROM (
        SELECT (SELECT coalesce(json_agg(row_to_json(b) ORDER BY b.position), '[]') FROM (
                    SELECT l.id, l.position, l.product_id, l.sku, l.name, l.unit,
                           stock.quantity_text(l.quantity) AS quantity,
                           stock.quantity_text(l.received_quantity) AS received_quantity,
                           stock.quantity_text(l.open_quantity) AS open_quantity,
                           stock.price_text(l.unit_cost, t.currency_exponent) AS unit_cost,
                           stock.money_text(l.total, t.currency_exponent) AS total,
                           stock.money_text(l.cost_share, t.currency_exponent) AS cost_share,
                           stock.price_text(stock.landed_cost(l.unit_cost, l.cost_share, l.quantity),
                                            t.currency_exponent) AS landed_cost,
                           CASE WHEN l.packed_quantity IS NOT NULL
                                THEN json_build_object('name', l.packaging,
                                                       'quantity', stock.quantity_text(l.packed_quantity),
                                                       'price', stock.price_text(l.packed_cost, t.currency_exponent))
                           END AS packaging
                    FROM stock.purchase_line l WHERE l.tenant_id = p_tenant AND l.purchase_id = p_id) b) AS lines,
               (SELECT coalesce(json_agg(json_build_object(
                           'name', c.name, 'amount', stock.money_text(c.amount, t.currency_exponent)) ORDER BY c.position), '[]')
                FROM stock.purchase_cost c WHERE c.tenant_id = p_tenant AND c.purchase_id = p_id) AS costs
        FROM stock.tenant t WHERE t.id = p_tenant
    ) r;
    -- The same figures as in a list, and what they are made of.
    RETURN rtrim(stock.purchase_summary(p_tenant, p_id), '}') || ',' || substr(v_rest, 2);
END
$$;

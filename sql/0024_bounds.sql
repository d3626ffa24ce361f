-- What a column can not hold is refused with the field that asks for it and the limit, before PostgreSQL refuses it with
-- neither. Bodies and files bound each figure by itself; these are the sums.

-- Refuses lines that would move a level out of what its column holds, their products' levels being as they are now: a level
-- this unit has moved already could be moved. p_quantities: as they are added, one per line.
CREATE FUNCTION stock.refuse_overflow(p_path text, p_positions integer[], p_products uuid[], p_quantities numeric[])
RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(json_build_object(
               'pointer', p_path || w.place || '/quantity', 'code', 'out_of_range',
               'detail', format('On hand must stay between -999999999999.999999 and 999999999999.999999; it is %s, and %s '
                                'would be added.', stock.quantity_text(l.on_hand), stock.quantity_text(w.added)),
               'product_id', w.product_id) ORDER BY w.place)
    INTO v_errors
    FROM (SELECT x.place, x.product_id, sum(x.quantity) OVER (PARTITION BY x.product_id) AS added
          FROM unnest(p_positions, p_products, p_quantities) AS x (place, product_id, quantity)) w
    JOIN stock.stock_level l ON l.tenant_id = stock.current_tenant() AND l.product_id = w.product_id
    WHERE abs(l.on_hand + w.added) >= 1000000000000 AND (l.floor IS NULL OR w.added > 0)
      AND NOT EXISTS (SELECT FROM stock.stock_movement m
                      WHERE m.tenant_id = l.tenant_id AND m.product_id = l.product_id AND m.seq = l.stock_version
                        AND m.xmin = pg_current_xact_id()::xid);
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'There would be more on hand than can be counted.', v_errors);
    END IF;
END
$$;

-- Puts what stays due on the customer's account, within the credit limit.
CREATE OR REPLACE FUNCTION stock.customer_charge(p_customer uuid, p_due numeric) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_exponent smallint;
    v_limit numeric;
    v_balance numeric;
BEGIN
    UPDATE stock.customer_account a
    SET balance = a.balance + p_due, version = a.version + 1, updated_at = now()
    FROM stock.customer c
    WHERE a.tenant_id = v_tenant AND a.customer_id = p_customer AND c.tenant_id = v_tenant AND c.id = p_customer
      AND (c.credit_limit IS NULL OR a.balance + p_due <= c.credit_limit) AND a.balance + p_due < 100000000000000;
    IF NOT FOUND THEN
        SELECT c.credit_limit, a.balance, t.currency_exponent INTO v_limit, v_balance, v_exponent
        FROM stock.customer c
        JOIN stock.customer_account a ON a.tenant_id = c.tenant_id AND a.customer_id = c.id
        JOIN stock.tenant t ON t.id = c.tenant_id
        WHERE c.tenant_id = v_tenant AND c.id = p_customer;
        IF v_balance + p_due <= coalesce(v_limit, v_balance + p_due) THEN
            PERFORM stock.refuse('validation_failed', 'The customer would owe more than an account can hold.',
                json_build_array(json_build_object(
                    'pointer', '/customer_id', 'code', 'out_of_range',
                    'detail', format('What the customer owes must stay below 100000000000000; it is %s, and %s are added.',
                                     stock.money_text(v_balance, v_exponent), stock.money_text(p_due, v_exponent)))));
        END IF;
        PERFORM stock.refuse('credit_limit_exceeded', 'What stays due would exceed the customer''s credit limit.',
            json_build_array(json_build_object(
                'pointer', '/customer_id', 'code', 'credit_limit_exceeded',
                'detail', 'The credit limit does not cover what stays due.',
                'credit_limit', stock.money_text(v_limit, v_exponent),
                'balance', stock.money_text(v_balance, v_exponent),
                'due', stock.money_text(p_due, v_exponent))));
    END IF;
END
$$;

-- Takes the sold goods, one element per line of a tracked product, positions being the lines' places in the request.
-- Lines of one product are summed first; rows are locked in the order of their ids, whatever the order of the cart.
CREATE OR REPLACE FUNCTION stock.sale_take_stock(
    p_sale uuid, p_user uuid, p_occurred_at timestamptz, p_movements uuid[],
    p_positions integer[], p_products uuid[], p_quantities numeric[]
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_at timestamptz := coalesce(p_occurred_at, now());
    v_day date := stock.business_day(v_at);
    v_wanted bigint := 1;
    v_moved bigint;
BEGIN
    IF cardinality(p_products) > 1 THEN
        PERFORM FROM stock.stock_level l
        WHERE l.tenant_id = v_tenant AND l.product_id = ANY (p_products)
        ORDER BY l.product_id FOR NO KEY UPDATE;
        -- One row per distinct product: each has a level.
        GET DIAGNOSTICS v_wanted = ROW_COUNT;
    END IF;
    WITH wanted AS (
        SELECT w.product_id, sum(w.quantity) AS quantity
        FROM unnest(p_products, p_quantities) AS w (product_id, quantity)
        GROUP BY w.product_id
    ), moved AS (
        UPDATE stock.stock_level l
        SET on_hand = l.on_hand - w.quantity,
            floor = CASE WHEN l.floor IS NOT NULL THEN least(0, l.on_hand - w.quantity) END,
            stock_version = l.stock_version + 1, updated_at = now()
        FROM wanted w
        WHERE l.tenant_id = v_tenant AND l.product_id = w.product_id
          AND (l.floor IS NULL OR l.on_hand - w.quantity >= l.floor) AND l.on_hand - w.quantity > -1000000000000
        RETURNING l.product_id, w.quantity, l.on_hand, l.cost, l.stock_version
    )
    INSERT INTO stock.stock_movement (tenant_id, id, product_id, seq, kind, quantity, on_hand_after, unit_cost,
                                      ref_type, ref_id, user_id, occurred_at, business_day)
    SELECT v_tenant, p_movements[row_number() OVER (ORDER BY m.product_id)], m.product_id, m.stock_version, 'sale',
           -m.quantity, m.on_hand, m.cost, 'sale', p_sale, p_user, v_at, v_day
    FROM moved m;
    GET DIAGNOSTICS v_moved = ROW_COUNT;
    IF v_moved < v_wanted THEN
        PERFORM stock.refuse_overflow('/lines/', p_positions, p_products,
                                      ARRAY(SELECT -q.quantity FROM unnest(p_quantities) WITH ORDINALITY
                                                AS q (quantity, place) ORDER BY q.place));
        PERFORM stock.refuse('insufficient_stock', 'There is not enough stock.', stock.stock_shortages(
            '/lines/', p_positions, p_products, p_quantities));
    END IF;
END
$$;

-- Openings, adjustments and losses, one element per row of the request; a row names its product by id or by SKU.
-- Every refused row is named.
CREATE OR REPLACE FUNCTION stock.stock_record(
    p_movements uuid[], p_products uuid[], p_skus text[], p_kinds text[], p_quantities numeric[], p_reasons text[],
    p_costs numeric[], p_expected numeric[], p_user uuid, p_occurred_at timestamptz
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_at timestamptz := coalesce(p_occurred_at, now());
    v_day date := stock.business_day(v_at);
    v_products uuid[];
    v_errors json;
    v_moved bigint;
BEGIN
    PERFORM stock.check_moment(p_occurred_at);
    -- Keys are made before the rows are looked up: row-level security lets no function that could tell of a row, as those
    -- of text could, be asked in an index.
    SELECT array_agg(p.id ORDER BY w.place) INTO v_products
    FROM (SELECT n.id, stock.folded(n.sku) AS key, n.place
          FROM unnest(p_products, p_skus) WITH ORDINALITY AS n (id, sku, place) OFFSET 0) w
    LEFT JOIN LATERAL (
        SELECT a.id FROM stock.product a WHERE a.tenant_id = v_tenant AND a.id = w.id
        UNION ALL
        SELECT a.id FROM stock.product a
        WHERE w.id IS NULL AND a.tenant_id = v_tenant AND a.sku_key = w.key
    ) p ON true;

    SELECT json_agg(json_build_object('pointer', '/movements/' || e.place || e.field, 'code', e.code,
                                      'detail', e.sentence) ORDER BY e.place)
    INTO v_errors
    FROM (
        SELECT w.place - 1 AS place, v.field, v.code, v.sentence
        FROM (SELECT n.*, row_number() OVER (PARTITION BY n.id ORDER BY n.place) AS copy
              FROM unnest(v_products, p_products, p_kinds, p_quantities) WITH ORDINALITY
                  AS n (id, named, kind, quantity, place)) w
        LEFT JOIN stock.product p ON p.tenant_id = v_tenant AND p.id = w.id
        LEFT JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = p.unit_id,
        LATERAL (VALUES
            (w.id IS NULL, CASE WHEN w.named IS NULL THEN '/sku' ELSE '/product_id' END, 'validation_failed',
             'There is no such product.'),
            (NOT p.tracks_stock, '/product_id', 'validation_failed', 'The product does not track stock.'),
            (w.copy > 1 AND w.id IS NOT NULL, '/product_id', 'validation_failed', 'The product is named twice.'),
            (min_scale(w.quantity) > u.decimals, '/quantity', 'quantity_precision',
             format('The unit allows %s decimals.', u.decimals))
        ) AS v (holds, field, code, sentence)
        WHERE v.holds
    ) e;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse(
            CASE WHEN EXISTS (SELECT FROM json_array_elements(v_errors) AS x (e) WHERE x.e ->> 'code' <> 'quantity_precision')
                 THEN 'validation_failed' ELSE 'quantity_precision' END,
            'The movements can not be recorded.', v_errors);
    END IF;

    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = v_tenant AND l.product_id = ANY (v_products)
    ORDER BY l.product_id FOR NO KEY UPDATE;

    SELECT json_agg(json_build_object(
               'pointer', '/movements/' || w.place - 1 || '/expect_on_hand', 'code', 'stock_changed',
               'detail', format('On hand is %s.', stock.quantity_text(l.on_hand)), 'product_id', w.id,
               'expected', stock.quantity_text(w.expected), 'on_hand', stock.quantity_text(l.on_hand)) ORDER BY w.place)
    INTO v_errors
    FROM unnest(v_products, p_expected) WITH ORDINALITY AS w (id, expected, place)
    JOIN stock.stock_level l ON l.tenant_id = v_tenant AND l.product_id = w.id
    WHERE l.on_hand <> w.expected;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('stock_changed', 'The stock on hand is not what was expected.', v_errors);
    END IF;

    SELECT json_agg(json_build_object(
               'pointer', '/movements/' || w.place - 1 || '/type', 'code', 'invalid_state',
               'detail', 'An opening must be the product''s first movement.', 'product_id', w.id) ORDER BY w.place)
    INTO v_errors
    FROM unnest(v_products, p_kinds) WITH ORDINALITY AS w (id, kind, place)
    JOIN stock.stock_level l ON l.tenant_id = v_tenant AND l.product_id = w.id
    WHERE w.kind = 'opening' AND l.stock_version > 0;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('invalid_state', 'An opening must be the product''s first movement.', v_errors);
    END IF;

    WITH wanted AS (
        SELECT w.* FROM unnest(p_movements, v_products, p_kinds, p_quantities, p_reasons, p_costs)
            AS w (id, product_id, kind, quantity, reason, cost)
    ), moved AS (
        UPDATE stock.stock_level l
        SET on_hand = l.on_hand + w.quantity,
            floor = CASE WHEN l.floor IS NOT NULL THEN least(0, l.on_hand + w.quantity) END,
            cost = CASE WHEN w.quantity < 0 OR w.cost IS NULL THEN l.cost
                        WHEN l.on_hand > 0
                        THEN round((l.on_hand * l.cost + w.quantity * w.cost) / (l.on_hand + w.quantity), 6)
                        ELSE w.cost END,
            stock_version = l.stock_version + 1, updated_at = now()
        FROM wanted w
        WHERE l.tenant_id = v_tenant AND l.product_id = w.product_id
          AND (l.floor IS NULL OR w.quantity > 0 OR l.on_hand + w.quantity >= l.floor)
          AND abs(l.on_hand + w.quantity) < 1000000000000
        RETURNING w.id, l.product_id, w.kind, w.quantity, l.on_hand, w.reason,
                  CASE WHEN w.quantity > 0 AND w.cost IS NOT NULL THEN w.cost ELSE l.cost END AS cost, l.stock_version
    )
    INSERT INTO stock.stock_movement (tenant_id, id, product_id, seq, kind, quantity, on_hand_after, unit_cost, reason,
                                      user_id, occurred_at, business_day)
    SELECT v_tenant, m.id, m.product_id, m.stock_version, m.kind, m.quantity, m.on_hand, m.cost, m.reason, p_user,
           v_at, v_day
    FROM moved m;
    GET DIAGNOSTICS v_moved = ROW_COUNT;
    IF v_moved < cardinality(v_products) THEN
        PERFORM stock.refuse_overflow('/movements/', ARRAY(SELECT generate_series(0, cardinality(v_products) - 1)),
                                      v_products, p_quantities);
        PERFORM stock.refuse('insufficient_stock', 'There is not enough stock.', (
            SELECT stock.stock_shortages('/movements/', array_agg((w.place - 1)::integer), array_agg(w.id),
                                         array_agg(-w.quantity))
            FROM unnest(v_products, p_quantities) WITH ORDINALITY AS w (id, quantity, place)
            WHERE w.quantity < 0));
    END IF;
    INSERT INTO stock.domain_event (tenant_id, type, payload, user_id, occurred_at)
    VALUES (v_tenant, 'stock.adjusted', json_build_object('products', v_products), p_user, v_at);
END
$$;

-- The books have one writer each: `moment` says when a document happened, `move_stock` changes levels and writes
-- movements, `post_money` writes payments, their allocations and the ledger, `document_number` takes numbers. A sale of
-- one line and an import of a thousand documents go through the same ones, each in sets.
-- docs/decisions/0031-one-set-of-books.md tells why they are cut so, and what they cost.

-- When ----------------------------------------------------------------------------------------------------------------

-- Why no document may have happened at a time, as a code, or NULL. p_day: that time's day where the shop is; p_closed: the
-- last day of the shop's closed books.
CREATE FUNCTION stock.moment_refusal(p_at timestamptz, p_day date, p_closed date) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
-- Clocks of tills are a little fast; nothing of a shop's books is older than its century's calendars agree on.
RETURN CASE
    WHEN p_at > now() + interval '5 minutes' THEN 'time_in_future'
    WHEN p_at < '1900-01-01 00:00:00+00'::timestamptz THEN 'time_invalid'
    WHEN p_day <= p_closed THEN 'period_closed'
END;

-- A document's time, by default this one, and its business day; once for each unit. Refuses what can not be.
CREATE FUNCTION stock.moment(p_occurred_at timestamptz, OUT occurred_at timestamptz, OUT business_day date)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_zone    text;
    v_closed  date;
    v_refusal text;
BEGIN
    SELECT t.timezone, t.closed_until INTO v_zone, v_closed FROM stock.tenant t WHERE t.id = stock.current_tenant();
    occurred_at := coalesce(p_occurred_at, now());
    business_day := (occurred_at AT TIME ZONE v_zone)::date;
    v_refusal := stock.moment_refusal(occurred_at, business_day, v_closed);
    IF v_refusal = 'period_closed' THEN
        PERFORM stock.refuse_field(v_refusal, '/occurred_at', format('The books are closed up to %s.', v_closed));
    ELSIF v_refusal IS NOT NULL THEN
        PERFORM stock.refuse_field(
            'validation_failed', '/occurred_at',
            CASE v_refusal WHEN 'time_in_future' THEN 'The time lies in the future.'
                           ELSE 'The time lies before 1900-01-01T00:00:00Z.' END);
    END IF;
END
$$;

-- Numbers -------------------------------------------------------------------------------------------------------------

-- Takes p_count numbers of a register for one kind of document, and gives the first. The register's other tills wait from
-- here to the end of the transaction, so that it comes last.
CREATE FUNCTION stock.document_number(p_register uuid, p_kind text, p_count bigint DEFAULT 1) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_last   bigint;
BEGIN
    UPDATE stock.document_counter c SET last_number = c.last_number + p_count
    WHERE c.tenant_id = v_tenant AND c.register_id = p_register AND c.kind = p_kind
    RETURNING c.last_number INTO v_last;
    IF v_last IS NULL THEN
        INSERT INTO stock.document_counter AS c (tenant_id, register_id, kind, last_number)
        VALUES (v_tenant, p_register, p_kind, p_count)
        ON CONFLICT (tenant_id, register_id, kind) DO UPDATE SET last_number = c.last_number + excluded.last_number
        RETURNING c.last_number INTO v_last;
    END IF;
    RETURN v_last - p_count + 1;
END
$$;

-- Goods ---------------------------------------------------------------------------------------------------------------

-- Goods that come (a quantity above 0) or go, for a document or by themselves. cost: what a piece of those that come was
-- bought for; NULL if it is worth what those on hand are.
CREATE TYPE stock.move AS (
    id            uuid,
    product_id    uuid,
    kind          text,
    quantity      numeric,
    cost          numeric,
    reason        text,
    ref_type      text,
    ref_id        uuid,
    user_id       uuid,
    occurred_at   timestamptz,
    business_day  date
);

-- Moves goods: the only function that changes what is on hand and writes movements. Levels are moved in the order of their
-- products, as every command locks them; moves of one product are numbered in the order they are given in. Gives the
-- products that were moved, with what a piece costs now. One that is missing would have fallen below its floor (if
-- p_heeds_floors: not of history, which has happened) or out of what its column holds: nothing of it was written, and
-- `refuse_moves` says why. What is bought moves the average cost once for all moves of a product, whatever their order.
CREATE FUNCTION stock.move_stock(p_moves stock.move[], p_heeds_floors boolean DEFAULT true)
RETURNS TABLE (product_id uuid, cost numeric)
LANGUAGE plpgsql
-- Moves and levels are joined in memory, and there may be thousands.
SET enable_hashjoin = on AS $$
#variable_conflict use_column
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_sum      record;
    v_level    record;
    v_products uuid[];
    v_costs    numeric[];
    v_on_hand  numeric[];
    v_versions bigint[];
BEGIN
    FOR v_sum IN
        SELECT m.product_id, sum(m.quantity) AS quantity, count(*) AS moves,
               sum(m.quantity) FILTER (WHERE m.quantity > 0 AND m.cost IS NOT NULL) AS bought,
               sum(m.quantity * m.cost) FILTER (WHERE m.quantity > 0) AS spent
        FROM unnest(p_moves) m GROUP BY m.product_id ORDER BY m.product_id
    LOOP
        UPDATE stock.stock_level l
        SET on_hand = l.on_hand + v_sum.quantity,
            floor = CASE WHEN l.floor IS NOT NULL THEN least(0, l.on_hand + v_sum.quantity) END,
            -- The average of what was there and what was bought; what comes otherwise is worth the same.
            cost = CASE WHEN v_sum.bought IS NULL THEN l.cost
                        WHEN l.on_hand > 0
                        THEN round((l.on_hand * l.cost + v_sum.spent) / (l.on_hand + v_sum.bought), 6)
                        ELSE round(v_sum.spent / v_sum.bought, 6) END,
            stock_version = l.stock_version + v_sum.moves, updated_at = now()
        WHERE l.tenant_id = v_tenant AND l.product_id = v_sum.product_id
          AND (NOT p_heeds_floors OR l.floor IS NULL OR v_sum.quantity > 0 OR l.on_hand + v_sum.quantity >= l.floor)
          AND abs(l.on_hand + v_sum.quantity) < 1000000000000
        RETURNING l.on_hand - v_sum.quantity AS on_hand, l.stock_version - v_sum.moves AS version, l.cost INTO v_level;
        IF FOUND THEN
            v_products := v_products || v_sum.product_id;
            v_costs := v_costs || v_level.cost;
            v_on_hand := v_on_hand || v_level.on_hand;
            v_versions := v_versions || v_level.version;
        END IF;
    END LOOP;
    INSERT INTO stock.stock_movement (tenant_id, id, product_id, seq, kind, quantity, on_hand_after, unit_cost, reason,
                                      ref_type, ref_id, user_id, occurred_at, business_day)
    SELECT v_tenant, m.id, m.product_id, l.version + count(*) OVER w, m.kind, m.quantity,
           l.on_hand + sum(m.quantity) OVER w, CASE WHEN m.quantity > 0 THEN coalesce(m.cost, l.cost) ELSE l.cost END,
           m.reason, m.ref_type, m.ref_id, m.user_id, m.occurred_at, m.business_day
    FROM unnest(p_moves) WITH ORDINALITY AS m (id, product_id, kind, quantity, cost, reason, ref_type, ref_id, user_id,
                                               occurred_at, business_day, ordinal)
    JOIN unnest(v_products, v_costs, v_on_hand, v_versions) AS l (product_id, cost, on_hand, version)
        ON l.product_id = m.product_id
    WINDOW w AS (PARTITION BY m.product_id ORDER BY m.ordinal);
    RETURN QUERY SELECT l.product_id, l.cost FROM unnest(v_products, v_costs) AS l (product_id, cost);
END
$$;

-- Refuses moves that `move_stock` did not make, with the places that ask for them: positions, products and quantities as
-- they are added, one element for each.
CREATE FUNCTION stock.refuse_moves(p_path text, p_positions integer[], p_products uuid[], p_quantities numeric[])
RETURNS void
LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_places   integer[];
    v_products uuid[];
    v_wanted   numeric[];
    v_errors   json;
BEGIN
    -- Nobody changes them while they are told.
    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = stock.current_tenant() AND l.product_id = ANY (p_products)
    ORDER BY l.product_id FOR NO KEY UPDATE;
    PERFORM stock.refuse_overflow(p_path, p_positions, p_products, p_quantities);
    SELECT array_agg(w.place), array_agg(w.product_id), array_agg(-w.quantity) INTO v_places, v_products, v_wanted
    FROM unnest(p_positions, p_products, p_quantities) AS w (place, product_id, quantity) WHERE w.quantity < 0;
    v_errors := stock.stock_shortages(p_path, v_places, v_products, v_wanted);
    IF json_array_length(v_errors) = 0 THEN
        -- Somebody has put back what was missing, between two statements.
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'levels_changed';
    END IF;
    PERFORM stock.refuse('insufficient_stock', 'There is not enough stock.', v_errors);
END
$$;

-- Money ---------------------------------------------------------------------------------------------------------------

-- Money that changes hands: in or out, for a sale, a return, or a customer's sales.
CREATE TYPE stock.posting AS (
    payment_id    uuid,
    ledger_id     uuid,
    direction     text,
    category      text,
    method        text,
    amount        numeric,
    tendered      numeric,
    sale_id       uuid,
    return_id     uuid,
    customer_id   uuid,
    user_id       uuid,
    occurred_at   timestamptz,
    business_day  date
);

-- What of a payment is for which sale.
CREATE TYPE stock.share AS (payment_id uuid, place integer, sale_id uuid, amount numeric);

-- Posts money: the only function that writes payments, their allocations and the ledger, whose triggers keep the running
-- totals. p_shares: what of each payment is for which sale; by default all that comes in for a sale is for that sale.
CREATE FUNCTION stock.post_money(p_postings stock.posting[], p_shares stock.share[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    INSERT INTO stock.payment (tenant_id, id, direction, method, amount, tendered, change, sale_id, return_id, customer_id,
                               user_id, occurred_at, business_day)
    SELECT v_tenant, p.payment_id, p.direction, p.method, p.amount, p.tendered, p.tendered - p.amount, p.sale_id,
           p.return_id, p.customer_id, p.user_id, p.occurred_at, p.business_day
    FROM unnest(p_postings) p;
    IF p_shares IS NULL THEN
        INSERT INTO stock.payment_allocation (tenant_id, payment_id, position, sale_id, amount)
        SELECT v_tenant, p.payment_id, 1, p.sale_id, p.amount FROM unnest(p_postings) p
        WHERE p.direction = 'in' AND p.sale_id IS NOT NULL;
    ELSE
        INSERT INTO stock.payment_allocation (tenant_id, payment_id, position, sale_id, amount)
        SELECT v_tenant, s.payment_id, s.place, s.sale_id, s.amount FROM unnest(p_shares) s;
    END IF;
    INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id, user_id,
                                    occurred_at, business_day)
    SELECT v_tenant, p.ledger_id, CASE p.direction WHEN 'in' THEN 'income' ELSE 'expense' END, p.amount, p.method,
           p.category, 'payment', p.payment_id, p.user_id, p.occurred_at, p.business_day
    FROM unnest(p_postings) p;
END
$$;

-- Commands ------------------------------------------------------------------------------------------------------------

-- A confirmed sale: what it rests on is still as the caller read it, what stays due goes on the customer's account, the
-- goods leave, documents and money are written, and the number is taken last. The arrays: what leaves of each product
-- whose stock is tracked; the lines; the tenders.
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
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_register record;
    v_moved    bigint;
    v_places   integer[];
    v_products uuid[];
    v_added    numeric[];
    v_number   bigint;
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
    SELECT g.id, g.requires_session INTO v_register FROM stock.register g
    WHERE g.tenant_id = v_tenant AND g.active AND (g.id = p_register OR p_register IS NULL AND g.is_default);
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('validation_failed', '/register_id', 'There is no such register.');
    ELSIF v_register.requires_session AND 'cash' = ANY (p_methods) THEN
        PERFORM stock.refuse_field('session_closed', '/register_id', 'The register has no open cash session.');
    END IF;
    IF p_customer IS NOT NULL THEN
        PERFORM FROM stock.customer c WHERE c.tenant_id = v_tenant AND c.id = p_customer AND c.active;
        IF NOT FOUND THEN
            PERFORM stock.refuse_field('validation_failed', '/customer_id', 'There is no such active customer.');
        ELSIF p_total > p_paid THEN
            PERFORM stock.customer_charge(p_customer, p_total - p_paid);
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
                       v_moment.occurred_at, v_moment.business_day)::stock.move
            FROM generate_subscripts(p_moved, 1) AS m (i)));
        IF v_moved < cardinality(p_moved) THEN
            SELECT array_agg(w.i - 1), array_agg(p_products[w.i]), array_agg(-p_quantities[w.i])
            INTO v_places, v_products, v_added
            FROM generate_subscripts(p_products, 1) AS w (i) WHERE p_products[w.i] = ANY (p_moved);
            PERFORM stock.refuse_moves('/lines/', v_places, v_products, v_added);
        END IF;
    END IF;

    -- Names, units and tax rates are the products' own, whose versions were compared above; the cost is the level's.
    INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price,
                                 price_source, discount, document_discount, tax_rate, tax, total, unit_cost)
    SELECT v_tenant, p_lines[w.i], p_sale, w.i, p.id, p.sku, p.name, u.symbol, p_quantities[w.i], p_prices[w.i],
           CASE WHEN p_overridden[w.i] THEN 'override' ELSE 'list' END, p_discounts[w.i], p_document_discounts[w.i],
           p.tax_rate, p_taxes[w.i], p_totals[w.i], l.cost
    FROM generate_subscripts(p_lines, 1) AS w (i),
    LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = p_products[w.i] OFFSET 0) p,
    LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u,
    LATERAL (SELECT o.cost FROM stock.stock_level o WHERE o.tenant_id = v_tenant AND o.product_id = p.id OFFSET 0) l;
    IF cardinality(p_payments) > 0 THEN
        PERFORM stock.post_money(ARRAY(
            SELECT ROW(p_payments[m.i], p_ledger[m.i], 'in', 'sale', p_methods[m.i], p_amounts[m.i], p_tendered[m.i],
                       p_sale, NULL, p_customer, p_user, v_moment.occurred_at,
                       v_moment.business_day)::stock.posting
            FROM generate_subscripts(p_payments, 1) AS m (i)));
    END IF;

    v_number := stock.document_number(v_register.id, 'sale');
    INSERT INTO stock.sale (tenant_id, id, register_id, number, status, customer_id, user_id, note, occurred_at,
                            business_day, subtotal, discount, tax, total, paid, due)
    VALUES (v_tenant, p_sale, v_register.id, v_number, 'confirmed', p_customer, p_user, p_note, v_moment.occurred_at,
            v_moment.business_day, p_subtotal, p_discount, p_tax, p_total, p_paid, p_total - p_paid);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.confirmed', p_sale, json_build_object('number', v_number, 'total', p_total::text), p_user,
            v_moment.occurred_at);
END
$$;

-- Money for what is due: of one sale, or of a customer's sales, the oldest first. Never capped: more than is due is
-- refused.
CREATE OR REPLACE FUNCTION stock.payment_register(
    p_payment uuid, p_ledger uuid, p_method text, p_amount numeric, p_tendered numeric, p_sale uuid, p_customer uuid,
    p_user uuid, p_occurred_at timestamptz
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
BEGIN
    v_moment := stock.moment(p_occurred_at);
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
        SELECT coalesce(sum(d.due), 0) INTO v_due FROM (
            SELECT s.due FROM stock.sale s
            WHERE s.tenant_id = v_tenant AND s.customer_id = p_customer AND s.due > 0
            ORDER BY s.occurred_at, s.id FOR NO KEY UPDATE) d;
    END IF;
    IF p_amount > v_due THEN
        SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;
        PERFORM stock.refuse('payment_exceeds_due', 'The amount is more than what is due.', json_build_array(
            json_build_object('pointer', '/amount', 'code', 'payment_exceeds_due',
                              'detail', 'The amount is more than what is due.',
                              'amount', stock.money_text(p_amount, v_exponent),
                              'due', stock.money_text(v_due, v_exponent))));
    END IF;
    WITH owed AS (
        SELECT s.id, s.due, s.occurred_at,
               sum(s.due) OVER (ORDER BY s.occurred_at, s.id ROWS UNBOUNDED PRECEDING) - s.due AS before,
               row_number() OVER (ORDER BY s.occurred_at, s.id) AS place
        FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.due > 0
          AND (s.id = p_sale OR p_sale IS NULL AND s.customer_id = v_customer)
    ), share AS (
        SELECT o.id, o.place, least(o.due, p_amount - o.before) AS amount FROM owed o WHERE o.before < p_amount
    ), settled AS (
        UPDATE stock.sale s
        SET paid = s.paid + h.amount, due = s.due - h.amount, version = s.version + 1, updated_at = now()
        FROM share h WHERE s.tenant_id = v_tenant AND s.id = h.id
    )
    SELECT array_agg(ROW(p_payment, h.place, h.id, h.amount)::stock.share) INTO v_shares FROM share h;
    IF v_customer IS NOT NULL THEN
        UPDATE stock.customer_account a
        SET balance = a.balance - p_amount, version = a.version + 1, updated_at = now()
        WHERE a.tenant_id = v_tenant AND a.customer_id = v_customer;
    END IF;
    PERFORM stock.post_money(
        ARRAY[ROW(p_payment, p_ledger, 'in', 'payment', p_method, p_amount, p_tendered, p_sale, NULL, v_customer, p_user,
                  v_moment.occurred_at, v_moment.business_day)::stock.posting],
        v_shares);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'payment.received', p_payment,
            json_build_object('amount', p_amount::text, 'method', p_method), p_user, v_moment.occurred_at);
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
    v_moment record;
    v_products uuid[];
    v_errors json;
    v_moved bigint;
BEGIN
    v_moment := stock.moment(p_occurred_at);
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

    SELECT count(*) INTO v_moved FROM stock.move_stock(ARRAY(
        SELECT ROW(w.id, w.product_id, w.kind, w.quantity, w.cost, w.reason, NULL, NULL, p_user, v_moment.occurred_at,
                   v_moment.business_day)::stock.move
        FROM unnest(p_movements, v_products, p_kinds, p_quantities, p_costs, p_reasons)
            AS w (id, product_id, kind, quantity, cost, reason)));
    IF v_moved < cardinality(v_products) THEN
        PERFORM stock.refuse_moves('/movements/', ARRAY(SELECT generate_series(0, cardinality(v_products) - 1)),
                                   v_products, p_quantities);
    END IF;
    INSERT INTO stock.domain_event (tenant_id, type, payload, user_id, occurred_at)
    VALUES (v_tenant, 'stock.adjusted', json_build_object('products', v_products), p_user, v_moment.occurred_at);
END
$$;

-- Rules -----------------------------------------------------------------------------------------------------------------

-- Change that was given back of nothing passed, as what is unknown is no refusal.
ALTER TABLE stock.payment
    DROP CONSTRAINT payment_check1,
    ADD CONSTRAINT payment_change CHECK (
        CASE WHEN tendered IS NULL THEN change IS NULL
             ELSE change IS NOT NULL AND change >= 0 AND change = tendered - amount END) NOT VALID;

-- What only binaries before the last one called ------------------------------------------------------------------------

DROP FUNCTION stock.sale_check, stock.sale_take_stock, stock.sale_insert, stock.sale_pay, stock.next_number,
    stock.check_moment, stock.business_day, stock.import_sales_plan(integer),
    stock.import_sales_apply(integer, integer, text, uuid, boolean, boolean);

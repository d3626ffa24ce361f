-- The steps of commands that must refuse inside the database, so that a pipelined unit needs no answer between its
-- statements. A business refusal is SQLSTATE ST001: MESSAGE the problem code, HINT a sentence, DETAIL a JSON array of
-- {pointer, code, detail, ...}. ST002: the same key is at work. ST003: a record of the key exists. ST004: what the
-- caller computed from has changed, read again.

CREATE FUNCTION stock.refuse(p_code text, p_sentence text, p_errors json DEFAULT '[]') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = p_code, HINT = p_sentence, DETAIL = p_errors::text;
END
$$;

-- One field's refusal.
CREATE FUNCTION stock.refuse_field(p_code text, p_pointer text, p_sentence text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.refuse(p_code, p_sentence,
                         json_build_array(json_build_object('pointer', p_pointer, 'code', p_code, 'detail', p_sentence)));
END
$$;

-- Idempotency --------------------------------------------------------------------------------------------------------

-- Takes the key, first in the unit's lock order. The lock ends with the transaction, after its record can be seen.
CREATE FUNCTION stock.idempotency_begin(p_route text, p_key text, p_hash bytea) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_expires timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(v_tenant || ' ' || p_route || ' ' || p_key, 0)) THEN
        RAISE EXCEPTION USING ERRCODE = 'ST002', MESSAGE = 'idempotency_in_progress',
            HINT = 'A request with this Idempotency-Key is still running.';
    END IF;
    SELECT r.expires_at INTO v_expires FROM stock.idempotency_record r
    WHERE r.tenant_id = v_tenant AND r.route = p_route AND r.key = p_key;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF v_expires > now() THEN
        RAISE EXCEPTION USING ERRCODE = 'ST003', MESSAGE = 'idempotency_record_exists';
    END IF;
    DELETE FROM stock.idempotency_record r WHERE r.tenant_id = v_tenant AND r.route = p_route AND r.key = p_key;
END
$$;

-- Keeps the answer beside its effect and gives the body back: one statement answers and records. No key: only answers.
-- Each new record takes two expired ones along, so that nobody has to sweep.
CREATE FUNCTION stock.idempotency_finish(
    p_route text, p_key text, p_hash bytea, p_status integer, p_headers text, p_body text, p_resource uuid
) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF p_key IS NOT NULL THEN
        INSERT INTO stock.idempotency_record (tenant_id, route, key, request_hash, status, headers, body, resource_id)
        VALUES (stock.current_tenant(), p_route, p_key, p_hash, p_status, p_headers, p_body, p_resource);
        DELETE FROM stock.idempotency_record r
        WHERE r.tenant_id = stock.current_tenant() AND (r.route, r.key) IN (
            SELECT o.route, o.key FROM stock.idempotency_record o
            WHERE o.tenant_id = stock.current_tenant() AND o.expires_at < now()
            ORDER BY o.expires_at LIMIT 2 FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN p_body;
END
$$;

CREATE FUNCTION stock.emit(p_type text, p_entity uuid, p_payload json, p_user uuid, p_occurred_at timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (stock.current_tenant(), p_type, p_entity, p_payload, p_user, coalesce(p_occurred_at, now()));
END
$$;

-- Tenancy ------------------------------------------------------------------------------------------------------------

-- A tenant with its default register. Sets the scope of the running unit to it, so that the statements after it can
-- write the new tenant's rows.
CREATE FUNCTION stock.tenant_create(
    p_slug text, p_name text, p_currency text, p_exponent smallint, p_timezone text, p_register uuid
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = p_timezone) THEN
        PERFORM stock.refuse_field('validation_failed', '/timezone', 'The time zone is not an IANA zone.');
    END IF;
    INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone)
    VALUES (p_slug, p_name, p_currency, p_exponent, p_timezone)
    ON CONFLICT (slug) DO NOTHING
    RETURNING id INTO v_id;
    IF v_id IS NULL THEN
        PERFORM stock.refuse_field('duplicate', '/slug', 'A tenant with this slug exists.');
    END IF;
    PERFORM set_config('stock.tenant_id', v_id::text, true);
    INSERT INTO stock.register (tenant_id, id, name, is_default) VALUES (v_id, p_register, 'Main', true);
    INSERT INTO stock.document_counter (tenant_id, register_id, kind)
    VALUES (v_id, p_register, 'sale'), (v_id, p_register, 'return');
    RETURN v_id;
END
$$;

-- The day a moment belongs to in the current tenant's zone.
CREATE FUNCTION stock.business_day(p_at timestamptz) RETURNS date
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_zone text;
BEGIN
    SELECT t.timezone INTO v_zone FROM stock.tenant t WHERE t.id = stock.current_tenant();
    RETURN (p_at AT TIME ZONE v_zone)::date;
END
$$;

-- A document's moment: not in the future beyond a slow clock, not in a closed period.
CREATE FUNCTION stock.check_moment(p_occurred_at timestamptz) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_closed date;
    v_zone text;
BEGIN
    SELECT t.closed_until, t.timezone INTO v_closed, v_zone FROM stock.tenant t WHERE t.id = stock.current_tenant();
    IF p_occurred_at > now() + interval '5 minutes' THEN
        PERFORM stock.refuse_field('validation_failed', '/occurred_at', 'The time lies in the future.');
    END IF;
    IF (coalesce(p_occurred_at, now()) AT TIME ZONE v_zone)::date <= v_closed THEN
        PERFORM stock.refuse_field('period_closed', '/occurred_at', format('The books are closed up to %s.', v_closed));
    END IF;
END
$$;

-- Sales --------------------------------------------------------------------------------------------------------------

-- What a confirmed sale rests on is still as the caller read it, one element per line.
CREATE FUNCTION stock.sale_check(
    p_tenant_version bigint, p_register uuid, p_customer uuid, p_occurred_at timestamptz, p_cash boolean,
    p_products uuid[], p_versions bigint[], p_decimals smallint[]
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_changed boolean;
    v_session boolean;
BEGIN
    SELECT t.version IS DISTINCT FROM p_tenant_version INTO v_changed FROM stock.tenant t WHERE t.id = v_tenant;
    IF v_changed OR EXISTS (
        SELECT FROM unnest(p_products, p_versions, p_decimals) AS w (id, version, decimals)
        LEFT JOIN stock.product p ON p.tenant_id = v_tenant AND p.id = w.id
        LEFT JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = p.unit_id
        WHERE p.version IS DISTINCT FROM w.version OR u.decimals IS DISTINCT FROM w.decimals
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'products_changed';
    END IF;
    PERFORM stock.check_moment(p_occurred_at);
    SELECT g.requires_session INTO v_session FROM stock.register g
    WHERE g.tenant_id = v_tenant AND g.active AND (g.id = p_register OR p_register IS NULL AND g.is_default);
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('validation_failed', '/register_id', 'There is no such register.');
    ELSIF v_session AND p_cash THEN
        PERFORM stock.refuse_field('session_closed', '/register_id', 'The register has no open cash session.');
    END IF;
    IF p_customer IS NOT NULL AND NOT EXISTS (
        SELECT FROM stock.customer c WHERE c.tenant_id = v_tenant AND c.id = p_customer AND c.active
    ) THEN
        PERFORM stock.refuse_field('validation_failed', '/customer_id', 'There is no such active customer.');
    END IF;
END
$$;

-- Puts what stays due on the customer's account, within the credit limit.
CREATE FUNCTION stock.customer_charge(p_customer uuid, p_due numeric) RETURNS void
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
      AND (c.credit_limit IS NULL OR a.balance + p_due <= c.credit_limit);
    IF NOT FOUND THEN
        SELECT c.credit_limit, a.balance, t.currency_exponent INTO v_limit, v_balance, v_exponent
        FROM stock.customer c
        JOIN stock.customer_account a ON a.tenant_id = c.tenant_id AND a.customer_id = c.id
        JOIN stock.tenant t ON t.id = c.tenant_id
        WHERE c.tenant_id = v_tenant AND c.id = p_customer;
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
CREATE FUNCTION stock.sale_take_stock(
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
          AND (l.floor IS NULL OR l.on_hand - w.quantity >= l.floor)
        RETURNING l.product_id, w.quantity, l.on_hand, l.cost, l.stock_version
    )
    INSERT INTO stock.stock_movement (tenant_id, id, product_id, seq, kind, quantity, on_hand_after, unit_cost,
                                      ref_type, ref_id, user_id, occurred_at, business_day)
    SELECT v_tenant, p_movements[row_number() OVER (ORDER BY m.product_id)], m.product_id, m.stock_version, 'sale',
           -m.quantity, m.on_hand, m.cost, 'sale', p_sale, p_user, v_at, v_day
    FROM moved m;
    GET DIAGNOSTICS v_moved = ROW_COUNT;
    IF v_moved < v_wanted THEN
        PERFORM stock.refuse('insufficient_stock', 'There is not enough stock.', stock.stock_shortages(
            '/lines/', p_positions, p_products, p_quantities));
    END IF;
END
$$;

-- Every line that asks for more than there is, its own unit's uncommitted changes undone.
CREATE FUNCTION stock.stock_shortages(p_path text, p_positions integer[], p_products uuid[], p_quantities numeric[])
RETURNS json
LANGUAGE plpgsql AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(json_build_object(
               'pointer', p_path || w.place || '/quantity', 'code', 'insufficient_stock',
               'detail', format('%s asked for, %s available.', stock.quantity_text(w.wanted),
                                stock.quantity_text(h.available)),
               'product_id', w.product_id, 'requested', stock.quantity_text(w.wanted),
               'available', stock.quantity_text(h.available)) ORDER BY w.place)
    INTO v_errors
    FROM (SELECT x.place, x.product_id, sum(x.quantity) OVER (PARTITION BY x.product_id) AS wanted
          FROM unnest(p_positions, p_products, p_quantities) AS x (place, product_id, quantity)) w
    JOIN stock.stock_level l ON l.tenant_id = stock.current_tenant() AND l.product_id = w.product_id,
    LATERAL (
        -- A level that this unit has moved already could be served: it is no shortage.
        SELECT greatest(0, l.on_hand) AS available
    ) h
    WHERE l.floor IS NOT NULL AND l.on_hand - w.wanted < l.floor
      AND NOT EXISTS (SELECT FROM stock.stock_movement m
                      WHERE m.tenant_id = l.tenant_id AND m.product_id = l.product_id AND m.seq = l.stock_version
                        AND m.xmin = pg_current_xact_id()::xid);
    RETURN coalesce(v_errors, '[]');
END
$$;

-- The sale and its lines, final from the start. Names, units and tax rates are the products' own, whose versions were
-- compared in this unit; the cost is the level's.
CREATE FUNCTION stock.sale_insert(
    p_sale uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text, p_occurred_at timestamptz,
    p_subtotal numeric, p_discount numeric, p_tax numeric, p_total numeric, p_paid numeric,
    p_lines uuid[], p_products uuid[], p_quantities numeric[], p_prices numeric[], p_overridden boolean[],
    p_discounts numeric[], p_document_discounts numeric[], p_taxes numeric[], p_totals numeric[]
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_register uuid := p_register;
    v_at timestamptz := coalesce(p_occurred_at, now());
    v_number bigint;
BEGIN
    IF v_register IS NULL THEN
        SELECT g.id INTO v_register FROM stock.register g WHERE g.tenant_id = v_tenant AND g.is_default;
    END IF;
    v_number := stock.next_number(v_register, 'sale');
    INSERT INTO stock.sale (tenant_id, id, register_id, number, status, customer_id, user_id, note, occurred_at,
                            business_day, subtotal, discount, tax, total, paid, due)
    VALUES (v_tenant, p_sale, v_register, v_number, 'confirmed', p_customer, p_user, p_note, v_at,
            stock.business_day(v_at), p_subtotal, p_discount, p_tax, p_total, p_paid, p_total - p_paid);
    INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price,
                                 price_source, discount, document_discount, tax_rate, tax, total, unit_cost)
    SELECT v_tenant, w.id, p_sale, w.position, w.product_id, p.sku, p.name, u.symbol, w.quantity, w.price,
           CASE WHEN w.overridden THEN 'override' ELSE 'list' END, w.discount, w.document_discount, p.tax_rate, w.tax,
           w.total, l.cost
    FROM unnest(p_lines, p_products, p_quantities, p_prices, p_overridden, p_discounts, p_document_discounts, p_taxes,
                p_totals) WITH ORDINALITY
        AS w (id, product_id, quantity, price, overridden, discount, document_discount, tax, total, position)
    JOIN stock.product p ON p.tenant_id = v_tenant AND p.id = w.product_id
    JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = p.unit_id
    JOIN stock.stock_level l ON l.tenant_id = v_tenant AND l.product_id = w.product_id;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.confirmed', p_sale, json_build_object('number', v_number, 'total', p_total::text), p_user,
            v_at);
END
$$;

CREATE FUNCTION stock.next_number(p_register uuid, p_kind text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_number bigint;
BEGIN
    UPDATE stock.document_counter c SET last_number = c.last_number + 1
    WHERE c.tenant_id = v_tenant AND c.register_id = p_register AND c.kind = p_kind
    RETURNING c.last_number INTO v_number;
    IF v_number IS NULL THEN
        INSERT INTO stock.document_counter AS c (tenant_id, register_id, kind, last_number)
        VALUES (v_tenant, p_register, p_kind, 1)
        ON CONFLICT (tenant_id, register_id, kind) DO UPDATE SET last_number = c.last_number + 1
        RETURNING c.last_number INTO v_number;
    END IF;
    RETURN v_number;
END
$$;

-- The tenders of a sale: payments, their allocations and one ledger row each.
CREATE FUNCTION stock.sale_pay(
    p_sale uuid, p_customer uuid, p_user uuid, p_occurred_at timestamptz,
    p_payments uuid[], p_ledger uuid[], p_methods text[], p_amounts numeric[], p_tendered numeric[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_at timestamptz := coalesce(p_occurred_at, now());
    v_day date := stock.business_day(v_at);
BEGIN
    INSERT INTO stock.payment (tenant_id, id, direction, method, amount, tendered, change, sale_id, customer_id,
                               user_id, occurred_at, business_day)
    SELECT v_tenant, w.id, 'in', w.method, w.amount, w.tendered, w.tendered - w.amount, p_sale, p_customer, p_user,
           v_at, v_day
    FROM unnest(p_payments, p_methods, p_amounts, p_tendered) AS w (id, method, amount, tendered);
    INSERT INTO stock.payment_allocation (tenant_id, payment_id, position, sale_id, amount)
    SELECT v_tenant, w.id, 1, p_sale, w.amount FROM unnest(p_payments, p_amounts) AS w (id, amount);
    INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id,
                                    user_id, occurred_at, business_day)
    SELECT v_tenant, w.id, 'income', w.amount, w.method, 'sale', 'payment', w.payment_id, p_user, v_at, v_day
    FROM unnest(p_ledger, p_payments, p_methods, p_amounts) AS w (id, payment_id, method, amount);
END
$$;

-- Payments -----------------------------------------------------------------------------------------------------------

-- Money for what is due: of one sale, or of a customer's sales, the oldest first. Never capped: more than is due is
-- refused.
CREATE FUNCTION stock.payment_register(
    p_payment uuid, p_ledger uuid, p_method text, p_amount numeric, p_tendered numeric, p_sale uuid, p_customer uuid,
    p_user uuid, p_occurred_at timestamptz
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_at timestamptz := coalesce(p_occurred_at, now());
    v_day date := stock.business_day(v_at);
    v_customer uuid := p_customer;
    v_status text;
    v_due numeric;
    v_exponent smallint;
BEGIN
    PERFORM stock.check_moment(p_occurred_at);
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
    INSERT INTO stock.payment (tenant_id, id, direction, method, amount, tendered, change, sale_id, customer_id,
                               user_id, occurred_at, business_day)
    VALUES (v_tenant, p_payment, 'in', p_method, p_amount, p_tendered, p_tendered - p_amount, p_sale, v_customer,
            p_user, v_at, v_day);
    WITH owed AS (
        SELECT s.id, s.due, s.occurred_at,
               sum(s.due) OVER (ORDER BY s.occurred_at, s.id ROWS UNBOUNDED PRECEDING) - s.due AS before,
               row_number() OVER (ORDER BY s.occurred_at, s.id) AS position
        FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.due > 0
          AND (s.id = p_sale OR p_sale IS NULL AND s.customer_id = v_customer)
    ), share AS (
        SELECT o.id, o.position, least(o.due, p_amount - o.before) AS amount FROM owed o WHERE o.before < p_amount
    ), allocated AS (
        INSERT INTO stock.payment_allocation (tenant_id, payment_id, position, sale_id, amount)
        SELECT v_tenant, p_payment, h.position, h.id, h.amount FROM share h
    )
    UPDATE stock.sale s
    SET paid = s.paid + h.amount, due = s.due - h.amount, version = s.version + 1, updated_at = now()
    FROM share h WHERE s.tenant_id = v_tenant AND s.id = h.id;
    IF v_customer IS NOT NULL THEN
        UPDATE stock.customer_account a
        SET balance = a.balance - p_amount, version = a.version + 1, updated_at = now()
        WHERE a.tenant_id = v_tenant AND a.customer_id = v_customer;
    END IF;
    INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id,
                                    user_id, occurred_at, business_day)
    VALUES (v_tenant, p_ledger, 'income', p_amount, p_method, 'payment', 'payment', p_payment, p_user, v_at, v_day);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'payment.received', p_payment,
            json_build_object('amount', p_amount::text, 'method', p_method), p_user, v_at);
END
$$;

-- Stock --------------------------------------------------------------------------------------------------------------

-- Openings, adjustments and losses, one element per row of the request; a row names its product by id or by SKU.
-- Every refused row is named.
CREATE FUNCTION stock.stock_record(
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
    SELECT array_agg(p.id ORDER BY w.place) INTO v_products
    FROM unnest(p_products, p_skus) WITH ORDINALITY AS w (id, sku, place)
    LEFT JOIN LATERAL (
        SELECT a.id FROM stock.product a WHERE a.tenant_id = v_tenant AND a.id = w.id
        UNION ALL
        SELECT a.id FROM stock.product a
        WHERE w.id IS NULL AND a.tenant_id = v_tenant AND a.sku_key = stock.folded(w.sku)
    ) p ON true;

    SELECT json_agg(json_build_object('pointer', '/movements/' || e.place || e.field, 'code', e.code,
                                      'detail', e.sentence) ORDER BY e.place)
    INTO v_errors
    FROM (
        SELECT w.place - 1 AS place, v.field, v.code, v.sentence
        FROM unnest(v_products, p_products, p_kinds, p_quantities) WITH ORDINALITY AS w (id, named, kind, quantity, place)
        LEFT JOIN stock.product p ON p.tenant_id = v_tenant AND p.id = w.id
        LEFT JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = p.unit_id,
        LATERAL (VALUES
            (w.id IS NULL, CASE WHEN w.named IS NULL THEN '/sku' ELSE '/product_id' END, 'validation_failed',
             'There is no such product.'),
            (NOT p.tracks_stock, '/product_id', 'validation_failed', 'The product does not track stock.'),
            (EXISTS (SELECT FROM unnest(v_products) WITH ORDINALITY AS o (id, place)
                     WHERE o.id = w.id AND o.place < w.place),
             '/product_id', 'validation_failed', 'The product is named twice.'),
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

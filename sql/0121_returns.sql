-- Returns: what was sold comes back, in parts, at what was paid for it; and, where a shop allows it, what no sale is known of.
-- docs/decisions/0037-undoing.md tells what was decided.

-- rounding: what was given back more than `refund` or, below zero, less, as it was taken when the sale was paid in cash and as
-- there are coins for it now.
ALTER TABLE stock.sale_return ADD COLUMN rounding numeric(18,4) NOT NULL DEFAULT 0;

-- Payments may be written before the return that they are of, so that its number is taken behind them, as a sale's is.
ALTER TABLE stock.payment ALTER CONSTRAINT payment_tenant_id_return_id_fkey DEFERRABLE INITIALLY DEFERRED;

-- A refund is rounded whatever it refunds.
CREATE OR REPLACE FUNCTION stock.payment_is_sound(
    p_direction text, p_status text, p_method text, p_amount numeric, p_tip numeric, p_rounding numeric, p_tendered numeric,
    p_change numeric, p_is_of_sale boolean
) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN p_direction IN ('in', 'out') AND p_status IN ('confirmed', 'reversed') AND p_method ~ '^[a-z0-9_]{1,40}$'
        AND p_amount > 0 AND p_tip >= 0 AND (p_tip = 0 OR p_direction = 'in')
        AND p_rounding < p_amount AND (p_rounding = 0 OR p_is_of_sale OR p_direction = 'out')
        AND CASE WHEN p_tendered IS NULL THEN p_change IS NULL
                 ELSE p_change IS NOT NULL AND p_change >= 0 AND p_change = p_tendered - p_amount - p_tip END;
END
$$;

-- What of a line's total is returned with so much of its quantity. Parts are differences of it, so that they add up to the whole.
-- Thirty decimals keep the quotient from being rounded twice.
CREATE FUNCTION stock.returned_amount(p_total numeric, p_quantity numeric, p_returned numeric, p_exponent integer)
RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round((p_total * p_returned)::numeric(60, 30) / p_quantity, p_exponent);

-- The kinds of the methods that a request's payments name. Refuses one that is not there or is archived, at its place.
CREATE FUNCTION stock.payment_kinds(p_methods text[]) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(SELECT stock.payment_kind(p_methods[m.i], '/payments/' || m.i - 1 || '/method')
                 FROM generate_subscripts(p_methods, 1) AS m (i) ORDER BY m.i);
END
$$;

-- Holds the payments of a refund against what has to be given back, p_owed, and says how much they are in all and which of them
-- takes what is rounded. What the others leave to cash is rounded as cash of a sale is (CashRounding): if there is cash
-- among them, or nothing at all, as what rounds to nothing needs no payment. p_value: what of it is worth of what was sold.
CREATE FUNCTION stock.refund_check(p_owed numeric, p_value numeric, p_amounts numeric[], p_kinds text[], OUT paid numeric,
                                   OUT rounded integer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_step     numeric;
    v_exponent integer;
    v_other    numeric;
    v_target   numeric := p_owed;
    v_errors   json;
BEGIN
    SELECT t.cash_rounding, t.currency_exponent INTO v_step, v_exponent FROM stock.tenant t
    WHERE t.id = stock.current_tenant();
    SELECT coalesce(sum(w.amount), 0), coalesce(sum(w.amount) FILTER (WHERE w.kind <> 'cash'), 0),
           json_agg(json_build_object('pointer', '/payments/' || w.n - 1 || '/amount', 'code', 'too_many_decimals', 'detail',
                                      format('Must have at most %s decimals, as the currency has.', v_exponent)) ORDER BY w.n)
               FILTER (WHERE min_scale(w.amount) > v_exponent)
    INTO paid, v_other, v_errors
    FROM unnest(p_amounts, p_kinds) WITH ORDINALITY AS w (amount, kind, n);
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'Some payments are not valid.', v_errors);
    END IF;
    IF v_step > 0 AND v_other < p_owed AND ('cash' = ANY (p_kinds) OR cardinality(p_kinds) = 0) THEN
        v_target := v_other + round((p_owed - v_other)::numeric(60, 30) / v_step) * v_step;
    END IF;
    IF paid <> v_target THEN
        PERFORM stock.refuse('payment_mismatch', 'The payments are not what is given back.', json_build_array(json_build_object(
            'pointer', '/payments', 'code', 'payment_mismatch',
            'detail', format('Adds up to %s; %s is given back.', stock.money_text(paid, v_exponent),
                             stock.money_text(v_target, v_exponent)),
            'amount', stock.money_text(paid, v_exponent), 'due', stock.money_text(v_target, v_exponent))));
    END IF;
    IF paid <> p_value AND cardinality(p_amounts) > 0 THEN
        -- The largest in cash, or of all where there is none; the first of equals.
        SELECT w.n INTO rounded
        FROM unnest(p_amounts, p_kinds) WITH ORDINALITY AS w (amount, kind, n)
        ORDER BY w.kind = 'cash' DESC, w.amount DESC, w.n LIMIT 1;
        IF p_amounts[rounded] <= paid - p_value THEN
            PERFORM stock.refuse('payment_mismatch', 'The money is in more parts than can be rounded.', json_build_array(
                json_build_object('pointer', format('/payments/%s/amount', rounded - 1), 'code', 'too_low',
                                  'detail', 'Must be more than what it is rounded by.')));
        END IF;
    END IF;
END
$$;

-- What a return takes back. movement_id: for its goods, if they can be sold again. unit_cost: NULL if it is what those on hand
-- are worth.
CREATE TYPE stock.return_line AS (
    id            uuid,
    sale_line_id  uuid,
    product_id    uuid,
    sku           text,
    name          text,
    unit          text,
    quantity      numeric,
    unit_price    numeric,
    amount        numeric,
    unit_cost     numeric,
    restock       boolean,
    movement_id   uuid
);

-- Writes a return that has been decided: goods, money, and, behind its number, the document and its lines, which retire what
-- they must by it. What is not put back moves nothing: it left with the sale, and is lost. p_return: all but its number.
CREATE FUNCTION stock.return_write(
    p_return stock.sale_return, p_location uuid, p_lines stock.return_line[], p_payments uuid[], p_ledger uuid[],
    p_methods text[], p_kinds text[], p_amounts numeric[], p_rounded integer, p_rounding_ledger uuid
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_moves  stock.move[];
    v_moved  bigint;
    v_shares stock.share[] := '{}';
BEGIN
    v_moves := ARRAY(
        SELECT ROW((array_agg(l.movement_id ORDER BY l.n))[1], l.product_id, 'return', sum(l.quantity),
                   round(sum(l.quantity * l.unit_cost) / sum(l.quantity), 6), NULL, 'return', p_return.id, p_return.user_id,
                   p_return.occurred_at, p_return.business_day, p_location)::stock.move
        FROM unnest(p_lines) WITH ORDINALITY AS l (id, sale_line_id, product_id, sku, name, unit, quantity, unit_price, amount,
                                                   unit_cost, restock, movement_id, n),
        LATERAL (SELECT o.tracks_stock FROM stock.product o
                 WHERE o.tenant_id = v_tenant AND o.id = l.product_id OFFSET 0) p
        WHERE l.restock AND p.tracks_stock GROUP BY l.product_id);
    PERFORM stock.cache_touch_modules(
        v_tenant,
        '{sales,dashboard,reports}'::text[]
        || CASE WHEN cardinality(v_moves) > 0 THEN '{stock,products}'::text[] END
        || CASE WHEN cardinality(p_payments) > 0 THEN '{payments,balance}'::text[] END
        || CASE WHEN p_return.customer_id IS NOT NULL THEN '{customers}'::text[] END);
    SELECT count(*) INTO v_moved FROM stock.move_stock(v_moves);
    IF v_moved < cardinality(v_moves) THEN
        PERFORM stock.refuse_moves('/lines/', array_agg(l.n::integer - 1), array_agg(l.product_id),
                                   array_agg(p_location), array_agg(l.quantity))
        FROM unnest(p_lines) WITH ORDINALITY AS l (id, sale_line_id, product_id, sku, name, unit, quantity, unit_price, amount,
                                                   unit_cost, restock, movement_id, n)
        WHERE l.restock;
    END IF;
    IF cardinality(p_payments) > 0 THEN
        IF p_return.sale_id IS NOT NULL THEN
            v_shares := ARRAY(SELECT ROW(p_payments[m.i], 1, p_return.sale_id, p_amounts[m.i])::stock.share
                              FROM generate_subscripts(p_payments, 1) AS m (i));
        END IF;
        PERFORM stock.post_money(
            ARRAY(SELECT ROW(p_payments[m.i], p_ledger[m.i], 'out', 'refund', p_methods[m.i], p_amounts[m.i], NULL,
                             p_return.sale_id, p_return.id, p_return.customer_id, p_return.user_id, p_return.occurred_at,
                             p_return.business_day)::stock.posting
                  FROM generate_subscripts(p_payments, 1) AS m (i)),
            v_shares, p_kinds,
            ARRAY(SELECT ROW(NULL, NULL, CASE m.i WHEN p_rounded THEN p_return.rounding END, p_rounding_ledger)::stock.tender
                  FROM generate_subscripts(p_payments, 1) AS m (i)));
    END IF;
    p_return.number := stock.document_number(p_return.register_id, 'return');
    INSERT INTO stock.sale_return (tenant_id, id, register_id, number, sale_id, customer_id, user_id, note, occurred_at,
                                   business_day, total, refund, rounding)
    VALUES (v_tenant, p_return.id, p_return.register_id, p_return.number, p_return.sale_id, p_return.customer_id,
            p_return.user_id, p_return.note, p_return.occurred_at, p_return.business_day, p_return.total, p_return.refund,
            p_return.rounding);
    INSERT INTO stock.sale_return_line (tenant_id, id, return_id, position, sale_line_id, product_id, sku, name, unit,
                                        quantity, unit_price, amount, unit_cost, restock)
    SELECT v_tenant, l.id, p_return.id, l.n, l.sale_line_id, l.product_id, l.sku, l.name, l.unit, l.quantity, l.unit_price,
           l.amount, coalesce(l.unit_cost, v.cost), l.restock
    FROM unnest(p_lines) WITH ORDINALITY AS l (id, sale_line_id, product_id, sku, name, unit, quantity, unit_price, amount,
                                               unit_cost, restock, movement_id, n),
    LATERAL (SELECT o.cost FROM stock.stock_level o
             WHERE o.tenant_id = v_tenant AND o.product_id = l.product_id OFFSET 0) v;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.returned', p_return.id,
            json_build_object('number', p_return.number, 'sale_id', p_return.sale_id, 'total', p_return.total::text),
            p_return.user_id, p_return.occurred_at);
END
$$;

-- Takes back what a sale sold, one element for each line of the request. What is due falls first; what was paid more than is left
-- of the sale is given back, with what its cash was rounded by. Goods come to where the register stands, at the cost they left
-- with.
CREATE FUNCTION stock.return_of_sale(
    p_return uuid, p_sale uuid, p_register uuid, p_user uuid, p_note text, p_occurred_at timestamptz,
    p_lines uuid[], p_sale_lines uuid[], p_quantities numeric[], p_restock boolean[], p_movements uuid[],
    p_payments uuid[], p_ledger uuid[], p_methods text[], p_amounts numeric[], p_rounding_ledger uuid
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_sale     stock.sale;
    v_kinds    text[];
    v_till     record;
    v_exponent integer;
    v_lines    stock.return_line[];
    v_errors   json;
    v_return   stock.sale_return;
    v_refund   record;
BEGIN
    v_moment := stock.moment(p_occurred_at);
    SELECT s.* INTO v_sale FROM stock.sale s WHERE s.tenant_id = v_tenant AND s.id = p_sale FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such sale.');
    ELSIF v_sale.status <> 'confirmed' THEN
        PERFORM stock.refuse('invalid_state', format('The sale is %s.', v_sale.status));
    END IF;
    v_kinds := stock.payment_kinds(p_methods);
    v_till := stock.till(coalesce(p_register, v_sale.register_id), 'cash' = ANY (v_kinds));
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;

    SELECT array_agg(ROW(w.id, l.id, l.product_id, l.sku, l.name, l.unit, w.quantity, l.unit_price,
                         stock.returned_amount(l.total, l.quantity, l.returned_quantity + w.quantity, v_exponent)
                         - stock.returned_amount(l.total, l.quantity, l.returned_quantity, v_exponent),
                         l.unit_cost, w.restock, w.movement_id)::stock.return_line ORDER BY w.n),
           json_agg(v.error ORDER BY w.n) FILTER (WHERE v.error IS NOT NULL)
    INTO v_lines, v_errors
    FROM (SELECT n.*, count(*) OVER (PARTITION BY n.sale_line_id) AS times
          FROM unnest(p_lines, p_sale_lines, p_quantities, p_restock, p_movements) WITH ORDINALITY
              AS n (id, sale_line_id, quantity, restock, movement_id, n)) w
    LEFT JOIN LATERAL (SELECT o.* FROM stock.sale_line o
                       WHERE o.tenant_id = v_tenant AND o.id = w.sale_line_id AND o.sale_id = p_sale OFFSET 0) l ON true
    LEFT JOIN LATERAL (SELECT o.unit_id FROM stock.product o
                       WHERE o.tenant_id = v_tenant AND o.id = l.product_id OFFSET 0) p ON true
    LEFT JOIN LATERAL (SELECT o.decimals FROM stock.unit o
                       WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u ON true,
    LATERAL (SELECT CASE
        WHEN l.id IS NULL THEN json_build_object(
            'pointer', format('/lines/%s/sale_line_id', w.n - 1), 'code', 'not_found', 'detail', 'The sale has no such line.')
        WHEN w.times > 1 THEN json_build_object(
            'pointer', format('/lines/%s/sale_line_id', w.n - 1), 'code', 'conflict', 'detail', 'The line is named twice.')
        WHEN min_scale(w.quantity) > u.decimals THEN json_build_object(
            'pointer', format('/lines/%s/quantity', w.n - 1), 'code', 'quantity_precision',
            'detail', format('The unit allows %s decimals.', u.decimals))
        WHEN l.returned_quantity + w.quantity > l.quantity THEN json_build_object(
            'pointer', format('/lines/%s/quantity', w.n - 1), 'code', 'refund_exceeds_sold',
            'detail', format('%s asked for, %s left to return.', stock.quantity_text(w.quantity),
                             stock.quantity_text(l.quantity - l.returned_quantity)),
            'product_id', l.product_id, 'requested', stock.quantity_text(w.quantity),
            'available', stock.quantity_text(l.quantity - l.returned_quantity)) END) AS v (error);
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse(
            (SELECT CASE WHEN bool_or(e ->> 'code' IN ('not_found', 'conflict')) THEN 'validation_failed'
                         WHEN bool_or(e ->> 'code' = 'quantity_precision') THEN 'quantity_precision'
                         ELSE 'refund_exceeds_sold' END
             FROM json_array_elements(v_errors) AS x (e)),
            'Some lines can not be returned.', v_errors);
    END IF;

    v_return.id := p_return;
    v_return.register_id := v_till.id;
    v_return.sale_id := p_sale;
    v_return.customer_id := v_sale.customer_id;
    v_return.user_id := p_user;
    v_return.note := p_note;
    v_return.occurred_at := v_moment.occurred_at;
    v_return.business_day := v_moment.business_day;
    SELECT sum(l.amount) INTO v_return.total FROM unnest(v_lines) l;
    v_return.refund := greatest(0, v_return.total - v_sale.due);
    v_refund := stock.refund_check(
        CASE WHEN v_return.refund > 0 THEN greatest(0, v_return.refund + v_sale.rounding) ELSE 0 END, v_return.refund,
        p_amounts, v_kinds);
    v_return.rounding := v_refund.paid - v_return.refund;

    FOR v_place IN 1..cardinality(p_sale_lines) LOOP
        UPDATE stock.sale_line l SET returned_quantity = l.returned_quantity + p_quantities[v_place]
        WHERE l.tenant_id = v_tenant AND l.id = p_sale_lines[v_place];
    END LOOP;
    UPDATE stock.sale s
    SET returned_total = s.returned_total + v_return.total, refunded = s.refunded + v_refund.paid,
        rounding = s.rounding - v_return.rounding, due = greatest(0, s.due - v_return.total), version = s.version + 1,
        updated_at = now()
    WHERE s.tenant_id = v_tenant AND s.id = p_sale;
    IF v_sale.customer_id IS NOT NULL AND v_sale.due > 0 THEN
        UPDATE stock.customer_account a
        SET balance = a.balance - least(v_sale.due, v_return.total), version = a.version + 1, updated_at = now()
        WHERE a.tenant_id = v_tenant AND a.customer_id = v_sale.customer_id;
    END IF;
    PERFORM stock.return_write(v_return, v_till.location_id, v_lines, p_payments, p_ledger, p_methods, v_kinds, p_amounts,
                               v_refund.rounded, p_rounding_ledger);
END
$$;

-- Showing -------------------------------------------------------------------------------------------------------------

-- A return in a list, and in the sale it is of.
CREATE FUNCTION stock.return_summary(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT r.id, r.number, r.sale_id, r.register_id, r.customer_id, r.user_id, r.note,
               stock.rfc3339(r.occurred_at) AS occurred_at, stock.rfc3339(r.recorded_at) AS recorded_at, r.business_day,
               stock.money_text(r.total, t.currency_exponent) AS total,
               stock.money_text(r.refund, t.currency_exponent) AS refund,
               stock.money_text(r.rounding, t.currency_exponent) AS rounding, r.external_id
        FROM stock.sale_return r JOIN stock.tenant t ON t.id = r.tenant_id
        WHERE r.tenant_id = p_tenant AND r.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- With its lines and the money that was given back. Nothing of it ever changes: whether a payment was reversed is told by the
-- payment.
CREATE FUNCTION stock.return_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_exponent integer;
    v_lines    json;
    v_payments json;
BEGIN
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = p_tenant;
    SELECT json_agg(row_to_json(b) ORDER BY b.position) INTO v_lines FROM (
        SELECT l.id, l.position, l.sale_line_id, l.product_id, l.sku, l.name, l.unit,
               stock.quantity_text(l.quantity) AS quantity, stock.price_text(l.unit_price, v_exponent) AS unit_price,
               stock.money_text(l.amount, v_exponent) AS amount, stock.price_text(l.unit_cost, v_exponent) AS unit_cost,
               l.restock
        FROM stock.sale_return_line l WHERE l.tenant_id = p_tenant AND l.return_id = p_id) b;
    SELECT json_agg(row_to_json(b) ORDER BY b.id) INTO v_payments FROM (
        SELECT p.id, p.method, stock.money_text(p.amount, v_exponent) AS amount
        FROM stock.payment p WHERE p.tenant_id = p_tenant AND p.return_id = p_id) b;
    RETURN left(stock.return_summary(p_tenant, p_id), -1) || ',"lines":' || v_lines
        || ',"payments":' || coalesce(v_payments, '[]') || '}';
END
$$;

-- The returns of a sale, the first one first.
CREATE FUNCTION stock.sale_returns(p_tenant bigint, p_sale uuid) RETURNS json
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(stock.return_summary(p_tenant, r.id)::json ORDER BY r.recorded_at, r.id), '[]')
            FROM stock.sale_return r WHERE r.tenant_id = p_tenant AND r.sale_id = p_sale);
END
$$;

-- Returns, newest first, those before (p_before, p_before_id); of a sale or a customer, or all.
CREATE FUNCTION stock.return_page(
    p_sale uuid, p_customer uuid, p_from date, p_to date, p_before timestamptz, p_before_id uuid, p_count integer
) RETURNS TABLE (id uuid, occurred_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_first  timestamptz := coalesce((p_from - 1)::timestamptz, '-infinity');
    v_last   timestamptz := least((p_to + 2)::timestamptz, p_before, 'infinity');
    v_before timestamptz := coalesce(p_before, 'infinity');
    v_id     uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
BEGIN
    IF p_sale IS NOT NULL THEN
        -- As many as a sale has: sorted.
        RETURN QUERY
        SELECT r.id, r.occurred_at FROM stock.sale_return r
        WHERE r.tenant_id = v_tenant AND r.sale_id = p_sale AND (p_customer IS NULL OR r.customer_id = p_customer)
          AND (r.occurred_at, r.id) < (v_before, v_id)
          AND (p_from IS NULL OR r.business_day >= p_from) AND (p_to IS NULL OR r.business_day <= p_to)
        ORDER BY r.occurred_at DESC, r.id DESC LIMIT p_count;
    ELSIF p_customer IS NOT NULL THEN
        RETURN QUERY
        SELECT r.id, r.occurred_at FROM stock.sale_return r
        WHERE r.tenant_id = v_tenant AND r.customer_id = p_customer AND r.occurred_at BETWEEN v_first AND v_last
          AND (r.occurred_at, r.id) < (v_before, v_id)
          AND (p_from IS NULL OR r.business_day >= p_from) AND (p_to IS NULL OR r.business_day <= p_to)
        ORDER BY r.occurred_at DESC, r.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT r.id, r.occurred_at FROM stock.sale_return r
        WHERE r.tenant_id = v_tenant AND r.occurred_at BETWEEN v_first AND v_last
          AND (r.occurred_at, r.id) < (v_before, v_id)
          AND (p_from IS NULL OR r.business_day >= p_from) AND (p_to IS NULL OR r.business_day <= p_to)
        ORDER BY r.occurred_at DESC, r.id DESC LIMIT p_count;
    END IF;
END
$$;
-- By which a customer's are read in their order.
DROP INDEX stock.sale_return_customer_idx;
CREATE INDEX sale_return_customer_idx ON stock.sale_return (tenant_id, customer_id, occurred_at, id)
    WHERE customer_id IS NOT NULL;

-- A sale with its lines and the payments allocated to it. `change` is what was handed back when it was paid; a tip is told
-- where it was given. Without subqueries in its expressions, which would be gone through at each call.
CREATE OR REPLACE FUNCTION stock.sale_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.number, s.status, s.register_id, s.customer_id, s.user_id, s.note,
               stock.rfc3339(s.occurred_at) AS occurred_at, stock.rfc3339(s.recorded_at) AS recorded_at,
               s.business_day, g.lines,
               stock.money_text(s.subtotal, t.currency_exponent) AS subtotal,
               stock.money_text(s.discount, t.currency_exponent) AS discount,
               stock.money_text(s.tax, t.currency_exponent) AS tax,
               stock.money_text(s.total, t.currency_exponent) AS total,
               CASE WHEN g.is_plain
                    THEN stock.rate_sum(g.tax_rate, s.total - s.tax, s.tax, t.currency_exponent)
                    ELSE stock.tax_breakdown(s.tenant_id, s.id, t.currency_exponent) END AS tax_breakdown,
               stock.money_text(s.rounding, t.currency_exponent) AS rounding,
               stock.money_text(s.returned_total, t.currency_exponent) AS returned_total,
               stock.money_text(s.paid, t.currency_exponent) AS paid,
               stock.money_text(s.refunded, t.currency_exponent) AS refunded,
               stock.money_text(s.due, t.currency_exponent) AS due,
               stock.money_text(coalesce(m.change, 0), t.currency_exponent) AS change,
               coalesce(m.payments, '[]') AS payments,
               CASE s.status WHEN 'cancelled' THEN stock.sale_cancellation_json(s.tenant_id, s.id) END AS cancellation,
               -- What was never changed has none.
               CASE WHEN s.version > 1 THEN stock.sale_returns(s.tenant_id, s.id) ELSE '[]' END AS returns,
               s.external_id, s.version
        FROM stock.sale s
        JOIN stock.tenant t ON t.id = s.tenant_id
        LEFT JOIN LATERAL (
            SELECT json_agg(b.line ORDER BY b.position) AS lines, min(b.tax_rate) AS tax_rate,
                   bool_and(b.is_plain) AND min(b.tax_rate) = max(b.tax_rate) AS is_plain
            FROM (
                SELECT l.position, l.tax_rate, l.taxes IS NULL AS is_plain, row_to_json(r) AS line
                FROM stock.sale_line l, LATERAL (
                    SELECT l.id, l.position, l.product_id, l.sku, l.name, l.unit,
                           stock.quantity_text(l.quantity) AS quantity,
                           stock.price_text(l.unit_price, t.currency_exponent) AS unit_price, l.price_source,
                           stock.money_text(l.discount + l.document_discount, t.currency_exponent) AS discount,
                           stock.quantity_text(l.tax_rate) AS tax_rate,
                           stock.money_text(l.tax, t.currency_exponent) AS tax,
                           CASE WHEN l.taxes IS NULL
                                THEN stock.rate_taxes(l.tax_rate, t.prices_include_tax, l.total - l.tax, l.tax,
                                                      t.currency_exponent)
                                ELSE l.taxes::json END AS taxes,
                           stock.money_text(l.total, t.currency_exponent) AS total,
                           stock.price_text(l.unit_cost, t.currency_exponent) AS unit_cost,
                           stock.quantity_text(l.returned_quantity) AS returned_quantity) r
                WHERE l.tenant_id = s.tenant_id AND l.sale_id = s.id) b) g ON true
        LEFT JOIN LATERAL (
            SELECT sum(b.taken) AS change, json_agg(b.payment ORDER BY b.id) AS payments FROM (
                SELECT p.id, CASE WHEN p.sale_id = s.id THEN p.change END AS taken, row_to_json(c) AS payment
                FROM stock.payment_allocation a
                JOIN stock.payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id,
                LATERAL (SELECT p.id, p.direction, p.method,
                                stock.money_text(a.amount, t.currency_exponent) AS amount,
                                stock.money_text(CASE WHEN p.sale_id = s.id THEN p.tip ELSE 0 END, t.currency_exponent) AS tip,
                                stock.money_text(p.tendered, t.currency_exponent) AS tendered,
                                stock.money_text(p.change, t.currency_exponent) AS change, p.status,
                                stock.rfc3339(p.occurred_at) AS occurred_at) c
                WHERE a.tenant_id = s.tenant_id AND a.sale_id = s.id) b) m ON true
        WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

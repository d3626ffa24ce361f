-- Approvals: somebody who may sell further below the list price, or let a customer owe more than their limit, approves of one sale by
-- their own credential. What they get is good for a few minutes and once, and the sale says who approved of what.
-- docs/decisions/0046-the-front-of-sales.md tells what was chosen.

-- How far past a customer's credit limit a manager may let them go, in percent of it; owners go as far as they approve of.
ALTER TABLE stock.tenant
    ADD COLUMN manager_credit_limit numeric(5,2) DEFAULT 0 CHECK (manager_credit_limit BETWEEN 0 AND 100);

CREATE TABLE stock.approval (
    -- As of all documents, no key to the tenant.
    tenant_id       bigint NOT NULL,
    id              uuid NOT NULL,
    -- SHA-256 of what was handed out, which is kept nowhere.
    secret_hash     bytea NOT NULL,
    -- Who approves.
    user_id         uuid NOT NULL,
    -- Of how many percent below the list price, and past the credit limit; of neither if it is NULL.
    discount_limit  numeric(5,2) CHECK (discount_limit BETWEEN 0 AND 100),
    credit_limit    numeric(5,2) CHECK (credit_limit BETWEEN 0 AND 100),
    note            text CHECK (length(note) BETWEEN 0 AND 2000),
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    -- Who sold, and what.
    used_by         uuid,
    sale_id         uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_of CHECK (discount_limit IS NOT NULL OR credit_limit IS NOT NULL),
    CONSTRAINT approval_used CHECK ((used_at IS NOT NULL) = (sale_id IS NOT NULL))
);
ALTER TABLE stock.approval ALTER COLUMN tenant_id SET STATISTICS 0;
-- By what no look-up of a key asks for, though it says the same.
CREATE INDEX approval_open_idx ON stock.approval (tenant_id, expires_at) WHERE sale_id IS NULL;
CALL stock.secure_table('stock.approval', 'SELECT, INSERT, UPDATE, DELETE');
-- A sale shows what was approved of.
CALL stock.watch_table('stock.approval', 'cache_touch', 'sales');

-- The approval that the running unit uses, in a setting as its session is.
CREATE FUNCTION stock.current_approval() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN NULLIF(current_setting('stock.approval', true), '')::uuid;

-- Without a key, which every sale would be asked for. I33 holds the two against each other.
ALTER TABLE stock.sale ADD COLUMN approval_id uuid;
ALTER TABLE stock.sale ALTER COLUMN approval_id SET DEFAULT stock.current_approval();

-- Approves of something, as far as the role of who does may itself; two that nobody used are cleared away.
CREATE FUNCTION stock.approval_give(
    p_approval uuid, p_hash bytea, p_user uuid, p_role text, p_discount_limit numeric, p_credit_limit numeric, p_note text
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_errors json;
    v_old    uuid;
BEGIN
    SELECT json_agg(json_build_object('pointer', v.pointer, 'code', 'forbidden',
                                      'detail', format('You may approve of at most %s %%.', stock.quantity_text(v.most)),
                                      'limit', stock.quantity_text(v.most)))
    INTO v_errors
    FROM stock.tenant t,
    LATERAL (VALUES ('/discount_limit', t.manager_discount_limit, p_discount_limit),
                    ('/credit_limit', t.manager_credit_limit, p_credit_limit)) AS v (pointer, most, asked)
    WHERE t.id = v_tenant AND p_role <> 'owner' AND v.asked > v.most;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('forbidden', 'This is for somebody with a higher limit.', v_errors);
    END IF;
    FOR v_old IN
        SELECT o.id FROM stock.approval o
        WHERE o.tenant_id = v_tenant AND o.sale_id IS NULL AND o.expires_at < now()
        ORDER BY o.expires_at LIMIT 2 FOR UPDATE SKIP LOCKED
    LOOP
        DELETE FROM stock.approval a WHERE a.tenant_id = v_tenant AND a.id = v_old;
    END LOOP;
    INSERT INTO stock.approval (tenant_id, id, secret_hash, user_id, discount_limit, credit_limit, note, expires_at)
    VALUES (v_tenant, p_approval, p_hash, p_user, p_discount_limit, p_credit_limit, p_note, now() + interval '5 minutes');
END
$$;

-- Uses it for a sale, which the unit writes after this.
CREATE FUNCTION stock.approval_take(p_approval uuid, p_hash bytea, p_sale uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock.approval a SET used_at = now(), used_by = p_user, sale_id = p_sale
    WHERE a.tenant_id = stock.current_tenant() AND a.id = p_approval AND a.secret_hash = p_hash AND a.used_at IS NULL
      AND a.expires_at > now();
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('not_found', '/approval', 'The approval was used, has expired, or is none.');
    END IF;
    PERFORM set_config('stock.approval', p_approval::text, true);
END
$$;

-- What stays due goes on the customer's account, within the limit or as far past it as somebody has approved of.
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
    IF NOT FOUND AND stock.current_approval() IS NOT NULL THEN
        UPDATE stock.customer_account a
        SET balance = a.balance + p_due, version = a.version + 1, updated_at = now()
        FROM stock.customer c, stock.approval v
        WHERE a.tenant_id = v_tenant AND a.customer_id = p_customer AND c.tenant_id = v_tenant AND c.id = p_customer
          AND v.tenant_id = v_tenant AND v.id = stock.current_approval()
          AND a.balance + p_due <= c.credit_limit * (1 + v.credit_limit / 100) AND a.balance + p_due < 100000000000000;
    END IF;
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

-- What was approved of, as a sale shows it.
CREATE FUNCTION stock.approval_json(p_tenant bigint, p_id uuid) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('user_id', a.user_id, 'discount_limit', stock.quantity_text(a.discount_limit),
                                     'credit_limit', stock.quantity_text(a.credit_limit), 'note', a.note,
                                     'approved_at', stock.rfc3339(a.created_at))
            FROM stock.approval a WHERE a.tenant_id = p_tenant AND a.id = p_id);
END
$$;

-- The same as it is given, with until when it is good.
CREATE FUNCTION stock.approval_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT a.id, a.user_id, stock.quantity_text(a.discount_limit) AS discount_limit,
               stock.quantity_text(a.credit_limit) AS credit_limit, a.note, stock.rfc3339(a.created_at) AS approved_at,
               stock.rfc3339(a.expires_at) AS expires_at
        FROM stock.approval a WHERE a.tenant_id = p_tenant AND a.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- A confirmed sale: what it rests on is still as the caller read it, what stays due goes on the customer's account, the
-- goods leave, documents and money are written, and the number is taken last. The arrays: what leaves of each product
-- whose stock is tracked; the lines, with their taxes as JSON where a rate does not say it all; the tenders, of which
-- p_rounded is the place of the one that was rounded, with no tips if there are none. p_draft: the version of the draft that
-- becomes it; p_quote: the quote that it is made of, of this version, which is sold by it. The program before calls it
-- without either.
DROP FUNCTION stock.sale_confirm(
    bigint, uuid, uuid, uuid, uuid, text, timestamptz, numeric, numeric, numeric, numeric, numeric, uuid[], numeric[], uuid[],
    uuid[], uuid[], bigint[], smallint[], numeric[], numeric[], boolean[], numeric[], numeric[], numeric[], numeric[], text[],
    uuid[], uuid[], text[], numeric[], numeric[], text[], numeric[], uuid[], numeric, integer, uuid);
CREATE FUNCTION stock.sale_confirm(
    p_tenant_version bigint, p_sale uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text,
    p_occurred_at timestamptz, p_subtotal numeric, p_discount numeric, p_tax numeric, p_total numeric, p_paid numeric,
    p_moved uuid[], p_sold numeric[], p_movements uuid[],
    p_lines uuid[], p_products uuid[], p_versions bigint[], p_decimals smallint[],
    p_quantities numeric[], p_prices numeric[], p_overridden boolean[], p_discounts numeric[],
    p_document_discounts numeric[], p_taxes numeric[], p_totals numeric[], p_parts text[],
    p_payments uuid[], p_ledger uuid[], p_methods text[], p_amounts numeric[], p_tendered numeric[],
    p_kinds text[], p_tips numeric[], p_tip_ledger uuid[], p_rounding numeric, p_rounded integer, p_rounding_ledger uuid,
    p_draft bigint DEFAULT NULL, p_quote uuid DEFAULT NULL, p_quote_version bigint DEFAULT NULL
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
    PERFORM stock.sale_rests_on(p_tenant_version, p_products, p_versions, p_decimals);
    v_moment := stock.moment(p_occurred_at);
    v_register := stock.till(p_register, 'cash' = ANY (p_kinds));
    IF p_draft IS NOT NULL THEN
        PERFORM stock.draft_held(p_sale, NULL, p_draft);
    ELSIF p_quote IS NOT NULL THEN
        PERFORM stock.quote_held(p_quote, NULL, p_quote_version, '{sent,accepted}', true);
    END IF;
    IF p_customer IS NOT NULL THEN
        PERFORM stock.customer_buys(p_customer);
        IF p_total + p_rounding > p_paid THEN
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

    PERFORM stock.sale_lines(p_sale, p_lines, p_products, p_quantities, p_prices, p_overridden, p_discounts,
                             p_document_discounts, p_taxes, p_totals, p_parts, p_draft IS NOT NULL);
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
    IF p_draft IS NULL THEN
        INSERT INTO stock.sale (tenant_id, id, register_id, number, status, customer_id, user_id, note, occurred_at,
                                business_day, subtotal, discount, tax, total, rounding, paid, due, quote_id)
        VALUES (v_tenant, p_sale, v_register.id, v_number, 'confirmed', p_customer, p_user, p_note, v_moment.occurred_at,
                v_moment.business_day, p_subtotal, p_discount, p_tax, p_total, p_rounding, p_paid, p_total + p_rounding - p_paid,
                p_quote);
    ELSE
        UPDATE stock.sale s
        SET register_id = v_register.id, number = v_number, status = 'confirmed', customer_id = p_customer, user_id = p_user,
            note = p_note, occurred_at = v_moment.occurred_at, recorded_at = now(), business_day = v_moment.business_day,
            subtotal = p_subtotal, discount = p_discount, tax = p_tax, total = p_total, rounding = p_rounding, paid = p_paid,
            due = p_total + p_rounding - p_paid, cash_session_id = stock.current_session(), approval_id = stock.current_approval(),
            version = s.version + 1, updated_at = now()
        WHERE s.tenant_id = v_tenant AND s.id = p_sale;
    END IF;
    IF p_quote IS NOT NULL THEN
        UPDATE stock.quote q SET status = 'accepted', sale_id = p_sale, version = q.version + 1, updated_at = now()
        WHERE q.tenant_id = v_tenant AND q.id = p_quote;
        PERFORM stock.quote_told('quote.converted', p_quote, json_build_object('sale_id', p_sale), p_user, v_moment.occurred_at);
    END IF;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.confirmed', p_sale, json_build_object('number', v_number, 'total', p_total::text), p_user,
            v_moment.occurred_at);
END
$$;

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
               CASE WHEN s.approval_id IS NOT NULL THEN stock.approval_json(s.tenant_id, s.approval_id) END AS approval,
               s.quote_id, s.external_id, s.version
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

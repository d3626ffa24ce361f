-- How money changes hands: a shop's own methods, tips, and what is rounded where there are no coins for it.
-- docs/decisions/0033-tenders.md tells how a method is held to what is there without a lock that all tills share.

-- Methods -------------------------------------------------------------------------------------------------------------

-- Documents keep the code, which is therefore fixed; `all` is a word of the series.
CREATE TABLE stock.payment_method (
    tenant_id     bigint NOT NULL REFERENCES stock.tenant (id),
    id            uuid NOT NULL,
    code          text NOT NULL CHECK (code ~ '^[a-z0-9_]{1,40}$' AND code <> 'all'),
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key      text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    kind          text NOT NULL CHECK (kind IN ('cash', 'card', 'transfer', 'voucher', 'other')),
    opens_drawer  boolean NOT NULL DEFAULT false,
    active        boolean NOT NULL DEFAULT true,
    position      smallint NOT NULL DEFAULT 0 CHECK (position >= 0),
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, code)
);
ALTER TABLE stock.payment_method ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX payment_method_name_idx ON stock.payment_method (tenant_id, name_key, id);

-- What every tenant has from the start.
CREATE VIEW stock.payment_method_standard WITH (security_invoker = true) AS
SELECT v.code, v.name, v.opens_drawer, v.position FROM (VALUES
    ('cash', 'Cash', true, 1), ('card', 'Card', false, 2), ('transfer', 'Transfer', false, 3)
) AS v (code, name, opens_drawer, position);
GRANT SELECT ON stock.payment_method_standard TO stock_app;

-- Before the table is secured: it is of no tenant yet.
INSERT INTO stock.payment_method (tenant_id, id, code, name, kind, opens_drawer, position)
SELECT t.id, gen_random_uuid(), s.code, s.name, s.code, s.opens_drawer, s.position
FROM stock.tenant t CROSS JOIN stock.payment_method_standard s;
CALL stock.secure_table('stock.payment_method', 'SELECT, INSERT, UPDATE, DELETE');
-- The summary and the dashboard show what was paid by each.
CALL stock.watch_table('stock.payment_method', 'cache_touch', 'settings', 'balance', 'dashboard');

CREATE FUNCTION stock.payment_method_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT m.id, m.code, m.name, m.kind, m.opens_drawer, m.active, m.position, m.version,
               stock.rfc3339(m.created_at) AS created_at, stock.rfc3339(m.updated_at) AS updated_at
        FROM stock.payment_method m WHERE m.tenant_id = p_tenant AND m.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- The methods of a new tenant, which is the current one.
CREATE FUNCTION stock.payment_methods_create() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.payment_method (tenant_id, id, code, name, kind, opens_drawer, position)
    SELECT stock.current_tenant(), gen_random_uuid(), s.code, s.name, s.code, s.opens_drawer, s.position
    FROM stock.payment_method_standard s;
END
$$;

CREATE OR REPLACE FUNCTION stock.tenant_create(
    p_slug text, p_name text, p_currency text, p_exponent smallint, p_timezone text, p_register uuid
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id bigint;
BEGIN
    PERFORM stock.tenant_check(p_slug, p_timezone);
    INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone)
    VALUES (p_slug, p_name, p_currency, p_exponent, p_timezone)
    ON CONFLICT (slug) DO NOTHING
    RETURNING id INTO v_id;
    -- Taken since it was asked for.
    IF v_id IS NULL THEN
        PERFORM stock.refuse_field('duplicate', '/slug', 'A tenant with this slug exists.');
    END IF;
    PERFORM set_config('stock.tenant_id', v_id::text, true);
    INSERT INTO stock.register (tenant_id, id, name, is_default) VALUES (v_id, p_register, 'Main', true);
    INSERT INTO stock.document_counter (tenant_id, register_id, kind)
    VALUES (v_id, p_register, 'sale'), (v_id, p_register, 'return');
    PERFORM stock.payment_methods_create();
    RETURN v_id;
END
$$;

-- What kind of method money may be taken by. Refuses one that is not there or is archived, at its place.
CREATE FUNCTION stock.payment_kind(p_method text, p_pointer text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_kind text;
BEGIN
    SELECT m.kind INTO v_kind FROM stock.payment_method m
    WHERE m.tenant_id = stock.current_tenant() AND m.code = p_method AND m.active;
    IF NOT FOUND THEN
        PERFORM stock.refuse('validation_failed', 'There is no such active payment method.', json_build_array(
            json_build_object('pointer', p_pointer, 'code', 'not_found',
                              'detail', 'There is no such active payment method.')));
    END IF;
    RETURN v_kind;
END
$$;

-- Every row of the ledger is in a total of its day and method: what totals name is what the ledger names, and there are
-- few of them. So it is they that name the method. A key of payments would lock its one row for each sale of every till.
ALTER TABLE stock.balance_day NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.payment_method NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.balance_day
    ADD FOREIGN KEY (tenant_id, method) REFERENCES stock.payment_method (tenant_id, code);
ALTER TABLE stock.balance_day FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.payment_method FORCE ROW LEVEL SECURITY;
-- By which a method is found to be used.
CREATE INDEX balance_day_method_idx ON stock.balance_day (tenant_id, method) WHERE method IS NOT NULL;

-- Refuses another kind of a method that a document names. The row is locked first, as the first document of a day locks
-- it, so that neither overlooks the other: documents look at the method behind that lock once more.
CREATE FUNCTION stock.refuse_payment_kind(p_id uuid, p_kind text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_method record;
BEGIN
    SELECT m.code, m.kind INTO v_method FROM stock.payment_method m
    WHERE m.tenant_id = v_tenant AND m.id = p_id FOR UPDATE;
    IF v_method.kind <> p_kind
       AND EXISTS (SELECT FROM stock.balance_day b WHERE b.tenant_id = v_tenant AND b.method = v_method.code) THEN
        PERFORM stock.refuse_field('invalid_state', '/kind', 'A document has fixed the kind.');
    END IF;
END
$$;

-- Money ---------------------------------------------------------------------------------------------------------------

-- tip: beside the amount, for those who serve. rounding: what of the amount is none of the sale's total.
ALTER TABLE stock.payment
    DROP CONSTRAINT payment_method_check,
    -- Only cash is tendered: the function that writes payments knows which method is.
    DROP CONSTRAINT payment_check,
    DROP CONSTRAINT payment_change,
    ADD COLUMN tip numeric(18,4) NOT NULL DEFAULT 0,
    ADD COLUMN rounding numeric(18,4) NOT NULL DEFAULT 0,
    ADD CONSTRAINT payment_method_code CHECK (method ~ '^[a-z0-9_]{1,40}$') NOT VALID,
    ADD CONSTRAINT payment_tip CHECK (tip >= 0 AND (tip = 0 OR direction = 'in')) NOT VALID,
    ADD CONSTRAINT payment_rounding CHECK (rounding < amount AND (rounding = 0 OR sale_id IS NOT NULL)) NOT VALID,
    ADD CONSTRAINT payment_change CHECK (
        CASE WHEN tendered IS NULL THEN change IS NULL
             ELSE change IS NOT NULL AND change >= 0 AND change = tendered - amount - tip END) NOT VALID;
ALTER TABLE stock.ledger_entry
    DROP CONSTRAINT ledger_entry_method_check,
    ADD CONSTRAINT ledger_entry_method_code CHECK (method ~ '^[a-z0-9_]{1,40}$') NOT VALID;

-- rounding: what was paid more or, below zero, less than the total, as there are no coins for it.
ALTER TABLE stock.sale
    ADD COLUMN rounding numeric(18,4) NOT NULL DEFAULT 0,
    DROP CONSTRAINT sale_check3,
    ADD CONSTRAINT sale_rest CHECK (
        due = CASE WHEN status = 'confirmed' THEN total + rounding - returned_total - paid + refunded ELSE 0 END) NOT VALID;

-- What cash is counted in: 0 in the currency's smallest unit, else in multiples of this.
ALTER TABLE stock.tenant
    ADD COLUMN cash_rounding numeric(18,4) NOT NULL DEFAULT 0 CHECK (cash_rounding >= 0);

CREATE OR REPLACE FUNCTION stock.tenant_body(p_tenant bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT t.id, t.slug, t.name, t.status, t.currency, t.timezone, t.locale, t.prices_include_tax, t.oversell,
               stock.quantity_text(t.manager_discount_limit) AS manager_discount_limit,
               stock.quantity_text(t.cashier_discount_limit) AS cashier_discount_limit,
               stock.money_text(t.cash_rounding, t.currency_exponent) AS cash_rounding, t.closed_until, t.version,
               stock.rfc3339(t.created_at) AS created_at, stock.rfc3339(t.updated_at) AS updated_at
        FROM stock.tenant t WHERE t.id = p_tenant
    ) r;
    RETURN v_body;
END
$$;

-- What of a payment has a row of its own in the ledger, beside what it pays.
CREATE TYPE stock.tender AS (tip numeric, tip_ledger uuid, rounding numeric, rounding_ledger uuid);

-- Posts money: the only function that writes payments, their allocations and the ledger, whose triggers keep the running
-- totals. p_shares: what of each payment is for which sale; by default all that comes in for a sale is for that sale.
-- p_kinds: what the method of each was taken for; p_tenders: their tips and roundings. Both have an element for each
-- posting, or are NULL. What a payment brings in is its amount and its tip; in the ledger each category has a row of its
-- own, which add up to that.
DROP FUNCTION stock.post_money(stock.posting[], stock.share[]);
CREATE FUNCTION stock.post_money(
    p_postings stock.posting[], p_shares stock.share[] DEFAULT NULL, p_kinds text[] DEFAULT NULL,
    p_tenders stock.tender[] DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    INSERT INTO stock.payment (tenant_id, id, direction, method, amount, tip, rounding, tendered, change, sale_id, return_id,
                               customer_id, user_id, occurred_at, business_day)
    SELECT v_tenant, p.payment_id, p.direction, p.method, p.amount, coalesce(p.tip, 0), coalesce(p.rounding, 0), p.tendered,
           p.tendered - p.amount - coalesce(p.tip, 0), p.sale_id, p.return_id, p.customer_id, p.user_id, p.occurred_at,
           p.business_day
    FROM unnest(p_postings, p_tenders) AS p (
        payment_id, ledger_id, direction, category, method, amount, tendered, sale_id, return_id, customer_id, user_id,
        occurred_at, business_day, tip, tip_ledger, rounding, rounding_ledger);
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
    SELECT v_tenant, p.ledger_id, CASE p.direction WHEN 'in' THEN 'income' ELSE 'expense' END,
           p.amount - coalesce(p.rounding, 0), p.method, p.category, 'payment', p.payment_id, p.user_id, p.occurred_at,
           p.business_day
    FROM unnest(p_postings, p_tenders) AS p (
        payment_id, ledger_id, direction, category, method, amount, tendered, sale_id, return_id, customer_id, user_id,
        occurred_at, business_day, tip, tip_ledger, rounding, rounding_ledger);
    IF p_tenders IS NOT NULL THEN
        INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id, user_id,
                                        occurred_at, business_day)
        SELECT v_tenant, e.id, CASE p.direction WHEN 'in' THEN 'income' ELSE 'expense' END, e.amount, p.method, e.category,
               e.category, p.payment_id, p.user_id, p.occurred_at, p.business_day
        FROM unnest(p_postings, p_tenders) AS p (
            payment_id, ledger_id, direction, category, method, amount, tendered, sale_id, return_id, customer_id, user_id,
            occurred_at, business_day, tip, tip_ledger, rounding, rounding_ledger),
        LATERAL (VALUES (p.tip_ledger, p.tip, 'tip'), (p.rounding_ledger, p.rounding, 'rounding')) AS e (id, amount, category)
        WHERE e.amount <> 0;
    END IF;
    -- Behind the totals, whose key may have waited for a method that was changed.
    PERFORM FROM unnest(p_postings, p_kinds) AS p (
        payment_id, ledger_id, direction, category, method, amount, tendered, sale_id, return_id, customer_id, user_id,
        occurred_at, business_day, kind)
    LEFT JOIN LATERAL (
        SELECT m.kind FROM stock.payment_method m WHERE m.tenant_id = v_tenant AND m.code = p.method AND m.active OFFSET 0
    ) m ON true
    WHERE m.kind IS NULL OR m.kind <> p.kind OR p.tendered IS NOT NULL AND m.kind <> 'cash' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'methods_changed';
    END IF;
END
$$;

-- Commands ------------------------------------------------------------------------------------------------------------

-- Money for what is due: of one sale, or of a customer's sales, the oldest first. Never capped: more than is due is
-- refused. A tip is no part of what is due.
CREATE FUNCTION stock.payment_register(
    p_payment uuid, p_ledger uuid, p_method text, p_amount numeric, p_tendered numeric, p_sale uuid, p_customer uuid,
    p_user uuid, p_occurred_at timestamptz, p_tip numeric, p_tip_ledger uuid
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
    v_kind     text;
BEGIN
    v_moment := stock.moment(p_occurred_at);
    v_kind := stock.payment_kind(p_method, '/method');
    IF p_tendered IS NOT NULL AND v_kind <> 'cash' THEN
        PERFORM stock.refuse('validation_failed', 'The payment is not valid.', json_build_array(
            json_build_object('pointer', '/tendered', 'code', 'not_allowed', 'detail', 'Only cash is tendered.')));
    END IF;
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
        v_shares, ARRAY[v_kind], ARRAY[ROW(p_tip, p_tip_ledger, NULL, NULL)::stock.tender]);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'payment.received', p_payment,
            json_build_object('amount', p_amount::text, 'method', p_method), p_user, v_moment.occurred_at);
END
$$;

-- As the program before calls it.
CREATE OR REPLACE FUNCTION stock.payment_register(
    p_payment uuid, p_ledger uuid, p_method text, p_amount numeric, p_tendered numeric, p_sale uuid, p_customer uuid,
    p_user uuid, p_occurred_at timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.payment_register(p_payment, p_ledger, p_method, p_amount, p_tendered, p_sale, p_customer, p_user,
                                   p_occurred_at, NULL::numeric, NULL::uuid);
END
$$;

-- Bodies --------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION stock.payment_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id, p.direction, p.method, stock.money_text(p.amount, t.currency_exponent) AS amount,
               stock.money_text(p.tip, t.currency_exponent) AS tip,
               stock.money_text(p.tendered, t.currency_exponent) AS tendered,
               stock.money_text(p.change, t.currency_exponent) AS change, p.status, p.sale_id, p.return_id,
               p.customer_id,
               (SELECT coalesce(json_agg(row_to_json(b) ORDER BY b.position), '[]') FROM (
                    SELECT a.position, a.sale_id, stock.money_text(a.amount, t.currency_exponent) AS amount
                    FROM stock.payment_allocation a
                    WHERE a.tenant_id = p.tenant_id AND a.payment_id = p.id) b) AS allocations,
               p.user_id, stock.rfc3339(p.occurred_at) AS occurred_at, stock.rfc3339(p.recorded_at) AS recorded_at,
               p.business_day, p.version
        FROM stock.payment p JOIN stock.tenant t ON t.id = p.tenant_id
        WHERE p.tenant_id = p_tenant AND p.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- A sale in a list: without its lines and payments.
CREATE OR REPLACE FUNCTION stock.sale_summary(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.number, s.status, s.register_id, s.customer_id, s.user_id, s.note,
               stock.rfc3339(s.occurred_at) AS occurred_at, stock.rfc3339(s.recorded_at) AS recorded_at,
               s.business_day,
               stock.money_text(s.subtotal, t.currency_exponent) AS subtotal,
               stock.money_text(s.discount, t.currency_exponent) AS discount,
               stock.money_text(s.tax, t.currency_exponent) AS tax,
               stock.money_text(s.total, t.currency_exponent) AS total,
               stock.money_text(s.rounding, t.currency_exponent) AS rounding,
               stock.money_text(s.returned_total, t.currency_exponent) AS returned_total,
               stock.money_text(s.paid, t.currency_exponent) AS paid,
               stock.money_text(s.refunded, t.currency_exponent) AS refunded,
               stock.money_text(s.due, t.currency_exponent) AS due, s.external_id, s.version
        FROM stock.sale s JOIN stock.tenant t ON t.id = s.tenant_id
        WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- Imports -------------------------------------------------------------------------------------------------------------

-- Refuses rows of documents that are paid by what is no active method of the tenant, as `import_sales_check` does before
-- it for everything else; gives how many. p_method: how those are paid of which the file does not say it.
CREATE FUNCTION stock.import_check_methods(p_method text) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = on SET work_mem = '64MB' AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_rejected bigint;
BEGIN
    IF EXISTS (SELECT FROM pg_temp.import_target t WHERE t.method IS NULL AND t.known_id IS NULL)
       AND NOT EXISTS (SELECT FROM stock.payment_method m
                       WHERE m.tenant_id = v_tenant AND m.code = p_method AND m.active) THEN
        PERFORM stock.refuse('validation_failed', format('There is no active payment method %s.', quote_literal(p_method)));
    END IF;
    INSERT INTO pg_temp.import_reject (line, code, kind, reason)
    SELECT l.line, 'value_invalid', CASE WHEN t.is_return THEN 2 WHEN l.unit_price = 0 THEN 1 ELSE 0 END,
           format('payment_method is %s, which is no active method of the shop', quote_literal(t.method))
    FROM pg_temp.import_target t
    JOIN pg_temp.import_line l ON l.document = t.document
    LEFT JOIN pg_temp.import_reject x ON x.line = l.line
    WHERE t.known_id IS NULL AND t.method IS NOT NULL AND x.line IS NULL
      AND NOT EXISTS (SELECT FROM stock.payment_method m
                      WHERE m.tenant_id = v_tenant AND m.code = t.method AND m.active);
    GET DIAGNOSTICS v_rejected = ROW_COUNT;
    RETURN v_rejected;
END
$$;

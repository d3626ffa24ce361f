-- Cash sessions: who opened a drawer with how much, what went through it, what was counted at the end. What a till does while
-- its session is open is of that session. docs/decisions/0045-cash-sessions.md tells what was chosen.

CREATE TABLE stock.cash_session (
    -- As of all documents, no key to the tenant.
    tenant_id     bigint NOT NULL,
    id            uuid NOT NULL,
    register_id   uuid NOT NULL,
    number        bigint NOT NULL,
    status        text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    float         numeric(18,4) NOT NULL CHECK (float >= 0),
    opened_by     uuid,
    opened_at     timestamptz NOT NULL DEFAULT now(),
    closed_by     uuid,
    closed_at     timestamptz,
    business_day  date NOT NULL,
    -- What should be in the drawer, and what is, by coin and note if it was told so.
    expected      numeric(18,4),
    counted       numeric(18,4) CHECK (counted >= 0),
    difference    numeric(18,4),
    counts        jsonb,
    -- What the session came to, as its body tells it, kept when it ends.
    report        jsonb,
    note          text CHECK (length(note) BETWEEN 0 AND 2000),
    -- Of whoever counted.
    closing_note  text CHECK (length(closing_note) BETWEEN 0 AND 2000),
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, register_id) REFERENCES stock.register (tenant_id, id),
    CONSTRAINT cash_session_ends CHECK (
        (status = 'closed') = (closed_at IS NOT NULL AND expected IS NOT NULL AND counted IS NOT NULL
                               AND report IS NOT NULL)
        AND difference IS NOT DISTINCT FROM counted - expected)
);
ALTER TABLE stock.cash_session ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE UNIQUE INDEX cash_session_open_idx ON stock.cash_session (tenant_id, register_id) WHERE status = 'open';
CREATE UNIQUE INDEX cash_session_number_idx ON stock.cash_session (tenant_id, register_id, number) WHERE number IS NOT NULL;
CREATE INDEX cash_session_list_idx ON stock.cash_session (tenant_id, opened_at, id) WHERE opened_at IS NOT NULL;
CREATE INDEX cash_session_register_idx ON stock.cash_session (tenant_id, register_id, opened_at, id)
    WHERE register_id IS NOT NULL;
CALL stock.secure_table('stock.cash_session', 'SELECT, INSERT, UPDATE');

ALTER TABLE stock.document_counter
    DROP CONSTRAINT document_counter_kind_check,
    ADD CONSTRAINT document_counter_kind_check
        CHECK (kind IN ('sale', 'return', 'purchase', 'transfer', 'cash_session'));

-- Cash that went into a drawer or out of it for no document.
CREATE TABLE stock.cash_entry (
    tenant_id     bigint NOT NULL,
    id            uuid NOT NULL,
    session_id    uuid NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('paid_in', 'paid_out', 'drop')),
    amount        numeric(18,4) NOT NULL CHECK (amount > 0),
    category      text CHECK (length(category) BETWEEN 1 AND 200),
    note          text CHECK (length(note) BETWEEN 0 AND 2000),
    user_id       uuid,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES stock.cash_session (tenant_id, id)
);
ALTER TABLE stock.cash_entry ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX cash_entry_session_idx ON stock.cash_entry (tenant_id, session_id, recorded_at, id) WHERE session_id IS NOT NULL;
CALL stock.secure_table('stock.cash_entry', 'SELECT, INSERT');

CREATE OR REPLACE VIEW stock.cache_never WITH (security_invoker = true) AS
SELECT v.relation, v.reason FROM (VALUES
    ('cache_outbox', 'the cache''s own'),
    ('cache_log', 'the cache''s own'),
    ('audit_log', 'read from the database by its owner alone'),
    ('document_counter', 'read where a number is taken'),
    ('idempotency_record', 'read where a key is taken'),
    ('domain_event', 'a stream, read by its place'),
    ('import_job', 'read by the import'),
    ('import_row', 'read by the import'),
    ('cash_session', 'read from the database by whoever stands before the drawer'),
    ('cash_entry', 'a part of its session')
) AS v (relation, reason);

-- The session that is open at a register, and what is of which session. The running unit's is in a setting, as its tenant is.
CREATE FUNCTION stock.current_session() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN NULLIF(current_setting('stock.cash_session', true), '')::uuid;

ALTER TABLE stock.register ADD COLUMN session_id uuid;
ALTER TABLE stock.sale ADD COLUMN cash_session_id uuid;
ALTER TABLE stock.sale ALTER COLUMN cash_session_id SET DEFAULT stock.current_session();
ALTER TABLE stock.sale_return ADD COLUMN cash_session_id uuid;
ALTER TABLE stock.sale_return ALTER COLUMN cash_session_id SET DEFAULT stock.current_session();
ALTER TABLE stock.ledger_entry ADD COLUMN cash_session_id uuid;
ALTER TABLE stock.ledger_entry ALTER COLUMN cash_session_id SET DEFAULT stock.current_session();
-- Has what the unit writes belong to a session that is open; NULL: to none. Whoever closes it waits for the unit.
CREATE FUNCTION stock.enter_session(p_session uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_session IS NOT NULL THEN
        PERFORM FROM stock.cash_session s
        WHERE s.tenant_id = stock.current_tenant() AND s.id = p_session AND s.status = 'open' FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'The cash session was closed meanwhile.';
        END IF;
    END IF;
    PERFORM set_config('stock.cash_session', coalesce(p_session::text, ''), true);
END
$$;

-- The register that is named, else the default one.
CREATE FUNCTION stock.register_named(
    p_register uuid, OUT id uuid, OUT location_id uuid, OUT session_id uuid, OUT requires_session boolean
)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT g.id, g.location_id, g.session_id, g.requires_session INTO id, location_id, session_id, requires_session
    FROM stock.register g
    WHERE g.tenant_id = stock.current_tenant() AND g.active AND (g.id = p_register OR p_register IS NULL AND g.is_default);
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('validation_failed', '/register_id', 'There is no such register.');
    END IF;
END
$$;

-- The same, for a document to be made there: what it writes is of the register's open session. p_takes_cash: whether cash
-- changes hands, for which the register may ask for a session.
CREATE OR REPLACE FUNCTION stock.till(p_register uuid, p_takes_cash boolean, OUT id uuid, OUT location_id uuid)
LANGUAGE plpgsql AS $$
DECLARE
    v_register record := stock.register_named(p_register);
BEGIN
    IF v_register.session_id IS NOT NULL THEN
        PERFORM stock.enter_session(v_register.session_id);
    ELSIF v_register.requires_session AND p_takes_cash THEN
        PERFORM stock.refuse_field('session_closed', '/register_id', 'The register has no open cash session.');
    ELSIF stock.current_session() IS NOT NULL THEN
        PERFORM set_config('stock.cash_session', '', true);
    END IF;
    id := v_register.id;
    location_id := v_register.location_id;
END
$$;

-- A confirmed sale: what it rests on is still as the caller read it, what stays due goes on the customer's account, the
-- goods leave, documents and money are written, and the number is taken last. The arrays: what leaves of each product
-- whose stock is tracked; the lines, with their taxes as JSON where a rate does not say it all; the tenders, of which
-- p_rounded is the place of the one that was rounded, with no tips if there are none.
CREATE OR REPLACE FUNCTION stock.sale_confirm(
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
    v_register := stock.till(p_register, 'cash' = ANY (p_kinds));
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

CREATE OR REPLACE FUNCTION stock.register_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT g.id, g.name, g.is_default, g.requires_session, g.active, g.location_id, g.session_id, g.version,
               stock.rfc3339(g.created_at) AS created_at, stock.rfc3339(g.updated_at) AS updated_at
        FROM stock.register g WHERE g.tenant_id = p_tenant AND g.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- A drawer is counted before its register is retired, or moved to another place.
CREATE FUNCTION stock.register_counted() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.refuse_field('invalid_state', CASE WHEN NEW.active THEN '/location_id' ELSE '/active' END,
                               'The register has an open cash session. Close it first.');
    RETURN NULL;
END
$$;
CREATE TRIGGER counted BEFORE UPDATE OF active, location_id ON stock.register
    FOR EACH ROW WHEN (OLD.session_id IS NOT NULL AND (OLD.active AND NOT NEW.active OR OLD.location_id <> NEW.location_id))
    EXECUTE FUNCTION stock.register_counted();

-- Commands ------------------------------------------------------------------------------------------------------------

-- Opens a session at a register.
CREATE FUNCTION stock.session_open(p_session uuid, p_register uuid, p_float numeric, p_note text, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_register stock.register;
    v_number   bigint;
BEGIN
    v_moment := stock.moment(NULL);
    PERFORM stock.check_amounts('{/float}', ARRAY[p_float]);
    SELECT g.* INTO v_register FROM stock.register g WHERE g.tenant_id = v_tenant AND g.id = p_register FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such register.');
    ELSIF NOT v_register.active THEN
        PERFORM stock.refuse('invalid_state', 'The register is retired.');
    ELSIF v_register.session_id IS NOT NULL THEN
        PERFORM stock.refuse('invalid_state', format('The register has an open cash session, %s.', v_register.session_id));
    END IF;
    v_number := stock.document_number(p_register, 'cash_session');
    INSERT INTO stock.cash_session (tenant_id, id, register_id, number, float, opened_by, opened_at, business_day, note)
    VALUES (v_tenant, p_session, p_register, v_number, p_float, p_user, v_moment.occurred_at, v_moment.business_day, p_note);
    UPDATE stock.register g SET session_id = p_session, version = g.version + 1, updated_at = now()
    WHERE g.tenant_id = v_tenant AND g.id = p_register;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'cash_session.opened', p_session,
            json_build_object('register_id', p_register, 'number', v_number, 'float', p_float::text), p_user,
            v_moment.occurred_at);
END
$$;

-- The method that cash of a drawer is written under: the shop's own first one that is cash.
CREATE FUNCTION stock.cash_method() RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_method text := (SELECT m.code FROM stock.payment_method m
                      WHERE m.tenant_id = stock.current_tenant() AND m.kind = 'cash'
                      ORDER BY m.active DESC, m.position, m.code LIMIT 1);
BEGIN
    IF v_method IS NULL THEN
        PERFORM stock.refuse('invalid_state', 'The shop has no payment method that is cash.');
    END IF;
    RETURN v_method;
END
$$;

-- An open session, for a command to act upon.
CREATE FUNCTION stock.session_held(p_session uuid, p_ends boolean) RETURNS stock.cash_session
LANGUAGE plpgsql AS $$
DECLARE
    v_session stock.cash_session;
BEGIN
    IF p_ends THEN
        SELECT s.* INTO v_session FROM stock.cash_session s
        WHERE s.tenant_id = stock.current_tenant() AND s.id = p_session FOR UPDATE;
    ELSE
        SELECT s.* INTO v_session FROM stock.cash_session s
        WHERE s.tenant_id = stock.current_tenant() AND s.id = p_session FOR KEY SHARE;
    END IF;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such cash session.');
    ELSIF v_session.status <> 'open' THEN
        PERFORM stock.refuse('session_closed', 'The cash session is closed.');
    END IF;
    RETURN v_session;
END
$$;

-- Cash that is put into the drawer, taken out of it, or dropped into the safe, which is no money that comes or goes.
CREATE FUNCTION stock.session_entry(
    p_entry uuid, p_ledger uuid, p_session uuid, p_kind text, p_amount numeric, p_category text, p_note text, p_user uuid
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_moment  record;
BEGIN
    v_moment := stock.moment(NULL);
    PERFORM stock.check_amounts('{/amount}', ARRAY[p_amount]);
    PERFORM stock.session_held(p_session, false);
    PERFORM stock.enter_session(p_session);
    INSERT INTO stock.cash_entry (tenant_id, id, session_id, kind, amount, category, note, user_id)
    VALUES (v_tenant, p_entry, p_session, p_kind, p_amount, p_category, p_note, p_user);
    IF p_kind <> 'drop' THEN
        PERFORM stock.post_entry(p_ledger, CASE p_kind WHEN 'paid_in' THEN 'income' ELSE 'expense' END, p_amount,
                                 stock.cash_method(),
                                 coalesce(p_category, p_kind), 'cash_entry', p_entry, NULL, p_user, v_moment.occurred_at,
                                 v_moment.business_day);
    END IF;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'cash_entry.recorded', p_entry,
            json_build_object('session_id', p_session, 'kind', p_kind, 'amount', p_amount::text), p_user,
            v_moment.occurred_at);
END
$$;

-- What went through a session, by method: all of its rows in the ledger, added up.
CREATE FUNCTION stock.session_sums(p_session uuid)
RETURNS TABLE (method text, kind text, income numeric, expense numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN QUERY
    SELECT l.method, m.kind, l.income, l.expense
    FROM (SELECT e.method, coalesce(sum(e.amount) FILTER (WHERE e.direction = 'income'), 0) AS income,
                 coalesce(sum(e.amount) FILTER (WHERE e.direction = 'expense'), 0) AS expense
          FROM stock.ledger_entry e
          WHERE e.tenant_id = stock.current_tenant() AND e.cash_session_id = p_session
          GROUP BY e.method) l
    JOIN stock.payment_method m ON m.tenant_id = stock.current_tenant() AND m.code = l.method
    ORDER BY m.position, m.code;
END
$$;

-- What should be in the drawer: the float, what cash came and went, less what was dropped.
CREATE FUNCTION stock.session_expected(p_session uuid) RETURNS numeric
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN (SELECT s.float FROM stock.cash_session s WHERE s.tenant_id = stock.current_tenant() AND s.id = p_session)
        + coalesce((SELECT sum(m.income - m.expense) FROM stock.session_sums(p_session) m WHERE m.kind = 'cash'), 0)
        - coalesce((SELECT sum(e.amount) FROM stock.cash_entry e
                    WHERE e.tenant_id = stock.current_tenant() AND e.session_id = p_session AND e.kind = 'drop'), 0);
END
$$;

-- What a session has come to: the X report of one that is open, the Z report of one that ends. p_counted: what was counted of
-- each method that is no cash, {code: amount}.
CREATE FUNCTION stock.session_report(p_session uuid, p_counted jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_exponent smallint;
    v_sales    record;
    v_returns  record;
BEGIN
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;
    SELECT count(*) AS count, coalesce(sum(s.total), 0) AS total, coalesce(sum(s.tax), 0) AS tax,
           coalesce(sum(s.discount), 0) AS discount
    INTO v_sales
    FROM stock.sale s WHERE s.tenant_id = v_tenant AND s.cash_session_id = p_session AND s.status = 'confirmed';
    SELECT count(*) AS count, coalesce(sum(r.total), 0) AS total INTO v_returns
    FROM stock.sale_return r WHERE r.tenant_id = v_tenant AND r.cash_session_id = p_session;
    RETURN jsonb_build_object(
        'sales', jsonb_build_object('count', v_sales.count, 'total', stock.money_text(v_sales.total, v_exponent),
                                    'tax', stock.money_text(v_sales.tax, v_exponent),
                                    'discount', stock.money_text(v_sales.discount, v_exponent)),
        'returns', jsonb_build_object('count', v_returns.count, 'total', stock.money_text(v_returns.total, v_exponent)),
        'tenders', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                       'method', t.method, 'kind', t.kind, 'income', stock.money_text(t.income, v_exponent),
                       'expense', stock.money_text(t.expense, v_exponent),
                       'net', stock.money_text(t.income - t.expense, v_exponent),
                       'counted', stock.money_text(t.counted, v_exponent),
                       'difference', stock.money_text(t.counted - t.income + t.expense, v_exponent))
                       ORDER BY t.position, t.method)
            FROM (SELECT p.code AS method, p.kind, p.position, coalesce(m.income, 0) AS income,
                         coalesce(m.expense, 0) AS expense, (p_counted ->> p.code)::numeric AS counted
                  FROM stock.payment_method p LEFT JOIN stock.session_sums(p_session) m ON m.method = p.code
                  -- Also what was counted and never came through it.
                  WHERE p.tenant_id = v_tenant AND (m.method IS NOT NULL OR p_counted ? p.code)) t), '[]'));
END
$$;

-- Ends a session. The difference between what is counted and what should be there goes to the ledger, outside the session.
CREATE FUNCTION stock.session_close(
    p_session uuid, p_ledger uuid, p_counted numeric, p_values numeric[], p_pieces bigint[], p_methods text[],
    p_amounts numeric[], p_note text, p_user uuid
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_session  stock.cash_session;
    v_counted  numeric := p_counted;
    v_expected numeric;
    v_counts   jsonb;
    v_errors   json;
    v_exponent smallint;
BEGIN
    v_moment := stock.moment(NULL);
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;
    PERFORM stock.check_amounts(
        '{/counted}' || ARRAY(SELECT '/counts/' || n - 1 || '/value' FROM generate_subscripts(p_values, 1) AS n (n) ORDER BY n)
            || ARRAY(SELECT '/tenders/' || n - 1 || '/counted' FROM generate_subscripts(p_amounts, 1) AS n (n) ORDER BY n),
        ARRAY[p_counted] || p_values || p_amounts);
    v_session := stock.session_held(p_session, true);
    IF cardinality(p_values) > 0 THEN
        SELECT sum(c.value * c.pieces),
               jsonb_agg(jsonb_build_object('value', stock.money_text(c.value, v_exponent), 'count', c.pieces) ORDER BY c.value DESC)
        INTO v_counted, v_counts
        FROM unnest(p_values, p_pieces) AS c (value, pieces);
        IF p_counted IS NOT NULL AND p_counted <> v_counted THEN
            PERFORM stock.refuse_field('validation_failed', '/counted', format('The coins and notes come to %s.',
                                                                                  stock.money_text(v_counted, v_exponent)));
        ELSIF v_counted >= 100000000000000 THEN
            PERFORM stock.refuse_field('validation_failed', '/counts', 'The coins and notes come to too much.');
        END IF;
    END IF;
    SELECT json_agg(json_build_object('pointer', '/tenders/' || t.place - 1 || '/method', 'code', v.code, 'detail', v.sentence)
                    ORDER BY t.place)
    INTO v_errors
    FROM unnest(p_methods) WITH ORDINALITY AS t (method, place),
         LATERAL (VALUES
             (NOT EXISTS (SELECT FROM stock.payment_method m
                          WHERE m.tenant_id = v_tenant AND m.code = t.method AND m.kind <> 'cash'), 'not_allowed',
              'There is no such payment method, or it is cash, which is counted itself.'),
             (t.method = ANY (p_methods[:t.place - 1]), 'duplicate', 'The payment method is named twice.')
         ) AS v (holds, code, sentence)
    WHERE v.holds;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'Some payment methods can not be counted.', v_errors);
    END IF;
    v_expected := stock.session_expected(p_session);
    UPDATE stock.cash_session s
    SET status = 'closed', closed_by = p_user, closed_at = now(), expected = v_expected, counted = v_counted,
        difference = v_counted - v_expected, counts = v_counts,
        report = stock.session_report(p_session, (
            SELECT coalesce(jsonb_object_agg(t.method, t.amount), '{}')
            FROM unnest(p_methods, p_amounts) AS t (method, amount))),
        closing_note = p_note, version = s.version + 1, updated_at = now()
    WHERE s.tenant_id = v_tenant AND s.id = p_session;
    UPDATE stock.register g SET session_id = NULL, version = g.version + 1, updated_at = now()
    WHERE g.tenant_id = v_tenant AND g.id = v_session.register_id;
    IF v_counted <> v_expected THEN
        PERFORM stock.post_entry(p_ledger, CASE WHEN v_counted > v_expected THEN 'income' ELSE 'expense' END,
                                 abs(v_counted - v_expected), stock.cash_method(), 'cash_difference', 'cash_session', p_session, NULL,
                                 p_user, v_moment.occurred_at, v_moment.business_day);
    END IF;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'cash_session.closed', p_session,
            json_build_object('register_id', v_session.register_id, 'number', v_session.number, 'expected', v_expected::text,
                              'counted', v_counted::text), p_user, v_moment.occurred_at);
END
$$;

-- Answers -------------------------------------------------------------------------------------------------------------

CREATE FUNCTION stock.cash_session_summary(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.register_id, s.number, s.status, stock.money_text(s.float, t.currency_exponent) AS float,
               s.opened_by, stock.rfc3339(s.opened_at) AS opened_at, s.business_day, s.closed_by,
               stock.rfc3339(s.closed_at) AS closed_at, stock.money_text(s.expected, t.currency_exponent) AS expected,
               stock.money_text(s.counted, t.currency_exponent) AS counted,
               stock.money_text(s.difference, t.currency_exponent) AS difference, s.note, s.closing_note, s.version
        FROM stock.cash_session s JOIN stock.tenant t ON t.id = s.tenant_id
        WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- A session with what it has come to: as it is now while it is open, as it was when it ended.
CREATE FUNCTION stock.cash_session_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_session  stock.cash_session;
    v_exponent smallint;
    v_body     jsonb;
    v_entries  jsonb;
BEGIN
    SELECT s.* INTO v_session FROM stock.cash_session s WHERE s.tenant_id = p_tenant AND s.id = p_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = p_tenant;
    v_body := stock.cash_session_summary(p_tenant, p_id)::jsonb || coalesce(v_session.report, stock.session_report(p_id));
    IF v_session.status = 'open' THEN
        v_body := v_body || jsonb_build_object('expected', stock.money_text(stock.session_expected(p_id), v_exponent));
    END IF;
    SELECT jsonb_agg(jsonb_build_object(
               'id', e.id, 'kind', e.kind, 'amount', stock.money_text(e.amount, v_exponent), 'category', e.category,
               'note', e.note, 'user_id', e.user_id, 'recorded_at', stock.rfc3339(e.recorded_at)) ORDER BY e.recorded_at, e.id)
    INTO v_entries
    FROM stock.cash_entry e WHERE e.tenant_id = p_tenant AND e.session_id = p_id;
    RETURN (v_body || jsonb_build_object('entries', coalesce(v_entries, '[]'),
                                         'counts', coalesce(v_session.counts, '[]')))::text;
END
$$;

-- Sessions, the last opened first, along the index of what they are narrowed to.
CREATE FUNCTION stock.session_page(
    p_register uuid, p_status text, p_from date, p_to date, p_before timestamptz, p_before_id uuid, p_count integer
) RETURNS TABLE (id uuid, opened_at timestamptz)
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
    IF p_status = 'open' THEN
        -- As many as there are registers: sorted.
        RETURN QUERY
        SELECT s.id, s.opened_at FROM stock.cash_session s
        WHERE s.tenant_id = v_tenant AND s.status = 'open' AND (p_register IS NULL OR s.register_id = p_register)
          AND (s.opened_at, s.id) < (v_before, v_id)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.opened_at DESC, s.id DESC LIMIT p_count;
    ELSIF p_register IS NOT NULL THEN
        RETURN QUERY
        SELECT s.id, s.opened_at FROM stock.cash_session s
        WHERE s.tenant_id = v_tenant AND s.register_id = p_register AND s.opened_at BETWEEN v_first AND v_last
          AND (s.opened_at, s.id) < (v_before, v_id) AND (p_status IS NULL OR s.status = p_status)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.opened_at DESC, s.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT s.id, s.opened_at FROM stock.cash_session s
        WHERE s.tenant_id = v_tenant AND s.opened_at BETWEEN v_first AND v_last
          AND (s.opened_at, s.id) < (v_before, v_id) AND (p_status IS NULL OR s.status = p_status)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.opened_at DESC, s.id DESC LIMIT p_count;
    END IF;
END
$$;

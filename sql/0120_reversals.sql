-- What was done is undone by rows of its own: a sale is cancelled, a payment is reversed. Nothing that was written is written
-- again but states and running figures. docs/decisions/0037-undoing.md tells what was decided.

-- Why and when, a row for each. Beside the documents, which every sale writes and which have nothing to say of it.
CREATE TABLE stock.sale_cancellation (
    tenant_id     bigint NOT NULL,
    sale_id       uuid NOT NULL,
    reason        text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    user_id       uuid,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    business_day  date NOT NULL,
    PRIMARY KEY (tenant_id, sale_id),
    FOREIGN KEY (tenant_id, sale_id) REFERENCES stock.sale (tenant_id, id)
);
ALTER TABLE stock.sale_cancellation ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.sale_cancellation', 'SELECT, INSERT');
CALL stock.watch_table('stock.sale_cancellation', 'cache_touch', 'sales');

CREATE TABLE stock.payment_reversal (
    tenant_id     bigint NOT NULL,
    payment_id    uuid NOT NULL,
    reason        text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    user_id       uuid,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    business_day  date NOT NULL,
    PRIMARY KEY (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES stock.payment (tenant_id, id)
);
ALTER TABLE stock.payment_reversal ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.payment_reversal', 'SELECT, INSERT');
CALL stock.watch_table('stock.payment_reversal', 'cache_touch', 'payments');

-- The register that a document is made at: the one that is named, else the default one. p_takes_cash: whether cash changes
-- hands, for which the register may ask for a session.
CREATE FUNCTION stock.till(p_register uuid, p_takes_cash boolean, OUT id uuid, OUT location_id uuid)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_requires_session boolean;
BEGIN
    SELECT g.id, g.location_id, g.requires_session INTO id, location_id, v_requires_session FROM stock.register g
    WHERE g.tenant_id = stock.current_tenant() AND g.active AND (g.id = p_register OR p_register IS NULL AND g.is_default);
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('validation_failed', '/register_id', 'There is no such register.');
    ELSIF v_requires_session AND p_takes_cash THEN
        PERFORM stock.refuse_field('session_closed', '/register_id', 'The register has no open cash session.');
    END IF;
END
$$;

-- Whether any of these methods is cash, be they active or not.
CREATE FUNCTION stock.has_cash(p_methods text[]) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM stock.payment_method m
                   WHERE m.tenant_id = stock.current_tenant() AND m.code = ANY (p_methods) AND m.kind = 'cash');
END
$$;

-- Money ---------------------------------------------------------------------------------------------------------------

-- Takes payments back, beside `post_money`, which makes them: each of their rows in the ledger gets its own less, of the day it
-- is done on. The caller holds the sales that they pay, as whoever changes a payment does, and changes what those have due.
CREATE FUNCTION stock.reverse_money(p_payments uuid[], p_reason text, p_user uuid, p_occurred_at timestamptz, p_day date)
RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_payment uuid;
BEGIN
    FOREACH v_payment IN ARRAY p_payments LOOP
        UPDATE stock.payment p SET status = 'reversed', version = p.version + 1, updated_at = now()
        WHERE p.tenant_id = v_tenant AND p.id = v_payment;
    END LOOP;
    INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id, reverses_id,
                                    user_id, occurred_at, business_day)
    SELECT v_tenant, stock.new_id(), e.direction, -e.amount, e.method, e.category, e.source_type, e.source_id, e.id, p_user,
           p_occurred_at, p_day
    FROM unnest(p_payments) AS p (id) CROSS JOIN (VALUES ('payment'), ('tip'), ('rounding')) AS s (type),
    LATERAL (SELECT o.* FROM stock.ledger_entry o
             WHERE o.tenant_id = v_tenant AND o.source_type = s.type AND o.source_id = p.id AND o.reverses_id IS NULL
             OFFSET 0) e;
    INSERT INTO stock.payment_reversal (tenant_id, payment_id, reason, user_id, occurred_at, business_day)
    SELECT v_tenant, p.id, p_reason, p_user, p_occurred_at, p_day FROM unnest(p_payments) AS p (id);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    SELECT v_tenant, 'payment.reversed', p.id, json_build_object('reason', p_reason), p_user, p_occurred_at
    FROM unnest(p_payments) AS p (id);
END
$$;

-- Has what comes next go through the drawer where a payment was taken: that of its session's register, else of its sale's; none
-- if that has been retired.
CREATE FUNCTION stock.open_drawer_of(p_payment uuid, p_method text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_register uuid := coalesce(
        (SELECT s.register_id
         FROM (SELECT e.cash_session_id FROM stock.ledger_entry e
               WHERE e.tenant_id = v_tenant AND e.source_type = 'payment' AND e.source_id = p_payment AND e.reverses_id IS NULL
               OFFSET 0) e
         JOIN stock.cash_session s ON s.tenant_id = v_tenant AND s.id = e.cash_session_id),
        (SELECT s.register_id FROM stock.payment p JOIN stock.sale s ON s.tenant_id = v_tenant AND s.id = p.sale_id
         WHERE p.tenant_id = v_tenant AND p.id = p_payment));
BEGIN
    IF EXISTS (SELECT FROM stock.register g WHERE g.tenant_id = v_tenant AND g.id = v_register AND g.active) THEN
        PERFORM stock.till(v_register, stock.has_cash(ARRAY[p_method]));
    ELSE
        PERFORM set_config('stock.cash_session', '', true);
    END IF;
END
$$;

-- A payment was none: what it paid is due again. Of a refund that what is due can not bear is refused.
CREATE FUNCTION stock.payment_reverse(p_payment uuid, p_reason text, p_user uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_payment  stock.payment;
    v_sale     uuid;
    v_short    record;
    v_exponent smallint;
    v_owed     numeric;
BEGIN
    v_moment := stock.moment(NULL);
    -- What a payment paid never changes, so it is found before anything is held.
    FOR v_sale IN
        SELECT s.id
        FROM (SELECT a.sale_id FROM stock.payment_allocation a
              WHERE a.tenant_id = v_tenant AND a.payment_id = p_payment OFFSET 0) a,
        LATERAL (SELECT o.id, o.occurred_at FROM stock.sale o WHERE o.tenant_id = v_tenant AND o.id = a.sale_id OFFSET 0) s
        ORDER BY s.occurred_at, s.id
    LOOP
        PERFORM FROM stock.sale s WHERE s.tenant_id = v_tenant AND s.id = v_sale FOR NO KEY UPDATE;
    END LOOP;
    PERFORM FROM (
        SELECT u.id
        FROM (SELECT a.purchase_id FROM stock.purchase_allocation a
              WHERE a.tenant_id = v_tenant AND a.payment_id = p_payment OFFSET 0) a,
        LATERAL (SELECT o.id, o.occurred_at FROM stock.purchase o
                 WHERE o.tenant_id = v_tenant AND o.id = a.purchase_id OFFSET 0) u
        ORDER BY u.occurred_at, u.id OFFSET 0) d,
    LATERAL (SELECT FROM stock.purchase p WHERE p.tenant_id = v_tenant AND p.id = d.id FOR NO KEY UPDATE) h;
    SELECT p.* INTO v_payment FROM stock.payment p
    WHERE p.tenant_id = v_tenant AND p.id = p_payment FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such payment.');
    ELSIF v_payment.status <> 'confirmed' THEN
        PERFORM stock.refuse('invalid_state', format('The payment is %s.', v_payment.status));
    ELSIF v_sale IS NULL AND NOT EXISTS (SELECT FROM stock.purchase_allocation a
                                         WHERE a.tenant_id = v_tenant AND a.payment_id = p_payment) THEN
        PERFORM stock.refuse('invalid_state', 'It refunds a return without a sale: nothing could say that it is owed again.');
    END IF;
    PERFORM stock.open_drawer_of(p_payment, v_payment.method);
    PERFORM stock.cache_touch_modules(
        v_tenant, '{payments,balance,dashboard,reports}'::text[]
                  || CASE WHEN v_sale IS NULL THEN '{purchases,suppliers}'::text[] ELSE '{sales}'::text[] END
                  || CASE WHEN v_payment.customer_id IS NOT NULL THEN '{customers}'::text[] END);
    IF v_payment.direction = 'out' THEN
        SELECT s.due, a.amount INTO v_short
        FROM stock.payment_allocation a,
        LATERAL (SELECT o.due FROM stock.sale o WHERE o.tenant_id = v_tenant AND o.id = a.sale_id OFFSET 0) s
        WHERE a.tenant_id = v_tenant AND a.payment_id = p_payment AND s.due < a.amount - v_payment.rounding;
        IF FOUND THEN
            SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;
            PERFORM stock.refuse('invalid_state', format(
                'It refunded %s of a sale of which %s is due, which would fall below zero.',
                stock.money_text(v_short.amount, v_exponent), stock.money_text(v_short.due, v_exponent)));
        END IF;
    END IF;
    -- What was rounded is of the payment, and goes with it.
    WITH owed AS (
        UPDATE stock.sale s
        SET paid = s.paid - a.paid, refunded = s.refunded - a.refunded, rounding = s.rounding - a.rounding,
            due = s.due + a.paid - a.refunded - a.rounding, version = s.version + 1, updated_at = now()
        FROM (SELECT a.sale_id, CASE v_payment.direction WHEN 'in' THEN a.amount ELSE 0 END AS paid,
                     CASE v_payment.direction WHEN 'out' THEN a.amount ELSE 0 END AS refunded,
                     CASE v_payment.direction WHEN 'in' THEN v_payment.rounding ELSE -v_payment.rounding END AS rounding
              FROM stock.payment_allocation a
              WHERE a.tenant_id = v_tenant AND a.payment_id = p_payment OFFSET 0) a
        WHERE s.tenant_id = v_tenant AND s.id = a.sale_id
        RETURNING a.paid - a.refunded - a.rounding AS due
    )
    SELECT sum(o.due) INTO v_owed FROM owed o;
    IF v_payment.customer_id IS NOT NULL THEN
        UPDATE stock.customer_account a
        SET balance = a.balance + v_owed, version = a.version + 1, updated_at = now()
        WHERE a.tenant_id = v_tenant AND a.customer_id = v_payment.customer_id;
    END IF;
    PERFORM stock.reverse_money(ARRAY[p_payment], p_reason, p_user, v_moment.occurred_at, v_moment.business_day);
END
$$;

-- Sales ---------------------------------------------------------------------------------------------------------------

-- A confirmed sale was none: its goods lie where they lay, at the cost they left with, its payments are reversed, and nothing of
-- it is due. On the day it is done, whatever the sale's is.
CREATE FUNCTION stock.sale_cancel(p_sale uuid, p_reason text, p_user uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_sale     stock.sale;
    v_errors   json;
    v_closed   text;
    v_payments uuid[];
    v_methods  text[];
    v_rounding numeric;
    v_moves    stock.move[];
    v_moved    bigint;
BEGIN
    v_moment := stock.moment(NULL);
    SELECT s.* INTO v_sale FROM stock.sale s WHERE s.tenant_id = v_tenant AND s.id = p_sale FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such sale.');
    ELSIF v_sale.status <> 'confirmed' THEN
        PERFORM stock.refuse('invalid_state', format('The sale is %s.', v_sale.status));
    ELSIF EXISTS (SELECT FROM stock.sale_return r WHERE r.tenant_id = v_tenant AND r.sale_id = p_sale) THEN
        PERFORM stock.refuse('invalid_state', 'Some of the sale was returned. Return the rest instead.');
    END IF;
    SELECT array_agg(p.id), array_agg(p.method), sum(p.rounding),
           json_agg(json_build_object('pointer', '', 'code', 'invalid_state', 'detail',
                                      format('Payment %s pays other sales too. Reverse it first.', p.id)) ORDER BY p.id)
               FILTER (WHERE p.is_shared)
    INTO v_payments, v_methods, v_rounding, v_errors
    FROM (SELECT a.payment_id FROM stock.payment_allocation a
          WHERE a.tenant_id = v_tenant AND a.sale_id = p_sale OFFSET 0) a,
    LATERAL (SELECT o.id, o.method, o.rounding,
                    EXISTS (SELECT FROM stock.payment_allocation x
                            WHERE x.tenant_id = v_tenant AND x.payment_id = o.id AND x.sale_id <> p_sale) AS is_shared
             FROM stock.payment o
             WHERE o.tenant_id = v_tenant AND o.id = a.payment_id AND o.status = 'confirmed' OFFSET 0) p;
    -- A part of a payment is given back by nothing: it took place, or it did not.
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('invalid_state', 'A payment of the sale pays other sales, too.', v_errors);
    END IF;
    SELECT min(l.name) INTO v_closed
    FROM (SELECT DISTINCT m.location_id FROM stock.stock_movement m
          WHERE m.tenant_id = v_tenant AND m.ref_id = p_sale AND m.kind = 'sale') m
    JOIN stock.location l ON l.tenant_id = v_tenant AND l.id = m.location_id AND NOT l.active;
    IF v_closed IS NOT NULL THEN
        PERFORM stock.refuse('invalid_state', format('The location %s, where the goods would go back, is closed.', v_closed));
    END IF;

    v_moves := ARRAY(
        SELECT ROW(stock.new_id(), m.product_id, 'sale_reversal', -m.quantity, m.unit_cost, p_reason, 'sale', p_sale, p_user,
                   v_moment.occurred_at, v_moment.business_day, m.location_id)::stock.move
        FROM stock.stock_movement m WHERE m.tenant_id = v_tenant AND m.ref_id = p_sale AND m.kind = 'sale');
    PERFORM stock.cache_touch_modules(
        v_tenant,
        '{sales,dashboard,reports}'::text[]
        || CASE WHEN cardinality(v_moves) > 0 THEN '{stock,products}'::text[] END
        || CASE WHEN v_payments IS NOT NULL THEN '{payments,balance}'::text[] END
        || CASE WHEN v_sale.customer_id IS NOT NULL THEN '{customers}'::text[] END);
    IF v_sale.customer_id IS NOT NULL AND v_sale.due > 0 THEN
        UPDATE stock.customer_account a
        SET balance = a.balance - v_sale.due, version = a.version + 1, updated_at = now()
        WHERE a.tenant_id = v_tenant AND a.customer_id = v_sale.customer_id;
    END IF;
    SELECT count(*) INTO v_moved FROM stock.move_stock(v_moves);
    IF v_moved < (SELECT count(DISTINCT (m.product_id, m.location_id)) FROM unnest(v_moves) m) THEN
        PERFORM stock.refuse_moves('/lines/', array_agg(l.position - 1), array_agg(l.product_id), array_agg(l.location_id),
                                   array_agg(l.quantity))
        FROM (SELECT l.position, l.product_id, m.location_id, l.quantity
              FROM stock.sale_line l JOIN unnest(v_moves) m ON m.product_id = l.product_id
              WHERE l.tenant_id = v_tenant AND l.sale_id = p_sale) l;
    END IF;
    IF v_payments IS NOT NULL THEN
        FOR v_n IN 1..cardinality(v_payments) LOOP
            PERFORM stock.open_drawer_of(v_payments[v_n], v_methods[v_n]);
            PERFORM stock.reverse_money(v_payments[v_n:v_n], p_reason, p_user, v_moment.occurred_at, v_moment.business_day);
        END LOOP;
    END IF;
    UPDATE stock.sale s
    SET status = 'cancelled', paid = 0, due = 0, rounding = s.rounding - coalesce(v_rounding, 0), version = s.version + 1,
        updated_at = now()
    WHERE s.tenant_id = v_tenant AND s.id = p_sale;
    INSERT INTO stock.sale_cancellation (tenant_id, sale_id, reason, user_id, occurred_at, business_day)
    VALUES (v_tenant, p_sale, p_reason, p_user, v_moment.occurred_at, v_moment.business_day);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.cancelled', p_sale, json_build_object('number', v_sale.number, 'reason', p_reason), p_user,
            v_moment.occurred_at);
END
$$;

-- Showing -------------------------------------------------------------------------------------------------------------

-- Why a document was undone; NULL of one that was not. Functions of their own, so that bodies of documents that stand cost
-- nothing more.
CREATE FUNCTION stock.sale_cancellation_json(p_tenant bigint, p_sale uuid) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('reason', c.reason, 'user_id', c.user_id, 'occurred_at', stock.rfc3339(c.occurred_at),
                                     'business_day', c.business_day)
            FROM stock.sale_cancellation c WHERE c.tenant_id = p_tenant AND c.sale_id = p_sale);
END
$$;

CREATE FUNCTION stock.payment_reversal_json(p_tenant bigint, p_payment uuid) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('reason', r.reason, 'user_id', r.user_id, 'occurred_at', stock.rfc3339(r.occurred_at),
                                     'business_day', r.business_day)
            FROM stock.payment_reversal r WHERE r.tenant_id = p_tenant AND r.payment_id = p_payment);
END
$$;


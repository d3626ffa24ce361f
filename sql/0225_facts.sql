-- Sales that have happened while a till was away from us. Nothing takes back what was sold, so they are written whatever they
-- would have been refused for, and that is written beside them, for somebody to settle.
-- docs/decisions/0053-sales-that-have-happened.md tells what was chosen.

-- recorded: NULL is as it happened. happened_at: when it took place, if the books were closed to that day; the sale is then of
-- the first open one.
ALTER TABLE stock.sale ADD COLUMN recorded text, ADD COLUMN happened_at timestamptz;
ALTER TABLE stock.sale
    ADD CONSTRAINT sale_recorded CHECK (recorded = 'offline' OR recorded IS NULL AND happened_at IS NULL) NOT VALID;

CREATE TABLE stock.sale_exception (
    tenant_id    bigint NOT NULL,
    id           uuid NOT NULL,
    sale_id      uuid NOT NULL,
    -- What a sale would have been refused with.
    code         text NOT NULL CHECK (code ~ '^[a-z_]{1,40}$'),
    pointer      text NOT NULL CHECK (length(pointer) <= 200),
    detail       text NOT NULL CHECK (length(detail) BETWEEN 1 AND 1000),
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    settled_at   timestamptz,
    settled_by   uuid,
    note         text CHECK (length(note) BETWEEN 1 AND 2000),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, sale_id) REFERENCES stock.sale (tenant_id, id),
    CONSTRAINT sale_exception_settled CHECK ((settled_at IS NULL) = (note IS NULL))
);
ALTER TABLE stock.sale_exception ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX sale_exception_sale_idx ON stock.sale_exception (tenant_id, sale_id) WHERE sale_id IS NOT NULL;
CREATE INDEX sale_exception_open_idx ON stock.sale_exception (tenant_id, id DESC) WHERE settled_at IS NULL;
CREATE INDEX sale_exception_settled_idx ON stock.sale_exception (tenant_id, id DESC) WHERE settled_at IS NOT NULL;
CALL stock.secure_table('stock.sale_exception', 'SELECT, INSERT, UPDATE');
-- A sale shows its own; the list is never kept.
CALL stock.watch_table('stock.sale_exception', 'cache_touch', 'sales');

-- Whether what the unit writes has happened already.
CREATE FUNCTION stock.is_fact() RETURNS boolean
LANGUAGE sql STABLE
RETURN current_setting('stock.fact', true) = 'on';

CREATE FUNCTION stock.heeds_floors() RETURNS boolean
LANGUAGE sql STABLE
RETURN current_setting('stock.fact', true) IS DISTINCT FROM 'on';

-- Raises what a client is told. What has happened is not refused for money that nobody may owe, nor for a drawer that is
-- closed: that is noted, and whoever refuses it goes on.
CREATE OR REPLACE FUNCTION stock.refuse(p_code text, p_sentence text, p_errors json DEFAULT '[]') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_code IN ('session_closed', 'credit_limit_exceeded') AND stock.is_fact() THEN
        PERFORM set_config('stock.noted', (current_setting('stock.noted')::jsonb || p_errors::jsonb)::text, true);
        RETURN;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = p_code, HINT = p_sentence, DETAIL = p_errors::text;
END
$$;

-- Goods of what has happened leave whatever is there, as those of history do: the floor of their level sinks to what is left.
CALL stock.amend('move_stock', 'p_heeds_floors boolean DEFAULT true', 'p_heeds_floors boolean DEFAULT stock.heeds_floors()');

-- A sale that has happened on a day to which the books are closed is of the first instant of the first open one.
CALL stock.amend('moment', $$    IF v_refusal = 'period_closed' THEN
$$, $$    IF v_refusal = 'period_closed' AND stock.is_fact() THEN
        business_day := v_closed + 1;
        occurred_at := business_day::timestamp AT TIME ZONE v_zone;
    ELSIF v_refusal = 'period_closed' THEN
$$);

-- What somebody owes by what has happened is on their account, past any limit; not past what an account holds.
CALL stock.amend('customer_charge', $$        IF v_balance + p_due <= coalesce(v_limit, v_balance + p_due) THEN
$$, $$        IF v_balance + p_due <= coalesce(v_limit, v_balance + p_due)
           OR v_balance + p_due >= 100000000000000 AND stock.is_fact() THEN
$$);
CALL stock.amend('customer_charge', $$                'due', stock.money_text(p_due, v_exponent))));
$$, $$                'due', stock.money_text(p_due, v_exponent))));
        -- That was noted, if we are here.
        UPDATE stock.customer_account a
        SET balance = a.balance + p_due, version = a.version + 1, updated_at = now()
        WHERE a.tenant_id = v_tenant AND a.customer_id = p_customer;
$$);

-- Begins a unit that writes what has happened: from here on its goods and its debt are not refused.
CREATE FUNCTION stock.fact_begin() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('stock.fact', 'on', true), set_config('stock.noted', '[]', true);
END
$$;

-- Ends it: says of the sale that it has happened, when, and what it would have been refused for. p_exceptions: what whoever
-- computed it has found, as errors of fields.
CREATE FUNCTION stock.fact_end(p_sale uuid, p_happened_at timestamptz, p_exceptions text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_noted  jsonb := coalesce(NULLIF(current_setting('stock.noted', true), ''), '[]')::jsonb || p_exceptions::jsonb;
    v_sale   record;
BEGIN
    PERFORM set_config('stock.fact', '', true);
    SELECT s.occurred_at, s.business_day INTO v_sale FROM stock.sale s WHERE s.tenant_id = v_tenant AND s.id = p_sale;
    IF p_happened_at < v_sale.occurred_at THEN
        v_noted := v_noted || jsonb_build_object(
            'pointer', '/occurred_at', 'code', 'period_closed',
            'detail', format('The books were closed to its day; it is of %s.', v_sale.business_day));
    END IF;
    SELECT v_noted || coalesce(jsonb_agg(jsonb_build_object(
               'pointer', '/lines', 'code', 'insufficient_stock',
               'detail', format('Of %s there is %s left.', coalesce(p.sku, p.name), stock.quantity_text(m.on_hand_after)))
               ORDER BY p.name_key), '[]')
    INTO v_noted
    FROM stock.stock_movement m,
    LATERAL (SELECT o.bounded FROM stock.stock_level o
             WHERE o.tenant_id = v_tenant AND o.product_id = m.product_id OFFSET 0) l,
    LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = m.product_id OFFSET 0) p
    WHERE m.tenant_id = v_tenant AND m.ref_id = p_sale AND m.ref_type = 'sale' AND l.bounded AND m.on_hand_after < 0;
    UPDATE stock.sale s
    SET recorded = 'offline', happened_at = CASE WHEN p_happened_at < s.occurred_at THEN p_happened_at END
    WHERE s.tenant_id = v_tenant AND s.id = p_sale;
    INSERT INTO stock.sale_exception (tenant_id, id, sale_id, code, pointer, detail)
    SELECT v_tenant, i.id, p_sale, e.error ->> 'code', e.error ->> 'pointer', e.error ->> 'detail'
    FROM jsonb_array_elements(v_noted) WITH ORDINALITY AS e (error, n)
    JOIN unnest(stock.new_ids(jsonb_array_length(v_noted))) WITH ORDINALITY AS i (id, n) ON i.n = e.n;
END
$$;

CREATE FUNCTION stock.sale_exception_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT e.id, e.sale_id, e.code, e.pointer, e.detail,
               CASE WHEN e.settled_at IS NULL THEN 'open' ELSE 'settled' END AS status,
               stock.rfc3339(e.recorded_at) AS recorded_at, stock.rfc3339(e.settled_at) AS settled_at,
               e.settled_by, e.note
        FROM stock.sale_exception e WHERE e.tenant_id = p_tenant AND e.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- Exceptions that are open, or settled, the last first, before p_before.
CREATE FUNCTION stock.sale_exception_page(p_status text, p_before uuid, p_count integer)
RETURNS TABLE (id uuid, recorded_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_before uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
BEGIN
    IF p_status = 'open' THEN
        RETURN QUERY SELECT e.id, e.recorded_at FROM stock.sale_exception e
        WHERE e.tenant_id = v_tenant AND e.settled_at IS NULL AND e.id < v_before ORDER BY e.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY SELECT e.id, e.recorded_at FROM stock.sale_exception e
        WHERE e.tenant_id = v_tenant AND e.settled_at IS NOT NULL AND e.id < v_before ORDER BY e.id DESC LIMIT p_count;
    END IF;
END
$$;

-- Settles an exception, once.
CREATE FUNCTION stock.sale_exception_settle(p_id uuid, p_note text, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_exception stock.sale_exception;
BEGIN
    SELECT e.* INTO v_exception FROM stock.sale_exception e WHERE e.tenant_id = v_tenant AND e.id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such exception.');
    ELSIF v_exception.settled_at IS NOT NULL THEN
        PERFORM stock.refuse('invalid_state', 'The exception is settled.');
    END IF;
    UPDATE stock.sale_exception e SET settled_at = now(), settled_by = p_user, note = p_note
    WHERE e.tenant_id = v_tenant AND e.id = p_id;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.exception_settled', v_exception.sale_id,
            json_build_object('exception_id', p_id, 'code', v_exception.code), p_user, now());
END
$$;

-- The body of a sale says how it was recorded, when it took place, and its exceptions.
CALL stock.amend('sale_body', 's.external_id, s.version', $$coalesce(s.recorded, 'live') AS recorded,
               stock.rfc3339(s.happened_at) AS happened_at,
               CASE WHEN s.recorded = 'offline'
                    THEN (SELECT coalesce(json_agg(stock.sale_exception_body(e.tenant_id, e.id)::json ORDER BY e.id), '[]')
                          FROM stock.sale_exception e WHERE e.tenant_id = s.tenant_id AND e.sale_id = s.id)
                    ELSE '[]' END AS exceptions,
               s.external_id, s.version$$);

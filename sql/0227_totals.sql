-- What was sold, taxed and is worth, by day, so that no report reads the lines of more than the last days.
-- docs/decisions/0048-reports.md tells what was weighed.

CREATE TABLE stock.product_day (
    tenant_id     bigint NOT NULL,
    business_day  date NOT NULL,
    -- By no key and not by the name of one: before a product goes its lines are asked, which these are sums of.
    product       uuid NOT NULL,
    slot          smallint NOT NULL,
    -- Sold less cancelled, and what came back of it.
    sold          numeric NOT NULL DEFAULT 0,
    returned      numeric NOT NULL DEFAULT 0,
    -- Without taxes, less what came back; what it had cost, less what was put back.
    revenue       numeric NOT NULL DEFAULT 0,
    cost          numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, business_day, product, slot)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stock.product_day ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.product_day', 'SELECT, INSERT, UPDATE');

CREATE TABLE stock.tax_day (
    tenant_id        bigint NOT NULL,
    business_day     date NOT NULL,
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind             text NOT NULL CHECK (kind IN ('percent', 'amount_per_unit')),
    rate             numeric NOT NULL,
    slot             smallint NOT NULL,
    base             numeric NOT NULL DEFAULT 0,
    amount           numeric NOT NULL DEFAULT 0,
    -- Of what was cancelled and of what came back, each on its own day.
    deducted_base    numeric NOT NULL DEFAULT 0,
    deducted_amount  numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, business_day, name, kind, rate, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stock.tax_day ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.tax_day', 'SELECT, INSERT, UPDATE');

-- By how much the worth of what is on hand and in transit changed, by the day it was written down.
CREATE TABLE stock.stock_value_day (
    tenant_id     bigint NOT NULL,
    business_day  date NOT NULL,
    slot          smallint NOT NULL,
    change        numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, business_day, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stock.stock_value_day ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.stock_value_day', 'SELECT, INSERT, UPDATE');

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
    ('cash_entry', 'a part of its session'),
    ('register_day', 'sums of the ledger, which retires what is made of them'),
    ('product_day', 'sums of lines of sales and returns, which retire what is made of them'),
    ('tax_day', 'sums of lines of sales and returns, which retire what is made of them'),
    ('stock_value_day', 'sums of levels, which retire what is made of them'),
    ('sums_state', 'tells which sums to read, and changes none of them')
) AS v (relation, reason);

-- From which day on documents are not in the sums yet. The first sale of a day adds up those before it; what is written of
-- days that are added up already, as what is back-dated or imported, goes into the sums itself. So a sale of today pays a look
-- at one row. Whoever writes holds the tenant's lock of sums together with others, and whoever adds up holds it alone,
-- if nobody is at work: nothing is counted twice or missed.
CREATE TABLE stock.sums_state (
    tenant_id  bigint NOT NULL PRIMARY KEY,
    open_from  date NOT NULL
) WITH (fillfactor = 10);
ALTER TABLE stock.sums_state ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.sums_state', 'SELECT, INSERT, UPDATE');

CREATE INDEX sale_cancellation_day_idx ON stock.sale_cancellation (tenant_id, business_day) WHERE business_day IS NOT NULL;

-- Taxes of what came back -------------------------------------------------------------------------------------------------

ALTER TABLE stock.sale_return_line ADD COLUMN tax_rate numeric(7,4), ADD COLUMN tax numeric(18,4) NOT NULL DEFAULT 0,
    ADD COLUMN taxes jsonb;

-- The taxes in a part of a line that comes back, when p_before of it came back before: such that parts add up to the line's.
CREATE FUNCTION stock.returned_taxes(p_taxes jsonb, p_quantity numeric, p_before numeric, p_after numeric, p_exponent integer)
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT jsonb_agg(e.tax || jsonb_build_object(
            'amount', stock.money_text(
                stock.returned_amount((e.tax ->> 'amount')::numeric, p_quantity, p_after, p_exponent)
                - stock.returned_amount((e.tax ->> 'amount')::numeric, p_quantity, p_before, p_exponent), p_exponent),
            'base', CASE e.tax ->> 'kind' WHEN 'amount_per_unit' THEN stock.quantity_text(p_after - p_before)
                    ELSE stock.money_text(
                        stock.returned_amount((e.tax ->> 'base')::numeric, p_quantity, p_after, p_exponent)
                        - stock.returned_amount((e.tax ->> 'base')::numeric, p_quantity, p_before, p_exponent), p_exponent) END)
            ORDER BY e.n)
        FROM jsonb_array_elements(p_taxes) WITH ORDINALITY AS e (tax, n));

-- A line that comes back has the taxes that it was sold with, of which so much comes back as of the line; one of no sale
-- those that its product has, which are in its price. Of a sale's line all that came back is counted before.
CREATE FUNCTION stock.return_line_taxed() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_exponent integer;
    v_line     record;
BEGIN
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = NEW.tenant_id;
    IF NEW.sale_line_id IS NOT NULL THEN
        SELECT l.quantity, l.returned_quantity, l.tax_rate, l.tax, l.taxes INTO v_line FROM stock.sale_line l
        WHERE l.tenant_id = NEW.tenant_id AND l.id = NEW.sale_line_id;
        NEW.tax_rate := v_line.tax_rate;
        IF v_line.taxes IS NULL THEN
            NEW.tax := stock.returned_amount(v_line.tax, v_line.quantity, v_line.returned_quantity, v_exponent)
                       - stock.returned_amount(v_line.tax, v_line.quantity, v_line.returned_quantity - NEW.quantity, v_exponent);
        ELSE
            NEW.taxes := stock.returned_taxes(v_line.taxes, v_line.quantity, v_line.returned_quantity - NEW.quantity,
                                              v_line.returned_quantity, v_exponent);
            NEW.tax := stock.line_tax(NEW.taxes);
        END IF;
    ELSE
        SELECT p.tax_rate, stock.group_taxes(p.tenant_id, p.tax_group_id, true) AS taxes INTO v_line FROM stock.product p
        WHERE p.tenant_id = NEW.tenant_id AND p.id = NEW.product_id;
        NEW.tax_rate := v_line.tax_rate;
        IF v_line.taxes IS NULL THEN
            NEW.tax := NEW.amount - round(NEW.amount / (1 + coalesce(v_line.tax_rate, 0) / 100), v_exponent);
        ELSE
            NEW.taxes := stock.line_taxes(
                (SELECT jsonb_agg(e.tax || '{"included": true}' ORDER BY e.n)
                 FROM jsonb_array_elements(v_line.taxes) WITH ORDINALITY AS e (tax, n)),
                NEW.amount, NEW.quantity, v_exponent);
            NEW.tax := stock.line_tax(NEW.taxes);
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER taxed BEFORE INSERT ON stock.sale_return_line FOR EACH ROW EXECUTE FUNCTION stock.return_line_taxed();

-- Keeping the sums --------------------------------------------------------------------------------------------------------

-- From which day on documents are to be read themselves. Before the first day was added up: from that before the tenant was.
CREATE FUNCTION stock.sums_open_from(p_tenant bigint) RETURNS date
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT s.open_from FROM stock.sums_state s WHERE s.tenant_id = p_tenant),
                    (SELECT (t.created_at AT TIME ZONE 'UTC')::date - 1 FROM stock.tenant t WHERE t.id = p_tenant));
END
$$;

-- What was sold of each product on some days, by their documents: what was cancelled and what came back on its own day. A
-- business day is at most a day away from the moment's date in UTC.
CREATE FUNCTION stock.sold_between(p_from date, p_to date)
RETURNS TABLE (day date, product_id uuid, sold numeric, returned numeric, revenue numeric, cost numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF p_from > p_to THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT x.day, x.product_id, sum(x.sold), sum(x.returned), sum(x.revenue), sum(x.cost)
    FROM (
        SELECT s.business_day AS day, l.product_id, l.quantity AS sold, 0::numeric AS returned, l.total - l.tax AS revenue,
               l.quantity * l.unit_cost AS cost
        FROM (SELECT o.id, o.business_day FROM stock.sale o
              WHERE o.tenant_id = v_tenant AND o.occurred_at >= (p_from - 1)::timestamptz
                AND o.occurred_at < (p_to + 2)::timestamptz AND o.business_day BETWEEN p_from AND p_to
                AND o.status IN ('confirmed', 'cancelled') OFFSET 0) s,
        LATERAL (SELECT o.product_id, o.quantity, o.total, o.tax, o.unit_cost FROM stock.sale_line o
                 WHERE o.tenant_id = v_tenant AND o.sale_id = s.id OFFSET 0) l
        UNION ALL
        SELECT c.business_day, l.product_id, -l.quantity, 0, l.tax - l.total, -l.quantity * l.unit_cost
        FROM (SELECT o.sale_id, o.business_day FROM stock.sale_cancellation o
              WHERE o.tenant_id = v_tenant AND o.business_day BETWEEN p_from AND p_to OFFSET 0) c,
        LATERAL (SELECT o.product_id, o.quantity, o.total, o.tax, o.unit_cost FROM stock.sale_line o
                 WHERE o.tenant_id = v_tenant AND o.sale_id = c.sale_id OFFSET 0) l
        UNION ALL
        SELECT r.business_day, l.product_id, 0, l.quantity, l.tax - l.amount,
               CASE WHEN l.restock THEN -l.quantity * l.unit_cost ELSE 0 END
        FROM (SELECT o.id, o.business_day FROM stock.sale_return o
              WHERE o.tenant_id = v_tenant AND o.occurred_at >= (p_from - 1)::timestamptz
                AND o.occurred_at < (p_to + 2)::timestamptz AND o.business_day BETWEEN p_from AND p_to OFFSET 0) r,
        LATERAL (SELECT o.product_id, o.quantity, o.amount, o.tax, o.restock, o.unit_cost FROM stock.sale_return_line o
                 WHERE o.tenant_id = v_tenant AND o.return_id = r.id OFFSET 0) l
    ) x
    GROUP BY x.day, x.product_id;
END
$$;

-- The taxes of a line: what it says itself, or its one percentage.
CREATE FUNCTION stock.taxes_of(p_rate numeric, p_net numeric, p_tax numeric, p_taxes jsonb)
RETURNS TABLE (name text, kind text, rate numeric, base numeric, amount numeric)
LANGUAGE sql IMMUTABLE AS $$
    SELECT stock.standard_tax_name(coalesce(p_rate, 0)), 'percent', coalesce(p_rate, 0), p_net, p_tax WHERE p_taxes IS NULL
    UNION ALL
    SELECT e.tax ->> 'name', e.tax ->> 'kind', (e.tax ->> 'rate')::numeric, (e.tax ->> 'base')::numeric,
           (e.tax ->> 'amount')::numeric
    FROM jsonb_array_elements(p_taxes) AS e (tax)
$$;

-- The same by tax; what was cancelled and what came back is deducted.
CREATE FUNCTION stock.taxed_between(p_from date, p_to date)
RETURNS TABLE (day date, name text, kind text, rate numeric, base numeric, amount numeric, deducted_base numeric,
               deducted_amount numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF p_from > p_to THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT x.day, t.name, t.kind, t.rate, coalesce(sum(t.base) FILTER (WHERE x.counts), 0),
           coalesce(sum(t.amount) FILTER (WHERE x.counts), 0), coalesce(sum(t.base) FILTER (WHERE NOT x.counts), 0),
           coalesce(sum(t.amount) FILTER (WHERE NOT x.counts), 0)
    FROM (
        -- Lines of one rate and day are one before their taxes are asked.
        SELECT u.day, u.counts, u.tax_rate, sum(u.net) AS net, sum(u.tax) AS tax, u.taxes
        FROM (
            SELECT s.business_day AS day, true AS counts, l.tax_rate, l.total - l.tax AS net, l.tax, l.taxes
            FROM (SELECT o.id, o.business_day FROM stock.sale o
                  WHERE o.tenant_id = v_tenant AND o.occurred_at >= (p_from - 1)::timestamptz
                    AND o.occurred_at < (p_to + 2)::timestamptz AND o.business_day BETWEEN p_from AND p_to
                    AND o.status IN ('confirmed', 'cancelled') OFFSET 0) s,
            LATERAL (SELECT o.tax_rate, o.total, o.tax, o.taxes FROM stock.sale_line o
                     WHERE o.tenant_id = v_tenant AND o.sale_id = s.id OFFSET 0) l
            UNION ALL
            SELECT c.business_day, false, l.tax_rate, l.total - l.tax, l.tax, l.taxes
            FROM (SELECT o.sale_id, o.business_day FROM stock.sale_cancellation o
                  WHERE o.tenant_id = v_tenant AND o.business_day BETWEEN p_from AND p_to OFFSET 0) c,
            LATERAL (SELECT o.tax_rate, o.total, o.tax, o.taxes FROM stock.sale_line o
                     WHERE o.tenant_id = v_tenant AND o.sale_id = c.sale_id OFFSET 0) l
            UNION ALL
            SELECT r.business_day, false, l.tax_rate, l.amount - l.tax, l.tax, l.taxes
            FROM (SELECT o.id, o.business_day FROM stock.sale_return o
                  WHERE o.tenant_id = v_tenant AND o.occurred_at >= (p_from - 1)::timestamptz
                    AND o.occurred_at < (p_to + 2)::timestamptz AND o.business_day BETWEEN p_from AND p_to OFFSET 0) r,
            LATERAL (SELECT o.tax_rate, o.amount, o.tax, o.taxes FROM stock.sale_return_line o
                     WHERE o.tenant_id = v_tenant AND o.return_id = r.id OFFSET 0) l) u
        -- Lines with several taxes stay what they are.
        GROUP BY u.day, u.counts, u.tax_rate, u.taxes,
                 CASE WHEN u.taxes IS NOT NULL THEN u.net END, CASE WHEN u.taxes IS NOT NULL THEN u.tax END
    ) x, LATERAL stock.taxes_of(x.tax_rate, x.net, x.tax, x.taxes) t
    GROUP BY x.day, t.name, t.kind, t.rate;
END
$$;

-- Adds sales to the sums; p_sign -1 takes them off again, as what is cancelled is on its own day.
CREATE FUNCTION stock.total_sales(p_tenant bigint, p_sales uuid[], p_days date[], p_sign integer) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_slot smallint := stock.total_slot();
BEGIN
    WITH sold AS MATERIALIZED (
        SELECT d.day, l.* FROM unnest(p_sales, p_days) AS d (sale_id, day),
        LATERAL (SELECT o.product_id, o.quantity, o.total - o.tax AS net, o.tax, o.tax_rate, o.taxes, o.unit_cost
                 FROM stock.sale_line o WHERE o.tenant_id = p_tenant AND o.sale_id = d.sale_id OFFSET 0) l
    ), taxed AS (
        INSERT INTO stock.tax_day AS t (tenant_id, business_day, name, kind, rate, slot, base, amount, deducted_base,
                                        deducted_amount)
        SELECT p_tenant, s.day, x.name, x.kind, x.rate, v_slot,
               CASE WHEN p_sign > 0 THEN sum(x.base) ELSE 0 END, CASE WHEN p_sign > 0 THEN sum(x.amount) ELSE 0 END,
               CASE WHEN p_sign < 0 THEN sum(x.base) ELSE 0 END, CASE WHEN p_sign < 0 THEN sum(x.amount) ELSE 0 END
        FROM sold s, LATERAL stock.taxes_of(s.tax_rate, s.net, s.tax, s.taxes) x
        GROUP BY s.day, x.name, x.kind, x.rate
        -- One order for all writers, here and below, for those who share a slot.
        ORDER BY s.day, x.name, x.kind, x.rate
        ON CONFLICT (tenant_id, business_day, name, kind, rate, slot) DO UPDATE
        SET base = t.base + excluded.base, amount = t.amount + excluded.amount,
            deducted_base = t.deducted_base + excluded.deducted_base,
            deducted_amount = t.deducted_amount + excluded.deducted_amount
    )
    INSERT INTO stock.product_day AS p (tenant_id, business_day, product, slot, sold, revenue, cost)
    SELECT p_tenant, s.day, s.product_id, v_slot, p_sign * sum(s.quantity), p_sign * sum(s.net),
           p_sign * sum(s.quantity * s.unit_cost)
    FROM sold s GROUP BY s.day, s.product_id ORDER BY s.day, s.product_id
    ON CONFLICT (tenant_id, business_day, product, slot) DO UPDATE
    SET sold = p.sold + excluded.sold, revenue = p.revenue + excluded.revenue, cost = p.cost + excluded.cost;
END
$$;

-- The day from which on documents are not in the sums, for whoever writes some: it stays so until the end of the transaction.
CREATE FUNCTION stock.hold_sums(p_tenant bigint) RETURNS date
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('stock.sums', p_tenant));
    -- Read behind the lock: whoever added up meanwhile is seen.
    RETURN stock.sums_open_from(p_tenant);
END
$$;

-- Adds up the days before one, a week of them at most, if nobody else is at work.
CREATE FUNCTION stock.add_up(p_tenant bigint, p_before date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_from date;
    v_to   date;
BEGIN
    IF p_tenant IS DISTINCT FROM stock.current_tenant()
       OR NOT pg_try_advisory_xact_lock(hashtextextended('stock.sums', p_tenant)) THEN
        RETURN;
    END IF;
    v_from := stock.sums_open_from(p_tenant);
    v_to := least(p_before - 1, v_from + 6);
    IF v_to < v_from THEN
        RETURN;
    END IF;
    INSERT INTO stock.product_day AS p (tenant_id, business_day, product, slot, sold, returned, revenue, cost)
    SELECT p_tenant, x.day, x.product_id, 0, x.sold, x.returned, x.revenue, x.cost
    FROM stock.sold_between(v_from, v_to) x ORDER BY x.day, x.product_id
    ON CONFLICT (tenant_id, business_day, product, slot) DO UPDATE
    SET sold = p.sold + excluded.sold, returned = p.returned + excluded.returned, revenue = p.revenue + excluded.revenue,
        cost = p.cost + excluded.cost;
    INSERT INTO stock.tax_day AS t (tenant_id, business_day, name, kind, rate, slot, base, amount, deducted_base,
                                    deducted_amount)
    SELECT p_tenant, x.day, x.name, x.kind, x.rate, 0, x.base, x.amount, x.deducted_base, x.deducted_amount
    FROM stock.taxed_between(v_from, v_to) x ORDER BY x.day, x.name, x.kind, x.rate
    ON CONFLICT (tenant_id, business_day, name, kind, rate, slot) DO UPDATE
    SET base = t.base + excluded.base, amount = t.amount + excluded.amount,
        deducted_base = t.deducted_base + excluded.deducted_base,
        deducted_amount = t.deducted_amount + excluded.deducted_amount;
    INSERT INTO stock.sums_state AS s (tenant_id, open_from) VALUES (p_tenant, v_to + 1)
    ON CONFLICT (tenant_id) DO UPDATE SET open_from = excluded.open_from;
END
$$;

-- A sale counts from when it is confirmed; its lines are there before.
CREATE FUNCTION stock.sale_totalled() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_open date;
BEGIN
    -- stock.hold_sums, for whom it finds the day that it is as a rule.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('stock.sums', NEW.tenant_id));
    SELECT s.open_from INTO v_open FROM stock.sums_state s WHERE s.tenant_id = NEW.tenant_id;
    IF v_open = NEW.business_day THEN
        RETURN NULL;
    END IF;
    v_open := stock.sums_open_from(NEW.tenant_id);
    IF NEW.business_day < v_open THEN
        PERFORM stock.total_sales(NEW.tenant_id, ARRAY[NEW.id], ARRAY[NEW.business_day], 1);
    ELSIF NEW.business_day > v_open THEN
        PERFORM stock.add_up(NEW.tenant_id, NEW.business_day);
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.sales_totalled() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_row record;
BEGIN
    FOR v_row IN
        SELECT c.tenant_id, array_agg(c.id ORDER BY c.id) AS sales, array_agg(c.business_day ORDER BY c.id) AS days
        FROM changed c JOIN replaced o ON o.tenant_id = c.tenant_id AND o.id = c.id
        WHERE c.status = 'confirmed' AND o.status = 'draft' GROUP BY c.tenant_id
    LOOP
        PERFORM stock.total_sales(v_row.tenant_id, array_agg(d.id ORDER BY d.id), array_agg(d.day ORDER BY d.id), 1)
        FROM unnest(v_row.sales, v_row.days) AS d (id, day),
             (SELECT stock.hold_sums(v_row.tenant_id) AS day) o
        WHERE d.day < o.day HAVING count(*) > 0;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.sale_untotalled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.business_day < stock.hold_sums(NEW.tenant_id) THEN
        PERFORM stock.total_sales(NEW.tenant_id, ARRAY[NEW.sale_id], ARRAY[NEW.business_day], -1);
    END IF;
    RETURN NULL;
END
$$;
-- What comes back, with its return.
CREATE FUNCTION stock.returns_totalled() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint;
    v_open   date;
    v_slot   smallint;
BEGIN
    FOR v_tenant IN SELECT DISTINCT c.tenant_id FROM changed c LOOP
        v_open := stock.hold_sums(v_tenant);
        PERFORM FROM changed c, LATERAL (SELECT FROM stock.sale_return o
            WHERE o.tenant_id = v_tenant AND o.id = c.return_id AND o.business_day < v_open OFFSET 0) r
        WHERE c.tenant_id = v_tenant LIMIT 1;
        CONTINUE WHEN NOT FOUND;
        v_slot := stock.total_slot();
        WITH back AS MATERIALIZED (
            SELECT r.business_day AS day, c.product_id, c.quantity, c.amount - c.tax AS net, c.tax, c.tax_rate, c.taxes,
                   CASE WHEN c.restock THEN c.quantity * c.unit_cost ELSE 0 END AS cost
            FROM changed c, LATERAL (SELECT o.business_day FROM stock.sale_return o
                                     WHERE o.tenant_id = v_tenant AND o.id = c.return_id AND o.business_day < v_open OFFSET 0) r
            WHERE c.tenant_id = v_tenant
        ), taxed AS (
            INSERT INTO stock.tax_day AS t (tenant_id, business_day, name, kind, rate, slot, deducted_base, deducted_amount)
            SELECT v_tenant, b.day, x.name, x.kind, x.rate, v_slot, sum(x.base), sum(x.amount)
            FROM back b, LATERAL stock.taxes_of(b.tax_rate, b.net, b.tax, b.taxes) x
            GROUP BY b.day, x.name, x.kind, x.rate ORDER BY b.day, x.name, x.kind, x.rate
            ON CONFLICT (tenant_id, business_day, name, kind, rate, slot) DO UPDATE
            SET deducted_base = t.deducted_base + excluded.deducted_base,
                deducted_amount = t.deducted_amount + excluded.deducted_amount
        )
        INSERT INTO stock.product_day AS p (tenant_id, business_day, product, slot, returned, revenue, cost)
        SELECT v_tenant, b.day, b.product_id, v_slot, sum(b.quantity), -sum(b.net), -sum(b.cost)
        FROM back b GROUP BY b.day, b.product_id ORDER BY b.day, b.product_id
        ON CONFLICT (tenant_id, business_day, product, slot) DO UPDATE
        SET returned = p.returned + excluded.returned, revenue = p.revenue + excluded.revenue, cost = p.cost + excluded.cost;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.level_valued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.stock_value_day AS v (tenant_id, business_day, slot, change)
    SELECT NEW.tenant_id, (now() AT TIME ZONE t.timezone)::date, stock.total_slot(),
           (NEW.on_hand + NEW.in_transit) * NEW.cost - (OLD.on_hand + OLD.in_transit) * OLD.cost
    FROM stock.tenant t WHERE t.id = NEW.tenant_id
    ON CONFLICT (tenant_id, business_day, slot) DO UPDATE SET change = v.change + excluded.change;
    RETURN NULL;
END
$$;
CREATE TRIGGER total_insert AFTER INSERT ON stock.sale FOR EACH ROW
    WHEN (NEW.status = 'confirmed') EXECUTE FUNCTION stock.sale_totalled();
CREATE TRIGGER total_update AFTER UPDATE ON stock.sale REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.sales_totalled();
CREATE TRIGGER total_insert AFTER INSERT ON stock.sale_cancellation FOR EACH ROW EXECUTE FUNCTION stock.sale_untotalled();
CREATE TRIGGER total_insert AFTER INSERT ON stock.sale_return_line REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.returns_totalled();
CREATE TRIGGER total_update AFTER UPDATE ON stock.stock_level FOR EACH ROW
    WHEN ((OLD.on_hand + OLD.in_transit) * OLD.cost <> (NEW.on_hand + NEW.in_transit) * NEW.cost)
    EXECUTE FUNCTION stock.level_valued();
ALTER TABLE stock.sale ENABLE ALWAYS TRIGGER total_insert, ENABLE ALWAYS TRIGGER total_update;
ALTER TABLE stock.sale_cancellation ENABLE ALWAYS TRIGGER total_insert;
ALTER TABLE stock.sale_return_line ENABLE ALWAYS TRIGGER total_insert, ENABLE ALWAYS TRIGGER taxed;
ALTER TABLE stock.stock_level ENABLE ALWAYS TRIGGER total_update;

-- A draft that is sold may be the first of its day as well; an import, which goes on behind its sales, adds nothing up.
CALL stock.amend('sale_confirm', $$            version = s.version + 1, updated_at = now()
        WHERE s.tenant_id = v_tenant AND s.id = p_sale;
$$, $$            version = s.version + 1, updated_at = now()
        WHERE s.tenant_id = v_tenant AND s.id = p_sale;
        IF v_moment.business_day > stock.sums_open_from(v_tenant) THEN
            PERFORM stock.add_up(v_tenant, v_moment.business_day);
        END IF;
$$);

-- What the sums are sums of -----------------------------------------------------------------------------------------------

CREATE VIEW stock.product_change WITH (security_invoker = true) AS
SELECT l.tenant_id, d.day, l.product_id, d.sign * l.quantity AS sold, 0 AS returned, d.sign * (l.total - l.tax) AS revenue,
       d.sign * l.quantity * l.unit_cost AS cost
FROM stock.sale_line l
JOIN (SELECT s.tenant_id, s.id, s.business_day AS day, 1 AS sign FROM stock.sale s WHERE s.status IN ('confirmed', 'cancelled')
      UNION ALL
      SELECT c.tenant_id, c.sale_id, c.business_day, -1 FROM stock.sale_cancellation c) d
    ON d.tenant_id = l.tenant_id AND d.id = l.sale_id
UNION ALL
SELECT l.tenant_id, r.business_day, l.product_id, 0, l.quantity, l.tax - l.amount,
       CASE WHEN l.restock THEN -l.quantity * l.unit_cost ELSE 0 END
FROM stock.sale_return_line l JOIN stock.sale_return r ON r.tenant_id = l.tenant_id AND r.id = l.return_id;

CREATE VIEW stock.tax_change WITH (security_invoker = true) AS
SELECT x.tenant_id, x.day, p.name, p.kind, p.rate, CASE WHEN x.sign > 0 THEN p.base ELSE 0 END AS base,
       CASE WHEN x.sign > 0 THEN p.amount ELSE 0 END AS amount, CASE WHEN x.sign > 0 THEN 0 ELSE p.base END AS deducted_base,
       CASE WHEN x.sign > 0 THEN 0 ELSE p.amount END AS deducted_amount
FROM (SELECT l.tenant_id, d.day, d.sign, l.total - l.tax AS net, l.tax, l.tax_rate, l.taxes
      FROM stock.sale_line l
      JOIN (SELECT s.tenant_id, s.id, s.business_day AS day, 1 AS sign FROM stock.sale s
            WHERE s.status IN ('confirmed', 'cancelled')
            UNION ALL
            SELECT c.tenant_id, c.sale_id, c.business_day, -1 FROM stock.sale_cancellation c) d
          ON d.tenant_id = l.tenant_id AND d.id = l.sale_id
      UNION ALL
      SELECT l.tenant_id, r.business_day, -1, l.amount - l.tax, l.tax, coalesce(l.tax_rate, 0), l.taxes
      FROM stock.sale_return_line l JOIN stock.sale_return r ON r.tenant_id = l.tenant_id AND r.id = l.return_id) x,
LATERAL (SELECT stock.standard_tax_name(x.tax_rate) AS name, 'percent' AS kind, x.tax_rate AS rate, x.net AS base,
                x.tax AS amount
         WHERE x.taxes IS NULL
         UNION ALL
         SELECT e.tax ->> 'name', e.tax ->> 'kind', (e.tax ->> 'rate')::numeric, (e.tax ->> 'base')::numeric,
                (e.tax ->> 'amount')::numeric
         FROM jsonb_array_elements(x.taxes) AS e (tax)) p;
GRANT SELECT ON stock.product_change, stock.tax_change TO stock_app;

-- What is there already; the triggers above keep writers out until this is committed.
DO $$
DECLARE
    v_table  text;
    v_tables text[] := '{sale,sale_line,sale_cancellation,sale_return,sale_return_line,product,stock_level,product_day,tax_day,stock_value_day,sums_state}';
BEGIN
    FOREACH v_table IN ARRAY v_tables LOOP
        EXECUTE format('ALTER TABLE stock.%I NO FORCE ROW LEVEL SECURITY', v_table);
    END LOOP;
    UPDATE stock.sale_return_line l
    SET tax_rate = x.tax_rate, taxes = x.taxes,
        tax = CASE WHEN x.taxes IS NOT NULL THEN stock.line_tax(x.taxes) ELSE x.tax END
    FROM (SELECT b.tenant_id, b.id, s.tax_rate,
                 CASE WHEN s.taxes IS NULL
                      THEN stock.returned_amount(s.tax, s.quantity, b.after, b.exponent)
                           - stock.returned_amount(s.tax, s.quantity, b.after - b.quantity, b.exponent) END AS tax,
                 CASE WHEN s.taxes IS NOT NULL
                      THEN stock.returned_taxes(s.taxes, s.quantity, b.after - b.quantity, b.after, b.exponent) END AS taxes
          FROM (SELECT o.tenant_id, o.id, o.sale_line_id, o.quantity, t.currency_exponent::integer AS exponent,
                       sum(o.quantity) OVER (PARTITION BY o.tenant_id, o.sale_line_id ORDER BY r.recorded_at, o.id) AS after
                FROM stock.sale_return_line o
                JOIN stock.sale_return r ON r.tenant_id = o.tenant_id AND r.id = o.return_id
                JOIN stock.tenant t ON t.id = o.tenant_id
                WHERE o.sale_line_id IS NOT NULL) b
          JOIN stock.sale_line s ON s.tenant_id = b.tenant_id AND s.id = b.sale_line_id
          UNION ALL
          SELECT o.tenant_id, o.id, p.tax_rate,
                 o.amount - round(o.amount / (1 + coalesce(p.tax_rate, 0) / 100), t.currency_exponent), NULL
          FROM stock.sale_return_line o
          JOIN stock.product p ON p.tenant_id = o.tenant_id AND p.id = o.product_id
          JOIN stock.tenant t ON t.id = o.tenant_id
          WHERE o.sale_line_id IS NULL) x
    WHERE l.tenant_id = x.tenant_id AND l.id = x.id;
    INSERT INTO stock.product_day (tenant_id, business_day, product, slot, sold, returned, revenue, cost)
    SELECT c.tenant_id, c.day, c.product_id, 0, sum(c.sold), sum(c.returned), sum(c.revenue), sum(c.cost)
    FROM stock.product_change c GROUP BY c.tenant_id, c.day, c.product_id ORDER BY c.tenant_id, c.day, c.product_id;
    INSERT INTO stock.tax_day (tenant_id, business_day, name, kind, rate, slot, base, amount, deducted_base, deducted_amount)
    SELECT c.tenant_id, c.day, c.name, c.kind, c.rate, 0, sum(c.base), sum(c.amount), sum(c.deducted_base),
           sum(c.deducted_amount)
    FROM stock.tax_change c GROUP BY c.tenant_id, c.day, c.name, c.kind, c.rate;
    -- All of it is in the sums, up to yesterday; of today the first sale finds them so.
    INSERT INTO stock.sums_state (tenant_id, open_from)
    SELECT t.id, greatest((now() AT TIME ZONE t.timezone)::date,
                          (SELECT max(c.day) + 1 FROM stock.product_change c WHERE c.tenant_id = t.id))
    FROM stock.tenant t;
    INSERT INTO stock.stock_value_day (tenant_id, business_day, slot, change)
    SELECT l.tenant_id, (now() AT TIME ZONE t.timezone)::date, 0, sum((l.on_hand + l.in_transit) * l.cost)
    FROM stock.stock_level l JOIN stock.tenant t ON t.id = l.tenant_id GROUP BY 1, 2;
    FOREACH v_table IN ARRAY v_tables LOOP
        EXECUTE format('ALTER TABLE stock.%I FORCE ROW LEVEL SECURITY', v_table);
    END LOOP;
END
$$;

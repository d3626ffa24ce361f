-- Running totals: what reports sum up is kept summed up, so that no read grows with the ledger.
-- docs/decisions/0024-running-totals.md tells why they are kept here and in this way.

-- Which row of a total a transaction adds to: the first that no other writer of the tenant has taken, until its end. So
-- tills do not wait for each other, whatever connection or register they are at, and a shop that is not busy has one
-- row. Whoever finds all of them taken waits for one. A statement of no tenant, an operator's, takes the first without
-- asking.
CREATE FUNCTION stock.total_slot() RETURNS smallint
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    FOR v_slot IN 0..31 LOOP
        IF v_tenant IS NULL OR pg_try_advisory_xact_lock(hashtextextended('stock.total ' || v_slot, v_tenant)) THEN
            RETURN v_slot;
        END IF;
    END LOOP;
    RETURN pg_backend_pid() % 32;
END
$$;

-- Money by day --------------------------------------------------------------------------------------------------------

-- The ledger's sums by day and method, in as many rows as there were writers at once.
CREATE TABLE stock.balance_day (
    tenant_id     bigint NOT NULL,
    business_day  date NOT NULL,
    method        text NOT NULL,
    slot          smallint NOT NULL,
    income        numeric NOT NULL DEFAULT 0,
    expense       numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, business_day, method, slot)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stock.balance_day ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.balance_day', 'SELECT, INSERT, UPDATE');
CALL stock.watch_table('stock.balance_day', 'cache_touch', 'balance', 'dashboard', 'reports');

-- Statement trigger of the ledger: adds what came, takes away what went. TG_ARGV: 1 or -1. Nobody writes the ledger
-- without it, neither an import nor an operator.
CREATE FUNCTION stock.ledger_totalled() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_sign numeric  := TG_ARGV[0];
    v_slot smallint := stock.total_slot();
BEGIN
    INSERT INTO stock.balance_day AS b (tenant_id, business_day, method, slot, income, expense)
    SELECT c.tenant_id, c.business_day, c.method, v_slot,
           v_sign * sum(CASE c.direction WHEN 'income' THEN c.amount ELSE 0 END),
           v_sign * sum(CASE c.direction WHEN 'expense' THEN c.amount ELSE 0 END)
    FROM changed c
    GROUP BY c.tenant_id, c.business_day, c.method
    -- One order for all writers, for those who share a slot.
    ORDER BY c.tenant_id, c.business_day, c.method
    ON CONFLICT (tenant_id, business_day, method, slot) DO UPDATE
    SET income = b.income + excluded.income, expense = b.expense + excluded.expense;
    RETURN NULL;
END
$$;

CREATE FUNCTION stock.ledger_emptied() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE stock.balance_day;
    RETURN NULL;
END
$$;

-- What customers owe -------------------------------------------------------------------------------------------------

-- The sum of what customers owe.
CREATE TABLE stock.receivable (
    tenant_id  bigint NOT NULL,
    slot       smallint NOT NULL,
    due        numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, slot)
) WITH (fillfactor = 10);
ALTER TABLE stock.receivable ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.receivable', 'SELECT, INSERT, UPDATE');
CALL stock.watch_table('stock.receivable', 'cache_touch', 'dashboard', 'reports');

-- Statement trigger of the accounts, as that of the ledger. An account that nothing is on, as a new one, writes none.
CREATE FUNCTION stock.accounts_totalled() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_sign numeric := TG_ARGV[0];
BEGIN
    INSERT INTO stock.receivable AS r (tenant_id, slot, due)
    SELECT c.tenant_id, stock.total_slot(), c.due
    FROM (SELECT a.tenant_id, v_sign * sum(a.balance) AS due FROM changed a GROUP BY a.tenant_id) c
    WHERE c.due <> 0
    ORDER BY c.tenant_id
    ON CONFLICT (tenant_id, slot) DO UPDATE SET due = r.due + excluded.due;
    RETURN NULL;
END
$$;

CREATE FUNCTION stock.accounts_emptied() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE stock.receivable;
    RETURN NULL;
END
$$;

DO $$
DECLARE
    v_table text[];
    v_event text[];
BEGIN
    FOREACH v_table SLICE 1 IN ARRAY ARRAY[
        ['ledger_entry', 'ledger_totalled', 'ledger_emptied'],
        ['customer_account', 'accounts_totalled', 'accounts_emptied']
    ] LOOP
        FOREACH v_event SLICE 1 IN ARRAY ARRAY[
            ['total_insert', 'INSERT', 'NEW', '1'], ['total_delete', 'DELETE', 'OLD', '-1'],
            ['total_update_new', 'UPDATE', 'NEW', '1'], ['total_update_old', 'UPDATE', 'OLD', '-1']
        ] LOOP
            EXECUTE format(
                'CREATE TRIGGER %s AFTER %s ON stock.%I REFERENCING %s TABLE AS changed
                 FOR EACH STATEMENT EXECUTE FUNCTION stock.%I(%L)',
                v_event[1], v_event[2], v_table[1], v_event[3], v_table[2], v_event[4]);
            EXECUTE format('ALTER TABLE stock.%I ENABLE ALWAYS TRIGGER %s', v_table[1], v_event[1]);
        END LOOP;
        EXECUTE format('CREATE TRIGGER total_truncate AFTER TRUNCATE ON stock.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION stock.%I()', v_table[1], v_table[3]);
        EXECUTE format('ALTER TABLE stock.%I ENABLE ALWAYS TRIGGER total_truncate', v_table[1]);
    END LOOP;
END
$$;

-- What is there already; the triggers above keep writers out until this is committed. Row-level security binds the
-- owner as well: it is lifted for this transaction.
ALTER TABLE stock.ledger_entry NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.balance_day NO FORCE ROW LEVEL SECURITY;
INSERT INTO stock.balance_day (tenant_id, business_day, method, slot, income, expense)
SELECT l.tenant_id, l.business_day, l.method, 0, coalesce(sum(l.amount) FILTER (WHERE l.direction = 'income'), 0),
       coalesce(sum(l.amount) FILTER (WHERE l.direction = 'expense'), 0)
FROM stock.ledger_entry l
GROUP BY l.tenant_id, l.business_day, l.method
ORDER BY l.tenant_id, l.business_day, l.method;
ALTER TABLE stock.ledger_entry FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.balance_day FORCE ROW LEVEL SECURITY;

ALTER TABLE stock.customer_account NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.receivable NO FORCE ROW LEVEL SECURITY;
INSERT INTO stock.receivable (tenant_id, slot, due)
SELECT a.tenant_id, 0, sum(a.balance) FROM stock.customer_account a GROUP BY a.tenant_id;
ALTER TABLE stock.customer_account FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.receivable FORCE ROW LEVEL SECURITY;

-- The series read this index; the totals are read instead. What is left of it serves the verification, which reads all.
DROP INDEX stock.ledger_entry_day_idx;

-- What runs out -------------------------------------------------------------------------------------------------------

-- From where on a level is low: NULL for what is not tracked. Kept with the level, so that one row tells whether its
-- product runs out; with its name, so that an index lists those that do by name, and whether it is archived, so that it
-- counts the others. A column of its own tells what runs out, so that the index is left alone by all other sales.
ALTER TABLE stock.stock_level
    ADD COLUMN low_at numeric(18,6), ADD COLUMN name_key text, ADD COLUMN archived boolean NOT NULL DEFAULT false;
ALTER TABLE stock.stock_level NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.product NO FORCE ROW LEVEL SECURITY;
UPDATE stock.stock_level l
SET low_at = CASE WHEN p.tracks_stock THEN p.min_stock END, name_key = p.name_key, archived = p.status = 'archived'
FROM stock.product p
WHERE p.tenant_id = l.tenant_id AND p.id = l.product_id;
ALTER TABLE stock.product FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.stock_level FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.stock_level ALTER COLUMN name_key SET NOT NULL;
ALTER TABLE stock.stock_level ADD COLUMN alert text GENERATED ALWAYS AS (
    CASE WHEN low_at IS NULL THEN NULL WHEN on_hand <= 0 THEN 'out' WHEN on_hand <= low_at THEN 'low' END) STORED;
CREATE INDEX stock_level_alert_idx ON stock.stock_level (tenant_id, alert, name_key, product_id) INCLUDE (archived)
    WHERE alert IS NOT NULL;

-- Every product has one level from the start.
CREATE OR REPLACE FUNCTION stock.product_levelled() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.stock_level (tenant_id, product_id, floor, low_at, name_key, archived)
    SELECT c.tenant_id, c.id,
           CASE WHEN c.tracks_stock AND (c.oversell = 'deny' OR c.oversell = 'inherit' AND t.oversell = 'deny')
                THEN 0 END,
           CASE WHEN c.tracks_stock THEN c.min_stock END, c.name_key, c.status = 'archived'
    FROM changed c JOIN stock.tenant t ON t.id = c.tenant_id;
    RETURN NULL;
END
$$;

-- The floor follows the oversell rule, and where low begins the product, whoever changes them. Every product has a
-- level: ON CONFLICT finds it by its key.
CREATE OR REPLACE FUNCTION stock.product_floored() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO stock.stock_level AS l (tenant_id, product_id, floor, low_at, name_key, archived)
    SELECT c.tenant_id, c.id,
           CASE WHEN c.tracks_stock AND (c.oversell = 'deny' OR c.oversell = 'inherit' AND t.oversell = 'deny')
                THEN 0 END,
           CASE WHEN c.tracks_stock THEN c.min_stock END, c.name_key, c.status = 'archived'
    FROM (SELECT n.tenant_id, n.id, n.oversell, n.tracks_stock, n.min_stock, n.status, n.name_key FROM changed n
          EXCEPT
          SELECT o.tenant_id, o.id, o.oversell, o.tracks_stock, o.min_stock, o.status, o.name_key FROM replaced o) c
    JOIN stock.tenant t ON t.id = c.tenant_id
    ORDER BY c.id
    ON CONFLICT (tenant_id, product_id) DO UPDATE
    SET floor = CASE WHEN excluded.floor IS NOT NULL THEN least(0, l.on_hand) END, low_at = excluded.low_at,
        name_key = excluded.name_key, archived = excluded.archived,
        updated_at = CASE WHEN (excluded.floor IS NULL) = (l.floor IS NULL) THEN l.updated_at ELSE now() END;
    RETURN NULL;
END
$$;

-- Money by till and place: which register a row of the ledger is of, and sums of those rows by day.

-- Where the running unit stands: at which register, and where that is. A setting, as the unit's session is.
CREATE FUNCTION stock.current_register() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN left(NULLIF(current_setting('stock.till', true), ''), 36)::uuid;
CREATE FUNCTION stock.current_place() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN right(NULLIF(current_setting('stock.till', true), ''), 36)::uuid;
CREATE FUNCTION stock.stand_at(p_register uuid, p_location uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('stock.till', coalesce(p_register || ' ' || p_location, ''), true);
END
$$;

-- The place is kept as well: a register may be carried elsewhere, what it took was not.
ALTER TABLE stock.ledger_entry ADD COLUMN register_id uuid, ADD COLUMN location_id uuid;

-- What is there already belongs to where its drawer is, else to where its sale or return was made.
ALTER TABLE stock.ledger_entry NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.cash_session NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.payment NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.sale NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.sale_return NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.money_entry NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.register NO FORCE ROW LEVEL SECURITY;
-- It changes no total, and nothing that is cached shows it.
ALTER TABLE stock.ledger_entry DISABLE TRIGGER total_update_new, DISABLE TRIGGER total_update_old, DISABLE TRIGGER cache_update;
UPDATE stock.ledger_entry e SET register_id = g.id, location_id = g.location_id
FROM stock.ledger_entry o
LEFT JOIN stock.cash_session c ON c.tenant_id = o.tenant_id
    AND c.id = coalesce(o.cash_session_id, CASE o.source_type WHEN 'cash_session' THEN o.source_id END)
LEFT JOIN stock.payment p ON p.tenant_id = o.tenant_id AND p.id = o.source_id AND o.source_type IN ('payment', 'tip', 'rounding')
LEFT JOIN stock.sale s ON s.tenant_id = p.tenant_id AND s.id = p.sale_id
LEFT JOIN stock.sale_return r ON r.tenant_id = p.tenant_id AND r.id = p.return_id
LEFT JOIN stock.money_entry m ON m.tenant_id = o.tenant_id AND m.id = o.source_id AND o.source_type = 'expense'
JOIN stock.register g ON g.tenant_id = o.tenant_id
    AND g.id = coalesce(c.register_id, r.register_id, s.register_id, m.register_id)
WHERE e.tenant_id = o.tenant_id AND e.id = o.id;
ALTER TABLE stock.ledger_entry ENABLE ALWAYS TRIGGER total_update_new, ENABLE ALWAYS TRIGGER total_update_old,
    ENABLE ALWAYS TRIGGER cache_update;
ALTER TABLE stock.ledger_entry ALTER COLUMN register_id SET DEFAULT stock.current_register(),
    ALTER COLUMN location_id SET DEFAULT stock.current_place();

-- The sums of balance_day by register. What no register took or gave - a transfer, the rent - is in none.
CREATE TABLE stock.register_day (
    tenant_id     bigint NOT NULL,
    register_id   uuid NOT NULL,
    business_day  date NOT NULL,
    method        text NOT NULL CHECK (length(method) BETWEEN 1 AND 40),
    location_id   uuid NOT NULL,
    slot          smallint NOT NULL,
    income        numeric NOT NULL DEFAULT 0,
    expense       numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, register_id, business_day, method, location_id, slot)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stock.register_day ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX register_day_location_idx ON stock.register_day (tenant_id, location_id, business_day) WHERE location_id IS NOT NULL;
CALL stock.secure_table('stock.register_day', 'SELECT, INSERT, UPDATE');
ALTER TABLE stock.register_day NO FORCE ROW LEVEL SECURITY;
INSERT INTO stock.register_day (tenant_id, register_id, business_day, method, location_id, slot, income, expense)
SELECT l.tenant_id, l.register_id, l.business_day, l.method, l.location_id, 0,
       coalesce(sum(l.amount) FILTER (WHERE l.direction = 'income'), 0),
       coalesce(sum(l.amount) FILTER (WHERE l.direction = 'expense'), 0)
FROM stock.ledger_entry l WHERE l.register_id IS NOT NULL
GROUP BY l.tenant_id, l.register_id, l.business_day, l.method, l.location_id;
ALTER TABLE stock.register_day FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.register FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.money_entry FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.sale_return FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.sale FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.payment FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.cash_session FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.ledger_entry FORCE ROW LEVEL SECURITY;

-- Sums of rows whose own table retires what is made of them, in the same transaction, are not watched themselves: four
-- triggers for each of them would be half of what they cost a sale.
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
    ('register_day', 'sums of the ledger, which retires what is made of them')
) AS v (relation, reason);

-- As before, and by register.
CREATE OR REPLACE FUNCTION stock.ledger_totalled() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_sign numeric  := TG_ARGV[0];
    v_slot smallint := stock.total_slot();
BEGIN
    -- One order for all writers, here and below, for those who share a slot.
    INSERT INTO stock.register_day AS b (tenant_id, register_id, business_day, method, location_id, slot, income, expense)
    SELECT c.tenant_id, c.register_id, c.business_day, c.method, c.location_id, v_slot,
           v_sign * sum(CASE c.direction WHEN 'income' THEN c.amount ELSE 0 END),
           v_sign * sum(CASE c.direction WHEN 'expense' THEN c.amount ELSE 0 END)
    FROM changed c
    WHERE c.register_id IS NOT NULL
    GROUP BY c.tenant_id, c.register_id, c.business_day, c.method, c.location_id
    ORDER BY c.tenant_id, c.register_id, c.business_day, c.method, c.location_id
    ON CONFLICT (tenant_id, register_id, business_day, method, location_id, slot) DO UPDATE
    SET income = b.income + excluded.income, expense = b.expense + excluded.expense;
    INSERT INTO stock.balance_day AS b (tenant_id, business_day, method, slot, income, expense)
    SELECT c.tenant_id, c.business_day, c.method, v_slot,
           v_sign * sum(CASE c.direction WHEN 'income' THEN c.amount ELSE 0 END),
           v_sign * sum(CASE c.direction WHEN 'expense' THEN c.amount ELSE 0 END)
    FROM changed c
    GROUP BY c.tenant_id, c.business_day, c.method
    ORDER BY c.tenant_id, c.business_day, c.method
    ON CONFLICT (tenant_id, business_day, method, slot) DO UPDATE
    SET income = b.income + excluded.income, expense = b.expense + excluded.expense;
    RETURN NULL;
END
$$;
CALL stock.amend('ledger_emptied', $$    TRUNCATE stock.balance_day;
$$, $$    TRUNCATE stock.balance_day, stock.register_day;
$$);

-- Who comes to a till stands there.
CALL stock.amend('till', $$    location_id := v_register.location_id;
$$, $$    location_id := v_register.location_id;
    PERFORM stock.stand_at(id, location_id);
$$);

-- So does who enters cash into a session, or counts its drawer.
CALL stock.amend('session_held', $$    RETURN v_session;
$$, $$    PERFORM stock.stand_at(g.id, g.location_id) FROM stock.register g
    WHERE g.tenant_id = v_session.tenant_id AND g.id = v_session.register_id;
    RETURN v_session;
$$);

-- Money goes back where it was taken, and to no register that has been retired.
CALL stock.amend('open_drawer_of', $$        PERFORM set_config('stock.cash_session', '', true);
$$, $$        PERFORM set_config('stock.cash_session', '', true);
        PERFORM stock.stand_at(NULL, NULL);
$$);

-- Imports sell at the default register.
CALL stock.amend('import_draft', $$    SELECT r.id INTO STRICT v_register FROM stock.register r WHERE r.tenant_id = v_tenant AND r.is_default;
$$, $$    SELECT r.id INTO STRICT v_register FROM stock.register r WHERE r.tenant_id = v_tenant AND r.is_default;
    PERFORM stock.stand_at(r.id, r.location_id) FROM stock.register r WHERE r.tenant_id = v_tenant AND r.id = v_register;
$$);

CALL stock.amend('import_returns', $$BEGIN
$$, $$BEGIN
    PERFORM stock.stand_at(r.id, r.location_id) FROM stock.register r WHERE r.tenant_id = v_tenant AND r.id = p_register;
$$);

-- What came in and went out by day and method: in all, or of one register, one place, or one register at one place.
CREATE FUNCTION stock.day_sums(p_register uuid, p_location uuid, p_from date, p_to date)
RETURNS TABLE (business_day date, method text, income numeric, expense numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF p_register IS NOT NULL THEN
        RETURN QUERY
        SELECT b.business_day, b.method, sum(b.income), sum(b.expense) FROM stock.register_day b
        WHERE b.tenant_id = v_tenant AND b.register_id = p_register AND b.business_day BETWEEN p_from AND p_to
          AND (p_location IS NULL OR b.location_id = p_location)
        GROUP BY b.business_day, b.method;
    ELSIF p_location IS NOT NULL THEN
        RETURN QUERY
        SELECT b.business_day, b.method, sum(b.income), sum(b.expense) FROM stock.register_day b
        WHERE b.tenant_id = v_tenant AND b.location_id = p_location AND b.business_day BETWEEN p_from AND p_to
        GROUP BY b.business_day, b.method;
    ELSE
        RETURN QUERY
        SELECT b.business_day, b.method, sum(b.income), sum(b.expense) FROM stock.balance_day b
        WHERE b.tenant_id = v_tenant AND b.business_day BETWEEN p_from AND p_to
        GROUP BY b.business_day, b.method;
    END IF;
END
$$;

-- What a customer's balance is made of, document by document, and how old what they owe is.
-- docs/decisions/0048-reports.md tells what is summed up and what is not.

-- What the documents of a customer changed of their balance, by the month of the business day, so that a statement need not
-- begin with the first document there is. Slots as those of stock.balance_day: a sale that is paid at once holds no account.
CREATE TABLE stock.customer_month (
    tenant_id    bigint NOT NULL,
    customer_id  uuid NOT NULL,
    month        date NOT NULL CHECK (extract(day FROM month) = 1),
    slot         smallint NOT NULL,
    change       numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, customer_id, month, slot),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES stock.customer (tenant_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stock.customer_month ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.customer_month', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.customer_month', 'cache_touch', 'customers');

-- A statement tells the documents of one customer, those undone among them.
CREATE INDEX sale_cancelled_idx ON stock.sale (tenant_id, customer_id, id)
    WHERE status = 'cancelled' AND customer_id IS NOT NULL;
CREATE INDEX payment_reversed_idx ON stock.payment (tenant_id, customer_id, id)
    WHERE status = 'reversed' AND customer_id IS NOT NULL;

-- What a payment changes of what is due: a payment in takes it down, a refund up, each but for what was rounded.
CREATE FUNCTION stock.payment_change(p_direction text, p_amount numeric, p_rounding numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE p_direction WHEN 'in' THEN p_rounding - p_amount ELSE p_amount - p_rounding END;

-- What a return changes of it: what came back, and what was given back more (p_rounding) or less without a payment that says so, as
-- of what is too little for the smallest coin.
CREATE FUNCTION stock.return_change(p_tenant bigint, p_return uuid, p_total numeric, p_rounding numeric) RETURNS numeric
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
BEGIN
    IF p_rounding = 0 THEN
        RETURN -p_total;
    END IF;
    RETURN (SELECT coalesce(sum(p.rounding), 0) FROM stock.payment p
            WHERE p.tenant_id = p_tenant AND p.return_id = p_return) - p_rounding - p_total;
END
$$;

CREATE FUNCTION stock.add_to_month(p_tenant bigint, p_customer uuid, p_day date, p_change numeric) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.customer_month AS m (tenant_id, customer_id, month, slot, change)
    VALUES (p_tenant, p_customer, date_trunc('month', p_day::timestamp)::date, stock.total_slot(), p_change)
    ON CONFLICT (tenant_id, customer_id, month, slot) DO UPDATE SET change = m.change + excluded.change;
END
$$;

-- Row triggers, whose conditions are looked at without a call: a document of nobody pays nothing.
CREATE FUNCTION stock.customer_sold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.add_to_month(NEW.tenant_id, NEW.customer_id, NEW.business_day, NEW.total);
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.customer_returned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.add_to_month(NEW.tenant_id, NEW.customer_id, NEW.business_day,
                               stock.return_change(NEW.tenant_id, NEW.id, NEW.total, NEW.rounding));
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.customer_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.add_to_month(NEW.tenant_id, NEW.customer_id, NEW.business_day,
                               stock.payment_change(NEW.direction, NEW.amount, NEW.rounding));
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.customer_unpaid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.add_to_month(NEW.tenant_id, p.customer_id, NEW.business_day,
                               -stock.payment_change(p.direction, p.amount, p.rounding))
    FROM stock.payment p
    WHERE p.tenant_id = NEW.tenant_id AND p.id = NEW.payment_id AND p.customer_id IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.customer_unsold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.add_to_month(NEW.tenant_id, s.customer_id, NEW.business_day, -s.total)
    FROM stock.sale s
    WHERE s.tenant_id = NEW.tenant_id AND s.id = NEW.sale_id AND s.customer_id IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER month_insert AFTER INSERT ON stock.sale FOR EACH ROW
    WHEN (NEW.customer_id IS NOT NULL AND NEW.status = 'confirmed') EXECUTE FUNCTION stock.customer_sold();
CREATE TRIGGER month_update AFTER UPDATE OF status ON stock.sale FOR EACH ROW
    WHEN (NEW.customer_id IS NOT NULL AND OLD.status = 'draft' AND NEW.status = 'confirmed')
    EXECUTE FUNCTION stock.customer_sold();
CREATE TRIGGER month_insert AFTER INSERT ON stock.sale_return FOR EACH ROW
    WHEN (NEW.customer_id IS NOT NULL) EXECUTE FUNCTION stock.customer_returned();
CREATE TRIGGER month_insert AFTER INSERT ON stock.payment FOR EACH ROW
    WHEN (NEW.customer_id IS NOT NULL) EXECUTE FUNCTION stock.customer_paid();
CREATE TRIGGER month_insert AFTER INSERT ON stock.payment_reversal FOR EACH ROW EXECUTE FUNCTION stock.customer_unpaid();
CREATE TRIGGER month_insert AFTER INSERT ON stock.sale_cancellation FOR EACH ROW EXECUTE FUNCTION stock.customer_unsold();
ALTER TABLE stock.sale ENABLE ALWAYS TRIGGER month_insert, ENABLE ALWAYS TRIGGER month_update;
ALTER TABLE stock.sale_return ENABLE ALWAYS TRIGGER month_insert;
ALTER TABLE stock.payment ENABLE ALWAYS TRIGGER month_insert;
ALTER TABLE stock.payment_reversal ENABLE ALWAYS TRIGGER month_insert;
ALTER TABLE stock.sale_cancellation ENABLE ALWAYS TRIGGER month_insert;

-- Everything that changed what customers owe, for those that sum it up; not for the pages of one customer.
CREATE VIEW stock.customer_change WITH (security_invoker = true) AS
SELECT s.tenant_id, s.customer_id, s.business_day, s.total AS change
FROM stock.sale s WHERE s.customer_id IS NOT NULL AND s.status IN ('confirmed', 'cancelled')
UNION ALL
SELECT r.tenant_id, r.customer_id, r.business_day, stock.return_change(r.tenant_id, r.id, r.total, r.rounding)
FROM stock.sale_return r WHERE r.customer_id IS NOT NULL
UNION ALL
SELECT p.tenant_id, p.customer_id, p.business_day, stock.payment_change(p.direction, p.amount, p.rounding)
FROM stock.payment p WHERE p.customer_id IS NOT NULL
UNION ALL
SELECT p.tenant_id, p.customer_id, v.business_day, -stock.payment_change(p.direction, p.amount, p.rounding)
FROM stock.payment_reversal v JOIN stock.payment p ON p.tenant_id = v.tenant_id AND p.id = v.payment_id
WHERE p.customer_id IS NOT NULL
UNION ALL
SELECT s.tenant_id, s.customer_id, c.business_day, -s.total
FROM stock.sale_cancellation c JOIN stock.sale s ON s.tenant_id = c.tenant_id AND s.id = c.sale_id
WHERE s.customer_id IS NOT NULL;
GRANT SELECT ON stock.customer_change TO stock_app;

-- What is there already; the triggers above keep writers out until this is committed.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY '{sale,sale_return,payment,payment_reversal,sale_cancellation,customer_month,customer}'::text[] LOOP
        EXECUTE format('ALTER TABLE stock.%I NO FORCE ROW LEVEL SECURITY', v_table);
    END LOOP;
    INSERT INTO stock.customer_month (tenant_id, customer_id, month, slot, change)
    SELECT c.tenant_id, c.customer_id, date_trunc('month', c.business_day::timestamp)::date, 0, sum(c.change)
    FROM stock.customer_change c GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
    -- Keys of what was written are checked now, by whom no policy binds.
    SET CONSTRAINTS ALL IMMEDIATE;
    FOREACH v_table IN ARRAY '{sale,sale_return,payment,payment_reversal,sale_cancellation,customer_month,customer}'::text[] LOOP
        EXECUTE format('ALTER TABLE stock.%I FORCE ROW LEVEL SECURITY', v_table);
    END LOOP;
END
$$;

-- One statement ---------------------------------------------------------------------------------------------------------

-- The documents of a customer that changed their balance, the oldest first: those of the business days from p_from to p_to
-- that come behind (p_after, p_rank, p_after_id). What happened at the same moment is told in the order of ranks: a sale before
-- what was paid for it. A business day is at most a day away from the moment's date in UTC.
CREATE FUNCTION stock.statement_page(
    p_customer uuid, p_from date, p_to date, p_after timestamptz, p_rank integer, p_after_id uuid, p_count integer
) RETURNS TABLE (occurred_at timestamptz, rank integer, id uuid, type text, number bigint, sale_id uuid, method text,
                 business_day date, change numeric)
LANGUAGE plpgsql STABLE
SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_from   date := coalesce(p_from, '-infinity');
    v_to     date := coalesce(p_to, 'infinity');
    v_first  timestamptz := coalesce((p_from - 1)::timestamptz, '-infinity');
    v_last   timestamptz := coalesce((p_to + 2)::timestamptz, 'infinity');
    v_after  timestamptz := greatest(p_after, v_first);
    v_none   uuid := '00000000-0000-0000-0000-000000000000';
    v_all    uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    -- Behind which id each rank goes on at the moment of the last row.
    v_ids    uuid[];
BEGIN
    v_ids := ARRAY(
        SELECT CASE WHEN p_after IS NULL OR p_after < v_first OR r.rank > p_rank THEN v_none
                    WHEN r.rank = p_rank THEN p_after_id ELSE v_all END
        FROM generate_series(0, 4) AS r (rank) ORDER BY r.rank);
    RETURN QUERY
    SELECT d.occurred_at, d.rank, d.id, d.type, d.number, d.sale_id, d.method, d.business_day, d.change
    FROM (
        (SELECT s.occurred_at, 0 AS rank, s.id, 'sale' AS type, s.number, s.id AS sale_id, NULL AS method, s.business_day,
                s.total AS change
         FROM stock.sale s
         WHERE s.tenant_id = v_tenant AND s.customer_id = p_customer AND s.occurred_at BETWEEN v_after AND v_last
           AND (s.occurred_at, s.id) > (v_after, v_ids[1]) AND s.status IN ('confirmed', 'cancelled')
           AND s.business_day BETWEEN v_from AND v_to
         ORDER BY s.occurred_at, s.id LIMIT p_count)
        UNION ALL
        (SELECT r.occurred_at, 1, r.id, 'return', r.number, r.sale_id, NULL, r.business_day,
                stock.return_change(r.tenant_id, r.id, r.total, r.rounding)
         FROM stock.sale_return r
         WHERE r.tenant_id = v_tenant AND r.customer_id = p_customer AND r.occurred_at BETWEEN v_after AND v_last
           AND (r.occurred_at, r.id) > (v_after, v_ids[2]) AND r.business_day BETWEEN v_from AND v_to
         ORDER BY r.occurred_at, r.id LIMIT p_count)
        UNION ALL
        (SELECT p.occurred_at, 2, p.id, CASE p.direction WHEN 'in' THEN 'payment' ELSE 'refund' END, NULL, p.sale_id, p.method,
                p.business_day, stock.payment_change(p.direction, p.amount, p.rounding)
         FROM stock.payment p
         WHERE p.tenant_id = v_tenant AND p.customer_id = p_customer AND p.occurred_at BETWEEN v_after AND v_last
           AND (p.occurred_at, p.id) > (v_after, v_ids[3]) AND p.business_day BETWEEN v_from AND v_to
         ORDER BY p.occurred_at, p.id LIMIT p_count)
        UNION ALL
        -- What was undone is found by whose it was: there is little of it.
        (SELECT v.occurred_at, 3, p.id, 'reversal', NULL, p.sale_id, p.method, v.business_day,
                -stock.payment_change(p.direction, p.amount, p.rounding)
         FROM (SELECT o.* FROM stock.payment o
               WHERE o.tenant_id = v_tenant AND o.customer_id = p_customer AND o.status = 'reversed' OFFSET 0) p,
         LATERAL (SELECT o.occurred_at, o.business_day FROM stock.payment_reversal o
                  WHERE o.tenant_id = v_tenant AND o.payment_id = p.id OFFSET 0) v
         WHERE (v.occurred_at, p.id) > (v_after, v_ids[4]) AND v.business_day BETWEEN v_from AND v_to
         ORDER BY v.occurred_at, p.id LIMIT p_count)
        UNION ALL
        (SELECT c.occurred_at, 4, s.id, 'cancellation', s.number, s.id, NULL, c.business_day, -s.total
         FROM (SELECT o.* FROM stock.sale o
               WHERE o.tenant_id = v_tenant AND o.customer_id = p_customer AND o.status = 'cancelled' OFFSET 0) s,
         LATERAL (SELECT o.occurred_at, o.business_day FROM stock.sale_cancellation o
                  WHERE o.tenant_id = v_tenant AND o.sale_id = s.id OFFSET 0) c
         WHERE (c.occurred_at, s.id) > (v_after, v_ids[5]) AND c.business_day BETWEEN v_from AND v_to
         ORDER BY c.occurred_at, s.id LIMIT p_count)
    ) d
    ORDER BY d.occurred_at, d.rank, d.id LIMIT p_count;
END
$$;

-- What a customer owed when a business day began: by months, and of the month of that day by its documents.
CREATE FUNCTION stock.balance_before(p_customer uuid, p_day date) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_month date := date_trunc('month', p_day::timestamp)::date;
BEGIN
    RETURN (SELECT coalesce(sum(m.change), 0) FROM stock.customer_month m
            WHERE m.tenant_id = stock.current_tenant() AND m.customer_id = p_customer AND m.month < v_month)
           + CASE WHEN v_month < p_day THEN (
               SELECT coalesce(sum(d.change), 0)
               FROM stock.statement_page(p_customer, v_month, p_day - 1, NULL, NULL, NULL, NULL) d) ELSE 0 END;
END
$$;

-- How old what is due is ------------------------------------------------------------------------------------------------

-- Which part of a report by age a debt belongs to, by the days it is overdue: not yet, up to 30, 60, 90 days, more.
CREATE FUNCTION stock.age_part(p_days integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_days <= 0 THEN 1 WHEN p_days <= 30 THEN 2 WHEN p_days <= 60 THEN 3 WHEN p_days <= 90 THEN 4 ELSE 5 END;

-- What a customer owes on a day by age, in the order of parts; NULL for nobody's sales. A sale is due when it is made.
CREATE FUNCTION stock.customer_ages(p_customer uuid, p_day date) RETURNS numeric[]
LANGUAGE plpgsql STABLE
SET enable_bitmapscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF p_customer IS NULL THEN
        RETURN ARRAY(
            SELECT coalesce(d.due, 0) FROM generate_series(1, 5) AS a (part)
            LEFT JOIN (SELECT stock.age_part(p_day - s.business_day) AS part, sum(s.due) AS due FROM stock.sale s
                       WHERE s.tenant_id = v_tenant AND s.customer_id IS NULL AND s.due > 0 GROUP BY 1) d ON d.part = a.part
            ORDER BY a.part);
    END IF;
    RETURN ARRAY(
        SELECT coalesce(d.due, 0) FROM generate_series(1, 5) AS a (part)
        LEFT JOIN (SELECT stock.age_part(p_day - s.business_day) AS part, sum(s.due) AS due FROM stock.sale s
                   WHERE s.tenant_id = v_tenant AND s.customer_id = p_customer AND s.due > 0 GROUP BY 1) d ON d.part = a.part
        ORDER BY a.part);
END
$$;

-- The parts as bodies tell them, and their sum.
CREATE TYPE stock.ages AS (current text, days_1_30 text, days_31_60 text, days_61_90 text, days_over_90 text, total text);
CREATE FUNCTION stock.ages(p_ages numeric[], p_exponent integer) RETURNS stock.ages
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN ROW(stock.money_text(p_ages[1], p_exponent), stock.money_text(p_ages[2], p_exponent),
               stock.money_text(p_ages[3], p_exponent), stock.money_text(p_ages[4], p_exponent),
               stock.money_text(p_ages[5], p_exponent),
               stock.money_text(p_ages[1] + p_ages[2] + p_ages[3] + p_ages[4] + p_ages[5], p_exponent))::stock.ages;
END
$$;

CREATE FUNCTION stock.customer_ageing_body(p_tenant bigint, p_customer uuid, p_day date) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT row_to_json(r)::text FROM (
        SELECT c.id AS customer_id, p_day AS date, t.currency, a.*
        FROM stock.customer c JOIN stock.tenant t ON t.id = c.tenant_id,
        LATERAL stock.ages(stock.customer_ages(c.id, p_day), t.currency_exponent) a
        WHERE c.tenant_id = p_tenant AND c.id = p_customer) r);
END
$$;

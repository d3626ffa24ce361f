-- Lines of a day that have several taxes and are alike in all of them were taxed as if there had been one: the report of taxes told too
-- little, and so did the sums of the day from its end on.

-- The taxes of documents between two days, both included, by day; what was cancelled and what came back is deducted.
CREATE OR REPLACE FUNCTION stock.taxed_between(p_from date, p_to date)
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
    SELECT x.day, t.name, t.kind, t.rate, coalesce(sum(x.times * t.base) FILTER (WHERE x.counts), 0),
           coalesce(sum(x.times * t.amount) FILTER (WHERE x.counts), 0),
           coalesce(sum(x.times * t.base) FILTER (WHERE NOT x.counts), 0),
           coalesce(sum(x.times * t.amount) FILTER (WHERE NOT x.counts), 0)
    FROM (
        -- Lines of one rate and day are one before their taxes are asked.
        SELECT u.day, u.counts, u.tax_rate, sum(u.net) AS net, sum(u.tax) AS tax, u.taxes,
               CASE WHEN u.taxes IS NULL THEN 1 ELSE count(*) END AS times
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
        -- Lines with several taxes stay what they are; those that are alike are told once, and how many they are.
        GROUP BY u.day, u.counts, u.tax_rate, u.taxes,
                 CASE WHEN u.taxes IS NOT NULL THEN u.net END, CASE WHEN u.taxes IS NOT NULL THEN u.tax END
    ) x, LATERAL stock.taxes_of(x.tax_rate, x.net, x.tax, x.taxes) t
    GROUP BY x.day, t.name, t.kind, t.rate;
END
$$;

-- What was added up wrongly before. Who adds up, or writes into such a day, waits behind the locks of ALTER TABLE.
DO $$
DECLARE
    v_table  text;
    v_tables text[] := '{sale,sale_line,sale_cancellation,sale_return,sale_return_line,tax_day,sums_state}';
BEGIN
    FOREACH v_table IN ARRAY v_tables LOOP
        EXECUTE format('ALTER TABLE stock.%I NO FORCE ROW LEVEL SECURITY', v_table);
    END LOOP;
    -- Of a database without statistics, as after it was restored, everything looks small, and each row would be looked up.
    PERFORM set_config('enable_nestloop', 'off', true);
    INSERT INTO stock.tax_day AS t (tenant_id, business_day, name, kind, rate, slot, base, amount, deducted_base, deducted_amount)
    SELECT k.tenant_id, k.day, k.name, k.kind, k.rate, 0, sum(k.base), sum(k.amount), sum(k.deducted_base), sum(k.deducted_amount)
    FROM (SELECT c.tenant_id, c.day, c.name, c.kind, c.rate, c.base, c.amount, c.deducted_base, c.deducted_amount
          FROM stock.tax_change c
          JOIN stock.tenant o ON o.id = c.tenant_id
          LEFT JOIN stock.sums_state s ON s.tenant_id = c.tenant_id
          WHERE c.day < coalesce(s.open_from, (o.created_at AT TIME ZONE 'UTC')::date - 1)
          UNION ALL
          SELECT d.tenant_id, d.business_day, d.name, d.kind, d.rate, -d.base, -d.amount, -d.deducted_base, -d.deducted_amount
          FROM stock.tax_day d) k
    GROUP BY k.tenant_id, k.day, k.name, k.kind, k.rate
    HAVING (sum(k.base), sum(k.amount), sum(k.deducted_base), sum(k.deducted_amount)) <> (0, 0, 0, 0)
    ON CONFLICT (tenant_id, business_day, name, kind, rate, slot) DO UPDATE
    SET base = t.base + excluded.base, amount = t.amount + excluded.amount,
        deducted_base = t.deducted_base + excluded.deducted_base,
        deducted_amount = t.deducted_amount + excluded.deducted_amount;
    PERFORM set_config('enable_nestloop', 'on', true);
    FOREACH v_table IN ARRAY v_tables LOOP
        EXECUTE format('ALTER TABLE stock.%I FORCE ROW LEVEL SECURITY', v_table);
    END LOOP;
END
$$;

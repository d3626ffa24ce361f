-- Sums that a statement adds to are changed once by each statement, not once by each of its rows: a row that is changed
-- thousands of times in one transaction is found among as many that it was before, and an import's chunk took as long as the
-- square of its products.

-- What levels are worth, as stock.level_valued kept it.
CREATE FUNCTION stock.levels_valued() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.stock_value_day AS v (tenant_id, business_day, slot, change)
    SELECT l.tenant_id, (now() AT TIME ZONE t.timezone)::date, stock.total_slot(), l.change
    FROM (SELECT w.tenant_id, sum(w.value) AS change
          FROM (SELECT c.tenant_id, (c.on_hand + c.in_transit) * c.cost AS value FROM changed c
                UNION ALL
                SELECT r.tenant_id, -(r.on_hand + r.in_transit) * r.cost FROM replaced r) w
          GROUP BY w.tenant_id HAVING sum(w.value) <> 0 ORDER BY w.tenant_id) l,
         LATERAL (SELECT o.timezone FROM stock.tenant o WHERE o.id = l.tenant_id OFFSET 0) t
    ON CONFLICT (tenant_id, business_day, slot) DO UPDATE SET change = v.change + excluded.change;
    RETURN NULL;
END
$$;
DROP TRIGGER total_update ON stock.stock_level;
CREATE TRIGGER total_update AFTER UPDATE ON stock.stock_level REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.levels_valued();
ALTER TABLE stock.stock_level ENABLE ALWAYS TRIGGER total_update;
DROP FUNCTION stock.level_valued();

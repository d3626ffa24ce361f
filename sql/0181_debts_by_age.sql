-- Who owes how much for how long, and whom we owe: from what is open alone, however much was sold and bought.

-- What is open by its day: the sums of all customers are read from nothing else.
CREATE INDEX sale_open_idx ON stock.sale (tenant_id, business_day) INCLUDE (due)
    WHERE business_day IS NOT NULL AND due > 0;

-- Reports show names of customers and suppliers, and whoever changes them retires what shows them.
DO $$
DECLARE
    v_trigger text;
BEGIN
    FOREACH v_trigger IN ARRAY '{cache_insert,cache_update,cache_delete,cache_truncate}'::text[] LOOP
        EXECUTE format('DROP TRIGGER %I ON stock.customer', v_trigger);
        EXECUTE format('DROP TRIGGER %I ON stock.supplier', v_trigger);
    END LOOP;
END
$$;
CALL stock.watch_table('stock.customer', 'cache_touch', 'customers', 'reports');
CALL stock.watch_table('stock.supplier', 'cache_touch', 'suppliers', 'reports');

CREATE FUNCTION stock.receivable_ages(p_day date) RETURNS numeric[]
LANGUAGE plpgsql STABLE
SET enable_bitmapscan = off AS $$
BEGIN
    RETURN ARRAY(
        SELECT coalesce(d.due, 0) FROM generate_series(1, 5) AS a (part)
        LEFT JOIN (SELECT stock.age_part(p_day - s.business_day) AS part, sum(s.due) AS due
                   FROM (SELECT o.business_day, sum(o.due) AS due FROM stock.sale o
                         WHERE o.tenant_id = stock.current_tenant() AND o.business_day IS NOT NULL AND o.due > 0
                         GROUP BY o.business_day) s
                   GROUP BY 1) d ON d.part = a.part
        ORDER BY a.part);
END
$$;

-- What is owed to a supplier on a day by age, or to all (NULL). A purchase is due on its day, else when it was made.
CREATE FUNCTION stock.supplier_ages(p_supplier uuid, p_day date) RETURNS numeric[]
LANGUAGE plpgsql STABLE
SET enable_bitmapscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF p_supplier IS NULL THEN
        RETURN ARRAY(
            SELECT coalesce(d.due, 0) FROM generate_series(1, 5) AS a (part)
            LEFT JOIN (SELECT stock.age_part(p_day - coalesce(p.due_on, p.business_day)) AS part, sum(p.due) AS due
                       FROM stock.purchase p
                       WHERE p.tenant_id = v_tenant AND p.occurred_at IS NOT NULL AND p.due > 0 GROUP BY 1) d ON d.part = a.part
            ORDER BY a.part);
    END IF;
    RETURN ARRAY(
        SELECT coalesce(d.due, 0) FROM generate_series(1, 5) AS a (part)
        LEFT JOIN (SELECT stock.age_part(p_day - coalesce(p.due_on, p.business_day)) AS part, sum(p.due) AS due
                   FROM stock.purchase p
                   WHERE p.tenant_id = v_tenant AND p.supplier_id = p_supplier AND p.due > 0 GROUP BY 1) d ON d.part = a.part
        ORDER BY a.part);
END
$$;

-- Suppliers that are owed something, by name, those behind (p_after, p_after_id).
CREATE FUNCTION stock.payable_page(p_count integer, p_after text, p_after_id uuid) RETURNS TABLE (id uuid, name_key text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_key    text := coalesce(p_after, '');
    v_id     uuid := coalesce(p_after_id, '00000000-0000-0000-0000-000000000000');
BEGIN
    RETURN QUERY
    SELECT s.id, s.name_key FROM stock.supplier s
    WHERE s.tenant_id = v_tenant AND s.name_key >= v_key AND (s.name_key, s.id) > (v_key, v_id)
      AND EXISTS (SELECT FROM stock.purchase p WHERE p.tenant_id = v_tenant AND p.supplier_id = s.id AND p.due > 0)
    ORDER BY s.name_key, s.id LIMIT p_count;
END
$$;

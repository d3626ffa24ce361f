-- How many active products a category has is kept counted. docs/decisions/0058-lists-in-exact-order.md tells why.

-- In as many rows as there were writers at once, as all totals (0091): who makes a product waits for nobody else who does.
CREATE TABLE stock.category_count (
    tenant_id    bigint NOT NULL,
    category_id  uuid NOT NULL,
    slot         smallint NOT NULL,
    active       bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, category_id, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stock.category_count ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.category_count', 'SELECT, INSERT, UPDATE');
CALL stock.watch_table('stock.category_count', 'cache_touch', 'categories');

-- Statement trigger of products. A change that leaves each category and state writes none.
CREATE FUNCTION stock.categories_counted() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO stock.category_count AS n (tenant_id, category_id, slot, active)
        SELECT d.tenant_id, d.category_id, stock.total_slot(), d.active
        FROM (SELECT p.tenant_id, p.category_id, sum(p.sign) AS active
              FROM (SELECT c.tenant_id, c.category_id, c.status, 1 AS sign FROM changed c
                    UNION ALL SELECT r.tenant_id, r.category_id, r.status, -1 FROM replaced r) p
              WHERE p.category_id IS NOT NULL AND p.status = 'active' GROUP BY p.tenant_id, p.category_id) d
        WHERE d.active <> 0
        -- One order for all writers, for those who share a slot.
        ORDER BY d.tenant_id, d.category_id
        ON CONFLICT (tenant_id, category_id, slot) DO UPDATE SET active = n.active + excluded.active;
    ELSE
        INSERT INTO stock.category_count AS n (tenant_id, category_id, slot, active)
        SELECT d.tenant_id, d.category_id, stock.total_slot(), d.active
        FROM (SELECT c.tenant_id, c.category_id, CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END * count(*) AS active FROM changed c
              WHERE c.category_id IS NOT NULL AND c.status = 'active' GROUP BY c.tenant_id, c.category_id) d
        ORDER BY d.tenant_id, d.category_id
        ON CONFLICT (tenant_id, category_id, slot) DO UPDATE SET active = n.active + excluded.active;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION stock.counts_emptied() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE stock.category_count;
    RETURN NULL;
END
$$;

CREATE TRIGGER count_insert AFTER INSERT ON stock.product REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.categories_counted();
CREATE TRIGGER count_update AFTER UPDATE ON stock.product REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.categories_counted();
CREATE TRIGGER count_delete AFTER DELETE ON stock.product REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.categories_counted();
CREATE TRIGGER count_truncate AFTER TRUNCATE ON stock.product FOR EACH STATEMENT EXECUTE FUNCTION stock.counts_emptied();
ALTER TABLE stock.product ENABLE ALWAYS TRIGGER count_insert, ENABLE ALWAYS TRIGGER count_update,
    ENABLE ALWAYS TRIGGER count_delete, ENABLE ALWAYS TRIGGER count_truncate;

-- What is there already; the triggers above keep writers out until this is committed. Row-level security binds the owner as well: it
-- is lifted for this transaction.
ALTER TABLE stock.product NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.category_count NO FORCE ROW LEVEL SECURITY;
INSERT INTO stock.category_count (tenant_id, category_id, slot, active)
SELECT p.tenant_id, p.category_id, 0, count(*) FROM stock.product p
WHERE p.category_id IS NOT NULL AND p.status = 'active' GROUP BY p.tenant_id, p.category_id;
ALTER TABLE stock.product FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.category_count FORCE ROW LEVEL SECURITY;

-- They go with their category. The key is made last, when all rows are there.
ALTER TABLE stock.category_count ADD FOREIGN KEY (tenant_id, category_id)
    REFERENCES stock.category (tenant_id, id) ON DELETE CASCADE;

CREATE OR REPLACE FUNCTION stock.category_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT c.id, c.name, c.parent_id, c.active,
               (SELECT coalesce(sum(n.active), 0)::bigint FROM stock.category_count n
                WHERE n.tenant_id = c.tenant_id AND n.category_id = c.id) AS product_count,
               c.external_id, c.version,
               stock.rfc3339(c.created_at) AS created_at, stock.rfc3339(c.updated_at) AS updated_at
        FROM stock.category c WHERE c.tenant_id = p_tenant AND c.id = p_id
    ) r;
    RETURN v_body;
END
$$;

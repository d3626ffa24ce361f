-- Two references are held by statements instead of rows. A foreign key looks its parent up once for each row, which was
-- two thirds of what lines and movements cost an import: each names one of a few products again and again. Here a
-- statement looks each product up once. docs/decisions/0030-imports-by-sets.md tells what was measured.
--
-- What a foreign key promises is kept, for every writer: a row names a product that is there, and stays there until the
-- row's transaction has ended, as it is locked as a foreign key locks it (FOR KEY SHARE); a product that rows name is
-- neither deleted, truncated away nor given another key. Triggers fire where those of foreign keys do, and a fault has
-- their SQLSTATE and names.

-- Statement trigger of what names products. TG_ARGV: the name of the reference.
CREATE FUNCTION stock.products_named() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_missing uuid;
BEGIN
    -- All are locked before the first that is missing is told. Read by a statement of its own, so by a snapshot that is
    -- younger than the rows: who deletes a product meanwhile is waited for.
    SELECT c.product_id INTO v_missing
    FROM (SELECT DISTINCT n.tenant_id, n.product_id FROM changed n ORDER BY n.tenant_id, n.product_id) c
    LEFT JOIN LATERAL (
        SELECT true AS is_there FROM stock.product p
        WHERE p.tenant_id = c.tenant_id AND p.id = c.product_id
        FOR KEY SHARE
    ) p ON true
    WHERE p.is_there IS NULL
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', SCHEMA = 'stock', TABLE = TG_TABLE_NAME,
            CONSTRAINT = TG_ARGV[0],
            MESSAGE = format('insert on table "%s" violates reference "%s"', TG_TABLE_NAME, TG_ARGV[0]),
            DETAIL = format('There is no product %s.', v_missing);
    END IF;
    RETURN NULL;
END
$$;

-- Statement trigger of products that were deleted. Whoever names one holds it, so that the deletion has waited for them,
-- and this statement's snapshot shows what they wrote. The snapshot of a whole transaction would not.
CREATE FUNCTION stock.products_unnamed() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_named record;
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'products are deleted in transactions that are READ COMMITTED';
    END IF;
    SELECT g.id, n.relation, n.reference INTO v_named
    FROM gone g
    CROSS JOIN LATERAL (
        SELECT 'sale_line' AS relation, 'sale_line_tenant_id_product_id_fkey' AS reference
        FROM (SELECT FROM stock.sale_line l WHERE l.tenant_id = g.tenant_id AND l.product_id = g.id LIMIT 1) l
        UNION ALL
        SELECT 'stock_movement', 'stock_movement_tenant_id_product_id_fkey'
        FROM (SELECT FROM stock.stock_movement m WHERE m.tenant_id = g.tenant_id AND m.product_id = g.id LIMIT 1) m
    ) n
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', SCHEMA = 'stock', TABLE = v_named.relation,
            CONSTRAINT = v_named.reference,
            MESSAGE = format('delete on table "product" violates reference "%s" of table "%s"', v_named.reference,
                             v_named.relation),
            DETAIL = format('The product %s is named still.', v_named.id);
    END IF;
    RETURN NULL;
END
$$;

-- TRUNCATE sees no rows, and its caller need not be one who sees all tenants: what names products must be empty too.
CREATE FUNCTION stock.products_truncated() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF pg_relation_size('stock.sale_line') > 0 OR pg_relation_size('stock.stock_movement') > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'cannot truncate products that lines or movements may name',
            HINT = 'Truncate stock.sale_line and stock.stock_movement at the same time.';
    END IF;
    RETURN NULL;
END
$$;

-- Row trigger, fired by those updates alone that would change a key which is referred to, or a reference.
CREATE FUNCTION stock.key_is_fixed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', SCHEMA = 'stock', TABLE = TG_TABLE_NAME,
        MESSAGE = format('update on table "%s" would change what refers to a product', TG_TABLE_NAME);
END
$$;

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['sale_line', 'stock_movement'] LOOP
        EXECUTE format('ALTER TABLE stock.%I DROP CONSTRAINT %I', v_table, v_table || '_tenant_id_product_id_fkey');
        EXECUTE format(
            'CREATE TRIGGER product_named AFTER INSERT ON stock.%I REFERENCING NEW TABLE AS changed
             FOR EACH STATEMENT EXECUTE FUNCTION stock.products_named(%L)',
            v_table, v_table || '_tenant_id_product_id_fkey');
        EXECUTE format(
            'CREATE TRIGGER product_kept AFTER UPDATE ON stock.%I FOR EACH ROW
             WHEN (OLD.tenant_id <> NEW.tenant_id OR OLD.product_id <> NEW.product_id)
             EXECUTE FUNCTION stock.key_is_fixed()', v_table);
    END LOOP;
END
$$;
CREATE TRIGGER product_unnamed AFTER DELETE ON stock.product REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION stock.products_unnamed();
CREATE TRIGGER product_kept AFTER UPDATE ON stock.product FOR EACH ROW
    WHEN (OLD.tenant_id <> NEW.tenant_id OR OLD.id <> NEW.id) EXECUTE FUNCTION stock.key_is_fixed();
CREATE TRIGGER product_truncated AFTER TRUNCATE ON stock.product
    FOR EACH STATEMENT EXECUTE FUNCTION stock.products_truncated();

-- Which module each table retires. Every trigger is a statement trigger over its transition table.

-- The register of tenants feeds everything of that tenant.
CREATE FUNCTION stock.cache_touch_tenant() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT DISTINCT c.id, m.module FROM changed c, unnest(stock.cache_modules()) AS m (module)
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    RETURN NULL;
END
$$;

-- A person is seen in each tenant of theirs.
CREATE FUNCTION stock.cache_touch_user() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT DISTINCT t.id, 'identity' FROM changed c, unnest(c.tenant_ids) AS t (id)
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    RETURN NULL;
END
$$;

-- A category's body counts its active products: it is retired when one comes, goes, moves or changes status.
CREATE FUNCTION stock.cache_touch_product() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT c.tenant_id,
                     bool_or(r.id IS NULL OR c.category_id IS DISTINCT FROM r.category_id
                             OR c.status <> r.status) AS recounted
              FROM changed c LEFT JOIN replaced r ON r.tenant_id = c.tenant_id AND r.id = c.id
              GROUP BY c.tenant_id) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module <> 'categories' OR t.recounted
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    ELSE
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT DISTINCT c.tenant_id FROM changed c) t, unnest(TG_ARGV) AS m (module)
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;

-- A draft is seen in `sales` only; a sale of a customer in `customers` too.
CREATE FUNCTION stock.cache_touch_sale() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT c.tenant_id, bool_or(c.final) AS final, bool_or(c.final AND c.customer_id IS NOT NULL) AS known
              FROM (SELECT n.tenant_id, n.status IN ('confirmed', 'cancelled') AS final, n.customer_id FROM changed n
                    UNION ALL
                    SELECT o.tenant_id, o.status IN ('confirmed', 'cancelled'), o.customer_id FROM replaced o) c
              GROUP BY c.tenant_id) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module = 'sales' OR t.final AND m.module <> 'customers' OR t.known
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    ELSE
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT c.tenant_id, bool_or(c.status IN ('confirmed', 'cancelled')) AS final,
                     bool_or(c.status IN ('confirmed', 'cancelled') AND c.customer_id IS NOT NULL) AS known
              FROM changed c GROUP BY c.tenant_id) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module = 'sales' OR t.final AND m.module <> 'customers' OR t.known
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;

-- Lines retire what their sale would. A sale that can not be seen any more counts as final.
CREATE FUNCTION stock.cache_touch_sale_line() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT t.tenant_id, m.module
    FROM (SELECT c.tenant_id, bool_or(coalesce(s.status IN ('confirmed', 'cancelled'), true)) AS final,
                 bool_or(s.status IN ('confirmed', 'cancelled') AND s.customer_id IS NOT NULL OR s.id IS NULL) AS known
          FROM (SELECT DISTINCT l.tenant_id, l.sale_id FROM changed l) c
          LEFT JOIN stock.sale s ON s.tenant_id = c.tenant_id AND s.id = c.sale_id
          GROUP BY c.tenant_id) t,
         unnest(TG_ARGV) AS m (module)
    WHERE m.module = 'sales' OR t.final AND m.module <> 'customers' OR t.known
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    RETURN NULL;
END
$$;

-- For rows that name a customer or not: `customers` only if one does.
CREATE FUNCTION stock.cache_touch_named() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT c.tenant_id, bool_or(c.customer_id IS NOT NULL) AS known
              FROM (SELECT n.tenant_id, n.customer_id FROM changed n
                    UNION ALL SELECT o.tenant_id, o.customer_id FROM replaced o) c
              GROUP BY c.tenant_id) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module <> 'customers' OR t.known
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    ELSE
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT c.tenant_id, bool_or(c.customer_id IS NOT NULL) AS known FROM changed c GROUP BY c.tenant_id) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module <> 'customers' OR t.known
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION stock.cache_touch_return_line() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT t.tenant_id, m.module
    FROM (SELECT c.tenant_id, bool_or(r.customer_id IS NOT NULL OR r.id IS NULL) AS known
          FROM (SELECT DISTINCT l.tenant_id, l.return_id FROM changed l) c
          LEFT JOIN stock.sale_return r ON r.tenant_id = c.tenant_id AND r.id = c.return_id
          GROUP BY c.tenant_id) t,
         unnest(TG_ARGV) AS m (module)
    WHERE m.module <> 'customers' OR t.known
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    RETURN NULL;
END
$$;

CREATE FUNCTION stock.cache_touch_allocation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT t.tenant_id, m.module
    FROM (SELECT c.tenant_id, bool_or(p.customer_id IS NOT NULL OR p.id IS NULL) AS known
          FROM (SELECT DISTINCT a.tenant_id, a.payment_id FROM changed a) c
          LEFT JOIN stock.payment p ON p.tenant_id = c.tenant_id AND p.id = c.payment_id
          GROUP BY c.tenant_id) t,
         unnest(TG_ARGV) AS m (module)
    WHERE m.module <> 'customers' OR t.known
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    RETURN NULL;
END
$$;

CALL stock.watch_table('stock.tenant', 'cache_touch_tenant');
CALL stock.watch_table('stock.app_user', 'cache_touch_user', 'identity');
CALL stock.watch_table('stock.membership', 'cache_touch', 'identity');
CALL stock.watch_table('stock.session', 'cache_touch', 'identity');
CALL stock.watch_table('stock.api_key', 'cache_touch', 'identity');
CALL stock.watch_table('stock.register', 'cache_touch', 'settings');
CALL stock.watch_table('stock.category', 'cache_touch', 'categories', 'products', 'reports');
CALL stock.watch_table('stock.unit', 'cache_touch', 'units', 'products');
CALL stock.watch_table('stock.product', 'cache_touch_product', 'products', 'stock', 'dashboard', 'reports', 'categories');
CALL stock.watch_table('stock.product_barcode', 'cache_touch', 'products');
CALL stock.watch_table('stock.stock_level', 'cache_touch', 'stock', 'products', 'dashboard', 'reports');
CALL stock.watch_table('stock.stock_movement', 'cache_touch', 'stock');
CALL stock.watch_table('stock.customer', 'cache_touch', 'customers');
CALL stock.watch_table('stock.customer_account', 'cache_touch', 'customers');
CALL stock.watch_table('stock.sale', 'cache_touch_sale', 'sales', 'dashboard', 'reports', 'customers');
CALL stock.watch_table('stock.sale_line', 'cache_touch_sale_line', 'sales', 'dashboard', 'reports', 'customers');
CALL stock.watch_table('stock.sale_return', 'cache_touch_named', 'sales', 'dashboard', 'reports', 'customers');
CALL stock.watch_table('stock.sale_return_line', 'cache_touch_return_line', 'sales', 'dashboard', 'reports', 'customers');
CALL stock.watch_table('stock.payment', 'cache_touch_named', 'payments', 'customers');
CALL stock.watch_table('stock.payment_allocation', 'cache_touch_allocation', 'payments', 'customers');
CALL stock.watch_table('stock.ledger_entry', 'cache_touch', 'balance', 'dashboard', 'reports');

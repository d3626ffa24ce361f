-- Retiring what a transaction has retired already costs next to nothing: whom row security holds writes rows of one tenant
-- alone, so they need not be looked through for those of others. Owners and superusers still go the long way.

CREATE OR REPLACE FUNCTION stock.cache_touch() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF row_security_active(TG_RELID) AND stock.cache_has_touched(v_tenant, TG_ARGV) THEN
        RETURN NULL;
    END IF;
    FOR v_tenant IN SELECT DISTINCT c.tenant_id FROM changed c LOOP
        PERFORM stock.cache_touch_modules(v_tenant, TG_ARGV);
    END LOOP;
    RETURN NULL;
END
$$;

-- Sales, as they are and as they were.
CREATE OR REPLACE FUNCTION stock.cache_touch_sale() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        PERFORM stock.cache_touch_modules(t.tenant_id, stock.cache_showing(TG_ARGV, t.final, t.known))
        FROM (SELECT c.tenant_id, bool_or(c.final) AS final, bool_or(c.final AND c.customer_id IS NOT NULL) AS known
              FROM (SELECT n.tenant_id, n.status IN ('confirmed', 'cancelled') AS final, n.customer_id FROM changed n
                    UNION ALL
                    SELECT o.tenant_id, o.status IN ('confirmed', 'cancelled'), o.customer_id FROM replaced o) c
              GROUP BY c.tenant_id) t;
        RETURN NULL;
    ELSIF stock.cache_is_covered(TG_RELID, TG_ARGV) THEN
        PERFORM FROM changed c WHERE c.customer_id IS NOT NULL LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM stock.cache_touch_modules(t.tenant_id, stock.cache_showing(TG_ARGV, t.final, t.known))
    FROM (SELECT c.tenant_id, bool_or(c.status IN ('confirmed', 'cancelled')) AS final,
                 bool_or(c.status IN ('confirmed', 'cancelled') AND c.customer_id IS NOT NULL) AS known
          FROM changed c GROUP BY c.tenant_id) t;
    RETURN NULL;
END
$$;

-- Rows that name a customer or not, as they are and as they were.
CREATE OR REPLACE FUNCTION stock.cache_touch_named() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        PERFORM stock.cache_touch_modules(t.tenant_id, stock.cache_showing(TG_ARGV, true, t.known))
        FROM (SELECT c.tenant_id, bool_or(c.customer_id IS NOT NULL) AS known
              FROM (SELECT n.tenant_id, n.customer_id FROM changed n
                    UNION ALL SELECT o.tenant_id, o.customer_id FROM replaced o) c
              GROUP BY c.tenant_id) t;
        RETURN NULL;
    ELSIF stock.cache_is_covered(TG_RELID, TG_ARGV) THEN
        PERFORM FROM changed c WHERE c.customer_id IS NOT NULL LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM stock.cache_touch_modules(t.tenant_id, stock.cache_showing(TG_ARGV, true, t.known))
    FROM (SELECT c.tenant_id, bool_or(c.customer_id IS NOT NULL) AS known FROM changed c GROUP BY c.tenant_id) t;
    RETURN NULL;
END
$$;

-- Whether rows that the caller writes into a table retire nothing that has not been retired, but for `customers`, which those
-- retire that name one.
CREATE FUNCTION stock.cache_is_covered(p_table oid, p_modules text[]) RETURNS boolean
LANGUAGE sql STABLE
RETURN row_security_active(p_table)
   AND stock.cache_has_touched(stock.current_tenant(), array_remove(p_modules, 'customers'));

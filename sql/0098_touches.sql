-- Triggers of documents ask what else there is to know before they retire: is it final, does it name a customer? What
-- follows from the answer has one home here. OFFSET 0: what is asked is looked up by its key, whatever the caller's
-- settings and the statistics are.

-- Of a table's modules those that a document is seen in: `sales` shows drafts too, `customers` those that name one, all
-- others what is final.
CREATE FUNCTION stock.cache_showing(p_modules text[], p_final boolean, p_known boolean) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_known THEN p_modules WHEN p_final THEN array_remove(p_modules, 'customers') ELSE '{sales}' END;

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
    ELSE
        PERFORM stock.cache_touch_modules(t.tenant_id, stock.cache_showing(TG_ARGV, t.final, t.known))
        FROM (SELECT c.tenant_id, bool_or(c.status IN ('confirmed', 'cancelled')) AS final,
                     bool_or(c.status IN ('confirmed', 'cancelled') AND c.customer_id IS NOT NULL) AS known
              FROM changed c GROUP BY c.tenant_id) t;
    END IF;
    RETURN NULL;
END
$$;

-- Lines retire what their sale would. A sale that can not be seen any more counts as final; one that is not there yet
-- comes in the same transaction, and retires what it must itself.
CREATE OR REPLACE FUNCTION stock.cache_touch_sale_line() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.cache_touch_modules(t.tenant_id, stock.cache_showing(TG_ARGV, t.final, t.known))
    FROM (SELECT c.tenant_id, bool_or(coalesce(s.status IN ('confirmed', 'cancelled'), TG_OP <> 'INSERT')) AS final,
                 bool_or(s.status IN ('confirmed', 'cancelled') AND s.customer_id IS NOT NULL
                         OR s.id IS NULL AND TG_OP <> 'INSERT') AS known
          FROM (SELECT DISTINCT l.tenant_id, l.sale_id FROM changed l) c
          LEFT JOIN LATERAL (SELECT o.id, o.status, o.customer_id FROM stock.sale o
                             WHERE o.tenant_id = c.tenant_id AND o.id = c.sale_id OFFSET 0) s ON true
          GROUP BY c.tenant_id) t;
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
    ELSE
        PERFORM stock.cache_touch_modules(t.tenant_id, stock.cache_showing(TG_ARGV, true, t.known))
        FROM (SELECT c.tenant_id, bool_or(c.customer_id IS NOT NULL) AS known FROM changed c GROUP BY c.tenant_id) t;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION stock.cache_touch_return_line() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.cache_touch_modules(t.tenant_id, stock.cache_showing(TG_ARGV, true, t.known))
    FROM (SELECT c.tenant_id, bool_or(r.customer_id IS NOT NULL OR r.id IS NULL) AS known
          FROM (SELECT DISTINCT l.tenant_id, l.return_id FROM changed l) c
          LEFT JOIN LATERAL (SELECT o.id, o.customer_id FROM stock.sale_return o
                             WHERE o.tenant_id = c.tenant_id AND o.id = c.return_id OFFSET 0) r ON true
          GROUP BY c.tenant_id) t;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION stock.cache_touch_allocation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.cache_touch_modules(t.tenant_id, stock.cache_showing(TG_ARGV, true, t.known))
    FROM (SELECT c.tenant_id, bool_or(p.customer_id IS NOT NULL OR p.id IS NULL) AS known
          FROM (SELECT DISTINCT a.tenant_id, a.payment_id FROM changed a) c
          LEFT JOIN LATERAL (SELECT o.id, o.customer_id FROM stock.payment o
                             WHERE o.tenant_id = c.tenant_id AND o.id = c.payment_id OFFSET 0) p ON true
          GROUP BY c.tenant_id) t;
    RETURN NULL;
END
$$;

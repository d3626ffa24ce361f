-- What screens and printers show: documents with the names of what they name. Bodies of documents have ids, so that renaming a
-- customer touches no sale; what shows names beside them is a module of its own, retired by whatever it shows.
-- docs/decisions/0049-screens-and-receipts.md tells why.

CREATE OR REPLACE FUNCTION stock.cache_modules() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['products', 'categories', 'units', 'stock', 'balance', 'sales', 'payments', 'purchases', 'customers',
             'suppliers', 'quotes', 'dashboard', 'reports', 'settings', 'identity', 'views'];

-- What `views` shows: whoever retires one of these retires it, too, by whatever table or command.
CREATE FUNCTION stock.cache_viewed() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['sales', 'payments', 'customers', 'settings', 'identity'];

CREATE OR REPLACE FUNCTION stock.cache_touch_modules(p_tenant bigint, p_modules text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_mark    text := coalesce(current_setting('stock.touched', true), '');
    v_mine    text := 'xid:' || pg_current_xact_id();
    v_tenant  text := ' tenant:' || p_tenant || ' ';
    v_modules text[] := p_modules;
BEGIN
    IF stock.cache_has_touched(p_tenant, p_modules) THEN
        RETURN;
    END IF;
    IF p_modules && stock.cache_viewed() AND NOT 'views' = ANY (p_modules) THEN
        v_modules := p_modules || 'views'::text;
    END IF;
    INSERT INTO stock.cache_outbox (tenant_id, modules) VALUES (p_tenant, v_modules);
    PERFORM set_config(
        'stock.touched',
        CASE WHEN NOT starts_with(v_mark, v_mine || ' ') THEN v_mine || v_tenant
             WHEN strpos(v_mark, v_tenant) = 0 THEN v_mine || v_tenant || 'others: '
             ELSE v_mark || ' ' END || array_to_string(v_modules, ' '),
        true);
END
$$;

-- Receipts --------------------------------------------------------------------------------------------------------------

-- What is printed around a document: whose shop, where, by whom, for whom, what time it was there.
CREATE FUNCTION stock.receipt_head(
    p_tenant bigint, p_register uuid, p_place uuid, p_user uuid, p_customer uuid, p_at timestamptz, p_methods text[]
) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_shop     json;
    v_place    json;
    v_customer json;
    v_methods  json;
    v_zone     text;
    -- That of the place, if it has one.
    v_there    text;
BEGIN
    SELECT t.timezone, row_to_json(s) INTO v_zone, v_shop
    FROM stock.tenant t, LATERAL (
        SELECT t.name, t.address, t.tax_id, t.phone, t.receipt_footer, t.logo, t.locale, t.currency,
               t.prices_include_tax) s
    WHERE t.id = p_tenant;
    SELECT l.timezone, row_to_json(s) INTO v_there, v_place
    FROM stock.location l, LATERAL (SELECT l.name, l.address) s
    WHERE l.tenant_id = p_tenant AND l.id = p_place;
    SELECT row_to_json(s) INTO v_customer
    FROM stock.customer c, LATERAL (SELECT c.name, c.tax_id) s
    WHERE c.tenant_id = p_tenant AND c.id = p_customer;
    SELECT json_agg(row_to_json(s) ORDER BY m.position, m.code) INTO v_methods
    FROM stock.payment_method m, LATERAL (SELECT m.code, m.name) s
    WHERE m.tenant_id = p_tenant AND m.code = ANY (p_methods);
    v_zone := coalesce(v_there, v_zone);
    RETURN (SELECT row_to_json(r)::text FROM (
        SELECT v_shop AS shop, v_place AS location,
               (SELECT g.name FROM stock.register g WHERE g.tenant_id = p_tenant AND g.id = p_register) AS register,
               stock.colleague_name(p_tenant, p_user) AS cashier, v_customer AS customer,
               to_char(p_at AT TIME ZONE v_zone, 'YYYY-MM-DD"T"HH24:MI:SS') AS local_time, v_zone AS timezone, coalesce(v_methods, '[]') AS methods) r);
END
$$;

-- What somebody is called in a tenant that they are or were a member of.
CREATE FUNCTION stock.colleague_name(p_tenant bigint, p_user uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN (SELECT NULLIF(u.name, '') FROM stock.membership m JOIN stock.app_user u ON u.id = m.user_id
            WHERE m.tenant_id = p_tenant AND m.user_id = p_user);
END
$$;

CREATE FUNCTION stock.sale_receipt(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_sale    stock.sale;
    v_methods text[];
BEGIN
    SELECT s.* INTO v_sale FROM stock.sale s WHERE s.tenant_id = p_tenant AND s.id = p_id;
    v_methods := ARRAY(
        SELECT DISTINCT p.method FROM stock.payment_allocation a
        JOIN stock.payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id
        WHERE a.tenant_id = p_tenant AND a.sale_id = p_id);
    RETURN left(stock.receipt_head(p_tenant, v_sale.register_id, stock.place_of('sale', p_id), v_sale.user_id,
                                   v_sale.customer_id, v_sale.occurred_at, v_methods), -1)
        || ',"sale":' || stock.sale_body(p_tenant, p_id) || '}';
END
$$;

CREATE FUNCTION stock.return_receipt(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_return  stock.sale_return;
    v_methods text[];
    v_number  bigint;
BEGIN
    SELECT r.* INTO v_return FROM stock.sale_return r WHERE r.tenant_id = p_tenant AND r.id = p_id;
    v_methods := ARRAY(SELECT DISTINCT p.method FROM stock.payment p WHERE p.tenant_id = p_tenant AND p.return_id = p_id);
    v_number := (SELECT s.number FROM stock.sale s WHERE s.tenant_id = p_tenant AND s.id = v_return.sale_id);
    RETURN left(stock.receipt_head(p_tenant, v_return.register_id, stock.place_of('register', v_return.register_id),
                                   v_return.user_id, v_return.customer_id, v_return.occurred_at, v_methods), -1)
        || ',"sale_number":' || coalesce(v_number::text, 'null') || ',"return":' || stock.return_body(p_tenant, p_id) || '}';
END
$$;

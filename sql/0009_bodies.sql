-- The bodies of resources as JSON text, one function each: GET, list, the answer of a command and the stored idempotency
-- record are the same bytes. plpgsql, because its plans are kept per connection. NULL: no such row.

CREATE FUNCTION stock.rfc3339(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- An amount at the currency's exponent: "12.50".
CREATE FUNCTION stock.money_text(p_amount numeric, p_exponent integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN round(p_amount, p_exponent)::text;

-- A price or cost: at least the exponent's decimals, at most six: "2.00", "0.333".
CREATE FUNCTION stock.price_text(p_price numeric, p_exponent integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(p_price, greatest(p_exponent, min_scale(p_price)))::text;

-- A quantity or a rate without trailing zeros: "3", "0.5", "21".
CREATE FUNCTION stock.quantity_text(p_quantity numeric) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN trim_scale(p_quantity)::text;

-- A page: the members' JSON texts joined, and the cursor of the next page, quoted here.
CREATE FUNCTION stock.list_body(p_data text, p_next_cursor text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{"data":[' || coalesce(p_data, '') || '],"next_cursor":' || coalesce(to_json(p_next_cursor)::text, 'null') || '}';

CREATE FUNCTION stock.tenant_body(p_tenant bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT t.id, t.slug, t.name, t.status, t.currency, t.timezone, t.locale, t.prices_include_tax, t.oversell,
               t.on_price_change, t.returns_without_sale, t.closed_until, t.version,
               stock.rfc3339(t.created_at) AS created_at, stock.rfc3339(t.updated_at) AS updated_at
        FROM stock.tenant t WHERE t.id = p_tenant
    ) r;
    RETURN v_body;
END
$$;

-- A member: the person, with the role held in this tenant.
CREATE FUNCTION stock.member_body(p_tenant bigint, p_user uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT u.id, u.email, u.name, m.role, m.active AND u.status = 'active' AS active, m.version,
               stock.rfc3339(m.created_at) AS created_at
        FROM stock.membership m JOIN stock.app_user u ON u.id = m.user_id
        WHERE m.tenant_id = p_tenant AND m.user_id = p_user
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.api_key_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT k.id, k.name, k.scopes, stock.rfc3339(k.expires_at) AS expires_at,
               stock.rfc3339(k.revoked_at) AS revoked_at, stock.rfc3339(k.last_used_at) AS last_used_at, k.version,
               stock.rfc3339(k.created_at) AS created_at
        FROM stock.api_key k WHERE k.tenant_id = p_tenant AND k.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.register_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT g.id, g.name, g.is_default, g.requires_session, g.active, g.version
        FROM stock.register g WHERE g.tenant_id = p_tenant AND g.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.category_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT c.id, c.name, c.parent_id, c.active,
               (SELECT count(*) FROM stock.product p
                WHERE p.tenant_id = c.tenant_id AND p.category_id = c.id AND p.status = 'active') AS product_count,
               c.external_id, c.version,
               stock.rfc3339(c.created_at) AS created_at, stock.rfc3339(c.updated_at) AS updated_at
        FROM stock.category c WHERE c.tenant_id = p_tenant AND c.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.unit_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT u.id, u.name, u.symbol, u.decimals, u.external_id, u.version,
               stock.rfc3339(u.created_at) AS created_at, stock.rfc3339(u.updated_at) AS updated_at
        FROM stock.unit u WHERE u.tenant_id = p_tenant AND u.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.product_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id, p.sku,
               ARRAY(SELECT b.code FROM stock.product_barcode b
                     WHERE b.tenant_id = p.tenant_id AND b.product_id = p.id ORDER BY b.code) AS barcodes,
               p.name, p.category_id, p.unit_id,
               stock.price_text(p.price, t.currency_exponent) AS price,
               stock.price_text(l.cost, t.currency_exponent) AS cost,
               stock.quantity_text(p.tax_rate) AS tax_rate, p.tracks_stock, p.oversell,
               stock.quantity_text(p.min_stock) AS min_stock, p.status,
               stock.quantity_text(l.on_hand) AS on_hand, p.external_id, p.version,
               stock.rfc3339(p.created_at) AS created_at, stock.rfc3339(p.updated_at) AS updated_at
        FROM stock.product p
        JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
        JOIN stock.tenant t ON t.id = p.tenant_id
        WHERE p.tenant_id = p_tenant AND p.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- One product's place in `GET /v1/stock`.
CREATE FUNCTION stock.stock_level_body(p_tenant bigint, p_product uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id AS product_id, p.sku, p.name, p.category_id, p.unit_id, p.tracks_stock, p.status,
               stock.quantity_text(l.on_hand) AS on_hand, stock.quantity_text(p.min_stock) AS min_stock,
               CASE WHEN NOT p.tracks_stock THEN 'ok' WHEN l.on_hand <= 0 THEN 'out'
                    WHEN l.on_hand <= p.min_stock THEN 'low' ELSE 'ok' END AS stock,
               stock.price_text(l.cost, t.currency_exponent) AS cost,
               stock.rfc3339(l.updated_at) AS updated_at
        FROM stock.stock_level l
        JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
        JOIN stock.tenant t ON t.id = l.tenant_id
        WHERE l.tenant_id = p_tenant AND l.product_id = p_product
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.movement_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT m.id, m.product_id, m.seq, m.kind AS type, stock.quantity_text(m.quantity) AS quantity,
               stock.quantity_text(m.on_hand_after) AS on_hand_after, m.reason,
               stock.price_text(m.unit_cost, t.currency_exponent) AS unit_cost, m.ref_type, m.ref_id, m.user_id,
               stock.rfc3339(m.occurred_at) AS occurred_at, stock.rfc3339(m.recorded_at) AS recorded_at, m.business_day
        FROM stock.stock_movement m JOIN stock.tenant t ON t.id = m.tenant_id
        WHERE m.tenant_id = p_tenant AND m.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.customer_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT c.id, c.name, c.tax_id, c.email, c.phone,
               stock.money_text(c.credit_limit, t.currency_exponent) AS credit_limit,
               stock.money_text(a.balance, t.currency_exponent) AS balance, c.active, c.external_id, c.version,
               stock.rfc3339(c.created_at) AS created_at, stock.rfc3339(c.updated_at) AS updated_at
        FROM stock.customer c
        JOIN stock.customer_account a ON a.tenant_id = c.tenant_id AND a.customer_id = c.id
        JOIN stock.tenant t ON t.id = c.tenant_id
        WHERE c.tenant_id = p_tenant AND c.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.payment_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id, p.direction, p.method, stock.money_text(p.amount, t.currency_exponent) AS amount,
               stock.money_text(p.tendered, t.currency_exponent) AS tendered,
               stock.money_text(p.change, t.currency_exponent) AS change, p.status, p.sale_id, p.return_id,
               p.customer_id,
               (SELECT coalesce(json_agg(row_to_json(b) ORDER BY b.position), '[]') FROM (
                    SELECT a.position, a.sale_id, stock.money_text(a.amount, t.currency_exponent) AS amount
                    FROM stock.payment_allocation a
                    WHERE a.tenant_id = p.tenant_id AND a.payment_id = p.id) b) AS allocations,
               p.user_id, stock.rfc3339(p.occurred_at) AS occurred_at, stock.rfc3339(p.recorded_at) AS recorded_at,
               p.business_day, p.version
        FROM stock.payment p JOIN stock.tenant t ON t.id = p.tenant_id
        WHERE p.tenant_id = p_tenant AND p.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- A sale with its lines and the payments allocated to it. `change` is what was handed back when it was paid.
CREATE FUNCTION stock.sale_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.number, s.status, s.register_id, s.customer_id, s.user_id, s.note,
               stock.rfc3339(s.occurred_at) AS occurred_at, stock.rfc3339(s.recorded_at) AS recorded_at,
               s.business_day,
               (SELECT json_agg(row_to_json(b) ORDER BY b.position) FROM (
                    SELECT l.id, l.position, l.product_id, l.sku, l.name, l.unit,
                           stock.quantity_text(l.quantity) AS quantity,
                           stock.price_text(l.unit_price, t.currency_exponent) AS unit_price, l.price_source,
                           stock.money_text(l.discount + l.document_discount, t.currency_exponent) AS discount,
                           stock.quantity_text(l.tax_rate) AS tax_rate,
                           stock.money_text(l.tax, t.currency_exponent) AS tax,
                           stock.money_text(l.total, t.currency_exponent) AS total,
                           stock.price_text(l.unit_cost, t.currency_exponent) AS unit_cost,
                           stock.quantity_text(l.returned_quantity) AS returned_quantity
                    FROM stock.sale_line l WHERE l.tenant_id = s.tenant_id AND l.sale_id = s.id) b) AS lines,
               stock.money_text(s.subtotal, t.currency_exponent) AS subtotal,
               stock.money_text(s.discount, t.currency_exponent) AS discount,
               stock.money_text(s.tax, t.currency_exponent) AS tax,
               stock.money_text(s.total, t.currency_exponent) AS total,
               stock.money_text(s.returned_total, t.currency_exponent) AS returned_total,
               stock.money_text(s.paid, t.currency_exponent) AS paid,
               stock.money_text(s.refunded, t.currency_exponent) AS refunded,
               stock.money_text(s.due, t.currency_exponent) AS due,
               stock.money_text(coalesce(m.change, 0), t.currency_exponent) AS change,
               coalesce(m.payments, '[]') AS payments, s.external_id, s.version
        FROM stock.sale s
        JOIN stock.tenant t ON t.id = s.tenant_id
        LEFT JOIN LATERAL (
            SELECT sum(p.change) FILTER (WHERE p.sale_id = s.id) AS change,
                   json_agg((SELECT row_to_json(b) FROM (
                       SELECT p.id, p.direction, p.method, stock.money_text(a.amount, t.currency_exponent) AS amount,
                              stock.money_text(p.tendered, t.currency_exponent) AS tendered,
                              stock.money_text(p.change, t.currency_exponent) AS change, p.status,
                              stock.rfc3339(p.occurred_at) AS occurred_at) b) ORDER BY p.id) AS payments
            FROM stock.payment_allocation a
            JOIN stock.payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id
            WHERE a.tenant_id = s.tenant_id AND a.sale_id = s.id) m ON true
        WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- A sale in a list: without its lines and payments.
CREATE FUNCTION stock.sale_summary(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.number, s.status, s.register_id, s.customer_id, s.user_id, s.note,
               stock.rfc3339(s.occurred_at) AS occurred_at, stock.rfc3339(s.recorded_at) AS recorded_at,
               s.business_day,
               stock.money_text(s.subtotal, t.currency_exponent) AS subtotal,
               stock.money_text(s.discount, t.currency_exponent) AS discount,
               stock.money_text(s.tax, t.currency_exponent) AS tax,
               stock.money_text(s.total, t.currency_exponent) AS total,
               stock.money_text(s.returned_total, t.currency_exponent) AS returned_total,
               stock.money_text(s.paid, t.currency_exponent) AS paid,
               stock.money_text(s.refunded, t.currency_exponent) AS refunded,
               stock.money_text(s.due, t.currency_exponent) AS due, s.external_id, s.version
        FROM stock.sale s JOIN stock.tenant t ON t.id = s.tenant_id
        WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

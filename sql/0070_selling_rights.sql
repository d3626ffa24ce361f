-- How far below the list price managers and cashiers may sell, in percent; NULL is without limit. Owners have none.
ALTER TABLE stock.tenant
    ADD COLUMN manager_discount_limit numeric(5,2) CHECK (manager_discount_limit BETWEEN 0 AND 100),
    ADD COLUMN cashier_discount_limit numeric(5,2) DEFAULT 0 CHECK (cashier_discount_limit BETWEEN 0 AND 100);

-- With the limits, and without what nothing works by yet: `on_price_change` and `returns_without_sale`.
CREATE OR REPLACE FUNCTION stock.tenant_body(p_tenant bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT t.id, t.slug, t.name, t.status, t.currency, t.timezone, t.locale, t.prices_include_tax, t.oversell,
               stock.quantity_text(t.manager_discount_limit) AS manager_discount_limit,
               stock.quantity_text(t.cashier_discount_limit) AS cashier_discount_limit, t.closed_until, t.version,
               stock.rfc3339(t.created_at) AS created_at, stock.rfc3339(t.updated_at) AS updated_at
        FROM stock.tenant t WHERE t.id = p_tenant
    ) r;
    RETURN v_body;
END
$$;

-- Without the scope `imports:write`, which older keys may carry and nothing asks for.
CREATE OR REPLACE FUNCTION stock.api_key_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT k.id, k.name, array_remove(k.scopes, 'imports:write') AS scopes,
               stock.rfc3339(k.expires_at) AS expires_at, stock.rfc3339(k.revoked_at) AS revoked_at,
               stock.rfc3339(k.last_used_at) AS last_used_at, k.version, stock.rfc3339(k.created_at) AS created_at
        FROM stock.api_key k WHERE k.tenant_id = p_tenant AND k.id = p_id
    ) r;
    RETURN v_body;
END
$$;

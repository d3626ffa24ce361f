-- How a shop's scales write what they weigh into barcodes that begin with 20 to 29.

CREATE TABLE stock.scale_code (
    tenant_id     bigint NOT NULL REFERENCES stock.tenant (id),
    id            uuid NOT NULL,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key      text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    prefix        text NOT NULL CHECK (prefix ~ '^2[0-9]$'),
    item_digits   smallint NOT NULL CHECK (item_digits BETWEEN 1 AND 9),
    value_digits  smallint NOT NULL CHECK (value_digits BETWEEN 1 AND 9),
    measure       text NOT NULL CHECK (measure IN ('weight', 'price')),
    decimals      smallint NOT NULL CHECK (decimals BETWEEN 0 AND 6),
    active        boolean NOT NULL DEFAULT true,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    -- Twelve digits are in front of the check digit, two of them the prefix.
    CONSTRAINT scale_code_digits CHECK (item_digits + value_digits <= 10 AND decimals <= value_digits)
);
ALTER TABLE stock.scale_code ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX scale_code_name_idx ON stock.scale_code (tenant_id, name_key, id) WHERE name_key IS NOT NULL;
CREATE UNIQUE INDEX scale_code_prefix_idx ON stock.scale_code (tenant_id, prefix) WHERE prefix IS NOT NULL;
CALL stock.secure_table('stock.scale_code', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.scale_code', 'cache_touch', 'settings');
CALL stock.audit_table('stock.scale_code', 'scale code');

CREATE FUNCTION stock.scale_code_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.name, s.prefix, s.item_digits, s.value_digits, s.measure, s.decimals, s.active, s.version,
               stock.rfc3339(s.created_at) AS created_at, stock.rfc3339(s.updated_at) AS updated_at
        FROM stock.scale_code s WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- Refuses digits that no EAN-13 has room for, and more decimals than digits, or than the currency has; what is NULL stays.
-- as it is.
CREATE FUNCTION stock.check_scale_code(p_id uuid, p_items smallint, p_values smallint, p_measure text, p_decimals smallint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_code     stock.scale_code;
    v_exponent smallint;
BEGIN
    SELECT s.* INTO v_code FROM stock.scale_code s WHERE s.tenant_id = stock.current_tenant() AND s.id = p_id;
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = stock.current_tenant();
    v_code.value_digits := coalesce(p_values, v_code.value_digits);
    v_code.decimals := coalesce(p_decimals, v_code.decimals);
    IF coalesce(p_items, v_code.item_digits) + v_code.value_digits > 10 THEN
        PERFORM stock.refuse_field('conflict', '/value_digits',
                                   'Article and figure have at most ten digits together.');
    ELSIF v_code.decimals > v_code.value_digits
        OR coalesce(p_measure, v_code.measure) = 'price' AND v_code.decimals > v_exponent THEN
        PERFORM stock.refuse_field('conflict', '/decimals',
                                   'The figure has no more decimals than digits, and a price no more than the currency.');
    END IF;
END
$$;

-- What codes say besides what has them as they are: products that are found by the first of these that is in the catalogue; of
-- the others, if p_code is not.
CREATE FUNCTION stock.goods_scanned(p_code text, p_others text[]) RETURNS TABLE (product_id uuid, packaging_id uuid)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT g.product_id, g.packaging_id FROM stock.goods_of_code(p_code) g;
    IF NOT FOUND THEN
        RETURN QUERY SELECT DISTINCT g.product_id, g.packaging_id
                     FROM unnest(p_others) AS o (code), LATERAL stock.goods_of_code(o.code) g;
    END IF;
END
$$;

-- A product as a code names it: its body, and what one such code stands for.
CREATE FUNCTION stock.scanned_body(
    p_tenant bigint, p_product uuid, p_packaging uuid, p_quantity numeric, p_amount numeric, p_lot text, p_expires_on date
) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_scanned json;
BEGIN
    SELECT row_to_json(r) INTO v_scanned FROM (
        SELECT k.id AS packaging_id, k.name AS packaging, stock.quantity_text(coalesce(k.factor, 1)) AS factor,
               stock.price_text(coalesce(k.price, round(p.price * coalesce(k.factor, 1), 6)), t.currency_exponent) AS price,
               stock.quantity_text(p_quantity) AS quantity, stock.money_text(p_amount, t.currency_exponent) AS amount,
               p_lot AS lot, p_expires_on AS expires_on
        FROM stock.product p
        JOIN stock.tenant t ON t.id = p.tenant_id
        LEFT JOIN stock.packaging k ON k.tenant_id = p.tenant_id AND k.product_id = p.id AND k.id = p_packaging
        WHERE p.tenant_id = p_tenant AND p.id = p_product
    ) r;
    RETURN left(stock.product_body(p_tenant, p_product), -1) || ',"scanned":' || v_scanned || '}';
END
$$;
DROP FUNCTION stock.scanned_body(bigint, uuid, uuid);

-- What a code names, as a page of products; refuses a code that is in no catalogue and says nothing that can be sold by (p_fault).
CREATE FUNCTION stock.scanned_page(
    p_code text, p_others text[], p_quantity numeric, p_amount numeric, p_lot text, p_expires_on date, p_fault text
) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_data   text;
    v_as_is  boolean := EXISTS (SELECT FROM stock.goods_of_code(p_code));
BEGIN
    IF NOT v_as_is AND p_fault IS NOT NULL THEN
        PERFORM stock.refuse_field('format', '/code', p_fault);
    END IF;
    SELECT string_agg(stock.scanned_body(v_tenant, p.id, g.packaging_id, CASE WHEN NOT v_as_is THEN p_quantity END,
                                         CASE WHEN NOT v_as_is THEN p_amount END, CASE WHEN NOT v_as_is THEN p_lot END,
                                         CASE WHEN NOT v_as_is THEN p_expires_on END), ','
                      ORDER BY p.status, p.name_key, p.id, g.packaging_id NULLS FIRST)
    INTO v_data
    FROM stock.goods_scanned(p_code, p_others) g,
         LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = g.product_id OFFSET 0) p;
    RETURN stock.list_body(v_data, NULL);
END
$$;

-- The goods that lines of a document name by a packaging or a code: each that may be meant, in the order of the rows, so that
-- a row may come to several, or to none. p_others: the codes that a code stands for, one after the other, each with its row (p_rows).
CREATE FUNCTION stock.goods_meant(p_packagings uuid[], p_codes text[], p_others text[], p_rows integer[])
RETURNS TABLE (place integer, as_is boolean, product_id uuid, version bigint, price numeric, decimals smallint, sku text,
               name text, active boolean, packaging_id uuid, packaging text, factor numeric, packaging_price numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN QUERY
    SELECT w.place::integer, g.as_is, p.id, p.version, p.price, u.decimals, p.sku, p.name, p.status = 'active', k.id, k.name,
           k.factor, k.price
    FROM unnest(p_packagings, p_codes) WITH ORDINALITY AS w (packaging_id, code, place)
    CROSS JOIN LATERAL (
        SELECT true AS as_is, o.product_id, o.id AS packaging_id FROM stock.packaging o
        WHERE o.tenant_id = v_tenant AND o.id = w.packaging_id
        UNION ALL
        SELECT EXISTS (SELECT FROM stock.goods_of_code(w.code)), s.product_id, s.packaging_id
        FROM stock.goods_scanned(w.code, ARRAY(SELECT o.code FROM unnest(p_others, p_rows) AS o (code, row)
                                               WHERE o.row = w.place)) s
        WHERE w.code IS NOT NULL
        OFFSET 0) g
    CROSS JOIN LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = g.product_id OFFSET 0) p
    CROSS JOIN LATERAL (SELECT o.decimals FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u
    LEFT JOIN LATERAL (SELECT o.* FROM stock.packaging o
                       WHERE o.tenant_id = v_tenant AND o.product_id = p.id AND o.id = g.packaging_id OFFSET 0) k ON true
    ORDER BY w.place, p.status, p.name_key, p.id, k.factor;
END
$$;

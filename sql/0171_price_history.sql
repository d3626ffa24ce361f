-- What prices and costs were: a row for each change, written by triggers, never changed. A price is changed by a person or a
-- file, a cost by what moves the average, which a sale does not.

CREATE TABLE stock.price_history (
    tenant_id   bigint NOT NULL,
    product_id  uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('price', 'cost')),
    id          uuid NOT NULL,
    -- What the packaging was called whose price it is; NULL: of the product itself.
    packaging   text,
    -- NULL: what its units cost.
    old_value   numeric(18,6),
    new_value   numeric(18,6),
    user_id     uuid,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, product_id, kind, id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE stock.price_history ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.price_history', 'SELECT, INSERT');
CALL stock.watch_table('stock.price_history', 'cache_touch', 'products');

-- Writes down a price or a cost that has changed.
CREATE FUNCTION stock.price_noted(
    p_tenant bigint, p_product uuid, p_kind text, p_packaging text, p_old numeric, p_new numeric
) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO stock.price_history (tenant_id, product_id, kind, id, packaging, old_value, new_value, user_id)
    SELECT p_tenant, p_product, p_kind, stock.new_id(), p_packaging, p_old, p_new,
           CASE a.actor ->> 'type' WHEN 'user' THEN (a.actor ->> 'id')::uuid END
    FROM (SELECT NULLIF(current_setting('stock.actor', true), '')::json AS actor) a
$$;

-- One of each table, as each has other columns.
CREATE FUNCTION stock.product_priced() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.price_noted(NEW.tenant_id, NEW.id, 'price', NULL, OLD.price, NEW.price);
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.packaging_priced() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.price_noted(NEW.tenant_id, NEW.product_id, 'price', NEW.name, OLD.price, NEW.price);
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.level_costed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.price_noted(NEW.tenant_id, NEW.product_id, 'cost', NULL, OLD.cost, NEW.cost);
    RETURN NULL;
END
$$;
CREATE TRIGGER priced AFTER UPDATE OF price ON stock.product
    FOR EACH ROW WHEN (OLD.price <> NEW.price) EXECUTE FUNCTION stock.product_priced();
CREATE TRIGGER priced AFTER UPDATE OF price ON stock.packaging
    FOR EACH ROW WHEN (OLD.price IS DISTINCT FROM NEW.price) EXECUTE FUNCTION stock.packaging_priced();
-- Whatever moves goods sets the cost, most often to what it was: the comparison is all that this costs a sale.
CREATE TRIGGER costed AFTER UPDATE OF cost ON stock.stock_level
    FOR EACH ROW WHEN (OLD.cost <> NEW.cost) EXECUTE FUNCTION stock.level_costed();

-- The changes of a product's price, of its cost, or of both (p_kind NULL), the last first, before the one of p_before.
CREATE FUNCTION stock.price_page(p_product uuid, p_kind text, p_before uuid, p_count integer)
RETURNS TABLE (id uuid, changed_at timestamptz, body text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_before   uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    v_exponent integer;
BEGIN
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;
    RETURN QUERY
    SELECT h.id, h.changed_at, row_to_json(r)::text
    FROM unnest(CASE WHEN p_kind IS NULL THEN '{price,cost}' ELSE ARRAY[p_kind] END) AS k (kind)
    CROSS JOIN LATERAL (
        SELECT o.* FROM stock.price_history o
        WHERE o.tenant_id = v_tenant AND o.product_id = p_product AND o.kind = k.kind AND o.id < v_before
        ORDER BY o.id DESC LIMIT p_count) h,
    LATERAL (SELECT h.id, h.kind, h.packaging, stock.price_text(h.old_value, v_exponent) AS old,
                    stock.price_text(h.new_value, v_exponent) AS new, h.user_id,
                    stock.rfc3339(h.changed_at) AS changed_at) r
    ORDER BY h.id DESC LIMIT p_count;
END
$$;

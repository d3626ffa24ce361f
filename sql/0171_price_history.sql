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

-- A price or cost that has changed. TG_ARGV: which of both.
CREATE FUNCTION stock.price_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_actor json := NULLIF(current_setting('stock.actor', true), '')::json;
    v_row   stock.price_history;
BEGIN
    v_row.tenant_id := NEW.tenant_id;
    v_row.kind := TG_ARGV[0];
    v_row.id := stock.new_id();
    v_row.user_id := CASE v_actor ->> 'type' WHEN 'user' THEN (v_actor ->> 'id')::uuid END;
    v_row.changed_at := now();
    IF TG_TABLE_NAME = 'packaging' THEN
        v_row.product_id := NEW.product_id;
        v_row.packaging := NEW.name;
        v_row.old_value := OLD.price;
        v_row.new_value := NEW.price;
    ELSIF TG_TABLE_NAME = 'product' THEN
        v_row.product_id := NEW.id;
        v_row.old_value := OLD.price;
        v_row.new_value := NEW.price;
    ELSE
        v_row.product_id := NEW.product_id;
        v_row.old_value := OLD.cost;
        v_row.new_value := NEW.cost;
    END IF;
    INSERT INTO stock.price_history SELECT v_row.*;
    RETURN NULL;
END
$$;
CREATE TRIGGER priced AFTER UPDATE OF price ON stock.product
    FOR EACH ROW WHEN (OLD.price <> NEW.price) EXECUTE FUNCTION stock.price_changed('price');
CREATE TRIGGER priced AFTER UPDATE OF price ON stock.packaging
    FOR EACH ROW WHEN (OLD.price IS DISTINCT FROM NEW.price) EXECUTE FUNCTION stock.price_changed('price');
-- Whatever moves goods sets the cost, most often to what it was: the comparison is all that this costs a sale.
CREATE TRIGGER costed AFTER UPDATE OF cost ON stock.stock_level
    FOR EACH ROW WHEN (OLD.cost <> NEW.cost) EXECUTE FUNCTION stock.price_changed('cost');

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

-- Products of a file or of a batch are found by the id that they have here, too, as exports name those without a SKU and an `external_id`
-- by it. An `external_id` goes before, then the id, then the SKU.
CALL stock.amend('check_products', $$    v_keys     text[] := ARRAY(SELECT stock.folded(w.sku) FROM unnest(p_skus) WITH ORDINALITY AS w (sku, n) ORDER BY w.n);
$$, $$    v_keys     text[] := ARRAY(SELECT stock.folded(w.sku) FROM unnest(p_skus) WITH ORDINALITY AS w (sku, n) ORDER BY w.n);
    v_own      uuid[] := ARRAY(SELECT CASE WHEN w.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN w.id::uuid END
                               FROM unnest(p_external_ids) WITH ORDINALITY AS w (id, n) ORDER BY w.n);
$$);
CALL stock.amend('check_products', $$p_tracked, p_min_stocks, p_groups)
            WITH ORDINALITY AS w (sku, key, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock,
                                  min_stock, tax_group_id, place)$$, $$p_tracked, p_min_stocks, p_groups, v_own)
            WITH ORDINALITY AS w (sku, key, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock,
                                  min_stock, tax_group_id, own_id, place)$$);
CALL stock.amend('check_products', $$               (SELECT e.id FROM stock.product e
                WHERE e.tenant_id = v_tenant AND e.external_id = w.external_id) AS by_external,
$$, $$               coalesce((SELECT e.id FROM stock.product e
                         WHERE e.tenant_id = v_tenant AND e.external_id = w.external_id),
                        (SELECT o.id FROM stock.product o
                         WHERE o.tenant_id = v_tenant AND o.id = w.own_id)) AS by_external,
$$);
CALL stock.amend('write_products', $$    -- As where one product is written: a code$$, $$    -- One that is named by the id that it has here keeps the external id that it has, or has none.
    IF EXISTS (SELECT FROM unnest(v_products, p_external_ids) AS w (id, external_id) WHERE w.id::text = w.external_id) THEN
        p_external_ids := ARRAY(
            SELECT CASE WHEN w.id::text IS DISTINCT FROM w.external_id THEN w.external_id END
            FROM unnest(v_products, p_external_ids) WITH ORDINALITY AS w (id, external_id, n) ORDER BY w.n);
    END IF;
    -- As where one product is written: a code$$);

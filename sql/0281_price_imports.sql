-- Files of prices: a row names a product, perhaps one of its packagings, and what it is sold for.

-- The product that each row names by `external_id`, which may be the id that it has here, else by `sku`; NULL for one that is not
-- there. Keys are made before rows are looked up: row-level security lets no function of text be asked in an index.
CREATE FUNCTION stock.import_goods(p_rows json[]) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN ARRAY(
        SELECT p.id
        FROM (SELECT r.place, r.named ->> 'external_id' AS external_id,
                     CASE WHEN r.named ->> 'external_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                          THEN (r.named ->> 'external_id')::uuid END AS id,
                     stock.folded(r.named ->> 'sku') AS sku_key
              FROM unnest(p_rows) WITH ORDINALITY AS r (named, place) OFFSET 0) w
        LEFT JOIN LATERAL (
            SELECT a.id FROM (
                SELECT b.id, 1 AS rank FROM stock.product b WHERE b.tenant_id = v_tenant AND b.external_id = w.external_id
                UNION ALL
                SELECT b.id, 2 FROM stock.product b WHERE b.tenant_id = v_tenant AND b.id = w.id
                UNION ALL
                SELECT b.id, 3 FROM stock.product b WHERE b.tenant_id = v_tenant AND b.sku_key = w.sku_key
            ) a ORDER BY a.rank LIMIT 1
        ) p ON true
        ORDER BY w.place);
END
$$;

-- The open location of each name, the one that there is alone for a NULL, and NULL for what is none.
CREATE FUNCTION stock.import_places(p_names text[]) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_only   uuid := stock.only_location();
BEGIN
    RETURN ARRAY(
        SELECT CASE WHEN w.key IS NULL THEN v_only ELSE g.id END
        FROM (SELECT n.place, stock.folded(n.name) AS key FROM unnest(p_names) WITH ORDINALITY AS n (name, place) OFFSET 0) w
        LEFT JOIN LATERAL (
            SELECT b.id FROM stock.location b
            WHERE b.tenant_id = v_tenant AND b.name_key = w.key AND b.active AND b.kind <> 'transit'
        ) g ON true
        ORDER BY w.place);
END
$$;

-- Levels find what their rows name as all others do.
CALL stock.amend('import_levels', $$    v_only      uuid := stock.only_location();
$$, '');
CALL stock.amend('import_levels', $$    SELECT array_agg(p.id ORDER BY w.place), array_agg(CASE WHEN w.location IS NULL THEN v_only ELSE g.id END ORDER BY w.place)
    INTO v_products, v_locations
    FROM (SELECT r.place, r.named ->> 'external_id' AS external_id,
                 CASE WHEN r.named ->> 'external_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                      THEN (r.named ->> 'external_id')::uuid END AS id,
                 stock.folded(r.named ->> 'sku') AS sku_key, r.named ->> 'location' AS location,
                 stock.folded(r.named ->> 'location') AS location_key
          FROM unnest(p_rows) WITH ORDINALITY AS r (named, place) OFFSET 0) w
    LEFT JOIN LATERAL (
        SELECT a.id FROM (
            SELECT b.id, 1 AS rank FROM stock.product b WHERE b.tenant_id = v_tenant AND b.external_id = w.external_id
            UNION ALL
            SELECT b.id, 2 FROM stock.product b WHERE b.tenant_id = v_tenant AND b.id = w.id
            UNION ALL
            SELECT b.id, 3 FROM stock.product b WHERE b.tenant_id = v_tenant AND b.sku_key = w.sku_key
        ) a ORDER BY a.rank LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT b.id FROM stock.location b
        WHERE b.tenant_id = v_tenant AND b.name_key = w.location_key AND b.active AND b.kind <> 'transit'
    ) g ON true;
$$, $$    v_products := stock.import_goods(p_rows);
    v_locations := stock.import_places(ARRAY(
        SELECT r.named ->> 'location' FROM unnest(p_rows) WITH ORDINALITY AS r (named, place) ORDER BY r.place));
$$);

-- Gives products, and those of their packagings that rows name, the prices that their rows say; the history of prices is written by
-- what watches them. A price that is so already is left alone. A row that can not be applied is answered with its errors, and the
-- others go in.
CREATE FUNCTION stock.import_prices(p_rows json[])
RETURNS TABLE (place integer, outcome text, errors json)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant     bigint := stock.current_tenant();
    v_products   uuid[];
    v_packagings uuid[];
    v_prices     numeric[];
    v_changes    boolean[];
    v_errors     json[];
BEGIN
    -- As batches of products, files of prices follow each other.
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.products', v_tenant));
    v_products := stock.import_goods(p_rows);
    -- Nobody changes them between the question what they cost and the answer.
    PERFORM FROM stock.product p WHERE p.tenant_id = v_tenant AND p.id = ANY (v_products) ORDER BY p.id FOR NO KEY UPDATE;

    SELECT array_agg(k.id ORDER BY w.place), array_agg(w.price ORDER BY w.place),
           array_agg(e.errors IS NULL AND w.price IS DISTINCT FROM CASE WHEN w.packaging IS NULL THEN p.price ELSE k.price END
                     ORDER BY w.place),
           array_agg(e.errors ORDER BY w.place)
    INTO v_packagings, v_prices, v_changes, v_errors
    FROM (SELECT n.*, row_number() OVER (PARTITION BY n.product_id, n.packaging ORDER BY n.place) AS copy
          FROM (SELECT r.place, r.product_id, stock.folded(r.named ->> 'packaging') AS packaging,
                       (r.named ->> 'price')::numeric AS price
                FROM unnest(p_rows, v_products) WITH ORDINALITY AS r (named, product_id, place) OFFSET 0) n) w
    LEFT JOIN LATERAL (
        SELECT o.price FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = w.product_id OFFSET 0) p ON true
    LEFT JOIN LATERAL (
        SELECT o.id, o.price FROM stock.packaging o
        WHERE o.tenant_id = v_tenant AND o.product_id = w.product_id AND o.name_key = w.packaging OFFSET 0) k ON true,
    LATERAL (
        SELECT json_agg(json_build_object('pointer', v.field, 'code', v.code, 'detail', v.sentence)) AS errors
        FROM (VALUES
            (w.product_id IS NULL, '/sku', 'not_found', 'There is no such product.'),
            (w.product_id IS NOT NULL AND w.packaging IS NOT NULL AND k.id IS NULL, '/packaging', 'not_found',
             'The product has no such packaging.'),
            (w.product_id IS NOT NULL AND w.copy > 1, '', 'duplicate', 'An earlier row says this price.')
        ) AS v (holds, field, code, sentence)
        WHERE v.holds
    ) e;

    UPDATE stock.packaging k SET price = n.price
    FROM unnest(v_products, v_packagings, v_prices, v_changes) AS n (product_id, packaging_id, price, changes)
    WHERE k.tenant_id = v_tenant AND k.id = n.packaging_id AND k.product_id = n.product_id AND n.changes;
    -- A packaging is changed with its product, under its version, which is what whoever sells compares.
    UPDATE stock.product p SET price = coalesce(w.price, p.price), version = p.version + 1, updated_at = now()
    FROM (SELECT n.product_id, min(n.price) FILTER (WHERE n.packaging_id IS NULL) AS price
          FROM unnest(v_products, v_packagings, v_prices, v_changes) AS n (product_id, packaging_id, price, changes)
          WHERE n.changes GROUP BY n.product_id) w
    WHERE p.tenant_id = v_tenant AND p.id = w.product_id;

    RETURN QUERY
    SELECT (w.place - 1)::integer,
           CASE WHEN w.errors IS NOT NULL THEN 'refused' WHEN w.changes THEN 'updated' ELSE 'unchanged' END, w.errors
    FROM unnest(v_changes, v_errors) WITH ORDINALITY AS w (changes, errors, place);
END
$$;

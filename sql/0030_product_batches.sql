-- Batches of products, by HTTP and from files. A batch is taken as columns and worked through set by set: every product is
-- looked up by a key of its own, no row is held against the other rows, and what a batch costs does not depend on what
-- the statistics say or on how many products there are.

-- Whether a document or a movement names the product, which fixes its unit and whether its stock is counted.
CREATE FUNCTION stock.product_is_named(p_product uuid) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN EXISTS (SELECT FROM stock.stock_movement m WHERE m.tenant_id = v_tenant AND m.product_id = p_product)
        OR EXISTS (SELECT FROM stock.sale_line l WHERE l.tenant_id = v_tenant AND l.product_id = p_product)
        OR EXISTS (SELECT FROM stock.sale_return_line r WHERE r.tenant_id = v_tenant AND r.product_id = p_product);
END
$$;

-- Finds the products that the rows of a batch name and all that keeps a row from being applied: for each row the product,
-- NULL for a new one, and its errors as a JSON array with pointers inside the row, NULL if there are none. Planned anew for
-- each batch, so that the plan is one for the tables as they are.
CREATE FUNCTION stock.check_products(
    p_skus text[], p_external_ids text[], p_names text[], p_categories uuid[], p_units uuid[], p_prices numeric[],
    p_tax_rates numeric[], p_tracked boolean[], p_min_stocks numeric[], OUT products uuid[], OUT errors json[]
)
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_unit     uuid;
    -- Made before the look-up, as all that follows: under row-level security an index serves comparisons with plain columns
    -- only; an expression, were it but coalesce(), might leak.
    v_keys     text[] := ARRAY(SELECT stock.folded(w.sku) FROM unnest(p_skus) WITH ORDINALITY AS w (sku, n) ORDER BY w.n);
BEGIN
    SELECT u.id INTO v_unit FROM stock.unit u WHERE u.tenant_id = v_tenant ORDER BY u.created_at, u.id LIMIT 1;
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest(p_skus, v_keys, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates,
                             p_tracked, p_min_stocks)
            WITH ORDINALITY AS w (sku, key, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock,
                                  min_stock, place)
    ), named AS MATERIALIZED (
        SELECT w.*,
               (SELECT e.id FROM stock.product e
                WHERE e.tenant_id = v_tenant AND e.external_id = w.external_id) AS by_external,
               (SELECT s.id FROM stock.product s WHERE s.tenant_id = v_tenant AND s.sku_key = w.key) AS by_sku
        FROM wanted w
    ), found AS MATERIALIZED (
        SELECT n.*, coalesce(n.by_external, n.by_sku) AS found_id FROM named n
    ), known AS MATERIALIZED (
        SELECT f.*, o.id AS product_id, o.unit_id AS old_unit, o.tracks_stock AS old_tracks, o.min_stock AS old_min_stock,
               coalesce(f.unit_id, o.unit_id, v_unit) AS new_unit
        FROM found f
        LEFT JOIN LATERAL (
            SELECT p.id, p.unit_id, p.tracks_stock, p.min_stock
            FROM stock.product p
            WHERE p.tenant_id = v_tenant AND p.id = f.found_id
            OFFSET 0
        ) o ON true
    ), placed AS MATERIALIZED (
        SELECT k.*,
               (SELECT u.decimals FROM stock.unit u WHERE u.tenant_id = v_tenant AND u.id = k.new_unit) AS decimals,
               k.category_id IS NULL OR EXISTS (
                   SELECT FROM stock.category c WHERE c.tenant_id = v_tenant AND c.id = k.category_id) AS has_category,
               k.key IS NOT NULL AND row_number() OVER (PARTITION BY k.key ORDER BY k.place) > 1
               OR k.external_id IS NOT NULL AND row_number() OVER (PARTITION BY k.external_id ORDER BY k.place) > 1
               OR k.product_id IS NOT NULL AND row_number() OVER (PARTITION BY k.product_id ORDER BY k.place) > 1
                   AS is_twin,
               CASE WHEN k.unit_id <> k.old_unit OR k.tracks_stock <> k.old_tracks
                    THEN stock.product_is_named(k.product_id) ELSE false END AS is_fixed
        FROM known k
    ), judged AS MATERIALIZED (
        SELECT p.*, p.product_id IS NULL AND p.name IS NULL AS lacks_name,
               p.product_id IS NULL AND p.price IS NULL AS lacks_price,
               p.decimals IS NULL AS lacks_unit, p.by_external <> p.by_sku AS has_others_sku,
               min_scale(coalesce(p.min_stock, p.old_min_stock)) > p.decimals AS is_too_fine,
               p.price >= 1000000000000 AS has_large_price, p.tax_rate >= 1000 AS has_large_rate,
               p.min_stock >= 1000000000000 AS has_large_stock
        FROM placed p
    )
    SELECT array_agg(p.product_id ORDER BY p.place),
           -- Most rows are fine: only for others a list is made.
           array_agg(CASE WHEN p.lacks_name OR p.lacks_price OR p.lacks_unit OR p.has_others_sku OR p.is_too_fine
                               OR p.has_large_price OR p.has_large_rate OR p.has_large_stock OR NOT p.has_category
                               OR p.is_twin OR p.is_fixed THEN (
               SELECT json_agg(json_build_object('pointer', v.field, 'code', v.code, 'detail', v.sentence) ORDER BY v.n)
               FROM (VALUES
                   (1, p.lacks_name, '/name', 'required', 'A new product needs a name.'),
                   (2, p.lacks_price, '/price', 'required', 'A new product needs a price.'),
                   (3, p.has_large_price, '/price', 'out_of_range', 'Must be below 1000000000000.'),
                   (4, p.has_large_rate, '/tax_rate', 'out_of_range', 'Must be below 1000.'),
                   (5, p.has_large_stock, '/min_stock', 'out_of_range', 'Must be below 1000000000000.'),
                   (6, p.lacks_unit, '/unit_id', 'not_found', 'There is no such unit.'),
                   (7, NOT p.has_category, '/category_id', 'not_found', 'There is no such category.'),
                   (8, p.is_too_fine, '/min_stock', 'quantity_precision',
                    format('The unit allows %s decimals.', p.decimals)),
                   (9, p.has_others_sku, '/sku', 'duplicate', 'Another product has this SKU.'),
                   (10, p.is_twin, '', 'duplicate', 'The product is named twice.'),
                   (11, p.is_fixed AND p.unit_id <> p.old_unit, '/unit_id', 'invalid_state',
                    'A document names the product: its unit is fixed.'),
                   (12, p.is_fixed AND p.tracks_stock <> p.old_tracks, '/tracks_stock', 'invalid_state',
                    'A document names the product: whether it tracks stock is fixed.')
               ) AS v (n, holds, field, code, sentence)
               WHERE v.holds
           ) END ORDER BY p.place)
    INTO products, errors
    FROM judged p;
END
$$;

-- The barcodes of a JSON array of texts, each once.
CREATE FUNCTION stock.barcode_set(p_barcodes text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ARRAY(SELECT DISTINCT normalize(c.code, NFC) FROM jsonb_array_elements_text(p_barcodes::jsonb) AS c (code));

-- Makes and changes the products of a batch. A row is found by its external id, else by its SKU, and makes a product if
-- neither is there; what is NULL keeps its value or takes the default. p_barcodes: a JSON array of texts for each row, NULL
-- keeps those that are there. Rows that can not be applied refuse the whole batch with all their errors; with p_skips they
-- are left out and answered with their errors. An unchanged row writes nothing.
--
-- Batches of a tenant follow each other, so that two of the same products neither meet as duplicates nor wait for each
-- other in opposite orders. Whoever makes one of the products alone meanwhile makes the batch worth repeating.
CREATE FUNCTION stock.upsert_products(
    p_ids uuid[], p_skus text[], p_external_ids text[], p_names text[], p_categories uuid[], p_units uuid[],
    p_prices numeric[], p_tax_rates numeric[], p_tracked boolean[], p_oversell text[], p_min_stocks numeric[],
    p_statuses text[], p_barcodes text[], p_skips boolean
)
RETURNS TABLE (place integer, outcome text, id uuid, sku text, external_id text, version bigint, errors json)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
#variable_conflict use_column
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_unit     uuid;
    v_products uuid[];
    v_errors   json[];
    v_targets  uuid[];
    -- Products whose barcodes changed, and all that were written.
    v_touched  uuid[];
    v_written  uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.products', v_tenant));
    SELECT c.products, c.errors INTO v_products, v_errors
    FROM stock.check_products(p_skus, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates, p_tracked,
                              p_min_stocks) c;
    IF NOT p_skips THEN
        PERFORM stock.refuse('validation_failed', 'Some products can not be applied.',
                             json_agg(json_build_object('pointer', '/products/' || (w.n - 1) || (e.error ->> 'pointer'),
                                                        'code', e.error -> 'code', 'detail', e.error -> 'detail')
                                      ORDER BY w.n))
        FROM unnest(v_errors) WITH ORDINALITY AS w (errors, n), json_array_elements(w.errors) AS e (error)
        HAVING count(*) > 0;
    END IF;
    SELECT u.id INTO v_unit FROM stock.unit u WHERE u.tenant_id = v_tenant ORDER BY u.created_at, u.id LIMIT 1;
    -- The product of each row: found, new, or NULL for a row that is left out.
    v_targets := ARRAY(
        SELECT CASE WHEN w.errors IS NULL THEN coalesce(w.product_id, w.id) END
        FROM unnest(p_ids, v_products, v_errors) WITH ORDINALITY AS w (id, product_id, errors, n) ORDER BY w.n);

    -- Barcodes of the known products whose rows name them become exactly these; found by place, as nothing moves them.
    EXECUTE $sql$
        WITH wanted AS MATERIALIZED (
            SELECT w.target, stock.barcode_set(w.barcodes) AS codes
            FROM unnest($2, $3, $4) AS w (target, product_id, barcodes)
            WHERE w.target = w.product_id AND w.barcodes IS NOT NULL
        ), gone AS (
            DELETE FROM stock.product_barcode b
            WHERE b.ctid = ANY (ARRAY(
                SELECT o.place FROM wanted w, LATERAL (
                    SELECT x.ctid AS place FROM stock.product_barcode x
                    WHERE x.tenant_id = $1 AND x.product_id = w.target AND NOT x.code = ANY (w.codes) OFFSET 0) o))
              AND b.tenant_id = $1
            RETURNING b.product_id
        ), added AS (
            INSERT INTO stock.product_barcode (tenant_id, product_id, code)
            SELECT $1, w.target, c.code FROM wanted w, unnest(w.codes) AS c (code)
            ON CONFLICT DO NOTHING
            RETURNING product_id
        )
        SELECT ARRAY(SELECT g.product_id FROM gone g UNION SELECT a.product_id FROM added a)
    $sql$ INTO v_touched USING v_tenant, v_targets, v_products, p_barcodes;

    -- A row that changes something is locked and looked at again, so that a field it does not name keeps what others may
    -- have written meanwhile; ON CONFLICT finds it by the key's own index, whatever a plan would.
    EXECUTE $sql$
        WITH wanted AS MATERIALIZED (
            SELECT r.target, r.product_id IS NOT NULL AS is_known, normalize(r.sku, NFC) AS sku, r.external_id,
                   normalize(r.name, NFC) AS name, r.category_id, r.unit_id, r.price, r.tax_rate, r.tracks_stock,
                   r.oversell, r.min_stock, r.status
            FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
                AS r (target, product_id, sku, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock,
                      oversell, min_stock, status)
            WHERE r.target IS NOT NULL
        ), changed AS MATERIALIZED (
            SELECT o.*
            FROM (SELECT * FROM wanted k WHERE k.is_known ORDER BY k.target) w, LATERAL (
                SELECT p.id, coalesce(w.sku, p.sku) AS sku, coalesce(w.external_id, p.external_id) AS external_id,
                       coalesce(w.name, p.name) AS name, coalesce(w.category_id, p.category_id) AS category_id,
                       coalesce(w.unit_id, p.unit_id) AS unit_id, coalesce(w.price, p.price) AS price,
                       coalesce(w.tax_rate, p.tax_rate) AS tax_rate,
                       coalesce(w.tracks_stock, p.tracks_stock) AS tracks_stock,
                       coalesce(w.oversell, p.oversell) AS oversell, coalesce(w.min_stock, p.min_stock) AS min_stock,
                       coalesce(w.status, p.status) AS status
                FROM stock.product p
                WHERE p.tenant_id = $1 AND p.id = w.target
                  AND (p.id = ANY ($16)
                       OR (p.sku, p.external_id, p.name, p.category_id, p.unit_id, p.price, p.tax_rate, p.tracks_stock,
                           p.oversell, p.min_stock, p.status)
                          IS DISTINCT FROM
                          (coalesce(w.sku, p.sku), coalesce(w.external_id, p.external_id), coalesce(w.name, p.name),
                           coalesce(w.category_id, p.category_id), coalesce(w.unit_id, p.unit_id),
                           coalesce(w.price, p.price), coalesce(w.tax_rate, p.tax_rate),
                           coalesce(w.tracks_stock, p.tracks_stock), coalesce(w.oversell, p.oversell),
                           coalesce(w.min_stock, p.min_stock), coalesce(w.status, p.status)))
                FOR NO KEY UPDATE
            ) o
        ), written AS (
            INSERT INTO stock.product AS p (tenant_id, id, sku, external_id, name, category_id, unit_id, price, tax_rate,
                                            tracks_stock, oversell, min_stock, status)
            SELECT $1, w.target, w.sku, w.external_id, w.name, w.category_id, coalesce(w.unit_id, $2), w.price,
                   coalesce(w.tax_rate, 0), coalesce(w.tracks_stock, true), coalesce(w.oversell, 'inherit'),
                   coalesce(w.min_stock, 0), coalesce(w.status, 'active')
            FROM wanted w
            WHERE NOT w.is_known
            UNION ALL
            SELECT $1, c.id, c.sku, c.external_id, c.name, c.category_id, c.unit_id, c.price, c.tax_rate, c.tracks_stock,
                   c.oversell, c.min_stock, c.status
            FROM changed c
            ON CONFLICT (tenant_id, id) DO UPDATE
            SET sku = excluded.sku, external_id = excluded.external_id, name = excluded.name,
                category_id = excluded.category_id, unit_id = excluded.unit_id, price = excluded.price,
                tax_rate = excluded.tax_rate, tracks_stock = excluded.tracks_stock, oversell = excluded.oversell,
                min_stock = excluded.min_stock, status = excluded.status, version = p.version + 1, updated_at = now()
            RETURNING p.id
        )
        SELECT ARRAY(SELECT w.id FROM written w)
    $sql$ INTO v_written
    USING v_tenant, v_unit, v_targets, v_products, p_skus, p_external_ids, p_names, p_categories, p_units, p_prices,
          p_tax_rates, p_tracked, p_oversell, p_min_stocks, p_statuses, v_touched;

    INSERT INTO stock.product_barcode (tenant_id, product_id, code)
    SELECT v_tenant, w.id, c.code
    FROM unnest(p_ids, v_targets, p_barcodes) AS w (id, target, barcodes), unnest(stock.barcode_set(w.barcodes)) AS c (code)
    WHERE w.target = w.id;

    RETURN QUERY EXECUTE $sql$
        SELECT (w.n - 1)::integer,
               CASE WHEN w.target IS NULL THEN 'refused' WHEN w.target = w.id THEN 'created'
                    WHEN w.target = ANY ($5) THEN 'updated' ELSE 'unchanged' END,
               o.id, o.sku, o.external_id, o.version, w.errors
        FROM unnest($2, $3, $4) WITH ORDINALITY AS w (id, target, errors, n)
        LEFT JOIN LATERAL (
            SELECT p.id, p.sku, p.external_id, p.version FROM stock.product p
            WHERE p.tenant_id = $1 AND p.id = w.target
            OFFSET 0
        ) o ON true
        ORDER BY w.n
    $sql$ USING v_tenant, p_ids, v_targets, v_errors, v_written;
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
            MESSAGE = 'One of the products was made by somebody else meanwhile.';
END
$$;

-- What follows a change of products, rewritten without joins of the changed rows with each other: a plan that was made for
-- one row compared every changed row with every other.

-- The floor follows the oversell rule, whoever changes it. Every product has a level: ON CONFLICT finds it by its key.
CREATE OR REPLACE FUNCTION stock.product_floored() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO stock.stock_level AS l (tenant_id, product_id, floor)
    SELECT c.tenant_id, c.id,
           CASE WHEN c.tracks_stock AND (c.oversell = 'deny' OR c.oversell = 'inherit' AND t.oversell = 'deny')
                THEN 0 END
    FROM (SELECT n.tenant_id, n.id, n.oversell, n.tracks_stock FROM changed n
          EXCEPT SELECT o.tenant_id, o.id, o.oversell, o.tracks_stock FROM replaced o) c
    JOIN stock.tenant t ON t.id = c.tenant_id
    ORDER BY c.id
    ON CONFLICT (tenant_id, product_id) DO UPDATE
    SET floor = CASE WHEN excluded.floor IS NOT NULL THEN least(0, l.on_hand) END, updated_at = now();
    RETURN NULL;
END
$$;

-- A category's body counts its active products: it is retired when one comes, goes, moves or changes status.
CREATE OR REPLACE FUNCTION stock.cache_touch_product() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module FROM (SELECT DISTINCT c.tenant_id FROM changed c) t, unnest(TG_ARGV) AS m (module)
        WHERE m.module <> 'categories'
        UNION ALL
        SELECT t.tenant_id, m.module
        FROM (SELECT DISTINCT d.tenant_id
              FROM (SELECT c.tenant_id, c.id, c.category_id, c.status FROM changed c
                    EXCEPT SELECT r.tenant_id, r.id, r.category_id, r.status FROM replaced r) d) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module = 'categories'
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    ELSE
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT DISTINCT c.tenant_id FROM changed c) t, unnest(TG_ARGV) AS m (module)
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;

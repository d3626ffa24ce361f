-- Packagings: what a product is handled in beside its unit, as a box of twelve, with barcodes and perhaps a price of their own.
-- They are rows of their product, changed with it and under its version, which is what whoever sells compares. Documents stay
-- in the product's unit: a packaging is how many of it there are.
-- docs/decisions/0047-packagings-and-scanned-codes.md tells why.

CREATE TABLE stock.packaging (
    tenant_id   bigint NOT NULL,
    product_id  uuid NOT NULL,
    id          uuid NOT NULL,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key    text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    -- How many units are in one.
    factor      numeric(18,6) NOT NULL CHECK (factor > 0),
    -- What one costs; NULL: what its units cost.
    price       numeric(18,6) CHECK (price >= 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- By its own id first, by which lines name it.
    PRIMARY KEY (tenant_id, id, product_id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE stock.packaging ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE UNIQUE INDEX packaging_name_key_idx ON stock.packaging (tenant_id, product_id, name_key) WHERE product_id IS NOT NULL;
CALL stock.secure_table('stock.packaging', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.packaging', 'cache_touch', 'products');

-- A barcode is of the product itself, or of one of its packagings. The program before knows barcodes of products alone: where
-- it replaces those of a product, it takes away those of its packagings.
ALTER TABLE stock.product_barcode ADD COLUMN packaging_id uuid;
ALTER TABLE stock.product_barcode
    ADD CONSTRAINT product_barcode_packaging_fkey FOREIGN KEY (tenant_id, packaging_id, product_id)
        REFERENCES stock.packaging (tenant_id, id, product_id) ON DELETE CASCADE;

-- Makes the barcodes of a product, and its packagings with theirs, exactly these; NULL keeps those that it has. A packaging is
-- told by its name, and keeps its id while it has it. p_codes: an array of codes for each packaging, as JSON.
CREATE FUNCTION stock.product_compose(
    p_product uuid, p_barcodes text[], p_names text[], p_factors numeric[], p_prices numeric[], p_codes text
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    -- Made before rows are looked up: row-level security lets no function of text be asked in an index.
    v_keys   text[] := ARRAY(SELECT stock.folded(w.name) FROM unnest(p_names) WITH ORDINALITY AS w (name, n) ORDER BY w.n);
    v_ids    uuid[];
    v_codes  text[];
    v_owners uuid[];
    v_errors json;
BEGIN
    IF p_names IS NOT NULL THEN
        SELECT json_agg(json_build_object('pointer', '/packagings/' || w.n - 1 || v.field, 'code', v.code, 'detail', v.sentence)
                        ORDER BY w.n)
        INTO v_errors
        FROM (SELECT k.*, row_number() OVER (PARTITION BY k.key ORDER BY k.n) AS copy
              FROM unnest(v_keys, p_factors) WITH ORDINALITY AS k (key, factor, n)) w
        CROSS JOIN (SELECT n.decimals
                    FROM (SELECT o.unit_id FROM stock.product o
                          WHERE o.tenant_id = v_tenant AND o.id = p_product OFFSET 0) p,
                    LATERAL (SELECT o.decimals FROM stock.unit o
                             WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) n) u,
        LATERAL (VALUES
            (w.copy > 1, '/name', 'duplicate', 'Another packaging of the product is called so.'),
            (min_scale(w.factor) > u.decimals, '/factor', 'quantity_precision',
             format('The unit allows %s decimals.', u.decimals))
        ) AS v (holds, field, code, sentence)
        WHERE v.holds;
        IF v_errors IS NOT NULL THEN
            PERFORM stock.refuse('validation_failed', 'Some packagings are not valid.', v_errors);
        END IF;
        DELETE FROM stock.packaging k
        WHERE k.tenant_id = v_tenant AND k.product_id = p_product AND NOT k.name_key = ANY (v_keys);
        INSERT INTO stock.packaging AS k (tenant_id, product_id, id, name, factor, price)
        SELECT v_tenant, p_product, w.id, w.name, w.factor, w.price
        FROM unnest(stock.new_ids(cardinality(p_names)), p_names, p_factors, p_prices) AS w (id, name, factor, price)
        ON CONFLICT (tenant_id, product_id, name_key) WHERE product_id IS NOT NULL DO UPDATE
        SET name = excluded.name, factor = excluded.factor, price = excluded.price
        WHERE (k.name, k.factor, k.price) IS DISTINCT FROM (excluded.name, excluded.factor, excluded.price);
        v_ids := ARRAY(
            SELECT k.id FROM unnest(v_keys) WITH ORDINALITY AS w (key, n)
            JOIN stock.packaging k ON k.tenant_id = v_tenant AND k.product_id = p_product AND k.name_key = w.key
            ORDER BY w.n);
    END IF;

    -- All codes that there are to be, each of the product (NULL) or of one of its packagings.
    WITH wanted AS MATERIALIZED (
        SELECT normalize(w.code, NFC) AS code, NULL::uuid AS owner, '/barcodes/' || w.n - 1 AS pointer, w.n AS place
        FROM unnest(p_barcodes) WITH ORDINALITY AS w (code, n)
        UNION ALL
        SELECT normalize(c.code, NFC), v_ids[w.n], '/packagings/' || w.n - 1 || '/barcodes/' || c.n - 1, 1000 * w.n + c.n
        FROM json_array_elements(p_codes::json) WITH ORDINALITY AS w (codes, n),
             json_array_elements_text(w.codes) WITH ORDINALITY AS c (code, n)
        UNION ALL
        SELECT b.code, b.packaging_id, NULL, 0
        FROM stock.product_barcode b
        WHERE b.tenant_id = v_tenant AND b.product_id = p_product
          AND CASE WHEN b.packaging_id IS NULL THEN p_barcodes IS NULL ELSE p_names IS NULL END
    ), told AS (
        SELECT DISTINCT ON (w.code, w.owner) w.*,
               count(*) OVER (PARTITION BY w.code) > count(*) OVER (PARTITION BY w.code, w.owner) AS is_shared
        FROM wanted w ORDER BY w.code, w.owner, w.place
    )
    SELECT array_agg(t.code), array_agg(t.owner),
           json_agg(json_build_object('pointer', t.pointer, 'code', 'duplicate',
                                      'detail', 'A code is of the product, or of one of its packagings.') ORDER BY t.place)
               FILTER (WHERE t.is_shared AND t.pointer IS NOT NULL)
    INTO v_codes, v_owners, v_errors
    FROM told t;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'Some barcodes are not valid.', v_errors);
    END IF;
    DELETE FROM stock.product_barcode b
    WHERE b.tenant_id = v_tenant AND b.product_id = p_product
      AND NOT EXISTS (SELECT FROM unnest(v_codes, v_owners) AS w (code, owner)
                      WHERE w.code = b.code AND w.owner IS NOT DISTINCT FROM b.packaging_id);
    INSERT INTO stock.product_barcode (tenant_id, product_id, code, packaging_id)
    SELECT v_tenant, p_product, w.code, w.owner FROM unnest(v_codes, v_owners) AS w (code, owner)
    ON CONFLICT DO NOTHING;
END
$$;

CREATE OR REPLACE FUNCTION stock.product_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id, p.sku,
               ARRAY(SELECT b.code FROM stock.product_barcode b
                     WHERE b.tenant_id = p.tenant_id AND b.product_id = p.id AND b.packaging_id IS NULL
                     ORDER BY b.code) AS barcodes,
               p.name, p.category_id, p.unit_id,
               stock.price_text(p.price, t.currency_exponent) AS price,
               stock.price_text(l.cost, t.currency_exponent) AS cost,
               stock.quantity_text(p.tax_rate) AS tax_rate, p.tax_group_id,
               p.tracks_stock, p.oversell,
               stock.quantity_text(p.min_stock) AS min_stock, p.status,
               stock.quantity_text(l.on_hand) AS on_hand, p.external_id,
               ARRAY(SELECT row_to_json(r)
                     FROM stock.packaging k, LATERAL (
                         SELECT k.id, k.name, stock.quantity_text(k.factor) AS factor,
                                stock.price_text(k.price, t.currency_exponent) AS price,
                                ARRAY(SELECT b.code FROM stock.product_barcode b
                                      WHERE b.tenant_id = k.tenant_id AND b.product_id = k.product_id
                                        AND b.packaging_id = k.id ORDER BY b.code) AS barcodes) r
                     WHERE k.tenant_id = p.tenant_id AND k.product_id = p.id
                     ORDER BY k.factor, k.name_key) AS packagings,
               p.version,
               stock.rfc3339(p.created_at) AS created_at, stock.rfc3339(p.updated_at) AS updated_at
        FROM stock.product p
        JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
        JOIN stock.tenant t ON t.id = p.tenant_id
        WHERE p.tenant_id = p_tenant AND p.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- What has a code, as its SKU or as a barcode: products, each with the packaging that the code is of.
CREATE FUNCTION stock.goods_of_code(p_code text) RETURNS TABLE (product_id uuid, packaging_id uuid)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_code   text := stock.search_text(p_code);
BEGIN
    RETURN QUERY
    SELECT p.id, NULL::uuid FROM stock.product p WHERE p.tenant_id = v_tenant AND p.sku_search = v_code
    UNION
    SELECT b.product_id, b.packaging_id FROM stock.product_barcode b WHERE b.tenant_id = v_tenant AND b.search_text = v_code;
END
$$;

-- A product as a code names it: its body, and what one such code stands for.
CREATE FUNCTION stock.scanned_body(p_tenant bigint, p_product uuid, p_packaging uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_scanned json;
BEGIN
    SELECT row_to_json(r) INTO v_scanned FROM (
        SELECT k.id AS packaging_id, k.name AS packaging, stock.quantity_text(coalesce(k.factor, 1)) AS factor,
               stock.price_text(coalesce(k.price, round(p.price * coalesce(k.factor, 1), 6)), t.currency_exponent) AS price
        FROM stock.product p
        JOIN stock.tenant t ON t.id = p.tenant_id
        LEFT JOIN stock.packaging k ON k.tenant_id = p.tenant_id AND k.product_id = p.id AND k.id = p_packaging
        WHERE p.tenant_id = p_tenant AND p.id = p_product
    ) r;
    RETURN left(stock.product_body(p_tenant, p_product), -1) || ',"scanned":' || v_scanned || '}';
END
$$;

-- Makes and changes the products of a batch. A row is found by its external id, else by its SKU, and makes a product if
-- neither is there; what is NULL keeps its value or takes the default. p_barcodes: a JSON array of texts for each row, NULL
-- keeps those that are there. Rows that can not be applied refuse the whole batch with all their errors; with p_skips they
-- are left out and answered with their errors. An unchanged row writes nothing.
--
-- Batches of a tenant follow each other, so that two of the same products neither meet as duplicates nor wait for each
-- other in opposite orders. Whoever makes one of the products alone meanwhile makes the batch worth repeating.
CREATE OR REPLACE FUNCTION stock.upsert_products(
    p_ids uuid[], p_skus text[], p_external_ids text[], p_names text[], p_categories uuid[], p_units uuid[],
    p_prices numeric[], p_tax_rates numeric[], p_tracked boolean[], p_oversell text[], p_min_stocks numeric[],
    p_statuses text[], p_barcodes text[], p_groups uuid[], p_skips boolean
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
                              p_min_stocks, p_groups) c;
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

    -- Barcodes of the known products whose rows name them become exactly these, but for those of packagings; found by place,
    -- as nothing moves them.
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
                    WHERE x.tenant_id = $1 AND x.product_id = w.target AND x.packaging_id IS NULL
                      AND NOT x.code = ANY (w.codes) OFFSET 0) o))
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
                   r.oversell, r.min_stock, r.status, r.tax_group_id
            FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $17)
                AS r (target, product_id, sku, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock,
                      oversell, min_stock, status, tax_group_id)
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
                       coalesce(w.status, p.status) AS status,
                       -- Another rate alone takes the group of that rate.
                       coalesce(w.tax_group_id, CASE WHEN w.tax_rate IS NULL OR w.tax_rate = p.tax_rate
                                                     THEN p.tax_group_id END) AS tax_group_id
                FROM stock.product p
                WHERE p.tenant_id = $1 AND p.id = w.target
                  AND (p.id = ANY ($16)
                       OR (p.sku, p.external_id, p.name, p.category_id, p.unit_id, p.price, p.tax_rate, p.tracks_stock,
                           p.oversell, p.min_stock, p.status, p.tax_group_id)
                          IS DISTINCT FROM
                          (coalesce(w.sku, p.sku), coalesce(w.external_id, p.external_id), coalesce(w.name, p.name),
                           coalesce(w.category_id, p.category_id), coalesce(w.unit_id, p.unit_id),
                           coalesce(w.price, p.price), coalesce(w.tax_rate, p.tax_rate),
                           coalesce(w.tracks_stock, p.tracks_stock), coalesce(w.oversell, p.oversell),
                           coalesce(w.min_stock, p.min_stock), coalesce(w.status, p.status),
                           coalesce(w.tax_group_id, p.tax_group_id)))
                FOR NO KEY UPDATE
            ) o
        ), written AS (
            INSERT INTO stock.product AS p (tenant_id, id, sku, external_id, name, category_id, unit_id, price, tax_rate,
                                            tracks_stock, oversell, min_stock, status, tax_group_id)
            SELECT $1, w.target, w.sku, w.external_id, w.name, w.category_id, coalesce(w.unit_id, $2), w.price,
                   w.tax_rate, coalesce(w.tracks_stock, true), coalesce(w.oversell, 'inherit'),
                   coalesce(w.min_stock, 0), coalesce(w.status, 'active'), w.tax_group_id
            FROM wanted w
            WHERE NOT w.is_known
            UNION ALL
            SELECT $1, c.id, c.sku, c.external_id, c.name, c.category_id, c.unit_id, c.price, c.tax_rate, c.tracks_stock,
                   c.oversell, c.min_stock, c.status, c.tax_group_id
            FROM changed c
            ON CONFLICT (tenant_id, id) DO UPDATE
            SET sku = excluded.sku, external_id = excluded.external_id, name = excluded.name,
                category_id = excluded.category_id, unit_id = excluded.unit_id, price = excluded.price,
                tax_rate = excluded.tax_rate, tracks_stock = excluded.tracks_stock, oversell = excluded.oversell,
                min_stock = excluded.min_stock, status = excluded.status, tax_group_id = excluded.tax_group_id,
                version = p.version + 1, updated_at = now()
            RETURNING p.id
        )
        SELECT ARRAY(SELECT w.id FROM written w)
    $sql$ INTO v_written
    USING v_tenant, v_unit, v_targets, v_products, p_skus, p_external_ids, p_names, p_categories, p_units, p_prices,
          p_tax_rates, p_tracked, p_oversell, p_min_stocks, p_statuses, v_touched, p_groups;

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

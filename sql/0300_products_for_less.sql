-- Products that come in many at once, done for less. docs/decisions/0068-products-by-the-thousand.md has what was measured.

-- The pairs of letters of a text, and its letters, as before: cut once, and looked up by what was cut instead of by counting from the
-- front of the text for each pair.
CREATE OR REPLACE FUNCTION stock.search_pairs(p_tenant bigint, p_text text) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    v_tenant  integer := hashint8(p_tenant);
    v_letters text[] := string_to_array(p_text, NULL);
    v_count   integer := coalesce(cardinality(v_letters), 0);
BEGIN
    IF v_count = 0 THEN
        RETURN ARRAY[v_tenant];
    END IF;
    -- Each letter with the next one, the last alone; then each alone.
    RETURN v_tenant || ARRAY(
        SELECT v_tenant # hashtext(unnest(v_letters || v_letters)
                                   || unnest(v_letters[2:] || array_fill(''::text, ARRAY[v_count + 1]))));
END
$$;

-- What products without a row of it are found by. Of many, some thousands wait beside the index of pairs: what shares a pair goes in
-- together. The last one ends the waiting, and no more wait than a search reads in a few milliseconds, as each reads what waits.
CREATE FUNCTION stock.product_search_begun(p_tenant bigint, p_products uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET gin_pending_list_limit = '128kB' AS $$
DECLARE
    v_rows  integer := cardinality(p_products);
    -- The parts that are written at once.
    v_parts integer[] := CASE WHEN v_rows > 100 THEN ARRAY[1, v_rows] ELSE ARRAY[1] END;
    v_part  integer;
BEGIN
    FOREACH v_part IN ARRAY v_parts LOOP
        PERFORM set_config('gin_pending_list_limit', CASE WHEN v_part = 1 AND v_rows > 100 THEN '2MB' ELSE '128kB' END, true);
        INSERT INTO stock.product_search (tenant_id, product_id, name_key, pairs)
        SELECT p_tenant, p.id, p.name_key, stock.search_pairs(p_tenant, concat_ws(' ', p.search_text, (
                   SELECT string_agg(b.search_text, ' ') FROM stock.product_barcode b
                   WHERE b.tenant_id = p_tenant AND b.product_id = p.id)))
        FROM unnest(p_products[v_part:CASE WHEN v_part = 1 AND v_rows > 100 THEN v_rows - 1 ELSE v_rows END]) AS w (id), LATERAL (
            SELECT o.id, o.name_key, o.search_text FROM stock.product o
            WHERE o.tenant_id = p_tenant AND o.id = w.id
            OFFSET 0
        ) p;
    END LOOP;
END
$$;

-- Statement trigger of products. Those whose statement has written barcodes with them are left to the trigger of these, so that what a
-- product is found by is written once.
CREATE OR REPLACE FUNCTION stock.product_words_changed() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM stock.product_search_begun(c.tenant_id, array_agg(c.id))
        FROM changed c
        WHERE NOT EXISTS (SELECT FROM stock.product_barcode b WHERE b.tenant_id = c.tenant_id AND b.product_id = c.id OFFSET 0)
        GROUP BY c.tenant_id;
    ELSE
        PERFORM stock.product_searched(c.tenant_id, array_agg(c.id))
        FROM (SELECT n.tenant_id, n.id, n.name_key, n.search_text FROM changed n
              EXCEPT SELECT o.tenant_id, o.id, o.name_key, o.search_text FROM replaced o) c
        GROUP BY c.tenant_id;
    END IF;
    RETURN NULL;
END
$$;
ALTER FUNCTION stock.product_words_changed() RESET gin_pending_list_limit;

-- Statement trigger of barcodes. What is added is added to what a product is found by; a product that came with its barcodes has no row of
-- it yet.
CREATE OR REPLACE FUNCTION stock.barcodes_changed() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET gin_pending_list_limit = '128kB' AS $$
DECLARE
    v_tenant bigint;
    v_known  uuid[];
    v_new    uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        FOR v_tenant IN SELECT DISTINCT c.tenant_id FROM changed c LOOP
            SELECT array_agg(p.id) FILTER (WHERE p.is_known), array_agg(p.id) FILTER (WHERE NOT p.is_known) INTO v_known, v_new
            FROM (SELECT c.product_id AS id,
                         EXISTS (SELECT FROM stock.product_search s
                                 WHERE s.tenant_id = v_tenant AND s.product_id = c.product_id OFFSET 0) AS is_known
                  FROM (SELECT DISTINCT n.product_id FROM changed n WHERE n.tenant_id = v_tenant) c) p;
            IF v_known IS NOT NULL THEN
                INSERT INTO stock.product_search AS s (tenant_id, product_id, name_key, pairs)
                SELECT v_tenant, c.product_id, '', stock.search_pairs(v_tenant, string_agg(c.search_text, ' '))
                FROM changed c
                WHERE c.tenant_id = v_tenant AND c.product_id = ANY (v_known)
                GROUP BY c.product_id ORDER BY c.product_id
                ON CONFLICT (tenant_id, product_id) DO UPDATE SET pairs = s.pairs || excluded.pairs
                WHERE NOT s.pairs @> excluded.pairs;
            END IF;
            IF v_new IS NOT NULL THEN
                PERFORM stock.product_search_begun(v_tenant, v_new);
            END IF;
        END LOOP;
    ELSE
        PERFORM stock.product_searched(c.tenant_id, array_agg(DISTINCT c.product_id))
        FROM changed c GROUP BY c.tenant_id;
    END IF;
    RETURN NULL;
END
$$;

-- A row that names its group and its rate is held against the group with the others of its statement that name the same two; the others look
-- for what they lack one by one.
DROP TRIGGER tax_insert ON stock.product;
CREATE TRIGGER tax_insert BEFORE INSERT ON stock.product FOR EACH ROW
    WHEN (NEW.tax_group_id IS NULL OR NEW.tax_rate IS NULL)
    EXECUTE FUNCTION stock.product_taxed();

CREATE FUNCTION stock.products_taxed() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_pair record;
    v_rate numeric;
BEGIN
    IF stock.is_restoring() THEN
        RETURN NULL;
    END IF;
    FOR v_pair IN
        SELECT DISTINCT c.tenant_id, c.tax_group_id, c.tax_rate FROM changed c
        WHERE c.tax_group_id IS NOT NULL AND c.tax_rate IS NOT NULL ORDER BY c.tenant_id, c.tax_group_id, c.tax_rate
    LOOP
        -- Whoever changes what is in the group is waited for, and waits for this.
        PERFORM FROM stock.tax_group g WHERE g.tenant_id = v_pair.tenant_id AND g.id = v_pair.tax_group_id FOR KEY SHARE;
        v_rate := stock.tax_group_rate(v_pair.tenant_id, v_pair.tax_group_id);
        IF v_rate IS DISTINCT FROM v_pair.tax_rate THEN
            UPDATE stock.product p SET tax_rate = v_rate
            FROM (SELECT c.id FROM changed c
                  WHERE c.tenant_id = v_pair.tenant_id AND c.tax_group_id = v_pair.tax_group_id AND c.tax_rate = v_pair.tax_rate) n
            WHERE p.tenant_id = v_pair.tenant_id AND p.id = n.id;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER taxed_insert AFTER INSERT ON stock.product REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.products_taxed();

-- The barcodes of a JSON array of texts, each once.
CREATE FUNCTION stock.barcodes_of(p_barcodes text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT DISTINCT normalize(c.code, NFC) FROM jsonb_array_elements_text(p_barcodes::jsonb) AS c (code);
END;
CREATE OR REPLACE FUNCTION stock.barcode_set(p_barcodes text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ARRAY(SELECT c.code FROM stock.barcodes_of(p_barcodes) AS c (code));

-- Makes and changes the products of a batch whose caller holds the lock of them. A row is found by its external id, else by its SKU, and makes
-- a product if neither is there; what is NULL keeps its value or takes the default. p_barcodes: a JSON array of texts for each row, NULL keeps
-- those that are there. Rows that can not be applied refuse the whole batch with all their errors; with p_skips they are left out and answered
-- with their errors. An unchanged row writes nothing. With p_only_new nothing is done, and no row answered, if one of them is there.
--
-- New products are only inserted, and changed ones found by their key; of a batch without the one or the other there is no such statement. The
-- group of a rate is looked for once a batch.
CREATE FUNCTION stock.write_products(
    p_ids uuid[], p_skus text[], p_external_ids text[], p_names text[], p_categories uuid[], p_units uuid[],
    p_prices numeric[], p_tax_rates numeric[], p_tracked boolean[], p_oversell text[], p_min_stocks numeric[],
    p_statuses text[], p_barcodes text[], p_groups uuid[], p_skips boolean, p_only_new boolean
)
RETURNS TABLE (place integer, outcome text, id uuid, sku text, external_id text, version bigint, errors json)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
#variable_conflict use_column
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_unit     uuid;
    -- The rates of new products that name no group, and the group of each.
    v_rates    numeric(7, 4)[];
    v_groups   uuid[];
    v_products uuid[];
    v_errors   json[];
    v_targets  uuid[];
    v_place    bigint;
    -- Products whose barcodes changed, and all that were written.
    v_touched  uuid[];
    v_written  uuid[];
BEGIN
    SELECT c.products, c.errors INTO v_products, v_errors
    FROM stock.check_products(p_skus, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates, p_tracked,
                              p_min_stocks, p_groups) c;
    -- As where one product is written: a code is of the product, or of one of its packagings.
    FOR v_place IN
        SELECT w.n FROM unnest(v_products, p_barcodes) WITH ORDINALITY AS w (product_id, barcodes, n)
        WHERE w.product_id IS NOT NULL AND w.barcodes IS NOT NULL
          AND EXISTS (SELECT FROM stock.product_barcode b
                      WHERE b.tenant_id = v_tenant AND b.product_id = w.product_id AND b.packaging_id IS NOT NULL
                        AND b.code = ANY (stock.barcode_set(w.barcodes)) OFFSET 0)
    LOOP
        v_errors[v_place] := coalesce(v_errors[v_place]::jsonb, '[]') || jsonb_build_array(jsonb_build_object(
            'pointer', '/barcodes', 'code', 'duplicate', 'detail', 'A code is of the product, or of one of its packagings.'));
    END LOOP;
    IF p_only_new AND array_remove(v_products, NULL) <> '{}' THEN
        RETURN;
    END IF;
    IF NOT p_skips THEN
        PERFORM stock.refuse(CASE WHEN count(DISTINCT stock.problem_code(e.error ->> 'code')) = 1
                                  THEN min(stock.problem_code(e.error ->> 'code')) ELSE 'validation_failed' END,
                             'Some products can not be applied.',
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

    IF EXISTS (SELECT FROM unnest(v_targets, v_products) AS w (target, product_id) WHERE w.target = w.product_id) THEN
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
                SELECT r.target, normalize(r.sku, NFC) AS sku, r.external_id, normalize(r.name, NFC) AS name,
                       r.category_id, r.unit_id, r.price, r.tax_rate, r.tracks_stock, r.oversell, r.min_stock, r.status, r.tax_group_id
                FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $16)
                    AS r (target, product_id, sku, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock,
                          oversell, min_stock, status, tax_group_id)
                WHERE r.target = r.product_id
            ), changed AS MATERIALIZED (
                SELECT o.*
                FROM (SELECT * FROM wanted k ORDER BY k.target) w, LATERAL (
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
                      AND (p.id = ANY ($15)
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
        USING v_tenant, v_targets, v_products, p_skus, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates,
              p_tracked, p_oversell, p_min_stocks, p_statuses, v_touched, p_groups;
    END IF;

    IF EXISTS (SELECT FROM unnest(v_targets, p_ids) AS w (target, id) WHERE w.target = w.id) THEN
        SELECT array_agg(r.rate), array_agg(stock.standard_tax_group(v_tenant, r.rate)) INTO v_rates, v_groups
        FROM (SELECT DISTINCT coalesce(w.rate, 0)::numeric(7, 4) AS rate
              FROM unnest(v_targets, p_ids, p_tax_rates, p_groups) AS w (target, id, rate, tax_group_id)
              WHERE w.target = w.id AND w.tax_group_id IS NULL ORDER BY rate) r;
        EXECUTE $sql$
            WITH made AS (
                INSERT INTO stock.product (tenant_id, id, sku, external_id, name, category_id, unit_id, price, tax_rate,
                                           tracks_stock, oversell, min_stock, status, tax_group_id)
                SELECT $1, w.id, normalize(w.sku, NFC), w.external_id, normalize(w.name, NFC), w.category_id,
                       coalesce(w.unit_id, $2), w.price, CASE WHEN w.tax_group_id IS NULL THEN coalesce(w.tax_rate, 0) END,
                       coalesce(w.tracks_stock, true), coalesce(w.oversell, 'inherit'), coalesce(w.min_stock, 0),
                       coalesce(w.status, 'active'),
                       coalesce(w.tax_group_id, ($18)[array_position($17, coalesce(w.tax_rate, 0)::numeric(7, 4))])
                FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
                    AS w (target, id, sku, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock, oversell,
                          min_stock, status, tax_group_id)
                WHERE w.target = w.id
            )
            INSERT INTO stock.product_barcode (tenant_id, product_id, code)
            SELECT $1, w.id, c.code
            FROM unnest($3, $4, $19) AS w (target, id, barcodes), stock.barcodes_of(w.barcodes) AS c (code)
            WHERE w.target = w.id
        $sql$
        USING v_tenant, v_unit, v_targets, p_ids, p_skus, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates,
              p_tracked, p_oversell, p_min_stocks, p_statuses, p_groups, v_rates, v_groups, p_barcodes;
    END IF;

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


-- Makes and changes the products of a batch. Batches of a tenant follow each other, so that two of the same products neither meet as
-- duplicates nor wait for each other in opposite orders. Whoever makes one of the products alone meanwhile makes the batch worth repeating.
CREATE OR REPLACE FUNCTION stock.upsert_products(
    p_ids uuid[], p_skus text[], p_external_ids text[], p_names text[], p_categories uuid[], p_units uuid[],
    p_prices numeric[], p_tax_rates numeric[], p_tracked boolean[], p_oversell text[], p_min_stocks numeric[],
    p_statuses text[], p_barcodes text[], p_groups uuid[], p_skips boolean
)
RETURNS TABLE (place integer, outcome text, id uuid, sku text, external_id text, version bigint, errors json)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.products', stock.current_tenant()));
    RETURN QUERY SELECT w.* FROM stock.write_products(
        p_ids, p_skus, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates, p_tracked, p_oversell,
        p_min_stocks, p_statuses, p_barcodes, p_groups, p_skips, false) w;
END
$$;

-- Makes the products of a batch beside others that name none of them, and leaves out rows that can not be made; no row if one of the products
-- is there, as what changes it is written in its order. Two that name the same one make the later worth repeating.
CREATE FUNCTION stock.import_new_products(
    p_ids uuid[], p_skus text[], p_external_ids text[], p_names text[], p_categories uuid[], p_units uuid[],
    p_prices numeric[], p_tax_rates numeric[], p_tracked boolean[], p_oversell text[], p_min_stocks numeric[],
    p_statuses text[], p_barcodes text[], p_groups uuid[]
)
RETURNS TABLE (place integer, outcome text, id uuid, sku text, external_id text, version bigint, errors json)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('stock.products', stock.current_tenant()));
    RETURN QUERY SELECT w.* FROM stock.write_products(
        p_ids, p_skus, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates, p_tracked, p_oversell,
        p_min_stocks, p_statuses, p_barcodes, p_groups, true, true) w;
END
$$;

-- Products that sales make have no taxes, and so the group of that rate.
CALL stock.amend('import_create_products', $$    INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tracks_stock, oversell)
$$, $$    INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tracks_stock, oversell, tax_rate, tax_group_id)
$$);
CALL stock.amend('import_create_products', $$n.sku, n.name, p_unit_id, n.price, true, 'allow'
$$, $$n.sku, n.name, p_unit_id, n.price, true, 'allow', 0,
           (SELECT stock.standard_tax_group(stock.current_tenant(), 0))
$$);

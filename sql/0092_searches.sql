-- Searches and lists that do not grow with the catalogue. docs/decisions/0025-searches-by-pairs-of-letters.md tells
-- what was weighed.

-- What is looked for --------------------------------------------------------------------------------------------------

-- The letters of folded text and its pairs of neighbours, blanks among them, as numbers that no two tenants share; and
-- the number of the tenant, which all of its rows hold. What holds a word holds all that is told of the word by itself.
CREATE FUNCTION stock.search_pairs(p_tenant bigint, p_text text) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashint8(p_tenant)
    || ARRAY(SELECT hashint8(p_tenant) # hashtext(substr(p_text, generate_series(1, length(p_text)), 2)))
    || ARRAY(SELECT hashint8(p_tenant) # hashtext(unnest(string_to_array(p_text, NULL))));

-- The pairs that the running search asks for; none: whatever.
CREATE FUNCTION stock.search_asked() RETURNS integer[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('stock.search', true), ''), '{}')::integer[];

-- What each product and customer can be found by. Row-level security asks its policies before it asks a statement, and
-- of what a statement asks it lets an index serve only what can not leak: neither a LIKE nor a comparison of arrays is
-- so. A policy may use any operator. So what is searched for stands in one: it is restrictive, so that it takes rows
-- away and never adds any.
--
-- No statistics are kept: a plan takes each pair for rare, and the index of pairs for better than the key.
CREATE TABLE stock.product_search (
    tenant_id   bigint NOT NULL,
    product_id  uuid NOT NULL,
    name_key    text NOT NULL,
    pairs       integer[] NOT NULL,
    PRIMARY KEY (tenant_id, product_id)
);
CREATE TABLE stock.customer_search (
    tenant_id    bigint NOT NULL,
    customer_id  uuid NOT NULL,
    name_key     text NOT NULL,
    pairs        integer[] NOT NULL,
    PRIMARY KEY (tenant_id, customer_id)
);
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['product_search', 'customer_search'] LOOP
        EXECUTE format('ALTER TABLE stock.%I ALTER COLUMN tenant_id SET STATISTICS 0,
                        ALTER COLUMN pairs SET STATISTICS 0, ALTER COLUMN pairs SET STORAGE MAIN', v_table);
        EXECUTE format('CREATE INDEX %I ON stock.%I USING gin (pairs) WITH (gin_pending_list_limit = 128)',
                       v_table || '_pairs_idx', v_table);
        EXECUTE format('CALL stock.secure_table(%L, %L)', 'stock.' || v_table, 'SELECT, INSERT, UPDATE, DELETE');
        EXECUTE format('CREATE POLICY asked ON stock.%I AS RESTRICTIVE FOR SELECT
                        USING (pairs @> stock.search_asked())', v_table);
    END LOOP;
END
$$;
CALL stock.watch_table('stock.product_search', 'cache_touch', 'products', 'stock');
CALL stock.watch_table('stock.customer_search', 'cache_touch', 'customers');

-- Keeping it ----------------------------------------------------------------------------------------------------------

-- Writes what products are found by. Its rows are locked before the words are read, so that of two who change a name
-- and a barcode at once the later sees both.
CREATE FUNCTION stock.product_searched(p_tenant bigint, p_products uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM FROM (SELECT w.id FROM unnest(p_products) AS w (id) ORDER BY w.id) w,
        LATERAL (SELECT FROM stock.product_search s WHERE s.tenant_id = p_tenant AND s.product_id = w.id FOR UPDATE) s;
    INSERT INTO stock.product_search AS s (tenant_id, product_id, name_key, pairs)
    SELECT p_tenant, p.id, p.name_key, stock.search_pairs(p_tenant, concat_ws(' ', p.search_text, (
               SELECT string_agg(b.search_text, ' ') FROM stock.product_barcode b
               WHERE b.tenant_id = p_tenant AND b.product_id = p.id)))
    FROM (SELECT w.id FROM unnest(p_products) AS w (id) ORDER BY w.id) w, LATERAL (
        SELECT o.id, o.name_key, o.search_text FROM stock.product o
        WHERE o.tenant_id = p_tenant AND o.id = w.id
        OFFSET 0
    ) p
    ON CONFLICT (tenant_id, product_id) DO UPDATE SET name_key = excluded.name_key, pairs = excluded.pairs;
END
$$;

-- Statement trigger of products: new ones, and those whose words or place in the list changed.
CREATE FUNCTION stock.product_words_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stock.product_search (tenant_id, product_id, name_key, pairs)
        SELECT c.tenant_id, c.id, c.name_key, stock.search_pairs(c.tenant_id, c.search_text) FROM changed c;
    ELSE
        PERFORM stock.product_searched(c.tenant_id, array_agg(c.id))
        FROM (SELECT n.tenant_id, n.id, n.name_key, n.search_text FROM changed n
              EXCEPT SELECT o.tenant_id, o.id, o.name_key, o.search_text FROM replaced o) c
        GROUP BY c.tenant_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_insert AFTER INSERT ON stock.product REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.product_words_changed();
CREATE TRIGGER search_update AFTER UPDATE ON stock.product REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.product_words_changed();

-- Statement trigger of barcodes. New ones are added to what is there; else all is read again, if the product is still
-- there.
CREATE FUNCTION stock.barcodes_changed() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stock.product_search AS s (tenant_id, product_id, name_key, pairs)
        -- The row is there, with its name: a product makes it.
        SELECT c.tenant_id, c.product_id, '', stock.search_pairs(c.tenant_id, c.codes)
        FROM (SELECT n.tenant_id, n.product_id, string_agg(n.search_text, ' ') AS codes FROM changed n
              GROUP BY n.tenant_id, n.product_id) c
        ORDER BY c.tenant_id, c.product_id
        ON CONFLICT (tenant_id, product_id) DO UPDATE SET pairs = s.pairs || excluded.pairs;
    ELSE
        PERFORM stock.product_searched(c.tenant_id, array_agg(DISTINCT c.product_id))
        FROM changed c GROUP BY c.tenant_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_insert AFTER INSERT ON stock.product_barcode REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.barcodes_changed();
CREATE TRIGGER search_update AFTER UPDATE ON stock.product_barcode REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.barcodes_changed();
CREATE TRIGGER search_delete AFTER DELETE ON stock.product_barcode REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.barcodes_changed();

CREATE FUNCTION stock.customer_words_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stock.customer_search (tenant_id, customer_id, name_key, pairs)
        SELECT c.tenant_id, c.id, c.name_key, stock.search_pairs(c.tenant_id, c.search_text) FROM changed c;
    ELSE
        INSERT INTO stock.customer_search AS s (tenant_id, customer_id, name_key, pairs)
        SELECT c.tenant_id, c.id, c.name_key, stock.search_pairs(c.tenant_id, c.search_text)
        FROM (SELECT n.tenant_id, n.id, n.name_key, n.search_text FROM changed n
              EXCEPT SELECT o.tenant_id, o.id, o.name_key, o.search_text FROM replaced o) c
        ORDER BY c.id
        ON CONFLICT (tenant_id, customer_id) DO UPDATE SET name_key = excluded.name_key, pairs = excluded.pairs;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_insert AFTER INSERT ON stock.customer REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.customer_words_changed();
CREATE TRIGGER search_update AFTER UPDATE ON stock.customer REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.customer_words_changed();

-- Row-level security binds the owner as well: it is lifted for this transaction.
ALTER TABLE stock.product NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.product_barcode NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.product_search NO FORCE ROW LEVEL SECURITY;
INSERT INTO stock.product_search (tenant_id, product_id, name_key, pairs)
SELECT p.tenant_id, p.id, p.name_key, stock.search_pairs(p.tenant_id, concat_ws(' ', p.search_text, b.codes))
FROM stock.product p
LEFT JOIN (SELECT b.tenant_id, b.product_id, string_agg(b.search_text, ' ') AS codes FROM stock.product_barcode b
           GROUP BY b.tenant_id, b.product_id) b ON b.tenant_id = p.tenant_id AND b.product_id = p.id;
ALTER TABLE stock.product FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.product_barcode FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.product_search FORCE ROW LEVEL SECURITY;

ALTER TABLE stock.customer NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.customer_search NO FORCE ROW LEVEL SECURITY;
INSERT INTO stock.customer_search (tenant_id, customer_id, name_key, pairs)
SELECT c.tenant_id, c.id, c.name_key, stock.search_pairs(c.tenant_id, c.search_text) FROM stock.customer c;
ALTER TABLE stock.customer FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.customer_search FORCE ROW LEVEL SECURITY;

-- They go with what they are of. The keys are made last, when all rows are there.
ALTER TABLE stock.product_search ADD FOREIGN KEY (tenant_id, product_id)
    REFERENCES stock.product (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE stock.customer_search ADD FOREIGN KEY (tenant_id, customer_id)
    REFERENCES stock.customer (tenant_id, id) ON DELETE CASCADE;

DO $$
DECLARE
    v_trigger record;
BEGIN
    FOR v_trigger IN
        SELECT g.tgname AS name, g.tgrelid::regclass AS "table" FROM pg_trigger g
        JOIN pg_class c ON c.oid = g.tgrelid AND c.relnamespace = 'stock'::regnamespace
        WHERE g.tgname LIKE 'search\_%'
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', v_trigger."table", v_trigger.name);
    END LOOP;
END
$$;

-- Pages by name -------------------------------------------------------------------------------------------------------

-- Products of a category by name, and how many are active, from the index alone; products by name likewise. Few are
-- archived, as a rule, and those have an index of their own.
DROP INDEX stock.product_category_idx;
CREATE INDEX product_category_idx ON stock.product (tenant_id, category_id, name_key, id) INCLUDE (status)
    WHERE category_id IS NOT NULL;
DROP INDEX stock.product_name_idx;
CREATE INDEX product_name_idx ON stock.product (tenant_id, name_key, id) INCLUDE (status) WHERE name_key IS NOT NULL;
CREATE INDEX product_archived_idx ON stock.product (tenant_id, name_key, id) WHERE status = 'archived';

-- Products that may hold the words, by name from a place on.
CREATE FUNCTION stock.product_candidates(p_words text[], p_after text, p_after_id uuid) RETURNS uuid[]
LANGUAGE plpgsql STABLE
-- Only the index of pairs knows more than the tenant, which the dear rows tell the planner.
SET enable_seqscan = off SET enable_indexscan = off SET cpu_tuple_cost = 10 AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_products uuid[];
BEGIN
    PERFORM set_config('stock.search', ARRAY(
        SELECT DISTINCT p.pair
        FROM unnest(p_words) AS w (word),
             -- Of a word its pairs, without the letters that they tell anyway; a letter alone as it is.
             unnest((stock.search_pairs(v_tenant, w.word))[:greatest(length(w.word), 2)]) AS p (pair)
    )::text, true);
    SELECT array_agg(s.product_id ORDER BY s.name_key, s.product_id) INTO v_products FROM stock.product_search s
    WHERE s.tenant_id = v_tenant AND (s.name_key, s.product_id) > (p_after, p_after_id);
    PERFORM set_config('stock.search', '', true);
    RETURN v_products;
END
$$;

-- Customers, likewise.
CREATE FUNCTION stock.customer_candidates(p_words text[], p_after text, p_after_id uuid) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_indexscan = off SET cpu_tuple_cost = 10 AS $$
DECLARE
    v_tenant    bigint := stock.current_tenant();
    v_customers uuid[];
BEGIN
    PERFORM set_config('stock.search', ARRAY(
        SELECT DISTINCT p.pair
        FROM unnest(p_words) AS w (word),
             -- Of a word its pairs, without the letters that they tell anyway; a letter alone as it is.
             unnest((stock.search_pairs(v_tenant, w.word))[:greatest(length(w.word), 2)]) AS p (pair)
    )::text, true);
    SELECT array_agg(s.customer_id ORDER BY s.name_key, s.customer_id) INTO v_customers FROM stock.customer_search s
    WHERE s.tenant_id = v_tenant AND (s.name_key, s.customer_id) > (p_after, p_after_id);
    PERFORM set_config('stock.search', '', true);
    RETURN v_customers;
END
$$;

-- Products by name, those after (p_after, p_after_id). NULL: whatever. What comes next by name is taken in portions,
-- along the narrowest index that has the order, and each is looked at; where several hundred leave the page unfilled,
-- or two hundred empty, what is searched for is rare, and the few that may be it are looked at instead.
CREATE FUNCTION stock.product_page(
    p_q text, p_barcode text, p_category uuid, p_stock text, p_status text, p_count integer, p_after text,
    p_after_id uuid
) RETURNS TABLE (id uuid, name_key text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_words   text[] := array_remove(string_to_array(stock.search_text(p_q), ' '), '');
    v_key     text := coalesce(p_after, '');
    v_id      uuid := coalesce(p_after_id, '00000000-0000-0000-0000-000000000000');
    v_left    integer := p_count;
    v_size    integer := p_count;
    v_walked  integer := 0;
    v_portion uuid[];
    -- Those that may be it, where they are known.
    v_few     uuid[];
    v_found   integer;
BEGIN
    IF p_barcode IS NOT NULL THEN
        v_few := ARRAY(
            SELECT p.id
            FROM (SELECT DISTINCT b.product_id FROM stock.product_barcode b
                  WHERE b.tenant_id = v_tenant AND b.search_text = stock.search_text(p_barcode)) b,
                 LATERAL (SELECT o.id, o.name_key FROM stock.product o
                          WHERE o.tenant_id = v_tenant AND o.id = b.product_id OFFSET 0) p
            WHERE (p.name_key, p.id) > (v_key, v_id)
            ORDER BY p.name_key, p.id);
    END IF;
    LOOP
        IF v_few IS NULL AND v_words <> '{}' AND v_walked > (CASE WHEN v_left = p_count THEN 200 ELSE 500 END) THEN
            v_few := coalesce(stock.product_candidates(v_words, v_key, v_id), '{}');
        END IF;
        IF v_few IS NOT NULL THEN
            v_portion := v_few[:v_size];
            v_few := v_few[v_size + 1:];
        ELSIF p_stock IN ('out', 'low') THEN
            v_portion := ARRAY(
                SELECT l.product_id FROM stock.stock_level l
                WHERE l.tenant_id = v_tenant AND l.alert = p_stock AND (l.name_key, l.product_id) > (v_key, v_id)
                  AND (p_status IS NULL OR l.archived = (p_status = 'archived'))
                ORDER BY l.name_key, l.product_id LIMIT v_size);
        ELSIF p_category IS NOT NULL THEN
            v_portion := ARRAY(
                SELECT p.id FROM stock.product p
                WHERE p.tenant_id = v_tenant AND p.category_id = p_category AND (p.name_key, p.id) > (v_key, v_id)
                  AND (p_status IS NULL OR p.status = p_status)
                ORDER BY p.name_key, p.id LIMIT v_size);
        ELSIF p_status = 'archived' THEN
            v_portion := ARRAY(
                SELECT p.id FROM stock.product p
                WHERE p.tenant_id = v_tenant AND p.status = 'archived' AND (p.name_key, p.id) > (v_key, v_id)
                ORDER BY p.name_key, p.id LIMIT v_size);
        ELSE
            v_portion := ARRAY(
                SELECT p.id FROM stock.product p
                WHERE p.tenant_id = v_tenant AND p.name_key >= v_key AND (p.name_key, p.id) > (v_key, v_id)
                  AND (p_status IS NULL OR p.status = p_status)
                ORDER BY p.name_key, p.id LIMIT v_size);
        END IF;
        RETURN QUERY
        SELECT p.id, p.name_key
        FROM unnest(v_portion) WITH ORDINALITY AS w (id, place), LATERAL (
            SELECT o.id, o.name_key FROM stock.product o
            WHERE o.tenant_id = v_tenant AND o.id = w.id
              AND (p_status IS NULL OR o.status = p_status) AND (p_category IS NULL OR o.category_id = p_category)
              AND (v_words IS NULL OR NOT EXISTS (
                      SELECT FROM unnest(v_words) AS q (word)
                      WHERE strpos(o.search_text, q.word) = 0
                        AND NOT EXISTS (SELECT FROM stock.product_barcode b
                                        WHERE b.tenant_id = v_tenant AND b.product_id = w.id
                                          AND strpos(coalesce(b.search_text, ''), q.word) > 0)))
              AND (p_stock IS NULL OR p_stock = (
                      SELECT CASE WHEN NOT o.tracks_stock THEN 'ok' WHEN l.on_hand <= 0 THEN 'out'
                                  WHEN l.on_hand <= o.min_stock THEN 'low' ELSE 'ok' END
                      FROM stock.stock_level l WHERE l.tenant_id = v_tenant AND l.product_id = w.id))
            OFFSET 0
        ) p
        ORDER BY w.place LIMIT v_left;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        v_left := v_left - v_found;
        EXIT WHEN v_left = 0 OR cardinality(v_portion) < v_size;
        v_walked := v_walked + v_size;
        SELECT p.name_key, p.id INTO v_key, v_id FROM stock.product p
        WHERE p.tenant_id = v_tenant AND p.id = v_portion[v_size];
        v_size := least(4 * v_size, 500);
    END LOOP;
END
$$;

-- Customers by name, likewise. Those who owe are few or many: where they are few, they are looked at alone. Few are not
-- active.
ALTER TABLE stock.customer_account ADD COLUMN owes boolean GENERATED ALWAYS AS (balance > 0) STORED;
CREATE INDEX customer_account_owes_idx ON stock.customer_account (tenant_id, customer_id) WHERE owes;
CREATE INDEX customer_inactive_idx ON stock.customer (tenant_id, name_key, id) WHERE NOT active;

CREATE FUNCTION stock.customer_page(
    p_q text, p_active boolean, p_owes boolean, p_count integer, p_after text, p_after_id uuid
) RETURNS TABLE (id uuid, name_key text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_words   text[] := array_remove(string_to_array(stock.search_text(p_q), ' '), '');
    v_key     text := coalesce(p_after, '');
    v_id      uuid := coalesce(p_after_id, '00000000-0000-0000-0000-000000000000');
    v_left    integer := p_count;
    v_size    integer := p_count;
    v_walked  integer := 0;
    v_portion uuid[];
    v_few     uuid[];
    v_found   integer;
BEGIN
    LOOP
        IF v_few IS NULL AND v_walked > (CASE WHEN v_left = p_count THEN 200 ELSE 500 END) THEN
            IF v_words <> '{}' THEN
                v_few := coalesce(stock.customer_candidates(v_words, v_key, v_id), '{}');
            ELSIF p_owes THEN
                v_few := ARRAY(
                    SELECT c.id
                    FROM (SELECT a.customer_id FROM stock.customer_account a WHERE a.tenant_id = v_tenant AND a.owes) a,
                         LATERAL (SELECT o.id, o.name_key FROM stock.customer o
                                  WHERE o.tenant_id = v_tenant AND o.id = a.customer_id OFFSET 0) c
                    WHERE (c.name_key, c.id) > (v_key, v_id)
                    ORDER BY c.name_key, c.id);
            END IF;
        END IF;
        IF v_few IS NOT NULL THEN
            v_portion := v_few[:v_size];
            v_few := v_few[v_size + 1:];
        ELSIF NOT p_active THEN
            v_portion := ARRAY(
                SELECT c.id FROM stock.customer c
                WHERE c.tenant_id = v_tenant AND NOT c.active AND (c.name_key, c.id) > (v_key, v_id)
                ORDER BY c.name_key, c.id LIMIT v_size);
        ELSE
            v_portion := ARRAY(
                SELECT c.id FROM stock.customer c
                WHERE c.tenant_id = v_tenant AND (c.name_key, c.id) > (v_key, v_id)
                ORDER BY c.name_key, c.id LIMIT v_size);
        END IF;
        RETURN QUERY
        SELECT c.id, c.name_key
        FROM unnest(v_portion) WITH ORDINALITY AS w (id, place), LATERAL (
            SELECT o.id, o.name_key FROM stock.customer o
            WHERE o.tenant_id = v_tenant AND o.id = w.id AND (p_active IS NULL OR o.active = p_active)
              AND (v_words IS NULL OR NOT EXISTS (
                      SELECT FROM unnest(v_words) AS q (word) WHERE strpos(o.search_text, q.word) = 0))
              AND (p_owes IS NULL OR p_owes = (
                      SELECT a.owes FROM stock.customer_account a
                      WHERE a.tenant_id = v_tenant AND a.customer_id = w.id))
            OFFSET 0
        ) c
        ORDER BY w.place LIMIT v_left;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        v_left := v_left - v_found;
        EXIT WHEN v_left = 0 OR cardinality(v_portion) < v_size;
        v_walked := v_walked + v_size;
        SELECT c.name_key, c.id INTO v_key, v_id FROM stock.customer c
        WHERE c.tenant_id = v_tenant AND c.id = v_portion[v_size];
        v_size := least(4 * v_size, 500);
    END LOOP;
END
$$;

-- Pages of documents --------------------------------------------------------------------------------------------------
-- A method may be one that hardly anybody pays by.
CREATE INDEX payment_method_idx ON stock.payment (tenant_id, method, occurred_at, id) WHERE method IS NOT NULL;

-- Payments, newest first, those before (p_before, p_before_id); of a customer, or those that a sale was paid by.
CREATE OR REPLACE FUNCTION stock.payment_page(
    p_direction text, p_method text, p_customer uuid, p_sale uuid, p_from date, p_to date, p_before timestamptz,
    p_before_id uuid, p_count integer
) RETURNS TABLE (id uuid, occurred_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_first  timestamptz := coalesce((p_from - 1)::timestamptz, '-infinity');
    v_last   timestamptz := least((p_to + 2)::timestamptz, p_before, 'infinity');
    v_before timestamptz := coalesce(p_before, 'infinity');
    v_id     uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
BEGIN
    IF p_sale IS NOT NULL THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at
        FROM (SELECT DISTINCT a.payment_id FROM stock.payment_allocation a
              WHERE a.tenant_id = v_tenant AND a.sale_id = p_sale) a,
             LATERAL (SELECT f.* FROM stock.payment f WHERE f.tenant_id = v_tenant AND f.id = a.payment_id OFFSET 0) p
        WHERE (p.occurred_at, p.id) < (v_before, v_id) AND (p_customer IS NULL OR p.customer_id = p_customer)
          AND (p_direction IS NULL OR p.direction = p_direction) AND (p_method IS NULL OR p.method = p_method)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSIF p_customer IS NOT NULL THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.payment p
        WHERE p.tenant_id = v_tenant AND p.customer_id = p_customer AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id)
          AND (p_direction IS NULL OR p.direction = p_direction) AND (p_method IS NULL OR p.method = p_method)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSIF p_direction = 'out' THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.payment p
        WHERE p.tenant_id = v_tenant AND p.direction = 'out' AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id)
          AND (p_method IS NULL OR p.method = p_method)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSIF p_method IS NOT NULL THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.payment p
        WHERE p.tenant_id = v_tenant AND p.method = p_method AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id)
          AND (p_direction IS NULL OR p.direction = p_direction)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.payment p
        WHERE p.tenant_id = v_tenant AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id)
          AND (p_direction IS NULL OR p.direction = p_direction) AND (p_method IS NULL OR p.method = p_method)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    END IF;
END
$$;

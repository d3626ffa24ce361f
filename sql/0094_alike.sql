-- What looks alike is alike: codes of products and documents that differ in blanks or in what nobody sees, and the
-- typographic forms of apostrophes, hyphens and telephone numbers in searches.

-- Codes ---------------------------------------------------------------------------------------------------------------

-- A code as it is stored: each run of Unicode's white space is one space, none at the ends, and what nobody sees is not
-- there. Swift's TextRule makes the same of blanks and refuses the rest; this is for what is stored already, and a test
-- compares the two.
CREATE FUNCTION stock.code_text(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN p_text COLLATE "C" !~ '[^!-~]' THEN p_text
    ELSE btrim(regexp_replace(
        regexp_replace(p_text COLLATE "C",
            E'[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U0001bca0-\U0001bca3'
             '\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]+', '', 'g'),
        E'[ \t\n\x0b\x0c\r\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+', ' ', 'g'))
END COLLATE "C";

-- Searches ------------------------------------------------------------------------------------------------------------

-- As before, and besides: apostrophes, and accents that stand by themselves, are the plain apostrophe, hyphens and dashes
-- the plain hyphen, and a run of blanks is one space, so that a look-up of a code need not count them. Some of these
-- signs come out of the decomposition; acute accents would become a blank in it, and go before.
CREATE OR REPLACE FUNCTION stock.search_text(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(CASE
    WHEN octet_length(p_text) = length(p_text)
    THEN btrim(translate(lower(p_text COLLATE "C"), E'`\t\n\x0b\x0c\r', E'\x27     '))
    ELSE btrim(translate(
        regexp_replace(
            lower(upper(lower(normalize(translate(p_text, E'\u00b4\u1ffd', E'\x27\x27'), NFKD) COLLATE "und-x-icu")))
            COLLATE "C",
            '[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f'
            '\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff'
            '\ufe00-\ufe0f\ufe20-\ufe2f\u00ad\u200b-\u200f\u2060\ufeff]+', '', 'g'),
        -- Letters with a stroke are letters with an accent that Unicode does not take apart.
        E'ςłøđħŧ`\u2018\u2019\u201b\u02b9\u02bb\u02bc\u2032\u2010\u2011\u2012\u2013\u2014\u2015\u2212'
         '\t\n\x0b\x0c\r\u0085\u1680\u2028\u2029',
        E'σlodht\x27\x27\x27\x27\x27\x27\x27\x27-------         '))
END COLLATE "C", '  +', ' ', 'g') COLLATE "C";

-- Text in which digits stand together that only separators of telephone numbers keep apart: (030) 123/45-67 is
-- 0301234567. Not a part of search_text: SKUs 1-23 and 12-3 are two.
CREATE FUNCTION stock.digits_joined(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(regexp_replace(p_text, '\((?=[0-9])|(?<=[0-9])\)', '', 'g'),
                      '(?<=[0-9])[ ./-]+(?=[0-9])', '', 'g') COLLATE "C";

-- A text in both forms, where they differ: a number is found however it is written, and so is each part of it.
CREATE FUNCTION stock.both_forms(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN stock.digits_joined(p_text) = p_text THEN p_text ELSE p_text || ' ' || stock.digits_joined(p_text) END
       COLLATE "C";

-- Stored columns are made by these functions, and are made again by being new: PostgreSQL 15 cannot change how one is
-- made. The former ones tell for a moment what has changed. Row-level security binds the owner as well: it is lifted for
-- this transaction.
DO $$
DECLARE
    v_rel text;
BEGIN
    FOREACH v_rel IN ARRAY ARRAY['category', 'unit', 'product', 'product_barcode', 'customer', 'sale', 'sale_return',
                                 'product_search', 'customer_search'] LOOP
        EXECUTE format('ALTER TABLE stock.%I NO FORCE ROW LEVEL SECURITY', v_rel);
    END LOOP;
END
$$;

ALTER TABLE stock.product RENAME COLUMN search_text TO former_text;
ALTER TABLE stock.product
    DROP COLUMN sku_search,
    ADD COLUMN search_text text GENERATED ALWAYS AS (stock.search_text(name || ' ' || coalesce(sku, ''))) STORED,
    ADD COLUMN sku_search text GENERATED ALWAYS AS (stock.search_text(sku)) STORED;
ALTER TABLE stock.product_barcode RENAME COLUMN search_text TO former_text;
ALTER TABLE stock.product_barcode
    ADD COLUMN search_text text GENERATED ALWAYS AS (stock.search_text(code)) STORED;
ALTER TABLE stock.customer RENAME COLUMN search_text TO former_text;
ALTER TABLE stock.customer
    ADD COLUMN search_text text GENERATED ALWAYS AS (stock.both_forms(stock.search_text(
        name || ' ' || coalesce(tax_id, '') || ' ' || coalesce(phone, '') || ' ' || coalesce(email, '')))) STORED;

UPDATE stock.product_search s SET pairs = s.pairs || w.pairs
FROM (SELECT p.tenant_id, p.id, stock.search_pairs(p.tenant_id, p.search_text) AS pairs FROM stock.product p
      WHERE p.search_text <> p.former_text) w
WHERE s.tenant_id = w.tenant_id AND s.product_id = w.id AND NOT s.pairs @> w.pairs;
UPDATE stock.product_search s SET pairs = s.pairs || w.pairs
FROM (SELECT b.tenant_id, b.product_id, stock.search_pairs(b.tenant_id, string_agg(b.search_text, ' ')) AS pairs
      FROM stock.product_barcode b WHERE b.search_text <> b.former_text GROUP BY b.tenant_id, b.product_id) w
WHERE s.tenant_id = w.tenant_id AND s.product_id = w.product_id AND NOT s.pairs @> w.pairs;
UPDATE stock.customer_search s SET pairs = s.pairs || w.pairs
FROM (SELECT c.tenant_id, c.id, stock.search_pairs(c.tenant_id, c.search_text) AS pairs FROM stock.customer c
      WHERE c.search_text <> c.former_text) w
WHERE s.tenant_id = w.tenant_id AND s.customer_id = w.id AND NOT s.pairs @> w.pairs;

ALTER TABLE stock.product DROP COLUMN former_text;
ALTER TABLE stock.product_barcode DROP COLUMN former_text;
ALTER TABLE stock.customer DROP COLUMN former_text;
CREATE INDEX product_sku_search_idx ON stock.product (tenant_id, sku_search) WHERE sku_search IS NOT NULL;
CREATE INDEX product_barcode_search_idx ON stock.product_barcode (tenant_id, search_text) WHERE search_text IS NOT NULL;

-- As before, but for the words: the digits of each stand together, as they do in the customer's second form.
CREATE OR REPLACE FUNCTION stock.customer_page(
    p_q text, p_active boolean, p_owes boolean, p_count integer, p_after text, p_after_id uuid
) RETURNS TABLE (id uuid, name_key text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_words   text[] := (
        SELECT array_agg(stock.digits_joined(w.word))
        FROM unnest(array_remove(string_to_array(stock.search_text(p_q), ' '), '')) AS w (word));
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

-- What was stored before ----------------------------------------------------------------------------------------------

-- Few rows, if any. As in 0022: where another row has the key already, the row whose code changes gives way, and a number
-- is put behind its code, so that nothing is lost and nothing refers to another row than before. What was made of
-- invisible characters alone is no code.
DO $$
DECLARE
    stale  record;
    v_base text;
    v_text text;
    v_tail text;
    v_n    integer;
    v_rel  text;
BEGIN
    FOR stale IN
        SELECT p.tenant_id, p.id, p.sku AS text FROM stock.product p WHERE p.sku <> stock.code_text(p.sku)
        ORDER BY p.tenant_id, p.created_at, p.id
    LOOP
        v_base := nullif(stock.code_text(stale.text), '');
        v_text := v_base;
        v_n := 1;
        WHILE EXISTS (SELECT FROM stock.product p WHERE p.tenant_id = stale.tenant_id AND p.sku_key = stock.folded(v_text)
                                                    AND p.id <> stale.id) LOOP
            v_n := v_n + 1;
            v_tail := ' (' || v_n || ')';
            v_text := left(v_base, 100 - length(v_tail)) || v_tail;
        END LOOP;
        UPDATE stock.product p SET sku = v_text, version = p.version + 1, updated_at = now()
        WHERE p.tenant_id = stale.tenant_id AND p.id = stale.id;
    END LOOP;

    DELETE FROM stock.product_barcode b
    WHERE b.code <> stock.code_text(b.code) AND (stock.code_text(b.code) = '' OR EXISTS (
        SELECT FROM stock.product_barcode o
        WHERE o.tenant_id = b.tenant_id AND o.product_id = b.product_id AND o.code <> b.code
          AND stock.code_text(o.code) = stock.code_text(b.code) AND (o.code = stock.code_text(o.code) OR o.code < b.code)));
    UPDATE stock.product_barcode SET code = stock.code_text(code) WHERE code <> stock.code_text(code);

    -- Where two become one, both stay as they are: which of them another system means, nobody can tell.
    FOREACH v_rel IN ARRAY ARRAY['category', 'unit', 'product', 'customer', 'sale', 'sale_return'] LOOP
        EXECUTE format(
            'UPDATE stock.%1$I r SET external_id = stock.code_text(r.external_id)%2$s
             WHERE r.external_id <> stock.code_text(r.external_id) AND stock.code_text(r.external_id) <> '''' AND NOT EXISTS (
                 SELECT FROM stock.%1$I o
                 WHERE o.tenant_id = r.tenant_id AND o.id <> r.id
                   AND stock.code_text(o.external_id) = stock.code_text(r.external_id))',
            v_rel, CASE WHEN v_rel <> 'sale_return' THEN ', version = r.version + 1, updated_at = now()' END);
    END LOOP;

    FOREACH v_rel IN ARRAY ARRAY['category', 'unit', 'product', 'product_barcode', 'customer', 'sale', 'sale_return',
                                 'product_search', 'customer_search'] LOOP
        EXECUTE format('ALTER TABLE stock.%I FORCE ROW LEVEL SECURITY', v_rel);
    END LOOP;
END
$$;

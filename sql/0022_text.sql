-- How text is compared and searched. Both functions read ASCII by itself first: it is most of what there is.

-- Text as keys compare it: case does not count, accents do, every form of a letter is one. Lower case alone made two
-- small sigmas of one capital, by its place in the word, so that the same word in another case was another key; and a
-- few letters have accents that are composed in one case only.
CREATE OR REPLACE FUNCTION stock.folded(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN octet_length(p_text) = length(p_text) THEN lower(p_text COLLATE "C")
    ELSE normalize(translate(lower(p_text COLLATE "und-x-icu") COLLATE "C", 'ς', 'σ'), NFC)
END COLLATE "C";

-- Text as a search compares it: neither case nor accents count, every blank is a space, none at the ends, and what
-- nobody sees is not there. Lower, upper, lower: some letters meet only in their capitals (ß and SS, both sigmas), one
-- only in its small form. Marks go after the capitals are made, as one of them is a letter there (the Greek iota
-- below). Marks that make another letter of Indic, Thai or Japanese writing stay.
CREATE FUNCTION stock.search_text(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN octet_length(p_text) = length(p_text)
    THEN btrim(translate(lower(p_text COLLATE "C"), E'\t\n\x0b\x0c\r', '     '))
    ELSE btrim(translate(
        regexp_replace(
            lower(upper(lower(normalize(p_text, NFKD) COLLATE "und-x-icu"))) COLLATE "C",
            '[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f'
            '\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff'
            '\ufe00-\ufe0f\ufe20-\ufe2f\u00ad\u200b-\u200f\u2060\ufeff]+', '', 'g'),
        -- Letters with a stroke are letters with an accent that Unicode does not take apart.
        E'ςłøđħŧ\t\n\x0b\x0c\r\u0085\u1680\u2028\u2029', 'σlodht         '))
END COLLATE "C";

-- Text without Unicode's white space at its ends.
CREATE FUNCTION stock.trimmed(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN btrim(p_text, E' \t\n\x0b\x0c\r\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009'
                     '\u200a\u2028\u2029\u202f\u205f\u3000');

-- What was stored before. Row-level security binds the owner as well: it is lifted for this transaction.
ALTER TABLE stock.category NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.unit NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.register NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.product NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.product_barcode NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.customer NO FORCE ROW LEVEL SECURITY;

-- Names and codes whose key is another now, or that have white space at their ends (imports took a no-break space for
-- text). Few rows, if any. Where another row has the key already, the row whose key changes gives way: a number is put
-- behind its text, so that nothing is lost and nothing refers to another row than before.
DO $$
DECLARE
    keyed  record;
    stale  record;
    v_base text;
    v_text text;
    v_tail text;
    v_n    integer;
    v_held boolean;
BEGIN
    FOR keyed IN
        SELECT * FROM (VALUES ('category', 'name', 'name_key', 200), ('unit', 'name', 'name_key', 200),
                              ('register', 'name', 'name_key', 200), ('product', 'sku', 'sku_key', 100))
            AS k (rel, field, key, longest)
    LOOP
        FOR stale IN EXECUTE format(
            'SELECT tenant_id, id, %2$I AS text FROM stock.%1$I
             WHERE %3$I IS DISTINCT FROM stock.folded(stock.trimmed(%2$I)) ORDER BY tenant_id, created_at, id',
            keyed.rel, keyed.field, keyed.key)
        LOOP
            v_base := coalesce(nullif(stock.trimmed(stale.text), ''), stale.text);
            v_text := v_base;
            v_n := 1;
            LOOP
                EXECUTE format('SELECT EXISTS (SELECT FROM stock.%1$I WHERE tenant_id = $1 AND %2$I = $2 AND id <> $3)',
                               keyed.rel, keyed.key)
                INTO v_held USING stale.tenant_id, stock.folded(v_text), stale.id;
                EXIT WHEN NOT v_held;
                v_n := v_n + 1;
                v_tail := ' (' || v_n || ')';
                v_text := left(v_base, keyed.longest - length(v_tail)) || v_tail;
            END LOOP;
            EXECUTE format('UPDATE stock.%1$I SET %2$I = $1, version = version + 1, updated_at = now()
                            WHERE tenant_id = $2 AND id = $3', keyed.rel, keyed.field)
            USING v_text, stale.tenant_id, stale.id;
        END LOOP;
    END LOOP;

    -- An address has no room for a number in brackets; what stands behind a plus is the mailbox's own affair.
    FOR stale IN
        SELECT u.id, u.email AS text FROM stock.app_user u WHERE u.email_key <> stock.folded(u.email)
        ORDER BY u.created_at, u.id
    LOOP
        UPDATE stock.app_user u
        SET email = CASE WHEN EXISTS (SELECT FROM stock.app_user o
                                      WHERE o.email_key = stock.folded(stale.text) AND o.id <> stale.id)
                         THEN replace(stale.text, '@', '+' || left(stale.id::text, 8) || '@') ELSE stale.text END,
            version = u.version + 1, updated_at = now()
        WHERE u.id = stale.id;
    END LOOP;
END
$$;

UPDATE stock.product SET name = coalesce(nullif(stock.trimmed(name), ''), name), version = version + 1, updated_at = now()
WHERE name_key <> stock.folded(stock.trimmed(name)) AND stock.trimmed(name) <> '';
UPDATE stock.customer SET name = stock.trimmed(name), version = version + 1, updated_at = now()
WHERE name_key <> stock.folded(stock.trimmed(name)) AND stock.trimmed(name) <> '';
-- A key can differ although there is nothing to trim, or nothing left of it.
UPDATE stock.product SET name = name WHERE name_key <> stock.folded(name);
UPDATE stock.customer SET name = name WHERE name_key <> stock.folded(name);

DELETE FROM stock.product_barcode b
WHERE b.code <> stock.trimmed(b.code) AND (stock.trimmed(b.code) = '' OR EXISTS (
    SELECT FROM stock.product_barcode o
    WHERE o.tenant_id = b.tenant_id AND o.product_id = b.product_id AND o.code <> b.code
      AND stock.trimmed(o.code) = stock.trimmed(b.code) AND (o.code = stock.trimmed(o.code) OR o.code < b.code)));
UPDATE stock.product_barcode SET code = stock.trimmed(code) WHERE code <> stock.trimmed(code);

-- Ids of other systems are told apart by their characters, which are composed now before they are compared.
DO $$
DECLARE
    v_rel text;
BEGIN
    FOREACH v_rel IN ARRAY ARRAY['category', 'unit', 'product', 'customer', 'sale', 'sale_return'] LOOP
        EXECUTE format('ALTER TABLE stock.%I NO FORCE ROW LEVEL SECURITY', v_rel);
        EXECUTE format(
            'UPDATE stock.%1$I r SET external_id = normalize(r.external_id, NFC)%2$s
             WHERE r.external_id IS NOT NFC NORMALIZED AND NOT EXISTS (
                 SELECT FROM stock.%1$I o
                 WHERE o.tenant_id = r.tenant_id AND o.id <> r.id
                   AND normalize(o.external_id, NFC) = normalize(r.external_id, NFC))',
            v_rel, CASE WHEN v_rel <> 'sale_return' THEN ', version = r.version + 1, updated_at = now()' END);
        EXECUTE format('ALTER TABLE stock.%I FORCE ROW LEVEL SECURITY', v_rel);
    END LOOP;
END
$$;

-- What is searched. A scan of one tenant's rows answers a search; under row-level security no index could serve an
-- operator that is not leak-proof, and those of pattern matching are not.
ALTER TABLE stock.product
    ADD COLUMN search_text text GENERATED ALWAYS AS (stock.search_text(name || ' ' || coalesce(sku, ''))) STORED,
    ADD COLUMN sku_search text GENERATED ALWAYS AS (stock.search_text(sku)) STORED;
ALTER TABLE stock.product_barcode
    ADD COLUMN search_text text GENERATED ALWAYS AS (stock.search_text(code)) STORED;
ALTER TABLE stock.customer
    ADD COLUMN search_text text GENERATED ALWAYS AS (stock.search_text(
        name || ' ' || coalesce(tax_id, '') || ' ' || coalesce(phone, '') || ' ' || coalesce(email, ''))) STORED;

-- Look-up by code, equal without regard to case and accents. Partial, though that leaves out next to nothing: a plan made
-- on an empty table takes the newest index that begins with the tenant, which this must not be for any other question.
CREATE INDEX product_sku_search_idx ON stock.product (tenant_id, sku_search) WHERE sku_search IS NOT NULL;
CREATE INDEX product_barcode_search_idx ON stock.product_barcode (tenant_id, search_text) WHERE search_text IS NOT NULL;
DROP INDEX stock.product_barcode_code_idx;

ALTER TABLE stock.category FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.unit FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.register FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.product FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.product_barcode FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.customer FORCE ROW LEVEL SECURITY;

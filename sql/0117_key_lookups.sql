-- A look-up by a key may be answered by any index that has the key's columns. On a table that was empty when a plan was made
-- the server finds them equally good, and one that does not begin with them makes it read all that the tenant has: half of the
-- movements of an import looked through all levels of their place. Such an index is partial, by what no look-up asks for.

DROP INDEX stock.location_level_location_idx;
CREATE INDEX location_level_location_idx ON stock.location_level (tenant_id, location_id, name_key, product_id) WHERE NOT archived;

-- What lists by name are read along: they ask for names from one on.
DROP INDEX stock.customer_name_idx, stock.supplier_name_idx, stock.payment_method_name_idx, stock.tax_name_idx,
           stock.tax_group_name_idx, stock.location_name_idx, stock.register_name_idx;
CREATE INDEX customer_name_idx ON stock.customer (tenant_id, name_key, id) WHERE name_key IS NOT NULL;
CREATE INDEX supplier_name_idx ON stock.supplier (tenant_id, name_key, id) WHERE name_key IS NOT NULL;
CREATE INDEX payment_method_name_idx ON stock.payment_method (tenant_id, name_key, id) WHERE name_key IS NOT NULL;
CREATE INDEX tax_name_idx ON stock.tax (tenant_id, name_key, id) WHERE name_key IS NOT NULL;
CREATE INDEX tax_group_name_idx ON stock.tax_group (tenant_id, name_key, id) WHERE name_key IS NOT NULL;
CREATE INDEX location_name_idx ON stock.location (tenant_id, name_key, id) WHERE name_key IS NOT NULL;
CREATE INDEX register_name_idx ON stock.register (tenant_id, name_key, id) WHERE name_key IS NOT NULL;

-- As before, but that it says from which name on, so that the index is found.
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
                WHERE c.tenant_id = v_tenant AND c.name_key >= v_key AND (c.name_key, c.id) > (v_key, v_id)
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

-- Names that are unique. The code of a payment method, which days' totals lead to, can not be partial: a shop has a dozen of them.
ALTER TABLE stock.register DROP CONSTRAINT register_tenant_id_name_key_key;
ALTER TABLE stock.category DROP CONSTRAINT category_tenant_id_name_key_key;
ALTER TABLE stock.unit DROP CONSTRAINT unit_tenant_id_name_key_key;
CREATE UNIQUE INDEX register_name_key_idx ON stock.register (tenant_id, name_key) WHERE name_key IS NOT NULL;
CREATE UNIQUE INDEX category_name_key_idx ON stock.category (tenant_id, name_key) WHERE name_key IS NOT NULL;
CREATE UNIQUE INDEX unit_name_key_idx ON stock.unit (tenant_id, name_key) WHERE name_key IS NOT NULL;

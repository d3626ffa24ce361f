-- Products that come in many at once: what they are found by is written once, with their barcodes, and goes into its index
-- together. docs/decisions/0061-what-an-import-costs.md has what was measured.

-- The functions that write what products are found by say how much may wait beside the index of pairs: as little as ever,
-- unless many come at once. What the index itself says goes before what they say.
ALTER INDEX stock.product_search_pairs_idx RESET (gin_pending_list_limit);
ALTER FUNCTION stock.product_searched(bigint, uuid[]) SET gin_pending_list_limit = '128kB';

-- Statement trigger of products.
CREATE OR REPLACE FUNCTION stock.product_words_changed() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET gin_pending_list_limit = '128kB' AS $$
DECLARE
    v_first bigint := 0;
    v_rows  bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT count(*) INTO v_rows FROM changed;
        LOOP
            -- Of many, some thousands wait beside the index: what shares a pair goes in together. The last one ends the
            -- waiting, and no more wait than a search reads in a few milliseconds, as each reads what waits.
            PERFORM set_config('gin_pending_list_limit', CASE WHEN v_rows - v_first > 100 THEN '2MB' ELSE '128kB' END, true);
            INSERT INTO stock.product_search (tenant_id, product_id, name_key, pairs)
            SELECT c.tenant_id, c.id, c.name_key, stock.search_pairs(c.tenant_id, concat_ws(' ', c.search_text, (
                       SELECT string_agg(b.search_text, ' ') FROM stock.product_barcode b
                       WHERE b.tenant_id = c.tenant_id AND b.product_id = c.id)))
            FROM (SELECT n.tenant_id, n.id, n.name_key, n.search_text FROM changed n
                  OFFSET v_first LIMIT CASE WHEN v_rows - v_first > 100 THEN v_rows - 1 END) c;
            EXIT WHEN v_rows - v_first <= 100;
            v_first := v_rows - 1;
        END LOOP;
    ELSE
        PERFORM stock.product_searched(c.tenant_id, array_agg(c.id))
        FROM (SELECT n.tenant_id, n.id, n.name_key, n.search_text FROM changed n
              EXCEPT SELECT o.tenant_id, o.id, o.name_key, o.search_text FROM replaced o) c
        GROUP BY c.tenant_id;
    END IF;
    RETURN NULL;
END
$$;

-- The row is there, with its name: a product makes it. It may have the codes already, which its own statement wrote.
CALL stock.amend('barcodes_changed', '        -- The row is there, with its name: a product makes it.
', '');
CALL stock.amend('barcodes_changed', 'DO UPDATE SET pairs = s.pairs || excluded.pairs;',
                 'DO UPDATE SET pairs = s.pairs || excluded.pairs WHERE NOT s.pairs @> excluded.pairs;');
ALTER FUNCTION stock.barcodes_changed() SET gin_pending_list_limit = '128kB';

-- A product has a unit of its tenant, so there is the tenant.
ALTER TABLE stock.product DROP CONSTRAINT product_tenant_id_fkey;

-- Barcodes of new products are written by the statement that makes these: what they are found by is written once.
CALL stock.amend('upsert_products', $$        )
        SELECT ARRAY(SELECT w.id FROM written w)
    $sql$ INTO v_written$$, $$        ), coded AS (
            INSERT INTO stock.product_barcode (tenant_id, product_id, code)
            SELECT $1, w.id, c.code
            FROM unnest($18, $3, $19) AS w (id, target, barcodes), unnest(stock.barcode_set(w.barcodes)) AS c (code)
            WHERE w.target = w.id
        )
        SELECT ARRAY(SELECT w.id FROM written w)
    $sql$ INTO v_written$$);
CALL stock.amend('upsert_products', $$v_touched, p_groups;
$$, $$v_touched, p_groups,
          p_ids, p_barcodes;
$$);
CALL stock.amend('upsert_products', $$    INSERT INTO stock.product_barcode (tenant_id, product_id, code)
    SELECT v_tenant, w.id, c.code
    FROM unnest(p_ids, v_targets, p_barcodes) AS w (id, target, barcodes), unnest(stock.barcode_set(w.barcodes)) AS c (code)
    WHERE w.target = w.id;

$$, '');

-- What is searched for does not name the tenant any more. Each pair of letters is the tenant's own, and an entry that all rows of a shop
-- are under was read whole beside each search, however few rows had its rarest pair: 22 ms instead of 0.5 of 100,000 products.

-- Products that may hold the words, by name from a place on.
CREATE OR REPLACE FUNCTION stock.product_candidates(p_words text[], p_after text, p_after_id uuid) RETURNS uuid[]
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
             unnest((stock.search_pairs(v_tenant, w.word))[2:greatest(length(w.word), 2)]) AS p (pair)
    )::text, true);
    SELECT array_agg(s.product_id ORDER BY s.name_key, s.product_id) INTO v_products FROM stock.product_search s
    WHERE s.tenant_id = v_tenant AND (s.name_key, s.product_id) > (p_after, p_after_id);
    PERFORM set_config('stock.search', '', true);
    RETURN v_products;
END
$$;

-- Customers, likewise.
CREATE OR REPLACE FUNCTION stock.customer_candidates(p_words text[], p_after text, p_after_id uuid) RETURNS uuid[]
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
             unnest((stock.search_pairs(v_tenant, w.word))[2:greatest(length(w.word), 2)]) AS p (pair)
    )::text, true);
    SELECT array_agg(s.customer_id ORDER BY s.name_key, s.customer_id) INTO v_customers FROM stock.customer_search s
    WHERE s.tenant_id = v_tenant AND (s.name_key, s.customer_id) > (p_after, p_after_id);
    PERFORM set_config('stock.search', '', true);
    RETURN v_customers;
END
$$;

-- Of the words of a search those that most products do not have (0232), of some and of the first ones that the shop has had: the products
-- at one place of a list by name may have a word in common that few others have. All of them, where most have each.
CREATE OR REPLACE FUNCTION stock.telling_words(p_words text[], p_products uuid[]) RETURNS text[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    v_products uuid[] := p_products || ARRAY(
        SELECT o.id FROM stock.product o WHERE o.tenant_id = stock.current_tenant() ORDER BY o.id LIMIT 50);
BEGIN
    RETURN coalesce((
        SELECT array_agg(w.word) FROM unnest(p_words) AS w (word)
        WHERE 4 * (SELECT count(*) FROM unnest(v_products) AS i (id), LATERAL (
                       SELECT strpos(o.search_text, w.word) AS place FROM stock.product o
                       WHERE o.tenant_id = stock.current_tenant() AND o.id = i.id OFFSET 0) p
                   WHERE p.place > 0) < 3 * cardinality(v_products)), p_words);
END
$$;

-- Customers by what they owe, purchases by what they came to and by when they are due.

-- Numbers in the order of what they are of, as for prices (0232).
ALTER TABLE stock.customer_account ADD COLUMN balance_key bigint GENERATED ALWAYS AS ((balance * 10000)::bigint) STORED;
ALTER TABLE stock.purchase ADD COLUMN total_key bigint GENERATED ALWAYS AS ((total * 10000)::bigint) STORED;

-- A sale that is paid does not change what anybody owes, and enters neither of these.
CREATE INDEX customer_account_balance_idx ON stock.customer_account (tenant_id, balance_key, customer_id)
    WHERE balance_key IS NOT NULL;
CREATE INDEX purchase_total_idx ON stock.purchase (tenant_id, total_key, id) WHERE total_key IS NOT NULL;
CREATE INDEX purchase_due_on_idx ON stock.purchase (tenant_id, (CASE WHEN due_on IS NULL THEN 'infinity' ELSE due_on END), id)
    WHERE CASE WHEN due_on IS NULL THEN 'infinity' ELSE due_on END IS NOT NULL;

-- The next accounts in the order of balances, behind a place: of all, or of those who owe something, or of those who do not.
CREATE FUNCTION stock.accounts_along(p_descending boolean, p_owes boolean, p_count integer, p_after bigint, p_after_id uuid)
RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    -- No balance has more than 18 digits.
    v_least  bigint := CASE WHEN p_owes THEN 1 ELSE -1e18 END;
    v_most   bigint := CASE WHEN NOT p_owes THEN 0 ELSE 1e18 END;
BEGIN
    IF p_descending THEN
        RETURN ARRAY(
            SELECT a.customer_id FROM stock.customer_account a
            WHERE a.tenant_id = v_tenant AND a.balance_key BETWEEN v_least AND v_most
              AND (a.balance_key, a.customer_id)
                  < (coalesce(p_after, v_most), coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
            ORDER BY a.balance_key DESC, a.customer_id DESC LIMIT p_count);
    END IF;
    RETURN ARRAY(
        SELECT a.customer_id FROM stock.customer_account a
        WHERE a.tenant_id = v_tenant AND a.balance_key BETWEEN v_least AND v_most
          AND (a.balance_key, a.customer_id)
              > (coalesce(p_after, v_least), coalesce(p_after_id, '00000000-0000-0000-0000-000000000000'))
        ORDER BY a.balance_key, a.customer_id LIMIT p_count);
END
$$;

-- Those of few customers whose accounts stand behind a place, in that order.
CREATE FUNCTION stock.accounts_sorted(p_descending boolean, p_ids uuid[], p_after bigint, p_after_id uuid) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN ARRAY(
        SELECT a.customer_id
        FROM unnest(p_ids) AS w (id), LATERAL (
            SELECT o.customer_id, o.balance_key FROM stock.customer_account o
            WHERE o.tenant_id = stock.current_tenant() AND o.customer_id = w.id OFFSET 0) a
        WHERE p_after IS NULL
           OR CASE WHEN p_descending THEN (a.balance_key, a.customer_id) < (p_after, p_after_id)
                   ELSE (a.balance_key, a.customer_id) > (p_after, p_after_id) END
        ORDER BY CASE WHEN p_descending THEN a.balance_key END DESC, CASE WHEN p_descending THEN a.customer_id END DESC,
                 a.balance_key, a.customer_id);
END
$$;

-- A page of customers, by name unless p_sort says `balance`.
DROP FUNCTION stock.customer_page(text, boolean, boolean, integer, text, uuid);
CREATE FUNCTION stock.customer_page(
    p_q text, p_active boolean, p_owes boolean, p_count integer, p_after text, p_after_id uuid, p_sort text DEFAULT 'name',
    p_descending boolean DEFAULT false
) RETURNS TABLE (id uuid, sort_key text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_words   text[] := (
        SELECT array_agg(stock.digits_joined(w.word))
        FROM unnest(array_remove(string_to_array(stock.search_text(p_q), ' '), '')) AS w (word));
    v_by_name boolean := p_sort = 'name';
    v_key     text := CASE WHEN v_by_name THEN coalesce(p_after, '') END;
    v_balance bigint := CASE WHEN NOT v_by_name THEN p_after::bigint END;
    v_id      uuid := CASE WHEN v_by_name THEN coalesce(p_after_id, '00000000-0000-0000-0000-000000000000') ELSE p_after_id END;
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
                v_few := coalesce(CASE
                    WHEN v_by_name THEN stock.customer_candidates(v_words, v_key, v_id)
                    ELSE stock.accounts_sorted(
                        p_descending, stock.customer_candidates(v_words, '', '00000000-0000-0000-0000-000000000000'), v_balance,
                        v_id) END, '{}');
            ELSIF NOT v_by_name AND NOT p_active THEN
                v_few := stock.accounts_sorted(
                    p_descending, ARRAY(SELECT c.id FROM stock.customer c
                                        WHERE c.tenant_id = v_tenant AND NOT c.active AND c.name_key IS NOT NULL), v_balance, v_id);
            ELSIF v_by_name AND p_owes THEN
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
        ELSIF NOT v_by_name THEN
            v_portion := stock.accounts_along(p_descending, p_owes, v_size, v_balance, v_id);
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
        SELECT c.id, CASE WHEN v_by_name THEN c.name_key ELSE c.balance_key::text END
        FROM unnest(v_portion) WITH ORDINALITY AS w (id, place), LATERAL (
            SELECT o.id, o.name_key, a.balance_key FROM stock.customer o, LATERAL (
                SELECT x.balance_key, x.owes FROM stock.customer_account x
                WHERE x.tenant_id = v_tenant AND x.customer_id = w.id OFFSET 0) a
            WHERE o.tenant_id = v_tenant AND o.id = w.id AND (p_active IS NULL OR o.active = p_active)
              AND (v_words IS NULL OR NOT EXISTS (
                      SELECT FROM unnest(v_words) AS q (word) WHERE strpos(o.search_text, q.word) = 0))
              AND (p_owes IS NULL OR p_owes = a.owes)
            OFFSET 0
        ) c
        ORDER BY w.place LIMIT v_left;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        v_left := v_left - v_found;
        EXIT WHEN v_left = 0 OR cardinality(v_portion) < v_size;
        v_walked := v_walked + v_size;
        SELECT c.name_key, c.id, a.balance_key INTO v_key, v_id, v_balance
        FROM stock.customer c, LATERAL (
            SELECT o.balance_key FROM stock.customer_account o WHERE o.tenant_id = v_tenant AND o.customer_id = c.id OFFSET 0) a
        WHERE c.tenant_id = v_tenant AND c.id = v_portion[v_size];
        v_size := least(4 * v_size, 500);
    END LOOP;
END
$$;

-- A page of purchases by `total` or `due_on`; one that says no day is due last. Those that are found along another index than that of
-- the order - of a supplier, of some days, overdue, or not received yet - are read whole, and sorted.
CREATE FUNCTION stock.purchases_in_order(
    p_sort text, p_descending boolean, p_status text, p_supplier uuid, p_from date, p_to date, p_due_before date, p_after text,
    p_after_id uuid, p_count integer
) RETURNS TABLE (id uuid, sort_key text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    v_few text := CASE
        WHEN p_supplier IS NOT NULL THEN 'o.supplier_id = $2'
        WHEN p_due_before IS NOT NULL THEN 'o.due > 0 AND o.occurred_at IS NOT NULL'
        WHEN p_from IS NOT NULL THEN 'o.occurred_at >= ($4 - 1)::timestamptz AND ($5 IS NULL OR o.occurred_at < ($5 + 2)::timestamptz)'
        WHEN p_status <> 'received' THEN 'o.status = $3' END;
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT p.id, (%1$s)::text FROM %2$s p
         WHERE p.tenant_id = $1 AND %1$s IS NOT NULL AND ($7 IS NULL OR (%1$s, p.id) %3$s ($7::%4$s, $8))
           AND ($2 IS NULL OR p.supplier_id = $2) AND ($3 IS NULL OR p.status = $3)
           AND ($4 IS NULL OR p.business_day >= $4) AND ($5 IS NULL OR p.business_day <= $5)
           AND ($6 IS NULL OR p.due > 0 AND p.due_on < $6)
         ORDER BY %1$s %5$s, p.id %5$s LIMIT $9',
        CASE p_sort WHEN 'total' THEN 'p.total_key'
                    WHEN 'due_on' THEN 'CASE WHEN p.due_on IS NULL THEN ''infinity'' ELSE p.due_on END' END,
        coalesce('(SELECT o.* FROM stock.purchase o WHERE o.tenant_id = $1 AND ' || v_few || ' OFFSET 0)', 'stock.purchase'),
        CASE WHEN p_descending THEN '<' ELSE '>' END, CASE p_sort WHEN 'total' THEN 'bigint' ELSE 'date' END,
        CASE WHEN p_descending THEN 'DESC' ELSE 'ASC' END)
    USING stock.current_tenant(), p_supplier, p_status, p_from, p_to, p_due_before, p_after, p_after_id, p_count;
END
$$;

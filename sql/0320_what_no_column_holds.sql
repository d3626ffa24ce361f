-- What no column holds is rejected with the line that says it, and the rest of the file goes in: the sums of a document, what its customer
-- owes, and what is on hand behind it. Each figure of a file is bounded by itself where it is read; of their sums the database said that a
-- number is out of range, which named no line and ended the import. The rules and their sentences are those of requests.

-- Sentences --------------------------------------------------------------------------------------------------------------

-- Goods that would leave what can be counted (`can_move`).
CREATE FUNCTION stock.overflow_sentence(p_on_hand numeric, p_added numeric) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN format('On hand must stay between -999999999999.999999 and 999999999999.999999; it is %s, and %s would be added.',
              stock.quantity_text(p_on_hand), stock.quantity_text(p_added));
CALL stock.amend('refuse_overflow', $$'detail', format('On hand must stay between -999999999999.999999 and 999999999999.999999; it is %s, and %s '
                                'would be added.', stock.quantity_text(h.on_hand), stock.quantity_text(w.added)),
$$, $$'detail', stock.overflow_sentence(h.on_hand, w.added),
$$);

-- Debts that no account holds.
CREATE FUNCTION stock.debt_sentence(p_balance numeric, p_due numeric, p_exponent integer) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN format('What the customer owes must stay below 100000000000000; it is %s, and %s are added.',
              stock.money_text(p_balance, p_exponent), stock.money_text(p_due, p_exponent));
CALL stock.amend('customer_charge', $$'detail', format('What the customer owes must stay below 100000000000000; it is %s, and %s are added.',
                                     stock.money_text(v_balance, v_exponent), stock.money_text(p_due, v_exponent)))));
$$, $$'detail', stock.debt_sentence(v_balance, p_due, v_exponent))));
$$);

-- What is on hand ----------------------------------------------------------------------------------------------------------

-- The most that one of these products has, or lacks, at all places together: what moves less than what is left to the bound leaves it nowhere.
CREATE FUNCTION stock.import_fullest(p_products uuid[]) RETURNS numeric
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN (SELECT coalesce(max(h.on_hand), 0)
            FROM unnest(p_products) AS w (id),
            LATERAL (SELECT sum(abs(o.on_hand)) AS on_hand FROM stock.location_level o
                     WHERE o.tenant_id = v_tenant AND o.product_id = w.id) h);
END
$$;

-- Documents, in their order, whose goods would leave what can be counted, each with the product and a sentence: those that are told move
-- nothing. One element for each movement, at one place for each document; p_quantities: as they are added. What is of no document, or of a
-- product that does not track stock, moves nothing either.
CREATE FUNCTION stock.import_overfull(p_documents integer[], p_products uuid[], p_locations uuid[], p_quantities numeric[])
RETURNS TABLE (document integer, product_id uuid, fault text)
LANGUAGE plpgsql STABLE
-- Levels are found by their keys; what moves is joined in memory, and there may be as much of it as a file has.
SET enable_seqscan = off SET enable_hashjoin = on SET enable_mergejoin = off SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant    bigint := stock.current_tenant();
    -- What products have, and what is at their places.
    v_whole     numeric[];
    v_there     numeric[];
    -- What moves, document by document: of which of these, how much in all, and how much at once.
    v_documents integer[];
    v_products  uuid[];
    v_wholes    integer[];
    v_theres    integer[];
    v_added     numeric[];
    v_largest   numeric[];
    v_first     integer := 1;
    v_last      integer;
    v_is_kept   boolean;
BEGIN
    WITH step AS MATERIALIZED (
        SELECT w.document, w.product_id, w.location_id, sum(w.quantity) AS quantity, max(abs(w.quantity)) AS largest,
               row_number() OVER (ORDER BY w.document, w.product_id, w.location_id) AS place
        FROM unnest(p_documents, p_products, p_locations, p_quantities) AS w (document, product_id, location_id, quantity)
        WHERE w.document IS NOT NULL
        GROUP BY w.document, w.product_id, w.location_id
    ), whole AS MATERIALIZED (
        -- The others stay within it, whatever is left out.
        SELECT m.product_id, l.on_hand, (row_number() OVER (ORDER BY m.product_id))::integer AS n
        FROM (SELECT s.product_id, sum(abs(s.quantity)) AS quantity FROM step s GROUP BY s.product_id) m,
        LATERAL (SELECT o.tracks_stock FROM stock.product o
                 WHERE o.tenant_id = v_tenant AND o.id = m.product_id OFFSET 0) g,
        LATERAL (SELECT o.on_hand FROM stock.stock_level o
                 WHERE o.tenant_id = v_tenant AND o.product_id = m.product_id OFFSET 0) l,
        LATERAL (SELECT coalesce(sum(abs(o.on_hand)), 0) AS on_hand FROM stock.location_level o
                 WHERE o.tenant_id = v_tenant AND o.product_id = m.product_id) n
        WHERE g.tracks_stock AND m.quantity + n.on_hand >= 1000000000000
    ), there AS MATERIALIZED (
        SELECT m.product_id, m.location_id, coalesce(l.on_hand, 0) AS on_hand,
               (row_number() OVER (ORDER BY m.product_id, m.location_id))::integer AS n
        FROM (SELECT DISTINCT s.product_id, s.location_id FROM step s JOIN whole w ON w.product_id = s.product_id) m
        LEFT JOIN LATERAL (
            SELECT o.on_hand FROM stock.location_level o
            WHERE o.tenant_id = v_tenant AND o.product_id = m.product_id AND o.location_id = m.location_id OFFSET 0
        ) l ON true
    )
    SELECT (SELECT array_agg(w.on_hand ORDER BY w.n) FROM whole w), (SELECT array_agg(t.on_hand ORDER BY t.n) FROM there t),
           array_agg(s.document ORDER BY s.place), array_agg(s.product_id ORDER BY s.place),
           array_agg(w.n ORDER BY s.place), array_agg(t.n ORDER BY s.place), array_agg(s.quantity ORDER BY s.place),
           array_agg(s.largest ORDER BY s.place)
    INTO v_whole, v_there, v_documents, v_products, v_wholes, v_theres, v_added, v_largest
    FROM step s
    JOIN whole w ON w.product_id = s.product_id
    JOIN there t ON t.product_id = s.product_id AND t.location_id = s.location_id;

    WHILE v_first <= cardinality(v_documents) LOOP
        v_last := v_first;
        WHILE v_documents[v_last + 1] = v_documents[v_first] LOOP
            v_last := v_last + 1;
        END LOOP;
        v_is_kept := true;
        FOR i IN v_first..v_last LOOP
            fault := CASE
                WHEN NOT stock.can_move(0, NULL, v_largest[i], false) THEN
                    format('Less than 1000000000000 can be moved at once, not %s.', stock.quantity_text(v_largest[i]))
                WHEN NOT stock.can_move(v_whole[v_wholes[i]], NULL, v_added[i], false) THEN
                    stock.overflow_sentence(v_whole[v_wholes[i]], v_added[i])
                WHEN NOT stock.can_move(v_there[v_theres[i]], NULL, v_added[i], false) THEN
                    stock.overflow_sentence(v_there[v_theres[i]], v_added[i])
            END;
            IF fault IS NOT NULL THEN
                document := v_documents[i];
                product_id := v_products[i];
                v_is_kept := false;
                RETURN NEXT;
            END IF;
        END LOOP;
        IF v_is_kept THEN
            FOR i IN v_first..v_last LOOP
                v_whole[v_wholes[i]] := v_whole[v_wholes[i]] + v_added[i];
                v_there[v_theres[i]] := v_there[v_theres[i]] + v_added[i];
            END LOOP;
        END IF;
        v_first := v_last + 1;
    END LOOP;
END
$$;

-- Sales ----------------------------------------------------------------------------------------------------------------------

-- Refuses documents that would go in, each with a reason: that of a product is of the quantities of its lines, and one of none (NULL) of all
-- lines. The other lines go with them.
CREATE FUNCTION stock.import_reject_going(p_documents integer[], p_products uuid[], p_code text, p_reasons text[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = on SET work_mem = '64MB' AS $$
BEGIN
    IF coalesce(cardinality(p_documents), 0) = 0 THEN
        RETURN;
    END IF;
    INSERT INTO pg_temp.import_reject (line, code, kind, reason)
    SELECT l.line, p_code, CASE WHEN g.is_return THEN 2 WHEN l.unit_price = 0 THEN 1 ELSE 0 END,
           CASE WHEN w.product_id IS NULL THEN w.reason
                ELSE format('quantity is %s: %s', trim_scale(CASE WHEN g.is_return THEN -l.quantity ELSE l.quantity END), w.reason) END
    FROM unnest(p_documents, p_products, p_reasons) AS w (document, product_id, reason)
    JOIN pg_temp.import_going g ON g.document = w.document
    JOIN pg_temp.import_line l ON l.document = w.document
    JOIN pg_temp.import_product p ON p.sku = l.sku
    WHERE w.product_id IS NULL OR p.product_id = w.product_id;
    DELETE FROM pg_temp.import_going g WHERE g.document = ANY (p_documents);
    PERFORM stock.import_reject_partial();
END
$$;

-- Refuses documents by which their customers would owe more than an account holds; after `import_check_sums`, which says what is due.
CREATE FUNCTION stock.import_check_accounts() RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant    bigint := stock.current_tenant();
    v_document  integer;
    v_customer  uuid;
    v_due       numeric;
    v_balance   numeric;
    v_last      uuid;
    v_owed      numeric;
    v_documents integer[] := '{}';
    v_reasons   text[] := '{}';
BEGIN
    FOR v_document, v_customer, v_due, v_balance IN
        SELECT g.document, g.customer_id, g.due, a.balance
        FROM (SELECT o.customer_id, sum(o.due) AS due FROM pg_temp.import_going o WHERE o.due > 0 GROUP BY o.customer_id) c
        CROSS JOIN LATERAL (SELECT o.balance FROM stock.customer_account o
                            WHERE o.tenant_id = v_tenant AND o.customer_id = c.customer_id OFFSET 0) a
        JOIN pg_temp.import_going g ON g.customer_id = c.customer_id AND g.due > 0
        WHERE a.balance + c.due >= 100000000000000
        ORDER BY g.customer_id, g.document
    LOOP
        IF v_customer IS DISTINCT FROM v_last THEN
            v_last := v_customer;
            v_owed := v_balance;
        END IF;
        IF v_owed + v_due >= 100000000000000 THEN
            v_documents := v_documents || v_document;
            v_reasons := v_reasons || (
                SELECT format('customer is %s: %s', quote_literal(d.customer),
                              stock.debt_sentence(v_owed, v_due, t.currency_exponent))
                FROM pg_temp.import_document d, stock.tenant t WHERE d.ordinal = v_document AND t.id = v_tenant);
        ELSE
            v_owed := v_owed + v_due;
        END IF;
    END LOOP;
    PERFORM stock.import_reject_going(v_documents, NULL, 'amount_too_large', v_reasons);
END
$$;

-- Refuses documents that come to what no column holds. The most that any of the file could come to is asked first, which is hardly ever too
-- much; only then they are looked at one by one. Who is refused moves nothing, so that goods are asked last.
CREATE FUNCTION stock.import_check_bounds() RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = on SET work_mem = '64MB' AS $$
DECLARE
    v_rows      bigint;
    v_goods     numeric;
    v_most      numeric;
    v_amount    numeric;
    v_growth    numeric;
    v_per_unit  numeric;
    v_documents integer[];
    v_products  uuid[];
    v_reasons   text[];
BEGIN
    SELECT max(g.rows) INTO v_rows FROM pg_temp.import_going g;
    IF v_rows IS NULL THEN
        RETURN;
    END IF;
    SELECT sum(l.quantity), max(l.quantity), max(l.quantity * l.unit_price), 1 + coalesce(max(l.tax_rate), 0) / 100
    INTO v_goods, v_most, v_amount, v_growth
    FROM pg_temp.import_line l;
    -- Taxes make of a line at most what each of a group adds to what the others make of it.
    SELECT greatest(v_growth, max(t.growth)), coalesce(max(t.per_unit), 0) INTO v_growth, v_per_unit
    FROM (SELECT 1 + max(p.tax_rate) / 100 AS growth, 0::numeric AS per_unit FROM pg_temp.import_product p
          UNION ALL
          SELECT exp(coalesce(sum(ln(1 + (x.tax ->> 'rate')::numeric / 100)) FILTER (WHERE x.tax ->> 'kind' = 'percent'), 0)),
                 coalesce(sum((x.tax ->> 'rate')::numeric) FILTER (WHERE x.tax ->> 'kind' <> 'percent'), 0)
          FROM (SELECT DISTINCT p.taxes FROM pg_temp.import_product p WHERE p.taxes IS NOT NULL) g,
          LATERAL jsonb_array_elements(g.taxes) AS x (tax)
          GROUP BY g.taxes) t;
    -- One more for each line, by which it may have been rounded up.
    IF v_rows * (v_amount + v_most * v_per_unit + 1) * v_growth >= 100000000000000 THEN
        SELECT array_agg(d.document), array_agg(format('the lines of its document come to %s with their taxes; less than '
                                                       '100000000000000 is accepted', trim_scale(a.amount)))
        INTO v_documents, v_reasons
        FROM (SELECT g.document
              FROM pg_temp.import_going g JOIN pg_temp.import_line l ON l.document = g.document
              GROUP BY g.document
              HAVING (sum(l.quantity * l.unit_price) + sum(l.quantity) * v_per_unit + count(*)) * v_growth >= 100000000000000) d,
        LATERAL (SELECT greatest(sum(r.gross), sum(r.total)) AS amount
                 FROM stock.import_rows(d.document, d.document, NULL) r) a
        WHERE a.amount >= 100000000000000;
        PERFORM stock.import_reject_going(v_documents, NULL, 'amount_too_large', v_reasons);
    END IF;
    PERFORM stock.import_check_accounts();
    IF v_goods + stock.import_fullest(ARRAY(SELECT p.product_id FROM pg_temp.import_product p WHERE p.product_id IS NOT NULL))
       >= 1000000000000 THEN
        SELECT array_agg(f.document), array_agg(f.product_id), array_agg(f.fault) INTO v_documents, v_products, v_reasons
        FROM (SELECT array_agg(s.document) AS documents, array_agg(s.product_id) AS products,
                     array_agg(s.location_id) AS locations, array_agg(s.quantity) AS quantities
              FROM (SELECT g.document, p.product_id, g.location_id,
                           sum(CASE WHEN g.is_return THEN l.quantity ELSE -l.quantity END) AS quantity
                    FROM pg_temp.import_going g
                    JOIN pg_temp.import_line l ON l.document = g.document
                    JOIN pg_temp.import_product p ON p.sku = l.sku
                    GROUP BY g.document, p.product_id, g.location_id) s) m,
        LATERAL stock.import_overfull(m.documents, m.products, m.locations, m.quantities) f;
        PERFORM stock.import_reject_going(v_documents, v_products, 'value_invalid', v_reasons);
    END IF;
END
$$;
CALL stock.amend('import_cut', $$
    RETURN QUERY
    SELECT g.chunk,$$, $$    -- Behind all that refuses others: what these would have moved does not count.
    PERFORM stock.import_check_bounds();

    RETURN QUERY
    SELECT g.chunk,$$);
-- What was asked when the file was cut is so no more: asked again, the line is told.
CALL stock.amend('import_move', $$        RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range',
            MESSAGE = 'there would be more on hand than can be counted';
$$, $$        RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = 'invalid_state', DETAIL = '[]',
            HINT = 'What is on hand was changed while the file was imported, and would leave what can be counted; run the import again.';
$$);

-- Purchases ------------------------------------------------------------------------------------------------------------------

CALL stock.amend('import_purchases', $$
    v_number    bigint;
BEGIN$$, $$
    v_number    bigint;
    -- How much comes in all, and how many purchases are left of those that go in.
    v_added     numeric;
    v_kept      integer;
BEGIN$$);
CALL stock.amend('import_purchases', $$FILTER (WHERE n.is_new), 0))
    INTO v_errors, v_known, v_documents, v_suppliers, v_times, v_days, v_purchases
$$, $$FILTER (WHERE n.is_new), 0)),
           coalesce(sum(n.quantity) FILTER (WHERE n.is_new), 0)
    INTO v_errors, v_known, v_documents, v_suppliers, v_times, v_days, v_purchases, v_added
$$);
CALL stock.amend('import_purchases', $$'The lines come to too much.')$$,
                 $$format('The lines come to %s; less than 100000000000000 is accepted.', trim_scale(w.goods)))$$);
CALL stock.amend('import_purchases', $$
    IF cardinality(v_purchases) > 0 THEN
        SELECT array_agg(ROW($$, $$
    -- More than can be counted comes in hardly any batch: all of it, and what products have, tell.
    IF cardinality(v_purchases) > 0 AND v_added + stock.import_fullest(v_goods) >= 1000000000000 THEN
        WITH excess AS MATERIALIZED (
            SELECT f.document, f.product_id, f.fault
            FROM stock.import_overfull(v_documents, v_goods, v_locations, ARRAY(
                SELECT (r.named ->> 'quantity')::numeric FROM unnest(p_rows) WITH ORDINALITY AS r (named, place) ORDER BY r.place)) f
        ), asked AS (
            SELECT w.*, x.fault, EXISTS (SELECT FROM excess e WHERE e.document = w.document) AS is_refused
            FROM unnest(v_errors, v_known, v_documents, v_goods, p_rows) WITH ORDINALITY
                AS w (errors, is_known, document, product_id, named, place)
            LEFT JOIN excess x ON x.document = w.document AND x.product_id = w.product_id
        ), kept AS (
            SELECT a.*, a.document IS NOT NULL AND NOT a.is_refused AS is_new,
                   dense_rank() OVER (PARTITION BY a.document IS NOT NULL AND NOT a.is_refused ORDER BY a.document)::integer AS n
            FROM asked a
        )
        SELECT array_agg(CASE WHEN NOT k.is_refused THEN k.errors
                              WHEN k.fault IS NOT NULL THEN json_build_array(json_build_object(
                                  'pointer', '/quantity', 'code', 'out_of_range', 'detail', k.fault))
                              ELSE json_build_array(json_build_object(
                                  'pointer', '', 'code', v_torn,
                                  'detail', format('Another row of purchase %s was rejected.', quote_literal(k.named ->> 'reference')))) END
                         ORDER BY k.place),
               array_agg(k.is_known OR k.is_refused ORDER BY k.place),
               array_agg(CASE WHEN k.is_new THEN k.n END ORDER BY k.place), coalesce(max(k.n) FILTER (WHERE k.is_new), 0)
        INTO v_errors, v_known, v_documents, v_kept
        FROM kept k;
        v_purchases := v_purchases[1:v_kept];
    END IF;

    IF cardinality(v_purchases) > 0 THEN
        SELECT array_agg(ROW($$);
CALL stock.amend('import_purchases', $$                RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range',
                    MESSAGE = 'there would be more on hand than can be counted';
$$, $$                RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = 'invalid_state', DETAIL = '[]',
                    HINT = 'What is on hand was changed while the file was imported, and would leave what can be counted; run the import again.';
$$);

-- Levels ---------------------------------------------------------------------------------------------------------------------

-- What all places of a product would have together was told as oversold.
CALL stock.amend('import_levels', $$= ANY (v_moved) THEN json_build_array(json_build_object(
                'pointer', '/on_hand', 'code', 'insufficient_stock',
                'detail', 'Must not be below zero, as the product may not be oversold.')) END) AS errors
$$, $$= ANY (v_moved) THEN
                CASE WHEN w.quantity > 0 OR NOT stock.can_move(l.on_hand, NULL, w.quantity, false)
                     THEN json_build_array(json_build_object(
                         'pointer', '/on_hand', 'code', 'out_of_range', 'detail', stock.overflow_sentence(l.on_hand, w.quantity)))
                     ELSE json_build_array(json_build_object(
                         'pointer', '/on_hand', 'code', 'insufficient_stock',
                         'detail', 'Must not be below zero, as the product may not be oversold.')) END END) AS errors
        FROM (SELECT (SELECT o.on_hand FROM stock.stock_level o
                      WHERE o.tenant_id = v_tenant AND o.product_id = w.product_id) AS on_hand) l
$$);

-- Files of payments: a row is money that came in for one sale, or for what a customer owes, and names what somebody else calls it.

-- The sale that each text names: by its `external_id`, by the id that it has here, else by its number, if one till alone has it.
CREATE FUNCTION stock.import_sales_named(p_names text[]) RETURNS TABLE (place bigint, id uuid, copies bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_tills  uuid[] := ARRAY(SELECT r.id FROM stock.register r WHERE r.tenant_id = v_tenant);
BEGIN
    RETURN QUERY
    SELECT w.place, f.id, coalesce(f.copies, 0)
    FROM (SELECT n.place, n.name,
                 CASE WHEN n.name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN n.name::uuid END AS id,
                 CASE WHEN n.name ~ '^[1-9][0-9]{0,17}$' THEN n.name::bigint END AS number
          FROM unnest(p_names) WITH ORDINALITY AS n (name, place) OFFSET 0) w
    LEFT JOIN LATERAL (
        SELECT a.id, count(*) OVER (PARTITION BY a.rank) AS copies FROM (
            SELECT s.id, 1 AS rank FROM stock.sale s WHERE s.tenant_id = v_tenant AND s.external_id = w.name
            UNION ALL
            SELECT s.id, 2 FROM stock.sale s WHERE s.tenant_id = v_tenant AND s.id = w.id
            UNION ALL
            SELECT s.id, 3 FROM unnest(v_tills) AS t (id), LATERAL (
                SELECT o.id FROM stock.sale o
                WHERE o.tenant_id = v_tenant AND o.register_id = t.id AND o.number = w.number OFFSET 0) s
        ) a ORDER BY a.rank LIMIT 1
    ) f ON true;
END
$$;

-- Takes the payments of a batch, in the order of the file: each for the sale that its row names, or for the customer's sales, the oldest
-- first, and never more than is due. p_ids: what each would have as its id, which follows from what its row calls it; a row may also
-- name the id that a payment has here. One that is there with the same content is left alone; what can not be taken is answered with its
-- errors, and the others go in.
CREATE FUNCTION stock.import_payments(p_ids uuid[], p_rows json[])
RETURNS TABLE (place integer, outcome text, errors json)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant    stock.tenant;
    v_times     timestamptz[];
    v_days      date[];
    v_amounts   numeric[];
    v_methods   text[];
    v_customers uuid[];
    v_sales     uuid[];
    v_known     boolean[];
    v_errors    json[];
    -- What has something due, of one customer behind each other, the oldest first.
    v_owed      uuid[];
    v_dues      numeric[];
    v_made      timestamptz[];
    -- The first and the last of these that a row is for.
    v_firsts    integer[];
    v_lasts     integer[];
    v_taken     integer[] := '{}';
    v_shares    stock.share[] := '{}';
    v_due       numeric;
    v_left      numeric;
    v_share     numeric;
    v_last      integer;
    v_number    integer;
BEGIN
    SELECT t.* INTO STRICT v_tenant FROM stock.tenant t WHERE t.id = stock.current_tenant();
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.import.payment', v_tenant.id));
    WITH named AS MATERIALIZED (
        SELECT r.place, r.id, stock.import_time(r.named ->> 'occurred_at', v_tenant.timezone) AS occurred_at,
               CASE WHEN r.named ->> 'external_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                    THEN (r.named ->> 'external_id')::uuid END AS own_id,
               (r.named ->> 'amount')::numeric AS amount, r.named ->> 'method' AS method, r.named ->> 'sale' AS sale,
               r.named ->> 'customer' AS customer
        FROM unnest(p_ids, p_rows) WITH ORDINALITY AS r (id, named, place)
    ), sale AS MATERIALIZED (
        SELECT s.place, s.id, s.copies FROM stock.import_sales_named(ARRAY(SELECT n.sale FROM named n ORDER BY n.place)) s
    ), customer AS MATERIALIZED (
        SELECT c.place, c.id, c.copies
        FROM stock.import_named('customer', ARRAY(SELECT n.customer FROM named n ORDER BY n.place)) c
    ), held AS MATERIALIZED (
        SELECT n.*, (n.occurred_at AT TIME ZONE v_tenant.timezone)::date AS business_day, s.id AS sale_id, s.copies AS sales,
               c.id AS customer_id, c.copies AS customers, o.status, o.customer_id AS buyer_id, m.code AS known_method,
               k.id AS known_id, (k.occurred_at, k.amount, k.method, k.direction) = (n.occurred_at, n.amount, n.method, 'in')
                   AND (s.id IS NULL OR k.sale_id = s.id) AS is_same
        FROM named n
        JOIN sale s ON s.place = n.place
        JOIN customer c ON c.place = n.place
        LEFT JOIN LATERAL (
            SELECT f.status, f.customer_id FROM stock.sale f WHERE f.tenant_id = v_tenant.id AND f.id = s.id OFFSET 0) o ON true
        LEFT JOIN LATERAL (
            SELECT f.code FROM stock.payment_method f
            WHERE f.tenant_id = v_tenant.id AND f.code = n.method AND f.active OFFSET 0) m ON true
        LEFT JOIN LATERAL (
            SELECT e.* FROM (
                SELECT f.* FROM stock.payment f WHERE f.tenant_id = v_tenant.id AND f.id = n.id
                UNION ALL
                SELECT f.* FROM stock.payment f WHERE f.tenant_id = v_tenant.id AND f.id = n.own_id
                OFFSET 0
            ) e LIMIT 1) k ON true
    )
    SELECT array_agg(h.occurred_at ORDER BY h.place), array_agg(h.business_day ORDER BY h.place),
           array_agg(h.amount ORDER BY h.place), array_agg(h.method ORDER BY h.place),
           array_agg(CASE WHEN h.sale_id IS NULL THEN h.customer_id ELSE h.buyer_id END ORDER BY h.place),
           array_agg(h.sale_id ORDER BY h.place), array_agg(h.known_id IS NOT NULL ORDER BY h.place),
           array_agg(e.errors ORDER BY h.place)
    INTO v_times, v_days, v_amounts, v_methods, v_customers, v_sales, v_known, v_errors
    FROM held h,
    LATERAL (
        SELECT json_agg(json_build_object('pointer', v.field, 'code', v.code, 'detail', v.sentence)) AS errors
        FROM (
            SELECT '' AS field, 'duplicate' AS code, 'The payment is recorded already, and otherwise.' AS sentence
            WHERE h.known_id IS NOT NULL AND NOT coalesce(h.is_same, false)
            UNION ALL
            SELECT '/occurred_at', f.code, f.sentence
            FROM stock.import_moment_fault(h.occurred_at, h.business_day, v_tenant.closed_until) f
            WHERE h.known_id IS NULL
            UNION ALL
            SELECT o.field, o.code, o.sentence
            FROM (VALUES
                (min_scale(h.amount) > v_tenant.currency_exponent, '/amount', 'too_many_decimals',
                 format('Must have at most %s decimals, as the currency has.', v_tenant.currency_exponent)),
                (h.known_method IS NULL, '/method', 'not_found', 'There is no such active payment method.'),
                (h.sale IS NULL AND h.customer IS NULL, '/sale', 'required', 'Say for which sale, or of which customer.'),
                (h.sale IS NOT NULL AND h.sales = 0, '/sale', 'not_found', 'There is no such sale.'),
                (h.sales > 1, '/sale', 'duplicate', 'More than one till has a sale of this number; name its external_id.'),
                (h.status <> 'confirmed', '/sale', 'invalid_state', format('The sale is %s.', h.status)),
                (h.customer IS NOT NULL AND h.customers = 0, '/customer', 'not_found', 'There is no such customer.'),
                (h.customers > 1, '/customer', 'duplicate', 'More than one customer is called so; name the external_id.'),
                (h.sales = 1 AND h.customers = 1 AND h.buyer_id IS DISTINCT FROM h.customer_id, '/customer', 'invalid_state',
                 'The sale is not of this customer.')
            ) AS o (holds, field, code, sentence)
            WHERE o.holds AND h.known_id IS NULL
        ) v
    ) e;

    -- Held one behind the other, as whoever takes one payment holds them: the oldest first.
    v_owed := ARRAY(
        SELECT s.id
        FROM (SELECT n.id FROM unnest(v_sales) AS n (id) WHERE n.id IS NOT NULL
              UNION
              SELECT o.id
              FROM (SELECT DISTINCT n.id FROM unnest(v_customers, v_sales) AS n (id, sale_id) WHERE n.sale_id IS NULL) c,
              LATERAL (SELECT d.id FROM stock.sale d
                       WHERE d.tenant_id = v_tenant.id AND d.customer_id = c.id AND d.due > 0 OFFSET 0) o) w,
        LATERAL (SELECT o.id, o.occurred_at FROM stock.sale o WHERE o.tenant_id = v_tenant.id AND o.id = w.id OFFSET 0) s
        ORDER BY s.occurred_at, s.id);
    PERFORM FROM unnest(v_owed) AS w (id), LATERAL (
        SELECT FROM stock.sale o WHERE o.tenant_id = v_tenant.id AND o.id = w.id FOR NO KEY UPDATE) s;
    WITH owed AS MATERIALIZED (
        SELECT s.id, s.customer_id, s.due, s.occurred_at,
               (row_number() OVER (ORDER BY s.customer_id, s.occurred_at, s.id))::integer AS n
        FROM unnest(v_owed) AS w (id),
        LATERAL (SELECT o.id, o.customer_id, o.due, o.occurred_at FROM stock.sale o
                 WHERE o.tenant_id = v_tenant.id AND o.id = w.id OFFSET 0) s
    ), account AS (
        SELECT o.customer_id, min(o.n) AS first, max(o.n) AS last FROM owed o GROUP BY o.customer_id
    )
    SELECT (SELECT array_agg(o.id ORDER BY o.n) FROM owed o), (SELECT array_agg(o.due ORDER BY o.n) FROM owed o),
           (SELECT array_agg(o.occurred_at ORDER BY o.n) FROM owed o),
           array_agg(coalesce(o.n, a.first) ORDER BY r.place), array_agg(coalesce(o.n, a.last) ORDER BY r.place)
    INTO v_owed, v_dues, v_made, v_firsts, v_lasts
    FROM unnest(v_sales, v_customers) WITH ORDINALITY AS r (sale_id, customer_id, place)
    LEFT JOIN owed o ON o.id = r.sale_id
    LEFT JOIN account a ON a.customer_id = r.customer_id AND r.sale_id IS NULL;

    -- Row by row, as one takes from what the next may have; nothing is written yet.
    FOR v_place IN 1..cardinality(p_ids) LOOP
        CONTINUE WHEN v_known[v_place] OR v_errors[v_place] IS NOT NULL;
        v_due := 0;
        v_last := v_firsts[v_place];
        v_left := v_amounts[v_place];
        FOR v_at IN coalesce(v_firsts[v_place], 1)..coalesce(v_lasts[v_place], 0) LOOP
            IF v_due < v_left AND v_dues[v_at] > 0 THEN
                v_last := v_at;
            END IF;
            v_due := v_due + v_dues[v_at];
        END LOOP;
        IF v_left > v_due THEN
            v_errors[v_place] := json_build_array(json_build_object(
                'pointer', '/amount', 'code', 'payment_exceeds_due',
                'detail', format('The amount is more than what is due, %s.', stock.money_text(v_due, v_tenant.currency_exponent))));
        ELSIF v_times[v_place] < v_made[v_last] THEN
            v_errors[v_place] := json_build_array(json_build_object(
                'pointer', '/occurred_at', 'code', 'out_of_range',
                'detail', format('It is of a document of %s, and not dated before.', stock.rfc3339(v_made[v_last]))));
        ELSE
            v_taken := v_taken || v_place;
            v_number := 0;
            FOR v_at IN v_firsts[v_place]..v_last LOOP
                v_share := least(v_left, v_dues[v_at]);
                CONTINUE WHEN v_share <= 0;
                v_number := v_number + 1;
                v_shares := v_shares || ROW(p_ids[v_place], v_number, v_owed[v_at], v_share)::stock.share;
                v_dues[v_at] := v_dues[v_at] - v_share;
                v_left := v_left - v_share;
            END LOOP;
        END IF;
    END LOOP;

    IF cardinality(v_taken) > 0 THEN
        UPDATE stock.sale s
        SET paid = s.paid + h.amount, due = s.due - h.amount, version = s.version + 1, updated_at = now()
        FROM (SELECT n.sale_id, sum(n.amount) AS amount FROM unnest(v_shares) n GROUP BY n.sale_id) h
        WHERE s.tenant_id = v_tenant.id AND s.id = h.sale_id;
        UPDATE stock.customer_account a
        SET balance = a.balance - c.amount, version = a.version + 1, updated_at = now()
        FROM (SELECT v_customers[t.place] AS id, sum(v_amounts[t.place]) AS amount FROM unnest(v_taken) AS t (place)
              GROUP BY 1 ORDER BY 1) c
        WHERE a.tenant_id = v_tenant.id AND a.customer_id = c.id;
        PERFORM stock.post_money(ARRAY(
            SELECT ROW(p_ids[t.place], t.ledger_id, 'in', 'payment', v_methods[t.place], v_amounts[t.place], NULL,
                       v_sales[t.place], NULL, v_customers[t.place], NULL, v_times[t.place], v_days[t.place])::stock.posting
            FROM unnest(v_taken, stock.new_ids(cardinality(v_taken))) AS t (place, ledger_id) ORDER BY t.place), v_shares);
        INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, occurred_at)
        SELECT v_tenant.id, 'payment.received', p_ids[t.place],
               json_build_object('amount', v_amounts[t.place]::text, 'method', v_methods[t.place]), v_times[t.place]
        FROM unnest(v_taken) AS t (place);
    END IF;

    RETURN QUERY
    SELECT (w.place - 1)::integer,
           CASE WHEN w.errors IS NOT NULL THEN 'refused' WHEN w.is_known THEN 'unchanged' ELSE 'created' END, w.errors
    FROM unnest(v_known, v_errors) WITH ORDINALITY AS w (is_known, errors, place);
END
$$;

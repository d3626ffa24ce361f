-- Files of purchases: rows that share supplier and reference are one, which was ordered and came whole when they say.

-- Records the purchases of a batch, whole or not at all, in the order of their first rows. p_ids: those of the lines. One that is there,
-- and was not cancelled, is left alone if it has these lines, and refused otherwise.
CREATE FUNCTION stock.import_purchases(p_ids uuid[], p_rows json[])
RETURNS TABLE (place integer, outcome text, errors json)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    -- Of rows of files alone: no request is refused with it.
    v_torn      CONSTANT text := 'document_rejected';
    v_tenant    stock.tenant;
    v_register  uuid := stock.import_register();
    v_goods     uuid[];
    v_locations uuid[];
    v_errors    json[];
    v_known     boolean[];
    -- The purchase of each row that goes in, counted from 1, and what it becomes.
    v_documents integer[];
    v_suppliers uuid[];
    v_times     timestamptz[];
    v_days      date[];
    v_purchases uuid[];
    v_moves     stock.move[];
    v_levels    bigint;
    v_moved     bigint;
    v_number    bigint;
BEGIN
    SELECT t.* INTO STRICT v_tenant FROM stock.tenant t WHERE t.id = stock.current_tenant();
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.import.purchase', v_tenant.id));
    v_goods := stock.import_goods(p_rows);
    v_locations := stock.import_places(ARRAY(
        SELECT r.named ->> 'location' FROM unnest(p_rows) WITH ORDINALITY AS r (named, place) ORDER BY r.place));

    WITH named AS MATERIALIZED (
        SELECT r.place, r.named ->> 'reference' AS reference, r.named ->> 'supplier' AS supplier,
               stock.import_time(r.named ->> 'occurred_at', v_tenant.timezone) AS occurred_at,
               r.named ->> 'location' AS location, r.location_id, r.product_id,
               (r.named ->> 'quantity')::numeric AS quantity, (r.named ->> 'unit_cost')::numeric AS unit_cost
        FROM unnest(p_rows, v_goods, v_locations) WITH ORDINALITY AS r (named, product_id, location_id, place)
    ), supplier AS MATERIALIZED (
        SELECT s.place, s.id, s.copies
        FROM stock.import_named('supplier', ARRAY(SELECT n.supplier FROM named n ORDER BY n.place)) s
    ), placed AS MATERIALIZED (
        -- What happens at a place is of the day that it is there.
        SELECT n.*, s.id AS supplier_id, s.copies,
               (n.occurred_at AT TIME ZONE coalesce(g.timezone, v_tenant.timezone))::date AS business_day,
               min(n.place) OVER (PARTITION BY coalesce(s.id::text, stock.folded(n.supplier)), n.reference) AS document
        FROM named n
        JOIN supplier s ON s.place = n.place
        LEFT JOIN LATERAL (SELECT o.timezone FROM stock.location o
                           WHERE o.tenant_id = v_tenant.id AND o.id = n.location_id OFFSET 0) g ON true
    ), known AS MATERIALIZED (
        SELECT d.document, d.lines = (
                   SELECT string_agg(concat_ws('/', l.product_id, trim_scale(l.quantity), trim_scale(l.unit_cost)), ','
                                     ORDER BY l.product_id, l.quantity, l.unit_cost)
                   FROM stock.purchase_line l WHERE l.tenant_id = v_tenant.id AND l.purchase_id = k.id) AS is_same
        FROM (SELECT p.document, p.supplier_id, p.reference,
                     string_agg(concat_ws('/', p.product_id, trim_scale(p.quantity), trim_scale(p.unit_cost)), ','
                                ORDER BY p.product_id, p.quantity, p.unit_cost) AS lines
              FROM placed p GROUP BY p.document, p.supplier_id, p.reference) d,
        LATERAL (SELECT o.id FROM stock.purchase o
                 WHERE o.tenant_id = v_tenant.id AND o.supplier_id = d.supplier_id AND o.reference = d.reference
                   AND o.status <> 'cancelled' OFFSET 0) k
    ), whole AS (
        SELECT p.document, count(*) AS lines,
               sum(round(p.quantity * p.unit_cost, v_tenant.currency_exponent)) AS goods,
               count(DISTINCT p.occurred_at) > 1 OR count(DISTINCT p.location_id) > 1 AS is_torn
        FROM placed p GROUP BY p.document
    ), judged AS MATERIALIZED (
        SELECT p.*, k.is_same, e.errors,
               bool_or(e.errors IS NOT NULL) OVER (PARTITION BY p.document) AS is_refused
        FROM placed p
        JOIN whole w ON w.document = p.document
        LEFT JOIN known k ON k.document = p.document
        LEFT JOIN LATERAL (
            SELECT o.status, o.unit_id FROM stock.product o
            WHERE o.tenant_id = v_tenant.id AND o.id = p.product_id OFFSET 0) g ON true
        LEFT JOIN LATERAL (
            SELECT o.decimals FROM stock.unit o
            WHERE o.tenant_id = v_tenant.id AND o.id = g.unit_id OFFSET 0) u ON true
        LEFT JOIN LATERAL (
            SELECT o.active FROM stock.supplier o
            WHERE o.tenant_id = v_tenant.id AND o.id = p.supplier_id OFFSET 0) s ON true,
        LATERAL (
            SELECT json_agg(json_build_object('pointer', v.field, 'code', v.code, 'detail', v.sentence)) AS errors
            FROM (
                SELECT '' AS field, 'duplicate' AS code, 'The purchase is recorded already, and otherwise.' AS sentence
                WHERE NOT k.is_same
                UNION ALL
                SELECT '/occurred_at', f.code, f.sentence
                FROM stock.import_moment_fault(p.occurred_at, p.business_day, v_tenant.closed_until) f
                WHERE k.is_same IS NULL
                UNION ALL
                SELECT o.field, o.code, o.sentence
                FROM (VALUES
                    (p.copies = 0, '/supplier', 'not_found', 'There is no such supplier.'),
                    (p.copies > 1, '/supplier', 'duplicate', 'More than one supplier is called so; name the external_id.'),
                    (NOT s.active, '/supplier', 'not_found', 'There is no such active supplier.'),
                    (p.location_id IS NULL AND p.location IS NULL, '/location', 'required', 'Say at which location.'),
                    (p.location_id IS NULL AND p.location IS NOT NULL, '/location', 'not_found',
                     'There is no such active location.'),
                    (w.is_torn, '', 'invalid_state', 'Rows of one purchase have one time and one location.'),
                    (w.lines > 1000, '', 'out_of_range', 'A purchase has at most 1000 lines.'),
                    (w.goods >= 100000000000000, '/unit_cost', 'out_of_range', 'The lines come to too much.'),
                    (p.product_id IS NULL, '/sku', 'not_found', 'There is no such product.'),
                    (g.status = 'archived', '/sku', 'product_inactive', 'The product is archived.'),
                    (min_scale(p.quantity) > u.decimals, '/quantity', 'quantity_precision',
                     format('The unit allows %s decimals.', u.decimals))
                ) AS o (holds, field, code, sentence)
                WHERE o.holds AND k.is_same IS NULL
            ) v
        ) e
    ), numbered AS (
        SELECT j.*, NOT j.is_refused AND j.is_same IS NULL AS is_new,
               dense_rank() OVER (PARTITION BY NOT j.is_refused AND j.is_same IS NULL ORDER BY j.document) AS n
        FROM judged j
    )
    SELECT array_agg(coalesce(n.errors, CASE WHEN n.is_refused THEN json_build_array(json_build_object(
                         'pointer', '', 'code', v_torn,
                         'detail', format('Another row of purchase %s was rejected.', quote_literal(n.reference)))) END)
                     ORDER BY n.place),
           array_agg(NOT n.is_new ORDER BY n.place), array_agg(CASE WHEN n.is_new THEN n.n::integer END ORDER BY n.place),
           array_agg(n.supplier_id ORDER BY n.place), array_agg(n.occurred_at ORDER BY n.place),
           array_agg(n.business_day ORDER BY n.place), stock.new_ids(coalesce(max(n.n) FILTER (WHERE n.is_new), 0))
    INTO v_errors, v_known, v_documents, v_suppliers, v_times, v_days, v_purchases
    FROM numbered n;

    IF cardinality(v_purchases) > 0 THEN
        SELECT array_agg(ROW(stock.new_id(), r.product_id, 'purchase', r.quantity, r.unit_cost, NULL, 'purchase',
                             v_purchases[r.document], NULL, r.occurred_at, r.business_day, r.location_id)::stock.move
                         ORDER BY r.place),
               count(DISTINCT (r.product_id, r.location_id))
        INTO v_moves, v_levels
        FROM (SELECT w.*, (w.named ->> 'quantity')::numeric AS quantity, (w.named ->> 'unit_cost')::numeric AS unit_cost
              FROM unnest(p_rows, v_goods, v_locations, v_documents, v_times, v_days) WITH ORDINALITY
                  AS w (named, product_id, location_id, document, occurred_at, business_day, place)
              WHERE w.document IS NOT NULL) r,
        LATERAL (SELECT o.tracks_stock FROM stock.product o
                 WHERE o.tenant_id = v_tenant.id AND o.id = r.product_id OFFSET 0) g
        WHERE g.tracks_stock;
        IF v_levels > 0 THEN
            SELECT count(*) INTO v_moved FROM stock.move_stock(v_moves, false);
            IF v_moved < v_levels THEN
                RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range',
                    MESSAGE = 'there would be more on hand than can be counted';
            END IF;
        END IF;
        v_number := stock.document_number(v_register, 'purchase', cardinality(v_purchases));
        WITH line AS MATERIALIZED (
            SELECT w.document, w.id, w.product_id, w.location_id, w.occurred_at, w.business_day, w.supplier_id,
                   row_number() OVER (PARTITION BY w.document ORDER BY w.place) AS position, w.named ->> 'reference' AS reference,
                   w.named ->> 'note' AS note, (w.named ->> 'quantity')::numeric AS quantity,
                   (w.named ->> 'unit_cost')::numeric AS unit_cost,
                   round((w.named ->> 'quantity')::numeric * (w.named ->> 'unit_cost')::numeric, v_tenant.currency_exponent) AS total
            FROM unnest(p_ids, p_rows, v_goods, v_locations, v_documents, v_times, v_days, v_suppliers) WITH ORDINALITY
                AS w (id, named, product_id, location_id, document, occurred_at, business_day, supplier_id, place)
            WHERE w.document IS NOT NULL
        ), purchase AS (
            INSERT INTO stock.purchase (tenant_id, id, register_id, number, status, supplier_id, location_id, reference, note,
                                        occurred_at, business_day, goods, total, due)
            SELECT v_tenant.id, v_purchases[l.document], v_register, v_number + l.document - 1, 'received',
                   (array_agg(l.supplier_id))[1], (array_agg(l.location_id))[1], min(l.reference), min(l.note),
                   min(l.occurred_at), min(l.business_day), sum(l.total), sum(l.total), sum(l.total)
            FROM line l GROUP BY l.document
        ), event AS (
            INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, occurred_at)
            SELECT v_tenant.id, 'purchase.received', v_purchases[l.document],
                   json_build_object('number', v_number + l.document - 1, 'lines', array_agg(l.id ORDER BY l.position)),
                   min(l.occurred_at)
            FROM line l GROUP BY l.document
        )
        INSERT INTO stock.purchase_line (tenant_id, id, purchase_id, position, product_id, sku, name, unit, quantity,
                                         received_quantity, open_quantity, unit_cost, total)
        SELECT v_tenant.id, l.id, v_purchases[l.document], l.position, l.product_id, g.sku, g.name, u.symbol, l.quantity,
               l.quantity, 0, l.unit_cost, l.total
        FROM line l, LATERAL (
            SELECT o.sku, o.name, o.unit_id FROM stock.product o
            WHERE o.tenant_id = v_tenant.id AND o.id = l.product_id OFFSET 0) g,
        LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant.id AND o.id = g.unit_id OFFSET 0) u;
    END IF;

    RETURN QUERY
    SELECT (w.place - 1)::integer,
           CASE WHEN w.errors IS NOT NULL THEN 'refused' WHEN w.is_known THEN 'unchanged' ELSE 'created' END, w.errors
    FROM unnest(v_known, v_errors) WITH ORDINALITY AS w (is_known, errors, place);
END
$$;

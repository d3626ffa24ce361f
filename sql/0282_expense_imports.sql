-- Files of expenses: a row is one, and names what somebody else calls it, so that it is recorded once.

-- Writes rows of the ledger for what is no payment, one element for each; `post_money` writes those of payments.
CREATE FUNCTION stock.post_entries(
    p_ids uuid[], p_directions text[], p_amounts numeric[], p_methods text[], p_categories text[], p_source_type text,
    p_sources uuid[], p_reverses uuid[], p_user uuid, p_times timestamptz[], p_days date[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id, reverses_id,
                                    user_id, occurred_at, business_day)
    SELECT stock.current_tenant(), e.id, e.direction, e.amount, e.method, e.category, p_source_type, e.source, e.reverses,
           p_user, e.occurred_at, e.business_day
    FROM unnest(p_ids, p_directions, p_amounts, p_methods, p_categories, p_sources, p_reverses, p_times, p_days)
        AS e (id, direction, amount, method, category, source, reverses, occurred_at, business_day);
END
$$;

-- One of them.
CREATE OR REPLACE FUNCTION stock.post_entry(
    p_id uuid, p_direction text, p_amount numeric, p_method text, p_category text, p_source_type text, p_source uuid,
    p_reverses uuid, p_user uuid, p_occurred_at timestamptz, p_business_day date
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.post_entries(ARRAY[p_id], ARRAY[p_direction], ARRAY[p_amount], ARRAY[p_method], ARRAY[p_category],
                               p_source_type, ARRAY[p_source], ARRAY[p_reverses], p_user, ARRAY[p_occurred_at],
                               ARRAY[p_business_day]);
END
$$;

-- Writes entries of a source, each with its row of the ledger and an event, one element for each.
CREATE FUNCTION stock.entries_write(
    p_entries uuid[], p_ledger uuid[], p_source text, p_directions text[], p_categories text[], p_suppliers uuid[],
    p_registers uuid[], p_amounts numeric[], p_methods text[], p_notes text[], p_user uuid, p_times timestamptz[],
    p_days date[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    PERFORM stock.cache_touch_modules(v_tenant, '{purchases,balance,dashboard,reports}');
    INSERT INTO stock.money_entry (tenant_id, id, source, direction, category, supplier_id, register_id, amount, method, note,
                                   user_id, occurred_at, business_day)
    SELECT v_tenant, e.id, p_source, e.direction, e.category, e.supplier_id, e.register_id, e.amount, e.method, e.note, p_user,
           e.occurred_at, e.business_day
    FROM unnest(p_entries, p_directions, p_categories, p_suppliers, p_registers, p_amounts, p_methods, p_notes, p_times, p_days)
        AS e (id, direction, category, supplier_id, register_id, amount, method, note, occurred_at, business_day);
    PERFORM stock.post_entries(p_ledger, p_directions, p_amounts, p_methods, p_categories, p_source, p_entries,
                               array_fill(NULL::uuid, ARRAY[cardinality(p_entries)]), p_user, p_times, p_days);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    SELECT v_tenant, CASE p_source WHEN 'expense' THEN 'expense.recorded' ELSE 'ledger_entry.recorded' END, e.id,
           json_build_object('amount', e.amount::text, 'method', e.method, 'category', e.category), p_user, e.occurred_at
    FROM unnest(p_entries, p_amounts, p_methods, p_categories, p_times) AS e (id, amount, method, category, occurred_at);
END
$$;
CALL stock.amend('entry_record', $$    PERFORM stock.cache_touch_modules(v_tenant, '{purchases,balance,dashboard,reports}');
    INSERT INTO stock.money_entry (tenant_id, id, source, direction, category, supplier_id, register_id, amount, method, note,
                                   user_id, occurred_at, business_day)
    VALUES (v_tenant, p_entry, p_source, p_direction, p_category, p_supplier, p_register, p_amount, p_method, p_note, p_user,
            v_moment.occurred_at, v_moment.business_day);
    PERFORM stock.post_entry(p_ledger, p_direction, p_amount, p_method, p_category, p_source, p_entry, NULL, p_user,
                             v_moment.occurred_at, v_moment.business_day);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, CASE p_source WHEN 'expense' THEN 'expense.recorded' ELSE 'ledger_entry.recorded' END, p_entry,
            json_build_object('amount', p_amount::text, 'method', p_method, 'category', p_category), p_user,
            v_moment.occurred_at);
$$, $$    PERFORM stock.entries_write(ARRAY[p_entry], ARRAY[p_ledger], p_source, ARRAY[p_direction], ARRAY[p_category],
                                ARRAY[p_supplier], ARRAY[p_register], ARRAY[p_amount], ARRAY[p_method], ARRAY[p_note], p_user,
                                ARRAY[v_moment.occurred_at], ARRAY[v_moment.business_day]);
$$);
CALL stock.amend('entry_record', $$    v_tenant   bigint := stock.current_tenant();
$$, '');

-- The record of a kind that each text names: by its `external_id`, by the id that it has here, else by its name if no other is called
-- so. copies: how many the first of these that is any names; 0 for none.
CREATE FUNCTION stock.import_named(p_kind text, p_names text[]) RETURNS TABLE (place bigint, id uuid, copies bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY EXECUTE format($sql$
        SELECT w.place, f.id, coalesce(f.copies, 0)
        FROM (SELECT n.place, n.name, stock.folded(n.name) AS key,
                     CASE WHEN n.name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN n.name::uuid END AS id
              FROM unnest($2) WITH ORDINALITY AS n (name, place) OFFSET 0) w
        LEFT JOIN LATERAL (
            SELECT a.id, count(*) OVER (PARTITION BY a.rank) AS copies FROM (
                SELECT b.id, 1 AS rank FROM %1$s b WHERE b.tenant_id = $1 AND b.external_id = w.name
                UNION ALL
                SELECT b.id, 2 FROM %1$s b WHERE b.tenant_id = $1 AND b.id = w.id
                UNION ALL
                (SELECT b.id, 3 FROM %1$s b WHERE b.tenant_id = $1 AND b.name_key = w.key LIMIT 2)
            ) a ORDER BY a.rank LIMIT 1
        ) f ON true
    $sql$, 'stock.' || p_kind) USING stock.current_tenant(), p_names;
END
$$;

-- When a row says that something was: its time in UTC, or, without a Z, what a clock of the zone showed.
CREATE FUNCTION stock.import_time(p_text text, p_zone text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN right(p_text, 1) = 'Z' THEN p_text::timestamptz ELSE p_text::timestamp AT TIME ZONE p_zone END;

-- What is wrong with when something was: nothing, or an error of a row.
CREATE FUNCTION stock.import_moment_fault(p_at timestamptz, p_day date, p_closed date)
RETURNS TABLE (code text, sentence text)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT r.refusal, CASE r.refusal WHEN 'time_in_future' THEN 'The time lies in the future.'
                                     WHEN 'period_closed' THEN format('The books are closed up to %s.', p_closed)
                                     ELSE 'The time lies before 1900-01-01T00:00:00Z.' END
    FROM (SELECT stock.moment_refusal(p_at, p_day, p_closed) AS refusal) r WHERE r.refusal IS NOT NULL;
END;

-- Records the expenses of a batch. p_ids: what each would have as its id, which follows from what its row calls it; a row may also
-- name the id that an expense has here. One that is there with the same content is left alone, whether or not it was reversed since;
-- one that says something else is refused, as is what can not be recorded, and the others go in.
CREATE FUNCTION stock.import_expenses(p_ids uuid[], p_rows json[])
RETURNS TABLE (place integer, outcome text, errors json)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant     stock.tenant;
    v_outcomes   text[];
    v_errors     json[];
    -- Those that are new.
    v_entries    uuid[];
    v_categories text[];
    v_suppliers  uuid[];
    v_amounts    numeric[];
    v_methods    text[];
    v_notes      text[];
    v_times      timestamptz[];
    v_days       date[];
BEGIN
    SELECT t.* INTO STRICT v_tenant FROM stock.tenant t WHERE t.id = stock.current_tenant();
    -- Files follow each other, so that two of the same expenses do not meet.
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.import.expense', v_tenant.id));
    WITH named AS MATERIALIZED (
        SELECT r.place, r.id, stock.import_time(r.named ->> 'occurred_at', v_tenant.timezone) AS occurred_at,
               CASE WHEN r.named ->> 'external_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                    THEN (r.named ->> 'external_id')::uuid END AS own_id,
               r.named ->> 'category' AS category, (r.named ->> 'amount')::numeric AS amount, r.named ->> 'method' AS method,
               r.named ->> 'supplier' AS supplier, r.named ->> 'note' AS note
        FROM unnest(p_ids, p_rows) WITH ORDINALITY AS r (id, named, place)
    ), supplier AS MATERIALIZED (
        SELECT s.place, s.id, s.copies
        FROM stock.import_named('supplier', ARRAY(SELECT n.supplier FROM named n ORDER BY n.place)) s
    ), held AS MATERIALIZED (
        SELECT n.*, (n.occurred_at AT TIME ZONE v_tenant.timezone)::date AS business_day, s.id AS supplier_id, s.copies,
               m.code AS known_method, k.id AS known_id,
               (k.occurred_at, k.category, k.amount, k.method) = (n.occurred_at, n.category, n.amount, n.method)
                   AND (s.id IS NULL OR k.supplier_id IS NOT DISTINCT FROM s.id)
                   AND (n.note IS NULL OR k.note IS NOT DISTINCT FROM n.note) AS is_same
        FROM named n
        JOIN supplier s ON s.place = n.place
        LEFT JOIN LATERAL (
            SELECT o.code FROM stock.payment_method o
            WHERE o.tenant_id = v_tenant.id AND o.code = n.method AND o.active OFFSET 0) m ON true
        LEFT JOIN LATERAL (
            -- By its key, one id and then the other: of two ids in a list a plan that is made while there are none, and kept, looks
            -- through all there are.
            SELECT e.* FROM (
                SELECT o.* FROM stock.money_entry o WHERE o.tenant_id = v_tenant.id AND o.id = n.id
                UNION ALL
                SELECT o.* FROM stock.money_entry o WHERE o.tenant_id = v_tenant.id AND o.id = n.own_id
                OFFSET 0
            ) e
            WHERE e.source = 'expense' LIMIT 1) k ON true
    ), judged AS MATERIALIZED (
        SELECT r.*, e.errors, r.known_id IS NULL AND e.errors IS NULL AS is_new
        FROM held r,
        LATERAL (
            SELECT json_agg(json_build_object('pointer', v.field, 'code', v.code, 'detail', v.sentence)) AS errors
            FROM (
                SELECT '' AS field, 'duplicate' AS code, 'The expense is recorded already, and otherwise.' AS sentence
                WHERE r.known_id IS NOT NULL AND NOT r.is_same
                UNION ALL
                SELECT '/occurred_at', f.code, f.sentence
                FROM stock.import_moment_fault(r.occurred_at, r.business_day, v_tenant.closed_until) f
                WHERE r.known_id IS NULL
                UNION ALL
                SELECT o.field, o.code, o.sentence
                FROM (VALUES
                    (min_scale(r.amount) > v_tenant.currency_exponent, '/amount', 'too_many_decimals',
                     format('Must have at most %s decimals, as the currency has.', v_tenant.currency_exponent)),
                    (r.known_method IS NULL, '/method', 'not_found', 'There is no such active payment method.'),
                    (r.supplier IS NOT NULL AND r.copies = 0, '/supplier', 'not_found', 'There is no such supplier.'),
                    (r.copies > 1, '/supplier', 'duplicate', 'More than one supplier is called so; name the external_id.')
                ) AS o (holds, field, code, sentence)
                WHERE o.holds AND r.known_id IS NULL
            ) v
        ) e
    )
    SELECT array_agg(CASE WHEN j.errors IS NOT NULL THEN 'refused' WHEN j.is_new THEN 'created' ELSE 'unchanged' END
                     ORDER BY j.place),
           array_agg(j.errors ORDER BY j.place),
           array_agg(j.id ORDER BY j.place) FILTER (WHERE j.is_new),
           array_agg(j.category ORDER BY j.place) FILTER (WHERE j.is_new),
           array_agg(j.supplier_id ORDER BY j.place) FILTER (WHERE j.is_new),
           array_agg(j.amount ORDER BY j.place) FILTER (WHERE j.is_new),
           array_agg(j.method ORDER BY j.place) FILTER (WHERE j.is_new),
           array_agg(j.note ORDER BY j.place) FILTER (WHERE j.is_new),
           array_agg(j.occurred_at ORDER BY j.place) FILTER (WHERE j.is_new),
           array_agg(j.business_day ORDER BY j.place) FILTER (WHERE j.is_new)
    INTO v_outcomes, v_errors, v_entries, v_categories, v_suppliers, v_amounts, v_methods, v_notes, v_times, v_days
    FROM judged j;
    IF v_entries IS NOT NULL THEN
        PERFORM stock.entries_write(
            v_entries, stock.new_ids(cardinality(v_entries)), 'expense',
            array_fill('expense'::text, ARRAY[cardinality(v_entries)]), v_categories, v_suppliers,
            array_fill(NULL::uuid, ARRAY[cardinality(v_entries)]), v_amounts, v_methods, v_notes, NULL, v_times, v_days);
    END IF;

    RETURN QUERY
    SELECT (w.place - 1)::integer, w.outcome, w.errors
    FROM unnest(v_outcomes, v_errors) WITH ORDINALITY AS w (outcome, errors, place);
END
$$;

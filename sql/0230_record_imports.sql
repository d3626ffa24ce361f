-- Files of categories, units, customers and suppliers. What must be true before one of them is written is said once, whoever writes.

-- Refuses a category that would lie within itself.
CREATE FUNCTION stock.check_category_parent(p_id uuid, p_parent uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (
        WITH RECURSIVE above AS (
            SELECT c.id, c.parent_id FROM stock.category c WHERE c.tenant_id = stock.current_tenant() AND c.id = p_parent
            UNION
            SELECT c.id, c.parent_id
            FROM above a
            JOIN stock.category c ON c.tenant_id = stock.current_tenant() AND c.id = a.parent_id
        )
        SELECT FROM above a WHERE a.id = p_id
    ) THEN
        PERFORM stock.refuse_field('conflict', '/parent_id', 'A category can not lie within itself.');
    END IF;
END
$$;

-- Refuses fewer decimals than quantities already recorded have.
CREATE FUNCTION stock.check_unit_decimals(p_id uuid, p_decimals integer) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_decimals integer := (
        SELECT u.decimals FROM stock.unit u WHERE u.tenant_id = stock.current_tenant() AND u.id = p_id);
BEGIN
    IF p_decimals < v_decimals AND stock.has_finer_quantity(p_id, p_decimals) THEN
        PERFORM stock.refuse_field('invalid_state', '/decimals', 'Quantities with more decimals are recorded.');
    END IF;
END
$$;

-- Refuses a limit with more decimals than the currency has.
CREATE FUNCTION stock.check_credit_limit(p_limit numeric) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_exponent integer := (SELECT t.currency_exponent FROM stock.tenant t WHERE t.id = stock.current_tenant());
BEGIN
    IF min_scale(p_limit) > v_exponent THEN
        PERFORM stock.refuse('validation_failed', 'The credit limit has too many decimals.', json_build_array(
            json_build_object('pointer', '/credit_limit', 'code', 'too_many_decimals',
                              'detail', format('Must have at most %s decimals, as the currency has.', v_exponent))));
    END IF;
END
$$;

-- Makes or changes one record as a row of a file says: found by its external id, which may be the id that it has here, else by its
-- name. p_row: the columns that the row names. p_inserts: one that is there is refused. A row that changes nothing writes nothing; one
-- that can not be applied is answered with its errors and leaves nothing behind.
CREATE FUNCTION stock.import_record(
    p_kind text, p_id uuid, p_row jsonb, p_inserts boolean, OUT outcome text, OUT errors json
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_table    text := 'stock.' || p_kind;
    v_row      jsonb := p_row;
    -- Of these no two are called alike.
    v_is_named boolean := p_kind IN ('category', 'unit');
    v_columns  text[];
    v_id       uuid;
    v_found    uuid[];
    v_count    bigint;
    v_code     text;
    v_sentence text;
    v_detail   text;
BEGIN
    IF v_row ? 'external_id' THEN
        EXECUTE format('SELECT r.id FROM %s r WHERE r.tenant_id = $1 AND r.external_id = $2', v_table)
        INTO v_id USING v_tenant, v_row ->> 'external_id';
        IF v_id IS NULL AND v_row ->> 'external_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
            EXECUTE format('SELECT r.id FROM %s r WHERE r.tenant_id = $1 AND r.id = $2', v_table)
            INTO v_id USING v_tenant, (v_row ->> 'external_id')::uuid;
            IF v_id IS NOT NULL THEN v_row := v_row - 'external_id'; END IF;
        END IF;
    END IF;
    IF v_id IS NULL AND v_row ? 'name' AND (v_is_named OR NOT v_row ? 'external_id') THEN
        EXECUTE format('SELECT ARRAY(SELECT r.id FROM %s r WHERE r.tenant_id = $1 AND r.name_key = stock.folded($2) LIMIT 2)', v_table)
        INTO v_found USING v_tenant, v_row ->> 'name';
        IF cardinality(v_found) > 1 THEN
            PERFORM stock.refuse_field('duplicate', '/name', format('More than one %s is called so; name the external_id.', p_kind));
        END IF;
        v_id := v_found[1];
    END IF;
    IF v_id IS NOT NULL AND p_inserts THEN
        PERFORM stock.refuse_field('duplicate', CASE WHEN v_row ? 'external_id' THEN '/external_id' ELSE '/name' END,
                                   format('There is such a %s already.', p_kind));
    END IF;
    IF v_id IS NULL THEN
        SELECT json_agg(json_build_object('pointer', '/' || f.name, 'code', 'required', 'detail', 'Must not be blank.'))
        INTO errors
        FROM unnest(CASE p_kind WHEN 'unit' THEN ARRAY['name', 'symbol'] ELSE ARRAY['name'] END) AS f (name)
        WHERE NOT v_row ? f.name;
        IF errors IS NOT NULL THEN PERFORM stock.refuse('validation_failed', 'Fields are missing.', errors); END IF;
    END IF;
    IF p_kind = 'customer' THEN
        PERFORM stock.check_credit_limit((v_row ->> 'credit_limit')::numeric);
    ELSIF p_kind = 'category' AND v_id IS NOT NULL THEN
        PERFORM stock.check_category_parent(v_id, (v_row ->> 'parent_id')::uuid);
    ELSIF p_kind = 'unit' AND v_id IS NOT NULL THEN
        PERFORM stock.check_unit_decimals(v_id, (v_row ->> 'decimals')::integer);
    END IF;

    v_columns := ARRAY(SELECT jsonb_object_keys(v_row));
    IF v_id IS NULL THEN
        EXECUTE format('INSERT INTO %1$s (tenant_id, id, %2$s) SELECT $1, $2, %3$s FROM jsonb_populate_record(NULL::%1$s, $3) n',
                       v_table, (SELECT string_agg(format('%I', c.name), ', ') FROM unnest(v_columns) AS c (name)),
                       (SELECT string_agg(format('n.%I', c.name), ', ') FROM unnest(v_columns) AS c (name)))
        USING v_tenant, p_id, v_row;
        outcome := 'created';
        RETURN;
    END IF;
    outcome := 'unchanged';
    IF cardinality(v_columns) = 0 THEN RETURN; END IF;
    EXECUTE format('UPDATE %1$s r SET %2$s, version = r.version + 1, updated_at = now()'
                   ' WHERE r.tenant_id = $1 AND r.id = $2 AND (%3$s)', v_table,
                   (SELECT string_agg(format('%1$I = (jsonb_populate_record(NULL::%2$s, $3)).%1$I', c.name, v_table), ', ')
                    FROM unnest(v_columns) AS c (name)),
                   (SELECT string_agg(format('r.%1$I IS DISTINCT FROM (jsonb_populate_record(NULL::%2$s, $3)).%1$I', c.name, v_table),
                                      ' OR ')
                    FROM unnest(v_columns) AS c (name)))
    USING v_tenant, v_id, v_row;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count > 0 THEN outcome := 'updated'; END IF;
EXCEPTION
    WHEN SQLSTATE 'ST001' THEN
        GET STACKED DIAGNOSTICS v_code = MESSAGE_TEXT, v_sentence = PG_EXCEPTION_HINT, v_detail = PG_EXCEPTION_DETAIL;
        outcome := 'refused';
        errors := CASE WHEN v_detail = '[]' THEN json_build_array(json_build_object('pointer', '', 'code', v_code, 'detail', v_sentence))
                       ELSE v_detail::json END;
    WHEN unique_violation THEN
        outcome := 'refused';
        errors := json_build_array(json_build_object(
            'pointer', '', 'code', 'duplicate', 'detail', format('Another %s has this name or external_id.', p_kind)));
END
$$;

-- The rows of a file, in their order, of which a category may name one that comes behind it as `parent`: whoever waits for none is made
-- first. Files of one kind follow each other, so that two of the same records do not meet.
CREATE FUNCTION stock.import_records(p_kind text, p_ids uuid[], p_rows json[], p_inserts boolean)
RETURNS TABLE (place integer, outcome text, errors json)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_open    integer[] := ARRAY(SELECT generate_series(1, cardinality(p_ids)));
    v_waiting integer[];
    v_place   integer;
    v_row     jsonb;
    v_parent  uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.import.' || p_kind, v_tenant));
    LOOP
        v_waiting := '{}';
        FOREACH v_place IN ARRAY v_open LOOP
            v_row := p_rows[v_place]::jsonb;
            IF v_row ? 'parent' THEN
                SELECT c.id INTO v_parent FROM stock.category c
                WHERE c.tenant_id = v_tenant AND c.name_key = stock.folded(v_row ->> 'parent');
                IF NOT FOUND THEN
                    v_waiting := v_waiting || v_place;
                    CONTINUE;
                END IF;
                v_row := v_row - 'parent' || jsonb_build_object('parent_id', v_parent);
            END IF;
            RETURN QUERY
            SELECT v_place - 1, r.outcome, r.errors FROM stock.import_record(p_kind, p_ids[v_place], v_row, p_inserts) r;
        END LOOP;
        EXIT WHEN cardinality(v_waiting) = cardinality(v_open) OR v_waiting = '{}';
        v_open := v_waiting;
    END LOOP;
    RETURN QUERY
    SELECT w.place - 1, 'refused', json_build_array(json_build_object(
               'pointer', '/parent', 'code', 'not_found',
               'detail', format('There is no category ''%s''.', p_rows[w.place] ->> 'parent')))
    FROM unnest(v_waiting) AS w (place);
END
$$;

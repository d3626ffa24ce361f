-- A tenant as a whole, out of a database and into another. docs/decisions/0064-tenants-that-move.md tells why it is so.
--
-- What is moved is found in the catalogue: of each table the columns that are told, and the rows of the current tenant. The program says
-- which tables, and in which order (TenantTables).

-- Whether this session puts back what a shop has recorded elsewhere, so that nothing is to follow from a row: what followed is among the
-- rows that are put back. The service can say so of its session, too, and is not believed: its role is no member of the owner's, whoever's
-- function it is in.
CREATE FUNCTION stock.is_restoring() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(current_setting('stock.restoring', true), '') = 'on' AND pg_has_role(session_user, 'stock_owner', 'MEMBER');

-- Triggers by which something follows from a new row: sums, accounts, levels, taxes, what the audit tells. Each begins by asking. The
-- condition is in the functions, as one of the trigger's would be prepared anew by every statement. Those that are not here only hold that a
-- row may be, or keep what is no tenant's own: caches, searches, the tenants of a person, and the numbering of events.
DO $$
DECLARE
    v_function text[];
    v_text     text;
BEGIN
    FOREACH v_function SLICE 1 IN ARRAY ARRAY[
        ['accounts_totalled', 'NULL'], ['audit_api_key', 'NULL'], ['audit_membership', 'NULL'], ['audit_records', 'NULL'],
        ['categories_counted', 'NULL'], ['customer_accounted', 'NULL'], ['customer_paid', 'NULL'],
        ['customer_returned', 'NULL'], ['customer_sold', 'NULL'], ['customer_unpaid', 'NULL'], ['customer_unsold', 'NULL'],
        ['ledger_totalled', 'NULL'], ['product_levelled', 'NULL'], ['product_taxed', 'NEW'], ['return_line_taxed', 'NEW'],
        ['returns_totalled', 'NULL'], ['sale_totalled', 'NULL'], ['sale_untotalled', 'NULL'], ['tenant_located', 'NULL']
    ] LOOP
        SELECT pg_get_functiondef(p.oid) INTO STRICT v_text FROM pg_proc p
        WHERE p.pronamespace = 'stock'::regnamespace AND p.proname = v_function[1];
        EXECUTE regexp_replace(v_text, E'\nBEGIN\n',
                               format(E'\nBEGIN\n    IF stock.is_restoring() THEN\n        RETURN %s;\n    END IF;\n', v_function[2]));
    END LOOP;
END
$$;

-- What is told of a table's rows: all but the number of the tenant, which is another one elsewhere, what the table makes of other columns,
-- and what a database numbers or notes by itself. Of a person it is who they are, and never a password.
CREATE FUNCTION stock.moved_columns(p_table text) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_attribute a
    WHERE a.attrelid = (SELECT c.oid FROM pg_class c
                        WHERE c.relnamespace = 'stock'::regnamespace AND c.relname = p_table AND c.relkind = 'r')
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = ''
      AND a.attname NOT IN ('tenant_id', 'xid')
      AND (p_table <> 'tenant' OR a.attname <> ALL (stock.tenant_turns()))
      AND (p_table <> 'app_user' OR a.attname IN ('id', 'email', 'name', 'status'));
END;

-- The columns as they stand in a statement, each behind p_row where that is given.
CREATE FUNCTION stock.moved_list(p_columns text[], p_row text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (SELECT string_agg(coalesce(p_row || '.', '') || quote_ident(c.name), ', ' ORDER BY c.place)
        FROM unnest(p_columns) WITH ORDINALITY AS c (name, place));

-- Shows the current tenant's rows of a table as the temporary view `outgoing`, and says of which columns. They are ordered by their key, so
-- that the same rows are the same text in every database; events, whose ids are each database's own, by their numbers.
CREATE FUNCTION stock.move_out(p_table text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    v_columns text[] := stock.moved_columns(p_table);
BEGIN
    EXECUTE 'DROP VIEW IF EXISTS pg_temp.outgoing';
    EXECUTE format(
        'CREATE TEMPORARY VIEW outgoing AS SELECT %s FROM stock.%I r WHERE %s ORDER BY %s',
        stock.moved_list(v_columns, 'r'), p_table,
        CASE p_table
            WHEN 'tenant' THEN 'r.id = stock.current_tenant()'
            WHEN 'app_user' THEN 'r.id IN (SELECT m.user_id FROM stock.membership m WHERE m.tenant_id = stock.current_tenant())'
            ELSE 'r.tenant_id = stock.current_tenant()'
        END,
        CASE p_table
            WHEN 'domain_event' THEN 'r.seq, r.id'
            ELSE (SELECT stock.moved_list(array_agg(a.attname::text ORDER BY k.place), 'r')
                  FROM pg_index i
                  CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
                  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                  WHERE i.indrelid = format('stock.%I', p_table)::regclass AND i.indisprimary)
        END);
    RETURN v_columns;
END
$$;

-- Makes the temporary table `incoming`, which takes rows of a table as `outgoing` shows them, and says of which columns. It has their
-- types and nothing else of the table: whose rows they become is none of its columns.
CREATE FUNCTION stock.move_in(p_table text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    v_columns text[] := stock.moved_columns(p_table);
BEGIN
    EXECUTE 'DROP TABLE IF EXISTS pg_temp.incoming';
    EXECUTE format('CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT %s FROM stock.%I WITH NO DATA',
                   stock.moved_list(v_columns, NULL), p_table);
    RETURN v_columns;
END
$$;

-- Makes a tenant of the one row that has come in, under a slug and a name, and says its number. The caller is within it from then on.
CREATE FUNCTION stock.tenant_moved_in(p_slug text, p_name text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_list     text := stock.moved_list(stock.moved_columns('tenant'), NULL);
    v_timezone text;
    v_id       bigint;
BEGIN
    EXECUTE 'UPDATE pg_temp.incoming SET slug = $1, name = $2 RETURNING timezone' INTO STRICT v_timezone USING p_slug, p_name;
    PERFORM stock.tenant_check(p_slug, v_timezone);
    EXECUTE format('INSERT INTO stock.tenant (%s) SELECT %s FROM pg_temp.incoming RETURNING id', v_list, v_list) INTO STRICT v_id;
    PERFORM set_config('stock.tenant_id', v_id::text, true);
    RETURN v_id;
END
$$;

-- Notes who the people that came in are here, in the temporary table `arriving`: whoever has an account by the same address is meant, with the
-- id that they have here. Others keep their id, unless somebody has it. Nothing is written yet, so that no account is held while the rest of
-- the tenant comes in.
CREATE FUNCTION stock.people_moved_in() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_rows bigint;
BEGIN
    EXECUTE $q$
        CREATE TEMPORARY TABLE arriving ON COMMIT DROP AS
        SELECT i.id AS was, u.id IS NOT NULL AS is_known, i.email, i.name, i.status,
               CASE WHEN u.id IS NOT NULL THEN u.id
                    WHEN EXISTS (SELECT FROM stock.app_user o WHERE o.id = i.id) THEN gen_random_uuid() ELSE i.id END AS id
        FROM pg_temp.incoming i LEFT JOIN stock.app_user u ON u.email_key = stock.folded(i.email)
        $q$;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    EXECUTE 'CREATE UNIQUE INDEX ON pg_temp.arriving (was) INCLUDE (id)';
    RETURN v_rows;
END
$$;

-- Makes the accounts of those who have none. No password opens them until one is set: whoever wrote the file must not know it.
CREATE FUNCTION stock.accounts_moved_in(OUT made bigint, OUT known bigint)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE $q$
        INSERT INTO stock.app_user (id, email, password_hash, name, status)
        SELECT a.id, a.email, '!', a.name, a.status FROM pg_temp.arriving a WHERE NOT a.is_known
        $q$;
    GET DIAGNOSTICS made = ROW_COUNT;
    EXECUTE 'SELECT count(*) FROM pg_temp.arriving a WHERE a.is_known' INTO known;
END
$$;

-- Puts what has come in into its table, as rows of the current tenant, and says how many. Whoever has another id here is named by that,
-- in whichever column.
CREATE FUNCTION stock.moved_in(p_table text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_columns text[] := stock.moved_columns(p_table);
    v_renames boolean;
    v_rows    bigint;
BEGIN
    EXECUTE 'SELECT EXISTS (SELECT FROM pg_temp.arriving a WHERE a.id <> a.was)' INTO v_renames;
    EXECUTE format(
        'INSERT INTO stock.%I (tenant_id, %s) SELECT stock.current_tenant(), %s FROM pg_temp.incoming i',
        p_table, stock.moved_list(v_columns, NULL),
        (SELECT string_agg(
                    CASE WHEN v_renames AND a.atttypid = 'uuid'::regtype
                         THEN format('coalesce((SELECT p.id FROM pg_temp.arriving p WHERE p.was = i.%1$I), i.%1$I)', c.name)
                         ELSE format('i.%I', c.name) END, ', ' ORDER BY c.place)
         FROM unnest(v_columns) WITH ORDINALITY AS c (name, place)
         JOIN pg_attribute a ON a.attrelid = format('stock.%I', p_table)::regclass AND a.attname = c.name));
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    RETURN v_rows;
END
$$;

-- These write rows as they are told, or are of use to those alone who do.
REVOKE ALL ON FUNCTION stock.move_in(text), stock.tenant_moved_in(text, text), stock.people_moved_in(), stock.accounts_moved_in(),
    stock.moved_in(text) FROM PUBLIC;

-- Roles, schema and settings. Idempotent; run once per database by a role that may create roles (`stock migrate up` does
-- it when DATABASE_OWNER_URL allows):
--
--     psql -X -v ON_ERROR_STOP=1 -f sql/roles.sql "$DATABASE_OWNER_URL"
--
-- stock_owner owns the schema and can not log in; stock_app is what `stock serve` connects as and owns nothing.
-- The password of stock_app is not set here: `ALTER ROLE stock_app PASSWORD '...'`, or `stock migrate up`, which takes
-- it from DATABASE_URL.

DO $$
DECLARE
    setting text[];
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_owner') THEN
        CREATE ROLE stock_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_app') THEN
        CREATE ROLE stock_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
    -- The migrating role becomes stock_owner by SET ROLE; a superuser may do so anyway.
    IF NOT pg_has_role(current_user, 'stock_owner', 'MEMBER') THEN
        EXECUTE format('GRANT stock_owner TO %I', current_user);
    END IF;
    -- Written only when they differ: roles belong to the whole cluster, and two databases may be set up at once.
    FOREACH setting SLICE 1 IN ARRAY ARRAY[
        ['statement_timeout', '4s'],
        ['lock_timeout', '2s'],
        ['idle_in_transaction_session_timeout', '5s'],
        -- The set of statements is closed and every one is looked up by key: planning each call anew costs more than
        -- it could win.
        ['plan_cache_mode', 'force_generic_plan'],
        ['jit', 'off'],
        -- Rows are found by key; what is read often is in memory, where a page costs the same in any order.
        ['random_page_cost', '1.1'],
        -- Plans are kept for as long as a connection lives: one made while a table was small must not read it from end
        -- to end once it is large.
        ['enable_seqscan', 'off'],
        -- Nor is a table's small share kept aside to be compared with every row of a request: each is looked up.
        ['enable_material', 'off']
    ] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
            WHERE r.rolname = 'stock_app' AND s.setdatabase = 0
              AND format('%s=%s', setting[1], setting[2]) = ANY (s.setconfig)
        ) THEN
            EXECUTE format('ALTER ROLE stock_app SET %I = %L', setting[1], setting[2]);
        END IF;
    END LOOP;
    -- The owner takes tenants over by temporary tables, too.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO stock_app, stock_owner', current_database());
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'stock') THEN
        CREATE SCHEMA stock AUTHORIZATION stock_owner;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA stock TO stock_app;

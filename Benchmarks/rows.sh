# What rows cost whoever writes them: the part of a figure that no statement could save. Sourced by Benchmarks/run.
# shellcheck shell=bash

# rows_alone TABLE...: the seconds that all rows of these tables take, written by one session into copies of them, with indexes, CHECKs and
# generated columns, but without keys to others, triggers and row-level security.
rows_alone() {
    {
        cat <<'SQL'
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE SCHEMA alone;
CREATE PROCEDURE alone.write(p_table text) LANGUAGE plpgsql AS $$
DECLARE
    v_columns text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                       WHERE a.attrelid = ('stock.' || p_table)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '');
BEGIN
    EXECUTE format('CREATE TABLE alone.%1$I (LIKE stock.%1$I INCLUDING ALL)', p_table);
    EXECUTE format('INSERT INTO alone.%1$I (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM stock.%1$I ORDER BY ctid', p_table, v_columns);
END
$$;
SELECT extract(epoch FROM clock_timestamp()) AS start \gset
SQL
        printf "CALL alone.write('%s');\n" "$@"
        cat <<'SQL'
SELECT extract(epoch FROM clock_timestamp()) - :start;
DROP SCHEMA alone CASCADE;
SQL
    } | psql -XAtq "$DATABASE_OWNER_URL"
}

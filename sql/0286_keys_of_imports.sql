-- What the rows of a file have named so far stays with the connection of its import: a file may have any number of rows, and the process
-- that reads it a bounded memory. A key is a digest of 16 bytes, made by the client.

-- Begins with none.
CREATE FUNCTION stock.import_keys_open() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_key;
    CREATE TEMPORARY TABLE import_key (key uuid PRIMARY KEY);
END
$$;

CREATE FUNCTION stock.import_keys_close() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_key;
END
$$;

-- Notes keys, and returns those that were noted before.
CREATE FUNCTION stock.import_keys_noted(p_keys uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH noted AS (
        INSERT INTO pg_temp.import_key AS o (key) SELECT k.key FROM unnest(p_keys) AS k (key)
        ON CONFLICT DO NOTHING
        RETURNING o.key
    )
    SELECT k.key FROM unnest(p_keys) AS k (key) EXCEPT SELECT n.key FROM noted n;
END
$$;

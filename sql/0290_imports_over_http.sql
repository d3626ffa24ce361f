-- Files that are imported over HTTP: what was asked for, the file by parts, what was rejected of it, and whose turn it is.
-- docs/decisions/0063-imports-by-parts.md tells what was chosen.

-- An import as it was asked for, and what became of it. `import_job` is what an import of sales goes on by, whoever asked for it.
CREATE TABLE stock.import_request (
    tenant_id       bigint NOT NULL REFERENCES stock.tenant (id),
    id              uuid NOT NULL,
    kind            text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    -- What the file is called, for people.
    name            text CHECK (length(name) BETWEEN 1 AND 200),
    -- How it is to be imported, as the service wrote it down.
    options         json NOT NULL,
    status          text NOT NULL DEFAULT 'receiving' CHECK (status IN (
        'receiving', 'queued', 'running', 'completed', 'completed_with_errors', 'failed', 'cancelled', 'quarantined')),
    -- Whether whoever runs it is to end it.
    is_cancelled    boolean NOT NULL DEFAULT false,
    -- How often its worker died with it since it was queued last.
    deaths          integer NOT NULL DEFAULT 0,
    -- How far it is.
    phase           text CHECK (phase IN ('reading', 'checking', 'writing')),
    bytes_read      bigint NOT NULL DEFAULT 0,
    rows_written    bigint NOT NULL DEFAULT 0,
    rows_to_write   bigint,
    -- What came of it: of its last run, for which what an earlier one wrote is unchanged.
    rows            bigint NOT NULL DEFAULT 0,
    blank_rows      bigint NOT NULL DEFAULT 0,
    created         bigint NOT NULL DEFAULT 0,
    updated         bigint NOT NULL DEFAULT 0,
    unchanged       bigint NOT NULL DEFAULT 0,
    rejected        bigint NOT NULL DEFAULT 0,
    unused_columns  json NOT NULL DEFAULT '[]',
    -- Why it has failed.
    error           text,
    -- The first line of the file of its rejected rows.
    rejected_head   bytea,
    queued_at       timestamptz,
    started_at      timestamptz,
    finished_at     timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE stock.import_request ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX import_request_list_idx ON stock.import_request (tenant_id, created_at, id) WHERE created_at IS NOT NULL;
CREATE INDEX import_request_open_idx ON stock.import_request (tenant_id, status, queued_at, id)
    WHERE status IN ('receiving', 'queued', 'running');
CALL stock.secure_table('stock.import_request', 'SELECT, INSERT, UPDATE, DELETE');

-- A file by parts, kept until all of it is in, or nobody goes on with it.
CREATE TABLE stock.import_part (
    tenant_id   bigint NOT NULL,
    request_id  uuid NOT NULL,
    number      integer NOT NULL CHECK (number BETWEEN 1 AND 1024),
    content     bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 1048576),
    size        integer GENERATED ALWAYS AS (octet_length(content)) STORED,
    sha256      bytea NOT NULL,
    PRIMARY KEY (tenant_id, request_id, number),
    FOREIGN KEY (tenant_id, request_id) REFERENCES stock.import_request (tenant_id, id) ON DELETE CASCADE
);
-- Read in slices, which is only cheap of what is stored as it is.
ALTER TABLE stock.import_part ALTER COLUMN tenant_id SET STATISTICS 0, ALTER COLUMN content SET STORAGE EXTERNAL;
CALL stock.secure_table('stock.import_part', 'SELECT, INSERT, DELETE');

-- Rows that were not taken over.
CREATE TABLE stock.import_rejection (
    tenant_id   bigint NOT NULL,
    request_id  uuid NOT NULL,
    line        integer NOT NULL,
    code        text NOT NULL CHECK (code ~ '^[a-z_]{1,40}$'),
    reason      text NOT NULL,
    -- The row as the file of rejected rows has it.
    record      bytea,
    PRIMARY KEY (tenant_id, request_id, line),
    FOREIGN KEY (tenant_id, request_id) REFERENCES stock.import_request (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE stock.import_rejection ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.import_rejection', 'SELECT, INSERT, UPDATE, DELETE');

-- Who runs an import of the tenant, and until when nobody else may: one of each tenant runs at most.
CREATE TABLE stock.import_turn (
    tenant_id     bigint PRIMARY KEY REFERENCES stock.tenant (id),
    worker        uuid,
    leased_until  timestamptz NOT NULL DEFAULT '-infinity'
);
ALTER TABLE stock.import_turn ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.import_turn', 'SELECT, INSERT, UPDATE');

-- Whether anything of a tenant may be queued or running, when it was served last, and whether it ever had an import: workers look for
-- those of all tenants, and what a tenant has imported only it sees.
ALTER TABLE stock.tenant
    ADD COLUMN import_waits boolean NOT NULL DEFAULT false,
    ADD COLUMN import_served_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN has_imported boolean NOT NULL DEFAULT false;
CREATE INDEX tenant_import_waits_idx ON stock.tenant (import_served_at, id) WHERE import_waits;
CREATE INDEX tenant_has_imported_idx ON stock.tenant (id) WHERE has_imported;

-- No answer shows it, and nobody has changed the shop.
CREATE OR REPLACE FUNCTION stock.cache_touch_tenant() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        PERFORM stock.cache_touch_modules(t.id, stock.cache_modules())
        FROM (SELECT DISTINCT c.id
              FROM (SELECT n.id, to_jsonb(n) - stock.tenant_turns() AS kept FROM changed n
                    EXCEPT SELECT o.id, to_jsonb(o) - stock.tenant_turns() FROM replaced o) c) t;
    ELSE
        PERFORM stock.cache_touch_modules(t.id, stock.cache_modules()) FROM (SELECT DISTINCT c.id FROM changed c) t;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION stock.tenant_turns() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['import_waits', 'import_served_at', 'has_imported'];
CALL stock.amend('audit_changes', $$    WHERE c.key NOT IN ('tenant_id',$$,
                 $$    WHERE c.key <> ALL (stock.tenant_turns()) AND c.key NOT IN ('tenant_id',$$);

CREATE OR REPLACE VIEW stock.cache_never WITH (security_invoker = true) AS
SELECT v.relation, v.reason FROM (VALUES
    ('cache_outbox', 'the cache''s own'),
    ('cache_log', 'the cache''s own'),
    ('audit_log', 'read from the database by its owner alone'),
    ('document_counter', 'read where a number is taken'),
    ('idempotency_record', 'read where a key is taken'),
    ('domain_event', 'a stream, read by its place'),
    ('import_job', 'read by the import'),
    ('import_row', 'read by the import'),
    ('import_request', 'changes while it is read'),
    ('import_part', 'read by the import'),
    ('import_rejection', 'a part of its import'),
    ('import_turn', 'read by workers'),
    ('cash_session', 'read from the database by whoever stands before the drawer'),
    ('cash_entry', 'a part of its session'),
    ('register_day', 'sums of the ledger, which retires what is made of them'),
    ('product_day', 'sums of lines of sales and returns, which retire what is made of them'),
    ('tax_day', 'sums of lines of sales and returns, which retire what is made of them'),
    ('stock_value_day', 'sums of levels, which retire what is made of them'),
    ('sums_state', 'tells which sums to read, and changes none of them'),
    ('reservation', 'shown by levels, which are changed with it')
) AS v (relation, reason);

-- Keys may carry `imports:write` again.
CALL stock.amend('api_key_body', 'array_remove(k.scopes, ''imports:write'') AS scopes', 'k.scopes');

-- What is asked for ---------------------------------------------------------------------------------------------------

-- An import with how far it is: its rate since it began, and what is left by what of the file was read, or of its rows was written.
CREATE FUNCTION stock.import_request_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(b)::text INTO v_body FROM (
        SELECT r.id, r.kind, r.name, r.options, r.status, r.is_cancelled, f.parts, f.bytes, r.phase, r.bytes_read, r.rows,
               r.rows_written, r.rows_to_write,
               CASE WHEN t.seconds > 0 THEN (greatest(r.rows, r.rows_written) / t.seconds)::bigint END AS rows_per_second,
               CASE WHEN r.status <> 'running' OR t.seconds <= 0 THEN NULL
                    WHEN r.rows_to_write > 0 AND r.rows_written > 0
                    THEN (t.seconds * (r.rows_to_write - r.rows_written) / r.rows_written)::bigint
                    WHEN r.phase IS DISTINCT FROM 'checking' AND r.bytes_read > 0
                    THEN (t.seconds * (f.bytes - r.bytes_read) / r.bytes_read)::bigint END AS seconds_left,
               r.blank_rows, r.created, r.updated, r.unchanged, r.rejected, r.unused_columns, r.deaths, r.error,
               stock.rfc3339(r.queued_at) AS queued_at, stock.rfc3339(r.started_at) AS started_at,
               stock.rfc3339(r.finished_at) AS finished_at, stock.rfc3339(r.created_at) AS created_at,
               stock.rfc3339(r.updated_at) AS updated_at
        FROM stock.import_request r,
        LATERAL (SELECT count(*) AS parts, coalesce(sum(p.size), 0)::bigint AS bytes FROM stock.import_part p
                 WHERE p.tenant_id = r.tenant_id AND p.request_id = r.id) f,
        LATERAL (SELECT extract(epoch FROM coalesce(r.finished_at, now()) - r.started_at) AS seconds) t
        WHERE r.tenant_id = p_tenant AND r.id = p_id
    ) b;
    RETURN v_body;
END
$$;

-- The imports before one, the last asked for first.
CREATE FUNCTION stock.import_request_page(p_before timestamptz, p_before_id uuid, p_count integer)
RETURNS TABLE (id uuid, created_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT r.id, r.created_at FROM stock.import_request r
    WHERE r.tenant_id = stock.current_tenant()
      AND (r.created_at, r.id) < (coalesce(p_before, 'infinity'), coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    ORDER BY r.created_at DESC, r.id DESC LIMIT p_count;
END
$$;

-- The import, held until the transaction ends; refused where there is none.
CREATE FUNCTION stock.import_held(p_id uuid) RETURNS stock.import_request
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_request stock.import_request;
BEGIN
    SELECT r.* INTO v_request FROM stock.import_request r
    WHERE r.tenant_id = stock.current_tenant() AND r.id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such resource.');
    END IF;
    RETURN v_request;
END
$$;

-- Makes an import whose file is to come. A tenant may have p_open that have not ended, as their files are kept.
CREATE FUNCTION stock.import_ask(p_id uuid, p_kind text, p_name text, p_options json, p_open integer) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_open   bigint;
BEGIN
    INSERT INTO stock.import_turn (tenant_id) VALUES (v_tenant) ON CONFLICT (tenant_id) DO NOTHING;
    UPDATE stock.tenant t SET has_imported = true WHERE t.id = v_tenant AND NOT t.has_imported;
    -- Two that are asked for at once are counted one after the other.
    PERFORM FROM stock.import_turn t WHERE t.tenant_id = v_tenant FOR UPDATE;
    SELECT count(*) INTO v_open FROM stock.import_request r
    WHERE r.tenant_id = v_tenant AND r.status IN ('receiving', 'queued', 'running');
    IF v_open >= p_open THEN
        PERFORM stock.refuse('invalid_state',
                             format('%s imports have not ended, and no more may be asked for; cancel one, or wait.', v_open));
    END IF;
    INSERT INTO stock.import_request (tenant_id, id, kind, name, options) VALUES (v_tenant, p_id, p_kind, p_name, p_options);
    PERFORM stock.audit(v_tenant, 'import.created', 'import', p_id, json_build_object('kind', p_kind, 'name', p_name));
END
$$;

-- Takes a part of a file. The same once more changes nothing, whatever the import does by then.
CREATE FUNCTION stock.import_receive(p_id uuid, p_number integer, p_content bytea, p_sha256 bytea) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_status text;
    v_known  bytea;
BEGIN
    -- Parts come side by side, and none while the import is queued.
    SELECT r.status INTO v_status FROM stock.import_request r WHERE r.tenant_id = v_tenant AND r.id = p_id FOR SHARE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such resource.');
    END IF;
    IF v_status = 'receiving' THEN
        INSERT INTO stock.import_part (tenant_id, request_id, number, content, sha256)
        VALUES (v_tenant, p_id, p_number, p_content, p_sha256) ON CONFLICT (tenant_id, request_id, number) DO NOTHING;
    END IF;
    SELECT p.sha256 INTO v_known FROM stock.import_part p
    WHERE p.tenant_id = v_tenant AND p.request_id = p_id AND p.number = p_number;
    IF v_known IS NULL THEN
        PERFORM stock.refuse('invalid_state', format('The import takes no more parts: it is %s.', v_status));
    ELSIF v_known <> p_sha256 THEN
        PERFORM stock.refuse('duplicate', format('Part %s was sent before, and was another.', p_number));
    END IF;
END
$$;

-- Queues it, as the last of its tenant's.
CREATE FUNCTION stock.import_queue(p_id uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    UPDATE stock.import_request r
    SET status = 'queued', queued_at = clock_timestamp(), started_at = NULL, finished_at = NULL, is_cancelled = false, deaths = 0,
        error = NULL, updated_at = now()
    WHERE r.tenant_id = stock.current_tenant() AND r.id = p_id;
    UPDATE stock.tenant t SET import_waits = true WHERE t.id = stock.current_tenant() AND NOT t.import_waits;
END
$$;

-- Queues an import whose file is here: p_parts parts of p_bytes bytes in all. One that was started before is as it is.
CREATE FUNCTION stock.import_start(p_id uuid, p_parts integer, p_bytes bigint) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_request stock.import_request := stock.import_held(p_id);
    v_missing integer[];
    v_parts   integer;
    v_bytes   bigint;
BEGIN
    IF v_request.status <> 'receiving' THEN
        IF v_request.status IN ('failed', 'cancelled', 'quarantined') THEN
            PERFORM stock.refuse('invalid_state', format('The import is %s; it can be resumed.', v_request.status));
        END IF;
        RETURN;
    END IF;
    SELECT count(*), coalesce(sum(p.size), 0) INTO v_parts, v_bytes FROM stock.import_part p
    WHERE p.tenant_id = v_tenant AND p.request_id = p_id;
    v_missing := ARRAY(SELECT n.number FROM generate_series(1, p_parts) AS n (number)
                       WHERE NOT EXISTS (SELECT FROM stock.import_part p WHERE p.tenant_id = v_tenant AND p.request_id = p_id
                                                                           AND p.number = n.number)
                       ORDER BY n.number LIMIT 20);
    IF cardinality(v_missing) > 0 THEN
        PERFORM stock.refuse_field('invalid_state', '/parts', format('Parts are missing: %s.', array_to_string(v_missing, ', ')));
    ELSIF v_parts <> p_parts OR v_bytes <> p_bytes THEN
        PERFORM stock.refuse_field('invalid_state', '/parts', format('There are %s parts of %s bytes, not %s of %s.', v_parts, v_bytes,
                                                                     p_parts, p_bytes));
    END IF;
    PERFORM stock.import_queue(p_id);
END
$$;

-- Queues once more what has failed, was cancelled or set aside; what is under way goes on.
CREATE FUNCTION stock.import_resume(p_id uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_request stock.import_request := stock.import_held(p_id);
BEGIN
    IF v_request.status IN ('queued', 'running') AND NOT v_request.is_cancelled THEN
        RETURN;
    END IF;
    IF v_request.status NOT IN ('failed', 'cancelled', 'quarantined') THEN
        PERFORM stock.refuse('invalid_state', format('The import is %s and can not be resumed.', CASE
            WHEN v_request.is_cancelled AND v_request.status = 'running' THEN 'being cancelled' ELSE v_request.status END));
    END IF;
    IF v_request.queued_at IS NULL
       OR NOT EXISTS (SELECT FROM stock.import_part p WHERE p.tenant_id = v_request.tenant_id AND p.request_id = p_id) THEN
        PERFORM stock.refuse('invalid_state', 'The file of the import is not here any more; send it anew.');
    END IF;
    PERFORM stock.import_queue(p_id);
END
$$;

-- Ends an import: at once if nobody runs it, else as soon as whoever runs it looks. What was written stays.
CREATE FUNCTION stock.import_cancel(p_id uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_request stock.import_request := stock.import_held(p_id);
BEGIN
    IF v_request.status = 'cancelled' OR v_request.is_cancelled THEN
        RETURN;
    END IF;
    IF v_request.status NOT IN ('receiving', 'queued', 'running') THEN
        PERFORM stock.refuse('invalid_state', format('The import is %s and can not be cancelled.', v_request.status));
    END IF;
    UPDATE stock.import_request r
    SET is_cancelled = true, status = CASE WHEN r.status = 'running' THEN 'running' ELSE 'cancelled' END,
        finished_at = CASE WHEN r.status <> 'running' THEN now() END, updated_at = now()
    WHERE r.tenant_id = v_request.tenant_id AND r.id = p_id;
    PERFORM stock.audit(v_request.tenant_id, 'import.cancelled', 'import', p_id,
                        json_build_object('kind', v_request.kind, 'name', v_request.name));
END
$$;

-- What workers do -----------------------------------------------------------------------------------------------------

-- Tells of an import that has ended.
CREATE FUNCTION stock.import_told(p_id uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, occurred_at)
    SELECT r.tenant_id, CASE WHEN r.status IN ('completed', 'completed_with_errors') THEN 'import.completed' ELSE 'import.failed' END,
           r.id, json_build_object('kind', r.kind, 'status', r.status, 'rows', r.rows, 'created', r.created, 'updated', r.updated,
                                   'unchanged', r.unchanged, 'rejected', r.rejected), now()
    FROM stock.import_request r
    WHERE r.tenant_id = stock.current_tenant() AND r.id = p_id
      AND r.status IN ('completed', 'completed_with_errors', 'failed', 'quarantined');
END
$$;

-- Gives a worker the next import: of the tenants that wait, whose last was served longest ago, what was queued first. What an earlier
-- worker did not end, although its time is over, it died with: it is queued once more, and set aside after p_deaths. No row if nothing
-- waits.
CREATE FUNCTION stock.import_claim(p_worker uuid, p_lease interval, p_deaths integer)
RETURNS TABLE (tenant_id bigint, id uuid, kind text, name text, options json)
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint;
    v_request stock.import_request;
    -- Those of which one runs.
    v_busy    bigint[] := '{}';
BEGIN
    LOOP
        SELECT t.id INTO v_tenant FROM stock.tenant t
        WHERE t.import_waits AND t.status = 'active' AND t.id <> ALL (v_busy)
        ORDER BY t.import_served_at, t.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        PERFORM set_config('stock.tenant_id', v_tenant::text, true);
        PERFORM FROM stock.import_turn t WHERE t.tenant_id = v_tenant AND t.leased_until < clock_timestamp() FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            v_busy := v_busy || v_tenant;
            CONTINUE;
        END IF;
        FOR v_request IN
            SELECT r.* FROM stock.import_request r WHERE r.tenant_id = v_tenant AND r.status = 'running' FOR UPDATE
        LOOP
            UPDATE stock.import_request r
            SET status = CASE WHEN r.is_cancelled THEN 'cancelled' WHEN r.deaths + 1 >= p_deaths THEN 'quarantined' ELSE 'queued' END,
                deaths = r.deaths + 1,
                finished_at = CASE WHEN r.is_cancelled OR r.deaths + 1 >= p_deaths THEN now() END,
                error = CASE WHEN r.is_cancelled OR r.deaths + 1 < p_deaths THEN NULL
                             ELSE format('Its worker ended unexpectedly %s times; it is set aside until it is resumed.', r.deaths + 1) END,
                updated_at = now()
            WHERE r.tenant_id = v_tenant AND r.id = v_request.id;
            PERFORM stock.import_told(v_request.id);
        END LOOP;
        SELECT r.* INTO v_request FROM stock.import_request r
        WHERE r.tenant_id = v_tenant AND r.status = 'queued' ORDER BY r.queued_at, r.id LIMIT 1
        -- Whoever queues or cancels one has it first, and then the tenant.
        FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
            UPDATE stock.import_request r
            SET status = 'running', started_at = now(), updated_at = now(), phase = NULL, bytes_read = 0, rows = 0, blank_rows = 0,
                rows_written = 0, rows_to_write = NULL, created = 0, updated = 0, unchanged = 0, rejected = 0, unused_columns = '[]',
                rejected_head = NULL
            WHERE r.tenant_id = v_tenant AND r.id = v_request.id;
            DELETE FROM stock.import_rejection j WHERE j.tenant_id = v_tenant AND j.request_id = v_request.id;
            UPDATE stock.import_turn t SET worker = p_worker, leased_until = clock_timestamp() + p_lease
            WHERE t.tenant_id = v_tenant;
            UPDATE stock.tenant t SET import_served_at = clock_timestamp() WHERE t.id = v_tenant;
            RETURN QUERY SELECT v_tenant, v_request.id, v_request.kind, v_request.name, v_request.options;
            EXIT;
        END IF;
        v_busy := v_busy || v_tenant;
        UPDATE stock.import_turn t SET worker = NULL, leased_until = '-infinity' WHERE t.tenant_id = v_tenant;
        UPDATE stock.tenant t SET import_waits = false
        WHERE t.id = v_tenant
          AND NOT EXISTS (SELECT FROM stock.import_request r WHERE r.tenant_id = v_tenant AND r.status IN ('queued', 'running'));
    END LOOP;
    PERFORM set_config('stock.tenant_id', '', true);
END
$$;

-- Says how far an import is, and that its worker lives. `going`, `cancelled` if it is to end, `lost` if it is somebody else's by now.
CREATE FUNCTION stock.import_beat(p_worker uuid, p_lease interval, p_id uuid, p_phase text, p_bytes_read bigint, p_rows bigint,
                                  p_rows_written bigint, p_rows_to_write bigint) RETURNS text
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant    bigint := stock.current_tenant();
    v_cancelled boolean;
BEGIN
    UPDATE stock.import_turn t SET leased_until = clock_timestamp() + p_lease WHERE t.tenant_id = v_tenant AND t.worker = p_worker;
    IF NOT FOUND THEN
        RETURN 'lost';
    END IF;
    UPDATE stock.import_request r
    SET phase = p_phase, bytes_read = p_bytes_read, rows = p_rows, rows_written = p_rows_written, rows_to_write = p_rows_to_write,
        updated_at = now()
    WHERE r.tenant_id = v_tenant AND r.id = p_id AND r.status = 'running'
    RETURNING r.is_cancelled INTO v_cancelled;
    RETURN CASE WHEN v_cancelled IS NULL THEN 'lost' WHEN v_cancelled THEN 'cancelled' ELSE 'going' END;
END
$$;

-- Keeps rows that were rejected; the first reason of a line stays.
CREATE FUNCTION stock.import_reject(p_id uuid, p_lines integer[], p_codes text[], p_reasons text[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO stock.import_rejection (tenant_id, request_id, line, code, reason)
    SELECT stock.current_tenant(), p_id, n.line, n.code, left(n.reason, 4000)
    FROM unnest(p_lines, p_codes, p_reasons) AS n (line, code, reason)
    ON CONFLICT (tenant_id, request_id, line) DO NOTHING;
END
$$;

-- Keeps rejected rows as they stand in the file.
CREATE FUNCTION stock.import_record(p_id uuid, p_lines integer[], p_records bytea[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_row record;
BEGIN
    -- One by one, each by its key: joined, an import with few rows would be read whole for each.
    FOR v_row IN SELECT n.line, n.record FROM unnest(p_lines, p_records) AS n (line, record) LOOP
        UPDATE stock.import_rejection j SET record = v_row.record
        WHERE j.tenant_id = stock.current_tenant() AND j.request_id = p_id AND j.line = v_row.line;
    END LOOP;
END
$$;

-- Ends what a worker has run, and gives the turn back. `queued` is what a worker that stops gives back. False if it is somebody else's
-- by now, so that nothing was done. A file that is in is not needed any more.
CREATE FUNCTION stock.import_end(p_worker uuid, p_id uuid, p_status text, p_error text, p_rows bigint, p_blank bigint, p_created bigint,
                                 p_updated bigint, p_unchanged bigint, p_rejected bigint, p_unused json, p_head bytea) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    UPDATE stock.import_turn t SET worker = NULL, leased_until = '-infinity' WHERE t.tenant_id = v_tenant AND t.worker = p_worker;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE stock.import_request r
    SET status = CASE WHEN p_status = 'queued' AND r.is_cancelled THEN 'cancelled' ELSE p_status END, error = left(p_error, 2000),
        rows = p_rows, blank_rows = p_blank, created = p_created, updated = p_updated, unchanged = p_unchanged, rejected = p_rejected,
        unused_columns = p_unused, rejected_head = p_head, phase = NULL,
        finished_at = CASE WHEN p_status <> 'queued' OR r.is_cancelled THEN now() END, updated_at = now()
    WHERE r.tenant_id = v_tenant AND r.id = p_id AND r.status = 'running';
    IF p_status IN ('completed', 'completed_with_errors') THEN
        DELETE FROM stock.import_part p WHERE p.tenant_id = v_tenant AND p.request_id = p_id;
    END IF;
    PERFORM stock.import_told(p_id);
    RETURN true;
END
$$;

-- Removes what nobody goes on with, of a hundred tenants behind one: an import of which no part came for a day is cancelled, files are
-- kept for a week after the end, imports with their rejected rows for 90 days. The last tenant, or no row behind all of them.
CREATE FUNCTION stock.import_sweep(p_after bigint) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint;
    v_seen   integer := 0;
BEGIN
    FOR v_tenant IN SELECT t.id FROM stock.tenant t WHERE t.has_imported AND t.id > p_after ORDER BY t.id LIMIT 100 LOOP
        PERFORM set_config('stock.tenant_id', v_tenant::text, true);
        UPDATE stock.import_request r
        SET status = 'cancelled', is_cancelled = true, finished_at = now(), updated_at = now(), error = 'Its file was never sent to the end.'
        WHERE r.tenant_id = v_tenant AND r.status = 'receiving' AND r.created_at < now() - interval '1 day';
        DELETE FROM stock.import_part p USING (
            SELECT r.id FROM stock.import_request r
            WHERE r.tenant_id = v_tenant AND r.created_at < now() - interval '1 day'
              AND (r.queued_at IS NULL AND r.status = 'cancelled' OR r.finished_at < now() - interval '7 days')
            ORDER BY r.created_at
        ) ended
        WHERE p.tenant_id = v_tenant AND p.request_id = ended.id;
        DELETE FROM stock.import_request r USING (
            SELECT o.id FROM stock.import_request o
            WHERE o.tenant_id = v_tenant AND o.created_at < now() - interval '90 days' AND o.finished_at < now() - interval '90 days'
            ORDER BY o.created_at, o.id LIMIT 1000
        ) ended
        WHERE r.tenant_id = v_tenant AND r.id = ended.id;
        v_seen := v_seen + 1;
    END LOOP;
    PERFORM set_config('stock.tenant_id', '', true);
    RETURN CASE WHEN v_seen = 100 THEN v_tenant END;
END
$$;

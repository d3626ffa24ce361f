-- Webhooks: where a tenant's events are sent to, how far each endpoint is, and what was tried.
-- docs/decisions/0065-webhooks.md tells what was chosen.

-- An endpoint, as people write it.
CREATE TABLE stock.webhook (
    tenant_id        bigint NOT NULL REFERENCES stock.tenant (id),
    id               uuid NOT NULL,
    url              text NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    -- Types, and topics for all types of theirs; none for all.
    types            text[] NOT NULL CHECK (cardinality(types) <= 100),
    active           boolean NOT NULL DEFAULT true,
    disabled_at      timestamptz,
    disabled_reason  text CHECK (disabled_reason IN ('by_hand', 'failing', 'secret_unreadable')),
    version          bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CHECK (active = (disabled_at IS NULL) AND active = (disabled_reason IS NULL))
);
ALTER TABLE stock.webhook ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.webhook', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.audit_table('stock.webhook', 'webhook');

-- What workers know of an endpoint: its secrets, how far it is, and whose it is. Apart, so that the audit never sees a secret and
-- a delivery is no change of what people write.
CREATE TABLE stock.webhook_turn (
    tenant_id        bigint NOT NULL,
    webhook_id       uuid NOT NULL,
    -- Sealed by a key that the database does not have.
    secret           bytea NOT NULL,
    previous_secret  bytea,
    previous_until   timestamptz,
    -- All up to this number was delivered, set aside, skipped, or is not sent there.
    after_seq        bigint NOT NULL,
    -- The event behind it that failed last, and how often it has.
    failed_seq       bigint,
    failures         integer NOT NULL DEFAULT 0,
    -- When it is tried again.
    due_at           timestamptz NOT NULL DEFAULT '-infinity',
    -- Events that were set aside, one after the other, since something was delivered last.
    asides           integer NOT NULL DEFAULT 0,
    -- Since when everything fails.
    failing_since    timestamptz,
    -- Who delivers, and until when nobody else may.
    worker           uuid,
    leased_until     timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (tenant_id, webhook_id),
    FOREIGN KEY (tenant_id, webhook_id) REFERENCES stock.webhook (tenant_id, id) ON DELETE CASCADE
) WITH (fillfactor = 50);
ALTER TABLE stock.webhook_turn ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.webhook_turn', 'SELECT, INSERT, UPDATE');

-- Events that are sent beside the order: set aside, asked for by hand, and the test, whose number is 0.
CREATE TABLE stock.webhook_retry (
    tenant_id   bigint NOT NULL,
    webhook_id  uuid NOT NULL,
    seq         bigint NOT NULL,
    reason      text NOT NULL CHECK (reason IN ('set_aside', 'redelivery', 'test')),
    -- Tries of the event in all, and those that have failed since it is here.
    attempts    integer NOT NULL DEFAULT 0,
    failures    integer NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, webhook_id, seq),
    FOREIGN KEY (tenant_id, webhook_id) REFERENCES stock.webhook (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE stock.webhook_retry ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.webhook_retry', 'SELECT, INSERT, UPDATE, DELETE');

-- What was tried, skipped or lost, in the order of `id`, which is of version 7. Pruned as events are; what is left of an endpoint that was
-- deleted goes with the rest of its time.
CREATE TABLE stock.webhook_delivery (
    tenant_id    bigint NOT NULL REFERENCES stock.tenant (id),
    webhook_id   uuid NOT NULL,
    id           uuid NOT NULL,
    at           timestamptz NOT NULL,
    -- The event; the first of those that were lost.
    seq          bigint NOT NULL,
    lost         bigint,
    type         text CHECK (type ~ '^[a-z_]{1,60}\.[a-z_]{1,60}$'),
    attempt      integer,
    status       text NOT NULL CHECK (status IN ('delivered', 'failed', 'skipped', 'lost')),
    -- What came of a failure, and when it is tried again.
    outcome      text CHECK (outcome IN ('retried', 'set_aside', 'given_up', 'disabled')),
    next_at      timestamptz,
    code         integer,
    error        text CHECK (error ~ '^[a-z_]{1,40}$'),
    duration_ms  integer,
    -- The first of what was answered.
    answer       text CHECK (octet_length(answer) <= 4096),
    PRIMARY KEY (tenant_id, webhook_id, id)
);
ALTER TABLE stock.webhook_delivery ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX webhook_delivery_at_idx ON stock.webhook_delivery (tenant_id, at) WHERE at IS NOT NULL;
CALL stock.secure_table('stock.webhook_delivery', 'SELECT, INSERT, DELETE');

-- When there is something to do for an endpoint of the tenant, as far as that is known before it happens: never later than it is, NULL
-- where none is active, infinity where the next event is waited for. And whether there ever was one. Workers look for those of all tenants.
ALTER TABLE stock.tenant
    ADD COLUMN webhook_due_at timestamptz,
    ADD COLUMN has_webhook boolean NOT NULL DEFAULT false;
CREATE INDEX tenant_webhook_due_idx ON stock.tenant (webhook_due_at, id) WHERE webhook_due_at IS NOT NULL;
CREATE INDEX tenant_webhook_listed_idx ON stock.tenant (id) WHERE webhook_due_at IS NOT NULL;
CREATE INDEX tenant_has_webhook_idx ON stock.tenant (id) WHERE has_webhook;

CREATE OR REPLACE FUNCTION stock.tenant_turns() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['import_waits', 'import_served_at', 'has_imported', 'webhook_due_at', 'has_webhook'];

-- Nothing of it is cached; whatever the view names by now stays.
DO $do$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW stock.cache_never WITH (security_invoker = true) AS '
        || rtrim(pg_get_viewdef('stock.cache_never'::regclass), '; ')
        || $f$ UNION ALL SELECT v.relation, v.reason FROM (VALUES
            ('webhook', 'shown with how far it is, which changes while it is read'),
            ('webhook_turn', 'read by workers'),
            ('webhook_retry', 'read by workers'),
            ('webhook_delivery', 'a log, read by its place')) AS v (relation, reason)$f$;
END
$do$;

-- What is shown -------------------------------------------------------------------------------------------------------

-- An endpoint with how far it is.
CREATE FUNCTION stock.webhook_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(b)::text INTO v_body FROM (
        SELECT w.id, w.url, w.types, w.active, stock.rfc3339(w.disabled_at) AS disabled_at, w.disabled_reason,
               t.after_seq AS "after",
               coalesce((SELECT e.seq FROM stock.domain_event e WHERE e.tenant_id = p_tenant AND e.seq IS NOT NULL
                         ORDER BY e.seq DESC LIMIT 1), 0) AS head,
               (SELECT count(*) FROM stock.webhook_retry r
                WHERE r.tenant_id = p_tenant AND r.webhook_id = p_id AND r.reason <> 'test') AS set_aside,
               CASE WHEN t.failures > 0 THEN t.failed_seq END AS failed_seq, t.failures,
               CASE WHEN t.failures > 0 AND w.active AND isfinite(t.due_at) THEN stock.rfc3339(t.due_at) END AS next_try_at,
               stock.rfc3339(t.failing_since) AS failing_since,
               CASE WHEN t.previous_until > now() THEN stock.rfc3339(t.previous_until) END AS previous_secret_until,
               w.version, stock.rfc3339(w.created_at) AS created_at, stock.rfc3339(w.updated_at) AS updated_at
        FROM stock.webhook w
        JOIN stock.webhook_turn t ON t.tenant_id = w.tenant_id AND t.webhook_id = w.id
        WHERE w.tenant_id = p_tenant AND w.id = p_id
    ) b;
    RETURN v_body;
END
$$;

-- What was tried before one, the last first.
CREATE FUNCTION stock.webhook_delivery_page(p_webhook uuid, p_status text, p_before uuid, p_count integer)
RETURNS TABLE (id uuid, body text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
    v_before uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
BEGIN
    RETURN QUERY
    SELECT d.id, (SELECT row_to_json(r)::text FROM (
               SELECT d.id, stock.rfc3339(d.at) AS at, d.seq, d.lost, d.type, d.attempt, d.status, d.outcome,
                      stock.rfc3339(d.next_at) AS next_at, d.code, d.error, d.duration_ms, d.answer) r)
    FROM stock.webhook_delivery d
    WHERE d.tenant_id = stock.current_tenant() AND d.webhook_id = p_webhook
      AND d.id < v_before AND (p_status IS NULL OR d.status = p_status)
    ORDER BY d.id DESC LIMIT p_count;
END
$$;

-- What people do ------------------------------------------------------------------------------------------------------

-- The endpoint, held until the transaction ends; refused where there is none.
CREATE FUNCTION stock.webhook_held(p_id uuid) RETURNS stock.webhook
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_webhook stock.webhook;
BEGIN
    SELECT w.* INTO v_webhook FROM stock.webhook w
    WHERE w.tenant_id = stock.current_tenant() AND w.id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such resource.');
    END IF;
    RETURN v_webhook;
END
$$;

-- The same, if it has one of p_versions; NULL for any.
CREATE FUNCTION stock.webhook_matched(p_id uuid, p_versions bigint[]) RETURNS stock.webhook
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_webhook stock.webhook := stock.webhook_held(p_id);
BEGIN
    IF NOT v_webhook.version = ANY (coalesce(p_versions, ARRAY[v_webhook.version])) THEN
        PERFORM stock.refuse('version_mismatch', 'The webhook was changed meanwhile. Read it again.');
    END IF;
    RETURN v_webhook;
END
$$;

-- Has workers look for something to do at p_at, if they did not mean to before.
CREATE FUNCTION stock.webhook_due(p_at timestamptz) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    UPDATE stock.tenant t SET webhook_due_at = p_at WHERE t.id = stock.current_tenant() AND t.webhook_due_at > p_at;
END
$$;

-- Has every instance know that an endpoint of the tenant is active, and look at once: by a row of the log under `webhooks`, which is no
-- module, as `events` is none.
CREATE FUNCTION stock.webhook_call() RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    -- Always: a worker that finds nothing just now writes when it is next, before this or with what this did in sight.
    UPDATE stock.tenant t SET webhook_due_at = '-infinity', has_webhook = true WHERE t.id = stock.current_tenant();
    INSERT INTO stock.cache_outbox (tenant_id, modules) VALUES (stock.current_tenant(), '{webhooks}');
END
$$;

-- Makes an endpoint that gets what happens from now on. A tenant may have p_most.
CREATE FUNCTION stock.webhook_make(p_id uuid, p_url text, p_types text[], p_active boolean, p_secret bytea, p_most integer)
RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_count  bigint;
BEGIN
    -- Two that are made at once are counted one after the other.
    PERFORM FROM stock.tenant t WHERE t.id = v_tenant FOR NO KEY UPDATE;
    SELECT count(*) INTO v_count FROM stock.webhook w WHERE w.tenant_id = v_tenant;
    IF v_count >= p_most THEN
        PERFORM stock.refuse('invalid_state', format('There are %s webhooks, and no more may be made; delete one.', v_count));
    END IF;
    INSERT INTO stock.webhook (tenant_id, id, url, types, active, disabled_at, disabled_reason)
    VALUES (v_tenant, p_id, p_url, p_types, p_active, CASE WHEN NOT p_active THEN now() END,
            CASE WHEN NOT p_active THEN 'by_hand' END);
    INSERT INTO stock.webhook_turn (tenant_id, webhook_id, secret, after_seq)
    VALUES (v_tenant, p_id, p_secret, coalesce((SELECT e.seq FROM stock.domain_event e
                                                WHERE e.tenant_id = v_tenant AND e.seq IS NOT NULL
                                                ORDER BY e.seq DESC LIMIT 1), 0));
    PERFORM stock.webhook_call();
END
$$;

-- Changes an endpoint; what is NULL stays. One that is on again, elsewhere or gets others is tried at once and from where it was. Only by who may
-- read what it gets: of p_topics, NULL for all.
CREATE FUNCTION stock.webhook_change(
    p_id uuid, p_versions bigint[], p_topics text[], p_url text, p_types text[], p_active boolean
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_was stock.webhook := stock.webhook_matched(p_id, p_versions);
BEGIN
    IF p_topics IS NOT NULL AND (cardinality(v_was.types) = 0 OR EXISTS (
           SELECT FROM unnest(v_was.types) AS n (type) WHERE split_part(n.type, '.', 1) <> ALL (p_topics))) THEN
        PERFORM stock.refuse('forbidden', 'The webhook gets events that these scopes do not read.');
    END IF;
    UPDATE stock.webhook w
    SET url = coalesce(p_url, w.url), types = coalesce(p_types, w.types), active = coalesce(p_active, w.active),
        disabled_at = CASE WHEN NOT coalesce(p_active, w.active) THEN coalesce(w.disabled_at, now()) END,
        disabled_reason = CASE WHEN NOT coalesce(p_active, w.active) THEN coalesce(w.disabled_reason, 'by_hand') END,
        version = w.version + 1, updated_at = now()
    WHERE w.tenant_id = v_was.tenant_id AND w.id = p_id;
    IF p_active AND NOT v_was.active OR p_url <> v_was.url OR p_types <> v_was.types THEN
        -- What is under way by what was is not written down.
        UPDATE stock.webhook_turn t
        SET failures = 0, asides = 0, failing_since = NULL, due_at = '-infinity', worker = NULL, leased_until = clock_timestamp()
        WHERE t.tenant_id = v_was.tenant_id AND t.webhook_id = p_id;
        UPDATE stock.webhook_retry r SET due_at = '-infinity' WHERE r.tenant_id = v_was.tenant_id AND r.webhook_id = p_id;
    END IF;
    PERFORM stock.webhook_call();
END
$$;

-- Deletes an endpoint.
CREATE FUNCTION stock.webhook_delete(p_id uuid, p_versions bigint[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_was stock.webhook := stock.webhook_matched(p_id, p_versions);
BEGIN
    DELETE FROM stock.webhook w WHERE w.tenant_id = v_was.tenant_id AND w.id = p_id;
END
$$;

-- Gives an endpoint another secret; the one it had signs beside it for p_grace.
CREATE FUNCTION stock.webhook_rotate(p_id uuid, p_secret bytea, p_grace interval) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_was stock.webhook := stock.webhook_held(p_id);
BEGIN
    UPDATE stock.webhook_turn t SET previous_secret = t.secret, previous_until = now() + p_grace, secret = p_secret
    WHERE t.tenant_id = v_was.tenant_id AND t.webhook_id = p_id;
    UPDATE stock.webhook w SET version = w.version + 1, updated_at = now() WHERE w.tenant_id = v_was.tenant_id AND w.id = p_id;
    PERFORM stock.audit(v_was.tenant_id, 'webhook.secret_rotated', 'webhook', p_id);
END
$$;

-- Whether an endpoint of some types gets events of one.
CREATE FUNCTION stock.webhook_takes(p_types text[], p_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cardinality(p_types) = 0 OR p_type = ANY (p_types) OR split_part(p_type, '.', 1) = ANY (p_types);

-- Has an event sent again, beside the order; p_seq 0 is a test. What is still to come in its order is tried at once. p_most may wait so.
CREATE FUNCTION stock.webhook_again(p_id uuid, p_seq bigint, p_most integer) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_webhook stock.webhook := stock.webhook_held(p_id);
    v_type    text;
    v_count   bigint;
BEGIN
    IF NOT v_webhook.active THEN
        PERFORM stock.refuse_field('invalid_state', '/active', 'The webhook is off; switch it on.');
    END IF;
    IF p_seq > 0 THEN
        SELECT e.type INTO v_type FROM stock.domain_event e WHERE e.tenant_id = v_webhook.tenant_id AND e.seq = p_seq;
        IF NOT FOUND THEN
            PERFORM stock.refuse_field('not_found', '/seq', 'There is no event of this number, or it is not kept any more.');
        ELSIF NOT stock.webhook_takes(v_webhook.types, v_type) THEN
            PERFORM stock.refuse_field('not_allowed', '/seq', format('The webhook gets no %s.', v_type));
        END IF;
        PERFORM stock.audit(v_webhook.tenant_id, 'webhook.redelivered', 'webhook', p_id, json_build_object('seq', p_seq));
    END IF;
    UPDATE stock.webhook_turn t SET due_at = '-infinity'
    WHERE t.tenant_id = v_webhook.tenant_id AND t.webhook_id = p_id AND t.after_seq < p_seq;
    IF NOT FOUND THEN
        SELECT count(*) INTO v_count FROM stock.webhook_retry r
        WHERE r.tenant_id = v_webhook.tenant_id AND r.webhook_id = p_id AND r.seq <> p_seq;
        IF v_count >= p_most THEN
            PERFORM stock.refuse('invalid_state', format('%s events wait to be sent again, and no more may; wait, or skip some.', v_count));
        END IF;
        INSERT INTO stock.webhook_retry (tenant_id, webhook_id, seq, reason, due_at)
        VALUES (v_webhook.tenant_id, p_id, p_seq, CASE WHEN p_seq > 0 THEN 'redelivery' ELSE 'test' END, '-infinity')
        ON CONFLICT (tenant_id, webhook_id, seq) DO UPDATE SET due_at = '-infinity';
    END IF;
    PERFORM stock.webhook_call();
END
$$;

-- Has an event not be sent: the one that the endpoint waits for, or one that was set aside. p_delivery is the row that tells of it.
CREATE FUNCTION stock.webhook_skip(p_id uuid, p_seq bigint, p_delivery uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_webhook stock.webhook := stock.webhook_held(p_id);
BEGIN
    -- A try of it that is under way is not written down.
    UPDATE stock.webhook_turn t
    SET after_seq = p_seq, failures = 0, failed_seq = NULL, due_at = '-infinity', worker = NULL, leased_until = clock_timestamp()
    WHERE t.tenant_id = v_webhook.tenant_id AND t.webhook_id = p_id AND t.failures > 0 AND t.failed_seq = p_seq
      AND t.after_seq < p_seq;
    IF NOT FOUND THEN
        DELETE FROM stock.webhook_retry r
        WHERE r.tenant_id = v_webhook.tenant_id AND r.webhook_id = p_id AND r.seq = p_seq AND r.reason <> 'test';
        IF NOT FOUND THEN
            PERFORM stock.refuse_field('invalid_state', '/seq', 'The webhook neither waits for this event nor has it set aside.');
        END IF;
    END IF;
    INSERT INTO stock.webhook_delivery (tenant_id, webhook_id, id, at, seq, type, status)
    VALUES (v_webhook.tenant_id, p_id, p_delivery, now(), p_seq,
            (SELECT e.type FROM stock.domain_event e WHERE e.tenant_id = v_webhook.tenant_id AND e.seq = p_seq), 'skipped');
    PERFORM stock.audit(v_webhook.tenant_id, 'webhook.skipped', 'webhook', p_id, json_build_object('seq', p_seq));
    PERFORM stock.webhook_call();
END
$$;

-- Who gets in: invitations, the end of sessions with what they stand on, resets of passwords, and the audit of all that.

-- People -------------------------------------------------------------------------------------------------------------

ALTER TABLE stock.app_user
    -- The first time; from then on nobody but this person, or an operator, sets the password.
    ADD COLUMN logged_in_at timestamptz,
    -- Counts passwords, not hashes: hashing the same one anew leaves it. Who proved a password gets a session only while
    -- it is still the account's.
    ADD COLUMN password_version bigint NOT NULL DEFAULT 1,
    -- The one open reset, if there is one.
    ADD COLUMN reset_hash bytea,
    ADD COLUMN reset_expires_at timestamptz;
CREATE UNIQUE INDEX app_user_reset_idx ON stock.app_user (reset_hash);
UPDATE stock.app_user u SET logged_in_at = s.first
FROM (SELECT o.user_id, min(o.created_at) AS first FROM stock.session o GROUP BY o.user_id) s
WHERE s.user_id = u.id;

-- Sessions -----------------------------------------------------------------------------------------------------------

-- Ends the sessions of a person, in one tenant or (NULL) in all. Whoever opens or renews a session holds the person's row
-- shared, and this function takes it for itself: none is made beside it, and what was made before is seen by the UPDATE,
-- whose snapshot is younger than the lock.
CREATE FUNCTION stock.sessions_end(p_user uuid, p_tenant bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM stock.app_user u WHERE u.id = p_user FOR NO KEY UPDATE;
    UPDATE stock.session s SET revoked_at = now()
    WHERE s.user_id = p_user AND s.revoked_at IS NULL AND (p_tenant IS NULL OR s.tenant_id = p_tenant);
END
$$;

-- A session stands on a membership and on a person; what ends either ends it for good.
CREATE FUNCTION stock.membership_ended() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.sessions_end(OLD.user_id, OLD.tenant_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER ended AFTER UPDATE OF active ON stock.membership
    FOR EACH ROW WHEN (OLD.active AND NOT NEW.active) EXECUTE FUNCTION stock.membership_ended();
ALTER TABLE stock.membership ENABLE ALWAYS TRIGGER ended;
CREATE TRIGGER removed AFTER DELETE ON stock.membership
    FOR EACH ROW EXECUTE FUNCTION stock.membership_ended();
ALTER TABLE stock.membership ENABLE ALWAYS TRIGGER removed;

CREATE FUNCTION stock.user_disabled() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.sessions_end(NEW.id, NULL);
    RETURN NULL;
END
$$;
CREATE TRIGGER disabled AFTER UPDATE OF status ON stock.app_user
    FOR EACH ROW WHEN (OLD.status = 'active' AND NEW.status <> 'active') EXECUTE FUNCTION stock.user_disabled();
ALTER TABLE stock.app_user ENABLE ALWAYS TRIGGER disabled;

-- Each new session takes two expired ones along, as records of idempotency keys do, so that nobody has to sweep.
CREATE INDEX session_expiry_idx ON stock.session (expires_at);
CREATE FUNCTION stock.session_sweep() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM stock.session s WHERE s.id IN (
        SELECT o.id FROM stock.session o WHERE o.expires_at < now() ORDER BY o.expires_at LIMIT 2 FOR UPDATE SKIP LOCKED);
    RETURN NULL;
END
$$;
CREATE TRIGGER sweep AFTER INSERT ON stock.session FOR EACH STATEMENT EXECUTE FUNCTION stock.session_sweep();

-- Invitations --------------------------------------------------------------------------------------------------------

-- A membership offered to an address. A row is an open invitation: accepting and revoking delete it, the audit remembers.
CREATE TABLE stock.invitation (
    tenant_id   bigint NOT NULL REFERENCES stock.tenant (id),
    id          uuid NOT NULL,
    email       text NOT NULL CHECK (length(email) BETWEEN 1 AND 254),
    email_key   text GENERATED ALWAYS AS (stock.folded(email)) STORED,
    role        text NOT NULL CHECK (role IN ('owner', 'manager', 'cashier', 'stock_keeper', 'viewer')),
    token_hash  bytea NOT NULL,
    invited_by  uuid,
    expires_at  timestamptz NOT NULL,
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email_key)
);
CREATE INDEX invitation_expiry_idx ON stock.invitation (tenant_id, expires_at);
CALL stock.secure_table('stock.invitation', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.invitation', 'cache_touch', 'identity');

-- An invitation stands on the right of whoever made it, and ends with their membership or their being an owner.
CREATE INDEX invitation_inviter_idx ON stock.invitation (tenant_id, invited_by);
CREATE FUNCTION stock.inviter_ended() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM stock.invitation i WHERE i.tenant_id = OLD.tenant_id AND i.invited_by = OLD.user_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER inviter_ended AFTER UPDATE OF active, role ON stock.membership
    FOR EACH ROW WHEN (OLD.active AND OLD.role = 'owner' AND NOT (NEW.active AND NEW.role = 'owner'))
    EXECUTE FUNCTION stock.inviter_ended();
ALTER TABLE stock.membership ENABLE ALWAYS TRIGGER inviter_ended;
CREATE TRIGGER inviter_removed AFTER DELETE ON stock.membership
    FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION stock.inviter_ended();
ALTER TABLE stock.membership ENABLE ALWAYS TRIGGER inviter_removed;

-- An expired one can still be seen and renewed for a month.
CREATE FUNCTION stock.invitation_sweep() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM stock.invitation i
    WHERE i.tenant_id = stock.current_tenant() AND i.id IN (
        SELECT o.id FROM stock.invitation o
        WHERE o.tenant_id = stock.current_tenant() AND o.expires_at < now() - interval '30 days'
        ORDER BY o.expires_at LIMIT 2 FOR UPDATE SKIP LOCKED);
    RETURN NULL;
END
$$;
CREATE TRIGGER sweep AFTER INSERT ON stock.invitation FOR EACH STATEMENT EXECUTE FUNCTION stock.invitation_sweep();

CREATE FUNCTION stock.invitation_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT i.id, i.email, i.role, i.invited_by, stock.rfc3339(i.expires_at) AS expires_at, i.version,
               stock.rfc3339(i.created_at) AS created_at
        FROM stock.invitation i WHERE i.tenant_id = p_tenant AND i.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- The audit ----------------------------------------------------------------------------------------------------------

-- What happened to accounts, keys and settings. Rows are only added: stock_app may neither change nor delete them.
CREATE TABLE stock.audit_log (
    tenant_id     bigint NOT NULL REFERENCES stock.tenant (id),
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    action        text NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
    -- Who did it: a member, a key, an operator (the command line, or a role of the database), or whoever tried to log in.
    actor_type    text NOT NULL CHECK (actor_type IN ('user', 'api_key', 'operator', 'anybody')),
    actor_id      uuid,
    actor_name    text,
    subject_type  text,
    subject_id    uuid,
    details       json NOT NULL DEFAULT '{}',
    request_id    text,
    address       text,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_log_at_idx ON stock.audit_log (tenant_id, at, id);
CREATE INDEX audit_log_actor_idx ON stock.audit_log (tenant_id, actor_id, at, id);
CREATE INDEX audit_log_action_idx ON stock.audit_log (tenant_id, action, at, id);
CALL stock.secure_table('stock.audit_log', 'SELECT, INSERT');

-- Adds a row. Who acts is in `stock.actor`, which a unit sets once: {type, id, name, request_id, address}. Without it the
-- role of the database acts, as when somebody types into psql. The scope is the tenant's for the moment of the insertion:
-- a person's rows go to several tenants, and an operator has none.
CREATE FUNCTION stock.audit(
    p_tenant bigint, p_action text, p_subject_type text, p_subject uuid, p_details json DEFAULT '{}'
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_scope text := coalesce(current_setting('stock.tenant_id', true), '');
    v_actor json := NULLIF(current_setting('stock.actor', true), '')::json;
BEGIN
    PERFORM set_config('stock.tenant_id', p_tenant::text, true);
    INSERT INTO stock.audit_log (tenant_id, action, actor_type, actor_id, actor_name, subject_type, subject_id, details,
                                 request_id, address)
    VALUES (p_tenant, p_action, coalesce(v_actor ->> 'type', 'operator'), (v_actor ->> 'id')::uuid,
            CASE WHEN v_actor IS NULL THEN session_user ELSE v_actor ->> 'name' END, p_subject_type, p_subject,
            coalesce(p_details, '{}'), v_actor ->> 'request_id', v_actor ->> 'address');
    PERFORM set_config('stock.tenant_id', v_scope, true);
END
$$;

-- A row in each tenant of a person, for what happens to the account itself.
CREATE FUNCTION stock.audit_person(p_user uuid, p_action text, p_details json DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.audit(t.id, p_action, 'user', p_user, p_details)
    FROM stock.app_user u, unnest(u.tenant_ids) AS t (id) WHERE u.id = p_user;
END
$$;

CREATE FUNCTION stock.audit_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT a.id, stock.rfc3339(a.at) AS at, a.action,
               json_build_object('type', a.actor_type, 'id', a.actor_id, 'name', a.actor_name) AS actor,
               CASE WHEN a.subject_type IS NOT NULL
                    THEN json_build_object('type', a.subject_type, 'id', a.subject_id) END AS subject,
               a.details, a.request_id, a.address
        FROM stock.audit_log a WHERE a.tenant_id = p_tenant AND a.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- What gives rights is noted by triggers, so that no command can forget it and a change typed into psql is there, too.

CREATE FUNCTION stock.audit_membership() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM stock.audit(NEW.tenant_id, 'member.added', 'user', NEW.user_id, json_build_object('role', NEW.role));
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM stock.audit(OLD.tenant_id, 'member.removed', 'user', OLD.user_id, json_build_object('role', OLD.role));
    ELSE
        IF NEW.role <> OLD.role THEN
            PERFORM stock.audit(NEW.tenant_id, 'member.role_changed', 'user', NEW.user_id,
                                json_build_object('from', OLD.role, 'to', NEW.role));
        END IF;
        IF NEW.active <> OLD.active THEN
            PERFORM stock.audit(NEW.tenant_id, CASE WHEN NEW.active THEN 'member.activated' ELSE 'member.deactivated' END,
                                'user', NEW.user_id);
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON stock.membership
    FOR EACH ROW EXECUTE FUNCTION stock.audit_membership();
ALTER TABLE stock.membership ENABLE ALWAYS TRIGGER audited;

CREATE FUNCTION stock.audit_api_key() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM stock.audit(NEW.tenant_id, 'api_key.created', 'api_key', NEW.id,
                            json_build_object('name', NEW.name, 'scopes', NEW.scopes,
                                              'expires_at', stock.rfc3339(NEW.expires_at)));
    ELSE
        PERFORM stock.audit(NEW.tenant_id, 'api_key.revoked', 'api_key', NEW.id, json_build_object('name', NEW.name));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER audited_new AFTER INSERT ON stock.api_key
    FOR EACH ROW EXECUTE FUNCTION stock.audit_api_key();
ALTER TABLE stock.api_key ENABLE ALWAYS TRIGGER audited_new;
CREATE TRIGGER audited_end AFTER UPDATE OF revoked_at ON stock.api_key
    FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION stock.audit_api_key();
ALTER TABLE stock.api_key ENABLE ALWAYS TRIGGER audited_end;

CREATE FUNCTION stock.audit_tenant() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_changes json;
BEGIN
    SELECT json_object_agg(n.key, json_build_object('from', o.value, 'to', n.value)) INTO v_changes
    FROM jsonb_each(to_jsonb(NEW)) n JOIN jsonb_each(to_jsonb(OLD)) o ON o.key = n.key
    WHERE n.value <> o.value AND n.key NOT IN ('version', 'updated_at', 'timezone_since', 'currency_exponent');
    IF v_changes IS NOT NULL THEN
        PERFORM stock.audit(NEW.id, 'tenant.changed', NULL, NULL, v_changes);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER audited AFTER UPDATE ON stock.tenant FOR EACH ROW EXECUTE FUNCTION stock.audit_tenant();
ALTER TABLE stock.tenant ENABLE ALWAYS TRIGGER audited;

-- Settings -----------------------------------------------------------------------------------------------------------

-- Whether a name is one of IANA's zones. The server lists more: what its machine happens to be set to, and the same zones
-- under other folders, one of them with leap seconds.
CREATE FUNCTION stock.is_timezone(p_name text) RETURNS boolean
LANGUAGE sql STABLE
RETURN p_name NOT IN ('localtime', 'Factory', 'posixrules') AND p_name NOT LIKE 'posix/%' AND p_name NOT LIKE 'right/%'
       AND EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = p_name);

CREATE OR REPLACE FUNCTION stock.tenant_create(
    p_slug text, p_name text, p_currency text, p_exponent smallint, p_timezone text, p_register uuid
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id bigint;
BEGIN
    IF p_slug ~ '^[0-9]+$' THEN
        PERFORM stock.refuse_field('validation_failed', '/slug', 'A slug of digits alone looks like a tenant''s number.');
    END IF;
    IF NOT stock.is_timezone(p_timezone) THEN
        PERFORM stock.refuse_field('validation_failed', '/timezone', 'The time zone is not an IANA zone.');
    END IF;
    INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone)
    VALUES (p_slug, p_name, p_currency, p_exponent, p_timezone)
    ON CONFLICT (slug) DO NOTHING
    RETURNING id INTO v_id;
    IF v_id IS NULL THEN
        PERFORM stock.refuse_field('duplicate', '/slug', 'A tenant with this slug exists.');
    END IF;
    PERFORM set_config('stock.tenant_id', v_id::text, true);
    INSERT INTO stock.register (tenant_id, id, name, is_default) VALUES (v_id, p_register, 'Main', true);
    INSERT INTO stock.document_counter (tenant_id, register_id, kind)
    VALUES (v_id, p_register, 'sale'), (v_id, p_register, 'return');
    RETURN v_id;
END
$$;

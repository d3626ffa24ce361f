-- Tenants, people and their ways in.

-- How text is compared where case must not count: SKUs, names, e-mails. Kept in generated columns, because under
-- row-level security only leak-proof comparisons of plain columns may use an index.
CREATE FUNCTION stock.folded(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN lower(normalize(p_text, NFC) COLLATE "und-x-icu") COLLATE "C";

CREATE TABLE stock.tenant (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug                  text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9](-?[a-z0-9])*$' AND length(slug) <= 63),
    name                  text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    status                text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    currency              text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    currency_exponent     smallint NOT NULL CHECK (currency_exponent BETWEEN 0 AND 4),
    timezone              text NOT NULL,
    timezone_since        timestamptz NOT NULL DEFAULT now(),
    locale                text NOT NULL DEFAULT 'en',
    prices_include_tax    boolean NOT NULL DEFAULT true,
    oversell              text NOT NULL DEFAULT 'deny' CHECK (oversell IN ('deny', 'allow')),
    on_price_change       text NOT NULL DEFAULT 'refuse' CHECK (on_price_change IN ('refuse', 'keep')),
    returns_without_sale  text NOT NULL DEFAULT 'deny' CHECK (returns_without_sale IN ('deny', 'allow')),
    closed_until          date,
    version               bigint NOT NULL DEFAULT 1,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);
-- Global, so the statements themselves name the tenant; deleting one is an operator's work.
GRANT SELECT, INSERT, UPDATE ON stock.tenant TO stock_app;

CREATE TABLE stock.app_user (
    id             uuid PRIMARY KEY,
    email          text NOT NULL CHECK (length(email) BETWEEN 3 AND 320),
    email_key      text GENERATED ALWAYS AS (stock.folded(email)) STORED UNIQUE,
    password_hash  text NOT NULL,
    name           text NOT NULL DEFAULT '',
    status         text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    -- The tenants this person is a member of, kept by the trigger of membership. Memberships can only be read inside
    -- their tenant; this list says which tenants to ask, before one is known.
    tenant_ids     bigint[] NOT NULL DEFAULT '{}',
    version        bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON stock.app_user TO stock_app;

CREATE TABLE stock.membership (
    tenant_id   bigint NOT NULL CONSTRAINT membership_tenant_id_fkey REFERENCES stock.tenant (id),
    user_id     uuid NOT NULL CONSTRAINT membership_user_id_fkey REFERENCES stock.app_user (id),
    role        text NOT NULL CHECK (role IN ('owner', 'manager', 'cashier', 'stock_keeper', 'viewer')),
    active      boolean NOT NULL DEFAULT true,
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX membership_user_idx ON stock.membership (user_id);
CALL stock.secure_table('stock.membership', 'SELECT, INSERT, UPDATE, DELETE');

CREATE FUNCTION stock.membership_listed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        UPDATE stock.app_user u SET tenant_ids = u.tenant_ids || NEW.tenant_id
        WHERE u.id = NEW.user_id AND NOT NEW.tenant_id = ANY (u.tenant_ids);
    ELSE
        UPDATE stock.app_user u SET tenant_ids = array_remove(u.tenant_ids, OLD.tenant_id) WHERE u.id = OLD.user_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER listed AFTER INSERT OR DELETE ON stock.membership
    FOR EACH ROW EXECUTE FUNCTION stock.membership_listed();
ALTER TABLE stock.membership ENABLE ALWAYS TRIGGER listed;

CREATE TABLE stock.session (
    id                     uuid PRIMARY KEY,
    user_id                uuid NOT NULL REFERENCES stock.app_user (id),
    tenant_id              bigint NOT NULL REFERENCES stock.tenant (id),
    family                 uuid NOT NULL,
    refresh_hash           bytea NOT NULL UNIQUE,
    -- The successor's hash and when it took over: a lost answer within 10 s gets the same successor again.
    successor_id           uuid,
    rotated_at             timestamptz,
    created_at             timestamptz NOT NULL DEFAULT now(),
    expires_at             timestamptz NOT NULL,
    family_expires_at      timestamptz NOT NULL,
    revoked_at             timestamptz
);
CREATE INDEX session_user_idx ON stock.session (user_id) WHERE revoked_at IS NULL;
CREATE INDEX session_family_idx ON stock.session (family);
GRANT SELECT, INSERT, UPDATE, DELETE ON stock.session TO stock_app;

CREATE TABLE stock.api_key (
    tenant_id     bigint NOT NULL REFERENCES stock.tenant (id),
    id            uuid NOT NULL,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    secret_hash   bytea NOT NULL,
    scopes        text[] NOT NULL,
    created_by    uuid,
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, secret_hash)
);
CALL stock.secure_table('stock.api_key', 'SELECT, INSERT, UPDATE');

CREATE TABLE stock.register (
    tenant_id         bigint NOT NULL REFERENCES stock.tenant (id),
    id                uuid NOT NULL,
    name              text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key          text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    is_default        boolean NOT NULL DEFAULT false,
    requires_session  boolean NOT NULL DEFAULT false,
    active            boolean NOT NULL DEFAULT true,
    version           bigint NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
);
CREATE UNIQUE INDEX register_default_idx ON stock.register (tenant_id) WHERE is_default;
CALL stock.secure_table('stock.register', 'SELECT, INSERT, UPDATE, DELETE');

-- Dense numbers per register and kind of document; the row lock orders the writers.
CREATE TABLE stock.document_counter (
    tenant_id    bigint NOT NULL,
    register_id  uuid NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('sale', 'return')),
    last_number  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, register_id, kind),
    FOREIGN KEY (tenant_id, register_id) REFERENCES stock.register (tenant_id, id)
) WITH (fillfactor = 10);
CALL stock.secure_table('stock.document_counter', 'SELECT, INSERT, UPDATE');

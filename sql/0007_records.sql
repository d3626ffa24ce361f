-- What makes repeated requests harmless, what happened, and what was imported.

CREATE TABLE stock.idempotency_record (
    tenant_id     bigint NOT NULL,
    route         text NOT NULL,
    key           text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash  bytea NOT NULL,
    status        integer NOT NULL,
    headers       text,
    body          text,
    resource_id   uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL DEFAULT now() + interval '48 hours',
    PRIMARY KEY (tenant_id, route, key)
);
CREATE INDEX idempotency_record_expiry_idx ON stock.idempotency_record (tenant_id, expires_at);
CALL stock.secure_table('stock.idempotency_record', 'SELECT, INSERT, DELETE');
-- Locking expired rows before their deletion asks for the right to update one column.
GRANT UPDATE (expires_at) ON stock.idempotency_record TO stock_app;

-- The domain's events. seq is given densely per tenant after the commit, by whoever delivers them.
CREATE TABLE stock.domain_event (
    tenant_id    bigint NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    seq          bigint,
    type         text NOT NULL,
    entity_id    uuid,
    payload      json,
    user_id      uuid,
    occurred_at  timestamptz NOT NULL DEFAULT now(),
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX domain_event_seq_idx ON stock.domain_event (tenant_id, seq) WHERE seq IS NOT NULL;
CALL stock.secure_table('stock.domain_event', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE stock.import_job (
    tenant_id       bigint NOT NULL REFERENCES stock.tenant (id),
    id              uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('products', 'sales')),
    mode            text NOT NULL DEFAULT 'create' CHECK (mode IN ('create', 'upsert')),
    on_error        text NOT NULL DEFAULT 'skip' CHECK (on_error IN ('skip', 'abort')),
    status          text NOT NULL CHECK (status IN ('received', 'validating', 'running', 'completed',
                                                    'completed_with_errors', 'failed', 'cancelled')),
    file_name       text NOT NULL,
    file_hash       bytea NOT NULL,
    options         json NOT NULL DEFAULT '{}',
    -- Chunks done; a run that was killed goes on after them.
    checkpoint      bigint NOT NULL DEFAULT 0,
    rows            bigint NOT NULL DEFAULT 0,
    rows_applied    bigint NOT NULL DEFAULT 0,
    rows_unchanged  bigint NOT NULL DEFAULT 0,
    rows_rejected   bigint NOT NULL DEFAULT 0,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX import_job_file_idx ON stock.import_job (tenant_id, kind, file_hash);
CALL stock.secure_table('stock.import_job', 'SELECT, INSERT, UPDATE');

-- The rows a job refused.
CREATE TABLE stock.import_row (
    tenant_id  bigint NOT NULL,
    job_id     uuid NOT NULL,
    number     bigint NOT NULL,
    raw        text,
    errors     json NOT NULL DEFAULT '[]',
    outcome    text NOT NULL CHECK (outcome IN ('applied', 'unchanged', 'rejected')),
    PRIMARY KEY (tenant_id, job_id, number),
    FOREIGN KEY (tenant_id, job_id) REFERENCES stock.import_job (tenant_id, id)
);
CALL stock.secure_table('stock.import_row', 'SELECT, INSERT, DELETE');

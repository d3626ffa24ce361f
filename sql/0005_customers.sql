-- Customers and what they owe.

CREATE TABLE stock.customer (
    tenant_id     bigint NOT NULL REFERENCES stock.tenant (id),
    id            uuid NOT NULL,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key      text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    tax_id        text,
    phone         text,
    email         text,
    credit_limit  numeric(18,4) CHECK (credit_limit >= 0),
    active        boolean NOT NULL DEFAULT true,
    external_id   text,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX customer_name_idx ON stock.customer (tenant_id, name_key, id);
CREATE UNIQUE INDEX customer_external_idx ON stock.customer (tenant_id, external_id) WHERE external_id IS NOT NULL;
CALL stock.secure_table('stock.customer', 'SELECT, INSERT, UPDATE, DELETE');

-- The sum of due of the customer's confirmed sales. A row of its own: selling makes no edit of the customer stale.
CREATE TABLE stock.customer_account (
    tenant_id    bigint NOT NULL,
    customer_id  uuid NOT NULL,
    balance      numeric(18,4) NOT NULL DEFAULT 0 CONSTRAINT customer_account_balance CHECK (balance >= 0),
    version      bigint NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, customer_id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES stock.customer (tenant_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);
CALL stock.secure_table('stock.customer_account', 'SELECT, INSERT, UPDATE, DELETE');

CREATE FUNCTION stock.customer_accounted() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.customer_account (tenant_id, customer_id) SELECT c.tenant_id, c.id FROM changed c;
    RETURN NULL;
END
$$;
CREATE TRIGGER account_insert AFTER INSERT ON stock.customer REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.customer_accounted();
ALTER TABLE stock.customer ENABLE ALWAYS TRIGGER account_insert;

-- Who a shop buys from.

CREATE TABLE stock.supplier (
    tenant_id    bigint NOT NULL REFERENCES stock.tenant (id),
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key     text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    tax_id       text CHECK (length(tax_id) BETWEEN 1 AND 50),
    contact      text CHECK (length(contact) BETWEEN 1 AND 200),
    phone        text CHECK (length(phone) BETWEEN 1 AND 50),
    email        text CHECK (length(email) BETWEEN 1 AND 254),
    active       boolean NOT NULL DEFAULT true,
    external_id  text CHECK (length(external_id) BETWEEN 1 AND 200),
    version      bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE stock.supplier ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX supplier_name_idx ON stock.supplier (tenant_id, name_key, id);
CREATE UNIQUE INDEX supplier_external_idx ON stock.supplier (tenant_id, external_id) WHERE external_id IS NOT NULL;
CALL stock.secure_table('stock.supplier', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.supplier', 'cache_touch', 'suppliers');

CREATE FUNCTION stock.supplier_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.name, s.tax_id, s.contact, s.phone, s.email, s.active, s.external_id, s.version,
               stock.rfc3339(s.created_at) AS created_at, stock.rfc3339(s.updated_at) AS updated_at
        FROM stock.supplier s WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

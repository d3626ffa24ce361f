-- Categories, units, products and their barcodes.

CREATE TABLE stock.category (
    tenant_id    bigint NOT NULL REFERENCES stock.tenant (id),
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key     text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    parent_id    uuid,
    active       boolean NOT NULL DEFAULT true,
    external_id  text,
    version      bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES stock.category (tenant_id, id)
);
CREATE INDEX category_parent_idx ON stock.category (tenant_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE UNIQUE INDEX category_external_idx ON stock.category (tenant_id, external_id) WHERE external_id IS NOT NULL;
CALL stock.secure_table('stock.category', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE stock.unit (
    tenant_id    bigint NOT NULL REFERENCES stock.tenant (id),
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key     text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    symbol       text NOT NULL CHECK (length(symbol) BETWEEN 1 AND 20),
    decimals     smallint NOT NULL DEFAULT 0 CHECK (decimals BETWEEN 0 AND 6),
    external_id  text,
    version      bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
);
CREATE UNIQUE INDEX unit_external_idx ON stock.unit (tenant_id, external_id) WHERE external_id IS NOT NULL;
CALL stock.secure_table('stock.unit', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE stock.product (
    tenant_id     bigint NOT NULL REFERENCES stock.tenant (id),
    id            uuid NOT NULL,
    sku           text CHECK (length(sku) BETWEEN 1 AND 100),
    sku_key       text GENERATED ALWAYS AS (stock.folded(sku)) STORED,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 300),
    name_key      text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    category_id   uuid,
    unit_id       uuid NOT NULL,
    price         numeric(18,6) NOT NULL CHECK (price >= 0),
    tax_rate      numeric(7,4) NOT NULL DEFAULT 0 CHECK (tax_rate >= 0),
    tracks_stock  boolean NOT NULL DEFAULT true,
    oversell      text NOT NULL DEFAULT 'inherit' CHECK (oversell IN ('inherit', 'deny', 'allow')),
    min_stock     numeric(18,6) NOT NULL DEFAULT 0 CHECK (min_stock >= 0),
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
    external_id   text,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sku_key),
    FOREIGN KEY (tenant_id, category_id) REFERENCES stock.category (tenant_id, id),
    FOREIGN KEY (tenant_id, unit_id) REFERENCES stock.unit (tenant_id, id)
);
CREATE INDEX product_name_idx ON stock.product (tenant_id, name_key, id);
CREATE INDEX product_category_idx ON stock.product (tenant_id, category_id, status);
CREATE INDEX product_unit_idx ON stock.product (tenant_id, unit_id);
CREATE UNIQUE INDEX product_external_idx ON stock.product (tenant_id, external_id) WHERE external_id IS NOT NULL;
CALL stock.secure_table('stock.product', 'SELECT, INSERT, UPDATE, DELETE');

-- Unique per product, not per tenant: a look-up answers a list.
CREATE TABLE stock.product_barcode (
    tenant_id   bigint NOT NULL,
    product_id  uuid NOT NULL,
    code        text NOT NULL CHECK (length(code) BETWEEN 1 AND 100),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, product_id, code),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX product_barcode_code_idx ON stock.product_barcode (tenant_id, code);
CALL stock.secure_table('stock.product_barcode', 'SELECT, INSERT, DELETE');

-- Sales, returns, payments and the ledger the balance is made of.

CREATE TABLE stock.sale (
    -- Its register's key leads to the tenant. A key of its own would lock the tenant's one row for every sale.
    tenant_id       bigint NOT NULL,
    id              uuid NOT NULL,
    register_id     uuid NOT NULL,
    number          bigint,
    status          text NOT NULL CHECK (status IN ('draft', 'confirmed', 'cancelled', 'discarded')),
    customer_id     uuid,
    user_id         uuid,
    note            text,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    business_day    date NOT NULL,
    subtotal        numeric(18,4) NOT NULL CHECK (subtotal >= 0),
    discount        numeric(18,4) NOT NULL CHECK (discount BETWEEN 0 AND subtotal),
    tax             numeric(18,4) NOT NULL CHECK (tax >= 0),
    total           numeric(18,4) NOT NULL,
    returned_total  numeric(18,4) NOT NULL DEFAULT 0 CHECK (returned_total BETWEEN 0 AND total),
    paid            numeric(18,4) NOT NULL DEFAULT 0 CHECK (paid >= 0),
    refunded        numeric(18,4) NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    due             numeric(18,4) NOT NULL CONSTRAINT sale_due CHECK (due >= 0),
    external_id     text,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, register_id) REFERENCES stock.register (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES stock.customer (tenant_id, id),
    CHECK (total IN (subtotal - discount, subtotal - discount + tax)),
    CHECK (due = CASE WHEN status = 'confirmed' THEN total - returned_total - paid + refunded ELSE 0 END),
    CHECK ((number IS NOT NULL) = (status IN ('confirmed', 'cancelled')))
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX sale_number_idx ON stock.sale (tenant_id, register_id, number) WHERE number IS NOT NULL;
CREATE INDEX sale_list_idx ON stock.sale (tenant_id, occurred_at, id);
CREATE INDEX sale_customer_idx ON stock.sale (tenant_id, customer_id, occurred_at, id) WHERE customer_id IS NOT NULL;
CREATE INDEX sale_due_idx ON stock.sale (tenant_id, customer_id, occurred_at, id) WHERE due > 0;
CREATE UNIQUE INDEX sale_external_idx ON stock.sale (tenant_id, external_id) WHERE external_id IS NOT NULL;
CALL stock.secure_table('stock.sale', 'SELECT, INSERT, UPDATE');

CREATE TABLE stock.sale_line (
    tenant_id          bigint NOT NULL,
    id                 uuid NOT NULL,
    sale_id            uuid NOT NULL,
    position           integer NOT NULL CHECK (position > 0),
    product_id         uuid NOT NULL,
    sku                text,
    name               text NOT NULL,
    unit               text NOT NULL,
    quantity           numeric(18,6) NOT NULL CHECK (quantity > 0),
    unit_price         numeric(18,6) NOT NULL CHECK (unit_price >= 0),
    price_source       text NOT NULL DEFAULT 'list' CHECK (price_source IN ('list', 'override')),
    discount           numeric(18,4) NOT NULL DEFAULT 0 CHECK (discount >= 0),
    document_discount  numeric(18,4) NOT NULL DEFAULT 0 CHECK (document_discount >= 0),
    tax_rate           numeric(7,4) NOT NULL CHECK (tax_rate >= 0),
    tax                numeric(18,4) NOT NULL CHECK (tax >= 0),
    total              numeric(18,4) NOT NULL CHECK (total >= 0),
    unit_cost          numeric(18,6) NOT NULL CHECK (unit_cost >= 0),
    returned_quantity  numeric(18,6) NOT NULL DEFAULT 0 CHECK (returned_quantity BETWEEN 0 AND quantity),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sale_id, position),
    FOREIGN KEY (tenant_id, sale_id) REFERENCES stock.sale (tenant_id, id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id)
);
CREATE INDEX sale_line_product_idx ON stock.sale_line (tenant_id, product_id);
CALL stock.secure_table('stock.sale_line', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE stock.sale_return (
    tenant_id     bigint NOT NULL,
    id            uuid NOT NULL,
    register_id   uuid NOT NULL,
    number        bigint NOT NULL,
    sale_id       uuid,
    customer_id   uuid,
    user_id       uuid,
    note          text,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    business_day  date NOT NULL,
    total         numeric(18,4) NOT NULL CHECK (total >= 0),
    refund        numeric(18,4) NOT NULL CHECK (refund BETWEEN 0 AND total),
    external_id   text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, register_id, number),
    FOREIGN KEY (tenant_id, register_id) REFERENCES stock.register (tenant_id, id),
    FOREIGN KEY (tenant_id, sale_id) REFERENCES stock.sale (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES stock.customer (tenant_id, id)
);
CREATE INDEX sale_return_list_idx ON stock.sale_return (tenant_id, occurred_at, id);
CREATE INDEX sale_return_sale_idx ON stock.sale_return (tenant_id, sale_id) WHERE sale_id IS NOT NULL;
CREATE UNIQUE INDEX sale_return_external_idx ON stock.sale_return (tenant_id, external_id) WHERE external_id IS NOT NULL;
CALL stock.secure_table('stock.sale_return', 'SELECT, INSERT');

CREATE TABLE stock.sale_return_line (
    tenant_id     bigint NOT NULL,
    id            uuid NOT NULL,
    return_id     uuid NOT NULL,
    position      integer NOT NULL CHECK (position > 0),
    sale_line_id  uuid,
    product_id    uuid NOT NULL,
    sku           text,
    name          text NOT NULL,
    unit          text NOT NULL,
    quantity      numeric(18,6) NOT NULL CHECK (quantity > 0),
    unit_price    numeric(18,6) NOT NULL CHECK (unit_price >= 0),
    amount        numeric(18,4) NOT NULL CHECK (amount >= 0),
    unit_cost     numeric(18,6) NOT NULL CHECK (unit_cost >= 0),
    restock       boolean NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, return_id, position),
    FOREIGN KEY (tenant_id, return_id) REFERENCES stock.sale_return (tenant_id, id),
    FOREIGN KEY (tenant_id, sale_line_id) REFERENCES stock.sale_line (tenant_id, id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id)
);
CREATE INDEX sale_return_line_product_idx ON stock.sale_return_line (tenant_id, product_id);
CALL stock.secure_table('stock.sale_return_line', 'SELECT, INSERT');

CREATE TABLE stock.payment (
    -- No key to the tenant here and below: it would lock the tenant's one row for every sale. The policy lets in no
    -- other tenant than the running one, and tenants are never deleted.
    tenant_id     bigint NOT NULL,
    id            uuid NOT NULL,
    direction     text NOT NULL CHECK (direction IN ('in', 'out')),
    method        text NOT NULL CHECK (method IN ('cash', 'card', 'transfer')),
    amount        numeric(18,4) NOT NULL CHECK (amount > 0),
    tendered      numeric(18,4),
    change        numeric(18,4),
    status        text NOT NULL DEFAULT 'confirmed' CHECK (status IN ('confirmed', 'reversed')),
    sale_id       uuid,
    return_id     uuid,
    customer_id   uuid,
    user_id       uuid,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    business_day  date NOT NULL,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, sale_id) REFERENCES stock.sale (tenant_id, id),
    FOREIGN KEY (tenant_id, return_id) REFERENCES stock.sale_return (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES stock.customer (tenant_id, id),
    CHECK (method = 'cash' OR tendered IS NULL),
    CHECK (tendered >= amount AND change = tendered - amount OR tendered IS NULL AND change IS NULL)
);
CREATE INDEX payment_list_idx ON stock.payment (tenant_id, occurred_at, id);
CREATE INDEX payment_customer_idx ON stock.payment (tenant_id, customer_id, occurred_at, id)
    WHERE customer_id IS NOT NULL;
CREATE INDEX payment_return_idx ON stock.payment (tenant_id, return_id) WHERE return_id IS NOT NULL;
CALL stock.secure_table('stock.payment', 'SELECT, INSERT, UPDATE');

-- Which documents a payment pays. A refund without a sale has none.
CREATE TABLE stock.payment_allocation (
    tenant_id   bigint NOT NULL,
    payment_id  uuid NOT NULL,
    position    integer NOT NULL CHECK (position > 0),
    sale_id     uuid NOT NULL,
    amount      numeric(18,4) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (tenant_id, payment_id, position),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES stock.payment (tenant_id, id),
    FOREIGN KEY (tenant_id, sale_id) REFERENCES stock.sale (tenant_id, id)
);
CREATE INDEX payment_allocation_sale_idx ON stock.payment_allocation (tenant_id, sale_id, payment_id);
CALL stock.secure_table('stock.payment_allocation', 'SELECT, INSERT');

-- Money that moved. Append-only: a reversal is a negative row of the same direction.
CREATE TABLE stock.ledger_entry (
    tenant_id     bigint NOT NULL,
    id            uuid NOT NULL,
    direction     text NOT NULL CHECK (direction IN ('income', 'expense')),
    amount        numeric(18,4) NOT NULL CHECK (amount <> 0),
    method        text NOT NULL CHECK (method IN ('cash', 'card', 'transfer')),
    category      text NOT NULL,
    source_type   text NOT NULL,
    source_id     uuid NOT NULL,
    reverses_id   uuid,
    user_id       uuid,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    business_day  date NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, source_type, source_id, reverses_id),
    FOREIGN KEY (tenant_id, reverses_id) REFERENCES stock.ledger_entry (tenant_id, id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);
-- The series reads nothing but this index.
CREATE INDEX ledger_entry_day_idx ON stock.ledger_entry (tenant_id, business_day, method) INCLUDE (direction, amount);
CALL stock.secure_table('stock.ledger_entry', 'SELECT, INSERT');

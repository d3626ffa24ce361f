-- Levels and movements. A level is a running figure with a row of its own, so that selling makes no edit of the product
-- stale; only movements move it.

CREATE TABLE stock.stock_level (
    tenant_id      bigint NOT NULL,
    product_id     uuid NOT NULL,
    on_hand        numeric(18,6) NOT NULL DEFAULT 0,
    cost           numeric(18,6) NOT NULL DEFAULT 0 CHECK (cost >= 0),
    -- How far on_hand may fall: NULL where overselling is allowed, least(0, on_hand) where not, so that a negative left
    -- from before can only climb.
    floor          numeric(18,6),
    -- Movements so far: the seq of the last one, and the figure part of the product's ETag.
    stock_version  bigint NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, product_id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT stock_level_floor CHECK (on_hand >= floor)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CALL stock.secure_table('stock.stock_level', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE stock.stock_movement (
    tenant_id      bigint NOT NULL,
    id             uuid NOT NULL,
    product_id     uuid NOT NULL,
    seq            bigint NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('sale', 'sale_reversal', 'return', 'purchase', 'purchase_reversal',
                                                 'adjustment', 'loss', 'opening', 'count')),
    quantity       numeric(18,6) NOT NULL CHECK (quantity <> 0),
    on_hand_after  numeric(18,6) NOT NULL,
    unit_cost      numeric(18,6) NOT NULL CHECK (unit_cost >= 0),
    reason         text,
    ref_type       text,
    ref_id         uuid,
    user_id        uuid,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    business_day   date NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, product_id, seq),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id)
);
CREATE INDEX stock_movement_ref_idx ON stock.stock_movement (tenant_id, ref_id) WHERE ref_id IS NOT NULL;
CALL stock.secure_table('stock.stock_movement', 'SELECT, INSERT');

-- Every product has one level from the start.
CREATE FUNCTION stock.product_levelled() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.stock_level (tenant_id, product_id, floor)
    SELECT c.tenant_id, c.id,
           CASE WHEN c.tracks_stock AND (c.oversell = 'deny' OR c.oversell = 'inherit' AND t.oversell = 'deny')
                THEN 0 END
    FROM changed c JOIN stock.tenant t ON t.id = c.tenant_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER level_insert AFTER INSERT ON stock.product REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.product_levelled();
ALTER TABLE stock.product ENABLE ALWAYS TRIGGER level_insert;

-- The floor follows the oversell rule, whoever changes it.
CREATE FUNCTION stock.product_floored() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock.stock_level l
    SET floor = CASE WHEN n.tracks_stock AND (n.oversell = 'deny' OR n.oversell = 'inherit' AND t.oversell = 'deny')
                     THEN least(0, l.on_hand) END,
        updated_at = now()
    FROM changed n
    JOIN replaced o ON o.tenant_id = n.tenant_id AND o.id = n.id
    JOIN stock.tenant t ON t.id = n.tenant_id
    WHERE l.tenant_id = n.tenant_id AND l.product_id = n.id
      AND (n.oversell <> o.oversell OR n.tracks_stock <> o.tracks_stock);
    RETURN NULL;
END
$$;
CREATE TRIGGER floor_update AFTER UPDATE ON stock.product REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.product_floored();
ALTER TABLE stock.product ENABLE ALWAYS TRIGGER floor_update;

CREATE FUNCTION stock.tenant_floored() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock.stock_level l
    SET floor = CASE WHEN p.tracks_stock AND NEW.oversell = 'deny' THEN least(0, l.on_hand) END, updated_at = now()
    FROM stock.product p
    WHERE p.tenant_id = NEW.id AND p.oversell = 'inherit' AND l.tenant_id = p.tenant_id AND l.product_id = p.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER floor_update AFTER UPDATE OF oversell ON stock.tenant
    FOR EACH ROW WHEN (OLD.oversell <> NEW.oversell) EXECUTE FUNCTION stock.tenant_floored();
ALTER TABLE stock.tenant ENABLE ALWAYS TRIGGER floor_update;

-- What the first document fixes of a product, its unit and whether it tracks stock, was asked for before it was changed, and a movement that was
-- not committed then was not seen; so were the decimals of a unit. Who changes them and who counts, carries or moves goods by hand hold the
-- level from before they read: whoever comes second sees what the first has done.

-- Holds products of which something is about to be changed that their documents fix, in the order in which whoever changes the shop does.
CREATE FUNCTION stock.products_held(p_products uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    PERFORM FROM stock.product p WHERE p.tenant_id = v_tenant AND p.id = ANY (p_products) ORDER BY p.id FOR NO KEY UPDATE;
    PERFORM FROM stock.tenant t WHERE t.id = v_tenant FOR SHARE;
    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = v_tenant AND l.product_id = ANY (p_products) ORDER BY l.product_id FOR NO KEY UPDATE;
END
$$;

-- Whatever door a change comes through. It was refused with its field where it was asked for; here it is asked again.
CREATE FUNCTION stock.product_fixed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.products_held(ARRAY[NEW.id]);
    IF stock.product_is_named(NEW.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'A document has named the product meanwhile.';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER fixed BEFORE UPDATE OF unit_id, tracks_stock ON stock.product
FOR EACH ROW WHEN (NEW.unit_id <> OLD.unit_id OR NEW.tracks_stock <> OLD.tracks_stock)
EXECUTE FUNCTION stock.product_fixed();

-- All that a batch writes are held at once, where it changes such a thing of one: held one by one as they are written, and all of them
-- in their order behind that, they would be held in two orders.
CALL stock.amend('write_products', $$    IF EXISTS (SELECT FROM unnest(v_targets, v_products) AS w (target, product_id) WHERE w.target = w.product_id) THEN
        -- Barcodes$$, $$    IF EXISTS (
        SELECT FROM unnest(v_targets, v_products, p_units, p_tracked) AS w (target, product_id, unit_id, tracks_stock), LATERAL (
            SELECT o.unit_id, o.tracks_stock FROM stock.product o
            WHERE o.tenant_id = v_tenant AND o.id = w.target OFFSET 0) p
        WHERE w.target = w.product_id AND (w.unit_id <> p.unit_id OR w.tracks_stock <> p.tracks_stock)
    ) THEN
        PERFORM stock.products_held(v_targets);
    END IF;
    IF EXISTS (SELECT FROM unnest(v_targets, v_products) AS w (target, product_id) WHERE w.target = w.product_id) THEN
        -- Barcodes$$);

CALL stock.amend('check_unit_decimals', $$    IF p_decimals < v_decimals AND stock.has_finer_quantity(p_id, p_decimals) THEN
        PERFORM stock.refuse_field('invalid_state', '/decimals', 'Quantities with more decimals are recorded.');
    END IF;
$$, $$    IF p_decimals < v_decimals THEN
        PERFORM stock.products_held(ARRAY(
            SELECT p.id FROM stock.product p WHERE p.tenant_id = stock.current_tenant() AND p.unit_id = p_id));
        IF stock.has_finer_quantity(p_id, p_decimals) THEN
            PERFORM stock.refuse_field('invalid_state', '/decimals', 'Quantities with more decimals are recorded.');
        END IF;
    END IF;
$$);

ALTER FUNCTION stock.goods_named(text, text, uuid[], text[], numeric[], uuid[], text) VOLATILE;
CALL stock.amend('goods_named', $$BEGIN
    SELECT json_agg($$, $$BEGIN
    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = v_tenant AND l.product_id = ANY (v_products)
    ORDER BY l.product_id FOR NO KEY UPDATE;
    SELECT json_agg($$);
CALL stock.amend('stock_record', $$    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = v_tenant AND l.product_id = ANY (v_products)
    ORDER BY l.product_id FOR NO KEY UPDATE;

$$, '');

-- A line is written of the version of its product that its tax was computed for. Between the comparison of the versions and the writing of the
-- lines a unit waits, for the session, the account, the levels; who changed a product meanwhile had its line say one rate, and the tax of
-- another.
CALL stock.amend('sale_lines', 'p_products uuid[], p_quantities numeric[]', 'p_products uuid[], p_versions bigint[], p_quantities numeric[]');
DROP FUNCTION stock.sale_lines(uuid, uuid[], uuid[], numeric[], numeric[], boolean[], numeric[], numeric[], numeric[], numeric[], text[], boolean);
CALL stock.amend('sale_lines', $$
    v_tenant bigint := stock.current_tenant();
BEGIN$$, $$
    v_tenant bigint := stock.current_tenant();
    v_lines  bigint;
BEGIN$$);
CALL stock.amend('sale_lines', $$AND o.product_id = p.id OFFSET 0) l;
$$, $$AND o.product_id = p.id OFFSET 0) l
    WHERE p.version = p_versions[w.i];
    GET DIAGNOSTICS v_lines = ROW_COUNT;
    IF v_lines < cardinality(p_lines) THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'products_changed';
    END IF;
$$);
CALL stock.amend('sale_confirm', 'stock.sale_lines(p_sale, p_lines, p_products, p_quantities,', 'stock.sale_lines(p_sale, p_lines, p_products, p_versions, p_quantities,');
CALL stock.amend('sale_draft', 'stock.sale_lines(p_sale, p_lines, p_products, p_quantities,', 'stock.sale_lines(p_sale, p_lines, p_products, p_versions, p_quantities,');

CALL stock.amend('quote_draft', $$
    v_register record;
BEGIN$$, $$
    v_register record;
    v_lines    bigint;
BEGIN$$);
CALL stock.amend('quote_draft', $$
    LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u;
$$, $$
    LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u
    WHERE p.version = p_versions[w.i];
    GET DIAGNOSTICS v_lines = ROW_COUNT;
    IF v_lines < cardinality(p_lines) THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'products_changed';
    END IF;
$$);

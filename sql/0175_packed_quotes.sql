-- Lines of quotes that name their product by a packaging or a code, as those of sales (0173).

ALTER TABLE stock.quote_line
    ADD COLUMN packaging text, ADD COLUMN packed_quantity numeric(18,6), ADD COLUMN packed_price numeric(18,6);
ALTER TABLE stock.quote_line ADD CONSTRAINT quote_line_packed CHECK (
    packed_quantity IS NULL AND packaging IS NULL AND packed_price IS NULL
    OR packed_quantity > 0 AND (packed_price IS NULL OR packed_price >= 0)) NOT VALID;
GRANT UPDATE (packaging, packed_quantity, packed_price) ON stock.quote_line TO stock_app;

-- Says of lines that the unit has just written how they were asked for. Few have any of that: one by one, by their keys.
CREATE FUNCTION stock.quote_lines_packed(
    p_quote uuid, p_lines uuid[], p_packagings text[], p_quantities numeric[], p_prices numeric[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(p_lines) LOOP
        UPDATE stock.quote_line l
        SET packaging = p_packagings[i], packed_quantity = p_quantities[i], packed_price = p_prices[i]
        WHERE l.tenant_id = stock.current_tenant() AND l.quote_id = p_quote AND l.id = p_lines[i];
    END LOOP;
END
$$;

-- The body of a quote shows it with each line, as that of a sale does.
DO $$
DECLARE
    v_body   text := pg_get_functiondef('stock.quote_body(bigint, uuid, date)'::regprocedure);
    v_member text := 'stock.money_text(l.total, v_exponent) AS total';
    v_packed text := $sql$,
                    CASE WHEN l.packed_quantity IS NOT NULL
                         THEN json_build_object('name', l.packaging,
                                                'quantity', stock.quantity_text(l.packed_quantity),
                                                'price', stock.price_text(l.packed_price, v_exponent))
                    END AS packaging$sql$;
BEGIN
    IF length(v_body) - length(replace(v_body, v_member, '')) <> length(v_member) THEN
        RAISE EXCEPTION 'stock.quote_body has no place for how a line was asked for';
    END IF;
    EXECUTE replace(v_body, v_member, v_member || v_packed);
END
$$;

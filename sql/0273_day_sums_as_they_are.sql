-- What a series or a summary adds up is handed over as it lies: whoever asks adds it up, by days, weeks or methods. Added up here by day
-- and method first, each total was grouped twice. docs/decisions/0059-what-a-million-sales-still-cost.md tells what was measured.
CREATE OR REPLACE FUNCTION stock.day_sums(p_register uuid, p_location uuid, p_from date, p_to date)
RETURNS TABLE (business_day date, method text, income numeric, expense numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF p_register IS NOT NULL THEN
        RETURN QUERY
        SELECT b.business_day, b.method, b.income, b.expense FROM stock.register_day b
        WHERE b.tenant_id = v_tenant AND b.register_id = p_register AND b.business_day BETWEEN p_from AND p_to
          AND (p_location IS NULL OR b.location_id = p_location);
    ELSIF p_location IS NOT NULL THEN
        RETURN QUERY
        SELECT b.business_day, b.method, b.income, b.expense FROM stock.register_day b
        WHERE b.tenant_id = v_tenant AND b.location_id = p_location AND b.business_day BETWEEN p_from AND p_to;
    ELSE
        RETURN QUERY
        SELECT b.business_day, b.method, b.income, b.expense FROM stock.balance_day b
        WHERE b.tenant_id = v_tenant AND b.business_day BETWEEN p_from AND p_to;
    END IF;
END
$$;

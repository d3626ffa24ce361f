-- The rules of the tables that every sale writes, one function for each table. The server reads, plans and prepares each CHECK
-- of a table anew for every statement that writes it, expression by expression: a fifth of what a sale cost. A call is one
-- expression, and what is in the function is prepared once for each connection. What was checked before stays so.
-- docs/decisions/0036-rules-as-functions.md tells what was measured.

CREATE FUNCTION stock.sale_is_sound(
    p_status text, p_number bigint, p_subtotal numeric, p_discount numeric, p_tax numeric, p_total numeric,
    p_rounding numeric, p_returned numeric, p_paid numeric, p_refunded numeric, p_due numeric
) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN p_status IN ('draft', 'confirmed', 'cancelled', 'discarded')
        AND (p_number IS NOT NULL) = (p_status IN ('confirmed', 'cancelled'))
        AND p_subtotal >= 0 AND p_discount >= 0 AND p_discount <= p_subtotal AND p_tax >= 0
        -- Of some lines the prices contain the taxes, of others they do not.
        AND p_total >= p_subtotal - p_discount AND p_total <= p_subtotal - p_discount + p_tax
        AND p_returned >= 0 AND p_returned <= p_total AND p_paid >= 0 AND p_refunded >= 0 AND p_due >= 0
        AND p_due = CASE WHEN p_status = 'confirmed' THEN p_total + p_rounding - p_returned - p_paid + p_refunded
                         ELSE 0 END;
END
$$;
ALTER TABLE stock.sale
    ADD CONSTRAINT sale_sound CHECK (stock.sale_is_sound(status, number, subtotal, discount, tax, total, rounding,
                                                         returned_total, paid, refunded, due)) NOT VALID,
    DROP CONSTRAINT sale_check, DROP CONSTRAINT sale_check1, DROP CONSTRAINT sale_check2, DROP CONSTRAINT sale_check4,
    DROP CONSTRAINT sale_due, DROP CONSTRAINT sale_paid_check, DROP CONSTRAINT sale_refunded_check,
    DROP CONSTRAINT sale_rest, DROP CONSTRAINT sale_status_check, DROP CONSTRAINT sale_subtotal_check,
    DROP CONSTRAINT sale_tax_check;

CREATE FUNCTION stock.sale_line_is_sound(
    p_position integer, p_quantity numeric, p_unit_price numeric, p_price_source text, p_discount numeric,
    p_document_discount numeric, p_tax_rate numeric, p_tax numeric, p_total numeric, p_unit_cost numeric,
    p_returned numeric, p_has_taxes boolean
) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN p_position > 0 AND p_quantity > 0 AND p_unit_price >= 0 AND p_price_source IN ('list', 'override')
        AND p_discount >= 0 AND p_document_discount >= 0 AND p_tax >= 0 AND p_total >= 0 AND p_unit_cost >= 0
        AND p_returned >= 0 AND p_returned <= p_quantity AND (p_tax_rate >= 0 OR p_tax_rate IS NULL AND p_has_taxes);
END
$$;
ALTER TABLE stock.sale_line
    ADD CONSTRAINT sale_line_sound CHECK (
        stock.sale_line_is_sound(position, quantity, unit_price, price_source, discount, document_discount, tax_rate, tax,
                                 total, unit_cost, returned_quantity, taxes IS NOT NULL)) NOT VALID,
    DROP CONSTRAINT sale_line_check, DROP CONSTRAINT sale_line_discount_check,
    DROP CONSTRAINT sale_line_document_discount_check, DROP CONSTRAINT sale_line_position_check,
    DROP CONSTRAINT sale_line_price_source_check, DROP CONSTRAINT sale_line_quantity_check,
    DROP CONSTRAINT sale_line_tax_check, DROP CONSTRAINT sale_line_tax_rate_check, DROP CONSTRAINT sale_line_taxes,
    DROP CONSTRAINT sale_line_total_check, DROP CONSTRAINT sale_line_unit_cost_check,
    DROP CONSTRAINT sale_line_unit_price_check;

CREATE FUNCTION stock.payment_is_sound(
    p_direction text, p_status text, p_method text, p_amount numeric, p_tip numeric, p_rounding numeric, p_tendered numeric,
    p_change numeric, p_is_of_sale boolean
) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN p_direction IN ('in', 'out') AND p_status IN ('confirmed', 'reversed') AND p_method ~ '^[a-z0-9_]{1,40}$'
        AND p_amount > 0 AND p_tip >= 0 AND (p_tip = 0 OR p_direction = 'in')
        AND p_rounding < p_amount AND (p_rounding = 0 OR p_is_of_sale)
        AND CASE WHEN p_tendered IS NULL THEN p_change IS NULL
                 ELSE p_change IS NOT NULL AND p_change >= 0 AND p_change = p_tendered - p_amount - p_tip END;
END
$$;
ALTER TABLE stock.payment
    ADD CONSTRAINT payment_sound CHECK (
        stock.payment_is_sound(direction, status, method, amount, tip, rounding, tendered, change,
                               sale_id IS NOT NULL)) NOT VALID,
    DROP CONSTRAINT payment_amount_check, DROP CONSTRAINT payment_change, DROP CONSTRAINT payment_direction_check,
    DROP CONSTRAINT payment_method_code, DROP CONSTRAINT payment_rounding, DROP CONSTRAINT payment_status_check,
    DROP CONSTRAINT payment_tip;

CREATE FUNCTION stock.ledger_entry_is_sound(p_direction text, p_method text, p_amount numeric) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN p_direction IN ('income', 'expense') AND p_method ~ '^[a-z0-9_]{1,40}$' AND p_amount <> 0;
END
$$;
ALTER TABLE stock.ledger_entry
    ADD CONSTRAINT ledger_entry_sound CHECK (stock.ledger_entry_is_sound(direction, method, amount)) NOT VALID,
    DROP CONSTRAINT ledger_entry_amount_check, DROP CONSTRAINT ledger_entry_direction_check,
    DROP CONSTRAINT ledger_entry_method_code;

CREATE FUNCTION stock.stock_movement_is_sound(p_kind text, p_quantity numeric, p_unit_cost numeric) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN p_kind IN ('sale', 'sale_reversal', 'return', 'purchase', 'purchase_reversal', 'adjustment', 'loss', 'opening',
                      'count') AND p_quantity <> 0 AND p_unit_cost >= 0;
END
$$;
ALTER TABLE stock.stock_movement
    ADD CONSTRAINT stock_movement_sound CHECK (stock.stock_movement_is_sound(kind, quantity, unit_cost)) NOT VALID,
    DROP CONSTRAINT stock_movement_kind_check, DROP CONSTRAINT stock_movement_quantity_check,
    DROP CONSTRAINT stock_movement_unit_cost_check;

-- What a column of text may hold, where it did not say so yet: the numbers of TextRule, which every door reads by. NOT
-- VALID: rows from before are left alone, whatever they hold; no door has ever let in more.
ALTER TABLE stock.app_user
    DROP CONSTRAINT app_user_email_check,
    ADD CONSTRAINT app_user_email_length CHECK (length(email) BETWEEN 1 AND 254) NOT VALID,
    ADD CONSTRAINT app_user_name_length CHECK (length(name) BETWEEN 0 AND 200) NOT VALID;
ALTER TABLE stock.tenant
    ADD CONSTRAINT tenant_timezone_length CHECK (length(timezone) BETWEEN 1 AND 64) NOT VALID,
    ADD CONSTRAINT tenant_locale_length CHECK (length(locale) BETWEEN 1 AND 35) NOT VALID;
ALTER TABLE stock.category
    ADD CONSTRAINT category_external_id_length CHECK (length(external_id) BETWEEN 1 AND 200) NOT VALID;
ALTER TABLE stock.unit
    ADD CONSTRAINT unit_external_id_length CHECK (length(external_id) BETWEEN 1 AND 200) NOT VALID;
ALTER TABLE stock.product
    ADD CONSTRAINT product_external_id_length CHECK (length(external_id) BETWEEN 1 AND 200) NOT VALID;
ALTER TABLE stock.customer
    ADD CONSTRAINT customer_tax_id_length CHECK (length(tax_id) BETWEEN 1 AND 50) NOT VALID,
    ADD CONSTRAINT customer_phone_length CHECK (length(phone) BETWEEN 1 AND 50) NOT VALID,
    ADD CONSTRAINT customer_email_length CHECK (length(email) BETWEEN 1 AND 254) NOT VALID,
    ADD CONSTRAINT customer_external_id_length CHECK (length(external_id) BETWEEN 1 AND 200) NOT VALID;
ALTER TABLE stock.sale
    ADD CONSTRAINT sale_note_length CHECK (length(note) BETWEEN 0 AND 2000) NOT VALID,
    ADD CONSTRAINT sale_external_id_length CHECK (length(external_id) BETWEEN 1 AND 200) NOT VALID;
ALTER TABLE stock.sale_return
    ADD CONSTRAINT sale_return_note_length CHECK (length(note) BETWEEN 0 AND 2000) NOT VALID,
    ADD CONSTRAINT sale_return_external_id_length CHECK (length(external_id) BETWEEN 1 AND 200) NOT VALID;
ALTER TABLE stock.stock_movement
    ADD CONSTRAINT stock_movement_reason_length CHECK (length(reason) BETWEEN 1 AND 500) NOT VALID;

-- When a document may have happened, NULL, or why it may not: the one rule of sales, payments, movements and imports.
-- Clocks of tills are a little fast; nothing of a shop's books is older than its century's calendars agree on.
CREATE FUNCTION stock.moment_fault(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN p_at > now() + interval '5 minutes' THEN 'The time lies in the future.'
    WHEN p_at < '1900-01-01 00:00:00+00'::timestamptz THEN 'The time lies before 1900-01-01T00:00:00Z.'
END;

-- A document's moment, which must be one, and not in a closed period.
CREATE OR REPLACE FUNCTION stock.check_moment(p_occurred_at timestamptz) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_fault text := stock.moment_fault(p_occurred_at);
    v_closed date;
    v_zone text;
BEGIN
    IF v_fault IS NOT NULL THEN
        PERFORM stock.refuse_field('validation_failed', '/occurred_at', v_fault);
    END IF;
    SELECT t.closed_until, t.timezone INTO v_closed, v_zone FROM stock.tenant t WHERE t.id = stock.current_tenant();
    IF (coalesce(p_occurred_at, now()) AT TIME ZONE v_zone)::date <= v_closed THEN
        PERFORM stock.refuse_field('period_closed', '/occurred_at', format('The books are closed up to %s.', v_closed));
    END IF;
END
$$;

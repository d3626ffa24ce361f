-- What is of a day before today holds the day up to which the books are closed until it is written, and waits for whoever closes them: read
-- without a lock, an entry of March that waited for a drawer was written behind the closing of March.
ALTER FUNCTION stock.moment(timestamptz) VOLATILE;
CALL stock.amend('moment', $$
    v_refusal := stock.moment_refusal(occurred_at, business_day, v_closed);
$$, $$
    IF business_day < (now() AT TIME ZONE v_zone)::date THEN
        SELECT t.closed_until INTO v_closed FROM stock.tenant t WHERE t.id = stock.current_tenant() FOR SHARE;
    END IF;
    v_refusal := stock.moment_refusal(occurred_at, business_day, v_closed);
$$);

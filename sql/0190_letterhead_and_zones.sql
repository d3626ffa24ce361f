-- What receipts are headed and end with, and the time of day where a place is: a place may lie in another time zone than the shop,
-- and what happens there is of the day that it is there. docs/decisions/0049-screens-and-receipts.md tells what was chosen.

-- The shop's letterhead -------------------------------------------------------------------------------------------------

ALTER TABLE stock.tenant
    ADD COLUMN address text CHECK (length(address) BETWEEN 1 AND 500),
    ADD COLUMN tax_id text CHECK (length(tax_id) BETWEEN 1 AND 50),
    ADD COLUMN phone text CHECK (length(phone) BETWEEN 1 AND 50),
    ADD COLUMN receipt_footer text CHECK (length(receipt_footer) BETWEEN 1 AND 1000),
    -- An https URL, or a name by which the shop's own programs find it.
    ADD COLUMN logo text CHECK (length(logo) BETWEEN 1 AND 500)
        CHECK (logo ~ '^(https://[!-~]+|[A-Za-z0-9][A-Za-z0-9._/-]*)$');

CREATE OR REPLACE FUNCTION stock.tenant_body(p_tenant bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT t.id, t.slug, t.name, t.status, t.currency, t.timezone, t.locale, t.address, t.tax_id, t.phone,
               t.receipt_footer, t.logo, t.prices_include_tax, t.oversell,
               stock.quantity_text(t.manager_discount_limit) AS manager_discount_limit,
               stock.quantity_text(t.cashier_discount_limit) AS cashier_discount_limit,
               stock.quantity_text(t.manager_credit_limit) AS manager_credit_limit,
               stock.money_text(t.cash_rounding, t.currency_exponent) AS cash_rounding, t.returns_without_sale,
               t.on_price_change, t.closed_until, t.version,
               stock.rfc3339(t.created_at) AS created_at, stock.rfc3339(t.updated_at) AS updated_at
        FROM stock.tenant t WHERE t.id = p_tenant
    ) r;
    RETURN v_body;
END
$$;

-- Where it is another time ----------------------------------------------------------------------------------------------

ALTER TABLE stock.location
    -- NULL: the shop's.
    ADD COLUMN timezone text CHECK (length(timezone) BETWEEN 1 AND 64),
    -- Days of what was recorded before were counted otherwise.
    ADD COLUMN timezone_since timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE stock.location ALTER COLUMN timezone_since SET DEFAULT now();
CREATE INDEX location_zoned_idx ON stock.location (tenant_id) WHERE timezone IS NOT NULL;

CREATE FUNCTION stock.location_zoned() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.timezone IS NOT DISTINCT FROM OLD.timezone THEN
        RETURN NEW;
    ELSIF NEW.timezone IS NOT NULL AND NEW.kind = 'transit' THEN
        PERFORM stock.refuse_field('validation_failed', '/timezone', 'What is in transit is in no time zone.');
    ELSIF NEW.timezone IS NOT NULL AND NOT stock.is_timezone(NEW.timezone) THEN
        PERFORM stock.refuse_field('validation_failed', '/timezone', 'The time zone is not an IANA zone.');
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.timezone_since := now();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER zoned BEFORE INSERT OR UPDATE OF timezone ON stock.location
    FOR EACH ROW EXECUTE FUNCTION stock.location_zoned();
ALTER TABLE stock.location ENABLE ALWAYS TRIGGER zoned;

CREATE OR REPLACE FUNCTION stock.location_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT l.id, l.name, l.code, l.kind, l.address, l.timezone, l.active, l.external_id, l.version,
               stock.rfc3339(l.created_at) AS created_at, stock.rfc3339(l.updated_at) AS updated_at
        FROM stock.location l WHERE l.tenant_id = p_tenant AND l.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- Says where a unit is at work, by what it is about to do something with (`place_of`): its days are of that place's zone. Places
-- of several zones are several days, and so several requests. Of most shops no place has a zone, which one look tells.
CREATE FUNCTION stock.at_places(p_kind text, p_ids uuid[], p_pointers text[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_zones  text[];
    v_errors json;
BEGIN
    PERFORM FROM stock.location l WHERE l.tenant_id = v_tenant AND l.timezone IS NOT NULL LIMIT 1;
    IF NOT FOUND THEN
        PERFORM set_config('stock.timezone', '', true);
        RETURN;
    END IF;
    v_zones := ARRAY(
        SELECT coalesce((SELECT l.timezone FROM stock.location l
                         WHERE l.tenant_id = v_tenant AND l.id = stock.place_of(p_kind, w.id)), t.timezone)
        FROM unnest(p_ids) WITH ORDINALITY AS w (id, n), stock.tenant t
        WHERE t.id = v_tenant ORDER BY w.n);
    SELECT json_agg(json_build_object('pointer', p_pointers[z.n::integer], 'code', 'conflict',
                                      'detail', format('There it is the time of %s, at the first of these places that of %s. '
                                                       'Send them apart.', z.zone, v_zones[1])) ORDER BY z.n)
    INTO v_errors
    FROM unnest(v_zones) WITH ORDINALITY AS z (zone, n) WHERE z.zone <> v_zones[1];
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'One request is of places in one time zone.', v_errors);
    END IF;
    PERFORM set_config('stock.timezone', coalesce(v_zones[1], ''), true);
END
$$;

-- As before, by the zone of the place where the unit is at work.
CREATE OR REPLACE FUNCTION stock.moment(p_occurred_at timestamptz, OUT occurred_at timestamptz, OUT business_day date)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_zone    text;
    v_closed  date;
    v_refusal text;
BEGIN
    SELECT coalesce(NULLIF(current_setting('stock.timezone', true), ''), t.timezone), t.closed_until
    INTO v_zone, v_closed
    FROM stock.tenant t WHERE t.id = stock.current_tenant();
    occurred_at := coalesce(p_occurred_at, now());
    business_day := (occurred_at AT TIME ZONE v_zone)::date;
    v_refusal := stock.moment_refusal(occurred_at, business_day, v_closed);
    IF v_refusal = 'period_closed' THEN
        PERFORM stock.refuse_field(v_refusal, '/occurred_at', format('The books are closed up to %s.', v_closed));
    ELSIF v_refusal IS NOT NULL THEN
        PERFORM stock.refuse_field(
            'validation_failed', '/occurred_at',
            CASE v_refusal WHEN 'time_in_future' THEN 'The time lies in the future.'
                           ELSE 'The time lies before 1900-01-01T00:00:00Z.' END);
    END IF;
END
$$;

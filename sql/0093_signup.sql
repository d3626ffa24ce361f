-- What no tenant can be made of, asked for by itself: a sign-up is refused for it before the account of its owner is
-- looked at, so that such a refusal tells nothing of who has an account.

-- Whether a name is one of IANA's zones, as before. The list of zones is made of a thousand files whenever it is read,
-- which takes 40 ms; the server knows a zone by itself, and writes it as it is listed. It takes rules for zones as well
-- (UTC+3), all of which have a digit: of names with one there are few.
CREATE OR REPLACE FUNCTION stock.is_timezone(p_name text) RETURNS boolean
LANGUAGE plpgsql STABLE
-- Set back at the end.
SET timezone = 'UTC' AS $$
BEGIN
    IF p_name IN ('localtime', 'Factory', 'posixrules') OR p_name ~ '^(posix|right)/'
       OR p_name !~ '^([A-Za-z_/-]+|Etc/GMT([+]([0-9]|1[0-2])|-([0-9]|1[0-4])|0)|GMT[+-]?0|(EST5E|CST6C|MST7M|PST8P)DT)$' THEN
        RETURN false;
    END IF;
    PERFORM set_config('timezone', p_name, true);
    RETURN current_setting('timezone') = p_name;
EXCEPTION
    WHEN invalid_parameter_value THEN
        RETURN false;
END
$$;

CREATE FUNCTION stock.tenant_check(p_slug text, p_timezone text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_slug ~ '^[0-9]+$' THEN
        PERFORM stock.refuse_field('validation_failed', '/slug', 'A slug of digits alone looks like a tenant''s number.');
    END IF;
    IF NOT stock.is_timezone(p_timezone) THEN
        PERFORM stock.refuse_field('validation_failed', '/timezone', 'The time zone is not an IANA zone.');
    END IF;
    IF EXISTS (SELECT FROM stock.tenant t WHERE t.slug = p_slug) THEN
        PERFORM stock.refuse_field('duplicate', '/slug', 'A tenant with this slug exists.');
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION stock.tenant_create(
    p_slug text, p_name text, p_currency text, p_exponent smallint, p_timezone text, p_register uuid
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id bigint;
BEGIN
    PERFORM stock.tenant_check(p_slug, p_timezone);
    INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone)
    VALUES (p_slug, p_name, p_currency, p_exponent, p_timezone)
    ON CONFLICT (slug) DO NOTHING
    RETURNING id INTO v_id;
    -- Taken since it was asked for.
    IF v_id IS NULL THEN
        PERFORM stock.refuse_field('duplicate', '/slug', 'A tenant with this slug exists.');
    END IF;
    PERFORM set_config('stock.tenant_id', v_id::text, true);
    INSERT INTO stock.register (tenant_id, id, name, is_default) VALUES (v_id, p_register, 'Main', true);
    INSERT INTO stock.document_counter (tenant_id, register_id, kind)
    VALUES (v_id, p_register, 'sale'), (v_id, p_register, 'return');
    RETURN v_id;
END
$$;

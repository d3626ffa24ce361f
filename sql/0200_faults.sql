-- One fault of a field has one code, whichever function finds it: the words of FieldError.Code, which a test holds all functions
-- against. docs/decisions/0050-one-fault-one-code.md tells why texts are replaced in place here.

-- The problem of a body that has this fault alone.
CREATE FUNCTION stock.problem_code(p_fault text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_fault IN ('type', 'required', 'format', 'too_long', 'too_short', 'too_common', 'too_many', 'out_of_range',
                             'too_many_decimals', 'not_allowed', 'conflict', 'wrong', 'not_found', 'ambiguous',
                             'check_digit') THEN 'validation_failed'
            WHEN p_fault IN ('short', 'exceeds_total', 'too_low') THEN 'payment_mismatch'
            WHEN p_fault = 'offered' THEN 'not_acceptable'
            WHEN p_fault IN ('invalid_json', 'unknown_field', 'unknown_parameter') THEN 'invalid_request'
            ELSE p_fault END;

-- p_code: of the fault.
CREATE OR REPLACE FUNCTION stock.refuse_field(p_code text, p_pointer text, p_sentence text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.refuse(stock.problem_code(p_code), p_sentence,
                         json_build_array(json_build_object('pointer', p_pointer, 'code', p_code, 'detail', p_sentence)));
END
$$;

-- What functions said so far, and what they say from here on; in all of them, whatever file their newest text is in.
DO $do$
DECLARE
    v_function regprocedure;
    v_was      text;
    v_is       text;
    v_said     record;
BEGIN
    FOR v_function IN
        SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'stock'::regnamespace AND l.lanname = 'plpgsql'
          AND p.prosrc ~ '''(validation_failed|conflict|not_allowed|invalid_state|payment_mismatch)'''
    LOOP
        v_was := pg_get_functiondef(v_function);
        v_is := v_was;
        FOR v_said IN
            SELECT * FROM (VALUES
                -- What is named and is not there.
                ($$(refuse_field\(|,\s*)'validation_failed'(,\s*(?:p_pointer,\s*|'/\w+',\s*)?'There is no such )$$, '\1''not_found''\2'),
                ($$'not_allowed'(,\s*'There is no such payment method, or)$$, '''not_found''\1'),
                -- What is named twice.
                ($$(,\s*)'validation_failed'(,\s*'The (?:product|line) is named twice)$$, '\1''duplicate''\2'),
                ($$'code', 'conflict', 'detail', 'The line is named twice$$, '''code'', ''duplicate'', ''detail'', ''The line is named twice'),
                ($$IN \('not_found', 'conflict'\)$$, 'IN (''not_found'', ''duplicate'')'),
                -- What contradicts the rest of the body.
                ($$'validation_failed'(, '/\w+', '(?:The (?:sale|purchase) is not of this|The goods are there))$$, '''conflict''\1'),
                ($$'validation_failed'(, '/counted', format\()$$, '''conflict''\1'),
                ($$'validation_failed'(, '/taxes',)$$, '''conflict''\1'),
                -- What is too small, too large, too early or too late.
                ($$'validation_failed'(,\s*'/(?:occurred_at|rate|counts)')$$, '''out_of_range''\1'),
                ($$'invalid_state'(,\s*format\('%s asked for, %s open)$$, '''out_of_range''\1'),
                ($$IN \('not_found', 'duplicate'\)(\)\s*THEN 'validation_failed' ELSE min\(x\.e ->> 'code'\))$$,
                 'IN (''not_found'', ''duplicate'', ''out_of_range'')\1'),
                -- What is none of the choices, or has not the form.
                ($$'validation_failed'(, (?:CASE WHEN NEW\.active THEN )?'/(?:kind|timezone)')$$, '''not_allowed''\1'),
                ($$'validation_failed'(, '/slug')$$, '''format''\1'),
                -- What has a setting that does not allow this.
                ($$(,\s*)'validation_failed'(,\s*'The product does not track stock)$$, '\1''invalid_state''\2'),
                -- Payments that are not what they must be.
                ($$'code', 'payment_mismatch',(\s*)'detail', format\('Adds up to %s; %s is given back\.'$$,
                 '''code'', CASE WHEN paid < v_target THEN ''short'' ELSE ''exceeds_total'' END,\1''detail'', format(''Adds up to %s; %s is given back.''')
            ) AS s (was, now_is)
        LOOP
            v_is := regexp_replace(v_is, v_said.was, v_said.now_is, 'g');
        END LOOP;
        IF v_is <> v_was THEN
            EXECUTE v_is;
        END IF;
    END LOOP;
END
$do$;

-- As lines of purchases call it.
CREATE OR REPLACE FUNCTION stock.transfer_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
BEGIN
    RETURN rtrim(stock.transfer_summary(p_tenant, p_id), '}') || ',"lines":' || (
        SELECT coalesce(json_agg(json_build_object(
                   'id', l.id, 'product_id', l.product_id, 'sku', l.sku, 'name', l.name, 'unit', l.unit,
                   'quantity', stock.quantity_text(l.quantity), 'received_quantity', stock.quantity_text(l.received),
                   'lost', stock.quantity_text(l.lost)) ORDER BY l.id), '[]')::text
        FROM stock.transfer_line l WHERE l.tenant_id = p_tenant AND l.transfer_id = p_id) || '}';
END
$$;

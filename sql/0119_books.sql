-- What documents need that only the database can finish.

-- An id of a row that a command finds out about in the database. Milliseconds lead, as in the ids that the program makes
-- (UUIDv7): movements are listed in their order.
CREATE FUNCTION stock.new_id() RETURNS uuid
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_bytes bytea := uuid_send(gen_random_uuid());
BEGIN
    v_bytes := overlay(v_bytes PLACING substr(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 3) FROM 1 FOR 6);
    RETURN encode(set_byte(v_bytes, 6, get_byte(v_bytes, 6) & 15 | 112), 'hex')::uuid;
END
$$;

-- Writes a row of the ledger for what is no payment; `post_money` writes those of payments.
CREATE FUNCTION stock.post_entry(
    p_id uuid, p_direction text, p_amount numeric, p_method text, p_category text, p_source_type text, p_source uuid,
    p_reverses uuid, p_user uuid, p_occurred_at timestamptz, p_business_day date
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id, reverses_id,
                                    user_id, occurred_at, business_day)
    VALUES (stock.current_tenant(), p_id, p_direction, p_amount, p_method, p_category, p_source_type, p_source, p_reverses,
            p_user, p_occurred_at, p_business_day);
END
$$;

-- What documents need that only the database can finish.

-- Ids of version 7 for rows whose number only the database knows: the milliseconds of now, the ordinal, chance. At most 2^26.
CREATE FUNCTION stock.new_ids(p_count bigint) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_time text := lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0');
BEGIN
    RETURN ARRAY(SELECT (v_time || '7' || lpad(to_hex(n >> 14), 3, '0') || to_hex(32768 | (n & 16383))
                         || right(gen_random_uuid()::text, 12))::uuid
                 FROM generate_series(0, p_count - 1) n ORDER BY n);
END
$$;

-- One, of a row that a command finds out about in the database. Milliseconds lead, as in the ids that the program makes:
-- movements are listed in their order.
CREATE FUNCTION stock.new_id() RETURNS uuid
LANGUAGE sql VOLATILE
RETURN (stock.new_ids(1))[1];

-- Refuses amounts that the currency has no coin for, each at its place.
CREATE FUNCTION stock.check_amounts(p_pointers text[], p_amounts numeric[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_exponent smallint;
    v_errors   json;
BEGIN
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = stock.current_tenant();
    SELECT json_agg(json_build_object('pointer', a.pointer, 'code', 'too_many_decimals',
                                      'detail', format('Must have at most %s decimals, as the currency has.', v_exponent)))
    INTO v_errors
    FROM unnest(p_pointers, p_amounts) AS a (pointer, amount) WHERE min_scale(a.amount) > v_exponent;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'An amount has too many decimals.', v_errors);
    END IF;
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

-- The products that rows name, by id or by SKU: one for each row, NULL for what is not there.
CREATE FUNCTION stock.product_ids(p_named uuid[], p_skus text[]) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    -- Keys are made before the rows are looked up: row-level security lets no function that could tell of a row, as those
    -- of text could, be asked in an index.
    RETURN ARRAY(
        SELECT p.id
        FROM (SELECT n.id, stock.folded(n.sku) AS key, n.place
              FROM unnest(p_named, p_skus) WITH ORDINALITY AS n (id, sku, place) OFFSET 0) w
        LEFT JOIN LATERAL (
            SELECT a.id FROM stock.product a WHERE a.tenant_id = v_tenant AND a.id = w.id
            UNION ALL
            SELECT a.id FROM stock.product a
            WHERE w.id IS NULL AND a.tenant_id = v_tenant AND a.sku_key = w.key
        ) p ON true
        ORDER BY w.place);
END
$$;

-- Holds a place that is open, so that nobody closes it meanwhile; refuses another one. p_location NULL: where several are open,
-- one has to be said.
CREATE FUNCTION stock.open_location(p_location uuid, p_pointer text) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_location uuid := coalesce(p_location, stock.only_location());
BEGIN
    IF v_location IS NULL THEN
        PERFORM stock.refuse('validation_failed', 'Say at which location.',
                             json_build_array(json_build_object('pointer', p_pointer, 'code', 'required',
                                                                'detail', 'Say at which location.')));
    END IF;
    PERFORM FROM stock.location l
    WHERE l.tenant_id = stock.current_tenant() AND l.id = v_location AND l.active AND l.kind <> 'transit' FOR SHARE;
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('validation_failed', p_pointer, 'There is no such active location.');
    END IF;
    RETURN v_location;
END
$$;

-- Money that moved for no document: expenses, and what is entered into the ledger by hand. Both are one kind of row, with the ledger's
-- row beside it; what is reversed keeps its row and gets a second one in the ledger.

CREATE TABLE stock.money_entry (
    -- As of all documents, no key to the tenant.
    tenant_id     bigint NOT NULL,
    id            uuid NOT NULL,
    -- As the ledger calls where its row is from.
    source        text NOT NULL CHECK (source IN ('expense', 'manual')),
    direction     text NOT NULL CHECK (direction IN ('income', 'expense')),
    category      text NOT NULL CHECK (length(category) BETWEEN 1 AND 200),
    supplier_id   uuid,
    -- The till whose drawer the money came from.
    register_id   uuid,
    amount        numeric(18,4) NOT NULL CHECK (amount > 0),
    method        text NOT NULL CHECK (method ~ '^[a-z0-9_]{1,40}$'),
    note          text CHECK (length(note) BETWEEN 1 AND 2000),
    status        text NOT NULL DEFAULT 'confirmed' CHECK (status IN ('confirmed', 'reversed')),
    user_id       uuid,
    -- Why, by whom and when it was taken back.
    reversal_reason text CHECK (length(reversal_reason) BETWEEN 1 AND 500),
    reversed_by   uuid,
    reversed_at   timestamptz,
    reversal_day  date,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    business_day  date NOT NULL,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, supplier_id) REFERENCES stock.supplier (tenant_id, id),
    FOREIGN KEY (tenant_id, register_id) REFERENCES stock.register (tenant_id, id),
    CONSTRAINT money_entry_reversal CHECK (
        (status = 'reversed') = (reversal_reason IS NOT NULL AND reversed_at IS NOT NULL AND reversal_day IS NOT NULL)),
    CONSTRAINT money_entry_expense CHECK (
        CASE source WHEN 'expense' THEN direction = 'expense' ELSE supplier_id IS NULL AND register_id IS NULL END)
);
ALTER TABLE stock.money_entry ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX money_entry_list_idx ON stock.money_entry (tenant_id, source, occurred_at, id) WHERE source IS NOT NULL;
CREATE INDEX money_entry_category_idx ON stock.money_entry (tenant_id, source, category, occurred_at, id)
    WHERE category IS NOT NULL;
CREATE INDEX money_entry_method_idx ON stock.money_entry (tenant_id, source, method, occurred_at, id)
    WHERE method IS NOT NULL;
CREATE INDEX money_entry_supplier_idx ON stock.money_entry (tenant_id, supplier_id, occurred_at, id)
    WHERE supplier_id IS NOT NULL;
CREATE INDEX money_entry_register_idx ON stock.money_entry (tenant_id, register_id) WHERE register_id IS NOT NULL;
CALL stock.secure_table('stock.money_entry', 'SELECT, INSERT, UPDATE');
CALL stock.watch_table('stock.money_entry', 'cache_touch', 'purchases', 'balance');

-- Records money that came in or went out, once for each entry and its row of the ledger.
CREATE FUNCTION stock.entry_record(
    p_entry uuid, p_ledger uuid, p_source text, p_direction text, p_category text, p_supplier uuid, p_register uuid,
    p_amount numeric, p_method text, p_note text, p_user uuid, p_occurred_at timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_kind     text;
BEGIN
    v_moment := stock.moment(p_occurred_at);
    v_kind := stock.payment_kind(p_method, '/method');
    PERFORM stock.check_amounts('{/amount}', ARRAY[p_amount]);
    IF p_register IS NOT NULL THEN
        PERFORM stock.till(p_register, v_kind = 'cash');
    END IF;
    PERFORM stock.cache_touch_modules(v_tenant, '{purchases,balance,dashboard,reports}');
    INSERT INTO stock.money_entry (tenant_id, id, source, direction, category, supplier_id, register_id, amount, method, note,
                                   user_id, occurred_at, business_day)
    VALUES (v_tenant, p_entry, p_source, p_direction, p_category, p_supplier, p_register, p_amount, p_method, p_note, p_user,
            v_moment.occurred_at, v_moment.business_day);
    PERFORM stock.post_entry(p_ledger, p_direction, p_amount, p_method, p_category, p_source, p_entry, NULL, p_user,
                             v_moment.occurred_at, v_moment.business_day);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, CASE p_source WHEN 'expense' THEN 'expense.recorded' ELSE 'ledger_entry.recorded' END, p_entry,
            json_build_object('amount', p_amount::text, 'method', p_method, 'category', p_category), p_user,
            v_moment.occurred_at);
END
$$;

-- Reverses an entry today: by minus what it was, of the same direction, method and category.
CREATE FUNCTION stock.entry_reverse(p_entry uuid, p_source text, p_ledger uuid, p_reason text, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_entry    stock.money_entry;
    v_original uuid;
BEGIN
    v_moment := stock.moment(NULL);
    SELECT e.* INTO v_entry FROM stock.money_entry e
    WHERE e.tenant_id = v_tenant AND e.id = p_entry AND e.source = p_source FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such entry.');
    ELSIF v_entry.status <> 'confirmed' THEN
        PERFORM stock.refuse('invalid_state', 'It is reversed already.');
    END IF;
    -- Back into the drawer that it came from, if that has not been retired.
    IF EXISTS (SELECT FROM stock.register g WHERE g.tenant_id = v_tenant AND g.id = v_entry.register_id AND g.active) THEN
        PERFORM stock.till(v_entry.register_id, stock.has_cash(ARRAY[v_entry.method]));
    END IF;
    PERFORM stock.cache_touch_modules(v_tenant, '{purchases,balance,dashboard,reports}');
    SELECT l.id INTO v_original FROM stock.ledger_entry l
    WHERE l.tenant_id = v_tenant AND l.source_type = p_source AND l.source_id = p_entry AND l.reverses_id IS NULL;
    PERFORM stock.post_entry(p_ledger, v_entry.direction, -v_entry.amount, v_entry.method, v_entry.category, p_source, p_entry,
                             v_original, p_user, v_moment.occurred_at, v_moment.business_day);
    UPDATE stock.money_entry e
    SET status = 'reversed', reversal_reason = p_reason, reversed_by = p_user, reversed_at = v_moment.occurred_at,
        reversal_day = v_moment.business_day, version = e.version + 1, updated_at = now()
    WHERE e.tenant_id = v_tenant AND e.id = p_entry;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, CASE p_source WHEN 'expense' THEN 'expense.reversed' ELSE 'ledger_entry.reversed' END, p_entry,
            json_build_object('amount', v_entry.amount::text, 'method', v_entry.method), p_user, v_moment.occurred_at);
END
$$;

CREATE FUNCTION stock.entry_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT e.id, e.direction, e.category, e.supplier_id, e.register_id,
               stock.money_text(e.amount, t.currency_exponent) AS amount, e.method, e.note, e.status,
               CASE e.status WHEN 'reversed' THEN json_build_object(
                   'reason', e.reversal_reason, 'user_id', e.reversed_by, 'occurred_at', stock.rfc3339(e.reversed_at),
                   'business_day', e.reversal_day) END AS reversal,
               e.user_id,
               stock.rfc3339(e.occurred_at) AS occurred_at, stock.rfc3339(e.recorded_at) AS recorded_at, e.business_day,
               e.version
        FROM stock.money_entry e JOIN stock.tenant t ON t.id = e.tenant_id
        WHERE e.tenant_id = p_tenant AND e.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- Entries of a source, newest first, those before (p_before, p_before_id).
CREATE FUNCTION stock.entry_page(
    p_source text, p_category text, p_supplier uuid, p_method text, p_from date, p_to date, p_before timestamptz,
    p_before_id uuid, p_count integer
) RETURNS TABLE (id uuid, occurred_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    -- A business day is at most a day away from the moment's date in UTC.
    v_first  timestamptz := coalesce((p_from - 1)::timestamptz, '-infinity');
    v_last   timestamptz := least((p_to + 2)::timestamptz, p_before, 'infinity');
    v_before timestamptz := coalesce(p_before, 'infinity');
    v_id     uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
BEGIN
    IF p_supplier IS NOT NULL THEN
        RETURN QUERY
        SELECT e.id, e.occurred_at FROM stock.money_entry e
        WHERE e.tenant_id = v_tenant AND e.supplier_id = p_supplier AND e.occurred_at BETWEEN v_first AND v_last
          AND (e.occurred_at, e.id) < (v_before, v_id) AND e.source = p_source
          AND (p_category IS NULL OR e.category = p_category) AND (p_method IS NULL OR e.method = p_method)
          AND (p_from IS NULL OR e.business_day >= p_from) AND (p_to IS NULL OR e.business_day <= p_to)
        ORDER BY e.occurred_at DESC, e.id DESC LIMIT p_count;
    ELSIF p_category IS NOT NULL THEN
        RETURN QUERY
        SELECT e.id, e.occurred_at FROM stock.money_entry e
        WHERE e.tenant_id = v_tenant AND e.source = p_source AND e.category = p_category
          AND e.occurred_at BETWEEN v_first AND v_last AND (e.occurred_at, e.id) < (v_before, v_id)
          AND (p_method IS NULL OR e.method = p_method)
          AND (p_from IS NULL OR e.business_day >= p_from) AND (p_to IS NULL OR e.business_day <= p_to)
        ORDER BY e.occurred_at DESC, e.id DESC LIMIT p_count;
    ELSIF p_method IS NOT NULL THEN
        RETURN QUERY
        SELECT e.id, e.occurred_at FROM stock.money_entry e
        WHERE e.tenant_id = v_tenant AND e.source = p_source AND e.method = p_method
          AND e.occurred_at BETWEEN v_first AND v_last AND (e.occurred_at, e.id) < (v_before, v_id)
          AND (p_from IS NULL OR e.business_day >= p_from) AND (p_to IS NULL OR e.business_day <= p_to)
        ORDER BY e.occurred_at DESC, e.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT e.id, e.occurred_at FROM stock.money_entry e
        WHERE e.tenant_id = v_tenant AND e.source = p_source AND e.occurred_at BETWEEN v_first AND v_last
          AND (e.occurred_at, e.id) < (v_before, v_id)
          AND (p_from IS NULL OR e.business_day >= p_from) AND (p_to IS NULL OR e.business_day <= p_to)
        ORDER BY e.occurred_at DESC, e.id DESC LIMIT p_count;
    END IF;
END
$$;

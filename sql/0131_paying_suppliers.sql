-- Money that goes out for what was bought. A payment out is a payment like any; what of it is for which purchase lies in a table of its
-- own, so that a sale, which writes payments and allocations, pays nothing for keys to purchases.

CREATE TABLE stock.purchase_allocation (
    tenant_id    bigint NOT NULL,
    payment_id   uuid NOT NULL,
    position     integer NOT NULL CHECK (position > 0),
    purchase_id  uuid NOT NULL,
    amount       numeric(18,4) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (tenant_id, payment_id, position),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES stock.payment (tenant_id, id),
    FOREIGN KEY (tenant_id, purchase_id) REFERENCES stock.purchase (tenant_id, id)
);
ALTER TABLE stock.purchase_allocation ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX purchase_allocation_purchase_idx ON stock.purchase_allocation (tenant_id, purchase_id, payment_id)
    WHERE purchase_id IS NOT NULL;
CALL stock.secure_table('stock.purchase_allocation', 'SELECT, INSERT');
CALL stock.watch_table('stock.purchase_allocation', 'cache_touch', 'payments', 'purchases', 'suppliers');

-- Money for what is owed: for one purchase, or for those of a supplier, what is due first at first. Never capped: more than is due is
-- refused.
CREATE FUNCTION stock.purchase_pay(
    p_payment uuid, p_ledger uuid, p_method text, p_amount numeric, p_purchase uuid, p_supplier uuid, p_user uuid,
    p_occurred_at timestamptz, p_register uuid
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_purchase record;
    v_kind     text;
    v_due      numeric;
    v_exponent smallint;
    v_owed     uuid[];
    v_dues     numeric[];
    v_place    integer := 0;
    v_left     numeric := p_amount;
    v_share    numeric;
BEGIN
    v_moment := stock.moment(p_occurred_at);
    v_kind := stock.payment_kind(p_method, '/method');
    IF p_register IS NOT NULL OR v_kind = 'cash' THEN
        PERFORM stock.till(p_register, v_kind = 'cash');
    END IF;
    PERFORM stock.cache_touch_modules(v_tenant, '{payments,purchases,suppliers,balance,dashboard,reports}');
    IF p_purchase IS NOT NULL THEN
        SELECT p.supplier_id, p.status, p.due INTO v_purchase FROM stock.purchase p
        WHERE p.tenant_id = v_tenant AND p.id = p_purchase FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            PERFORM stock.refuse_field('validation_failed', '/purchase_id', 'There is no such purchase.');
        ELSIF p_supplier <> v_purchase.supplier_id THEN
            PERFORM stock.refuse_field('validation_failed', '/supplier_id', 'The purchase is not of this supplier.');
        ELSIF v_purchase.status IN ('draft', 'cancelled') THEN
            PERFORM stock.refuse_field('invalid_state', '/purchase_id', format('The purchase is %s.', v_purchase.status));
        END IF;
        v_due := v_purchase.due;
        v_owed := ARRAY[p_purchase];
        v_dues := ARRAY[v_due];
    ELSE
        IF NOT EXISTS (SELECT FROM stock.supplier s WHERE s.tenant_id = v_tenant AND s.id = p_supplier) THEN
            PERFORM stock.refuse_field('validation_failed', '/supplier_id', 'There is no such supplier.');
        END IF;
        SELECT coalesce(sum(d.due), 0), array_agg(d.id ORDER BY d.due_on, d.occurred_at, d.id),
               array_agg(d.due ORDER BY d.due_on, d.occurred_at, d.id)
        INTO v_due, v_owed, v_dues
        FROM (SELECT p.id, p.due, p.due_on, p.occurred_at FROM stock.purchase p
              WHERE p.tenant_id = v_tenant AND p.supplier_id = p_supplier AND p.due > 0
              ORDER BY p.occurred_at, p.id FOR NO KEY UPDATE) d;
    END IF;
    IF p_amount > v_due THEN
        SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;
        PERFORM stock.refuse('payment_exceeds_due', 'The amount is more than what is due.', json_build_array(
            json_build_object('pointer', '/amount', 'code', 'payment_exceeds_due',
                              'detail', 'The amount is more than what is due.',
                              'amount', stock.money_text(p_amount, v_exponent),
                              'due', stock.money_text(v_due, v_exponent))));
    END IF;
    PERFORM stock.post_money(
        ARRAY[ROW(p_payment, p_ledger, 'out', 'purchase', p_method, p_amount, NULL, NULL, NULL, NULL, p_user,
                  v_moment.occurred_at, v_moment.business_day)::stock.posting],
        '{}', ARRAY[v_kind]);
    -- Purchase by purchase, those that are held, each found by its key.
    WHILE v_left > 0 LOOP
        v_place := v_place + 1;
        v_share := least(v_dues[v_place], v_left);
        UPDATE stock.purchase p
        SET paid = p.paid + v_share, due = p.due - v_share, version = p.version + 1, updated_at = now()
        WHERE p.tenant_id = v_tenant AND p.id = v_owed[v_place];
        INSERT INTO stock.purchase_allocation (tenant_id, payment_id, position, purchase_id, amount)
        VALUES (v_tenant, p_payment, v_place, v_owed[v_place], v_share);
        v_left := v_left - v_share;
    END LOOP;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'payment.made', p_payment, json_build_object('amount', p_amount::text, 'method', p_method), p_user,
            v_moment.occurred_at);
END
$$;

-- Statement trigger of payments: what a payment paid that was reversed is owed again, whoever reverses it.
CREATE FUNCTION stock.purchases_unpaid() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    UPDATE stock.purchase p
    SET paid = p.paid - a.amount, due = CASE WHEN p.status = 'cancelled' THEN 0 ELSE p.due + a.amount END,
        version = p.version + 1, updated_at = now()
    FROM (SELECT u.tenant_id, u.purchase_id, sum(u.amount) AS amount
          FROM changed n
          JOIN replaced o ON o.tenant_id = n.tenant_id AND o.id = n.id AND o.status = 'confirmed'
          JOIN stock.purchase_allocation u ON u.tenant_id = n.tenant_id AND u.payment_id = n.id
          WHERE n.direction = 'out' AND n.status = 'reversed'
          GROUP BY u.tenant_id, u.purchase_id ORDER BY u.purchase_id) a
    WHERE p.tenant_id = a.tenant_id AND p.id = a.purchase_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER purchases_unpaid AFTER UPDATE ON stock.payment REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stock.purchases_unpaid();

-- Showing ----------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION stock.payment_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id, p.direction, p.method, stock.money_text(p.amount, t.currency_exponent) AS amount,
               stock.money_text(p.tip, t.currency_exponent) AS tip,
               stock.money_text(p.tendered, t.currency_exponent) AS tendered,
               stock.money_text(p.change, t.currency_exponent) AS change, p.status,
               CASE p.status WHEN 'reversed' THEN stock.payment_reversal_json(p.tenant_id, p.id) END AS reversal,
               p.sale_id, p.return_id, p.customer_id,
               (SELECT u.supplier_id FROM stock.purchase_allocation a
                JOIN stock.purchase u ON u.tenant_id = a.tenant_id AND u.id = a.purchase_id
                WHERE a.tenant_id = p.tenant_id AND a.payment_id = p.id LIMIT 1) AS supplier_id,
               (SELECT coalesce(json_agg(row_to_json(b) ORDER BY b.position), '[]') FROM (
                    SELECT a.position, a.sale_id, NULL::uuid AS purchase_id,
                           stock.money_text(a.amount, t.currency_exponent) AS amount
                    FROM stock.payment_allocation a
                    WHERE a.tenant_id = p.tenant_id AND a.payment_id = p.id
                    UNION ALL
                    SELECT a.position, NULL, a.purchase_id, stock.money_text(a.amount, t.currency_exponent)
                    FROM stock.purchase_allocation a
                    WHERE a.tenant_id = p.tenant_id AND a.payment_id = p.id) b) AS allocations,
               p.user_id, stock.rfc3339(p.occurred_at) AS occurred_at, stock.rfc3339(p.recorded_at) AS recorded_at,
               p.business_day, p.version
        FROM stock.payment p JOIN stock.tenant t ON t.id = p.tenant_id
        WHERE p.tenant_id = p_tenant AND p.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- Payments, newest first, those before (p_before, p_before_id); of a customer, or those that a sale or a purchase was paid by. The
-- program before does not know of purchases.
DROP FUNCTION stock.payment_page(text, text, uuid, uuid, date, date, timestamptz, uuid, integer);
CREATE FUNCTION stock.payment_page(
    p_direction text, p_method text, p_customer uuid, p_sale uuid, p_from date, p_to date, p_before timestamptz,
    p_before_id uuid, p_count integer, p_purchase uuid DEFAULT NULL
) RETURNS TABLE (id uuid, occurred_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_first  timestamptz := coalesce((p_from - 1)::timestamptz, '-infinity');
    v_last   timestamptz := least((p_to + 2)::timestamptz, p_before, 'infinity');
    v_before timestamptz := coalesce(p_before, 'infinity');
    v_id     uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    v_paid   uuid[];
BEGIN
    IF p_sale IS NOT NULL AND p_purchase IS NOT NULL THEN
        RETURN;
    ELSIF p_sale IS NOT NULL OR p_purchase IS NOT NULL THEN
        v_paid := CASE
            WHEN p_sale IS NOT NULL
            THEN ARRAY(SELECT DISTINCT a.payment_id FROM stock.payment_allocation a
                       WHERE a.tenant_id = v_tenant AND a.sale_id = p_sale)
            ELSE ARRAY(SELECT DISTINCT a.payment_id FROM stock.purchase_allocation a
                       WHERE a.tenant_id = v_tenant AND a.purchase_id = p_purchase) END;
        RETURN QUERY
        SELECT p.id, p.occurred_at
        FROM unnest(v_paid) AS a (payment_id),
             LATERAL (SELECT f.* FROM stock.payment f WHERE f.tenant_id = v_tenant AND f.id = a.payment_id OFFSET 0) p
        WHERE (p.occurred_at, p.id) < (v_before, v_id) AND (p_customer IS NULL OR p.customer_id = p_customer)
          AND (p_direction IS NULL OR p.direction = p_direction) AND (p_method IS NULL OR p.method = p_method)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSIF p_customer IS NOT NULL THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.payment p
        WHERE p.tenant_id = v_tenant AND p.customer_id = p_customer AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id)
          AND (p_direction IS NULL OR p.direction = p_direction) AND (p_method IS NULL OR p.method = p_method)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSIF p_direction = 'out' THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.payment p
        WHERE p.tenant_id = v_tenant AND p.direction = 'out' AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id)
          AND (p_method IS NULL OR p.method = p_method)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.payment p
        WHERE p.tenant_id = v_tenant AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id)
          AND (p_direction IS NULL OR p.direction = p_direction) AND (p_method IS NULL OR p.method = p_method)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    END IF;
END
$$;

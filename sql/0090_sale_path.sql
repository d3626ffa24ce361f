-- What a sale costs: it was forty statements in eight calls. docs/decisions/0023-what-a-sale-costs.md tells where the
-- time went. What the binary before calls stays callable.

-- Retiring ------------------------------------------------------------------------------------------------------------
-- The tables of one unit retire the same modules again and again, and asking the outbox each time cost a quarter of a
-- sale. A setting of the transaction remembers what it has put there: a rollback, to a savepoint too, takes both back
-- together. It names the transaction and the tenant, so that it can speak of no other.

-- Whether the running transaction has retired all of these modules of a tenant, as far as it remembers.
CREATE FUNCTION stock.cache_has_touched(p_tenant bigint, p_modules text[]) RETURNS boolean
LANGUAGE sql STABLE
RETURN string_to_array(current_setting('stock.touched', true), ' ')
       @> (ARRAY['xid:' || pg_current_xact_id(), 'tenant:' || p_tenant] || p_modules);

-- Retires modules of a tenant, unless it remembers that it has, and remembers them.
CREATE FUNCTION stock.cache_touch_modules(p_tenant bigint, p_modules text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF stock.cache_has_touched(p_tenant, p_modules) THEN
        RETURN;
    END IF;
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT p_tenant, m.module FROM unnest(p_modules) AS m (module)
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    PERFORM set_config(
        'stock.touched',
        CASE WHEN stock.cache_has_touched(p_tenant, '{}') THEN current_setting('stock.touched')
             ELSE 'xid:' || pg_current_xact_id() || ' tenant:' || p_tenant END
        || ' ' || array_to_string(p_modules, ' '),
        true);
END
$$;

-- Statement trigger: one outbox row per (tenant, module) of the changed rows. TG_ARGV: the modules.
CREATE OR REPLACE FUNCTION stock.cache_touch() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF stock.cache_has_touched(v_tenant, TG_ARGV) THEN
        PERFORM FROM changed c WHERE c.tenant_id <> v_tenant LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    FOR v_tenant IN SELECT DISTINCT c.tenant_id FROM changed c LOOP
        PERFORM stock.cache_touch_modules(v_tenant, TG_ARGV);
    END LOOP;
    RETURN NULL;
END
$$;

-- A draft is seen in `sales` only; a sale of a customer in `customers` too.
CREATE OR REPLACE FUNCTION stock.cache_touch_sale() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF TG_OP = 'INSERT' AND stock.cache_has_touched(v_tenant, array_remove(TG_ARGV::text[], 'customers')) THEN
        PERFORM FROM changed c
        WHERE c.tenant_id <> v_tenant
           OR c.customer_id IS NOT NULL AND stock.cache_has_touched(v_tenant, '{customers}') IS NOT true
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT c.tenant_id, bool_or(c.final) AS final, bool_or(c.final AND c.customer_id IS NOT NULL) AS known
              FROM (SELECT n.tenant_id, n.status IN ('confirmed', 'cancelled') AS final, n.customer_id FROM changed n
                    UNION ALL
                    SELECT o.tenant_id, o.status IN ('confirmed', 'cancelled'), o.customer_id FROM replaced o) c
              GROUP BY c.tenant_id) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module = 'sales' OR t.final AND m.module <> 'customers' OR t.known
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    ELSE
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT c.tenant_id, bool_or(c.status IN ('confirmed', 'cancelled')) AS final,
                     bool_or(c.status IN ('confirmed', 'cancelled') AND c.customer_id IS NOT NULL) AS known
              FROM changed c GROUP BY c.tenant_id) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module = 'sales' OR t.final AND m.module <> 'customers' OR t.known
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;

-- Lines retire what their sale would. A sale that can not be seen any more counts as final; one that is not there yet
-- comes in the same transaction, and retires what it must itself.
CREATE OR REPLACE FUNCTION stock.cache_touch_sale_line() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF stock.cache_has_touched(v_tenant, array_remove(TG_ARGV::text[], 'customers')) THEN
        PERFORM FROM changed c
        LEFT JOIN stock.sale s ON s.tenant_id = c.tenant_id AND s.id = c.sale_id
        WHERE c.tenant_id <> v_tenant
           OR (s.id IS NULL AND TG_OP <> 'INSERT' OR s.customer_id IS NOT NULL)
              AND stock.cache_has_touched(v_tenant, '{customers}') IS NOT true
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT t.tenant_id, m.module
    FROM (SELECT c.tenant_id, bool_or(coalesce(s.status IN ('confirmed', 'cancelled'), TG_OP <> 'INSERT')) AS final,
                 bool_or(s.status IN ('confirmed', 'cancelled') AND s.customer_id IS NOT NULL
                         OR s.id IS NULL AND TG_OP <> 'INSERT') AS known
          FROM (SELECT DISTINCT l.tenant_id, l.sale_id FROM changed l) c
          LEFT JOIN stock.sale s ON s.tenant_id = c.tenant_id AND s.id = c.sale_id
          GROUP BY c.tenant_id) t,
         unnest(TG_ARGV) AS m (module)
    WHERE m.module = 'sales' OR t.final AND m.module <> 'customers' OR t.known
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    RETURN NULL;
END
$$;

-- For rows that name a customer or not: `customers` only if one does.
CREATE OR REPLACE FUNCTION stock.cache_touch_named() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF TG_OP = 'INSERT' AND stock.cache_has_touched(v_tenant, array_remove(TG_ARGV::text[], 'customers')) THEN
        PERFORM FROM changed c
        WHERE c.tenant_id <> v_tenant
           OR c.customer_id IS NOT NULL AND stock.cache_has_touched(v_tenant, '{customers}') IS NOT true
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT c.tenant_id, bool_or(c.customer_id IS NOT NULL) AS known
              FROM (SELECT n.tenant_id, n.customer_id FROM changed n
                    UNION ALL SELECT o.tenant_id, o.customer_id FROM replaced o) c
              GROUP BY c.tenant_id) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module <> 'customers' OR t.known
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    ELSE
        INSERT INTO stock.cache_outbox (tenant_id, module)
        SELECT t.tenant_id, m.module
        FROM (SELECT c.tenant_id, bool_or(c.customer_id IS NOT NULL) AS known FROM changed c GROUP BY c.tenant_id) t,
             unnest(TG_ARGV) AS m (module)
        WHERE m.module <> 'customers' OR t.known
        ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION stock.cache_touch_allocation() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF stock.cache_has_touched(v_tenant, array_remove(TG_ARGV::text[], 'customers')) THEN
        PERFORM FROM changed c
        LEFT JOIN stock.payment p ON p.tenant_id = c.tenant_id AND p.id = c.payment_id
        WHERE c.tenant_id <> v_tenant
           OR (p.id IS NULL OR p.customer_id IS NOT NULL)
              AND stock.cache_has_touched(v_tenant, '{customers}') IS NOT true
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO stock.cache_outbox (tenant_id, module)
    SELECT t.tenant_id, m.module
    FROM (SELECT c.tenant_id, bool_or(p.customer_id IS NOT NULL OR p.id IS NULL) AS known
          FROM (SELECT DISTINCT a.tenant_id, a.payment_id FROM changed a) c
          LEFT JOIN stock.payment p ON p.tenant_id = c.tenant_id AND p.id = c.payment_id
          GROUP BY c.tenant_id) t,
         unnest(TG_ARGV) AS m (module)
    WHERE m.module <> 'customers' OR t.known
    ON CONFLICT (xid, tenant_id, module) DO NOTHING;
    RETURN NULL;
END
$$;

-- What names a sale may be written before it: it is looked up when the transaction ends. So the sale, and with it the
-- number that all tills of a register wait for, can come last.
ALTER TABLE stock.sale_line ALTER CONSTRAINT sale_line_tenant_id_sale_id_fkey DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE stock.payment ALTER CONSTRAINT payment_tenant_id_sale_id_fkey DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE stock.payment_allocation
    ALTER CONSTRAINT payment_allocation_tenant_id_sale_id_fkey DEFERRABLE INITIALLY DEFERRED;

-- Selling -------------------------------------------------------------------------------------------------------------

-- A confirmed sale: what it rests on is still as the caller read it, what stays due goes on the customer's account, the
-- goods leave, documents and money are written, and the number is taken last. The arrays: what leaves of each product
-- whose stock is tracked, in the order of their ids; the lines; the tenders.
CREATE FUNCTION stock.sale_confirm(
    p_tenant_version bigint, p_sale uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text,
    p_occurred_at timestamptz, p_subtotal numeric, p_discount numeric, p_tax numeric, p_total numeric, p_paid numeric,
    p_moved uuid[], p_sold numeric[], p_movements uuid[],
    p_lines uuid[], p_products uuid[], p_versions bigint[], p_decimals smallint[],
    p_quantities numeric[], p_prices numeric[], p_overridden boolean[], p_discounts numeric[],
    p_document_discounts numeric[], p_taxes numeric[], p_totals numeric[],
    p_payments uuid[], p_ledger uuid[], p_methods text[], p_amounts numeric[], p_tendered numeric[]
) RETURNS void
LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_at       timestamptz := coalesce(p_occurred_at, now());
    v_shop     record;
    v_register record;
    v_day      date;
    v_level    record;
    v_on_hand  numeric[];
    v_costs    numeric[];
    v_seqs     bigint[];
    v_is_short boolean := false;
    v_places   integer[];
    v_products uuid[];
    v_wanted   numeric[];
    v_added    numeric[];
    v_number   bigint;
BEGIN
    SELECT t.version, t.timezone, t.closed_until INTO v_shop FROM stock.tenant t WHERE t.id = v_tenant;
    -- OFFSET 0, here and below: rows are found one by one by their keys. Joined, all of the tenant's products may be
    -- compared with each line.
    PERFORM FROM generate_subscripts(p_products, 1) AS w (i)
    LEFT JOIN LATERAL (
        SELECT o.version, o.unit_id FROM stock.product o
        WHERE o.tenant_id = v_tenant AND o.id = p_products[w.i] OFFSET 0
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT o.decimals FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0
    ) u ON true
    WHERE p.version IS DISTINCT FROM p_versions[w.i] OR u.decimals IS DISTINCT FROM p_decimals[w.i] LIMIT 1;
    IF FOUND OR v_shop.version IS DISTINCT FROM p_tenant_version THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'products_changed';
    END IF;
    v_day := (v_at AT TIME ZONE v_shop.timezone)::date;
    IF p_occurred_at IS NOT NULL OR v_day <= v_shop.closed_until THEN
        PERFORM stock.check_moment(p_occurred_at);
    END IF;
    SELECT g.id, g.requires_session INTO v_register FROM stock.register g
    WHERE g.tenant_id = v_tenant AND g.active AND (g.id = p_register OR p_register IS NULL AND g.is_default);
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('validation_failed', '/register_id', 'There is no such register.');
    ELSIF v_register.requires_session AND 'cash' = ANY (p_methods) THEN
        PERFORM stock.refuse_field('session_closed', '/register_id', 'The register has no open cash session.');
    END IF;
    IF p_customer IS NOT NULL THEN
        PERFORM FROM stock.customer c WHERE c.tenant_id = v_tenant AND c.id = p_customer AND c.active;
        IF NOT FOUND THEN
            PERFORM stock.refuse_field('validation_failed', '/customer_id', 'There is no such active customer.');
        ELSIF p_total > p_paid THEN
            PERFORM stock.customer_charge(p_customer, p_total - p_paid);
        END IF;
    END IF;

    -- At once what the triggers would come to one by one.
    PERFORM stock.cache_touch_modules(
        v_tenant,
        '{sales,dashboard,reports}'::text[]
        || CASE WHEN cardinality(p_moved) > 0 THEN '{stock,products}'::text[] END
        || CASE WHEN cardinality(p_payments) > 0 THEN '{payments,balance}'::text[] END
        || CASE WHEN p_customer IS NOT NULL THEN '{customers}'::text[] END);
    -- In the order of their ids, as every command locks them.
    FOR i IN 1 .. cardinality(p_moved) LOOP
        UPDATE stock.stock_level l
        SET on_hand = l.on_hand - p_sold[i],
            floor = CASE WHEN l.floor IS NOT NULL THEN least(0, l.on_hand - p_sold[i]) END,
            stock_version = l.stock_version + 1, updated_at = now()
        WHERE l.tenant_id = v_tenant AND l.product_id = p_moved[i]
          AND (l.floor IS NULL OR l.on_hand - p_sold[i] >= l.floor) AND l.on_hand - p_sold[i] > -1000000000000
        RETURNING l.on_hand, l.cost, l.stock_version INTO v_level;
        IF FOUND THEN
            v_on_hand[i] := v_level.on_hand;
            v_costs[i] := v_level.cost;
            v_seqs[i] := v_level.stock_version;
        ELSE
            v_is_short := true;
            PERFORM FROM stock.stock_level l WHERE l.tenant_id = v_tenant AND l.product_id = p_moved[i]
            FOR NO KEY UPDATE;
        END IF;
    END LOOP;
    INSERT INTO stock.stock_movement (tenant_id, id, product_id, seq, kind, quantity, on_hand_after, unit_cost,
                                      ref_type, ref_id, user_id, occurred_at, business_day)
    SELECT v_tenant, p_movements[m.i], p_moved[m.i], v_seqs[m.i], 'sale', -p_sold[m.i], v_on_hand[m.i], v_costs[m.i],
           'sale', p_sale, p_user, v_at, v_day
    FROM generate_subscripts(p_moved, 1) AS m (i)
    WHERE v_seqs[m.i] IS NOT NULL;
    IF v_is_short THEN
        SELECT array_agg(w.i - 1), array_agg(p_products[w.i]), array_agg(p_quantities[w.i]),
               array_agg(-p_quantities[w.i])
        INTO v_places, v_products, v_wanted, v_added
        FROM generate_subscripts(p_products, 1) AS w (i) WHERE p_products[w.i] = ANY (p_moved);
        PERFORM stock.refuse_overflow('/lines/', v_places, v_products, v_added);
        PERFORM stock.refuse('insufficient_stock', 'There is not enough stock.',
                             stock.stock_shortages('/lines/', v_places, v_products, v_wanted));
    END IF;

    -- Names, units and tax rates are the products' own, whose versions were compared above; the cost is the level's.
    INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price,
                                 price_source, discount, document_discount, tax_rate, tax, total, unit_cost)
    SELECT v_tenant, p_lines[w.i], p_sale, w.i, p.id, p.sku, p.name, u.symbol, p_quantities[w.i], p_prices[w.i],
           CASE WHEN p_overridden[w.i] THEN 'override' ELSE 'list' END, p_discounts[w.i], p_document_discounts[w.i],
           p.tax_rate, p_taxes[w.i], p_totals[w.i], l.cost
    FROM generate_subscripts(p_lines, 1) AS w (i),
    LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = p_products[w.i] OFFSET 0) p,
    LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u,
    LATERAL (SELECT o.cost FROM stock.stock_level o WHERE o.tenant_id = v_tenant AND o.product_id = p.id OFFSET 0) l;
    FOR i IN 1 .. cardinality(p_payments) LOOP
        INSERT INTO stock.payment (tenant_id, id, direction, method, amount, tendered, change, sale_id, customer_id,
                                   user_id, occurred_at, business_day)
        VALUES (v_tenant, p_payments[i], 'in', p_methods[i], p_amounts[i], p_tendered[i], p_tendered[i] - p_amounts[i],
                p_sale, p_customer, p_user, v_at, v_day);
        INSERT INTO stock.payment_allocation (tenant_id, payment_id, position, sale_id, amount)
        VALUES (v_tenant, p_payments[i], 1, p_sale, p_amounts[i]);
        INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id,
                                        user_id, occurred_at, business_day)
        VALUES (v_tenant, p_ledger[i], 'income', p_amounts[i], p_methods[i], 'sale', 'payment', p_payments[i], p_user,
                v_at, v_day);
    END LOOP;

    v_number := stock.next_number(v_register.id, 'sale');
    INSERT INTO stock.sale (tenant_id, id, register_id, number, status, customer_id, user_id, note, occurred_at,
                            business_day, subtotal, discount, tax, total, paid, due)
    VALUES (v_tenant, p_sale, v_register.id, v_number, 'confirmed', p_customer, p_user, p_note, v_at, v_day, p_subtotal,
            p_discount, p_tax, p_total, p_paid, p_total - p_paid);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.confirmed', p_sale, json_build_object('number', v_number, 'total', p_total::text), p_user,
            v_at);
END
$$;

-- What a unit begins and ends with -----------------------------------------------------------------------------------

-- The unit's own transaction id and the modules it retired; the last statement of a writing unit.
CREATE OR REPLACE FUNCTION stock.cache_token(OUT xid xid8, OUT modules text[])
LANGUAGE plpgsql AS $$
BEGIN
    xid := pg_current_xact_id();
    SELECT coalesce(array_agg(DISTINCT o.module ORDER BY o.module), '{}') INTO modules
    FROM stock.cache_outbox o WHERE o.xid = cache_token.xid;
END
$$;

-- Takes the key, first in the unit's lock order. The lock ends with the transaction, after its record can be seen. Each
-- takes two expired records along, so that nobody has to sweep: here, before anything is locked that others wait for.
CREATE OR REPLACE FUNCTION stock.idempotency_begin(p_route text, p_key text, p_hash bytea) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_expires timestamptz;
    v_old     record;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(v_tenant || ' ' || p_route || ' ' || p_key, 0)) THEN
        RAISE EXCEPTION USING ERRCODE = 'ST002', MESSAGE = 'idempotency_in_progress',
            HINT = 'A request with this Idempotency-Key is still running.';
    END IF;
    SELECT r.expires_at INTO v_expires FROM stock.idempotency_record r
    WHERE r.tenant_id = v_tenant AND r.route = p_route AND r.key = p_key;
    IF v_expires > now() THEN
        RAISE EXCEPTION USING ERRCODE = 'ST003', MESSAGE = 'idempotency_record_exists';
    ELSIF v_expires IS NOT NULL THEN
        DELETE FROM stock.idempotency_record r WHERE r.tenant_id = v_tenant AND r.route = p_route AND r.key = p_key;
    END IF;
    -- Found by their expiry, deleted by their keys: joined, all of the tenant's records may be read.
    FOR v_old IN
        SELECT o.route, o.key FROM stock.idempotency_record o
        WHERE o.tenant_id = v_tenant AND o.expires_at < now()
        ORDER BY o.expires_at LIMIT 2 FOR UPDATE SKIP LOCKED
    LOOP
        DELETE FROM stock.idempotency_record r
        WHERE r.tenant_id = v_tenant AND r.route = v_old.route AND r.key = v_old.key;
    END LOOP;
END
$$;

-- Keeps the answer beside its effect and gives the body back: one statement answers and records. No key: only answers.
CREATE OR REPLACE FUNCTION stock.idempotency_finish(
    p_route text, p_key text, p_hash bytea, p_status integer, p_headers text, p_body text, p_resource uuid
) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF p_key IS NOT NULL THEN
        INSERT INTO stock.idempotency_record (tenant_id, route, key, request_hash, status, headers, body, resource_id)
        VALUES (stock.current_tenant(), p_route, p_key, p_hash, p_status, p_headers, p_body, p_resource);
    END IF;
    RETURN p_body;
END
$$;

-- A sale with its lines and the payments allocated to it. `change` is what was handed back when it was paid. Without
-- subqueries in its expressions, which would be gone through at each call.
CREATE OR REPLACE FUNCTION stock.sale_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.number, s.status, s.register_id, s.customer_id, s.user_id, s.note,
               stock.rfc3339(s.occurred_at) AS occurred_at, stock.rfc3339(s.recorded_at) AS recorded_at,
               s.business_day, g.lines,
               stock.money_text(s.subtotal, t.currency_exponent) AS subtotal,
               stock.money_text(s.discount, t.currency_exponent) AS discount,
               stock.money_text(s.tax, t.currency_exponent) AS tax,
               stock.money_text(s.total, t.currency_exponent) AS total,
               stock.money_text(s.returned_total, t.currency_exponent) AS returned_total,
               stock.money_text(s.paid, t.currency_exponent) AS paid,
               stock.money_text(s.refunded, t.currency_exponent) AS refunded,
               stock.money_text(s.due, t.currency_exponent) AS due,
               stock.money_text(coalesce(m.change, 0), t.currency_exponent) AS change,
               coalesce(m.payments, '[]') AS payments, s.external_id, s.version
        FROM stock.sale s
        JOIN stock.tenant t ON t.id = s.tenant_id
        LEFT JOIN LATERAL (
            SELECT json_agg(row_to_json(b) ORDER BY b.position) AS lines FROM (
                SELECT l.id, l.position, l.product_id, l.sku, l.name, l.unit,
                       stock.quantity_text(l.quantity) AS quantity,
                       stock.price_text(l.unit_price, t.currency_exponent) AS unit_price, l.price_source,
                       stock.money_text(l.discount + l.document_discount, t.currency_exponent) AS discount,
                       stock.quantity_text(l.tax_rate) AS tax_rate,
                       stock.money_text(l.tax, t.currency_exponent) AS tax,
                       stock.money_text(l.total, t.currency_exponent) AS total,
                       stock.price_text(l.unit_cost, t.currency_exponent) AS unit_cost,
                       stock.quantity_text(l.returned_quantity) AS returned_quantity
                FROM stock.sale_line l WHERE l.tenant_id = s.tenant_id AND l.sale_id = s.id) b) g ON true
        LEFT JOIN LATERAL (
            SELECT sum(b.taken) AS change, json_agg(b.payment ORDER BY b.id) AS payments FROM (
                SELECT p.id, CASE WHEN p.sale_id = s.id THEN p.change END AS taken, row_to_json(c) AS payment
                FROM stock.payment_allocation a
                JOIN stock.payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id,
                LATERAL (SELECT p.id, p.direction, p.method,
                                stock.money_text(a.amount, t.currency_exponent) AS amount,
                                stock.money_text(p.tendered, t.currency_exponent) AS tendered,
                                stock.money_text(p.change, t.currency_exponent) AS change, p.status,
                                stock.rfc3339(p.occurred_at) AS occurred_at) c
                WHERE a.tenant_id = s.tenant_id AND a.sale_id = s.id) b) m ON true
        WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

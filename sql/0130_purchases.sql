-- What a shop buys: what was ordered and what of it has come, what a piece cost with freight and the like, and what is owed for it.
-- docs/decisions/0039-purchases.md tells what was chosen.

-- Made of several ------------------------------------------------------------------------------------------------------

-- Shares of an amount in proportion to weights, of which one is above zero: whole smallest units by largest remainder, ties by
-- position; together they are the amount.
CREATE FUNCTION stock.spread(p_amount numeric, p_weights numeric[], p_exponent integer) RETURNS numeric[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(round((s.whole + CASE WHEN s.rank <= s.units - s.given THEN 1 ELSE 0 END) / s.unit, p_exponent)
                     ORDER BY s.place)
    FROM (SELECT p.*, sum(p.whole) OVER () AS given, row_number() OVER (ORDER BY p.rest DESC, p.place) AS rank
          FROM (SELECT w.place, w.unit, w.units, div(w.units * w.weight, w.sum) AS whole,
                       mod(w.units * w.weight, w.sum) AS rest
                FROM (SELECT n.place, n.weight, u.unit, p_amount * u.unit AS units, sum(n.weight) OVER () AS sum
                      FROM unnest(p_weights) WITH ORDINALITY AS n (weight, place),
                           (SELECT power(10::numeric, p_exponent) AS unit) u) w) p) s;
END;

-- Tables ----------------------------------------------------------------------------------------------------------------

-- Purchases are numbered at the default register, one row of numbers for the whole shop: none is made at a till.
ALTER TABLE stock.document_counter
    DROP CONSTRAINT document_counter_kind_check,
    ADD CONSTRAINT document_counter_kind_check CHECK (kind IN ('sale', 'return', 'purchase'));

CREATE TABLE stock.purchase (
    -- As of all documents, no key to the tenant.
    tenant_id     bigint NOT NULL,
    id            uuid NOT NULL,
    -- Where it was numbered, when it was ordered.
    register_id   uuid,
    number        bigint,
    status        text NOT NULL DEFAULT 'draft'
                  CHECK (status IN ('draft', 'ordered', 'partially_received', 'received', 'cancelled')),
    supplier_id   uuid NOT NULL,
    -- Where its goods come to.
    location_id   uuid NOT NULL,
    -- What the supplier calls it: the number of an invoice.
    reference     text CHECK (length(reference) BETWEEN 1 AND 200),
    due_on        date,
    note          text CHECK (length(note) BETWEEN 1 AND 2000),
    user_id       uuid,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    business_day  date NOT NULL,
    -- What its lines come to, and what came on top of them.
    goods         numeric(18,4) NOT NULL DEFAULT 0 CHECK (goods >= 0),
    costs         numeric(18,4) NOT NULL DEFAULT 0 CHECK (costs >= 0),
    total         numeric(18,4) NOT NULL DEFAULT 0 CHECK (total = goods + costs),
    paid          numeric(18,4) NOT NULL DEFAULT 0 CHECK (paid BETWEEN 0 AND total),
    due           numeric(18,4) NOT NULL DEFAULT 0,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, register_id) REFERENCES stock.register (tenant_id, id),
    FOREIGN KEY (tenant_id, supplier_id) REFERENCES stock.supplier (tenant_id, id),
    FOREIGN KEY (tenant_id, location_id) REFERENCES stock.location (tenant_id, id),
    CONSTRAINT purchase_rest CHECK (due = CASE WHEN status IN ('draft', 'cancelled') THEN 0 ELSE total - paid END),
    CONSTRAINT purchase_numbered CHECK (
        (number IS NOT NULL) = (register_id IS NOT NULL)
        AND CASE status WHEN 'draft' THEN number IS NULL WHEN 'cancelled' THEN true ELSE number IS NOT NULL END)
);
ALTER TABLE stock.purchase ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE UNIQUE INDEX purchase_number_idx ON stock.purchase (tenant_id, register_id, number) WHERE register_id IS NOT NULL;
CREATE UNIQUE INDEX purchase_reference_idx ON stock.purchase (tenant_id, supplier_id, reference)
    WHERE reference IS NOT NULL AND status <> 'cancelled';
CREATE INDEX purchase_list_idx ON stock.purchase (tenant_id, occurred_at, id) WHERE occurred_at IS NOT NULL;
CREATE INDEX purchase_supplier_idx ON stock.purchase (tenant_id, supplier_id, occurred_at, id)
    WHERE supplier_id IS NOT NULL;
CREATE INDEX purchase_status_idx ON stock.purchase (tenant_id, status, occurred_at, id) WHERE status IS NOT NULL;
CREATE INDEX purchase_location_idx ON stock.purchase (tenant_id, location_id) WHERE location_id IS NOT NULL;
-- What is owed, by whom it is owed to and when it is due; and all of it, as lists are read.
CREATE INDEX purchase_owed_idx ON stock.purchase (tenant_id, supplier_id, due_on, occurred_at, id) INCLUDE (due)
    WHERE supplier_id IS NOT NULL AND due > 0;
CREATE INDEX purchase_unpaid_idx ON stock.purchase (tenant_id, occurred_at, id) INCLUDE (due_on)
    WHERE occurred_at IS NOT NULL AND due > 0;
CALL stock.secure_table('stock.purchase', 'SELECT, INSERT, UPDATE');

CREATE TABLE stock.purchase_line (
    tenant_id          bigint NOT NULL,
    id                 uuid NOT NULL,
    purchase_id        uuid NOT NULL,
    position           integer NOT NULL CHECK (position > 0),
    product_id         uuid NOT NULL,
    sku                text,
    name               text NOT NULL,
    unit               text NOT NULL,
    quantity           numeric(18,6) NOT NULL CHECK (quantity > 0),
    received_quantity  numeric(18,6) NOT NULL DEFAULT 0 CHECK (received_quantity BETWEEN 0 AND quantity),
    -- What is still to come; none of what was cancelled.
    open_quantity      numeric(18,6) NOT NULL,
    unit_cost          numeric(18,6) NOT NULL CHECK (unit_cost >= 0),
    total              numeric(18,4) NOT NULL CHECK (total >= 0),
    -- Its share of the purchase's costs.
    cost_share         numeric(18,4) NOT NULL DEFAULT 0 CHECK (cost_share >= 0),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, purchase_id, position),
    FOREIGN KEY (tenant_id, purchase_id) REFERENCES stock.purchase (tenant_id, id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id),
    CONSTRAINT purchase_line_open CHECK (open_quantity IN (0, quantity - received_quantity))
);
ALTER TABLE stock.purchase_line ALTER COLUMN tenant_id SET STATISTICS 0;
ALTER TABLE stock.purchase_line DROP CONSTRAINT purchase_line_tenant_id_purchase_id_position_key;
CREATE UNIQUE INDEX purchase_line_position_idx ON stock.purchase_line (tenant_id, purchase_id, position)
    WHERE purchase_id IS NOT NULL;
CREATE INDEX purchase_line_product_idx ON stock.purchase_line (tenant_id, product_id, id) WHERE product_id IS NOT NULL;
CREATE INDEX purchase_line_open_idx ON stock.purchase_line (tenant_id, product_id) INCLUDE (open_quantity)
    WHERE product_id IS NOT NULL AND open_quantity > 0;
CALL stock.secure_table('stock.purchase_line', 'SELECT, INSERT, UPDATE, DELETE');

-- What came on top of the goods: freight, customs.
CREATE TABLE stock.purchase_cost (
    tenant_id    bigint NOT NULL,
    purchase_id  uuid NOT NULL,
    position     integer NOT NULL CHECK (position > 0),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    amount       numeric(18,4) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (tenant_id, purchase_id, position),
    FOREIGN KEY (tenant_id, purchase_id) REFERENCES stock.purchase (tenant_id, id)
);
ALTER TABLE stock.purchase_cost ALTER COLUMN tenant_id SET STATISTICS 0;
CALL stock.secure_table('stock.purchase_cost', 'SELECT, INSERT, DELETE');

CALL stock.watch_table('stock.purchase', 'cache_touch', 'purchases', 'suppliers', 'dashboard', 'reports');
CALL stock.watch_table('stock.purchase_line', 'cache_touch', 'purchases', 'suppliers', 'dashboard', 'reports');
CALL stock.watch_table('stock.purchase_cost', 'cache_touch', 'purchases', 'suppliers', 'dashboard', 'reports');

-- What names a product ----------------------------------------------------------------------------------------------------

-- What a piece costs ---------------------------------------------------------------------------------------------------------

-- What a piece of a line cost with its share of what came on top.
CREATE FUNCTION stock.landed_cost(p_unit_cost numeric, p_share numeric, p_quantity numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(p_unit_cost + p_share / p_quantity, 6);

-- Commands ---------------------------------------------------------------------------------------------------------------------

-- Refuses a supplier from whom nothing is bought.
CREATE FUNCTION stock.refuse_supplier(p_supplier uuid) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM FROM stock.supplier s WHERE s.tenant_id = stock.current_tenant() AND s.id = p_supplier AND s.active;
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('validation_failed', '/supplier_id', 'There is no such active supplier.');
    END IF;
END
$$;

-- A purchase that is held until the command ends. Refuses one that is not there or in none of these states.
CREATE FUNCTION stock.purchase_hold(p_purchase uuid, p_states text[]) RETURNS stock.purchase
LANGUAGE plpgsql AS $$
DECLARE
    v_purchase stock.purchase;
BEGIN
    SELECT p.* INTO v_purchase FROM stock.purchase p
    WHERE p.tenant_id = stock.current_tenant() AND p.id = p_purchase FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such purchase.');
    ELSIF v_purchase.status <> ALL (p_states) THEN
        PERFORM stock.refuse('invalid_state', format('The purchase is %s.', replace(v_purchase.status, '_', ' ')));
    END IF;
    RETURN v_purchase;
END
$$;

-- A draft without lines, which `purchase_compose` gives it.
CREATE FUNCTION stock.purchase_create(
    p_purchase uuid, p_supplier uuid, p_location uuid, p_reference text, p_due_on date, p_note text, p_user uuid,
    p_occurred_at timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_location uuid;
BEGIN
    v_moment := stock.moment(p_occurred_at);
    PERFORM stock.refuse_supplier(p_supplier);
    v_location := stock.open_location(p_location, '/location_id');
    INSERT INTO stock.purchase (tenant_id, id, supplier_id, location_id, reference, due_on, note, user_id, occurred_at,
                                business_day)
    VALUES (v_tenant, p_purchase, p_supplier, v_location, p_reference, p_due_on, p_note, p_user, v_moment.occurred_at,
            v_moment.business_day);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'purchase.created', p_purchase, json_build_object('supplier_id', p_supplier), p_user,
            v_moment.occurred_at);
END
$$;

-- Changes what a draft says, where it is said to; p_expected: the versions it may have, any if NULL.
CREATE FUNCTION stock.purchase_change(
    p_purchase uuid, p_expected bigint[], p_has_supplier boolean, p_supplier uuid, p_has_location boolean, p_location uuid,
    p_has_reference boolean, p_reference text, p_has_due_on boolean, p_due_on date, p_has_note boolean, p_note text,
    p_user uuid
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_purchase stock.purchase;
BEGIN
    v_purchase := stock.purchase_hold(p_purchase, '{draft,ordered,partially_received,received,cancelled}');
    IF v_purchase.version <> ALL (p_expected) THEN
        PERFORM stock.refuse('version_mismatch', 'The purchase was changed meanwhile. Read it again.');
    END IF;
    v_purchase := stock.purchase_hold(p_purchase, '{draft}');
    IF p_has_supplier THEN
        PERFORM stock.refuse_supplier(p_supplier);
    END IF;
    UPDATE stock.purchase p
    SET supplier_id = CASE WHEN p_has_supplier THEN p_supplier ELSE p.supplier_id END,
        location_id = CASE WHEN p_has_location THEN stock.open_location(p_location, '/location_id') ELSE p.location_id END,
        reference = CASE WHEN p_has_reference THEN p_reference ELSE p.reference END,
        due_on = CASE WHEN p_has_due_on THEN p_due_on ELSE p.due_on END,
        note = CASE WHEN p_has_note THEN p_note ELSE p.note END,
        version = p.version + 1, updated_at = now()
    WHERE p.tenant_id = v_tenant AND p.id = p_purchase;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, user_id)
    VALUES (v_tenant, 'purchase.updated', p_purchase, p_user);
END
$$;

-- Gives a draft, which the caller holds, its lines and costs, one element for each; NULL keeps those it has. Names, SKUs and
-- units are copied. Every refused line is named. Costs are spread by what the lines come to, or by their quantities if they
-- come to nothing.
CREATE FUNCTION stock.purchase_compose(
    p_purchase uuid, p_lines uuid[], p_products uuid[], p_skus text[], p_quantities numeric[], p_unit_costs numeric[],
    p_names text[], p_amounts numeric[]
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_exponent integer;
    v_products uuid[];
    v_errors   json;
    v_goods    numeric;
    v_costs    numeric;
    v_shares   numeric[];
BEGIN
    SELECT t.currency_exponent INTO v_exponent FROM stock.tenant t WHERE t.id = v_tenant;
    v_products := stock.product_ids(p_products, p_skus);
    SELECT json_agg(json_build_object('pointer', e.pointer, 'code', e.code, 'detail', e.sentence) ORDER BY e.part, e.place)
    INTO v_errors
    FROM (
        SELECT 1 AS part, w.place, '/lines/' || w.place - 1 || v.field AS pointer, v.code, v.sentence
        FROM unnest(v_products, p_products, p_quantities, p_unit_costs) WITH ORDINALITY
                 AS w (id, named, quantity, unit_cost, place)
        LEFT JOIN LATERAL (
            SELECT o.status, u.decimals
            FROM stock.product o
            JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = o.unit_id
            WHERE o.tenant_id = v_tenant AND o.id = w.id OFFSET 0
        ) p ON true,
        LATERAL (VALUES
            (w.id IS NULL, CASE WHEN w.named IS NULL THEN '/sku' ELSE '/product_id' END, 'not_found',
             'There is no such product.'),
            (p.status = 'archived', CASE WHEN w.named IS NULL THEN '/sku' ELSE '/product_id' END, 'product_inactive',
             'The product is archived.'),
            (min_scale(w.quantity) > p.decimals, '/quantity', 'quantity_precision',
             format('The unit allows %s decimals.', p.decimals)),
            (w.quantity * w.unit_cost >= 100000000000000, '/unit_cost', 'out_of_range', 'The line comes to too much.')
        ) AS v (holds, field, code, sentence)
        WHERE v.holds
        UNION ALL
        SELECT 2, w.place, '/costs/' || w.place - 1 || '/amount', 'too_many_decimals',
               format('Must have at most %s decimals, as the currency has.', v_exponent)
        FROM unnest(p_amounts) WITH ORDINALITY AS w (amount, place) WHERE min_scale(w.amount) > v_exponent
    ) e;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse(
            CASE WHEN EXISTS (SELECT FROM json_array_elements(v_errors) AS x (e) WHERE x.e ->> 'code' <> 'quantity_precision')
                 THEN 'validation_failed' ELSE 'quantity_precision' END,
            'The purchase is not valid.', v_errors);
    END IF;

    IF p_lines IS NOT NULL THEN
        DELETE FROM stock.purchase_line l WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase;
        INSERT INTO stock.purchase_line (tenant_id, id, purchase_id, position, product_id, sku, name, unit, quantity,
                                         open_quantity, unit_cost, total)
        SELECT v_tenant, w.id, p_purchase, w.place, w.product_id, p.sku, p.name, p.symbol, w.quantity, w.quantity,
               w.unit_cost, round(w.quantity * w.unit_cost, v_exponent)
        FROM unnest(p_lines, v_products, p_quantities, p_unit_costs) WITH ORDINALITY
                 AS w (id, product_id, quantity, unit_cost, place),
        LATERAL (
            SELECT o.sku, o.name, u.symbol
            FROM stock.product o
            JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = o.unit_id
            WHERE o.tenant_id = v_tenant AND o.id = w.product_id OFFSET 0
        ) p;
    END IF;
    IF p_names IS NOT NULL THEN
        DELETE FROM stock.purchase_cost c WHERE c.tenant_id = v_tenant AND c.purchase_id = p_purchase;
        INSERT INTO stock.purchase_cost (tenant_id, purchase_id, position, name, amount)
        SELECT v_tenant, p_purchase, w.place, w.name, w.amount
        FROM unnest(p_names, p_amounts) WITH ORDINALITY AS w (name, amount, place);
    END IF;

    SELECT coalesce(sum(c.amount), 0) INTO v_costs FROM stock.purchase_cost c
    WHERE c.tenant_id = v_tenant AND c.purchase_id = p_purchase;
    SELECT coalesce(sum(l.total), 0),
           stock.spread(v_costs, CASE WHEN sum(l.total) > 0 THEN array_agg(l.total ORDER BY l.position)
                                      ELSE array_agg(l.quantity ORDER BY l.position) END, v_exponent)
    INTO v_goods, v_shares
    FROM stock.purchase_line l WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase;
    UPDATE stock.purchase_line l SET cost_share = v_shares[l.position]
    WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase AND l.cost_share <> v_shares[l.position];
    UPDATE stock.purchase p SET goods = v_goods, costs = v_costs, total = v_goods + v_costs
    WHERE p.tenant_id = v_tenant AND p.id = p_purchase;
END
$$;

-- Orders a draft: from now on it has a number and is owed. p_note: another note than the draft's, if not NULL.
CREATE FUNCTION stock.purchase_order(p_purchase uuid, p_note text, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_purchase stock.purchase;
    v_register uuid;
    v_number   bigint;
BEGIN
    v_purchase := stock.purchase_hold(p_purchase, '{draft}');
    IF NOT EXISTS (SELECT FROM stock.location l
                   WHERE l.tenant_id = v_tenant AND l.id = v_purchase.location_id AND l.active) THEN
        PERFORM stock.refuse('invalid_state', 'The location that the goods would come to is closed.');
    END IF;
    PERFORM stock.cache_touch_modules(v_tenant, '{purchases,suppliers,dashboard,reports}');
    SELECT g.id INTO v_register FROM stock.register g WHERE g.tenant_id = v_tenant AND g.is_default;
    v_number := stock.document_number(v_register, 'purchase');
    UPDATE stock.purchase p
    SET status = 'ordered', register_id = v_register, number = v_number, due = p.total,
        note = coalesce(p_note, p.note), version = p.version + 1, updated_at = now()
    WHERE p.tenant_id = v_tenant AND p.id = p_purchase;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id)
    VALUES (v_tenant, 'purchase.ordered', p_purchase,
            json_build_object('number', v_number, 'total', v_purchase.total::text), p_user);
END
$$;

-- Goods that came: these lines with these quantities, or all that is open if p_lines is NULL. What is counted goes where the
-- purchase says, at what it cost; its movements say p_note. Every refused line is named.
CREATE FUNCTION stock.purchase_receive(
    p_purchase uuid, p_lines uuid[], p_quantities numeric[], p_note text, p_user uuid, p_occurred_at timestamptz
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant     bigint := stock.current_tenant();
    v_moment     record;
    v_purchase   stock.purchase;
    v_lines      uuid[] := p_lines;
    v_quantities numeric[] := p_quantities;
    v_errors     json;
    v_moves      stock.move[];
    v_places     integer[];
    v_products   uuid[];
    v_added      numeric[];
    v_moved      bigint;
    v_expected   bigint;
BEGIN
    v_moment := stock.moment(p_occurred_at);
    v_purchase := stock.purchase_hold(p_purchase, '{ordered,partially_received}');
    PERFORM stock.cache_touch_modules(v_tenant, '{purchases,suppliers,dashboard,reports,stock,products}');
    PERFORM stock.open_location(v_purchase.location_id, '/location_id');
    IF p_lines IS NULL THEN
        SELECT array_agg(l.id ORDER BY l.position), array_agg(l.open_quantity ORDER BY l.position)
        INTO v_lines, v_quantities
        FROM stock.purchase_line l
        WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase AND l.open_quantity > 0;
    END IF;

    SELECT json_agg(json_strip_nulls(json_build_object(
               'pointer', '/lines/' || e.place - 1 || e.field, 'code', e.code, 'detail', e.sentence,
               'requested', e.requested, 'available', e.available)) ORDER BY e.place)
    INTO v_errors
    FROM (
        SELECT w.place, v.*
        FROM (SELECT n.*, row_number() OVER (PARTITION BY n.id ORDER BY n.place) AS copy
              FROM unnest(v_lines, v_quantities) WITH ORDINALITY AS n (id, quantity, place)) w
        LEFT JOIN LATERAL (
            SELECT o.id, o.open_quantity, u.decimals
            FROM stock.purchase_line o
            JOIN stock.product p ON p.tenant_id = v_tenant AND p.id = o.product_id
            JOIN stock.unit u ON u.tenant_id = v_tenant AND u.id = p.unit_id
            WHERE o.tenant_id = v_tenant AND o.id = w.id AND o.purchase_id = p_purchase OFFSET 0
        ) l ON true,
        LATERAL (VALUES
            (l.id IS NULL, '/line_id', 'not_found', 'The purchase has no such line.', NULL, NULL),
            (w.copy > 1, '/line_id', 'duplicate', 'The line is named twice.', NULL, NULL),
            (min_scale(w.quantity) > l.decimals, '/quantity', 'quantity_precision',
             format('The unit allows %s decimals.', l.decimals), NULL, NULL),
            (w.quantity > l.open_quantity, '/quantity', 'invalid_state',
             format('%s asked for, %s open.', stock.quantity_text(w.quantity), stock.quantity_text(l.open_quantity)),
             stock.quantity_text(w.quantity), stock.quantity_text(l.open_quantity))
        ) AS v (holds, field, code, sentence, requested, available)
        WHERE v.holds
    ) e;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse(
            (SELECT CASE WHEN count(DISTINCT x.e ->> 'code') > 1 OR bool_or(x.e ->> 'code' IN ('not_found', 'duplicate'))
                         THEN 'validation_failed' ELSE min(x.e ->> 'code') END
             FROM json_array_elements(v_errors) AS x (e)),
            'Some lines can not be received.', v_errors);
    END IF;

    SELECT array_agg(ROW(stock.new_id(), l.product_id, 'purchase', w.quantity, l.cost, p_note, 'purchase', p_purchase, p_user,
                         v_moment.occurred_at, v_moment.business_day, v_purchase.location_id)::stock.move ORDER BY w.place),
           array_agg((w.place - 1)::integer ORDER BY w.place), array_agg(l.product_id ORDER BY w.place),
           array_agg(w.quantity ORDER BY w.place), count(DISTINCT l.product_id)
    INTO v_moves, v_places, v_products, v_added, v_expected
    FROM unnest(v_lines, v_quantities) WITH ORDINALITY AS w (id, quantity, place), LATERAL (
        SELECT o.product_id, stock.landed_cost(o.unit_cost, o.cost_share, o.quantity) AS cost
        FROM stock.purchase_line o
        JOIN stock.product p ON p.tenant_id = v_tenant AND p.id = o.product_id AND p.tracks_stock
        WHERE o.tenant_id = v_tenant AND o.id = w.id OFFSET 0
    ) l;
    IF v_expected > 0 THEN
        SELECT count(*) INTO v_moved FROM stock.move_stock(v_moves);
        IF v_moved < v_expected THEN
            PERFORM stock.refuse_moves('/lines/', v_places, v_products,
                                       array_fill(v_purchase.location_id, ARRAY[cardinality(v_products)]), v_added);
        END IF;
    END IF;
    -- One by one, by their keys.
    FOR v_place IN 1..cardinality(v_lines) LOOP
        UPDATE stock.purchase_line l
        SET received_quantity = l.received_quantity + v_quantities[v_place],
            open_quantity = l.open_quantity - v_quantities[v_place]
        WHERE l.tenant_id = v_tenant AND l.id = v_lines[v_place];
    END LOOP;
    UPDATE stock.purchase p
    SET status = CASE WHEN EXISTS (SELECT FROM stock.purchase_line l
                                   WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase AND l.open_quantity > 0)
                      THEN 'partially_received' ELSE 'received' END,
        version = p.version + 1, updated_at = now()
    WHERE p.tenant_id = v_tenant AND p.id = p_purchase;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'purchase.received', p_purchase,
            json_build_object('number', v_purchase.number, 'lines', v_lines), p_user, v_moment.occurred_at);
END
$$;

-- Undoes a purchase that nothing was paid for: what came goes back, at what it cost; its movements say p_reason.
CREATE FUNCTION stock.purchase_cancel(p_purchase uuid, p_reason text, p_user uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_purchase stock.purchase;
    v_moves    stock.move[];
    v_places   integer[];
    v_products uuid[];
    v_added    numeric[];
    v_moved    bigint;
    v_expected bigint;
BEGIN
    v_moment := stock.moment(NULL);
    v_purchase := stock.purchase_hold(p_purchase, '{draft,ordered,partially_received,received}');
    IF v_purchase.paid > 0 THEN
        PERFORM stock.refuse('in_use', 'It was paid for; reverse the payments first.');
    ELSIF v_purchase.status IN ('partially_received', 'received')
        AND NOT EXISTS (SELECT FROM stock.location l
                        WHERE l.tenant_id = v_tenant AND l.id = v_purchase.location_id AND l.active) THEN
        PERFORM stock.refuse('invalid_state', 'The location that the goods would leave is closed.');
    END IF;
    PERFORM stock.cache_touch_modules(
        v_tenant,
        '{purchases,suppliers,dashboard,reports}'::text[]
        || CASE WHEN v_purchase.status IN ('partially_received', 'received') THEN '{stock,products}'::text[] END);
    SELECT array_agg(ROW(stock.new_id(), l.product_id, 'purchase_reversal', -l.received_quantity,
                         stock.landed_cost(l.unit_cost, l.cost_share, l.quantity), p_reason, 'purchase', p_purchase, p_user,
                         v_moment.occurred_at, v_moment.business_day, v_purchase.location_id)::stock.move ORDER BY l.position),
           array_agg(l.position - 1 ORDER BY l.position), array_agg(l.product_id ORDER BY l.position),
           array_agg(-l.received_quantity ORDER BY l.position), count(DISTINCT l.product_id)
    INTO v_moves, v_places, v_products, v_added, v_expected
    FROM stock.purchase_line l, LATERAL (
        SELECT FROM stock.product p
        WHERE p.tenant_id = v_tenant AND p.id = l.product_id AND p.tracks_stock OFFSET 0) p
    WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase AND l.received_quantity > 0;
    IF v_expected > 0 THEN
        SELECT count(*) INTO v_moved FROM stock.move_stock(v_moves);
        IF v_moved < v_expected THEN
            PERFORM stock.refuse_moves('/lines/', v_places, v_products,
                                       array_fill(v_purchase.location_id, ARRAY[cardinality(v_products)]), v_added);
        END IF;
    END IF;
    UPDATE stock.purchase_line l SET open_quantity = 0
    WHERE l.tenant_id = v_tenant AND l.purchase_id = p_purchase AND l.open_quantity > 0;
    UPDATE stock.purchase p SET status = 'cancelled', due = 0, version = p.version + 1, updated_at = now()
    WHERE p.tenant_id = v_tenant AND p.id = p_purchase;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'purchase.cancelled', p_purchase, json_build_object('number', v_purchase.number), p_user,
            v_moment.occurred_at);
END
$$;

-- Showing --------------------------------------------------------------------------------------------------------------------

-- A purchase in a list: without its lines and costs.
CREATE FUNCTION stock.purchase_summary(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id, p.number, p.status, p.supplier_id, p.location_id, p.reference, p.due_on, p.note, p.user_id,
               stock.rfc3339(p.occurred_at) AS occurred_at, stock.rfc3339(p.recorded_at) AS recorded_at, p.business_day,
               stock.money_text(p.goods, t.currency_exponent) AS goods,
               stock.money_text(p.total, t.currency_exponent) AS total,
               stock.money_text(p.paid, t.currency_exponent) AS paid,
               stock.money_text(p.due, t.currency_exponent) AS due, p.version
        FROM stock.purchase p JOIN stock.tenant t ON t.id = p.tenant_id
        WHERE p.tenant_id = p_tenant AND p.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.purchase_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_rest text;
BEGIN
    SELECT row_to_json(r)::text INTO v_rest FROM (
        SELECT (SELECT coalesce(json_agg(row_to_json(b) ORDER BY b.position), '[]') FROM (
                    SELECT l.id, l.position, l.product_id, l.sku, l.name, l.unit,
                           stock.quantity_text(l.quantity) AS quantity,
                           stock.quantity_text(l.received_quantity) AS received_quantity,
                           stock.quantity_text(l.open_quantity) AS open_quantity,
                           stock.price_text(l.unit_cost, t.currency_exponent) AS unit_cost,
                           stock.money_text(l.total, t.currency_exponent) AS total,
                           stock.money_text(l.cost_share, t.currency_exponent) AS cost_share,
                           stock.price_text(stock.landed_cost(l.unit_cost, l.cost_share, l.quantity),
                                            t.currency_exponent) AS landed_cost
                    FROM stock.purchase_line l WHERE l.tenant_id = p_tenant AND l.purchase_id = p_id) b) AS lines,
               (SELECT coalesce(json_agg(json_build_object(
                           'name', c.name, 'amount', stock.money_text(c.amount, t.currency_exponent)) ORDER BY c.position), '[]')
                FROM stock.purchase_cost c WHERE c.tenant_id = p_tenant AND c.purchase_id = p_id) AS costs
        FROM stock.tenant t WHERE t.id = p_tenant
    ) r;
    -- The same figures as in a list, and what they are made of.
    RETURN rtrim(stock.purchase_summary(p_tenant, p_id), '}') || ',' || substr(v_rest, 2);
END
$$;

-- Purchases, newest first, those before (p_before, p_before_id); p_due_before: what should have been paid before this day.
CREATE FUNCTION stock.purchase_page(
    p_status text, p_supplier uuid, p_from date, p_to date, p_due_before date, p_before timestamptz, p_before_id uuid,
    p_count integer
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
    IF p_due_before IS NOT NULL THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.purchase p
        WHERE p.tenant_id = v_tenant AND p.due > 0 AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id) AND p.due_on < p_due_before
          AND (p_status IS NULL OR p.status = p_status) AND (p_supplier IS NULL OR p.supplier_id = p_supplier)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSIF p_supplier IS NOT NULL THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.purchase p
        WHERE p.tenant_id = v_tenant AND p.supplier_id = p_supplier AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id) AND (p_status IS NULL OR p.status = p_status)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSIF p_status IS NOT NULL THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.purchase p
        WHERE p.tenant_id = v_tenant AND p.status = p_status AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT p.id, p.occurred_at FROM stock.purchase p
        WHERE p.tenant_id = v_tenant AND p.occurred_at BETWEEN v_first AND v_last
          AND (p.occurred_at, p.id) < (v_before, v_id)
          AND (p_from IS NULL OR p.business_day >= p_from) AND (p_to IS NULL OR p.business_day <= p_to)
        ORDER BY p.occurred_at DESC, p.id DESC LIMIT p_count;
    END IF;
END
$$;

-- What a shop owes a supplier: the sum over what is unpaid, which is little of what was bought.
CREATE FUNCTION stock.supplier_payable(p_tenant bigint, p_supplier uuid) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(p.due), 0) FROM stock.purchase p
            WHERE p.tenant_id = p_tenant AND p.supplier_id = p_supplier AND p.due > 0);
END
$$;

CREATE OR REPLACE FUNCTION stock.supplier_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.name, s.tax_id, s.contact, s.phone, s.email, s.active, s.external_id,
               stock.money_text(stock.supplier_payable(s.tenant_id, s.id), t.currency_exponent) AS payable, s.version,
               stock.rfc3339(s.created_at) AS created_at, stock.rfc3339(s.updated_at) AS updated_at
        FROM stock.supplier s JOIN stock.tenant t ON t.id = s.tenant_id
        WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

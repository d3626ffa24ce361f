-- Quotes: what would be sold at which prices, until a day. A draft is changed, sent (which numbers it), accepted or cancelled, and sold
-- once, at its own prices. That it has expired is computed from the day it is asked on.
-- docs/decisions/0046-the-front-of-sales.md tells what was chosen.

ALTER TABLE stock.document_counter
    DROP CONSTRAINT document_counter_kind_check,
    ADD CONSTRAINT document_counter_kind_check
        CHECK (kind IN ('sale', 'return', 'purchase', 'transfer', 'cash_session', 'quote'));

CREATE TABLE stock.quote (
    -- As of all documents, no key to the tenant.
    tenant_id     bigint NOT NULL,
    id            uuid NOT NULL,
    register_id   uuid NOT NULL,
    number        bigint,
    status        text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'sent', 'accepted', 'cancelled')),
    customer_id   uuid,
    user_id       uuid,
    note          text CHECK (length(note) BETWEEN 0 AND 2000),
    -- The last day on which it holds; always, if none is said.
    valid_until   date,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    business_day  date NOT NULL,
    subtotal      numeric(18,4) NOT NULL CHECK (subtotal >= 0),
    discount      numeric(18,4) NOT NULL CHECK (discount BETWEEN 0 AND subtotal),
    tax           numeric(18,4) NOT NULL CHECK (tax >= 0),
    total         numeric(18,4) NOT NULL CHECK (total >= 0),
    sale_id       uuid,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, register_id) REFERENCES stock.register (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES stock.customer (tenant_id, id),
    FOREIGN KEY (tenant_id, sale_id) REFERENCES stock.sale (tenant_id, id),
    CONSTRAINT quote_number CHECK (CASE status WHEN 'draft' THEN number IS NULL WHEN 'cancelled' THEN true
                                               ELSE number IS NOT NULL END),
    CONSTRAINT quote_sold CHECK (sale_id IS NULL OR status = 'accepted')
);
ALTER TABLE stock.quote ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX quote_list_idx ON stock.quote (tenant_id, occurred_at, id) WHERE occurred_at IS NOT NULL;
CREATE INDEX quote_status_idx ON stock.quote (tenant_id, status, occurred_at, id) WHERE status IS NOT NULL;
CREATE INDEX quote_customer_idx ON stock.quote (tenant_id, customer_id, occurred_at, id) WHERE customer_id IS NOT NULL;
CREATE UNIQUE INDEX quote_register_idx ON stock.quote (tenant_id, register_id, number) WHERE number IS NOT NULL;
CREATE UNIQUE INDEX quote_sale_idx ON stock.quote (tenant_id, sale_id) WHERE sale_id IS NOT NULL;
CALL stock.secure_table('stock.quote', 'SELECT, INSERT, UPDATE');
CALL stock.watch_table('stock.quote', 'cache_touch', 'quotes');

CREATE TABLE stock.quote_line (
    tenant_id          bigint NOT NULL,
    quote_id           uuid NOT NULL,
    id                 uuid NOT NULL,
    position           integer NOT NULL CHECK (position > 0),
    product_id         uuid NOT NULL,
    sku                text,
    name               text NOT NULL,
    unit               text NOT NULL,
    quantity           numeric(18,6) NOT NULL CHECK (quantity > 0),
    unit_price         numeric(18,6) NOT NULL CHECK (unit_price >= 0),
    price_source       text NOT NULL CHECK (price_source IN ('list', 'override')),
    discount           numeric(18,4) NOT NULL CHECK (discount >= 0),
    document_discount  numeric(18,4) NOT NULL CHECK (document_discount >= 0),
    tax_rate           numeric(7,4) CHECK (tax_rate >= 0),
    tax                numeric(18,4) NOT NULL CHECK (tax >= 0),
    total              numeric(18,4) NOT NULL CHECK (total >= 0),
    taxes              jsonb,
    PRIMARY KEY (tenant_id, quote_id, id),
    FOREIGN KEY (tenant_id, quote_id) REFERENCES stock.quote (tenant_id, id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id),
    CONSTRAINT quote_line_taxes CHECK (tax_rate IS NOT NULL OR taxes IS NOT NULL)
);
ALTER TABLE stock.quote_line ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX quote_line_product_idx ON stock.quote_line (tenant_id, product_id) WHERE product_id IS NOT NULL;
CALL stock.secure_table('stock.quote_line', 'SELECT, INSERT, DELETE');
CALL stock.watch_table('stock.quote_line', 'cache_touch', 'quotes');

-- From which quote it was sold. Without a key: every sale would be asked for it. I32 holds the two against each other.
ALTER TABLE stock.sale ADD COLUMN quote_id uuid;

CREATE OR REPLACE FUNCTION stock.product_is_named(p_product uuid) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN EXISTS (SELECT FROM stock.stock_movement m WHERE m.tenant_id = v_tenant AND m.product_id = p_product)
        OR EXISTS (SELECT FROM stock.sale_line l WHERE l.tenant_id = v_tenant AND l.product_id = p_product)
        OR EXISTS (SELECT FROM stock.sale_return_line r WHERE r.tenant_id = v_tenant AND r.product_id = p_product)
        OR EXISTS (SELECT FROM stock.purchase_line b WHERE b.tenant_id = v_tenant AND b.product_id = p_product)
        OR EXISTS (SELECT FROM stock.stock_count_line c WHERE c.tenant_id = v_tenant AND c.product_id = p_product)
        OR EXISTS (SELECT FROM stock.quote_line q WHERE q.tenant_id = v_tenant AND q.product_id = p_product)
        OR EXISTS (SELECT FROM stock.transfer_line t WHERE t.tenant_id = v_tenant AND t.product_id = p_product);
END
$$;

CREATE OR REPLACE FUNCTION stock.has_finer_quantity(p_unit uuid, p_decimals integer) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN EXISTS (
        SELECT FROM stock.product p
        WHERE p.tenant_id = v_tenant AND p.unit_id = p_unit
          AND (min_scale(p.min_stock) > p_decimals
               OR EXISTS (SELECT FROM stock.location_level n
                          WHERE n.tenant_id = v_tenant AND n.product_id = p.id AND min_scale(n.low_at) > p_decimals)
               OR EXISTS (SELECT FROM stock.stock_movement m
                          WHERE m.tenant_id = v_tenant AND m.product_id = p.id AND min_scale(m.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.sale_line l
                          WHERE l.tenant_id = v_tenant AND l.product_id = p.id AND min_scale(l.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.sale_return_line r
                          WHERE r.tenant_id = v_tenant AND r.product_id = p.id AND min_scale(r.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.purchase_line b
                          WHERE b.tenant_id = v_tenant AND b.product_id = p.id AND min_scale(b.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.quote_line q
                          WHERE q.tenant_id = v_tenant AND q.product_id = p.id AND min_scale(q.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.stock_count_line c
                          WHERE c.tenant_id = v_tenant AND c.product_id = p.id AND min_scale(c.counted) > p_decimals)
               OR EXISTS (SELECT FROM stock.transfer_line t
                          WHERE t.tenant_id = v_tenant AND t.product_id = p.id
                            AND greatest(min_scale(t.quantity), min_scale(t.received), min_scale(t.lost)) > p_decimals)));
END
$$;

CREATE OR REPLACE FUNCTION stock.place_of(p_kind text, p_id uuid) RETURNS uuid
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    CASE p_kind
    WHEN 'location' THEN
        RETURN coalesce(p_id, stock.only_location());
    WHEN 'register' THEN
        RETURN (SELECT r.location_id FROM stock.register r
                WHERE r.tenant_id = v_tenant AND (r.id = p_id OR p_id IS NULL AND r.is_default));
    WHEN 'sale' THEN
        -- Where its goods were; its register may stand elsewhere since.
        RETURN coalesce(
            (SELECT m.location_id FROM stock.stock_movement m
             WHERE m.tenant_id = v_tenant AND m.ref_id = p_id AND m.kind = 'sale' LIMIT 1),
            (SELECT r.location_id FROM stock.sale s
             JOIN stock.register r ON r.tenant_id = s.tenant_id AND r.id = s.register_id
             WHERE s.tenant_id = v_tenant AND s.id = p_id));
    WHEN 'payment' THEN
        RETURN coalesce(
            (SELECT r.location_id
             FROM (SELECT e.cash_session_id FROM stock.ledger_entry e
                   WHERE e.tenant_id = v_tenant AND e.source_type = 'payment' AND e.source_id = p_id AND e.reverses_id IS NULL
                   OFFSET 0) e
             JOIN stock.cash_session s ON s.tenant_id = v_tenant AND s.id = e.cash_session_id
             JOIN stock.register r ON r.tenant_id = v_tenant AND r.id = s.register_id),
            (SELECT stock.place_of('sale', p.sale_id) FROM stock.payment p
             WHERE p.tenant_id = v_tenant AND p.id = p_id AND p.sale_id IS NOT NULL),
            -- Of no session and no sale: taken at the default register.
            (SELECT stock.place_of('register', NULL) FROM stock.payment p WHERE p.tenant_id = v_tenant AND p.id = p_id));
    WHEN 'money_entry' THEN
        RETURN (SELECT r.location_id FROM stock.money_entry e
                JOIN stock.register r ON r.tenant_id = e.tenant_id AND r.id = e.register_id
                WHERE e.tenant_id = v_tenant AND e.id = p_id);
    WHEN 'cash_session' THEN
        RETURN (SELECT r.location_id FROM stock.cash_session s
                JOIN stock.register r ON r.tenant_id = s.tenant_id AND r.id = s.register_id
                WHERE s.tenant_id = v_tenant AND s.id = p_id);
    WHEN 'purchase' THEN
        RETURN (SELECT p.location_id FROM stock.purchase p WHERE p.tenant_id = v_tenant AND p.id = p_id);
    WHEN 'quote' THEN
        RETURN (SELECT r.location_id FROM stock.quote q
                JOIN stock.register r ON r.tenant_id = q.tenant_id AND r.id = q.register_id
                WHERE q.tenant_id = v_tenant AND q.id = p_id);
    WHEN 'count' THEN
        RETURN (SELECT c.location_id FROM stock.stock_count c WHERE c.tenant_id = v_tenant AND c.id = p_id);
    WHEN 'transfer_from' THEN
        RETURN (SELECT t.from_location_id FROM stock.transfer t WHERE t.tenant_id = v_tenant AND t.id = p_id);
    WHEN 'transfer_to' THEN
        RETURN (SELECT t.to_location_id FROM stock.transfer t WHERE t.tenant_id = v_tenant AND t.id = p_id);
    END CASE;
END
$$;

-- The day that it is where the shop is.
CREATE FUNCTION stock.today() RETURNS date
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT (now() AT TIME ZONE t.timezone)::date FROM stock.tenant t WHERE t.id = stock.current_tenant());
END
$$;

-- Commands ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION stock.quote_told(p_type text, p_quote uuid, p_payload json, p_user uuid, p_occurred_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (stock.current_tenant(), p_type, p_quote, p_payload, p_user, p_occurred_at);
END
$$;

-- Holds a quote of one of these versions (NULL: of any) in one of these states, as it was read (NULL: whatever was); one that has
-- expired is refused if p_holds.
CREATE FUNCTION stock.quote_held(p_quote uuid, p_versions bigint[], p_read bigint, p_states text[], p_holds boolean)
RETURNS stock.quote
LANGUAGE plpgsql AS $$
DECLARE
    v_quote stock.quote;
BEGIN
    SELECT q.* INTO v_quote FROM stock.quote q
    WHERE q.tenant_id = stock.current_tenant() AND q.id = p_quote FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such quote.');
    ELSIF NOT (v_quote.version = ANY (coalesce(p_versions, ARRAY[v_quote.version]))) THEN
        PERFORM stock.refuse('version_mismatch', 'The quote was changed meanwhile. Read it again.');
    ELSIF v_quote.sale_id IS NOT NULL THEN
        PERFORM stock.refuse_field('invalid_state', '/status', 'The quote was sold.');
    ELSIF NOT (v_quote.status = ANY (p_states)) THEN
        PERFORM stock.refuse_field('invalid_state', '/status', format('The quote is %s.', v_quote.status));
    ELSIF p_holds AND v_quote.valid_until < stock.today() THEN
        PERFORM stock.refuse_field('invalid_state', '/valid_until', format('The quote was valid until %s.', v_quote.valid_until));
    ELSIF v_quote.version <> p_read THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'quote_changed';
    END IF;
    RETURN v_quote;
END
$$;

-- Makes a quote, or one of version p_read again.
CREATE FUNCTION stock.quote_draft(
    p_tenant_version bigint, p_quote uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text,
    p_subtotal numeric, p_discount numeric, p_tax numeric, p_total numeric,
    p_lines uuid[], p_products uuid[], p_versions bigint[], p_decimals smallint[],
    p_quantities numeric[], p_prices numeric[], p_overridden boolean[], p_discounts numeric[],
    p_document_discounts numeric[], p_taxes numeric[], p_totals numeric[], p_parts text[],
    p_expected bigint[], p_read bigint, p_valid_until date
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_moment   record;
    v_register record;
BEGIN
    PERFORM stock.sale_rests_on(p_tenant_version, p_products, p_versions, p_decimals);
    v_moment := stock.moment(NULL);
    v_register := stock.register_named(p_register);
    IF p_valid_until < v_moment.business_day THEN
        PERFORM stock.refuse_field('out_of_range', '/valid_until', 'Must be today or later.');
    END IF;
    IF p_read IS NOT NULL THEN
        PERFORM stock.quote_held(p_quote, p_expected, p_read, '{draft}', false);
        UPDATE stock.quote q
        SET register_id = v_register.id, customer_id = p_customer, note = p_note, valid_until = p_valid_until,
            subtotal = p_subtotal, discount = p_discount, tax = p_tax, total = p_total, version = q.version + 1,
            updated_at = now()
        WHERE q.tenant_id = v_tenant AND q.id = p_quote;
        DELETE FROM stock.quote_line l WHERE l.tenant_id = v_tenant AND l.quote_id = p_quote;
    ELSE
        INSERT INTO stock.quote (tenant_id, id, register_id, customer_id, user_id, note, valid_until, occurred_at, business_day,
                                 subtotal, discount, tax, total)
        VALUES (v_tenant, p_quote, v_register.id, p_customer, p_user, p_note, p_valid_until, v_moment.occurred_at,
                v_moment.business_day, p_subtotal, p_discount, p_tax, p_total);
    END IF;
    IF p_customer IS NOT NULL THEN
        PERFORM stock.customer_buys(p_customer);
    END IF;
    INSERT INTO stock.quote_line (tenant_id, quote_id, id, position, product_id, sku, name, unit, quantity, unit_price,
                                  price_source, discount, document_discount, tax_rate, tax, total, taxes)
    SELECT v_tenant, p_quote, p_lines[w.i], w.i, p.id, p.sku, p.name, u.symbol, p_quantities[w.i], p_prices[w.i],
           CASE WHEN p_overridden[w.i] THEN 'override' ELSE 'list' END, p_discounts[w.i], p_document_discounts[w.i],
           p.tax_rate, p_taxes[w.i], p_totals[w.i], p_parts[w.i]::jsonb
    FROM generate_subscripts(p_lines, 1) AS w (i),
    LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = p_products[w.i] OFFSET 0) p,
    LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u;
    PERFORM stock.quote_told(CASE WHEN p_read IS NULL THEN 'quote.created' ELSE 'quote.updated' END, p_quote,
                             json_build_object('total', p_total::text), p_user, v_moment.occurred_at);
END
$$;

-- Sends a draft, which gives it its number and its day.
CREATE FUNCTION stock.quote_send(p_quote uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_quote  stock.quote := stock.quote_held(p_quote, NULL, NULL, '{draft}', true);
    v_moment record;
    v_number bigint;
BEGIN
    v_moment := stock.moment(NULL);
    v_number := stock.document_number(v_quote.register_id, 'quote');
    UPDATE stock.quote q
    SET status = 'sent', number = v_number, occurred_at = v_moment.occurred_at, business_day = v_moment.business_day,
        version = q.version + 1, updated_at = now()
    WHERE q.tenant_id = v_quote.tenant_id AND q.id = p_quote;
    PERFORM stock.quote_told('quote.sent', p_quote, json_build_object('number', v_number), p_user, v_moment.occurred_at);
END
$$;

-- The customer takes it, while it holds.
CREATE FUNCTION stock.quote_accept(p_quote uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_quote stock.quote := stock.quote_held(p_quote, NULL, NULL, '{sent}', true);
BEGIN
    UPDATE stock.quote q SET status = 'accepted', version = q.version + 1, updated_at = now()
    WHERE q.tenant_id = v_quote.tenant_id AND q.id = p_quote;
    PERFORM stock.quote_told('quote.accepted', p_quote, json_build_object('number', v_quote.number), p_user, now());
END
$$;

-- Nothing comes of it.
CREATE FUNCTION stock.quote_cancel(p_quote uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_quote stock.quote := stock.quote_held(p_quote, NULL, NULL, '{draft,sent,accepted}', false);
BEGIN
    UPDATE stock.quote q SET status = 'cancelled', version = q.version + 1, updated_at = now()
    WHERE q.tenant_id = v_quote.tenant_id AND q.id = p_quote;
    PERFORM stock.quote_told('quote.cancelled', p_quote, json_build_object('number', v_quote.number), p_user, now());
END
$$;

-- Answers -------------------------------------------------------------------------------------------------------------

CREATE FUNCTION stock.quote_summary(p_tenant bigint, p_id uuid, p_today date) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT q.id, q.number, q.status, q.sale_id IS NULL AND q.status <> 'cancelled' AND q.valid_until < p_today IS TRUE AS expired,
               q.register_id, q.customer_id, q.user_id, q.note, q.valid_until, stock.rfc3339(q.occurred_at) AS occurred_at,
               stock.rfc3339(q.recorded_at) AS recorded_at, q.business_day,
               stock.money_text(q.subtotal, t.currency_exponent) AS subtotal,
               stock.money_text(q.discount, t.currency_exponent) AS discount,
               stock.money_text(q.tax, t.currency_exponent) AS tax, stock.money_text(q.total, t.currency_exponent) AS total,
               q.sale_id, q.version
        FROM stock.quote q JOIN stock.tenant t ON t.id = q.tenant_id
        WHERE q.tenant_id = p_tenant AND q.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.quote_body(p_tenant bigint, p_id uuid, p_today date) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_exponent integer;
    v_included boolean;
    v_lines    json;
    v_taxed    stock.taxed[];
BEGIN
    SELECT t.currency_exponent, t.prices_include_tax INTO v_exponent, v_included FROM stock.tenant t WHERE t.id = p_tenant;
    SELECT json_agg(row_to_json(r) ORDER BY l.position),
           array_agg(ROW(l.position, l.tax_rate, l.taxes, l.tax, l.total)::stock.taxed)
    INTO v_lines, v_taxed
    FROM stock.quote_line l,
    LATERAL (SELECT l.id, l.position, l.product_id, l.sku, l.name, l.unit, stock.quantity_text(l.quantity) AS quantity,
                    stock.price_text(l.unit_price, v_exponent) AS unit_price, l.price_source,
                    stock.money_text(l.discount + l.document_discount, v_exponent) AS discount,
                    stock.quantity_text(l.tax_rate) AS tax_rate, stock.money_text(l.tax, v_exponent) AS tax,
                    CASE WHEN l.taxes IS NULL
                         THEN stock.rate_taxes(l.tax_rate, v_included, l.total - l.tax, l.tax, v_exponent)
                         ELSE l.taxes::json END AS taxes,
                    stock.money_text(l.total, v_exponent) AS total) r
    WHERE l.tenant_id = p_tenant AND l.quote_id = p_id;
    RETURN left(stock.quote_summary(p_tenant, p_id, p_today), -1) || ',"lines":' || v_lines
        || ',"tax_breakdown":' || stock.tax_sums(v_taxed, v_exponent) || '}';
END
$$;

-- Quotes, newest first, those before (p_before, p_before_id); along the index of what they are narrowed to.
CREATE FUNCTION stock.quote_page(
    p_status text, p_customer uuid, p_from date, p_to date, p_before timestamptz, p_before_id uuid, p_count integer
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
BEGIN
    IF p_customer IS NOT NULL THEN
        RETURN QUERY
        SELECT q.id, q.occurred_at FROM stock.quote q
        WHERE q.tenant_id = v_tenant AND q.customer_id = p_customer AND q.occurred_at BETWEEN v_first AND v_last
          AND (q.occurred_at, q.id) < (v_before, v_id) AND (p_status IS NULL OR q.status = p_status)
          AND (p_from IS NULL OR q.business_day >= p_from) AND (p_to IS NULL OR q.business_day <= p_to)
        ORDER BY q.occurred_at DESC, q.id DESC LIMIT p_count;
    ELSIF p_status IS NOT NULL THEN
        RETURN QUERY
        SELECT q.id, q.occurred_at FROM stock.quote q
        WHERE q.tenant_id = v_tenant AND q.status = p_status AND q.occurred_at BETWEEN v_first AND v_last
          AND (q.occurred_at, q.id) < (v_before, v_id)
          AND (p_from IS NULL OR q.business_day >= p_from) AND (p_to IS NULL OR q.business_day <= p_to)
        ORDER BY q.occurred_at DESC, q.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT q.id, q.occurred_at FROM stock.quote q
        WHERE q.tenant_id = v_tenant AND q.occurred_at BETWEEN v_first AND v_last
          AND (q.occurred_at, q.id) < (v_before, v_id)
          AND (p_from IS NULL OR q.business_day >= p_from) AND (p_to IS NULL OR q.business_day <= p_to)
        ORDER BY q.occurred_at DESC, q.id DESC LIMIT p_count;
    END IF;
END
$$;

-- Drafts: a cart that is put away with the prices it was made at, taken up at any till of its place, and confirmed as any other sale,
-- or discarded. It has no number and no session, moves nothing and costs nobody anything until then.
-- docs/decisions/0046-the-front-of-sales.md tells what was chosen.

-- Few at any time, and asked for by themselves.
CREATE INDEX sale_draft_idx ON stock.sale (tenant_id, occurred_at, id) WHERE status = 'draft';

-- What a cart was computed from is still so: the tenant's settings, and of each line product and unit.
CREATE FUNCTION stock.sale_rests_on(p_tenant_version bigint, p_products uuid[], p_versions bigint[], p_decimals smallint[])
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    -- OFFSET 0: rows are found one by one by their keys. Joined, all of the tenant's products may be compared with each line.
    PERFORM FROM generate_subscripts(p_products, 1) AS w (i)
    LEFT JOIN LATERAL (
        SELECT o.version, o.unit_id FROM stock.product o
        WHERE o.tenant_id = v_tenant AND o.id = p_products[w.i] OFFSET 0
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT o.decimals FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0
    ) u ON true
    WHERE p.version IS DISTINCT FROM p_versions[w.i] OR u.decimals IS DISTINCT FROM p_decimals[w.i] LIMIT 1;
    IF FOUND OR (SELECT t.version FROM stock.tenant t WHERE t.id = v_tenant) IS DISTINCT FROM p_tenant_version THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'products_changed';
    END IF;
END
$$;

-- Refuses a customer that nothing is sold to.
CREATE FUNCTION stock.customer_buys(p_customer uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM stock.customer c WHERE c.tenant_id = stock.current_tenant() AND c.id = p_customer AND c.active;
    IF NOT FOUND THEN
        PERFORM stock.refuse_field('validation_failed', '/customer_id', 'There is no such active customer.');
    END IF;
END
$$;

-- The lines of a sale, in place of those it has if it is a draft. Names, units and tax rates are the products' own, whose
-- versions were compared; the cost is the level's.
CREATE FUNCTION stock.sale_lines(
    p_sale uuid, p_lines uuid[], p_products uuid[], p_quantities numeric[], p_prices numeric[], p_overridden boolean[],
    p_discounts numeric[], p_document_discounts numeric[], p_taxes numeric[], p_totals numeric[], p_parts text[],
    p_replaces boolean
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    IF p_replaces THEN
        DELETE FROM stock.sale_line l WHERE l.tenant_id = v_tenant AND l.sale_id = p_sale;
    END IF;
    INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price,
                                 price_source, discount, document_discount, tax_rate, tax, total, unit_cost, taxes)
    SELECT v_tenant, p_lines[w.i], p_sale, w.i, p.id, p.sku, p.name, u.symbol, p_quantities[w.i], p_prices[w.i],
           CASE WHEN p_overridden[w.i] THEN 'override' ELSE 'list' END, p_discounts[w.i], p_document_discounts[w.i],
           p.tax_rate, p_taxes[w.i], p_totals[w.i], l.cost, p_parts[w.i]::jsonb
    FROM generate_subscripts(p_lines, 1) AS w (i),
    LATERAL (SELECT o.* FROM stock.product o WHERE o.tenant_id = v_tenant AND o.id = p_products[w.i] OFFSET 0) p,
    LATERAL (SELECT o.symbol FROM stock.unit o WHERE o.tenant_id = v_tenant AND o.id = p.unit_id OFFSET 0) u,
    LATERAL (SELECT o.cost FROM stock.stock_level o WHERE o.tenant_id = v_tenant AND o.product_id = p.id OFFSET 0) l;
END
$$;

-- Holds a draft of one of these versions (NULL: of any), as it was read: whoever has computed something from an older one computes
-- it again.
CREATE FUNCTION stock.draft_held(p_sale uuid, p_versions bigint[], p_read bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_sale record;
BEGIN
    SELECT s.status, s.version INTO v_sale FROM stock.sale s
    WHERE s.tenant_id = stock.current_tenant() AND s.id = p_sale FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM stock.refuse('not_found', 'There is no such sale.');
    ELSIF NOT (v_sale.version = ANY (coalesce(p_versions, ARRAY[v_sale.version]))) THEN
        PERFORM stock.refuse('version_mismatch', 'The sale was changed meanwhile. Read it again.');
    ELSIF v_sale.status <> 'draft' THEN
        PERFORM stock.refuse('invalid_state', format('The sale is %s.', v_sale.status));
    ELSIF v_sale.version <> p_read THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004', MESSAGE = 'draft_changed';
    END IF;
END
$$;

-- Makes a draft, or one of version p_draft again.
CREATE FUNCTION stock.sale_draft(
    p_tenant_version bigint, p_sale uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text,
    p_subtotal numeric, p_discount numeric, p_tax numeric, p_total numeric,
    p_lines uuid[], p_products uuid[], p_versions bigint[], p_decimals smallint[],
    p_quantities numeric[], p_prices numeric[], p_overridden boolean[], p_discounts numeric[],
    p_document_discounts numeric[], p_taxes numeric[], p_totals numeric[], p_parts text[],
    p_expected bigint[], p_draft bigint
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
    IF p_draft IS NOT NULL THEN
        PERFORM stock.draft_held(p_sale, p_expected, p_draft);
        UPDATE stock.sale s
        SET register_id = v_register.id, customer_id = p_customer, note = p_note, subtotal = p_subtotal, discount = p_discount,
            tax = p_tax, total = p_total, version = s.version + 1, updated_at = now()
        WHERE s.tenant_id = v_tenant AND s.id = p_sale;
    ELSE
        -- Of no cash session: what it comes to is of that in which it is confirmed.
        INSERT INTO stock.sale (tenant_id, id, register_id, status, customer_id, user_id, note, occurred_at, business_day,
                                subtotal, discount, tax, total, due, cash_session_id)
        VALUES (v_tenant, p_sale, v_register.id, 'draft', p_customer, p_user, p_note, v_moment.occurred_at,
                v_moment.business_day, p_subtotal, p_discount, p_tax, p_total, 0, NULL);
    END IF;
    IF p_customer IS NOT NULL THEN
        PERFORM stock.customer_buys(p_customer);
    END IF;
    PERFORM stock.sale_lines(p_sale, p_lines, p_products, p_quantities, p_prices, p_overridden, p_discounts,
                             p_document_discounts, p_taxes, p_totals, p_parts, p_draft IS NOT NULL);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, CASE WHEN p_draft IS NULL THEN 'sale.drafted' ELSE 'sale.updated' END, p_sale,
            json_build_object('total', p_total::text), p_user, v_moment.occurred_at);
END
$$;

-- Gives a draft up.
CREATE FUNCTION stock.sale_discard(p_sale uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    PERFORM stock.draft_held(p_sale, NULL, NULL);
    UPDATE stock.sale s SET status = 'discarded', version = s.version + 1, updated_at = now()
    WHERE s.tenant_id = v_tenant AND s.id = p_sale;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.discarded', p_sale, '{}', p_user, now());
END
$$;

-- Sales, newest first, those before (p_before, p_before_id). NULL: whatever; of states, those of sales that took place. Drafts have
-- an index of their own, and those of one user are few among them.
DROP FUNCTION stock.sale_page(text, uuid, uuid, date, date, timestamptz, uuid, integer);
CREATE FUNCTION stock.sale_page(
    p_status text, p_register uuid, p_customer uuid, p_from date, p_to date, p_before timestamptz, p_before_id uuid,
    p_count integer, p_user uuid DEFAULT NULL
) RETURNS TABLE (id uuid, occurred_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_first  timestamptz := coalesce((p_from - 1)::timestamptz, '-infinity');
    v_last   timestamptz := least((p_to + 2)::timestamptz, p_before, 'infinity');
    v_before timestamptz := coalesce(p_before, 'infinity');
    v_id     uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    v_states text[] := CASE WHEN p_status IS NULL THEN '{confirmed,cancelled}' ELSE ARRAY[p_status] END;
BEGIN
    IF p_status = 'draft' THEN
        RETURN QUERY
        SELECT s.id, s.occurred_at FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.status = 'draft' AND s.occurred_at BETWEEN v_first AND v_last
          AND (s.occurred_at, s.id) < (v_before, v_id) AND (p_user IS NULL OR s.user_id = p_user)
          AND (p_register IS NULL OR s.register_id = p_register) AND (p_customer IS NULL OR s.customer_id = p_customer)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count;
    ELSIF p_customer IS NULL THEN
        RETURN QUERY
        SELECT s.id, s.occurred_at FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.occurred_at BETWEEN v_first AND v_last
          AND (s.occurred_at, s.id) < (v_before, v_id)
          AND s.status = ANY (v_states) AND (p_register IS NULL OR s.register_id = p_register)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT s.id, s.occurred_at FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.customer_id = p_customer AND s.occurred_at BETWEEN v_first AND v_last
          AND (s.occurred_at, s.id) < (v_before, v_id)
          AND s.status = ANY (v_states) AND (p_register IS NULL OR s.register_id = p_register)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count;
    END IF;
END
$$;

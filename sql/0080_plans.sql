-- What makes a statement's plan right without luck: without statistics, with those of an empty table, and with one tenant
-- that is a thousand times as large as the others. docs/decisions/0016-plans-without-luck.md tells what was measured.

-- An index that begins with the tenant serves every statement, as each names its tenant, and while the tables are small
-- all of them cost the same. Partial on its second column, which leaves out next to nothing, it serves those alone that
-- name this column; the primary key is what is left for the others.
--
-- No statistics are kept of how many rows a tenant has: a plan is kept and serves all tenants, whoever it was made for.
DO $$
DECLARE
    v_index record;
    v_table regclass;
BEGIN
    FOR v_index IN
        SELECT i.indexrelid::regclass AS name, i.indrelid::regclass AS "table", pg_get_indexdef(i.indexrelid) AS definition,
               second.attname AS "column", k.conname
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'stock'::regnamespace
        JOIN pg_attribute first ON first.attrelid = i.indrelid AND first.attnum = i.indkey[0]
        JOIN pg_attribute second ON second.attrelid = i.indrelid AND second.attnum = i.indkey[1]
        LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype = 'u'
        WHERE first.attname = 'tenant_id' AND NOT i.indisprimary AND i.indpred IS NULL AND i.indnkeyatts > 1
          -- Lists by name read these in their order, without a word about the name.
          AND second.attname <> 'name_key'
        ORDER BY i.indexrelid
    LOOP
        IF v_index.conname IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', v_index.table, v_index.conname);
        ELSE
            EXECUTE format('DROP INDEX %s', v_index.name);
        END IF;
        EXECUTE format('%s WHERE %I IS NOT NULL', v_index.definition, v_index.column);
    END LOOP;

    FOR v_table IN
        SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE c.relnamespace = 'stock'::regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN tenant_id SET STATISTICS 0', v_table);
    END LOOP;
END
$$;

-- What is rare and asked for by itself.
CREATE INDEX payment_out_idx ON stock.payment (tenant_id, occurred_at, id) WHERE direction = 'out';
CREATE INDEX stock_movement_kind_idx ON stock.stock_movement (tenant_id, kind, id) WHERE kind <> 'sale';

-- Pages ---------------------------------------------------------------------------------------------------------------
-- The newest documents first, from a position on: an index has them in that order. Without these settings the planner
-- may expect so few that it rather sorts all of the tenant's. A business day is at most a day away from the moment's date
-- in UTC, so that bounds of the moment let the index begin and end the search.

-- Sales, newest first, those before (p_before, p_before_id). NULL: whatever.
CREATE FUNCTION stock.sale_page(
    p_status text, p_register uuid, p_customer uuid, p_from date, p_to date, p_before timestamptz, p_before_id uuid,
    p_count integer
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
BEGIN
    IF p_customer IS NULL THEN
        RETURN QUERY
        SELECT s.id, s.occurred_at FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.occurred_at BETWEEN v_first AND v_last
          AND (s.occurred_at, s.id) < (v_before, v_id)
          AND (p_status IS NULL OR s.status = p_status) AND (p_register IS NULL OR s.register_id = p_register)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT s.id, s.occurred_at FROM stock.sale s
        WHERE s.tenant_id = v_tenant AND s.customer_id = p_customer AND s.occurred_at BETWEEN v_first AND v_last
          AND (s.occurred_at, s.id) < (v_before, v_id)
          AND (p_status IS NULL OR s.status = p_status) AND (p_register IS NULL OR s.register_id = p_register)
          AND (p_from IS NULL OR s.business_day >= p_from) AND (p_to IS NULL OR s.business_day <= p_to)
        ORDER BY s.occurred_at DESC, s.id DESC LIMIT p_count;
    END IF;
END
$$;

-- Payments, newest first, those before (p_before, p_before_id); of a customer, or those that a sale was paid by.
CREATE FUNCTION stock.payment_page(
    p_direction text, p_method text, p_customer uuid, p_sale uuid, p_from date, p_to date, p_before timestamptz,
    p_before_id uuid, p_count integer
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
    IF p_sale IS NOT NULL THEN
        RETURN QUERY
        SELECT p.id, p.occurred_at
        FROM (SELECT DISTINCT a.payment_id FROM stock.payment_allocation a
              WHERE a.tenant_id = v_tenant AND a.sale_id = p_sale) a,
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

-- Movements, those recorded last first, and before p_before; those of a product in the order of their numbers. An id is
-- made when its row is recorded, of an import when the document says it happened: never before its business day begins.
CREATE FUNCTION stock.movement_page(
    p_product uuid, p_kind text, p_from date, p_to date, p_before uuid, p_count integer
) RETURNS TABLE (id uuid, recorded_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_before uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    -- The least id of the day before the day before, which is the first in any zone: milliseconds lead in a UUIDv7.
    v_first  uuid := coalesce(
        (lpad(to_hex(greatest(0, extract(epoch FROM (p_from - 2)::timestamptz) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid,
        '00000000-0000-0000-0000-000000000000');
    v_seq    bigint;
BEGIN
    IF p_product IS NOT NULL THEN
        SELECT m.seq INTO v_seq FROM stock.stock_movement m WHERE m.tenant_id = v_tenant AND m.id = p_before;
        RETURN QUERY
        SELECT m.id, m.recorded_at FROM stock.stock_movement m
        WHERE m.tenant_id = v_tenant AND m.product_id = p_product AND m.seq < coalesce(v_seq, 9223372036854775807)
          AND (p_kind IS NULL OR m.kind = p_kind)
          AND (p_from IS NULL OR m.business_day >= p_from) AND (p_to IS NULL OR m.business_day <= p_to)
        ORDER BY m.seq DESC LIMIT p_count;
    ELSIF p_kind <> 'sale' THEN
        RETURN QUERY
        SELECT m.id, m.recorded_at FROM stock.stock_movement m
        WHERE m.tenant_id = v_tenant AND m.kind = p_kind AND m.kind <> 'sale' AND m.id < v_before AND m.id >= v_first
          AND (p_from IS NULL OR m.business_day >= p_from) AND (p_to IS NULL OR m.business_day <= p_to)
        ORDER BY m.id DESC LIMIT p_count;
    ELSE
        RETURN QUERY
        SELECT m.id, m.recorded_at FROM stock.stock_movement m
        WHERE m.tenant_id = v_tenant AND m.id < v_before AND m.id >= v_first AND (p_kind IS NULL OR m.kind = p_kind)
          AND (p_from IS NULL OR m.business_day >= p_from) AND (p_to IS NULL OR m.business_day <= p_to)
        ORDER BY m.id DESC LIMIT p_count;
    END IF;
END
$$;

-- Where a plan went astray ---------------------------------------------------------------------------------------------

-- The sale and its lines, final from the start. Names, units and tax rates are the products' own, whose versions were
-- compared in this unit; the cost is the level's.
CREATE OR REPLACE FUNCTION stock.sale_insert(
    p_sale uuid, p_register uuid, p_customer uuid, p_user uuid, p_note text, p_occurred_at timestamptz,
    p_subtotal numeric, p_discount numeric, p_tax numeric, p_total numeric, p_paid numeric,
    p_lines uuid[], p_products uuid[], p_quantities numeric[], p_prices numeric[], p_overridden boolean[],
    p_discounts numeric[], p_document_discounts numeric[], p_taxes numeric[], p_totals numeric[]
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_register uuid := p_register;
    v_at timestamptz := coalesce(p_occurred_at, now());
    v_number bigint;
BEGIN
    IF v_register IS NULL THEN
        SELECT g.id INTO v_register FROM stock.register g WHERE g.tenant_id = v_tenant AND g.is_default;
    END IF;
    v_number := stock.next_number(v_register, 'sale');
    INSERT INTO stock.sale (tenant_id, id, register_id, number, status, customer_id, user_id, note, occurred_at,
                            business_day, subtotal, discount, tax, total, paid, due)
    VALUES (v_tenant, p_sale, v_register, v_number, 'confirmed', p_customer, p_user, p_note, v_at,
            stock.business_day(v_at), p_subtotal, p_discount, p_tax, p_total, p_paid, p_total - p_paid);
    INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price,
                                 price_source, discount, document_discount, tax_rate, tax, total, unit_cost)
    SELECT v_tenant, w.id, p_sale, w.position, w.product_id, p.sku, p.name, p.unit, w.quantity, w.price,
           CASE WHEN w.overridden THEN 'override' ELSE 'list' END, w.discount, w.document_discount, p.tax_rate, w.tax,
           w.total, p.cost
    FROM unnest(p_lines, p_products, p_quantities, p_prices, p_overridden, p_discounts, p_document_discounts, p_taxes,
                p_totals) WITH ORDINALITY
        AS w (id, product_id, quantity, price, overridden, discount, document_discount, tax, total, position),
    LATERAL (
        SELECT i.sku, i.name, i.tax_rate, l.cost,
               (SELECT u.symbol FROM stock.unit u WHERE u.tenant_id = v_tenant AND u.id = i.unit_id) AS unit
        FROM stock.product i
        JOIN stock.stock_level l ON l.tenant_id = v_tenant AND l.product_id = w.product_id
        WHERE i.tenant_id = v_tenant AND i.id = w.product_id
        -- One product at a time, by its key: joined, all of the tenant's may be compared with each line.
        OFFSET 0
    ) p;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id, occurred_at)
    VALUES (v_tenant, 'sale.confirmed', p_sale, json_build_object('number', v_number, 'total', p_total::text), p_user,
            v_at);
END
$$;

-- Deletes log rows older than an hour, never the newest. At most p_limit, so that a relay can do it between drains. The
-- log is in the order of its times, so that what is young is not read.
CREATE OR REPLACE FUNCTION stock.cache_prune(p_lane smallint, p_keep interval, p_limit integer) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
    WITH old AS (
        SELECT g.seq
        FROM (SELECT n.seq, n.logged_at FROM stock.cache_log n WHERE n.lane = p_lane ORDER BY n.seq LIMIT p_limit) g
        WHERE (SELECT f.logged_at FROM stock.cache_log f WHERE f.lane = p_lane ORDER BY f.seq LIMIT 1) < now() - p_keep
          AND g.logged_at < now() - p_keep
          AND g.seq < (SELECT l.head_seq FROM stock.cache_lane l WHERE l.lane = p_lane)
    ), gone AS (
        DELETE FROM stock.cache_log g USING old WHERE g.lane = p_lane AND g.seq = old.seq RETURNING 1
    )
    SELECT count(*) FROM gone;
END;

-- The lane and its log from a position on (NULL: the newest row), with the snapshot both were read in. In the order of the
-- index: a follower that is far behind takes page after page, and each would have sorted all that is left.
CREATE OR REPLACE FUNCTION stock.cache_follow(p_lane smallint, p_from_seq bigint, p_limit integer)
RETURNS TABLE (
    ns uuid, database_identity text, head bigint, drains bigint,
    seq bigint, tag integer, tenant_id bigint, module text, xids xid8[], snapshot pg_snapshot
)
LANGUAGE sql STABLE
SET enable_sort = off SET enable_bitmapscan = off
BEGIN ATOMIC
    SELECT l.ns, l.database_identity, l.head_seq, l.drains,
           g.seq, g.tag, g.tenant_id, g.module, g.xids, pg_current_snapshot()
    FROM stock.cache_lane l
    LEFT JOIN LATERAL (
        SELECT f.seq, f.tag, f.tenant_id, f.module, f.xids
        FROM stock.cache_log f
        WHERE f.lane = p_lane AND f.seq >= coalesce(
            p_from_seq, (SELECT n.seq FROM stock.cache_log n WHERE n.lane = p_lane ORDER BY n.seq DESC LIMIT 1))
        ORDER BY f.seq
        LIMIT p_limit
    ) g ON true
    WHERE l.lane = p_lane
    ORDER BY g.seq
    LIMIT p_limit;
END;

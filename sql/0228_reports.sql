-- Reports of what sells, what does not, what it is worth and what is owed to the tax office: from sums by day.

-- What was sold of each product between two days, both included: from sums, of the last days from documents.
CREATE FUNCTION stock.product_sums(p_from date, p_to date)
RETURNS TABLE (product_id uuid, quantity numeric, returned numeric, revenue numeric, cost numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET work_mem = '32MB' AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_open   date := stock.sums_open_from(v_tenant);
BEGIN
    RETURN QUERY
    SELECT s.product, sum(s.sold) - sum(s.returned), sum(s.returned), sum(s.revenue), sum(s.cost)
    FROM (SELECT d.product, d.sold, d.returned, d.revenue, d.cost FROM stock.product_day d
          WHERE d.tenant_id = v_tenant AND d.business_day BETWEEN p_from AND p_to
          UNION ALL
          SELECT b.product_id, b.sold, b.returned, b.revenue, b.cost
          FROM stock.sold_between(greatest(p_from, v_open), p_to) b) s
    GROUP BY s.product;
END
$$;

-- The same by category, that which each product has now; what is in none is NULL.
CREATE FUNCTION stock.category_sums(p_from date, p_to date)
RETURNS TABLE (category_id uuid, quantity numeric, returned numeric, revenue numeric, cost numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT p.category_id, sum(s.quantity), sum(s.returned), sum(s.revenue), sum(s.cost)
    FROM stock.product_sums(p_from, p_to) s,
    LATERAL (SELECT o.category_id FROM stock.product o
             WHERE o.tenant_id = stock.current_tenant() AND o.id = s.product_id OFFSET 0) p
    GROUP BY p.category_id;
END
$$;

-- What sold, as reports tell it: money without taxes; the margin in percent of it, of nothing NULL.
CREATE TYPE stock.earned AS (
    quantity text, returned text, revenue text, cost text, margin text, margin_percent text
);
CREATE FUNCTION stock.earned(p_quantity numeric, p_returned numeric, p_revenue numeric, p_cost numeric, p_exponent integer)
RETURNS stock.earned
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN ROW(stock.quantity_text(p_quantity), stock.quantity_text(p_returned), stock.money_text(p_revenue, p_exponent),
               stock.money_text(p_cost, p_exponent),
               stock.money_text(round(p_revenue, p_exponent) - round(p_cost, p_exponent), p_exponent),
               CASE WHEN p_revenue <> 0 THEN round((p_revenue - p_cost) * 100 / p_revenue, 2)::text END)::stock.earned;
END
$$;

-- Taxes between two days, both included: from sums, of the last days from documents.
CREATE FUNCTION stock.tax_report(p_from date, p_to date)
RETURNS TABLE (name text, kind text, rate numeric, base numeric, amount numeric, deducted_base numeric, deducted_amount numeric)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_open   date := stock.sums_open_from(v_tenant);
BEGIN
    RETURN QUERY
    SELECT s.name, s.kind, s.rate, sum(s.base), sum(s.amount), sum(s.deducted_base), sum(s.deducted_amount)
    FROM (SELECT d.name, d.kind, d.rate, d.base, d.amount, d.deducted_base, d.deducted_amount FROM stock.tax_day d
          WHERE d.tenant_id = v_tenant AND d.business_day BETWEEN p_from AND p_to
          UNION ALL
          SELECT b.name, b.kind, b.rate, b.base, b.amount, b.deducted_base, b.deducted_amount
          FROM stock.taxed_between(greatest(p_from, v_open), p_to) b) s
    GROUP BY s.name, s.kind, s.rate;
END
$$;

-- How far a page of what is not sold walks at most: the product behind 2,000 others, NULL where there are fewer.
CREATE FUNCTION stock.unsold_walk(p_after uuid) RETURNS uuid
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN (SELECT w.product_id FROM stock.stock_level w
            WHERE w.tenant_id = stock.current_tenant()
              AND w.product_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
            ORDER BY w.product_id OFFSET 1999 LIMIT 1);
END
$$;

-- What there is of products of which nothing was sold from a day on, by id, those behind p_after up to p_to. What was sold
-- last is what was written down last.
CREATE FUNCTION stock.unsold_page(p_before date, p_after uuid, p_to uuid, p_count integer)
RETURNS TABLE (product_id uuid, on_hand numeric, cost numeric, last_sold_on date)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN QUERY
    SELECT l.product_id, l.on_hand, l.cost, m.business_day
    FROM (SELECT o.product_id, o.on_hand, o.cost FROM stock.stock_level o
          WHERE o.tenant_id = v_tenant AND o.product_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
            AND o.product_id <= coalesce(p_to, 'ffffffff-ffff-ffff-ffff-ffffffffffff') AND o.on_hand > 0
          ORDER BY o.product_id OFFSET 0) l
    LEFT JOIN LATERAL (
        SELECT o.business_day FROM stock.stock_movement o
        WHERE o.tenant_id = v_tenant AND o.product_id = l.product_id AND o.kind = 'sale'
        ORDER BY o.seq DESC LIMIT 1) m ON true
    WHERE m.business_day IS NULL OR m.business_day < p_before
    ORDER BY l.product_id LIMIT p_count;
END
$$;

-- Lists for programs that keep what they have read: records and sales by their ids, and records that were changed since a time.

-- The bodies of what has these ids, in their order, joined by commas; of what is not there, nothing.
CREATE FUNCTION stock.bodies_by_id(p_table regclass, p_body regproc, p_ids uuid[]) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
DECLARE
    v_data text;
BEGIN
    EXECUTE format(
        'SELECT string_agg(%s($1, f.id), '','' ORDER BY f.id)
         FROM unnest($2) AS w (id), LATERAL (
             SELECT r.id FROM %s r WHERE r.tenant_id = $1 AND r.id = w.id OFFSET 0) f', p_body, p_table)
    INTO v_data
    USING stock.current_tenant(), p_ids;
    RETURN v_data;
END
$$;

-- Records of one kind that were changed at p_since or later, the earliest change first, those after (p_after, p_after_id), along the
-- index that has the order.
CREATE FUNCTION stock.records_changed(
    p_table regclass, p_body regproc, p_count integer, p_since timestamptz, p_after timestamptz, p_after_id uuid,
    OUT data text, OUT next text[]
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    EXECUTE format(
        'WITH placed AS MATERIALIZED (
             SELECT c.id, c.updated_at, row_number() OVER () AS place
             FROM (SELECT r.id, r.updated_at FROM %s r
                   WHERE r.tenant_id = $1 AND r.updated_at >= $2 AND (r.updated_at, r.id) > ($2, $3)
                   ORDER BY r.updated_at, r.id LIMIT $4 + 1) c
         )
         SELECT string_agg(%s($1, p.id), '','' ORDER BY p.place) FILTER (WHERE p.place <= $4),
                CASE WHEN count(*) > $4 THEN (
                    SELECT ARRAY[stock.rfc3339(l.updated_at), l.id::text] FROM placed l WHERE l.place = $4) END
         FROM placed p', p_table, p_body)
    INTO data, next
    USING stock.current_tenant(), coalesce(p_after, p_since),
          coalesce(p_after_id, '00000000-0000-0000-0000-000000000000'), p_count;
END
$$;

CREATE INDEX category_changed_idx ON stock.category (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX unit_changed_idx ON stock.unit (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX product_changed_idx ON stock.product (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX customer_changed_idx ON stock.customer (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX supplier_changed_idx ON stock.supplier (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX register_changed_idx ON stock.register (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX location_changed_idx ON stock.location (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX tax_changed_idx ON stock.tax (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX tax_group_changed_idx ON stock.tax_group (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX payment_method_changed_idx ON stock.payment_method (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX scale_code_changed_idx ON stock.scale_code (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL;

-- What the records that people edit rest on.

-- Whether a quantity of a product that is sold by a unit has more decimals than these. A test holds the tables that are
-- asked here against the keys that name a product.
CREATE FUNCTION stock.has_finer_quantity(p_unit uuid, p_decimals integer) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    RETURN EXISTS (
        SELECT FROM stock.product p
        WHERE p.tenant_id = v_tenant AND p.unit_id = p_unit
          AND (min_scale(p.min_stock) > p_decimals
               OR EXISTS (SELECT FROM stock.stock_movement m
                          WHERE m.tenant_id = v_tenant AND m.product_id = p.id AND min_scale(m.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.sale_line l
                          WHERE l.tenant_id = v_tenant AND l.product_id = p.id AND min_scale(l.quantity) > p_decimals)
               OR EXISTS (SELECT FROM stock.sale_return_line r
                          WHERE r.tenant_id = v_tenant AND r.product_id = p.id AND min_scale(r.quantity) > p_decimals)));
END
$$;

-- Records of one kind by name, those after (p_after, p_after_id), along the index that has the order, whatever the
-- statistics say of how many there are.
CREATE FUNCTION stock.record_page(p_table regclass, p_count integer, p_after text, p_after_id uuid)
RETURNS TABLE (id uuid, name_key text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT r.id, r.name_key FROM %s r
         WHERE r.tenant_id = $1 AND r.name_key >= $2 AND (r.name_key, r.id) > ($2, $3)
         ORDER BY r.name_key, r.id LIMIT $4', p_table)
    USING stock.current_tenant(), coalesce(p_after, ''),
          coalesce(p_after_id, '00000000-0000-0000-0000-000000000000'), p_count;
END
$$;

-- What retires what ---------------------------------------------------------------------------------------------------

-- Which modules the changes of a table retire, as its triggers are told: what happens and what is said of it are one.
CREATE VIEW stock.cache_matrix WITH (security_invoker = true) AS
SELECT c.relname::text AS relation, p.proname::text AS function,
       array_remove(string_to_array(encode(g.tgargs, 'escape'), '\000'), '') AS modules
FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'stock'
JOIN pg_proc p ON p.oid = g.tgfoid
WHERE g.tgname = 'cache_update' AND NOT g.tgisinternal;

-- The tables of tenants from which nothing is cached, and why. Every other one must be watched.
CREATE VIEW stock.cache_never WITH (security_invoker = true) AS
SELECT v.relation, v.reason FROM (VALUES
    ('cache_outbox', 'the cache''s own'),
    ('cache_log', 'the cache''s own'),
    ('audit_log', 'read from the database by its owner alone'),
    ('document_counter', 'read where a number is taken'),
    ('idempotency_record', 'read where a key is taken'),
    ('domain_event', 'a stream, read by its place'),
    ('import_job', 'read by the import'),
    ('import_row', 'read by the import')
) AS v (relation, reason);
GRANT SELECT ON stock.cache_matrix, stock.cache_never TO stock_app;

-- Nothing calls it: events are recorded by the commands themselves.
DROP FUNCTION stock.emit(text, uuid, json, uuid, timestamptz);

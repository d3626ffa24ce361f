-- Who changed what: the records that people edit write into the audit what they were and what they are. Who acts is in
-- `stock.actor`, which the commands of records set as those of accounts do.

-- The history of one record.
CREATE INDEX audit_log_subject_idx ON stock.audit_log (tenant_id, subject_id, at, id) WHERE subject_id IS NOT NULL;

-- What differs between two states of a row: {field: {from, to}}, NULL if nothing does; one of both may be missing. Numbers
-- are told as text, as everywhere. What follows from other columns, or tells of the row alone, is not told.
CREATE FUNCTION stock.audit_changes(p_old jsonb, p_new jsonb) RETURNS json
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET enable_hashjoin = on AS $$
DECLARE
    v_changes json;
BEGIN
    SELECT json_object_agg(c.key, json_strip_nulls(json_build_object(
               'from', CASE jsonb_typeof(c.old) WHEN 'number' THEN to_jsonb(trim_scale((c.old #>> '{}')::numeric)::text)
                                                ELSE c.old END,
               'to', CASE jsonb_typeof(c.new) WHEN 'number' THEN to_jsonb(trim_scale((c.new #>> '{}')::numeric)::text)
                                              ELSE c.new END)) ORDER BY c.key)
    INTO v_changes
    FROM (SELECT key, o.value AS old, n.value AS new
          FROM jsonb_each(p_old) o FULL JOIN jsonb_each(p_new) n USING (key)
          WHERE coalesce(o.value, 'null') <> coalesce(n.value, 'null')) c
    WHERE c.key NOT IN ('tenant_id', 'id', 'version', 'created_at', 'updated_at', 'timezone_since', 'currency_exponent',
                        'used', 'standard_rate', 'search_text', 'session_id')
      AND c.key !~ '_(key|search)$';
    RETURN v_changes;
END
$$;

CREATE OR REPLACE FUNCTION stock.audit_tenant() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_changes json := stock.audit_changes(to_jsonb(OLD), to_jsonb(NEW));
BEGIN
    IF v_changes IS NOT NULL THEN
        PERFORM stock.audit(NEW.id, 'tenant.changed', NULL, NULL, v_changes);
    END IF;
    RETURN NULL;
END
$$;

-- A record that was changed or deleted. TG_ARGV: what one is called.
CREATE FUNCTION stock.audit_record() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_changes json;
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM stock.audit(OLD.tenant_id, 'record.deleted', TG_ARGV[0], OLD.id,
                            stock.audit_changes(to_jsonb(OLD), NULL));
        RETURN NULL;
    END IF;
    v_changes := stock.audit_changes(to_jsonb(OLD), to_jsonb(NEW));
    IF v_changes IS NOT NULL THEN
        PERFORM stock.audit(NEW.tenant_id, 'record.changed', TG_ARGV[0], NEW.id, v_changes);
    END IF;
    RETURN NULL;
END
$$;

-- Records that were made: one by itself, many at once by their number, so that a catalogue that is imported is not written
-- down twice.
CREATE FUNCTION stock.audit_records() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_made record;
BEGIN
    FOR v_made IN SELECT c.tenant_id, count(*) AS count FROM changed c GROUP BY c.tenant_id LOOP
        IF v_made.count = 1 THEN
            PERFORM stock.audit(c.tenant_id, 'record.created', TG_ARGV[0], c.id, stock.audit_changes(NULL, to_jsonb(c)))
            FROM changed c WHERE c.tenant_id = v_made.tenant_id;
        ELSE
            PERFORM stock.audit(v_made.tenant_id, 'records.created', TG_ARGV[0], NULL,
                                json_build_object('count', v_made.count));
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- Lets the audit watch the table of a record, which is called p_noun.
CREATE PROCEDURE stock.audit_table(p_table regclass, p_noun text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audited AFTER UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION stock.audit_record(%L)',
                   p_table, p_noun);
    EXECUTE format('CREATE TRIGGER audited_new AFTER INSERT ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT '
                   'EXECUTE FUNCTION stock.audit_records(%L)', p_table, p_noun);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER audited, ENABLE ALWAYS TRIGGER audited_new', p_table);
END
$$;
REVOKE ALL ON PROCEDURE stock.audit_table(regclass, text) FROM PUBLIC;

CALL stock.audit_table('stock.category', 'category');
CALL stock.audit_table('stock.unit', 'unit');
CALL stock.audit_table('stock.product', 'product');
CALL stock.audit_table('stock.customer', 'customer');
CALL stock.audit_table('stock.supplier', 'supplier');
CALL stock.audit_table('stock.tax', 'tax');
CALL stock.audit_table('stock.tax_group', 'tax group');
CALL stock.audit_table('stock.location', 'location');
CALL stock.audit_table('stock.register', 'register');
CALL stock.audit_table('stock.payment_method', 'payment method');

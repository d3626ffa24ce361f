-- What is left of an import goes a little at a time. All parts of a large file in one statement took longer than a statement may: an import
-- that was in ran anew, and a round through old ones removed nothing.

CALL stock.amend('import_end', $$
    IF v_is_in THEN
        DELETE FROM stock.import_part p WHERE p.tenant_id = v_tenant AND p.request_id = p_id;
    END IF;$$, '');

-- Of one that is in, what is left is nobody's any more.
CALL stock.amend('import_request_body', $$
                 WHERE p.tenant_id = r.tenant_id AND p.request_id = r.id) f,$$, $$
                 WHERE p.tenant_id = r.tenant_id AND p.request_id = r.id
                   AND r.status NOT IN ('completed', 'completed_with_errors')) f,$$);

-- Removes what nobody goes on with, of a hundred tenants behind one: an import of which no part came for a day is cancelled; files are
-- kept until they are in, or for a week after the end, imports with their rejected rows for 90 days. A step is sixteen parts, or as many
-- thousand rejected rows. The tenant to go on behind, who has more or is the last; no row behind all of them.
CREATE OR REPLACE FUNCTION stock.import_sweep(p_after bigint) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant  bigint;
    v_request uuid;
    v_last    bigint := p_after;
    v_seen    integer := 0;
    v_gone    bigint;
    v_left    bigint := 16;
BEGIN
    FOR v_tenant IN SELECT t.id FROM stock.tenant t WHERE t.has_imported AND t.id > p_after ORDER BY t.id LIMIT 100 LOOP
        PERFORM set_config('stock.tenant_id', v_tenant::text, true);
        UPDATE stock.import_request r
        SET status = 'cancelled', is_cancelled = true, finished_at = now(), updated_at = now(), error = 'Its file was never sent to the end.'
        WHERE r.tenant_id = v_tenant AND r.status = 'receiving' AND r.created_at < now() - interval '1 day';
        -- From file to file: an import that has none any more is not looked at.
        v_request := '00000000-0000-0000-0000-000000000000';
        LOOP
            SELECT p.request_id INTO v_request FROM stock.import_part p
            WHERE p.tenant_id = v_tenant AND p.request_id > v_request ORDER BY p.request_id LIMIT 1;
            EXIT WHEN NOT FOUND OR v_left <= 0;
            CONTINUE WHEN NOT EXISTS (
                SELECT FROM stock.import_request r
                WHERE r.tenant_id = v_tenant AND r.id = v_request
                  AND (r.status IN ('completed', 'completed_with_errors')
                       OR r.created_at < now() - interval '1 day'
                          AND (r.queued_at IS NULL AND r.status = 'cancelled' OR r.finished_at < now() - interval '7 days')));
            DELETE FROM stock.import_part p
            WHERE p.tenant_id = v_tenant AND p.request_id = v_request AND p.number = ANY (ARRAY(
                SELECT o.number FROM stock.import_part o
                WHERE o.tenant_id = v_tenant AND o.request_id = v_request ORDER BY o.number LIMIT v_left));
            GET DIAGNOSTICS v_gone = ROW_COUNT;
            v_left := v_left - v_gone;
        END LOOP;
        FOR v_request IN
            SELECT o.id FROM stock.import_request o
            WHERE o.tenant_id = v_tenant AND o.created_at < now() - interval '90 days' AND o.finished_at < now() - interval '90 days'
            ORDER BY o.created_at, o.id LIMIT 1000
        LOOP
            EXIT WHEN v_left <= 0;
            DELETE FROM stock.import_rejection j
            WHERE j.tenant_id = v_tenant AND j.request_id = v_request AND j.line = ANY (ARRAY(
                SELECT o.line FROM stock.import_rejection o
                WHERE o.tenant_id = v_tenant AND o.request_id = v_request ORDER BY o.line LIMIT v_left * 1000));
            GET DIAGNOSTICS v_gone = ROW_COUNT;
            v_left := v_left - (v_gone + 999) / 1000;
            -- With all that it has, if that was all.
            IF v_left > 0 THEN
                DELETE FROM stock.import_request r WHERE r.tenant_id = v_tenant AND r.id = v_request;
            END IF;
        END LOOP;
        EXIT WHEN v_left <= 0;
        v_last := v_tenant;
        v_seen := v_seen + 1;
    END LOOP;
    PERFORM set_config('stock.tenant_id', '', true);
    RETURN CASE WHEN v_left <= 0 OR v_seen = 100 THEN v_last END;
END
$$;

-- How far an import was is told a second at a time, and so the last word was that of up to a second before its end; and the bytes of a
-- file were those of its parts, which are not kept once it is in. An import that is in has read all of its file and written its rows.
CALL stock.amend('import_end', $$
    v_tenant bigint := stock.current_tenant();$$, $$
    v_tenant bigint := stock.current_tenant();
    v_is_in  boolean := p_status IN ('completed', 'completed_with_errors');
    v_bytes  bigint;$$);
CALL stock.amend('import_end', $$
    UPDATE stock.import_request r
    SET status =$$, $$
    IF v_is_in THEN
        SELECT coalesce(sum(p.size), 0) INTO v_bytes FROM stock.import_part p WHERE p.tenant_id = v_tenant AND p.request_id = p_id;
    END IF;
    UPDATE stock.import_request r
    SET bytes_read = coalesce(v_bytes, r.bytes_read),
        rows_written = CASE WHEN v_is_in THEN p_created + p_updated + p_unchanged ELSE r.rows_written END,
        rows_to_write = CASE WHEN v_is_in THEN p_created + p_updated + p_unchanged ELSE r.rows_to_write END,
        status =$$);
CALL stock.amend('import_end', $$
    IF p_status IN ('completed', 'completed_with_errors') THEN$$, $$
    IF v_is_in THEN$$);
CALL stock.amend('import_request_body', $$f.parts, f.bytes, r.phase$$,
    $$f.parts, CASE WHEN f.parts = 0 THEN r.bytes_read ELSE f.bytes END AS bytes, r.phase$$);

-- A database that stumbles is not the import's fault: a worker that lives gives back what it was kept from going on with, and none died.

ALTER TABLE stock.import_request
    -- How often in a row it was given back without having come further than before.
    ADD COLUMN interruptions integer NOT NULL DEFAULT 0,
    -- The furthest that it had come when it was given back, in bytes that were read and rows that were written.
    ADD COLUMN reached bigint NOT NULL DEFAULT 0;
CALL stock.amend('import_queue', 'deaths = 0,', 'deaths = 0, interruptions = 0, reached = 0,');

-- Gives back an import that the database has interrupted. Its tenant's turn comes after a pause, which grows with each time that it came no
-- further: what was queued behind it waits as well, as it may need what this one brings. After p_most times it fails, and the error tells
-- what interrupted it. False if it is somebody else's by now, so that nothing was done.
CREATE FUNCTION stock.import_give_back(p_worker uuid, p_id uuid, p_reason text, p_reached bigint, p_most integer, p_rows bigint,
                                       p_blank bigint, p_created bigint, p_updated bigint, p_unchanged bigint, p_rejected bigint)
RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant    bigint := stock.current_tenant();
    v_count     integer;
    v_cancelled boolean;
BEGIN
    PERFORM FROM stock.import_turn t WHERE t.tenant_id = v_tenant AND t.worker = p_worker FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE stock.import_request r
    SET interruptions = CASE WHEN p_reached > r.reached THEN 1 ELSE r.interruptions + 1 END, reached = greatest(r.reached, p_reached)
    WHERE r.tenant_id = v_tenant AND r.id = p_id AND r.status = 'running'
    RETURNING r.interruptions, r.is_cancelled INTO v_count, v_cancelled;
    IF v_count >= p_most AND NOT v_cancelled THEN
        RETURN stock.import_end(p_worker, p_id, 'failed',
                                format('The database interrupted it %s times at the same place, at last by this: %s. What was written stays.',
                                       v_count, p_reason),
                                p_rows, p_blank, p_created, p_updated, p_unchanged, p_rejected, '[]', NULL);
    END IF;
    PERFORM stock.import_end(p_worker, p_id, 'queued', NULL, 0, 0, 0, 0, 0, 0, '[]', NULL);
    IF NOT v_cancelled THEN
        UPDATE stock.import_turn t
        SET leased_until = clock_timestamp() + make_interval(secs => least(300, 5 * 2 ^ least(v_count - 1, 10)))
        WHERE t.tenant_id = v_tenant;
    END IF;
    RETURN true;
END
$$;

-- Whoever finds what it claimed itself, as the answer was lost, has not died.
CALL stock.amend('import_claim', $$    v_busy    bigint[] := '{}';
$$, $$    v_busy    bigint[] := '{}';
    v_death   integer;
$$);
CALL stock.amend('import_claim', $$        PERFORM FROM stock.import_turn t WHERE t.tenant_id = v_tenant AND t.leased_until < clock_timestamp() FOR UPDATE SKIP LOCKED;
$$, $$        SELECT CASE WHEN t.worker = p_worker THEN 0 ELSE 1 END INTO v_death FROM stock.import_turn t
        WHERE t.tenant_id = v_tenant AND t.leased_until < clock_timestamp() FOR UPDATE SKIP LOCKED;
$$);
CALL stock.amend('import_claim', $$WHEN r.deaths + 1 >= p_deaths THEN 'quarantined' ELSE 'queued' END,
                deaths = r.deaths + 1,
                finished_at = CASE WHEN r.is_cancelled OR r.deaths + 1 >= p_deaths THEN now() END,
                error = CASE WHEN r.is_cancelled OR r.deaths + 1 < p_deaths THEN NULL
                             ELSE format('Its worker ended unexpectedly %s times; it is set aside until it is resumed.', r.deaths + 1) END,
$$, $$WHEN r.deaths + v_death >= p_deaths THEN 'quarantined' ELSE 'queued' END,
                deaths = r.deaths + v_death,
                finished_at = CASE WHEN r.is_cancelled OR r.deaths + v_death >= p_deaths THEN now() END,
                error = CASE WHEN r.is_cancelled OR r.deaths + v_death < p_deaths THEN NULL
                             ELSE format('Its worker ended unexpectedly %s times; it is set aside until it is resumed.', r.deaths + v_death) END,
$$);

-- What workers do for webhooks. Times of tries are of the worker's clock, p_now; leases of the database's.

-- The tenants with active endpoints behind one, a thousand at most.
CREATE FUNCTION stock.webhook_tenants(p_after bigint) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN QUERY SELECT t.id FROM stock.tenant t
    WHERE t.webhook_due_at IS NOT NULL AND t.id > p_after ORDER BY t.id LIMIT 1000;
END
$$;

-- The tenant that something is due for longest, but for p_busy; no row if there is none.
CREATE FUNCTION stock.webhook_waits(p_now timestamptz, p_busy bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN QUERY SELECT t.id FROM stock.tenant t
    WHERE t.webhook_due_at <= p_now AND t.status = 'active' AND t.id <> ALL (p_busy)
    ORDER BY t.webhook_due_at, t.id LIMIT 1;
END
$$;

-- The first event behind p_after that an endpoint of p_types gets. first: the oldest there is behind it; looked: all up to there was looked
-- at, a thousand events at most, which is_full says.
CREATE FUNCTION stock.webhook_look(
    p_after bigint, p_types text[], OUT matched bigint, OUT first bigint, OUT looked bigint, OUT is_full boolean
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    v_event record;
    v_count integer := 0;
BEGIN
    looked := p_after;
    FOR v_event IN
        SELECT e.seq, e.type FROM stock.domain_event e
        WHERE e.tenant_id = stock.current_tenant() AND e.seq > p_after ORDER BY e.seq LIMIT 1000
    LOOP
        first := coalesce(first, v_event.seq);
        IF stock.webhook_takes(p_types, v_event.type) THEN
            matched := v_event.seq;
            EXIT;
        END IF;
        looked := v_event.seq;
        v_count := v_count + 1;
    END LOOP;
    is_full := v_count = 1000;
END
$$;

-- When something is due for the active endpoints of the tenant: as far as it is known before it happens, leases included. NULL where there
-- is no active one.
CREATE FUNCTION stock.webhook_next_due() RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_due    timestamptz;
BEGIN
    SELECT min(CASE WHEN t.leased_until > clock_timestamp() THEN t.leased_until ELSE least(
        coalesce((SELECT min(r.due_at) FROM stock.webhook_retry r WHERE r.tenant_id = v_tenant AND r.webhook_id = w.id), 'infinity'),
        CASE WHEN t.failures > 0 THEN t.due_at ELSE 'infinity' END) END)
    INTO v_due
    FROM stock.webhook w JOIN stock.webhook_turn t ON t.tenant_id = w.tenant_id AND t.webhook_id = w.id
    WHERE w.tenant_id = v_tenant AND w.active;
    RETURN v_due;
END
$$;

-- Gives a worker an endpoint of the tenant that has something to be sent, for p_lease. id: NULL if none has. is_known: whether any endpoint
-- of the tenant is active, so that its events are to be heeded.
CREATE FUNCTION stock.webhook_take(
    p_worker uuid, p_lease interval, p_now timestamptz, OUT id uuid, OUT is_known boolean
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_due    timestamptz;
    v_active boolean;
    v_turn   record;
    v_look   record;
BEGIN
    SELECT t.webhook_due_at, t.status = 'active' INTO v_due, v_active FROM stock.tenant t WHERE t.id = v_tenant;
    is_known := v_due IS NOT NULL;
    IF NOT is_known OR NOT v_active THEN
        RETURN;
    END IF;
    -- The one that waits longest comes first.
    FOR v_turn IN
        SELECT t.webhook_id, t.after_seq, t.due_at, w.types
        FROM stock.webhook w JOIN stock.webhook_turn t ON t.tenant_id = w.tenant_id AND t.webhook_id = w.id
        WHERE w.tenant_id = v_tenant AND w.active AND t.leased_until < clock_timestamp()
        ORDER BY t.leased_until, t.webhook_id
    LOOP
        IF NOT EXISTS (SELECT FROM stock.webhook_retry r
                       WHERE r.tenant_id = v_tenant AND r.webhook_id = v_turn.webhook_id AND r.due_at <= p_now) THEN
            CONTINUE WHEN v_turn.due_at > p_now;
            v_look := stock.webhook_look(v_turn.after_seq, v_turn.types);
            IF v_look.matched IS NULL AND NOT v_look.is_full AND coalesce(v_look.first, v_turn.after_seq + 1) = v_turn.after_seq + 1 THEN
                -- What it does not get is passed over now and then, so that it is not looked at for ever.
                IF v_look.looked > v_turn.after_seq + 100 THEN
                    UPDATE stock.webhook_turn t SET after_seq = v_look.looked
                    WHERE t.tenant_id = v_tenant AND t.webhook_id = v_turn.webhook_id AND t.after_seq = v_turn.after_seq
                      AND t.leased_until < clock_timestamp();
                END IF;
                CONTINUE;
            END IF;
        END IF;
        PERFORM FROM stock.webhook_turn t
        WHERE t.tenant_id = v_tenant AND t.webhook_id = v_turn.webhook_id AND t.leased_until < clock_timestamp()
        FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        UPDATE stock.webhook_turn t SET worker = p_worker, leased_until = clock_timestamp() + p_lease
        WHERE t.tenant_id = v_tenant AND t.webhook_id = v_turn.webhook_id;
        id := v_turn.webhook_id;
        EXIT;
    END LOOP;
    IF id IS NULL THEN
        -- It was looked for nothing: the next time is when something is due.
        IF v_due <= p_now THEN
            -- Who switches an endpoint on meanwhile is waited for, or comes behind and has it looked for again.
            PERFORM FROM stock.tenant t WHERE t.id = v_tenant FOR NO KEY UPDATE;
            v_due := stock.webhook_next_due();
            UPDATE stock.tenant t
            -- Not at once again, whatever kept it from being taken.
            SET webhook_due_at = CASE WHEN v_due IS NOT NULL THEN greatest(v_due, p_now + interval '1 second') END
            WHERE t.id = v_tenant;
        END IF;
    ELSIF v_due <= p_now THEN
        -- Others come first, and then its other endpoints.
        UPDATE stock.tenant t SET webhook_due_at = p_now WHERE t.id = v_tenant;
    ELSE
        PERFORM stock.webhook_due(clock_timestamp() + p_lease);
    END IF;
END
$$;

-- Ends a worker's turn; p_has_more: whether there is more to be sent.
CREATE FUNCTION stock.webhook_release(p_id uuid, p_worker uuid, p_has_more boolean, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    UPDATE stock.webhook_turn t SET worker = NULL, leased_until = clock_timestamp()
    WHERE t.tenant_id = stock.current_tenant() AND t.webhook_id = p_id AND t.worker = p_worker;
    IF FOUND THEN
        PERFORM stock.webhook_due(CASE WHEN p_has_more THEN p_now ELSE stock.webhook_next_due() END);
    END IF;
END
$$;

-- Tells that events were not kept until they were sent: p_lost of them, from p_seq on.
CREATE FUNCTION stock.webhook_lose(p_id uuid, p_delivery uuid, p_seq bigint, p_lost bigint, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO stock.webhook_delivery (tenant_id, webhook_id, id, at, seq, lost, status)
    VALUES (stock.current_tenant(), p_id, p_delivery, p_now, p_seq, p_lost, 'lost');
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload)
    VALUES (stock.current_tenant(), 'webhook.events_lost', p_id, json_build_object('seq', p_seq, 'lost', p_lost));
END
$$;

-- One event, as it is sent.
CREATE FUNCTION stock.webhook_event(p_seq bigint) RETURNS TABLE (seq bigint, type text, body text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT e.seq, e.type,
           (SELECT row_to_json(r)::text FROM (
               SELECT e.seq, e.type, e.entity_id, stock.rfc3339(e.occurred_at) AS occurred_at,
                      stock.rfc3339(e.recorded_at) AS recorded_at, e.user_id AS actor, coalesce(e.payload, '{}') AS data) r)
    FROM stock.domain_event e WHERE e.tenant_id = stock.current_tenant() AND e.seq = p_seq;
END
$$;

-- What a worker is to send next for an endpoint that is its own, of which it is the owner for p_lease more; no row, and the turn ended, if
-- there is nothing or it is not its own. p_apart: whether what waits beside the order comes first. p_delivery: the id of the row that tells of
-- lost events.
CREATE FUNCTION stock.webhook_next(
    p_id uuid, p_worker uuid, p_lease interval, p_apart boolean, p_delivery uuid, p_now timestamptz
) RETURNS TABLE (
    seq bigint, reason text, type text, body text, attempts integer, failures integer, asides integer, waiting bigint,
    failing_since timestamptz, url text, secret bytea, previous_secret bytea
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant  bigint := stock.current_tenant();
    v_webhook stock.webhook;
    v_turn    stock.webhook_turn;
    v_retry   stock.webhook_retry;
    v_look    record;
    v_after   bigint;
    v_waiting bigint;
    v_pages   integer := 0;
    v_is_lost boolean := false;
BEGIN
    UPDATE stock.webhook_turn t SET leased_until = clock_timestamp() + p_lease
    WHERE t.tenant_id = v_tenant AND t.webhook_id = p_id AND t.worker = p_worker AND t.leased_until > clock_timestamp()
    RETURNING t.* INTO v_turn;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT w.* INTO v_webhook FROM stock.webhook w WHERE w.tenant_id = v_tenant AND w.id = p_id;
    IF v_webhook.active THEN
        SELECT count(*) INTO v_waiting FROM stock.webhook_retry r WHERE r.tenant_id = v_tenant AND r.webhook_id = p_id;
        SELECT r.* INTO v_retry FROM stock.webhook_retry r
        WHERE r.tenant_id = v_tenant AND r.webhook_id = p_id AND r.due_at <= p_now ORDER BY r.due_at, r.seq LIMIT 1;
        IF v_turn.due_at <= p_now AND (v_retry.seq IS NULL OR NOT p_apart) THEN
            v_after := v_turn.after_seq;
            LOOP
                v_look := stock.webhook_look(v_after, v_webhook.types);
                IF v_look.first > v_after + 1 THEN
                    PERFORM stock.webhook_lose(p_id, p_delivery, v_after + 1, v_look.first - v_after - 1, p_now);
                    v_is_lost := true;
                END IF;
                v_pages := v_pages + 1;
                EXIT WHEN v_look.matched IS NOT NULL OR NOT v_look.is_full OR v_pages = 20;
                v_after := v_look.looked;
            END LOOP;
            v_after := coalesce(v_look.matched - 1, v_look.looked);
            IF v_after > v_turn.after_seq THEN
                UPDATE stock.webhook_turn t SET after_seq = v_after WHERE t.tenant_id = v_tenant AND t.webhook_id = p_id;
            END IF;
            IF v_look.matched IS NOT NULL THEN
                RETURN QUERY
                SELECT p.seq, 'event', p.type, p.body, f.count, f.count, v_turn.asides, v_waiting, v_turn.failing_since,
                       v_webhook.url, v_turn.secret, CASE WHEN v_turn.previous_until > p_now THEN v_turn.previous_secret END
                FROM stock.webhook_event(v_look.matched) p,
                     (SELECT CASE WHEN v_turn.failed_seq = v_look.matched THEN v_turn.failures ELSE 0 END AS count) f;
                RETURN;
            ELSIF v_pages = 20 OR v_is_lost THEN
                -- Others take their turn, and then it is gone on here. What was lost is told by one row each time.
                PERFORM stock.webhook_release(p_id, p_worker, true, p_now);
                RETURN;
            END IF;
        END IF;
        IF v_retry.seq IS NOT NULL THEN
            RETURN QUERY
            SELECT v_retry.seq, v_retry.reason, p.type, p.body, v_retry.attempts, v_retry.failures, v_turn.asides, v_waiting,
                   v_turn.failing_since, v_webhook.url, v_turn.secret,
                   CASE WHEN v_turn.previous_until > p_now THEN v_turn.previous_secret END
            FROM (SELECT e.seq, e.type, e.body FROM stock.webhook_event(v_retry.seq) e
                  UNION ALL
                  SELECT 0, 'webhook.test', (SELECT row_to_json(r)::text FROM (
                      SELECT 0 AS seq, 'webhook.test' AS type, p_id AS entity_id, stock.rfc3339(p_now) AS occurred_at,
                             stock.rfc3339(p_now) AS recorded_at, NULL::uuid AS actor, '{}'::json AS data) r)
                  WHERE v_retry.seq = 0) p;
            IF NOT FOUND THEN
                -- It is not kept any more.
                PERFORM stock.webhook_lose(p_id, p_delivery, v_retry.seq, 1, p_now);
                DELETE FROM stock.webhook_retry r WHERE r.tenant_id = v_tenant AND r.webhook_id = p_id AND r.seq = v_retry.seq;
                PERFORM stock.webhook_release(p_id, p_worker, true, p_now);
            END IF;
            RETURN;
        END IF;
    END IF;
    PERFORM stock.webhook_release(p_id, p_worker, false, p_now);
END
$$;

-- Switches an endpoint off, and says so.
CREATE FUNCTION stock.webhook_disable(p_id uuid, p_reason text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    PERFORM set_config('stock.actor', '{"type":"operator","name":"webhooks"}', true);
    UPDATE stock.webhook w
    SET active = false, disabled_at = p_now, disabled_reason = p_reason, version = w.version + 1, updated_at = now()
    WHERE w.tenant_id = v_tenant AND w.id = p_id AND w.active;
    IF FOUND THEN
        INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload)
        VALUES (v_tenant, 'webhook.disabled', p_id, json_build_object('reason', p_reason));
    END IF;
END
$$;

-- Writes down what came of a try, and what is to come of it: `delivered`, `retried` at p_next_at, `set_aside` until then, `given_up`, or
-- `disabled`. False if the endpoint is not the worker's any more, so that nothing was written.
CREATE FUNCTION stock.webhook_record(
    p_id uuid, p_worker uuid, p_delivery uuid, p_now timestamptz, p_seq bigint, p_reason text, p_type text, p_attempt integer,
    p_outcome text, p_next_at timestamptz, p_code integer, p_error text, p_duration integer, p_answer text
) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_in_order boolean := p_reason = 'event';
    v_is_told  boolean := p_reason <> 'test';
    v_is_done  boolean := p_outcome = 'delivered';
BEGIN
    IF p_outcome = 'disabled' THEN
        -- As whoever changes the endpoint takes it: before its turn.
        PERFORM FROM stock.webhook w WHERE w.tenant_id = v_tenant AND w.id = p_id FOR UPDATE;
    END IF;
    UPDATE stock.webhook_turn t
    SET after_seq = CASE WHEN v_in_order AND p_outcome IN ('delivered', 'set_aside') THEN greatest(t.after_seq, p_seq) ELSE t.after_seq END,
        failures = CASE WHEN NOT v_in_order THEN t.failures WHEN p_outcome IN ('delivered', 'set_aside') THEN 0 ELSE p_attempt END,
        failed_seq = CASE WHEN NOT v_in_order THEN t.failed_seq WHEN p_outcome IN ('delivered', 'set_aside') THEN NULL ELSE p_seq END,
        -- A sign of life has what waits be tried at once.
        due_at = CASE WHEN v_is_told AND v_is_done OR v_in_order AND p_outcome = 'set_aside' THEN '-infinity'
                      WHEN v_in_order THEN coalesce(p_next_at, '-infinity') ELSE t.due_at END,
        asides = CASE WHEN v_is_told AND v_is_done THEN 0 WHEN v_in_order AND p_outcome = 'set_aside' THEN t.asides + 1 ELSE t.asides END,
        failing_since = CASE WHEN NOT v_is_told THEN t.failing_since WHEN v_is_done THEN NULL
                             ELSE coalesce(t.failing_since, p_now) END
    WHERE t.tenant_id = v_tenant AND t.webhook_id = p_id AND t.worker = p_worker;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF v_in_order THEN
        IF p_outcome = 'set_aside' THEN
            INSERT INTO stock.webhook_retry (tenant_id, webhook_id, seq, reason, attempts, due_at)
            VALUES (v_tenant, p_id, p_seq, 'set_aside', p_attempt, p_next_at)
            ON CONFLICT (tenant_id, webhook_id, seq) DO NOTHING;
        END IF;
    ELSIF NOT v_is_told OR p_outcome IN ('delivered', 'given_up') THEN
        DELETE FROM stock.webhook_retry r WHERE r.tenant_id = v_tenant AND r.webhook_id = p_id AND r.seq = p_seq;
    ELSE
        UPDATE stock.webhook_retry r
        SET attempts = p_attempt, failures = r.failures + 1, due_at = coalesce(p_next_at, '-infinity')
        WHERE r.tenant_id = v_tenant AND r.webhook_id = p_id AND r.seq = p_seq;
    END IF;
    INSERT INTO stock.webhook_delivery (tenant_id, webhook_id, id, at, seq, type, attempt, status, outcome, next_at, code, error,
                                        duration_ms, answer)
    VALUES (v_tenant, p_id, p_delivery, p_now, p_seq, p_type, p_attempt, CASE WHEN v_is_done THEN 'delivered' ELSE 'failed' END,
            CASE WHEN NOT v_is_done THEN p_outcome END, p_next_at, p_code, p_error, p_duration, p_answer);
    IF p_outcome = 'disabled' THEN
        PERFORM stock.webhook_disable(p_id, CASE WHEN p_error = 'secret_unreadable' THEN p_error ELSE 'failing' END, p_now);
    END IF;
    RETURN true;
END
$$;

-- Seals the secrets of an endpoint anew, as the key they were sealed by is on its way out.
CREATE FUNCTION stock.webhook_seal(p_id uuid, p_worker uuid, p_was bytea, p_secret bytea) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    UPDATE stock.webhook_turn t SET secret = p_secret
    WHERE t.tenant_id = stock.current_tenant() AND t.webhook_id = p_id AND t.worker = p_worker AND t.secret = p_was;
END
$$;

-- Has endpoints of the tenant that get nothing of what there is before p_until, which is about to go, go past it: they lose nothing by that.
CREATE FUNCTION stock.webhook_pass(p_until bigint) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_turn   record;
BEGIN
    FOR v_turn IN
        SELECT t.webhook_id, t.after_seq, w.types
        FROM stock.webhook w JOIN stock.webhook_turn t ON t.tenant_id = w.tenant_id AND t.webhook_id = w.id
        WHERE w.tenant_id = v_tenant AND t.after_seq < p_until - 1
    LOOP
        -- One that has lost something before is told of that first.
        IF EXISTS (SELECT FROM stock.domain_event e WHERE e.tenant_id = v_tenant AND e.seq = v_turn.after_seq + 1)
           AND NOT EXISTS (SELECT FROM stock.domain_event e
                           WHERE e.tenant_id = v_tenant AND e.seq > v_turn.after_seq AND e.seq < p_until
                             AND stock.webhook_takes(v_turn.types, e.type)) THEN
            UPDATE stock.webhook_turn t SET after_seq = p_until - 1
            WHERE t.tenant_id = v_tenant AND t.webhook_id = v_turn.webhook_id AND t.after_seq = v_turn.after_seq;
        END IF;
    END LOOP;
END
$$;

-- Before they go.
CALL stock.amend('prune_events', $$
        DELETE FROM stock.domain_event e WHERE$$, $$
        PERFORM stock.webhook_pass(v_until);
        DELETE FROM stock.domain_event e WHERE$$);

-- Deletes what was tried longer than p_keep ago, the oldest first: a step, of a hundred tenants at most, those after p_after, and p_limit rows.
-- next_after: where the next step begins, NULL at the end; a tenant that has more is met again.
CREATE FUNCTION stock.webhook_sweep(
    p_after bigint, p_keep interval, p_limit integer, OUT next_after bigint
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint;
    v_last   bigint := p_after;
    v_seen   integer := 0;
    v_gone   bigint;
    v_left   bigint := p_limit;
BEGIN
    FOR v_tenant IN SELECT t.id FROM stock.tenant t WHERE t.has_webhook AND t.id > p_after ORDER BY t.id LIMIT 100 LOOP
        PERFORM set_config('stock.tenant_id', v_tenant::text, true);
        -- By where they lie: rows that nobody changes are found so at once, in any number.
        DELETE FROM stock.webhook_delivery d
        WHERE d.tenant_id = v_tenant AND d.ctid = ANY (ARRAY(
            SELECT o.ctid FROM stock.webhook_delivery o
            WHERE o.tenant_id = v_tenant AND o.at < now() - p_keep ORDER BY o.at LIMIT v_left));
        GET DIAGNOSTICS v_gone = ROW_COUNT;
        v_left := v_left - v_gone;
        v_seen := v_seen + 1;
        IF v_left <= 0 THEN
            next_after := v_last;
            EXIT;
        END IF;
        v_last := v_tenant;
        IF v_seen = 100 THEN
            next_after := v_tenant;
        END IF;
    END LOOP;
    PERFORM set_config('stock.tenant_id', '', true);
END
$$;

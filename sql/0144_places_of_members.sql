-- A member may be limited to places: they neither sell from, count, move nor send what others have. Everybody sees all.

-- Where the member works; everywhere, if none is named.
ALTER TABLE stock.membership ADD COLUMN location_ids uuid[] NOT NULL DEFAULT '{}';

-- The place of what a member is about to do something with; NULL: it is not there, or none is said where there are several, which the
-- command itself refuses.
CREATE FUNCTION stock.place_of(p_kind text, p_id uuid) RETURNS uuid
LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    CASE p_kind
    WHEN 'location' THEN
        RETURN coalesce(p_id, stock.only_location());
    WHEN 'register' THEN
        RETURN (SELECT r.location_id FROM stock.register r
                WHERE r.tenant_id = v_tenant AND (r.id = p_id OR p_id IS NULL AND r.is_default));
    WHEN 'sale' THEN
        -- Where its goods were; its register may stand elsewhere since.
        RETURN coalesce(
            (SELECT m.location_id FROM stock.stock_movement m
             WHERE m.tenant_id = v_tenant AND m.ref_id = p_id AND m.kind = 'sale' LIMIT 1),
            (SELECT r.location_id FROM stock.sale s
             JOIN stock.register r ON r.tenant_id = s.tenant_id AND r.id = s.register_id
             WHERE s.tenant_id = v_tenant AND s.id = p_id));
    WHEN 'payment' THEN
        RETURN coalesce(
            (SELECT r.location_id
             FROM (SELECT e.cash_session_id FROM stock.ledger_entry e
                   WHERE e.tenant_id = v_tenant AND e.source_type = 'payment' AND e.source_id = p_id AND e.reverses_id IS NULL
                   OFFSET 0) e
             JOIN stock.cash_session s ON s.tenant_id = v_tenant AND s.id = e.cash_session_id
             JOIN stock.register r ON r.tenant_id = v_tenant AND r.id = s.register_id),
            (SELECT stock.place_of('sale', p.sale_id) FROM stock.payment p
             WHERE p.tenant_id = v_tenant AND p.id = p_id AND p.sale_id IS NOT NULL),
            -- Of no session and no sale: taken at the default register.
            (SELECT stock.place_of('register', NULL) FROM stock.payment p WHERE p.tenant_id = v_tenant AND p.id = p_id));
    WHEN 'money_entry' THEN
        RETURN (SELECT r.location_id FROM stock.money_entry e
                JOIN stock.register r ON r.tenant_id = e.tenant_id AND r.id = e.register_id
                WHERE e.tenant_id = v_tenant AND e.id = p_id);
    WHEN 'cash_session' THEN
        RETURN (SELECT r.location_id FROM stock.cash_session s
                JOIN stock.register r ON r.tenant_id = s.tenant_id AND r.id = s.register_id
                WHERE s.tenant_id = v_tenant AND s.id = p_id);
    WHEN 'purchase' THEN
        RETURN (SELECT p.location_id FROM stock.purchase p WHERE p.tenant_id = v_tenant AND p.id = p_id);
    WHEN 'count' THEN
        RETURN (SELECT c.location_id FROM stock.stock_count c WHERE c.tenant_id = v_tenant AND c.id = p_id);
    WHEN 'transfer_from' THEN
        RETURN (SELECT t.from_location_id FROM stock.transfer t WHERE t.tenant_id = v_tenant AND t.id = p_id);
    WHEN 'transfer_to' THEN
        RETURN (SELECT t.to_location_id FROM stock.transfer t WHERE t.tenant_id = v_tenant AND t.id = p_id);
    END CASE;
END
$$;

-- Refuses a member who works at p_places alone what is of another place; one element for each thing of this kind that they name.
CREATE FUNCTION stock.refuse_elsewhere(p_places uuid[], p_kind text, p_ids uuid[], p_pointers text[]) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(json_build_object('pointer', w.pointer, 'code', 'forbidden', 'detail', 'You do not work at this location.')
                    ORDER BY w.n)
    INTO v_errors
    FROM unnest(p_ids, p_pointers) WITH ORDINALITY AS w (id, pointer, n)
    WHERE NOT (stock.place_of(p_kind, w.id) = ANY (p_places));
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('forbidden', 'You do not work at this location.', v_errors);
    END IF;
END
$$;

-- Refuses places that nobody can work at.
CREATE FUNCTION stock.member_places(p_places uuid[]) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_errors json;
BEGIN
    SELECT json_agg(json_build_object('pointer', '/location_ids/' || w.n - 1, 'code', 'not_found',
                                      'detail', 'There is no such location.') ORDER BY w.n)
    INTO v_errors
    FROM unnest(p_places) WITH ORDINALITY AS w (id, n)
    WHERE NOT EXISTS (SELECT FROM stock.location l
                      WHERE l.tenant_id = stock.current_tenant() AND l.id = w.id AND l.kind <> 'transit');
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'The member is not valid.', v_errors);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION stock.member_body(p_tenant bigint, p_user uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT u.id, u.email, u.name, m.role, m.active AND u.status = 'active' AS active, m.location_ids, m.version,
               stock.rfc3339(m.created_at) AS created_at
        FROM stock.membership m JOIN stock.app_user u ON u.id = m.user_id
        WHERE m.tenant_id = p_tenant AND m.user_id = p_user
    ) r;
    RETURN v_body;
END
$$;

CREATE OR REPLACE FUNCTION stock.audit_membership() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM stock.audit(NEW.tenant_id, 'member.added', 'user', NEW.user_id, json_build_object('role', NEW.role));
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM stock.audit(OLD.tenant_id, 'member.removed', 'user', OLD.user_id, json_build_object('role', OLD.role));
    ELSE
        IF NEW.role <> OLD.role THEN
            PERFORM stock.audit(NEW.tenant_id, 'member.role_changed', 'user', NEW.user_id,
                                json_build_object('from', OLD.role, 'to', NEW.role));
        END IF;
        IF NEW.location_ids <> OLD.location_ids THEN
            PERFORM stock.audit(NEW.tenant_id, 'member.locations_changed', 'user', NEW.user_id,
                                json_build_object('from', OLD.location_ids, 'to', NEW.location_ids));
        END IF;
        IF NEW.active <> OLD.active THEN
            PERFORM stock.audit(NEW.tenant_id, CASE WHEN NEW.active THEN 'member.activated' ELSE 'member.deactivated' END,
                                'user', NEW.user_id);
        END IF;
    END IF;
    RETURN NULL;
END
$$;

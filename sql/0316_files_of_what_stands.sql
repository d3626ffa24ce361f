-- Exports of expenses and payments go in again: their rows say what was reversed and what went out, which no file brings. What is there
-- already is left alone, whether or not it stands.
CALL stock.amend('import_expenses', $$r.named ->> 'supplier' AS supplier, r.named ->> 'note' AS note
$$, $$r.named ->> 'supplier' AS supplier, r.named ->> 'note' AS note, r.named ->> 'status' AS standing
$$);
CALL stock.amend('import_expenses', $$                FROM (VALUES
$$, $$                FROM (VALUES
                    (r.standing = 'reversed', '/status', 'invalid_state', 'The expense was reversed.'),
$$);
CALL stock.amend('import_payments', $$               r.named ->> 'customer' AS customer
$$, $$               r.named ->> 'customer' AS customer, coalesce(r.named ->> 'direction', 'in') AS direction,
               r.named ->> 'status' AS standing
$$);
CALL stock.amend('import_payments', $$= (n.occurred_at, n.amount, n.method, 'in')$$, $$= (n.occurred_at, n.amount, n.method, n.direction)$$);
CALL stock.amend('import_payments', $$            FROM (VALUES
$$, $$            FROM (VALUES
                (h.direction = 'out', '/direction', 'invalid_state', 'The money went out; files bring what came in.'),
                (h.standing = 'reversed', '/status', 'invalid_state', 'The payment was reversed.'),
$$);
-- Of what went out nobody is asked whom it was of.
CALL stock.amend('import_payments', $$(h.sale IS NULL AND h.customer IS NULL, '/sale'$$, $$(h.sale IS NULL AND h.customer IS NULL AND h.direction = 'in', '/sale'$$);

-- What a file calls a party: its name; as names are no keys, one that names another, too, or that is another's `external_id`, gives way to what
-- the file of them has.
CREATE FUNCTION stock.customer_named(p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE STRICT
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_party  record;
BEGIN
    SELECT o.name, o.name_key, o.external_id, stock.code_text(o.name) AS code INTO v_party
    FROM stock.customer o WHERE o.tenant_id = v_tenant AND o.id = p_id;
    IF EXISTS (SELECT FROM stock.customer o WHERE o.tenant_id = v_tenant AND o.name_key = v_party.name_key AND o.id <> p_id)
       OR EXISTS (SELECT FROM stock.customer o WHERE o.tenant_id = v_tenant AND o.external_id = v_party.code AND o.id <> p_id) THEN
        RETURN coalesce(v_party.external_id, p_id::text);
    END IF;
    RETURN v_party.name;
END
$$;
CREATE FUNCTION stock.supplier_named(p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE STRICT
SET enable_seqscan = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_party  record;
BEGIN
    SELECT o.name, o.name_key, o.external_id, stock.code_text(o.name) AS code INTO v_party
    FROM stock.supplier o WHERE o.tenant_id = v_tenant AND o.id = p_id;
    IF EXISTS (SELECT FROM stock.supplier o WHERE o.tenant_id = v_tenant AND o.name_key = v_party.name_key AND o.id <> p_id)
       OR EXISTS (SELECT FROM stock.supplier o WHERE o.tenant_id = v_tenant AND o.external_id = v_party.code AND o.id <> p_id) THEN
        RETURN coalesce(v_party.external_id, p_id::text);
    END IF;
    RETURN v_party.name;
END
$$;

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
-- the file of them has. The statement of a page takes these in as a part of its own. The look-ups discard nothing: of a name two rows at
-- most, one of which is the party's own, and the one row of an `external_id`.
CREATE FUNCTION stock.customer_named(p_id uuid) RETURNS TABLE (name text)
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN (SELECT count(*) FROM (
                          SELECT FROM stock.customer o
                          WHERE o.tenant_id = stock.current_tenant() AND o.name_key = c.name_key LIMIT 2) n) > 1
                  OR (SELECT o.id FROM stock.customer o
                      WHERE o.tenant_id = stock.current_tenant() AND o.external_id = c.code) <> c.id
                THEN coalesce(c.external_id, c.id::text) ELSE c.name END
    FROM (SELECT o.id, o.name, o.name_key, o.external_id, stock.code_text(o.name) AS code FROM stock.customer o
          WHERE o.tenant_id = stock.current_tenant() AND o.id = p_id OFFSET 0) c
$$;
CREATE FUNCTION stock.supplier_named(p_id uuid) RETURNS TABLE (name text)
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN (SELECT count(*) FROM (
                          SELECT FROM stock.supplier o
                          WHERE o.tenant_id = stock.current_tenant() AND o.name_key = s.name_key LIMIT 2) n) > 1
                  OR (SELECT o.id FROM stock.supplier o
                      WHERE o.tenant_id = stock.current_tenant() AND o.external_id = s.code) <> s.id
                THEN coalesce(s.external_id, s.id::text) ELSE s.name END
    FROM (SELECT o.id, o.name, o.name_key, o.external_id, stock.code_text(o.name) AS code FROM stock.supplier o
          WHERE o.tenant_id = stock.current_tenant() AND o.id = p_id OFFSET 0) s
$$;

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

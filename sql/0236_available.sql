-- What is reserved and what is available, wherever it is shown what is on hand; of documents until when. Levels are changed with
-- what is reserved, so whatever shows it is retired.
-- docs/decisions/0056-reservations.md tells what was chosen.

CALL stock.amend('product_body', 'stock.quantity_text(l.on_hand) AS on_hand, p.external_id,',
    'stock.quantity_text(l.on_hand) AS on_hand, stock.quantity_text(l.reserved) AS reserved,
               stock.quantity_text(l.on_hand - l.reserved) AS available, p.external_id,');
CALL stock.amend('stock_level_body', 'stock.quantity_text(l.on_hand) AS on_hand,',
    'stock.quantity_text(l.on_hand) AS on_hand,
               stock.quantity_text(l.reserved) AS reserved, stock.quantity_text(l.on_hand - l.reserved) AS available,');
CALL stock.amend('location_level_body', 'stock.quantity_text(n.on_hand) AS on_hand,',
    'stock.quantity_text(n.on_hand) AS on_hand, stock.quantity_text(n.reserved) AS reserved,
               stock.quantity_text(n.on_hand - n.reserved) AS available,');
CALL stock.amend('product_places_body', 'stock.quantity_text(l.on_hand) AS on_hand,',
    'stock.quantity_text(l.on_hand) AS on_hand, stock.quantity_text(l.reserved) AS reserved,
               stock.quantity_text(l.on_hand - l.reserved) AS available,');
CALL stock.amend('product_places_body', $$'on_hand', stock.quantity_text(n.on_hand),$$,
    $$'on_hand', stock.quantity_text(n.on_hand), 'reserved', stock.quantity_text(n.reserved),
                              'available', stock.quantity_text(n.on_hand - n.reserved),$$);

CALL stock.amend('sale_body', 's.external_id, s.version', 'stock.rfc3339(s.reserved_until) AS reserved_until, s.external_id, s.version');
CALL stock.amend('sale_summary', 's.external_id, s.version', 'stock.rfc3339(s.reserved_until) AS reserved_until, s.external_id, s.version');
CALL stock.amend('quote_summary', 'q.sale_id, q.version', 'stock.rfc3339(q.reserved_until) AS reserved_until, q.sale_id, q.version');
CALL stock.amend('tenant_body', 't.on_price_change, t.closed_until,',
    't.on_price_change, t.draft_reservation_minutes, t.quote_reservation_days, t.closed_until,');

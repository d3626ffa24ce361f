-- A file of sales that may not oversell takes nothing that is reserved, as no sale does.
CALL stock.amend('import_hold_back', $$coalesce(n.floor, 0) AS floor
    FROM$$, $$coalesce(n.floor, 0) AS floor,
           CASE WHEN n.reserved > 0 THEN stock.reserved_now(l.product_id, s.location_id) ELSE 0 END AS reserved
    FROM$$);
CALL stock.amend('import_hold_back', $$SELECT o.on_hand, o.floor FROM stock.location_level o$$,
                 $$SELECT o.on_hand, o.floor, o.reserved FROM stock.location_level o$$);
CALL stock.amend('import_hold_back', $$trim_scale(greatest(0, f.on_hand))$$, $$trim_scale(greatest(0, f.on_hand - f.reserved))$$);
CALL stock.amend('import_hold_back', $$WHERE f.on_hand - s.quantity < f.floor;$$, $$WHERE f.on_hand - s.quantity < f.floor + f.reserved;$$);

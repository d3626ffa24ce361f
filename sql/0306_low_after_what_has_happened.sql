-- That goods run low is told of what sold while its till was away, too. It was told as little as of history, though it is what the level is
-- now; and whatever sold after it did not cross the floor any more, so that nobody was told until the next delivery.
CALL stock.amend('move_stock', $$
        IF p_heeds_floors THEN
            PERFORM stock.tell_low($$, $$
        IF p_heeds_floors OR stock.is_fact() THEN
            PERFORM stock.tell_low($$);
CALL stock.amend('move_stock', $$
                AND p_heeds_floors THEN
                PERFORM stock.tell_low($$, $$
                AND (p_heeds_floors OR stock.is_fact()) THEN
                PERFORM stock.tell_low($$);

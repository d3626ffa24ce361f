-- Each row of a file of payments went through all that its customer owed, from the first, paid or not: of 20,000 debts and 1,000 rows twenty
-- million steps, while all of them were held. It goes on where the row before ended, and as far as its money reaches.
CALL stock.amend('import_payments', $$
    v_last      integer;
    v_number    integer;
BEGIN$$, $$
    v_last      integer;
    v_number    integer;
    -- By the first place of an account, where the row before it ended.
    v_open      integer[] := '{}';
    v_from      integer;
BEGIN$$);
CALL stock.amend('import_payments', $$
        v_due := 0;
        v_last := v_firsts[v_place];
        v_left := v_amounts[v_place];
        FOR v_at IN coalesce(v_firsts[v_place], 1)..coalesce(v_lasts[v_place], 0) LOOP
            IF$$, $$
        v_due := 0;
        v_from := coalesce(v_open[v_firsts[v_place]], v_firsts[v_place]);
        v_last := v_from;
        v_left := v_amounts[v_place];
        FOR v_at IN coalesce(v_from, 1)..coalesce(v_lasts[v_place], 0) LOOP
            EXIT WHEN v_due >= v_left;
            IF$$);
CALL stock.amend('import_payments', $$
            FOR v_at IN v_firsts[v_place]..v_last LOOP$$, $$
            FOR v_at IN v_from..v_last LOOP$$);
CALL stock.amend('import_payments', $$
                v_left := v_left - v_share;
            END LOOP;
$$, $$
                v_left := v_left - v_share;
            END LOOP;
            -- Of one debt the place is its own, and of an account what may still be due.
            v_open[v_firsts[v_place]] := v_last;
$$);

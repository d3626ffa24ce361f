-- What files go by: the ids of what they bring, and what is told of a trial that the database interrupts.

-- The ids of what a file brings are made of the number of the tenant and of what the file calls it, so that the same file brings nothing
-- twice. A tenant that moves has another number from then on, and its files go by the one that it had at first, which moves with it. NULL:
-- the number that it has here.
ALTER TABLE stock.tenant ADD COLUMN import_seed bigint;
CALL stock.amend('move_out', $$stock.moved_list(v_columns, 'r'), p_table,$$,
                 $$replace(stock.moved_list(v_columns, 'r'), 'r.import_seed', 'coalesce(r.import_seed, r.id) AS import_seed'), p_table,$$);

-- A trial has written nothing that stays.
CALL stock.amend('import_give_back', $$    v_cancelled boolean;
$$, $$    v_cancelled boolean;
    v_dry_run   boolean;
$$);
CALL stock.amend('import_give_back', $$RETURNING r.interruptions, r.is_cancelled INTO v_count, v_cancelled;$$,
                 $$RETURNING r.interruptions, r.is_cancelled, r.options ->> 'dry_run' = 'true' INTO v_count, v_cancelled, v_dry_run;$$);
CALL stock.amend('import_give_back', $$%s. What was written stays.',
                                       v_count, p_reason),$$, $$%s. %s.',
                                       v_count, p_reason,
                                       CASE WHEN v_dry_run THEN 'Nothing was written' ELSE 'What was written stays' END),$$);

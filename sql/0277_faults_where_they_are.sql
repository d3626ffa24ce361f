-- Refusals that say what is so: the field that is at fault, the problem that one kind of fault makes, and a refund that nobody rounds.

-- A document that is in another state than a command needs has the fault at its status, as counts, transfers and quotes say it.
CALL stock.amend('draft_held', $$stock.refuse('invalid_state', format($$, $$stock.refuse_field('invalid_state', '/status', format($$);
CALL stock.amend('entry_reverse', $$stock.refuse('invalid_state', 'It is$$, $$stock.refuse_field('invalid_state', '/status', 'It is$$);
CALL stock.amend('payment_reverse', $$stock.refuse('invalid_state', format('The payment is$$,
    $$stock.refuse_field('invalid_state', '/status', format('The payment is$$);
CALL stock.amend('purchase_hold', $$stock.refuse('invalid_state', format($$, $$stock.refuse_field('invalid_state', '/status', format($$);
CALL stock.amend('return_of_sale', $$stock.refuse('invalid_state', format($$, $$stock.refuse_field('invalid_state', '/status', format($$);
CALL stock.amend('sale_cancel', $$stock.refuse('invalid_state', format('The sale is$$,
    $$stock.refuse_field('invalid_state', '/status', format('The sale is$$);
CALL stock.amend('sale_cancel', $$stock.refuse('invalid_state', 'Some of the sale$$,
    $$stock.refuse_field('invalid_state', '/returned_total', 'Some of the sale$$);
CALL stock.amend('sale_exception_settle', $$stock.refuse('invalid_state', $$, $$stock.refuse_field('invalid_state', '/status', $$);
CALL stock.amend('session_held', $$stock.refuse('session_closed', $$, $$stock.refuse_field('session_closed', '/status', $$);
CALL stock.amend('session_open', $$stock.refuse('invalid_state', 'The register is retired.')$$,
    $$stock.refuse_field('invalid_state', '/active', 'The register is retired.')$$);
CALL stock.amend('session_open', $$stock.refuse('invalid_state', format('The register has$$,
    $$stock.refuse_field('invalid_state', '/session_id', format('The register has$$);
CALL stock.amend('purchase_order', $$stock.refuse('invalid_state', 'The location$$,
    $$stock.refuse_field('invalid_state', '/location_id', 'The location$$);
CALL stock.amend('purchase_cancel', $$stock.refuse('invalid_state', 'The location$$,
    $$stock.refuse_field('invalid_state', '/location_id', 'The location$$);

-- A batch whose faults are of one kind is refused as a product alone is.
CALL stock.amend('upsert_products', $$        PERFORM stock.refuse('validation_failed', 'Some products can not be applied.',$$,
    $$        PERFORM stock.refuse(CASE WHEN count(DISTINCT stock.problem_code(e.error ->> 'code')) = 1
                                  THEN min(stock.problem_code(e.error ->> 'code')) ELSE 'validation_failed' END,
                             'Some products can not be applied.',$$);

-- Without a payment nothing is rounded, but what in cash would be nothing.
CALL stock.amend('refund_check', $$    IF v_step > 0 AND v_other < p_owed AND ('cash' = ANY (p_kinds) OR cardinality(p_kinds) = 0) THEN
        v_target := v_other + round((p_owed - v_other)::numeric(60, 30) / v_step) * v_step;
    END IF;$$, $$    IF v_step > 0 AND v_other < p_owed THEN
        v_target := v_other + round((p_owed - v_other)::numeric(60, 30) / v_step) * v_step;
        IF NOT ('cash' = ANY (p_kinds) OR cardinality(p_kinds) = 0 AND v_target = 0) THEN
            v_target := p_owed;
        END IF;
    END IF;$$);

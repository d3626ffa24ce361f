-- Sales by what they came to, of a register that has sold little: read by its numbers, as the list by time does. Along the order of all,
-- those of every other register were passed by.

CALL stock.amend('sales_by_total', $$              AND s.occurred_at >= v_first AND s.occurred_at < v_last);
    END IF;
    IF v_few IS NOT NULL THEN$$, $$              AND s.occurred_at >= v_first AND s.occurred_at < v_last);
    -- As its numbers have no gap, the last tells how many it has.
    ELSIF p_register IS NOT NULL AND coalesce((
        SELECT c.last_number FROM stock.document_counter c
        WHERE c.tenant_id = v_tenant AND c.register_id = p_register AND c.kind = 'sale'), 0) <= 500 THEN
        v_few := ARRAY(
            SELECT s.id
            FROM (SELECT o.id, o.occurred_at, o.status FROM stock.sale o
                  WHERE o.tenant_id = v_tenant AND o.register_id = p_register AND o.number IS NOT NULL OFFSET 0) s
            WHERE s.occurred_at >= v_first AND s.occurred_at < v_last AND s.status = ANY (v_states));
    END IF;
    IF v_few IS NOT NULL THEN$$);

-- Every command that changes a document or what is on hand tells of it: what counts, drafts of transfers and minimums of places did
-- not. A test walks all commands.

CALL stock.amend('count_open', $$    VALUES (stock.current_tenant(), p_count, stock.open_location(p_location, '/location_id'), p_note, p_user);
$$, $$    VALUES (stock.current_tenant(), p_count, stock.open_location(p_location, '/location_id'), p_note, p_user);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, user_id)
    VALUES (stock.current_tenant(), 'stock_count.opened', p_count, p_user);
$$);
CALL stock.amend('count_enter', $$EXCEPTION WHEN unique_violation THEN$$, $$    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload, user_id)
    VALUES (v_tenant, 'stock_count.entered', p_count, json_build_object('products', v_products), p_user);
EXCEPTION WHEN unique_violation THEN$$);
CALL stock.amend('count_cancel', $$    PERFORM stock.count_end(p_count, 'cancelled', p_user);
$$, $$    PERFORM stock.count_end(p_count, 'cancelled', p_user);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, user_id)
    VALUES (stock.current_tenant(), 'stock_count.cancelled', p_count, p_user);
$$);
CALL stock.amend('transfer_draft', $$    PERFORM stock.transfer_carry(p_transfer, v_places.from_location, p_lines, p_named, p_skus, p_quantities);
$$, $$    PERFORM stock.transfer_carry(p_transfer, v_places.from_location, p_lines, p_named, p_skus, p_quantities);
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, user_id)
    VALUES (stock.current_tenant(), 'transfer.created', p_transfer, p_user);
$$);
CALL stock.amend('transfer_change', $$    IF p_lines IS NOT NULL THEN
$$, $$    INSERT INTO stock.domain_event (tenant_id, type, entity_id) VALUES (v_transfer.tenant_id, 'transfer.updated', p_transfer);
    IF p_lines IS NOT NULL THEN
$$);
CALL stock.amend('place_low_at', $$    ON CONFLICT (tenant_id, product_id, location_id) DO UPDATE SET low_at = excluded.low_at;
$$, $$    ON CONFLICT (tenant_id, product_id, location_id) DO UPDATE SET low_at = excluded.low_at;
    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload)
    VALUES (v_tenant, 'stock.minimum_changed', p_product,
            json_build_object('location_id', p_location, 'min_stock', stock.quantity_text(p_low_at)));
$$);

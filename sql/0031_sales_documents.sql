-- Imports of sales, again: a document goes in whole or not at all, may name how it was paid, and history does not ask for
-- stock unless it is told to. What the binary before calls stays callable.

-- The temporary tables of the session, empty. The client copies into import_document, import_sku and import_line.
CREATE OR REPLACE FUNCTION stock.import_open() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning
-- The session of a run that was killed may still be at its last chunk: it is waited for, another import is not.
SET lock_timeout = '10s' AS $$
BEGIN
    -- One import per tenant at a time; held until the session unlocks or ends.
    BEGIN
        PERFORM pg_advisory_lock(hashtextextended('stock.import', stock.current_tenant()));
    EXCEPTION WHEN lock_not_available THEN
        RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = 'invalid_state', DETAIL = '[]',
            HINT = 'Another import of this tenant is running.';
    END;
    DROP TABLE IF EXISTS pg_temp.import_document, pg_temp.import_sku, pg_temp.import_line, pg_temp.import_target,
                         pg_temp.import_product, pg_temp.import_reject, pg_temp.import_part, pg_temp.import_chunk;
    CREATE TEMPORARY TABLE import_document (
        ordinal      integer NOT NULL,
        is_return    boolean NOT NULL,
        external_id  text NOT NULL,
        wall_clock   timestamp,
        instant      timestamptz,
        id           uuid NOT NULL,
        payment_id   uuid NOT NULL,
        ledger_id    uuid NOT NULL,
        -- How it was paid; NULL: as the import says.
        method       text,
        -- Whether the file alone shows that a line of it can not be taken over.
        is_rejected  boolean NOT NULL DEFAULT false
    );
    CREATE TEMPORARY TABLE import_sku (
        ordinal      integer NOT NULL,
        sku          text NOT NULL,
        line         integer NOT NULL,
        price        numeric NOT NULL,
        name         text NOT NULL,
        name_line    integer NOT NULL,
        product_id   uuid NOT NULL
    );
    CREATE TEMPORARY TABLE import_line (
        document     integer NOT NULL,
        sku          integer NOT NULL,
        line         integer NOT NULL,
        quantity     numeric NOT NULL,
        unit_price   numeric NOT NULL,
        id           uuid NOT NULL,
        movement_id  uuid NOT NULL
    );
    CREATE TEMPORARY TABLE import_reject (
        line    integer NOT NULL,
        code    text NOT NULL,
        reason  text NOT NULL,
        -- 0: a line that is sold, 1: a free one, 2: one that came back.
        kind    smallint NOT NULL DEFAULT 0
    );
END
$$;

-- Checks the staged file against the tenant's data; what can not be taken over goes to import_reject. Writes nothing
-- else. p_unit_decimals: those of the unit that products created by this import get; NULL: none are created.
-- Gives the rows that are known already and unchanged, and those refused.
CREATE OR REPLACE FUNCTION stock.import_sales_check(p_unit_decimals integer, OUT unchanged bigint, OUT rejected bigint)
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on SET work_mem = '64MB' AS $$
DECLARE
    v_tenant stock.tenant;
BEGIN
    SELECT * INTO STRICT v_tenant FROM stock.tenant t WHERE t.id = stock.current_tenant();
    ANALYZE pg_temp.import_document;
    ANALYZE pg_temp.import_sku;
    ANALYZE pg_temp.import_line;
    PERFORM stock.import_find_products();

    DROP TABLE IF EXISTS pg_temp.import_target;
    CREATE TEMPORARY TABLE import_target AS
    SELECT d.ordinal AS document, d.is_return, d.external_id, d.id, d.payment_id, d.ledger_id, d.occurred_at,
           (d.occurred_at AT TIME ZONE v_tenant.timezone)::date AS business_day,
           stock.moment_fault(d.occurred_at) AS moment_fault,
           coalesce(s.id, r.id) AS known_id, d.method, d.is_rejected
    FROM (SELECT f.ordinal, f.is_return, f.external_id, f.id, f.payment_id, f.ledger_id, f.method, f.is_rejected,
                 coalesce(f.instant, f.wall_clock AT TIME ZONE v_tenant.timezone) AS occurred_at
          FROM pg_temp.import_document f) d
    LEFT JOIN stock.sale s
        ON s.tenant_id = v_tenant.id AND s.external_id = d.external_id AND NOT d.is_return
    LEFT JOIN stock.sale_return r
        ON r.tenant_id = v_tenant.id AND r.external_id = d.external_id AND d.is_return
    ORDER BY d.ordinal;
    CREATE UNIQUE INDEX ON pg_temp.import_target (document);
    ANALYZE pg_temp.import_target;

    -- Documents that are there already: a row that is one of their lines is unchanged, whatever became of the product.
    -- Compared by the SKU the line was written with.
    CREATE TEMPORARY TABLE import_known AS
    WITH stored AS (
        SELECT s.document, s.key, s.quantity, s.unit_price,
               row_number() OVER (PARTITION BY s.document, s.key, s.quantity, s.unit_price) AS copy
        FROM (SELECT t.document, stock.folded(l.sku) AS key, l.quantity, l.unit_price
              FROM pg_temp.import_target t
              JOIN stock.sale_line l ON l.tenant_id = v_tenant.id AND l.sale_id = t.known_id
              WHERE t.known_id IS NOT NULL AND NOT t.is_return
              UNION ALL
              SELECT t.document, stock.folded(l.sku), l.quantity, l.unit_price
              FROM pg_temp.import_target t
              JOIN stock.sale_return_line l ON l.tenant_id = v_tenant.id AND l.return_id = t.known_id
              WHERE t.known_id IS NOT NULL AND t.is_return) s
    ), filed AS (
        SELECT l.line, l.document, p.key, l.quantity, l.unit_price,
               row_number() OVER (PARTITION BY l.document, p.key, l.quantity, l.unit_price ORDER BY l.line) AS copy
        FROM pg_temp.import_line l
        JOIN pg_temp.import_target t ON t.document = l.document AND t.known_id IS NOT NULL
        JOIN pg_temp.import_product p ON p.sku = l.sku
    )
    SELECT f.line, f.document, s.copy IS NOT NULL AS unchanged
    FROM filed f
    LEFT JOIN stored s ON s.document = f.document AND s.key = f.key AND s.quantity = f.quantity
                      AND s.unit_price = f.unit_price AND s.copy = f.copy;
    SELECT count(*) INTO unchanged FROM pg_temp.import_known k WHERE k.unchanged;

    INSERT INTO pg_temp.import_reject (line, code, kind, reason)
    SELECT c.line, c.code, c.kind,
           CASE c.code
               WHEN 'sku_unknown' THEN format('no product has the SKU %s', quote_literal(c.sku))
               WHEN 'product_inactive' THEN format('the product %s is archived', quote_literal(c.sku))
               WHEN 'quantity_precision' THEN
                   format('quantity is %s; the unit of %s has %s decimals', trim_scale(c.quantity), quote_literal(c.sku),
                          c.decimals)
               WHEN 'time_in_future' THEN format('%s lies in the future', c.occurred_at)
               WHEN 'time_invalid' THEN format('occurred_at is %s: %s', c.occurred_at, c.moment_fault)
               WHEN 'period_closed' THEN
                   format('%s is closed: the period ends at %s', c.business_day, v_tenant.closed_until)
               ELSE format('%s %s is recorded already, without this line',
                           CASE WHEN c.is_return THEN 'return' ELSE 'sale' END, quote_literal(c.external_id))
           END
    FROM (
        SELECT l.line, s.sku, l.quantity, t.occurred_at, t.business_day, t.is_return, t.external_id,
               CASE WHEN t.is_return THEN 2 WHEN l.unit_price = 0 THEN 1 ELSE 0 END AS kind, t.moment_fault,
               coalesce(p.decimals, p_unit_decimals) AS decimals,
               CASE
                   WHEN p.product_id IS NULL AND p_unit_decimals IS NULL THEN 'sku_unknown'
                   WHEN p.status = 'archived' THEN 'product_inactive'
                   WHEN min_scale(l.quantity) > coalesce(p.decimals, p_unit_decimals) THEN 'quantity_precision'
                   WHEN t.known_id IS NOT NULL THEN 'duplicate'
                   WHEN t.moment_fault IS NOT NULL AND t.occurred_at > now() THEN 'time_in_future'
                   WHEN t.moment_fault IS NOT NULL THEN 'time_invalid'
                   WHEN t.business_day <= v_tenant.closed_until THEN 'period_closed'
               END AS code
        FROM pg_temp.import_line l
        JOIN pg_temp.import_target t ON t.document = l.document
        JOIN pg_temp.import_product p ON p.sku = l.sku
        JOIN pg_temp.import_sku s ON s.ordinal = l.sku
        WHERE t.known_id IS NULL OR EXISTS (
            SELECT FROM pg_temp.import_known k WHERE k.line = l.line AND NOT k.unchanged)
    ) c
    WHERE c.code IS NOT NULL
    ORDER BY c.line;

    -- The other lines of a document that lost one: it would be recorded short for ever.
    WITH partial AS (
        SELECT t.document FROM pg_temp.import_target t WHERE t.is_rejected AND t.known_id IS NULL
        UNION
        SELECT l.document
        FROM pg_temp.import_reject r
        JOIN pg_temp.import_line l ON l.line = r.line
        JOIN pg_temp.import_target t ON t.document = l.document AND t.known_id IS NULL
    )
    INSERT INTO pg_temp.import_reject (line, code, kind, reason)
    SELECT l.line, 'document_rejected', CASE WHEN t.is_return THEN 2 WHEN l.unit_price = 0 THEN 1 ELSE 0 END,
           format('another line of %s %s was rejected', CASE WHEN t.is_return THEN 'return' ELSE 'sale' END,
                  quote_literal(t.external_id))
    FROM pg_temp.import_line l
    JOIN partial p ON p.document = l.document
    JOIN pg_temp.import_target t ON t.document = l.document
    LEFT JOIN pg_temp.import_reject x ON x.line = l.line
    WHERE x.line IS NULL;
    SELECT count(*) INTO rejected FROM pg_temp.import_reject;
    DROP TABLE pg_temp.import_known;
END
$$;

-- The rows that go in, with their amounts, in the order of the file: import_part. Gives the chunks: whole documents with
-- about p_chunk_rows rows together. p_asks_stock: refuses sales of what is not there, where the product's rule says so.
CREATE FUNCTION stock.import_sales_plan(p_chunk_rows integer, p_asks_stock boolean)
RETURNS TABLE (chunk integer, first_document integer, last_document integer, documents bigint, rows bigint)
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on SET work_mem = '64MB' AS $$
DECLARE
    v_tenant stock.tenant;
BEGIN
    SELECT * INTO STRICT v_tenant FROM stock.tenant t WHERE t.id = stock.current_tenant();
    DROP TABLE IF EXISTS pg_temp.import_part, pg_temp.import_chunk;
    -- Cut by all rows of the file, whatever becomes of them: a run that is repeated cuts at the same places.
    CREATE TEMPORARY TABLE import_chunk AS
    SELECT l.document, ((sum(count(*)) OVER (ORDER BY l.document) - 1)::bigint / p_chunk_rows)::integer AS chunk
    FROM pg_temp.import_line l GROUP BY l.document;
    ANALYZE pg_temp.import_chunk;

    CREATE TEMPORARY TABLE import_part AS
    SELECT a.document, a.position, a.line, a.is_return, a.product_id, a.sku, a.name, a.unit, a.tracks_stock,
           a.quantity, a.unit_price, a.price_source, a.tax_rate, a.gross, a.tax,
           CASE WHEN v_tenant.prices_include_tax THEN a.gross ELSE a.gross + a.tax END AS total, a.id, a.movement_id,
           a.cost, a.chunk
    FROM (
        SELECT l.document, (row_number() OVER (PARTITION BY l.document ORDER BY l.line))::integer AS position, l.line,
               t.is_return, p.product_id, p.product_sku AS sku, p.name, p.unit, p.tracks_stock, l.quantity, l.unit_price,
               CASE WHEN l.unit_price = p.price THEN 'list' ELSE 'override' END AS price_source, p.tax_rate, g.gross,
               CASE WHEN p.tax_rate = 0 THEN 0
                    WHEN v_tenant.prices_include_tax
                    THEN g.gross - round(g.gross / (1 + p.tax_rate / 100), v_tenant.currency_exponent)
                    ELSE round(g.gross * p.tax_rate / 100, v_tenant.currency_exponent) END AS tax,
               l.id, l.movement_id, v.cost, c.chunk
        FROM pg_temp.import_line l
        CROSS JOIN LATERAL (SELECT round(l.quantity * l.unit_price, v_tenant.currency_exponent) AS gross) g
        JOIN pg_temp.import_target t ON t.document = l.document AND t.known_id IS NULL
        JOIN pg_temp.import_chunk c ON c.document = l.document
        JOIN pg_temp.import_product p ON p.sku = l.sku
        LEFT JOIN stock.stock_level v ON v.tenant_id = v_tenant.id AND v.product_id = p.product_id
        WHERE NOT EXISTS (SELECT FROM pg_temp.import_reject x WHERE x.line = l.line)
    ) a
    ORDER BY a.document, a.position;
    CREATE INDEX ON pg_temp.import_part (document);
    ANALYZE pg_temp.import_part;
    -- Told before anything is written; each chunk looks again, under its locks.
    IF p_asks_stock THEN
        PERFORM stock.import_refuse_oversold(0, (SELECT max(p.document) FROM pg_temp.import_part p));
    END IF;

    RETURN QUERY
    SELECT p.chunk, min(p.document), max(p.document), count(DISTINCT p.document), count(*)
    FROM pg_temp.import_part p
    GROUP BY p.chunk
    ORDER BY p.chunk;
END
$$;

CREATE OR REPLACE FUNCTION stock.import_sales_plan(p_chunk_rows integer)
RETURNS TABLE (chunk integer, first_document integer, last_document integer, documents bigint, rows bigint)
LANGUAGE sql
BEGIN ATOMIC
    SELECT p.chunk, p.first_document, p.last_document, p.documents, p.rows FROM stock.import_sales_plan(p_chunk_rows, true) p;
END;

-- Takes those sales of a chunk back that would sell below the floor of a product, one by one in the order of the file, so
-- that a refused sale leaves its goods to the ones behind it.
CREATE OR REPLACE FUNCTION stock.import_refuse_oversold(p_first integer, p_last integer) RETURNS bigint
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on AS $$
DECLARE
    v_document integer;
    v_short text;
    v_refused bigint := 0;
BEGIN
    IF NOT stock.import_is_bounded(p_first, p_last) THEN
        RETURN 0;
    END IF;
    CREATE TEMPORARY TABLE import_left ON COMMIT DROP AS
    SELECT l.product_id, l.on_hand, l.floor
    FROM stock.stock_level l
    WHERE l.tenant_id = stock.current_tenant() AND l.floor IS NOT NULL AND l.product_id IN (
        SELECT p.product_id FROM pg_temp.import_part p
        WHERE p.document BETWEEN p_first AND p_last AND p.tracks_stock);
    CREATE UNIQUE INDEX ON pg_temp.import_left (product_id);
    FOR v_document IN
        SELECT DISTINCT p.document FROM pg_temp.import_part p JOIN pg_temp.import_left f ON f.product_id = p.product_id
        WHERE p.document BETWEEN p_first AND p_last ORDER BY 1
    LOOP
        SELECT string_agg(format('%s: %s requested, %s available', quote_literal(s.sku), trim_scale(s.quantity),
                                 trim_scale(greatest(0, f.on_hand))), '; ' ORDER BY s.sku)
        INTO v_short
        FROM (SELECT p.product_id, min(p.sku) AS sku, sum(p.quantity) AS quantity FROM pg_temp.import_part p
              WHERE p.document = v_document AND NOT p.is_return GROUP BY p.product_id) s
        JOIN pg_temp.import_left f ON f.product_id = s.product_id
        WHERE f.on_hand - s.quantity < f.floor;
        IF v_short IS NOT NULL THEN
            INSERT INTO pg_temp.import_reject (line, code, reason, kind)
            SELECT p.line, 'insufficient_stock', v_short || '; --oversell allow records it all the same',
                   CASE WHEN p.is_return THEN 2 WHEN p.unit_price = 0 THEN 1 ELSE 0 END
            FROM pg_temp.import_part p WHERE p.document = v_document;
            DELETE FROM pg_temp.import_part p WHERE p.document = v_document;
            v_refused := v_refused + 1;
        ELSE
            UPDATE pg_temp.import_left f
            SET on_hand = f.on_hand + s.quantity, floor = least(0, f.on_hand + s.quantity)
            FROM (SELECT p.product_id, sum(CASE WHEN p.is_return THEN p.quantity ELSE -p.quantity END) AS quantity
                  FROM pg_temp.import_part p WHERE p.document = v_document GROUP BY p.product_id) s
            WHERE f.product_id = s.product_id;
        END IF;
    END LOOP;
    DROP TABLE pg_temp.import_left;
    RETURN v_refused;
END
$$;

-- A second session that writes every other chunk: the tables its chunks are copied into.
CREATE OR REPLACE FUNCTION stock.import_assist() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_target, pg_temp.import_part;
    CREATE TEMPORARY TABLE import_target (
        document      integer NOT NULL,
        is_return     boolean NOT NULL,
        external_id   text NOT NULL,
        id            uuid NOT NULL,
        payment_id    uuid NOT NULL,
        ledger_id     uuid NOT NULL,
        occurred_at   timestamptz NOT NULL,
        business_day  date NOT NULL,
        method        text
    );
    CREATE TEMPORARY TABLE import_part (
        document      integer NOT NULL,
        position      integer NOT NULL,
        line          integer NOT NULL,
        is_return     boolean NOT NULL,
        product_id    uuid NOT NULL,
        sku           text,
        name          text NOT NULL,
        unit          text NOT NULL,
        tracks_stock  boolean NOT NULL,
        quantity      numeric NOT NULL,
        unit_price    numeric NOT NULL,
        price_source  text NOT NULL,
        tax_rate      numeric NOT NULL,
        gross         numeric NOT NULL,
        tax           numeric NOT NULL,
        total         numeric NOT NULL,
        id            uuid NOT NULL,
        movement_id   uuid NOT NULL,
        cost          numeric NOT NULL
    );
END
$$;

-- Applies the documents p_first to p_last: one chunk, the whole of one transaction. Their sales may stand there as drafts
-- already (p_drafted). Gives the rows applied.
CREATE FUNCTION stock.import_sales_apply(p_first integer, p_last integer, p_method text, p_job uuid,
                                         p_aborts boolean, p_drafted boolean, p_asks_stock boolean) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = on SET work_mem = '64MB'
-- A chunk is looked up by its keys, however many sales the tenant has: a join that reads all of them would make each chunk
-- dearer than the one before.
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
SET plan_cache_mode = force_generic_plan SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_register uuid;
    v_sales    bigint;
    v_returns  bigint;
    v_sale_number    bigint;
    v_return_number  bigint;
    v_rows     bigint;
BEGIN
    -- A chunk lost with the machine is imported again; the end of the import waits for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT r.id INTO STRICT v_register FROM stock.register r WHERE r.tenant_id = v_tenant AND r.is_default;

    -- Levels in the order every command locks them.
    PERFORM FROM stock.stock_level l
    WHERE l.tenant_id = v_tenant AND l.product_id IN (
        SELECT p.product_id FROM pg_temp.import_part p
        WHERE p.document BETWEEN p_first AND p_last AND p.tracks_stock)
    ORDER BY l.product_id
    FOR UPDATE;

    IF NOT p_drafted THEN
        IF p_asks_stock AND stock.import_refuse_oversold(p_first, p_last) > 0 AND p_aborts THEN
            RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = 'insufficient_stock', DETAIL = '[]',
                HINT = 'Stock ran out while the file was imported.';
        END IF;
        PERFORM stock.import_sales_draft(p_first, p_last);
    ELSIF p_asks_stock AND stock.import_is_bounded(p_first, p_last) THEN
        RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = 'invalid_state', DETAIL = '[]',
            HINT = 'Overselling was forbidden while the file was imported; run the import again.';
    END IF;

    -- Costs as they are now, should goods have come in since the file was planned.
    IF EXISTS (
        SELECT FROM pg_temp.import_part p
        JOIN stock.stock_level l ON l.tenant_id = v_tenant AND l.product_id = p.product_id AND l.cost <> p.cost
        WHERE p.document BETWEEN p_first AND p_last
    ) THEN
        UPDATE stock.sale_line s SET unit_cost = l.cost
        FROM pg_temp.import_part p
        JOIN stock.stock_level l ON l.tenant_id = v_tenant AND l.product_id = p.product_id AND l.cost <> p.cost
        WHERE p.document BETWEEN p_first AND p_last AND s.tenant_id = v_tenant AND s.id = p.id;
    END IF;

    -- Made once, and levels looked up by each of its rows: statistics may know so few levels of this tenant that the planner
    -- would rather make all steps anew for each level.
    WITH step AS MATERIALIZED (
        SELECT p.document, p.product_id, p.is_return, sum(CASE WHEN p.is_return THEN p.quantity ELSE -p.quantity END) AS quantity,
               (array_agg(p.movement_id ORDER BY p.position))[1] AS id
        FROM pg_temp.import_part p
        WHERE p.document BETWEEN p_first AND p_last AND p.tracks_stock
        GROUP BY p.document, p.product_id, p.is_return
    )
    INSERT INTO stock.stock_movement (tenant_id, id, product_id, seq, kind, quantity, on_hand_after, unit_cost,
                                      ref_type, ref_id, occurred_at, business_day)
    SELECT v_tenant, s.id, s.product_id, l.stock_version + row_number() OVER w,
           CASE WHEN s.is_return THEN 'return' ELSE 'sale' END, s.quantity, l.on_hand + sum(s.quantity) OVER w, l.cost,
           CASE WHEN s.is_return THEN 'return' ELSE 'sale' END, t.id, t.occurred_at, t.business_day
    FROM step s
    JOIN pg_temp.import_target t ON t.document = s.document AND t.document BETWEEN p_first AND p_last
    CROSS JOIN LATERAL (SELECT v.stock_version, v.on_hand, v.cost FROM stock.stock_level v
                        WHERE v.tenant_id = v_tenant AND v.product_id = s.product_id OFFSET 0) l
    WINDOW w AS (PARTITION BY s.product_id ORDER BY s.document);

    UPDATE stock.stock_level l
    SET on_hand = l.on_hand + c.quantity, stock_version = l.stock_version + c.steps,
        floor = CASE WHEN l.floor IS NOT NULL THEN least(0, l.on_hand + c.quantity) END, updated_at = now()
    FROM (
        SELECT p.product_id, sum(CASE WHEN p.is_return THEN p.quantity ELSE -p.quantity END) AS quantity,
               count(DISTINCT p.document) AS steps
        FROM pg_temp.import_part p
        WHERE p.document BETWEEN p_first AND p_last AND p.tracks_stock
        GROUP BY p.product_id
    ) c
    WHERE l.tenant_id = v_tenant AND l.product_id = c.product_id;

    SELECT count(*) FILTER (WHERE NOT t.is_return), count(*) FILTER (WHERE t.is_return) INTO v_sales, v_returns
    FROM pg_temp.import_target t
    WHERE t.document BETWEEN p_first AND p_last
      AND EXISTS (SELECT FROM pg_temp.import_part p WHERE p.document = t.document);
    v_sale_number := stock.import_take_numbers(v_register, 'sale', v_sales);
    v_return_number := stock.import_take_numbers(v_register, 'return', v_returns);

    UPDATE stock.sale s
    SET status = 'confirmed', number = v_sale_number + n.place, paid = s.total
    FROM (
        SELECT t.id, row_number() OVER (ORDER BY t.document) AS place
        FROM pg_temp.import_target t
        WHERE t.document BETWEEN p_first AND p_last AND NOT t.is_return
          AND EXISTS (SELECT FROM pg_temp.import_part p WHERE p.document = t.document)
    ) n
    WHERE s.tenant_id = v_tenant AND s.id = n.id;

    INSERT INTO stock.sale_return (tenant_id, id, register_id, number, occurred_at, business_day, total, refund,
                                   external_id)
    SELECT v_tenant, t.id, v_register, v_return_number + row_number() OVER (ORDER BY t.document), t.occurred_at,
           t.business_day, s.total, s.total, t.external_id
    FROM (
        SELECT p.document, sum(p.total) AS total
        FROM pg_temp.import_part p
        WHERE p.document BETWEEN p_first AND p_last AND p.is_return
        GROUP BY p.document
    ) s
    JOIN pg_temp.import_target t ON t.document = s.document AND t.document BETWEEN p_first AND p_last;

    INSERT INTO stock.sale_return_line (tenant_id, id, return_id, position, product_id, sku, name, unit, quantity,
                                        unit_price, amount, unit_cost, restock)
    SELECT v_tenant, p.id, t.id, p.position, p.product_id, p.sku, p.name, p.unit, p.quantity, p.unit_price, p.total,
           l.cost, true
    FROM pg_temp.import_part p
    JOIN pg_temp.import_target t ON t.document = p.document AND t.document BETWEEN p_first AND p_last
    JOIN stock.stock_level l ON l.tenant_id = v_tenant AND l.product_id = p.product_id
    WHERE p.document BETWEEN p_first AND p_last AND p.is_return
    ORDER BY p.document, p.position;
    v_rows := (SELECT count(*) FROM pg_temp.import_part p WHERE p.document BETWEEN p_first AND p_last);

    -- What was sold was paid in full, what came back was refunded: as the file says, else by the method the operator names.
    INSERT INTO stock.payment (tenant_id, id, direction, method, amount, sale_id, return_id, occurred_at, business_day)
    SELECT v_tenant, t.payment_id, CASE WHEN t.is_return THEN 'out' ELSE 'in' END, coalesce(t.method, p_method),
           s.total,
           CASE WHEN NOT t.is_return THEN t.id END, CASE WHEN t.is_return THEN t.id END, t.occurred_at, t.business_day
    FROM (
        SELECT p.document, sum(p.total) AS total
        FROM pg_temp.import_part p WHERE p.document BETWEEN p_first AND p_last GROUP BY p.document
    ) s
    JOIN pg_temp.import_target t ON t.document = s.document AND t.document BETWEEN p_first AND p_last
    WHERE s.total > 0
    ORDER BY t.document;

    INSERT INTO stock.payment_allocation (tenant_id, payment_id, position, sale_id, amount)
    SELECT v_tenant, m.id, 1, t.id, m.amount
    FROM pg_temp.import_target t
    JOIN stock.payment m ON m.tenant_id = v_tenant AND m.id = t.payment_id
    WHERE t.document BETWEEN p_first AND p_last AND NOT t.is_return;

    INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id,
                                    occurred_at, business_day)
    SELECT v_tenant, t.ledger_id, CASE WHEN t.is_return THEN 'expense' ELSE 'income' END, m.amount, m.method,
           CASE WHEN t.is_return THEN 'refund' ELSE 'sale' END, 'payment', m.id, m.occurred_at, m.business_day
    FROM pg_temp.import_target t
    JOIN stock.payment m ON m.tenant_id = v_tenant AND m.id = t.payment_id
    WHERE t.document BETWEEN p_first AND p_last;

    INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload)
    SELECT v_tenant, 'import.chunk_committed', p_job,
           json_build_object('sales', v_sales, 'returns', v_returns, 'rows', v_rows)
    WHERE v_rows > 0;
    UPDATE stock.import_job j
    SET checkpoint = p_last + 1, rows_applied = j.rows_applied + v_rows, updated_at = now()
    WHERE j.tenant_id = v_tenant AND j.id = p_job;
    RETURN v_rows;
END
$$;

CREATE OR REPLACE FUNCTION stock.import_sales_apply(p_first integer, p_last integer, p_method text, p_job uuid,
                                                    p_aborts boolean, p_drafted boolean) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
    SELECT stock.import_sales_apply(p_first, p_last, p_method, p_job, p_aborts, p_drafted, true);
END;

-- Its first half looks up in the same way.
ALTER FUNCTION stock.import_sales_draft(integer, integer) SET enable_hashjoin = off;
ALTER FUNCTION stock.import_sales_draft(integer, integer) SET enable_mergejoin = off;
ALTER FUNCTION stock.import_sales_draft(integer, integer) SET enable_material = off;

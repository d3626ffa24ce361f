-- Imports of sales, by sets: what a chunk writes is made while it is written, from the staged rows, by two sessions; what
-- has to be done in the order of the file, under the locks of levels and counters, is as little as can be.
-- docs/decisions/0030-imports-by-sets.md tells where the time went. What the binary before calls stays callable.

-- Drops the temporary tables of an import, whichever binary made them.
CREATE FUNCTION stock.import_forget() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_document, pg_temp.import_sku, pg_temp.import_line, pg_temp.import_target,
                         pg_temp.import_product, pg_temp.import_reject, pg_temp.import_part, pg_temp.import_chunk,
                         pg_temp.import_going, pg_temp.import_step;
END
$$;

-- The temporary tables of the session, empty. The client copies into import_document, import_sku and import_line.
CREATE OR REPLACE FUNCTION stock.import_open() RETURNS void
LANGUAGE plpgsql
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
    PERFORM stock.import_forget();
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
        movement_id  uuid NOT NULL,
        -- Its place in its document. The binary before leaves that to the database.
        position     integer
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

CREATE OR REPLACE FUNCTION stock.import_close() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.import_forget();
    PERFORM pg_advisory_unlock(hashtextextended('stock.import', stock.current_tenant()));
END
$$;

-- Finds the file's SKUs among the products: import_product has a row per spelling of the file.
CREATE OR REPLACE FUNCTION stock.import_find_products() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on SET work_mem = '64MB' AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_product;
    CREATE TEMPORARY TABLE import_product AS
    SELECT f.ordinal AS sku, f.key, p.id AS product_id, p.sku AS product_sku, p.name, p.price, p.tax_rate, p.tracks_stock,
           p.status, u.symbol AS unit, u.decimals, v.cost
    FROM (SELECT s.ordinal, stock.folded(s.sku) AS key FROM pg_temp.import_sku s) f
    LEFT JOIN stock.product p ON p.tenant_id = stock.current_tenant() AND p.sku_key = f.key
    LEFT JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = p.unit_id
    LEFT JOIN stock.stock_level v ON v.tenant_id = p.tenant_id AND v.product_id = p.id;
    CREATE UNIQUE INDEX ON pg_temp.import_product (sku);
    ANALYZE pg_temp.import_product;
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
    PERFORM stock.import_find_products();

    DROP TABLE IF EXISTS pg_temp.import_target;
    CREATE TEMPORARY TABLE import_target AS
    SELECT d.ordinal AS document, d.is_return, d.external_id, d.id, d.payment_id, d.ledger_id, d.occurred_at,
           d.business_day, stock.moment_refusal(d.occurred_at, d.business_day, v_tenant.closed_until) AS moment_refusal,
           coalesce(s.id, r.id) AS known_id, d.method, d.is_rejected
    FROM (SELECT f.ordinal, f.is_return, f.external_id, f.id, f.payment_id, f.ledger_id, f.method, f.is_rejected,
                 m.occurred_at, (m.occurred_at AT TIME ZONE v_tenant.timezone)::date AS business_day
          FROM pg_temp.import_document f
          CROSS JOIN LATERAL (
              SELECT coalesce(f.instant, f.wall_clock AT TIME ZONE v_tenant.timezone) AS occurred_at) m) d
    LEFT JOIN stock.sale s
        ON s.tenant_id = v_tenant.id AND s.external_id = d.external_id AND NOT d.is_return
    LEFT JOIN stock.sale_return r
        ON r.tenant_id = v_tenant.id AND r.external_id = d.external_id AND d.is_return
    ORDER BY d.ordinal;
    CREATE UNIQUE INDEX ON pg_temp.import_target (document);
    ANALYZE pg_temp.import_target;

    -- Documents that are there already: a row that is one of their lines is unchanged, whatever became of the product.
    -- Compared by the SKU the line was written with. A document of this file, imported before, has its lines under the
    -- ids that this run gives them: where all rows of it are found so, no more has to be looked at. What is left is
    -- compared line by line, each of the document's lines with one row.
    CREATE TEMPORARY TABLE import_unlike AS
    SELECT l.document
    FROM pg_temp.import_line l
    JOIN pg_temp.import_target t ON t.document = l.document AND t.known_id IS NOT NULL
    JOIN pg_temp.import_sku i ON i.ordinal = l.sku
    LEFT JOIN (
        SELECT s.id, s.sku, s.quantity, s.unit_price
        FROM pg_temp.import_target k
        JOIN stock.sale_line s ON s.tenant_id = v_tenant.id AND s.sale_id = k.known_id
        WHERE k.known_id = k.id AND NOT k.is_return
        UNION ALL
        SELECT s.id, s.sku, s.quantity, s.unit_price
        FROM pg_temp.import_target k
        JOIN stock.sale_return_line s ON s.tenant_id = v_tenant.id AND s.return_id = k.known_id
        WHERE k.known_id = k.id AND k.is_return
    ) s ON s.id = l.id AND s.quantity = l.quantity AND s.unit_price = l.unit_price
       AND (s.sku = i.sku OR stock.folded(s.sku) = stock.folded(i.sku))
    WHERE s.id IS NULL
    GROUP BY l.document;
    ANALYZE pg_temp.import_unlike;

    CREATE TEMPORARY TABLE import_changed AS
    WITH stored AS (
        SELECT s.document, s.key, s.quantity, s.unit_price,
               row_number() OVER (PARTITION BY s.document, s.key, s.quantity, s.unit_price) AS copy
        FROM (SELECT t.document, stock.folded(l.sku) AS key, l.quantity, l.unit_price
              FROM pg_temp.import_unlike u
              JOIN pg_temp.import_target t ON t.document = u.document AND NOT t.is_return
              JOIN stock.sale_line l ON l.tenant_id = v_tenant.id AND l.sale_id = t.known_id
              UNION ALL
              SELECT t.document, stock.folded(l.sku), l.quantity, l.unit_price
              FROM pg_temp.import_unlike u
              JOIN pg_temp.import_target t ON t.document = u.document AND t.is_return
              JOIN stock.sale_return_line l ON l.tenant_id = v_tenant.id AND l.return_id = t.known_id) s
    ), filed AS (
        SELECT l.line, l.document, p.key, l.quantity, l.unit_price,
               row_number() OVER (PARTITION BY l.document, p.key, l.quantity, l.unit_price ORDER BY l.line) AS copy
        FROM pg_temp.import_line l
        JOIN pg_temp.import_unlike u ON u.document = l.document
        JOIN pg_temp.import_product p ON p.sku = l.sku
    )
    SELECT f.line
    FROM filed f
    LEFT JOIN stored s ON s.document = f.document AND s.key = f.key AND s.quantity = f.quantity
                      AND s.unit_price = f.unit_price AND s.copy = f.copy
    WHERE s.copy IS NULL;
    ANALYZE pg_temp.import_changed;
    SELECT count(*) - (SELECT count(*) FROM pg_temp.import_changed) INTO unchanged
    FROM pg_temp.import_line l
    JOIN pg_temp.import_target t ON t.document = l.document AND t.known_id IS NOT NULL;

    INSERT INTO pg_temp.import_reject (line, code, kind, reason)
    SELECT c.line, c.code, c.kind,
           CASE c.code
               WHEN 'sku_unknown' THEN format('no product has the SKU %s', quote_literal(c.sku))
               WHEN 'product_inactive' THEN format('the product %s is archived', quote_literal(c.sku))
               WHEN 'quantity_precision' THEN
                   format('quantity is %s; the unit of %s has %s decimals', trim_scale(c.quantity), quote_literal(c.sku),
                          c.decimals)
               WHEN 'time_in_future' THEN format('%s lies in the future', c.occurred_at)
               WHEN 'time_invalid' THEN
                   format('occurred_at is %s: The time lies before 1900-01-01T00:00:00Z.', c.occurred_at)
               WHEN 'period_closed' THEN
                   format('%s is closed: the period ends at %s', c.business_day, v_tenant.closed_until)
               ELSE format('%s %s is recorded already, without this line',
                           CASE WHEN c.is_return THEN 'return' ELSE 'sale' END, quote_literal(c.external_id))
           END
    FROM (
        SELECT l.line, s.sku, l.quantity, t.occurred_at, t.business_day, t.is_return, t.external_id,
               CASE WHEN t.is_return THEN 2 WHEN l.unit_price = 0 THEN 1 ELSE 0 END AS kind,
               coalesce(p.decimals, p_unit_decimals) AS decimals,
               CASE
                   WHEN p.product_id IS NULL AND p_unit_decimals IS NULL THEN 'sku_unknown'
                   WHEN p.status = 'archived' THEN 'product_inactive'
                   WHEN min_scale(l.quantity) > coalesce(p.decimals, p_unit_decimals) THEN 'quantity_precision'
                   WHEN t.known_id IS NOT NULL THEN 'duplicate'
                   ELSE t.moment_refusal
               END AS code
        FROM (
            SELECT n.* FROM pg_temp.import_line n
            JOIN pg_temp.import_target f ON f.document = n.document AND f.known_id IS NULL
            UNION ALL
            SELECT n.* FROM pg_temp.import_line n JOIN pg_temp.import_changed k ON k.line = n.line
        ) l
        JOIN pg_temp.import_target t ON t.document = l.document
        JOIN pg_temp.import_product p ON p.sku = l.sku
        JOIN pg_temp.import_sku s ON s.ordinal = l.sku
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
    DROP TABLE pg_temp.import_unlike, pg_temp.import_changed;
END
$$;

-- What goes in -------------------------------------------------------------------------------------------------------

-- The rows that go in of the documents p_first to p_last, with their amounts, in the order of the file. p_returns: those
-- of returns, of sales, or (NULL) of both. A row's document, line and product are found by their keys, however long the
-- file is.
CREATE FUNCTION stock.import_rows(p_first integer, p_last integer, p_returns boolean)
RETURNS TABLE (document integer, place integer, line integer, is_return boolean, document_id uuid,
               occurred_at timestamptz, business_day date, product_id uuid, sku text, name text, unit text,
               tracks_stock boolean, quantity numeric, unit_price numeric, price_source text, tax_rate numeric,
               gross numeric, tax numeric, total numeric, id uuid, movement_id uuid, cost numeric)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_includes boolean;
    v_exponent integer;
BEGIN
    SELECT t.prices_include_tax, t.currency_exponent INTO STRICT v_includes, v_exponent
    FROM stock.tenant t WHERE t.id = stock.current_tenant();
    RETURN QUERY
    SELECT g.document, l.position, l.line, g.is_return, g.id, g.occurred_at, g.business_day, p.product_id,
           p.product_sku, p.name, p.unit, p.tracks_stock, l.quantity, l.unit_price,
           CASE WHEN l.unit_price = p.price THEN 'list' ELSE 'override' END, p.tax_rate, a.gross, x.tax,
           CASE WHEN v_includes THEN a.gross ELSE a.gross + x.tax END, l.id, l.movement_id, p.cost
    FROM pg_temp.import_going g
    JOIN pg_temp.import_line l ON l.document = g.document
    JOIN pg_temp.import_product p ON p.sku = l.sku
    CROSS JOIN LATERAL (SELECT round(l.quantity * l.unit_price, v_exponent) AS gross OFFSET 0) a
    CROSS JOIN LATERAL (
        SELECT CASE WHEN p.tax_rate = 0 THEN 0
                    WHEN v_includes THEN a.gross - round(a.gross / (1 + p.tax_rate / 100), v_exponent)
                    ELSE round(a.gross * p.tax_rate / 100, v_exponent) END AS tax OFFSET 0) x
    WHERE g.document BETWEEN p_first AND p_last AND (p_returns IS NULL OR g.is_return = p_returns)
    ORDER BY g.document, l.position;
END
$$;

-- The table in which the first half of a chunk leaves to the second what it moves: a row for each product of a document,
-- with the cost its lines were written with. Emptied by the end of each transaction.
CREATE FUNCTION stock.import_make_steps() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_step;
    CREATE TEMPORARY TABLE import_step (
        document      integer NOT NULL,
        kind          text NOT NULL,
        document_id   uuid NOT NULL,
        occurred_at   timestamptz NOT NULL,
        business_day  date NOT NULL,
        product_id    uuid NOT NULL,
        id            uuid NOT NULL,
        quantity      numeric NOT NULL,
        cost          numeric NOT NULL
    ) ON COMMIT DELETE ROWS;
END
$$;

-- Cuts what goes in into chunks, whole documents with about p_chunk_rows rows together: import_going. p_asks_stock:
-- refuses sales of what is not there, where the product's rule says so.
CREATE FUNCTION stock.import_cut(p_chunk_rows integer, p_asks_stock boolean)
RETURNS TABLE (chunk integer, first_document integer, last_document integer, documents bigint, rows bigint)
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on SET work_mem = '64MB' AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_going;
    PERFORM stock.import_make_steps();
    -- Cut by all rows of the file, whatever becomes of them: a run that is repeated cuts at the same places.
    CREATE TEMPORARY TABLE import_going AS
    SELECT t.document, t.is_return, t.external_id, t.id, t.payment_id, t.ledger_id, t.occurred_at, t.business_day,
           t.method, c.chunk, c.rows
    FROM (SELECT l.document, count(*) AS rows,
                 ((sum(count(*)) OVER (ORDER BY l.document) - 1)::bigint / p_chunk_rows)::integer AS chunk
          FROM pg_temp.import_line l GROUP BY l.document) c
    JOIN pg_temp.import_target t ON t.document = c.document
    -- Of a document that is not known all rows are refused, or none.
    WHERE t.known_id IS NULL AND t.document NOT IN (
        SELECT l.document FROM pg_temp.import_reject x JOIN pg_temp.import_line l ON l.line = x.line);
    IF EXISTS (SELECT FROM pg_temp.import_going) THEN
        CREATE INDEX ON pg_temp.import_line (document);
    END IF;
    CREATE UNIQUE INDEX ON pg_temp.import_going (document);
    ANALYZE pg_temp.import_going;
    -- Told before anything is written; each chunk looks again, under its locks.
    IF p_asks_stock THEN
        PERFORM stock.import_hold_back(0, (SELECT max(g.document) FROM pg_temp.import_going g));
    END IF;

    RETURN QUERY
    SELECT g.chunk, min(g.document), max(g.document), count(*), sum(g.rows)::bigint
    FROM pg_temp.import_going g
    GROUP BY g.chunk
    ORDER BY g.chunk;
END
$$;

-- Whether the documents sell products that must not be oversold.
CREATE FUNCTION stock.import_sells_bounded(p_first integer, p_last integer) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = on AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM stock.import_rows(p_first, p_last, false) r
        JOIN stock.stock_level l ON l.tenant_id = stock.current_tenant() AND l.product_id = r.product_id
                                AND l.floor IS NOT NULL
        WHERE r.tracks_stock);
END
$$;

-- Takes those sales of a chunk back that would sell below the floor of a product, one by one in the order of the file, so
-- that a refused sale leaves its goods to the ones behind it. Gives how many were refused.
CREATE FUNCTION stock.import_hold_back(p_first integer, p_last integer) RETURNS bigint
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on AS $$
DECLARE
    v_document integer;
    v_short text;
    v_refused bigint := 0;
BEGIN
    IF NOT stock.import_sells_bounded(p_first, p_last) THEN
        RETURN 0;
    END IF;
    CREATE TEMPORARY TABLE import_asked ON COMMIT DROP AS
    SELECT r.document, r.line, r.is_return, r.product_id, r.sku, r.quantity, r.unit_price, r.tracks_stock
    FROM stock.import_rows(p_first, p_last, NULL) r;
    CREATE INDEX ON pg_temp.import_asked (document);
    CREATE TEMPORARY TABLE import_left ON COMMIT DROP AS
    SELECT l.product_id, l.on_hand, l.floor
    FROM stock.stock_level l
    WHERE l.tenant_id = stock.current_tenant() AND l.floor IS NOT NULL AND l.product_id IN (
        SELECT a.product_id FROM pg_temp.import_asked a WHERE a.tracks_stock);
    CREATE UNIQUE INDEX ON pg_temp.import_left (product_id);
    FOR v_document IN
        SELECT DISTINCT a.document FROM pg_temp.import_asked a JOIN pg_temp.import_left f ON f.product_id = a.product_id
        ORDER BY 1
    LOOP
        SELECT string_agg(format('%s: %s requested, %s available', quote_literal(s.sku), trim_scale(s.quantity),
                                 trim_scale(greatest(0, f.on_hand))), '; ' ORDER BY s.sku)
        INTO v_short
        FROM (SELECT a.product_id, min(a.sku) AS sku, sum(a.quantity) AS quantity FROM pg_temp.import_asked a
              WHERE a.document = v_document AND NOT a.is_return GROUP BY a.product_id) s
        JOIN pg_temp.import_left f ON f.product_id = s.product_id
        WHERE f.on_hand - s.quantity < f.floor;
        IF v_short IS NOT NULL THEN
            INSERT INTO pg_temp.import_reject (line, code, reason, kind)
            SELECT a.line, 'insufficient_stock', v_short || '; --oversell allow records it all the same',
                   CASE WHEN a.is_return THEN 2 WHEN a.unit_price = 0 THEN 1 ELSE 0 END
            FROM pg_temp.import_asked a WHERE a.document = v_document;
            DELETE FROM pg_temp.import_going g WHERE g.document = v_document;
            v_refused := v_refused + 1;
        ELSE
            UPDATE pg_temp.import_left f
            SET on_hand = f.on_hand + s.quantity, floor = least(0, f.on_hand + s.quantity)
            FROM (SELECT a.product_id, sum(CASE WHEN a.is_return THEN a.quantity ELSE -a.quantity END) AS quantity
                  FROM pg_temp.import_asked a WHERE a.document = v_document GROUP BY a.product_id) s
            WHERE f.product_id = s.product_id;
        END IF;
    END LOOP;
    DROP TABLE pg_temp.import_left, pg_temp.import_asked;
    RETURN v_refused;
END
$$;

-- A second session, which writes every other chunk: the tables its chunks are copied into.
CREATE FUNCTION stock.import_second_open() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.import_forget();
    PERFORM stock.import_make_steps();
    CREATE TEMPORARY TABLE import_going (
        document      integer NOT NULL,
        is_return     boolean NOT NULL,
        external_id   text NOT NULL,
        id            uuid NOT NULL,
        payment_id    uuid NOT NULL,
        ledger_id     uuid NOT NULL,
        occurred_at   timestamptz NOT NULL,
        business_day  date NOT NULL,
        method        text,
        rows          bigint NOT NULL
    );
    CREATE TEMPORARY TABLE import_product (
        sku           integer NOT NULL,
        product_id    uuid NOT NULL,
        product_sku   text,
        name          text NOT NULL,
        price         numeric NOT NULL,
        tax_rate      numeric NOT NULL,
        tracks_stock  boolean NOT NULL,
        unit          text NOT NULL,
        cost          numeric NOT NULL
    );
    CREATE TEMPORARY TABLE import_line (
        document      integer NOT NULL,
        sku           integer NOT NULL,
        line          integer NOT NULL,
        quantity      numeric NOT NULL,
        unit_price    numeric NOT NULL,
        id            uuid NOT NULL,
        movement_id   uuid NOT NULL,
        position      integer NOT NULL
    );
END
$$;

-- After the copy.
CREATE FUNCTION stock.import_second_copied() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    CREATE UNIQUE INDEX ON pg_temp.import_going (document);
    CREATE UNIQUE INDEX ON pg_temp.import_product (sku);
    CREATE INDEX ON pg_temp.import_line (document);
    ANALYZE pg_temp.import_going;
    ANALYZE pg_temp.import_product;
END
$$;

-- Writing ------------------------------------------------------------------------------------------------------------

-- The first half of a chunk, one statement: its sales as drafts, their lines, the money they were paid with, and what it
-- will move. It waits for no level and no number, so that two sessions do it side by side; totals have a row for each.
CREATE FUNCTION stock.import_draft(p_first integer, p_last integer, p_method text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = on SET enable_mergejoin = off SET work_mem = '64MB'
-- Foreign keys are checked by statements whose plans are kept: never plan them anew for every row. Without statistics all
-- indexes that begin with the tenant look alike, unless pages cost so little that the key's one row counts.
SET plan_cache_mode = force_generic_plan SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_register uuid;
    v_postings stock.posting[];
BEGIN
    SELECT r.id INTO STRICT v_register FROM stock.register r WHERE r.tenant_id = v_tenant AND r.is_default;
    WITH part AS MATERIALIZED (
        SELECT * FROM stock.import_rows(p_first, p_last, NULL)
    ), step AS (
        INSERT INTO pg_temp.import_step (document, kind, document_id, occurred_at, business_day, product_id, id, quantity,
                                         cost)
        SELECT r.document, CASE WHEN r.is_return THEN 'return' ELSE 'sale' END, r.document_id, r.occurred_at,
               r.business_day, r.product_id, (array_agg(r.movement_id ORDER BY r.place))[1],
               sum(CASE WHEN r.is_return THEN r.quantity ELSE -r.quantity END), min(r.cost)
        FROM part r
        WHERE r.tracks_stock
        GROUP BY r.document, r.is_return, r.document_id, r.occurred_at, r.business_day, r.product_id
    ), total AS (
        SELECT r.document, sum(r.gross) AS gross, sum(r.tax) AS tax, sum(r.total) AS total
        FROM part r WHERE NOT r.is_return GROUP BY r.document
    ), document AS MATERIALIZED (
        SELECT g.*, t.gross, t.tax, t.total
        FROM total t JOIN pg_temp.import_going g ON g.document = t.document AND g.document BETWEEN p_first AND p_last
        ORDER BY g.document
    ), sale AS (
        INSERT INTO stock.sale (tenant_id, id, register_id, status, occurred_at, business_day, subtotal, discount, tax,
                                total, due, external_id)
        SELECT v_tenant, d.id, v_register, 'draft', d.occurred_at, d.business_day, d.gross, 0, d.tax, d.total, 0,
               d.external_id
        FROM document d
    ), line AS (
        INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price,
                                     price_source, tax_rate, tax, total, unit_cost)
        SELECT v_tenant, r.id, r.document_id, r.place, r.product_id, r.sku, r.name, r.unit, r.quantity, r.unit_price,
               r.price_source, r.tax_rate, r.tax, r.total, r.cost
        FROM part r WHERE NOT r.is_return
    )
    -- What was sold was paid in full: as the file says, else by the method the operator names.
    SELECT array_agg(ROW(d.payment_id, d.ledger_id, 'in', 'sale', coalesce(d.method, p_method), d.total, NULL, d.id, NULL,
                         NULL, NULL, d.occurred_at, d.business_day)::stock.posting ORDER BY d.document)
    INTO v_postings
    FROM document d WHERE d.total > 0;
    PERFORM stock.post_money(v_postings);
    -- What waits for the end of the transaction otherwise, when the other session waits too.
    SET CONSTRAINTS ALL IMMEDIATE;
END
$$;

-- Moves what the chunk's documents move, in their order; what may not be sold was held back. Gives whether a product has
-- another cost than its lines.
CREATE FUNCTION stock.import_move() RETURNS boolean
LANGUAGE plpgsql
SET enable_hashjoin = on SET enable_mergejoin = off SET enable_nestloop = off SET work_mem = '64MB'
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_moves    stock.move[];
    v_products bigint;
    v_moved    bigint;
    v_recosted boolean;
BEGIN
    SELECT array_agg(ROW(s.id, s.product_id, s.kind, s.quantity, NULL, NULL, s.kind, s.document_id, NULL, s.occurred_at,
                         s.business_day)::stock.move ORDER BY s.document)
    INTO v_moves
    FROM pg_temp.import_step s;
    SELECT count(*), count(m.product_id), coalesce(bool_or(m.cost <> s.cost), false)
    INTO v_products, v_moved, v_recosted
    FROM (SELECT DISTINCT t.product_id, t.cost FROM pg_temp.import_step t) s
    LEFT JOIN stock.move_stock(v_moves, false) m ON m.product_id = s.product_id;
    IF v_moved < v_products THEN
        RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range',
            MESSAGE = 'there would be more on hand than can be counted';
    END IF;
    RETURN v_recosted;
END
$$;

-- The second half: what moves levels and takes numbers, in the order of the file. Gives the rows of the chunk. p_drafted:
-- the first half ran in this transaction.
CREATE FUNCTION stock.import_apply(p_first integer, p_last integer, p_method text, p_job uuid, p_aborts boolean,
                                   p_drafted boolean, p_asks_stock boolean) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
SET plan_cache_mode = force_generic_plan SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_zone     text;
    v_closed   date;
    v_register uuid;
    v_sales    bigint;
    v_returns  bigint;
    v_rows     bigint;
    v_number   bigint;
BEGIN
    -- A chunk lost with the machine is imported again; the end of the import waits for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT r.id INTO STRICT v_register FROM stock.register r WHERE r.tenant_id = v_tenant AND r.is_default;

    SELECT t.timezone, t.closed_until INTO v_zone, v_closed FROM stock.tenant t WHERE t.id = v_tenant;
    IF EXISTS (
        SELECT FROM pg_temp.import_going g
        WHERE g.document BETWEEN p_first AND p_last
          AND (g.business_day <> (g.occurred_at AT TIME ZONE v_zone)::date OR g.business_day <= v_closed)
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = 'invalid_state', DETAIL = '[]',
            HINT = 'The books were closed, or the time zone changed, while the file was imported; run the import again.';
    END IF;
    IF p_asks_stock THEN
        PERFORM FROM stock.stock_level l
        WHERE l.tenant_id = v_tenant AND l.product_id IN (
            SELECT r.product_id FROM stock.import_rows(p_first, p_last, NULL) r WHERE r.tracks_stock)
        ORDER BY l.product_id
        FOR NO KEY UPDATE;
        IF p_drafted AND stock.import_sells_bounded(p_first, p_last) THEN
            RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = 'invalid_state', DETAIL = '[]',
                HINT = 'Overselling was forbidden while the file was imported; run the import again.';
        ELSIF NOT p_drafted AND stock.import_hold_back(p_first, p_last) > 0 AND p_aborts THEN
            RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = 'insufficient_stock', DETAIL = '[]',
                HINT = 'Stock ran out while the file was imported.';
        END IF;
    END IF;
    IF NOT p_drafted THEN
        PERFORM stock.import_draft(p_first, p_last, p_method);
    END IF;
    SELECT count(*) FILTER (WHERE NOT g.is_return), count(*) FILTER (WHERE g.is_return), coalesce(sum(g.rows), 0)
    INTO v_sales, v_returns, v_rows
    FROM pg_temp.import_going g
    WHERE g.document BETWEEN p_first AND p_last;

    -- Costs as they are now, should goods have come in since the products were read.
    IF stock.import_move() THEN
        PERFORM stock.import_recost(p_first, p_last);
    END IF;

    IF v_sales > 0 THEN
        v_number := stock.document_number(v_register, 'sale', v_sales);
    END IF;
    UPDATE stock.sale s
    SET status = 'confirmed', number = v_number + n.place, paid = s.total
    FROM (
        SELECT g.id, row_number() OVER (ORDER BY g.document) - 1 AS place
        FROM pg_temp.import_going g
        WHERE g.document BETWEEN p_first AND p_last AND NOT g.is_return
    ) n
    WHERE s.tenant_id = v_tenant AND s.id = n.id;
    IF v_returns > 0 THEN
        PERFORM stock.import_returns(p_first, p_last, p_method, v_register, v_returns);
    END IF;

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

-- Writes the costs of the levels, which are locked, into the lines of a chunk.
CREATE FUNCTION stock.import_recost(p_first integer, p_last integer) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    UPDATE stock.sale_line s SET unit_cost = l.cost
    FROM stock.import_rows(p_first, p_last, false) r,
    LATERAL (SELECT o.cost FROM stock.stock_level o WHERE o.tenant_id = v_tenant AND o.product_id = r.product_id
             OFFSET 0) l
    WHERE s.tenant_id = v_tenant AND s.id = r.id AND s.unit_cost <> l.cost;
END
$$;

-- The returns of a chunk, which are numbered from the start: with their lines, and the money that was refunded.
CREATE FUNCTION stock.import_returns(p_first integer, p_last integer, p_method text, p_register uuid, p_returns bigint)
RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
SET plan_cache_mode = force_generic_plan SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_number   bigint := stock.document_number(p_register, 'return', p_returns);
    v_postings stock.posting[];
BEGIN
    WITH part AS MATERIALIZED (
        SELECT * FROM stock.import_rows(p_first, p_last, true)
    ), document AS MATERIALIZED (
        SELECT g.*, t.total, row_number() OVER (ORDER BY g.document) - 1 AS place
        FROM (SELECT r.document, sum(r.total) AS total FROM part r GROUP BY r.document) t
        JOIN pg_temp.import_going g ON g.document = t.document AND g.document BETWEEN p_first AND p_last
    ), returned AS (
        INSERT INTO stock.sale_return (tenant_id, id, register_id, number, occurred_at, business_day, total, refund,
                                       external_id)
        SELECT v_tenant, d.id, p_register, v_number + d.place, d.occurred_at, d.business_day, d.total, d.total,
               d.external_id
        FROM document d
    ), line AS (
        INSERT INTO stock.sale_return_line (tenant_id, id, return_id, position, product_id, sku, name, unit, quantity,
                                            unit_price, amount, unit_cost, restock)
        SELECT v_tenant, r.id, r.document_id, r.place, r.product_id, r.sku, r.name, r.unit, r.quantity, r.unit_price,
               r.total, l.cost, true
        FROM part r,
        LATERAL (SELECT o.cost FROM stock.stock_level o WHERE o.tenant_id = v_tenant AND o.product_id = r.product_id
                 OFFSET 0) l
    )
    -- What came back was refunded in full, as a sale is paid.
    SELECT array_agg(ROW(d.payment_id, d.ledger_id, 'out', 'refund', coalesce(d.method, p_method), d.total, NULL, NULL, d.id,
                         NULL, NULL, d.occurred_at, d.business_day)::stock.posting ORDER BY d.document)
    INTO v_postings
    FROM document d WHERE d.total > 0;
    PERFORM stock.post_money(v_postings);
END
$$;

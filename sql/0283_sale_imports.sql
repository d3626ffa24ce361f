-- Files of sales tell more: who bought, at which till and place, what was taken off a line, what a line was taxed with, and what was
-- paid how. What a file does not tell is as it was: the default till, the product's taxes, all of it paid by one method.

-- What is staged -------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION stock.import_forget() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.import_document, pg_temp.import_sku, pg_temp.import_line, pg_temp.import_tender,
                         pg_temp.import_target, pg_temp.import_product, pg_temp.import_party, pg_temp.import_reject,
                         pg_temp.import_part, pg_temp.import_chunk, pg_temp.import_going, pg_temp.import_step;
END
$$;

-- What a document was paid with, where the file says it: a row for each of its methods.
CREATE FUNCTION stock.import_make_tenders() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMPORARY TABLE import_tender (
        document    integer NOT NULL,
        method      text,
        amount      numeric NOT NULL,
        payment_id  uuid NOT NULL,
        ledger_id   uuid NOT NULL
    );
END
$$;

CALL stock.amend('import_open', $$        is_rejected  boolean NOT NULL DEFAULT false
    );
$$, $$        is_rejected  boolean NOT NULL DEFAULT false,
        -- As the file names them.
        customer     text,
        register     text,
        location     text
    );
    -- What they are here, of those documents that name any.
    CREATE TEMPORARY TABLE import_party (
        document     integer NOT NULL,
        customer_id  uuid,
        register_id  uuid,
        location_id  uuid
    );
    PERFORM stock.import_make_tenders();
$$);
CALL stock.amend('import_open', $$        -- Its place in its document. The binary before leaves that to the database.
        position     integer
$$, $$        -- Its place in its document. The binary before leaves that to the database.
        position     integer,
        -- What was taken off it, and the rate that it was taxed with; NULL: nothing, and the product's.
        discount     numeric,
        tax_rate     numeric
$$);

-- Where it goes in -----------------------------------------------------------------------------------------------------

-- The till at which what names none is sold.
CREATE FUNCTION stock.import_register() RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT r.id FROM stock.register r WHERE r.tenant_id = stock.current_tenant() AND r.is_default);
END
$$;

-- Refuses the other lines of documents that lost one: they would be recorded short for ever.
CREATE FUNCTION stock.import_reject_partial() RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = on SET work_mem = '64MB' AS $$
BEGIN
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
END
$$;
CALL stock.amend('import_sales_check', $$    WITH partial AS (
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
$$, $$    PERFORM stock.import_reject_partial();
$$);

-- A line that is there already had the same taken off, where the file says what was.
CALL stock.amend('import_sales_check', $$        SELECT s.id, s.sku, s.quantity, s.unit_price
        FROM pg_temp.import_target k
        JOIN stock.sale_line s ON s.tenant_id = v_tenant.id AND s.sale_id = k.known_id
$$, $$        SELECT s.id, s.sku, s.quantity, s.unit_price, s.discount + s.document_discount AS discount
        FROM pg_temp.import_target k
        JOIN stock.sale_line s ON s.tenant_id = v_tenant.id AND s.sale_id = k.known_id
$$);
CALL stock.amend('import_sales_check', $$        SELECT s.id, s.sku, s.quantity, s.unit_price
        FROM pg_temp.import_target k
        JOIN stock.sale_return_line s$$, $$        SELECT s.id, s.sku, s.quantity, s.unit_price, 0
        FROM pg_temp.import_target k
        JOIN stock.sale_return_line s$$);
CALL stock.amend('import_sales_check', $$    ) s ON s.id = l.id AND s.quantity = l.quantity AND s.unit_price = l.unit_price
$$, $$    ) s ON s.id = l.id AND s.quantity = l.quantity AND s.unit_price = l.unit_price
       AND s.discount = coalesce(l.discount, s.discount)
$$);
CALL stock.amend('import_sales_check', $$        SELECT s.document, s.key, s.quantity, s.unit_price,
               row_number() OVER (PARTITION BY s.document, s.key, s.quantity, s.unit_price) AS copy
        FROM (SELECT t.document, stock.folded(l.sku) AS key, l.quantity, l.unit_price
$$, $$        SELECT s.document, s.key, s.quantity, s.unit_price, s.discount,
               row_number() OVER (PARTITION BY s.document, s.key, s.quantity, s.unit_price ORDER BY s.discount) AS copy
        FROM (SELECT t.document, stock.folded(l.sku) AS key, l.quantity, l.unit_price,
                     l.discount + l.document_discount AS discount
$$);
CALL stock.amend('import_sales_check', $$              SELECT t.document, stock.folded(l.sku), l.quantity, l.unit_price
$$, $$              SELECT t.document, stock.folded(l.sku), l.quantity, l.unit_price, 0
$$);
CALL stock.amend('import_sales_check', $$        SELECT l.line, l.document, p.key, l.quantity, l.unit_price,
               row_number() OVER (PARTITION BY l.document, p.key, l.quantity, l.unit_price ORDER BY l.line) AS copy
$$, $$        SELECT l.line, l.document, p.key, l.quantity, l.unit_price, l.discount,
               row_number() OVER (PARTITION BY l.document, p.key, l.quantity, l.unit_price ORDER BY l.discount, l.line) AS copy
$$);
CALL stock.amend('import_sales_check', $$                      AND s.unit_price = f.unit_price AND s.copy = f.copy
$$, $$                      AND s.unit_price = f.unit_price AND s.copy = f.copy AND s.discount = coalesce(f.discount, s.discount)
$$);

-- Finds the customers, tills and places that documents name, and refuses what names none, with what can not be taken off a line or
-- paid; after `import_sales_check`. Gives how many rows were refused. Whoever names a place alone sold at a till that stands there.
CREATE FUNCTION stock.import_check_parties() RETURNS bigint
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on SET work_mem = '64MB' AS $$
DECLARE
    v_tenant stock.tenant;
    v_before bigint;
    v_names  text[];
BEGIN
    SELECT t.* INTO STRICT v_tenant FROM stock.tenant t WHERE t.id = stock.current_tenant();
    SELECT count(*) INTO v_before FROM pg_temp.import_reject;
    v_names := ARRAY(SELECT DISTINCT d.customer FROM pg_temp.import_document d WHERE d.customer IS NOT NULL);
    CREATE TEMPORARY TABLE import_fault ON COMMIT DROP AS
    WITH asked AS (
        SELECT d.ordinal AS document, d.customer, d.register, d.location, stock.folded(d.register) AS register_key,
               stock.folded(d.location) AS location_key
        FROM pg_temp.import_document d
        JOIN pg_temp.import_target t ON t.document = d.ordinal AND t.known_id IS NULL
        WHERE num_nonnulls(d.customer, d.register, d.location) > 0
    ), customer AS MATERIALIZED (
        SELECT n.name, f.id, f.copies
        FROM unnest(v_names) WITH ORDINALITY AS n (name, place)
        JOIN stock.import_named('customer', v_names) f ON f.place = n.place
    )
    SELECT a.document, c.id AS customer_id, coalesce(r.id, h.id) AS register_id, coalesce(r.location_id, g.id) AS location_id,
           CASE
               WHEN c.copies = 0 THEN format('customer is %s: There is no such customer.', quote_literal(a.customer))
               WHEN c.copies > 1 THEN
                   format('customer is %s: More than one customer is called so; name the external_id.', quote_literal(a.customer))
               WHEN a.register IS NOT NULL AND r.id IS NULL THEN
                   format('register is %s: There is no such active register.', quote_literal(a.register))
               WHEN a.location IS NOT NULL AND g.id IS NULL THEN
                   format('location is %s: There is no such active location.', quote_literal(a.location))
               WHEN a.location IS NOT NULL AND r.location_id <> g.id THEN
                   format('location is %s, where the register does not stand', quote_literal(a.location))
               WHEN a.location IS NOT NULL AND r.id IS NULL AND h.id IS NULL THEN
                   format('location is %s, where no register stands', quote_literal(a.location))
           END AS fault
    FROM asked a
    LEFT JOIN customer c ON c.name = a.customer
    LEFT JOIN stock.register r ON r.tenant_id = v_tenant.id AND r.active AND r.name_key = a.register_key
    LEFT JOIN stock.location g
        ON g.tenant_id = v_tenant.id AND g.active AND g.kind <> 'transit' AND g.name_key = a.location_key
    LEFT JOIN (SELECT DISTINCT ON (o.location_id) o.location_id, o.id FROM stock.register o
               WHERE o.tenant_id = v_tenant.id AND o.active
               ORDER BY o.location_id, o.is_default DESC, o.created_at, o.id) h ON h.location_id = g.id AND a.register IS NULL;
    INSERT INTO pg_temp.import_party (document, customer_id, register_id, location_id)
    SELECT f.document, f.customer_id, f.register_id, f.location_id FROM pg_temp.import_fault f WHERE f.fault IS NULL;
    CREATE UNIQUE INDEX ON pg_temp.import_party (document);
    INSERT INTO pg_temp.import_fault (document, fault)
    SELECT n.document, format('payment_method is %s, which is no active method of the shop', quote_literal(n.method))
    FROM pg_temp.import_tender n
    JOIN pg_temp.import_target t ON t.document = n.document AND t.known_id IS NULL
    WHERE n.method IS NOT NULL AND NOT EXISTS (
        SELECT FROM stock.payment_method m WHERE m.tenant_id = v_tenant.id AND m.code = n.method AND m.active)
    UNION ALL
    SELECT n.document, format('paid is %s; the currency has %s decimals', trim_scale(n.amount), v_tenant.currency_exponent)
    FROM pg_temp.import_tender n
    JOIN pg_temp.import_target t ON t.document = n.document AND t.known_id IS NULL
    WHERE min_scale(n.amount) > v_tenant.currency_exponent;

    INSERT INTO pg_temp.import_reject (line, code, kind, reason)
    SELECT r.line, 'value_invalid', CASE WHEN t.is_return THEN 2 WHEN r.unit_price = 0 THEN 1 ELSE 0 END, r.reason
    FROM (
        SELECT l.line, l.document, l.unit_price, coalesce(f.fault, CASE
                   WHEN min_scale(l.discount) > v_tenant.currency_exponent THEN
                       format('discount is %s; the currency has %s decimals', trim_scale(l.discount), v_tenant.currency_exponent)
                   WHEN l.discount > round(l.quantity * l.unit_price, v_tenant.currency_exponent) THEN
                       format('discount is %s, more than the line comes to', trim_scale(l.discount)) END) AS reason
        FROM pg_temp.import_line l
        LEFT JOIN (SELECT o.document, min(o.fault) AS fault FROM pg_temp.import_fault o WHERE o.fault IS NOT NULL GROUP BY o.document) f
            ON f.document = l.document
    ) r
    JOIN pg_temp.import_target t ON t.document = r.document AND t.known_id IS NULL
    LEFT JOIN pg_temp.import_reject x ON x.line = r.line
    WHERE r.reason IS NOT NULL AND x.line IS NULL;
    DROP TABLE pg_temp.import_fault;
    PERFORM stock.import_reject_partial();
    RETURN (SELECT count(*) FROM pg_temp.import_reject) - v_before;
END
$$;

-- What goes in -------------------------------------------------------------------------------------------------------

DROP FUNCTION stock.import_rows(integer, integer, boolean);
-- The rows that go in of the documents p_first to p_last, with their amounts, in the order of the file. p_returns: those
-- of returns, of sales, or (NULL) of both. A row's document, line and product are found by their keys, however long the
-- file is.
CREATE FUNCTION stock.import_rows(p_first integer, p_last integer, p_returns boolean)
RETURNS TABLE (document integer, place integer, line integer, is_return boolean, document_id uuid,
               occurred_at timestamptz, business_day date, product_id uuid, sku text, name text, unit text,
               tracks_stock boolean, quantity numeric, unit_price numeric, price_source text, tax_rate numeric,
               gross numeric, tax numeric, total numeric, id uuid, movement_id uuid, cost numeric, taxes jsonb,
               discount numeric, location_id uuid)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
SET enable_bitmapscan = off SET enable_memoize = off AS $$
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
           CASE WHEN l.unit_price = p.price THEN 'list' ELSE 'override' END,
           CASE WHEN y.taxes IS NULL THEN n.rate
                WHEN jsonb_array_length(y.taxes) = 1 AND y.taxes -> 0 ->> 'kind' = 'percent'
                THEN (y.taxes -> 0 ->> 'rate')::numeric END,
           a.gross, coalesce(stock.line_tax(y.taxes), x.tax),
           CASE WHEN y.taxes IS NOT NULL
                THEN CASE WHEN (y.taxes -> 0 ->> 'included')::boolean THEN n.net
                          ELSE n.net + stock.line_tax(y.taxes) END
                WHEN v_includes THEN n.net ELSE n.net + x.tax END, l.id, l.movement_id, p.cost, y.taxes, n.discount,
           g.location_id
    FROM pg_temp.import_going g
    JOIN pg_temp.import_line l ON l.document = g.document
    JOIN pg_temp.import_product p ON p.sku = l.sku
    CROSS JOIN LATERAL (SELECT round(l.quantity * l.unit_price, v_exponent) AS gross OFFSET 0) a
    -- A return is taxed as its product is: its trigger asks for no other rate.
    CROSS JOIN LATERAL (
        SELECT coalesce(l.discount, 0) AS discount, a.gross - coalesce(l.discount, 0) AS net,
               CASE WHEN NOT g.is_return THEN l.tax_rate END AS own_rate,
               coalesce(CASE WHEN NOT g.is_return THEN l.tax_rate END, p.tax_rate) AS rate OFFSET 0) n
    CROSS JOIN LATERAL (
        SELECT CASE WHEN n.rate = 0 THEN 0
                    WHEN v_includes THEN n.net - round(n.net::numeric(60, 30) / (1 + n.rate / 100), v_exponent)
                    ELSE round(n.net * n.rate / 100, v_exponent) END AS tax OFFSET 0) x
    CROSS JOIN LATERAL (
        SELECT CASE WHEN p.taxes IS NOT NULL AND n.own_rate IS NULL
                    THEN stock.line_taxes(p.taxes, n.net, l.quantity, v_exponent) END AS taxes OFFSET 0) y
    WHERE g.document BETWEEN p_first AND p_last AND (p_returns IS NULL OR g.is_return = p_returns)
    ORDER BY g.document, l.position;
END
$$;

CALL stock.amend('import_make_steps', $$        product_id    uuid NOT NULL,
$$, $$        product_id    uuid NOT NULL,
        location_id   uuid NOT NULL,
$$);

-- Refuses sales of which more was paid than they come to, and those that were not paid and are on nobody's account; notes what the
-- others have due.
CREATE FUNCTION stock.import_check_sums() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on SET work_mem = '64MB' AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_temp.import_tender) THEN
        RETURN;
    END IF;
    CREATE TEMPORARY TABLE import_sum ON COMMIT DROP AS
    SELECT r.document, r.total, n.paid, CASE
               WHEN n.paid > r.total THEN format('paid is %s in all, the sale comes to %s', trim_scale(n.paid), trim_scale(r.total))
               WHEN n.paid < r.total AND r.customer_id IS NULL THEN
                   format('paid is %s in all, the sale comes to %s: what is left needs a customer', trim_scale(n.paid),
                          trim_scale(r.total)) END AS fault
    FROM (SELECT t.document, sum(t.amount) AS paid FROM pg_temp.import_tender t GROUP BY t.document) n
    JOIN (SELECT w.document, g.customer_id, sum(w.total) AS total
          FROM stock.import_rows(0, (SELECT max(o.document) FROM pg_temp.import_going o), false) w
          JOIN pg_temp.import_going g ON g.document = w.document
          GROUP BY w.document, g.customer_id) r ON r.document = n.document;
    INSERT INTO pg_temp.import_reject (line, code, kind, reason)
    SELECT l.line, 'value_invalid', CASE WHEN l.unit_price = 0 THEN 1 ELSE 0 END, s.fault
    FROM pg_temp.import_sum s JOIN pg_temp.import_line l ON l.document = s.document
    WHERE s.fault IS NOT NULL;
    DELETE FROM pg_temp.import_going g USING pg_temp.import_sum s WHERE s.document = g.document AND s.fault IS NOT NULL;
    UPDATE pg_temp.import_going g SET due = s.total - s.paid, has_tenders = true
    FROM pg_temp.import_sum s WHERE s.document = g.document;
    DROP TABLE pg_temp.import_sum;
    CREATE INDEX ON pg_temp.import_tender (document);
END
$$;

CALL stock.amend('import_cut', $$           t.method, c.chunk, c.rows
$$, $$           t.method, c.chunk, c.rows, y.customer_id, coalesce(y.register_id, stock.import_register()) AS register_id,
           coalesce(y.location_id, stock.import_location()) AS location_id, 0::numeric AS due, false AS has_tenders
$$);
CALL stock.amend('import_cut', $$    JOIN pg_temp.import_target t ON t.document = c.document
$$, $$    JOIN pg_temp.import_target t ON t.document = c.document
    LEFT JOIN pg_temp.import_party y ON y.document = c.document
$$);
CALL stock.amend('import_cut', $$    -- Told before anything is written; each chunk$$, $$    PERFORM stock.import_check_sums();
    -- Told before anything is written; each chunk$$);

-- What is short is short where it was sold.
CALL stock.amend('import_hold_back', $$r.quantity, r.unit_price, r.tracks_stock
$$, $$r.quantity, r.unit_price, r.tracks_stock,
           r.location_id
$$);
CALL stock.amend('import_hold_back', $$    SELECT l.product_id, coalesce(n.on_hand, 0) AS on_hand, coalesce(n.floor, 0) AS floor
    FROM stock.stock_level l
    LEFT JOIN$$, $$    SELECT l.product_id, s.location_id, coalesce(n.on_hand, 0) AS on_hand, coalesce(n.floor, 0) AS floor
    FROM (SELECT DISTINCT a.product_id, a.location_id FROM pg_temp.import_asked a WHERE a.tracks_stock) s
    JOIN stock.stock_level l ON l.product_id = s.product_id AND l.bounded AND l.tenant_id = stock.current_tenant()
    LEFT JOIN$$);
CALL stock.amend('import_hold_back', $$ AND o.location_id = v_location OFFSET 0
    ) n ON true
    WHERE l.tenant_id = stock.current_tenant() AND l.bounded AND l.product_id IN (
        SELECT a.product_id FROM pg_temp.import_asked a WHERE a.tracks_stock);
    CREATE UNIQUE INDEX ON pg_temp.import_left (product_id);
$$, $$ AND o.location_id = s.location_id OFFSET 0
    ) n ON true;
    CREATE UNIQUE INDEX ON pg_temp.import_left (product_id, location_id);
$$);
CALL stock.amend('import_hold_back', $$ON f.product_id = a.product_id
        ORDER BY 1$$, $$ON f.product_id = a.product_id
                                                                                     AND f.location_id = a.location_id
        ORDER BY 1$$);
CALL stock.amend('import_hold_back', $$        FROM (SELECT a.product_id, min(a.sku) AS sku, sum(a.quantity) AS quantity FROM pg_temp.import_asked a
              WHERE a.document = v_document AND NOT a.is_return GROUP BY a.product_id) s
        JOIN pg_temp.import_left f ON f.product_id = s.product_id
$$, $$        FROM (SELECT a.product_id, a.location_id, min(a.sku) AS sku, sum(a.quantity) AS quantity FROM pg_temp.import_asked a
              WHERE a.document = v_document AND NOT a.is_return GROUP BY a.product_id, a.location_id) s
        JOIN pg_temp.import_left f ON f.product_id = s.product_id AND f.location_id = s.location_id
$$);
CALL stock.amend('import_hold_back', $$            FROM (SELECT a.product_id, sum(CASE WHEN a.is_return THEN a.quantity ELSE -a.quantity END) AS quantity
                  FROM pg_temp.import_asked a WHERE a.document = v_document GROUP BY a.product_id) s
            WHERE f.product_id = s.product_id;
$$, $$            FROM (SELECT a.product_id, a.location_id,
                         sum(CASE WHEN a.is_return THEN a.quantity ELSE -a.quantity END) AS quantity
                  FROM pg_temp.import_asked a WHERE a.document = v_document GROUP BY a.product_id, a.location_id) s
            WHERE f.product_id = s.product_id AND f.location_id = s.location_id;
$$);

CALL stock.amend('import_hold_back', $$    v_location uuid := stock.import_location();
$$, '');

CALL stock.amend('import_second_open', $$        method        text,
        rows          bigint NOT NULL
    );
$$, $$        method        text,
        rows          bigint NOT NULL,
        customer_id   uuid,
        -- The binary before copies none of these.
        register_id   uuid NOT NULL DEFAULT stock.import_register(),
        location_id   uuid NOT NULL DEFAULT stock.import_location(),
        due           numeric NOT NULL DEFAULT 0,
        has_tenders   boolean NOT NULL DEFAULT false
    );
    PERFORM stock.import_make_tenders();
$$);
CALL stock.amend('import_second_open', $$        position      integer NOT NULL
$$, $$        position      integer NOT NULL,
        discount      numeric,
        tax_rate      numeric
$$);
CALL stock.amend('import_second_copied', $$    CREATE INDEX ON pg_temp.import_line (document);
$$, $$    CREATE INDEX ON pg_temp.import_line (document);
    CREATE INDEX ON pg_temp.import_tender (document);
$$);

-- Writing ------------------------------------------------------------------------------------------------------------

-- Money that was taken at one till.
CREATE TYPE stock.till_postings AS (register_id uuid, location_id uuid, postings stock.posting[]);

-- The first half of a chunk, one statement: its sales as drafts, their lines, the money they were paid with, and what it
-- will move. It waits for no level and no number, so that two sessions do it side by side; totals have a row for each.
CREATE OR REPLACE FUNCTION stock.import_draft(p_first integer, p_last integer, p_method text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = on SET enable_mergejoin = off SET work_mem = '64MB'
-- Foreign keys are checked by statements whose plans are kept: never plan them anew for every row. Without statistics all
-- indexes that begin with the tenant look alike, unless pages cost so little that the key's one row counts.
SET plan_cache_mode = force_generic_plan SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_tills  stock.till_postings[];
    v_till   stock.till_postings;
BEGIN
    WITH part AS MATERIALIZED (
        SELECT * FROM stock.import_rows(p_first, p_last, NULL)
    ), step AS (
        INSERT INTO pg_temp.import_step (document, kind, document_id, occurred_at, business_day, product_id, location_id, id,
                                         quantity, cost)
        SELECT r.document, CASE WHEN r.is_return THEN 'return' ELSE 'sale' END, r.document_id, r.occurred_at,
               r.business_day, r.product_id, r.location_id, (array_agg(r.movement_id ORDER BY r.place))[1],
               sum(CASE WHEN r.is_return THEN r.quantity ELSE -r.quantity END), min(r.cost)
        FROM part r
        WHERE r.tracks_stock
        GROUP BY r.document, r.is_return, r.document_id, r.occurred_at, r.business_day, r.product_id, r.location_id
    ), total AS (
        SELECT r.document, sum(r.gross) AS gross, sum(r.discount) AS discount, sum(r.tax) AS tax, sum(r.total) AS total
        FROM part r WHERE NOT r.is_return GROUP BY r.document
    ), document AS MATERIALIZED (
        SELECT g.*, t.gross, t.discount, t.tax, t.total
        FROM total t JOIN pg_temp.import_going g ON g.document = t.document AND g.document BETWEEN p_first AND p_last
        ORDER BY g.document
    ), sale AS (
        INSERT INTO stock.sale (tenant_id, id, register_id, status, customer_id, occurred_at, business_day, subtotal, discount,
                                tax, total, due, external_id)
        SELECT v_tenant, d.id, d.register_id, 'draft', d.customer_id, d.occurred_at, d.business_day, d.gross, d.discount,
               d.tax, d.total, 0, d.external_id
        FROM document d
    ), line AS (
        INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price,
                                     price_source, discount, tax_rate, tax, total, unit_cost, taxes)
        SELECT v_tenant, r.id, r.document_id, r.place, r.product_id, r.sku, r.name, r.unit, r.quantity, r.unit_price,
               r.price_source, r.discount, r.tax_rate, r.tax, r.total, r.cost, r.taxes
        FROM part r WHERE NOT r.is_return
    ), paid AS (
        -- What the file says was paid; else what was sold was paid in full, as it says or by the method the operator names.
        SELECT d.document, d.register_id, d.location_id, d.id, d.customer_id, d.occurred_at, d.business_day, d.payment_id,
               d.ledger_id, d.method, d.total AS amount
        FROM document d WHERE NOT d.has_tenders
        UNION ALL
        SELECT d.document, d.register_id, d.location_id, d.id, d.customer_id, d.occurred_at, d.business_day, n.payment_id,
               n.ledger_id, n.method, n.amount
        FROM document d JOIN pg_temp.import_tender n ON n.document = d.document WHERE d.has_tenders
    ), till AS (
        SELECT p.register_id, p.location_id,
               array_agg(ROW(p.payment_id, p.ledger_id, 'in', 'sale', coalesce(p.method, p_method), p.amount, NULL, p.id, NULL,
                             p.customer_id, NULL, p.occurred_at, p.business_day)::stock.posting
                         ORDER BY p.document, p.payment_id) AS postings
        FROM paid p WHERE p.amount > 0 GROUP BY p.register_id, p.location_id
    )
    SELECT array_agg(ROW(t.register_id, t.location_id, t.postings)::stock.till_postings ORDER BY t.register_id)
    INTO v_tills FROM till t;
    FOREACH v_till IN ARRAY coalesce(v_tills, '{}') LOOP
        PERFORM stock.stand_at(v_till.register_id, v_till.location_id);
        PERFORM stock.post_money(v_till.postings);
    END LOOP;
    -- What waits for the end of the transaction otherwise, when the other session waits too.
    SET CONSTRAINTS ALL IMMEDIATE;
END
$$;

-- Moves what the chunk's documents move, in their order; what may not be sold was held back. Gives whether a product has
-- another cost than its lines.
CREATE OR REPLACE FUNCTION stock.import_move() RETURNS boolean
LANGUAGE plpgsql
SET enable_hashjoin = on SET enable_mergejoin = off SET enable_nestloop = off SET work_mem = '64MB'
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_moves    stock.move[];
    v_levels   bigint;
    v_moved    bigint;
    v_recosted boolean;
BEGIN
    SELECT array_agg(ROW(s.id, s.product_id, s.kind, s.quantity, NULL, NULL, s.kind, s.document_id, NULL, s.occurred_at,
                         s.business_day, s.location_id)::stock.move ORDER BY s.document)
    INTO v_moves
    FROM pg_temp.import_step s;
    SELECT count(*), count(m.product_id), coalesce(bool_or(m.cost <> s.cost), false)
    INTO v_levels, v_moved, v_recosted
    FROM (SELECT DISTINCT t.product_id, t.location_id, t.cost FROM pg_temp.import_step t) s
    LEFT JOIN stock.move_stock(v_moves, false) m ON m.product_id = s.product_id AND m.location_id = s.location_id;
    IF v_moved < v_levels THEN
        RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range',
            MESSAGE = 'there would be more on hand than can be counted';
    END IF;
    RETURN v_recosted;
END
$$;

-- What customers owe for the documents of a chunk goes on their accounts: history asks for no limit.
CREATE FUNCTION stock.import_charge(p_first integer, p_last integer) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    UPDATE stock.customer_account a
    SET balance = a.balance + d.due, version = a.version + 1, updated_at = now()
    FROM (SELECT g.customer_id, sum(g.due) AS due FROM pg_temp.import_going g
          WHERE g.document BETWEEN p_first AND p_last AND g.due > 0
          GROUP BY g.customer_id ORDER BY g.customer_id) d
    WHERE a.tenant_id = stock.current_tenant() AND a.customer_id = d.customer_id;
END
$$;

CALL stock.amend('import_apply', $$    v_register uuid;
$$, $$    v_register uuid;
    v_sold     bigint;
    v_returned bigint;
$$);
CALL stock.amend('import_apply', $$    -- Costs as they are now, should$$, $$    PERFORM stock.import_charge(p_first, p_last);
    -- Costs as they are now, should$$);
CALL stock.amend('import_apply', $$    IF v_sales > 0 THEN
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
$$, $$    -- Each till has its own numbers.
    FOR v_register, v_sold, v_returned IN
        SELECT g.register_id, count(*) FILTER (WHERE NOT g.is_return) AS sales, count(*) FILTER (WHERE g.is_return) AS returns
        FROM pg_temp.import_going g
        WHERE g.document BETWEEN p_first AND p_last GROUP BY g.register_id ORDER BY g.register_id
    LOOP
        IF v_sold > 0 THEN
            v_number := stock.document_number(v_register, 'sale', v_sold);
            UPDATE stock.sale s
            SET status = 'confirmed', number = v_number + n.place, paid = s.total - n.due, due = n.due
            FROM (
                SELECT g.id, g.due, row_number() OVER (ORDER BY g.document) - 1 AS place
                FROM pg_temp.import_going g
                WHERE g.document BETWEEN p_first AND p_last AND NOT g.is_return AND g.register_id = v_register
            ) n
            WHERE s.tenant_id = v_tenant AND s.id = n.id;
        END IF;
        IF v_returned > 0 THEN
            PERFORM stock.import_returns(p_first, p_last, p_method, v_register, v_returned);
        END IF;
    END LOOP;
$$);

CALL stock.amend('import_apply', $$    SELECT r.id INTO STRICT v_register FROM stock.register r WHERE r.tenant_id = v_tenant AND r.is_default;

$$, '');

CALL stock.amend('import_returns', $$        JOIN pg_temp.import_going g ON g.document = t.document AND g.document BETWEEN p_first AND p_last
$$, $$        JOIN pg_temp.import_going g ON g.document = t.document AND g.document BETWEEN p_first AND p_last
                                   AND g.register_id = p_register
$$);
CALL stock.amend('import_returns', $$        FROM part r,
        LATERAL ($$, $$        FROM part r
        JOIN pg_temp.import_going g ON g.document = r.document AND g.register_id = p_register,
        LATERAL ($$);

-- Exports ------------------------------------------------------------------------------------------------------------

-- A line is told as it is imported: by its price before what was taken off.
CALL stock.amend('export_lines', $$           -- What was paid for a piece, so that a line without a discount comes to the same.
           CASE WHEN l.charged = l.listed THEN l.unit_price ELSE round(l.charged / l.quantity, 6) END,
$$, $$           -- What was asked for a piece, of what came in packages as well.
           CASE WHEN l.charged = l.listed THEN l.unit_price ELSE round(l.charged / l.quantity, 6) END,
$$);
CALL stock.amend('export_lines', $$               stock.line_gross(o.quantity, o.unit_price, o.packed_quantity, o.packed_price, v_exponent)
                   - o.discount - o.document_discount AS charged
$$, $$               stock.line_gross(o.quantity, o.unit_price, o.packed_quantity, o.packed_price, v_exponent) AS charged
$$);

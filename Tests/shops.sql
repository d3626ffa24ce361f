-- Fills a migrated database with shops that hold the invariants: as many tenants as asked for, one of them far larger
-- than the others. Before it: SET fill.tenants, the large one's place fill.large, its fill.products, fill.sales and
-- fill.lines (of a sale), fill.small_products and fill.small_sales of each other tenant, and fill.days. Run by the superuser.
--
-- Rows are written straight into the tables: no foreign key is checked. Triggers that are always on run, so levels,
-- accounts and totals come of themselves and the outbox holds what a relay would find. Everything happened in the last
-- fill.days days.

SET session_replication_role = replica;
SET work_mem = '128MB';

-- Ids grow with the number, as those of the service grow with time.
CREATE FUNCTION pg_temp.fill_id(kind integer, tenant bigint, number bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('01980000-' || lpad(to_hex(tenant), 4, '0') || '-7' || lpad(to_hex(kind), 3, '0') || '-8000-'
        || lpad(to_hex(number), 12, '0'))::uuid;

INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone, timezone_since)
SELECT 'shop-' || n, 'Shop ' || n, 'EUR', 2, 'UTC',
       now() - (current_setting('fill.days')::integer + 100) * interval '1 day'
FROM generate_series(1, current_setting('fill.tenants')::integer) n;

-- A database of before has no methods of a shop's own.
DO $$
BEGIN
    IF to_regclass('stock.payment_method') IS NOT NULL THEN
        INSERT INTO stock.payment_method (tenant_id, id, code, name, kind, opens_drawer, position)
        SELECT t.id, pg_temp.fill_id(30, t.id, s.position), s.code, s.name, s.code, s.opens_drawer, s.position
        FROM stock.tenant t CROSS JOIN stock.payment_method_standard s WHERE t.slug LIKE 'shop-%';
    END IF;
END
$$;

CREATE TEMPORARY TABLE fill_shop AS
SELECT t.id, s.is_large,
       current_setting(CASE WHEN s.is_large THEN 'fill.products' ELSE 'fill.small_products' END)::integer AS products,
       current_setting(CASE WHEN s.is_large THEN 'fill.sales' ELSE 'fill.small_sales' END)::integer AS sales,
       CASE WHEN s.is_large THEN current_setting('fill.lines')::integer ELSE 1 END AS lines
FROM (SELECT t.id, row_number() OVER (ORDER BY t.id) AS place FROM stock.tenant t WHERE t.slug LIKE 'shop-%') t,
     LATERAL (SELECT t.place = current_setting('fill.large')::integer AS is_large) s;
ANALYZE fill_shop;

INSERT INTO stock.app_user (id, email, password_hash, tenant_ids)
SELECT pg_temp.fill_id(1, h.id, 1), 'owner-' || h.id || '@example.org', 'x', ARRAY[h.id] FROM fill_shop h;
INSERT INTO stock.membership (tenant_id, user_id, role)
SELECT h.id, pg_temp.fill_id(1, h.id, 1), 'owner' FROM fill_shop h;
INSERT INTO stock.session (id, user_id, tenant_id, family, refresh_hash, expires_at, family_expires_at, revoked_at)
SELECT pg_temp.fill_id(2, h.id, n), pg_temp.fill_id(1, h.id, 1), h.id, pg_temp.fill_id(3, h.id, n / 4),
       decode(md5(h.id || '/' || n), 'hex'), now() + interval '1 day', now() + interval '20 days',
       CASE WHEN n % 4 < 3 THEN now() END
FROM fill_shop h, generate_series(1, CASE WHEN h.is_large THEN 4000 ELSE 16 END) n;
INSERT INTO stock.api_key (tenant_id, id, name, secret_hash, scopes)
SELECT h.id, pg_temp.fill_id(4, h.id, n), 'Key ' || n, decode(md5(h.id || '/' || n), 'hex'), '{sales:write}'
FROM fill_shop h, generate_series(1, 3) n;
INSERT INTO stock.register (tenant_id, id, name, is_default)
SELECT h.id, pg_temp.fill_id(5, h.id, 1), 'Main', true FROM fill_shop h;
INSERT INTO stock.unit (tenant_id, id, name, symbol) SELECT h.id, pg_temp.fill_id(6, h.id, 1), 'Piece', 'pc' FROM fill_shop h;
INSERT INTO stock.category (tenant_id, id, name)
SELECT h.id, pg_temp.fill_id(7, h.id, n), 'Category ' || n FROM fill_shop h, generate_series(0, 19) n;

INSERT INTO stock.product (tenant_id, id, sku, name, category_id, unit_id, price, oversell, external_id)
SELECT h.id, pg_temp.fill_id(8, h.id, n), 'SKU-' || n, 'Thing number ' || n, pg_temp.fill_id(7, h.id, n % 20),
       pg_temp.fill_id(6, h.id, 1), 2.5, CASE WHEN n % 2 = 0 THEN 'allow' ELSE 'inherit' END, 'ext-' || n
FROM fill_shop h, generate_series(1, h.products) n;
-- Nor has it groups of taxes.
DO $$
BEGIN
    IF to_regclass('stock.tax_group') IS NOT NULL THEN
        INSERT INTO stock.tax (tenant_id, id, name, rate, used, standard_rate)
        SELECT h.id, pg_temp.fill_id(31, h.id, 1), stock.standard_tax_name(0), 0, true, 0 FROM fill_shop h;
        INSERT INTO stock.tax_group (tenant_id, id, name, standard_rate)
        SELECT h.id, pg_temp.fill_id(32, h.id, 1), stock.standard_tax_name(0), 0 FROM fill_shop h;
        INSERT INTO stock.tax_group_tax (tenant_id, tax_group_id, tax_id, position)
        SELECT h.id, pg_temp.fill_id(32, h.id, 1), pg_temp.fill_id(31, h.id, 1), 1 FROM fill_shop h;
        UPDATE stock.product p SET tax_group_id = pg_temp.fill_id(32, h.id, 1) FROM fill_shop h WHERE p.tenant_id = h.id;
    END IF;
END
$$;
INSERT INTO stock.product_barcode (tenant_id, product_id, code)
SELECT h.id, pg_temp.fill_id(8, h.id, n), lpad(n::text, 13, '4') FROM fill_shop h, generate_series(1, h.products) n;
INSERT INTO stock.customer (tenant_id, id, name, external_id)
SELECT h.id, pg_temp.fill_id(9, h.id, n), 'Customer ' || n, 'ext-' || n
FROM fill_shop h, generate_series(1, greatest(h.sales / 20, 2)) n;

-- Each twentieth sale is on a customer's account and unpaid; of ten others, six are paid in cash and one by transfer.
CREATE TEMPORARY TABLE fill_sale AS
SELECT h.id AS tenant_id, n AS number, pg_temp.fill_id(10, h.id, n) AS id, h.lines, 2.5 * h.lines AS total,
       CASE WHEN n % 20 = 0 THEN pg_temp.fill_id(9, h.id, n / 20) END AS customer_id,
       CASE WHEN n % 10 < 6 THEN 'cash' WHEN n % 10 < 9 THEN 'card' ELSE 'transfer' END AS method,
       date_trunc('day', now()) - d.days * interval '1 day' + n * ((d.days - 1) * interval '1 day' / h.sales) AS at
FROM fill_shop h, generate_series(1, h.sales) n, (SELECT current_setting('fill.days')::integer AS days) d;
INSERT INTO stock.document_counter (tenant_id, register_id, kind, last_number)
SELECT h.id, pg_temp.fill_id(5, h.id, 1), k.kind, CASE k.kind WHEN 'sale' THEN h.sales ELSE 0 END
FROM fill_shop h, (VALUES ('sale'), ('return')) k (kind);
UPDATE stock.customer_account a SET balance = s.total
FROM fill_sale s WHERE a.tenant_id = s.tenant_id AND a.customer_id = s.customer_id;

CREATE TEMPORARY TABLE fill_line AS
SELECT s.tenant_id, s.id AS sale_id, s.at, l.position, s.number * s.lines + l.position AS number,
       (s.number * s.lines + l.position) % h.products + 1 AS product
FROM fill_shop h JOIN fill_sale s ON s.tenant_id = h.id, LATERAL generate_series(1, s.lines) l (position);
INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price, tax_rate,
                             tax, total, unit_cost)
SELECT l.tenant_id, pg_temp.fill_id(11, l.tenant_id, l.number), l.sale_id, l.position,
       pg_temp.fill_id(8, l.tenant_id, l.product), 'SKU-' || l.product, 'Thing number ' || l.product, 'pc', 1, 2.5, 0, 0, 2.5, 1.25
FROM fill_line l;

INSERT INTO stock.stock_movement (tenant_id, id, product_id, seq, kind, quantity, on_hand_after, unit_cost, occurred_at,
                                  recorded_at, business_day)
SELECT h.id, pg_temp.fill_id(12, h.id, n), pg_temp.fill_id(8, h.id, n), 1, 'opening', 1000000, 1000000, 1.25,
       d.at, d.at, d.at::date
FROM fill_shop h, generate_series(1, h.products) n,
     (SELECT now() - (current_setting('fill.days')::integer + 1) * interval '1 day' AS at) d;
INSERT INTO stock.stock_movement (tenant_id, id, product_id, seq, kind, quantity, on_hand_after, unit_cost, ref_type, ref_id,
                                  occurred_at, recorded_at, business_day)
SELECT l.tenant_id, pg_temp.fill_id(13, l.tenant_id, l.number), pg_temp.fill_id(8, l.tenant_id, l.product),
       1 + row_number() OVER w, 'sale', -1, 1000000 - row_number() OVER w, 1.25, 'sale', l.sale_id, l.at, l.at, l.at::date
FROM fill_line l
WINDOW w AS (PARTITION BY l.tenant_id, l.product ORDER BY l.number);
UPDATE stock.stock_level v SET on_hand = 1000000 - l.sold, cost = 1.25, stock_version = 1 + l.sold
FROM (SELECT p.tenant_id, p.id, coalesce(l.sold, 0) AS sold
      FROM stock.product p
      LEFT JOIN (SELECT l.tenant_id, pg_temp.fill_id(8, l.tenant_id, l.product) AS id, count(*) AS sold
                 FROM fill_line l GROUP BY l.tenant_id, l.product) l ON l.tenant_id = p.tenant_id AND l.id = p.id) l
WHERE v.tenant_id = l.tenant_id AND v.product_id = l.id;
-- Of a schema that has no places yet its migration makes them.
DO $$
BEGIN
    IF to_regclass('stock.location_level') IS NOT NULL THEN
        INSERT INTO stock.location_level (tenant_id, product_id, location_id, on_hand, floor, last_seq, name_key, archived)
        SELECT v.tenant_id, v.product_id, stock.main_location(), v.on_hand, CASE WHEN v.bounded THEN least(0, v.on_hand) END,
               v.stock_version, v.name_key, v.archived
        FROM stock.stock_level v JOIN fill_shop h ON h.id = v.tenant_id WHERE v.stock_version > 0;
    END IF;
END
$$;

-- Nor does one of before know packagings, codes of scales, and what prices and costs were.
DO $$
BEGIN
    IF to_regclass('stock.scale_code') IS NOT NULL THEN
        INSERT INTO stock.packaging (tenant_id, product_id, id, name, factor, price)
        SELECT h.id, pg_temp.fill_id(8, h.id, n), pg_temp.fill_id(8, h.id, n), 'Box of 12', 12, 25
        FROM fill_shop h, generate_series(1, least(h.products, 50)) n;
        INSERT INTO stock.scale_code (tenant_id, id, name, prefix, item_digits, value_digits, measure, decimals)
        SELECT h.id, pg_temp.fill_id(34, h.id, 1), 'Scale', '21', 5, 5, 'weight', 3 FROM fill_shop h;
    END IF;
END
$$;
DO $$
BEGIN
    IF to_regclass('stock.price_history') IS NOT NULL THEN
        INSERT INTO stock.price_history (tenant_id, product_id, kind, id, old_value, new_value)
        SELECT h.id, pg_temp.fill_id(8, h.id, p.n), k.kind, pg_temp.fill_id(33, h.id, p.n * 1000 + c.n), c.n, c.n + 1
        FROM fill_shop h, generate_series(1, least(h.products, 50)) p (n), (VALUES ('price'), ('cost')) k (kind),
             generate_series(1, 20) c (n);
    END IF;
END
$$;

-- Behind its lines and what they moved, as a sale is confirmed: all by one statement, as an import does, which is summed up as a whole.
INSERT INTO stock.sale (tenant_id, id, register_id, status, customer_id, occurred_at, recorded_at, business_day, subtotal, discount, tax,
                        total, due, external_id)
SELECT s.tenant_id, s.id, pg_temp.fill_id(5, s.tenant_id, 1), 'draft', s.customer_id, s.at, s.at, s.at::date, s.total, 0, 0, s.total, 0,
       'ext-' || s.number
FROM fill_sale s;
UPDATE stock.sale o
SET status = 'confirmed', number = s.number, paid = CASE WHEN s.customer_id IS NULL THEN s.total ELSE 0 END,
    due = CASE WHEN s.customer_id IS NULL THEN 0 ELSE s.total END
FROM fill_sale s WHERE o.tenant_id = s.tenant_id AND o.id = s.id;

INSERT INTO stock.payment (tenant_id, id, direction, method, amount, sale_id, occurred_at, recorded_at, business_day)
SELECT s.tenant_id, pg_temp.fill_id(14, s.tenant_id, s.number), 'in', s.method, s.total, s.id, s.at, s.at, s.at::date
FROM fill_sale s WHERE s.customer_id IS NULL;
INSERT INTO stock.payment_allocation (tenant_id, payment_id, position, sale_id, amount)
SELECT s.tenant_id, pg_temp.fill_id(14, s.tenant_id, s.number), 1, s.id, s.total
FROM fill_sale s WHERE s.customer_id IS NULL;
INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id, occurred_at,
                                recorded_at, business_day)
SELECT s.tenant_id, pg_temp.fill_id(15, s.tenant_id, s.number), 'income', s.total, s.method, 'sale', 'payment',
       pg_temp.fill_id(14, s.tenant_id, s.number), s.at, s.at, s.at::date
FROM fill_sale s WHERE s.customer_id IS NULL;

-- A schema of before knows no sales that have happened.
DO $$
BEGIN
    IF to_regclass('stock.sale_exception') IS NOT NULL THEN
        INSERT INTO stock.sale_exception (tenant_id, id, sale_id, code, pointer, detail, settled_at, note)
        SELECT s.tenant_id, pg_temp.fill_id(35, s.tenant_id, s.number), s.id, 'insufficient_stock', '/lines', 'None left.',
               CASE WHEN s.number % 2 = 0 THEN s.at END, CASE WHEN s.number % 2 = 0 THEN 'Counted.' END
        FROM fill_sale s WHERE s.number <= 50;
    END IF;
END
$$;

-- What every command leaves behind.
INSERT INTO stock.idempotency_record (tenant_id, route, key, request_hash, status, body, resource_id, created_at, expires_at)
SELECT s.tenant_id, 'POST /v1/sales', 'key-' || s.number, decode(md5(s.number::text), 'hex'), 201, '{}', s.id, s.at,
       now() + (s.number % 48) * interval '1 hour' + interval '1 minute'
FROM fill_sale s WHERE s.number % 4 = 0;
INSERT INTO stock.domain_event (tenant_id, seq, type, entity_id, payload, occurred_at)
SELECT s.tenant_id, row_number() OVER (PARTITION BY s.tenant_id ORDER BY s.number), 'sale.confirmed', s.id, '{}', s.at
FROM fill_sale s;
INSERT INTO stock.import_job (tenant_id, id, kind, status, file_name, file_hash)
SELECT h.id, pg_temp.fill_id(16, h.id, n), 'sales', 'completed', 'sales.csv', decode(md5(n::text), 'hex')
FROM fill_shop h, generate_series(1, 2) n;
INSERT INTO stock.invitation (tenant_id, id, email, role, token_hash, expires_at)
SELECT h.id, pg_temp.fill_id(17, h.id, n), 'guest-' || n || '@example.org', 'viewer', decode(md5(h.id || '/' || n), 'hex'),
       now() + interval '7 days'
FROM fill_shop h, generate_series(1, CASE WHEN h.is_large THEN 200 ELSE 1 END) n;
INSERT INTO stock.audit_log (tenant_id, id, at, action, actor_type, actor_id)
SELECT s.tenant_id, pg_temp.fill_id(18, s.tenant_id, s.number), s.at, 'action ' || s.number % 10, 'user',
       pg_temp.fill_id(1, s.tenant_id, 1)
FROM fill_sale s WHERE s.number % 4 = 0;
INSERT INTO stock.cache_log (lane, seq, tag, tenant_id, module, xids)
SELECT 0, n, n, 1, 'sales', '{}' FROM generate_series(1, 20000) n;
UPDATE stock.cache_lane SET head_seq = 20000, drains = 20000;

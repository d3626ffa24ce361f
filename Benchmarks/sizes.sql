-- What a chain has beside what Tests/shops.sql fills: twenty locations, suppliers, purchases, transfers, counts, returns, expenses and
-- drawers of its large shop. In the same session, behind it; rows are written straight into the tables, and nothing is verified.

CREATE TEMPORARY TABLE fill_large AS SELECT h.* FROM fill_shop h WHERE h.is_large;

INSERT INTO stock.location (tenant_id, id, name)
SELECT h.id, pg_temp.fill_id(40, h.id, n), 'Branch ' || n FROM fill_large h, generate_series(1, 19) n;
INSERT INTO stock.register (tenant_id, id, name, location_id)
SELECT h.id, pg_temp.fill_id(5, h.id, n + 1), 'Till ' || n, pg_temp.fill_id(40, h.id, n)
FROM fill_large h, generate_series(1, 19) n;
-- Each branch has a fifth of the goods; of some of them little, where it says so itself.
INSERT INTO stock.location_level (tenant_id, product_id, location_id, on_hand, floor, last_seq, name_key, archived, low_at)
SELECT h.id, v.product_id, pg_temp.fill_id(40, h.id, b.n), 20, CASE WHEN v.bounded THEN 0 END, v.stock_version, v.name_key,
       v.archived, CASE WHEN p.n % 400 < 5 THEN 30 END
FROM fill_large h CROSS JOIN generate_series(1, 19) b (n)
CROSS JOIN LATERAL (SELECT g.n, pg_temp.fill_id(8, h.id, g.n) AS id FROM generate_series(1, h.products) g (n)
                    WHERE g.n % 5 = b.n % 5) p
JOIN stock.stock_level v ON v.tenant_id = h.id AND v.product_id = p.id;

INSERT INTO stock.supplier (tenant_id, id, name)
SELECT h.id, pg_temp.fill_id(41, h.id, n), 'Supplier ' || n FROM fill_large h, generate_series(1, 500) n;
CREATE TEMPORARY TABLE fill_purchase AS
SELECT h.id AS tenant_id, n AS number, pg_temp.fill_id(42, h.id, n) AS id, pg_temp.fill_id(41, h.id, n % 500 + 1) AS supplier_id,
       CASE WHEN n % 50 = 0 THEN 'draft' WHEN n % 7 = 0 THEN 'ordered' ELSE 'received' END AS status, n % 6 <> 0 AS is_paid,
       now() - (1 + n * (d.days - 2.0) / 30000) * interval '1 day' AS at
FROM fill_large h, generate_series(1, 30000) n, (SELECT current_setting('fill.days')::integer AS days) d;
INSERT INTO stock.purchase (tenant_id, id, supplier_id, location_id, occurred_at, business_day, due_on, status, register_id,
                            number, goods, costs, total, paid, due)
SELECT p.tenant_id, p.id, p.supplier_id, pg_temp.fill_id(40, p.tenant_id, p.number % 19 + 1), p.at, p.at::date, p.at::date + 30,
       p.status, CASE WHEN p.status <> 'draft' THEN pg_temp.fill_id(5, p.tenant_id, 1) END,
       CASE WHEN p.status <> 'draft' THEN p.number END, 12.5, 0, 12.5,
       CASE WHEN p.status <> 'draft' AND p.is_paid THEN 12.5 ELSE 0 END,
       CASE WHEN p.status <> 'draft' AND NOT p.is_paid THEN 12.5 ELSE 0 END
FROM fill_purchase p;
INSERT INTO stock.purchase_line (tenant_id, id, purchase_id, position, product_id, name, unit, quantity, received_quantity,
                                 open_quantity, unit_cost, total, cost_share)
SELECT p.tenant_id, pg_temp.fill_id(43, p.tenant_id, p.number), p.id, 1,
       pg_temp.fill_id(8, p.tenant_id, p.number % h.products + 1), 'Thing', 'pc', 5,
       CASE p.status WHEN 'received' THEN 5 ELSE 0 END, CASE p.status WHEN 'received' THEN 0 ELSE 5 END, 2.5, 12.5, 0
FROM fill_purchase p JOIN fill_large h ON h.id = p.tenant_id;
INSERT INTO stock.payment (tenant_id, id, direction, method, amount, occurred_at, recorded_at, business_day)
SELECT p.tenant_id, pg_temp.fill_id(44, p.tenant_id, p.number), 'out', 'transfer', 12.5, p.at, p.at, p.at::date
FROM fill_purchase p WHERE p.status <> 'draft' AND p.is_paid;
INSERT INTO stock.purchase_allocation (tenant_id, payment_id, position, purchase_id, amount)
SELECT p.tenant_id, pg_temp.fill_id(44, p.tenant_id, p.number), 1, p.id, 12.5
FROM fill_purchase p WHERE p.status <> 'draft' AND p.is_paid;
INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id, occurred_at,
                                recorded_at, business_day)
SELECT p.tenant_id, pg_temp.fill_id(45, p.tenant_id, p.number), 'expense', 12.5, 'transfer', 'purchase', 'payment',
       pg_temp.fill_id(44, p.tenant_id, p.number), p.at, p.at, p.at::date
FROM fill_purchase p WHERE p.status <> 'draft' AND p.is_paid;

INSERT INTO stock.transfer (tenant_id, id, register_id, number, from_location_id, to_location_id, status, sent_at, received_at,
                            created_at)
SELECT h.id, pg_temp.fill_id(46, h.id, n), pg_temp.fill_id(5, h.id, 1), n, pg_temp.fill_id(40, h.id, n % 19 + 1),
       pg_temp.fill_id(40, h.id, (n + 1) % 19 + 1), CASE WHEN n % 100 = 0 THEN 'sent' ELSE 'received' END, now(),
       CASE WHEN n % 100 <> 0 THEN now() END, now() - n * interval '1 minute'
FROM fill_large h, generate_series(1, 20000) n;
INSERT INTO stock.transfer_line (tenant_id, transfer_id, id, product_id, sku, name, unit, quantity, received)
SELECT h.id, pg_temp.fill_id(46, h.id, n), pg_temp.fill_id(47, h.id, n), pg_temp.fill_id(8, h.id, n % h.products + 1), NULL,
       'Thing', 'pc', 2, CASE WHEN n % 100 = 0 THEN 0 ELSE 2 END
FROM fill_large h, generate_series(1, 20000) n;

INSERT INTO stock.stock_count (tenant_id, id, location_id, status, ended_at, created_at)
SELECT h.id, pg_temp.fill_id(48, h.id, n), pg_temp.fill_id(40, h.id, n % 19 + 1), CASE WHEN n = 2000 THEN 'open' ELSE 'closed' END,
       CASE WHEN n < 2000 THEN now() END, now() - n * interval '1 hour'
FROM fill_large h, generate_series(1, 2000) n;
INSERT INTO stock.stock_count_line (tenant_id, count_id, product_id, open_at, counted, on_hand_seen)
SELECT h.id, pg_temp.fill_id(48, h.id, 2000), pg_temp.fill_id(8, h.id, n), pg_temp.fill_id(40, h.id, 2000 % 19 + 1),
       20 + n % 2, 20
FROM fill_large h, generate_series(1, least(20000, h.products)) n;

INSERT INTO stock.money_entry (tenant_id, id, source, direction, category, supplier_id, amount, method, occurred_at, business_day)
SELECT h.id, pg_temp.fill_id(49, h.id, n), CASE WHEN n % 3 = 0 THEN 'manual' ELSE 'expense' END, 'expense', 'Rent ' || n % 20,
       CASE WHEN n % 3 <> 0 THEN pg_temp.fill_id(41, h.id, n % 500 + 1) END, 1.25, 'card', d.at, d.at::date
FROM fill_large h, generate_series(1, 30000) n, LATERAL (SELECT now() - n * interval '15 minutes' AS at) d;

INSERT INTO stock.sale_return (tenant_id, id, register_id, number, sale_id, customer_id, occurred_at, business_day, total, refund)
SELECT h.id, pg_temp.fill_id(50, h.id, n), pg_temp.fill_id(5, h.id, 1), n, pg_temp.fill_id(10, h.id, n * 40),
       pg_temp.fill_id(9, h.id, n * 2), d.at, d.at::date, 2.5, 0
FROM fill_large h, generate_series(1, least(20000, h.sales / 40)) n, LATERAL (SELECT now() - n * interval '20 minutes' AS at) d;
INSERT INTO stock.sale_return_line (tenant_id, id, return_id, position, sale_line_id, product_id, name, unit, quantity, unit_price,
                                    amount, unit_cost, restock)
SELECT r.tenant_id, pg_temp.fill_id(51, r.tenant_id, r.number), r.id, 1, l.id, l.product_id, l.name, l.unit, 1, 2.5, 2.5, 1.25, true
FROM fill_large h JOIN stock.sale_return r ON r.tenant_id = h.id
JOIN stock.sale_line l ON l.tenant_id = r.tenant_id AND l.sale_id = r.sale_id AND l.position = 1;

INSERT INTO stock.cash_session (tenant_id, id, register_id, number, status, float, opened_at, closed_at, business_day, expected,
                                counted, difference, report)
SELECT h.id, pg_temp.fill_id(52, h.id, n), pg_temp.fill_id(5, h.id, n % 20 + 1), n, 'closed', 100, d.at, d.at, d.at::date, 100, 100,
       0, '{}'
FROM fill_large h, generate_series(1, 10000) n, LATERAL (SELECT now() - n * interval '1 hour' AS at) d;

-- One product in twenty is low, one in sixty is out.
UPDATE stock.product SET min_stock = 2000000 WHERE hashtext(id::text) % 20 = 0;
UPDATE stock.stock_level SET on_hand = 0 WHERE hashtext(product_id::text) % 60 = 0;

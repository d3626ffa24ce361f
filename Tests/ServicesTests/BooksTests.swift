import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

/// The functions that write the books, called as a command calls them.
@Suite("The books")
struct BooksTests {
    /// A move as SQL: of a product of the shop, with a cost that what comes was bought for.
    private func move(_ sku: String, _ quantity: String, cost: String = "NULL") -> String {
        """
        ROW(gen_random_uuid(), (SELECT id FROM stock.product WHERE sku = '\(sku)'), 'adjustment', \(quantity), \(cost),
            'r', NULL, NULL, NULL, now(), stock.today(), stock.main_location())::stock.move
        """
    }

    @Test("moves of one product at once are numbered and run as one after the other would")
    func steps() async throws {
        try await TestShop.open { shop in
            let moved = try await shop.asTenant(
                """
                SELECT count(*) FROM stock.move_stock(ARRAY[
                    \(move("A", "-3")), \(move("B", "5")), \(move("A", "10")), \(move("A", "-1"))])
                """
            )
            #expect(moved == "2")
            let movements = try await shop.psql(
                """
                SELECT string_agg(concat_ws(' ', m.seq, trim_scale(m.quantity), trim_scale(m.on_hand_after)), ', ' ORDER BY m.seq)
                FROM stock.stock_movement m JOIN stock.product p ON p.id = m.product_id AND p.sku = 'A'
                """
            )
            #expect(movements == "1 1000 1000, 2 -3 997, 3 10 1007, 4 -1 1006")
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "what comes with a cost moves the average, what goes leaves it",
        arguments: [
            (["10|2"], "2"), (["10|2", "10|4"], "3"), (["-5|NULL", "10|2", "10|4"], "3"), (["10|NULL"], "0"),
            (["3|1", "0.5|2"], "1.142857"),
        ]
    )
    func costs(moves: [String], cost: String) async throws {
        try await TestShop.open("costs \(moves)", onHand: 0) { shop in
            let rows = moves.map { text in
                let parts = text.split(separator: "|").map(String.init)
                return move("W", parts[0], cost: parts[1])
            }
            try await shop.asTenant("UPDATE stock.product SET oversell = 'allow'")
            try await shop.asTenant("SELECT count(*) FROM stock.move_stock(ARRAY[\(rows.joined(separator: ", "))])")
            let now = try await shop.psql(
                """
                SELECT trim_scale(l.cost) FROM stock.stock_level l JOIN stock.product p ON p.id = l.product_id AND p.sku = 'W'
                """
            )
            #expect(now == cost)
        }
    }

    @Test("a level that would fall below its floor is left, with its movement, and the others move")
    func floors() async throws {
        try await TestShop.open(onHand: 2) { shop in
            let moves = "ARRAY[\(move("A", "-1")), \(move("B", "-3"))]"
            let moved = try await shop.asTenant(
                "SELECT p.sku FROM stock.move_stock(\(moves)) m JOIN stock.product p ON p.id = m.product_id"
            )
            #expect(moved == "A")
            #expect(try await shop.violations() == [])
            // History has happened, whatever the floor is.
            #expect(try await shop.asTenant("SELECT count(*) FROM stock.move_stock(\(moves), false)") == "2")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("many products move at once as they would one by one, with what some are short of and some were bought for")
    func sets() async throws {
        try await TestShop.open(onHand: 5) { shop in
            // Half of the products may go below zero; some have never been here.
            try await shop.asTenant(
                """
                INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tracks_stock, oversell)
                SELECT stock.current_tenant(), gen_random_uuid(), kind || n, 'Ñ ' || n, (SELECT id FROM stock.unit LIMIT 1), 1,
                       true, CASE WHEN n % 2 = 0 THEN 'allow' ELSE 'deny' END
                FROM generate_series(1, 40) AS n, unnest('{one,set}'::text[]) AS kind
                """
            )
            func moves(_ kind: String, only: String) -> String {
                """
                ARRAY(SELECT ROW(gen_random_uuid(), p.id, 'adjustment', m.quantity, m.cost, 'r', NULL, NULL, NULL, now(),
                                 stock.today(), stock.main_location())::stock.move
                      FROM generate_series(1, 40) AS n, LATERAL (VALUES
                          (1, (n * 7 % 11 - 5)::numeric, CASE WHEN n % 3 = 0 THEN n / 7.0 END),
                          (2, (n * 5 % 13 - 6)::numeric, CASE WHEN n % 5 = 0 THEN n / 3.0 END)) AS m (place, quantity, cost),
                           stock.product p
                      WHERE p.sku = '\(kind)' || n AND m.quantity <> 0 AND \(only) ORDER BY n, m.place)
                """
            }
            for round in 1...2 {
                for number in 1...40 {
                    try await shop.asTenant(
                        "SELECT count(*) FROM stock.move_stock(\(moves("one", only: "n = \(number)")))"
                    )
                }
                let moved = try await shop.asTenant(
                    "SELECT count(*) FROM stock.move_stock(\(moves("set", only: "true")))"
                )
                #expect((21..<40).contains(Int(moved) ?? 0), "\(moved) moved in round \(round)")
            }
            func books(_ kind: String) async throws -> String {
                try await shop.psql(
                    """
                    SELECT substr(p.sku, 4), l.on_hand, l.cost, l.stock_version, n.floor, n.last_seq, (
                        SELECT json_agg(json_build_array(m.seq, m.quantity, m.on_hand_after, m.unit_cost) ORDER BY m.seq)
                        FROM stock.stock_movement m WHERE m.product_id = p.id)
                    FROM stock.product p JOIN stock.stock_level l ON l.product_id = p.id
                    LEFT JOIN stock.location_level n ON n.product_id = p.id
                    WHERE p.sku LIKE '\(kind)%' ORDER BY 1
                    """
                )
            }
            let alone = try await books("one")
            #expect(alone.contains("["))
            #expect(try await books("set") == alone)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("what has never been at a place is written there once, with what the moves of many products come to")
    func firstMoves() async throws {
        try await TestShop.open { shop in
            let written = try await shop.asTenant(
                """
                INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tracks_stock, oversell)
                SELECT stock.current_tenant(), gen_random_uuid(), 'Ñ' || n, 'Ñ ' || n, (SELECT id FROM stock.unit LIMIT 1), 1,
                       true, 'allow'
                FROM generate_series(1, 40) AS n;
                BEGIN;
                SELECT count(*) FROM stock.move_stock(ARRAY(
                    SELECT ROW(gen_random_uuid(), p.id, 'adjustment', n, NULL, 'r', NULL, NULL, NULL, now(), current_date,
                               stock.main_location())::stock.move
                    FROM stock.product p, generate_series(1, 2) AS n WHERE p.sku LIKE 'Ñ%'));
                SELECT n_tup_ins, n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'location_level';
                COMMIT
                """
            )
            #expect(written.split(separator: "\n").contains("40|0"), "\(written)")
        }
    }

    @Test("what levels are worth is one sum of a sale's lines, not one of each", arguments: [2, 3, 10])
    func worth(lines: Int) async throws {
        try await TestShop.open("worth of \(lines)") { shop in
            try await shop.asTenant(
                """
                INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price)
                SELECT stock.current_tenant(), gen_random_uuid(), 'Ñ' || n, 'Ñ ' || n, (SELECT id FROM stock.unit LIMIT 1), 1
                FROM generate_series(1, \(lines)) AS n
                """
            )
            func moved(_ quantity: Int) -> String {
                "SELECT count(*) FROM stock.move_stock(ARRAY["
                    + (1...lines).map { move("Ñ\($0)", "\(quantity)", cost: quantity > 0 ? "2" : "NULL") }.joined(
                        separator: ", "
                    )
                    + "]);"
            }
            try await shop.asTenant(moved(5))
            let written = try await shop.asTenant(
                """
                BEGIN; SET LOCAL stats_fetch_consistency = none; SELECT set_config('stock.tenant_id', '\(shop.tenant)', true);
                \(moved(-1))
                SELECT n_tup_ins + n_tup_upd FROM pg_stat_xact_user_tables WHERE relid = 'stock.stock_value_day'::regclass;
                COMMIT
                """
            )
            // Two are moved one by one, which is faster than as a set.
            #expect(written.split(separator: "\n").last == (lines > 2 ? "1" : "2"))
            #expect(try await shop.violations() == [])
        }
    }

    @Test("what was short and is no more is asked for again, instead of being refused without a reason")
    func shortages() async throws {
        try await TestShop.open { shop in
            for (quantity, code) in [("-1001", "ST001"), ("-1000", "ST004")] {
                let refusal = try await shop.database.refusal(
                    of: """
                        SET stock.tenant_id = \(shop.tenant);
                        SELECT stock.refuse_moves('/lines/', ARRAY[0], ARRAY[p.id], ARRAY[stock.main_location()], ARRAY[\(quantity)])
                        FROM stock.product p WHERE p.sku = 'A'
                        """
                )
                #expect(refusal == code, "\(quantity)")
            }
        }
    }

    @Test(
        "a table of the books refuses what can not be, whoever writes it",
        arguments: [
            (
                "sale",
                [
                    "subtotal = -1", "discount = -1", "discount = subtotal + 1", "tax = -1", "total = total + 1",
                    "paid = -1",
                    "due = due + 1", "rounding = 0.05", "refunded = -1", "returned_total = -1",
                    "returned_total = total + 1",
                    "status = 'x'",
                    "number = NULL", "status = 'draft'", "note = repeat('x', 2001)", "external_id = ''",
                ]
            ),
            (
                "sale_line",
                [
                    "quantity = 0", "unit_price = -1", "discount = -1", "document_discount = -1", "tax_rate = -1",
                    "tax = -1",
                    "total = -1", "unit_cost = -1", "returned_quantity = -1", "returned_quantity = quantity + 1",
                    "position = 0", "price_source = 'x'",
                ]
            ),
            (
                "payment",
                [
                    "amount = 0", "tendered = amount - 1, change = -1", "tendered = amount + 1, change = 2",
                    "change = 2",
                    "tendered = NULL", "direction = 'x'", "status = 'x'", "method = 'é'", "tip = -1", "tip = 0.5",
                    "rounding = amount",
                ]
            ),
            ("payment_allocation", ["amount = 0", "position = 0"]),
            ("ledger_entry", ["amount = 0", "direction = 'x'", "method = 'é'"]),
            (
                "stock_movement",
                ["quantity = 0", "unit_cost = -1", "kind = 'x'", "reason = ''", "reason = repeat('x', 501)"]
            ),
            ("stock_level", ["cost = -1"]), ("location_level", ["floor = on_hand + 1"]),
        ]
    )
    func limits(table: String, changes: [String]) async throws {
        try await TestShop.open("limits of \(table)") { shop in
            try await shop.sell(try shop.request([("A", "2")], paid: [try cash("5.00", tendered: "6.00")]))
            for change in changes {
                let refusal = try await shop.database.refusal(
                    of: "BEGIN; UPDATE stock.\(table) SET \(change); ROLLBACK"
                )
                #expect(refusal == "23514", "\(table): \(change)")
            }
        }
    }

    @Test(
        "a table of what is bought and spent refuses what can not be, whoever writes it",
        arguments: [
            (
                "purchase",
                [
                    "goods = -1, total = costs - 1", "costs = -1, total = goods - 1",
                    "total = total + 1, due = due + 1",
                    "paid = -1, due = due + 1", "paid = total + 1, due = -1", "due = due + 1", "status = 'x'",
                    "status = 'draft', due = 0", "number = NULL", "register_id = NULL", "reference = ''", "note = ''",
                ]
            ),
            (
                "purchase_line",
                [
                    "quantity = 0", "received_quantity = -1", "received_quantity = quantity + 1", "open_quantity = 0.5",
                    "unit_cost = -1", "total = -1", "cost_share = -1", "position = 0",
                ]
            ),
            ("purchase_cost", ["amount = 0", "name = ''", "position = 0"]),
            ("purchase_allocation", ["amount = 0", "position = 0"]),
            (
                "money_entry",
                [
                    "amount = 0", "direction = 'income'", "source = 'x'", "method = 'é'", "category = ''", "note = ''",
                    "status = 'x'", "source = 'manual', supplier_id = gen_random_uuid()",
                ]
            ),
        ]
    )
    func limitsOfBuying(table: String, changes: [String]) async throws {
        try await TestShop.open("limits of \(table)") { shop in
            let id = try await shop.order(try await shop.supplier(), [("A", "2", "1")], costs: [("Freight", "1.00")])
            try await shop.pay("1.00", of: id)
            let request = MoneyEntryRequest(category: "Rent", amount: try Money("1.00"), method: .cash)
            _ = try await shop.expenses.record(request, shop.context, key: nil)
            for change in changes {
                let refusal = try await shop.database.refusal(
                    of: "BEGIN; UPDATE stock.\(table) SET \(change); ROLLBACK"
                )
                #expect(refusal == "23514", "\(table): \(change)")
            }
        }
    }

    @Test("numbers are taken one by one or many at once, without a gap")
    func numbers() async throws {
        try await TestShop.open { shop in
            let register = "(SELECT id FROM stock.register WHERE is_default)"
            for (count, first) in [(1, 1), (1, 2), (1000, 3), (1, 1003)] {
                let taken = try await shop.asTenant("SELECT stock.document_number(\(register), 'return', \(count))")
                #expect(taken == "\(first)")
            }
        }
    }
}

extension TestShop {
    /// What SQL gives as the tenant that has the shop, whoever may see more.
    @discardableResult
    func asTenant(_ sql: String) async throws -> String {
        try await psql("SET stock.tenant_id = \(tenant); \(sql)")
    }
}

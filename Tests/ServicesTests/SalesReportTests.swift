import Cache
import Domain
import Kernel
import Postgres
import Services
import TestSupport
import Testing

@Suite("Reports of what sells")
struct SalesReportTests {
    private func read(_ shop: TestShop, _ read: CachedRead) async throws -> JSONObjectBody {
        try JSONObjectBody(required(try await shop.answer(read).body))
    }

    private func days(_ from: String, _ to: String) throws -> DayRange {
        try DayRange(from: required(BusinessDay(from)), to: required(BusinessDay(to)))
    }

    /// The shop's today.
    private func today(_ shop: TestShop) async throws -> BusinessDay {
        try required(BusinessDay(try await shop.psql("SELECT (now() AT TIME ZONE 'Europe/London')::date")))
    }

    private func rows(_ body: JSONObjectBody, _ names: String...) -> [String] {
        body.list("data").map { row in names.map { row[$0] ?? "-" }.joined(separator: " ") }
    }

    /// Sells at noon of a day, to nobody.
    @discardableResult
    private func sell(
        _ shop: TestShop,
        on day: String,
        _ lines: [(String, String)],
        _ paid: String
    ) async throws
        -> JSONObjectBody
    {
        var request = try shop.request(lines.map { (sku: $0.0, quantity: $0.1) }, paid: [try card(paid)])
        request.occurredAt = Timestamp("\(day)T12:00:00Z")
        return try await shop.sell(request)
    }

    @Test("rank products by number, revenue or margin, taxes left out, what came back and was cancelled taken off")
    func top() async throws {
        try await TestShop.open { (shop) async throws in
            try await sell(shop, on: "2026-03-01", [("A", "40"), ("B", "3")], "112.00")
            let sold = try await sell(shop, on: "2026-03-02", [("B", "30"), ("W", "1.5")], "138.38")
            try await sell(shop, on: "2026-03-31", [("A", "1")], "2.50")
            let march = try await read(
                shop,
                shop.reports.topProducts(TopQuery(days: days("2026-03-01", "2026-03-30")), shop.caller)
            )
            // 132.00 with 10 % is 120.00 without; 100.00 with 21 % is 82.64.
            #expect(
                rows(march, "sku", "quantity", "revenue", "cost", "margin", "margin_percent") == [
                    "B 33 120.00 41.25 78.75 65.63", "A 40 82.64 50.00 32.64 39.50",
                    "W 1.5 18.38 1.88 16.50 89.80",
                ]
            )
            let most = try await read(
                shop,
                shop.reports.topProducts(
                    TopQuery(days: days("2026-03-01", "2026-03-30"), rank: .quantity, limit: 1),
                    shop.caller
                )
            )
            #expect(rows(most, "sku", "quantity") == ["A 40"])

            try await shop.takeBack(
                sold,
                [(0, "10")],
                refund: [Refund(method: .card, amount: try Money("40.00"))]
            )
            let gone = try await sell(shop, on: "2026-03-05", [("S", "7")], "70.00")
            try await shop.cancel(gone)
            let day = try await today(shop)
            let now = try await read(
                shop,
                shop.reports.topProducts(TopQuery(days: DayRange(from: day, to: day)), shop.caller)
            )
            #expect(
                rows(now, "sku", "quantity", "returned", "revenue", "cost")
                    == ["B -10 10 -36.36 -12.50", "S -7 0 -70.00 0.00"]
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("margins are those of categories, what is in none among them, below their sum")
    func margins() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql(
                """
                INSERT INTO stock.category (tenant_id, id, name)
                VALUES (\(shop.tenant), '\(TestShop.product("C"))', 'Früchte');
                UPDATE stock.product SET category_id = '\(TestShop.product("C"))' WHERE sku IN ('A', 'W')
                """
            )
            try await sell(shop, on: "2026-03-01", [("A", "40"), ("B", "3"), ("W", "2")], "136.50")
            let body = try await read(shop, shop.reports.margins(days("2026-03-01", "2026-03-01"), shop.caller))
            #expect(
                rows(body, "name", "revenue", "cost", "margin", "margin_percent")
                    == ["Früchte 107.14 52.50 54.64 51.00", "- 10.91 3.75 7.16 65.63"]
            )
            #expect(body["revenue"] == "118.05" && body["margin"] == "61.80")
        }
    }

    @Test("taxes are those of the days, with what came back in parts and what was cancelled on its own day")
    func taxes() async throws {
        try await TestShop.open { (shop) async throws in
            let sold = try await sell(shop, on: "2026-03-01", [("A", "3"), ("B", "2")], "15.50")
            let march = try await read(shop, shop.reports.taxes(days("2026-03-01", "2026-03-31"), shop.caller))
            #expect(
                rows(march, "name", "rate", "base", "amount", "deducted_base", "deducted_amount", "payable") == [
                    "21 % 21 6.20 1.30 0.00 0.00 1.30", "10 % 10 7.27 0.73 0.00 0.00 0.73",
                ]
            )
            #expect(march["payable"] == "2.03")
            for _ in 0..<3 {
                try await shop.takeBack(
                    sold,
                    [(0, "1")],
                    refund: [Refund(method: .card, amount: try Money("2.50"))]
                )
            }
            // 1.30 in three parts: 0.43, 0.44, 0.43.
            #expect(
                try await shop.psql(
                    "SELECT string_agg(trim_scale(tax)::text, ' ' ORDER BY id) FROM stock.sale_return_line"
                )
                    == "0.43 0.44 0.43"
            )
            try await shop.cancel(try await sell(shop, on: "2026-03-02", [("B", "1")], "4.00"))
            let day = try await today(shop)
            let now = try await read(shop, shop.reports.taxes(DayRange(from: day, to: day), shop.caller))
            #expect(
                rows(now, "name", "amount", "deducted_base", "deducted_amount", "payable") == [
                    "21 % 0.00 6.20 1.30 -1.30", "10 % 0.00 3.64 0.36 -0.36",
                ]
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of a return without a sale take off the taxes that are in its price")
    func unsold() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql("UPDATE stock.tenant SET returns_without_sale = 'allow'")
            try await shop.psql(
                """
                BEGIN;
                SELECT set_config('stock.tenant_id', '\(shop.tenant)', true);
                SELECT stock.return_unsold(gen_random_uuid(), NULL, NULL, NULL, NULL, NULL, ARRAY[gen_random_uuid()],
                    ARRAY['\(TestShop.product("A"))']::uuid[], ARRAY[NULL]::text[], ARRAY[2], ARRAY[6.05], ARRAY[true],
                    ARRAY[gen_random_uuid()], ARRAY[gen_random_uuid()], ARRAY[gen_random_uuid()], ARRAY['card'], ARRAY[12.10],
                    gen_random_uuid());
                COMMIT
                """
            )
            let day = try await today(shop)
            let now = try await read(shop, shop.reports.taxes(DayRange(from: day, to: day), shop.caller))
            #expect(rows(now, "name", "deducted_base", "deducted_amount") == ["21 % 10.00 2.10"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("stock is worth what it cost, today and on the day that it was written down; carrying it changes nothing")
    func stockValue() async throws {
        try await TestShop.open { (shop) async throws in
            let day = try await today(shop)
            func value(_ day: BusinessDay? = nil) async throws -> String? {
                try await read(shop, shop.reports.stockValue(on: day, shop.caller))["value"]
            }
            #expect(try await value() == "3750.00")
            try await sell(shop, on: "2026-03-01", [("A", "40"), ("W", "0.333")], "104.08")
            #expect(try await value() == "3699.58")
            try await shop.psql("UPDATE stock.stock_value_day SET business_day = business_day - 1")
            let supplier = try await shop.supplier()
            let order = try await shop.order(supplier, [("B", "10", "2")])
            _ = try await shop.receive(order)
            #expect(try await value(day) == "3719.58")
            #expect(try await value(day.adding(days: -1)) == "3699.58")
            #expect(try await value(day.adding(days: -2)) == nil)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a statement that moves many levels adds to their worth once, however many there are")
    func worthOfManyLevels() async throws {
        try await TestShop.open { (shop) async throws in
            let told = try await shop.psql(
                """
                BEGIN;
                UPDATE stock.stock_level SET on_hand = on_hand + 1 WHERE cost > 0;
                UPDATE stock.stock_level SET on_hand = on_hand - 1, in_transit = in_transit + 1 WHERE cost > 0;
                SELECT (SELECT count(*) > 1 FROM stock.stock_level WHERE cost > 0),
                       (SELECT n_tup_ins + n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'stock_value_day');
                SELECT sum(v.change) = (SELECT sum((l.on_hand + l.in_transit) * l.cost) FROM stock.stock_level l)
                FROM stock.stock_value_day v;
                ROLLBACK
                """
            )
            #expect(told == "t|1\nt", "the second statement changes where goods are, and not what they are worth")
        }
    }

    @Test("what is not sold any more is listed with what there is of it, page by page")
    func deadStock() async throws {
        try await TestShop.open { (shop) async throws in
            let day = try await today(shop)
            func list(_ days: Int) async throws -> [String] {
                var told: [String] = []
                var cursor: String?
                repeat {
                    let page = try await read(
                        shop,
                        shop.reports.deadStock(days: days, Page(limit: 1, cursor: cursor), shop.caller)
                    )
                    told += rows(page, "sku", "on_hand", "value", "last_sold_on")
                    cursor = page["next_cursor"]
                } while cursor != nil
                return told
            }
            #expect(try await list(90) == ["A 1000 1250.00 -", "B 1000 1250.00 -", "W 1000 1250.00 -"])
            let old = try required(day.adding(days: -90))
            let recent = try required(day.adding(days: -89))
            try await sell(shop, on: old.description, [("B", "1"), ("S", "1")], "14.00")
            try await sell(shop, on: recent.description, [("A", "1000")], "2500.00")
            try await sell(shop, on: recent.description, [("W", "1")], "12.25")
            #expect(try await list(90) == ["B 999 1248.75 \(old)"])
            // Of A there is nothing left.
            #expect(try await list(89) == ["B 999 1248.75 \(old)", "W 999 1248.75 \(recent)"])
            try await sell(shop, on: "2026-01-01", [("W", "1")], "12.25")
            #expect(try await list(89).count == 2)
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "the first sale of a day adds up those before it, once, if nobody else is at work; reports are the same before and after"
    )
    func addingUp() async throws {
        try await TestShop.open { (shop) async throws in
            let day = try await today(shop)
            let before = try required(day.adding(days: -1))
            // As if the shop had been open for a while, and the days behind this one were not added up yet.
            try await shop.psql(
                "INSERT INTO stock.sums_state (tenant_id, open_from) VALUES (\(shop.tenant), '\(before)')"
            )
            func sums() async throws -> String {
                try await shop.psql(
                    """
                    SELECT coalesce(string_agg(format('%s %s', business_day, trim_scale(sold - returned)), ',' ORDER BY slot), '')
                    FROM stock.product_day
                    """
                )
            }
            func report() async throws -> String {
                let days = try DayRange(from: day.adding(days: -7), to: day)
                let products = try await read(shop, shop.reports.topProducts(TopQuery(days: days), shop.caller))
                return try await products.text + read(shop, shop.reports.taxes(days, shop.caller)).text
            }
            let sold = try await sell(shop, on: before.description, [("B", "3")], "12.00")
            #expect(try await sums() == "")
            let first = try await report()
            try await withDatabase(shop.database.appURL) { (client) async throws in
                try await client.withLease(deadline: shop.context.deadline) { lease in
                    // Another till, in the midst of a sale.
                    try await lease.execute(
                        script: """
                            BEGIN;
                            SELECT set_config('stock.tenant_id', '\(shop.tenant)', true);
                            SELECT stock.hold_sums(\(shop.tenant));
                            """
                    )
                    try await shop.sell(try shop.request([("S", "1")], paid: [try cash("10.00")]))
                    try await lease.execute(script: "COMMIT")
                }
            }
            #expect(try await sums() == "")
            let second = try await report()
            #expect(first != second)
            try await shop.sell(try shop.request([("S", "1")], paid: [try cash("10.00")]))
            #expect(try await sums() == "\(before) 3")
            try await shop.sell(try shop.request([("S", "1")], paid: [try cash("10.00")]))
            #expect(try await sums() == "\(before) 3")
            // What is written of a day that is added up goes into its sums.
            try await sell(shop, on: before.description, [("B", "2")], "8.00")
            #expect(try await sums() == "\(before) 5")
            try await shop.cancel(sold)
            #expect(try await shop.violations() == [])
            let third = try await report()
            try await shop.addUp()
            #expect(try await sums() != "\(before) 5")
            #expect(try await report() == third)
            #expect(try await shop.violations() == [])
        }
    }
}

extension TestShop {
    /// Adds up all days up to today, as the first sale of tomorrow will.
    func addUp() async throws {
        try await psql(
            """
            BEGIN;
            SELECT set_config('stock.tenant_id', '\(tenant)', true);
            SELECT stock.add_up(\(tenant), now()::date + 2);
            COMMIT
            """
        )
    }
}

@Suite("Money by place")
struct BalancePlaceTests {
    private func summary(_ shop: TestShop, _ place: BalancePlace) async throws -> JSONObjectBody {
        try JSONObjectBody(required(try await shop.answer(shop.balance.summary(.all, at: place, shop.caller)).body))
    }

    @Test(
        "a register has what it took and gave, its location as well, also when it is carried away; what no till took is of none"
    )
    func registers() async throws {
        try await TestShop.open { (shop) async throws in
            let main = try required(RegisterID(TestShop.register))
            let second = try await shop.openLocation("Łódź")
            let till = try await shop.openRegister(at: second)
            try await shop.move("A", .opening, "50", at: second)
            try await shop.sell(try shop.request([("A", "4")], paid: [try cash("10.00")]))
            try await shop.sellApples(2, at: till)
            let sold = try await shop.sell(try shop.request([("B", "2")], paid: [try card("8.00")]))
            try await shop.cancel(sold)
            _ = try await shop.expenses.record(
                MoneyEntryRequest(category: "Rent", amount: try Money("3.00"), method: .transfer),
                shop.context,
                key: nil
            )
            #expect(try await summary(shop, .anywhere)["net"] == "12.00")
            #expect(try await summary(shop, BalancePlace(registerID: main))["net"] == "10.00")
            #expect(try await summary(shop, BalancePlace(registerID: till))["net"] == "5.00")
            #expect(try await summary(shop, BalancePlace(locationID: second))["income"] == "5.00")
            try await shop.psql("UPDATE stock.register SET location_id = stock.main_location() WHERE id = '\(till)'")
            try await shop.sellApples(1, at: till)
            #expect(try await summary(shop, BalancePlace(locationID: second))["income"] == "5.00")
            #expect(try await summary(shop, BalancePlace(registerID: till))["income"] == "7.50")
            let there = try await summary(shop, BalancePlace(locationID: second, registerID: till))
            #expect(there["income"] == "5.00" && there["register_id"] == till.description)
            let series = try JSONObjectBody(
                required(
                    try await shop.answer(
                        shop.balance.series(
                            SeriesQuery(view: .yearly, place: BalancePlace(locationID: .make())),
                            shop.caller
                        )
                    ).body
                )
            )
            #expect(series.list("data").map { $0["income"] } == Array(repeating: "0.00", count: 5))
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "a day at a glance stands beside the day before and that of the week before, its sales by the hour of the shop"
    )
    func dashboard() async throws {
        try await TestShop.open(timezone: "America/Montevideo") { (shop) async throws in
            for (moment, quantity) in [
                ("2026-03-09T02:59:59.999Z", 1), ("2026-03-09T03:00:00Z", 2), ("2026-03-10T02:30:00Z", 3),
                ("2026-03-02T12:00:00Z", 4),
            ] {
                var request = try shop.request([("S", "\(quantity)")], paid: [try card("\(quantity * 10).00")])
                request.occurredAt = Timestamp(moment)
                try await shop.sell(request)
            }
            let day = try required(BusinessDay("2026-03-09"))
            let answer = try await shop.answer(shop.balance.dashboard(of: day, shop.caller))
            let body = try JSONBody(answer)
            #expect(body["date"] == "2026-03-09" && body["sales_count"] == "2" && body["net"] == "50.00")
            #expect(body["compared.day_before.date"] == "2026-03-08" && body["compared.day_before.net"] == "10.00")
            #expect(body["compared.week_before.sales_total"] == "40.00")
            let hours = body.texts("hours", "sales_total")
            #expect(hours.count == 24 && hours[0] == "20.00" && hours[23] == "30.00" && hours[1] == "0.00")
        }
    }
}

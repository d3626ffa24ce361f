import Cache
import Domain
import Kernel
import NIOCore
import TestSupport
import Testing

@testable import Services

@Suite("A sale")
struct SaleTests {
    @Test("has lines of the products that it was priced for, whatever changes while it is written")
    func meanwhile() async throws {
        try await TestShop.open { (shop) async throws in
            // Changes the product between the comparison of versions and the lines, the first time.
            try await shop.psql(
                """
                CREATE SEQUENCE public.once;
                CREATE FUNCTION public.meanwhile() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                BEGIN
                    IF nextval('public.once') = 1 THEN
                        UPDATE stock.product SET name = 'Meanwhile', version = version + 1
                        WHERE tenant_id = NEW.tenant_id AND id = NEW.product_id;
                    END IF;
                    RETURN NULL;
                END
                $$;
                CREATE TRIGGER meanwhile AFTER INSERT ON stock.stock_movement
                    FOR EACH ROW EXECUTE FUNCTION public.meanwhile();
                """
            )
            try await shop.sell(shop.request([("A", "1")], paid: [try cash("2.50")]))
            #expect(try await shop.psql("SELECT name FROM stock.sale_line") == "Apple")
            #expect(try await shop.psql("SELECT last_value FROM public.once") == "2")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("takes cash and card together and hands back the change")
    func mixedPayments() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(
                try shop.request(
                    [("A", "2"), ("B", "1")],
                    paid: [try cash("5.00", tendered: "20.00"), try card("4.00")]
                )
            )
            #expect(sale["number"] == "1")
            #expect(sale["status"] == "confirmed")
            #expect(sale["total"] == "9.00")
            #expect(sale["paid"] == "9.00")
            #expect(sale["due"] == "0.00")
            #expect(sale["change"] == "15.00")
            #expect(sale.list("payments").map { $0["method"] } == ["cash", "card"])
            #expect(sale.list("lines").map { $0["total"] } == ["5.00", "4.00"])
            #expect(sale.list("lines").first?["unit_cost"] == "1.25")
            let ledger = try await shop.psql(
                "SELECT string_agg(method || ' ' || amount || ' ' || direction, ',' ORDER BY amount) FROM stock.ledger_entry"
            )
            #expect(ledger == "card 4.0000 income,cash 5.0000 income")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is read back as it was answered, by id and in the list")
    func readBack() async throws {
        try await TestShop.open { (shop) async throws in
            let answer = try await shop.sales.confirm(
                try shop.request([("A", "1")], paid: [try cash("2.50")]),
                shop.context,
                key: shop.key("k")
            )
            let text = try #require(try JSONObjectBody(answer.body)["id"])
            let id = try #require(SaleID(text))
            #expect(answer.status == 201)
            #expect(answer.location == "/v1/sales/\(id)")
            #expect(answer.etag == "\"1\"")
            let read = try await shop.answer(shop.sales.sale(id, shop.caller))
            #expect(read.body == answer.body)
            let list = try await shop.answer(shop.sales.list(SaleFilter(), Page(limit: 10), shop.caller))
            let page = try JSONObjectBody(try #require(list.body))
            #expect(page.list("data").map { $0["id"] } == ["\(id)"])
            #expect(page["next_cursor"] == nil)
        }
    }

    @Test("is listed page by page, newest first, by customer and by day")
    func pages() async throws {
        try await TestShop.open { (shop) async throws in
            for number in 0..<5 {
                var request = try shop.request(
                    [("A", "1")],
                    paid: [try cash("2.50")],
                    customer: number.isMultiple(of: 2)
                )
                request.occurredAt = Timestamp("2026-03-0\(number + 1)T12:00:00Z")
                try await shop.sell(request)
            }
            var days: [String?] = []
            var cursor: String?
            repeat {
                let list = try await shop.answer(
                    shop.sales.list(SaleFilter(), Page(limit: 2, cursor: cursor), shop.caller)
                )
                let page = try JSONObjectBody(try #require(list.body))
                days += page.list("data").map { $0["business_day"] }
                cursor = page["next_cursor"]
            } while cursor != nil
            #expect(days == ["2026-03-05", "2026-03-04", "2026-03-03", "2026-03-02", "2026-03-01"])

            var filter = SaleFilter()
            filter.customerID = shop.customerID
            filter.days = try DayRange(from: nil, to: BusinessDay("2026-03-03"))
            let named = try await shop.answer(shop.sales.list(filter, Page(limit: 10), shop.caller))
            let page = try JSONObjectBody(try #require(named.body))
            #expect(page.list("data").map { $0["business_day"] } == ["2026-03-03", "2026-03-01"])

            let first = try await shop.answer(shop.sales.list(SaleFilter(), Page(limit: 2), shop.caller))
            let foreign = try JSONObjectBody(try #require(first.body))["next_cursor"]
            let problem = await refusal {
                try await shop.answer(shop.sales.list(filter, Page(limit: 2, cursor: foreign), shop.caller))
            }
            #expect(problem?.code == .cursorMismatch)
        }
    }

    @Test("adds up two lines of one product before it looks at the stock")
    func duplicateLines() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let problem = await refusal {
                try await shop.sell(
                    try shop.request([("A", "6"), ("B", "1"), ("A", "6")], paid: [try cash("34.00")])
                )
            }
            #expect(problem?.code == .insufficientStock)
            #expect(problem?.errors.map(\.pointer) == ["/lines/0/quantity", "/lines/2/quantity"])
            #expect(
                problem?.errors.first?.extra.filter { ["requested", "available"].contains($0.name) }.map(\.json)
                    == ["\"12\"", "\"10\""]
            )
            try await shop.sell(try shop.request([("A", "5"), ("a", "5")], paid: [try cash("25.00")]))
            #expect(try await shop.psql("SELECT count(*) FROM stock.stock_movement WHERE kind = 'sale'") == "1")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("names every line that lacks stock, and no other")
    func everyShortLine() async throws {
        try await TestShop.open(onHand: 3) { (shop) async throws in
            let problem = await refusal {
                try await shop.sell(
                    try shop.request([("W", "3.5"), ("A", "1"), ("B", "4")], paid: [try cash("61.38")])
                )
            }
            #expect(problem?.errors.map(\.pointer) == ["/lines/0/quantity", "/lines/2/quantity"])
            #expect(
                try await shop.psql("SELECT string_agg(DISTINCT on_hand::text, ',') FROM stock.stock_level")
                    == "0.000000,3.000000"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("never sells the last ten to more than ten of 64 tills")
    func oversellStorm() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for till in 0..<64 {
                    group.addTask {
                        await refusal {
                            try await shop.sell(
                                try shop.request([("A", "1")], paid: [try cash("2.50")]),
                                key: shop.key("till \(till)")
                            )
                        }?.code
                    }
                }
                return await group.reduce(into: [Problem.Code?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 10)
            #expect(codes.count { $0 == .insufficientStock } == 54)
            #expect(
                try await shop.psql(
                    "SELECT on_hand::int FROM stock.stock_level WHERE product_id = '\(TestShop.product("A"))'"
                )
                    == "0"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("meets no deadlock when carts hold the same products in opposite order")
    func oppositeOrder() async throws {
        try await TestShop.open(onHand: 100_000) { (shop) async throws in
            let forwards = try shop.request([("A", "1"), ("B", "1"), ("W", "1")], paid: [try cash("18.75")])
            let backwards = try shop.request([("W", "1"), ("B", "1"), ("A", "1")], paid: [try cash("18.75")])
            let failures = await withTaskGroup(of: [Problem].self) { group in
                for lane in 0..<4 {
                    group.addTask {
                        var problems: [Problem] = []
                        for _ in 0..<50 {
                            let cart = lane.isMultiple(of: 2) ? forwards : backwards
                            if let problem = await refusal({ try await shop.sell(cart) }) { problems.append(problem) }
                        }
                        return problems
                    }
                }
                return await group.reduce(into: [Problem]()) { $0 += $1 }
            }
            #expect(failures == [])
            let deadlocks = try await shop.psql(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            )
            #expect(deadlocks == "0")
            #expect(try await shop.psql("SELECT count(*), max(number) FROM stock.sale") == "200|200")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("happens once, however many requests carry the same key at the same time")
    func idempotencyStorm() async throws {
        try await TestShop.open { (shop) async throws in
            let request = try shop.request([("A", "1")], paid: [try cash("2.50")])
            let bodies = try await withThrowingTaskGroup(of: ByteBuffer?.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        do throws(Problem) {
                            return try await shop.sales.confirm(request, shop.context, key: shop.key("once")).body
                        } catch {
                            // The first one may still be at it when a twin has waited long enough.
                            return error.code == .idempotencyInProgress ? nil : ByteBuffer(string: "\(error)")
                        }
                    }
                }
                return try await group.reduce(into: [ByteBuffer?]()) { $0.append($1) }
            }
            #expect(Set(bodies.compactMap { $0 }).count == 1)
            #expect(try await shop.psql("SELECT count(*) FROM stock.sale") == "1")
            let again = try await shop.sales.confirm(request, shop.context, key: shop.key("once"))
            #expect(again.replayed)
            #expect(again.body == bodies.compactMap { $0 }.first)
            #expect(again.location != nil && again.etag == "\"1\"")
            let reused = await refusal {
                try await shop.sales.confirm(request, shop.context, key: shop.key("once", hash: 2))
            }
            #expect(reused?.code == .idempotencyKeyReused)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("takes two expired keys along, the oldest first, and its own if that has expired")
    func expiredKeys() async throws {
        try await TestShop.open { (shop) async throws in
            let request = try shop.request([("A", "1")], paid: [try cash("2.50")])
            for name in ["a", "b", "c", "d"] { try await shop.sell(request, key: shop.key(name)) }
            try await shop.psql(
                """
                UPDATE stock.idempotency_record
                SET expires_at = now() - (CASE key WHEN 'a' THEN 3 WHEN 'b' THEN 2 ELSE 1 END) * interval '1 hour'
                """
            )
            try await shop.sell(request, key: shop.key("d"))
            #expect(try await shop.psql("SELECT key FROM stock.idempotency_record ORDER BY key") == "c\nd")
            #expect(try await shop.psql("SELECT count(*) FROM stock.sale") == "5")
        }
    }

    @Test("leaves what a customer does not pay on their account, up to the credit limit")
    func onAccount() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("B", "5")], paid: [try cash("12.00")], customer: true))
            #expect(sale["due"] == "8.00")
            #expect(try await shop.psql("SELECT balance FROM stock.customer_account") == "8.0000")
            try await shop.psql("UPDATE stock.customer SET credit_limit = 10")
            let problem = await refusal {
                try await shop.sell(try shop.request([("A", "1")], paid: [], customer: true))
            }
            #expect(problem?.code == .creditLimitExceeded)
            let walkIn = await refusal { try await shop.sell(try shop.request([("A", "1")], paid: [])) }
            #expect(walkIn?.code == .creditNeedsCustomer)
            let over = await refusal { try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.51")])) }
            #expect(over?.code == .paymentMismatch)
            let low = await refusal {
                try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50", tendered: "2.49")]))
            }
            #expect(low?.code == .paymentMismatch)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("lets only one of two tills use the last of a customer's credit")
    func creditRace() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql("UPDATE stock.customer SET credit_limit = 4")
            let request = try shop.request([("B", "1")], paid: [], customer: true)
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for _ in 0..<8 { group.addTask { await refusal { try await shop.sell(request) }?.code } }
                return await group.reduce(into: [Problem.Code?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1)
            #expect(codes.count { $0 == .creditLimitExceeded } == 7)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is computed again when a price it remembers has changed")
    func priceChanged() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")]))
            try await shop.psql("UPDATE stock.product SET price = 3, version = version + 1 WHERE sku = 'A'")
            let stale = await refusal { try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")])) }
            #expect(stale?.code == .creditNeedsCustomer)
            let sale = try await shop.sell(try shop.request([("A", "1")], paid: [try cash("3.00")]))
            #expect(sale["total"] == "3.00")
            try await shop.psql("UPDATE stock.product SET status = 'archived', version = version + 1 WHERE sku = 'A'")
            let archived = await refusal {
                try await shop.sell(try shop.request([("A", "1")], paid: [try cash("3.00")]))
            }
            #expect(archived?.code == .productInactive)
            try await shop.psql("UPDATE stock.product SET status = 'active', version = version + 1 WHERE sku = 'A'")
            try await shop.sell(try shop.request([("A", "1")], paid: [try cash("3.00")]))
            #expect(try await shop.violations() == [])
        }
    }

    @Test("refuses what is not there, too precise or too late")
    func refusals() async throws {
        try await TestShop.open { (shop) async throws in
            let unknown = await refusal { try await shop.sell(try shop.request([("A", "1"), ("Z", "1")], paid: [])) }
            #expect(unknown?.code == .validationFailed)
            #expect(unknown?.errors.map(\.pointer) == ["/lines/1/sku"])
            let precise = await refusal { try await shop.sell(try shop.request([("A", "0.5")], paid: [])) }
            #expect(precise?.code == .quantityPrecision)
            var request = try shop.request([("A", "1")], paid: [try cash("2.50")])
            request.occurredAt = Timestamp.now().adding(.seconds(600))
            let future = await refusal { [request] in try await shop.sell(request) }
            #expect(future?.errors.map(\.pointer) == ["/occurred_at"])
            try await shop.psql("UPDATE stock.tenant SET closed_until = '2026-01-31', version = version + 1")
            request.occurredAt = Timestamp("2026-01-31T23:59:59Z")
            let closed = await refusal { [request] in try await shop.sell(request) }
            #expect(closed?.code == .periodClosed)
            request.occurredAt = Timestamp("2026-02-01T00:00:00Z")
            try await shop.sell(request)
            request.registerID = RegisterID.make()
            let register = await refusal { [request] in try await shop.sell(request) }
            #expect(register?.errors.map(\.pointer) == ["/register_id"])
            #expect(try await shop.psql("SELECT count(*) FROM stock.sale") == "1")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("moves nothing for what is not counted, and takes no payment for what is free")
    func untrackedAndFree() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.sell(try shop.request([("S", "3")], paid: [try card("30.00")]))
            var free = try shop.request([("A", "1")], paid: [])
            free.lines[0].unitPrice = .zero
            let sale = try await shop.sell(free)
            #expect(sale["total"] == "0.00")
            #expect(sale.list("lines").first?["price_source"] == "override")
            #expect(try await shop.psql("SELECT count(*) FROM stock.stock_movement WHERE kind = 'sale'") == "1")
            #expect(try await shop.psql("SELECT count(*) FROM stock.ledger_entry") == "1")
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "may be written after its lines and payments, but not be missing at the end",
        arguments: [
            ("sale_line", "id = gen_random_uuid()"), ("payment", "id = gen_random_uuid()"),
            ("payment_allocation", "position = 9"),
        ]
    )
    func parts(table: String, key: String) async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")]))
            let before = """
                BEGIN;
                CREATE TEMPORARY TABLE part ON COMMIT DROP AS SELECT * FROM stock.\(table);
                UPDATE part SET sale_id = gen_random_uuid(), \(key);
                INSERT INTO stock.\(table) SELECT * FROM part;
                """
            try await shop.psql("\(before) ROLLBACK")
            let error = await #expect(throws: CommandFailed.self) { try await shop.psql("\(before) COMMIT") }
            #expect("\(error, default: "none")".contains("\(table)_tenant_id_sale_id_fkey"))
        }
    }

    @Test("spreads a discount over its lines and keeps the books right")
    func discounts() async throws {
        try await TestShop.open { (shop) async throws in
            var request = try shop.request([("A", "1"), ("A", "1"), ("A", "1")], paid: [try cash("5.50")])
            request.discount = try Money("1.00")
            request.lines[1].discount = try Money("1.00")
            let sale = try await shop.sell(request)
            #expect(sale["subtotal"] == "7.50")
            #expect(sale["discount"] == "2.00")
            #expect(sale["total"] == "5.50")
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "belongs to the day its moment has in the shop's zone",
        arguments: [
            ("America/Argentina/Buenos_Aires", "2026-03-10T02:59:59.999Z", "2026-03-09"),
            ("America/Argentina/Buenos_Aires", "2026-03-10T03:00:00Z", "2026-03-10"),
            ("Europe/London", "2026-03-29T00:59:59Z", "2026-03-29"),
            ("Europe/London", "2026-07-01T23:00:00Z", "2026-07-02"),
            ("America/Santiago", "2025-09-07T03:59:59Z", "2025-09-06"),
            ("America/Santiago", "2025-09-07T04:00:00Z", "2025-09-07"),
        ]
    )
    func businessDay(zone: String, moment: String, day: String) async throws {
        try await TestShop.open("business_day", timezone: zone) { (shop) async throws in
            var request = try shop.request([("A", "1")], paid: [try cash("2.50")])
            request.occurredAt = Timestamp(moment)
            let sale = try await shop.sell(request)
            #expect(sale["business_day"] == day)
            let days = try await shop.psql(
                """
                SELECT string_agg(DISTINCT d::text, ',') FROM (
                    SELECT business_day AS d FROM stock.sale UNION ALL SELECT business_day FROM stock.payment
                    UNION ALL SELECT business_day FROM stock.ledger_entry
                    UNION ALL SELECT business_day FROM stock.stock_movement WHERE kind = 'sale') x
                """
            )
            #expect(days == day)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("rounds as the database does, whatever the exponent", arguments: [0, 2, 3])
    func rounding(exponent: Int) async throws {
        var random = SystemRandomNumberGenerator()
        var lines: [(quantity: Quantity, price: Price, rate: TaxRate, gross: Money, included: Money, added: Money)] = []
        for _ in 0..<1000 {
            let quantity = Quantity(rawValue: Int64.random(in: 1...5_000_000, using: &random))
            let price = Price(rawValue: Int64.random(in: 0...100, using: &random) * 250_000)
            let rate = TaxRate(rawValue: Int64.random(in: 0...400, using: &random) * 2_500)
            let gross = try price.times(quantity, exponent: exponent)
            lines.append(
                (
                    quantity, price, rate, gross, try rate.included(in: gross, exponent: exponent),
                    try rate.added(to: gross, exponent: exponent)
                )
            )
        }
        let rows = lines.map {
            "(\($0.quantity)::numeric, \($0.price)::numeric, \($0.rate)::numeric, \($0.gross)::numeric, \($0.included)::numeric, \($0.added)::numeric)"
        }
        let database = try await PostgresServer.shared().database(named: "rounding")
        let different = try await database.psql(
            """
            SELECT count(*) FROM (VALUES \(rows.joined(separator: ",\n"))) AS v (quantity, price, rate, gross, included, added)
            WHERE gross <> round(quantity * price, \(exponent))
               OR included <> gross - round(gross::numeric(60, 30) / (1 + rate / 100), \(exponent))
               OR added <> round(gross * rate / 100, \(exponent))
            """
        )
        #expect(different == "0")
    }
}

import Domain
import Kernel
import NIOCore
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("A reservation")
struct ReservationTests {
    @Test("holds a draft's goods back from others, and is used by its own sale")
    func draft() async throws {
        try await TestShop.open(onHand: 3) { (shop) async throws in
            try await shop.reserving(drafts: 30)
            let draft = try await shop.put(try shop.request([("A", "1"), ("S", "4"), ("A", "1")], paid: []))
            #expect(draft["reserved_until"] != nil)
            #expect(try await shop.figures("A") == "3 2 1")
            let short = await refusal { try await shop.sellApples(2) }
            #expect(short?.code == .insufficientStock)
            #expect(
                short?.errors.first?.extra.map { "\($0.name) \($0.json)" } == [
                    "product_id \"\(TestShop.product("A"))\"", "requested \"2\"", "available \"1\"", "on_hand \"3\"",
                    "reserved \"2\"",
                ]
            )
            try await shop.sellApples(1)
            let paid = SaleConfirmation(payments: [try cash("45.00")])
            let sale = try await shop.confirm(draft, paid)
            #expect(sale["reserved_until"] == nil)
            #expect(try await shop.figures("A") == "0 0 0")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("follows the lines of its draft, and ends with it")
    func changed() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            try await shop.reserving(drafts: 30)
            let draft = try await shop.put(try shop.request([("A", "4"), ("B", "1")], paid: []))
            let id = try shop.id(draft)
            var patch = SalePatch()
            // As many as there are, of which it holds most itself.
            patch.lines = .set(try shop.request([("A", "5"), ("W", "0.5")], paid: []).lines)
            _ = try await shop.sales.change(id, patch, expected: .any, shop.context)
            #expect(try await shop.figures("A") == "5 5 0")
            #expect(try await shop.figures("B") == "5 0 5")
            #expect(try await shop.figures("W") == "5 0.5 4.5")
            patch.lines = .set(try shop.request([("W", "1"), ("A", "6")], paid: []).lines)
            let more = patch
            let short = await refusal { try await shop.sales.change(id, more, expected: .any, shop.context) }
            #expect(short?.code == .insufficientStock)
            #expect(short?.errors.map(\.pointer) == ["/lines/1/quantity"])
            #expect(try await shop.figures("A") == "5 5 0")
            // Of nothing that is counted nothing is held back.
            patch.lines = .set(try shop.request([("S", "1")], paid: []).lines)
            let service = try JSONObjectBody(
                try await shop.sales.change(id, patch, expected: .any, shop.context).body
            )
            #expect(service["reserved_until"] == nil)
            #expect(try await shop.figures("A") == "5 0 5")
            patch.lines = .set(try shop.request([("A", "2")], paid: []).lines)
            _ = try await shop.sales.change(id, patch, expected: .any, shop.context)
            let gone = try JSONObjectBody(try await shop.sales.discard(id, shop.context, key: nil).body)
            #expect(gone["reserved_until"] == nil)
            #expect(try await shop.figures("A") == "5 0 5")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is none where the tenant wants none; switched off, what was promised stays so until its time")
    func off() async throws {
        try await TestShop.open(onHand: 1) { (shop) async throws in
            let draft = try await shop.put(try shop.request([("A", "7")], paid: []))
            #expect(draft["reserved_until"] == nil)
            #expect(try await shop.figures("A") == "1 0 1")
            let id = try shop.quoteID(try await shop.quote(try shop.quoteRequest([("A", "9")])))
            _ = try await shop.quotes.send(id, shop.context, key: nil)
            let taken = try JSONObjectBody(try await shop.quotes.accept(id, shop.context, key: nil).body)
            #expect(taken["reserved_until"] == nil)
            try await shop.reserving(drafts: 30)
            let held = try await shop.put(try shop.request([("A", "1")], paid: []))
            try await shop.reserving(drafts: nil)
            #expect(await refusal { try await shop.sellApples(1) }?.code == .insufficientStock)
            // Written again, it is as the tenant has it by now.
            var patch = SalePatch()
            patch.customerID = .set(shop.customerID)
            _ = try await shop.sales.change(try shop.id(held), patch, expected: .any, shop.context)
            #expect(try await shop.figures("A") == "1 0 1")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("past its time keeps nobody from the goods, swept or not; the sweep shows it and tells")
    func lapsed() async throws {
        try await TestShop.open(onHand: 2) { (shop) async throws in
            try await shop.reserving(drafts: 30)
            let draft = try await shop.put(try shop.request([("A", "2"), ("B", "1")], paid: []))
            try await shop.sweep()
            #expect(try await shop.figures("A") == "2 2 0")
            try await shop.lapse()
            #expect(try await shop.violations() == [])
            try await shop.sellApples(1)
            #expect(try await shop.figures("A") == "1 2 -1")
            let rival = try await shop.put(try shop.request([("A", "1")], paid: []))
            #expect(try await shop.violations() == [])
            let paid = SaleConfirmation(payments: [try cash("9.00")])
            #expect(await refusal { try await shop.confirm(draft, paid) }?.code == .insufficientStock)
            try await shop.sweep()
            #expect(try await shop.figures("A") == "1 1 0")
            #expect(try await shop.figures("B") == "2 0 2")
            #expect(
                try await shop.psql(
                    """
                    SELECT string_agg(type || ' ' || entity_id || ' ' || (payload -> 'products')::text, ';')
                    FROM stock.domain_event WHERE type LIKE '%reservation%'
                    """
                )
                    == "sale.reservation_expired \(try shop.id(draft)) "
                    + "[\"\(TestShop.product("A"))\",\"\(TestShop.product("B"))\"]"
            )
            try await shop.confirm(rival, SaleConfirmation(payments: [try cash("2.50")]))
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is swept along the tenants that have ever wanted any, however many others there are")
    func sweptAmongMany() async throws {
        try await TestShop.open(onHand: 2) { (shop) async throws in
            try await shop.reserving(drafts: 30)
            _ = try await shop.put(try shop.request([("A", "2")], paid: []))
            try await shop.psql(
                """
                INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone)
                SELECT 'other-' || n, 'Other ' || n, 'EUR', 2, 'UTC' FROM generate_series(1, 150) n;
                INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone, draft_reservation_minutes)
                VALUES ('last', 'Last', 'EUR', 2, 'UTC', 5)
                """
            )
            // What was promised is swept where nothing more is.
            try await shop.reserving()
            try await shop.lapse()
            let swept = try await shop.psql("SELECT next_after IS NULL, swept FROM stock.sweep_reservations(0, 100)")
            #expect(swept == "t|1")
            #expect(try await shop.figures("A") == "2 0 2")
        }
    }

    @Test("is a quote's from when it was accepted, at most until its last day")
    func quote() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            try await shop.reserving(quotes: 10)
            var request = try shop.quoteRequest([("A", "4"), ("S", "1")])
            let tomorrow = try await shop.psql("SELECT (now() AT TIME ZONE 'Europe/London')::date + 1")
            request.validUntil = try required(BusinessDay(tomorrow))
            let sold = try shop.quoteID(try await shop.quote(request))
            let other = try shop.quoteID(try await shop.quote(try shop.quoteRequest([("A", "2")])))
            for id in [sold, other] { _ = try await shop.quotes.send(id, shop.context, key: nil) }
            #expect(try await shop.figures("A") == "5 0 5")
            _ = try await shop.quotes.accept(sold, shop.context, key: nil)
            #expect(try await shop.figures("A") == "5 4 1")
            #expect(
                try await shop.psql(
                    """
                    SELECT q.reserved_until = (q.valid_until + 1)::timestamp AT TIME ZONE 'Europe/London'
                    FROM stock.quote q WHERE q.id = '\(sold)'
                    """
                ) == "t"
            )
            let short = await refusal { try await shop.quotes.accept(other, shop.context, key: nil) }
            #expect(short?.code == .insufficientStock)
            #expect(short?.errors.map(\.pointer) == ["/lines/0/quantity"])
            let paid = SaleConfirmation(payments: [try cash("20.00")])
            _ = try await shop.quotes.convert(sold, paid, shop.context, key: nil)
            #expect(try await shop.figures("A") == "1 0 1")
            try await shop.move("A", .adjustment, "4", at: nil)
            _ = try await shop.quotes.accept(other, shop.context, key: nil)
            #expect(try await shop.figures("A") == "5 2 3")
            #expect(try await shop.violations() == [])
            let gone = try JSONObjectBody(try await shop.quotes.cancel(other, shop.context, key: nil).body)
            #expect(gone["reserved_until"] == nil)
            #expect(try await shop.figures("A") == "5 0 5")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is heeded by what is sold, carried and sent back, not by what was counted, lost or has happened")
    func heeded() async throws {
        try await TestShop.open(onHand: 3) { (shop) async throws in
            try await shop.reserving(drafts: 30)
            _ = try await shop.put(try shop.request([("A", "2")], paid: []))
            let second = try await shop.openLocation("Łódź")
            let main = try TestShop.main()
            let carried = TransferRequest(
                fromLocationID: main,
                toLocationID: second,
                lines: [.init(product: .sku("A"), quantity: try Quantity("2"))]
            )
            let transfer = try JSONObjectBody(try await shop.transfers.draft(carried, shop.context, key: nil).body)
            let id = try required(TransferID(transfer["id"] ?? ""))
            let short = await refusal { try await shop.transfers.send(id, shop.context, key: nil) }
            #expect(short?.code == .insufficientStock)
            try await shop.move("A", .loss, "-2", at: main)
            #expect(try await shop.figures("A") == "1 2 -1")
            let much = await refusal { try await shop.move("A", .loss, "-2", at: main) }
            #expect(
                much?.errors.first?.extra.first { $0.name == "available" }?.json == "\"1\"",
                "what can be lost is what is there"
            )
            var fact = SaleRequest(
                lines: [
                    SaleRequest.Line(product: .sku("A"), quantity: try Quantity("1"), unitPrice: try Price("2.50"))
                ],
                payments: [try card("2.50")]
            )
            let happenedAt = try required(Timestamp("2026-03-02T10:00:00Z"))
            fact.occurredAt = happenedAt
            fact.purpose = .fact(SaleFact(id: .make(), happenedAt: happenedAt))
            let sale = try JSONObjectBody(try await shop.sales.take(fact, shop.context, key: shop.key("f")).body)
            #expect(sale.list("exceptions").map { $0["code"] } == ["insufficient_stock"])
            #expect(
                sale.list("exceptions").map { $0["detail"] } == ["Of A there is 0 left. 2 is reserved."]
            )
            #expect(try await shop.figures("A") == "0 2 -2")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("bounds nobody where overselling is allowed, and is of its place alone")
    func oversold() async throws {
        try await TestShop.open(onHand: 1) { (shop) async throws in
            try await shop.reserving(drafts: 30)
            let second = try await shop.openLocation("Łódź")
            let till = try await shop.openRegister(at: second)
            _ = try await shop.put(try shop.request([("A", "1")], paid: []))
            var elsewhere = try shop.request([("A", "1")], paid: [])
            elsewhere.registerID = till
            let there = elsewhere
            let short = await refusal { try await shop.put(there) }
            #expect(short?.code == .insufficientStock)
            try await shop.move("A", .adjustment, "1", at: second)
            _ = try await shop.put(there)
            #expect(try await shop.figures("A") == "2 2 0")
            try await shop.asTenant("UPDATE stock.tenant SET oversell = 'allow', version = version + 1")
            try await shop.sellApples(5)
            _ = try await shop.put(try shop.request([("A", "8")], paid: []))
            #expect(try await shop.figures("A") == "-3 10 -13")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of many drafts and tills over the same last pieces: no more is sold or held back than there is")
    func storm() async throws {
        try await TestShop.open(onHand: 20) { (shop) async throws in
            try await shop.reserving(drafts: 30)
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for till in 0..<48 {
                    group.addTask {
                        await refusal {
                            // Carts in opposite order; half of the drafts are sold, a part is given up.
                            let goods = till.isMultiple(of: 2) ? ["A", "B"] : ["B", "A"]
                            if till.isMultiple(of: 3) {
                                let paid = [try cash("6.50")]
                                return try await shop.sell(try shop.request(goods.map { ($0, "1") }, paid: paid))
                            }
                            let draft = try await shop.put(try shop.request(goods.map { ($0, "1") }, paid: []))
                            switch till % 4 {
                            case 0: _ = try await shop.sales.discard(try shop.id(draft), shop.context, key: nil)
                            case 1, 2: try await shop.confirm(draft, SaleConfirmation(payments: [try cash("6.50")]))
                            default: break
                            }
                            return draft
                        }?.code
                    }
                }
                return await group.reduce(into: [Problem.Code?]()) { $0.append($1) }
            }
            #expect(codes.allSatisfy { $0 == nil || $0 == .insufficientStock })
            let sums = try await shop.psql(
                "SELECT bool_and(on_hand >= reserved AND on_hand >= 0) FROM stock.location_level"
            )
            #expect(sums == "t")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("shows in the entity tag of its products, and is retired with what shows it")
    func shown() async throws {
        try await TestShop.open(onHand: 3) { (shop) async throws in
            try await shop.reserving(drafts: 30)
            let id = try required(ProductID(TestShop.product("A")))
            let before = try await shop.tag(id)
            try await shop.psql("DELETE FROM stock.cache_outbox")
            let draft = try await shop.put(try shop.request([("A", "1")], paid: []))
            #expect(
                try await shop.psql(
                    "SELECT string_agg(DISTINCT m, ' ' ORDER BY m) FROM stock.cache_outbox, unnest(modules) m"
                ).hasPrefix("dashboard products reports sales stock")
            )
            let held = try await shop.tag(id)
            #expect(held != before)
            try await shop.lapse()
            try await shop.psql("DELETE FROM stock.cache_outbox")
            try await shop.sweep()
            #expect(
                try await shop.psql(
                    "SELECT string_agg(DISTINCT m, ' ' ORDER BY m) FROM stock.cache_outbox, unnest(modules) m"
                ).hasPrefix("dashboard products reports stock")
            )
            #expect(try await shop.tag(id) == before)
            #expect(try await shop.violations() == [], "\(draft.text)")
        }
    }
}

extension TestShop {
    /// Has drafts hold goods back for some minutes, quotes for some days; nil: not at all.
    func reserving(drafts minutes: Int? = nil, quotes days: Int? = nil) async throws {
        let (minutes, days) = (minutes.map(String.init) ?? "NULL", days.map(String.init) ?? "NULL")
        try await asTenant(
            """
            UPDATE stock.tenant
            SET draft_reservation_minutes = \(minutes), quote_reservation_days = \(days), version = version + 1
            """
        )
    }

    /// Puts the end of all reservations into the past.
    fileprivate func lapse() async throws {
        try await psql(
            """
            UPDATE stock.reservation SET expires_at = expires_at - interval '1 year';
            UPDATE stock.sale SET reserved_until = reserved_until - interval '1 year' WHERE reserved_until IS NOT NULL
            """
        )
    }

    /// Sweeps, as the relay does all the time.
    fileprivate func sweep() async throws {
        try await psql("SELECT next_after IS NULL FROM stock.sweep_reservations(0, 100)")
    }

    /// What is on hand, reserved and available of a product, as its body and its level say it.
    fileprivate func figures(_ sku: Character) async throws -> String {
        let names = ["on_hand", "reserved", "available"]
        let bodies = try await psql(
            """
            SELECT stock.product_body(1, '\(Self.product(sku))');
            SELECT stock.stock_level_body(1, '\(Self.product(sku))');
            SELECT stock.product_places_body(1, '\(Self.product(sku))')
            """
        ).split(separator: "\n").map { try JSONObjectBody(ByteBuffer(string: String($0))) }
        let figures = bodies.map { body in names.map { body[$0] ?? "" }.joined(separator: " ") }
        #expect(Set(figures).count == 1, "\(figures)")
        return figures[0]
    }

    /// The entity tag of a product.
    fileprivate func tag(_ id: ProductID) async throws -> String {
        try await psql(
            """
            SELECT set_config('stock.tenant_id', '1', false);
            \(Product.sql.text.replacing("$1", with: "'\(id)'"))
            """
        ).split(separator: "|").last.map(String.init) ?? ""
    }
}

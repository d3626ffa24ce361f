import Cache
import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("A sale that has happened", .serialized)
struct FactTests {
    private static func fact(
        _ lines: [(sku: String, quantity: String, price: String)],
        at time: String,
        paid: [Tender],
        customer: CustomerID? = nil
    ) throws -> SaleRequest {
        var request = SaleRequest(
            customerID: customer,
            lines: try lines.map {
                SaleRequest.Line(
                    product: .sku($0.sku),
                    quantity: try Quantity($0.quantity),
                    unitPrice: try Price($0.price)
                )
            },
            payments: paid
        )
        let happenedAt = try required(Timestamp(time))
        request.occurredAt = happenedAt
        request.purpose = .fact(SaleFact(id: .make(), happenedAt: happenedAt))
        return request
    }

    private static func codes(_ sale: JSONObjectBody) -> [String?] { sale.list("exceptions").map { $0["code"] } }

    @Test("is written below what is there, and the floor of its level sinks to it")
    func stock() async throws {
        try await TestShop.open(onHand: 2) { (shop) async throws in
            let request = try Self.fact([("A", "5", "2.50")], at: "2026-03-02T10:00:00Z", paid: [try card("12.50")])
            let sale = try JSONObjectBody(try await shop.sales.take(request, shop.context, key: shop.key("f")).body)
            #expect(sale["id"] == request.purpose.fact?.id.description)
            #expect(sale["recorded"] == "offline")
            #expect(sale["happened_at"] == nil)
            #expect(sale["business_day"] == "2026-03-02")
            #expect(Self.codes(sale) == ["insufficient_stock"])
            #expect(try await shop.onHand("A", at: TestShop.main()) == "-3")
            // Sent again it is the same; as another one its id is taken.
            let again = try await shop.sales.take(request, shop.context, key: shop.key("f"))
            #expect(try JSONObjectBody(again.body)["number"] == sale["number"])
            let twin = await refusal { try await shop.sales.take(request, shop.context, key: shop.key("g")) }
            #expect(twin?.code == .duplicate && twin?.errors.map(\.pointer) == ["/id"])
            // What happens now is refused as ever.
            let now = await refusal { try await shop.sell(try shop.request([("A", "1")], paid: [try card("2.50")])) }
            #expect(now?.code == .insufficientStock)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("that leaves few of something says so, as any sale does", arguments: [1, 3])
    func low(lines: Int) async throws {
        try await TestShop.open("facts_low_\(lines)", onHand: 6) { (shop) async throws in
            try await shop.asTenant("UPDATE stock.product SET min_stock = 5 WHERE sku IN ('A', 'B', 'W')")
            let sold = [("A", "3", "2.50"), ("B", "3", "4.00"), ("W", "3", "12.25")].prefix(lines)
            let total = lines == 1 ? "7.50" : "56.25"
            let request = try Self.fact(Array(sold), at: "2026-03-02T10:00:00Z", paid: [try card(total)])
            _ = try await shop.sales.take(request, shop.context, key: shop.key("f"))
            #expect(
                try await shop.psql(
                    "SELECT count(*), min(payload ->> 'on_hand') FROM stock.domain_event WHERE type = 'stock.low'"
                ) == "\(lines)|3"
            )
        }
    }

    @Test("is of its customer, who was archived before it came")
    func archivedCustomer() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant("UPDATE stock.customer SET active = false")
            let request = try Self.fact(
                [("A", "2", "2.50")],
                at: "2026-03-02T10:00:00Z",
                paid: [],
                customer: shop.customerID
            )
            let sale = try JSONObjectBody(try await shop.sales.take(request, shop.context, key: shop.key("f")).body)
            #expect(Self.codes(sale) == ["not_found"])
            #expect(sale["due"] == "5.00" && sale["customer_id"] == shop.customerID?.description)
            #expect(try await shop.psql("SELECT balance FROM stock.customer_account") == "5.0000")
            var now = try shop.request([("A", "1")], paid: [], customer: true)
            #expect(await refusal { try await shop.sell(now) }?.errors.map(\.pointer) == ["/customer_id"])
            now.customerID = .make()
            #expect(await refusal { try await shop.sell(now) }?.errors.map(\.pointer) == ["/customer_id"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is of the method and of the register that were archived before it came, as long as the place is open")
    func archivedTill() async throws {
        try await TestShop.open(onHand: 9) { (shop) async throws in
            let second = try await shop.openLocation("Łódź")
            let till = try await shop.openRegister(at: second)
            try await shop.asTenant(
                """
                INSERT INTO stock.payment_method (tenant_id, id, code, name, kind)
                VALUES (stock.current_tenant(), gen_random_uuid(), 'lunch', 'Bon déjeuner', 'voucher')
                """
            )
            let voucher = Tender(
                method: try required(PaymentMethodCode(rawValue: "lunch")),
                amount: try Money("5.00")
            )
            func fact() throws -> SaleRequest {
                var request = try Self.fact([("A", "2", "2.50")], at: "2026-03-02T10:00:00Z", paid: [voucher])
                request.registerID = till
                return request
            }
            // Known from here on as it was.
            let open = try JSONObjectBody(try await shop.sales.take(try fact(), shop.context, key: nil).body)
            #expect(Self.codes(open) == ["insufficient_stock"])
            try await shop.asTenant(
                """
                UPDATE stock.payment_method SET active = false WHERE code = 'lunch';
                UPDATE stock.register SET active = false WHERE id = '\(till)'
                """
            )
            let sale = try JSONObjectBody(try await shop.sales.take(try fact(), shop.context, key: nil).body)
            let pointers = sale.list("exceptions").map { $0["pointer"] }
            #expect(Set(pointers) == ["/register_id", "/payments/0/method", "/lines"])
            #expect(sale["paid"] == "5.00" && sale["register_id"] == till.description)
            #expect(sale.list("payments").map { $0["method"] } == ["lunch"])
            // Read anew it is the same.
            let sellers = SalesService(store: shop.store, cursors: PageCursors(secret: Array(repeating: 7, count: 32)))
            let again = try JSONObjectBody(try await sellers.take(try fact(), shop.context, key: nil).body)
            #expect(Self.codes(again).count == 3)
            // What happens now is refused as ever.
            var now = try fact()
            now.purpose = .sale
            now.occurredAt = nil
            now.registerID = nil
            let later = now
            #expect(
                await refusal { try await shop.sales.take(later, shop.context, key: nil) }?.errors.map(\.pointer)
                    == ["/payments/0/method"]
            )
            now.payments = [try card("5.00")]
            now.registerID = till
            let byCard = now
            #expect(
                await refusal { try await shop.sales.take(byCard, shop.context, key: nil) }?.errors.map(\.pointer)
                    == ["/register_id"]
            )
            // Nothing was at a place that is closed.
            try await shop.move("A", .adjustment, "6", at: second)
            try await shop.asTenant("UPDATE stock.location SET active = false WHERE id = '\(second)'")
            let closed = await refusal { try await shop.sales.take(try fact(), shop.context, key: nil) }
            #expect(closed?.errors.map(\.pointer) == ["/register_id"])
            #expect(closed?.errors.first?.detail.contains("Open the location") == true)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is refused for no price, no credit, no archived product, no drawer and no day that is closed")
    func everything() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql(
                """
                UPDATE stock.customer SET credit_limit = 1;
                UPDATE stock.product SET status = 'archived' WHERE sku = 'B';
                UPDATE stock.register SET requires_session = true;
                UPDATE stock.tenant SET closed_until = '2026-03-31'
                """
            )
            var cashier = shop.context
            cashier.caller = Caller(
                tenant: shop.tenant,
                role: .cashier,
                scopes: [.salesWrite, .salesOffline],
                name: "Ñ"
            )
            let context = cashier
            let request = try Self.fact(
                [("A", "2", "0.50"), ("B", "1", "4.00")],
                at: "2026-03-02T10:00:00Z",
                paid: [try cash("2.00")],
                customer: shop.customerID
            )
            let sale = try JSONObjectBody(try await shop.sales.take(request, context, key: nil).body)
            #expect(
                Set(Self.codes(sale)) == [
                    "session_closed", "credit_limit_exceeded", "product_inactive", "discount_limit", "period_closed",
                ]
            )
            #expect(sale["business_day"] == "2026-04-01")
            #expect(sale["happened_at"]?.hasPrefix("2026-03-02T10:00:00") == true)
            #expect(sale["due"] == "3.00")
            #expect(try await shop.violations() == [])
            let answer = try await shop.answer(shop.sales.exceptions(.open, Page(limit: 10), shop.caller))
            let list = try JSONObjectBody(try required(answer.body))
            #expect(list.list("data").count == 5)
            let first = try required(list.list("data").first?["id"])
            let id = try required(ID<SaleException>(first))
            let settled = try JSONObjectBody(
                try await shop.sales.settle(id, note: "Visto.", shop.context, key: nil).body
            )
            #expect(settled["status"] == "settled")
            #expect(settled["note"] == "Visto.")
            let twice = await refusal { try await shop.sales.settle(id, note: "Otra vez.", shop.context, key: nil) }
            #expect(twice?.code == .invalidState)
            let events = try await shop.psql(
                "SELECT count(*) FROM stock.domain_event WHERE type = 'sale.exception_settled'"
            )
            #expect(events == "1")
        }
    }

    @Test("is of the day that it was at its place, and of the first open one there if that is closed")
    func zones() async throws {
        try await TestShop.open(onHand: 9) { (shop) async throws in
            try await shop.psql(
                """
                UPDATE stock.location SET timezone = 'America/Los_Angeles' WHERE kind <> 'transit';
                UPDATE stock.tenant SET closed_until = '2026-03-31'
                """
            )
            let closed = try Self.fact([("A", "1", "2.50")], at: "2026-04-01T06:59:00Z", paid: [try card("2.50")])
            let moved = try JSONObjectBody(try await shop.sales.take(closed, shop.context, key: nil).body)
            #expect(moved["business_day"] == "2026-04-01")
            #expect(moved["occurred_at"]?.hasPrefix("2026-04-01T07:00:00") == true)
            #expect(moved["happened_at"]?.hasPrefix("2026-04-01T06:59:00") == true)
            #expect(Self.codes(moved) == ["period_closed"])
            let open = try Self.fact([("A", "1", "2.50")], at: "2026-04-01T07:01:00Z", paid: [try card("2.50")])
            let kept = try JSONObjectBody(try await shop.sales.take(open, shop.context, key: nil).body)
            #expect(kept["business_day"] == "2026-04-01")
            #expect(kept["happened_at"] == nil)
            #expect(Self.codes(kept) == [])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is refused where it adds up to something else, names nothing, or is written by who may not")
    func malformed() async throws {
        try await TestShop.open { (shop) async throws in
            let short = await refusal {
                try await shop.sales.take(
                    try Self.fact([("A", "2", "2.50")], at: "2026-03-02T10:00:00Z", paid: [try card("4.99")]),
                    shop.context,
                    key: nil
                )
            }
            #expect(short?.code == .creditNeedsCustomer)
            let unknown = await refusal {
                try await shop.sales.take(
                    try Self.fact([("ZZZ", "2", "2.50")], at: "2026-03-02T10:00:00Z", paid: [try card("5")]),
                    shop.context,
                    key: nil
                )
            }
            #expect(unknown?.code == .validationFailed)
            var other = shop.context
            other.caller = Caller(tenant: shop.tenant, scopes: [.salesWrite], name: "key")
            let context = other
            let forbidden = await refusal {
                try await shop.sales.take(
                    try Self.fact([("A", "1", "2.50")], at: "2026-03-02T10:00:00Z", paid: [try card("2.50")]),
                    context,
                    key: nil
                )
            }
            #expect(forbidden?.code == .forbidden)
        }
    }
}

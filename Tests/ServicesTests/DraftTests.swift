import Cache
import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("A draft of a sale")
struct DraftTests {
    @Test("has no number, moves nothing and is of no session; confirmed it is a sale as any other")
    func confirmed() async throws {
        try await TestShop.open { (shop) async throws in
            var request = try shop.request([("A", "2"), ("W", "0.333")], paid: [], customer: true)
            request.note = "Für Ñandú 🛒"
            request.discount = try Money("1.00")
            let draft = try await shop.put(request)
            #expect(draft["status"] == "draft")
            #expect(draft["number"] == nil)
            #expect(draft["total"] == "8.08")
            #expect(draft["due"] == "0.00")
            #expect(draft["note"] == "Für Ñandú 🛒")
            #expect(try await shop.psql("SELECT count(*) FROM stock.stock_movement WHERE kind = 'sale'") == "0")
            #expect(try await shop.psql("SELECT count(*) FROM stock.ledger_entry") == "0")
            #expect(try await shop.violations() == [])

            let sale = try await shop.confirm(draft, SaleConfirmation(payments: [try card("5.00")]))
            #expect(sale["id"] == draft["id"])
            #expect(sale["status"] == "confirmed")
            #expect(sale["number"] == "1")
            #expect(sale["total"] == "8.08")
            #expect(sale["due"] == "3.08")
            #expect(sale.list("lines").map { $0["unit_price"] } == ["2.50", "12.25"])
            #expect(sale.list("lines").map { $0["price_source"] } == ["list", "list"])
            #expect(
                try await shop.psql(
                    "SELECT string_agg(type, ' ' ORDER BY id) FROM stock.domain_event WHERE type LIKE 'sale.%'"
                ) == "sale.drafted sale.confirmed"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("keeps the prices it was made with; those that change meanwhile are refused, with both, or kept")
    func repriced() async throws {
        try await TestShop.open { (shop) async throws in
            var request = try shop.request([("A", "1"), ("B", "1"), ("A", "1")], paid: [])
            request.lines[2].unitPrice = try Price("2.00")
            let draft = try await shop.put(request)
            try await shop.asTenant("UPDATE stock.product SET price = 3, version = version + 1 WHERE sku = 'A'")
            // What is not about the lines leaves their prices as they are.
            let id = try shop.id(draft)
            var patch = SalePatch()
            patch.discount = .set(try Money("0.50"))
            let changed = try JSONObjectBody(
                try await shop.sales.change(id, patch, expected: .oneOf([1]), shop.context).body
            )
            #expect(changed.list("lines").map { $0["unit_price"] } == ["2.50", "4.00", "2.00"])
            #expect(changed["total"] == "8.00")

            let paid = SaleConfirmation(payments: [try cash("8.00")])
            let refused = await refusal { try await shop.confirm(draft, paid) }
            #expect(refused?.code == .priceChanged)
            #expect(refused?.errors.map(\.pointer) == ["/lines/0/unit_price"])
            #expect(refused?.errors.first?.extra.map(\.json) == ["\"2.50\"", "\"3.00\""])

            try await shop.asTenant("UPDATE stock.tenant SET on_price_change = 'keep', version = version + 1")
            let sale = try await shop.confirm(draft, paid)
            #expect(sale["total"] == "8.00")
            #expect(sale.list("lines").map { $0["price_source"] } == ["list", "list", "override"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("takes the prices of now with its lines")
    func renewed() async throws {
        try await TestShop.open { (shop) async throws in
            let draft = try await shop.put(try shop.request([("A", "1")], paid: []))
            try await shop.asTenant("UPDATE stock.product SET price = 3, version = version + 1 WHERE sku = 'A'")
            let id = try shop.id(draft)
            var patch = SalePatch()
            patch.lines = .set(try shop.request([("A", "1"), ("S", "1")], paid: []).lines)
            _ = try await shop.sales.change(id, patch, expected: .any, shop.context)
            let sale = try await shop.confirm(draft, SaleConfirmation(payments: [try cash("13.00")]))
            #expect(sale["total"] == "13.00")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is not sold while something in it is archived, and may be changed")
    func archived() async throws {
        try await TestShop.open { (shop) async throws in
            let draft = try await shop.put(try shop.request([("B", "1"), ("A", "1")], paid: []))
            try await shop.asTenant(
                "UPDATE stock.product SET status = 'archived', version = version + 1 WHERE sku = 'A'"
            )
            let refused = await refusal {
                try await shop.confirm(draft, SaleConfirmation(payments: [try cash("6.50")]))
            }
            #expect(refused?.code == .productInactive)
            #expect(refused?.errors.map(\.pointer) == ["/lines/1/product_id"])
            let id = try shop.id(draft)
            var patch = SalePatch()
            patch.customerID = .set(shop.customerID)
            _ = try await shop.sales.change(id, patch, expected: .any, shop.context)
            patch.lines = .set(try shop.request([("A", "1")], paid: []).lines)
            let again = patch
            let named = await refusal { try await shop.sales.change(id, again, expected: .any, shop.context) }
            #expect(named?.code == .productInactive)
            patch.lines = .set(try shop.request([("B", "1")], paid: []).lines)
            _ = try await shop.sales.change(id, patch, expected: .any, shop.context)
            let sale = try await shop.confirm(draft, SaleConfirmation())
            #expect(sale["due"] == "4.00")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is changed by whoever read it last, and only while it is one")
    func changed() async throws {
        try await TestShop.open { (shop) async throws in
            let draft = try await shop.put(try shop.request([("A", "1")], paid: []))
            let id = try shop.id(draft)
            var patch = SalePatch()
            patch.discount = .set(try Money("0.50"))
            let discount = patch
            let stale = await refusal {
                try await shop.sales.change(id, discount, expected: .oneOf([7]), shop.context)
            }
            #expect(stale?.code == .versionMismatch)
            _ = try await shop.sales.change(id, discount, expected: .oneOf([1]), shop.context)
            let much = await refusal { try await shop.confirm(draft, SaleConfirmation(payments: [try cash("2.50")])) }
            #expect(much?.code == .paymentMismatch)
            try await shop.confirm(draft, SaleConfirmation(payments: [try cash("2.00")]))
            let sold = await refusal { try await shop.sales.change(id, discount, expected: .any, shop.context) }
            #expect(sold?.code == .invalidState)
            patch.discount = .keep
            patch.note = .set("Ñ")
            let noted = try await shop.sales.change(id, patch, expected: .oneOf([3]), shop.context)
            #expect(try JSONObjectBody(noted.body)["note"] == "Ñ")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is sold once, however many tills confirm it, and again for the same key")
    func once() async throws {
        try await TestShop.open { (shop) async throws in
            let draft = try await shop.put(try shop.request([("A", "1")], paid: []))
            let id = try shop.id(draft)
            let paid = SaleConfirmation(payments: [try cash("2.50")])
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        await refusal { try await shop.sales.confirm(id, paid, shop.context, key: nil) }?.code
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1)
            #expect(codes.count { $0 == .invalidState } == 5)
            #expect(
                try await shop.psql("SELECT sum(quantity) FROM stock.stock_movement WHERE kind = 'sale'") == "-1.000000"
            )

            let second = try shop.id(try await shop.put(try shop.request([("B", "1")], paid: [])))
            let bread = SaleConfirmation(payments: [try cash("4.00")])
            let key = IdempotencyKey(route: "POST /v1/sales/{id}/confirm", key: "k", requestHash: [1])
            let first = try await shop.sales.confirm(second, bread, shop.context, key: key)
            #expect(first.status == 200)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("that is given up stays so")
    func discarded() async throws {
        try await TestShop.open { (shop) async throws in
            let draft = try await shop.put(try shop.request([("A", "1")], paid: []))
            let id = try shop.id(draft)
            let gone = try JSONObjectBody(try await shop.sales.discard(id, shop.context, key: nil).body)
            #expect(gone["status"] == "discarded")
            let paid = SaleConfirmation(payments: [try cash("2.50")])
            let sold = await refusal { try await shop.confirm(draft, paid) }
            #expect(sold?.code == .invalidState)
            let twice = await refusal { try await shop.sales.discard(id, shop.context, key: nil) }
            #expect(twice?.code == .invalidState)
            let cancelled = await refusal {
                try await shop.sales.cancel(id, reason: "x", shop.context, key: nil)
            }
            #expect(cancelled?.code == .invalidState)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is found by who made it, and is no sale in any other list")
    func listed() async throws {
        try await TestShop.open { (shop) async throws in
            let owner = try #require(UserID(TestShop.owner))
            var own = shop.context
            own.caller.user = owner
            let mine = own
            _ = try await shop.sales.draft(try shop.request([("A", "1")], paid: []), mine, key: nil)
            _ = try await shop.sales.draft(try shop.request([("B", "1")], paid: []), shop.context, key: nil)
            try await shop.sell(try shop.request([("S", "1")], paid: [try cash("10.00")]))
            var filter = SaleFilter()
            let all = try await shop.page(filter)
            #expect(all.map { $0["total"] } == ["10.00"])
            filter.status = .draft
            let drafts = try await shop.page(filter)
            #expect(drafts.map { $0["total"] } == ["4.00", "2.50"])
            filter.userID = owner
            let owned = try await shop.page(filter)
            #expect(owned.map { $0["total"] } == ["2.50"])
        }
    }

    @Test("may be sold at another till, whose session it is of then")
    func handedOver() async throws {
        try await TestShop.open { (shop) async throws in
            let draft = try await shop.put(try shop.request([("A", "1")], paid: []))
            let till = try await shop.asTenant(
                """
                INSERT INTO stock.register (tenant_id, id, name, requires_session)
                VALUES (stock.current_tenant(), '00000000-0000-7000-8000-000000000002', 'Till 2', true)
                RETURNING id
                """
            )
            let register = try #require(RegisterID("00000000-0000-7000-8000-000000000002"), "\(till)")
            let paid = SaleConfirmation(registerID: register, payments: [try cash("2.50")])
            let closed = await refusal { try await shop.confirm(draft, paid) }
            #expect(closed?.code == .sessionClosed)
            _ = try await shop.cash.open(register, CashSessionOpening(float: .zero), shop.context, key: nil)
            let sale = try await shop.confirm(draft, paid)
            #expect(sale["register_id"] == "\(register)")
            #expect(
                try await shop.psql(
                    "SELECT count(*) FROM stock.sale s JOIN stock.cash_session c ON c.id = s.cash_session_id"
                )
                    == "1"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("takes the last piece from nobody, and is refused it when somebody else has")
    func lastPiece() async throws {
        try await TestShop.open(onHand: 1) { (shop) async throws in
            let draft = try await shop.put(try shop.request([("A", "1")], paid: []))
            try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")]))
            let short = await refusal { try await shop.confirm(draft, SaleConfirmation(payments: [try cash("2.50")])) }
            #expect(short?.code == .insufficientStock)
            #expect(short?.errors.map(\.pointer) == ["/lines/0/quantity"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is kept by no cache; the sale that it becomes is")
    func notKept() async throws {
        try await LiveShop.open { (live) async throws in
            try await usable(live)
            try await live.database.psql(
                """
                BEGIN;
                SELECT set_config('stock.tenant_id', '\(live.owner.tenant.id)', true);
                INSERT INTO stock.unit (tenant_id, id, name, symbol, decimals)
                VALUES (stock.current_tenant(), '\(TestShop.unit(0))', 'Stück', 'Stk', 0);
                INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tax_rate, tracks_stock)
                VALUES (stock.current_tenant(), '\(TestShop.product("S"))', 'S', 'Überraschung', '\(TestShop.unit(0))', 1, 0,
                        false);
                COMMIT
                """
            )
            let sales = live.shop.sales
            let request = SaleRequest(
                lines: [SaleRequest.Line(product: .sku("S"), quantity: try Quantity("1"))],
                purpose: .draft
            )
            let draft = try JSONBody(try await sales.draft(request, live.context, key: nil))
            let id = try #require(SaleID(draft["id"] ?? ""))
            let read = sales.sale(id, live.caller)
            let shown = try JSONBody(try await live.answer(read))
            #expect(shown["status"] == "draft")
            #expect(try live.shop.store.hit(read, token: nil, deadline: live.deadline) == nil)
            let paid = SaleConfirmation(payments: [try cash("1.00")])
            _ = try await sales.confirm(id, paid, live.context, key: nil)
            _ = try await live.answer(read)
            try await eventually("the sale lies in memory") {
                _ = try await live.answer(read)
                return try live.shop.store.hit(read, token: nil, deadline: live.deadline) != nil
            }
        }
    }
}

extension TestShop {
    /// What was put away, as JSON.
    func put(_ request: SaleRequest) async throws -> JSONObjectBody {
        var request = request
        request.purpose = .draft
        return try JSONObjectBody(try await sales.draft(request, context, key: nil).body)
    }

    /// The id of a sale that was answered.
    func id(_ sale: JSONObjectBody) throws -> SaleID {
        guard let id = sale["id"].flatMap({ SaleID($0) }) else { throw ShopFault(text: "no id: \(sale.text)") }
        return id
    }

    /// What became of a draft, as JSON.
    @discardableResult
    func confirm(_ draft: JSONObjectBody, _ confirmation: SaleConfirmation) async throws -> JSONObjectBody {
        try JSONObjectBody(try await sales.confirm(try id(draft), confirmation, context, key: nil).body)
    }

    /// The first page of sales.
    func page(_ filter: SaleFilter) async throws -> [JSONObjectBody] {
        let read = try sales.list(filter, Page(limit: 50), caller)
        return try JSONObjectBody(try required(try await answer(read).body)).list("data")
    }
}

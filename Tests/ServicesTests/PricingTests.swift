import Domain
import Foundation
import Kernel
import TestSupport
import Testing

@testable import Services

extension TestShop {
    /// What a cart comes to.
    func price(_ request: SaleRequest) async throws -> JSONObjectBody {
        try JSONObjectBody(try await sales.price(request, context))
    }
}

@Suite("A cart that is priced")
struct PricingTests {
    @Test("comes to what a sale of it does, tax by tax, and leaves nothing behind")
    func same() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant(
                """
                INSERT INTO stock.tax (tenant_id, id, name, rate, compound)
                VALUES (stock.current_tenant(), '\(TestShop.unit(7))', 'IVA', 21, false),
                       (stock.current_tenant(), '\(TestShop.unit(8))', 'Ñ', 3, true);
                INSERT INTO stock.tax_group (tenant_id, id, name)
                VALUES (stock.current_tenant(), '\(TestShop.unit(9))', 'Both');
                SELECT stock.tax_group_compose('\(TestShop.unit(9))', ARRAY['\(TestShop.unit(7))', '\(TestShop.unit(8))']::uuid[]);
                UPDATE stock.product SET tax_group_id = '\(TestShop.unit(9))' WHERE sku = 'B'
                """
            )
            var request = try shop.request(
                [("A", "3"), ("B", "2"), ("W", "0.333"), ("A", "1")],
                paid: [try cash("11.58", tendered: "20.00"), try card("9.90")]
            )
            request.discount = try Money("0.50")
            request.lines[1].unitPrice = try Price("3.95")
            let tables =
                "SELECT concat_ws(' ', (SELECT count(*) FROM stock.sale_line), (SELECT max(xmin::text::bigint) FROM "
                + "stock.stock_level), (SELECT count(*) FROM stock.ledger_entry), (SELECT count(*) FROM stock.domain_event))"
            let before = try await shop.psql(tables)
            let priced = try await shop.price(request)
            #expect(try await shop.psql(tables) == before)
            let sold = try await shop.sell(request)
            for figure in ["subtotal", "discount", "tax", "total", "rounding", "paid", "due", "change", "register_id"] {
                #expect(priced[figure] == sold[figure], "\(figure)")
            }
            func part(_ body: JSONObjectBody, _ name: String, to end: String) throws -> Substring {
                let start = try #require(body.text.range(of: "\"\(name)\":"))
                let rest = body.text[start.lowerBound...]
                return rest[..<(try #require(rest.range(of: end)).lowerBound)]
            }
            #expect(
                try part(priced, "tax_breakdown", to: ",\"rounding\"")
                    == part(sold, "tax_breakdown", to: ",\"rounding\"")
            )
            for (line, other) in zip(priced.list("lines"), sold.list("lines")) {
                for figure in [
                    "position", "product_id", "sku", "name", "unit", "quantity", "unit_price", "price_source",
                    "discount",
                    "tax_rate", "tax", "total",
                ] { #expect(line[figure] == other[figure], "\(figure)") }
                #expect(line.list("taxes") == other.list("taxes"))
            }
            #expect(priced.list("warnings").isEmpty)
        }
    }

    @Test("without payments says what is due, and what of it is paid in cash")
    func due() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant("UPDATE stock.tenant SET cash_rounding = 0.05, version = version + 1")
            let priced = try await shop.price(try shop.request([("W", "0.333")], paid: []))
            #expect(priced["due"] == "4.08" && priced["cash_due"] == "4.10" && priced["rounding"] == "0.00")
            let part = try await shop.price(try shop.request([("W", "0.333")], paid: [try card("1.00")]))
            #expect(part["paid"] == "1.00" && part["due"] == "3.08" && part["cash_due"] == "3.10")
            let over = await refusal { try await shop.price(try shop.request([("A", "1")], paid: [try card("9.00")])) }
            #expect(over?.code == .paymentMismatch)
            let unknown = await refusal { try await shop.price(try shop.request([("X", "1")], paid: [])) }
            #expect(unknown?.errors.map(\.pointer) == ["/lines/0/sku"])
        }
    }

    @Test("for a customer who is not there, or is archived, is refused as its sale is")
    func customers() async throws {
        try await TestShop.open { (shop) async throws in
            let known = try shop.request([("A", "1")], paid: [], customer: true)
            #expect(try await shop.price(known)["due"] == shop.sell(known)["due"])
            var unknown = known
            unknown.customerID = CustomerID("018f3b6e-1c2d-7000-8000-0123456789ab")
            try await shop.asTenant("UPDATE stock.customer SET active = false, version = version + 1")
            for request in [known, unknown] {
                let sold = await refusal { try await shop.sell(request) }
                let priced = await refusal { try await shop.price(request) }
                #expect(priced?.code == sold?.code && priced?.errors == sold?.errors)
                #expect(priced?.errors.map(\.pointer) == ["/customer_id"])
            }
        }
    }

    @Test("warns of every line that there is too little of, and of no other")
    func shortages() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            try await shop.asTenant(
                """
                INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, oversell)
                SELECT stock.current_tenant(), gen_random_uuid(), v.sku, v.sku, '\(TestShop.unit(0))', 1, v.oversell
                FROM (VALUES ('NEW', 'deny'), ('FREE', 'allow')) AS v (sku, oversell)
                """
            )
            let request = try shop.request(
                [("A", "3"), ("B", "5"), ("A", "3"), ("NEW", "1"), ("FREE", "1"), ("S", "9")],
                paid: []
            )
            let warnings = try await shop.price(request).list("warnings")
            #expect(warnings.map { $0["pointer"] } == ["/lines/0/quantity", "/lines/2/quantity", "/lines/3/quantity"])
            #expect(warnings.map { $0["requested"] } == ["6", "6", "1"])
            #expect(warnings.map { $0["available"] } == ["5", "5", "0"])
        }
    }
}

import Cache
import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("A quote")
struct QuoteTests {
    @Test("is numbered when it is sent, and sold once, at its own prices")
    func sold() async throws {
        try await TestShop.open { (shop) async throws in
            let request = try shop.quoteRequest([("A", "2"), ("W", "0.333")], discount: "1.00")
            let quote = try await shop.quote(request)
            #expect(quote["status"] == "draft")
            #expect(quote["number"] == nil)
            #expect(quote["total"] == "8.08")
            #expect(quote["expired"] == "false")
            let id = try shop.quoteID(quote)
            let paid = SaleConfirmation(customerID: shop.customerID, payments: [try card("8.00")])
            let unsent = await refusal { try await shop.quotes.convert(id, paid, shop.context, key: nil) }
            #expect(unsent?.code == .invalidState)
            let sent = try JSONObjectBody(try await shop.quotes.send(id, shop.context, key: nil).body)
            #expect(sent["number"] == "1")
            _ = try await shop.quotes.accept(id, shop.context, key: nil)
            try await shop.asTenant("UPDATE stock.product SET price = 3, version = version + 1 WHERE sku = 'A'")

            let answer = try await shop.quotes.convert(id, paid, shop.context, key: nil)
            #expect(answer.status == 201)
            let sale = try JSONObjectBody(answer.body)
            #expect(answer.location == "/v1/sales/\(try shop.id(sale))")
            #expect(sale["total"] == "8.08")
            #expect(sale["due"] == "0.08")
            #expect(sale["quote_id"] == quote["id"])
            #expect(sale.list("lines").map { $0["unit_price"] } == ["2.50", "12.25"])
            let twice = await refusal { try await shop.quotes.convert(id, paid, shop.context, key: nil) }
            #expect(twice?.code == .invalidState)
            let cancelled = await refusal { try await shop.quotes.cancel(id, shop.context, key: nil) }
            #expect(cancelled?.code == .invalidState)
            #expect(
                try await shop.psql(
                    "SELECT string_agg(type, ' ' ORDER BY id) FROM stock.domain_event WHERE type LIKE 'quote.%'"
                ) == "quote.created quote.sent quote.accepted quote.converted"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is sold to one till of several that try at once")
    func once() async throws {
        try await TestShop.open { (shop) async throws in
            let id = try shop.quoteID(try await shop.quote(try shop.quoteRequest([("A", "1")])))
            _ = try await shop.quotes.send(id, shop.context, key: nil)
            let paid = SaleConfirmation(payments: [try cash("2.50")])
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        await refusal { try await shop.quotes.convert(id, paid, shop.context, key: nil) }?.code
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1)
            #expect(codes.count { $0 == .invalidState } == 5)
            #expect(try await shop.psql("SELECT count(*) FROM stock.sale") == "1")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("holds until its last day, and is neither accepted nor sold after it")
    func expired() async throws {
        try await TestShop.open { (shop) async throws in
            var request = try shop.quoteRequest([("A", "1")])
            request.validUntil = BusinessDay("2020-02-29")
            let past = request
            let late = await refusal { try await shop.quote(past) }
            #expect(late?.errors.map(\.pointer) == ["/valid_until"])
            request.validUntil = nil
            let id = try shop.quoteID(try await shop.quote(request))
            _ = try await shop.quotes.send(id, shop.context, key: nil)
            try await shop.asTenant("UPDATE stock.quote SET valid_until = stock.today()")
            let today = try JSONObjectBody(try required(try await shop.answer(shop.quotes.quote(id, shop.caller)).body))
            #expect(today["expired"] == "false")
            try await shop.asTenant("UPDATE stock.quote SET valid_until = stock.today() - 1")
            let list = try await shop.answer(try shop.quotes.list(QuoteFilter(), Page(limit: 10), shop.caller))
            #expect(try JSONObjectBody(try required(list.body)).list("data").map { $0["expired"] } == ["true"])
            let accepted = await refusal { try await shop.quotes.accept(id, shop.context, key: nil) }
            #expect(accepted?.code == .invalidState)
            let paid = SaleConfirmation(payments: [try cash("2.50")])
            let sold = await refusal { try await shop.quotes.convert(id, paid, shop.context, key: nil) }
            #expect(sold?.code == .invalidState)
            #expect(sold?.errors.map(\.pointer) == ["/valid_until"])
            _ = try await shop.quotes.cancel(id, shop.context, key: nil)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is changed while it is a draft, by whoever read it last; lines that are not named keep their prices")
    func changed() async throws {
        try await TestShop.open { (shop) async throws in
            let id = try shop.quoteID(try await shop.quote(try shop.quoteRequest([("A", "1")])))
            try await shop.asTenant("UPDATE stock.product SET price = 3, version = version + 1 WHERE sku = 'A'")
            var patch = QuotePatch()
            patch.cart.note = .set("Für Ñandú")
            let note = patch
            let stale = await refusal { try await shop.quotes.change(id, note, expected: .oneOf([9]), shop.context) }
            #expect(stale?.code == .versionMismatch)
            let noted = try JSONObjectBody(
                try await shop.quotes.change(id, note, expected: .oneOf([1]), shop.context).body
            )
            #expect(noted["total"] == "2.50")
            #expect(noted["note"] == "Für Ñandú")
            patch.cart.lines = .set(try shop.request([("A", "1")], paid: []).lines)
            let renewed = try JSONObjectBody(
                try await shop.quotes.change(id, patch, expected: .any, shop.context).body
            )
            #expect(renewed["total"] == "3.00")
            _ = try await shop.quotes.send(id, shop.context, key: nil)
            let sent = await refusal { try await shop.quotes.change(id, note, expected: .any, shop.context) }
            #expect(sent?.code == .invalidState)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("goes as far below the list price as whoever writes it may sell; whoever sells it is not asked")
    func limits() async throws {
        try await TestShop.open { (shop) async throws in
            var till = shop.context
            till.caller.role = .cashier
            till.caller.user = UserID(TestShop.owner)
            let cashier = till
            let cheap = try shop.quoteRequest([("A", "4")], discount: "1.00")
            let refused = await refusal { try await shop.quotes.create(cheap, cashier, key: nil) }
            #expect(refused?.code == .discountLimit)
            let id = try shop.quoteID(try await shop.quote(cheap))
            _ = try await shop.quotes.send(id, cashier, key: nil)
            let paid = SaleConfirmation(payments: [try cash("9.00")])
            let sale = try JSONObjectBody(try await shop.quotes.convert(id, paid, cashier, key: nil).body)
            #expect(sale["total"] == "9.00")
            #expect(try await shop.violations() == [])
        }
    }
}

extension TestShop {
    /// What would be sold.
    func quoteRequest(_ lines: [(sku: String, quantity: String)], discount: String = "0.00") throws -> QuoteRequest {
        var cart = try request(lines, paid: [])
        cart.discount = try Money(discount)
        cart.purpose = .offer
        return QuoteRequest(cart: cart)
    }

    /// What was quoted, as JSON.
    func quote(_ request: QuoteRequest) async throws -> JSONObjectBody {
        try JSONObjectBody(try await quotes.create(request, context, key: nil).body)
    }

    /// The id of a quote that was answered.
    func quoteID(_ quote: JSONObjectBody) throws -> QuoteID {
        guard let id = quote["id"].flatMap({ QuoteID($0) }) else { throw ShopFault(text: "no id: \(quote.text)") }
        return id
    }
}

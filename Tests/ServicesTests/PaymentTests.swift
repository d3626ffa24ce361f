import Cache
import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("A payment for what is due")
struct PaymentTests {
    /// Three sales on account: 4.00, 8.00 and 12.00 due, the oldest last made.
    private func debts(_ shop: TestShop) async throws -> [String] {
        var ids: [String] = []
        for (quantity, day) in [("3", "2026-03-03"), ("2", "2026-03-02"), ("1", "2026-03-01")] {
            var request = try shop.request([("B", quantity)], paid: [], customer: true)
            request.occurredAt = Timestamp("\(day)T12:00:00Z")
            ids.append(try #require(try await shop.sell(request)["id"]))
        }
        return ids
    }

    @Test("of a customer takes the oldest sale first")
    func oldestFirst() async throws {
        try await TestShop.open { (shop) async throws in
            let ids = try await debts(shop)
            let answer = try await shop.payments.register(
                PaymentRequest(tender: try cash("10.00", tendered: "50.00"), customerID: shop.customerID),
                shop.context,
                key: nil
            )
            let payment = try JSONObjectBody(answer.body)
            #expect(payment["amount"] == "10.00")
            #expect(payment["change"] == "40.00")
            #expect(payment.list("allocations").map { $0["sale_id"] } == [ids[2], ids[1]])
            #expect(payment.list("allocations").map { $0["amount"] } == ["4.00", "6.00"])
            #expect(try await shop.psql("SELECT balance FROM stock.customer_account") == "14.0000")
            let read = try await shop.answer(shop.sales.sale(try #require(SaleID(ids[1])), shop.caller))
            let sale = try JSONObjectBody(try #require(read.body))
            #expect(sale["due"] == "2.00")
            #expect(sale["version"] == "2")
            #expect(read.etag == "\"2\"")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of one sale is never more than what is due, and never capped")
    func exceedsDue() async throws {
        try await TestShop.open { (shop) async throws in
            let ids = try await debts(shop)
            let sale = try #require(SaleID(ids[0]))
            let over = await refusal {
                try await shop.payments.register(
                    PaymentRequest(tender: try card("12.01"), saleID: sale),
                    shop.context,
                    key: nil
                )
            }
            #expect(over?.code == .paymentExceedsDue)
            #expect(over?.errors.first?.extra.contains { $0.name == "due" && $0.json == "\"12.00\"" } == true)
            _ = try await shop.payments.register(
                PaymentRequest(tender: try card("12.00"), saleID: sale, customerID: shop.customerID),
                shop.context,
                key: nil
            )
            let again = await refusal {
                try await shop.payments.register(
                    PaymentRequest(tender: try card("0.01"), saleID: sale),
                    shop.context,
                    key: nil
                )
            }
            #expect(again?.code == .paymentExceedsDue)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is not lost when two are collected at once")
    func twoCollections() async throws {
        try await TestShop.open { (shop) async throws in
            _ = try await debts(shop)
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        await refusal {
                            try await shop.payments.register(
                                PaymentRequest(tender: try cash("8.00"), customerID: shop.customerID),
                                shop.context,
                                key: nil
                            )
                        }?.code
                    }
                }
                return await group.reduce(into: [Problem.Code?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 3)
            #expect(codes.count { $0 == .paymentExceedsDue } == 5)
            #expect(try await shop.psql("SELECT sum(due), sum(paid) FROM stock.sale") == "0.0000|24.0000")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("has the decimals of the currency, which may change until there is a document")
    func decimals() async throws {
        try await TestShop.open(timezone: "Asia/Tokyo", currency: "JPY", exponent: 0) { (shop) async throws in
            func pay() async throws -> [String?]? {
                let request = PaymentRequest(tender: try card("10.50"), saleID: .make())
                return await refusal { try await shop.payments.register(request, shop.context, key: nil) }?
                    .errors.map(\.pointer)
            }
            #expect(try await pay() == ["/amount"])
            try await shop.asTenant(
                "UPDATE stock.tenant SET currency = 'EUR', currency_exponent = 2, version = version + 1"
            )
            #expect(try await pay() == ["/sale_id"])
        }
    }

    @Test("is refused with every field that is wrong")
    func invalid() async throws {
        try await TestShop.open { (shop) async throws in
            let problem = await refusal {
                try await shop.payments.register(
                    PaymentRequest(direction: .outgoing, tender: try card("0.001")),
                    shop.context,
                    key: nil
                )
            }
            #expect(problem?.code == .validationFailed)
            #expect(problem?.errors.map(\.pointer) == ["/amount", "/purchase_id"])
            let unknown = await refusal {
                try await shop.payments.register(
                    PaymentRequest(tender: try card("1.00"), saleID: SaleID.make()),
                    shop.context,
                    key: nil
                )
            }
            #expect(unknown?.errors.map(\.pointer) == ["/sale_id"])
        }
    }

    @Test("is listed newest first, by sale, customer and method")
    func list() async throws {
        try await TestShop.open { (shop) async throws in
            let ids = try await debts(shop)
            for (amount, sale) in [("1.00", ids[0]), ("2.00", ids[1])] {
                _ = try await shop.payments.register(
                    PaymentRequest(tender: try card(amount), saleID: SaleID(sale)),
                    shop.context,
                    key: nil
                )
            }
            try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")]))
            func amounts(_ filter: PaymentFilter) async throws -> [String?] {
                let list = try await shop.answer(shop.payments.list(filter, Page(limit: 10), shop.caller))
                return try JSONObjectBody(try #require(list.body)).list("data").map { $0["amount"] }
            }
            #expect(try await amounts(PaymentFilter()) == ["2.50", "2.00", "1.00"])
            var filter = PaymentFilter()
            filter.method = .card
            #expect(try await amounts(filter) == ["2.00", "1.00"])
            filter.saleID = SaleID(ids[0])
            #expect(try await amounts(filter) == ["1.00"])
            filter = PaymentFilter()
            filter.customerID = shop.customerID
            #expect(try await amounts(filter) == ["2.00", "1.00"])
        }
    }
}

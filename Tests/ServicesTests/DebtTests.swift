import Cache
import Domain
import Kernel
import Services
import TestSupport
import Testing

@Suite("Debts by age")
struct DebtTests {
    private static let ages = ["current", "days_1_30", "days_31_60", "days_61_90", "days_over_90", "total"]

    private func read(_ shop: TestShop, _ read: CachedRead) async throws -> JSONObjectBody {
        try JSONObjectBody(required(try await shop.answer(read).body))
    }

    @Test("of customers: who owes something, by name, below what all owe, and what nobody in particular does")
    func receivables() async throws {
        try await TestShop.open { (shop) async throws in
            let names = ["Żaneta", "ñandú", "Berta", "Nobody"]
            var customers: [CustomerID] = []
            for name in names {
                let id = CustomerID.make()
                try await shop.psql(
                    "INSERT INTO stock.customer (tenant_id, id, name) VALUES (\(shop.tenant), '\(id)', '\(name)')"
                )
                customers.append(id)
            }
            for (place, quantity) in ["1", "2", "3"].enumerated() {
                var request = try shop.request([("S", quantity)], paid: [])
                request.customerID = customers[place]
                try await shop.sell(request)
            }
            try await shop.psql("UPDATE stock.sale SET business_day = business_day - 45 WHERE total = 30")
            let walkIn = try await shop.sell(try shop.request([("B", "1")], paid: [try card("4.00")]))
            try await shop.reverse(walkIn.list("payments")[0])

            let whole = try await read(shop, shop.reports.receivables(Page(), shop.caller))
            #expect(Self.ages.map { whole[$0] } == ["34.00", "0.00", "30.00", "0.00", "0.00", "64.00"])
            #expect(whole["without_customer"] == "4.00")
            #expect(whole.list("data").map { $0["name"] } == ["Berta", "ñandú", "Żaneta"])
            #expect(whole.list("data").map { $0["total"] } == ["30.00", "20.00", "10.00"])
            #expect(whole.list("data").map { $0["days_31_60"] } == ["30.00", "0.00", "0.00"])
            var told: [String?] = []
            var cursor: String?
            repeat {
                let page = try await read(shop, shop.reports.receivables(Page(limit: 2, cursor: cursor), shop.caller))
                #expect(page["total"] == "64.00")
                told += page.list("data").map { $0["name"] }
                cursor = page["next_cursor"]
            } while cursor != nil
            #expect(told == whole.list("data").map { $0["name"] })
        }
    }

    @Test("to suppliers: by the day a purchase is due, else by the day it was made")
    func payables() async throws {
        try await TestShop.open { (shop) async throws in
            let today = try required(
                BusinessDay(try await shop.psql("SELECT (now() AT TIME ZONE 'Europe/London')::date"))
            )
            let supplier = try await shop.supplier("Łódź")
            let other = try await shop.supplier("Ámsterdam")
            _ = try await shop.supplier("Nobody")
            _ = try await shop.order(supplier, [("A", "10", "1")], dueOn: today.adding(days: 5))
            _ = try await shop.order(supplier, [("A", "20", "1")], dueOn: today.adding(days: -61))
            let third = try await shop.order(other, [("B", "1", "7")])
            try await shop.pay("2.00", of: third)
            let whole = try await read(shop, shop.reports.payables(Page(), shop.caller))
            #expect(Self.ages.map { whole[$0] } == ["15.00", "0.00", "0.00", "20.00", "0.00", "35.00"])
            #expect(whole.list("data").map { $0["name"] } == ["Ámsterdam", "Łódź"])
            #expect(whole.list("data").map { $0["total"] } == ["5.00", "30.00"])
            let first = try await read(shop, shop.reports.payables(Page(limit: 1), shop.caller))
            let second = try await read(
                shop,
                shop.reports.payables(Page(limit: 1, cursor: first["next_cursor"]), shop.caller)
            )
            #expect(second.list("data").map { $0["name"] } == ["Łódź"] && second["next_cursor"] == nil)
        }
    }
}

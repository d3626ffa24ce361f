import Cache
import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

extension TestShop {
    /// The statement of the customer, page by page.
    func statement(
        _ from: String? = nil,
        _ to: String? = nil,
        limit: Int = 200,
        cursor: String? = nil
    ) async throws -> JSONObjectBody {
        let days = try DayRange(from: from.flatMap { BusinessDay($0) }, to: to.flatMap { BusinessDay($0) })
        let read = try reports.statement(
            of: required(customerID),
            days,
            Page(limit: limit, cursor: cursor),
            caller
        )
        return try JSONObjectBody(required(try await answer(read).body))
    }

    /// Sells at noon of a day.
    @discardableResult
    func sell(on day: String, _ sku: String, _ quantity: String, paid: [Tender] = []) async throws -> JSONObjectBody {
        var request = try self.request([(sku, quantity)], paid: paid, customer: true)
        request.occurredAt = Timestamp("\(day)T12:00:00Z")
        return try await sell(request)
    }

    @discardableResult
    func collect(_ amount: String, on day: String) async throws -> JSONObjectBody {
        let request = PaymentRequest(
            tender: try card(amount),
            customerID: customerID,
            occurredAt: Timestamp("\(day)T13:00:00Z")
        )
        return try JSONObjectBody(try await payments.register(request, context, key: nil).body)
    }
}

@Suite("A customer's statement")
struct CustomerStatementTests {
    private func lines(_ statement: JSONObjectBody) -> [String] {
        statement.list("data").map { "\($0["type"] ?? "?") \($0["change"] ?? "?") \($0["balance"] ?? "?")" }
    }

    @Test("tells what changed the balance, the oldest first, each with the balance behind it")
    func told() async throws {
        try await TestShop.open { (shop) async throws in
            let first = try await shop.sell(on: "2026-03-01", "B", "3", paid: [try cash("4.00")])
            let paid = try await shop.collect("5.00", on: "2026-03-02")
            try await shop.sell(on: "2026-03-03", "A", "2", paid: [try card("5.00")])
            try await shop.takeBack(first, [(0, "2")], refund: [Refund(method: .cash, amount: try Money("5.00"))])
            try await shop.reverse(paid)
            let gone = try await shop.sell(on: "2026-03-04", "B", "1", paid: [try cash("1.00")])
            try await shop.cancel(gone)
            let statement = try await shop.statement()
            #expect(
                lines(statement) == [
                    "sale 12.00 12.00", "payment -4.00 8.00", "payment -5.00 3.00", "sale 5.00 8.00",
                    "payment -5.00 3.00", "sale 4.00 7.00", "payment -1.00 6.00", "return -8.00 -2.00",
                    "refund 5.00 3.00", "reversal 5.00 8.00", "reversal 1.00 9.00", "cancellation -4.00 5.00",
                ]
            )
            #expect(statement["opening"] == "0.00" && statement["closing"] == "5.00" && statement["currency"] == "GBP")
            #expect(statement.list("data").first?["number"] == "1")
            #expect(statement.list("data")[1]["method"] == "cash")
            let account = try await shop.psql("SELECT trim_scale(balance) FROM stock.customer_account")
            #expect(account == "5")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of some days opens with what was owed before them, and closes with what was owed behind them")
    func days() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.sell(on: "2025-12-31", "B", "2")
            try await shop.sell(on: "2026-02-10", "B", "3")
            try await shop.collect("7.00", on: "2026-02-15")
            try await shop.sell(on: "2026-02-28", "A", "4")
            let february = try await shop.statement("2026-02-11", "2026-02-27")
            #expect(february["opening"] == "20.00" && february["closing"] == "13.00")
            #expect(lines(february) == ["payment -7.00 13.00"])
            let nothing = try await shop.statement("2026-01-01", "2026-01-31")
            #expect(nothing["opening"] == "8.00" && nothing["closing"] == "8.00" && lines(nothing) == [])
            #expect(nothing["from"] == "2026-01-01" && nothing["to"] == "2026-01-31")
            let since = try await shop.statement("2026-02-28")
            #expect(since["opening"] == "13.00" && since["closing"] == "23.00" && lines(since) == ["sale 10.00 23.00"])
        }
    }

    @Test("is the same in pages of any length, whatever happened at one moment")
    func pages() async throws {
        try await TestShop.open { (shop) async throws in
            for day in ["2026-03-01", "2026-03-02"] {
                for _ in 0..<3 { try await shop.sell(on: day, "B", "1", paid: [try cash("1.00"), try card("2.00")]) }
                try await shop.collect("2.00", on: day)
            }
            let whole = try await shop.statement()
            #expect(lines(whole).count == 20)
            for limit in [1, 3, 7] {
                var told: [String] = []
                var cursor: String?
                var balance = "0.00"
                repeat {
                    let page = try await shop.statement(limit: limit, cursor: cursor)
                    #expect(page["opening"] == balance)
                    told += lines(page)
                    balance = page.list("data").last?["balance"] ?? balance
                    cursor = page["next_cursor"]
                } while cursor != nil
                #expect(told == lines(whole))
                #expect(balance == "2.00")
            }
        }
    }

    @Test("is of a customer that is there, and its cursor of its own days")
    func unknown() async throws {
        try await TestShop.open { (shop) async throws in
            let read = try shop.reports.statement(of: .make(), .all, Page(), shop.caller)
            #expect(await refusal { try await shop.answer(read) }?.code == .notFound)
            for _ in 0..<2 { try await shop.sell(on: "2026-03-01", "B", "1") }
            let cursor = try await shop.statement(limit: 1)["next_cursor"]
            #expect(cursor != nil)
            let foreign = await refusal { try await shop.statement("2026-03-01", limit: 1, cursor: cursor) }
            #expect(foreign?.code == .cursorMismatch)
        }
    }

    @Test("tells the age of what is due to the day: today, up to 30, 60, 90 days, and more")
    func ageing() async throws {
        try await TestShop.open { (shop) async throws in
            for (age, quantity) in [(0, 1), (1, 2), (30, 3), (31, 4), (60, 5), (61, 6), (90, 7), (91, 8), (400, 9)] {
                try await shop.sell(try shop.request([("S", "\(quantity)")], paid: [], customer: true))
                try await shop.psql(
                    """
                    UPDATE stock.sale SET business_day = (now() AT TIME ZONE 'Europe/London')::date - \(age)
                    WHERE total = \(quantity * 10)
                    """
                )
            }
            let body = try JSONObjectBody(
                required(try await shop.answer(shop.reports.ageing(of: required(shop.customerID), shop.caller)).body)
            )
            let names = ["current", "days_1_30", "days_31_60", "days_61_90", "days_over_90", "total"]
            #expect(names.map { body[$0] } == ["10.00", "50.00", "90.00", "130.00", "170.00", "450.00"])
            let read = shop.reports.ageing(of: .make(), shop.caller)
            #expect(await refusal { try await shop.answer(read) }?.code == .notFound)
        }
    }

    @Test("two tills at one credit limit: one of them sells")
    func twoTills() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql("UPDATE stock.customer SET credit_limit = 30")
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        await refusal { try await shop.sell(try shop.request([("S", "1")], paid: [], customer: true)) }?
                            .code
                    }
                }
                return await group.reduce(into: [Problem.Code?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 3)
            #expect(codes.count { $0 == .creditLimitExceeded } == 3)
            #expect(try await shop.statement()["closing"] == "30.00")
            #expect(try await shop.violations() == [])
        }
    }
}

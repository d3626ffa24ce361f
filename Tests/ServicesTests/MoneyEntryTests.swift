import Cache
import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Money that moved for no document")
struct MoneyEntryTests {
    private func request(
        _ amount: String,
        _ category: String = "Miete",
        by method: PaymentMethodCode = .card,
        direction: MoneyEntryRequest.Direction = .expense
    ) throws -> MoneyEntryRequest {
        MoneyEntryRequest(direction: direction, category: category, amount: try Money(amount), method: method)
    }

    @discardableResult
    private func spend(_ request: MoneyEntryRequest, _ shop: TestShop) async throws -> JSONObjectBody {
        try JSONObjectBody(try await shop.expenses.record(request, shop.context, key: nil).body)
    }

    @Test("is an expense of its category and method, in the ledger and in the day's totals")
    func expense() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            var asked = try request("120.50")
            asked.supplierID = try await shop.supplier("Hausverwaltung Öl")
            asked.registerID = RegisterID(TestShop.register)
            asked.note = "März"
            let expense = try await spend(asked, shop)
            #expect(expense["direction"] == "expense")
            #expect(expense["category"] == "Miete")
            #expect(expense["supplier_id"] == asked.supplierID?.description)
            #expect(expense["status"] == "confirmed")
            #expect(expense["note"] == "März")
            #expect(
                try await shop.psql(
                    "SELECT direction, category, method, amount, source_type, source_id FROM stock.ledger_entry"
                ) == "expense|Miete|card|120.5000|expense|\(expense["id"] ?? "")"
            )
            #expect(try await shop.psql("SELECT sum(expense), sum(income) FROM stock.balance_day") == "120.5000|0")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("that is entered by hand comes in or goes out, and is no expense of the other list")
    func manual() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let answer = try await shop.ledgerEntries.record(
                try request("50.00", "Einlage", by: .cash, direction: .income),
                shop.context,
                key: nil
            )
            let entry = try JSONObjectBody(answer.body)
            #expect(entry["direction"] == "income")
            try await spend(try request("1.00"), shop)
            let filter = MoneyEntryFilter()
            let entries = try await shop.answer(shop.ledgerEntries.list(filter, Page(limit: 10), shop.caller))
            #expect(try JSONObjectBody(required(entries.body)).list("data").map { $0["id"] } == [entry["id"]])
            let expenses = try await shop.answer(shop.expenses.list(filter, Page(limit: 10), shop.caller))
            #expect(try JSONObjectBody(required(expenses.body)).list("data").map { $0["amount"] } == ["1.00"])
            let other = ID<ExpenseSource>(try required(entry["id"]))
            let read = await refusal { try await shop.answer(shop.expenses.entry(required(other), shop.caller)) }
            #expect(read?.code == .notFound)
            let reversal = await refusal {
                try await shop.expenses.reverse(required(other), reason: "falsch", shop.context, key: nil)
            }
            #expect(reversal?.code == .notFound)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is reversed once, by minus what it was, on the day it is asked for, and by two at once once only")
    func reversed() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            var asked = try request("9.99", by: .transfer)
            asked.occurredAt = Timestamp("2026-01-05T12:00:00Z")
            let id = try required(ID<ExpenseSource>(required(try await spend(asked, shop)["id"])))
            // It was taken by what is no method any more.
            try await shop.psql("UPDATE stock.payment_method SET active = false WHERE code = 'transfer'")
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        await refusal { try await shop.expenses.reverse(id, reason: "Irrtum", shop.context, key: nil) }?
                            .code
                    }
                }
                return await group.reduce(into: [Problem.Code?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1)
            #expect(codes.count { $0 == .invalidState } == 3)
            #expect(
                try await shop.psql(
                    """
                    SELECT e.direction, e.category, e.method, e.amount, e.business_day = '2026-01-05', o.amount
                    FROM stock.ledger_entry e LEFT JOIN stock.ledger_entry o ON o.id = e.reverses_id ORDER BY e.amount
                    """
                ) == "expense|Miete|transfer|-9.9900|f|9.9900\nexpense|Miete|transfer|9.9900|t|"
            )
            let entry = try JSONObjectBody(required(try await shop.answer(shop.expenses.entry(id, shop.caller)).body))
            #expect(entry["status"] == "reversed")
            #expect(entry["note"] != "Irrtum")
            #expect(entry.text.contains("Irrtum"))
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is refused for a method, register, supplier or amount that can not be, and in closed books")
    func invalid() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            func refused(_ change: (inout MoneyEntryRequest) throws -> Void) async throws -> [String]? {
                var asked = try request("1.00")
                try change(&asked)
                let problem = await refusal { try await shop.expenses.record(asked, shop.context, key: nil) }
                return problem.map { ["\($0.code.rawValue)"] + $0.errors.map(\.pointer) }
            }
            #expect(
                try await refused { $0.method = try required(PaymentMethodCode(rawValue: "shells")) }
                    == ["validation_failed", "/method"]
            )
            #expect(try await refused { $0.amount = try Money("0.001") } == ["validation_failed", "/amount"])
            #expect(try await refused { $0.supplierID = .make() } == ["validation_failed", "/supplier_id"])
            #expect(try await refused { $0.registerID = .make() } == ["validation_failed", "/register_id"])
            try await shop.psql("UPDATE stock.register SET requires_session = true")
            #expect(
                try await refused {
                    $0.registerID = RegisterID(TestShop.register)
                    $0.method = .cash
                } == ["session_closed", "/register_id"]
            )
            try await shop.psql("UPDATE stock.tenant SET closed_until = '2026-01-31'")
            #expect(
                try await refused { $0.occurredAt = Timestamp("2026-01-31T12:00:00Z") }
                    == ["period_closed", "/occurred_at"]
            )
            #expect(try await shop.psql("SELECT count(*) FROM stock.ledger_entry") == "0")
        }
    }

    @Test("is listed newest first, by category, supplier, method and day")
    func list() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            for (amount, category, method, day) in [
                ("1.00", "Miete", PaymentMethodCode.card, "2026-01-01"), ("2.00", "Strom", .cash, "2026-02-01"),
                ("3.00", "Miete", .cash, "2026-03-01"),
            ] {
                var asked = try request(amount, category, by: method)
                asked.occurredAt = Timestamp("\(day)T12:00:00Z")
                if category == "Strom" { asked.supplierID = supplier }
                try await spend(asked, shop)
            }
            func amounts(_ change: (inout MoneyEntryFilter) throws -> Void) async throws -> [String?] {
                var filter = MoneyEntryFilter()
                try change(&filter)
                var amounts: [String?] = []
                var cursor: String?
                repeat {
                    let page = Page(limit: 2, cursor: cursor)
                    let list = try await shop.answer(shop.expenses.list(filter, page, shop.caller))
                    let body = try JSONObjectBody(required(list.body))
                    amounts += body.list("data").map { $0["amount"] }
                    cursor = body["next_cursor"]
                } while cursor != nil
                return amounts
            }
            #expect(try await amounts { _ in } == ["3.00", "2.00", "1.00"])
            #expect(try await amounts { $0.category = "Miete" } == ["3.00", "1.00"])
            #expect(try await amounts { $0.supplierID = supplier } == ["2.00"])
            #expect(try await amounts { $0.method = .cash } == ["3.00", "2.00"])
            #expect(
                try await amounts {
                    $0.days = try DayRange(from: BusinessDay("2026-01-02"), to: BusinessDay("2026-02-28"))
                } == ["2.00"]
            )
        }
    }
}

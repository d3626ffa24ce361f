import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

/// Cash sessions: what goes through a drawer, and what should be in it.
@Suite("Cash sessions")
struct CashTests {
    /// Has the shop's register want a session, with a product to sell.
    private func register(_ live: LiveShop) async throws -> RegisterID {
        try await live.database.psql(
            "UPDATE stock.register SET requires_session = true; UPDATE stock.tenant SET oversell = 'allow'"
        )
        let draft = ProductFields(sku: "A", name: "Ä", price: try Price("10"))
        _ = try await live.shop.products.create(draft, live.context)
        let id = try await live.database.psql("SELECT id FROM stock.register WHERE is_default")
        return try required(RegisterID(id))
    }

    private func pay(_ live: LiveShop, _ customer: CustomerID, at register: RegisterID?, _ key: String) async throws {
        let tender = Tender(method: .cash, amount: try Money("4"))
        let request = PaymentRequest(tender: tender, customerID: customer, registerID: register)
        _ = try await live.shop.payments.register(request, live.context, key: self.key(live, key))
    }

    private func close(_ live: LiveShop, _ id: CashSessionID, _ counted: String, _ key: String) async throws {
        let count = CashCount(counted: try Money(counted))
        _ = try await live.shop.cash.close(id, count, live.context, key: self.key(live, key))
    }

    private func cancel(_ live: LiveShop, _ sale: SaleID, _ key: String) async throws {
        _ = try await live.shop.sales.cancel(sale, reason: "Irrtum", live.context, key: self.key(live, key))
    }

    private func retire(_ live: LiveShop, _ register: RegisterID) async throws {
        var fields = RegisterFields()
        fields.active = .set(false)
        let registers = live.shop.records(Register.self)
        _ = try await registers.change(register, fields, expected: .any, live.context)
    }

    private func key(_ live: LiveShop, _ text: String) -> IdempotencyKey { live.key(text, route: "POST /v1/x") }

    private func sell(_ live: LiveShop, _ key: String, by method: PaymentMethodCode) async throws -> JSONBody {
        let request = SaleRequest(
            lines: [SaleRequest.Line(product: .sku("A"), quantity: try Quantity("1"))],
            payments: [Tender(method: method, amount: try Money("10"))]
        )
        let key = live.key(key, route: "POST /v1/sales")
        return try JSONBody(try await live.shop.sales.confirm(request, live.context, key: key))
    }

    private func opened(
        _ live: LiveShop,
        _ register: RegisterID,
        _ key: String = "o",
        float: String = "0"
    ) async throws -> CashSessionID {
        let opening = CashSessionOpening(float: try Money(float))
        let session = try await live.shop.cash.open(register, opening, live.context, key: self.key(live, key))
        return try required(CashSessionID(try required(try JSONBody(session)["id"])))
    }

    private func read(_ live: LiveShop, _ id: CashSessionID) async throws -> JSONBody {
        var context = live.context
        context.bypassCache = true
        return try JSONBody(try await live.shop.store.answer(live.shop.cash.session(id, live.caller), context))
    }

    @Test("a sale that had happened before the drawer was counted is of no session after it, and says so")
    func counted() async throws {
        try await LiveShop.open { live in
            let register = try await register(live)
            let first = try await opened(live, register)
            let happened = Timestamp.now()
            try await close(live, first, "10", "z")
            let second = try await opened(live, register, "o2")
            func take(_ key: String, at moment: Timestamp) async throws -> JSONBody {
                var request = SaleRequest(
                    lines: [
                        SaleRequest.Line(product: .sku("A"), quantity: try Quantity("1"), unitPrice: try Price("10"))
                    ],
                    payments: [Tender(method: .cash, amount: try Money("10"))]
                )
                request.occurredAt = moment
                request.purpose = .fact(SaleFact(id: .make(), happenedAt: moment))
                let key = live.key(key, route: "POST /v1/sales")
                return try JSONBody(try await live.shop.sales.take(request, live.context, key: key))
            }
            let late = try await take("late", at: happened)
            #expect(late.count("exceptions") == 1 && late["exceptions.0.code"] == "session_closed")
            #expect(try await take("within", at: .now()).count("exceptions") == 0)
            #expect(try await read(live, second)["sales.count"] == "1")
        }
    }

    @Test("a drawer holds its float, the cash that came and went, and what was put in, taken out and dropped")
    func life() async throws {
        try await LiveShop.open { live in
            let register = try await register(live)
            #expect(await problem { try await sell(live, "s0", by: .cash) }?.code == .sessionClosed)
            _ = try await sell(live, "s1", by: .card)

            let opening = CashSessionOpening(float: try Money("50"), note: "Früh")
            let opened = try JSONBody(
                try await live.shop.cash.open(register, opening, live.context, key: key(live, "o"))
            )
            let id = try required(CashSessionID(try required(opened["id"])))
            #expect(opened["number"] == "1")
            #expect(opened["expected"] == "50.00")
            #expect(
                await problem { try await live.shop.cash.open(register, opening, live.context, key: key(live, "o2")) }?
                    .code
                    == .invalidState
            )

            for number in 0..<3 { _ = try await sell(live, "c\(number)", by: .cash) }
            _ = try await sell(live, "k", by: .card)
            for (kind, amount) in [(CashEntryKind.paidIn, "5"), (.paidOut, "2.50"), (.drop, "20")] {
                let entry = CashEntryRequest(kind: kind, amount: try Money(amount), note: "Ñ")
                _ = try await live.shop.cash.record(id, entry, live.context, key: key(live, kind.rawValue))
            }
            let now = try await read(live, id)
            // 50 + 3 x 10 + 5 - 2.50 - 20; what was sold before, and by card, is no part.
            #expect(now["expected"] == "62.50")
            #expect(now["sales.count"] == "4")
            #expect(now["sales.total"] == "40.00")
            #expect(now["tenders.0.method"] == "cash")
            #expect(now["tenders.0.net"] == "32.50")
            #expect(now["tenders.1.net"] == "10.00")
            #expect(now.count("entries") == 3)

            let count = CashCount(
                counted: nil,
                pieces: [
                    .init(value: try Money("20"), count: 3), .init(value: try Money("0.50"), count: 4),
                ],
                tenders: [
                    .init(method: .card, counted: try Money("9")), .init(method: .transfer, counted: try Money("7")),
                ]
            )
            let closed = try JSONBody(try await live.shop.cash.close(id, count, live.context, key: key(live, "z")))
            #expect(closed["counted"] == "62.00")
            #expect(closed["difference"] == "-0.50")
            #expect(closed["tenders.1.difference"] == "-1.00")
            // What was counted and never came through is told, too.
            #expect(closed["tenders.2.difference"] == "7.00")
            #expect(closed["counts.0.value"] == "20.00")
            #expect(
                try await live.database.psql(
                    "SELECT direction, trim_scale(amount), cash_session_id IS NULL FROM stock.ledger_entry WHERE category = 'cash_difference'"
                ) == "expense|0.5|t"
            )
            // What a session came to stays as it was.
            _ = try await sell(live, "after", by: .card)
            #expect(try await read(live, id)["sales.count"] == "4")
            #expect(
                await problem { try await live.shop.cash.close(id, count, live.context, key: key(live, "z2")) }?.code
                    == .sessionClosed
            )
            #expect(await problem { try await sell(live, "s2", by: .cash) }?.code == .sessionClosed)
            #expect(try await live.violations() == [])
        }
    }

    @Test(
        "a sale that is under way when its session is closed is in it or refused, and nothing is lost",
        arguments: 0..<3
    )
    func race(round: Int) async throws {
        try await LiveShop.open("race \(round)") { live in
            let register = try await register(live)
            let id = try await opened(live, register)
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for number in 0..<12 {
                    group.addTask { await problem { try await sell(live, "r\(number)", by: .cash) }?.code }
                }
                group.addTask {
                    let count = CashCount(counted: .zero)
                    let refused = await problem {
                        try await live.shop.cash.close(id, count, live.context, key: key(live, "z"))
                    }
                    #expect(refused == nil)
                    return .sessionClosed
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let sold = codes.filter { $0 == nil }.count
            #expect(codes.allSatisfy { $0 == nil || $0 == .sessionClosed })
            let closed = try await read(live, id)
            #expect(closed["expected"] == "\(sold * 10).00")
            #expect(closed["sales.count"] == "\(sold)")
            #expect(try await live.violations() == [])
        }
    }

    @Test("a cancelled sale gives its cash back from the drawer that is open, and a register is counted before it goes")
    func undone() async throws {
        try await LiveShop.open { live in
            let register = try await register(live)
            let first = try await opened(live, register, "1", float: "100")
            let sold = try await sell(live, "s", by: .cash)
            let sale = try required(SaleID(try required(sold["id"])))
            try await close(live, first, "110", "c1")
            let closed = await problem { try await cancel(live, sale, "k0") }
            #expect(closed?.code == .sessionClosed)
            // Whoever cancels has named no register: they are told which one.
            #expect(closed?.errors.map { "\($0.pointer) \($0.code)" } == [" session_closed"])
            #expect(closed?.errors.first?.extra.map { "\($0.name) \($0.json)" } == ["register_id \"\(register)\""])
            let name = try await live.database.psql("SELECT name FROM stock.register WHERE is_default")
            #expect(closed?.detail == "The register \(name) has no open cash session.")

            let second = try await opened(live, register, "2", float: "100")
            try await cancel(live, sale, "k1")
            #expect(try await read(live, second)["expected"] == "90.00")
            #expect(try await read(live, first)["expected"] == "110.00")

            let counted = await problem { try await retire(live, register) }
            #expect(counted?.code == .invalidState)
            try await close(live, second, "90", "c2")
            #expect(try await live.violations() == [])
        }
    }

    @Test("a debt that is paid in cash is of the drawer where it is paid, and needs one")
    func debts() async throws {
        try await LiveShop.open { live in
            let register = try await register(live)
            let customer = try JSONBody(try await live.shop.customers.create(CustomerFields(name: "Béa"), live.context))
            let id = try required(CustomerID(try required(customer["id"])))
            let sale = SaleRequest(
                customerID: id,
                lines: [SaleRequest.Line(product: .sku("A"), quantity: try Quantity("1"))],
                payments: []
            )
            _ = try await live.shop.sales.confirm(sale, live.context, key: key(live, "s"))
            let refused = await problem { try await pay(live, id, at: nil, "p0") }
            #expect(refused?.code == .sessionClosed)
            let session = try await opened(live, register)
            try await pay(live, id, at: nil, "p1")
            try await pay(live, id, at: register, "p2")
            #expect(try await read(live, session)["expected"] == "8.00")
            #expect(try await read(live, session)["sales.count"] == "0")
            #expect(try await live.violations() == [])
        }
    }

    @Test("an expense is paid from the drawer that it names, and goes back into it when it is reversed")
    func expenses() async throws {
        try await LiveShop.open { live in
            let register = try await register(live)
            let rent = MoneyEntryRequest(
                category: "Miete",
                registerID: register,
                amount: try Money("10"),
                method: .cash
            )
            let refused = await problem {
                try await live.shop.expenses.record(rent, live.context, key: key(live, "e0"))
            }
            #expect(refused?.code == .sessionClosed)
            let session = try await opened(live, register, float: "100")
            let paid = try JSONBody(try await live.shop.expenses.record(rent, live.context, key: key(live, "e1")))
            #expect(try await read(live, session)["expected"] == "90.00")
            let id = try required(ID<ExpenseSource>(try required(paid["id"])))
            _ = try await live.shop.expenses.reverse(id, reason: "falsch", live.context, key: key(live, "r"))
            #expect(try await read(live, session)["expected"] == "100.00")
            try await close(live, session, "100", "c")
            #expect(try await live.violations() == [])
        }
    }
}

import Cache
import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

extension TestShop {
    /// The id that a body tells.
    func id<Kind>(of body: JSONObjectBody) throws -> ID<Kind> {
        guard let text = body["id"], let entity = EntityID(text) else { throw ShopFault(text: "no id: \(body.text)") }
        return ID(entity)
    }

    /// Cancels a sale as it was answered.
    @discardableResult
    func cancel(
        _ sale: JSONObjectBody,
        reason: String = "typed twice",
        key: IdempotencyKey? = nil
    ) async throws
        -> JSONObjectBody
    {
        try JSONObjectBody(try await sales.cancel(id(of: sale), reason: reason, context, key: key).body)
    }

    /// Reverses a payment.
    @discardableResult
    func reverse(_ payment: JSONObjectBody, reason: String = "chargeback") async throws -> JSONObjectBody {
        try JSONObjectBody(try await payments.reverse(id(of: payment), reason: reason, context, key: nil).body)
    }

    /// A sale as it is read.
    func read(_ sale: JSONObjectBody) async throws -> JSONObjectBody {
        guard let body = try await answer(sales.sale(id(of: sale), caller)).body else {
            throw ShopFault(text: "no body")
        }
        return try JSONObjectBody(body)
    }

    /// Money of a customer, the oldest sales first.
    func pay(_ tender: Tender) async throws -> JSONObjectBody {
        try JSONObjectBody(
            try await payments.register(PaymentRequest(tender: tender, customerID: customerID), context, key: nil).body
        )
    }

    /// What is left of the ledger by method, category and direction, without what adds up to nothing.
    func ledger() async throws -> String {
        try await psql(
            """
            SELECT coalesce(string_agg(concat_ws(' ', method, category, direction, amount), ', '
                                       ORDER BY method, category, direction), '')
            FROM (SELECT method, category, direction, trim_scale(sum(amount)) AS amount FROM stock.ledger_entry
                  GROUP BY method, category, direction HAVING sum(amount) <> 0) e
            """
        )
    }
}

/// How many of several tasks ended with each code; nil for those that were done.
func codes(
    of count: Int,
    _ body: @escaping @Sendable () async throws -> some Any & Sendable
) async -> [Problem.Code?: Int] {
    await withTaskGroup(of: Problem.Code?.self) { group in
        for _ in 0..<count { group.addTask { await refusal(body)?.code } }
        return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
}

@Suite("A cancelled sale")
struct CancellationTests {
    @Test("puts its goods back at the cost they left with and takes its money out of the ledger")
    func undone() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(
                try shop.request(
                    [("A", "2"), ("W", "0.333"), ("A", "1"), ("S", "1")],
                    paid: [try cash("11.58", tendered: "20.00"), try card("10.00")]
                )
            )
            // The cost moves meanwhile: 997 at 1.25 and 1003 at 3.
            try await shop.asTenant(
                """
                SELECT count(*) FROM stock.move_stock(ARRAY[ROW(
                    gen_random_uuid(), '\(TestShop.product("A"))', 'adjustment', 1003, 3, 'bought', NULL, NULL, NULL, now(),
                    stock.today(), stock.main_location())::stock.move])
                """
            )
            let cancelled = try await shop.cancel(sale, reason: "wrong customer")
            #expect(cancelled["status"] == "cancelled")
            #expect(cancelled["paid"] == "0.00" && cancelled["due"] == "0.00" && cancelled["total"] == "21.58")
            #expect(cancelled["number"] == "1" && cancelled["version"] == "2")
            #expect(cancelled.list("payments").map { $0["status"] } == ["reversed", "reversed"])
            #expect(cancelled.text.contains(#""cancellation":{"reason" : "wrong customer""#))
            let moved = try await shop.psql(
                """
                SELECT string_agg(concat_ws(' ', p.sku, trim_scale(m.quantity), trim_scale(m.unit_cost), m.reason), ', ' ORDER BY p.sku)
                FROM stock.stock_movement m JOIN stock.product p ON p.id = m.product_id WHERE m.kind = 'sale_reversal'
                """
            )
            #expect(moved == "A 3 1.25 wrong customer, W 0.333 1.25 wrong customer")
            // (2000 x 2.127625 + 3 x 1.25) / 2003
            let cost = try await shop.psql(
                "SELECT trim_scale(cost) FROM stock.stock_level WHERE product_id = '\(TestShop.product("A"))'"
            )
            #expect(cost == "2.126311")
            #expect(try await shop.ledger() == "")
            #expect(try await shop.read(sale) == cancelled)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("goes back to the place it was sold from, wherever its register stands now, unless that is closed")
    func places() async throws {
        try await TestShop.open { (shop) async throws in
            let branch = "00000000-0000-7000-8000-0000000000b1"
            try await shop.asTenant(
                """
                INSERT INTO stock.location (tenant_id, id, name) VALUES (stock.current_tenant(), '\(branch)', 'Ñu');
                UPDATE stock.product SET oversell = 'allow'
                """
            )
            let first = try await shop.sell(try shop.request([("A", "1")], paid: [try card("2.50")]))
            try await shop.asTenant("UPDATE stock.register SET location_id = '\(branch)'")
            let second = try await shop.sell(try shop.request([("A", "2")], paid: [try card("5.00")]))
            try await shop.cancel(first)
            let levels =
                "SELECT string_agg(trim_scale(on_hand)::text, ' ' ORDER BY location_id) FROM stock.location_level "
                + "WHERE product_id = '\(TestShop.product("A"))'"
            #expect(try await shop.psql(levels) == "1000 -2")
            try await shop.asTenant(
                """
                UPDATE stock.register SET location_id = stock.main_location();
                SELECT count(*) FROM stock.move_stock(ARRAY[ROW(
                    gen_random_uuid(), '\(TestShop.product("A"))', 'adjustment', 2, NULL, 'found', NULL, NULL, NULL, now(),
                    stock.today(), '\(branch)')::stock.move]);
                UPDATE stock.location SET active = false WHERE id = '\(branch)'
                """
            )
            let problem = await refusal { try await shop.cancel(second) }
            #expect(problem?.code == .invalidState)
            #expect(problem?.detail.contains("Ñu") == true)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("leaves a customer's balance as if it had not been, part paid")
    func partPaid() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.sell(try shop.request([("B", "1")], paid: [], customer: true))
            let sale = try await shop.sell(try shop.request([("B", "3")], paid: [try cash("5.00")], customer: true))
            let balance = "SELECT trim_scale(balance) FROM stock.customer_account"
            #expect(try await shop.psql(balance) == "11")
            try await shop.cancel(sale)
            #expect(try await shop.psql(balance) == "4")
            #expect(try await shop.ledger() == "")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("with tips and rounded cash leaves nothing of them")
    func rounded() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant("UPDATE stock.tenant SET cash_rounding = 0.05, version = version + 1")
            var tender = try cash("4.10", tendered: "5.00")
            tender.tip = try Money("0.50")
            let sale = try await shop.sell(try shop.request([("W", "0.333")], paid: [tender]))
            #expect(sale["rounding"] == "0.02")
            #expect(try await shop.ledger() == "cash rounding income 0.02, cash sale income 4.08, cash tip income 0.5")
            let cancelled = try await shop.cancel(sale)
            #expect(cancelled["rounding"] == "0.00" && cancelled["due"] == "0.00")
            #expect(try await shop.ledger() == "")
            // What rounds to nothing was paid by nothing.
            let small = try await shop.sell(try shop.request([("W", "0.001")], paid: []))
            #expect(small["rounding"] == "-0.01")
            try await shop.cancel(small)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is not cancelled twice, nor by two at once, and its key gives the first answer")
    func twice() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("A", "2")], paid: [try cash("5.00")]))
            let first = try await shop.cancel(sale, key: shop.key("c"))
            #expect(try await shop.cancel(sale, key: shop.key("c")) == first)
            let again = await refusal { try await shop.cancel(sale) }
            #expect(again?.code == .invalidState)
            #expect(again?.detail == "The sale is cancelled.")
            let other = try await shop.sell(try shop.request([("A", "2")], paid: [try cash("5.00")]))
            #expect(await codes(of: 6) { try await shop.cancel(other) } == [nil: 1, .invalidState: 5])
            #expect(
                try await shop.psql("SELECT count(*) FROM stock.stock_movement WHERE kind = 'sale_reversal'") == "2"
            )
            #expect(try await shop.ledger() == "")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("by many tills at once, of the same products in any order, deadlocks nobody")
    func atOnce() async throws {
        try await TestShop.open { (shop) async throws in
            var sold: [JSONObjectBody] = []
            for number in 0..<8 {
                let lines = [("A", "1"), ("B", "1")]
                sold.append(
                    try await shop.sell(
                        try shop.request(number.isMultiple(of: 2) ? lines : lines.reversed(), paid: [], customer: true)
                    )
                )
            }
            await withTaskGroup(of: Problem?.self) { group in
                for sale in sold { group.addTask { await refusal { try await shop.cancel(sale) } } }
                group.addTask { await refusal { try await shop.pay(try cash("6.50")) } }
                for await problem in group {
                    // A sale that the payment came to first keeps it, wholly its own or not.
                    #expect(
                        problem == nil || [.invalidState, .paymentExceedsDue].contains(problem?.code),
                        "\(problem as Any)"
                    )
                }
            }
            #expect(try await shop.violations() == [])
        }
    }

    @Test("whose payment pays another sale, too, waits until that is reversed")
    func shared() async throws {
        try await TestShop.open { (shop) async throws in
            let first = try await shop.sell(try shop.request([("B", "1")], paid: [], customer: true))
            let second = try await shop.sell(try shop.request([("B", "2")], paid: [], customer: true))
            let payment = try await shop.pay(try card("6.00"))
            let refused = await refusal { try await shop.cancel(second) }
            #expect(refused?.code == .invalidState)
            #expect(
                refused?.errors.map(\.detail) == [
                    "Payment \(payment["id"] ?? "") pays other sales too. Reverse it first."
                ]
            )
            try await shop.reverse(payment, reason: "to cancel a sale")
            try await shop.cancel(second)
            #expect(try await shop.read(first)["due"] == "4.00")
            #expect(try await shop.psql("SELECT trim_scale(balance) FROM stock.customer_account") == "4")
            // One that pays this sale alone goes with it, though it names the customer.
            _ = try await shop.pay(try card("4.00"))
            try await shop.cancel(first)
            #expect(try await shop.ledger() == "")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("takes cash out of no drawer that is closed; a register that was retired has none")
    func drawers() async throws {
        try await TestShop.open { (shop) async throws in
            let till = "00000000-0000-7000-8000-0000000000b2"
            try await shop.asTenant(
                "INSERT INTO stock.register (tenant_id, id, name) VALUES (stock.current_tenant(), '\(till)', 'Second')"
            )
            func sell(_ tender: Tender) async throws -> JSONObjectBody {
                var request = try shop.request([("B", "1")], paid: [tender])
                request.registerID = RegisterID(till)
                return try await shop.sell(request)
            }
            let sales = [try await sell(try cash("4.00")), try await sell(try card("4.00"))]
            try await shop.asTenant("UPDATE stock.register SET requires_session = true WHERE id = '\(till)'")
            #expect(await refusal { try await shop.cancel(sales[0]) }?.code == .sessionClosed)
            let refund = [Refund(method: .cash, amount: try Money("4.00"))]
            #expect(
                await refusal { try await shop.takeBack(sales[1], [(0, "1")], refund: refund) }?.code == .sessionClosed
            )
            try await shop.cancel(sales[1])
            try await shop.asTenant("UPDATE stock.register SET active = false WHERE id = '\(till)'")
            try await shop.cancel(sales[0])
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "takes money out of the till that took it, or of none, wherever the sale was made",
        arguments: [false, true]
    )
    func tillThatTook(hasSession: Bool) async throws {
        try await TestShop.open { (shop) async throws in
            let second = try await shop.openLocation("Łódź")
            let till = try await shop.openRegister(at: second)
            let sale = try await shop.sell(try shop.request([("B", "2")], paid: [], customer: true))
            let saleID = try required(SaleID(required(sale["id"])))
            func net() async throws -> String {
                try await shop.psql(
                    """
                    SELECT coalesce(string_agg(format('%s:%s', g.is_default, trim_scale(b.net)), ' ' ORDER BY g.is_default), '')
                    FROM (SELECT register_id, sum(income - expense) AS net FROM stock.register_day GROUP BY 1) b
                    JOIN stock.register g ON g.id = b.register_id WHERE b.net <> 0
                    """
                )
            }
            func pay(_ tender: Tender, at till: RegisterID?) async throws -> JSONObjectBody {
                let request = PaymentRequest(tender: tender, saleID: saleID, registerID: till)
                return try JSONObjectBody(try await shop.payments.register(request, shop.context, key: nil).body)
            }
            if hasSession {
                let opening = CashSessionOpening(float: try Money("50"))
                _ = try await shop.cash.open(till, opening, shop.context, key: nil)
            }
            let taken = try await pay(try cash("3.00"), at: till)
            #expect(try await net() == "f:3")
            // A transfer comes to no till.
            let transfer = try await pay(try card("1.00"), at: nil)
            #expect(try await net() == "f:3")
            try await shop.reverse(taken)
            #expect(try await net() == "")
            try await shop.reverse(transfer)
            #expect(try await net() == "")
            // With the sale, too, whose own register has taken nothing: by who works at both places.
            _ = try await pay(try card("4.00"), at: till)
            _ = try await pay(try card("1.00"), at: nil)
            var limited = shop.context
            limited.caller.workplaces = .only([try TestShop.main()])
            let here = limited
            let id = try required(SaleID(required(sale["id"])))
            let forbidden = await refusal {
                try await shop.sales.cancel(id, reason: "typed twice", here, key: nil)
            }
            #expect(forbidden?.code == .forbidden)
            try await shop.cancel(sale)
            #expect(try await net() == "")
            if hasSession {
                let expected = "SELECT trim_scale(stock.session_expected(s.id)) FROM stock.cash_session s"
                #expect(try await shop.asTenant(expected) == "50")
            }
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is of the day it is done on, whatever has been closed since it was sold")
    func closedBooks() async throws {
        try await TestShop.open { (shop) async throws in
            var request = try shop.request([("A", "1")], paid: [try card("2.50")])
            request.occurredAt = Timestamp("2026-03-01T12:00:00Z")
            let sale = try await shop.sell(request)
            try await shop.asTenant("UPDATE stock.tenant SET closed_until = '2026-03-31', version = version + 1")
            try await shop.cancel(sale)
            let days = "SELECT string_agg((business_day = (now() AT TIME ZONE 'Europe/London')::date)::text, ' ') FROM "
            #expect(try await shop.psql(days + "stock.ledger_entry WHERE reverses_id IS NOT NULL") == "true")
            #expect(try await shop.psql(days + "stock.stock_movement WHERE kind = 'sale_reversal'") == "true")
            #expect(try await shop.violations() == [])
        }
    }
}

@Suite("A reversed payment")
struct ReversalTests {
    @Test("of a walk-in leaves the sale due, which can be paid again")
    func chargeback() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(
                try shop.request([("B", "2")], paid: [try card("3.00"), try cash("5.00", tendered: "10.00")])
            )
            let card = try #require(sale.list("payments").first { $0["method"] == "card" })
            let reversed = try await shop.reverse(card, reason: "no señal")
            #expect(reversed["status"] == "reversed" && reversed["amount"] == "3.00" && reversed["version"] == "2")
            #expect(reversed.text.contains(#""reversal":{"reason" : "no señal""#))
            let owed = try await shop.read(sale)
            #expect(owed["paid"] == "5.00" && owed["due"] == "3.00" && owed["version"] == "2")
            #expect(owed.list("payments").map { $0["status"] } == ["reversed", "confirmed"])
            #expect(try await shop.ledger() == "cash sale income 5")
            _ = try await shop.payments.register(
                PaymentRequest(tender: try cash("3.00"), saleID: try shop.id(of: sale)),
                shop.context,
                key: nil
            )
            #expect(try await shop.read(sale)["due"] == "0.00")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of a customer makes each sale due that it paid, and rounding goes with it")
    func ofCustomer() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant("UPDATE stock.tenant SET cash_rounding = 0.05, version = version + 1")
            let rounded = try await shop.sell(
                try shop.request([("W", "0.333")], paid: [try cash("4.10")], customer: true)
            )
            let others = [
                try await shop.sell(try shop.request([("B", "1")], paid: [], customer: true)),
                try await shop.sell(try shop.request([("B", "2")], paid: [], customer: true)),
            ]
            let payment = try await shop.pay(try card("6.00"))
            try await shop.reverse(payment)
            #expect(try await shop.read(others[0])["due"] == "4.00")
            #expect(try await shop.read(others[1])["due"] == "8.00")
            try await shop.reverse(rounded.list("payments")[0])
            let due = try await shop.read(rounded)
            #expect(due["due"] == "4.08" && due["rounding"] == "0.00")
            #expect(try await shop.psql("SELECT trim_scale(balance) FROM stock.customer_account") == "16.08")
            #expect(try await shop.psql("SELECT trim_scale(sum(due)) FROM stock.receivable") == "16.08")
            #expect(try await shop.ledger() == "")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is not reversed twice, by two at once, or with the sale it pays")
    func twice() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("B", "1")], paid: [try card("4.00")], customer: true))
            let payment = try #require(sale.list("payments").first)
            #expect(await codes(of: 6) { try await shop.reverse(payment) } == [nil: 1, .invalidState: 5])
            #expect(try await shop.psql("SELECT trim_scale(balance) FROM stock.customer_account") == "4")
            try await shop.cancel(sale)
            #expect(try await shop.psql("SELECT trim_scale(balance) FROM stock.customer_account") == "0")
            let other = try await shop.sell(try shop.request([("B", "1")], paid: [try card("4.00")]))
            try await shop.cancel(other)
            let gone = await refusal { try await shop.reverse(other.list("payments")[0]) }
            #expect(gone?.code == .invalidState)
            let nothing = await refusal {
                try await shop.payments.reverse(.make(), reason: "x", shop.context, key: nil)
            }
            #expect(nothing?.code == .notFound)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("while its sale is cancelled and paid: one after the other")
    func racing() async throws {
        try await TestShop.open { (shop) async throws in
            for _ in 0..<4 {
                let sale = try await shop.sell(try shop.request([("B", "1")], paid: [try card("1.00")], customer: true))
                let payment = try #require(sale.list("payments").first)
                await withTaskGroup(of: Problem?.self) { group in
                    group.addTask { await refusal { try await shop.cancel(sale) } }
                    group.addTask { await refusal { try await shop.reverse(payment) } }
                    group.addTask { await refusal { try await shop.pay(try cash("3.00")) } }
                    for await problem in group {
                        let isExpected = [.invalidState, .paymentExceedsDue].contains(problem?.code)
                        #expect(problem == nil || isExpected, "\(problem as Any)")
                    }
                }
                #expect(try await shop.violations() == [])
            }
        }
    }
}

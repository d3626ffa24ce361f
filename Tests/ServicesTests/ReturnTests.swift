import Cache
import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

extension TestShop {
    /// Takes back quantities of lines of a sale, by their places.
    @discardableResult
    func takeBack(
        _ sale: JSONObjectBody,
        _ lines: [(place: Int, quantity: String)],
        refund: [Refund] = [],
        restocks: Bool = true,
        register: RegisterID? = nil
    ) async throws -> JSONObjectBody {
        let sold = sale.list("lines")
        let request = ReturnRequest(
            registerID: register,
            lines: try lines.map { line in
                ReturnRequest.Line(
                    saleLineID: try id(of: sold[line.place]),
                    quantity: try Quantity(line.quantity),
                    restocks: restocks
                )
            },
            payments: refund
        )
        return try JSONObjectBody(try await sales.takeBack(id(of: sale), request, context, key: nil).body)
    }

    /// What is on hand of a product.
    func onHand(_ sku: Character) async throws -> String {
        try await psql(
            "SELECT trim_scale(on_hand) FROM stock.stock_level WHERE product_id = '\(Self.product(sku))'"
        )
    }
}

/// Money given back.
private func back(_ method: PaymentMethodCode, _ amount: String) throws -> Refund {
    Refund(method: method, amount: try Money(amount))
}

@Suite("A return")
struct ReturnTests {
    @Test("in three parts adds up to the whole, to the penny")
    func threeParts() async throws {
        try await TestShop.open { (shop) async throws in
            var request = try shop.request([("A", "3")], paid: [try card("7.49")])
            request.discount = try Money("0.01")
            let sale = try await shop.sell(request)
            var amounts: [String?] = []
            for refund in ["2.50", "2.49", "2.50"] {
                let made = try await shop.takeBack(sale, [(0, "1")], refund: [try back(.card, refund)])
                amounts.append(made["total"])
                #expect(made["refund"] == refund && made["rounding"] == "0.00")
                #expect(made.list("lines").map { $0["sku"] } == ["A"])
                #expect(made.list("payments").map { $0["amount"] } == [refund])
            }
            #expect(amounts == ["2.50", "2.49", "2.50"])
            let read = try await shop.read(sale)
            #expect(read["returned_total"] == "7.49" && read["refunded"] == "7.49" && read["due"] == "0.00")
            #expect(read.list("lines").first?["returned_quantity"] == "3")
            #expect(read.list("returns").map { $0["number"] } == ["1", "2", "3"])
            #expect(read["status"] == "confirmed" && read["version"] == "4")
            #expect(try await shop.onHand("A") == "1000")
            #expect(try await shop.ledger() == "card refund expense 7.49, card sale income 7.49")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of too much is refused with every line, what was asked and what is left, and changes nothing")
    func tooMuch() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(
                try shop.request([("A", "2"), ("B", "1"), ("W", "0.5")], paid: [try card("15.13")])
            )
            try await shop.takeBack(sale, [(0, "1")], refund: [try back(.card, "2.50")])
            let problem = await refusal {
                try await shop.takeBack(sale, [(0, "2"), (1, "1"), (2, "0.501")], refund: [try back(.card, "9.00")])
            }
            #expect(problem?.code == .refundExceedsSold)
            #expect(problem?.errors.map(\.pointer) == ["/lines/0/quantity", "/lines/2/quantity"])
            #expect(
                problem?.errors.map { $0.extra.filter { $0.name != "product_id" }.map(\.json) }
                    == [["\"2\"", "\"1\""], ["\"0.501\"", "\"0.5\""]]
            )
            let fine = await refusal {
                try await shop.takeBack(sale, [(1, "0.5"), (2, "0.0001")], refund: [try back(.card, "2.00")])
            }
            #expect(fine?.code == .quantityPrecision)
            #expect(fine?.errors.map(\.pointer) == ["/lines/0/quantity", "/lines/1/quantity"])
            let twice = await refusal { try await shop.takeBack(sale, [(1, "1"), (1, "1")]) }
            #expect(twice?.code == .validationFailed)
            #expect(twice?.errors.map(\.code) == [.duplicate, .duplicate])
            let other = try await shop.sell(try shop.request([("A", "1")], paid: [try card("2.50")]))
            let foreign = await refusal {
                try await shop.sales.takeBack(
                    shop.id(of: sale),
                    ReturnRequest(lines: [
                        ReturnRequest.Line(
                            saleLineID: try shop.id(of: other.list("lines")[0]),
                            quantity: try Quantity("1")
                        )
                    ]),
                    shop.context,
                    key: nil
                )
            }
            #expect(foreign?.errors.map(\.code) == [.notFound])
            #expect(try await shop.psql("SELECT count(*) FROM stock.sale_return") == "1")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("after a price change gives back what was paid, at the cost that left")
    func afterPriceChange() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("A", "4")], paid: [try cash("10.00")]))
            try await shop.asTenant(
                """
                UPDATE stock.product SET price = 99, tax_rate = 10 WHERE sku = 'A';
                SELECT count(*) FROM stock.move_stock(ARRAY[ROW(
                    gen_random_uuid(), '\(TestShop.product("A"))', 'adjustment', 4, 3.25, 'bought', NULL, NULL, NULL, now(),
                    stock.today(), stock.main_location())::stock.move])
                """
            )
            let made = try await shop.takeBack(sale, [(0, "2")], refund: [try back(.cash, "5.00")])
            #expect(made["total"] == "5.00")
            let line = try #require(made.list("lines").first)
            #expect(line["unit_price"] == "2.50" && line["unit_cost"] == "1.25" && line["amount"] == "5.00")
            // (1000 x 1.258 + 2 x 1.25) / 1002
            let cost = "SELECT trim_scale(cost) FROM stock.stock_level WHERE product_id = '\(TestShop.product("A"))'"
            #expect(try await shop.psql(cost) == "1.257984")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of an unpaid sale lowers what is due, and then gives back what was paid more")
    func unpaid() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("B", "5")], paid: [try cash("6.00")], customer: true))
            let made = try await shop.takeBack(sale, [(0, "2")])
            #expect(made["total"] == "8.00" && made["refund"] == "0.00")
            #expect(made["customer_id"] == TestShop.customer)
            let balance = "SELECT trim_scale(balance) FROM stock.customer_account"
            #expect(try await shop.psql(balance) == "6")
            let short = await refusal { try await shop.takeBack(sale, [(0, "3")], refund: [try back(.cash, "5.99")]) }
            #expect(short?.code == .paymentMismatch)
            #expect(short?.errors.first?.extra.map(\.json) == ["\"5.99\"", "\"6.00\""])
            let much = await refusal { try await shop.takeBack(sale, [(0, "3")], refund: [try back(.cash, "12.00")]) }
            #expect(much?.code == .paymentMismatch)
            try await shop.takeBack(sale, [(0, "3")], refund: [try back(.cash, "2.00"), try back(.card, "4.00")])
            #expect(try await shop.psql(balance) == "0")
            #expect(
                try await shop.ledger() == "card refund expense 4, cash refund expense 2, cash sale income 6"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("whose goods are lost puts nothing back; those of a service neither")
    func lost() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("A", "2"), ("S", "1")], paid: [try card("15.00")]))
            let made = try await shop.takeBack(sale, [(0, "2")], refund: [try back(.card, "5.00")], restocks: false)
            #expect(made.list("lines").first?["restock"] == "false")
            try await shop.takeBack(sale, [(1, "1")], refund: [try back(.card, "10.00")])
            #expect(try await shop.onHand("A") == "998")
            #expect(try await shop.psql("SELECT count(*) FROM stock.stock_movement WHERE ref_type = 'return'") == "0")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of two lines of one product moves it once, to where the register stands")
    func onePlace() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("A", "2"), ("A", "3")], paid: [try card("12.50")]))
            let (branch, till) = ("00000000-0000-7000-8000-0000000000b1", "00000000-0000-7000-8000-0000000000b2")
            try await shop.asTenant(
                """
                INSERT INTO stock.location (tenant_id, id, name) VALUES (stock.current_tenant(), '\(branch)', 'Branch');
                INSERT INTO stock.register (tenant_id, id, name, location_id)
                VALUES (stock.current_tenant(), '\(till)', 'Second', '\(branch)')
                """
            )
            let made = try await shop.takeBack(
                sale,
                [(0, "1"), (1, "3")],
                refund: [try back(.card, "10.00")],
                register: RegisterID(till)
            )
            #expect(made["register_id"] == till && made["number"] == "1")
            let moves = try await shop.psql(
                """
                SELECT string_agg(concat_ws(' ', trim_scale(quantity), location_id = '\(branch)', kind), ', ')
                FROM stock.stock_movement WHERE ref_id = '\(made["id"] ?? "")'
                """
            )
            #expect(moves == "4 t return")
            #expect(try await shop.onHand("A") == "999")
            try await shop.asTenant("UPDATE stock.register SET active = false WHERE id = '\(till)'")
            let closed = await refusal { try await shop.takeBack(sale, [(0, "1")], register: RegisterID(till)) }
            #expect(closed?.errors.map(\.pointer) == ["/register_id"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("gives back what the sale's cash was rounded by, and rounds what it gives back in cash")
    func rounded() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant("UPDATE stock.tenant SET cash_rounding = 0.05, version = version + 1")
            // 4.08 for 4.10; 12.25 x 0.111 = 1.36 of it.
            let sale = try await shop.sell(try shop.request([("W", "0.333")], paid: [try cash("4.10")]))
            let first = try await shop.takeBack(sale, [(0, "0.111")], refund: [try back(.cash, "1.40")])
            #expect(first["total"] == "1.36" && first["refund"] == "1.36" && first["rounding"] == "0.04")
            #expect(try await shop.read(sale)["rounding"] == "-0.02")
            // By card to the penny: what is left of 4.10 less 1.40.
            let second = try await shop.takeBack(sale, [(0, "0.222")], refund: [try back(.card, "2.70")])
            #expect(second["refund"] == "2.72" && second["rounding"] == "-0.02")
            let read = try await shop.read(sale)
            #expect(read["rounding"] == "0.00" && read["due"] == "0.00" && read["refunded"] == "4.10")
            #expect(
                try await shop.ledger()
                    == "card refund expense 2.72, card rounding expense -0.02, cash refund expense 1.36, "
                    + "cash rounding expense 0.04, cash rounding income 0.02, cash sale income 4.08"
            )
            // Nobody rounds what is given back by nothing, in cash or otherwise.
            let whole = try await shop.sell(try shop.request([("W", "0.333")], paid: [try card("4.08")]))
            let unpaid = await refusal { try await shop.takeBack(whole, [(0, "0.333")], refund: []) }
            #expect(unpaid?.code == .paymentMismatch)
            #expect(unpaid?.errors.first?.detail == "Adds up to 0.00; 4.08 is given back.")
            // What rounds to nothing is given back by nothing.
            let small = try await shop.sell(try shop.request([("W", "0.001")], paid: [try card("0.01")]))
            let nothing = try await shop.takeBack(small, [(0, "0.001")])
            #expect(nothing["refund"] == "0.01" && nothing["rounding"] == "-0.01")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("rounds cash as a sale does", arguments: ["0.05", "0.1", "1", "7", "0.03"])
    func rounding(step: String) async throws {
        try await TestShop.open("rounding \(step)") { (shop) async throws in
            try await shop.asTenant("UPDATE stock.tenant SET cash_rounding = \(step)")
            let rule = CashRounding(step: try Money(step))
            for amount in ["0.01", "0.02", "0.025", "0.03", "0.50", "1.49", "1.50", "3.50", "10.5", "99999.99"] {
                let owed = try Money(amount)
                let expected = try rule.rounded(owed)
                let paid = try await shop.database.refusal(
                    of: """
                        SET stock.tenant_id = \(shop.tenant);
                        SELECT stock.refund_check(\(amount), \(expected), CASE WHEN \(expected) = 0 THEN '{}'::numeric[]
                            ELSE ARRAY[\(expected)::numeric] END, CASE WHEN \(expected) = 0 THEN '{}'::text[]
                            ELSE ARRAY['cash'] END)
                        """
                )
                #expect(paid == nil || paid == "", "\(amount) in steps of \(step) is \(expected)")
            }
        }
    }

    @Test("of one line by two at once takes back what there is, once")
    func twoAtOnce() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("A", "3")], paid: [try card("7.50")]))
            let outcomes = await codes(of: 8) {
                try await shop.takeBack(sale, [(0, "1")], refund: [try back(.card, "2.50")])
            }
            #expect(outcomes == [nil: 3, .refundExceedsSold: 5])
            #expect(try await shop.onHand("A") == "1000")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("while the sale is cancelled, paid and charged back: one after the other")
    func racing() async throws {
        try await TestShop.open { (shop) async throws in
            for _ in 0..<4 {
                let sale = try await shop.sell(
                    try shop.request([("A", "2"), ("B", "1")], paid: [try card("1.00")], customer: true)
                )
                let other = try await shop.sell(
                    try shop.request([("B", "1"), ("A", "2")], paid: [try card("9.00")])
                )
                await withTaskGroup(of: Problem?.self) { group in
                    group.addTask { await refusal { try await shop.cancel(sale) } }
                    group.addTask { await refusal { try await shop.takeBack(sale, [(1, "1"), (0, "1")]) } }
                    group.addTask { await refusal { try await shop.reverse(sale.list("payments")[0]) } }
                    group.addTask { await refusal { try await shop.pay(try cash("2.00")) } }
                    group.addTask {
                        await refusal {
                            try await shop.takeBack(other, [(1, "2"), (0, "1")], refund: [try back(.card, "9.00")])
                        }
                    }
                    let expected: [Problem.Code] = [.invalidState, .paymentExceedsDue, .paymentMismatch]
                    for await problem in group {
                        #expect(problem.map { expected.contains($0.code) } ?? true, "\(problem as Any)")
                    }
                }
                #expect(try await shop.violations() == [])
            }
        }
    }

    @Test("keeps its sale from being cancelled; of a cancelled sale there is none")
    func states() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("B", "2")], paid: [try card("8.00")]))
            try await shop.takeBack(sale, [(0, "1")], refund: [try back(.card, "4.00")])
            #expect(await refusal { try await shop.cancel(sale) }?.code == .invalidState)
            let other = try await shop.sell(try shop.request([("B", "2")], paid: [try card("8.00")]))
            try await shop.cancel(other)
            #expect(await refusal { try await shop.takeBack(other, [(0, "1")]) }?.code == .invalidState)
            try await shop.asTenant("UPDATE stock.tenant SET closed_until = '2026-03-31'")
            let dated = ReturnRequest(
                occurredAt: Timestamp("2026-03-31T12:00:00Z"),
                lines: [
                    ReturnRequest.Line(saleLineID: try shop.id(of: sale.list("lines")[0]), quantity: try Quantity("1"))
                ],
                payments: [try back(.card, "4.00")]
            )
            let closed = await refusal {
                try await shop.sales.takeBack(shop.id(of: sale), dated, shop.context, key: nil)
            }
            #expect(closed?.code == .periodClosed)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("has a refund that is reversed only as far as something is due")
    func reversedRefund() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("B", "3")], paid: [try card("12.00")], customer: true))
            let made = try await shop.takeBack(sale, [(0, "1")], refund: [try back(.card, "4.00")])
            let refund = try #require(made.list("payments").first)
            let refused = await refusal { try await shop.reverse(refund) }
            #expect(refused?.code == .invalidState)
            #expect(refused?.detail == "It refunded 4.00 of a sale of which 0.00 is due, which would fall below zero.")
            // The card was charged back, so 12.00 is due; without the refund it is 8.00.
            try await shop.reverse(sale.list("payments")[0])
            #expect(try await shop.read(sale)["due"] == "12.00")
            try await shop.reverse(refund, reason: "the refund came back")
            let read = try await shop.read(sale)
            #expect(read["due"] == "8.00" && read["refunded"] == "0.00" && read["returned_total"] == "4.00")
            #expect(try await shop.psql("SELECT trim_scale(balance) FROM stock.customer_account") == "8")
            #expect(try await shop.ledger() == "")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is listed and read as it was answered")
    func readBack() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(try shop.request([("B", "2")], paid: [try card("8.00")], customer: true))
            let made = try await shop.takeBack(sale, [(0, "1")], refund: [try back(.card, "4.00")])
            let other = try await shop.takeBack(sale, [(0, "1")], refund: [try back(.card, "4.00")])
            let read = try await shop.answer(shop.sales.takenBack(try shop.id(of: made), shop.caller))
            #expect(try JSONObjectBody(try #require(read.body)) == made)
            var filter = ReturnFilter()
            for narrowed in 0..<3 {
                filter.saleID = narrowed == 1 ? try shop.id(of: sale) : nil
                filter.customerID = narrowed == 2 ? shop.customerID : nil
                let first = try await shop.answer(shop.sales.returns(filter, Page(limit: 1), shop.caller))
                let page = try JSONObjectBody(try #require(first.body))
                #expect(page.list("data").map { $0["id"] } == [other["id"]])
                let next = try await shop.answer(
                    shop.sales.returns(filter, Page(limit: 1, cursor: page["next_cursor"]), shop.caller)
                )
                #expect(try JSONObjectBody(try #require(next.body)).list("data").map { $0["id"] } == [made["id"]])
            }
        }
    }
}

@Suite("A return without a sale")
struct UnsoldReturnTests {
    private func request(
        _ lines: [(sku: String, quantity: String, price: String)],
        _ refund: [Refund]
    ) throws
        -> UnsoldReturnRequest
    {
        UnsoldReturnRequest(
            lines: try lines.map { line in
                UnsoldReturnRequest.Line(
                    product: .sku(line.sku),
                    quantity: try Quantity(line.quantity),
                    unitPrice: try Price(line.price)
                )
            },
            payments: refund
        )
    }

    @Test("is taken where the shop allows it, at its own prices, and given back at once")
    func allowed() async throws {
        try await TestShop.open { (shop) async throws in
            let request = try request([("a", "2", "1.115"), ("W", "0.333", "12.25")], [try back(.card, "6.31")])
            let denied = await refusal { try await shop.sales.takeBack(request, shop.context, key: nil) }
            #expect(denied?.code == .invalidState)
            try await shop.asTenant("UPDATE stock.tenant SET returns_without_sale = 'allow'")
            let made = try JSONObjectBody(try await shop.sales.takeBack(request, shop.context, key: nil).body)
            #expect(made["total"] == "6.31" && made["sale_id"] == nil && made["number"] == "1")
            #expect(made.list("lines").map { $0["amount"] } == ["2.23", "4.08"])
            #expect(made.list("lines").map { $0["unit_cost"] } == ["1.25", "1.25"])
            #expect(try await shop.onHand("A") == "1002")
            #expect(try await shop.ledger() == "card refund expense 6.31")
            let refund = try #require(made.list("payments").first)
            #expect(await refusal { try await shop.reverse(refund) }?.code == .invalidState)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("names every line that is wrong, and rounds cash")
    func refused() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant("UPDATE stock.tenant SET returns_without_sale = 'allow', cash_rounding = 0.05")
            let wrong = try request([("A", "1.5", "1"), ("X", "1", "1"), ("B", "1", "1")], [])
            let problem = await refusal { try await shop.sales.takeBack(wrong, shop.context, key: nil) }
            #expect(problem?.code == .validationFailed)
            #expect(problem?.errors.map(\.pointer) == ["/lines/0/quantity", "/lines/1/sku"])
            let short = try request([("A", "1", "1.02")], [try back(.cash, "1.02")])
            #expect(
                await refusal { try await shop.sales.takeBack(short, shop.context, key: nil) }?.code == .paymentMismatch
            )
            let exact = try request([("A", "1", "1.02")], [try back(.cash, "1.00")])
            let made = try JSONObjectBody(try await shop.sales.takeBack(exact, shop.context, key: nil).body)
            #expect(made["refund"] == "1.02" && made["rounding"] == "-0.02")
            #expect(try await shop.ledger() == "cash refund expense 1.02, cash rounding expense -0.02")
            #expect(try await shop.violations() == [])
        }
    }
}

import Cache
import Domain
import Foundation
import Kernel
import Laboratory
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("How a shop is paid")
struct TenderTests {
    // MARK: Methods of a shop's own

    /// Adds a method to a shop, past the services.
    private func add(_ code: String, _ kind: PaymentKind, to shop: TestShop) async throws {
        try await shop.psql(
            """
            INSERT INTO stock.payment_method (tenant_id, id, code, name, kind)
            VALUES (\(shop.tenant), gen_random_uuid(), '\(code)', 'Vale de comida ñ', '\(kind.rawValue)')
            """
        )
    }

    private func by(_ code: String, _ amount: String, tip: String = "0", tendered: String? = nil) throws -> Tender {
        Tender(
            method: try required(PaymentMethodCode(rawValue: code)),
            amount: try Money(amount),
            tip: try Money(tip),
            tendered: try tendered.map { try Money($0) }
        )
    }

    @Test("every tenant has cash, card and transfer from the start")
    func standard() async throws {
        try await TestShop.open { (shop) async throws in
            let methods = try await shop.psql(
                "SELECT code, name, kind, opens_drawer, active, position FROM stock.payment_method ORDER BY position"
            )
            #expect(methods == "cash|Cash|cash|t|t|1\ncard|Card|card|f|t|2\ntransfer|Transfer|transfer|f|t|3")
        }
    }

    @Test("a sale takes a method the shop has just made, and a cached refusal is no obstacle")
    func own() async throws {
        try await TestShop.open { (shop) async throws in
            let request = try shop.request([("A", "2")], paid: [try by("mercadopago", "5.00")])
            let before = await refusal { try await shop.sell(request) }
            #expect(before?.code == .validationFailed)
            #expect(before?.errors.map(\.pointer) == ["/payments/0/method"])
            #expect(before?.errors.map(\.code) == [.notFound])
            try await add("mercadopago", .other, to: shop)
            let sale = try await shop.sell(request)
            #expect(sale.list("payments").map { $0["method"] } == ["mercadopago"])
            #expect(try await shop.psql("SELECT method, amount FROM stock.ledger_entry") == "mercadopago|5.0000")
            var filter = PaymentFilter()
            filter.method = PaymentMethodCode(rawValue: "mercadopago")
            let list = try await shop.answer(shop.payments.list(filter, Page(limit: 10), shop.caller))
            #expect(try JSONObjectBody(required(list.body)).list("data").count == 1)
            filter.method = PaymentMethodCode(rawValue: "unknown")
            let none = try await shop.answer(shop.payments.list(filter, Page(limit: 10), shop.caller))
            #expect(try JSONObjectBody(required(none.body)).list("data").isEmpty)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("an archived method is refused at once by sales and payments, though products and rules are in memory")
    func archived() async throws {
        try await TestShop.open { (shop) async throws in
            let request = try shop.request([("A", "2")], paid: [try card("5.00")])
            try await shop.sell(request)
            try await shop.psql("UPDATE stock.payment_method SET active = false WHERE code = 'card'")
            let sold = await refusal { try await shop.sell(request) }
            #expect(sold?.errors.map(\.pointer) == ["/payments/0/method"])
            let owed = try await shop.sell(shop.request([("B", "1")], paid: [], customer: true))
            let payment = PaymentRequest(tender: try card("4.00"), saleID: SaleID(try required(owed["id"])))
            let paid = await refusal { try await shop.payments.register(payment, shop.context, key: nil) }
            #expect(paid?.code == .validationFailed)
            #expect(paid?.errors.map(\.pointer) == ["/method"])
            #expect(paid?.errors.map(\.code) == [.notFound])
            try await shop.psql("UPDATE stock.payment_method SET active = true WHERE code = 'card'")
            try await shop.sell(request)
            _ = try await shop.payments.register(payment, shop.context, key: nil)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("change is of every method of kind cash, and of no other, whatever its code")
    func kinds() async throws {
        try await TestShop.open { (shop) async throws in
            try await add("dollars", .cash, to: shop)
            let sale = try await shop.sell(
                shop.request([("A", "2")], paid: [try by("dollars", "5.00", tendered: "20.00")])
            )
            #expect(sale["change"] == "15.00")
            let wrong = await refusal {
                try await shop.sell(shop.request([("A", "2")], paid: [try by("card", "5.00", tendered: "20.00")]))
            }
            #expect(wrong?.errors.map { "\($0.pointer) \($0.code)" } == ["/payments/0/tendered not_allowed"])
            let owed = try await shop.sell(shop.request([("B", "2")], paid: [], customer: true))
            let id = SaleID(try required(owed["id"]))
            let refused = await refusal {
                try await shop.payments.register(
                    PaymentRequest(tender: try by("card", "4.00", tendered: "5.00"), saleID: id),
                    shop.context,
                    key: nil
                )
            }
            #expect(refused?.errors.map { "\($0.pointer) \($0.code)" } == ["/tendered not_allowed"])
            let paid = try await shop.payments.register(
                PaymentRequest(tender: try by("dollars", "4.00", tendered: "5.00"), saleID: id),
                shop.context,
                key: nil
            )
            #expect(try JSONObjectBody(paid.body)["change"] == "1.00")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a register that wants an open session wants it for every method of kind cash")
    func sessions() async throws {
        try await TestShop.open { (shop) async throws in
            try await add("dollars", .cash, to: shop)
            try await shop.psql("UPDATE stock.register SET requires_session = true")
            let refused = await refusal {
                try await shop.sell(shop.request([("A", "2")], paid: [try by("dollars", "5.00")]))
            }
            #expect(refused?.code == .sessionClosed)
            try await shop.sell(shop.request([("A", "2")], paid: [try card("5.00")]))
        }
    }

    @Test("the ledger names no method that is not there, and a document's method cannot be deleted by anybody")
    func held() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.sell(shop.request([("A", "2")], paid: [try card("5.00")]))
            let unknown = try await shop.database.refusal(
                of: "UPDATE stock.ledger_entry SET method = 'unknown' WHERE amount = 5"
            )
            #expect(unknown == "23503")
            let used = try await shop.database.refusal(of: "DELETE FROM stock.payment_method WHERE code = 'card'")
            #expect(used == "23503")
            try await shop.psql("DELETE FROM stock.payment_method WHERE code = 'transfer'")
        }
    }

    @Test("a shop of before has the three methods that its documents name, and holds what it held")
    func migrated() async throws {
        let database = try await PostgresServer.shared().emptyDatabase(named: "tenders_of_before")
        let path = FileManager.default.temporaryDirectory.path() + "/stock-tenders-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.copyItem(atPath: SourceTree.sqlFolder, toPath: path)
        for file in try FileManager.default.contentsOfDirectory(atPath: path)
        where file.hasPrefix("0") && file >= "0110" {
            try FileManager.default.removeItem(atPath: "\(path)/\(file)")
        }
        let deadline = ContinuousClock.now.advanced(by: .seconds(1_800))
        let sums = "SELECT method, count(*), sum(amount) FROM stock.payment GROUP BY 1 ORDER BY 1"
        try await withDatabase(database.superuserURL) { (client) async throws in
            _ = try await Migrator(
                postgres: client,
                folder: try MigrationFolder(path: path),
                applicationPassword: PostgresServer.password
            ).up(deadline: deadline)
            try await database.fill(Shops(tenants: 2, large: 2, products: 40, sales: 300))
            let before = try await database.psql(sums)
            _ = try await Migrator(postgres: client, folder: try MigrationFolder(path: SourceTree.sqlFolder))
                .up(deadline: deadline)
            #expect(try await database.psql(sums) == before)
        }
        let methods = try await database.psql(
            "SELECT tenant_id, string_agg(code, ',' ORDER BY position) FROM stock.payment_method GROUP BY 1 ORDER BY 1"
        )
        #expect(methods == "1|cash,card,transfer\n2|cash,card,transfer")
        let violations = try await withDatabase(database.appURL) { (client) async throws in
            try await Verification(postgres: client).run(deadline: deadline)
        }
        #expect(violations.isEmpty, "\(violations.prefix(5))")
    }

    @Test("a sale that waits for a method whose kind is changed takes it for what it then is")
    func changedKind() async throws {
        try await TestShop.open { (shop) async throws in
            let request = try shop.request([("A", "2")], paid: [try by("cash", "5.00", tendered: "10.00")])
            // Its rules are in memory, and the method is in no document.
            _ = await refusal { try await shop.sell(shop.request([("A", "2")], paid: [])) }
            try await withDatabase(shop.database.superuserURL) { (client) async throws in
                try await client.withLease(deadline: shop.context.deadline) { lease in
                    try await lease.execute(
                        script: """
                            BEGIN;
                            SELECT FROM stock.payment_method WHERE code = 'cash' FOR UPDATE;
                            UPDATE stock.payment_method SET kind = 'other' WHERE code = 'cash'
                            """
                    )
                    async let sold = refusal { try await shop.sell(request) }
                    try await shop.waiting()
                    try await lease.execute(script: "COMMIT")
                    #expect(await sold?.errors.map(\.pointer) == ["/payments/0/tendered"])
                }
            }
            #expect(try await shop.psql("SELECT count(*) FROM stock.payment") == "0")
        }
    }

    // MARK: Tips

    @Test("a tip is beside what is paid: told with its payment, of its own category, in the day's income")
    func tips() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = try await shop.sell(
                shop.request(
                    [("A", "4")],
                    paid: [try by("cash", "4.00", tip: "1.50", tendered: "10.00"), try by("card", "6.00", tip: "0.60")]
                )
            )
            #expect(sale["total"] == "10.00")
            #expect(sale["paid"] == "10.00")
            #expect(sale["due"] == "0.00")
            #expect(sale["change"] == "4.50")
            #expect(sale.list("payments").map { $0["tip"] } == ["1.50", "0.60"])
            #expect(sale.list("payments").map { $0["amount"] } == ["4.00", "6.00"])
            #expect(
                try await shop.psql(
                    "SELECT category, method, amount FROM stock.ledger_entry ORDER BY category, amount"
                ) == "sale|cash|4.0000\nsale|card|6.0000\ntip|card|0.6000\ntip|cash|1.5000"
            )
            #expect(
                try await shop.psql("SELECT method, sum(income) FROM stock.balance_day GROUP BY 1 ORDER BY 1")
                    == "card|6.6000\ncash|5.5000"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a tip beside a payment of a debt pays nothing of it")
    func tipOfDebt() async throws {
        try await TestShop.open { (shop) async throws in
            let owed = try await shop.sell(shop.request([("B", "2")], paid: [], customer: true))
            let answer = try await shop.payments.register(
                PaymentRequest(
                    tender: try by("cash", "8.00", tip: "2.00", tendered: "20.00"),
                    customerID: shop.customerID
                ),
                shop.context,
                key: nil
            )
            let payment = try JSONObjectBody(answer.body)
            #expect(payment["amount"] == "8.00")
            #expect(payment["tip"] == "2.00")
            #expect(payment["change"] == "10.00")
            #expect(payment.list("allocations").map { $0["amount"] } == ["8.00"])
            let sale = try await shop.answer(shop.sales.sale(required(SaleID(required(owed["id"]))), shop.caller))
            #expect(try JSONObjectBody(required(sale.body))["due"] == "0.00")
            let short = await refusal {
                try await shop.payments.register(
                    PaymentRequest(
                        tender: try by("cash", "1", tip: "1", tendered: "1.99"),
                        customerID: shop.customerID
                    ),
                    shop.context,
                    key: nil
                )
            }
            #expect(short?.code == .paymentMismatch)
            #expect(try await shop.violations() == [])
        }
    }

    // MARK: Rounding

    /// Sells something for a price, which need not be what coins make.
    private func priced(_ price: String, paid: [Tender], customer: Bool = false, _ shop: TestShop) throws -> SaleRequest
    {
        var request = try shop.request([("S", "1")], paid: paid, customer: customer)
        request.lines[0].unitPrice = try Price(price)
        return request
    }

    @Test("cash is rounded to the coins there are: the total stays, the difference has a row of its own")
    func rounding() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql("UPDATE stock.tenant SET cash_rounding = 0.05, version = version + 1")
            let down = try await shop.sell(priced("10.02", paid: [try cash("10.00", tendered: "20.00")], shop))
            #expect(down["total"] == "10.02")
            #expect(down["rounding"] == "-0.02")
            #expect(down["paid"] == "10.00")
            #expect(down["due"] == "0.00")
            #expect(down["change"] == "10.00")
            let mixed = try await shop.sell(
                priced("10.03", paid: [try card("5.00"), try by("cash", "5.05", tip: "1")], shop)
            )
            #expect(mixed["rounding"] == "0.02")
            #expect(mixed["paid"] == "10.05")
            let exact = try await shop.sell(priced("10.03", paid: [try card("10.03")], shop))
            #expect(exact["rounding"] == "0.00")
            let ledger = try await shop.psql(
                """
                SELECT method, category, string_agg(trim_scale(amount)::text, ' ' ORDER BY amount)
                FROM stock.ledger_entry GROUP BY 1, 2 ORDER BY 1, 2
                """
            )
            #expect(ledger == "card|sale|5 10.03\ncash|rounding|-0.02 0.02\ncash|sale|5.03 10.02\ncash|tip|1")
            // What is in the drawer: 10.00, 5.05 and a tip of 1.00.
            #expect(
                try await shop.psql("SELECT sum(income) FROM stock.balance_day WHERE method = 'cash'") == "16.0500"
            )
            let page = try await shop.answer(shop.sales.list(SaleFilter(), Page(limit: 10), shop.caller))
            #expect(
                try JSONObjectBody(required(page.body)).list("data").map { $0["rounding"] } == [
                    "0.00", "0.02", "-0.02",
                ]
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a customer's debt is not rounded, and what cannot be paid in coins is refused")
    func unrounded() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql("UPDATE stock.tenant SET cash_rounding = 0.10, version = version + 1")
            let owed = try await shop.sell(priced("10.02", paid: [try cash("5.00")], customer: true, shop))
            #expect(owed["rounding"] == "0.00")
            #expect(owed["due"] == "5.02")
            let exact = await refusal { try await shop.sell(priced("10.02", paid: [try cash("10.02")], shop)) }
            #expect(exact?.code == .paymentMismatch)
            let free = try await shop.sell(priced("0.04", paid: [], shop))
            #expect(free["rounding"] == "-0.04")
            #expect(free["due"] == "0.00")
            let full = try await shop.sell(priced("10.02", paid: [try cash("10.00")], customer: true, shop))
            #expect(full["due"] == "0.00")
            #expect(try await shop.psql("SELECT balance FROM stock.customer_account") == "5.0200")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a due is paid in the coins there are; 0.01 short or over, by card or all at once it is not rounded")
    func roundedDebts() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql("UPDATE stock.tenant SET cash_rounding = 0.05, version = version + 1")
            func owe(_ price: String) async throws -> JSONObjectBody {
                try await shop.sell(priced(price, paid: [], customer: true, shop))
            }
            func pay(_ sale: JSONObjectBody, _ tender: Tender) async throws -> JSONObjectBody {
                let request = PaymentRequest(tender: tender, saleID: SaleID(try required(sale["id"])))
                return try JSONObjectBody(try await shop.payments.register(request, shop.context, key: nil).body)
            }
            func state(_ sale: JSONObjectBody) async throws -> [String?] {
                let now = try await shop.read(sale)
                return [now["paid"], now["rounding"], now["due"]]
            }
            let down = try await owe("10.02")
            let payment = try await pay(down, try by("cash", "10.00", tip: "1", tendered: "20.00"))
            #expect(payment["change"] == "9.00")
            #expect(payment.list("allocations").map { $0["amount"] } == ["10.00"])
            #expect(try await state(down) == ["10.00", "-0.02", "0.00"])
            let up = try await owe("10.03")
            _ = try await pay(up, try by("cash", "10.05"))
            #expect(try await state(up) == ["10.05", "0.02", "0.00"])
            // In two parts, of which the second is what coins make of the rest.
            let parts = try await owe("10.02")
            _ = try await pay(parts, try by("cash", "4.00"))
            #expect(try await state(parts) == ["4.00", "0.00", "6.02"])
            _ = try await pay(parts, try by("cash", "6.00"))
            #expect(try await state(parts) == ["10.00", "-0.02", "0.00"])

            let other = try await owe("10.02")
            for (tender, due) in [
                (try by("cash", "9.99"), "0.03"), (try by("card", "0.01"), "0.02"), (try by("cash", "0.02"), "0.00"),
            ] {
                _ = try await pay(other, tender)
                #expect(try await state(other).last == due)
            }
            let third = try await owe("10.02")
            for tender in [try by("cash", "10.05"), try by("cash", "10.03"), try by("card", "10.05")] {
                #expect(await refusal { try await pay(third, tender) }?.code == .paymentExceedsDue)
            }
            _ = try await pay(third, try by("card", "10.00"))
            #expect(try await state(third) == ["10.00", "0.00", "0.02"])
            // All that a customer owes is not rounded: which sale would be?
            let all = PaymentRequest(tender: try by("cash", "0.02"), customerID: shop.customerID)
            _ = try await shop.payments.register(all, shop.context, key: nil)
            #expect(try await state(third) == ["10.02", "0.00", "0.00"])
            #expect(try await shop.psql("SELECT balance FROM stock.customer_account") == "0.0000")
            let ledger = try await shop.psql(
                "SELECT sum(amount) FROM stock.ledger_entry WHERE category = 'rounding'"
            )
            #expect(ledger == "-0.0200")
            #expect(try await shop.violations() == [])

            // What was rounded is owed again with what was paid.
            _ = try await shop.reverse(payment)
            #expect(try await state(down) == ["0.00", "0.00", "10.02"])
            #expect(try await shop.psql("SELECT balance FROM stock.customer_account") == "10.0200")
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "a currency without decimals is rounded as well",
        arguments: [(0, "50", "1235", "1250"), (3, "0.005", "1.002", "1.000")]
    )
    func exponents(exponent: Int, step: String, price: String, paid: String) async throws {
        try await TestShop.open("rounding at \(exponent)", currency: "XTS", exponent: exponent) { (shop) async throws in
            try await shop.psql("UPDATE stock.tenant SET cash_rounding = \(step), version = version + 1")
            let sale = try await shop.sell(priced(price, paid: [try cash(paid)], shop))
            #expect(sale["total"] == price)
            #expect(sale["paid"] == paid)
            #expect(try await shop.violations() == [])
        }
    }

    // MARK: The program before

    @Test("the program before sells and takes payments by the functions it knows")
    func before() async throws {
        try await TestShop.open { (shop) async throws in
            let sale = "00000000-0000-7000-8000-00000000f001"
            func confirm(_ method: String, customer: String = "NULL", paid: String = "2.50") -> String {
                """
                SET SESSION AUTHORIZATION stock_app;
                SELECT set_config('stock.tenant_id', '\(shop.tenant)', false);
                SELECT stock.sale_confirm(
                    (SELECT version FROM stock.tenant), '\(sale)', NULL, \(customer), NULL, NULL, NULL, 2.50, 0, 0.43, 2.50,
                    \(paid), ARRAY['\(TestShop.product("A"))']::uuid[], '{1}', '{\(sale)}', '{\(sale)}',
                    ARRAY['\(TestShop.product("A"))']::uuid[], '{1}', '{0}', '{1}', '{2.50}', '{f}', '{0}', '{0}', '{0.43}', '{2.50}',
                    '{\(sale)}', '{\(sale)}', '{\(method)}', '{\(paid)}', '{5}');
                """
            }
            #expect(try await shop.database.refusal(of: confirm("unknown")) == "ST001")
            try await shop.psql(confirm("cash", customer: "'\(TestShop.customer)'", paid: "2.00"))
            try await shop.psql(
                """
                SET SESSION AUTHORIZATION stock_app;
                SELECT set_config('stock.tenant_id', '\(shop.tenant)', false);
                SELECT stock.payment_register(gen_random_uuid(), gen_random_uuid(), 'card', 0.50, NULL, '\(sale)', NULL, NULL, NULL)
                """
            )
            #expect(try await shop.psql("SELECT due, paid, rounding FROM stock.sale") == "0.0000|2.5000|0.0000")
            #expect(try await shop.violations() == [])
        }
    }
}

@Suite("The ways a shop is paid, as records")
struct PaymentMethodTests {
    private func fields(_ code: String, _ kind: PaymentKind, name: String = "Bono ñ") throws -> PaymentMethodFields {
        var fields = PaymentMethodFields()
        fields.code = .set(try required(PaymentMethodCode(rawValue: code)))
        fields.name = .set(name)
        fields.kind = .set(kind)
        fields.opensDrawer = .set(false)
        fields.active = .set(true)
        fields.position = .set(4)
        return fields
    }

    private func id(_ code: String, _ live: LiveShop) async throws -> ID<PaymentMethod> {
        let text = try await live.database.psql(
            "SELECT id FROM stock.payment_method WHERE tenant_id = \(live.owner.tenant.id) AND code = '\(code)'"
        )
        return try required(ID<PaymentMethod>(text))
    }

    /// Sells a service for 10.00.
    private func sell(_ live: LiveShop, by code: String) async throws {
        var draft = ProductFields(name: "Café", price: try Price("10"))
        draft.tracksStock = .set(false)
        let made = try JSONBody(try await live.shop.products.create(draft, live.context))
        _ = try await live.shop.sales.confirm(
            SaleRequest(
                lines: [
                    .init(product: .id(try required(ProductID(required(made["id"])))), quantity: try Quantity("1"))
                ],
                payments: [
                    Tender(
                        method: try required(PaymentMethodCode(rawValue: code)),
                        amount: try Money("10"),
                        tip: try Money("1")
                    )
                ]
            ),
            live.context,
            key: nil
        )
    }

    @Test("a code is one shop's own: twice is refused, and another shop may have the same")
    func unique() async throws {
        try await LiveShop.open { live in
            let methods = live.shop.records(PaymentMethod.self)
            _ = try await methods.create(fields("vale", .voucher), live.context)
            let twice = await refusal { try await methods.create(fields("vale", .voucher), live.context) }
            #expect(twice?.code == .duplicate)
            #expect(twice?.errors.map(\.pointer) == ["/code"])
        }
    }

    @Test("a method that a document names keeps its kind and is archived, never deleted; another is neither bound")
    func used() async throws {
        try await LiveShop.open { live in
            let methods = live.shop.records(PaymentMethod.self)
            _ = try await methods.create(fields("vale", .voucher), live.context)
            let id = try await id("vale", live)
            var change = PaymentMethodFields()
            change.kind = .set(.other)
            _ = try await methods.change(id, change, expected: .any, live.context)
            try await sell(live, by: "vale")
            change.kind = .set(.cash)
            let fixed = await refusal { try await methods.change(id, change, expected: .any, live.context) }
            #expect(fixed?.code == .invalidState)
            #expect(fixed?.errors.map(\.pointer) == ["/kind"])
            // The same kind is no change, and the name is free.
            change.kind = .set(.other)
            change.name = .set("Otro bono €")
            _ = try await methods.change(id, change, expected: .any, live.context)
            let inUse = await refusal { try await methods.delete(id, expected: .any, live.context) }
            #expect(inUse?.code == .inUse)
            change = PaymentMethodFields()
            change.active = .set(false)
            _ = try await methods.change(id, change, expected: .any, live.context)
            _ = try await methods.delete(try await self.id("transfer", live), expected: .any, live.context)
            let summary = try JSONBody(try await live.answer(live.shop.balance.summary(.all, live.caller)))
            #expect(summary.texts("methods", "method") == ["cash", "card", "vale"])
            #expect(summary.texts("methods", "income") == ["0.00", "0.00", "11.00"])
        }
    }

    @Test("the last method of kind cash may be archived: a shop may take none")
    func noCash() async throws {
        try await LiveShop.open { live in
            var change = PaymentMethodFields()
            change.active = .set(false)
            let before = try JSONBody(try await live.answer(live.shop.balance.dashboard(live.caller)))
            #expect(before.texts("methods", "method") == ["cash", "card", "transfer"])
            _ = try await live.shop.records(PaymentMethod.self)
                .change(try await id("cash", live), change, expected: .any, live.context)
            try await eventually(within: .seconds(30), "the dashboard shows two") {
                try JSONBody(try await live.answer(live.shop.balance.dashboard(live.caller))).texts("methods", "method")
                    == ["card", "transfer"]
            }
        }
    }

    @Test("cash is rounded at the decimals of the currency, and a currency that has fewer is refused")
    func setting() async throws {
        try await LiveShop.open { live in
            func patch(_ step: String?, _ currency: String? = nil) async -> Problem? {
                await refusal {
                    var patch = TenantPatch()
                    if let step { patch.cashRounding = .set(try Money(step)) }
                    if let currency { patch.currency = .set(try required(Currency(code: currency))) }
                    return try await live.shop.tenants.update(patch, expected: .any, live.context)
                }
            }
            #expect(await patch("0.005")?.errors.map(\.pointer) == ["/cash_rounding"])
            #expect(await patch("0.05") == nil)
            #expect(await patch(nil, "JPY")?.errors.map(\.pointer) == ["/cash_rounding"])
            #expect(await patch("10000.01")?.errors.map(\.pointer) == ["/cash_rounding"])
            #expect(await patch("50", "JPY") == nil)
            #expect(await patch("0.005", "KWD") == nil)
            let tenant = try JSONBody(try await live.answer(live.shop.tenants.get(live.caller)))
            #expect(tenant["cash_rounding"] == "0.005")
        }
    }
}

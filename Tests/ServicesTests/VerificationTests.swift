import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Verification")
struct VerificationTests {
    /// The database of a shop that has sold, been paid later, lost, carried and counted goods; nobody is connected to it any more.
    func busy() async throws -> TestDatabase {
        try await TestShop.open("verification") { (shop) async throws in
            try await shop.sell(
                try shop.request([("A", "2"), ("W", "0.333")], paid: [try cash("9.08")]),
                key: shop.key("1")
            )
            try await shop.sell(try shop.request([("B", "3")], paid: [try card("4.00")], customer: true))
            _ = try await shop.payments.register(
                PaymentRequest(tender: try cash("3.00"), customerID: shop.customerID),
                shop.context,
                key: nil
            )
            let returned = try await shop.sell(try shop.request([("B", "6")], paid: [try card("24.00")]))
            try await shop.takeBack(
                returned,
                [(0, "2")],
                refund: [Refund(method: .card, amount: try Money("8.00"))]
            )
            // Undone: a sale with a tip, and a payment.
            var tipped = try card("16.00")
            tipped.tip = try Money("1.00")
            try await shop.cancel(try await shop.sell(try shop.request([("B", "4")], paid: [tipped])))
            let unpaid = try await shop.sell(try shop.request([("B", "5")], paid: [try card("20.00")]))
            try await shop.reverse(unpaid.list("payments")[0])
            for amount in ["11.00", "12.00"] {
                let spent = try await shop.expenses.record(
                    MoneyEntryRequest(category: "Rent", amount: try Money(amount), method: .card),
                    shop.context,
                    key: nil
                )
                if amount == "12.00" {
                    let id = try required(ID<ExpenseSource>(required(JSONObjectBody(spent.body)["id"])))
                    _ = try await shop.expenses.reverse(id, reason: "typed twice", shop.context, key: nil)
                }
            }
            let supplier = try await shop.supplier()
            let owed = try await shop.order(
                supplier,
                [("A", "7", "2"), ("W", "0.5", "3")],
                costs: [("Freight", "0.75")]
            )
            _ = try await shop.receive(owed)
            try await shop.pay("6.25", of: owed)
            let undone = try await shop.order(supplier, [("B", "6", "1")])
            _ = try await shop.receive(undone)
            _ = try await shop.cancel(undone)
            try await carryAndCount(shop)
            // Quoted and sold; put away.
            let quote = try shop.quoteID(try await shop.quote(try shop.quoteRequest([("S", "1")])))
            _ = try await shop.quotes.send(quote, shop.context, key: nil)
            let paid = SaleConfirmation(payments: [try card("10.00")])
            _ = try await shop.quotes.convert(quote, paid, shop.context, key: nil)
            _ = try await shop.put(try shop.request([("B", "1")], paid: []))
            try await shop.reserving(drafts: 600)
            _ = try await shop.put(try shop.request([("B", "2")], paid: []))
            try await approve(shop)
            let register = try required(RegisterID(TestShop.register))
            let opening = CashSessionOpening(float: try Money("50"))
            let session = try JSONObjectBody(try await shop.cash.open(register, opening, shop.context, key: nil).body)
            _ = try await shop.cash.close(
                required(CashSessionID(required(session["id"]))),
                CashCount(counted: try Money("49")),
                shop.context,
                key: nil
            )
            try await shop.asTenant(
                """
                INSERT INTO stock.category (tenant_id, id, name) VALUES (stock.current_tenant(), gen_random_uuid(), 'Tée');
                UPDATE stock.product SET category_id = (SELECT c.id FROM stock.category c)
                """
            )
            try await shop.addUp()
            #expect(try await shop.violations() == [])
            return shop.database
        }
    }

    /// Sells what somebody approved of.
    private func approve(_ shop: TestShop) async throws {
        var owner = shop.context
        owner.caller.user = UserID(TestShop.owner)
        owner.caller.role = .owner
        let given = try await shop.sales.approve(ApprovalRequest(discountLimit: try Percent("5")), owner)
        var request = try shop.request([("S", "1")], paid: [try card("10.00")])
        request.approval = try JSONObjectBody(given.body)["approval"]
        try await shop.sell(request)
        var quote = try shop.quoteRequest([("A", "1")])
        let offered = try await shop.sales.approve(ApprovalRequest(discountLimit: try Percent("5")), owner)
        quote.cart.approval = try JSONObjectBody(offered.body)["approval"]
        _ = try await shop.quotes.create(quote, shop.context, key: nil)
        try await shop.asTenant("UPDATE stock.tenant SET returns_without_sale = 'allow'")
        var back = UnsoldReturnRequest(
            lines: [.init(product: .sku("S"), quantity: try Quantity("1"), unitPrice: try Price("2"))],
            payments: [Refund(method: .card, amount: try Money("2.00"))]
        )
        let returned = try await shop.sales.approve(ApprovalRequest(returnLimit: try Money("5")), owner)
        back.approval = try JSONObjectBody(returned.body)["approval"]
        _ = try await shop.sales.takeBack(back, shop.context, key: nil)
    }

    /// Sends five pieces of `A`, three of which come and one is lost; counts one of `B` less than there is.
    private func carryAndCount(_ shop: TestShop) async throws {
        let second = try await shop.openLocation("Łódź")
        let request = TransferRequest(
            fromLocationID: try TestShop.main(),
            toLocationID: second,
            lines: [.init(product: .sku("A"), quantity: try Quantity("5"))]
        )
        let draft = try JSONObjectBody(try await shop.transfers.draft(request, shop.context, key: nil).body)
        let transfer = try #require(TransferID(draft["id"] ?? ""))
        _ = try await shop.transfers.send(transfer, shop.context, key: nil)
        let part = ReceivedLine(
            lineID: try #require(TransferLineID(draft.list("lines").first?["id"] ?? "")),
            quantity: try Quantity("3"),
            lost: try Quantity("1"),
            reason: "broken"
        )
        _ = try await shop.transfers.receive(transfer, [part], shop.context, key: nil)
        let opened = try await shop.counts.open(CountRequest(locationID: try TestShop.main()), shop.context, key: nil)
        let count = try #require(StockCountID(JSONObjectBody(opened.body)["id"] ?? ""))
        let counted = CountedProduct(product: .sku("B"), counted: try Quantity("996"))
        _ = try await shop.counts.enter(count, [counted], shop.context)
        _ = try await shop.counts.close(count, shop.context, key: nil)
    }

    // The wrong plan takes hours; the deadline leaves room for a machine that does much else.
    @Test(
        "many small shops and a large one are checked to the end, whichever comes first and whatever the statistics say",
        .serialized,
        arguments: [1, 31],
        [true, false]
    )
    func unevenShops(large: Int, isAnalysedEarly: Bool) async throws {
        let database = try await PostgresServer.shared().database(named: "uneven")
        if isAnalysedEarly { try await database.psql("ANALYZE") }
        var shops = Shops(tenants: 31, large: large, products: 2_000, sales: 20_000)
        shops.smallProducts = 1
        shops.smallSales = 1
        try await database.fill(shops)
        for isAnalysedNow in [false, true] {
            if isAnalysedNow { try await database.psql("ANALYZE") }
            let violations = try await withDatabase(database.appURL) { (client) async throws in
                try await Verification(postgres: client).run(deadline: .now + .seconds(120))
            }
            #expect(violations.isEmpty, "\(violations.prefix(5))")
        }
        try await database.drop()
    }

    @Test("an outbox that is old is a fault only while an instance follows the log, and doctor says the same")
    func oldOutbox() async throws {
        let database = try await busy()
        try await database.psql(
            "UPDATE stock.cache_outbox SET touched_at = now() - interval '2 minutes'"
        )
        func judged() async throws -> (isViolated: Bool, outbox: Finding.Level?) {
            let deadline = ContinuousClock.now.advanced(by: .seconds(1_800))
            return try await withDatabase(database.appURL) { (client) async throws in
                let violations = try await Verification(postgres: client).run(deadline: deadline)
                let findings = try await Doctor(postgres: client, folder: nil).examine(deadline: deadline)
                return (!violations.isEmpty, findings.first { $0.check == "outbox" }?.level)
            }
        }
        #expect(try await judged() == (false, .warning))
        try await withDatabase(database.appURL) { (instance) async throws in
            _ = try await instance.query(FollowLog(), tenant: nil, deadline: .now + .seconds(1_800))
            #expect(try await judged() == (true, .failure))
        }
        try await eventually("the server has noticed that the instance went") {
            try await judged() == (false, .warning)
        }
    }

    /// What is planted, and the invariants that must see it; triggers and checks are off while it is done.
    private static let planted: [(sql: String, invariants: Set<String>)] = [
        (
            "UPDATE stock.location_level SET on_hand = on_hand + 1 WHERE product_id = '\(TestShop.product("A"))'",
            ["I1", "I2"]
        ),
        ("UPDATE stock.stock_level SET on_hand = on_hand + 1 WHERE product_id = '\(TestShop.product("A"))'", ["I1"]),
        ("UPDATE stock.stock_level SET in_transit = 7 WHERE product_id = '\(TestShop.product("A"))'", ["I1"]),
        ("UPDATE stock.stock_level SET stock_version = 9 WHERE product_id = '\(TestShop.product("A"))'", ["I2"]),
        ("UPDATE stock.stock_movement SET location_id = stock.transit_location() WHERE kind = 'sale'", ["I1", "I2"]),
        ("DELETE FROM stock.location_level WHERE product_id = '\(TestShop.product("A"))'", ["I1"]),
        ("UPDATE stock.stock_level SET bounded = NOT bounded WHERE product_id = '\(TestShop.product("A"))'", ["I3"]),
        ("UPDATE stock.location_level SET name_key = 'z' WHERE product_id = '\(TestShop.product("A"))'", ["I3"]),
        ("DELETE FROM stock.stock_level WHERE product_id = '\(TestShop.product("S"))'", ["I1"]),
        ("UPDATE stock.stock_movement SET seq = 97 WHERE seq = 2 AND product_id = '\(TestShop.product("A"))'", ["I2"]),
        ("UPDATE stock.location_level SET floor = NULL WHERE product_id = '\(TestShop.product("A"))'", ["I3"]),
        ("UPDATE stock.stock_level SET low_at = 7 WHERE product_id = '\(TestShop.product("A"))'", ["I3"]),
        ("UPDATE stock.stock_level SET archived = true, name_key = 'z'", ["I3"]),
        ("UPDATE stock.sale_line SET tax = tax + 0.01 WHERE sku = 'A'", ["I4", "I5", "I34"]),
        ("UPDATE stock.sale_line SET packed_quantity = 100, packed_price = 100 WHERE sku = 'A'", ["I4", "I5"]),
        ("UPDATE stock.sale SET tax = tax + 1 WHERE number = 1", ["I5"]),
        ("UPDATE stock.payment_allocation SET amount = amount - 0.5 WHERE amount = 4", ["I6"]),
        ("UPDATE stock.sale_line SET returned_quantity = 1 WHERE sku = 'B'", ["I7"]),
        ("UPDATE stock.purchase SET total = total + 1, due = due + 1 WHERE number = 1", ["I8"]),
        ("UPDATE stock.purchase SET paid = paid + 1, due = due - 1 WHERE number = 1", ["I8"]),
        ("UPDATE stock.purchase SET due = 0 WHERE number = 1", ["I8"]),
        ("UPDATE stock.purchase_line SET cost_share = cost_share + 0.01 WHERE sku = 'A'", ["I8"]),
        ("UPDATE stock.purchase_line SET total = total + 0.01 WHERE sku = 'A'", ["I8"]),
        ("UPDATE stock.purchase_line SET packed_quantity = 100, packed_cost = 100 WHERE sku = 'A'", ["I8"]),
        ("UPDATE stock.purchase_line SET open_quantity = 1 WHERE sku = 'B'", ["I8"]),
        ("UPDATE stock.purchase_line SET received_quantity = 8 WHERE sku = 'A'", ["I8", "I10"]),
        ("UPDATE stock.purchase_cost SET amount = amount + 1", ["I8"]),
        ("DELETE FROM stock.purchase_line WHERE sku = 'W'", ["I8", "I10"]),
        (
            "UPDATE stock.purchase_line SET quantity = 7.5, received_quantity = 7.5 WHERE sku = 'A'",
            ["I8", "I10", "I21"]
        ),
        ("UPDATE stock.purchase_allocation SET amount = amount - 1", ["I6", "I8"]),
        ("DELETE FROM stock.purchase_allocation", ["I6", "I8"]),
        ("UPDATE stock.payment SET status = 'reversed' WHERE direction = 'out'", ["I8", "I13"]),
        ("UPDATE stock.purchase SET status = 'cancelled', due = 0 WHERE number = 1", ["I10", "I11"]),
        (
            "UPDATE stock.stock_movement SET ref_id = gen_random_uuid() WHERE kind = 'purchase_reversal'",
            ["I10", "I11"]
        ),
        ("UPDATE stock.purchase SET business_day = business_day - 1 WHERE number = 2", ["I16"]),
        ("UPDATE stock.purchase SET number = 7 WHERE number = 2", ["I18"]),
        ("UPDATE stock.ledger_entry SET direction = 'income' WHERE category = 'purchase'", ["I12"]),
        ("UPDATE stock.ledger_entry SET category = 'Heat' WHERE amount = 11", ["I12"]),
        ("UPDATE stock.ledger_entry SET source_id = gen_random_uuid() WHERE amount = 11", ["I12"]),
        ("UPDATE stock.ledger_entry SET source_type = 'manual' WHERE amount = 11", ["I12"]),
        ("DELETE FROM stock.ledger_entry WHERE amount = -12", ["I13"]),
        ("UPDATE stock.ledger_entry SET amount = -11 WHERE amount = -12", ["I13"]),
        ("UPDATE stock.money_entry SET status = 'reversed' WHERE amount = 11", ["I13"]),
        ("UPDATE stock.money_entry SET business_day = business_day - 1 WHERE amount = 11", ["I12", "I16"]),
        ("DELETE FROM stock.sale_line WHERE sku = 'B'", ["I5", "I9", "I10", "I34"]),
        ("UPDATE stock.stock_movement SET ref_id = gen_random_uuid() WHERE kind = 'sale' AND quantity = -3", ["I10"]),
        ("UPDATE stock.ledger_entry SET method = 'transfer' WHERE amount = 4", ["I12"]),
        ("DELETE FROM stock.ledger_entry WHERE amount = 3", ["I12"]),
        ("UPDATE stock.payment SET status = 'reversed' WHERE amount = 3", ["I6", "I13"]),
        ("UPDATE stock.sale_return SET total = total + 1", ["I7"]),
        ("UPDATE stock.sale_return SET rounding = 0.005", ["I7", "I21"]),
        ("UPDATE stock.sale_return SET number = 5 WHERE sale_id IS NOT NULL", ["I18"]),
        ("UPDATE stock.sale_return_line SET amount = amount + 0.005", ["I7", "I21", "I34"]),
        (
            "UPDATE stock.sale_return_line SET amount = 7; UPDATE stock.sale_return SET total = 7; "
                + "UPDATE stock.sale SET returned_total = 7 WHERE returned_total = 8", ["I7", "I34"]
        ),
        ("UPDATE stock.sale_return_line SET quantity = 1.5", ["I7", "I10", "I21", "I34"]),
        ("UPDATE stock.sale_return_line SET restock = false", ["I10", "I34"]),
        ("DELETE FROM stock.stock_movement WHERE kind = 'return'", ["I1", "I2", "I10"]),
        ("UPDATE stock.sale SET refunded = refunded - 1 WHERE refunded > 0", ["I6"]),
        ("UPDATE stock.sale SET returned_total = 0", ["I6", "I7"]),
        ("UPDATE stock.payment SET status = 'confirmed' WHERE amount = 20", ["I6", "I13"]),
        (
            "DELETE FROM stock.payment_reversal WHERE payment_id = (SELECT id FROM stock.payment WHERE amount = 20)",
            ["I13"]
        ),
        ("DELETE FROM stock.ledger_entry WHERE amount = -1", ["I11", "I13"]),
        ("UPDATE stock.ledger_entry SET category = 'sale' WHERE amount = -1", ["I13"]),
        ("UPDATE stock.ledger_entry SET method = 'cash' WHERE amount = -16", ["I11", "I13"]),
        ("DELETE FROM stock.ledger_entry WHERE amount = -20", ["I13"]),
        ("UPDATE stock.sale SET status = 'cancelled' WHERE number = 1", ["I10", "I11"]),
        ("DELETE FROM stock.sale_cancellation", ["I11", "I34"]),
        ("DELETE FROM stock.stock_movement WHERE kind = 'sale_reversal'", ["I1", "I2", "I10", "I11"]),
        (
            "UPDATE stock.stock_movement SET location_id = stock.transit_location() WHERE kind = 'sale_reversal'",
            ["I1", "I2", "I11"]
        ),
        ("UPDATE stock.payment SET tip = 0.5 WHERE amount = 3", ["I12"]),
        ("UPDATE stock.payment SET rounding = 0.5 WHERE amount = 4", ["I6", "I12", "I30"]),
        ("UPDATE stock.sale SET rounding = 0.05 WHERE number = 1", ["I6"]),
        ("UPDATE stock.payment SET tendered = 5, change = 1 WHERE amount = 4", ["I12"]),
        ("UPDATE stock.payment SET method = 'gone' WHERE amount = 3", ["I12"]),
        ("UPDATE stock.balance_day SET income = income + 0.01 WHERE method = 'card'", ["I14"]),
        ("DELETE FROM stock.balance_day WHERE method = 'cash'", ["I14"]),
        ("UPDATE stock.balance_day SET business_day = business_day - 1 WHERE method = 'card'", ["I14"]),
        ("UPDATE stock.ledger_entry SET business_day = business_day - 1 WHERE amount = 4", ["I12", "I16"]),
        ("UPDATE stock.customer_account SET balance = balance + 1", ["I17", "I30"]),
        ("UPDATE stock.register_day SET income = income + 0.01 WHERE method = 'cash'", ["I14"]),
        ("UPDATE stock.register_day SET location_id = stock.transit_location()", ["I14"]),
        ("UPDATE stock.product_day SET sold = sold + 1 WHERE slot = 0", ["I34"]),
        ("UPDATE stock.product_day SET business_day = business_day - 1", ["I34"]),
        ("DELETE FROM stock.product_day", ["I34"]),
        ("UPDATE stock.tax_day SET amount = amount + 0.01", ["I34"]),
        ("UPDATE stock.tax_day SET deducted_base = 0", ["I34"]),
        ("UPDATE stock.sale_return_line SET tax = tax + 0.01", ["I34"]),
        ("UPDATE stock.stock_value_day SET change = change + 0.01", ["I35"]),
        ("UPDATE stock.sums_state SET open_from = open_from - 7", ["I34"]),
        ("UPDATE stock.customer_month SET change = change + 0.01", ["I30"]),
        ("UPDATE stock.customer_month SET month = '2020-01-01'", ["I30"]),
        ("DELETE FROM stock.customer_month", ["I30"]),
        ("UPDATE stock.receivable SET due = due + 1", ["I17"]),
        ("UPDATE stock.document_counter SET last_number = 9 WHERE kind = 'sale'", ["I18"]),
        ("UPDATE stock.sale SET number = 50 WHERE number = 2", ["I18"]),
        ("UPDATE stock.idempotency_record SET resource_id = gen_random_uuid()", ["I19"]),
        ("UPDATE stock.sale_line SET quantity = 2.0000005 WHERE sku = 'A'", ["I10", "I21", "I34"]),
        ("UPDATE stock.membership SET active = false", ["I22"]),
        ("UPDATE stock.product SET tax_rate = 7 WHERE sku = 'A'", ["I22"]),
        ("UPDATE stock.product SET tax_group_id = gen_random_uuid() WHERE sku = 'A'", ["I22"]),
        ("UPDATE stock.location SET active = false WHERE id = stock.main_location()", ["I22"]),
        ("DELETE FROM stock.cache_log", ["I23"]),
        ("UPDATE stock.cache_outbox SET touched_at = now() - interval '2 minutes'", ["I23"]),
        ("UPDATE stock.domain_event SET seq = 2 * id", ["I23"]),
        (
            """
            UPDATE stock.domain_event SET recorded_at = now() - interval '2 minutes', seq = NULL;
            DELETE FROM stock.cache_outbox
            """, ["I23"]
        ),
        ("ALTER TABLE stock.sale DISABLE TRIGGER cache_update", ["I25"]),
        ("UPDATE stock.product_search SET pairs = pairs[2:]", ["I26"]),
        ("UPDATE stock.product_search SET name_key = 'zebra'", ["I26"]),
        ("UPDATE stock.customer_search SET pairs = '{}'", ["I26"]),
        (
            """
            ALTER TABLE stock.product_barcode DISABLE TRIGGER search_insert;
            INSERT INTO stock.product_barcode (tenant_id, product_id, code)
            SELECT tenant_id, id, 'XYZ' FROM stock.product
            """, ["I26"]
        ),
        ("UPDATE stock.transfer SET number = 5", ["I18"]),
        ("UPDATE stock.transfer_line SET quantity = 5.5", ["I21", "I27"]),
        ("UPDATE stock.transfer_line SET received = 2", ["I27"]),
        ("UPDATE stock.cash_session SET expected = expected + 1, difference = difference - 1", ["I20"]),
        ("UPDATE stock.register SET session_id = gen_random_uuid() WHERE is_default", ["I20"]),
        ("UPDATE stock.transfer SET status = 'cancelled'", ["I27"]),
        ("UPDATE stock.transfer SET to_location_id = gen_random_uuid()", ["I27"]),
        (
            "UPDATE stock.stock_movement m SET ref_id = gen_random_uuid() WHERE m.id = (SELECT min(o.id::text)::uuid FROM stock.stock_movement o WHERE o.kind = 'transfer')",
            ["I27"]
        ),
        ("UPDATE stock.stock_count_line SET counted = counted + 1", ["I28"]),
        ("UPDATE stock.stock_count_line SET counted = counted + 0.5", ["I21", "I28"]),
        ("UPDATE stock.stock_count_line SET open_at = stock.main_location()", ["I28"]),
        ("UPDATE stock.stock_count SET status = 'open'", ["I28"]),
        (
            "UPDATE stock.sale SET number = 99 WHERE id = (SELECT min(id::text)::uuid FROM stock.sale WHERE status = 'draft')",
            ["I9", "I18"]
        ),
        ("UPDATE stock.sale SET cash_session_id = gen_random_uuid() WHERE status = 'draft'", ["I9"]),
        ("UPDATE stock.sale SET approval_id = NULL", ["I33"]),
        ("UPDATE stock.approval SET sale_id = gen_random_uuid() WHERE sale_id IS NOT NULL", ["I33"]),
        ("UPDATE stock.sale_return SET approval_id = NULL", ["I33"]),
        ("UPDATE stock.approval SET return_id = gen_random_uuid() WHERE return_id IS NOT NULL", ["I33"]),
        ("UPDATE stock.quote SET approval_id = NULL", ["I33"]),
        ("UPDATE stock.approval SET quote_id = gen_random_uuid() WHERE quote_id IS NOT NULL", ["I33"]),
        (
            "UPDATE stock.sale_return_line SET packed_quantity = 3, packed_price = 1 WHERE sale_line_id IS NULL", ["I7"]
        ),
        ("UPDATE stock.quote SET number = 5 WHERE sale_id IS NOT NULL", ["I18"]),
        ("UPDATE stock.quote SET total = total + 1", ["I32"]),
        ("UPDATE stock.quote SET sale_id = gen_random_uuid()", ["I32"]),
        ("UPDATE stock.sale SET quote_id = NULL", ["I32"]),
        ("UPDATE stock.location_level SET reserved = reserved + 1", ["I36"]),
        ("UPDATE stock.stock_level SET reserved = 0", ["I36"]),
        ("DELETE FROM stock.reservation", ["I36", "I37"]),
        ("UPDATE stock.reservation SET expires_at = expires_at + interval '1 day'", ["I37"]),
        ("UPDATE stock.reservation SET kind = 'quote'", ["I37"]),
        ("UPDATE stock.sale SET status = 'discarded' WHERE status = 'draft'", ["I37"]),
        ("UPDATE stock.category_count SET active = active + 1", ["I38"]),
        ("DELETE FROM stock.category_count", ["I38"]),
        ("ALTER TABLE stock.sale NO FORCE ROW LEVEL SECURITY", ["I25"]),
    ]

    /// In parts, which are tried beside each other.
    private static let parts = 4

    @Test("finds nothing in a shop that works, and each fault planted in it", arguments: 0..<parts)
    func planted(part: Int) async throws {
        let original = try await busy()
        let server = original.server
        // The checks of the tables would keep some faults out.
        let constraints = try await original.psql(
            """
            SELECT string_agg(format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname), '; ')
            FROM pg_constraint WHERE contype = 'c' AND connamespace = 'stock'::regnamespace
            """
        )
        try await original.psql(constraints)
        for (index, fault) in Self.planted.enumerated() where index % Self.parts == part {
            // Each fault gets the shop as it was.
            let copy = "\(original.name)_\(index)"
            try await eventually("nobody is connected to the database that is copied") {
                do {
                    try await server.psql("CREATE DATABASE \(copy) TEMPLATE \(original.name)", database: "postgres")
                    return true
                } catch {
                    return false
                }
            }
            try await server.psql("SET session_replication_role = replica; \(fault.sql)", database: copy)
            let url = server.url(user: "stock_app", database: copy)
            let deadline = ContinuousClock.now.advanced(by: .seconds(1_800))
            let found = try await withDatabase(url) { (instance) async throws in
                // What an instance does all the time: the outbox must not grow old while one is there.
                _ = try await instance.query(FollowLog(), tenant: nil, deadline: deadline)
                return try await withDatabase(url) { (client) async throws in
                    try await Verification(postgres: client).run(deadline: deadline)
                }
            }
            #expect(
                Set(found.map(\.invariant)).isSuperset(of: fault.invariants),
                "\(fault.sql): \(found.map { "\($0.invariant) \($0.detail)" })"
            )
            try await server.psql("DROP DATABASE \(copy) WITH (FORCE)", database: "postgres")
        }
    }
}

/// Reads the log as an instance does.
private struct FollowLog: Statement {
    static let name = "test.follow"
    static let sql: SQL = "SELECT f.head FROM stock.cache_follow(0::smallint, NULL, 1) f"

    typealias Row = SingleColumn<Int64>
}

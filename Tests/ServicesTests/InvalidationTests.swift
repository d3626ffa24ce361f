import Cache
import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("Invalidation")
struct InvalidationTests {
    @Test("comes from every table of a tenant by four triggers that are always on, unless a reason says why not")
    func matrix() async throws {
        let database = try await PostgresServer.shared().database(named: "matrix")
        let unwatched = try await database.psql(
            """
            SELECT DISTINCT c.relname FROM pg_class c
            LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
            WHERE c.relnamespace = 'stock'::regnamespace AND c.relkind IN ('r', 'p')
              AND (a.attname IS NOT NULL OR c.relname IN ('tenant', 'app_user'))
              AND NOT EXISTS (SELECT FROM stock.cache_never v WHERE v.relation = c.relname AND v.reason <> '')
              AND ARRAY(SELECT g.tgname || g.tgenabled::text || (g.tgtype & 1)::text
                        FROM pg_trigger g
                        WHERE g.tgrelid = c.oid AND g.tgname LIKE 'cache\\_%' AND NOT g.tgisinternal ORDER BY 1)
                  <> ARRAY['cache_deleteA0', 'cache_insertA0', 'cache_truncateA0', 'cache_updateA0']
            """
        )
        #expect(unwatched == "", "CALL stock.watch_table for it, or say why not in stock.cache_never")
        let gone = try await database.psql(
            "SELECT relation FROM stock.cache_never WHERE to_regclass('stock.' || relation) IS NULL"
        )
        #expect(gone == "")
        let unequal = try await database.psql(
            """
            SELECT c.relname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
            WHERE g.tgname IN ('cache_insert', 'cache_update', 'cache_delete')
            GROUP BY c.relname HAVING count(DISTINCT (g.tgfoid, g.tgargs)) <> 1
            """
        )
        #expect(unequal == "", "the triggers of one table are told one thing")
        let modules = try await database.psql("SELECT DISTINCT unnest(modules) FROM stock.cache_matrix")
        for module in modules.split(separator: "\n") {
            #expect(Module(rawValue: String(module)) != nil, "\(module) is no module")
        }
        let known = try await database.psql("SELECT unnest(stock.cache_modules())")
        #expect(Set(known.split(separator: "\n").map(String.init)) == Set(Module.allCases.map(\.rawValue)))
    }

    @Test("what names a product is asked before a product goes or its unit gets coarser")
    func names() async throws {
        let database = try await PostgresServer.shared().database(named: "names_of_products")
        let tables = try await database.psql(
            """
            SELECT a.attrelid::regclass FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'stock'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'product_id'
              -- What goes with a product names none.
              AND NOT EXISTS (
                  SELECT FROM pg_constraint k
                  WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confdeltype = 'c'
                    AND k.confrelid = 'stock.product'::regclass AND a.attnum = ANY (k.conkey))
            """
        )
        #expect(tables.split(separator: "\n").count >= 3)
        for table in tables.split(separator: "\n") {
            for function in ["product_is_named", "has_finer_quantity"] {
                let asks = try await database.psql(
                    "SELECT prosrc ~ '\\m\(table)\\M' FROM pg_proc WHERE proname = '\(function)'"
                )
                #expect(asks == "t", "\(function) does not ask \(table)")
            }
        }
    }

    /// The modules retired by what `body` does.
    private func retired(_ shop: TestShop, _ body: () async throws -> Void) async throws -> Set<String> {
        try await shop.psql("DELETE FROM stock.cache_outbox")
        try await body()
        let retired = try await shop.psql(
            "SELECT DISTINCT unnest(modules) FROM stock.cache_outbox WHERE tenant_id = \(shop.tenant)"
        )
        let modules = Set(retired.split(separator: "\n").map(String.init))
        // What shows others goes with them, whoever retires them.
        #expect(modules.contains("views") == !modules.isDisjoint(with: Self.viewed))
        return modules.subtracting(["views"])
    }

    private static let viewed: Set<String> = ["sales", "payments", "customers", "settings", "identity"]
    private static let sold: Set<String> = ["sales", "dashboard", "reports"]
    private static let moved: Set<String> = ["stock", "products"]
    private static let paid: Set<String> = ["payments", "balance"]

    @Test("of a confirmed sale depends on what it moved: goods, money, a customer's account")
    func saleConfirmed() async throws {
        try await TestShop.open { (shop) async throws in
            #expect(
                try await retired(shop) {
                    try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")]))
                } == Self.sold.union(Self.moved).union(Self.paid)
            )
            #expect(
                try await retired(shop) {
                    try await shop.sell(try shop.request([("S", "1")], paid: [try cash("10.00")]))
                } == Self.sold.union(Self.paid)
            )
            #expect(
                try await retired(shop) {
                    try await shop.sell(try shop.request([("A", "1")], paid: [], customer: true))
                } == Self.sold.union(Self.moved).union(["customers"])
            )
            #expect(
                try await retired(shop) {
                    try await shop.sell(try shop.request([("B", "1")], paid: [try card("4.00")], customer: true))
                } == Self.sold.union(Self.moved).union(Self.paid).union(["customers"])
            )
        }
    }

    @Test("of a cancelled or returned sale depends on what moved, as that of the sale did; of what moved nothing, less")
    func saleUndone() async throws {
        try await TestShop.open { (shop) async throws in
            func sell(_ sku: String, _ tenders: [Tender], customer: Bool = false) async throws -> JSONObjectBody {
                try await shop.sell(try shop.request([(sku, "2")], paid: tenders, customer: customer))
            }
            let all = Self.sold.union(Self.moved).union(Self.paid)
            let paid = try await sell("A", [try cash("5.00")])
            #expect(
                try await retired(shop) {
                    try await shop.takeBack(
                        paid,
                        [(0, "1")],
                        refund: [Refund(method: .cash, amount: try Money("2.50"))]
                    )
                } == all
            )
            #expect(
                try await retired(shop) {
                    try await shop.takeBack(
                        paid,
                        [(0, "1")],
                        refund: [Refund(method: .cash, amount: try Money("2.50"))],
                        restocks: false
                    )
                } == Self.sold.union(Self.paid)
            )
            let other = try await sell("A", [try cash("5.00")])
            #expect(try await retired(shop) { try await shop.cancel(other) } == all)
            let owed = try await sell("S", [], customer: true)
            #expect(
                try await retired(shop) { try await shop.takeBack(owed, [(0, "1")]) } == Self.sold.union(["customers"])
            )
            let none = try await sell("S", [], customer: true)
            #expect(try await retired(shop) { try await shop.cancel(none) } == Self.sold.union(["customers"]))
        }
    }

    @Test("of a reversed payment names its documents and the balance")
    func paymentReversed() async throws {
        try await TestShop.open { (shop) async throws in
            for isKnown in [false, true] {
                let sale = try await shop.sell(
                    try shop.request([("A", "2")], paid: [try cash("5.00")], customer: isKnown)
                )
                #expect(
                    try await retired(shop) { try await shop.reverse(sale.list("payments")[0]) }
                        == Self.sold.union(Self.paid).union(isKnown ? ["customers"] : [])
                )
            }
        }
    }

    @Test("of a received payment names its documents and the balance")
    func paymentReceived() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.sell(try shop.request([("A", "2")], paid: [], customer: true))
            #expect(
                try await retired(shop) {
                    _ = try await shop.payments.register(
                        PaymentRequest(tender: try cash("1.00"), customerID: shop.customerID),
                        shop.context,
                        key: nil
                    )
                } == ["payments", "sales", "balance", "dashboard", "reports", "customers"]
            )
        }
    }

    @Test("of an adjustment leaves sales and money alone")
    func stockAdjusted() async throws {
        try await TestShop.open { (shop) async throws in
            #expect(
                try await retired(shop) {
                    _ = try await shop.stock.record(
                        MovementsRequest(movements: [
                            MovementsRequest.Movement(
                                product: .sku("A"),
                                type: .loss,
                                quantity: try Quantity("1"),
                                reason: "broken"
                            )
                        ]),
                        shop.context,
                        key: nil
                    )
                } == ["stock", "products", "dashboard", "reports"]
            )
        }
    }

    @Test("of a count and a transfer is the stock's, until goods move")
    func countedAndCarried() async throws {
        try await TestShop.open { (shop) async throws in
            _ = try await shop.openLocation("Zwei")
            let main = try TestShop.main()
            let moved: Set<String> = ["stock", "products", "dashboard", "reports"]
            var count = StockCountID.make()
            #expect(
                try await retired(shop) {
                    let answer = try await shop.counts.open(CountRequest(locationID: main), shop.context, key: nil)
                    count = try #require(StockCountID(JSONObjectBody(answer.body)["id"] ?? ""))
                } == ["stock"]
            )
            let line = CountedProduct(product: .sku("A"), counted: try Quantity("7"))
            #expect(
                try await retired(shop) { _ = try await shop.counts.enter(count, [line], shop.context) } == ["stock"]
            )
            #expect(
                try await retired(shop) { _ = try await shop.counts.close(count, shop.context, key: nil) } == moved
            )
            var transfer = TransferID.make()
            let request = TransferRequest(
                fromLocationID: main,
                toLocationID: nil,
                lines: [.init(product: .sku("A"), quantity: try Quantity("2"))]
            )
            #expect(
                try await retired(shop) {
                    let answer = try await shop.transfers.draft(request, shop.context, key: nil)
                    transfer = try #require(TransferID(JSONObjectBody(answer.body)["id"] ?? ""))
                } == ["stock"]
            )
            #expect(
                try await retired(shop) { _ = try await shop.transfers.send(transfer, shop.context, key: nil) } == moved
            )
            #expect(
                try await retired(shop) { _ = try await shop.transfers.receive(transfer, [], shop.context, key: nil) }
                    == moved
            )
        }
    }

    @Test("of a refused command is nothing, and of a statement that changed no row nothing either")
    func nothing() async throws {
        try await TestShop.open(onHand: 1) { (shop) async throws in
            #expect(
                try await retired(shop) {
                    _ = await refusal { try await shop.sell(try shop.request([("A", "2")], paid: [try cash("5.00")])) }
                } == []
            )
            #expect(
                try await retired(shop) { try await shop.psql("UPDATE stock.sale SET note = 'x' WHERE false") } == []
            )
        }
    }

    @Test("is remembered by its transaction, and forgotten with a savepoint that is rolled back")
    func savepoint() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let scope = "SELECT set_config('stock.tenant_id', '\(shop.tenant)', true)"
            let touch = "UPDATE stock.unit SET symbol = symbol WHERE tenant_id = \(shop.tenant)"
            #expect(
                try await retired(shop) {
                    try await shop.psql("BEGIN; \(scope); SAVEPOINT a; \(touch); ROLLBACK TO a; \(touch); COMMIT")
                } == ["units", "products"]
            )
            #expect(
                try await retired(shop) {
                    try await shop.psql("BEGIN; \(scope); SAVEPOINT a; \(touch); ROLLBACK TO a; COMMIT")
                } == []
            )
        }
    }

    @Test("by one transaction is one row of the outbox, and what its token names is what it retired")
    func token() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql("DELETE FROM stock.cache_outbox")
            try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")]))
            #expect(
                try await shop.psql("SELECT array_length(modules, 1) FROM stock.cache_outbox") == "8",
                "a sale knows from the start what it retires"
            )

            let other = try await shop.psql(
                """
                INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone)
                VALUES ('beside', 'Beside', 'EUR', 2, 'UTC') RETURNING id
                """
            )
            func touch(_ tenant: String, _ modules: String) -> String {
                "SELECT stock.cache_touch_modules(\(tenant), '{\(modules)}')"
            }
            let own = shop.tenant.description
            for (writes, token) in [
                ([], "{}"),
                ([touch(own, "units"), touch(own, "products,units"), touch(own, "stock")], "{products,stock,units}"),
                // Taken back with a savepoint; and over another tenant's, which are in the token rather than too few.
                (["SAVEPOINT a", touch(own, "units"), "ROLLBACK TO a", touch(own, "stock")], "{stock}"),
                ([touch(own, "units"), touch(other, "sales"), touch(own, "stock")], "{sales,stock,units,views}"),
            ] {
                let answers = try await shop.psql(
                    "BEGIN; \((writes + ["SELECT modules FROM stock.cache_token()"]).joined(separator: "; ")); COMMIT"
                )
                #expect(answers.split(separator: "\n").last.map(String.init) == token, "\(writes)")
            }
        }
    }

    @Test("reaches every tenant that a transaction writes, whichever it began with")
    func tenants() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let other = try await shop.psql(
                """
                INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone)
                VALUES ('beside', 'Beside', 'EUR', 2, 'UTC') RETURNING id
                """
            )
            try await shop.psql(
                "INSERT INTO stock.unit (tenant_id, id, name, symbol) VALUES (\(other), gen_random_uuid(), 'U', 'u')"
            )
            func scope(_ tenant: String) -> String { "SELECT set_config('stock.tenant_id', '\(tenant)', true)" }
            func touch(_ tenant: String) -> String {
                "UPDATE stock.unit SET symbol = symbol WHERE tenant_id = \(tenant)"
            }
            let own = shop.tenant.description
            for writes in [
                // One after the other, and back.
                [scope(own), touch(own), scope(other), touch(other), scope(own), touch(own)],
                // Both by one statement, after one of them was written: no policy binds the superuser.
                [scope(own), touch(own), touch("ANY ('{\(own), \(other)}')")],
            ] {
                try await shop.psql("DELETE FROM stock.cache_outbox")
                try await shop.psql("BEGIN; \(writes.joined(separator: "; ")); COMMIT")
                let told = try await shop.psql(
                    "SELECT DISTINCT tenant_id, unnest(modules) AS retired FROM stock.cache_outbox ORDER BY tenant_id, retired"
                )
                #expect(told == "\(own)|products\n\(own)|units\n\(other)|products\n\(other)|units")
            }
        }
    }

    @Test("of a product reaches the categories only when it comes, goes, moves or changes status")
    func products() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let always: Set<String> = ["products", "stock", "dashboard", "reports"]
            #expect(
                try await retired(shop) { try await shop.psql("UPDATE stock.product SET price = 9 WHERE sku = 'A'") }
                    == always
            )
            #expect(
                try await retired(shop) {
                    try await shop.psql("UPDATE stock.product SET status = 'archived' WHERE sku = 'A'")
                } == always.union(["categories"])
            )
        }
    }

    @Test("of a draft stays in the sales")
    func draft() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let insert = """
                INSERT INTO stock.sale (tenant_id, id, register_id, status, customer_id, occurred_at, business_day,
                                        subtotal, discount, tax, total, due)
                VALUES (\(shop.tenant), gen_random_uuid(), '\(TestShop.register)', 'draft', '\(TestShop.customer)',
                        now(), now()::date, 0, 0, 0, 0, 0)
                """
            #expect(try await retired(shop) { try await shop.psql(insert) } == ["sales"])
        }
    }

    @Test("of a person reaches each of their tenants, of a tenant all its modules")
    func people() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            #expect(
                try await retired(shop) { try await shop.psql("UPDATE stock.app_user SET name = 'O'") } == ["identity"]
            )
            #expect(
                try await retired(shop) { try await shop.psql("UPDATE stock.tenant SET name = 'T'") }.count == 15
            )
        }
    }

    @Test("of a truncated table turns everything cold")
    func truncate() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let before = try await shop.psql("SELECT ns FROM stock.cache_lane")
            try await shop.psql("TRUNCATE stock.product_barcode")
            #expect(try await shop.psql("SELECT ns FROM stock.cache_lane") != before)
        }
    }

    @Test("moves from outbox to log without a hole, once each, by one relay at a time")
    func drain() async throws {
        try await TestShop.open { (shop) async throws in
            for _ in 0..<5 { try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")])) }
            let rows =
                Int(
                    try await shop.psql(
                        "SELECT count(DISTINCT (tenant_id, m)) FROM stock.cache_outbox, unnest(modules) AS m"
                    )
                ) ?? 0
            let drained = try await shop.psql(
                "SELECT moved, head, is_full FROM stock.cache_drain_follow(0::smallint, 1000, false, NULL, 0)"
            )
            #expect(drained == "\(rows)|\(rows)|f")
            let log = try await shop.psql("SELECT count(*), max(seq), count(DISTINCT tag) > 1 FROM stock.cache_log")
            #expect(log == "\(rows + 1)|\(rows)|t")
            let idle = try await shop.psql(
                "SELECT moved, head FROM stock.cache_drain_follow(0::smallint, 1000, false, NULL, 0)"
            )
            #expect(idle == "0|\(rows)")
            #expect(try await shop.psql("SELECT count(*) FROM stock.cache_follow(0::smallint, 1, 1000)") == "\(rows)")
        }
    }
}

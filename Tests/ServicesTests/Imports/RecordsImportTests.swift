import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("An import of categories, units, customers and suppliers")
struct RecordsImportTests {
    private struct Portion: AsyncSequence, AsyncIteratorProtocol {
        var bytes: [UInt8]?

        func makeAsyncIterator() -> Self { self }

        mutating func next() async -> [UInt8]? {
            defer { bytes = nil }
            return bytes
        }
    }

    /// What an import came to.
    private struct Outcome {
        var report: RecordsImport.Report
        var rejections: [RowRejection]

        /// Created, updated, unchanged, rejected.
        var counts: [Int] { [report.created, report.updated, report.unchanged, report.rejectedRows] }
    }

    @discardableResult
    private func run(
        _ kind: RecordsImport.Kind,
        _ lines: [String],
        into shop: TestShop,
        _ change: (inout RecordsImport.Options) -> Void = { _ in }
    ) async throws -> Outcome {
        var options = RecordsImport.Options(kind: kind, tenant: shop.tenant, mapping: ImportMapping())
        change(&options)
        var rejections: [RowRejection] = []
        let report = try await RecordsImport(postgres: shop.postgres).run(
            Portion(bytes: Array((lines.joined(separator: "\n") + "\n").utf8)),
            options: options,
            onReject: { rejections.append($0) },
            onProgress: { _ in }
        )
        return Outcome(report: report, rejections: rejections)
    }

    private static let customers = [
        "name,external_id,tax_id,phone,email,credit_limit,active",
        "Zoë,c1,B-1,+34 600,ZOE@Example.org,12.50,true",
        "Zoë,c2,,,,,false",
        "Łukasz,,,,,,",
    ]

    @Test("makes, changes and leaves alone; the same file again writes nothing")
    func again() async throws {
        try await TestShop.open { (shop) async throws -> Void in
            #expect(try await run(.customers, Self.customers, into: shop).counts == [3, 0, 0, 0])
            #expect(
                try await shop.psql(
                    "SELECT concat_ws('|', name, tax_id, phone, email, credit_limit, active) FROM stock.customer WHERE external_id = 'c1'"
                ) == "Zoë|B-1|+34 600|zoe@example.org|12.5000|t"
            )
            let outbox = try await shop.psql("SELECT max(id) FROM stock.cache_outbox")
            #expect(try await run(.customers, Self.customers, into: shop).counts == [0, 0, 3, 0])
            #expect(try await shop.psql("SELECT max(id) FROM stock.cache_outbox") == outbox)
            // A field that is empty or has no column stays as it is.
            let change = ["external_id,phone,tax_id", "c1,600,"]
            #expect(try await run(.customers, change, into: shop).counts == [0, 1, 0, 0])
            #expect(
                try await shop.psql(
                    "SELECT concat_ws('|', tax_id, phone, version) FROM stock.customer WHERE external_id = 'c1'"
                ) == "B-1|600|2"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("tells every row's fault at once, by line and field, and takes the others")
    func faults() async throws {
        try await TestShop.open { (shop) async throws -> Void in
            let lines = [
                "name,external_id,email,credit_limit,active",
                "Ana,1,nobody,1.123456,yes",
                "Bo,2,,1.125,",
                "Cy,3,,5.00,TRUE",
                ",,,,true",
                "Cy,3,,,",
                ",9,,,",
            ]
            let outcome = try await run(.customers, lines, into: shop)
            #expect(outcome.counts == [1, 0, 0, 5])
            let reasons = Dictionary(uniqueKeysWithValues: outcome.rejections.map { ($0.line, $0.reason) })
            #expect(reasons[2]?.contains("email") == true && reasons[2]?.contains("credit_limit") == true)
            #expect(reasons[2]?.contains("active") == true)
            #expect(reasons[3] == "credit_limit: Must have at most 2 decimals, as the currency has.")
            #expect(reasons[5] == "name and external_id are empty")
            #expect(reasons[6] == "an earlier row names this customer")
            #expect(reasons[7] == "name: Must not be blank.")
        }
    }

    @Test("puts a category into one that comes behind it, and none within itself")
    func categories() async throws {
        try await TestShop.open { (shop) async throws -> Void in
            let lines = ["name,parent,active", "Äpfel,Obst,true", "Obst,,false", "Birnen,Nüsse,", "Boskop,äpfel,"]
            let outcome = try await run(.categories, lines, into: shop)
            #expect(outcome.counts == [3, 0, 0, 1])
            #expect(outcome.rejections.map(\.code) == [.categoryUnknown])
            #expect(
                try await shop.psql(
                    """
                    SELECT string_agg(concat_ws('<', c.name, p.name, q.name), ',' ORDER BY c.id)
                    FROM stock.category c
                    LEFT JOIN stock.category p ON p.tenant_id = c.tenant_id AND p.id = c.parent_id
                    LEFT JOIN stock.category q ON q.tenant_id = c.tenant_id AND q.id = p.parent_id
                    """
                ) == "Äpfel<Obst,Obst,Boskop<Äpfel<Obst"
            )
            let cycle = try await run(.categories, ["name,parent", "Obst,Boskop"], into: shop)
            #expect(cycle.rejections.map(\.reason) == ["parent_id: A category can not lie within itself."])
        }
    }

    @Test("of units finds them by name, wants a symbol for a new one, and takes no decimals from what has them")
    func units() async throws {
        try await TestShop.open { (shop) async throws -> Void in
            let lines = ["name,symbol,decimals,external_id", "piece,Stk,,p", "Litre,l,3,", "Box,,0,", "Crate,c,7,"]
            let outcome = try await run(.units, lines, into: shop)
            #expect(outcome.counts == [1, 1, 0, 2])
            try await shop.sell(shop.request([("W", "0.125")], paid: [try cash("1.53")]))
            let fewer = try await run(.units, ["name,decimals", "Kilogram,2"], into: shop)
            #expect(fewer.rejections.map(\.reason) == ["decimals: Quantities with more decimals are recorded."])
        }
    }

    @Test("of stock brings each level to what its row says, by one movement, and the same file again moves nothing")
    func stock() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await shop.psql(
                """
                INSERT INTO stock.location (tenant_id, id, name)
                VALUES (\(shop.tenant.rawValue), '00000000-0000-7000-8000-0000000000aa', 'Straße 7');
                UPDATE stock.product SET external_id = 'Ñ' WHERE sku = 'A'
                """
            )
            let lines = ["sku,external_id,location,on_hand,cost", "A,,Main,5,1.25", ",Ñ,STRAßE 7,2,", "W,,Main,0.5,"]
            let levels = """
                SELECT string_agg(concat_ws(' ', p.sku, g.name, trim_scale(l.on_hand)), ',' ORDER BY p.sku, g.name)
                FROM stock.location_level l
                JOIN stock.product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
                JOIN stock.location g ON g.tenant_id = l.tenant_id AND g.id = l.location_id
                WHERE l.on_hand <> 0
                """
            #expect(try await run(.stock, lines, into: shop).counts == [3, 0, 0, 0])
            #expect(try await shop.psql(levels) == "A Main 5,A Straße 7 2,W Main 0.5")
            let moves = "SELECT string_agg(kind || trim_scale(quantity), ' ' ORDER BY id) FROM stock.stock_movement"
            let before = try await shop.psql(moves)
            #expect(try await run(.stock, lines, into: shop).counts == [0, 0, 3, 0])
            #expect(try await shop.psql(moves) == before)
            let again = ["sku,location,on_hand", "A,Main,3"]
            #expect(try await run(.stock, again, into: shop) { $0.isDryRun = true }.counts == [0, 1, 0, 0])
            #expect(try await shop.psql(moves) == before)
            #expect(try await run(.stock, again, into: shop).counts == [0, 1, 0, 0])
            #expect(try await shop.psql(moves) == before + " adjustment-2")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of stock moves goods on the day that it is where they lie, and on none that is closed there")
    func stockElsewhere() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            // A day and an hour apart, so that it is never one day at both.
            try await shop.psql(
                """
                INSERT INTO stock.location (tenant_id, id, name, timezone)
                VALUES (\(shop.tenant.rawValue), '00000000-0000-7000-8000-0000000000aa', 'Kiritimati', 'Pacific/Kiritimati'),
                       (\(shop.tenant.rawValue), '00000000-0000-7000-8000-0000000000ab', 'Pago Pago', 'Pacific/Pago_Pago')
                """
            )
            let lines = ["sku,location,on_hand", "A,Kiritimati,5", "A,Pago Pago,7"]
            #expect(try await run(.stock, lines, into: shop).counts == [2, 0, 0, 0])
            #expect(try await shop.violations() == [])
            let days = "SELECT count(DISTINCT business_day) FROM stock.stock_movement WHERE reason = 'import'"
            #expect(try await shop.psql(days) == "2")
            // Closed up to the day that it is where it is earliest.
            try await shop.psql(
                "UPDATE stock.tenant SET closed_until = (now() AT TIME ZONE 'Pacific/Pago_Pago')::date"
            )
            let later = ["sku,location,on_hand", "A,Kiritimati,6", "A,Pago Pago,8"]
            let outcome = try await run(.stock, later, into: shop)
            #expect(outcome.counts == [0, 1, 0, 1])
            #expect(outcome.rejections.map(\.code) == [.periodClosed])
        }
    }

    @Test("of stock tells what can not be on a shelf, and moves the rest")
    func stockFaults() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await shop.psql("UPDATE stock.product SET oversell = 'deny' WHERE sku = 'A'")
            let lines = [
                "sku,location,on_hand,cost", "none,,1,", "S,,1,", "A,Nowhere,1,", "A,,1.5,", "A,,,", "A,,-1,",
                "W,,999999999999.9,-1", "W,,1,2", ",,1,",
            ]
            let outcome = try await run(.stock, lines, into: shop)
            #expect(outcome.counts == [1, 0, 0, 8])
            let codes = Dictionary(uniqueKeysWithValues: outcome.rejections.map { ($0.line, $0.code) })
            #expect(
                codes == [
                    2: .skuUnknown, 3: .valueInvalid, 4: .valueInvalid, 5: .quantityPrecision, 6: .quantityInvalid,
                    7: .duplicate, 8: .priceNegative, 10: .skuMissing,
                ]
            )
            let deny = try await run(.stock, ["sku,on_hand", "A,-1"], into: shop)
            #expect(deny.rejections.map(\.code) == [.insufficientStock])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of prices changes what there is, notes it in the history, and the same file again writes nothing")
    func prices() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await shop.psql(
                """
                UPDATE stock.product SET sku = 'Ärmel 1' WHERE sku = 'B';
                UPDATE stock.product SET external_id = 'Ñ' WHERE sku = 'W';
                INSERT INTO stock.packaging (tenant_id, product_id, id, name, factor, price)
                VALUES (\(shop.tenant.rawValue), '\(TestShop.product("A"))', gen_random_uuid(), 'Kiste', 12, 25)
                """
            )
            let lines = [
                "sku,external_id,packaging,price", "ärmel 1,,,4.25", ",Ñ,,12.25", "A,,KISTE,24.5", "A,,,2.75",
                "none,,,1", "A,,Sack,1", "S,,,", "a,,,3",
            ]
            let prices = """
                SELECT string_agg(concat_ws(' ', p.sku, trim_scale(p.price), trim_scale(k.price), p.version), ',' ORDER BY p.id)
                FROM stock.product p LEFT JOIN stock.packaging k ON k.product_id = p.id
                """
            let before = try await shop.psql(prices)
            #expect(try await run(.prices, lines, into: shop) { $0.isDryRun = true }.counts == [0, 3, 1, 4])
            #expect(try await shop.psql(prices) == before)
            let outcome = try await run(.prices, lines, into: shop)
            #expect(outcome.counts == [0, 3, 1, 4])
            let codes = Dictionary(uniqueKeysWithValues: outcome.rejections.map { ($0.line, $0.code) })
            #expect(codes == [6: .skuUnknown, 7: .valueInvalid, 8: .priceInvalid, 9: .duplicate])
            #expect(try await shop.psql(prices) == "A 2.75 24.5 2,Ärmel 1 4.25 2,S 10 1,W 12.25 1")
            let history = """
                SELECT string_agg(concat_ws(' ', packaging, trim_scale(old_value), trim_scale(new_value)), ',' ORDER BY new_value)
                FROM stock.price_history WHERE kind = 'price'
                """
            #expect(try await shop.psql(history) == "2.5 2.75,4 4.25,Kiste 25 24.5")
            let outbox = try await shop.psql("SELECT max(id) FROM stock.cache_outbox")
            #expect(try await run(.prices, Array(lines.prefix(5)), into: shop).counts == [0, 0, 4, 0])
            #expect(try await shop.psql("SELECT max(id) FROM stock.cache_outbox") == outbox)
            await #expect(throws: ImportFailure.self) {
                try await run(.prices, ["sku,price", "A,9", "none,1"], into: shop) { $0.onError = .abort }
            }
            let objects = [#"{"external_id":"Ñ","price":13}"#, #"{"sku":"A","price":"2.75","packaging":null}"#]
            let objectsRead = try await run(.prices, objects, into: shop) { $0.mapping.format = .ndjson }
            #expect(objectsRead.counts == [0, 1, 1, 0])
            #expect(try await shop.psql(history).hasSuffix(",12.25 13,Kiste 25 24.5"))
            #expect(try await shop.violations() == [])
        }
    }

    @Test("finds suppliers by a name as it is kept, and by an external_id whatever blanks stand in it")
    func namesOfSuppliers() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await run(.suppliers, ["name,external_id", "Müller  & Söhne,m 1"], into: shop)
            let expenses = [
                "external_id,occurred_at,category,amount,method,supplier",
                "1,2026-07-01T09:00:00,rent,1,cash,müller  & söhne", "2,2026-07-01T09:00:00,rent,1,cash,m  1",
            ]
            #expect(try await run(.expenses, expenses, into: shop).counts == [2, 0, 0, 0])
            let purchases = [
                "reference,supplier,occurred_at,sku,quantity,unit_cost",
                "r,Müller  & Söhne,2026-02-01T10:00:00,A,1,1",
            ]
            #expect(try await run(.purchases, purchases, into: shop).counts == [1, 0, 0, 0])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of expenses records each once, by what the file calls it, and tells one that says something else")
    func expenses() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await run(.suppliers, ["name,external_id", "Müller & Söhne,m1", "Twin,", "Bäcker,b"], into: shop)
            try await shop.psql(
                """
                INSERT INTO stock.supplier (tenant_id, id, name) VALUES (\(shop.tenant.rawValue), gen_random_uuid(), 'twin');
                UPDATE stock.tenant SET closed_until = '2026-01-15'
                """
            )
            let lines = [
                "external_id,occurred_at,category,amount,method,supplier,note",
                "№ 1,2026-07-01T00:30:00,Miete & Öl,1250.00,transfer,müller & söhne,Juli",
                "2,2026-07-01T00:30:00Z,rent,0.01,cash,m1,",
                "3,2026-07-01,rent,1.005,cash,,", "4,2026-07-01,rent,1,cheque,,", "5,2026-01-15,rent,1,cash,,",
                "6,2199-01-01,rent,1,cash,,", "7,1899-12-31,rent,1,cash,,", "8,2026-07-01,rent,0,cash,,",
                "9,2026-07-01,,1,cash,,", "10,2026-07-01,rent,1,cash,Twin,", "11,2026-07-01,rent,1,cash,nobody,",
                ",2026-07-01,rent,1,cash,,", "2,2026-07-01,rent,1,cash,,", "12,yesterday,rent,1,Cash,,",
            ]
            let dry = try await run(.expenses, lines, into: shop) { $0.isDryRun = true }
            #expect(dry.counts == [2, 0, 0, 12])
            #expect(try await shop.psql("SELECT count(*) FROM stock.money_entry") == "0")
            let outcome = try await run(.expenses, lines, into: shop)
            #expect(outcome.counts == [2, 0, 0, 12])
            #expect(outcome.rejections.sorted { $0.line < $1.line } == dry.rejections.sorted { $0.line < $1.line })
            let codes = Dictionary(uniqueKeysWithValues: outcome.rejections.map { ($0.line, $0.code) })
            #expect(
                codes == [
                    4: .valueInvalid, 5: .valueInvalid, 6: .periodClosed, 7: .timeInFuture, 8: .timeInvalid,
                    9: .valueInvalid, 10: .valueInvalid, 11: .duplicate, 12: .valueInvalid, 13: .valueInvalid,
                    14: .duplicate, 15: .timeInvalid,
                ]
            )
            let entries = """
                SELECT string_agg(concat_ws(' ', e.business_day, e.category, trim_scale(e.amount), e.method, s.name, e.note,
                                            l.direction, trim_scale(l.amount)), ';' ORDER BY e.amount DESC)
                FROM stock.money_entry e
                LEFT JOIN stock.supplier s ON s.id = e.supplier_id
                JOIN stock.ledger_entry l ON l.source_type = 'expense' AND l.source_id = e.id AND l.business_day = e.business_day
                """
            // In the summer a clock in London is an hour ahead of UTC.
            let recorded = [
                "2026-07-01 Miete & Öl 1250 transfer Müller & Söhne Juli expense 1250",
                "2026-07-01 rent 0.01 cash Müller & Söhne expense 0.01",
            ]
            #expect(try await shop.psql(entries) == recorded.joined(separator: ";"))
            let events = "SELECT count(*) FROM stock.domain_event WHERE type = 'expense.recorded'"
            #expect(try await shop.psql(events) == "2")
            #expect(try await run(.expenses, Array(lines.prefix(3)), into: shop).counts == [0, 0, 2, 0])
            // By the id that it has here, and otherwise than it was.
            let id = try await shop.psql("SELECT id FROM stock.money_entry WHERE amount > 1")
            let again = [
                "external_id,occurred_at,category,amount,method", "\(id),2026-07-01T00:30:00,Miete & Öl,1250,transfer",
                "2,2026-07-01T00:30:00Z,rent,0.02,cash",
            ]
            let other = try await run(.expenses, again, into: shop)
            #expect(other.counts == [0, 0, 1, 1])
            #expect(other.rejections.map(\.reason) == ["The expense is recorded already, and otherwise."])
            #expect(try await shop.psql(events) == "2")
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "of payments takes each once, for a sale or the oldest of a customer's, in the order of the file and never more than is due"
    )
    func payments() async throws {
        try await TestShop.open { (shop) async throws -> Void in
            // Three sales of 2.50 that nothing was paid for, of two customers, and one that is paid.
            try await shop.asTenant(
                "INSERT INTO stock.customer (tenant_id, id, name, external_id) VALUES (1, '\(CustomerID.make())', 'Zoë', 'z')"
            )
            let header = "sale,sku,quantity,unit_price,occurred_at,payment_method,paid,customer"
            let sold = [
                "Ä1,A,1,2.50,2026-03-01T10:00:00,cash,0,Ada", "2nd,A,1,2.50,2026-03-02T10:00:00,cash,0,Ada",
                "3rd,A,1,2.50,2026-03-03T10:00:00,cash,0.50,z", "4th,A,1,2.50,2026-03-03T10:00:00,cash,,",
            ]
            _ = try await SalesImport(postgres: shop.postgres).run(
                Portion(bytes: Array(([header] + sold).joined(separator: "\n").utf8)),
                options: SalesImport.Options(tenant: shop.tenant, mapping: ImportMapping()),
                onReject: { Issue.record("line \($0.line): \($0.reason)") },
                onProgress: { _ in }
            )
            let lines = [
                "external_id,occurred_at,sale,customer,amount,method", "№1,2026-03-04T09:00:00,2nd,,1.00,card",
                "2,2026-03-04T10:00:00,,Ada,3.00,transfer", "3,2026-03-04T10:00:00,,Ada,1.01,cash",
                "4,2026-03-04T10:00:00,,ada,1.00,cash", "5,2026-03-04T10:00:00Z,3,,2.00,cash",
                "6,2026-03-03T09:00:00,Ä1,,1,cash", "7,2026-03-04,none,,1,cash", "8,2026-03-04,,nobody,1,cash",
                "9,2026-03-04,3rd,Ada,1,cash", "10,2026-03-04,,,1,cash", "11,2026-03-04,4th,,1,cash",
                "12,2026-03-04,2nd,,1.005,cash", "13,2026-03-04,2nd,,1,cheque", "14,2199-03-04,2nd,,1,cash",
            ]
            let dry = try await run(.payments, lines, into: shop) { $0.isDryRun = true }
            #expect(dry.counts == [4, 0, 0, 10])
            let outcome = try await run(.payments, lines, into: shop)
            #expect(outcome.counts == [4, 0, 0, 10])
            #expect(outcome.rejections == dry.rejections)
            let codes = Dictionary(uniqueKeysWithValues: outcome.rejections.map { ($0.line, $0.code) })
            #expect(
                codes == [
                    4: .paymentExceedsDue, 7: .paymentExceedsDue, 8: .valueInvalid, 9: .valueInvalid, 10: .valueInvalid,
                    11: .saleMissing, 12: .paymentExceedsDue, 13: .valueInvalid, 14: .valueInvalid, 15: .timeInFuture,
                ]
            )
            #expect(
                try await shop.psql(
                    """
                    SELECT string_agg(concat_ws(' ', s.external_id, trim_scale(s.paid), trim_scale(s.due), a.shares), ',' ORDER BY s.number)
                    FROM stock.sale s, LATERAL (
                        SELECT string_agg(trim_scale(o.amount)::text, '+' ORDER BY p.occurred_at, o.amount) AS shares
                        FROM stock.payment_allocation o JOIN stock.payment p ON p.id = o.payment_id WHERE o.sale_id = s.id) a
                    """
                ) == "Ä1 2.5 0 2.5,2nd 2.5 0 1+0.5+1,3rd 2.5 0 0.5+2,4th 2.5 0 2.5"
            )
            #expect(try await shop.psql("SELECT sum(balance) FROM stock.customer_account") == "0.0000")
            #expect(try await run(.payments, Array(lines.prefix(3)), into: shop).counts == [0, 0, 2, 0])
            let other = [lines[0], "2,2026-03-04T10:00:00,,Ada,2.99,transfer"]
            #expect(try await run(.payments, other, into: shop).rejections.map(\.code) == [.duplicate])
            #expect(
                try await shop.psql("SELECT count(*) FROM stock.domain_event WHERE type = 'payment.received'") == "4"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "of purchases records each whole, as come, with what it cost, or not at all; the same file again changes nothing"
    )
    func purchases() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await run(.suppliers, ["name,external_id", "Müller & Söhne,m1", "Bäcker,"], into: shop)
            _ = try await shop.openLocation("Straße 7")
            let lines = [
                "reference,supplier,occurred_at,location,sku,quantity,unit_cost,note",
                "Ä-1,müller & söhne,2026-02-01T10:00:00,Main,A,10,1.20,erste",
                "Ä-1,m1,2026-02-01T10:00:00,Main,W,0.5,3,",
                "Ä-1,m1,2026-02-02T10:00:00,straße 7,A,10,2,", "Ä-1,Bäcker,2026-02-02T10:00:00,STRAßE 7,A,10,1.40,",
                "2,m1,2026-02-02T10:00:00,Main,A,1,1,", "2,m1,2026-02-02T10:00:00,Main,none,1,1,",
                "3,m1,2026-02-02T10:00:00,Main,A,1,1,", "3,m1,2026-02-02T10:00:00,Main,A,0,1,",
                "4,nobody,2026-02-02T10:00:00,Main,A,1,1,", "5,m1,2026-02-02T10:00:00,,A,1,1,",
                "6,m1,2026-02-02T10:00:00,Main,A,1.5,1,", "7,m1,2026-02-02T10:00:00,Main,S,3,0.333333,",
            ]
            let dry = try await run(.purchases, lines, into: shop) { $0.isDryRun = true }
            #expect(try await shop.psql("SELECT count(*) FROM stock.purchase") == "0")
            let outcome = try await run(.purchases, lines, into: shop)
            #expect(outcome.counts == dry.counts)
            #expect(
                outcome.rejections.sorted { $0.line < $1.line } == dry.rejections.sorted { $0.line < $1.line }
            )
            let codes = Dictionary(uniqueKeysWithValues: outcome.rejections.map { ($0.line, $0.code) })
            #expect(
                codes == [
                    2: .valueInvalid, 3: .valueInvalid, 4: .valueInvalid, 6: .documentRejected, 7: .skuUnknown,
                    8: .documentRejected, 9: .quantityInvalid, 10: .valueInvalid, 11: .valueInvalid,
                    12: .quantityPrecision,
                ]
            )
            #expect(outcome.counts == [2, 0, 0, 10])
            // Two times at which one purchase came are none.
            let sound = Array(lines.prefix(3))
            #expect(try await run(.purchases, sound, into: shop).counts == [2, 0, 0, 0])
            let recorded = """
                SELECT string_agg(concat_ws(' ', p.number, p.status, s.name, p.reference, p.note, g.name, trim_scale(p.total),
                                            trim_scale(p.due), l.lines), ',' ORDER BY p.number)
                FROM stock.purchase p
                JOIN stock.supplier s ON s.id = p.supplier_id
                JOIN stock.location g ON g.id = p.location_id AND g.tenant_id = p.tenant_id,
                LATERAL (SELECT string_agg(o.sku || trim_scale(o.received_quantity), '+' ORDER BY o.position) AS lines
                         FROM stock.purchase_line o WHERE o.purchase_id = p.id) l
                """
            let all = [
                "1 received Bäcker Ä-1 Straße 7 14 14 A10", "2 received Müller & Söhne 7 Main 1 1 S3",
                "3 received Müller & Söhne Ä-1 erste Main 13.5 13.5 A10+W0.5",
            ]
            #expect(try await shop.psql(recorded) == all.joined(separator: ","))
            #expect(
                try await shop.psql(
                    "SELECT trim_scale(on_hand) || ' ' || trim_scale(cost) FROM stock.stock_level WHERE product_id = '\(TestShop.product("A"))'"
                ) == "20 1.3"
            )
            #expect(try await run(.purchases, sound, into: shop).counts == [0, 0, 2, 0])
            let other = [sound[0], sound[1]]
            #expect(try await run(.purchases, other, into: shop).rejections.map(\.code) == [.duplicate])
            #expect(try await shop.psql(recorded) == all.joined(separator: ","))
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of purchases leaves out what comes to too much or is more than can be counted, and takes the rest")
    func uncountablePurchases() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await run(.suppliers, ["name", "Müller"], into: shop)
            let lines = [
                "reference,supplier,occurred_at,sku,quantity,unit_cost",
                "Ä,Müller,@,A,999999999999,1", "2,Müller,@,A,999999999999,1", "2,Müller,@,B,1,1",
                "3,Müller,@,S,100,999999999999.999999", "4,Müller,@,B,5,1", "5,Müller,@,A,1,1",
            ].map { $0.replacing("@", with: "2026-02-01T10:00:00") }
            let dry = try await run(.purchases, lines, into: shop) { $0.isDryRun = true }
            let outcome = try await run(.purchases, lines, into: shop)
            #expect(outcome.counts == [2, 0, 0, 4])
            #expect(outcome.rejections == dry.rejections)
            let codes = Dictionary(uniqueKeysWithValues: outcome.rejections.map { ($0.line, $0.code) })
            #expect(codes == [3: .valueInvalid, 4: .documentRejected, 5: .amountTooLarge, 7: .valueInvalid])
            let reasons = Dictionary(uniqueKeysWithValues: outcome.rejections.map { ($0.line, $0.reason) })
            let bounds = "On hand must stay between -999999999999.999999 and 999999999999.999999"
            #expect(reasons[3] == "quantity: \(bounds); it is 999999999999, and 999999999999 would be added.")
            #expect(reasons[4] == "Another row of purchase '2' was rejected.")
            #expect(reasons[5]?.hasPrefix("unit_cost: The lines come to 100000000000000; less than") == true)
            let references = "SELECT string_agg(reference, ',' ORDER BY number) FROM stock.purchase"
            #expect(try await shop.psql(references) == "Ä,4")
            #expect(try await shop.onHand("A", at: TestShop.main()) == "999999999999")
            #expect(try await shop.onHand("B", at: TestShop.main()) == "5")
            #expect(try await run(.purchases, lines, into: shop).counts == [0, 0, 2, 4])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of stock tells what is more than can be counted of all places together")
    func uncountableStock() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            _ = try await shop.openLocation("Straße 7")
            let lines = ["sku,location,on_hand", "A,Main,999999999999", "A,Straße 7,999999999999", "W,Main,0.5"]
            let outcome = try await run(.stock, lines, into: shop)
            #expect(outcome.counts == [2, 0, 0, 1])
            #expect(outcome.rejections.map(\.code) == [.valueInvalid])
            let bounds = "On hand must stay between -999999999999.999999 and 999999999999.999999"
            #expect(
                outcome.rejections.map(\.reason) == [
                    "on_hand: \(bounds); it is 999999999999, and 999999999999 would be added."
                ]
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of purchases cuts no purchase where a batch ends", .timeLimit(.minutes(15)))
    func manyPurchases() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await run(.suppliers, ["name", "Müller"], into: shop)
            let header = "reference,supplier,occurred_at,sku,quantity,unit_cost"
            let lines = (0..<20_000).map { "r\($0 / 7),Müller,2026-02-01T10:00:00,\(["A", "B", "W"][$0 % 3]),1,1.25" }
            #expect(try await run(.purchases, [header] + lines, into: shop).counts == [20_000, 0, 0, 0])
            #expect(try await shop.psql("SELECT count(*) FROM stock.purchase") == "2858")
            #expect(try await shop.psql("SELECT sum(total) FROM stock.purchase") == "25000.0000")
            #expect(try await run(.purchases, [header] + lines, into: shop).counts == [0, 0, 20_000, 0])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of purchases takes no document of more lines than one may have, and keeps no more of it than that")
    func longPurchase() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await run(.suppliers, ["name", "Müller"], into: shop)
            let lines =
                ["reference,supplier,occurred_at,sku,quantity,unit_cost"]
                + (1...5_000).map { _ in "one,Müller,2026-02-01T10:00:00,A,1,1" } + [
                    "two,Müller,2026-02-01T10:00:00,A,1,1"
                ]
            let outcome = try await run(.purchases, lines, into: shop)
            #expect(outcome.counts == [1, 0, 0, 5_000])
            let counts = Dictionary(grouping: outcome.rejections, by: \.code).mapValues(\.count)
            #expect(counts == [.documentRejected: 1_000, .valueInvalid: 4_000])
        }
    }

    @Test("takes twenty thousand prices and as many expenses, each kind in batches", .timeLimit(.minutes(15)))
    func many() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            let count = 20_000
            let products = ["sku,name,price"] + (1...count).map { "Größe-\($0),Größe \($0),1" }
            #expect(try await run(.products, products, into: shop).counts == [count, 0, 0, 0])
            let prices = ["sku,price"] + (1...count).map { "GRÖßE-\($0),\($0).25" } + ["Größe-1,1"]
            #expect(try await run(.prices, prices, into: shop).counts == [0, count, 0, 1])
            #expect(try await shop.psql("SELECT sum(new_value) FROM stock.price_history") == "200015000.000000")
            let expenses =
                ["external_id,occurred_at,category,amount,method"]
                + (1...count).map { "e\($0),2026-01-\($0 % 18 + 10),Büro,0.01,cash" }
            #expect(try await run(.expenses, expenses, into: shop).counts == [count, 0, 0, 0])
            #expect(try await run(.expenses, expenses, into: shop).counts == [0, 0, count, 0])
            #expect(try await shop.psql("SELECT sum(expense) FROM stock.balance_day") == "200.0000")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("ends once as many rows were rejected as it may reject, and keeps what it had written")
    func tooMany() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            let rows = (1...2_500).map { $0 % 1_000 == 500 ? "none\($0),1" : "S,1" }
            let distinct = rows.enumerated().map { $0.element.replacing("S", with: "p\($0.offset)") }
            let products = ["sku,name,price"] + (0..<2_500).map { "p\($0),P,2" }
            #expect(try await run(.products, products, into: shop).report.created == 2_500)
            do {
                _ = try await run(.prices, ["sku,price"] + distinct, into: shop) { $0.maxErrors = 2 }
                Issue.record("nothing ended it")
            } catch let interruption as ImportInterruption<RecordsImport.Report> {
                #expect(interruption.cause as? TooManyRejections == TooManyRejections(rows: 2))
                #expect(interruption.report.updated == 1_998)
                #expect(interruption.report.rejected == [.skuUnknown: 2])
            }
            #expect(try await shop.psql("SELECT count(*) FROM stock.product WHERE price = 1") == "1998")
            #expect(try await run(.prices, ["sku,price"] + distinct, into: shop).counts == [0, 499, 1_998, 3])
        }
    }

    @Test("of suppliers in a dry run keeps nothing, aborted keeps nothing, and inserting refuses what is there")
    func modes() async throws {
        try await TestShop.open { (shop) async throws -> Void in
            let lines = ["name,contact", "Müller & Söhne,Anna", "Bäcker,"]
            #expect(try await run(.suppliers, lines, into: shop) { $0.isDryRun = true }.counts == [2, 0, 0, 0])
            await #expect(throws: ImportFailure.self) {
                try await run(.suppliers, lines + [",x"], into: shop) { $0.onError = .abort }
            }
            #expect(try await shop.psql("SELECT count(*) FROM stock.supplier") == "0")
            #expect(try await run(.suppliers, lines, into: shop) { $0.insertsOnly = true }.counts == [2, 0, 0, 0])
            let again = try await run(.suppliers, lines, into: shop) { $0.insertsOnly = true }
            #expect(again.counts == [0, 0, 0, 2])
            #expect(Set(again.rejections.map(\.code)) == [.duplicate])
        }
    }
}

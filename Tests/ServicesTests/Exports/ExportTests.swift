import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("An export")
struct ExportTests {
    /// A file in one portion.
    private struct Portion: AsyncSequence, AsyncIteratorProtocol {
        var bytes: [UInt8]?

        func makeAsyncIterator() -> Self { self }

        mutating func next() async -> [UInt8]? {
            defer { bytes = nil }
            return bytes
        }
    }

    /// What takes an export.
    private final class Taken {
        var bytes: [UInt8] = []
        var portions = 0

        func take(_ portion: [UInt8]) {
            bytes += portion
            portions += 1
        }
    }

    private func export(
        _ kind: ExportKind,
        of shop: TestShop,
        format: FileFormat = .csv,
        showsCursor: Bool = false,
        after: String? = nil
    ) async throws -> String {
        let request = try ExportRequest(kind, format: format, showsCursor: showsCursor, after: after)
        let taken = Taken()
        try await ExportService(postgres: shop.postgres)
            .run(request, of: shop.tenant, deadline: .now + .seconds(60)) { taken.take($0) }
        return String(decoding: taken.bytes, as: UTF8.self)
    }

    private func importRecords(
        _ kind: RecordsImport.Kind,
        _ text: String,
        into shop: TestShop,
        format: FileFormat = .csv,
        readsStatus: Bool = false,
        onReject: @escaping (RowRejection) -> Void = { Issue.record("line \($0.line): \($0.reason)") }
    ) async throws -> RecordsImport.Report {
        var options = RecordsImport.Options(kind: kind, tenant: shop.tenant, mapping: ImportMapping())
        options.mapping.format = format
        options.readsStatus = readsStatus
        return try await RecordsImport(postgres: shop.postgres).run(
            Portion(bytes: Array(text.utf8)),
            options: options,
            onReject: onReject,
            onProgress: { _ in }
        )
    }

    private func importSales(
        _ text: String,
        into shop: TestShop,
        format: FileFormat = .csv
    ) async throws -> SalesImport.Report {
        var options = SalesImport.Options(tenant: shop.tenant, mapping: ImportMapping())
        options.mapping.format = format
        options.fileName = "sales.csv"
        return try await SalesImport(postgres: shop.postgres).run(
            Portion(bytes: Array(text.utf8)),
            options: options,
            onReject: { Issue.record("line \($0.line): \($0.reason)") },
            onProgress: { _ in }
        )
    }

    private static let products = #"""
        sku,name,price,unit,category,tax_rate,barcodes,min_stock,oversell\#r
        Ñ-1,"=1+1, a ""formula""",2.50,pc,Früchte,21,"4006381333931 -7",3,deny\#r
        '+2,'-minus,0.333333,Kilogram,,,,,\#r
        ''q,'quoted,12,pc,,10,"[""A B"",""[x]""]",,allow\#r
        N3,名前 🇪🇸,1,pc,,0,,,\#r

        """#

    private static let sales = """
        sale,sku,quantity,unit_price,occurred_at,payment_method\r
        Ä 1,Ñ-1,2,2.50,2026-03-01T10:00:00Z,card\r
        Ä 1,'+2,1.5,0.333333,2026-03-01T10:00:00Z,card\r
        '=2,''q,1,0,2026-03-01T10:00:00Z,\r
        Ä 1,Ñ-1,-1,2.50,2026-03-01T10:00:00Z,transfer\r
        3,N3,7,1,2026-03-02T23:59:59.123456Z,cash\r

        """

    private static let books = """
        SELECT p.sku, l.on_hand FROM stock.product p JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
        ORDER BY p.sku;
        SELECT e.business_day, e.direction, e.method, e.category, sum(e.amount) FROM stock.ledger_entry e
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
        SELECT p.sku, b.code FROM stock.product p JOIN stock.product_barcode b ON b.tenant_id = p.tenant_id AND b.product_id = p.id
        ORDER BY 1, 2;
        SELECT p.sku, p.name, p.price, p.tax_rate, p.min_stock, p.oversell, p.status FROM stock.product p ORDER BY p.sku;
        """

    @Test("tells the sales of two registers apart, which number their own, and so does an import of it")
    func registers() async throws {
        try await TestShop.open("exports_registers", onHand: 0) { (shop) async throws -> Void in
            try await shop.psql("UPDATE stock.tenant SET oversell = 'allow'")
            let second = try await shop.openRegister(at: TestShop.main())
            try await shop.sellApples(2, at: try required(RegisterID(TestShop.register)))
            try await shop.sellApples(3, at: second)
            #expect(try await shop.psql("SELECT string_agg(number::text, ' ') FROM stock.sale") == "1 1")
            let sales = try await export(.sales, of: shop)
            try await TestShop.open("exports_registers_to", onHand: 0) { (other) async throws -> Void in
                try await other.asTenant(
                    """
                    INSERT INTO stock.register (tenant_id, id, name, location_id)
                    VALUES (1, '\(RegisterID.make())', '\(second)', stock.main_location())
                    """
                )
                #expect(try await importSales(sales, into: other).applied == 2)
                #expect(try await other.psql("SELECT string_agg(number::text, ' ') FROM stock.sale") == "1 1")
            }
        }
    }

    @Test(
        "of products and sales goes into an empty shop unchanged: stock, balance and the next export are the same",
        arguments: FileFormat.allCases
    )
    func roundTrip(format: FileFormat) async throws {
        try await TestShop.open("exports_from_\(format)", onHand: 0) { (shop) async throws -> Void in
            try await shop.psql(
                """
                INSERT INTO stock.category (tenant_id, id, name)
                VALUES (\(shop.tenant.rawValue), '00000000-0000-7000-8000-0000000000ca', 'Früchte')
                """
            )
            #expect(try await importRecords(.products, Self.products, into: shop).created == 4)
            #expect(try await importSales(Self.sales, into: shop).applied == 5)
            #expect(try await shop.psql("SELECT name FROM stock.product WHERE sku = '''q'") == "'quoted")
            #expect(try await shop.psql("SELECT name FROM stock.product WHERE sku = '+2'") == "-minus")
            #expect(try await shop.psql("SELECT external_id FROM stock.sale WHERE number = 2") == "=2")
            let (products, sales, categories) = (
                try await export(.products, of: shop, format: format),
                try await export(.sales, of: shop, format: format),
                try await export(.categories, of: shop, format: format)
            )
            let books = try await shop.psql(Self.books)

            try await TestShop.open("exports_to_\(format)", onHand: 0) { (other) async throws -> Void in
                #expect(try await importRecords(.categories, categories, into: other, format: format).created == 1)
                #expect(try await importRecords(.products, products, into: other, format: format).created == 4)
                #expect(try await importSales(sales, into: other, format: format).applied == 5)
                #expect(try await other.psql(Self.books) == books)
                #expect(try await export(.products, of: other, format: format) == products)
                #expect(try await export(.sales, of: other, format: format) == sales)
                #expect(try await other.violations() == [])
            }
            // What is there already is left alone.
            let again = try await importRecords(.products, products, into: shop, format: format, readsStatus: true)
            #expect(again.unchanged == 8)
            #expect(try await importSales(sales, into: shop, format: format).unchanged == 5)
        }
    }

    @Test(
        "writes what the file had, by RFC 4180, with times in UTC and cells that begin like formulas behind an apostrophe"
    )
    func bytes() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await shop.psql(
                """
                UPDATE stock.product SET name = E'=cmd()\\'"', external_id = '@x' WHERE sku = 'A';
                UPDATE stock.product SET status = 'archived' WHERE sku = 'S';
                """
            )
            let lines = try await export(.products, of: shop).split(separator: "\r\n").map { String($0) }
            #expect(
                lines[0]
                    == "sku,external_id,name,price,tax_rate,tax_group,unit,category,min_stock,tracks_stock,oversell,barcodes,status"
            )
            #expect(lines[1].hasPrefix(#"A,'@x,"'=cmd()'""",2.50,21,"#))
            #expect(lines.count == 5)
            let archived = lines.filter { $0.hasSuffix(",archived") }
            #expect(archived.count == 1)

            let objects = try await export(.products, of: shop, format: .ndjson).split(separator: "\n")
            #expect(objects.count == 4)
            let first = try JSONValue.parse(Array(objects[0].utf8))
            guard case .object(let object) = first else {
                Issue.record("no object: \(objects[0])")
                return
            }
            #expect(object["name"] == .string(#"=cmd()'""#))
            #expect(object["tracks_stock"] == .bool(true))
            #expect(object["barcodes"] == .array([]))
            #expect(object["category"] == .null)
        }
    }

    @Test(
        "goes on behind any of its rows, over the bounds of pages and documents",
        arguments: [ExportKind.sales, .products]
    )
    func resumed(kind: ExportKind) async throws {
        try await TestShop.open("exports_resumed_\(kind)", onHand: 0) { (shop) async throws -> Void in
            let products = (0..<2_100).map { "R\($0),Thing \($0),1" }.joined(separator: "\n")
            #expect(try await importRecords(.products, "sku,name,price\n\(products)\n", into: shop).created == 2_100)
            // One sale lies across the end of a page, and many have the same time.
            let sales = (0..<4_300).map { "\($0 < 2_700 ? $0 / 900 : $0 / 3),R\($0 % 2_100),1,1,2026-03-01T10:00:00Z" }
            let header = "sale,sku,quantity,unit_price,occurred_at\n"
            #expect(try await importSales(header + sales.joined(separator: "\n") + "\n", into: shop).applied == 4_300)

            let whole = try await export(kind, of: shop, showsCursor: true).split(separator: "\r\n").dropFirst().map {
                String($0)
            }
            #expect(whole.count == (kind == .sales ? 4_300 : 2_104))
            #expect(Set(whole).count == whole.count)
            for place in [0, 1_998, 1_999, 2_000, 2_049, whole.count - 1] {
                let cursor = try #require(whole[place].split(separator: ",").last.map { String($0) })
                let rest = try await export(kind, of: shop, showsCursor: true, after: cursor)
                #expect(rest.split(separator: "\r\n").map { String($0) } == Array(whole[(place + 1)...]))
            }
        }
    }

    @Test("of every kind has as many cells as columns, of a shop that has something of each")
    func kinds() async throws {
        try await TestShop.open { (shop) async throws -> Void in
            try await shop.sell(shop.request([("A", "2"), ("B", "1")], paid: [try cash("9.00")]))
            for kind in ExportKind.allCases {
                let text = try await export(kind, of: shop)
                let rows = text.split(separator: "\r\n")
                let columns = kind.page.columns.count
                #expect(
                    rows.allSatisfy { $0.split(separator: ",", omittingEmptySubsequences: false).count == columns },
                    "\(text)"
                )
                if [.products, .units, .customers, .stock, .sales, .payments].contains(kind) {
                    #expect(rows.count > 1, "\(kind)")
                }
            }
        }
    }

    @Test("of stock has what an import takes: no place where nothing is on its way, and an id where there is no SKU")
    func stock() async throws {
        try await TestShop.open(onHand: 4) { (shop) async throws -> Void in
            let (main, second) = (try TestShop.main(), try await shop.openLocation("Ñuble"))
            let request = TransferRequest(
                fromLocationID: main,
                toLocationID: second,
                lines: [.init(product: .sku("A"), quantity: try Quantity("1"))]
            )
            let drafted = try JSONObjectBody(try await shop.transfers.draft(request, shop.context, key: nil).body)
            let id = try #require(TransferID(drafted["id"] ?? ""))
            _ = try await shop.transfers.send(id, shop.context, key: nil)
            func rows() async throws -> [String] {
                try await export(.stock, of: shop).split(separator: "\r\n").map { String($0) }
            }
            #expect(try await rows().count { $0.hasPrefix("A,") } == 2, "what is here, and what is on its way")
            _ = try await shop.transfers.receive(id, [], shop.context, key: nil)
            try await shop.asTenant("UPDATE stock.product SET sku = NULL WHERE sku = 'W'")
            let exported = try await rows()
            #expect(exported.count { $0.hasPrefix("A,") } == 2, "what is here, and what is there")
            #expect(exported.contains { $0.hasPrefix(",\(TestShop.product("W")),") })
        }
    }

    @Test("of a product without a SKU and an external id finds it again by its id, and gives it none")
    func withoutSKU() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws -> Void in
            try await shop.asTenant("UPDATE stock.product SET sku = NULL WHERE sku = 'W'")
            let products = try await export(.products, of: shop)
            let again = try await importRecords(.products, products, into: shop)
            #expect([again.created, again.updated, again.unchanged] == [0, 0, 4])
            let changed = products.replacing("Walnuts", with: "Pecans")
            let report = try await importRecords(.products, changed, into: shop)
            #expect([report.created, report.updated, report.unchanged] == [0, 1, 3])
            let named = "SELECT name, external_id FROM stock.product WHERE sku IS NULL"
            #expect(try await shop.psql(named) == "Pecans|")
        }
    }

    @Test("of expenses goes in again, from suppliers of one name as well, without what was reversed")
    func expenses() async throws {
        try await TestShop.open("exports_expenses_from", onHand: 0) { (shop) async throws -> Void in
            let suppliers = "name,external_id\nTwin,t1\ntwin,t2\nt1,t3\nLone,\n"
            #expect(try await importRecords(.suppliers, suppliers, into: shop).created == 4)
            let spent = """
                external_id,occurred_at,category,amount,method,supplier,note
                1,2026-01-01T09:00:00Z,Miete,1.00,cash,t1,
                2,2026-01-02T09:00:00Z,Miete,2.00,cash,t2,Öl
                3,2026-01-03T09:00:00Z,Miete,3.00,cash,t3,
                4,2026-01-04T09:00:00Z,Miete,4.00,cash,Lone,
                5,2026-01-05T09:00:00Z,Porto,5.00,card,,

                """
            #expect(try await importRecords(.expenses, spent, into: shop).created == 5)
            try await shop.asTenant(
                """
                UPDATE stock.money_entry
                SET status = 'reversed', reversal_reason = 'falsch', reversed_at = now(), reversal_day = business_day
                WHERE amount = 5
                """
            )
            let (expenses, who) = (try await export(.expenses, of: shop), try await export(.suppliers, of: shop))
            let again = try await importRecords(.expenses, expenses, into: shop)
            #expect([again.created, again.unchanged] == [0, 5], "what is there is left alone, reversed or not")
            try await TestShop.open("exports_expenses_to", onHand: 0) { (other) async throws -> Void in
                #expect(try await importRecords(.suppliers, who, into: other).created == 4)
                var reasons: [String] = []
                let report = try await importRecords(
                    .expenses,
                    expenses,
                    into: other,
                    onReject: { reasons.append("\($0.line) \($0.code.rawValue) \($0.reason)") }
                )
                #expect(report.created == 4)
                #expect(reasons == ["6 value_invalid status: The expense was reversed."])
                let whose = """
                    SELECT string_agg(trim_scale(e.amount) || coalesce(s.external_id, s.name), ' ' ORDER BY e.amount)
                    FROM stock.money_entry e JOIN stock.supplier s ON s.id = e.supplier_id WHERE e.status = 'confirmed'
                    """
                let parties = try await shop.psql(whose).split(separator: " ").map { String($0) }
                let taken = try await other.psql(whose).split(separator: " ").map { String($0) }
                #expect(parties.prefix(3) == ["1t1", "2t2", "3t3"])
                // Who had no external id has the id of the shop before.
                #expect(taken.prefix(3) == parties.prefix(3) && taken.count == 4)
            }
        }
    }

    @Test("of sales and payments names customers of one name apart, and its payments go in again but for what went out")
    func payments() async throws {
        try await TestShop.open("exports_payments_from", onHand: 0) { (shop) async throws -> Void in
            try await shop.psql("UPDATE stock.tenant SET oversell = 'allow'")
            let customers = "name,external_id\nMaría García,m1\nmaría garcía,m2\n"
            #expect(try await importRecords(.customers, customers, into: shop).created == 2)
            let sold = """
                sale,sku,quantity,unit_price,occurred_at,payment_method,paid,customer
                Ä1,A,2,2.50,2026-03-01T10:00:00Z,cash,0,m1
                2nd,A,2,2.50,2026-03-02T10:00:00Z,cash,0,m2
                back,A,-1,2.50,2026-03-03T10:00:00Z,cash,,

                """
            #expect(try await importSales(sold, into: shop).applied == 3)
            let paid = """
                external_id,occurred_at,sale,customer,amount,method
                1,2026-03-04T09:00:00Z,Ä1,,1.00,card
                2,2026-03-04T10:00:00Z,,m2,5.00,transfer

                """
            #expect(try await importRecords(.payments, paid, into: shop).created == 2)
            let sales = try await export(.sales, of: shop)
            #expect(sales.contains(",m1,") && sales.contains(",m2,"))
            let payments = try await export(.payments, of: shop)
            let again = try await importRecords(.payments, payments, into: shop)
            #expect([again.created, again.unchanged] == [0, 3], "what is there is left alone, in or out")
            try await TestShop.open("exports_payments_to", onHand: 0) { (other) async throws -> Void in
                try await other.psql("UPDATE stock.tenant SET oversell = 'allow'")
                #expect(try await importRecords(.customers, customers, into: other).created == 2)
                // Not what came back, which would be there already: its money has the same name in both shops.
                let forth = sold.split(separator: "\n").filter { !$0.hasPrefix("back") }.joined(separator: "\n")
                #expect(try await importSales(forth, into: other).applied == 2)
                var reasons: [String] = []
                let report = try await importRecords(
                    .payments,
                    payments,
                    into: other,
                    onReject: { reasons.append("\($0.line) \($0.reason)") }
                )
                #expect(report.created == 2)
                #expect(reasons == ["2 direction: The money went out; files bring what came in."])
                let dues = """
                    SELECT string_agg(external_id || ' ' || trim_scale(due), ',' ORDER BY external_id) FROM stock.sale
                    """
                let before = try await shop.psql(dues)
                #expect(try await other.psql(dues) == before)
                #expect(try await other.violations() == [])
            }
            // Behind what was exported of sales, which come in paid, nothing of them is due.
            try await TestShop.open("exports_payments_behind", onHand: 0) { (third) async throws -> Void in
                try await third.psql("UPDATE stock.tenant SET oversell = 'allow'")
                #expect(try await importRecords(.customers, customers, into: third).created == 2)
                #expect(try await importSales(sales, into: third).applied == 3)
                var codes: [RowRejection.Code] = []
                let report = try await importRecords(
                    .payments,
                    payments,
                    into: third,
                    onReject: { codes.append($0.code) }
                )
                #expect(report.created == 0 && codes == [.paymentExceedsDue, .paymentExceedsDue])
                #expect(try await third.violations() == [])
            }
        }
    }

    @Test(
        "refuses a place that is none of its kind",
        arguments: ["", "x", "2026-03-01T10:00:00Z/0/1", "1/2/3/4/5", "a/b"]
    )
    func places(text: String) {
        for kind in ExportKind.allCases {
            #expect(throws: Problem.self) { try ExportRequest(kind, after: text) }
        }
    }

    @Test("that nobody takes gives its connection back, and what it threw comes through")
    func given() async throws {
        struct Full: Error {}
        try await TestShop.open { (shop) async throws -> Void in
            let service = ExportService(postgres: shop.postgres)
            for _ in 0..<8 {
                await #expect(throws: Full.self) {
                    try await service.run(try ExportRequest(.products), of: shop.tenant, deadline: .now + .seconds(60))
                    { _ in
                        throw Full()
                    }
                }
            }
            #expect(try await export(.units, of: shop).hasPrefix("name,external_id,symbol,decimals\r\n"))
        }
    }

    @Test("waits for no other of its tenant, and leaves connections to tills")
    func turns() async throws {
        let turns = ExportTurns(connections: 6)
        var first: ExportTurn? = try turns.take(TenantID(rawValue: 1))
        #expect(problem(turns, 1) == .rateLimited)
        let second = try turns.take(TenantID(rawValue: 2))
        #expect(problem(turns, 3) == .overloaded)
        #expect(first != nil)
        first = nil
        #expect(problem(turns, 3) == nil)
        #expect(problem(turns, 2) == .rateLimited)
        withExtendedLifetime(second) {}
        #expect(problem(ExportTurns(connections: 1), 1) == .overloaded)
    }

    private func problem(_ turns: ExportTurns, _ tenant: Int64) -> Problem.Code? {
        do throws(Problem) {
            _ = try turns.take(TenantID(rawValue: tenant))
            return nil
        } catch {
            return error.code
        }
    }
}

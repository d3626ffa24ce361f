import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("An import of sales")
struct SalesImportTests {
    /// A file in one portion.
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
        var report: SalesImport.Report
        var rejections: [RowRejection]

        var codes: [RowRejection.Code] { rejections.map(\.code) }
    }

    private static let header = "sale,sku,name,quantity,unit_price,occurred_at"

    private func run(
        _ lines: [String],
        into shop: TestShop,
        header: String = Self.header,
        _ change: (inout SalesImport.Options) -> Void = { _ in }
    ) async throws -> Outcome {
        var options = SalesImport.Options(tenant: shop.tenant, mapping: ImportMapping())
        options.fileName = "test.csv"
        change(&options)
        var rejections: [RowRejection] = []
        let text = ([header] + lines).joined(separator: "\r\n") + "\r\n"
        let report = try await SalesImport(postgres: shop.postgres).run(
            Portion(bytes: Array(text.utf8)),
            options: options,
            onReject: { rejections.append($0) },
            onProgress: { _ in }
        )
        return Outcome(report: report, rejections: rejections)
    }

    /// All that an import writes and that must not depend on how often it was run.
    private func state(_ shop: TestShop) async throws -> String {
        try await shop.psql(
            """
            SELECT s.id, s.number, s.total, s.business_day, s.external_id FROM stock.sale s ORDER BY s.number;
            SELECT r.id, r.number, r.refund FROM stock.sale_return r ORDER BY r.number;
            SELECT l.id, l.position, l.sku, l.quantity, l.total, l.tax FROM stock.sale_line l ORDER BY l.id;
            SELECT m.id, m.product_id, m.seq, m.quantity, m.on_hand_after FROM stock.stock_movement m
            WHERE m.ref_id IS NOT NULL ORDER BY m.product_id, m.seq;
            SELECT p.id, p.direction, p.amount, p.method FROM stock.payment p ORDER BY p.id;
            SELECT e.id, e.direction, e.amount, e.business_day FROM stock.ledger_entry e ORDER BY e.id;
            SELECT j.status, j.checkpoint, j.rows, j.rows_applied, j.rows_unchanged, j.rows_rejected FROM stock.import_job j;
            SELECT e.type, e.payload FROM stock.domain_event e WHERE e.type LIKE 'import%' ORDER BY e.id;
            """
        )
    }

    private static let file = [
        "1,A,Apple,2,2.50,2026-03-01T10:00:00",
        "2,b,Bread,1,4,2026-03-01T11:00:00",
        "1,B,Bread,1,0,2026-03-01T10:00:00",
        "C3,A,Apple,-1,2.50,2026-03-02T09:00:00",
        "1,A,Apple,1,2.50,2026-03-01T10:00:30",
    ]

    @Test("writes whole sales, returns, movements, payments and ledger rows, and holds every invariant")
    func wholeSales() async throws {
        try await TestShop.open { (shop) async throws in
            let outcome = try await run(Self.file, into: shop) { $0.method = .card }
            #expect(outcome.report.applied == 5)
            #expect(outcome.rejections == [])
            #expect(
                try await shop.psql(
                    """
                    SELECT string_agg(concat_ws(' ', s.number, s.external_id, s.total, s.paid, s.due), ',' ORDER BY s.number)
                    FROM stock.sale s
                    """
                ) == "1 1 7.5000 7.5000 0.0000,2 2 4.0000 4.0000 0.0000"
            )
            #expect(
                try await shop.psql(
                    """
                    SELECT string_agg(concat_ws(' ', direction, method, amount, business_day), ',' ORDER BY business_day, amount)
                    FROM stock.ledger_entry
                    """
                ) == "income card 4.0000 2026-03-01,income card 7.5000 2026-03-01,expense card 2.5000 2026-03-02"
            )
            #expect(
                try await shop.psql(
                    "SELECT on_hand FROM stock.stock_level WHERE product_id = '\(TestShop.product("A"))'"
                ) == "998.000000"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is of the day that it was at the place which a row names, as at a till there")
    func days() async throws {
        try await TestShop.open(timezone: "Europe/Berlin", currency: "EUR") { (shop) async throws in
            let place = try await shop.openLocation("La Habana ñ")
            try await shop.asTenant("UPDATE stock.location SET timezone = 'America/Havana' WHERE id = '\(place)'")
            let till = try await shop.openRegister(at: place)
            let outcome = try await run(
                [
                    "1,A,1,2.50,2026-03-08T04:30:00Z,\(till),", "2,A,1,2.50,2026-03-08T04:30:00Z,,LA HABANA Ñ",
                    "3,A,1,2.50,2026-03-08T04:30:00Z,,", "C4,A,-1,2.50,2026-03-08T04:30:00Z,\(till),",
                ],
                into: shop,
                header: "sale,sku,quantity,unit_price,occurred_at,register,location"
            )
            #expect(outcome.report.applied == 4, "\(outcome.rejections)")
            #expect(
                try await shop.psql(
                    """
                    SELECT string_agg(d.external_id || ' ' || d.business_day, ',' ORDER BY d.external_id)
                    FROM (SELECT external_id, business_day FROM stock.sale
                          UNION ALL SELECT external_id, business_day FROM stock.sale_return) d
                    """
                ) == "1 2026-03-07,2 2026-03-07,3 2026-03-08,C4 2026-03-07"
            )
            #expect(
                try await shop.psql(
                    "SELECT string_agg(DISTINCT business_day::text, ',') FROM stock.ledger_entry WHERE register_id = '\(till)'"
                ) == "2026-03-07"
            )
            #expect(try await shop.violations() == [])
        }
    }

    private static let wide =
        "sale,sku,quantity,unit_price,occurred_at,payment_method,paid,customer,register,location,discount,tax_rate"

    /// What became of documents: number, till, customer, sums, lines and tenders.
    private static let documents = """
        SELECT string_agg(concat_ws(' ', s.external_id, s.number, g.name, c.name, trim_scale(s.subtotal), trim_scale(s.discount),
                                    trim_scale(s.tax), trim_scale(s.total), trim_scale(s.paid), trim_scale(s.due), p.tenders),
                          ';' ORDER BY s.external_id)
        FROM stock.sale s
        JOIN stock.register g ON g.id = s.register_id
        LEFT JOIN stock.customer c ON c.id = s.customer_id
        LEFT JOIN LATERAL (SELECT string_agg(concat(o.method, trim_scale(o.amount)), '+' ORDER BY o.method) AS tenders
                           FROM stock.payment o WHERE o.sale_id = s.id) p ON true
        """

    @Test(
        "takes over who bought, at which till, what was taken off, taxed and paid how; once more changes nothing",
        arguments: [5_000, 2]
    )
    func wide(chunkRows: Int) async throws {
        try await TestShop.open("wide \(chunkRows)") { (shop) async throws in
            let side = try await shop.openLocation("Straße 7")
            let till = try await shop.openRegister(at: side)
            try await shop.psql("UPDATE stock.register SET name = 'Kasse Ñ' WHERE id = '\(till)'")
            try await shop.asTenant(
                "INSERT INTO stock.customer (tenant_id, id, name, external_id) VALUES (1, '\(CustomerID.make())', 'Zoë', 'z-1')"
            )
            var lines = [
                // Two tills, a discount, another rate, several methods, something left on an account.
                "a,A,4,2.50,2026-03-01T10:00:00,cash,,ada,,,1.50,", "a,W,0.5,12.25,2026-03-01T10:00:00,,,,,,,7",
                "b,A,2,2.50,2026-03-01T11:00:00,card,3,z-1,kasse ñ,,0,", "b,B,1,4,2026-03-01T11:00:00,cash,2.25,,,,,",
                "c,B,2,4,2026-03-01T12:00:00,card,,,,STRAßE 7,,", "d,A,1,2.50,2026-03-01T12:00:00,,0,Ada,,,,",
                "e,A,-1,2.50,2026-03-02T12:00:00,cash,,,Kasse Ñ,,,",
            ]
            for sale in 0..<20 { lines.append("n\(sale),B,1,4,2026-03-03T09:00:00,,,,,,,") }
            let outcome = try await run(lines, into: shop, header: Self.wide) { $0.chunkRows = chunkRows }
            #expect(outcome.rejections == [])
            #expect(outcome.report.applied == 27)
            let main = try await shop.psql("SELECT name FROM stock.register WHERE is_default")
            let documents = try await shop.psql(Self.documents).split(separator: ";").prefix(4).map(String.init)
            #expect(
                documents == [
                    "a 1 \(main) Ada 16.13 1.5 1.88 14.63 14.63 0 cash14.63",
                    "b 1 Kasse Ñ Zoë 9 0 1.23 9 5.25 3.75 card3+cash2.25",
                    "c 2 Kasse Ñ 8 0 0.73 8 8 0 card8",
                    "d 2 \(main) Ada 2.5 0 0.43 2.5 0 2.5",
                ]
            )
            #expect(try await shop.onHand("B", at: side) == "-3")
            #expect(try await shop.onHand("A", at: side) == "-1")
            #expect(
                try await shop.psql(
                    "SELECT string_agg(concat_ws(' ', c.name, trim_scale(a.balance)), ',' ORDER BY c.name) "
                        + "FROM stock.customer_account a JOIN stock.customer c ON c.id = a.customer_id"
                ) == "Ada 2.5,Zoë 3.75"
            )
            #expect(
                try await shop.psql(
                    """
                    SELECT string_agg(DISTINCT concat_ws(' ', e.location_id = g.location_id, g.name = 'Kasse Ñ'), ',')
                    FROM stock.ledger_entry e JOIN stock.register g ON g.id = e.register_id
                    """
                ) == "t f,t t"
            )
            #expect(try await shop.violations() == [])
            let before = try await state(shop)
            let again = try await run(lines, into: shop, header: Self.wide) { $0.chunkRows = chunkRows }
            #expect(again.report.unchanged == 27 && again.rejections == [])
            #expect(try await state(shop) == before)
            // A line of which something else was taken off is another one.
            let other = ["a,A,4,2.50,2026-03-01T10:00:00,cash,,ada,,,1.25,"]
            #expect(try await run(other, into: shop, header: Self.wide).codes == [.duplicate])
        }
    }

    @Test("finds who bought by a name as it is kept, and by an external_id whatever blanks stand in it")
    func namesOfCustomers() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant(
                """
                INSERT INTO stock.customer (tenant_id, id, name, external_id)
                VALUES (1, '\(CustomerID.make())', 'José  Pérez', NULL), (1, '\(CustomerID.make())', 'می\u{200C}نا', 'c 1')
                """
            )
            let lines = [
                "a,A,1,2.50,@,card,,José  Pérez,,,,", "b,A,1,2.50,@,card,,می\u{200C}نا,,,,",
                "c,A,1,2.50,@,card,,c  1,,,,",
            ].map { $0.replacing("@", with: "2026-03-01T10:00:00") }
            let outcome = try await run(lines, into: shop, header: Self.wide)
            #expect(outcome.rejections == [])
            let found = """
                SELECT string_agg(c.name, ',' ORDER BY s.external_id)
                FROM stock.sale s JOIN stock.customer c ON c.id = s.customer_id
                """
            #expect(try await shop.psql(found) == "José  Pérez,می\u{200C}نا,می\u{200C}نا")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("tells who and what is not there, and what can not have been paid or taken off; a dry run says the same")
    func wideFaults() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant(
                """
                INSERT INTO stock.customer (tenant_id, id, name)
                VALUES (1, '\(CustomerID.make())', 'Twin'), (1, '\(CustomerID.make())', 'twin')
                """
            )
            _ = try await shop.openLocation("Empty")
            let lines = [
                "a,A,1,2.50,@,cash,,nobody,,,,", "b,A,1,2.50,@,cash,,Twin,,,,",
                "c,A,1,2.50,@,cash,,,none,,,", "d,A,1,2.50,@,cash,,,,none,,",
                "e,A,1,2.50,@,cash,,,,Empty,,", "f,A,1,2.50,@,cash,,,,,2.51,",
                "g,A,1,2.50,@,cash,,,,,0.005,", "h,A,1,2.50,@,cash,2.51,,,,,",
                "i,A,1,2.50,@,cash,1,,,,,", "j,A,1,2.50,@,cheque,1,Ada,,,,",
                "k,A,1,2.50,@,cash,-1,,,,,", "l,A,-1,2.50,@,cash,,,,,1,",
                "m,A,1,2.50,@,cash,,,,,,1000", "n,A,1,2.50,@,cash,,Ada,,,,",
                "n,A,1,2.50,@,cash,,Twin,,,,", "o,A,1,2.50,@,cash,1.005,Ada,,,,",
                "ok,A,1,2.50,@,cash,,,,main,2.50,0",
            ].map { $0.replacing("@", with: "2026-03-01T10:00:00") }
            let dry = try await run(lines, into: shop, header: Self.wide) { $0.isDryRun = true }
            let real = try await run(lines, into: shop, header: Self.wide)
            #expect(dry.rejections == real.rejections)
            #expect(real.report.applied == 1 && dry.report.applied == 1)
            #expect(Set(real.rejections.map(\.line)) == Set(2...17))
            #expect(real.rejections.filter { $0.code != .valueInvalid }.map(\.line) == [15])
            #expect(try await shop.violations() == [])
            let early = try? await run(lines, into: shop, header: Self.wide) { $0.maxErrors = 2 }
            #expect(early == nil)
        }
    }

    @Test("computes lines by the groups of their products, in both sessions, as a sale does")
    func taxGroups() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql(
                """
                BEGIN;
                SELECT set_config('stock.tenant_id', '\(shop.tenant)', true);
                INSERT INTO stock.tax (tenant_id, id, name, kind, rate, compound) VALUES
                    (\(shop.tenant), '\(TestShop.unit(7))', 'Öko', 'amount_per_unit', 0.333, false),
                    (\(shop.tenant), '\(TestShop.unit(8))', 'MwSt.', 'percent', 19, true);
                INSERT INTO stock.tax_group (tenant_id, id, name) VALUES
                    (\(shop.tenant), '\(TestShop.unit(9))', 'Flaschen'), (\(shop.tenant), '\(TestShop.unit(6))', 'Normal');
                SELECT stock.tax_group_compose('\(TestShop.unit(9))',
                                               ARRAY['\(TestShop.unit(7))', '\(TestShop.unit(8))']::uuid[]);
                SELECT stock.tax_group_compose('\(TestShop.unit(6))', ARRAY['\(TestShop.unit(8))']::uuid[]);
                UPDATE stock.product SET tax_group_id = '\(TestShop.unit(9))' WHERE sku = 'A';
                UPDATE stock.product SET tax_group_id = '\(TestShop.unit(6))' WHERE sku = 'W';
                COMMIT
                """
            )
            let lines = [("A", "3", "2.50"), ("W", "0.333", "12.25"), ("B", "2", "4")]
            let rows = (0..<40).flatMap { sale in
                lines.map { "\(sale),\($0.0),x,\($0.1),\($0.2),2026-03-01T10:00:00" }
            }
            #expect(try await run(rows, into: shop) { $0.chunkRows = 3 }.report.applied == 120)
            try await shop.sell(
                try shop.request(lines.map { ($0.0, $0.1) }, paid: [try cash("19.58")])
            )
            let kinds = try await shop.psql(
                "SELECT DISTINCT sku, tax_rate, tax, total, taxes FROM stock.sale_line ORDER BY sku"
            ).split(separator: "\n").map(String.init)
            #expect(kinds.count == 3, "\(kinds)")
            #expect(kinds.first?.contains(#""base": "6.30""#) == true, "\(kinds)")
            #expect(kinds.last?.hasPrefix("W|19.0000|0.6500|4.0800|[{") == true, "\(kinds)")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of the same file again writes nothing, whatever the chunks")
    func again() async throws {
        try await TestShop.open { (shop) async throws in
            _ = try await run(Self.file, into: shop)
            let before = try await state(shop)
            let outbox = try await shop.psql("SELECT max(id) FROM stock.cache_outbox")
            let outcome = try await run(Self.file, into: shop) { $0.chunkRows = 1 }
            #expect(outcome.report.applied == 0)
            #expect(outcome.report.unchanged == 5)
            #expect(try await state(shop) == before)
            #expect(try await shop.psql("SELECT max(id) FROM stock.cache_outbox") == outbox)
        }
    }

    @Test("that ended half-way is gone on with to the same state, ids included")
    func resumed() async throws {
        let chunked: (inout SalesImport.Options) -> Void = { $0.chunkRows = 1 }
        let undisturbed = try await TestShop.open { (shop) async throws in
            _ = try await run(Self.file, into: shop, chunked)
            return try await state(shop)
        }
        let resumed = try await TestShop.open { (shop) async throws in
            // As a kill between two chunks leaves it: the job runs, the first document is there.
            _ = try await run(Self.file, into: shop, chunked)
            try await shop.psql(
                """
                SET session_replication_role = replica;
                DELETE FROM stock.sale_line l USING stock.sale s WHERE s.id = l.sale_id AND s.number > 1;
                DELETE FROM stock.sale_return_line;
                DELETE FROM stock.payment_allocation a USING stock.sale s WHERE s.id = a.sale_id AND s.number > 1;
                DELETE FROM stock.ledger_entry e USING stock.payment p LEFT JOIN stock.sale s ON s.id = p.sale_id
                WHERE e.source_id = p.id AND s.number IS DISTINCT FROM 1;
                DELETE FROM stock.stock_movement m WHERE m.ref_id IS NOT NULL
                  AND m.ref_id <> (SELECT id FROM stock.sale WHERE number = 1);
                DELETE FROM stock.payment p WHERE p.sale_id IS DISTINCT FROM (SELECT id FROM stock.sale WHERE number = 1);
                DELETE FROM stock.sale WHERE number > 1;
                DELETE FROM stock.sale_return;
                DELETE FROM stock.product_day;
                INSERT INTO stock.product_day (tenant_id, business_day, product, slot, sold, returned, revenue, cost)
                SELECT c.tenant_id, c.day, c.product_id, 0, sum(c.sold), sum(c.returned), sum(c.revenue), sum(c.cost)
                FROM stock.product_change c GROUP BY c.tenant_id, c.day, c.product_id;
                DELETE FROM stock.tax_day;
                INSERT INTO stock.tax_day (tenant_id, business_day, name, kind, rate, slot, base, amount)
                SELECT c.tenant_id, c.day, c.name, c.kind, c.rate, 0, sum(c.base), sum(c.amount)
                FROM stock.tax_change c GROUP BY c.tenant_id, c.day, c.name, c.kind, c.rate;
                UPDATE stock.document_counter SET last_number = CASE kind WHEN 'sale' THEN 1 ELSE 0 END;
                UPDATE stock.stock_level l SET (on_hand, stock_version) = (
                    SELECT sum(m.quantity), count(*) FROM stock.stock_movement m WHERE m.product_id = l.product_id)
                WHERE EXISTS (SELECT FROM stock.stock_movement m WHERE m.product_id = l.product_id);
                UPDATE stock.location_level n SET (on_hand, last_seq) = (
                    SELECT l.on_hand, l.stock_version FROM stock.stock_level l WHERE l.product_id = n.product_id);
                UPDATE stock.import_job SET status = 'running', checkpoint = 1, rows_applied = 3, finished_at = NULL;
                DELETE FROM stock.domain_event WHERE id > (
                    SELECT min(id) FROM stock.domain_event WHERE type LIKE 'import%');
                """
            )
            _ = try await run(Self.file, into: shop, chunked)
            let violations = try await shop.violations()
            #expect(violations == [])
            return try await state(shop)
        }
        #expect(resumed == undisturbed)
    }

    @Test("goes no further once its days are closed, or are other days")
    func closedMeanwhile() async throws {
        for change in ["closed_until = '2026-03-31'", "timezone = 'Asia/Tokyo', timezone_since = clock_timestamp()"] {
            try await TestShop.open("closed_meanwhile \(change)") { (shop) async throws in
                // Somebody does it between the first chunk and the second.
                try await shop.psql(
                    """
                    CREATE FUNCTION public.meanwhile() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                    BEGIN
                        UPDATE stock.tenant SET \(change);
                        RETURN NULL;
                    END
                    $$;
                    CREATE TRIGGER meanwhile AFTER UPDATE ON stock.import_job FOR EACH ROW
                    WHEN (OLD.checkpoint < NEW.checkpoint) EXECUTE FUNCTION public.meanwhile()
                    """
                )
                let late = Self.file.map { $0.replacing(/T\d\d:/, with: "T20:") }
                let failure = await #expect(throws: ImportInterruption<SalesImport.Report>.self) {
                    try await run(late, into: shop) { $0.chunkRows = 1 }
                }
                let cause = try #require(failure?.cause as? ImportFailure)
                #expect("\(cause)".hasSuffix(#"run the import again.")"#))
                #expect(try await shop.psql("SELECT count(*) FROM stock.sale") == "1")
                #expect(try await shop.violations() == [])
            }
        }
    }

    @Test("by two sessions side by side writes what one session writes")
    func sideBySide() async throws {
        let lines = (0..<60).map { index in
            "\(index % 3 == 2 ? "C" : "")\(index % 40),P\(index % 7),,\(index % 3 == 2 ? -1 : index % 5 + 1),1.25,2026-03-0\(index / 12 + 1)T10:00:00"
        }
        var states: [String] = []
        for chunkRows in [1, 100] {
            states.append(
                try await TestShop.open { (shop) async throws in
                    let outcome = try await run(lines, into: shop) {
                        $0.createsProducts = true
                        $0.chunkRows = chunkRows
                    }
                    #expect(outcome.report.applied == 60)
                    #expect(try await shop.violations() == [])
                    try await shop.psql("DELETE FROM stock.domain_event; DELETE FROM stock.import_job")
                    return try await state(shop)
                }
            )
        }
        #expect(states[0] == states[1])
    }

    @Test("makes missing products once per SKU, at their first price and under their first name")
    func createsProducts() async throws {
        try await TestShop.open { (shop) async throws in
            let lines = [
                "1,new-1,,1,3.10,2026-03-01T10:00:00", "1,NEW-1,Lamp,1,9,2026-03-01T10:00:00",
                "2,New-1,Lantern,5,3.10,2026-03-01T10:00:00", "3,x,,0,1,2026-03-01T10:00:00",
            ]
            let unknown = try await run(lines, into: shop)
            #expect(unknown.codes == [.quantityZero, .skuUnknown, .skuUnknown, .skuUnknown])
            #expect(unknown.report.applied == 0)
            let outcome = try await run(lines, into: shop) { $0.createsProducts = true }
            #expect(outcome.report.createdProducts == 1)
            #expect(outcome.codes == [.quantityZero])
            #expect(
                try await shop.psql(
                    """
                    SELECT concat_ws(' ', p.sku, p.name, p.price, p.oversell, p.tracks_stock, l.on_hand, l.stock_version)
                    FROM stock.product p JOIN stock.stock_level l ON l.product_id = p.id WHERE p.sku_key = 'new-1'
                    """
                ) == "new-1 Lamp 3.100000 allow t -7.000000 2"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("refuses a sale that oversells as a whole, and leaves its goods to the next")
    func oversold() async throws {
        try await TestShop.open(onHand: 3) { (shop) async throws in
            let lines = [
                "1,A,,2,2.50,2026-03-01T10:00:00", "2,A,,2,2.50,2026-03-01T10:00:00",
                "2,B,,1,4,2026-03-01T10:00:00", "3,A,,1,2.50,2026-03-01T10:00:00",
            ]
            let outcome = try await run(lines, into: shop) { $0.allowsOverselling = false }
            #expect(outcome.codes == [.insufficientStock, .insufficientStock])
            #expect(outcome.rejections.allSatisfy { $0.reason.contains("--oversell allow") })
            #expect(outcome.report.rowsByKind == [.sale: 2])
            #expect(outcome.rejections.map(\.line) == [3, 4])
            #expect(try await shop.psql("SELECT string_agg(external_id, ',' ORDER BY number) FROM stock.sale") == "1,3")
            #expect(try await shop.violations() == [])
            await #expect(throws: ImportFailure.self) {
                try await run(["9,A,,5,2.50,2026-03-01T10:00:00", "8,B,,1,4,2026-03-01T10:00:00"], into: shop) {
                    $0.onError = .abort
                    $0.allowsOverselling = false
                }
            }
            #expect(try await shop.psql("SELECT count(*) FROM stock.sale") == "2")
        }
    }

    @Test("leaves what is reserved to whom it is reserved for, as every sale does")
    func reserved() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            try await shop.reserving(drafts: 600)
            _ = try await shop.put(try shop.request([("A", "3")], paid: []))
            let lines = ["1,A,,3,2.50,2026-03-01T10:00:00", "2,A,,2,2.50,2026-03-01T10:00:00"]
            let outcome = try await run(lines, into: shop) { $0.allowsOverselling = false }
            #expect(outcome.codes == [.insufficientStock])
            #expect(outcome.rejections.map(\.line) == [2])
            #expect(outcome.rejections.first?.reason.contains("3 requested, 2 available") == true)
            #expect(try await shop.psql("SELECT external_id FROM stock.sale WHERE status = 'confirmed'") == "2")
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "leaves out what is more than can be counted, each with its line and what it says, and takes the rest; a dry run says the same",
        arguments: [5_000, 1]
    )
    func uncountable(chunkRows: Int) async throws {
        try await TestShop.open("uncountable \(chunkRows)", onHand: 0) { (shop) async throws in
            var lines = [
                "Ä,A,,999999999999,1,@", "2,A,,1,2.50,@", "2,B,,1,4,@", "3,A,,-999999999999,1,@",
                "4,W,,600000000000,0.01,@", "4,W,,600000000000,0.01,@", "5,S,,100,999999999999.999999,@",
                "6,B,,1,4,@", "7,A,,-999999999999,1,@", "8,A,,-1,1,@",
            ].map { $0.replacing("@", with: "2026-03-01T10:00:00") }
            for sale in 0..<10 { lines.append("n\(sale),B,,1,4,2026-03-02T10:00:00") }
            let dry = try await run(lines, into: shop) {
                $0.isDryRun = true
                $0.chunkRows = chunkRows
            }
            #expect(try await shop.psql("SELECT count(*) FROM stock.sale") == "0")
            let real = try await run(lines, into: shop) { $0.chunkRows = chunkRows }
            #expect(dry.rejections == real.rejections)
            #expect(
                real.rejections.map { "\($0.line) \($0.code.rawValue)" } == [
                    "3 value_invalid", "4 document_rejected", "6 value_invalid", "7 value_invalid",
                    "8 amount_too_large", "11 value_invalid",
                ]
            )
            let bounds = "On hand must stay between -999999999999.999999 and 999999999999.999999"
            let reasons = Dictionary(uniqueKeysWithValues: real.rejections.map { ($0.line, $0.reason) })
            #expect(reasons[3] == "quantity is 1: \(bounds); it is -999999999999, and -1 would be added.")
            #expect(reasons[6]?.hasPrefix("quantity is 600000000000: Less than 1000000000000 can be moved") == true)
            #expect(reasons[6]?.hasSuffix("at once, not 1200000000000.") == true)
            #expect(reasons[8]?.contains("come to 100000000000000 with their taxes") == true)
            #expect(reasons[11] == "quantity is -1: \(bounds); it is 999999999999, and 1 would be added.")
            #expect(real.report.applied == 14 && dry.report.applied == 14)
            #expect(try await shop.onHand("A", at: TestShop.main()) == "999999999999")
            #expect(try await shop.onHand("B", at: TestShop.main()) == "-11")
            #expect(try await shop.violations() == [])
            await #expect(throws: ImportFailure.self) {
                try await run(["9,A,,-1,1,2026-03-03T10:00:00"], into: shop) { $0.onError = .abort }
            }
        }
    }

    @Test("leaves out what comes to too much with its taxes or on an account, and takes the rest")
    func unpayable() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql("UPDATE stock.tenant SET prices_include_tax = false")
            let lines = [
                "a,S,90,999999999999,@,cash,,,,,,21", "b,S,90,999999999999,@,cash,,,,,,0",
                "c,S,60,999999999999,@,cash,0,Ada,,,,", "d,S,60,999999999999,@,cash,0,ada,,,,",
                "e,S,1,10,@,cash,4,Ada,,,,",
            ].map { $0.replacing("@", with: "2026-03-01T10:00:00") }
            let outcome = try await run(lines, into: shop, header: Self.wide)
            #expect(outcome.codes == [.amountTooLarge, .amountTooLarge])
            #expect(outcome.rejections.map(\.line) == [2, 5])
            let reasons = outcome.rejections.map(\.reason)
            #expect(reasons.first?.contains("come to 108899999999891.1 with their taxes") == true)
            #expect(reasons.last?.hasPrefix("customer is 'ada': What the customer owes must stay below") == true)
            #expect(reasons.last?.hasSuffix("it is 59999999999940.00, and 59999999999940.00 are added.") == true)
            #expect(outcome.report.applied == 3)
            #expect(try await shop.psql("SELECT trim_scale(balance) FROM stock.customer_account") == "59999999999946")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("holds rows against the tenant's data")
    func againstData() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql(
                """
                UPDATE stock.product SET status = 'archived' WHERE sku = 'B';
                UPDATE stock.tenant SET closed_until = '2026-01-31';
                """
            )
            let outcome = try await run(
                [
                    "1,A,,1.5,2.50,2026-03-01T10:00:00", "1,W,,1.5,2.50,2026-03-01T10:00:00",
                    "2,B,,1,4,2026-03-01T10:00:00", "3,A,,1,1,2026-01-31T23:59:59", "4,A,,1,1,2100-01-01T00:00:00",
                    "5,A,,1,1,1899-12-31T23:00:00", "6,W,,1.5,2.50,2026-03-01T10:00:00",
                ],
                into: shop
            )
            #expect(
                outcome.codes == [
                    .quantityPrecision, .documentRejected, .productInactive, .periodClosed, .timeInFuture, .timeInvalid,
                ]
            )
            #expect(outcome.report.applied == 1)
            let changed = try await run(
                ["6,W,,1.5,2.50,2026-03-01T10:00:00", "6,W,,2,2.50,2026-03-01T10:00:00"],
                into: shop
            )
            #expect(changed.codes == [.duplicate])
            #expect(changed.report.unchanged == 1)
        }
    }

    @Test("takes wall-clock times in the tenant's zone and rounds each line half away from zero")
    func zoneAndRounding() async throws {
        try await TestShop.open(timezone: "America/Montevideo") { (shop) async throws in
            let outcome = try await run(
                [
                    "1,W,,0.333,12.25,2026-03-01T23:30:00", "1,W,,0.5,0.01,2026-03-01T23:30:00",
                    "2,W,,1,1,2026-03-02T02:30:00Z",
                ],
                into: shop
            )
            #expect(outcome.rejections == [])
            #expect(
                try await shop.psql(
                    """
                    SELECT string_agg(concat_ws(' ', s.business_day, extract(epoch FROM s.occurred_at)::bigint, s.total), ','
                                      ORDER BY s.number)
                    FROM stock.sale s
                    """
                ) == "2026-03-01 1772418600 4.0900,2026-03-01 1772418600 1.0000"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("that is dry, or stops at a bad row, writes nothing")
    func writesNothing() async throws {
        try await TestShop.open { (shop) async throws in
            let lines = Self.file + ["7,NEW,Thing,1,1,2026-03-01T10:00:00"]
            let dry = try await run(lines, into: shop) {
                $0.isDryRun = true
                $0.createsProducts = true
            }
            #expect(dry.report.applied == 6)
            await #expect(throws: ImportFailure.self) { try await run(lines, into: shop) { $0.onError = .abort } }
            #expect(try await shop.psql("SELECT count(*) FROM stock.sale") == "0")
            #expect(try await shop.psql("SELECT count(*) FROM stock.import_job") == "0")
            #expect(try await shop.psql("SELECT count(*) FROM stock.product") == "4")
        }
    }

    @Test("of a file without a needed column says which")
    func badHeader() async throws {
        try await TestShop.open { (shop) async throws in
            do {
                _ = try await run([], into: shop, header: "sale,sku,quantity")
                Issue.record("a header without prices was taken")
            } catch ImportFailure.mapping(let fault) {
                #expect(fault.description.contains("unit_price"))
            }
        }
    }

    @Test("that is refused behind its first chunk tells what it has written, also if it stops at a bad row")
    func refusedMidway() async throws {
        try await TestShop.open { (shop) async throws in
            // As what is sold meanwhile, of which the second chunk has less than was planned.
            try await shop.psql(
                """
                CREATE FUNCTION public.sold_out() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF EXISTS (SELECT FROM stock.sale s WHERE s.external_id = 'A') THEN
                        PERFORM stock.refuse('insufficient_stock', 'Stock ran out while the file was imported.');
                    END IF;
                    RETURN NULL;
                END $$;
                CREATE TRIGGER sold_out BEFORE INSERT ON stock.sale
                    FOR EACH STATEMENT EXECUTE FUNCTION public.sold_out();
                """
            )
            let lines = ["A,T,T,1,1.00,2026-01-05T10:00:00", "B,T,T,1,1.00,2026-01-05T10:00:00"]
            let interruption = try await #require(throws: ImportInterruption<SalesImport.Report>.self) {
                _ = try await run(lines, into: shop) {
                    $0.createsProducts = true
                    $0.chunkRows = 1
                    $0.onError = .abort
                }
            }
            #expect(interruption.report.applied == 1)
            #expect(interruption.cause is ImportFailure, "\(interruption.cause)")
        }
    }

    @Test("takes history in whatever is on hand, and tells so with figures that add up")
    func history() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let lines = [
                "1,A,,2,2.50,2026-03-01T10:00:00", "2,x,,1,1,2026-03-01T10:00:00", "3,B,,0,1,2026-03-01T10:00:00",
            ]
            let outcome = try await run(lines, into: shop)
            #expect(outcome.codes == [.quantityZero, .skuUnknown])
            #expect(outcome.report.applied == 1)
            #expect(outcome.report.rowsByKind.values.reduce(0, +) == outcome.report.rows - outcome.report.rejectedRows)
            #expect(try await shop.psql("SELECT on_hand FROM stock.stock_level WHERE on_hand <> 0") == "-2.000000")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("records a document whole or not at all, whichever line of it is bad")
    func wholeOrNotAtAll() async throws {
        try await TestShop.open { (shop) async throws in
            let lines = [
                "INV-1,A,,1,5,2026-03-01T10:00:00", "INV-1,B,,1,x,2026-03-01T10:00:00",
                "INV-2,A,,1,1,2026-03-01T10:00:00", "INV-1,W,,1,6,2026-03-01T10:00:00",
            ]
            let outcome = try await run(lines, into: shop)
            #expect(outcome.rejections.map(\.line) == [3, 2, 5])
            #expect(outcome.codes == [.priceInvalid, .documentRejected, .documentRejected])
            #expect(outcome.report.applied == 1)
            // Only what was rejected, corrected.
            let corrected = try await run(
                [lines[0], "INV-1,B,,1,4,2026-03-01T10:00:00", lines[3]],
                into: shop,
                header: Self.header
            )
            #expect(corrected.rejections == [])
            #expect(try await shop.psql("SELECT total FROM stock.sale WHERE external_id = 'INV-1'") == "15.0000")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("pays each sale as the file says, and the others as the import says")
    func methods() async throws {
        try await TestShop.open { (shop) async throws in
            let lines = [
                "1,A,1,2.50,2026-03-01T10:00:00,card,x", "2,A,1,2.50,2026-03-01T10:00:00,,x",
                "3,A,-1,2.50,2026-03-01T10:00:00,cash,x",
            ]
            let outcome = try await run(
                lines,
                into: shop,
                header: "sale,sku,quantity,unit_price,occurred_at,payment_method,Country"
            ) { $0.method = .transfer }
            #expect(outcome.rejections == [])
            #expect(outcome.report.unusedColumns == ["Country"])
            #expect(
                try await shop.psql(
                    "SELECT string_agg(direction || ' ' || method, ',' ORDER BY direction, method) FROM stock.payment"
                ) == "in card,in transfer,out cash"
            )
        }
    }

    @Test("takes the shop's own methods, and leaves out what is paid by one that is archived or not there")
    func ownMethods() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql(
                """
                UPDATE stock.payment_method SET active = false WHERE code = 'card';
                INSERT INTO stock.payment_method (tenant_id, id, code, name, kind)
                VALUES (\(shop.tenant), gen_random_uuid(), 'vale', 'Vale ñ', 'voucher')
                """
            )
            let lines = [
                "1,A,1,2.50,2026-03-01T10:00:00,vale", "2,A,1,2.50,2026-03-01T10:00:00,card",
                "3,A,1,2.50,2026-03-01T10:00:00,shells", "4,A,1,2.50,2026-03-01T10:00:00,",
                "5,NONE,1,2.50,2026-03-01T10:00:00,card", "2,B,1,4,2026-03-01T10:00:00,card",
            ]
            let header = "sale,sku,quantity,unit_price,occurred_at,payment_method"
            for isDryRun in [true, false] {
                let outcome = try await run(lines, into: shop, header: header) { $0.isDryRun = isDryRun }
                #expect(
                    outcome.rejections.map { "\($0.line) \($0.code.rawValue)" } == [
                        "3 value_invalid", "4 value_invalid", "6 sku_unknown", "7 value_invalid",
                    ]
                )
                #expect(outcome.report.applied == 2)
            }
            #expect(
                try await shop.psql("SELECT string_agg(method, ',' ORDER BY method) FROM stock.payment") == "cash,vale"
            )
            // Nothing is written if those of which the file says nothing could not be paid.
            await #expect(throws: ImportFailure.self) {
                _ = try await run(["9,A,1,2.50,2026-03-01T10:00:00,"], into: shop, header: header) { $0.method = .card }
            }
            let again = try await run(lines, into: shop, header: header) { $0.method = .card }
            #expect(again.report.unchanged == 2)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("that is dry says what the run will say")
    func dryAsTheRun() async throws {
        try await TestShop.open(onHand: 1) { (shop) async throws in
            let lines = Self.file + ["7,NEW,Thing,1,1,2026-03-01T10:00:00", "8,NEW,Thing,x,1,2026-03-01T10:00:00"]
            var reports: [SalesImport.Report] = []
            var rejections: [[RowRejection]] = []
            for isDryRun in [true, false] {
                let outcome = try await run(lines, into: shop) {
                    $0.isDryRun = isDryRun
                    $0.createsProducts = true
                    $0.allowsOverselling = false
                }
                reports.append(outcome.report)
                rejections.append(outcome.rejections)
            }
            #expect(rejections[0] == rejections[1])
            #expect(reports[0].applied == reports[1].applied)
            #expect(reports[0].createdProducts == 1)
            #expect(reports[0].createdProducts == reports[1].createdProducts)
            #expect(reports[0].rejected == reports[1].rejected)
        }
    }
}

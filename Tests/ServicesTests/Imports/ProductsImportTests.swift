import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("An import of products")
struct ProductsImportTests {
    /// A file in portions.
    private struct Portions: AsyncSequence, AsyncIteratorProtocol {
        var bytes: ArraySlice<UInt8>

        func makeAsyncIterator() -> Self { self }

        /// What keeps the rest of the file from being read.
        var failure: (any Error)?

        mutating func next() async throws -> [UInt8]? {
            guard !bytes.isEmpty else {
                if let failure { throw failure }
                return nil
            }
            defer { bytes = bytes.dropFirst(1 << 16) }
            return Array(bytes.prefix(1 << 16))
        }
    }

    /// What an import came to.
    private struct Outcome {
        var report: RecordsImport.Report
        var rejections: [RowRejection]
    }

    /// Rows that were refused, also by an import that throws.
    private final class Rejections {
        var rows: [RowRejection] = []
    }

    private static let header = "sku,name,price,unit"

    private func run(
        _ lines: [String],
        into shop: TestShop,
        header: String = Self.header,
        rejected: Rejections = Rejections(),
        failure: (any Error)? = nil,
        _ change: (inout RecordsImport.Options) -> Void = { _ in }
    ) async throws -> Outcome {
        var options = RecordsImport.Options(tenant: shop.tenant, mapping: ImportMapping())
        change(&options)
        let text = ([header] + lines).joined(separator: "\n") + "\n"
        let report = try await RecordsImport(postgres: shop.postgres).run(
            Portions(bytes: Array(text.utf8)[...], failure: failure),
            options: options,
            onReject: { rejected.rows.append($0) },
            onProgress: { _ in }
        )
        return Outcome(report: report, rejections: rejected.rows)
    }

    private func products(_ shop: TestShop) async throws -> String {
        try await shop.psql("SELECT count(*) FROM stock.product WHERE sku LIKE 'N%'")
    }

    private static func rows(_ range: Range<Int>, price: String = "2.50") -> [String] {
        range.map { "N\($0),Thing number \($0),\(price),pc" }
    }

    @Test("makes, changes and leaves alone; the same file again writes nothing")
    func again() async throws {
        try await TestShop.open { (shop) async throws in
            let first = try await run(Self.rows(0..<2_500), into: shop)
            #expect([first.report.created, first.report.rejectedRows] == [2_500, 0])
            let outbox = try await shop.psql("SELECT max(id) FROM stock.cache_outbox")
            let second = try await run(Self.rows(0..<2_500), into: shop)
            #expect([second.report.unchanged, second.report.updated] == [2_500, 0])
            #expect(try await shop.psql("SELECT max(id) FROM stock.cache_outbox") == outbox)
            let third = try await run(Self.rows(0..<10, price: "3"), into: shop)
            #expect(third.report.updated == 10)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("leaves a bad row out with its line, code and field, and takes the others of its batch")
    func badRows() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql("UPDATE stock.product SET external_id = 'e1' WHERE sku = 'A'")
            let lines = [
                "N1,,One,1,", "N2,,,1,", "N3,,Three,,", "N4,,Four,1,\(String(repeating: "9", count: 101))",
                "B,e1,Apple,1,", "N5,,Five,1,4.00638E+12", "N6,,Six,1,12 34", "N1,,Again,1,",
            ]
            let outcome = try await run(lines, into: shop, header: "sku,external_id,name,price,barcodes")
            #expect(outcome.report.created == 2)
            #expect(
                Dictionary(uniqueKeysWithValues: outcome.rejections.map { ($0.line, $0.code) }) == [
                    3: .nameMissing, 4: .priceInvalid, 5: .textTooLong, 6: .duplicate, 7: .valueInvalid, 9: .duplicate,
                ]
            )
            #expect(outcome.rejections.contains { $0.line == 6 && $0.reason == "sku: Another product has this SKU." })
            let codes = try await shop.psql("SELECT string_agg(code, ',' ORDER BY code) FROM stock.product_barcode")
            #expect(codes == "12,34")
        }
    }

    @Test(
        "of 10,000 rows with 3 % bad ones names each bad one once, takes the others, and the corrected ones afterwards"
    )
    func threeInAHundred() async throws {
        try await TestShop.open { (shop) async throws in
            let bad = Set((0..<10_000).filter { $0 % 100 < 3 })
            // No price, a price that is none, no unit that the shop has.
            let faulty = { (n: Int) in
                "N\(n),Thing number \(n),\(["", "a lot", "1"][n % 100]),\(n % 100 == 2 ? "dozen" : "pc")"
            }
            var lines = Self.rows(0..<10_000)
            for n in bad { lines[n] = faulty(n) }
            let first = try await run(lines, into: shop)
            #expect([first.report.created, first.report.rejectedRows] == [9_700, 300])
            #expect(first.rejections.map { Int($0.line) - 2 }.sorted() == bad.sorted())
            #expect(
                Dictionary(grouping: first.rejections, by: \.code).mapValues(\.count)
                    == [.priceInvalid: 200, .unitUnknown: 100]
            )
            let corrected = try await run(bad.sorted().flatMap { Self.rows($0..<$0 + 1) }, into: shop)
            #expect([corrected.report.created, corrected.report.rejectedRows] == [300, 0])
            #expect(try await products(shop) == "10000")
        }
    }

    @Test("that stops at a bad row writes nothing at all, whichever batch the row is in, and names its line")
    func abort() async throws {
        try await TestShop.open { (shop) async throws in
            var lines = Self.rows(0..<1_800)
            lines[1_499] = "N1499,Thing,,pc"
            let rejected = Rejections()
            await #expect(throws: ImportFailure.self) {
                try await run(lines, into: shop, rejected: rejected) { $0.onError = .abort }
            }
            #expect(rejected.rows.map(\.line) == [1_501])
            #expect(try await products(shop) == "0")
            lines[1_499] = "N1499,Thing,1,pc"
            #expect(try await run(lines, into: shop) { $0.onError = .abort }.report.created == 1_800)
            #expect(try await products(shop) == "1800")
        }
    }

    @Test("that is dry is the run, rolled back")
    func dryRun() async throws {
        try await TestShop.open { (shop) async throws in
            let lines = ["N1,One,1,pc", "N2,,1,pc", "N3,Three,1,crate", "N1,Twin,1,pc", "A,Apple,9,"]
            let dry = try await run(lines, into: shop) { $0.isDryRun = true }
            #expect(try await products(shop) == "0")
            let real = try await run(lines, into: shop)
            #expect(dry.rejections.sorted { $0.line < $1.line } == real.rejections.sorted { $0.line < $1.line })
            #expect(dry.report.rejected == real.report.rejected)
            #expect([dry.report.created, dry.report.updated] == [real.report.created, real.report.updated])
            #expect([real.report.created, real.report.updated, real.report.rejectedRows] == [1, 1, 3])
        }
    }

    @Test("knows what an earlier row has named, in whatever batch that was, and tells it in every mode")
    func namedFarApart() async throws {
        try await TestShop.open { (shop) async throws in
            var lines = Self.rows(0..<2_500)
            lines[2_100] = "n3,Another,1,pc"
            lines[2_101] = "N2100,One of its own,1,pc"
            lines[2_102] = "n2100,Its twin,1,pc"
            for change: (inout RecordsImport.Options) -> Void in [{ $0.isDryRun = true }, { $0.onError = .skip }] {
                let outcome = try await run(lines, into: shop, change)
                #expect(outcome.rejections.map(\.line) == [2_102, 2_104])
                #expect(outcome.rejections.allSatisfy { $0.code == .duplicate })
                #expect(outcome.report.created == 2_498)
            }
            let rejected = Rejections()
            await #expect(throws: ImportFailure.self) {
                try await run(lines, into: shop, rejected: rejected) { $0.onError = .abort }
            }
            #expect(rejected.rows.map(\.line) == [2_102, 2_104])
        }
    }

    @Test("that is all or nothing, and broken off, has kept nothing and says so; else what was written stays")
    func brokenOff() async throws {
        struct Unplugged: Error {}
        try await TestShop.open { (shop) async throws in
            for (policy, kept) in [(ImportErrorPolicy.abort, 0), (.skip, 2_000)] {
                let error = await #expect(throws: ImportInterruption<RecordsImport.Report>.self) {
                    try await run(Self.rows(0..<3_500), into: shop, failure: Unplugged()) { $0.onError = policy }
                }
                #expect(error?.report.created == kept)
                #expect(try await products(shop) == "\(kept)")
            }
        }
    }

    @Test("twice at the same time ends well both times")
    func atOnce() async throws {
        try await TestShop.open { (shop) async throws in
            let lines = Self.rows(0..<3_000)
            async let one = run(lines, into: shop)
            async let other = run(lines.reversed(), into: shop)
            let reports = try await [one.report, other.report]
            #expect(reports.map(\.created).reduce(0, +) == 3_000)
            #expect(reports.map(\.unchanged).reduce(0, +) == 3_000)
            #expect(reports.map(\.rejectedRows) == [0, 0])
            #expect(try await products(shop) == "3000")
        }
    }

    @Test("a unit is the one called so letter by letter, and what two are called by is refused")
    func alikeUnits() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.psql(
                """
                INSERT INTO stock.unit (tenant_id, id, name, symbol, decimals)
                SELECT \(shop.tenant), gen_random_uuid(), u.name, u.symbol, 0
                FROM (VALUES ('Quart', 'qq'), ('QQ', 'xx'), ('Pack', 'zz'), ('Box', 'zz')) AS u (name, symbol)
                """
            )
            let outcome = try await run(["N1,a,1,qq", "N2,b,1,QQ", "N3,c,1,zz", "N4,d,1,Qq"], into: shop)
            #expect(outcome.rejections.map(\.line) == [4, 5])
            #expect(outcome.rejections.allSatisfy { $0.code == .unitUnknown })
            let units = try await shop.psql(
                "SELECT p.sku, u.name FROM stock.product p JOIN stock.unit u ON u.id = p.unit_id ORDER BY p.sku"
            )
            #expect(units.contains("N1|Quart") && units.contains("N2|QQ"), "\(units)")
        }
    }

    @Test("leaves the unit of a product alone that nothing but a return names")
    func namedByReturn() async throws {
        try await TestShop.open { (shop) async throws in
            let returned = "sale,sku,quantity,unit_price,occurred_at\nC1,S,-1,10,2026-03-01T10:00:00\n"
            let report = try await SalesImport(postgres: shop.postgres).run(
                Portions(bytes: Array(returned.utf8)[...]),
                options: SalesImport.Options(tenant: shop.tenant, mapping: ImportMapping()),
                onReject: { _ in },
                onProgress: { _ in }
            )
            #expect(report.applied == 1)
            let outcome = try await run(["S,Service,10,kg", "A,Apple,2.5,kg"], into: shop)
            #expect(outcome.rejections.map(\.line) == [2, 3])
            #expect(outcome.rejections.allSatisfy { $0.reason.contains("A document names the product") })
        }
    }

    @Test("writes what products are found by once, with their barcodes, and leaves none waiting beside the index")
    func foundBy() async throws {
        try await TestShop.open { (shop) async throws in
            let lines = (0..<1_000).map { "N\($0),Ñandú number \($0),2.50,pc,40000\($0) 50000\($0)" }
            _ = try await run(lines, into: shop, header: Self.header + ",barcodes")
            // What was added to a row names its tenant again.
            let once = try await shop.psql(
                """
                SELECT count(*), count(*) FILTER (WHERE cardinality(array_positions(s.pairs, hashint8(s.tenant_id))) = 1)
                FROM stock.product_search s JOIN stock.product p ON p.id = s.product_id WHERE p.sku LIKE 'N%'
                """
            )
            #expect(once == "1000|1000")
            let waiting = try await shop.psql("SELECT gin_clean_pending_list('stock.product_search_pairs_idx')")
            #expect(waiting == "0")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("makes what is new by two connections, neither waiting for the other")
    func sideBySide() async throws {
        try await TestShop.open { (shop) async throws in
            try await withDatabase(shop.database.appURL) { (client) async throws in
                try await client.withLease(deadline: shop.context.deadline) { lease in
                    // Whoever makes new products beside is not waited for, unless it is the same one: of the first batch. Those of the
                    // second are there meanwhile.
                    try await lease.begin(tenant: shop.tenant.rawValue)
                    try await lease.execute(
                        script: """
                            SELECT pg_advisory_xact_lock_shared(hashtextextended('stock.products', \(shop.tenant)));
                            INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price)
                            SELECT tenant_id, gen_random_uuid(), 'N5', 'Their own', unit_id, 1
                            FROM stock.product WHERE sku = 'A'
                            """
                    )
                    async let outcome = run(Self.rows(0..<2_000), into: shop)
                    try await eventually("the second batch is there") { try await products(shop) == "1000" }
                    try await lease.commit()
                    let report = try await outcome.report
                    #expect([report.created, report.updated, report.rejectedRows] == [1_999, 1, 0])
                }
            }
            #expect(try await products(shop) == "2000")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("writes batches that name what is there in the order of the file, among those that are new")
    func inOrder() async throws {
        try await TestShop.open { (shop) async throws in
            let header = "external_id,sku,name,price,unit"
            _ = try await run(["E,N9000,Old,1,pc"], into: shop, header: header)
            // A SKU that is given up before is free behind, and one that is taken is not.
            var lines = (0..<3_000).map { ",N\($0),Thing number \($0),2.50,pc" }
            lines[10] = "E,N9001,Renamed,1,pc"
            lines[1_500] = ",N9000,Another,1,pc"
            let outcome = try await run(lines, into: shop, header: header)
            #expect([outcome.report.created, outcome.report.updated, outcome.report.rejectedRows] == [2_999, 1, 0])
            let named = try await shop.psql("SELECT sku, name FROM stock.product WHERE sku LIKE 'N900_' ORDER BY sku")
            #expect(named == "N9000|Another\nN9001|Renamed")
        }
    }

    @Test("tells what both batches have written when too many rows of the first are refused")
    func tooManyOfTheFirst() async throws {
        try await TestShop.open { (shop) async throws in
            let lines = (0..<4_000).map { "N\($0),Thing,2.50,pc,\($0 < 5 ? "0.5" : "1")" }
            let error = await #expect(throws: ImportInterruption<RecordsImport.Report>.self) {
                _ = try await run(lines, into: shop, header: "\(Self.header),min_stock") { $0.maxErrors = 3 }
            }
            let report = try #require(error?.report)
            #expect([report.created, report.rejectedRows] == [1_995, 5])
            #expect(try await products(shop) == "1995")
        }
    }

    @Test("reads what a batch touches and no more, whatever the statistics say", arguments: ["", "ANALYZE;"])
    func readsByKey(statistics: String) async throws {
        try await TestShop.open { (shop) async throws in
            // Plans of the connection are made now, with statistics of nothing or none.
            try await shop.psql("DELETE FROM stock.stock_movement; DELETE FROM stock.product; \(statistics)")
            _ = try await run(Self.rows(0..<6_000), into: shop)
            let read = try await shop.psql(
                """
                SET ROLE stock_app; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;
                BEGIN;
                SELECT set_config('stock.tenant_id', '\(shop.tenant.rawValue)', true);
                SELECT count(*) FROM stock.upsert_products(
                    (SELECT array_agg(gen_random_uuid()) FROM generate_series(1, 100)),
                    (SELECT array_agg('N' || n) FROM generate_series(5951, 6050) n),
                    array_fill(NULL::text, ARRAY[100]), array_fill('Other'::text, ARRAY[100]),
                    array_fill(NULL::uuid, ARRAY[100]), array_fill(NULL::uuid, ARRAY[100]),
                    array_fill(3::numeric, ARRAY[100]), array_fill(NULL::numeric, ARRAY[100]),
                    array_fill(NULL::boolean, ARRAY[100]), array_fill(NULL::text, ARRAY[100]),
                    array_fill(NULL::numeric, ARRAY[100]), array_fill(NULL::text, ARRAY[100]),
                    array_fill('["1","2"]'::text, ARRAY[100]), true);
                SELECT sum(seq_tup_read) + sum(idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname LIKE 'product%';
                ROLLBACK;
                """
            )
            let rows = try #require(read.split(separator: "\n").compactMap { Int($0) }.last)
            // A look-up by key, the row itself, its lock, its answer and three foreign keys: a few reads for each of 100.
            #expect(rows < 2_000, "\(read)")
        }
    }
}

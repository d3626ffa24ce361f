import Domain
import Foundation
import Kernel
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Services

@Suite("A tenant that moves")
struct TenantMoveTests {
    /// A file in portions of so many bytes.
    private struct Portions: AsyncSequence, AsyncIteratorProtocol {
        var rest: ArraySlice<UInt8>
        let size: Int

        init(_ bytes: [UInt8], of size: Int = 1 << 16) {
            rest = bytes[...]
            self.size = size
        }

        func makeAsyncIterator() -> Self { self }

        mutating func next() async -> [UInt8]? {
            guard !rest.isEmpty else { return nil }
            defer { rest = rest.dropFirst(size) }
            return Array(rest.prefix(size))
        }
    }

    /// What takes an export.
    private final class Taken: Sendable {
        private let taken = Mutex<[UInt8]>([])
        var bytes: [UInt8] { taken.withLock { $0 } }

        func take(_ portion: [UInt8]) { taken.withLock { $0 += portion } }
    }

    /// A file taken apart, to be put together again with checksums that are right.
    private struct Parts {
        var head: TenantFile.Head
        /// The tables, their columns, and their rows without what ends each.
        var tables: [(name: String, columns: [String], rows: [String])] = []

        init(_ bytes: [UInt8]) throws {
            var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)[
                ...
            ]
            head = try TenantFile.Head(Array((lines.removeFirst() + "\n").utf8))
            for name in TenantTables.moved {
                let columns = JSON(parsing: Array(lines.removeFirst().utf8))["columns"].elements.compactMap(\.string)
                let rows = lines.prefix { $0 != "\\." }
                tables.append((name, columns, rows.map(String.init)))
                lines = lines.dropFirst(rows.count + 2)
            }
        }

        var bytes: [UInt8] {
            var file = TenantFileWriter()
            var bytes = file.begin(head)
            for table in tables {
                bytes += file.begin(table.name, table.columns)
                let rows = table.rows.flatMap { Array("\($0)\n".utf8) }
                file.take(rows)
                bytes += rows + file.end(rows: table.rows.count)
            }
            return bytes + file.finish()
        }

        /// The rows of a table.
        subscript(_ name: String) -> [String] {
            get { tables.first { $0.name == name }?.rows ?? [] }
            set {
                for index in tables.indices where tables[index].name == name { tables[index].rows = newValue }
            }
        }

        /// Writes another value for a column of a table's first row.
        mutating func set(_ column: String, of table: String, to value: String) throws {
            let columns = try #require(tables.first { $0.name == table }?.columns)
            let place = try #require(columns.firstIndex(of: column), "\(table) has no \(column)")
            let row = try #require(self[table].first, "\(table) has no row")
            var cells = row.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            cells[place] = value
            self[table][0] = cells.joined(separator: "\t")
        }
    }

    private func export(_ database: TestDatabase, tenant: Int64 = 1) async throws -> [UInt8] {
        let taken = Taken()
        _ = try await withDatabase(database.appURL) { client in
            try await TenantExport(postgres: client)
                .run(TenantID(rawValue: tenant), deadline: .now + .seconds(60)) { taken.take($0) }
        }
        return taken.bytes
    }

    private func take(
        _ file: [UInt8],
        into database: TestDatabase,
        _ options: TenantImport.Options = TenantImport.Options(),
        as url: String? = nil
    ) async throws -> TenantImport.Summary {
        try await withDatabase(url ?? database.ownerURL) { client in
            try await TenantImport(postgres: client)
                .run(Portions(file), options: options, deadline: .now + .seconds(120)) { _ in }
        }
    }

    /// A database with another shop and its owner, so that numbers of tenants are others than elsewhere.
    private func elsewhere(_ name: String = #function) async throws -> TestDatabase {
        let database = try await PostgresServer.shared().database(named: name)
        try await database.psql(
            """
            BEGIN;
            SELECT stock.tenant_create('other', 'Öther', 'EUR', 2::smallint, 'Europe/Berlin', gen_random_uuid());
            INSERT INTO stock.app_user (id, email, password_hash) VALUES ('\(Self.somebody)', 'p@example.org', 'y');
            INSERT INTO stock.membership (tenant_id, user_id, role) VALUES (stock.current_tenant(), '\(Self.somebody)', 'owner');
            COMMIT
            """
        )
        return database
    }

    private static let somebody = "00000000-0000-7000-8000-0000000000bb"

    private func violations(_ database: TestDatabase) async throws -> [Violation] {
        try await withDatabase(database.appURL) { client in
            try await Verification(postgres: client).run(deadline: .now + .seconds(120))
        }.filter { !$0.detail.hasPrefix("outbox row") }
    }

    // MARK: What was decided

    @Test("every table of tenants moves or stays for a reason, and what is referred to comes first")
    func tables() async throws {
        let database = try await PostgresServer.shared().database()
        let tables = try await database.psql(
            """
            SELECT c.relname FROM pg_class c
            WHERE c.relnamespace = 'stock'::regnamespace AND c.relkind IN ('r', 'p')
              AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
            """
        ).split(separator: "\n").map(String.init)
        let moved = Set(TenantTables.moved)
        #expect(moved.count == TenantTables.moved.count)
        #expect(moved.isDisjoint(with: TenantTables.left.keys))
        let decided = moved.union(TenantTables.left.keys).subtracting(["tenant", "app_user"])
        #expect(Set(tables).subtracting(decided) == [], "add them to TenantTables: do they move with a tenant?")
        #expect(decided.subtracting(tables) == [], "they are gone")
        let references = try await database.psql(
            """
            SELECT a.relname, b.relname FROM pg_constraint k
            JOIN pg_class a ON a.oid = k.conrelid JOIN pg_class b ON b.oid = k.confrelid
            WHERE k.contype = 'f' AND a.relnamespace = 'stock'::regnamespace AND a.oid <> b.oid
            """
        ).split(separator: "\n")
        for reference in references {
            let names = reference.split(separator: "|").map(String.init)
            guard let from = TenantTables.moved.firstIndex(of: names[0]) else { continue }
            let to = try #require(
                TenantTables.moved.firstIndex(of: names[1]),
                "\(names[0]) names what does not move: \(names[1])"
            )
            #expect(to < from, "\(names[1]) comes before \(names[0])")
        }
        try await database.drop()
    }

    /// Triggers of new rows that run while a tenant is put back, too.
    private static let kept = [
        "event_written": "Events without a number get one.",
        "invitation_sweep": "What has ended goes by itself.",
        "location_kept": "Rows are as a shop may have them.",
        "location_zoned": "As above: the zones of this server.",
        "membership_listed": "A person's list of tenants is this database's.",
        "products_named": "It stands for a foreign key.",
        "register_kept": "As locations.",
        "tax_kept": "As locations.",
        "tenant_reserves": "What it says follows from the row alone.",
        "barcodes_changed": "Searches are by the number of the tenant.",
        "customer_words_changed": "As above.",
        "product_words_changed": "As above.",
    ]

    @Test("while a tenant is put back nothing follows from a row, and every trigger was decided about")
    func triggers() async throws {
        let database = try await PostgresServer.shared().database()
        let functions = try await database.psql(
            """
            SELECT DISTINCT p.proname, p.prosrc ~ 'IF stock\\.is_restoring\\(\\) THEN' FROM pg_trigger t
            JOIN pg_class c ON c.oid = t.tgrelid AND c.relname IN (\(TenantTables.moved.map { "'\($0)'" }.joined(separator: ",")))
            JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE c.relnamespace = 'stock'::regnamespace AND NOT t.tgisinternal AND t.tgtype & 4 <> 0
              AND p.proname !~ '^cache_touch'
            """
        ).split(separator: "\n").map { $0.split(separator: "|").map(String.init) }
        #expect(functions.count > 25)
        for function in functions {
            let isAsked = function[1] == "t"
            #expect(
                isAsked != (Self.kept[function[0]] != nil),
                "\(function[0]): a trigger asks stock.is_restoring() and does nothing then, or stands in the list above"
            )
        }
        #expect(Set(Self.kept.keys).subtracting(functions.map { $0[0] }) == [])
        try await database.drop()
    }

    @Test("the service's role can put nothing back, whatever it says and whoever's function it is in")
    func role() async throws {
        let database = try await elsewhere()
        try await database.psql(
            """
            CREATE FUNCTION public.borrowed() RETURNS boolean LANGUAGE sql SECURITY DEFINER
            AS 'SELECT stock.is_restoring()';
            ALTER FUNCTION public.borrowed() OWNER TO stock_owner
            """
        )
        let asked = "SET stock.restoring = 'on'; SELECT stock.is_restoring(), public.borrowed()"
        #expect(try await database.psql(asked, as: "stock_app") == "f|f")
        #expect(try await database.psql(asked, as: "stock_owner") == "t|t")
        #expect(try await database.psql("SELECT stock.is_restoring()", as: "stock_owner") == "f")
        for call in [
            "move_in('sale')", "moved_in('sale')", "tenant_moved_in('a', 'b')", "people_moved_in()",
            "accounts_moved_in()",
        ] {
            #expect(try await database.refusal(of: "SELECT stock.\(call)", as: "stock_app") == "42501", "\(call)")
        }
        // What a row leads to, it leads to.
        let customer = """
            SET stock.restoring = 'on'; SET stock.tenant_id = '1';
            INSERT INTO stock.customer (tenant_id, id, name) VALUES (1, gen_random_uuid(), 'Zoë');
            SELECT count(*) FROM stock.customer_account
            """
        #expect(try await database.psql(customer, as: "stock_app") == "1")
        let file = try await export(database)
        let options = TenantImport.Options(slug: "again")
        await #expect(throws: TenantImport.Failure.role) {
            try await take(file, into: database, options, as: database.appURL)
        }
        try await database.drop()
    }

    // MARK: There and back

    @Test("a busy shop is elsewhere what it was: the same rows as the same text, and every invariant holds")
    func same() async throws {
        let here = try await VerificationTests().busy()
        let there = try await elsewhere()
        let file = try await export(here)
        let summary = try await take(file, into: there)
        #expect(summary.tenant == TenantID(rawValue: 2) && summary.slug == "shop")
        #expect(summary.accountsMade == 1 && summary.accountsKnown == 0)
        #expect(summary.rows > 200 && summary.tables == TenantTables.moved.count)
        #expect(try await violations(there) == [])
        let (before, after) = (try Parts(file), try Parts(try await export(there, tenant: 2)))
        for (old, new) in zip(before.tables, after.tables) {
            #expect(old.columns == new.columns && old.rows == new.rows, "\(old.name)")
        }
        // Found by their words, whose pairs are the tenant's own.
        let found = "SELECT count(*) FROM stock.product_search s WHERE s.pairs @> stock.search_pairs(2, 'app')"
        #expect(try await there.psql(found) == "1")
        // No password opens the account, and nobody else's tenant is touched.
        #expect(
            try await there.psql("SELECT password_hash, tenant_ids FROM stock.app_user WHERE email = 'o@example.org'")
                == "!|{2}"
        )
        #expect(try await there.psql("SELECT tenant_ids FROM stock.app_user WHERE id = '\(Self.somebody)'") == "{1}")
        for database in [here, there] { try await database.drop() }
    }

    @Test("whoever has an account by the same address keeps it, and is named by it in every row")
    func people() async throws {
        let here = try await VerificationTests().busy()
        let there = try await elsewhere()
        // One has the address, another one the id.
        try await there.psql(
            """
            INSERT INTO stock.app_user (id, email, password_hash, name)
            VALUES ('00000000-0000-7000-8000-0000000000dd', 'O@Example.org', 'hers', 'Ö'),
                   ('\(TestShop.owner)', 'q@example.org', 'z', '')
            """
        )
        let summary = try await take(
            try await export(here),
            into: there,
            TenantImport.Options(slug: "new", name: "Näw")
        )
        #expect(summary.accountsMade == 0 && summary.accountsKnown == 1)
        let account = "SELECT password_hash, name, tenant_ids FROM stock.app_user WHERE email_key = 'o@example.org'"
        #expect(try await there.psql(account) == "hers|Ö|{2}")
        #expect(try await there.psql("SELECT slug, name FROM stock.tenant WHERE id = 2") == "new|Näw")
        let columns = try await there.psql(
            """
            SELECT format('SELECT ''%1$s.%2$s'' FROM stock.%1$I WHERE tenant_id = 2 AND %2$I = ''\(TestShop.owner)''', c.relname, a.attname)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.atttypid = 'uuid'::regtype
            WHERE c.relnamespace = 'stock'::regnamespace AND c.relkind = 'r' AND c.relname <> 'session'
              AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
            """
        ).split(separator: "\n").joined(separator: " UNION ALL ")
        #expect(try await there.psql(columns) == "")
        #expect(try await there.psql("SELECT user_id FROM stock.approval LIMIT 1").hasSuffix("dd"))
        #expect(try await violations(there) == [])
        for database in [here, there] { try await database.drop() }
    }

    @Test("a trial keeps nothing, and a slug that is taken is refused until another one is given")
    func again() async throws {
        let database = try await elsewhere()
        let file = try await export(database)
        let trial = try await take(file, into: database, TenantImport.Options(slug: "twin", isDryRun: true))
        #expect(trial.slug == "twin")
        #expect(try await database.psql("SELECT count(*) FROM stock.tenant") == "1")
        await #expect(throws: TenantImport.Failure.refused("A tenant with this slug exists.")) {
            try await take(file, into: database)
        }
        for slug in ["twin", "third"] {
            let summary = try await take(file, into: database, TenantImport.Options(slug: slug))
            #expect(summary.accountsKnown == 1)
        }
        #expect(try await database.psql("SELECT count(*) FROM stock.membership WHERE role = 'owner'") == "3")
        #expect(try await violations(database) == [])
        try await database.drop()
    }

    /// What came of files that were imported.
    private struct Imported: Equatable {
        /// Rows made and rows that were there already, of each file.
        var counts: [[Int]] = []
        /// The import of sales, as it is gone on with.
        var job: ImportID?
    }

    /// Imports files of a sale on somebody's account, of what was paid for it, and of an expense.
    private func importFiles(into database: TestDatabase, tenant: Int64) async throws -> Imported {
        let id = TenantID(rawValue: tenant)
        func bytes(_ lines: String...) -> Portions { Portions(Array((lines.joined(separator: "\n") + "\n").utf8)) }
        return try await withDatabase(database.appURL) { client in
            var imported = Imported()
            let sales = try await SalesImport(postgres: client).run(
                bytes(
                    "sale,sku,quantity,unit_price,occurred_at,payment_method,paid,customer",
                    "Ä1,A,2,2.50,2026-03-01T10:00:00Z,cash,0,Ada"
                ),
                options: SalesImport.Options(tenant: id, mapping: ImportMapping()),
                onReject: { Issue.record("sales, line \($0.line): \($0.reason)") },
                onProgress: { _ in }
            )
            imported.counts.append([sales.applied, sales.unchanged])
            imported.job = sales.job
            for (kind, file) in [
                (
                    RecordsImport.Kind.payments,
                    bytes(
                        "external_id,occurred_at,sale,customer,amount,method",
                        "№1,2026-03-04T09:00:00Z,Ä1,,1.00,card",
                        "2,2026-03-05T09:00:00Z,,Ada,1.00,cash"
                    )
                ),
                (
                    .expenses,
                    bytes(
                        "external_id,occurred_at,category,amount,method",
                        "№1,2026-03-06T09:00:00Z,Miete & Öl,7.00,cash"
                    )
                ),
            ] {
                let records = try await RecordsImport(postgres: client).run(
                    file,
                    options: RecordsImport.Options(kind: kind, tenant: id, mapping: ImportMapping()),
                    onReject: { Issue.record("\(kind), line \($0.line): \($0.reason)") },
                    onProgress: { _ in }
                )
                imported.counts.append([records.created, records.unchanged])
            }
            return imported
        }
    }

    @Test("files that it had imported and that are given again where it has moved to bring nothing twice")
    func files() async throws {
        let here = try await TestShop.open("files_of_who_moves") { (shop) async throws in shop.database }
        let there = try await elsewhere()
        let first = try await importFiles(into: here, tenant: 1)
        #expect(first.counts == [[1, 0], [2, 0], [1, 0]])
        let again = Imported(counts: [[0, 1], [0, 2], [0, 1]], job: first.job)
        #expect(try await importFiles(into: here, tenant: 1) == again)
        let moved = try await take(try await export(here), into: there)
        #expect(moved.tenant == TenantID(rawValue: 2))
        #expect(try await importFiles(into: there, tenant: 2) == again)
        // As where it moves on to, be it beside whoever has the number that it had.
        let onwards = try await export(there, tenant: 2)
        let back = try await take(onwards, into: here, TenantImport.Options(slug: "back"))
        #expect(back.tenant == TenantID(rawValue: 2))
        #expect(try await importFiles(into: here, tenant: 2) == again)
        #expect(try await importFiles(into: here, tenant: 1) == again)
        let seeds = "SELECT slug, coalesce(import_seed::text, 'its own') FROM stock.tenant ORDER BY id"
        #expect(try await there.psql(seeds) == "other|its own\nshop|1")
        #expect(try await here.psql(seeds) == "shop|its own\nback|1")
        let money = "SELECT tenant_id, count(*), sum(amount) FROM stock.ledger_entry GROUP BY 1 ORDER BY 1"
        #expect(try await here.psql(money) == "1|3|9.0000\n2|3|9.0000")
        for database in [here, there] {
            #expect(try await violations(database) == [])
            try await database.drop()
        }
    }

    // MARK: Files of anybody

    @Test("a file of another schema, cut off, damaged or made up is refused, and nothing of it is kept")
    func hostile() async throws {
        let here = try await VerificationTests().busy()
        let there = try await elsewhere()
        let file = try await export(here)
        func refused(_ bytes: [UInt8], _ what: String) async throws {
            do {
                _ = try await take(bytes, into: there)
                Issue.record("\(what) is taken")
            } catch let failure as TenantImport.Failure {
                if failure == .role { Issue.record("\(what): \(failure)") }
            } catch {
                Issue.record("\(what): \(error)")
            }
            #expect(try await there.psql("SELECT count(*) FROM stock.tenant") == "1", "\(what)")
        }
        for count in [0, 1, 40, file.count / 3, file.count / 2, file.count - 1] {
            try await refused(Array(file.prefix(count)), "the first \(count) bytes")
        }
        try await refused(file + file, "the file twice")
        try await refused(file + [0x0A], "a line behind the end")
        for place in [2, 30, file.count / 4, file.count / 2, file.count - 5] {
            var damaged = file
            damaged[place] ^= 1
            try await refused(damaged, "another byte at \(place)")
        }
        func changed(_ what: String, _ change: (inout Parts) throws -> Void) async throws {
            var parts = try Parts(file)
            try change(&parts)
            try await refused(parts.bytes, what)
        }
        try await changed("another schema") { $0.head.schema += 1 }
        try await changed("no slug") { $0.head.slug = "" }
        try await changed("a number as slug") { $0.head.slug = "17" }
        try await changed("a long name") { $0.head.name = String(repeating: "é", count: 300) }
        try await changed("no tenant") { $0["tenant"] = [] }
        try await changed("two tenants") { $0["tenant"] += $0["tenant"] }
        try await changed("tables in another order") { $0.tables.swapAt(10, 11) }
        try await changed("a table less") { $0.tables.removeLast() }
        try await changed("a table of the database's own") {
            $0.tables[5] = ("pg_authid", ["rolname", "rolsuper"], ["stock_app\tt"])
        }
        try await changed("a column that is none") { $0.tables[20].columns[0] = "id) SELECT pg_sleep(9); --" }
        try await changed("whose rows they are") { $0.tables[20].columns[0] = "tenant_id" }
        try await changed("a column too many") { $0["sale"][0] += "\t1" }
        try await changed("no number") { try $0.set("total", of: "sale", to: "1; DROP TABLE stock.sale") }
        try await changed("no id") { try $0.set("id", of: "sale", to: "x") }
        try await changed("a status of its own") { try $0.set("status", of: "sale", to: "free") }
        try await changed("what must be there") { try $0.set("total", of: "sale", to: "\\N") }
        try await changed("a product that is none") { try $0.set("product_id", of: "sale_line", to: Self.somebody) }
        try await changed("a sale that is none") { try $0.set("sale_id", of: "sale_line", to: Self.somebody) }
        try await changed("a row twice") { $0["payment"].append($0["payment"][0]) }
        try await changed("a sum that does not add up") { try $0.set("on_hand", of: "stock_level", to: "7.000000") }
        try await changed("money out of nothing") { $0["ledger_entry"].removeLast() }
        try await changed("nobody who owns it") { $0["membership"] = [] }
        try await changed("somebody else as its owner") {
            try $0.set("user_id", of: "membership", to: Self.somebody.replacing("bb", with: "99"))
        }
        try await changed("a person twice") { $0["app_user"] += $0["app_user"] }
        try await changed("a line within a row") { $0["audit_log"].append("\rx\t\r") }
        try await changed("bytes that are no text") { try $0.set("name", of: "customer", to: "\\xFF") }
        try await changed("a zone that is none") { try $0.set("timezone", of: "tenant", to: "Mars/Base") }
        try await refused(
            Array("{\"format\":\"stock-tenant\"".utf8) + Array(repeating: 0x20, count: 1 << 20),
            "a long line"
        )
        try await refused(Array(repeating: 0x7B, count: 1 << 20), "nothing but braces")
        for database in [here, there] { try await database.drop() }
    }

    @Test("a row of any length is read in portions of any size, and one that never ends is given up")
    func reader() async throws {
        let rows = ["", "\\N", "\\.x", "a\\nb", "\\\\.", String(repeating: "ü", count: 40), "\\", "."]
        var file = TenantFileWriter()
        var bytes = file.begin("sale", ["id"])
        let text = rows.flatMap { Array("\($0)\n".utf8) }
        file.take(text)
        bytes += text + file.end(rows: rows.count) + file.begin("none", []) + file.end(rows: 0) + file.finish()
        for size in [1, 2, 3, 5, 7, 64, 1 << 16] {
            let reader = TenantFileReader(Portions(bytes, of: size))
            #expect(try await reader.line() == TenantFile.opening("sale", ["id"]), "\(size)")
            reader.beginRows()
            var taken: [UInt8] = []
            for try await portion in TenantRows(reader: reader, onProgress: { _ in }) { taken += portion }
            #expect(taken == text && reader.rows == rows.count, "\(size)")
            #expect(try await reader.line() == TenantFile.closing(rows: rows.count, reader.rowsDigest), "\(size)")
            #expect(try await reader.line() == TenantFile.opening("none", []), "\(size)")
            reader.beginRows()
            for try await portion in TenantRows(reader: reader, onProgress: { _ in }) { Issue.record("\(portion)") }
            #expect(try await reader.line() == TenantFile.closing(rows: 0, reader.rowsDigest), "\(size)")
            let digest = reader.digest
            #expect(try await reader.line() == TenantFile.ending(tables: 2, rows: rows.count, digest), "\(size)")
            #expect(try await reader.isAtEnd(), "\(size)")
        }
        let endless = TenantFileReader(Portions(Array(repeating: 0x61, count: TenantFile.longestRow + 1)))
        endless.beginRows()
        await #expect(throws: TenantFileFault("a row of it is too long to be one of ours")) {
            for try await _ in TenantRows(reader: endless, onProgress: { _ in }) {}
        }
    }
}

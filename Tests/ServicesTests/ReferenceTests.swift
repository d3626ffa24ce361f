import Kernel
import Laboratory
import Postgres
import TestSupport
import Testing

@testable import Services

/// Lines and movements name products that are there, as foreign keys would see to, whoever writes.
@Suite("References held by sets")
struct ReferenceTests {
    /// What names products without a foreign key: a row that names one, as SQL.
    private static let namers = [
        "sale_line": """
        INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, name, unit, quantity, unit_price,
                                     tax_rate, tax, total, unit_cost)
        SELECT 1, gen_random_uuid(), (SELECT id FROM stock.sale LIMIT 1), 7, PRODUCT, 'x', 'pc', 1, 1, 0, 0, 1, 0
        """,
        "stock_movement": """
        INSERT INTO stock.stock_movement (tenant_id, id, product_id, seq, kind, quantity, on_hand_after, unit_cost,
                                          occurred_at, business_day)
        SELECT 1, gen_random_uuid(), PRODUCT, 77, 'loss', -1, 0, 0, now(), '2026-01-01'
        """,
    ]

    private static let tables = namers.keys.sorted()

    /// A product that nothing names, and what makes one.
    private static let product = "00000000-0000-7000-8000-0000000000aa"
    private static let make = """
        INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price)
        SELECT 1, '\(product)', 'N', 'New', unit_id, 1 FROM stock.product WHERE sku = 'A'
        """
    private static let delete = "DELETE FROM stock.product WHERE id = '\(product)'"

    private static func insert(_ table: String, _ product: String = "'\(product)'") -> String {
        namers[table, default: ""].replacing("PRODUCT", with: product)
    }

    /// A shop that has sold, so that there is a sale to write lines of.
    private func open(_ name: String, _ body: (TestShop) async throws -> Void) async throws {
        try await TestShop.open(name) { (shop) async throws in
            try await shop.sell(try shop.request([("S", "1")], paid: [try cash("10.00")]))
            try await shop.psql(Self.make)
            try await body(shop)
        }
    }

    /// What a script in a session of the service comes to, as SQLSTATE, or nil.
    private func refusal(_ lease: Lease, _ script: String) async -> SQLState? {
        do {
            try await lease.execute(script: script)
            return nil
        } catch {
            return error.sqlState
        }
    }

    private func withSession(_ shop: TestShop, _ body: (Lease) async throws -> Void) async throws {
        try await withDatabase(shop.database.appURL) { (client) async throws in
            try await client.withLease(deadline: shop.context.deadline) { lease in
                try await lease.execute(
                    script: "SET lock_timeout = 0; SELECT set_config('stock.tenant_id', '1', false)"
                )
                try await body(lease)
            }
        }
    }

    private func someoneWaits(_ shop: TestShop) async throws {
        try await eventually("a session waits for another's lock") {
            try await shop.psql(
                """
                SELECT count(*) > 0 FROM pg_stat_activity
                WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
                """
            ) == "t"
        }
    }

    @Test("every reference to a product is a foreign key, or held by triggers on both sides that are on")
    func catalog() async throws {
        let database = try await PostgresServer.shared().database(named: "references_of_catalog")
        let unheld = try await database.psql(
            """
            WITH namer AS (
                SELECT a.attrelid AS id, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                WHERE c.relnamespace = 'stock'::regnamespace AND c.relkind = 'r' AND a.attname = 'product_id'
                  AND NOT EXISTS (
                      SELECT FROM pg_constraint k
                      WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid = 'stock.product'::regclass
                        AND a.attnum = ANY (k.conkey))
            ), needed AS (
                SELECT n.id AS relation, v.name FROM namer n, (VALUES ('product_named'), ('product_kept')) AS v (name)
                UNION ALL
                SELECT 'stock.product'::regclass, v.name
                FROM (VALUES ('product_unnamed'), ('product_kept'), ('product_truncated')) AS v (name)
            )
            SELECT n.relation::regclass || ' ' || n.name FROM needed n
            WHERE NOT EXISTS (SELECT FROM pg_trigger g
                              WHERE g.tgrelid = n.relation AND g.tgname = n.name AND g.tgenabled IN ('O', 'A'))
               -- Whoever deletes a product asks every table that names it.
               OR n.name = 'product_named' AND pg_get_functiondef('stock.products_unnamed'::regproc)
                      !~ ('FROM ' || n.relation::regclass || ' ')
            UNION ALL
            SELECT 'names of products: ' || string_agg(n.id::regclass::text, ', ' ORDER BY n.id::regclass::text) FROM namer n
            """
        )
        #expect(unheld == "names of products: stock.sale_line, stock.stock_movement")
        try await database.drop()
    }

    @Test("a row that names no product is refused, with the good rows of its statement", arguments: Self.tables)
    func missing(table: String) async throws {
        try await open("references_of_missing_\(table)") { shop in
            let before = try await shop.psql("SELECT count(*) FROM stock.\(table)")
            try await withSession(shop) { lease in
                let both =
                    Self.insert(table, "v.id").replacing(" 77,", with: " v.place,").replacing(" 7,", with: " v.place,")
                    + " FROM (VALUES ('\(Self.product)'::uuid, 7), (gen_random_uuid(), 8)) AS v (id, place)"
                #expect(await refusal(lease, both) == .foreignKeyViolation)
                #expect(await refusal(lease, Self.insert(table)) == nil)
            }
            #expect(try await shop.psql("SELECT count(*) - \(before) FROM stock.\(table)") == "1")
        }
    }

    @Test("a product that is named is neither deleted nor truncated, and no key of it changes", arguments: Self.tables)
    func named(table: String) async throws {
        try await open("references_of_named_\(table)") { shop in
            try await shop.psql(Self.insert(table))
            let (stillNamed, unsupported) = ("23503", "0A000")
            for (script, code) in [
                (Self.delete, stillNamed),
                ("DELETE FROM stock.product WHERE sku IN ('N', 'A')", stillNamed),
                ("UPDATE stock.product SET id = gen_random_uuid() WHERE id = '\(Self.product)'", stillNamed),
                (
                    "UPDATE stock.\(table) SET product_id = gen_random_uuid() WHERE product_id = '\(Self.product)'",
                    stillNamed
                ),
                ("TRUNCATE stock.product CASCADE", unsupported),
            ] {
                #expect(try await shop.database.refusal(of: script) == code, "\(script)")
            }
            #expect(
                try await shop.psql("SELECT count(*) FROM stock.product WHERE id = '\(Self.product)'") == "1"
            )
            // What is no key changes, what is named no more goes.
            try await shop.psql("UPDATE stock.product SET name = 'Newer' WHERE id = '\(Self.product)'")
            try await shop.psql(
                "SET session_replication_role = replica; DELETE FROM stock.\(table) WHERE product_id = '\(Self.product)'"
            )
            try await shop.psql(Self.delete)
        }
    }

    @Test("who deletes a product waits for who names it, and is refused", arguments: Self.tables)
    func deletionWaits(table: String) async throws {
        try await open("references_of_deletion_\(table)") { shop in
            try await withSession(shop) { lease in
                try await lease.execute(script: "BEGIN; \(Self.insert(table))")
                async let deletion = shop.database.refusal(of: Self.delete)
                try await someoneWaits(shop)
                try await lease.execute(script: "COMMIT")
                let code = try await deletion
                #expect(code == "23503")
            }
            #expect(try await shop.psql("SELECT count(*) FROM stock.product WHERE id = '\(Self.product)'") == "1")
        }
    }

    @Test("who names a product waits for who deletes it, and is refused", arguments: Self.tables)
    func namingWaits(table: String) async throws {
        try await open("references_of_naming_\(table)") { shop in
            try await withSession(shop) { lease in
                try await lease.execute(script: "BEGIN; \(Self.delete)")
                async let naming = shop.database.refusal(of: Self.insert(table))
                try await someoneWaits(shop)
                try await lease.execute(script: "COMMIT")
                let code = try await naming
                #expect(code == "23503")
            }
            #expect(
                try await shop.psql("SELECT count(*) FROM stock.\(table) WHERE product_id = '\(Self.product)'") == "0"
            )
        }
    }

    @Test("who has an old snapshot deletes no product, as it could not see who names it", arguments: Self.tables)
    func oldSnapshot(table: String) async throws {
        try await open("references_of_snapshot_\(table)") { shop in
            try await withSession(shop) { lease in
                try await lease.execute(
                    script: "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM stock.product"
                )
                try await shop.psql(Self.insert(table))
                #expect(await refusal(lease, Self.delete) == "0A000")
                try await lease.rollback()
            }
            #expect(try await shop.psql("SELECT count(*) FROM stock.product WHERE id = '\(Self.product)'") == "1")
        }
    }
}

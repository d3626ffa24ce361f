import Foundation
import TestSupport
import Testing

/// Every statement of the product is run, with the plans of all that its functions and triggers run, and the foreign keys.
@Suite("Plans", .serialized)
struct PlanTests {
    @Test("every statement of the sources can be read")
    func sources() throws {
        let statements = try SourceStatements.read()
        #expect(statements.unread == [])
        #expect(statements.all.count > 100)
        let names = statements.all.map(\.name)
        #expect(Set(names).count == names.count, "two statements have one name")
    }

    @Test("a statement of a record's own is run with one that is there")
    func owned() throws {
        let listed = [
            SourceStatement(
                name: "prices.price_list.insert",
                sql: "INSERT INTO stock.price_list (tenant_id, id, name) VALUES (stock.current_tenant(), $1, $2)",
                types: ["uuid", "text"]
            ),
            SourceStatement(name: "prices.price_list.guard", sql: "", types: ["uuid", "bigint[]"]),
        ]
        let types = ["uuid", "uuid[]", "numeric[]"]
        let compose = SourceStatement(name: "prices.price_list.compose", sql: "", types: types)
        let examples = Examples(tenant: 1, listed)
        let example = examples.example(of: compose)
        let one = try #require(examples.example(of: listed[1]).runs.first?.split(separator: ",").first)
        #expect(example.before.contains(one) && example.before.contains("stock.price_list"))
        #expect(example.runs.count == 1 && example.runs[0].hasPrefix("\(one), ARRAY["))
        let other = SourceStatement(name: "prices.compose", sql: "", types: types)
        #expect(examples.example(of: other).before == "")
    }

    @Test("an index that begins with the tenant serves only statements that name its second column")
    func indexes() async throws {
        let database = try await PostgresServer.shared().database(named: "plans_of_indexes")
        let offending = try await database.psql(
            """
            SELECT i.indexrelid::regclass FROM pg_index i
            JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'stock'::regnamespace
            JOIN pg_attribute first ON first.attrelid = i.indrelid AND first.attnum = i.indkey[0]
            LEFT JOIN pg_attribute second ON second.attrelid = i.indrelid AND second.attnum = i.indkey[1]
            WHERE first.attname = 'tenant_id' AND NOT i.indisprimary AND i.indpred IS NULL
              -- What a foreign key leads to is never partial.
              AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.conindid = i.indexrelid)
            """
        )
        #expect(offending == "", "make it partial: WHERE its second column IS NOT NULL")
        try await database.drop()
    }

    @Test("a key is looked up in its own index, also by a plan that was made when the table was empty")
    func keys() async throws {
        let database = try await PostgresServer.shared().database(named: "plans_of_keys")
        // The other index has the key's columns, does not begin with them, and is partial by what a look-up asks for, if at all.
        let offending = try await database.psql(
            """
            WITH x AS (
                SELECT i.indrelid, i.indexrelid::regclass AS name, i.indisunique, pg_get_expr(i.indpred, i.indrelid) AS condition,
                       (string_to_array(i.indkey::text, ' ')::smallint[])[1:i.indnkeyatts] AS columns
                FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'stock'::regnamespace
            )
            SELECT DISTINCT other.name
            FROM x key JOIN x other USING (indrelid)
            WHERE key.indisunique AND key.name <> other.name
              AND other.columns @> key.columns AND NOT other.columns[:cardinality(key.columns)] @> key.columns
              AND (other.condition IS NULL
                   OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = indrelid AND a.attnum = ANY (key.columns)
                                                           AND other.condition = format('(%I IS NOT NULL)', a.attname)))
            """
        )
        #expect(offending == "", "make it partial, by what no look-up by the key asks for")
        try await database.drop()
    }

    @Test("no statistics are kept of how many rows a tenant has")
    func statistics() async throws {
        let database = try await PostgresServer.shared().database(named: "plans_of_statistics")
        let offending = try await database.psql(
            """
            SELECT c.oid::regclass FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attstattarget <> 0
            WHERE c.relnamespace = 'stock'::regnamespace AND c.relkind = 'r'
            """
        )
        #expect(offending == "", "ALTER TABLE ... ALTER COLUMN tenant_id SET STATISTICS 0")
        try await database.drop()
    }

    @Test("no plan reads much more than it is asked for, whatever the statistics are", .timeLimit(.minutes(30)))
    func plans() async throws {
        let statements = try SourceStatements.read().all
        let server = try await PostgresServer.start(
            settings: [
                "autovacuum": "off", "session_preload_libraries": "auto_explain", "shared_buffers": "256MB",
                "auto_explain.log_min_duration": "0", "auto_explain.log_analyze": "on",
                "auto_explain.log_timing": "off", "auto_explain.log_nested_statements": "on",
                "auto_explain.log_format": "json", "auto_explain.log_level": "info",
            ]
        )
        do {
            // One shop of a few thousand products, in tables that were analysed while they were empty.
            let small = try await server.database(named: "analysed_empty")
            try await small.psql("GRANT SET ON PARAMETER auto_explain.log_min_duration TO stock_app; ANALYZE")
            try await small.fill(Shops(tenants: 1, large: 1, products: 3_000, sales: 3_000))
            try await examine(statements, small, tenant: 1, "analysed while empty")
            try await small.drop()

            let large = try await server.database(named: "never_analysed")
            try await large.fill(Shops(tenants: 1_000, large: 500, products: 50_050, sales: 100_100))
            try await examine(statements, large, tenant: 500, "never analysed")
            try await large.psql("SET auto_explain.log_min_duration = -1; ANALYZE")
            try await examine(statements, large, tenant: 500, "analysed")
        } catch {
            await server.remove()
            throw error
        }
        await server.remove()
    }

    private func examine(
        _ statements: [SourceStatement],
        _ database: TestDatabase,
        tenant: Int,
        _ state: String
    ) async throws {
        let examples = Examples(tenant: tenant, statements)
        let examined = statements.filter { statement in
            !PlanException.unexamined.contains { (name, _) in
                name.hasSuffix("*") ? statement.name.hasPrefix(name.dropLast()) : statement.name == name
            }
        }
        var script = "SET client_min_messages = notice;\n"
        for statement in examined {
            let example = examples.example(of: statement)
            for run in example.runs {
                script += """
                    \\warn @@\(statement.name)
                    BEGIN;
                    SELECT set_config('stock.tenant_id', '\(tenant)', true);
                    \(example.before.isEmpty ? "" : Self.untold(example.before))
                    PREPARE examined\(statement.types.isEmpty ? "" : "(\(statement.types.joined(separator: ", ")))") AS
                    \(statement.sql);
                    \\warn @!
                    EXECUTE examined\(statement.types.isEmpty ? "" : "(\(run))");
                    SET CONSTRAINTS ALL IMMEDIATE;
                    ROLLBACK;
                    DEALLOCATE ALL;

                    """
            }
        }
        let tables = try await database.psql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'stock'::regnamespace AND relkind = 'r'"
        )
        let growing = Set(tables.split(separator: "\n").map(String.init)).subtracting(PlanException.small)
        let told = try await Self.run(script, on: database)
        var faults: Set<PlanFault> = []
        var count = 0
        for block in told.components(separatedBy: "@@").dropFirst() {
            let parts = block.components(separatedBy: "@!\n")
            let name = String(block.prefix { $0 != "\n" })
            for error in block.split(separator: "\n").filter({ $0.contains("ERROR:") }) {
                Issue.record("\(state): \(name) needs another example in Examples.swift: \(error)")
            }
            guard parts.count == 2 else { continue }
            let plans = try Self.plans(in: parts[1])
            #expect(!plans.isEmpty, "\(state): \(name) tells no plan")
            count += plans.count
            faults.formUnion(PlanFault.faults(of: name, plans, growing: growing))
        }
        #expect(count > examined.count, "the plans of functions are missing")
        for fault in faults.sorted(by: { ($0.statement, $0.detail) < ($1.statement, $1.detail) })
        where !PlanException.all.contains(where: { $0.covers(fault) }) {
            Issue.record("\(state): \(fault.statement): \(fault.rule.rawValue) of \(fault.relation): \(fault.detail)")
        }
    }

    /// Statements whose plans are not told: what an example stands on is not what is examined, and many times as much.
    private static func untold(_ statements: String) -> String {
        """
        SET LOCAL auto_explain.log_min_duration = -1;
        \(statements);
        SET LOCAL auto_explain.log_min_duration = 0;
        """
    }

    /// Runs a script as the service's role; what psql says on standard error.
    private static func run(_ script: String, on database: TestDatabase) async throws -> String {
        let file = try ScratchFolder.make("plans") + "/statements.sql"
        try script.write(toFile: file, atomically: false, encoding: .utf8)
        let psql = try ChildProcess.spawn(
            PostgresBinaries.path(of: "psql"),
            ["-X", "-q", "-A", "-t", "-o", "/dev/null", "-d", database.appURL, "-f", file],
            environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"],
            keepsErrorsApart: true
        )
        let status = try await psql.waitForExit(within: .seconds(300))
        try await eventually("the output of psql ends") { psql.errors.isClosed }
        #expect(status == .exited(0), "\(psql.errors.text.suffix(1_000))")
        return psql.errors.text + "\n"
    }

    private static func plans(in text: String) throws -> [Plan] {
        var plans: [Plan] = []
        for part in text.components(separatedBy: "plan:\n{\n").dropFirst() {
            guard let end = part.range(of: "\n}\n") else { continue }
            plans.append(try JSONDecoder().decode(Plan.self, from: Data(("{" + part[..<end.lowerBound] + "}").utf8)))
        }
        return plans
    }
}

import Foundation
import TestSupport
import Testing

/// What is written in PL/pgSQL is compiled when it is reached, so that a refusal hardly anyone meets may be one that fails.
@Suite("Functions in the database")
struct FunctionTests {
    @Test("every statement of every function names what is there, reached or not")
    func named() async throws {
        let database = try await PostgresServer.shared().database(named: "plans_of_functions")
        guard
            try await database.psql("SELECT count(*) FROM pg_available_extensions WHERE name = 'plpgsql_check'") == "1"
        else {
            print("SKIPPED: plpgsql_check is not installed, so functions were not read by it")
            return
        }
        try await database.psql("CREATE EXTENSION plpgsql_check")
        #expect(try await faults(database) == "")

        // A word that ends an expression is no name of a field, which nobody sees before the branch is reached.
        try await database.psql(
            """
            CREATE FUNCTION stock.wrong() RETURNS text LANGUAGE plpgsql AS $$
            DECLARE v record;
            BEGIN
                IF false THEN
                    SELECT 1 AS by INTO v;
                    RETURN v.by;
                END IF;
                RETURN '';
            END
            $$
            """
        )
        #expect(try await faults(database).contains("stock.wrong()|42703"))
        try await database.drop()
    }

    /// What nothing of this binary calls.
    private static let uncalled: Set<String> = [
        // Called by migrations.
        "secure_table", "watch_table", "audit_table", "trimmed", "amend",
    ]

    /// What writes which of the books: statements as functions begin them, and the functions that have them.
    private static let writers = [
        "UPDATE stock.stock_level l SET on_hand": ["move_stock"],
        "INSERT INTO stock.stock_movement": ["move_stock"],
        "INSERT INTO stock.payment": ["post_money"],
        "UPDATE stock.payment p": ["reverse_money"],
        "INSERT INTO stock.payment_allocation": ["post_money"],
        "INSERT INTO stock.ledger_entry": ["post_entries", "post_money", "reverse_money"],
        "INSERT INTO stock.purchase_allocation": ["purchase_pay"],
        "UPDATE stock.document_counter": ["document_number"],
    ]

    @Test("every function is called, by a statement, a trigger, a table or another that is")
    func called() async throws {
        let database = try await PostgresServer.shared().database(named: "plans_of_calls")
        let functions = try await Self.functions(database)
        let idle = Set(functions.filter { !$0.isCalled }.map(\.name))
        #expect(idle.subtracting(Self.uncalled).sorted() == [], "drop them, a release after the last that calls them")
        #expect(Self.uncalled.subtracting(idle).sorted() == [], "they are called, or gone")
        try await database.drop()
    }

    @Test("what names a party is a part of the statement that asks, and no call for each row")
    func partiesAreNamedInStatements() async throws {
        let database = try await PostgresServer.shared().database(named: "plans_of_parties")
        for party in ["customer", "supplier"] {
            let asked = """
                SET stock.tenant_id = '1';
                EXPLAIN SELECT (SELECT o.name FROM stock.\(party)_named(p.id) AS o (name)) FROM stock.\(party) p
                """
            let plan = try await database.psql(asked, as: "stock_app")
            #expect(!plan.contains("Function Scan"), "\(plan)")
            for index in ["name", "external_id"] { #expect(plan.contains("\(party)_\(index)_idx"), "\(plan)") }
        }
        try await database.drop()
    }

    @Test("the books have one writer each")
    func writers() async throws {
        let database = try await PostgresServer.shared().database(named: "plans_of_books")
        let functions = try await Self.functions(database).filter(\.isCalled)
        for (beginning, writers) in Self.writers {
            let words = beginning.split(separator: " ").map { NSRegularExpression.escapedPattern(for: String($0)) }
            let statement = try Regex(words.joined(separator: "\\s+") + "\\b")
            #expect(functions.filter { $0.body.contains(statement) }.map(\.name).sorted() == writers, "\(beginning)")
        }
        try await database.drop()
    }

    @Test("what is summed up by whoever asks is not summed up before")
    func summedOnce() async throws {
        let database = try await PostgresServer.shared().database(named: "plans_of_sums")
        let sums = try #require(try await Self.functions(database).first { $0.name == "day_sums" })
        #expect(!sums.body.contains("GROUP BY") && sums.isCalled)
        try await database.drop()
    }

    /// A function of the schema.
    private struct Function {
        let name: String
        let body: String
        /// Whether something of this binary, or of the tables, comes to it.
        let isCalled: Bool
    }

    private static func functions(_ database: TestDatabase) async throws -> [Function] {
        let text = try SourceStatements.text()
        let named = Set(text.matches(of: /\bstock\.(\w+)/).map { String($0.output.1) }).sorted().joined(separator: ",")
        let rows = try await database.psql(
            """
            WITH RECURSIVE called AS (
                SELECT f.oid FROM pg_proc f
                WHERE f.pronamespace = 'stock'::regnamespace AND (
                    f.proname = ANY ('{\(named)}')
                    OR EXISTS (SELECT FROM pg_depend d
                               WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = f.oid
                                 AND d.classid <> 'pg_proc'::regclass))
                UNION
                SELECT g.oid
                FROM called c
                JOIN pg_proc f ON f.oid = c.oid
                JOIN pg_proc g ON g.pronamespace = 'stock'::regnamespace AND (
                    f.prosrc ~ ('stock\\.' || g.proname || '\\M')
                    OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid
                                                         AND d.refobjid = g.oid))
            )
            SELECT f.proname, c.oid IS NOT NULL, translate(encode(convert_to(f.prosrc, 'UTF8'), 'base64'), E'\\n', '')
            FROM pg_proc f LEFT JOIN called c ON c.oid = f.oid
            WHERE f.pronamespace = 'stock'::regnamespace
            """
        )
        return try rows.split(separator: "\n").map { row in
            let parts = row.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            let body = try #require(Data(base64Encoded: parts[2]))
            return Function(name: parts[0], body: String(decoding: body, as: UTF8.self), isCalled: parts[1] == "t")
        }
    }

    /// A line for each fault: function, SQLSTATE and message.
    private func faults(_ database: TestDatabase) async throws -> String {
        try await database.psql(
            """
            SELECT DISTINCT f.oid::regprocedure, c.sqlstate, c.message
            FROM pg_proc f
            JOIN pg_language l ON l.oid = f.prolang AND l.lanname = 'plpgsql'
            LEFT JOIN pg_trigger t ON t.tgfoid = f.oid AND NOT t.tgisinternal
            -- A function that serves several kinds of change names rows before and after; here both are called as there.
            CROSS JOIN LATERAL (
                SELECT CASE WHEN t.oid IS NOT NULL THEN coalesce(t.tgoldtable, 'replaced') END AS old,
                       CASE WHEN t.oid IS NOT NULL AND t.tgoldtable IS DISTINCT FROM 'changed'
                            THEN coalesce(t.tgnewtable, 'changed') END AS new
            ) r
            CROSS JOIN LATERAL plpgsql_check_function_tb(
                f.oid, coalesce(t.tgrelid, 0)::regclass, oldtable := r.old, newtable := r.new,
                fatal_errors := false, other_warnings := false, performance_warnings := false, extra_warnings := false) c
            WHERE f.pronamespace = 'stock'::regnamespace AND f.prorettype <> 'event_trigger'::regtype
              -- Tables of a session's own are made by the functions themselves; of a deletion there are no rows after it.
              AND c.message !~ '"(pg_temp\\.\\w+|replaced)" does not exist'
            """
        )
    }
}

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

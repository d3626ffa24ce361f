import Foundation
import TestSupport
import Testing

extension Integration {
    /// What `stock serve` refuses to serve from, and how it says so.
    @Suite("The first look at the database")
    struct StartTests {
        /// A role that row-level security does not hold for, or that can become one.
        struct Role: Sendable, CustomTestStringConvertible {
            let name: String
            let statement: String
            let words: [String]
            var testDescription: String { name }
        }

        static let roles = [
            Role(name: "postgres", statement: "SELECT 1", words: ["postgres is a superuser"]),
            Role(
                name: "start_bypass",
                statement: "CREATE ROLE start_bypass LOGIN BYPASSRLS IN ROLE stock_app",
                words: ["start_bypass is a role with BYPASSRLS"]
            ),
            Role(
                name: "start_owner",
                statement: "CREATE ROLE start_owner LOGIN IN ROLE stock_owner",
                words: ["start_owner may become stock_owner"]
            ),
            Role(
                name: "start_climber",
                statement: "CREATE ROLE start_climber LOGIN IN ROLE stock_app; GRANT postgres TO start_climber",
                words: ["start_climber may become postgres, a superuser"]
            ),
            Role(
                name: "start_maker",
                statement: "CREATE ROLE start_maker LOGIN CREATEROLE IN ROLE stock_app",
                words: ["start_maker is a role with CREATEROLE"]
            ),
        ]

        @Test(
            "a role above the walls between tenants is refused with 78 and one line, before anything listens",
            arguments: roles
        )
        func role(_ role: Role) async throws {
            let server = try await PostgresServer.shared()
            let database = try await server.database(named: "start")
            try await database.psql("DROP ROLE IF EXISTS \(role.name == "postgres" ? "nobody_at_all" : role.name)")
            try await database.psql(role.statement)
            let port = try FreePort.next()
            var environment = Self.environment(server.url(user: role.name, database: database.name))
            environment["STOCK_LISTEN"] = "127.0.0.1:\(port)"
            let process = try StockCommand.spawn(["serve"], environment: environment)
            // Nobody gets an answer, not even for a moment.
            let client = HTTPClient(port: port)
            try await eventually(within: .seconds(30), every: .milliseconds(10), "it ends") {
                #expect((try? await client.send("GET", "/health/live")) == nil, "it listened")
                return !process.isRunning
            }
            #expect(try await process.waitForExit(within: .seconds(30)) == .exited(78))
            try await Self.expectOneLine(process, ["DATABASE_URL"] + role.words)
            if role.name != "postgres" { try await database.psql("DROP ROLE \(role.name)") }
            try await database.drop()
        }

        @Test("a database without schema, or without the last migration, is refused with 78, naming what to run")
        func schema() async throws {
            let server = try await PostgresServer.shared()
            let empty = try await server.emptyDatabase(named: "start")
            let refused = try StockCommand.spawn(["serve"], environment: Self.environment(empty.appURL))
            #expect(try await refused.waitForExit(within: .seconds(30)) == .exited(78))
            try await Self.expectOneLine(refused, ["DATABASE_URL", "stock migrate up"])

            let behind = try await server.emptyDatabase(named: "behind")
            let migrated = try await StockCommand.run(
                ["migrate", "up"],
                environment: ["DATABASE_OWNER_URL": behind.superuserURL, "DATABASE_URL": behind.appURL]
            )
            try #require(migrated.status == .exited(0), "\(migrated.errors)")
            let last = try #require(try SourceTree.migrations().last?.split(separator: "/").last)
            try await behind.psql("DELETE FROM stock.schema_migration WHERE version = \(Int(last.prefix(4)) ?? 0)")
            let pending = try StockCommand.spawn(["serve"], environment: Self.environment(behind.appURL))
            #expect(try await pending.waitForExit(within: .seconds(30)) == .exited(78))
            try await Self.expectOneLine(pending, [String(last), "stock migrate up"])
            try await empty.drop()
            try await behind.drop()
        }

        @Test(
            "while the database is away from the start the instance listens, is not ready and serves nothing; then all"
        )
        func away() async throws {
            let server = try await PostgresServer.start()
            let database = try await server.emptyDatabase(named: "away")
            let migrated = try await StockCommand.run(
                ["migrate", "up"],
                environment: ["DATABASE_OWNER_URL": database.superuserURL, "DATABASE_URL": database.appURL]
            )
            try #require(migrated.status == .exited(0), "\(migrated.errors)")
            try await server.stop()
            let port = try FreePort.next()
            var environment = Self.environment(database.appURL)
            environment["STOCK_LISTEN"] = "127.0.0.1:\(port)"
            let process = try StockCommand.spawn(["serve"], environment: environment)
            let client = HTTPClient(port: port)
            try await eventually(within: .seconds(30), "it listens") {
                (try? await client.send("GET", "/health/live"))?.status == 200
            }
            for path in ["/health/ready", "/v1/products", "/v1/me"] {
                #expect(try await client.send("GET", path).status == 503, "\(path)")
            }
            try await server.startIfStopped()
            try await eventually(within: .seconds(30), "it is ready once the database has answered") {
                try await client.send("GET", "/health/ready").status == 200
            }
            #expect(try await client.send("GET", "/v1/me").status == 401)
            process.signal(SIGTERM)
            #expect(try await process.waitForExit(within: .seconds(30)) == .exited(0))
            try await server.stop()
        }

        private static func environment(_ url: String) -> [String: String] {
            [
                "DATABASE_URL": url, "AUTH_SECRET": "integration-tests-only-0123456789abcdef",
                "STOCK_LISTEN": "127.0.0.1:0", "STOCK_DRAIN_DELAY": "0", "LOG_LEVEL": "warning",
            ]
        }

        /// One line on standard error that holds all the words.
        private static func expectOneLine(
            _ process: ChildProcess,
            _ words: [String],
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            try await eventually("the output ends") { process.errors.isClosed && process.output.isClosed }
            let lines = process.errors.lines + process.output.lines
            #expect(lines.count == 1, "\(lines)", sourceLocation: sourceLocation)
            for word in words {
                #expect(lines.first?.contains(word) == true, "\(lines) lacks \(word)", sourceLocation: sourceLocation)
            }
        }
    }
}

import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("The command line")
    struct CommandLineTests {
        @Test("shells complete its words, and its manual page names commands and options and is well made")
        func manual() async throws {
            for shell in ["bash", "zsh", "fish"] {
                let script = try await StockCommand.run(["--generate-completion-script", shell], environment: [:])
                #expect(script.status == .exited(0) && script.output.contains("max-errors"), "\(shell)")
            }
            let line = """
                set -o pipefail; '\(StockCommand.path)' --generate-completion-script bash | bash -n
                '\(StockCommand.path)' --experimental-dump-help | '\(SourceTree.root)/scripts/manual'
                """
            let page = try await run("bash", ["-ec", line], environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"])
            #expect(page.hasPrefix(".TH STOCK 1 "))
            for text in [
                "\\fBstock import sales\\fR \\fIfile\\fR", "\\fB\\-\\-max\\-errors\\fR \\fImax\\-errors\\fR",
                "\\fBstock tenant create\\fR", "One of skip, abort. Default: skip.", "DATABASE_POOL_SIZE",
            ] {
                #expect(page.contains(text), "\(text)")
            }
            guard FileManager.default.isExecutableFile(atPath: "/usr/bin/groff") else {
                print("SKIPPED: groff is not installed, so the manual page was not set")
                return
            }
            let file = try ScratchFolder.make("manual") + "/stock.1"
            try page.write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await run("groff", ["-man", "-Tutf8", "-ww", "-z", file]).isEmpty)
        }

        @Test("two migrations at once do the work once, and a third finds nothing to do")
        func migrations() async throws {
            let server = try await PostgresServer.shared()
            let database = try await server.emptyDatabase(named: "migrations")
            let environment = ["DATABASE_URL": database.appURL, "DATABASE_OWNER_URL": database.superuserURL]
            let results = try await inParallel(2) { _ in
                try await StockCommand.run(["migrate", "up"], environment: environment)
            }
            for result in results { #expect(result.status == .exited(0), "\(result.output)\(result.errors)") }
            let applied = try await database.psql("SELECT count(*) FROM stock.schema_migration")
            #expect(applied == String(try SourceTree.migrations().count))

            let again = try await StockCommand.run(["migrate", "up"], environment: environment)
            #expect(again.status == .exited(0), "\(again.errors)")
            #expect(try await database.psql("SELECT count(*) FROM stock.schema_migration") == applied)
            let status = try await StockCommand.run(["migrate", "status"], environment: environment)
            #expect(status.status == .exited(0), "\(status.errors)")
            try await database.drop()
        }

        @Test("an API key made by the command line does what its scopes say, until it is revoked")
        func keys() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant()
            let made = try await deployment.command(
                "key",
                "create",
                "--tenant",
                tenant.slug,
                "--name",
                "till",
                "--scopes",
                "catalog:read",
                "--json"
            )
            try #require(made.status == .exited(0), "\(made.errors)")
            let key = JSON(parsing: Array(made.output.utf8))
            #expect(key["scopes"].elements.map(\.string) == ["catalog:read"])
            let credential = ["Authorization": "Bearer \(try #require(key["secret"].string))"]
            #expect(try await tenant.get("/v1/products", headers: credential).status == 200)
            let forbidden = try await tenant.get("/v1/sales", headers: credential)
            #expect(forbidden.status == 403)
            #expect(forbidden.json["code"].string == "forbidden")

            let id = try #require(key["id"].string)
            let revoked = try await deployment.command("key", "revoke", "--tenant", tenant.slug, id)
            try #require(revoked.status == .exited(0), "\(revoked.output)\(revoked.errors)")
            try await eventually(within: .seconds(3), "the key is refused") {
                try await tenant.get("/v1/products", headers: credential).status == 401
            }
            try await deployment.stop()
        }

        @Test("people are made, invited and helped by the command line, and a slug of digits is no number")
        func people() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant()
            let other = try await deployment.tenant(slug: "other")
            func stock(_ arguments: String...) async throws -> (status: StockCommand.Result, json: JSON) {
                let result = try await StockCommand.run(arguments + ["--json"], environment: deployment.environment)
                return (result, JSON(parsing: Array(result.output.utf8)))
            }
            // Hashing takes its time in a debug build on a busy machine: "overloaded" is repeated, as a client would.
            func post(_ path: String, _ body: String) async throws -> HTTPResponse {
                var answer: HTTPResponse?
                try await eventually(within: .seconds(120), every: .milliseconds(100), "\(path) is answered") {
                    answer = try await deployment.a.client.send(
                        "POST",
                        path,
                        headers: ["Content-Type": "application/json"],
                        body: body
                    )
                    return answer?.status != 503
                }
                return try #require(answer)
            }
            // As an editor may save it: with a byte order mark, and a line break at the end.
            let passwordFile = try ScratchFolder.make("password") + "/password"
            try "\u{FEFF}\(Tenant.password)\r\n".write(toFile: passwordFile, atomically: false, encoding: .utf8)
            let made = try await stock(
                "user",
                "create",
                "--tenant",
                "shop",
                "--email",
                "bea@shop.example",
                "--role",
                "cashier",
                "--password-file",
                passwordFile
            )
            #expect(made.json["role"].string == "cashier", "\(made.status.errors)")
            let token = try await deployment.signIn(email: "bea@shop.example")
            // Her account is hers by now: another tenant cannot set its password.
            let taken = try await stock(
                "user",
                "create",
                "--tenant",
                "other",
                "--email",
                "bea@shop.example",
                "--role",
                "owner",
                "--password",
                "not her password at all"
            )
            #expect(taken.status.status == .exited(1))
            #expect(taken.status.errors.contains("Invite"), "\(taken.status.errors)")
            let invited = try await stock(
                "user",
                "invite",
                "--tenant-id",
                "\(other.id)",
                "--email",
                "bea@shop.example",
                "--role",
                "viewer"
            )
            let invitation = try #require(invited.json["invitation_token"].string, "\(invited.status.errors)")
            let accepted = try await post(
                "/v1/invitations/accept",
                #"{"token":"\#(invitation)","password":"\#(Tenant.password)"}"#
            )
            #expect(accepted.status == 201, "\(accepted.text)")
            #expect(accepted.json["tenant"]["slug"].string == "other")

            let opened = try await stock("user", "passwd", "--email", "bea@shop.example")
            let reset = try #require(opened.json["reset_token"].string, "\(opened.status.errors)")
            let body = #"{"token":"\#(reset)","password":"a password of her own"}"#
            #expect(try await post("/v1/auth/reset", body).status == 204)
            #expect(try await post("/v1/auth/reset", body).status == 401)
            try await eventually(within: .seconds(3), "her sessions have ended") {
                try await tenant.get("/v1/me", headers: ["Authorization": "Bearer \(token)"]).status == 401
            }
            let set = try await stock("user", "passwd", "--email", "bea@shop.example", "--password", Tenant.password)
            #expect(set.status.status == .exited(0), "\(set.status.errors)")
            _ = try await deployment.signIn(email: "bea@shop.example")
            #expect(try await stock("user", "passwd", "--email", "no@shop.example").status.status == .exited(1))

            // From before slugs of digits were refused: one tenant's slug is the other's number.
            try await deployment.database.psql("UPDATE stock.tenant SET slug = '\(tenant.id)' WHERE id = \(other.id)")
            let key = try await stock(
                "key",
                "create",
                "--tenant",
                "\(tenant.id)",
                "--name",
                "k",
                "--scopes",
                "catalog:read"
            )
            #expect(key.json["secret"].string?.hasPrefix("stk_\(other.id)_") == true, "\(key.status.errors)")
            let own = try await stock(
                "key",
                "create",
                "--tenant-id",
                "\(tenant.id)",
                "--name",
                "k",
                "--scopes",
                "catalog:read"
            )
            #expect(own.json["secret"].string?.hasPrefix("stk_\(tenant.id)_") == true, "\(own.status.errors)")
            // What an operator does is in the audit of the tenant.
            let audit = try await tenant.get("/v1/audit?action=api_key.created")
            #expect(audit.json["data"][0]["actor"]["type"].string == "operator", "\(audit.text)")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("the table of the README and `stock serve --help` name the same variables")
        func variables() async throws {
            let help = try await StockCommand.run(["serve", "--help"], environment: [:])
            // Names begin after two blanks; a line that goes on begins further right.
            let listed = help.output.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
                .compactMap { Self.variable($0.dropFirst(2)) }
            let readme = try String(contentsOfFile: SourceTree.root + "/README.md", encoding: .utf8)
            let documented = readme.split(separator: "\n").filter { $0.hasPrefix("| `") }
                .compactMap { Self.variable($0.dropFirst(3)) }
            #expect(!documented.isEmpty)
            // A build that can leave out guards has one more, for the checker alone.
            #expect(listed.filter { $0 != "STOCK_GUARDS_OFF" } == documented)
        }

        @Test(
            "`stock serve --help` fits the terminal, and no explanation leaves its column",
            arguments: [40, 60, 80, 132]
        )
        func width(columns: Int) async throws {
            let help = try await StockCommand.run(["serve", "--help"], environment: ["COLUMNS": "\(columns)"])
            let lines = help.output.split(separator: "\n", omittingEmptySubsequences: false)
            let first = try #require(lines.firstIndex { $0.hasPrefix("  DATABASE_URL") })
            let end = try #require(lines[first...].firstIndex { $0.isEmpty })
            let table = lines[first..<end]
            #expect(table.count > 40)
            for line in table {
                #expect(line.count <= columns, "\(line)")
                let isName = Self.variable(line.dropFirst(2)) != nil && !line.hasPrefix("   ")
                let indent = line.prefix { $0 == " " }.count
                #expect(isName ? indent == 2 : indent >= 6, "\(line)")
            }
            if columns >= 60 {
                let continued = Set(table.filter { $0.hasPrefix("   ") }.map { $0.prefix { $0 == " " }.count })
                #expect(continued.count == 1, "the right column begins at \(continued)")
            }
        }

        /// The name at the beginning of a line, if it is written as variables are.
        private static func variable(_ line: Substring) -> String? {
            let name = line.prefix { $0.isASCII && ($0.isUppercase || $0.isNumber || $0 == "_") }
            return name.contains("_") ? String(name) : nil
        }

        @Test("no query outlives the command it was for, however that ends", arguments: [SIGTERM, SIGINT, SIGKILL])
        func ended(by signal: Int32) async throws {
            let server = try await PostgresServer.shared()
            let database = try await server.emptyDatabase(named: "ended")
            try await Self.migrate(database)
            // Each invariant asks for the tenant: now one goes on for longer than anybody waits.
            try await database.psql(
                """
                INSERT INTO stock.tenant (slug, name, currency, currency_exponent, timezone) VALUES ('s', 'S', 'EUR', 2, 'UTC');
                CREATE OR REPLACE FUNCTION stock.current_tenant() RETURNS bigint LANGUAGE plpgsql STABLE
                AS $$ BEGIN PERFORM pg_sleep(60); RETURN 1; END $$
                """
            )
            let ours = """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = '\(database.name)' AND usename = 'stock_app' AND state = 'active'
                """
            let command = try StockCommand.spawn(["verify"], environment: ["DATABASE_URL": database.appURL])
            try await eventually(within: .seconds(20), "the check is under way") {
                try await server.psql(ours, database: "postgres") == "1"
            }
            command.signal(signal)
            let end = ContinuousClock.now
            let status = try await command.waitForExit(within: .seconds(10))
            try await eventually(within: .seconds(10), "nothing of it runs in the server") {
                try await server.psql(ours, database: "postgres") == "0"
            }
            #expect(ContinuousClock.now - end < .seconds(2))
            switch signal {
            case SIGKILL: #expect(status == .signaled(SIGKILL))
            default:
                #expect(status == .exited(128 + signal))
                #expect(command.errors.text.split(separator: "\n").count == 1, "\(command.errors.text)")
            }
            try await database.drop()
        }

        private static func migrate(_ database: TestDatabase) async throws {
            let environment = ["DATABASE_OWNER_URL": database.superuserURL, "DATABASE_URL": database.appURL]
            let migrated = try await StockCommand.run(["migrate", "up"], environment: environment)
            try #require(migrated.status == .exited(0), "\(migrated.errors)")
        }

        @Test("a command without its database says so in one line and fails with 1")
        func databaseAway() async throws {
            let result = try await StockCommand.run(
                ["verify"],
                environment: ["DATABASE_URL": "postgresql://stock_app:x@127.0.0.1:1/none"],
                within: .seconds(30)
            )
            #expect(result.status == .exited(1), "\(result.status) \(result.errors)")
            #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
            #expect(result.errors.contains("DATABASE_URL"), "\(result.errors)")
        }

        @Test(
            "doctor tells a wrong password, a missing database and a server that is not there apart, and where it looked"
        )
        func doctorWithoutDatabase() async throws {
            let server = try await PostgresServer.shared()
            let database = try await server.database(named: "doctor")
            let closed = try FreePort.next()
            for (address, reason) in [
                ("stock_app:wrong@127.0.0.1:\(server.port)/\(database.name)", "the password was refused"),
                ("stock_app:x@/no_such?host=\(server.socketFolder)&port=\(server.port)", "there is no such database"),
                ("stock_app:x@127.0.0.1:\(closed)/\(database.name)", "nothing listens at the address"),
            ] {
                let result = try await StockCommand.run(
                    ["doctor"],
                    environment: ["DATABASE_URL": "postgresql://\(address)"],
                    within: .seconds(60)
                )
                #expect(result.status == .exited(1), "\(result.output)\(result.errors)")
                let line = try #require(result.output.split(separator: "\n").first)
                #expect(line.hasPrefix("failure") && line.contains(reason), "\(result.output)")
                #expect(line.contains(address.contains("no_such") ? "/no_such" : "127.0.0.1:"), "\(line)")
                #expect(!line.contains("wrong"), "\(line)")
            }
            try await database.drop()
        }

        @Test(
            "doctor knows an instance by whatever its session did last",
            arguments: ["follow(", "drain_follow(", "outbox c"]
        )
        func instanceAtWork(_ statement: String) async throws {
            let server = try await PostgresServer.shared()
            let database = try await server.database(named: "doctor")
            let session = try ChildProcess.spawn(
                PostgresBinaries.path(of: "psql"),
                ["-X", "-d", database.appURL, "-c", "SELECT pg_sleep(60) -- FROM stock.cache_\(statement)"]
            )
            func outbox() async throws -> String {
                let result = try await StockCommand.run(["doctor"], environment: ["DATABASE_URL": database.appURL])
                return try #require(result.output.split(separator: "\n").first { $0.contains(" outbox ") }).description
            }
            try await eventually(within: .seconds(20), "the session is at work") {
                try await database.psql(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60) --%'"
                ) == "1"
            }
            #expect(try await !outbox().contains("No instance runs"))
            session.signal(SIGKILL)
            try await database.psql(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60) --%'"
            )
            #expect(try await outbox().contains("No instance runs"))
            try await database.drop()
        }

        @Test("doctor says what is so right after an instance was killed: one of two is enough, and none is none")
        func killedInstances() async throws {
            let deployment = try await Deployment.start()
            func outbox() async throws -> Substring {
                let result = try await deployment.command("doctor")
                #expect(result.status == .exited(0), "\(result.output)\(result.errors)")
                return try #require(result.output.split(separator: "\n").first { $0.contains(" outbox ") })
            }
            try await deployment.a.kill()
            for _ in 0..<5 { #expect(try await !outbox().contains("No instance runs")) }
            try await deployment.b.kill()
            try await eventually(within: .seconds(5), "no instance is seen any more") {
                try await outbox().contains("No instance runs")
            }
            try await deployment.stop()
        }

        @Test(
            "a command on a database without the schema, or with an old one, says in one line that it is to be migrated",
            arguments: [
                ["verify"], ["tenant", "list"], ["key", "create", "--tenant", "s", "--name", "n", "--scopes", "admin"],
                ["user", "passwd", "--email", "a@shop.example"], ["import", "sales", "FILE", "--tenant", "s"],
            ]
        )
        func withoutSchema(_ words: [String]) async throws {
            let server = try await PostgresServer.shared()
            let empty = try await server.emptyDatabase(named: "unmigrated")
            let file = try ScratchFolder.make("import") + "/in.csv"
            try "sale,sku,quantity,unit_price,occurred_at\n".write(toFile: file, atomically: false, encoding: .utf8)
            let arguments = words.map { $0 == "FILE" ? file : $0 }
            func expectAdvice(_ database: TestDatabase, _ lack: String) async throws {
                let result = try await StockCommand.run(arguments, environment: ["DATABASE_URL": database.appURL])
                #expect(result.status == .exited(1), "\(result.output)\(result.errors)")
                #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
                #expect(
                    result.errors.contains(lack) && result.errors.hasSuffix("Run: stock migrate up"),
                    "\(result.errors)"
                )
            }
            try await expectAdvice(empty, "holds no schema of ours")
            try await empty.drop()

            let behind = try await server.emptyDatabase(named: "behind")
            try await Self.migrate(behind)
            let last = try #require(try SourceTree.migrations().last?.split(separator: "/").last)
            try await behind.psql("DELETE FROM stock.schema_migration WHERE version = \(Int(last.prefix(4)) ?? 0)")
            try await expectAdvice(behind, String(last))
            try await behind.drop()
        }

        @Test("a standard error that takes nothing changes no exit status")
        func fullStandardError() async throws {
            let child = try ChildProcess.spawn(
                "/bin/sh",
                ["-c", "exec \"$0\" verify 2>/dev/full", StockCommand.path],
                environment: ["DATABASE_URL": "postgresql://stock_app:x@127.0.0.1:1/none"]
            )
            #expect(try await child.waitForExit(within: .seconds(30)) == .exited(1))
        }

        @Test(
            "lines of a configuration file end in any way that lines end, and a byte order mark is none of its text",
            arguments: ["\n", "\r\n", "\r"],
            ["", "\u{FEFF}"]
        )
        func configurationLines(_ end: String, mark: String) async throws {
            let file = try ScratchFolder.make("configuration") + "/stock.env"
            let lines = [
                "# my shop", "LOG_FORMAT=json", "DATABASE_URL=postgresql://stock_app:x@127.0.0.1:1/none", "NO_SUCH=1",
            ]
            try (mark + lines.joined(separator: end)).write(toFile: file, atomically: false, encoding: .utf8)
            let result = try await StockCommand.run(
                ["verify", "--config", file],
                environment: [:],
                within: .seconds(30)
            )
            #expect(result.status == .exited(78), "\(result.status) \(result.errors)")
            #expect(result.errors.contains("line 4"), "\(result.errors)")
        }
    }
}

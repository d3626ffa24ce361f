import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("A tenant moves by the command line")
    struct TenantMoveTests {
        @Test(
            "out of one deployment and into another, which sells on meanwhile; killed before its end it leaves nothing"
        )
        func moves() async throws {
            let here = try await Deployment.start(instances: 1, withRedis: false)
            let there = try await Deployment.start(instances: 1)
            let corner = try await here.tenant(slug: "corner")
            let product = try await corner.product(sku: "ÜB-1", price: "2.50", onHand: 10)
            for _ in 0..<3 {
                let sold = try await corner.post("/v1/sales", Tenant.sale([(product, 1)], total: "2.50"))
                try #require(sold.status == 201, "\(sold.text)")
            }
            let other = try await there.tenant(slug: "other")
            let goods = try await other.product(sku: "A", price: "1.00", onHand: 10)

            let file = try ScratchFolder.make("move") + "/corner.stock.gz"
            let exported = try await here.command("tenant", "export", "--tenant", "corner", "-o", file)
            try #require(exported.status == .exited(0), "\(exported.errors)")
            #expect(exported.errors.contains("up to event"))
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let bytes = try #require(FileManager.default.contents(atPath: file))
            #expect(bytes.starts(with: [0x1F, 0x8B]))

            // All rows are in, and the account of its owner waits for somebody who is about to make one.
            for signal in [SIGKILL, SIGTERM] {
                let blockade = try await Blockade.begin(
                    """
                    INSERT INTO stock.app_user (id, email, password_hash)
                    VALUES (gen_random_uuid(), 'owner@corner.example', 'x')
                    """,
                    on: there.database
                )
                let child = try StockCommand.spawn(["tenant", "import", file], environment: there.environment)
                try await eventually(within: .seconds(60), "the import waits for the account") {
                    try await waits(there)
                }
                let sold = try await other.post("/v1/sales", Tenant.sale([(goods, 1)], total: "1.00"))
                #expect(sold.status == 201, "\(sold.text)")
                #expect(try await other.get("/v1/products").status == 200)
                child.signal(signal)
                // What waits for a lock is not called off: it ends when its patience of 30 seconds does.
                let status = try await child.waitForExit(within: .seconds(60))
                if signal == SIGTERM {
                    #expect(status == .exited(143))
                    #expect(child.errors.text.contains("nothing was imported"), "\(child.errors.text)")
                }
                try await eventually(within: .seconds(30), "the import's session is gone") { try await !waits(there) }
                try await blockade.end()
                #expect(try await there.database.psql("SELECT string_agg(slug, ',') FROM stock.tenant") == "other")
                #expect(
                    try await there.database.psql("SELECT count(*) FROM stock.sale_line")
                        == (signal == SIGKILL ? "1" : "2")
                )
            }

            var lone = there.environment
            lone["DATABASE_OWNER_URL"] = nil
            let unable = try await StockCommand.run(["tenant", "import", file], environment: lone)
            #expect(unable.status == .exited(78) && unable.errors.contains("DATABASE_OWNER_URL"), "\(unable.errors)")

            let trial = try await there.command("tenant", "import", file, "--dry-run")
            #expect(trial.status == .exited(0) && trial.output.contains("could be imported"), "\(trial.errors)")
            let imported = try await there.command("tenant", "import", file, "--json")
            try #require(imported.status == .exited(0), "\(imported.errors)")
            let figures = JSON(parsing: Array(imported.output.utf8))
            #expect(figures["slug"].string == "corner" && figures["accounts_made"].int == 1)
            let again = try await there.command("tenant", "import", file)
            #expect(
                again.status == .exited(1) && again.errors.contains("A tenant with this slug exists."),
                "\(again.errors)"
            )

            let helped = try await there.command(
                "user",
                "passwd",
                "--email",
                "owner@corner.example",
                "--password",
                Tenant.password
            )
            try #require(helped.status == .exited(0), "\(helped.errors)")
            let moved = Tenant(
                slug: "corner",
                id: try #require(figures["tenant_id"].int),
                token: try await there.signIn(email: "owner@corner.example"),
                clients: there.instances.map(\.client)
            )
            for path in [
                "/v1/sales", "/v1/products/\(product)", "/v1/balance/series?view=daily", "/v1/events",
            ] {
                #expect(try await moved.get(path).text == corner.get(path).text, "\(path)")
            }
            let next = try await moved.post("/v1/sales", Tenant.sale([(product, 1)], total: "2.50"))
            #expect(next.status == 201 && next.json["number"].int == 4, "\(next.text)")
            #expect(try await moved.onHand(product) == "6")
            try await here.expectHealthy()
            try await there.expectHealthy()
            try await here.stop()
            try await there.stop()
        }

        @Test("a file that was cut off or is of other migrations is refused in a sentence")
        func refusals() async throws {
            let deployment = try await Deployment.start(instances: 0, withRedis: false)
            let created = try await deployment.command(
                "tenant",
                "create",
                "--name",
                "Shop",
                "--slug",
                "corner",
                "--currency",
                "EUR",
                "--timezone",
                "Europe/Berlin",
                "--owner-email",
                "owner@corner.example",
                "--owner-password",
                Tenant.password
            )
            try #require(created.status == .exited(0), "\(created.errors)")
            let file = try ScratchFolder.make("move") + "/corner.stock.gz"
            let exported = try await deployment.command("tenant", "export", "--tenant", "corner", "--output", file)
            try #require(exported.status == .exited(0), "\(exported.errors)")
            let bytes = try #require(FileManager.default.contents(atPath: file))
            try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: file + ".half"))
            let half = try await deployment.command("tenant", "import", file + ".half", "--slug", "new")
            #expect(half.status == .exited(1) && half.errors.contains("gzip"), "\(half.errors)")

            let plain = try await run("gzip", ["-dc", file]) + "\n"
            try plain.dropLast(200).write(toFile: file + ".short", atomically: false, encoding: .utf8)
            let short = try await deployment.command("tenant", "import", file + ".short", "--slug", "new")
            #expect(short.status == .exited(1) && short.errors.contains("cut off"), "\(short.errors)")
            try plain.write(toFile: file + ".plain", atomically: false, encoding: .utf8)
            let whole = try await deployment.command("tenant", "import", file + ".plain", "--slug", "new", "--dry-run")
            #expect(whole.status == .exited(0), "\(whole.errors)")

            try await deployment.database.psql("INSERT INTO stock.schema_migration VALUES (9999, 'x', 'x')")
            let older = try await deployment.command("tenant", "import", file, "--slug", "new")
            #expect(older.status == .exited(1) && older.errors.contains("stock migrate up"), "\(older.errors)")
            let missing = try await deployment.command("tenant", "import", "/nowhere", "--slug", "new")
            #expect(missing.status == .exited(1), "\(missing.errors)")
            let wrong = try await deployment.command("tenant", "import", file, "--slug", "17")
            #expect(wrong.status == .exited(64), "\(wrong.errors)")
            #expect(try await deployment.database.psql("SELECT count(*) FROM stock.tenant") == "1")
            try await deployment.stop()
        }

        /// Whether an import waits for the account of somebody.
        private func waits(_ deployment: Deployment) async throws -> Bool {
            try await deployment.database.psql(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%accounts_moved_in%'
                """
            ) == "1"
        }
    }
}

import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Imports over HTTP, by workers that are killed")
    struct ImportWorkerTests {
        private static let products =
            "sku,name,price\n"
            + (1...3_500).map { "P-\($0),\($0 % 100 == 0 ? "" : "Row \($0)"),\($0 % 90).50\n" }.joined()
        private static let sales =
            "sale,sku,quantity,unit_price,occurred_at\n"
            + (1...4_000).map { "S-\($0 / 2),P-\($0 % 99 + 1),1,2.50,2026-01-0\($0 % 9 + 1)T10:00:00\n" }.joined()

        /// A deployment of one instance that serves HTTP and runs no imports.
        private static func deployment() async throws -> Deployment {
            let empty = try await Deployment.start(instances: 0, withRedis: false)
            let web = try await StockProcess.serve(
                environment: empty.environment.merging(["STOCK_INSTANCE": "web"]) { $1 },
                arguments: ["--role", "web"]
            )
            return Deployment(
                postgres: empty.postgres,
                standby: nil,
                database: empty.database,
                redis: nil,
                environment: empty.environment,
                instances: [web],
                witness: empty.witness
            )
        }

        /// Asks for an import and sends its file in two parts; its path.
        private static func begin(_ kind: String, _ file: String, for tenant: Tenant) async throws -> String {
            let asked = try await tenant.post("/v1/imports", #"{"kind":"\#(kind)"}"#)
            let path = try #require(asked[header: "Location"], "\(asked.text)")
            let half = file.index(file.startIndex, offsetBy: file.count / 2)
            for (number, part) in [file[..<half], file[half...]].enumerated() {
                let sent = try await tenant.send(
                    "PUT",
                    "\(path)/parts/\(number + 1)",
                    headers: ["Content-Type": "application/octet-stream"],
                    body: String(part)
                )
                try #require(sent.status == 200, "\(sent.text)")
            }
            let started = try await tenant.send(
                "POST",
                "\(path)/start",
                body: #"{"parts":2,"bytes":\#(file.utf8.count)}"#
            )
            try #require(started.status == 200, "\(started.text)")
            return path
        }

        /// Runs a worker that kills itself at a place, and lets the time that it had pass.
        private static func die(at failpoint: String, _ deployment: Deployment) async throws {
            var settings = deployment.environment
            settings["STOCK_FAILPOINT"] = failpoint
            settings["STOCK_INSTANCE"] = "doomed"
            let doomed = try StockCommand.spawn(["serve", "--role", "worker"], environment: settings)
            #expect(try await doomed.waitForExit(within: .seconds(60)) == .signaled(SIGKILL))
            try await deployment.database.psql(
                "UPDATE stock.import_turn SET leased_until = now() - interval '1 second'"
            )
        }

        /// Runs a worker until an import has ended, and stops it.
        private static func finish(_ path: String, of tenant: Tenant, _ deployment: Deployment) async throws -> JSON {
            let worker = try StockCommand.spawn(["serve", "--role", "worker"], environment: deployment.environment)
            var ended = JSON.null
            try await eventually(within: .seconds(120), "the import ends") {
                ended = try await tenant.get(path).json
                return ended["finished_at"].string != nil
            }
            worker.signal(SIGTERM)
            #expect(try await worker.waitForExit(within: .seconds(30)) == .exited(0))
            return ended
        }

        /// All that imports write, without what is a tenant's own.
        private static func state(of tenant: Tenant, _ deployment: Deployment) async throws -> String {
            try await deployment.database.psql(
                """
                SELECT md5(string_agg(t.line, E'\\n' ORDER BY t.line)), count(*) FROM (
                    SELECT format('product %s %s %s', p.sku, p.name, p.price) AS line
                    FROM stock.product p WHERE p.tenant_id = \(tenant.id)
                    UNION ALL
                    SELECT format('sale %s %s %s %s', s.number, s.external_id, s.total, s.occurred_at)
                    FROM stock.sale s WHERE s.tenant_id = \(tenant.id)
                    UNION ALL
                    SELECT format('moved %s %s %s', p.sku, m.quantity, m.seq)
                    FROM stock.stock_movement m JOIN stock.product p ON p.tenant_id = m.tenant_id AND p.id = m.product_id
                    WHERE m.tenant_id = \(tenant.id)
                    UNION ALL
                    SELECT format('ledger %s %s', e.amount, e.business_day)
                    FROM stock.ledger_entry e WHERE e.tenant_id = \(tenant.id)
                ) t
                """
            )
        }

        @Test("come to what undisturbed ones come to, at whatever place the workers die")
        func killed() async throws {
            let deployment = try await Self.deployment()
            let (disturbed, calm) = (try await deployment.tenant(), try await deployment.tenant(slug: "calm"))
            for (kind, file, places) in [
                ("products", Self.products, ["import_written:2", "import_portion:1"]),
                ("sales", Self.sales, ["import_portion:1", "import_written:2"]),
            ] {
                let path = try await Self.begin(kind, file, for: disturbed)
                for place in places { try await Self.die(at: place, deployment) }
                let ended = try await Self.finish(path, of: disturbed, deployment)
                #expect(ended["deaths"].int == 2)
                #expect(ended["rows"].int == file.split(separator: "\n").count - 1, "\(ended)")
                #expect(
                    ended["status"].string == (kind == "products" ? "completed_with_errors" : "completed"),
                    "\(ended)"
                )
                // What the dead ones wrote is there already.
                #expect((ended["unchanged"].int ?? 0) > 0, "\(ended)")
                let other = try await Self.begin(kind, file, for: calm)
                let undisturbed = try await Self.finish(other, of: calm, deployment)
                #expect(undisturbed["deaths"].int == 0 && undisturbed["unchanged"].int == 0, "\(undisturbed)")
                #expect(undisturbed["rejected"] == ended["rejected"])
                let rows = try await disturbed.get("\(path)/rejected").text
                #expect(try await calm.get("\(other)/rejected").text == rows)
                let state = try await Self.state(of: disturbed, deployment)
                #expect(try await Self.state(of: calm, deployment) == state, "\(kind)")
            }
            let verified = try await deployment.command("verify")
            #expect(verified.status == .exited(0), "\(verified.output)\(verified.errors)")
            try await deployment.stop()
        }

        @Test("are set aside when three workers died with them, and go on when they are resumed")
        func quarantined() async throws {
            let deployment = try await Self.deployment()
            let tenant = try await deployment.tenant()
            let path = try await Self.begin("products", Self.products, for: tenant)
            for _ in 1...3 { try await Self.die(at: "import_portion:1", deployment) }
            let aside = try await Self.finish(path, of: tenant, deployment)
            #expect(aside["status"].string == "quarantined" && aside["deaths"].int == 3, "\(aside)")
            let resumed = try await tenant.send("POST", "\(path)/resume")
            #expect(resumed.json["status"].string == "queued", "\(resumed.text)")
            let ended = try await Self.finish(path, of: tenant, deployment)
            #expect(ended["status"].string == "completed_with_errors" && ended["created"].int == 3_465, "\(ended)")
            try await deployment.stop()
        }
    }
}

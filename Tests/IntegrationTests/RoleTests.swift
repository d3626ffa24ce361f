import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("What a process is told to be")
    struct RoleTests {
        @Test("a web instance follows what another one's relay logs, and never answers wrongly without one")
        func web() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let web = try await StockProcess.serve(
                environment: deployment.environment.merging(["STOCK_INSTANCE": "web"]) { $1 },
                arguments: ["--role", "web"]
            )
            let made = try await deployment.tenant()
            let tenant = Tenant(
                slug: made.slug,
                id: made.id,
                token: made.token,
                clients: [deployment.a.client, web.client]
            )
            let product = try await tenant.product(sku: "ROLE", price: "1.00")
            for number in 1...4 {
                let writer: Tenant.Instance = number.isMultiple(of: 2) ? .a : .b
                for instance in [Tenant.Instance.a, .b] {
                    try await eventually("both answer from memory") {
                        try await tenant.incomeToday(from: instance).cacheStatus.hasPrefix("stock-l1; hit")
                    }
                }
                let sold = try await tenant.post("/v1/sales", to: writer, Tenant.sale([(product, 1)], total: "1.00"))
                try #require(sold.status == 201, "\(sold.text)")
                #expect(try await tenant.incomeToday(from: writer).income == "\(number).00")
                for instance in [Tenant.Instance.a, .b] {
                    try await eventually(within: .seconds(2), "sale \(number) shows everywhere") {
                        try await tenant.incomeToday(from: instance).income == "\(number).00"
                    }
                }
            }
            let metrics = try await web.operations.send("GET", "/metrics")
            #expect(metrics[header: "Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(metrics.text.contains("stock_cache_requests_total{level=\"l1\",module=\"balance\",result=\"hit\"}"))

            // Nobody is left to say what was written: the web instance stops trusting what it has, and asks the database.
            try await deployment.a.kill()
            try await eventually("the caches of the web instance are out of use") {
                try await web.client.send("GET", "/health/cache").json["usable"] == .bool(false)
            }
            let sold = try await tenant.post("/v1/sales", to: .b, Tenant.sale([(product, 1)], total: "1.00"))
            #expect(sold.status == 201)
            #expect(try await tenant.incomeToday(from: .b).income == "5.00")

            // That nobody does is told by who does not do it either.
            func waits() async throws -> Bool {
                try await !web.operations.send("GET", "/metrics").text
                    .contains("\nstock_cache_outbox_oldest_seconds 0\n")
            }
            try await eventually(within: .seconds(30), "what waits is told") { try await waits() }

            // A worker is enough to put them into use again; it serves no HTTP.
            let worker = try StockCommand.spawn(
                ["serve", "--role", "worker"],
                environment: deployment.environment.merging(["STOCK_INSTANCE": "worker"]) { $1 }
            )
            try await eventually("the caches of the web instance are used again") {
                try await tenant.incomeToday(from: .b).cacheStatus.hasPrefix("stock-l1; hit")
            }
            try await eventually(within: .seconds(10), "that nothing waits any more is told") { try await !waits() }
            worker.signal(SIGTERM)
            #expect(try await worker.waitForExit(within: .seconds(30)) == .exited(0))
            #expect(try await web.terminate() == .exited(0))
            try await deployment.stop()
        }

        @Test("an instance that starts answers its first request for a busy key from memory", arguments: [true, false])
        func warmUp(isOn: Bool) async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "BUSY")
            let paths = ["/v1/products/\(product)", "/v1/products?q=busy"]
            for _ in 0..<150 {
                for path in paths { #expect(try await tenant.get(path).status == 200) }
            }
            // Stopping tells what was busy, as each ten seconds do.
            try await deployment.a.terminate()
            let again = try await deployment.instance(named: "again", settings: ["CACHE_WARM_UP": "\(isOn)"])
            let toAgain = Tenant(slug: tenant.slug, id: tenant.id, token: tenant.token, clients: [again.client])
            for path in paths {
                let status = try await toAgain.get(path)[header: "Cache-Status"] ?? ""
                // Without it Redis may still know the answer, or the cache may not be in use yet.
                #expect(status == "stock-l1; hit" || !isOn, "\(path): \(status)")
                #expect(status != "stock-l1; hit" || isOn, "\(path): \(status)")
            }
            try await again.terminate()
            try await deployment.stop()
        }

        @Test("a guard that does not exist stops the start with one line and 78")
        func unknownGuard() async throws {
            let result = try await StockCommand.run(
                ["serve"],
                environment: [
                    "DATABASE_URL": "postgres://nobody@localhost/nothing",
                    "AUTH_SECRET": "integration-tests-only-0123456789abcdef", "STOCK_GUARDS_OFF": "no_lease,nothing",
                ]
            )
            #expect(result.status == .exited(78))
            #expect(result.errors.contains("STOCK_GUARDS_OFF is 'no_lease,nothing'"), "\(result.errors)")
        }
    }
}

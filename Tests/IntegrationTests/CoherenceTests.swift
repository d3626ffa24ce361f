import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Two instances agree")
    struct CoherenceTests {
        /// The age after which nothing older is served, whatever messages were lost.
        ///
        /// The bus makes it milliseconds, which Benchmarks/ measures with a release build on a quiet machine; here it must hold on a busy one.
        static let lease: Duration = .seconds(1)

        @Test(
            "a sale on one instance shows in the other's series, and both answer from L1 before and after",
            arguments: [true, false]
        )
        func saleSeenByPeer(withRedis: Bool) async throws {
            let deployment = try await Deployment.start(withRedis: withRedis)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "SEEN", price: "1.00")
            let clock = ContinuousClock()
            var lags: [Duration] = []
            for number in 1...50 {
                try await eventually("the peer answers from L1") {
                    try await tenant.incomeToday(from: .b).cacheStatus.hasPrefix("stock-l1; hit")
                }
                let sold = try await tenant.post("/v1/sales", Tenant.sale([(product, 1)], total: "1.00"))
                try #require(sold.status == 201, "\(sold.status) \(sold.text)")
                let start = clock.now
                #expect(try await tenant.incomeToday(from: .a).income == "\(number).00")
                try await eventually(within: Self.lease * 2, every: .milliseconds(1), "the peer shows sale \(number)") {
                    try await tenant.incomeToday(from: .b).income == "\(number).00"
                }
                lags.append(clock.now - start)
            }
            lags.sort()
            #expect(lags[lags.count / 2] < Self.lease, "\(lags)")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("an UPDATE by psql shows on both instances without anybody calling the API", arguments: [true, false])
        func updateBySQL(withRedis: Bool) async throws {
            let deployment = try await Deployment.start(withRedis: withRedis)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "RAW")
            for instance in [Tenant.Instance.a, .b] {
                _ = try await tenant.get("/v1/products/\(product)", from: instance)
                try await eventually("the instance answers from L1") {
                    try await tenant.get("/v1/products/\(product)", from: instance)[header: "Cache-Status"]?
                        .hasPrefix("stock-l1; hit") == true
                }
            }
            try await deployment.database.psql(
                "UPDATE stock.product SET name = 'Renamed by hand', version = version + 1 WHERE id = '\(product)'"
            )
            for instance in [Tenant.Instance.a, .b] {
                try await eventually(within: Self.lease * 3, "the new name shows") {
                    try await tenant.get("/v1/products/\(product)", from: instance).json["name"].string
                        == "Renamed by hand"
                }
            }
            try await deployment.stop()
        }

        @Test("an instance killed between commit and publish: the peer stops serving the old value by itself")
        func killedBetweenCommitAndPublish() async throws {
            let deployment = try await Deployment.start(instances: 1)
            // The doomed instance ends by SIGKILL right after its first committed sale, before anything is said about it.
            var settings = deployment.environment
            settings["STOCK_FAILPOINT"] = "after_commit"
            settings["STOCK_INSTANCE"] = "doomed"
            let doomed = try await StockProcess.serve(environment: settings)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "LOST", price: "5.00")
            try await eventually("the peer answers from L1") {
                try await tenant.incomeToday().cacheStatus.hasPrefix("stock-l1; hit")
            }
            let toDoomed = Tenant(slug: tenant.slug, id: tenant.id, token: tenant.token, clients: [doomed.client])
            let key = UUID().uuidString
            await #expect(throws: HTTPClientError.self) {
                try await toDoomed.post("/v1/sales", key: key, Tenant.sale([(product, 1)], total: "5.00"))
            }
            #expect(try await doomed.process.waitForExit(within: .seconds(10)) == .signaled(SIGKILL))
            try await eventually(within: Self.lease * 3, "the peer shows the sale nobody announced") {
                try await tenant.incomeToday().income == "5.00"
            }
            // The client that got no answer asks again with its key, and gets the sale that was committed.
            let again = try await tenant.post("/v1/sales", key: key, Tenant.sale([(product, 1)], total: "5.00"))
            #expect(again.status == 201)
            #expect(again[header: "Idempotency-Replayed"] == "true")
            #expect(try await tenant.incomeToday(headers: ["Cache-Control": "no-cache"]).income == "5.00")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("hit and miss bodies are byte-identical, and If-None-Match answers 304")
        func sameBytes() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "BYTES", onHand: 3)
            let paths = [
                "/v1/products/\(product)", "/v1/products", "/v1/units", "/v1/categories", "/v1/stock",
                "/v1/stock/movements",
                "/v1/customers", "/v1/sales", "/v1/payments", "/v1/balance/summary",
                "/v1/balance/series?view=daily", "/v1/balance/series?view=weekly", "/v1/balance/series?view=monthly",
                "/v1/balance/series?view=yearly",
            ]
            for path in paths {
                let miss = try await tenant.get(path, headers: ["Cache-Control": "no-cache"])
                try #require(miss.status == 200, "\(path): \(miss.status) \(miss.text)")
                #expect(miss[header: "Cache-Status"]?.contains("fwd=bypass") == true, "\(path)")
                _ = try await tenant.get(path)
                try await eventually("\(path) is answered from L1") {
                    try await tenant.get(path)[header: "Cache-Status"]?.hasPrefix("stock-l1; hit") == true
                }
                let hit = try await tenant.get(path)
                #expect(hit.body == miss.body, "\(path)")
                let peer = try await tenant.get(path, from: .b)
                #expect(peer.body == miss.body, "\(path)")
                let tag = try #require(hit[header: "ETag"], "\(path)")
                #expect(miss[header: "ETag"] == tag, "\(path)")
                let unchanged = try await tenant.get(path, headers: ["If-None-Match": tag])
                #expect(unchanged.status == 304, "\(path)")
                #expect(unchanged.body.isEmpty)
            }
            try await deployment.stop()
        }
    }
}

import Foundation
import TestSupport
import Testing

extension Integration {
    /// What is answered when an answer cannot be computed.
    @Suite("When a fill fails")
    struct StaleTests {
        @Test("what may be old is answered marked stale, what may not is refused, and a token goes past it")
        func marked() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let made = try await tenant.send("POST", "/v1/categories", body: #"{"name":"Before"}"#)
            try #require(made.status == 201, "\(made.text)")
            _ = try await tenant.product(sku: "STRICT")
            try await deployment.settles(for: tenant, within: .seconds(20))
            let before = try await tenant.warm("/v1/categories")
            try await tenant.warm("/v1/products")

            // Both tables are held by somebody for longer than a statement waits: the fills fail.
            let blockade = try await Blockade.begin(
                "LOCK TABLE stock.category, stock.product IN ACCESS EXCLUSIVE MODE",
                on: deployment.database
            )
            // Retired by the other instance: none goes back behind what it wrote itself.
            let retired = try await tenant.send("POST", "/v1/cache/clear", to: .b, body: "{}")
            #expect(retired.status == 200, "\(retired.text)")
            try await deployment.settles(for: tenant, within: .seconds(20))

            async let relaxed = tenant.get("/v1/categories")
            async let strict = tenant.get("/v1/products")
            async let session = tenant.get(
                "/v1/categories",
                headers: ["Stock-Consistency": try #require(retired[header: "Stock-Consistency"])]
            )
            let stale = try await relaxed
            #expect(stale.status == 200, "\(stale.text)")
            #expect(stale.body == before.body)
            let status = stale[header: "Cache-Status"] ?? ""
            #expect(status.hasPrefix("stock-l1; hit; ttl=-") && status.hasSuffix("; detail=stale"), "\(status)")
            #expect(try await strict.status == 503)
            #expect(try await session.status == 503)
            #expect(try await tenant.get("/v1/categories", from: .b).status == 503)

            try await blockade.end()
            let fresh = try await tenant.get("/v1/categories")
            #expect(fresh[header: "Cache-Status"]?.contains("stale") == false)
            #expect(fresh.body == before.body)
            try await deployment.expectHealthy()
            try await deployment.stop()
        }
    }
}

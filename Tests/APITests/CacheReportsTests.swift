import Cache
import HTTPTypes
import Kernel
import Metrics
import TestSupport
import Testing

@testable import API

@Suite("What the cache says of itself", .serialized)
struct CacheReportsTests {
    private func open(
        _ name: String = #function,
        metrics: MetricsRegistry = MetricsRegistry(),
        _ body: (TestShop, String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        var settings = CacheSettings()
        settings.lease = .seconds(600)
        let cache = settings
        // What measures is made within the scope, and finds this test's registry.
        let shop = try await withMetricsFactory(metrics) {
            try await TestShop(url: database.appURL, runs: true, cache: cache, metrics: metrics)
        }
        do {
            try await eventually("the cache is in use") { shop.cache.isUsable }
            try await body(shop, try await shop.signUp())
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    /// Reads until the answer comes from memory and stays there: until the writes so far have been followed.
    private func settle(_ shop: TestShop, _ token: String, _ path: String) async throws -> Reply {
        _ = try await shop.hit(token, path)
        try await eventually("the writes so far were followed") { shop.cache.health().lag == 0 }
        return try await shop.hit(token, path)
    }

    @Test("every metric of the table has a value after a request, without a credential")
    func metrics() async throws {
        let registry = MetricsRegistry()
        try await self.open(metrics: registry) { shop, token in
            _ = try await shop.hit(token, "/v1/products")
            try await eventually("the counters were carried over") {
                await shop.sendToOperations("/metrics").text.contains(
                    "stock_cache_requests_total{level=\"l1\",module=\"products\",result=\"hit\"} 0\n"
                ) == false
            }
            let reply = await shop.sendToOperations("/metrics")
            #expect(reply.status == .ok)
            #expect(reply["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let lines = reply.text.split(separator: "\n")
            // What the whole process measures is looked for in a whole process.
            let elsewhere = [
                "stock_warm_up_", "stock_redis_", "stock_postgres_", "stock_io_loop_", "stock_password_",
                "stock_webhook_",
                "process_",
            ]
            for metric in MetricDescription.all where !elsewhere.contains(where: metric.name.hasPrefix) {
                let name = metric.kind == .histogram ? "\(metric.name)_count" : metric.name
                #expect(
                    lines.contains { $0.hasPrefix("\(name){") || $0.hasPrefix("\(name) ") },
                    "\(metric.name)"
                )
            }
            // Nothing is measured that nobody explained.
            for line in lines where line.hasPrefix("# TYPE ") {
                let name = line.split(separator: " ")[2]
                let isKnown = MetricDescription.all.contains { $0.name == name } || name == MetricsRegistry.dropped
                #expect(isKnown, "\(name) has no description")
            }
            #expect(await shop.sendToOperations("/metrics?x=1").status == .badRequest)
            #expect(await shop.send(.get, "/metrics").status == .notFound, "clients have no business with it")
        }
    }

    @Test("statistics add up, and rates are of what came to each level")
    func statistics() async throws {
        try await self.open { shop, token in
            let empty = await shop.send(.get, "/v1/cache/stats", token: token).json
            #expect(empty["totals"]["l1_hit_rate"] == .null || empty["totals"]["misses"].int != 0)
            _ = try await self.settle(shop, token, "/v1/products")
            for _ in 0..<8 { _ = await shop.send(.get, "/v1/products", token: token) }
            let reply = await shop.send(.get, "/v1/cache/stats", token: token)
            #expect(reply.status == .ok)
            let json = reply.json
            let products = try #require(json["modules"].elements.first { $0["module"].string == "products" })
            let hits = try #require(products["l1_hits"].int)
            let misses = try #require(products["misses"].int)
            #expect(hits >= 9)
            #expect(misses >= 1)
            #expect(products["l1_hit_rate"] == .number(Double(hits * 1000 / (hits + misses)) / 1000))
            #expect(products["l2_hit_rate"] == .number(0))
            #expect(products["entries"].int == 1)
            #expect((products["bytes"].int ?? 0) > 0)
            for name in ["evictions", "refused_stores", "bypasses", "version", "stale", "token_misses"] {
                #expect(products[name].int != nil)
            }
            let sum = json["modules"].elements.reduce(0) { $0 + ($1["l1_hits"].int ?? 0) }
            #expect(json["totals"]["l1_hits"].int == sum)
            for name in ["usable", "lag", "hole", "holes", "fresh_age_ms", "redis"] {
                #expect(json[name] != .null, "\(name)")
            }
        }
    }

    @Test("a key is explained before and after it is read, and explaining reads nothing")
    func explain() async throws {
        try await self.open { shop, token in
            let products = await shop.send(
                .post,
                "/v1/products",
                token: token,
                body: #"{"name":"Coffee","sku":"A1","price":"2.50"}"#
            )
            let id = try #require(products.json["id"].string)
            let path = "/v1/cache/explain?module=products&key=id:\(id)"
            for _ in 0..<2 {
                let before = await shop.send(.get, path, token: token)
                #expect(before.status == .ok, "\(before.text)")
                #expect(before.json["would_serve"].string == "database")
                #expect(before.json["l1"]["present"] == .bool(false))
                #expect(!before.json["because"].elements.isEmpty)
            }
            let read = try await self.settle(shop, token, "/v1/products/\(id)")
            let json = await shop.send(.get, path, token: token).json
            #expect(json["would_serve"].string == "l1", "\(json)")
            #expect(json["l1"]["present"] == .bool(true))
            #expect(json["l1"]["etag"].string == read["etag"])
            #expect(json["l1"]["snapshot"].string?.split(separator: ":").isEmpty == false)
            #expect(json["l1"]["age_ms"] != .null && json["l1"]["bytes"] != .null)
            #expect(json["l2"]["present"] == .bool(false))
            #expect((json["scope"]["version"].int ?? 0) > 0)
            let recent = json["scope"]["recent"].elements
            #expect(!recent.isEmpty && recent.count <= 32)
            for bump in recent {
                #expect(["own", "hint", "bus", "follow"].contains(bump["via"].string))
                #expect(bump["ms_ago"] != .null)
            }
            #expect(json["lane"]["usable"] == .bool(true))
            #expect(json["lane"]["hole"] == .bool(false))
            for name in ["applied", "head", "ns", "fresh_age_ms"] { #expect(json["lane"][name] != .null, "\(name)") }
        }
    }

    @Test("a key is asked for by its name, a module by one that exists, all faults at once; by owners alone")
    func explainErrors() async throws {
        try await self.open { shop, token in
            let none = await shop.send(.get, "/v1/cache/explain", token: token)
            #expect(none.status == .badRequest)
            #expect(none.json["errors"].elements.map { $0["pointer"].string } == ["?module", "?key"])
            #expect(none.json["errors"].elements.allSatisfy { $0["code"].string == "required" })
            let wrong = await shop.send(.get, "/v1/cache/explain?module=nothing&key=_g&x=1", token: token)
            let codes = wrong.json["errors"].elements.map { $0["code"].string }
            #expect(codes == ["not_allowed", "format", "unknown_parameter"])
            for key in ["a%20b", "%C3%B1", String(repeating: "k", count: 201)] {
                let reply = await shop.send(.get, "/v1/cache/explain?module=sales&key=\(key)", token: token)
                #expect(reply.status == .badRequest, "\(key)")
            }
            #expect(await shop.send(.get, "/v1/cache/explain?module=sales&key=a").status == .unauthorized)
        }
    }
}

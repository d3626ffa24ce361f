import Foundation
import TestSupport
import Testing

extension Integration {
    /// What the cache says of itself.
    @Suite("What can be seen of the cache")
    struct ObservationTests {
        @Test("explain tells where one key would be answered from, and why, and changes nothing")
        func explain() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "WHY")
            let path = "/v1/products/\(product)"
            let question = "/v1/cache/explain?module=products&key=id:\(product)"
            try await deployment.settles(for: tenant, within: .seconds(20))
            #expect(try await tenant.get(question).json["would_serve"].string == "database")
            #expect(
                try await tenant.get(path)[header: "Cache-Status"]?.contains("hit") == false,
                "asking filled nothing"
            )
            let held = try await tenant.warm(path)
            let here = try await tenant.get(question).json
            #expect(here["would_serve"].string == "l1", "\(here)")
            #expect(here["l1"]["etag"].string == held[header: "ETag"])
            #expect(here["lane"]["usable"] == .bool(true))
            try await eventually("the other instance would take it from Redis") {
                try await tenant.get(question, from: .b).json["would_serve"].string == "l2"
            }
            // The instance that wrote names its own write; the other tells by what way it heard of it.
            _ = try await tenant.rename(product, to: "Because")
            try await eventually("both say why not") {
                let writer = try await tenant.get(question).json
                let peer = try await tenant.get(question, from: .b).json
                return writer["would_serve"].string == "database" && peer["would_serve"].string == "database"
                    && writer["scope"]["recent"].elements.contains { $0["via"].string == "own" }
                    && peer["scope"]["recent"].elements.contains { $0["via"].string != "own" }
            }
            try await deployment.stop()
        }

        @Test("the metrics show lag, doubts and refusals, and count what was asked")
        func metrics() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "COUNTED")
            try await tenant.warm("/v1/products/\(product)")
            _ = try await tenant.rename(product, to: "Counted")
            try await deployment.redis?.command("CLIENT", "KILL", "TYPE", "pubsub")
            var text = ""
            try await eventually("hits, fills, lag and the broken bus are counted") {
                text = try await deployment.a.client.send("GET", "/metrics").text
                return Self.value(#"stock_cache_requests_total{"#, ["l1", "products", "hit"], in: text) > 0
                    && Self.value("stock_cache_fill_seconds_count{", ["products"], in: text) > 0
                    && Self.value("stock_cache_hole_total{", [], in: text) > 0
                    && Self.value("stock_cache_apply_to_l1_seconds_count", [], in: text) > 0
            }
            for name in [
                "stock_cache_commit_to_apply_seconds", "stock_cache_store_refused_total",
                "stock_cache_token_miss_total",
                "stock_cache_header_mismatch_total", "stock_cache_fresh_age_seconds", "stock_cache_l1_bytes",
                "stock_cache_bulkhead_refused_total", "stock_cache_stale_served_total", "stock_cache_outbox_rows",
                "stock_cache_unusable_seconds_total", "stock_cache_lease_stolen_total",
            ] { #expect(text.contains("# TYPE \(name) "), "\(name)") }
            #expect(Self.value("stock_cache_header_mismatch_total", [], in: text) == 0)
            try await deployment.stop()
        }

        /// The sum of a metric's series whose labels hold all the words.
        private static func value(_ name: String, _ words: [String], in text: String) -> Double {
            text.split(separator: "\n").filter { line in
                line.hasPrefix(name) && words.allSatisfy { line.contains("\"\($0)\"") }
            }.reduce(0) { $0 + (Double($1.split(separator: " ").last ?? "") ?? 0) }
        }
    }
}

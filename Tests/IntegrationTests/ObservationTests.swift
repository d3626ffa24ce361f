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

        @Test("a key as docs/cache.md writes it is the one that its answer is found under")
        func documentedKeys() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "Café-1")
            try await deployment.settles(for: tenant, within: .seconds(20))
            let page = try String(contentsOfFile: SourceTree.root + "/docs/cache.md", encoding: .utf8)
            let section = try #require(
                page.split(separator: "### The key of an answer").last?.split(separator: "\n## ").first
            )
            let rows = section.split(separator: "\n").filter { $0.hasPrefix("| `/v1/") }
            #expect(rows.count == 6)
            for row in rows {
                let words = row.replacingOccurrences(of: "{product}", with: "\(product)").split(separator: "`")
                    .map(String.init)
                let (path, module, key) = (words[1], words[words.count - 4], words[words.count - 2])
                _ = try await tenant.warm(path)
                let escaped = key.replacingOccurrences(of: "%", with: "%25")
                let explanation = try await tenant.get("/v1/cache/explain?module=\(module)&key=\(escaped)")
                #expect(explanation.json["would_serve"].string == "l1", "\(path): \(explanation.text)")
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
                text = try await deployment.a.operations.send("GET", "/metrics").text
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

        @Test("every metric has a value on an instance that works, none names a tenant, and a worker shows its own")
        func everyMetric() async throws {
            let deployment = try await Deployment.start(instances: 1, settings: ["CACHE_WARM_UP": "true"])
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "SHOWN")
            try await tenant.warm("/v1/products/\(product)")
            var text = ""
            var missing: [Substring] = []
            try await eventually(within: .seconds(10), "every metric has a value") {
                text = try await deployment.a.operations.send("GET", "/metrics").text
                let lines = text.split(separator: "\n")
                missing = lines.filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ") }.compactMap {
                    words in
                    let name = words[2]
                    let isThere = lines.contains { line in
                        line.hasPrefix("\(name){") || line.hasPrefix("\(name) ") || line.hasPrefix("\(name)_count")
                    }
                    return isThere ? nil : name
                }
                return missing.isEmpty
            }
            #expect(missing.isEmpty, "\(missing)")
            for line in [
                #"stock_http_request_seconds_count{method="GET",route="/v1/products/{id}",status="2xx"}"#,
                #"stock_postgres_connections{lane="exclusive"}"#, #"stock_postgres_wait_seconds_count{lane="shared"}"#,
                #"stock_redis_commands_total{result="ok"}"#, "stock_redis_connected 1", "stock_ready 1",
                "stock_postgres_available 1", "stock_cache_usable 1", #"stock_build_info{commit=""#,
                "process_cpu_seconds_total ", "process_open_fds ",
            ] { #expect(text.contains("\n\(line)"), "\(line)") }
            #expect(text.split(separator: "\n").count { !$0.hasPrefix("#") } <= 1500)
            #expect(!text.contains(tenant.slug) && !text.contains(product), "a label names what is a tenant's")
            // Clients cannot ask for it.
            #expect(try await deployment.a.client.send("GET", "/metrics").status == 404)
            #expect(try await tenant.get("/health/detailed").status == 404)

            let port = try FreePort.next()
            let worker = try StockCommand.spawn(
                ["serve", "--role", "worker"],
                environment: deployment.environment.merging(["STOCK_OPERATIONS_LISTEN": "127.0.0.1:\(port)"]) { $1 }
            )
            let operations = HTTPClient(port: port)
            try await eventually(within: .seconds(10), "the worker shows that it follows") {
                (try? await operations.send("GET", "/metrics"))?.text.contains("\nstock_cache_usable 1\n") == true
            }
            #expect(try await operations.send("GET", "/health/live").status == 200)
            worker.signal(SIGTERM)
            #expect(try await worker.waitForExit(within: .seconds(30)) == .exited(0))
            try await deployment.stop()
        }

        @Test("/metrics is answered while both stores are stopped, at once")
        func withoutStores() async throws {
            let deployment = try await Deployment.start(instances: 1, ownPostgres: true)
            try await deployment.postgres.pause()
            try await deployment.redis?.pause()
            let began = ContinuousClock.now
            for _ in 0..<5 { #expect(try await deployment.a.operations.send("GET", "/metrics").status == 200) }
            #expect(ContinuousClock.now - began < .seconds(1))
            await deployment.redis?.resume()
            await deployment.postgres.resume()
            try await deployment.stop()
            try await deployment.postgres.stop()
        }

        @Test("each request is one line of JSON with numbers as numbers; hits by their share, paths and secrets never")
        func lines() async throws {
            let deployment = try await Deployment.start(instances: 1, settings: ["LOG_HITS": "1"])
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "LINES")
            try await tenant.warm("/v1/products/\(product)")
            let sold = try await tenant.post(
                "/v1/sales",
                headers: ["X-Request-Id": "line-1"],
                Tenant.sale([(product, 1)], total: "1.00")
            )
            #expect(sold.status == 201, "\(sold.text)")
            _ = try await tenant.get("/v1/stk_SECRET-path?token=SECRET-query")
            var log: [JSON] = []
            try await eventually("the lines are written") {
                log = deployment.a.process.errors.lines.map { JSON(parsing: Array($0.utf8)) }
                    .filter { $0["message"].string == "request" }
                return log.contains { $0["request_id"].string == "line-1" }
                    && log.contains { $0["route"].string == "unmatched" }
            }
            let line = try #require(log.first { $0["request_id"].string == "line-1" })
            #expect(line["level"].string == "info")
            #expect(line["time"].string?.hasSuffix("Z") == true)
            #expect(line["method"].string == "POST" && line["route"].string == "/v1/sales")
            #expect(line["status"].int == 201)
            #expect(line["bytes"].int == sold.body.count)
            #expect(line["tenant"].int == tenant.id)
            #expect(line["user"].string?.isEmpty == false)
            #expect(line["client"].string == "127.0.0.1")
            guard case .number(let milliseconds) = line["duration_ms"] else {
                Issue.record("duration_ms is no number: \(line)")
                return
            }
            #expect(milliseconds > 0 && milliseconds < 60_000)
            #expect(log.contains { $0["cache"].string == "stock-l1; hit" && $0["route"].string == "/v1/products/{id}" })
            let text = deployment.a.log
            for secret in ["SECRET", tenant.token, Tenant.password] { #expect(!text.contains(secret)) }
            // Probes are none of it.
            #expect(!text.contains("/health/ready"))
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

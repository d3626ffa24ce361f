import Foundation
import TestSupport
import Testing

extension Integration {
    /// Invariants C8 and C12.
    @Suite("Cached bytes")
    struct CachedBytesTests {
        @Test(
            "over random edits memory, Redis, database and an instance without Redis answer the same bytes under a tag"
        )
        func sameBytesEverywhere() async throws {
            let deployment = try await Deployment.start()
            let alone = try await deployment.instance(named: "alone", withRedis: false)
            let clients = deployment.instances.map(\.client) + [alone.client]
            let tenant = try await deployment.tenant().at(clients)
            let editor = try await Editor(tenant)
            var random = SplitMix(seed: 8)
            var tags: [String: [UInt8]] = [:]
            var sources: [String: Int] = [:]
            for edit in 1...25 {
                let token = try await editor.edit(edit, &random)
                for path in editor.paths {
                    let miss = try await tenant.get(path, headers: ["Cache-Control": "no-cache"])
                    try #require(miss.status == 200, "\(path): \(miss.status) \(miss.text)")
                    let tag = try #require(miss[header: "ETag"])
                    for instance in [Tenant.Instance.a, .b, .c, .a, .b, .c] {
                        let read = try await tenant.get(path, from: instance, headers: ["Stock-Consistency": token])
                        let source = read[header: "Cache-Status"] ?? ""
                        sources["\(instance) \(source.prefix { $0 != "=" })", default: 0] += 1
                        #expect(read.body == miss.body, "edit \(edit), \(path) from \(instance): \(source)")
                        #expect(read[header: "ETag"] == tag, "edit \(edit), \(path) from \(instance): \(source)")
                    }
                    if let known = tags["\(path) \(tag)"] {
                        #expect(known == miss.body, "edit \(edit): \(path) changed its bytes and kept its tag")
                    }
                    tags["\(path) \(tag)"] = miss.body
                }
            }
            print("same bytes from: \(sources.sorted { $0.key < $1.key })")
            for instance in ["a", "b", "c"] {
                #expect(sources.contains { $0.key.hasPrefix("\(instance) stock-l1; hit") }, "\(sources)")
            }
            #expect(sources.contains { $0.key.contains("stock-l2; hit") }, "\(sources)")
            try await alone.terminate()
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("compressed bytes are the plain ones, from a hit and from a miss, under a tag of their own")
        func compressed() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let items = (0..<60).map { #"{"sku":"GZ-\#($0)","name":"Compressible product \#($0)","price":"1.00"}"# }
            let batch = #"{"products":[\#(items.joined(separator: ","))]}"#
            let made = try await tenant.post("/v1/products/batch", batch)
            try #require((200..<300).contains(made.status), "\(made.status) \(made.text)")
            let path = "/v1/products?limit=50"
            let folder = try ScratchFolder.make("gzip")
            for round in 1...3 {
                try await deployment.settles(for: tenant, within: .seconds(20))
                let plain = try await tenant.get(path, headers: ["Cache-Control": "no-cache"])
                #expect(plain[header: "Content-Encoding"] == nil)
                for instance in [Tenant.Instance.a, .b, .a, .b] {
                    let packed = try await tenant.get(path, from: instance, headers: ["Accept-Encoding": "gzip"])
                    #expect(packed.status == 200)
                    #expect(packed[header: "Content-Encoding"] == "gzip", "\(instance)")
                    #expect(packed[header: "Vary"]?.lowercased().contains("accept-encoding") == true)
                    #expect(packed.body.count < plain.body.count / 2)
                    let file = "\(folder)/\(round)-\(instance).gz"
                    try Data(packed.body).write(to: URL(filePath: file))
                    #expect(try await run("gzip", ["-dc", file]) == plain.text, "\(instance)")
                    let tag = try #require(packed[header: "ETag"])
                    #expect(tag != plain[header: "ETag"], "other bytes need another tag")
                    let unchanged = try await tenant.get(
                        path,
                        from: instance,
                        headers: ["Accept-Encoding": "gzip", "If-None-Match": tag]
                    )
                    #expect(unchanged.status == 304, "\(instance)")
                    #expect(try await tenant.get(path, from: instance).body == plain.body, "\(instance)")
                }
                let first = try #require(plain.json["data"][0]["id"].string)
                _ = try await tenant.rename(first, to: "Another name \(round)")
            }
            try await deployment.stop()
        }

        @Test("with the caches switched off the answers are the same")
        func withoutCaches() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let uncached = try await deployment.instance(named: "uncached", settings: ["CACHE_ENABLED": "false"])
            let tenant = try await deployment.tenant().at([deployment.a.client, uncached.client])
            let editor = try await Editor(tenant)
            var random = SplitMix(seed: 12)
            for edit in 1...10 {
                let token = try await editor.edit(edit, &random, instances: 2)
                for path in editor.paths {
                    let cached = try await tenant.get(path, headers: ["Stock-Consistency": token])
                    let fresh = try await tenant.get(path, from: .b, headers: ["Stock-Consistency": token])
                    #expect(fresh[header: "Cache-Status"]?.contains("hit") == false)
                    #expect(cached.body == fresh.body, "edit \(edit), \(path)")
                    #expect(cached[header: "ETag"] == fresh[header: "ETag"], "edit \(edit), \(path)")
                }
            }
            try await uncached.terminate()
            try await deployment.stop()
        }
    }
}

/// Somebody who changes this and that in a shop, at any instance.
private struct Editor {
    let tenant: Tenant
    let products: [String]
    let paths: [String]

    init(_ tenant: Tenant) async throws {
        self.tenant = tenant
        var products: [String] = []
        for number in 0..<4 {
            products.append(try await tenant.product(sku: "E\(number)", price: "2.00", onHand: 1000))
        }
        self.products = products
        self.paths =
            products.map { "/v1/products/\($0)" } + [
                "/v1/products", "/v1/categories", "/v1/stock", "/v1/sales", "/v1/customers", "/v1/balance/summary",
                "/v1/balance/series?view=daily", "/v1/balance/series?view=monthly",
            ]
    }

    /// One change; returns the token of the write.
    func edit(_ number: Int, _ random: inout SplitMix, instances: UInt64 = 3) async throws -> String {
        guard let instance = Tenant.Instance(rawValue: Int(random.next() % instances)) else { return "" }
        let product = products[Int(random.next() % UInt64(products.count))]
        let answer: HTTPResponse
        switch random.next() % 5 {
        case 0:
            answer = try await tenant.rename(product, to: "Edit \(number)", at: instance)
        case 1:
            answer = try await tenant.post("/v1/sales", to: instance, Tenant.sale([(product, 1)], total: "2.00"))
        case 2:
            answer = try await tenant.post(
                "/v1/stock/movements",
                to: instance,
                #"{"movements":[{"product_id":"\#(product)","type":"adjustment","quantity":"1","reason":"found"}]}"#
            )
        case 3:
            answer = try await tenant.send(
                "POST",
                "/v1/categories",
                to: instance,
                body: #"{"name":"Category \#(number)"}"#
            )
        default:
            answer = try await tenant.send(
                "POST",
                "/v1/customers",
                to: instance,
                body: #"{"name":"Customer \#(number)"}"#
            )
        }
        try #require((200..<300).contains(answer.status), "\(answer.status) \(answer.text)")
        return try #require(answer[header: "Stock-Consistency"])
    }
}

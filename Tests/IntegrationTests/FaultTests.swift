import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("Faults of the stores")
    struct FaultTests {
        @Test("Redis stopped, started and flushed under reads and sales: no 5xx, and nothing stale afterwards")
        func redisComesAndGoes() async throws {
            let deployment = try await Deployment.start()
            let redis = try #require(deployment.redis)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "TOUGH", price: "1.00")
            let load = Load(tenant: tenant, product: product)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<4 { group.addTask { try await load.run(worker) } }
                try await load.passes(100)
                try await redis.stop()
                try await load.passes(100)
                try await eventually("the health of the cache is degraded") {
                    try await deployment.a.client.send("GET", "/health/cache").json["status"].string == "degraded"
                }
                try await redis.start(keepingData: false)
                try await load.passes(100)
                for _ in 0..<5 {
                    try await redis.command("FLUSHALL")
                    try await load.passes(40)
                }
                try await redis.pause()
                try await load.passes(60)
                await redis.resume()
                try await load.passes(100)
                load.end()
                try await group.waitForAll()
            }
            let counts = load.counts
            #expect(counts.unexpected.isEmpty, "\(counts.unexpected.prefix(5))")
            try await eventually("the health of the cache is ok again") {
                try await deployment.a.client.send("GET", "/health/cache").json["status"].string == "ok"
            }
            for instance in [Tenant.Instance.a, .b] {
                try await eventually(within: .seconds(3), "all \(counts.sales) sales show") {
                    try await tenant.incomeToday(from: instance).income == "\(counts.sales).00"
                }
            }
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("PostgreSQL stopped: 503 with Retry-After; started: service again within 10 seconds, without a restart")
        func postgresRestarts() async throws {
            let deployment = try await Deployment.start(ownPostgres: true)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "AGAIN", price: "1.00")
            let sale = Tenant.sale([(product, 1)], total: "1.00")
            #expect(try await tenant.post("/v1/sales", sale).status == 201)

            try await deployment.postgres.stop(.immediate)
            try await eventually("a sale is refused for want of the database") {
                let answer = try await tenant.post("/v1/sales", sale)
                #expect(answer.status == 503, "\(answer.text)")
                #expect(answer[header: "Retry-After"] != nil)
                let code = answer.json["code"].string
                #expect(["database_unavailable", "outcome_unknown", "overloaded"].contains(code), "\(code ?? "")")
                return code == "database_unavailable"
            }
            #expect(try await deployment.a.client.send("GET", "/health/live").status == 200)

            try await deployment.postgres.restart()
            for instance in [Tenant.Instance.a, .b] {
                try await eventually(within: .seconds(10), "sales go on") {
                    try await tenant.post("/v1/sales", to: instance, sale).status == 201
                }
                try await eventually(within: .seconds(10), "the caches are used again") {
                    try await tenant.incomeToday(from: instance).cacheStatus.hasPrefix("stock-l1; hit")
                }
            }
            #expect(try await tenant.incomeToday(from: .b, headers: ["Cache-Control": "no-cache"]).income == "3.00")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("SIGTERM drains: the instance says so, finishes, and exits with 0")
        func drains() async throws {
            let deployment = try await Deployment.start(instances: 1)
            #expect(try await deployment.a.terminate() == .exited(0))
            try await deployment.stop()
        }
    }
}

/// Reads and sales from several tasks, until told to end.
private final class Load: Sendable {
    struct Counts {
        var sales = 0
        var requests = 0
        var unexpected: [String] = []
    }

    private let tenant: Tenant
    private let product: String
    private let state = Mutex((counts: Counts(), isEnding: false))

    init(tenant: Tenant, product: String) {
        self.tenant = tenant
        self.product = product
    }

    var counts: Counts { state.withLock { $0.counts } }

    func end() { state.withLock { $0.isEnding = true } }

    func run(_ worker: Int) async throws {
        let instance: Tenant.Instance = worker.isMultiple(of: 2) ? .a : .b
        while !state.withLock({ $0.isEnding }) {
            let sale = try await tenant.post("/v1/sales", to: instance, Tenant.sale([(product, 1)], total: "1.00"))
            record(sale, expected: 201, isSale: true)
            for path in ["/v1/balance/series?view=daily", "/v1/products/\(product)", "/v1/sales?limit=5"] {
                record(try await tenant.get(path, from: instance), expected: 200, isSale: false)
            }
        }
    }

    /// Waits until this many more requests were answered.
    func passes(_ count: Int) async throws {
        let goal = counts.requests + count
        try await eventually(within: .seconds(60), "\(count) more requests are answered") { counts.requests >= goal }
    }

    private func record(_ answer: HTTPResponse, expected: Int, isSale: Bool) {
        state.withLock { state in
            state.counts.requests += 1
            if answer.status != expected {
                state.counts.unexpected.append("\(answer.status) \(answer.text)")
            } else if isSale {
                state.counts.sales += 1
            }
        }
    }
}

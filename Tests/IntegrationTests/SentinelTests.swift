import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Redis with Sentinel")
    struct SentinelTests {
        @Test("an instance follows a failover, and doctor names the primary of the time")
        func failover() async throws {
            let primary = try await RedisServer.start(tcp: true, password: "pw")
            let replica = try await RedisServer.start(replicaOf: primary)
            let sentinel = try await RedisSentinel.start(monitoring: primary, name: "shop")
            try await sentinel.isAware(ofReplicas: 1, sentinels: 0, name: "shop")
            let deployment = try await Deployment.start(
                instances: 1,
                withRedis: false,
                settings: [
                    "REDIS_SENTINELS": sentinel.address, "REDIS_SENTINEL_MASTER": "shop", "REDIS_PASSWORD": "pw",
                ]
            )
            func cacheIsWell() async throws -> Bool {
                try await deployment.a.client.send("GET", "/health/cache").text.contains("\"ok\"")
            }
            func namedByDoctor() async throws -> String {
                try await deployment.command("doctor").output
            }
            try await eventually(within: .seconds(20), "the caches are in use") { try await cacheIsWell() }
            #expect(
                try await namedByDoctor().contains("127.0.0.1:\(primary.port ?? 0) answers; Sentinel calls it shop")
            )

            try await primary.kill()
            try await eventually(within: .seconds(20), "the loss is noticed") { try await !cacheIsWell() }
            try await eventually(within: .seconds(30), "the caches are in use again") { try await cacheIsWell() }
            #expect(try await namedByDoctor().contains("127.0.0.1:\(replica.port ?? 0) answers"))
            try await deployment.stop()
            try await sentinel.kill()
            try await replica.kill()
        }

        @Test(
            "sentinels beside another way to Redis, or misspelt, stop the start with one line that names the variable",
            arguments: [
                (
                    ["REDIS_SENTINELS": "a:1", "REDIS_URL": "redis://b"],
                    "REDIS_SENTINELS cannot be combined with REDIS_URL"
                ),
                (["REDIS_SENTINELS": "a:1", "REDIS_HOST": "b"], "REDIS_SENTINELS cannot be combined with REDIS_HOST"),
                (["REDIS_SENTINELS": "a:0"], "REDIS_SENTINELS is no list of addresses"),
                (
                    ["REDIS_SENTINELS": "a:1", "REDIS_SENTINEL_MASTER": "my master"],
                    "REDIS_SENTINEL_MASTER is 'my master'"
                ),
            ]
        )
        func configuration(settings: [String: String], words: String) async throws {
            var environment = [
                "DATABASE_URL": "postgres://stock_app@127.0.0.1:1/nothing",
                "AUTH_SECRET": "integration-tests-only-0123456789abcdef",
                "STOCK_LISTEN": "127.0.0.1:\(try FreePort.next())",
            ]
            environment.merge(settings) { $1 }
            let result = try await StockCommand.run(["serve"], environment: environment, within: .seconds(20))
            #expect(result.status == .exited(78), "\(result.status) \(result.errors)")
            #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
            #expect(result.errors.contains(words), "\(result.errors)")
        }
    }
}

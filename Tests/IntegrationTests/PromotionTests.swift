import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("PostgreSQL with a standby")
    struct PromotionTests {
        @Test(
            "a promoted standby that missed the last writes: what it does not have is served by nobody, and numbers used twice hide nothing",
            arguments: [true, false]
        )
        func promotion(withRedis: Bool) async throws {
            let deployment = try await Deployment.start(standby: true, withRedis: withRedis)
            let standby = try #require(deployment.standby)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "KEPT")
            let path = "/v1/products/\(product)"
            _ = try await tenant.rename(product, to: "kept")
            try await deployment.settles(for: tenant, within: .seconds(20))
            let position = try await deployment.database.psql("SELECT pg_current_wal_insert_lsn()")
            try await eventually("the standby has what was written so far") {
                try await standby.psql("SELECT pg_last_wal_replay_lsn() >= '\(position)'", database: "postgres") == "t"
            }
            try await standby.detach()

            // Acknowledged, cached everywhere, and lost with the primary: that is what asynchronous replication is.
            let lost = try await tenant.rename(product, to: "lost")
            let token = try #require(lost[header: "Stock-Consistency"])
            try await deployment.settles(for: tenant, within: .seconds(20))
            for instance in [Tenant.Instance.a, .b] {
                #expect(try await tenant.warm(path, at: instance).json["name"].string == "lost")
            }
            try await deployment.postgres.kill()
            try await standby.promote()

            // The relay finds another history and rotates; from then on the caches hold what the new primary has.
            for instance in [Tenant.Instance.a, .b] {
                try await eventually(within: .seconds(30), "instance \(instance) answers from the new primary") {
                    let answer = try await tenant.get(path, from: instance)
                    return answer.status == 200 && answer.json["name"].string == "kept"
                }
            }
            for instance in [Tenant.Instance.a, .b] {
                #expect(try await tenant.warm(path, at: instance).json["name"].string == "kept")
                // A token of the lost history: nothing can satisfy it, so the primary answers.
                let read = try await tenant.get(path, from: instance, headers: ["Stock-Consistency": token])
                #expect(read.json["name"].string == "kept")
                #expect(read[header: "Cache-Status"]?.contains("fwd=bypass") == true, "\(read.headers)")
            }
            // The log goes on with numbers that the lost writes had, too.
            for round in 1...5 {
                let written = try await tenant.rename(product, to: "new \(round)")
                let token = try #require(written[header: "Stock-Consistency"])
                let read = try await tenant.get(path, from: .b, headers: ["Stock-Consistency": token])
                #expect(read.json["name"].string == "new \(round)")
                try await eventually(within: .seconds(5), "the peer's caches have the write") {
                    try await tenant.warm(path, at: .b).json["name"].string == "new \(round)"
                }
            }
            let causes = deployment.instances.map(\.log).joined().components(separatedBy: "cache rotated").count - 1
            #expect(causes >= 1, "nobody rotated")
            try await deployment.expectHealthy()
            for instance in deployment.instances { try await instance.terminate() }
            try await deployment.redis?.stop()
            try await standby.stop()
        }
    }
}

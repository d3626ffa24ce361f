import Foundation
import TestSupport
import Testing

extension Integration {
    /// Invariant C7, over HTTP; with ten thousand readers of each instance in CoherenceTests, where a reader costs no connection.
    @Suite("A crowd costs one fill")
    struct CrowdTests {
        /// Readers of each instance; a server takes 4,096 connections.
        static let size = ProcessInfo.processInfo.environment["STOCK_TEST_CROWD"].flatMap { Int($0) } ?? 300

        /// A server that counts the statements it runs.
        static let counting = ["shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "top"]

        @Test(
            "a cold key asked for by a crowd at each of three instances is filled once; without Redis once by each",
            arguments: [true, false]
        )
        func oneFill(withRedis: Bool) async throws {
            let deployment = try await Deployment.start(
                instances: 3,
                postgresSettings: Self.counting,
                withRedis: withRedis
            )
            let tenant = try await deployment.tenant()
            try await deployment.database.psql("CREATE EXTENSION pg_stat_statements")
            var counted = 0
            for round in 1...9 where counted < 3 {
                let product = try await tenant.product(sku: "COLD-\(round)", onHand: round)
                // A write applied late would retire the value between two readers: rightly, but here it would be counted.
                try await deployment.settles(for: tenant, within: .seconds(20))
                // Each instance knows the caller before the crowd comes.
                for instance in tenant.clients { _ = try await tenant.at([instance]).get("/v1/me") }
                let crowds = try await inParallel(3) { number in
                    try await Crowd.gather(
                        Self.size,
                        at: deployment.instances[number].port,
                        toGet: "/v1/products/\(product)",
                        token: tenant.token
                    )
                }
                let lapses = Self.lapses(deployment)
                let before = try await Self.fills(deployment)
                let answers = try await inParallel(3) { try await crowds[$0].ask() }.flatMap { $0 }
                let fills = try await Self.fills(deployment) - before
                #expect(answers.count == 3 * Self.size)
                #expect(answers.allSatisfy { $0.status == 200 }, "\(Set(answers.map(\.status)))")
                #expect(Set(answers.map(\.body)).count == 1)
                let statuses = Dictionary(grouping: answers, by: \.cacheStatus).mapValues(\.count)
                print("crowd of \(answers.count), Redis \(withRedis): \(fills) fills, \(statuses)")
                // An instance that a busy machine kept from following the log reads from the database meanwhile, and rightly.
                guard Self.lapses(deployment) == lapses else { continue }
                counted += 1
                if withRedis {
                    #expect(fills == 1, "\(statuses)")
                } else {
                    #expect((1...3).contains(fills), "\(statuses)")
                }
            }
            #expect(counted == 3, "in no three rounds all instances could use their caches")
            try await deployment.stop()
            try await deployment.postgres.stop()
        }

        /// How often an instance has said that it does not use its caches.
        private static func lapses(_ deployment: Deployment) -> Int {
            deployment.instances.reduce(0) { $0 + $1.log.components(separatedBy: "cache not in use").count }
        }

        /// How often the statement of a product's body has run.
        private static func fills(_ deployment: Deployment) async throws -> Int {
            let calls = try await deployment.database.psql(
                """
                SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
                WHERE query LIKE 'SELECT d.body, d.etag, pg_current_snapshot()%stock.product_body(%'
                """
            )
            return try #require(Int(calls))
        }

        @Test("an instance killed while it fills delays the others by less than two seconds")
        func deadFiller() async throws {
            let deployment = try await Deployment.start(instances: 3)
            let tenant = try await deployment.tenant()
            let redis = try #require(deployment.redis)
            var begun: (path: String, doomed: Task<Int, any Error>, blockade: Blockade)?
            for round in 1...5 where begun == nil {
                let product = try await tenant.product(sku: "ORPHAN-\(round)")
                let path = "/v1/products/\(product)"
                try await deployment.settles(for: tenant, within: .seconds(20))
                for instance in tenant.clients { _ = try await tenant.at([instance]).get("/v1/me") }

                // The statement of the fill waits for the table, so that the instance can be killed with its lease in hand.
                let blockade = try await Blockade.begin(
                    "LOCK TABLE stock.product IN ACCESS EXCLUSIVE MODE",
                    on: deployment.database
                )
                let doomed = Task { try await tenant.get(path, from: .c).status }
                do {
                    try await eventually("the fill's lease is in Redis") {
                        try await !redis.command("--scan", "--pattern", "*:products:_l:*").isEmpty
                    }
                    begun = (path, doomed, blockade)
                } catch {
                    // An instance that a busy machine keeps from following the log reads from the database meanwhile, and rightly.
                    try await blockade.end()
                    print("\(error); the answer: \(await doomed.result)")
                }
            }
            let (path, doomed, blockade) = try #require(begun, "in no five rounds a fill had a lease")
            async let first = tenant.get(path, from: .a)
            async let second = tenant.get(path, from: .b)
            try await deployment.instances[2].kill()
            let killed = ContinuousClock.now
            try await blockade.end()
            for answer in [try await first, try await second] {
                #expect(answer.status == 200, "\(answer.text)")
            }
            let delay = ContinuousClock.now - killed
            #expect(delay < .seconds(2), "\(delay)")
            print("a dead filler delayed the others by \(delay)")
            _ = await doomed.result
            try await deployment.stop()
        }
    }
}

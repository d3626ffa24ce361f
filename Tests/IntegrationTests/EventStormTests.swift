import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Events of days on end")
    struct EventStormTests {
        private static func number(_ name: String, _ usual: Int) -> Int {
            ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? usual
        }

        /// Deaths of a relay; a hundred by hand.
        static let kills = number("STOCK_TEST_RELAY_KILLS", 6)
        /// Events written meanwhile, and once more while nobody is there; a million by hand.
        static let events = number("STOCK_TEST_EVENTS", 26_000)
        /// Of one transaction.
        private static let step = 10

        /// Commits events by four writers at once, ten in each transaction; says how many.
        private static func write(_ count: Int, _ deployment: Deployment, _ tenant: Tenant) async throws -> Int {
            let transactions = max(1, count / (4 * step))
            _ = try await inParallel(4) { _ in
                try await deployment.database.psql(
                    """
                    DO $$ BEGIN
                        FOR number IN 1..\(transactions) LOOP
                            INSERT INTO stock.domain_event (tenant_id, type, payload)
                            SELECT \(tenant.id), 'stock.low', '{}' FROM generate_series(1, \(step));
                            COMMIT;
                        END LOOP;
                    END $$
                    """
                )
            }
            return 4 * transactions * step
        }

        /// Reads the feed up to an event, and holds every number against the one before; says the last.
        private static func read(_ tenant: Tenant, after: Int, upTo last: Int) async throws -> Int {
            var seen = after
            let limit = Duration.seconds(300 + (last - after) / 200)
            try await eventually(within: limit, every: .milliseconds(5), "event \(last) is told") {
                let answer = try await tenant.get("/v1/events?after=\(seen)&limit=200&wait=5")
                // A relay that died leaves the caches unused for a moment, in which there may be more to do than can be.
                guard answer.status != 503 else { return false }
                try #require(answer.status == 200, "\(answer.status) \(answer.text)")
                for event in answer.json["data"].elements {
                    try #require(event["seq"].int == seen + 1, "\(event["seq"]) after \(seen)")
                    seen += 1
                }
                return seen >= last
            }
            return seen
        }

        @Test("relays die under thousands of commits, then nobody is there for as many: all are told once, in order")
        func storm() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant()
            // A key, as reading may take longer than an access token lives.
            let made = try await tenant.post("/v1/api-keys", #"{"name":"Reader","scopes":["stock:read"]}"#)
            let reader = Tenant(
                slug: tenant.slug,
                id: tenant.id,
                token: try #require(made.json["secret"].string, "\(made.status) \(made.text)"),
                clients: tenant.clients
            )
            let head = try #require(try await tenant.get("/v1/events?limit=1").json["head"].int)
            // Alone, so that it is the one who drains.
            try await deployment.a.terminate()
            var (written, begun) = (0, 0)
            for round in 0..<Self.kills {
                // In the middle of its work, at one of two places, each time a little later; where that is while it begins, it has died, too.
                let place = round.isMultiple(of: 2) ? "after_drain:\(8 + round)" : "after_apply:\(3 + round % 7)"
                let doomed = try? await deployment.instance(
                    named: "doomed-\(round)",
                    settings: ["STOCK_FAILPOINT": place]
                )
                if doomed != nil { begun += 1 }
                written += try await Self.write(Self.events / Self.kills, deployment, tenant)
                let death = "the relay of round \(round) has died"
                try await eventually(within: .seconds(60), every: .milliseconds(50), death) {
                    guard let doomed, doomed.process.isRunning else { return true }
                    written += try await Self.write(1, deployment, tenant)
                    return false
                }
            }
            #expect(begun > 0, "none of them began")
            written += try await Self.write(Self.events, deployment, tenant)
            let waiting = try await deployment.database.psql(
                "SELECT count(*) FROM stock.domain_event WHERE seq IS NULL AND tenant_id = \(tenant.id)"
            )
            #expect(try #require(Int(waiting)) >= Self.events)
            let again = try await deployment.instance(named: "again", port: deployment.a.port)
            let seen = try await Self.read(reader, after: head, upTo: head + written)
            #expect(seen == head + written)
            let rows = try await deployment.database.psql(
                """
                SELECT count(*), count(seq), max(seq), (SELECT count(*) FROM stock.cache_outbox)
                FROM stock.domain_event WHERE tenant_id = \(tenant.id)
                """
            )
            #expect(rows == "\(head + written)|\(head + written)|\(head + written)|0")
            print("events: \(written) told over \(Self.kills) deaths of a relay and one of everybody")
            try await deployment.expectHealthy()
            try await again.terminate()
            try await deployment.stop()
        }
    }
}

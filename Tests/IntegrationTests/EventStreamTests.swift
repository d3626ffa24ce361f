import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("Events are followed on any instance")
    struct EventStreamTests {
        private static func sell(_ tenant: Tenant, _ product: String, at instance: Tenant.Instance = .a) async throws {
            let sold = try await tenant.post("/v1/sales", to: instance, Tenant.sale([(product, 1)], total: "1.00"))
            try #require(sold.status == 201, "\(sold.text)")
        }

        private static func head(_ tenant: Tenant) async throws -> Int {
            try #require(try await tenant.get("/v1/events?limit=1").json["head"].int)
        }

        @Test(
            "a sale on one instance is heard on the other, and what it says to read again is there",
            arguments: [true, false]
        )
        func acrossInstances(withRedis: Bool) async throws {
            let deployment = try await Deployment.start(withRedis: withRedis)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "HEARD", price: "1.00")
            try await deployment.settles(for: tenant)
            let stream = try EventSource(port: deployment.b.port, token: tenant.token, query: "changes=true")
            try await stream.hears("ready") { $0.event == "ready" }
            let head = try await Self.head(tenant)
            var lags: [Duration] = []
            for number in 1...30 {
                try await Self.sell(tenant, product)
                let sold = ContinuousClock.now
                let heard = try await stream.hears("event \(head + number)") { $0.id == head + number }
                lags.append(heard - sold)
                // Whoever reads again when told to, with what came along, sees what was sold.
                try await eventually("the change of sale \(number) leads to it") {
                    guard let change = stream.messages.last(where: { $0.event == "change" }),
                        change.data.contains("balance"), let consistency = change.json["consistency"].string
                    else { return false }
                    return try await tenant.incomeToday(from: .b, headers: ["Stock-Consistency": consistency]).income
                        == "\(number).00"
                }
            }
            #expect(stream.ids == Array(head + 1...head + 30))
            lags.sort()
            print("events from the answer on A to the stream on B: p50 \(lags[15]), max \(lags[29])")
            #expect(lags[15] < .seconds(1))
            try await stream.hears("progress", within: .seconds(3)) { $0.event == "progress" && $0.id == head + 30 }
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("relays are killed and units held open while streams come and go: dense, none missing, none out of order")
        func killed() async throws {
            let deployment = try await Deployment.start(instances: 3)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "KILLED", price: "1.00")
            let head = try await Self.head(tenant)
            // Its events get their numbers when it ends, behind those that committed meanwhile.
            let held = try await Blockade.begin("SELECT pg_advisory_lock(51)", on: deployment.database)
            let (database, number) = (deployment.database, tenant.id)
            async let unit = database.psql(
                """
                BEGIN; INSERT INTO stock.domain_event (tenant_id, type) VALUES (\(number), 'stock.low');
                SELECT pg_advisory_xact_lock(51); COMMIT
                """
            )
            let survivor = tenant.at([deployment.instances[2].client])
            var streams = try [EventSource(port: deployment.a.port, token: tenant.token)]
            try await streams[0].hears("ready") { $0.event == "ready" }
            var instances = deployment.instances
            for round in 0..<4 {
                for _ in 0..<5 { try await Self.sell(survivor, product) }
                try await instances[round % 2].kill()
                for _ in 0..<5 { try await Self.sell(survivor, product) }
                // Whoever followed the one that died goes on elsewhere, with what it has seen.
                let before = try #require(streams.last)
                before.cut()
                try await eventually("the stream has ended") { before.isOver }
                let seen = before.lastID
                streams.append(
                    try EventSource(port: deployment.instances[2].port, token: tenant.token, lastID: seen ?? head)
                )
                instances[round % 2] = try await deployment.instance(
                    named: "again-\(round)",
                    settings: ["STOCK_FAILPOINT": round == 1 ? "after_drain:30" : ""]
                )
            }
            try await held.end()
            _ = try await unit
            let last = head + 41
            let stream = try #require(streams.last)
            try await stream.hears("the last event", within: .seconds(20)) { $0.id == last && $0.event == "message" }
            #expect(streams.flatMap(\.ids) == Array(head + 1...last))
            let rows = try await deployment.database.psql(
                "SELECT count(*), count(seq), max(seq) FROM stock.domain_event WHERE tenant_id = \(tenant.id)"
            )
            #expect(rows == "\(last)|\(last)|\(last)")
            for stream in streams { stream.cut() }
            for instance in instances where instance.process.isRunning { try await instance.terminate() }
            try await deployment.database.drop()
        }

        @Test("who does not read is let go and resumes; an instance that drains sends its streams away first")
        func slowAndDrained() async throws {
            let deployment = try await Deployment.start(settings: ["STOCK_DRAIN_DELAY": "2"])
            let tenant = try await deployment.tenant()
            let slow = try EventSource(
                port: deployment.b.port,
                token: tenant.token,
                query: "after=0",
                reads: false,
                receiveBuffer: 4096
            )
            let quick = try EventSource(port: deployment.b.port, token: tenant.token, query: "after=0")
            try await quick.hears("ready") { $0.event == "ready" }
            let before = try await Self.head(tenant)
            // More than sockets and buffers hold, in steps that a reader keeps up with.
            for step in 1...60 {
                try await deployment.database.psql(
                    """
                    INSERT INTO stock.domain_event (tenant_id, type, payload)
                    SELECT \(tenant.id), 'stock.low', json_build_object('text', repeat('x', 3000)) FROM generate_series(1, 20)
                    """
                )
                try await quick.hears("step \(step)") { $0.id == before + 20 * step && $0.event == "message" }
            }
            #expect(quick.ids.suffix(1200) == Array(before + 1...before + 1200)[...])
            try await eventually("the slow one is let go") {
                try await deployment.b.operations.send("GET", "/metrics").text
                    .contains("stock_event_streams_slow_total 1")
            }
            withExtendedLifetime(slow) {}
            let resumed = try EventSource(port: deployment.a.port, token: tenant.token, lastID: before + 1190)
            try await resumed.hears("the last") { $0.id == before + 1200 }
            #expect(resumed.ids == Array(before + 1191...before + 1200))

            deployment.b.process.signal(SIGTERM)
            try await quick.hears("end", within: .seconds(5)) { $0.event == "end" && $0.data.contains("draining") }
            try await deployment.b.process.waitForExit(within: .seconds(30))
            #expect(resumed.isOver == false)
            try await deployment.a.terminate()
            try await deployment.redis?.stop()
            try await deployment.database.drop()
        }
    }
}

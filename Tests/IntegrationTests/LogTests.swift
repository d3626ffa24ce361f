import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    /// Invariants C6, C9 and C10.
    @Suite("The log and what it leaves behind")
    struct LogTests {
        @Test("under relays that are killed the log is dense, has each outbox row once, and is soon applied everywhere")
        func loggedOnce() async throws {
            let deployment = try await Deployment.start()
            let owner = try await deployment.tenant()
            // A copy of every outbox row that ever commits, made beside the code under test.
            try await deployment.database.psql(
                """
                CREATE TABLE public.witness (xid xid8, tenant_id bigint, module text);
                CREATE FUNCTION public.witness() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
                BEGIN
                    INSERT INTO public.witness SELECT NEW.xid, NEW.tenant_id, unnest(NEW.modules);
                    RETURN NEW;
                END $$;
                CREATE TRIGGER witness AFTER INSERT ON stock.cache_outbox FOR EACH ROW EXECUTE FUNCTION public.witness();
                ALTER TABLE stock.cache_outbox ENABLE ALWAYS TRIGGER witness
                """
            )
            let product = try await owner.product(sku: "LOGGED", price: "1.00")
            let progress = Progress()
            let survivor = try await withThrowingTaskGroup(of: StockProcess?.self) { group in
                for writer in 0..<3 {
                    group.addTask {
                        // Raw SQL beside the API: what invalidates is the trigger.
                        while !progress.isOver.load(ordering: .relaxed) {
                            if writer == 0 {
                                try await deployment.database.psql(
                                    "UPDATE stock.product SET name = name || '' WHERE id = '\(product)'"
                                )
                            } else {
                                let sale = try await owner.post("/v1/sales", Tenant.sale([(product, 1)], total: "1.00"))
                                #expect(sale.status == 201, "\(sale.text)")
                            }
                            progress.written.wrappingAdd(1, ordering: .relaxed)
                        }
                        return nil
                    }
                }
                group.addTask {
                    defer { progress.isOver.store(true, ordering: .relaxed) }
                    // Instance b dies at each of the relay's steps in turn, and of a plain SIGKILL.
                    var doomed = deployment.b
                    for failpoint in ["after_drain:20", "", "after_apply:20", "", "after_drain:5"] {
                        let before = progress.written.load(ordering: .relaxed)
                        if failpoint.isEmpty {
                            try await eventually(within: .seconds(60), "writes go on") {
                                progress.written.load(ordering: .relaxed) > before + 15
                            }
                            try await doomed.kill()
                        } else {
                            try await doomed.kill()
                            doomed = try await deployment.instance(
                                named: "doomed",
                                settings: ["STOCK_FAILPOINT": failpoint]
                            )
                            let victim = doomed
                            try await eventually(within: .seconds(60), "the instance dies, or writes go on without") {
                                !victim.process.isRunning || progress.written.load(ordering: .relaxed) > before + 60
                            }
                            if victim.process.isRunning { try await victim.kill() }
                        }
                        if !doomed.process.isRunning {
                            doomed = try await deployment.instance(named: "again")
                        }
                    }
                    return doomed
                }
                var last: StockProcess?
                for try await instance in group { last = instance ?? last }
                return try #require(last)
            }
            let tenant = owner.at([deployment.a.client, survivor.client])
            try await deployment.settles(
                for: tenant,
                within: .seconds(5),
                "five seconds after the faults all is applied"
            )

            let rows = try await deployment.database.psql(
                "SELECT count(*), max(seq) - min(seq) + 1 FROM stock.cache_log"
            )
            let counts = rows.split(separator: "|").map { Int($0) }
            #expect(counts[0] == counts[1], "a hole in the log: \(rows)")
            let ahead = try await deployment.database.psql(
                "SELECT (SELECT max(seq) FROM stock.cache_log) - (SELECT head_seq FROM stock.cache_lane)"
            )
            #expect(ahead == "0")
            let twice = try await deployment.database.psql(
                """
                SELECT count(*) FROM (SELECT x, tenant_id, module FROM stock.cache_log, unnest(xids) AS x
                                      GROUP BY x, tenant_id, module HAVING count(*) > 1) AS t
                """
            )
            #expect(twice == "0", "rows logged twice")
            let missing = try await deployment.database.psql(
                """
                SELECT (SELECT count(*) FROM public.witness),
                       (SELECT count(*) FROM public.witness w WHERE NOT EXISTS (
                            SELECT FROM stock.cache_log l
                            WHERE l.tenant_id = w.tenant_id AND l.module = w.module AND w.xid = ANY (l.xids)))
                """
            )
            let found = missing.split(separator: "|").map { Int($0) ?? -1 }
            #expect(found[0] > 200, "the witness saw \(missing)")
            #expect(found[1] == 0, "rows never logged: \(missing)")
            print("log: \(rows) rows, outbox rows witnessed and missing: \(missing)")
            try await deployment.database.psql(
                "DROP TRIGGER witness ON stock.cache_outbox; DROP FUNCTION public.witness; DROP TABLE public.witness"
            )
            try await survivor.terminate()
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("after Redis, the bus, PostgreSQL and an instance were away, five seconds suffice")
        func settlesAfterFaults() async throws {
            let deployment = try await Deployment.start(ownPostgres: true)
            let redis = try #require(deployment.redis)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "HEALS", price: "1.00")
            for fault in ["redis", "flush", "bus", "frozen", "postgres", "instance"] {
                var instances = tenant.clients
                var extra: StockProcess?
                switch fault {
                case "redis":
                    try await redis.kill()
                    _ = try await tenant.rename(product, to: "Without Redis")
                    try await redis.start(keepingData: false)
                case "flush": try await redis.command("FLUSHALL")
                case "bus": try await redis.command("CLIENT", "KILL", "TYPE", "pubsub")
                case "frozen":
                    try await redis.pause()
                    _ = try await tenant.rename(product, to: "Frozen")
                    await redis.resume()
                case "postgres":
                    try await deployment.postgres.restart(.immediate)
                    // Each instance connects anew by itself, its connections for writes after those for reads.
                    try await eventually(within: .seconds(10), "PostgreSQL is used again, by both, for writing") {
                        var statuses: [Int] = []
                        for instance in [Tenant.Instance.a, .b] {
                            statuses.append(
                                try await tenant.send(
                                    "PATCH",
                                    "/v1/products/\(product)",
                                    to: instance,
                                    headers: ["If-Match": "*"],
                                    body: #"{"name":"Back"}"#
                                ).status
                            )
                        }
                        return statuses == [200, 200]
                    }
                default:
                    let doomed = try await deployment.instance(named: "doomed")
                    let there = tenant.at([doomed.client])
                    _ = try await there.rename(product, to: "Last words")
                    try await doomed.kill()
                    extra = try await deployment.instance(named: "heir", port: doomed.port)
                    instances += [try #require(extra).client]
                }
                _ = try await tenant.rename(product, to: "After \(fault)", at: .b)
                try await deployment.settles(for: tenant.at(instances), "all is applied five seconds after: \(fault)")
                #expect(try await tenant.get("/v1/products/\(product)").json["name"].string == "After \(fault)")
                try await extra?.terminate()
            }
            try await deployment.expectHealthy()
            try await deployment.stop()
            try await deployment.postgres.stop()
        }

        /// Transactions written to one scope; a million by hand.
        static let writes = ProcessInfo.processInfo.environment["STOCK_TEST_WRITES"].flatMap { Int($0) } ?? 20_000

        @Test("many writes leave rings and indexes within their bounds, and scopes nobody uses leave nothing")
        func bounded() async throws {
            let short = Dictionary(
                uniqueKeysWithValues: ["DEFAULT", "PRODUCTS", "CATEGORIES", "UNITS", "BALANCE", "DASHBOARD", "REPORTS"]
                    .map { ("CACHE_\($0)_TTL", "1") }
            )
            let deployment = try await Deployment.start(instances: 1, settings: short)
            let redis = try #require(deployment.redis)
            let tenant = try await deployment.tenant()
            let scope = "stock:tenant:\(tenant.id):products"
            // Every transaction its own commit; and two hundred tenants that are written once and never again.
            try await deployment.database.psql(
                """
                DO $$ BEGIN
                    FOR i IN 1..\(Self.writes) LOOP
                        INSERT INTO stock.cache_outbox (tenant_id, modules) VALUES (\(tenant.id), '{products}');
                        IF i <= 200 THEN
                            INSERT INTO stock.cache_outbox (tenant_id, modules) VALUES (1000000 + i, '{sales}');
                        END IF;
                        COMMIT;
                    END LOOP;
                END $$
                """
            )
            // Readers fill under ever new keys meanwhile and afterwards: each is indexed, and gone after its second.
            let progress = Progress()
            let largest = try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    var largest = 0
                    while progress.written.load(ordering: .relaxed) < 4 {
                        largest = max(largest, Int(try await redis.command("ZCARD", "\(scope):_x")) ?? 0)
                    }
                    return largest
                }
                for reader in 0..<4 {
                    group.addTask {
                        defer { progress.written.wrappingAdd(1, ordering: .relaxed) }
                        for number in 0..<400 {
                            let answer = try await tenant.get("/v1/products?q=nothing\(reader)x\(number)")
                            #expect(answer.status == 200, "\(answer.text)")
                        }
                        return 0
                    }
                }
                return try await group.reduce(0) { max($0, $1) }
            }
            #expect((1...4096).contains(largest), "the index of values has held \(largest)")
            try await deployment.settles(for: tenant, within: .seconds(60))
            let ring = try #require(Int(try await redis.command("ZCARD", "\(scope):_r")))
            #expect(ring <= 64)
            let log = try await deployment.database.psql(
                """
                SELECT count(*), sum(cardinality(xids)) FROM stock.cache_log
                WHERE tenant_id = \(tenant.id) AND module = 'products'
                """
            )
            print(
                "after \(Self.writes) writes: ring \(ring), index at most \(largest), log rows and transactions \(log)"
            )

            // Two seconds after the last use only rings are left, and they are counting down.
            try await eventually(within: .seconds(15), "values, generations and indexes are gone") {
                try await redis.command("--scan", "--pattern", "stock:tenant:*").split(separator: "\n")
                    .allSatisfy { $0.hasSuffix(":_r") }
            }
            let left = try await redis.command("--scan", "--pattern", "stock:tenant:*").split(separator: "\n")
            for key in left {
                let ttl = Int(try await redis.command("TTL", String(key))) ?? -1
                #expect((-2...120).contains(ttl) && ttl != -1, "\(key) lives for ever")
            }
            try await deployment.stop()
        }
    }
}

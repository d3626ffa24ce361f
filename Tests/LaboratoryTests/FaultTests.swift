import Foundation
import Synchronization
import TestSupport
import Testing

extension LaboratoryTests {
    @Suite("Faults", .serialized)
    struct FaultTests {
        /// One for all faults, which is what they must stand.
        private static let shared = Mutex<Task<Bench, any Error>?>(nil)

        private static func bench() async throws -> Bench {
            let task = shared.withLock { shared in
                let task = shared ?? Task { try await Bench.start() }
                shared = task
                return task
            }
            return try await task.value
        }

        @Test(
            "a fault is injected and healed, and both instances use their caches again",
            arguments: FaultCatalogue.all
        )
        func healed(fault: Fault) async throws {
            let bench = try await Self.bench()
            let traffic = bench.traffic()
            defer { traffic.cancel() }
            let seed = UInt64.random(in: 0 ... .max)
            do {
                let injected = try await fault.inject(in: bench.laboratory, random: FaultRandom(seed: seed))
                #expect(!injected.detail.contains("not reached"), "\(injected.detail)")
                try await Task.sleep(for: fault.durations.lowerBound)
                try await injected.heal()
            } catch {
                try await bench.laboratory.repair()
                throw error
            }
            traffic.cancel()
            await traffic.value
            try await bench.expectUsable("after \(fault), seed \(seed)")
        }

        @Test("connections end when subscribers are killed, and when their buffer is too small")
        func subscribersLost() async throws {
            let bench = try await Self.bench()
            for name in ["redis-kill-subscribers", "redis-small-pubsub-buffer"] {
                let before = bench.laboratory.links.map(\.bus.counts.connections)
                try await bench.during(name) { _ in
                    try await eventually("\(name): every instance subscribes anew") {
                        zip(bench.laboratory.links, before).allSatisfy { $0.bus.counts.connections > $1 }
                    }
                }
            }
            try await bench.expectUsable("after losing subscribers")
        }

        @Test("memory runs out: writes are refused, or keys go")
        func memory() async throws {
            let bench = try await Self.bench()
            try await bench.during("redis-out-of-memory") { redis in
                let answer = try await redis.command("SET", "refused", "1")
                #expect(answer.contains("OOM"))
            }
            let redis = await bench.laboratory.redis
            try await redis.command("SET", "kept", "1")
            try await bench.during("redis-eviction") { redis in
                let statistics = try await redis.command("INFO", "stats")
                #expect(!statistics.contains("evicted_keys:0\r"), "\(statistics)")
                #expect(try await redis.command("CONFIG", "GET", "maxmemory").contains("5242880"))
            }
            #expect(try await redis.command("CONFIG", "GET", "maxmemory").hasSuffix("0"))
            #expect(try await redis.command("KEYS", "filler:*").isEmpty)
            try await bench.expectUsable("after losing memory")
        }

        @Test(
            "writes that Redis acknowledged are lost by an old snapshot and by a promotion",
            arguments: ["redis-old-snapshot", "redis-lagging-replica-promoted", "redis-two-primaries"]
        )
        func redisGoesBack(name: String) async throws {
            let bench = try await Self.bench()
            let old = await bench.laboratory.redis
            let counting = Task {
                var last = 0
                while let text = try? await old.command("INCR", "counted"), let number = Int(text), number > last {
                    last = number
                }
                return last
            }
            try await bench.during(name) { _ in }
            counting.cancel()
            let last = await counting.value
            let new = await bench.laboratory.redis
            #expect((name == "redis-old-snapshot") == (old.socketPath == new.socketPath))
            let kept = Int(try await new.command("GET", "counted")) ?? 0
            #expect(kept < last)
            try await bench.expectUsable("after \(name)")
        }

        @Test("a stuck drain leaves the outbox full, and a long transaction holds every snapshot's xmin")
        func held() async throws {
            let bench = try await Self.bench()
            let database = bench.laboratory.database
            try await bench.during("drain-stuck") { _ in
                let first = bench.laboratory.instances[0]
                try await eventually("a write is accepted") { try await bench.patch("Held", on: first).status == 200 }
                #expect(try await database.psql("SELECT count(*) > 0 FROM stock.cache_outbox") == "t")
            }
            try await eventually("the outbox is empty again") {
                try await database.psql("SELECT count(*) FROM stock.cache_outbox") == "0"
            }
            try await bench.during("long-transaction") { _ in
                let xmin = "SELECT pg_snapshot_xmin(pg_current_snapshot())"
                let before = try await database.psql(xmin)
                try await database.psql("SELECT pg_current_xact_id()")
                #expect(try await database.psql(xmin) == before)
            }
            try await bench.expectUsable("after holding on")
        }

        @Test("a restored data folder is announced while PostgreSQL is down")
        func announced() async throws {
            let bench = try await Self.bench()
            let changes = Mutex<[HistoryReplaced]>([])
            await bench.laboratory.onHistoryReplaced { change in changes.withLock { $0.append(change) } }
            let fault = try #require(FaultCatalogue.named("restored-data"))
            let database = bench.laboratory.database
            try await database.psql("CREATE TABLE IF NOT EXISTS public.counted (n serial)")
            let counting = Task {
                var last = 0
                while !Task.isCancelled {
                    let text = try? await database.psql("INSERT INTO public.counted DEFAULT VALUES RETURNING n")
                    last = max(last, text.flatMap { Int($0) } ?? 0)
                }
                return last
            }
            let injected = try await fault.inject(in: bench.laboratory, random: FaultRandom(seed: 1))
            counting.cancel()
            let last = await counting.value
            try await injected.heal()
            try #require(changes.withLock { $0.count } == 1)
            #expect(changes.withLock { $0[0].snapshotTaken < $0[0].restored })
            let kept = Int(try await database.psql("SELECT coalesce(max(n), 0) FROM public.counted")) ?? 0
            #expect(kept < last)
            try await bench.expectUsable("after the restore")
        }

        @Test("a schedule runs faults over each other and heals them all")
        func schedule() async throws {
            let bench = try await Self.bench()
            let faults = try FaultCatalogue.matching("bus,commands,redis-flushall,stop,kill-anywhere")
            let schedule = FaultSchedule(seed: 7, faults: faults)
            let failures = Mutex<[String]>([])
            let traffic = bench.traffic()
            // Until four were healed, however long a busy machine takes for one.
            let healed = Mutex(0)
            let began = ContinuousClock.now
            let isOver: @Sendable () -> Bool = {
                let time = ContinuousClock.now - began
                let number = healed.withLock { $0 }
                return time >= .seconds(120) || (time >= .seconds(8) && number >= 4)
            }
            let count = try await schedule.run(in: bench.laboratory, until: isOver) { event in
                switch event {
                case .ended: healed.withLock { $0 += 1 }
                case .failed(let fault, let reason, _): failures.withLock { $0.append("\(fault): \(reason)") }
                default: break
                }
            }
            traffic.cancel()
            await traffic.value
            #expect(count > 3)
            #expect(failures.withLock { $0 } == [])
            try await bench.expectUsable("after the schedule")
            // The last: the servers go with it.
            await bench.laboratory.stop()
        }
    }

    @Suite("Schedules of faults")
    struct FaultScheduleTests {
        @Test("the same seed gives the same rounds, another seed others")
        func repeatable() {
            func rounds(_ seed: UInt64) -> [String] {
                let schedule = FaultSchedule(seed: seed, faults: FaultCatalogue.all)
                return (0..<200).map { schedule.round($0)?.description ?? "" }
            }
            #expect(rounds(1) == rounds(1))
            #expect(rounds(1) != rounds(2))
        }

        @Test("every fault comes once in each run through the catalogue, and never with one that shares a target")
        func fair() throws {
            let schedule = FaultSchedule(seed: 3, faults: FaultCatalogue.all)
            let count = FaultCatalogue.all.count
            let rounds = try (0..<count * 3).map { try #require(schedule.round($0)) }
            for start in stride(from: 0, to: rounds.count, by: count) {
                #expect(Set(rounds[start..<start + count].map(\.main.fault.name)).count == count)
            }
            for round in rounds {
                for step in round.companions {
                    #expect(step.fault.targets.isDisjoint(with: round.main.fault.targets), "\(round)")
                }
            }
            let faults = rounds.reduce(0) { $0 + 1 + $1.companions.count }
            let time = rounds.reduce(Duration.zero) { $0 + $1.main.duration }
            #expect(time / faults < .milliseconds(1500), "300 faults must fit in ten minutes")
        }

        @Test("faults are chosen by name, by group, all or none")
        func chosen() throws {
            #expect(try FaultCatalogue.matching("all").count == FaultCatalogue.all.count)
            #expect(try FaultCatalogue.matching("none").isEmpty)
            #expect(try FaultCatalogue.matching("pause,rollback").map(\.name) == ["stop", "stop-long", "rollback"])
            #expect(throws: UnknownFault.self) { try FaultCatalogue.matching("earthquake") }
            #expect(Set(FaultCatalogue.all.map(\.name)).count == FaultCatalogue.all.count)
        }
    }
}

/// A laboratory with a tenant and a product that is read and written all the time.
private struct Bench: Sendable {
    let laboratory: Laboratory
    let tenant: LabTenant
    let product: String

    static func start() async throws -> Bench {
        let laboratory = try await Laboratory.start(instances: 2, seed: 11, executable: StockCommand.path)
        let tenant = try await laboratory.tenant("bench")
        let client = laboratory.instances[0].client
        let unit = try await client.send("GET", "/v1/units", headers: tenant.authorization)
        let unitID = try #require(unit.json["data"].elements.first?["id"].string, "\(unit.text)")
        let made = try await client.send(
            "POST",
            "/v1/products",
            headers: Self.headers(tenant),
            body:
                #"{"sku":"BENCH","name":"Bench","unit_id":"\#(unitID)","price":"1.00","tax_rate":"0","tracks_stock":false}"#
        )
        let product = try #require(made.json["id"].string, "\(made.text)")
        return Bench(laboratory: laboratory, tenant: tenant, product: product)
    }

    private static func headers(_ tenant: LabTenant) -> [String: String] {
        tenant.authorization.merging(["Content-Type": "application/json"]) { $1 }
    }

    /// Injects a fault, looks at what it did, and heals it.
    func during(_ name: String, _ body: (RedisServer) async throws -> Void) async throws {
        let fault = try #require(FaultCatalogue.named(name))
        let injected = try await fault.inject(in: laboratory, random: FaultRandom(seed: 5))
        do {
            try await body(await laboratory.redis)
            try await injected.heal()
        } catch {
            try? await injected.heal()
            try await laboratory.repair()
            throw error
        }
    }

    func patch(_ name: String, on instance: LabInstance) async throws -> HTTPResponse {
        try await instance.client.send(
            "PATCH",
            "/v1/products/\(product)",
            headers: Self.headers(tenant).merging(["If-Match": "*"]) { $1 },
            body: #"{"name":"\#(name)"}"#
        )
    }

    private func get(_ path: String, from instance: LabInstance) async throws -> HTTPResponse {
        try await instance.client.send("GET", path, headers: tenant.authorization)
    }

    /// Reads and writes on every instance until cancelled; answers do not matter.
    func traffic() -> Task<Void, Never> {
        Task {
            await withTaskGroup(of: Void.self) { group in
                for instance in laboratory.instances {
                    group.addTask {
                        var number = 0
                        while !Task.isCancelled {
                            number += 1
                            _ = try? await patch("Bench \(number)", on: instance)
                            for path in ["/v1/products/\(product)", "/v1/products", "/v1/units"] {
                                _ = try? await get(path, from: instance)
                            }
                            // A dead instance refuses at once.
                            if !instance.isRunning { try? await Task.sleep(for: .milliseconds(20)) }
                        }
                    }
                }
            }
        }
    }

    /// Caches are used, and what is written on one instance shows on the other.
    func expectUsable(_ moment: String) async throws {
        for instance in laboratory.instances {
            try await eventually("\(instance.name) uses its caches \(moment)") { await instance.isCaching() }
        }
        let (first, second) = (laboratory.instances[0], laboratory.instances[1])
        let name = "Seen \(UInt64.random(in: 0 ... .max))"
        try await eventually("\(first.name) writes \(moment)") { try await patch(name, on: first).status == 200 }
        try await eventually(within: .seconds(15), "\(second.name) shows it from its memory \(moment)") {
            let answer = try await get("/v1/products/\(product)", from: second)
            return answer.json["name"].string == name
                && answer[header: "Cache-Status"]?.contains("stock-l1; hit") == true
        }
    }
}

import Cache
import NIOCore
import Postgres
import Synchronization
import TestSupport
import Testing

/// Invariant C7: however many ask at once, a cold key is computed once.
@Suite(.serialized) struct OneFillTests {
    /// Readers of each instance.
    static let crowd = 10_000

    @Test(
        "ten thousand readers of a cold key at each of three instances cost one fill; without Redis one at each",
        arguments: [true, false]
    )
    func crowd(withRedis: Bool) async throws {
        let redis: RedisServer? = withRedis ? try await RedisServer.start() : nil
        let scene = try await Scene(try await PostgresServer.shared(), "crowd")
        var settings = CacheSettings()
        // A debug build on a busy machine: the figures of time are not what is tested.
        settings.lease = .seconds(20)
        settings.fillWait = .seconds(20)
        settings.fillLease = .seconds(60)
        settings.fillerTTL = .seconds(60)
        settings.redisBudget = .seconds(20)
        settings.aliveTTL = .seconds(60)
        let instances = try (0..<3).map { _ in
            try Instance(database: scene.database, redis: redis, settings: settings, redisPatience: .seconds(20))
        }
        do {
            for instance in instances { try await instance.becomeUsable(within: .seconds(30)) }
            if let redis {
                // Trusted only once it is declared up to date.
                try await eventually("Redis is declared up to date") {
                    try await redis.command("EXISTS", "stock:lane:0:alive") == "1"
                }
            }
            for round in 1...2 {
                let counter = FillCounter(readers: instances.count * Self.crowd)
                let names = try await withThrowingTaskGroup(of: String.self) { group in
                    for instance in instances {
                        for _ in 0..<Self.crowd {
                            group.addTask { try await counter.read(instance, scene, "cold \(round)") }
                        }
                    }
                    var names: [String: Int] = [:]
                    for try await name in group { names[name, default: 0] += 1 }
                    return names
                }
                #expect(names == ["zero": instances.count * Self.crowd])
                if withRedis {
                    #expect(counter.fills == 1)
                } else {
                    #expect((1...instances.count).contains(counter.fills))
                }
            }
        } catch {
            for instance in instances { await instance.stop() }
            throw error
        }
        for instance in instances { await instance.stop() }
        try await redis?.stop()
    }
}

/// Counts fills, and keeps the first waiting until every reader has come.
private final class FillCounter: Sendable {
    private let readers: Int
    private let come = Atomic<Int>(0)
    private let begun = Atomic<Int>(0)

    init(readers: Int) {
        self.readers = readers
    }

    var fills: Int { self.begun.load(ordering: .sequentiallyConsistent) }

    func read(_ instance: Instance, _ scene: Scene, _ key: String) async throws -> String {
        self.come.wrappingAdd(1, ordering: .sequentiallyConsistent)
        let postgres = instance.postgres
        let key = KeyBuilder("id").adding(key).key(tenant: scene.tenant, module: .categories)
        let answer = try await instance.cache.read(key, deadline: .now + .seconds(60)) {
            self.begun.wrappingAdd(1, ordering: .sequentiallyConsistent)
            try await eventually(within: .seconds(30), "every reader has come") {
                self.come.load(ordering: .sequentiallyConsistent) == self.readers
            }
            let rows = try await postgres.query(
                ReadCategory(id: scene.category),
                tenant: scene.tenant,
                deadline: .now + .seconds(30)
            )
            let row = try #require(rows.first)
            return Filled(
                content: .body(ByteBuffer(string: row.name), etag: nil),
                snapshot: Snapshot(xmin: row.snapshot.xmin, xmax: row.snapshot.xmax, xip: row.snapshot.xip)
            )
        }
        return String(buffer: try #require(answer.body))
    }
}

import Cache
import HTTPTypes
import Kernel
import Synchronization
import Testing

@testable import API

@Suite("What an instance says of itself")
struct HealthTests {
    /// An instance whose database is as the test says.
    private final class Instance: Sendable {
        let lifecycle = Lifecycle()
        private let database = Mutex(DatabaseState.available)

        func set(_ state: DatabaseState) {
            self.database.withLock { $0 = state }
        }

        func api() async throws -> TestAPI {
            let health = HealthRoutes(
                lifecycle: self.lifecycle,
                build: Build(version: "1.2.3", commit: "c0ffee", instance: "i"),
                state: { ProcessState(database: self.database.withLock { $0 }) },
                cache: TenantCache(settings: CacheSettings())
            )
            let signIn = Route(.get, "/v1/open", "open", "Open to all", area: "identity", access: .open) { _ in
                .json { $0.object { _ in } }
            }
            return try await TestAPI(health.routes + [signIn], lifecycle: self.lifecycle)
        }
    }

    @Test(
        "an instance is ready until its database has failed for ten seconds, and not before it was reached",
        arguments: [
            (DatabaseState.neverReached, 503), (.available, 200), (.failing(seconds: 0), 200),
            (.failing(seconds: 9.9), 200), (.failing(seconds: 10), 503), (.failing(seconds: 3600), 503),
        ]
    )
    func ready(state: DatabaseState, status: Int) async throws {
        let instance = Instance()
        instance.set(state)
        let api = try await instance.api()
        #expect(try await api.send(.get, "/health/ready").status.code == status)
        #expect(try await api.send(.get, "/health/live").status == .ok)
    }

    @Test("an instance whose database is away from the start is not ready once, whatever time passes")
    func neverReady() async throws {
        let instance = Instance()
        instance.set(.neverReached)
        instance.lifecycle.beginWarmUp()
        let api = try await instance.api()
        #expect(try await api.send(.get, "/health/ready").status == .serviceUnavailable)
        // The warm-up gives up waiting; that makes nothing ready.
        instance.lifecycle.endWarmUp()
        #expect(try await api.send(.get, "/health/ready").status == .serviceUnavailable)
        instance.set(.available)
        #expect(try await api.send(.get, "/health/ready").status == .ok)
    }

    @Test("before the database was examined nothing is served, open routes included, but for health")
    func unexamined() async throws {
        let instance = Instance()
        instance.lifecycle.beginExamination()
        let api = try await instance.api()
        let refused = try await api.send(.get, "/v1/open")
        #expect(refused.status == .serviceUnavailable)
        #expect(refused.text.contains("database_unavailable"))
        #expect(refused["retry-after"] != nil)
        #expect(try await api.send(.get, "/health/ready").status == .serviceUnavailable)
        for path in ["/health/live", "/health", "/version"] {
            #expect(try await api.send(.get, path).status == .ok, "\(path)")
        }
        instance.lifecycle.admit()
        #expect(try await api.send(.get, "/v1/open").status == .ok)
    }

    @Test("the commit is told where it is known")
    func version() async throws {
        let api = try await Instance().api()
        #expect(try await api.send(.get, "/version").text.contains(#""commit":"c0ffee""#))
    }
}

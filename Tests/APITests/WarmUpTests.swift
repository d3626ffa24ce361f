import Cache
import HTTPTypes
import Kernel
import Logging
import Services
import Synchronization
import TestSupport
import Testing

@testable import API

@Suite("The sketch of what is busy")
struct BusyPathsTests {
    private let tenant = TenantID(rawValue: 7)

    @Test("what is frequent stays, however many others come by, and memory is bounded")
    func frequent() {
        let busy = BusyPaths(capacity: 16)
        for number in 0..<5000 {
            busy.note(self.tenant, "/v1/products/\(number)")
            if number.isMultiple(of: 3) { busy.note(self.tenant, "/v1/dashboard") }
        }
        let counts = busy.takeAll()
        #expect(counts.count == 16)
        #expect(counts.first?.path.target == "/v1/dashboard")
        #expect((counts.first?.count ?? 0) >= 1667)
        #expect(busy.takeAll().isEmpty)
    }

    @Test("tenants are apart, and what is too long is not remembered")
    func tenants() {
        let busy = BusyPaths()
        busy.note(self.tenant, "/a")
        busy.note(TenantID(rawValue: 8), "/a")
        busy.note(self.tenant, "/" + String(repeating: "a", count: 512))
        #expect(busy.takeAll().count == 2)
    }

    @Test("a path reads back from its text")
    func text() throws {
        let path = try #require(BusyPath(tenant: self.tenant, target: "/v1/products?q=a%20b"))
        #expect(path.text == "7 /v1/products?q=a%20b")
        #expect(BusyPath(parsing: path.text) == path)
        for bad in ["", "7", "x /a", "7 a", "-1 /a", "0 /a", "7  /a"] {
            #expect(BusyPath(parsing: bad) == nil, "\(bad)")
        }
    }
}

@Suite("Warm-up before readiness", .serialized)
struct WarmUpTests {
    /// Knows what it was told to know; may never answer.
    private final class FakeStore: BusyPathStore {
        let known: [BusyPath]
        let hangs: Bool
        let added = Mutex<[BusyPaths.Count]>([])

        init(_ known: [BusyPath], hangs: Bool = false) {
            self.known = known
            self.hangs = hangs
        }

        var isWaitedFor: Bool { false }

        func add(_ counts: [BusyPaths.Count]) async { self.added.withLock { $0 += counts } }

        func busiest(_ limit: Int) async -> [BusyPath] {
            if self.hangs { try? await Task.sleep(for: .seconds(600)) }
            return Array(self.known.prefix(limit))
        }
    }

    private struct Fixture {
        let database: TestDatabase
        let shop: TestShop
        let token: String
        let tenant: TenantID
        let product: String
    }

    /// A tenant made by one instance, and a second instance that has read nothing yet.
    private func open(_ name: String = #function, _ body: (Fixture) async throws -> Void) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let first = try await TestShop(url: database.appURL, runs: true)
        let token = try await first.signUp()
        let made = await first.send(
            .post,
            "/v1/products",
            token: token,
            body: #"{"name":"Coffee","sku":"A1","price":"2.50"}"#
        )
        let product = try #require(made.json["id"].string)
        let tenant = try #require(await first.send(.get, "/v1/tenant", token: token).json["id"].int)
        // Until the log has been followed: what is read then is not retired by it.
        try await eventually("the writes are followed") { first.cache.isUsable && first.cache.health().lag == 0 }
        await first.stop()
        var settings = CacheSettings()
        // Nothing relays: what was proved once holds for the test.
        settings.lease = .seconds(600)
        let shop = try await TestShop(url: database.appURL, runs: true, cache: settings)
        var failure: (any Error)?
        do {
            try await body(
                Fixture(
                    database: database,
                    shop: shop,
                    token: token,
                    tenant: TenantID(rawValue: Int64(tenant)),
                    product: product
                )
            )
        } catch {
            failure = error
        }
        await shop.stop()
        if let failure { throw failure }
    }

    /// Runs a warm-up until the instance is ready; returns how readiness was before.
    private func run(
        _ fixture: Fixture,
        _ store: FakeStore,
        bounds: WarmUp.Bounds = WarmUp.Bounds(),
        then check: () async throws -> Void
    ) async throws {
        let warmUp = WarmUp(
            api: fixture.shop.api,
            cache: fixture.shop.cache,
            store: store,
            isActive: { await fixture.shop.shop.tenants.isActive($0, deadline: $1) },
            bounds: bounds,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let before = await fixture.shop.send(.get, "/health/ready")
        #expect(before.status == .serviceUnavailable)
        #expect(before["retry-after"] != nil)
        let task = Task { await warmUp.run() }
        try await eventually("the instance is ready") {
            await fixture.shop.send(.get, "/health/ready").status == .ok
        }
        try await check()
        task.cancel()
        await task.value
    }

    private func path(_ tenant: TenantID, _ target: String) throws -> BusyPath {
        try #require(BusyPath(tenant: tenant, target: target))
    }

    @Test("the first request for a busy path is answered from memory; what is for owners alone was not read")
    func warms() async throws {
        try await self.open { fixture in
            let busy = ["/v1/products/\(fixture.product)", "/v1/products?sort=name", "/v1/balance/series?view=daily"]
            let others = ["/v1/users", "/v1/cache/stats", "/v1/nothing", "/v1/products/x", "/v1/products?limit=x"]
            let store = FakeStore(try (busy + others).map { try self.path(fixture.tenant, $0) })
            try await self.run(fixture, store) {
                for path in busy {
                    let reply = await fixture.shop.send(.get, path, token: fixture.token)
                    #expect(reply.status == .ok, "\(reply.text)")
                    #expect(reply["cache-status"] == "stock-l1; hit", "\(path)")
                }
            }
            // The owner's list of users is of module identity, and nobody but the request above has read it.
            let users = await fixture.shop.send(.get, "/v1/users", token: fixture.token)
            #expect(users["cache-status"]?.contains("hit") == false)
        }
    }

    @Test("a tenant that is suspended or gone is not read")
    func inactive() async throws {
        try await self.open { fixture in
            try await fixture.database.psql("UPDATE stock.tenant SET status = 'suspended'")
            let gone = TenantID(rawValue: fixture.tenant.rawValue + 1000)
            let store = FakeStore([
                try self.path(fixture.tenant, "/v1/products"), try self.path(gone, "/v1/products"),
            ])
            try await self.run(fixture, store) {
                for tenant in [fixture.tenant, gone] {
                    let modules = fixture.shop.cache.stats(tenant: tenant.rawValue).modules
                    #expect(modules.first { $0.module == .products }?.entries ?? 0 == 0)
                }
            }
        }
    }

    @Test("a store that never answers keeps nobody from being ready")
    func hanging() async throws {
        try await self.open { fixture in
            var bounds = WarmUp.Bounds()
            bounds.time = .milliseconds(200)
            try await self.run(fixture, FakeStore([], hangs: true), bounds: bounds) {}
        }
    }

    @Test("what was asked for is told to the store, at the latest when the instance stops")
    func tells() async throws {
        try await self.open { fixture in
            let store = FakeStore([])
            let target = "/v1/products/\(fixture.product)"
            try await self.run(fixture, store) {
                for _ in 0..<300 {
                    #expect(await fixture.shop.send(.get, target, token: fixture.token).status == .ok)
                }
            }
            #expect(store.added.withLock { $0.first?.path } == (try self.path(fixture.tenant, target)))
        }
    }
}

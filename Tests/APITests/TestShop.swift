import Cache
import Coherence
import HTTPTypes
import HummingbirdCore
import IOLoop
import Kernel
import Logging
import NIOCore
import Postgres
import Services
import TestSupport
import Testing

@testable import API

/// The whole HTTP surface over a real database, without sockets and without Redis.
final class TestShop: Sendable {
    static let secret = Array("a secret of thirty-two bytes, so!".utf8)

    let api: API
    /// What operators ask.
    let operations: API
    let shop: Shop
    let cache: TenantCache
    let postgres: PostgresClient
    /// What every answer is held against: the document that this API serves.
    let contract: Contract
    /// The same for what operators ask.
    let operationsContract: Contract
    private let loop: IOLoop
    private let tasks: [Task<Void, Never>]

    /// Makes the surface; it only connects when it runs.
    init(
        url: String,
        runs: Bool,
        rates: RateLimitSettings = .unlimited,
        cache cacheSettings: CacheSettings = CacheSettings(),
        metrics: MetricsRegistry = MetricsRegistry()
    ) async throws {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let loop = IOLoop()
        loop.start()
        var configuration = try PostgresConfiguration(url: url)
        // Many shops are open at once, on one server.
        configuration.sharedConnections = 1
        configuration.exclusiveConnections = 2
        configuration.acquireTimeout = .seconds(30)
        let postgres = PostgresClient(
            configuration: configuration,
            loop: loop,
            statements: CacheStatements.all + API.statements,
            logger: logger
        )
        let cache = TenantCache(settings: cacheSettings)
        let shop = Shop(
            postgres: postgres,
            cache: cache,
            settings: ShopSettings(secret: Self.secret, passwordCost: PasswordCost(ln: 4, r: 8, p: 1)),
            logger: logger
        )
        var settings = APISettings(
            signingKeys: [try SigningKey(secret: Self.secret)],
            build: Build(version: "0.0.0", instance: "test")
        )
        settings.rates = rates
        settings.metrics = metrics
        let health = HealthRoutes(
            lifecycle: Lifecycle(),
            build: settings.build,
            state: { ProcessState(database: .available) },
            cache: cache
        )
        metrics.observe(health.samples)
        self.api = try await API.make(shop: shop, settings: settings, health: health, logger: logger)
        self.operations = try await API.operations(settings: settings, health: health, logger: logger)
        self.contract = await Self.contract(of: self.api)
        self.operationsContract = await Self.contract(of: self.operations)
        self.shop = shop
        self.cache = cache
        self.postgres = postgres
        self.loop = loop
        if runs {
            let service = CoherenceService(
                cache: cache,
                postgres: postgres,
                redis: nil,
                subscriber: nil,
                logger: logger
            )
            let hub = shop.events.hub
            self.tasks = [
                Task { await service.run() }, Task { await hub.run() }, Task { await postgres.run() },
            ]
        } else {
            self.tasks = []
        }
    }

    func stop() async {
        for task in self.tasks {
            task.cancel()
            await task.value
        }
        self.loop.stop()
    }

    /// Stops following the log: the caches serve what they have until their lease ends.
    func stopFollowing() async {
        self.tasks.first?.cancel()
        await self.tasks.first?.value
    }

    /// Signs up the shop most tests are about, or another one; returns the owner's access token.
    func signUp(slug: String = "corner", email: String = "ana@example.com") async throws -> String {
        let signup = await self.send(
            .post,
            "/v1/signup",
            body: """
                {"tenant_name":"Corner Shop","slug":"\(slug)","email":"\(email)","password":"a long enough one",\
                "currency":"EUR","timezone":"Europe/Berlin"}
                """
        )
        #expect(signup.status == .created, "\(signup.text)")
        return try #require(signup.json["access_token"].string)
    }

    /// Reads until the answer comes from memory.
    ///
    /// Not at once: the relay repeats the bump of a write that came just before, and a busy machine may let a lease lapse.
    func hit(_ token: String, _ path: String, _ fields: [String: String] = [:]) async throws -> Reply {
        var reply = await self.send(.get, path, token: token, fields)
        try await eventually("\(path) comes from memory") {
            reply = await self.send(.get, path, token: token, fields)
            return reply["cache-status"] == "stock-l1; hit"
        }
        return reply
    }

    /// What is told with every fault of an answer: which of many requests it was.
    @TaskLocal static var occasion = ""

    /// Sends a request and reads the answer as JSON.
    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        token: String? = nil,
        _ fields: [String: String] = [:],
        body: String? = nil
    ) async -> Reply {
        await self.send(method, path, token: token, fields, bytes: body.map { Array($0.utf8) })
    }

    /// Sends a request whose body need not be text.
    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        token: String? = nil,
        _ fields: [String: String] = [:],
        bytes body: [UInt8]?
    ) async -> Reply {
        var headers = HTTPFields()
        for (name, value) in fields {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        if let token { headers[.authorization] = "Bearer \(token)" }
        if let body {
            headers[.contentLength] = String(body.count)
            if headers[.contentType] == nil { headers[.contentType] = "application/json" }
        }
        let request = Self.request(method, path, headers, body)
        let reply = await self.api.respond(to: request, channel: nil).whole()
        // What no target may have is gone from it.
        for fault in self.contract.faults(of: reply.exchange(method, request.head.path ?? path)) {
            Issue.record("\(Self.occasion)\(method) \(path.debugDescription): \(fault)")
        }
        return reply
    }

    /// Asks what operators ask.
    func sendToOperations(_ path: String) async -> Reply {
        let reply = await self.operations.respond(to: Self.request(.get, path, HTTPFields(), nil), channel: nil)
        for fault in self.operationsContract.faults(of: reply.exchange(.get, path)) {
            Issue.record("\(path): \(fault)")
        }
        return reply
    }

    private static func request(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ headers: HTTPFields,
        _ body: [UInt8]?
    ) -> Request {
        Request(
            head: HTTPRequest(
                method: method,
                scheme: "http",
                authority: "localhost",
                path: path,
                headerFields: headers
            ),
            body: RequestBody(buffer: ByteBuffer(bytes: body ?? []))
        )
    }

    private static func contract(of api: API) async -> Contract {
        let head = HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: "/openapi.json")
        let reply = await api.respond(
            to: Request(head: head, body: RequestBody(buffer: ByteBuffer())),
            channel: nil
        )
        return .shared(document: Array(reply.body.readableBytesView))
    }
}

extension Reply {
    /// The answer as the contract sees it.
    func exchange(_ method: HTTPRequest.Method, _ path: String) -> Contract.Exchange {
        Contract.Exchange(
            method: method.rawValue,
            target: path,
            status: self.status.code,
            fields: self.fields.map { ($0.name.rawName, $0.value) },
            body: Array(self.body.readableBytesView)
        )
    }

    /// The answer with all of its body.
    func whole() async -> Reply {
        // Events do not end.
        guard let stream, self["content-type"]?.hasPrefix("text/event-stream") != true else { return self }
        var reply = self
        reply.stream = nil
        do {
            for try await portion in stream { reply.body.writeImmutableBuffer(portion) }
        } catch {
            Issue.record("the answer is cut off: \(error)")
        }
        return reply
    }

    /// The body as JSON.
    var json: JSON { JSON(parsing: Array(self.body.readableBytesView)) }
}

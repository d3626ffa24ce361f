import Cache
import Events
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
    let cache: TenantCache
    private let loop: IOLoop
    private let tasks: [Task<Void, Never>]

    /// Makes the surface; it only connects when it runs.
    init(url: String, runs: Bool, rates: RateLimitSettings = .unlimited) async throws {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let loop = IOLoop()
        loop.start()
        let postgres = PostgresClient(
            configuration: try PostgresConfiguration(url: url),
            loop: loop,
            statements: CacheStatements.all + Shop.statements,
            logger: logger
        )
        let cache = TenantCache()
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
        self.api = try await API.make(shop: shop, settings: settings, logger: logger) {
            ProcessState(isDatabaseAvailable: true)
        }
        self.cache = cache
        self.loop = loop
        if runs {
            let service = CoherenceService(
                cache: cache,
                postgres: postgres,
                redis: nil,
                subscriber: nil,
                logger: logger
            )
            self.tasks = [Task { await service.run() }, Task { await postgres.run() }]
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

    /// Sends a request and reads the answer as JSON.
    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        token: String? = nil,
        _ fields: [String: String] = [:],
        body: String? = nil
    ) async -> Reply {
        var headers = HTTPFields()
        for (name, value) in fields {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        if let token { headers[.authorization] = "Bearer \(token)" }
        if let body {
            headers[.contentLength] = String(body.utf8.count)
            headers[.contentType] = "application/json"
        }
        let request = Request(
            head: HTTPRequest(
                method: method,
                scheme: "http",
                authority: "localhost",
                path: path,
                headerFields: headers
            ),
            body: RequestBody(buffer: ByteBuffer(string: body ?? ""))
        )
        return await self.api.respond(to: request, channel: nil)
    }
}

extension Reply {
    /// The body as JSON.
    var json: JSON { JSON(parsing: Array(self.body.readableBytesView)) }
}

import Cache
import CacheAtHand
import Domain
import IOLoop
import Kernel
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Postgres
import Services

@testable import API
@testable import Services

/// An instance without stores: every route, in its memory a session and the series of a month, and one connection of its owner's.
struct AtRest {
    /// What made no such instance, or no such answer.
    struct Failure: Error { let text: String }

    private let channel: EmbeddedChannel
    private let request: ByteBuffer

    /// Makes one.
    ///
    /// - Throws: what kept it from being made; a defect.
    init() throws {
        let (api, token) = try blocking { try await Self.makeAPI() }
        let guardian = ConnectionGuard(
            limits: api.limits,
            connections: OpenConnections(total: 16, perAddress: 16, proxies: TrustedProxies()),
            bodyLimit: { api.bodyLimit(method: $0.method.rawValue, target: $0.uri) },
            logger: Self.logger
        )
        let wire = WireHandler(guardian)
        let channel = EmbeddedChannel()
        // As GuardedHTTPChannel has them, without Hummingbird's handlers behind, which a hit does not reach.
        try channel.pipeline.syncOperations.addHandlers([
            wire, HTTPResponseEncoder(), ByteToMessageHandler(HTTPRequestDecoder()), guardian,
            HitHandler(api, guardian: guardian, wire: wire),
        ])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        self.channel = channel
        self.request = ByteBuffer(
            string: "GET /v1/balance/series?view=daily&from=\(Self.first)&to=\(Self.last) HTTP/1.1\r\n"
                + "Host: 127.0.0.1:8080\r\nAuthorization: Bearer \(token)\r\n\r\n"
        )
        let answer = String(buffer: try self.ask())
        guard answer.hasPrefix("HTTP/1.1 200 OK\r\n"), answer.contains("stock-l1; hit") else {
            throw Failure(text: "no hit: \(answer)")
        }
    }

    /// Asks once more for the series.
    ///
    /// - Returns: the bytes sent.
    /// - Throws: what the handlers do not know what to do with; a defect.
    @discardableResult
    func ask() throws -> ByteBuffer {
        try self.channel.writeInbound(self.request)
        guard case .byteBuffer(let bytes)? = try self.channel.readOutbound(as: IOData.self) else {
            throw Failure(text: "no answer")
        }
        return bytes
    }

    private static let logger = Logger(label: "weigh", factory: { _ in SwiftLogNoOpLogHandler() })
    private static let first = "2026-01-01"
    private static let last = "2026-01-31"

    /// The body of the series, as PostgreSQL makes it.
    static let series = { () -> String in
        let days = (1...31).map { day in
            #"{"period":"2026-01-\#(day < 10 ? "0" : "")\#(day)","income":"1234.50","expense":"0.00","net":"1234.50"}"#
        }
        return #"{"view":"daily","method":"all","from":"\#(first)","to":"\#(last)","timezone":"Europe/Berlin","#
            + #""currency":"EUR","data":[\#(days.joined(separator: ", "))]}"#
    }()

    private static func makeAPI() async throws -> (API, token: String) {
        let secret = (0..<32).map { UInt8($0) }
        let key = try SigningKey(secret: secret)
        let cache = CacheAtHand.make()
        let postgres = PostgresClient(
            configuration: try PostgresConfiguration(url: "postgres://nobody@localhost/nothing"),
            loop: IOLoop(),
            statements: [],
            logger: Self.logger
        )
        let shop = Shop(
            postgres: postgres,
            cache: cache,
            settings: ShopSettings(secret: secret),
            logger: Self.logger
        )
        var settings = APISettings(signingKeys: [key], build: Build(version: "0", instance: "weigh"))
        settings.rates = .unlimited
        settings.loggedHits = 0
        let health = HealthRoutes(
            lifecycle: Lifecycle(),
            build: settings.build,
            state: { ProcessState(database: .available) },
            cache: cache
        )
        let api = try await API.make(shop: shop, settings: settings, health: health, logger: Self.logger)

        let tenant = TenantID(rawValue: 1)
        let owner = Caller(
            tenant: tenant,
            user: .make(),
            session: .make(),
            role: .owner,
            scopes: Role.owner.scopes,
            name: "owner@example.com"
        )
        guard let user = owner.user, let session = owner.session else { throw Failure(text: "nobody") }
        let entry = SessionEntry(
            user: user,
            email: owner.name,
            role: .owner,
            workplaces: .everywhere,
            expiresAt: Timestamp(microsecondsSince1970: .max),
            isTenantActive: true
        )
        let sessionKey = KeyBuilder("session").adding(session.description).key(tenant: 1, module: .identity)
        try await Self.keep(.value(entry), under: sessionKey, in: cache)
        let days = try DayRange(from: BusinessDay(Self.first), to: BusinessDay(Self.last))
        guard case .known(let seriesKey, _) = try shop.balance.series(SeriesQuery(view: .daily, days: days), owner)
        else { throw Failure(text: "the series is not known") }
        try await Self.keep(.body(ByteBuffer(string: Self.series), etag: nil), under: seriesKey, in: cache)
        let tokens = try await AccessTokens(keys: [key])
        return (api, try tokens.issue(user: user, session: session, tenant: tenant))
    }

    private static func keep(_ content: CacheContent, under key: CacheKey, in cache: TenantCache) async throws {
        _ = try await cache.read(key, deadline: .now + .seconds(60)) {
            Filled(content: content, snapshot: CacheAtHand.snapshot)
        }
    }
}

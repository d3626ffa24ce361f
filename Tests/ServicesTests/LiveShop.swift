import Cache
import Coherence
import Foundation
import IOLoop
import Kernel
import Logging
import NIOCore
import Postgres
import Synchronization
import TestSupport

@testable import Services

/// All services over a database of their own, with the coherence service at work and an owner signed up through them.
final class LiveShop: Sendable {
    let database: TestDatabase
    let postgres: PostgresClient
    let cache: TenantCache
    let shop: Shop
    let owner: SignedIn
    /// Moves when a test says so; begins at the machine's time.
    let clock: MovingClock
    /// What was logged, at info and above.
    let log: LogRecorder

    private init(
        database: TestDatabase,
        postgres: PostgresClient,
        cache: TenantCache,
        shop: Shop,
        owner: SignedIn,
        clock: MovingClock,
        log: LogRecorder
    ) {
        self.database = database
        self.postgres = postgres
        self.cache = cache
        self.shop = shop
        self.owner = owner
        self.clock = clock
        self.log = log
    }

    static let password = "correct horse battery"

    /// Opens a shop, lends it, closes it.
    static func open<Value>(
        _ name: String = #function,
        currency: String = "EUR",
        timezone: String = "America/Montevideo",
        _ body: (LiveShop) async throws -> Value
    ) async throws -> Value {
        let database = try await PostgresServer.shared().database(named: name)
        var configuration = try PostgresConfiguration(url: database.appURL)
        configuration.acquireTimeout = .seconds(30)
        var logger = Logger(label: "live")
        logger.logLevel = .critical
        let loop = IOLoop()
        loop.start()
        let postgres = PostgresClient(
            configuration: configuration,
            loop: loop,
            statements: Shop.statements,
            logger: logger
        )
        let cache = TenantCache()
        let log = LogRecorder()
        let coherence = CoherenceService(cache: cache, postgres: postgres, logger: logger)
        let clock = MovingClock()
        var settings = ShopSettings(
            secret: Array(repeating: 9, count: 32),
            passwordCost: PasswordCost(ln: 4, r: 8, p: 1),
            clock: clock.wall
        )
        settings.webhookRule = try .ofTests
        let shop = Shop(postgres: postgres, cache: cache, settings: settings, logger: log.logger)
        let connections = Task { await postgres.run() }
        let followers = Task { await coherence.run() }
        let notes = Task { await shop.identity.writeLateNotes() }
        let hub = Task { await shop.events.hub.run() }
        let result: Result<Value, any Error>
        do {
            let owner = try await shop.identity.signUp(
                SignupRequest(
                    tenantName: "Ñandú",
                    slug: "nandu",
                    email: "ana@example.com",
                    password: password,
                    currency: try required(Currency(code: currency)),
                    timezone: timezone,
                    name: "Ana"
                ),
                from: .test,
                deadline: .now + .seconds(60)
            )
            let live = LiveShop(
                database: database,
                postgres: postgres,
                cache: cache,
                shop: shop,
                owner: owner,
                clock: clock,
                log: log
            )
            result = .success(try await body(live))
        } catch {
            result = .failure(error)
        }
        shop.identity.endLateNotes()
        await notes.value
        followers.cancel()
        hub.cancel()
        connections.cancel()
        await followers.value
        await hub.value
        await connections.value
        loop.stop()
        return try result.get()
    }

    /// The owner's requests.
    var context: CallContext {
        CallContext(
            caller: Caller(
                tenant: owner.tenant.id,
                user: owner.user,
                session: owner.session,
                role: .owner,
                scopes: Set(Scope.allCases),
                name: owner.email
            ),
            deadline: deadline,
            requestID: "test",
            address: Origin.test.address
        )
    }

    /// The owner.
    var caller: Caller { context.caller }

    /// The answer to a read, to the owner unless it is said to whom.
    func answer(_ read: CachedRead, _ asking: CallContext? = nil) async throws(Problem) -> CachedAnswer {
        try await shop.store.answer(read, asking ?? context)
    }

    /// What an operator's command asks with.
    var operators: CallContext {
        CallContext(
            caller: Caller(tenant: owner.tenant.id, scopes: Set(Scope.allCases), name: "operator"),
            deadline: deadline,
            requestID: "test",
            address: Origin.test.address
        )
    }

    var deadline: ContinuousClock.Instant { .now + .seconds(60) }

    /// A key of some route.
    func key(_ text: String, route: String = "POST /v1/test", hash: UInt8 = 1) -> IdempotencyKey {
        IdempotencyKey(route: route, key: text, requestHash: Array(repeating: hash, count: 32))
    }

    /// What `stock verify` finds, but for what nothing relays in these tests.
    func violations() async throws -> [String] {
        try await Verification(postgres: postgres).run(deadline: deadline).map(\.detail)
            .filter { !$0.hasPrefix("outbox row") }
    }
}

/// A wall clock that tests move.
final class MovingClock: Sendable {
    private let offset = Mutex(Duration.zero)

    func advance(by duration: Duration) { offset.withLock { $0 += duration } }

    var wall: WallClock {
        WallClock { Timestamp.now().adding(self.offset.withLock { $0 }) }
    }
}

/// What a test cannot go on without.
struct Missing: Error {}

func required<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Missing() }
    return value
}

/// A JSON body, read by a path such as `data.0.name`.
struct JSONBody {
    let value: JSONValue

    init(_ buffer: ByteBuffer?) throws {
        value = try JSONValue.parse(Array(try required(buffer).readableBytesView))
    }

    init(_ answer: CachedAnswer) throws { try self.init(answer.body) }

    init(_ answer: Answer) throws { try self.init(answer.body) }

    /// The text of a string, number or boolean; nil for null or what is not there.
    subscript(_ path: String) -> String? {
        switch node(path) {
        case .string(let text): text
        case .number(let text): text
        case .bool(let bool): "\(bool)"
        default: nil
        }
    }

    /// How many elements an array has.
    func count(_ path: String) -> Int {
        guard case .array(let values) = node(path) else { return 0 }
        return values.count
    }

    /// The texts at a path of every element of an array.
    func texts(_ path: String, _ member: String) -> [String?] {
        (0..<count(path)).map { self["\(path).\($0).\(member)"] }
    }

    private func node(_ path: String) -> JSONValue {
        var node = value
        for step in path.split(separator: ".") {
            switch node {
            case .object(let object): node = object[String(step)] ?? .null
            case .array(let values):
                guard let index = Int(step), values.indices.contains(index) else { return .null }
                node = values[index]
            default: return .null
            }
        }
        return node
    }
}

/// The problem a call is refused with.
func problem<Value>(_ body: () async throws -> Value) async -> Problem? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? Problem
    }
}

/// Waits until the instance may serve from its memory.
func usable(_ live: LiveShop) async throws {
    try await eventually("the instance may serve from its memory") { live.cache.isUsable }
}

extension Origin {
    /// Where requests of tests come from.
    static let test = Origin(requestID: "test", address: "192.0.2.1")
}

/// Keeps what the services log.
final class LogRecorder: Sendable {
    private let lines = Mutex<[String]>([])

    /// Level, message and metadata of every line.
    var all: [String] { lines.withLock { $0 } }

    var logger: Logger {
        Logger(label: "live") { _ in Handler(recorder: self) }
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        init(recorder: LogRecorder) {
            self.recorder = recorder
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let words = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let line = ([event.level.rawValue, "\(event.message)"] + words).joined(separator: " ")
            recorder.lines.withLock { $0.append(line) }
        }
    }
}

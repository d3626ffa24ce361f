import Cache
import CacheAtHand
import HTTPTypes
import IOLoop
import Kernel
import Logging
import NIOCore
import Postgres
import Services

@testable import API

/// A store without a database: its memory is in use, and what is read computes what a test says.
struct TestMemory {
    let cache: TenantCache
    let store: Store

    init() throws {
        let cache = CacheAtHand.make()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let postgres = PostgresClient(
            configuration: try PostgresConfiguration(url: "postgres://nobody@localhost/nothing"),
            loop: IOLoop(),
            statements: [],
            logger: logger
        )
        self.cache = cache
        self.store = Store(postgres: postgres, cache: cache, logger: logger)
    }

    /// A route whose every path is answered with a body of its own.
    static func route(
        _ path: String,
        area: String = "test",
        access: Route.Access = .authenticated,
        body: @escaping @Sendable () async throws -> String = { "{}" }
    ) -> Route {
        Route(
            .get,
            path,
            path,
            "Reads",
            area: area,
            access: access,
            takes: Route.Input(parameters: [Route.Parameter("q", .text, "Whatever.")]),
            service: .read { call, caller in read(call.segments.map { String($0) }, of: caller.tenant, body) }
        )
    }

    private static func read(
        _ parts: [String],
        of tenant: TenantID,
        _ body: @escaping @Sendable () async throws -> String
    ) -> CachedRead {
        var builder = KeyBuilder("test")
        for part in parts { builder.add(part) }
        return .known(builder.key(tenant: tenant.rawValue, module: .products), TestFill(body: body))
    }
}

/// Computes a body without asking anybody.
private struct TestFill: Fill {
    let body: @Sendable () async throws -> String

    var statement: Nothing { Nothing() }

    func filled(_ row: inout Nothing.Row) throws -> Filled { throw Problem.notFound }

    func run(
        on postgres: PostgresClient,
        for tenant: TenantID,
        until deadline: ContinuousClock.Instant
    ) async throws -> Filled {
        Filled(
            content: .body(ByteBuffer(string: try await body()), etag: nil),
            snapshot: CacheAtHand.snapshot
        )
    }

    struct Nothing: Statement {
        static let name = "test.nothing"
        static let sql: SQL = "SELECT 1"
    }
}

import API
import Cache
import Kernel
import Logging
import NIOCore
import Postgres
import Services

/// The shop's services as operators' commands use them: without caches, as nobody in particular.
struct OperatorShop: Sendable {
    let shop: Shop

    /// Runs a command's work with the services.
    static func run<Value: Sendable>(
        _ settings: Settings,
        _ body: (OperatorShop) async throws -> Value
    ) async throws -> Value {
        let database = try settings.operatorDatabase()
        let logger = try settings.commandLogger()
        // Sessions that are made here are never used: without a configured secret any will do.
        let secret =
            (try? settings.signingKeys())?.first?.secret ?? (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        return try await DatabaseSession.run(database, logger: logger) { postgres in
            var cache = CacheSettings()
            cache.isEnabled = false
            let shop = Shop(
                postgres: postgres,
                cache: TenantCache(settings: cache),
                settings: ShopSettings(secret: secret),
                logger: logger
            )
            return try await body(OperatorShop(shop: shop))
        }
    }

    var deadline: ContinuousClock.Instant { .now + .seconds(30) }

    /// The tenant of a slug.
    func tenant(_ slug: String) async throws -> TenantID {
        guard let tenant = try await shop.identity.tenant(slug, deadline: deadline) else {
            throw CommandFailure(.failed, "there is no tenant '\(slug)'")
        }
        return tenant
    }

    /// Who an operator is to a tenant: somebody who may do everything.
    func context(_ tenant: TenantID) -> CallContext {
        CallContext(
            caller: Caller(tenant: tenant, scopes: Set(Scope.allCases), name: "operator"),
            deadline: deadline,
            requestID: UUIDv7.make().description,
            bypassCache: true
        )
    }
}

extension ByteBuffer {
    /// The bytes as text.
    var text: String { String(buffer: self) }
}

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

    private init(shop: Shop) { self.shop = shop }

    /// Runs a command's work with the services.
    static func run<Value: Sendable>(
        _ settings: Settings,
        _ body: (OperatorShop) async throws -> Value
    ) async throws -> Value {
        let logger = try settings.commandLogger()
        // Sessions that are made here are never used: without a configured secret any will do.
        let secret =
            (try? settings.signingKeys())?.first?.secret ?? (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        return try await DatabaseSession.onShop(settings) { postgres in
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

    /// Where what a command does comes from.
    let origin = Origin(requestID: UUIDv7.make().description)

    /// The tenant a command is about.
    func tenant(_ options: TenantOptions) async throws -> TenantID { try await options.find(in: shop.store.postgres) }

    /// Who an operator is to a tenant: somebody who may do everything.
    func context(_ tenant: TenantID) -> CallContext {
        CallContext(
            caller: Caller(tenant: tenant, scopes: Set(Scope.allCases), name: "operator"),
            deadline: deadline,
            requestID: origin.requestID,
            bypassCache: true
        )
    }
}

extension ByteBuffer {
    /// The bytes as text.
    var text: String { String(buffer: self) }
}

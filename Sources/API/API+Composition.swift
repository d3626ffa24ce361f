package import Kernel
package import Logging
package import Services

/// What can be chosen about the HTTP surface.
package struct APISettings: Sendable {
    /// The keys of access tokens: the first signs, the second is accepted during a rotation.
    package var signingKeys: [SigningKey]
    /// What connections and requests may cost.
    package var limits = ServerLimits()
    /// How often anyone may ask.
    package var rates = RateLimitSettings()
    /// Whose word about a client's address is taken.
    package var proxies = TrustedProxies()
    /// Which pages may use it from a browser.
    package var crossOrigin = CrossOrigin()
    /// What this process is.
    package var build: Build
    /// The wall clock.
    package var clock = WallClock.system
    /// What `/metrics` shows; to be installed before anything that measures is made.
    package var metrics = MetricsRegistry()

    /// Makes settings.
    ///
    /// - Parameters:
    ///   - signingKeys: one or two keys of access tokens.
    ///   - build: what this process is.
    package init(signingKeys: [SigningKey], build: Build) {
        self.signingKeys = signingKeys
        self.build = build
    }
}

extension API {
    /// Makes the HTTP surface of a shop, with every route.
    ///
    /// - Parameters:
    ///   - shop: the services.
    ///   - settings: what was chosen.
    ///   - logger: told of requests that failed.
    ///   - state: asked by health checks about the processes beside this one; must not block.
    /// - Returns: the surface, to be given to an ``HTTPServer``.
    /// - Throws: ``SigningKey/Invalid`` when there is no key.
    package static func make(
        shop: Shop,
        settings: APISettings,
        logger: Logger,
        state: @escaping @Sendable () -> ProcessState
    ) async throws -> API {
        let tokens = try await AccessTokens(keys: settings.signingKeys, clock: settings.clock)
        let rates = RateLimits(settings.rates)
        let lifecycle = Lifecycle()
        let identity = shop.identity
        return API(
            routes: Routes.all(
                shop: shop,
                tokens: tokens,
                rates: rates,
                health: HealthRoutes(
                    lifecycle: lifecycle,
                    build: settings.build,
                    state: state,
                    cache: shop.store.cache
                ),
                metrics: settings.metrics,
                version: settings.build.version
            ),
            authenticator: Authenticator(
                tokens: tokens,
                rates: rates,
                ofSession: { claims, deadline in
                    try await identity.caller(
                        session: claims.session,
                        user: claims.user,
                        tenant: claims.tenant,
                        deadline: deadline
                    )
                },
                ofKey: { key, deadline in try await identity.caller(apiKey: key, deadline: deadline) },
                ofKnownKey: { key in try identity.knownCaller(apiKey: key) }
            ),
            limits: settings.limits,
            rates: rates,
            lifecycle: lifecycle,
            proxies: settings.proxies,
            crossOrigin: settings.crossOrigin,
            cache: shop.store.cache,
            clock: settings.clock,
            logger: logger
        )
    }
}

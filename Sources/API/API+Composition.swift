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
    /// Whether the console is served.
    package var hasConsole = true
    /// What this process is.
    package var build: Build
    /// The wall clock.
    package var clock = WallClock.system
    /// What `/metrics` shows; to be installed before anything that measures is made.
    package var metrics = MetricsRegistry()
    /// The share of answers from memory that gets a line in the log, 0 to 1.
    package var loggedHits = 0.01

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
    /// Every statement of the services and of the records of all areas, for connections to prepare as they come up.
    package static var statements: [AnyStatement] {
        Shop.statements + Routes.areas.flatMap { $0.records.flatMap { $0.statements } }
    }

    /// Makes the HTTP surface of a shop, with every route that clients may use.
    ///
    /// - Parameters:
    ///   - shop: the services.
    ///   - settings: what was chosen.
    ///   - health: how the instance is.
    ///   - logger: told of each request, and of those that failed.
    /// - Returns: the surface, to be given to an ``HTTPServer``.
    /// - Throws: ``SigningKey/Invalid`` when there is no key.
    package static func make(
        shop: Shop,
        settings: APISettings,
        health: HealthRoutes,
        logger: Logger
    ) async throws -> API {
        let tokens = try await AccessTokens(keys: settings.signingKeys, clock: settings.clock)
        let rates = RateLimits(settings.rates)
        let identity = shop.identity
        let hub = shop.events.hub
        // Streams go first, so that their clients are elsewhere when the rest ends.
        health.lifecycle.whenDraining { hub.wakeEverybody() }
        settings.metrics.observe { EventsRoutes.samples(of: hub) }
        return API(
            routes: Routes.all(
                shop: shop,
                tokens: tokens,
                rates: rates,
                origins: settings.crossOrigin,
                health: health,
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
                ofKnownSession: { claims in
                    try identity.knownCaller(session: claims.session, user: claims.user, tenant: claims.tenant)
                },
                ofKnownKey: { key in try identity.knownCaller(apiKey: key) }
            ),
            limits: settings.limits,
            rates: rates,
            lifecycle: health.lifecycle,
            proxies: settings.proxies,
            crossOrigin: settings.crossOrigin,
            console: settings.hasConsole ? ConsolePages() : nil,
            store: shop.store,
            clock: settings.clock,
            metrics: settings.metrics,
            loggedHits: settings.loggedHits,
            logger: logger
        )
    }

    /// Makes the HTTP surface for operators, with what no client should see: metrics, and all of the instance's health.
    ///
    /// It knows no credential: whoever reaches its address is an operator.
    ///
    /// - Parameters:
    ///   - settings: what was chosen.
    ///   - health: how the instance is.
    ///   - logger: told of requests that failed.
    /// - Returns: the surface, to be given to an ``HTTPServer`` of its own.
    /// - Throws: ``SigningKey/Invalid`` when there is no key.
    package static func operations(
        settings: APISettings,
        health: HealthRoutes,
        logger: Logger
    ) async throws -> API {
        var limits = settings.limits
        limits.connections = 64
        // It answers until the last request of the other one is done, and is asked by nobody who could be sent elsewhere.
        limits.drainDelay = .zero
        let nobody = Problem(.unauthenticated, "Nobody signs in here.")
        let rates = RateLimits(.unlimited)
        let routes = health.routes + [health.detailedRoute] + MetricsRoutes(metrics: settings.metrics).routes
        return API(
            routes: routes + [Routes.openAPI(of: routes, version: settings.build.version)],
            authenticator: Authenticator(
                tokens: try await AccessTokens(keys: settings.signingKeys, clock: settings.clock),
                rates: rates,
                ofSession: { _, _ in throw nobody },
                ofKey: { _, _ in throw nobody }
            ),
            limits: limits,
            rates: rates,
            lifecycle: health.lifecycle,
            clock: settings.clock,
            logger: logger
        )
    }
}

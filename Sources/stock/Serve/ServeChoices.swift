import API
import Cache
import Kernel
import Postgres
import Redis
import Services

/// All that `serve` was told, checked before anything is started.
struct ServeChoices: Sendable {
    let role: Serve.Role
    let instance: String
    let host: String
    let port: Int
    /// Where operators look; nil if nowhere.
    let operations: (host: String, port: Int)?
    let drainDelay: Duration
    let commit: String?
    let logHits: Double
    let httpConnections: Int
    let httpConnectionsPerAddress: Int
    let proxies: TrustedProxies
    let crossOrigin: CrossOrigin
    let hasConsole: Bool
    let database: PostgresConfiguration
    let redis: RedisConfiguration?
    let cache: CacheSettings
    let warmsUp: Bool
    let eventRetention: Duration
    let shop: ShopSettings
    let signingKeys: [SigningKey]
    let rates: RateLimitSettings

    init(_ settings: Settings, role: Serve.Role) throws {
        self.role = role
        instance = try settings.instance()
        (host, port) = try settings.listen()
        operations = try settings.operationsListen()
        drainDelay = try settings.drainDelay()
        commit = try settings.commit()
        logHits = try settings.logHits()
        httpConnections = try settings.httpConnections()
        httpConnectionsPerAddress = try settings.httpConnectionsPerAddress()
        proxies = try settings.trustedProxies()
        crossOrigin = try settings.corsOrigins()
        hasConsole = try settings.isConsoleEnabled()
        database = try settings.database()
        redis = try settings.redis()
        let caching = try settings.cache()
        cache = try CacheSettings(
            caching,
            // Two connections are left to writes, whatever misses.
            fills: max(1, database.sharedConnections + database.exclusiveConnections - 2),
            defects: try settings.defects()
        )
        warmsUp = caching.isEnabled && caching.warmsUp
        eventRetention = try settings.eventRetention()
        signingKeys = try settings.signingKeys()
        var shop = ShopSettings(
            secret: signingKeys.first?.secret ?? [],
            isSignupEnabled: try settings.isSignupEnabled()
        )
        shop.formerSecrets = signingKeys.dropFirst().map(\.secret)
        shop.webhookRule = try settings.webhookRule()
        self.shop = shop
        rates = RateLimitSettings(try settings.rates())
    }
}

extension CacheSettings {
    fileprivate init(_ choices: CacheChoices, fills: Int, defects: Defects) throws {
        self.init()
        instanceFills = fills
        self.defects = defects
        isEnabled = choices.isEnabled
        keyPrefix = choices.keyPrefix
        l1Bytes = choices.l1Bytes
        defaultTTL = choices.defaultTTL
        moduleTTL = [
            .products: choices.productsTTL, .categories: choices.categoriesTTL, .units: choices.unitsTTL,
            .balance: choices.balanceTTL, .dashboard: choices.dashboardTTL, .reports: choices.reportsTTL,
        ]
        negativeTTL = choices.negativeTTL
        try validate()
    }
}

extension RateLimitSettings {
    fileprivate init(_ choices: RateChoices) {
        self.init()
        tenant = choices.tenantPerSecond == 0 ? nil : Self.rate(choices.tenantPerSecond)
        apiKey = choices.keyPerSecond == 0 ? nil : Self.rate(choices.keyPerSecond)
        loginAccount = choices.loginPerMinute == 0 ? nil : .perMinute(choices.loginPerMinute)
        loginAddress = choices.loginPerMinute == 0 ? nil : .perMinute(choices.loginPerMinute * 4)
        credentials = choices.loginPerMinute == 0 ? nil : .perMinute(choices.loginPerMinute * 12)
        tenantInFlight = choices.tenantInFlight
        inFlight = max(inFlight, choices.tenantInFlight)
    }

    /// Twice the rate may come at once.
    private static func rate(_ perSecond: Int) -> Rate {
        Rate(perSecond: Double(perSecond), burst: perSecond * 2)
    }
}

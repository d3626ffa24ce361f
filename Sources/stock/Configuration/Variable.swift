/// A variable of the configuration: its name, what it does, and what it accepts.
struct Variable: Sendable {
    let name: String
    let help: String
    /// What holds if it is not set, as a value one could set.
    let fallback: String?

    init(_ name: String, _ help: String, fallback: String? = nil) {
        self.name = name
        self.help = help
        self.fallback = fallback
    }
}

extension Variable {
    static let databaseURL = Variable(
        "DATABASE_URL",
        "postgres://user:password@host:port/database, as role stock_app"
    )
    static let databaseOwnerURL = Variable(
        "DATABASE_OWNER_URL",
        "the same as a role that may migrate; used by `migrate` and `tenant import`, and by other operators' commands without DATABASE_URL"
    )
    static let databasePoolSize = Variable(
        "DATABASE_POOL_SIZE",
        "connections for requests, 2 to 100; one more listens",
        fallback: "5"
    )
    static let redisURL = Variable("REDIS_URL", "redis://user:password@host:port/0; empty: no Redis")
    static let redisHost = Variable("REDIS_HOST", "instead of REDIS_URL; empty: no Redis")
    static let redisPort = Variable("REDIS_PORT", "1 to 65535", fallback: "6379")
    static let redisDB = Variable("REDIS_DB", "the database's number, 0 to 15", fallback: "0")
    static let redisPassword = Variable("REDIS_PASSWORD", "the password, if one is needed")
    static let redisSentinels = Variable(
        "REDIS_SENTINELS",
        "host:port,host:port,... of Redis Sentinel, instead of REDIS_URL and REDIS_HOST"
    )
    static let redisSentinelMaster = Variable(
        "REDIS_SENTINEL_MASTER",
        "what Sentinel calls the primary, a word",
        fallback: "mymaster"
    )
    static let redisSentinelPassword = Variable(
        "REDIS_SENTINEL_PASSWORD",
        "the password of the sentinels themselves, if they ask for one"
    )
    static let redisConnectTimeout = Variable("REDIS_CONNECT_TIMEOUT", "milliseconds, 1 to 60000", fallback: "200")
    static let redisCommandTimeout = Variable("REDIS_COMMAND_TIMEOUT", "milliseconds, 1 to 60000", fallback: "50")
    static let listen = Variable("STOCK_LISTEN", "address:port to serve on", fallback: "127.0.0.1:8080")
    static let operationsListen = Variable(
        "STOCK_OPERATIONS_LISTEN",
        "address:port for /metrics, /health/detailed and the other health endpoints, where no client comes; empty: not served"
    )
    static let drainDelay = Variable(
        "STOCK_DRAIN_DELAY",
        "seconds from SIGTERM to the end of accepting, 0 to 120: longer than the load balancer needs to look away",
        fallback: "4"
    )
    static let commit = Variable(
        "STOCK_COMMIT",
        "the commit this was built from, for /version; scripts/up and the image set it"
    )
    static let httpConnections = Variable(
        "HTTP_CONNECTIONS",
        "connections open at once, 1 to 65536; for one more the oldest silent, idle or half-sent one is closed",
        fallback: "4096"
    )
    static let httpConnectionsPerAddress = Variable(
        "HTTP_CONNECTIONS_PER_ADDRESS",
        "of which one address may have so many, 1 to 65536; proxies of TRUSTED_PROXIES may have all",
        fallback: "1024"
    )
    static let trustedProxies = Variable(
        "TRUSTED_PROXIES",
        "addresses and networks, as 10.0.0.0/8,::1, whose X-Forwarded-For names the client; empty: nobody's"
    )
    static let corsOrigins = Variable(
        "CORS_ORIGINS",
        "origins, as https://shop.example,http://localhost:5173, whose pages may use the API; *: all; empty: none"
    )
    static let consoleEnabled = Variable(
        "CONSOLE_ENABLED",
        "whether the console is served at /console/: true or false",
        fallback: "true"
    )
    static let instance = Variable(
        "STOCK_INSTANCE",
        "this instance's name in logs and health",
        fallback: "host and port"
    )
    static let authSecret = Variable(
        "AUTH_SECRET",
        "a secret of at least 32 random bytes that signs tokens, the same for every instance"
    )
    static let authKeyFile = Variable(
        "AUTH_KEY_FILE",
        "a file of one or two lines kid:secret instead, not readable by everybody; the first signs, both are accepted"
    )
    static let signupEnabled = Variable(
        "SIGNUP_ENABLED",
        "whether anybody may sign up: true or false",
        fallback: "true"
    )
    static let logLevel = Variable(
        "LOG_LEVEL",
        "trace, debug, info, notice, warning, error or critical",
        fallback: "info"
    )
    static let logFormat = Variable("LOG_FORMAT", "json or text", fallback: "json")
    static let logHits = Variable(
        "LOG_HITS",
        "the share of answers from memory that gets a line in the log, 0 to 1; every other request gets one",
        fallback: "0.01"
    )
    static let cacheEnabled = Variable("CACHE_ENABLED", "whether answers are cached: true or false", fallback: "true")
    static let cacheKeyPrefix = Variable(
        "CACHE_KEY_PREFIX",
        "the first part of every key in Redis, ASCII without spaces",
        fallback: "stock"
    )
    static let cacheL1Bytes = Variable(
        "CACHE_L1_BYTES",
        "memory for cached answers, in bytes, 65536 or more",
        fallback: "67108864"
    )
    static let cacheDefaultTTL = Variable("CACHE_DEFAULT_TTL", "seconds an answer lives, 1 to 86400", fallback: "60")
    static let cacheProductsTTL = Variable(
        "CACHE_PRODUCTS_TTL",
        "the same for products, 1 to 86400 seconds",
        fallback: "60"
    )
    static let cacheCategoriesTTL = Variable(
        "CACHE_CATEGORIES_TTL",
        "the same for categories, 1 to 86400 seconds",
        fallback: "300"
    )
    static let cacheUnitsTTL = Variable("CACHE_UNITS_TTL", "the same for units, 1 to 86400 seconds", fallback: "3600")
    static let cacheBalanceTTL = Variable(
        "CACHE_BALANCE_TTL",
        "the same for the balance, 1 to 86400 seconds",
        fallback: "60"
    )
    static let cacheDashboardTTL = Variable(
        "CACHE_DASHBOARD_TTL",
        "the same for the dashboard, 1 to 86400 seconds",
        fallback: "300"
    )
    static let cacheReportsTTL = Variable(
        "CACHE_REPORTS_TTL",
        "the same for reports, 1 to 86400 seconds",
        fallback: "600"
    )
    static let cacheNegativeTTL = Variable(
        "CACHE_NEGATIVE_TTL",
        "the same for ids that do not exist, 1 to 86400 seconds",
        fallback: "15"
    )
    static let cacheWarmUp = Variable(
        "CACHE_WARM_UP",
        "whether an instance reads what was busy before it says that it is ready, if there is Redis: true or false",
        fallback: "true"
    )
    static let eventsRetentionDays = Variable(
        "EVENTS_RETENTION_DAYS",
        "days for which events can be read, 1 to 3650",
        fallback: "30"
    )
    static let webhookHTTP = Variable(
        "WEBHOOK_ALLOW_HTTP",
        "whether webhooks may be sent without TLS: true or false",
        fallback: "false"
    )
    static let webhookNetworks = Variable(
        "WEBHOOK_ALLOW_NETWORKS",
        "addresses and networks, as 10.1.0.0/16,fd00::/8, that webhooks may be sent to although they are not public; empty: none"
    )
    static let rateLimitTenant = Variable(
        "RATE_LIMIT_TENANT",
        "a tenant's requests per second, 1 to 1000000, cached answers free; 0: no limit",
        fallback: "100"
    )
    static let rateLimitKey = Variable(
        "RATE_LIMIT_KEY",
        "an API key's requests per second, 1 to 1000000; 0: no limit",
        fallback: "50"
    )
    static let rateLimitLogin = Variable(
        "RATE_LIMIT_LOGIN",
        "wrong log-ins per minute to one account from one address, 1 to 1000000; four times as many to all; 0: no limit",
        fallback: "5"
    )
    static let rateLimitInFlight = Variable(
        "RATE_LIMIT_IN_FLIGHT",
        "requests of one tenant worked on at once, 1 to 4096",
        fallback: "20"
    )

    /// All of them, in the order of `stock serve --help`.
    static let all: [Variable] = shipped + controls

    private static let shipped: [Variable] = [
        databaseURL, databaseOwnerURL, databasePoolSize, redisURL, redisHost, redisPort, redisDB, redisPassword,
        redisSentinels, redisSentinelMaster, redisSentinelPassword, redisConnectTimeout, redisCommandTimeout, listen,
        operationsListen, drainDelay, httpConnections, httpConnectionsPerAddress, trustedProxies, corsOrigins,
        consoleEnabled, instance, commit, authSecret, authKeyFile, signupEnabled, logLevel, logFormat, logHits,
        cacheEnabled, cacheKeyPrefix, cacheL1Bytes, cacheDefaultTTL, cacheProductsTTL, cacheCategoriesTTL,
        cacheUnitsTTL, cacheBalanceTTL, cacheDashboardTTL, cacheReportsTTL, cacheNegativeTTL, cacheWarmUp,
        eventsRetentionDays, webhookHTTP, webhookNetworks,
        rateLimitTenant, rateLimitKey, rateLimitLogin, rateLimitInFlight,
    ]

    /// What scripts and tests of the project itself are told.
    static let prefixesOfTests = ["STOCK_TEST_", "STOCK_SIMULATOR_"]

    #if COHERENCE_CONTROLS
    /// Where test builds are told to fail.
    static let ofTestBuilds: Set<String> = [
        "STOCK_FAILPOINT", "STOCK_DRAIN_DELAY_MS", "STOCK_APPLY_DELAY_MS", "STOCK_BUMP_OFF",
    ]
    static let guardsOff = Variable(
        "STOCK_GUARDS_OFF",
        "test builds only: guards of the cache to leave out, separated by commas"
    )
    private static let controls = [guardsOff]
    #else
    static let ofTestBuilds: Set<String> = []
    private static let controls: [Variable] = []
    #endif

    /// The list as `--help` shows it: a table whose right column wraps within itself.
    ///
    /// - Parameter width: characters of a line of the terminal.
    /// - Returns: lines no longer than that.
    static func listing(width: Int) -> String {
        let names = all.map(\.name.count).max() ?? 0
        let longestWord = all.flatMap { $0.help.split(separator: " ") }.map(\.count).max() ?? 0
        // Where the names leave too little room beside them, the explanation goes below them.
        let isNarrow = width - 1 < names + 4 + longestWord
        let indent = isNarrow ? 6 : names + 4
        let lines = all.flatMap { variable in
            let help = "\(variable.help)\(variable.fallback.map { " (\($0))" } ?? "")"
            var rest = help.wrapped(to: max(16, width - indent - 1))[...]
            var name = "  \(variable.name)"
            if !isNarrow { name = name.padding(toWidth: indent) + (rest.popFirst() ?? "") }
            return [name] + rest.map { String(repeating: " ", count: indent) + $0 }
        }
        let title = "Configuration, from the environment or the file named by --config:".wrapped(to: max(16, width - 1))
        return (title + lines).joined(separator: "\n")
    }
}

extension String {
    /// The text followed by spaces up to a width.
    func padding(toWidth width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }

    /// The text in lines of at most so many characters, broken at spaces; a longer word is broken where its line ends.
    func wrapped(to width: Int) -> [String] {
        var lines: [String] = []
        for whole in split(separator: " ") {
            var word = whole
            while word.count > width {
                lines.append(String(word.prefix(width)))
                word = word.dropFirst(width)
            }
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}

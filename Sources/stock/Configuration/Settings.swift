import API
import Cache
import Configuration
import Foundation
import Kernel
import Logging
import Postgres
import Redis
import Services

/// A variable that is missing, or holds what it must not; the description is the one line that says so.
struct ConfigurationError: Error, CustomStringConvertible {
    let description: String

    init(_ variable: Variable, _ what: String) {
        description = "\(variable.name) \(what); accepted: \(variable.help)"
    }

    init(unknown name: String, nearest: Variable) {
        description = "\(name) is no variable of stock; did you mean \(nearest.name)? Accepted there: \(nearest.help)"
    }

    init(file: String, _ what: String) {
        description = "--config \(file): \(what)"
    }
}

/// The configuration of a process, read once; what is bad stops the start before anything else happens.
struct Settings: Sendable {
    private let reader: ConfigReader
    /// Variables of the environment that look like ours and are not: a line for each.
    let warnings: [String]

    /// Reads the environment, and a file behind it.
    ///
    /// - Parameter file: named by `--config`.
    /// - Throws: ``ConfigurationError`` if the file is unreadable or names a variable that does not exist.
    init(file: String?) throws {
        let environment = try Surroundings(ProcessInfo.processInfo.environment)
        warnings = environment.warnings
        var providers: [any ConfigProvider] = [
            EnvironmentVariablesProvider(environmentVariables: environment.variables)
        ]
        if let file {
            providers.append(EnvironmentVariablesProvider(environmentVariables: try Self.variables(ofFile: file)))
        }
        reader = ConfigReader(providers: providers)
    }

    /// For tests: exactly these variables.
    init(variables: [String: String]) {
        reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: variables))
        warnings = []
    }

    /// Lines of `NAME=value`; blank ones and those that begin with `#` are left out, quotes around a value are removed.
    private static func variables(ofFile path: String) throws -> [String: String] {
        let text: String
        do {
            text = Text.withoutByteOrderMark(try String(contentsOfFile: path, encoding: .utf8))
        } catch {
            throw ConfigurationError(file: path, "cannot be read")
        }
        var variables: [String: String] = [:]
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let equals = line.firstIndex(of: "=") else {
                throw ConfigurationError(file: path, "line \(index + 1) is not NAME=value")
            }
            let name = line[..<equals].trimmingCharacters(in: .whitespaces)
            guard Variable.all.contains(where: { $0.name == name }) else {
                let nearest = Variable.nearest(to: name).map { "; did you mean \($0.variable.name)?" } ?? ""
                throw ConfigurationError(file: path, "line \(index + 1): there is no variable \(name)\(nearest)")
            }
            var value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            if value.count >= 2, let first = value.first, first == value.last, first == "\"" || first == "'" {
                value = String(value.dropFirst().dropLast())
            }
            variables[name] = value
        }
        return variables
    }

    // MARK: Values of one variable

    /// The text of a variable; nil if it is missing or empty.
    func text(_ variable: Variable) -> String? {
        let components = variable.name.lowercased().split(separator: "_").map(String.init)
        guard let text = reader.string(forKey: ConfigKey(components)), !text.isEmpty else { return nil }
        return text
    }

    private func integer(_ variable: Variable, _ range: ClosedRange<Int>) throws -> Int {
        let text = text(variable) ?? variable.fallback ?? ""
        guard let value = Int(text), range.contains(value) else { throw ConfigurationError(variable, "is '\(text)'") }
        return value
    }

    private func flag(_ variable: Variable) throws -> Bool {
        let text = text(variable) ?? variable.fallback ?? ""
        switch text.lowercased() {
        case "true", "yes", "1", "on": return true
        case "false", "no", "0", "off": return false
        default: throw ConfigurationError(variable, "is '\(text)'")
        }
    }

    private func seconds(_ variable: Variable) throws -> Duration {
        .seconds(try integer(variable, 1...86_400))
    }

    private func milliseconds(_ variable: Variable) throws -> Duration {
        .milliseconds(try integer(variable, 1...60_000))
    }

    // MARK: PostgreSQL

    private func postgres(_ variable: Variable, _ url: String) throws -> PostgresConfiguration {
        do {
            return try PostgresConfiguration(url: url)
        } catch {
            // The value may hold a password: it is never repeated.
            throw ConfigurationError(variable, "is no such address")
        }
    }

    /// How `serve` connects.
    func database() throws -> PostgresConfiguration {
        guard let url = text(.databaseURL) else { throw ConfigurationError(.databaseURL, "is missing") }
        var configuration = try postgres(.databaseURL, url)
        let size = try integer(.databasePoolSize, 2...100)
        configuration.sharedConnections = max(1, size * 2 / 5)
        configuration.exclusiveConnections = size - configuration.sharedConnections
        return configuration
    }

    /// How operators' commands connect: as the service does, so that tenants stay apart.
    func operatorDatabase() throws -> PostgresConfiguration {
        var configuration: PostgresConfiguration
        if let url = text(.databaseURL) {
            configuration = try postgres(.databaseURL, url)
        } else if let url = text(.databaseOwnerURL) {
            configuration = try postgres(.databaseOwnerURL, url)
        } else {
            throw ConfigurationError(.databaseURL, "is missing")
        }
        configuration.sharedConnections = 1
        configuration.exclusiveConnections = 2
        configuration.acquireTimeout = .seconds(10)
        return configuration
    }

    /// How migrations connect: as a role that may.
    func ownerDatabase() throws -> PostgresConfiguration {
        var configuration: PostgresConfiguration
        if let url = text(.databaseOwnerURL) {
            configuration = try postgres(.databaseOwnerURL, url)
        } else if let url = text(.databaseURL) {
            configuration = try postgres(.databaseURL, url)
        } else {
            throw ConfigurationError(.databaseOwnerURL, "is missing")
        }
        configuration.sharedConnections = 1
        configuration.exclusiveConnections = 2
        configuration.acquireTimeout = .seconds(10)
        return configuration
    }

    /// The password that DATABASE_URL gives stock_app, for `migrate`.
    func applicationPassword() throws -> String? {
        guard let url = text(.databaseURL) else { return nil }
        return try postgres(.databaseURL, url).parameter("password")
    }

    // MARK: Redis

    /// How to reach Redis; nil if there is none.
    func redis() throws -> RedisConfiguration? {
        // Read even where they are not needed: a bad value is told and not kept for later.
        let port = try integer(.redisPort, 1...65_535)
        let database = try integer(.redisDB, 0...15)
        let connectTimeout = try milliseconds(.redisConnectTimeout)
        let commandTimeout = try milliseconds(.redisCommandTimeout)
        var configuration: RedisConfiguration
        if let list = text(.redisSentinels) {
            configuration = try redis(sentinels: list, database: database)
        } else if let url = text(.redisURL) {
            do {
                configuration = try RedisConfiguration(url: url)
            } catch {
                throw ConfigurationError(.redisURL, "is no such address")
            }
        } else if let host = text(.redisHost) {
            configuration = RedisConfiguration(
                host: host,
                port: port,
                database: database,
                password: text(.redisPassword)
            )
        } else {
            return nil
        }
        configuration.connectTimeout = connectTimeout
        configuration.commandTimeout = commandTimeout
        return configuration
    }

    private func redis(sentinels list: String, database: Int) throws -> RedisConfiguration {
        // Whoever sets both means one of them; guessing which would be found out in an outage.
        for other in [Variable.redisURL, .redisHost] where text(other) != nil {
            throw ConfigurationError(.redisSentinels, "cannot be combined with \(other.name)")
        }
        let name = text(.redisSentinelMaster) ?? Variable.redisSentinelMaster.fallback ?? ""
        do throws(RedisError) {
            // The name alone first, to blame the right variable.
            _ = try RedisSentinels(addresses: [.tcp(host: "sentinel", port: 1)], name: name)
        } catch {
            throw ConfigurationError(.redisSentinelMaster, "is '\(name)'")
        }
        do throws(RedisError) {
            let sentinels = try RedisSentinels(list: list, name: name, password: text(.redisSentinelPassword))
            return RedisConfiguration(sentinels: sentinels, database: database, password: text(.redisPassword))
        } catch {
            throw ConfigurationError(.redisSentinels, "is no list of addresses")
        }
    }

    // MARK: HTTP

    /// Where to listen.
    func listen() throws -> (host: String, port: Int) {
        try address(.listen, text(.listen) ?? Variable.listen.fallback ?? "")
    }

    /// Where to listen for operators; nil if nowhere.
    func operationsListen() throws -> (host: String, port: Int)? {
        guard let text = text(.operationsListen) else { return nil }
        let own = try address(.operationsListen, text)
        guard try own.port != listen().port || own.port == 0 else {
            throw ConfigurationError(.operationsListen, "has the port of \(Variable.listen.name)")
        }
        return own
    }

    private func address(_ variable: Variable, _ text: String) throws -> (host: String, port: Int) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port), colon > text.startIndex
        else { throw ConfigurationError(variable, "is '\(text)'") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty, host == "localhost" || host.contains(".") || host.contains(":") else {
            throw ConfigurationError(variable, "is '\(text)'")
        }
        return (host, port)
    }

    /// How long requests are still accepted after the signal to stop.
    func drainDelay() throws -> Duration {
        .seconds(try integer(.drainDelay, 0...120))
    }

    /// The commit this was built from, if whoever built it said so.
    func commit() throws -> String? {
        guard let text = text(.commit) else { return nil }
        guard text.utf8.count <= 64,
            text.utf8.allSatisfy({ byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            })
        else {
            throw ConfigurationError(.commit, "is no name of a commit: letters, digits, '-', '.' and '_', at most 64")
        }
        return text
    }

    /// How long events can be read.
    func eventRetention() throws -> Duration {
        .seconds(try integer(.eventsRetentionDays, 1...3650) * 86_400)
    }

    /// How many connections to have open at once.
    func httpConnections() throws -> Int {
        try integer(.httpConnections, 1...65_536)
    }

    /// Of which one address may have how many.
    func httpConnectionsPerAddress() throws -> Int {
        try integer(.httpConnectionsPerAddress, 1...65_536)
    }

    /// Whose word about a client's address is taken.
    func trustedProxies() throws -> TrustedProxies {
        do throws(InvalidRange) {
            return try TrustedProxies(list: text(.trustedProxies) ?? "")
        } catch {
            throw ConfigurationError(.trustedProxies, "names '\(error.part)', which is no address or network")
        }
    }

    /// Which pages may use the API from a browser.
    func corsOrigins() throws -> CrossOrigin {
        do throws(CrossOrigin.Invalid) {
            return try CrossOrigin(list: text(.corsOrigins) ?? "")
        } catch {
            throw ConfigurationError(.corsOrigins, "names '\(error.part)', which is no origin")
        }
    }

    /// The name of this instance.
    func instance() throws -> String {
        if let name = text(.instance) { return name }
        return "\(ProcessInfo.processInfo.hostName):\(try listen().port)"
    }

    /// What signs tokens: the first key, while a second one is still accepted.
    func signingKeys() throws -> [SigningKey] {
        if let text = text(.authSecret) {
            guard self.text(.authKeyFile) == nil else {
                throw ConfigurationError(.authKeyFile, "is set beside AUTH_SECRET, and only one can be meant")
            }
            do throws(SigningKey.Invalid) {
                return [try SigningKey(secret: Array(text.utf8))]
            } catch {
                throw ConfigurationError(.authSecret, "is refused: \(error.description)")
            }
        }
        guard let path = text(.authKeyFile) else { throw ConfigurationError(.authSecret, "is missing") }
        guard let data = FileManager.default.contents(atPath: path), let text = String(validating: data, as: UTF8.self)
        else { throw ConfigurationError(.authKeyFile, "names a file that cannot be read") }
        let mode = try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
        guard let mode, mode.intValue & 0o004 == 0 else {
            throw ConfigurationError(.authKeyFile, "names a file that everybody can read: chmod o-r")
        }
        do throws(SigningKey.Invalid) {
            return try SigningKey.parse(keyFile: text)
        } catch {
            throw ConfigurationError(.authKeyFile, "is refused: \(error.description)")
        }
    }

    func isSignupEnabled() throws -> Bool { try flag(.signupEnabled) }

    func isConsoleEnabled() throws -> Bool { try flag(.consoleEnabled) }

    /// Which servers webhooks may be sent to.
    func webhookRule() throws -> AddressRule {
        let allowsHTTP = try flag(.webhookHTTP)
        do throws(InvalidRange) {
            return AddressRule(
                allowsHTTP: allowsHTTP,
                exceptions: try [AddressRange](list: text(.webhookNetworks) ?? "")
            )
        } catch {
            throw ConfigurationError(.webhookNetworks, "names '\(error.part)', which is no address or network")
        }
    }

    // MARK: Logging

    func logLevel() throws -> Logger.Level {
        let text = text(.logLevel) ?? Variable.logLevel.fallback ?? ""
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw ConfigurationError(.logLevel, "is '\(text)'")
        }
        return level
    }

    /// The share of answers from memory that gets a line.
    func logHits() throws -> Double {
        let text = text(.logHits) ?? Variable.logHits.fallback ?? ""
        guard let share = Double(text), (0...1).contains(share) else {
            throw ConfigurationError(.logHits, "is '\(text)'")
        }
        return share
    }

    func logFormat() throws -> LogFormat {
        let text = text(.logFormat) ?? Variable.logFormat.fallback ?? ""
        guard let format = LogFormat(rawValue: text.lowercased()) else {
            throw ConfigurationError(.logFormat, "is '\(text)'")
        }
        return format
    }
}

// MARK: - Cache and limits

extension Settings {
    func cache() throws -> CacheChoices {
        CacheChoices(
            isEnabled: try flag(.cacheEnabled),
            keyPrefix: try keyPrefix(),
            l1Bytes: try integer(.cacheL1Bytes, 65_536...(1 << 40)),
            defaultTTL: try seconds(.cacheDefaultTTL),
            productsTTL: try seconds(.cacheProductsTTL),
            categoriesTTL: try seconds(.cacheCategoriesTTL),
            unitsTTL: try seconds(.cacheUnitsTTL),
            balanceTTL: try seconds(.cacheBalanceTTL),
            dashboardTTL: try seconds(.cacheDashboardTTL),
            reportsTTL: try seconds(.cacheReportsTTL),
            negativeTTL: try seconds(.cacheNegativeTTL),
            warmsUp: try flag(.cacheWarmUp)
        )
    }

    /// The guards of the cache to leave out, so that tests see it noticed; none in a build to ship.
    func defects() throws -> Defects {
        #if COHERENCE_CONTROLS
        guard let list = text(.guardsOff) else { return Defects() }
        guard let defects = Defects(parsing: list) else { throw ConfigurationError(.guardsOff, "is '\(list)'") }
        return defects
        #else
        return Defects()
        #endif
    }

    private func keyPrefix() throws -> String {
        let text = text(.cacheKeyPrefix) ?? Variable.cacheKeyPrefix.fallback ?? ""
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw ConfigurationError(.cacheKeyPrefix, "is '\(text)'")
        }
        return text
    }

    func rates() throws -> RateChoices {
        RateChoices(
            tenantPerSecond: try integer(.rateLimitTenant, 0...1_000_000),
            keyPerSecond: try integer(.rateLimitKey, 0...1_000_000),
            loginPerMinute: try integer(.rateLimitLogin, 0...1_000_000),
            tenantInFlight: try integer(.rateLimitInFlight, 1...4_096)
        )
    }
}

/// What was chosen about the cache.
struct CacheChoices: Sendable {
    let isEnabled: Bool
    let keyPrefix: String
    let l1Bytes: Int
    let defaultTTL: Duration
    let productsTTL: Duration
    let categoriesTTL: Duration
    let unitsTTL: Duration
    let balanceTTL: Duration
    let dashboardTTL: Duration
    let reportsTTL: Duration
    let negativeTTL: Duration
    let warmsUp: Bool
}

/// What was chosen about rates; 0 is no limit.
struct RateChoices: Sendable {
    let tenantPerSecond: Int
    let keyPerSecond: Int
    let loginPerMinute: Int
    let tenantInFlight: Int
}

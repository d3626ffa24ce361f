/// The names of everything the cache keeps in Redis.
package struct RedisKeys: Sendable {
    private let prefix: String
    /// The watermark: all log rows up to it are applied in this data set.
    package let watermark: String
    /// The declaration that this server is up to date.
    package let alive: String
    /// The channel of the bus; channels are shared by all databases of a server, hence the database in it.
    package let channel: String

    /// Names under a prefix, in one database of the server.
    package init(prefix: String, database: Int) {
        self.prefix = prefix
        self.watermark = "\(prefix):lane:0:wm"
        self.alive = "\(prefix):lane:0:alive"
        self.channel = "\(prefix):\(database):lane:0:bus"
    }

    private func scope(_ tenant: Int64, _ module: String) -> String {
        "\(self.prefix):tenant:\(tenant):\(module)"
    }

    /// The generation of a scope.
    package func generation(_ tenant: Int64, _ module: String) -> String {
        self.scope(tenant, module) + ":_g"
    }

    /// The transactions a scope was already bumped for in this data set.
    package func ring(_ tenant: Int64, _ module: String) -> String {
        self.scope(tenant, module) + ":_r"
    }

    /// A value; its last part never begins with an underscore.
    package func value(_ key: CacheKey) -> String {
        "\(self.scope(key.tenant, key.module.rawValue)):\(key.key)"
    }
}

/// Fresh generations.
package enum Generation {
    /// 32 hex digits, random, never used before.
    package static func fresh() -> String {
        var generator = SystemRandomNumberGenerator()
        let high = String(generator.next(), radix: 16)
        let low = String(generator.next(), radix: 16)
        return String(repeating: "0", count: 16 - high.utf8.count) + high
            + String(repeating: "0", count: 16 - low.utf8.count) + low
    }
}

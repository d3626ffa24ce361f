import Kernel

/// The names of everything the cache keeps in Redis.
package struct RedisKeys: Sendable {
    private let prefix: String
    private let defects: Defects
    /// The watermark: all log rows up to it are applied in this data set.
    package let watermark: String
    /// The declaration that this server is up to date.
    package let alive: String
    /// The channel of the bus; channels are shared by all databases of a server, hence the database in it.
    package let channel: String

    /// Names under a prefix, in one database of the server.
    package init(prefix: String, database: Int, defects: Defects = Defects()) {
        self.prefix = prefix
        self.defects = defects
        watermark = "\(prefix):lane:0:wm"
        alive = "\(prefix):lane:0:alive"
        channel = "\(prefix):\(database):lane:0:bus"
    }

    private func scope(_ tenant: Int64, _ module: String) -> String {
        "\(prefix):tenant:\(tenant):\(module)"
    }

    /// The generation of a scope.
    package func generation(_ tenant: Int64, _ module: String) -> String {
        scope(tenant, module) + ":_g"
    }

    /// The transactions a scope was already bumped for in this data set.
    package func ring(_ tenant: Int64, _ module: String) -> String {
        scope(tenant, module) + ":_r"
    }

    /// The names of a scope's values by their expiry, for sweeping.
    package func index(_ tenant: Int64, _ module: String) -> String {
        scope(tenant, module) + ":_x"
    }

    /// The lease of whoever fills a value.
    package func lease(_ key: CacheKey) -> String {
        "\(scope(key.tenant, key.module.rawValue)):_l:\(key.key)"
    }

    /// The sign of life of an instance that fills.
    package func liveness(instance: some StringProtocol) -> String {
        "\(prefix):lane:0:i:\(instance)"
    }

    /// A value; its last part never begins with an underscore.
    package func value(_ key: CacheKey) -> String {
        self.value(key.tenant, key.module.rawValue, name: self.name(key))
    }

    /// A value by its name in the index.
    package func value(_ tenant: Int64, _ module: String, name: String) -> String {
        "\(scope(tenant, module)):\(name)"
    }

    /// What a value is called in the index of its scope.
    package func name(_ key: CacheKey) -> String {
        defects.contains(.collidingKeys) ? "collision" : key.key
    }
}

/// Fresh generations.
package enum Generation {
    /// 32 hex digits, random, never used before.
    package static func fresh() -> String {
        var generator = SystemRandomNumberGenerator()
        let halves: [UInt64] = [generator.next(), generator.next()]
        return halves.withUnsafeBytes { Hexadecimal.text($0) }
    }
}

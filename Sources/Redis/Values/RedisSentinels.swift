/// The sentinels that watch a primary, and the name they know it by.
///
/// The list is the operator's: sentinels that these know of besides are not asked, since in a network of containers their
/// addresses need not be reachable from here.
package struct RedisSentinels: Sendable, Hashable {
    /// Where they listen; at least one, of whom the first that answers is believed.
    package let addresses: [RedisConfiguration.Address]
    /// What `sentinel monitor` calls the primary.
    package let name: String
    /// The password of the sentinels themselves, if they ask for one.
    package var password: String?

    /// The port of Sentinel where none is given.
    package static let defaultPort = 26_379

    /// Names the sentinels.
    ///
    /// - Parameters:
    ///   - addresses: Where they listen.
    ///   - name: What `sentinel monitor` calls the primary.
    ///   - password: Of the sentinels, not of the primary.
    /// - Throws: ``RedisError`` with code `invalidConfiguration` if there is no address or no name.
    package init(
        addresses: [RedisConfiguration.Address],
        name: String,
        password: String? = nil
    ) throws(RedisError) {
        guard !addresses.isEmpty else { throw RedisError(.invalidConfiguration, "there is no sentinel") }
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw RedisError(.invalidConfiguration, "the primary's name is a word without spaces")
        }
        self.addresses = addresses
        self.name = name
        self.password = password
    }

    /// Reads `host:port,host:port,...`; an IPv6 address stands in brackets, a missing port is 26379.
    ///
    /// - Parameters:
    ///   - list: The addresses.
    ///   - name: What `sentinel monitor` calls the primary.
    ///   - password: Of the sentinels, not of the primary.
    /// - Throws: ``RedisError`` with code `invalidConfiguration`.
    package init(list: String, name: String, password: String? = nil) throws(RedisError) {
        var addresses: [RedisConfiguration.Address] = []
        for item in list.split(separator: ",", omittingEmptySubsequences: false) {
            addresses.append(try Self.address(item.trimmingSpaces))
        }
        try self.init(addresses: addresses, name: name, password: password)
    }

    private static func address(_ text: Substring) throws(RedisError) -> RedisConfiguration.Address {
        let refusal = RedisError(.invalidConfiguration, "a sentinel is given as host:port")
        var host = text
        var port = defaultPort
        let isBracketed = text.hasPrefix("[")
        let end = isBracketed ? text.firstIndex(of: "]").map { text.index(after: $0) } : text.firstIndex(of: ":")
        if isBracketed, end == nil { throw refusal }
        if let end, end < text.endIndex {
            let digits = text[text.index(after: end)...]
            guard text[end] == ":", digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(digits),
                (1...65_535).contains(number)
            else { throw refusal }
            port = number
            host = text[..<end]
        }
        if isBracketed {
            host = host.dropFirst().dropLast()
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x2F && $0 != 0x40 }) else { throw refusal }
        return .tcp(host: String(host), port: port)
    }
}

extension RedisSentinels: CustomStringConvertible {
    /// The addresses and the name.
    package var description: String {
        "sentinel://\(addresses.map { "\($0)" }.joined(separator: ","))/\(name)"
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var rest = drop { $0 == " " }
        while rest.last == " " { rest.removeLast() }
        return rest
    }
}

package import IOLoop

/// Where Redis is and how patient to be with it.
package struct RedisConfiguration: Sendable, Hashable {
    /// The way to the server.
    package enum Address: Sendable, Hashable {
        /// A name or an IP address; names are resolved for every attempt to connect.
        case tcp(host: String, port: Int)
        /// The path of a unix socket.
        case unix(path: String)
    }

    /// How to find the server.
    package enum Location: Sendable, Hashable {
        /// This one, whatever it says of itself.
        case server(Address)
        /// The one that Sentinel names at the time, if it says of itself that it is a primary.
        case sentinels(RedisSentinels)
    }

    package var location: Location
    /// The user of the access control list; nil is the default user.
    package var username: String?
    package var password: String?
    /// The number of the logical database.
    package var database: Int
    /// What the connections call themselves in `CLIENT LIST`.
    package var clientName = "stock"
    /// For connecting and the handshake together.
    package var connectTimeout = Duration.milliseconds(200)
    /// From handing a command over to its reply.
    ///
    /// The connection is closed when it passes: a late reply must not answer the next command.
    package var commandTimeout = Duration.milliseconds(50)
    /// An idle command connection is asked PING this often.
    package var pingInterval = Duration.seconds(1)
    /// A subscriber that heard nothing for so long closes and connects anew; it asks for a sign after a third of it.
    package var subscriberSilence = Duration.seconds(1)
    /// Messages that may wait for the subscriber's consumer; one more ends the connection.
    package var subscriberQueue = 4_096
    /// How long it waits before it connects again.
    package var backoff = Backoff(first: .milliseconds(10), longest: .milliseconds(500))
    /// Commands that may wait for their replies.
    package var maximumInFlight = 65_536
    /// When to leave a failing server alone.
    package var breaker = CircuitBreaker.Limits()

    package init(location: Location, database: Int = 0, username: String? = nil, password: String? = nil) {
        self.location = location
        self.database = database
        self.username = username
        self.password = password
    }

    package init(address: Address, database: Int = 0, username: String? = nil, password: String? = nil) {
        self.init(location: .server(address), database: database, username: username, password: password)
    }

    package init(sentinels: RedisSentinels, database: Int = 0, username: String? = nil, password: String? = nil) {
        self.init(location: .sentinels(sentinels), database: database, username: username, password: password)
    }

    package init(host: String, port: Int = 6_379, database: Int = 0, password: String? = nil) {
        self.init(address: .tcp(host: host, port: port), database: database, password: password)
    }

    /// Whether a server that is no primary is none for us.
    var requiresPrimary: Bool {
        switch location {
        case .server: false
        case .sentinels: true
        }
    }
}

extension RedisConfiguration {
    /// Reads `redis://[user][:password@]host[:port][/db]`, or for a unix socket `unix://[:password@]/path[?db=n]`, also
    /// with the scheme `redis+unix`.
    ///
    /// - Parameter url: The address; user and password may be percent-encoded.
    /// - Throws: ``RedisError`` with code `invalidConfiguration`; its message names the part, never the password.
    package init(url: String) throws(RedisError) {
        func refuse(_ reason: String) -> RedisError {
            RedisError(.invalidConfiguration, reason)
        }
        guard let separator = url.firstRange(ofText: "://") else {
            throw refuse("a Redis URL begins with redis:// or unix://")
        }
        let scheme = url[..<separator.lowerBound].lowercased()
        var rest = url[separator.upperBound...]
        var username: String?
        var password: String?
        var database = 0

        func parseDatabase(_ text: Substring) throws(RedisError) -> Int {
            guard let number = Int(text), (0..<1_000_000).contains(number), text.utf8.allSatisfy(\.isDigit) else {
                throw refuse("the database of a Redis URL is a number from 0")
            }
            return number
        }

        if let question = rest.firstIndex(of: "?") {
            for item in rest[rest.index(after: question)...].split(separator: "&") {
                guard item.hasPrefix("db=") else { throw refuse("a Redis URL takes no other query item than db") }
                database = try parseDatabase(item.dropFirst(3))
            }
            rest = rest[..<question]
        }
        // A unix path may contain an @, but credentials come before its first slash.
        let authorityEnd = rest.firstIndex(of: "/") ?? rest.endIndex
        if let at = rest[..<authorityEnd].lastIndex(of: "@") {
            let credentials = rest[..<at]
            rest = rest[rest.index(after: at)...]
            let colon = credentials.firstIndex(of: ":") ?? credentials.endIndex
            guard let user = String(percentDecoding: credentials[..<colon]) else {
                throw refuse("the user of a Redis URL is not properly percent-encoded")
            }
            username = user.isEmpty ? nil : user
            if colon < credentials.endIndex {
                guard let secret = String(percentDecoding: credentials[credentials.index(after: colon)...]) else {
                    throw refuse("the password of a Redis URL is not properly percent-encoded")
                }
                password = secret.isEmpty ? nil : secret
            }
        }
        let address: Address
        switch scheme {
        case "unix", "redis+unix", "redis-socket":
            guard rest.hasPrefix("/"), let path = String(percentDecoding: rest), path.utf8.count < 108 else {
                throw refuse("a Redis URL of a unix socket holds an absolute path of less than 108 bytes")
            }
            address = .unix(path: path)
        case "redis":
            let slash = rest.firstIndex(of: "/") ?? rest.endIndex
            let path = rest[slash...].dropFirst()
            if !path.isEmpty {
                database = try parseDatabase(path)
            }
            var host = rest[..<slash]
            var port = 6_379
            let portStart: Substring.Index?
            if host.hasPrefix("[") {
                guard let bracket = host.firstIndex(of: "]") else { throw refuse("an IPv6 address ends with ]") }
                let after = host.index(after: bracket)
                portStart = after < host.endIndex ? after : nil
            } else {
                portStart = host.firstIndex(of: ":")
            }
            if let portStart {
                let digits = host[host.index(after: portStart)...]
                guard host[portStart] == ":", let number = Int(digits), (1...65_535).contains(number),
                    digits.utf8.allSatisfy(\.isDigit)
                else {
                    throw refuse("the port of a Redis URL is a number from 1 to 65535")
                }
                port = number
                host = host[..<portStart]
            }
            if host.hasPrefix("[") {
                host = host.dropFirst().dropLast()
            }
            guard !host.isEmpty else { throw refuse("a Redis URL names a host") }
            address = .tcp(host: String(host), port: port)
        case "rediss":
            throw refuse("TLS is not supported: use a tunnel or a unix socket")
        default:
            throw refuse("a Redis URL begins with redis:// or unix://")
        }
        self.init(address: address, database: database, username: username, password: password)
    }
}

extension RedisConfiguration: CustomStringConvertible {
    /// The address without credentials.
    package var description: String {
        switch location {
        case .server(.tcp(let host, let port)): "redis://\(Address.tcp(host: host, port: port))/\(database)"
        case .server(.unix(let path)): "unix://\(path)?db=\(database)"
        case .sentinels(let sentinels): "\(sentinels)/\(database)"
        }
    }
}

extension RedisConfiguration.Address: CustomStringConvertible {
    /// `host:port` or the path.
    package var description: String {
        switch self {
        case .tcp(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .unix(let path): path
        }
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (48...57).contains(self) }

    fileprivate var hexadecimal: UInt8? {
        switch self {
        case 48...57: self - 48
        case 65...70: self - 55
        case 97...102: self - 87
        default: nil
        }
    }
}

extension String {
    fileprivate func firstRange(ofText text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) {
                return start..<index(start, offsetBy: text.count)
            }
            start = index(after: start)
        }
        return nil
    }

    fileprivate init?(percentDecoding text: Substring) {
        var bytes: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            guard byte == 37 else {
                bytes.append(byte)
                continue
            }
            guard let high = iterator.next()?.hexadecimal, let low = iterator.next()?.hexadecimal else { return nil }
            bytes.append(high << 4 | low)
        }
        guard !bytes.contains(0), let decoded = String(validating: bytes, as: UTF8.self) else { return nil }
        self = decoded
    }
}

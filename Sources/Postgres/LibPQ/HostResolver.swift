import Glibc

/// Adds `hostaddr` to connection parameters, because libpq would block its caller in DNS.
enum HostResolver {
    /// Whether a name has to be looked up.
    ///
    /// - Parameter parameters: libpq's parameters.
    /// - Returns: False for unix sockets, addresses, and if the caller gave `hostaddr`.
    static func isNeeded(_ parameters: [(keyword: String, value: String)]) -> Bool {
        guard !parameters.contains(where: { $0.keyword == "hostaddr" }) else { return false }
        guard let host = parameters.last(where: { $0.keyword == "host" })?.value else { return false }
        return host.split(separator: ",", omittingEmptySubsequences: false).contains { isName(String($0)) }
    }

    /// Looks the names up; blocks.
    ///
    /// - Parameter parameters: libpq's parameters.
    /// - Returns: The parameters with an address per host, nil if a name has none. Several hosts stay several: libpq
    ///   tries them in order.
    static func resolve(
        _ parameters: [(keyword: String, value: String)]
    ) -> [(keyword: String, value: String)]? {
        guard let host = parameters.last(where: { $0.keyword == "host" })?.value else { return parameters }
        var addresses: [String] = []
        for name in host.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            if isName(name) {
                guard let address = address(of: name) else { return nil }
                addresses.append(address)
            } else {
                // An empty hostaddr leaves libpq with the host itself: a path or an address.
                addresses.append("")
            }
        }
        return parameters + [("hostaddr", addresses.joined(separator: ","))]
    }

    private static func isName(_ host: String) -> Bool {
        guard !host.isEmpty, !host.hasPrefix("/"), !host.hasPrefix("@") else { return false }
        var address = in6_addr()
        // Safe because in6_addr is large enough for either family.
        return unsafe inet_pton(AF_INET, host, &address) != 1 && inet_pton(AF_INET6, host, &address) != 1
    }

    private static func address(of name: String) -> String? {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(name, nil, &hints, &found) == 0, let first = unsafe found else { return nil }
        defer { unsafe freeaddrinfo(first) }
        // Safe because the buffer has the size the call is told, and the text is copied before it goes.
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { text in
            guard let start = text.baseAddress,
                unsafe getnameinfo(
                    first.pointee.ai_addr,
                    first.pointee.ai_addrlen,
                    start,
                    socklen_t(text.count),
                    nil,
                    0,
                    NI_NUMERICHOST
                ) == 0
            else { return nil }
            return unsafe String(cString: start)
        }
    }
}

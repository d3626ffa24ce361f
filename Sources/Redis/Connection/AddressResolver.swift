private import Glibc
internal import IOLoop

/// Turns a host name into IP addresses, on a thread of its own: `getaddrinfo` blocks.
enum AddressResolver {
    /// The addresses to try, in the system's order; a path or an IP address stands for itself.
    ///
    /// - Parameter address: As configured.
    /// - Returns: At least one address that needs no resolving.
    /// - Throws: ``RedisError`` if the name is unknown, or the waiting task is cancelled.
    static func resolve(
        _ address: RedisConfiguration.Address
    ) async throws(RedisError) -> [RedisConfiguration.Address] {
        guard case .tcp(let host, let port) = address, !isNumeric(host) else { return [address] }
        return try await wait(for: lookingUp(host)).map { .tcp(host: $0, port: port) }
    }

    /// The same within a limit, after which somebody else may be asked; the thread is left to end by itself.
    ///
    /// - Parameters:
    ///   - address: As configured, or as told by a server.
    ///   - limit: How long to wait.
    ///   - loop: Whose timer ends the wait.
    /// - Returns: At least one address that needs no resolving.
    /// - Throws: ``RedisError`` if the name is unknown, the limit passes or the waiting task is cancelled.
    static func resolve(
        _ address: RedisConfiguration.Address,
        within limit: Duration,
        on loop: IOLoop
    ) async throws(RedisError) -> [RedisConfiguration.Address] {
        guard case .tcp(let host, let port) = address, !isNumeric(host) else { return [address] }
        let result = lookingUp(host)
        loop.execute {
            _ = loop.schedule(
                at: loop.now.advanced(by: limit),
                TimerClosure { result.decide(.failure(RedisError(.timedOut, "cannot resolve \(host) in time"))) }
            )
        }
        return try await wait(for: result).map { .tcp(host: $0, port: port) }
    }

    private typealias Addresses = OneShot<Result<[String], RedisError>>

    private static func lookingUp(_ host: String) -> Addresses {
        let result = Addresses()
        OSThread.detached(name: "stock-resolve") {
            result.decide(lookUp(host))
        }
        return result
    }

    private static func wait(for result: Addresses) async throws(RedisError) -> [String] {
        try await result.value(ifCancelled: .failure(RedisError(.cancelled))).get()
    }

    private static func isNumeric(_ host: String) -> Bool {
        var v4 = in_addr()
        var v6 = in6_addr()
        return unsafe inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1
    }

    private static func lookUp(_ host: String) -> Result<[String], RedisError> {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, nil, &hints, &first)
        guard status == 0 else {
            let reason = unsafe String(cString: gai_strerror(status))
            return .failure(RedisError(.connectionFailed, "cannot resolve \(host): \(reason)"))
        }
        defer { unsafe freeaddrinfo(first) }
        var addresses: [String] = []
        var next = unsafe first
        while let info = unsafe next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = unsafe getnameinfo(
                info.pointee.ai_addr,
                info.pointee.ai_addrlen,
                &text,
                socklen_t(text.count),
                nil,
                0,
                NI_NUMERICHOST
            )
            if status == 0 {
                let bytes = text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
                addresses.append(String(decoding: bytes, as: UTF8.self))
            }
            unsafe next = info.pointee.ai_next
        }
        return addresses.isEmpty
            ? .failure(RedisError(.connectionFailed, "\(host) has no address")) : .success(addresses)
    }
}

import Foundation

/// A port of 127.0.0.1 that nobody listens on.
package enum FreePort {
    /// Asks the kernel for one; it may be taken by another program before it is used, as always.
    package static func next() throws -> Int {
        try bound(to: 0)
    }

    /// A port from below the range the kernel gives to outgoing connections, so that it is still free when a killed server starts again on it.
    package static func lasting() throws -> Int {
        for _ in 0..<100 {
            if let port = try? bound(to: .random(in: 12_000..<32_000)) { return port }
        }
        return try next()
    }

    /// Binds a socket to a port, 0 for any, and closes it again.
    private static func bound(to port: UInt16) throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SpawnError(command: "socket", errno: errno) }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
            }
        }
        guard result == 0 else { throw SpawnError(command: "bind", errno: errno) }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

import Foundation

/// A kept-alive HTTP connection, blocking.
package final class Connection {
    /// The socket, for whoever waits for many of them.
    package let descriptor: CInt

    /// Connects to a port of this machine.
    ///
    /// - Parameters:
    ///   - port: The port.
    ///   - source: Which of this machine's addresses it comes from: 127.x.y.z as the last three numbers.
    ///   - patience: Seconds to wait for the next bytes of an answer; 0 waits for ever.
    /// - Throws: ``Failure``.
    package init(port: UInt16, source: UInt32 = 1, patience: Int = 0) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if source != 1 {
            var own = sockaddr_in()
            own.sin_family = sa_family_t(AF_INET)
            own.sin_addr.s_addr = (0x7f00_0000 | source & 0xff_ffff).bigEndian
            let bound = withUnsafePointer(to: &own) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard bound == 0 else { throw Failure(text: "cannot be 127.0.0.0 + \(source)") }
        }
        if patience > 0 {
            var limit = timeval(tv_sec: patience, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(text: "cannot connect to port \(port)") }
        var on: CInt = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
    }

    deinit {
        close(descriptor)
    }

    /// Whether the other side has closed it, without waiting.
    package var isClosed: Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
    }

    /// Sends a request and waits for the whole answer.
    package func exchange(_ request: [UInt8]) throws -> (head: String, body: String) {
        try ask(request)
        return try answer()
    }

    /// Sends a request.
    package func ask(_ request: [UInt8]) throws {
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw Failure(text: "cannot send")
        }
    }

    /// Waits for the whole answer to the request sent last.
    package func answer() throws -> (head: String, body: String) {
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { throw Failure(text: "the connection was closed") }
            received += chunk[..<count]
            let text = String(decoding: received, as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { continue }
            let head = String(text[..<end.lowerBound])
            let length = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                .flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) }
            let body = String(text[end.upperBound...])
            if body.utf8.count >= length ?? 0 { return (head, body) }
        }
    }
}

/// What kept a measurement from being made, in a sentence.
package struct Failure: Error, CustomStringConvertible {
    private let text: String
    package var description: String { text }

    /// Says it.
    package init(text: String) { self.text = text }
}

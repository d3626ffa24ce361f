import Foundation
import Synchronization

/// An answer of an HTTP server.
package struct HTTPResponse: Sendable {
    /// The status code.
    package let status: Int
    /// The header fields in the order received; names as sent.
    package let headers: [(name: String, value: String)]
    /// The whole body.
    package let body: [UInt8]

    /// The value of a header field, whatever the case of its name.
    package subscript(header name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The body as text.
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON; null when it is none.
    package var json: JSON { JSON(parsing: body) }
}

/// The smallest HTTP/1.1 client that can test a server: blocking sockets on threads of their own, connections kept alive.
package final class HTTPClient: Sendable {
    private struct State {
        var idle: [Connection] = []
    }

    /// The server's port on 127.0.0.1.
    package let port: Int
    /// How many seconds it waits for the next bytes of an answer.
    private let patience: Int
    private let source: String?
    private let forgivesClosing: Bool
    private let witness: Witness?
    private let state = Mutex(State())

    /// Sees every answer before its caller does: method, path, answer.
    package typealias Witness = @Sendable (String, String, HTTPResponse) -> Void

    /// Makes a client of the server on a loopback port; connects when first used.
    ///
    /// - Parameters:
    ///   - port: the server's port on 127.0.0.1.
    ///   - patience: how many seconds it waits for the next bytes of an answer.
    ///   - source: the address of 127.0.0.0/8 that it calls from, each another client to a server; nil leaves it to the system.
    ///   - forgivesClosing: whether a request on a kept-alive connection that was closed meanwhile is sent again; not where closing it is
    ///     the fault that is looked for.
    ///   - witness: sees every answer to ``send(_:_:headers:body:)``.
    package init(
        port: Int,
        patience: Int = 60,
        source: String? = nil,
        forgivesClosing: Bool = true,
        witness: Witness? = nil
    ) {
        self.port = port
        self.source = source
        self.patience = patience
        self.forgivesClosing = forgivesClosing
        self.witness = witness
    }

    deinit {
        for connection in state.withLock({ $0.idle }) { connection.close() }
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// A kept-alive connection that the server has closed meanwhile is replaced, as every client does.
    ///
    /// - Parameters:
    ///   - method: the method, in capitals.
    ///   - path: path and query, already encoded.
    ///   - headers: further header fields.
    ///   - body: the body; a Content-Length is added.
    /// - Returns: the answer, whatever its status.
    /// - Throws: ``HTTPClientError`` when no whole answer came.
    package func send(
        _ method: String,
        _ path: String,
        headers: [String: String] = [:],
        body: String? = nil
    ) async throws -> HTTPResponse {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.utf8.count)\r\n" }
        head += "\r\n"
        let answer = try await send(
            raw: Array(head.utf8) + Array((body ?? "").utf8),
            expectsBody: method != "HEAD"
        )
        witness?(method, path, answer)
        return answer
    }

    /// Sends bytes as they are, for requests no client should send, and reads one answer.
    package func send(raw bytes: [UInt8], expectsBody: Bool = true) async throws -> HTTPResponse {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try self.exchange(bytes, expectsBody: expectsBody) })
            }
        }
    }

    private func exchange(_ bytes: [UInt8], expectsBody: Bool) throws -> HTTPResponse {
        while let connection = state.withLock({ $0.idle.popLast() }) {
            // Nothing was sent on it yet, so whoever closed it meanwhile has cost nobody a request.
            guard connection.isOpen else {
                connection.close()
                continue
            }
            do {
                return try exchange(bytes, expectsBody: expectsBody, on: connection)
            } catch HTTPClientError.closedBeforeAnswer where forgivesClosing {
                // The server closed it while it was idle.
            }
        }
        return try exchange(
            bytes,
            expectsBody: expectsBody,
            on: try Connection(port: port, from: source, patience: patience)
        )
    }

    private func exchange(_ bytes: [UInt8], expectsBody: Bool, on connection: Connection) throws -> HTTPResponse {
        do {
            try connection.write(bytes)
            let (response, mayContinue) = try connection.readResponse(expectsBody: expectsBody)
            if mayContinue {
                state.withLock { $0.idle.append(connection) }
            } else {
                connection.close()
            }
            return response
        } catch {
            connection.close()
            throw error
        }
    }
}

/// Why there is no answer.
package enum HTTPClientError: Error, Equatable {
    /// Nobody listens, or the connection broke; the system's error number.
    case connection(Int32)
    /// The server closed the connection before the first byte of an answer.
    case closedBeforeAnswer
    /// The answer is not HTTP/1.1, or ended too early.
    case malformed(String)
}

/// A blocking connection, used by one thread at a time.
private struct Connection: Sendable {
    let descriptor: CInt

    init(port: Int, from source: String?, patience: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HTTPClientError.connection(errno) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        if let source {
            var own = sockaddr_in()
            own.sin_family = sa_family_t(AF_INET)
            inet_pton(AF_INET, source, &own.sin_addr)
            let isBound = withUnsafePointer(to: &own) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard isBound == 0 else {
                let code = errno
                close()
                throw HTTPClientError.connection(code)
            }
        }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close()
            throw HTTPClientError.connection(code)
        }
        var on: CInt = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func close() {
        Glibc.close(descriptor)
    }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EPIPE || errno == ECONNRESET {
                // The server may have answered and closed without reading everything; the answer decides.
                return
            } else if errno != EINTR {
                throw HTTPClientError.connection(errno)
            }
        }
    }

    /// Whether the server has neither closed it nor said anything that nobody asked for.
    var isOpen: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) < 0
            && (errno == EAGAIN || errno == EWOULDBLOCK)
    }

    func readResponse(expectsBody: Bool) throws -> (HTTPResponse, mayContinue: Bool) {
        var buffer = Buffer(descriptor: descriptor)
        guard try buffer.fill() else { throw HTTPClientError.closedBeforeAnswer }
        return try readResponse(from: &buffer, expectsBody: expectsBody)
    }

    private func readResponse(
        from buffer: inout Buffer,
        expectsBody: Bool
    ) throws -> (HTTPResponse, mayContinue: Bool) {
        let statusLine = try buffer.line()
        let words = statusLine.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw HTTPClientError.malformed(statusLine)
        }
        var headers: [(name: String, value: String)] = []
        while case let line = try buffer.line(), !line.isEmpty {
            guard let colon = line.firstIndex(of: ":") else { throw HTTPClientError.malformed(line) }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers.append((name: String(line[..<colon]), value: String(value)))
        }
        // The answer itself may have come in the same packet.
        if status == 100 { return try readResponse(from: &buffer, expectsBody: expectsBody) }

        func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value.lowercased() }
        var mayContinue = header("connection") != "close"
        let body: [UInt8]
        if !expectsBody || status == 204 || status == 304 {
            body = []
        } else if header("transfer-encoding") == "chunked" {
            body = try buffer.chunks()
        } else if let length = header("content-length").flatMap({ Int($0) }) {
            body = try buffer.bytes(length)
        } else {
            body = try buffer.untilClosed()
            mayContinue = false
        }
        return (HTTPResponse(status: status, headers: headers, body: body), mayContinue)
    }
}

/// Bytes received and not yet used.
private struct Buffer {
    let descriptor: CInt
    private var received: [UInt8] = []
    private var position = 0

    init(descriptor: CInt) {
        self.descriptor = descriptor
    }

    /// Receives more; false at the end of the stream.
    mutating func fill() throws -> Bool {
        while true {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = chunk.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count > 0 {
                received.append(contentsOf: chunk[..<count])
                return true
            } else if count == 0 || (errno == ECONNRESET && received.isEmpty) {
                return false
            } else if errno != EINTR {
                throw HTTPClientError.connection(errno)
            }
        }
    }

    mutating func line() throws -> String {
        while true {
            if let end = received[position...].firstIndex(of: UInt8(ascii: "\n")) {
                let bytes = received[position..<end]
                position = end + 1
                return String(decoding: bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes, as: UTF8.self)
            }
            guard try fill() else { throw HTTPClientError.malformed("the answer ended within a line") }
        }
    }

    mutating func bytes(_ count: Int) throws -> [UInt8] {
        while received.count - position < count {
            guard try fill() else { throw HTTPClientError.malformed("the body ended too early") }
        }
        defer { position += count }
        return Array(received[position..<position + count])
    }

    mutating func chunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let size = try line().prefix { $0 != ";" }
            guard let count = Int(size, radix: 16) else { throw HTTPClientError.malformed("chunk size \(size)") }
            if count == 0 {
                while try !line().isEmpty {}
                return body
            }
            body += try bytes(count)
            _ = try line()
        }
    }

    mutating func untilClosed() throws -> [UInt8] {
        while try fill() {}
        return Array(received[position...])
    }
}

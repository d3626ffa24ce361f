import Foundation
import TestSupport

/// Many clients that ask for the same thing at the same moment, each on a connection of its own.
///
/// All connections are open before the first request is sent, all requests are sent before the first answer is read, so that as many are under
/// way as the server lets in.
struct Crowd: Sendable {
    /// What one client got.
    struct Answer: Sendable {
        let status: Int
        let cacheStatus: String
        let body: [UInt8]
    }

    private let descriptors: [CInt]
    private let request: [UInt8]

    /// Opens the connections.
    static func gather(_ count: Int, at port: Int, toGet path: String, token: String) async throws -> Crowd {
        try await onThread {
            var descriptors: [CInt] = []
            descriptors.reserveCapacity(count)
            do {
                for _ in 0..<count { descriptors.append(try connect(to: port)) }
            } catch {
                for descriptor in descriptors { close(descriptor) }
                throw error
            }
            let head = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(token)\r\n"
            return Crowd(descriptors: descriptors, request: Array("\(head)Connection: close\r\n\r\n".utf8))
        }
    }

    /// Sends every request, then reads every answer; closes the connections.
    func ask() async throws -> [Answer] {
        try await Self.onThread {
            defer { for descriptor in descriptors { close(descriptor) } }
            for descriptor in descriptors {
                guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
                    throw HTTPClientError.connection(errno)
                }
            }
            return try descriptors.map { try Self.answer(on: $0) }
        }
    }

    private static func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value
    {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }

    private static func connect(to port: Int) throws -> CInt {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HTTPClientError.connection(errno) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw HTTPClientError.connection(code)
        }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return descriptor
    }

    /// Reads to the end of the stream: the request asked for that.
    private static func answer(on descriptor: CInt) throws -> Answer {
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count > 0 {
                received += chunk[..<count]
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw HTTPClientError.connection(errno)
            }
        }
        let text = String(decoding: received, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { throw HTTPClientError.malformed(String(text.prefix(80))) }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        let words = (lines.first ?? "").split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { throw HTTPClientError.malformed(String(lines[0])) }
        let field = lines.first { $0.lowercased().hasPrefix("cache-status:") } ?? ""
        return Answer(
            status: status,
            cacheStatus: String(field.dropFirst("cache-status:".count).drop { $0 == " " }),
            body: Array(text[end.upperBound...].utf8)
        )
    }
}

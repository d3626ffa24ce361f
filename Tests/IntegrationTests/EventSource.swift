import Foundation
import Synchronization
import TestSupport

/// A client of server-sent events: reads what comes on a thread of its own, until the peer closes.
final class EventSource: Sendable {
    /// One event of the stream.
    struct Message: Sendable, Equatable {
        var id: Int?
        var event = "message"
        var data = ""

        var json: JSON { JSON(parsing: Array(data.utf8)) }
    }

    private struct State {
        var head = ""
        var messages: [Message] = []
        var times: [ContinuousClock.Instant] = []
        var isOver = false
    }

    private let descriptor: CInt
    private let state = Mutex(State())

    /// Connects and asks.
    ///
    /// - Parameters:
    ///   - port: the instance's.
    ///   - token: the credential.
    ///   - query: what stands behind the question mark.
    ///   - lastID: what was seen last.
    ///   - reads: whether it takes what comes.
    ///   - receiveBuffer: bytes that the system takes for it; nil leaves it to the system.
    /// - Throws: ``HTTPClientError`` if it cannot be reached.
    init(
        port: Int,
        token: String,
        query: String = "",
        lastID: Int? = nil,
        reads: Bool = true,
        receiveBuffer: CInt? = nil
    ) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw HTTPClientError.connection(errno) }
        let resumed = lastID.map { "Last-Event-ID: \($0)\r\n" } ?? ""
        let line = "GET /v1/events/stream?\(query) HTTP/1.1\r\nHost: a\r\n"
        let request = Array("\(line)Authorization: Bearer \(token)\r\n\(resumed)\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw HTTPClientError.connection(errno)
        }
        if reads { Thread.detachNewThread { self.read() } }
    }

    deinit { close(descriptor) }

    /// Ends it from this side.
    func cut() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func read() {
        var chunks = Chunks()
        var text: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while !chunks.isOver, case let count = recv(descriptor, &bytes, bytes.count, 0), count > 0 {
            chunks.rest += bytes[..<count]
            let now = ContinuousClock.now
            state.withLock { state in
                if state.head.isEmpty {
                    guard let end = chunks.rest.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
                    state.head = String(decoding: chunks.rest[..<end.lowerBound], as: UTF8.self)
                    chunks.rest.removeSubrange(..<end.upperBound)
                    if !state.head.hasPrefix("HTTP/1.1 200") {
                        // A problem, whose code comes along with its head.
                        state.head += "\n" + String(decoding: chunks.rest, as: UTF8.self)
                        chunks.isOver = true
                    }
                }
                text += chunks.take()
                Self.take(&text, now, &state)
            }
        }
        state.withLock { $0.isOver = true }
    }

    /// The body in its chunks, which a proxy makes anew, so that one may end within a message.
    private struct Chunks {
        /// What has come and is not taken.
        var rest: [UInt8] = []
        /// Whether the last chunk has come; the connection may live on.
        var isOver = false

        /// The bytes of the chunks that are whole.
        mutating func take() -> [UInt8] {
            var bytes: [UInt8] = []
            while !isOver, let line = rest.firstRange(of: Array("\r\n".utf8)) {
                let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) ?? 0
                guard rest.count >= line.upperBound + size + 2 else { break }
                bytes += rest[line.upperBound..<line.upperBound + size]
                rest.removeSubrange(..<(line.upperBound + size + 2))
                isOver = size == 0
            }
            return bytes
        }
    }

    /// Takes whole messages.
    private static func take(_ rest: inout [UInt8], _ now: ContinuousClock.Instant, _ state: inout State) {
        let text = String(decoding: rest, as: UTF8.self)
        guard let end = text.range(of: "\n\n", options: .backwards) else { return }
        for block in text[..<end.lowerBound].components(separatedBy: "\n\n") {
            var message = Message()
            for line in block.split(whereSeparator: \.isNewline) {
                if line.hasPrefix("id: ") { message.id = Int(line.dropFirst(4)) }
                if line.hasPrefix("event: ") { message.event = String(line.dropFirst(7)) }
                if line.hasPrefix("data: ") { message.data += line.dropFirst(6) }
            }
            guard !message.data.isEmpty else { continue }
            state.messages.append(message)
            state.times.append(now)
        }
        rest = Array(text[end.upperBound...].utf8)
    }

    /// The head of the answer, of a refusal with its body.
    var head: String { state.withLock { $0.head } }
    /// What has come, in order.
    var messages: [Message] { state.withLock { $0.messages } }
    /// The numbers of the events that came.
    var ids: [Int] { messages.filter { $0.event == "message" }.compactMap(\.id) }
    /// The last id that came.
    var lastID: Int? { messages.last { $0.id != nil }?.id }
    /// Whether the peer has closed.
    var isOver: Bool { state.withLock { $0.isOver } }

    /// When the first message came that is as it should be.
    func first(where matches: @escaping @Sendable (Message) -> Bool) -> ContinuousClock.Instant? {
        state.withLock { state in
            zip(state.messages, state.times).first { matches($0.0) }?.1
        }
    }

    /// Waits for a message.
    @discardableResult
    func hears(
        _ what: String,
        within limit: Duration = .seconds(10),
        _ matches: @escaping @Sendable (Message) -> Bool
    ) async throws -> ContinuousClock.Instant {
        var time: ContinuousClock.Instant?
        try await eventually(within: limit, "the stream says \(what)") {
            time = self.first(where: matches)
            return time != nil
        }
        return time ?? .now
    }
}

import Glibc

/// Why an exchange brought no whole answer.
struct ExchangeFailure: Error {
    /// Whether the request may have been received: then the outcome of a write is unknown.
    let mayHaveBeenSent: Bool
}

/// An answer as the checker reads it; the bytes are valid until the next exchange on the same connection.
struct CheckerAnswer {
    /// The status code.
    var status = 0
    /// The header field `ETag`, quotes included; empty without one.
    var etag = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The header field `Cache-Status`.
    var cacheStatus = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The header field `Stock-Consistency`; nil without one.
    var token: UnsafeRawBufferPointer?
    /// Whether the answer repeats that of an earlier request with the same key.
    var isReplayed = false
    /// The body.
    var body = UnsafeRawBufferPointer(start: nil, count: 0)
}

/// One kept-alive HTTP/1.1 connection to an instance, used by one thread.
///
/// Blocking calls and no objects: whoever checks thousands of answers a second beside the servers on the same two cores must cost
/// next to nothing. Bytes are searched by the C library, which is fast in debug builds, too.
final class CheckerConnection {
    private let port: Int
    private var descriptor: CInt = -1
    private var limit: Duration = .zero
    private var capacity = 1 << 16
    private var buffer: UnsafeMutableRawPointer

    init(port: Int) {
        self.port = port
        buffer = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        close()
        buffer.deallocate()
    }

    /// Closes the connection; the next exchange opens another.
    func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Sends a request and reads its answer.
    ///
    /// A kept-alive connection that turns out to be closed before anything was answered is replaced once if the request may be sent
    /// twice.
    ///
    /// - Parameters:
    ///   - request: all of its bytes.
    ///   - limit: for how long nothing may come before the connection is given up.
    ///   - isRepeatable: whether sending it twice does no harm.
    /// - Returns: the answer.
    /// - Throws: ``ExchangeFailure``; the connection is closed then.
    func exchange(
        _ request: [UInt8],
        within limit: Duration,
        isRepeatable: Bool
    ) throws(ExchangeFailure) -> CheckerAnswer {
        let wasOpen = descriptor >= 0
        do {
            return try attempt(request, within: limit)
        } catch {
            close()
            guard wasOpen, isRepeatable, error.isClosedEarly else {
                throw ExchangeFailure(mayHaveBeenSent: error.wasSent)
            }
        }
        do {
            return try attempt(request, within: limit)
        } catch {
            close()
            throw ExchangeFailure(mayHaveBeenSent: true)
        }
    }

    private struct Failure: Error {
        let wasSent: Bool
        let isClosedEarly: Bool
    }

    private func attempt(_ request: [UInt8], within limit: Duration) throws(Failure) -> CheckerAnswer {
        if descriptor < 0 { try open() }
        if limit != self.limit {
            self.limit = limit
            let parts = limit.components
            var time = timeval(tv_sec: Int(parts.seconds), tv_usec: Int(parts.attoseconds / 1_000_000_000_000))
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes { bytes in
                Glibc.send(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, CInt(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno != EINTR {
                throw Failure(wasSent: sent > 0, isClosedEarly: errno == EPIPE || errno == ECONNRESET)
            }
        }
        var received = 0
        var searched = 0
        while true {
            let count = try receive(at: &received)
            guard count > 0 else { throw Failure(wasSent: true, isClosedEarly: received == 0) }
            guard
                let end = Self.find(
                    "\r\n\r\n",
                    in: UnsafeRawBufferPointer(start: buffer, count: received),
                    from: searched
                )
            else {
                searched = max(0, received - 3)
                continue
            }
            let length = try bodyLength(headEnd: end)
            while received < end + 4 + length {
                guard try receive(at: &received) > 0 else { throw Failure(wasSent: true, isClosedEarly: false) }
            }
            return parse(headEnd: end, bodyLength: length)
        }
    }

    private func open() throws(Failure) {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        limit = .zero
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0, result == 0 else { throw Failure(wasSent: false, isClosedEarly: false) }
        var on: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
    }

    /// Receives more behind what is there; the number of bytes, 0 at the end of the stream.
    private func receive(at received: inout Int) throws(Failure) -> Int {
        if received == capacity {
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity * 2, alignment: 16)
            larger.copyMemory(from: buffer, byteCount: received)
            buffer.deallocate()
            buffer = larger
            capacity *= 2
        }
        while true {
            let count = recv(descriptor, buffer + received, capacity - received, 0)
            if count >= 0 {
                received += count
                return count
            }
            guard errno == EINTR else {
                throw Failure(wasSent: true, isClosedEarly: errno == ECONNRESET && received == 0)
            }
        }
    }

    /// What Content-Length says; answers without one, which the service does not send, are refused.
    private func bodyLength(headEnd: Int) throws(Failure) -> Int {
        guard let value = field("content-length", headEnd: headEnd) else {
            let status = Self.number(UnsafeRawBufferPointer(start: buffer + 9, count: 3)) ?? 0
            guard status == 204 || status == 304 else { throw Failure(wasSent: true, isClosedEarly: false) }
            return 0
        }
        return Self.number(value) ?? 0
    }

    private func parse(headEnd: Int, bodyLength: Int) -> CheckerAnswer {
        var answer = CheckerAnswer()
        answer.status = Self.number(UnsafeRawBufferPointer(start: buffer + 9, count: 3)) ?? 0
        answer.body = UnsafeRawBufferPointer(start: buffer + headEnd + 4, count: bodyLength)
        forEachField(headEnd: headEnd) { name, value in
            // By length and first letter, so that most names are never compared.
            switch name.count {
            case 4 where Self.equal(name, "etag"): answer.etag = value
            case 12 where Self.equal(name, "cache-status"): answer.cacheStatus = value
            case 17 where Self.equal(name, "stock-consistency"): answer.token = value
            case 20 where Self.equal(name, "idempotency-replayed"): answer.isReplayed = true
            case 10 where Self.equal(name, "connection") && value.count == 5: close()
            default: break
            }
        }
        return answer
    }

    private func field(_ wanted: StaticString, headEnd: Int) -> UnsafeRawBufferPointer? {
        var found: UnsafeRawBufferPointer?
        forEachField(headEnd: headEnd) { name, value in
            if name.count == wanted.utf8CodeUnitCount, Self.equal(name, wanted) { found = value }
        }
        return found
    }

    private func forEachField(
        headEnd: Int,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        let start = UnsafeRawPointer(buffer)
        let end = start + headEnd
        guard let first = memchr(start, 10, headEnd) else { return }
        var line = UnsafeRawPointer(first) + 1
        while line < end {
            let rest = end - line
            let next = memchr(line, 13, rest).map { UnsafeRawPointer($0) } ?? end
            if let colon = memchr(line, 58, next - line).map({ UnsafeRawPointer($0) }) {
                var value = colon + 1
                while value < next, value.load(as: UInt8.self) == 32 { value += 1 }
                body(
                    UnsafeRawBufferPointer(start: line, count: colon - line),
                    UnsafeRawBufferPointer(start: value, count: next - value)
                )
            }
            line = next + 2
        }
    }

    // MARK: - Bytes

    /// Whether bytes are a text, whatever the case of their letters.
    static func equal(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard let base = bytes.baseAddress, bytes.count == text.utf8CodeUnitCount else { return false }
        return text.utf8Start.withMemoryRebound(to: CChar.self, capacity: bytes.count) { text in
            strncasecmp(base.assumingMemoryBound(to: CChar.self), text, bytes.count) == 0
        }
    }

    /// Where a text of two bytes or more begins in bytes.
    ///
    /// Looks for its second byte by `memchr`: in JSON and headers that is rarer than the first, a quote or a line's end.
    static func find(_ text: StaticString, in bytes: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
        let count = text.utf8CodeUnitCount
        guard let base = bytes.baseAddress else { return nil }
        let pivot = CInt(text.utf8Start[1])
        var place = start
        while place + count <= bytes.count {
            guard let found = memchr(base + place + 1, pivot, bytes.count - place - count + 1) else { return nil }
            let candidate = UnsafeRawPointer(found) - 1
            if memcmp(candidate, text.utf8Start, count) == 0 { return candidate - base }
            place = candidate - base + 1
        }
        return nil
    }

    /// The whole number bytes begin with.
    static func number(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var value = 0
        var digits = 0
        for byte in bytes {
            guard byte >= 48, byte <= 57 else { break }
            value = value &* 10 &+ Int(byte &- 48)
            digits += 1
        }
        return digits > 0 ? value : nil
    }

    /// A hash of bytes that is fast in debug builds, too: for comparing bodies, not for secrets.
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(bytes.count)
        guard let base = bytes.baseAddress else { return state }
        let words = bytes.count >> 3
        var word = 0
        while word < words {
            state ^= base.loadUnaligned(fromByteOffset: word << 3, as: UInt64.self)
            state = state &* 0xD6E8_FEB8_6659_FD93
            state ^= state >> 32
            word += 1
        }
        var index = words << 3
        while index < bytes.count {
            state ^= UInt64(base.load(fromByteOffset: index, as: UInt8.self))
            state = state &* 0x0000_0100_0000_01B3
            index += 1
        }
        state ^= state >> 29
        return state
    }
}

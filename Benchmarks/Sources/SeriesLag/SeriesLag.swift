import Foundation

/// How long after a sale's answer on instance A its income shows in the series of instance B.
///
/// usage: series-lag PORT_A PORT_B TOKEN PRODUCT TRIES; prints percentiles in milliseconds, and how many answers came from L1 just before and
/// just after. One thread and two kept connections, so that nothing but the system under test takes time.
@main
struct SeriesLag {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 6, let portA = UInt16(arguments[1]), let portB = UInt16(arguments[2]),
            let tries = Int(arguments[5])
        else {
            FileHandle.standardError.write(Data("usage: series-lag PORT_A PORT_B TOKEN PRODUCT TRIES\n".utf8))
            exit(64)
        }
        let (token, product) = (arguments[3], arguments[4])
        let a = try Connection(port: portA)
        let b = try Connection(port: portB)
        let read = request("GET", "/v1/balance/series?view=daily", token: token)
        let clock = ContinuousClock()
        let run = UInt32.random(in: 0...UInt32.max)

        var lags: [Double] = []
        var hitsBefore = 0
        var hitsAfter = 0
        for number in 0..<tries {
            // Until the peer answers from its memory: the old value is what must go away.
            var before = try b.exchange(read)
            let patience = clock.now + .seconds(2)
            while !before.head.contains("stock-l1; hit"), clock.now < patience { before = try b.exchange(read) }
            if before.head.contains("stock-l1; hit") { hitsBefore += 1 }

            let body = """
                {"lines":[{"product_id":"\(product)","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}
                """
            let sale = try a.exchange(
                request("POST", "/v1/sales", token: token, key: "lag-\(run)-\(number)", body: body)
            )
            guard sale.head.hasPrefix("HTTP/1.1 201") else { throw Failure(text: sale.head + sale.body) }
            let answered = clock.now
            var after = try b.exchange(read)
            while after.body == before.body {
                guard clock.now - answered < .seconds(5) else { throw Failure(text: "stale for 5 s: \(after.body)") }
                after = try b.exchange(read)
            }
            lags.append((clock.now - answered) / .milliseconds(1))
            // The hint retires the entry, and so does the applied log row a moment later: then the new value stays.
            var again = try b.exchange(read)
            let end = clock.now + .seconds(2)
            while !again.head.contains("stock-l1; hit"), clock.now < end { again = try b.exchange(read) }
            if again.head.contains("stock-l1; hit"), again.body == after.body { hitsAfter += 1 }
        }
        lags.sort()
        func percentile(_ share: Double) -> String {
            String(format: "%.2f", lags[min(lags.count - 1, Int(Double(lags.count) * share))])
        }
        let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1)].map { "\($0) \(percentile($1))" }
        print("series lag over \(tries) sales, ms: \(shares.joined(separator: ", "))")
        print("answers from L1: \(hitsBefore) before, \(hitsAfter) after")
    }

    private static func request(
        _ method: String,
        _ path: String,
        token: String,
        key: String? = nil,
        body: String = ""
    ) -> [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n"
        if let key {
            head += "Idempotency-Key: \(key)\r\n"
            head += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
        }
        return Array((head + "\r\n" + body).utf8)
    }
}

/// Why there is no figure.
private struct Failure: Error, CustomStringConvertible {
    let text: String
    var description: String { text }
}

/// A kept-alive HTTP connection, blocking.
private final class Connection {
    private let descriptor: CInt

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
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

    func exchange(_ request: [UInt8]) throws -> (head: String, body: String) {
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw Failure(text: "cannot send")
        }
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

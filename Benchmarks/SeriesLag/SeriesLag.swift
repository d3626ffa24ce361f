import BlockingClient
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

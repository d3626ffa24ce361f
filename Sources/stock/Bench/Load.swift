import Foundation
import Kernel

/// What each connection of a bench does.
struct Load: Sendable {
    let host: String
    let port: Int
    /// The request line and fields, without the empty line.
    let head: String
    /// The body of a POST, which gets a new Idempotency-Key each time.
    let body: String?
    let duration: Duration
    /// Between the planned starts of one connection's requests; nil for a closed loop.
    let interval: Duration?

    /// Sends requests until the time is over.
    func run(connection number: Int, start: ContinuousClock.Instant) throws -> LoadResult {
        let connection = try BlockingConnection(host: host, port: port)
        let clock = ContinuousClock()
        var result = LoadResult()
        let get = Array((head + "\r\n").utf8)
        var sent = 0
        while true {
            var planned = clock.now
            if let interval {
                planned = start + interval * sent
                let wait = clock.now.duration(to: planned)
                if wait > .zero {
                    let parts = wait.components
                    Thread.sleep(forTimeInterval: Double(parts.seconds) + Double(parts.attoseconds) / 1e18)
                }
            }
            guard planned - start < duration, clock.now - start < duration else { return result }
            var request = get
            if let body {
                let key = "bench-\(UUIDv7.make())"
                request = Array(
                    "\(head)Idempotency-Key: \(key)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8
                )
            }
            let answer = try connection.exchange(request)
            result.add(status: answer.status, after: planned.duration(to: clock.now))
            sent += 1
        }
    }
}

/// What came of load.
struct LoadResult: Sendable {
    private(set) var statuses: [Int: Int] = [:]
    /// Microseconds.
    private var times: [UInt32] = []

    mutating func add(status: Int, after time: Duration) {
        statuses[status, default: 0] += 1
        let parts = time.components
        times.append(UInt32(clamping: parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000))
    }

    mutating func merge(_ other: LoadResult) {
        statuses.merge(other.statuses) { $0 + $1 }
        times.append(contentsOf: other.times)
    }

    private static let shares: [(name: String, perMille: Int)] = [
        ("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999), ("max", 1_000),
    ]

    private func percentiles() -> [(name: String, microseconds: UInt32)] {
        let sorted = times.sorted()
        guard !sorted.isEmpty else { return [] }
        return Self.shares.map { share in
            (share.name, sorted[min(sorted.count - 1, max(0, (sorted.count * share.perMille + 999) / 1_000 - 1))])
        }
    }

    private func perSecond(_ elapsed: Duration) -> Int {
        let parts = elapsed.components
        let seconds = Double(parts.seconds) + Double(parts.attoseconds) / 1e18
        return seconds > 0 ? Int(Double(times.count) / seconds) : 0
    }

    func text(_ elapsed: Duration) -> String {
        var lines = ["requests    \(times.count)", "per second  \(perSecond(elapsed))"]
        for (status, count) in statuses.sorted(by: { $0.key < $1.key }) { lines.append("status \(status)  \(count)") }
        for (name, time) in percentiles() { lines.append("\(name.padding(toWidth: 12))\(time) us") }
        return lines.joined(separator: "\n")
    }

    func json(_ elapsed: Duration) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("requests", times.count)
            writer.member("per_second", perSecond(elapsed))
            writer.name("statuses")
            writer.object { writer in
                for (status, count) in statuses.sorted(by: { $0.key < $1.key }) { writer.member("\(status)", count) }
            }
            writer.name("microseconds")
            writer.object { writer in
                for (name, time) in percentiles() { writer.member(name, Int(time)) }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

import BlockingClient
import Foundation
import Synchronization

/// Commit to every peer's L1: writes on a fixed schedule to several instances, and when each of the others retired the scope.
///
/// usage: peer-lag PORTS SHOPS RATE SECONDS OUTPUT
///
/// PORTS are the instances', separated by commas; SHOPS is a file of lines `slug token product`. Writes rename the product of one shop after
/// the other, RATE a second in all, each sent at its planned time whatever became of the one before (an open loop). Meanwhile every instance
/// is asked for `explain`, whose `recent` holds the last bumps with the transactions they came from and how long ago they were. OUTPUT gets a
/// line for each bump seen: instance, transaction, earliest and latest time it can have been at (seconds since 1970: the answer was made
/// between the sending of the request and the arrival of the answer), and what brought it. What the lag is then is for SQL to say, beside the
/// commit's own time (`pg_xact_commit_timestamp`): no instance's clock and no polling is in the difference.
@main
struct PeerLag {
    static func main() throws {
        let arguments = CommandLine.arguments
        let ports = arguments.count == 6 ? arguments[1].split(separator: ",").compactMap { UInt16($0) } : []
        guard !ports.isEmpty, let rate = Int(arguments[3]), let seconds = Int(arguments[4]), rate > 0 else {
            FileHandle.standardError.write(Data("usage: peer-lag PORTS SHOPS RATE SECONDS OUTPUT\n".utf8))
            exit(64)
        }
        let shops = try String(contentsOfFile: arguments[2], encoding: .utf8).split(separator: "\n").map { line in
            let words = line.split(separator: " ").map { String($0) }
            guard words.count == 3 else { throw Failure(text: "\(arguments[2]): slug token product") }
            return Shop(token: words[1], product: words[2])
        }
        // A bump of a scope nobody has read retires nothing and leaves no trace.
        for port in ports {
            let connection = try Connection(port: port)
            for shop in shops {
                let answer = try connection.exchange(request("GET", "/v1/products/\(shop.product)", shop))
                guard answer.head.hasPrefix("HTTP/1.1 200") else { throw Failure(text: answer.head) }
            }
        }
        let plan = Plan(ports: ports, shops: shops, rate: rate, count: rate * seconds, start: .now + .seconds(1))
        var threads: [Thread] = []
        for writer in 0..<plan.writers { threads.append(thread { try plan.write(as: writer) }) }
        let observations = Observations()
        for (index, port) in ports.enumerated() {
            threads.append(thread { try plan.observe(index, port, observations) })
        }
        for thread in threads { while !thread.isFinished { usleep(20_000) } }
        if let failure = plan.failure { throw failure }
        try observations.lines.joined(separator: "\n").appending("\n")
            .write(toFile: arguments[5], atomically: false, encoding: .utf8)
        let late = plan.late
        print(
            "\(plan.count) writes at \(rate)/s on \(ports.count) instances, \(shops.count) tenants; "
                + "\(late) of them sent more than 5 ms behind their time"
        )
    }

    private static func thread(_ body: @escaping @Sendable () throws -> Void) -> Thread {
        let thread = Thread {
            do {
                try body()
            } catch {
                FileHandle.standardError.write(Data("\(error)\n".utf8))
                exit(1)
            }
        }
        thread.start()
        return thread
    }

    static func request(_ method: String, _ path: String, _ shop: Shop, body: String = "") -> [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(shop.token)\r\n"
        if !body.isEmpty {
            head += "If-Match: *\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
        }
        return Array((head + "\r\n" + body).utf8)
    }
}

/// A tenant to write to.
struct Shop: Sendable {
    let token: String
    let product: String
}

/// Who writes what, where and when.
private final class Plan: Sendable {
    let ports: [UInt16]
    let shops: [Shop]
    let rate: Int
    let count: Int
    let start: ContinuousClock.Instant
    let writers = 16
    private let lateWrites = Atomic<Int>(0)
    private let finishedWriters = Atomic<Int>(0)
    private let failed = Mutex<Failure?>(nil)

    init(ports: [UInt16], shops: [Shop], rate: Int, count: Int, start: ContinuousClock.Instant) {
        self.ports = ports
        self.shops = shops
        self.rate = rate
        self.count = count
        self.start = start
    }

    var late: Int { lateWrites.load(ordering: .relaxed) }
    var failure: Failure? { failed.withLock { $0 } }

    func write(as writer: Int) throws {
        defer { finishedWriters.wrappingAdd(1, ordering: .relaxed) }
        let connections = try ports.map { try Connection(port: $0) }
        let clock = ContinuousClock()
        for number in stride(from: writer, to: count, by: writers) {
            let planned = start + .nanoseconds(Int64(number) * 1_000_000_000 / Int64(rate))
            let wait = (planned - clock.now) / .microseconds(1)
            if wait > 0 { usleep(useconds_t(wait)) }
            if clock.now - planned > .milliseconds(5) { lateWrites.wrappingAdd(1, ordering: .relaxed) }
            let shop = shops[number % shops.count]
            // Which instance writes which shop changes all the time.
            let connection = connections[(number / shops.count + number) % ports.count]
            let answer = try connection.exchange(
                PeerLag.request("PATCH", "/v1/products/\(shop.product)", shop, body: #"{"name":"Write \#(number)"}"#)
            )
            guard answer.head.hasPrefix("HTTP/1.1 200") else {
                failed.withLock { $0 = Failure(text: answer.head + answer.body) }
                return
            }
        }
    }

    func observe(_ index: Int, _ port: UInt16, _ observations: Observations) throws {
        let connection = try Connection(port: port)
        let clock = ContinuousClock()
        var rounds = 0
        // Two rounds after the last write, so that its bumps are seen, too.
        while rounds < 2 {
            if finishedWriters.load(ordering: .relaxed) == writers { rounds += 1 }
            for shop in shops {
                let request = PeerLag.request("GET", "/v1/cache/explain?module=products&key=none", shop)
                let sent = Date().timeIntervalSince1970
                let begin = clock.now
                let answer = try connection.exchange(request)
                let received = sent + (clock.now - begin) / .seconds(1)
                guard answer.head.hasPrefix("HTTP/1.1 200"),
                    let explanation = try? JSONDecoder().decode(Explanation.self, from: Data(answer.body.utf8))
                else { throw Failure(text: answer.head + answer.body) }
                observations.add(index, explanation.scope.recent, sent: sent, received: received)
                usleep(1000)
            }
            usleep(50_000)
        }
    }
}

/// What is needed of an explanation.
private struct Explanation: Decodable {
    struct Scope: Decodable {
        let recent: [Bump]
    }

    struct Bump: Decodable {
        let xids: [Number]
        let via: String
        let ms_ago: Double
    }

    /// A transaction id, written as a number or as text.
    struct Number: Decodable {
        let value: UInt64

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(UInt64.self) {
                value = number
            } else {
                value = UInt64(try container.decode(String.self)) ?? 0
            }
        }
    }

    let scope: Scope
}

/// The bumps seen, as lines.
private final class Observations: Sendable {
    private let text = Mutex<[String]>([])

    var lines: [String] { text.withLock { $0 } }

    func add(_ instance: Int, _ bumps: [Explanation.Bump], sent: Double, received: Double) {
        let lines = bumps.flatMap { bump in
            bump.xids.map { xid in
                let ago = bump.ms_ago / 1000
                return "\(instance)\t\(xid.value)\t"
                    + String(format: "%.6f\t%.6f\t", sent - ago, received - ago) + bump.via
            }
        }
        text.withLock { $0 += lines }
    }
}

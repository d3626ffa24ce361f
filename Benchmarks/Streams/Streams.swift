import BlockingClient
import Foundation
import Synchronization

/// Thousands of streams of events: how late they tell, what one costs at rest, and how soon all are back when their instance goes.
///
/// usage: streams lag SHOPS EACH PORT_A PORT_B RATE SECONDS OUTPUT
///        streams hold SHOPS EACH PORT_A PORT_B PID
///
/// SHOPS is a file of lines `slug token product`, EACH the number of streams of each, all with `changes=true`, opened at PORT_B.
///
/// `lag` sells the shops' products at PORT_A, one shop after the other, RATE a second in all on a fixed schedule, whatever became of the sale
/// before. OUTPUT gets a line for each thing a stream was told: slug, stream, `event` and its number or `change` and 0, and when (seconds since
/// 1970). What the lag is then is for SQL to say, beside the commit's own time.
///
/// `hold` says what PID, the instance at PORT_B, holds in memory for each stream, waits for a line on its standard input, and then until all
/// streams have ended and are back at PORT_A, as `retry` told them, from where they were. The last line of input has it end.
@main
struct Streams {
    static func main() {
        do {
            try run()
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }

    private static func run() throws {
        let words = Array(CommandLine.arguments.dropFirst())
        if words.count == 8, words[0] == "lag", let setting = Setting(words), let rate = Int(words[5]),
            let seconds = Int(words[6]), rate > 0
        {
            try lag(setting, rate: rate, seconds: seconds, output: words[7])
        } else if words.count == 6, words[0] == "hold", let setting = Setting(words), let id = Int(words[5]) {
            try hold(setting, processID: id)
        } else {
            let usage = """
                usage: streams lag SHOPS EACH PORT_A PORT_B RATE SECONDS OUTPUT
                       streams hold SHOPS EACH PORT_A PORT_B PID

                """
            FileHandle.standardError.write(Data(usage.utf8))
            exit(64)
        }
    }

    /// What both ask for.
    struct Setting {
        let shops: [Shop]
        let each: Int
        let portA: UInt16
        let portB: UInt16

        init?(_ words: [String]) {
            guard let text = try? String(contentsOfFile: words[1], encoding: .utf8), let each = Int(words[2]),
                let portA = UInt16(words[3]), let portB = UInt16(words[4])
            else { return nil }
            shops = text.split(separator: "\n").compactMap { line in
                let words = line.split(separator: " ").map { String($0) }
                return words.count == 3 ? Shop(slug: words[0], token: words[1], product: words[2]) : nil
            }
            guard !shops.isEmpty else { return nil }
            (self.each, self.portA, self.portB) = (each, portA, portB)
        }
    }

    // MARK: How late

    private static func lag(_ setting: Setting, rate: Int, seconds: Int, output: String) throws {
        let listener = Listener(setting.shops, each: setting.each)
        try listener.open(at: setting.portB)
        let sales = Sales(setting.shops, port: setting.portA, rate: rate, count: rate * seconds)
        let threads = (0..<Sales.clerks).map { clerk in
            let thread = Thread { sales.work(as: clerk) }
            thread.start()
            return thread
        }
        // A second on top, for what the last sale told.
        var end: ContinuousClock.Instant?
        while end.map({ $0 > .now }) ?? true {
            try listener.listen(forMilliseconds: 100)
            if end == nil, threads.allSatisfy(\.isFinished) { end = .now + .seconds(1) }
        }
        if let failure = sales.failure { throw failure }
        try listener.write(to: output)
        print(
            "  \(listener.count) streams of \(setting.shops.count) tenants, \(rate * seconds) sales at \(rate)/s; "
                + "\(sales.late) of them sent more than 5 ms behind their time"
        )
        try listener.expectEverythingOnce()
    }

    // MARK: At rest, and back again

    private static func hold(_ setting: Setting, processID: Int) throws {
        let listener = Listener(setting.shops, each: setting.each)
        let before = try resident(processID)
        var start = ContinuousClock.now
        try listener.open(at: setting.portB)
        print("  \(listener.count) streams opened in \(ContinuousClock.now - start)")
        try listener.listen(forMilliseconds: 3000)
        let held = Double(try resident(processID) - before) / Double(listener.count)
        print(String(format: "  resident for each stream: %.1f KiB", held / 1024))
        let input = Input()
        say("open")
        while input.lines < 1 { try listener.listen(forMilliseconds: 100) }

        listener.followTo(setting.portA)
        while !listener.hasAnyEnded { try listener.listen(forMilliseconds: 10) }
        start = .now
        while !listener.areAllBack { try listener.listen(forMilliseconds: 10) }
        print("  all back \(ContinuousClock.now - start) after the first went; \(listener.reconnects) connections")
        say("back")
        while input.lines < 2 { try listener.listen(forMilliseconds: 100) }
        try listener.listen(forMilliseconds: 2000)
        try listener.expectEverythingOnce()
        print("  \(listener.told) events told, each to each of its streams, once")
    }

    /// A line for whoever waits for it.
    private static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    /// Bytes of a process that are in memory.
    private static func resident(_ id: Int) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(id)/statm", encoding: .utf8)
        guard let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Failure(text: "/proc/\(id)/statm: \(text)")
        }
        return pages * 4096
    }
}

/// A tenant.
struct Shop: Sendable {
    let slug: String
    let token: String
    let product: String
}

/// Lines of standard input, counted by a thread, as the streams are not to wait for one.
private final class Input: Sendable {
    private let count = Atomic<Int>(0)

    var lines: Int { count.load(ordering: .acquiring) }

    init() {
        Thread.detachNewThread {
            while readLine() != nil { self.count.wrappingAdd(1, ordering: .releasing) }
            // Nobody says anything any more.
            self.count.store(.max, ordering: .releasing)
        }
    }
}

/// Sales on a fixed schedule.
private final class Sales: Sendable {
    static let clerks = 8

    private let shops: [Shop]
    private let port: UInt16
    private let rate: Int
    private let count: Int
    private let start = ContinuousClock.now + .milliseconds(500)
    private let run = UInt32.random(in: 0...UInt32.max)
    private let lateSales = Atomic<Int>(0)
    private let failed = Mutex<Failure?>(nil)

    init(_ shops: [Shop], port: UInt16, rate: Int, count: Int) {
        (self.shops, self.port, self.rate, self.count) = (shops, port, rate, count)
    }

    var late: Int { lateSales.load(ordering: .relaxed) }
    var failure: Failure? { failed.withLock { $0 } }

    func work(as clerk: Int) {
        do {
            let connection = try Connection(port: port)
            for number in stride(from: clerk, to: count, by: Self.clerks) {
                let planned = start + .seconds(1) * number / rate
                let wait = (planned - .now) / .microseconds(1)
                if wait > 0 { usleep(useconds_t(wait)) }
                if .now - planned > .milliseconds(5) { lateSales.wrappingAdd(1, ordering: .relaxed) }
                let shop = shops[number % shops.count]
                let body =
                    #"{"lines":[{"product_id":"\#(shop.product)","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}"#
                let answer = try connection.exchange(
                    Array(
                        """
                        POST /v1/sales HTTP/1.1\r
                        Host: localhost\r
                        Authorization: Bearer \(shop.token)\r
                        Idempotency-Key: streams-\(run)-\(number)\r
                        Content-Type: application/json\r
                        Content-Length: \(body.utf8.count)\r
                        \r
                        \(body)
                        """.utf8
                    )
                )
                guard answer.head.hasPrefix("HTTP/1.1 201") else { throw Failure(text: answer.head + answer.body) }
            }
        } catch {
            failed.withLock { $0 = $0 ?? Failure(text: "\(error)") }
        }
    }
}

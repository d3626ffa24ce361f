import Cache
import CacheAtHand
import Coherence
import Foundation
import IOLoop
import Logging
import Redis

/// What retiring a scope costs, however much is cached.
///
/// usage: retire l1 KEYS TENANTS COUNT
///        retire redis SOCKET TENANTS COUNT
///
/// `l1` fills memory, says `ready`, waits for a line, and retires the first tenant's scope COUNT times as a message of the bus does; what it
/// costs is counted from outside. `redis` sends the scripts BUMP and APPLY, COUNT times each, to a server that was filled from outside.
@main
struct Retire {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let tenants = Int(arguments[3]), let count = Int(arguments[4]) else {
            throw Failure(text: "usage: retire l1 KEYS TENANTS COUNT | redis SOCKET TENANTS COUNT")
        }
        switch arguments[1] {
        case "l1": try memory(keys: Int(arguments[2]) ?? 0, tenants: tenants, count: count)
        default: try blocking { try await redis(url: "unix://\(arguments[2])", tenants: tenants, count: count) }
        }
    }

    // MARK: Memory

    private static func memory(keys: Int, tenants: Int, count: Int) throws {
        let cache = CacheAtHand.make(l1Bytes: 4 << 30)
        let held = try blocking {
            try await CacheAtHand.fill(cache, keys: 0..<keys, tenants: tenants, bodyBytes: 64)
        }
        let message = BusMessage.hint(
            ns: CacheAtHand.ns,
            scopes: [.init(tenant: 1, module: Module.products.rawValue, xids: [5])]
        )
        guard cache.hit(held[0]) != nil else { throw Failure(text: "nothing is cached") }
        print("ready \(cache.health().l1Entries)")
        fflush(nil)
        _ = readLine()
        let start = cache.clock.now
        bump(cache, message, count: count)
        let elapsed = cache.clock.now - start
        guard count == 0 || cache.hit(held[0]) == nil else { throw Failure(text: "the scope was not retired") }
        print(String(format: "%.0f ns for each of %d bumps", Double(elapsed) / Double(max(1, count)), count))
        // Giving a million entries back would take longer than all the rest.
        exit(0)
    }

    @inline(never)
    private static func bump(_ cache: TenantCache, _ message: BusMessage, count: Int) {
        for _ in 0..<count { cache.lane.received(message) }
    }

    // MARK: Redis

    private static func redis(url: String, tenants: Int, count: Int) async throws {
        var logger = Logger(label: "retire")
        logger.logLevel = .critical
        let loop = IOLoop()
        loop.start()
        defer { loop.stop() }
        let settings = CacheSettings()
        let client = RedisClient(
            configuration: try RedisConfiguration(url: url),
            loop: loop,
            scripts: CacheScript.all,
            logger: logger
        )
        let running = Task { await client.run() }
        defer { running.cancel() }
        let clock = ContinuousClock()
        let end = clock.now + .seconds(10)
        while !client.isAvailable, clock.now < end { try await clock.sleep(for: .milliseconds(5)) }
        let level = RedisSecondLevel(client: client, settings: settings)
        let lane = RedisLane(client: client, settings: settings)
        let watermark = RedisKeys(prefix: settings.keyPrefix, database: 0).watermark
        _ = try await client.send(["SET", .text(watermark), .text("\(CacheAtHand.ns) 0 7")])

        _ = try await client.send(["CONFIG", "RESETSTAT"])
        for number in 0..<count {
            let write = CommittedWrite(
                tenant: Int64(1 + number % tenants),
                modules: [.products],
                xid: UInt64(1000 + number)
            )
            await level.bump([write], ns: CacheAtHand.ns)
        }
        try await report("BUMP", client, count: count)

        _ = try await client.send(["CONFIG", "RESETSTAT"])
        for number in 0..<count {
            let sequence = Int64(number + 1)
            let row = LogRow(
                sequence: sequence,
                tag: 7,
                tenant: Int64(1 + number % tenants),
                module: Module.products.rawValue,
                xids: [UInt64(2_000_000 + number)]
            )
            guard let batch = RelayBatch(ns: CacheAtHand.ns, rows: [row]) else { continue }
            _ = try await lane.apply(batch)
        }
        try await report("APPLY", client, count: count)
    }

    /// Prints what the server says of the script: microseconds for each call, and which commands it ran.
    private static func report(_ name: String, _ client: RedisClient, count: Int) async throws {
        let text = try await client.send(["INFO", "commandstats"]).text ?? ""
        var script = "?"
        var commands: [String] = []
        for line in text.split(whereSeparator: { $0.isNewline }) where line.hasPrefix("cmdstat_") {
            let parts = line.dropFirst("cmdstat_".count).split(separator: ":")
            guard parts.count == 2 else { continue }
            var numbers: [Substring: Substring] = [:]
            for field in parts[1].split(separator: ",") {
                let pair = field.split(separator: "=")
                if pair.count == 2 { numbers[pair[0]] = pair[1] }
            }
            let calls = Int(numbers["calls"] ?? "") ?? 0
            switch parts[0] {
            case "evalsha": script = "\(numbers["usec_per_call"] ?? "?") us"
            case "config|resetstat", "config", "info", "ping", "client|setinfo": break
            default: commands.append("\(parts[0]) \(String(format: "%.2f", Double(calls) / Double(count)))")
            }
        }
        print("\(name) \(script); commands each: \(commands.sorted().joined(separator: ", "))")
    }
}

/// Why there is no figure.
private struct Failure: Error, CustomStringConvertible {
    let text: String
    var description: String { text }
}

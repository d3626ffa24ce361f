import Foundation
import NIOPosix
import Synchronization
import TestSupport
import Testing

@Suite("Proxies")
struct ProxyTests {
    static let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()

    static func redisProxy(
        seed: UInt64 = 1
    ) async throws -> (redis: RedisServer, proxy: ProxyServer, commands: LinkProxy, bus: LinkProxy) {
        let redis = try await RedisServer.start()
        let commands = LinkProxy(name: "commands", seed: seed, eventLoop: loop)
        let bus = LinkProxy(name: "bus", seed: seed, eventLoop: loop)
        let proxy = try await ProxyServer.start(
            to: .unix(redis.socketPath),
            .redis(commands: commands, bus: bus),
            on: loop
        )
        return (redis, proxy, commands, bus)
    }

    /// A subscriber of `bus` through a proxy, by redis-cli; its output is the messages, line by line.
    static func subscriber(port: Int) async throws -> ChildProcess {
        let process = try ChildProcess.spawn("redis-cli", ["-p", String(port), "--csv", "SUBSCRIBE", "bus"])
        _ = try await process.output.firstLine("subscribed") { $0.contains("\"subscribe\"") }
        return process
    }

    static func messages(of process: ChildProcess) -> [String] {
        process.output.lines.filter { $0.hasPrefix("\"message\"") }.map { line in
            String(line.split(separator: ",").last?.dropFirst().dropLast() ?? "")
        }
    }

    static func cli(_ port: Int, _ words: String...) async throws -> String {
        try await run("redis-cli", ["-p", String(port)] + words)
    }

    @Test("Redis answers through a proxy, and a subscriber is told from a client of commands")
    func redis() async throws {
        let (redis, proxy, commands, bus) = try await Self.redisProxy()
        let long = String(repeating: "x", count: 100_000)
        #expect(try await Self.cli(proxy.port, "SET", "a", long) == "OK")
        #expect(try await Self.cli(proxy.port, "GET", "a") == long)
        let subscriber = try await Self.subscriber(port: proxy.port)
        try await redis.command("PUBLISH", "bus", "A 1")
        try await eventually("the message arrives") { Self.messages(of: subscriber) == ["A 1"] }
        #expect(commands.counts.connections == 2)
        #expect(bus.counts == LinkProxy.Counts(connections: 1, messages: 1))
        await bus.cut()
        try await eventually("the subscriber is cut off") {
            subscriber.output.text.contains("Error") || !subscriber.isRunning
        }
        subscriber.signal(SIGKILL)
        #expect(try await Self.cli(proxy.port, "PING") == "PONG")
        await proxy.stop()
        await redis.remove()
    }

    @Test("single messages are lost, doubled, swapped and late; replies and other messages are not")
    func messages() async throws {
        let (redis, proxy, _, bus) = try await Self.redisProxy()
        let subscriber = try await Self.subscriber(port: proxy.port)
        var sent = 0
        func publish(_ texts: String...) async throws {
            for text in texts { try await redis.command("PUBLISH", "bus", text) }
            sent += texts.count
            let count = sent
            // Redis answers before it has sent; another behaviour is for what comes after.
            try await eventually("the messages have come to the proxy") { bus.counts.messages == count }
        }
        await bus.behave(LinkBehaviour(messages: .init(kinds: ["A"], drop: 1)))
        try await publish("A 1", "B 1")
        await bus.behave(LinkBehaviour(messages: .init(double: 1)))
        try await publish("A 2")
        await bus.behave(LinkBehaviour(messages: .init(kinds: ["A"], swap: 1)))
        try await publish("A 3", "B 3")
        await bus.behave(
            LinkBehaviour(messages: .init(kinds: ["H"], delay: 1, delays: .milliseconds(300) ... .milliseconds(300)))
        )
        try await publish("H 4", "A 4")
        try await eventually("all messages have arrived") { Self.messages(of: subscriber).count == 7 }
        #expect(Self.messages(of: subscriber) == ["B 1", "A 2", "A 2", "B 3", "A 3", "A 4", "H 4"])
        #expect(bus.counts == LinkProxy.Counts(connections: 1, messages: 7, dropped: 1, doubled: 1, moved: 2))
        subscriber.signal(SIGKILL)
        await proxy.stop()
        await redis.remove()
    }

    @Test("the same seed loses the same messages")
    func seeded() async throws {
        var seen: [[String]] = []
        for _ in 0..<2 {
            let (redis, proxy, _, bus) = try await Self.redisProxy(seed: 42)
            let subscriber = try await Self.subscriber(port: proxy.port)
            await bus.behave(LinkBehaviour(messages: .init(drop: 0.5)))
            for number in 0..<20 { try await redis.command("PUBLISH", "bus", "A \(number)") }
            await bus.behave(.pass)
            try await redis.command("PUBLISH", "bus", "end")
            try await eventually("the last message has arrived") { Self.messages(of: subscriber).last == "end" }
            seen.append(Self.messages(of: subscriber))
            subscriber.signal(SIGKILL)
            await proxy.stop()
            await redis.remove()
        }
        #expect(seen[0] == seen[1])
        #expect((2..<20).contains(seen[0].count))
    }

    @Test("a black hole lets nothing through and loses nothing; a link that refuses is closed")
    func blackhole() async throws {
        let (redis, proxy, commands, bus) = try await Self.redisProxy()
        let subscriber = try await Self.subscriber(port: proxy.port)
        await bus.behave(LinkBehaviour(toClient: .hold))
        await commands.behave(.blackhole)
        try await redis.command("PUBLISH", "bus", "A 1")
        let asking = Task { try await Self.cli(proxy.port, "INCR", "n") }
        try await eventually("the command's connection is there") { commands.counts.connections == 1 }
        #expect(try await redis.command("GET", "n").isEmpty)
        #expect(Self.messages(of: subscriber).isEmpty)
        await commands.behave(.pass)
        await bus.behave(.pass)
        #expect(try await asking.value == "1")
        try await eventually("the message arrives") { Self.messages(of: subscriber) == ["A 1"] }

        await commands.behave(LinkBehaviour(refuses: true))
        await commands.cut()
        await #expect(throws: CommandFailed.self) { try await Self.cli(proxy.port, "PING") }
        try await redis.command("PUBLISH", "bus", "A 2")
        try await eventually("the bus goes on") { Self.messages(of: subscriber) == ["A 1", "A 2"] }
        subscriber.signal(SIGKILL)
        await proxy.stop()
        await redis.remove()
    }

    @Test("a delay is paid by each packet, one way or the other")
    func delay() async throws {
        let (redis, proxy, commands, _) = try await Self.redisProxy()
        let clock = ContinuousClock()
        for behaviour in [
            LinkBehaviour(toServer: .delay(.milliseconds(150) ... .milliseconds(200))),
            LinkBehaviour(toClient: .delay(.milliseconds(150) ... .milliseconds(200))),
        ] {
            await commands.behave(behaviour)
            let start = clock.now
            #expect(try await Self.cli(proxy.port, "PING") == "PONG")
            #expect(clock.now - start >= .milliseconds(150))
        }
        await commands.behave(LinkBehaviour(toClient: .growingDelay(rate: 0.5, most: .seconds(1))))
        #expect(try await Self.cli(proxy.port, "PING") == "PONG")
        await proxy.stop()
        await redis.remove()
    }

    @Test("clients of one server are sent to another")
    func retarget() async throws {
        let (first, proxy, _, _) = try await Self.redisProxy()
        let second = try await RedisServer.start()
        try await first.command("SET", "who", "first")
        try await second.command("SET", "who", "second")
        #expect(try await Self.cli(proxy.port, "GET", "who") == "first")
        await proxy.retarget(to: .unix(second.socketPath))
        #expect(try await Self.cli(proxy.port, "GET", "who") == "second")
        await second.remove()
        await #expect(throws: CommandFailed.self) { try await Self.cli(proxy.port, "GET", "who") }
        await proxy.stop()
        await first.remove()
    }

    @Test("PostgreSQL answers through a proxy, whatever the size, held and delayed")
    func postgres() async throws {
        let postgres = try await PostgresServer.shared()
        let database = try await postgres.emptyDatabase(named: "proxy")
        let link = LinkProxy(name: "database", seed: 1, eventLoop: Self.loop)
        let proxy = try await ProxyServer.start(to: .unix(postgres.socketPath), .bytes(link), on: Self.loop)
        let url = "postgresql://postgres@127.0.0.1:\(proxy.port)/\(database.name)"
        func psql(_ sql: String) async throws -> String {
            try await run(PostgresBinaries.path(of: "psql"), ["-X", "-q", "-A", "-t", "-d", url, "-c", sql])
        }
        #expect(try await psql("SELECT sum(length(repeat('x', 1000)) + n) FROM generate_series(1, 10) n") == "10055")
        #expect(try await psql("SELECT repeat('x', 20000000)").count == 20_000_000)
        await link.behave(.blackhole)
        let asking = Task { try await psql("SELECT 7") }
        try await eventually("the session's connection is there") { link.counts.connections == 3 }
        await link.behave(LinkBehaviour(toClient: .delay(.milliseconds(5) ... .milliseconds(20))))
        #expect(try await asking.value == "7")
        await link.behave(LinkBehaviour(refuses: true))
        await #expect(throws: CommandFailed.self) { try await psql("SELECT 1") }
        await proxy.stop()
        try await database.drop()
    }
}

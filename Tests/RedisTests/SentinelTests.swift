import Foundation
import IOLoop
import Synchronization
import TestSupport
import Testing

@testable import Redis

/// A primary, a replica and the sentinels that watch them.
private struct SentinelSet {
    let primary: RedisServer
    let replica: RedisServer
    let sentinels: [RedisSentinel]

    static func start(sentinels count: Int = 1, password: String? = nil) async throws -> SentinelSet {
        let primary = try await RedisServer.start(tcp: true, password: password)
        let replica = try await RedisServer.start(replicaOf: primary)
        var sentinels: [RedisSentinel] = []
        for _ in 0..<count {
            sentinels.append(try await .start(monitoring: primary, quorum: count / 2 + 1))
        }
        for sentinel in sentinels {
            try await sentinel.isAware(ofReplicas: 1, sentinels: count - 1)
        }
        return SentinelSet(primary: primary, replica: replica, sentinels: sentinels)
    }

    func configuration(name: String = "mymaster") throws -> RedisConfiguration {
        try sentinelConfiguration(
            sentinels.map(\.address).joined(separator: ","),
            name: name,
            password: primary.password
        )
    }

    func stop() async throws {
        for sentinel in sentinels { try await sentinel.kill() }
        try await replica.kill()
        try await primary.kill()
    }
}

/// The configuration of a test: patient where the machine may be busy, and quick to ask again.
private func sentinelConfiguration(
    _ list: String,
    name: String = "mymaster",
    password: String? = nil
) throws -> RedisConfiguration {
    var configuration = RedisConfiguration(
        sentinels: try RedisSentinels(list: list, name: name),
        password: password
    )
    configuration.connectTimeout = .seconds(1)
    configuration.commandTimeout = .milliseconds(500)
    configuration.pingInterval = .milliseconds(200)
    configuration.backoff.longest = .milliseconds(100)
    return configuration
}

extension RedisServer {
    fileprivate nonisolated var address: RedisConfiguration.Address {
        .tcp(host: "127.0.0.1", port: port ?? 0)
    }

    fileprivate nonisolated var runID: String {
        get async throws {
            let text = try await command("INFO", "server")
            let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("run_id:") }
            return String(line?.dropFirst(7) ?? "")
        }
    }
}

/// Runs a body with a client and a subscriber of one configuration.
private func withBoth(
    _ configuration: RedisConfiguration,
    _ body: @escaping @Sendable (RedisClient, RedisSubscriber.Events) async throws -> Void
) async throws {
    try await withClient(configuration) { client in
        try await withSubscriber(configuration) { subscriber in
            let events = subscriber.events
            #expect(await events.next() == .subscribed)
            try await body(client, events)
        }
    }
}

/// Waits for the subscription that follows a gap.
private func resubscribed(_ events: RedisSubscriber.Events) async {
    var hasLost = false
    while let event = await events.next() {
        if event == .lost { hasLost = true }
        if event == .subscribed {
            #expect(hasLost)
            return
        }
    }
}

@Suite("The Redis client and Sentinel")
struct SentinelTests {
    @Test("kill -9 of the primary: commands and the subscription are on the promoted replica within seconds")
    func failover() async throws {
        let set = try await SentinelSet.start(sentinels: 3, password: "pw")
        try await withBoth(set.configuration()) { client, events in
            #expect(client.address == set.primary.address)
            let former = client.runID
            var connections = client.connectionEvents().makeAsyncIterator()
            #expect(await connections.next() == .connected(runID: former, epoch: 1))

            let start = ContinuousClock.now
            try await set.primary.kill()
            #expect(await connections.next() == .disconnected)
            #expect(!client.isAvailable)
            #expect(await client.failure(of: ["PING"])?.code == .unavailable)
            guard case .connected(let runID, 2) = await connections.next() else {
                Issue.record("no new connection")
                return
            }
            await resubscribed(events)
            #expect(ContinuousClock.now - start < .seconds(15))
            #expect(runID != former)
            #expect(try await runID == set.replica.runID)
            #expect(client.address == set.replica.address)
            try await same(client.reply(to: ["SET", "a", "1"]), .status("OK"))
            try await same(client.reply(to: ["PUBLISH", "bus", "x"]), .integer(1))
            #expect(await events.next() == .message([120]))
        }
        try await set.stop()
    }

    @Test("a frozen primary that wakes up beside its successor is not used again")
    func frozenPrimary() async throws {
        let set = try await SentinelSet.start()
        try await withBoth(set.configuration()) { client, events in
            try await set.primary.pause()
            try await eventually(within: .seconds(20), "commands go to the successor") {
                client.address == set.replica.address
            }
            await resubscribed(events)
            let epoch = client.connectionEpoch
            await set.primary.resume()
            // Sentinel makes it a replica; until then two servers call themselves primaries.
            try await eventually(within: .seconds(30), "the former primary follows") {
                // Sentinel ends connections of a server that it makes a replica, that of redis-cli too.
                (try? await set.primary.command("ROLE"))?.hasPrefix("slave") == true
            }
            try await same(client.reply(to: ["SET", "a", "1"]), .status("OK"))
            try await same(client.reply(to: ["PUBLISH", "bus", "x"]), .integer(1))
            #expect(await events.next() == .message([120]))
            #expect(client.connectionEpoch == epoch)
            #expect(client.address == set.replica.address)
        }
        try await set.stop()
    }

    @Test("a switch while everything is well is followed, there and back")
    func plannedSwitch() async throws {
        let set = try await SentinelSet.start()
        try await withBoth(set.configuration()) { client, events in
            for (next, other) in [(set.replica, set.primary), (set.primary, set.replica)] {
                try await eventually(within: .seconds(30), "the switch is accepted") {
                    try await set.sentinels[0].command("SENTINEL", "FAILOVER", "mymaster").hasPrefix("OK")
                }
                try await eventually(within: .seconds(20), "commands go to the other") {
                    client.address == next.address && client.isAvailable
                }
                try await same(client.reply(to: ["SET", "a", "1"]), .status("OK"))
                try await eventually(within: .seconds(20), "the subscription is there, too") {
                    (try? await next.command("PUBSUB", "NUMSUB", "bus"))?.contains("1") == true
                }
                await resubscribed(events)
                try await eventually(within: .seconds(30), "the former primary follows, and could be promoted") {
                    (try? await other.command("INFO", "replication"))?.contains("master_link_status:up") == true
                }
            }
        }
        try await set.stop()
    }

    @Test("without the first sentinel the next is asked")
    func nextSentinel() async throws {
        let set = try await SentinelSet.start()
        let dead = "127.0.0.1:\(try FreePort.next())"
        let list = "\(dead),no-such-host.invalid:1,\(set.sentinels[0].address)"
        try await withClient(sentinelConfiguration(list)) { client in
            #expect(client.address == set.primary.address)
            try await same(client.reply(to: ["SET", "a", "1"]), .status("OK"))
        }
        try await set.stop()
    }

    @Test("without any sentinel the connection there is goes on, and a new one waits for a sentinel")
    func noSentinel() async throws {
        let set = try await SentinelSet.start()
        let log = LogRecorder()
        try await withClient(set.configuration(), logger: log.logger) { client in
            try await set.sentinels[0].kill()
            try await eventually("the sentinel is missed") { !log.lines(with: "connection=sentinel").isEmpty }
            try await same(client.reply(to: ["SET", "a", "1"]), .status("OK"))
            #expect(client.connectionEpoch == 1)
            try await set.primary.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try await eventually("nobody names a primary") {
                !log.lines(with: "no sentinel answers").isEmpty
            }
            #expect(await client.failure(of: ["PING"])?.code == .unavailable)
            try await set.sentinels[0].start()
            try await client.connected(after: 1)
            try await same(client.reply(to: ["GET", "a"]).text, "1")
        }
        try await set.stop()
    }

    @Test("a name that no sentinel knows is said once, and calls fail at once")
    func wrongName() async throws {
        let set = try await SentinelSet.start()
        let log = LogRecorder()
        let configuration = try set.configuration(name: "nobody")
        try await withClient(configuration, awaitingConnection: false, logger: log.logger) { client in
            try await eventually("it was tried often") {
                let stats = try await set.sentinels[0].command("INFO", "stats")
                let line = stats.split(whereSeparator: \.isNewline).first {
                    $0.hasPrefix("total_connections_received:")
                }
                return (line.flatMap { Int($0.drop { $0 != ":" }.dropFirst()) } ?? 0) > 20
            }
            let start = ContinuousClock.now
            for _ in 0..<1_000 {
                #expect(await client.failure(of: ["PING"])?.code == .unavailable)
            }
            // A wait of 50 ms each would be 50 s.
            #expect(ContinuousClock.now - start < .seconds(10))
            let lines = log.lines(with: "Redis cannot be reached")
            #expect(lines.count == 1, "\(log.all)")
            #expect(lines.first?.contains("code=unknownPrimary") == true)
            #expect(lines.first?.contains("do not know a primary named nobody") == true)
        }
        try await set.stop()
    }

    @Test("a sentinel's own password is given, and the lack of it is told")
    func sentinelPassword() async throws {
        let primary = try await RedisServer.start(tcp: true)
        let sentinel = try await RedisSentinel.start(monitoring: primary, password: "guard")
        var configuration = try sentinelConfiguration(sentinel.address)
        configuration.location = .sentinels(
            try RedisSentinels(list: sentinel.address, name: "mymaster", password: "guard")
        )
        try await withClient(configuration) { client in
            #expect(client.address == primary.address)
        }
        let log = LogRecorder()
        let without = try sentinelConfiguration(sentinel.address)
        try await withClient(without, awaitingConnection: false, logger: log.logger) { _ in
            try await eventually("the refusal is told") { !log.lines(with: "NOAUTH").isEmpty }
        }
        try await sentinel.kill()
        try await primary.kill()
    }
}

/// A sentinel that names whom the test wants.
private final class FakeSentinel: Sendable {
    /// Whom it names.
    private final class Opinion: Sendable {
        private let state: Mutex<(port: Int, epoch: Int)>

        init(port: Int, epoch: Int) {
            state = Mutex((port, epoch))
        }

        var port: Int { state.withLock { $0.port } }

        func change(port: Int, epoch: Int) {
            state.withLock { $0 = (port, epoch) }
        }

        func reply(to question: String) -> String {
            let (port, epoch) = state.withLock { $0 }
            func array(_ words: [String]) -> String {
                "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
            }
            return question == "master"
                ? array(["name", "mymaster", "config-epoch", "\(epoch)"]) : array(["127.0.0.1", "\(port)"])
        }
    }

    let server: FakeServer
    private let opinion: Opinion

    init(naming primary: RedisServer, epoch: Int = 1) throws {
        let opinion = Opinion(port: primary.port ?? 0, epoch: epoch)
        self.opinion = opinion
        server = try FakeServer { command, _ in
            command[0] == "SENTINEL"
                ? .reply(opinion.reply(to: command[1])) : FakeServer.handshake(command) ?? .reply("+OK\r\n")
        }
    }

    var address: RedisConfiguration.Address { .unix(path: server.path) }

    /// Names another from now on.
    func name(_ primary: RedisServer, epoch: Int) {
        opinion.change(port: primary.port ?? 0, epoch: epoch)
    }

    /// Tells those who listen of a switch to the one it names.
    func announce(from former: RedisServer) {
        let text = "mymaster 127.0.0.1 \(former.port ?? 0) 127.0.0.1 \(opinion.port)"
        server.push("*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$\(text.utf8.count)\r\n\(text)\r\n")
    }
}

private func configuration(_ sentinels: FakeSentinel...) throws -> RedisConfiguration {
    var configuration = try sentinelConfiguration("unused")
    configuration.location = .sentinels(
        try RedisSentinels(addresses: sentinels.map(\.address), name: "mymaster")
    )
    return configuration
}

@Suite("The Redis client and sentinels that say odd things")
struct SentinelFaultTests {
    @Test("an announced switch leaves a primary that lives on, at once")
    func switchMaster() async throws {
        let (old, new) = try await (RedisServer.start(tcp: true), RedisServer.start(tcp: true))
        let sentinel = try FakeSentinel(naming: old)
        try await withBoth(configuration(sentinel)) { client, events in
            #expect(client.address == old.address)
            try await eventually("both connections listen to the sentinel") { sentinel.server.subscriptions == 2 }
            sentinel.name(new, epoch: 2)
            sentinel.announce(from: old)
            try await client.connected(after: 1)
            #expect(client.address == new.address)
            await resubscribed(events)
            try await same(client.reply(to: ["PUBLISH", "bus", "x"]), .integer(1))
            #expect(await events.next() == .message([120]))
            try await eventually("nobody is left at the former primary") {
                try await !old.command("CLIENT", "LIST").contains("name=stock")
            }
        }
        sentinel.server.stop()
        try await old.kill()
        try await new.kill()
    }

    @Test("a switch that was not heard is found by asking, when the sentinel is heard again")
    func missedSwitch() async throws {
        let (old, new) = try await (RedisServer.start(tcp: true), RedisServer.start(tcp: true))
        let sentinel = try FakeSentinel(naming: old)
        var settings = try configuration(sentinel)
        settings.subscriberSilence = .milliseconds(100)
        try await withClient(settings) { client in
            try await eventually("it listens to the sentinel") { sentinel.server.subscriptions == 1 }
            sentinel.name(new, epoch: 2)
            sentinel.server.closeSubscribers()
            try await client.connected(after: 1)
            #expect(client.address == new.address)
        }
        sentinel.server.stop()
        try await old.kill()
        try await new.kill()
    }

    @Test("a server that is no primary is not used, whoever names it")
    func replicaNamed() async throws {
        let primary = try await RedisServer.start(tcp: true)
        let replica = try await RedisServer.start(replicaOf: primary)
        let (wrong, right) = try (FakeSentinel(naming: replica), FakeSentinel(naming: replica))
        let log = LogRecorder()
        try await withClient(configuration(wrong, right), awaitingConnection: false, logger: log.logger) { client in
            try await eventually("the replica was refused") { !log.lines(with: "code=notPrimary").isEmpty }
            #expect(!client.isAvailable)
            // The first sentinel goes on naming the replica; the second knows better now.
            right.name(primary, epoch: 1)
            try await client.connected()
            #expect(client.address == primary.address)
            #expect(log.lines(with: "Redis cannot be reached").count == 1)
        }
        try await withSubscriber(configuration(wrong, right)) { subscriber in
            // Never a subscription to the replica: it would be an event, followed by one of its loss.
            let events = subscriber.events
            #expect(await events.next() == .subscribed)
            try await primary.command("PUBLISH", "bus", "x")
            #expect(await events.next() == .message([120]))
        }
        wrong.server.stop()
        right.server.stop()
        try await replica.kill()
        try await primary.kill()
    }

    @Test("a sentinel that is cut off and names a former primary is not believed against a newer decision")
    func staleSentinel() async throws {
        let (old, new) = try await (RedisServer.start(tcp: true), RedisServer.start(tcp: true))
        let (cutOff, other) = try (FakeSentinel(naming: old, epoch: 1), FakeSentinel(naming: new, epoch: 2))
        try await withClient(configuration(other, cutOff)) { client in
            #expect(client.address == new.address)
            try await eventually("it listens to both") {
                cutOff.server.subscriptions + other.server.subscriptions == 2
            }
            cutOff.server.closeSubscribers()
            try await new.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try await client.connected(after: 1)
            #expect(client.address == new.address)
        }
        cutOff.server.stop()
        other.server.stop()
        try await old.kill()
        try await new.kill()
    }

    @Test("a breaker that the former primary has opened does not hold back its successor")
    func breaker() async throws {
        let busy = ["--busy-reply-threshold", "10"]
        let (old, new) = try await (RedisServer.start(tcp: true, arguments: busy), RedisServer.start(tcp: true))
        let sentinel = try FakeSentinel(naming: old)
        var settings = try configuration(sentinel)
        settings.breaker.initialPause = .seconds(60)
        settings.breaker.maximumPause = .seconds(60)
        try await withClient(settings) { client in
            try await withClient(RedisTests.configuration(old.url)) { other in
                async let spinning = other.failure(of: ["EVAL", "while true do end", 0])
                try await eventually("the breaker is open") {
                    await client.failure(of: ["GET", "x"])?.code == .breakerOpen
                }
                #expect(!client.isAvailable)
                sentinel.name(new, epoch: 2)
                sentinel.announce(from: old)
                try await client.connected(after: 1)
                #expect(client.isAvailable)
                try await same(client.reply(to: ["GET", "x"]), .null)
                _ = try? await old.command("SCRIPT", "KILL")
                _ = await spinning
            }
        }
        sentinel.server.stop()
        try await old.kill()
        try await new.kill()
    }

    @Test("READONLY closes the connection and the sentinel is asked again")
    func readOnly() async throws {
        let (old, new) = try await (RedisServer.start(tcp: true), RedisServer.start(tcp: true))
        let sentinel = try FakeSentinel(naming: old)
        var settings = try configuration(sentinel)
        // No sign of life is sent that would find out before the command does.
        settings.pingInterval = .seconds(60)
        try await withClient(settings) { client in
            try await old.command("REPLICAOF", "127.0.0.1", "1")
            #expect(client.address == old.address)
            #expect(await client.failure(of: ["SET", "a", "1"])?.code == .readOnly)
            // Named no sooner than the command has failed, which nothing else may overtake.
            sentinel.name(new, epoch: 2)
            try await eventually("the sentinel is asked again") { client.address == new.address }
            try await same(client.reply(to: ["SET", "a", "1"]), .status("OK"))
        }
        sentinel.server.stop()
        try await old.kill()
        try await new.kill()
    }

    @Test(
        "silence and nonsense of a sentinel are passed over",
        arguments: ["silence", "null", "error", "text", "pair"]
    )
    func oddAnswers(kind: String) async throws {
        let primary = try await RedisServer.start(tcp: true)
        let odd = try FakeServer { command, _ in
            if command[0] != "SENTINEL" { return FakeServer.handshake(command) ?? .reply("+OK\r\n") }
            return switch kind {
            case "silence": .silence
            case "null": .reply("*-1\r\n")
            case "error": .reply("-ERR unknown command\r\n")
            case "text": .reply("+hello\r\n")
            default: .reply("*2\r\n$1\r\na\r\n$1\r\nb\r\n")
            }
        }
        let right = try FakeSentinel(naming: primary)
        var settings = try configuration(right)
        settings.location = .sentinels(
            try RedisSentinels(addresses: [.unix(path: odd.path), right.address], name: "mymaster")
        )
        settings.connectTimeout = .milliseconds(100)
        try await withClient(settings) { client in
            #expect(client.address == primary.address)
        }
        odd.stop()
        right.server.stop()
        try await primary.kill()
    }
}

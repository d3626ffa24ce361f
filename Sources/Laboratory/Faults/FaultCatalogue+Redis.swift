extension FaultCatalogue {
    /// Redis losing clients, memory, keys, its mind, and its place.
    static let redis: [Fault] =
        [
            command("kill-subscribers") { try await $0.command("CLIENT", "KILL", "TYPE", "pubsub") },
            command("kill-clients") { try await $0.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") },
            command("script-flush") { try await $0.command("SCRIPT", "FLUSH") },
            command("flushall") { try await $0.command("FLUSHALL") },
            command("evict-generations") { try await $0.delete(matching: "*:_g") },
            command("evict-rings") { try await $0.delete(matching: "*:_r") },
            command("evict-values") { try await $0.delete(matching: "*:tenant:*") },
            command("evict-watermark") { try await $0.delete(matching: "*:lane:0:wm") },
            command("evict-alive") { try await $0.delete(matching: "*:lane:0:alive") },
            command("small-pubsub-buffer") { server in
                try await server.command("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1 1 1")
                // More than a connection's own buffer, on which the limit has no hold.
                try await server.command("EVAL", publishOnEveryChannel, "0", "300000")
            } heal: { server in
                try await server.command("CONFIG", "SET", "client-output-buffer-limit", "pubsub 33554432 8388608 60")
            },
            command("nonsense-on-the-bus") { try await $0.command("EVAL", publishOnEveryChannel, "0", "64") },
            command("pause-clients") {
                // It ends by itself: UNPAUSE would have to wait as well.
                try await $0.command("CLIENT", "PAUSE", "1500", "ALL")
            } heal: {
                try await $0.command("CLIENT", "UNPAUSE")
            },
            command("pause-writes") {
                try await $0.command("CLIENT", "PAUSE", "10000", "WRITE")
            } heal: {
                try await $0.command("CLIENT", "UNPAUSE")
            },
            command("out-of-memory") {
                // Less than an empty server takes: every write is refused.
                try await $0.command("CONFIG", "SET", "maxmemory", "500kb", "maxmemory-policy", "noeviction")
            } heal: {
                try await $0.command("CONFIG", "SET", "maxmemory", "0")
            },
            command("eviction") { server in
                try await server.command("CONFIG", "SET", "maxmemory", "5mb", "maxmemory-policy", "allkeys-random")
                // Twice as much as there is room for, bit by bit: whatever was there is gone with it.
                for _ in 0..<10 { try await server.command("EVAL", fill, "0", "1000") }
            } heal: { server in
                try await server.delete(matching: "filler:*")
                try await server.command("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")
            },
            Fault("redis-frozen", group: "redis", targets: [.redis]) { laboratory, _ in
                let server = await laboratory.redis
                try await server.pause()
                return InjectedFault { await server.resume() }
            },
            Fault("redis-down", group: "redis", targets: [.redis]) { laboratory, _ in
                let server = await laboratory.redis
                try await server.kill()
                return InjectedFault { try await server.start(keepingData: false) }
            },
            // What was bumped since the snapshot is back as it was before.
            Fault("redis-old-snapshot", group: "redis", targets: [.redis], durations: short) { laboratory, random in
                var random = random
                let server = await laboratory.redis
                try await server.save()
                let age = random.duration(in: .milliseconds(200) ... .milliseconds(1500))
                try await Task.sleep(for: age)
                try await server.kill()
                try await server.start(keepingData: true)
                return InjectedFault("\(age) old")
            },
            Fault("redis-lagging-replica-promoted", group: "redis", targets: redisAndItsLinks, durations: short) {
                laboratory,
                random in
                var random = random
                let replica = try await LaggingReplica.start(of: await laboratory.redis, on: laboratory)
                let lag = random.duration(in: .milliseconds(100) ... .milliseconds(1000))
                try await Task.sleep(for: lag)
                try await replica.promote()
                await laboratory.redirect(laboratory.links.indices, to: replica.server)
                await laboratory.replaceRedis(by: replica.server)
                return InjectedFault("\(lag) behind")
            },
            // Some follow the new primary at once, the others only when the fault ends.
            Fault("redis-two-primaries", group: "redis", targets: redisAndItsLinks) { laboratory, random in
                var random = random
                let replica = try await LaggingReplica.start(of: await laboratory.redis, on: laboratory)
                try await Task.sleep(for: random.duration(in: .milliseconds(50) ... .milliseconds(400)))
                try await replica.promote()
                let order = laboratory.links.indices.shuffled(using: &random)
                let early = order.prefix(max(1, order.count / 2))
                await laboratory.redirect(early, to: replica.server)
                return InjectedFault("new for " + early.map { "i\($0)" }.joined(separator: " ")) {
                    await laboratory.redirect(laboratory.links.indices, to: replica.server)
                    await laboratory.replaceRedis(by: replica.server)
                }
            },
        ]

    private static let short: ClosedRange<Duration> = .milliseconds(50) ... .milliseconds(500)
    private static let redisAndItsLinks: Set<FaultTarget> = [.redis, .commandLinks, .busLinks]

    /// A fault that is a command, given to whichever server is the primary.
    private static func command(
        _ name: String,
        _ begin: @escaping @Sendable (RedisServer) async throws -> Void,
        heal: (@Sendable (RedisServer) async throws -> Void)? = nil
    ) -> Fault {
        Fault(
            "redis-\(name)",
            group: "redis",
            targets: [.redis],
            durations: heal == nil ? short : .milliseconds(300) ... .seconds(2)
        ) {
            laboratory,
            _ in
            let server = await laboratory.redis
            try await begin(server)
            return InjectedFault { try await heal?(server) }
        }
    }

    private static let publishOnEveryChannel = """
        for _, channel in ipairs(redis.call('PUBSUB', 'CHANNELS')) do
            redis.call('PUBLISH', channel, string.rep('x', tonumber(ARGV[1])))
        end
        """

    private static let fill = """
        for i = 1, tonumber(ARGV[1]) do
            redis.call('SET', 'filler:' .. math.random(1000000000), string.rep('x', 1024), 'EX', 60)
        end
        """
}

extension RedisServer {
    /// Deletes the keys of a pattern, as if they had been evicted.
    fileprivate nonisolated func delete(matching pattern: String) async throws {
        let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end"
        try await command("EVAL", script, "0", pattern)
    }
}

extension Laboratory {
    /// Sends instances to another Redis server; what they had with the one before ends.
    nonisolated func redirect(_ indices: some Sequence<Int>, to server: RedisServer) async {
        for index in indices { await links[index].redirect(to: server) }
    }
}

/// A replica that has stopped hearing from its primary.
private struct LaggingReplica: Sendable {
    let server: RedisServer
    private let proxy: ProxyServer

    /// Makes a replica, waits until it has everything, then cuts it off.
    static func start(of primary: RedisServer, on laboratory: Laboratory) async throws -> LaggingReplica {
        let link = laboratory.makeLink("replica")
        let proxy = try await ProxyServer.start(to: .unix(primary.socketPath), .bytes(link), on: link.eventLoop)
        let server = try await RedisServer.start(arguments: RedisServer.quickReplication)
        try await server.command("REPLICAOF", "127.0.0.1", String(proxy.port))
        try await eventually(every: .milliseconds(10), "the replica is complete") {
            try await server.command("INFO", "replication").contains("master_link_status:up")
        }
        await link.behave(.blackhole)
        return LaggingReplica(server: server, proxy: proxy)
    }

    func promote() async throws {
        try await server.command("REPLICAOF", "NO", "ONE")
        await proxy.stop()
    }
}

import IOLoop
import Synchronization
import TestSupport
import Testing

@testable import Redis

@Suite("The Redis client and a real server")
struct RedisClientTests {
    @Test("replies of every kind arrive as they are")
    func replies() async throws {
        let server = try await RedisServer.start()
        try await withClient(configuration(server.url)) { client in
            try await same(client.reply(to: ["SET", "a", .bytes([0, 13, 10, 255])]), .status("OK"))
            try await same(client.reply(to: ["GET", "a"]), .bulk([0, 13, 10, 255]))
            try await same(client.reply(to: ["GET", "missing"]), .null)
            try await same(client.reply(to: ["INCRBY", "n", -5]), .integer(-5))
            try await same(client.reply(to: ["MGET", "a", "missing", "n"]).elements?.count, 3)
            try await same(client.reply(to: ["SET", "empty", .bytes([])]), .status("OK"))
            try await same(client.reply(to: ["GET", "empty"]), .bulk([]))
            let nested: RedisCommand = ["EVAL", "return {1, {'x', {}}, redis.error_reply('ERR inside')}", 0]
            let expected = RedisReply.array([.integer(1), .array([.bulk([120]), .array([])]), .error("ERR inside")])
            try await same(client.reply(to: nested), expected)
            let large = [UInt8](repeating: 7, count: 3_000_000)
            try await same(client.reply(to: ["SET", "large", .bytes(large)]), .status("OK"))
            try await same(client.reply(to: ["GET", "large"]), .bulk(large))
        }
        try await server.stop()
    }

    @Test("10,000 concurrent commands each get their own reply")
    func pipelining() async throws {
        let server = try await RedisServer.start(tcp: true)
        try await withClient(configuration(server.url)) { client in
            try await withThrowingTaskGroup { group in
                for index in 0..<10_000 {
                    group.addTask {
                        let reply = try await client.reply(to: ["ECHO", .integer(index)])
                        #expect(reply == .bulk(Array("\(index)".utf8)))
                    }
                }
                try await group.waitForAll()
            }
            #expect(client.connectionEpoch == 1)
        }
        try await server.stop()
    }

    @Test("a name is resolved off the loop")
    func hostName() async throws {
        let server = try await RedisServer.start(tcp: true)
        let port = try #require(server.port)
        try await withClient(configuration("redis://localhost:\(port)/0")) { client in
            try await same(client.reply(to: ["PING"]), .status("PONG"))
        }
        try await server.stop()
    }

    @Test("password, database and name are set by the handshake")
    func handshake() async throws {
        let server = try await RedisServer.start(password: "s@c/ret")
        var settings = try configuration("unix://\(server.socketPath)?db=3")
        settings.password = "s@c/ret"
        settings.clientName = "stock-test"
        try await withClient(settings) { client in
            let information = try await client.reply(to: ["CLIENT", "INFO"]).text ?? ""
            #expect(information.contains("name=stock-test"))
            #expect(information.contains("db=3"))
            let server = try await client.reply(to: ["INFO", "server"]).text ?? ""
            let runID = try #require(client.runID)
            #expect(runID.count == 40 && server.contains("run_id:\(runID)"))
        }
        try await server.stop()
    }

    @Test("a wrong password never becomes a connection, and costs callers no time")
    func wrongPassword() async throws {
        let server = try await RedisServer.start(password: "right")
        var settings = try configuration("unix://\(server.socketPath)")
        settings.password = "wrong"
        try await withClient(settings, awaitingConnection: false) { client in
            try await eventually("attempts have been refused") {
                try await server.command("ACL", "LOG").contains("auth")
            }
            #expect(!client.isAvailable)
            #expect(await client.failure(of: ["PING"])?.code == .unavailable)
        }
        try await server.stop()
    }

    @Test("a user without INFO has no run id, and the rest works")
    func withoutInfo() async throws {
        let server = try await RedisServer.start()
        try await server.command("ACL", "SETUSER", "shop", "on", ">pw", "~*", "&*", "+@all", "-info")
        try await withClient(configuration("unix://shop:pw@\(server.socketPath)")) { client in
            #expect(client.runID == nil)
            try await same(client.reply(to: ["PING"]), .status("PONG"))
            #expect(await client.failure(of: ["INFO"])?.code == .notPermitted)
        }
        try await server.stop()
    }

    @Test("scripts run by their digest, before and after SCRIPT FLUSH")
    func scripts() async throws {
        let server = try await RedisServer.start()
        let known = RedisScript(name: "known", source: "return {KEYS[1], ARGV[1], 1}")
        let unknown = RedisScript(name: "unknown", source: "return #ARGV")
        try await withClient(configuration(server.url), scripts: [known]) { client in
            let expected = RedisReply.array([.bulk([107]), .bulk([0]), .integer(1)])
            try await same(client.result(of: known, keys: ["k"], arguments: [.bytes([0])]), expected)
            let evaluations = try await client.reply(to: ["INFO", "commandstats"]).text ?? ""
            #expect(evaluations.contains("cmdstat_evalsha:calls=1"))
            #expect(!evaluations.contains("cmdstat_eval:"))

            _ = try await client.reply(to: ["SCRIPT", "FLUSH"])
            try await same(client.result(of: known, keys: ["k"], arguments: [.bytes([0])]), expected)
            try await same(client.result(of: known, keys: ["k"], arguments: [.bytes([0])]), expected)
            let after = try await client.reply(to: ["INFO", "commandstats"]).text ?? ""
            #expect(after.contains("cmdstat_eval:calls=1"))

            try await same(client.result(of: unknown, keys: [], arguments: ["a", "b"]), .integer(2))
        }
        try await server.stop()
    }

    @Test("refusals keep the connection and tell their kind")
    func refusals() async throws {
        let server = try await RedisServer.start()
        try await withClient(configuration(server.url)) { client in
            #expect(await client.failure(of: ["NONSENSE"])?.code == .server)
            #expect(await client.failure(of: ["GET"])?.code == .server)
            _ = try await client.reply(to: ["CONFIG", "SET", "maxmemory", "1"])
            #expect(await client.failure(of: ["SET", "y", "1"])?.code == .outOfMemory)
            _ = try await client.reply(to: ["CONFIG", "SET", "maxmemory", "0"])
            _ = try await client.reply(to: ["REPLICAOF", "127.0.0.1", "1"])
            #expect(await client.failure(of: ["SET", "y", "1"])?.code == .readOnly)
            #expect(await client.failure(of: [])?.code == .invalidCommand)
            #expect(client.isAvailable)
            #expect(client.connectionEpoch == 1)
        }
        try await server.stop()
    }

    @Test("it comes back by itself after a restart and after kill -9, and says so")
    func restart() async throws {
        let server = try await RedisServer.start()
        try await withClient(configuration(server.url)) { client in
            var events = client.connectionEvents().makeAsyncIterator()
            let first = await events.next()
            #expect(first == .connected(runID: client.runID, epoch: 1))
            for (epoch, isKilled) in [(UInt64(2), false), (3, true)] {
                let runID = client.runID
                if isKilled {
                    try await server.kill()
                } else {
                    try await server.stop()
                }
                #expect(await events.next() == .disconnected)
                #expect(!client.isAvailable)
                #expect(await client.failure(of: ["PING"])?.code == .unavailable)
                try await server.start(keepingData: false)
                guard case .connected(let newRunID, epoch) = await events.next() else {
                    Issue.record("no new connection")
                    return
                }
                #expect(newRunID != runID)
                let answer = try await client.exchange(["PING"])
                #expect(answer.runID == newRunID)
            }
        }
        try await server.stop()
    }

    @Test("a killed connection fails what was in flight once, and is replaced")
    func clientKill() async throws {
        let server = try await RedisServer.start()
        try await withClient(configuration(server.url)) { client in
            async let blocked = client.failure(of: ["BLPOP", "nothing", "0"])
            try await eventually("the command blocks") {
                try await server.command("CLIENT", "LIST").contains("cmd=blpop")
            }
            async let behind = client.failure(of: ["PING"])
            try await eventually("another one waits behind it, read and not answered") {
                try await server.command("CLIENT", "LIST").split(separator: "\n").contains {
                    $0.contains("cmd=blpop") && !$0.contains(" qbuf=0 ")
                }
            }
            _ = try await server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            let error = await blocked
            #expect(error?.code == .connectionLost)
            #expect(error?.mayHaveRun == true)
            #expect(await behind?.code == .connectionLost)
            try await client.connected(after: 1)
            try await same(client.reply(to: ["PING"]), .status("PONG"))
        }
        try await server.stop()
    }

    @Test("a frozen server is a time-out that closes the connection")
    func frozen() async throws {
        let server = try await RedisServer.start()
        var settings = try configuration(server.url)
        settings.commandTimeout = .milliseconds(100)
        settings.connectTimeout = .milliseconds(200)
        try await withClient(settings) { client in
            try await server.pause()
            let start = ContinuousClock.now
            let error = await client.failure(of: ["PING"])
            #expect(error?.code == .timedOut)
            #expect(error?.mayHaveRun == true)
            #expect(ContinuousClock.now - start >= .milliseconds(100))
            try await eventually("the connection is given up") { !client.isAvailable }
            #expect(await client.failure(of: ["PING"])?.code == .unavailable)
            await server.resume()
            try await client.connected(after: 1)
            try await same(client.reply(to: ["ECHO", "new"], timeout: .seconds(5)), .bulk(Array("new".utf8)))
        }
        try await server.stop()
    }

    @Test("an idle connection to a frozen server is noticed by PING")
    func idle() async throws {
        let server = try await RedisServer.start()
        var settings = try configuration(server.url)
        settings.commandTimeout = .milliseconds(100)
        settings.pingInterval = .milliseconds(20)
        try await withClient(settings) { client in
            var events = client.connectionEvents().makeAsyncIterator()
            _ = await events.next()
            try await server.pause()
            #expect(await events.next() == .disconnected)
            await server.resume()
            try await client.connected(after: 1)
        }
        try await server.stop()
    }

    @Test("a caller's deadline ends its wait and leaves the connection to the others")
    func callersDeadline() async throws {
        let server = try await RedisServer.start()
        try await withClient(configuration(server.url)) { client in
            let soon = ContinuousClock.now.advanced(by: .milliseconds(50))
            async let blocked = client.failure(of: ["BLPOP", "list", "0"], deadline: soon)
            #expect(await blocked?.code == .timedOut)
            #expect(await client.failure(of: ["PING"], deadline: .now)?.mayHaveRun == false)
            _ = try await server.command("RPUSH", "list", "x")
            try await same(client.reply(to: ["ECHO", "still here"]).text, "still here")
            #expect(client.connectionEpoch == 1)
        }
        try await server.stop()
    }

    @Test("a cancelled task goes on at once and its reply disturbs nobody")
    func cancellation() async throws {
        let server = try await RedisServer.start()
        try await withClient(configuration(server.url)) { client in
            let blocked = Task { await client.failure(of: ["BLPOP", "list", "0"]) }
            try await eventually("the command blocks") {
                try await server.command("CLIENT", "LIST").contains("cmd=blpop")
            }
            blocked.cancel()
            #expect(await blocked.value?.code == .cancelled)
            _ = try await server.command("RPUSH", "list", "x")
            try await same(client.reply(to: ["ECHO", "mine"]).text, "mine")
            #expect(client.connectionEpoch == 1)
        }
        try await server.stop()
    }

    @Test("random cancellations among thousands of commands mix up no replies")
    func randomCancellation() async throws {
        let server = try await RedisServer.start()
        try await withClient(configuration(server.url)) { client in
            await withTaskGroup { group in
                for index in 0..<4_000 {
                    group.addTask {
                        let task = Task { try await client.reply(to: ["ECHO", .integer(index)]) }
                        if index.isMultiple(of: 3) {
                            task.cancel()
                        }
                        if let reply = try? await task.value {
                            #expect(reply == .bulk(Array("\(index)".utf8)))
                        } else {
                            #expect(index.isMultiple(of: 3))
                        }
                    }
                }
            }
            #expect(client.connectionEpoch == 1)
        }
        try await server.stop()
    }

    @Test("a server with no room refuses, and takes the client once there is some")
    func maxClients() async throws {
        let server = try await RedisServer.start()
        try await withClient(configuration(server.url)) { first in
            _ = try await first.reply(to: ["CONFIG", "SET", "maxclients", "1"])
            try await withClient(configuration(server.url), awaitingConnection: false) { second in
                try await eventually("the second is refused") {
                    let text = try await first.reply(to: ["INFO", "stats"]).text ?? ""
                    return !text.contains("rejected_connections:0")
                }
                #expect(!second.isAvailable)
                _ = try await first.reply(to: ["CONFIG", "SET", "maxclients", "100"])
                try await second.connected()
                try await same(second.reply(to: ["PING"]), .status("PONG"))
            }
        }
        try await server.stop()
    }

    @Test("a busy server opens the breaker, which then costs no round trip")
    func busy() async throws {
        let server = try await RedisServer.start(arguments: ["--busy-reply-threshold", "10"])
        var settings = try configuration(server.url)
        settings.breaker.initialPause = .milliseconds(50)
        settings.breaker.maximumPause = .milliseconds(50)
        try await withClient(settings) { client in
            try await withClient(configuration(server.url)) { other in
                async let spinning = other.failure(of: ["EVAL", "while true do end", 0])
                try await eventually("the breaker is open") {
                    await client.failure(of: ["GET", "x"])?.code == .breakerOpen
                }
                _ = try? await server.command("SCRIPT", "KILL")
                #expect(await spinning?.code == .server)
                try await eventually("the breaker is closed") {
                    await client.failure(of: ["GET", "x"]) == nil
                }
                #expect(client.isAvailable)
            }
        }
        try await server.stop()
    }

    @Test("without run() and after it every call fails at once")
    func withoutRun() async throws {
        let server = try await RedisServer.start()
        try await withLoop { loop in
            let client = RedisClient(configuration: try configuration(server.url), loop: loop, logger: quiet)
            #expect(await client.failure(of: ["PING"])?.code == .unavailable)
            let task = Task { await client.run() }
            try await client.connected()
            task.cancel()
            await task.value
            #expect(await client.failure(of: ["PING"])?.code == .unavailable)
            var events = client.connectionEvents().makeAsyncIterator()
            #expect(await events.next() == nil)
            try await eventually("the server has no client left") {
                try await server.command("CLIENT", "LIST").split(separator: "\n").count == 1
            }
        }
        try await server.stop()
    }

    @Test("nothing there, a path that does not exist and a port that is closed: unavailable, no more")
    func nothingThere() async throws {
        for url in ["unix:///tmp/no-such-\(UInt32.random(in: 0...UInt32.max)).sock", "redis://127.0.0.1:1"] {
            try await withClient(configuration(url), awaitingConnection: false) { client in
                for _ in 0..<1_000 {
                    #expect(await client.failure(of: ["PING"])?.code == .unavailable)
                }
            }
        }
    }
}

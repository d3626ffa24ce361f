import Foundation
import IOLoop
import TestSupport
import Testing

@testable import Redis

@Suite("Errors that a Redis server answers")
struct ServerErrorTests {
    @Test(
        "each keeps the connection, is told by its kind, and opens the breaker only if it speaks against the server",
        arguments: [
            ("LOADING Redis is loading the dataset in memory", RedisError.Code.loading, true),
            ("BUSY Redis is busy running a script", .busy, true),
            ("READONLY You can't write against a read only replica.", .readOnly, false),
            ("OOM command not allowed when used memory > 'maxmemory'.", .outOfMemory, false),
            ("MISCONF Redis is configured to save RDB snapshots", .misconfigured, false),
            ("NOAUTH Authentication required.", .notAuthenticated, false),
            ("NOPERM this user has no permissions", .notPermitted, false),
            ("NOSCRIPT No matching script.", .noScript, false),
            ("ERR something else", .server, false),
        ]
    )
    func kinds(message: String, code: RedisError.Code, opensBreaker: Bool) async throws {
        let server = try FakeServer { command, _ in
            FakeServer.handshake(command) ?? (command[0] == "PING" ? .reply("+PONG\r\n") : .reply("-\(message)\r\n"))
        }
        try await withClient(configuration(server.url)) { client in
            for attempt in 0..<20 {
                let error = await client.failure(of: ["GET", "x"])
                if opensBreaker, attempt >= 5 {
                    #expect(error?.code == .breakerOpen)
                } else {
                    #expect(error?.code == code)
                    #expect(error?.mayHaveRun == false)
                    #expect(error?.message == message)
                }
            }
            #expect(client.isAvailable != opensBreaker)
            #expect(client.connectionEpoch == 1)
        }
        #expect(server.commands.count { $0[0] == "GET" } == (opensBreaker ? 5 : 20))
        server.stop()
    }

    @Test(
        "in the handshake each of them is no connection, told once",
        arguments: [
            ("LOADING Redis is loading the dataset in memory", RedisError.Code.loading),
            ("BUSY Redis is busy running a script", .busy), ("NOAUTH Authentication required.", .notAuthenticated),
        ]
    )
    func handshake(message: String, code: RedisError.Code) async throws {
        let server = try FakeServer { command, connection in
            connection < 4 ? .reply("-\(message)\r\n") : FakeServer.handshake(command) ?? .reply("+PONG\r\n")
        }
        let log = LogRecorder()
        try await withClient(configuration(server.url), logger: log.logger) { client in
            #expect(client.connectionEpoch == 1)
            try await same(client.reply(to: ["PING"]), .status("PONG"))
        }
        #expect(log.lines(with: "Redis cannot be reached").count == 1)
        #expect(log.lines(with: "code=\(code)").count == 1)
        server.stop()
    }

    @Test("a server that cannot save refuses writes, and reads go on")
    func misconfigured() async throws {
        let server = try await RedisServer.start(arguments: ["--save", "3600", "1"])
        let folder = (server.socketPath as NSString).deletingLastPathComponent
        // A folder cannot be replaced by a snapshot.
        try FileManager.default.createDirectory(atPath: "\(folder)/dump.rdb/x", withIntermediateDirectories: true)
        try await withClient(configuration(server.url)) { client in
            try await same(client.reply(to: ["SET", "a", "1"]), .status("OK"))
            _ = try await client.reply(to: ["BGSAVE"])
            try await eventually("the snapshot has failed") {
                try await client.reply(to: ["INFO", "persistence"]).text?.contains("rdb_last_bgsave_status:err") == true
            }
            #expect(await client.failure(of: ["SET", "a", "2"])?.code == .misconfigured)
            try await same(client.reply(to: ["GET", "a"]).text, "1")
            #expect(client.isAvailable)
            #expect(client.connectionEpoch == 1)
        }
        try await server.kill()
    }

    @Test("a script that meets OOM or READONLY is refused as a whole, with the same kind")
    func scripts() async throws {
        let server = try await RedisServer.start()
        let script = RedisScript(
            name: "two",
            source: "redis.call('SET', KEYS[1], '1') return redis.call('SET', KEYS[2], '2')"
        )
        try await withClient(configuration(server.url), scripts: [script]) { client in
            func failure() async -> RedisError? {
                do throws(RedisError) {
                    _ = try await client.evaluate(script, keys: ["a", "b"])
                    return nil
                } catch {
                    return error
                }
            }
            _ = try await client.reply(to: ["CONFIG", "SET", "maxmemory", "1"])
            #expect(await failure()?.code == .outOfMemory)
            _ = try await client.reply(to: ["CONFIG", "SET", "maxmemory", "0"])
            _ = try await client.reply(to: ["REPLICAOF", "127.0.0.1", "1"])
            #expect(await failure()?.code == .readOnly)
            _ = try await client.reply(to: ["REPLICAOF", "NO", "ONE"])
            try await same(client.reply(to: ["EXISTS", "a", "b"]), .integer(0))
            #expect(await failure() == nil)
            try await same(client.reply(to: ["EXISTS", "a", "b"]), .integer(2))
        }
        try await server.stop()
    }

    @Test("NOSCRIPT twice in a row is an error, not a loop")
    func noScript() async throws {
        let server = try FakeServer { command, _ in
            FakeServer.handshake(command) ?? .reply("-NOSCRIPT No matching script.\r\n")
        }
        let script = RedisScript(name: "s", source: "return 1")
        try await withClient(configuration(server.url), scripts: [script]) { client in
            let error = await #expect(throws: RedisError.self) { try await client.result(of: script, keys: ["k"]) }
            #expect(error?.code == .noScript)
        }
        #expect(
            server.commands.filter { $0[0].hasPrefix("EVAL") } == [
                ["EVALSHA", "sha", "1", "k"], ["EVAL", "return 1", "1", "k"],
            ]
        )
        server.stop()
    }

    @Test("a server that wants a password refuses who has none, and says why once")
    func noPassword() async throws {
        let server = try await RedisServer.start(password: "pw")
        let log = LogRecorder()
        try await withClient(
            configuration("unix://\(server.socketPath)"),
            awaitingConnection: false,
            logger: log.logger
        ) { client in
            try await eventually("it was tried several times") {
                let text = try await server.command("INFO", "stats")
                let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("total_connections_received:") }
                return (line.flatMap { Int($0.drop { $0 != ":" }.dropFirst()) } ?? 0) > 10
            }
            #expect(await client.failure(of: ["PING"])?.code == .unavailable)
        }
        #expect(log.lines(with: "code=notAuthenticated").count == 1)
        #expect(log.lines(with: "Redis cannot be reached").count == 1)
        try await server.stop()
    }
}

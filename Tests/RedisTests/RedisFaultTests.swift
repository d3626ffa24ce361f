import IOLoop
import TestSupport
import Testing

@testable import Redis

@Suite("The Redis client and a server that misbehaves")
struct RedisFaultTests {
    @Test("a handshake and replies that come byte by byte are read all the same")
    func drip() async throws {
        let server = try FakeServer { command, _ in
            if case .reply(let text) = FakeServer.handshake(command) { return .drip(text) }
            return .drip("*2\r\n$3\r\nabc\r\n$-1\r\n")
        }
        try await withClient(configuration(server.url)) { client in
            #expect(client.runID == "abcdef")
            try await same(client.reply(to: ["MGET", "a", "b"]), .array([.bulk(Array("abc".utf8)), .null]))
        }
        server.stop()
    }

    @Test("a connection cut anywhere in a reply fails that command and those behind it once", arguments: 0...13)
    func cut(length: Int) async throws {
        let reply = "*1\r\n$4\r\nabcd\r\n"
        let server = try FakeServer { command, connection in
            if let reaction = FakeServer.handshake(command) { return reaction }
            return connection == 1 ? .cut(String(reply.prefix(length))) : .reply(reply)
        }
        try await withClient(configuration(server.url)) { client in
            async let first = client.failure(of: ["MGET", "a"])
            async let second = client.failure(of: ["MGET", "b"])
            let errors = await [first, second].compactMap(\.?.code)
            #expect(errors.allSatisfy { $0 == .connectionLost || $0 == .unavailable })
            #expect(errors.contains(.connectionLost))
            try await client.connected(after: 1)
            try await same(client.reply(to: ["MGET", "a"]), .array([.bulk(Array("abcd".utf8))]))
        }
        server.stop()
    }

    @Test("a connection cut anywhere in the handshake is tried again", arguments: ["CLIENT", "INFO", "SCRIPT"])
    func cutHandshake(at name: String) async throws {
        let server = try FakeServer { command, connection in
            if command[0] == name, connection == 1 { return .cut("$5\r\nab") }
            return FakeServer.handshake(command) ?? .reply("+PONG\r\n")
        }
        let script = RedisScript(name: "s", source: "return 1")
        try await withClient(configuration(server.url), scripts: [script]) { client in
            #expect(client.connectionEpoch == 1)
            try await same(client.reply(to: ["PING"]), .status("PONG"))
        }
        server.stop()
    }

    @Test("silence in the handshake ends at the connect time-out")
    func silentHandshake() async throws {
        let server = try FakeServer { command, connection in
            connection == 1 ? .silence : FakeServer.handshake(command) ?? .reply("+PONG\r\n")
        }
        var settings = try configuration(server.url)
        settings.connectTimeout = .milliseconds(50)
        try await withClient(settings) { client in
            try await same(client.reply(to: ["PING"]), .status("PONG"))
        }
        server.stop()
    }

    @Test("a late reply never answers the next command: the connection is closed with the time-out")
    func silence() async throws {
        let server = try FakeServer { command, connection in
            if let reaction = FakeServer.handshake(command) { return reaction }
            return command[0] == "SLOW" ? .silence : .reply("+\(connection)\r\n")
        }
        var settings = try configuration(server.url)
        settings.commandTimeout = .milliseconds(50)
        try await withClient(settings) { client in
            async let slow = client.failure(of: ["SLOW"])
            async let behind = client.failure(of: ["BEHIND"])
            #expect(await slow?.code == .timedOut)
            _ = await behind
            try await client.connected(after: 1)
            try await same(client.reply(to: ["NEXT"], timeout: .seconds(5)), .status("2"))
        }
        server.stop()
    }

    @Test("a command that may take long does not make those behind it late")
    func patience() async throws {
        let server = try FakeServer { command, _ in
            if let reaction = FakeServer.handshake(command) { return reaction }
            return .silence
        }
        var settings = try configuration(server.url)
        settings.commandTimeout = .milliseconds(30)
        try await withClient(settings) { client in
            async let patient = client.failure(of: ["SCRIPT-LIKE"], timeout: .seconds(1))
            try await eventually("the patient command is first") {
                server.commands.contains { $0[0] == "SCRIPT-LIKE" }
            }
            // Its caller goes on after 30 ms; the connection belongs to the patient one until a second has passed.
            #expect(await client.failure(of: ["GET", "x"])?.code == .timedOut)
            #expect(client.isAvailable)
            let error = await patient
            #expect(error?.code == .timedOut)
            try await eventually("the connection is given up") { !client.isAvailable || client.connectionEpoch > 1 }
        }
        server.stop()
    }

    @Test(
        "garbage and replies nested too deep close the connection",
        arguments: [
            "garbage\r\n", "_\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "$-5\r\n", "*x\r\n",
        ]
    )
    func garbage(reply: String) async throws {
        let server = try FakeServer { command, connection in
            if let reaction = FakeServer.handshake(command) { return reaction }
            return connection == 1 ? .reply(reply) : .reply("+OK\r\n")
        }
        try await withClient(configuration(server.url)) { client in
            #expect(await client.failure(of: ["GET", "x"])?.code == .connectionLost)
            try await client.connected(after: 1)
            try await same(client.reply(to: ["GET", "x"]), .status("OK"))
        }
        server.stop()
    }

    @Test("a server that loads its data is no connection yet")
    func loading() async throws {
        let server = try FakeServer { command, connection in
            if command[0] == "SCRIPT", connection < 3 { return .reply("-LOADING Redis is loading\r\n") }
            return FakeServer.handshake(command) ?? .reply("+PONG\r\n")
        }
        let script = RedisScript(name: "s", source: "return 1")
        try await withClient(configuration(server.url), scripts: [script]) { client in
            #expect(client.connectionEpoch == 1)
        }
        #expect(server.commands.count { $0[0] == "SCRIPT" } == 3)
        server.stop()
    }

    @Test("five lost connections open the breaker")
    func breaker() async throws {
        let server = try FakeServer { command, _ in
            FakeServer.handshake(command) ?? .cut("")
        }
        try await withClient(configuration(server.url)) { client in
            for epoch in 1...5 {
                #expect(await client.failure(of: ["PING"])?.code == .connectionLost)
                try await client.connected(after: UInt64(epoch))
            }
            #expect(!client.isAvailable)
            #expect(await client.failure(of: ["PING"])?.code == .breakerOpen)
        }
        server.stop()
    }

    @Test("cancelling run() while connecting ends it")
    func cancelWhileConnecting() async throws {
        let server = try FakeServer { _, _ in .silence }
        try await withClient(configuration(server.url), awaitingConnection: false) { client in
            try await eventually("the handshake has begun") { !server.commands.isEmpty }
            #expect(!client.isAvailable)
        }
        server.stop()
    }
}

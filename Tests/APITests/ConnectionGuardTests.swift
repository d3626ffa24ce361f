import Foundation
import HTTPTypes
import Kernel
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import API

@Suite("ConnectionGuard, over a real socket", .serialized)
struct ConnectionGuardTests {
    private static let routes = [
        Route(.get, "/open", "open", "Open", area: "test", access: .open) { _ in .json { $0.object { _ in } } },
        Route(.post, "/echo", "echo", "Echo", area: "test", access: .open) { call in
            let name = try await call.body { $0.text("name", TextRule(maximum: 10_000)) }
            return .json { $0.object { $0.member("name", name) } }
        },
    ]

    /// A request whose body does not end.
    private static let halfBody =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

    /// Deadlines that nobody misses on a busy machine.
    private var limits: ServerLimits {
        var limits = ServerLimits()
        limits.headerDeadline = .seconds(10)
        limits.bodyIdle = .seconds(10)
        limits.lingering = .milliseconds(50)
        limits.drainDelay = .zero
        return limits
    }

    /// Deadlines short enough to be waited for.
    private var shortLimits: ServerLimits {
        var limits = self.limits
        limits.headerDeadline = .milliseconds(200)
        limits.bodyIdle = .milliseconds(200)
        return limits
    }

    private func serve(
        _ limits: ServerLimits? = nil,
        _ body: @escaping @Sendable (HTTPClient) async throws -> Void
    ) async throws {
        try await TestAPI(Self.routes, limits: limits ?? self.limits).serve(body)
    }

    @Test("an answer is whole and the connection stays")
    func plain() async throws {
        try await self.serve { client in
            for _ in 0..<3 {
                let answer = try await client.send("GET", "/open")
                #expect(answer.status == 200)
                #expect(answer.text == "{}")
                #expect(answer[header: "connection"] == nil)
                #expect(answer[header: "server"] == nil)
            }
            let answer = try await client.send(
                "POST",
                "/echo",
                headers: ["Content-Type": "application/json"],
                body: #"{"name":"Ana"}"#
            )
            #expect(answer.text == #"{"name":"Ana"}"#)
        }
    }

    @Test("what stands behind an answer that ends its connection is not done")
    func lastAnswer() async throws {
        let done = Mutex(0)
        let route = Route(.post, "/count", "count", "Count", area: "test", access: .open) { _ in
            done.withLock { $0 += 1 }
            return Reply(.noContent)
        }
        let api = try await TestAPI([route], limits: self.limits)
        try await api.serve { client in
            let socket = try RawSocket(port: client.port)
            let request = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            try socket.write(request)
            #expect(await socket.read().hasPrefix("HTTP/1.1 204"))
            api.api.lifecycle.beginDraining()
            try socket.write(request + request)
            let answers = await socket.readAll()
            #expect(answers.ranges(of: "HTTP/1.1 204").count == 1 && answers.contains("close"), "\(answers)")
        }
        #expect(done.withLock { $0 } == 2)
    }

    /// Whether this system lets who runs the tests ignore new connections.
    private static func canStopQueueing() async throws -> Bool {
        let bound = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let listening = ListeningChannel()
        listening.began(bound)
        let can = await listening.stopQueueing()
        try await bound.close()
        return can
    }

    @Test(
        "a server that ends loses none of those who connect in the last moment: each is answered or refused",
        .enabled("this system lets root alone ignore new connections") { try await canStopQueueing() }
    )
    func lastMoment() async throws {
        var limits = self.limits
        limits.drainDelay = .milliseconds(800)
        limits.lastCall = .milliseconds(500)
        let callers = Callers()
        try await TestAPI(Self.routes, limits: limits).serve { client in
            callers.begin(8, port: client.port)
            try await eventually("all are at work") { callers.answered > 100 }
        }
        let lost = await callers.end()
        #expect(lost.isEmpty, "\(lost)")
    }

    @Test(
        "a connection that nobody serves is closed, as one is that was accepted while accepting ended",
        arguments: [true, false]
    )
    func unserved(answersAtOnce: Bool) async throws {
        let api = try await TestAPI(Self.routes, limits: self.shortLimits).api
        let connections = OpenConnections(total: 8, perAddress: 8, proxies: api.proxies)
        let guarded = GuardedHTTPChannel(
            api: api,
            connections: connections,
            answersAtOnce: answersAtOnce,
            responder: { _, _, _ in }
        )
        let bound = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                guarded.setup(channel: channel, logger: Logger(label: "test")).map { _ in }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let socket = try RawSocket(port: try #require(bound.localAddress?.port))
        #expect(await socket.isClosedByPeer())
        try await bound.close()
    }

    @Test("who has connected when a server stops accepting is answered, though it says only then what it wants")
    func connected() async throws {
        var limits = self.limits
        limits.headerDeadline = .seconds(30)
        limits.drainDelay = .milliseconds(50)
        limits.lastCall = .seconds(30)
        let answer = try await TestAPI(Self.routes, limits: limits).serve { client in
            let (port, silent) = (client.port, try RawSocket(port: client.port))
            return Task {
                try await eventually("nobody is let in any more") { (try? RawSocket(port: port)) == nil }
                try silent.write("GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
                return await silent.readAll()
            }
        }
        let text = try await answer.value
        #expect(text.hasPrefix("HTTP/1.1 200 ") && text.lowercased().contains("connection: close"), "\(text)")
    }

    /// Clients that connect anew for each request, until they are refused.
    private final class Callers: Sendable {
        private let state = Mutex((answered: 0, tasks: [Task<[String], Never>]()))

        var answered: Int { self.state.withLock { $0.answered } }

        func begin(_ count: Int, port: Int) {
            let tasks = (0..<count).map { _ in Task { await self.call(port) } }
            self.state.withLock { $0.tasks = tasks }
        }

        private func call(_ port: Int) async -> [String] {
            let client = HTTPClient(port: port, forgivesClosing: false)
            let headers = ["Content-Type": "application/json", "Connection": "close"]
            var lost: [String] = []
            while true {
                do {
                    let answer = try await client.send("POST", "/echo", headers: headers, body: #"{"name":"Ana"}"#)
                    if answer.status != 200 { lost.append("\(answer.status)") }
                    self.state.withLock { $0.answered += 1 }
                } catch HTTPClientError.connection(ECONNREFUSED) {
                    return lost
                } catch {
                    lost.append("\(error)")
                }
            }
        }

        /// Waits until all were refused; returns what was neither answered nor refused.
        func end() async -> [String] {
            var lost: [String] = []
            for task in self.state.withLock({ $0.tasks }) { lost += await task.value }
            return lost
        }
    }

    /// A request that is refused, by what is wrong with it.
    struct Refused: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let text: String
        let status: Int

        init(_ name: String, _ text: String, _ status: Int = 400) {
            self.testDescription = name
            self.text = text
            self.status = status
        }

        static let all = [
            Refused("two hosts", "GET /open HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            Refused("no host", "GET /open HTTP/1.1\r\n\r\n"),
            Refused("a URL of another scheme", "GET ftp://a/open HTTP/1.1\r\nHost: a\r\n\r\n"),
            Refused("a URL without a host", "GET http:///open HTTP/1.1\r\nHost: a\r\n\r\n"),
            Refused("no path", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
            Refused(
                "length and encoding",
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            Refused(
                "two lengths",
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"
            ),
            Refused(
                "another encoding",
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
            ),
            Refused("a negative length", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
            Refused(
                "a chunk size that is none",
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            ),
            Refused("a space before the colon", "GET /open HTTP/1.1\r\nHost : a\r\n\r\n"),
            Refused("a folded field", "GET /open HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
            Refused("a NUL in a field", "GET /open HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n"),
            Refused("a bare CR in a field", "GET /open HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
            Refused("another version", "GET /open HTTP/1.7\r\nHost: a\r\n\r\n"),
            Refused(
                "a target too long",
                "GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: a\r\n\r\n",
                431
            ),
            Refused(
                "a field too long",
                "GET /open HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 9000))\r\n\r\n",
                431
            ),
        ]
    }

    @Test("what is not plain HTTP is refused with a problem and the connection closed", arguments: Refused.all)
    func refused(request: Refused) async throws {
        try await self.serve { client in
            let answer = try await client.send(raw: Array(request.text.utf8))
            #expect(answer.status == request.status)
            #expect(answer[header: "content-type"] == "application/problem+json")
            #expect(answer[header: "connection"] == "close")
            #expect(answer[header: "x-content-type-options"] == "nosniff")
        }
    }

    @Test("what follows a broken body is never taken for a request")
    func brokenBody() async throws {
        try await self.serve { client in
            let text =
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "zz\r\nGET /open HTTP/1.1\r\nHost: a\r\n\r\n"
            let answer = try await client.send(raw: Array(text.utf8))
            #expect(answer.status == 400)
            #expect(answer[header: "connection"] == "close")
        }
    }

    @Test("more than a hundred fields are refused")
    func manyFields() async throws {
        try await self.serve { client in
            let fields = (0..<120).map { "X-\($0): a\r\n" }.joined()
            let answer = try await client.send(raw: Array("GET /open HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8))
            #expect(answer.status == 431)
        }
    }

    @Test("a header block that does not end is given up")
    func slowHeader() async throws {
        try await self.serve(self.shortLimits) { client in
            await #expect(throws: HTTPClientError.self) {
                try await client.send(raw: Array("GET /open HTTP/1.1\r\nHost: a\r\nX: ".utf8))
            }
        }
    }

    @Test("a body that stops is answered with 408, and the connection ends")
    func slowBody() async throws {
        try await self.serve(self.shortLimits) { client in
            let answer = try await client.send(raw: Array(Self.halfBody.utf8))
            #expect(answer.status == 408)
            #expect(answer[header: "content-type"] == "application/problem+json")
            #expect(answer[header: "connection"] == "close")
            #expect(answer.text.contains(#""code":"request_timeout""#))
        }
    }

    @Test("a body that stops behind a request that is being answered takes nothing from that answer")
    func slowBodyBehindAnother() async throws {
        let entered = Latch<Void>()
        let gate = Latch<Void>()
        let slow = Route(.get, "/slow", "slow", "Slow", area: "test", access: .open) { _ in
            entered.set(())
            try await gate.wait()
            return .json { $0.object { _ in } }
        }
        try await TestAPI(Self.routes + [slow], limits: self.shortLimits).serve { client in
            let socket = try RawSocket(port: client.port)
            try socket.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + Self.halfBody)
            try await entered.wait()
            // Whoever was late on another connection has been given up by now, and so has this body.
            #expect(try await HTTPClient(port: client.port).send(raw: Array(Self.halfBody.utf8)).status == 408)
            gate.set(())
            let answers = await socket.readAll()
            #expect(answers.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answers.contains("HTTP/1.1 408 Request Timeout\r\n"))
        }
    }

    @Test("a body announced as too large is refused before it comes")
    func largeBody() async throws {
        try await self.serve { client in
            let head =
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n"
            let answer = try await client.send(raw: Array(head.utf8))
            #expect(answer.status == 413)
            #expect(answer[header: "connection"] == "close")
        }
    }

    @Test("endless chunks end at the limit")
    func chunks() async throws {
        try await self.serve { client in
            var text =
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            let chunk = "8000\r\n" + String(repeating: "a", count: 0x8000) + "\r\n"
            for _ in 0..<40 { text += chunk }
            let answer = try await client.send(raw: Array(text.utf8))
            #expect(answer.status == 413)
        }
    }

    @Test("a client that asked to close is closed, and one that speaks HTTP/1.0 too", arguments: [true, false])
    func close(isNew: Bool) async throws {
        let text = isNew ? "GET /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" : "GET /open HTTP/1.0\r\n\r\n"
        try await self.serve { client in
            let answer = try await client.send(raw: Array(text.utf8))
            #expect(answer.status == 200)
            #expect(answer[header: "connection"] == "close")
        }
    }

    @Test("a full server takes a new connection in, at the cost of one that is idle")
    func idle() async throws {
        var limits = self.limits
        limits.connections = 2
        try await TestAPI(Self.routes, limits: limits).serve { client in
            let clients = (0..<6).map { _ in HTTPClient(port: client.port, patience: 5) }
            for _ in 0..<3 {
                for other in clients {
                    let answer = try await other.send("GET", "/open")
                    #expect(answer.status == 200)
                }
            }
        }
    }

    @Test("connections that send nothing keep nobody out, and are gone after the time for a first header block")
    func silent() async throws {
        var limits = self.limits
        limits.connections = 32
        limits.headerDeadline = .seconds(2)
        try await TestAPI(Self.routes, limits: limits).serve { client in
            let silent = try (0..<100).map { _ in try RawSocket(port: client.port) }
            for _ in 0..<40 {
                let fresh = HTTPClient(port: client.port, patience: 5)
                #expect(try await fresh.send("GET", "/open").status == 200)
            }
            // Those that were not closed for others are closed for their silence.
            for socket in silent { #expect(await socket.isClosedByPeer()) }
        }
    }

    @Test("one address has a share of the connections, within which its silent ones make room, too")
    func share() async throws {
        var limits = self.limits
        limits.connectionsPerAddress = 8
        limits.headerDeadline = .seconds(20)
        try await TestAPI(Self.routes, limits: limits).serve { client in
            let silent = try (0..<9).map { _ in try RawSocket(port: client.port) }
            try await eventually("one made room for the ninth") { silent.contains { $0.isClosed } }
            #expect(silent.count { $0.isClosed } == 1)
            let fresh = HTTPClient(port: client.port, patience: 5)
            #expect(try await fresh.send("GET", "/open").status == 200)
        }
    }

    @Test("a connection that is being answered is never ended for another", arguments: [HTTPRequest.Method.get, .post])
    func busy(method: HTTPRequest.Method) async throws {
        var limits = self.limits
        limits.connections = 1
        let entered = Latch<Void>()
        let gate = Latch<Void>()
        let slow = Route(method, "/slow", "slow", "Slow", area: "test", access: .open) { call in
            if method == .post { _ = try await call.body { $0.text("name", TextRule(maximum: 10_000)) } }
            entered.set(())
            try await gate.wait()
            return .json { $0.object { _ in } }
        }
        try await TestAPI(Self.routes + [slow], limits: limits).serve { client in
            async let answer = client.send(
                method.rawValue,
                "/slow",
                headers: ["Content-Type": "application/json"],
                body: method == .post ? #"{"name":"Ana"}"# : nil
            )
            try await entered.wait()
            let other = HTTPClient(port: client.port, patience: 5)
            await #expect(throws: HTTPClientError.self) { try await other.send("GET", "/open") }
            gate.set(())
            #expect(try await answer.status == 200)
            #expect(try await other.send("GET", "/open").status == 200)
        }
    }

    @Test("half bodies keep nobody out: the one that waits for longest makes room", arguments: [true, false])
    func halfBodies(ofOneAddress: Bool) async throws {
        var limits = self.limits
        limits.connections = ofOneAddress ? 4096 : 4
        limits.connectionsPerAddress = ofOneAddress ? 4 : 4096
        limits.bodyIdle = .seconds(60)
        limits.bodyGrace = .seconds(60)
        let entered = Counted()
        let post = Route(.post, "/count", "count", "Count", area: "test", access: .open) { call in
            entered.add()
            _ = try await call.body { $0.text("name", TextRule(maximum: 10_000)) }
            return .json { $0.object { _ in } }
        }
        try await TestAPI(Self.routes + [post], limits: limits).serve { client in
            var halves: [RawSocket] = []
            for number in 1...4 {
                let socket = try RawSocket(port: client.port)
                try socket.write(Self.halfBody.replacing("/echo", with: "/count"))
                halves.append(socket)
                // A connection counts as one with half a body once the body is awaited.
                try await eventually("the header block is read") { entered.count == number }
            }
            let fresh = HTTPClient(port: client.port, patience: 5)
            #expect(try await fresh.send("GET", "/open").status == 200)
            #expect(await halves[0].isClosedByPeer())
            #expect(!halves[1...].contains { $0.isClosed })
            // The one that is idle goes before those.
            #expect(try await HTTPClient(port: client.port, patience: 5).send("GET", "/open").status == 200)
            #expect(!halves[1...].contains { $0.isClosed })
            for socket in halves[1...] {
                try socket.write(#""name":""# + String(repeating: "a", count: 89) + #""}"#)
                #expect(await socket.read().hasPrefix("HTTP/1.1 200 OK\r\n"))
            }
        }
    }

    /// Counts what routes are asked.
    private final class Counted: Sendable {
        private let value = Atomic(0)
        var count: Int { self.value.load(ordering: .acquiring) }
        func add() { self.value.add(1, ordering: .acquiringAndReleasing) }
    }

    @Test(
        "a target that names scheme and host is the path in it",
        arguments: ["http://shop.example/open", "HTTPS://shop.example:8080/open", "http://[::1]/open?"]
    )
    func absoluteForm(target: String) async throws {
        try await self.serve { client in
            let answer = try await client.send(raw: Array("GET \(target) HTTP/1.1\r\nHost: other\r\n\r\n".utf8))
            #expect(answer.status == 200)
        }
    }

    @Test("who waits for 100-continue is told to go on, in any case", arguments: ["100-continue", "100-Continue"])
    func expect(field: String) async throws {
        try await self.serve { client in
            let socket = try RawSocket(port: client.port)
            let body = #"{"name":"Ana"}"#
            try socket.write(
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: \(field)\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n"
            )
            #expect(await socket.read().hasPrefix("HTTP/1.1 100 Continue\r\n\r\n"))
            try socket.write(body)
            #expect(await socket.read().hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    @Test("who waits for 100-continue behind another request is not told within its answer")
    func expectBehind() async throws {
        try await self.serve { client in
            let socket = try RawSocket(port: client.port)
            let body = #"{"name":"Ana"}"#
            try socket.write(
                "GET /open HTTP/1.1\r\nHost: a\r\n\r\n"
                    + "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                    + "Connection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            )
            try socket.write(body)
            let answers = await socket.readAll()
            #expect(answers.ranges(of: "HTTP/1.1 200 OK").count == 2, "\(answers)")
            #expect(!answers.contains("100 Continue"), "\(answers)")
        }
    }

    /// The bytes that this process has in memory.
    private static func resident() throws -> Int {
        let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
        return try #require(Int(pages)) * Int(getpagesize())
    }

    @Test("nothing is kept of what comes behind a request for another protocol")
    func behindUpgrade() async throws {
        let gate = Latch<Void>()
        let held = Route(.get, "/held", "held", "Held", area: "test", access: .open) { _ in
            try await gate.wait()
            return .json { $0.object { _ in } }
        }
        try await TestAPI(Self.routes + [held], limits: self.limits).serve { client in
            let socket = try RawSocket(port: client.port)
            try socket.write("GET /held HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            let before = try Self.resident()
            let megabyte = String(repeating: "x", count: 1 << 20)
            for _ in 0..<64 { try socket.write(megabyte) }
            #expect(try Self.resident() < before + (32 << 20), "of sixty-four mebibytes")
            gate.set(())
            #expect(await socket.readAll().lowercased().contains("\r\nconnection: close\r\n"))
        }
    }

    @Test(
        "a body that is announced too large is refused before it is asked for",
        arguments: [("/echo", 2_000_000), ("/login", 9_000)]
    )
    func expectTooMuch(path: String, bytes: Int) async throws {
        let login = Route(.post, "/login", "login", "Log in", area: "identity", access: .open) { call in
            _ = try await call.body { $0.text("name", TextRule(maximum: 100_000)) }
            return .json { $0.object { _ in } }
        }
        try await TestAPI(Self.routes + [login], limits: self.limits).serve { client in
            let socket = try RawSocket(port: client.port)
            try socket.write(
                "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                    + "Content-Length: \(bytes)\r\n\r\n"
            )
            #expect(await socket.read().hasPrefix("HTTP/1.1 413 "))
        }
    }
}

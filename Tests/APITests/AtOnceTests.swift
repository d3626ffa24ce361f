import Cache
import HTTPTypes
import Kernel
import NIOCore
import Services
import TestSupport
import Testing

@testable import API

/// What is answered on the event loop is what would have been answered otherwise, over a real socket.
@Suite("Answers at once", .serialized)
struct AtOnceTests {
    private static let routes = [
        TestMemory.route("/it/{id}"),
        TestMemory.route("/large/{id}") { String(repeating: "a large answer; ", count: 4_096) },
        TestMemory.route("/huge/{id}") { String(repeating: "a huge answer. ", count: 32_768) },
        TestMemory.route("/owners", access: .roles(.owner, scope: .admin)),
        TestMemory.route("/nothing") { throw Problem.notFound },
        Route(.get, "/plain", "plain", "Plain", area: "test", access: .authenticated) { _ in
            .json { $0.object { $0.member("plain", true) } }
        },
        Route(.post, "/echo", "echo", "Echo", area: "test", access: .authenticated) { call in
            let name = try await call.body { $0.text("name", TextRule(maximum: 10_000)) }
            return .json { $0.object { $0.member("name", name) } }
        },
        Route(
            .get,
            "/stream",
            "stream",
            "Stream",
            area: "test",
            access: .authenticated,
            gives: Route.Output(answer: .text, type: .events),
            service: .live { _, _ in throw Problem(.rateLimited, "There are enough of them.", retryAfter: 5) }
        ),
    ]

    private static let limits: ServerLimits = {
        var limits = ServerLimits()
        limits.lingering = .milliseconds(50)
        limits.drainDelay = .zero
        return limits
    }()

    /// An API whose memory has the answers of some paths, and a token for it.
    private static func warm(_ paths: String..., more: [Route] = []) async throws -> (TestAPI, token: String) {
        let api = try await TestAPI(Self.routes + more, caller: .member(.owner), limits: Self.limits, rates: .unlimited)
        let token = try api.token()
        for path in paths {
            for _ in 0..<2 { _ = try await api.send(.get, path, [.authorization: "Bearer \(token)"]) }
        }
        return (api, token)
    }

    /// What is sent on one connection; the last request ends it.
    struct Conversation: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let text: String
        /// How many of its requests are answered at once.
        let atOnce: Int

        init(_ name: String, atOnce: Int, _ requests: String...) {
            self.testDescription = name
            self.text = requests.joined()
            self.atOnce = atOnce
        }

        static func get(
            _ target: String,
            _ fields: String...,
            method: String = "GET",
            as who: String = "TOKEN"
        ) -> String {
            "\(method) \(target) HTTP/1.1\r\nHost: a\r\nX-Request-Id: R-1\r\nAuthorization: Bearer \(who)\r\n"
                + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        }

        static let end = get("/it/1", "Connection: close")
        static let post =
            get("/echo", "Content-Type: application/json", "Content-Length: 14", method: "POST")
            + #"{"name":"Ana"}"#

        static let all = [
            Conversation("a hit", atOnce: 1, get("/it/1"), end),
            Conversation("a miss, then a hit", atOnce: 0, get("/it/new"), get("/it/new"), end),
            Conversation("HEAD", atOnce: 1, get("/it/1", method: "HEAD"), end),
            Conversation("HEAD of a large one", atOnce: 2, get("/large/1", method: "HEAD"), get("/large/1"), end),
            Conversation("304", atOnce: 1, get("/it/1", "If-None-Match: ETAG"), end),
            Conversation("304 to HEAD", atOnce: 1, get("/it/1", "If-None-Match: ETAG", method: "HEAD"), end),
            Conversation(
                "conditions of many forms",
                atOnce: 4,
                get("/it/1", "If-None-Match: W/ETAG"),
                get("/it/1", "If-None-Match: *"),
                get("/it/1", #"If-None-Match: "a""#, #"if-none-match: "b", ETAG"#),
                get("/it/1", #"If-None-Match: "a""#),
                end
            ),
            Conversation(
                "compressed",
                atOnce: 3,
                get("/large/1", "Accept-Encoding: gzip", method: "HEAD"),
                get("/large/1", "ACCEPT-ENCODING: gzip;q=0", method: "HEAD"),
                get("/large/1", "Accept-Encoding: br", "Accept-Encoding: gzip", method: "HEAD"),
                end
            ),
            Conversation("past the cache", atOnce: 0, get("/it/1", "Cache-Control: no-cache"), end),
            Conversation(
                "tokens",
                atOnce: 1,
                get("/it/1", "Stock-Consistency: SEEN"),
                get("/it/1", "Stock-Consistency: nonsense"),
                end
            ),
            Conversation("a key", atOnce: 1, get("/it/1", as: "stk_good"), end),
            Conversation("a key that is none", atOnce: 0, get("/it/1", as: "stk_bad"), end),
            Conversation("a token that is none", atOnce: 1, get("/it/1", as: "a.b.c"), end),
            Conversation(
                "another scheme",
                atOnce: 1,
                "GET /it/1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: R\r\n"
                    + "Authorization: Basic YTpi\r\n\r\n",
                end
            ),
            Conversation("nobody", atOnce: 1, "GET /it/1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: R\r\n\r\n", end),
            Conversation("a credential twice", atOnce: 1, get("/it/1", "Authorization: Bearer TOKEN"), end),
            Conversation("for owners", atOnce: 1, get("/owners"), end),
            Conversation("no such path", atOnce: 2, get("/none"), get("/none?q=1", method: "HEAD"), end),
            Conversation("a method that is not there", atOnce: 1, get("/echo"), end),
            Conversation("not found", atOnce: 0, get("/nothing"), end),
            Conversation("not cached", atOnce: 0, get("/plain"), end),
            Conversation(
                "options",
                atOnce: 0,
                get("/it/1", "Origin: https://a.example", method: "OPTIONS"),
                get("/it/1", method: "OPTIONS"),
                end
            ),
            Conversation(
                "from a page",
                atOnce: 2,
                get("/it/1", "Origin: https://a.example"),
                get("/it/1", "Origin: https://b.example"),
                end
            ),
            Conversation("a body", atOnce: 0, get("/it/1", "Content-Length: 2") + "{}", end),
            Conversation("a body of nothing", atOnce: 0, get("/it/1", "Content-Length: 0"), end),
            Conversation(
                "chunks",
                atOnce: 0,
                get("/it/1", "Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\n\r\n",
                get("/it/1", "Transfer-Encoding: chunked") + "0\r\nX: y\r\n\r\n",
                end
            ),
            Conversation(
                "a coded body",
                atOnce: 0,
                get("/it/1", "Content-Encoding: gzip", "Content-Length: 1") + "a",
                end
            ),
            Conversation("coded without a body", atOnce: 1, get("/it/1", "Content-Encoding: gzip"), end),
            Conversation("a word is expected", atOnce: 0, get("/it/1", "Expect: 100-continue"), end),
            Conversation("keep-alive", atOnce: 1, get("/it/1", "Connection: Keep-Alive"), end),
            Conversation("the old protocol", atOnce: 0, "GET /it/1 HTTP/1.0\r\nAuthorization: Bearer TOKEN\r\n\r\n"),
            Conversation(
                "the old protocol, kept alive",
                atOnce: 0,
                "GET /it/1 HTTP/1.0\r\nX-Request-Id: R\r\nConnection: keep-alive\r\nAuthorization: Bearer TOKEN\r\n\r\n",
                end
            ),
            Conversation("absolute form", atOnce: 1, get("http://shop.example/it/1"), end),
            Conversation("a query, a fragment", atOnce: 2, get("/it/1?a=b"), get("/it/1#c"), end),
            Conversation("another spelling", atOnce: 0, get("/it/%31"), end),
            Conversation("names in any case", atOnce: 1, get("/it/1", "aCCept-eNCoding: identity", "hOsT2: a"), end),
            Conversation("values that are not ASCII", atOnce: 0, get("/it/1", "If-None-Match: \"\u{E9}\""), end),
            Conversation("values with blanks around", atOnce: 0, get("/it/1", "If-None-Match:   ETAG \t "), end),
            Conversation("a field nobody knows", atOnce: 1, get("/it/1", "X-Anything: \u{E9}"), end),
            Conversation("no such name of a request", atOnce: 1, get("/it/1", "X-Request-Id: a b"), end),
            Conversation(
                "one after the other",
                atOnce: 1,
                get("/it/1"),
                post,
                get("/it/1"),
                get("/plain"),
                get("/it/1", method: "HEAD"),
                get("/none"),
                end
            ),
            Conversation("a stream that is refused", atOnce: 0, get("/stream"), get("/it/1"), post, get("/it/1"), end),
            Conversation("streams that are refused", atOnce: 1, get("/it/1"), get("/stream"), get("/stream"), end),
            Conversation("a stream that is refused behind others", atOnce: 0, post, get("/stream"), get("/it/1"), end),
            Conversation("a refused stream at the end", atOnce: 0, get("/stream", "Connection: close"), get("/it/1")),
            Conversation("HEAD of a stream that is refused", atOnce: 0, get("/stream", method: "HEAD"), end),
            Conversation("the end, and more behind it", atOnce: 1, get("/it/1"), end, get("/it/1")),
            Conversation("drained", atOnce: 0, get("/it/1")),
        ]
    }

    /// One of the two ways, and what was seen of it.
    private struct Way {
        let atOnce: Bool
        let api: TestAPI
        let recorder: LogRecorder
        let lifecycle: Lifecycle

        init(atOnce: Bool, caller: Caller) async throws {
            self.atOnce = atOnce
            self.recorder = LogRecorder()
            self.lifecycle = Lifecycle()
            self.api = try await TestAPI(
                AtOnceTests.routes,
                caller: caller,
                limits: AtOnceTests.limits,
                rates: .unlimited,
                crossOrigin: try CrossOrigin(list: "https://a.example"),
                lifecycle: self.lifecycle,
                logger: self.recorder.logger()
            )
        }

        /// Everything the server sends, with what differs by nature made alike.
        func run(_ conversation: Conversation) async throws -> String {
            let token = try self.api.token()
            let bearer: [HTTPField.Name: String] = [.authorization: "Bearer \(token)"]
            var etag = ""
            for path in ["/it/1", "/large/1"] {
                for _ in 0..<2 {
                    let reply = try await self.api.send(.get, path, bearer)
                    if path == "/it/1" { etag = try #require(reply["etag"]) }
                }
            }
            let seen = self.api.memory.cache.token(nil, tenant: 1, wrote: 5, modules: [.products])
            if conversation.testDescription == "drained" { self.lifecycle.beginDraining() }
            let text = conversation.text.replacing("TOKEN", with: token).replacing("ETAG", with: etag)
                .replacing("SEEN", with: seen)
            let answers = try await self.api.serve(answersAtOnce: self.atOnce) { client in
                let socket = try RawSocket(port: client.port)
                try socket.write(text)
                return await socket.readAll()
            }
            return answers.replacing(/date: [^\r]*|Date: [^\r]*|X-Request-Id: (?!R)[^\r]*/, with: "...")
        }

        /// The lines of the log, without what differs by nature.
        var lines: [[String: String]] {
            self.recorder.lines("request").map { line in
                line.fields.filter { $0.key != "duration_ms" && ($0.key != "request_id" || $0.value.hasPrefix("R")) }
            }
        }

        /// What was counted.
        var counted: [String] {
            self.api.api.metrics.samples()
                .filter { $0.name == "stock_http_requests_total" || $0.name == "stock_http_requests_in_flight" }
                .map { "\($0.name) \($0.labels) \($0.value)" }
        }
    }

    @Test("both ways send the same bytes, log the same lines and count the same", arguments: Conversation.all)
    func same(conversation: Conversation) async throws {
        let caller = Caller.member(.cashier)
        let quick = try await Way(atOnce: true, caller: caller)
        let slow = try await Way(atOnce: false, caller: caller)
        let answers = try await quick.run(conversation)
        #expect(try await slow.run(conversation) == answers)
        #expect(answers.hasPrefix("HTTP/1.1 "))
        #expect(quick.lines == slow.lines)
        #expect(quick.counted == slow.counted)
        #expect(quick.api.api.metrics.countAtOnce == Int64(conversation.atOnce))
        #expect(slow.api.api.metrics.countAtOnce == 0)
    }

    @Test("a hit waits behind a request that has no answer yet")
    func order() async throws {
        let entered = Latch<Void>()
        let gate = Latch<Void>()
        let slow = Route(.get, "/slow", "slow", "Slow", area: "test", access: .open) { _ in
            entered.set(())
            try await gate.wait()
            return .json { $0.object { $0.member("slow", true) } }
        }
        let (api, token) = try await Self.warm("/it/1", more: [slow])
        try await api.serve { client in
            let socket = try RawSocket(port: client.port)
            let hit = Conversation.get("/it/1", as: token)
            try socket.write(hit + Conversation.get("/slow") + hit)
            try await entered.wait()
            #expect(await socket.read().components(of: "HTTP/1.1 200 OK") == 1)
            try socket.write(hit)
            gate.set(())
            try socket.write(Conversation.get("/it/1", "Connection: close", as: token))
            let rest = await socket.readAll()
            #expect(rest.components(of: "HTTP/1.1 200 OK") == 4)
            #expect(rest.contains(#"{"slow":true}HTTP/1.1 200 OK"#))
        }
    }

    @Test("who sends nothing more gets all answers, whole")
    func halfClosed() async throws {
        let (api, token) = try await Self.warm("/large/1")
        try await api.serve { client in
            for count in [1, 3, 200] {
                let socket = try RawSocket(port: client.port)
                try socket.write(String(repeating: Conversation.get("/large/1", as: token), count: count))
                socket.endOutput()
                let answers = await socket.readAll()
                #expect(answers.components(of: "HTTP/1.1 200 OK") == count)
                #expect(answers.components(of: "a large answer; ") == count * 4_096)
            }
        }
    }

    @Test("who does not take answers is not answered further, and gets all of them in the end")
    func slowReader() async throws {
        let (api, token) = try await Self.warm("/huge/1")
        try await api.serve { client in
            let socket = try RawSocket(port: client.port)
            // Far more than the system's buffers take: 48 MB.
            let count = 100
            try socket.write(String(repeating: Conversation.get("/huge/1", as: token), count: count))
            socket.endOutput()
            try await eventually("some were answered") { api.api.metrics.countAtOnce > 0 }
            #expect(api.api.metrics.countAtOnce < count / 2)
            let answers = await socket.readAll()
            #expect(answers.components(of: "a huge answer. ") == count * 32_768)
        }
    }

    @Test("who sends nothing more behind a stream that is refused learns that it is")
    func halfClosedStream() async throws {
        let (api, token) = try await Self.warm("/it/1")
        try await api.serve { client in
            for requests in [Conversation.get("/stream", as: token), Conversation.get("/it/1", as: token)] {
                let socket = try RawSocket(port: client.port)
                try socket.write(requests + Conversation.get("/stream", as: token))
                socket.endOutput()
                #expect(await socket.readAll().components(of: "HTTP/1.1 429") == requests.components(of: "/stream") + 1)
            }
        }
    }

    @Test("what cannot be read is refused behind what was answered")
    func refused() async throws {
        let (api, token) = try await Self.warm("/it/1")
        try await api.serve { client in
            for broken in ["nonsense\r\n\r\n", Conversation.get("/it/1", "Host: b", as: token)] {
                let socket = try RawSocket(port: client.port)
                try socket.write(Conversation.get("/it/1", as: token) + broken)
                let answers = await socket.readAll()
                #expect(answers.hasPrefix("HTTP/1.1 200 OK"))
                #expect(answers.components(of: "{}HTTP/1.1 400 Bad Request") == 1)
            }
        }
    }

    @Test("another protocol is not spoken, and the request is answered")
    func upgrade() async throws {
        let (api, token) = try await Self.warm("/it/1")
        try await api.serve { client in
            let socket = try RawSocket(port: client.port)
            // Nothing behind it is read, so that the client has to learn that it is the last.
            try socket.write(
                Conversation.get("/it/1", "Connection: Upgrade", "Upgrade: websocket", as: token)
                    + Conversation.get("/it/1", as: token)
            )
            let answers = await socket.readAll()
            #expect(answers.hasPrefix("HTTP/1.1 200 OK"))
            #expect(answers.components(of: "HTTP/1.1") == 1)
            #expect(answers.lowercased().contains("\r\nconnection: close\r\n"), "\(answers)")
            #expect(api.api.metrics.countAtOnce == 0)
        }
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func components(of text: String) -> Int { self.ranges(of: text).count }
}

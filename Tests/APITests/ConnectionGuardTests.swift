import Foundation
import HTTPTypes
import Kernel
import NIOCore
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

    /// Deadlines short enough to be waited for.
    private var limits: ServerLimits {
        var limits = ServerLimits()
        limits.headerDeadline = .milliseconds(200)
        limits.bodyIdle = .milliseconds(200)
        limits.lingering = .milliseconds(50)
        limits.drainDelay = .zero
        return limits
    }

    private func serve(_ body: @escaping @Sendable (HTTPClient) async throws -> Void) async throws {
        try await TestAPI(Self.routes, limits: self.limits).serve(body)
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
            Refused("a whole URL", "GET http://a/open HTTP/1.1\r\nHost: a\r\n\r\n"),
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
        try await self.serve { client in
            await #expect(throws: HTTPClientError.self) {
                try await client.send(raw: Array("GET /open HTTP/1.1\r\nHost: a\r\nX: ".utf8))
            }
        }
    }

    @Test("a body that does not come is given up")
    func slowBody() async throws {
        try await self.serve { client in
            let head =
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            await #expect(throws: HTTPClientError.self) { try await client.send(raw: Array(head.utf8)) }
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

    @Test("a connection beyond the limit is served once another has ended")
    func connections() async throws {
        var limits = self.limits
        limits.connections = 1
        try await TestAPI(Self.routes, limits: limits).serve { client in
            _ = try await client.send("GET", "/open")
            let patient = HTTPClient(port: client.port)
            let hasty = HTTPClient(port: client.port, patience: 1)
            await #expect(throws: HTTPClientError.connection(EAGAIN)) { try await hasty.send("GET", "/open") }
            async let answer = patient.send("GET", "/open")
            _ = try await client.send(raw: Array("GET /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
            #expect(try await answer.status == 200)
        }
    }

    @Test("a client that waits for 100-continue is told to go on")
    func expect() async throws {
        try await self.serve { client in
            let answer = try await client.send(
                "POST",
                "/echo",
                headers: ["Content-Type": "application/json", "Expect": "100-continue"],
                body: #"{"name":"Ana"}"#
            )
            #expect(answer.status == 200)
        }
    }
}

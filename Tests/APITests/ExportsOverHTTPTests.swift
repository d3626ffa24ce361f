import HTTPTypes
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import API

@Suite("Exports over HTTP")
struct ExportsOverHTTPTests {
    private struct Cut: Error {}

    /// Gives the same portion again and again, and tells how many were asked for when it is let go.
    private final class Portions: Sendable {
        let portion: ByteBuffer
        let count: Int
        let isCut: Bool
        let taken = Atomic<Int>(0)
        let ended: Latch<Int>?

        init(_ portion: ByteBuffer, _ count: Int, isCut: Bool = false, ended: Latch<Int>? = nil) {
            self.portion = portion
            self.count = count
            self.isCut = isCut
            self.ended = ended
        }

        deinit { ended?.set(taken.load(ordering: .relaxed)) }

        func next() throws -> ByteBuffer? {
            guard taken.wrappingAdd(1, ordering: .relaxed).oldValue < count else {
                if isCut { throw Cut() }
                return nil
            }
            return portion
        }
    }

    private static func route(_ portions: @escaping @Sendable () -> Portions) -> Route {
        Route(.get, "/rows", "rows", "Rows", area: "test", access: .open) { _ in
            let portions = portions()
            var reply = Reply(.ok, body: ByteBuffer(), type: .csv)
            reply.stream = AsyncThrowingStream(unfolding: { try portions.next() })
            return reply
        }
    }

    private static let request = "GET /rows HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test("an answer that is written as it is made ends in the chunk that says so")
    func whole() async throws {
        let route = Self.route { Portions(ByteBuffer(string: "a,b\r\n"), 3) }
        try await TestAPI([route]).serve { client in
            let answer = try await client.send("GET", "/rows")
            #expect(answer.status == 200)
            #expect(answer.text == "a,b\r\na,b\r\na,b\r\n")
            #expect(answer[header: "content-length"] == nil)
            let raw = try RawSocket(port: client.port)
            try raw.write(Self.request.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n"))
            #expect(await raw.readAll().hasSuffix("\r\n0\r\n\r\n"))
        }
    }

    @Test("one that is cut off has no such end, and its connection closes")
    func cut() async throws {
        let route = Self.route { Portions(ByteBuffer(string: "a,b\r\n"), 1, isCut: true) }
        try await TestAPI([route]).serve { client in
            let raw = try RawSocket(port: client.port)
            try raw.write(Self.request)
            let answer = await raw.readAll()
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("a,b"))
            #expect(!answer.hasSuffix("0\r\n\r\n"))
        }
    }

    @Test("a reader who takes nothing is given up, and what would be written to them is let go")
    func slow() async throws {
        let ended = Latch<Int>()
        let route = Self.route { Portions(ByteBuffer(repeating: 0x61, count: 65_536), .max, ended: ended) }
        var limits = ServerLimits()
        limits.writeIdle = .milliseconds(300)
        try await TestAPI([route], limits: limits).serve { client in
            let raw = try RawSocket(port: client.port)
            try raw.write(Self.request)
            _ = try await ended.wait()
            withExtendedLifetime(raw) {}
        }
    }

    @Test("HEAD tells the type and sends no chunks")
    func head() async throws {
        let route = Self.route { Portions(ByteBuffer(string: "a"), 1) }
        try await TestAPI([route]).serve { client in
            let raw = try RawSocket(port: client.port)
            try raw.write(Self.request.replacing("GET", with: "HEAD"))
            let answer = await raw.readAll()
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.lowercased().contains("content-type: text/csv"))
            #expect(!answer.contains("\r\n\r\na"))
        }
    }

    @Test("come as CSV or an object to a line, as asked, to whom may read them; one that was cut off goes on")
    func asked() async throws {
        let database = try await PostgresServer.shared().database(named: "exports_over_http")
        let shop = try await TestShop(url: database.appURL, runs: true)
        let token = try await shop.signUp()
        let units = await shop.send(.get, "/v1/exports/units?cursor=true", token: token)
        #expect(units["content-type"] == "text/csv; charset=utf-8; header=present")
        let rows = units.text.split(separator: "\r\n")
        #expect(rows.first == "name,external_id,symbol,decimals,cursor")
        #expect(rows.count == 3)
        let cursor = try #require(rows[1].split(separator: ",").last)
        let rest = await shop.send(.get, "/v1/exports/units?cursor=true&after=\(cursor)", token: token)
        #expect(rest.text == String(rows[2]) + "\r\n")

        let lines = await shop.send(
            .get,
            "/v1/exports/units",
            token: token,
            ["Accept": "application/x-ndjson, */*;q=0.1"]
        )
        #expect(lines["content-type"] == "application/x-ndjson", "\(lines.text)")
        #expect(lines.text.split(separator: "\n").count == 2)
        let marked = await shop.send(.get, "/v1/exports/units?bom=true&format=csv", token: token)
        #expect(Array(marked.body.readableBytesView.prefix(3)) == [0xEF, 0xBB, 0xBF])
        let wrong = await shop.send(.get, "/v1/exports/sales?after=\(cursor)", token: token)
        #expect(wrong.status == .badRequest)
        #expect(wrong.json["code"].string == "cursor_mismatch")
        let other = await shop.send(.get, "/v1/exports/units", token: token, ["Accept": "image/png"])
        #expect(other.status == .notAcceptable)
        await shop.stop()
    }

    @Test("an export and the feed behind it tell each expense once, however it is made meanwhile")
    func feedBehind() async throws {
        let database = try await PostgresServer.shared().database(named: "exports_and_feed")
        let shop = try await TestShop(url: database.appURL, runs: true)
        let token = try await shop.signUp()
        func spend(_ category: String) async -> String? {
            let body = #"{"category":"\#(category)","amount":"1.00","method":"transfer"}"#
            let fields = ["Idempotency-Key": category]
            return await shop.send(.post, "/v1/expenses", token: token, fields, body: body).json["id"].string
        }
        func told(after number: Int) async -> [String] {
            let feed = await shop.send(.get, "/v1/events?after=\(number)&types=expense", token: token)
            return feed.json["data"].elements.compactMap { $0["entity_id"].string }
        }
        let first = try #require(await spend("Miete"))
        try await eventually("the first is told of") { await told(after: 0) == [first] }
        let export = await shop.send(.get, "/v1/exports/expenses", token: token)
        #expect(export.text.contains("Miete"))
        let number = try #require(export["stock-event-sequence"].flatMap { Int($0) })
        #expect(number > 0)
        #expect(await told(after: number) == [])
        let second = try #require(await spend("Porto"))
        try await eventually("the second is told of") { await told(after: number) == [second] }
        await shop.stop()
    }

    @Test("what keeps an export from beginning is told before anything is answered")
    func unreachable() async throws {
        let database = try await PostgresServer.shared().database(named: "exports_unreachable")
        let shop = try await TestShop(url: database.appURL, runs: true)
        let token = try await shop.signUp()
        _ = await shop.send(.get, "/v1/exports/units", token: token)
        try await database.psql("REVOKE SELECT ON stock.unit FROM stock_app")
        let answer = await shop.send(.get, "/v1/exports/units", token: token)
        #expect(answer.status.code >= 500, "\(answer.text)")
        #expect(answer["content-type"] == "application/problem+json")
        await shop.stop()
    }
}

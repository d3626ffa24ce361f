import Cache
import Foundation
import HTTPTypes
import Kernel
import NIOCore
import Services
import Synchronization
import TestSupport
import Testing

@testable import API

@Suite("Events over HTTP")
struct EventsOverHTTPTests {
    /// A shop with a product, its owner's token, and the number of the last event so far.
    private static func open(
        _ name: String = #function,
        _ body: (TestShop, TestDatabase, String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let token = try await shop.signUp()
            let unit = await shop.send(
                .post,
                "/v1/units",
                token: token,
                body: #"{"name":"Stück","symbol":"St","decimals":0}"#
            )
            let id = try #require(unit.json["id"].string, "\(unit.text)")
            let made = await shop.send(
                .post,
                "/v1/products",
                token: token,
                body: #"{"name":"Ñandú","sku":"ÑA-1","price":"2.50","unit_id":"\#(id)","tracks_stock":false}"#
            )
            try #require(made.status == .created, "\(made.text)")
            try await body(shop, database, token)
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private static func sell(_ shop: TestShop, _ token: String) async throws {
        let sold = await shop.send(
            .post,
            "/v1/sales",
            token: token,
            ["Idempotency-Key": UUID().uuidString],
            body: #"{"lines":[{"sku":"ña-1","quantity":"1"}],"payments":[{"method":"card","amount":"2.50"}]}"#
        )
        try #require(sold.status == .created, "\(sold.text)")
    }

    private static func key(_ shop: TestShop, _ token: String, _ scopes: String...) async throws -> (String, id: String)
    {
        let scopes = scopes.map { "\"\($0)\"" }.joined(separator: ",")
        let made = await shop.send(.post, "/v1/api-keys", token: token, body: #"{"name":"Łódź","scopes":[\#(scopes)]}"#)
        return (try #require(made.json["secret"].string), try #require(made.json["id"].string))
    }

    /// Reads the feed until it has so many events.
    private static func feed(_ shop: TestShop, _ token: String, _ query: String, count: Int) async throws -> JSON {
        var json = JSON.null
        try await eventually("there are \(count) events at \(query)") {
            json = await shop.send(.get, "/v1/events?\(query)", token: token).json
            return json["data"].elements.count >= count
        }
        return json
    }

    @Test("are read in order from any number on, and say where they go on")
    func feed() async throws {
        try await Self.open { shop, _, token in
            for _ in 0..<3 { try await Self.sell(shop, token) }
            let all = try await Self.feed(shop, token, "", count: 3)
            #expect(all["data"].elements.map { $0["seq"].int } == [1, 2, 3])
            #expect(all["data"].elements.allSatisfy { $0["type"].string == "sale.confirmed" })
            #expect(all["data"].elements[0]["data"]["number"].int == 1)
            #expect(all["next"].int == 3 && all["head"].int == 3)
            let second = await shop.send(.get, "/v1/events?after=1&limit=1", token: token).json
            #expect(second["data"].elements.map { $0["seq"].int } == [2] && second["next"].int == 2)
            let none = await shop.send(.get, "/v1/events?after=1&types=payment,stock.low", token: token).json
            #expect(none["data"].elements.isEmpty && none["next"].int == 3)
            let some = await shop.send(.get, "/v1/events?after=1&types=payment,sale&limit=1", token: token).json
            #expect(some["data"].elements.map { $0["seq"].int } == [2] && some["next"].int == 2)
        }
    }

    @Test("that a list reflects are those up to the one it names: it misses those behind it and no other")
    func named() async throws {
        try await Self.open { shop, _, token in
            let (path, sales) = ("/v1/sales?limit=200", 60)
            var lists: [(event: Int, ids: Set<String>)] = []
            func note(_ list: Reply) throws {
                let event = try #require(list["stock-event-sequence"].flatMap { Int($0) }, "\(list.text)")
                lists.append((event, Set(list.json["data"].elements.compactMap { $0["id"].string })))
            }
            // From memory with some of it, while it happens from wherever it lies, and from memory with all of it.
            for _ in 0..<3 { try await Self.sell(shop, token) }
            _ = try await Self.feed(shop, token, "", count: 3)
            try note(try await shop.hit(token, path))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { for _ in 3..<sales { try await Self.sell(shop, token) } }
                try await eventually(within: .seconds(60), every: .zero, "the list has every sale") {
                    try note(await shop.send(.get, path, token: token))
                    return lists.last?.ids.count == sales
                }
                try await group.waitForAll()
            }
            try note(try await shop.hit(token, path))
            let events = try await Self.feed(shop, token, "limit=200", count: sales)["data"].elements
            for list in lists {
                let told = Set(events.prefix(list.event).compactMap { $0["entity_id"].string })
                #expect(told.count == list.event && list.ids.isSuperset(of: told), "\(list.event)")
            }
            #expect(lists.first?.event == 3)
            let last = await shop.send(.get, path, token: token, ["Cache-Control": "no-cache"])
            #expect(last["stock-event-sequence"] == "\(sales)")
            let before = try await shop.hit(token, "/v1/customers")
            #expect(before["stock-event-sequence"] == "\(sales)" && before.json["data"].elements.isEmpty)
            let again = await shop.send(.get, "/v1/customers", token: token, ["If-None-Match": before["etag"] ?? ""])
            #expect(again.status == .notModified && again["stock-event-sequence"] == "\(sales)")
        }
    }

    @Test("are those alone that a role or a scope may read; who asks for others is told which scope it takes")
    func rights() async throws {
        try await Self.open { shop, database, token in
            try await Self.sell(shop, token)
            try await database.psql(
                """
                INSERT INTO stock.domain_event (tenant_id, type)
                SELECT t.id, n.type FROM stock.tenant t, unnest('{stock.low,new.kind}'::text[]) n (type)
                """
            )
            let all = try await Self.feed(shop, token, "", count: 3)
            let types = Set(all["data"].elements.compactMap { $0["type"].string })
            #expect(types == ["sale.confirmed", "stock.low", "new.kind"])
            let (stock, _) = try await Self.key(shop, token, "stock:read")
            let seen = await shop.send(.get, "/v1/events", token: stock).json
            #expect(seen["data"].elements.map { $0["type"].string } == ["stock.low"] && seen["next"].int == 3)
            let refused = await shop.send(.get, "/v1/events?types=stock,sale", token: stock)
            #expect(refused.status == .forbidden && refused.text.contains("sales:read"))
            let (none, _) = try await Self.key(shop, token, "payments:write")
            #expect(await shop.send(.get, "/v1/events/stream", token: none).status == .forbidden)
            let unknown = await shop.send(.get, "/v1/events?types=sail.confirmed", token: token)
            #expect(unknown.status == .badRequest && unknown.text.contains("?types"))
        }
    }

    @Test("are waited for without a statement, and come as soon as they are numbered")
    func waiting() async throws {
        try await Self.open { shop, _, token in
            try await Self.sell(shop, token)
            _ = try await Self.feed(shop, token, "", count: 1)
            async let first = shop.send(.get, "/v1/events?after=1&wait=25", token: token)
            async let other = shop.send(.get, "/v1/events?after=1&wait=25&types=stock", token: token)
            try await eventually("two wait") { shop.shop.events.hub.statistics.waiting == 2 }
            try await Self.sell(shop, token)
            #expect(await first.json["data"].elements.map { $0["seq"].int } == [2])
            // Who does not want it goes on waiting, until the instance drains.
            #expect(shop.shop.events.hub.statistics.waiting == 1)
            shop.api.lifecycle.beginDraining()
            let late = await other.json
            // Whether it had passed over the second by then or not.
            #expect(late["data"].elements.isEmpty && (1...2).contains(late["next"].int ?? 0) && late["head"].int == 2)
        }
    }

    @Test("that are not kept any more are refused, with where to begin anew")
    func pruned() async throws {
        try await Self.open { shop, database, token in
            for _ in 0..<3 { try await Self.sell(shop, token) }
            _ = try await Self.feed(shop, token, "", count: 3)
            try await database.psql("DELETE FROM stock.domain_event WHERE seq <= 2")
            for path in ["/v1/events?after=1", "/v1/events/stream?after=1"] {
                let gone = await shop.send(.get, path, token: token)
                #expect(gone.status.code == 410 && gone.json["code"].string == "events_pruned")
                #expect(gone.json["errors"].elements.first?["after"].int == 2)
            }
            #expect(await shop.send(.get, "/v1/events?after=2", token: token).json["data"].elements.count == 1)
            #expect(await shop.send(.get, "/v1/events", token: token).json["data"].elements.count == 1)
            let ahead = await shop.send(.get, "/v1/events/stream", token: token, ["Last-Event-ID": "9"])
            #expect(ahead.status.code == 410 && ahead.json["errors"].elements.first?["after"].int == 3)
        }
    }

    /// What a stream has sent so far.
    final class Sink: Sendable {
        private let text = Mutex("")

        var sent: String { text.withLock { $0 } }

        func write(_ bytes: ByteBuffer) { text.withLock { $0 += String(buffer: bytes) } }

        /// Does what the stream says until it ends.
        func follow(_ stream: EventStream) async throws {
            let bell = Doorbell()
            stream.listen { bell.ring() }
            while true {
                switch stream.step() {
                case .send(let bytes): write(bytes)
                case .work: await stream.work()
                case .rest(let time): _ = await bell.wait(atMost: time.map { $0 - .now })
                case .end(let bytes): return write(bytes)
                case .cut: throw ChannelError.ioOnClosedChannel
                }
            }
        }

        /// Waits until something was sent.
        func hears(_ part: String) async throws {
            try await eventually("the stream says \(part)") { self.sent.contains(part) }
        }
    }

    /// Opens a stream; what it sends goes to the sink until it ends.
    private static func stream(
        _ shop: TestShop,
        _ token: String,
        _ query: String = "",
        _ fields: [String: String] = [:]
    ) async throws -> (Sink, Task<Void, any Error>) {
        let reply = await shop.send(.get, "/v1/events/stream?\(query)", token: token, fields)
        try #require(reply.status == .ok, "\(reply.text)")
        let stream = try #require(reply.events)
        let sink = Sink()
        return (sink, Task { try await sink.follow(stream) })
    }

    @Test("are streamed: what was missed, then what happens, what was retired, and a sign of life each second")
    func streaming() async throws {
        try await Self.open { shop, _, token in
            for _ in 0..<3 { try await Self.sell(shop, token) }
            _ = try await Self.feed(shop, token, "", count: 3)
            let (sink, stream) = try await Self.stream(shop, token, "after=0&changes=true", ["Last-Event-ID": "1"])
            try await sink.hears("id: 3\nevent: ready\ndata: {\"head\":3}\n\n")
            #expect(sink.sent.hasPrefix("retry: ") && !sink.sent.contains("id: 1\n"))
            #expect(sink.sent.contains("id: 2\ndata: {\"seq\":2,\"type\":\"sale.confirmed\""))
            try await Self.sell(shop, token)
            try await sink.hears("id: 4\ndata: {\"seq\":4,")
            let modules = #"["balance","sales","payments","dashboard","reports","views"]"#
            try await sink.hears("event: change\ndata: {\"modules\":\(modules),\"consistency\":\"")
            try await sink.hears("id: 4\nevent: progress\ndata: {\"head\":4}\n\n")
            shop.api.lifecycle.beginDraining()
            try await sink.hears("event: end\ndata: {\"reason\":\"draining\"}\n\n")
            try await stream.value
            #expect(shop.shop.events.hub.statistics.waiting == 0)
        }
    }

    @Test("show on their way through what is not asked for how far they are")
    func fewOfMany() async throws {
        try await Self.open { shop, database, token in
            try await database.psql(
                """
                INSERT INTO stock.domain_event (tenant_id, type)
                SELECT t.id, 'stock.low' FROM stock.tenant t, generate_series(1, 450)
                """
            )
            _ = try await Self.feed(shop, token, "after=449", count: 1)
            let (sink, stream) = try await Self.stream(shop, token, "after=0&types=sale")
            try await sink.hears("id: 450\nevent: ready\n")
            #expect(sink.sent.contains("id: 200\nevent: progress\ndata: {\"head\":200}\n\nid: 400\nevent: progress\n"))
            shop.api.lifecycle.beginDraining()
            try await stream.value
        }
    }

    @Test("hear what happens while it is asked who they are")
    func asked() async throws {
        try await Self.open { shop, _, token in
            let reply = await shop.send(.get, "/v1/events/stream", token: token)
            let stream = try #require(reply.events)
            stream.listen {}
            func sends(_ step: EventStream.Step) -> String {
                if case .send(let bytes) = step { String(buffer: bytes) } else { "" }
            }
            #expect(sends(stream.step()).hasPrefix("retry: "))
            #expect(sends(stream.step()).contains("event: ready"))
            guard case .work = stream.step() else {
                Issue.record("who joins is asked")
                return
            }
            shop.shop.events.hub.wakeEverybody()
            await stream.work()
            #expect(sends(stream.step()).contains("event: progress"))
            guard case .rest = stream.step() else {
                Issue.record("there is nothing more")
                return
            }
        }
    }

    @Test("end within a second when the key is revoked, the role changed or the tenant suspended, and say so")
    func ending() async throws {
        try await Self.open { shop, database, token in
            let (secret, id) = try await Self.key(shop, token, "sales:read")
            let (byKey, keyed) = try await Self.stream(shop, secret)
            try await byKey.hears("event: ready")
            let revoked = await shop.send(.delete, "/v1/api-keys/\(id)", token: token, ["If-Match": "*"])
            #expect(revoked.status == .noContent, "\(revoked.text)")
            try await byKey.hears("event: end\ndata: {\"reason\":\"unauthenticated\"}")
            try await keyed.value

            let (byOwner, owned) = try await Self.stream(shop, token)
            try await byOwner.hears("event: ready")
            try await database.psql("UPDATE stock.membership SET role = 'manager'")
            try await byOwner.hears("event: end\ndata: {\"reason\":\"forbidden\"}")
            try await owned.value

            let (last, ended) = try await Self.stream(shop, token)
            try await last.hears("event: ready")
            try await database.psql("UPDATE stock.tenant SET status = 'suspended'")
            try await last.hears("event: end\ndata: {\"reason\":\"tenant_suspended\"}")
            try await ended.value
        }
    }

    /// How a connection comes to its stream.
    enum Way: CaseIterable {
        /// By its first request.
        case first
        /// Behind an answer that took a task.
        case later
        /// By a server that answers nothing at once.
        case slow
        /// With the word that nothing follows.
        case closing
    }

    @Test("are streamed over a connection, as its last answer", arguments: Way.allCases)
    func connection(way: Way) async throws {
        try await Self.open(#function + "-\(way)") { shop, _, token in
            try await Self.sell(shop, token)
            _ = try await Self.feed(shop, token, "", count: 1)
            try await shop.api.serve(answersAtOnce: way != .slow) { client in
                let socket = try RawSocket(port: client.port)
                let fields = "Host: a\r\nAuthorization: Bearer \(token)\r\n"
                var sent = ""
                func hears(_ part: String) async throws {
                    while !sent.contains(part) {
                        let more = await socket.read()
                        try #require(!more.isEmpty, "\(sent)")
                        sent += more
                    }
                }
                if way == .later {
                    try socket.write("GET /v1/events HTTP/1.1\r\n\(fields)\r\n")
                    try await hears("\"head\":1}")
                    sent = ""
                }
                let last = way == .closing ? "Connection: close\r\n" : ""
                let stream = "GET /v1/events/stream?after=0 HTTP/1.1\r\n\(fields)\(last)\r\n"
                // What is behind it is not answered.
                try socket.write(stream + "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
                try await hears("event: ready")
                #expect(sent.hasPrefix("HTTP/1.1 200 OK\r\n") && sent.contains("id: 1\ndata: {\"seq\":1,"))
                try await Self.sell(shop, token)
                try await hears("id: 2\ndata: {\"seq\":2,")
                try await hears("event: progress")
                #expect(shop.shop.events.hub.statistics.waiting == 1)
                shop.api.lifecycle.beginDraining()
                try await hears("{\"reason\":\"draining\"}")
                sent += await socket.readAll()
                #expect(sent.hasSuffix("\r\n0\r\n\r\n") && sent.ranges(of: "HTTP/1.1").count == 1, "\(sent)")
                try await eventually("its place is free") { shop.shop.events.hub.statistics.waiting == 0 }
            }
        }
    }

    @Test("a server that is told to end at once waits for no stream", arguments: [Way.first, .slow])
    func cancelled(way: Way) async throws {
        try await Self.open(#function + "-\(way)") { shop, _, token in
            let socket = try await shop.api.serve(answersAtOnce: way != .slow, isCancelled: true) { client in
                let socket = try RawSocket(port: client.port)
                try socket.write("GET /v1/events/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n")
                try await eventually("it is open") { shop.shop.events.hub.statistics.waiting == 1 }
                #expect(await socket.read().hasPrefix("HTTP/1.1 200 OK"))
                return socket
            }
            try await eventually("its place is free") { shop.shop.events.hub.statistics.waiting == 0 }
            _ = await socket.readAll()
        }
    }

    @Test("a stream whose client is gone gives its place back")
    func gone() async throws {
        try await Self.open { shop, _, token in
            try await shop.api.serve { client in
                var socket: RawSocket? = try RawSocket(port: client.port)
                try socket?.write("GET /v1/events/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n")
                try await eventually("it is open") { shop.shop.events.hub.statistics.waiting == 1 }
                socket = nil
                try await eventually("its place is free") { shop.shop.events.hub.statistics.waiting == 0 }
            }
        }
    }

    @Test("are sent to a hundred of a tenant at once, and to no more")
    func crowd() async throws {
        try await Self.open { shop, _, token in
            var seats: [EventHub.Seat] = []
            let tenant = try #require(await shop.send(.get, "/v1/tenant", token: token).json["id"].int)
            for _ in 0..<100 { seats.append(try shop.shop.events.hub.admit(TenantID(rawValue: Int64(tenant)))) }
            let refused = await shop.send(.get, "/v1/events/stream", token: token)
            #expect(refused.status == .tooManyRequests && refused["retry-after"] != nil)
            seats.removeLast()
            #expect(await shop.send(.head, "/v1/events/stream", token: token).status == .ok)
            #expect(shop.shop.events.hub.statistics.waiting == 99)
        }
    }
}

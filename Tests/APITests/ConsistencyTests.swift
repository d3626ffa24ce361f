import Cache
import HTTPTypes
import HummingbirdCore
import Kernel
import NIOCore
import TestSupport
import Testing

@testable import API

/// Two instances on one database; the second one serves what it has, as if no invalidation ever reached it.
private struct Pair {
    let writer: TestShop
    let lagging: TestShop
    let token: String
    let product: String

    var path: String { "/v1/products/\(self.product)" }

    /// Lends a pair whose second instance has the product in memory and no longer follows the log.
    static func open(_ name: String = #function, _ body: (Pair) async throws -> Void) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let writer = try await TestShop(url: database.appURL, runs: true)
        var settings = CacheSettings()
        settings.lease = .seconds(600)
        let lagging = try await TestShop(url: database.appURL, runs: true, cache: settings)
        var failure: (any Error)?
        do {
            try await eventually("the caches are in use") { writer.cache.isUsable && lagging.cache.isUsable }
            let token = try await writer.signUp()
            let made = await writer.send(
                .post,
                "/v1/products",
                token: token,
                body: #"{"name":"Coffee","sku":"A1","price":"2.50"}"#
            )
            let product = try #require(made.json["id"].string)
            let pair = Pair(writer: writer, lagging: lagging, token: token, product: product)
            _ = try await lagging.hit(token, pair.path)
            // What the sign-up and the product left to be said has been heard once the log is quiet.
            try await eventually("the writes so far were followed") { lagging.cache.health().lag == 0 }
            _ = try await lagging.hit(token, pair.path)
            await lagging.stopFollowing()
            #expect(lagging.cache.isUsable)
            try await body(pair)
        } catch {
            failure = error
        }
        await lagging.stop()
        await writer.stop()
        if let failure { throw failure }
    }

    /// Renames the product on the first instance.
    func rename(_ name: String, _ fields: [String: String] = [:]) async throws -> Reply {
        let etag = try #require(
            await self.writer.send(.get, self.path, token: self.token, ["Cache-Control": "no-cache"])["etag"]
        )
        var fields = fields
        fields["If-Match"] = etag
        let reply = await self.writer.send(
            .patch,
            self.path,
            token: self.token,
            fields,
            body: #"{"name":"\#(name)"}"#
        )
        #expect(reply.status == .ok, "\(reply.text)")
        return reply
    }

    /// The product's name, as the second instance answers it.
    func name(_ fields: [String: String] = [:]) async -> String? {
        await self.lagging.send(.get, self.path, token: self.token, fields).json["name"].string
    }
}

@Suite("Stock-Consistency: clients read what they wrote, on any instance", .serialized)
struct ConsistencyTests {
    @Test("a read with the token of a write shows it where nothing else would, and one without does not")
    func readYourWrites() async throws {
        try await Pair.open { pair in
            let written = try await pair.rename("Tea")
            let consistency = try #require(written["stock-consistency"])
            #expect(await pair.name() == "Coffee")
            #expect(await pair.name(["Stock-Consistency": consistency]) == "Tea")
        }
    }

    @Test("304 is decided after the token: a tag of before the write gets the new bytes")
    func notModified() async throws {
        try await Pair.open { pair in
            let old = try #require(await pair.lagging.send(.get, pair.path, token: pair.token)["etag"])
            let consistency = try #require(try await pair.rename("Tea")["stock-consistency"])
            let without = await pair.lagging.send(.get, pair.path, token: pair.token, ["If-None-Match": old])
            #expect(without.status == .notModified)
            let with = await pair.lagging.send(
                .get,
                pair.path,
                token: pair.token,
                ["If-None-Match": old, "Stock-Consistency": consistency]
            )
            #expect(with.status == .ok)
            #expect(with.json["name"].string == "Tea")
            #expect(with["stock-consistency"] != nil)
        }
    }

    @Test("tokens add up: a later write's token still asks for the earlier one")
    func merging() async throws {
        try await Pair.open { pair in
            let first = try #require(try await pair.rename("Tea")["stock-consistency"])
            let category = await pair.writer.send(
                .post,
                "/v1/categories",
                token: pair.token,
                ["Stock-Consistency": first],
                body: #"{"name":"Drinks"}"#
            )
            let both = try #require(category["stock-consistency"])
            #expect(await pair.name(["Stock-Consistency": both]) == "Tea")
        }
    }

    @Test("monotonic reads: what was seen on one instance is not unseen on another")
    func monotonic() async throws {
        try await Pair.open { pair in
            _ = try await pair.rename("Tea")
            let seen = await pair.writer.send(.get, pair.path, token: pair.token, ["Stock-Consistency": ""])
            #expect(seen.json["name"].string == "Tea")
            let consistency = try #require(seen["stock-consistency"])
            #expect(!consistency.isEmpty)
            #expect(await pair.name() == "Coffee")
            #expect(await pair.name(["Stock-Consistency": consistency]) == "Tea")
            // A miss, a hit and a bypass all say what they showed.
            for fields in [[:], ["Cache-Control": "no-cache"]] {
                var fields: [String: String] = fields
                fields["Stock-Consistency"] = consistency
                let again = await pair.lagging.send(.get, pair.path, token: pair.token, fields)
                #expect(again["stock-consistency"] != nil)
            }
            #expect(await pair.lagging.send(.get, pair.path, token: pair.token)["stock-consistency"] == nil)
        }
    }

    @Test("a refusal's token shows what the refusal was made of: whoever asks again does not see it as it was")
    func refusals() async throws {
        try await Pair.open { pair in
            let old = try #require(await pair.lagging.send(.get, pair.path, token: pair.token)["etag"])
            _ = try await pair.rename("Tea")
            // The instance that refuses lags, too; its database does not.
            let refused = await pair.lagging.send(
                .patch,
                pair.path,
                token: pair.token,
                ["If-Match": old, "Stock-Consistency": ""],
                body: #"{"name":"Cocoa"}"#
            )
            #expect(refused.status == .preconditionFailed)
            let consistency = try #require(refused["stock-consistency"])
            #expect(await pair.name() == "Coffee")
            #expect(await pair.name(["Stock-Consistency": consistency]) == "Tea")
        }
    }

    @Test("a stored refusal has a token each time; one that no data made, or of a client that keeps none, has none")
    func whoseRefusals() async throws {
        try await Pair.open { pair in
            let sale = #"{"lines":[{"product_id":"\#(pair.product)","quantity":"1"}]}"#
            for _ in 0..<2 {
                let refused = await pair.writer.send(
                    .post,
                    "/v1/sales",
                    token: pair.token,
                    ["Idempotency-Key": "refused", "Stock-Consistency": ""],
                    body: sale
                )
                #expect(refused.status.code == 422, "\(refused.text)")
                #expect(refused["stock-consistency"] != nil)
            }
            let plain = await pair.writer.send(
                .post,
                "/v1/sales",
                token: pair.token,
                ["Idempotency-Key": "refused"],
                body: sale
            )
            #expect(plain["stock-consistency"] == nil)
            let unread = await pair.writer.send(
                .post,
                "/v1/categories",
                token: pair.token,
                ["Stock-Consistency": ""],
                body: "{"
            )
            #expect(unread.status == .badRequest)
            #expect(unread["stock-consistency"] == nil)
        }
    }

    @Test("what was seen to be gone stays gone, on any instance")
    func absence() async throws {
        try await Pair.open { pair in
            let version = try #require(await pair.writer.send(.get, pair.path, token: pair.token)["etag"])
            let gone = await pair.writer.send(.delete, pair.path, token: pair.token, ["If-Match": version])
            #expect(gone.status == .noContent, "\(gone.text)")
            #expect(await pair.name() == "Coffee")
            // From the database and from memory alike.
            for _ in 0..<2 {
                let seen = await pair.writer.send(.get, pair.path, token: pair.token, ["Stock-Consistency": ""])
                #expect(seen.status == .notFound)
                let consistency = try #require(seen["stock-consistency"])
                let other = await pair.lagging.send(
                    .get,
                    pair.path,
                    token: pair.token,
                    ["Stock-Consistency": consistency]
                )
                #expect(other.status == .notFound)
            }
        }
    }

    @Test("a replayed answer's token covers the first request's write, whoever ran it and whoever replays")
    func replay() async throws {
        try await Pair.open { pair in
            _ = try await pair.lagging.hit(pair.token, "/v1/products?sort=name")
            let request = #"{"name":"Sugar","sku":"S1","price":"1.00"}"#
            let fields = ["Idempotency-Key": "once"]
            let first = await pair.writer.send(.post, "/v1/products", token: pair.token, fields, body: request)
            #expect(first.status == .created, "\(first.text)")
            let replayed = await pair.lagging.send(.post, "/v1/products", token: pair.token, fields, body: request)
            #expect(replayed["idempotency-replayed"] == "true")
            #expect(replayed.text == first.text)
            let consistency = try #require(replayed["stock-consistency"])
            func count(_ fields: [String: String]) async -> Int {
                await pair.lagging.send(.get, "/v1/products?sort=name", token: pair.token, fields)
                    .json["data"].elements.count
            }
            #expect(await count([:]) == 1)
            #expect(await count(["Stock-Consistency": consistency]) == 2)
        }
    }

    @Test(
        "a token that cannot be read asks the database, and the session begins anew",
        arguments: ["!", "AAAA", String(repeating: "A", count: 4000), "Zm9v"]
    )
    func unreadable(header: String) async throws {
        try await Pair.open { pair in
            _ = try await pair.rename("Tea")
            let reply = await pair.lagging.send(.get, pair.path, token: pair.token, ["Stock-Consistency": header])
            #expect(reply.status == .ok)
            #expect(reply["cache-status"] == "stock-l1; fwd=bypass")
            #expect(reply.json["name"].string == "Tea")
            let fresh = try #require(reply["stock-consistency"])
            let next = await pair.lagging.send(.get, pair.path, token: pair.token, ["Stock-Consistency": fresh])
            #expect(next["cache-status"] != "stock-l1; fwd=bypass")
            // A write never fails for it either.
            let written = try await pair.rename("Milk", ["Stock-Consistency": header])
            #expect(written["stock-consistency"] != nil)
        }
    }

    @Test("a token of another tenant asks the database; two tokens are refused")
    func foreign() async throws {
        try await Pair.open { pair in
            let tenant = try #require(
                await pair.writer.send(.get, "/v1/tenant", token: pair.token).json["id"].int
            )
            var foreign = ConsistencyToken(tenant: Int64(tenant) + 1)
            foreign.add(write: 1, modules: [.products])
            let reply = await pair.lagging.send(
                .get,
                pair.path,
                token: pair.token,
                ["Stock-Consistency": foreign.text]
            )
            #expect(reply.status == .ok)
            #expect(reply["cache-status"] == "stock-l1; fwd=bypass")

            var headers = HTTPFields()
            let name = try #require(HTTPField.Name("Stock-Consistency"))
            headers.append(HTTPField(name: name, value: ""))
            headers.append(HTTPField(name: name, value: ""))
            headers[.authorization] = "Bearer \(pair.token)"
            let head = HTTPRequest(
                method: .get,
                scheme: "http",
                authority: "localhost",
                path: pair.path,
                headerFields: headers
            )
            let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
            #expect(await pair.writer.api.respond(to: request, channel: nil).status == .badRequest)
        }
    }

    @Test("every write answers the token")
    func writes() async throws {
        try await Pair.open { pair in
            let shop = pair.writer
            func write(
                _ method: HTTPRequest.Method,
                _ path: String,
                _ body: String?,
                _ fields: [String: String] = [:]
            ) async -> Reply {
                var fields = fields
                if method == .post {
                    fields["Idempotency-Key"] = "\(path) \(body?.count ?? 0)".replacing(" ", with: "-")
                }
                let reply = await shop.send(method, path, token: pair.token, fields, body: body)
                #expect((200..<300).contains(reply.status.code), "\(method) \(path): \(reply.text)")
                #expect(reply["stock-consistency"] != nil, "\(method) \(path)")
                return reply
            }
            let signup = await shop.send(
                .post,
                "/v1/signup",
                body: """
                    {"tenant_name":"Other","slug":"other","email":"bea@example.com","password":"a long enough one",\
                    "currency":"EUR","timezone":"Europe/Berlin"}
                    """
            )
            #expect(signup["stock-consistency"] != nil)
            let unit = await write(.post, "/v1/units", #"{"name":"Box","symbol":"bx","decimals":0}"#)
            let unitPath = "/v1/units/\(unit.json["id"].string ?? "")"
            _ = await write(.patch, unitPath, #"{"name":"Crate"}"#, ["If-Match": "*"])
            _ = await write(.delete, unitPath, nil, ["If-Match": "*"])
            _ = await write(.post, "/v1/categories", #"{"name":"Drinks"}"#)
            _ = await write(.post, "/v1/products/batch", #"{"products":[{"sku":"B1","name":"Bread","price":"1.00"}]}"#)
            _ = await write(
                .post,
                "/v1/stock/movements",
                #"{"movements":[{"product_id":"\#(pair.product)","type":"opening","quantity":"9","reason":"start"}]}"#
            )
            _ = await write(.post, "/v1/customers", #"{"name":"Cleo"}"#)
            _ = await write(
                .post,
                "/v1/sales",
                #"""
                {"lines":[{"product_id":"\#(pair.product)","quantity":"1"}],
                 "payments":[{"method":"cash","amount":"2.50"}]}
                """#
            )
            _ = await write(.patch, "/v1/tenant", #"{"name":"Corner"}"#, ["If-Match": "*"])
            _ = await write(.post, "/v1/cache/invalidate", #"{"module":"products"}"#)
            _ = await write(.post, "/v1/cache/clear", "{}")
            _ = await write(.post, "/v1/auth/logout", "{}")
        }
    }
}

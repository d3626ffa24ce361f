import Foundation
import HTTPTypes
import NIOCore
import TestSupport
import Testing

@testable import API

@Suite("Lists by ids and by changes, over HTTP")
struct SelectionsOverHTTPTests {
    private func open(_ name: String = #function, _ body: (TestShop, _ owner: String) async throws -> Void) async throws
    {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            try await body(shop, try await shop.signUp())
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    /// Makes a customer, and gives its id.
    private func make(_ name: String, _ shop: TestShop, _ owner: String) async -> String {
        await shop.send(.post, "/v1/customers", token: owner, body: #"{"name":"\#(name)"}"#).json["id"].string ?? ""
    }

    private func names(_ reply: Reply) -> [String] {
        reply.json["data"].elements.compactMap { $0["name"].string }
    }

    @Test("what is asked for by ids comes once each, in their order, without what is not there or another shop's")
    func ids() async throws {
        try await open { shop, owner in
            var made: [String] = []
            for name in ["Zoë", "Ádám", "Ñuñez"] { made.append(await make(name, shop, owner)) }
            let foreign = "01990000-0000-7000-8000-000000000001"
            let asked = [made[2], foreign, made[0], made[2].uppercased()].joined(separator: ",")
            let list = await shop.send(.get, "/v1/customers?ids=\(asked)", token: owner)
            #expect(names(list) == ["Zoë", "Ñuñez"], "\(list.text)")
            #expect(list.json["next_cursor"] == .null)
            // In another order it is the same question.
            let hit = await shop.send(.get, "/v1/customers?ids=\(made[0]),%20\(made[2]),\(foreign)", token: owner)
            #expect(hit.text == list.text && hit["etag"] == list["etag"])
            let renamed = await shop.send(
                .patch,
                "/v1/customers/\(made[0])",
                token: owner,
                ["If-Match": "*"],
                body: #"{"name":"Zoé"}"#
            )
            #expect(renamed.status == .ok)
            #expect(names(await shop.send(.get, "/v1/customers?ids=\(asked)", token: owner)) == ["Zoé", "Ñuñez"])
            for (query, pointers) in [
                ("ids=\(foreign)&q=a&limit=3", ["?q", "?limit"]), ("ids=1", ["?ids"]), ("ids=\(foreign),", ["?ids"]),
                ("ids=" + Array(repeating: foreign, count: 101).joined(separator: ","), ["?ids"]),
                ("ids=\(foreign)&updated_since=2026-01-01T00:00:00Z", ["?updated_since"]),
            ] {
                let refused = await shop.send(.get, "/v1/customers?\(query)", token: owner)
                #expect(refused.status == .badRequest, "\(query)")
                #expect(refused.json["errors"].elements.compactMap { $0["pointer"].string } == pointers, "\(query)")
            }
            let units = await shop.send(.get, "/v1/units", token: owner)
            let unit = units.json["data"][0]["id"].string ?? ""
            #expect(
                await shop.send(.get, "/v1/units?ids=\(unit)", token: owner).json["data"][0] == units.json["data"][0]
            )
        }
    }

    @Test("sales are asked for by ids, too, with the names of what they name, and not by changes")
    func sales() async throws {
        try await open { shop, owner in
            let product = #"{"name":"Té","sku":"T","price":"1.00","tracks_stock":false}"#
            _ = await shop.send(.post, "/v1/products", token: owner, body: product)
            var sold: [String] = []
            for key in ["a", "b"] {
                let sale = await shop.send(
                    .post,
                    "/v1/sales",
                    token: owner,
                    ["Idempotency-Key": key],
                    body: #"{"lines":[{"sku":"T","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}"#
                )
                sold.append(sale.json["id"].string ?? "")
            }
            let path = "/v1/sales?ids=\(sold[1]),\(sold[0])&expand=register"
            let list = await shop.send(.get, path, token: owner)
            #expect(list.json["data"].elements.compactMap { $0["id"].string } == sold, "\(list.text)")
            #expect(list.json["data"][0]["register"]["name"].string != nil)
            let changes = await shop.send(.get, "/v1/sales?updated_since=2026-01-01T00:00:00Z", token: owner)
            #expect(changes.json["errors"][0]["code"].string == "unknown_parameter")
        }
    }

    @Test("what was changed since a time comes by pages, the earliest change first, and each once")
    func changes() async throws {
        try await open { shop, owner in
            var made: [String] = []
            for name in ["Éa", "Éb", "Éc", "Éd", "Ée"] { made.append(await make(name, shop, owner)) }
            let third = await shop.send(.get, "/v1/customers/\(made[2])", token: owner)
            let since = try #require(third.json["updated_at"].string)
            let changed = await shop.send(
                .patch,
                "/v1/customers/\(made[0])",
                token: owner,
                ["If-Match": "*"],
                body: #"{"name":"Éz"}"#
            )
            #expect(changed.status == .ok)
            var seen: [String] = []
            var cursor: String? = ""
            while let at = cursor {
                let next = at.isEmpty ? "" : "&cursor=\(at)"
                let page = await shop.send(
                    .get,
                    "/v1/customers?updated_since=\(since)&limit=2\(next)",
                    token: owner
                )
                #expect(page.status == .ok, "\(page.text)")
                seen += names(page)
                cursor = page.json["next_cursor"].string
            }
            #expect(seen == ["Éc", "Éd", "Ée", "Éz"])
            for query in ["updated_since=yesterday", "updated_since=\(since)&active=true"] {
                #expect(await shop.send(.get, "/v1/customers?\(query)", token: owner).status == .badRequest, "\(query)")
            }
            let products = await shop.send(.get, "/v1/products?updated_since=\(since)", token: owner)
            #expect(products.text == #"{"data":[],"next_cursor":null}"#)
        }
    }
}

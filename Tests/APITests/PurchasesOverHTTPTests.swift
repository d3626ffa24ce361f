import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import API

@Suite("What a shop buys, over HTTP")
struct PurchasesOverHTTPTests {
    /// A shop of its own with tea and one supplier, and its owner's token.
    private func open(
        _ name: String = #function,
        _ body: (TestShop, _ owner: String, _ supplier: String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let owner = try await shop.signUp()
            let product = #"{"name":"Té","sku":"T","price":"10.00"}"#
            let made = await shop.send(.post, "/v1/products", token: owner, body: product)
            #expect(made.status == .created, "\(made.text)")
            let supplier = await shop.send(.post, "/v1/suppliers", token: owner, body: #"{"name":"Ñandú SA"}"#)
            try await body(shop, owner, try #require(supplier.json["id"].string))
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func draft(_ shop: TestShop, _ owner: String, _ supplier: String) async throws -> String {
        let reply = await shop.send(
            .post,
            "/v1/purchases",
            token: owner,
            ["Idempotency-Key": UUID().uuidString],
            body: #"{"supplier_id":"\#(supplier)","lines":[{"sku":"T","quantity":"3","unit_cost":"4.5"}]}"#
        )
        #expect(reply.status == .created, "\(reply.text)")
        return try #require(reply.json["id"].string)
    }

    @Test("a key is of what the path names, too: another purchase under the same key is another request")
    func keys() async throws {
        try await open { shop, owner, supplier in
            let (one, two) = (try await draft(shop, owner, supplier), try await draft(shop, owner, supplier))
            func order(_ id: String) async -> Reply {
                await shop.send(
                    .post,
                    "/v1/purchases/\(id)/order",
                    token: owner,
                    ["Idempotency-Key": "order"],
                    body: "{}"
                )
            }
            let first = await order(one)
            #expect(first.status == .ok, "\(first.text)")
            #expect(first["etag"] == #""2""#)
            let again = await order(one)
            #expect(again.text == first.text)
            #expect(again["idempotency-replayed"] == "true")
            let other = await order(two)
            #expect(other.json["code"].string == "idempotency_key_reused", "\(other.text)")
            let read = await shop.send(.get, "/v1/purchases/\(two)", token: owner)
            #expect(read.json["status"].string == "draft")
        }
    }

    @Test("what is owed shows with the supplier, changes the tag and leaves an edit as fresh as it was")
    func owed() async throws {
        try await open { shop, owner, supplier in
            let place = "/v1/suppliers/\(supplier)"
            let before = await shop.send(.get, place, token: owner)
            #expect(before.json["payable"].string == "0.00")
            let id = try await draft(shop, owner, supplier)
            let key = ["Idempotency-Key": UUID().uuidString]
            _ = await shop.send(.post, "/v1/purchases/\(id)/order", token: owner, key, body: "{}")
            let after = await shop.send(.get, place, token: owner)
            #expect(after.json["payable"].string == "13.50")
            #expect(after["etag"] != before["etag"])
            let tag = try #require(before["etag"])
            let edit = await shop.send(.patch, place, token: owner, ["If-Match": tag], body: #"{"phone":"1"}"#)
            #expect(edit.status == .ok, "\(edit.text)")
        }
    }

    @Test("the currency is fixed by the first purchase")
    func currency() async throws {
        try await open { shop, owner, supplier in
            _ = try await draft(shop, owner, supplier)
            let body = #"{"currency":"JPY"}"#
            let changed = await shop.send(.patch, "/v1/tenant", token: owner, ["If-Match": "*"], body: body)
            #expect(changed.json["code"].string == "invalid_state", "\(changed.text)")
        }
    }
}

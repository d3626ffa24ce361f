import Cache
import Foundation
import HTTPTypes
import NIOCore
import TestSupport
import Testing

@testable import API

@Suite("Names beside ids, over HTTP")
struct NamesOverHTTPTests {
    @Test("are what they are now, from memory or not, and a tag is never that of other names")
    func names() async throws {
        let database = try await PostgresServer.shared().database(named: "names_beside_ids")
        var settings = CacheSettings()
        settings.lease = .seconds(600)
        let shop = try await TestShop(url: database.appURL, runs: true, cache: settings)
        let owner = try await shop.signUp()
        func send(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) async -> Reply {
            await shop.send(
                method,
                path,
                token: owner,
                ["If-Match": "*", "Idempotency-Key": UUID().uuidString],
                body: body
            )
        }
        _ = await send(.post, "/v1/products", #"{"name":"Té","sku":"T","price":"10.00","tracks_stock":false}"#)
        let customer = await send(.post, "/v1/customers", #"{"name":"Ádám"}"#)["location"] ?? ""
        let id = customer.split(separator: "/").last.map { String($0) } ?? ""
        let sold = await send(
            .post,
            "/v1/sales",
            #"{"customer_id":"\#(id)","lines":[{"sku":"T","quantity":"1"}],"payments":[{"method":"card","amount":"4.00"}]}"#
        )
        #expect(sold.status == .created, "\(sold.text)")
        let sale = try #require(sold["location"])
        let walkIn = #"{"lines":[{"sku":"T","quantity":"1"}],"payments":[{"method":"card","amount":"10.00"}]}"#
        #expect(await send(.post, "/v1/sales", walkIn).status == .created)

        let plain = await shop.send(.get, "/v1/sales", token: owner)
        #expect(!plain.json["data"][0].names.contains("customer"))
        let path = "/v1/sales?expand=register,customer,user"
        let list = await shop.send(.get, path, token: owner)
        let (first, second) = (list.json["data"][0], list.json["data"][1])
        #expect(first["customer"] == .null && first["customer_id"] == .null)
        #expect(second["customer"]["name"].string == "Ádám" && second["customer"]["id"].string == id, "\(list.text)")
        #expect(second["user"]["id"] == second["user_id"])
        #expect(second["register"]["id"] == second["register_id"])
        // In another order it is the same question.
        let hit = await shop.send(.get, "/v1/sales?expand=customer,%20user,register", token: owner)
        #expect(hit.text == list.text && hit["etag"] == list["etag"])
        for (asked, code) in [
            ("/v1/sales?expand=supplier", "not_allowed"), ("/v1/sales?expand=customer,,user", "not_allowed"),
            ("/v1/payments?expand=register", "not_allowed"), ("\(customer)?expand=user", "unknown_parameter"),
        ] {
            let refused = await shop.send(.get, asked, token: owner)
            #expect(refused.json["errors"][0]["code"].string == code, "\(asked): \(refused.text)")
        }
        // A page of the one is no place in the other.
        let page = await shop.send(.get, "/v1/sales?limit=1", token: owner)
        let cursor = page.json["next_cursor"].string ?? ""
        let mismatch = await shop.send(.get, "/v1/sales?limit=1&expand=user&cursor=\(cursor)", token: owner)
        #expect(mismatch.json["code"].string == "cursor_mismatch")

        let one = await shop.send(.get, sale + "?expand=customer", token: owner)
        #expect(one.json["customer"]["name"].string == "Ádám")
        let tags = try [#require(list["etag"]), #require(one["etag"])]
        #expect(tags[1].hasPrefix("\"1."), "\(tags[1])")
        _ = try await shop.hit(owner, "/v1/sales")
        // What the sales left to be said has been heard once the log is quiet.
        try await eventually("the writes so far were followed") { shop.cache.health().lag == 0 }
        _ = try await shop.hit(owner, "/v1/sales")
        #expect(await send(.patch, customer, #"{"name":"Éva"}"#).status == .ok)
        for (asked, tag) in zip([path, sale + "?expand=customer"], tags) {
            let renamed = await shop.send(.get, asked, token: owner, ["If-None-Match": tag])
            #expect(renamed.status == .ok && renamed.text.contains("Éva"), "\(asked): \(renamed.text)")
            let again = await shop.send(.get, asked, token: owner, ["If-None-Match": renamed["etag"] ?? ""])
            #expect(again.status == .notModified)
        }
        // What has no names in it was not touched by the renaming.
        let still = await shop.send(.get, "/v1/sales", token: owner, ["If-None-Match": plain["etag"] ?? ""])
        #expect(still.status == .notModified && still["cache-status"] == "stock-l1; hit")
        // The tag of what shows names is one to change by.
        let now = await shop.send(.get, sale + "?expand=customer", token: owner)
        let noted = await shop.send(
            .patch,
            sale,
            token: owner,
            ["If-Match": now["etag"] ?? ""],
            body: #"{"note":"ñ"}"#
        )
        #expect(noted.status == .ok, "\(noted.text)")
        let stale = await shop.send(
            .patch,
            sale,
            token: owner,
            ["If-Match": now["etag"] ?? ""],
            body: #"{"note":"x"}"#
        )
        #expect(stale.status == .preconditionFailed)
        let payments = await shop.send(.get, "/v1/payments?expand=customer,user", token: owner)
        #expect(payments.json["data"][1]["customer"]["name"].string == "Éva", "\(payments.text)")
        await shop.stop()
    }
}

import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import API

@Suite("What is undone, over HTTP")
struct ReturnsOverHTTPTests {
    /// A shop of its own that sells tea at 10.02, and its owner's token.
    private func open(
        _ name: String = #function,
        _ body: (TestShop, _ owner: String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let owner = try await shop.signUp()
            let product = #"{"name":"Té","sku":"T","price":"10.02","tracks_stock":false}"#
            let made = await shop.send(.post, "/v1/products", token: owner, body: product)
            #expect(made.status == .created, "\(made.text)")
            try await body(shop, owner)
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func post(
        _ shop: TestShop,
        _ path: String,
        _ owner: String,
        key: String? = nil,
        _ body: String
    ) async -> Reply {
        await shop.send(.post, path, token: owner, ["Idempotency-Key": key ?? UUID().uuidString], body: body)
    }

    /// The id of a sale of one tea that was paid by card, and of its line.
    private func sell(_ shop: TestShop, _ owner: String) async throws -> (sale: String, line: String) {
        let body = #"{"lines":[{"sku":"T","quantity":"1"}],"payments":[{"method":"card","amount":"10.02"}]}"#
        let sold = await post(shop, "/v1/sales", owner, body)
        let line = try #require(sold.json["lines"][0]["id"].string, "\(sold.text)")
        return (try #require(sold.json["id"].string), line)
    }

    @Test("a key belongs to the thing it was used for: of another one it is refused, spelled otherwise it is the same")
    func keys() async throws {
        try await open { shop, owner in
            let (first, second) = (try await sell(shop, owner).sale, try await sell(shop, owner).sale)
            let reason = #"{"reason":"escrito dos veces, ñ"}"#
            let cancelled = await post(shop, "/v1/sales/\(first)/cancel", owner, key: "k", reason)
            #expect(cancelled.status == .ok, "\(cancelled.text)")
            #expect(cancelled.json["cancellation"]["reason"].string == "escrito dos veces, ñ")
            let again = await post(shop, "/v1/sales/\(first.uppercased())/cancel", owner, key: "k", reason)
            #expect(again.text == cancelled.text && again["idempotency-replayed"] == "true")
            let other = await post(shop, "/v1/sales/\(second)/cancel", owner, key: "k", reason)
            #expect(other.json["code"].string == "idempotency_key_reused", "\(other.text)")
            let read = await shop.send(.get, "/v1/sales/\(second)", token: owner)
            #expect(read.json["status"].string == "confirmed")
            let list = await shop.send(.get, "/v1/sales?status=cancelled", token: owner)
            #expect(list.json["data"].elements.map { $0["id"].string } == [first])
        }
    }

    @Test("a remark is written on a sale that was cancelled, too, by whoever has read it last")
    func remarks() async throws {
        try await open { shop, owner in
            let sale = try await sell(shop, owner).sale
            let place = "/v1/sales/\(sale)"
            func patch(_ body: String, tag: String) async -> Reply {
                await shop.send(.patch, place, token: owner, ["If-Match": tag], body: body)
            }
            let noted = await patch(#"{"note":"para el señor\nNúñez"}"#, tag: #""1""#)
            #expect(noted.json["note"].string == "para el señor\nNúñez", "\(noted.text)")
            #expect(noted["etag"] == #""2""#)
            let late = await patch(#"{"note":"other"}"#, tag: #""1""#)
            #expect(late.json["code"].string == "version_mismatch")
            #expect(await post(shop, "\(place)/cancel", owner, #"{"reason":"r"}"#).status == .ok)
            #expect(await patch("{}", tag: #""3""#).json["note"].string == "para el señor\nNúñez")
            #expect(await patch(#"{"note":null}"#, tag: #""4""#).json["note"] == .null)
            #expect(await patch(#"{"total":"1.00"}"#, tag: "*").status == .badRequest)
            #expect(await shop.send(.get, place, token: owner).json["version"].int == 5)
        }
    }

    @Test("a reason is not blank, a quantity above zero, and a refusal is kept with its key")
    func refusals() async throws {
        try await open { shop, owner in
            let (sale, line) = try await sell(shop, owner)
            let blank = await post(shop, "/v1/sales/\(sale)/cancel", owner, #"{"reason":" "}"#)
            #expect(blank.status.code == 422 && blank.json["errors"][0]["pointer"].string == "/reason", "\(blank.text)")
            func body(_ quantity: String, _ amount: String) -> String {
                #"{"lines":[{"sale_line_id":"\#(line)","quantity":"\#(quantity)"}],"#
                    + #""payments":[{"method":"card","amount":"\#(amount)"}]}"#
            }
            let none = await post(shop, "/v1/sales/\(sale)/returns", owner, body("0", "10.02"))
            #expect(none.status.code == 422 && none.json["errors"][0]["pointer"].string == "/lines/0/quantity")
            let much = await post(shop, "/v1/sales/\(sale)/returns", owner, key: "m", body("2", "20.04"))
            #expect(much.json["code"].string == "refund_exceeds_sold", "\(much.text)")
            #expect(much.json["errors"][0]["available"].string == "1")
            let kept = await post(shop, "/v1/sales/\(sale)/returns", owner, key: "m", body("2", "20.04"))
            #expect(kept.text == much.text && kept["idempotency-replayed"] == "true")
            let back = await post(shop, "/v1/sales/\(sale)/returns", owner, body("1", "10.02"))
            #expect(back.status == .created, "\(back.text)")
            let place = try #require(back["location"])
            #expect(await shop.send(.get, place, token: owner).text == back.text)
            let listed = await shop.send(.get, "/v1/returns?sale_id=\(sale)", token: owner)
            #expect(listed.json["data"][0]["id"] == back.json["id"], "\(listed.text)")
        }
    }
}

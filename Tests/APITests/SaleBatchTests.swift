import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import API

@Suite("Many sales at once, over HTTP")
struct SaleBatchTests {
    private static func sale(_ key: String, _ amount: String, sku: String = "T", more: String = "") -> String {
        """
        {"key":"\(key)","sale":{\(more)"lines":[{"sku":"\(sku)","quantity":"1","unit_price":"10.02"}],\
        "payments":[{"method":"card","amount":"\(amount)"}]}}
        """
    }

    @Test(
        "each sale of a batch has its own answer and key, offline or not, and one that is wrong keeps no other from being sold"
    )
    func batch() async throws {
        let database = try await PostgresServer.shared().database(named: "sale_batch")
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            try await walk(shop)
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func walk(_ shop: TestShop) async throws {
        let owner = try await shop.signUp()
        let made = await shop.send(
            .post,
            "/v1/products",
            token: owner,
            body: #"{"name":"Té","sku":"T","price":"10.02"}"#
        )
        #expect(made.status == .created, "\(made.text)")
        let id = UUID().uuidString.lowercased()
        let fact = #""recorded":"offline","id":"\#(id)","occurred_at":"2026-01-05T10:00:00Z","#
        let offline = Self.sale("k-1", "10.02", more: fact)
        let wrong = Self.sale("k-2", "10.03", more: fact.replacingOccurrences(of: id, with: UUID().uuidString))
        let sales = [
            offline, Self.sale("k-3", "10.02"), wrong, #"{"key":"k-4","sale":{"lines":[],"colour":"red"}}"#,
            Self.sale("k-5", "10.02", sku: "Ñ"), offline,
        ]
        let reply = await shop.send(
            .post,
            "/v1/sales/batch",
            token: owner,
            body: #"{"sales":[\#(sales.joined(separator: ","))]}"#
        )
        #expect(reply.status == .ok, "\(reply.text)")
        let data = reply.json["data"].elements
        #expect(
            data.map { $0["problem"]["code"].string } == [
                nil, "insufficient_stock", "payment_mismatch", "invalid_request", "validation_failed", nil,
            ]
        )
        #expect(data.first?["sale"]["id"].string == id)
        #expect(data.first?["sale"]["exceptions"][0]["code"].string == "insufficient_stock")
        #expect(data.last?["sale"]["number"] == data.first?["sale"]["number"])
        #expect(data.last?["replayed"] == .bool(true))
        #expect(reply["stock-consistency"] != nil)
        // Alone, under the same key, it is the same.
        let body = String(offline.dropFirst(#"{"key":"k-1","sale":"#.count).dropLast())
        let alone = await shop.send(.post, "/v1/sales", token: owner, ["Idempotency-Key": "k-1"], body: body)
        #expect(alone["idempotency-replayed"] == "true", "\(alone.text)")
        // In quotes it is the same key, as in the field.
        let quoted = await shop.send(
            .post,
            "/v1/sales/batch",
            token: owner,
            body: #"{"sales":[\#(offline.replacing("\"k-1\"", with: #""\"k-1\"""#))]}"#
        )
        #expect(quoted.json["data"][0]["replayed"] == .bool(true), "\(quoted.text)")
        // Another sale under it is told so, whatever is wrong with that sale.
        let other = Self.sale("k-1", "10.03", more: fact)
        let reused = await shop.send(.post, "/v1/sales/batch", token: owner, body: #"{"sales":[\#(other)]}"#)
        #expect(reused.json["data"][0]["problem"]["code"].string == "idempotency_key_reused", "\(reused.text)")
        // What is missing or null is required, and what is wrong is not missing as well; nothing of it is sold as if it happened now.
        let paid = #""payments":[{"method":"card","amount":"10.02"}]"#
        for (fields, price, faults) in [
            ("", "", ["/lines/0/unit_price required", "/id required", "/occurred_at required"]),
            (
                #""id":null,"occurred_at":null,"#, #","unit_price":null"#,
                ["/lines/0/unit_price required", "/id required", "/occurred_at required"]
            ),
            (#""id":"\#(id)","occurred_at":null,"#, #","unit_price":"10.02""#, ["/occurred_at required"]),
            (
                #""id":"x","occurred_at":"x","#, #","unit_price":"-1""#,
                ["/id format", "/occurred_at format", "/lines/0/unit_price out_of_range"]
            ),
        ] {
            let incomplete = await shop.send(
                .post,
                "/v1/sales",
                token: owner,
                ["Idempotency-Key": UUID().uuidString],
                body: #"{"recorded":"offline",\#(fields)"lines":[{"sku":"T","quantity":"1"\#(price)}],\#(paid)}"#
            )
            #expect(
                incomplete.json["errors"].elements.map { "\($0["pointer"].string ?? "") \($0["code"].string ?? "")" }
                    == faults,
                "\(incomplete.text)"
            )
        }
        let draft = await shop.send(
            .post,
            "/v1/sales",
            token: owner,
            ["Idempotency-Key": "k-10"],
            body: #"{"status":"draft",\#(fact)"lines":[{"sku":"T","quantity":"1","unit_price":"10.02"}]}"#
        )
        #expect(draft.status == .unprocessableContent)
        #expect(
            draft.json["errors"].elements.map { $0["pointer"].string } == ["/recorded", "/occurred_at"],
            "\(draft.text)"
        )
        let list = await shop.send(.get, "/v1/exceptions", token: owner)
        let exception = try #require(list.json["data"][0]["id"].string, "\(list.text)")
        let settled = await shop.send(
            .post,
            "/v1/exceptions/\(exception)/settle",
            token: owner,
            ["Idempotency-Key": "s-1"],
            body: #"{"note":"Recontado por Núñez."}"#
        )
        #expect(settled.json["status"].string == "settled", "\(settled.text)")
        let settledOnes = await shop.send(.get, "/v1/exceptions?status=settled", token: owner)
        #expect(settledOnes.json["data"].elements.map { $0["id"].string } == [exception])
    }
}

import HTTPTypes
import Metrics
import TestSupport
import Testing

@testable import API

@Suite("What was sold, for who runs the instance")
struct SalesMetricsTests {
    @Test("a sale is counted once, by currency, whichever way it came; what is refused or a draft is not")
    func counted() async throws {
        let database = try await PostgresServer.shared().database(named: #function)
        let registry = MetricsRegistry()
        func text() -> String { String(decoding: registry.text(), as: UTF8.self) }
        let shop = try await withMetricsFactory(registry) {
            try await TestShop(url: database.appURL, runs: true, metrics: registry)
        }
        do {
            let owner = try await shop.signUp()
            let product = #"{"name":"Té","sku":"T","price":"10.02","tracks_stock":true}"#
            _ = await shop.send(.post, "/v1/products", token: owner, body: product)
            let payments = #""payments":[{"method":"card","amount":"20.04"}]"#
            func sell(_ key: String, quantity: String) async -> Reply {
                let body = #"{"lines":[{"sku":"T","quantity":"\#(quantity)"}],\#(payments)}"#
                return await shop.send(.post, "/v1/sales", token: owner, ["Idempotency-Key": key], body: body)
            }
            let refused = await sell("a", quantity: "2")
            #expect(refused.json["code"].string == "insufficient_stock", "\(refused.text)")
            let untracked = await shop.send(
                .post,
                "/v1/products",
                token: owner,
                body: #"{"name":"Café","sku":"C","price":"10.02","tracks_stock":false}"#
            )
            #expect(untracked.status == .created, "\(untracked.text)")
            let body = #"{"lines":[{"sku":"C","quantity":"2"}],\#(payments)}"#
            for _ in 0..<2 {
                let sold = await shop.send(.post, "/v1/sales", token: owner, ["Idempotency-Key": "b"], body: body)
                #expect(sold.status == .created, "\(sold.text)")
            }
            let draft = await shop.send(
                .post,
                "/v1/sales",
                token: owner,
                ["Idempotency-Key": "c"],
                body: #"{"status":"draft","lines":[{"sku":"C","quantity":"2"}]}"#
            )
            let id = try #require(draft.json["id"].string, "\(draft.text)")
            #expect(text().contains("\nstock_sales_total{currency=\"EUR\"} 1\n"))
            let confirmed = await shop.send(
                .post,
                "/v1/sales/\(id)/confirm",
                token: owner,
                ["Idempotency-Key": "d"],
                body: "{\(payments)}"
            )
            #expect(confirmed.status == .ok, "\(confirmed.text)")
            #expect(text().contains("\nstock_sales_total{currency=\"EUR\"} 2\n"))
            #expect(text().contains("\nstock_sales_amount_total{currency=\"EUR\"} 40.08\n"))
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }
}

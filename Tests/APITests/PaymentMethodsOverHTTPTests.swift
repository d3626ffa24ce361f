import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import API

@Suite("The ways a shop is paid, over HTTP")
struct PaymentMethodsOverHTTPTests {
    /// A shop of its own that sells tea at 10.02, and its owner's token.
    private func open(
        _ name: String = #function,
        _ body: (TestShop, _ owner: String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let owner = try await shop.signUp()
            let made = await shop.send(
                .post,
                "/v1/products",
                token: owner,
                body: #"{"name":"Té","sku":"T","price":"10.02","tracks_stock":false}"#
            )
            #expect(made.status == .created, "\(made.text)")
            try await body(shop, owner)
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func sell(_ shop: TestShop, _ owner: String, _ payments: String) async -> Reply {
        await shop.send(
            .post,
            "/v1/sales",
            token: owner,
            ["Idempotency-Key": UUID().uuidString],
            body: #"{"lines":[{"sku":"T","quantity":"1"}],"payments":[\#(payments)]}"#
        )
    }

    @Test("a shop makes a method, is paid by it, asks for its money, and archives it")
    func life() async throws {
        try await open { shop, owner in
            let body = #"{"code":"mercado_pago","name":"Mercado Pago ñ","kind":"other"}"#
            let made = await shop.send(.post, "/v1/payment-methods", token: owner, body: body)
            #expect(made.status == .created, "\(made.text)")
            #expect(made.json["active"] == .bool(true))
            #expect(made.json["opens_drawer"] == .bool(false))
            let sold = await sell(shop, owner, #"{"method":"mercado_pago","amount":"10.02","tip":"1.00"}"#)
            #expect(sold.status == .created, "\(sold.text)")
            let today = try #require(sold.json["business_day"].string)
            for (query, income) in [("all", "11.02"), ("mercado_pago", "11.02"), ("cash", "0.00"), ("nothing", "0.00")]
            {
                let path = "/v1/balance/series?view=daily&from=\(today)&to=\(today)&method=\(query)"
                let series = await shop.send(.get, path, token: owner)
                #expect(series.json["data"][0]["income"].string == income, "\(series.text)")
                #expect(series.json["method"].string == query)
            }
            for (query, count) in [("mercado_pago", 1), ("cash", 0), ("nothing", 0)] {
                let list = await shop.send(.get, "/v1/payments?method=\(query)", token: owner)
                #expect(list.json["data"].elements.count == count, "\(list.text)")
            }
            let id = try #require(made.json["id"].string)
            let deleted = await shop.send(.delete, "/v1/payment-methods/\(id)", token: owner, ["If-Match": "*"])
            #expect(deleted.json["code"].string == "in_use")
            let archived = await shop.send(
                .patch,
                "/v1/payment-methods/\(id)",
                token: owner,
                ["If-Match": "*"],
                body: #"{"active":false}"#
            )
            #expect(archived.json["active"] == .bool(false), "\(archived.text)")
            let refused = await sell(shop, owner, #"{"method":"mercado_pago","amount":"10.02"}"#)
            #expect(refused.status.code == 422)
            #expect(refused.json["errors"][0]["pointer"].string == "/payments/0/method")
        }
    }

    @Test("a code is fixed, has a shape, and is not the word for all of them, wherever it is read")
    func codes() async throws {
        try await open { shop, owner in
            for code in ["all", "Cash", "tarjeta-débito", ""] {
                let body = #"{"code":"\#(code)","name":"x","kind":"card"}"#
                let made = await shop.send(.post, "/v1/payment-methods", token: owner, body: body)
                #expect(made.status.code == 422, "\(made.text)")
                #expect(made.json["errors"][0]["pointer"].string == "/code")
            }
            let taken = await shop.send(
                .post,
                "/v1/payment-methods",
                token: owner,
                body: #"{"code":"cash","name":"Kasse ß","kind":"cash"}"#
            )
            #expect(taken.json["code"].string == "duplicate")
            let list = await shop.send(.get, "/v1/payment-methods", token: owner)
            let id = try #require(list.json["data"][0]["id"].string)
            let renamed = await shop.send(
                .patch,
                "/v1/payment-methods/\(id)",
                token: owner,
                ["If-Match": "*"],
                body: #"{"code":"other"}"#
            )
            #expect(renamed.status == .badRequest, "\(renamed.text)")
            for path in [
                "/v1/payments?method=all", "/v1/payments?method=Cash", "/v1/balance/series?view=daily&method=Cash",
            ] {
                let refused = await shop.send(.get, path, token: owner)
                #expect(refused.status == .badRequest, "\(path)")
                #expect(refused.json["errors"][0]["pointer"].string == "?method")
            }
            let sold = await sell(shop, owner, #"{"method":"all","amount":"10.02"}"#)
            #expect(sold.json["errors"][0]["pointer"].string == "/payments/0/method")
        }
    }

    @Test("cash in steps is a setting of the shop, and the next sale heeds it")
    func rounding() async throws {
        try await open { shop, owner in
            let exact = await sell(shop, owner, #"{"method":"cash","amount":"10.02"}"#)
            #expect(exact.json["rounding"].string == "0.00", "\(exact.text)")
            let set = await shop.send(
                .patch,
                "/v1/tenant",
                token: owner,
                ["If-Match": "*"],
                body: #"{"cash_rounding":"0.05"}"#
            )
            #expect(set.json["cash_rounding"].string == "0.05", "\(set.text)")
            let refused = await sell(shop, owner, #"{"method":"cash","amount":"10.02"}"#)
            #expect(refused.json["code"].string == "payment_mismatch", "\(refused.text)")
            let rounded = await sell(
                shop,
                owner,
                #"{"method":"cash","amount":"10.00","tip":"0.50","tendered":"20.00"}"#
            )
            #expect(rounded.status == .created, "\(rounded.text)")
            #expect(rounded.json["rounding"].string == "-0.02")
            #expect(rounded.json["total"].string == "10.02")
            #expect(rounded.json["change"].string == "9.50")
            #expect(rounded.json["payments"][0]["tip"].string == "0.50")
            for step in ["0.005", "-1", "five"] {
                let wrong = await shop.send(
                    .patch,
                    "/v1/tenant",
                    token: owner,
                    ["If-Match": "*"],
                    body: #"{"cash_rounding":"\#(step)"}"#
                )
                #expect(wrong.status.code == 422, "\(wrong.text)")
                #expect(wrong.json["errors"][0]["pointer"].string == "/cash_rounding")
            }
        }
    }
}

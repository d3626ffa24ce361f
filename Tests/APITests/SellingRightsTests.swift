import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import API

@Suite("What the till may sell below the list price")
struct SellingRightsTests {
    /// A shop with a product of 10.00, and tokens of its owner and of somebody whose role the test chooses.
    private func shop(
        _ name: String = #function,
        _ body: (TestShop, TestDatabase, _ owner: String, _ till: String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let owner = try await shop.signUp()
            let made = await shop.send(
                .post,
                "/v1/products",
                token: owner,
                body: #"{"name":"Tea","sku":"T","price":"10.00","tracks_stock":false}"#
            )
            #expect(made.status == .created, "\(made.text)")
            let signup = await shop.send(
                .post,
                "/v1/signup",
                body: """
                    {"tenant_name":"Other","slug":"other","email":"bo@example.com","password":"a long enough one",\
                    "currency":"GBP","timezone":"Europe/London"}
                    """
            )
            #expect(signup.status == .created, "\(signup.text)")
            try await database.psql(
                """
                INSERT INTO stock.membership (tenant_id, user_id, role)
                SELECT t.id, u.id, 'cashier' FROM stock.tenant t, stock.app_user u
                WHERE t.slug = 'corner' AND u.email = 'bo@example.com'
                """
            )
            let login = await shop.send(
                .post,
                "/v1/auth/login",
                body: #"{"email":"bo@example.com","password":"a long enough one","tenant":"corner"}"#
            )
            let till = try #require(login.json["access_token"].string, "\(login.text)")
            try await body(shop, database, owner, till)
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func sell(
        _ shop: TestShop,
        _ token: String,
        price: String? = nil,
        discount: String = "0.00",
        documentDiscount: String = "0.00",
        pays amount: String,
        key: String = UUID().uuidString
    ) async -> Reply {
        let unitPrice = price.map { #","unit_price":"\#($0)""# } ?? ""
        return await shop.send(
            .post,
            "/v1/sales",
            token: token,
            ["Idempotency-Key": key],
            body: """
                {"lines":[{"sku":"t","quantity":"1"\(unitPrice),"discount":"\(discount)"}],\
                "discount":"\(documentDiscount)","payments":[{"method":"card","amount":"\(amount)"}]}
                """
        )
    }

    private func allow(_ shop: TestShop, _ owner: String, _ body: String) async {
        let changed = await shop.send(.patch, "/v1/tenant", token: owner, ["If-Match": "*"], body: body)
        #expect(changed.status == .ok, "\(changed.text)")
    }

    @Test("a cashier sells at list price, or above it, whichever way the price is brought down")
    func cashier() async throws {
        try await self.shop { shop, _, _, till in
            #expect(await self.sell(shop, till, pays: "10.00").status == .created)
            #expect(await self.sell(shop, till, price: "10.00", pays: "10.00").status == .created)
            #expect(await self.sell(shop, till, price: "12.00", pays: "12.00").status == .created)
            let cheap = await self.sell(shop, till, price: "0.01", pays: "0.01")
            #expect(cheap.status == .forbidden, "\(cheap.text)")
            #expect(cheap.json["code"].string == "discount_limit")
            #expect(cheap.json["errors"][0]["pointer"].string == "/lines/0/unit_price")
            #expect(cheap.json["errors"][0]["limit"].string == "0")
            #expect(cheap.json["errors"][0]["list_price"].string == "10.00")
            let off = await self.sell(shop, till, discount: "9.99", pays: "0.01")
            #expect(off.json["errors"][0]["pointer"].string == "/lines/0/discount", "\(off.text)")
            let whole = await self.sell(shop, till, documentDiscount: "0.01", pays: "9.99")
            #expect(whole.json["errors"][0]["pointer"].string == "/discount", "\(whole.text)")
            let raised = await self.sell(shop, till, price: "12.00", documentDiscount: "2.00", pays: "10.00")
            #expect(raised.status == .forbidden, "a price above the list makes up for nothing: \(raised.text)")
        }
    }

    @Test("the tenant sets how far a cashier may go, and the next sale goes by it")
    func limits() async throws {
        try await self.shop { shop, _, owner, till in
            await self.allow(shop, owner, #"{"cashier_discount_limit":"12.5"}"#)
            #expect(await self.sell(shop, till, price: "8.75", pays: "8.75").status == .created)
            let below = await self.sell(shop, till, price: "8.74", pays: "8.74")
            #expect(below.json["errors"][0]["limit"].string == "12.5", "\(below.text)")
            let both = await self.sell(shop, till, discount: "1.00", documentDiscount: "0.26", pays: "8.74")
            #expect(both.status == .forbidden, "discounts add up: \(both.text)")
            #expect(
                await self.sell(shop, till, discount: "1.00", documentDiscount: "0.25", pays: "8.75").status
                    == .created
            )
            await self.allow(shop, owner, #"{"cashier_discount_limit":null}"#)
            #expect(await self.sell(shop, till, price: "0.01", pays: "0.01").status == .created)
            for wrong in [#""101""#, #""-1""#, #""1.234""#, "5"] {
                let refused = await shop.send(
                    .patch,
                    "/v1/tenant",
                    token: owner,
                    ["If-Match": "*"],
                    body: #"{"cashier_discount_limit":\#(wrong)}"#
                )
                #expect(refused.json["errors"][0]["pointer"].string == "/cashier_discount_limit", "\(refused.text)")
            }
        }
    }

    @Test("an owner sells as they like, a manager too until a limit is set")
    func manager() async throws {
        try await self.shop { shop, database, owner, till in
            #expect(await self.sell(shop, owner, price: "0.01", pays: "0.01").status == .created)
            try await database.psql(
                "UPDATE stock.membership SET role = 'manager', version = version + 1 WHERE role = 'cashier'"
            )
            try await eventually("the till is a manager's") {
                await shop.send(.get, "/v1/me", token: till).json["role"].string == "manager"
            }
            #expect(await self.sell(shop, till, price: "0.01", pays: "0.01").status == .created)
            await self.allow(shop, owner, #"{"manager_discount_limit":"50"}"#)
            #expect(await self.sell(shop, till, price: "4.99", pays: "4.99").status == .forbidden)
            #expect(await self.sell(shop, owner, price: "4.99", pays: "4.99").status == .created)
        }
    }

    @Test("a refused sale may be sent again, with the same key, by somebody who may sell it")
    func approved() async throws {
        try await self.shop { shop, _, owner, till in
            let refused = await self.sell(shop, till, price: "1.00", pays: "1.00", key: "receipt-1")
            #expect(refused.status == .forbidden)
            let sold = await self.sell(shop, owner, price: "1.00", pays: "1.00", key: "receipt-1")
            #expect(sold.status == .created, "\(sold.text)")
            #expect(sold["idempotency-replayed"] == nil)
        }
    }

    @Test("a key sells below the list price by a scope of its own")
    func keys() async throws {
        try await self.shop { shop, _, owner, _ in
            for (scopes, status) in [(#""sales:write""#, 403), (#""sales:write","sales:discount""#, 201)] {
                let made = await shop.send(
                    .post,
                    "/v1/api-keys",
                    token: owner,
                    body: #"{"name":"key \#(status)","scopes":[\#(scopes)]}"#
                )
                let key = try #require(made.json["secret"].string, "\(made.text)")
                #expect(await self.sell(shop, key, pays: "10.00").status == .created)
                #expect(await self.sell(shop, key, price: "1.00", pays: "1.00").status.code == status)
            }
        }
    }

    @Test(
        "a return without a sale goes as far as the tenant lets the role, and an approval further; the return tells of it"
    )
    func returns() async throws {
        try await self.shop { shop, _, owner, till in
            await self.allow(shop, owner, #"{"returns_without_sale":"allow"}"#)
            func takeBack(_ amount: String, _ approval: String? = nil) async -> Reply {
                let line = #"{"sku":"t","quantity":"1","unit_price":"\#(amount)"}"#
                let given = approval.map { #""approval":"\#($0)","# } ?? ""
                return await shop.send(
                    .post,
                    "/v1/returns",
                    token: till,
                    ["Idempotency-Key": UUID().uuidString],
                    body: #"{\#(given)"lines":[\#(line)],"payments":[{"method":"card","amount":"\#(amount)"}]}"#
                )
            }
            let refused = await takeBack("5.00")
            #expect(refused.status == .forbidden, "\(refused.text)")
            #expect(refused.json["code"].string == "return_limit")
            await self.allow(shop, owner, #"{"cashier_return_limit":"5.00"}"#)
            #expect(await takeBack("5.00").status == .created)
            let beyond = await takeBack("5.01")
            #expect(beyond.json["errors"][0]["limit"].string == "5.00", "\(beyond.text)")
            let given = await shop.send(.post, "/v1/approvals", token: owner, body: #"{"return_limit":"20.00"}"#)
            let approval = try #require(given.json["approval"].string, "\(given.text)")
            let back = await takeBack("5.01", approval)
            #expect(back.json["approval"]["return_limit"].string == "20.00", "\(back.text)")
            for wrong in [#""-1""#, #""0.005""#, "5"] {
                let body = #"{"cashier_return_limit":\#(wrong)}"#
                let settings = await shop.send(
                    .patch,
                    "/v1/tenant",
                    token: owner,
                    ["If-Match": "*"],
                    body: body
                )
                #expect(settings.json["errors"][0]["pointer"].string == "/cashier_return_limit", "\(settings.text)")
            }
        }
    }

    @Test("what nothing works by yet is not taken")
    func notYet() async throws {
        try await self.shop { shop, _, owner, _ in
            let key = await shop.send(
                .post,
                "/v1/api-keys",
                token: owner,
                body: #"{"name":"k","scopes":["webhooks:write"]}"#
            )
            #expect(key.status.code == 422, "\(key.text)")
            #expect(await shop.send(.get, "/v1/stock/movements?type=gift", token: owner).status == .badRequest)
        }
    }
}

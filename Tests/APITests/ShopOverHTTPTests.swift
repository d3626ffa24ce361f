import Cache
import HTTPTypes
import Kernel
import NIOCore
import TestSupport
import Testing

@testable import API

@Suite("A shop over HTTP, on a real database")
struct ShopOverHTTPTests {
    /// Runs a test with a shop that has just been opened and the owner's access token.
    private func shop(
        _ name: String = #function,
        _ body: (TestShop, String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        var settings = CacheSettings()
        // A busy machine may let a shorter one lapse.
        settings.lease = .seconds(600)
        let shop = try await TestShop(url: database.appURL, runs: true, cache: settings)
        do {
            try await eventually("the cache is in use") { shop.cache.isUsable }
            try await body(shop, try await shop.signUp())
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func hit(_ shop: TestShop, _ token: String, _ path: String) async throws -> Reply {
        try await shop.hit(token, path)
    }

    private func product(
        _ shop: TestShop,
        _ token: String,
        sku: String = "A1",
        price: String = "2.50"
    ) async throws -> String {
        let reply = await shop.send(
            .post,
            "/v1/products",
            token: token,
            body: #"{"name":"Coffee \#(sku)","sku":"\#(sku)","price":"\#(price)"}"#
        )
        #expect(reply.status == .created, "\(reply.text)")
        return try #require(reply.json["id"].string)
    }

    private func open(_ shop: TestShop, _ token: String, product: String, quantity: String = "10") async {
        let reply = await shop.send(
            .post,
            "/v1/stock/movements",
            token: token,
            ["Idempotency-Key": "open-\(product)"],
            body:
                #"{"movements":[{"product_id":"\#(product)","type":"opening","quantity":"\#(quantity)","reason":"start"}]}"#
        )
        #expect(reply.status == .created, "\(reply.text)")
    }

    @Test("who signs up can log in, refresh, see themselves and log out")
    func sessions() async throws {
        try await self.shop { shop, token in
            let me = await shop.send(.get, "/v1/me", token: token)
            #expect(me.status == .ok, "\(me.text)")
            #expect(me.json["role"].string == "owner")
            let wrong = await shop.send(
                .post,
                "/v1/auth/login",
                body: #"{"email":"ana@example.com","password":"another one"}"#
            )
            #expect(wrong.status == .unauthorized)
            let login = await shop.send(
                .post,
                "/v1/auth/login",
                body: #"{"email":"Ana@Example.com","password":"a long enough one","tenant":"corner"}"#
            )
            #expect(login.status == .ok, "\(login.text)")
            #expect(login.json["token_type"].string == "Bearer")
            let refresh = try #require(login.json["refresh_token"].string)
            let again = await shop.send(.post, "/v1/auth/refresh", body: #"{"refresh_token":"\#(refresh)"}"#)
            #expect(again.status == .ok, "\(again.text)")
            let second = try #require(again.json["access_token"].string)
            #expect(await shop.send(.get, "/v1/tenant", token: second).status == .ok)
            #expect(await shop.send(.post, "/v1/auth/logout", token: second, body: "{}").status == .noContent)
            #expect(await shop.send(.get, "/v1/tenant", token: second).status == .unauthorized)
            #expect(await shop.send(.get, "/v1/tenant", token: token).status == .ok)
        }
    }

    @Test("a product is made, read from memory, changed by its version, and deleted")
    func products() async throws {
        try await self.shop { shop, token in
            let id = try await self.product(shop, token)
            let first = await shop.send(.get, "/v1/products/\(id)", token: token)
            #expect(first.status == .ok, "\(first.text)")
            #expect(first["cache-status"]?.contains("fwd=miss") == true)
            let second = try await self.hit(shop, token, "/v1/products/\(id)")
            #expect(second.text == first.text)
            let etag = try #require(second["etag"])
            let unchanged = await shop.send(
                .get,
                "/v1/products/\(id)",
                token: token,
                ["If-None-Match": "\"x\", W/\(etag)"]
            )
            #expect(unchanged.status == .notModified)
            #expect(unchanged.body.readableBytes == 0)
            let fresh = await shop.send(.get, "/v1/products/\(id)", token: token, ["Cache-Control": "no-cache"])
            #expect(fresh["cache-status"] == "stock-l1; fwd=bypass")
            #expect(fresh.text == first.text)

            let patch = #"{"price":"3.00"}"#
            #expect(await shop.send(.patch, "/v1/products/\(id)", token: token, body: patch).status.code == 428)
            let stale = await shop.send(.patch, "/v1/products/\(id)", token: token, ["If-Match": "\"99\""], body: patch)
            #expect(stale.status == .preconditionFailed, "\(stale.text)")
            let changed = await shop.send(.patch, "/v1/products/\(id)", token: token, ["If-Match": etag], body: patch)
            #expect(changed.status == .ok, "\(changed.text)")
            #expect(changed.json["price"].string == "3.00")
            let read = await shop.send(.get, "/v1/products/\(id)", token: token)
            #expect(read.text == changed.text)
            #expect(read["etag"] == changed["etag"])

            let twin = await shop.send(
                .post,
                "/v1/products",
                token: token,
                body: #"{"name":"B","sku":" a1 ","price":"1"}"#
            )
            #expect(twin.status == .conflict, "\(twin.text)")
            let found = await shop.send(.get, "/v1/products/lookup?code=a1", token: token)
            #expect(found.json["data"][0]["id"].string == id, "\(found.text)")
            let gone = await shop.send(
                .delete,
                "/v1/products/\(id)",
                token: token,
                ["If-Match": try #require(read["etag"])]
            )
            #expect(gone.status == .noContent, "\(gone.text)")
            #expect(await shop.send(.get, "/v1/products/\(id)", token: token).status == .notFound)
            #expect(await shop.send(.get, "/v1/products/not-an-id", token: token).status == .notFound)
        }
    }

    @Test("a sale moves stock and money, and the series shows it at once")
    func sale() async throws {
        try await self.shop { shop, token in
            let id = try await self.product(shop, token)
            await self.open(shop, token, product: id)
            let before = await shop.send(
                .get,
                "/v1/balance/series?view=yearly&from=2020-01-01&to=2030-12-31",
                token: token
            )
            #expect(before.status == .ok, "\(before.text)")
            let body =
                #"{"lines":[{"product_id":"\#(id)","quantity":"2"}],"payments":[{"method":"cash","amount":"5.00","tendered":"10.00"}]}"#
            let sale = await shop.send(.post, "/v1/sales", token: token, ["Idempotency-Key": "s-1"], body: body)
            #expect(sale.status == .created, "\(sale.text)")
            #expect(sale.json["total"].string == "5.00")
            #expect(sale.json["change"].string == "5.00")
            #expect(sale["location"]?.hasPrefix("/v1/sales/") == true)
            let again = await shop.send(.post, "/v1/sales", token: token, ["Idempotency-Key": "\"s-1\""], body: body)
            #expect(again.status == .created)
            #expect(again["idempotency-replayed"] == "true")
            #expect(again.text == sale.text)
            let other = await shop.send(
                .post,
                "/v1/sales",
                token: token,
                ["Idempotency-Key": "s-1"],
                body: body.replacing("\"2\"", with: "\"1\"")
            )
            #expect(other.status.code == 422)
            #expect(other.json["code"].string == "idempotency_key_reused")

            let after = await shop.send(
                .get,
                "/v1/balance/series?view=yearly&from=2020-01-01&to=2030-12-31",
                token: token
            )
            #expect(after.text != before.text)
            #expect(after.text.contains("\"5.00\""))
            let one = await shop.send(.get, try #require(sale["location"]), token: token)
            #expect(one.text == sale.text)
            for path in [
                "/v1/sales", "/v1/payments", "/v1/stock", "/v1/stock/movements", "/v1/products", "/v1/categories",
                "/v1/units",
                "/v1/customers", "/v1/registers", "/v1/users", "/v1/api-keys", "/v1/dashboard", "/v1/tenant",
                "/v1/balance/summary?from=2025-01-01&to=2027-12-31", "/v1/balance/series",
                "/v1/products?q=coffee&stock=ok&sort=-price&limit=1", "/v1/stock?stock=ok",
            ] {
                let miss = await shop.send(.get, path, token: token)
                #expect(miss.status == .ok, "\(path): \(miss.text)")
                let hit = try await self.hit(shop, token, path)
                #expect(hit.text == miss.text, "\(path)")
            }
        }
    }

    @Test("what is not there cannot be sold; the refusal is kept beside its key")
    func insufficient() async throws {
        try await self.shop { shop, token in
            let id = try await self.product(shop, token)
            await self.open(shop, token, product: id, quantity: "1")
            let body =
                #"{"lines":[{"product_id":"\#(id)","quantity":"2"}],"payments":[{"method":"card","amount":"5.00"}]}"#
            let refused = await shop.send(.post, "/v1/sales", token: token, ["Idempotency-Key": "n-1"], body: body)
            #expect(refused.status == .conflict, "\(refused.text)")
            #expect(refused["content-type"] == "application/problem+json")
            #expect(refused.json["code"].string == "insufficient_stock")
            #expect(refused.json["errors"][0]["available"].string == "1", "\(refused.text)")
            let again = await shop.send(.post, "/v1/sales", token: token, ["Idempotency-Key": "n-1"], body: body)
            #expect(again.status == .conflict)
            #expect(again["content-type"] == "application/problem+json")
            #expect(again["idempotency-replayed"] == "true")
            #expect(again.text == refused.text)
        }
    }

    @Test("a draft holds its goods back where the shop wants it, as products, levels, refusals and prices show")
    func reserved() async throws {
        try await self.shop { shop, token in
            let id = try await self.product(shop, token)
            await self.open(shop, token, product: id, quantity: "3")
            let settings = await shop.send(.get, "/v1/tenant", token: token)
            #expect(settings.json["draft_reservation_minutes"].string == nil)
            func set(_ body: String) async -> Reply {
                await shop.send(.patch, "/v1/tenant", token: token, ["If-Match": settings["etag"] ?? ""], body: body)
            }
            let long = await set(#"{"draft_reservation_minutes":10081,"quote_reservation_days":0}"#)
            #expect(long.status == .unprocessableContent, "\(long.text)")
            #expect(
                long.json["errors"].elements.map { $0["pointer"].string } == [
                    "/draft_reservation_minutes", "/quote_reservation_days",
                ]
            )
            let wanted = await set(#"{"draft_reservation_minutes":30,"quote_reservation_days":null}"#)
            #expect(wanted.status == .ok, "\(wanted.text)")
            #expect(wanted.text.contains(#""draft_reservation_minutes":30,"quote_reservation_days":null"#))
            let before = await shop.send(.get, "/v1/products/\(id)", token: token)
            #expect(before.json["available"].string == "3")

            let draft = await shop.send(
                .post,
                "/v1/sales",
                token: token,
                ["Idempotency-Key": "r-1"],
                body: #"{"status":"draft","lines":[{"product_id":"\#(id)","quantity":"2"}]}"#
            )
            #expect(draft.status == .created, "\(draft.text)")
            #expect(draft.json["reserved_until"].string != nil)
            let held = await shop.send(.get, "/v1/products/\(id)", token: token)
            #expect(held["etag"] != before["etag"])
            let levels = await shop.send(.get, "/v1/stock", token: token)
            let places = await shop.send(.get, "/v1/products/\(id)/stock", token: token)
            for body in [
                held.json, levels.json["data"][0], places.json, places.json["locations"][0],
            ] {
                #expect(
                    ["on_hand", "reserved", "available"].map { body[$0].string } == ["3", "2", "1"],
                    "\(held.text) \(levels.text) \(places.text)"
                )
            }
            let cart =
                #"{"lines":[{"product_id":"\#(id)","quantity":"2"}],"payments":[{"method":"card","amount":"5.00"}]}"#
            let refused = await shop.send(.post, "/v1/sales", token: token, ["Idempotency-Key": "r-2"], body: cart)
            #expect(refused.json["code"].string == "insufficient_stock", "\(refused.text)")
            let priced = await shop.send(.post, "/v1/sales/price", token: token, body: cart)
            for shortage in [refused.json["errors"][0], priced.json["warnings"][0]] {
                #expect(
                    ["requested", "available", "on_hand", "reserved"].map { shortage[$0].string } == [
                        "2", "1", "3", "2",
                    ]
                )
            }
            // Who holds it back: of a product, of a place, page by page.
            let other = await shop.send(
                .post,
                "/v1/sales",
                token: token,
                ["Idempotency-Key": "r-4"],
                body: #"{"status":"draft","lines":[{"product_id":"\#(id)","quantity":"1"}]}"#
            )
            let location = places.json["locations"][0]["location_id"].string ?? ""
            for filter in ["", "product_id=\(id)&", "location_id=\(location)&"] {
                let first = await shop.send(.get, "/v1/stock/reservations?\(filter)limit=1", token: token)
                let row = first.json["data"][0]
                #expect(
                    ["kind", "document_id", "product_id", "location_id", "quantity", "reserved_until"].map {
                        row[$0].string
                    }
                        == [
                            "sale", draft.json["id"].string, id, location, "2", draft.json["reserved_until"].string,
                        ],
                    "\(first.text)"
                )
                let cursor = first.json["next_cursor"].string ?? ""
                let second = await shop.send(
                    .get,
                    "/v1/stock/reservations?\(filter)limit=1&cursor=\(cursor)",
                    token: token
                )
                #expect(second.json["data"].elements.map { $0["document_id"].string } == [other.json["id"].string])
                #expect(second.json["next_cursor"].string == nil)
            }
            let elsewhere = await shop.send(.get, "/v1/stock/reservations?product_id=\(location)", token: token)
            #expect(elsewhere.json["data"].elements.isEmpty)
            let discarded = await shop.send(
                .post,
                "/v1/sales/\(other.json["id"].string ?? "")/discard",
                token: token,
                ["Idempotency-Key": "r-5"]
            )
            #expect(discarded.status == .ok, "\(discarded.text)")
            // What holds it back may sell it.
            let sold = await shop.send(
                .post,
                "/v1/sales/\(draft.json["id"].string ?? "")/confirm",
                token: token,
                ["Idempotency-Key": "r-3"],
                body: #"{"payments":[{"method":"card","amount":"5.00"}]}"#
            )
            #expect(sold.status == .ok, "\(sold.text)")
            #expect(sold.json["reserved_until"].string == nil)
            let after = await shop.send(.get, "/v1/products/\(id)", token: token)
            #expect(["on_hand", "reserved", "available"].map { after.json[$0].string } == ["1", "0", "1"])
        }
    }

    @Test("a customer owes what a sale left due, until it is paid")
    func credit() async throws {
        try await self.shop { shop, token in
            let id = try await self.product(shop, token)
            await self.open(shop, token, product: id)
            let customer = await shop.send(
                .post,
                "/v1/customers",
                token: token,
                body: #"{"name":"Berta","credit_limit":"100.00"}"#
            )
            #expect(customer.status == .created, "\(customer.text)")
            let who = try #require(customer.json["id"].string)
            let body =
                #"{"customer_id":"\#(who)","lines":[{"sku":"a1","quantity":"4"}],"payments":[{"method":"cash","amount":"4.00"}]}"#
            let sale = await shop.send(.post, "/v1/sales", token: token, ["Idempotency-Key": "c-1"], body: body)
            #expect(sale.status == .created, "\(sale.text)")
            #expect(sale.json["due"].string == "6.00")
            let owing = await shop.send(.get, "/v1/customers/\(who)", token: token)
            #expect(owing.json["balance"].string == "6.00")
            let saleID = try #require(sale.json["id"].string)
            let much = await shop.send(
                .post,
                "/v1/payments",
                token: token,
                ["Idempotency-Key": "p-1"],
                body: #"{"direction":"in","method":"cash","amount":"7.00","sale_id":"\#(saleID)"}"#
            )
            #expect(much.json["code"].string == "payment_exceeds_due", "\(much.text)")
            let paid = await shop.send(
                .post,
                "/v1/payments",
                token: token,
                ["Idempotency-Key": "p-2"],
                body: #"{"direction":"in","method":"cash","amount":"6.00","sale_id":"\#(saleID)"}"#
            )
            #expect(paid.status == .created, "\(paid.text)")
            #expect(await shop.send(.get, "/v1/customers/\(who)", token: token).json["balance"].string == "0.00")
            if let location = paid["location"] {
                #expect(await shop.send(.get, location, token: token).status == .ok)
            }
        }
    }

    @Test("an API key does what its scopes say and nothing after it was revoked")
    func keys() async throws {
        try await self.shop { shop, token in
            let made = await shop.send(
                .post,
                "/v1/api-keys",
                token: token,
                body: #"{"name":"till","scopes":["catalog:read"]}"#
            )
            #expect(made.status == .created, "\(made.text)")
            let secret = try #require(made.json["secret"].string)
            let id = try #require(made.json["id"].string)
            #expect(secret.hasPrefix("stk_"))
            #expect(await shop.send(.get, "/v1/products", token: secret).status == .ok)
            #expect(await shop.send(.get, "/v1/sales", token: secret).status == .forbidden)
            #expect(await shop.send(.get, "/v1/me", token: secret).status == .ok)
            #expect(await shop.send(.delete, "/v1/api-keys/\(id)", token: token).status == .noContent)
            #expect(await shop.send(.get, "/v1/products", token: secret).status == .unauthorized)
            #expect(await shop.send(.get, "/v1/products", token: secret + "x").status == .unauthorized)
        }
    }

    @Test("pages follow each other without a gap, and a cursor belongs to its query")
    func pages() async throws {
        try await self.shop { shop, token in
            for number in 1...5 { _ = try await self.product(shop, token, sku: "P\(number)") }
            var seen: [String] = []
            var cursor: String?
            repeat {
                let path = "/v1/products?limit=2" + (cursor.map { "&cursor=\($0)" } ?? "")
                let page = await shop.send(.get, path, token: token)
                #expect(page.status == .ok, "\(page.text)")
                seen += page.json["data"].elements.compactMap { $0["sku"].string }
                cursor = page.json["next_cursor"].string
                if let cursor {
                    let other = await shop.send(.get, "/v1/products?limit=2&sort=-name&cursor=\(cursor)", token: token)
                    #expect(other.json["code"].string == "cursor_mismatch", "\(other.text)")
                }
            } while cursor != nil && seen.count < 20
            #expect(seen == ["P1", "P2", "P3", "P4", "P5"])
        }
    }

    @Test("sales are sorted by what they came to within a month, which is to be named")
    func sortedSales() async throws {
        try await self.shop { shop, token in
            for (query, pointers) in [
                ("sort=total", ["?from", "?to"]), ("sort=-total&to=2026-01-31", ["?from"]),
                ("sort=total&from=2026-01-01&to=2026-02-01", ["?to"]),
                ("sort=total&from=2026-01-01&to=2026-01-31&number=7", ["?number"]),
            ] {
                let refused = await shop.send(.get, "/v1/sales?\(query)", token: token)
                #expect(refused.status == .badRequest, "\(query): \(refused.text)")
                #expect(refused.json["errors"].elements.compactMap { $0["pointer"].string } == pointers, "\(query)")
            }
            for query in [
                "sort=total&from=2026-01-01&to=2026-01-31", "sort=-total&from=2026-01-31&to=2026-01-31&expand=user",
            ] {
                let page = await shop.send(.get, "/v1/sales?\(query)", token: token)
                #expect(page.status == .ok, "\(query): \(page.text)")
            }
            let plain = await shop.send(.get, "/v1/sales", token: token)
            #expect(await shop.send(.get, "/v1/sales?sort=-occurred_at", token: token).text == plain.text)
        }
    }

    @Test("another tenant's id is one that does not exist")
    func tenants() async throws {
        try await self.shop { shop, token in
            let id = try await self.product(shop, token)
            let signup = await shop.send(
                .post,
                "/v1/signup",
                body: """
                    {"tenant_name":"Other","slug":"other","email":"bo@example.com","password":"a long enough one",\
                    "currency":"GBP","timezone":"Europe/London"}
                    """
            )
            let other = try #require(signup.json["access_token"].string)
            let foreign = await shop.send(.get, "/v1/products/\(id)", token: other, ["X-Request-Id": "same"])
            let random = await shop.send(
                .get,
                "/v1/products/\(ProductID.make())",
                token: other,
                ["X-Request-Id": "same"]
            )
            #expect(foreign.status == .notFound)
            #expect(foreign.json["detail"].string == random.json["detail"].string)
            let sale = await shop.send(
                .post,
                "/v1/sales",
                token: other,
                ["Idempotency-Key": "x"],
                body: #"{"lines":[{"product_id":"\#(id)","quantity":"1"}],"payments":[]}"#
            )
            #expect(sale.status.code == 422 || sale.status == .notFound, "\(sale.text)")
        }
    }

    @Test("the owner can look at the cache, retire it and test it")
    func cache() async throws {
        try await self.shop { shop, token in
            _ = try await self.hit(shop, token, "/v1/units")
            let retired = await shop.send(.post, "/v1/cache/invalidate", token: token, body: #"{"module":"units"}"#)
            #expect(retired.status == .ok, "\(retired.text)")
            #expect(await shop.send(.get, "/v1/units", token: token)["cache-status"] != "stock-l1; hit")
            #expect(await shop.send(.post, "/v1/cache/clear", token: token).status == .ok)
            let test = await shop.send(.post, "/v1/cache/test", token: token)
            #expect(test.json["status"].string == "ok", "\(test.text)")
            let stats = await shop.send(.get, "/v1/cache/stats", token: token)
            #expect(stats.text.contains("\"module\":\"units\""), "\(stats.text)")
            let health = await shop.send(.get, "/health/cache")
            #expect(health.json["status"].string == "ok", "\(health.text)")
            #expect(await shop.send(.get, "/health/ready").status == .ok)
            shop.api.lifecycle.beginDraining()
            let draining = await shop.send(.get, "/health/ready")
            #expect(draining.status == .serviceUnavailable)
            #expect(draining.json["code"].string == "draining")
            #expect(await shop.send(.get, "/health/live").status == .ok)
        }
    }

    @Test("bad input of every kind is a problem that names it, never a 500")
    func badInput() async throws {
        try await self.shop { shop, token in
            let id = try await self.product(shop, token)
            let bodies = [
                #"{"lines":[]}"#, #"{"lines":[{"quantity":"1"}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":1}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"1e3"}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"-1"}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"0.5"}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"99999999999999999999"}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"1"}],"payments":[{"method":"gold","amount":"1"}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"1"}],"payments":[{"method":"cash","amount":"2.505"}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"1"}],"payments":[{"method":"cash","amount":"9999999999"}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"1"}]}"#,
                #"{"lines":[{"product_id":"\#(ProductID.make())","quantity":"1"}],"payments":[]}"#,
                #"{"lines":[{"sku":"nothing","quantity":"1"}],"payments":[]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"1"}],"occurred_at":"2999-01-01T00:00:00Z","payments":[{"method":"cash","amount":"2.50"}]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"1"}],"customer_id":"\#(CustomerID.make())","payments":[]}"#,
                #"{"lines":[{"product_id":"\#(id)","quantity":"1"}],"register_id":"\#(RegisterID.make())","payments":[]}"#,
            ]
            for (index, body) in bodies.enumerated() {
                let reply = await shop.send(
                    .post,
                    "/v1/sales",
                    token: token,
                    ["Idempotency-Key": "b-\(index)"],
                    body: body
                )
                #expect((400..<500).contains(reply.status.code), "\(body): \(reply.text)")
                #expect(reply.json["detail"].string?.isEmpty == false)
                #expect(!reply.text.contains("SELECT") && !reply.text.contains("stock."), "\(reply.text)")
            }
            for path in [
                "/v1/balance/series?view=hourly", "/v1/balance/series?from=2026-02-30",
                "/v1/balance/series?from=2026-02-02&to=2026-02-01",
                "/v1/products?limit=0", "/v1/products?limit=201", "/v1/products?cursor=abc", "/v1/products?nothing=1",
                "/v1/products/lookup", "/v1/sales?from=x", "/v1/units?x=%",
            ] {
                let reply = await shop.send(.get, path, token: token)
                #expect((400..<500).contains(reply.status.code), "\(path): \(reply.status) \(reply.text)")
            }
        }
    }
}

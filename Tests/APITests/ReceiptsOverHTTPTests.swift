import Foundation
import HTTPTypes
import NIOCore
import TestSupport
import Testing

@testable import API

@Suite("Receipts, over HTTP")
struct ReceiptsOverHTTPTests {
    /// A shop that has sold a bag of tea to somebody, with the path of that sale.
    private func open(
        _ name: String = #function,
        _ body: (TestShop, _ owner: String, _ sale: String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let owner = try await shop.signUp()
            let product = #"{"name":"Té <verde>","sku":"T","price":"1010.00","tracks_stock":false}"#
            let made = await shop.send(.post, "/v1/products", token: owner, body: product)
            #expect(made.status == .created, "\(made.text)")
            let customer = await shop.send(.post, "/v1/customers", token: owner, body: #"{"name":"Ádám"}"#)
            let sold = await shop.send(
                .post,
                "/v1/sales",
                token: owner,
                ["Idempotency-Key": "one"],
                body: """
                    {"customer_id":"\(customer.json["id"].string ?? "")","lines":[{"sku":"T","quantity":"1"}],\
                    "payments":[{"method":"cash","amount":"1010.00","tendered":"1020.00"}]}
                    """
            )
            #expect(sold.status == .created, "\(sold.text)")
            try await body(shop, owner, try #require(sold["location"]))
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    @Test("are JSON, a page or text, as Accept says, each under a tag of its own")
    func forms() async throws {
        try await open { shop, owner, sale in
            let path = sale + "/receipt"
            let data = await shop.send(.get, path, token: owner)
            #expect(data["content-type"] == "application/json" && data["vary"] == "Authorization, Accept")
            let read = await shop.send(.get, sale, token: owner)
            #expect(data.json["sale"] == read.json)
            #expect(data.json["customer"]["name"].string == "Ádám" && data.json["register"].string != nil)
            let page = await shop.send(.get, path, token: owner, ["Accept": "text/html,*/*;q=0.1"])
            #expect(page["content-type"] == "text/html; charset=utf-8")
            #expect(page.text.contains("Té &lt;verde&gt;") && page.text.contains("<body class=\"w80\">"))
            let policy = try #require(page["content-security-policy"])
            #expect(policy.hasPrefix("default-src 'none'; frame-ancestors 'none'; style-src 'sha256-"), "\(policy)")
            #expect(data["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'")
            let text = await shop.send(.get, path + "?width=58&lang=pt", token: owner, ["Accept": "text/plain"])
            #expect(text["content-type"] == "text/plain; charset=utf-8")
            #expect(text.text.contains("Troco") && text.text.contains("1.010,00"), "\(text.text)")
            let tags = [data, page, text].compactMap { $0["etag"] }
            #expect(Set(tags).count == 3)
            for (type, tag) in zip(["application/json", "text/html"], tags) {
                let again = await shop.send(.get, path, token: owner, ["Accept": type, "If-None-Match": tag])
                #expect(again.status == .notModified, "\(type)")
                let other = type == "text/html" ? "application/json" : "text/html"
                let changed = await shop.send(.get, path, token: owner, ["Accept": other, "If-None-Match": tag])
                #expect(changed.status == .ok, "\(other)")
            }
            let refused = await shop.send(.get, path, token: owner, ["Accept": "application/pdf"])
            #expect(refused.status == .notAcceptable && refused["vary"] == "Accept")
            #expect(refused.json["errors"].elements.count == 3)
            for query in ["width=70", "lang=fr", "lang=DE", "height=1"] {
                let wrong = await shop.send(.get, "\(path)?\(query)", token: owner)
                #expect(wrong.status == .badRequest, "\(query)")
            }
        }
    }

    @Test("show at once who and what was renamed since, and are not sent again while nothing was")
    func renamed() async throws {
        try await open { shop, owner, sale in
            let path = sale + "/receipt"
            let customer = try #require(await shop.send(.get, sale, token: owner).json["customer_id"].string)
            func read(_ tag: String? = nil) async -> Reply {
                let fields = tag.map { ["Accept": "text/plain", "If-None-Match": $0] } ?? ["Accept": "text/plain"]
                return await shop.send(.get, path, token: owner, fields)
            }
            let first = await read()
            #expect(first.text.contains("Ádám"))
            var tag = try #require(first["etag"])
            #expect(await read(tag).status == .notModified)
            for (change, body, shown) in [
                ("/v1/customers/\(customer)", #"{"name":"Éva"}"#, "Éva"),
                ("/v1/tenant", #"{"receipt_footer":"¡Hasta pronto!","locale":"es"}"#, "¡Hasta pronto!"),
                ("/v1/registers/\(await register(shop, owner))", #"{"name":"Caja ñ"}"#, "Caja ñ"),
                ("/v1/payment-methods/\(await cash(shop, owner))", #"{"name":"Efectivo"}"#, "Efectivo"),
            ] {
                let changed = await shop.send(.patch, change, token: owner, ["If-Match": "*"], body: body)
                #expect(changed.status == .ok, "\(changed.text)")
                let reply = await read(tag)
                #expect(reply.status == .ok && reply.text.contains(shown), "\(change): \(reply.text)")
                tag = reply["etag"] ?? ""
            }
            let back = await shop.send(
                .post,
                sale + "/returns",
                token: owner,
                ["Idempotency-Key": "back"],
                body: """
                    {"lines":[{"sale_line_id":"\(await line(shop, owner, sale))","quantity":"1"}],\
                    "payments":[{"method":"cash","amount":"1010.00"}]}
                    """
            )
            #expect(back.status == .created, "\(back.text)")
            #expect(await read(tag).text.contains("Devolución 1"))
            let receipt = await shop.send(
                .get,
                "\(back["location"] ?? "")/receipt",
                token: owner,
                ["Accept": "text/plain"]
            )
            #expect(receipt.text.contains("Del recibo") && receipt.text.contains("Efectivo"), "\(receipt.text)")
        }
    }

    private func register(_ shop: TestShop, _ owner: String) async -> String {
        await shop.send(.get, "/v1/registers", token: owner).json["data"][0]["id"].string ?? ""
    }

    private func cash(_ shop: TestShop, _ owner: String) async -> String {
        let methods = await shop.send(.get, "/v1/payment-methods", token: owner).json["data"].elements
        return methods.first { $0["code"].string == "cash" }?["id"].string ?? ""
    }

    private func line(_ shop: TestShop, _ owner: String, _ sale: String) async -> String {
        await shop.send(.get, sale, token: owner).json["lines"][0]["id"].string ?? ""
    }
}

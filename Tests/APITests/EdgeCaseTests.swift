import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import API

/// Edge cases that are one rule at many doors; docs/edge-cases.md lists all of them with the tests that hold them.
@Suite("Edge cases")
struct EdgeCaseTests {
    /// A shop of its own, its owner's token and a supplier.
    private func open(
        _ name: String = #function,
        _ body: (TestShop, _ owner: String, _ supplier: String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let owner = try await shop.signUp()
            let supplier = await shop.send(.post, "/v1/suppliers", token: owner, body: #"{"name":"Ñandú SA"}"#)
            try await body(shop, owner, try #require(supplier.json["id"].string, "\(supplier.text)"))
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func post(_ shop: TestShop, _ path: String, _ owner: String, _ body: String) async -> Reply {
        await shop.send(.post, path, token: owner, ["Idempotency-Key": UUID().uuidString], body: body)
    }

    /// The ways in for a quantity of product T: paths, and bodies up to the quantity of their only line.
    private func doors(
        _ shop: TestShop,
        _ owner: String,
        _ supplier: String
    ) async throws -> [(path: String, body: String)] {
        let made = await post(shop, "/v1/products", owner, #"{"name":"Té","sku":"T","price":"0.10"}"#)
        #expect(made.status == .created, "\(made.text)")
        let second = await post(shop, "/v1/locations", owner, #"{"name":"Almacén","code":"A"}"#)
        let other = try #require(second.json["id"].string, "\(second.text)")
        let here = #""location_id":"00000000-0000-7000-8000-000000000001","#
        let way = #""from_location_id":"00000000-0000-7000-8000-000000000001","to_location_id":"\#(other)","#
        let fact =
            #""recorded":"offline","id":"\#(UUID().uuidString.lowercased())","occurred_at":"2026-01-05T10:00:00Z","#
        return [
            ("/v1/sales", #"{"lines":[{"sku":"T","quantity":"#),
            ("/v1/sales", #"{"status":"draft","lines":[{"sku":"T","quantity":"#),
            ("/v1/sales", #"{\#(fact)"lines":[{"sku":"T","unit_price":"0.10","quantity":"#),
            ("/v1/sales/price", #"{"lines":[{"sku":"T","quantity":"#),
            ("/v1/quotes", #"{"lines":[{"sku":"T","quantity":"#),
            (
                "/v1/purchases",
                #"{"supplier_id":"\#(supplier)",\#(here)"lines":[{"sku":"T","unit_cost":"1","quantity":"#
            ),
            ("/v1/transfers", #"{\#(way)"lines":[{"sku":"T","quantity":"#),
            ("/v1/stock/movements", #"{"movements":[{\#(here)"sku":"T","type":"loss","reason":"torn","quantity":"#),
        ]
    }

    @Test("a quantity of 0, below it, too fine, too large, of another form or no text has one code at every door")
    func quantities() async throws {
        try await open { shop, owner, supplier in
            let doors = try await doors(shop, owner, supplier)
            let figures = [
                (#""0""#, "out_of_range"), (#""-1""#, "out_of_range"), (#""0.5""#, "quantity_precision"),
                (#""1000000000000""#, "out_of_range"), (#""1e3""#, "format"), ("1", "type"), (#""""#, "format"),
            ]
            for (figure, code) in figures {
                // What is lost counts down whatever its sign.
                for (path, body) in doors where figure != #""-1""# || path != "/v1/stock/movements" {
                    let reply = await post(shop, path, owner, body + figure + "}]}")
                    let fault = reply.json["errors"].elements.first {
                        $0["pointer"].string?.hasSuffix("s/0/quantity") == true
                    }
                    #expect(fault?["code"].string == code, "\(figure) at \(path), \(body): \(reply.text)")
                }
            }
        }
    }

    @Test("a line whose names are all null names no product, with one code at every door")
    func nameless() async throws {
        try await open { shop, owner, supplier in
            for (path, body) in try await doors(shop, owner, supplier) {
                for names in [#""product_id":null"#, #""product_id":null,"sku":null,"packaging_id":null,"code":null"#] {
                    let named = body.replacing(#""sku":"T""#, with: names)
                    let reply = await post(shop, path, owner, named + #""1"}]}"#)
                    let fault = reply.json["errors"].elements.first
                    #expect(fault?["pointer"].string?.hasSuffix("s/0/product_id") == true, "\(named): \(reply.text)")
                    #expect(fault?["code"].string == "required", "\(named): \(reply.text)")
                }
            }
        }
    }

    @Test("a price of 0, leading zeros, emoji and 300 letters, however composed, stay as they were written")
    func texts() async throws {
        try await open { shop, owner, _ in
            // A letter of one, of two and of seven scalars; the second is the first, composed otherwise.
            for (letter, code) in [("Ñ", "007-Ñ"), ("N\u{303}", "007-N\u{303}"), ("👩‍👩‍👧‍👦", "007-😀")] {
                let name = String(repeating: letter, count: letter.unicodeScalars.count > 2 ? 300 / 7 : 300)
                let fields = #""name":"\#(name)","sku":"\#(code)","barcodes":["00\#(code.utf8.count)"],"price":"0""#
                let made = await post(shop, "/v1/products", owner, "{\(fields),\"tracks_stock\":false}")
                if letter.unicodeScalars.count == 2 {
                    #expect(made.json["code"].string == "duplicate", "\(made.text)")
                    continue
                }
                #expect(made.json["name"].string == name, "\(made.text)")
                #expect(made.json["sku"].string == code)
                #expect(made.json["barcodes"][0].string == "00\(code.utf8.count)")
                let sold = await post(shop, "/v1/sales", owner, #"{"lines":[{"sku":"\#(code)","quantity":"1"}]}"#)
                #expect(sold.json["total"].string == "0.00", "\(sold.text)")
                #expect(sold.json["payments"].elements.isEmpty)
            }
            let found = await shop.send(.get, "/v1/products?code=7", token: owner)
            #expect(found.json["data"].elements.isEmpty, "\(found.text)")
            for (area, limit) in [("products", 300), ("customers", 200), ("suppliers", 200), ("categories", 200)] {
                let (long, price) = (#""name":"\#(String(repeating: "ß", count: limit + 1))""#, #""price":"1","#)
                let refused = await post(shop, "/v1/\(area)", owner, "{\(area == "products" ? price : "")\(long)}")
                let fault = refused.json["errors"].elements.first { $0["pointer"].string == "/name" }
                #expect(fault?["code"].string == "too_long", "\(area): \(refused.text)")
            }
        }
    }
}

import Foundation
import HTTPTypes
import Kernel
import NIOCore
import TestSupport
import Testing

@testable import API

@Suite("Reports as tables")
struct TablesOverHTTPTests {
    private func open(
        _ name: String = #function,
        _ body: (TestShop, _ owner: String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            try await body(shop, try await shop.signUp())
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private static let csv = ["Accept": "text/csv"]

    @Test("a series is a table of its periods, with a tag of its own, that differs by Accept and is not sent twice")
    func series() async throws {
        try await open { shop, owner in
            let path = "/v1/balance/series?view=monthly&from=2026-01-01&to=2026-02-28"
            let table = await shop.send(.get, path, token: owner, Self.csv)
            #expect(table.status == .ok && table["content-type"] == "text/csv; charset=utf-8; header=present")
            #expect(table.text == "period,income,expense,net\r\n2026-01,0.00,0.00,0.00\r\n2026-02,0.00,0.00,0.00\r\n")
            #expect(table["vary"]?.contains("Accept") == true)
            let json = await shop.send(.get, path, token: owner)
            #expect(json["content-type"] == "application/json" && json["etag"] != table["etag"])
            let known = try #require(table["etag"])
            let again = await shop.send(.get, path, token: owner, ["Accept": "text/csv", "If-None-Match": known])
            #expect(again.status == .notModified && again["etag"] == known)
            let other = await shop.send(.get, path, token: owner, ["If-None-Match": known])
            #expect(other.status == .ok)
            let refused = await shop.send(.get, path, token: owner, ["Accept": "image/png"])
            #expect(refused.status.code == 406)
        }
    }

    @Test(
        "what a spreadsheet would compute is text, what is between quotes stays together, and the next page is linked"
    )
    func rows() async throws {
        try await open { shop, owner in
            for name in [#"=1+1"#, #"Ñandú, \"der\" Läufer"#, "-5.00 off", "@home"] {
                let customer = await shop.send(
                    .post,
                    "/v1/customers",
                    token: owner,
                    body: #"{"name":"\#(name)"}"#
                )
                let id = try #require(customer.json["id"].string, "\(customer.text)")
                let product = await shop.send(
                    .post,
                    "/v1/products",
                    token: owner,
                    body: #"{"name":"\#(name)","price":"2.50","tracks_stock":false,"sku":"\#(UUID().uuidString)"}"#
                )
                let sold = try #require(product.json["id"].string, "\(product.text)")
                let sale = await shop.send(
                    .post,
                    "/v1/sales",
                    token: owner,
                    ["Idempotency-Key": UUID().uuidString],
                    body: #"{"customer_id":"\#(id)","lines":[{"product_id":"\#(sold)","quantity":"1"}]}"#
                )
                #expect(sale.status == .created, "\(sale.text)")
            }
            let table = await shop.send(.get, "/v1/reports/receivables?limit=3", token: owner, Self.csv)
            let lines = table.text.components(separatedBy: "\r\n")
            #expect(
                lines.first
                    == "customer_id,name,current,days_1_30,days_31_60,days_61_90,days_over_90,total"
            )
            let names = lines.dropFirst().dropLast().map { $0.dropFirst(37) }
            #expect(
                names.map { String($0) }.sorted() == [
                    #"'-5.00 off,2.50,0.00,0.00,0.00,0.00,2.50"#, #"'=1+1,2.50,0.00,0.00,0.00,0.00,2.50"#,
                    #"'@home,2.50,0.00,0.00,0.00,0.00,2.50"#,
                ]
            )
            let link = try #require(table["link"])
            let next = try #require(link.split(separator: ">").first?.dropFirst())
            #expect(link.hasSuffix(#">; rel="next""#) && next.hasPrefix("/v1/reports/receivables?limit=3&cursor="))
            let rest = await shop.send(.get, String(next), token: owner, Self.csv)
            #expect(rest.text.contains(#","Ñandú, ""der"" Läufer",2.50,"#) && rest["link"] == nil)
            let top = await shop.send(.get, "/v1/reports/top-products?limit=1", token: owner, Self.csv)
            #expect(top.text.hasPrefix("product_id,sku,name,quantity,returned,revenue,cost,margin,margin_percent\r\n"))
            let value = await shop.send(.get, "/v1/reports/stock-value", token: owner, Self.csv)
            #expect(value.text.hasPrefix("date,currency,since,value\r\n"))
        }
    }

    @Test("every report, series, summary and statement is a table, too, with names where there is nothing")
    func all() async throws {
        try await open { shop, owner in
            let tabular = shop.api.routes.filter { $0.answerTypes.contains(.csv) }
            #expect(tabular.count >= 11)
            for route in shop.api.routes where route.area == "reports" || route.path.hasPrefix("/v1/balance/") {
                #expect(route.answerTypes.contains(.csv), "\(route.path)")
            }
            for route in tabular where route.pathParameters.isEmpty {
                let table = await shop.send(.get, route.path, token: owner, Self.csv)
                #expect(table.status == .ok && table.text.contains("\r\n"), "\(route.path): \(table.text)")
            }
        }
    }
}

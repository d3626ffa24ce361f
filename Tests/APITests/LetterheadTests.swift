import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import API

@Suite("A shop's letterhead, over HTTP")
struct LetterheadTests {
    @Test("is written by a patch, in normal form, emptied by null or a blank, and refused all at once")
    func letterhead() async throws {
        let database = try await PostgresServer.shared().database(named: "letterhead")
        let shop = try await TestShop(url: database.appURL, runs: true)
        let owner = try await shop.signUp()
        func change(_ body: String) async -> Reply {
            await shop.send(.patch, "/v1/tenant", token: owner, ["If-Match": "*"], body: body)
        }
        // An n with a tilde of its own, which is one letter when it is kept.
        let written = await change(
            """
            {"address":"Calle Mayor 1\\n28013 Madrid, Espan\u{303}a","tax_id":" B-1234 ","phone":"+34 91 000",\
            "receipt_footer":"\u{00A1}Gracias! \u{1F44B}","logo":"https://example.com/ñ.png"}
            """
        )
        #expect(written.status == .unprocessableContent)
        #expect(written.json["errors"].elements.compactMap { $0["pointer"].string } == ["/logo"])
        let right = await change(
            """
            {"address":"Calle Mayor 1\\n28013 Madrid, Espan\u{303}a","tax_id":" B-1234 ","phone":"+34 91 000",\
            "receipt_footer":"\u{00A1}Gracias! \u{1F44B}","logo":"logos/shop-1.png"}
            """
        )
        #expect(right.status == .ok, "\(right.text)")
        let read = await shop.send(.get, "/v1/tenant", token: owner)
        #expect(read.text == right.text)
        #expect(read.json["address"].string == "Calle Mayor 1\n28013 Madrid, Espa\u{F1}a")
        #expect(read.json["tax_id"].string == "B-1234" && read.json["logo"].string == "logos/shop-1.png")
        let emptied = await change(#"{"address":null,"tax_id":"  ","logo":"https://example.com/l.png?v=2"}"#)
        #expect(emptied.json["address"] == .null && emptied.json["tax_id"] == .null)
        #expect(emptied.json["phone"].string == "+34 91 000")
        #expect(emptied.json["logo"].string == "https://example.com/l.png?v=2")
        for logo in ["http://example.com/l.png", "javascript:alert(1)", "https://", "/etc/passwd", "a b"] {
            let refused = await change(#"{"logo":"\#(logo)"}"#)
            #expect(refused.json["errors"][0]["code"].string == "format", "\(logo)")
        }
        let long = String(repeating: "ñ", count: 1001)
        let refused = await change(#"{"receipt_footer":"\#(long)","phone":"\#(long)","address":"\#(long)"}"#)
        #expect(
            refused.json["errors"].elements.compactMap { $0["pointer"].string }.sorted()
                == ["/address", "/phone", "/receipt_footer"]
        )
        let place = "/v1/locations/00000000-0000-7000-8000-000000000001"
        let zone = #"{"timezone":"Europe/Lisbon","address":"Rua Ébano 2"}"#
        let moved = await shop.send(.patch, place, token: owner, ["If-Match": "*"], body: zone)
        #expect(moved.json["timezone"].string == "Europe/Lisbon", "\(moved.text)")
        let nowhere = await shop.send(
            .patch,
            place,
            token: owner,
            ["If-Match": "*"],
            body: #"{"timezone":"Europe/Lisboa"}"#
        )
        #expect(nowhere.status == .unprocessableContent)
        #expect(nowhere.json["errors"][0]["pointer"].string == "/timezone")
        await shop.stop()
    }
}

import Crypto
import Foundation
import HTTPTypes
import Kernel
import TestSupport
import Testing

@testable import API

@Suite("Accept")
struct AcceptTests {
    /// What the tests offer, the first most gladly.
    private static let offered: [ContentType] = [.json, .html, .plain]

    @Test(
        "a type counts by the narrowest range that names it; of equals the first that is offered goes",
        arguments: [
            (nil, "application/json"), ("", "application/json"), ("*/*", "application/json"),
            ("text/html", "text/html"), ("TEXT/HTML", "text/html"), ("text/plain", "text/plain"),
            ("text/*", "text/html"), ("text/*, text/plain", "text/html"), ("text/*;q=0.5, text/plain", "text/plain"),
            ("text/html;q=0.4, text/plain;q=0.7", "text/plain"), ("text/html;q=0, text/*", "text/plain"),
            ("application/json;q=0.5, */*;q=0.8", "text/html"), ("*/*;q=0.1, application/json;q=0", "text/html"),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "text/html"),
            ("text/html;level=1;q=0.3, text/plain; q=0.2", "text/html"),
            (" text/plain ; charset=utf-8 ; Q=1.000 ", "text/plain"), ("image/png, */*;q=0.001", "application/json"),
            ("text/html;q=nonsense, text/plain;q=0.1", "text/plain"), ("nonsense", "application/json"),
            ("/, text/, /html, a/b/c", "application/json"),
        ] as [(String?, String)]
    )
    func chosen(header: String?, type: String) throws {
        #expect(try Accept.choose(among: Self.offered, by: header).mediaType == type)
    }

    @Test(
        "what takes nothing that is offered is told what can be had",
        arguments: ["text/csv", "image/*", "*/*;q=0", "text/*;q=0, application/json;q=0.000", "*/html"]
    )
    func refused(header: String) throws {
        let problem = try #require(throws: Problem.self) {
            try Accept.choose(among: Self.offered, by: header)
        }
        #expect(problem.code == .notAcceptable && problem.status == 406)
        #expect(problem.errors.map(\.detail) == ["application/json", "text/html", "text/plain"])
    }

    @Test("what can be had in several forms says that it depends on Accept, and is refused in any other")
    func negotiated() async throws {
        let shop = try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false)
        let page = await shop.send(.get, "/problems")
        #expect(page["content-type"]?.hasPrefix("text/html") == true && page["vary"] == "Accept")
        let list = await shop.send(.get, "/problems", ["Accept": "application/json"])
        #expect(list["content-type"] == "application/json" && list["vary"] == "Accept")
        let known = list.json["problems"].elements.compactMap { $0["code"].string }
        #expect(known == Problem.Code.allCases.map(\.rawValue))
        // A browser takes the style of a page whose digest its policy names, and no other.
        for path in ["/problems", "/problems/not_found"] {
            let page = await shop.send(.get, path)
            let style = try #require(page.text.firstMatch(of: /<style>((?s).*)<\/style>/)).output.1
            let digest = Data(SHA256.hash(data: Data(style.utf8))).base64EncodedString()
            #expect(page["content-security-policy"]?.contains("'sha256-\(digest)'") == true, "\(path)")
        }
        let refused = await shop.send(.get, "/problems", ["Accept": "text/csv"])
        #expect(refused.status == .notAcceptable && refused["vary"] == "Accept")
        let offered = refused.json["errors"].elements.compactMap { $0["detail"].string }
        #expect(offered == ["text/html", "application/json"])
        await shop.stop()
    }
}

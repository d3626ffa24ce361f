import HTTPTypes
import Kernel
import Testing

@testable import API

@Suite("Pages of other origins")
struct CrossOriginTests {
    private static let routes = [
        Route(.get, "/it", "it", "It", area: "test", access: .open) { _ in .json { $0.object { _ in } } },
        Route(.post, "/it", "make", "Make it", area: "test", access: .authenticated) { _ in Reply(.noContent) },
    ]

    private static let ours = "https://shop.example"

    private func fields(_ origin: String) throws -> [HTTPField.Name: String] {
        [
            try #require(HTTPField.Name("Origin")): origin,
            .accessControlRequestMethod: "POST",
            .accessControlRequestHeaders: "authorization, idempotency-key",
        ]
    }

    @Test("a page that is listed is told what it may send, and reads the fields it needs")
    func admitted() async throws {
        let api = try await TestAPI(Self.routes, crossOrigin: CrossOrigin(list: "\(Self.ours), http://localhost:5173"))
        let preflight = try await api.send(.options, "/it", self.fields(Self.ours))
        #expect(preflight.status == .noContent)
        #expect(preflight["access-control-allow-origin"] == Self.ours)
        #expect(preflight["access-control-allow-methods"] == "GET, POST")
        let sent = try #require(preflight["access-control-allow-headers"])
        for name in ["Idempotency-Key", "If-Match", "Stock-Consistency", "Content-Digest", "Last-Event-ID"] {
            #expect(sent.contains(name), "\(name)")
        }
        #expect(preflight["access-control-max-age"] == "600")
        #expect(preflight["access-control-allow-credentials"] == "true", "with the cookie of a session")
        let answer = try await api.send(.get, "/it", self.fields(Self.ours))
        #expect(answer["access-control-allow-origin"] == Self.ours)
        for name in ["Stock-Consistency", "ETag", "Idempotency-Replayed", "Retry-After", "Location"] {
            #expect(answer["access-control-expose-headers"]?.contains(name) == true, "\(name)")
        }
        #expect(answer["vary"]?.contains("Origin") == true)
        let refusal = try await api.send(.post, "/it", self.fields("http://localhost:5173"))
        #expect(refusal.status == .unauthorized)
        #expect(refusal["access-control-allow-origin"] == "http://localhost:5173", "a page reads refusals, too")
    }

    @Test("another page is told nothing", arguments: ["https://evil.example", "https://shop.example.evil", "null"])
    func stranger(origin: String) async throws {
        let api = try await TestAPI(Self.routes, crossOrigin: CrossOrigin(list: Self.ours))
        let preflight = try await api.send(.options, "/it", self.fields(origin))
        #expect(preflight.status == .methodNotAllowed)
        #expect(preflight["access-control-allow-origin"] == nil)
        let answer = try await api.send(.get, "/it", self.fields(origin))
        #expect(answer["access-control-allow-origin"] == nil)
        #expect(answer["vary"]?.contains("Origin") == true, "or a cache gives it to a page that is listed")
    }

    @Test("unless pages are listed there is nothing of it")
    func closed() async throws {
        let api = try await TestAPI(Self.routes)
        #expect(try await api.send(.options, "/it", self.fields(Self.ours)).status == .methodNotAllowed)
        let answer = try await api.send(.get, "/it", self.fields(Self.ours))
        #expect(answer["access-control-allow-origin"] == nil)
        #expect(answer["vary"] == nil)
    }

    @Test(
        "what is no origin is refused",
        arguments: ["shop.example", "https://shop.example/", "https://", "ftp://a", "https://a b", "https://a/b"]
    )
    func invalid(text: String) {
        #expect(throws: CrossOrigin.Invalid.self) { try CrossOrigin(list: text) }
    }

    @Test("a star lets every page in")
    func open() async throws {
        let api = try await TestAPI(Self.routes, crossOrigin: CrossOrigin(list: "*"))
        let answer = try await api.send(.get, "/it", self.fields("https://any.example"))
        #expect(answer["access-control-allow-origin"] == "https://any.example")
        #expect(answer["access-control-allow-credentials"] == nil, "but none with the cookie of a session")
    }

    /// Who may use the cookie of a session.
    struct Asking: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let page: BrowserPage
        let may: Bool

        init(_ name: String, origin: String?, site: String? = nil, host: String? = "stock.example", may: Bool) {
            testDescription = name
            page = BrowserPage(origin: origin, site: site, host: host, sessionToken: nil)
            self.may = may
        }

        static let all = [
            Asking("our own page", origin: "https://stock.example", may: true),
            Asking("our own page, in other letters", origin: "https://Stock.Example", may: true),
            Asking(
                "our own page, as the browser says",
                origin: "https://stock.example",
                site: "same-origin",
                may: true
            ),
            Asking(
                "our own page behind a proxy that calls us otherwise",
                origin: "https://stock.example",
                site: "same-origin",
                host: "10.0.0.7:8080",
                may: true
            ),
            Asking("a page of another port", origin: "https://stock.example:8443", may: false),
            Asking("a page by plain HTTP", origin: "http://stock.example", site: "cross-site", may: false),
            Asking("a page of a neighbour", origin: "https://evil.example", site: "same-site", may: false),
            Asking("another page", origin: "https://evil.example", site: "cross-site", may: false),
            Asking("another page in an old browser", origin: "https://evil.example", may: false),
            Asking("a page that hides where it is from", origin: "null", site: "cross-site", may: false),
            Asking("one that is listed", origin: ours, site: "same-site", may: true),
            Asking("a script without a browser", origin: nil, may: false),
            Asking("no host", origin: "https://stock.example", host: nil, may: false),
        ]
    }

    @Test("the cookie of a session is for our own pages and for those that are listed", arguments: Asking.all)
    func cookies(asking: Asking) throws {
        #expect(try CrossOrigin(list: Self.ours).mayUseCookies(asking.page) == asking.may)
        let isOwn = asking.may && asking.page.origin != Self.ours
        #expect(try CrossOrigin(list: "*").mayUseCookies(asking.page) == isOwn)
    }

    @Test("the token is found among other cookies, and is none where its name is another one's beginning")
    func tokens() {
        let name = SessionCookie.name
        #expect(SessionCookie.token(in: []) == nil)
        #expect(SessionCookie.token(in: ["a=b; \(name)=rt_1; c=d"]) == "rt_1")
        #expect(SessionCookie.token(in: ["a=b", "\(name)=rt_2"]) == "rt_2")
        #expect(SessionCookie.token(in: ["\(name)x=rt_3;\(name)"]) == nil)
        #expect(SessionCookie.token(in: ["\(name)=;"]) == "")
    }
}

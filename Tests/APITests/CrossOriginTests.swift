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
        #expect(preflight["access-control-allow-headers"]?.contains("Idempotency-Key") == true)
        #expect(preflight["access-control-max-age"] == "600")
        #expect(preflight["access-control-allow-credentials"] == nil)
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
    }
}

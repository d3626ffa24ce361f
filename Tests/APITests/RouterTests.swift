import HTTPTypes
import Testing

@testable import API

@Suite("Router")
struct RouterTests {
    private static func route(_ method: HTTPRequest.Method, _ path: String) -> Route {
        Route(method, path, "\(method) \(path)", "A route", area: "test", access: .open) { _ in Reply(.noContent) }
    }

    private let router = Router([
        route(.get, "/v1/products"), route(.post, "/v1/products"), route(.get, "/v1/products/lookup"),
        route(.get, "/v1/products/{id}"), route(.patch, "/v1/products/{id}"),
        route(.get, "/v1/products/{id}/price-history"), route(.get, "/health"),
    ])

    private func path(_ method: HTTPRequest.Method, _ path: String) -> String? {
        if case .route(let route, _) = self.router.match(method, path[...]) { return route.path }
        return nil
    }

    @Test("a fixed segment goes before a varying one")
    func fixedFirst() {
        #expect(self.path(.get, "/v1/products/lookup") == "/v1/products/lookup")
        #expect(self.path(.get, "/v1/products/7") == "/v1/products/{id}")
        #expect(self.path(.get, "/v1/products/7/price-history") == "/v1/products/{id}/price-history")
    }

    @Test("the text of varying segments is handed over")
    func segments() {
        guard case .route(_, let segments) = self.router.match(.patch, "/v1/products/a%20b") else {
            Issue.record("no route")
            return
        }
        #expect(segments == ["a%20b"])
    }

    @Test("HEAD finds what GET does")
    func head() {
        #expect(self.path(.head, "/health") == "/health")
    }

    @Test(
        "a path has one spelling",
        arguments: ["/v1/products/", "//v1/products", "/v1//products", "/V1/products", "", "/"]
    )
    func spelling(path: String) {
        #expect(self.path(.get, path) == nil)
    }

    @Test("another method of a known path lists the methods there are")
    func methods() {
        guard case .otherMethod(let methods) = self.router.match(.delete, "/v1/products") else {
            Issue.record("no methods")
            return
        }
        #expect(Set(methods) == [.get, .post])
        guard case .nothing = self.router.match(.get, "/v1/nothing") else {
            Issue.record("found something")
            return
        }
    }
}

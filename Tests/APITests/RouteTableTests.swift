import Domain
import Foundation
import HTTPTypes
import Kernel
import Services
import TestSupport
import Testing

@testable import API

@Suite("The table of routes")
struct RouteTableTests {
    private func routes() async throws -> [Route] {
        let shop = try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false)
        await shop.stop()
        return shop.api.routes
    }

    private func document() async throws -> JSON {
        let shop = try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false)
        let reply = await shop.send(.get, "/openapi.json")
        await shop.stop()
        #expect(reply.status == .ok)
        return reply.json
    }

    @Test("no two routes have the same method and path, or the same name")
    func unique() async throws {
        let routes = try await self.routes()
        #expect(Set(routes.map { "\($0.method) \($0.path)" }).count == routes.count)
        #expect(Set(routes.map(\.name)).count == routes.count)
    }

    @Test("every area of the sources is in the table")
    func areas() throws {
        let folder = SourceTree.root + "/Sources/API"
        var declared: Set<String> = []
        for file in try FileManager.default.subpathsOfDirectory(atPath: folder) where file.hasSuffix(".swift") {
            let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
            let areas = text.matches(of: /(?:struct|enum|class|extension) (\w+): [^{\n]*\bArea\b/)
            declared.formUnion(areas.map { String($0.output.1) })
        }
        let missing = declared.subtracting(Routes.areas.map { String(describing: $0) })
        #expect(missing.sorted() == [], "add it to Routes.areas, behind the areas whose records its example names")
    }

    @Test("every record that routes edit is one of an area's, so that its statements are prepared, its tables held")
    func records() async throws {
        let edited = try await self.routes().filter(\.isRecordMaking).map(\.path)
        let listed = Routes.areas.flatMap { $0.records }.map { $0.collection }
        #expect(Set(edited).subtracting(listed).sorted() == [], "add its kind to the records of its area")
        #expect(Set(listed).subtracting(edited).sorted() == [], "an area lists it, and no route makes one")
        #expect(edited.count == listed.count, "one is listed twice")
    }

    @Test("every route that asks for no credential and reads a body is limited by address, and its body is small")
    func open() async throws {
        for route in try await self.routes() {
            guard case .open = route.access, route.method != .get else { continue }
            #expect(route.throttle != nil, "\(route.name)")
            #expect(route.bodyLimit(ServerLimits()) <= 8_192, "\(route.name)")
        }
    }

    @Test("a query has room for as many parameters as any route has")
    func parameters() async throws {
        let most = try await self.routes().map(\.parameters.count).max() ?? 0
        #expect((1..<Query.maximumCount).contains(most))
    }

    @Test("every route of the router is in the OpenAPI document")
    func described() async throws {
        let document = try await self.document()
        for route in try await self.routes() {
            let operation = document["paths"][route.path][route.method.rawValue.lowercased()]
            #expect(operation["operationId"].string == route.name, "\(route.method) \(route.path)")
        }
    }

    @Test("every operation of the OpenAPI document is in the router")
    func routed() async throws {
        let document = try await self.document()
        let router = Router(try await self.routes())
        let paths = document["paths"]
        #expect(paths.names.count > 25)
        for path in paths.names {
            for method in paths[path].names {
                let method = try #require(HTTPRequest.Method(method.uppercased()))
                let concrete = path.split(separator: "/").map { $0.hasPrefix("{") ? "x" : String($0) }.joined(
                    separator: "/"
                )
                guard case .route(let route, _) = router.match(method, "/\(concrete)"[...]) else {
                    Issue.record("\(method) \(path) is not routed")
                    continue
                }
                #expect(route.path == path)
            }
        }
    }

    @Test("every route of a tenant's data names its roles, and the owner is always among them")
    func roles() async throws {
        let open: Set<String> = [
            "/v1/signup", "/v1/auth/login", "/v1/auth/refresh", "/v1/auth/reset", "/v1/invitations/accept", "/health",
            "/health/live", "/health/ready",
            "/health/cache",
            "/version", "/openapi.json", "/problems", "/problems/{code}",
        ]
        let everyone: Set<String> = [
            "/v1/auth/logout", "/v1/auth/switch", "/v1/me", "/v1/me/password", "/v1/me/invitations", "/v1/tenant",
            "/v1/colleagues",
            // What each gets of them follows from the types of events.
            "/v1/events", "/v1/events/stream",
        ]
        for route in try await self.routes() {
            switch route.access {
            case .open:
                #expect(open.contains(route.path), "\(route.path) is open")
            case .authenticated:
                #expect(everyone.contains(route.path), "\(route.path) is for everyone")
            case .members(let roles, _):
                #expect(roles.contains(.owner), "\(route.path)")
            }
        }
    }

    @Test("whoever may not is refused on every route, before anything is looked up")
    func refused() async throws {
        let shop = try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false)
        for route in shop.api.routes {
            if case .open = route.access { continue }
            let path = route.path.split(separator: "/").map { $0.hasPrefix("{") ? "x" : String($0) }.joined(
                separator: "/"
            )
            let reply = await shop.send(route.method, "/\(path)")
            #expect(reply.status == .unauthorized, "\(route.method) \(route.path)")
            #expect(reply["x-request-id"] != nil)
        }
        await shop.stop()
    }

    @Test("commands need a key, edits need a version")
    func conditions() async throws {
        for route in try await self.routes() {
            let needsKey: Set<String> = ["/v1/sales", "/v1/payments", "/v1/stock/movements", "/v1/products/batch"]
            if route.method == .post, needsKey.contains(route.path) { #expect(route.needsKey, "\(route.path)") }
            if route.method == .patch { #expect(route.needsMatch, "\(route.path)") }
            // What is revoked ends, whatever it was by then.
            let revoked: Set<String> = ["/v1/api-keys/{id}", "/v1/invitations/{id}"]
            if route.method == .delete, !revoked.contains(route.path) { #expect(route.needsMatch, "\(route.path)") }
            if route.isCached { #expect(route.method == .get) }
        }
    }
}

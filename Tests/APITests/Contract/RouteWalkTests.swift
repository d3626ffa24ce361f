import Foundation
import HTTPTypes
import Kernel
import NIOCore
import Postgres
import Services
import TestSupport
import Testing

@testable import API

/// What holds for all routes of a form is asked of every one of them: a new route is among them without anybody adding it.
@Suite("Every route")
struct RouteWalkTests {
    /// The path of a route, with ids that nothing has.
    private static func nowhere(_ route: Route) -> String {
        route.path.split(separator: "/").map { $0.hasPrefix("{") ? UUIDv7.make().description : String($0) }
            .reduce("") { "\($0)/\($1)" }
    }

    /// A shop in which every path leads somewhere.
    private static func shop(_ name: String = #function, _ body: (Journey) async throws -> Void) async throws {
        try await ContractWalkTests.journey(name) { journey in
            try await ContractWalkTests.trade(journey)
            try await journey.call("createAPIKey")
            try await journey.call("inviteUser", body: #"{"email":"cy@example.com","role":"viewer"}"#)
            try await body(journey)
        }
    }

    /// A problem without what differs from request to request.
    private static func plain(_ reply: Reply, _ path: String) -> String {
        var text = reply.text.replacingOccurrences(of: path, with: "PATH")
        if let id = reply["x-request-id"] { text = text.replacingOccurrences(of: id, with: "REQUEST") }
        return text
    }

    @Test("what belongs to another tenant answers as what is not there, byte for byte")
    func foreign() async throws {
        try await Self.shop { journey in
            // What is open is of no tenant.
            let places = journey.shop.api.routes.filter { route in
                if case .open = route.access { return false }
                return !route.pathParameters.isEmpty
            }.map { ($0, journey.place(of: $0.path)) }
            try await journey.call(
                "signUp",
                body: """
                    {"tenant_name":"Other","slug":"other","email":"di@example.com","password":"a long enough one",\
                    "currency":"EUR","timezone":"Europe/Berlin"}
                    """
            )
            for (route, place) in places {
                try #require(!place.contains("{"), "make one of what \(route.path) names in Journey.open()")
                let body = route.body.map { String(decoding: $0.exampleBytes, as: UTF8.self) }
                var problems: [String] = []
                for path in [place, Self.nowhere(route)] {
                    let reply = await journey.shop.send(
                        route.method,
                        path,
                        token: journey.token,
                        ["If-Match": "*", "Idempotency-Key": path],
                        body: body
                    )
                    #expect(reply.status == .notFound, "\(route.name): \(reply.text)")
                    problems.append(Self.plain(reply, path))
                }
                #expect(problems[0] == problems[1], "\(route.name)")
            }
        }
    }

    @Test("each role and each scope opens what its route says, and nothing else")
    func rights() async throws {
        try await ContractWalkTests.journey { journey in
            var credentials: [(role: Role?, scope: Scope?, token: String)] = []
            for role in Role.allCases {
                let email = "\(role.rawValue)@example.com"
                try await journey.call("inviteUser", body: #"{"email":"\#(email)","role":"\#(role.rawValue)"}"#)
                let invitation = try #require(journey.answers["inviteUser"]?["invitation_token"].string)
                try await journey.call(
                    "acceptInvitation",
                    body: #"{"token":"\#(invitation)","password":"another horse battery","name":"Bo"}"#
                )
                let token = try #require(journey.answers["acceptInvitation"]?["access_token"].string)
                credentials.append((role, nil, token))
            }
            for scope in Scope.allCases {
                try await journey.call("createAPIKey", body: #"{"name":"\#(scope)","scopes":["\#(scope.rawValue)"]}"#)
                let key = try #require(journey.answers["createAPIKey"]?["secret"].string)
                credentials.append((nil, scope, key))
            }
            for route in journey.shop.api.routes {
                guard case .members(let roles, let wanted) = route.access else { continue }
                for (role, scope, token) in credentials {
                    let isAllowed = role.map { roles.contains($0) } ?? (wanted != nil && wanted == scope)
                    // No body that does anything: whoever may not is refused before it is read.
                    let body = route.body == nil ? nil : "[]"
                    let reply = await journey.shop.send(route.method, Self.nowhere(route), token: token, body: body)
                    let who = role?.rawValue ?? scope?.rawValue ?? ""
                    #expect((reply.json["code"].string == "forbidden") != isAllowed, "\(route.name) by \(who)")
                }
            }
        }
    }

    @Test("what was sent with a key is done once: again, twice at once and after a refusal; another body is refused")
    func keys() async throws {
        try await Self.shop { journey in
            for route in journey.shop.api.routes where route.takesKey {
                let example = String(decoding: try #require(route.body).exampleBytes, as: UTF8.self)
                // The second key meets what the first has made: for a record, a refusal.
                for key in ["first", "second"] {
                    let fields = ["Idempotency-Key": "\(route.name)-\(key)"]
                    let path = journey.place(of: route.path)
                    let (shop, token) = (journey.shop, journey.token)
                    @Sendable func send(_ body: String, at path: String = path) async -> Reply {
                        await shop.send(route.method, path, token: token, fields, body: body)
                    }
                    async let one = send(example)
                    async let two = send(example)
                    let replies = await [one, two, send(example)]
                    #expect(Set(replies.map(\.text)).count == 1, "\(route.name): \(replies.map(\.text))")
                    #expect(Set(replies.map(\.status)).count == 1, "\(route.name)")
                    #expect([200, 201, 409, 422].contains(replies[0].status.code), "\(route.name): \(replies[0].text)")
                    #expect(replies.filter { $0["idempotency-replayed"] == "true" }.count == 2, "\(route.name)")
                    // Where a body has nothing to change, the same is asked of another thing.
                    let other = Self.changed(example)
                    try #require(other != nil || !route.pathParameters.isEmpty, "\(route.name) has nothing to change")
                    let reused = await send(other ?? example, at: other == nil ? Self.nowhere(route) : path)
                    #expect(reused.json["code"].string == "idempotency_key_reused", "\(route.name): \(reused.text)")
                }
            }
        }
    }

    /// The same body with one text changed.
    private static func changed(_ body: String) -> String? {
        for name in ["name", "note", "reason", "amount"] {
            guard let place = body.range(of: "\"\(name)\":\"") else { continue }
            return body.replacingCharacters(in: place.upperBound..<body.index(after: place.upperBound), with: "9")
        }
        return nil
    }

    @Test("what is cached is the same from memory, for HEAD, and not sent again to who has it")
    func cached() async throws {
        try await Self.shop { journey in
            for route in journey.shop.api.routes where route.isCached {
                let query = journey.query(of: route)
                let path = journey.place(of: route.path) + (query.isEmpty ? "" : "?\(query)")
                let (shop, token) = (journey.shop, journey.token)
                let asked = await shop.send(.get, path, token: token, ["Cache-Control": "no-cache"])
                _ = await shop.send(.get, path, token: token)
                let hit = await shop.send(.get, path, token: token, ["Stock-Consistency": "0"])
                #expect(hit.status == .ok, "\(path): \(hit.text)")
                #expect(hit.text == asked.text && hit["etag"] == asked["etag"], "\(path)")
                #expect(hit["cache-status"] != nil && hit["stock-consistency"] != nil, "\(path)")
                let head = await shop.send(.head, path, token: token)
                #expect(head.status == .ok && head.body.readableBytes == 0 && head["etag"] == hit["etag"], "\(path)")
                let tag = try #require(hit["etag"])
                let same = await shop.send(.get, path, token: token, ["If-None-Match": tag])
                #expect(same.status == .notModified && same.body.readableBytes == 0, "\(path)")
            }
        }
    }

    @Test("an undeclared parameter is refused by every route, and every declared one is described")
    func parameters() async throws {
        try await Self.shop { journey in
            for route in journey.shop.api.routes {
                for parameter in route.parameters {
                    #expect(!parameter.description.isEmpty, "\(route.name): \(parameter.name)")
                }
                var fields = ["If-Match": "*", "Idempotency-Key": "\(route.name)"]
                fields["Content-Type"] = "application/json"
                let query = journey.query(of: route)
                let path = "\(journey.place(of: route.path))?nonsense=1\(query.isEmpty ? "" : "&\(query)")"
                let body = route.body.map { String(decoding: $0.exampleBytes, as: UTF8.self) }
                let reply = await journey.shop.send(route.method, path, token: journey.token, fields, body: body)
                #expect(reply.status == .badRequest, "\(route.name): \(reply.text)")
            }
        }
    }
}

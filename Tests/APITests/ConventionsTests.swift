import Domain
import HTTPTypes
import Kernel
import NIOCore
import Services
import TestSupport
import Testing

@testable import API

@Suite("Conventions of docs/http.md")
struct ConventionsTests {
    private static let open = Route(.get, "/open", "open", "Open", area: "test", access: .open) { _ in
        .json { $0.object { $0.member("ok", true) } }
    }

    private static func echo(_ access: Route.Access = .open, needsKey: Bool = false) -> Route {
        let takes = Route.Input(key: needsKey ? .required : nil)
        return Route(.post, "/echo", "echo", "Echo", area: "test", access: access, takes: takes) { call in
            if needsKey {
                let (name, key) = try await call.keyedBody(Body { $0.text("name") }, .required)
                guard let key else { throw Problem(.internalError, "There must be a key.") }
                return .json(.created) { writer in
                    writer.object { writer in
                        writer.member("name", name)
                        writer.member("hash", Hexadecimal.text(key.requestHash))
                        writer.member("route", key.route)
                        writer.member("key", key.key)
                    }
                }
            }
            let name = try await call.body { reader in
                _ = reader.optionalMoney("price")
                return reader.text("name")
            }
            return .json { $0.object { $0.member("name", name) } }
        }
    }

    @Test("every answer carries the security fields and the request's name, errors too")
    func fields() async throws {
        let api = try await TestAPI([Self.open])
        for path in ["/open", "/nothing"] {
            let reply = try await api.send(.get, path, [.requestID: "abc-1"])
            #expect(reply["x-request-id"] == "abc-1")
            #expect(reply["x-content-type-options"] == "nosniff")
            #expect(reply["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'")
            #expect(reply["cache-control"] == "no-store")
            #expect(reply["date"]?.hasSuffix(" GMT") == true)
            #expect(reply["server"] == nil)
            #expect(reply["content-length"] == String(reply.body.readableBytes))
        }
    }

    @Test("a problem names its type, status, path, code and request")
    func problem() async throws {
        let api = try await TestAPI([Self.open])
        let reply = try await api.send(.get, "/nothing?a=1", [.requestID: "abc-2"])
        #expect(reply.status == .notFound)
        #expect(reply["content-type"] == "application/problem+json")
        #expect(
            reply.text
                == #"{"type":"/problems/not_found","title":"Not found","status":404,"detail":"There is nothing at this path.","#
                + #""instance":"/nothing","code":"not_found","request_id":"abc-2","errors":[]}"#
        )
    }

    @Test("a path of any bytes is part of a URI in the problem that it gets")
    func instance() async throws {
        let api = try await TestAPI([Self.open])
        let reply = try await api.send(.get, "/\u{DF} \"<\u{FF}>%C3?a=b")
        #expect(reply.json["instance"].string == "/%c3%9f%20%22%3c%c3%bf%3e%C3")
    }

    @Test("a fragment says nothing, with a query or without", arguments: ["/open#x?y", "/open#\u{301}", "/open?#a=b"])
    func fragment(_ target: String) async throws {
        let api = try await TestAPI([Self.open])
        #expect(try await api.send(.get, target).status == .ok)
    }

    @Test("another method is 405 and lists those there are")
    func methods() async throws {
        let api = try await TestAPI([Self.open, Self.echo()])
        let reply = try await api.send(.delete, "/open")
        #expect(reply.status == .methodNotAllowed)
        #expect(reply["allow"] == "GET, HEAD")
        #expect(try await api.send(.put, "/echo")["allow"] == "POST")
    }

    @Test("HEAD answers the fields of GET without its body")
    func head() async throws {
        let api = try await TestAPI([Self.open])
        let reply = try await api.send(.head, "/open")
        #expect(reply.status == .ok)
        #expect(reply["content-length"] == "11")
        #expect(reply.body.readableBytes == 0)
    }

    @Test("all of a body's errors come at once; an unknown field is 400, a wrong one 422")
    func bodyErrors() async throws {
        let api = try await TestAPI([Self.echo()])
        let unknown = try await api.send(.post, "/echo", body: #"{"name":"a","nmae":"b"}"#)
        #expect(unknown.status == .badRequest)
        #expect(unknown.text.contains(#""pointer":"/nmae""#))
        let wrong = try await api.send(.post, "/echo", body: #"{"price":12.5}"#)
        #expect(wrong.status.code == 422)
        #expect(wrong.text.contains(#""pointer":"/price""#) && wrong.text.contains(#""pointer":"/name""#))
    }

    @Test(
        "what is no acceptable JSON is 400",
        arguments: ["", "{", "[]", "null", #"{"name":"a","name":"b"}"#, "{\"name\":\"\u{0}\"}"]
    )
    func malformed(body: String) async throws {
        let api = try await TestAPI([Self.echo()])
        #expect(try await api.send(.post, "/echo", body: body).status == .badRequest)
    }

    @Test("nesting of more than 32 levels is 400")
    func depth() async throws {
        let api = try await TestAPI([Self.echo()])
        let deep = #"{"name":"# + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "}"
        #expect(try await api.send(.post, "/echo", body: deep).status == .badRequest)
    }

    @Test(
        "another media type is 415",
        arguments: ["text/plain", "application/xml", "", "application/json; charset=latin1"]
    )
    func mediaType(type: String) async throws {
        let api = try await TestAPI([Self.echo()])
        let reply = try await api.send(.post, "/echo", [.contentType: type], body: #"{"name":"a"}"#)
        #expect(reply.status == .unsupportedMediaType)
    }

    @Test("JSON is accepted with its charset said")
    func charset() async throws {
        let api = try await TestAPI([Self.echo()])
        let type = "application/json; charset=UTF-8"
        #expect(try await api.send(.post, "/echo", [.contentType: type], body: #"{"name":"a"}"#).status == .ok)
    }

    @Test("a body of more than a mebibyte is 413 and ends the connection")
    func tooLarge() async throws {
        let api = try await TestAPI([Self.echo()])
        let reply = try await api.send(
            .post,
            "/echo",
            body: #"{"name":""# + String(repeating: "a", count: 1 << 20) + #""}"#
        )
        #expect(reply.status == .contentTooLarge)
        #expect(reply["connection"] == "close")
    }

    @Test("an idempotency key is required, quoted or not, and knows a body whatever its spelling")
    func keys() async throws {
        let api = try await TestAPI([Self.echo(needsKey: true)])
        let body = #"{"name":"a"}"#
        #expect(try await api.send(.post, "/echo", body: body).text.contains("idempotency_key_missing"))
        let name = try #require(HTTPField.Name("Idempotency-Key"))
        let plain = try await api.send(.post, "/echo", [name: "k-1"], body: body)
        let quoted = try await api.send(.post, "/echo", [name: "\"k-1\""], body: "{ \"name\" : \"\\u0061\" }")
        #expect(plain.status == .created)
        #expect(plain.text == quoted.text)
        #expect(plain.text.contains(#""route":"POST /echo""#))
        let other = try await api.send(.post, "/echo", [name: "k-1"], body: #"{"name":"b"}"#)
        #expect(other.text != plain.text)
        // An empty one is malformed, not missing: a route that needs none refuses it, too, and documents no missing one.
        for bad in ["", "a b", String(repeating: "k", count: 256), "é", "\"\""] {
            let reply = try await api.send(.post, "/echo", [name: bad], body: body)
            #expect(reply.status == .badRequest && reply.json["code"].string == "invalid_request", "\(bad)")
        }
    }

    @Test("while the instance drains every answer ends its connection")
    func draining() async throws {
        let api = try await TestAPI([Self.open])
        #expect(try await api.send(.get, "/open")["connection"] == nil)
        api.api.lifecycle.beginDraining()
        let reply = try await api.send(.get, "/open")
        #expect(reply.status == .ok)
        #expect(reply["connection"] == "close")
    }

    @Test("an unexpected error is a 500 that shows nothing of it")
    func internalError() async throws {
        struct Secret: Error { let text = "SELECT secret" }
        let api = try await TestAPI([
            Route(.get, "/fails", "fails", "Fails", area: "test", access: .open) { _ in throw Secret() }
        ])
        let reply = try await api.send(.get, "/fails")
        #expect(reply.status == .internalServerError)
        #expect(!reply.text.contains("SELECT"))
    }

    @Test(
        "503 and 429 say when to come again",
        arguments: [Problem.Code.overloaded, .databaseUnavailable, .rateLimited, .outcomeUnknown]
    )
    func retryAfter(code: Problem.Code) async throws {
        let api = try await TestAPI([
            Route(.get, "/fails", "fails", "Fails", area: "test", access: .open) { _ in throw Problem(code, "Later.") }
        ])
        let reply = try await api.send(.get, "/fails")
        #expect(reply["retry-after"] == "1")
    }
}

@Suite("Who may do what")
struct AccessTests {
    private static func route(_ access: Route.Access) -> Route {
        Route(.get, "/it", "it", "It", area: "test", access: access) { _ in .json { $0.object { _ in } } }
    }

    @Test(
        "without a credential, with another scheme or a made-up token it is 401",
        arguments: [
            nil, "", "Basic YTpi", "Bearer", "Bearer ", "Bearer abc", "Bearer stk_bad", "bearer a.b.c",
        ]
    )
    func unauthenticated(authorization: String?) async throws {
        let api = try await TestAPI([Self.route(.authenticated)], caller: .member(.owner))
        let reply = try await api.send(.get, "/it", authorization.map { [.authorization: $0] } ?? [:])
        #expect(reply.status == .unauthorized)
        #expect(reply["www-authenticate"] == "Bearer realm=\"stock\"")
    }

    @Test("each role sees what its scopes say", arguments: Role.allCases, Scope.allCases)
    func roles(role: Role, scope: Scope) async throws {
        let api = try await TestAPI([Self.route(.scope(scope))], caller: .member(role))
        let reply = try await api.send(.get, "/it", [.authorization: "Bearer \(try api.token())"])
        #expect(reply.status == (role.scopes.contains(scope) ? .ok : .forbidden))
    }

    @Test("a key needs the scope, and a route for people refuses every key")
    func keys() async throws {
        let bearer: [HTTPField.Name: String] = [.authorization: "Bearer stk_good"]
        let reading = try await TestAPI([Self.route(.scope(.stockRead))], caller: .key(.stockRead))
        #expect(try await reading.send(.get, "/it", bearer).status == .ok)
        let other = try await TestAPI([Self.route(.scope(.stockRead))], caller: .key(.salesWrite))
        #expect(try await other.send(.get, "/it", bearer).status == .forbidden)
        let people = try await TestAPI([Self.route(.roles(.owner))], caller: .key(.admin))
        #expect(try await people.send(.get, "/it", bearer).status == .forbidden)
    }

    @Test("a tenant beyond its rate gets 429, and answers from memory cost it nothing")
    func rates() async throws {
        var rates = RateLimitSettings()
        rates.tenant = Rate(perSecond: 0.001, burst: 3)
        let plain = try await TestAPI([Self.route(.authenticated)], caller: .member(.owner), rates: rates)
        let bearer: [HTTPField.Name: String] = [.authorization: "Bearer \(try plain.token())"]
        for _ in 0..<3 { #expect(try await plain.send(.get, "/it", bearer).status == .ok) }
        let refused = try await plain.send(.get, "/it", bearer)
        #expect(refused.status == .tooManyRequests)
        #expect(refused["retry-after"] != nil)
        #expect(refused["ratelimit-policy"] == "\"tenant\";q=3;w=3000")
        #expect(refused["ratelimit"]?.hasPrefix("\"tenant\";r=0;t=") == true)

        let hit = TestMemory.route("/it")
        let cached = try await TestAPI([hit], caller: .member(.owner), rates: rates)
        for _ in 0..<20 { #expect(try await cached.send(.get, "/it", bearer).status == .ok) }
    }
}

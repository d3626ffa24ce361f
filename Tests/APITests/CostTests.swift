import Domain
import HTTPTypes
import HummingbirdCore
import Kernel
import NIOCore
import Services
import Synchronization
import TestSupport
import Testing

@testable import API

/// What requests may cost before anybody has paid for them.
@Suite("Costs")
struct CostTests {
    /// How often something was done.
    private final class Count: Sendable {
        private let value = Mutex(0)

        var now: Int { self.value.withLock { $0 } }

        func add() { self.value.withLock { $0 += 1 } }
    }

    private static let bad = Problem(.unauthenticated, "Wrong.")

    /// A route that anybody may call; its body is right or wrong.
    private static func open(_ throttle: Route.Throttle, read: Count = Count()) -> Route {
        Route(.post, "/open", "open", "Open", area: "identity", access: .open, throttle: throttle) { call in
            read.add()
            let isRight = try await call.body { $0.optionalBool("right") ?? false }
            guard isRight else { throw Self.bad }
            return .json { $0.object { _ in } }
        }
    }

    private static func limited(_ change: (inout RateLimitSettings) -> Void) -> RateLimitSettings {
        var rates = RateLimitSettings()
        change(&rates)
        return rates
    }

    // MARK: Queries

    @Test("of a query with thousands of names none is looked at")
    func names() async throws {
        let api = try await TestAPI([
            Route(.get, "/it", "it", "It", area: "test", access: .open) { call in
                try call.noQuery()
                return Reply(.noContent)
            }
        ])
        let text = (0..<2_690).map { "a\($0)" }.joined(separator: "&")
        let reply = try await api.send(.get, "/it?\(text)")
        #expect(reply.status == .badRequest)
        #expect(reply.text.contains("more than 32 parameters"))
        #expect(reply.text.utf8.count < 1_000)
    }

    // MARK: What anybody may send

    @Test("of a body that anybody may send eight kilobytes are read, whether its length is announced or not")
    func smallBodies() async throws {
        let api = try await TestAPI([Self.open(.logIn)], rates: .unlimited)
        let body = #"{"right":true,"x":""# + String(repeating: "a", count: 9_000) + #""}"#
        #expect(try await api.send(.post, "/open", body: body).status == .contentTooLarge)
        #expect(try await api.send(.post, "/open", body: #"{"right":true}"#).status == .ok)
    }

    @Test("an address that was wrong too often is refused before its body is read")
    func throttled() async throws {
        let read = Count()
        let rates = Self.limited { $0.loginAddress = Rate(perSecond: 0.001, burst: 3) }
        let api = try await TestAPI([Self.open(.logIn, read: read)], rates: rates)
        for _ in 0..<3 { #expect(try await api.send(.post, "/open", body: "{}").status == .unauthorized) }
        let refused = try await api.send(.post, "/open", body: "{}")
        #expect(refused.status == .tooManyRequests)
        #expect(refused["ratelimit-policy"]?.hasPrefix("\"address\";q=3") == true)
        #expect(read.now == 3)
    }

    @Test("who is right may come as often as he likes, but each shop that is opened counts")
    func right() async throws {
        let rates = Self.limited {
            $0.loginAddress = Rate(perSecond: 0.001, burst: 3)
            $0.credentials = Rate(perSecond: 0.001, burst: 3)
        }
        for throttle in [Route.Throttle.logIn, .credential] {
            let api = try await TestAPI([Self.open(throttle)], rates: rates)
            for _ in 0..<10 { #expect(try await api.send(.post, "/open", body: #"{"right":true}"#).status == .ok) }
        }
        let api = try await TestAPI([Self.open(.signUp)], rates: rates)
        for _ in 0..<3 { #expect(try await api.send(.post, "/open", body: #"{"right":true}"#).status == .ok) }
        #expect(try await api.send(.post, "/open", body: #"{"right":true}"#).status == .tooManyRequests)
    }

    @Test("that we cannot tell does not make it wrong")
    func failure() async throws {
        let rates = Self.limited { $0.credentials = Rate(perSecond: 0.001, burst: 2) }
        let api = try await TestAPI(
            [
                Route(.post, "/open", "open", "Open", area: "identity", access: .open, throttle: .credential) { _ in
                    throw Problem(.databaseUnavailable, "Away.")
                }
            ],
            rates: rates
        )
        for _ in 0..<10 { #expect(try await api.send(.post, "/open", body: "{}").status == .serviceUnavailable) }
    }

    @Test("keys that are made up are looked up so often from one address, and no more; those known to memory are free")
    func forgedKeys() async throws {
        let lookedUp = Count()
        let rates = RateLimits(Self.limited { $0.credentials = Rate(perSecond: 0.001, burst: 5) })
        let caller = Caller.key(.stockRead)
        let authenticator = Authenticator(
            tokens: try await AccessTokens(keys: [SigningKey(secret: TestAPI.secret)]),
            rates: rates,
            ofSession: { _, _ in throw Self.bad },
            ofKey: { key, _ in
                lookedUp.add()
                guard key == "stk_new" else { throw Self.bad }
                return caller
            },
            ofKnownKey: { $0 == "stk_known" ? caller : nil }
        )
        func ask(_ key: String, from address: String = "192.0.2.1") async -> Problem.Code? {
            do {
                var seen = Authenticator.SeenToken()
                let credential = try authenticator.credential("Bearer \(key)", &seen)
                _ = try await authenticator.caller(credential, from: address, deadline: .now + .seconds(5))
                return nil
            } catch {
                return (error as? Problem)?.code
            }
        }
        for _ in 0..<20 { #expect(await ask("stk_new") == nil) }
        for number in 0..<5 { #expect(await ask("stk_forged\(number)") == .unauthenticated) }
        for number in 0..<300 { #expect(await ask("stk_forged\(number)") == .rateLimited) }
        #expect(lookedUp.now == 25)
        // Who was right from here stays in, and other credentials are counted by themselves.
        #expect(await ask("stk_new") == nil)
        #expect(try await rates.attempt(.credential, from: "192.0.2.1") { true })
        #expect(await ask("stk_known") == nil)
        #expect(await ask("stk_new", from: "192.0.2.2") == nil)
    }

    @Test("a body that is still on its way takes nobody's place, and its answer has the same time from its end on")
    func slowBody() async throws {
        let answered = Count()
        let route = Route(
            .post,
            "/echo",
            "echo",
            "Echo",
            area: "test",
            access: .authenticated,
            takes: Route.Input(body: .object([.required("name", .text)]))
        ) { call in
            let name = try await call.body { $0.text("name") }
            #expect(call.deadline > .now)
            answered.add()
            return .json { $0.object { $0.member("name", name) } }
        }
        var limits = ServerLimits()
        limits.requestDeadline = .seconds(2)
        let api = try await TestAPI(
            [route],
            caller: .key(.stockRead),
            limits: limits,
            rates: Self.limited {
                $0.tenant = nil
                $0.apiKey = nil
                $0.inFlight = 1
                $0.tenantInFlight = 1
                $0.tenantQueue = 0
            }
        )
        let text = #"{"name":"slow"}"#
        let (body, source) = RequestBody.makeStream()
        let fields: HTTPFields = [
            .authorization: "Bearer stk_good", .contentType: "application/json", .contentLength: "\(text.utf8.count)",
        ]
        let head = HTTPRequest(
            method: .post,
            scheme: "http",
            authority: "localhost",
            path: "/echo",
            headerFields: fields
        )
        async let slow = api.api.respond(to: Request(head: head, body: body), channel: nil)
        let began = ContinuousClock.now
        try await eventually("the time of an answer has passed") {
            let fast = try await api.send(
                .post,
                "/echo",
                [.authorization: "Bearer stk_good"],
                body: #"{"name":"fast"}"#
            )
            #expect(fast.status == .ok, "\(fast.text)")
            return ContinuousClock.now - began > limits.requestDeadline
        }
        await source.yield(ByteBuffer(string: text))
        source.finish()
        #expect(await slow.status == .ok)
        #expect(answered.now > 1)
    }

    // MARK: Log-ins

    @Test("who guesses at an account shuts out itself, and its owner gets in from another address")
    func guesses() async throws {
        let rates = RateLimits(
            Self.limited {
                $0.loginAccount = Rate(perSecond: 0.001, burst: 5)
                $0.slowLogin = .milliseconds(1)
            }
        )
        func logIn(_ password: String, from address: String) async -> Problem.Code? {
            do {
                try await rates.logIn(to: "ana@example.com", from: address) {
                    guard password == "right" else { throw Self.bad }
                }
                return nil
            } catch {
                return (error as? Problem)?.code
            }
        }
        for _ in 0..<5 { #expect(await logIn("guess", from: "192.0.2.66") == .unauthenticated) }
        #expect(await logIn("right", from: "192.0.2.66") == .rateLimited, "it has had its tries")
        for _ in 0..<20 { #expect(await logIn("right", from: "192.0.2.1") == nil) }
        for number in 0..<100 { _ = await logIn("guess", from: "198.51.100.\(number)") }
        #expect(await logIn("right", from: "192.0.2.1") == nil)
        #expect(await logIn("right", from: "192.0.2.2") == nil)
    }

    @Test("an account that is guessed at from many addresses answers slowly, except where it was opened before")
    func slowness() async throws {
        let rates = RateLimits(
            Self.limited {
                $0.loginAccount = Rate(perSecond: 0.001, burst: 1)
                $0.slowLogin = .milliseconds(200)
            }
        )
        func time(_ address: String, isRight: Bool) async -> Duration {
            let start = ContinuousClock.now
            try? await rates.logIn(to: "ana@example.com", from: address) { if !isRight { throw Self.bad } }
            return ContinuousClock.now - start
        }
        _ = await time("192.0.2.1", isRight: true)
        for number in 0..<4 { _ = await time("198.51.100.\(number)", isRight: false) }
        #expect(await time("198.51.100.99", isRight: false) >= .milliseconds(200))
        #expect(await time("192.0.2.1", isRight: true) < .milliseconds(200))
    }

    // MARK: What tenants pay for

    @Test("what leaves memory is paid for before it is done: many at once find the limit used up, not untouched")
    func before() async throws {
        let worked = Count()
        let gate = Latch<Void>()
        let miss = TestMemory.route("/it/{id}") {
            worked.add()
            try await gate.wait()
            return "{}"
        }
        let rates = Self.limited { $0.tenant = Rate(perSecond: 0.001, burst: 3) }
        let api = try await TestAPI([miss], caller: .member(.owner), rates: rates)
        let bearer: [HTTPField.Name: String] = [.authorization: "Bearer \(try api.token())"]
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<50 {
                group.addTask { try await api.send(.get, "/it/\(number)", bearer).status.code }
            }
            var statuses: [Int: Int] = [:]
            while let status = try await group.next() {
                statuses[status, default: 0] += 1
                if statuses[429] == 47 { gate.set(()) }
            }
            return statuses
        }
        #expect(statuses == [200: 3, 429: 47])
        #expect(worked.now == 3)
    }

    @Test("an answer in memory is free, even when the limit is used up")
    func free() async throws {
        let hit = TestMemory.route("/hit")
        let work = Route(.get, "/work", "work", "Work", area: "test", access: .authenticated) { _ in Reply(.noContent) }
        let rates = Self.limited { $0.tenant = Rate(perSecond: 0.001, burst: 2) }
        let api = try await TestAPI([hit, work], caller: .member(.owner), rates: rates)
        let bearer: [HTTPField.Name: String] = [.authorization: "Bearer \(try api.token())"]
        #expect(try await api.send(.get, "/hit", bearer)["cache-status"] == "stock-l1; fwd=miss; stored")
        #expect(try await api.send(.get, "/work", bearer).status == .noContent)
        #expect(try await api.send(.get, "/work", bearer).status == .tooManyRequests)
        for _ in 0..<5 { #expect(try await api.send(.get, "/hit", bearer).status == .ok) }
    }

    @Test("a refused key costs its tenant nothing")
    func keyRefused() throws {
        let rates = RateLimits(
            Self.limited {
                $0.tenant = Rate(perSecond: 0.001, burst: 4)
                $0.apiKey = Rate(perSecond: 0.001, burst: 2)
            }
        )
        let key = Caller.key(.stockRead)
        for _ in 0..<2 { try rates.take(key, bytes: 0) }
        for _ in 0..<10 { #expect(throws: Problem.self) { try rates.take(key, bytes: 0) } }
        for _ in 0..<2 { try rates.take(.member(.owner), bytes: 0) }
        #expect(throws: Problem.self) { try rates.take(.member(.owner), bytes: 0) }
    }

    @Test("a body costs by its size, announced or not")
    func size() async throws {
        let route = Route(.post, "/it", "it", "It", area: "test", access: .authenticated) { call in
            _ = try await call.body { $0.text("name", TextRule(maximum: 1_000_000)) }
            return Reply(.noContent)
        }
        let rates = Self.limited { $0.tenant = Rate(perSecond: 0.001, burst: 4) }
        let body = #"{"name":""# + String(repeating: "a", count: 100_000) + #""}"#
        for isAnnounced in [true, false] {
            let api = try await TestAPI([route], caller: .member(.owner), rates: rates)
            var bearer: [HTTPField.Name: String] = [.authorization: "Bearer \(try api.token())"]
            if !isAnnounced { bearer[.transferEncoding] = "chunked" }
            #expect(try await api.send(.post, "/it", bearer, body: body).status == .noContent)
            bearer[.transferEncoding] = nil
            #expect(try await api.send(.post, "/it", bearer, body: #"{"name":"a"}"#).status == .tooManyRequests)
        }
    }

    // MARK: What is repeated

    @Test("a name of half a megabyte is repeated in a hundred characters, wherever it stands", arguments: 0..<4)
    func names(place: Int) async throws {
        let api = try await TestAPI([
            Route(.post, "/it", "it", "It", area: "test", access: .open) { call in
                _ = try await call.body { reader in
                    reader.objects("lines", of: "Line", count: 0...9) { $0.optionalText("name") }
                }
                return Reply(.noContent)
            }
        ])
        let name = String(repeating: "né", count: 150_000)
        let body =
            switch place {
            case 0: #"{"\#(name)":1}"#
            case 1: #"{"lines":[{"\#(name)":1}]}"#
            case 2: #"{"\#(name)":{"\#(name)":tru}}"#
            default: "{" + (0..<1_000).map { "\"\(name.prefix(400))\($0)\":1" }.joined(separator: ",") + "}"
            }
        let reply = try await api.send(.post, "/it", body: body)
        #expect(reply.status == .badRequest)
        #expect(reply.body.readableBytes < 60_000, "\(reply.body.readableBytes) bytes")
        #expect(place == 3 || reply.body.readableBytes < 2_000, "\(reply.body.readableBytes) bytes")
    }

    @Test("a path, a media type and a coding are cut when they are repeated")
    func fields() async throws {
        let api = try await TestAPI([
            Route(.post, "/it", "it", "It", area: "test", access: .open) { call in
                _ = try await call.body { $0.text("name") }
                return Reply(.noContent)
            }
        ])
        let long = String(repeating: "x", count: 4_000)
        #expect(try await api.send(.get, "/\(long)").body.readableBytes < 1_000)
        #expect(try await api.send(.post, "/it", [.contentType: long], body: "{}").body.readableBytes < 1_000)
        #expect(try await api.send(.post, "/it", [.contentEncoding: long], body: "{}").body.readableBytes < 1_000)
        #expect(try await api.send(.get, "/it?\(long)=1").body.readableBytes < 1_000)
    }

    // MARK: Media types

    @Test(
        "a body is taken in UTF-8, however its type is spelled, behind a byte order mark, too",
        arguments: [
            "application/json", "application/json; charset=utf8", "application/json;charset=utf-8;",
            "application/json ; Charset=\"UTF-8\"", "APPLICATION/JSON;", "application/json; version=1; charset=utf-8",
        ]
    )
    func mediaTypes(type: String) async throws {
        let api = try await TestAPI([
            Route(.post, "/it", "it", "It", area: "test", access: .open) { call in
                _ = try await call.body { $0.text("name") }
                return Reply(.noContent)
            }
        ])
        for body in [#"{"name":"a"}"#, "\u{FEFF}{\"name\":\"a\"}"] {
            #expect(try await api.send(.post, "/it", [.contentType: type], body: body).status == .noContent)
        }
        let doubled = try await api.send(.post, "/it", [.contentType: type], body: "\u{FEFF}\u{FEFF}{\"name\":\"a\"}")
        #expect(doubled.status == .badRequest)
    }

    @Test("another charset, another type, a coding are 415 that names what is wrong")
    func unsupported() async throws {
        let api = try await TestAPI([
            Route(.post, "/it", "it", "It", area: "test", access: .open) { call in
                _ = try await call.body { $0.text("name") }
                return Reply(.noContent)
            }
        ])
        let body = #"{"name":"a"}"#
        let latin = try await api.send(.post, "/it", [.contentType: "application/json; charset=latin1"], body: body)
        #expect(latin.status == .unsupportedMediaType)
        #expect(latin.text.contains("latin1"))
        for coding in ["gzip", "br", "identity, gzip"] {
            let coded = try await api.send(.post, "/it", [.contentEncoding: coding], body: body)
            #expect(coded.status == .unsupportedMediaType)
            #expect(coded.text.contains("Content-Encoding"))
        }
        #expect(try await api.send(.post, "/it", [.contentEncoding: "identity"], body: body).status == .noContent)
    }
}

import Domain
import HTTPTypes
import Kernel
import Logging
import Services
import Testing

@testable import API

@Suite("A line of the log for each request")
struct RequestLogTests {
    private static let hit = TestMemory.route("/v1/things/{id}", area: "things", access: .scope(.catalogRead))

    private static let write = Route(
        .post,
        "/v1/things",
        "makeThing",
        "Makes a thing",
        area: "things",
        access: .scope(.catalogWrite),
        gives: Route.Output(status: .created)
    ) { _ in
        Reply.json(.created) { $0.object { $0.member("id", 1) } }
    }

    private static let probe = Route(
        .get,
        "/health/live",
        "healthLive",
        "Alive",
        area: "operations",
        access: .open
    ) { _ in .json { $0.object { _ in } } }

    private func api(
        _ recorder: LogRecorder,
        hits: Double = 1,
        caller: Caller? = .member(.owner)
    ) async throws
        -> TestAPI
    {
        try await TestAPI(
            [Self.hit, Self.write, Self.probe],
            caller: caller,
            rates: .unlimited,
            loggedHits: hits,
            logger: recorder.logger()
        )
    }

    @Test("it names route, tenant, person, status, bytes, time and cache; and no path, query, name or credential")
    func fields() async throws {
        let recorder = LogRecorder()
        let caller = Caller.member(.owner)
        let api = try await self.api(recorder, caller: caller)
        let token = try api.token()
        for _ in 0..<2 {
            let reply = try await api.send(
                .get,
                "/v1/things/SECRET-id?q=SECRET-query",
                [.authorization: "Bearer \(token)", .requestID: "abc-1", .cookie: "SECRET"]
            )
            #expect(reply.status == .ok)
        }
        let lines = recorder.lines("request")
        let line = try #require(lines.last)
        #expect(lines.count == 2)
        #expect(line.level == .info)
        #expect(line.fields["request_id"] == "abc-1")
        #expect(line.fields["route"] == "/v1/things/{id}")
        #expect(line.fields["method"] == "GET")
        #expect(line.fields["status"] == "200")
        #expect(line.fields["bytes"] == "2")
        #expect(line.fields["tenant"] == "1")
        #expect(line.fields["user"] == caller.user.map { "\($0)" })
        #expect(line.fields["cache"] == "stock-l1; hit")
        #expect(line.fields["duration_ms"].flatMap { Double($0) } ?? -1 >= 0)
        #expect(line.fields["client"] != nil)
        for value in line.fields.values {
            #expect(!value.contains("SECRET") && !value.contains(token) && value != caller.name, "\(value)")
        }
    }

    @Test("a key is named by its id; who is refused is a line, too")
    func keys() async throws {
        let recorder = LogRecorder()
        let key = Caller.key(.catalogRead)
        let api = try await self.api(recorder, caller: key)
        #expect(
            try await api.send(.post, "/v1/things", [.authorization: "Bearer stk_good"], body: "{}").status
                == .forbidden
        )
        #expect(
            try await api.send(.post, "/v1/things", [.authorization: "Bearer stk_SECRET"], body: "{}").status
                == .unauthorized
        )
        let lines = recorder.lines("request")
        #expect(lines.map { $0.fields["status"] } == ["403", "401"])
        #expect(lines.first?.fields["key"] == key.apiKey.map { "\($0)" })
        #expect(lines.last?.fields["tenant"] == nil)
    }

    @Test("a path that is no route is not repeated, nor a method that is none, at any level")
    func unmatched() async throws {
        let recorder = LogRecorder()
        let api = try await TestAPI([Self.hit], rates: .unlimited, logger: recorder.logger(.trace))
        let invented = try #require(HTTPRequest.Method("SECRET"))
        #expect(try await api.send(.get, "/v1/stk_SECRET/x").status == .notFound)
        #expect(try await api.send(invented, "/v1/things/x").status == .methodNotAllowed)
        let lines = recorder.lines("request")
        #expect(lines.map { $0.fields["route"] } == ["unmatched", "unmatched"])
        #expect(lines.map { $0.fields["method"] } == ["GET", "other"])
        #expect(lines.allSatisfy { line in !line.fields.values.contains { $0.contains("SECRET") } })
    }

    @Test("what balancers ask all the time is no line at info, whatever it is told")
    func probes() async throws {
        let recorder = LogRecorder()
        let failing = Route(.get, "/health/ready", "ready", "Ready", area: "operations", access: .open) { _ in
            throw Problem(.draining, "Stopping.")
        }
        let api = try await TestAPI([Self.probe, failing], logger: recorder.logger())
        #expect(try await api.send(.get, "/health/live").status == .ok)
        #expect(try await api.send(.get, "/health/ready").status == .serviceUnavailable)
        #expect(recorder.lines("request").isEmpty)
        #expect(try await api.send(.get, "/health/nothing").status == .notFound)
        #expect(recorder.lines("request").map { $0.fields["route"] } == ["unmatched"])
    }

    @Test(
        "of answers from memory as large a share is written as was chosen; of others every one",
        arguments: [0, 0.01, 0.5, 1]
    )
    func share(of hits: Double) async throws {
        let recorder = LogRecorder()
        let log = RequestLog(logger: recorder.logger(), hits: hits)
        let count = 100_000
        // Moments as they come: microseconds apart, and by no means random.
        let start = ContinuousClock.now
        let drawn = (0..<count).count { log.isDrawn(start.advanced(by: .nanoseconds($0 * 7_001))) }
        #expect(abs(Double(drawn) / Double(count) - hits) < 0.005, "\(drawn) of \(count)")

        let api = try await self.api(recorder, hits: hits)
        let token = try api.token()
        for _ in 0..<20 {
            _ = try await api.send(.post, "/v1/things", [.authorization: "Bearer \(token)"], body: "{}")
        }
        #expect(recorder.lines("request").count == 20)
    }
}

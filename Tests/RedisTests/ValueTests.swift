import Testing

@testable import Redis

@Suite("The Redis configuration")
struct RedisConfigurationTests {
    @Test(
        "an address is read from a URL",
        arguments: [
            ("redis://cache", "redis://cache:6379/0", nil, nil),
            ("redis://cache:7000/3", "redis://cache:7000/3", nil, nil),
            ("redis://:secret@cache:7000", "redis://cache:7000/0", nil, "secret"),
            ("redis://me:s%40c%2Fret@127.0.0.1:7000/1", "redis://127.0.0.1:7000/1", "me", "s@c/ret"),
            ("redis://[::1]:7000", "redis://[::1]:7000/0", nil, "nil"),
            ("unix:///run/redis.sock", "unix:///run/redis.sock?db=0", nil, nil),
            ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2", nil, nil),
            ("redis+unix://:pw@/run/re@dis.sock?db=2", "unix:///run/re@dis.sock?db=2", nil, "pw"),
        ] as [(String, String, String?, String?)]
    )
    func url(url: String, description: String, username: String?, password: String?) throws {
        let configuration = try RedisConfiguration(url: url)
        #expect("\(configuration)" == description)
        #expect(configuration.username == username)
        #expect(configuration.password == (password == "nil" ? nil : password))
    }

    @Test(
        "a wrong URL is refused with the part that is wrong, never with the password",
        arguments: [
            "", "cache:6379", "http://cache", "rediss://cache", "redis://", "redis://:topsecret@", "redis://cache:0",
            "redis://cache:65536", "redis://cache:+1", "redis://cache:x", "redis://cache/one", "redis://cache/-1",
            "redis://[::1", "redis://:topsecret%zz@cache", "unix://run", "unix:///a?database=1",
            "unix://:topsecret@/\(String(repeating: "a", count: 108))",
        ]
    )
    func wrongURL(url: String) {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.description.contains("topsecret") == false)
    }
}

@Suite("A Redis command")
struct RedisCommandTests {
    @Test("arguments of all kinds lie one after the other")
    func layout() {
        var command: RedisCommand = ["SET", .text("clé"), .bytes([0, 255]), 42, .integer(-7)]
        command.append([])
        #expect(command.bytes == Array("SETclé".utf8) + [0, 255] + Array("42-7".utf8))
        #expect(command.ends == [3, 7, 9, 11, 13, 13])
        #expect(command.argumentCount == 6)
    }
}

@Suite("A Redis error")
struct RedisErrorTests {
    @Test(
        "the first word of an error reply tells its kind",
        arguments: [
            ("NOSCRIPT No matching script", RedisError.Code.noScript), ("LOADING Redis is loading", .loading),
            ("BUSY a script", .busy), ("READONLY You can't", .readOnly), ("OOM command not allowed", .outOfMemory),
            ("MISCONF Redis is", .misconfigured), ("NOAUTH Authentication", .notAuthenticated),
            ("WRONGPASS invalid", .notAuthenticated), ("NOPERM this user", .notPermitted), ("ERR unknown", .server),
            ("", .server),
        ]
    )
    func kinds(message: String, code: RedisError.Code) {
        #expect(RedisError(reply: message).code == code)
    }
}

@Suite("The circuit breaker")
struct CircuitBreakerTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant {
        start.advanced(by: .seconds(seconds))
    }

    private func permits(_ breaker: inout CircuitBreaker, at now: ContinuousClock.Instant) {
        let isPermitted = breaker.permits(at: now)
        #expect(isPermitted)
    }

    private func refuses(_ breaker: inout CircuitBreaker, at now: ContinuousClock.Instant) {
        let isPermitted = breaker.permits(at: now)
        #expect(!isPermitted)
    }

    @Test("the fifth failure within the window opens it")
    func opens() {
        var breaker = CircuitBreaker()
        for second in 0..<4 {
            breaker.failed(at: at(Double(second)))
        }
        #expect(breaker.isClosed)
        breaker.failed(at: at(4))
        #expect(!breaker.isClosed)
        refuses(&breaker, at: at(4.999))
    }

    @Test("failures that are far apart do not open it")
    func window() {
        var breaker = CircuitBreaker()
        for second in stride(from: 0.0, to: 100, by: 2.5) {
            breaker.failed(at: at(second))
        }
        #expect(breaker.isClosed)
    }

    private func opened() -> CircuitBreaker {
        var breaker = CircuitBreaker()
        for _ in 0..<5 {
            breaker.failed(at: at(0))
        }
        return breaker
    }

    @Test("after the pause one may try, and success closes it")
    func probe() {
        var breaker = opened()
        #expect(!breaker.wouldPermit(at: at(0.999)))
        #expect(breaker.wouldPermit(at: at(1)))
        permits(&breaker, at: at(1))
        refuses(&breaker, at: at(1.001))
        breaker.succeeded()
        #expect(breaker.isClosed)
        permits(&breaker, at: at(1.002))
    }

    @Test("a probe that fails doubles the pause, up to its limit")
    func doubling() {
        var breaker = opened()
        var now = 1.0
        for pause in [2.0, 4, 8, 10, 10] {
            permits(&breaker, at: at(now))
            breaker.failed(at: at(now))
            #expect(!breaker.wouldPermit(at: at(now + pause - 0.001)))
            now += pause
        }
        permits(&breaker, at: at(now))
        breaker.succeeded()
        for _ in 0..<5 {
            breaker.failed(at: at(now))
        }
        #expect(breaker.wouldPermit(at: at(now + 1)))
    }

    @Test("a probe that is never heard of again gives way to another")
    func lostProbe() {
        var breaker = opened()
        permits(&breaker, at: at(1))
        refuses(&breaker, at: at(1.9))
        permits(&breaker, at: at(2))
    }

    @Test("replies to commands sent before it opened change nothing")
    func lateReplies() {
        var breaker = opened()
        breaker.succeeded()
        breaker.failed(at: at(0.5))
        #expect(!breaker.isClosed)
        #expect(breaker.wouldPermit(at: at(1)))
    }
}

@Suite("A value that arrives once")
struct OneShotTests {
    @Test("the first decision counts, before or after the wait began")
    func first() async {
        let early = OneShot<Int>()
        #expect(early.decide(1))
        #expect(!early.decide(2))
        #expect(await early.value() == 1)

        let late = OneShot<Int>()
        async let value = late.value()
        late.decide(3)
        #expect(await value == 3)
    }

    @Test("10,000 races of arrival and cancellation resume each waiter exactly once")
    func races() async {
        for index in 0..<10_000 {
            let value = OneShot<Int>()
            let task = Task { await value.value(ifCancelled: -1) }
            async let decision = Task { value.decide(index) }.value
            task.cancel()
            let seen = await task.value
            #expect(await decision ? seen == index : seen == -1)
        }
    }
}

import Domain
import HTTPTypes
import HummingbirdCore
import Kernel
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Services
import TestSupport
import Testing

@testable import API

/// An API over routes of a test's own, and callers it makes up.
struct TestAPI {
    static let secret = Array("a secret of thirty-two bytes, so!".utf8)

    let api: API
    let tokens: AccessTokens
    let memory: TestMemory

    /// Makes an API; without a caller every credential is refused.
    init(
        _ routes: [Route],
        caller: Caller? = nil,
        limits: ServerLimits = ServerLimits(),
        rates: RateLimitSettings = RateLimitSettings(),
        proxies: TrustedProxies = TrustedProxies(),
        crossOrigin: CrossOrigin = CrossOrigin(),
        console: ConsolePages? = nil,
        lifecycle: Lifecycle = Lifecycle(),
        metrics: MetricsRegistry? = nil,
        loggedHits: Double = 1,
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    ) async throws {
        let limiter = RateLimits(rates)
        let memory = try TestMemory()
        self.memory = memory
        let tokens = try await AccessTokens(keys: [SigningKey(secret: Self.secret)])
        self.tokens = tokens
        self.api = API(
            routes: routes,
            authenticator: Authenticator(
                tokens: tokens,
                rates: limiter,
                ofSession: { claims, _ in
                    guard let caller else { throw Problem(.unauthenticated, "The session has ended.") }
                    return caller
                },
                ofKey: { key, _ in
                    guard let caller, key == "stk_good" else { throw Problem(.unauthenticated, "No such key.") }
                    return caller
                },
                ofKnownSession: { _ in caller },
                ofKnownKey: { key in key == "stk_good" ? caller : nil }
            ),
            limits: limits,
            rates: limiter,
            lifecycle: lifecycle,
            proxies: proxies,
            crossOrigin: crossOrigin,
            console: console,
            store: memory.store,
            clock: .system,
            metrics: metrics,
            loggedHits: loggedHits,
            logger: logger
        )
    }

    /// A token that is accepted if the test's caller is.
    func token() throws -> String {
        try self.tokens.issue(user: .make(), session: .make(), tenant: TenantID(rawValue: 1))
    }

    /// Answers a request without a socket.
    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ fields: [HTTPField.Name: String] = [:],
        body: String? = nil
    ) async throws -> Reply {
        var headers = HTTPFields()
        for (name, value) in fields { headers[name] = value }
        if let body {
            if headers[.transferEncoding] == nil { headers[.contentLength] = String(body.utf8.count) }
            if headers[.contentType] == nil { headers[.contentType] = "application/json" }
        }
        let request = Request(
            head: HTTPRequest(
                method: method,
                scheme: "http",
                authority: "localhost",
                path: path,
                headerFields: headers
            ),
            body: RequestBody(buffer: ByteBuffer(string: body ?? ""))
        )
        let reply = await self.api.respond(to: request, channel: nil)
        // These routes are a test's own and described nowhere; what goes wrong with them is described.
        if reply.status.code >= 400, method != .head {
            for fault in Self.contract.problemFaults(reply.exchange(method, path)) {
                Issue.record("\(method) \(path): \(fault)")
            }
        }
        return reply
    }

    private static let contract = Contract.shared(document: OpenAPIDocument.make(routes: [], version: "0"))

    /// Serves on a free port while the body runs.
    func serve<Value: Sendable>(
        answersAtOnce: Bool = true,
        _ body: @escaping @Sendable (HTTPClient) async throws -> Value
    ) async throws -> Value {
        try await self.api.serve(answersAtOnce: answersAtOnce, body)
    }
}

extension API {
    /// Serves on a free port while the body runs, and then ends in peace, or at once.
    func serve<Value: Sendable>(
        answersAtOnce: Bool = true,
        isCancelled: Bool = false,
        _ body: @escaping @Sendable (HTTPClient) async throws -> Value
    ) async throws -> Value {
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let server = HTTPServer(
            api: self,
            host: "127.0.0.1",
            port: 0,
            group: MultiThreadedEventLoopGroup.singleton,
            answersAtOnce: answersAtOnce,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            onListening: { continuation.yield($0) }
        )
        let group = ServiceGroup(
            services: [server],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            guard let port = await ports.first(where: { _ in true }) else { throw CancellationError() }
            let result: Result<Value, any Error>
            do { result = .success(try await body(HTTPClient(port: port))) } catch { result = .failure(error) }
            if isCancelled {
                tasks.cancelAll()
                while await tasks.nextResult() != nil {}
            } else {
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
            return try result.get()
        }
    }
}

extension Reply {
    /// The body as text.
    var text: String { String(buffer: self.body) }

    /// A field's value.
    subscript(name: String) -> String? { HTTPField.Name(name).flatMap { HTTPFields(self.fields)[$0] } }
}

extension Caller {
    /// Somebody of a role.
    static func member(_ role: Role) -> Caller {
        Caller(
            tenant: TenantID(rawValue: 1),
            user: .make(),
            session: .make(),
            role: role,
            scopes: role.scopes,
            name: "Ana"
        )
    }

    /// A key with scopes.
    static func key(_ scopes: Scope...) -> Caller {
        Caller(tenant: TenantID(rawValue: 1), apiKey: .make(), scopes: Set(scopes), name: "till")
    }
}

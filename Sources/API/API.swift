import Cache
import HTTPTypes
package import HummingbirdCore
import Kernel
import Logging
package import NIOCore
import NIOHTTP1
import Services

/// The HTTP surface: from a request to its answer.
///
/// A chain of plain calls instead of middleware: name the request, find the route, check the credential, the role and the
/// rate, call the route, dress the answer. An answer from memory takes it without suspending once.
package final class API: Sendable {
    /// What connections and requests may cost.
    package let limits: ServerLimits
    /// Whether the instance drains.
    package let lifecycle: Lifecycle
    /// The table of routes.
    package let routes: [Route]

    /// Whose word about a client's address is taken.
    let proxies: TrustedProxies
    let router: Router
    /// What is asked for most.
    package let busy = BusyPaths()

    private let crossOrigin: CrossOrigin
    private let authenticator: Authenticator
    private let rates: RateLimits
    private let store: Store?
    private let date: HTTPDate
    private let metrics: HTTPMetrics
    private let log: RequestLog
    private let logger: Logger

    /// Puts the surface together.
    ///
    /// - Parameters:
    ///   - routes: the table.
    ///   - authenticator: tells who a credential belongs to.
    ///   - limits: what connections and requests may cost.
    ///   - rates: how often anyone may ask.
    ///   - lifecycle: whether the instance drains.
    ///   - proxies: whose word about a client's address is taken.
    ///   - crossOrigin: which pages may use it from a browser.
    ///   - store: runs what cached routes read; `nil` where there are none.
    ///   - clock: for the `Date` field.
    ///   - metrics: where what is measured here is read; nil for a surface that nobody measures.
    ///   - loggedHits: the share of answers from memory that gets a line in the log, 0 to 1.
    ///   - logger: for a line of each request, and for those that failed.
    init(
        routes: [Route],
        authenticator: Authenticator,
        limits: ServerLimits,
        rates: RateLimits,
        lifecycle: Lifecycle,
        proxies: TrustedProxies = TrustedProxies(),
        crossOrigin: CrossOrigin = CrossOrigin(),
        store: Store? = nil,
        clock: WallClock,
        metrics: MetricsRegistry? = nil,
        loggedHits: Double = 1,
        logger: Logger
    ) {
        self.routes = routes
        self.router = Router(routes)
        self.authenticator = authenticator
        self.limits = limits
        self.store = store
        self.rates = rates
        self.lifecycle = lifecycle
        self.proxies = proxies
        self.crossOrigin = crossOrigin
        self.date = HTTPDate(clock: clock)
        let measured = HTTPMetrics(routes)
        metrics?.observe { measured.samples() }
        self.metrics = measured
        self.log = RequestLog(logger: logger, hits: loggedHits)
        self.logger = logger
    }

    /// Answers a request.
    ///
    /// Never throws: what goes wrong becomes a problem document.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - channel: the connection it came by; `nil` in tests.
    /// - Returns: the answer with all its fields.
    package func respond(to request: Request, channel: (any Channel)?) async -> Reply {
        let began = ContinuousClock.now
        self.metrics.began()
        var subject = RequestLog.Subject()
        let fields = RequestFields(request.headers)
        let requestID = RequestID.of(fields.requestID)
        let target = request.head.path ?? "/"
        let (path, query) = Self.split(target)
        var reply: Reply
        do {
            reply = try await self.serve(request, fields, requestID, path, query, channel, &subject)
        } catch var problem as Problem {
            if problem.code == .outcomeUnknown, fields.idempotencyKey != nil {
                problem.detail += " Repeat the request with the same Idempotency-Key."
            }
            reply = problem.reply(requestID: requestID, instance: String(path))
            if problem.code == .internalError || problem.code == .outcomeUnknown {
                self.logger.error("problem", metadata: ["request_id": "\(requestID)", "detail": "\(problem.detail)"])
            } else if problem.code.status == 401 || problem.code.status == 403 {
                // Without the path, which a client may have put a credential into.
                self.logger.info(
                    "refused",
                    metadata: [
                        "request_id": "\(requestID)", "method": "\(request.method.rawValue)",
                        "code": "\(problem.code.rawValue)",
                        "address": "\(self.client(fields, channel)?.description ?? "unknown")",
                    ]
                )
            }
        } catch is HTTPParserError {
            reply = Problem(.invalidRequest, "The body is not well-formed HTTP/1.1.")
                .reply(requestID: requestID, instance: String(path))
            reply.closesConnection = true
        } catch let refused as MethodRefused {
            reply = refused.problem.reply(requestID: requestID, instance: String(path))
            reply.append(.allow, refused.allowed)
        } catch {
            // Whatever it is stays in the log; the client learns the name under which to find it there.
            self.logger.error(
                "request failed",
                metadata: [
                    "request_id": "\(requestID)", "route": "\(subject.route?.path ?? "unmatched")",
                    "error": "\(String(describing: error))",
                ]
            )
            reply = Problem(.internalError, "Something went wrong here; the log has it under the request_id.")
                .reply(requestID: requestID, instance: String(path))
        }
        if reply.status.code >= 400, fields.isChunked || fields.bodyLength > self.limits.bodyBytes {
            // Refused unread, perhaps: reading what is left only to throw it away is not worth a connection.
            reply.closesConnection = true
        }
        if self.lifecycle.isDraining {
            // Clients that keep connections learn here, and not by a reset, that this one ends.
            reply.closesConnection = true
        }
        self.crossOrigin.dress(&reply, origin: fields.origin)
        reply = self.dress(reply, requestID: requestID, isHead: request.method == .head)
        let ended = ContinuousClock.now
        self.metrics.answered(subject.route, status: reply.status.code, time: ended - began)
        self.log.answered(
            subject,
            method: request.method,
            client: self.client(fields, channel)?.description ?? "local",
            requestID: requestID,
            trace: fields.traceParent,
            reply: reply,
            began: began,
            ended: ended
        )
        return reply
    }

    /// The bytes the body of a request may have.
    func bodyLimit(method: String, target: String) -> Int {
        guard let method = HTTPRequest.Method(rawValue: method),
            case .route(let route, _) = self.router.match(method, Self.split(target).path)
        else { return self.limits.bodyBytes }
        return route.bodyLimit(self.limits)
    }

    /// Where a request comes from: its peer, or the client of a proxy that is trusted.
    private func client(_ fields: RequestFields, _ channel: (any Channel)?) -> ClientAddress? {
        channel?.remoteAddress.flatMap { ClientAddress($0) }
            .map { self.proxies.client(behind: $0, forwarded: fields.forwardedFor) }
    }

    /// Path and query of a target.
    ///
    /// A fragment is for the client alone (RFC 3986, 3.5): one that is sent says nothing.
    static func split(_ target: String) -> (path: Substring, query: Substring?) {
        let said = Substring(target.utf8.prefix { $0 != UInt8(ascii: "#") })
        guard let mark = said.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (said, nil) }
        return (said[..<mark], said[said.utf8.index(after: mark)...])
    }

    private func serve(
        _ request: Request,
        _ fields: RequestFields,
        _ requestID: String,
        _ path: Substring,
        _ query: Substring?,
        _ channel: (any Channel)?,
        _ subject: inout RequestLog.Subject
    ) async throws -> Reply {
        let route: Route
        let segments: [Substring]
        switch self.router.match(request.method, path) {
        case .route(let found, let varying):
            route = found
            segments = varying
        case .otherMethod(let methods):
            if request.method == .options, let origin = fields.origin,
                let answer = self.crossOrigin.preflight(methods: methods, origin: origin)
            {
                return answer
            }
            throw MethodRefused(method: request.method, allowed: methods)
        case .nothing:
            throw Problem(.notFound, "There is nothing at this path.")
        }
        subject.route = route
        guard self.lifecycle.isAdmitted || route.area == "operations" else {
            throw Problem(
                .databaseUnavailable,
                "The instance is starting: it has not seen its database yet.",
                retryAfter: 1
            )
        }
        if let name = fields.repeated {
            throw Problem(.invalidRequest, "The field \(name) was sent more than once.")
        }
        if let coding = fields.contentEncoding, fields.hasBody, coding.lowercased() != "identity" {
            throw Problem(
                .unsupportedMediaType,
                "Bodies are taken as they are: Content-Encoding must be identity or left out, "
                    + "not \"\(Text.excerpt(coding))\"."
            )
        }
        let deadline = ContinuousClock.now + self.limits.requestDeadline
        let client: @Sendable () -> ClientAddress? = { self.client(fields, channel) }
        var caller: Caller?
        switch route.access {
        case .open:
            break
        case .authenticated:
            caller = try await self.authenticator.caller(
                fields.authorization,
                from: client().limited,
                deadline: deadline
            )
        case .members(let roles, let scope):
            let known = try await self.authenticator.caller(
                fields.authorization,
                from: client().limited,
                deadline: deadline
            )
            subject.caller = known
            try Self.authorize(known, roles: roles, scope: scope)
            caller = known
        }
        let call = Call(
            route: route,
            request: request,
            fields: fields,
            segments: segments,
            queryText: query,
            requestID: requestID,
            deadline: deadline,
            bodyLimit: route.bodyLimit(self.limits),
            client: client,
            caller: caller,
            token: Self.token(fields, caller),
            cache: self.store?.cache,
            rates: self.rates
        )
        subject.caller = caller
        switch (route.service, caller) {
        case (.read(let reading), let caller?):
            return try await self.read(call, caller, reading)
        case (.read, nil):
            throw Problem(.unauthenticated, "This needs a credential.")
        case (.work(let handler), let caller?):
            return try await self.work(call, caller) { try await handler(call) }
        case (.work(let handler), nil):
            guard let throttle = route.throttle else { return try await handler(call) }
            return try await self.rates.attempt(throttle, from: client().limited) { try await handler(call) }
        }
    }

    /// Answers from the cache.
    ///
    /// What is in memory is free; what is not pays before anything is done for it.
    private func read(_ call: Call, _ caller: Caller, _ reading: Route.Reading) async throws -> Reply {
        guard let store else { throw Problem(.internalError, "Nothing is cached here.") }
        guard !call.bypassesCache else {
            return try await self.work(call, caller) {
                try call.reply(await store.answer(reading(call, caller), call.context()))
            }
        }
        let read = try reading(call, caller)
        let reply: Reply
        if let hit = try store.hit(read, token: call.token, deadline: call.deadline) {
            reply = try call.reply(hit)
        } else {
            try self.rates.take(caller, bytes: 0)
            reply = try call.reply(await store.answer(read, call.context()))
        }
        // The lowest bits of the time are as good as chance: one in eight is counted.
        if self.rates.now & 7 == 0, call.route.isReplayable, let target = call.request.head.path, reply.status == .ok {
            self.busy.note(caller.tenant, target)
        }
        return reply
    }

    /// Does work that costs the caller a request, when it is the caller's turn.
    private func work(
        _ call: Call,
        _ caller: Caller,
        _ body: () async throws -> Reply
    ) async throws -> Reply {
        try self.rates.take(caller, bytes: min(call.fields.bodyLength, call.bodyLimit))
        let came = ContinuousClock.now
        return try await self.rates.admission.run(tenant: caller.tenant, deadline: call.deadline) {
            self.metrics.waitedForTurn(ContinuousClock.now - came)
            return try await body()
        }
    }

    /// Computes a cached answer for a caller who pays nothing for it.
    func replay(_ call: Call, _ caller: Caller) async throws -> Reply {
        guard let store, case .read(let reading) = call.route.service else { throw Problem.notFound }
        return try call.reply(await store.answer(reading(call, caller), call.context()))
    }

    private static func token(_ fields: RequestFields, _ caller: Caller?) -> ConsistencyToken? {
        guard let text = fields.consistency, let caller else { return nil }
        return ConsistencyToken(parsing: text, tenant: caller.tenant.rawValue)
    }

    private static func authorize(_ caller: Caller, roles: Set<Role>, scope: Scope?) throws(Problem) {
        if let role = caller.role {
            guard !roles.contains(role) else { return }
            let names = Role.allCases.filter(roles.contains).map(\.rawValue).joined(separator: ", ")
            throw Problem(.forbidden, "This is for \(names); you are \(role.rawValue).")
        }
        guard let scope else {
            throw Problem(.forbidden, "This needs a person's session; an API key cannot do it.")
        }
        guard caller.scopes.contains(scope) else {
            throw Problem(.forbidden, "This API key has no scope \(scope.rawValue).")
        }
    }

    private func dress(_ answer: Reply, requestID: String, isHead: Bool) -> Reply {
        var reply = answer
        reply.append(.requestID, requestID)
        reply.append(.date, self.date.text)
        for field in SecurityHeaders.fields { reply.fields.append(field) }
        if reply.closesConnection { reply.append(.connection, "close") }
        switch reply.status.code {
        case 204, 304:
            reply.body = ByteBuffer()
        default:
            reply.append(.contentLength, String(reply.body.readableBytes))
            if isHead { reply.body = ByteBuffer() }
        }
        return reply
    }
}

extension ClientAddress? {
    /// What limits count a request by; those that come by a socket in the file system are one.
    var limited: String { self?.limited ?? "local" }
}

/// A method that the path does not have.
private struct MethodRefused: Error {
    let method: HTTPRequest.Method
    let allowed: String

    init(method: HTTPRequest.Method, allowed: [HTTPRequest.Method]) {
        self.method = method
        let names = allowed.map(\.rawValue) + (allowed.contains(.get) ? ["HEAD"] : [])
        self.allowed = names.sorted().joined(separator: ", ")
    }

    var problem: Problem {
        Problem(.methodNotAllowed, "\(self.method.rawValue) is not possible here; \(self.allowed) is.")
    }
}

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

    let crossOrigin: CrossOrigin
    private let console: ConsolePages?
    let authenticator: Authenticator
    let rates: RateLimits
    let store: Store?
    /// What time it is for credentials.
    let clock: WallClock
    private let date: HTTPDate
    let metrics: HTTPMetrics
    private let log: RequestLog
    let logger: Logger

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
    ///   - console: the page for people; nil where there is none.
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
        console: ConsolePages? = nil,
        store: Store? = nil,
        clock: WallClock,
        metrics: MetricsRegistry? = nil,
        loggedHits: Double = 1,
        logger: Logger
    ) {
        self.routes = routes
        router = Router(routes)
        self.authenticator = authenticator
        self.limits = limits
        self.store = store
        self.rates = rates
        self.lifecycle = lifecycle
        self.proxies = proxies
        self.crossOrigin = crossOrigin
        self.console = console
        self.clock = clock
        date = HTTPDate(clock: clock)
        let measured = HTTPMetrics(routes)
        metrics?.observe { measured.samples() }
        self.metrics = measured
        log = RequestLog(logger: logger, hits: loggedHits)
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
        await respond(to: Exchange(request, channel: channel, proxies: self.proxies))
    }

    /// Answers a request that was looked at already.
    func respond(to exchange: Exchange) async -> Reply {
        var subject = RequestLog.Subject()
        metrics.began()
        let reply: Reply
        do {
            reply = try await serve(exchange, &subject)
        } catch {
            reply = refusal(of: error, exchange, subject)
        }
        return finished(reply, exchange, subject)
    }

    /// Answers a request at once, if it is refused or all of its answer lies in memory: without a task, on the thread that asks.
    ///
    /// The steps are those of ``respond(to:channel:)``, up to the first that would have to wait. What is not answered here has left
    /// no trace.
    ///
    /// - Parameters:
    ///   - head: the header block of a request that has ended.
    ///   - channel: the connection it came by.
    ///   - seen: the token that came before on this connection.
    /// - Returns: the answer with all its fields; nil if it is to be asked for the other way.
    func answerAtOnce(
        _ head: HTTPRequestHead,
        channel: any Channel,
        seen: inout Authenticator.SeenToken
    ) -> Reply? {
        // An answer that ends its connection is the guard's to end.
        guard !lifecycle.isDraining,
            let exchange = Exchange(whole: head, channel: channel, proxies: self.proxies)
        else { return nil }
        var subject = RequestLog.Subject()
        let reply: Reply
        do {
            if let page = console?.reply(to: exchange) {
                metrics.began()
                metrics.answeredAtOnce()
                return finished(page, exchange, subject)
            }
            let visit = try self.visit(exchange, &subject)
            // A table is made of its body, which the thread of all connections does not wait for.
            guard visit.route.isCached,
                visit.route.gives.table == nil || visit.route.isFirstForm(exchange.fields.accept)
            else { return nil }
            let credential = try authenticator.credential(exchange.fields.authorization, &seen)
            guard let caller = try authenticator.known(credential),
                case .found(let found) = try lookUp(call(visit, caller, &subject))
            else { return nil }
            reply = found
        } catch {
            reply = refusal(of: error, exchange, subject)
        }
        metrics.began()
        metrics.answeredAtOnce()
        return finished(reply, exchange, subject)
    }

    /// What asks for a stream of events, and is complete with its header block; nil for any other request.
    ///
    /// - Parameters:
    ///   - head: the header block of a request that has ended.
    ///   - channel: the connection it came by.
    /// - Returns: the request, to be answered by ``respond(to:)``.
    func asksForEvents(_ head: HTTPRequestHead, channel: any Channel) -> Exchange? {
        guard head.method == .GET, case .route(let route, _) = router.match(.get, Exchange.split(head.uri).path),
            route.isEndless
        else { return nil }
        return Exchange(whole: head, channel: channel, proxies: proxies)
    }

    /// The bytes the body of a request may have.
    func bodyLimit(method: String, target: String) -> Int {
        guard let method = HTTPRequest.Method(rawValue: method),
            case .route(let route, _) = router.match(method, Exchange.split(target).path)
        else { return limits.bodyBytes }
        return route.bodyLimit(limits)
    }

    // MARK: Steps that never suspend

    /// A request that has found its route.
    private struct Visit {
        let exchange: Exchange
        let route: Route
        let segments: [Substring]
        let deadline: ContinuousClock.Instant
    }

    /// What memory has for a call.
    private enum Look {
        /// The answer.
        case found(Reply)
        /// Not the answer to this read.
        case missing(CachedRead)
        /// Nothing, as memory is not to be asked.
        case nothing
    }

    /// Finds the route, and refuses what no credential would help.
    private func visit(_ exchange: Exchange, _ subject: inout RequestLog.Subject) throws -> Visit {
        let route: Route
        let segments: [Substring]
        switch router.match(exchange.method, exchange.path) {
        case .route(let found, let varying):
            route = found
            segments = varying
        case .otherMethod(let methods):
            throw MethodRefused(method: exchange.method, known: methods)
        case .nothing:
            throw Problem(.notFound, "There is nothing at this path.")
        }
        subject.route = route
        guard lifecycle.isAdmitted || route.area == "operations" else {
            throw Problem(
                .databaseUnavailable,
                "The instance is starting: it has not seen its database yet.",
                retryAfter: 1
            )
        }
        if let name = exchange.fields.repeated {
            throw Problem(.invalidRequest, "The field \(name) was sent more than once.")
        }
        if let coding = exchange.fields.contentEncoding, exchange.fields.hasBody, coding.lowercased() != "identity" {
            throw Problem(
                .unsupportedMediaType,
                "Bodies are taken as they are: Content-Encoding must be identity or left out, "
                    + "not \"\(Text.excerpt(coding))\"."
            )
        }
        return Visit(
            exchange: exchange,
            route: route,
            segments: segments,
            deadline: exchange.began + limits.requestDeadline
        )
    }

    /// The call of a caller who may; nil is nobody, on a route that is open.
    private func call(
        _ visit: Visit,
        _ caller: Caller?,
        _ subject: inout RequestLog.Subject
    ) throws(Problem) -> Call {
        subject.caller = caller
        if let caller, case .members(let roles, let scope) = visit.route.access {
            try Self.authorize(caller, roles: roles, scope: scope)
        }
        return Call(
            route: visit.route,
            exchange: visit.exchange,
            segments: visit.segments,
            deadline: visit.deadline,
            bodyLimit: visit.route.bodyLimit(limits),
            caller: caller,
            token: Self.token(visit.exchange.fields, caller),
            cache: store?.cache,
            rates: self.rates
        )
    }

    /// Looks into memory for the answer to a call; what lies there is free.
    private func lookUp(_ call: Call) throws -> Look {
        guard case .read(let reading) = call.route.service, let caller = call.caller, let store, !call.bypassesCache
        else {
            return .nothing
        }
        let read = try reading(call, caller)
        guard let hit = try store.hit(read, token: call.token, deadline: call.deadline) else { return .missing(read) }
        let reply = try call.reply(hit)
        note(call, caller, reply)
        return .found(reply)
    }

    /// Counts what is asked for often.
    private func note(_ call: Call, _ caller: Caller, _ reply: Reply) {
        // The lowest bits of the time are as good as chance: one in eight is counted.
        if rates.now & 7 == 0, call.route.isReplayable, reply.status == .ok {
            busy.note(caller.tenant, call.exchange.target)
        }
    }

    /// An answer with all its fields, counted and logged.
    private func finished(_ answer: Reply, _ exchange: Exchange, _ subject: RequestLog.Subject) -> Reply {
        var reply = answer
        if reply.status.code >= 400, exchange.fields.isChunked || exchange.fields.bodyLength > limits.bodyBytes {
            // Refused unread, perhaps: reading what is left only to throw it away is not worth a connection.
            reply.closesConnection = true
        }
        if reply.isOfUnknownLength, exchange.method == .head { reply.closesConnection = true }
        if lifecycle.isDraining {
            // Clients that keep connections learn here, and not by a reset, that this one ends.
            reply.closesConnection = true
        }
        if let route = subject.route, route.isNegotiated, reply.status.code < 400 || reply.status == .notAcceptable {
            reply.fields.append(Reply.varyAccept)
        }
        crossOrigin.dress(&reply, origin: exchange.fields.origin)
        dress(&reply, requestID: exchange.requestID, isHead: exchange.method == .head)
        let ended = ContinuousClock.now
        metrics.answered(subject.route, status: reply.status.code, time: ended - exchange.began)
        log.answered(subject, exchange, reply, ended: ended)
        return reply
    }

    // MARK: Steps that may wait

    private func serve(_ exchange: Exchange, _ subject: inout RequestLog.Subject) async throws -> Reply {
        if let page = console?.reply(to: exchange) { return page }
        let visit = try self.visit(exchange, &subject)
        var caller: Caller?
        switch visit.route.access {
        case .open:
            break
        case .authenticated, .members:
            var seen = Authenticator.SeenToken()
            caller = try await authenticator.caller(
                authenticator.credential(exchange.fields.authorization, &seen),
                from: exchange.client.limited,
                deadline: visit.deadline
            )
        }
        let call = try self.call(visit, caller, &subject)
        guard let caller else { return try await serveAnyone(call) }
        switch call.route.service {
        case .read(let reading):
            switch try lookUp(call) {
            case .found(let reply):
                return reply
            case .missing(let read):
                return try await answer(read, call, caller)
            case .nothing:
                return try await work(call, caller) { call in try await ask(reading(call, caller), call) }
            }
        case .work(let handler):
            return try await work(call, caller, handler)
        case .live(let handler):
            try rates.take(caller, bytes: 0)
            return try await handler(call, LiveCall(call.exchange, caller, self))
        }
    }

    /// Does what needs no credential, as often as the caller's address may ask for it.
    private func serveAnyone(_ call: Call) async throws -> Reply {
        guard case .work(let handler) = call.route.service else {
            throw Problem(.unauthenticated, "This needs a credential.")
        }
        guard let throttle = call.route.throttle else { return try await handler(call) }
        return try await rates.attempt(throttle, from: call.exchange.client.limited) {
            try await handler(call.withBody(limits.requestDeadline))
        }
    }

    /// Answers what memory does not have, which is paid for before anything is done.
    private func answer(_ read: CachedRead, _ call: Call, _ caller: Caller) async throws -> Reply {
        try rates.take(caller, bytes: 0)
        let reply = try await ask(read, call)
        note(call, caller, reply)
        return reply
    }

    private func ask(_ read: CachedRead, _ call: Call) async throws -> Reply {
        guard let store else { throw Problem(.internalError, "Nothing is cached here.") }
        return try call.reply(await store.look(read, call.context()))
    }

    /// Does work that costs the caller a request, when its body is here and it is the caller's turn.
    private func work(
        _ announced: Call,
        _ caller: Caller,
        _ body: (Call) async throws -> Reply
    ) async throws -> Reply {
        try rates.take(caller, bytes: min(announced.exchange.fields.bodyLength, announced.bodyLimit))
        let call = try await announced.withBody(limits.requestDeadline)
        let came = ContinuousClock.now
        return try await rates.admission.run(tenant: caller.tenant, deadline: call.deadline) {
            self.metrics.waitedForTurn(ContinuousClock.now - came)
            return try await tellingWhatWasSeen(call) { try await body(call) }
        }
    }

    /// Computes a cached answer for a caller who pays nothing for it.
    func replay(_ call: Call, _ caller: Caller) async throws -> Reply {
        guard case .read(let reading) = call.route.service else { throw Problem.notFound }
        return try await ask(reading(call, caller), call)
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

    private func dress(_ reply: inout Reply, requestID: String, isHead: Bool) {
        reply.append(.requestID, requestID)
        reply.append(.date, date.text)
        reply.fields.append(SecurityHeaders.keeping(reply.kept))
        reply.fields += SecurityHeaders.fields(of: reply.face)
        if reply.closesConnection { reply.append(.connection, "close") }
        switch reply.status.code {
        case 204, 304:
            reply.body = ByteBuffer()
            reply.stream = nil
            reply.events = nil
        case _ where reply.isOfUnknownLength:
            // Chunks tell where it ends; of a HEAD nobody could, but for the end of the connection.
            if isHead {
                reply.stream = nil
                reply.events = nil
            }
        default:
            reply.append(.contentLength, String(reply.body.readableBytes))
            if isHead { reply.body = ByteBuffer() }
        }
    }
}

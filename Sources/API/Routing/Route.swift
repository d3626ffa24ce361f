package import HTTPTypes
package import Kernel
package import Services

/// One route: what it is, who may use it, what it takes and gives.
///
/// The table of these (``Routes``) is the only list: it makes the router, the check of roles, the `Allow` of a 405 and the
/// OpenAPI document, so none of them can disagree.
///
/// A class, as a call carries its route along: one reference instead of a dozen fields.
package final class Route: Sendable {
    /// Who may use a route.
    package enum Access: Sendable {
        /// Anyone, without a credential.
        case open
        /// Members with one of these roles, and keys with the scope; no scope means that keys are refused.
        case members(Set<Role>, scope: Scope?)
        /// Everyone with a valid credential, whatever role or scope.
        case authenticated
    }

    /// What limits, by address, a route that asks for no credential; taken before anything of the body is read.
    package enum Throttle: Sendable {
        /// A password is tried: wrong ones count.
        case logIn
        /// Something is made that nobody has to pay for: each one counts.
        case signUp
        /// A token is looked up: wrong ones count, and there may be more of them, as they cost little.
        case credential
    }

    /// A parameter of the query.
    package struct Parameter: Sendable {
        let name: String
        let schema: Schema
        let isRequired: Bool
        let description: String

        init(_ name: String, _ schema: Schema, _ description: String, isRequired: Bool = false) {
            self.name = name
            self.schema = schema
            self.description = description
            self.isRequired = isRequired
        }
    }

    /// Serves a call.
    package typealias Handler = @Sendable (Call) async throws -> Reply

    /// Says which read answers a call; does nothing yet, so that an answer in memory needs no task.
    package typealias Reading = @Sendable (Call, Caller) throws -> CachedRead

    /// How a route answers.
    enum Service {
        /// From the cache: the API runs the read that it names.
        case read(Reading)
        /// By work of its own.
        case work(Handler)
    }

    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    package let method: HTTPRequest.Method
    /// The path, with `{name}` for a segment that varies.
    package let path: String
    /// The operation's name, unique.
    package let name: String
    /// What it does, in a sentence.
    package let summary: String
    /// The area it belongs to.
    package let area: String
    /// Who may use it.
    package let access: Access
    /// What limits it by address, if nothing else does.
    package let throttle: Throttle?
    /// Whether `Idempotency-Key` is required.
    package let needsKey: Bool
    /// Whether `Idempotency-Key` is heeded, though none is required.
    package let takesKey: Bool
    /// Whether `If-Match` is required.
    package let needsMatch: Bool
    /// Whether it makes what is not there (`If-None-Match: *`) and replaces what is (`If-Match`).
    package let isUpsert: Bool
    /// Whether answers come from the cache and carry `Cache-Status`.
    package var isCached: Bool {
        if case .read = self.service { true } else { false }
    }
    /// Whether an answer may be asked for ahead of its readers: it is cached, the same for all of them, and a viewer may see it.
    let isReplayable: Bool
    /// Parameters of the query.
    package let parameters: [Parameter]
    /// The body it takes.
    package let body: Schema?
    /// Whether the body may be left out.
    package let isBodyOptional: Bool
    /// The status of success.
    package let status: HTTPResponse.Status
    /// The body it gives.
    package let answer: Schema?
    /// The media type of that body.
    package let answerType: ContentType
    /// Whether success says where the new resource is found, and its entity tag.
    package let namesResource: Bool
    /// Whether success carries the entity tag of what it answers.
    package let givesTag: Bool
    /// Problems beside those that every route may give.
    package let problems: [Problem.Code]
    /// Serves it.
    let service: Service
    /// How often it was answered, and how fast.
    let measures = RouteMeasures()

    init(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        throttle: Throttle? = nil,
        needsKey: Bool = false,
        takesKey: Bool = false,
        needsMatch: Bool = false,
        isUpsert: Bool = false,
        parameters: [Parameter] = [],
        body: Schema? = nil,
        isBodyOptional: Bool = false,
        status: HTTPResponse.Status = .ok,
        answer: Schema? = nil,
        answerType: ContentType = .json,
        namesResource: Bool? = nil,
        givesTag: Bool? = nil,
        problems: [Problem.Code] = [],
        service: Service? = nil,
        handler: Handler? = nil
    ) {
        self.method = method
        self.path = path
        self.name = name
        self.summary = summary
        self.area = area
        self.access = access
        self.throttle = throttle
        self.needsKey = needsKey
        self.takesKey = takesKey || needsKey
        self.needsMatch = needsMatch
        self.isUpsert = isUpsert
        switch (service, handler) {
        case (let service?, nil): self.service = service
        case (nil, let handler?) where parameters.isEmpty:
            self.service = .work { call in
                try call.noQuery()
                return try await handler(call)
            }
        case (nil, let handler?): self.service = .work(handler)
        default: preconditionFailure("\(name) has one service")
        }
        let isCached = if case .read = self.service { true } else { false }
        if case .members(let roles, _) = access {
            self.isReplayable = isCached && roles.contains(.viewer)
        } else {
            self.isReplayable = false
        }
        self.parameters = parameters
        self.body = body
        self.isBodyOptional = isBodyOptional
        self.status = status
        self.answer = answer
        self.answerType = answerType
        self.namesResource = namesResource ?? (status == .created)
        self.givesTag = givesTag ?? (isCached || self.namesResource || isUpsert || (needsMatch && answer != nil))
        self.problems = problems
    }

    /// A GET that is answered from the cache and takes no query; `reading` says which read answers.
    ///
    /// Somebody has to be known, as the cache is a tenant's.
    static func read(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        answer: Schema? = nil,
        problems: [Problem.Code] = [],
        reading: @escaping Reading
    ) -> Route {
        Route(
            .get,
            path,
            name,
            summary,
            area: area,
            access: access,
            answer: answer,
            problems: problems,
            service: .read { call, caller in
                try call.noQuery()
                return try reading(call, caller)
            }
        )
    }

    /// The bytes its body may have: of what anybody may send, little is read.
    ///
    /// - Parameter limits: what requests may cost.
    /// - Returns: the number.
    func bodyLimit(_ limits: ServerLimits) -> Int {
        self.area == "identity" ? min(limits.identityBodyBytes, limits.bodyBytes) : limits.bodyBytes
    }

    /// The scope of its idempotency keys: one route of one tenant.
    package var idempotencyScope: String { "\(self.method.rawValue) \(self.path)" }

    /// Whether it reads or writes a tenant's data, so that requests and answers may carry `Stock-Consistency`.
    var takesConsistency: Bool {
        if case .open = self.access { return false }
        return self.isCached || self.method != .get
    }

    /// The names of the segments that vary, in order.
    var pathParameters: [String] {
        self.path.split(separator: "/").compactMap { segment in
            segment.hasPrefix("{") ? String(segment.dropFirst().dropLast()) : nil
        }
    }
}

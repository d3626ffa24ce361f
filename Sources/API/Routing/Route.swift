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

    /// What is demanded of an idempotency key.
    enum KeyDemand: Sendable {
        /// Without one it is refused.
        case required
        /// One is heeded.
        case accepted
    }

    /// What is demanded of the version that a client has read.
    enum VersionDemand: Sendable {
        /// `If-Match` names it.
        case matched
        /// What is not there is made (`If-None-Match: *`), what is there is replaced (`If-Match`).
        case put
    }

    /// What it takes beside its path.
    struct Input: Sendable {
        /// What a segment of the path is, where it is no id.
        var segments: [String: Schema] = [:]
        /// Parameters of the query.
        var parameters: [Parameter] = []
        /// The body.
        var body: Schema?
        /// Whether the body may be left out.
        var isBodyOptional = false
        /// Whether the body is bytes and no JSON, which `Content-Digest` may vouch for.
        var isBodyRaw = false
        /// What is demanded of `Idempotency-Key`; nil where none is heeded.
        var key: KeyDemand?
        /// What is demanded of conditions; nil where none is heeded.
        var version: VersionDemand?
        /// Whether `Last-Event-ID` is heeded.
        var resumes = false
    }

    /// What success gives, and what else may be answered.
    struct Output: Sendable {
        /// The status of success.
        var status: HTTPResponse.Status = .ok
        /// The body of success.
        var answer: Schema?
        /// The media type of that body.
        var type: ContentType = .json
        /// Other forms that the body may be asked for in, by `Accept`.
        var others: [(type: ContentType, answer: Schema)] = []
        /// How the body is written as a table, where `text/csv` is among the others.
        var table: CSVTable?
        /// Whether it says where the new resource is found, and its entity tag; nil for what was created.
        var namesResource: Bool?
        /// Whether it carries the entity tag of what it answers; nil for what has one as a rule.
        var givesTag: Bool?
        /// Whether it gives the browser a cookie to keep, if the body asks for that.
        var setsCookie = false
        /// Problems beside those that every route may give.
        var problems: [Problem.Code] = []
    }

    /// Serves a call.
    package typealias Handler = @Sendable (Call) async throws -> Reply

    /// Serves a call for as long as its caller wants.
    package typealias LiveHandler = @Sendable (Call, LiveCall) async throws -> Reply

    /// Says which read answers a call; does nothing yet, so that an answer in memory needs no task.
    package typealias Reading = @Sendable (Call, Caller) throws -> CachedRead

    /// How a route answers.
    enum Service {
        /// From the cache: the API runs the read that it names.
        case read(Reading)
        /// By work of its own.
        case work(Handler)
        /// By waiting for what happens, which takes no turn from anybody meanwhile.
        case live(LiveHandler)
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
    /// What it takes.
    let takes: Input
    /// What it gives.
    let gives: Output
    /// Whether success says where the new resource is found, and its entity tag.
    package let namesResource: Bool
    /// Whether success carries the entity tag of what it answers.
    package let givesTag: Bool
    /// Whether answers come from the cache and carry `Cache-Status`.
    package var isCached: Bool {
        if case .read = service { true } else { false }
    }
    /// Whether an answer does not end by itself.
    var isEndless: Bool {
        if case .live = service, gives.type == .events { true } else { false }
    }
    /// Whether an answer may be asked for ahead of its readers: it is cached, the same for all of them, and a viewer may see it.
    let isReplayable: Bool
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
        takes: Input = Input(),
        gives: Output = Output(),
        service: Service
    ) {
        self.method = method
        self.path = path
        self.name = name
        self.summary = summary
        self.area = area
        self.access = access
        self.throttle = throttle
        self.takes = takes
        self.gives = gives
        self.service = service
        let isCached = if case .read = service { true } else { false }
        if case .members(let roles, _) = access {
            isReplayable = isCached && roles.contains(.viewer)
        } else {
            isReplayable = false
        }
        namesResource = gives.namesResource ?? (gives.status == .created)
        let isAnswered =
            switch takes.version {
            case .put: true
            case .matched: gives.answer != nil
            case nil: false
            }
        givesTag = gives.givesTag ?? (isCached || namesResource || isAnswered)
    }

    /// A route that answers by work of its own; one without parameters refuses any.
    convenience init(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        throttle: Throttle? = nil,
        takes: Input = Input(),
        gives: Output = Output(),
        handler: @escaping Handler
    ) {
        self.init(
            method,
            path,
            name,
            summary,
            area: area,
            access: access,
            throttle: throttle,
            takes: takes,
            gives: gives,
            service: .work { call in
                if takes.parameters.isEmpty { try call.noQuery() }
                return try await handler(call)
            }
        )
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
            gives: Route.Output(answer: answer, problems: problems),
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
        area == "identity" ? min(limits.identityBodyBytes, limits.bodyBytes) : limits.bodyBytes
    }

    /// The scope of its idempotency keys: one route of one tenant.
    package var idempotencyScope: String { "\(method.rawValue) \(path)" }

    /// Whether it reads or writes a tenant's data, so that requests and answers may carry `Stock-Consistency`.
    var takesConsistency: Bool {
        if case .open = access { return false }
        return isCached || method != .get
    }

    /// Whether `Idempotency-Key` is required.
    package var needsKey: Bool { takes.key == .required }
    /// Whether `Idempotency-Key` is heeded.
    package var takesKey: Bool { takes.key != nil }
    /// Whether `If-Match` is required.
    package var needsMatch: Bool { takes.version == .matched }
    /// Whether it makes what is not there (`If-None-Match: *`) and replaces what is (`If-Match`).
    package var isUpsert: Bool { takes.version == .put }
    /// Parameters of the query.
    package var parameters: [Parameter] { takes.parameters }
    /// The body it takes.
    package var body: Schema? { takes.body }
    /// Whether the body may be left out.
    package var isBodyOptional: Bool { takes.isBodyOptional }
    /// The status of success.
    package var status: HTTPResponse.Status { gives.status }
    /// The body it gives.
    package var answer: Schema? { gives.answer }
    /// The media type of that body.
    package var answerType: ContentType { gives.type }
    /// The media types of that body, the one given to whoever asks for none first.
    package var answerTypes: [ContentType] { [gives.type] + gives.others.map(\.type) }
    /// Whether a client chooses among them, by `Accept`.
    package var isNegotiated: Bool { !gives.others.isEmpty }
    /// Whether `Accept` plainly asks for the first of them, as almost everybody's does, so that a hit reads no weights.
    ///
    /// - Parameter accept: the field; nil if there is none.
    /// - Returns: whether it does; an unusual one is read by its weights.
    func isFirstForm(_ accept: String?) -> Bool {
        guard let accept else { return true }
        return gives.others.isEmpty || accept == "*/*" || accept == gives.type.mediaType
    }
    /// Problems beside those that every route may give.
    package var problems: [Problem.Code] { gives.problems }

    /// The names of the segments that vary, in order.
    var pathParameters: [String] {
        path.split(separator: "/").compactMap { segment in
            segment.hasPrefix("{") ? String(segment.dropFirst().dropLast()) : nil
        }
    }
}

import HTTPTypes
import Kernel

/// A header field of answers, as the OpenAPI document lists it.
enum AnswerHeader: String, CaseIterable {
    case requestID = "X-Request-Id"
    case eTag = "ETag"
    case location = "Location"
    case cacheStatus = "Cache-Status"
    case consistency = "Stock-Consistency"
    case eventSequence = "Stock-Event-Sequence"
    case replayed = "Idempotency-Replayed"
    case vary = "Vary"
    case contentEncoding = "Content-Encoding"
    case link = "Link"
    case retryAfter = "Retry-After"
    case authenticate = "WWW-Authenticate"
    case rateLimit = "RateLimit"
    case rateLimitPolicy = "RateLimit-Policy"
    case setCookie = "Set-Cookie"

    /// What it says.
    var description: String {
        switch self {
        case .requestID: "The name of the request in our log: the client's own X-Request-Id, or one we made."
        case .eTag: "The entity tag, for If-Match and If-None-Match."
        case .location: "The path of the new resource."
        case .cacheStatus: "Where the answer came from (RFC 9211)."
        case .consistency: "To be sent with the next request, to any instance, which then sees what this answer tells."
        case .eventSequence: "The last event that the list reflects: behind it the feed tells what has happened since."
        case .replayed: "The answer is that of an earlier request with the same Idempotency-Key."
        case .vary: "The bytes depend on this field of the request."
        case .link: "Where the table goes on (RFC 8288), if it does."
        case .contentEncoding: "How the bytes are compressed, for clients that accept it."
        case .retryAfter: "Seconds after which the same request may succeed."
        case .authenticate: "How to say who asks."
        case .rateLimit: "What is left, and in how many seconds there is more."
        case .rateLimitPolicy: "How many requests, in how many seconds."
        case .setCookie:
            "The refresh token, if the body asks for the cookie: for the browser, which shows it to no script."
        }
    }

    /// The shape of its value.
    var schema: Schema {
        switch self {
        case .link, .requestID, .location, .cacheStatus, .consistency, .rateLimit, .rateLimitPolicy, .authenticate,
            .setCookie:
            .text
        case .eTag: .pattern(#"^"[^"]*"$"#, description: "Quoted, never weak.")
        case .replayed: .choice(["true"])
        case .vary: .choice(["Accept", "Accept-Encoding", "Authorization"])
        case .contentEncoding: .choice(["gzip"])
        case .retryAfter: .integer(minimum: 1)
        case .eventSequence: .integer(minimum: 0)
        }
    }

    /// A value of it.
    var example: String {
        switch self {
        case .requestID: "stp2cqjb"
        case .eTag: #""3.17""#
        case .location: "/v1/sales/01a1fdf2-b270-76bb-9b75-63983f68fe97"
        case .cacheStatus: "stock-l1; hit"
        case .consistency: "1.b.811:812"
        case .eventSequence: "811"
        case .replayed: "true"
        case .vary: "Accept-Encoding"
        case .contentEncoding: "gzip"
        case .link: #"</v1/reports/receivables?cursor=AZz-8rJw>; rel="next""#
        case .retryAfter: "1"
        case .authenticate: "Bearer realm=\"stock\""
        case .rateLimit: "\"tenant\";r=0;t=1"
        case .rateLimitPolicy: "\"tenant\";q=200;w=2"
        case .setCookie: "__Host-stock-session=rt_Zm9v; Path=/; Max-Age=1209600; Secure; HttpOnly; SameSite=Strict"
        }
    }

    /// The fields of an answer, and whether each is always there.
    typealias List = [(header: AnswerHeader, isAlways: Bool)]
}

extension Route {
    /// The fields of success.
    ///
    /// - Parameter isCreation: whether something new was made.
    /// - Returns: the fields, each with whether it is always there.
    func headers(isCreation: Bool) -> AnswerHeader.List {
        var list: AnswerHeader.List = [(.requestID, true)]
        if givesTag { list.append((.eTag, true)) }
        if isCreation && namesResource || isUpsert && isCreation { list.append((.location, true)) }
        if isCached { list += [(.cacheStatus, true), (.contentEncoding, false)] }
        if isCached || isNegotiated { list.append((.vary, true)) }
        if gives.table != nil { list.append((.link, false)) }
        if takesConsistency || startsSession { list.append((.consistency, false)) }
        if takesKey { list.append((.replayed, false)) }
        if gives.setsCookie { list.append((.setCookie, false)) }
        if area == "exports" || method == .get && gives.answer?.isList == true { list.append((.eventSequence, true)) }
        return list
    }

    /// The fields of a problem with one of these codes.
    static func headers(of codes: Set<Problem.Code>) -> AnswerHeader.List {
        var list: AnswerHeader.List = [(.requestID, true)]
        if codes.contains(.unauthenticated) { list.append((.authenticate, true)) }
        if codes.contains(where: \.isStoredRefusal) { list.append((.replayed, false)) }
        if codes.contains(where: { SeenRefusal.statuses.contains($0.status) }) { list.append((.consistency, false)) }
        switch codes.first?.status {
        case 406: list.append((.vary, true))
        case 429: list += [(.retryAfter, true), (.rateLimit, false), (.rateLimitPolicy, false)]
        case 503: list.append((.retryAfter, true))
        case 409 where codes.contains(.idempotencyInProgress): list.append((.retryAfter, false))
        default: break
        }
        return list
    }

    /// Whether it is open and yet writes: signing up and logging in.
    private var startsSession: Bool {
        if case .open = access { method != .get } else { false }
    }

    /// Every problem the operation may answer with.
    ///
    /// Those it names itself, and those that follow from what it takes.
    var allProblems: Set<Problem.Code> {
        var codes = Set(problems)
        codes.formUnion([.invalidRequest, .internalError, .overloaded, .databaseUnavailable])
        switch access {
        case .open:
            break
        case .authenticated:
            codes.formUnion([.unauthenticated, .rateLimited, .tenantSuspended])
        case .members:
            codes.formUnion([.unauthenticated, .rateLimited, .tenantSuspended, .forbidden])
        }
        if isNegotiated { codes.insert(.notAcceptable) }
        if !pathParameters.isEmpty { codes.insert(.notFound) }
        if !parameters.isEmpty { codes.insert(.validationFailed) }
        if body != nil { codes.formUnion([.validationFailed, .requestTimeout]) }
        if method != .get { codes.formUnion([.outcomeUnknown, .tooLarge, .unsupportedMediaType]) }
        if throttle != nil { codes.insert(.rateLimited) }
        if needsKey { codes.insert(.idempotencyKeyMissing) }
        if takesKey { codes.formUnion([.idempotencyInProgress, .idempotencyKeyReused]) }
        if needsMatch || isUpsert { codes.formUnion([.preconditionRequired, .versionMismatch]) }
        return codes
    }
}

import HTTPTypes
import Kernel
import Logging
import NIOHTTP1
import Services

/// Refusals: the documents they become, and what a client that keeps a token learns from them.
extension API {
    /// The document of what went wrong, and its line in the log.
    func refusal(of error: any Error, _ exchange: Exchange, _ subject: RequestLog.Subject) -> Reply {
        let requestID = exchange.requestID
        let instance = String(exchange.path)
        switch error {
        case let refused as SeenRefusal:
            return refusal(of: refused.problem, exchange, subject).with(consistency: refused.consistency)
        case var problem as Problem:
            if problem.code == .outcomeUnknown, exchange.fields.idempotencyKey != nil {
                problem.detail += " Repeat the request with the same Idempotency-Key."
            }
            if problem.code == .internalError || problem.code == .outcomeUnknown {
                logger.error("problem", metadata: ["request_id": "\(requestID)", "detail": "\(problem.detail)"])
            } else if problem.code.status == 401 || problem.code.status == 403 {
                // Without the path, which a client may have put a credential into.
                logger.info(
                    "refused",
                    metadata: [
                        "request_id": "\(requestID)", "method": "\(exchange.method.rawValue)",
                        "code": "\(problem.code.rawValue)",
                        "address": "\(exchange.client?.description ?? "unknown")",
                    ]
                )
            }
            return problem.reply(requestID: requestID, instance: instance)
        case is HTTPParserError:
            var reply = Problem(.invalidRequest, "The body is not well-formed HTTP/1.1.")
                .reply(requestID: requestID, instance: instance)
            reply.closesConnection = true
            return reply
        case let refused as MethodRefused:
            if exchange.method == .options, let origin = exchange.fields.origin,
                let answer = crossOrigin.preflight(methods: refused.known, origin: origin)
            {
                return answer
            }
            var reply = refused.problem.reply(requestID: requestID, instance: instance)
            reply.append(.allow, refused.allowed)
            return reply
        default:
            // Whatever it is stays in the log; the client learns the name under which to find it there.
            logger.error(
                "request failed",
                metadata: [
                    "request_id": "\(requestID)", "route": "\(subject.route?.path ?? "unmatched")",
                    "error": "\(String(describing: error))",
                ]
            )
            return Problem(.internalError, "Something went wrong here; the log has it under the request_id.")
                .reply(requestID: requestID, instance: instance)
        }
    }

    /// Does work, and tells a client that keeps a token what a refusal of it was made of, so that it reads nothing older: whoever is
    /// told that a record has changed meanwhile, and then asks for it, is not shown it as it was.
    func tellingWhatWasSeen(_ call: Call, _ work: () async throws -> Reply) async throws -> Reply {
        guard call.exchange.fields.consistency != nil, let store else { return try await work() }
        do {
            let reply = try await work()
            // One that was kept beside its key, or is kept from now on.
            guard SeenRefusal.statuses.contains(reply.status.code) else { return reply }
            return reply.with(consistency: await store.consistencyOfRefusal(try call.context()))
        } catch let problem as Problem where SeenRefusal.statuses.contains(problem.code.status) {
            let consistency = await store.consistencyOfRefusal(try call.context())
            throw SeenRefusal(problem: problem, consistency: consistency)
        }
    }
}

/// A refusal that data has made, for a client that keeps a token.
struct SeenRefusal: Error {
    /// What the client sees.
    let problem: Problem
    /// The value of `Stock-Consistency` beside it, if the database could be asked for it.
    let consistency: String?

    /// The statuses of problems that say how something stands: that it is not there, stands otherwise, or has another version.
    static let statuses: Set<Int> = [404, 409, 412, 422]
}

/// A method that the path does not have.
struct MethodRefused: Error {
    let method: HTTPRequest.Method
    /// The methods it has.
    let known: [HTTPRequest.Method]

    var allowed: String {
        let names = known.map(\.rawValue) + (known.contains(.get) ? ["HEAD"] : [])
        return names.sorted().joined(separator: ", ")
    }

    var problem: Problem {
        Problem(.methodNotAllowed, "\(method.rawValue) is not possible here; \(allowed) is.")
    }
}

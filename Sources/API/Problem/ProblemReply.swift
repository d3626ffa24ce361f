import HTTPTypes
import Kernel
import NIOCore

/// From problem to answer: the one place where a problem becomes HTTP (RFC 9457).
extension Problem {
    /// The answer.
    ///
    /// - Parameters:
    ///   - requestID: the name of the request.
    ///   - instance: the path of the request, without its query.
    /// - Returns: the document with its fields.
    func reply(requestID: String, instance: String) -> Reply {
        let document = self.document(requestID: requestID, instance: instance)
        var reply = Reply(
            HTTPResponse.Status(code: self.code.status),
            body: ByteBuffer(bytes: document),
            type: .problem
        )
        if let seconds = retryAfter ?? self.code.standardRetryAfter {
            reply.append(.retryAfter, String(max(1, seconds)))
        }
        if let limit = self.limit {
            reply.append(.rateLimitPolicy, limit.policy)
            reply.append(.rateLimit, limit.state)
        }
        if case .unauthenticated = self.code {
            reply.append(.wwwAuthenticate, "Bearer realm=\"stock\"")
        }
        if self.code == .tooLarge || self.code == .requestTimeout {
            // What was not read of the body must not be taken for the next request.
            reply.closesConnection = true
        }
        return reply
    }

    /// The document (RFC 9457).
    ///
    /// - Parameters:
    ///   - requestID: the name of the request.
    ///   - instance: the path of the request, without its query.
    /// - Returns: JSON in UTF-8.
    func document(requestID: String, instance: String) -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        writer.object { writer in
            writer.member("type", self.code.type)
            writer.member("title", self.code.title)
            writer.member("status", self.code.status)
            writer.member("detail", self.detail)
            writer.member("instance", PercentEncoding.path(Text.excerpt(instance)))
            writer.member("code", self.code.rawValue)
            writer.member("request_id", requestID)
            writer.name("errors")
            writer.array { writer in
                for error in self.errors {
                    writer.object { writer in
                        writer.member("pointer", error.pointer)
                        writer.member("code", error.code.rawValue)
                        writer.member("detail", error.detail)
                        for (name, json) in error.extra {
                            writer.name(name)
                            writer.raw(json.utf8)
                        }
                    }
                }
            }
        }
        return writer.bytes
    }
}

extension Problem.Code {
    /// Where the code is explained, relative to the request: a page of this service.
    var type: String { "/problems/\(rawValue)" }

    /// Seconds to wait where the cause gave none: every 429 and 503 says when to come again.
    fileprivate var standardRetryAfter: Int? {
        switch self {
        case .rateLimited, .overloaded, .databaseUnavailable, .outcomeUnknown, .draining, .idempotencyInProgress: 1
        default: nil
        }
    }
}

import HTTPTypes
import Kernel
import Logging
import NIOCore
import Services

/// Writes one line for each request, at info.
///
/// Answers from memory are too many for that, and too alike: of them a share is written. What operators and balancers ask
/// themselves, every second and more, is written at debug. A line holds nothing that a client could have hidden a secret in: the
/// route and not the path, ids and not names, no query and no field but the name of the request.
struct RequestLog: Sendable {
    /// What is known of a request on its way.
    struct Subject: Sendable {
        /// The route; nil while or where there is none.
        var route: Route?
        /// Who asks; nil before or without authentication.
        var caller: Caller?
    }

    private let logger: Logger
    private let hitThreshold: UInt64
    private let start = ContinuousClock.now

    /// Makes a log.
    ///
    /// - Parameters:
    ///   - logger: where lines go.
    ///   - hits: the share of answers from memory that gets a line, 0 to 1.
    init(logger: Logger, hits: Double) {
        self.logger = logger
        hitThreshold = hits >= 1 ? .max : UInt64(max(0, hits) * 0x1p64)
    }

    /// Whether an answer from memory is among those that get a line.
    ///
    /// No state that cores would share: the nanoseconds of the moment, well stirred (by the golden ratio, as Knuth does), are as
    /// good as chance.
    func isDrawn(_ moment: ContinuousClock.Instant) -> Bool {
        guard hitThreshold != .max else { return true }
        let (seconds, attoseconds) = (moment - start).components
        let nanoseconds = UInt64(bitPattern: seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
        return nanoseconds &* 0x9E37_79B9_7F4A_7C15 < hitThreshold
    }

    /// Writes the line of a request, if it gets one.
    ///
    /// - Parameters:
    ///   - subject: what was asked, by whom.
    ///   - exchange: the request as it came.
    ///   - reply: the answer as it is sent.
    ///   - ended: when it had its answer.
    func answered(_ subject: Subject, _ exchange: Exchange, _ reply: Reply, ended: ContinuousClock.Instant) {
        if reply.isFromMemory, !isDrawn(ended) { return }
        let level: Logger.Level = subject.route?.area == "operations" ? .debug : .info
        guard logger.logLevel <= level else { return }
        let (seconds, attoseconds) = (ended - exchange.began).components
        var metadata: Logger.Metadata = [
            "request_id": "\(exchange.requestID)",
            "client": "\(exchange.client?.description ?? "local")",
            "method": "\(Self.known(exchange.method))",
            "route": "\(subject.route?.path ?? "unmatched")",
            "status": .stringConvertible(reply.status.code),
            "bytes": .stringConvertible(reply.body.readableBytes),
            "duration_ms": .stringConvertible(Double(seconds * 1_000_000 + attoseconds / 1_000_000_000_000) / 1_000),
        ]
        if let caller = subject.caller {
            metadata["tenant"] = .stringConvertible(caller.tenant.rawValue)
            if let user = caller.user { metadata["user"] = "\(user)" }
            if let key = caller.apiKey { metadata["key"] = "\(key)" }
        }
        if let cache = reply.fields.first(where: { $0.name == .cacheStatus }) { metadata["cache"] = "\(cache.value)" }
        if let trace = exchange.fields.traceParent, Self.isTraceParent(trace) { metadata["trace"] = "\(trace)" }
        logger.log(level: level, "request", metadata: metadata)
    }

    /// Whether a text is what W3C Trace Context calls a traceparent, version 00, and so can hold nothing else.
    private static func isTraceParent(_ text: String) -> Bool {
        text.utf8.count == 55
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// A method of ours by its name; any other is the client's invention, and may be as long as a secret.
    private static func known(_ method: HTTPRequest.Method) -> String {
        switch method {
        case .get, .head, .post, .put, .patch, .delete, .options: method.rawValue
        default: "other"
        }
    }
}

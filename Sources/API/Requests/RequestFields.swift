import HTTPTypes

/// The header fields that we act on, picked out in one pass.
///
/// Asking `HTTPFields` for each would walk all of them each time.
struct RequestFields: Sendable {
    var acceptEncoding: String?
    var authorization: String?
    var cacheControl: String?
    var consistency: String?
    var contentEncoding: String?
    var contentLength: String?
    var contentType: String?
    var forwardedFor: String?
    var idempotencyKey: String?
    var ifMatch: String?
    var ifNoneMatch: String?
    var origin: String?
    var requestID: String?
    var traceParent: String?
    /// Whether the body comes in chunks, so that nobody knows how long it is.
    var isChunked = false
    /// A field that must come once and came twice, by name.
    var repeated: String?

    init(_ fields: HTTPFields) {
        for field in fields {
            // Canonical names are in lower case, and at most 15 bytes compare without a call.
            switch field.name.canonicalName {
            case "accept-encoding": Self.join(&self.acceptEncoding, field)
            case "authorization": Self.set(&self.authorization, field, &self.repeated)
            case "cache-control": Self.join(&self.cacheControl, field)
            case "content-encoding": Self.join(&self.contentEncoding, field)
            case "content-length": Self.set(&self.contentLength, field, &self.repeated)
            case "content-type": Self.set(&self.contentType, field, &self.repeated)
            case "idempotency-key": Self.set(&self.idempotencyKey, field, &self.repeated)
            case "if-match": Self.set(&self.ifMatch, field, &self.repeated)
            case "if-none-match": Self.join(&self.ifNoneMatch, field)
            case "origin": self.origin = field.value
            case "stock-consistency": Self.set(&self.consistency, field, &self.repeated)
            case "x-request-id": self.requestID = field.value
            case "transfer-encoding": self.isChunked = true
            case "traceparent": self.traceParent = field.value
            case "x-forwarded-for": Self.join(&self.forwardedFor, field)
            default: break
            }
        }
    }

    /// Several fields of a list are one list; appended in place, so that many cost no more than their length.
    private static func join(_ target: inout String?, _ field: HTTPField) {
        if target == nil {
            target = field.value
        } else {
            target?.append(", ")
            target?.append(field.value)
        }
    }

    private static func set(_ target: inout String?, _ field: HTTPField, _ repeated: inout String?) {
        if target != nil { repeated = field.name.rawName }
        target = field.value
    }

    /// The bytes of the body as announced; the largest number there is for what is no number.
    var bodyLength: Int {
        guard let contentLength else { return 0 }
        return Int(contentLength) ?? .max
    }

    /// Whether a body comes.
    var hasBody: Bool { self.isChunked || self.bodyLength > 0 }

    /// Whether the client takes a body compressed by gzip, and would not rather have it plain (RFC 9110, 12.5.3).
    ///
    /// To be asked only where there is a choice.
    var acceptsGzip: Bool {
        guard let acceptEncoding else { return false }
        return AcceptEncoding.prefersGzip(acceptEncoding)
    }

    /// Whether the client wants an answer from the database, past both caches.
    var bypassesCache: Bool {
        guard let cacheControl else { return false }
        return cacheControl.split(separator: ",").contains { directive in
            let name = directive.drop { $0 == " " }.prefix { $0 != "=" && $0 != " " && $0 != ";" }
            return name.lowercased() == "no-cache" || name.lowercased() == "no-store"
        }
    }
}

/// The name of a request in answers, problems and logs.
enum RequestID {
    /// Tells this process's ids from those of others: 30 random bits.
    private static let process: String = {
        var bits = UInt32.random(in: 0..<(1 << 30))
        var text = ""
        for _ in 0..<6 {
            text.append(Self.digit(UInt64(bits & 31)))
            bits >>= 5
        }
        return text
    }()

    private static func digit(_ value: UInt64) -> Character {
        Character(UnicodeScalar(value < 26 ? UInt8(ascii: "a") + UInt8(value) : UInt8(ascii: "2") + UInt8(value - 26)))
    }

    /// The client's own id if it is a plain one, else a new one.
    ///
    /// A foreign id ends up in headers and logs, so it is limited to characters that mean nothing there.
    static func of(_ given: String?) -> String {
        if let given, (1...128).contains(given.utf8.count), given.utf8.allSatisfy(Self.isPlain) { return given }
        return Self.make()
    }

    /// 15 bytes at most for the first 2^45 requests: strings of that length live in registers, not on the heap.
    static func make() -> String {
        var number = Counter.next()
        var text = Self.process
        repeat {
            text.append(Self.digit(number & 31))
            number >>= 5
        } while number > 0
        return text
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

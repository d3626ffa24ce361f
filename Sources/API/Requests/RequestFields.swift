import HTTPTypes
import NIOHTTP1
import Services

/// The header fields that we act on, picked out in one pass.
///
/// Asking `HTTPFields` for each would walk all of them each time.
struct RequestFields: Sendable {
    var accept: String?
    var acceptEncoding: String?
    var authorization: String?
    var cacheControl: String?
    var consistency: String?
    var contentDigest: String?
    var contentEncoding: String?
    var contentLength: String?
    var contentType: String?
    var forwardedFor: String?
    var idempotencyKey: String?
    var ifMatch: String?
    var ifNoneMatch: String?
    var lastEventID: String?
    var origin: String?
    var requestID: String?
    var traceParent: String?
    /// Whether the body comes in chunks, so that nobody knows how long it is.
    var isChunked = false
    /// A field that must come once and came twice, by name.
    var repeated: String?

    /// Whether it asks for another protocol, or for a word before it goes on.
    var asksForMore = false

    /// No fields.
    init() {}

    /// The fields as Hummingbird read them.
    init(_ fields: HTTPFields) {
        for field in fields {
            if let name = Name(field.name.canonicalName) { take(name, field.value, as: field.name.rawName) }
        }
    }

    /// The fields as the HTTP decoder read them; nil if one that we act on has a value that Hummingbird would not leave as it is, or
    /// if they ask for more than an answer.
    init?(plain fields: HTTPHeaders) {
        for (text, value) in fields {
            guard let name = Name(text) else { continue }
            guard Self.isPlain(value) else { return nil }
            take(name, value, as: text)
        }
        if isChunked || contentLength != nil || asksForMore { return nil }
    }

    /// Whether all is visible ASCII, with blanks only between.
    private static func isPlain(_ value: String) -> Bool {
        Self.isASCII(value, from: 0x20) && value.utf8.first != 0x20 && value.utf8.last != 0x20
    }

    /// Whether all bytes of a text are ASCII up to `~`, from a byte on.
    ///
    /// It looks at all of them, and so at many at once: tokens are long.
    static func isASCII(_ text: String, from lowest: UInt8) -> Bool {
        let bytes = text.utf8.span
        let range = 0x7E - lowest
        var others: UInt8 = 0
        for index in bytes.indices { others |= bytes[index] &- lowest > range ? 1 : 0 }
        return others == 0
    }

    /// The fields that we act on.
    private enum Name {
        case accept, acceptEncoding, authorization, cacheControl, consistency, contentDigest, contentEncoding,
            contentLength
        case contentType, expect
        case forwardedFor, idempotencyKey, ifMatch, ifNoneMatch, lastEventID, origin, requestID, traceParent,
            transferEncoding, upgrade

        /// Finds the field of a name in any case; at most four have the same length.
        init?(_ text: String) {
            switch text.utf8.count {
            case 6 where Self.isSame(text, "accept"): self = .accept
            case 6 where Self.isSame(text, "origin"): self = .origin
            case 6 where Self.isSame(text, "expect"): self = .expect
            case 7 where Self.isSame(text, "upgrade"): self = .upgrade
            case 8 where Self.isSame(text, "if-match"): self = .ifMatch
            case 11 where Self.isSame(text, "traceparent"): self = .traceParent
            case 12 where Self.isSame(text, "x-request-id"): self = .requestID
            case 12 where Self.isSame(text, "content-type"): self = .contentType
            case 13 where Self.isSame(text, "authorization"): self = .authorization
            case 13 where Self.isSame(text, "if-none-match"): self = .ifNoneMatch
            case 13 where Self.isSame(text, "cache-control"): self = .cacheControl
            case 13 where Self.isSame(text, "last-event-id"): self = .lastEventID
            case 14 where Self.isSame(text, "content-length"): self = .contentLength
            case 14 where Self.isSame(text, "content-digest"): self = .contentDigest
            case 15 where Self.isSame(text, "accept-encoding"): self = .acceptEncoding
            case 15 where Self.isSame(text, "idempotency-key"): self = .idempotencyKey
            case 15 where Self.isSame(text, "x-forwarded-for"): self = .forwardedFor
            case 16 where Self.isSame(text, "content-encoding"): self = .contentEncoding
            case 17 where Self.isSame(text, "stock-consistency"): self = .consistency
            case 17 where Self.isSame(text, "transfer-encoding"): self = .transferEncoding
            default: return nil
            }
        }

        /// Whether a text is a name of the same length, which is in lower case.
        private static func isSame(_ text: String, _ name: String) -> Bool {
            zip(text.utf8, name.utf8).allSatisfy { $0 == $1 || ($1 >= UInt8(ascii: "a") && $0 | 0x20 == $1) }
        }
    }

    private mutating func take(_ name: Name, _ value: String, as sent: String) {
        switch name {
        case .accept: Self.join(&self.accept, value)
        case .acceptEncoding: Self.join(&self.acceptEncoding, value)
        case .authorization: Self.set(&self.authorization, value, sent, &repeated)
        case .cacheControl: Self.join(&self.cacheControl, value)
        case .consistency: Self.set(&self.consistency, value, sent, &repeated)
        case .contentDigest: Self.join(&self.contentDigest, value)
        case .contentEncoding: Self.join(&self.contentEncoding, value)
        case .contentLength: Self.set(&self.contentLength, value, sent, &repeated)
        case .contentType: Self.set(&self.contentType, value, sent, &repeated)
        case .expect, .upgrade: asksForMore = true
        case .forwardedFor: Self.join(&self.forwardedFor, value)
        case .idempotencyKey: Self.set(&self.idempotencyKey, value, sent, &repeated)
        case .ifMatch: Self.set(&self.ifMatch, value, sent, &repeated)
        case .ifNoneMatch: Self.join(&self.ifNoneMatch, value)
        case .lastEventID: Self.set(&self.lastEventID, value, sent, &repeated)
        case .origin: self.origin = value
        case .requestID: self.requestID = value
        case .traceParent: self.traceParent = value
        case .transferEncoding: isChunked = true
        }
    }

    /// Several fields of a list are one list; appended in place, so that many cost no more than their length.
    private static func join(_ target: inout String?, _ value: String) {
        if target == nil {
            target = value
        } else {
            target?.append(", ")
            target?.append(value)
        }
    }

    private static func set(_ target: inout String?, _ value: String, _ sent: String, _ repeated: inout String?) {
        if target != nil { repeated = sent }
        target = value
    }

    /// The bytes of the body as announced; the largest number there is for what is no number.
    var bodyLength: Int {
        guard let contentLength else { return 0 }
        return Int(contentLength) ?? .max
    }

    /// Whether a body comes.
    var hasBody: Bool { isChunked || bodyLength > 0 }

    /// Whether the client takes a body compressed by gzip, and would not rather have it plain (RFC 9110, 12.5.3).
    ///
    /// To be asked only where there is a choice.
    var acceptsGzip: Bool {
        guard let acceptEncoding else { return false }
        return AcceptEncoding.prefersGzip(acceptEncoding)
    }

    /// The tag that `If-None-Match` has in common with an answer, so that the body need not be sent.
    ///
    /// - Parameters:
    ///   - etag: the tag of the plain bytes.
    ///   - sent: the tag of the bytes that would be sent.
    /// - Returns: the tag the client named, by which it finds the bytes it has; `nil` if it has none of them.
    func current(_ etag: String, sent: String) -> String? {
        guard let field = ifNoneMatch, !etag.isEmpty else { return nil }
        if field == sent { return sent }
        let compressed = EntityTag.compressed(etag)
        // Weak comparison (RFC 9110): a W/ in front does not matter. Plain or compressed, they say the same.
        for item in field.split(separator: ",") {
            var tag = item.trimmingSpaces
            if tag == "*" { return sent }
            if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
            if tag == etag { return etag }
            if tag == compressed { return compressed }
        }
        return nil
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
    /// Tells this process's ids from those of others: 30 random bits, five to a digit.
    private static let process = UInt32.random(in: 0..<(1 << 30))

    private static func digit(_ value: UInt64) -> UInt8 {
        value < 26 ? UInt8(ascii: "a") + UInt8(value) : UInt8(ascii: "2") + UInt8(value - 26)
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
        var bits = UInt64(Self.process)
        var number = Counter.next()
        let digits = max(1, (UInt64.bitWidth - number.leadingZeroBitCount + 4) / 5)
        return String(unsafeUninitializedCapacity: 6 + digits) { buffer in
            for position in 0..<6 {
                buffer[position] = Self.digit(bits & 31)
                bits >>= 5
            }
            for position in 6..<6 + digits {
                buffer[position] = Self.digit(number & 31)
                number >>= 5
            }
            return 6 + digits
        }
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

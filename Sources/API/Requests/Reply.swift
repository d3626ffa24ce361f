package import HTTPTypes
import Kernel
package import NIOCore

/// An answer: status, fields and one buffer, written in one go, or a stream.
///
/// Not Hummingbird's `Response`, whose setters search the fields again and again; here fields are only appended, to a plain array, and the
/// length is added when the answer is sent.
package struct Reply: Sendable {
    /// The status.
    package var status: HTTPResponse.Status
    /// The fields but for those that every answer has.
    package var fields: [HTTPField] = []
    /// The body; empty for 204 and 304.
    package var body: ByteBuffer
    /// The body piece by piece, each made when the one before was taken; nil where it is ``body``.
    var stream: AsyncThrowingStream<ByteBuffer, any Error>?
    /// What happens, told for as long as somebody listens; nil for an answer that ends.
    var events: EventStream?
    /// Whether the connection cannot be used after this answer.
    var closesConnection = false
    /// Whether nobody knows how long the body becomes.
    var isOfUnknownLength: Bool { stream != nil || events != nil }
    /// Whether the answer came from this instance's memory and cost nobody anything.
    var isFromMemory = false
    /// What a browser that is shown it may do.
    var face = Face.data
    /// How long a browser may keep it.
    var kept = Keeping.not

    /// An answer with a body that is complete.
    ///
    /// - Parameters:
    ///   - status: the status.
    ///   - body: the bytes.
    ///   - type: their media type.
    package init(_ status: HTTPResponse.Status, body: ByteBuffer, type: ContentType = .json) {
        self.status = status
        self.body = body
        fields.reserveCapacity(12)
        fields.append(type.field)
        if type == .html { face = .page }
    }

    /// An answer without a body.
    ///
    /// - Parameter status: 204 or 304.
    package init(_ status: HTTPResponse.Status) {
        self.status = status
        body = ByteBuffer()
        fields.reserveCapacity(12)
    }

    /// An answer with JSON made here.
    ///
    /// - Parameters:
    ///   - status: the status.
    ///   - write: writes the body.
    /// - Returns: the answer.
    static func json(_ status: HTTPResponse.Status = .ok, _ write: (inout JSONWriter) -> Void) -> Reply {
        var text = JSONWriter()
        write(&text)
        return Reply(status, body: ByteBuffer(bytes: text.bytes))
    }

    /// Adds a field.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - value: its value; characters that would end the line are dropped by HTTPTypes.
    package mutating func append(_ name: HTTPField.Name, _ value: String) {
        fields.append(HTTPField(name: name, value: value))
    }

    /// What a browser that is shown an answer may do.
    enum Face: Sendable {
        /// Nothing.
        case data
        /// Show the one style that our pages have.
        case page
        /// Run the console.
        case console
    }

    /// How long a browser may keep an answer.
    enum Keeping: Sendable {
        /// Not at all.
        case not
        /// While it asks each time whether it is still so, by the tag.
        case asked
        /// For good: another version has another path.
        case forGood
    }

    /// That the form follows from `Accept`, made once.
    static let varyAccept = HTTPField(name: .vary, value: "Accept")
    /// That it is the caller's: another one who uses the same browser is never shown it, though the tags may be alike.
    static let varyAuthorization = HTTPField(name: .vary, value: "Authorization")
}

/// The media types we answer with, as fields that are made once.
package enum ContentType: Sendable {
    /// `application/json`
    case json
    /// `application/problem+json`
    case problem
    /// `application/vnd.oai.openapi+json`, so that tools know what they read.
    case openAPI
    /// The text format of Prometheus.
    case metrics
    /// A page for people.
    case html
    /// Lines of text.
    case plain
    /// Server-sent events.
    case events
    /// A table, with names in its first line (RFC 4180, RFC 7111).
    case csv
    /// Rows for programs, an object to a line.
    case ndjson
    /// A module of the console.
    case javaScript
    /// How the console looks.
    case css
    /// A picture that is drawn.
    case svg

    /// The field.
    var field: HTTPField {
        switch self {
        case .json: Self.jsonField
        case .problem: Self.problemField
        case .openAPI: Self.openAPIField
        case .metrics: Self.metricsField
        case .html: Self.htmlField
        case .plain: Self.plainField
        case .events: Self.eventsField
        case .csv: Self.csvField
        case .ndjson: Self.ndjsonField
        case .javaScript: Self.javaScriptField
        case .css: Self.cssField
        case .svg: Self.svgField
        }
    }

    /// Its name without parameters, as the OpenAPI document lists it.
    var mediaType: String {
        switch self {
        case .json: "application/json"
        case .problem: "application/problem+json"
        case .openAPI: "application/vnd.oai.openapi+json"
        case .metrics: "text/plain"
        case .html: "text/html"
        case .plain: "text/plain"
        case .events: "text/event-stream"
        case .csv: "text/csv"
        case .ndjson: "application/x-ndjson"
        case .javaScript: "text/javascript"
        case .css: "text/css"
        case .svg: "image/svg+xml"
        }
    }

    private static let jsonField = HTTPField(name: .contentType, value: "application/json")
    private static let problemField = HTTPField(name: .contentType, value: "application/problem+json")
    private static let openAPIField = HTTPField(
        name: .contentType,
        value: "application/vnd.oai.openapi+json;version=3.1"
    )
    private static let metricsField = HTTPField(name: .contentType, value: "text/plain; version=0.0.4; charset=utf-8")
    private static let csvField = HTTPField(name: .contentType, value: "text/csv; charset=utf-8; header=present")
    private static let plainField = HTTPField(name: .contentType, value: "text/plain; charset=utf-8")
    private static let eventsField = HTTPField(name: .contentType, value: "text/event-stream; charset=utf-8")
    private static let ndjsonField = HTTPField(name: .contentType, value: "application/x-ndjson")
    private static let javaScriptField = HTTPField(name: .contentType, value: "text/javascript; charset=utf-8")
    private static let cssField = HTTPField(name: .contentType, value: "text/css; charset=utf-8")
    private static let svgField = HTTPField(name: .contentType, value: "image/svg+xml")
    private static let htmlField = HTTPField(name: .contentType, value: "text/html; charset=utf-8")
}

extension Reply {
    /// The same answer with the client's token, if there is one.
    func with(consistency: String?) -> Reply {
        guard let consistency else { return self }
        var reply = self
        reply.append(.stockConsistency, consistency)
        return reply
    }

    /// The same answer with the last event that it reflects, if it names it.
    func with(eventSequence: Int64?) -> Reply {
        guard let eventSequence else { return self }
        var reply = self
        reply.append(.eventSequence, String(eventSequence))
        return reply
    }
}

extension HTTPField.Name {
    /// What the client has written and seen.
    static let stockConsistency = Self.known("Stock-Consistency")
    /// The last event that a list or an export reflects.
    static let eventSequence = Self.known("Stock-Event-Sequence")
    /// RFC 8288.
    static let link = Self.known("Link")
    /// RFC 9211.
    static let cacheStatus = Self.known("Cache-Status")
    /// Our name for the request.
    static let requestID = Self.known("X-Request-Id")
    /// The answer is that of an earlier request with this key.
    static let idempotencyReplayed = Self.known("Idempotency-Replayed")
    /// draft-ietf-httpapi-ratelimit-headers.
    static let rateLimitPolicy = Self.known("RateLimit-Policy")
    /// Has proxies pass on each part of an answer as it comes.
    static let accelBuffering = Self.known("X-Accel-Buffering")
    /// What is left of it.
    static let rateLimit = Self.known("RateLimit")

    /// A name that is a token by sight.
    private static func known(_ name: String) -> HTTPField.Name {
        HTTPField.Name(name) ?? .server
    }
}
